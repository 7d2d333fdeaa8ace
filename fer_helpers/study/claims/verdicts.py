"""One word for each printed number, by one rule, written down before the runs that it judges.

Ours has an interval over test images (by person, or by group of identical images) and over seeds and folds together.
With the paper's network, initial weights, data and protocol a result is *reproduced* if the whole 90 % interval lies
within printed +- M (two one-sided tests at 5 %: an interval that is too wide can't reproduce), *not reproduced* if the
whole 95 % interval lies outside, else *undecided*. M is 2 points for an accuracy, 5 for a number of one class. The
nearest relative, EfficientNet-Lite*k* with ImageNet's weights for B*k*, makes a number *supported* if its 95 % interval
under the setting fixed beforehand (that whose results name the claim) meets printed +- M, and *doubtful* if in the most
favourable of several settings its upper end is still more than 5 points below. Before all that stand the checks
(`checks`): *contradicts itself* is said of both sides, unless one of them is impossible, false or ambiguous by itself.
"""

import json
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from fer_helpers import evaluation
from fer_helpers.study.claims import architecture
from fer_helpers.study.claims import checks as consistency
from fer_helpers.study.claims import printed as tables
from fer_helpers.study.claims.checks import AGREES, AMBIGUOUS, CONTRADICTS, DOUBTFUL, FALSE, IMPOSSIBLE
from fer_helpers.study.claims.published import UNDER_AGREEMENT

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
SUPPORTED, NOT_TESTED, NOTHING = "supported", "not tested", "nothing to test"
WORDS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, IMPOSSIBLE, CONTRADICTS, DOUBTFUL, SUPPORTED, AMBIGUOUS, FALSE, AGREES)
WORDS += (NOT_TESTED, NOTHING)
OF_SEVERAL = {IMPOSSIBLE: "impossible as printed", CONTRADICTS: "contradict themselves", AGREES: "agree"}
MARGIN, MARGIN_OF_CLASS = 0.02, 0.05
FAR = 0.05  # a relative that ends so far below a printed number makes it doubtful
SAME_SIZE = 0.02  # of the printed number of images: copies lose a few files
RESAMPLES = 2_000
NUMBERS = ("value", "n", "ci_low", "ci_high", "seed", "image_size", "epochs", "seconds")
REAL, SCOREBOARD = "real photographs", "05_scoreboard"
SETTING = ["run", "protocol", "dataset", "split", "model", "init", "image_size", "metric"]
MEASURED = ("claim", *SETTING, "seeds", "value", "low", "high", "low90", "high90", "n", "differs", "relative")
OURS = {"value": "ours", "low": "ours_low", "high": "ours_high", "run": "run", "protocol": "protocol"}
OURS |= {"model": "ours_model", "init": "init", "image_size": "image_size", "seeds": "seeds", "differs": "differs"}
COLUMNS = ("claim", "paper", "statement", "where", "kind", "dataset", "split", "model", "metric", "expression", "word")
COLUMNS += ("reason", "printed", "unit", "decimals", "n", "printed_low", "printed_high", "floor", *OURS.values())
COLUMNS += ("compared_with", "apart", "images_apart", "smallest")


def finished_runs(profile: Path) -> list[SimpleNamespace]:
    """The runs in a profile's folder that have finished, by name, the scoreboard's own left out, as `judge` needs them.

    Each has `about` (content of `run.json`), `results` and `predictions` (rows of its files), as a run at work has.
    """
    found = []
    for file in sorted(profile.glob("*/run.json")):
        about, said = json.loads(file.read_text(encoding="utf-8")), file.with_name("predictions.csv.gz")
        if about["status"] == "finished" and about["notebook"] != SCOREBOARD:
            read = pd.read_csv(said, dtype={"group": "string"}, low_memory=False) if said.exists() else pd.DataFrame()
            results = pd.read_csv(file.with_name("results.csv"))
            found.append(SimpleNamespace(about=about, results=results, predictions=read))
    return found


