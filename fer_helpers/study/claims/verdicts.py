"""One word for each printed number, by one rule.

The rule stands at the top of `notebooks/05_scoreboard.ipynb`, with what of it is younger than the runs that it judges.
Ours has an interval over test images (by person, or by group of identical images) and over seeds and folds together; M
is 2 points, or 5 for a number of one class. Before ours stand the checks: *contradicts itself* is said of both sides,
unless one of them is at fault by itself.
"""

from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from fer_helpers import evaluation
from fer_helpers.study import parameters
from fer_helpers.study.claims import arithmetic, checks
from fer_helpers.study.claims.checks import AGREES, AMBIGUOUS, CONTRADICTS, DOUBTFUL, FALSE, IMPOSSIBLE
from fer_helpers.study.claims.printed import load
from fer_helpers.study.claims.published import SCALES, UNDER_AGREEMENT
from fer_helpers.study.runs import Record, read_profile, with_interval

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
SUPPORTED, NOT_TESTED, NOTHING = "supported", "not tested", "nothing to test"
BESIDES = "besides"  # a contradiction of which one side is at fault by itself: told, and no verdict
WORDS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, IMPOSSIBLE, CONTRADICTS, DOUBTFUL, SUPPORTED, AMBIGUOUS, FALSE, AGREES)
WORDS += (NOT_TESTED, NOTHING)
# Of the words of a statement's rows it gets the first that is among them: it has been reproduced if all of it has.
GRAVEST = (IMPOSSIBLE, FALSE, CONTRADICTS, NOT_REPRODUCED, DOUBTFUL, AMBIGUOUS, UNDECIDED, NOT_TESTED, SUPPORTED)
GRAVEST += (REPRODUCED, AGREES, NOTHING)
OF_SEVERAL = {IMPOSSIBLE: "impossible as printed", CONTRADICTS: "contradict themselves", AGREES: "agree"}
MARGIN, MARGIN_OF_CLASS = 0.02, 0.05
FAR = 0.05  # a relative that ends so far below a printed number makes it doubtful
SAME_SIZE = 0.02  # of the printed number of images: copies lose a few files
NUMBERS = ("value", "n", "ci_low", "ci_high", "seed", "image_size", "epochs", "seconds")
REAL, SCOREBOARD = "real photographs", "05_scoreboard"
# Parameters that are no part of a paper's setting, or stand in the results' rows; in others a run has to be as printed.
NO_SETTING = "data run_dir dataset data_sets variant weights seed seeds compared_variants alternatives baseline_epochs "
NO_SETTING += "trained_epochs trained_sizes cnn_sizes tested_folds memory_gb precision all_devices export_to show_faces"
SETTING = ["run", "protocol", "dataset", "split", "model", "init", "image_size", "metric"]
MEASURED = ("claim", *SETTING, "seeds", "epochs", "value", "low", "high", "low90", "high90", "trainings")
MEASURED += ("differs", "apart", "set_otherwise", "relative")
OURS = {"value": "ours", "low": "ours_low", "high": "ours_high", "run": "run", "protocol": "protocol"}
OURS |= {"model": "ours_model", "init": "init", "image_size": "image_size", "seeds": "seeds", "differs": "differs"}
COLUMNS = ("claim", "paper", "statement", "where", "kind", "dataset", "split", "model", "metric", "expression", "word")
COLUMNS += ("reason", "printed", "unit", "decimals", "n", "most", "printed_low", "printed_high", "floor")
COLUMNS += (*OURS.values(), "compared_with", "apart", "images_apart", "smallest")

# A number with its 95 % and 90 % intervals, and of how many trainings it is.
Interval = namedtuple("Interval", "value low high low90 high90 trainings", defaults=[1])
Verdict = namedtuple("Verdict", "sentence table")  # what a notebook says of its paper, and its results with their words


def finished_runs(profile: Path) -> list[SimpleNamespace]:
    """The finished runs of `reports/<profile>`, but for the scoreboard, as `with_numbers` gives them."""
    done = [run for run in read_profile(profile) if run.status == "finished"]
    return [with_numbers(run) for run in done if run.about.get("notebook") != SCOREBOARD]


def with_numbers(run: Record) -> SimpleNamespace:
    """A finished run as `judge` takes it: `about`, and `results` and `predictions` as numbers instead of text."""
    predicted = run.folder / "predictions.csv.gz"
    as_written = {"keep_default_na": False, "na_values": [""], "low_memory": False}  # NA is one of JAFFE's people
    read = pd.read_csv(predicted, dtype={"group": "string"}, **as_written) if predicted.exists() else pd.DataFrame()
    results = pd.read_csv(run.folder / "results.csv", **as_written)
    return SimpleNamespace(about=run.about, results=results, predictions=read)


