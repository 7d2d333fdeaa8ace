"""Faces cut out of photographs: found, turned until the eyes stand level, cropped as a square, resized.

The detectors are OpenCV's Haar cascade (Viola and Jones 2001) and, as an optional extra, dlib's frontal one (King 2015).
Work is shared among processes: neither kind of detector may be used by two threads at once. They are joblib's: started afresh, not
forked, since a fork of a process that runs TensorFlow's threads can hang, and without importing the caller's script once more, so that
notebooks and scripts need no precautions. Nothing imported here loads Keras, so that they start quickly.
"""

import hashlib
import json
import math
import os
import threading
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import product, repeat
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from fer_helpers import paths
from fer_helpers.datasets.files import read_encoded, split_at_container
from fer_helpers.datasets.table import LayoutError, skipped_images
from fer_helpers.images import CORES, INTERPOLATIONS, Cut, ImageFiles, decode, decoded, resize

CROPS_VERSION = (
    1  # raise it whenever the same settings would give other pixels: crops kept under a lower one are made again
)

DETECTORS = ("haar", "dlib", "box")
OUTSIDE = {"replicate": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}

CROPPED, WHOLE, DROPPED, UNREADABLE, BOX_OUTSIDE = "cropped", "whole", "dropped", "unreadable", "box outside"

# Detection, measured on 2,000 images of FER-2013: at its 48 pixels Haar finds 36 % and dlib none; enlarged to 128 pixels 61 % and 67 %; with a
# border besides, since those faces fill their image, 78 % and 75 %. More than 128 pixels only takes longer.
LONGEST_VIEW = 1024  # pixels: larger images are searched in a smaller copy
HAAR_SCALE_STEP = 1.1
HAAR_NEIGHBOURS = 3

# Eyes, measured on 600 images of FER-2013, each also turned by 8 degrees: in half of them the two angles differ by 8 to within 0.7 degrees,
# in nine of ten to within 2.2. A step of 1.1 finds four more pairs in a hundred faces and takes a third longer.
EYE_SEARCH_SIDE = 200  # pixels to which a face is brought; at 128 an eighth fewer pairs are found
EYE_ROWS = (0.1, 0.6)  # of the face, from its top: below are nostrils and mouth corners
EYE_SCALE_STEP = 1.15
EYE_NEIGHBOURS = 3
EYE_WIDTHS = (0.12, 0.4)  # of the face's side, as the distances
EYE_DISTANCES = (0.25, 0.65)
LARGEST_EYE_RATIO = 1.7
LARGEST_TILT = 25.0  # degrees: a frontal detector finds no face that is tilted more, so such a pair is no pair of eyes

CHUNK = 64  # images handed to a process at a time
LEAST_PER_WORKER = 256  # images that are worth the second which starting a process takes

Box = tuple[int, int, int, int]  # x, y of the upper left corner, width, height, in pixels
Eye = tuple[float, float, float]  # x, y of the centre and width, as fractions of the face's side


