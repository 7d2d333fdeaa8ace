"""AffectNet with drawn faces: the loader reads each layout as the real one, and faces stand at their boxes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_helpers.datasets import affectnet
from fer_helpers.drawn import affectnet as generated
from fer_helpers.drawn.faces import draw_faces
from fer_helpers.faces import CropSettings, box_cut, boxed_faces
from fer_helpers.images import unreadable

IMAGES = {"train": 160, "test": 80}
AT_BOXES = CropSettings(size=96, detector="box", align=False, channels=3)


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "affectnet"
    generated.write(folder, IMAGES, seed=5)
    return folder


def test_csv_copy_holds_all_eleven_categories_in_pictures_larger_than_the_face(csv_folder):
    table = affectnet.load(csv_folder, categories=11).table
    assert table["split"].value_counts().to_dict() == IMAGES
    assert set(table["expression"]) == set(affectnet.CATEGORIES)
    assert 0.15 < (table["label"] > 7).mean() < 0.25
    for path, (x, y, width, height) in zip(table["path"], table["box"], strict=True):
        with Image.open(path) as image:
            assert image.mode == "RGB" and (width, height) == (96, 96)
            assert 0 <= x <= image.width - 96 and 0 <= y <= image.height - 96 and image.width >= 144


def test_by_default_the_eight_expressions_are_read_and_the_others_counted(csv_folder):
    dataset = affectnet.load(csv_folder)
    assert set(dataset.table["expression"]) == set(affectnet.CLASSES)
    assert len(dataset.table) + len(dataset.skipped) == 240
    assert dataset.skipped["reason"].str.startswith("category ").all()


def test_what_stands_at_the_box_is_the_drawn_face(csv_folder):
    table = affectnet.load(csv_folder).table
    assert len(unreadable(table, box_cut(AT_BOXES))) == 0
    drawn = [
        face
        for place, face in enumerate(draw_faces(IMAGES, generated.SHARES, 5 + 11, 64, 3))
        if place % 20 not in generated.OTHERS
    ]
    mean_of_expression = {
        name: np.mean([face.pixels.mean() for face in drawn if face.expression == name]) for name in affectnet.CLASSES
    }
    pixels = boxed_faces(table, AT_BOXES)[:]
    for name, mean in mean_of_expression.items():
        assert pixels[(table["expression"] == name).to_numpy()].mean() == pytest.approx(mean, abs=1)


def test_affect_fits_the_expression(csv_folder):
    means = affectnet.load(csv_folder).table.groupby("expression")[["valence", "arousal"]].mean()
    assert means.loc["happy", "valence"] > 0.3 > means.loc["neutral", "valence"] > -0.1 > means.loc["sad", "valence"]
    assert means.loc["surprise", "arousal"] > 0.3 > means.loc["neutral", "arousal"] > means.loc["sad", "arousal"]
    assert (
        affectnet.load(csv_folder, categories=11).table.query("label > 7")[["valence", "arousal"]].isna().all(axis=None)
    )


def test_numpy_copy_is_read_as_the_real_one(tmp_path):
    generated.write_npy(tmp_path / "drawn", {"train": 40, "test": 40}, seed=5)
    dataset = affectnet.load(tmp_path / "drawn")
    assert dataset.table["split"].value_counts().to_dict() == {"train": 40, "test": 40}
    assert dataset.table[["valence", "arousal"]].notna().all(axis=None)
    assert len(dataset.skipped) == 0


def test_noamsegals_copy_disagrees_with_its_folders_once_in_twenty(tmp_path):
    generated.write_noamsegal(tmp_path / "drawn", images=80, seed=5)
    dataset = affectnet.load(tmp_path / "drawn")
    assert len(dataset.table) == 80
    assert (dataset.table["folder_expression"] != dataset.table["csv_expression"]).sum() == 4
    assert dataset.notes[0].startswith("4 of 80 images (5.0%) have another label in labels.csv than their folder")
    assert {Image.open(path).size for path in dataset.table["path"]} == {(96, 96)}


def test_copy_in_train_and_test_folders_is_read_as_the_real_one(tmp_path):
    generated.write_folders(tmp_path / "drawn", {"train": 40, "test": 40}, seed=5)
    dataset = affectnet.load(tmp_path / "drawn")
    assert dataset.table["split"].value_counts().to_dict() == {"train": 40, "test": 40}
    assert set(dataset.table["expression"]) == set(affectnet.CLASSES)