def interval(hits: np.ndarray, groups: np.ndarray, trainings: np.ndarray) -> Interval:
    """The share of predictions that are hits (bool, or 0 and 1), with its intervals over images and trainings together.

    Its variance is that over groups of images and that over trainings (a seed and a fold), each drawn whole (Cameron,
    Gelbach and Miller 2011, J. Bus. Econ. Stat. 29; what they share is counted twice, which is on the safe side), and
    no less than of independent predictions. It gives the number of independent images that would vary so much, and that
    Wilson's interval, with Student's quantile where trainings vary (Satterthwaite's degrees of freedom).
    """
    rows = pd.DataFrame({"hit": np.asarray(hits, float), "group": groups, "training": trainings})
    value = float(rows["hit"].mean())
    of_groups, of_trainings = ((rows["hit"] - value).groupby(rows[by]).sum() for by in ("group", "training"))
    size, many, total = len(of_groups), len(of_trainings), len(rows)
    over_groups = (of_groups**2).sum() / total**2
    over_trainings = (of_trainings**2).sum() / total**2 * many / max(many - 1, 1)
    spread = max(over_groups + over_trainings, value * (1 - value) / total)
    effective = size if value in (0, 1) or size == 1 else value * (1 - value) / spread
    parts = over_trainings**2 / max(many - 1, 1) + over_groups**2 / max(size - 1, 1)
    free = spread**2 / parts if many > 1 and parts else np.inf
    ends = []
    for tail in (0.025, 0.05):
        alpha = 2 * stats.norm.sf(stats.t.isf(tail, free))
        low, high = proportion_confint(value * effective, effective, alpha, "wilson")
        ends += [min(float(low), value), max(float(high), value)]
    return Interval(value, *ends, many)


def _of_setting(run, rows: pd.DataFrame) -> Interval:
    """The interval of one setting over all seeds: from predictions that give the metric, or the rows' outer ends."""
    row, predicted = rows.iloc[0], run.predictions
    for name in ("dataset", "model", "init", "protocol", "split", "image_size") if len(predicted) else ():
        predicted = predicted[predicted[name].isna() if pd.isna(row[name]) else predicted[name] == row[name]]
    if len(predicted) and row["metric"] in evaluation.PROPORTIONS:
        predicted = predicted[predicted["seed"].isin(rows["seed"].dropna())]
        guessed = predicted.filter(regex="^p_").fillna(-1).idxmax(axis=1).str.removeprefix("p_")
        by = {"precision": guessed, "recall": predicted["label"]}
        counted = by[row["metric"]] == row["expression"] if row["metric"] in by else predicted["label"].notna()
        groups = predicted["group"].fillna(predicted["image"]) if "group" in predicted else predicted["image"]
        trainings = predicted.groupby(["seed", "fold"], dropna=False).ngroup()
        if counted.any():
            return interval(*(each[counted] for each in (guessed == predicted["label"], groups, trainings)))
    value, below, above = rows["value"].mean(), rows["ci_low"].min(), rows["ci_high"].max()
    narrow = stats.norm.isf(0.05) / stats.norm.isf(0.025)
    ends = below, above, value - narrow * (value - below), value + narrow * (above - value)
    return Interval(value, *ends, rows["seed"].nunique())


