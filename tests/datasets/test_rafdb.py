"""RAF-DB reads alike from its authors' files and from Kaggle's folders, and whatever does not fit together is listed by name."""

from collections import Counter

import pytest

from fer_helpers import datasets
from fer_helpers.datasets import rafdb
from fer_helpers.datasets.table import LayoutError

# The authors' labels 1 to 7, in order.
EXPRESSIONS = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
LABEL_FILE = "EmoLabel/list_patition_label.txt"


def authors_files(
    top: str = "basic/", changed: dict[str, bytes | str] | None = None, lines: tuple[str, ...] = ()
) -> dict[str, bytes | str]:
    """One image of each class in both splits, aligned and original, with boxes; lines are added to the label file. No loader decodes them."""
    files, listed = {}, []
    for split in ("train", "test"):
        for label in range(1, 8):
            name = f"{split}_{label:05d}"
            files[f"{top}Image/aligned/{name}_aligned.jpg"] = b""
            files[f"{top}Image/original/{name}.jpg"] = b""
            files[f"{top}Annotation/boundingbox/{name}_boundingbox.txt"] = f"10.5 {label}.25 110.75 131.25 \n"
            listed.append(f"{name}.jpg {label}")
    return files | {f"{top}{LABEL_FILE}": "\n".join([*listed, *lines, ""])} | (changed or {})


def kaggle_files(
    top: str = "DATASET/", changed: dict[str, bytes | str] | None = None, rows: tuple[str, ...] = ()
) -> dict[str, bytes | str]:
    """The same images in Kaggle's folders; rows are added to `train_labels.csv`."""
    files = {
        f"{top}{split}/{label}/{split}_{label:05d}_aligned.jpg": b""
        for split in ("train", "test")
        for label in range(1, 8)
    }
    for split, more in (("train", rows), ("test", ())):
        lines = [f"{split}_{label:05d}_aligned.jpg,{label}" for label in range(1, 8)]
        files[f"{split}_labels.csv"] = "\n".join(["image,label", *lines, *more, ""])
    return files | (changed or {})


def without(files: dict[str, bytes | str], part: str) -> dict[str, bytes | str]:
    return {name: content for name, content in files.items() if part not in name}


def read_rows(dataset) -> set[tuple[str, str, str]]:
    return set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))


def skipped_of(dataset) -> dict[str, str]:
    return dict(zip(dataset.skipped["image"], dataset.skipped["reason"], strict=True))


@pytest.mark.parametrize("top", ["basic/", "", "RAF-DB/basic/"])
def test_authors_files_give_each_image_the_expression_of_its_line_and_the_split_of_its_name(lay_out, top):
    dataset = rafdb.load(lay_out(authors_files(top)))
    expected = {
        (f"{top}Image/aligned/{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split)
        for split in ("train", "test")
        for label in range(1, 8)
    }
    assert read_rows(dataset) == expected
    assert len(dataset.skipped) == 0
    assert dataset.table["box"].isna().all()


def test_original_images_come_with_their_boxes_as_corner_width_and_height(lay_out):
    dataset = rafdb.load(lay_out(authors_files()), images="original")
    assert {name for name, *_ in read_rows(dataset)} == {
        f"basic/Image/original/{split}_{label:05d}.jpg" for split in ("train", "test") for label in range(1, 8)
    }
    boxes = dict(zip(dataset.table["image"], dataset.table["box"], strict=True))
    assert boxes["basic/Image/original/train_00001.jpg"] == (10.5, 1.25, 100.25, 130.0)
    assert boxes["basic/Image/original/test_00007.jpg"] == (10.5, 7.25, 100.25, 124.0)


def test_original_images_without_any_box_file_are_read_without_boxes(lay_out):
    dataset = rafdb.load(lay_out(without(authors_files(), "boundingbox")), images="original")
    assert len(dataset.table) == 14
    assert dataset.table["box"].isna().all()


def test_image_whose_box_file_is_missing_is_told(lay_out):
    dataset = rafdb.load(lay_out(without(authors_files(), "train_00003_boundingbox")), images="original")
    assert dataset.table["box"].isna().sum() == 1
    assert "1 images have no bounding box, basic/Image/original/train_00003.jpg first." in dataset.notes


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "does not hold four numbers x1 y1 x2 y2"),
        ("1 2 3", "does not hold four numbers x1 y1 x2 y2"),
        ("1 2 three 4", "does not hold four numbers x1 y1 x2 y2"),
        (b"\xff\xfe", "does not hold four numbers x1 y1 x2 y2"),
        ("10 10 10 50", "holds a box without an area (10 10 10 50)"),
        ("10 50 40 20", "holds a box without an area (10 50 40 20)"),
        ("nan 10 40 20", "holds a box without an area"),
    ],
)
def test_box_that_is_none_is_a_skip_that_names_the_file(lay_out, content, reason):
    box_file = "basic/Annotation/boundingbox/train_00008_boundingbox.txt"
    changed = {"basic/Image/original/train_00008.jpg": b"", box_file: content}
    location = lay_out(authors_files(changed=changed, lines=("train_00008.jpg 4",)))
    dataset = rafdb.load(location, images="original")
    assert len(dataset.table) == 14
    (image, told), *_ = skipped_of(dataset).items()
    assert image == "basic/Image/original/train_00008.jpg"
    assert told.startswith(f"{location}/{box_file} {reason}")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("train_00008.jpg", "line 15: 'train_00008.jpg' is no name and label, as in 'train_00001.jpg 5'"),
        ("train_00008.jpg 5 6", "line 15: 'train_00008.jpg 5 6' is no name and label"),
        ("face.jpg 5", "line 15: 'face.jpg 5' is no name and label"),
        ("train_00008.jpg 8", "line 15: label '8' of train_00008.jpg is not in 1 to 7"),
        ("train_00008.jpg 0", "line 15: label '0' of train_00008.jpg is not in 1 to 7"),
        ("train_00008.jpg happy", "line 15: label 'happy' of train_00008.jpg is not in 1 to 7"),
        ("train_00001.jpg 5", "line 15: train_00001.jpg is named a second time: its first line counts"),
    ],
)
def test_line_that_gives_no_label_is_a_skip_that_names_file_and_line(lay_out, line, reason):
    location = lay_out(authors_files(lines=(line,)))
    dataset = rafdb.load(location)
    assert len(dataset.table) == 14
    assert skipped_of(dataset).keys() == {f"basic/{LABEL_FILE}/15"}
    assert f"{location}/basic/{LABEL_FILE}, {reason}" in skipped_of(dataset)[f"basic/{LABEL_FILE}/15"]
    assert ("basic/Image/aligned/train_00001_aligned.jpg", "surprise", "train") in read_rows(dataset)


