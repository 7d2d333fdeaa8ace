"""Is what a paper prints possible, and does it agree with itself, with the network and with the data sets' authors?

A check goes through the claims of one paper and finds what it can of each: one of `WORDS` and a sentence. Which claims
it applies to it tells from their columns; no check knows a paper. What can't be true beside another claim is found of
both.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, permutations, product

import pandas as pd

from fer_helpers.study.claims import architecture, arithmetic, published

WORDS = ("impossible", "false", "ambiguous", "contradicts itself", "doubtful", "agrees", "possible", "unknown")
IMPOSSIBLE, FALSE, AMBIGUOUS, CONTRADICTS, DOUBTFUL, AGREES, POSSIBLE, UNKNOWN = WORDS
COLUMNS = ("claim", "check", "printed", "n", "word", "against", "note")
SHARES_OF_IMAGES = ("accuracy", "accuracy_low", "accuracy_high", "accuracy_first_epoch", "accuracy_top5", "recall")
SCORES = (*SHARES_OF_IMAGES, "precision", "f1", "loss", "loss_first_epoch")
EFFICIENTNET = re.compile(r"B[0-7]")
PLACE = re.compile(r"[^.]+\.(?:abstract|sec[\d.]*\d|table\d+|fig\d+)\.(.+)")


@dataclass(frozen=True)
class Claim:
    """One row of claims.csv, with the value as the paper prints it."""

    claim: str
    paper: str
    where: str
    kind: str
    dataset: str
    split: str
    model: str
    metric: str
    expression: str
    value: Decimal
    unit: str
    n: int | None
    note: str

    @property
    def what(self) -> str:
        """The id without paper and place: the same for a statement that is made twice."""
        found = PLACE.fullmatch(self.claim)
        return found[1] if found else self.claim

    @property
    def tested(self) -> str:
        """The data set scored: the second of `rafdb to ckplus`."""
        return self.dataset.rpartition(" to ")[2]

    @property
    def place(self) -> str:
        """The first section, table or figure, without the paragraph: `sec. 4.4` for `sec. 4.4, below table 1`."""
        return re.split(r"[,;(]", self.where)[0].strip()

    @property
    def places(self) -> set[str]:
        """All of them."""
        return {re.split(r"[,(]", place)[0].strip() for place in self.where.split("; ")}

    @property
    def scored_as(self) -> tuple[str, str, str]:
        """What two scores of one model on the same images share."""
        return self.dataset, self.split, self.model


@dataclass(frozen=True)
class Finding:
    """What a check says of a claim: a word, why, the number of images tried, and the claims it can't be true beside."""

    word: str
    note: str
    n: int | None = None
    against: tuple[str, ...] = ()


Paper = list[Claim]
Found = Iterator[tuple[Claim, Finding]]


def check(claims: pd.DataFrame) -> pd.DataFrame:
    """Put every claim to every check.

    Args:
        claims: rows of claims.csv, as `claims.load` gives them.

    Returns:
        Columns `COLUMNS`, one row for each claim and finding, in the order of the claims; `against` holds ids, one
        space apart.
    """
    read = [parse(row) for row in claims.itertuples(index=False)]
    rows = []
    for paper in dict.fromkeys(claim.paper for claim in read):
        of_paper = pick(read, paper=paper)
        for by in CHECKS:
            for claim, f in by(of_paper):
                row = (claim.claim, by.__name__, str(claim.value), f.n, f.word, " ".join(f.against), f.note)
                mirrored = [pick(of_paper, claim=other)[0] for other in f.against]
                rows += [row, *((c.claim, row[1], str(c.value), f.n, f.word, claim.claim, f.note) for c in mirrored)]
    found = {row[0] for row in rows}
    nothing = "Nothing to hold it against was printed or published."
    rows += [(c.claim, "", str(c.value), None, UNKNOWN, "", nothing) for c in read if c.claim not in found]
    order = {claim.claim: place for place, claim in enumerate(read)}
    rows = sorted(dict.fromkeys(rows), key=lambda row: order[row[0]])
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"})


