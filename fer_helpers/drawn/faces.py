"""Drawn faces by split, as the writers of generated data sets lay them out."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from fer_helpers.datasets.table import SPLITS
from fer_helpers.drawn import drawing

IMAGES_A_PERSON = 8
LEAST_INTENSITY = 0.45


@dataclass(frozen=True)
class Face:
    """One drawn face."""

    split: str
    person: int
    expression: str
    intensity: float
    pixels: np.ndarray


def draw_faces(
    images: dict[str, int], shares: dict[str, float], seed: int, size: int = 48, channels: int = 1
) -> Iterator[Face]:
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
                yield Face(
                    split,
                    place % people,
                    expression,
                    intensity,
                    drawing.draw_face(identity, expression, intensity, size, random, channels),
                )
                bar.update()


def _expressions(count: int, shares: dict[str, float], random: np.random.Generator) -> list[str]:
    """So many expressions in random order, each as often as its share says, rounded, and at least once."""
    ends = np.round(np.cumsum(list(shares.values())) * count).astype(int)
    images = dict(zip(shares, np.diff(ends, prepend=0), strict=True))
    listed = [name for name, number in images.items() for _ in range(max(1, number))]
    return list(random.permutation(listed))


def jpeg(pixels: np.ndarray) -> bytes:
    """An image (height, width, 1 or 3), RGB if it has colours, as the bytes of a JPEG file."""
    return cv2.imencode(".jpg", _as_bgr(pixels), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def png(pixels: np.ndarray) -> bytes:
    """The same as the bytes of a PNG file."""
    return cv2.imencode(".png", _as_bgr(pixels))[1].tobytes()


def _as_bgr(pixels: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.shape[-1] == 3 else pixels
