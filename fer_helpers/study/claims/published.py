"""What the authors of the data sets and of EfficientNet published, to hold the papers' statements against."""

from typing import NamedTuple

from fer_helpers.datasets import affectnet, ckplus, fer2013, jaffe, rafdb

NAMES = {"affectnet": "AffectNet", "ckplus": "CK+", "dfew": "DFEW", "fer2013": "FER-2013", "ferplus": "FER+"}
NAMES |= {"imagenet": "ImageNet", "jaffe": "JAFFE", "rafdb": "RAF-DB", "voc": "PASCAL VOC"}
UNDER_AGREEMENT = ("affectnet", "ckplus", "dfew", "jaffe", "rafdb")  # given to those who sign, or on request

EVERINGHAM = "Everingham et al. 2015, IJCV 111"
GOODFELLOW = "Goodfellow et al. 2013, arXiv 1307.0414"
LI = "Li, Deng and Du 2017, CVPR, and their release"
LUCEY = "Lucey et al. 2010, CVPR Workshops"
LYONS = "Lyons et al. 1998, Automatic Face and Gesture Recognition"
MOLLAHOSSEINI = "Mollahosseini, Hasani and Mahoor 2017, arXiv 1708.03985, and their release"
TAN = "Tan and Le 2019, arXiv 1905.11946"


class Figures(NamedTuple):
    """Figures that the authors of a data set give for one thing: each with what it counts, and where they give it."""

    values: dict[int, str]
    source: str
    released_by: str = ""


SEQUENCES, LABELLED = ckplus.PUBLISHED["sequences"], ckplus.PUBLISHED["labelled sequences"]
SUBJECTS, RAFDB = ckplus.PUBLISHED["subjects"], rafdb.PUBLISHED_COUNTS
FER2013 = fer2013.PUBLISHED_COUNTS | {"val+test": 7_178, "all": 35_887}
EIGHT, ELEVEN = affectnet.PUBLISHED_COUNTS[8], affectnet.PUBLISHED_COUNTS[11]
AFFECTNET = {sum(ELEVEN.values()): "images labelled by hand", sum(EIGHT.values()): "images of eight expressions"}
AFFECTNET |= {EIGHT["train"]: "training images of eight expressions"}

# By data set, metric and split, as claims.csv calls them.
FIGURES: dict[tuple[str, str, str], Figures] = {
    **{("fer2013", "images", split): Figures({number: "images"}, GOODFELLOW) for split, number in FER2013.items()},
    ("fer2013", "classes", ""): Figures({7: "expressions"}, GOODFELLOW),
    ("fer2013", "image_size", ""): Figures({48: "pixels as the side of its images"}, GOODFELLOW),
    ("fer2013", "release_year", ""): Figures({2013: "as the year of its challenge"}, GOODFELLOW),
    **{("rafdb", "images", split): Figures({number: "images"}, LI) for split, number in RAFDB.items()},
    ("rafdb", "images", "all"): Figures({29_672: "images", sum(RAFDB.values()): "of one basic expression"}, LI),
    ("rafdb", "image_size", ""): Figures({100: "pixels as the side of its aligned faces"}, LI),
    ("ckplus", "sequences", ""): Figures({SEQUENCES: "sequences", LABELLED: "labelled sequences"}, LUCEY),
    ("ckplus", "subjects", ""): Figures({SUBJECTS: "subjects"}, LUCEY),
    ("ckplus", "classes", ""): Figures({7: "expressions", 8: "expressions, with the neutral first frames"}, LUCEY),
    ("ckplus", "image_width", ""): Figures({640: "pixels as the width of its images"}, LUCEY),
    ("ckplus", "image_height", ""): Figures({490: "pixels as the height of most", 480: "as that of others"}, LUCEY),
    ("jaffe", "images", "all"): Figures({jaffe.PUBLISHED["images"]: "images"}, LYONS),
    ("jaffe", "subjects", ""): Figures({jaffe.PUBLISHED["subjects"]: "subjects"}, LYONS),
    ("jaffe", "classes", ""): Figures({7: "expressions"}, LYONS),
    ("affectnet", "images", "all"): Figures(AFFECTNET, MOLLAHOSSEINI),
    ("affectnet", "classes", ""): Figures({8: "expressions"}, MOLLAHOSSEINI),
    ("affectnet", "categories", ""): Figures({11: "categories"}, MOLLAHOSSEINI),
    ("affectnet", "release_year", ""): Figures({2017: "as its year"}, MOLLAHOSSEINI, "the University of Denver"),
    ("voc", "release_year", ""): Figures(dict.fromkeys(range(2005, 2013), "a challenge"), EVERINGHAM),
}

