"""The real loaders read each drawn data set, its flaws are there, and unseen people's expressions can be learned."""

from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn import linear_model, model_selection, pipeline, preprocessing

from fer_helpers import datasets, drawn
from fer_helpers.drawn import layouts

SIZES = {  # images of each split; skipped files, expressions, people
    "fer2013": ({"train": 800 + 6 + 2 + 2 + 1, "val": 160 + 4, "test": 160 + 5 + 3}, 0, 7, 0),
    "rafdb": ({"train": 800, "test": 200}, 0, 7, 0),
    "affectnet": ({"train": 719, "test": 180}, 101, 8, 0),  # those of further categories
    "jaffe": ({}, 0, 7, 10),
    "ckplus": ({}, 10, 8, 21),
}


@cache
def loaded(name: str) -> datasets.FaceDataset:
    return datasets.load(name, "generated", **({"first_as_neutral": True} if name == "ckplus" else {}))


def pictures(table: pd.DataFrame) -> list[np.ndarray | None]:
    return [cv2.imread(path, cv2.IMREAD_GRAYSCALE) for path in table["path"]]


@pytest.mark.parametrize("name", SIZES)
def test_the_loader_reads_all_images_as_those_of_the_real_set(name):
    table, skipped = loaded(name).table, loaded(name).skipped
    found = (len(skipped), table["expression"].nunique(), table["subject"].nunique())
    assert (table["split"].value_counts().to_dict(), *found) == SIZES[name]
    assert loaded(name).generated and (name != "jaffe" or loaded(name).notes == ())  # as many as published


def cut(picture: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    x, y, width, height = map(round, box)
    return picture[y : y + height, x : x + width]


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_the_same_bytes_are_drawn_twice(name):
    for path, content in islice(layouts.LAYOUTS[name](), 40):
        assert (drawn.ensure(name) / path).read_bytes() == content


def test_fer2013_has_copies_within_and_across_splits_brighter_ones_and_what_shows_nothing():
    table = loaded("fer2013").table
    table = table.assign(content=[Path(path).read_bytes() for path in table["path"]], pixels=pictures(table))
    copies = table.groupby("content").agg({"split": lambda splits: "-".join(sorted(splits)), "expression": "nunique"})
    pairs = copies["split"].value_counts().filter(like="-").to_dict()
    assert pairs == {"train-train": 8, "test-train": 5, "train-val": 4}
    assert (copies["expression"] > 1).sum() == 2 and table["pixels"].isna().sum() == 1
    table = table.dropna(subset="pixels")
    pixels = np.array(table["pixels"].tolist(), float).reshape(-1, 48 * 48)
    assert (pixels.std(axis=1) < 1).sum() == 2
    brightness, test = pixels.mean(axis=1), (table["split"] == "test").to_numpy()
    alike = cdist(pixels[test] - brightness[test, None], pixels[~test] - brightness[~test, None]) / 48 < 3
    assert (alike & (np.subtract.outer(brightness[test], brightness[~test]) > 8)).any(axis=1).sum() == 3


def test_ckplus_people_show_four_expressions_and_a_peak_is_nearest_to_a_frame_of_its_own_sequence():
    table = loaded("ckplus").table
    peaks, earlier = table[table["frame"] == 5], table[table["frame"] == 3]
    assert set(peaks.groupby("subject")["expression"].nunique()) == {4}
    distances = cdist(*(np.reshape(pictures(frames), (84, -1)).astype(float) for frames in (peaks, earlier)))
    assert distances.argmin(axis=1).tolist() == list(range(84))


@pytest.mark.parametrize("name", ["fer2013", "jaffe", "affectnet"])
def test_a_linear_classifier_learns_the_expressions_of_people_it_has_not_seen(name):
    table = loaded(name).table.assign(pixels=pictures(loaded(name).table)).dropna(subset="pixels")
    box = {"jaffe": (74, 58, 108, 130), "fer2013": (0, 0, 48, 48)}.get(name)
    boxes = [box] * len(table) if box else table["box"]
    hog = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    features = [hog.compute(cv2.resize(cut(*face), (48, 48))) for face in zip(table["pixels"], boxes, strict=True)]
    logistic = linear_model.LogisticRegression(C=0.01, max_iter=500)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), logistic)
    given = {"groups": table["subject" if name == "jaffe" else "split"], "cv": model_selection.GroupKFold(2)}
    accuracy = model_selection.cross_val_score(model, np.array(features), table["label"], **given).mean()
    assert accuracy > 0.6 > 2.5 * table["label"].value_counts(normalize=True).max()
