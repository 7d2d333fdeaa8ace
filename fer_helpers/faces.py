"""Faces cut out of photographs: found, turned until the eyes stand level, cropped as a square, resized.

The detectors are OpenCV's Haar cascade (Viola and Jones 2001) and, as an extra, dlib's frontal one (King 2015). Neither
may be used by two threads at once, so processes share the work; no Keras is imported here, so that they start quickly.
"""

import hashlib
import math
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, product, repeat

import cv2
import numpy as np
import pandas as pd
from joblib import Memory, Parallel, delayed
from tqdm import tqdm

from fer_helpers import images, paths
from fer_helpers.datasets.files import split_at_container
from fer_helpers.datasets.table import skipped_images
from fer_helpers.images import CORES, INTERPOLATIONS, Cut, ImageFiles, resize

OUTSIDE = {"replicate": cv2.BORDER_REPLICATE, "reflect": cv2.BORDER_REFLECT_101}
OUTCOMES = CROPPED, WHOLE, DROPPED, UNREADABLE, BOX_OUTSIDE = "cropped", "whole", "dropped", "unreadable", "box outside"
REPORT = ["image", "detector", "found", "faces", "box", "aligned", "angle", "outcome", "reason"]

# Measured on 2,000 images of FER-2013: at its 48 pixels Haar finds 36 % and dlib none; enlarged to 128 pixels 61 % and
# 67 %; with a border, since those faces fill their image, 78 % and 75 %. More than 128 pixels only takes longer.
DETECT_SIDE, DETECT_BORDER = 128, 0.25  # the shorter side of a smaller image, in pixels, and what is added to each
LONGEST_VIEW = 1024  # pixels: larger images are searched in a smaller copy
HAAR_STEP, HAAR_NEIGHBOURS = 1.1, 3

# Measured on 600 images of FER-2013, each also turned by 8 degrees: in half of them the two angles differ by 8 to
# within 0.7 degrees, in nine of ten within 2.2. A step of 1.1 finds four more pairs in a hundred, a third slower.
EYE_SIDE = 200  # pixels to which a face is brought for the search; at 128 an eighth fewer pairs are found
EYE_STEP, EYE_NEIGHBOURS = 1.15, 3
EYE_ROWS = (0.1, 0.6)  # of the face, from its top: below are nostrils and mouth corners
EYE_WIDTHS, EYE_DISTANCES, LARGEST_EYE_RATIO = (0.12, 0.4), (0.25, 0.65), 1.7  # of the face's side, and of each other
LARGEST_TILT = 25.0  # degrees: a frontal detector finds no face that is tilted more, so such a pair is no pair of eyes

CHUNK, LEAST_PER_WORKER = 64, 256  # images given to a process at a time, and worth the second that its start takes

Box = tuple[int, int, int, int]  # x, y of the upper left corner, width, height, in pixels
Eye = tuple[float, float, float]  # x, y of the centre and width, as fractions of the face's side


@dataclass(frozen=True)
class CropSettings:
    """How faces are cut out; ValueError for a setting that has no such value."""

    size: int = 48  # height and width of a crop in pixels
    detector: str = "haar"  # haar, dlib, or box: the table's own boxes
    no_face: str = "keep"  # an image without a face is resized as a whole, whatever its proportions; drop: left out
    margin: float = 0.0  # added on each side of the face, as a fraction of the longer side of its box
    align: bool = True  # turn a face until its eyes stand level, where both are found
    interpolation: str = "bicubic"  # one of `images.INTERPOLATIONS`, as OpenCV has them: only area averages
    outside: str = "replicate"  # beyond the image is its edge; or reflect: its reflection
    channels: int = 1  # 1 for grey, 3 for RGB
    smallest_face: float = 0.25  # that haar looks for, of the image's shorter side; dlib looks for 80 pixels

    def __post_init__(self):
        choices = {"detector": ("haar", "dlib", "box"), "no_face": ("keep", "drop"), "channels": (1, 3)}
        for name, allowed in (choices | {"interpolation": INTERPOLATIONS, "outside": OUTSIDE}).items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(map(str, allowed))}, not {getattr(self, name)!r}")
        for name, (low, high) in {"size": (1, math.inf), "margin": (0, math.inf), "smallest_face": (0, 1)}.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} is from {low} to {high}, not {getattr(self, name)!r}")


