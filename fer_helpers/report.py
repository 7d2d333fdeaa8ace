"""Pages that open in any browser with the network off: one for each run, and an index of them all.

python -m fer_helpers.report render reports/<profile>/<run>   # executed notebook -> reports/<profile>/<run>.html
python -m fer_helpers.report collect reports/<profile>        # results.csv of every finished run -> reports/<profile>/results.csv
python -m fer_helpers.report index                            # reports/index.html
"""

import argparse
import ast
import gzip
import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
import nbformat
import numpy as np
import pandas as pd
from bs4 import BeautifulSoup, Tag
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from markupsafe import Markup, escape
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from traitlets.config import Config

from fer_helpers import paths, templates
from fer_helpers.figures import table_html
from fer_helpers.results import COLUMNS, write_csv

DOWNLOADS = ("results.csv", "predictions.csv.gz", "history.csv", "run.json")
README_MARKS = ("<!-- results -->", "<!-- /results -->")
HEADLINES = 3  # accuracies that the index shows of one run, in the order in which the run reported them
STREAM_LINES = 12  # longer output on stdout is folded
LOG_LINES = 200  # a longer log keeps this many lines, half from its start and half from its end
NOTEBOOK_FROM_PAGE = "../../notebooks"  # relative links in a notebook start there, its page lies in reports/<profile>/
PAPERMILL_MARKER = "papermill-error-cell-tag"  # the cells in which papermill announces a failure; the page has its own banner
# What stands before these folders in a path is particular to the machine that ran the notebook.
PLACE_ON_MACHINE = re.compile(r"(?:[A-Za-z]:)?[\\/][^\s'\":]*[\\/](?=(?:site-packages|fer_helpers|notebooks|reports)[\\/])")
NUMBER = re.compile(r"[+\-\u2212]?\d[\d,]*(\.\d+)?([eE][+-]?\d+)?\s*%?(\s*±\s*\d+(\.\d+)?\s*%?)?")
MISSING = ("", "–", "NaN", "None", "<NA>")
PRINTED_NUMBER = re.compile(r"(?<![\w.])(?P<percent>\d+(?:\.(?P<percent_decimals>\d+))?)\s*%|(?<![\w.])(?P<plain>\d\.(?P<plain_decimals>\d{2,}))(?![\w.])")


# ---------------------------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class RunRecord:
    """What a run left in its folder, as the pages show it.

    Attributes:
        folder: `reports/<profile>/<run>`.
        about: content of its `run.json`. A run that failed has one sentence under `error`; one that failed at once may have little else.
    """

    folder: Path
    about: dict

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.name

    @property
    def profile(self) -> str:
        """Name of the profile."""
        return self.folder.parent.name

    @property
    def page(self) -> Path:
        """Where the run's page is, whether or not it has been rendered."""
        return self.folder.with_name(f"{self.name}.html")

    @property
    def status(self) -> str:
        """`finished`, `running` or `failed`."""
        return self.about["status"]

    @property
    def error(self) -> str:
        """Why a failed run failed, in a sentence."""
        return self.about.get("error") or "it stopped before its end and left no message"

    @property
    def paper(self) -> str:
        """The paper's key as words: `huang_2024` is Huang 2024; empty for a run on no one paper."""
        return self.about.get("paper", "").replace("_", " ").title()

    @property
    def data(self) -> list[dict]:
        """The data sets that the run has read: dataset, source, images, table_hash and more."""
        return self.about.get("data", [])

    @property
    def sources(self) -> list[str]:
        """`generated faces`, `real photographs`, or both."""
        return sorted({entry["source"] for entry in self.data})

    @property
    def init(self) -> str:
        """The initial weights."""
        return _listed(self.about.get("init") or self._parameter("init", "inits"))

    @property
    def seeds(self) -> str:
        """The seed or seeds."""
        return _listed(self._parameter("seeds", "seed"))

    @property
    def date(self) -> str:
        """When the run started, in UTC."""
        if "started" not in self.about:
            return ""
        return f"{datetime.fromisoformat(self.about['started']).astimezone(UTC):%Y-%m-%d %H:%M} UTC"

    @property
    def minutes(self) -> str:
        """How long a finished run took; empty for others."""
        return f"{self.about['seconds'] / 60:.1f}" if "seconds" in self.about else ""

    @property
    def downloads(self) -> list[str]:
        """Which of `DOWNLOADS` the run has."""
        return [name for name in DOWNLOADS if (self.folder / name).exists()]

    @cached_property
    def accuracies(self) -> list[dict]:
        """Rows of `results.csv` that hold an overall accuracy under protocol `clean`, in the order in which they were reported."""
        file = self.folder / "results.csv"
        if self.status != "finished" or not file.exists():
            return []
        results = pd.read_csv(file)
        rows = results[(results["metric"] == "accuracy") & (results["protocol"] == "clean") & results["expression"].isna()]
        return rows.to_dict("records")

    def _parameter(self, *names: str) -> object:
        parameters = self.about.get("parameters", {})
        return next((parameters[name] for name in names if name in parameters), "")


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def read_runs(profile_folder: Path) -> list[RunRecord]:
    """The runs of a profile that have a `run.json`, by name."""
    return [RunRecord(file.parent, json.loads(file.read_text(encoding="utf-8"))) for file in sorted(profile_folder.glob("*/run.json"))]


