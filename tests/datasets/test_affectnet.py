"""AffectNet reads alike from the layouts in which it goes round; images of other categories and all that is wrong are listed by name."""

import io
import math
import pickle
from collections import Counter

import numpy as np
import pytest

from fer_helpers import datasets
from fer_helpers.datasets import affectnet
from fer_helpers.datasets.table import LayoutError

# The authors' codes 0 to 10, in order.
CATEGORIES = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
    "none",
    "uncertain",
    "non-face",
)
HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
MANUAL = "Manually_Annotated_Images"
OFFICIAL = "The official validation set of AffectNet, on which the field tests, is the split test here: images to validate with have to come from train."


def csv_line(path: str, code: int | str, box: str = "10,20,30,40", affect: str = "0.5,-0.25") -> str:
    return f"{path},{box},1.5;2.5,{code},{affect}"


def csv_files(
    train: tuple[str, ...] = (), validation: tuple[str, ...] = (), validation_header: bool = True, top: str = ""
) -> dict[str, bytes | str]:
    """One image of each of the eleven categories in both CSV files, as `1/t0.jpg` and `2/v0.jpg`, and further lines."""
    files = {f"{top}{MANUAL}/{folder}{code}.jpg": b"" for folder in ("1/t", "2/v") for code in range(11)}
    for name, folder, more in (("training", "1/t", train), ("validation", "2/v", validation)):
        header = [HEADER] if name == "training" or validation_header else []
        files[f"{top}{name}.csv"] = "\n".join(
            [*header, *(csv_line(f"{folder}{code}.jpg", code) for code in range(11)), *more, ""]
        )
    return files


def csv_rows(codes: int, top: str = "") -> set[tuple[str, str, str]]:
    """Image, expression and split of the first so many categories of those files."""
    rows = {(f"{top}{MANUAL}/1/t{code}.jpg", CATEGORIES[code], "train") for code in range(codes)}
    return rows | {(f"{top}{MANUAL}/2/v{code}.jpg", CATEGORIES[code], "test") for code in range(codes)}


def npy(value, allow_pickle: bool = False) -> bytes:
    content = io.BytesIO()
    np.save(content, value, allow_pickle=allow_pickle)
    return content.getvalue()


def npy_files(changed: dict[str, bytes] | None = None) -> dict[str, bytes]:
    """One image of each expression in both sets; the codes are texts in one and numbers in the other."""
    files = {}
    for folder in ("train_set", "val_set"):
        for code in range(8):
            files[f"{folder}/images/{code}.jpg"] = b""
            value = np.array(str(code)) if folder == "train_set" else np.array([code])
            files |= {
                f"{folder}/annotations/{code}_{name}.npy": npy(content)
                for name, content in (("exp", value), ("val", "0.5"), ("aro", "-0.25"))
            }
            files[f"{folder}/annotations/{code}_lnd.npy"] = npy(np.zeros(136))
    return files | (changed or {})


def class_files(
    rows: tuple[str, ...] = (), top: str = "", changed: dict[str, bytes | str] | None = None
) -> dict[str, bytes | str]:
    """Noamsegal's eight folders with two images each and `labels.csv`, to which rows are added."""
    paths = [f"{name}/image{number}.jpg" for name in CATEGORIES[:8] for number in range(2)]
    lines = [f"{place},{path},{path.partition('/')[0]},0.8" for place, path in enumerate(paths)]
    return (
        {f"{top}{path}": b"" for path in paths}
        | {f"{top}labels.csv": "\n".join([",pth,label,relFCs", *lines, *rows, ""])}
        | (changed or {})
    )


def split_files(top: str = "") -> dict[str, bytes]:
    return {
        f"{top}{split}/{name.capitalize()}/{name}.jpg": b"" for split in ("Train", "Test") for name in CATEGORIES[:8]
    }


def without(files: dict[str, bytes | str], part: str) -> dict[str, bytes | str]:
    return {name: content for name, content in files.items() if part not in name}


def read_rows(dataset) -> set[tuple[str, str, str]]:
    return set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))


