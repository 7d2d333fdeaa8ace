"""Print what the consistency checks find in the papers: `python -m fer_helpers.study.claims`."""

import argparse
import sys

import pandas as pd

from fer_helpers.study import claims
from fer_helpers.study.claims import checks


def main(arguments: list[str] | None = None) -> None:
    """Check every claim and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.study.claims",
        description="Check every number that the papers print for consistency.",
    )
    parser.add_argument("--csv", action="store_true", help="print CSV, not an aligned table")
    chosen = parser.parse_args(arguments)
    found = checks.check(claims.load())
    if chosen.csv:
        found.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(aligned(found))


def aligned(found: pd.DataFrame) -> str:
    """The table as text, a line a row, the note last and unpadded; then how many rows say what."""
    cells = found.astype("string").fillna("")
    widths = [max(len(name), cells[name].str.len().max()) for name in found.columns[:-1]]
    lines = [[*found.columns], *cells.to_numpy().tolist()]
    counted = found["attainable"].value_counts()
    summary = f"{len(found)} rows for {found['claim'].nunique()} claims: {', '.join(f'{counted.get(word, 0)} {word}' for word in ('yes', 'no', 'unknown'))}"
    return "\n".join(
        [
            "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]])
            for line in lines
        ]
        + ["", summary]
    )


if __name__ == "__main__":
    main()
