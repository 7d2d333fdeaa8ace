"""The cache of generated data sets: no part of one is ever taken for the whole, and none outlives a change of the code that draws it."""

import sys
from pathlib import Path

import pytest

from fer_helpers import drawn as generated
from fer_helpers.drawn import drawing


@pytest.fixture
def quick_writer(monkeypatch, tmp_path) -> list[Path]:
    """`quick` can be drawn in no time, into a cache of the test's own; the list holds where it was drawn."""
    drawn: list[Path] = []

    def write(folder: Path) -> None:
        drawn.append(folder)
        folder.mkdir(parents=True)
        (folder / "face.jpg").write_bytes(b"face")

    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(generated.WRITERS, "quick", write)
    return drawn


def test_a_data_set_is_drawn_once_and_found_the_next_time(quick_writer, tmp_path):
    first, second = generated.ensure("quick"), generated.ensure("quick")
    assert first == second
    assert first.name == "quick"
    assert first.is_relative_to(tmp_path)
    assert [file.name for file in first.iterdir()] == ["face.jpg"]
    assert len(quick_writer) == 1


def test_an_interrupted_drawing_leaves_nothing_and_is_drawn_the_next_time(quick_writer, monkeypatch, tmp_path):
    write = generated.WRITERS["quick"]

    def interrupted(folder: Path) -> None:
        write(folder)
        raise KeyboardInterrupt

    monkeypatch.setitem(generated.WRITERS, "quick", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generated.ensure("quick")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    monkeypatch.setitem(generated.WRITERS, "quick", write)
    assert (generated.ensure("quick") / "face.jpg").read_bytes() == b"face"


def test_the_first_of_two_processes_that_draw_the_same_data_set_wins(quick_writer, monkeypatch):
    write = generated.WRITERS["quick"]

    def overtaken(folder: Path) -> None:
        monkeypatch.setitem(generated.WRITERS, "quick", write)
        with monkeypatch.context() as other_process:
            other_process.setattr("os.getpid", lambda: -1)
            (generated.ensure("quick") / "face.jpg").write_bytes(b"drawn by the other process")
        write(folder)

    monkeypatch.setitem(generated.WRITERS, "quick", overtaken)
    folder = generated.ensure("quick")
    assert (folder / "face.jpg").read_bytes() == b"drawn by the other process"
    assert [path.name for path in folder.parent.iterdir()] == ["quick"]


def test_a_change_of_the_code_that_draws_draws_anew(quick_writer, monkeypatch, tmp_path):
    before = generated.ensure("quick")
    changed = tmp_path / "drawing.py"
    changed.write_bytes(Path(drawing.__file__).read_bytes() + b"# a change\n")
    monkeypatch.setattr(drawing, "__file__", str(changed))
    assert generated.ensure("quick") != before
    assert len(quick_writer) == 2


def test_what_cannot_be_drawn_is_an_error_that_names_what_can():
    with pytest.raises(ValueError, match=r"'lfw'.*fer2013, fer2013_csv, ferplus"):
        generated.ensure("lfw")


def test_the_command_draws_each_named_data_set_and_says_where(quick_writer, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["generated", "quick"])
    generated.main()
    assert capsys.readouterr().out == f"quick: {generated.ensure('quick')}\n"
