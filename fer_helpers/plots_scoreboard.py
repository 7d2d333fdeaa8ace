"""Figures of the scoreboard: verdicts, printed numbers beside ours, what flatters a score, what so many images can show."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from fer_helpers.plots_training import PALETTE

HATCHES = ("", "//", "..", "")  # told apart without colour too
MARKERS = "os^vDP"
PROTOCOL_COLOURS = {"paper": PALETTE[1], "clean": PALETTE[0]}


def verdict_counts(counts: pd.DataFrame, title: str) -> Figure:
    """How many printed numbers of each paper got which verdict, one stacked bar a paper, each part with its number.

    Args:
        counts: whole numbers, one row a paper, one column a verdict.
    """
    colours = (PALETTE[2], PALETTE[3], PALETTE[1], (0.85, 0.85, 0.85))
    figure, axis = plt.subplots(figsize=(8.5, 0.5 * len(counts) + 1.6), layout="constrained")
    before = np.zeros(len(counts))
    for verdict, colour, hatch in zip(counts, colours, HATCHES, strict=False):
        part = counts[verdict].to_numpy()
        bars = axis.barh(counts.index, part, left=before, color=colour, hatch=hatch, edgecolor="white", label=verdict)
        axis.bar_label(
            bars,
            [str(number or "") for number in part],
            label_type="center",
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1, "alpha": 0.8},
        )
        before = before + part
    axis.set(title=title, xlabel="printed numbers", ylabel="paper")
    axis.invert_yaxis()
    axis.legend(
        frameon=False,
        ncols=len(counts.columns),
        loc="upper center",
        bbox_to_anchor=(0.45, -0.28 if len(counts) > 2 else -0.45),
    )
    return figure


def claims_against_ours(claims: pd.DataFrame, ours: pd.DataFrame, title: str) -> Figure:
    """Printed scores and ours with their 95 % intervals, one line a claim: colour is the protocol, shape the initial weights.

    A filled mark can judge the claim, an empty one is context. A printed number that is impossible is a cross.

    Args:
        claims: columns `claim`, `value` (as printed) and `possible`; in the order in which they are drawn.
        ours: columns `claim`, `protocol`, `init`, `value`, `ci_low`, `ci_high`, `judges`.
    """
    places = {claim: place for place, claim in enumerate(claims["claim"])}
    shapes = dict(zip(dict.fromkeys(ours["init"]), MARKERS, strict=False))
    figure, axis = plt.subplots(figsize=(10, 0.36 * len(claims) + 1.6), layout="constrained")
    for possible, marker in ((True, "D"), (False, "X")):
        part = claims[claims["possible"] == possible]
        axis.scatter(part["value"], part["claim"].map(places), marker=marker, color="black", s=30, zorder=3)
    for claim, rows in ours.groupby("claim", sort=False):
        offsets = np.linspace(-0.3, 0.3, len(rows)) if len(rows) > 1 else [0.0]
        for offset, row in zip(offsets, rows.itertuples(), strict=True):
            colour = PROTOCOL_COLOURS[row.protocol]
            about = {
                "color": colour,
                "marker": shapes[row.init],
                "markersize": 5,
                "markerfacecolor": colour if row.judges else "white",
            }
            axis.errorbar(
                [row.value],
                [places[claim] + offset],
                xerr=[[row.value - row.ci_low], [row.ci_high - row.value]],
                capsize=2,
                **about,
            )
    axis.set(title=title, xlabel="accuracy (share)", yticks=list(places.values()), yticklabels=list(places))
    axis.set_ylim(len(places) - 0.4, -0.6)
    axis.grid(axis="x", alpha=0.3)
    axis.legend(handles=_legend(claims, ours, shapes), frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _legend(claims: pd.DataFrame, ours: pd.DataFrame, shapes: dict[str, str]) -> list[Line2D]:
    """An entry for each kind of mark that is drawn."""

    def entry(label: str, **look) -> Line2D:
        return Line2D([], [], linestyle="", label=label, **look)

    entries = [entry("printed", marker="D", color="black")] if claims["possible"].any() else []
    entries += [entry("printed, impossible", marker="X", color="black")] if not claims["possible"].all() else []
    entries += [
        entry(f"ours, protocol {name}", marker="s", color=colour)
        for name, colour in PROTOCOL_COLOURS.items()
        if (ours["protocol"] == name).any()
    ]
    entries += [
        entry(f"init {init}", marker=shape, color="grey", markerfacecolor="white") for init, shape in shapes.items()
    ]
    entries += [entry("filled: can judge the claim", marker="o", color="grey")] if ours["judges"].any() else []
    return entries


def optimism(rows: pd.DataFrame, title: str) -> Figure:
    """What a way of scoring adds to an accuracy, one line a measurement, sorted into the ways; left of zero it takes away.

    Args:
        rows: columns `kind`, `name` and `value`, a share; in the order in which they are drawn.
    """
    kinds = list(dict.fromkeys(rows["kind"]))
    colours, shapes = dict(zip(kinds, PALETTE, strict=False)), dict(zip(kinds, MARKERS, strict=False))
    figure, axis = plt.subplots(figsize=(10, 0.27 * len(rows) + 1.6), layout="constrained")
    for kind in kinds:
        places = np.flatnonzero(rows["kind"] == kind)
        values = rows["value"].to_numpy()[places]
        axis.hlines(places, 0, values, color=colours[kind], linewidth=2)
        axis.plot(values, places, linestyle="", marker=shapes[kind], color=colours[kind], label=kind)
    axis.axvline(0, color="grey", linewidth=0.8)
    axis.set(
        title=title,
        xlabel="added to the accuracy (percentage points)",
        yticks=range(len(rows)),
        yticklabels=rows["name"],
    )
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.xaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axis.grid(axis="x", alpha=0.3)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, -0.9 / figure.get_figheight()))
    return figure


def smallest_differences(curves: pd.DataFrame, printed: pd.DataFrame, title: str) -> Figure:
    """The smallest gain that n images can show, one line an accuracy, and the differences that papers print.

    Args:
        curves: columns `n`, `accuracy` (of the worse network) and `value`, the smallest gain, missing where none can be shown.
        printed: columns `name`, `n` and `value`, a difference of two printed accuracies; drawn as its size.
    """
    figure, axis = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
    for (accuracy, part), colour, style in zip(
        curves.groupby("accuracy"), PALETTE, ("-", "--", "-.", ":", "-", "--"), strict=False
    ):
        axis.plot(
            part["n"],
            part["value"],
            linestyle=style,
            color=colour,
            label=f"smallest gain on an accuracy of {accuracy:.2%}",
        )
    for (name, part), marker in zip(printed.groupby("name", sort=False), MARKERS, strict=False):
        axis.scatter(
            part["n"], part["value"].abs(), marker=marker, color="black", s=22, zorder=3, label=f"printed: {name}"
        )
    axis.set(
        title=title,
        xlabel="test images",
        ylabel="difference of accuracies (percentage points)",
        xscale="log",
        yscale="log",
    )
    axis.yaxis.set_major_formatter(PercentFormatter(1, symbol=""))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
