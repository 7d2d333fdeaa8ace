"""AffectNet reads alike from the layouts in which it goes round; whatever is wrong is listed by name."""

import io
import math
import pickle

import numpy as np
import pytest

from fer_helpers.datasets import affectnet

EIGHT = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
CATEGORIES = (*EIGHT, "none", "uncertain", "non-face")  # the authors' codes 0 to 10
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
MANUAL = "Manually_Annotated_Images"
OFFICIAL = "The official validation set of AffectNet, on which the field tests, is the split test here: images to vali"
UNKNOWN = "images is unknown (no number from -1 to 1) and missing here."


def csv_line(path: str, code: int | str, box: str = "10,20,30,40", affect: str = "0.5,-0.25") -> str:
    return f"{path},{box},1.5;2.5,{code},{affect}"


def csv_files(*train: str, validation_header: bool = True, top: str = "", shift=0) -> dict[str, bytes | str]:
    """One image of each of the eleven categories in both CSV files, as `1/t0.jpg` and `2/v0.jpg`, and further lines."""
    files = {f"{top}{MANUAL}/{folder}{code}.jpg": b"" for folder in ("1/t", "2/v") for code in range(11)}
    for name, folder, more in (("training", "1/t", train), ("validation", "2/v", ())):
        header = [HEADER] if name == "training" or validation_header else []
        lines = [csv_line(f"{folder}{code}.jpg", code + shift) for code in range(11)]
        files[f"{top}{name}.csv"] = "\n".join([*header, *lines, *more, ""])
    return files


def npy(value, allow_pickle: bool = False) -> bytes:
    content = io.BytesIO()
    np.save(content, value, allow_pickle=allow_pickle)
    return content.getvalue()


def npy_files(top: str = "") -> dict[str, bytes]:
    """One image of each expression in both sets; the codes are texts in one and numbers in the other."""
    files = {}
    for folder in ("train_set", "val_set"):
        for code in range(8):
            start = f"{top}{folder}/annotations/{code}"
            files[f"{top}{folder}/images/{code}.jpg"] = b""
            files[f"{start}_exp.npy"] = npy(np.array(str(code)) if folder == "train_set" else np.array([code]))
            files |= {f"{start}_val.npy": npy("0.5"), f"{start}_aro.npy": npy("-0.25"), f"{start}_lnd.npy": b""}
    return files


def split_files(top: str = "", splits=("Train", "Test")) -> dict[str, bytes]:
    return {f"{top}{split}/{name.capitalize()}/{name}.jpg": b"" for split in splits for name in EIGHT}


def csv_rows(codes: int, top: str = "") -> set[tuple[str, str, str]]:
    """Image, expression and split of the first so many categories of `csv_files`."""
    return {
        (f"{top}{MANUAL}/{folder}{code}.jpg", CATEGORIES[code], split)
        for folder, split in (("1/t", "train"), ("2/v", "test"))
        for code in range(codes)
    }


OTHERS = {f"{MANUAL}/{part}{code}.jpg": f"category {code} (" for part in ("1/t", "2/v") for code in (8, 9, 10)}


# The authors' CSV files


@pytest.mark.parametrize("top", ["", "AffectNet/Manually_Annotated/"])
@pytest.mark.parametrize("validation_header", [True, False], ids=["header", "no header"])
@pytest.mark.parametrize("categories", [7, 8, 11])
def test_csv_files_give_each_image_its_expression_and_split(skips, top, validation_header, categories):
    skipped = {
        f"{top}{MANUAL}/{part}{code}.jpg": f"category {code} ({CATEGORIES[code]}): not one of the {categories} expressi"
        for part in ("1/t", "2/v")
        for code in range(categories, 11)
    }
    files, rows = csv_files(validation_header=validation_header, top=top), csv_rows(categories, top)
    assert skips(affectnet.load, files, {}, rows, skipped, categories=categories).notes[0].startswith(OFFICIAL)


