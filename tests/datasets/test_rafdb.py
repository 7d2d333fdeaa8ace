"""RAF-DB reads alike from both layouts, and whatever does not fit together is listed by name."""

from collections import Counter

import pytest

from fer_helpers.datasets import rafdb
from fer_helpers.datasets.table import LayoutError

# The authors' labels 1 to 7, in order.
EXPRESSIONS = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
LABELS = "basic/EmoLabel/list_patition_label.txt"
BOX = "basic/Annotation/boundingbox/train_00008_boundingbox.txt"
NAMES = [(split, label) for split in ("train", "test") for label in range(1, 8)]


def authors_files(*lines: str, top: str = "basic/", shift: int = 0, content=b"") -> dict[str, bytes | str]:
    """One image of each class in both splits, aligned and original, with boxes; lines are added to the label file."""
    files, listed = {}, []
    for split, label in NAMES:
        name = f"{split}_{label:05d}"
        files[f"{top}Image/aligned/{name}_aligned.jpg"] = content
        files[f"{top}Image/original/{name}.jpg"] = content
        files[f"{top}Annotation/boundingbox/{name}_boundingbox.txt"] = f"10.5 {label}.25 110.75 131.25 \n"
        listed.append(f"{name}.jpg {label + shift}")
    return files | {f"{top}EmoLabel/list_patition_label.txt": "\n".join([*listed, *lines, ""])}


def kaggle_files(*rows: str, top: str = "DATASET/", shift: int = 0, content=b"") -> dict[str, bytes | str]:
    """The same images in Kaggle's folders; rows are added to `train_labels.csv`."""
    files = {f"{top}{split}/{label + shift}/{split}_{label:05d}_aligned.jpg": content for split, label in NAMES}
    for split, more in (("train", rows), ("test", ())):
        lines = [f"{split}_{label:05d}_aligned.jpg,{label}" for label in range(1, 8)]
        files[f"{split}_labels.csv"] = "\n".join(["image,label", *lines, *more, ""])
    return files


def rows_of(dataset) -> set[tuple[str, str, str]]:
    return set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))


@pytest.mark.parametrize("top", ["basic/", "", "RAF-DB/basic/"])
@pytest.mark.parametrize("label_file", ["list_patition_label.txt", "list_partition_label.txt"])
def test_authors_files_give_each_image_the_expression_of_its_line_and_the_split_of_its_name(lay_out, top, label_file):
    files = {
        name.replace("list_patition_label.txt", label_file): content for name, content in authors_files(top=top).items()
    }
    dataset = rafdb.load(lay_out(files))
    assert rows_of(dataset) == {
        (f"{top}Image/aligned/{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split) for split, label in NAMES
    }
    assert len(dataset.skipped) == 0 and dataset.table["box"].isna().all()
    published = "7 images in train (12,271 published), 7 images in test (3,068 published)"
    assert dataset.notes == (f"This copy does not have the numbers of Li et al. 2017: {published}.",)


def test_original_images_come_with_their_boxes_as_corner_width_and_height(lay_out):
    dataset = rafdb.load(lay_out(authors_files()), images="original")
    assert {name for name, *_ in rows_of(dataset)} == {
        f"basic/Image/original/{split}_{label:05d}.jpg" for split, label in NAMES
    }
    boxes = dict(zip(dataset.table["image"], dataset.table["box"], strict=True))
    assert boxes["basic/Image/original/train_00001.jpg"] == (10.5, 1.25, 100.25, 130.0)
    assert boxes["basic/Image/original/test_00007.jpg"] == (10.5, 7.25, 100.25, 124.0)


@pytest.mark.parametrize(("lost", "without"), [("-boundingbox", 14), ("-train_00003_bound", 1)])
def test_original_images_without_a_box_file_are_read_without_a_box(skips, lost, without):
    dataset = skips(rafdb.load, authors_files(), {lost: 0}, 14, {}, images="original")
    assert dataset.table["box"].isna().sum() == without
    note = "1 images have no bounding box, basic/Image/original/train_00003.jpg first."
    assert (note in dataset.notes) == (without == 1)


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
        ("1 1 " + "9" * 5000 + " 2", "holds a box without an area"),
    ],
)
def test_box_that_is_none_is_a_skip_that_names_the_file(skips, content, reason):
    image = "basic/Image/original/train_00008.jpg"
    change = {image: b"", BOX: content}
    skips(rafdb.load, authors_files("train_00008.jpg 4"), change, 14, {image: f"AT/{BOX} {reason}"}, images="original")