@dataclass(frozen=True)
class Crop:
    """One face as it was cut out, or why it was not."""

    outcome: str  # cropped, whole (no face, kept), dropped (no face), unreadable, or box outside
    pixels: np.ndarray | None = None  # uint8 (size, size, channels), if cropped or whole
    faces: int = 0  # how many were found
    box: Box | None = None  # of the largest, before the margin, or the one that lies outside
    angle: float | None = None  # degrees by which its eyes stood out of level, clockwise, and it was turned back
    reason: str = ""  # what is wrong with the image


@dataclass(frozen=True)
class Crops:
    """The faces of a table."""

    pixels: np.ndarray  # uint8 (n, size, size, channels), RGB where channels is 3
    table: pd.DataFrame  # the n rows that were kept, in the same order, numbered from 0
    report: pd.DataFrame  # columns `REPORT`, a row for each image of the whole table: see `Crop`

    @property
    def skipped(self) -> pd.DataFrame:
        """Images left out because something is wrong with them, columns `image` and `reason`."""
        return skipped_images(self.report.loc[self.report["reason"] != "", ["image", "reason"]].to_numpy().tolist())

    def summary(self) -> pd.DataFrame:
        """One row of counts; `found_share` is of all images, `aligned_share` of the faces found: fractions of 1."""
        report, found = self.report, self.report["found"]
        counts = {"detector": report["detector"].iloc[0], "images": len(report), "several_faces": sum(report.faces > 1)}
        counts |= {"found": found.sum(), "found_share": found.mean()}
        counts |= {"aligned": report["aligned"].sum(), "aligned_share": report.loc[found, "aligned"].mean()}
        outcomes = {outcome.replace(" ", "_"): sum(report["outcome"] == outcome) for outcome in OUTCOMES[1:]}
        return pd.DataFrame([counts | outcomes])


