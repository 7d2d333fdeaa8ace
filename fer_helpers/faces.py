"""Faces cut out of photographs: found, turned until the eyes stand level, cropped as a square, resized.

The detectors are OpenCV's Haar cascade (Viola and Jones 2001) and, as an extra, dlib's frontal one (King 2015).
"""

import hashlib
import math
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
import pandas as pd
from joblib import Memory
from tqdm import tqdm

from fer_helpers import images, paths
from fer_helpers.images import CORES, Box, Images, cut_square, resize, rounded

# Measured on 2,000 images of FER-2013: at its 48 pixels Haar finds 36 % and dlib none; enlarged to 128 pixels 61 % and
# 67 %; with a border, since those faces fill their image, 78 % and 75 %. More than 128 pixels only takes longer.
DETECT_SIDE, DETECT_BORDER = 128, 0.25  # the shorter side of a smaller image, in pixels, and what is added to each
LONGEST_VIEW = 1024  # pixels: larger images are searched in a smaller copy
HAAR_SEARCH, SMALLEST_FACE = (1.1, 3), 0.25  # step of the scale and neighbours; of the image's shorter side

# Measured on 600 images of FER-2013, each also turned by 8 degrees: in half of them the two angles differ by 8 to
# within 0.7 degrees, in nine of ten within 2.2. A step of 1.1 finds four more pairs in a hundred, a third slower.
EYE_SIDE, EYE_SEARCH = 200, (1.15, 3)  # pixels to which a face is brought: at 128 an eighth fewer pairs are found
EYE_ROWS = (0.1, 0.6)  # of the face, from its top: below are nostrils and mouth corners
EYE_WIDTHS, EYE_DISTANCES, LARGEST_EYE_RATIO = (0.12, 0.4), (0.25, 0.65), 1.7  # of the face's side, and of each other
LARGEST_TILT = 25.0  # degrees: a frontal detector finds no face that is tilted more, so such a pair is no pair of eyes


@dataclass(frozen=True)
class CropSettings:
    """How faces are cut out."""

    size: int = 48  # height and width of a crop in pixels
    detector: str = "haar"  # haar or dlib
    interpolation: str = "bicubic"  # one of `images.INTERPOLATIONS`, as OpenCV has them: only area averages
    channels: int = 1  # 1 for grey, 3 for RGB


@dataclass(frozen=True)
class Crops(Images):
    """The faces of a table, whole images where none was found."""

    # Of each image of the whole table: image; outcome (cropped; whole, where no face was found; unreadable, and the
    # reason); box of the largest face; angle in degrees by which its eyes stood out of level, clockwise, and by which
    # it was turned back, missing where they were not found.
    report: pd.DataFrame


def crop_faces(table: pd.DataFrame, settings: CropSettings, workers: int = CORES, cached: bool = True) -> Crops:
    """Cut the face out of every image of a table, of several the largest; an image without one is resized as a whole.

    Unless `cached` is false, what was found is kept in the cache's folder; it holds for crops of every size. ValueError
    for an impossible setting, or where no image of the table can be read.
    """
    kind = settings.size, settings.channels, settings.interpolation
    images.check(table, *kind)
    find = Memory(paths.cache_dir() / "faces" if cached else None, verbose=0).cache(_find_all, ["table", "workers"])
    arguments = table, settings.detector, workers, _key(table) if cached else ""
    report, digest = find(*arguments)
    if _digest(report) != digest:  # the file is damaged, though it can be unpickled
        (report, _), _ = find.call(*arguments)
    found = list(report[["reason", "box", "angle"]].itertuples(index=False))
    read = images.reader(table, settings.channels)

    def face(row: int) -> np.ndarray:
        reason, box, angle = found[row]
        if not pd.isna(reason):  # it could not be read then
            raise ValueError(reason)
        image = read(row)
        return image if np.ndim(box) == 0 else cut_square(image, box, np.nan_to_num(angle), settings.interpolation)

    return Crops(**vars(images.read_images(table, *kind, face)), report=report)