def measured(printed: pd.DataFrame, runs: list | tuple) -> pd.DataFrame:
    """Every score of ours that bears on a printed result: a row for each claim, run and setting.

    Those of most seeds come first, then those of the longest training.
    Columns are `MEASURED`: `differs` says what keeps a score from judging the claim, `set_otherwise` the parameters and
    `apart` all else of it; `relative` that it is its nearest relative's, with ImageNet's weights, in the setting fixed
    beforehand, which names the claim, or in another, of any notebook: what a paper leaves open may have been tried for
    another one.
    """
    found, parsed = [], checks.parse(printed)
    flat = "metric == 'flat_histogram_share' and value > 0.5"  # most images have the histogram of an equalised one
    equalised = {dataset for run in runs for dataset in run.results.query(flat)["dataset"]}
    for run in runs:
        rows = run.results.assign(run=f"{run.about.get('profile', '')}/{run.about['run']}")
        text = rows.columns.difference([*NUMBERS, "run"])
        rows[text] = rows[text].astype(object).where(rows[text].notna(), "")
        rows["network"] = rows["model"].str.split(",").str[0]
        scores = rows[(rows[["init", "protocol", "paper"]] != "").all(axis=1) & rows["value"].notna()]
        for claim in checks.pick(parsed, kind="result"):
            relative = f"Lite{claim.model[1:]}" if claim.model in SCALES else None
            named, alike = scores["claim"] == claim.claim, ["metric", "expression", "dataset"]
            same = (scores[alike] == [getattr(claim, name) for name in alike]).all(axis=1)
            same &= (scores["init"] == "imagenet") & (scores["network"] == relative)
            same &= scores["split"].isin([claim.split, *scores.loc[named, "split"]])
            for keys, setting in scores[named | same].groupby(SETTING, dropna=False, sort=False):
                row, paper = setting.iloc[0], checks.pick(parsed, paper=claim.paper)
                differs = _differences(claim, row, run.about, paper)
                apart = [note for note in differs if not note.startswith("protocol ")]
                of_relative = len(apart) == 1 and row["network"] == relative
                differs += [] if (setting["claim"] == claim.claim).any() else ["another setting"]
                copies = [name for name in row["dataset"].split(" to ") if name in equalised]
                set_otherwise = [f"a copy of {checks.name(name)} with equalised histograms" for name in copies]
                set_otherwise += _set_otherwise(run.about, of_cnn=row["network"] == "standard CNN")
                kept = (*map("; ".join, ([*differs, *set_otherwise], differs, set_otherwise)), of_relative)
                ours = setting["seed"].nunique(), setting["epochs"].max(), *_of_setting(run, setting)
                found.append((claim.claim, *keys, *ours, *kept))
    rows = pd.DataFrame(found, columns=list(MEASURED)).astype({"differs": str, "apart": str, "relative": bool})
    return rows.sort_values(["seeds", "epochs"], ascending=False, kind="stable", ignore_index=True)


def paper_init(claim: checks.Claim) -> str:
    """The initial weights of the network that a claim is about: ImageNet's for every EfficientNet, none for another."""
    return "imagenet" if claim.model in ("", *SCALES) else "scratch"


def _differences(claim: checks.Claim, row: pd.Series, about: dict, paper: checks.Paper) -> list[str]:
    read = {entry["dataset"]: entry for entry in about.get("data", [])}
    metric, bound = row["metric"].removesuffix("_last_epoch"), claim.metric.endswith("_below")
    differs = [_of_data(paper, name, read.get(name)) for name in row["dataset"].split(" to ")]
    pairs = [
        (row["dataset"] != claim.dataset, f"{checks.name(row['dataset'])}, not {checks.name(claim.dataset)}"),
        (row["protocol"] != "paper", f"protocol {row['protocol']}"),
        (row["init"] != paper_init(claim), f"initial weights {row['init']}, not {paper_init(claim)}"),
        (metric != claim.metric and not (bound and "_less_" in metric), f"{row['metric']}, not {claim.metric}"),
        (claim.model not in ("", row["network"]), f"{row['network']}, not {claim.model}"),
    ]
    return [*filter(None, differs), *(note for differing, note in pairs if differing)]


def _set_otherwise(about: dict, of_cnn: bool) -> list[str]:
    """The parameters of a run that are not the paper's, which its notebook has as its own.

    Those that begin `cnn_` are of the standard CNN (`of_cnn`), which has few of the others.
    """
    names = ("cnn_", "detector", "folds", "batch_size") if of_cnn else ""
    passed = {name: value for name, value in about.get("parameters", {}).items() if name not in NO_SETTING.split()}
    passed = {name: of for name, of in passed.items() if name.startswith(names) and name.startswith("cnn_") <= of_cnn}
    own = parameters.defaults(parameters.notebook_of(about["notebook"])) if passed else {}
    return [f"{name} {value}, not {own[name]}" for name, value in passed.items() if value != own.get(name, value)]


