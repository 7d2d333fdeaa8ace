"""FER+ with drawn faces: the loader reads it as the real one, and its taggers agree less on weak expressions."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fer_helpers.datasets import ferplus
from fer_helpers.drawn import ferplus as generated
from fer_helpers.drawn.faces import draw_faces


@pytest.fixture(scope="module")
def ferplus_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ferplus"
    generated.write(folder, {"train": 420, "val": 100, "test": 100}, seed=5)
    return folder


def rows_of(file: Path) -> list[list[str]]:
    with open(file, encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_ferplus_has_the_header_of_the_real_file_and_ten_votes_a_row(ferplus_folder):
    header, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    assert (
        ",".join(header) == "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    )
    assert len(rows) == 420 + 100 + 100
    assert {sum(map(int, row[2:])) for row in rows} == {10}


def test_ferplus_names_each_image_after_its_row_and_leaves_some_rows_without(ferplus_folder):
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    unnamed = sum(not row[1] for row in rows)
    assert 0 < unnamed < 20
    assert {row[-1] for row in rows if not row[1]} == {
        "10"
    }  # left out were, as in the real file, rows that all voted no face
    assert all(row[1] in ("", f"fer{number:07d}.png") for number, row in enumerate(rows))
    assert len(list(ferplus_folder.rglob("*.png"))) == 620 - unnamed


@pytest.mark.parametrize(
    ("usage", "folder"), [("Training", "FER2013Train"), ("PublicTest", "FER2013Valid"), ("PrivateTest", "FER2013Test")]
)
def test_each_ferplus_folder_has_its_images_and_the_same_votes_in_label_csv(ferplus_folder, usage, folder):
    expected = [
        [name, "(0, 0, 48, 48)", *votes]
        for row_usage, name, *votes in rows_of(ferplus_folder / "fer2013new.csv")
        if row_usage == usage and name
    ]
    assert rows_of(ferplus_folder / "data" / folder / "label.csv") == expected
    assert sorted(file.name for file in (ferplus_folder / "data" / folder).glob("*.png")) == [
        name for name, *_ in expected
    ]


def test_some_ferplus_rows_have_no_majority_some_are_no_face_and_some_are_unknown(ferplus_folder):
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    votes = np.array([row[2:] for row in rows], dtype=int)
    assert 0 < np.sum(votes[:, :8].max(axis=1) <= 5) < 0.2 * len(votes)
    assert 0 < np.sum(votes[:, 9] == 10) < 20
    assert np.sum(votes[:, 8] > 0) > 0


def test_taggers_agree_less_on_weak_expressions(ferplus_folder):
    order = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")  # of the columns
    _, *rows = rows_of(ferplus_folder / "fer2013new.csv")
    faces = draw_faces({"train": 420}, generated.SHARES, 5 + 1)
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
