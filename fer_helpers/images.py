"""From the table to arrays: every image decoded once, into one uint8 array, or each time it is asked for, where memory would not hold them all."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from fer_helpers.datasets import fer2013
from fer_helpers.datasets.files import FileTree, read_encoded, split_at_container
from fer_helpers.datasets.table import LayoutError, skipped_images

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
    "lanczos": cv2.INTER_LANCZOS4,
}
BATCH = 1_000  # images decoded ahead of who asks for them
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Cut = Callable[[np.ndarray, object], np.ndarray]  # (image, box of the table) -> the part of the image to keep


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
        raise ValueError(
            f"none of {len(table):,} images could be read, the first is {table['path'].iloc[0]}: the copy is damaged, get it again"
        )
    return Images(pixels[: len(kept)], table.iloc[kept].reset_index(drop=True), skipped_images(skipped), resized)


class ImageFiles:
    """Images decoded each time they are asked for, so that memory does not grow with their number; indexed like `Images.pixels`.

    `files[array of places]`, `files[mask]` and `files[start:stop]` are uint8 arrays (m, side, side, channels), `files[place]` is one image;
    so it can stand wherever `training.Batches` and `training.predict` take an array. A thread for each core reads and decodes. It may be
    used by several threads at once.

    Args:
        table: rows of the one table.
        side: height and width of the result in pixels.
        channels: 1 for grey, 3 for RGB; grey photographs are repeated to three channels.
        interpolation: one of `INTERPOLATIONS`.
        cut: called with each image (height, width, channels) and the table's box, by several threads at once; returns what is to be
            resized, or raises ValueError. See `faces.boxed_faces`. Without it the whole image is.

    Raises:
        ValueError: the table is empty or one of a CSV file, or the interpolation has no known name; on indexing, an image can't be read or
            cut. `unreadable` lists such images beforehand.
    """

    ndim = 4

    def __init__(
        self, table: pd.DataFrame, side: int, channels: int = 3, interpolation: str = "area", cut: Cut | None = None
    ):
        _check_interpolation(interpolation)
        if not len(table):
            raise ValueError("there is no image to read: the table is empty")
        self._paths = table["path"].tolist()
        if ".csv/" in self._paths[0]:
            raise ValueError(
                f"{self._paths[0]} is a row of a CSV file, which can only be read as a whole: use read_images"
            )
        self._boxes = table["box"].tolist() if "box" in table else [None] * len(table)
        self._interpolation, self._cut = interpolation, cut
        self.shape = (len(table), side, side, channels)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: int | slice | np.ndarray) -> np.ndarray:
        places = np.arange(len(self))[chosen]
        pixels = np.empty((places.size, *self.shape[1:]), "uint8")
        try:
            for row, image in enumerate(in_threads(self._images, places.ravel().tolist())):
                pixels[row] = image
        except ValueError as error:
            raise ValueError(
                f"{error}; images.unreadable lists all such rows of a table: leave them out first"
            ) from error
        return pixels.reshape(*places.shape, *self.shape[1:])

    def fault(self, place: int) -> str:
        """Why the image at a place can't be given, '' if it can."""
        try:
            self._image(place)
        except ValueError as error:
            return str(error)
        return ""

    def _images(self, places: list[int]) -> list[np.ndarray]:
        return [self._image(place) for place in places]

    def _content(self, place: int) -> bytes:
        """The undecoded bytes of one image."""
        path = self._paths[place]
        try:
            return next(read_encoded([path]))
        except (
            OSError,
            KeyError,
            LayoutError,
        ) as error:  # gone, or not to be read; a member or an archive that is damaged
            raise ValueError(f"{path} can't be read: {error}") from error

    def _image(self, place: int) -> np.ndarray:
        """One image (side, side, channels)."""
        path, (_, side, _, channels) = self._paths[place], self.shape
        image = decode(self._content(place), channels)
        if image is None:
            raise ValueError(f"{path} can't be decoded: the file is damaged or no image")
        if self._cut is not None:
            try:
                image = self._cut(image, self._boxes[place])
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        return resize(image, side, self._interpolation)


def unreadable(table: pd.DataFrame, cut: Cut | None = None) -> pd.DataFrame:
    """The images that `ImageFiles` could not give, found by reading all and keeping none in memory.

    Args:
        table: rows of the one table.
        cut: as for `ImageFiles`; with it, images are listed also whose face can't be cut.

    Returns:
        Columns `image` and `reason`, in the order of the table.
    """
    files = ImageFiles(table, side=1, cut=cut)
    faults = in_threads(lambda places: [files.fault(place) for place in places], range(len(table)))
    bar = tqdm(faults, total=len(table), desc="images that can't be read", unit="image", mininterval=2)
    return skipped_images([(name, fault) for name, fault in zip(table["image"], bar, strict=True) if fault])


def resize(image: np.ndarray, side: int, interpolation: str) -> np.ndarray:
    """An image (height, width, channels) as (side, side, channels), uint8.

    Raises:
        ValueError: the interpolation has no known name.
    """
    _check_interpolation(interpolation)
    if image.shape[:2] == (side, side):
        return image
    return cv2.resize(image, (side, side), interpolation=INTERPOLATIONS[interpolation]).reshape(side, side, -1)


def _check_interpolation(interpolation: str) -> None:
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"no interpolation is called {interpolation!r}: there are {', '.join(INTERPOLATIONS)}")


def decoded(paths: list[str], channels: int) -> Iterator[np.ndarray | None]:
    """Each image as uint8 (height, width, channels), None where it can't be decoded, in order."""
    if paths and ".csv/" in paths[0]:
        yield from _from_csv(paths, channels)
        return
    yield from in_threads(lambda part: [decode(content, channels) for content in read_encoded(part)], paths)


def in_threads(work: Callable[[Sequence], list], items: Sequence) -> Iterator:
    """What `work` gives for each item, in order, shared out among a thread for each core.

    Files are read, and images decoded, outside Python's global lock. A thread is given many items at a time: handing over a single one
    takes as long as decoding a face of 48 pixels.

    Args:
        work: called with a part of the items; returns as many results.
        items: a list or range.
    """
    with ThreadPoolExecutor(CORES) as threads:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            size = -(-len(batch) // (2 * CORES))
            yield from chain.from_iterable(
                threads.map(work, [batch[first : first + size] for first in range(0, len(batch), size)])
            )


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
    tree, name = (
        (FileTree(container), inside.rpartition("/")[0])
        if container.suffix == ".zip"
        else (FileTree(container.parent), container.name)
    )
    with tree.open_text(name) as file:
        images = fer2013.read_csv_pixels(file, set(rows))
    for row in rows:
        yield np.repeat(images[row][..., None], channels, axis=2)
