"""FER-2013 reads alike from Kaggle's folders and the challenge's CSV; what is wrong with a copy is said."""

import csv
import io
from collections import Counter

import numpy as np
import pytest

from fer_helpers.datasets import fer2013
from fer_helpers.images import read_images

MSAMBARE = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
ANANTHU = ("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
CANONICAL = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # of both, in the same order
CSV_CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0 to 6 of the challenge
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
THREE = {"train": 7, "val": 7, "test": 7}
FULL = " ".join(["7"] * 2304)


def kaggle_folders(classes=MSAMBARE, top="", content=b"") -> dict[str, bytes]:
    """One image of each class in each of the three splits, named as in `msambare/fer2013`; no loader decodes them."""
    return {
        f"{top}{'train' if usage == 'Training' else 'test'}/{name}/{usage}_{number}.jpg": content
        for usage in USAGES
        for number, name in enumerate(classes)
    }


def numbered(*splits: str) -> dict[str, bytes]:
    """Images of all classes whose names hide the half of the test set, as in `ananthu017/emotion-detection-fer`."""
    return {f"{split}/{name}/im{place}.png": b"" for split in splits for place, name in enumerate(ANANTHU)}


def pixels_of_row(number: int) -> np.ndarray:
    """A 48x48 image of its own for each row of the CSV."""
    return np.random.default_rng(number).integers(0, 256, (48, 48), dtype="uint8")


def csv_text(*more: list[str], rows: int = 21, order=(0, 1, 2), shift: int = 0) -> str:
    """All seven codes in each of the three usages, and further rows."""
    text, header, usages = io.StringIO(), ("emotion", "pixels", "Usage"), list(USAGES)
    data = [[str(n % 7 + shift), " ".join(map(str, pixels_of_row(n).ravel())), usages[n // 7]] for n in range(rows)]
    csv.writer(text).writerows([row[place] for place in order if place < len(row)] for row in (header, *data, *more))
    return text.getvalue()


CSV = csv_text()


@pytest.mark.parametrize("top", ["", "archive/", "./"])
@pytest.mark.parametrize("classes", [MSAMBARE, ANANTHU], ids=["angry-fear-surprise", "angry-fearful-surprised"])
def test_kaggle_folders_give_each_image_its_expression_and_official_split(skips, classes, top):
    expected = {
        (name, CANONICAL[classes.index(name.split("/")[-2])], USAGES[name.split("/")[-1].partition("_")[0]])
        for name in kaggle_folders(classes, top.removeprefix("./"))
    }
    assert skips(fer2013.load, kaggle_folders(classes, top), {}, expected, {}).notes == ()


@pytest.mark.parametrize(
    ("files", "splits", "notes"),
    [
        ({name.replace("train/", "Train/"): b"" for name in kaggle_folders()}, THREE, 0),
        ({name.replace("/", "\\"): b"" for name in kaggle_folders()}, THREE, 0),
        (numbered("train", "test"), {"train": 7, "val or test": 7}, 1),
        (numbered("train", "test", "val"), THREE, 0),
        (numbered("train", "test", "valid"), THREE, 0),
        (numbered("images/train", "images/validation"), {"train": 7, "val": 7}, 0),
        (numbered("Training", "PublicTest", "PrivateTest"), THREE, 0),
    ],
    ids=["capitals", "backslashes", "hidden halves", "val", "valid", "validation alone", "usages"],
)
def test_split_folders_are_read_as_what_they_say(tmp_path, write_files, files, splits, notes):
    dataset = fer2013.load(write_files(tmp_path / "data.zip", files))
    assert (Counter(dataset.table["split"]), len(dataset.notes), len(dataset.skipped)) == (splits, notes, 0)
    assert all("do not tell PublicTest from PrivateTest (7 images)" in note for note in dataset.notes)


SUFFIX, PLACE = "has none of the suffixes that are read: .jpg", "lies where this layout has no image, or nothing names"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test/happy/Training_77.jpg", "lies in a folder of test, but its name says Training"),
        ("train/happy/PrivateTest_7.jpg", "lies in a folder of train, but its name says PrivateTest"),
        *((f"train/sad/a.{suffix}", "read") for suffix in ("webp", "PPM", "jpe")),
        *((name, SUFFIX) for name in ("train/sad/a.heic", "train/sad/a")),
        *((name, PLACE) for name in ("train/sad/more/a.jpg", "train/a.jpg", "a.png", "extra/sad/a.jpg")),
        *((name, "") for name in ("README", "train/a.txt", "LICENSE.md", "train/.DS_Store", "__MACOSX/a.jpg")),
    ],
)
def test_file_out_of_place_is_read_or_listed_or_no_image(skips, name, reason):
    expected = {name: f"AT/{name} {reason}"} if reason not in ("", "read") else {}
    skips(fer2013.load, kaggle_folders(), {name: b""}, 22 if reason == "read" else 21, expected)


GONE = "no FER-2013 under AT: expected train/<class>/ .. see data/README.md"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train/Training_1.jpg": b"", "test/PublicTest_1.jpg": b""}, GONE),
        ({"happy/1.jpg": b"", "sad/2.jpg": b""}, GONE),
        (numbered("train"), "no FER-2013 under AT but folders of train: expected"),
        ({"fer2013.tar.gz": b""}, "no FER-2013 under AT .. fer2013.tar.gz in it is not read: unpack it"),
        (
            {"data/0.parquet": b""},
            "no FER-2013 under .. data/0.parquet in it is not read .. get a copy with image files",
        ),
        ({"fer2013.csv": CSV, "icml_face_data.csv": "\n"}, "more than one copy .. (fer2013.csv, icml_face_data.csv)"),
        ({"fer2013.csv": csv_text(rows=16)}, "no image of neutral, happy, sad, surprise, fear in the split 'test'"),
        ({"fer2013.csv": csv_text(rows=14)}, "no image of any class in the split 'test'"),
        ({"fer2013.csv": csv_text(shift=1)}, "labels in AT/fer2013.csv run from 1 to 7, those of FER-2013 from 0 to 6"),
        ({"fer2013.csv": "emotion,pixels\n0,1 2\n"}, "AT/fer2013.csv has the columns emotion, pixels: expected emot"),
        ({"fer2013.csv": ""}, "AT/fer2013.csv has the columns none: expected emotion, Usage, pixels"),
        ({"fer2013.csv": CSV.encode() + b"\xff\xfe\0"}, "AT/fer2013.csv is damaged or no text .. download it again"),
        ({"fer2013.csv": csv_text(["3", "1 2", "Training"], rows=0)}, "(1 left out .. 2 pixels, not 2,304"),
    ],
)
def test_other_layout_or_table_that_can_not_be_right_is_refused_with_the_reason(refuses, files, message):
    refuses(fer2013.load, files, {}, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"copy/test/sad/new.jpg": b""}, "more than one copy .. copy/test/sad/new.jpg"),
        ({"Train/sad/new.jpg": b""}, "more than one copy .. rain/sad/new.jpg"),
        ({"fer2013.csv": CSV}, "more than one copy, and they differ (fer2013.csv, t"),
        ({"train/bored/1.jpg": b""}, "unknown expression 'bored' in AT/train: .. rename or remove it"),
        ({"train/contempt/1.jpg": b""}, "unknown expression 'contempt' in AT/train: known are neutral, happy, sad"),
        ({"-train/happy": 0}, "AT holds no image of happy in the split 'train' (no image): the copy is incomplete"),
        ({"-disgust/PublicTest": 0}, "holds no image of disgust in the split 'val'"),
        ({"-disgust/Private": 0, "a.gif": b""}, "disgust in the split 'test' (1 left out, the first is a.gif:"),
        ({"val/sad/im1.jpg": b""}, "holds no image of .. in the split 'val' (7 left out .. its name says PublicTest"),
    ],
)
def test_folders_that_can_not_be_right_are_refused_with_the_reason(refuses, change, message):
    refuses(fer2013.load, kaggle_folders(), change, message)


