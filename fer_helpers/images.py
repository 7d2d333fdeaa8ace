"""From the table to arrays: every image decoded once, into one uint8 array, or each time it is asked for."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from fer_helpers.datasets import fer2013
from fer_helpers.datasets.files import read_encoded
from fer_helpers.datasets.table import skipped_images

INTERPOLATIONS = {name: code for code, name in enumerate(("nearest", "bilinear", "bicubic", "area", "lanczos"))}  # cv2
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "PPM", "WEBP")  # by Pillow's names
MOST_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million, a quarter of a gigabyte in colour
NO_IMAGE = "can't be decoded: the file is damaged or no image"
DEPTHS = (8, 10, 12, 14, 16)  # bits a value that cameras and scanners give, which files of 16 bits have room for
BATCH, MOST_A_PART = 1_000, 32  # images decoded ahead of who asks for them, and of these by one thread at a time
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Cut = Callable[[np.ndarray, object], np.ndarray]  # (image, box of the table) -> the part to keep; may raise ValueError


@dataclass(frozen=True)
class Images:
    """Decoded images and the rows they belong to."""

    pixels: np.ndarray  # uint8 (n, side, side, channels), RGB where channels is 3
    table: pd.DataFrame  # the n rows, in the same order
    skipped: pd.DataFrame  # columns `image` and `reason`: what could not be read
    resized: int  # how many of the n have another size on disk


def read_images(table: pd.DataFrame, side: int, channels: int = 1, interpolation: str = "bicubic") -> Images:
    """Decode every image of the table into memory; damaged ones are left out and listed, ValueError if none is left.

    Images are resized to `side` pixels whatever their proportions; `channels` is 1 for grey, 3 for RGB.
    """
    _check(table, interpolation)
    pixels = np.empty((len(table), side, side, channels), "uint8")
    kept, skipped, resized = [], [], 0
    for row, image in enumerate(decoded(table["path"].tolist(), channels)):
        if isinstance(image, ValueError):
            skipped.append((table["image"].iloc[row], str(image)))
        else:
            resized += image.shape[:2] != (side, side)
            pixels[len(kept)] = resize(image, side, interpolation)
            kept.append(row)
    if not kept:
        raise ValueError(f"none of {len(table):,} images could be read: {skipped[0][1]}; get another copy of the data")
    return Images(pixels[: len(kept)], table.iloc[kept].reset_index(drop=True), skipped_images(skipped), resized)


class ImageFiles:
    """Images decoded each time they are indexed, so that memory does not grow with their number.

    It stands wherever `training` takes an array, also for several threads at once. `cut`, if given, takes the part of
    each image that is resized: see `faces.box_cut`. Indexing raises ValueError for what `unreadable` lists.
    """

    ndim = 4

    def __init__(self, table: pd.DataFrame, side: int, channels=3, interpolation="area", cut: Cut | None = None):
        _check(table, interpolation)
        self._paths = table["path"].tolist()
        if of_csv(self._paths):
            raise ValueError(f"{self._paths[0]} is a row of a CSV file, which is only read as a whole: use read_images")
        self._boxes = table["box"].tolist() if cut and "box" in table else [None] * len(table)
        self._interpolation, self._cut = interpolation, cut
        self.shape = (len(table), side, side, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: int | slice | np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))[chosen]
        pixels = np.empty((rows.size, *self.shape[1:]), "uint8")
        for place, image in enumerate(in_threads(self.read, rows.ravel().tolist())):
            if isinstance(image, ValueError):
                raise ValueError(f"{image}; images.unreadable lists all such rows: leave them out first") from image
            pixels[place] = image
        return pixels.reshape(*rows.shape, *self.shape[1:])

    def read(self, row: int) -> np.ndarray:
        """One image (side, side, channels)."""
        path, box, (_, side, _, channels) = self._paths[row], self._boxes[row], self.shape
        return resize(read(path, channels, self._cut, box), side, self._interpolation)


def unreadable(table: pd.DataFrame, cut: Cut | None = None) -> pd.DataFrame:
    """What `ImageFiles` with this `cut` could not give: columns `image` and `reason`, in the order of the table."""
    results = in_threads(ImageFiles(table, side=1, cut=cut).read, range(len(table)))
    results = tqdm(results, "images that can't be read", len(table), unit="image", mininterval=2)
    pairs = zip(table["image"], results, strict=True)
    return skipped_images([(name, str(result)) for name, result in pairs if isinstance(result, ValueError)])


def decoded(paths: list[str], channels: int) -> Iterator[np.ndarray | ValueError]:
    """Each image as uint8 (height, width, channels), or the error that says why there is none, in order."""
    return in_threads(reader(paths, channels), paths)


def reader(paths: list[str], channels: int) -> Callable[[str], np.ndarray]:
    """A function that reads the image at one of these paths; rows of a CSV file are read here, as a whole."""
    if not of_csv(paths):
        return lambda path: read(path, channels)
    file = paths[0].rpartition("/")[0]
    pixels = fer2013.read_csv_pixels(file, {int(path.rpartition("/")[2]) for path in paths})
    return lambda path: np.repeat(pixels[int(path.rpartition("/")[2])][..., None], channels, axis=2)


def of_csv(paths: list[str]) -> bool:
    """Whether images are rows of a CSV file, which is only read as a whole."""
    return bool(paths) and ".csv/" in paths[0].lower()


def in_threads(work: Callable, items: Sequence, workers: int = CORES) -> Iterator:
    """What `work` returns for each item, or the ValueError it raises, in order, by a thread for each core.

    A thread is given many items at a time: handing over a single one takes as long as decoding a face of 48 pixels.
    """
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            size = min(MOST_A_PART, -(-len(batch) // (2 * workers)))
            parts = [batch[first : first + size] for first in range(0, len(batch), size)]
            for results in threads.map(lambda part: [_attempt(work, item) for item in part], parts):
                yield from results


def _attempt(work: Callable, item: object) -> object:
    try:
        return work(item)
    except ValueError as error:
        return error


def read(path: str, channels: int, cut: Cut | None = None, box: object = None) -> np.ndarray:
    """The image at a path of the table, decoded and cut; ValueError that names the path and says what is wrong."""
    try:
        image = decode(next(read_encoded([path])), channels, oriented=np.ndim(box) == 0)
        return cut(image, box) if cut else image
    except (OSError, KeyError, ValueError, cv2.error) as error:  # also gone, or in an archive that is damaged
        raise ValueError(f"{path}: {error}") from error


def decode(content: bytes, channels: int, oriented: bool = True) -> np.ndarray:
    """An image file as uint8 (height, width, channels), RGB where channels is 3; values of up to 16 bits become 8.

    A photograph is turned upright as its EXIF data says only if `oriented`: boxes are for pixels as they are stored.
    ValueError if it has more than `MOST_PIXELS`, by its header; is damaged; or is of none of `FORMATS`.
    """
    try:
        width, height = Image.open(io.BytesIO(content), formats=FORMATS).size  # reads no more than the header
    except Image.DecompressionBombError:
        width, height = MOST_PIXELS, 2
    except (OSError, ValueError, SyntaxError, OverflowError) as error:
        raise ValueError(NO_IMAGE) from error
    if width * height > MOST_PIXELS:
        raise ValueError(f"more than {MOST_PIXELS:,} pixels are not decoded: make it smaller, or leave it out")
    flags = (cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB) | cv2.IMREAD_ANYDEPTH
    flags |= (not oriented) * cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, "uint8"), flags)
    if image is None or image.dtype not in ("uint8", "uint16"):
        raise ValueError(NO_IMAGE)
    if image.dtype == "uint16":
        image = (image >> next(bits - 8 for bits in DEPTHS if image.max() < 2**bits)).astype("uint8")
    return image.reshape(*image.shape[:2], channels)


def resize(image: np.ndarray, side: int, interpolation: str) -> np.ndarray:
    """An image (height, width, channels) as (side, side, channels), uint8."""
    if image.shape[:2] == (side, side):
        return image
    return cv2.resize(image, (side, side), interpolation=INTERPOLATIONS[interpolation]).reshape(side, side, -1)


def _check(table: pd.DataFrame, interpolation: str) -> None:
    if not len(table):
        raise ValueError("there is no image to read: the table is empty")
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"no interpolation is called {interpolation!r}: there are {', '.join(INTERPOLATIONS)}")
