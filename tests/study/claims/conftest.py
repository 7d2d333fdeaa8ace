"""Small papers made by hand."""

from collections.abc import Callable

import pandas as pd
import pytest

from fer_helpers.study.claims.printed import COLUMNS

EMPTY = dict.fromkeys(COLUMNS, "") | {"paper": "small_2020", "where": "table 1", "kind": "result"}


@pytest.fixture(scope="session")
def paper() -> Callable[..., pd.DataFrame]:
    """A table of claims; a row gives id without the paper, value as printed, and whatever differs from `EMPTY`."""

    def make(*rows: dict) -> pd.DataFrame:
        filled = []
        for row in rows:
            exact = {"value": float(row["value"]), "decimals": len(row["value"].partition(".")[2])}
            name = f"small_2020.{row['claim']}"
            filled.append(EMPTY | {"unit": "share", "n": None, "statement": name} | row | exact | {"claim": name})
        return pd.DataFrame(filled, columns=COLUMNS).astype({"n": "Int64", "decimals": "Int64"})

    return make
