"""CK+: sequences from a neutral face to the peak of an expression, 593 of 123 people (Lucey et al. 2010, CVPR Workshops).

Layouts read, each as a folder or a zip, at the top or below other folders:

    cohn-kanade-images/S005/001/S005_001_00000011.png       the authors' archives, unpacked side by side: all frames,
    Emotion/S005/001/S005_001_00000011_emotion.txt          and one code for each of the 327 labelled sequences
    CK+48/<class>/S010_004_00000017.png                     a copy on Kaggle: the last three frames of these, 48x48 pixels

A sequence without an emotion file is unlabelled: none of its frames is an example of neutral, and it is listed as skipped. So is a file
whose name does not say subject, sequence and frame, and a sequence that is too short to use no frame twice. Where a copy contradicts
itself (a file in another subject's folder, two labels for one sequence, a code that is none) nobody can tell which half is right: that is
an error. Numbers that differ from the published ones stand in the notes.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fer_helpers.datasets.files import FileTree
from fer_helpers.datasets.table import (
    EXPRESSIONS,
    FaceDataset,
    LayoutError,
    canonical_expression,
    differences,
    make_table,
    skipped_images,
)

NAME = "ckplus"
CLASSES = EXPRESSIONS
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")  # 0 to 7 of an emotion file
EMOTION_FILE = "_emotion.txt"
STEM = re.compile(r"(S\d{3})_(\d{3})_(\d{8})")
IN_SEQUENCE_FOLDER = re.compile(r"(^|/)S\d{3}/\d{3}/S\d{3}_[^/]+$")
PUBLISHED = {"sequences": 593, "subjects": 123, "labelled sequences": 327}  # Lucey et al. 2010
PUBLISHED_SEQUENCES = {
    "happy": 69,
    "sad": 28,
    "surprise": 83,
    "fear": 25,
    "disgust": 59,
    "anger": 45,
    "contempt": 18,
}  # labelled; the same
FOUND_AS = (
    "ckplus",
    "ckplus.zip",
    "CK+",
    "CK+.zip",
    "ck+",
    "ck+.zip",
    "cohn-kanade-plus",
    "ckplus48",
    "ckplus48.zip",
    "CK+48",
    "CK+48.zip",
)
EXPECTED = "expected cohn-kanade-images/S005/001/*.png and Emotion/S005/001/*_emotion.txt, both unpacked, or CK+48/<class>/*.png; see data/README.md"


@dataclass(frozen=True, order=True)
class Frame:
    """One image or emotion file by what its name says: `S005_001_00000011` is frame 11 of sequence `S005_001` of subject `S005`."""

    sequence: str
    number: int
    subject: str
    name: str  # in the tree


def load(location: Path, last_frames: int = 3, first_as_neutral: bool = False) -> FaceDataset:
    """Read CK+ from a folder or a zip.

    Args:
        location: holds one of the layouts.
        last_frames: how many frames at the end of each labelled sequence bear its expression (alam_2022: 3, singh_2022: 1).
        first_as_neutral: take the first frame of each labelled sequence as neutral (alam_2022). The copy on Kaggle has none: a note says so.

    Returns:
        The data set, `subject`, `sequence` and `frame` filled, `split` missing since there is no official one. `skipped` lists each
        sequence that is unlabelled or too short, and each file that is no frame.

    Raises:
        FileNotFoundError: nothing is there, or none of the layouts.
        LayoutError: images without emotion files, an emotion file without one of the codes, a file in a folder that contradicts its name,
            a frame or a label that stands there twice, an unknown class folder.
        ValueError: `last_frames` is less than 1.
    """
    if last_frames < 1:
        raise ValueError(f"last_frames is {last_frames}: take at least 1 frame of each sequence")
    tree = FileTree(Path(location))
    images = tree.images_below("")
    if any(name.endswith(EMOTION_FILE) for name in tree.names) or any(
        IN_SEQUENCE_FOLDER.search(name) for name in images
    ):
        return _from_sequences(tree, last_frames, first_as_neutral)
    if any(_frame(name) and "/" in name for name in images):
        return _from_class_folders(tree, last_frames, first_as_neutral)
    raise FileNotFoundError(f"no CK+ under {tree.location}: {EXPECTED}")


def _frame(name: str) -> Frame | None:
    """What the name of a file says, None if it says nothing."""
    match = STEM.fullmatch(PurePosixPath(name).stem.removesuffix("_emotion"))
    return Frame(f"{match[1]}_{match[2]}", int(match[3]), match[1], name) if match else None


def _frames(tree: FileTree, names: list[str], expected: str) -> tuple[list[Frame], list[tuple[str, str]]]:
    """The files whose names parse, in order of sequence and frame, and the others with the reason."""
    parsed = {name: _frame(name) for name in names}
    others = [
        (name, f"{tree.path(name)} does not say subject, sequence and frame: expected a name like {expected}")
        for name in names
        if not parsed[name]
    ]
    return sorted(frame for frame in parsed.values() if frame), others


def _by_sequence(frames: list[Frame], tree: FileTree) -> dict[str, list[Frame]]:
    """Frames by sequence, each in the order of time."""
    sequences: dict[str, list[Frame]] = {}
    for frame in frames:
        before = sequences.setdefault(frame.sequence, [])
        if before and before[-1].number == frame.number:
            raise LayoutError(
                f"{tree.path(before[-1].name)} and {frame.name} are the same frame: remove one, or name the folder above one copy"
            )
        before.append(frame)
    return sequences


def _row(frame: Frame, expression: str, tree: FileTree) -> dict:
    known = {"subject": frame.subject, "sequence": frame.sequence, "frame": frame.number}
    return {"image": frame.name, "path": tree.path(frame.name), "expression": expression} | known


def _from_sequences(tree: FileTree, last_frames: int, first_as_neutral: bool) -> FaceDataset:
    frames, skipped = _frames(tree, tree.images_below(""), "S005/001/S005_001_00000011.png")
    _check_folders(frames, tree)
    sequences = _by_sequence(frames, tree)
    labels, nameless = _labels(tree)
    rows = []
    for sequence in sorted(sequences.keys() | labels.keys()):
        present, label = sequences.get(sequence, []), labels.get(sequence)
        fault = _fault(present, label, last_frames, first_as_neutral)
        if fault:
            skipped.append((sequence.replace("_", "/"), fault))
            continue
        rows += [_row(present[0], "neutral", tree)] if first_as_neutral else []
        rows += [_row(frame, label.expression, tree) for frame in present[-last_frames:]]
    if not rows:
        raise LayoutError(f"no labelled sequence under {tree.location} ({_first_reason(skipped)}): {EXPECTED}")
    notes = (*_count_notes(sequences, labels), *_peak_notes(sequences, labels))
    return FaceDataset(NAME, tree.location, make_table(rows), skipped_images([*skipped, *nameless]), notes)


def _check_folders(frames: list[Frame], tree: FileTree) -> None:
    for frame in frames:
        folder, said = "/".join(PurePosixPath(frame.name).parts[-3:-1]), frame.sequence.replace("_", "/")
        if folder != said:
            raise LayoutError(
                f"{tree.path(frame.name)} lies in {folder or 'no folder'}, but its name says {said}: move it or remove it"
            )


@dataclass(frozen=True)
class Label:
    """What an emotion file says: the expression, and in its name the frame of the peak."""

    expression: str
    peak: Frame


def _labels(tree: FileTree) -> tuple[dict[str, Label], list[tuple[str, str]]]:
    """The label of each sequence that has an emotion file, and the emotion files whose names do not parse."""
    files = [name for name in tree.names if name.endswith(EMOTION_FILE)]
    peaks, nameless = _frames(tree, files, "S005/001/S005_001_00000011_emotion.txt")
    _check_folders(peaks, tree)
    labels: dict[str, Label] = {}
    for peak in peaks:
        if peak.sequence in labels:
            first = tree.path(labels[peak.sequence].peak.name)
            raise LayoutError(f"{first} and {peak.name} are two emotion files of one sequence: remove the wrong one")
        labels[peak.sequence] = Label(_expression(peak.name, tree), peak)
    return labels, nameless


def _expression(name: str, tree: FileTree) -> str:
    with tree.open_text(name) as file:
        text = file.read(100).strip()
    codes = {float(code): expression for code, expression in enumerate(CODES)}
    try:
        return codes[float(text)]
    except (ValueError, KeyError):
        raise LayoutError(
            f"{tree.path(name)} holds {text!r}: expected one number from 0 to {len(CODES) - 1}; unpack Emotion_labels.zip again"
        ) from None


def _fault(present: list[Frame], label: Label | None, last_frames: int, first_as_neutral: bool) -> str:
    """Why a sequence is left out, '' if it is not."""
    if not label:
        return "no emotion file: this sequence is unlabelled"
    if label.expression == "neutral":
        return f"{label.peak.name} holds 0, no expression: this sequence is unlabelled"
    if not present:
        return f"no image, though {label.peak.name} labels this sequence"
    if len(present) < last_frames + first_as_neutral:
        return f"too short: {len(present)} frames, and last_frames={last_frames}, first_as_neutral={first_as_neutral} need {last_frames + first_as_neutral}"
    return ""


def _first_reason(skipped: list[tuple[str, str]]) -> str:
    return f"{len(skipped):,} left out, the first is {skipped[0][0]}: {skipped[0][1]}" if skipped else "no image"


def _count_notes(sequences: dict[str, list[Frame]], labels: dict[str, Label]) -> tuple[str, ...]:
    labelled = [
        labels[sequence].expression
        for sequence in sequences
        if sequence in labels and labels[sequence].expression != "neutral"
    ]
    subjects = {frames[0].subject for frames in sequences.values()}
    found = {"sequences": len(sequences), "subjects": len(subjects), "labelled sequences": len(labelled)}
    return differences(
        found | _labelled(Counter(labelled)),
        PUBLISHED | _labelled(PUBLISHED_SEQUENCES),
        "the numbers of Lucey et al. 2010",
    )


def _labelled(counts: dict[str, int]) -> dict[str, int]:
    return {f"labelled {expression}": counts.get(expression, 0) for expression in PUBLISHED_SEQUENCES}


def _peak_notes(sequences: dict[str, list[Frame]], labels: dict[str, Label]) -> tuple[str, ...]:
    """A sentence on sequences that do not end at the frame which their emotion file names."""
    cut = [
        sequence
        for sequence, frames in sequences.items()
        if sequence in labels and labels[sequence].peak.number != frames[-1].number
    ]
    if not cut:
        return ()
    return (
        f"{len(cut):,} sequences do not end at the frame that their emotion file names, the first is {cut[0]}: their last frames may not be the peak.",
    )


def _from_class_folders(tree: FileTree, last_frames: int, first_as_neutral: bool) -> FaceDataset:
    frames, skipped = _frames(tree, tree.images_below(""), "CK+48/anger/S010_004_00000017.png")
    expressions = _expressions_by_folder(frames, tree)
    sequences = _by_sequence(frames, tree)
    rows = [
        _row(frame, expressions[sequence], tree)
        for sequence, present in sequences.items()
        for frame in present[-last_frames:]
    ]
    found = {"labelled sequences": len(sequences)} | _labelled(Counter(expressions.values()))
    published = {"labelled sequences": PUBLISHED["labelled sequences"]} | _labelled(PUBLISHED_SEQUENCES)
    notes = (
        *differences(found, published, "the numbers of Lucey et al. 2010"),
        *_missing_frame_notes(sequences, last_frames, first_as_neutral),
    )
    return FaceDataset(NAME, tree.location, make_table(rows), skipped_images(skipped), notes)


def _expressions_by_folder(frames: list[Frame], tree: FileTree) -> dict[str, str]:
    """The expression of each sequence, which is that of the folder of all its frames."""
    expressions: dict[str, str] = {}
    for frame in frames:
        expression = _class_of(frame, tree)
        other = expressions.setdefault(frame.sequence, expression)
        if other != expression:
            raise LayoutError(
                f"{tree.path(frame.name)} is labelled {expression}, another frame of {frame.sequence} {other}: remove the wrong ones"
            )
    return expressions


def _class_of(frame: Frame, tree: FileTree) -> str:
    folder = PurePosixPath(frame.name).parent
    if not folder.name:
        raise LayoutError(f"{tree.path(frame.name)} lies in no class folder: move it into CK+48/<class>/ or remove it")
    expression = canonical_expression(folder.name, tree.path(str(folder.parent)))
    if expression == "neutral":
        raise LayoutError(
            f"{tree.path(frame.name)} is labelled neutral, which CK+48 does not have: remove that class; "
            "neutral frames are read from the authors' cohn-kanade-images with first_as_neutral=True"
        )
    return expression


def _missing_frame_notes(
    sequences: dict[str, list[Frame]], last_frames: int, first_as_neutral: bool
) -> tuple[str, ...]:
    """Sentences on what was asked for and is not in this copy."""
    notes = []
    short = sum(len(frames) < last_frames for frames in sequences.values())
    if short:
        notes.append(
            f"{short:,} sequences of this copy have fewer than the last {last_frames} frames asked for: all they have are taken."
        )
    if first_as_neutral:
        notes.append(
            "This copy has no first frames, and so no neutral images: the authors' cohn-kanade-images have them."
        )
    return tuple(notes)
