"""Jinja templates, style and script of the pages, and the one place where a page is made safe and written.

What is put into a template is escaped, the page's content is sanitised once more as a whole, and a
Content-Security-Policy allows no style and no script but the page's own, known by their hashes.
"""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

import jinja2
import nh3
from markupsafe import Markup

from fer_helpers import paths, plots
from fer_helpers.study.claims.published import NAMES
from fer_helpers.study.claims.verdicts import several

FOLDER = Path(__file__).parent
ROWS_SHOWN = 2_500  # of a run's results.csv in its page, which stays below 3 MB
FILES = sorted(file for file in FOLDER.iterdir() if file.suffix in (".j2", ".css", ".js", ".py"))
PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/webp;")
HTML = {"data", "form", "input", "label", "main", "option", "section", "select"} | nh3.ALLOWED_TAGS
DRAWN = "svg g path line circle rect text tspan polygon title desc math mrow mi mn mo mtext mspace msup msub msubsup "
DRAWN += "mfrac msqrt mroot mover munder munderover mtable mtr mtd mstyle"
OF_DRAWN = "viewBox x y x1 y1 x2 y2 cx cy r width height d transform text-anchor points xmlns mathvariant stretchy "
OF_DRAWN += "accent fence form display displaystyle columnalign linethickness"
ATTRIBUTES = {"*": "class id role tabindex scope title lang hidden", "a": "href", "img": "src alt", "details": "open"}
ATTRIBUTES |= {"data": "value", "option": "value", "input": "type name autocomplete", "select": "name"}
ATTRIBUTES |= {"td": "colspan rowspan", "th": "colspan rowspan"} | dict.fromkeys(DRAWN.split(), OF_DRAWN)
SCHEMES, PREFIXES = {"http", "https", "data"}, {"aria-", "data-"}


@cache
def environment() -> jinja2.Environment:
    """The templates of this folder, with filters for numbers and names, and the page's own style and script."""
    loader = jinja2.FileSystemLoader(FOLDER)
    found = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {"sanitised": sanitised, "number": number, "named": named}
    found.globals |= {"rows_shown": ROWS_SHOWN, "several": several}
    for name, file in {"style": "style.css", "index": "index.js"}.items():
        text = (FOLDER / file).read_text(encoding="utf-8")
        found.globals |= {name: Markup(text), f"{name}_hash": b64encode(sha256(text.encode()).digest()).decode()}
    return found


def named(parts: list[str]) -> str:
    """Parts that are not empty, joined by commas, with data sets and files of weights under names that readers know."""
    text = re.sub("|".join(NAMES), lambda key: NAMES[key[0]], ", ".join(filter(None, parts)))
    return re.sub(r"(\w+)\.(\S+)\.weights\.h5", r"begun from the body of \1/\2", text)


def number(value: float, unit: str = "share", decimals: int = 3) -> str:
    """A number as printed: shares in percent, of others the thousands apart, but of a year, which has no unit."""
    places = int(decimals)
    text = plots.number_text(float(value), f".{max(places - 2, 0)}%" if unit == "share" else f",.{places}f")
    return text if unit or abs(value) > 9_999 else text.replace(",", "")


def sanitised(html: str) -> Markup:
    """HTML without what could run or fetch: only known elements and attributes, links, and pictures as data."""
    attributes = {tag: set(names.split()) for tag, names in ATTRIBUTES.items()}
    allowed = {"tags": HTML | {*DRAWN.split()}, "attributes": attributes, "generic_attribute_prefixes": PREFIXES}
    return Markup(nh3.clean(str(html), **allowed, url_schemes=SCHEMES, attribute_filter=_local, link_rel=None))


def _local(_: str, name: str, value: str) -> str | None:
    """Pictures only as data, and links to anything else."""
    if name == "src":
        return value if value.startswith(PICTURES) else None
    return None if name == "href" and value.lstrip().lower().startswith("data:") else value


def write(template: str, target: Path, **content) -> Path:
    """Fill a template, write it to a file, and say where."""
    before, mark, rows = environment().get_template(template).render(**content).partition('<table class="rows">')
    with paths.written_whole(target) as partial:  # of all rows HTML lets one leave out the end tags, a fifth of a page
        partial.write_text(before + mark + re.sub("</t[dr]>", "", rows), encoding="utf-8")
    return target
