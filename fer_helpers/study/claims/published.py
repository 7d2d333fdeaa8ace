"""What the authors of data sets and of EfficientNet published (`data/published.csv`), to hold the papers against."""

from collections import defaultdict, namedtuple
from decimal import Decimal

import pandas as pd

from fer_helpers import paths

TAN = "Tan and Le 2019, arXiv 1905.11946"


Figures = namedtuple("Figures", "values source")  # numbers with what each counts, and where they are given

_rows = pd.read_csv(paths.PROJECT / "data" / "published.csv", dtype=str, keep_default_na=False)
_of = {metric: rows.set_index("dataset")["what"].to_dict() for metric, rows in _rows.groupby("metric")}
NAMES, RELEASED_BY = _of["name"], _of["released_by"]
UNDER_AGREEMENT = set(_of["under_agreement"])  # data sets that are given to those who sign, or on request

# By data set, metric, split and network, as claims.csv calls them; of EfficientNet by what stands last in a claim's id.
FIGURES: dict[tuple[str, str, str, str], Figures] = {}
# What a network is usually tested on, by data set and name: images of each expression, or of "" where that is unknown;
# whole sets are for a network that was trained on another one.
TEST_SETS: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
WHOLE_SETS: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
for _row in _rows[_rows["value"] != ""].itertuples():
    if _row.metric.endswith("_set"):
        _sets = TEST_SETS if _row.metric == "test_set" else WHOLE_SETS
        _sets[_row.dataset][_row.split][_row.of] = int(_row.value)
    else:
        _figures = FIGURES.setdefault((_row.dataset, _row.metric, _row.split, _row.of), Figures({}, _row.source))
        _figures.values[Decimal(_row.value)] = _row.what

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
