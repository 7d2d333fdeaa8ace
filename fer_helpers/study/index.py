"""The index: what was found, the papers, every printed number with its verdict, every other result, and the runs.

Nothing is judged here: verdicts are read from the scoreboard's `verdicts.csv`, numbers from the runs' `results.csv`.
"""

import re
from collections import Counter
from html import unescape
from pathlib import Path
from statistics import multimode

import pandas as pd

from fer_helpers import paths
from fer_helpers.study import claims, templates
from fer_helpers.study.claims.printed import papers
from fer_helpers.study.claims.verdicts import COLUMNS as OF_VERDICT
from fer_helpers.study.claims.verdicts import NUMBERS, SCOREBOARD
from fer_helpers.study.runs import COLUMNS, Record, read_profile

HIGHER_IS_BETTER = ("accuracy", "precision", "recall", "f1")
ROWS_OF_A_PAPER = 3  # in its card; in the figure two
README_MARKS = ("<!-- results -->", "<!-- /results -->")


def kind_of_data(run: Record, siblings: list[Record]) -> str:
    """What a run is about: `generated` faces, which say nothing about the papers, `real` photographs, or `unread`.

    A run that read no data itself (it stopped early, or compares the others) is judged by the runs of its profile.
    """
    data = run.about.get("data") or [entry for other in siblings for entry in other.about.get("data", [])]
    sources = {entry.get("source") for entry in data}
    return "generated" if "generated faces" in sources else "real" if sources else "unread"


def results_of(runs: list[Record]) -> pd.DataFrame:
    """All rows of finished runs, numbers as numbers; `run` is `<profile>/<run>`."""
    parts = [run.results.assign(run=f"{run.profile}/{run.name}") for run in runs if run.status == "finished"]
    rows = pd.concat([pd.DataFrame(columns=[*COLUMNS, "line"], dtype=str), *parts], ignore_index=True)
    rows = rows.assign(**{column: pd.to_numeric(rows[column], errors="coerce") for column in NUMBERS})
    return rows[rows["notebook"] != SCOREBOARD].reset_index(drop=True)


def verdicts_of(runs: list[Record]) -> pd.DataFrame:
    """The verdicts that the last scoreboard of these runs wrote, and the note that claims.csv has on each claim."""
    files = [run.folder / "verdicts.csv" for run in sorted(runs, key=lambda run: run.about.get("started", ""))]
    written = [file for file in files if file.exists()]
    found = pd.read_csv(written[-1]) if written else pd.DataFrame(columns=list(OF_VERDICT))
    if lacking := set(OF_VERDICT) - set(found):
        raise ValueError(f"{written[-1]} has no column {', '.join(sorted(lacking))}: run its notebook again")
    text = ["word", "reason", "unit", "kind", "where", "statement", "ours_model", "compared_with", "differs"]
    text += [name for name in found if name in COLUMNS and name not in NUMBERS]
    found = found.astype(dict.fromkeys(text, "object")).fillna(dict.fromkeys(text, ""))
    printed = claims.load()[["claim", "note"]]
    if lost := sorted({*found["claim"]} - {*printed["claim"]}):
        raise ValueError(f"{written[-1]} judges what claims.csv has not, as {lost[0]}: restore that, or run 05 again")
    return found.merge(printed, on="claim")


def claim_rows(verdicts: pd.DataFrame, results: pd.DataFrame) -> list[dict]:
    """The verdicts, each with the row of results that ours stands in, and every run that has results on it."""
    naming = results.groupby(["claim", "run"], as_index=False).agg(rows=("line", "size"), line=("line", "first"))
    rows = verdicts.merge(papers()[["paper", "authors"]], "left")
    rows["counts"] = rows["claim"].isin(claims.statements(verdicts)["claim"])  # several rows make some statements
    rows = rows.assign(has_ours=rows["ours"].notna(), finer=rows["decimals"].clip(lower=3)).to_dict("records")
    for row in rows:
        row["because"] = because(row["reason"])
        row["own"] = _nearest_row(row, results) if row["has_ours"] else {}
        row["best"] = _best_row(row, results) if row["has_ours"] and row["word"] == "not tested" else {}
        row["runs"] = naming[naming["claim"] == row["claim"]].to_dict("records")
    return rows


