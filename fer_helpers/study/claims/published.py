"""What the authors of data sets and of EfficientNet published (`data/published.csv`), to hold the papers against."""

from collections import defaultdict
from decimal import Decimal
from typing import NamedTuple

import pandas as pd

from fer_helpers import paths

NAMES = {"affectnet": "AffectNet", "ckplus": "CK+", "dfew": "DFEW", "fer2013": "FER-2013", "ferplus": "FER+"}
NAMES |= {
    "imagenet": "ImageNet",
    "jaffe": "JAFFE",
    "rafdb": "RAF-DB",
    "voc": "PASCAL VOC",
    "efficientnet": "EfficientNet",
}
UNDER_AGREEMENT = ("affectnet", "ckplus", "dfew", "jaffe", "rafdb")  # given to those who sign, or on request
TAN = "Tan and Le 2019, arXiv 1905.11946"


class Figures(NamedTuple):
    """Figures that are given for one thing: each with what it counts, and where they are given."""

    values: dict[Decimal, str]
    source: str


_rows = pd.read_csv(paths.PROJECT / "data" / "published.csv", dtype=str, keep_default_na=False)
RELEASED_BY = _rows[_rows["metric"] == "released_by"].set_index("dataset")["what"].to_dict()

# By data set, metric, split and network, as claims.csv calls them; of EfficientNet by what stands last in a claim's id.
FIGURES: dict[tuple[str, str, str, str], Figures] = {
    keys: Figures({Decimal(row.value): row.what for row in rows.itertuples()}, rows["source"].iloc[0])
    for keys, rows in _rows[_rows["value"] != ""].groupby(["dataset", "metric", "split", "of"], sort=False)
    if not keys[1].endswith("_set")
}

# What a network is usually tested on, by data set and name: images of each expression, or of "" where that is unknown;
# whole sets are for a network that was trained on another one.
TEST_SETS: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
WHOLE_SETS: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
for (_dataset, _metric, _name), _of in _rows[_rows["metric"].str.endswith("_set")].groupby(
    ["dataset", "metric", "split"], sort=False
):
    _by_class = dict(zip(_of["of"], _of["value"].astype(int), strict=True))
    (TEST_SETS if _metric == "test_set" else WHOLE_SETS)[_dataset][_name] = _by_class

# Images of each class in a set of so many.
CLASS_IMAGES: dict[tuple[str, int], dict[str, int]] = {
    (dataset, sum(of.values())): of
    for sets in (WHOLE_SETS, TEST_SETS)
    for dataset, named in sets.items()
    for of in reversed(named.values())
    if "" not in of
}


def images(dataset: str, split: str) -> set[Decimal]:
    """How many images a split of a data set was published to have; nothing if that is unknown."""
    return set(FIGURES.get((dataset, "images", split, ""), Figures({}, "")).values)
