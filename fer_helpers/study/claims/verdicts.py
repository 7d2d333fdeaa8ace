"""One word for each printed number: reproduced, not reproduced, impossible as printed, or not testable here.

The rule, written down before any of our numbers. The first that applies:

1. **Impossible as printed.** A check (`checks`) says `no`: the number contradicts whole images, the paper's own numbers, the network, or
   what a data set's authors published. A `no` that was found for a number of images counts only if the paper itself states that number;
   where it states none, the number it used may be one that nobody tried.
2. **Counts and statements about the network**, which no protocol can change, are counted again: reproduced if our count, rounded as the
   paper prints, is the same. A copy of a data set that is not as published (it says so itself, or the data set's authors published the
   paper's number) can't refute a count. What the check `network` finds in the network that Keras builds is such a count.
3. **Scores** are held against a run under protocol `paper` with the claim's own initial weights, network and data: real photographs of the
   same data set, as many (within 2 in 100) as the paper prints. Reproduced: |ours − paper| is within the larger of 2 points and the 95 %
   interval of ours; for a loss, 0.02 nats are 2 points. Of several seeds the first stands for the run. A run that differs in initial
   weights, network or data can neither reproduce nor refute: it is shown as context, and so is every run on generated faces. What stands
   under protocol `clean` is shown beside, and judges nothing.
4. **Not testable here** is everything else, with a reason.

The papers' initial weights are ImageNet's for every EfficientNet (jiang_2025 does not say; its first epoch fits nothing else), and none for
another network (the standard CNN of alam_2022's table 1). A number that a paper prints in several places needs to be measured once.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from fer_helpers.study.claims.checks import EFFICIENTNET, NO, UNKNOWN, YES
from fer_helpers.study.claims.published import NAMES

VERDICTS = REPRODUCED, NOT_REPRODUCED, IMPOSSIBLE, NOT_TESTABLE = (
    "reproduced",
    "not reproduced",
    "impossible as printed",
    "not testable here",
)
POINTS = 0.02
SAME_SIZE = 0.02  # of the printed number of images: copies lose a few files
SCOREBOARD = "05_scoreboard"  # its results repeat those of other runs
REAL = "real photographs"

OURS = ("value", "low", "high", "n", "run", "model", "init", "seed", "split")
COLUMNS = (
    *(
        "claim",
        "paper",
        "where",
        "dataset",
        "split",
        "protocol",
        "model",
        "metric",
        "expression",
        "printed",
        "unit",
        "decimals",
        "attainable",
        "explanation",
    ),
    *(f"{protocol}_{name}" for protocol in ("paper", "clean") for name in OURS),
    *("counted", "counted_run", "context", "difference", "verdict", "reason"),
)
MEASURED = (
    "claim",
    "run",
    "protocol",
    "dataset",
    "split",
    "model",
    "init",
    "metric",
    "expression",
    "value",
    "ci_low",
    "ci_high",
    "n",
    "seed",
    "differs",
)

# What stands between a reader and the data.
ACCESS = {
    "affectnet": "AffectNet, which its authors give to research groups that sign an agreement",
    "ckplus": "CK+ as its authors give it, on a signed agreement",
    "dfew": "DFEW, which its authors give on a signed agreement",
    "fer2013": "FER-2013, which asks for an account at Kaggle",
    "imagenet": "ImageNet",
    "jaffe": "JAFFE, which is given on request",
    "rafdb": "RAF-DB, which its authors give on a signed agreement",
}
WEIGHTS = "ImageNet weights, which this machine could not fetch"
COUNTS = (
    "images",
    "images_low",
    "sequences",
    "subjects",
    "classes",
    "categories",
    "image_size",
    "image_width",
    "image_height",
    "sample_size",
)
COMPUTED_WITH = ("hardware_", "python_", "cuda_", "nvidia_")
SAME_QUANTITY = ["paper", "dataset", "split", "protocol", "model", "metric", "expression", "value"]
TEXT = ("run", "paper", "claim", "notebook", "dataset", "split", "protocol", "model", "init", "metric", "expression")
OF_EPOCH = ("_first_epoch", "_last_epoch")


def judge(
    claims: pd.DataFrame, results: pd.DataFrame, checks: pd.DataFrame, runs: Iterable[dict] | None = None
) -> pd.DataFrame:
    """Every claim with what we got and its verdict, by the rule above.

    Args:
        claims: rows of claims.csv, as `claims.load` gives them.
        results: rows of `results.csv` of any runs; `run` is the run's name, or `<profile>/<run>` where runs of several profiles come together.
        checks: what `checks.check` found in these claims.
        runs: the runs' `run.json`, which says what data they read; None takes every run to be on real photographs, as many as printed.

    Returns:
        One row a claim, in their order, with columns `COLUMNS`. `printed` is the paper's number, `attainable` says whether it is possible
        (`yes`, `no`, `unknown`), and `explanation` why not. `paper_...` and `clean_...` are ours under the two protocols: `value`, ends of
        the 95 % interval, `n`, and what was run; `counted` is ours where no protocol applies. `context`: what stands there can't refute the
        claim. `difference` is ours (under protocol `paper`, or counted) less the paper's. `reason` is a sentence, for every verdict.
    """
    rows, about = _own(results), _by_name(runs)
    possible = attainable(claims, checks).set_index("claim")
    found, counted = _measured(claims, rows, about), _counted(claims, rows, about)
    here = (
        None
        if about is None
        else {
            entry["dataset"]
            for content in about.values()
            for entry in content.get("data", [])
            if entry["source"] == REAL
        }
    )
    built, published = (
        dict(
            checks.loc[(checks["check"] == check) & (checks["attainable"] == YES), ["claim", "note"]].itertuples(
                index=False, name=None
            )
        )
        for check in ("network", "published_figure")
    )
    judged = []
    for claim in claims.to_dict("records"):
        row = (
            {name: claim[name] for name in COLUMNS if name in claim}
            | {"printed": claim["value"]}
            | possible.loc[claim["claim"]].to_dict()
        )
        best = _best(found[found["claim"] == claim["claim"]], claim)
        row |= _ours(best) | _count(counted[counted["claim"] == claim["claim"]], claim, built, published)
        ours = row["counted"] if pd.isna(row["paper_value"]) else row["paper_value"]
        row["difference"] = ours - claim["value"]
        row |= _verdict(claim, row, best, here, claim["claim"] in published)
        judged.append(row)
    return pd.DataFrame(judged, columns=list(COLUMNS)).astype(
        {"decimals": "Int64", "paper_n": "Int64", "clean_n": "Int64", "context": bool}
    )


def unmatched(results: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """Results without a claim: columns `run`, `metric` (up to a colon, where one names what it is about) and `rows`, how many."""
    rows = _own(results)
    rows = rows[~rows["claim"].isin(claims["claim"])]
    named = rows.assign(metric=rows["metric"].str.split(":").str[0])
    return named.groupby(["run", "metric"], sort=False).size().rename("rows").reset_index()


# ------------------------------------------------------------------------------------------------------------- possible


def is_decisive(claims: pd.DataFrame, checks: pd.DataFrame) -> pd.Series:
    """For each row of `checks` whether a `no` in it makes the claim impossible: not if it tried a number of images that the paper does not state."""
    stated = checks["claim"].map(claims.set_index("claim")["n"])
    return (checks["check"] != "whole_images") | (stated == checks["n"]).fillna(False).astype(bool)


def attainable(claims: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """Columns `claim`, `attainable` (`yes`, `no` or `unknown`) and `explanation`, the checks' sentences where it is `no`."""
    decisive = is_decisive(claims, checks)
    rows = []
    for claim in claims["claim"]:
        of_claim = checks[checks["claim"] == claim]
        against = of_claim[(of_claim["attainable"] == NO) & decisive[of_claim.index]]
        found = NO if len(against) else YES if (of_claim["attainable"] == YES).any() else UNKNOWN
        rows.append((claim, found, " ".join(dict.fromkeys(against["note"]))))
    return pd.DataFrame(rows, columns=["claim", "attainable", "explanation"])


