"""RAF-DB with drawn faces: the authors' `basic`, aligned and original images with boxes, and Kaggle's folders of the aligned ones."""

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from fer_helpers.datasets import rafdb
from fer_helpers.drawn.faces import Face, draw_faces, jpeg

IMAGES = {"train": 1_050, "test": 280}
SHARES = {"neutral": 0.2, "happy": 0.32, "sad": 0.16, "surprise": 0.12, "fear": 0.05, "disgust": 0.07, "anger": 0.08}
LABELS = {expression: label for label, expression in rafdb.CODES.items()}
ALIGNED_SIDE = 100
ORIGINAL_SIDE = 200
DRAWN_SIDE = 64  # enlarged afterwards: photographs from the web are no sharper


def write(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`basic/Image/{aligned,original}`, `basic/EmoLabel/list_patition_label.txt` and `basic/Annotation/boundingbox`."""
    basic, lines = folder / "basic", []
    for name in ("Image/aligned", "Image/original", "EmoLabel", "Annotation/boundingbox"):
        (basic / name).mkdir(parents=True)
    for name, face, aligned in _aligned_faces(images, seed):
        original, (left, top) = _in_larger_picture(aligned, np.random.default_rng([seed, 8, len(lines)]))
        (basic / f"Image/aligned/{name}_aligned.jpg").write_bytes(jpeg(aligned))
        (basic / f"Image/original/{name}.jpg").write_bytes(jpeg(original))
        box = f"{left:.6f} {top:.6f} {left + ALIGNED_SIDE:.6f} {top + ALIGNED_SIDE:.6f} \n"
        (basic / f"Annotation/boundingbox/{name}_boundingbox.txt").write_text(box)
        lines.append(f"{name}.jpg {LABELS[face.expression]}\n")
    (basic / "EmoLabel" / rafdb.LABEL_FILE).write_text("".join(lines))


def write_kaggle(folder: Path, images: dict[str, int] = IMAGES, seed: int = 0) -> None:
    """`DATASET/{train,test}/{1..7}/train_00001_aligned.jpg`, `train_labels.csv` and `test_labels.csv`."""
    rows: dict[str, list] = {split: [["image", "label"]] for split in images}
    for name, face, aligned in _aligned_faces(images, seed):
        label = LABELS[face.expression]
        file = folder / "DATASET" / face.split / label / f"{name}_aligned.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg(aligned))
        rows[face.split].append([file.name, label])
    for split, lines in rows.items():
        with open(folder / rafdb.CSV_FILES[split], "w", newline="", encoding="utf-8") as stream:
            csv.writer(stream, lineterminator="\n").writerows(lines)


def _aligned_faces(images: dict[str, int], seed: int) -> Iterator[tuple[str, Face, np.ndarray]]:
    """Each face with its name, as in `train_00001`, and its aligned picture, RGB."""
    number = dict.fromkeys(images, 0)
    for face in draw_faces(
        images, SHARES, seed + 10, DRAWN_SIDE, channels=3
    ):  # + 10: other people than those of the other data sets
        number[face.split] += 1
        yield (
            f"{face.split}_{number[face.split]:05d}",
            face,
            cv2.resize(face.pixels, (ALIGNED_SIDE, ALIGNED_SIDE), interpolation=cv2.INTER_CUBIC),
        )


def _in_larger_picture(face: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, tuple[int, int]]:
    """The face somewhere in a larger picture, RGB, and the x and y of its upper left corner."""
    blobs = random.integers(40, 216, (4, 4, 3), dtype="uint8")
    picture = cv2.resize(blobs, (ORIGINAL_SIDE, ORIGINAL_SIDE), interpolation=cv2.INTER_CUBIC)
    left, top = random.integers(0, ORIGINAL_SIDE - ALIGNED_SIDE + 1, 2).tolist()
    picture[top : top + ALIGNED_SIDE, left : left + ALIGNED_SIDE] = face
    return picture, (left, top)
