"""What a notebook shows can be read by everyone, and its numbers keep their exact values."""

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib import pyplot as plt

from fer_helpers import plots

HOSTILE = '"><img src=x onerror=alert(1)>.jpg'
SHARES = {"value": [0.53, 1.0, 7178.0], "difference": [0.021, -0.25, -12.0], "n": [12345, 1, 0]}
OTHERS = {"value": [-0.5, np.nan], "text": ["<b>", None], "ends": [(0.25, 0.75), None], "holds": [True, False]}
WRITTEN = [
    (OTHERS, ".2f", [["\u22120.50", "<b>", "[0.25, 0.75]", "yes"], ["–", "–", "–", "no"]]),
    (
        SHARES,
        {"value": ".1%", "difference": "+.1%"},  # counts stay whole in a column of shares
        [["53.0 %", "+2.1 %", "12,345"], ["100.0 %", "\u221225.0 %", "1"], ["7,178", "\u221212", "0"]],
    ),
]


@pytest.fixture
def displayed(monkeypatch) -> list[BeautifulSoup]:
    shown = []
    monkeypatch.setattr(plots, "display", lambda html: shown.append(BeautifulSoup(html.data, "html.parser")))
    return shown


def table(frame: pd.DataFrame, *arguments) -> BeautifulSoup:
    return BeautifulSoup(plots.table_html(frame, *arguments), "html.parser")


def test_a_figure_is_a_picture_with_alternative_text_and_caption_and_is_closed(displayed):
    plots.show(figure := plt.figure(figsize=(4, 3)), "A rising line", "Loss.")
    assert displayed[0].img["src"].startswith("data:image/png;base64,iVBOR")
    assert (displayed[0].img["alt"], displayed[0].figcaption.get_text()) == ("A rising line", "Loss.")
    assert not plt.fignum_exists(figure.number)
    with pytest.raises(ValueError, match="alt is empty"):
        plots.show(plt.figure(), " ")
    plt.close()


def test_text_from_data_stays_text_wherever_it_is_put(displayed):
    plots.show(plt.figure(), HOSTILE, HOSTILE)
    plots.show_table(pd.DataFrame({HOSTILE: [HOSTILE]}, index=pd.Index([HOSTILE], name=HOSTILE)), HOSTILE)
    assert [len(output.find_all("img")) for output in displayed] == [1, 0]
    assert displayed[0].img["alt"] == displayed[0].figcaption.get_text() == HOSTILE
    assert [cell.get_text() for cell in displayed[1].find_all(["th", "td"])] == [HOSTILE] * 4
    assert displayed[1].div["aria-label"] == displayed[1].caption.get_text() == HOSTILE


def test_numbers_keep_their_exact_values_and_are_written_for_readers():
    frame = pd.DataFrame({"accuracy": [1 / 3], "n": [12271]})
    numbers = [(element["value"], element.get_text()) for element in table(frame, "T", {"accuracy": ".1%"})("data")]
    assert numbers == [("0.3333333333333333", "33.3\u202f%"), ("12271", "12,271")]


@pytest.mark.parametrize(("columns", "formats", "written"), WRITTEN)
def test_cells_are_written_as_readers_know_them(columns, formats, written):
    rows = table(pd.DataFrame(columns), "T", formats).select("tbody tr")
    assert [[cell.get_text().replace("\u202f", " ") for cell in row(["th", "td"])] for row in rows] == written


def test_columns_of_numbers_are_marked_by_the_writer_and_headings_say_what_they_head():
    index = pd.MultiIndex.from_tuples([("CK+", "happy")], names=["data set", "expression"])
    frame = pd.DataFrame({("B0", "paper"): [0.5], ("B0", "name"): ["x"], ("B0", "n"): pd.array([None], "Int64")}, index)
    heads = [(cell.get_text(), cell["scope"], cell.get("class")) for cell in table(frame, "T").select("thead th")]
    numbers = [("B0 · paper", "col", ["number"]), ("B0 · name", "col", None), ("B0 · n", "col", ["number"])]
    assert heads == [("data set", "col", None), ("expression", "col", None), *numbers]
    rows = [(cell.get_text(), cell["scope"]) for cell in table(frame, "T").select("tbody th")]
    assert rows == [("CK+", "row"), ("happy", "row")]
    filtered = pd.DataFrame({"value": [1.5, 2.5, 3.5]}).iloc[[0, 2]]  # whose row numbers say nothing
    assert not table(filtered, "T").select("tbody th") and len(table(filtered.rename_axis("fold"), "T")("th")) == 4
    assert [len(table(frame, "T", None, is_result).select("table.results")) for is_result in (True, False)] == [1, 0]


def test_a_table_needs_a_caption_and_a_format_a_column():
    with pytest.raises(ValueError, match="needs a caption"):
        plots.table_html(pd.DataFrame({"n": [1]}), "")
    with pytest.raises(ValueError, match="accuracy.*columns of"):
        plots.table_html(pd.DataFrame({"n": [1]}), "T", {"accuracy": ".1%"})


def test_a_mean_face_is_the_mean_and_blank_where_too_few_people_are_in_it():
    labels = np.array([0] * plots.FEWEST_FACES + [1] * (plots.FEWEST_FACES - 1))
    pixels = np.where(labels == 0, 40, 200).astype("uint8")[:, None, None, None] * np.ones((1, 2, 2, 1), "uint8")
    happy, sad, *_ = plots.mean_faces(pixels, labels, ["happy", "sad"]).axes
    assert np.all(happy.images[0].get_array() == 40) and np.all(sad.images[0].get_array() == 255)
    assert "too few" in sad.get_title()
    for people, blank in ((np.arange(len(labels)), False), (np.zeros(len(labels)), True)):
        happy, *_ = plots.mean_faces(pixels, labels, ["happy", "sad"], people).axes
        assert np.all(happy.images[0].get_array() == 255) == blank