def _of_data(paper: checks.Paper, dataset: str, entry: dict | None) -> str:
    """In what a data set that a run read differs from the paper's: no photographs, or not as many as it prints."""
    if entry is None or entry["source"] != REAL:
        return entry["source"] if entry else f"no record of the {checks.name(dataset)} that was read"
    whole, train, val, test = (checks.images(paper, dataset, split) for split in ("all", "train", "val", "test"))
    parts = [claims[0].value for claims in (train, val, test) if train and test and claims]
    frames = [n for n, *_ in checks.frames(dataset, paper)]
    sizes = sorted({*(int(claim.value) for claim in whole[:1]), *([int(sum(parts))] if parts else []), *frames})
    if not sizes or any(abs(entry["images"] / float(size) - 1) <= SAME_SIZE for size in sizes):
        return ""
    return f"{entry['images']:,} images of {checks.name(dataset)}, not {' or '.join(f'{n:,}' for n in sizes)}"


def judge(printed: pd.DataFrame, runs: list | tuple = ()) -> pd.DataFrame:
    """Every claim with its word, a reason, and what stands beside it: a row a claim, columns `COLUMNS`.

    `printed` has all rows of each paper, `runs` are at work or of `finished_runs`. From `printed_low` to `printed_high`
    is Wilson's interval, of all numbers of images that print so; `floor` is what the most frequent expression alone
    gives (for a precision its class's share, for a loss the labels' entropy), `apart` how far the nearest other network
    is, `smallest` what difference the images can show: n, or, where n is not settled, the most that it can be.
    """
    found, parsed, scores = checks.check(printed), checks.parse(printed), measured(printed, runs)
    at_fault = set(found.loc[found["word"].isin([IMPOSSIBLE, FALSE, AMBIGUOUS]), "claim"])
    settled = (found["claim"] + " " + found["against"]).map(lambda ids: not at_fault.isdisjoint(ids.split()))
    found.loc[settled & (found["word"] == CONTRADICTS), "word"] = BESIDES
    notes = found["note"].str[:-1] + found["against"].map(lambda ids: f" ({ids})" * bool(ids))
    sentences = notes.groupby([found["claim"], found["word"]]).agg(lambda alike: f"{'; '.join(alike.unique())}.")
    rows = []
    for claim in parsed:
        mine, said = scores[scores["claim"] == claim.claim], sentences[claim.claim]
        ours, paper = _nearest(mine, claim), checks.pick(parsed, paper=claim.paper)
        entries = [entry for run in runs for entry in run.about.get("data", [])]
        here = [entry["dataset"] for entry in entries if not _of_data(paper, entry["dataset"], entry)]
        missing = [name for name in claim.dataset.split(" to ") if name in UNDER_AGREEMENT and name not in here]
        word, reason = (
            _first(said, IMPOSSIBLE, FALSE, AMBIGUOUS, CONTRADICTS)
            or _counted(claim, runs)
            or _first(said, DOUBTFUL, AGREES)
            or _from_scores(claim, mine)
            or _not_tested(claim, paper, missing, ours)
        )
        if word == CONTRADICTS and DOUBTFUL in said:
            reason += f" Besides: {said[DOUBTFUL]}"
        if claim.kind == "result" and BESIDES in said:
            reason += f" Nor can these be true together: {said[BESIDES]}"
        rows.append(claim._asdict() | {"word": word, "reason": reason} | _context(claim, paper) | ours)
    whole = dict.fromkeys(("decimals", "n", "most", "image_size", "seeds", "images_apart"), "Int64")
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(whole)


def _first(said: pd.Series, *words: str) -> tuple[str, str] | None:
    """The first of the words that the checks say of a claim, with their sentences, or None."""
    return next(((word, said[word]) for word in words if word in said), None)


def _counted(claim: checks.Claim, runs: list | tuple) -> tuple[str, str] | None:
    """That images were counted again in real photographs, as many as printed."""
    for run in runs if claim.kind == "count" else []:
        rows = run.results[(run.results["claim"] == claim.claim) & (run.results["metric"] == claim.metric)]
        real = any((e["dataset"], e["source"]) == (claim.dataset, REAL) for e in run.about.get("data", []))
        if real and (abs(rows["value"] - float(claim.value)) <= 0.5 * 10.0**-claim.decimals).any():
            return AGREES, f"Counted again in {run.about['run']}."
    return None


def equivalence(value: float, ours: Interval, margin: float) -> str:
    """Reproduced, not reproduced or undecided: two one-sided tests at 5 %, and the 95 % interval wholly outside."""
    if value - margin <= ours.low90 and ours.high90 <= value + margin:
        return REPRODUCED
    return NOT_REPRODUCED if ours.low > value + margin or ours.high < value - margin else UNDECIDED


