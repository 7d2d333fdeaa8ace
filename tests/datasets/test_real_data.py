"""Real copies, where they are present, hold what was published, counted here without the loaders."""

import csv
import io
import zipfile
from collections import Counter

from fer_helpers.datasets import ckplus, fer2013, ferplus, rafdb


def by_expression(names: str, *numbers: int) -> dict[str, int]:
    return dict(zip(names.split(), numbers, strict=True))


def test_real_fer2013_has_the_published_number_of_images_of_each_split_and_class(real_data):
    table = (dataset := fer2013.load(real_data("fer2013"))).table
    assert (len(dataset.skipped), dataset.notes) == (0, ())
    assert Counter(table["split"]) == {"train": 28_709, "val": 3_589, "test": 3_589} == fer2013.PUBLISHED_COUNTS
    for split, counts in (  # of the challenge's CSV, in the order of its codes
        ("train", (3_995, 436, 4_097, 7_215, 4_830, 3_171, 4_965)),
        ("val", (467, 56, 496, 895, 653, 415, 607)),
        ("test", (491, 55, 528, 879, 594, 416, 626)),
    ):
        told = by_expression("anger disgust fear happy sad surprise neutral", *counts)
        assert Counter(table.loc[table["split"] == split, "expression"]) == told
    printed = (958, 111, 1_024, 1_774, 1_233, 1_247, 831)  # of both halves, by huang_2024
    halves = by_expression("anger disgust fear happy neutral sad surprise", *printed)
    assert Counter(table.loc[table["split"] != "train", "expression"]) == halves


def authors_majority(votes: list[str]) -> int | None:
    """Mode `majority` of the authors' ferplus.py, written once more from its description."""
    counts = [int(vote) if int(vote) > 1 else 0 for vote in votes]
    best = max(counts)
    return counts.index(best) if 2 * best > sum(counts) and counts.index(best) < 8 else None


def test_real_ferplus_has_the_counts_that_its_csv_gives_by_the_rule(real_data):
    dataset = ferplus.load(location := real_data("ferplus"))
    with zipfile.ZipFile(location) as archive:
        rows = [row for row in csv.reader(io.StringIO(archive.read("fer2013new.csv").decode())) if row[1].strip()][1:]
    labelled = [row for row in rows if authors_majority(row[2:]) is not None]
    # Every row with a majority, the three whose image is named a second time included.
    assert Counter(row[0] for row in labelled) == {"Training": 25_060, "PublicTest": 3_199, "PrivateTest": 3_153}
    assert Counter(dataset.table["split"]) == {"train": 25_060 - 3, "val": 3_199, "test": 3_153}
    assert dataset.skipped["reason"].str.contains("named a second time").sum() == 3
    assert len(dataset.table) + len(dataset.skipped) == 35_887
    folders = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}
    order = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt"]
    expected = {f"data/{folders[row[0]]}/{row[1]}": order[authors_majority(row[2:])] for row in reversed(labelled)}
    assert dict(zip(dataset.table["image"], dataset.table["expression"], strict=True)) == expected


def test_real_ck48_has_three_frames_of_each_published_sequence(real_data):
    location = real_data("ckplus48")
    table = (dataset := ckplus.load(location)).table
    assert (len(table), table["sequence"].nunique(), table["subject"].nunique()) == (981, 327, 118)
    assert set(table.groupby("sequence").size()) == {3}
    published = by_expression("anger contempt disgust fear happy sad surprise", 45, 18, 59, 25, 69, 28, 83)
    assert Counter(table.drop_duplicates("sequence")["expression"]) == published  # Lucey et al. 2010
    assert (dataset.notes, len(dataset.skipped)) == ((), 0)
    frames = table.groupby("sequence")["frame"]
    assert (frames.max() - frames.min() == 2).all()
    last = ckplus.load(location, last_frames=1).table.set_index("sequence")["frame"]
    assert last.to_dict() == frames.max().to_dict()
    assert len(ckplus.load(location / "CK+48").table) == 981


def test_real_rafdb_has_the_published_number_of_images_of_each_split(real_data):
    table = rafdb.load(real_data("rafdb")).table
    assert Counter(table["split"]) == {"train": 12_271, "test": 3_068} == rafdb.PUBLISHED_COUNTS
