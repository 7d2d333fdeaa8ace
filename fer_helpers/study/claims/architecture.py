"""The layers of EfficientNet-B0 to B7 by the published rule of scaling, to hold statements about them against; no network is built.

Tan and Le 2019 (arXiv 1905.11946), table 1, and their reference implementation; tests count the same layers in what
Keras builds.
"""

import math
from dataclasses import dataclass

# For each stage of B0: blocks, channels that leave them, expansion of the channels within them.
STAGES = ((1, 16, 1), (2, 24, 6), (2, 40, 6), (3, 80, 6), (3, 112, 6), (4, 192, 6), (1, 320, 6))
STEM, HEAD = 32, 1280  # channels of B0
# Factors on B0's channels and blocks, and side in pixels of the images each was made for.
SCALES = {
    "B0": (1.0, 1.0, 224),
    "B1": (1.0, 1.1, 240),
    "B2": (1.1, 1.2, 260),
    "B3": (1.2, 1.4, 300),
    "B4": (1.4, 1.8, 380),
    "B5": (1.6, 2.2, 456),
    "B6": (1.8, 2.6, 528),
    "B7": (2.0, 3.1, 600),
}


@dataclass(frozen=True)
class Block:
    """One MBConv block: its stage (from 1), how many times it expands its channels, its channels within, and those that leave it."""

    stage: int
    expansion: int
    expanded: int
    out: int


@dataclass(frozen=True)
class Layout:
    """What of an EfficientNet's layers papers make statements about: filters of the stem, MBConv blocks in order, features after pooling."""

    stem: int
    blocks: tuple[Block, ...]
    features: int

    def widths(self, stage: int) -> set[int]:
        """Channels within and after the blocks of a stage."""
        return {width for block in self.blocks if block.stage == stage for width in (block.expanded, block.out)}


def channels(base: int, width: float) -> int:
    """B0's channels times a factor, to the nearest multiple of 8 that is not less than nine tenths of it."""
    exact = base * width
    nearest = max(8, int(exact + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * exact else nearest


def layout(variant: str) -> Layout:
    """The layers of `B0` to `B7`."""
    width, depth, _ = SCALES[variant]
    blocks, before = [], channels(STEM, width)
    for stage, (repeats, out, expansion) in enumerate(STAGES, 1):
        for _ in range(math.ceil(repeats * depth)):
            blocks.append(Block(stage, expansion, before * expansion, channels(out, width)))
            before = blocks[-1].out
    return Layout(channels(STEM, width), tuple(blocks), channels(HEAD, width))


# By id: how many there are in a network, or in all of them, and what is counted.
STATEMENTS = {
    "mbconv_blocks": (lambda built: len(built.blocks), "MBConv blocks"),
    "components": (len(STAGES) + 2, "parts: stem, stages of MBConv, and head"),
    "depthwise_components": (len(STAGES), "parts with depthwise convolutions, all stages of MBConv"),
    "stages": (len(STAGES) - 1, "stages of MBConv6, and one of MBConv1 before them"),
    "expansion": (6, "times the channels within MBConv6"),
    "expansion.kernel": (1, "pixel as the side of the convolutions that expand"),
    "compression.kernel": (1, "pixel as the side of the convolutions that compress"),
    "stem.filters": (lambda built: built.stem, "filters in its first convolution"),
    "stem.kernel": (3, "pixels as the side of its first convolution"),
    "stem.stride": (2, "pixels as the stride of its first convolution"),
    "head.kernel": (1, "pixel as the side of its last convolution"),
    "features": (lambda built: built.features, "features after pooling"),
}
