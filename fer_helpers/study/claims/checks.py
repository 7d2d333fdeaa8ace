"""Is what a paper prints possible, and does it agree with itself, with the network and with the data sets' authors?

A check goes through the claims of one paper and finds of each what it can, one of `WORDS` and a sentence; it knows no
paper. What can't be true beside another claim is found of both.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import combinations, product
from typing import Any

import pandas as pd
from scipy import stats

from fer_helpers.study.claims import arithmetic, published

WORDS = ("impossible", "false", "ambiguous", "contradicts itself", "doubtful", "agrees", "possible", "unknown")
IMPOSSIBLE, FALSE, AMBIGUOUS, CONTRADICTS, DOUBTFUL, AGREES, POSSIBLE, UNKNOWN = WORDS
SHARES_OF_IMAGES = ("accuracy", "accuracy_low", "accuracy_high", "accuracy_first_epoch", "accuracy_top5", "recall")
SCORES = (*SHARES_OF_IMAGES, "precision", "f1", "loss", "loss_first_epoch")
PLACE = re.compile(r"[^.]+\.(?:abstract|sec[\d.]*\d|table\d+|fig\d+)\.")
STATED = "as the paper states"

Claim = Any  # a row of claims.csv as `parse` returns it
Paper = list[Claim]
Found = Iterator[tuple]  # claim, one of WORDS or whether it can be true beside others, sentence without its dot, others


def parse(claims: pd.DataFrame) -> list[Claim]:
    """The claims as named tuples, with the value as it is printed (Decimal) and what follows from the columns.

    Added: `low` and `high` (its bounds before it was rounded), `what` (the id without paper and place), `tested` (the
    data set scored, the second of `rafdb to ckplus`), `places` (sections, tables and figures without the paragraph),
    `place` (the first of them), and `scored_as`, which two scores of one model on the same images share.
    """
    places = claims["where"].map(lambda where: [re.split(r"[,(]", place)[0].strip() for place in where.split("; ")])
    exact = [Decimal(f"{row.value:.{row.decimals}f}") for row in claims.itertuples()]
    low, high = zip(*map(arithmetic.bounds, exact), strict=True)
    claims = claims.assign(value=exact, low=low, high=high, places=places.map(set), place=places.str[0])
    claims["n"] = claims["n"].astype(object).where(claims["n"].notna(), None)
    claims["what"] = claims["claim"].str.replace(PLACE, "", regex=True)
    claims["tested"] = claims["dataset"].str.split(" to ").str[-1]
    claims["scored_as"] = claims["dataset"] + "," + claims["split"] + "," + claims["model"]
    return list(claims.itertuples(index=False, name="Claim"))


def check(claims: pd.DataFrame) -> pd.DataFrame:
    """Put every claim to every check: one row or more for each claim in their order, `against` holds ids and spaces."""
    read, rows = parse(claims), []
    for paper, run in product(claims["paper"].unique(), CHECKS):
        for claim, word, note, *others in run(pick(read, paper=paper)):
            word = {True: POSSIBLE, False: CONTRADICTS}.get(word, word)
            others = [other.claim for other in others if word == CONTRADICTS]
            both = [(claim.claim, " ".join(others)), *((other, claim.claim) for other in others)]
            rows += [(id_, run.__name__, word, against, f"{note}.") for id_, against in both]
    found = pd.DataFrame(rows, columns=["claim", "check", "word", "against", "note"]).drop_duplicates()
    printed = pd.DataFrame({"claim": [c.claim for c in read], "printed": [str(c.value) for c in read]})
    nothing = {"word": UNKNOWN, "note": "Nothing to hold it against was printed or published."}
    every = printed.merge(found, how="left").fillna(nothing).fillna("")
    return every[["claim", "check", "printed", "word", "against", "note"]]


def pick(claims: Paper, **columns) -> Paper:
    """The claims whose columns have these values."""
    return [claim for claim in claims if all(getattr(claim, name) == value for name, value in columns.items())]


def own(claims: Paper, **columns) -> Paper:
    """The same of a paper's own claims: what it only cites is left out."""
    return [claim for claim in pick(claims, **columns) if claim.kind != "cited"]


def name(dataset: str) -> str:
    """A data set as it is written in a sentence."""
    return " to ".join(published.NAMES.get(part, part) for part in dataset.split(" to "))


