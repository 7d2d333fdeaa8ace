"""FER+ with drawn faces, whose ten taggers agree less where the expression is weak."""

import csv
from pathlib import Path

import numpy as np

from fer_helpers.datasets import ferplus
from fer_helpers.drawn.faces import Face, draw_faces, png

TAGGERS = 10
IMAGES = {"train": 1_400, "val": 280, "test": 280}
SHARES = {
    "neutral": 0.3,
    "happy": 0.25,
    "sad": 0.11,
    "surprise": 0.12,
    "fear": 0.05,
    "disgust": 0.04,
    "anger": 0.09,
    "contempt": 0.04,
}
USAGES = {ferplus.FOLDER_SPLITS[folder]: (usage, folder) for usage, folder in ferplus.USAGE_FOLDERS.items()}


def write(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`fer2013new.csv` and `data/FER2013{Train,Valid,Test}/fer0000000.png`, each folder with its `label.csv`.

    The votes agree less where the expression is weak. In every 200 rows two are voted no face by all; one of them has no image, as in the
    real file, whose authors left out just the images that nobody took for a face.
    """
    header, lines, labels = ["Usage", "Image name", *ferplus.VOTE_COLUMNS], [], {}
    for number, face in enumerate(draw_faces(images, SHARES, seed + 1)):
        random = np.random.default_rng([seed, 8, number])
        usage, split_folder = USAGES[face.split]
        votes = _votes(face, random) if number % 200 not in (100, 150) else [0] * 9 + [TAGGERS]
        name = f"fer{number:07d}.png" if number % 200 != 100 else ""
        lines.append([usage, name, *votes])
        if name:
            target = folder / "data" / split_folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(png(face.pixels))
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
