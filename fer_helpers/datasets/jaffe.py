"""JAFFE: 213 grey photographs of 256x256 pixels, ten Japanese women, seven expressions (Lyons et al. 1998, Automatic Face and Gesture Recognition).

Layout read, as a folder or a zip:

    KA.AN1.39.tiff      anywhere in it: subject KA, anger, her first picture of it, picture 39 of the data set

A copy may bear another image suffix (`.tif`, `.jpg`) or one twice (`.tiff.tiff`). There is no official split, and a picture is no frame of a
sequence. A file named otherwise is listed as skipped; numbers that differ from the published ones stand in the notes.
"""

import re
from pathlib import Path, PurePosixPath

from fer_helpers.datasets.files import FileTree
from fer_helpers.datasets.table import (
    FaceDataset,
    LayoutError,
    canonical_expression,
    differences,
    make_table,
    skipped_images,
)

NAME = "jaffe"
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
FILE_NAME = re.compile(r"([A-Z]{2})\.(AN|DI|FE|HA|NE|SA|SU)(\d)\.(\d{1,3})(\.[A-Z]+)+", re.IGNORECASE)
PUBLISHED = {"images": 213, "subjects": 10}  # Lyons et al. 1998
PUBLISHED_IMAGES = {
    "neutral": 30,
    "happy": 31,
    "sad": 31,
    "surprise": 30,
    "fear": 32,
    "disgust": 29,
    "anger": 30,
}  # by their file names
FOUND_AS = ("jaffe", "jaffe.zip", "JAFFE", "JAFFE.zip", "jaffedbase", "jaffedbase.zip")
EXPECTED = "expected KA.AN1.39.tiff and its like, named by subject, expression and number; see data/README.md"


def load(location: Path) -> FaceDataset:
    """Read JAFFE from a folder or a zip.

    Returns:
        The data set, `subject` filled, `split`, `sequence` and `frame` missing; `skipped` lists the images whose names do not parse.

    Raises:
        FileNotFoundError: nothing is there, or no image named as in JAFFE.
        LayoutError: the same picture stands there twice.
    """
    tree = FileTree(Path(location))
    pictures: dict[tuple[str, ...], dict] = {}
    skipped = []
    for name in tree.images_below(""):
        match = FILE_NAME.fullmatch(PurePosixPath(name).name)
        if match is None:
            skipped.append(
                (
                    name,
                    f"{tree.path(name)} does not say subject, expression and number: expected a name like KA.AN1.39.tiff",
                )
            )
            continue
        picture = tuple(part.upper() for part in match.groups()[:4])
        if picture in pictures:
            raise LayoutError(
                f"{pictures[picture]['path']} and {name} are the same picture: remove one, or name the folder above one copy"
            )
        expression = canonical_expression(picture[1], name)
        pictures[picture] = {"image": name, "path": tree.path(name), "expression": expression, "subject": picture[0]}
    if not pictures:
        raise FileNotFoundError(f"no JAFFE under {tree.location}: {EXPECTED}")
    rows = list(pictures.values())
    return FaceDataset(NAME, tree.location, make_table(rows), skipped_images(skipped), _notes(rows))


def _notes(rows: list[dict]) -> tuple[str, ...]:
    found = {"images": len(rows), "subjects": len({row["subject"] for row in rows})}
    found |= {f"images of {name}": sum(row["expression"] == name for row in rows) for name in PUBLISHED_IMAGES}
    published = PUBLISHED | {f"images of {name}": number for name, number in PUBLISHED_IMAGES.items()}
    return differences(found, published, "the published numbers")
