"""The pages open in a browser with the network off, and say what they are."""

import gzip
import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fer_helpers import paths
from fer_helpers.figures import table_html
from fer_helpers.study import claims, report
from fer_helpers.study.runs import COLUMNS

FILES = ("results.csv", "run.json")  # of each run that `write_run` writes
PHONE = {"width": 375, "height": 700}
DESK = {"width": 1280, "height": 900}
GENERATED = {
    "source": "generated faces",
    "dataset": "ckplus",
    "found_as": "ckplus",
    "images": 1308,
    "skipped": 0,
    "table_hash": "0123456789abcdef",
    "notes": [],
}
REAL = GENERATED | {"source": "real photographs"}
CLAIMS = pd.DataFrame({"value": [0.9957, 0.9545], "n": pd.array([132, None], dtype="Int64")})


@pytest.fixture(autouse=True)
def unchecked_claims(monkeypatch):
    """The consistency checks take half a minute, and no test here is about them."""
    found = (
        claims.load()[["claim"]]
        .assign(check="", printed="", n=pd.NA, attainable="unknown", nearest="", note="Nobody looked.")
        .astype({"n": "Int64"})
    )
    monkeypatch.setattr(report, "checked", lambda _: found)


def results_row(**columns) -> dict:
    """A row of results.csv, one accuracy under the clean protocol unless told otherwise."""
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "run": "alam_2022",
        "metric": "accuracy",
        "protocol": "clean",
        "dataset": "ckplus",
        "split": "test",
        "model": "EfficientNetB0",
    }
    return row | {"value": 0.4532101, "n": 510, "ci_low": 0.4101, "ci_high": 0.4969, "seed": 1} | columns


def write_run(
    profile: Path,
    name: str = "alam_2022",
    rows: tuple[dict, ...] = (),
    notebook: nbformat.NotebookNode | None = None,
    **about,
) -> Path:
    """A run's folder as a notebook and the study leave it."""
    folder = profile / name
    folder.mkdir(parents=True)
    content = {
        "run": name,
        "profile": profile.name,
        "notebook": "04_alam_2022",
        "paper": "alam_2022",
        "status": "finished",
    }
    content |= {
        "started": "2026-11-20T14:05:00+00:00",
        "seconds": 738,
        "parameters": {"seeds": [1, 2], "init": "scratch"},
        "data": [REAL],
    }
    content |= {
        "backend": "tensorflow",
        "device": "a processor, 2 cores",
        "versions": {},
        "commit": "0123456789ab",
    } | about
    (folder / "run.json").write_text(json.dumps(content))
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "results.csv", index=False)
    (folder / "executed.ipynb.gz").write_bytes(gzip.compress(nbformat.writes(notebook or executed_notebook()).encode()))
    return folder


def figure_png() -> str:
    """A small figure as the base64 text that a notebook holds."""
    from base64 import b64encode
    from io import BytesIO

    figure = Figure(figsize=(9, 2))
    figure.subplots().plot([1, 2, 4])
    target = BytesIO()
    figure.savefig(target, format="png")
    return b64encode(target.getvalue()).decode()


def picture() -> nbformat.NotebookNode:
    """The two outputs of `figures.show`."""
    metadata = {"image/png": {"alt": "A rising curve", "caption": "Loss *rises*."}}
    return new_output("display_data", {"image/png": figure_png(), "text/plain": "<Figure>"}, metadata=metadata)


