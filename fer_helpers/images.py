"""From the table to arrays: every image decoded once, into one uint8 array, or each time it is asked for."""

import io
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from PIL import ExifTags, Image
from tqdm import tqdm

from fer_helpers.datasets import fer2013
from fer_helpers.datasets.files import read_file
from fer_helpers.datasets.table import LayoutError, skipped_images

INTERPOLATIONS = {name: code for code, name in enumerate(("nearest", "bilinear", "bicubic", "area", "lanczos"))}  # cv2
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "PPM", "WEBP")  # by Pillow's names
MOST_PIXELS = Image.MAX_IMAGE_PIXELS  # 89 million, a quarter of a gigabyte in colour
LONGEST = 2**15 - 1  # pixels of a side from which OpenCV cuts a square
NO_IMAGE = "can't be decoded: the file is damaged or no image"
DEPTHS = (8, 10, 12, 14, 16)  # bits a value that cameras and scanners give, which files of 16 bits have room for
BATCH, MOST_A_PART = 1_000, 32  # images decoded ahead of who asks for them, and of these by one thread at a time
WORTH_A_THREAD = 2e-4  # seconds: photographs of 200 pixels a side and more
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Box = tuple[int, int, int, int]  # x, y of the upper left corner, width, height, in pixels
Reader = Callable[[int], np.ndarray]  # number of a row, from 0 -> its image (height, width, channels), or a ValueError


@dataclass(frozen=True)
class Images:
    """Decoded images and the rows they belong to."""

    pixels: np.ndarray  # uint8 (n, side, side, channels), RGB where channels is 3
    table: pd.DataFrame  # the n rows, in the same order
    skipped: pd.DataFrame  # columns `image` and `reason`: what could not be read


def read_images(
    table: pd.DataFrame, side: int, channels: int = 1, interpolation: str = "bicubic", read: Reader | None = None
) -> Images:
    """Decode every image of the table into memory; damaged ones are left out and listed, ValueError if none is left.

    Images are resized to `side` pixels whatever their proportions; `channels` is 1 for grey, 3 for RGB. `read`, if not
    `reader(table, channels)`, gives what is resized.
    """
    check(table, side, channels, interpolation)
    pixels, kept, skipped = np.empty((len(table), side, side, channels), "uint8"), [], []
    read = read or reader(table, channels)
    results = in_threads(lambda row: resize(read(row), side, interpolation), range(len(table)))
    results = tqdm(results, "images", len(table), unit="image", mininterval=2, delay=5, leave=False)
    for row, image in enumerate(results):
        if isinstance(image, ValueError):
            skipped.append((table["image"].iloc[row], str(image)))
        else:
            pixels[len(kept)] = image
            kept.append(row)
    if not kept:
        raise ValueError(f"none of {len(table):,} images could be read: {skipped[0][1]}; get another copy of the data")
    return Images(pixels[: len(kept)], table.iloc[kept].reset_index(drop=True), skipped_images(skipped))


class ImageFiles:
    """Images decoded each time they are indexed, so that memory does not grow with their number.

    It stands wherever `training` takes an array, also for several threads at once. If `boxed`, what is resized is the
    part in the table's box, where it has one. Indexing raises ValueError for what `read_images` would skip.
    """

    ndim = 4

    def __init__(self, table: pd.DataFrame, side: int, channels=3, interpolation="area", boxed: bool = False):
        check(table, side, channels, interpolation)
        self.shape = (len(table), side, side, channels)
        self._read, self._form = reader(table, channels, boxed), (side, interpolation)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: int | slice | np.ndarray) -> np.ndarray:
        rows = np.arange(len(self))[chosen]
        pixels = np.empty((rows.size, *self.shape[1:]), "uint8")
        results = in_threads(lambda row: resize(self._read(row), *self._form), rows.ravel().tolist())
        for place, image in enumerate(results):
            if isinstance(image, ValueError):
                raise ValueError(f"{image}; images.read_images lists all such rows: leave them out first") from image
            pixels[place] = image
        return pixels.reshape(*rows.shape, *self.shape[1:])


def reader(table: pd.DataFrame, channels: int, boxed: bool = False) -> Reader:
    """A function that reads the image of a row, or what its box cuts out; a CSV file of images is read here and now."""
    files, boxes = table["path"].tolist(), table["box"].tolist() if boxed else [None] * len(table)
    if not re.search(r"\.csv/\d+$", files[0], re.IGNORECASE):
        return lambda row: read(files[row], channels, boxes[row])
    numbers = [int(path.rpartition("/")[2]) for path in files]
    pixels = fer2013.read_csv_pixels(files[0].rpartition("/")[0], set(numbers))
    return lambda row: np.repeat(pixels[numbers[row]][..., None], channels, axis=2)