def images(paper: Paper, dataset: str, split: str, expression: str = "") -> Paper:
    """What a paper prints of how many images a split of a data set has."""
    return own(paper, metric="images", dataset=dataset, split=split, expression=expression) if dataset else []


def class_images(claim: Claim, paper: Paper) -> dict[str, int]:
    """Images of each expression in the set that a claim is about: as printed, or as its authors published them."""
    of_split = pick(paper, metric="images", dataset=claim.dataset, split=claim.split)
    printed = {other.expression: int(other.value) for other in of_split if other.expression}
    sizes = [claim.n, *plausible_totals(claim, paper), *(int(c.value) for c in images(paper, claim.tested, "all"))]
    return printed or next(filter(None, (published.CLASS_IMAGES.get((claim.tested, n)) for n in sizes)), {})


def _plain(value: Decimal) -> str:
    return f"{value:,}" if value > 9_999 else str(value)


def _listed(numbers: Iterable[tuple[int | Decimal, str]]) -> str:
    return ", ".join(f"{_plain(number)} ({about})" for number, about in numbers)


def whole_images(paper: Paper) -> Found:
    """A share of n images is k/n for a whole k, however it is rounded (GRIM, Brown and Heathers 2017)."""
    for claim in [c for c in paper if is_of_images(c)]:
        value, short = claim.value, claim.value.normalize()
        n, fits, totals = likely_total(claim, paper)
        ways = {total: f"{k:,} of {total:,} images ({totals[total]})" for total, k in fits.items()}
        if arithmetic.step(short) > arithmetic.step(value) and arithmetic.counts(short, n):
            ways[0] = f"{short} with zeros appended"
        if not totals:
            yield claim, UNKNOWN, "Of how many images it is a share is neither printed nor known"
        elif n in fits:
            yield claim, POSSIBLE, ways[n]
        elif ways:
            note = f"No whole number of {n:,} images ({totals[n]}) gives {value}"
            yield claim, DOUBTFUL, f"{note}{_slip(claim, n)}; it could be {' or '.join(ways.values())}"
        else:
            wholes = [int(c.value) for c in images(paper, claim.tested, "all", claim.expression)]
            folds = sorted({count for whole in wholes for count in arithmetic.folds_of_mean(claim.value, whole)})
            usual = " or ".join(map(str, arithmetic.USUAL_FOLDS))
            note = f"; nor does a mean over {usual} folds of all {wholes[0]:,}" if wholes else ""
            note = f"; the mean over {' or '.join(map(str, folds))} folds of all {wholes[0]:,} could" if folds else note
            yield claim, DOUBTFUL if folds else IMPOSSIBLE, _impossible(claim, paper, totals, n) + note


def likely_total(claim: Claim, paper: Paper) -> tuple[int, dict[int, int], dict[int, str]]:
    """The images that a share is most likely of, 0 if unknown; how many by each total that fits; and all that may."""
    totals = plausible_totals(claim, paper)
    found = {n: arithmetic.counts(claim.value, n) for n in totals}
    fits = {n: min(ks, key=lambda k: abs(k - claim.value * n)) for n, ks in found.items() if ks}
    return min(totals, key=lambda n: (not totals[n].startswith(STATED), n not in fits), default=0), fits, totals


def is_of_images(claim: Claim) -> bool:
    """Whether a number is a share of images; others' numbers are, where n is printed."""
    named = claim.metric in SHARES_OF_IMAGES or claim.metric.startswith("share_predicted_")
    return claim.unit == "share" and named and bool(claim.kind != "cited" or claim.n)


def _impossible(claim: Claim, paper: Paper, totals: dict[int, str], n: int) -> str:
    below, of_class = math.floor(claim.value * n), class_images(claim, paper)
    near = " and ".join(f"{k}/{n} = {k / n:.4f}" for k in (below, below + 1)) + _slip(claim, n)
    note = f"No whole number of images gives {claim.value}, however it is rounded, of {_listed(totals.items())}: {near}"
    if not any(of_class.values()) or claim.expression:
        return note
    if claim.value <= 1 - Decimal(4) / n:
        return f"{note}; so many errors can have nearly any average over classes, so that none was tried"
    sizes = (round(number * n / sum(of_class.values())) for number in of_class.values())
    found = arithmetic.averages(claim.value, tuple(sizes))
    could = " or ".join(average for average, fits in found.items() if fits) or "none"
    note += f"; of {', '.join(found)}, with up to three errors, each class having its share of the images (drawn at "
    return f"{note}random it may have more or fewer), it could be {could}"


