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
# Images of each expression, or of "" where that is unknown, by data set and name of the set: of a `test_set`, on which
# a network is usually tested, or a `whole_set`, for a network that was trained on another one.
SETS: dict[str, dict[str, dict[str, dict[str, int]]]] = {
    kind: defaultdict(lambda: defaultdict(dict)) for kind in ("test_set", "whole_set")
}
for _row in _rows[_rows["value"] != ""].itertuples():
    if _row.metric in SETS:
        SETS[_row.metric][_row.dataset][_row.split][_row.of] = int(_row.value)
    else:
        _figures = FIGURES.setdefault((_row.dataset, _row.metric, _row.split, _row.of), Figures({}, _row.source))
        _figures.values[Decimal(_row.value)] = _row.what

# Images of each class in a set of so many; of two sets of one size, the first.
CLASS_IMAGES: dict[tuple[str, int], dict[str, int]] = {}
for _dataset, _named in [pair for sets in SETS.values() for pair in sets.items()]:
    for _by_class in [of for of in _named.values() if "" not in of]:
        CLASS_IMAGES.setdefault((_dataset, sum(_by_class.values())), _by_class)


def images(dataset: str, split: str) -> set[Decimal]:
    """How many images a split of a data set was published to have; nothing if that is unknown."""
    return set(FIGURES.get((dataset, "images", split, ""), Figures({}, "")).values)