def executed_notebook() -> nbformat.NotebookNode:
    """A notebook with one of everything that a page must show."""
    wide = pd.DataFrame([[0.123456] * 30], columns=[f"column {place}" for place in range(30)])
    results = pd.DataFrame({"model": ["B0"], "accuracy": [0.4532101]})
    cells = [
        new_markdown_cell(
            "# A notebook\n\nThe widths scale as $d = \\alpha^\\phi$ and $$\\alpha \\beta^2 \\gamma^2 \\approx 2$$ See [Data](#The-data)."
        ),
        new_code_cell("epochs = 3  # epochs of training", metadata={"tags": ["parameters"]}),
        new_code_cell("epochs = 1", metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell(
            "## The data\n\n| set | images |\n|---|---|\n| CK+ | 1,308 |\n\nFrom [claims](../data/claims.csv), [a paper](https://doi.org/10.1000/1)."
        ),
        new_code_cell(
            "wide",
            outputs=[
                new_output(
                    "execute_result", {"text/html": wide._repr_html_(), "text/plain": "table"}, execution_count=1
                )
            ],
        ),
        new_markdown_cell("### Training"),
        new_code_cell(
            "fit()",
            outputs=[new_output("stream", name="stderr", text="\n".join(f"warning {line}" for line in range(1000)))],
        ),
        new_code_cell(
            "print(1)",
            outputs=[new_output("stream", name="stdout", text=" 10 %\r 50 %\r100 %\n\x1b[1mdone\x1b[0m " + "x" * 300)],
        ),
        new_markdown_cell("## The data\n\nA second heading of that name."),
        new_code_cell(
            "show()",
            outputs=[
                picture(),
                new_output("display_data", {"text/markdown": "Loss *rises*."}, metadata={"repeats_caption": True}),
            ],
        ),
        new_code_cell(
            "show_table()",
            outputs=[
                new_output("display_data", {"text/html": table_html(results, "Accuracy", ".1%"), "text/plain": "table"})
            ],
        ),
        new_code_cell(
            "bars()",
            outputs=[
                new_output(
                    "display_data", {"application/javascript": "fetch('https://example.org')", "text/plain": "bars"}
                )
            ],
        ),
    ]
    return new_notebook(cells=cells)


def failed_notebook() -> nbformat.NotebookNode:
    """A notebook that papermill stopped in its second code cell."""
    error = new_output(
        "error",
        ename="ValueError",
        evalue="no faces",
        traceback=["\x1b[31mTraceback\x1b[0m", "ValueError: no faces <here>"],
    )
    cells = [
        new_markdown_cell("<span>An Exception was encountered</span>", metadata={"tags": ["papermill-error-cell-tag"]}),
        new_markdown_cell("# A notebook"),
        new_code_cell("a = 1", metadata={"papermill": {"status": "completed"}}),
        new_code_cell("raise ValueError('no faces')", outputs=[error], metadata={"papermill": {"status": "failed"}}),
        new_markdown_cell("What comes after the failure"),
        new_code_cell("later()", metadata={"papermill": {"status": "pending"}}),
    ]
    return new_notebook(cells=cells)


# Relative luminance and contrast as WCAG 2.2 defines them, for every element that shows text of its own, against the first background behind it.
LOW_CONTRASTS = """() => {
  const rgb = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = rgb(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.body.querySelectorAll("*")) {
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()) || !element.checkVisibility()) continue;
    const [light, dark] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
    if ((light + 0.05) / (dark + 0.05) < 4.5) low.push(element.outerHTML.slice(0, 120));
  }
  return low;
}"""


def test_page_opens_with_the_network_off_and_shows_its_figures(tmp_path, open_page):
    page = open_page(report.render(write_run(tmp_path / "cpu")))
    images = page.eval_on_selector_all("img", "all => all.map(image => [image.naturalWidth > 0, image.alt])")
    assert images == [[True, "A rising curve"]]
    assert page.eval_on_selector_all("script, iframe, link[rel=stylesheet]", "all => all.length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_readable_in_light_and_dark(tmp_path, open_page, scheme):
    failed = report.render(
        write_run(
            tmp_path / "smoke",
            "failed",
            notebook=failed_notebook(),
            status="failed",
            error="it broke",
            data=[GENERATED],
        )
    )
    finished = report.render(write_run(tmp_path / "smoke", "finished", data=[GENERATED], verdict="not testable here"))
    index = report.write_index(tmp_path)
    for file in (failed, finished, index):
        page = open_page(file, scheme=scheme)
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert page.evaluate(LOW_CONTRASTS) == []
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(255, 255, 255)") == (scheme == "light")


def test_pages_do_not_scroll_sideways_on_a_phone(tmp_path, open_page):
    rows = (results_row(),)
    for file in (
        report.render(write_run(tmp_path / "smoke", data=[GENERATED], rows=rows)),
        report.write_index(tmp_path),
    ):
        page = open_page(file, viewport=PHONE)
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.eval_on_selector_all(".scroll", "all => all.some(box => box.scrollWidth > box.clientWidth)")


def test_contents_stand_beside_the_text_on_a_desk_and_are_folded_on_a_phone(tmp_path, open_page):
    file = report.render(write_run(tmp_path / "cpu"))
    for viewport, shown, hidden in ((DESK, ".beside", ".above"), (PHONE, ".above", ".beside")):
        page = open_page(file, viewport=viewport)
        assert page.locator(f".contents{shown}").is_visible()
        assert not page.locator(f".contents{hidden}").is_visible()
    assert not page.get_by_role("link", name="Training").is_visible()
    page.get_by_text("Contents", exact=True).last.click()
    page.get_by_role("link", name="Training").click()
    assert page.url.endswith("#Training")


def test_every_scrolling_box_can_be_reached_with_the_keyboard(tmp_path, open_page):
    page = open_page(report.render(write_run(tmp_path / "cpu")), viewport=PHONE)
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    scrolling = (
        "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'auto')"
    )
    assert (
        page.eval_on_selector_all(
            "article *",
            f"all => ({scrolling})(all).filter(one => one.tabIndex < 0).map(one => one.outerHTML.slice(0, 80))",
        )
        == []
    )
    assert page.eval_on_selector_all("article *", f"all => ({scrolling})(all).length") >= 2


@pytest.fixture(scope="module")
def soup(tmp_path_factory):
    """The page of a finished run on real photographs, parsed."""
    return parsed(report.render(write_run(tmp_path_factory.mktemp("reports") / "cpu", rows=(results_row(),))))


def parsed(file: Path):
    from bs4 import BeautifulSoup

    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def test_page_names_what_was_run_on_what_with_what(soup):
    facts = soup.select_one(".facts").get_text(" ", strip=True)
    expected = (
        "finished",
        "Alam 2022",
        "cpu",
        "real photographs: ckplus, 1,308 images, table 0123456789abcdef",
        "scratch",
        "1, 2",
    )
    for fact in (*expected, "tensorflow", "a processor, 2 cores", "0123456789ab", "2026-11-20 14:05 UTC", "12.3"):
        assert fact in facts
    assert [link["href"] for link in soup.select(".head .facts a")] == ["alam_2022/results.csv", "alam_2022/run.json"]
    assert soup.html["lang"] == "en"


def test_page_on_real_photographs_has_no_banner(soup):
    assert soup.select(".banner") == []


def test_page_on_generated_faces_says_so_before_anything_else(tmp_path):
    page = parsed(report.render(write_run(tmp_path / "smoke", data=[REAL, GENERATED])))
    banner = page.select_one(".banner.generated").get_text(" ", strip=True)
    assert banner == "Generated faces: this run checks that the code works; it says nothing about the papers."
    assert page.body.get_text(" ", strip=True).removeprefix("Skip to the content ").startswith(banner)


def test_run_that_only_compares_runs_on_generated_faces_is_marked_like_them(tmp_path):
    write_run(tmp_path / "smoke", data=[GENERATED])
    scoreboard = write_run(tmp_path / "smoke", "scoreboard", data=[], paper="")
    assert parsed(report.render(scoreboard)).select(".banner.generated")


def test_failed_run_shows_its_error_and_the_notebook_up_to_the_traceback(tmp_path):
    page = parsed(
        report.render(
            write_run(tmp_path / "cpu", notebook=failed_notebook(), status="failed", error="No face was found.")
        )
    )
    assert page.select_one(".banner.failed").get_text(" ", strip=True) == "This run failed: No face was found."
    assert page.select_one(".traceback").get_text() == "Traceback\nValueError: no faces <here>"
    assert page.select("details")[-1].has_attr("open")
    text = page.get_text()
    assert "What comes after the failure" not in text
    assert "later()" not in text
    assert "An Exception was encountered" not in text


def test_run_whose_runner_died_is_shown_as_failed_with_the_error_of_its_notebook(tmp_path):
    page = parsed(report.render(write_run(tmp_path / "cpu", notebook=failed_notebook(), status="running")))
    assert page.select_one(".status").get_text() == "failed"
    assert "ValueError: no faces" in page.select_one(".banner.failed").get_text()


def test_code_is_folded_and_parameters_are_visible(soup):
    assert {detail.summary.get_text() for detail in soup.select("article details")} == {"code", "log, 201 lines"}
    assert [detail for detail in soup.select("article details") if detail.has_attr("open")] == []
    visible = [box.get_text().strip() for box in soup.select(".code") if not box.find_parent("details")]
    assert visible == ["epochs = 3  # epochs of training"]


def test_log_keeps_its_start_and_its_end(soup):
    log = soup.find("summary", string="log, 201 lines").parent.pre.get_text().split("\n")
    assert log[0] == "warning 0"
    assert log[100] == "[800 lines left out]"
    assert log[-1] == "warning 999"


def test_progress_bar_is_shown_as_it_ended(soup):
    printed = soup.select_one(".output > .text").get_text()
    assert printed.startswith("100 %\ndone xxx")


def test_empty_output_leaves_no_box(tmp_path):
    empty = new_code_cell(
        "tqdm()", outputs=[new_output("stream", name=name, text="\n") for name in ("stdout", "stderr")]
    )
    page = parsed(report.render(write_run(tmp_path / "cpu", notebook=new_notebook(cells=[empty]))))
    assert [summary.get_text() for summary in page.select("article summary")] == ["code"]
    assert page.select(".text") == []


def test_paths_start_at_the_project_or_at_the_package():
    warning = "/home/me/fer/.venv/lib/python3.11/site-packages/keras/a.py:3: Warning"
    assert report.relative_paths(warning) == "site-packages/keras/a.py:3: Warning"
    assert report.relative_paths("File C:\\me\\fer\\fer_helpers\\splits.py:7") == "File fer_helpers\\splits.py:7"
    assert (
        report.relative_paths("no FER-2013 under /data/sets: see https://example.org/a")
        == "no FER-2013 under /data/sets: see https://example.org/a"
    )


def test_formulas_are_mathml_and_no_latex_is_left(soup):
    assert [formula.get("display") for formula in soup.find_all("math")] == [None, "block"]
    assert "$" not in soup.article.get_text()
    assert report.mathml(r"\nonsense{1}", as_block=True) == r"<code>\nonsense{1}</code>"


def test_headings_are_listed_with_one_id_each(soup):
    listed = [(item["class"][0], item.a["href"], item.get_text()) for item in soup.select(".beside li")]
    expected = [
        ("level-2", "#The-data", "The data"),
        ("level-3", "#Training", "Training"),
        ("level-2", "#The-data-2", "The data"),
    ]
    expected += [("level-2", "#provenance", "Where the numbers come from")]
    assert listed == expected
    ids = [element["id"] for element in soup.select("[id]")]
    assert len(ids) == len(set(ids))
    assert [heading.get_text() for heading in soup.find_all("h1")] == ["A notebook"]


def test_links_of_the_notebook_lead_from_the_page_to_the_same_files(soup):
    links = [link["href"] for link in soup.select(".prose a")]
    assert links == ["#The-data", "../../data/claims.csv", "https://doi.org/10.1000/1"]


def test_tables_tell_their_headings_and_align_numbers(soup):
    assert all(heading.has_attr("scope") for heading in soup.find_all("th"))
    _, markdown, wide, results = (table for table in soup.select("article table") if not table.find_parent("section"))
    assert [cell.get("class") for cell in markdown.find_all("td")] == [None, ["number"]]
    assert {tuple(cell["class"]) for cell in wide.select("tbody td")} == {("number",)}
    assert results.find_parent("div")["aria-label"] == "Accuracy"


def test_figure_has_its_caption_once(soup):
    assert soup.select_one("figure > figcaption").get_text().strip() == "Loss rises."
    assert soup.get_text().count("Loss rises.") == 1


def test_page_is_small(tmp_path):
    assert report.render(write_run(tmp_path / "cpu")).stat().st_size < 3_000_000


def test_render_names_what_is_missing(tmp_path):
    folder = write_run(tmp_path / "cpu")
    (folder / "executed.ipynb.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"no executed\.ipynb\.gz in .*alam_2022"):
        report.render(folder)


def test_collect_joins_finished_runs_number_by_number(tmp_path):
    write_run(tmp_path, "one", rows=(results_row(run="one", value=0.1 + 0.2),))
    write_run(tmp_path, "two", rows=(results_row(run="two", value=1e-9, seed=""), results_row(run="two")))
    write_run(tmp_path, "broken", rows=(results_row(run="broken"),), status="failed")
    collected = report.collect(tmp_path)
    assert collected == tmp_path / "results.csv"
    frame = pd.read_csv(collected, dtype=str, keep_default_na=False)
    assert tuple(frame.columns) == COLUMNS
    assert list(zip(frame["run"], frame["value"], strict=True)) == [
        ("one", "0.30000000000000004"),
        ("two", "1e-09"),
        ("two", "0.4532101"),
    ]


def test_collect_without_a_finished_run_writes_the_header(tmp_path):
    assert report.collect(tmp_path).read_text() == ",".join(COLUMNS) + "\n"


def test_collect_names_a_file_with_other_columns(tmp_path):
    folder = write_run(tmp_path, "old")
    (folder / "results.csv").write_text("run,value\nold,1\n")
    with pytest.raises(ValueError, match=r"old.results\.csv has the columns run, value, not run, paper"):
        report.collect(tmp_path)


def test_index_lists_each_run_with_its_status_and_accuracy(tmp_path):
    rows = (
        *(results_row(model=f"EfficientNetB{size}") for size in range(5)),
        results_row(protocol="paper", value=0.99),
        results_row(expression="happy", value=0.98),
    )
    report.render(write_run(tmp_path / "cpu", "finished", rows=rows))
    write_run(tmp_path / "cpu", "running", status="running")
    write_run(tmp_path / "cpu", "failed", status="failed", error="No face was found.", rows=(results_row(),))
    report.collect(tmp_path / "cpu")
    page = parsed(report.write_index(tmp_path))
    failed, finished, running = (row.get_text(" ", strip=True) for row in page.select(".runs tbody tr"))
    assert "45.3 % [41.0, 49.7], n = 510 ckplus, test, EfficientNetB0, seed 1" in finished
    assert "and 2 more in its results.csv" in finished
    assert "99.0 %" not in finished
    assert "98.0 %" not in finished
    assert "No face was found." in failed
    assert "45.3" not in failed
    assert [row.select_one(".status").get_text() for row in page.select(".runs tbody tr")] == [
        "failed",
        "finished",
        "running",
    ]
    assert running.startswith("running running")
    expected = [
        "cpu/results.csv",
        "cpu/finished.html",
        *(f"cpu/{name}/{file}" for name in ("failed", "finished", "running") for file in FILES),
    ]
    assert sorted(link["href"] for link in page.find(id="real").parent.select("a[href]")) == sorted(expected)


def test_index_keeps_generated_faces_apart_from_results(tmp_path):
    write_run(tmp_path / "cpu", "on_photographs")
    write_run(tmp_path / "cpu", "on_drawings", data=[GENERATED], rows=(results_row(),))
    page = parsed(report.write_index(tmp_path))
    real, checks = (page.find(id=name).parent for name in ("real", "generated"))
    assert [row.th.get_text() for row in real.select("tbody tr")] == ["on_photographs"]
    assert [row.th.get_text() for row in checks.select("tbody tr")] == ["on_drawings"]
    assert "These are not results." in checks.get_text()
    assert "Accuracy" not in checks.get_text()


def test_index_shows_a_run_that_failed_before_it_recorded_anything(tmp_path):
    folder = tmp_path / "cpu" / "at_once"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "failed", "error": "No parameter is called epoch."}))
    section = parsed(report.write_index(tmp_path)).find(id="unread").parent
    assert section.h2.get_text() == "Runs that have read no data"
    assert (
        section.tbody.get_text(" ", strip=True)
        == "at_once failed No parameter is called epoch. – – – – – – – – run.json"
    )