def test_boxes_and_affect_are_those_of_the_row(lay_out):
    lines = (
        csv_line("1/x.jpg", 3, box="-2,0,101.5,99", affect="-1,1"),
        csv_line("1/y.jpg", 3, affect="-2,-2"),
        csv_line("1/z.jpg", 3, affect=",0.25"),
    )
    dataset = affectnet.load(lay_out(csv_files(*lines) | {f"{MANUAL}/1/{name}.jpg": b"" for name in "xyz"}))
    table = dataset.table.set_index("image")[["box", "valence", "arousal"]]
    assert table.loc[f"{MANUAL}/1/t0.jpg"].tolist() == [(10, 20, 30, 40), 0.5, -0.25]
    assert table.loc[f"{MANUAL}/1/x.jpg"].tolist() == [(-2, 0, 101.5, 99), -1, 1]
    assert table.loc[f"{MANUAL}/1/y.jpg", ["valence", "arousal"]].isna().all()
    assert math.isnan(table.loc[f"{MANUAL}/1/z.jpg", "valence"]) and table.loc[f"{MANUAL}/1/z.jpg", "arousal"] == 0.25
    assert f"Valence or arousal of 2 {UNKNOWN}" in dataset.notes


AUTOMATIC = {"Automatically_Annotated_Images/1/a.jpg": b""}
AUTOMATIC["automatically_annotated.csv"] = f"{HEADER}\n{csv_line('1/a.jpg', 0)}\n"
UNREAD = {next(iter(AUTOMATIC)): "nothing names it"}


def test_paths_in_a_csv_may_have_backslashes_and_dots_and_automatic_annotations_are_not_read(skips):
    files = csv_files()
    change = AUTOMATIC | {"training.csv": files["training.csv"].replace("1/t", "1\\t")}
    change["validation.csv"] = files["validation.csv"].replace("2/v", "./2/v")
    notes = skips(affectnet.load, files, change, csv_rows(8), OTHERS | UNREAD).notes
    assert "8 images in train (287,651 published), 8 images in test (4,000 published)" in notes[-1]


def test_csv_file_that_is_missing_is_told_and_its_images_are_listed(skips):
    unnamed = {f"{MANUAL}/2/v{code}.jpg": "nothing names it" for code in range(11)}
    notes = skips(affectnet.load, csv_files(), {"-validation.csv": 0}, 8, OTHERS | unnamed).notes
    assert "This copy has no validation.csv, so the split test is empty." in notes
    with pytest.raises(ValueError, match="categories is one of 7, 8, 11, not 9"):
        affectnet.load(None, categories=9)


@pytest.mark.parametrize(
    ("line", "image", "reason"),
    [
        (csv_line("", 3), "training.csv/11", "no name of an image"),
        *(
            (csv_line("1/new.jpg", code), "1/new.jpg", f"expression '{code}' is not in 0 to 10")
            for code in (11, -1, "happy", "\u0663")
        ),
        (csv_line("1/new.jpg", "9" * 4301), "1/new.jpg", "expression '9999"),
        ("1/new.jpg,1,2", "1/new.jpg", "expression '' is not in 0 to 10"),
        *(
            (csv_line("1/new.jpg", 3, box=box), "1/new.jpg", f"box ({box.replace(',', ', ')}) is not x, y and a width")
            for box in ("a,1,2,3", "1,1,0,3", "1,1,5,-3", "nan,1,5,3", "1,1,inf,3")
        ),
        (csv_line("1/gone.jpg", 3), "1/gone.jpg", "no file 1/gone.jpg"),
        (csv_line("1/t0.jpg", 3), "1/t0.jpg", "named a second time: AT/training.csv, data row 0 counts"),
        (csv_line("2/v0.jpg", 3), "2/v0.jpg", "named a second time: AT/validation.csv, data row 0 counts"),
    ],
)
def test_row_that_is_no_image_is_a_skip_that_names_file_and_row(skips, line, image, reason):
    change = {f"{MANUAL}/1/new.jpg": b""} if "new" in line else {}
    expected = OTHERS | {image: f"AT/training.csv, data row 11) .. {reason}"}
    skips(affectnet.load, csv_files(line), change, csv_rows(8), expected)


# One NumPy file for each annotation


def test_numpy_annotations_give_each_image_its_expression_split_and_affect(skips):
    expected = {(f"train_set/images/{code}.jpg", CATEGORIES[code], "train") for code in range(8)}
    expected |= {(f"val_set/images/{code}.jpg", CATEGORIES[code], "test") for code in range(8)}
    dataset = skips(affectnet.load, npy_files(), {}, expected, {})
    assert set(dataset.table["valence"]) == {0.5} and set(dataset.table["arousal"]) == {-0.25}
    assert dataset.notes[0].startswith(OFFICIAL)