def parse(row) -> Claim:
    """A claim from a row of the table."""
    kept = {name: getattr(row, name) for name in Claim.__dataclass_fields__ if name not in ("value", "n")}
    return Claim(**kept, value=Decimal(f"{row.value:.{row.decimals}f}"), n=None if pd.isna(row.n) else int(row.n))


def pick(claims: Paper, **columns) -> Paper:
    """The claims whose columns have these values."""
    return [claim for claim in claims if all(getattr(claim, name) == value for name, value in columns.items())]


def name(dataset: str) -> str:
    """A data set as it is written in a sentence."""
    return " to ".join(published.NAMES.get(part, part) for part in dataset.split(" to "))


def images(paper: Paper, dataset: str, split: str, expression: str = "") -> Paper:
    """What a paper prints of how many images a split of a data set has."""
    found = pick(paper, metric="images", dataset=dataset, split=split, expression=expression) if dataset else []
    return [claim for claim in found if claim.kind != "cited"]


def class_images(claim: Claim, paper: Paper) -> dict[str, int]:
    """Images of each expression in the set that a claim is about: as the paper prints them, or as its authors published them."""
    of_split = pick(paper, metric="images", dataset=claim.dataset, split=claim.split)
    printed = {other.expression: int(other.value) for other in of_split if other.expression}
    sizes = [claim.n, *plausible_totals(claim, paper), *(int(c.value) for c in images(paper, claim.tested, "all"))]
    known = (published.CLASS_IMAGES.get((claim.tested, n), {}) for n in sizes)
    return printed or next(filter(None, known), {})


def _consistent(holds: bool, told: str, *others: Claim, n: int | None = None) -> Finding:
    return Finding(POSSIBLE if holds else CONTRADICTS, told, n, () if holds else tuple(c.claim for c in others))


def _fact(holds: bool, told: str) -> Finding:
    return Finding(AGREES if holds else FALSE, told)


def _plain(claim: Claim) -> str:
    return f"{claim.value:,}" if claim.value > 9_999 else str(claim.value)


# ---------------------------------------------------------------------------------------------------- shares of images


def whole_images(paper: Paper) -> Found:
    """A share of n images is k/n for a whole k (GRIM, Brown and Heathers 2017), however it is rounded; each image counts once."""
    for claim in pick(paper, unit="share"):
        of_images = claim.metric in SHARES_OF_IMAGES or claim.metric.startswith("share_predicted_")
        if not of_images or (claim.kind == "cited" and not claim.n):
            continue
        totals = plausible_totals(claim, paper)
        fits = {n: found for n in totals if (found := arithmetic.counts(claim.value, n))}
        stated = [n for n, reason in totals.items() if reason.startswith("as the paper states")]
        n = next(iter([*(n for n in stated if n in fits), *stated, *fits, *totals]), None)
        short = claim.value.normalize()
        appended = n and short != claim.value and arithmetic.counts(short, n)
        rescue = [f"{fits[other][0]:,} of {other:,} ({totals[other]})" for other in fits]
        rescue += [f"{short} of {n} with zeros appended"] * bool(appended)
        if n is None:
            yield claim, Finding(UNKNOWN, "Of how many images it is a share is neither printed nor known.")
        elif not rescue:
            yield claim, Finding(IMPOSSIBLE, _impossible(claim, paper, totals, n), n)
        elif n not in fits:
            told = f"No whole number of {n:,} images ({totals[n]}) gives {claim.value}"
            yield claim, Finding(DOUBTFUL, f"{told}; it could be {' or '.join(rescue)}.", n)
        else:
            half = Fraction(claim.value + arithmetic.step(claim.value) / 2)
            cut = ", if the digits that follow are cut off" * (Fraction(fits[n][0], n) > half)
            yield claim, Finding(POSSIBLE, f"{fits[n][0]:,} of {n:,} images ({totals[n]}){cut}.", n)


