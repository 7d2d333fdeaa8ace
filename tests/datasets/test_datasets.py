"""Data sets by name: found under the names that people give them, and those that are absent are told, not hidden."""

import pytest

from fer_helpers import datasets
from fer_helpers.datasets.table import FaceDataset, make_table


@pytest.fixture
def two_loaders(monkeypatch, tmp_path):
    """`first` and `second` are data sets that hold one image named after the file `mark` of their folder."""

    class Loader:
        EXPECTED = "expected mark"

        def __init__(self, name: str, found_as: tuple[str, ...]):
            self.NAME, self.FOUND_AS = name, found_as

        def load(self, location, expression="happy"):
            if not (location / "mark").exists():
                raise FileNotFoundError(f"no {self.NAME} under {location}: {self.EXPECTED}")
            return FaceDataset(
                self.NAME,
                location,
                make_table([{"image": (location / "mark").read_text(), "path": "", "expression": expression}]),
            )

    monkeypatch.setattr(
        datasets, "LOADERS", {"first": Loader("first", ("first", "First Set")), "second": Loader("second", ("second",))}
    )
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))

    def place(folder: str, mark: str):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "mark").write_text(mark)
        return tmp_path / folder

    return place


def test_a_data_set_is_found_under_any_of_its_names(two_loaders):
    two_loaders("First Set", "a")
    assert datasets.load("first").table["image"].tolist() == ["a"]


def test_a_path_is_the_data_set_itself_or_a_folder_that_holds_it(two_loaders):
    folder = two_loaders("elsewhere/first", "a")
    assert datasets.load("first", str(folder)).location == datasets.load("first", str(folder.parent)).location == folder


def test_options_reach_the_loader(two_loaders):
    two_loaders("first", "a")
    assert datasets.load("first", expression="sad").table["expression"].tolist() == ["sad"]
    present, _ = datasets.load_present(["first"], options={"first": {"expression": "fear"}})
    assert present["first"].table["expression"].tolist() == ["fear"]


def test_of_several_those_present_are_loaded_and_the_others_say_what_was_looked_for(two_loaders, tmp_path):
    two_loaders("second", "b")
    present, absent = datasets.load_present(["first", "second"])
    assert list(present) == ["second"]
    assert list(absent) == ["first"]
    assert "First Set" in absent["first"] and str(tmp_path) in absent["first"]


def test_none_present_is_an_error_that_names_them_all(two_loaders):
    with pytest.raises(FileNotFoundError, match=r"(?s)no first in .*no second in "):
        datasets.load_present(["first", "second"])
