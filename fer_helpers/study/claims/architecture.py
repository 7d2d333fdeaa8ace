"""The layers of EfficientNet-B0 to B7 by the published rule of scaling; no network is built.

Tan and Le 2019 (arXiv 1905.11946), table 1, and their reference implementation; tests count the same layers in what
Keras builds.
"""

import math
from typing import NamedTuple

# For each stage of B0: blocks, channels that leave them, expansion of the channels within them.
STAGES = ((1, 16, 1), (2, 24, 6), (2, 40, 6), (3, 80, 6), (3, 112, 6), (4, 192, 6), (1, 320, 6))
STEM, HEAD = 32, 1280  # channels of B0
# Factors on B0's channels and blocks.
SCALES = {"B0": (1.0, 1.0), "B1": (1.0, 1.1), "B2": (1.1, 1.2), "B3": (1.2, 1.4)}
SCALES |= {"B4": (1.4, 1.8), "B5": (1.6, 2.2), "B6": (1.8, 2.6), "B7": (2.0, 3.1)}
SIDES = dict(zip(SCALES, (224, 240, 260, 300, 380, 456, 528, 600), strict=True))  # pixels each was made for


class Layout(NamedTuple):
    """What papers make statements about.

    Attributes:
        stem: filters of the first convolution.
        blocks: for each MBConv block its stage (from 1), the channels within it, and those that leave it.
        features: channels after pooling.
    """

    stem: int
    blocks: list[tuple[int, int, int]]
    features: int

    def widths(self, stage: int) -> set[int]:
        """Channels within and after the blocks of a stage."""
        return {width for at, *both in self.blocks for width in both if at == stage}


def channels(base: int, width: float) -> int:
    """B0's channels times a factor, to the nearest multiple of 8 that is not less than nine tenths of it."""
    nearest = max(8, int(base * width + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * base * width else nearest


def layout(variant: str) -> Layout:
    """The layers of `B0` to `B7`."""
    width, depth = SCALES[variant]
    blocks, before = [], channels(STEM, width)
    for stage, (repeats, out, expansion) in enumerate(STAGES, 1):
        for _ in range(math.ceil(repeats * depth)):
            blocks.append((stage, before * expansion, channels(out, width)))
            before = channels(out, width)
    return Layout(channels(STEM, width), blocks, channels(HEAD, width))