Interval = namedtuple("Interval", "value low high low90 high90")  # a number with its 95 % and 90 % intervals
Verdict = namedtuple("Verdict", "sentence table")  # what a notebook says of its paper, and its results with their words


def interval(hits: np.ndarray, counted: np.ndarray, groups: np.ndarray, trainings: np.ndarray) -> Interval:
    """A share with its intervals over images and trainings together.

    A bootstrap over two crossed things (Owen 2007, Ann. Appl. Stat. 1): groups of images are drawn whole, and so are
    trainings, one fewer than there are, which makes the variance of few unbiased (Rao and Wu 1988, JASA 83). The
    variance gives the number of independent images that would vary so much, and that Wilson's interval, with Student's
    quantile where trainings vary (Satterthwaite's degrees of freedom): of one training on independent images it is
    Wilson's own. For each prediction `hits` says whether it is in the share and `counted` whether in what it is a share
    of (bool, or 0 and 1), `groups` and `trainings` (a training is a seed and a fold) with what it is drawn.
    """
    group, training = (np.unique(np.asarray(names, str), return_inverse=True)[1] for names in (groups, trainings))
    size, many = group.max() + 1, training.max() + 1
    cells = np.zeros((size, 2 * many))
    np.add.at(cells, (group, training), hits)
    np.add.at(cells, (group, many + training), counted)
    patterns, alike = np.unique(cells, axis=0, return_counts=True)  # equal groups drawn as one
    random, one = np.random.default_rng(0), np.ones((RESAMPLES, 1))

    def variance(images: np.ndarray) -> float:
        drawn = random.multinomial(many - 1, np.full(many, 1 / many), RESAMPLES) if many > 1 else one
        up, down = ((images @ part * drawn).sum(axis=1) for part in (patterns[:, :many], patterns[:, many:]))
        return float(np.var(up[down > 0] / down[down > 0]))

    value = float(np.sum(hits) / np.sum(counted))
    spread = variance(random.multinomial(size, alike / size, RESAMPLES))
    of_trainings = min(variance(np.tile(alike, (RESAMPLES, 1))), spread) if many > 1 else 0.0
    independent = len(np.unique(group[np.asarray(counted, bool)]))
    plain = many == 1 and independent == np.sum(counted)
    effective = independent if plain or not spread or value in (0, 1) else value * (1 - value) / spread
    parts = of_trainings**2 / max(many - 1, 1) + (spread - of_trainings) ** 2 / max(size - 1, 1)
    free = spread**2 / parts if of_trainings else np.inf
    ends = []
    for tail in (0.025, 0.05):
        alpha = 2 * stats.norm.sf(stats.t.isf(tail, free))
        low, high = proportion_confint(value * effective, effective, alpha, "wilson")
        ends += [min(float(low), value), max(float(high), value)]
    return Interval(value, *ends)


def _of_setting(run, rows: pd.DataFrame) -> Interval:
    """The interval of one setting over all its seeds: from the predictions where they give the metric, or the rows."""
    row, said = rows.iloc[0], run.predictions
    for name in ("dataset", "model", "init", "protocol", "split", "image_size") if len(said) else ():
        said = said[said[name].isna() if pd.isna(row[name]) else said[name] == row[name]]
    if len(said) and row["metric"] in ("accuracy", "precision", "recall"):
        said = said[said["seed"].isin(rows["seed"].dropna())]
        columns = [name for name in said if name.startswith("p_")]
        guessed = np.array(columns)[said[columns].fillna(-1).to_numpy().argmax(axis=1)]
        right, of = guessed == "p_" + said["label"], row["expression"]
        by = {"precision": guessed == f"p_{of}", "recall": said["label"] == of}
        counted = np.asarray(by.get(row["metric"], np.ones(len(said), bool)))
        groups = said["group"].fillna(said["image"]) if "group" in said else said["image"]
        trainings = said["seed"].astype(str) + (said["fold"].astype(str) if "fold" in said else "")
        if counted.any():
            return interval(np.asarray(right & counted), counted, groups, trainings)
    value, below, above = (column.mean() for column in (rows["value"], rows["ci_low"], rows["ci_high"]))
    narrow = stats.norm.isf(0.05) / stats.norm.isf(0.025)
    return Interval(value, below, above, value - narrow * (value - below), value + narrow * (above - value))


