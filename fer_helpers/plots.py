"""What notebooks show: one style and palette, figures that several of them draw, tables that a page can read."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from numbers import Integral, Real

import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import HTML, display
from jinja2 import Template
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fer_helpers.datasets.table import SPLITS, count_images

PALETTE = sns.color_palette("colorblind")
FEWEST_FACES = 20  # a mean of fewer photographs still shows somebody
MISSING, MINUS, THIN_SPACE = "–", "\u2212", "\u202f"  # a thin space keeps number and percent sign on one line
TABLE = Template(
    """<div class="scroll" role="group" aria-label="{{ caption }}" tabindex="0">
<table{% if results %} class="results"{% endif %}><caption>{{ caption }}</caption>
<thead><tr>
{%- for name in names %}{% if name %}<th scope="col">{{ name }}</th>{% else %}<td></td>{% endif %}{% endfor %}
{%- for name in columns %}<th scope="col"{{ kinds[loop.index0] }}>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>{% for labels, cells in rows %}
<tr>{% for label in labels %}<th scope="row">{{ label }}</th>{% endfor %}
{%- for cell in cells %}<td{{ kinds[loop.index0] }}>{{ cell }}</td>{% endfor %}</tr>{% endfor %}
</tbody></table></div>""",
    autoescape=True,
)
NUMBER = Markup(' class="number"')
Formats = str | Mapping[str, str] | None
sns.set_theme("notebook", "ticks", PALETTE, font_scale=0.9, rc={"legend.frameon": False, "figure.dpi": 110})


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Display a figure and close it: a PNG with alternative text, for a reader who can't see it, and a caption."""
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows, for a reader who can't see it")
    png = BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight")
    plt.close(figure)
    image = Markup('<img src="data:image/png;base64,{}" alt="{}">').format(b64encode(png.getvalue()).decode(), alt)
    below = Markup("<figcaption>{}</figcaption>").format(caption) if caption else ""
    display(HTML(Markup("<figure>{}{}</figure>").format(image, below)))


def show_table(frame: pd.DataFrame, caption: str, formats: Formats = None, results: bool = True) -> None:
    """Display a table whose cells keep their exact values, so that each number can be traced to `results.csv`.

    Labels of the index become row headings, levels of columns are joined by a dot, a pair of numbers is an interval.
    `formats` says how floats are written, as in `.1%`, for all columns or by heading (else `.3f`); whole numbers above
    1 have no decimals in any case. `results` is False for a table that reports no result, as one of package versions.
    """
    display(HTML(table_html(frame, caption, formats, results)))


def table_html(frame: pd.DataFrame, caption: str, formats: Formats = None, results: bool = True) -> str:
    """The HTML of `show_table`: a box that scrolls, in it the table; columns of numbers have the class `number`."""
    columns = [" · ".join(filter(None, map(str, name if isinstance(name, tuple) else (name,)))) for name in frame]
    formats = dict.fromkeys(columns, formats) if isinstance(formats, str) else formats or {}
    if not caption.strip() or not formats.keys() <= set(columns):
        raise ValueError(f"caption {caption!r}, formats for {[*formats]}: needs a caption, and columns of {columns}")
    labelled = frame.index.name is not None or not pd.api.types.is_integer_dtype(frame.index)
    labels = [(label if isinstance(label, tuple) else (label,)) if labelled else () for label in frame.index]
    specs = [formats.get(name, ".3f") for name in columns]
    cells = [map(_content, values, specs) for values in frame.astype(object).to_numpy()]
    kinds = [NUMBER * all(map(_is_numeric, frame.iloc[:, at].dropna())) for at in range(len(columns))]
    names, rows = frame.index.names if labelled else (), zip(labels, cells, strict=True)
    return TABLE.render(caption=caption, results=results, names=names, columns=columns, kinds=kinds, rows=rows)


def _is_numeric(value: object) -> bool:
    ends = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(isinstance(end, Real) and not isinstance(end, bool | np.bool_) for end in ends)


def _content(value: object, spec: str) -> str:
    """A cell as it is read; numbers inside a `data` element that holds the exact value."""
    if isinstance(value, tuple) and _is_numeric(value):
        return Markup("[{}, {}]").format(*(_content(end, spec) for end in value))
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if not _is_numeric(value):
        return str(value)
    exact = int(value) if isinstance(value, Integral) else float(value)
    return Markup('<data value="{!r}">{}</data>').format(exact, number_text(exact, spec))


def number_text(value: float, spec: str) -> str:
    """A number for readers: `spec` as in `.1%`, whole numbers above 1 without decimals; a real minus, a thin space."""
    counted = isinstance(value, Integral) or (abs(value) > 1 and float(value).is_integer())
    return format(value, ",.0f" if counted else spec).replace("-", MINUS).replace("%", f"{THIN_SPACE}%")


