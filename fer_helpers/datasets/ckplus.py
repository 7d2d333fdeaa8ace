"""CK+: sequences from a neutral face to the peak of an expression (Lucey et al. 2010, CVPR Workshops).

Read are, at any depth of a folder or a zip, the authors' archives, unpacked side by side, with all frames and a code
for each of the 327 labelled sequences (`Emotion/S005/001/S005_001_00000011_emotion.txt`), and a copy on Kaggle with the
last three frames of these, 48x48 (`CK+48/<class>/S010_004_00000017.png`). A sequence without a code is skipped: none of
its frames is neutral for that. Where a copy contradicts itself nobody can tell which half is right: an error.
"""

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_file
from fer_helpers.datasets.table import EXPRESSIONS, FaceDataset, LayoutError

NAME = "ckplus"
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # 0 to 7 of an emotion file
EMOTION_FILE = "_emotion.txt"
STEM = re.compile(r"(S\d{3}_\d{3})_(\d{8})(_emotion)?", re.ASCII)
IN_SEQUENCE_FOLDER = re.compile(r"(^|/)S\d{3}/\d{3}/S\d{3}_[^/]+$")
PUBLISHED = {"sequences": 593, "subjects": 123}  # Lucey et al. 2010
PUBLISHED_SEQUENCES = dict(zip(EXPRESSIONS[1:], (69, 28, 83, 25, 59, 45, 18), strict=True))  # labelled; the same
FOUND_AS = ("ckplus", "CK+", "cohn-kanade-plus", "ckplus48", "CK+48")
EXPECTED = "cohn-kanade-images/S005/001/*.png and Emotion/S005/001/*_emotion.txt, unpacked, or CK+48/<class>/*.png"


def load(location: Path, last_frames: int = 3, first_as_neutral: bool = False) -> FaceDataset:
    """Read CK+; `subject`, `sequence` and `frame` are filled, and `split` is missing since there is no official one.

    The `last_frames` of each labelled sequence bear its expression (singh_2022: 1); `first_as_neutral` takes the first
    frame of each as neutral (alam_2022), which the copy on Kaggle does not have.
    """
    if last_frames < 1:
        raise ValueError(f"last_frames is {last_frames}: take at least 1 frame of each sequence")
    found = Collection(NAME, "CK+", EXPECTED, location)
    peaks, images = [name for name in found.tree.names if name.endswith(EMOTION_FILE)], found.tree.images
    whole = bool(peaks) or any(map(IN_SEQUENCE_FOLDER.search, images))  # whole sequences, the authors' layout
    if not whole:
        images = [name for name in images if "/" in name]
        if not any(STEM.fullmatch(PurePosixPath(name).stem) for name in images):
            raise found.absent()
        if first_as_neutral:
            found.notes.append("This copy has no first frames, and so no neutral images: cohn-kanade-images have them.")
    sequences = _sequences(found, images, whole)
    labels = _labels(found, _sequences(found, peaks, whole) if whole else sequences)
    first_frames, cut, late = int(first_as_neutral and whole), [], []
    needed = first_frames + last_frames
    for sequence in sorted(sequences.keys() | labels.keys()):
        frames, (expression, peak, peak_frame) = sequences.get(sequence, []), labels.get(sequence, ("", "", 0))
        found.counts[f"labelled {expression}"] += bool(frames)
        found.passed_over |= {frame["image"] for frame in frames}
        faults = {
            "no emotion file: this sequence is unlabelled": not expression,
            f"{peak} names no expression but neutral: this sequence is unlabelled": expression == "neutral",
            f"no image, though {peak} labels this sequence": not frames,
            f"too short: {len(frames)} frames, and {needed} are asked for": len(frames) < needed,
        }
        if any(faults.values()):
            found.skipped.append((sequence.replace("_", "/"), next(filter(faults.get, faults))))
            continue
        late += [sequence] * (first_frames and frames[0]["frame"] != 1)
        for frame in frames[:first_frames]:
            found.add(expression="neutral", **frame)
        for frame in frames[-last_frames:]:
            found.add(expression=expression, **frame)
        cut += [sequence] * (whole and peak_frame != frames[-1]["frame"])
    if cut:
        first = f"the first is {cut[0]}: their last frames may not be the peak"
        found.notes.append(f"{len(cut):,} sequences do not end at the frame that their emotion file names, {first}.")
    if late:
        first = f"the first is {late[0]}: what is taken as neutral may not be"
        found.notes.append(f"{len(late):,} sequences do not begin with frame 1, {first}.")
    found.counts |= {"sequences": len(sequences), "subjects": len({name[:4] for name in sequences})}
    labelled = {f"labelled {name}": number for name, number in PUBLISHED_SEQUENCES.items()}
    return found.dataset(published=PUBLISHED | labelled if whole else labelled)


def _sequences(found: Collection, names: list[str], whole: bool) -> dict[str, list[dict]]:
    """The files of each sequence in order, as columns of the table; those whose names do not say these are skipped."""
    files, sequences = [], defaultdict(list)
    for name in names:
        path, match = PurePosixPath(name), STEM.fullmatch(PurePosixPath(name).stem)
        if not match:
            found.skip(name, "does not say subject, sequence and frame: expected a name like S005_001_00000011")
            continue
        folder, says = "/".join(path.parts[-3:-1]), match[1].replace("_", "/")
        if whole and folder != says:
            where = f"{found.tree.path(name)} lies in {folder or 'no folder'}"
            raise LayoutError(f"{where}, but its name says {says}: move or remove it")
        files.append(((match[1], int(match[2]), "" if whole else path.parent.name), name))
    for (sequence, frame, _), name in sorted(found.one_copy(files, depth=3 if whole else 2, alone=False).items()):
        sequences[sequence].append({"image": name, "subject": sequence[:4], "sequence": sequence, "frame": frame})
    return sequences


def _labels(found: Collection, sequences: dict[str, list[dict]]) -> dict[str, tuple[str, str, int]]:
    """By sequence its expression, and the first file that says so, an emotion file or an image, with its frame."""
    labels: dict[str, tuple[str, str, int]] = {}
    for sequence, file in ((sequence, file) for sequence, files in sequences.items() for file in files):
        name = file["image"]
        expression = _code(found.tree.path(name)) if name.endswith(EMOTION_FILE) else found.class_of(name)
        first, other, _ = labels.setdefault(sequence, (expression, name, file["frame"]))
        if first != expression:
            both = f"{found.tree.path(name)} says {expression} of {sequence}, {other} says {first}"
            raise LayoutError(f"{both}: remove the wrong one")
    return labels


def _code(path: str) -> str:
    """The expression that an emotion file names."""
    text = read_file(path)[:100].decode("utf-8", "replace").strip()
    if not re.fullmatch(r"[0-7](\.0*(e\+00)?)?", text, re.ASCII):
        raise LayoutError(f"{path} holds {text!r}: expected one number from 0 to 7; unpack Emotion_labels.zip again")
    return CODES[int(text[0])]