# ------------------------------------------------------------------------------------------------------------- measured


def measured(claims: pd.DataFrame, results: pd.DataFrame, runs: Iterable[dict] | None = None) -> pd.DataFrame:
    """Our scores beside the claims: one row for each claim, run and protocol (`paper`, `clean`), columns `MEASURED`.

    Under protocol `paper` that is the score which names the claim, of the first seed; under `clean` the same network's score, of the same
    run, training and expression. `differs` says in words what keeps it from judging the claim; empty if nothing does.
    """
    return _measured(claims, _own(results), _by_name(runs))


def _measured(claims: pd.DataFrame, rows: pd.DataFrame, about: dict[str, dict] | None) -> pd.DataFrame:
    scores = rows[(rows["init"] != "") & rows["protocol"].isin(["paper", "clean"])].sort_values(
        ["run", "seed"], kind="stable"
    )
    found, again = [], _printed_again(claims)
    for claim in claims[claims["protocol"] != ""].to_dict("records"):
        named = scores[scores["claim"].isin(again[claim["claim"]])]
        for run, of_run in named.groupby("run"):
            paper, clean = of_run[of_run["protocol"] == "paper"].head(1), of_run[of_run["protocol"] == "clean"].head(1)
            if clean.empty and len(paper):
                clean = _under_clean(paper.iloc[0], scores[scores["run"] == run])
            ours = pd.concat([paper, clean]).to_dict("records")
            found += [
                row | {"claim": claim["claim"], "differs": "; ".join(_differences(claim, row, claims, about))}
                for row in ours
            ]
    return pd.DataFrame(found, columns=list(MEASURED))