def crop_faces(table: pd.DataFrame, settings: CropSettings, workers: int | None = None, cached: bool = True) -> Crops:
    """Cut the face out of every image of a table; of several faces the largest.

    The result does not depend on the number of workers, that is processes: by default one a core, fewer for few images.
    Unless `cached` is false it is kept, in `crops` of the cache's folder, for the same settings, rows and files.

    Raises:
        ValueError: the table is empty, lacks the boxes that `detector="box"` needs, or none of its images can be read.
        ImportError: `detector="dlib"` without dlib.
        RuntimeError: a process died.
    """
    _check(table, settings)
    _detector(settings)  # dlib that is missing is a sentence here, and a long traceback out of a process
    cut, key = _cut_all, ""
    if cached:
        cut = Memory(paths.cache_dir() / "crops", verbose=0).cache(cut, ignore=["table", "settings", "workers"])
        key = _key(table, settings)
    arguments = table, settings, workers or max(1, min(CORES, len(table) // LEAST_PER_WORKER)), key
    pixels, report, digest = cut(*arguments)
    if _digest(pixels, report) != digest:  # the file is damaged, though it can be unpickled
        (pixels, report, _), _ = cut.call(*arguments)
    kept = report["outcome"].isin((CROPPED, WHOLE)).to_numpy()
    return Crops(pixels, table[kept].reset_index(drop=True), report)


def boxed_faces(table: pd.DataFrame, settings: CropSettings) -> ImageFiles:
    """The faces that `crop_faces` cuts at the table's own boxes, but cut when they are asked for; see `box_cut`."""
    _check(table, settings)
    return ImageFiles(table, settings.size, settings.channels, settings.interpolation, box_cut(settings))


def box_cut(settings: CropSettings) -> Cut:
    """A function that cuts the face out of an image at its box, for `ImageFiles` and `images.unreadable`.

    It raises ValueError for a box less than half of which lies inside the image, and for a missing one if `no_face` is
    `drop`. Settings that need a detector, of faces or of eyes, are a ValueError, since threads can't share one.
    """
    if settings.detector != "box" or settings.align:
        raise ValueError("faces are cut one by one only with detector='box' and align=False: else use crop_faces")
    cropper = FaceCropper(settings)

    def cut(image: np.ndarray, box: object) -> np.ndarray:
        crop = cropper.crop(image, _as_box(box))
        if crop.pixels is None:
            raise ValueError(crop.reason or "no box is given for the face, and no_face is 'drop'")
        return crop.pixels

    return cut


def _check(table: pd.DataFrame, settings: CropSettings) -> None:
    if not len(table):
        raise ValueError("there is no face to crop: the table is empty")
    if settings.detector == "box" and ("box" not in table or table["box"].isna().all()):
        raise ValueError("detector='box' needs a data set that gives boxes, and this one has none: choose haar or dlib")


def _as_box(value: object) -> Box | None:
    """A cell of the column `box`, in whole pixels; None where it is missing."""
    if np.ndim(value) == 0 and pd.isna(value):
        return None
    if np.shape(value) != (4,) or not np.isfinite(np.asarray(value, dtype="float64")).all():
        raise ValueError(f"the box {value!r} is not four numbers (x, y, width, height): mend it, or leave it empty")
    return tuple(_rounded(float(number)) for number in value)


def _rounded(value: float) -> int:
    """The nearest whole number, halves up: Python's own rounding to even would move boxes to and fro."""
    return math.floor(value + 0.5)


class FaceCropper:
    """Cuts the face out of one image after the other; not for two threads at once, unless the boxes are given."""

    def __init__(self, settings: CropSettings):
        self.settings = settings
        self._find = _detector(settings)
        self._eyes = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye.xml")

    def crop(self, image: np.ndarray, box: Box | None = None) -> Crop:
        """Find, align, crop and resize, of uint8 (height, width, channels); the box only for `detector="box"`."""
        if self.settings.detector == "box" and box is not None and not _mostly_inside(box, image):
            size = f"{image.shape[1]} x {image.shape[0]} pixels"
            reason = f"less than half of the box {box} (x, y, width, height) lies inside the image of {size}"
            return Crop(BOX_OUTSIDE, box=box, reason=reason)
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
        faces = [box] * (box is not None) if self.settings.detector == "box" else self._faces(grey)
        if not faces and self.settings.no_face == "drop":
            return Crop(DROPPED)
        if not faces:
            return Crop(WHOLE, resize(image, self.settings.size, self.settings.interpolation))
        angle = self._tilt(grey, faces[0]) if self.settings.align else None
        face = cut_square(image, square_around(faces[0], self.settings.margin), angle or 0.0, self.settings)
        return Crop(CROPPED, resize(face, self.settings.size, self.settings.interpolation), len(faces), faces[0], angle)

    def crop_file(self, path: str, box: Box | None, image: np.ndarray | None) -> Crop:
        """The same of the image at a path of the table, unless it has been decoded."""
        try:
            image = images.read(path, self.settings.channels, box=box) if image is None else image
        except ValueError as error:
            return Crop(UNREADABLE, reason=str(error))
        crop = self.crop(image, box)
        return replace(crop, reason=f"{path}: {crop.reason}") if crop.reason else crop

    def _faces(self, grey: np.ndarray) -> list[Box]:
        """Boxes of all faces in a grey image (height, width), the largest first."""
        scale = min(max(1.0, DETECT_SIDE / min(grey.shape)), LONGEST_VIEW / max(grey.shape))
        height, width = (max(1, round(side * scale)) for side in grey.shape)
        view = cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA)
        border = round(DETECT_BORDER * min(height, width))
        view = cv2.copyMakeBorder(view, border, border, border, border, cv2.BORDER_REPLICATE)
        found = [(x - border, y - border, width, height) for x, y, width, height in self._find(view)]
        faces = [tuple(_rounded(value / scale) for value in box) for box in found]
        return sorted(faces, key=lambda box: box[2] * box[3], reverse=True)

    def _tilt(self, grey: np.ndarray, box: Box) -> float | None:
        """`eye_tilt` of the face in a box."""
        face = cut_square(grey[..., None], square_around(box, 0.0), 0.0, self.settings)
        face = resize(face, EYE_SIDE, "area" if len(face) > EYE_SIDE else "bicubic")
        top, bottom = (round(EYE_SIDE * share) for share in EYE_ROWS)
        least, most = ((round(EYE_SIDE * width),) * 2 for width in EYE_WIDTHS)
        found = self._eyes.detectMultiScale(face[top:bottom], EYE_STEP, EYE_NEIGHBOURS, minSize=least, maxSize=most)
        eyes = [(x + width / 2, top + y + height / 2, width) for x, y, width, height in found]
        return eye_tilt([tuple(float(value) / EYE_SIDE for value in eye) for eye in eyes])


def _detector(settings: CropSettings) -> Callable[[np.ndarray], Iterable[Box]]:
    """A function from a grey view (height, width) to the boxes of the faces in it."""
    if settings.detector == "dlib":
        try:
            import dlib
        except ImportError as error:
            raise ImportError("detector='dlib' needs dlib: pip install -e .[dlib], or choose haar") from error
        find = dlib.get_frontal_face_detector()
        return lambda view: [(face.left(), face.top(), face.width(), face.height()) for face in find(view, 0)]
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    share = settings.smallest_face / (1 + 2 * DETECT_BORDER)
    return lambda view: cascade.detectMultiScale(
        view, HAAR_STEP, HAAR_NEIGHBOURS, minSize=(round(share * min(view.shape)),) * 2
    )


def eye_tilt(eyes: list[Eye]) -> float | None:
    """Degrees, clockwise positive, by which the likeliest pair of eyes stands out of level; None without such a pair.

    They are in different halves of the face, of like size, some way apart and not too far out of level.
    """
    likeliest, tilt = -math.inf, None
    for left, right in product(eyes, eyes):
        angle = math.degrees(math.atan2(right[1] - left[1], right[0] - left[0]))
        alike = max(left[2], right[2]) <= LARGEST_EYE_RATIO * min(left[2], right[2])
        apart = EYE_DISTANCES[0] <= math.dist(left[:2], right[:2]) <= EYE_DISTANCES[1]
        likely = left[2] + right[2] - abs(left[1] - right[1])
        if left[0] < 0.5 <= right[0] and alike and apart and abs(angle) <= LARGEST_TILT and likely > likeliest:
            likeliest, tilt = likely, round(angle, 2)
    return tilt


def square_around(box: Box, margin: float) -> tuple[int, int, int]:
    """x, y and side of the square around a box's centre: its longer side and `margin` of that on each side of it."""
    x, y, width, height = box
    side = max(1, _rounded(max(width, height) * (1 + 2 * margin)))
    return _rounded(x + (width - side) / 2), _rounded(y + (height - side) / 2), side


def cut_square(image: np.ndarray, square: tuple[int, int, int], angle: float, settings: CropSettings) -> np.ndarray:
    """A square (x, y, side), which may reach beyond the image, its content turned back by an angle about its centre.

    The content stands turned clockwise by `angle` degrees; with 0 each pixel is copied as it is. `area` does not exist
    for a rotation, which is then bilinear.
    """
    x, y, side = square
    turn = cv2.getRotationMatrix2D(((side - 1) / 2,) * 2, -angle, 1)  # from the crop to the image
    turn[:, 2] += x, y
    flag = INTERPOLATIONS["bilinear" if settings.interpolation == "area" else settings.interpolation]
    edge = OUTSIDE[settings.outside]
    cut = cv2.warpAffine(image, turn, (side, side), flags=flag | cv2.WARP_INVERSE_MAP, borderMode=edge)
    return cut.reshape(side, side, image.shape[2])


def _mostly_inside(box: Box, image: np.ndarray) -> bool:
    """Whether at least half of a box's area lies inside an image; not so without an area."""
    x, y, width, height = box
    inside = image[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width), 0]
    return width > 0 and height > 0 and 2 * inside.size >= width * height


