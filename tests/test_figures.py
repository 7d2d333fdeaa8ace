"""What a notebook shows can be read by everyone, and its numbers keep their exact values."""

from base64 import b64decode

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt

from fer_helpers import figures


@pytest.fixture
def displayed(monkeypatch):
    """The (data, metadata) of everything that was displayed."""
    from IPython.core.interactiveshell import InteractiveShell

    formatter = InteractiveShell.instance().display_formatter
    shown = []

    def display(thing, metadata=None):
        data, own = formatter.format(thing)
        shown.append((data, own | (metadata or {})))

    monkeypatch.setattr(figures, "display", display)
    return shown


def cells(html: str) -> list[list[str]]:
    """Text of each cell of a table's body."""
    return [
        [cell.get_text() for cell in row.find_all(["th", "td"])]
        for row in BeautifulSoup(html, "html.parser").select("tbody tr")
    ]


def test_figure_is_shown_as_png_with_alternative_text_and_closed(displayed):
    figure = plt.figure(figsize=(4, 3))
    figure.subplots().plot([1, 2])
    figures.show(figure, "A rising line", "Loss *rises*.")
    (image, about), (caption, about_caption) = displayed
    png = image["image/png"]
    assert (b64decode(png) if isinstance(png, str) else png).startswith(b"\x89PNG")
    assert about["image/png"] == {"alt": "A rising line", "caption": "Loss *rises*."}
    assert caption["text/markdown"] == "Loss *rises*."
    assert about_caption["repeats_caption"] is True
    assert not plt.fignum_exists(figure.number)


def test_figure_without_caption_is_one_output(displayed):
    figures.show(plt.figure(), "Nothing")
    assert [about["image/png"] for _, about in displayed] == [{"alt": "Nothing"}]


@pytest.mark.parametrize("alt", ["", "  "])
def test_figure_without_alternative_text_is_refused(alt):
    figure = plt.figure()
    with pytest.raises(ValueError, match="alt is empty"):
        figures.show(figure, alt)
    plt.close(figure)


def test_table_is_displayed_as_html(displayed):
    figures.show_table(pd.DataFrame({"n": [1]}), "Counts")
    assert "<caption>Counts</caption>" in displayed[0][0]["text/html"]


def test_numbers_keep_their_exact_values():
    html = figures.table_html(pd.DataFrame({"accuracy": [1 / 3], "n": [12271]}), "Table 1", {"accuracy": ".1%"})
    numbers = [
        (element["value"], element.get_text()) for element in BeautifulSoup(html, "html.parser").find_all("data")
    ]
    assert numbers == [("0.3333333333333333", "33.3\u202f%"), ("12271", "12,271")]


def test_values_are_written_for_readers():
    frame = pd.DataFrame(
        {"value": [-0.5, float("nan")], "text": ["<b>", None], "interval": [(0.25, 0.75), None], "holds": [True, False]}
    )
    assert cells(figures.table_html(frame, "Values", ".2f")) == [
        ["\u22120.50", "<b>", "[0.25, 0.75]", "yes"],
        ["–", "–", "–", "no"],
    ]


def test_counts_stay_whole_in_a_column_of_shares():
    frame = pd.DataFrame({"value": [0.53, 1.0, 7178.0], "difference": [0.021, -0.25, -12.0], "n": [12345, 1, 0]})
    html = figures.table_html(frame, "Values", {"value": ".1%", "difference": "+.1%"})
    percent = "\u202f%"
    assert cells(html) == [
        [f"53.0{percent}", f"+2.1{percent}", "12,345"],
        [f"100.0{percent}", f"\u221225.0{percent}", "1"],
        ["7,178", "\u221212", "0"],
    ]


def test_index_and_column_levels_become_headings():
    index = pd.MultiIndex.from_tuples([("CK+", "happy"), ("CK+", "sad")], names=["data set", "expression"])
    frame = pd.DataFrame({("B0", "paper"): [0.5, 0.25], ("B0", "ours"): [0.5, 0.25]}, index=index)
    table = BeautifulSoup(figures.table_html(frame, "Table 4"), "html.parser").table
    assert [(cell.get_text(), cell["scope"]) for cell in table.select("thead th")] == [
        ("data set", "col"),
        ("expression", "col"),
        ("B0 · paper", "col"),
        ("B0 · ours", "col"),
    ]
    assert [(cell.get_text(), cell["scope"]) for cell in table.select("tbody th")][:2] == [
        ("CK+", "row"),
        ("happy", "row"),
    ]


def test_table_is_marked_as_results_unless_it_only_describes():
    frame = pd.DataFrame({"n": [1]})
    assert '<table class="results">' in figures.table_html(frame, "Results")
    assert 'class="results"' not in figures.table_html(frame, "Versions", results=False)


def test_table_without_caption_and_format_without_column_are_refused():
    with pytest.raises(ValueError, match="caption is empty"):
        figures.table_html(pd.DataFrame({"n": [1]}), "")
    with pytest.raises(ValueError, match="a format is for accuracy, but the columns are n"):
        figures.table_html(pd.DataFrame({"n": [1]}), "Table", {"accuracy": ".1%"})