def _own(results: pd.DataFrame) -> pd.DataFrame:
    """The results but for those that the scoreboard repeats; empty text where text is missing."""
    rows = results.assign(**{name: results[name].astype("object").where(results[name].notna(), "") for name in TEXT})
    return rows[rows["notebook"] != SCOREBOARD].reset_index(drop=True)


def _by_name(runs: Iterable[dict] | None) -> dict[str, dict] | None:
    """`run.json` by the name of the run, alone and behind its profile."""
    if runs is None:
        return None
    named = [(content, content["run"], f"{content.get('profile', '')}/{content['run']}") for content in runs]
    return {name: content for content, *names in named for name in names}


def _printed_again(claims: pd.DataFrame) -> dict[str, set[str]]:
    """For each claim the ids under which the paper prints the same number of the same thing, its own included.

    Of a table whose cells differ by something else, as the size of the input, each cell stands alone.
    """
    again = {}
    for _, same in claims.groupby(SAME_QUANTITY, dropna=False):
        elsewhere = set(same.loc[~same["where"].duplicated(keep=False), "claim"])
        again |= {claim: elsewhere if claim in elsewhere else {claim} for claim in same["claim"]}
    return again


def _under_clean(paper: pd.Series, scores: pd.DataFrame) -> pd.DataFrame:
    """The row under protocol `clean` that belongs to one under `paper`, or none."""
    alike = ["dataset", "init", "metric", "expression", "seed", "image_size"]
    same = (scores[alike].astype("string").fillna("") == paper[alike].astype("string").fillna("")).all(axis=1)
    whole = ~scores["split"].str.contains(" fold | without copies")
    clean = scores[same & whole & (scores["protocol"] == "clean")]
    exactly = clean[clean["model"] == paper["model"]]
    # "standard CNN, best test epoch" has no clean counterpart but the standard CNN.
    return (clean[clean["model"] == paper["model"].partition(",")[0]] if exactly.empty else exactly).head(1)


def paper_init(claim: dict) -> str:
    """The initial weights of the network that a claim is about."""
    return "imagenet" if not claim["model"] or EFFICIENTNET.fullmatch(claim["model"]) else "scratch"


def _differences(claim: dict, row: dict, claims: pd.DataFrame, about: dict[str, dict] | None) -> Iterator[str]:
    """In what a score differs from what a claim is about."""
    if about is not None:
        yield from _of_data(claim, row, claims, about)
    if row["init"] != paper_init(claim):
        yield f"initial weights {row['init']}, not {paper_init(claim)}"
    if claim["model"] and row["model"].partition(",")[0] != claim["model"]:
        yield f"{row['model']}, not {claim['model']}"
    metric = row["metric"] if row["metric"] == claim["metric"] else row["metric"].removesuffix(OF_EPOCH[1])
    if metric != claim["metric"] and not (claim["metric"].endswith("_below") and "_less_" in metric):
        yield f"{row['metric']}, not {claim['metric']}"


