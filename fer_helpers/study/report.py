"""Pages that open in any browser with the network off: one for each run, and an index of them all.

python -m fer_helpers.study.report render reports/<profile>/<run>   # executed notebook -> reports/<profile>/<run>.html
python -m fer_helpers.study.report collect reports/<profile>        # results.csv of every finished run -> reports/<profile>/results.csv
python -m fer_helpers.study.report index                            # reports/index.html
"""

import argparse
import ast
import gzip
import hashlib
import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote, urlsplit

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

from fer_helpers import paths
from fer_helpers.figures import MINUS, MISSING, THIN_SPACE, table_html
from fer_helpers.study import claims as printed
from fer_helpers.study import templates
from fer_helpers.study.claims import checks as consistency
from fer_helpers.study.claims import verdicts
from fer_helpers.study.runs import COLUMNS, write_csv

DOWNLOADS = ("results.csv", "predictions.csv.gz", "history.csv", "run.json")
EXECUTED = "executed.ipynb.gz"
REPEATED = "ours: "
CLAIMS_FROM_INDEX = "../data/claims.csv"
OWN_IDS = ("main", "provenance", "rows")  # that the page of a run has, and no heading of a notebook may take
README_MARKS = ("<!-- results -->", "<!-- /results -->")
ROWS_SHOWN = 2_500  # of a run's results.csv in its page, which stays below 3 MB
ACCURACIES_SHOWN = 3  # of one run in the index, in the order in which the run reported them
STREAM_LINES = 12  # longer output on stdout is folded
LOG_LINES = 200  # a longer log keeps this many lines, half from its start and half from its end
NOTEBOOK_FROM_PAGE = "../../notebooks"  # relative links in a notebook start there, its page lies in reports/<profile>/
PAPERMILL_MARKER = (
    "papermill-error-cell-tag"  # the cells in which papermill announces a failure; the page has its own banner
)
# What stands before these folders in a path is particular to the machine that ran the notebook.
PLACE_ON_MACHINE = re.compile(
    r"(?:[A-Za-z]:)?[\\/][^\s'\":]*[\\/](?=(?:site-packages|fer_helpers|notebooks|reports)[\\/])"
)
VERDICT_WORDS = re.compile(
    "|".join(sorted(verdicts.WORDS, key=len, reverse=True))
)  # `reproduced` is a part of another
NUMBER = re.compile(r"[+\-\u2212]?\d[\d,]*(\.\d+)?([eE][+-]?\d+)?\s*%?(\s*±\s*\d+(\.\d+)?\s*%?)?")
EMPTY_CELLS = ("", MISSING, "NaN", "None", "<NA>")
PRINTED_NUMBER = re.compile(
    r"(?<![\w.])(?P<percent>\d+(?:\.(?P<percent_decimals>\d+))?)\s*%|(?<![\w.])(?P<plain>\d\.(?P<plain_decimals>\d{2,}))(?![\w.])"
)


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
    def verdict_words(self) -> list[str]:
        """The verdicts that the run's sentence names, each once; none if it is about no printed number."""
        return list(dict.fromkeys(VERDICT_WORDS.findall(self.about.get("verdict") or "")))

    @property
    def link(self) -> str:
        """Where the run's page is, as seen from the index."""
        return f"{quote(self.profile)}/{quote(self.page.name)}"

    @property
    def downloads(self) -> list[str]:
        """Which of `DOWNLOADS` the run has."""
        return [name for name in DOWNLOADS if (self.folder / name).exists()]

    @property
    def files(self) -> list[tuple[str, str]]:
        """All files that the run left, each with its SHA-256 where `run.json` holds it."""
        hashes = self.about.get("files", {})
        return [(name, hashes.get(name, "")) for name in (*DOWNLOADS, EXECUTED) if (self.folder / name).exists()]

    @property
    def commands(self) -> list[str]:
        """What makes a run of a profile again; nothing for one made by hand."""
        if not (paths.notebooks_dir() / "profiles" / self.profile / f"{self.name}.yaml").exists():
            return []
        return [
            f"make study PROFILE={self.profile} RUN={self.name} FORCE=1",
            f"make verify RUN={self.profile}/{self.name}",
        ]

    @cached_property
    def results(self) -> pd.DataFrame:
        """The rows of a finished run's `results.csv` as text, with `line`, its place in that file; none for another run."""
        file = self.folder / "results.csv"
        if self.status != "finished" or not file.exists():
            return pd.DataFrame(columns=[*COLUMNS, "line"], dtype=str)
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        return rows.assign(line=rows.index + 2)

    @cached_property
    def accuracies(self) -> list[dict]:
        """Rows of `results.csv` that hold an overall accuracy under protocol `clean`, in the order in which they were reported."""
        file = self.folder / "results.csv"
        if self.status != "finished" or not file.exists():
            return []
        results = pd.read_csv(file)
        rows = results[
            (results["metric"] == "accuracy") & (results["protocol"] == "clean") & results["expression"].isna()
        ]
        return rows.to_dict("records")

    def _parameter(self, *names: str) -> object:
        parameters = self.about.get("parameters", {})
        return next((parameters[name] for name in names if name in parameters), "")


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def read_runs(profile_folder: Path) -> list[RunRecord]:
    """The runs of a profile that have a `run.json`, by name."""
    return [
        RunRecord(file.parent, json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(profile_folder.glob("*/run.json"))
    ]


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
                "NbConvertBase": {
                    "display_data_priority": ["text/html", "text/markdown", "image/png", "image/jpeg", "text/plain"]
                },
                "CoalesceStreamsPreprocessor": {"enabled": True},
            }
        )
        config.merge(own)
        return config

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        """The filter that nbconvert's templates call on Markdown."""
        renderer = MathmlRenderer(
            escape=False, attachments=context.get("cell", {}).get("attachments", {}), exclude_anchor_links=True
        )
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
    return next(
        (relative_paths(f"{output.ename}: {output.evalue}") for output in outputs if output.output_type == "error"), ""
    )


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
    for caption in soup.select("table.results > caption"):
        caption.append(_to_provenance())
    for link in soup.select("a[href]"):
        link["href"] = _from_page(link["href"])
    title = soup.h1.extract().get_text() if soup.h1 else ""
    return Body(title, list(_mark_headings(soup)), str(soup))


