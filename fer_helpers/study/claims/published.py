"""What the authors of the data sets and of EfficientNet published, to hold the papers' statements against."""

from dataclasses import dataclass, field

from fer_helpers.datasets import affectnet, ckplus, fer2013, jaffe, rafdb

NAMES = {
    "affectnet": "AffectNet",
    "ckplus": "CK+",
    "dfew": "DFEW",
    "fer2013": "FER-2013",
    "imagenet": "ImageNet",
    "jaffe": "JAFFE",
    "rafdb": "RAF-DB",
}

GOODFELLOW = "Goodfellow et al. 2013, arXiv 1307.0414"
LI = "Li, Deng and Du 2017, CVPR, and their release"
LUCEY = "Lucey et al. 2010, CVPR Workshops"
LYONS = "Lyons et al. 1998, Automatic Face and Gesture Recognition"
MOLLAHOSSEINI = "Mollahosseini, Hasani and Mahoor 2017, arXiv 1708.03985, and their release"
TAN = "Tan and Le 2019, arXiv 1905.11946"


@dataclass(frozen=True)
class Figures:
    """Figures that the authors of a data set give for one thing.

    Attributes:
        values: each figure, with what it counts.
        source: where they give it.
    """

    values: dict[int, str]
    source: str


FER2013_IMAGES = fer2013.PUBLISHED_COUNTS | {"val+test": 7_178, "all": 35_887}
AFFECTNET_IMAGES = {
    sum(affectnet.PUBLISHED_COUNTS[11].values()): "images labelled by hand in eleven categories",
    sum(affectnet.PUBLISHED_COUNTS[8].values()): "images of the eight expressions",
    affectnet.PUBLISHED_COUNTS[8]["train"]: "training images of the eight expressions",
}
SEQUENCES, LABELLED = ckplus.PUBLISHED["sequences"], ckplus.PUBLISHED["labelled sequences"]

# By data set, metric and split, as claims.csv calls them.
FIGURES: dict[tuple[str, str, str], Figures] = {
    **{
        ("fer2013", "images", split): Figures({number: "images" if split == "all" else f"{split} images"}, GOODFELLOW)
        for split, number in FER2013_IMAGES.items()
    },
    ("fer2013", "classes", ""): Figures({7: "expressions"}, GOODFELLOW),
    ("fer2013", "image_size", ""): Figures({48: "pixels as the side of its images"}, GOODFELLOW),
    **{
        ("rafdb", "images", split): Figures({number: f"{split} images"}, LI)
        for split, number in rafdb.PUBLISHED_COUNTS.items()
    },
    ("rafdb", "images", "all"): Figures(
        {29_672: "images", sum(rafdb.PUBLISHED_COUNTS.values()): "images with one basic expression"}, LI
    ),
    ("rafdb", "image_size", ""): Figures({100: "pixels as the side of its aligned faces"}, LI),
    ("ckplus", "sequences", ""): Figures({SEQUENCES: "sequences", LABELLED: "labelled sequences"}, LUCEY),
    ("ckplus", "subjects", ""): Figures({ckplus.PUBLISHED["subjects"]: "subjects"}, LUCEY),
    ("ckplus", "classes", ""): Figures({7: "expressions", 8: "expressions, with the neutral first frames"}, LUCEY),
    ("ckplus", "image_width", ""): Figures({640: "pixels as the width of its images"}, LUCEY),
    ("ckplus", "image_height", ""): Figures(
        {490: "pixels as the height of its images", 480: "pixels as the height of other images"}, LUCEY
    ),
    ("jaffe", "images", "all"): Figures({jaffe.PUBLISHED["images"]: "images"}, LYONS),
    ("jaffe", "subjects", ""): Figures({jaffe.PUBLISHED["subjects"]: "subjects"}, LYONS),
    ("jaffe", "classes", ""): Figures({7: "expressions"}, LYONS),
    ("affectnet", "images", "all"): Figures(AFFECTNET_IMAGES, MOLLAHOSSEINI),
    ("affectnet", "classes", ""): Figures({8: "expressions"}, MOLLAHOSSEINI),
    ("affectnet", "categories", ""): Figures({11: "categories"}, MOLLAHOSSEINI),
}


@dataclass(frozen=True)
class ImageSet:
    """Images that a network may be tested on.

    Attributes:
        name: which they are, in words.
        images: how many.
        by_class: how many of each expression, where known.
    """

    name: str
    images: int
    by_class: dict[str, int] = field(default_factory=dict)