def test_index_of_no_run_says_how_to_make_one(tmp_path):
    assert "make study" in report.write_index(tmp_path / "reports").read_text()


RESULTS = pd.DataFrame(
    {
        "value": [0.4532101, 0.97],
        "ci_low": [0.41, None],
        "ci_high": [0.4969, None],
        "n": [510, 132],
        "metric": ["accuracy", "accuracy"],
    }
)


def untraced(**columns) -> list[str]:
    return report.untraced_numbers(table_html(pd.DataFrame(columns), "Table 3"), RESULTS, CLAIMS)


def test_number_in_results_is_traced_and_one_that_is_near_is_not():
    assert untraced(accuracy=[0.4532101], interval=[(0.41, 0.4969)], n=[510]) == []
    assert untraced(accuracy=[0.4532]) == ["Table 3: accuracy: 0.4532"]
    assert untraced(interval=[(0.41, 0.5)]) == ["Table 3: interval: 0.5"]
    assert untraced(n=[511]) == ["Table 3: n: 511.0"]


def test_number_of_the_paper_is_sought_among_the_claims_only():
    assert untraced(paper=[0.9545]) == []
    assert untraced(paper=[0.9957]) == []
    assert untraced(paper=[0.4532101]) == ["Table 3: paper: 0.4532101"]
    assert untraced(ours=[0.9545]) == ["Table 3: ours: 0.9545"]


