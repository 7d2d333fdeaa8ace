"""RAF-DB reads alike from both layouts, and whatever does not fit together is listed by name."""

from collections import Counter

import pytest

from fer_helpers.datasets import rafdb

# The authors' labels 1 to 7, in order.
EXPRESSIONS = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
LABELS = "basic/EmoLabel/list_patition_label.txt"
NAMES = [(split, label) for split in ("train", "test") for label in range(1, 8)]


def authors_files(*lines: str, top: str = "basic/", shift: int = 0) -> dict[str, bytes | str]:
    """One image of each class in both splits, aligned and original, with boxes; lines are added to the label file."""
    files, listed = {}, []
    for split, label in NAMES:
        name = f"{split}_{label:05d}"
        files |= {f"{top}Image/aligned/{name}_aligned.jpg": b"", f"{top}Image/original/{name}.jpg": b""}
        files[f"{top}Annotation/boundingbox/{name}_boundingbox.txt"] = f"10.5 {label}.25 110.75 131.25 \n"
        listed.append(f"{name}.jpg {label + shift}")
    return files | {f"{top}EmoLabel/list_patition_label.txt": "\n".join([*listed, *lines, ""])}


def kaggle_files(top: str = "DATASET/", shift: int = 0) -> dict[str, bytes | str]:
    """The aligned images in Kaggle's folders, and its label files, which are not read: the folder is the label."""
    files = {f"{top}{split}/{label + shift}/{split}_{label:05d}_aligned.jpg": b"" for split, label in NAMES}
    return files | {f"{split}_labels.csv": "image,label\na,9\n" for split in ("train", "test")}


