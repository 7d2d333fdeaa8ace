"""A run's page says what was run, shows all of its notebook, and nothing in it runs or is fetched."""

import shutil
import sys
from unittest.mock import Mock

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fer_helpers.plots import table_html
from fer_helpers.study import cells, report

GENERATED = {"source": "generated faces", "dataset": "ckplus", "images": 1308, "table_hash": "0123"}
HOSTILE = "<img src=x onerror=document.title='ran'>.jpg"
HOSTILE_HTML = [
    f"<table class='results'><caption>{HOSTILE}</caption></table><script>document.title='ran'</script>",
    "<svg onload=document.title='ran'></svg><iframe src='//example.org'></iframe><a href=javascript:x>a</a>",
    f"<math><mi><style>{HOSTILE}</style></mi></math><img src='https://example.org/a'>",
]
CLAIMS = pd.DataFrame({"value": [0.9957, 0.9545], "n": pd.array([132, None], dtype="Int64")})
RESULTS = pd.DataFrame({"value": [0.4532101, 0.97], "ci_low": [0.41, None], "ci_high": [0.4969, None], "n": [510, 132]})
TRACED = [
    ({"accuracy": [0.4532101], "interval": [(0.41, 0.4969)], "n": [510]}, []),
    ({"interval": [(0.41, 0.5)], "n": [511]}, ["interval: 0.5", "n: 511.0"]),
    ({"paper": [0.9545], "ours": [0.9545]}, ["ours: 0.9545"]),
    ({"paper": [0.9957], "ours": [0.97], "difference": [0.97 - 0.9545]}, ["difference: 0.015499999999999958"]),
]


def failed_notebook() -> nbformat.NotebookNode:
    """A notebook that papermill stopped in its second code cell."""
    traceback = ["\x1b[31mTraceback\x1b[0m", "no faces <here>"]
    error = new_output("error", ename="ValueError", evalue="no faces", traceback=traceback)
    cells = [
        new_markdown_cell("<span>An Exception was encountered</span>", metadata={"tags": ["papermill-error-cell-tag"]}),
        new_code_cell("a = 1", metadata={"papermill": {"status": "completed"}}),
        new_code_cell("raise", outputs=[error], metadata={"papermill": {"status": "failed"}}),
        new_markdown_cell("What comes after"),
    ]
    return new_notebook(cells=cells)


