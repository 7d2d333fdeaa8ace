"""Damaged copies of a small valid data set, and what a loader makes of them: an error that says why, or a skip."""

import re

import pytest


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
    """Check that a loader refuses a changed copy, as a folder and as a zip, with an error that says something."""

    def check(load, files: dict, change: dict, kind: type, expected: str, **options):
        location = lay_out(changed(files, change))
        with pytest.raises(kind) as caught:
            load(location, **options)
        assert says(str(caught.value), expected, location), str(caught.value)

    return check


@pytest.fixture
def skips(lay_out):
    """Check that a loader reads so many rows, and lists exactly these images as left out, with these reasons."""

    def check(load, files: dict, change: dict, rows: int, expected: dict[str, str], **options):
        location = lay_out(changed(files, change))
        dataset = load(location, **options)
        reasons = dict(zip(dataset.skipped["image"], dataset.skipped["reason"], strict=True))
        assert (len(dataset.table), reasons.keys()) == (rows, expected.keys())
        assert all(says(reasons[image], text, location) for image, text in expected.items()), reasons
        return dataset

    return check