def changed_parameters(notebook: NotebookNode) -> str:
    """A numbered table of what a run sets otherwise than its notebook, which holds the paper's setting; the deviations that are this run's alone."""
    own, set_by_run = (_parameters_in(notebook, tag) for tag in ("parameters", "injected-parameters"))
    changed = [name for name in set_by_run if name != "run_dir" and set_by_run[name][0] != own.get(name, ("", ""))[0]]
    rows = [(name, own.get(name, ("", ""))[0], set_by_run[name][0], own.get(name, ("", ""))[1]) for name in changed]
    frame = pd.DataFrame(
        rows,
        columns=["parameter", "the paper's setting, or ours where it is silent", "this run", "about the parameter"],
    )
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
    seen = Counter(OWN_IDS)
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
        if any(map(NUMBER.fullmatch, texts)) and all(NUMBER.fullmatch(text) or text in EMPTY_CELLS for text in texts):
            for cell in column + [cells[-place] for cells in headers if len(cells) >= place]:
                cell["class"] = "number"


def _to_provenance() -> Tag:
    link = _new_tag("a", {"href": "#provenance", "class": "source"})
    link.string = "Where these numbers come from"
    return link


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
    for needed in ("run.json", EXECUTED):
        if not (run_folder / needed).exists():
            raise FileNotFoundError(f"no {needed} in {run_folder}: run its notebook first, as in `make study`")
    siblings = read_runs(run_folder.parent)
    run = next(sibling for sibling in siblings if sibling.name == run_folder.name)
    notebook = nbformat.reads(gzip.decompress((run_folder / EXECUTED).read_bytes()).decode(), as_version=4)
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
        rows_shown=ROWS_SHOWN,
    )


# --------------------------------------------------------------------------------------------------------------- index


@dataclass(frozen=True)
class Paper:
    """A paper as the index introduces it.

    Attributes:
        authors: with the year.
        title: as printed.
        link: its address, or nothing.
        headlines: claims that stand for the paper: those of its abstract, or of its first table of results.
    """

    authors: str
    title: str
    link: str
    headlines: tuple[str, ...]


