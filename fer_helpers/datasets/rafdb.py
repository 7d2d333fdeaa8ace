"""RAF-DB, basic expressions: 15,339 photographs from the web, each labelled by about 40 people (Li et al. 2017, CVPR).

Layouts read, each as a folder or a zip, anywhere below it:

    Image/aligned/train_00001_aligned.jpg, EmoLabel/list_patition_label.txt   the authors' `basic`, so spelled or well
    DATASET/{train,test}/{1..7}/*.jpg, train_labels.csv, test_labels.csv      Kaggle's folders, aligned images only

With `images="original"` the authors' photographs before the alignment are read from `Image/original/train_00001.jpg`,
and the faces' boxes from `Annotation/boundingbox/train_00001_boundingbox.txt` where those are there.
"""

import re
from pathlib import Path, PurePosixPath

import numpy as np

from fer_helpers.datasets.collect import SPLIT_FOLDERS, Collection
from fer_helpers.datasets.files import read_file, read_lines, read_rows
from fer_helpers.datasets.table import FaceDataset

NAME = "rafdb"
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"), strict=True))
LABEL_FILES = ("list_patition_label.txt", "list_partition_label.txt")
KINDS = ("aligned", "original")
PUBLISHED_COUNTS = {"train": 12_271, "test": 3_068}
FOUND_AS = ("rafdb", "RAF-DB", "raf-db-dataset", "DATASET")
EXPECTED = "expected Image/aligned/ and EmoLabel/list_patition_label.txt, or train/<1..7>/ and test/<1..7>/; see "
EXPECTED += "data/README.md"
IMAGE_NAME = re.compile(r"((train|test)_\d+)(_aligned)?\.jpg", re.IGNORECASE | re.ASCII)


def load(location: Path, images: str = "aligned") -> FaceDataset:
    """Read RAF-DB: `aligned` images (100 x 100 pixels) or `original` ones (any size, with boxes where there are any).

    Raises:
        ValueError: there is no such kind of images.
    """
    if images not in KINDS:
        raise ValueError(f"images is one of {', '.join(KINDS)}, not {images!r}")
    found = Collection(NAME, "RAF-DB", EXPECTED, location)
    label_name = found.tree.named(*LABEL_FILES)
    if label_name:
        _read_list(found, label_name, images)
    else:
        _read_folders(found, images)
    published = {f"images in {split}": number for split, number in PUBLISHED_COUNTS.items()}
    return found.dataset(CLASSES, PUBLISHED_COUNTS, published, "the numbers of Li et al. 2017")


def _read_list(found: Collection, label_name: str, kind: str) -> None:
    """The authors' layout."""
    tree, codes, without = found.tree, set(), []
    images = _images_of_kind(found, kind)
    box_files = ((PurePosixPath(name).name, name) for name in tree.names if name.endswith("_boundingbox.txt"))
    boxes = found.one_copy(box_files, depth=1, alone=False) if kind == "original" else {}
    for number, line in enumerate(read_lines(tree.path(label_name))):
        parts = line.replace(",", " ").split()
        listed, label = parts if len(parts) == 2 else ("", "")
        match = IMAGE_NAME.fullmatch(listed)
        codes.add(label)
        faults = (
            (not match or bool(match[3]), f"{' '.join(parts)[:80]!r} is no name and label, as in 'train_00001.jpg 5'"),
            (label not in CODES, f"label {label[:80]!r} of {listed} is not in 1 to 7"),
        )
        if not parts or not found.accepts(label_name, number, listed.lower(), images, *faults):
            continue
        image, box_name = images[listed.lower()], listed.lower().replace(".jpg", "_boundingbox.txt")
        try:
            box = _box(tree.path(boxes[box_name])) if box_name in boxes else None
        except ValueError as error:
            found.skip(image, f"has no box: {error}")
            continue
        without += [image] * (box is None)
        found.add(image, CODES[label], match[2].lower(), box=box)
    found.check_numbering(codes, 1, 7, label_name)
    if boxes and without:
        found.notes.append(f"{len(without):,} images have no bounding box, {min(without)} first.")


