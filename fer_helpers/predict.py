"""What a network trained here makes of your own photographs and videos, without Keras.

    python -m fer_helpers.predict PHOTO_OR_FOLDER... --csv out.csv

No network can know what a person feels: faces show little of it, and not alike (Barrett et al. 2019). Use it on people
who have agreed to it.
"""

import argparse
import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from fer_helpers import images, network, paths
from fer_helpers.datasets.collect import DOCUMENTS
from fer_helpers.datasets.files import read_file
from fer_helpers.network import Network

UNCLEAR = "no clear expression"
NO_FACE = "no face that looks this way was found"
THRESHOLD = 0.4  # of calibrated confidence; among seven expressions chance is 0.14
BOX = ("x", "y", "width", "height")
COLUMNS = ("file", "second", "face", *BOX, "answer", "confidence", "note")
TRAINED_SIDE = 48  # pixels of a training photograph, which was enlarged to what the network takes
# dlib finds faces of 80 pixels or more (King 2015): pictures are enlarged, more so small ones, which may be all face.
# By 1.5 it finds those of 53. Of 400 photographs of FER-2013's PublicTest, each within a picture, as many as by 2 where
# they were of 64 pixels or more, at 56 a ninth fewer, at 48 a fifth; in 14 ms, not 23. Of the same alone, with a border
# of 12 pixels 294 (right: 201), with one of 24 298 (196), an eighth slower.
ENLARGED, SHORTEST_VIEW, LONGEST_VIEW, BORDER = 1.5, 160, 2048, 12
# Its boxes end at the brows, and training photographs do not: up by a share of the side, and enlarged. Chosen on 1,174
# faces of FER-2013's PublicTest within pictures: 65.8 % right, by the boxes as found 63.4 %, by Haar's at most 60.1 %.
BOX_UP, BOX_ENLARGED = 0.05, 1.1
DETECTOR = "f3f7aa833fb4a14a46fc48689f45b98d85ef72d6dfaf8bdc012b7d3c522a5426"  # SHA-256 of dlib's, once saved
VIDEOS = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".3g2", ".mts", ".flv")
PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
TITLES = ("README", "LICENSE", "COPYING", "CHANGELOG")
WHOLE = 0.9  # a video with a smaller share of the frames that its header names is damaged
SAME_FACE = 0.3  # share of their union that two boxes have in common, from one frame looked at to the next


def predict(where: list[Path], trained: Network, threshold: float = THRESHOLD, every: float = 1.0) -> pd.DataFrame:
    """What the network says of every face in photographs, videos and folders of them: `COLUMNS`, `p_<expression>`.

    Below the `threshold` of confidence the answer is `no clear expression`. A picture's largest face comes first. Of a
    video one frame is looked at `every` so many seconds, and a face keeps its number from frame to frame. A file
    without a face, or that can't be read, is a row whose `note` says so. ImportError without dlib.
    """
    _detector(threading.get_ident())  # says at once if there is none
    files = files_in(where)
    with ThreadPool(images.CORES) as threads:
        found = threads.imap(functools.partial(_rows_of, every=every), files)
        rows = chain(*tqdm(found, "photographs", len(files), unit="file", delay=2))
    kinds = {"second": "float64", "note": "object"} | dict.fromkeys(("face", *BOX), "Int64")
    table = pd.DataFrame(rows, columns=[*COLUMNS, "crop"]).astype(kinds)
    crops = table.pop("crop").dropna()
    chances = pd.DataFrame(trained.probabilities(np.array([*crops])), crops.index, trained.card["classes"])
    confidence = chances.max(axis=1)
    answer = chances.idxmax(axis=1).astype(object).mask(confidence < threshold, UNCLEAR)
    table = table.assign(answer=answer, confidence=confidence, note=table["note"].fillna(""))
    return table.join(chances.add_prefix("p_"))


def files_in(where: list[Path]) -> list[Path]:
    """The files meant: those named, and in a folder all that are no documents, or itself if there are none.

    A folder below it that can't be looked into is there too; what is hidden is not.
    """
    return [file for path in where for file in _files_in(path)]