@pytest.mark.parametrize(
    ("line", "image", "reason"),
    [
        ("train_00008.jpg", f"{LABELS}/14", "'train_00008.jpg' is no name and label, as in 'train_00001.jpg 5'"),
        ("train_00008.jpg 5 6", f"{LABELS}/14", "'train_00008.jpg 5 6' is no name and label"),
        ("face.jpg 5", "face.jpg", "'face.jpg 5' is no name and label"),
        ("train_00008.jpg 8", "train_00008.jpg", "label '8' of train_00008.jpg is not in 1 to 7"),
        ("train_00008.jpg 0", "train_00008.jpg", "label '0' of train_00008.jpg is not in 1 to 7"),
        ("train_00008.jpg happy", "train_00008.jpg", "label 'happy' of train_00008.jpg is not in 1 to 7"),
        ("train_00001.jpg 5", "train_00001.jpg", f"named a second time: AT/{LABELS}, data row 0 counts"),
        ("train_00008.jpg 5", "train_00008.jpg", "no file train_00008.jpg"),
        ("", None, ""),
    ],
)
def test_line_that_gives_no_label_is_a_skip_that_names_file_and_line(skips, line, image, reason):
    expected = {image: f"AT/{LABELS}, data row 14) .. {reason}"} if image else {}
    dataset = skips(rafdb.load, authors_files(line), {}, 14, expected)
    assert ("basic/Image/aligned/train_00001_aligned.jpg", "surprise", "train") in rows_of(dataset)


def test_commas_in_the_label_file_are_read_like_blanks(skips):
    files = authors_files()
    skips(rafdb.load, files, {LABELS: files[LABELS].replace(" ", ",")}, 14, {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("aligned/test_00009_aligned.jpg", "lies where this layout has no image, or nothing names it"),
        ("aligned/portrait.jpg", "lies where this layout has no image, or nothing names it"),
        ("aligned/train_00001.jpg", "contradicts its folder"),
        ("original/train_00001_aligned.jpg", "contradicts its folder"),
        ("aligned/test/train_00001_aligned.jpg", "contradicts its folder"),
        ("aligned/train_00001.jfif", "has none of the suffixes"),
    ],
)
def test_image_out_of_place_is_listed(skips, name, reason):
    name = f"basic/Image/{name}"
    skips(rafdb.load, authors_files(), {name: b""}, 14, {name: f"AT/{name} {reason}"})


@pytest.mark.parametrize("top", ["DATASET/", "", "archive/DATASET/"])
@pytest.mark.parametrize("lost", ["-.csv", "-nothing"])
def test_kaggles_folders_give_each_image_the_expression_and_the_split_of_its_folder(skips, top, lost):
    dataset = skips(rafdb.load, kaggle_files(top=top), {lost: 0}, 14, {})
    assert rows_of(dataset) == {
        (f"{top}{split}/{label}/{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split)
        for split, label in NAMES
    }
    assert len(dataset.notes) == 1  # the count


def test_validation_folder_is_read_as_such(skips):
    change = {f"DATASET/valid/{label}/x{label}.jpg": b"" for label in range(1, 8)}
    dataset = skips(rafdb.load, kaggle_files(), change, 21, {})
    assert Counter(dataset.table["split"]) == {"train": 7, "val": 7, "test": 7}


def test_kaggles_csv_that_disagrees_with_the_folder_is_counted_and_the_folder_counts(skips):
    files = kaggle_files()
    other = (
        files["test_labels.csv"]
        .replace("1_aligned.jpg,1", "1_aligned.jpg,4")
        .replace("2_aligned.jpg,2", "2_aligned.jpg,4")
    )
    change = {"test_labels.csv": other, "DATASET/train/4/train_00009_aligned.jpg": b""}
    dataset = skips(rafdb.load, files, change, 15, {})
    told = "2 images have another label in test_labels.csv than their folder, whose label counts; the first is "
    assert f"{told}test_00001_aligned.jpg (folder 1, CSV 4)." in dataset.notes
    told = (
        "1 images have no row in train_labels.csv and keep their folder's label; the first is train_00009_aligned.jpg."
    )
    assert told in dataset.notes
    assert ("DATASET/test/1/test_00001_aligned.jpg", "surprise", "test") in rows_of(dataset)


@pytest.mark.parametrize(
    ("row", "image", "reason"),
    [
        ("train_00099_aligned.jpg,3", "train_00099_aligned.jpg", "no file train_00099_aligned.jpg"),
        (",3", "train_labels.csv/7", "no name of an image"),
        ("train_00001_aligned.jpg,9", "train_00001_aligned.jpg", "label '9' is not in 1 to 7; the folder's counts"),
        ("train_00001_aligned.jpg,1", "train_00001_aligned.jpg", "named a second time: AT/train_labels.csv, data row"),
    ],
)
def test_kaggles_row_that_names_no_image_or_label_is_a_skip(skips, row, image, reason):
    expected = {image: f"AT/train_labels.csv, data row 7) .. {reason}"}
    skips(rafdb.load, kaggle_files(row), {}, 14, expected)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("train/8/train_00009_aligned.jpg", "lies in a folder '8', which is not in 1 to 7"),
        ("train/happy/train_00009_aligned.jpg", "lies in a folder 'happy', which is not in 1 to 7"),
        ("train/3/test_00009_aligned.jpg", "lies in a folder of train, but its name says test: which is right can't"),
        ("train/train_00009_aligned.jpg", "lies where this layout has no image"),
        ("train/3/a/train_00009_aligned.jpg", "lies where this layout has no image"),
        ("train/3/train_00009_aligned.gif", "has none of the suffixes"),
    ],
)
def test_kaggles_file_in_a_wrong_folder_is_a_skip_that_names_it(skips, name, reason):
    name = f"DATASET/{name}"
    skips(rafdb.load, kaggle_files(), {name: b"", "-.csv": 0}, 14, {name: f"AT/{name} {reason}"})