@dataclass(frozen=True)
class CropSettings:
    """How faces are cut out.

    Attributes:
        size: height and width of a crop in pixels.
        detector: `haar` (OpenCV's frontal face cascade), `dlib` (its frontal detector, an extra) or `box` (the table's own boxes).
        no_face: what becomes of an image without a face: `keep` resizes it as a whole, whatever its proportions; `drop` leaves it out.
        margin: added on each side of the face, as a fraction of the longer side of its box.
        align: turn a face until its eyes stand level, where both are found.
        interpolation: one of `images.INTERPOLATIONS`, as OpenCV does them: only `area` averages when it shrinks.
        outside: how parts of a crop beyond the image are filled: `replicate` its edge, or `reflect` it.
        channels: 1 for grey, 3 for RGB.
        detect_side: shorter side in pixels to which smaller images are enlarged for the search.
        detect_border: width of an edge-replicating border during the search, as a fraction of the shorter side; for faces that fill their image.
        smallest_face: side of the smallest face that `haar` looks for, as a fraction of the shorter side; dlib looks for 80 pixels and more.

    Raises:
        ValueError: a setting has no such value; the message says which it has.
    """

    size: int = 48
    detector: str = "haar"
    no_face: str = "keep"
    margin: float = 0.0
    align: bool = True
    interpolation: str = "bicubic"
    outside: str = "replicate"
    channels: int = 1
    detect_side: int = 128
    detect_border: float = 0.25
    smallest_face: float = 0.25

    def __post_init__(self):
        choices = {
            "detector": DETECTORS,
            "no_face": ("keep", "drop"),
            "interpolation": INTERPOLATIONS,
            "outside": OUTSIDE,
            "channels": (1, 3),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, not {getattr(self, name)!r}")
        ranges = {
            "size": (1, math.inf),
            "margin": (0, math.inf),
            "detect_side": (16, LONGEST_VIEW),
            "detect_border": (0, 1),
            "smallest_face": (0, 1),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is from {low} to {high}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Crop:
    """One face as it was cut out, or why it was not.

    Attributes:
        outcome: `cropped`, `whole` (no face, kept), `dropped` (no face), `unreadable` or `box outside`.
        pixels: uint8 array (size, size, channels); None unless cropped or whole.
        faces: how many were found.
        box: the face's box in the image, before the margin, or the one that lies outside; None without a face.
        angle: degrees by which its eyes stood out of level, clockwise positive, and by which it was turned back; None where it was not.
    """

    outcome: str
    pixels: np.ndarray | None = None
    faces: int = 0
    box: Box | None = None
    angle: float | None = None


@dataclass(frozen=True)
class Crops:
    """The faces of a table.

    Attributes:
        pixels: uint8 array (n, size, size, channels), RGB where channels is 3.
        table: the n rows of the table that were kept, in the same order, numbered from 0.
        report: one row for each row that was asked for: `image`, `detector`, `found`, `faces`, `box` (x, y, width, height before the
            margin), `aligned`, `angle` (see `Crop`), `outcome` (see `Crop`) and `reason`, empty unless something was wrong.
    """

    pixels: np.ndarray
    table: pd.DataFrame
    report: pd.DataFrame

    @property
    def skipped(self) -> pd.DataFrame:
        """Images left out because something is wrong with them, columns `image` and `reason`."""
        wrong = self.report[self.report["reason"] != ""]
        return skipped_images(list(zip(wrong["image"], wrong["reason"], strict=True)))

    def summary(self) -> pd.DataFrame:
        """One row of counts; `found_share` is of all images, `aligned_share` of the faces found, both fractions of 1."""
        images, found, aligned = len(self.report), int(self.report["found"].sum()), int(self.report["aligned"].sum())
        outcomes = self.report["outcome"].value_counts()
        counts = {
            "detector": self.report["detector"].iloc[0],
            "images": images,
            "found": found,
            "found_share": found / images,
            "several_faces": int((self.report["faces"] > 1).sum()),
            "aligned": aligned,
            "aligned_share": aligned / found if found else math.nan,
        }
        return pd.DataFrame(
            [
                counts
                | {
                    outcome.replace(" ", "_"): int(outcomes.get(outcome, 0))
                    for outcome in (WHOLE, DROPPED, UNREADABLE, BOX_OUTSIDE)
                }
            ]
        )


def crop_faces(
    table: pd.DataFrame, settings: CropSettings, workers: int | None = None, cache_dir: Path | None = None
) -> Crops:
    """Cut the face out of every image of a table; of several faces the largest.

    The result does not depend on the number of workers.

    Args:
        table: rows of the one table.
        settings: how to cut.
        workers: number of processes; by default one a core, fewer for a few images. With 1 no other process is started.
        cache_dir: folder in which the crops are kept; a second call with the same settings, rows and files reads them there.

    Raises:
        ValueError: the table is empty, lacks the boxes that `detector="box"` needs, or none of its images can be read.
        ImportError: `detector="dlib"` without dlib.
        OSError: the crops can't be written to `cache_dir`.
        RuntimeError: a process died.
    """
    _check(table, settings, workers)
    stored = None if cache_dir is None else Path(cache_dir) / f"crops-{_cache_key(table, settings)}.npz"
    cut = _read_stored(stored, len(table)) if stored else None
    if cut is None:
        cut = _cut_all(table, settings, workers or _sensible_workers(len(table)))
        if stored:
            _store(stored, *cut)
    pixels, records = cut
    kept = [record["outcome"] in (CROPPED, WHOLE) for record in records]
    return Crops(pixels, table[kept].reset_index(drop=True), _as_report(records))


def _check(table: pd.DataFrame, settings: CropSettings, workers: int | None) -> None:
    if not len(table):
        raise ValueError("there is no face to crop: the table is empty")
    if settings.detector == "box" and ("box" not in table or table["box"].isna().all()):
        raise ValueError(
            "detector='box' needs a data set that gives boxes, and this table has none: choose haar or dlib"
        )
    if workers is not None and workers < 1:
        raise ValueError(f"workers is at least 1, not {workers}")


def _as_report(records: list[dict]) -> pd.DataFrame:
    report = pd.DataFrame(records)
    report["angle"] = report["angle"].astype("float64")
    report["box"] = pd.Series([None if box is None else tuple(box) for box in report["box"]], dtype="object")
    return report.astype(dict.fromkeys(("image", "detector", "outcome", "reason"), "string"))


def boxed_faces(table: pd.DataFrame, settings: CropSettings) -> ImageFiles:
    """The faces of a table at its own boxes, cut as `crop_faces` cuts them, but each time they are asked for: for more than memory holds.

    Rows to leave out beforehand are listed by `images.unreadable(table, box_cut(settings))`.

    Args:
        table: rows of the one table.
        settings: with `detector="box"` and `align=False`.

    Raises:
        ValueError: the table is empty or has no boxes, or the settings are others.
    """
    _check(table, settings, workers=None)
    return ImageFiles(table, settings.size, settings.channels, settings.interpolation, box_cut(settings))


def box_cut(settings: CropSettings) -> Cut:
    """A function that cuts the face out of an image at its box; it may be called by several threads at once.

    It raises ValueError for a box less than half of which lies inside the image, and for a missing one if `no_face` is `drop`.

    Raises:
        ValueError: the settings need a detector, of faces or of eyes, which threads can't share.
    """
    if settings.detector != "box" or settings.align:
        raise ValueError(
            "faces are cut at the table's boxes only with detector='box' and align=False: choose these, or use crop_faces"
        )
    cropper = FaceCropper(settings)

    def cut(image: np.ndarray, box: object) -> np.ndarray:
        crop = cropper.crop(image, _as_box("this image", box))
        if crop.outcome == BOX_OUTSIDE:
            raise ValueError(_outside_reason(crop.box, "the image", image))
        if crop.pixels is None:
            raise ValueError("no box is given for the face, and no_face is 'drop'")
        return crop.pixels

    return cut


# One image


class FaceCropper:
    """Cuts the face out of one image after the other; not to be used by two threads at once.

    Args:
        settings: how to cut.

    Raises:
        ImportError: `detector="dlib"` without dlib.
    """

    def __init__(self, settings: CropSettings):
        self.settings = settings
        self._boxes_in = _detector(settings)
        self._eye_cascade = _cascade("haarcascade_eye.xml")

    def crop(self, image: np.ndarray, box: Box | None = None) -> Crop:
        """Find, align, crop and resize.

        Args:
            image: uint8 array (height, width, channels), RGB where channels is 3.
            box: the face's box, for `detector="box"`; other detectors do not look at it.
        """
        if self.settings.detector == "box" and box is not None and share_inside(box, image) < 0.5:
            return Crop(BOX_OUTSIDE, box=box)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
        faces = self._faces(grey, box)
        if not faces:
            return self._without_face(image)
        angle = self._tilt(grey, faces[0]) if self.settings.align else None
        square = square_around(faces[0], self.settings.margin)
        face = cut_square(image, square, angle or 0.0, self.settings.outside, self.settings.interpolation)
        return Crop(CROPPED, resize(face, self.settings.size, self.settings.interpolation), len(faces), faces[0], angle)

    def _faces(self, grey: np.ndarray, box: Box | None) -> list[Box]:
        """Boxes of all faces in a grey image (height, width), the largest first."""
        if self.settings.detector == "box":
            return [] if box is None else [box]
        view, scale, border = search_view(grey, self.settings.detect_side, self.settings.detect_border)
        found = ((x - border, y - border, width, height) for x, y, width, height in self._boxes_in(view))
        faces = [tuple(_rounded(value / scale) for value in box) for box in found]
        return sorted(faces, key=lambda box: box[2] * box[3], reverse=True)

    def _tilt(self, grey: np.ndarray, box: Box) -> float | None:
        """Degrees by which the eyes inside a box stand out of level, None where no plausible pair is found."""
        face = cut_square(grey[..., None], square_around(box, 0.0))
        pair = eye_pair(self._eyes(resize(face, EYE_SEARCH_SIDE, "area" if len(face) > EYE_SEARCH_SIDE else "bicubic")))
        return None if pair is None else round(eye_line_angle(*pair), 2)

    def _eyes(self, face: np.ndarray) -> list[Eye]:
        """All that looks like an eye in a grey face (EYE_SEARCH_SIDE, EYE_SEARCH_SIDE, 1)."""
        top, bottom = (round(EYE_SEARCH_SIDE * share) for share in EYE_ROWS)
        smallest, largest = (round(EYE_SEARCH_SIDE * width) for width in EYE_WIDTHS)
        found = self._eye_cascade.detectMultiScale(
            face[top:bottom], EYE_SCALE_STEP, EYE_NEIGHBOURS, minSize=(smallest,) * 2, maxSize=(largest,) * 2
        )
        in_pixels = [(x + width / 2, top + y + height / 2, width) for x, y, width, height in found]
        return [tuple(float(value) / EYE_SEARCH_SIDE for value in eye) for eye in in_pixels]

    def _without_face(self, image: np.ndarray) -> Crop:
        if self.settings.no_face == "drop":
            return Crop(DROPPED)
        return Crop(WHOLE, resize(image, self.settings.size, self.settings.interpolation))


def _detector(settings: CropSettings) -> Callable[[np.ndarray], list[Box]]:
    """A function from what `search_view` returns to the boxes of the faces in it."""
    if settings.detector == "haar":
        return _haar_detector(settings.smallest_face / (1 + 2 * settings.detect_border))
    if settings.detector == "dlib":
        return _dlib_detector(_import_dlib())
    return lambda view: []


def _haar_detector(smallest_share: float) -> Callable[[np.ndarray], list[Box]]:
    cascade = _cascade("haarcascade_frontalface_default.xml")

    def boxes(view: np.ndarray) -> list[Box]:
        smallest = round(smallest_share * min(view.shape))
        return [
            tuple(map(int, box))
            for box in cascade.detectMultiScale(view, HAAR_SCALE_STEP, HAAR_NEIGHBOURS, minSize=(smallest, smallest))
        ]

    return boxes


def _cascade(file_name: str) -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, file_name))


