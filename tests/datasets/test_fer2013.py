"""FER-2013 reads alike from Kaggle's folders and from the challenge's CSV, and what is wrong with a copy is said in a sentence."""

import csv
import io
from collections import Counter

import numpy as np
import pytest

from fer_helpers import datasets
from fer_helpers.datasets import fer2013
from fer_helpers.datasets.table import LayoutError
from fer_helpers.images import read_images

MSAMBARE = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
ANANTHU = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
CANONICAL = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # of both, in the same order
CSV_CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0 to 6 of the challenge
USAGES = (("Training", "train"), ("PublicTest", "val"), ("PrivateTest", "test"))


def kaggle_folders(classes=MSAMBARE, top="") -> dict[str, bytes]:
    """One image of each class in each of the three splits, named as in `msambare/fer2013`; no loader decodes them."""
    files = {f"{top}train/{name}/Training_{number}.jpg": b"" for number, name in enumerate(classes)}
    for usage in ("PublicTest", "PrivateTest"):
        files |= {f"{top}test/{name}/{usage}_{number}.jpg": b"" for number, name in enumerate(classes)}
    return files


def kaggle_rows(classes=MSAMBARE, top="") -> set[tuple[str, str, str]]:
    """Image, expression and split of each of those files."""
    rows = set()
    for number, (name, expression) in enumerate(zip(classes, CANONICAL, strict=True)):
        rows.add((f"{top}train/{name}/Training_{number}.jpg", expression, "train"))
        rows.add((f"{top}test/{name}/PublicTest_{number}.jpg", expression, "val"))
        rows.add((f"{top}test/{name}/PrivateTest_{number}.jpg", expression, "test"))
    return rows


def numbered_folders() -> dict[str, bytes]:
    """The same classes with the names of `ananthu017/emotion-detection-fer`, which hide the two halves of the test set."""
    return {f"{split}/{name}/im{number}.png": b"" for split in ("train", "test") for number, name in enumerate(ANANTHU)}


def read_rows(dataset) -> set[tuple[str, str, str]]:
    return set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))


def pixels_of_row(number: int) -> np.ndarray:
    """A 48x48 image of its own for each row of the CSV."""
    return np.random.default_rng(number).integers(0, 256, (48, 48), dtype="uint8")


def csv_rows() -> list[list[str]]:
    """All seven codes in each of the three usages: emotion, pixels, Usage."""
    rows = [[str(code), "", usage] for usage, _ in USAGES for code in range(7)]
    return [
        [code, " ".join(map(str, pixels_of_row(number).ravel())), usage] for number, (code, _, usage) in enumerate(rows)
    ]


def csv_text(rows: list[list[str]], header: str = "emotion,pixels,Usage") -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return header + "\n" + text.getvalue()


@pytest.fixture
def csv_file(tmp_path):
    """Write rows as a bare fer2013.csv and return its path."""

    def write(rows: list[list[str]]):
        path = tmp_path / "fer2013.csv"
        path.write_text(csv_text(rows))
        return path

    return write


@pytest.mark.parametrize("classes", [MSAMBARE, ANANTHU], ids=["angry-fear-surprise", "angry-fearful-surprised"])
def test_kaggle_folders_give_each_image_its_expression_and_official_split(lay_out, classes):
    dataset = fer2013.load(lay_out(kaggle_folders(classes)))
    assert read_rows(dataset) == kaggle_rows(classes)
    assert dataset.notes == ()
    assert len(dataset.skipped) == 0


def test_one_more_folder_around_the_copy_does_not_matter(lay_out):
    assert read_rows(fer2013.load(lay_out(kaggle_folders(top="archive/")))) == kaggle_rows(top="archive/")


def test_splits_may_be_spelled_with_capitals(lay_out):
    files = {name.replace("train/", "Train/").replace("test/", "Test/"): b"" for name in kaggle_folders()}
    assert Counter(fer2013.load(lay_out(files)).table["split"]) == {"train": 7, "val": 7, "test": 7}