def _impossible(claim: Claim, paper: Paper, totals: dict[int, str], n: int) -> str:
    exact = Fraction(claim.value) * n
    near = [f"{k}/{n} = {arithmetic.rounded(Fraction(k, n), 4)}" for k in (math.floor(exact), math.ceil(exact))]
    tried = ", ".join(f"{total:,} ({reason})" for total, reason in totals.items())
    told = f"No whole number of images gives {claim.value}, rounded or cut off, of {tried}: {' and '.join(near)}"
    slips = arithmetic.slips(claim.value, n)
    told += f"; with one digit changed it would be {' or '.join(map(str, slips))}" * bool(slips)
    of_class = class_images(claim, paper)
    if of_class and not claim.expression and claim.value > 1 - Decimal(4) / n:
        sizes = tuple(round(number * n / sum(of_class.values())) for number in of_class.values())
        found = arithmetic.averages(claim.value, sizes)
        no, yes = (" or ".join(key for key, fits in found.items() if fits == wanted) for wanted in (False, True))
        told += f"; with up to three errors it is no {no}" * bool(no) + f"; a {yes} could be printed so" * bool(yes)
    return f"{told}."


def plausible_totals(claim: Claim, paper: Paper) -> dict[int, str]:
    """How many images a score can be of, with the reason; what the paper states comes first, and its reason begins so.

    The claim's own n; what the paper says of the same data set, split and expression, of a share of it or, where a
    network meets another data set, of frames of its sequences and of the whole; then the sizes that the set's authors
    gave it. A confusion may go either way.
    """
    split_sets = published.TEST_SETS.get(claim.tested, ()) if claim.split in ("test", "") else ()
    if claim.metric.startswith("share_predicted_"):
        ways = permutations((claim.expression, claim.metric.removeprefix("share_predicted_")))
        sizes = ((s.by_class.get(a), f"{a} taken for {b}, {s.name}") for a, b in ways for s in split_sets)
    else:
        crossed = " to " in claim.dataset
        stated = [*images(paper, claim.tested, claim.split, claim.expression)]
        whole = images(paper, claim.tested, "all", claim.expression) if crossed else []
        known = (*split_sets, *(published.WHOLE_SETS.get(claim.tested, ()) if crossed else ()))
        sizes = [
            *((int(c.value), f"as the paper states in {c.place}") for c in stated),
            *((n, f"as the paper states: {told}") for n, told, _ in _frames(claim.tested, paper) if crossed),
            *((int(c.value), f"the whole, {c.place}") for c in whole),
            *((n, rule) for rule, n in _share_sizes(claim, paper).items()),
            *((s.by_class.get(claim.expression) if claim.expression else s.images, s.name) for s in known),
        ]
    totals = {claim.n: "as the paper states"} if claim.n else {}
    for n, reason in sizes:
        totals.setdefault(n, reason)
    return {n: reason for n, reason in totals.items() if n}


def _frames(dataset: str, paper: Paper) -> Iterator[tuple[int, str, Paper]]:
    """Sequences times the frames taken of each, as the paper states both."""
    frames = pick(paper, metric="frames_per_sequence", dataset=dataset) if dataset else []
    for sequences in pick(paper, metric="sequences", dataset=dataset) if frames else []:
        taken = int(sum(claim.value for claim in frames))
        yield int(sequences.value) * taken, f"{sequences.value} sequences of {taken} frames", [sequences, *frames]


def _share_sizes(claim: Claim, paper: Paper) -> dict[str, int]:
    """Sizes, by rule of rounding, of the share of a data set that the paper says it tests on; only a whole set is divided so."""
    shares = [s for s in pick(paper, metric=f"{claim.split}_share") if s.dataset in ("", claim.dataset)]
    sizes: dict[str, int] = {}
    for share, whole in product([s for s in shares if s.kind != "cited"][:1], images(paper, claim.dataset, "all")):
        by_class = published.CLASS_IMAGES.get((claim.dataset, int(whole.value)))
        found = arithmetic.sizes_of_share(share.value.normalize(), int(whole.value), by_class)
        sizes |= {f"{Fraction(share.value) * 100} % of {whole.value:,}, {rule}": n for rule, n in found.items()}
    return {} if claim.expression else sizes


