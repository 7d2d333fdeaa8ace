"""FER+ gives each photograph the expression of its authors' majority rule, and counts what the rule leaves out."""

import csv
import io
import zipfile
from collections import Counter

import numpy as np
import pytest

from fer_helpers.datasets import ferplus

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}

# Ten votes each, in the order of the header, and the expression worked out by hand.
VOTES = {
    "unanimous": ("0,10,0,0,0,0,0,0,0,0", "happy"),
    "more than half": ("0,0,0,6,4,0,0,0,0,0", "sad"),
    "exactly half": ("5,0,0,0,5,0,0,0,0,0", None),
    "most, but not half": ("4,0,0,3,3,0,0,0,0,0", None),
    "single votes dropped, then more than half": ("1,1,1,4,0,0,3,0,0,0", "sad"),  # 4 of 7
    "single votes dropped, then half": ("1,1,0,4,0,0,4,0,0,0", None),
    "only single votes": ("1,1,1,1,1,1,1,1,1,1", None),
    "no votes": ("0,0,0,0,0,0,0,0,0,0", None),
    "mostly unknown": ("0,0,2,0,0,0,0,0,8,0", None),
    "mostly not a face": ("0,0,0,0,0,0,0,0,0,10", None),
    "unknown counts among the votes": ("5,0,0,0,0,0,0,0,5,0", None),
    "a single unknown does not": ("5,0,0,0,4,0,0,0,1,0", "neutral"),  # 5 of 9
    "neutral": ("10,0,0,0,0,0,0,0,0,0", "neutral"),
    "surprise": ("0,0,9,0,0,0,1,0,0,0", "surprise"),
    "anger": ("0,0,0,0,7,3,0,0,0,0", "anger"),
    "disgust": ("0,0,0,0,2,8,0,0,0,0", "disgust"),
    "fear": ("0,0,3,0,0,0,7,0,0,0", "fear"),
    "contempt": ("3,0,0,0,0,0,0,7,0,0", "contempt"),
}
ROWS = (
    "Training,fer0000000.png,4,0,0,1,5,0,0,0,0,0",
    "PublicTest,fer0028638.png,0,10,0,0,0,0,0,0,0,0",
    "PrivateTest,fer0032220.png,0,0,0,0,2,1,0,7,0,0",
)
HAPPY = "0,10,0,0,0,0,0,0,0,0"


def ferplus_files(*more: str, top: str = "") -> dict[str, bytes | str]:
    """fer2013new.csv with these rows, and an image file for each of the first three and, if needed, fer0000001.png."""
    images = ["Train/fer0000000.png", "Valid/fer0028638.png", "Test/fer0032220.png"]
    images += ["Train/fer0000001.png"] if more else []
    files = {f"{top}data/FER2013{image}": b"" for image in images}
    return files | {f"{top}fer2013new.csv": "\n".join([HEADER, *ROWS, *more, ""])}


@pytest.mark.parametrize(("votes", "expression"), VOTES.values(), ids=VOTES)
def test_majority_is_that_of_the_authors_rule(votes, expression):
    assert ferplus.majority(np.array(votes.split(","), dtype=int)) == expression


@pytest.mark.parametrize("top", ["", "ferplus/"])
def test_each_image_has_its_expression_split_and_votes(lay_out, top):
    location = lay_out(ferplus_files(top=top))
    dataset = ferplus.load(location)
    images = ("FER2013Test/fer0032220.png", "FER2013Train/fer0000000.png", "FER2013Valid/fer0028638.png")
    expected = {
        "image": [f"{top}data/{image}" for image in images],
        "expression": ["contempt", "anger", "happy"],
        "label": [7, 6, 1],
        "split": ["test", "train", "val"],
        "votes_anger": [2, 5, 0],
        "votes_contempt": [7, 0, 0],
        "votes_not_a_face": [0, 0, 0],
    }
    assert dataset.table[list(expected)].to_dict("list") == expected
    assert (len(dataset.skipped), dataset.notes) == (0, ())
    answers = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt", "unknown", "not_a_face"]
    assert [column for column in dataset.table if "votes" in column] == [f"votes_{name}" for name in answers]