# Counted by the column Usage of FER-2013, and in RAF-DB's list of partitions.
PRIVATE_TEST = {"anger": 491, "disgust": 55, "fear": 528, "happy": 879, "sad": 594, "surprise": 416, "neutral": 626}
PUBLIC_TEST = {"anger": 467, "disgust": 56, "fear": 496, "happy": 895, "sad": 653, "surprise": 415, "neutral": 607}
BOTH_TESTS = {expression: number + PUBLIC_TEST[expression] for expression, number in PRIVATE_TEST.items()}
RAFDB_TEST = {"anger": 162, "disgust": 160, "fear": 74, "happy": 1_185, "sad": 478, "surprise": 329, "neutral": 680}

# Images of each class in a set of so many.
CLASS_IMAGES: dict[tuple[str, int], dict[str, int]] = {
    ("fer2013", 7_178): BOTH_TESTS,
    ("rafdb", 3_068): RAFDB_TEST,
    ("jaffe", 213): jaffe.PUBLISHED_IMAGES,
    ("ckplus", 1_308): {expression: 3 * number for expression, number in ckplus.PUBLISHED_SEQUENCES.items()}
    | {"neutral": LABELLED},
}

# What a network is usually tested on: a set's own test images, or, where it was trained on another set, all that there is.
TEST_SETS: dict[str, tuple[ImageSet, ...]] = {
    "affectnet": (ImageSet("the validation set, on which the field tests", 4_000),),
    "fer2013": (
        ImageSet("PrivateTest", 3_589, PRIVATE_TEST),
        ImageSet("PublicTest", 3_589, PUBLIC_TEST),
        ImageSet("PublicTest and PrivateTest", 7_178, BOTH_TESTS),
    ),
    "imagenet": (ImageSet("the validation set", 50_000),),
    "rafdb": (ImageSet("the test set", 3_068, RAFDB_TEST),),
}

NOT_CONTEMPT = LABELLED - ckplus.PUBLISHED_SEQUENCES["contempt"]
WHOLE_SETS: dict[str, tuple[ImageSet, ...]] = {
    "fer2013": (ImageSet("the whole", 35_887),),
    "jaffe": (ImageSet("the whole", 213),),
    "ckplus": (
        ImageSet("one frame of every sequence", SEQUENCES),
        ImageSet("one frame of the labelled sequences", LABELLED),
        ImageSet("one frame of the labelled sequences without contempt", NOT_CONTEMPT),
        ImageSet("one frame and a neutral one of the labelled sequences", 2 * LABELLED),
        ImageSet(
            "one frame of the labelled sequences without contempt, a neutral one of all labelled",
            NOT_CONTEMPT + LABELLED,
        ),
        ImageSet("one frame and a neutral one of the labelled sequences without contempt", 2 * NOT_CONTEMPT),
        ImageSet("three frames of the labelled sequences", 3 * LABELLED),
        ImageSet("three frames of the labelled sequences without contempt", 3 * NOT_CONTEMPT),
        ImageSet("three frames and a neutral one of the labelled sequences", 4 * LABELLED),
        ImageSet(
            "three frames of the labelled sequences without contempt, a neutral one of all labelled",
            3 * NOT_CONTEMPT + LABELLED,
        ),
        ImageSet("three frames and a neutral one of the labelled sequences without contempt", 4 * NOT_CONTEMPT),
    ),
}

# Tan and Le 2019. The proceedings (PMLR 97) and the first versions on arXiv say 84.4 % top-1 and 97.1 % top-5, the last 84.3 %.
IMAGENET_SCORES = {("B7", "accuracy"): ("0.844", "0.843"), ("B7", "accuracy_top5"): ("0.971",)}
SCALING_COEFFICIENTS = {
    "alpha": 1.2,
    "beta": 1.1,
    "gamma": 1.15,
}  # sec. 3.3: of depth, width and resolution, each at least 1
SCALING_EXPONENTS = {"alpha": 1, "beta": 2, "gamma": 2}  # equation 3


@dataclass(frozen=True)
class Cost:
    """Size and work of a network: millions of parameters, billions of FLOPs for one image (Tan and Le 2019, table 2)."""

    parameters: float
    flops: float


COSTS = {"B7": Cost(66, 37), "GPipe": Cost(557, float("nan")), "ResNet-50": Cost(26, 4.1)}
FASTER_THAN_GPIPE = "6.1"  # table 4: B7's latency on one CPU core
SMALLER_THAN_GPIPE = "8.4"  # table 2