def one_split_rule(paper: Paper) -> Found:
    """One way of rounding a share of the images has to fit all data sets that a paper divides so."""
    for claim, other in product(paper, pick(paper, metric="images", expression="")):
        if claim.metric not in SHARES_OF_IMAGES or claim.n or claim.expression or claim.split != other.split:
            continue
        theirs, mine = (
            {key.partition(", ")[2]: n for key, n in _share_sizes(c, paper).items()} for c in (other, claim)
        )
        fitting = {rule: mine[rule] for rule, n in theirs.items() if n == other.value and rule in mine}
        needed = {n: rule for rule, n in mine.items() if arithmetic.counts(claim.value, n)}
        if claim.dataset != other.dataset and fitting and needed:
            told = f"{name(other.dataset)}'s {other.value} images are its share {' or '.join(fitting)}"
            told += f", which makes {' or '.join(map(str, fitting.values()))} here; {claim.value} needs "
            told += " or ".join(f"{n} ({rule})" for n, rule in needed.items())
            word = POSSIBLE if set(fitting.values()) & set(needed) else DOUBTFUL
            yield claim, Finding(word, f"{told}.", next(iter(fitting.values())))


def confusion_matrix(paper: Paper) -> Found:
    """Precisions, accuracies by class (recalls) and class counts have to come from one confusion matrix.

    A precision alone is a share of the images predicted as a class, of which there may be any number up to all.
    """
    for claim in paper:
        if claim.metric not in ("precision", "accuracy", "recall") or claim.kind == "cited":
            continue
        sizes, alike = class_images(claim, paper), [c for c in pick(paper, scored_as=claim.scored_as) if c.expression]
        total, precisions = sum(sizes.values()), {c.expression: c for c in alike if c.metric == "precision"}
        if claim.metric == "precision":
            enough = arithmetic.smallest_total(claim.value)
            word = IMPOSSIBLE if 0 < total < enough else UNKNOWN
            told = f"{enough} images predicted as {claim.expression} are the fewest that give {claim.value}"
            yield claim, Finding(word, f"{told}{f'; there are {total} in all' * bool(total)}.", total or None)
        if not sizes or set(precisions) != set(sizes):
            continue
        by_class = claim.expression and claim.metric != "precision"
        recalls = {c.expression: c for c in alike if by_class and c.metric in ("accuracy", "recall")}
        values = [tuple((key, c.value) for key, c in some.items()) for some in (precisions, recalls)]
        found = arithmetic.accuracy_range(tuple(sizes.items()), *values)
        low, high = found or (2.0, -1.0)
        below, above = (float(end) for end in arithmetic.bounds(claim.value))
        inside = found and (claim.metric != "accuracy" or by_class or (above >= low and below <= high))
        told = f"the precisions{' and accuracies by class' * bool(recalls)} of these {total:,} images"
        told = (
            f"With {told} the accuracy is from {low:.3f} to {high:.3f}" if found else f"No confusion matrix has {told}"
        )
        others = [c for c in (*precisions.values(), *recalls.values()) if c != claim]
        yield claim, _consistent(bool(inside), f"{told}.", *others, n=total)


def loss_and_accuracy(paper: Paper) -> Found:
    """A mean cross-entropy is at least (1 - accuracy) ln 2; and a loss below the labels' entropy has an accuracy above the floor.

    Assumed: nats, the same images, no weights. A network that gives each class its share has the entropy of the labels
    as its loss and the share of the most frequent class as its accuracy; ln k and 1/k together are what chance gives
    for k classes.
    """
    for loss, accuracy in product(paper, paper):
        paired = loss.metric.startswith("loss") and accuracy.metric == loss.metric.replace("loss", "accuracy")
        if not paired or accuracy.scored_as != loss.scored_as or loss.expression or accuracy.expression:
            continue
        least = arithmetic.least_cross_entropy(min(1.0, float(arithmetic.bounds(accuracy.value)[1])))
        below = float(arithmetic.bounds(loss.value)[1])
        told = f"At an accuracy of {accuracy.value} a mean cross-entropy is at least {least:.2f} (ln 2 for each error)"
        yield loss, _consistent(below > least, f"{told}; {loss.value} is printed.", accuracy)
        sizes = [n for n in class_images(loss, paper).values() if n]
        if below <= least or not sizes:
            continue
        floor, labels, k = max(sizes) / sum(sizes), arithmetic.entropy(sizes), max(2, round(math.exp(loss.value)))
        apart = max(abs(math.log(k) - float(loss.value)), abs(1 / k - float(accuracy.value)))
        told = f"The most frequent expression alone gives an accuracy of {floor:.3f}, the labels' shares a loss of {labels:.2f}"
        told += f", chance of {len(sizes)} classes ln {len(sizes)} = {math.log(len(sizes)):.2f}"
        if accuracy.value < floor and below < labels:
            told += f": {accuracy.value} is below the one, {loss.value} better than the other"
            told += f"; both are chance of {k} classes (1/{k}, ln {k} = {math.log(k):.2f})" * (
                k < len(sizes) and apart < 0.02
            )
            yield accuracy, Finding(DOUBTFUL, f"{told}.")
            yield loss, Finding(DOUBTFUL, f"{told}.")
        else:
            yield loss, Finding(POSSIBLE, f"{told}.")


