"""RAF-DB with drawn faces: the loader reads both layouts as the real ones, and the boxes are where the faces are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fer_helpers.datasets import rafdb
from fer_helpers.drawn import rafdb as generated
from fer_helpers.faces import CropSettings, boxed_faces
from fer_helpers.images import read_images

IMAGES = {"train": 100, "test": 60}


@pytest.fixture(scope="module")
def authors_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "rafdb"
    generated.write(folder, IMAGES, seed=5)
    return folder


@pytest.fixture(scope="module")
def kaggle_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "rafdb_kaggle"
    generated.write_kaggle(folder, IMAGES, seed=5)
    return folder


def labels_of(table) -> dict[str, str]:
    return {
        name.rpartition("/")[2]: expression
        for name, expression in zip(table["image"], table["expression"], strict=True)
    }


def test_aligned_images_are_colour_jpegs_of_100_pixels_and_originals_of_200(authors_folder):
    sizes = {
        (image.format, image.mode, image.size)
        for image in map(Image.open, (authors_folder / "basic/Image/aligned").iterdir())
    }
    assert sizes == {("JPEG", "RGB", (100, 100))}
    assert {Image.open(file).size for file in (authors_folder / "basic/Image/original").iterdir()} == {(200, 200)}


def test_the_loader_reads_both_layouts_as_the_real_ones_and_alike(authors_folder, kaggle_folder):
    authors, kaggle = rafdb.load(authors_folder), rafdb.load(kaggle_folder)
    for dataset in (authors, kaggle):
        assert dataset.table["split"].value_counts().to_dict() == IMAGES
        assert len(dataset.skipped) == 0
        assert len(dataset.notes) == 1  # that these are fewer than published
    assert labels_of(authors.table) == labels_of(kaggle.table)


def test_what_stands_at_the_box_of_an_original_image_is_its_aligned_image(authors_folder):
    originals, aligned = rafdb.load(authors_folder, images="original").table, rafdb.load(authors_folder).table
    faces = boxed_faces(originals, CropSettings(size=100, detector="box", align=False, channels=3))[:20].astype(float)
    expected = read_images(aligned, 100, channels=3).pixels[:20]
    assert np.abs(faces - expected).mean() < 4  # each was compressed by itself
    assert len(set(originals["box"])) > 100


def test_every_picture_shows_something_and_no_two_are_alike(authors_folder):
    pixels = read_images(rafdb.load(authors_folder).table, 100, channels=3).pixels
    assert len({image.tobytes() for image in pixels}) == len(pixels)
    assert min(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).std() for image in pixels) > 8
