"""FER-2013 with drawn faces: the loader reads it as the real one, and the planted flaws are there."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_helpers.datasets import fer2013
from fer_helpers.drawn import fer2013 as generated
from fer_helpers.drawn.faces import draw_faces

IMAGES = {"train": 200, "val": 60, "test": 60}
FLAWS = generated.Flaws(
    copies_within_train=6,
    copies_in_val=4,
    copies_in_test=5,
    copies_under_another_label=2,
    brighter_copies_in_test=3,
    images_of_one_grey=2,
)


@pytest.fixture(scope="module")
def fer2013_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "fer2013"
    generated.write(folder, IMAGES, seed=5, flaws=FLAWS)
    return folder


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "fer2013_csv"
    generated.write_csv(folder, IMAGES, seed=5)
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
    generated.write(tmp_path / "clean", {"train": 30, "val": 10, "test": 10}, flaws=nothing)
    assert max(hashes(list((tmp_path / "clean").rglob("*.jpg"))).values()) == 1


def test_more_copies_than_training_images_is_an_error_that_says_so(tmp_path):
    with pytest.raises(ValueError, match="20 copies need as many training images"):
        generated.write(tmp_path / "small", {"train": 15, "val": 10, "test": 10}, flaws=FLAWS)


def test_csv_rows_hold_the_drawn_pixels_under_the_codes_of_2013(csv_folder):
    header, *rows = rows_of(csv_folder / "fer2013.csv")
    codes = {"anger": "0", "disgust": "1", "fear": "2", "happy": "3", "sad": "4", "surprise": "5", "neutral": "6"}
    usages = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}
    assert header == ["emotion", "pixels", "Usage"]
    faces = list(draw_faces(IMAGES, generated.SHARES, 5))
    assert [(code, usage) for code, _, usage in rows] == [
        (codes[face.expression], usages[face.split]) for face in faces
    ]
    first = np.array(rows[0][1].split(" "), dtype=int)
    np.testing.assert_array_equal(first.reshape(48, 48), faces[0].pixels[..., 0])


def test_the_loader_reads_the_drawn_csv_as_the_real_one(csv_folder):
    dataset = fer2013.load(csv_folder)
    assert dataset.table["split"].value_counts().to_dict() == {"train": 200, "val": 60, "test": 60}
    assert len(dataset.skipped) == 0
