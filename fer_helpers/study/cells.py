"""An executed notebook as the cells of a page: Markdown as HTML, code, logs that fold, figures and tables.

HTML that a notebook made is passed on; the page is sanitised as a whole when it is written.
"""

import ast
import gzip
import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat import NotebookNode
from nbformat.v4 import reads
from pandas import DataFrame

from fer_helpers import plots
from fer_helpers.study.claims.verdicts import verdict, with_numbers
from fer_helpers.study.runs import Record

OWN_IDS = ("main", "provenance", "rows", "verdict")  # of the page itself, which no heading of a notebook may take
LOG_LINES = 200  # a longer log keeps this many lines, half from its start and half from its end
NOTEBOOKS = "../../notebooks"  # where relative links in a notebook start, seen from its page in reports/<profile>/
SHOWN_FIRST = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")
# What stands before these folders in a path is particular to the machine that ran the notebook.
PLACE_ON_MACHINE = re.compile(r"([A-Za-z]:)?[\\/][^\s'\":]*[\\/](?=(site-packages|fer_helpers|notebooks|reports)[\\/])")
# A cell that judges: the caption of its table, and how numbers are written in it.
JUDGES = re.compile(r'= claims\.verdict\(run, .*\.table, "([^"]+)", "([^"]+)"', re.DOTALL)
MARKER = "papermill-error-cell-tag"  # of cells in which papermill announces a failure; the page has a banner


def read(file: Path) -> NotebookNode:
    """The notebook in `executed.ipynb.gz`, not validated, which would take as long as its page."""
    return reads(gzip.decompress(file.read_bytes()).decode())


def clarify(executed: NotebookNode, notebook: Path) -> bool:
    """Give an executed notebook today's prose if its code is today's, and say whether: prose makes no run outdated."""
    today = reads(notebook.read_text(encoding="utf-8")) if notebook.exists() else executed
    (prose, code), (clearer, same) = (_prose_and_code(each) for each in (executed, today))
    current = code == same and len(prose) == len(clearer)
    for old, new in zip(prose, clearer, strict=True) if current else ():
        old.source = new.source
    return current


def judge_anew(executed: NotebookNode, run: Record, of_all: DataFrame | None) -> str:
    """Let the cells that judge a run of a paper, if any, say what the rule makes of it today; the sentence, or its own.

    The words are those `of_all` runs, where a scoreboard has written them. A better rule makes no training outdated.
    """
    own = run.about.get("verdict", "")
    if not any(JUDGES.search(cell.source) for cell in executed.cells):
        return own
    sentence, table = verdict(with_numbers(run), run.about["paper"], of_all)
    for cell in executed.cells:
        judges = JUDGES.search(cell.source)
        for data in (output.data for output in cell.get("outputs", []) if "data" in output):
            if judges and "text/html" in data:
                data["text/html"] = plots.table_html(table, judges[1], judges[2], results=False)
            elif data.get("text/markdown") == f"**Verdict.** {own}":
                data["text/markdown"] = f"**Verdict.** {sentence}"
    return sentence


def _prose_and_code(notebook: NotebookNode) -> tuple[list[NotebookNode], list[str]]:
    cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    return [cell for cell in cells if cell.cell_type == "markdown"], code


@dataclass
class Outline:
    """What a page learns of a notebook while it is rendered: its title, and (level, id, text) of headings below it."""

    title: str = ""
    contents: list[tuple[int, str, str]] = field(default_factory=list)
    seen: Counter = field(default_factory=lambda: Counter(OWN_IDS))


