"""Whether a profile's numbers are those that its predictions give, and its files those that were committed.

    python -m fer_helpers.study.verify reports/<profile>             # or reports/<profile>/<run>, for one run alone
    python -m fer_helpers.study.verify reports/<profile> --seal      # record new files, if all numbers are well

- Each row of `results.csv` that is a score of saved predictions, or follows from other rows, is computed anew.
- The profile's `results.csv` holds the rows of its runs, character by character.
- Each file of each run (tables, page, executed notebook, `run.json`) has its SHA-256 in `reports/<profile>/SHA256SUMS`,
  which `sha256sum --check` reads too, and is as last committed; so are the front page, README and `data`.
- Each run that `notebooks/profiles/<profile>` defines is there, or is listed as absent in `SHA256SUMS`.

What this can't prevent: somebody changes what no prediction gives, seals it and commits. The history of git shows that
(`git log -p -- reports/<profile>/SHA256SUMS`); if it is rewritten too, only an older clone of the repository does.
"""

import argparse
import re
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study import runs

MANIFEST = "SHA256SUMS"
FRONT = [f":(top){name}" for name in ("reports/index.html", "reports/findings.svg", "README.md", "data")]
NO_FILES_OF_A_RUN = re.compile(rf"(.*/)?\..*|[^/]*\.failed(/.*|\.html)|.*/executed\.ipynb|index\.html|{MANIFEST}")
KEYS = list(runs.PREDICTION_KEYS)  # what names a set of scored images
SCORE = [*KEYS, "metric", "expression"]  # what names a score
ROUNDING = 1e-12  # another processor sums to other last digits (of 16)
OVER_SEEDS = re.compile(r"(.+)_(mean|sd)_over_seeds")
DIFFERENCES = ("optimism_of_copies", "optimism_of_scoring_val", "test_less_official_test")
UNREADABLE = (runs.RunError, OSError, EOFError, ValueError, KeyError, IndexError, zlib.error)  # missing or damaged


def scores(predictions: pd.DataFrame, splits: set[str]) -> dict[tuple[str, ...], dict[str, float]]:
    """Value, n, ci_low and ci_high, by `SCORE`, of all that predictions give, also of single folds in `splits`."""
    computed = {}
    for key, rows in predictions.groupby(KEYS, sort=False):
        classes = [name for name in EXPRESSIONS if f"p_{name}" in rows and (rows[f"p_{name}"] != "").any()]
        folds = rows.assign(split=rows["split"] + " fold " + rows["fold"])
        for which, part in ((key, rows), *folds[folds["split"].isin(splits)].groupby(KEYS)):
            for row in _scores_of_one_set(part, classes):
                name = (*which, row.pop("metric"), row.pop("expression"))
                computed.setdefault(name, {"ci_low": np.nan, "ci_high": np.nan} | row)
    return computed


def _scores_of_one_set(rows: pd.DataFrame, classes: list[str]) -> Iterator[dict]:
    labels = rows["label"].map(classes.index).to_numpy()
    probabilities = rows[[f"p_{name}" for name in classes]].astype(float).to_numpy()
    groups = rows["group"].to_numpy() if (rows["group"] != "").any() else None
    yield from evaluation.scores(labels, probabilities, classes, groups=groups).to_dict("records")
    counts = evaluation.confusion(labels, probabilities.argmax(axis=1), len(classes))
    yield {"metric": "errors", "expression": "", "value": len(rows) - np.trace(counts), "n": len(rows)}
    for (label, other), count in pd.DataFrame(counts, classes, classes).stack().items():
        total = int((rows["label"] == label).sum())
        about, (low, high) = {"expression": label, "n": total}, evaluation.proportion_interval(count, total)
        yield {"metric": f"images_predicted_{other}", "value": count} | about
        share = {"value": count / total if total else np.nan, "ci_low": low, "ci_high": high}
        yield {"metric": f"share_predicted_{other}"} | share | about