def faults_of(dataset) -> dict[str, str]:
    """What was left out for another reason than its category."""
    wrong = dataset.skipped[~dataset.skipped["reason"].str.startswith("category")]
    return dict(zip(wrong["image"], wrong["reason"], strict=True))


# The authors' CSV files


@pytest.mark.parametrize("top", ["", "AffectNet/Manually_Annotated/"])
@pytest.mark.parametrize("validation_header", [True, False], ids=["header", "no header"])
def test_csv_files_give_each_image_its_expression_and_split_with_or_without_a_header(lay_out, top, validation_header):
    dataset = affectnet.load(lay_out(csv_files(validation_header=validation_header, top=top)))
    assert read_rows(dataset) == csv_rows(8, top)
    assert faults_of(dataset) == {}
    assert dataset.notes[0] == OFFICIAL


@pytest.mark.parametrize("categories", [7, 8, 11])
def test_categories_that_are_not_asked_for_are_listed_with_their_reason(lay_out, categories):
    dataset = affectnet.load(lay_out(csv_files()), categories=categories)
    assert read_rows(dataset) == csv_rows(categories)
    reasons = {
        f"category {code} ({CATEGORIES[code]}): not one of the {categories} expressions asked for": 2
        for code in range(categories, 11)
    }
    assert Counter(dataset.skipped["reason"]) == reasons
    assert dataset.table["label"].max() == categories - 1


def test_boxes_and_affect_are_those_of_the_row(lay_out):
    lines = (
        csv_line("1/x.jpg", 3, box="-2,0,101.5,99", affect="-1,1"),
        csv_line("1/y.jpg", 3, affect="-2,-2"),
        csv_line("1/z.jpg", 3, affect=",0.25"),
    )
    files = csv_files(lines) | {f"{MANUAL}/1/{name}.jpg": b"" for name in "xyz"}
    dataset = affectnet.load(lay_out(files))
    table = dataset.table.set_index("image")
    assert table.loc[f"{MANUAL}/1/t0.jpg", ["box", "valence", "arousal"]].tolist() == [(10, 20, 30, 40), 0.5, -0.25]
    assert table.loc[f"{MANUAL}/1/x.jpg", ["box", "valence", "arousal"]].tolist() == [(-2, 0, 101.5, 99), -1, 1]
    assert math.isnan(table.loc[f"{MANUAL}/1/y.jpg", "valence"]) and math.isnan(
        table.loc[f"{MANUAL}/1/y.jpg", "arousal"]
    )
    assert math.isnan(table.loc[f"{MANUAL}/1/z.jpg", "valence"]) and table.loc[f"{MANUAL}/1/z.jpg", "arousal"] == 0.25
    assert (
        "Valence or arousal of 2 images is unknown (no number from -1 to 1) and missing in the table." in dataset.notes
    )


@pytest.mark.parametrize(
    ("line", "image", "reason"),
    [
        (csv_line("", 3), "training.csv/11", "no path of an image"),
        (csv_line("1/new.jpg", 11), "1/new.jpg", "expression '11' is not in 0 to 10"),
        (csv_line("1/new.jpg", -1), "1/new.jpg", "expression '-1' is not in 0 to 10"),
        (csv_line("1/new.jpg", "happy"), "1/new.jpg", "expression 'happy' is not in 0 to 10"),
        (
            csv_line("1/new.jpg", 3, box="a,1,2,3"),
            "1/new.jpg",
            "the box (a, 1, 2, 3) is not x, y and a width and height above 0",
        ),
        (
            csv_line("1/new.jpg", 3, box="1,1,0,3"),
            "1/new.jpg",
            "the box (1, 1, 0, 3) is not x, y and a width and height above 0",
        ),
        (
            csv_line("1/new.jpg", 3, box="1,1,5,-3"),
            "1/new.jpg",
            "the box (1, 1, 5, -3) is not x, y and a width and height above 0",
        ),
        (
            csv_line("1/new.jpg", 3, box="nan,1,5,3"),
            "1/new.jpg",
            "the box (nan, 1, 5, 3) is not x, y and a width and height above 0",
        ),
        (csv_line("1/gone.jpg", 3), "1/gone.jpg", f"no file 1/gone.jpg below {MANUAL}"),
        (csv_line("1/t0.jpg", 3), "1/t0.jpg", "1/t0.jpg is named a second time: training.csv, data row 0 counts"),
        (csv_line("2/v0.jpg", 3), "2/v0.jpg", "2/v0.jpg is named a second time: validation.csv, data row 0 counts"),
        ("1/new.jpg,1,2", "1/new.jpg", "expression '' is not in 0 to 10"),
    ],
)
def test_row_that_is_no_image_is_a_skip_that_names_file_and_row(lay_out, line, image, reason):
    location = lay_out(csv_files((line,)) | {f"{MANUAL}/1/new.jpg": b""})
    dataset = affectnet.load(location)
    assert read_rows(dataset) == csv_rows(8)
    assert faults_of(dataset) == {image: f"{location}/training.csv, data row 11: {reason}"}