def _files_in(path: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=lambda error: found.append(Path(error.filename))):
        folders[:] = [name for name in folders if name[0] != "."]
        shown = (Path(folder, name) for name in names if name[0] != ".")
        found.extend(Path(folder, name) for name in folders if Path(folder, name).is_symlink())
        found.extend(file for file in shown if file.suffix.lower() not in DOCUMENTS and file.name not in TITLES)
    return sorted(found) or [path]


def _rows_of(file: Path, every: float) -> list[dict]:
    """A row for each face in a photograph or a video, and one that says why there are none, or no more."""
    found = []
    try:
        is_video = file.suffix.lower() in VIDEOS and file.is_file()
        pictures = _frames(file, every) if is_video else [(None, _photograph(file))]
        for row in _faces_of(pictures, _detector(threading.get_ident())):
            found.append(row)  # noqa: PERF402, those before an error stay
    except FileNotFoundError:
        found.append({"note": "there is no such file"})
    except (OSError, ValueError) as error:
        found.append({"note": str(error)})
    return [{"file": str(file)} | row for row in found or [{"note": NO_FACE}]]


def _photograph(file: Path) -> np.ndarray:
    """A photograph, upright, in grey (height, width); ValueError or OSError that says why there is none."""
    if file.is_dir() and file.is_symlink():
        raise ValueError("is a link to a folder, which is not followed: name it itself")
    if file.is_dir() and os.listdir(file) is not None:  # OSError where it can't be looked into
        raise ValueError("holds no photograph and no video")
    if file.exists() and not file.is_file():
        raise ValueError("is no file but a pipe or a device")
    content = read_file(str(file))
    if content[4:12] in [b"ftyp" + brand for brand in PICTURE_BRANDS] or content[:4] == b"GIF8":
        raise ValueError("is a HEIC, AVIF or GIF picture, which is not read: save it as JPEG or PNG")
    return images.decode(content, channels=1)[..., 0]