def _cut_all(table: pd.DataFrame, settings: CropSettings, workers: int, key: str) -> tuple:
    """The pixels of the images kept (n, size, size, channels), the report on all images, and a digest of both."""
    boxes = map(_as_box, table["box"]) if settings.detector == "box" else repeat(None)
    of_csv = ".csv/" in table["path"].iloc[0]
    decoded = images.decoded(table["path"].tolist(), settings.channels) if of_csv else repeat(None)
    jobs = list(zip(table["path"], boxes, decoded, strict=False))
    parts = [delayed(_cut_part)(settings, jobs[start : start + CHUNK]) for start in range(0, len(jobs), CHUNK)]
    pixels = np.empty((len(table), settings.size, settings.size, settings.channels), "uint8")
    kept, rows, threads = 0, [], cv2.getNumThreads()
    cv2.setNumThreads(1)  # as in the processes: with several, chance would order the boxes that a cascade finds
    # Processes are started afresh, not forked: a fork of one that runs TensorFlow's threads can hang.
    pool = Parallel(workers, "loky", "generator", batch_size=1, initializer=_prepare, initargs=(os.getpid(),))
    try:
        with closing(pool(parts)) as results:  # also when the loop is interrupted, so that the processes end
            found = chain.from_iterable(results)
            for crop in tqdm(found, f"faces ({settings.detector})", len(jobs), unit="image", mininterval=1):
                rows.append(vars(crop) | {"pixels": None})
                if crop.pixels is not None:
                    pixels[kept], kept = crop.pixels, kept + 1
    except BrokenProcessPool as error:
        raise RuntimeError("a process that cropped faces was ended, as when memory runs out: try workers=1") from error
    finally:
        cv2.setNumThreads(threads)
    report = pd.DataFrame(rows).assign(image=table["image"].tolist(), detector=settings.detector)
    report = report.assign(found=report["faces"] > 0, aligned=report["angle"].notna())[REPORT]
    report = report.astype({"angle": "float64"} | dict.fromkeys(("image", "detector", "outcome", "reason"), "string"))
    if (report["outcome"] == UNREADABLE).all():
        raise ValueError(f"none of {len(jobs):,} images could be read, the first: {report['reason'].iloc[0]}")
    return pixels[:kept], report, _digest(pixels[:kept], report)


