"""Whether the committed numbers are those that the saved predictions give.

    python -m fer_helpers.study.verify reports/<profile>             # every finished run; or reports/<profile>/<run>
    python -m fer_helpers.study.verify reports/<profile> --seal      # then give older runs their checks and hashes

Four things are held against one another, and each difference is a line that names file, line and row:

- every row of a run's `results.csv` that is a score of saved predictions, or follows from other rows, against the same number computed anew;
- every row of a run's `results.csv` against the profile's, `reports/<profile>/results.csv`, character by character;
- every row of `predictions.csv.gz` against its `check`; where an older file has none, whether its probabilities add up to 1;
- the files of a run against their SHA-256 in `run.json`, where it holds them.
"""

import argparse
import gzip
import io
import math
import re
import sys
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pandas as pd

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import EXPRESSIONS, OTHER_CATEGORIES
from fer_helpers.study.runs import Record as RunRecord
from fer_helpers.study.runs import read_profile as read_runs
from fer_helpers.study.runs import (
    COLUMNS,
    HASHED,
    PREDICTION_KEYS,
    PROBABILITY_DECIMALS,
    row_check,
    with_check,
    write_csv,
    write_json,
)

# Another processor, or an array laid out otherwise in memory, sums logarithms to other last digits (of 16); one that was changed
# there by hand still differs from the profile's results.csv.
ROUNDING = 1e-12
FOLD = re.compile(r"(?P<split>.+) fold (?P<fold>\d+)")
OVER_SEEDS = re.compile(r"(?P<metric>.+)_(?P<statistic>mean|sd)_over_seeds")
PREDICTED_AS = re.compile(r"(?P<what>share|images)_predicted_(?P<expression>.+)")
DIFFERENCES_OF_ACCURACIES = (
    "optimism_of_copies",
    "optimism_of_random_split",
    "optimism_of_scoring_val",
    "test_less_official_test",
)
UNREADABLE = (OSError, EOFError, ValueError, zlib.error)  # a missing or damaged file, gzip or CSV


@dataclass
class Verification:
    """What came of verifying one run.

    Attributes:
        run: its name.
        differences: a sentence for each, naming file, line and row; none is how it should be.
        recomputed: rows of results.csv that were computed anew.
        others: how many were not, by metric up to its colon: counts of the data, architecture, training curves.
        hashed: whether run.json holds hashes of the files.
    """

    run: str
    differences: list[str]
    recomputed: int = 0
    others: Counter[str] = field(default_factory=Counter)
    hashed: bool = True

    def __str__(self) -> str:
        """One line for the terminal."""
        others = ", ".join(f"{metric} {count}" if count > 1 else metric for metric, count in self.others.items())
        hashes = "" if self.hashed else "; run.json holds no hashes"
        return (
            f"{self.run}: {len(self.differences):,} differences; {self.recomputed:,} rows recomputed, "
            f"{self.others.total():,} not from predictions{f' ({others})' if others else ''}{hashes}"
        )


# --------------------------------------------------------------------------------------------------------- predictions


@dataclass(frozen=True)
class ScoredSet:
    """What one model said of one set of images.

    Attributes:
        rows: its rows of predictions.csv.gz as text, with the columns `place` (of the label in `classes`) and those of `PREDICTION_KEYS`.
        classes: expression of each column of `probabilities`.
        probabilities: float array (n, len(classes)).
    """

    rows: pd.DataFrame
    classes: list[str]
    probabilities: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Places in `classes`, int array (n,)."""
        return self.rows["place"].to_numpy("int64")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Every metric, by (metric, expression)."""
        groups = self.rows["group"].to_numpy() if (self.rows["group"] != "").any() else None
        return evaluation.scores(self.labels, self.probabilities, self.classes, groups=groups).set_index(
            ["metric", "expression"]
        )

    @cached_property
    def confusion(self) -> pd.DataFrame:
        """Images by label and prediction."""
        counts = evaluation.confusion(self.labels, self.probabilities.argmax(axis=1), len(self.classes))
        return pd.DataFrame(counts, index=self.classes, columns=self.classes)

    def of_fold(self, fold: str) -> "ScoredSet":
        """The images of one fold alone."""
        kept = (self.rows["fold"] == fold).to_numpy()
        return ScoredSet(self.rows[kept], self.classes, self.probabilities[kept])