def _of_data(claim: dict, row: dict, claims: pd.DataFrame, about: dict[str, dict]) -> Iterator[str]:
    read = {entry["dataset"]: entry for entry in about.get(row["run"], {}).get("data", [])}
    for name in row["dataset"].split(" to "):
        if name not in read:
            yield f"no record of the {_name(name)} that was read"
        elif read[name]["source"] != REAL:
            yield f"{read[name]['source']}, which say nothing about a paper"
        else:
            sizes, images = _printed_sizes(claim["paper"], name, claims), read[name]["images"]
            if sizes and not any(abs(images - size) <= SAME_SIZE * size for size in sizes):
                yield f"{images:,} images of {_name(name)}, not {' or '.join(f'{size:,}' for size in sorted(sizes))}"
    if set(row["dataset"].split(" to ")) != set(claim["dataset"].split(" to ")):
        yield f"{_names(row['dataset'])}, not {_names(claim['dataset'])}"


def _printed_sizes(paper: str, dataset: str, claims: pd.DataFrame) -> set[int]:
    """How many images a data set has, as the paper prints: as a whole, or its parts together; none if it prints neither."""
    images = claims[
        (claims["paper"] == paper)
        & (claims["dataset"] == dataset)
        & (claims["metric"] == "images")
        & (claims["expression"] == "")
    ]
    whole = set(images.loc[images["split"] == "all", "value"].astype(int))
    parts = images[images["split"].isin(["train", "val", "test"])].drop_duplicates("split")
    return whole | ({int(parts["value"].sum())} if {"train", "test"} <= set(parts["split"]) else set())


def _best(found: pd.DataFrame, claim: dict) -> pd.DataFrame:
    """The scores of the run that is nearest to the paper: none differs, real photographs, initial weights; then by name."""
    if found.empty:
        return found

    def rank(row: pd.Series) -> tuple:
        weights = {paper_init(claim): 0, "scratch": 2}.get(row["init"], 1)  # 1: a body that was trained before
        return (
            row["protocol"] != "paper",
            row["differs"] != "",
            "generated faces" in row["differs"],
            weights,
            row["run"],
        )

    nearest = min((row for _, row in found.iterrows()), key=rank)
    return found[found["run"] == nearest["run"]]


def _ours(best: pd.DataFrame) -> dict:
    """What is shown of the scores of one run, under both protocols."""
    shown, empty = {}, dict.fromkeys(OURS, "") | dict.fromkeys(("value", "low", "high", "n", "seed"), np.nan)
    for protocol in ("paper", "clean"):
        rows = (
            best[best["protocol"] == protocol].rename(columns={"ci_low": "low", "ci_high": "high"}).to_dict("records")
        )
        shown |= {f"{protocol}_{name}": (rows[0] if rows else empty)[name] for name in OURS}
    return shown


# -------------------------------------------------------------------------------------------------------------- counted


def _counted(claims: pd.DataFrame, rows: pd.DataFrame, about: dict[str, dict] | None) -> pd.DataFrame:
    """Our counts beside the claims, one row for each claim and result: columns claim, run, value, generated, notes (on the data set)."""
    found, again = [], _printed_again(claims)
    untrained = rows[rows["init"] == ""]
    for claim in claims[claims["protocol"] == ""].to_dict("records"):
        named = untrained[untrained["claim"].isin(again[claim["claim"]])]
        same = (
            named["model"].isin(["", claim["model"]]) if not claim["dataset"] else (named["metric"] == claim["metric"])
        )
        for row in named[same & (named["dataset"] == claim["dataset"])].to_dict("records"):
            entries = [] if about is None else about.get(row["run"], {}).get("data", [])
            entry = next((entry for entry in entries if entry["dataset"] == claim["dataset"]), {})
            generated = any(entry["source"] != REAL for entry in entries) or (
                about is not None and row["run"] not in about
            )
            found.append((claim["claim"], row["run"], row["value"], generated, " ".join(entry.get("notes", []))))
    return pd.DataFrame(found, columns=["claim", "run", "value", "generated", "notes"])


