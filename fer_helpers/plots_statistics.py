"""Figures of statistics."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fer_helpers.plots_training import PALETTE


def reliability_diagram(bins: pd.DataFrame, title: str) -> Figure:
    """Accuracy against confidence, and below it how many images were that sure; on the diagonal a model is as sure as it is right.

    Args:
        bins: as `evaluation.calibration` returns them; empty ones are left out.
    """
    filled = bins[bins["n"] > 0]
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(5, 5.6), sharex=True, height_ratios=[3, 1], layout="constrained"
    )
    spread = np.abs(filled[["ci_low", "ci_high"]].to_numpy().T - filled["accuracy"].to_numpy())
    above.plot([0, 1], [0, 1], color="grey", linestyle=":", label="as right as sure")
    above.errorbar(
        filled["confidence"],
        filled["accuracy"],
        yerr=spread,
        fmt="o-",
        markersize=4,
        capsize=3,
        color=PALETTE[0],
        label="the model, 95 % interval",
    )
    above.set(title=title, ylabel="accuracy (share)", xlim=(0, 1), ylim=(0, 1.03))
    above.grid(alpha=0.3)
    above.legend(frameon=False, loc="upper left")
    below.bar(
        filled["low"],
        filled["n"],
        width=filled["high"] - filled["low"],
        align="edge",
        color=PALETTE[0],
        edgecolor="white",
    )
    below.set(xlabel="confidence: greatest probability of an image", ylabel="images")
    return figure