class FaceFinder:
    """Finds faces in one grey image (height, width) after the other; not for two threads at once."""

    def __init__(self, detector: str):
        self._find = _detector(detector)
        self._eyes = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye.xml")

    def find(self, grey: np.ndarray) -> dict:
        """What `Crops.report` says of an image."""
        faces = self.boxes(grey)
        if not faces:
            return {"outcome": "whole"}
        return {"outcome": "cropped", "box": faces[0], "angle": self._tilt(grey, faces[0])}

    def boxes(self, grey: np.ndarray) -> list[Box]:
        """Boxes of all faces, the largest first."""
        scale = min(max(1.0, DETECT_SIDE / min(grey.shape)), LONGEST_VIEW / max(grey.shape))
        height, width = (max(1, round(side * scale)) for side in grey.shape)
        view = cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC if scale >= 1 else cv2.INTER_AREA)
        border = round(DETECT_BORDER * min(height, width))
        view = cv2.copyMakeBorder(view, border, border, border, border, cv2.BORDER_REPLICATE)
        found = np.reshape(self._find(view), (-1, 4)) - (border, border, 0, 0)
        return sorted(map(tuple, rounded(found / scale)), key=lambda box: -box[2] * box[3])

    def _tilt(self, grey: np.ndarray, box: Box) -> float | None:
        face = cut_square(grey[..., None], box, 0.0, "nearest")
        face = resize(face, EYE_SIDE, "area" if len(face) > EYE_SIDE else "bicubic")
        top, bottom = (round(EYE_SIDE * share) for share in EYE_ROWS)
        least, most = ((round(EYE_SIDE * width),) * 2 for width in EYE_WIDTHS)
        found = self._eyes.detectMultiScale(face[top:bottom], *EYE_SEARCH, minSize=least, maxSize=most)
        eyes = [(x + width / 2, top + y + height / 2, width) for x, y, width, height in found]
        return eye_tilt((np.reshape(eyes, (-1, 3)) / EYE_SIDE).tolist())


def _detector(name: str) -> Callable[[np.ndarray], Iterable[Box]]:
    """A function from a grey view (height, width) to the boxes of the faces in it."""
    if name not in ("haar", "dlib"):
        raise ValueError(f"detector is haar or dlib, not {name!r}")
    if name == "dlib":
        try:
            import dlib
        except ImportError as error:
            raise ImportError("detector='dlib' needs dlib: pip install -e .[dlib], or choose haar") from error
        find = dlib.get_frontal_face_detector()
        return lambda view: [(face.left(), face.top(), face.width(), face.height()) for face in find(view, 0)]
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    least = SMALLEST_FACE / (1 + 2 * DETECT_BORDER)  # of the view with its border
    return lambda view: cascade.detectMultiScale(view, *HAAR_SEARCH, minSize=(round(least * min(view.shape)),) * 2)


def eye_tilt(eyes: list[tuple[float, float, float]]) -> float | None:
    """Degrees, clockwise positive, by which the likeliest pair of eyes stands out of level; None without such a pair.

    An eye is x, y of its centre and its width, in a face of side 1.
    """
    likeliest, tilt = -math.inf, None
    for (x, y, width), (to_x, to_y, to_width) in product(eyes, eyes):
        angle = math.degrees(math.atan2(to_y - y, to_x - x))
        alike = max(width, to_width) <= LARGEST_EYE_RATIO * min(width, to_width)
        apart = EYE_DISTANCES[0] <= math.dist((x, y), (to_x, to_y)) <= EYE_DISTANCES[1]
        likely = width + to_width - abs(y - to_y)
        if x < 0.5 <= to_x and alike and apart and abs(angle) <= LARGEST_TILT and likely > likeliest:
            likeliest, tilt = likely, round(angle, 2)
    return tilt


def _find_all(table: pd.DataFrame, detector: str, workers: int, key: str) -> tuple[pd.DataFrame, str]:
    """The report on all images, and a digest of it."""
    _detector(detector)  # says at once if there is none
    read = images.reader(table, channels=1)
    mine = threading.local()  # a detector for each thread: none may be used by two at once

    def find(row: int) -> dict:
        mine.finder = getattr(mine, "finder", None) or FaceFinder(detector)
        return mine.finder.find(read(row)[..., 0])

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # in each of ours: with several, chance would order the boxes that a cascade finds
    try:
        found = images.in_threads(find, range(len(table)), workers)
        rows = [
            {"outcome": "unreadable", "reason": str(face)} if isinstance(face, ValueError) else face
            for face in tqdm(found, f"faces ({detector})", len(table), unit="image", mininterval=1)
        ]
    finally:
        cv2.setNumThreads(threads)
    report = pd.DataFrame(rows, columns=["outcome", "reason", "box", "angle"]).assign(image=table["image"].tolist())
    report = report.astype({"angle": "float64"} | dict.fromkeys(("image", "outcome", "reason"), "string"))
    return report, _digest(report)


def _key(table: pd.DataFrame) -> str:
    """A hash of all that decides on crops beside settings: rows, the files' sizes and times, this code and OpenCV's."""
    states = set()
    for path in map(os.path.abspath, table["path"]):
        while not os.path.exists(path):  # up to the archive that it is in
            path = os.path.dirname(path)
        states.add((path, os.path.getsize(path), os.stat(path).st_mtime_ns))
    code = [cv2.__version__, *map(paths.file_sha256, (__file__, images.__file__))]
    rows = table[["image", "path"]].to_csv(index=False)
    return hashlib.sha256(repr((sorted(states), code, rows)).encode()).hexdigest()


def _digest(report: pd.DataFrame) -> str:
    return hashlib.sha256(report.to_csv().encode()).hexdigest()
