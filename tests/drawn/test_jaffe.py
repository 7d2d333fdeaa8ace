"""JAFFE with drawn faces: the published numbers, the names and the format of the real files."""

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from fer_helpers.datasets import jaffe
from fer_helpers.drawn import jaffe as generated


@pytest.fixture(scope="module")
def jaffe_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "jaffe"
    generated.write(folder, seed=5)
    return folder


def test_the_loader_reads_drawn_jaffe_as_the_real_one(jaffe_folder):
    dataset = jaffe.load(jaffe_folder)
    assert Counter(dataset.table["expression"]) == {
        "anger": 30,
        "disgust": 29,
        "fear": 32,
        "happy": 31,
        "neutral": 30,
        "sad": 31,
        "surprise": 30,
    }
    assert dataset.notes == ()
    assert len(dataset.skipped) == 0


def test_each_of_ten_people_shows_each_expression_two_to_four_times(jaffe_folder):
    table = jaffe.load(jaffe_folder).table
    assert set(table["subject"]) == {"KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM"}
    times = table.groupby(["subject", "expression"]).size()
    assert len(times) == 70
    assert set(times) == {2, 3, 4}


def test_pictures_are_numbered_through(jaffe_folder):
    numbers = sorted(int(file.name.split(".")[2]) for file in jaffe_folder.glob("*.tiff"))
    assert numbers == list(range(1, 214))
    assert (jaffe_folder / "KA.AN1.1.tiff").exists()


def test_pictures_are_grey_tiffs_of_256_pixels_and_all_differ(jaffe_folder):
    files = list(jaffe_folder.iterdir())
    assert {(image.format, image.mode, image.size) for image in map(Image.open, files)} == {("TIFF", "L", (256, 256))}
    assert len({file.read_bytes() for file in files}) == 213