PAPERS = {
    "huang_2024": Paper(
        "C. Huang 2024",
        "Enhancing Facial Expression Recognition and Analysis with EfficientNetB7",
        "https://doi.org/10.5220/0012956900004508",
        (
            "huang_2024.table1.precision.happy",
            "huang_2024.table1.precision.sad",
        ),  # the highest and the lowest; it prints no accuracy
    ),
    "jiang_2025": Paper(
        "H. Jiang 2025",
        "An Analysis of Facial Expression Recognition Based on the EfficientNet-B4 Model",
        "",
        ("jiang_2025.fig2.test_accuracy.last", "jiang_2025.abstract.accuracy_difference"),
    ),
    "singh_2022": Paper(
        "R. Singh et al. 2022",
        "EfficientNet for Human FER using Transfer Learning",
        "",
        (
            "singh_2022.table1.moeffnet",
            "singh_2022.table2.moeffnet",
            "singh_2022.table3.moeffnet",
            "singh_2022.table4.moeffnet",
        ),
    ),
    "alam_2022": Paper(
        "I. N. Alam et al. 2022",
        "Transfer Learning Technique with EfficientNet for Facial Expression Recognition System",
        "",
        ("alam_2022.abstract.accuracy.ckplus", "alam_2022.abstract.accuracy.jaffe"),
    ),
}


@dataclass(frozen=True)
class Ours:
    """One of our numbers, beside a printed one.

    Attributes:
        value: the number itself.
        shown: the number as it is printed.
        interval: the 95 % interval, or nothing.
        about: what it belongs to: n, seed, initial weights and the like, where known.
        link: from the index to the row of `results.csv` in the page of its run.
    """

    value: float
    shown: str
    interval: str
    about: str
    link: str


def headlines(claims: pd.DataFrame) -> dict[str, list[str]]:
    """The claims that stand for each paper, by its key; a paper that `PAPERS` does not introduce has its first score.

    Raises:
        KeyError: `PAPERS` names a claim that is not in claims.csv.
    """
    missing = [claim for paper in PAPERS.values() for claim in paper.headlines if claim not in set(claims["claim"])]
    if missing:
        raise KeyError(
            f"data/claims.csv has no claim {', '.join(missing)}: correct PAPERS in fer_helpers/study/report.py"
        )
    scores = claims[claims["protocol"] == "paper"].groupby("paper", sort=False)["claim"].first()
    return {
        paper: [*PAPERS[paper].headlines] if paper in PAPERS else [*scores.filter([paper])]
        for paper in dict.fromkeys([*PAPERS, *claims["paper"]])
    }


def shown(value: float, unit: str, decimals: int) -> str:
    """A number as the index prints it: shares in percent, of others the thousands apart."""
    text = f"{value * 100:.{max(decimals - 2, 0)}f}{THIN_SPACE}%" if unit == "share" else f"{value:,.{decimals}f}"
    return text.replace("-", MINUS)


def results_of(runs: list[RunRecord]) -> pd.DataFrame:
    """All rows of the runs' results, numbers as numbers: `run` is `<profile>/<run>`, `line` the row's place in the run's results.csv.

    What the scoreboard repeats of other runs, under metrics that start with `REPEATED`, is left out.
    """
    parts = [run.results.assign(run=f"{run.profile}/{run.name}") for run in runs]
    rows = pd.concat([pd.DataFrame(columns=[*COLUMNS, "line"], dtype=str), *parts], ignore_index=True)
    numeric = ["value", "n", "ci_low", "ci_high", "seed", "image_size", "epochs", "seconds"]
    rows = rows.assign(**{column: pd.to_numeric(rows[column], errors="coerce") for column in numeric})
    repeated = (rows["notebook"] == verdicts.SCOREBOARD) & rows["metric"].str.startswith(REPEATED)
    return rows[~repeated].reset_index(drop=True)


def checked(claims: pd.DataFrame) -> pd.DataFrame:
    """What the consistency checks find in the claims, kept in the cache until claims or checks change: networks are built for some, which takes a while."""
    modules = [
        *sorted((paths.PROJECT / "fer_helpers" / "claims").glob("*.py")),
        paths.PROJECT / "fer_helpers" / "models.py",
    ]
    content = [claims.to_csv(index=False), *map(paths.file_sha256, modules)]
    kept = paths.cache_dir() / "checks" / f"{hashlib.sha256(''.join(content).encode()).hexdigest()[:16]}.csv"
    if not kept.exists():
        write_csv(consistency.check(claims), kept)
    return pd.read_csv(kept, dtype={"printed": str, "n": "Int64"}, keep_default_na=False, na_values={"n": [""]})


