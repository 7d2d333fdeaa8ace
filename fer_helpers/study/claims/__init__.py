"""What the papers print: one row of `data/claims.csv` a number, and our results beside it; `checks` asks whether the numbers are possible."""

import pandas as pd

from fer_helpers import paths

COLUMNS = (
    "claim",
    "paper",
    "where",
    "dataset",
    "split",
    "protocol",
    "model",
    "metric",
    "expression",
    "value",
    "unit",
    "decimals",
    "n",
    "note",
)


def load(paper: str = "") -> pd.DataFrame:
    """The printed numbers, of one paper or of all; columns `COLUMNS`, shares as fractions of 1.

    Raises:
        ValueError: no claim of that paper.
    """
    file = paths.PROJECT / "data" / "claims.csv"
    claims = pd.read_csv(
        file,
        dtype={"n": "Int64", "decimals": "Int64"},
        keep_default_na=False,
        na_values={"value": [""], "n": [""], "decimals": [""]},
    )
    if not paper:
        return claims
    of_paper = claims[claims["paper"] == paper]
    if of_paper.empty:
        raise ValueError(
            f"{file} holds no claim of {paper!r}: its papers are {', '.join(sorted(set(claims['paper'])))}"
        )
    return of_paper.reset_index(drop=True)


def beside(results: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Our numbers beside the printed ones, one row for each result that names one of the claims.

    Args:
        results: rows of `results.csv`.
        claims: rows of `data/claims.csv`.

    Returns:
        Columns where, expression, paper (as printed), value (ours), ci_low, ci_high, n, protocol, split, init, in the order of the claims.
    """
    printed = claims[["claim", "where", "value"]].rename(columns={"value": "paper"})
    ours = results.drop(columns="paper")
    joined = printed.merge(ours, on="claim", how="inner")
    return joined[
        ["where", "metric", "expression", "paper", "value", "ci_low", "ci_high", "n", "protocol", "split", "init"]
    ]


def printed_table(results: pd.DataFrame, claims: pd.DataFrame, where: str) -> pd.DataFrame:
    """A table as the paper prints it, cited competitors included, with ours beside the rows that we have results for.

    Args:
        results: rows of `results.csv`.
        claims: rows of `data/claims.csv`.
        where: the printed table, as in `table 1`.

    Returns:
        Columns claim, where, model (the method, as printed), metric, expression, paper (as printed), then ours: value, ci_low, ci_high, n,
        protocol, split, init, seed. A printed row that several results name stands there once for each; one that none names, once, with
        ours missing.
    """
    printed = claims.loc[claims["where"] == where, ["claim", "where", "model", "metric", "expression", "value"]].rename(
        columns={"value": "paper"}
    )
    ours = results[["claim", "value", "ci_low", "ci_high", "n", "protocol", "split", "init", "seed"]]
    return printed.merge(ours, on="claim", how="left")