def read_predictions(file: Path) -> tuple[pd.DataFrame, list[str]]:
    """The rows of predictions.csv.gz as text, `line` in the file beside them, and a sentence for each that was changed since.

    Files written before `fold`, `group` and `check` were columns have the first two empty, and only the sums of their rows are tested.

    Raises:
        ValueError: a column is missing, or the text is no CSV.
    """
    text = gzip.decompress(file.read_bytes()).decode()
    frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    missing = {*PREDICTION_KEYS, "image", "label"} - set(frame)
    if missing:
        raise ValueError(f"it has no column {', '.join(sorted(missing))}")
    frame["line"] = frame.index + 2
    lines = text.removesuffix("\n").split("\n")[1:]
    frame = frame.assign(**{column: "" for column in ("fold", "group") if column not in frame})
    changed = _fails_check(lines) if "check" in frame else _adds_up_to_another(frame)
    why = "its text does not give its check" if "check" in frame else "its probabilities do not add up to 1"
    return frame, [f"{file}, line {row['line']} ({_named(row)}): {why}" for _, row in frame[changed].iterrows()]


def _fails_check(lines: list[str]) -> np.ndarray:
    parts = (line.rpartition(",") for line in lines)
    return np.array([row_check(text) != check for text, _, check in parts])


def _adds_up_to_another(frame: pd.DataFrame) -> np.ndarray:
    probabilities = frame.filter(regex="^p_").apply(pd.to_numeric, errors="coerce")
    # Each of them was rounded, from a float32.
    tolerance = 10**-PROBABILITY_DECIMALS * probabilities.notna().sum(axis=1)
    return ~((probabilities.sum(axis=1) - 1).abs() <= tolerance).to_numpy()


def scored_sets(predictions: pd.DataFrame, file: Path) -> tuple[dict[tuple[str, ...], ScoredSet], list[str]]:
    """The sets of images in predictions.csv.gz by `PREDICTION_KEYS`, and a sentence for each row that can't be scored."""
    sets, complaints = {}, []
    for key, rows in predictions.groupby(list(PREDICTION_KEYS), sort=False):
        classes = [name for name in _classes(rows) if (rows[f"p_{name}"] != "").any()]
        probabilities = rows[[f"p_{name}" for name in classes]].apply(pd.to_numeric, errors="coerce")
        place = rows["label"].map({name: place for place, name in enumerate(classes)})
        usable = place.notna() & probabilities.notna().all(axis=1)
        complaints += [
            f"{file}, line {row['line']} ({_named(row)}): label {row['label']!r} or a probability is none"
            for _, row in rows[~usable].iterrows()
        ]
        if usable.any():
            sets[key] = ScoredSet(rows.assign(place=place)[usable], classes, probabilities[usable].to_numpy())
    return sets, complaints


def _classes(predictions: pd.DataFrame) -> list[str]:
    """The expressions that have a column, in the order in which models have them as outputs."""
    columns = [column.removeprefix("p_") for column in predictions if column.startswith("p_")]
    known = [name for name in (*EXPRESSIONS, *OTHER_CATEGORIES) if name in columns]
    return known + [name for name in columns if name not in known]


# ------------------------------------------------------------------------------------------------------------- results


def read_results(file: Path) -> pd.DataFrame:
    """The rows of a results.csv as text, and `line` in the file beside them.

    Raises:
        ValueError: it has other columns than `results.COLUMNS`.
    """
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise ValueError(f"it has the columns {', '.join(frame.columns)}, not {', '.join(COLUMNS)}")
    return frame.assign(line=frame.index + 2)