def kind_of_data(run: RunRecord, siblings: list[RunRecord]) -> str:
    """What a run is about: `generated` faces, which say nothing about the papers, `real` photographs, or `unread`.

    A run that read no data set itself (it stopped early, or it compares the other runs) is judged by the runs of its profile.
    """
    sources = run.sources or [source for sibling in siblings for source in sibling.sources]
    if "generated faces" in sources:
        return "generated"
    return "real" if sources else "unread"


# ---------------------------------------------------------------------------------------------------------- notebooks


class MathmlRenderer(IPythonRenderer):
    """Markdown to HTML with formulas as MathML, which browsers draw without a script."""

    def block_math(self, body: str) -> str:
        """A formula on lines of its own."""
        return mathml(body, as_block=True)

    def inline_math(self, body: str) -> str:
        """A formula within a sentence."""
        return mathml(body, as_block=False)

    def latex_environment(self, name: str, body: str) -> str:
        r"""A formula between `\begin{name}` and `\end{name}`."""
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", as_block=True)


def mathml(latex: str, *, as_block: bool) -> str:
    """A LaTeX formula as MathML; one that docutils can't read stays as code, so that nothing is lost."""
    try:
        return tex2mathml(latex, as_block=as_block)
    except MathError:
        return f"<code>{escape(latex)}</code>"


class NotebookExporter(HTMLExporter):
    """An executed notebook as an HTML fragment, with nothing in it that needs a script or the network."""

    @property
    def default_config(self) -> Config:
        """nbconvert's settings for HTML, without the types of output that need a script."""
        config = super().default_config
        own = Config(
            {
                "NbConvertBase": {"display_data_priority": ["text/html", "text/markdown", "image/png", "image/jpeg", "text/plain"]},
                "CoalesceStreamsPreprocessor": {"enabled": True},
            }
        )
        config.merge(own)
        return config

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        """The filter that nbconvert's templates call on Markdown."""
        renderer = MathmlRenderer(escape=False, attachments=context.get("cell", {}).get("attachments", {}), exclude_anchor_links=True)
        return MarkdownWithMath(renderer=renderer).render(source)


def relative_paths(text: str) -> str:
    """Text with paths that start at the project's folders or at `site-packages`, as they do on any machine."""
    return PLACE_ON_MACHINE.sub("", text)


def log_lines(text: str) -> list[str]:
    """The lines of a log, those in the middle of a long one replaced by one line that counts them; none for an empty log."""
    lines = relative_paths(text).replace("\b", "").rstrip().splitlines()
    left_out = len(lines) - LOG_LINES
    if left_out <= 0:
        return lines
    half = LOG_LINES // 2
    return [*lines[:half], f"[{left_out:,} lines left out]", *lines[-half:]]


def first_error(notebook: NotebookNode) -> str:
    """The first exception in a notebook's outputs as a sentence, or nothing."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    return next((relative_paths(f"{output.ename}: {output.evalue}") for output in outputs if output.output_type == "error"), "")


def until_failure(notebook: NotebookNode, failed: bool) -> NotebookNode:
    """The notebook without papermill's markers and, if the run failed, without what stands after the cell it stopped in."""
    cells = [cell for cell in notebook.cells if PAPERMILL_MARKER not in cell.metadata.get("tags", [])]
    stopped = next((place for place, cell in enumerate(cells) if failed and _stopped_in(cell)), len(cells))
    return nbformat.from_dict(notebook | {"cells": cells[: stopped + 1]})


def _stopped_in(cell: NotebookNode) -> bool:
    has_error = any(output.output_type == "error" for output in cell.get("outputs", []))
    return has_error or cell.metadata.get("papermill", {}).get("status", "completed") != "completed"


# --------------------------------------------------------------------------------------------------------------- pages


