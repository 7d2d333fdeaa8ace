"""FER+ gives each photograph the expression that its authors' majority rule gives, and counts what the rule leaves out."""

import csv
import io
import zipfile
from collections import Counter

import numpy as np
import pytest

from fer_helpers.datasets import ferplus
from fer_helpers.datasets.table import LayoutError

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


def ferplus_files(rows: list[str], top: str = "", header: str = HEADER) -> dict[str, bytes | str]:
    """fer2013new.csv with these rows, and an image file for each that names one."""
    files: dict[str, bytes | str] = {f"{top}fer2013new.csv": "\n".join([header, *rows]) + "\n"}
    for row in rows:
        usage, name = row.split(",")[:2]
        if name and usage in FOLDERS:
            files[f"{top}data/{FOLDERS[usage]}/{name}"] = b""
    return files


THREE_ROWS = [
    "Training,fer0000000.png,4,0,0,1,5,0,0,0,0,0",
    "PublicTest,fer0028638.png,0,10,0,0,0,0,0,0,0,0",
    "PrivateTest,fer0032220.png,0,0,0,0,2,1,0,7,0,0",
]


@pytest.mark.parametrize(("votes", "expression"), VOTES.values(), ids=VOTES)
def test_majority_is_that_of_the_authors_rule(votes, expression):
    assert ferplus.majority(np.array(votes.split(","), dtype=int)) == expression


@pytest.mark.parametrize("top", ["", "ferplus/"])
def test_each_image_has_its_expression_split_and_votes(lay_out, top):
    location = lay_out(ferplus_files(THREE_ROWS, top))
    dataset = ferplus.load(location)
    expected = {
        "image": [
            f"{top}data/FER2013Test/fer0032220.png",
            f"{top}data/FER2013Train/fer0000000.png",
            f"{top}data/FER2013Valid/fer0028638.png",
        ],
        "expression": ["contempt", "anger", "happy"],
        "label": [7, 6, 1],
        "split": ["test", "train", "val"],
        "votes_anger": [2, 5, 0],
        "votes_contempt": [7, 0, 0],
        "votes_not_a_face": [0, 0, 0],
    }
    assert dataset.table[list(expected)].to_dict("list") == expected
    assert dataset.table["path"].tolist() == [f"{location.as_posix()}/{name}" for name in expected["image"]]
    assert len(dataset.skipped) == 0


def test_votes_have_a_column_for_each_expression_and_for_the_two_other_answers(lay_out):
    table = ferplus.load(lay_out(ferplus_files(THREE_ROWS))).table
    columns = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt", "unknown", "not_a_face"]
    assert [column for column in table if column.startswith("votes_")] == [f"votes_{name}" for name in columns]


@pytest.mark.parametrize(
    ("row", "image", "reason"),
    [
        ("Training,fer0000001.png,5,0,0,0,5,0,0,0,0,0", "fer0000001.png", "no clear majority among its expressions"),
        ("Training,fer0000001.png,0,0,0,0,0,0,0,0,9,1", "fer0000001.png", "no clear majority among its expressions"),
        ("Training,fer0000001.png,0,0,0,0,0,0,0,0,0,10", "fer0000001.png", "no clear majority among its expressions"),
        ("Training,,0,0,0,0,0,0,0,0,0,10", "fer2013new.csv/3", "left out by the authors: no image name"),
        (
            "Training,fer0000000.png,0,10,0,0,0,0,0,0,0,0",
            "fer0000000.png",
            "named a second time in fer2013new.csv, data row 3: the first row counts",
        ),
    ],
    ids=["tie", "unknown", "not a face", "no image name", "named twice"],
)
def test_row_without_a_label_is_left_out_and_listed_with_its_reason(lay_out, row, image, reason):
    dataset = ferplus.load(lay_out(ferplus_files([*THREE_ROWS, row])))
    assert dataset.table["expression"].tolist() == ["contempt", "anger", "happy"]
    assert dataset.skipped.to_dict("list") == {"image": [image], "reason": [reason]}


def test_first_row_of_an_image_counts_even_if_it_gives_no_label(lay_out):
    twice = ["Training,fer0000001.png,5,0,0,0,5,0,0,0,0,0", "Training,fer0000001.png,0,10,0,0,0,0,0,0,0,0"]
    dataset = ferplus.load(lay_out(ferplus_files([*THREE_ROWS, *twice])))
    assert len(dataset.table) == 3
    assert dataset.skipped["reason"].tolist() == [
        "no clear majority among its expressions",
        "named a second time in fer2013new.csv, data row 4: the first row counts",
    ]