def _dlib_detector(dlib: ModuleType) -> Callable[[np.ndarray], list[Box]]:
    detector = dlib.get_frontal_face_detector()
    return lambda view: [(face.left(), face.top(), face.width(), face.height()) for face in detector(view, 0)]


def _import_dlib() -> ModuleType:
    try:
        import dlib
    except ImportError as error:
        raise ImportError(
            "detector='dlib' needs dlib, which is not installed: pip install -e .[dlib], or choose haar"
        ) from error
    return dlib


def search_view(grey: np.ndarray, detect_side: int, detect_border: float) -> tuple[np.ndarray, float, int]:
    """The image in which faces are searched.

    Args:
        grey: uint8 array (height, width).
        detect_side: shorter side in pixels to which a smaller image is enlarged.
        detect_border: border as a fraction of the view's shorter side.

    Returns:
        The view, uint8 and contiguous; how many of its pixels make one of `grey`; and its border in pixels. A point (x, y) of `grey`
        is (x * scale + border, y * scale + border) in it.
    """
    scale = min(max(1.0, detect_side / min(grey.shape)), LONGEST_VIEW / max(grey.shape))
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    view = cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA)
    border = round(detect_border * min(height, width))
    return cv2.copyMakeBorder(view, border, border, border, border, cv2.BORDER_REPLICATE), scale, border


