"""RAF-DB, basic expressions: 15,339 photographs from the web, each labelled by about 40 people (Li et al. 2017, CVPR).

Read are the aligned images, anywhere in a folder or a zip, with the authors' list or in Kaggle's folders of labels.
"""

import re
from pathlib import Path

from fer_helpers.datasets.collect import SPLIT_FOLDERS, Collection
from fer_helpers.datasets.files import read_file
from fer_helpers.datasets.table import SPELLINGS, FaceDataset

NAME = "rafdb"
CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"), strict=True))
LABEL_FILES = ("list_patition_label.txt", "list_partition_label.txt")  # as the authors spell it, and as it is spelled
PUBLISHED_COUNTS = {"train": 12_271, "test": 3_068}
FOUND_AS = ("rafdb", "RAF-DB", "raf-db-dataset", "DATASET")
EXPECTED = "Image/aligned/ and EmoLabel/list_patition_label.txt, or train/<1..7>/ and test/<1..7>/"
IMAGE_NAME = re.compile(r"((train|test)_\d+)(_aligned)?\.jpg", re.ASCII)


def load(location: Path) -> FaceDataset:
    """Read the aligned images of RAF-DB (100 x 100 pixels); the authors' originals are passed over."""
    found = Collection(NAME, "RAF-DB", EXPECTED, location)
    label_name, folders = found.named(*LABEL_FILES), found.split_folders()
    if label_name:
        _read_list(found, label_name)
    elif PUBLISHED_COUNTS.keys() <= folders.keys():
        found.add_folders(folders, {split: split for split in PUBLISHED_COUNTS}, CODES)
    else:
        raise found.absent()
    return found.dataset(CODES.values(), PUBLISHED_COUNTS, PUBLISHED_COUNTS)


def _read_list(found: Collection, label_name: str) -> None:
    aligned = []
    for name in found.tree.images:
        *folders, file_name = name.lower().split("/")
        match = IMAGE_NAME.fullmatch(file_name)
        if match and not match[3] and "aligned" not in folders:
            found.passed_over.add(name)  # an image before its alignment
        elif match and match[3] and {SPLIT_FOLDERS.get(folder, match[2]) for folder in folders[-2:]} <= {match[2]}:
            aligned.append((f"{match[1]}.jpg", name))
    if not aligned:
        raise found.absent(": no aligned images, as in Image/aligned/: unpack the authors' aligned.zip")
    images = found.one_copy(aligned, depth=1, alone=False)
    for number, line in enumerate(read_file(found.tree.path(label_name)).decode("utf-8-sig", "replace").splitlines()):
        listed, label = line.lower().split() if len(line.split()) == 2 else ("", "")
        match = IMAGE_NAME.fullmatch(listed)
        right = match and not match[3] and label in CODES
        fault = f"{line[:80]!r} is no name and label from 1 to 7, as in 'train_00001.jpg 5'"
        folder = images.get(listed, "").split("/")[-2:][0]
        says = CODES.get(folder) or SPELLINGS.get(folder.lower())
        other = says and says != CODES.get(label), f"the list says {label[:80]}, its folder {folder}"
        if line.strip() and found.accepts(label_name, number, listed, images, (not right, fault), other):
            found.add(images[listed], CODES[label], match[2])
