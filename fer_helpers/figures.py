"""Figures and tables as a notebook shows them: figures with alternative text, tables whose numbers can be traced."""

from collections.abc import Mapping
from io import BytesIO
from numbers import Integral, Real

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from markupsafe import Markup, escape
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from fer_helpers.study.templates import template

DOTS_PER_INCH = 110
MISSING = "–"
THIN_SPACE = "\u202f"  # no line break between a number and its percent sign
MINUS = "\u2212"


def show(figure: Figure, alt: str, caption: str = "") -> None:
    """Display a figure as PNG with alternative text and, below it, a caption; then close it.

    Args:
        figure: a matplotlib figure.
        alt: what the figure shows, for a reader who can't see it.
        caption: one or two sentences in Markdown.

    Raises:
        ValueError: `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows, for a reader who can't see it")
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight")
    plt.close(figure)
    # A report sets the caption from the image's metadata, inside the same <figure>, and leaves out the second output, which is for JupyterLab.
    display(Image(png.getvalue(), alt=alt, metadata={"caption": caption} if caption else None))
    if caption:
        display(Markdown(caption), metadata={"repeats_caption": True})


def show_table(
    frame: pd.DataFrame, caption: str, formats: str | Mapping[str, str] = ".3f", *, results: bool = True
) -> None:
    """Display a table whose numbers carry their exact values, so that `report.untraced_numbers` can find where they come from.

    An index with names or labels becomes row headings. Missing values are shown as a dash, a pair of numbers (a tuple) as an interval,
    and whole numbers above 1 without decimals whatever the format, so that counts and shares can stand in one column.

    Args:
        frame: the table; several levels of columns are joined by a dot.
        caption: what the table shows.
        formats: how floats are written, as in `.1%`: for all columns, or by column heading (others are written with three decimals).
        results: False for a table that describes and reports no result, as one of package versions; its numbers are not traced.

    Raises:
        ValueError: `caption` is empty, or a format is for a column that the table does not have.
    """
    display(HTML(table_html(frame, caption, formats, results=results)))


def table_html(
    frame: pd.DataFrame, caption: str, formats: str | Mapping[str, str] = ".3f", *, results: bool = True
) -> str:
    """The HTML of `show_table`."""
    if not caption.strip():
        raise ValueError("caption is empty: say in a sentence what the table shows")
    columns = [_joined(column) for column in frame.columns]
    by_column = dict.fromkeys(columns, formats) if isinstance(formats, str) else dict(formats)
    unknown = set(by_column) - set(columns)
    if unknown:
        raise ValueError(f"a format is for {', '.join(sorted(unknown))}, but the columns are {', '.join(columns)}")
    cells = [
        [_cell(value, by_column.get(column, ".3f")) for value in frame.iloc[:, place]]
        for place, column in enumerate(columns)
    ]
    numeric = [
        all(_is_number(value) or _is_interval(value) for value in frame.iloc[:, place].dropna())
        for place in range(len(columns))
    ]
    return template("table.html.j2").render(
        caption=caption,
        results=results,
        index_names=["" if name is None else name for name in frame.index.names] if _has_labels(frame) else [],
        index=[entry if isinstance(entry, tuple) else (entry,) for entry in frame.index]
        if _has_labels(frame)
        else [()] * len(frame),
        columns=list(zip(columns, numeric, strict=True)),
        rows=list(zip(*cells, strict=True)),
    )


def _joined(column: object) -> str:
    return " · ".join(str(level) for level in column if str(level)) if isinstance(column, tuple) else str(column)


def _has_labels(frame: pd.DataFrame) -> bool:
    return not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_interval(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value))


def _cell(value: object, spec: str) -> Markup:
    """The content of a cell, numbers inside a `data` element that holds the exact value."""
    if _is_interval(value):
        return Markup("[{}, {}]").format(*(_cell(end, spec) for end in value))
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return Markup(MISSING)
    if pd.api.types.is_bool(value):
        return Markup("yes" if value else "no")
    if _is_number(value):
        return Markup('<data value="{}">{}</data>').format(repr(_plain(value)), _printed(_plain(value), spec))
    return escape(str(value))


def _plain(value: Real) -> int | float:
    return int(value) if isinstance(value, Integral) else float(value)


def _printed(value: float, spec: str) -> str:
    counted = isinstance(value, int) or (abs(value) > 1 and value.is_integer())
    return format(value, ",.0f" if counted else spec).replace("-", MINUS).replace("%", f"{THIN_SPACE}%")