def test_names_that_hide_the_test_halves_give_val_or_test_and_a_note(lay_out):
    dataset = fer2013.load(lay_out(numbered_folders()))
    assert Counter(dataset.table["split"]) == {"train": 7, "val or test": 7}
    assert len(dataset.notes) == 1
    assert "do not tell PublicTest from PrivateTest (7 images)" in dataset.notes[0]


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013/fer2013.csv", "icml_face_data.csv"])
def test_csv_gives_each_row_its_expression_and_official_split(lay_out, name):
    header = "emotion, Usage, pixels" if "icml" in name else "emotion,pixels,Usage"
    rows = [[code, usage, pixels] if "icml" in name else [code, pixels, usage] for code, pixels, usage in csv_rows()]
    dataset = fer2013.load(lay_out({name: csv_text(rows, header)}))
    file_name = name.rpartition("/")[2]
    expected = [(f"{file_name}/{number:05d}", CSV_CODES[number % 7], USAGES[number // 7][1]) for number in range(21)]
    assert list(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None)) == expected
    assert len(dataset.skipped) == 0


def test_pixels_of_a_csv_reach_the_array_in_the_order_of_the_table(lay_out):
    table = fer2013.load(lay_out({"fer2013.csv": csv_text(csv_rows())})).table
    shuffled = table.sample(frac=1, random_state=0)
    images = read_images(shuffled, side=48)
    for pixels, name in zip(images.pixels, images.table["image"], strict=True):
        np.testing.assert_array_equal(pixels[:, :, 0], pixels_of_row(int(name.rpartition("/")[2])))


def test_bare_csv_reads_like_the_one_in_a_folder(csv_file):
    path = csv_file(csv_rows())
    bare, in_folder = fer2013.load(path), fer2013.load(path.parent)
    assert read_rows(bare) == read_rows(in_folder)
    np.testing.assert_array_equal(read_images(bare.table, side=48, channels=3).pixels[20, :, :, 2], pixels_of_row(20))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["3", "1 2 3", "Training"], "data row 21: 3 pixels, not 2,304"),
        (["3", " ".join(["7"] * 2305), "Training"], "data row 21: 2,305 pixels, not 2,304"),
        (["3", " ".join(["256"] * 2304), "Training"], "data row 21: a pixel that is no number from 0 to 255"),
        (["3", " ".join(["-1"] * 2304), "Training"], "data row 21: a pixel that is no number from 0 to 255"),
        (["7", " ".join(["7"] * 2304), "Training"], "data row 21: label '7' is not in 0 to 6"),
        (["-1", " ".join(["7"] * 2304), "Training"], "data row 21: label '-1' is not in 0 to 6"),
        (["happy", " ".join(["7"] * 2304), "Training"], "data row 21: label 'happy' is not in 0 to 6"),
        (
            ["3", " ".join(["7"] * 2304), "Test"],
            "data row 21: Usage 'Test' is none of Training, PublicTest, PrivateTest",
        ),
        (["3"], "data row 21: Usage '' is none of"),
    ],
)
def test_row_that_is_no_image_is_left_out_and_listed_with_its_reason(csv_file, row, reason):
    path = csv_file([*csv_rows(), row])
    dataset = fer2013.load(path)
    assert len(dataset.table) == 21
    assert dataset.skipped["image"].tolist() == ["fer2013.csv/21"]
    assert f"{path}, {reason}" in dataset.skipped["reason"].item()


def test_rows_after_a_faulty_one_keep_their_pixels(csv_file):
    rows = csv_rows()
    rows.insert(0, ["9", "", "Training"])
    table = fer2013.load(csv_file(rows)).table
    assert table["image"].iloc[0] == "fer2013.csv/00001"
    np.testing.assert_array_equal(read_images(table, side=48).pixels[0, :, :, 0], pixels_of_row(0))


def test_missing_folder_says_what_is_missing_and_the_next_step(tmp_path):
    for name in ("nowhere", "nowhere.csv", "nowhere.zip"):
        with pytest.raises(FileNotFoundError, match=rf"no such folder or archive: .*{name}; name one that exists"):
            fer2013.load(tmp_path / name)


def test_name_without_data_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    with pytest.raises(
        FileNotFoundError,
        match=rf"no fer2013 in {tmp_path}: put it there under one of the names fer2013, fer2013\.zip, ",
    ):
        datasets.load("fer2013")


@pytest.mark.parametrize("name", ["fer2013", "fer2013.zip"])
def test_data_set_is_found_by_its_name_as_folder_or_archive(tmp_path, monkeypatch, write_files, name):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    location = write_files(tmp_path / name, kaggle_folders())
    dataset = datasets.load("fer2013")
    assert dataset.location == location
    assert not dataset.generated
    assert read_rows(dataset) == read_rows(datasets.load("fer2013", data=str(location))) == kaggle_rows()


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set is called 'fer2014': there are fer2013, ferplus"):
        datasets.load("fer2014")


@pytest.mark.parametrize(
    "files",
    [
        {"readme.txt": ""},
        {"train/Training_1.jpg": b"", "test/PublicTest_1.jpg": b""},
        {"happy/1.jpg": b"", "sad/2.jpg": b""},
        {name: content for name, content in kaggle_folders().items() if name.startswith("train")},
    ],
    ids=["no image", "no class folders", "no split folders", "no test folder"],
)
def test_other_layout_is_an_error_that_says_what_was_expected(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        FileNotFoundError, match=rf"no FER-2013 under {location}: expected train/<class>/ .* see data/README\.md"
    ):
        fer2013.load(location)