@dataclass(frozen=True)
class Body:
    """A notebook's HTML, ready to be put into a page.

    Attributes:
        title: text of its first heading, which the page shows itself.
        contents: (level, id, text) of the other headings of level 2 and 3.
        html: the rest.
    """

    title: str
    contents: list[tuple[int, str, str]]
    html: str


def notebook_body(notebook: NotebookNode) -> Body:
    """Convert an executed notebook and make its tables, headings and links fit for a page."""
    exporter = NotebookExporter(template_name="notebook", extra_template_basedirs=[str(templates.FOLDER)])
    exporter.register_filter("log_lines", log_lines)
    exporter.register_filter("relative_paths", relative_paths)
    exporter.register_filter("changed_parameters", changed_parameters)
    fragment, _ = exporter.from_notebook_node(notebook, {"stream_lines": STREAM_LINES})
    soup = BeautifulSoup(fragment, "html.parser")
    for element in soup.select("script, style"):
        element.decompose()
    for table in soup.find_all("table"):
        _tidy_table(table)
    for link in soup.select("a[href]"):
        link["href"] = _from_page(link["href"])
    title = soup.h1.extract().get_text() if soup.h1 else ""
    return Body(title, list(_mark_headings(soup)), str(soup))


def changed_parameters(notebook: NotebookNode) -> str:
    """A numbered table of what a run sets otherwise than its notebook, which holds the paper's setting; the deviations that are this run's alone."""
    own, set_by_run = (_parameters_in(notebook, tag) for tag in ("parameters", "injected-parameters"))
    changed = [name for name in set_by_run if name != "run_dir" and set_by_run[name][0] != own.get(name, ("", ""))[0]]
    rows = [(name, own.get(name, ("", ""))[0], set_by_run[name][0], own.get(name, ("", ""))[1]) for name in changed]
    frame = pd.DataFrame(rows, columns=["parameter", "the paper's setting, or ours where it is silent", "this run", "about the parameter"])
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="no.")
    return table_html(frame, "Deviations of this run: what it sets otherwise.", results=False)