def recompute(row: pd.Series, sets: dict[tuple[str, ...], ScoredSet], results: pd.DataFrame) -> dict[str, float] | None:
    """The numbers of a row of results.csv, by column, from the predictions or from other rows; None where neither gives them."""
    metric = row["metric"]
    if over := OVER_SEEDS.fullmatch(metric):
        return _over_seeds(row, over["metric"], over["statistic"], results)
    if metric in DIFFERENCES_OF_ACCURACIES:
        return _nearest_difference(row, results)
    scored = _set_of(row, sets)
    if scored is None:
        return None
    if metric in evaluation.METRICS:
        place = (metric, row["expression"])
        return (
            scored.scores.loc[place, ["value", "n", "ci_low", "ci_high"]].to_dict()
            if place in scored.scores.index
            else None
        )
    if metric == "errors":
        return {"value": len(scored.rows) - np.trace(scored.confusion), "n": len(scored.rows)}
    as_other = PREDICTED_AS.fullmatch(metric)
    return _predicted_as(row, as_other, scored.confusion) if as_other else None


def _set_of(row: pd.Series, sets: dict[tuple[str, ...], ScoredSet]) -> ScoredSet | None:
    key = tuple(row[column] for column in PREDICTION_KEYS)
    part = FOLD.fullmatch(row["split"])
    if key in sets or not part:
        return sets.get(key)
    pooled = sets.get(tuple(part["split"] if column == "split" else row[column] for column in PREDICTION_KEYS))
    of_fold = pooled and pooled.of_fold(part["fold"])
    return of_fold if of_fold and len(of_fold.rows) else None


def _predicted_as(row: pd.Series, metric: re.Match, confusion: pd.DataFrame) -> dict[str, float] | None:
    """How many images of one expression, or what share of them, are taken for another."""
    label, other = row["expression"], metric["expression"]
    if label not in confusion.index or other not in confusion.columns:
        return None
    count, total = int(confusion.loc[label, other]), int(confusion.loc[label].sum())
    if metric["what"] == "images":
        return {"value": count, "n": total}
    low, high = evaluation.proportion_interval(count, total)
    return {"value": count / total if total else math.nan, "n": total, "ci_low": low, "ci_high": high}


def _over_seeds(row: pd.Series, metric: str, statistic: str, results: pd.DataFrame) -> dict[str, float] | None:
    same = ["expression", *(column for column in PREDICTION_KEYS if column != "seed")]
    values = results.loc[(results["metric"] == metric) & (results[same] == row[same]).all(axis=1), "value"]
    if values.empty:
        return None
    return {"value": getattr(evaluation.over_seeds(_numbers(values)), statistic), "n": len(values)}


def _nearest_difference(row: pd.Series, results: pd.DataFrame) -> dict[str, float] | None:
    """Of the differences of two accuracies of the same data set and model, the one nearest to what is written."""
    given = [column for column in ("dataset", "model", "init", "image_size", "seed") if row[column]]
    accuracies = _numbers(
        results.loc[(results["metric"] == "accuracy") & (results[given] == row[given]).all(axis=1), "value"]
    )
    differences = np.subtract.outer(accuracies, accuracies)[~np.eye(len(accuracies), dtype=bool)]
    if not len(differences):
        return None
    distances = np.abs(differences - _number(row["value"]))
    return {"value": float(differences[np.nan_to_num(distances, nan=np.inf).argmin()])}


def _numbers(texts: pd.Series) -> np.ndarray:
    return np.array([_number(text) for text in texts])