def test_csv_file_that_is_missing_is_told(lay_out):
    dataset = affectnet.load(lay_out(without(csv_files(), "validation.csv")))
    assert Counter(dataset.table["split"]) == {"train": 8}
    assert "This copy has no validation.csv, so the split test is empty." in dataset.notes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (HEADER.replace(",valence", ""), "lacks the columns valence"),
        ("<html>please log in</html>", "begins with a row of 1 values, neither the header nor 9 values"),
        ("", "begins with a row of 0 values, neither the header nor 9 values"),
    ],
)
def test_csv_without_its_columns_is_an_error_that_names_it(lay_out, content, problem):
    location = lay_out(csv_files() | {"training.csv": content})
    with pytest.raises(LayoutError, match=rf"{location}/training\.csv {problem}: get it again"):
        affectnet.load(location)


def test_csv_files_without_their_images_are_an_error_that_says_what_to_unpack(lay_out):
    location = lay_out(without(csv_files(), ".jpg"))
    with pytest.raises(
        FileNotFoundError,
        match=rf"no image below a folder {MANUAL} under {location}, though its CSV files are there: unpack the images",
    ):
        affectnet.load(location)


def test_automatic_annotations_are_never_read(lay_out):
    location = lay_out(
        {
            "automatically_annotated.csv": f"{HEADER}\n{csv_line('1/a.jpg', 0)}\n",
            "Automatically_Annotated_Images/1/a.jpg": b"",
        }
    )
    with pytest.raises(
        FileNotFoundError,
        match=rf"no AffectNet under {location}: automatically_annotated\.csv alone is not read, a network wrote it",
    ):
        affectnet.load(location)


# One NumPy file for each annotation


def test_numpy_annotations_give_each_image_its_expression_split_and_affect(lay_out):
    dataset = affectnet.load(lay_out(npy_files()))
    expected = {(f"train_set/images/{code}.jpg", CATEGORIES[code], "train") for code in range(8)}
    expected |= {(f"val_set/images/{code}.jpg", CATEGORIES[code], "test") for code in range(8)}
    assert read_rows(dataset) == expected
    assert set(dataset.table["valence"]) == {0.5} and set(dataset.table["arousal"]) == {-0.25}
    assert len(dataset.skipped) == 0
    assert dataset.notes[0] == OFFICIAL