def test_line_without_an_image_and_image_without_a_line_are_skips_that_name_them(lay_out):
    location = lay_out(
        authors_files(changed={"basic/Image/aligned/test_00009_aligned.jpg": b""}, lines=("train_00008.jpg 5",))
    )
    dataset = rafdb.load(location)
    assert len(dataset.table) == 14
    assert skipped_of(dataset) == {
        "train_00008.jpg": f"no file for train_00008.jpg, though {location}/basic/{LABEL_FILE} names it",
        "basic/Image/aligned/test_00009_aligned.jpg": f"{location}/basic/Image/aligned/test_00009_aligned.jpg has no label in basic/{LABEL_FILE}",
    }


def test_kind_of_images_that_is_not_there_is_an_error_that_says_what_to_unpack(lay_out):
    location = lay_out(without(authors_files(), "aligned") | {"basic/Image/aligned.zip": b""})
    with pytest.raises(
        FileNotFoundError,
        match=rf"no aligned images of RAF-DB under {location}: .*aligned\.zip, which has to be unpacked",
    ):
        rafdb.load(location)
    assert len(rafdb.load(location, images="original").table) == 14


def test_unknown_kind_of_images_is_an_error_that_lists_the_known(tmp_path):
    with pytest.raises(ValueError, match="images is one of aligned, original, not 'cropped'"):
        rafdb.load(tmp_path, images="cropped")


@pytest.mark.parametrize("top", ["DATASET/", "", "archive/DATASET/"])
def test_kaggles_folders_give_each_image_the_expression_and_the_split_of_its_folder(lay_out, top):
    dataset = rafdb.load(lay_out(kaggle_files(top)))
    expected = {
        (f"{top}{split}/{label}/{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split)
        for split in ("train", "test")
        for label in range(1, 8)
    }
    assert read_rows(dataset) == expected
    assert len(dataset.skipped) == 0


def test_kaggles_folders_are_read_without_their_csv_files(lay_out):
    dataset = rafdb.load(lay_out(without(kaggle_files(), ".csv")))
    assert len(dataset.table) == 14
    assert len(dataset.notes) == 1  # the count


def test_kaggles_csv_that_disagrees_with_the_folder_is_counted_and_the_folder_counts(lay_out):
    changed = {
        "test_labels.csv": "image,label\n"
        + "\n".join(f"test_{label:05d}_aligned.jpg,{4 if label < 3 else label}" for label in range(1, 8))
    }
    dataset = rafdb.load(lay_out(kaggle_files(changed=changed)))
    told = "2 images have another label in test_labels.csv than their folder, whose label counts; the first is test_00001_aligned.jpg (folder 1, CSV 4)."
    assert told in dataset.notes
    assert ("DATASET/test/1/test_00001_aligned.jpg", "surprise", "test") in read_rows(dataset)


def test_kaggles_images_that_the_csv_does_not_name_are_told_and_kept(lay_out):
    dataset = rafdb.load(lay_out(kaggle_files(changed={"DATASET/train/4/train_00009_aligned.jpg": b""})))
    assert (
        "1 images have no row in train_labels.csv and keep their folder's label; the first is train_00009_aligned.jpg."
        in dataset.notes
    )
    assert len(dataset.table) == 15


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("train_00099_aligned.jpg,3", "data row 7: no file for 'train_00099_aligned.jpg'"),
        (",3", "data row 7: no file for ''"),
        ("train_00001_aligned.jpg,9", "data row 7: label '9' is not in 1 to 7; the folder's counts"),
        (
            "train_00001_aligned.jpg,1",
            "data row 7: train_00001_aligned.jpg is named a second time: the first row counts",
        ),
    ],
)
def test_kaggles_row_that_names_no_image_or_label_is_a_skip(lay_out, row, reason):
    location = lay_out(kaggle_files(rows=(row,)))
    dataset = rafdb.load(location)
    assert len(dataset.table) == 14
    assert dataset.skipped["reason"].tolist() == [f"{location}/train_labels.csv, {reason}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DATASET/train/8/train_00009_aligned.jpg", "its folder '8' is not in 1 to 7"),
        (
            "DATASET/train/3/test_00009_aligned.jpg",
            "its folder says train and its name test: which is right can't be told",
        ),
    ],
)
def test_kaggles_file_in_a_wrong_folder_is_a_skip_that_names_it(lay_out, name, reason):
    location = lay_out(without(kaggle_files(changed={name: b""}), ".csv"))
    dataset = rafdb.load(location)
    assert len(dataset.table) == 14
    assert skipped_of(dataset) == {name: f"{location}/{name}: {reason}"}