def authors_rows(top: str) -> set[tuple[str, str, str]]:
    stem = f"{top}Image/aligned/"
    return {(f"{stem}{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split) for split, label in NAMES}


@pytest.mark.parametrize("top", ["basic/", "", "RAF-DB/basic/"])
@pytest.mark.parametrize("label_file", rafdb.LABEL_FILES)
def test_authors_files_give_each_image_the_expression_of_its_line_and_the_split_of_its_name(skips, top, label_file):
    files = {name.replace(rafdb.LABEL_FILES[0], label_file): text for name, text in authors_files(top=top).items()}
    dataset = skips(rafdb.load, files, {}, authors_rows(top), {})
    published = "7 images in train (12,271 published), 7 images in test (3,068 published)"
    assert dataset.notes == (f"This copy does not have the numbers of Li et al. 2017: {published}.",)


UNNAMED = "is no name and label, as in 'train_00001.jpg 5'"


@pytest.mark.parametrize(
    ("line", "image", "reason"),
    [
        *((line, f"{LABELS}/14", f"'{line}' {UNNAMED}") for line in ("train_00008.jpg", "train_00008.jpg 5 6")),
        ("face.jpg 5", "face.jpg", f"'face.jpg 5' {UNNAMED}"),
        *(
            (f"train_00008.jpg {label}", "train_00008.jpg", f"label '{label}' of train_00008.jpg is not in 1 to 7")
            for label in ("8", "0", "happy")
        ),
        ("train_00001.jpg 5", "train_00001.jpg", f"named a second time: AT/{LABELS}, data row 0 counts"),
        ("train_00008.jpg 5", "train_00008.jpg", "no file train_00008.jpg"),
        (" ", None, ""),
    ],
)
def test_line_that_gives_no_label_is_a_skip_that_names_file_and_line(skips, line, image, reason):
    expected = {image: f"AT/{LABELS}, data row 14) .. {reason}"} if image else {}
    skips(rafdb.load, authors_files(line), {}, authors_rows("basic/"), expected)


@pytest.mark.parametrize(
    "name", ["test_00009_aligned.jpg", "portrait.jpg", "train_00001.jpg", "test/train_00001_aligned.jpg"]
)
def test_image_out_of_place_is_listed(skips, name):
    name = f"basic/Image/aligned/{name}"
    reason = f"AT/{name} lies where this layout has no image, or nothing names it"
    skips(rafdb.load, authors_files(), {name: b""}, 14, {name: reason})


@pytest.mark.parametrize("top", ["DATASET/", "", "archive/DATASET/"])
@pytest.mark.parametrize("valid", [0, 7])
def test_kaggles_folders_give_each_image_the_expression_and_the_split_of_its_folder(skips, top, valid):
    more = [("valid", label) for label in range(1, valid + 1)]
    files = {f"{top}valid/{label}/valid_{label:05d}_aligned.jpg": b"" for _, label in more}
    expected = {
        (f"{top}{split}/{label}/{split}_{label:05d}_aligned.jpg", EXPRESSIONS[label - 1], split.removesuffix("id"))
        for split, label in NAMES + more
    }
    skips(rafdb.load, kaggle_files(top=top), files, expected, {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("train/3/test_00009_aligned.jpg", "lies in a folder of train, but its name says test: which is right can't"),
        ("train/train_00009_aligned.jpg", "lies where this layout has no image"),
        ("train/3/a/train_00009_aligned.jpg", "lies where this layout has no image"),
        ("train/3/train_00009_aligned.gif", "has none of the suffixes"),
    ],
)
def test_kaggles_file_in_a_wrong_folder_is_a_skip_that_names_it(skips, name, reason):
    skips(rafdb.load, kaggle_files(), {f"DATASET/{name}": b""}, 14, {f"DATASET/{name}": f"AT/DATASET/{name} {reason}"})


@pytest.mark.parametrize(
    ("files", "change", "message"),
    [
        (kaggle_files(), {"-test/": 0}, "no RAF-DB under AT: expected Image/aligned/ .. see data/README.md"),
        ({"train/happy/1.jpg": b"", "test/happy/2.jpg": b""}, {}, "no RAF-DB under AT: expected"),
        (
            authors_files(),
            {"-aligned": 0, "basic/aligned.zip": b""},
            "no RAF-DB under .. no aligned images .. aligned.zip",
        ),
        (
            kaggle_files(),
            {"DATASET/train/8/1.jpg": b""},
            "unknown expression '8' in AT/DATASET/train: known are surpri",
        ),
        (kaggle_files(), {"DATASET/train/happy/1.jpg": b""}, "unknown expression 'happy' in AT/DATASET/train"),
        (authors_files(), {"-test_00002": 0}, "AT holds no image of fear in the split 'test' (1 left"),
        (kaggle_files(), {"-test/2/": 0}, "holds no image of fear in the split 'test' ( .. the copy is incomplete"),
        (authors_files(), {LABELS: "<html>log in</html>"}, "can be used (15 left out .. '<html>log"),
        (authors_files(), {LABELS: b"\xff\xfe\0"}, f"no image under AT can be used (15 left out .. {UNNAMED}"),
        (authors_files(shift=-1), {}, f"labels in AT/{LABELS} run from 0 to 6, those of RAF-DB from 1"),
        (kaggle_files(shift=-1), {}, "run from 0 to 6, those of RAF-DB from 1 to 7: this copy was"),
        (kaggle_files(shift=1), {}, "run from 2 to 8, those of RAF-DB from 1 to 7"),
    ],
)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(refuses, files, change, message):
    refuses(rafdb.load, files, change, message)


@pytest.mark.parametrize("make", [authors_files, kaggle_files])
def test_one_of_two_copies_is_read(reads_one_of_two_copies, make):
    copy = {name: text for name, text in make(top="copy/").items() if "aligned" in name or "list" in name}
    reads_one_of_two_copies(rafdb.load, make(), copy)


def test_real_rafdb_has_the_published_number_of_images_of_each_split(real_data):
    table = rafdb.load(real_data("rafdb")).table
    assert Counter(table["split"]) == {"train": 12_271, "test": 3_068} == rafdb.PUBLISHED_COUNTS