def _number(text: str) -> float:
    """A cell of a CSV; NaN if it is empty or no number."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_written(text: str, value: float) -> bool:
    if math.isnan(value):
        return text == ""
    return math.isclose(_number(text), value, rel_tol=ROUNDING, abs_tol=ROUNDING)


def _plain(column: str, value: float) -> str:
    if math.isnan(value):
        return "nothing"
    return str(int(value)) if column == "n" else repr(float(value))


def _named(row: pd.Series) -> str:
    """A row in words: of results.csv its metric, of predictions its image, then what both are about."""
    first = [row.get("metric", ""), row.get("expression", ""), row.get("image", "")]
    about = [row[column] for column in ("dataset", "model", "init", "split", "protocol")]
    labelled = [f"seed {row['seed']}" if row["seed"] else "", f"{row['image_size']} px" if row["image_size"] else ""]
    return ", ".join(filter(None, [*first, *about, *labelled]))


# ---------------------------------------------------------------------------------------------------------------- runs


def verify_run(run: RunRecord) -> Verification:
    """Hold the files of a finished run against one another."""
    files = {name: run.folder / name for name in ("results.csv", "predictions.csv.gz")}
    verification = Verification(run.name, list(_changed_files(run)), hashed="files" in run.about)
    sets, predictions_differ = {}, []
    try:
        results = read_results(files["results.csv"])
    except UNREADABLE as error:
        verification.differences.append(f"{files['results.csv']} can't be read: {error}")
        return verification
    try:
        if files["predictions.csv.gz"].exists():
            predictions, predictions_differ = read_predictions(files["predictions.csv.gz"])
            sets, unusable = scored_sets(predictions, files["predictions.csv.gz"])
            predictions_differ += unusable
    except UNREADABLE as error:
        predictions_differ.append(f"{files['predictions.csv.gz']} can't be read: {error}")
    verification.differences += [
        *predictions_differ,
        *_without_rows(sets, results, files),
        *_not_as_collected(run, results),
    ]
    _verify_rows(results, sets, files["results.csv"], verification)
    return verification


def _changed_files(run: RunRecord) -> Iterator[str]:
    for name, written in run.about.get("files", {}).items():
        file = run.folder / name
        if not file.exists():
            yield f"{file} is missing: run.json names it"
        elif paths.file_sha256(file) != written:
            yield f"{file}: its SHA-256 is not the one in run.json"


def _verify_rows(
    results: pd.DataFrame, sets: dict[tuple[str, ...], ScoredSet], file: Path, verification: Verification
) -> None:
    for _, row in results.iterrows():
        where = f"{file}, line {row['line']} ({_named(row)})"
        again = recompute(row, sets, results)
        if again is not None:
            verification.recomputed += 1
            wrong = {column: value for column, value in again.items() if not _is_written(row[column], value)}
            source = (
                "other rows"
                if OVER_SEEDS.fullmatch(row["metric"]) or row["metric"] in DIFFERENCES_OF_ACCURACIES
                else "predictions.csv.gz"
            )
            verification.differences += [
                f"{where}: {column} {row[column] or 'nothing'} is written, {_plain(column, value)} comes out of {source}"
                for column, value in wrong.items()
            ]
        elif row["metric"] in evaluation.METRICS:
            verification.differences.append(f"{where}: predictions.csv.gz holds nothing that gives it")
        else:
            verification.others[row["metric"].partition(":")[0]] += 1


def _without_rows(
    sets: dict[tuple[str, ...], ScoredSet], results: pd.DataFrame, files: dict[str, Path]
) -> Iterator[str]:
    """Scores of saved predictions that results.csv does not have. A metric that it has nowhere was not yet one when it was written."""
    reported = {"accuracy", *results["metric"]}
    rows = set(results[[*PREDICTION_KEYS, "metric", "expression"]].itertuples(index=False, name=None))
    for key, scored in sets.items():
        for metric, expression in scored.scores.index:
            if metric in reported and (*key, metric, expression) not in rows:
                about = ", ".join(filter(None, [metric, expression, *key]))
                yield f"{files['predictions.csv.gz']} gives a score ({about}) that {files['results.csv']} does not have"


def _not_as_collected(run: RunRecord, results: pd.DataFrame) -> Iterator[str]:
    """Rows of a run that are not, character by character, in the profile's results.csv, and the other way round."""
    own, profile = run.folder / "results.csv", run.folder.parent / "results.csv"
    if not profile.exists():
        return
    try:
        collected = read_results(profile).query("run == @run.name")
    except UNREADABLE as error:
        yield f"{profile} can't be read: {error}"
        return
    pairs = zip_longest(_lacking(results, collected), _lacking(collected, results))
    for ours, theirs in pairs:
        if ours is None or theirs is None:
            row, here, there = (theirs, profile, own) if ours is None else (ours, own, profile)
            yield f"{here}, line {row['line']} ({_named(row)}): {there} has no such row; `python -m fer_helpers.study.report collect {run.folder.parent}` collects"
        else:
            differ = "; ".join(
                f"{column} {ours[column]} is written, {theirs[column]}"
                for column in COLUMNS
                if ours[column] != theirs[column]
            )
            yield f"{own}, line {ours['line']} ({_named(ours)}): {differ} in {profile}, line {theirs['line']}"


