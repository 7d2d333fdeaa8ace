"""A file or folder is there whole or not at all, and a full disk says what to do."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from fer_helpers import paths

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def full_disk(monkeypatch):
    """Writing any file fails as it does when the disk is full, after half of the content."""
    write = Path.write_bytes

    def fail(self: Path, content: bytes) -> int:
        write(self, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fail)


def test_file_has_its_whole_content_and_nothing_is_left_beside_it(tmp_path):
    with paths.written_whole(tmp_path / "new" / "faces.npy") as partial:
        partial.write_bytes(b"whole")
    assert (tmp_path / "new" / "faces.npy").read_bytes() == b"whole"
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "faces.npy"]


def test_target_is_not_there_before_the_block_has_ended(tmp_path):
    target = tmp_path / "faces.npy"
    with paths.written_whole(target) as partial:
        partial.write_bytes(b"whole")
        assert not target.exists()
    assert target.exists()


def test_folder_is_written_whole_too(tmp_path):
    with paths.written_whole(tmp_path / "epoch_0001") as partial:
        partial.mkdir()
        (partial / "history.csv").write_text("epoch\n1\n")
    assert (tmp_path / "epoch_0001" / "history.csv").read_text() == "epoch\n1\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "epoch_0001"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_interrupted_write_leaves_the_old_file_as_it_was(tmp_path, interruption):
    target = tmp_path / "faces.npy"
    target.write_bytes(b"old")
    with pytest.raises(interruption), paths.written_whole(target) as partial:
        partial.write_bytes(b"ne")
        raise interruption
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_interrupted_write_of_a_folder_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), paths.written_whole(tmp_path / "epoch_0001") as partial:
        partial.mkdir()
        (partial / "model.weights.h5").write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_full_disk_names_the_file_and_the_next_step_and_leaves_the_old_file(tmp_path, full_disk):
    target = tmp_path / "faces.npy"
    target.write_text("old")
    with (
        pytest.raises(
            OSError, match=rf"could not write {target}: No space left on device; free some space or set FER_CACHE_DIR"
        ) as caught,
        paths.written_whole(target) as partial,
    ):
        partial.write_bytes(b"new content")
    assert caught.value.errno == errno.ENOSPC
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_that_cannot_be_made_is_named_with_the_next_step(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with (
        pytest.raises(OSError, match=r"could not write .*/cache/faces\.npy: .*; free some space or set FER_CACHE_DIR"),
        paths.written_whole(tmp_path / "cache" / "faces.npy"),
    ):
        pass


def test_what_a_killed_process_of_the_same_number_left_is_written_anew(tmp_path):
    left = tmp_path / f".epoch_0001.{os.getpid()}.partial"
    left.mkdir()
    (left / "model.weights.h5").write_bytes(b"half")
    with paths.written_whole(tmp_path / "epoch_0001") as partial:
        partial.mkdir()
        (partial / "history.csv").write_text("epoch\n1\n")
    assert [path.name for path in (tmp_path / "epoch_0001").iterdir()] == ["history.csv"]
    assert list(tmp_path.iterdir()) == [tmp_path / "epoch_0001"]


@pytest.mark.parametrize("text", ["data/raw", "./data/raw", Path("data/raw")])
def test_relative_path_starts_at_the_project_wherever_one_works(monkeypatch, tmp_path, text):
    monkeypatch.chdir(tmp_path)
    assert paths.resolve(text) == PROJECT / "data/raw"


def test_home_and_absolute_paths_stay_what_they_are(tmp_path):
    assert paths.resolve("~/faces") == Path.home() / "faces"
    assert paths.resolve(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("variable", "folder", "default"),
    [("FER_DATA_DIR", paths.data_dir, "data/raw"), ("FER_CACHE_DIR", paths.cache_dir, "data/cache")],
)
def test_folders_come_from_the_environment_or_lie_in_the_project(monkeypatch, tmp_path, variable, folder, default):
    monkeypatch.chdir(tmp_path)
    for text, meant in {
        "~/faces": Path.home() / "faces",
        "my/faces": PROJECT / "my/faces",
        "": PROJECT / default,
    }.items():
        monkeypatch.setenv(variable, text)
        assert folder() == meant
    monkeypatch.delenv(variable)
    assert folder() == PROJECT / default


def test_hash_of_a_file_is_that_of_its_bytes(tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "file").write_bytes(content)
    assert paths.file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()
