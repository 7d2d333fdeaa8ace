"""What the papers print, whether it can be true, and what came of it here: one word for each number, by one rule."""

from fer_helpers.study.claims.printed import COLUMNS, KINDS, beside, load, printed_table, read
from fer_helpers.study.claims.verdicts import (
    WORDS,
    finished_runs,
    headline,
    judge,
    measured,
    statements,
    tally,
    verdict,
)

__all__ = ["COLUMNS", "KINDS", "WORDS", "beside", "finished_runs", "headline", "judge", "load", "measured"]
__all__ += ["printed_table", "read", "statements", "tally", "verdict"]
