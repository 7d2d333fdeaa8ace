"""AffectNet reads alike from the layouts in which it goes round; whatever is wrong is listed by name."""

import io
import math
import pickle
from collections import Counter

import numpy as np
import pytest

from fer_helpers.datasets import affectnet
from fer_helpers.datasets.table import LayoutError

EIGHT = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
CATEGORIES = (*EIGHT, "none", "uncertain", "non-face")  # the authors' codes 0 to 10
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
MANUAL = "Manually_Annotated_Images"
OFFICIAL = (
    "The official validation set of AffectNet, on which the field tests, is the split test here: images to validate "
)
UNKNOWN = "images is unknown (no number from -1 to 1) and missing here."


def csv_line(path: str, code: int | str, box: str = "10,20,30,40", affect: str = "0.5,-0.25") -> str:
    return f"{path},{box},1.5;2.5,{code},{affect}"


def csv_files(
    *train: str, validation_header: bool = True, top: str = "", content=b"", shift=0
) -> dict[str, bytes | str]:
    """One image of each of the eleven categories in both CSV files, as `1/t0.jpg` and `2/v0.jpg`, and further lines."""
    files = {f"{top}{MANUAL}/{folder}{code}.jpg": content for folder in ("1/t", "2/v") for code in range(11)}
    for name, folder, more in (("training", "1/t", train), ("validation", "2/v", ())):
        header = [HEADER] if name == "training" or validation_header else []
        lines = [csv_line(f"{folder}{code}.jpg", code + shift) for code in range(11)]
        files[f"{top}{name}.csv"] = "\n".join([*header, *lines, *more, ""])
    return files


def npy(value, allow_pickle: bool = False) -> bytes:
    content = io.BytesIO()
    np.save(content, value, allow_pickle=allow_pickle)
    return content.getvalue()


def npy_files(top: str = "", content=b"") -> dict[str, bytes]:
    """One image of each expression in both sets; the codes are texts in one and numbers in the other."""
    files = {}
    for folder in ("train_set", "val_set"):
        for code in range(8):
            start = f"{top}{folder}/annotations/{code}"
            files[f"{top}{folder}/images/{code}.jpg"] = content
            files[f"{start}_exp.npy"] = npy(np.array(str(code)) if folder == "train_set" else np.array([code]))
            files |= {
                f"{start}_val.npy": npy("0.5"),
                f"{start}_aro.npy": npy("-0.25"),
                f"{start}_lnd.npy": npy(np.zeros(136)),
            }
    return files


def class_files(*rows: str, top: str = "", content=b"") -> dict[str, bytes | str]:
    """Noamsegal's eight folders with two images each and `labels.csv`, to which rows are added."""
    paths = [f"{name}/image{number}.jpg" for name in EIGHT for number in range(2)]
    lines = [f"{place},{path},{path.partition('/')[0]},0.8" for place, path in enumerate(paths)]
    files: dict[str, bytes | str] = {f"{top}{path}": content for path in paths}
    return files | {f"{top}labels.csv": "\n".join([",pth,label,relFCs", *lines, *rows, ""])}


def split_files(top: str = "", splits=("Train", "Test"), content=b"") -> dict[str, bytes]:
    return {f"{top}{split}/{name.capitalize()}/{name}.jpg": content for split in splits for name in EIGHT}


def rows_of(dataset) -> set[tuple[str, str, str]]:
    return set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))


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
def test_csv_files_give_each_image_its_expression_and_split(lay_out, top, validation_header, categories):
    dataset = affectnet.load(lay_out(csv_files(validation_header=validation_header, top=top)), categories=categories)
    assert rows_of(dataset) == csv_rows(categories, top)
    reasons = {
        f"category {code} ({CATEGORIES[code]}): not one of the {categories} expressions asked for": 2
        for code in range(categories, 11)
    }
    assert Counter(dataset.skipped["reason"]) == reasons
    assert dataset.notes[0].startswith(OFFICIAL)


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


