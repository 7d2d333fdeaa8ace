"""Damaged copies of a small valid data set, and what a loader makes of them: an error that says why, or a skip."""

import re

import pytest

from fer_helpers.datasets.table import LayoutError


def changed(files: dict, change: dict) -> dict:
    """The files with some added or replaced; a name with a leading `-` takes all away that contain the rest of it."""
    lost = [name[1:] for name in change if name.startswith("-")]
    kept = {name: content for name, content in files.items() if not any(part in name for part in lost)}
    return kept | {name: content for name, content in change.items() if not name.startswith("-")}


def says(text: str, expected: str, location) -> bool:
    """Whether a text has the parts of what is expected, which ` .. ` divides; `AT` stands for the location."""
    return all(part in text for part in re.sub(r"\bAT\b", location.as_posix(), expected).split(" .. "))


@pytest.fixture
def refuses(lay_out):
    """Check that a loader refuses a changed copy, as a folder and as a zip, with an error that says something.

    A text that begins with `no` and a title is that of a place without any layout of the data set.
    """

    def check(load, files: dict, change: dict, expected: str, **options):
        location = lay_out(changed(files, change))
        with pytest.raises(FileNotFoundError if re.match(r"no [A-Z]\S+ under", expected) else LayoutError) as caught:
            load(location, **options)
        assert says(str(caught.value), expected, location), str(caught.value)

    return check


@pytest.fixture
def skips(lay_out):
    """Check that a loader reads so many rows, or these (image, expression, split), and lists exactly these images."""

    def check(load, files: dict, change: dict, rows: int | set, expected: dict[str, str], **options):
        location = lay_out(changed(files, change))
        dataset = load(location, **options)
        reasons = dict(zip(dataset.skipped["image"], dataset.skipped["reason"], strict=True))
        read = set(dataset.table[["image", "expression", "split"]].itertuples(index=False, name=None))
        assert (rows if isinstance(rows, set) else len(dataset.table)) == (read if isinstance(rows, set) else rows)
        assert reasons.keys() == expected.keys()
        assert all(says(reasons[image], text, location) for image, text in expected.items()), reasons
        return dataset

    return check


@pytest.fixture
def reads_one_of_two_copies(lay_out, refuses):
    """Check that a second copy is left aside with a note if its bytes are the same, and is else an error."""

    def check(load, files: dict, copy: dict):
        once, twice = load(lay_out(files)), load(lay_out(files | copy))
        assert (len(once.table), len(once.skipped)) == (len(twice.table), len(twice.skipped))
        assert f"{len(copy):,} files are there a second time, byte for byte the same" in twice.notes[-1]
        image = next(name for name in copy if name.lower().endswith((".jpg", ".png", ".tiff", ".tif")))
        refuses(load, files | copy, {image: b"other"}, f"AT holds more than one copy, and they differ ( .. {image}")

    return check
