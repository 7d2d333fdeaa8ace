"""AffectNet with drawn faces, in each of the layouts in which it goes round.

Three further categories are imitated: `none` and `uncertain` are drawn faces whose label is taken away, `non-face` shows no face.
"""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_helpers.datasets import affectnet
from fer_helpers.drawn.faces import Face, draw_faces, jpeg

IMAGES = {"train": 1_400, "test": 240}
SHARES = {
    "neutral": 0.22,
    "happy": 0.32,
    "sad": 0.11,
    "surprise": 0.09,
    "fear": 0.06,
    "disgust": 0.05,
    "anger": 0.1,
    "contempt": 0.05,
}
# Every twenty images, the places of those that name no expression: a fifth, where the real set has almost a third.
OTHERS = {3: "non-face", 7: "none", 13: "uncertain", 17: "non-face"}
DRAWN_SIDE = 64  # enlarged afterwards: photographs from the web are no sharper
FACE_SIDE = 96
PICTURE_SIDES = (144, 177)  # from, and to below
# Valence and arousal at full intensity, after where people place these words on the circumplex (Russell 1980); AffectNet's own rule keeps near them.
AFFECT = {
    "neutral": (0.0, 0.0),
    "happy": (0.8, 0.3),
    "sad": (-0.8, -0.4),
    "surprise": (0.2, 0.8),
    "fear": (-0.4, 0.85),
    "disgust": (-0.8, 0.4),
    "anger": (-0.6, 0.8),
    "contempt": (-0.7, 0.5),
}
UNKNOWN = (-2, -2)
RELABELLED_EVERY = 20  # of noamsegal's images, one has another label in the CSV than its folder
FILES = {split: name for name, split in affectnet.CSV_SPLITS.items()}
NPY_FOLDERS = {split: folder for folder, split in affectnet.NPY_SPLITS.items()}


def write(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`training.csv`, `validation.csv` (without a header, as in some copies) and `Manually_Annotated_Images/<number>/<hash>.jpg`.

    All eleven categories are in it. Pictures are larger than the face, which stands at its box.
    """
    rows: dict[str, list] = {"train": [affectnet.CSV_COLUMNS], "test": []}
    for place, face in enumerate(_faces(images, seed)):
        random = np.random.default_rng([seed, 8, place])
        category = OTHERS.get(place % 20, face.expression)
        picture, box = _picture(_enlarged(face), random, with_face=category != "non-face")
        content = jpeg(picture)
        path = f"{1 + place % 40}/{hashlib.sha224(content).hexdigest()}.jpg"
        file = folder / affectnet.IMAGE_FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        affect = _affect(face, random) if category == face.expression else UNKNOWN
        rows[face.split].append([path, *box, _landmarks(box), affectnet.CATEGORIES.index(category), *affect])
    for split, lines in rows.items():
        _write_rows(folder / FILES[split], lines)


def write_npy(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`{train_set,val_set}/images/<id>.jpg` and `annotations/<id>_{exp,val,aro,lnd}.npy`, of the eight expressions."""
    for place, face in enumerate(_faces(images, seed)):
        top = folder / NPY_FOLDERS[face.split]
        for name in ("images", "annotations"):
            (top / name).mkdir(parents=True, exist_ok=True)
        (top / "images" / f"{place}.jpg").write_bytes(jpeg(_enlarged(face)))
        valence, arousal = _affect(face, np.random.default_rng([seed, 8, place]))
        landmarks = _landmark_points((0, 0, FACE_SIDE, FACE_SIDE)).ravel()
        annotations = {
            "exp": str(affectnet.CATEGORIES.index(face.expression)),
            "val": str(valence),
            "aro": str(arousal),
            "lnd": landmarks,
        }
        for name, value in annotations.items():
            np.save(top / "annotations" / f"{place}_{name}.npy", value)


def write_noamsegal(folder: Path, images: int = sum(IMAGES.values()), seed: int = 0) -> None:
    """Eight class folders of 96 pixels and `labels.csv` (`,pth,label,relFCs`), which gives one image in twenty another label."""
    rows = [["", "pth", "label", "relFCs"]]
    for place, face in enumerate(_faces({"train": images}, seed)):
        path = f"{face.expression}/image{place:07d}.jpg"
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(_enlarged(face)))
        random = np.random.default_rng([seed, 8, place])
        label = face.expression
        if place % RELABELLED_EVERY == 0:
            label = str(random.choice([name for name in affectnet.CLASSES if name != face.expression]))
        rows.append([place, path, label, f"{random.uniform(0.6, 0.9):.6f}"])
    _write_rows(folder / "labels.csv", rows)


def write_folders(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`Train/<class>/*` and `Test/<class>/*`."""
    for place, face in enumerate(_faces(images, seed)):
        file = folder / face.split.capitalize() / face.expression / f"image{place:07d}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(_enlarged(face)))


def _faces(images: dict[str, int], seed: int) -> Iterator[Face]:
    return draw_faces(
        images, SHARES, seed + 11, DRAWN_SIDE, channels=3
    )  # + 11: other people than those of the other data sets


def _enlarged(face: Face) -> np.ndarray:
    return cv2.resize(face.pixels, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_CUBIC)


def _picture(
    face: np.ndarray, random: np.random.Generator, with_face: bool
) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A larger picture, RGB, with the face somewhere in it or only its box (x, y, width, height)."""
    height, width = random.integers(*PICTURE_SIDES, 2).tolist()
    blobs = random.integers(40, 216, (4, 4, 3), dtype="uint8")
    picture = cv2.resize(blobs, (width, height), interpolation=cv2.INTER_CUBIC)
    x, y = int(random.integers(0, width - FACE_SIDE + 1)), int(random.integers(0, height - FACE_SIDE + 1))
    if with_face:
        picture[y : y + FACE_SIDE, x : x + FACE_SIDE] = face
    return picture, (x, y, FACE_SIDE, FACE_SIDE)


def _affect(face: Face, random: np.random.Generator) -> tuple[float, float]:
    """Valence and arousal of a face, each from -1 to 1."""
    values = face.intensity * np.array(AFFECT[face.expression]) + random.normal(0, 0.08, 2)
    valence, arousal = np.clip(values, -1, 1).round(6).tolist()
    return valence, arousal


def _landmark_points(box: tuple[int, int, int, int]) -> np.ndarray:
    """68 points (68, 2) on an ellipse in the box: in their place and number like the real ones, which no loader reads."""
    x, y, width, height = box
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.column_stack(
        [x + width / 2 + 0.4 * width * np.cos(angles), y + height / 2 + 0.4 * height * np.sin(angles)]
    )


def _landmarks(box: tuple[int, int, int, int]) -> str:
    return ";".join(f"{value:.2f}" for value in _landmark_points(box).ravel())


def _write_rows(file: Path, rows: list) -> None:
    with open(file, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