# --------------------------------------------------------------------------------------- counts and shares that add up


def adds_up(paper: Paper) -> Found:
    """Classes and parts make the whole, frames of sequences the images, phases the epochs, kinds the errors, shares one."""
    for whole, told, total, parts in _sums(paper):
        rest = whole.value - total
        known = published.FIGURES.get((whole.dataset, "images", "all"))
        val = published.FIGURES.get((whole.dataset, "images", "val"))
        parted = whole.metric == "images" and {part.split for part in parts} == {"train", "test"}
        explained = parted and ((val and rest in val.values) or (known and whole.value in known.values))
        unsaid = f"; of the other {rest:,} images the paper says nothing" * bool(rest and explained)
        yield whole, _consistent(rest == 0 or bool(explained), f"{told} {total:,}{unsaid}.", *parts)


def _sums(paper: Paper) -> Iterator[tuple[Claim, str, Decimal, Paper]]:
    """Claims with what has to add up to them: a whole, the beginning of a sentence, the sum, and the parts."""
    for whole in [c for c in pick(paper, metric="images", expression="") if c.kind != "cited"]:
        same = pick(paper, metric="images", dataset=whole.dataset)
        classes = [c for c in same if c.split == whole.split and c.expression]
        parts = [c for c in same if c.split in ("train", "val", "test") and not c.expression]
        if classes:
            yield whole, f"The {len(classes)} classes of this split make", sum(c.value for c in classes), classes
        if whole.split == "all" and len(parts) > 1:
            yield whole, f"{', '.join(c.split for c in parts)} make", sum(c.value for c in parts), parts
        for total, told, sources in _frames(whole.dataset, paper) if whole.split == "all" else ():
            yield whole, f"{told} make", Decimal(total), sources
    for whole in paper:
        together = [c for c in pick(paper, model=whole.model) if c.places & whole.places]
        kinds = {"epochs_total": "epochs", "errors": "errors_predicted_"}.get(whole.metric)
        parts = [c for c in together if kinds and c.metric.startswith(kinds) and c.metric != "epochs_total"]
        if parts:
            yield whole, "Those printed with it make", sum(c.value for c in parts), parts
        for other in pick(together, metric="test_share", dataset=whole.dataset):
            if whole.metric == "train_share":
                yield whole, f"Beside {other.value} it should be", 1 - other.value, [other]
        for other in images(paper, whole.dataset, "all") if whole.metric == "sample_size" else []:
            yield whole, f"{other.place} has", other.value, [other]


def official_classes(paper: Paper) -> Found:
    """The count of a class is that of the data set's release, where the paper took the split from there; and so is their sum."""
    for claim in [c for c in pick(paper, metric="images") if c.expression]:
        total = sum(class_images(claim, paper).values())
        official = published.CLASS_IMAGES.get((claim.dataset, total), {})
        figures = published.FIGURES.get((claim.dataset, "images", claim.split))
        if claim.expression in official:
            told = f"{name(claim.dataset)}'s release has {official[claim.expression]:,} of this class in a set of {total:,}."
            yield claim, _fact(official[claim.expression] == claim.value, told)
        elif figures and not images(paper, claim.dataset, claim.split) and total not in figures.values:
            told = f"The classes make {total:,}, and {' or '.join(map(str, figures.values))} were published ({figures.source})."
            yield claim, _fact(False, told)