def _from_other_rows(row: pd.Series, results: pd.DataFrame) -> dict[str, float]:
    """A statistic over seeds, or of all differences of two accuracies the one nearest to what is written."""
    if over := OVER_SEEDS.fullmatch(row["metric"]):
        same = ["expression", *(name for name in KEYS if name != "seed")]
        values = results.loc[(results["metric"] == over[1]) & (results[same] == row[same]).all(axis=1), "value"]
        return {"value": values.astype(float).agg({"mean": "mean", "sd": "std"}[over[2]]), "n": len(values)}
    given = [name for name in ("dataset", "model", "init", "image_size", "seed") if row[name]]
    same = (results["metric"] == "accuracy") & (results[given] == row[given]).all(axis=1)
    differences = (a - b for a, b in permutations(results.loc[same, "value"].astype(float), 2))
    return {"value": min(differences, key=lambda it: abs(it - float(row["value"])), default=np.nan)}


def _on_the_same_images(row: pd.Series, predictions: pd.DataFrame) -> dict[str, float]:
    """How much more often a model is right under the first of two splits, `random less subject`, on images of both."""
    given = [name for name in ("dataset", "model", "init", "seed") if row[name]]
    rows = predictions[(predictions[given] == row[given]).all(axis=1)].replace("", np.nan)
    answers = rows.filter(regex="^p_").astype(float).dropna(axis=1, how="all").idxmax(axis=1).str.removeprefix("p_")
    rows = rows.assign(right=answers == rows["label"])
    first, second = (rows[rows["split"] == split].set_index("image") for split in row["split"].split(" less "))
    pairs = first.join(second["right"].rename("other"), how="inner")
    difference = evaluation.paired_difference(pairs["right"], pairs["other"], groups=pairs["group"])
    return dict(zip(("value", "ci_low", "ci_high"), difference, strict=True)) | {"n": len(pairs)}


def recompute(record: runs.Record) -> tuple[list[str], int]:
    """A sentence on each number of a finished run that its predictions do not give, and how many were computed anew.

    Raises one of `UNREADABLE` where a table is damaged.
    """
    results, complaints, recomputed = record.results, [], 0
    computed = scores(record.predictions, set(results["split"]))
    for _, row in results.iterrows():
        if row["metric"].endswith("_split"):
            expected = _on_the_same_images(row, record.predictions)
        elif OVER_SEEDS.fullmatch(row["metric"]) or row["metric"] in DIFFERENCES:
            expected = _from_other_rows(row, results)
        else:
            expected = computed.get(tuple(row[SCORE]), {})
        where = f"{record.folder}/results.csv, line {row['line']} ({', '.join(filter(None, row[SCORE[::-1]]))})"
        recomputed += bool(expected)
        if not expected and row["metric"] in evaluation.METRICS:
            complaints.append(f"{where}: predictions.csv.gz holds nothing that gives it")
        for column, value in expected.items():
            if not np.isclose(float(row[column] or "nan"), value, rtol=ROUNDING, atol=ROUNDING, equal_nan=True):
                complaints.append(f"{where}: {column} {row[column]} is written, {float(value)} comes out")
    sets = set(record.predictions.groupby(KEYS).groups)
    reported = {"accuracy", *results["metric"]} & set(evaluation.METRICS)  # others were not yet metrics then
    lacking = {name for name in computed if name[-2] in reported and name[:-2] in sets}
    lacking = sorted(lacking.difference(results[SCORE].itertuples(index=False, name=None)))
    complaints += [f"{record.folder}/results.csv lacks a score: {', '.join(filter(None, name))}" for name in lacking]
    return complaints, recomputed


def _files(profile: Path) -> list[str]:
    files = (file.relative_to(profile).as_posix() for file in profile.rglob("*") if file.is_file())
    return sorted(name for name in files if not NO_FILES_OF_A_RUN.fullmatch(name))


def _absent(profile: Path) -> list[str]:
    defined = sorted((paths.notebooks_dir() / "profiles" / profile.resolve().name).glob("*.yaml"))
    return [f"# absent: {file.stem}" for file in defined if not (profile / file.stem / "run.json").exists()]