@pytest.mark.parametrize("copy", [kaggle_folders(top="copy/"), {"copy/train/angry/Training_0.jpg": b""}])
def test_one_of_two_copies_is_read(reads_one_of_two_copies, copy):
    reads_one_of_two_copies(fer2013.load, kaggle_folders(), copy)


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013/fer2013.csv", "icml_face_data.csv", "FER2013.CSV"])
def test_csv_gives_each_row_its_expression_split_and_pixels(skips, name):
    files = {name: csv_text(order=(0, 2, 1)).replace(",pixels", ", pixels"), "sample.txt": ""}
    image = name.rpartition("/")[2] + "/{:05d}"
    expected = {(image.format(n), CSV_CODES[n % 7], list(USAGES.values())[n // 7]) for n in range(21)}
    table = skips(fer2013.load, files, {}, expected, {}).table
    images = read_images(table.sample(frac=1, random_state=0), side=48)
    for pixels, image in zip(images.pixels, images.table["image"], strict=True):
        np.testing.assert_array_equal(pixels[:, :, 0], pixels_of_row(int(image.rpartition("/")[2])))


@pytest.mark.parametrize("name", ["fer2013.csv", "other.CSV", "data.zip/fer2013.csv", "data.ZIP", "challenge"])
def test_bare_csv_is_read_on_disk_and_in_an_archive_whatever_their_suffix(tmp_path, write_files, name):
    container = name.partition("/")[0]
    if container.lower().endswith(".csv"):
        (tmp_path / container).write_text(CSV)
    else:
        write_files(tmp_path / "first.zip", {"fer2013.csv": CSV}).rename(tmp_path / container)
    table = fer2013.load(tmp_path / name).table
    np.testing.assert_array_equal(read_images(table, side=48, channels=3).pixels[20, :, :, 2], pixels_of_row(20))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["3", "1 2 3", "Training"], "3 pixels, not 2,304"),
        (["3", FULL + " 7", "Training"], "2,305 pixels, not 2,304"),
        *((["3", FULL.replace("7", pixel), "Training"], "a pixel that is no numb") for pixel in ("256", "-1", "7.0")),
        *(([code, FULL, "Training"], f"label '{code}' is not in 0 to 6") for code in ("7", "-1", "happy")),
        *((["9" * digits, FULL, "Training"], "label '9999") for digits in (4300, 5000)),
        (["3", FULL, "Test"], "Usage 'Test' is none of Training, PublicTest, PrivateTest"),
        (["3"], "Usage '' is none of"),
    ],
)
def test_row_that_is_no_image_is_listed_with_its_reason_and_the_others_keep_their_pixels(skips, row, reason):
    rows = CSV.splitlines()[1:]
    files = {"fer2013.csv": "\n".join([*csv_text(row, rows=0).splitlines(), *rows])}
    expected = {"fer2013.csv/00000": f"AT/fer2013.csv, data row 0) .. {reason}"}
    table = skips(fer2013.load, files, {}, 21, expected).table
    np.testing.assert_array_equal(read_images(table.head(1), side=48).pixels[0, :, :, 0], pixels_of_row(0))


def test_real_fer2013_has_the_published_number_of_images_of_each_split_and_class(real_data):
    dataset = fer2013.load(real_data("fer2013"))
    table = dataset.table
    assert (len(dataset.skipped), dataset.notes) == (0, ())
    assert Counter(table["split"]) == {"train": 28_709, "val": 3_589, "test": 3_589} == fer2013.PUBLISHED_COUNTS
    for split, counts in (  # of the challenge's CSV, in the order of its codes
        ("train", (3_995, 436, 4_097, 7_215, 4_830, 3_171, 4_965)),
        ("val", (467, 56, 496, 895, 653, 415, 607)),
        ("test", (491, 55, 528, 879, 594, 416, 626)),
    ):
        assert Counter(table.loc[table["split"] == split, "expression"]) == dict(zip(CSV_CODES, counts, strict=True))
    halves = Counter(table.loc[table["split"] != "train", "expression"])  # as huang_2024 prints them
    assert halves == dict(zip(CANONICAL, (958, 111, 1_024, 1_774, 1_233, 1_247, 831), strict=True))
