"""JAFFE takes subject and expression from the file names, wherever they lie, and says what is wrong with a copy."""

import numpy as np
import pytest

from fer_helpers.datasets import jaffe
from fer_helpers.datasets.table import LayoutError
from fer_helpers.images import read_images

SEVEN = {  # a picture of each class, and its expression
    "KA.AN1.39.tiff": "anger",
    "KA.DI1.42.tiff": "disgust",
    "KL.FE3.176.tiff": "fear",
    "KL.HA2.159.tiff": "happy",
    "UY.NE1.137.tiff": "neutral",
    "YM.SA1.55.tiff": "sad",
    "YM.SU4.61.tiff": "surprise",
}
FILES = dict.fromkeys(SEVEN, b"")


@pytest.mark.parametrize("top", ["", "jaffe/", "archive/jaffedbase/", "by class"])
def test_each_picture_has_the_subject_and_expression_of_its_name(lay_out, top):
    tops = {name: f"{expression}/" if top == "by class" else top for name, expression in SEVEN.items()}
    location = lay_out({f"{tops[name]}{name}": b"" for name in SEVEN})
    dataset = jaffe.load(location)
    expected = [
        (f"{tops[name]}{name}", f"{location.as_posix()}/{tops[name]}{name}", expression, name[:2])
        for name, expression in SEVEN.items()
    ]
    read = dataset.table[["image", "path", "expression", "subject"]].itertuples(index=False, name=None)
    assert list(read) == sorted(expected)
    assert dataset.table[["split", "sequence", "frame"]].isna().all(axis=None)
    assert len(dataset.skipped) == 0


@pytest.mark.parametrize(
    "name", ["KR.SU3.80.tiff.tiff", "KR.SU3.80.tif", "KR.SU3.80.jpg", "KR.SU3.80.tiff.png", "kr.su3.80.TIFF"]
)
def test_other_and_doubled_suffixes_are_read_alike(lay_out, name):
    table = jaffe.load(lay_out({name: b""})).table
    assert table[["image", "expression", "subject"]].values.tolist() == [[name, "surprise", "KR"]]


UNNAMED = "does not say subject, expression and number: expected a name like KA.AN1.39.tiff"


@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        ({name: b""}, {name: f"AT/{name} {UNNAMED}"})
        for name in ("foo.tiff", "KA.XX1.39.tiff", "KA.AN1.tiff", "KA-AN1-39.tiff", "KAX.AN1.39.tiff", "mean face.png")
    ]
    + [
        (
            {"happy/KA.AN2.40.tiff": b""},
            {"happy/KA.AN2.40.tiff": "contradicts its folder: which expression is right can't"},
        ),
        (
            {"KA.AN2.40.gif": b"", "KA.AN2.41": b""},
            {"KA.AN2.40.gif": "none of the suffixes", "KA.AN2.41": "none of the"},
        ),
        (
            {
                "README_FIRST.txt": "",
                "README": "",
                "data.csv": "a,b",
                ".DS_Store": b"",
                "__MACOSX/._KA.AN1.39.tiff": b"",
            },
            {},
        ),
    ],
)
def test_file_that_is_no_picture_of_jaffe_is_listed(skips, change, skipped):
    skips(jaffe.load, FILES, change, 7, skipped)


@pytest.mark.parametrize("name", ["copy/KA.AN1.39.tiff", "KA.AN1.39.tif", "KA.AN1.39.tiff.tiff"])
def test_picture_there_twice_is_taken_once_if_its_bytes_are_the_same_and_else_refused(refuses, lay_out, name):
    refuses(
        jaffe.load, FILES, {name: b"x"}, LayoutError, f"more than one copy, and they differ (KA.AN1.39.tif .. {name}"
    )
    dataset = jaffe.load(lay_out(FILES | {name: b"x", "KA.AN1.39.tiff": b"x"}))
    assert (len(dataset.table), len(dataset.skipped)) == (7, 0)
    assert dataset.notes[-1].startswith("1 files are there a second time, byte for byte the same")


def test_two_pictures_of_one_expression_are_two_pictures(lay_out):
    assert len(jaffe.load(lay_out({"KA.AN1.39.tiff": b"", "KA.AN2.40.tiff": b"", "KA.AN2.41.tiff": b""})).table) == 3


def test_numbers_other_than_the_published_ones_stand_in_a_note(lay_out):
    (note,) = jaffe.load(lay_out(FILES)).notes
    start = "This copy does not have the published numbers: 7 images (213 published), 4 subjects (10 published), "
    assert note.startswith(start) and "1 images of disgust (29 published)" in note


def test_copy_with_all_published_numbers_has_no_note(lay_out):
    published = {"AN": 30, "DI": 29, "FE": 32, "HA": 31, "NE": 30, "SA": 31, "SU": 30}
    subjects = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
    classes = [code for code, number in published.items() for _ in range(number)]
    files = {f"{subjects[number % 10]}.{code}1.{number + 1}.tiff": b"" for number, code in enumerate(classes)}
    dataset = jaffe.load(lay_out(files))
    assert (len(dataset.table), dataset.notes) == (213, ())


@pytest.mark.parametrize("files", [{"readme.txt": ""}, {"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}])
def test_other_layout_is_an_error_that_says_what_was_expected(refuses, files):
    refuses(
        jaffe.load, files, {}, FileNotFoundError, "no JAFFE under AT: expected KA.AN1.39.tiff .. see data/README.md"
    )


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["as published", "compressed"])
def test_grey_tiff_files_are_read_as_they_are(lay_out, encode, options):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256), dtype="uint8")
    table = jaffe.load(lay_out({"KA.AN1.39.tiff": encode(pixels, ".tiff", **options)})).table
    np.testing.assert_array_equal(read_images(table, side=256).pixels[0, :, :, 0], pixels)