def _parameters_in(notebook: NotebookNode, tag: str) -> dict[str, tuple[str, str]]:
    """Values, as written, and comments of the parameters in the cell with a tag, by name."""
    sources = [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    lines = [line.partition("  # ") for line in "\n".join(sources).splitlines() if " = " in line]
    pairs = [(assignment.partition(" = "), comment) for assignment, _, comment in lines]
    return {name: (repr(ast.literal_eval(value)), comment) for (name, _, value), comment in pairs}


def _mark_headings(soup: BeautifulSoup) -> Iterator[tuple[int, str, str]]:
    """Give each heading the id that JupyterLab gives it, so that a notebook's own links work on its page, once each."""
    seen = Counter(["main"])  # the page has an element of that id
    for heading in soup.find_all(["h1", "h2", "h3", "h4", "h5", "h6"]):
        text = heading.get_text().strip()
        slug = text.replace(" ", "-")
        seen[slug] += 1
        heading["id"] = slug if seen[slug] == 1 else f"{slug}-{seen[slug]}"
        if heading.name in ("h2", "h3"):
            yield int(heading.name[1]), heading["id"], text


def _from_page(link: str) -> str:
    """A link of a notebook as seen from its page."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return link
    return parts._replace(path=posixpath.normpath(posixpath.join(NOTEBOOK_FROM_PAGE, parts.path))).geturl()


def _tidy_table(table: Tag) -> None:
    """Tell header cells what they head, align columns of numbers, and let a wide table scroll inside a box of its own."""
    for element in [table, *table.find_all("tr")]:
        element.attrs.pop("style", None)
    table.attrs.pop("border", None)
    for cell in table.find_all("th"):
        _tidy_header(cell)
    _align_numbers(table)
    label = table.caption.get_text().strip() if table.caption else "Table"
    # A box that scrolls must be within reach of the keyboard.
    table.wrap(_new_tag("div", {"class": "scroll", "role": "group", "aria-label": label, "tabindex": "0"}))


def _tidy_header(cell: Tag) -> None:
    if not cell.get_text().strip():
        cell.name = "td"  # the empty corner that pandas leaves above the index heads nothing
        return
    in_body = cell.find_parent("thead") is None
    wide = "group" if int(cell.get("rowspan" if in_body else "colspan", 1)) > 1 else ""
    cell["scope"] = ("row" if in_body else "col") + wide


def _align_numbers(table: Tag) -> None:
    """Mark the columns that hold nothing but numbers. They are counted from the right: row headings may span several rows."""
    rows = [row.find_all("td") for row in table.select("tbody tr")]
    headers = [row.find_all(["th", "td"]) for row in table.select("thead tr") if not row.select("[colspan]")]
    for place in range(1, max(map(len, rows), default=0) + 1):
        column = [cells[-place] for cells in rows if len(cells) >= place]
        texts = [cell.get_text().strip() for cell in column]
        if any(map(NUMBER.fullmatch, texts)) and all(NUMBER.fullmatch(text) or text in MISSING for text in texts):
            for cell in column + [cells[-place] for cells in headers if len(cells) >= place]:
                cell["class"] = "number"


def _new_tag(name: str, attributes: dict[str, str]) -> Tag:
    return BeautifulSoup("", "html.parser").new_tag(name, attrs=attributes)


def _write_page(template: str, target: Path, **content) -> Path:
    page = templates.template(template).render(**content)
    with paths.written_whole(target) as partial:
        partial.write_text(page, encoding="utf-8")
    return target


def render(run_folder: Path) -> Path:
    """Write the page of a run beside its folder, and say where.

    Args:
        run_folder: `reports/<profile>/<run>`, which holds `run.json` and `executed.ipynb.gz`.

    Raises:
        FileNotFoundError: one of the two is missing.
    """
    for needed in ("run.json", "executed.ipynb.gz"):
        if not (run_folder / needed).exists():
            raise FileNotFoundError(f"no {needed} in {run_folder}: run its notebook first, as in `make study`")
    siblings = read_runs(run_folder.parent)
    run = next(sibling for sibling in siblings if sibling.name == run_folder.name)
    notebook = nbformat.reads(gzip.decompress((run_folder / "executed.ipynb.gz").read_bytes()).decode(), as_version=4)
    raised = first_error(notebook)
    failed = run.status == "failed" or bool(raised)
    body = notebook_body(until_failure(notebook, failed))
    return _write_page(
        "run.html.j2",
        run.page,
        run=run,
        status="failed" if failed else run.status,
        error=raised if raised and "error" not in run.about else run.error,
        kind=kind_of_data(run, siblings),
        title=body.title or run.name,
        contents=body.contents,
        body=Markup(body.html),
    )


def write_index(reports: Path) -> Path:
    """Write `index.html` into the folder of the reports, from the `run.json` of every run in it, and say where."""
    folders = sorted(folder for folder in reports.iterdir() if folder.is_dir()) if reports.exists() else []
    groups = {"real": [], "generated": [], "unread": []}
    for runs in map(read_runs, folders):
        for kind, profiles in groups.items():
            profiles.append([run for run in runs if kind_of_data(run, runs) == kind])
    filled = {kind: [runs for runs in profiles if runs] for kind, profiles in groups.items()}
    return _write_page("index.html.j2", reports / "index.html", **filled, headlines=HEADLINES)


# ------------------------------------------------------------------------------------------------------------- numbers


def collect(profile_folder: Path) -> Path:
    """Concatenate the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises:
        ValueError: a file has other columns than `results.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    parts += [_read_results(run.folder / "results.csv") for run in read_runs(profile_folder) if run.status == "finished"]
    target = profile_folder / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def _read_results(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise ValueError(f"{file} has the columns {', '.join(frame.columns)}, not {', '.join(COLUMNS)}: run its notebook again")
    return frame


def untraced_numbers(html: str, results: pd.DataFrame, claims: pd.DataFrame) -> list[str]:
    """The numbers in a page's results tables that come from nowhere; none is how it should be.

    A number of `figures.show_table` carries its exact value. It must be in a numeric column of `results.csv`; in a column headed
    `paper`, in `claims.csv`; in a column whose heading starts with `difference`, be a result less a claim of the same row.
    Percentages and decimals in sentences must be one of those values, rounded as printed.

    Args:
        html: a page, or a single table.
        results: rows of `results.csv`.
        claims: rows of `claims.csv`.

    Returns:
        One line for each number: caption, column heading, number.
    """
    reported = results.select_dtypes("number").to_numpy(dtype="float64").ravel()
    claimed = np.concatenate([claims[column].to_numpy(dtype="float64", na_value=np.nan) for column in ("value", "n")])
    lines = []
    for table in BeautifulSoup(html, "html.parser").select("table.results"):
        headings = [cell.get_text().strip() for cell in table.thead.find_all("tr")[-1].find_all(["th", "td"])]
        for row in table.select("tbody tr"):
            cells = list(zip(headings, row.find_all(["th", "td"]), strict=True))
            lines += [f"{table.caption.get_text().strip()}: {heading}: {number}" for heading, number in _untraced_in_row(cells, reported, claimed)]
    return lines


def _untraced_in_row(cells: list[tuple[str, Tag]], reported: np.ndarray, claimed: np.ndarray) -> Iterator[tuple[str, str]]:
    numbers = [(heading, float(element["value"])) for heading, cell in cells for element in cell.select("data[value]")]
    of_paper = np.array([value for heading, value in numbers if _is_paper(heading)])
    of_run = np.array([value for heading, value in numbers if not _is_paper(heading) and not _is_difference(heading)])
    differences = np.subtract.outer(of_run, of_paper).ravel()
    for heading, value in numbers:
        known = claimed if _is_paper(heading) else differences if _is_difference(heading) else reported
        if not _near(known, value, 1e-12):
            yield heading, repr(value)
    everything = np.concatenate([reported, claimed, np.abs(differences)])
    for heading, cell in cells:
        if cell.name == "td" and not cell.select("data[value]"):
            yield from ((heading, number) for number in _untraced_in_text(cell.get_text(), everything))


def _is_paper(heading: str) -> bool:
    return "paper" in heading.lower().split(" · ")


def _is_difference(heading: str) -> bool:
    return heading.lower().split(" · ")[-1].startswith("difference")


def _untraced_in_text(text: str, known: np.ndarray) -> Iterator[str]:
    for match in PRINTED_NUMBER.finditer(text):
        percent = match["percent"] is not None
        decimals = len((match["percent_decimals"] if percent else match["plain_decimals"]) or "")
        number = float(match["percent"] or match["plain"])
        if not _near(known * (100 if percent else 1), number, 0.5 * 10**-decimals):
            yield match[0]


def _near(known: np.ndarray, value: float, tolerance: float) -> bool:
    return bool(np.isclose(known, value, rtol=1e-9, atol=tolerance).any())


# -------------------------------------------------------------------------------------------------------- command line


# ------------------------------------------------------------------------------------------------------------- README


def results_table(profile_folder: Path) -> str:
    """The accuracies and verdicts of a profile's finished runs, in Markdown, as README.md shows them.

    Of several seeds the first is shown, and of folds what they give together; scores without copies are left out. The run's page has all.
    """
    lines = ["| run | model, initial weights | scored on | protocol | accuracy, 95 % interval | n |", "|---|---|---|---|---|---|"]
    verdicts = []
    for run in (run for run in read_runs(profile_folder) if run.status == "finished"):
        results = pd.read_csv(run.folder / "results.csv")
        rows = results[(results["metric"] == "accuracy") & ~results["split"].str.contains(" fold | without copies", na=False)]
        rows = rows.drop_duplicates(["dataset", "model", "init", "split", "protocol", "image_size"])
        for row in rows.itertuples():
            interval = f"{row.value:.1%} [{row.ci_low:.1%}, {row.ci_high:.1%}]".replace("%", " %")
            model = f"{row.model}, {row.init}, {int(row.image_size)} px, seed {int(row.seed)}"
            lines.append(f"| `{run.name}` | {model} | {row.dataset}, {row.split} | {row.protocol} | {interval} | {int(row.n):,} |")
        verdicts += [f"- `{run.name}`: {run.about['verdict']}"] if run.about.get("verdict") else []
    return "\n".join([*lines, "", "Verdicts, as the runs computed them:", "", *verdicts])


def write_readme(profile_folder: Path) -> Path:
    """Put a profile's table of results between the two marks in README.md."""
    target = paths.PROJECT / "README.md"
    before, begin, rest = target.read_text(encoding="utf-8").partition(README_MARKS[0])
    _, end, after = rest.partition(README_MARKS[1])
    with paths.written_whole(target) as partial:
        partial.write_text("\n".join([before + begin, results_table(profile_folder), end + after]), encoding="utf-8")
    return target


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands and print the file that it wrote."""
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.report", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("render", help="write the page of one run")
    command.add_argument("folder", type=Path, help="reports/<profile>/<run>")
    command.set_defaults(write=render)
    command = commands.add_parser("collect", help="write the results of a profile's finished runs into one results.csv")
    command.add_argument("folder", type=Path, help="reports/<profile>")
    command.set_defaults(write=collect)
    command = commands.add_parser("index", help="write the index of all runs")
    command.set_defaults(write=write_index, folder=paths.reports_dir())
    command = commands.add_parser("readme", help="write the results of a profile into README.md")
    command.add_argument("folder", type=Path, help="reports/<profile>")
    command.set_defaults(write=write_readme)
    chosen = parser.parse_args(arguments)
    print(chosen.write(chosen.folder))


if __name__ == "__main__":
    main()
