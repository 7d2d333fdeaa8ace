"""FER-2013 with drawn faces, and with its flaws planted in small numbers, for the audit to find.

Planted are copies within and across splits, copies under another label, near copies, and images of one grey; `generated.json` beside
the data counts them.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_helpers.datasets import fer2013
from fer_helpers.drawn.faces import draw_faces, jpeg

IMAGES = {"train": 2_100, "val": 420, "test": 420}
SHARES = {"neutral": 0.17, "happy": 0.25, "sad": 0.165, "surprise": 0.11, "fear": 0.14, "disgust": 0.03, "anger": 0.135}
FOLDERS = {
    "neutral": "neutral",
    "happy": "happy",
    "sad": "sad",
    "surprise": "surprise",
    "fear": "fear",
    "disgust": "disgust",
    "anger": "angry",
}
USAGES = {split: usage for usage, split in fer2013.USAGE_SPLITS.items()}


@dataclass(frozen=True)
class Flaws:
    """How many images are planted of each kind; no image serves twice."""

    copies_within_train: int = 6
    copies_in_val: int = 4
    copies_in_test: int = 5
    copies_under_another_label: int = 2
    brighter_copies_in_test: int = 3
    images_of_one_grey: int = 2


def write(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0, flaws: Flaws = Flaws()) -> None:
    """Kaggle's folders: `train/<class>/Training_<id>.jpg`, `test/<class>/PublicTest_<id>.jpg` and `PrivateTest_<id>.jpg`.

    Args:
        folder: does not exist yet.
        images: how many of each split are drawn; copies come on top.
        seed: of everything.
        flaws: what is planted, counted in `generated.json`.

    Raises:
        ValueError: there are fewer training images than copies to plant.
    """
    encoded = [
        (face.split, face.expression, jpeg(face.pixels), face.pixels) for face in draw_faces(images, SHARES, seed)
    ]
    encoded += _flawed(encoded, flaws, np.random.default_rng([seed, 9]))
    for number, (split, expression, content, _) in enumerate(encoded):
        name = f"{USAGES[split]}_{number:08d}.jpg"
        file = folder / ("train" if split == "train" else "test") / FOLDERS[expression] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "generated.json").write_text(
        json.dumps({"seed": seed, "images": images, "flaws": asdict(flaws)}, indent=2)
    )


def _flawed(encoded: list[tuple], flaws: Flaws, random: np.random.Generator) -> list[tuple]:
    """The images to add so that the data set has these flaws."""
    in_train = [place for place, entry in enumerate(encoded) if entry[0] == "train"]
    copied = sum(asdict(flaws).values()) - flaws.images_of_one_grey
    if copied > len(in_train):
        raise ValueError(
            f"{copied} copies need as many training images, and only {len(in_train)} are drawn: draw more or pass fewer flaws"
        )
    originals = iter(random.permutation(in_train))

    def copies(count: int, split: str, change: Callable[[tuple], tuple] = lambda entry: entry[1:]) -> list[tuple]:
        return [(split, *change(encoded[next(originals)])) for _ in range(count)]

    def relabelled(entry: tuple) -> tuple:
        return ("sad" if entry[1] != "sad" else "neutral", *entry[2:])

    def brighter(entry: tuple) -> tuple:
        pixels = cv2.add(entry[3][..., 0], 12)[..., None]
        return entry[1], jpeg(pixels), pixels

    greys = [
        np.full((fer2013.SIDE, fer2013.SIDE, 1), 10 + 20 * number, "uint8")
        for number in range(flaws.images_of_one_grey)
    ]
    return [
        *copies(flaws.copies_within_train, "train"),
        *copies(flaws.copies_in_val, "val"),
        *copies(flaws.copies_in_test, "test"),
        *copies(flaws.copies_under_another_label, "train", relabelled),
        *copies(flaws.brighter_copies_in_test, "test", brighter),
        *(("train", "neutral", jpeg(grey), grey) for grey in greys),
    ]


def write_csv(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """The file of the 2013 challenge, `fer2013.csv`: emotion, pixels, Usage."""
    folder.mkdir(parents=True)
    with open(folder / "fer2013.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        for face in draw_faces(images, SHARES, seed):
            code = fer2013.CSV_EXPRESSIONS.index(face.expression)
            rows.writerow([code, " ".join(map(str, face.pixels.ravel())), USAGES[face.split]])