def _images_of_kind(found: Collection, kind: str) -> dict[str, str]:
    """Where each image of this kind lies, by its name in the label file."""
    files = []
    for name in found.tree.images:
        *folders, file_name = name.lower().split("/")
        match = IMAGE_NAME.fullmatch(file_name)
        if not match:
            continue
        its_kind = KINDS[not match[3]]
        if {*KINDS} & {*folders} - {its_kind} or SPLIT_FOLDERS.get("".join(folders[-1:]), match[2]) != match[2]:
            found.skip(name, "contradicts its folder: which is right can't be told")
        elif its_kind == kind:
            files.append((f"{match[1]}.jpg", name))
        else:
            found.passed_over.add(name)
    if not files:
        raise found.absent(
            f": no {kind} images, as in Image/{kind}/; the authors pack them as {kind}.zip, which has to be unpacked, "
            "or ask for the other kind of images"
        )
    return found.one_copy(files, depth=1, alone=False)


def _box(path: str) -> tuple[float, ...]:
    """The box (x, y, width, height) in a file.

    Raises:
        ValueError: the file holds none; the message names it.
    """
    try:
        left, top, right, bottom = map(float, read_file(path).split())
    except ValueError as error:
        raise ValueError(f"{path} does not hold four numbers x1 y1 x2 y2 ({error}): get it again") from error
    if not (np.isfinite([left, top, right, bottom]).all() and right > left and bottom > top):
        raise ValueError(f"{path} holds a box without an area ({left:g} {top:g} {right:g} {bottom:g}): get it again")
    return left, top, round(right - left, 4), round(bottom - top, 4)


def _read_folders(found: Collection, kind: str) -> None:
    """Kaggle's layout: the folder is the label, whatever the CSV of the split says, which is compared."""
    folders = found.split_folders()
    labels = {split: {name.split("/")[-1]: name.split("/")[-2] for name in names} for split, names in folders.items()}
    if not all(any(map(str.isdigit, labels.get(split, {}).values())) for split in PUBLISHED_COUNTS):
        raise found.absent()
    if kind == "original":
        raise found.absent(" but aligned images: ask for images='aligned', or name a copy in the authors' layout")
    for split, names in folders.items():
        found.check_numbering(set(labels[split].values()), 1, 7, split)
        for name in names:
            *_, label, file_name = name.split("/")
            says = SPLIT_FOLDERS.get(file_name.partition("_")[0].lower(), split)
            if label not in CODES:
                found.skip(name, f"lies in a folder {label!r}, which is not in 1 to 7")
            elif says != split:
                found.skip(name, f"lies in a folder of {split}, but its name says {says}: which is right can't be told")
            else:
                found.add(name, CODES[label], split)
        csv_name = found.tree.named(f"{split}_labels.csv")
        if csv_name:
            _compare_csv(found, csv_name, labels[split])


def _compare_csv(found: Collection, csv_name: str, labels: dict[str, str]) -> None:
    """Note where the CSV of a split says otherwise than the folders, and skip its rows that say nothing."""
    other, listed = [], set()
    for number, (image, label) in read_rows(found.tree.path(csv_name), ("image", "label")):
        listed.add(image)
        fault = (label not in CODES, f"label {label[:80]!r} is not in 1 to 7; the folder's counts")
        if found.accepts(csv_name, number, image, labels, fault) and label != labels[image]:
            other.append(f"{image} (folder {labels[image]}, CSV {label})")
    unnamed = [image for image in labels if image not in listed]
    found.notes += [
        f"{len(images):,} images {what}; the first is {images[0]}."
        for images, what in (
            (other, f"have another label in {csv_name} than their folder, whose label counts"),
            (unnamed, f"have no row in {csv_name} and keep their folder's label"),
        )
        if images
    ]