def _from_scores(claim: checks.Claim, scores: pd.DataFrame) -> tuple[str, str] | None:
    """What our scores make of a result, with the numbers; None if they can't judge it, or it is not printed well."""
    if claim.note.startswith("open: "):
        return None
    value, m = float(claim.value), MARGIN_OF_CLASS if claim.expression else MARGIN
    one = scores["trainings"].map(lambda trainings: ", one training" * (trainings == 1))
    shown = [f"{row.value:.4f} [{row.low:.4f}, {row.high:.4f}]" for row in scores.itertuples()]
    scores = scores.assign(shown=shown + one)
    same, relatives = scores[scores["differs"] == ""], scores[scores["relative"]]
    if ours := next(same.itertuples(), None):
        note = f"{ours.shown} against {value}, in {ours.run}."
        if claim.unit != "share":
            return UNDECIDED, f"How near a {claim.metric} has to come was not fixed beforehand: {note}"
        if ours.trainings < 2:
            return UNDECIDED, f"One training, which does not show how much trainings differ: {note}"
        if claim.metric.endswith("_below"):  # a bound: everything under it is as printed
            return REPRODUCED if ours.high90 < value else NOT_REPRODUCED if ours.low >= value else UNDECIDED, note
        return equivalence(value, ours, m), note
    fixed = next(relatives[~relatives["apart"].str.contains(";")].itertuples(), None)
    if fixed and not fixed.set_otherwise and fixed.low <= value + m and fixed.high >= value - m:
        return SUPPORTED, f"The nearest relative, {fixed.model} in {fixed.run}, has {fixed.shown}; {value} is printed."
    if len(relatives) < 2:
        return None
    best = relatives.loc[relatives["high"].idxmax()]
    settings = len(relatives[["model", "image_size"]].drop_duplicates())
    note = f"In the best of {settings} settings, by these very scores, the nearest relative, {best['model']} at "
    note += f"{best['image_size']:.0f} px in {best['run']}, has {best['shown']}; {value} is printed."
    if fixed:
        note += f" In the setting {'nearest to that ' * bool(fixed.set_otherwise)}fixed beforehand {fixed.model} at "
        note += f"{fixed.image_size:.0f} px has {fixed.shown} ({fixed.differs})."
    if best["high"] < value - FAR:
        return DOUBTFUL, note
    return NOT_TESTED, f"Weights: no run of {claim.model} began from those of ImageNet. {note}"


def _not_tested(claim: checks.Claim, paper: checks.Paper, missing: list, ours: dict) -> tuple[str, str]:
    """Why nothing tests a claim: data under agreement, not printed well enough, weights or hardware."""
    if claim.kind in ("setting", "cited"):
        return NOTHING, "A setting of the authors." if claim.kind == "setting" else "Not measured by this paper."
    if missing:
        why = f"Data under agreement: {' and '.join(map(checks.name, missing))}"
    elif claim.note.startswith("open: "):
        why = f"Not printed well enough: {claim.note.removeprefix('open: ')}"
    elif checks.is_of_images(claim) and not checks.plausible_totals(claim, paper):
        why = "Not printed well enough: n, of how many images it is a share, is missing"
    elif claim.kind == "result" and paper_init(claim) == "imagenet":
        why = f"Weights: no run of {claim.model or 'B0 to B7'} began from those of ImageNet"
    else:
        why = "Hardware: no run of these did it"
    if ours["differs"]:
        why += f"; the nearest of ours, {ours['ours']:.3g} in {ours['run']}, differs: {ours['differs']}"
    return NOT_TESTED, f"{why}."


def _nearest(scores: pd.DataFrame, claim: checks.Claim) -> dict:
    """What is shown as ours: the score that differs in least from what the claim is about; then the first.

    Of two settings with as many differences that with the paper's size of images.
    """
    few, otherwise = (scores[column].str.count(";") + (scores[column] != "") for column in ("apart", "set_otherwise"))
    rank = {"few": few, "otherwise": otherwise, "resized": scores["set_otherwise"].str.contains("image_size")}
    rank |= {"other": scores["init"] != paper_init(claim)}
    ranked = scores.assign(**rank).sort_values([*rank], kind="stable")[list(OURS)].rename(columns=OURS)
    return next(iter(ranked.to_dict("records")), dict.fromkeys(OURS.values()))


