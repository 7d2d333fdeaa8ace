"""What the papers print: one row of `data/claims.csv` a number, and our results beside it."""

from pathlib import Path

import pandas as pd

from fer_helpers import paths

KINDS = ("result", "count", "architecture", "setting", "cited")
COLUMNS = (
    *("claim", "paper", "statement", "where", "kind", "dataset", "split", "protocol", "model", "metric", "expression"),
    *("value", "unit", "decimals", "n", "note"),
)
NEEDED = ("paper", "metric", "value", "decimals")


def load(paper: str = "") -> pd.DataFrame:
    """The printed numbers, of one paper or of all; columns `COLUMNS`, shares as fractions of 1.

    Raises:
        ValueError: no claim of that paper, or a fault in the file (`read`).
    """
    file = paths.PROJECT / "data" / "claims.csv"
    claims = read(file)
    if paper and paper not in set(claims["paper"]):
        known = ", ".join(sorted(set(claims["paper"])))
        raise ValueError(f"{file} holds no claim of {paper!r}: its papers are {known}")
    return claims[claims["paper"] == paper].reset_index(drop=True) if paper else claims


def read(file: Path) -> pd.DataFrame:
    """Anybody's table of printed numbers: columns `NEEDED`, and any others of `COLUMNS`; what is missing is filled in.

    Raises:
        ValueError: a fault, with row (the header is row 1) and column; a missing file is pandas' error.
    """
    rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    missing, unknown = [name for name in NEEDED if name not in rows], sorted(set(rows.columns) - set(COLUMNS))
    if missing or unknown:
        problem = f"has no column {', '.join(missing)}" if missing else f"has an unknown column {', '.join(unknown)}"
        raise ValueError(f"{file}: row 1 {problem}; see python -m fer_helpers.study.claims --help")
    rows = rows.assign(**{name: "" for name in COLUMNS if name not in rows})[list(COLUMNS)]
    numbered = [f"{row.paper}.row{place}" for place, row in enumerate(rows.itertuples(), 2)]
    rows["claim"] = rows["claim"].where(rows["claim"] != "", numbered)
    rows["kind"] = rows["kind"].where(rows["kind"] != "", "result")
    for name in ("where", "statement"):
        rows[name] = rows[name].where(rows[name] != "", rows["claim"])
    numbers = {name: pd.to_numeric(rows[name], errors="coerce") for name in ("value", "decimals", "n")}
    whole = numbers["n"].isna() | (numbers["n"] % 1 == 0)
    faults = {
        "paper": (rows["paper"] == "", "is empty"),
        "metric": (rows["metric"] == "", "is empty"),
        "kind": (~rows["kind"].isin(KINDS), f"is not one of {', '.join(KINDS)}"),
        "value": (numbers["value"].isna(), "is not a number"),
        "decimals": (
            ~numbers["decimals"].between(0, 12) | (numbers["decimals"] % 1 != 0),
            "is not a whole number from 0 to 12",
        ),
        "n": (
            (rows["n"] != "") & ~(numbers["n"] >= 1) | ~whole,
            "is not a whole number of 1 or more; leave it empty if none is printed",
        ),
        "claim": (rows["claim"].duplicated(), "stands above already: every id is used once"),
    }
    share = (rows["unit"] == "share") & ~numbers["value"].between(0, 1)
    faults["unit"] = (share, "makes the value a fraction of 1, from 0 to 1: write 71.02 % as 0.7102 with 4 decimals")
    for column, (wrong, problem) in faults.items():
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            raise ValueError(f"{file}: row {row + 2}, column {column}: {rows[column][row]!r} {problem}")
    return rows.assign(**numbers).astype({"n": "Int64", "decimals": "Int64"})


def beside(results: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Our numbers beside the printed ones: a row for each result that names one of the claims, in their order.

    Returns:
        The columns of `results.csv`, `where`, and `paper`: the printed number in place of the paper's key.
    """
    printed = claims[["claim", "where", "value"]].rename(columns={"value": "paper"})
    return printed.merge(results.drop(columns="paper"), on="claim", how="inner")


def printed_table(results: pd.DataFrame, claims: pd.DataFrame, where: str) -> pd.DataFrame:
    """A table as the paper prints it, cited competitors included, with ours beside the rows that we have results for.

    Args:
        results: rows of `results.csv`.
        claims: rows of `data/claims.csv`.
        where: the printed table, as in `table 1`: one of the places of a claim.

    Returns:
        Columns claim, where, model (the method, as printed), metric, expression, paper (as printed), then ours: value,
        ci_low, ci_high, n, protocol, split, init, seed; a row for each result that names the claim, or one with ours
        missing.
    """
    there = claims["where"].str.split("; ").map(lambda places: where in places)
    printed = claims.loc[there, ["claim", "where", "model", "metric", "expression", "value"]].rename(
        columns={"value": "paper"}
    )
    ours = results[["claim", "value", "ci_low", "ci_high", "n", "protocol", "split", "init", "seed"]]
    return printed.merge(ours, on="claim", how="left")