def _count(counted: pd.DataFrame, claim: dict, built: dict[str, str], published: dict[str, str]) -> dict:
    """The count that is shown (of several the nearest), where it is from, and what comes of it: a pair of verdict and reason, or None."""
    if counted.empty and claim["claim"] in built:
        return {"counted": claim["value"], "counted_run": "checks", "count": (REPRODUCED, built[claim["claim"]])}
    if counted.empty:
        return {"counted": np.nan, "counted_run": "", "count": None}
    first = counted.sort_values(["generated", "run"], kind="stable").iloc[0]
    values = counted.loc[counted["run"] == first["run"], "value"]
    same = bool((np.abs(values - claim["value"]) <= 0.5 * 10.0 ** -int(claim["decimals"]) + 1e-12).all())
    outcome = (
        (REPRODUCED, f"Counted in {first['run']}.")
        if same
        else (NOT_REPRODUCED, f"Another number was counted in {first['run']}.")
    )
    if not same and (first["notes"] or claim["claim"] in published):
        outcome = (
            NOT_TESTABLE,
            f"Our copy of {_name(claim['dataset'])} is not as published, so that its count refutes nothing.",
        )
    if first["generated"]:
        outcome = (NOT_TESTABLE, "Counted on generated faces, which say nothing about a paper.")
    return {
        "counted": float(min(values, key=lambda value: abs(value - claim["value"]))),
        "counted_run": first["run"],
        "count": outcome,
    }


# -------------------------------------------------------------------------------------------------------------- verdict


def _verdict(claim: dict, row: dict, best: pd.DataFrame, here: set[str] | None, published: bool) -> dict:
    """Verdict, reason and context of a claim."""
    count, under_paper = row["count"], best[best["protocol"] == "paper"]
    differs = "" if under_paper.empty else under_paper["differs"].iloc[0]
    context = bool(differs) or (len(best) > 0 and under_paper.empty) or (count is not None and count[0] == NOT_TESTABLE)
    if row["attainable"] == NO:
        verdict, reason = IMPOSSIBLE, row["explanation"]
    elif count is not None:
        verdict, reason = count
    elif len(under_paper) and not differs and not pd.isna(row["paper_value"]):
        verdict, reason = _scored(claim, row)
    else:
        verdict, reason = NOT_TESTABLE, _why_not(claim, best, differs, here, published)
    return {"context": context, "verdict": verdict, "reason": reason}


def _scored(claim: dict, row: dict) -> tuple[str, str]:
    if claim["metric"].endswith("_below"):
        near = row["paper_value"] < claim["value"]
        where = f"{'Below' if near else 'Not below'} the printed bound"
    else:
        # Two decimals of a share are not the same in binary.
        near = round(abs(row["difference"]), 9) <= POINTS or bool(
            row["paper_low"] <= claim["value"] <= row["paper_high"]
        )
        where = f"{'Within' if near else 'Outside'} the larger of 2 points and the interval"
    return (
        REPRODUCED if near else NOT_REPRODUCED,
        f"{where}, with the same initial weights, protocol and data ({row['paper_run']}).",
    )


def _why_not(claim: dict, best: pd.DataFrame, differs: str, here: set[str] | None, published: bool) -> str:
    """Why a claim that is not impossible has no verdict."""
    if claim["note"].startswith("cited"):
        return "Cited from other work: not measured by this paper."
    if differs:
        hint = f" It needs {WEIGHTS}." if "not imagenet" in differs else ""
        return f"Ours is context: {differs}.{hint}"
    if len(best):
        return "There is no number under the paper's protocol; what stands under protocol clean was measured otherwise."
    needed = [ACCESS[name] for name in claim["dataset"].split(" to ") if name in ACCESS and name not in (here or set())]
    if claim["protocol"]:
        needed += [WEIGHTS] if paper_init(claim) == "imagenet" else []
        return f"Not measured: it needs {_and(needed)}." if needed else "Not measured by any of these runs."
    if claim["metric"].startswith("best_epoch"):
        return "The epoch of one training: another draw of weights and order gives another."
    if claim["metric"].startswith(COMPUTED_WITH):
        return "What the authors computed with: nothing to measure."
    if claim["metric"] in COUNTS and claim["dataset"]:
        reason = f"It needs {_and(needed)}" if needed else "No run reports this number"
        return f"{reason}; the authors of the data set published the same." if published else f"{reason}."
    return "A setting or statement of the authors: nothing to measure."


def _name(dataset: str) -> str:
    return NAMES.get(dataset, dataset)


def _names(datasets: str) -> str:
    return " to ".join(_name(name) for name in datasets.split(" to "))


def _and(parts: list[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