def eye_pair(candidates: list[Eye]) -> tuple[Eye, Eye] | None:
    """The most plausible pair of eyes: one in each half of the face, of like size, some way apart, not too far out of level.

    Args:
        candidates: eyes found in a face.

    Returns:
        The eye on the left of the image and the one on its right, or None.
    """
    halves = [eye for eye in candidates if eye[0] < 0.5], [eye for eye in candidates if eye[0] >= 0.5]
    pairs = [pair for pair in product(*halves) if _is_plausible(*pair)]
    return max(pairs, key=lambda pair: pair[0][2] + pair[1][2] - abs(pair[0][1] - pair[1][1]), default=None)


def _is_plausible(left: Eye, right: Eye) -> bool:
    distance = math.dist(left[:2], right[:2])
    like = max(left[2], right[2]) <= LARGEST_EYE_RATIO * min(left[2], right[2])
    return (
        like and EYE_DISTANCES[0] <= distance <= EYE_DISTANCES[1] and abs(eye_line_angle(left, right)) <= LARGEST_TILT
    )


def eye_line_angle(left: Eye, right: Eye) -> float:
    """Degrees from the horizontal to the line from the left eye in the image to the right one; clockwise (right eye lower) is positive."""
    return math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))


def square_around(box: Box, margin: float) -> tuple[int, int, int]:
    """The square that is cut for a box: x and y of its upper left corner and its side, in pixels.

    Its centre is the box's; its side is the box's longer one plus `margin` of that on each side.
    """
    x, y, width, height = box
    side = max(1, _rounded(max(width, height) * (1 + 2 * margin)))
    return _rounded(x + (width - side) / 2), _rounded(y + (height - side) / 2), side


