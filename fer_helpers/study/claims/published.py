"""What the authors of data sets and of EfficientNet published (`data/published.csv`), to hold the papers against."""

import math
from collections import defaultdict, namedtuple
from decimal import Decimal

from fer_helpers.study.claims.printed import of_project, refuse

TAN = "Tan and Le 2019, arXiv 1905.11946"  # of EfficientNet: table 1, the rule of scaling, and their code
# For each stage of B0: blocks, channels that leave them, expansion of the channels within them.
STAGES = ((1, 16, 1), (2, 24, 6), (2, 40, 6), (3, 80, 6), (3, 112, 6), (4, 192, 6), (1, 320, 6))
STEM = 32  # channels of B0
SCALES = {"B0": (1.0, 1.0), "B1": (1.0, 1.1), "B2": (1.1, 1.2), "B3": (1.2, 1.4)}  # factors on channels and blocks
SCALES |= {"B4": (1.4, 1.8), "B5": (1.6, 2.2), "B6": (1.8, 2.6), "B7": (2.0, 3.1)}
SIDES = (224, 240, 260, 300, 380, 456, 528, 600)  # pixels as the side of the images that B0 to B7 were made for

WORDS = ("name", "released_by", "under_agreement")  # metrics that are no numbers
Figures = namedtuple("Figures", "values source")  # numbers with what each counts, and where they are given

with of_project("published.csv", ("dataset", "metric", "split", "of", "value", "what", "source")) as (_file, _rows):
    _right = _rows["value"].str.fullmatch(r"\d+(\.\d+)?") | _rows["metric"].isin(WORDS)
    _whole = _rows["value"].str.isdigit() | ~_rows["metric"].str.endswith("_set")
    refuse(_file, _rows, [("value", _right & _whole, "is not a number, or not a whole one of images")])
    if _lost := set(WORDS) - set(_rows["metric"]):
        raise ValueError(f"{_file} has no row of metric {', '.join(sorted(_lost))}")
_of = {metric: rows.set_index("dataset")["what"].to_dict() for metric, rows in _rows.groupby("metric")}
NAMES, RELEASED_BY = _of["name"], _of["released_by"]
UNDER_AGREEMENT = set(_of["under_agreement"])  # data sets that are given to those who sign, or on request

# By data set, metric, split and network, as claims.csv calls them; of EfficientNet by what stands last in a claim's id.
FIGURES: dict[tuple[str, str, str, str], Figures] = {}
# Images of each expression, or of "" where that is unknown, by name of the set: of each `test_set` of a data set, on
# which a network is usually tested, or `whole_set`, for a network that was trained on another one.
SETS: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
for _row in _rows[_rows["value"] != ""].itertuples():
    if _row.metric.endswith("_set"):
        SETS[_row.metric, _row.dataset][_row.split][_row.of] = int(_row.value)
    else:
        _figures = FIGURES.setdefault((_row.dataset, _row.metric, _row.split, _row.of), Figures({}, _row.source))
        _figures.values[Decimal(_row.value)] = _row.what

# Images of each class in a set of so many; of two sets of one size, the first.
CLASS_IMAGES: dict[tuple[str, int], dict[str, int]] = {}
for (_, _dataset), _sets in SETS.items():
    for _by_class in [of for of in _sets.values() if "" not in of]:
        CLASS_IMAGES.setdefault((_dataset, sum(_by_class.values())), _by_class)


def images(dataset: str, split: str) -> set[Decimal]:
    """How many images a split of a data set was published to have; nothing if that is unknown."""
    return set(FIGURES.get((dataset, "images", split, ""), Figures({}, "")).values)


def channels(base: int, width: float) -> int:
    """B0's channels times a factor, to the nearest multiple of 8 that is not less than nine tenths of it."""
    nearest = int(base * width + 4) // 8 * 8
    return nearest + 8 if nearest < 0.9 * base * width else nearest


def stages(variant: str) -> list[tuple[list[int], int]]:
    """The stages of `B0` to `B7`: the channels within each of their MBConv blocks, and those that leave them."""
    width, depth = SCALES[variant]
    found, before = [], channels(STEM, width)
    for repeats, base, expansion in STAGES:
        out = channels(base, width)
        found.append(([before * expansion] + [out * expansion] * (math.ceil(repeats * depth) - 1), out))
        before = out
    return found