def test_difference_is_checked_against_its_own_row():
    assert untraced(paper=[0.9545], ours=[0.97], difference=[0.97 - 0.9545]) == []
    assert untraced(paper=[0.9545, 0.9957], ours=[0.97, 0.97], difference=[0.97 - 0.9545] * 2) == [
        "Table 3: difference: 0.015499999999999958"
    ]


def test_numbers_in_sentences_are_compared_as_printed():
    assert untraced(verdict=["45.3 % against 99.57 %"]) == []
    assert untraced(verdict=["45.4 % on CK+, section 4.3"]) == ["Table 3: verdict: 45.4 %"]
    assert untraced(verdict=["0.45 of the images, 0.44 of the rest"]) == ["Table 3: verdict: 0.44"]


def test_tables_that_describe_are_not_traced():
    html = table_html(pd.DataFrame({"seconds": [1.5]}), "Times", results=False)
    assert report.untraced_numbers(html, RESULTS, CLAIMS) == []


def test_command_line_renders_and_prints_the_page(tmp_path, capsys):
    folder = write_run(tmp_path / "cpu")
    report.main(["render", str(folder)])
    assert capsys.readouterr().out.strip() == str(tmp_path / "cpu" / "alam_2022.html")


def test_the_readme_shows_what_the_committed_results_say():
    shown = (
        (paths.PROJECT / "README.md")
        .read_text()
        .partition(report.README_MARKS[0])[2]
        .partition(report.README_MARKS[1])[0]
    )
    assert shown.strip() == report.results_table(paths.reports_dir() / "cpu").strip()


