"""The site as a reader has it: accessible, sortable, traceable, whole; index and pages are built from hand-made runs and opened in Chromium."""

import gzip
import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fer_helpers import paths
from fer_helpers.figures import table_html
from fer_helpers.study import claims, report
from fer_helpers.study.runs import COLUMNS

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
LARGEST_PAGE = 3_000_000  # bytes
CHECKED = report.checked  # which a fixture replaces
CLAIM, VALUE = "singh_2022.table2.moeffnet", 0.4532101234567891
ABOUT_TABLE2 = {
    "dataset": "fer2013",
    "split": "test",
    "model": "B0, frozen",
    "init": "scratch",
    "metric": "accuracy",
    "n": 3589,
    "seed": 0,
    "image_size": 48,
}
PHOTOGRAPHS = {
    "dataset": "fer2013",
    "source": "real photographs",
    "found_as": "fer2013.zip",
    "images": 35887,
    "skipped": 0,
    "table_hash": "0123456789abcdef",
    "notes": [],
}
DRAWN = PHOTOGRAPHS | {"source": "generated faces"}


def row(**columns) -> dict:
    """A row of results.csv on table 2 of singh_2022."""
    return dict.fromkeys(COLUMNS, "") | {"paper": "singh_2022", "notebook": "03_singh_2022"} | ABOUT_TABLE2 | columns


RESULTS = [
    row(
        metric="images",
        value=3589,
        n="",
        model="",
        init="",
        seed="",
        image_size="",
        claim="singh_2022.sec4.1.images.test",
    ),
    row(protocol="paper", value=VALUE, ci_low=0.437, ci_high=0.4695, claim=CLAIM),
    row(protocol="clean", value=0.4421, ci_low=0.426, ci_high=0.4584),
    row(protocol="clean", metric="recall", expression="happy", value=0.81, n=879),
    row(protocol="clean", metric="recall", expression="sad", value=0.31, n=594),
    row(metric="optimism_of_copies", value=0.011, n=""),
]


def notebook() -> nbformat.NotebookNode:
    """A small executed notebook: prose, parameters, a figure, a table of results, a log."""
    figure = Figure(figsize=(4, 2))
    figure.subplots().plot([1, 2, 4])
    metadata = {"image/png": {"alt": "A rising curve", "caption": "Loss *rises*."}}
    png = new_output("display_data", {"image/png": _base64_png(figure), "text/plain": "<Figure>"}, metadata=metadata)
    table = table_html(pd.DataFrame({"model": ["B0"], "accuracy": [VALUE]}), "Table 2: accuracy.", ".1%")
    cells = [
        new_markdown_cell("# Singh et al. 2022\n\n**The claim.** One of $2^3$."),
        new_code_cell("epochs = 3  # epochs of training", metadata={"tags": ["parameters"]}),
        new_code_cell("epochs = 1", metadata={"tags": ["injected-parameters"]}),
        new_markdown_cell("## Table 2\n\n### Training"),
        new_code_cell(
            "fit()",
            outputs=[
                new_output("stream", name="stderr", text="\n".join(f"Epoch {line} " + "=" * 200 for line in range(300)))
            ],
        ),
        new_code_cell("show()", outputs=[png]),
        new_code_cell(
            "show_table()", outputs=[new_output("display_data", {"text/html": table, "text/plain": "table"})]
        ),
    ]
    return new_notebook(cells=cells)


def _base64_png(figure: Figure) -> str:
    from base64 import b64encode
    from io import BytesIO

    target = BytesIO()
    figure.savefig(target, format="png")
    return b64encode(target.getvalue()).decode()


def stopped_notebook() -> nbformat.NotebookNode:
    """A notebook that stopped in its only code cell."""
    error = new_output(
        "error", ename="ValueError", evalue="no faces", traceback=["\x1b[31mTraceback\x1b[0m", "ValueError: no faces"]
    )
    return new_notebook(
        cells=[new_markdown_cell("# Huang 2024"), new_code_cell("raise ValueError('no faces')", outputs=[error])]
    )


