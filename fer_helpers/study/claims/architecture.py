"""The layers of an EfficientNet as Keras builds it, to hold statements about its architecture against."""

import re
from dataclasses import dataclass
from functools import cache

DEPTHWISE = re.compile(r"block(\d)([a-z])_dwconv")


@dataclass(frozen=True)
class Block:
    """One MBConv block.

    Attributes:
        stage: from 1 to 7.
        expansion: channels of the depthwise convolution by those that come in.
        expanded: channels of the depthwise convolution.
        out: channels that leave the block.
        kernels: sides, in pixels, of the convolutions that expand (0 where none does) and compress.
    """

    stage: int
    expansion: int
    expanded: int
    out: int
    kernels: tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """What of an EfficientNet's layers the papers make statements about.

    Attributes:
        stem: filters, and kernel, stride and padding in pixels, of the first convolution; the padding is that of both sides together.
        blocks: MBConv blocks in their order.
        head_kernel: side of the last convolution, in pixels.
        features: channels after pooling.
    """

    stem: dict[str, int]
    blocks: tuple[Block, ...]
    head_kernel: int
    features: int

    def stages(self, expansion: int | None = None) -> list[int]:
        """Numbers of the stages, or of those whose blocks all expand so many times."""
        numbers = sorted({block.stage for block in self.blocks})
        return [
            stage
            for stage in numbers
            if expansion is None or all(block.expansion == expansion for block in self.blocks if block.stage == stage)
        ]

    def widths(self, stage: int) -> set[int]:
        """Channels within and after the blocks of a stage."""
        return {width for block in self.blocks if block.stage == stage for width in (block.expanded, block.out)}


@cache
def layout(variant: str) -> Layout:
    """Read the layers of `B0` to `B7` (Tan and Le 2019), random weights, images of the size it was made for; takes seconds."""
    from fer_helpers import models  # importing Keras takes longer than all other checks

    body = models.efficientnet(variant, side=models.VARIANTS[variant].side)
    stem = body.get_layer("stem_conv")
    padding = sum(body.get_layer("stem_conv_pad").padding[0])
    blocks, channels = [], stem.filters
    for found in filter(None, (DEPTHWISE.fullmatch(layer.name) for layer in body.layers)):
        blocks.append(_block(body, int(found[1]), f"block{found[1]}{found[2]}", channels))
        channels = blocks[-1].out
    about_stem = {"filters": stem.filters, "kernel": stem.kernel_size[0], "stride": stem.strides[0], "padding": padding}
    return Layout(about_stem, tuple(blocks), body.get_layer("top_conv").kernel_size[0], body.output_shape[-1])


def _block(body, stage: int, prefix: str, channels: int) -> Block:
    expanded = body.get_layer(f"{prefix}_dwconv").output.shape[-1]
    compress = body.get_layer(f"{prefix}_project_conv")
    expands = next((layer.kernel_size[0] for layer in body.layers if layer.name == f"{prefix}_expand_conv"), 0)
    return Block(stage, expanded // channels, expanded, compress.filters, (expands, compress.kernel_size[0]))


def sides() -> dict[str, int]:
    """Image sizes, in pixels, that the eight variants were made for."""
    from fer_helpers import models

    return {name: variant.side for name, variant in models.VARIANTS.items() if name.startswith("B")}
