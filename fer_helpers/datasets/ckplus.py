"""CK+: sequences from a neutral face to the peak of an expression (Lucey et al. 2010, CVPR Workshops).

Layouts read, each as a folder or a zip, at the top or below other folders:

    cohn-kanade-images/S005/001/S005_001_00000011.png       the authors' archives, unpacked side by side: all frames,
    Emotion/S005/001/S005_001_00000011_emotion.txt          and one code for each of the 327 labelled sequences
    CK+48/<class>/S010_004_00000017.png                     a copy on Kaggle: the last three frames of these, 48x48

A sequence without an emotion file is unlabelled: none of its frames is an example of neutral, and it is skipped. So is
a file whose name does not say subject, sequence and frame, and a sequence too short to use no frame twice. Where a copy
contradicts itself (a file in another subject's folder, two labels for one sequence, a code that is none) nobody can
tell which half is right: that is an error. Numbers that differ from the published ones stand in the notes.
"""

import re
from pathlib import Path, PurePosixPath

import pandas as pd

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_file
from fer_helpers.datasets.table import EXPRESSIONS, FaceDataset, LayoutError, differences

NAME = "ckplus"
CLASSES = EXPRESSIONS
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # 0 to 7 of an emotion file
EMOTION_FILE = "_emotion.txt"
STEM = re.compile(r"((S\d{3})_\d{3})_(\d{8})", re.ASCII)
IN_SEQUENCE_FOLDER = re.compile(r"(^|/)S\d{3}/\d{3}/S\d{3}_[^/]+$")
PUBLISHED = {"sequences": 593, "subjects": 123, "labelled sequences": 327}  # Lucey et al. 2010
PUBLISHED_SEQUENCES = dict(zip(EXPRESSIONS[1:], (69, 28, 83, 25, 59, 45, 18), strict=True))  # labelled; the same
FOUND_AS = ("ckplus", "CK+", "cohn-kanade-plus", "ckplus48", "CK+48")
EXPECTED = "expected cohn-kanade-images/S005/001/*.png and Emotion/S005/001/*_emotion.txt, both unpacked, or "
EXPECTED += "CK+48/<class>/*.png; see data/README.md"

Labels = dict[str, tuple[str, str, int]]  # by sequence: the expression, the file that says so, and its frame


def load(location: Path, last_frames: int = 3, first_as_neutral: bool = False) -> FaceDataset:
    """Read CK+; `subject`, `sequence` and `frame` are filled, and `split` is missing since there is no official one.

    Args:
        location: holds one of the layouts.
        last_frames: how many frames at the end of each labelled sequence bear its expression (singh_2022: 1).
        first_as_neutral: take the first frame of each as neutral (alam_2022), which the copy on Kaggle does not have.

    Raises:
        ValueError: `last_frames` is less than 1.
    """
    if last_frames < 1:
        raise ValueError(f"last_frames is {last_frames}: take at least 1 frame of each sequence")
    found = Collection(NAME, "CK+", EXPECTED, location)
    peaks, images = [name for name in found.tree.names if name.endswith(EMOTION_FILE)], found.tree.images
    whole = bool(peaks) or any(map(IN_SEQUENCE_FOLDER.search, images))  # whole sequences, the authors' layout
    if not whole and not any("/" in name and STEM.fullmatch(PurePosixPath(name).stem) for name in images):
        raise found.absent()
    if whole:
        frames = _frames(found, images, "S005/001/S005_001_00000011.png", depth=3)
        labels = _labels(found, _frames(found, peaks, "S005/001/S005_001_00000011_emotion.txt", depth=3))
    else:
        frames = _frames(found, images, "CK+48/anger/S010_004_00000017.png", depth=2)
        labels = _folder_labels(found, frames)
    found.passed_over |= set(frames["image"])
    sequences = {sequence: rows.to_dict("records") for sequence, rows in frames.groupby("sequence")}
    needed = last_frames + first_as_neutral if whole else 1
    for sequence in sorted(sequences.keys() | labels.keys()):
        present, (expression, peak, _) = sequences.get(sequence, []), labels.get(sequence, ("", "", 0))
        length = f"{len(present)} frames, and {last_frames=}, {first_as_neutral=} need {needed}"
        faults = {
            "no emotion file: this sequence is unlabelled": not expression,
            f"{peak} holds 0, no expression: this sequence is unlabelled": expression == "neutral",
            f"no image, though {peak} labels this sequence": not present,
            f"too short: {length}": len(present) < needed,
        }
        if any(faults.values()):
            found.skipped.append((sequence.replace("_", "/"), next(filter(faults.get, faults))))
            continue
        if first_as_neutral and whole:
            found.add(expression="neutral", **present[0])
        for frame in present[-last_frames:]:
            found.add(expression=expression, **frame)
    found.notes += _count_notes(frames, labels, whole)
    if whole:
        ends = frames.groupby("sequence")["frame"].max()
        cut = [name for name in ends.index if name in labels and labels[name][2] != ends[name]]
        found.notes += [
            f"{len(cut):,} sequences do not end at the frame that their emotion file names, the first is {name}: their "
            "last frames may not be the peak."
            for name in cut[:1]
        ]
    elif short := sum(len(present) < last_frames for present in sequences.values()):
        fewer = f"{short:,} sequences of this copy have fewer than the last {last_frames} frames asked for"
        found.notes.append(f"{fewer}: all they have are taken.")
    if first_as_neutral and not whole:
        found.notes.append("This copy has no first frames, and so no neutral images: cohn-kanade-images have them.")
    return found.dataset()