def page_of(folder) -> BeautifulSoup:
    report.render(folder.parent)
    return BeautifulSoup(folder.with_name(f"{folder.name}.html").read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def soup(tmp_path_factory, write_run) -> BeautifulSoup:
    row = {"metric": "accuracy", "value": 0.4532101, "n": 510, "ci_low": 0.41, "ci_high": 0.4969}
    return page_of(write_run(tmp_path_factory.mktemp("reports") / "cpu" / "run", [row]))


def test_page_names_what_was_run_on_what_with_what(soup):
    told = soup.select_one(".facts").get_text(" ", strip=True)
    expected = ("finished", "Singh 2022", "cpu", "fer2013, 35,887 images, table 0123456789abcdef", "scratch", "0, 1")
    for fact in (*expected, "tensorflow", "a processor, 2 cores", "89abcdef", "2026-11-20 14:05 UTC", "12.3"):
        assert fact in told
    verdict = soup.select_one("#verdict").get_text(" ", strip=True)
    sentence = soup.find("strong", string="Verdict.").parent.get_text().removeprefix("Verdict. ")
    assert verdict.startswith(f"Verdict, by this run alone: {sentence} More in")
    assert sentence.startswith("Of 7 results, 0 reproduced"), "as the rule judges today, not as the run said then"
    assert len(soup.find(attrs={"aria-label": "Judged."}).select("tbody tr")) == 7
    assert soup.select(".banner") == []


def test_run_on_generated_faces_and_one_that_only_compares_such_runs_say_so_first(tmp_path, write_run):
    for name, data in {"drawn": [GENERATED], "scoreboard": []}.items():
        page = page_of(write_run(tmp_path / "smoke" / name, data=data))
        body = page.body.get_text(" ", strip=True).removeprefix("Skip to the content ")
        assert body.startswith("Generated faces: this run checks that the code works; it says nothing about the paper")


@pytest.mark.parametrize(("status", "error"), [("failed", "No face was found."), ("running", None)])
def test_failed_run_shows_its_error_and_the_notebook_up_to_the_traceback(tmp_path, write_run, status, error):
    page = page_of(write_run(tmp_path / "cpu" / "run", executed=failed_notebook(), status=status, error=error))
    assert page.select_one(".status").get_text() == "failed"
    told = page.select_one(".banner.failed").get_text(" ", strip=True)
    assert told == f"This run failed: {error or 'it stopped before its end and left no message'}"
    assert page.select_one(".traceback").get_text().strip() == "Traceback\nno faces <here>"
    assert page.select("article details")[-1].has_attr("open")
    assert "What comes after" not in page.get_text() and "An Exception" not in page.get_text()


def test_code_and_logs_are_folded_and_a_log_keeps_both_ends(soup):
    assert {summary.get_text() for summary in soup.select("article summary")} == {"code", "log, 201 lines"}
    assert not soup.select("article details[open]")
    assert "epochs = 3" in soup.select_one(".code.wrapped").get_text()
    log = soup.find("summary", string="log, 201 lines").parent.pre.get_text().split("\n")
    assert (log[0], log[100], log[-1]) == ("warning 0", "[800 lines left out]", "warning 999")
    shown = [box.get_text()[:22] for box in soup.select(".output > .text")]
    assert shown == ["100 %\ndone xxxxxxxxxxx", "site-packages/keras/a.", "bars"], "from no machine's own folder"


def test_formulas_are_mathml_headings_are_listed_once_and_links_lead_from_the_page(soup):
    assert [formula.get("display") for formula in soup.find_all("math")] == [None, "block"]
    assert "$" not in soup.article.get_text()
    assert cells.markdown(r"$\nonsense{1}$", cells.Outline()) == "<p><code>\\nonsense{1}</code></p>\n"
    listed = [(item["class"][0], item.a["href"]) for item in soup.select(".beside li")]
    assert listed[:3] == [("level-2", "#The-data"), ("level-3", "#Training"), ("level-2", "#The-data-2")]
    assert [heading.get_text() for heading in soup.find_all("h1")] == ["A title"]
    links = ["#The-data", "../../data/claims.csv", "https://doi.org/1"]
    assert [link["href"] for link in soup.select(".prose a")] == links
    assert soup.select_one("table.results > caption a")["href"] == "#provenance"
    (source,) = soup.select("figure a.source")
    assert "show()" in soup.select_one(source["href"]).get_text()


def test_deviations_are_numbered_and_absent_where_there_are_none(soup, tmp_path, write_run):
    (row,) = soup.select("table.deviations tbody tr")
    assert [cell.get_text() for cell in row.find_all(["th", "td"])] == ["1", "epochs", "3", "1", "of *training*"]
    same = {"epochs": 3, "b": 2, "run_dir": "elsewhere"}
    assert not page_of(write_run(tmp_path / "cpu" / "run", parameters=same)).select("table.deviations")


def test_nothing_that_comes_from_data_runs_or_is_fetched(tmp_path, write_run, open_page):
    outputs = [
        new_output("display_data", {"text/markdown": f"Left out: {HOSTILE} [x](javascript:alert(1))"}),
        *(new_output("display_data", {"text/html": html}) for html in HOSTILE_HTML),
        new_output("stream", text=HOSTILE),
        new_output("error", ename="E", evalue=HOSTILE, traceback=[HOSTILE]),
    ]
    cells = [new_markdown_cell(f"# {HOSTILE}\n\n## {HOSTILE}"), new_code_cell(f"# {HOSTILE}", outputs=outputs)]
    about = {"verdict": HOSTILE, "error": HOSTILE, "commit": HOSTILE, "parameters": {HOSTILE: HOSTILE}}
    data = GENERATED | {"source": "real photographs", "notes": [HOSTILE], "found_as": HOSTILE, "dataset": HOSTILE}
    about |= {"executed": new_notebook(cells=cells), "status": "failed", "data": [data]}
    page = page_of(write_run(tmp_path / "cpu" / "run", **about))
    assert not page.select("script, iframe, [onerror], [onload], [href^=javascript], img[src^=http]")
    assert f"Left out: {HOSTILE}" in page.get_text()
    assert open_page(tmp_path / "cpu" / "run.html").title() != "ran"


def test_the_policy_of_the_page_lets_no_script_run_even_if_one_got_in(tmp_path, write_run, chromium):
    (file,) = report.render(write_run(tmp_path / "cpu" / "run").parent)
    file.write_text(file.read_text().replace("</main>", f"{HOSTILE}<script>document.title='ran'</script></main>"))
    page = chromium.new_page()
    page.goto(file.as_uri())
    assert page.title() != "ran"


def test_a_page_is_written_again_only_if_its_inputs_have_changed(tmp_path, write_run):
    folder = write_run(tmp_path / "cpu" / "run")
    (page,) = report.render(folder.parent)
    page.write_text(page.read_text() + "<!-- as it was -->")
    report.render(folder.parent)
    assert page.read_text().endswith("as it was -->")
    (folder / "run.json").write_text((folder / "run.json").read_text().replace("scratch", "imagenet"))
    assert "imagenet" in page_of(folder).get_text()


@pytest.mark.parametrize(("code", "shown"), [("x = 1", "Clear."), ("x = 2", "Unclear.")])
def test_prose_is_as_it_is_today_where_the_code_is_the_same(tmp_path, code, shown):
    injected = new_code_cell("x = 3", metadata={"tags": ["injected-parameters"]})
    executed = new_notebook(cells=[new_markdown_cell("Unclear."), injected, new_code_cell("x = 1")])
    today = new_notebook(cells=[new_markdown_cell("Clear."), new_code_cell(code)])
    (tmp_path / "a.ipynb").write_text(nbformat.writes(today))
    assert cells.clarify(executed, tmp_path / "a.ipynb") is (shown == "Clear.")
    assert [cell.source for cell in executed.cells] == [shown, "x = 3", "x = 1"]


def test_the_page_of_a_failure_goes_with_it(tmp_path, write_run):
    folder = write_run(tmp_path / "cpu" / "run.failed", executed=failed_notebook(), status="failed", error="No face.")
    (page,) = report.render(folder.parent)
    assert page == tmp_path / "cpu" / "run.failed.html"
    shutil.rmtree(folder)
    report.render(write_run(tmp_path / "cpu" / "run").parent)
    assert [file.name for file in (tmp_path / "cpu").glob("*.html")] == ["run.html"]


def test_pages_results_and_the_profiles_own_index_are_written_number_by_number(tmp_path, write_run):
    smoke = tmp_path / "smoke"
    write_run(smoke / "one", [{"value": 0.1 + 0.2}], data=[GENERATED])
    write_run(smoke / "two", [{"value": 1e-9}, {"value": 0.4532101}], data=[GENERATED])
    write_run(smoke / "broken", [{"value": 1}], status="failed")
    report.write_pages(smoke)
    frame = pd.read_csv(smoke / "results.csv", dtype=str, keep_default_na=False)
    rows = list(zip(frame["run"], frame["value"], strict=True))
    assert rows == [("one", "0.30000000000000004"), ("two", "1e-09"), ("two", "0.4532101")]
    assert 'href="smoke/one.html"' in (smoke / "index.html").read_text().replace("../", "")
    assert not (tmp_path / "index.html").exists()
    (smoke / "one" / "results.csv").write_text("run,value\nold,1\n")
    with pytest.raises(ValueError, match=r"one.results\.csv has the columns run, value, not run, paper"):
        report.write_pages(smoke)


@pytest.mark.parametrize(("columns", "expected"), TRACED)
def test_a_number_that_comes_from_nowhere_is_found(untraced_numbers, columns, expected):
    assert untraced_numbers(table_html(pd.DataFrame(columns), "Table 3"), RESULTS, CLAIMS) == expected


def test_picture_that_matplotlib_shows_by_itself_is_a_figure_too(tmp_path, write_run):
    picture = new_output("display_data", {"image/png": "iVBORw0K\nGgo=", "text/plain": "<Figure>"})
    executed = new_notebook(cells=[new_code_cell("x", outputs=[picture])])
    page = page_of(write_run(tmp_path / "cpu" / "run", executed=executed))
    assert page.figure.img["src"] == "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize("names", [[], ["--help"], ["cpu", "gpo"], [".."], ["cpu/01_huang_2024"], ["bench"]])
def test_index_of_what_is_no_profile_or_has_no_run_on_photographs_is_refused(monkeypatch, names):
    monkeypatch.setattr(sys, "argv", ["report", *names])
    with pytest.raises(SystemExit, match=r"no folder in reports/|name profiles|no run on real photographs .* in bench"):
        report.main()


def test_index_of_a_damaged_run_is_refused(tmp_path, monkeypatch, write_run):
    (write_run(tmp_path / "cpu" / "01_huang_2024", files={"results.csv": "0" * 64}) / "results.csv").write_text("")
    monkeypatch.setattr(report.paths, "reports_dir", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", ["report", "cpu"])
    with pytest.raises(SystemExit, match=r"gone or damaged: .*results\.csv: restore"):
        report.main()
    monkeypatch.setattr(report, "read_profile", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit, match="stopped by hand"):
        report.main()