def _slip(claim: Claim, n: int) -> str:
    slips = arithmetic.slips(claim.value, n)  # of more than three none is likely
    return f"; with one digit changed it would be {' or '.join(slips)}" if 0 < len(slips) <= 3 else ""


def plausible_totals(claim: Claim, paper: Paper) -> dict[int, str]:
    """How many images a score can be of, with the reason; what the paper states comes first, and its reason begins so.

    The claim's own n; what the paper says of the split or of a share or, where a network meets another data set, the
    frames and the whole; then the sizes that the set's authors gave it, and the whole, where folds may have been put
    together. A confusion may go either way.
    """
    crossed, split, expression = " to " in claim.dataset, claim.split or "test", claim.expression
    sizes = [(claim.n, STATED)]
    sizes += [(c.value, f"{STATED} in {c.place}") for c in images(paper, claim.tested, split, expression)]
    wholes = images(paper, claim.tested, "all", expression)
    if crossed:
        sizes += [(n, f"{STATED} by {note}") for n, note, _ in frames(claim.tested, paper)]
        sizes += [(c.value, f"the whole, {c.place}") for c in wholes]
    sizes += [(n, f"the {split} share of the whole, {rule}") for rule, n in _share_sizes(claim, paper).items()]
    either = dict.fromkeys((expression, claim.metric.partition("share_predicted_")[2] or expression))
    for kind, shown in product(["test_set"] * (split == "test") + ["whole_set"] * crossed, either):
        sets = published.SETS.get((kind, claim.tested), {}).items()
        sizes += [(of.get(shown) if shown else sum(of.values()), note) for note, of in sets]
    sizes += [(c.value, f"the whole, {c.place}, if folds were put together") for c in wholes if split == "test"]
    totals: dict[int, str] = {}
    for n, note in sizes:
        if n:
            totals.setdefault(int(n), note)  # the first reason counts
    return totals


def frames(dataset: str, paper: Paper) -> Iterator[tuple[int, str, Paper]]:
    """Sequences times the frames taken of each, as the paper states both."""
    taken = pick(paper, metric="frames_per_sequence", dataset=dataset) if dataset else []
    for sequences in pick(paper, metric="sequences", dataset=dataset) if taken else []:
        each = int(sum(claim.value for claim in taken))
        yield int(sequences.value) * each, f"{sequences.value} sequences of {each} frames", [sequences, *taken]


def _share_sizes(claim: Claim, paper: Paper) -> dict[str, int]:
    """Sizes, by rule of rounding, of the share of a whole data set that the paper says a split is."""
    shares = [s for s in own(paper, metric=f"{claim.split}_share") if s.dataset in ("", claim.dataset)]
    wholes = [int(whole.value) for whole in images(paper, claim.dataset, "all")]
    if claim.expression or not shares or not wholes:
        return {}
    by_class = published.CLASS_IMAGES.get((claim.dataset, wholes[0]))
    return arithmetic.sizes_of_share(shares[0].value.normalize(), wholes[0], by_class)


def one_split_rule(paper: Paper) -> Found:
    """One way of rounding a share of the images has to fit all data sets that a paper divides so."""
    scores = [c for c in pick(paper, expression="", n=None) if c.metric in SHARES_OF_IMAGES]
    for claim, other in product(scores, pick(paper, metric="images", expression="")):
        mine, theirs = _share_sizes(claim, paper), _share_sizes(other, paper)
        fitting = [(mine[rule], rule) for rule, n in theirs.items() if n == other.value and rule in mine]
        needed = [(n, rule) for rule, n in mine.items() if arithmetic.counts(claim.value, n)]
        if fitting and needed and claim.dataset != other.dataset and claim.split == other.split:
            note = f"By what gives {other.value} images of {name(other.dataset)}, {name(claim.dataset)} has "
            note += f"{_listed(fitting)} to test; {claim.value} needs one of {_listed(needed)}, if one rule "
            yield claim, POSSIBLE if dict(fitting).keys() & dict(needed) else DOUBTFUL, f"{note}divides both"