def write_run(folder: Path, executed: nbformat.NotebookNode, rows: list[dict], **about) -> Path:
    """A run's folder as notebook and study leave it."""
    folder.mkdir(parents=True)
    content = {
        "run": folder.name,
        "profile": folder.parent.name,
        "notebook": "03_singh_2022",
        "paper": "singh_2022",
        "status": "finished",
    }
    content |= {
        "started": "2026-11-20T14:05:00+00:00",
        "ended": "2026-11-20T14:17:18+00:00",
        "seconds": 738,
        "init": "scratch",
        "seeds": [0],
    }
    content |= {
        "parameters": {"epochs": 1, "seeds": [0]},
        "data": [PHOTOGRAPHS],
        "backend": "tensorflow",
        "device": "a processor, 2 cores",
    }
    content |= {
        "versions": {"python": "3.11.7", "keras": "3.15.1"},
        "commit": "89abcdef0123",
        "verdict": "not testable here: other weights.",
    } | about
    if rows:
        file = folder / "results.csv"
        pd.DataFrame(rows, columns=list(COLUMNS)).assign(run=folder.name).to_csv(file, index=False)
        content["files"] = {"results.csv": paths.file_sha256(file)}
    (folder / "run.json").write_text(json.dumps(content))
    (folder / "executed.ipynb.gz").write_bytes(gzip.compress(nbformat.writes(executed).encode()))
    return folder


def no_checks() -> pd.DataFrame:
    """What the consistency checks could have found: nothing but that one claim is impossible."""
    found = claims.load()[["claim"]].assign(
        check="said_again", printed="", n=pd.NA, attainable="unknown", nearest="", note="Nobody looked."
    )
    found.loc[found["claim"] == "alam_2022.abstract.accuracy.ckplus", ["attainable", "note"]] = (
        "no",
        "No whole number of 132 images.",
    )
    return found.astype({"n": "Int64"})


