"""Jinja templates, style and script of the pages, and the one place where a page is made safe and written.

What is put into a template is escaped, the page's content is sanitised once more as a whole, and a
Content-Security-Policy allows no style and no script but the page's own, known by their hashes.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

import jinja2
import nh3
from markupsafe import Markup

from fer_helpers import paths, plots

FOLDER = Path(__file__).parent
FILES = sorted(file for file in FOLDER.iterdir() if file.suffix in (".j2", ".css", ".js", ".py"))
HTML = {"data", "form", "input", "label", "main", "option", "section", "select"} | nh3.ALLOWED_TAGS
MATHML = (
    "math mrow mi mn mo mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover mtable mtr mtd mstyle"
)
SVG = "svg g path line circle rect text tspan polygon title desc"
ATTRIBUTES = {
    "*": "class id role tabindex scope title lang hidden",
    "a": "href",
    "data": "value",
    "details": "open",
    "img": "src alt",
    "input": "type name autocomplete",
    "option": "value",
    "select": "name",
    "td": "colspan rowspan",
    "th": "colspan rowspan",
    "math": "display xmlns",
    **dict.fromkeys(
        MATHML.split()[1:], "mathvariant stretchy accent fence form displaystyle columnalign width linethickness"
    ),
    **dict.fromkeys(SVG.split(), "viewBox x y x1 y1 x2 y2 cx cy r width height d transform text-anchor points xmlns"),
}


@cache
def environment() -> jinja2.Environment:
    """The templates of this folder, with `sanitised` as a filter and the page's own style and script."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    found.globals["zip"] = zip
    found.filters |= {"sanitised": sanitised, "number": plots.number_text}
    for name in ("style.css", "index.js"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        found.globals[name.partition(".")[0]] = Markup(text)
        found.globals[f"{name.partition('.')[0]}_hash"] = b64encode(sha256(text.encode()).digest()).decode()
    style = found.globals["style"].splitlines()
    found.globals["figure_style"] = Markup("\n".join(line for line in style if line.startswith(".findings")))
    return found


def sanitised(html: str) -> Markup:
    """HTML without what could run or fetch: only known elements and attributes, links, and pictures as data."""
    clean = nh3.clean(
        str(html),
        tags={*HTML, *MATHML.split(), *SVG.split()},
        attributes={tag: set(names.split()) for tag, names in ATTRIBUTES.items()},
        generic_attribute_prefixes={"aria-", "data-"},
        url_schemes={"http", "https", "data"},
        attribute_filter=_local,
        link_rel=None,
    )
    return Markup(clean)


def _local(tag: str, name: str, value: str) -> str | None:
    """Pictures only as data, and nothing else as data."""
    as_data = value.lstrip().lower().startswith("data:")
    if name == "src":
        return value if value.startswith(("data:image/png;", "data:image/jpeg;")) else None
    return None if as_data and name == "href" else value


def write(template: str, target: Path, **content) -> Path:
    """Fill a template, write it to a file, and say where."""
    page = environment().get_template(template).render(**content)
    with paths.written_whole(target) as partial:
        partial.write_text(page, encoding="utf-8")
    return target