def confusion_matrix(paper: Paper) -> Found:
    """Precisions, accuracies by class (recalls) and class counts have to come from one confusion matrix.

    A precision alone is a share of the images predicted as a class, of which there may be any number up to all.
    """
    shares = pick(paper, unit="share")
    for claim in [c for c in own(shares) if c.metric in ("precision", "accuracy", "recall")]:
        sizes, alike = class_images(claim, paper), [c for c in pick(shares, scored_as=claim.scored_as) if c.expression]
        total, precisions = sum(sizes.values()), {c.expression: c for c in pick(alike, metric="precision")}
        if claim.metric == "precision":
            enough = arithmetic.smallest_total(claim.value)
            note = f"{claim.value} needs {enough} or more images predicted as {claim.expression or 'its class'}"
            note += f", of {total}" if total else "; how many there are is not printed"
            yield claim, IMPOSSIBLE if 0 < total < enough else UNKNOWN, note
        if not sizes or set(precisions) != set(sizes):
            continue
        by_class = claim.expression and claim.metric != "precision"
        recalls = {c.expression: c for c in alike if by_class and c.metric in ("accuracy", "recall")}
        values = (tuple(some[key].value if key in some else None for key in sizes) for some in (precisions, recalls))
        low, high = arithmetic.accuracy_range(tuple(sizes.values()), *values) or (2, -1)
        overall = claim.metric == "accuracy" and not claim.expression
        inside = low <= high and (not overall or (float(claim.high) >= low and float(claim.low) <= high))
        note = f"With the precisions{' and accuracies by class' * bool(recalls)} of these {total:,} images "
        note += f"the accuracy is from {low:.3f} to {high:.3f}" if low <= high else "there is no confusion matrix"
        yield claim, inside, note, *(c for c in (*precisions.values(), *recalls.values()) if c != claim)


def loss_and_accuracy(paper: Paper) -> Found:
    """A loss is at least (1 - accuracy) ln 2; and one below the labels' entropy has an accuracy above the floor.

    Assumed: nats, the same images, no weights. The entropy of the labels and the share of the most frequent class are
    the loss and accuracy of a network that gives each class its share; ln k and 1/k those of chance among k classes.
    """
    for loss, accuracy in product(pick(paper, expression=""), pick(paper, expression="")):
        paired = loss.metric.startswith("loss") and accuracy.metric == loss.metric.replace("loss", "accuracy")
        if not paired or accuracy.scored_as != loss.scored_as:
            continue
        below, least = float(loss.high), (1 - min(1.0, float(accuracy.high))) * math.log(2)  # a wrong image costs ln 2
        note = f"Beside an accuracy of {accuracy.value} a loss is at least {least:.2f} (ln 2 for each error)"
        yield loss, below > least, f"{note}; {loss.value} is printed", accuracy
        sizes = [n for n in class_images(loss, paper).values() if n]
        if below <= least or not sizes:
            continue
        floor, labels, chance = max(sizes) / sum(sizes), stats.entropy(sizes), math.log(len(sizes))
        note = f"Naming the most frequent class alone is right on {floor:.1%}, a guess that knows only the labels' "
        note += f"shares has a loss of {labels:.2f} (without class weights; chance is ln {len(sizes)} = {chance:.2f})"
        strange = accuracy.value < floor and below < labels
        if strange:
            note += f": the accuracy of {accuracy.value} is worse than the first, the loss of {loss.value} better than "
            note += "the second"
            k = max(2, round(math.exp(loss.value)))
            far = max(abs(math.log(k) - float(loss.value)), abs(1 / k - float(accuracy.value)))
            if far <= 0.02 and k < len(sizes):
                note += f"; together they are what chance among {k} classes gives (1/{k}, ln {k} = {math.log(k):.2f})"
        yield from ((claim, DOUBTFUL if strange else POSSIBLE, note) for claim in (accuracy, loss))