FIRST, TIE = "FER2013Train/fer0000001.png", "Training,fer0000001.png,5,0,0,0,5,0,0,0,0,0"


@pytest.mark.parametrize(
    ("row", "image", "reason"),
    [
        (TIE, FIRST, "no clear majority among its expressions"),
        ("Training,fer0000001.png,0,0,0,0,0,0,0,0,9,1", FIRST, "no clear majority among its expressions"),
        ("Training,,0,0,0,0,0,0,0,0,0,10", "fer2013new.csv/3", "left out by the authors: no image name"),
        (f"{TIE}\nTraining,fer0000001.png,{HAPPY}", FIRST, "second time: AT/fer2013new.csv, data row 3 counts"),
        (f"Training,gone.png,{HAPPY}", "FER2013Train/gone.png", "no file FER2013Train/gone.png"),
    ],
    ids=["tie", "unknown", "no image name", "named twice, first without a majority", "no file"],
)
def test_row_without_a_label_is_left_out_and_listed_with_its_reason(skips, row, image, reason):
    unnamed = {} if "fer0000001" in row else {f"data/{FIRST}": "nothing names it"}
    where = f"AT/fer2013new.csv, data row {3 + row.count(chr(10))})"
    skips(ferplus.load, ferplus_files(row), {}, 3, {image: f"{where} .. {reason}"} | unnamed)


VOTING = "votes are not ten whole numbers; download fer2013new.csv again"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"-fer2013new": 0}, "no FER+ under AT: expected fer2013new.csv beside .. see data/README.md"),
        ({"-fer0028638": 0}, "AT holds no image of any class in the split 'val' (1 left out, the first is FER2013Va"),
        ({"fer2013new.csv": "one,two,three\n"}, "AT/fer2013new.csv has the columns one, two, three: expected Usage"),
        ({"copy/fer2013new.csv": HEADER}, "more than one copy, and they differ (copy/fer2013new.csv, fer2013new.csv)"),
        (
            {"fer2013new.csv": f"{HEADER}\nTest,a.png,{HAPPY}"},
            "AT/fer2013new.csv, data row 0: Usage 'Test' is none of T",
        ),
        *(
            ({"fer2013new.csv": f"{HEADER}\nTraining,a.png,{votes}"}, f"AT/fer2013new.csv, data row 0: {VOTING}")
            for votes in ("0,10,0", *(f"0,{vote},0,0,0,0,0,0,0,0" for vote in ("ten", "-10", "9" * 4301, "1.5")))
        ),
    ],
)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(refuses, change, message):
    refuses(ferplus.load, ferplus_files(), change, message)


def test_one_of_two_copies_is_read(reads_one_of_two_copies):
    reads_one_of_two_copies(ferplus.load, ferplus_files(), ferplus_files(top="copy/"))


def authors_majority(votes: list[str]) -> int | None:
    """Mode `majority` of the authors' ferplus.py, written once more from its description."""
    counts = [int(vote) if int(vote) > 1 else 0 for vote in votes]
    best = max(counts)
    return counts.index(best) if 2 * best > sum(counts) and counts.index(best) < 8 else None


def test_real_ferplus_has_the_counts_that_its_csv_gives_by_the_rule(real_data):
    location = real_data("ferplus")
    dataset = ferplus.load(location)
    with zipfile.ZipFile(location) as archive:
        text = archive.read("fer2013new.csv").decode()
    rows = [row for row in csv.reader(io.StringIO(text)) if row[1].strip()][1:]
    labelled = [row for row in rows if authors_majority(row[2:]) is not None]
    # Every row with a majority, the three whose image is named a second time included.
    assert Counter(row[0] for row in labelled) == {"Training": 25_060, "PublicTest": 3_199, "PrivateTest": 3_153}
    assert Counter(dataset.table["split"]) == {"train": 25_060 - 3, "val": 3_199, "test": 3_153}
    assert dataset.skipped["reason"].str.contains("named a second time").sum() == 3
    assert len(dataset.table) + len(dataset.skipped) == 35_887

    order = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt"]
    expected = {f"data/{FOLDERS[row[0]]}/{row[1]}": order[authors_majority(row[2:])] for row in reversed(labelled)}
    assert dict(zip(dataset.table["image"], dataset.table["expression"], strict=True)) == expected
