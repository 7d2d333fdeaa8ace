"""Data sets by name: found as people call them, and those that are absent or there twice are told, not hidden."""

import re

import pytest

from fer_helpers import datasets, drawn, paths
from fer_helpers.datasets.table import LayoutError

JAFFE = {"KA.AN1.39.tiff": b"", "KL.HA2.159.tiff": b"x"}
NAMES = {
    "fer2013": "fer2013 fer2013.zip fer2013.csv icml_face_data.csv",
    "ferplus": "ferplus ferplus.zip",
    "ckplus": "ckplus CK+.zip ck+ cohn-kanade-plus ckplus48.zip CK+48",
    "jaffe": "jaffe jaffe.zip JAFFE jaffedbase.zip jaffe.ZIP",
    "rafdb": "rafdb RAF-DB.zip raf-db-dataset.zip DATASET",
    "affectnet": "affectnet AffectNet.zip",
}


@pytest.fixture
def place(monkeypatch, tmp_path, write_files):
    """Write files under a name into the folder of the real data sets."""
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    return lambda name, files: write_files(tmp_path / name, files)


@pytest.mark.parametrize(("key", "name"), [(key, name) for key in NAMES for name in NAMES[key].split()])
def test_data_set_is_found_under_any_of_its_names(place, tmp_path, key, name):
    location = place("first.zip", JAFFE).rename(tmp_path / name)
    assert datasets.find(key) == datasets.find(key, str(tmp_path)) == datasets.find(key, str(location)) == location
    if key == "jaffe":
        dataset = datasets.load(key)
        assert (dataset.location, dataset.generated, len(dataset.table)) == (location, False, 2)


def test_relative_paths_start_at_the_folder_of_the_project(tmp_path, monkeypatch, write_files):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.chdir("/")
    write_files(tmp_path / "elsewhere" / "jaffe", JAFFE)
    assert datasets.find("jaffe", "elsewhere") == tmp_path / "elsewhere" / "jaffe"
    with pytest.raises(FileNotFoundError, match=re.escape(f"no such file: {tmp_path}/nowhere;")):
        datasets.load("jaffe", "nowhere")


def test_folder_that_is_itself_the_data_set_is_read_whatever_tables_lie_in_it(tmp_path, write_files):
    location = write_files(tmp_path / "fer", {"fer2013.csv": "", "train/happy/a.jpg": b"", "test/happy/a.jpg": b""})
    with pytest.raises(LayoutError, match=r"more than one copy, and they differ \(fer2013\.csv, t"):
        datasets.load("fer2013", str(location))


def test_two_places_with_the_same_files_are_read_once_with_a_note(place):
    folder, archive = place("jaffe", JAFFE), place("JAFFE.zip", JAFFE)
    dataset = datasets.load("jaffe")
    note = f"{folder} holds the same files as {archive}, byte for byte: one of the two was read."
    assert (dataset.location, dataset.notes[-1]) == (archive, note)


@pytest.mark.parametrize("other", [JAFFE | {"KA.AN1.39.tiff": b"other"}, {"KA.AN1.39.tiff": b""}], ids=["byte", "name"])
def test_two_places_that_differ_are_refused_by_name(place, other):
    folder, archive = place("jaffe", JAFFE), place("jaffe.zip", other)
    with pytest.raises(LayoutError) as caught:
        datasets.load_present(["jaffe"])
    advice = "are two copies of jaffe, which differ: name one of them as data, or move one away"
    assert all(part in str(caught.value) for part in (str(folder), str(archive), advice))


def test_of_several_those_present_are_loaded_and_the_others_say_what_was_looked_for(place, tmp_path):
    archive = place("other.zip", {f"CK+48/happy/S010_004_{number:08d}.png": b"" for number in range(3)})
    assert len(datasets.load("ckplus", f"{archive}/CK+48").table) == 3
    present, _ = datasets.load_present(["ckplus"], str(archive), options={"ckplus": {"last_frames": 2}})
    assert present["ckplus"].table["frame"].tolist() == [1, 2]
    place("jaffe", JAFFE)
    present, absent = datasets.load_present(["ckplus", "jaffe"])
    assert (list(present), list(absent)) == (["jaffe"], ["ckplus"])
    assert f"no ckplus in {tmp_path}: put it there under one of the names ckplus, CK+," in absent["ckplus"]
    (tmp_path / "jaffe").rename(tmp_path / "gone")
    (tmp_path / "Jaffe-2.tar.gz").touch()
    with pytest.raises(FileNotFoundError, match="Jaffe-2.tar.gz, which lies there, has another name or is packed"):
        datasets.load("jaffe")
    with pytest.raises(FileNotFoundError, match=r"(?s)no ckplus in .*no jaffe in .*or set FER_DATA_DIR"):
        datasets.load_present(["ckplus", "jaffe"])


def test_faces_drawn_by_program_are_read_by_the_same_loader_and_marked(tmp_path, monkeypatch, write_files):
    monkeypatch.setattr(drawn, "ensure", lambda name: write_files(tmp_path / name, JAFFE))
    dataset = datasets.load("jaffe", "generated")
    assert (dataset.generated, dataset.location, len(dataset.table)) == (True, tmp_path / "jaffe", 2)


@pytest.mark.parametrize("data", ["real", "generated", "/tmp"])
def test_unknown_name_lists_the_known_ones(data):
    with pytest.raises(ValueError, match=r"no data set is called 'fer2014': there are fer2013, ferplus"):
        datasets.load("fer2014", data)