def in_threads(work: Callable, items: Sequence, workers: int = CORES) -> Iterator:
    """What `work` returns for each item, or the ValueError it raises, in order, by a thread for each core.

    A thread is given many items at a time: handing over a single one takes as long as decoding a face of 48 pixels.
    What takes less than `WORTH_A_THREAD` an item is not handed over: threads would wait for each other more than work.
    """
    with ThreadPoolExecutor(workers) as threads:
        for start in range(0, len(items), BATCH):
            begun, first, batch = time.perf_counter(), _attempt(work, items[start]), items[start + 1 : start + BATCH]
            is_quick = time.perf_counter() - begun < WORTH_A_THREAD
            yield first
            if is_quick:
                yield from (_attempt(work, item) for item in batch)
                continue
            size = min(MOST_A_PART, len(batch) // (2 * workers) + 1)
            parts = [batch[first : first + size] for first in range(0, len(batch), size)]
            for results in threads.map(lambda part: [_attempt(work, item) for item in part], parts):
                yield from results


def _attempt(work: Callable, item: object) -> object:
    try:
        return work(item)
    except ValueError as error:
        return error


def read(path: str, channels: int, box: Box | None = None) -> np.ndarray:
    """The image at a path of the table, or what its box cuts out; ValueError that names the path and what is wrong."""
    is_boxed = np.ndim(box) > 0
    try:
        image = decode(read_file(path), channels, oriented=not is_boxed)
        return box_cut(image, box) if is_boxed else image
    except LayoutError as error:  # the file, or the archive that it is in
        raise ValueError(f"{path}: {NO_IMAGE}") from error
    except (OSError, KeyError, ValueError, cv2.error) as error:  # also gone
        raise ValueError(f"{path}: {error}") from error


def decode(content: bytes, channels: int, oriented: bool = True) -> np.ndarray:
    """An image file as uint8 (height, width, channels), RGB where channels is 3; values of up to 16 bits become 8.

    A photograph is turned upright as its EXIF data says only if `oriented`: boxes are for pixels as they are stored.
    ValueError if it has more than `MOST_PIXELS`, or a side of more than `LONGEST`, by its header; is damaged; or is of
    none of `FORMATS`.
    """
    try:
        header = Image.open(io.BytesIO(content), formats=FORMATS)  # reads no more
        width, height = header.size
    except Image.DecompressionBombError:
        width, height = MOST_PIXELS, 2
    except (OSError, ValueError, SyntaxError, OverflowError) as error:
        raise ValueError(NO_IMAGE) from error
    if width * height > MOST_PIXELS or max(width, height) > LONGEST:
        too_many = f"more than {MOST_PIXELS:,} pixels, or {LONGEST:,} on a side, are not decoded"
        raise ValueError(f"{too_many}: make it smaller, or leave it out")
    if not oriented and header.format == "TIFF" and header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        raise ValueError("is a turned TIFF, from whose stored pixels no box can be cut: save it upright, its box too")
    if header.format == "PPM" and header.tile[0][0] == "ppm":
        raise ValueError("has another brightest value than 255 or 65,535, to which it is not scaled: save it as PNG")
    flags = (cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR) | cv2.IMREAD_ANYDEPTH
    flags |= (not oriented) * cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, "uint8"), flags)
    if image is None or image.dtype not in ("uint8", "uint16"):
        raise ValueError(NO_IMAGE)
    if image.dtype == "uint16":
        image = (image >> next(bits - 8 for bits in DEPTHS if image.max() < 2**bits)).astype("uint8")
    # not IMREAD_COLOR_RGB, by which OpenCV 4.14 mistakes TIFF's colours of 16 bits
    return image[..., None] if channels == 1 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def resize(image: np.ndarray, side: int, interpolation: str) -> np.ndarray:
    """An image (height, width, channels) as (side, side, channels), uint8."""
    if image.shape[:2] == (side, side):
        return image
    return cv2.resize(image, (side, side), interpolation=INTERPOLATIONS[interpolation]).reshape(side, side, -1)


def box_cut(image: np.ndarray, box: Box) -> np.ndarray:
    """The square around a box, also one with fractions; ValueError if more than half of it lies outside the image."""
    x, y, width, height = box = tuple(rounded(box))
    inside = image[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width), 0].size
    if min(width, height) <= 0 or 2 * inside < width * height:
        size = f"{image.shape[1]} x {image.shape[0]} pixels"
        raise ValueError(f"less than half of the box {box} (x, y, width, height) lies inside the image of {size}")
    return cut_square(image, box, 0.0, "nearest")


def cut_square(image: np.ndarray, box: Box, angle: float, interpolation: str) -> np.ndarray:
    """The square around a box's centre, turned back about it by an angle; beyond the image its edge goes on.

    Its side is the box's longer one. The content stands turned clockwise by `angle` degrees; with 0 each pixel is
    copied as it is. For `area`, which does not exist for a rotation, that is bilinear.
    """
    x, y, width, height = box
    side = max(1, width, height)
    turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, -angle, 1)  # from the crop to the image
    turn[:, 2] += rounded((x + (width - side) / 2, y + (height - side) / 2))
    flags = INTERPOLATIONS[interpolation.replace("area", "bilinear")] | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(image, turn, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cut.reshape(side, side, image.shape[2])


def rounded(values: ArrayLike) -> list[int]:
    """The nearest whole numbers, halves up: NumPy's own rounding to even would move boxes to and fro."""
    return np.floor(np.asarray(values, "float64") + 0.5).astype(int).tolist()


def check(table: pd.DataFrame, side: int, channels: int, interpolation: str) -> None:
    """ValueError for an empty table, or what no image can be turned into."""
    if not len(table):
        raise ValueError("there is no image to read: the table is empty")
    if side < 1 or channels not in (1, 3) or interpolation not in INTERPOLATIONS:
        possible = f"at least 1 pixel, 1 or 3 channels, and one of {', '.join(INTERPOLATIONS)}"
        raise ValueError(f"no image has {side} pixels and {channels} channels by {interpolation!r}: take {possible}")