def _lacking(rows: pd.DataFrame, others: pd.DataFrame) -> list[pd.Series]:
    """The rows that are not among the others as often."""
    left = Counter(others[list(COLUMNS)].itertuples(index=False, name=None))
    lacking = []
    for (_, row), content in zip(rows.iterrows(), rows[list(COLUMNS)].itertuples(index=False, name=None), strict=True):
        left[content] -= 1
        if left[content] < 0:
            lacking.append(row)
    return lacking


def _of_no_run(profile_folder: Path, finished: list[str]) -> Iterator[str]:
    collected = profile_folder / "results.csv"
    if collected.exists():
        rows = read_results(collected)
        for _, row in rows[~rows["run"].isin(finished)].iterrows():
            yield f"{collected}, line {row['line']} ({_named(row)}): there is no finished run {row['run']!r} in {profile_folder}"


def verify(folder: Path) -> tuple[list[Verification], list[str]]:
    """Verify the finished runs in `reports/<profile>`, or the one in `reports/<profile>/<run>`.

    Returns:
        What came of each, and rows of the profile's results.csv that belong to none.

    Raises:
        FileNotFoundError: there is no finished run.
    """
    one = (folder / "run.json").exists()
    siblings = [run for run in read_runs(folder.parent if one else folder) if run.status == "finished"]
    runs = [run for run in siblings if run.name == folder.resolve().name] if one else siblings
    if not runs:
        raise FileNotFoundError(f"no finished run in {folder}: name reports/<profile> or reports/<profile>/<run>")
    verifications = [verify_run(run) for run in runs]
    return verifications, [] if one else list(_of_no_run(folder, [run.name for run in runs]))


def seal(folder: Path) -> list[str]:
    """Give each finished run that has none the column `check` of its predictions and the SHA-256 of its files, and name these runs.

    Nothing else changes; what was altered before can no longer be told by them, so verify first.
    """
    sealed = []
    for run in (run for run in read_runs(folder) if run.status == "finished" and "files" not in run.about):
        predictions = run.folder / "predictions.csv.gz"
        if predictions.exists() and "check" not in (
            written := pd.read_csv(predictions, dtype=str, keep_default_na=False)
        ):
            write_csv(with_check(written), predictions)
        hashes = {name: paths.file_sha256(run.folder / name) for name in HASHED if (run.folder / name).exists()}
        write_json(run.about | {"files": hashes}, run.folder / "run.json")
        sealed.append(run.name)
    return sealed


def main(arguments: list[str] | None = None) -> int:
    """Print what came of each run and every difference; 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m fer_helpers.study.verify", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="reports/<profile> or reports/<profile>/<run>")
    parser.add_argument(
        "--seal",
        action="store_true",
        help="if all is well, give the profile's runs that lack them their checks and hashes",
    )
    # Where a model names an expression that the images do not hold; `evaluation.scores` takes the mean over those they do.
    warnings.filterwarnings("ignore", "y_pred contains classes not in y_true")
    options = parser.parse_args(arguments)
    try:
        verifications, differences = verify(options.folder)
    except FileNotFoundError as error:
        parser.error(str(error))
    for verification in verifications:
        print(verification)
        differences += verification.differences
    print(*differences, sep="\n", end="\n" if differences else "")
    print(f"{len(differences):,} differences" if differences else "Every number is as its predictions give it.")
    if options.seal and not differences:
        print("sealed:", ", ".join(seal(options.folder)) or "nothing, all runs are")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
