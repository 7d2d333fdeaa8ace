"""FER+: FER-2013's photographs labelled again by ten taggers each, eight expressions (Barsoum et al. 2016, ICMI).

The label is the majority of the votes as the authors' own code takes it (`ferplus.py`, mode `majority`, in their
repository): single votes are dropped as outliers, and an expression needs more than half of the votes that remain. Rows
without one, and those whose majority is `unknown` or `not a face`, are left out and counted. The published CSV names
four images twice, one of them with other votes: the first row counts, as in the authors' label.csv.
"""

from pathlib import Path

import numpy as np

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import read_rows
from fer_helpers.datasets.table import EXPRESSIONS, SPELLINGS, FaceDataset, LayoutError

NAME = "ferplus"
FOLDER_SPLITS = {"FER2013Train": "train", "FER2013Valid": "val", "FER2013Test": "test"}
USAGE_FOLDERS = dict(zip(("Training", "PublicTest", "PrivateTest"), FOLDER_SPLITS, strict=True))
VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
ANSWERS = (*(SPELLINGS[column] for column in VOTE_COLUMNS[:8]), "unknown", "not_a_face")
FOUND_AS = ("ferplus",)
EXPECTED = "fer2013new.csv beside data/FER2013Train, FER2013Valid and FER2013Test"


def load(location: Path) -> FaceDataset:
    """Read FER+, with a column `votes_<answer>` for each of `ANSWERS`; a row that does not parse is an error."""
    found = Collection(NAME, "FER+", EXPECTED, location)
    csv_name = found.named("fer2013new.csv")
    if csv_name is None:
        raise found.absent()
    keyed = (("/".join(name.split("/")[-2:]), name) for name in found.tree.images)
    images = found.one_copy(((key, name) for key, name in keyed if key.split("/")[0] in FOLDER_SPLITS), depth=2)
    for number, (usage, name, *votes) in read_rows(found.tree.path(csv_name), ("Usage", "Image name", *VOTE_COLUMNS)):
        where = f"{found.tree.path(csv_name)}, data row {number}"
        if usage not in USAGE_FOLDERS or not all(vote.isascii() and vote.isdigit() and len(vote) < 4 for vote in votes):
            wanted = f"one of {', '.join(USAGE_FOLDERS)} and ten whole numbers"
            raise LayoutError(f"{where} is not {wanted}: download fer2013new.csv again")
        folder, label = USAGE_FOLDERS[usage], majority(np.array(votes, dtype=int))
        image = f"{folder}/{name}" if name else ""
        faults = (
            (not name, "left out by the authors: no image name"),
            (image not in images, f"no file {image}"),
            (label is None, "no clear majority among its expressions"),
        )
        if found.accepts(csv_name, number, image, images, *faults):
            counted = {f"votes_{answer}": int(vote) for answer, vote in zip(ANSWERS, votes, strict=True)}
            found.add(images[image], label, FOLDER_SPLITS[folder], **counted)
    return found.dataset(splits=FOLDER_SPLITS.values())


def majority(votes: np.ndarray) -> str | None:
    """The expression by the authors' rule, or None, of an int array (10,) of votes in the order of `VOTE_COLUMNS`."""
    kept = np.where(votes > 1, votes, 0)
    winner = int(kept.argmax())
    return ANSWERS[winner] if 2 * kept[winner] > kept.sum() and winner < len(EXPRESSIONS) else None