# Counted by the column Usage of FER-2013, and in RAF-DB's list of partitions.
PRIVATE_TEST = {"anger": 491, "disgust": 55, "fear": 528, "happy": 879, "sad": 594, "surprise": 416, "neutral": 626}
PUBLIC_TEST = {"anger": 467, "disgust": 56, "fear": 496, "happy": 895, "sad": 653, "surprise": 415, "neutral": 607}
BOTH_TESTS = {expression: number + PUBLIC_TEST[expression] for expression, number in PRIVATE_TEST.items()}
RAFDB_TEST = {"anger": 162, "disgust": 160, "fear": 74, "happy": 1_185, "sad": 478, "surprise": 329, "neutral": 680}
CK_FRAMES = {name: 3 * n for name, n in ckplus.PUBLISHED_SEQUENCES.items()} | {"neutral": LABELLED}
# Images of each class in a set of so many.
CLASS_IMAGES: dict[tuple[str, int], dict[str, int]] = {
    ("fer2013", 3_589): PRIVATE_TEST,
    ("fer2013", 7_178): BOTH_TESTS,
    ("rafdb", 3_068): RAFDB_TEST,
    ("jaffe", 213): jaffe.PUBLISHED_IMAGES,
    ("ckplus", LABELLED): ckplus.PUBLISHED_SEQUENCES,
    ("ckplus", 4 * LABELLED): CK_FRAMES,
}

# What a network is usually tested on, by name; images of each expression, or how many there are.
PARTS = {"PrivateTest": PRIVATE_TEST, "PublicTest": PUBLIC_TEST, "PublicTest and PrivateTest": BOTH_TESTS}
TEST_SETS: dict[str, dict[str, dict[str, int] | int]] = {
    "affectnet": {"the validation set, on which the field tests": 4_000},
    "fer2013": PARTS,
    "imagenet": {"the validation set": 50_000},
    "rafdb": {"the test set": RAFDB_TEST},
}
# What a network that was trained on another set may be tested on besides: all that there is.
WHOLE_SETS: dict[str, dict[str, int]] = {
    "fer2013": {"the whole": 35_887},
    "jaffe": {"the whole": 213},
    "ckplus": {"one frame of every sequence": SEQUENCES}
    | {
        f"{frames} of the labelled sequences{without}{neutral}": taken * number + more
        for frames, taken in (("one frame", 1), ("three frames", 3))
        for number, without in ((LABELLED, ""), (LABELLED - 18, " but contempt's"))
        for more, neutral in ((0, ""), (number, " and a neutral one"), (LABELLED, " and a neutral one of all"))
    },
}

# The proceedings (PMLR 97) and the first versions on arXiv say 84.4 % top-1 and 97.1 % top-5, the last 84.3 %.
IMAGENET_SCORES = {("B7", "accuracy"): ("0.844", "0.843"), ("B7", "accuracy_top5"): ("0.971",)}
# Sec. 3.3 and equation 3: coefficient and exponent of depth, width and resolution, each coefficient at least 1.
SCALING = {"alpha": (1.2, 1), "beta": (1.1, 2), "gamma": (1.15, 2)}
# Table 2: millions of parameters, and billions of FLOPs for one image, with which time is taken to grow.
COSTS = {"size_ratio": {"B7": 66, "GPipe": 557, "ResNet-50": 26}, "speed_ratio": {"B7": 37, "ResNet-50": 4.1}}
COSTED = {"size_ratio": "million parameters; 8.4 times smaller is B7 than GPipe"}  # as table 2 says
COSTED |= {"speed_ratio": "billion FLOPs; 6.1 times faster is B7 than GPipe"}  # as table 4 says
