"""What the papers print: one row of `data/claims.csv` a number, and our results beside it."""

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
    file = paths.PROJECT / "data" / "claims.csv"
    rows = read(file, paper)
    known = rows["paper"].isin(pd.read_csv(file.with_name("papers.csv"))["paper"]).to_numpy()
    if not known.all():
        row, strange = int(known.argmin()) + 2, rows["paper"][int(known.argmin())]
        raise ValueError(f"{file}: row {row}, column paper: {strange!r} is in no row of data/papers.csv: add one there")
    return rows


def read(file: Path, paper: str = "") -> pd.DataFrame:
    """Anybody's table of printed numbers: columns `COLUMNS`, of which only `NEEDED` have to be there.

    Raises:
        ValueError: no claim of that paper, or a fault, with row (the header is row 1) and column.
        OSError: no such file.
    """
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except ValueError as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{file} can't be read as comma-separated text in UTF-8 ({why}): save it as that") from error
    if rows.empty or not isinstance(rows.index, pd.RangeIndex):
        problem = "has more cells than row 1 has columns: quote what holds a comma" if len(rows) else "is missing"
        raise ValueError(f"{file}: row 2 {problem}")
    missing, unknown = [name for name in NEEDED if name not in rows], sorted(set(rows.columns) - set(COLUMNS))
    problem = f"an unknown column {', '.join(unknown)}" if unknown else ""
    if missing:
        problem = f"no column {', '.join(missing)}{' (no commas?)' * (len(rows.columns) == 1)}"
    if problem:
        raise ValueError(f"{file}: row 1 has {problem}; see python -m fer_helpers.study.claims --help")
    rows = rows.reindex(columns=list(COLUMNS), fill_value="").apply(lambda column: column.str.strip())
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
    for column, right, problem in rules:
        if not right.all():
            row = int(right.to_numpy().argmin())
            raise ValueError(f"{file}: row {row + 2}, column {column}: {rows[column][row]!r} {problem}")
    papers = sorted(set(rows["paper"]))
    if paper and paper not in papers:
        raise ValueError(f"{file} holds no claim of {paper!r}: its papers are {', '.join(papers)}")
    rows = rows.assign(**numbers).astype({"n": "Int64", "decimals": "Int64"})
    return rows[rows["paper"] == paper].reset_index(drop=True) if paper else rows


def paired(results: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Each result that names one of the claims, in their order, with `where` and the printed number as `paper`."""
    printed = claims[["claim", "where", "value"]].rename(columns={"value": "paper"})
    return printed.merge(results.drop(columns="paper"), on="claim")