def adds_up(paper: Paper) -> Found:
    """Classes and parts make the whole, frames of sequences the images, phases the epochs, kinds the errors."""
    for whole in own(paper, metric="images", expression=""):
        same = pick(paper, metric="images", dataset=whole.dataset)
        classes = [c for c in same if c.split == whole.split and c.expression]
        if classes:
            yield _sum(whole, f"The {len(classes)} classes of this split", classes)
        if whole.split != "all":
            continue
        for total, note, sources in frames(whole.dataset, paper):
            yield whole, total == whole.value, f"{note} make {total:,}", *sources
        parts = [c for c in same if c.split in ("train", "val", "test") and not c.expression]
        rest, splits = whole.value - sum(c.value for c in parts), [c.split for c in parts]
        known = whole.value in published.images(whole.dataset, "all")
        if rest and set(splits) == {"train", "test"} and (known or rest in published.images(whole.dataset, "val")):
            yield whole, True, f"Of the other {rest:,} images the paper says nothing"
        elif len(parts) > 1:
            yield _sum(whole, f"The {' and '.join(splits)} images", parts)
    for whole in paper:
        together = [c for c in pick(paper, model=whole.model) if c.places & whole.places]
        kinds = {"epochs_total": "epochs", "errors": "errors_predicted_"}.get(whole.metric)
        parts = [c for c in together if kinds and c.metric.startswith(kinds) and c.metric != "epochs_total"]
        if parts:
            yield _sum(whole, "Those printed with it", parts)
        if whole.metric == "train_share":
            for test in pick(together, metric="test_share", dataset=whole.dataset):
                yield whole, whole.value + test.value == 1, f"{test.value} of the images are for testing", test
        if whole.metric == "sample_size":
            for images_of in images(paper, whole.dataset, "all"):
                yield whole, whole.value == images_of.value, f"{images_of.place} has {images_of.value:,}", images_of


def _sum(whole: Claim, note: str, parts: Paper) -> tuple:
    total = sum(part.value for part in parts)
    return whole, total == whole.value, f"{note} make {total:,}", *parts


def official_classes(paper: Paper) -> Found:
    """The count of a class is that of the data set's release, where the split was taken from there; so is their sum.

    Of parts that the authors drew themselves, the sum is compared with the release's training images of the class.
    """
    for claim in [c for c in pick(paper, metric="images") if c.expression]:
        total = sum(class_images(claim, paper).values())
        official = published.CLASS_IMAGES.get((claim.dataset, total), {}).get(claim.expression)
        known = published.images(claim.dataset, claim.split)
        if official:
            note = f"{name(claim.dataset)} has {official:,} of these in a set of {total:,} (counted in its release)"
            yield claim, AGREES if official == claim.value else FALSE, note
        elif known and not images(paper, claim.dataset, claim.split) and total not in known:
            source = published.FIGURES[claim.dataset, "images", claim.split, ""].source
            yield claim, FALSE, f"The classes make {total:,}, and there are {' or '.join(map(str, known))} ({source})"
        elif released := published.FIGURES.get((claim.dataset, "images", "train", claim.expression)):
            parts = [c for part in ("train", "test") for c in images(paper, claim.dataset, part, claim.expression)]
            drawn, whole = sum(part.value for part in parts), max(released.values)
            if len(parts) == 2 and drawn <= whole:
                note = f"Training and test images of the class make {drawn:,}; {name(claim.dataset)} has {whole:,} to "
                yield claim, POSSIBLE, f"{note}train on, {whole - drawn} more ({released.source})", *parts


def split_size(paper: Paper) -> Found:
    """A split is the printed share or ratio of the data set, rounded in a usual way, as a whole or class by class."""
    for claim in [c for c in pick(paper, metric="images", expression="") if c.split != "all"]:
        if sizes := _share_sizes(claim, paper):
            note = f"The printed share makes {_listed((n, rule) for rule, n in sizes.items())}"
            yield claim, claim.value in sizes.values(), note, *own(paper, metric=f"{claim.split}_share")
    for ratio in [c for c in pick(paper, metric="split_ratio") if c.value > 0]:
        of_train = pick(paper, metric="images", dataset=ratio.dataset, split="train")
        pairs = [(c, t) for c in of_train for t in images(paper, c.dataset, "test", c.expression) if t.value]
        for train, test in pairs:
            fits = abs(test.value - (train.value + test.value) / (ratio.value + 1)) < 1
            note = f"{train.value:,} to {test.value:,} is {train.value / test.value:.4f} to 1, whole images allowed for"
            if not train.expression:
                yield ratio, fits, note, train, test
            else:  # a split need not be drawn class by class
                yield ratio, POSSIBLE if fits else UNKNOWN, f"{train.expression}: {note}"