@pytest.mark.parametrize(
    ("files", "change", "kind", "message"),
    [
        ({"readme.txt": ""}, {}, FileNotFoundError, "no RAF-DB under AT: expected Image/aligned/ .. see"),
        (kaggle_files(), {"-test/": 0}, FileNotFoundError, "no RAF-DB under AT: expected Image/aligned/"),
        ({"train/happy/1.jpg": b"", "test/happy/2.jpg": b""}, {}, FileNotFoundError, "no RAF-DB under AT: expected"),
        (
            authors_files(),
            {"-aligned": 0, "basic/aligned.zip": b""},
            FileNotFoundError,
            "no aligned images .. aligned.zip, which",
        ),
        (
            authors_files(),
            authors_files(top="copy/", content=b"x"),
            LayoutError,
            "AT holds more than one copy .. copy/",
        ),
        (kaggle_files(), kaggle_files(top="copy/", content=b"x"), LayoutError, "AT holds more than one copy .. copy/"),
        (authors_files(), {"-test_00002": 0}, LayoutError, "AT holds no image of fear in the split 'test' (1 left"),
        (kaggle_files(), {"-test/2/": 0}, LayoutError, "holds no image of fear in the split 'test' ( .. the copy is"),
        (authors_files(), {LABELS: "<html>log in</html>"}, LayoutError, "can be used (15 left out .. '<html>log"),
        (authors_files(), {LABELS: "train_00001.jpg 1 x"}, LayoutError, "'train_00001.jpg 1 x' is no name and label"),
        (authors_files(shift=-1), {}, LayoutError, f"labels in AT/{LABELS} run from 0 to 6, those of RAF-DB from 1"),
        (kaggle_files(shift=-1), {}, LayoutError, "run from 0 to 6, those of RAF-DB from 1 to 7: this copy was"),
        (kaggle_files(shift=1), {}, LayoutError, "run from 2 to 8, those of RAF-DB from 1 to 7"),
        (
            kaggle_files(),
            {"train_labels.csv": "name,class\na,1\n"},
            LayoutError,
            "has the columns name, class: expected image",
        ),
        (authors_files(), {LABELS: b"\xff\xfe\0"}, LayoutError, f"AT/{LABELS} is damaged or no text"),
    ],
)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(refuses, files, change, kind, message):
    refuses(rafdb.load, files, change, kind, message)


@pytest.mark.parametrize(
    ("files", "copy"), [(authors_files(), authors_files(top="copy/")), (kaggle_files(), kaggle_files(top="copy/"))]
)
def test_second_copy_with_the_same_bytes_is_left_aside_with_a_note(skips, files, copy):
    dataset = skips(rafdb.load, files, copy, 14, {})
    assert "files are there a second time, byte for byte the same" in dataset.notes[-1]


def test_kinds_of_images_are_told_apart(refuses, skips):
    refuses(
        rafdb.load,
        kaggle_files(),
        {},
        FileNotFoundError,
        "but aligned images: ask for images='aligned'",
        images="original",
    )
    refuses(
        rafdb.load,
        kaggle_files(),
        {},
        ValueError,
        "images is one of aligned, original, not 'cropped'",
        images="cropped",
    )


@pytest.mark.parametrize("lost", ["-_aligned", "-nothing"])
def test_one_kind_of_images_suffices(skips, lost):
    skips(rafdb.load, authors_files(), {lost: 0}, 14, {}, images="original")


def test_published_counts_need_no_note(skips, monkeypatch):
    monkeypatch.setattr(rafdb, "PUBLISHED_COUNTS", {"train": 7, "test": 7})
    assert skips(rafdb.load, authors_files(), {}, 14, {}).notes == ()


def test_real_rafdb_has_the_published_number_of_images_of_each_split(real_data):
    table = rafdb.load(real_data("rafdb")).table
    assert Counter(table["split"]) == {"train": 12_271, "test": 3_068} == rafdb.PUBLISHED_COUNTS
