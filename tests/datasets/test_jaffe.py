"""JAFFE takes subject and expression from the file names, wherever they lie, and says what is wrong with a copy."""

import numpy as np
import pytest

from fer_helpers.datasets import jaffe
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


@pytest.mark.parametrize("top", ["", "archive/jaffedbase/", "by class"])
def test_each_picture_has_the_subject_and_expression_of_its_name(lay_out, top):
    tops = {name: f"{expression}/" if top == "by class" else top for name, expression in SEVEN.items()}
    location = lay_out({f"{tops[name]}{name}": b"" for name in SEVEN})
    dataset = jaffe.load(location)
    read = dataset.table[["image", "path", "expression", "subject"]].itertuples(index=False, name=None)
    names = {f"{tops[name]}{name}": name for name in SEVEN}
    assert list(read) == sorted(
        (image, f"{location.as_posix()}/{image}", SEVEN[name], name[:2]) for image, name in names.items()
    )
    assert dataset.table[["split", "sequence", "frame"]].isna().all(axis=None) and len(dataset.skipped) == 0


@pytest.mark.parametrize("name", ["KR.SU3.80.tiff.tiff", "KR.SU3.80.jpg", "KR.SU3.80.tiff.png", "kr.su3.80.TIFF"])
def test_other_and_doubled_suffixes_are_read_alike(lay_out, name):
    table = jaffe.load(lay_out({name: b""})).table
    assert table[["image", "expression", "subject"]].values.tolist() == [[name, "surprise", "KR"]]


UNNAMED = "does not say subject, expression and number: expected a name like KA.AN1.39.tiff"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *(
            (name, UNNAMED)
            for name in ("foo.tiff", "KA.XX1.39.tiff", "KA.AN1.tiff", "KA-AN1-39.tiff", "KAX.AN1.39.tif")
        ),
        ("happy/KA.AN2.40.tiff", "contradicts its folder: which expression is right can't"),
        *((name, "has none of the suffixes") for name in ("KA.AN2.40.gif", "KA.AN2.41")),
    ],
)
def test_file_that_is_no_picture_of_jaffe_is_listed(skips, name, reason):
    skips(jaffe.load, FILES, {name: b"", "README_FIRST.txt": "", "README": ""}, 7, {name: f"AT/{name} {reason}"})


@pytest.mark.parametrize("name", ["copy/KA.AN1.39.tiff", "KA.AN1.39.tif", "KA.AN1.39.tiff.tiff"])
def test_one_of_two_pictures_is_read(reads_one_of_two_copies, name):
    reads_one_of_two_copies(jaffe.load, FILES | {"KA.AN2.40.tiff": b"", "KA.AN2.41.tiff": b""}, {name: b""})


def test_numbers_other_than_the_published_ones_stand_in_a_note(lay_out):
    (note,) = jaffe.load(lay_out(FILES)).notes
    start = "This copy does not have the published numbers: 7 images (213 published), 4 subjects (10 published), "
    assert note.startswith(start) and "1 images of disgust (29 published)" in note


@pytest.mark.parametrize("files", [{"readme.txt": ""}, {"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}])
def test_other_layout_is_an_error_that_says_what_was_expected(refuses, files):
    refuses(jaffe.load, files, {}, "no JAFFE under AT: expected KA.AN1.39.tiff .. see data/README.md")


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["as published", "compressed"])
def test_grey_tiff_files_are_read_as_they_are(lay_out, encode, options):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256), dtype="uint8")
    table = jaffe.load(lay_out({"KA.AN1.39.tiff": encode(pixels, ".tiff", **options)})).table
    np.testing.assert_array_equal(read_images(table, side=256).pixels[0, :, :, 0], pixels)