def split_size(paper: Paper) -> Found:
    """A split is the printed share or ratio of the data set, rounded in one of the usual ways, as a whole or class by class."""
    for claim in pick(paper, metric="images", expression=""):
        sizes = _share_sizes(claim, paper) if claim.split != "all" else {}
        fitting = [rule for rule, n in sizes.items() if n == claim.value]
        told = " or ".join(fitting) or f"The printed share makes {', '.join(f'{n:,} ({r})' for r, n in sizes.items())}"
        shares = [s for s in pick(paper, metric=f"{claim.split}_share") if s.kind != "cited"]
        if sizes:
            yield claim, _consistent(bool(fitting), f"{told}.", *shares)
    for ratio in pick(paper, metric="split_ratio"):
        of_train = pick(paper, metric="images", dataset=ratio.dataset, split="train")
        pairs = [(c, test) for c in of_train for test in images(paper, c.dataset, "test", c.expression)]
        odd = [(c, t) for c, t in pairs if abs(t.value - (c.value + t.value) / (ratio.value + 1)) >= 1]
        for train, test in [pair for pair in pairs if not pair[0].expression]:
            told = (
                f"{train.value:,} to {test.value:,} is {train.value / test.value:.4f} to 1, whole images allowed for."
            )
            yield ratio, _consistent((train, test) not in odd, told, train, test)
        classes = [c.expression for c, _ in odd if c.expression]
        drawn = (
            f"Not divided so: {', '.join(classes)}"
            if classes
            else "Each class is divided so: it was drawn class by class"
        )
        if any(c.expression for c, _ in pairs):
            yield ratio, Finding(UNKNOWN if classes else POSSIBLE, f"{drawn}.")


# ---------------------------------------------------------------------------------------- what a paper says in two places


def said_again(paper: Paper) -> Found:
    """What stands in two places is the same number; and a number is no less than the paper says elsewhere that it is at least.

    Scores are the same quantity if data set, split, model, metric and expression are; other statements, if their ids
    are but for the place.
    """
    for claim, other in combinations([c for c in paper if c.kind != "cited"], 2):
        told = f"{_plain(claim)} in {claim.place}, {_plain(other)} in {other.place}."
        where = (claim.dataset, claim.split, claim.expression) == (other.dataset, other.split, other.expression)
        low, number = (claim, other) if claim.metric.endswith("_low") else (other, claim)
        if (
            where
            and low.metric == f"{number.metric}_low"
            and low.dataset
            and not pick(paper, metric=f"{number.metric}_high")
        ):
            yield number, _consistent(number.value >= low.value, f"At least {told}", low)
        if not where or claim.metric != other.metric or claim.where == other.where:
            continue
        if claim.metric in SCORES and claim.dataset and claim.model == other.model:
            (least, most), (other_least, other_most) = arithmetic.bounds(claim.value), arithmetic.bounds(other.value)
            yield claim, _consistent(least < other_most and other_least < most, told, other)
        elif (
            claim.metric not in SCORES
            and claim.what == other.what
            and (claim.model == other.model or "" in (claim.model, other.model))
        ):
            yield claim, _consistent(claim.value == other.value, told, other)


def names(paper: Paper) -> Found:
    """A data set of the abstract appears in the rest of the paper, and a number of a class has one name.

    The accuracy of a class is its recall, which is its precision only by chance.
    """
    for claim in [c for c in paper if c.metric in SCORES and c.dataset]:
        if claim.where == "abstract" and not any(c.dataset == claim.dataset and c.where != "abstract" for c in paper):
            alike = pick(paper, metric=claim.metric, model=claim.model, value=claim.value)
            elsewhere = [
                f"; {c.place} prints the same for {name(c.dataset)}" for c in alike if c.dataset != claim.dataset
            ]
            told = f"For {name(claim.dataset)}, which the rest of the paper never mentions{''.join(elsewhere)}"
            yield claim, Finding(AMBIGUOUS, f"{told}.")
        for other in pick(paper, expression=claim.expression, value=claim.value, scored_as=claim.scored_as):
            if claim.expression and claim.metric in ("accuracy", "recall", "f1") and other.metric == "precision":
                told = f"Called {claim.metric} here and precision in {other.place}: the same only if as many images"
                yield claim, Finding(AMBIGUOUS, f"{told} are predicted as {claim.expression} as are labelled so.")