def because(reason: str) -> str:
    """The first clause of a verdict's reason, for where there is room for no more."""
    clause = re.sub(r" \([^)]*\)?|\.$", "", re.split("; |: ", reason)[0])
    return clause[:1].lower() + clause[1:]


def _nearest_row(verdict: dict, results: pd.DataFrame) -> dict:
    """The row of results that ours stands in, or of several seeds the nearest; rows that name the claim first."""
    of_run = results[results["run"] == verdict["run"]]
    of_run = of_run.assign(other=of_run["claim"] != verdict["claim"], apart=(of_run["value"] - verdict["ours"]).abs())
    same = {name: verdict[name] for name in ("init", "metric", "expression")}
    return _first(of_run.sort_values(["other", "apart"]), model=verdict["ours_model"], **same)


def _best_row(verdict: dict, results: pd.DataFrame) -> dict:
    """The row of the highest score of the same kind, on the same images, that is above ours; empty without one."""
    above = results[(results["value"] > verdict["ours"]) & results["metric"].isin(HIGHER_IS_BETTER)]
    same = {name: verdict[name] for name in ("dataset", "split", "metric", "expression")}
    return _first(above.sort_values("value", ascending=False, kind="stable"), **same)


def _first(rows: pd.DataFrame, **columns) -> dict:
    """The first row that has this in these columns; empty without one."""
    same = (rows[list(columns)] == list(columns.values())).all(axis=1)
    return next(iter(rows[same].head(1).to_dict("records")), {})


def telling(rows: list[dict], most: int = ROWS_OF_A_PAPER) -> list[dict]:
    """The most telling rows of a paper, a number of several places once: results first, each word before any again."""

    def rank(row: dict) -> tuple:
        gap = abs(row["printed"] - row["ours"]) if row["has_ours"] and row["unit"] == "share" else 0
        word = claims.WORDS.index(row["word"])
        less = row["has_ours"] and row["metric"] != "accuracy"
        return row["kind"] != "result", not row["has_ours"], less, word, row["metric"] != "accuracy", -gap

    what = ("metric", "expression", "dataset", "split", "model", "printed")
    once = {tuple(row[name] for name in what): row for row in sorted(rows, key=rank, reverse=True)}
    ranked = sorted(once.values(), key=rank)
    first = {row["word"]: row for row in reversed(ranked) if row["kind"] == "result"}
    chosen = sorted(first.values(), key=rank)[:most]
    return sorted(chosen + [row for row in ranked if row not in chosen][: most - len(chosen)], key=rank)


def cards(rows: list[dict], runs: list[Record]) -> list[dict]:
    """What the index shows of each paper: its most telling rows, the most frequent verdicts on its results, its pages.

    `in_figure` are shares among its results: those with numbers of ours, or one without.
    """
    shown = []
    for paper in papers().to_dict("records"):
        own = [row for row in rows if row["paper"] == paper["paper"]]
        results = [row for row in own if row["kind"] == "result"]
        words = [row["word"] for row in results if row["counts"]]
        paper["most_often"] = multimode(word for word in words if word != "not tested")
        shares = [row for row in results if row["unit"] == "share"]
        paper["in_figure"] = telling([row for row in shares if row["has_ours"]], 2) or telling(shares, 1)
        paper |= {"rows": telling(own), "results": Counter(words), "printed": sum(row["counts"] for row in own)}
        shown.append(paper | {"runs": [run for run in runs if run.about.get("paper") == paper["paper"]]})
    return shown