def test_what_the_readme_says_of_random_splits_is_what_the_run_measured():
    rows = pd.read_csv(paths.reports_dir() / "cpu" / "04_alam_2022" / "results.csv").query("dataset == 'ckplus'")
    told = (
        (paths.PROJECT / "README.md").read_text().partition("**What a random split is worth.**")[2].partition("\n\n")[0]
    )
    numbers = iter(re.findall(r"[\d.]+(?= %)", told))
    value = rows.set_index(["metric", "model", "split"])["value"]
    expected = [("share_sequence_in_train", np.nan, "random")]
    expected += [
        ("accuracy", model, split)
        for model in ("standard CNN", "B0, two phases")
        for split in ("random", "sequence", "subject")
    ]
    for key in expected:
        number = next(numbers)
        measured = (
            value[key]
            if isinstance(key[1], str)
            else rows.query("metric == @key[0] and split == @key[2]")["value"].item()
        )
        assert number == f"{100 * measured:.{len(number.partition('.')[2])}f}", key
    assert not list(numbers)


def test_what_the_readme_says_of_speed_is_what_the_run_measured():
    value = pd.read_csv(paths.reports_dir() / "cpu" / "06_speed" / "results.csv").set_index(["metric", "model"])[
        "value"
    ]
    told = (paths.PROJECT / "README.md").read_text()
    told = told[told.index("**Where the time goes**") : told.index("**Know your copy of FER-2013.**")]
    training = [
        value["ratio", f"training as {notebook}"] for notebook in ("01_huang_2024", "02_jiang_2025", "04_alam_2022")
    ]
    expected = [
        (r"body once and a\s+head on them: ([\d.]+) times", value["ratio", "frozen body"]),
        (
            r"accuracies ([\d.]+)\s+points",
            100 * abs(value["difference_of_accuracies", "frozen body: features once - fit through it"]),
        ),
        (r"Reading FER-2013: ([\d.]+)\s+times", value["ratio", "reading FER-2013"]),
        (r"augmentation: ([\d.]+)\s+to", min(training)),
        (r"augmentation: [\d.]+\s+to\s+([\d.]+)\s+of", max(training)),
        (r"two\s+processes: ([\d.]+)\s+times", value["ratio", "cropping on 2 processes"]),
        (r"40,000 files: ([\d.]+)\s+times", value["ratio", "memory of streaming"]),
        (r"comes at ([\d.]+)\s+of", value["ratio", "streaming"]),
        (r"so that ([\d.]+)\s+is the most", value["ratio_within_reach", "streaming"]),
        (r"OpenCV takes ([\d.]+)\s+µs to warp", value["microseconds_an_image", "parts of streaming: warp"]),
        (r"image\s+and ([\d.]+)\s+µs\s+to\s+decode", value["microseconds_an_image", "parts of streaming: decode"]),
        (r"LiteRT answers ([\d.]+)\s+times", value["ratio", "inference, 1 at once: LiteRT"]),
        (r"and ONNX ([\d.]+)\s+times", value["ratio", "inference, 1 at once: ONNX"]),
        (r"256 at once\s+([\d.]+)\s+and", value["ratio", "inference, 256 at once: LiteRT"]),
        (r"256 at once\s+[\d.]+\s+and\s+([\d.]+)\s+times", value["ratio", "inference, 256 at once: ONNX"]),
    ]
    for pattern, measured in expected:
        number = re.search(pattern, told)[1]
        assert number == f"{measured:.{len(number.partition('.')[2])}f}", pattern