def _cut_part(settings: CropSettings, jobs: list[tuple]) -> list[Crop]:
    cropper = FaceCropper(settings)
    return [cropper.crop_file(*job) for job in jobs]


def _prepare(caller: int) -> None:
    """In a new process: OpenCV has one thread, and the process ends when the one that started it is killed."""

    def end_after_caller() -> None:
        while os.getppid() == caller:
            time.sleep(1)
        os._exit(1)

    cv2.setNumThreads(1)
    threading.Thread(target=end_after_caller, daemon=True).start()


def _key(table: pd.DataFrame, settings: CropSettings) -> str:
    """A hash of all that decides on the crops: settings, rows, the files' sizes and times, this code and OpenCV's."""

    @cache
    def container(folder: str) -> str:  # the archive or CSV file that it is or lies in, '' for a folder on disk
        return "" if os.path.isdir(folder) else str(split_at_container(folder)[0])

    files = sorted({container(os.path.dirname(path)) or path for path in table["path"]})
    states = [(file, os.path.getsize(file), os.stat(file).st_mtime_ns) for file in files if os.path.exists(file)]
    code = [cv2.__version__, *map(paths.file_sha256, (__file__, images.__file__))]
    rows = table[[name for name in ("image", "path", "box") if name in table]].to_csv(index=False)
    return hashlib.sha256(repr((settings, states, code, rows)).encode()).hexdigest()


def _digest(pixels: np.ndarray, report: pd.DataFrame) -> str:
    return hashlib.sha256(report.to_csv().encode() + pixels.tobytes()).hexdigest()
