"""Drawn faces are found as faces, and no part of a drawn data set is ever taken for the whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_helpers import datasets, drawn
from fer_helpers.drawn import layouts
from fer_helpers.drawn.drawing import ACTIONS, draw_face, draw_identity


def test_haar_finds_one_face_at_its_box_in_nearly_every_portrait():
    detector = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml")
    found = 0
    for number in range(100):
        random = np.random.default_rng([11, number])
        person, expression = draw_identity(random), list(ACTIONS)[number % 8]
        picture, (*corner, side, _) = draw_face(person, expression, random.uniform(0.4, 1), 256, random, 1, "portrait")
        faces = detector.detectMultiScale(picture[..., 0], 1.1, 5, minSize=(40, 40))
        if len(faces) == 1:
            found += np.abs(faces[0][:2] + faces[0][2:] / 2 - np.array(corner) - side / 2).max() < side / 5
    assert found >= 95


@pytest.fixture
def quick(monkeypatch, tmp_path) -> list[str]:
    """`quick` can be drawn in no time, into a cache of the test's own; the list grows by each drawing."""
    drawings: list[str] = []

    def files():
        drawings.append("quick")
        yield "faces/1.jpg", b"face"

    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(layouts.LAYOUTS, "quick", files)
    return drawings


def test_a_data_set_is_drawn_once_and_found_until_the_code_that_draws_it_changes(quick, monkeypatch, tmp_path):
    folder = drawn.ensure("quick")
    assert folder == drawn.ensure("quick") and (folder / "faces/1.jpg").read_bytes() == b"face"
    (tmp_path / "layouts.py").write_bytes(Path(layouts.__file__).read_bytes() + b"# a change\n")
    monkeypatch.setattr(layouts, "__file__", str(tmp_path / "layouts.py"))
    assert drawn.ensure("quick") != folder and len(quick) == 2


def test_the_first_of_two_processes_that_draw_the_same_data_set_wins(quick, monkeypatch):
    def overtaken():
        with pytest.MonkeyPatch.context() as other_process:
            other_process.setattr("os.getpid", lambda: -1)
            other_process.setitem(layouts.LAYOUTS, "quick", lambda: [("1.jpg", b"of the other process")])
            drawn.ensure("quick")
        yield "1.jpg", b"face"

    monkeypatch.setitem(layouts.LAYOUTS, "quick", overtaken)
    folder = drawn.ensure("quick")
    assert (folder / "1.jpg").read_bytes() == b"of the other process"
    assert list(folder.parent.iterdir()) == [folder]


def test_all_that_can_be_loaded_can_be_drawn_and_the_command_draws_what_is_named_and_says_where(run_python):
    assert layouts.LAYOUTS.keys() == datasets.LOADERS.keys()
    assert run_python("-m", "fer_helpers.drawn", "jaffe").stdout == f"jaffe: {drawn.ensure('jaffe')}\n"
