"""Figures of a training and its scores."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

PALETTE = sns.color_palette("colorblind")


def learning_curves(history: pd.DataFrame, chosen: int, sets: dict[str, str]) -> Figure:
    """Loss and accuracy against the epoch, for each set, with the chosen epoch marked.

    Args:
        history: as `training.fit` returns it.
        chosen: the epoch whose weights are scored.
        sets: what each set is called in the legend, by its prefix in the columns, as in `{"": "training", "val_": "validation"}`.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, column, unit in zip(axes, ("loss", "accuracy"), ("cross-entropy (nats)", "accuracy"), strict=True):
        for colour, (prefix, name) in zip(PALETTE, sets.items(), strict=False):
            axis.plot(history["epoch"], history[f"{prefix}{column}"], marker="o", markersize=3, color=colour, label=name)
        axis.axvline(chosen, color="grey", linestyle=":", label=f"chosen epoch ({chosen})")
        axis.set(title=f"{column.capitalize()} by epoch", xlabel="epoch", ylabel=unit)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend(frameon=False)
    return figure


def confusion_matrix(counts: np.ndarray, classes: list[str], title: str) -> Figure:
    """A confusion matrix: colour and first line the share of the label's images, second line their number.

    Args:
        counts: int array (classes, classes), labels in rows, predictions in columns.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = np.array([[f"{share:.0%}\n{count}" for share, count in zip(*row, strict=True)] for row in zip(shares, counts, strict=True)])
    figure, axis = plt.subplots(figsize=(0.85 * len(classes) + 1.4, 0.75 * len(classes) + 1.0), layout="constrained")
    sns.heatmap(shares, annot=text, fmt="", vmin=0, vmax=1, cmap="Blues", square=True, cbar_kws={"label": "share of the label's images"}, ax=axis)
    axis.set(title=title, xlabel="predicted expression", ylabel="label")
    axis.set_xticklabels(classes, rotation=35, ha="right")
    axis.set_yticklabels(classes, rotation=0)
    return figure


def paper_against_ours(rows: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Printed numbers beside ours with their 95 % intervals, one line each.

    Args:
        rows: columns `name`, `paper` (missing where the paper prints none), `value`, `ci_low`, `ci_high`, `series` (what ours is).
    """
    names = list(dict.fromkeys(rows["name"]))
    series = list(dict.fromkeys(rows["series"]))
    figure, axis = plt.subplots(figsize=(7.5, 0.45 * len(names) + 1.4), layout="constrained")
    for order, (name, colour) in enumerate(zip(series, PALETTE, strict=False)):
        part = rows[rows["series"] == name]
        places = np.array([names.index(entry) for entry in part["name"]]) + 0.18 * (order - (len(series) - 1) / 2)
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy(float).T - part["value"].to_numpy(float))
        axis.errorbar(part["value"], places, xerr=spread, fmt="o", markersize=4, capsize=2, color=colour, label=name)
    printed = rows.drop_duplicates("name").dropna(subset="paper")
    axis.scatter(printed["paper"], [names.index(entry) for entry in printed["name"]], marker="D", color="black", zorder=3, label="printed in the paper")
    axis.set(title=title, xlabel=xlabel, yticks=range(len(names)), yticklabels=names)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def embedding(points: np.ndarray, expressions: pd.Series, title: str) -> Figure:
    """Points (n, 2) of an embedding, coloured by expression."""
    figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
    sns.scatterplot(x=points[:, 0], y=points[:, 1], hue=expressions.to_numpy(), palette="colorblind", s=9, linewidth=0, ax=axis)
    axis.set(title=title, xlabel="first dimension (no unit)", ylabel="second dimension (no unit)")
    sns.move_legend(axis, "center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="label")
    return figure
