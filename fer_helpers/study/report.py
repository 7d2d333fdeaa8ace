"""Pages that open in any browser with the network off: one for each run, and an index of them.

python -m fer_helpers.study.report render reports/smoke      pages whose inputs have changed, or one run; --force: all
python -m fer_helpers.study.report collect reports/smoke     results.csv of the finished runs, into one
python -m fer_helpers.study.report all reports/smoke         both, and reports/smoke/index.html, in one process
python -m fer_helpers.study.report index --profiles cpu      reports/index.html, or another page with --out
python -m fer_helpers.study.report readme --profiles cpu     what was found, into README.md and reports/findings.svg
"""

import argparse
import ast
import gzip
import hashlib
import os
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import pandas as pd
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import reads as read_notebook

from fer_helpers import paths, plots
from fer_helpers.study import templates
from fer_helpers.study.runs import COLUMNS, Record, read_profile, write_csv

EXECUTED = "executed.ipynb.gz"
FILES = ("results.csv", "predictions.csv.gz", "history.csv", "verdicts.csv", "run.json", EXECUTED)
OWN_IDS = ("main", "provenance", "rows", "verdict")  # of the page itself, which no heading of a notebook may take
ROWS_SHOWN = 2_500  # of a run's results.csv in its page, which stays below 3 MB
STREAM_LINES = 12  # longer output on stdout is folded
LOG_LINES = 200  # a longer log keeps this many lines, half from its start and half from its end
NOTEBOOKS = "../../notebooks"  # where relative links in a notebook start, seen from its page in reports/<profile>/
SHOWN_FIRST = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")
# What stands before these folders in a path is particular to the machine that ran the notebook.
PLACE_ON_MACHINE = re.compile(
    r"(?:[A-Za-z]:)?[\\/][^\s'\":]*[\\/](?=(?:site-packages|fer_helpers|notebooks|reports)[\\/])"
)
PAPERMILL_MARKER = "papermill-error-cell-tag"  # of cells in which papermill announces a failure; the page has a banner


def page_of(run: Record) -> Path:
    """Where the run's page is, whether or not it has been rendered."""
    return run.folder.with_name(f"{run.name}.html")


def files_of(run: Record) -> list[str]:
    """Which of `FILES` the run has."""
    return [name for name in FILES if (run.folder / name).exists()]


def sources_of(run: Record) -> set[str]:
    """`generated faces`, `real photographs`, both, or nothing where no data was read."""
    return {entry["source"] for entry in run.about.get("data", [])}


def kind_of_data(run: Record, siblings: list[Record]) -> str:
    """What a run is about: `generated` faces, which say nothing about the papers, `real` photographs, or `unread`.

    A run that read no data itself (it stopped early, or compares the others) is judged by the runs of its profile.
    """
    sources = sources_of(run) or set().union(*map(sources_of, siblings))
    return "generated" if "generated faces" in sources else "real" if sources else "unread"


def facts(run: Record) -> dict[str, str]:
    """`paper`, `init`, `seeds`, `date` and `minutes` of a run in words; empty where they are unknown."""
    parameters = run.about.get("parameters", {})

    def listed(*names: str) -> str:
        value = next((parameters[name] for name in names if name in parameters), "")
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    started = run.about.get("started")
    return {
        "paper": run.about.get("paper", "").replace("_", " ").title(),
        "init": run.about.get("init") or listed("init", "inits", "weights"),
        "seeds": listed("seeds", "seed"),
        "date": f"{datetime.fromisoformat(started).astimezone(UTC):%Y-%m-%d %H:%M} UTC" if started else "",
        "minutes": f"{run.about['seconds'] / 60:.1f}" if "seconds" in run.about else "",
    }


# ------------------------------------------------------------------------------------------------- notebooks as cells


@dataclass
class Outline:
    """What a page learns of a notebook while it is rendered: its title, and (level, id, text) of headings below it."""

    title: str = ""
    contents: list[tuple[int, str, str]] = field(default_factory=list)
    seen: Counter = field(default_factory=lambda: Counter(OWN_IDS))