def _rounded(value: float) -> int:
    """The nearest whole number, halves up: Python's own rounding to even would move boxes to and fro."""
    return math.floor(value + 0.5)


def cut_square(
    image: np.ndarray,
    square: tuple[int, int, int],
    angle: float = 0.0,
    outside: str = "replicate",
    interpolation: str = "bicubic",
) -> np.ndarray:
    """A square cut out of an image, its content turned back by an angle about the square's centre.

    Without an angle each pixel is copied as it is. `area` does not exist for a rotation, which is then bilinear.

    Args:
        image: uint8 array (height, width, channels).
        square: x and y of the upper left corner, and side, in pixels; may reach beyond the image.
        angle: degrees by which the content stands turned clockwise.
        outside: one of `OUTSIDE`.
        interpolation: one of `images.INTERPOLATIONS`.

    Returns:
        uint8 array (side, side, channels).
    """
    x, y, side = square
    flag = INTERPOLATIONS["bilinear" if interpolation == "area" else interpolation]
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (side - 1) / 2)  # of the crop, where the centre of its first pixel is (0, 0)
    crop_to_image = np.column_stack([turn, middle + np.array([x, y]) - turn @ middle])
    cut = cv2.warpAffine(
        image, crop_to_image, (side, side), flags=flag | cv2.WARP_INVERSE_MAP, borderMode=OUTSIDE[outside]
    )
    return cut.reshape(side, side, image.shape[2])


def share_inside(box: Box, image: np.ndarray) -> float:
    """The part of a box's area that lies inside the image, as a fraction of 1; 0 for a box without an area."""
    x, y, width, height = box
    if width <= 0 or height <= 0:
        return 0.0
    across = max(0, min(x + width, image.shape[1]) - max(x, 0))
    down = max(0, min(y + height, image.shape[0]) - max(y, 0))
    return across * down / (width * height)


# A whole table


