"""Figures of a data set: how many images, how bright, what they look like on average, how far their taggers agree."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_helpers.datasets.table import EXPRESSIONS, SPLITS, VAL_OR_TEST, count_images, expressions_in

PALETTE = sns.color_palette("colorblind")
SPLIT_ORDER = (*SPLITS, VAL_OR_TEST, "none")
FEWEST_FACES = 20  # a mean of fewer photographs still shows somebody


def class_counts(table: pd.DataFrame) -> Figure:
    """Images of each expression, one panel a split with a scale of its own, each bar with its number.

    Args:
        table: the one table.
    """
    counts = count_images(table)
    splits = [split for split in SPLIT_ORDER if split in counts.index]
    figure, axes = plt.subplots(
        1, len(splits), figsize=(3.2 * len(splits) + 0.8, 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, split, colour in zip(axes[0], splits, PALETTE, strict=False):
        bars = axis.barh(counts.columns, counts.loc[split], color=colour)
        axis.bar_label(bars, fmt="{:,.0f}", padding=3)
        axis.margins(x=0.22)
        axis.set(title=f"{split}: {counts.loc[split].sum():,} images", xlabel="number of images")
    axes[0, 0].set_ylabel("expression")
    axes[0, 0].invert_yaxis()
    return figure


def grey_values(pixels: np.ndarray) -> Figure:
    """How bright images are: the grey values of all pixels, and the mean of each image.

    Args:
        pixels: uint8 (n, side, side, channels).
    """
    figure, (all_pixels, means) = plt.subplots(1, 2, figsize=(9.5, 3.2), layout="constrained")
    counts = np.bincount(pixels.ravel(), minlength=256)
    all_pixels.bar(np.arange(256), counts / counts.sum(), width=1.0, color=PALETTE[0])
    all_pixels.set(title="All pixels", xlabel="grey value (0 black, 255 white)", ylabel="share of the pixels")
    all_pixels.yaxis.set_major_formatter(PercentFormatter(1))
    of_images = pixels.mean(axis=(1, 2, 3))
    means.hist(
        of_images, bins=np.arange(0, 257, 4), weights=np.full(len(of_images), 1 / len(of_images)), color=PALETTE[1]
    )
    means.set(title="Mean of each image", xlabel="mean grey value of an image", ylabel="share of the images")
    means.yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def mean_faces(pixels: np.ndarray, table: pd.DataFrame) -> Figure:
    """The mean of all images of each expression; an expression with fewer than `FEWEST_FACES` images is left blank.

    Args:
        pixels: uint8 (n, side, side, channels).
        table: the n rows that belong to them.
    """
    expressions = expressions_in(table)
    figure, axes = _panels(len(expressions), columns=4)
    for axis, expression in zip(axes, expressions, strict=False):
        rows = (table["expression"] == expression).to_numpy()
        if rows.sum() >= FEWEST_FACES:
            _draw(axis, pixels[rows].mean(axis=0))
        axis.set_title(
            f"{expression}\n{rows.sum():,} images{'' if rows.sum() >= FEWEST_FACES else ', too few'}", fontsize=10
        )
    return figure


def face_grid(pixels: np.ndarray, titles: list[str], columns: int = 8) -> Figure:
    """Images side by side, each with its title.

    Args:
        pixels: uint8 (n, side, side, channels).
        titles: one for each image.
        columns: images a row.

    Raises:
        ValueError: not one title for each image.
    """
    figure, axes = _panels(len(pixels), columns, inches=1.25)
    for axis, image, title in zip(axes[: len(pixels)], pixels, titles, strict=True):
        _draw(axis, image)
        axis.set_title(title, fontsize=8)
    return figure


def vote_agreement(shares: pd.Series, expressions: pd.Series) -> Figure:
    """How far the ten taggers of FER+ agree: how many votes the labels won, over all images and by label.

    Args:
        shares: for each image, the share of its votes that its label won.
        expressions: its label.
    """
    figure, (histogram, boxes) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
    # With ten votes a share is a multiple of a tenth: one bar for each, centred on it.
    histogram.hist(
        shares,
        bins=np.arange(-0.05, 1.1, 0.1),
        weights=np.full(len(shares), 1 / len(shares)),
        color=PALETTE[0],
        rwidth=0.9,
    )
    histogram.set(title="All images", xlabel="share of an image's votes won by its label", ylabel="share of the images")
    histogram.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    names = [name for name in EXPRESSIONS if (expressions == name).any()]
    by_label = [shares[(expressions == name).to_numpy()] for name in names]
    boxes.boxplot(
        by_label,
        orientation="horizontal",
        tick_labels=names,
        whis=(5, 95),
        sym="",
        medianprops={"color": PALETTE[1], "linewidth": 2},
    )
    boxes.set(
        title="By label: 5th, 25th, 50th, 75th, 95th percentile",
        xlabel="share of an image's votes won by its label",
        ylabel="label",
    )
    boxes.invert_yaxis()
    for axis in (histogram, boxes):
        axis.set_xlim(0.15, 1.08)
        axis.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _panels(number: int, columns: int, inches: float = 1.7) -> tuple[Figure, list[plt.Axes]]:
    """A grid of at least `number` axes without ticks; those that are not needed are invisible."""
    rows = -(-number // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(inches * columns, (inches + 0.35) * rows), squeeze=False, layout="constrained"
    )
    for place, axis in enumerate(axes.flat):
        axis.set(xticks=[], yticks=[], visible=place < number)
    return figure, list(axes.flat)


def _draw(axis: plt.Axes, image: np.ndarray) -> None:
    """An image (side, side, 1 or 3) of grey values 0 to 255, grey if it has one channel."""
    axis.imshow(image.astype("uint8").squeeze(), cmap="gray", vmin=0, vmax=255)