def measured(printed: pd.DataFrame, runs: list) -> pd.DataFrame:
    """Every score of ours that bears on a printed result: one row for each claim, run and setting, columns `MEASURED`.

    `differs` says what keeps a score from judging the claim; `relative` that it is its nearest relative's with
    ImageNet's weights, under the setting fixed beforehand, whose results name the claim, or under another one of the
    same paper's runs. Arguments as of `judge`.
    """
    found = []
    for run in runs:
        rows = run.results.assign(run=f"{run.about.get('profile', '')}/{run.about['run']}")
        text = rows.columns.difference([*NUMBERS, "run"])
        rows[text] = rows[text].astype(object).where(rows[text].notna(), "")
        scores = rows[(rows["init"] != "") & (rows["protocol"] != "") & rows["value"].notna()]
        for claim in printed[printed["kind"] == "result"].to_dict("records"):
            named, alike = scores["claim"] == claim["claim"], ["paper", "metric", "expression", "dataset"]
            same = (scores[alike] == [claim[name] for name in alike]).all(axis=1) & (scores["init"] == "imagenet")
            same &= scores["split"].isin([claim["split"], *scores.loc[named, "split"]])
            same &= scores["model"].map(lambda model, of=claim["model"]: _is_relative(model, of)).astype(bool)
            for keys, setting in scores[named | same].groupby(SETTING, dropna=False, sort=False):
                differs = _differences(claim, setting.iloc[0], run.about, printed)
                other = [] if (setting["claim"] == claim["claim"]).any() else ["another setting"]
                apart = [told for told in differs if not told.startswith("protocol ")]
                relative = len(apart) == 1 and _is_relative(setting["model"].iloc[0], claim["model"])
                ours = (setting["seed"].nunique(), *_of_setting(run, setting), setting["n"].iloc[0])
                found.append((claim["claim"], *keys, *ours, "; ".join(differs + other), relative))
    return pd.DataFrame(found, columns=list(MEASURED)).astype({"differs": str, "relative": bool})


def _is_relative(model: str, of: str) -> bool:
    return of in architecture.SCALES and model.partition(",")[0] == f"Lite{of[1:]}"


def paper_init(claim: dict) -> str:
    """The initial weights of the network that a claim is about: ImageNet's for every EfficientNet, none for another."""
    return "imagenet" if claim["model"] in ("", *architecture.SCALES) else "scratch"


def _differences(claim: dict, row: pd.Series, about: dict, printed: pd.DataFrame) -> list[str]:
    """In what a score differs from what a claim is about."""
    read = {entry["dataset"]: entry for entry in about.get("data", [])}
    network, metric = row["model"].partition(",")[0], row["metric"].removesuffix("_last_epoch")
    differs = [_of_data(claim["paper"], name, read.get(name), printed) for name in row["dataset"].split(" to ")]
    bound, names = claim["metric"].endswith("_below") and "_less_" in metric, consistency.name
    pairs = [
        (row["dataset"] != claim["dataset"], f"{names(row['dataset'])}, not {names(claim['dataset'])}"),
        (row["protocol"] != "paper", f"protocol {row['protocol']}"),
        (row["init"] != paper_init(claim), f"initial weights {row['init']}, not {paper_init(claim)}"),
        (metric != claim["metric"] and not bound, f"{row['metric']}, not {claim['metric']}"),
        (claim["model"] not in ("", network), f"{network}, not {claim['model']}"),
    ]
    return [*filter(None, differs), *(told for differing, told in pairs if differing)]