def said_again(paper: Paper) -> Found:
    """What stands in two places is the same number; and none is less than the paper says elsewhere it is at least.

    Scores are the same quantity if data set, split, model, metric and expression are; other statements, if their ids
    are but for the place.
    """
    for claim, other in combinations(own(paper), 2):
        if (claim.dataset, claim.split, claim.expression) != (other.dataset, other.split, other.expression):
            continue
        note = f"{_plain(claim.value)} in {claim.place}, {_plain(other.value)} in {other.place}"
        low, number = (claim, other) if claim.metric.endswith("_low") else (other, claim)
        if low.metric == f"{number.metric}_low" and low.dataset and not pick(paper, metric=f"{number.metric}_high"):
            yield number, number.value >= low.value, f"At least {note}", low
        if claim.metric != other.metric or claim.where == other.where:
            continue
        if claim.metric in SCORES and claim.dataset and claim.model == other.model:
            yield claim, claim.low < other.high and other.low < claim.high, note, other
        elif claim.metric not in SCORES and claim.what == other.what and len({claim.model, other.model, ""}) < 3:
            yield claim, claim.value == other.value, note, other


def two_readings(paper: Paper) -> Found:
    """A statement that can be read in two ways has a note that says so, which begins with `ambiguous: `."""
    yield from ((c, AMBIGUOUS, c.note.partition("ambiguous: ")[2]) for c in paper if c.note.startswith("ambiguous: "))


def names(paper: Paper) -> Found:
    """A data set of the abstract appears in the rest of the paper, and a number of a class has one name.

    The accuracy of a class is its recall, which is its precision only by chance.
    """
    rest = any(c.dataset and c.where != "abstract" for c in paper)  # a table may hold no more than the abstract
    for claim in [c for c in paper if c.metric in SCORES and c.dataset]:
        if rest and all(c.where == "abstract" for c in pick(paper, dataset=claim.dataset)):
            alike = pick(paper, metric=claim.metric, model=claim.model, value=claim.value)
            others = [f"; {c.place} prints the same for {name(c.dataset)}" for c in alike if c.dataset != claim.dataset]
            note = f"For {name(claim.dataset)}, which the rest of the paper never mentions{''.join(others)}"
            yield claim, AMBIGUOUS, note
        for other in pick(paper, metric="precision", expression=claim.expression, scored_as=claim.scored_as):
            if claim.expression and claim.metric in ("accuracy", "recall", "f1") and other.value == claim.value:
                note = f"Called {claim.metric} here and precision in {other.place}: the same only if as many images"
                yield claim, AMBIGUOUS, f"{note} are predicted as {claim.expression} as are labelled so"


def within_range(paper: Paper) -> Found:
    """A number lies within a printed range, whose ends are in order; one without a model is of all EfficientNets."""
    for low in [c for c in own(paper) if c.metric.endswith("_low")]:
        metric = low.metric.removesuffix("_low")
        for high in own(paper, metric=f"{metric}_high", where=low.where, scored_as=low.scored_as):
            note = f"{low.place} has a range from {low.value} to {high.value}"
            yield low, low.value <= high.value, note, high
            for claim in own(paper, metric=metric, dataset=low.dataset, split=low.split):
                of_network = claim.model == low.model or (not low.model and claim.model in published.SCALES)
                if of_network and low.value <= high.value:
                    end = low if claim.value < low.value else high
                    yield claim, low.value <= claim.value <= high.value, note, end


def bounded(paper: Paper) -> Found:
    """Train and test accuracy differ by less than a printed bound, before rounding; and the best epoch was trained."""
    for bound in pick(paper, metric="accuracy_difference_below"):
        scores = pick(paper, metric="accuracy", dataset=bound.dataset, model=bound.model, expression="")
        for train, test in product(pick(scores, split="train"), pick(scores, split="test")):
            least = max(train.low - test.high, test.low - train.high, 0)
            note = f"{train.value} and {test.value} are before rounding at least {least} apart"
            yield bound, least < bound.value, note, train, test
    for best, trained in product(paper, pick(paper, metric="epochs")):
        if best.metric.startswith("best_epoch") and best.model == trained.model:
            note = f"Epoch {best.value} is said to be the best of {trained.value} ({trained.place})"
            yield best, 1 <= best.value <= trained.value, note, trained


