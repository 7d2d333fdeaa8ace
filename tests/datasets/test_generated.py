"""Generated data sets: the real loaders read them, the planted flaws are there, and no part of one is ever taken for the whole."""

import csv
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_helpers.datasets import drawing, fer2013, ferplus, generated

IMAGES = {"train": 200, "val": 60, "test": 60}
FLAWS = generated.Flaws(copies_within_train=6, copies_in_val=4, copies_in_test=5, copies_under_another_label=2, brighter_copies_in_test=3, images_of_one_grey=2)
CHANCES = {"neutral": 0.25, "happy": 0.25, "sad": 0.25, "anger": 0.25}


@pytest.fixture(scope="module")
def fer2013_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "fer2013"
    generated.write_fer2013(folder, IMAGES, seed=5, flaws=FLAWS)
    return folder


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "fer2013_csv"
    generated.write_fer2013_csv(folder, IMAGES, seed=5)
    return folder


@pytest.fixture(scope="module")
def ferplus_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ferplus"
    generated.write_ferplus(folder, {"train": 420, "val": 100, "test": 100}, seed=5)
    return folder


def files_of(folder: Path, prefix: str) -> list[Path]:
    return sorted(folder.rglob(f"{prefix}_*.jpg"))


def pixels_of(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file))


def hashes(files: list[Path]) -> Counter:
    return Counter(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def rows_of(file: Path) -> list[list[str]]:
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


# --------------------------------------------------------------------------------------------------------------- faces


def test_faces_are_the_same_again_from_the_same_seed_and_others_from_another():
    def drawn(seed: int) -> list[tuple]:
        return [(face.expression, face.person, face.pixels.tobytes()) for face in generated.draw_faces({"train": 12}, CHANCES, seed)]

    assert drawn(1) == drawn(1)
    assert not {pixels for *_, pixels in drawn(1)} & {pixels for *_, pixels in drawn(2)}


def test_no_person_is_in_two_splits(monkeypatch):
    shown = []
    monkeypatch.setattr(drawing, "draw_face", lambda identity, *_: shown.append(identity) or np.zeros((48, 48, 1), "uint8"))
    people: dict[str, set] = {"train": set(), "val": set(), "test": set()}
    for face in generated.draw_faces({"train": 80, "val": 40, "test": 40}, CHANCES, seed=0):
        people[face.split].add(shown[-1])
    assert {split: len(identities) for split, identities in people.items()} == {"train": 10, "val": 5, "test": 5}  # 8 pictures each
    assert len(set.union(*people.values())) == 10 + 5 + 5


def test_each_expression_has_its_share_of_the_images():
    faces = generated.draw_faces({"val": 40}, {"happy": 0.5, "sad": 0.25, "fear": 0.25}, seed=0)
    assert Counter(face.expression for face in faces) == {"happy": 20, "sad": 10, "fear": 10}


# ------------------------------------------------------------------------------------------------------------ FER-2013


def test_fer2013_has_the_folders_and_file_names_of_kaggle(fer2013_folder):
    classes = {"angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"}
    folders = {file.parent.relative_to(fer2013_folder).as_posix() for file in fer2013_folder.rglob("*.jpg")}
    assert folders == {f"{split}/{name}" for split in ("train", "test") for name in classes}
    assert all(file.is_relative_to(fer2013_folder / "train") for file in files_of(fer2013_folder, "Training"))
    assert all(file.is_relative_to(fer2013_folder / "test") for file in files_of(fer2013_folder, "P*Test"))


def test_fer2013_has_the_images_asked_for_and_the_planted_ones_on_top(fer2013_folder):
    counts = {usage: len(files_of(fer2013_folder, usage)) for usage in ("Training", "PublicTest", "PrivateTest")}
    assert counts == {"Training": 200 + 6 + 2 + 2, "PublicTest": 60 + 4, "PrivateTest": 60 + 5 + 3}


def test_fer2013_images_are_grey_jpegs_of_48_pixels(fer2013_folder):
    seen = {(image.format, image.mode, image.size) for image in map(Image.open, fer2013_folder.rglob("*.jpg"))}
    assert seen == {("JPEG", "L", (48, 48))}


def test_the_loader_reads_drawn_fer2013_as_the_real_one(fer2013_folder):
    dataset = fer2013.load(fer2013_folder)
    assert dataset.table["split"].value_counts().to_dict() == {"train": 210, "test": 68, "val": 64}
    assert dataset.notes == ()
    assert len(dataset.skipped) == 0


def test_planted_copies_are_the_same_bytes_and_as_many_as_generated_json_says(fer2013_folder):
    train = hashes(files_of(fer2013_folder, "Training"))
    told = json.loads((fer2013_folder / "generated.json").read_text())["flaws"]
    assert sum(train.values()) - len(train) == 6 + 2 == told["copies_within_train"] + told["copies_under_another_label"]
    assert sum(file in train for file in hashes(files_of(fer2013_folder, "PublicTest"))) == 4 == told["copies_in_val"]
    assert sum(file in train for file in hashes(files_of(fer2013_folder, "PrivateTest"))) == 5 == told["copies_in_test"]


def test_as_many_copies_as_told_stand_under_another_label(fer2013_folder):
    labels: dict[bytes, set] = {}
    for file in files_of(fer2013_folder, "Training"):
        labels.setdefault(file.read_bytes(), set()).add(file.parent.name)
    assert sum(len(names) > 1 for names in labels.values()) == 2


def test_brighter_copies_differ_from_a_training_image_by_little_more_than_their_brightness(fer2013_folder):
    train = np.array([pixels_of(file) for file in files_of(fer2013_folder, "Training")], float)
    near = []
    for file in files_of(fer2013_folder, "PrivateTest"):
        difference = pixels_of(file) - train
        near.append(bool(np.any((difference.std(axis=(1, 2)) < 3) & (np.abs(difference.mean(axis=(1, 2))) > 8))))
    assert sum(near) == 3


def test_two_images_show_nothing(fer2013_folder):
    assert sum(pixels_of(file).std() < 1 for file in fer2013_folder.rglob("*.jpg")) == 2


def test_without_flaws_all_images_differ(tmp_path):
    nothing = generated.Flaws(0, 0, 0, 0, 0, 0)
    generated.write_fer2013(tmp_path / "clean", {"train": 30, "val": 10, "test": 10}, flaws=nothing)
    assert max(hashes(list((tmp_path / "clean").rglob("*.jpg"))).values()) == 1


def test_more_copies_than_training_images_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ValueError, match="20 copies need as many training images"):
        generated.write_fer2013(tmp_path / "small", {"train": 15, "val": 10, "test": 10}, flaws=FLAWS)


