"""A folder and a zip are read by the same lines, and a damaged one says so in a sentence."""

import os
import zipfile

import pytest

from fer_helpers.datasets.files import FileTree, read_encoded, split_at_container
from fer_helpers.datasets.table import LayoutError

FILES = {
    "train/happy/b.JPG": b"b",
    "train/happy/a.png": b"a",
    "train/sad/c.tiff": b"c",
    "trainers/happy/d.png": b"d",
    "notes/readme.txt": "caf\u00e9",
}


def test_names_are_those_of_the_files_sorted(lay_out):
    assert FileTree(lay_out(FILES)).names == sorted(FILES)


def test_clutter_of_macos_and_editors_is_no_part_of_a_data_set(lay_out):
    clutter = {
        "__MACOSX/train/happy/._a.png": b"",
        "train/.DS_Store": b"",
        ".ipynb_checkpoints/a.png": b"",
        "train/happy/._a.png": b"",
    }
    assert FileTree(lay_out(FILES | clutter)).names == sorted(FILES)


def test_images_below_a_folder_are_found_by_suffix_in_any_case(lay_out):
    tree = FileTree(lay_out(FILES))
    assert tree.images_below("train") == ["train/happy/a.png", "train/happy/b.JPG", "train/sad/c.tiff"]
    assert tree.images_below("") == [
        "train/happy/a.png",
        "train/happy/b.JPG",
        "train/sad/c.tiff",
        "trainers/happy/d.png",
    ]


def test_content_is_read_as_bytes_and_as_text_without_a_byte_order_mark(lay_out):
    tree = FileTree(lay_out(FILES | {"marked.csv": b"\xef\xbb\xbfemotion,pixels"}))
    assert tree.read_bytes("train/sad/c.tiff") == b"c"
    with tree.open_text("notes/readme.txt") as file:
        assert file.read() == "caf\u00e9"
    with tree.open_text("marked.csv") as file:
        assert file.read() == "emotion,pixels"


def test_file_is_found_by_its_last_part_at_any_depth(lay_out):
    tree = FileTree(lay_out(FILES))
    assert tree.named("readme.txt") == "notes/readme.txt"
    assert tree.named("eadme.txt") is None


def test_path_of_an_image_leads_back_to_its_bytes(lay_out):
    location = lay_out(FILES)
    tree = FileTree(location)
    path = tree.path("train/happy/a.png")
    assert path == f"{location.as_posix()}/train/happy/a.png"
    assert list(read_encoded([path])) == [b"a"]


def test_images_of_folders_and_archives_come_in_the_order_asked_for(tmp_path, write_files):
    folder, archive = write_files(tmp_path / "data", FILES), write_files(tmp_path / "data.zip", FILES)
    wanted = [
        f"{archive}/train/sad/c.tiff",
        f"{folder}/train/happy/a.png",
        f"{archive}/train/happy/b.JPG",
        f"{folder}/train/sad/c.tiff",
    ]
    assert list(read_encoded(wanted)) == [b"c", b"a", b"b", b"c"]


def test_path_is_split_where_the_file_on_disk_ends(tmp_path, write_files):
    archive = write_files(tmp_path / "data.zip", FILES)
    assert split_at_container(f"{archive}/train/sad/c.tiff") == (archive, "train/sad/c.tiff")
    assert split_at_container(str(archive)) == (archive, "")


def test_missing_folder_is_an_error_that_names_it_and_the_next_step(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"no such folder or archive: .*/nowhere; name one that exists, see data/README\.md"
    ):
        FileTree(tmp_path / "nowhere")


def test_truncated_zip_is_an_error_that_names_it_and_the_next_step(tmp_path, write_files):
    archive = write_files(tmp_path / "data.zip", FILES)
    os.truncate(archive, archive.stat().st_size // 2)
    with pytest.raises(LayoutError, match=r"data\.zip is no readable zip .*: remove it and download it again"):
        FileTree(archive)


def test_encrypted_zip_is_an_error_that_names_it_and_the_next_step(tmp_path, write_files):
    archive = write_files(tmp_path / "data.zip", {"a.png": b"a"})
    content = bytearray(archive.read_bytes())
    content[content.find(b"PK\x01\x02") + 8] |= (
        1  # bit 0 of the flags in the central directory: encrypted (APPNOTE 4.4.4)
    )
    archive.write_bytes(content)
    with pytest.raises(
        LayoutError, match=r"data\.zip is encrypted: extract it with its password and name the folder instead"
    ):
        FileTree(archive)


def test_zip_that_was_replaced_is_read_anew(tmp_path, write_files):
    FileTree(write_files(tmp_path / "data.zip", {"old.png": b"old"}))
    archive = write_files(tmp_path / "data.zip", {"newer.png": b"newer"})
    assert FileTree(archive).names == ["newer.png"]
    assert list(read_encoded([f"{archive}/newer.png"])) == [b"newer"]


def test_member_whose_bytes_changed_reads_as_nothing_and_the_others_as_they_are(tmp_path):
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("a.png", b"first image")
        opened.writestr("b.png", b"second image")
    archive.write_bytes(archive.read_bytes().replace(b"first image", b"FIRST image"))
    assert list(read_encoded([f"{archive}/a.png", f"{archive}/b.png"])) == [b"", b"second image"]


def test_text_whose_bytes_changed_in_an_archive_is_an_error_that_names_it(tmp_path):
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as opened:
        opened.writestr("fer2013.csv", "emotion,pixels,Usage")
    archive.write_bytes(archive.read_bytes().replace(b"emotion", b"EMOTION"))
    with (
        pytest.raises(
            LayoutError,
            match=r"data\.zip/fer2013\.csv is damaged or no text \(Bad CRC-32.*\): remove it and download it again",
        ),
        FileTree(archive).open_text("fer2013.csv") as file,
    ):
        file.read()


def test_image_that_went_away_is_an_error_that_names_it_and_the_next_step(lay_out, tmp_path):
    location = lay_out(FILES)
    location.rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"a\.png is gone: .* load the data set again"):
        list(read_encoded([f"{location}/train/happy/a.png"]))


def test_single_image_that_went_away_is_an_error_that_names_it(tmp_path, write_files):
    folder = write_files(tmp_path / "data", FILES)
    (folder / "train/happy/a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png is gone"):
        list(read_encoded([f"{folder}/train/happy/a.png"]))