def test_same_name_in_another_split_is_another_image(lay_out):
    dataset = ferplus.load(lay_out(ferplus_files([*THREE_ROWS, "PublicTest,fer0000000.png,0,10,0,0,0,0,0,0,0,0"])))
    assert Counter(dataset.table["split"]) == {"train": 1, "val": 2, "test": 1}


def test_row_whose_image_is_not_there_is_left_out_and_names_the_file(lay_out):
    files = ferplus_files([*THREE_ROWS, "Training,fer0000001.png,0,10,0,0,0,0,0,0,0,0"])
    del files["data/FER2013Train/fer0000001.png"]
    dataset = ferplus.load(lay_out(files))
    assert len(dataset.table) == 3
    assert dataset.skipped["image"].tolist() == ["fer0000001.png"]
    assert dataset.skipped["reason"].item() == "no file FER2013Train/fer0000001.png, though fer2013new.csv names it"


def test_missing_folder_says_what_is_missing_and_the_next_step(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder or archive: .*/nowhere; name one that exists"):
        ferplus.load(tmp_path / "nowhere")


def test_other_layout_is_an_error_that_says_what_was_expected(lay_out):
    location = lay_out({"FER2013Train/fer0000000.png": b"", "FER2013Train/label.csv": "fer0000000.png"})
    with pytest.raises(
        FileNotFoundError, match=rf"no FER\+ under {location}: expected fer2013new\.csv beside .* see data/README\.md"
    ):
        ferplus.load(location)


def test_images_that_were_not_downloaded_are_an_error_that_names_the_split(lay_out):
    files = ferplus_files(THREE_ROWS)
    del files["data/FER2013Valid/fer0028638.png"]
    location = lay_out(files)
    with pytest.raises(LayoutError, match=rf"no image of val under {location}: expected fer2013new\.csv beside"):
        ferplus.load(location)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("Test,fer0000001.png,0,10,0,0,0,0,0,0,0,0", "Usage 'Test' is none of Training, PublicTest, PrivateTest"),
        ("Training,fer0000000.png,0,10,0", "votes are not ten whole numbers"),
        ("Training,fer0000000.png,0,ten,0,0,0,0,0,0,0,0", "votes are not ten whole numbers"),
    ],
    ids=["unknown usage", "too few votes", "no number"],
)
def test_row_that_does_not_parse_is_an_error_that_names_file_and_row(lay_out, row, problem):
    with pytest.raises(LayoutError, match=rf"fer2013new\.csv, data row 0: {problem}.*; download fer2013new\.csv again"):
        ferplus.load(lay_out(ferplus_files([row, *THREE_ROWS[1:]])))


def test_csv_without_its_columns_is_an_error_that_names_it(lay_out):
    with pytest.raises(LayoutError, match=r"fer2013new\.csv, data row 0: .* download fer2013new\.csv again"):
        ferplus.load(lay_out(ferplus_files(THREE_ROWS, header="one,two,three")))


def test_csv_of_bytes_that_are_no_text_is_an_error_that_names_it(lay_out):
    files = ferplus_files(THREE_ROWS)
    files["fer2013new.csv"] = b"\xff\xfe\x00"
    with pytest.raises(LayoutError, match=r"fer2013new\.csv is damaged or no text .*: remove it and download it again"):
        ferplus.load(lay_out(files))


def authors_majority(votes: list[str]) -> int | None:
    """Mode `majority` of the authors' ferplus.py, written once more from its description."""
    counts = [int(vote) if int(vote) > 1 else 0 for vote in votes]
    best = max(counts)
    return counts.index(best) if 2 * best > sum(counts) and counts.index(best) < 8 else None


def test_real_ferplus_has_the_counts_that_its_csv_gives_by_the_rule(real_data):
    location = real_data("ferplus")
    dataset = ferplus.load(location)
    if location.is_dir():
        text = next(location.rglob("fer2013new.csv")).read_text()
    else:
        with zipfile.ZipFile(location) as archive:
            text = archive.read("fer2013new.csv").decode()
    rows = [row for row in csv.reader(io.StringIO(text)) if row[1].strip()][1:]
    labelled = [row for row in rows if authors_majority(row[2:]) is not None]
    # Every row with a majority, the three whose image is named a second time included.
    assert Counter(row[0] for row in labelled) == {"Training": 25_060, "PublicTest": 3_199, "PrivateTest": 3_153}
    assert Counter(dataset.table["split"]) == {"train": 25_060 - 3, "val": 3_199, "test": 3_153}
    assert dataset.skipped["reason"].str.contains("named a second time").sum() == 3

    order = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt"]
    expected = {f"data/{FOLDERS[row[0]]}/{row[1]}": order[authors_majority(row[2:])] for row in reversed(labelled)}
    assert dict(zip(dataset.table["image"], dataset.table["expression"], strict=True)) == expected