def seal(profile: Path) -> None:
    """Write `SHA256SUMS`: as comments the runs that are defined and absent, then the hash of each file."""
    lines = _absent(profile) + [f"{paths.file_sha256(profile / name)}  {name}" for name in _files(profile)]
    with paths.written_whole(profile / MANIFEST) as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def changed_files(profile: Path, run: str = "") -> Iterator[str]:
    """Files of a profile, or of one run, that are not as recorded or as committed, and runs that are gone."""
    manifest = profile / MANIFEST
    lines = manifest.read_text(encoding="utf-8", errors="replace").splitlines() if manifest.is_file() else []
    recorded = {line[66:]: line[:64] for line in lines if not line.startswith("#")}
    if not recorded:
        yield f"{manifest} is missing or empty: --seal writes it"
    names = sorted({*recorded, *_files(profile)}) if recorded else []
    for name in (name for name in names if not run or name.startswith((f"{run}/", f"{run}.html"))):
        file = profile / name
        if not file.is_file() or recorded.get(name) != paths.file_sha256(file):
            why = "is gone" if not file.is_file() else "was changed" if name in recorded else "is not recorded"
            yield f"{file} {why}: {MANIFEST} says otherwise"
    for line in [] if run else sorted({*_absent(profile)} - {*lines}):
        gone = profile / line.removeprefix("# absent: ")
        yield f"{gone} is gone: notebooks/profiles defines it, and {MANIFEST} does not list it as absent"
    listed = ["ls-files", "-v", "--error-unmatch", "--", MANIFEST, "."]
    front = ["ls-files", "-v", "--", *FRONT]
    status = ["status", "--porcelain", "--untracked-files=all", "--", *([run, f"{run}.html"] if run else [".", *FRONT])]
    git = {"cwd": profile, "stderr": subprocess.PIPE, "text": True}
    try:
        files, of_front, changes = (subprocess.check_output(["git", *each], **git) for each in (listed, front, status))
        for mark, name in ((line[0], line[2:]) for line in (files + of_front).splitlines()):
            if mark.islower() or mark == "S":
                undo = "--no-skip-worktree" if mark in "Ss" else "--no-assume-unchanged"
                yield f"git was told not to look at {name}: git update-index {undo} {name}"
        yield from (f"not as committed: {line}" for line in changes.splitlines())
    except (OSError, subprocess.CalledProcessError) as error:
        yield f"nothing confirms {manifest} here: {getattr(error, 'stderr', str(error)).strip()}"


def verify(folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Verify `reports/<profile>`, or one run in it: a line on each run, and what is wrong with numbers and with files.

    FileNotFoundError if there is no finished run.
    """
    one = (folder / "run.json").exists()
    profile, summary, numbers = folder.parent if one else folder, [], []
    for file in [folder / "run.json"] if one else sorted(profile.glob("[!.]*/run.json")):
        try:
            record = runs.read(file.parent)
            if record.status == "finished":
                complaints, recomputed = recompute(record)
                numbers += complaints
                summary.append(f"{record.name}: {recomputed:,} of {len(record.results):,} rows computed anew")
        except UNREADABLE as error:
            numbers.append(f"{file.parent} can't be read: {error}")
    if not summary and not numbers:
        raise FileNotFoundError(f"no finished run in {folder}: name reports/<profile> or reports/<profile>/<run>")
    try:
        rows = "" if one else runs.joined_results(profile).to_csv(index=False, lineterminator="\n")
        if not one and (profile / "results.csv").read_text(encoding="utf-8") != rows:
            numbers.append(f"{profile / 'results.csv'} does not hold the rows of its runs: make study joins them anew")
    except UNREADABLE as error:
        numbers.append(f"a results.csv in {profile} can't be read: {error}")
    return summary, numbers, list(changed_files(profile, folder.name if one else ""))


def main(arguments: list[str] | None = None) -> int:
    """Print what came of each run and every difference; 1 if there is one that `--seal` has not settled."""
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.study.verify", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="reports/<profile> or reports/<profile>/<run>")
    parser.add_argument("--seal", action="store_true", help=f"if all numbers are well, record the files in {MANIFEST}")
    options = parser.parse_args(arguments)
    try:
        summary, numbers, files = verify(options.folder)
    except FileNotFoundError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        parser.exit(130, "stopped by hand: nothing was verified, nothing sealed\n")
    if options.seal and (options.folder / "run.json").exists():
        parser.error(f"--seal is for a whole profile: name {options.folder.parent}")
    print(*summary, *numbers, *files, sep="\n")
    if options.seal and not numbers:
        seal(options.folder)
        print(f"Sealed: commit {options.folder / MANIFEST} with the files that it records.")
        return 0
    wrong = len(numbers) + len(files)
    print(f"{wrong:,} differences" if wrong else "All is as committed, and as computed anew.")
    return int(wrong > 0)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ends in silence where `| head` has read enough
    sys.exit(main())
