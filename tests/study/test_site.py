"""The site as a reader has it: what was found comes first, accessible, sortable, traceable; opened in Chromium."""

import re
import shutil
from functools import cache
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from fer_helpers import paths
from fer_helpers.study import claims, index, report, runs, templates
from fer_helpers.study.claims import verdicts

PHONE, DESK, WIDE = ({"width": width, "height": 800} for width in (360, 1280, 1600))
CLAIM, VALUE = "singh_2022.table2.moeffnet", 0.4532101234567891
TABLE2 = {"dataset": "fer2013", "split": "test", "model": "B0, frozen", "init": "scratch", "metric": "accuracy"}
TABLE2 |= {"n": 3589, "seed": 0, "image_size": 48, "epochs": 30, "paper": "singh_2022", "protocol": "clean"}
CKPLUS = TABLE2 | {"dataset": "ckplus", "n": 981, "paper": "alam_2022", "model": "Lite0", "init": "imagenet"}
CKPLUS |= {"split": "random less subject"}
RESULTS = [
    TABLE2 | {"protocol": "paper", "value": VALUE, "ci_low": 0.437, "ci_high": 0.4695, "claim": CLAIM},
    TABLE2 | {"value": 0.4421, "ci_low": 0.426, "ci_high": 0.4584},
    TABLE2 | {"metric": "recall", "expression": "happy", "value": 0.81, "n": 879},
    TABLE2 | {"metric": "recall", "expression": "sad", "value": 0.31, "n": 594},
    TABLE2 | {"metric": "duplicate_of_train", "value": 288.0, "model": ""},
    CKPLUS | {"metric": "optimism_of_random_split", "value": 0.15, "ci_low": 0.11, "ci_high": 0.19},
    TABLE2 | {"split": "test without copies", "value": 0.4021, "ci_low": 0.386, "ci_high": 0.4184, "n": 3301},
]
RUN_PAGES = ("cpu/01_huang_2024.html", "cpu/03_singh_2022.html", "smoke/03_singh_2022.html")
PAGES = ("index.html", "smoke/index.html", *RUN_PAGES)
REASON = "No whole number of 132 images <gives> it."


def judged() -> pd.DataFrame:
    """What a scoreboard could have written: one number not reproduced, one impossible, the others not tested."""
    found = claims.load().rename(columns={"value": "printed"}).set_index("claim", drop=False)
    found = found.reindex(columns=list(verdicts.COLUMNS)).assign(word="not tested", reason="Data under agreement.")
    found = found.astype({"run": object, "ours_model": object, "init": object, "compared_with": object})
    found.loc["alam_2022.abstract.accuracy.ckplus", ["word", "reason"]] = "impossible", REASON
    beside = {"images_apart": 42, "compared_with": "Pat-ResNet", "smallest": 0.02, "printed_low": 0.695, "floor": 0.245}
    ours = {"word": "not reproduced", "ours": VALUE, "ours_low": 0.437, "ours_high": 0.4695, "run": "cpu/03_singh_2022"}
    ours |= {"ours_model": "B0, frozen", "init": "scratch", "seeds": 1, "printed_high": 0.725} | beside
    found.loc[CLAIM, list(ours)] = list(ours.values())
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory, write_run) -> Path:
    """Two profiles: a finished run, a failed one and the scoreboard on photographs; a run on generated faces."""
    project = tmp_path_factory.mktemp("project")
    reports = project / "reports"
    write_run(reports / "cpu" / "03_singh_2022", RESULTS)
    write_run(reports / "cpu" / "01_huang_2024", status="failed", error="No face was found.", paper="huang_2024")
    scoreboard = write_run(reports / "cpu" / "05_scoreboard", [{"value": VALUE}], notebook="05_scoreboard", data=[])
    drawn = {"dataset": "fer2013", "source": "generated faces", "images": 70, "table_hash": "0123"}
    smoke = write_run(reports / "smoke" / "03_singh_2022", RESULTS, data=[drawn])
    for judging in (scoreboard, smoke):
        judged().to_csv(judging / "verdicts.csv", index=False)
        report.render(profile := judging.parent)
        runs.write_csv(runs.joined_results(profile), profile / "results.csv")
    shutil.copytree(paths.PROJECT / "data", project / "data", ignore=shutil.ignore_patterns("raw", "cache"))
    shutil.copytree(paths.notebooks_dir(), project / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "PROJECT", project)
        index.write_index(["cpu", "smoke"], reports)
        index.write_index(["smoke"], reports, "smoke")
    return reports