def _of_data(paper: str, dataset: str, entry: dict | None, printed: pd.DataFrame) -> str:
    """In what a data set that a run read differs from the paper's: no photographs, or not as many as it prints."""
    if entry is None or entry["source"] != REAL:
        return entry["source"] if entry else f"no record of the {consistency.name(dataset)} that was read"
    images = printed[(printed["paper"] == paper) & (printed["dataset"] == dataset) & (printed["metric"] == "images")]
    of_split = images[images["expression"] == ""].drop_duplicates("split").set_index("split")["value"]
    parts = of_split.filter(["train", "val", "test"])
    sizes = {*of_split.filter(["all"]), *([parts.sum()] if {"train", "test"} <= set(parts.index) else [])}
    if not sizes or any(abs(entry["images"] - size) <= SAME_SIZE * size for size in sizes):
        return ""
    told = " or ".join(f"{size:,.0f}" for size in sorted(sizes))
    return f"{entry['images']:,} images of {consistency.name(dataset)}, not {told}"


def judge(printed: pd.DataFrame, runs: list | None = None) -> pd.DataFrame:
    """Every claim with its word, a reason, and what stands beside it: a row a claim, columns `COLUMNS`.

    `printed` holds all rows of each paper, as `claims.load` gives them, `runs` those at work or finished
    (`finished_runs`), with `about`, `results` and `predictions`. `printed_low` and `printed_high` are Wilson's interval
    of the printed share where n is known, `floor` what the most frequent expression alone gives (for a loss the entropy
    of the labels), `apart` and `images_apart` how far the nearest other network is that the paper prints, and
    `smallest` the least difference that so many images can show.
    """
    runs, checks = runs or [], consistency.check(printed)
    scores, parsed = measured(printed, runs), consistency.parse(printed)
    entries = [entry for run in runs for entry in run.about.get("data", [])]
    at_fault = set(checks.loc[checks["word"].isin([IMPOSSIBLE, FALSE, AMBIGUOUS]), "claim"])
    blameless = checks["against"].map(lambda ids: not at_fault.isdisjoint(ids.split()))
    checks = checks[(checks["word"] != CONTRADICTS) | ~blameless]
    rows = []
    for claim, of_claim in zip(printed.to_dict("records"), parsed, strict=True):
        mine, found = scores[scores["claim"] == claim["claim"]], checks[checks["claim"] == claim["claim"]]
        ours, of_paper = _nearest(mine, claim), consistency.pick(parsed, paper=claim["paper"])
        here = [e["dataset"] for e in entries if not _of_data(claim["paper"], e["dataset"], e, printed)]
        missing = [name for name in claim["dataset"].split(" to ") if name in UNDER_AGREEMENT and name not in here]
        word, reason = (
            _counted(claim, found, runs)
            or _from_checks(found)
            or (_from_scores(claim, mine) if claim["kind"] == "result" else None)
            or _not_tested(claim, missing, ours["differs"])
        )
        judged = {"printed": claim["value"], "word": word, "reason": reason}
        rows.append(claim | judged | _context(of_claim, of_paper, found) | ours)
    whole = dict.fromkeys(("decimals", "n", "image_size", "seeds", "images_apart"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _from_checks(found: pd.DataFrame) -> tuple[str, str] | None:
    """The gravest word of the checks with its sentences, or None if they leave the claim to be measured."""
    for word in (IMPOSSIBLE, FALSE, AMBIGUOUS, CONTRADICTS, DOUBTFUL, AGREES):
        rows = found[found["word"] == word]
        told = [f"{note[:-1]}{f' ({ids})' * bool(ids)}" for note, ids in rows[["note", "against"]].to_numpy()]
        if told:
            return word, f"{'; '.join(dict.fromkeys(told))}."
    return None


def _counted(claim: dict, found: pd.DataFrame, runs: list) -> tuple[str, str] | None:
    """That images were counted again in real photographs, as many as printed, where no check speaks against them."""
    if claim["kind"] != "count" or found["word"].isin([IMPOSSIBLE, FALSE, AMBIGUOUS, CONTRADICTS]).any():
        return None
    for run in runs:
        rows = run.results[(run.results["claim"] == claim["claim"]) & (run.results["metric"] == claim["metric"])]
        real = any((e["dataset"], e["source"]) == (claim["dataset"], REAL) for e in run.about.get("data", []))
        if real and (abs(rows["value"] - claim["value"]) <= 0.5 * 10.0 ** -int(claim["decimals"])).any():
            return AGREES, f"Counted again in {run.about['run']}."
    return None


def equivalence(value: float, ours: Interval, margin: float) -> str:
    """Reproduced, not reproduced or undecided: two one-sided tests at 5 %, and the 95 % interval wholly outside."""
    if value - margin <= ours.low90 and ours.high90 <= value + margin:
        return REPRODUCED
    return NOT_REPRODUCED if ours.low > value + margin or ours.high < value - margin else UNDECIDED


def _from_scores(claim: dict, scores: pd.DataFrame) -> tuple[str, str] | None:
    """What our scores make of a result, with the numbers; None if they can't judge it."""
    value, m = claim["value"], MARGIN_OF_CLASS if claim["expression"] else MARGIN
    same, relatives = scores[scores["differs"] == ""], scores[scores["relative"]]
    if len(same):
        ours = Interval(*same[list(Interval._fields)].iloc[0])
        told = f"{_shown(same.iloc[0])} against {value}, in {same['run'].iloc[0]}."
        if claim["metric"].endswith("_below"):  # a bound: everything under it is as printed
            return REPRODUCED if ours.high90 < value else NOT_REPRODUCED if ours.low >= value else UNDECIDED, told
        return equivalence(value, ours, m), told
    for fixed in relatives[~relatives["differs"].str.contains(";")].head(1).to_dict("records"):
        if fixed["low"] <= value + m and fixed["high"] >= value - m:
            return SUPPORTED, f"The nearest relative, {fixed['model']}, has {_shown(fixed)}; {value} is printed."
    if len(relatives) > 1 and relatives["high"].max() < value - FAR:
        best = relatives.loc[relatives["high"].idxmax()]
        told = f"In the best of {len(relatives)} settings the nearest relative, {best['model']}, has {_shown(best)}"
        return DOUBTFUL, f"{told}; {value} is printed."
    return None


def _shown(row: pd.Series | dict) -> str:
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _not_tested(claim: dict, missing: list[str], differs: str) -> tuple[str, str]:
    """Why nothing tests a claim: data under agreement, not printed well enough, weights or hardware."""
    if claim["kind"] in ("setting", "cited"):
        return NOTHING, "A setting of the authors." if claim["kind"] == "setting" else "Not measured by this paper."
    if missing:
        why = f"data under agreement: {' and '.join(map(consistency.name, missing))}"
    elif claim["note"].startswith("open: "):
        why = f"not printed well enough: {claim['note'].removeprefix('open: ')}"
    elif claim["unit"] == "share" and pd.isna(claim["n"]) and not claim["dataset"] and claim["metric"] != "precision":
        why = "not printed well enough: n, of how many images it is a share, is missing"
    elif claim["kind"] == "result" and paper_init(claim) == "imagenet":
        why = f"weights: no run began from ImageNet's for {claim['model'] or 'B0 to B7'}"
    else:
        why = "hardware: no run of these did it"
    return NOT_TESTED, f"{why[0].upper()}{why[1:]}{f'; ours differs: {differs}' if differs else ''}."


def _nearest(scores: pd.DataFrame, claim: dict) -> dict:
    """What is shown as ours: the score that differs in least from what the claim is about; then by name of the run."""
    if scores.empty:
        return dict.fromkeys(OURS.values()) | {"differs": ""}
    few = scores["differs"].str.count(";") + (scores["differs"] != "")
    ranked = scores.assign(few=few, other=scores["init"] != paper_init(claim)).sort_values(["few", "other", "run"])
    return {shown: ranked[name].iloc[0] for name, shown in OURS.items()}


def _context(claim: consistency.Claim, paper: list[consistency.Claim], found: pd.DataFrame) -> dict:
    """What stands beside a printed number: n, its own interval, the floor, and what it is compared with."""
    tried = found[(found["check"] == "whole_images") & (found["word"] != IMPOSSIBLE)]["n"].dropna()
    n = claim.n or (int(tried.iloc[0]) if len(tried) else None)
    context: dict = {"n": n}
    value, accuracy = float(claim.value), claim.metric.startswith("accuracy") and not claim.metric.endswith("_below")
    if n and accuracy:
        context["printed_low"], context["printed_high"] = evaluation.proportion_interval(round(value * n), n)
    sizes = consistency.class_images(claim, paper) if claim.kind == "result" else {}
    if sizes and accuracy and not claim.expression:
        context["floor"] = max(sizes.values()) / sum(sizes.values())
    elif sizes and claim.metric.startswith("loss"):
        context["floor"] = stats.entropy(list(sizes.values()))
    elif sizes and claim.metric == "precision":
        context["floor"] = sizes.get(claim.expression, np.nan) / sum(sizes.values())
    alike = consistency.pick(paper, dataset=claim.dataset, split=claim.split, metric=claim.metric, expression="")
    rivals = [c for c in alike if c.model != claim.model and "standard CNN" not in (c.model, claim.model)]
    if claim.kind == "result" and claim.metric == "accuracy" and rivals and n:
        rival = min(rivals, key=lambda other: abs(other.value - claim.value))
        context |= {"compared_with": rival.model, "apart": float(claim.value - rival.value)}
        context["images_apart"] = round(abs(context["apart"]) * n)
        context["smallest"] = evaluation.smallest_difference(n, min(value, float(rival.value)))
    return context


def statements(judged: pd.DataFrame) -> pd.DataFrame:
    """One row for each statement, that with the gravest word: several rows make some, as the channels of a sequence."""
    gravest = judged.sort_values("word", key=lambda words: words.map(WORDS.index), kind="stable")
    return gravest.drop_duplicates("statement").sort_index()


def tally(judged: pd.DataFrame) -> pd.DataFrame:
    """How many statements of each kind got which word: rows `KINDS`, columns those of `WORDS` that occur."""
    once = statements(judged)
    counts, kinds = pd.crosstab(once["kind"], once["word"]), [k for k in tables.KINDS if k in set(once["kind"])]
    return counts.reindex(index=kinds, columns=[word for word in WORDS if word in counts])


def headline(judged: pd.DataFrame) -> str:
    """One sentence about the results alone: of how many, how many got which word."""
    once = statements(judged)
    counts = once.loc[once["kind"] == "result", "word"].value_counts()
    counts = counts.reindex([w for w in WORDS if w in counts or w in (REPRODUCED, NOT_REPRODUCED)], fill_value=0)
    told = (f"{number} {word if number == 1 else OF_SEVERAL.get(word, word)}" for word, number in counts.items())
    return f"Of {counts.sum()} results, {', '.join(told)}."


def verdict(run, paper: str) -> Verdict:
    """What one run says of one paper, by the rule that the scoreboard applies to all runs."""
    judged = judge(tables.load(paper), [run])
    results = judged[judged["kind"] == "result"].reset_index(drop=True)
    table = results[["claim", "printed", "ours", "ours_low", "ours_high", "word", "reason"]]
    return Verdict(headline(judged), table.assign(claim=table["claim"].str.partition(".")[2]))