def within_range(paper: Paper) -> Found:
    """A number lies within a printed range, whose lower end is below its upper; one without a model is of all EfficientNets."""
    for low, high in permutations([c for c in paper if c.kind != "cited"], 2):
        metric = low.metric.removesuffix("_low")
        if (
            low.metric == metric
            or high.metric != f"{metric}_high"
            or low.where != high.where
            or low.scored_as != high.scored_as
        ):
            continue
        told = f"{low.place} has a range from {low.value} to {high.value}."
        yield low, _consistent(low.value <= high.value, told, high)
        for claim in pick(paper, metric=metric, dataset=low.dataset, split=low.split):
            of_range = low.model in (claim.model, "") and (low.model or EFFICIENTNET.fullmatch(claim.model or "B0"))
            if of_range and low.value <= high.value and claim.kind != "cited":
                inside = low.value <= claim.value <= high.value
                yield claim, _consistent(inside, told, low if claim.value < low.value else high)


def bounded(paper: Paper) -> Found:
    """Train and test accuracy differ by less than a printed bound, rounding allowed for; and the best epoch was trained."""
    for bound in pick(paper, metric="accuracy_difference_below"):
        scores = pick(paper, metric="accuracy", dataset=bound.dataset, model=bound.model, expression="")
        for train, test in product(pick(scores, split="train"), pick(scores, split="test")):
            (low, high), (test_low, test_high) = arithmetic.bounds(train.value), arithmetic.bounds(test.value)
            least = max(low - test_high, test_low - high, Decimal(0))
            told = f"{train.value} and {test.value} are {abs(train.value - test.value)} apart, before rounding at least {least}."
            yield bound, _consistent(least < bound.value, told, train, test)
    for best, trained in product(paper, pick(paper, metric="epochs")):
        if best.metric.startswith("best_epoch") and best.model == trained.model:
            told = f"Epoch {best.value} is said to be the best of {trained.value} ({trained.place})."
            yield best, _consistent(1 <= best.value <= trained.value, told, trained)


def errors(paper: Paper) -> Found:
    """A number of errors leaves a number of right images, and so an accuracy."""
    for claim in [c for c in pick(paper, metric="errors") if c.n]:
        right = claim.n - int(claim.value)
        for other in pick(paper, metric="accuracy", scored_as=claim.scored_as, expression=""):
            form = arithmetic.rounded(Fraction(right, claim.n), 4)
            told = f"{claim.value} errors in {claim.n} images leave an accuracy of {form}; {other.place} has {other.value}."
            yield claim, _consistent(right in arithmetic.counts(other.value, claim.n), told, other, n=claim.n)


# ------------------------------------------------------------------------------------------------ what others published


def network(paper: Paper) -> Found:
    """A statement about the layers of EfficientNet holds for the network of Tan and Le 2019 (table 1, scaled)."""
    for claim in [c for c in paper if EFFICIENTNET.fullmatch(c.model)]:
        built, sequence = architecture.layout(claim.model), pick(paper, metric="channels", model=claim.model)
        if claim in sequence:
            stages = [built.widths(stage) for stage in range(2, len(architecture.STAGES) + 1)]
            same = len(sequence) == len(stages) and all(
                int(c.value) in s for c, s in zip(sequence, stages, strict=True)
            )
            printed, widest = ", ".join(str(c.value) for c in sequence), ", ".join(str(max(s)) for s in stages)
            told = (
                f"As one sequence, {printed}: {claim.model}'s stages have at most {widest} channels ({published.TAN})."
            )
            yield claim, _fact(same, told)
        elif claim.metric == "mbconv_channels":
            widths = {block.expanded for block in built.blocks}
            told = f"{claim.model}'s MBConv blocks have from {min(widths):,} to {max(widths):,} channels within"
            yield claim, _fact(widths == {int(claim.value)}, f"{told} ({published.TAN}).")
        elif claim.what == "stem.padding":
            told = "For images of even size Keras pads 0 pixels before and 1 behind; 1 on both sides is PyTorch's way."
            yield claim, Finding(AMBIGUOUS if claim.value == 1 else FALSE, told)
        elif claim.what in architecture.STATEMENTS:
            true, told = architecture.STATEMENTS[claim.what]
            true = true(built) if callable(true) else true
            yield claim, _fact(claim.value == true, f"{claim.model} has {true:,} {told} ({published.TAN}).")