@cache
def parsed(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def unfolded(page):
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    return page


@pytest.mark.slow
@pytest.mark.parametrize(("viewport", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_axe_finds_nothing_serious(site, open_page, scheme, viewport):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    committed = sorted((paths.reports_dir() / "cpu").glob("0[257]_*.html"))
    for file in [*(site / name for name in PAGES), *(committed if scheme == "light" else ())]:
        found = axe.run(unfolded(open_page(file, viewport=viewport, scheme=scheme))).response["violations"]
        serious = [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")]
        assert serious == [], (file, [rule["nodes"][0]["html"][:200] for rule in found])


def test_no_page_scrolls_sideways_its_tables_do_and_by_keyboard_and_nothing_leaves_its_box(site, open_page):
    outside = """all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth
        && getComputedStyle(one).overflowX === 'visible' && getComputedStyle(one).display !== 'inline').length"""
    for name in PAGES:
        assert not parsed(site / name).select("[style], img:not([alt])")
        for viewport in (PHONE, WIDE):
            page = unfolded(open_page(site / name, viewport=viewport))
            assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"], name
            assert page.eval_on_selector_all(".code.wrapped, .code.wrapped *", outside) == 0
            scrolling = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0).length"
            assert page.eval_on_selector_all(".scroll, .text, .code", scrolling) == 0, name


def test_the_front_page_begins_with_what_was_found_each_with_number_and_interval_and_a_figure_on_one_scale(site):
    page = parsed(site / "index.html")
    assert float(page.select_one("circle.ours:not([cy='14'])")["cx"]) == pytest.approx(8 + 384 * VALUE, abs=0.1)
    assert "printed 71.02\u202f%, ours 45.32\u202f% [43.70, 46.95]" in page.select_one("svg.findings").get_text()
    found = " ".join(item.get_text() for item in page.select(".found li"))
    note = page.select_one(".found + .note").get_text(" ")
    assert "What the words mean : the rule, at the top of the scoreboard." in note
    statements = judged().drop_duplicates("statement")
    results, network = (statements["kind"] == "result").sum(), "FER-2013, test, B0, frozen, scratch, 48 px, seed 0)"
    told = [
        "C. Huang 2024: accuracy, happy, printed 90 %, FER-2013, val+test, B7: not tested.",
        "H. Jiang 2025: accuracy, printed 70 %, AffectNet, train, B4: not tested.",
        "R. Singh et al. 2022: accuracy, printed 71.02 %, FER-2013, test, B0, ours 45.32 % [43.70, 46.95]",
        "(B0, frozen, 48 px, n = 3,589, 1 seed, 30 epochs): not reproduced (data under agreement).",
        "I. N. Alam et al. 2022: accuracy, printed 99.57 %, CK+, test, B0:",
        "impossible (no whole number of 132 images <gives> it).",
        f"Of {results} results, 0 reproduced, 1 not reproduced, 1 impossible, {results - 2} not tested.",
        f"1 of all {len(statements)} printed statements can't be true as they stand (1 by arithmetic, 0 against what",
        "was published), and 0 more can't be true together.",
        "A random split of CK+ flatters the accuracy by 15.0 points [11.0, 19.0] beside one that keeps each person",
        "on one side, on the same 981 images (interval over people; Lite0, ImageNet, seed 0).",
        "Printed 71.02 %, ours 45.32 % [43.70, 46.95], the widest gap measured (R. Singh et al. 2022, table 2;",
        f"abstract; n = 3,589, {network}: not reproduced;",
        "at best ours has 44.2 % [42.6, 45.8] (B0, frozen, scratch, 48 px, n = 3,589, 1 seed).",
        "288 of the 3,589 test images of FER-2013 (8.0 %) have an exact copy among those that train.",
        f"The best network trained here on FER-2013 reaches 44.2 % [42.6, 45.8] (n = 3,589, {network},",
        "the highest of 1 clean accuracies of ours on these images; 40.2 % [38.6, 41.8] without the copies.",
    ]
    assert found.replace("\u202f", " ").split() == " ".join(told).split()


def test_what_a_split_is_worth_to_a_network_from_random_weights_is_no_finding(site):
    results = index.results_of(runs.read_profile(site / "cpu"))
    found = [index.findings([], results.assign(init=init))["split"] for init in ("imagenet", "scratch")]
    assert [row.get("n") for row in found] == [981, None]


def test_the_readme_says_the_same_and_its_figure_stands_alone(site, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", site.parent)
    (site.parent / "README.md").write_text(f"before\n{index.README_MARKS[0]}\nold\n{index.README_MARKS[1]}\nafter\n")
    readme, figure = index.write_readme(["cpu", "smoke"])
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "- **A random split of CK+ flatters the accuracy by 15.0 points** [11.0, 19.0] beside" in text
    ours = "45.32\u202f% [43.70, 46.95], B0, frozen, 48 px, n = 3,589, 1 seed, 30 epochs | not reproduced: data under"
    row = f"| R. Singh et al. 2022 | accuracy, FER-2013, test, B0 | 71.02\u202f% | {ours} agreement |"
    assert f"{row} 6 not tested, 1 not reproduced |" in text
    assert ">B0, frozen, 48 px, n = 3,589, 1 seed, 30 epochs</text>" in figure.read_text()
    assert ElementTree.parse(figure).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_committed_front_page_and_readme_are_what_the_code_makes_of_the_committed_runs():
    profiles = re.search(r"^PROFILES \?= (.+)", (paths.PROJECT / "Makefile").read_text(), re.MULTILINE)[1].split()
    found, env = index.content(profiles, paths.reports_dir()), templates.environment()
    section, readme = env.get_template("readme.md.j2").render(**found), (paths.PROJECT / "README.md").read_text()
    assert index.unescape(section) in readme, "make index"
    page = env.get_template("index.html.j2").render(**found, above="")
    assert page == (paths.reports_dir() / "index.html").read_text(), "make index"


def test_each_paper_has_a_card_with_a_word_and_its_rows_and_every_claim_result_and_run_is_listed(site):
    page = parsed(site / "index.html")
    cards = {card.h3.get_text(" ", strip=True): card.get_text(" ", strip=True) for card in page.select(".card")}
    words = [card.partition("most often ")[2].partition(" No run")[0].partition(" Pages")[0] for card in cards.values()]
    assert list(cards) == ["C. Huang 2024", "H. Jiang 2025", "R. Singh et al. 2022", "I. N. Alam et al. 2022"]
    assert words == ["", "", "not reproduced", "impossible"]
    huang, _, singh, alam = cards.values()
    for expected in ("71.02", "45.32", "[43.70, 46.95]", "n = 3,589", "seed 0", "scratch", "not reproduced"):
        assert expected in singh
    assert REASON in alam and "cpu/01_huang_2024 (failed)" in huang
    assert [row["id"] for row in page.select("#claims-table tbody tr")] == claims.load()["claim"].tolist()
    others = [row.get_text(" ", strip=True) for row in page.select("#others-table tbody tr")]
    assert sum(row.startswith("recall 0.31 to 0.81 2 ") for row in others) == 1 and len(others) == 5
    listed = [row.get_text(" ", strip=True) for row in page.find(id="real").parent.select("tbody tr")]
    assert [row.partition(" ")[0] for row in listed] == ["01_huang_2024", "03_singh_2022", "05_scoreboard"]
    assert "failed No face was found." in listed[0]
    assert "finished Singh 2022 see its paper fer2013, 0123456789abcdef scratch 89abcdef" in listed[1]


def test_generated_faces_give_no_number_and_no_verdict(site):
    page = parsed(site / "smoke" / "index.html")
    assert page.select_one(".banner.generated")
    assert not page.select("#claims-table, #others-table, .card, .found")
    assert "These are not results." in page.find(id="generated").parent.get_text()
    rows = parsed(site / "index.html").find(id="generated").parent.select("tbody tr")
    assert [row.th.get_text(strip=True) for row in rows] == ["03_singh_2022"]


def first_values(page, place: int) -> list[str]:
    """What stands in a column of the claims that are shown, as it is sorted."""
    read = "(rows, place) => rows.map(row => row.cells[place].dataset.value ?? row.cells[place].textContent.trim())"
    return page.eval_on_selector_all("#claims-table tbody tr:not([hidden])", read, place)


def test_claims_are_sorted_by_a_click_and_filtered_and_a_link_shows_one_that_was_filtered_out(site, open_page):
    page, printed = open_page(site / "index.html"), claims.load()
    for place, column, values in ((3, "Printed", sorted(map(str, printed["value"]), key=float)), (4, "Ours", [VALUE])):
        for press in ("Enter", "Space"):
            page.locator("#claims-table th", has_text=column).get_by_role("button").press(press)
            last = [""] * (len(printed) - len(values))
            assert first_values(page, place) == [*map(str, values[:: 1 if press == "Enter" else -1]), *last]
    form = page.get_by_role("search", name="Printed numbers")
    assert form.get_by_role("status").inner_text() == f"{len(printed)} of {len(printed)} printed numbers"
    form.get_by_label("Paper").select_option("alam_2022")
    assert len(first_values(page, 0)) == (printed["paper"] == "alam_2022").sum()
    form.get_by_label("Verdict").select_option("impossible")
    assert first_values(page, 0) == ["alam_2022.abstract.accuracy.ckplus"]
    page.locator(f".card a[href='#{CLAIM}']").click()
    assert page.locator(f"[id='{CLAIM}']").is_visible()
    page.emulate_media(media="print")
    assert not page.get_by_role("search", name="Printed numbers").is_visible()
    of_box = page.locator("#claims-table").evaluate("table => getComputedStyle(table.parentElement).overflow")
    assert of_box == "visible", "printed whole"


def test_a_number_of_the_index_leads_to_its_row_which_leads_to_its_file(site, open_page):
    link = parsed(site / "index.html").select_one(f"tr[id='{CLAIM}'] td.ours a")
    assert float(link.data["value"]) == VALUE
    file, _, fragment = link["href"].partition("#")
    assert str(VALUE) in parsed(site / file).find(id=fragment).get_text()
    line = int(fragment.removeprefix("row-"))
    assert str(VALUE) in (site / "cpu" / "03_singh_2022" / "results.csv").read_text().splitlines()[line - 1]
    provenance = parsed(site / file).find(id="provenance").parent.get_text()
    assert paths.file_sha256(site / "cpu" / "03_singh_2022" / "results.csv") in provenance
    page = open_page(site / file)
    page.evaluate(f"location.hash = '{fragment}'")
    assert page.locator(f"[id='{fragment}']").is_visible()


def test_every_link_to_a_file_or_a_place_leads_somewhere(site):
    ids = {file: {element["id"] for element in parsed(file).select("[id]")} for file in site.rglob("*.html")}
    for name in PAGES:
        for link in parsed(site / name).select("a[href]"):
            target, _, fragment = link["href"].partition("#")
            if not target.startswith("http"):
                file = ((site / name).parent / unquote(target) if target else site / name).resolve()
                assert file.exists(), f"{name}: {link['href']}"
                assert not fragment or unquote(fragment) in ids[file], f"{name}: {link['href']}"


def test_verdicts_of_another_version_are_refused_by_name(tmp_path, write_run):
    folder = write_run(tmp_path / "cpu" / "05_scoreboard")
    without, others = judged().drop(columns="statement"), judged().assign(claim="lost")
    for table, told in ((without, "has no column statement: run"), (others, "judges what claims.csv has not, as lost")):
        table.to_csv(folder / "verdicts.csv", index=False)
        with pytest.raises(ValueError, match=rf"verdicts\.csv {told}"):
            index.write_index(["cpu"], tmp_path)


def test_index_of_nothing_says_how_to_make_a_run(tmp_path):
    assert "make study" in index.write_index(["cpu"], tmp_path).read_text()
