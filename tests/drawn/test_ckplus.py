"""CK+ with drawn faces: both layouts are read as the real ones, and frames of one sequence look alike, as those of a film do."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_helpers.datasets import ckplus
from fer_helpers.drawn import ckplus as generated
from fer_helpers.images import read_images

PEOPLE = 8
EXPRESSIONS = {"happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"}


@pytest.fixture(scope="module")
def authors_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ckplus"
    generated.write(folder, PEOPLE, seed=5)
    return folder


@pytest.fixture(scope="module")
def ck48_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "ckplus48"
    generated.write_ck48(folder, PEOPLE, seed=5)
    return folder


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean difference of two pictures in grey levels."""
    return float(np.abs(first.astype(float) - second).mean())


def test_authors_layout_has_its_file_names_and_codes(authors_folder):
    frames = sorted(file.relative_to(authors_folder).as_posix() for file in authors_folder.rglob("*.png"))
    assert frames[:2] == [
        "cohn-kanade-images/S001/001/S001_001_00000001.png",
        "cohn-kanade-images/S001/001/S001_001_00000002.png",
    ]
    emotions = sorted(file.relative_to(authors_folder).as_posix() for file in authors_folder.rglob("*_emotion.txt"))
    assert emotions[0] == "Emotion/S001/001/S001_001_00000006_emotion.txt"
    codes = {(authors_folder / name).read_text() for name in emotions}
    assert codes == {f"   {code}.0000000e+00\n" for code in range(8)}


def test_authors_frames_are_square_grey_pngs(authors_folder):
    seen = {(image.format, image.mode, image.size) for image in map(Image.open, authors_folder.rglob("*.png"))}
    assert seen == {("PNG", "L", (160, 160))}


def test_the_loader_reads_each_person_four_labelled_sequences_of_different_expressions(authors_folder):
    table = ckplus.load(authors_folder, last_frames=3, first_as_neutral=True).table
    assert len(table) == PEOPLE * 4 * (3 + 1)
    assert set(table["expression"]) == EXPRESSIONS | {"neutral"}
    labelled = table[table["expression"] != "neutral"].drop_duplicates("sequence")
    assert Counter(labelled["subject"]) == {f"S{number:03d}": 4 for number in range(1, PEOPLE + 1)}
    assert not labelled.duplicated(["subject", "expression"]).any()


def test_neutral_frames_are_the_first_of_labelled_sequences_and_none_of_an_unlabelled_one(authors_folder):
    dataset = ckplus.load(authors_folder, first_as_neutral=True)
    neutral = dataset.table[dataset.table["expression"] == "neutral"]
    assert set(neutral["frame"]) == {1}
    assert neutral["sequence"].is_unique
    unlabelled = ["S002/005", "S004/005", "S006/005", "S008/005"]
    assert dataset.skipped["image"].tolist() == unlabelled
    assert not set(neutral["sequence"]) & {name.replace("/", "_") for name in unlabelled}


def test_a_frame_is_nearer_to_its_own_sequence_than_to_any_other(authors_folder):
    images = read_images(ckplus.load(authors_folder).table, side=160)
    last = images.table.groupby("sequence").tail(1).index.to_numpy()
    others = np.setdiff1d(np.arange(len(images.table)), last)
    sequences = images.table["sequence"].to_numpy()
    nearest = [
        others[np.argmin([distance(images.pixels[place], images.pixels[other]) for other in others])] for place in last
    ]
    assert (sequences[nearest] == sequences[last]).all()


def test_within_a_sequence_the_last_frame_differs_from_the_first_more_than_from_the_one_before(authors_folder):
    table = ckplus.load(authors_folder, last_frames=6).table
    pixels = read_images(table, side=160).pixels.reshape(-1, 6, 160, 160)
    assert all(distance(frames[5], frames[4]) < distance(frames[5], frames[0]) for frames in pixels)
    assert all(frames[0].tobytes() != frames[1].tobytes() for frames in pixels)


def test_kaggles_layout_has_the_last_three_frames_of_the_same_labelled_sequences(authors_folder, ck48_folder):
    columns = ["expression", "subject", "sequence", "frame"]
    from_kaggle, from_authors = (
        ckplus.load(folder).table[columns].sort_values(["sequence", "frame"])
        for folder in (ck48_folder, authors_folder)
    )
    assert from_kaggle.values.tolist() == from_authors.values.tolist()
    folders = {file.parent.relative_to(ck48_folder).as_posix() for file in ck48_folder.rglob("*.png")}
    assert folders == {
        f"CK+48/{name}" for name in ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
    }


def test_kaggles_images_are_grey_pngs_of_48_pixels(ck48_folder):
    seen = {(image.format, image.mode, image.size) for image in map(Image.open, ck48_folder.rglob("*.png"))}
    assert seen == {("PNG", "L", (48, 48))}


def test_faces_are_the_same_again_from_the_same_seed_and_others_from_another(tmp_path):
    for name, seed in (("first", 1), ("again", 1), ("other", 2)):
        generated.write_ck48(tmp_path / name, people=1, seed=seed)
    first, again, other = (
        [file.read_bytes() for file in sorted((tmp_path / name).rglob("*.png"))] for name in ("first", "again", "other")
    )
    assert first == again
    assert not set(first) & set(other)