class _Prose(IPythonRenderer):
    """Markdown to HTML: formulas as MathML, headings with JupyterLab's ids, tables in boxes that scroll.

    A relative link is as seen from the page; an empty cell of a table heads nothing.
    """

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
        parts = urlsplit(url)
        if not (parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/")):
            url = parts._replace(path=posixpath.normpath(posixpath.join(NOTEBOOKS, parts.path))).geturl()
        return super().link(text, url, title)

    def table(self, text: str) -> str:
        return f'<div class="scroll" role="group" aria-label="Table" tabindex="0"><table>\n{text}</table></div>\n'

    def table_cell(self, text: str, align: str | None = None, head: bool = False) -> str:
        number = ' class="number"' if align == "right" else ""
        return f'<th scope="col"{number}>{text}</th>' if head and text.strip() else f"<td{number}>{text}</td>"

    def inline_math(self, body: str, as_block: bool = False) -> str:
        """A formula as MathML; one that docutils can't read stays as code, so that nothing is lost."""
        try:
            return tex2mathml(body, as_block=as_block)
        except MathError:
            return f"<code>{escape(body)}</code>"

    def block_math(self, body: str) -> str:
        return self.inline_math(body, as_block=True)


def markdown(source: str, outline: Outline, **options) -> Markup:
    """Markdown as HTML; HTML in it is shown as text; with `escape=False` it is passed on, to be sanitised later."""
    return Markup(MarkdownWithMath(_Prose(outline, **options)).render(source))


def log_lines(text: str) -> list[str]:
    """The lines of a log, paths as on any machine, those in the middle of a long one replaced by their number."""
    lines = strip_ansi(PLACE_ON_MACHINE.sub("", text)).replace("\b", "").rstrip().splitlines()
    left_out, half = len(lines) - LOG_LINES, LOG_LINES // 2
    return lines if left_out <= 0 else [*lines[:half], f"[{left_out:,} lines left out]", *lines[-half:]]


def cells_of(notebook: NotebookNode, failed: bool, outline: Outline) -> list[dict]:
    """What the template shows of each cell: `prose`, or `code` with its `role` and its outputs as (kind, content).

    Papermill's markers are left out and, if the run failed, what follows the cell that it stopped in.
    """
    highlight, coalesce = Highlight2HTML(pygments_lexer="ipython3"), CoalesceStreamsPreprocessor()
    shown = []
    for place, cell in enumerate(cell for cell in notebook.cells if MARKER not in cell.metadata.get("tags", [])):
        if cell.cell_type == "markdown":
            shown.append({"prose": markdown(cell.source, outline, escape=False)})
        elif cell.cell_type == "code":
            coalesce.preprocess_cell(cell, {}, place)
            # What a bar that is gone has left stood between the lines that were printed.
            cell.outputs = [output for output in cell.outputs if "text" not in output or log_lines(output.text)]
            coalesce.preprocess_cell(cell, {}, place)
            role = next((tag for tag in cell.metadata.get("tags", []) if tag.endswith("parameters")), "")
            code = Markup(highlight(cell.source)) if cell.source.strip() else ""
            outputs = [_output(output, outline) for output in cell.outputs]
            shown.append({"code": code, "id": f"code-{place}", "role": role, "outputs": [*filter(None, outputs)]})
        if failed and cell.metadata.get("papermill", {}).get("status", "completed") != "completed":
            break
    return shown


def _output(output: NotebookNode, outline: Outline) -> tuple[str, object] | None:
    """An output as its kind and what the template makes of it; None where there is nothing to show."""
    if output.output_type == "stream":
        return "log" if output.name == "stderr" else "printed", log_lines(output.text)
    if output.output_type == "error":
        return "traceback", log_lines("\n".join(output.traceback))
    kind = next((kind for kind in SHOWN_FIRST if kind in output.data), "")
    if not kind:
        return None
    content = output.data[kind]
    if kind.startswith("image/"):  # of a notebook that does not show its figures by `plots.show`
        return "image", f"data:{kind};base64,{content.replace(chr(10), '')}"
    if kind == "text/markdown":
        return "markdown", markdown(content, outline)
    return ("html", Markup(content)) if kind == "text/html" else ("text", content.splitlines())


def deviations(notebook: NotebookNode, parameters: dict) -> list[tuple[str, str, str, str]]:
    """What a run sets otherwise than its notebook, as (name, the notebook's value, this run's, comment)."""
    declared = "\n".join(cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    found = re.findall(r"^(\w+) = (.*?)(?:  # (.*))?$", declared, re.MULTILINE)
    rows = [(name, ast.literal_eval(text), parameters.get(name), comment) for name, text, comment in found]
    set_otherwise = (row for row in rows if row[0] in parameters.keys() - {"run_dir"} and row[1] != row[2])
    return [(name, repr(usual), repr(own), comment) for name, usual, own, comment in set_otherwise]