def _context(claim: checks.Claim, paper: checks.Paper) -> dict:
    """A printed number and what stands beside it: n, its own interval, the floor, and what it is compared with."""
    n, fits, totals = checks.likely_total(claim, paper) if checks.is_of_images(claim) else (None, {}, {})
    stated = [size for size in fits if totals[size].startswith(checks.STATED)]
    n = claim.n or (n if n in stated and claim.dataset == claim.tested else None)
    most = n or max(stated or fits, default=None)
    value, metric = float(claim.value), claim.metric if claim.unit == "share" else ""
    context: dict = {"printed": value, "n": n, "most": most}
    accuracy = metric.startswith("accuracy") and not metric.endswith("_below")
    if n and accuracy and (found := arithmetic.counts(claim.value, n)):
        ends = [evaluation.proportion_interval(k, n) for k in (found[0], found[-1])]
        context["printed_low"], context["printed_high"] = ends[0][0], ends[1][1]
    sizes = pd.Series(checks.class_images(claim, paper) if claim.kind == "result" else {}, dtype=float)
    shares = sizes / sizes.sum() if n or claim.dataset == claim.tested else sizes.head(0)  # else any of several sets
    if accuracy and not claim.expression:
        context["floor"] = shares.max()
    elif claim.metric.startswith("loss"):
        context["floor"] = stats.entropy(shares) if len(shares) else np.nan
    elif claim.metric == "precision":
        context["floor"] = shares.get(claim.expression, np.nan)
    alike = checks.pick(paper, dataset=claim.dataset, split=claim.split, metric=claim.metric, expression="")
    rivals = [c for c in alike if c.model != claim.model and "standard CNN" not in (c.model, claim.model)]
    if claim.kind == "result" and accuracy and most:
        context["smallest"] = evaluation.smallest_difference(most, value)
    if claim.kind == "result" and metric == "accuracy" and rivals and most:
        rival = min(rivals, key=lambda other: abs(other.value - claim.value))
        context |= {"compared_with": rival.model, "apart": float(claim.value - rival.value)}
        context["images_apart"] = round(abs(context["apart"]) * n) if n else None
        context["smallest"] = evaluation.smallest_difference(most, min(value, float(rival.value)))
    return context


def statements(judged: pd.DataFrame) -> pd.DataFrame:
    """One row for each statement, that with the gravest word: several rows make some, as the channels of a sequence."""
    gravest = judged.sort_values("word", key=lambda words: words.map(GRAVEST.index), kind="stable")
    return gravest.drop_duplicates("statement").sort_index()


def headline(judged: pd.DataFrame) -> str:
    """One sentence about the results alone: of how many, how many got which word."""
    once = statements(judged)
    counts = once.loc[once["kind"] == "result", "word"].value_counts()
    counts = counts.reindex([w for w in WORDS if w in counts or w in (REPRODUCED, NOT_REPRODUCED)], fill_value=0)
    told = ", ".join(several(word, number) for word, number in counts.items())
    return f"Of {counts.sum()} result{'' if counts.sum() == 1 else 's'}, {told}."


def several(word: str, number: int) -> str:
    """How many numbers got a word, in words."""
    return f"{number} {word if number == 1 else OF_SEVERAL.get(word, word)}"


def verdict(run, paper: str, of_all: pd.DataFrame | None = None) -> Verdict:
    """What a run's numbers and, where verdicts `of_all` runs are given, these say of a paper; a row for each result.

    After a reason stand the printed number's interval, the floor, and the images between it and the nearest other.
    """
    judged = judge(load(paper), [run])
    words = judged if of_all is None else of_all[of_all["paper"] == paper]
    own = with_interval(judged.rename(columns={"ours_low": "ci_low", "ours_high": "ci_high"}))
    results = statements(words).query("kind == 'result'").drop(columns="ours")
    table = results.merge(own[["claim", "ours", "interval"]], "left", "claim")
    table["reason"] += table.apply(_beside, axis=1)
    table["printed"] = [f"{row.printed:.{row.decimals}f}" for row in table.itertuples()]
    table["claim"] = table["claim"].str.partition(".")[2]
    return Verdict(headline(words), table[["claim", "printed", "ours", "interval", "word", "reason"]])


def _beside(row: pd.Series) -> str:
    interval = f"interval [{row['printed_low']:.3f}, {row['printed_high']:.3f}]"
    apart = f"{row['images_apart']:.0f} images from {row['compared_with'] or 'the next'}"
    known = {"printed_low": interval, "floor": f"floor {row['floor']:.3f}", "images_apart": apart}
    note = ", ".join(text for name, text in known.items() if pd.notna(row[name]))
    return f" Printed: {note}." if note else ""
