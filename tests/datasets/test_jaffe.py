"""JAFFE takes subject and expression from the file names, wherever the files lie, and says what is wrong with a copy."""

import numpy as np
import pytest

from fer_helpers import datasets
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


def jaffe_files(top: str = "") -> dict[str, bytes]:
    """Those pictures; no loader decodes them."""
    return {f"{top}{name}": b"" for name in SEVEN}


@pytest.mark.parametrize("top", ["", "jaffe/", "archive/jaffedbase/"])
def test_each_picture_has_the_subject_and_expression_of_its_name(lay_out, top):
    location = lay_out(jaffe_files(top))
    dataset = jaffe.load(location)
    expected = [
        (f"{top}{name}", f"{location.as_posix()}/{top}{name}", expression, name[:2])
        for name, expression in SEVEN.items()
    ]
    assert (
        list(dataset.table[["image", "path", "expression", "subject"]].itertuples(index=False, name=None)) == expected
    )
    assert dataset.table["label"].tolist() == [6, 5, 4, 1, 0, 2, 3]
    assert dataset.table[["split", "sequence", "frame"]].isna().all(axis=None)
    assert len(dataset.skipped) == 0


@pytest.mark.parametrize(
    "name", ["KR.SU3.80.tiff.tiff", "KR.SU3.80.tif", "KR.SU3.80.jpg", "KR.SU3.80.tiff.png", "kr.su3.80.TIFF"]
)
def test_other_and_doubled_suffixes_are_read_alike(lay_out, name):
    table = jaffe.load(lay_out({name: b""})).table
    assert table[["image", "expression", "subject"]].values.tolist() == [[name, "surprise", "KR"]]


@pytest.mark.parametrize(
    "name", ["foo.tiff", "KA.XX1.39.tiff", "KA.AN1.tiff", "KA-AN1-39.tiff", "KAX.AN1.39.tiff", "mean face.png"]
)
def test_name_that_does_not_parse_is_listed_with_its_path_and_what_is_expected(lay_out, name):
    location = lay_out(jaffe_files() | {name: b""})
    dataset = jaffe.load(location)
    assert len(dataset.table) == 7
    reason = f"{location}/{name} does not say subject, expression and number: expected a name like KA.AN1.39.tiff"
    assert dataset.skipped.to_dict("list") == {"image": [name], "reason": [reason]}


def test_read_me_and_clutter_beside_the_pictures_do_not_matter(lay_out):
    dataset = jaffe.load(
        lay_out(
            jaffe_files()
            | {"README_FIRST.txt": "", "data.csv": "a,b", ".DS_Store": b"", "__MACOSX/._KA.AN1.39.tiff": b""}
        )
    )
    assert (len(dataset.table), len(dataset.skipped)) == (7, 0)


@pytest.mark.parametrize("name", ["copy/KA.AN1.39.tiff", "KA.AN1.39.tif", "KA.AN1.39.tiff.tiff"])
def test_same_picture_twice_is_an_error_that_names_both(lay_out, name):
    location = lay_out(jaffe_files() | {name: b""})
    with pytest.raises(LayoutError) as caught:
        jaffe.load(location)
    assert {"KA.AN1.39.tiff", name} <= set(str(caught.value).removeprefix(f"{location}/").split(" "))
    assert "are the same picture: remove one, or name the folder above one copy" in str(caught.value)


def test_two_pictures_of_one_expression_are_two_pictures(lay_out):
    assert len(jaffe.load(lay_out({"KA.AN1.39.tiff": b"", "KA.AN2.40.tiff": b"", "KA.AN2.41.tiff": b""})).table) == 3


def test_numbers_other_than_the_published_ones_stand_in_a_note(lay_out):
    (note,) = jaffe.load(lay_out(jaffe_files())).notes
    assert note.startswith(
        "This copy does not have the published numbers: 7 images (213 published), 4 subjects (10 published), "
    )
    assert "1 images of disgust (29 published)" in note


def test_copy_with_all_published_numbers_has_no_note(lay_out):
    published = {"AN": 30, "DI": 29, "FE": 32, "HA": 31, "NE": 30, "SA": 31, "SU": 30}
    subjects = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
    classes = [code for code, number in published.items() for _ in range(number)]
    dataset = jaffe.load(
        lay_out({f"{subjects[number % 10]}.{code}1.{number + 1}.tiff": b"" for number, code in enumerate(classes)})
    )
    assert len(dataset.table) == 213
    assert dataset.notes == ()


@pytest.mark.parametrize(
    "files",
    [{"readme.txt": ""}, {"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}],
    ids=["no image", "other names", "CK+"],
)
def test_other_layout_is_an_error_that_says_what_was_expected(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        FileNotFoundError,
        match=rf"no JAFFE under {location}: expected KA\.AN1\.39\.tiff and its like, .*; see data/README\.md",
    ):
        jaffe.load(location)


def test_missing_folder_says_what_is_missing_and_the_next_step(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder or archive: .*/nowhere; name one that exists"):
        jaffe.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["jaffe", "jaffe.zip", "jaffedbase", "jaffedbase.zip"])
def test_data_set_is_found_by_its_usual_names(tmp_path, monkeypatch, write_files, name):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    location = write_files(tmp_path / name, jaffe_files())
    assert datasets.load("jaffe").location == location


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["as published", "compressed"])
def test_grey_tiff_files_are_read_as_they_are(lay_out, encode, options):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256), dtype="uint8")
    table = jaffe.load(lay_out({"KA.AN1.39.tiff": encode(pixels, ".tiff", **options)})).table
    np.testing.assert_array_equal(read_images(table, side=256).pixels[0, :, :, 0], pixels)
