"""JAFFE: 213 grey photographs of ten Japanese women, seven expressions (Lyons et al. 1998, Face and Gesture).

`KA.AN1.39.tiff`, anywhere in a folder or a zip, is subject KA, anger, her first picture of it, number 39; another image
suffix, or one twice (`.tiff.tiff`), does not matter. There is no official split, and a picture is no frame.
"""

import re
from pathlib import Path, PurePosixPath

from fer_helpers.datasets.collect import Collection
from fer_helpers.datasets.table import EXPRESSIONS, SPELLINGS, FaceDataset

NAME = "jaffe"
FILE_NAME = re.compile(r"([a-z]{2})\.(an|di|fe|ha|ne|sa|su)(\d)\.(\d{1,3})(\.[a-z]+)+", re.ASCII)
PUBLISHED = {"images": 213, "subjects": 10}  # Lyons et al. 1998; of each expression, as commonly given:
PUBLISHED |= zip(EXPRESSIONS[:7], (30, 31, 31, 30, 32, 29, 30), strict=True)
FOUND_AS = ("jaffe", "jaffedbase")
EXPECTED = "KA.AN1.39.tiff and its like, named by subject, expression and number"


def load(location: Path) -> FaceDataset:
    """Read JAFFE; `subject` is filled, `split`, `sequence` and `frame` are missing."""
    found = Collection(NAME, "JAFFE", EXPECTED, location)
    pictures = []
    for name in found.tree.images:
        folder, match = PurePosixPath(name).parent.name.lower(), FILE_NAME.fullmatch(PurePosixPath(name).name.lower())
        if match is None:
            found.skip(name, "does not say subject, expression and number: expected a name like KA.AN1.39.tiff")
        elif SPELLINGS.get(folder, SPELLINGS[match[2]]) != SPELLINGS[match[2]]:
            found.skip(name, "contradicts its folder: which expression is right can't be told")
        else:
            pictures.append((match.groups()[:4], name))
    if not pictures:
        raise found.absent()
    for (subject, expression, *_), name in found.one_copy(pictures, depth=1, alone=False).items():
        found.add(name, SPELLINGS[expression], subject=subject.upper())
    return found.dataset(published=PUBLISHED)
