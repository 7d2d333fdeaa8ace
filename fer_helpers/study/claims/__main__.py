"""Check anybody's table of printed numbers: `python -m fer_helpers.study.claims FILE.csv`."""

import argparse
import signal
import sys
from pathlib import Path

from fer_helpers.study import claims
from fer_helpers.study.claims import checks

ABOUT = "Can printed numbers be true, and do they agree with each other and with what was published?"
HOW = """FILE.csv has one row a printed number, and a header. Needed columns: paper, metric, value, decimals (as
printed: 0.71 and 0.7100 are not the same). Others, as far as they are known: claim (an id), where, kind (result, count,
architecture, setting, cited), dataset, split (train, val, test, all), model, expression, unit (share: a fraction of 1),
n (images that a share is of), protocol, note (one that begins with `open: ` says why a number can't be tested, with
`ambiguous: ` which readings disagree). A share without n can't be judged. Metrics that checks know: accuracy,
precision, recall, loss, errors, images, epochs and more; data/README.md has an example. Without FILE.csv the numbers of
this study's four papers are checked."""


def main(arguments: list[str] | None = None) -> None:
    """Check every number and print a line for each; ends with one on stderr and exit code 1 if a file can't be read."""
    parser = argparse.ArgumentParser("python -m fer_helpers.study.claims", description=ABOUT, epilog=HOW)
    parser.add_argument("file", nargs="?", type=Path, help="table of printed numbers; see below")
    parser.add_argument("--csv", action="store_true", help="print all findings as CSV")
    chosen = parser.parse_args(arguments)
    try:
        printed = claims.read(chosen.file) if chosen.file else claims.load()
    except (OSError, ValueError) as error:
        sys.exit(f"{error}; see python -m fer_helpers.study.claims --help")
    found = checks.check(printed)
    if chosen.csv:
        found.to_csv(sys.stdout, index=False, lineterminator="\n")
        return
    judged, first = claims.judge(printed), found.drop_duplicates("claim", ignore_index=True)
    if chosen.file:  # why nothing of ours tests it is of no interest in a table of others' papers
        judged["reason"] = judged["reason"].where(judged["word"] != "not tested", first["word"] + ". " + first["note"])
    for row in judged.itertuples():
        print(f"{row.word:<18} {row.claim} = {row.printed:.{row.decimals}f}: {row.reason}")
    print(f"\n{len(judged)} printed number{'s' * (len(judged) != 1)}. {claims.headline(judged)}")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ends in silence where `| head` has read enough
    main()