def findings(rows: list[dict], results: pd.DataFrame) -> dict[str, dict]:
    """What the macro `sentences` makes its sentences of: for each a row, empty without a measurement.

    `split` is what a split by image is worth beside one with no person on both sides, on as many images as there are,
    for a network with ImageNet's weights, best one that is held against a printed number; `printed` the printed
    accuracy that lies furthest above ours, of those that nothing else is wrong with; `copies` the test set with the
    most images; `best` the highest accuracy on the largest test set. Of `printed`, `best` is the highest on the same
    images; of `best`, `of` is how many accuracies there are on them, of exported networks none, and that of a training
    that several runs report once, and `without` that without copies. `shipped` is that of the network that comes with
    the project.
    """
    accuracies = results.query("metric == 'accuracy' and expression == ''")
    scored = accuracies.query("protocol == 'clean'").sort_values("value", ascending=False, kind="stable")
    of_a_training = ["dataset", "split", "n", "value", "epochs"]
    scored = scored[~scored["model"].str.contains("exported")].drop_duplicates(of_a_training)
    known = [row for row in rows if row["kind"] == "result" and row["metric"] == "accuracy" and row["has_ours"]]
    against = [row for row in known if row["word"] in ("not reproduced", "doubtful", "not tested")]
    if printed := min(against, key=lambda row: row["ours"] - row["printed"], default={}):
        printed = printed | {"best": _first(scored, dataset=printed["dataset"], split=printed["split"])}
    if best := _first(scored.sort_values("n", ascending=False, kind="stable"), split="test"):
        best["of"] = len(scored.query("split == 'test' and dataset == @best['dataset'] and n == @best['n']"))
        same = {name: best[name] for name in ("run", "model", "seed", "image_size")}
        best["without"] = _first(scored, split="test without copies", **same)
        own = accuracies[~accuracies["model"].str.contains("package")]
        best["shipped"] = _first(own, notebook="07_your_photos", split="test", dataset=best["dataset"])
    held_against = results["model"].isin(results.loc[results["claim"] != "", "model"])
    largest = results.assign(held_against=held_against).sort_values(["n", "held_against"], ascending=False)
    optimism = {"metric": "optimism_of_random_split", "split": "random less subject", "init": "imagenet"}
    copies = _first(largest, metric="duplicate_of_train", split="test")
    return {"split": _first(largest, **optimism), "printed": printed, "copies": copies, "best": best}


def other_results(results: pd.DataFrame, verdicts: pd.DataFrame) -> list[dict]:
    """Results that no paper prints: those of one metric, run and set of images in one entry, for all seeds."""
    keys = ["run", "metric", "dataset", "split", "protocol", "model", "init"]
    others = results[~results["claim"].isin(verdicts["claim"])].groupby(keys, sort=False, dropna=False, as_index=False)
    about = others.agg(low=("value", "min"), high=("value", "max"), rows=("value", "size"), line=("line", "first"))
    return about.to_dict("records")


def content(profiles: list[str], reports: Path) -> dict:
    """What an index of these profiles shows."""
    kinds, made = {"real": [], "generated": [], "unread": []}, set()
    for runs in (read_profile(reports / name) for name in profiles):
        for run in runs:
            kinds[kind_of_data(run, runs)].append(run)
            made.add((run.profile, run.name.removesuffix(".failed")))
    results, verdicts = results_of(kinds["real"]), verdicts_of(kinds["real"])
    rows = claim_rows(verdicts, results)
    files = sorted((paths.notebooks_dir() / "profiles").glob("*/*.yaml"))
    defined = [(file.parent.name, file.stem) for file in files if file.parent.name in profiles]
    found = {"profiles": profiles, "claims": rows, "counts": Counter(row["word"] for row in rows if row["counts"])}
    found |= {"headline": claims.headline(verdicts) if rows else "", "findings": findings(rows, results)}
    found |= {"cards": cards(rows, kinds["real"]) if kinds["real"] else [], "others": other_results(results, verdicts)}
    return kinds | found | {"not_run": [run for run in defined if run not in made]}


def write_index(profiles: list[str], reports: Path, below: str = "") -> Path:
    """Write an index of the runs of some profiles, folders in `reports`, to it or a folder below, and say where."""
    found = content(profiles, reports)
    return templates.write("index.html.j2", reports / below / "index.html", above="../" if below else "", **found)


def write_readme(profiles: list[str]) -> list[Path]:
    """Put what was found between the marks in README.md, and the figure beside the reports; say where."""
    found = content(profiles, paths.reports_dir())
    section = unescape(templates.environment().get_template("readme.md.j2").render(**found))  # Markdown is for eyes too
    readme = paths.PROJECT / "README.md"
    before, begin, rest = readme.read_text(encoding="utf-8").partition(f"{README_MARKS[0]}\n")
    _, end, after = rest.rpartition(README_MARKS[1])
    if not end:
        raise ValueError(f"{readme} has lost its marks {' and '.join(README_MARKS)}: write them where findings belong")
    with paths.written_whole(readme) as partial:
        partial.write_text(before + begin + section + end + after, encoding="utf-8")
    return [readme, templates.write("findings.svg.j2", paths.reports_dir() / "findings.svg", standalone=True, **found)]
