"""A file or folder is there whole or not at all, and a full disk says what to do."""

import errno
import os
from pathlib import Path

import pytest

from fer_helpers import paths

PROJECT = Path(__file__).resolve().parent.parent
MEANT = [(name, PROJECT / "data/raw") for name in ("data/raw", "./data/raw", Path("data/raw"))]
MEANT += [("~/faces", Path.home() / "faces"), ("/somewhere/else", Path("/somewhere/else"))]


def write(partial: Path, content: str) -> None:
    """A file, or a folder with one file in it, as the name tells."""
    if partial.name.startswith(".epoch"):
        partial.mkdir()
        partial /= "history.csv"
    partial.write_text(content)


def left_in(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(("target", "file"), [("new/faces.npy",) * 2, ("epoch_1", "epoch_1/history.csv")])
def test_file_or_folder_appears_whole_and_nothing_is_left_beside_it(tmp_path, target, file):
    killed = (tmp_path / target).with_name(f".{Path(target).name}.{os.getpid()}.partial")  # of the same number, earlier
    killed.mkdir(parents=True)
    (killed / "model.weights.h5").write_text("half")
    with paths.written_whole(tmp_path / target) as partial:
        write(partial, "whole")
        assert not (tmp_path / target).exists()
    assert left_in(tmp_path) == {file: "whole"}
    assert len(list((tmp_path / target).parent.iterdir())) == 1


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("target", ["faces.npy", "epoch_1"])
def test_interrupted_write_leaves_what_was_there_and_nothing_else(tmp_path, interruption, target):
    (tmp_path / "faces.npy").write_text("old")
    with pytest.raises(interruption), paths.written_whole(tmp_path / target) as partial:
        write(partial, "ne")
        raise interruption
    assert left_in(tmp_path) == {"faces.npy": "old"} and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("cache", "advice"), [(".", "set FER_CACHE_DIR"), ("elsewhere", "name another place")])
def test_full_disk_names_the_file_and_the_next_step_and_leaves_the_old_file(tmp_path, monkeypatch, cache, advice):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / cache))
    (target := tmp_path / "faces.npy").write_text("old")
    message = rf"could not write {target}: No space left on device; free some space or {advice}"
    with pytest.raises(OSError, match=message) as caught, paths.written_whole(target) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert left_in(tmp_path) == {"faces.npy": "old"}
    message = rf"could not write .*/faces\.npy/epoch: .*; free some space or {advice}"
    with pytest.raises(OSError, match=message), paths.written_whole(target / "epoch"):
        pass  # a file is where the folder should be


@pytest.mark.parametrize(("text", "meant"), MEANT)
def test_relative_path_starts_at_the_project_wherever_one_works(monkeypatch, tmp_path, text, meant):
    monkeypatch.chdir(tmp_path)
    assert paths.resolve(text) == meant
    monkeypatch.setenv("FER_DATA_DIR", str(text))
    monkeypatch.setenv("FER_CACHE_DIR", str(text))
    assert paths.data_dir() == paths.cache_dir() == meant


@pytest.mark.parametrize("empty", [True, False])
def test_folders_lie_in_the_project_where_the_environment_names_none(monkeypatch, empty):
    for name in ("FER_DATA_DIR", "FER_CACHE_DIR"):
        monkeypatch.setenv(name, "") if empty else monkeypatch.delenv(name, raising=False)
    assert (paths.data_dir(), paths.cache_dir()) == (PROJECT / "data/raw", PROJECT / "data/cache")


def test_what_is_kept_in_the_cache_is_found_where_the_environment_puts_it(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    assert paths.resolve("data/cache/models/a.h5") == tmp_path / "models/a.h5"
    assert paths.resolve("data/cached") == PROJECT / "data/cached"