class Prose(IPythonRenderer):
    """Markdown to HTML: formulas as MathML, headings with JupyterLab's ids, tables in boxes that scroll."""

    def __init__(self, outline: Outline, **options):
        super().__init__(exclude_anchor_links=True, **options)
        self.outline = outline

    def heading(self, text: str, level: int, **_) -> str:
        """A heading with JupyterLab's id, so that a notebook's own links work; the first h1 is the page's title."""
        plain = Markup(text).striptags()
        if level == 1 and not self.outline.title:
            self.outline.title = plain
            return ""
        slug = plain.replace(" ", "-")
        self.outline.seen[slug] += 1
        slug += f"-{self.outline.seen[slug]}" if self.outline.seen[slug] > 1 else ""
        if level in (2, 3):
            self.outline.contents.append((level, slug, plain))
        return f'<h{level} id="{escape(slug)}">{text}</h{level}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """A link; a relative one as seen from the page."""
        parts = urlsplit(url)
        if not (parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/")):
            url = parts._replace(path=posixpath.normpath(posixpath.join(NOTEBOOKS, parts.path))).geturl()
        return super().link(text, url, title)

    def block_math(self, body: str) -> str:
        """A formula on lines of its own."""
        return mathml(body, as_block=True)

    def inline_math(self, body: str) -> str:
        """A formula within a sentence."""
        return mathml(body, as_block=False)

    def latex_environment(self, name: str, body: str) -> str:
        r"""A formula between `\begin{name}` and `\end{name}`."""
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", as_block=True)


def _table(_: IPythonRenderer, text: str) -> str:
    return f'<div class="scroll" role="group" aria-label="Table" tabindex="0"><table>\n{text}</table></div>\n'


def _table_cell(_: IPythonRenderer, text: str, align: str | None = None, head: bool = False) -> str:
    number = ' class="number"' if align == "right" else ""
    if head and text.strip():
        return f'<th scope="col"{number}>{text}</th>'
    return f"<td{number}>{text}</td>"


def markdown(source: str, outline: Outline, **options) -> Markup:
    """Markdown as HTML; HTML in it is passed on, to be sanitised with the page, or with `escape=True` shown as text."""
    parser = MarkdownWithMath(Prose(outline, **options))
    parser.renderer.register("table", _table)
    parser.renderer.register("table_cell", _table_cell)
    return Markup(parser.render(source))


def mathml(latex: str, *, as_block: bool) -> str:
    """A LaTeX formula as MathML; one that docutils can't read stays as code, so that nothing is lost."""
    try:
        return tex2mathml(latex, as_block=as_block)
    except MathError:
        return f"<code>{escape(latex)}</code>"


def relative_paths(text: str) -> str:
    """Text with paths that start at the project's folders or at `site-packages`, as they do on any machine."""
    return PLACE_ON_MACHINE.sub("", text)


def log_lines(text: str) -> list[str]:
    """The lines of a log, those in the middle of a long one replaced by a line that counts them."""
    lines = strip_ansi(relative_paths(text)).replace("\b", "").rstrip().splitlines()
    left_out, half = len(lines) - LOG_LINES, LOG_LINES // 2
    return lines if left_out <= 0 else [*lines[:half], f"[{left_out:,} lines left out]", *lines[-half:]]


def first_error(notebook: NotebookNode) -> str:
    """The first exception in a notebook's outputs as a sentence, or nothing."""
    outputs = (output for cell in notebook.cells for output in cell.get("outputs", []))
    errors = (f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error")
    return relative_paths(next(errors, ""))


def until_failure(notebook: NotebookNode, failed: bool) -> list[NotebookNode]:
    """The cells without papermill's markers and, if the run failed, without what follows the cell it stopped in."""
    cells = [cell for cell in notebook.cells if PAPERMILL_MARKER not in cell.metadata.get("tags", [])]
    stopped = next((place for place, cell in enumerate(cells) if failed and _stopped_in(cell)), len(cells))
    return cells[: stopped + 1]


def _stopped_in(cell: NotebookNode) -> bool:
    has_error = any(output.output_type == "error" for output in cell.get("outputs", []))
    return has_error or cell.metadata.get("papermill", {}).get("status", "completed") != "completed"


def cells_of(cells: list[NotebookNode], outline: Outline) -> list[dict]:
    """What the template shows of each cell: `prose`, or `code` with its `role` and its outputs as (kind, content)."""
    highlight, coalesce = Highlight2HTML(pygments_lexer="ipython3"), CoalesceStreamsPreprocessor()
    shown = []
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            attachments = cell.get("attachments", {})
            shown.append({"prose": markdown(cell.source, outline, escape=False, attachments=attachments)})
        elif cell.cell_type == "code":
            coalesce.preprocess_cell(cell, {}, place)
            outputs = [_output(output, f"code-{place}", outline) for output in cell.outputs]
            role = next((tag for tag in cell.metadata.get("tags", []) if tag.endswith("parameters")), "")
            code = Markup(highlight(cell.source)) if cell.source.strip() else ""
            shown.append({"code": code, "id": f"code-{place}", "role": role, "outputs": [*filter(None, outputs)]})
    return shown


def _output(output: NotebookNode, code: str, outline: Outline) -> tuple[str, object] | None:
    """An output as (`log`, lines), (`printed`, lines), (`traceback`, text), (`text`, lines) or (`html`, markup)."""
    if output.output_type == "stream":
        lines = log_lines(output.text)
        return ("log" if output.name == "stderr" else "printed", lines) if lines else None
    if output.output_type == "error":
        return "traceback", strip_ansi(relative_paths("\n".join(output.traceback)))
    kind = next((kind for kind in SHOWN_FIRST if kind in output.data), "")
    if not kind or output.metadata.get("repeats_caption"):
        return None
    content = output.data[kind]
    if kind == "text/html":
        return "html", _with_sources(content, code)
    if kind == "text/markdown":
        return "html", Markup('<div class="prose">{}</div>').format(markdown(content, outline, escape=True))
    if kind == "text/plain":
        return "text", content.splitlines()
    about = output.metadata.get(kind, {})
    picture = '<figure><img src="data:{};base64,{}" alt="{}"><figcaption>{}</figcaption></figure>'
    caption = markdown(about.get("caption", ""), outline, escape=True)
    figure = Markup(picture).format(kind, content.replace("\n", ""), about.get("alt", "Figure without a text"), caption)
    return "html", _with_sources(figure, code)


def _with_sources(html: str, code: str) -> Markup:
    """Figures lead to the code that drew them, tables of results to their provenance; every table scrolls in a box."""
    link = '<a class="source" href="#{}">{}</a>{}'.format
    html = str(html).replace("</figure>", link(code, "Code of this figure", "</figure>"))
    if 'class="results"' in html:
        html = html.replace("</caption>", " " + link("provenance", "Where these numbers come from", "</caption>"))
    if "<table" in html and 'class="scroll"' not in html:
        html = f'<div class="scroll" role="group" aria-label="Table" tabindex="0">{html}</div>'
    return Markup(html)


def deviations(notebook: NotebookNode) -> list[tuple[str, str, str, str]]:
    """What a run sets otherwise than its notebook, as (name, the notebook's value, this run's, comment)."""
    own, set_by_run = (_parameters_in(notebook, tag) for tag in ("parameters", "injected-parameters"))
    rows = [(name, *own.get(name, ("", "")), value) for name, (value, _) in set_by_run.items() if name != "run_dir"]
    return [(name, usual, value, comment) for name, usual, comment, value in rows if value != usual]


def _parameters_in(notebook: NotebookNode, tag: str) -> dict[str, tuple[str, str]]:
    """Values, as written, and comments of the parameters in the cell with a tag, by name."""
    sources = [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    lines = [line.partition("  # ") for line in "\n".join(sources).splitlines() if " = " in line]
    pairs = [(assignment.partition(" = "), comment) for assignment, _, comment in lines]
    return {name: (repr(ast.literal_eval(value)), comment) for (name, _, value), comment in pairs}


# --------------------------------------------------------------------------------------------------------------- pages


def render(folder: Path, force: bool = False) -> list[Path]:
    """Write the pages of a profile, or of one run, beside their folders; those whose inputs are as they were, stay.

    Args:
        folder: `reports/<profile>` or `reports/<profile>/<run>`; a run has `run.json` and `executed.ipynb.gz`.
        force: write every page.

    Raises:
        FileNotFoundError: the run that was named lacks one of the two.
    """
    one_run = (folder / "run.json").exists() or (folder / EXECUTED).exists() or not any(folder.glob("*/run.json"))
    for needed in ("run.json", EXECUTED) if one_run else ():
        if not (folder / needed).exists():
            raise FileNotFoundError(f"no {needed} in {folder}: run its notebook first, as in `make study`")
    for page in () if one_run else folder.glob("*.failed.html"):  # of failures that a later run has put right
        if not page.with_suffix("").exists():
            page.unlink()
    siblings = read_profile(folder.parent if one_run else folder)
    chosen = [run for run in siblings if (run.folder / EXECUTED).exists() and (not one_run or run.folder == folder)]
    for run in chosen:
        kind = kind_of_data(run, siblings)
        inputs = _inputs(run, kind)
        if force or not page_of(run).exists() or f'content="{inputs}"' not in page_of(run).read_text("utf-8")[:2_000]:
            _write_page(run, kind, inputs)
        else:
            os.utime(page_of(run))  # for who asks whether the page is newer than what it was made of
    return [page_of(run) for run in chosen]


def _inputs(run: Record, kind: str) -> str:
    """A hash of everything that a page is made of."""
    files = [*(run.folder / name for name in files_of(run)), *templates.FILES, Path(__file__), Path(plots.__file__)]
    return hashlib.sha256("".join([kind, *map(paths.file_sha256, files)]).encode()).hexdigest()[:16]


def _write_page(run: Record, kind: str, inputs: str) -> None:
    notebook = read_notebook(gzip.decompress((run.folder / EXECUTED).read_bytes()).decode())
    raised = first_error(notebook)
    failed = run.status == "failed" or bool(raised)
    outline = Outline()
    cells = cells_of(until_failure(notebook, failed), outline)
    templates.write(
        "run.html.j2",
        page_of(run),
        inputs=inputs,
        run=run,
        place=quote(run.name),
        about=run.about,
        facts=facts(run),
        files={name: paths.file_sha256(run.folder / name) for name in files_of(run)},
        sources=sorted(sources_of(run)),
        rows=run.results if run.status == "finished" else run.results.head(0),
        status="failed" if failed else run.status,
        error=run.about.get("error") or raised or "it stopped before its end and left no message",
        kind=kind,
        index="index.html" if kind == "generated" else "../index.html",
        title=outline.title or run.name,
        contents=outline.contents,
        cells=cells,
        deviations=deviations(notebook),
        stream_lines=STREAM_LINES,
        rows_shown=ROWS_SHOWN,
        again=(paths.notebooks_dir() / "profiles" / run.profile / f"{run.name.removesuffix('.failed')}.yaml").exists(),
    )


def collect(profile_folder: Path) -> Path:
    """Concatenate the `results.csv` of a profile's finished runs into one, number by number as written, and say where.

    Raises:
        ValueError: a file has other columns than `runs.COLUMNS`.
    """
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    for run in (run for run in read_profile(profile_folder) if run.status == "finished"):
        rows = run.results.drop(columns="line")
        if tuple(rows.columns) != COLUMNS:
            raise ValueError(
                f"{run.folder / 'results.csv'} has the columns {', '.join(rows.columns)}, not {', '.join(COLUMNS)}: "
                "run its notebook again"
            )
        parts.append(rows)
    target = profile_folder / "results.csv"
    write_csv(pd.concat(parts, ignore_index=True), target)
    return target


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands and print the files that it wrote."""
    from fer_helpers.study import index

    parser = argparse.ArgumentParser(prog="python -m fer_helpers.study.report", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, about in (
        ("render", "write the pages of a profile, or of one run"),
        ("collect", "write the results of a profile's finished runs into one results.csv"),
        ("all", "render, collect, and write the profile's own index"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument(
            "folder", type=Path, help="reports/<profile>, or to render one run reports/<profile>/<run>"
        )
        command.add_argument("--force", action="store_true", help="render also pages whose inputs are as they were")
    for name, about in (
        ("index", "write an index of the runs of some profiles"),
        ("readme", "write what was found into README.md and reports/findings.svg"),
    ):
        command = commands.add_parser(name, help=about)
        command.add_argument("--profiles", nargs="+", help="names of folders in reports/; all by default")
        command.add_argument(
            "--out", type=Path, default=paths.reports_dir() / "index.html", help="where the index goes"
        )
    chosen = parser.parse_args(arguments)
    written, all_profiles = [], sorted({file.parts[-3] for file in paths.reports_dir().glob("*/*/run.json")})
    if chosen.command in ("render", "all"):
        written += render(chosen.folder, chosen.force)
    if chosen.command in ("collect", "all"):
        written.append(collect(chosen.folder))
    if chosen.command == "all":
        written.append(index.write_index([chosen.folder.name], chosen.folder / "index.html", chosen.folder.parent))
    if chosen.command == "index":
        written.append(index.write_index(chosen.profiles or all_profiles, chosen.out))
    if chosen.command == "readme":
        written += index.write_readme(chosen.profiles or all_profiles)
    print(*written, sep="\n")


if __name__ == "__main__":
    main()