def claim_rows(claims: pd.DataFrame, results: pd.DataFrame, checks: pd.DataFrame, runs: list[RunRecord]) -> list[dict]:
    """What the index shows of each claim: verdict and reason, what it is about, ours beside it, and every run with a result that names it.

    Args:
        claims: rows of claims.csv.
        results: of `results_of`.
        checks: of `checked`.
        runs: those on real photographs.
    """
    judged = verdicts.judge(
        claims, results, checks, [run.about | {"run": run.name, "profile": run.profile} for run in runs]
    )
    about, notes = claims.set_index("claim"), checks.groupby("claim")["note"].unique()
    rows = []
    for verdict in judged.astype(object).where(judged.notna(), None).to_dict("records"):
        claim = about.loc[verdict["claim"]]
        rows.append(
            verdict
            | {
                "what": ", ".join(filter(None, [claim["metric"].replace("_", " "), claim["expression"]])),
                "of": ", ".join(filter(None, [claim["dataset"], claim["split"], claim["model"]])),
                "note": claim["note"],
                "shown": shown(claim["value"], claim["unit"], claim["decimals"]),
                "unit": "" if claim["unit"] == "share" else claim["unit"],
                "notes": [note for note in notes.get(verdict["claim"], []) if note not in verdict["reason"]],
                "ours": {kind: _ours(verdict, kind, claim, results) for kind in ("paper", "clean", "counted")},
                "named": _runs_of(results[results["claim"] == verdict["claim"]]),
            }
        )
    return rows


def _ours(verdict: dict, kind: str, claim: pd.Series, results: pd.DataFrame) -> Ours | None:
    """Our number for a claim, under a protocol or counted, with its row of results.csv."""
    value = verdict["counted" if kind == "counted" else f"{kind}_value"]
    if value is None:
        return None
    decimals = (
        max(claim["decimals"], 3)
        if claim["unit"] == "share"
        else 0
        if float(value).is_integer()
        else max(claim["decimals"], 2)
    )
    low, high = verdict.get(f"{kind}_low"), verdict.get(f"{kind}_high")
    ends = (
        ""
        if low is None or high is None
        else f"[{shown(low, claim['unit'], decimals)}, {shown(high, claim['unit'], decimals)}]"
    )
    row = _row_of(verdict, kind, claim, results)
    about, link = ("", "") if row is None else (_about(row), _link(row))
    return Ours(
        value,
        shown(value, claim["unit"], decimals),
        ends.replace(f"{THIN_SPACE}%", ""),
        about or verdict[f"{kind}_run"],
        link,
    )


def _row_of(verdict: dict, kind: str, claim: pd.Series, results: pd.DataFrame) -> pd.Series | None:
    """The row that a verdict's number stands in; None for what a check counted."""
    value = verdict["counted" if kind == "counted" else f"{kind}_value"]
    rows = results[(results["run"] == verdict[f"{kind}_run"]) & (results["value"] == value)]
    same = [
        rows[name] == verdict[f"{kind}_{name}"]
        for name in ("model", "init", "split", "seed")
        if verdict.get(f"{kind}_{name}") is not None
    ]
    same += [rows[name] == claim[name] for name in ("metric", "dataset", "expression")] + [
        rows["claim"] == verdict["claim"]
    ]
    return None if rows.empty else rows.loc[sum(match.astype(int) for match in same).idxmax()]


def _link(row: pd.Series) -> str:
    """A row of results as seen from the index: its place in the page of its run."""
    return f"{quote(row['run'])}.html#row-{row['line']}"


def _about(row: pd.Series) -> str:
    """What a result belongs to, in a few words."""
    counted = [f"n = {row['n']:,.0f}"] if pd.notna(row["n"]) else []
    sized = [f"{row['image_size']:.0f} px"] if pd.notna(row["image_size"]) else []
    seeded = [f"seed {row['seed']:.0f}"] if pd.notna(row["seed"]) else []
    return ", ".join(
        [*counted, *filter(None, [row["dataset"], row["split"], row["model"], row["init"]]), *sized, *seeded]
    )


def _runs_of(rows: pd.DataFrame) -> list[dict]:
    """The runs that rows of results belong to, each with its number of rows and a link to the first of them."""
    return [{"run": run, "rows": len(of_run), "link": _link(of_run.iloc[0])} for run, of_run in rows.groupby("run")]


def without_claim(results: pd.DataFrame, claims: pd.DataFrame) -> list[dict]:
    """The results that no paper prints: those of one metric, run and set of images in one entry, be they of several expressions or seeds."""
    others = results[~results["claim"].isin(claims["claim"])]
    keys = ["run", "metric", "dataset", "split", "protocol", "model", "init"]
    entries = []
    for key, rows in others.groupby(keys, sort=False, dropna=False):
        low, high = rows["value"].min(), rows["value"].max()
        ends = "no number" if pd.isna(low) else f"{low:.5g}" if low == high else f"{low:.5g} to {high:.5g}"
        entries.append(
            dict(zip(keys, key, strict=True))
            | {"low": low, "shown": ends.replace("-", MINUS), "rows": len(rows), "link": _link(rows.iloc[0])}
        )
    return entries


