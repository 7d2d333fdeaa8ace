"""From the table to arrays: every image decoded once, into one uint8 array."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from fer_helpers.datasets import fer2013
from fer_helpers.datasets.files import FileTree, read_encoded, split_at_container
from fer_helpers.datasets.table import skipped_images

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
BATCH = 1_000  # images held undecoded at a time


@dataclass(frozen=True)
class Images:
    """Decoded images and the rows they belong to.

    Attributes:
        pixels: uint8 array (n, side, side, channels), RGB where channels is 3.
        table: the n rows of the table, in the same order.
        skipped: columns `image` and `reason`, one row for each image that could not be read.
        resized: how many of the n had another size on disk.
    """

    pixels: np.ndarray
    table: pd.DataFrame
    skipped: pd.DataFrame
    resized: int


def read_images(table: pd.DataFrame, side: int, channels: int = 1, interpolation: str = "bicubic") -> Images:
    """Decode every image of the table into memory.

    A damaged image is left out and listed; an image of another size is resized and counted, one of another mode converted.

    Args:
        table: rows of the one table.
        side: height and width of the result in pixels.
        channels: 1 for grey, 3 for RGB; grey photographs are repeated to three channels.
        interpolation: one of `INTERPOLATIONS`.

    Raises:
        ValueError: the table is empty, or none of its images could be read; the message names the first.
    """
    if not len(table):
        raise ValueError("there is no image to read: the table is empty")
    pixels = np.empty((len(table), side, side, channels), "uint8")
    kept, skipped, resized = [], [], 0
    for place, (name, image) in enumerate(zip(table["image"], decoded(table["path"].tolist(), channels), strict=True)):
        if image is None:
            skipped.append((name, f"{table['path'].iloc[place]} can't be decoded: the file is damaged or no image"))
            continue
        resized += image.shape[:2] != (side, side)
        pixels[len(kept)] = resize(image, side, interpolation)
        kept.append(place)
    if not kept:
        raise ValueError(f"none of {len(table):,} images could be read, the first is {table['path'].iloc[0]}: the copy is damaged, get it again")
    return Images(pixels[: len(kept)], table.iloc[kept].reset_index(drop=True), skipped_images(skipped), resized)


def resize(image: np.ndarray, side: int, interpolation: str) -> np.ndarray:
    """An image (height, width, channels) as (side, side, channels), uint8.

    Raises:
        ValueError: the interpolation has no known name.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"no interpolation is called {interpolation!r}: there are {', '.join(INTERPOLATIONS)}")
    if image.shape[:2] == (side, side):
        return image
    return cv2.resize(image, (side, side), interpolation=INTERPOLATIONS[interpolation]).reshape(side, side, -1)


def decoded(paths: list[str], channels: int) -> Iterator[np.ndarray | None]:
    """Each image as uint8 (height, width, channels), None where it can't be decoded, in order."""
    if paths and ".csv/" in paths[0]:
        yield from _from_csv(paths, channels)
        return
    with ThreadPoolExecutor() as threads:  # OpenCV decodes outside Python's global lock
        for start in range(0, len(paths), BATCH):
            encoded = read_encoded(paths[start : start + BATCH])
            yield from threads.map(lambda content: decode(content, channels), encoded)


def decode(content: bytes, channels: int) -> np.ndarray | None:
    """One encoded image as uint8 (height, width, channels), RGB where channels is 3; None if it can't be decoded."""
    if not content:
        return None
    flag = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    try:
        image = cv2.imdecode(np.frombuffer(content, "uint8"), flag)
    except cv2.error:  # a header that claims more pixels than OpenCV allows
        return None
    return None if image is None else image.reshape(*image.shape[:2], channels)


def _from_csv(paths: list[str], channels: int) -> Iterator[np.ndarray]:
    rows = [int(path.rpartition("/")[2]) for path in paths]
    container, inside = split_at_container(paths[0])
    tree, name = (FileTree(container), inside.rpartition("/")[0]) if container.suffix == ".zip" else (FileTree(container.parent), container.name)
    with tree.open_text(name) as file:
        images = fer2013.read_csv_pixels(file, set(rows))
    for row in rows:
        yield np.repeat(images[row][..., None], channels, axis=2)
