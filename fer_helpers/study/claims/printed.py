"""What the papers print: one row of `data/claims.csv` a number, and our results beside it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from fer_helpers import paths

KINDS = ("result", "count", "architecture", "setting", "cited")
COLUMNS = ("claim", "paper", "statement", "where", "kind", "dataset", "split", "protocol", "model", "metric")
COLUMNS += ("expression", "value", "unit", "decimals", "n", "note")
NEEDED = ("paper", "metric", "value", "decimals")
SHARES = "(accuracy|precision|recall|f1|share)(_.*)?"  # metrics that without a unit are fractions of 1
COUNTS = ("images", "errors", "epochs", "sequences", "subjects", "classes")  # metrics, or units of others
COUNTS += ("epoch", "blocks", "channels", "components", "features", "filters", "folds", "layers", "stages")
PERCENT = ("%", "percent", "per cent", "pct")
LARGEST, MOST_DECIMALS, MOST_IMAGES = 1e12, 6, 10_000_000  # more would take checks that try all numbers hours


def load(paper: str = "") -> pd.DataFrame:
    """The printed numbers of the study's papers, or of one of them, as `read` gives them."""
    known = papers()["paper"]
    with of_project("claims.csv", COLUMNS) as (file, cells):
        refuse(file, cells, [("paper", cells["paper"].isin(known), "is in no row of data/papers.csv: add one there")])
        return _checked(file, cells, paper)


def papers() -> pd.DataFrame:
    """Columns `paper` (its key), `authors` with the year, `title` and `link`; in the order in which they are shown."""
    with of_project("papers.csv", ("paper", "authors", "title", "link")) as (_, cells):
        return cells


@contextmanager
def of_project(name: str, columns: Sequence[str]) -> Iterator[tuple[Path, pd.DataFrame]]:
    """The project's own table `data/<name>`, to be read within: where it is, and its cells as text.

    Raises:
        ValueError: it is missing or damaged, as is found here or within; with the way to get it back.
    """
    file = paths.PROJECT / "data" / name
    try:
        cells = _cells(file, columns, columns)
        even = [(it, cells[it].str.count('"') % 2 == 0, "holds a quotation mark without its other") for it in columns]
        refuse(file, cells, even)
        yield file, cells
    except (OSError, ValueError) as error:
        raise ValueError(f"{error} (or restore data/{name} from git)") from error


def read(file: Path, paper: str = "") -> pd.DataFrame:
    """Anybody's table of printed numbers: columns `COLUMNS`, of which only `NEEDED` have to be there.

    Raises:
        ValueError: no claim of that paper, or a fault, with row (the header is row 1) and column.
        OSError: no such file.
    """
    return _checked(file, _cells(file, COLUMNS, NEEDED), paper)


def refuse(file: Path, cells: pd.DataFrame, rules: list[tuple[str, pd.Series, str]]) -> None:
    """Name the first cell that breaks a rule, in a ValueError: by rule a column, which rows are right, what else."""
    for column, right, problem in rules:
        if not right.all():
            row = int(right.to_numpy().argmin())
            raise ValueError(f"{file}: row {row + 2}, column {column}: {cells[column][row]!r} {problem}")


def _cells(file: Path, columns: Sequence[str], needed: Sequence[str]) -> pd.DataFrame:
    try:
        cells = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{file} can't be read as comma-separated text in UTF-8 ({why}): save it as that") from error
    if cells.empty or not isinstance(cells.index, pd.RangeIndex):
        problem = "has more cells than row 1 has columns: quote what holds a comma" if len(cells) else "is missing"
        raise ValueError(f"{file}: row 2 {problem}")
    missing, unknown = [name for name in needed if name not in cells], sorted(set(cells.columns) - set(columns))
    if missing or unknown:
        problem = f"no column {', '.join(missing)}" if missing else f"an unknown column {', '.join(unknown)}"
        problem += " (no commas?)" * (len(cells.columns) == 1)
        raise ValueError(f"{file}: row 1 has {problem}; columns are {', '.join(columns)}")
    return cells.reindex(columns=list(columns), fill_value="").apply(lambda column: column.str.strip())


def _checked(file: Path, rows: pd.DataFrame, paper: str) -> pd.DataFrame:
    rows["metric"] = rows["metric"].str.lower()
    rows["unit"] = rows["unit"].where(rows["unit"].str.lower() != "share", "share")
    ids = [row.claim or f"{row.paper}.row{place}" for place, row in enumerate(rows.itertuples(), 2)]
    units = rows["metric"].str.fullmatch(SHARES).map({True: "share", False: ""})
    for name, default in {"claim": ids, "kind": "result", "where": ids, "statement": ids, "unit": units}.items():
        rows[name] = rows[name].where(rows[name] != "", default)
    numbers = {name: pd.to_numeric(rows[name], errors="coerce") for name in ("value", "decimals", "n")}
    value, decimals, n = numbers.values()
    written, metric = rows["value"].str.partition(".")[2].str.len(), rows["metric"]
    fraction = ((rows["unit"] != "share") | value.between(0, 1)) & ~rows["unit"].str.lower().isin(PERCENT)
    whole = ~(metric.isin(COUNTS) | rows["unit"].isin(COUNTS)) | (value % 1 == 0) & (value >= 0)
    places = decimals.isin(range(MOST_DECIMALS + 1)) & (decimals >= written)
    images = (rows["n"] == "") | n.between(1, MOST_IMAGES) & (n % 1 == 0)
    rules = [
        ("paper", rows["paper"] != "", "is empty"),
        ("metric", metric != "", "is empty"),
        ("kind", rows["kind"].isin(KINDS), f"is not one of {', '.join(KINDS)}"),
        ("value", value.abs() <= LARGEST, f"is not a number, of at most {LARGEST:,.0f}"),
        ("value", fraction, "is no fraction of 1, as its unit or metric says: write 71.02 % as 0.7102"),
        ("value", whole, f"is not a whole number from 0, as {', '.join(COUNTS)} are"),
        ("value", ~metric.str.startswith("loss") | (value >= 0), "is below 0, and a loss"),
        ("value", ~((metric == "errors") & (value > n)), "errors are more than the n images"),
        ("decimals", places, f"is not a whole number from 0 to {MOST_DECIMALS}, and as many as the value has"),
        ("n", images, f"is not a whole number from 1 to {MOST_IMAGES:,}, or empty"),
        ("claim", ~rows["claim"].duplicated(), "stands above already: every id is used once"),
    ]
    refuse(file, rows, rules)
    names = sorted(set(rows["paper"]))
    if paper and paper not in names:
        raise ValueError(f"{file} holds no claim of {paper!r}: its papers are {', '.join(names)}")
    rows = rows.assign(**numbers).astype({"n": "Int64", "decimals": "Int64"})
    return rows[rows["paper"] == paper].reset_index(drop=True) if paper else rows


def paired(results: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Each result that names one of the claims, in their order, with `where` and the printed number as `paper`."""
    printed = claims[["claim", "where", "value"]].rename(columns={"value": "paper"})
    return printed.merge(results.drop(columns="paper"), on="claim")