def test_kaggles_csv_with_other_columns_is_an_error_that_names_them(lay_out):
    location = lay_out(kaggle_files(changed={"train_labels.csv": "name,class\na,1\n"}))
    with pytest.raises(
        LayoutError, match=rf"{location}/train_labels\.csv has the columns name, class: expected image, label"
    ):
        rafdb.load(location)


def test_kaggles_copy_has_no_original_images_and_says_so(lay_out):
    location = lay_out(kaggle_files())
    with pytest.raises(FileNotFoundError, match=rf"{location} holds aligned images only: ask for images='aligned'"):
        rafdb.load(location, images="original")


@pytest.mark.parametrize(
    "files", [{"readme.txt": ""}, without(kaggle_files(), "test/"), {"train/happy/1.jpg": b"", "test/happy/2.jpg": b""}]
)
def test_other_layout_is_an_error_that_says_what_was_expected(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        FileNotFoundError, match=rf"no RAF-DB under {location}: expected Image/aligned/ .* see data/README\.md"
    ):
        rafdb.load(location)


@pytest.mark.parametrize("make", [authors_files, kaggle_files])
def test_two_copies_in_one_place_are_an_error_and_not_one_doubled_set(lay_out, make):
    location = lay_out(make() | make("copy/"))
    with pytest.raises(
        LayoutError,
        match=rf"{location} holds more than one copy of RAF-DB \(.*copy/.*\): name the folder above one of them",
    ):
        rafdb.load(location)


@pytest.mark.parametrize(
    "files", [without(authors_files(), "test_00002"), without(kaggle_files(), "test/2/")], ids=["authors", "kaggle"]
)
def test_split_without_an_image_of_a_class_is_an_error_that_names_both(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        LayoutError, match=rf"{location} holds no image of fear in the split 'test': the copy is incomplete"
    ):
        rafdb.load(location)


def test_label_file_without_any_label_is_an_error(lay_out):
    location = lay_out(authors_files(changed={f"basic/{LABEL_FILE}": "<html>please log in</html>"}))
    with pytest.raises(LayoutError, match=rf"no image under {location} has a label: the copy is incomplete"):
        rafdb.load(location)


def test_counts_other_than_the_published_are_told(lay_out):
    dataset = rafdb.load(lay_out(authors_files()))
    assert dataset.notes == (
        "This copy gives 7 images to train and 7 to test; the published numbers are 12,271 and 3,068 (Li et al. 2017).",
    )


def test_published_counts_need_no_note(lay_out, monkeypatch):
    monkeypatch.setattr(rafdb, "PUBLISHED_COUNTS", {"train": 7, "test": 7})
    assert rafdb.load(lay_out(authors_files())).notes == ()


@pytest.mark.parametrize("name", ["rafdb", "RAF-DB.zip", "raf-db-dataset.zip"])
def test_data_set_is_found_by_its_names(tmp_path, monkeypatch, write_files, name):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    location = write_files(tmp_path / name, authors_files())
    assert datasets.load("rafdb").location == location


def test_real_rafdb_has_the_published_number_of_images_of_each_split(real_data):
    table = rafdb.load(real_data("rafdb")).table
    assert Counter(table["split"]) == {"train": 12_271, "test": 3_068} == rafdb.PUBLISHED_COUNTS