def errors(paper: Paper) -> Found:
    """A number of errors leaves a number of right images, and so an accuracy."""
    for claim in [c for c in pick(paper, metric="errors") if c.n]:
        right = claim.n - int(claim.value)
        note = f"{claim.value} errors in {claim.n} images leave {right / claim.n:.4f}"
        for other in pick(paper, metric="accuracy", expression="", unit="share", scored_as=claim.scored_as):
            fits = right in arithmetic.counts(other.value, claim.n)
            yield claim, fits, f"{note}; {other.place} has {other.value}", other


def network(paper: Paper) -> Found:
    """A statement about the channels of EfficientNet holds for the network of Tan and Le 2019 (table 1, scaled)."""
    for claim in [c for c in paper if c.model in published.SCALES]:
        stages = published.stages(claim.model)
        if claim.metric == "channels":
            printed = [c.value for c in pick(paper, metric="channels", model=claim.model)]
            after = [{*within, out} for within, out in stages[1:]]  # what follows the stage without expansion
            same = len(printed) == len(after) and all(n in of for n, of in zip(printed, after, strict=True))
            note = f"As one sequence, {', '.join(map(str, printed))}: {claim.model}'s stages have at most "
            note += f"{', '.join(str(max(of)) for of in after)} channels ({published.TAN})"
            yield claim, AGREES if same else FALSE, note
        elif claim.metric == "mbconv_channels":
            every = [channels for within, _ in stages for channels in within]
            note = f"{claim.model}'s MBConv blocks have from {min(every):,} to {max(every):,} channels within"
            yield claim, FALSE, f"{note} ({published.TAN})"
        elif claim.what == "stem.padding":
            note = "For images of even size Keras pads 0 pixels before and 1 behind; 1 on both sides is PyTorch's way"
            yield claim, AMBIGUOUS if claim.value == 1 else FALSE, note


def published_figure(paper: Paper) -> Found:
    """A statement about a data set or EfficientNet is what its authors say (`data/published.csv`, with the sources)."""
    for claim in pick(paper, expression=""):
        metric, rival = claim.metric.removesuffix("_low"), re.search(r"than ([\w-]+)", claim.note)
        keys = [(claim.dataset, metric, claim.split)]
        if not claim.dataset and claim.model in ("", *published.SCALES):
            of_network = (claim.what.removesuffix("_low"), metric, f"{metric} than {rival[1] if rival else ''}")
            keys += [("efficientnet", key, "") for key in of_network]
        if claim.metric == "image_size" and "default of EfficientNet" in claim.note:
            note = f"B0 to B7 were made for {', '.join(map(str, published.SIDES))} pixels, each for one"
            yield claim, AMBIGUOUS if claim.value in published.SIDES else FALSE, f"{note} ({published.TAN})"
        figures = [published.FIGURES.get((*key, of)) for key, of in product(keys, ("", claim.model))]
        values, source = next(filter(None, figures), ({}, ""))
        if not values:
            continue
        note, printed = f"{name(claim.dataset or 'efficientnet')}: {_listed(values.items())}", _plain(claim.value)
        by, true_by = re.search(r"released by ([\w ]+)", claim.note), published.RELEASED_BY.get(claim.dataset, "")
        parts = sum(c.value for split in ("train", "val", "test") for c in images(paper, claim.dataset, split)[:1])
        word = FALSE
        if by and true_by and by[1] not in true_by:
            note += f"; but released by {true_by}, not by {by[1]}, as is said here"
        elif any(n >= claim.value if claim.metric.endswith("_low") else claim.low <= n < claim.high for n in values):
            word = AGREES
        elif (claim.metric, claim.split, parts) == ("images", "all", claim.value):
            word = AMBIGUOUS
            note += f"; {printed} is right as the images used, which the parts make, not as all that there are"
        else:
            note += f"; {printed} is none of these"
        yield claim, word, f"{note}; {source}"


CHECKS: tuple[Callable[[Paper], Found], ...] = (
    *(whole_images, one_split_rule, confusion_matrix, loss_and_accuracy, adds_up, official_classes, split_size),
    *(said_again, two_readings, names, within_range, bounded, errors, network, published_figure),
)