@pytest.fixture(scope="module")
def without_checks():
    """The checks themselves take half a minute, and no test here is about them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "checked", lambda _: no_checks())
        yield


@pytest.fixture(scope="module")
def site(tmp_path_factory, without_checks) -> Path:
    """The reports of three runs, one finished, one failed, one on generated faces, with their pages and the index."""
    project = tmp_path_factory.mktemp("project")
    reports = project / "reports"
    runs = [
        write_run(reports / "cpu" / "03_singh_2022", notebook(), RESULTS),
        write_run(
            reports / "cpu" / "01_huang_2024",
            stopped_notebook(),
            [],
            status="failed",
            error="No face was found.",
            paper="huang_2024",
            verdict="",
        ),
        write_run(reports / "smoke" / "03_singh_2022", notebook(), RESULTS, data=[DRAWN]),
    ]
    for run in runs:
        report.render(run)
    for profile in ("cpu", "smoke"):
        report.collect(reports / profile)
    (project / "notebooks").mkdir()
    for file in (paths.notebooks_dir() / "03_singh_2022.ipynb", paths.PROJECT / "data" / "claims.csv"):
        (project / file.parent.name).mkdir(exist_ok=True)
        shutil.copy(file, project / file.parent.name)
    report.write_index(reports)
    return reports


PAGES = ("index.html", "cpu/03_singh_2022.html", "cpu/01_huang_2024.html", "smoke/03_singh_2022.html")


def parsed(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


# -------------------------------------------------------------------------------------------------------- accessibility


@pytest.mark.slow
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(site, open_page, scheme, viewport):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for name in PAGES:
        page = open_page(site / name, viewport=viewport, scheme=scheme)
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        found = axe.run(page).response["violations"]
        serious = [
            (rule["id"], [node["html"][:120] for node in rule["nodes"][:3]])
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], name


def test_no_page_is_wider_than_a_phone(site, open_page):
    for name in PAGES:
        page = open_page(site / name, viewport=PHONE)
        page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"], name


def test_every_page_is_small_and_asks_for_nothing(site):
    for name in PAGES:
        assert (site / name).stat().st_size < LARGEST_PAGE
        assert (
            parsed(site / name).select("link[href^=http], script[src], iframe, img:not([src^='data:']), img:not([alt])")
            == []
        )


# ----------------------------------------------------------------------------------------------------- table of claims


def first_values(page, place: int) -> list[str]:
    """What stands in a column of the claims that are shown, as it is sorted."""
    return page.eval_on_selector_all(
        "#claims-table tbody tr:not([hidden])",
        "(rows, place) => rows.map(row => row.cells[place].dataset.value ?? row.cells[place].textContent.trim())",
        place,
    )


def test_claims_are_sorted_by_a_click_and_back_by_the_keyboard(site, open_page):
    page = open_page(site / "index.html")
    before = first_values(page, 2)
    heading = page.locator("#claims-table th", has_text="Printed")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(value) for value in first_values(page, 2)] == sorted(map(float, before))
    heading.get_by_role("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [float(value) for value in first_values(page, 2)] == sorted(map(float, before), reverse=True)
    assert page.locator("#claims-table [aria-sort]").count() == 1


def test_claims_without_a_number_of_ours_come_last_either_way(site, open_page):
    page = open_page(site / "index.html")
    button = page.locator("#claims-table th", has_text="Ours, the paper's way").get_by_role("button")
    for _ in range(2):
        button.click()
        values = first_values(page, 4)
        ours = [value for value in values if value]
        assert set(ours) == {str(VALUE), "3589.0"}
        assert values == ours + [""] * (len(values) - len(ours))


def test_claims_are_filtered_by_paper_verdict_and_words(site, open_page):
    page = open_page(site / "index.html")
    form, printed = page.get_by_role("search", name="Printed numbers"), claims.load()
    assert form.get_by_role("status").inner_text() == f"{len(printed)} of {len(printed)} printed numbers"
    form.get_by_label("Paper").select_option("alam_2022")
    assert len(first_values(page, 0)) == (printed["paper"] == "alam_2022").sum()
    form.get_by_label("Verdict").select_option("impossible as printed")
    assert first_values(page, 0) == ["alam_2022.abstract.accuracy.ckplus"]
    form.get_by_label("Verdict").select_option("")
    form.get_by_label("Search").fill("JAFFE abstract")
    assert "alam_2022.abstract.accuracy.jaffe" in first_values(page, 0)
    assert all("alam_2022" in claim for claim in first_values(page, 0))
    form.get_by_label("Search").press("Enter")
    assert page.url.endswith("index.html")


def test_a_link_to_a_claim_shows_it_though_it_was_filtered_out(site, open_page):
    page = open_page(site / "index.html")
    page.get_by_role("search", name="Printed numbers").get_by_label("Search").fill("huang")
    page.locator(f".card a[href='#{CLAIM}']").click()
    page.wait_for_function("id => !document.getElementById(id).hidden", arg=CLAIM)


def test_the_keyboard_reaches_headings_filter_and_the_scrolling_tables(site, open_page):
    page = open_page(site / "index.html", viewport=PHONE)
    page.get_by_label("Verdict").focus()
    names = []
    for _ in range(4):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "document.activeElement.getAttribute('aria-label') ?? document.activeElement.name ?? document.activeElement.textContent"
            )
        )
    assert names[:2] == ["possible", "Table of all printed numbers"]
    assert page.evaluate("document.activeElement.closest('th')?.textContent").startswith("What it is")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_claim_is_listed_with_a_verdict_and_why():
    listed = report.claim_rows(claims.load(), report.results_of([]), no_checks(), [])
    assert [entry["claim"] for entry in listed] == claims.load()["claim"].tolist()
    assert all(entry["verdict"] and entry["reason"] for entry in listed)


def test_index_shows_every_claim_and_every_result(site):
    index = parsed(site / "index.html")
    assert [entry["id"] for entry in index.select("#claims-table tbody tr")] == claims.load()["claim"].tolist()
    others = [
        [cell.get_text(strip=True) for cell in entry.find_all(["th", "td"])]
        for entry in index.select("#others-table tbody tr")
    ]
    assert [entry[:3] for entry in others] == [
        ["accuracy", "0.4421", "1"],
        ["recall", "0.31 to 0.81", "2"],
        ["optimism_of_copies", "0.011", "1"],
    ]
    assert {entry[-1] for entry in others} == {"cpu/03_singh_2022"}


# ---------------------------------------------------------------------------------------------------------------- cards


def test_each_paper_has_a_card_with_its_headline_claim_ours_and_the_verdict(site):
    cards = parsed(site / "index.html").select(".card")
    assert [card.h3.get_text() for card in cards] == [paper.authors for paper in report.PAPERS.values()]
    singh = cards[2].get_text(" ", strip=True)
    for expected in (
        "71.02",
        "45.32",
        "[43.70, 46.95]",
        "44.21",
        "n = 3,589",
        "seed 0",
        "scratch",
        "Context only",
        "initial weights scratch, not imagenet",
    ):
        assert expected in singh
    assert "cpu/01_huang_2024 (failed)" in cards[0].get_text(" ", strip=True)


def test_headlines_that_claims_csv_does_not_have_are_named():
    printed = claims.load()
    assert set(report.headlines(printed)) == set(printed["paper"])
    with pytest.raises(KeyError, match="singh_2022.table2.moeffnet"):
        report.headlines(printed[printed["claim"] != CLAIM])


def test_numbers_are_shown_as_printed_and_shares_in_percent():
    assert report.shown(0.9957, "share", 4) == "99.57\u202f%"
    assert report.shown(0.7, "share", 1) == "70\u202f%"
    assert report.shown(35887, "images", 0) == "35,887"
    assert report.shown(-10, "degrees", 0) == "\u221210"


# ----------------------------------------------------------------------------------------------------------- provenance


def test_a_number_of_the_index_is_two_clicks_from_its_row_and_its_run(site):
    link = parsed(site / "index.html").select_one(f"tr[id='{CLAIM}'] td.ours a")
    assert float(link.data["value"]) == VALUE
    file, _, fragment = link["href"].partition("#")
    run = parsed(site / file)
    assert str(VALUE) in run.find(id=fragment).get_text()
    line = int(fragment.removeprefix("row-"))
    assert str(VALUE) in (site / "cpu" / "03_singh_2022" / "results.csv").read_text().splitlines()[line - 1]
    assert {a["href"] for a in run.select("table.rows > caption a")} == {
        "03_singh_2022/results.csv",
        "03_singh_2022/run.json",
    }


def test_every_table_of_results_leads_to_where_its_numbers_come_from(site):
    run = parsed(site / "cpu" / "03_singh_2022.html")
    assert [link["href"] for link in run.select("table.results > caption a")] == ["#provenance"]
    section = run.find(id="provenance").parent
    text = section.get_text(" ", strip=True)
    for fact in (
        "03_singh_2022.ipynb",
        "0123456789abcdef",
        "89abcdef0123",
        "epochs",
        "keras 3.15.1",
        "photographs",
        "a processor, 2 cores",
        "fer2013.zip",
    ):
        assert fact in text
    assert {link["href"] for link in section.select("table a[href^='03_singh_2022/']")} >= {
        "03_singh_2022/results.csv",
        "03_singh_2022/run.json",
    }
    assert paths.file_sha256(site / "cpu" / "03_singh_2022" / "results.csv") in text


def test_a_link_to_a_row_unfolds_the_table_and_shows_the_row(site, open_page):
    page = open_page(site / "cpu" / "03_singh_2022.html")
    page.evaluate("location.hash = 'row-3'")
    page.wait_for_function("document.getElementById('rows').open")
    box = page.locator("[id='row-3']").bounding_box()
    assert (
        page.evaluate(
            "([x, y]) => document.elementFromPoint(x, y)?.closest('tr')?.id",
            [box["x"] + 5, box["y"] + box["height"] / 2],
        )
        == "row-3"
    )


def test_a_page_says_which_rows_it_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "ROWS_SHOWN", 2)
    run = parsed(report.render(write_run(tmp_path / "cpu" / "03_singh_2022", notebook(), RESULTS)))
    assert len(run.select("table.rows tbody tr")) == 2
    assert "The first 2 are shown; the others are in results.csv." in run.find(id="rows").get_text()


def test_bar_names_paper_profile_data_weights_and_verdict_and_stays_in_sight(site, open_page):
    bar = parsed(site / "cpu" / "03_singh_2022.html").select_one(".bar").get_text(" ", strip=True)
    for fact in (
        "Paper Singh 2022",
        "Profile cpu",
        "Data fer2013 (real photographs)",
        "Init scratch",
        "Verdict not testable here",
        "Provenance",
    ):
        assert fact in bar
    links = [link["href"] for link in parsed(site / "cpu" / "03_singh_2022.html").select(".bar ul a")]
    assert links == ["#provenance", "03_singh_2022/results.csv", "03_singh_2022/run.json"]
    assert "Verdict failed" in parsed(site / "cpu" / "01_huang_2024.html").select_one(".bar").get_text(" ", strip=True)
    page = open_page(site / "smoke" / "03_singh_2022.html", viewport=DESK)
    page.evaluate("scrollTo(0, 1000)")
    banner, bar = (page.locator(selector).bounding_box() for selector in (".banner.generated", ".bar"))
    assert banner["y"] == 0
    assert 0 <= banner["y"] + banner["height"] - bar["y"] < 3


def test_every_link_to_a_file_or_a_place_leads_somewhere(site):
    ids = {name: {element["id"] for element in parsed(site / name).select("[id]")} for name in PAGES}
    for name in PAGES:
        for link in parsed(site / name).select("a[href]"):
            target, _, fragment = link["href"].partition("#")
            if target.startswith("http"):
                continue
            file = (site / name).parent / unquote(target) if target else site / name
            assert file.exists(), f"{name}: {link['href']}"
            page = file.resolve().relative_to(site.resolve()).as_posix() if fragment else ""
            assert not fragment or unquote(fragment) in ids[page], f"{name}: {link['href']}"


# ----------------------------------------------------------------------------------------------------------- few or none


def test_index_of_nothing_still_lists_every_claim(tmp_path, without_checks):
    index = parsed(report.write_index(tmp_path / "reports"))
    assert len(index.select("#claims-table tbody tr")) == len(claims.load())
    assert index.select_one("#others-table") is None


def test_generated_faces_give_no_number_and_no_verdict(tmp_path, without_checks):
    write_run(tmp_path / "smoke" / "03_singh_2022", notebook(), RESULTS, data=[DRAWN])
    index = parsed(report.write_index(tmp_path))
    assert index.select("#claims-table td.ours a, .card dd a") == []
    assert index.select_one("#others-table") is None
    assert "reproduced" not in {entry["data-verdict"] for entry in index.select("#claims-table tbody tr")}
    assert "Number produced, not a result" in index.find(id="generated").parent.get_text()


def test_what_the_scoreboard_repeats_is_no_result_of_its_own(tmp_path):
    write_run(tmp_path / "cpu" / "03_singh_2022", notebook(), [row(protocol="paper", value=VALUE, claim=CLAIM)])
    of_scoreboard = [
        row(notebook="05_scoreboard", metric=metric, value=VALUE)
        for metric in ("ours: accuracy: 03_singh_2022", "smallest difference")
    ]
    write_run(tmp_path / "cpu" / "05_scoreboard", notebook(), of_scoreboard)
    assert set(report.results_of(report.read_runs(tmp_path / "cpu"))["metric"]) == {"accuracy", "smallest difference"}


def test_checks_are_computed_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(report.consistency, "check", lambda printed: calls.append(len(printed)) or no_checks())
    printed = claims.load()
    first, second = CHECKED(printed), CHECKED(printed)
    pd.testing.assert_frame_equal(first, second)
    assert calls == [len(printed)]
    CHECKED(printed.head(10))
    assert calls == [len(printed), 10]


# ---------------------------------------------------------------------------------------------------------------- paper


def test_printed_pages_have_no_controls_and_show_tables_whole(site, open_page):
    page = open_page(site / "index.html")
    page.emulate_media(media="print")
    assert not page.get_by_role("search", name="Printed numbers").is_visible()
    assert (
        page.locator("#claims-table").evaluate("table => getComputedStyle(table.parentElement).overflow") == "visible"
    )
    page = open_page(site / "smoke" / "03_singh_2022.html")
    page.emulate_media(media="print")
    assert page.locator(".banner.generated").is_visible()
    assert page.locator(".bar").evaluate("bar => getComputedStyle(bar).position") == "static"
    assert page.locator("#provenance").is_visible()