def test_csv_rows_hold_the_drawn_pixels_under_the_codes_of_2013(csv_folder):
    header, *rows = rows_of(csv_folder / "fer2013.csv")
    codes = {"anger": "0", "disgust": "1", "fear": "2", "happy": "3", "sad": "4", "surprise": "5", "neutral": "6"}
    usages = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
    assert header == ["emotion", "pixels", "Usage"]
    faces = list(generated.draw_faces(IMAGES, generated.FER2013_SHARES, 5))
    assert [(code, usage) for code, _, usage in rows] == [(codes[face.expression], usages[face.split]) for face in faces]
    first = np.array(rows[0][1].split(" "), dtype=int)
    np.testing.assert_array_equal(first.reshape(48, 48), faces[0].pixels[..., 0])


def test_the_loader_reads_the_drawn_csv_as_the_real_one(csv_folder):
    dataset = fer2013.load(csv_folder)
    assert dataset.table["split"].value_counts().to_dict() == {"train": 200, "val": 60, "test": 60}
    assert len(dataset.skipped) == 0


# ---------------------------------------------------------------------------------------------------------------- FER+


def test_ferplus_has_the_header_of_the_real_file_and_ten_votes_a_row(ferplus_folder):
    header, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    assert ",".join(header) == "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    assert len(rows) == 420 + 100 + 100
    assert {sum(map(int, row[2:])) for row in rows} == {10}


def test_ferplus_names_each_image_after_its_row_and_leaves_some_rows_without(ferplus_folder):
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    unnamed = sum(not row[1] for row in rows)
    assert 0 < unnamed < 20
    assert {row[-1] for row in rows if not row[1]} == {"10"}  # left out were, as in the real file, rows that all voted no face
    assert all(row[1] in ("", f"fer{number:07d}.png") for number, row in enumerate(rows))
    assert len(list(ferplus_folder.rglob("*.png"))) == 620 - unnamed


@pytest.mark.parametrize(("usage", "folder"), [("Training", "FER2013Train"), ("PublicTest", "FER2013Valid"), ("PrivateTest", "FER2013Test")])
def test_each_ferplus_folder_has_its_images_and_the_same_votes_in_label_csv(ferplus_folder, usage, folder):
    expected = [[name, "(0, 0, 48, 48)", *votes] for row_usage, name, *votes in rows_of(ferplus_folder / "fer2013new.csv") if row_usage == usage and name]
    assert rows_of(ferplus_folder / "data" / folder / "label.csv") == expected
    assert sorted(file.name for file in (ferplus_folder / "data" / folder).glob("*.png")) == [name for name, *_ in expected]


