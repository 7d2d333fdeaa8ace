"""A folder, a zip and a part of one are read alike; what is damaged, hostile or something else says so."""

import gzip
import io
import re
import struct
import tarfile
import tracemalloc
import zipfile

import pytest

from fer_helpers.datasets import files as files_module
from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.files import FileTree, read_file, read_rows
from fer_helpers.datasets.table import LayoutError

FILES = {
    "train/happy/b.JPG": b"b",
    "train/happy/a.png": b"a",
    "train/sad/c.tiff": b"c",
    "trainers/happy/d.webp": b"d",
    "notes/readme.txt": "caf\u00e9",
}


def zipped(files: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    with zipfile.ZipFile(content := io.BytesIO(), "w", method) as archive:
        for name, member in files.items():
            archive.writestr(name, member)
    return content.getvalue()


def changed_entry(content: bytes, offset: int, value: bytes) -> bytes:
    """A zip with other bytes at an offset in the entry of its first file in the central directory (APPNOTE 4.3.12)."""
    place = content.find(b"PK\x01\x02") + offset
    return content[:place] + value + content[place + len(value) :]


def test_names_are_those_of_the_files_sorted_without_the_clutter_of_macos_and_editors(lay_out):
    clutter = ("__MACOSX/train/happy/._a.png", "train/.DS_Store", ".ipynb_checkpoints/a.png", "train/happy/._a.png")
    tree = FileTree(lay_out(FILES | dict.fromkeys(clutter, b"")))
    assert tree.names == sorted(FILES)
    assert tree.images == ["train/happy/a.png", "train/happy/b.JPG", "train/sad/c.tiff", "trainers/happy/d.webp"]


def test_path_of_a_file_leads_back_to_its_bytes_lines_and_rows(lay_out):
    location = lay_out(FILES | {"marked.csv": b"\xef\xbb\xbfb, a\r\n1,2\r\n\r\n3\r\n"})
    tree = FileTree(location)
    path = tree.path("train/happy/a.png")
    assert path == f"{location.as_posix()}/train/happy/a.png"
    assert read_file(path) == b"a"
    assert list(read_rows(tree.path("notes/readme.txt"), ("column",), header=False)) == [(0, ["caf\u00e9"])]
    assert list(read_rows(tree.path("marked.csv"), ("a", "b"))) == [(0, ["2", "1"]), (1, ["", "3"])]


@pytest.mark.parametrize("written", ["./{}", "{}", "/{}"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_names_of_members_are_read_however_a_program_wrote_them(tmp_path, written, slash):
    files = {written.format(name).replace("/", slash): content for name, content in FILES.items()}
    (archive := tmp_path / "data.ZIP").write_bytes(zipped(files))
    tree = FileTree(archive)
    assert tree.names == sorted(FILES)
    assert [read_file(tree.path(name)) for name in tree.images] == [b"a", b"b", b"c", b"d"]


def test_part_of_an_archive_is_a_tree_and_a_table_in_it_too(tmp_path, write_files):
    archive = write_files(tmp_path / "data.zip", FILES)
    tree = FileTree(archive / "train")
    assert (tree.names, read_file(tree.path("sad/c.tiff"))) == (["happy/a.png", "happy/b.JPG", "sad/c.tiff"], b"c")
    tree = FileTree(archive / "notes" / "readme.txt")
    assert (tree.names, read_file(tree.path("readme.txt")).decode()) == (["readme.txt"], "caf\u00e9")
    with pytest.raises(FileNotFoundError, match=r"no such file: .*data\.zip/trai; name one that exists"):
        FileTree(archive / "trai")


def test_file_is_found_by_its_last_part_at_any_depth_in_any_case(lay_out):
    location = lay_out(FILES | {"copy/readme.txt": "caf\u00e9", "a/one.csv": "1", "b/ONE.csv": "2"})
    found = Collection("any", "Any", "", location)
    assert (found.named("README.txt"), found.copies) == ("copy/readme.txt", {"notes/readme.txt"})
    assert found.named("eadme.txt") is None
    with pytest.raises(LayoutError, match=r"more than one copy, and they differ \(a/one\.csv, b/ONE\.csv\)"):
        found.named("one.csv")


TAR = io.BytesIO()
with tarfile.open(fileobj=TAR, mode="w") as opened:
    opened.addfile(tarfile.TarInfo("train/happy/a.png"))
DEFLATE64 = changed_entry(zipped({"a.png": b"a"}), 10, struct.pack("<H", 9))
NO_TEXTS = {"bytes": b"\xff\xfe\0", "field": b'a,b\n"' + b"x" * 200_000, "cut": b"a,b\n\0" + b"\xc3"}
NO_TREES = [
    ("data.zip", gzip.compress(TAR.getvalue()), "is not a zip but a tar or another archive: unpack it and"),
    ("fer2013.csv", TAR.getvalue(), "is a tar or another archive: unpack it and name the folder"),
    ("data.tar", TAR.getvalue(), "is not a zip but a tar or another archive: unpack it and"),
    ("data.7z", b"7z\xbc\xaf\x27\x1c\0", "is not a zip but a tar or another archive: unpack it"),
    ("data.rar", b"Rar!\x1a\x07\0", "is not a zip but a tar or another archive: unpack it"),
    ("data.zip", b"PAR1....PAR1", "is not a zip but a parquet or HDF5 table, which is not read: get a copy with"),
    ("data.zip", b"\n<!DOCTYPE html><html>", "is not a zip but a web page or message, saved instead of the data"),
    ("data.zip", b'\xef\xbb\xbf{"code": 403}', "is not a zip but a web page or message, saved instead of the data"),
    ("data.zip", b"version https://git-lfs.github.com/spec/v1\n", "is not a zip but a pointer of Git LFS, not the"),
    *(("data.zip", blank, "is not a zip but empty: download it again") for blank in (b"", bytes(1000))),
    ("fer2013", b"emotion,pixels,Usage\n0,1 2,Training\n", "is not a zip but a text file: if it is a table, let"),
    *(("a", begin + bytes(9), "is not a zip but a single image") for begin in (b"MM\0*", b"BM1234", b"GIF89a")),
    ("a.jpg", b"\xff\xd8\xff\xe0", "is not a zip but a single image: name the data set's folder"),
    ("data.zip", zipped(FILES)[:200], "is no readable zip (File is not a zip file): remove it and download it"),
    ("data.zip", b"\x01\x02" * 500, "is no readable zip (File is not a zip file): remove it"),
    ("data.zip", changed_entry(zipped(FILES), 8, b"\1"), "is encrypted, or packed by a rare method"),
    *(
        ("data.zip", packed, "is encrypted, or packed by a rare method: unpack it, name the folder")
        for packed in (DEFLATE64, zipped(FILES, zipfile.ZIP_BZIP2), zipped(FILES, zipfile.ZIP_LZMA))
    ),
    ("data.zip", changed_entry(zipped(FILES), 6, b"\xff\0"), "is no readable zip (zip file version 25.5): remove"),
    ("data.zip", zipped({"a.png": b"1", "./a.png": b"2"}), "holds two files called a.png, which differ: unpack"),
]


# An archive holds its time: no name for a test.
@pytest.mark.parametrize(("name", "content", "told"), NO_TREES, ids=lambda x: "bytes" if isinstance(x, bytes) else None)
def test_file_that_is_something_else_is_named_by_what_it_holds(tmp_path, name, content, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LayoutError) as caught:
        FileTree(tmp_path / name)
    assert f"{tmp_path / name} {told}" in str(caught.value)


def test_missing_folder_is_an_error_that_names_it_and_the_next_step(tmp_path):
    for name in ("nowhere", "nowhere.zip", "nowhere.csv", "nowhere.zip/train"):
        with pytest.raises(FileNotFoundError, match=rf"no such file: .*/{name}; name one that exists"):
            FileTree(tmp_path / name)


def test_zip_that_was_replaced_is_read_anew(tmp_path, write_files):
    FileTree(write_files(tmp_path / "data.zip", {"old.png": b"old"}))
    archive = write_files(tmp_path / "data.zip", {"newer.png": b"newer"})
    assert FileTree(archive).names == ["newer.png"]
    assert read_file(f"{archive}/newer.png") == b"newer"


@pytest.mark.parametrize("method", files_module.METHODS, ids=zipfile.compressor_names.get)
def test_damaged_member_is_an_error_that_names_it_and_the_others_are_read_as_they_are(tmp_path, method):
    content = zipped({"a.csv": bytes(range(256)) * 20, "b.png": b"second image"}, method)
    start = content.find(b"a.csv") + 5
    archive = tmp_path / "data.zip"
    for width in (1, 8, 30):
        archive.write_bytes(content[: start + 12] + b"\x55" * width + content[start + 12 + width :])
        assert read_file(f"{archive}/b.png") == b"second image"
        for read in (read_file, lambda path: list(read_rows(path, ("emotion",)))):
            with pytest.raises(LayoutError, match=r"data\.zip/a\.csv is damaged or no text .*: remove it and download"):
                read(f"{archive}/a.csv")


@pytest.mark.parametrize("kind", NO_TEXTS)
def test_text_that_is_none_is_an_error_that_names_it(lay_out, kind):
    tree = FileTree(lay_out({"a.csv": NO_TEXTS[kind]}))
    with pytest.raises(LayoutError, match=r"a\.csv is damaged or no text .*: remove it and download it again"):
        list(read_rows(tree.path("a.csv"), ("a", "b")))


def test_nothing_larger_than_the_limit_is_read(lay_out, monkeypatch):
    monkeypatch.setattr(files_module, "MOST_BYTES", 1_000)
    tree = FileTree(lay_out({"zeros.png": bytes(1_001), "zeros.csv": bytes(3 * 2**20)}))
    with pytest.raises(LayoutError, match=r"zeros\.png has 1,001 bytes, and at most 1,000 are read"):
        read_file(tree.path("zeros.png"))
    with pytest.raises(LayoutError, match=r"zeros\.csv is damaged or no text \(field larger than field limit"):
        list(read_rows(tree.path("zeros.csv"), ("a",)))


def test_member_that_hides_its_size_does_not_fill_memory(tmp_path):
    (tmp_path / "a.zip").write_bytes(changed_entry(zipped({"a.png": bytes(2**26)}), 24, struct.pack("<I", 10)))
    tracemalloc.start()
    with pytest.raises(LayoutError, match="a.png is damaged"):
        read_file(f"{tmp_path}/a.zip/a.png")
    assert tracemalloc.get_traced_memory()[1] < 2**21
    tracemalloc.stop()


def test_image_that_went_away_is_an_error_that_names_it_and_the_next_step(lay_out, tmp_path, write_files):
    (location := lay_out(FILES)).rename(tmp_path / "elsewhere")
    for gone in (f"{location}/train/happy/a.png", f"{write_files(tmp_path / 'other.zip', FILES)}/gone.png"):
        with pytest.raises(FileNotFoundError, match=rf"no such file: {re.escape(gone)}; .* load the data set again"):
            read_file(gone)