class Bomb:
    """Pickled, it would raise an error of its own when it is opened."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


@pytest.mark.parametrize("name", ["exp", "val"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        npy(np.array("happy")),
        npy(np.zeros(2)),
        npy(np.array(math.nan)),
        npy(np.array(Bomb(), object), True),
        pickle.dumps(Bomb()),
    ],
    ids=["empty", "text", "word", "two numbers", "nan", "object array", "pickle"],
)
def test_annotation_that_is_no_number_is_a_skip_that_names_the_file_and_no_pickle_is_opened(lay_out, name, content):
    file = f"train_set/annotations/3_{name}.npy"
    location = lay_out(npy_files({file: content}))
    dataset = affectnet.load(location)
    assert len(dataset.table) == 15
    assert dataset.skipped["image"].tolist() == ["train_set/images/3.jpg"]
    assert dataset.skipped["reason"].item().startswith(f"{location}/{file} does not hold one number (")


@pytest.mark.parametrize("code", ["11", "-1", "2.5"])
def test_annotated_code_outside_the_categories_is_a_skip(lay_out, code):
    location = lay_out(npy_files({"val_set/annotations/3_exp.npy": npy(np.array(code))}))
    dataset = affectnet.load(location)
    assert faults_of(dataset) == {
        "val_set/images/3.jpg": f"{location}/val_set/annotations/3_exp.npy: expression {code} is not in 0 to 10"
    }


def test_image_without_its_expression_and_expression_without_its_image_are_skips(lay_out):
    files = without(without(npy_files(), "train_set/annotations/3_exp"), "val_set/images/4.jpg")
    location = lay_out(files)
    assert faults_of(affectnet.load(location)) == {
        "train_set/images/3.jpg": f"{location}/train_set/annotations/3_exp.npy is missing: get the annotations again",
        "val_set/annotations/4_exp.npy": f"{location}/val_set/annotations/4_exp.npy: there is no image of that number",
    }


def test_image_without_valence_is_kept_and_told(lay_out):
    dataset = affectnet.load(lay_out(without(npy_files(), "train_set/annotations/3_val")))
    assert len(dataset.table) == 16
    assert (
        "Valence or arousal of 1 images is unknown (no number from -1 to 1) and missing in the table." in dataset.notes
    )


# Class folders


@pytest.mark.parametrize("top", ["", "archive/"])
def test_labels_csv_gives_the_expression_and_there_is_no_split(lay_out, top):
    dataset = affectnet.load(lay_out(class_files(top=top)))
    expected = {(f"{top}{name}/image{number}.jpg", name) for name in CATEGORIES[:8] for number in range(2)}
    assert set(dataset.table[["image", "expression"]].itertuples(index=False, name=None)) == expected
    assert dataset.table["split"].isna().all()
    assert dataset.notes[0] == "This copy is a selection made by others, without official splits."


@pytest.mark.parametrize(
    ("labels", "expression", "told"),
    [("csv", "sad", "the label in labels.csv counts"), ("folder", "anger", "the folder counts")],
)
def test_where_folder_and_csv_disagree_the_one_asked_for_counts_and_it_is_told_how_often(
    lay_out, labels, expression, told
):
    files = class_files()
    files["labels.csv"] = files["labels.csv"].replace("anger/image1.jpg,anger", "anger/image1.jpg,sad")
    dataset = affectnet.load(lay_out(files), labels=labels)
    row = dataset.table.set_index("image").loc["anger/image1.jpg"]
    assert row[["expression", "folder_expression", "csv_expression"]].tolist() == [expression, "anger", "sad"]
    first = "The first is anger/image1.jpg (folder anger, CSV sad)."
    assert f"1 of 16 images (6.2%) have another label in labels.csv than their folder; {told}. {first}" in dataset.notes


@pytest.mark.parametrize(
    ("row", "image", "reason"),
    [
        ("16,sad/gone.jpg,sad,0.8", "sad/gone.jpg", "no file sad/gone.jpg"),
        ("16,,sad,0.8", "labels.csv/16", "no path of an image"),
        (
            "16,sad/image1.jpg,happy,0.8",
            "sad/image1.jpg",
            "sad/image1.jpg is named a second time: the first row counts",
        ),
    ],
)
def test_row_of_labels_csv_without_an_image_is_a_skip(lay_out, row, image, reason):
    location = lay_out(class_files((row,)))
    dataset = affectnet.load(location)
    assert len(dataset.table) == 16
    assert faults_of(dataset) == {image: f"{location}/labels.csv, data row 16: {reason}"}


def test_unknown_label_and_image_without_a_label_are_skips(lay_out):
    files = class_files(("16,sad/odd.jpg,bored,0.8",), changed={"sad/odd.jpg": b"", "sad/unnamed.jpg": b""})
    location = lay_out(files)
    faults = affectnet.load(location).skipped["reason"].tolist()
    assert faults[0].startswith(f"{location}/labels.csv, data row 16: unknown expression 'bored' in labels.csv")
    assert faults[1:] == [
        f"{location}/sad/odd.jpg has no label in labels.csv",
        f"{location}/sad/unnamed.jpg has no label in labels.csv",
    ]


def test_labels_csv_with_other_columns_is_an_error_that_names_them(lay_out):
    location = lay_out(class_files(changed={"labels.csv": "path,class\na,b\n"}))
    with pytest.raises(LayoutError, match=rf"{location}/labels\.csv has the columns path, class: expected pth, label"):
        affectnet.load(location)


@pytest.mark.parametrize("top", ["", "archive (3)/"])
def test_train_and_test_folders_give_expression_and_split_beside_a_labels_csv_or_not(lay_out, top):
    dataset = affectnet.load(lay_out(split_files(top) | {"labels.csv": ",pth,label,relFCs\n"}))
    expected = {
        (f"{top}{split}/{name.capitalize()}/{name}.jpg", name, split.lower())
        for split in ("Train", "Test")
        for name in CATEGORIES[:8]
    }
    assert read_rows(dataset) == expected
    assert (
        dataset.notes[0]
        == "This copy is a selection made by others: whether its Test folder is the official validation set is not told."
    )


@pytest.mark.parametrize(
    "files",
    [split_files() | {"Train/Bored/1.jpg": b""}, class_files(changed={"bored/1.jpg": b""})],
    ids=["split folders", "labels.csv"],
)
def test_unknown_class_folder_is_an_error_that_names_it(lay_out, files):
    with pytest.raises(LayoutError, match=r"unknown expression '[Bb]ored' in .* rename or remove it"):
        affectnet.load(lay_out(files))


# All layouts


@pytest.mark.parametrize(
    "make",
    [lambda top: csv_files(top=top), lambda top: class_files(top=top), split_files],
    ids=["csv", "labels.csv", "split folders"],
)
def test_two_copies_in_one_place_are_an_error_and_not_one_doubled_set(lay_out, make):
    location = lay_out(make("") | make("copy/"))
    with pytest.raises(
        LayoutError,
        match=rf"{location} holds more than one copy of AffectNet \(.*copy/.*\): name the folder above one of them",
    ):
        affectnet.load(location)


@pytest.mark.parametrize("files", [{"readme.txt": ""}, {"happy/1.jpg": b""}])
def test_other_layout_is_an_error_that_says_what_was_expected(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        FileNotFoundError, match=rf"no AffectNet under {location}: expected training\.csv and .* see data/README\.md"
    ):
        affectnet.load(location)


def test_copy_without_an_image_that_was_asked_for_is_an_error(lay_out):
    files = {"training.csv": f"{HEADER}\n{csv_line('1/a.jpg', 9)}\n", f"{MANUAL}/1/a.jpg": b""}
    location = lay_out(files)
    with pytest.raises(LayoutError, match=rf"no image under {location} is of the 8 categories asked for"):
        affectnet.load(location)


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


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (
            csv_files(),
            "This copy gives 8 images to train and 8 to test; the authors' release has 287,651 and 4,000 of 8 categories (Mollahosseini et al. 2017).",
        ),
        (
            class_files(),
            "This copy gives 16 images; the authors' release has 287,651 and 4,000 of 8 categories (Mollahosseini et al. 2017).",
        ),
    ],
    ids=["splits", "no splits"],
)
def test_counts_other_than_the_published_are_told(lay_out, files, told):
    assert affectnet.load(lay_out(files)).notes[-1] == told


def test_published_counts_need_no_note(lay_out, monkeypatch):
    monkeypatch.setitem(affectnet.PUBLISHED_COUNTS, 8, {"train": 8, "test": 8})
    assert affectnet.load(lay_out(csv_files())).notes == (OFFICIAL,)


@pytest.mark.parametrize("name", ["affectnet", "AffectNet.zip", "affectnet_noamsegal.zip"])
def test_data_set_is_found_by_its_names(tmp_path, monkeypatch, write_files, name):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    location = write_files(tmp_path / name, csv_files())
    dataset = datasets.load("affectnet", categories=7)
    assert dataset.location == location
    assert len(dataset.table) == 14