@dataclass(frozen=True)
class _Job:
    """What a process is told of one image: `pixels` only for a row of a CSV file, which is read once and not by every process."""

    image: str
    path: str
    box: Box | None
    pixels: np.ndarray | None


def _cut_all(table: pd.DataFrame, settings: CropSettings, workers: int) -> tuple[np.ndarray, list[dict]]:
    """The pixels of the kept images (n, size, size, channels), and a row of the report for every image."""
    jobs = _jobs(table, settings)
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    pixels = np.empty((len(jobs), settings.size, settings.size, settings.channels), "uint8")
    kept, records = 0, []
    bar = tqdm(total=len(jobs), desc=f"faces ({settings.detector})", unit="image", mininterval=1)
    # closed at once also when the loop is interrupted, so that the processes end and OpenCV gets its threads back
    with bar, closing(_cut_chunks(chunks, settings, min(workers, len(chunks)))) as results:
        for crops, chunk_records in results:
            pixels[kept : kept + len(crops)] = crops
            kept += len(crops)
            records += chunk_records
            bar.update(len(chunk_records))
    if all(record["outcome"] == UNREADABLE for record in records):
        raise ValueError(
            f"none of {len(jobs):,} images could be read, the first because {records[0]['reason']}; get another copy of the data"
        )
    return pixels[:kept], records


def _jobs(table: pd.DataFrame, settings: CropSettings) -> list[_Job]:
    image_paths = table["path"].tolist()
    boxes = map(_as_box, table["image"], table["box"]) if settings.detector == "box" else repeat(None)
    of_csv = decoded(image_paths, settings.channels) if ".csv/" in image_paths[0] else repeat(None)
    return [_Job(*values) for values in zip(table["image"], image_paths, boxes, of_csv, strict=False)]


def _as_box(image: str, value: object) -> Box | None:
    """A cell of the column `box`; None where it is missing."""
    if np.ndim(value) == 0 and pd.isna(value):
        return None
    if np.shape(value) != (4,) or not np.isfinite(np.asarray(value, dtype="float64")).all():
        raise ValueError(f"the box of {image} is {value!r}: it must be four numbers (x, y, width, height), or missing")
    return tuple(_rounded(float(number)) for number in value)


def _cut_chunks(
    chunks: list[list[_Job]], settings: CropSettings, workers: int
) -> Iterator[tuple[np.ndarray, list[dict]]]:
    """The crops of each chunk, in order."""
    if workers == 1:
        cropper = FaceCropper(settings)
        with _one_thread():
            yield from (_cut_chunk(cropper, chunk) for chunk in chunks)
        return
    if settings.detector == "dlib":
        _import_dlib()  # here the error is one sentence, there it would be a traceback of another process
    try:
        processes = Parallel(workers, backend="loky", return_as="generator", batch_size=1)
        yield from processes(delayed(_cut_chunk_in_process)(os.getpid(), settings, chunk) for chunk in chunks)
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a process that cropped faces was ended from outside, as when the memory runs out: try workers=1"
        ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV on one thread, as in the processes: with several, the order in which a cascade finds boxes would be left to chance."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _cut_chunk_in_process(caller: int, settings: CropSettings, jobs: list[_Job]) -> tuple[np.ndarray, list[dict]]:
    _prepare_process(caller)
    return _cut_chunk(_cropper_of_process(settings), jobs)


@lru_cache(maxsize=1)
def _prepare_process(caller: int) -> None:
    """One thread, since there is a process for every core, and an end when the process that started this one is killed."""
    cv2.setNumThreads(1)
    if os.getppid() == caller:  # not so where joblib, itself called in a process of its own, works without further ones
        threading.Thread(target=_end_after, args=(caller,), daemon=True).start()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


@lru_cache(maxsize=1)
def _cropper_of_process(settings: CropSettings) -> FaceCropper:
    """Loading the cascades takes as long as three images: once a process is enough."""
    return FaceCropper(settings)