def _frames(found: Collection, names: list[str], expected: str, depth: int) -> pd.DataFrame:
    """`image`, `sequence`, `subject`, `frame` of each file whose name says them, in order; the others are skipped."""
    files = []
    for name in names:
        path, match = PurePosixPath(name), STEM.fullmatch(PurePosixPath(name).stem.removesuffix("_emotion"))
        if not match:
            found.skip(name, f"does not say subject, sequence and frame: expected a name like {expected}")
            continue
        folder, says = "/".join(path.parts[-3:-1]), match[1].replace("_", "/")
        if depth == 3 and folder != says:
            where = f"{found.tree.path(name)} lies in {folder or 'no folder'}"
            raise LayoutError(f"{where}, but its name says {says}: move or remove it")
        files.append(((match[1], match[2], int(match[3]), depth == 2 and path.parent.name), name))
    kept = sorted(found.one_copy(files, depth, alone=False).items())
    return pd.DataFrame([(name, *key[:3]) for key, name in kept], columns=["image", "sequence", "subject", "frame"])


def _folder_labels(found: Collection, frames: pd.DataFrame) -> Labels:
    """The label of each sequence of Kaggle's copy, which is the class folder of all its frames."""
    labels: Labels = {}
    for name, sequence in zip(frames["image"], frames["sequence"], strict=True):
        path = found.tree.path(name)
        if "/" not in name:
            raise LayoutError(f"{path} lies in no class folder: move it into CK+48/<class>/ or remove it")
        expression = found.class_of(name)
        other = labels.setdefault(sequence, (expression, name, 0))[0]
        if expression == "neutral":
            raise LayoutError(
                f"{path} is labelled neutral, which CK+48 does not have: remove that class; neutral frames are read "
                "from the authors' cohn-kanade-images with first_as_neutral=True"
            )
        if other != expression:
            raise LayoutError(f"{path} is labelled {expression}, another frame of {sequence} {other}: remove one class")
    return labels


def _labels(found: Collection, peaks: pd.DataFrame) -> Labels:
    """The label of each sequence that has an emotion file."""
    labels: Labels = {}
    codes = {float(code): expression for code, expression in enumerate(CODES)}
    for name, sequence, _, frame in peaks.itertuples(index=False):
        path = found.tree.path(name)
        if sequence in labels:
            other = labels[sequence][1]
            raise LayoutError(f"{other} and {path} are two emotion files of one sequence: remove the wrong one")
        text = read_file(path)[:100].decode("utf-8", "replace").strip()
        try:
            labels[sequence] = (codes[float(text)], name, frame)
        except (ValueError, KeyError):
            expected = "expected one number from 0 to 7; unpack Emotion_labels.zip again"
            raise LayoutError(f"{path} holds {text!r}: {expected}") from None
    return labels


def _count_notes(frames: pd.DataFrame, labels: Labels, whole: bool) -> tuple[str, ...]:
    labelled = [labels[name][0] for name in frames["sequence"].unique() if name in labels]
    counts = {"labelled sequences": len(labelled) - labelled.count("neutral")}
    if whole:
        counts |= {"sequences": frames["sequence"].nunique(), "subjects": frames["subject"].nunique()}
    published = {what: number for what, number in PUBLISHED.items() if what in counts}
    for name, number in PUBLISHED_SEQUENCES.items():
        counts[f"labelled {name}"], published[f"labelled {name}"] = labelled.count(name), number
    return differences(counts, published, "the numbers of Lucey et al. 2010")