def not_run(runs: list[RunRecord]) -> dict[str, list[str]]:
    """The runs that a profile defines and that have left nothing, by profile."""
    made = {(run.profile, run.name) for run in runs}
    defined = sorted((file.parent.name, file.stem) for file in (paths.notebooks_dir() / "profiles").glob("*/*.yaml"))
    lacking = [pair for pair in defined if pair not in made]
    return {
        profile: [name for of, name in lacking if of == profile]
        for profile in dict.fromkeys(profile for profile, _ in lacking)
    }


def write_index(reports: Path) -> Path:
    """Write `index.html` into the folder of the reports, from the `run.json` and `results.csv` of every run in it, and say where."""
    folders = sorted(folder for folder in reports.iterdir() if folder.is_dir()) if reports.exists() else []
    profiles = [read_runs(folder) for folder in folders]
    groups = {
        kind: list(filter(None, ([run for run in runs if kind_of_data(run, runs) == kind] for runs in profiles)))
        for kind in ("real", "generated", "unread")
    }
    on_photographs = [run for runs in groups["real"] for run in runs]
    claims, results = printed.load(), results_of(on_photographs)
    rows = claim_rows(claims, results, checked(claims), on_photographs)
    by_claim = {row["claim"]: row for row in rows}
    return _write_page(
        "index.html.j2",
        reports / "index.html",
        **groups,
        accuracies_shown=ACCURACIES_SHOWN,
        papers=[_card(key, claims_of, by_claim, on_photographs) for key, claims_of in headlines(claims).items()],
        claims=rows,
        counts=Counter(row["verdict"] for row in rows),
        others=without_claim(results, claims),
        not_run=not_run([run for runs in profiles for run in runs]),
        claims_csv=CLAIMS_FROM_INDEX,
    )


def _card(key: str, claims_of: list[str], by_claim: dict[str, dict], runs: list[RunRecord]) -> dict:
    """What the index shows of a paper at its head."""
    return {
        "key": key,
        "about": PAPERS.get(key, Paper(key, "", "", ())),
        "headlines": [by_claim[claim] for claim in claims_of],
        "counts": Counter(row["verdict"] for row in by_claim.values() if row["paper"] == key),
        "runs": [run for run in runs if run.about.get("paper") == key],
    }


# ------------------------------------------------------------------------------------------------------------- numbers


def collect(profile_folder: Path) -> Path:
    """Concatenate the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises:
        ValueError: a file has other columns than `results.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    parts += [
        _read_results(run.folder / "results.csv") for run in read_runs(profile_folder) if run.status == "finished"
    ]
    target = profile_folder / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def _read_results(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise ValueError(
            f"{file} has the columns {', '.join(frame.columns)}, not {', '.join(COLUMNS)}: run its notebook again"
        )
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
            lines += [
                f"{table.caption.get_text().strip()}: {heading}: {number}"
                for heading, number in _untraced_in_row(cells, reported, claimed)
            ]
    return lines


def _untraced_in_row(
    cells: list[tuple[str, Tag]], reported: np.ndarray, claimed: np.ndarray
) -> Iterator[tuple[str, str]]:
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
    lines = [
        "| run | model, initial weights | scored on | protocol | accuracy, 95 % interval | n |",
        "|---|---|---|---|---|---|",
    ]
    verdicts = []
    for run in (run for run in read_runs(profile_folder) if run.status == "finished"):
        results = pd.read_csv(run.folder / "results.csv")
        rows = results[
            (results["metric"] == "accuracy") & ~results["split"].str.contains(" fold | without copies", na=False)
        ]
        rows = rows.drop_duplicates(["dataset", "model", "init", "split", "protocol", "image_size"])
        for row in rows.itertuples():
            interval = f"{row.value:.1%} [{row.ci_low:.1%}, {row.ci_high:.1%}]".replace("%", " %")
            model = f"{row.model}, {row.init}, {int(row.image_size)} px, seed {int(row.seed)}"
            lines.append(
                f"| `{run.name}` | {model} | {row.dataset}, {row.split} | {row.protocol} | {interval} | {int(row.n):,} |"
            )
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
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.study.report", description=__doc__.split("\n")[0])
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
