"""Data sets of drawn faces, in the on-disk layout of each real one, so that the real loaders read them.

    python -m fer_helpers.datasets.generated fer2013 ferplus     # draws them into data/cache/generated, if they are not there

People differ between train, val and test. FER-2013's flaws are planted in small numbers, for the audit to find: copies within and
across splits, copies under another label, near copies, images of one grey. `generated.json` beside the data counts them.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fer_helpers import paths
from fer_helpers.datasets import drawing, fer2013, ferplus
from fer_helpers.datasets.table import SPLITS

IMAGES_A_PERSON = 8
LEAST_INTENSITY = 0.45
TAGGERS = 10

FER2013_IMAGES = {"train": 2_100, "val": 420, "test": 420}
FER2013_SHARES = {"neutral": 0.17, "happy": 0.25, "sad": 0.165, "surprise": 0.11, "fear": 0.14, "disgust": 0.03, "anger": 0.135}
FER2013_FOLDERS = {"neutral": "neutral", "happy": "happy", "sad": "sad", "surprise": "surprise", "fear": "fear", "disgust": "disgust", "anger": "angry"}
FER2013_USAGES = {split: usage for usage, split in fer2013.USAGE_SPLITS.items()}
FERPLUS_IMAGES = {"train": 1_400, "val": 280, "test": 280}
FERPLUS_SHARES = {"neutral": 0.3, "happy": 0.25, "sad": 0.11, "surprise": 0.12, "fear": 0.05, "disgust": 0.04, "anger": 0.09, "contempt": 0.04}
FERPLUS_USAGES = {ferplus.FOLDER_SPLITS[folder]: (usage, folder) for usage, folder in ferplus.USAGE_FOLDERS.items()}


@dataclass(frozen=True)
class Flaws:
    """How many images are planted of each kind; no image serves twice."""

    copies_within_train: int = 6
    copies_in_val: int = 4
    copies_in_test: int = 5
    copies_under_another_label: int = 2
    brighter_copies_in_test: int = 3
    images_of_one_grey: int = 2


@dataclass(frozen=True)
class Face:
    """One drawn face."""

    split: str
    person: int
    expression: str
    intensity: float
    pixels: np.ndarray


def draw_faces(images: dict[str, int], shares: dict[str, float], seed: int, size: int = 48, channels: int = 1) -> Iterator[Face]:
    """Faces of each split, in the order of `images`; no person is in two splits.

    Args:
        images: how many, by split.
        shares: of each expression; they add up to 1.
        seed: of people, expressions and pictures; a face depends on it and its own place alone.
        size, channels: of each picture.
    """
    with tqdm(total=sum(images.values()), desc="drawing faces", unit="face", mininterval=2) as bar:
        for split, count in images.items():
            key = [seed, SPLITS.index(split)]
            expressions = _expressions(count, shares, np.random.default_rng([*key, 0]))
            people = max(1, count // IMAGES_A_PERSON)
            for place, expression in enumerate(expressions):
                identity = drawing.draw_identity(np.random.default_rng([*key, 1, place % people]))
                random = np.random.default_rng([*key, 2, place])
                intensity = random.uniform(LEAST_INTENSITY, 1)
                yield Face(split, place % people, expression, intensity, drawing.draw_face(identity, expression, intensity, size, random, channels))
                bar.update()


def _expressions(count: int, shares: dict[str, float], random: np.random.Generator) -> list[str]:
    """So many expressions in random order, each as often as its share says, rounded, and at least once."""
    ends = np.round(np.cumsum(list(shares.values())) * count).astype(int)
    images = dict(zip(shares, np.diff(ends, prepend=0), strict=True))
    listed = [name for name, number in images.items() for _ in range(max(1, number))]
    return list(random.permutation(listed))


# ------------------------------------------------------------------------------------------------------------ FER-2013


def write_fer2013(folder: Path, images: dict[str, int] = FER2013_IMAGES, seed: int = 0, flaws: Flaws = Flaws()) -> None:
    """Kaggle's folders: `train/<class>/Training_<id>.jpg`, `test/<class>/PublicTest_<id>.jpg` and `PrivateTest_<id>.jpg`.

    Args:
        folder: does not exist yet.
        images: how many of each split are drawn; copies come on top.
        seed: of everything.
        flaws: what is planted, counted in `generated.json`.

    Raises:
        ValueError: there are fewer training images than copies to plant.
    """
    encoded = [(face.split, face.expression, _jpeg(face.pixels), face.pixels) for face in draw_faces(images, FER2013_SHARES, seed)]
    encoded += _flawed(encoded, flaws, np.random.default_rng([seed, 9]))
    for number, (split, expression, content, _) in enumerate(encoded):
        name = f"{FER2013_USAGES[split]}_{number:08d}.jpg"
        file = folder / ("train" if split == "train" else "test") / FER2013_FOLDERS[expression] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "generated.json").write_text(json.dumps({"seed": seed, "images": images, "flaws": asdict(flaws)}, indent=2))


def _flawed(encoded: list[tuple], flaws: Flaws, random: np.random.Generator) -> list[tuple]:
    """The images to add so that the data set has these flaws."""
    in_train = [place for place, entry in enumerate(encoded) if entry[0] == "train"]
    copied = sum(asdict(flaws).values()) - flaws.images_of_one_grey
    if copied > len(in_train):
        raise ValueError(f"{copied} copies need as many training images, and only {len(in_train)} are drawn: draw more or pass fewer flaws")
    originals = iter(random.permutation(in_train))

    def copies(count: int, split: str, change: Callable[[tuple], tuple] = lambda entry: entry[1:]) -> list[tuple]:
        return [(split, *change(encoded[next(originals)])) for _ in range(count)]

    def relabelled(entry: tuple) -> tuple:
        return ("sad" if entry[1] != "sad" else "neutral", *entry[2:])

    def brighter(entry: tuple) -> tuple:
        pixels = cv2.add(entry[3][..., 0], 12)[..., None]
        return entry[1], _jpeg(pixels), pixels

    greys = [np.full((fer2013.SIDE, fer2013.SIDE, 1), 10 + 20 * number, "uint8") for number in range(flaws.images_of_one_grey)]
    return [
        *copies(flaws.copies_within_train, "train"),
        *copies(flaws.copies_in_val, "val"),
        *copies(flaws.copies_in_test, "test"),
        *copies(flaws.copies_under_another_label, "train", relabelled),
        *copies(flaws.brighter_copies_in_test, "test", brighter),
        *(("train", "neutral", _jpeg(grey), grey) for grey in greys),
    ]


def write_fer2013_csv(folder: Path, images: dict[str, int] = FER2013_IMAGES, seed: int = 0) -> None:
    """The file of the 2013 challenge, `fer2013.csv`: emotion, pixels, Usage."""
    folder.mkdir(parents=True)
    with open(folder / "fer2013.csv", "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["emotion", "pixels", "Usage"])
        for face in draw_faces(images, FER2013_SHARES, seed):
            code = fer2013.CSV_EXPRESSIONS.index(face.expression)
            rows.writerow([code, " ".join(map(str, face.pixels.ravel())), FER2013_USAGES[face.split]])


def _jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


# ---------------------------------------------------------------------------------------------------------------- FER+


def write_ferplus(folder: Path, images: dict[str, int] = FERPLUS_IMAGES, seed: int = 0) -> None:
    """`fer2013new.csv` and `data/FER2013{Train,Valid,Test}/fer0000000.png`, each folder with its `label.csv`.

    The votes agree less where the expression is weak. In every 200 rows two are voted no face by all; one of them has no image, as in the
    real file, whose authors left out just the images that nobody took for a face.
    """
    header, lines, labels = ["Usage", "Image name", *ferplus.VOTE_COLUMNS], [], {}
    for number, face in enumerate(draw_faces(images, FERPLUS_SHARES, seed + 1)):
        random = np.random.default_rng([seed, 8, number])
        usage, split_folder = FERPLUS_USAGES[face.split]
        votes = _votes(face, random) if number % 200 not in (100, 150) else [0] * 9 + [TAGGERS]
        name = f"fer{number:07d}.png" if number % 200 != 100 else ""
        lines.append([usage, name, *votes])
        if name:
            target = folder / "data" / split_folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(cv2.imencode(".png", face.pixels)[1].tobytes())
            labels.setdefault(target.parent, []).append([name, "(0, 0, 48, 48)", *votes])
    _write_rows(folder / "fer2013new.csv", [header, *lines])
    for label_folder, rows in labels.items():
        _write_rows(label_folder / "label.csv", rows)


def _votes(face: Face, random: np.random.Generator) -> list[int]:
    """Ten taggers' votes: the true expression with a chance that grows with the intensity, else neutral, another one, or unknown."""
    columns = [*ferplus.CLASSES, "unknown", "not a face"]
    chances = np.full(len(columns), 0.08 / (len(columns) - 1))
    chances[-1] = 0.0
    sure = 0.95 if face.expression == "neutral" else 0.35 + 0.6 * face.intensity
    chances[columns.index("neutral")] += max(0.0, 0.9 - sure)
    chances[columns.index(face.expression)] += sure
    drawn = dict(zip(columns, random.multinomial(TAGGERS, chances / chances.sum()), strict=True))
    canonical = [name.removeprefix("votes_").replace("not_a_face", "not a face") for name in ferplus.VOTES]
    return [int(drawn[name]) for name in canonical]