def test_some_ferplus_rows_have_no_majority_some_are_no_face_and_some_are_unknown(ferplus_folder):
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    votes = np.array([row[2:] for row in rows], dtype=int)
    assert 0 < np.sum(votes[:, :8].max(axis=1) <= 5) < 0.2 * len(votes)
    assert 0 < np.sum(votes[:, 9] == 10) < 20
    assert np.sum(votes[:, 8] > 0) > 0


def test_taggers_agree_less_on_weak_expressions(ferplus_folder):
    order = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")  # of the columns
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    faces = generated.draw_faces({"train": 420}, generated.FERPLUS_SHARES, 5 + 1)
    agreement = [
        (face.intensity, int(row[2 + order.index(face.expression)]))
        for face, row in zip(faces, rows, strict=False)
        if face.expression != "neutral" and row[11] == "0"  # voted a face
    ]
    weak = [votes for intensity, votes in agreement if intensity < 0.6]
    strong = [votes for intensity, votes in agreement if intensity > 0.85]
    assert min(len(weak), len(strong)) > 30
    assert 4 < np.mean(weak) < np.mean(strong) - 1 < 9


def test_the_loader_reads_drawn_ferplus_as_the_real_one(ferplus_folder):
    dataset = ferplus.load(ferplus_folder)
    reasons = set(dataset.skipped["reason"])
    assert len(dataset.table) + len(dataset.skipped) == 620
    assert len(dataset.table) > 550
    assert set(dataset.table["split"]) == {"train", "val", "test"}
    assert reasons == {"left out by the authors: no image name", "no clear majority among its expressions"}


# --------------------------------------------------------------------------------------------------------------- cache


@pytest.fixture
def quick_writer(monkeypatch, tmp_path) -> list[Path]:
    """`quick` can be drawn in no time, into a cache of the test's own; the list holds where it was drawn."""
    drawn: list[Path] = []

    def write(folder: Path) -> None:
        drawn.append(folder)
        folder.mkdir(parents=True)
        (folder / "face.jpg").write_bytes(b"face")

    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(generated.WRITERS, "quick", write)
    return drawn


def test_a_data_set_is_drawn_once_and_found_the_next_time(quick_writer, tmp_path):
    first, second = generated.ensure("quick"), generated.ensure("quick")
    assert first == second
    assert first.name == "quick"
    assert first.is_relative_to(tmp_path)
    assert [file.name for file in first.iterdir()] == ["face.jpg"]
    assert len(quick_writer) == 1


def test_an_interrupted_drawing_leaves_nothing_and_is_drawn_the_next_time(quick_writer, monkeypatch, tmp_path):
    write = generated.WRITERS["quick"]

    def interrupted(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    monkeypatch.setitem(generated.WRITERS, "quick", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generated.ensure("quick")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.setitem(generated.WRITERS, "quick", write)
    assert (generated.ensure("quick") / "face.jpg").read_bytes() == b"face"


def test_the_first_of_two_processes_that_draw_the_same_data_set_wins(quick_writer, monkeypatch):
    write = generated.WRITERS["quick"]

    def overtaken(folder: Path) -> None:
        monkeypatch.setitem(generated.WRITERS, "quick", write)
        with monkeypatch.context() as other_process:
            other_process.setattr("os.getpid", lambda: -1)
            (generated.ensure("quick") / "face.jpg").write_bytes(b"drawn by the other process")
        write(folder)

    monkeypatch.setitem(generated.WRITERS, "quick", overtaken)
    folder = generated.ensure("quick")
    assert (folder / "face.jpg").read_bytes() == b"drawn by the other process"
    assert [path.name for path in folder.parent.iterdir()] == ["quick"]


def test_a_change_of_the_code_that_draws_draws_anew(quick_writer, monkeypatch, tmp_path):
    before = generated.ensure("quick")
    changed = tmp_path / "drawing.py"
    changed.write_bytes(Path(drawing.__file__).read_bytes() + b"# a change\n")
    monkeypatch.setattr(drawing, "__file__", str(changed))
    assert generated.ensure("quick") != before
    assert len(quick_writer) == 2


def test_what_cannot_be_drawn_is_an_error_that_names_what_can():
    with pytest.raises(ValueError, match=r"'jaffe'.*fer2013, ferplus, fer2013_csv"):
        generated.ensure("jaffe")


def test_the_command_draws_each_named_data_set_and_says_where(quick_writer, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["generated", "quick"])
    generated.main()
    assert capsys.readouterr().out == f"quick: {generated.ensure('quick')}\n"