def test_the_table_of_results_rounds_the_rows_of_results_csv(tmp_path):
    write_run(
        tmp_path / "cpu",
        rows=(
            results_row(init="scratch", image_size=48),
            results_row(init="scratch", image_size=48, split="test fold 0"),
        ),
        verdict="not testable here",
    )
    table = report.results_table(tmp_path / "cpu")
    assert (
        "| `alam_2022` | EfficientNetB0, scratch, 48 px, seed 1 | ckplus, test | clean | 45.3 % [41.0 %, 49.7 %] | 510 |"
        in table
    )
    assert "fold" not in table
    assert "- `alam_2022`: not testable here" in table


def test_what_a_run_sets_otherwise_is_a_numbered_table_of_deviations(soup):
    table = next(table for table in soup.find_all("table") if "Deviations of this run" in table.caption.get_text())
    assert [cell.get_text(strip=True) for cell in table.tbody.tr.find_all(["th", "td"])] == [
        "1",
        "epochs",
        "3",
        "1",
        "epochs of training",
    ]


def test_a_value_that_the_run_repeats_is_no_deviation():
    cells = [
        ("a = 1  # first\nb = 2  # second", "parameters"),
        ('a = 1\nb = "x # y"\nrun_dir = "reports/cpu/run"', "injected-parameters"),
    ]
    notebook = new_notebook(cells=[new_code_cell(source, metadata={"tags": [tag]}) for source, tag in cells])
    table = report.changed_parameters(notebook)
    assert "x # y" in table
    assert "first" not in table
    assert "run_dir" not in table