@pytest.mark.parametrize(
    ("line", "image", "reason"),
    [
        (csv_line("", 3), "training.csv/11", "no name of an image"),
        (csv_line("1/new.jpg", 11), "1/new.jpg", "expression '11' is not in 0 to 10"),
        (csv_line("1/new.jpg", -1), "1/new.jpg", "expression '-1' is not in 0 to 10"),
        (csv_line("1/new.jpg", "happy"), "1/new.jpg", "expression 'happy' is not in 0 to 10"),
        (csv_line("1/new.jpg", "9" * 4301), "1/new.jpg", "expression '9999"),
        (csv_line("1/new.jpg", "\u0663"), "1/new.jpg", "is not in 0 to 10"),
        ("1/new.jpg,1,2", "1/new.jpg", "expression '' is not in 0 to 10"),
        *(
            (
                csv_line("1/new.jpg", 3, box=box),
                "1/new.jpg",
                f"the box ({box.replace(',', ', ')}) is not x, y and a width",
            )
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
    assert rows_of(skips(affectnet.load, csv_files(line), change, 16, expected)) == csv_rows(8)


def test_backslashes_and_leading_dots_in_a_csv_are_read_alike(skips):
    files = csv_files()
    change = {
        "training.csv": files["training.csv"].replace("1/t", "1\\t"),
        "validation.csv": files["validation.csv"].replace("2/v", "./2/v"),
    }
    assert rows_of(skips(affectnet.load, files, change, 16, OTHERS)) == csv_rows(8)


def test_csv_file_that_is_missing_is_told_and_its_images_are_listed(skips):
    unnamed = {f"{MANUAL}/2/v{code}.jpg": "nothing names it" for code in range(11)}
    dataset = skips(affectnet.load, csv_files(), {"-validation.csv": 0}, 8, OTHERS | unnamed)
    assert "This copy has no validation.csv, so the split test is empty." in dataset.notes


def test_automatic_annotations_are_never_read(skips, refuses):
    automatic = {"automatically_annotated.csv": f"{HEADER}\n{csv_line('1/a.jpg', 0)}\n"}
    automatic |= {"Automatically_Annotated_Images/1/a.jpg": b""}
    message = "no AffectNet under AT: automatically_annotated.csv alone is not read, a network wrote it"
    refuses(affectnet.load, automatic, {}, FileNotFoundError, message)
    dataset = skips(affectnet.load, csv_files(), automatic, 16, OTHERS)
    assert "1 images below Automatically_Annotated_Images are not read: a network labelled them." in dataset.notes


# One NumPy file for each annotation


def test_numpy_annotations_give_each_image_its_expression_split_and_affect(skips):
    dataset = skips(affectnet.load, npy_files(), {}, 16, {})
    expected = {(f"train_set/images/{code}.jpg", CATEGORIES[code], "train") for code in range(8)}
    expected |= {(f"val_set/images/{code}.jpg", CATEGORIES[code], "test") for code in range(8)}
    assert rows_of(dataset) == expected
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
    skips(
        affectnet.load,
        npy_files(),
        {file: content},
        15,
        {"train_set/images/3.jpg": f"AT/{file} does not hold one number ("},
    )


@pytest.mark.parametrize("code", ["11", "-1", "2.5"])
def test_annotated_code_outside_the_categories_is_a_skip(skips, code):
    file = "val_set/annotations/3_exp.npy"
    reason = f"AT/{file}: expression {code} is not in 0 to 10"
    skips(affectnet.load, npy_files(), {file: npy(np.array(code))}, 15, {"val_set/images/3.jpg": reason})


def test_image_without_its_expression_and_expression_without_its_image_are_skips(skips):
    expected = {
        "train_set/images/3.jpg": "AT/train_set/annotations/3_exp.npy is missing: get the annotations again",
        "val_set/annotations/4_exp.npy": "AT/val_set/annotations/4_exp.npy has no image of that number",
        "train_set/annotations/5.png": "lies where this layout has no image",
    }
    change = {"-train_set/annotations/3_exp": 0, "-val_set/images/4.jpg": 0, "train_set/annotations/5.png": b""}
    skips(affectnet.load, npy_files(), change, 14, expected)


def test_image_without_valence_is_kept_and_told(skips):
    dataset = skips(affectnet.load, npy_files(), {"-train_set/annotations/3_val": 0}, 16, {})
    assert f"Valence or arousal of 1 {UNKNOWN}" in dataset.notes


# Class folders


@pytest.mark.parametrize("top", ["", "archive/"])
def test_labels_csv_gives_the_expression_and_there_is_no_split(skips, top):
    dataset = skips(affectnet.load, class_files(top=top), {}, 16, {})
    expected = {(f"{top}{name}/image{number}.jpg", name) for name in EIGHT for number in range(2)}
    assert {row[:2] for row in rows_of(dataset)} == expected
    assert dataset.table["split"].isna().all()
    assert dataset.notes[0] == "This copy is a selection made by others, without official splits."
    assert "16 images (291,651 published)" in dataset.notes[1]


@pytest.mark.parametrize(
    ("labels", "expression", "told"),
    [("csv", "sad", "the label in labels.csv counts"), ("folder", "anger", "the folder counts")],
)
def test_where_folder_and_csv_disagree_the_one_asked_for_counts_and_it_is_told_how_often(
    skips, labels, expression, told
):
    files = class_files()
    change = {"labels.csv": files["labels.csv"].replace("anger/image1.jpg,anger", "anger/image1.jpg,sad")}
    dataset = skips(affectnet.load, files, change, 16, {}, labels=labels)
    row = dataset.table.set_index("image").loc["anger/image1.jpg"]
    assert row[["expression", "folder_expression", "csv_expression"]].tolist() == [expression, "anger", "sad"]
    share = "1 of 16 images (6.2%) have another label in labels.csv than their folder"
    assert f"{share}; {told}. The first is anger/image1.jpg (folder anger, CSV sad)." in dataset.notes


@pytest.mark.parametrize(
    ("row", "image", "reason"),
    [
        ("16,sad/gone.jpg,sad,0.8", "sad/gone.jpg", "no file sad/gone.jpg"),
        ("16,,sad,0.8", "labels.csv/16", "no name of an image"),
        ("16,sad/image1.jpg,happy,0.8", "sad/image1.jpg", "named a second time: AT/labels.csv, data row 5 counts"),
        ("16,sad/odd.jpg,bored,0.8", "sad/odd.jpg", "unknown expression 'bored'"),
        ("16,sad\\odd.jpg,sad,0.8", None, ""),
    ],
)
def test_row_of_labels_csv_without_an_image_or_label_is_a_skip(skips, row, image, reason):
    expected = {image: f"AT/labels.csv, data row 16) .. {reason}"} if image else {}
    change = {"sad/odd.jpg": b""} if "odd" in row else {}
    skips(affectnet.load, class_files(row), change, 16 if image else 17, expected)


def test_image_without_a_label_is_a_skip(skips):
    expected = {"sad/unnamed.jpg": "AT/sad/unnamed.jpg lies where .. or nothing names it", "top.jpg": "lies where"}
    skips(affectnet.load, class_files(), {"sad/unnamed.jpg": b"", "top.jpg": b""}, 16, expected)


@pytest.mark.parametrize("top", ["", "archive (3)/"])
@pytest.mark.parametrize("splits", [("Train", "Test"), ("train", "val", "test")])
def test_split_folders_give_expression_and_split_beside_a_labels_csv_or_not(skips, top, splits):
    dataset = skips(
        affectnet.load, split_files(top, splits), {"labels.csv": ",pth,label,relFCs\n"}, 8 * len(splits), {}
    )
    assert rows_of(dataset) == {
        (f"{top}{split}/{name.capitalize()}/{name}.jpg", name, split.lower()) for split in splits for name in EIGHT
    }
    assert dataset.notes[0].startswith(
        "This copy is a selection made by others: whether its Test folder is the official"
    )


# All layouts


@pytest.mark.parametrize("make", [csv_files, class_files, split_files, npy_files])
def test_second_copy_is_left_aside_with_a_note_if_its_bytes_are_the_same(tmp_path, write_files, make):
    once = affectnet.load(write_files(tmp_path / "once.zip", make()))
    twice = affectnet.load(write_files(tmp_path / "twice.zip", make() | make(top="copy/")))
    assert (len(once.table), len(once.skipped)) == (len(twice.table), len(twice.skipped))
    assert "files are there a second time, byte for byte the same" in twice.notes[-1]


@pytest.mark.parametrize("make", [csv_files, class_files, split_files, npy_files])
def test_second_copy_that_differs_is_refused(refuses, make):
    refuses(
        affectnet.load, make(), make(top="copy/", content=b"x"), LayoutError, "AT holds more than one copy .. copy/"
    )


@pytest.mark.parametrize(
    ("files", "change", "kind", "message"),
    [
        ({"readme.txt": ""}, {}, FileNotFoundError, "no AffectNet under AT: expected training.csv and .. see"),
        ({"happy/1.jpg": b""}, {}, FileNotFoundError, "no AffectNet under AT: expected training.csv and "),
        (csv_files(), {"-.jpg": 0}, FileNotFoundError, "its CSV files are there, and no image below a folder"),
        (class_files(), {"-.jpg": 0}, FileNotFoundError, "labels.csv is there, and no image in a class folder"),
        (
            csv_files(),
            {"training.csv": HEADER.replace(",valence", "")},
            LayoutError,
            "AT/training.csv has the columns .. valence",
        ),
        (csv_files(), {"training.csv": "<html>"}, LayoutError, "AT/training.csv has the columns <html>: expected"),
        (csv_files(), {"training.csv": ""}, LayoutError, "AT/training.csv has the columns none: expected"),
        (csv_files(shift=1), {}, LayoutError, "run from 1 to 11, those of AffectNet from 0 to 10"),
        (class_files(), {"labels.csv": "path,class\na,b\n"}, LayoutError, "AT/labels.csv has the columns path,"),
        (class_files(), {"bored/1.jpg": b""}, LayoutError, "unknown expression 'bored' in AT .. rename or remove it"),
        (split_files(), {"Train/Bored/1.jpg": b""}, LayoutError, "unknown expression 'Bored' in AT/Train: .. rename"),
        (
            {"training.csv": f"{HEADER}\n{csv_line('1/a.jpg', 9)}\n", f"{MANUAL}/1/a.jpg": b""},
            {},
            LayoutError,
            "no image under AT can be used (1 left out, the first is .. not one of the 8 expressions asked for",
        ),
    ],
)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(refuses, files, change, kind, message):
    refuses(affectnet.load, files, change, kind, message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"categories": 9}, "categories is one of 7, 8, 11, not 9"),
        ({"labels": "both"}, "labels is one of csv, folder, not 'both'"),
    ],
)
def test_unknown_option_is_an_error_that_lists_the_known(tmp_path, option, message):
    with pytest.raises(ValueError, match=message):
        affectnet.load(tmp_path, **option)


def test_counts_other_than_the_published_are_told_and_published_ones_are_not(lay_out, monkeypatch):
    counts = "8 images in train (287,651 published), 8 images in test (4,000 published)"
    assert counts in affectnet.load(lay_out(csv_files())).notes[-1]
    monkeypatch.setitem(affectnet.PUBLISHED_COUNTS, 8, {"train": 8, "test": 8})
    assert len(affectnet.load(lay_out(csv_files())).notes) == 1
