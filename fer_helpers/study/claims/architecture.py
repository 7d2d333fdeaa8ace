"""EfficientNet-B0 to B7 by the rule of scaling of Tan and Le 2019 (arXiv 1905.11946, table 1, and their code)."""

import math

# For each stage of B0: blocks, channels that leave them, expansion of the channels within them.
STAGES = ((1, 16, 1), (2, 24, 6), (2, 40, 6), (3, 80, 6), (3, 112, 6), (4, 192, 6), (1, 320, 6))
STEM = 32  # channels of B0
SCALES = {"B0": (1.0, 1.0), "B1": (1.0, 1.1), "B2": (1.1, 1.2), "B3": (1.2, 1.4)}  # factors on channels and blocks
SCALES |= {"B4": (1.4, 1.8), "B5": (1.6, 2.2), "B6": (1.8, 2.6), "B7": (2.0, 3.1)}
SIDES = (224, 240, 260, 300, 380, 456, 528, 600)  # pixels as the side of the images that B0 to B7 were made for


def channels(base: int, width: float) -> int:
    """B0's channels times a factor, to the nearest multiple of 8 that is not less than nine tenths of it."""
    nearest = max(8, int(base * width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * base * width else nearest


def stages(variant: str) -> list[tuple[int, list[int], int]]:
    """The stages of MBConv blocks of `B0` to `B7`: how many, the channels within each, and those that leave them."""
    width, depth = SCALES[variant]
    found, before = [], channels(STEM, width)
    for repeats, base, expansion in STAGES:
        blocks, out = math.ceil(repeats * depth), channels(base, width)
        found.append((blocks, [before * expansion] + [out * expansion] * (blocks - 1), out))
        before = out
    return found
