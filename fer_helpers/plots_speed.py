"""Figures of benchmarks: ratios beside their targets, and the rounds that they come from."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from fer_helpers.plots_training import PALETTE

ROOM = 0.45  # inches for a line


def ratios_and_targets(ratios: pd.DataFrame, title: str) -> Figure:
    """Ratios with their intervals on a logarithmic scale, one line a comparison, and the target of each.

    Args:
        ratios: columns `comparison`, `value`, `ci_low`, `ci_high` (missing where there is none), `target` (missing where there is none)
            and `reached`, in the order in which they are drawn.
    """
    figure, axis = plt.subplots(figsize=(9, ROOM * len(ratios) + 1.5), layout="constrained")
    for reached, colour, shape, meaning in (
        (True, PALETTE[0], "o", "reached"),
        (False, PALETTE[1], "s", "falls short"),
    ):
        part = ratios[ratios["reached"] == reached]
        places = part.index.to_numpy()
        spread = np.nan_to_num(
            [
                part["value"] - part["ci_low"].fillna(part["value"]),
                part["ci_high"].fillna(part["value"]) - part["value"],
            ]
        )
        if len(part):
            axis.errorbar(
                part["value"],
                places,
                xerr=np.maximum(spread, 0),
                fmt=shape,
                color=colour,
                capsize=3,
                label=f"measured, {meaning}",
            )
    with_target = ratios[ratios["target"].notna()]
    axis.scatter(with_target["target"], with_target.index, marker="|", s=260, color="black", label="target")
    for place, row in ratios.iterrows():
        axis.annotate(
            f"{row['value']:.3g}",
            (row["value"], place),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axis.axvline(1, color="grey", linewidth=0.8)
    axis.set(
        title=title, xlabel="ratio (logarithmic)", xscale="log", yticks=ratios.index, yticklabels=ratios["comparison"]
    )
    _plain_numbers(axis)
    axis.set_ylim(len(ratios) - 0.5, -0.7)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def rounds_of_ways(rounds: pd.DataFrame, title: str) -> Figure:
    """Every round of every way, as a multiple of the shortest median of its comparison, one line a way.

    Args:
        rounds: columns `comparison`, `way` and `seconds`, in the order in which they are drawn.
    """
    medians = rounds.groupby(["comparison", "way"], sort=False)["seconds"].median()
    shortest = rounds["comparison"].map(medians.groupby(level="comparison").min())
    names = [f"{comparison}: {way}" for comparison, way in medians.index]
    places = (rounds["comparison"] + ": " + rounds["way"]).map({name: place for place, name in enumerate(names)})
    colours = {
        comparison: PALETTE[place % len(PALETTE)] for place, comparison in enumerate(rounds["comparison"].unique())
    }
    figure, axis = plt.subplots(figsize=(9, 0.27 * len(names) + 1.4), layout="constrained")
    axis.scatter(rounds["seconds"] / shortest, places, c=rounds["comparison"].map(colours).tolist(), s=22, alpha=0.7)
    axis.set(
        title=title,
        xlabel="time of a round, in shortest medians of its comparison (logarithmic)",
        xscale="log",
        yticks=range(len(names)),
        yticklabels=names,
    )
    _plain_numbers(axis)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.grid(axis="x", alpha=0.3)
    return figure


def _plain_numbers(axis: plt.Axes) -> None:
    """2 and 0.5 on a logarithmic axis, not powers of ten; few enough to be read."""
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter(NullFormatter())