def learning_curves(history: pd.DataFrame, chosen: int, series: Mapping[str, str]) -> Figure:
    """Loss and accuracy by epoch, the chosen one marked; `series`: `{"": "training", "val_": "validation"}`."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, column, unit in zip(axes, ("loss", "accuracy"), ("cross-entropy (nats)", "share"), strict=True):
        for prefix, name in series.items():
            axis.plot(history["epoch"], history[prefix + column], "o-", markersize=3, label=name)
        axis.axvline(chosen, color="grey", linestyle=":", label=f"chosen epoch ({chosen})")
        axis.set(title=f"{column.capitalize()} by epoch", xlabel="epoch", ylabel=unit)
        axis.xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend()
    return figure


def confusion_matrix(counts: np.ndarray, classes: Sequence[str], title: str) -> Figure:
    """A confusion matrix (classes, classes), labels in rows: colour and first line are shares of the label's images."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    text = [f"{share:.0%}\n{count}" for share, count in zip(shares.flat, np.asarray(counts).flat, strict=True)]
    figure, axis = plt.subplots(figsize=(0.85 * len(classes) + 1.4, 0.75 * len(classes) + 1.0), layout="constrained")
    look = {"vmin": 0, "vmax": 1, "cmap": "Blues", "square": True, "cbar_kws": {"label": "share of the label's images"}}
    sns.heatmap(shares, annot=np.reshape(text, shares.shape), fmt="", xticklabels=classes, yticklabels=classes, **look)
    axis.set(title=title, xlabel="predicted expression", ylabel="label")
    axis.tick_params("x", rotation=45)
    axis.tick_params("y", rotation=0)
    return figure


def reliability(bins: pd.DataFrame, title: str, label: str) -> Figure:
    """Accuracy against confidence in the bins of `evaluation.calibration`, with 95 % intervals and the diagonal."""
    bins = bins.query("n > 0")
    figure, axis = plt.subplots(figsize=(4.2, 4), layout="constrained")
    axis.plot([0, 1], [0, 1], color="grey", linestyle="--", label="perfect calibration")
    spread = [bins["accuracy"] - bins["ci_low"], bins["ci_high"] - bins["accuracy"]]
    axis.errorbar(bins["confidence"], bins["accuracy"], yerr=spread, fmt="o", capsize=2, label=label)
    axis.set(title=title, xlabel="confidence (probability of the answer)", ylabel="accuracy")
    axis.legend()
    return figure


def printed_beside_ours(rows: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Printed numbers (black diamonds) and ours with 95 % intervals, one line each.

    `rows` has columns `name`, `paper` (missing where none is printed), `value`, `ci_low`, `ci_high`, `series`.
    """
    place = {name: at for at, name in enumerate(rows["name"].unique())}
    groups = list(rows.groupby("series", sort=False))
    figure, axis = plt.subplots(figsize=(8.5, 0.45 * len(place) + 1.4), layout="constrained")
    for order, (name, part) in enumerate(groups):
        heights = part["name"].map(place) + 0.18 * (order - (len(groups) - 1) / 2)
        spread = np.abs(part[["ci_low", "ci_high"]].to_numpy(float).T - part["value"].to_numpy(float))
        axis.errorbar(part["value"], heights, xerr=spread, fmt="o", markersize=4, capsize=2, label=name)
    printed = rows.drop_duplicates("name").dropna(subset="paper")
    if len(printed):
        axis.scatter(printed["paper"], printed["name"].map(place), 30, "k", "D", zorder=3, label="printed in the paper")
    axis.set(title=title, xlabel=xlabel, yticks=range(len(place)), yticklabels=[*place], ylim=(len(place) - 0.5, -0.5))
    axis.grid(axis="x", alpha=0.3)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def mean_faces(pixels: np.ndarray, labels: np.ndarray, classes: Sequence[str], people=None) -> Figure:
    """The mean of images (n, side, side, channels) of each class; blank for so few that it would show a person.

    `people` (n,) names who is seen, where that is known: many images of few people would show these too.
    """
    means, titles = [], []
    for place, name in enumerate(classes):
        of_class = pixels[labels == place]
        known = 0 if people is None else pd.Series(people)[labels == place].nunique()
        few = (known or len(of_class)) < FEWEST_FACES
        means.append(np.full_like(pixels[0], 255) if few else of_class.mean(axis=0).astype("uint8"))
        titles.append(f"{name}\n{len(of_class):,} images{', too few' * few}")
    return face_grid(np.stack(means), titles, columns=4)


def face_grid(pixels: np.ndarray, titles: Sequence[str], columns: int = 8) -> Figure:
    """Images, uint8 (n, side, side, 1 or 3), side by side, each with its title."""
    columns = max(1, min(columns, len(pixels)))
    rows, side = -(-len(pixels) // columns), max(1.25, 7.5 / columns)
    size = (side * columns, (side + 0.4) * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, title in zip(axes.flat[: len(pixels)], pixels, titles, strict=True):
        axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        axis.set_title(title, fontsize=9)
    return figure


def class_counts(table: pd.DataFrame) -> Figure:
    """Images of each expression, one panel a split, each with a scale of its own and each bar with its number."""
    counts = count_images(table)
    counts = counts.loc[sorted(counts.index, key=[*SPLITS, *counts.index].index)]
    size = (3.2 * len(counts) + 0.8, 3.4)
    figure, axes = plt.subplots(1, len(counts), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, (split, row), colour in zip(axes[0], counts.iterrows(), PALETTE, strict=False):
        axis.bar_label(axis.barh(row.index, row, color=colour), fmt="{:,.0f}", padding=3)
        axis.margins(x=0.22)
        axis.set(title=f"{split}: {row.sum():,} images", xlabel="number of images")
    axes[0, 0].set_ylabel("expression")
    axes[0, 0].invert_yaxis()
    return figure