def family(paper: Paper) -> Found:
    """Sizes, compound scaling, ImageNet scores and costs of EfficientNet are those of Tan and Le 2019."""
    sides = {variant: side for variant, (*_, side) in architecture.SCALES.items()}
    for claim in paper:
        low, high = (float(end) for end in arithmetic.bounds(claim.value))
        letter = claim.what.rpartition(".")[2].removesuffix("_low")
        coefficient, exponent = published.SCALING.get(letter, (None, None))
        printed = published.IMAGENET_SCORES.get((claim.model, claim.metric), ()) if claim.dataset == "imagenet" else ()
        rival = re.search(r"than ([\w-]+)", claim.note)
        costs = [published.COSTS.get(model, {}).get(claim.metric) for model in (claim.model, rival[1] if rival else "")]
        if claim.metric == "versions":
            yield claim, _fact(claim.value == len(sides), f"There are {len(sides)} sizes ({published.TAN}).")
        elif claim.metric == "image_size" and "default of EfficientNet" in claim.note:
            fitting = [variant for variant, side in sides.items() if side == claim.value]
            told = f"True of {' and '.join(fitting) or 'none'}; B0 to B7 were made for {', '.join(map(str, sides.values()))}"
            yield claim, Finding(AMBIGUOUS if fitting else FALSE, f"{told} pixels ({published.TAN}).")
        elif claim.metric == "scaling_product":
            product_of = math.prod(base**power for base, power in published.SCALING.values())
            yield claim, _fact(low <= product_of < high, f"The coefficients give {product_of:.2f} ({published.TAN}).")
        elif claim.metric == "scaling_exponent" and exponent:
            yield claim, _fact(exponent == claim.value, f"The exponent is {exponent} ({published.TAN}).")
        elif claim.metric == "scaling_coefficient_low" and coefficient:
            yield claim, _fact(coefficient >= claim.value, f"The coefficient is {coefficient} ({published.TAN}).")
        elif printed:
            yield claim, _fact(str(claim.value) in printed, f"{published.TAN} prints {' and, later, '.join(printed)}.")
        elif all(costs):
            told = f"{claim.model} has {costs[0]:g} and {rival[1]} {costs[1]:g} {published.COSTED[claim.metric]}"
            yield claim, _fact(low <= costs[1] / costs[0] < high, f"{told} ({published.TAN}).")


def published_figure(paper: Paper) -> Found:
    """A statement about a data set is what its authors say of it (`published.FIGURES`, with the sources)."""
    for claim in [c for c in paper if not c.expression]:
        figures = published.FIGURES.get((claim.dataset, claim.metric.removesuffix("_low"), claim.split))
        if not figures:
            continue
        told = f"{name(claim.dataset)}: {', '.join(f'{n:,}'[-9:] + ' ' + what for n, what in figures.values.items())}"
        told += f" ({figures.source})"
        by = re.search(r"released by ([\w ]+)", claim.note)
        parts = [found[0].value for split in ("train", "val", "test") if (found := images(paper, claim.dataset, split))]
        if by and figures.released_by and by[1] not in figures.released_by:
            yield claim, _fact(False, f"{told}, released by {figures.released_by}, not {by[1]}.")
        elif claim.value in figures.values or (claim.metric.endswith("_low") and claim.value <= max(figures.values)):
            yield claim, _fact(True, f"{told}.")
        elif (claim.metric, claim.split, sum(parts)) == ("images", "all", claim.value):
            reading = "right as the number of images used, which the parts make; not as all that the data set has"
            yield claim, Finding(AMBIGUOUS, f"{told}; {_plain(claim)} is {reading}.")
        else:
            yield claim, _fact(False, f"{told}; {_plain(claim)} is none of these.")


CHECKS: tuple[Callable[[Paper], Found], ...] = (
    *(whole_images, one_split_rule, confusion_matrix, loss_and_accuracy, adds_up, official_classes, split_size),
    *(said_again, names, within_range, bounded, errors, network, family, published_figure),
)