def test_two_copies_in_one_place_are_an_error_and_not_one_doubled_set(lay_out):
    location = lay_out(kaggle_folders() | kaggle_folders(top="copy/"))
    with pytest.raises(
        LayoutError,
        match=rf"{location} holds more than one copy of FER-2013 \(copy/test, copy/train, test, train\): name the folder",
    ):
        fer2013.load(location)


def test_unknown_class_folder_is_an_error_that_names_it(lay_out):
    location = lay_out(kaggle_folders() | {"train/bored/Training_9.jpg": b""})
    with pytest.raises(LayoutError, match=rf"unknown expression 'bored' in {location}/train: .* rename or remove it"):
        fer2013.load(location)


def test_class_that_fer2013_does_not_have_is_an_error_that_names_it(lay_out):
    location = lay_out(kaggle_folders() | {"train/contempt/Training_9.jpg": b""})
    with pytest.raises(
        LayoutError,
        match=rf"{location}/train/contempt/Training_9\.jpg is labelled contempt, which FER-2013 does not have",
    ):
        fer2013.load(location)


@pytest.mark.parametrize(
    ("lost", "split"),
    [("train/happy", "train"), ("test/disgust/PublicTest", "val"), ("test/disgust/PrivateTest", "test")],
)
def test_split_without_an_image_of_a_class_is_an_error_that_names_both(lay_out, lost, split):
    files = {name: content for name, content in kaggle_folders().items() if not name.startswith(lost)}
    location = lay_out(files | {f"{lost}/note.txt": "no image"})
    expression = lost.split("/")[1]
    with pytest.raises(
        LayoutError, match=rf"{location} holds no image of {expression} in the split '{split}': .* download it again"
    ):
        fer2013.load(location)


def test_csv_that_was_cut_off_is_an_error_and_not_a_smaller_set(csv_file):
    path = csv_file(csv_rows()[:16])
    with pytest.raises(
        LayoutError,
        match=rf"{path} holds no image of neutral, happy, sad, surprise, fear in the split 'test': .* download it again",
    ):
        fer2013.load(path)


def test_csv_with_other_columns_is_an_error_that_names_them(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels\n0,1 2 3\n")
    with pytest.raises(LayoutError, match=rf"{path} has the columns emotion, pixels: expected emotion, pixels, Usage"):
        fer2013.load(path)


@pytest.mark.parametrize("content", ["", "<!DOCTYPE html><html>please log in</html>"], ids=["empty", "a web page"])
def test_csv_that_is_something_else_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "fer2013.csv"
    path.write_text(content)
    with pytest.raises(
        LayoutError, match=rf"{path} has the columns .*: expected emotion, pixels, Usage; download it again"
    ):
        fer2013.load(path)


def test_csv_of_bytes_that_are_no_text_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(csv_text(csv_rows()).encode() + b"\xff\xfe\x00")
    with pytest.raises(LayoutError, match=rf"{path} is damaged or no text .*: remove it and download it again"):
        fer2013.load(path)


def test_csv_without_a_single_readable_row_is_an_error(csv_file):
    path = csv_file([["3", "1 2 3", "Training"]])
    with pytest.raises(LayoutError, match=rf"{path} holds no readable image: download it again"):
        fer2013.load(path)


def test_real_fer2013_has_the_published_number_of_images_of_each_split_and_class(real_data):
    table = fer2013.load(real_data("fer2013")).table
    assert Counter(table["split"]) == {"train": 28_709, "val": 3_589, "test": 3_589} == fer2013.PUBLISHED_COUNTS
    published = {  # of the challenge's CSV, in the order of its codes
        "train": (3_995, 436, 4_097, 7_215, 4_830, 3_171, 4_965),
        "val": (467, 56, 496, 895, 653, 415, 607),
        "test": (491, 55, 528, 879, 594, 416, 626),
    }
    for split, counts in published.items():
        assert Counter(table.loc[table["split"] == split, "expression"]) == dict(zip(CSV_CODES, counts, strict=True))


def test_real_test_halves_together_have_the_counts_that_huang_2024_prints(real_data):
    table = fer2013.load(real_data("fer2013")).table
    halves = Counter(table.loc[table["split"] != "train", "expression"])
    assert halves == {
        "anger": 958,
        "disgust": 111,
        "fear": 1_024,
        "happy": 1_774,
        "neutral": 1_233,
        "sad": 1_247,
        "surprise": 831,
    }