def _frames(file: Path, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Second and grey pixels of a video's frames, one each `every` seconds; ValueError at an end too soon."""
    video = cv2.VideoCapture(str(file))
    rate, frames = video.get(cv2.CAP_PROP_FPS), int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    if video.get(cv2.CAP_PROP_FRAME_WIDTH) * video.get(cv2.CAP_PROP_FRAME_HEIGHT) > images.MOST_PIXELS:
        raise ValueError(f"has frames of more than {images.MOST_PIXELS:,} pixels, which are not decoded: shrink it")
    due = 0.0
    for number in tqdm(count(), file.name, max(frames, 0) or None, unit="frame", delay=2, leave=False):
        if not video.grab():
            break
        second = video.get(cv2.CAP_PROP_POS_MSEC) / 1000 or number / max(rate, 1)  # frames need not be evenly spaced
        if second >= due:
            due, (read, picture) = every * (1 + (second + 1e-3) // every), video.retrieve()
            if read:
                yield round(second, 2), cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    video.release()
    if not number:
        raise ValueError("can't be decoded: it is damaged, or no video that OpenCV reads; save it as MP4 with H.264")
    if number < WHOLE * frames:
        raise ValueError(f"ends after {number} of the {frames} frames that it names: it is damaged")


@functools.cache
def _detector(thread: int) -> Callable[[np.ndarray], Iterable]:
    """dlib's detector for a thread. Its own is half a second's work to unpack: a copy is kept in the cache's folder."""
    try:
        import dlib
    except ImportError as error:
        raise ImportError("finding faces needs dlib: pip install -e .[dlib]") from error
    copy = paths.cache_dir() / "dlib_frontal_face_detector.svm"
    if copy.exists() and paths.file_sha256(copy) == DETECTOR:
        return dlib.fhog_object_detector(str(copy))
    find = dlib.get_frontal_face_detector()
    with contextlib.suppress(OSError, RuntimeError), paths.written_whole(copy) as partial:  # it can do without
        find.save(str(partial))
    return find


def _boxes(grey: np.ndarray, find: Callable[[np.ndarray], Iterable]) -> list[images.Box]:
    """Boxes of all faces in a picture (height, width), the largest first, as the training photographs were cut."""
    scale = min(max(ENLARGED, SHORTEST_VIEW / min(grey.shape)), LONGEST_VIEW / max(grey.shape))
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    view = cv2.resize(grey, (width, height), interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    view = cv2.copyMakeBorder(view, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    boxes = []
    for face in sorted(find(view), key=lambda face: -face.area()):
        side, middle = BOX_ENLARGED * face.width(), face.center()
        corner = middle.x - BORDER - side / 2, middle.y - BORDER - side / 2 - BOX_UP * face.height()
        boxes.append(tuple(images.rounded(np.array([*corner, side, side]) / scale)))
    return boxes


def _faces_of(pictures: Iterable, find: Callable) -> Iterator[dict]:
    """A row with the crop of each face of a photograph, or of the frames of one video, whose boxes are followed."""
    seen: dict[int, images.Box] = {}  # by a face's number, where it was last
    for second, grey in pictures:
        others = dict(seen)
        for box in _boxes(grey, find):
            number = max(others, key=lambda other: _overlap(others[other], box), default=0)
            if not others or _overlap(others[number], box) < SAME_FACE:
                number = len(seen) + 1
            others.pop(number, None)
            seen[number] = box
            face = images.resize(images.cut_square(grey[..., None], box, 0.0, "bicubic"), TRAINED_SIDE, "area")
            row = dict(zip(BOX, box, strict=True))
            yield {"second": second, "face": number, "crop": equalised([face])[0]} | row


def equalised(faces: Iterable[np.ndarray]) -> np.ndarray:
    """Grey faces, uint8 (n, side, side, 1), with equalised histograms, as most that the network was trained on.

    Of FER+'s 3,186 validation photographs, which nobody has equalised, 69.4 % are right so, as they are 67.0 %.
    """
    return np.array([cv2.equalizeHist(face)[..., None] for face in faces])


def _overlap(first: images.Box, other: images.Box) -> float:
    """Intersection over union of two boxes."""
    (x, y, width, height), (to_x, to_y, to_width, to_height) = first, other
    across = max(0, min(x + width, to_x + to_width) - max(x, to_x))
    down = max(0, min(y + height, to_y + to_height) - max(y, to_y))
    return across * down / (width * height + to_width * to_height - across * down)


def main() -> int:
    """Answer from the command line; the exit status is 1 where not one face got an answer."""
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="photograph, video, or folder of them")
    parser.add_argument("--csv", type=Path, help="write all columns into this file")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="confidence that a clear answer needs")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="between frames of a video")
    options = parser.parse_args()
    if "" in options.photos:
        parser.error("one PHOTO is empty, which would be every file of this folder: name it")
    if not (0 <= options.threshold <= 1 and 0 < options.every < float("inf")):
        parser.error("--threshold is from 0 to 1, and --every more than 0 seconds")
    if options.csv and os.path.exists(options.csv) and not os.path.isfile(options.csv):
        parser.error(f"--csv {options.csv} is no file: name a new one")
    if options.csv and options.csv.suffix.lower() != ".csv":
        parser.error(f"--csv {options.csv} does not end in .csv")
    sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what a damaged file lacks is said once, in its row
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        table = predict([*map(Path, options.photos)], network.load(), options.threshold, options.every)
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: no answer was written", file=sys.stderr)
        os._exit(130)  # a thread that looks at a film would not end before it
    for row in table.itertuples():
        when = "" if pd.isna(row.second) else f" at {row.second:g} s"
        said = row.note or f"face {row.face:.0f}: {row.answer} ({row.confidence:.0%})"
        print("".join(one if one.isprintable() else ascii(one)[1:-1] for one in f"{row.file}{when}: {said}"))
    try:
        if options.csv:
            with paths.written_whole(options.csv.resolve()) as partial:
                table.to_csv(partial, index=False, errors="backslashreplace")
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return int(table["face"].isna().all())


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ends in silence where `| head` has read enough
    sys.exit(main())