def _write_rows(file: Path, rows: list[list]) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


# --------------------------------------------------------------------------------------------------------------- cache

WRITERS: dict[str, Callable[[Path], None]] = {"fer2013": write_fer2013, "ferplus": write_ferplus, "fer2013_csv": write_fer2013_csv}


def ensure(name: str) -> Path:
    """The folder of a drawn data set, drawn if it is not there; it is redrawn when the code that draws changes.

    Raises:
        ValueError: nothing of that name can be drawn.
    """
    if name not in WRITERS:
        raise ValueError(f"no data set called {name!r} can be drawn: there are {', '.join(WRITERS)}")
    sources = (Path(drawing.__file__).read_bytes(), Path(__file__).read_bytes())
    folder = paths.cache_dir() / "generated" / hashlib.sha256(b"".join(sources)).hexdigest()[:12] / name
    if not folder.exists():
        try:
            with paths.written_whole(folder) as partial:
                WRITERS[name](partial)
        except OSError:
            if not folder.exists():  # else another process was done with it first
                raise
    return folder


def main() -> None:
    """Draw data sets from the command line."""
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.datasets.generated", description="Draw data sets of faces, in the layouts of real ones.")
    parser.add_argument("names", nargs="+", choices=sorted(WRITERS), metavar="NAME", help=", ".join(WRITERS))
    for name in parser.parse_args().names:
        print(f"{name}: {ensure(name)}")


if __name__ == "__main__":
    main()
