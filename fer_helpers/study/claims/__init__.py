"""What the papers print, whether it can be true, and what came of it here: one word for each number, by one rule."""

from fer_helpers.study.claims.printed import load, paired, read
from fer_helpers.study.claims.verdicts import WORDS, finished_runs, headline, judge, measured, statements, verdict

__all__ = ["WORDS", "finished_runs", "headline", "judge", "load", "measured", "paired", "read", "statements", "verdict"]