def _cut_chunk(cropper: FaceCropper, jobs: list[_Job]) -> tuple[np.ndarray, list[dict]]:
    cut = [_cut_one(cropper, job) for job in jobs]
    kept = [crop.pixels for crop, _ in cut if crop.pixels is not None]
    size, channels = cropper.settings.size, cropper.settings.channels
    records = [
        _record(job, crop, reason, cropper.settings.detector) for job, (crop, reason) in zip(jobs, cut, strict=True)
    ]
    return np.array(kept, "uint8").reshape(-1, size, size, channels), records


def _cut_one(cropper: FaceCropper, job: _Job) -> tuple[Crop, str]:
    """The crop of one image, and what is wrong with the image."""
    image, reason = _read(job, cropper.settings.channels)
    if image is None:
        return Crop(UNREADABLE), reason
    crop = cropper.crop(image, job.box)
    if crop.outcome == BOX_OUTSIDE:
        return crop, _outside_reason(crop.box, job.path, image)
    return crop, ""


def _outside_reason(box: Box, path: str, image: np.ndarray) -> str:
    height, width = image.shape[:2]
    return (
        f"less than half of the box {box} (x, y, width, height) lies inside {path}, which is {width} x {height} pixels"
    )


def _read(job: _Job, channels: int) -> tuple[np.ndarray | None, str]:
    """The decoded image (height, width, channels), or None and the reason."""
    if job.pixels is not None:
        return job.pixels, ""
    try:
        image = decode(next(read_encoded([job.path])), channels)
    except (
        OSError,
        KeyError,
        LayoutError,
    ) as error:  # a file that is gone or may not be read, a member or archive that is damaged
        return None, f"{job.path} can't be read: {error}"
    return image, f"{job.path} can't be decoded: the file is damaged or no image"


def _record(job: _Job, crop: Crop, reason: str, detector: str) -> dict:
    return {
        "image": job.image,
        "detector": detector,
        "found": crop.faces > 0,
        "faces": crop.faces,
        "box": crop.box,
        "aligned": crop.angle is not None,
        "angle": crop.angle,
        "outcome": crop.outcome,
        "reason": reason,
    }


def _sensible_workers(images: int) -> int:
    return max(1, min(CORES, images // LEAST_PER_WORKER))


# Crops kept on disk


def _cache_key(table: pd.DataFrame, settings: CropSettings) -> str:
    """A hash of all that decides on the crops: settings, rows, the files' sizes and times, this module's version and OpenCV's."""
    columns = [name for name in ("image", "path", "box") if name in table]
    digest = hashlib.sha256(f"{CROPS_VERSION} {cv2.__version__} {settings}\n".encode())
    digest.update(table[columns].to_csv(index=False).encode())
    for file in _files_behind(table["path"].tolist()):
        status = file.stat() if file.exists() else None
        digest.update(f"{file} {status and (status.st_size, status.st_mtime_ns)}\n".encode())
    return digest.hexdigest()[:16]


def _files_behind(image_paths: list[str]) -> list[Path]:
    """The files on disk that hold the images: themselves, or the archives around them, each once."""
    parents = {path.rpartition("/")[0] for path in image_paths}
    in_folder = {parent for parent in parents if Path(parent).is_dir()}
    files = {Path(path) for path in image_paths if path.rpartition("/")[0] in in_folder}
    return sorted(files | {_container(f"{parent}/member") for parent in parents - in_folder})


def _container(path: str) -> Path:
    try:
        return split_at_container(path)[0]
    except FileNotFoundError:
        return Path(path)


def _store(target: Path, pixels: np.ndarray, records: list[dict]) -> None:
    with paths.written_whole(target) as partial, open(partial, "wb") as file:
        np.savez(file, pixels=pixels, records=np.frombuffer(json.dumps(records).encode(), "uint8"))


def _read_stored(stored: Path, images: int) -> tuple[np.ndarray, list[dict]] | None:
    """Crops kept earlier; None where there are none or the file is damaged."""
    try:
        with np.load(stored) as archive:
            pixels, records = archive["pixels"], json.loads(archive["records"].tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return (pixels, records) if len(records) == images else None