class Bomb:
    """Pickled, it would raise an error of its own when it is opened."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


BAD_NUMBERS = {
    "empty": b"",
    "text": b"no array",
    "word": npy(np.array("happy")),
    "two numbers": npy(np.zeros(2)),
    "nan": npy(np.array(math.nan)),
    "complex": npy(np.array(1j)),
    "object array": npy(np.array(Bomb(), object), True),
    "pickle": pickle.dumps(Bomb()),
    "zip": b"PK\x03\x04",
    "huge shape": npy(np.zeros(1)).replace(b"(1,), }", b"(9999999999999,), }"),
    "brackets": npy(np.zeros(1)).replace(b"(1,)", b"((((" * 1),
    "header of another type": npy(np.zeros(1)).replace(b"'<f8'", b"{1:2}"),
    "damaged length": npy(np.zeros(1))[:8] + b"\xff\xff" + npy(np.zeros(1))[10:],
}


@pytest.mark.parametrize("name", ["exp", "val"])
@pytest.mark.parametrize("content", BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_annotation_that_is_no_number_is_a_skip_that_names_the_file_and_no_pickle_is_opened(skips, name, content):
    file = f"train_set/annotations/3_{name}.npy"
    reason = f"AT/{file} does not hold one number ("
    skips(affectnet.load, npy_files(), {file: content}, 15, {"train_set/images/3.jpg": reason})


def test_image_without_an_expression_and_expression_without_an_image_are_skips_but_valence_may_be_missing(skips):
    codes = {code: f"val_set/annotations/{place}_exp.npy" for place, code in enumerate(("11", "-1", "2.5"))}
    expected = {
        "train_set/images/3.jpg": "AT/train_set/annotations/3_exp.npy is missing, or",
        "val_set/annotations/4_exp.npy": "AT/val_set/annotations/4_exp.npy has no image of that number",
        "train_set/annotations/5.png": "lies where this layout has no image",
        **{f"val_set/images/{file[20]}.jpg": f"AT/{file} .. {code} is not in 0 to 10" for code, file in codes.items()},
    }
    change = {"-train_set/annotations/3_exp": 0, "-val_set/images/4.jpg": 0, "train_set/annotations/5.png": b""}
    change |= {"-train_set/annotations/6_val": 0} | {file: npy(np.array(code)) for code, file in codes.items()}
    dataset = skips(affectnet.load, npy_files(), change, 11, expected)
    assert f"Valence or arousal of 1 {UNKNOWN}" in dataset.notes


# Class folders, and all layouts


@pytest.mark.parametrize("top", ["", "archive (3)/"])
@pytest.mark.parametrize("splits", [("Train", "Test"), ("train", "val", "test")])
def test_split_folders_give_expression_and_split(skips, top, splits):
    expected = {
        (f"{top}{split}/{name.capitalize()}/{name}.jpg", name, split.lower()) for split in splits for name in EIGHT
    }
    dataset = skips(affectnet.load, split_files(top, splits), {}, expected, {})
    assert dataset.notes[0].startswith("This copy is a selection made by others: whether its Test folder is the offic")


@pytest.mark.parametrize("make", [csv_files, split_files, npy_files])
def test_one_of_two_copies_is_read(reads_one_of_two_copies, make):
    reads_one_of_two_copies(affectnet.load, make(), make(top="copy/"))


NINE = {"training.csv": f"{HEADER}\n{csv_line('1/a.jpg', 9)}\n", f"{MANUAL}/1/a.jpg": b""}


@pytest.mark.parametrize(
    ("files", "change", "message"),
    [
        ({"happy/1.jpg": b""}, {"labels.csv": ""}, "no AffectNet under AT: expected training.csv and .. see data/READ"),
        (AUTOMATIC, {}, "no AffectNet under AT: expected training.csv"),
        (csv_files(), {"-.jpg": 0}, "no AffectNet under AT: its CSV files are there, and no image below a folder"),
        (csv_files(), {"training.csv": HEADER.replace(",valence", "")}, "AT/training.csv has the columns .. valence"),
        (csv_files(), {"training.csv": "<html>"}, "AT/training.csv has the columns <html>: expected"),
        (csv_files(shift=1), {}, "run from 1 to 11, those of AffectNet from 0 to 10"),
        (NINE, {}, "no image under AT can be used (1 left out, the first is .. not one of the 8 expressions asked for"),
    ],
)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(refuses, files, change, message):
    refuses(affectnet.load, files, change, message)
