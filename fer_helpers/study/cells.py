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

OWN_IDS = ("main", "provenance", "rows", "verdict")  # of the page itself, which no heading of a notebook may take
LOG_LINES = 200  # a longer log keeps this many lines, half from its start and half from its end
NOTEBOOKS = "../../notebooks"  # where relative links in a notebook start, seen from its page in reports/<profile>/
SHOWN_FIRST = ("text/html", "text/markdown", "image/png", "image/jpeg", "text/plain")
# What stands before these folders in a path is particular to the machine that ran the notebook.
PLACE_ON_MACHINE = re.compile(
    r"(?:[A-Za-z]:)?[\\/][^\s'\":]*[\\/](?=(?:site-packages|fer_helpers|notebooks|reports)[\\/])"
)
PAPERMILL_MARKER = "papermill-error-cell-tag"  # of cells in which papermill announces a failure; the page has a banner


def read(file: Path) -> NotebookNode:
    """The notebook in `executed.ipynb.gz`, not validated, which would take as long as its page."""
    return reads(gzip.decompress(file.read_bytes()).decode())


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
