"""JAFFE with drawn faces: as many pictures of each expression as published, by the names of the real subjects."""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fer_helpers.datasets import jaffe
from fer_helpers.datasets.table import canonical_expression
from fer_helpers.drawn import drawing

SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
CODES = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")
SIDE = 256
LEAST_INTENSITY = 0.6


def write(folder: Path, seed: int = 0) -> None:
    """`KA.AN1.1.tiff` and so on: 213 grey TIFF files of 256x256 pixels, three or so of each expression of each of ten people.

    Args:
        folder: does not exist yet.
        seed: of people and pictures.
    """
    folder.mkdir(parents=True)
    for number, (place, code, take) in enumerate(
        tqdm(_pictures(), desc="drawing faces", unit="face", mininterval=2), start=1
    ):
        identity = drawing.draw_identity(np.random.default_rng([seed, 0, place]))
        random = np.random.default_rng([seed, 1, number])
        intensity = random.uniform(LEAST_INTENSITY, 1)
        pixels = drawing.draw_face(
            identity, canonical_expression(code, "CODES"), intensity, SIDE, random, 1, "portrait"
        )
        (folder / f"{SUBJECTS[place]}.{code}{take}.{number}.tiff").write_bytes(
            cv2.imencode(".tiff", pixels)[1].tobytes()
        )


def _pictures() -> list[tuple[int, str, int]]:
    """(subject, expression, which picture of it) of each picture, in the order of their numbers; they add up to the published counts."""
    pictures = []
    for place in range(len(SUBJECTS)):
        for code in CODES:
            each, rest = divmod(jaffe.PUBLISHED_IMAGES[canonical_expression(code, "CODES")], len(SUBJECTS))
            pictures += [(place, code, take) for take in range(1, each + (place < rest) + 1)]
    return pictures
