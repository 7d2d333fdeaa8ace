"""Figures of a training and its scores."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fer_helpers.datasets.table import EXPRESSIONS

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
            axis.plot(
                history["epoch"], history[f"{prefix}{column}"], marker="o", markersize=3, color=colour, label=name
            )
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
    text = np.array(
        [
            [f"{share:.0%}\n{count}" for share, count in zip(*row, strict=True)]
            for row in zip(shares, counts, strict=True)
        ]
    )
    figure, axis = plt.subplots(figsize=(0.85 * len(classes) + 1.4, 0.75 * len(classes) + 1.0), layout="constrained")
    sns.heatmap(
        shares,
        annot=text,
        fmt="",
        vmin=0,
        vmax=1,
        cmap="Blues",
        square=True,
        cbar_kws={"label": "share of the label's images"},
        ax=axis,
    )
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
    axis.scatter(
        printed["paper"],
        [names.index(entry) for entry in printed["name"]],
        marker="D",
        color="black",
        zorder=3,
        label="printed in the paper",
    )
    axis.set(title=title, xlabel=xlabel, yticks=range(len(names)), yticklabels=names)
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def embedding(points: np.ndarray, expressions: pd.Series, title: str) -> Figure:
    """Points (n, 2) of an embedding, coloured by expression."""
    figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
    colours = dict(zip(EXPRESSIONS, PALETTE, strict=False))  # the same for an expression in every figure
    present = [expression for expression in EXPRESSIONS if (expressions == expression).any()]
    sns.scatterplot(
        x=points[:, 0],
        y=points[:, 1],
        hue=expressions.to_numpy(),
        hue_order=present,
        palette=colours,
        s=9,
        linewidth=0,
        ax=axis,
    )
    axis.set(title=title, xlabel="first dimension (no unit)", ylabel="second dimension (no unit)")
    sns.move_legend(axis, "center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title="label")
    return figure


def accuracy_by_size(rows: pd.DataFrame) -> Figure:
    """Accuracy against the side of the input, one panel a data set, with printed numbers where there are any.

    Args:
        rows: columns `dataset`, `image_size`, `value`, `ci_low`, `ci_high`, and `paper`, missing where nothing is printed.
    """
    names = list(dict.fromkeys(rows["dataset"]))
    figure, axes = plt.subplots(
        1, len(names), figsize=(5.2 * len(names), 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes[0], names, strict=True):
        part = rows[rows["dataset"] == name].sort_values("image_size")
        places = np.arange(len(part))
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy(float).T - part["value"].to_numpy(float))
        axis.errorbar(
            places, part["value"], yerr=spread, fmt="o", capsize=3, color=PALETTE[0], label="ours, 95 % interval"
        )
        axis.scatter(
            places, part["paper"].astype(float), marker="D", color="black", zorder=3, label="printed in the paper"
        )
        axis.set(
            title=name, xlabel="side of the input (pixels)", ylabel="accuracy (share)", xticks=places, ylim=(0, 1.03)
        )
        axis.set_xticklabels([f"{side:,}" for side in part["image_size"]])
        axis.grid(axis="y", alpha=0.3)
    axes[0, 0].legend(frameon=False, loc="lower left")
    return figure


def accuracy_by_leakage(pooled: pd.DataFrame, by_fold: pd.DataFrame, title: str) -> Figure:
    """Accuracy under splits that leak less and less, one line a model.

    Args:
        pooled: columns `split`, `model`, `value`, `ci_low`, `ci_high`, `sequence_shared`, `subject_shared`: shares of the test images
            whose sequence or person is in the training set, missing where unknown; in the order in which splits are drawn.
        by_fold: columns `split`, `model`, `value`: the folds, drawn small.
    """
    places = {split: place for place, split in enumerate(dict.fromkeys(pooled["split"]))}
    figure, axis = plt.subplots(figsize=(9.5, 4.2), layout="constrained")
    models = list(dict.fromkeys(pooled["model"]))
    for order, (model, colour) in enumerate(zip(models, PALETTE, strict=False)):
        moved = 0.12 * (order - (len(models) - 1) / 2)
        part, folds = pooled[pooled["model"] == model], by_fold[by_fold["model"] == model]
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy(float).T - part["value"].to_numpy(float))
        axis.errorbar(
            part["split"].map(places) + moved,
            part["value"],
            yerr=spread,
            fmt="o-",
            capsize=3,
            color=colour,
            label=model,
        )
        axis.scatter(folds["split"].map(places) + moved + 0.05, folds["value"], s=9, color=colour, alpha=0.5)
    shares = pooled.drop_duplicates("split").set_index("split")
    axis.set_xticks(list(places.values()), [_leak_label(split, shares.loc[split]) for split in places])
    axis.set(
        title=title,
        xlabel="division, and share of the test images with a relative in the training set",
        ylabel="accuracy (share)",
        ylim=(0, 1.03),
    )
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _leak_label(split: str, shares: pd.Series) -> str:
    known = {"same sequence": shares["sequence_shared"], "same person": shares["subject_shared"]}
    lines = [f"{name}: {share:.0%}" for name, share in known.items() if not pd.isna(share)]
    return "\n".join(["random, by image" if split == "random" else f"by {split}", *lines])


def implied_coefficients(implied: pd.DataFrame) -> Figure:
    """The compound coefficient that each dimension of a published network implies, one line a dimension (Tan and Le 2019, sec. 3.3).

    Args:
        implied: one row a network, one column a dimension.
    """
    figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    for dimension, colour, marker in zip(implied, PALETTE, "os^", strict=False):
        axis.plot(implied.index, implied[dimension], marker=marker, color=colour, label=f"from its {dimension}")
    axis.set(
        title="The coefficient that scaled B0, by dimension", xlabel="network", ylabel="implied coefficient (no unit)"
    )
    axis.grid(axis="y", alpha=0.3)
    axis.legend(frameon=False)
    return figure


def valence_arousal(affect: pd.DataFrame, title: str) -> Figure:
    """Mean valence and arousal of each expression, with bars of one standard deviation.

    Args:
        affect: one row an expression; columns (`valence` or `arousal`, `mean` or `std`), from -1 to 1.
    """
    figure, axis = plt.subplots(figsize=(6.5, 5), layout="constrained")
    for (expression, row), colour in zip(affect.iterrows(), PALETTE, strict=False):
        valence, arousal = row["valence"], row["arousal"]
        axis.errorbar(
            valence["mean"],
            arousal["mean"],
            xerr=valence["std"],
            yerr=arousal["std"],
            fmt="o",
            color=colour,
            elinewidth=0.8,
            label=expression,
        )
    axis.axhline(0, color="grey", linewidth=0.5)
    axis.axvline(0, color="grey", linewidth=0.5)
    axis.set(
        title=title,
        xlabel="valence (−1 unpleasant to 1 pleasant)",
        ylabel="arousal (−1 calm to 1 excited)",
        xlim=(-1, 1),
        ylim=(-1, 1),
    )
    axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def source_by_target(cells: pd.DataFrame, names: list[str], title: str, label: str) -> Figure:
    """A score of every pair of data sets, those that trained in rows, those that tested in columns; a pair without a score stays blank.

    Args:
        cells: columns `source`, `target`, `value` (a share), `floor` (what knowing nothing would score) and `images` (how many were scored).
        names: the data sets, in the order of rows and columns.
        label: what the colour stands for.
    """
    value = (
        cells.pivot(index="source", columns="target", values="value").reindex(index=names, columns=names).astype(float)
    )
    lines = [f"{cell.value:.1%}\n(floor {cell.floor:.1%})\nn {cell.images:,}" for cell in cells.itertuples()]
    text = (
        cells.assign(text=lines)
        .pivot(index="source", columns="target", values="text")
        .reindex(index=names, columns=names)
        .fillna("")
    )
    figure, axis = plt.subplots(figsize=(1.5 * len(names) + 2.4, 1.1 * len(names) + 1.3), layout="constrained")
    sns.heatmap(
        value, annot=text, fmt="", vmin=0, vmax=1, cmap="Blues", linewidths=1, cbar_kws={"label": label}, ax=axis
    )
    axis.set(title=title, xlabel="target: tests the head", ylabel="source: trains the head")
    axis.set_yticklabels(names, rotation=0)
    return figure
