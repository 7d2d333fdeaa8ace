"""Is what a paper prints possible, and does it agree with itself, with the network and with the data sets' authors?

A check looks at one claim and at the others of its paper, and finds what it can: `yes` (possible), `no` (not possible) or `unknown`. Which
claims it applies to it tells from their columns; no check knows a paper.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cache

import pandas as pd

from fer_helpers.study.claims import architecture, arithmetic, published

YES, NO, UNKNOWN = "yes", "no", "unknown"
COLUMNS = ("claim", "check", "printed", "n", "attainable", "nearest", "note")

SHARES_OF_IMAGES = ("accuracy", "accuracy_low", "accuracy_high", "accuracy_first_epoch", "accuracy_top5", "recall")
SCORES = (*SHARES_OF_IMAGES, "precision", "f1", "loss", "loss_first_epoch")
BY_CLASS = ("accuracy", "recall", "precision", "f1")
ACCURACY_OF_LOSS = {"loss": "accuracy", "loss_first_epoch": "accuracy_first_epoch"}
EFFICIENTNET = re.compile(r"B[0-7]")
PLACE = re.compile(r"[^.]+\.(abstract|sec[\d.]*\d|table\d+|fig\d+)\.(.+)")


@dataclass(frozen=True)
class Claim:
    """One row of claims.csv, with the value as the paper prints it."""

    claim: str
    paper: str
    where: str
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
    def place(self) -> str:
        """`abstract`, `sec2.1`, `table3` or `fig2`."""
        found = PLACE.fullmatch(self.claim)
        return found[1] if found else ""

    @property
    def what(self) -> str:
        """The id without paper and place: the same for a statement that is made twice."""
        found = PLACE.fullmatch(self.claim)
        return found[2] if found else self.claim

    @property
    def tested(self) -> str:
        """The data set scored: the second of `rafdb to ckplus`."""
        return self.dataset.rpartition(" to ")[2]

    @property
    def cited(self) -> bool:
        """Whether the number is another paper's."""
        return self.note.startswith("cited")

    @property
    def scored_as(self) -> tuple[str, str, str]:
        """What two scores of one model on the same images share."""
        return self.dataset, self.split, self.model


@dataclass(frozen=True)
class Finding:
    """What a check says of a claim: one row of the table.

    Attributes:
        attainable: `yes`, `no` or `unknown`.
        note: why, in sentences.
        nearest: what would be possible, next to what is printed.
        n: number of images that was tried.
    """

    attainable: str
    note: str
    nearest: str = ""
    n: int | None = None


Check = Callable[[Claim, list[Claim]], Iterator[Finding]]


def check(claims: pd.DataFrame) -> pd.DataFrame:
    """Put every claim to every check.

    Args:
        claims: rows of claims.csv, as `claims.load` gives them.

    Returns:
        Columns `COLUMNS`, one row for each claim, check and number of images tried, in the order of the claims; the number that the paper
        itself states stands first. A claim that no check applies to has one row, `unknown`, that says why.
    """
    read = [_claim(row) for row in claims.itertuples(index=False)]
    rows = []
    for claim in read:
        paper = [other for other in read if other.paper == claim.paper]
        found = [(check.__name__, finding) for check in CHECKS for finding in check(claim, paper)]
        for name, finding in found or [("", _unchecked(claim))]:
            rows.append(
                (claim.claim, name, str(claim.value), finding.n, finding.attainable, finding.nearest, finding.note)
            )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"n": "Int64"})


def _claim(row) -> Claim:
    value = Decimal(f"{row.value:.{row.decimals}f}")
    n = None if pd.isna(row.n) else int(row.n)
    kept = ("claim", "paper", "where", "dataset", "split", "model", "metric", "expression", "unit", "note")
    return Claim(value=value, n=n, **{name: getattr(row, name) for name in kept})


def _unchecked(claim: Claim) -> Finding:
    if claim.cited:
        return Finding(UNKNOWN, "Cited from other work: this paper prints nothing to hold it against.")
    return Finding(
        UNKNOWN,
        "A setting or view of the authors: nothing that the paper prints elsewhere, or others published, to hold it against.",
    )


# Shares of images


def whole_images(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A share of n images is k/n for a whole k (GRIM, Brown and Heathers 2017), whatever the way of rounding.

    Assumed: each image counts once; not so where an accuracy is a mean over classes, folds or runs.
    """
    if claim.unit != "share" or not (claim.metric in SHARES_OF_IMAGES or claim.metric.startswith("share_predicted_")):
        return
    found = [_share_of(claim, total, reason) for total, reason in plausible_totals(claim, paper).items()]
    possible = [f"{finding.n:,}" for finding in found if finding.attainable == YES]
    others = (
        f" It is possible for {_or(possible)} images."
        if possible
        else " No other number that was tried gives it either." * (len(found) > 1)
    )
    if not found:
        yield Finding(UNKNOWN, "How many images it is a share of is neither printed nor known.")
    for finding in found:
        yield replace(finding, note=finding.note + others) if finding.attainable == NO else finding


def _share_of(claim: Claim, total: int, reason: str) -> Finding:
    step = arithmetic.step(claim.value)
    nearest = "; ".join(
        f"{number}/{total} = {_printed(number, total, claim.value)}"
        for number in arithmetic.neighbours(claim.value, total)
    )
    possible = arithmetic.counts(claim.value, total)
    if not possible:
        return Finding(
            NO, f"{_impossible_share(claim, total, reason)}{' The number is cited.' * claim.cited}", nearest, total
        )
    if total * step >= 1:
        return Finding(
            YES,
            f"{total:,} images ({reason}) are so many that every number in steps of {step} is possible.",
            nearest,
            total,
        )
    rounded = Fraction(possible[0], total) <= Fraction(claim.value + step / 2)
    how = "" if rounded else ", if the digits that follow are cut off"
    return Finding(YES, f"{possible[0]:,} of {total:,} images ({reason}){how}.", nearest, total)


def _printed(number: int, total: int, like: Decimal) -> Decimal:
    """A share, rounded half up, to as many decimals as another number has."""
    return arithmetic.printed_forms(Fraction(number, total), -like.as_tuple().exponent)["half up"]


def _impossible_share(claim: Claim, total: int, reason: str) -> str:
    enough = arithmetic.smallest_total(claim.value)
    shorter = claim.value.normalize()
    zeros = claim.value.as_tuple().exponent < shorter.as_tuple().exponent - 1
    appended = f" It could be {shorter} with zeros appended." * bool(zeros and arithmetic.counts(shorter, total))
    least = f"{enough:,} images are the fewest that can give it."
    return f"No whole number of {total:,} images ({reason}) is printed as {claim.value}, however it is rounded; {least}{appended}"


def plausible_totals(claim: Claim, paper: list[Claim]) -> dict[int, str]:
    """How many images a score can be of, with the reason; what the paper states comes first.

    The claim's own n; what the paper says of the same data set, split and expression, or, where a network meets another data set, of the
    whole of it; the share it says it tests on; then the sizes its authors gave the set (`published`).
    """
    totals = {claim.n: "as the paper states"} if claim.n else {}
    crossed = " to " in claim.dataset
    splits = (claim.split, "all") if crossed else (claim.split,)
    for split in splits:
        for other in _images(paper, claim.tested, split, claim.expression):
            totals.setdefault(int(other.value), f"{split} images in {_short(other.where)}")
    if crossed:
        totals |= {number: reason for number, reason in _frames(claim.tested, paper).items() if number not in totals}
    totals |= {number: reason for number, reason in _share_sizes(claim, paper).items() if number not in totals}
    return totals | {
        number: reason for number, reason in _published_sizes(claim, crossed).items() if number not in totals
    }


def _images(paper: list[Claim], dataset: str, split: str, expression: str = "") -> list[Claim]:
    return [
        other
        for other in paper
        if (other.metric, other.dataset, other.split, other.expression) == ("images", dataset, split, expression)
        and dataset
    ]


def _frames(dataset: str, paper: list[Claim]) -> dict[int, str]:
    """Sequences times the frames taken of each, as the paper states both."""
    frames = [other for other in paper if other.metric == "frames_per_sequence" and other.dataset == dataset]
    taken = int(sum(other.value for other in frames))
    sequences = [other for other in paper if other.metric == "sequences" and other.dataset == dataset]
    told = f"{taken} frame{'s' * (taken != 1)}"
    return {
        int(other.value) * taken: f"{other.value} sequences of {told}, {_short(other.where)}"
        for other in sequences
        if taken
    }


def _share_sizes(claim: Claim, paper: list[Claim]) -> dict[int, str]:
    """Sizes of the share of a data set that the paper says it tests on; only a whole set is divided so."""
    sizes: dict[int, str] = {}
    if claim.expression or not claim.dataset:
        return sizes
    shares = {
        other.value.normalize()
        for other in paper
        if other.metric == f"{claim.split}_share" and other.dataset in ("", claim.dataset) and not other.cited
    }
    for whole in _images(paper, claim.dataset, "all"):
        images = int(whole.value)
        for share in shares:
            sizes |= arithmetic.sizes_of_share(share, images, published.CLASS_IMAGES.get((claim.dataset, images)))
    return sizes


def _published_sizes(claim: Claim, crossed: bool) -> dict[int, str]:
    sets = published.TEST_SETS.get(claim.tested, ()) if claim.split in ("test", "") else ()
    if crossed:
        sets += published.WHOLE_SETS.get(claim.tested, ())
    sizes: dict[int, str] = {}
    for images in sets:
        number = images.by_class.get(claim.expression) if claim.expression else images.images
        if number:
            sizes.setdefault(
                number, f"{_name(claim.tested)}: {f'{claim.expression} in ' * bool(claim.expression)}{images.name}"
            )
    return sizes


def precision(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A precision is a share of the images predicted as a class, of which there may be any number; only few images in all make one impossible."""
    if claim.metric != "precision" or claim.unit != "share":
        return
    enough = arithmetic.smallest_total(claim.value)
    total = _total_of_classes(claim, paper) or max(plausible_totals(replace(claim, expression=""), paper), default=None)
    told = f"{enough} images predicted as {claim.expression} are the fewest that can give {claim.value}"
    if total and total < enough:
        yield Finding(NO, f"{told}, and there are {total} in all.", n=total)
    else:
        yield Finding(UNKNOWN, f"{told}; how many there were is not printed, so this says nothing.", n=total)


def _class_images(claim: Claim, paper: list[Claim]) -> dict[str, int]:
    """Images of each expression in the set that a claim is about, as the paper prints them."""
    found = [
        other
        for other in paper
        if other.metric == "images"
        and other.expression
        and (other.dataset, other.split) == (claim.dataset, claim.split)
    ]
    return {other.expression: int(other.value) for other in found}


def _total_of_classes(claim: Claim, paper: list[Claim]) -> int:
    return sum(_class_images(claim, paper).values())


def confusion_matrix(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """Precisions by class, accuracies by class (recalls) and class counts have to come from one confusion matrix.

    An integer program (`arithmetic.accuracy_range`); assumed: all are of the same images, and every class was predicted at least once.
    """
    if claim.metric not in ("precision", "accuracy", "recall") or claim.cited:
        return
    images = _class_images(claim, paper)
    alike = [other for other in paper if other.scored_as == claim.scored_as and other.expression and not other.cited]
    precisions = {other.expression: other.value for other in alike if other.metric == "precision"}
    if not images or set(precisions) != set(images):
        return
    of_class = claim.metric != "precision" and claim.expression
    recalls = (
        {other.expression: other.value for other in alike if other.metric in ("accuracy", "recall")} if of_class else {}
    )
    found = _accuracy_range(tuple(images.items()), tuple(precisions.items()), tuple(recalls.items()))
    yield _of_confusion_matrix(claim, images, len(precisions), len(recalls), found)


def _of_confusion_matrix(
    claim: Claim, images: dict[str, int], precisions: int, recalls: int, found: tuple[float, float] | None
) -> Finding:
    total = sum(images.values())
    given = f"the {precisions} precisions" + f" and {recalls} accuracies by class" * bool(recalls)
    if found is None:
        return Finding(NO, f"No confusion matrix of these {total:,} images has {given} that are printed.", n=total)
    low, high = found
    nearest = f"overall accuracy {low:.3f} to {high:.3f}"
    if claim.metric == "accuracy" and not claim.expression:
        below, above = (float(end) for end in arithmetic.bounds(claim.value))
        if above < low or below > high:
            note = f"The {precisions} precisions by class and the class counts allow an accuracy from {low:.3f} to {high:.3f}, not {claim.value}."
            return Finding(NO, note, nearest, total)
    return Finding(
        YES,
        f"There are confusion matrices of these {total:,} images with {given}; the overall accuracy is then from {low:.3f} to {high:.3f}.",
        nearest,
        total,
    )


@cache
def _accuracy_range(images: tuple, precisions: tuple, recalls: tuple) -> tuple[float, float] | None:
    return arithmetic.accuracy_range(dict(images), dict(precisions), dict(recalls))


def cross_entropy(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A mean cross-entropy is at least (1 - accuracy) ln 2 (`arithmetic.least_cross_entropy`); assumed: nats, the same images, no weights."""
    if claim.metric not in ACCURACY_OF_LOSS:
        return
    for other in paper:
        if other.metric != ACCURACY_OF_LOSS[claim.metric] or other.expression or other.scored_as != claim.scored_as:
            continue
        most = min(1.0, float(arithmetic.bounds(other.value)[1]))
        least, calibrated = (
            arithmetic.least_cross_entropy(most),
            arithmetic.least_calibrated_cross_entropy(float(other.value)),
        )
        possible = float(arithmetic.bounds(claim.value)[1]) > least
        note = f"Each wrong image costs at least ln 2: at an accuracy of {other.value} the mean cross-entropy is {least:.2f} or more, rounding allowed for"
        asked = f" (calibrated probabilities need {calibrated:.2f})" if possible else f", which {claim.value} is not"
        yield Finding(YES if possible else NO, f"{note}{asked}.", f"{least:.3f} or more", other.n)


# Counts and shares that have to add up


def class_counts(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The counts of all classes of a split add up to the images of it that the paper states, or else to those its authors published."""
    if claim.metric != "images" or not claim.expression:
        return
    counts = _class_images(claim, paper)
    total = sum(counts.values())
    stated = [(int(other.value), f"in {_short(other.where)}") for other in _images(paper, claim.dataset, claim.split)]
    figures = published.FIGURES.get((claim.dataset, "images", claim.split))
    for number, where in stated or (
        [(number, f"published ({figures.source})") for number in figures.values] if figures else []
    ):
        told = f"The {len(counts)} classes of this split add up to {total:,}"
        if number == total:
            yield Finding(YES, f"{told}, as {where}.", f"{number:,} in all")
        else:
            yield Finding(NO, f"{told}, and not to the {number:,} {where}.", f"{number:,} in all")


def class_sizes(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The count of a class is that in the data set's own release, where the paper took the split from there (`published.CLASS_IMAGES`)."""
    if claim.metric != "images" or not claim.expression:
        return
    expected = published.CLASS_IMAGES.get((claim.dataset, _total_of_classes(claim, paper)), {}).get(claim.expression)
    if expected == claim.value:
        yield Finding(YES, f"As many images as {_name(claim.dataset)} has of this class.", f"{expected:,}")
    elif expected:
        yield Finding(
            NO,
            f"{_name(claim.dataset)} has {expected:,} images of this class in a set of this size, not {claim.value:,}.",
            f"{expected:,}",
        )


def parts_of_whole(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The parts that a paper prints, train, validation and test, add up to its whole; or with a part that the set's authors define."""
    if claim.metric != "images" or claim.split != "all" or claim.expression or claim.cited:
        return
    parts = {
        split: int(found[0].value)
        for split in ("train", "val", "test")
        if (found := _images(paper, claim.dataset, split))
    }
    if not {"train", "test"} <= set(parts):
        return
    total, whole = sum(parts.values()), int(claim.value)
    told = f"{_capital(' and '.join(f'{split} ({number:,})' for split, number in parts.items()))} make {total:,}"
    unnamed = published.FIGURES.get((claim.dataset, "images", "val"))
    if total == whole:
        yield Finding(YES, f"{told}.", f"{total:,}")
    elif unnamed and "val" not in parts and total + max(unnamed.values) == whole:
        yield Finding(
            YES,
            f"{told}; the other {whole - total:,} are the validation images, which the paper does not mention.",
            f"{total:,}",
        )
    else:
        known = published.FIGURES.get((claim.dataset, "images", "all"))
        of_parts = (
            f" {total:,} is the number of {known.values[total]} ({known.source})."
            if known and total in known.values
            else ""
        )
        apart = f"{told}, which is {abs(whole - total):,} {'fewer' if total < whole else 'more'} than the {whole:,} images of the whole"
        # The authors' own whole can hold more than what a paper divides: then nothing it prints is wrong.
        explained = known is not None and whole in known.values
        yield Finding(UNKNOWN if explained else NO, f"{apart}, and the paper does not say why.{of_parts}", f"{total:,}")


def sequences_and_frames(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """Images taken from sequences are as many as the sequences times the frames of each."""
    if claim.metric != "images" or claim.split != "all" or claim.expression:
        return
    for number, reason in _frames(claim.dataset, paper).items():
        if number == claim.value:
            yield Finding(YES, f"As many as {reason} make.", f"{number:,}")
        else:
            yield Finding(NO, f"{reason.capitalize()} make {number:,} images, not {claim.value:,}.", f"{number:,}")


def split_ratio(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """Train and test images stand in the printed ratio, as nearly as whole images allow; and so do those of each class, if drawn class by class."""
    if claim.metric != "split_ratio":
        return
    for train in _images(paper, claim.dataset, "train"):
        for test in _images(paper, claim.dataset, "test"):
            exact = _divides(train, test, claim.value)
            told = f"{train.value:,} to {test.value:,} is {train.value / test.value:.4f} to 1"
            yield (
                Finding(YES, f"{told}.")
                if exact
                else Finding(NO, f"{told}, and not {claim.value} to 1 as nearly as whole images allow.")
            )
    pairs = [
        (train, test)
        for train in paper
        for test in _images(paper, claim.dataset, "test", train.expression)
        if train.expression and (train.metric, train.dataset, train.split) == ("images", claim.dataset, "train")
    ]
    odd = [train.expression for train, test in pairs if not _divides(train, test, claim.value)]
    if pairs and not odd:
        yield Finding(
            YES,
            f"Each of the {len(pairs)} classes is divided {claim.value} to 1 to within one image, so the split was drawn class by class.",
        )
    elif pairs:
        yield Finding(
            UNKNOWN,
            f"Not divided {claim.value} to 1 to within one image: {', '.join(odd)}; a split that is not drawn class by class need not be.",
        )


def _divides(train: Claim, test: Claim, ratio: Decimal) -> bool:
    """Whether the test part is the nearest below or above its share of both."""
    return abs(test.value - (train.value + test.value) / (ratio + 1)) < 1


def split_size(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The images of a split are the printed share of the data set, rounded in one of the usual ways, as a whole or class by class."""
    if claim.metric != "images" or claim.expression or claim.split == "all":
        return
    sizes = _share_sizes(claim, paper)
    told = "; ".join(f"{number:,} ({how})" for number, how in sorted(sizes.items()))
    if claim.value in sizes:
        yield Finding(YES, f"{sizes[int(claim.value)]}.", told)
    elif sizes:
        yield Finding(NO, f"The share that the paper prints makes {told}, not {claim.value:,}.", told)


def shares_add_up(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """Train and test shares that are printed together add up to one."""
    partner = {"train_share": "test_share", "test_share": "train_share"}.get(claim.metric)
    for other in paper:
        if other.metric == partner and (other.where, other.dataset, other.model, other.paper) == (
            claim.where,
            claim.dataset,
            claim.model,
            claim.paper,
        ):
            total = claim.value + other.value
            told = f"With the {other.metric.removesuffix('_share')} share of {other.value} it makes {total.normalize()}"
            yield Finding(YES, f"{told}.") if total == 1 else Finding(NO, f"{told}, not 1.", str(1 - other.value))


def sample_size(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A sample size in a comparison is the number of images that the paper states for the data set."""
    if claim.metric != "sample_size":
        return
    for other in _images(paper, claim.dataset, "all"):
        same = other.value == claim.value
        yield Finding(
            YES if same else NO,
            f"{_capital(_short(other.where))} has {other.value:,} images{'' if same else f', not {claim.value:,}'}.",
            f"{other.value:,}",
        )


def epochs_total(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The epochs of all phases add up to the total that is printed with them."""
    if claim.metric != "epochs_total":
        return
    phases = [other.value for other in paper if other.metric == "epochs" and other.where == claim.where]
    if phases:
        told = f"{' and '.join(map(str, phases))} make {sum(phases)}"
        yield (
            Finding(YES, f"{told}.")
            if sum(phases) == claim.value
            else Finding(NO, f"{told}, not {claim.value}.", str(sum(phases)))
        )


# What a paper says twice


def said_again(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """What stands in two places, as in abstract and table, is the same number.

    Scores are the same quantity if data set, split, model, metric and expression are; other statements, if their ids are but for the place.
    """
    again = [other for other in paper if _same_quantity(claim, other)]
    disagreeing = [other for other in again if not _agree(claim, other)]
    if disagreeing:
        place = _short if all(_short(other.where) != _short(claim.where) for other in disagreeing) else str
        told = " and ".join(dict.fromkeys(f"as {other.value} in {place(other.where)}" for other in disagreeing))
        values = dict.fromkeys(str(other.value) for other in disagreeing)
        yield Finding(NO, f"Printed as {claim.value} in {place(claim.where)}, but {told}.", "; ".join(values))
    elif again:
        yield Finding(YES, f"Printed so again in {_places(again)}.")


def _same_quantity(claim: Claim, other: Claim) -> bool:
    same = (claim.metric, claim.dataset, claim.split, claim.expression) == (
        other.metric,
        other.dataset,
        other.split,
        other.expression,
    )
    if not same or claim.where == other.where or claim.cited or other.cited:
        return False
    if claim.metric in SCORES:
        return claim.model == other.model and bool(claim.dataset)
    return claim.what == other.what and (claim.model == other.model or "" in (claim.model, other.model))


def _agree(claim: Claim, other: Claim) -> bool:
    if claim.metric not in SCORES:
        return claim.value == other.value
    (low, high), (other_low, other_high) = arithmetic.bounds(claim.value), arithmetic.bounds(other.value)
    return low < other_high and other_low < high


def unused_dataset(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A data set that the abstract gives a score on appears in the rest of the paper."""
    if claim.place != "abstract" or claim.metric not in SCORES or not claim.dataset:
        return
    if any(other.dataset == claim.dataset and other.place != "abstract" for other in paper):
        return
    alike = [
        other
        for other in paper
        if (other.metric, other.model, other.value) == (claim.metric, claim.model, claim.value)
        and other.dataset != claim.dataset
    ]
    elsewhere = " and ".join(
        f"{_short(other.where)} prints the same number for {_name(other.dataset)}" for other in alike
    )
    note = f"The abstract gives {claim.value} on {_name(claim.dataset)}, on which the rest of the paper has no number"
    yield Finding(
        NO, f"{note}{': ' if elsewhere else ''}{elsewhere}.", "; ".join(_name(other.dataset) for other in alike)
    )


def one_name(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """One number for one class under two names: accuracy of a class is its recall, which is its precision only by chance."""
    if claim.metric not in BY_CLASS or not claim.expression:
        return
    for other in paper:
        renamed = other.metric in BY_CLASS and other.metric != claim.metric
        if renamed and (other.expression, other.value, other.scored_as) == (
            claim.expression,
            claim.value,
            claim.scored_as,
        ):
            only_if = (
                f"both are true only if about as many images are predicted as {claim.expression} as are labelled so"
            )
            yield Finding(UNKNOWN, f"Called {other.metric} in {_short(other.where)}: {only_if}.")


def within_range(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A number lies within a range that the paper prints for it; a range has its lower end below its upper.

    A range without a model is taken to be of all EfficientNets that the paper trains, and of no other network.
    """
    metric = claim.metric.removesuffix("_low").removesuffix("_high")
    for low, high in _ranges(metric, claim, paper):
        if claim in (low, high):
            ordered = low.value <= high.value
            yield Finding(
                YES if ordered else NO,
                f"From {low.value} to {high.value} is {'a range' if ordered else 'no range: its ends are exchanged'}.",
            )
        elif metric == claim.metric and (
            low.model == claim.model or (not low.model and (not claim.model or EFFICIENTNET.fullmatch(claim.model)))
        ):
            inside = low.value <= claim.value <= high.value
            told = f"The range in {low.where} is from {low.value} to {high.value}"
            yield Finding(
                YES if inside else NO,
                f"{told}{'' if inside else f': {claim.value} lies outside of it'}.",
                f"{low.value} to {high.value}",
            )


def _ranges(metric: str, claim: Claim, paper: list[Claim]) -> list[tuple[Claim, Claim]]:
    ends = [
        other for other in paper if (other.dataset, other.split) == (claim.dataset, claim.split) and not other.cited
    ]
    return [
        (low, high)
        for low in ends
        for high in ends
        if (low.metric, high.metric) == (f"{metric}_low", f"{metric}_high")
        and (low.where, low.model) == (high.where, high.model)
    ]


def at_least(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A number is no less than the paper says elsewhere that it is at least."""
    for low in paper:
        for other in paper:
            same = (low.metric, low.dataset, low.split, low.expression) == (
                f"{other.metric}_low",
                other.dataset,
                other.split,
                other.expression,
            )
            if claim in (low, other) and same and low.dataset and not _ranges(other.metric, low, paper):
                told = f"At least {low.value:,} in {_short(low.where)} and {other.value:,} in {_short(other.where)}"
                possible = other.value >= low.value
                nearest = f"{low.value:,} or more" if claim == other else f"{other.value:,} or less"
                yield Finding(
                    YES if possible else NO, f"{told}{'' if possible else ' contradict each other'}.", nearest
                )


def difference(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A bound on the difference of train and test accuracy holds for what is printed of both, rounding allowed for."""
    if claim.metric != "accuracy_difference_below":
        return
    scores = [
        other
        for other in paper
        if other.metric == "accuracy"
        and (other.dataset, other.model) == (claim.dataset, claim.model)
        and not other.expression
    ]
    for train in (other for other in scores if other.split == "train"):
        for test in (other for other in scores if other.split == "test"):
            (train_low, train_high), (test_low, test_high) = (
                arithmetic.bounds(train.value),
                arithmetic.bounds(test.value),
            )
            least = max(train_low - test_high, test_low - train_high, Decimal(0))
            printed = abs(train.value - test.value)
            told = f"{train.value} and {test.value} are {printed} apart, which is {'' if printed < claim.value else 'not '}below {claim.value}"
            allowed = (
                ""
                if printed < claim.value
                else f"; but as they are rounded, they can be {least} apart"
                if least < claim.value
                else ", however they are rounded"
            )
            yield Finding(YES if least < claim.value else NO, f"{told}{allowed}.", str(printed))


def errors(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A number of errors leaves a number of right images, and so an accuracy; errors of each kind add up to all."""
    if claim.metric != "errors":
        return
    kinds = [
        other.value for other in paper if other.metric.startswith("errors_predicted_") and other.where == claim.where
    ]
    if kinds:
        told = f"The errors described make {sum(kinds)}"
        yield (
            Finding(YES, f"{told}.")
            if sum(kinds) == claim.value
            else Finding(NO, f"{told}, not {claim.value}.", str(sum(kinds)))
        )
    if not claim.n:
        return
    right = claim.n - int(claim.value)
    alike = [
        other
        for other in paper
        if other.metric == "accuracy" and other.scored_as == claim.scored_as and not other.expression
    ]
    for value in dict.fromkeys(other.value for other in alike):
        form = _printed(right, claim.n, value)
        told = f"{claim.value} errors in {claim.n} images leave {right} right, an accuracy of {form}"
        same = right in arithmetic.counts(value, claim.n)
        places = _places([other for other in alike if other.value == value])
        note = f"{told}, as in {places}." if same else f"{told}; for the same network it is {value} in {places}."
        yield Finding(YES if same else NO, note, str(form), claim.n)


def errors_of_a_kind(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """There are no more errors of one kind than errors."""
    if not claim.metric.startswith("errors_predicted_"):
        return
    for other in paper:
        if other.metric == "errors" and other.where == claim.where:
            yield Finding(
                YES if claim.value <= other.value else NO,
                f"{claim.value} of the {other.value} errors there.",
                n=other.n,
            )


def best_epoch(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """The best epoch is one of those that were trained; assumed: the paper's number of epochs is of the same run."""
    if not claim.metric.startswith("best_epoch"):
        return
    trained = [other for other in paper if other.metric == "epochs" and other.model == claim.model and not other.cited]
    for value in dict.fromkeys(other.value for other in trained):
        places = _places([other for other in trained if other.value == value])
        told = f"Epoch {claim.value} is said to be the best, and {value} epoch{'s' * (value != 1)} to be trained ({places})"
        yield Finding(YES if 1 <= claim.value <= value else NO, f"{told}.", f"1 to {value}" if value != 1 else "1")


# What others published


def network(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A statement about the layers of EfficientNet holds for the network that Keras builds (Tan and Le 2019, table 1, scaled)."""
    if not EFFICIENTNET.fullmatch(claim.model):
        return
    stage = re.fullmatch(r"channels\.stage(\d)", claim.what)
    if stage:
        built = architecture.layout(claim.model)
        numbers = built.stages(expansion=6)
        true = built.widths(numbers[int(stage[1]) - 1]) if int(stage[1]) <= len(numbers) else set()
        yield _of_network(claim, true, "channels within or after the blocks of this stage of MBConv6")
    elif claim.metric == "mbconv_channels":
        widths = {block.expanded for block in architecture.layout(claim.model).blocks}
        told = f"The depthwise convolutions of {claim.model}'s MBConv blocks have from {min(widths):,} to {max(widths):,} channels"
        same = widths == {int(claim.value)}
        yield (
            Finding(YES, f"{told}.")
            if same
            else Finding(NO, f"{told}, not {claim.value:,} in each block.", _next_to(claim.value, widths))
        )
    elif claim.what in STATEMENTS:
        true, what = STATEMENTS[claim.what](architecture.layout(claim.model))
        yield _of_network(claim, true, what)


def _of_network(claim: Claim, true: set[int], what: str) -> Finding:
    told = (
        f"{claim.model} as Keras builds it has {' or '.join(f'{number:,}' for number in sorted(true)) or 'no'} {what}"
    )
    if claim.value in true:
        return Finding(YES, f"{told}.", str(claim.value))
    return Finding(NO, f"{told}, not {claim.value:,}.", _next_to(claim.value, true))


def _next_to(value: Decimal, numbers: set[int]) -> str:
    below, above = [number for number in numbers if number < value], [number for number in numbers if number > value]
    return "; ".join(f"{number:,}" for number in (*sorted(below)[-1:], *sorted(above)[:1]))


STATEMENTS: dict[str, Callable[[architecture.Layout], tuple[set[int], str]]] = {
    "mbconv_blocks": lambda built: ({len(built.blocks)}, "MBConv blocks"),
    "components": lambda built: ({len(built.stages()) + 2}, "parts: stem, stages of MBConv, and head"),
    "depthwise_components": lambda built: (
        {len(built.stages())},
        "parts with depthwise convolutions (all stages of MBConv)",
    ),
    "stages": lambda built: ({len(built.stages(expansion=6))}, "stages of MBConv6 (and one of MBConv1 before them)"),
    "expansion": lambda built: (
        {block.expansion for block in built.blocks if block.stage in built.stages(expansion=6)},
        "times the channels within MBConv6",
    ),
    "expansion.kernel": lambda built: (
        {block.kernels[0] for block in built.blocks} - {0},
        "pixel as the side of the convolutions that expand",
    ),
    "compression.kernel": lambda built: (
        {block.kernels[1] for block in built.blocks},
        "pixel as the side of the convolutions that compress",
    ),
    "stem.filters": lambda built: ({built.stem["filters"]}, "filters in its first convolution"),
    "stem.kernel": lambda built: ({built.stem["kernel"]}, "pixels as the side of its first convolution"),
    "stem.stride": lambda built: ({built.stem["stride"]}, "pixels as the stride of its first convolution"),
    "stem.padding": lambda built: ({built.stem["padding"]}, "pixel of padding before its first convolution"),
    "head.kernel": lambda built: ({built.head_kernel}, "pixel as the side of its last convolution"),
    "features": lambda built: ({built.features}, "features after pooling"),
}


def variants(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """EfficientNet has eight published sizes, each made for images of its own size (Tan and Le 2019, and their code)."""
    if claim.metric == "versions":
        sides = architecture.sides()
        yield Finding(
            YES if claim.value == len(sides) else NO,
            f"EfficientNet was published in {len(sides)} sizes, {min(sides)} to {max(sides)}.",
            str(len(sides)),
        )
    elif claim.metric == "image_size" and "default of EfficientNet" in claim.note:
        sides = architecture.sides()
        fitting = [name for name, side in sides.items() if side == claim.value]
        told = (
            f"Only {' and '.join(fitting)} of the eight was made for {claim.value} pixels"
            if fitting
            else f"No EfficientNet was made for {claim.value} pixels"
        )
        others = ", ".join(f"{name} for {side}" for name, side in sides.items() if name not in fitting)
        yield Finding(
            YES if len(fitting) == len(sides) else NO, f"{told}; {others}.", _next_to(claim.value, set(sides.values()))
        )


def compound_scaling(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """Statements about the compound scaling are those of Tan and Le 2019, sec. 3.3 and equation 3."""
    coefficients, exponents = published.SCALING_COEFFICIENTS, published.SCALING_EXPONENTS
    if claim.metric == "scaling_product":
        product = 1.0
        for name, coefficient in coefficients.items():
            product *= coefficient ** exponents[name]
        low, high = (float(end) for end in arithmetic.bounds(claim.value))
        told = f"Tan and Le's coefficients, {', '.join(map(str, coefficients.values()))}, give {product:.2f}"
        yield (
            Finding(YES, f"{told}.", f"{product:.2f}")
            if low <= product < high
            else Finding(NO, f"{told}, not {claim.value}.", f"{product:.2f}")
        )
    elif claim.metric == "scaling_exponent":
        true = exponents.get(claim.what.rpartition(".")[2])
        if true:
            told = f"Tan and Le's exponent is {true}"
            yield (
                Finding(YES, f"{told}.", str(true))
                if true == claim.value
                else Finding(NO, f"{told}, not {claim.value}.", str(true))
            )
    elif claim.metric == "scaling_coefficient_low":
        true = coefficients.get(claim.what.removesuffix("_low"))
        if true:
            told = f"Tan and Le's coefficient is {true}"
            yield (
                Finding(YES, f"{told}.", str(true))
                if true >= claim.value
                else Finding(NO, f"{told}, below {claim.value}.", str(true))
            )


def imagenet_score(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A score of an EfficientNet on ImageNet is one that Tan and Le 2019 print."""
    printed = published.IMAGENET_SCORES.get((claim.model, claim.metric), ()) if claim.dataset == "imagenet" else ()
    if printed:
        same = str(claim.value) in printed
        yield Finding(
            YES if same else NO,
            f"{published.TAN} prints {' and, in its last version, '.join(printed)}{'' if same else f', not {claim.value}'}.",
            "; ".join(printed),
        )


def cost_ratio(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A network said to be so many times smaller or faster than another is so by its parameters or FLOPs in Tan and Le 2019, table 2.

    Assumed: the time grows with the FLOPs; they print no time for the pairs that the papers compare.
    """
    rival = re.search(r"than ([\w-]+)", claim.note)
    costs = published.COSTS
    if (
        claim.metric not in ("size_ratio", "speed_ratio")
        or claim.model not in costs
        or not rival
        or rival[1] not in costs
    ):
        return
    ours, theirs = costs[claim.model], costs[rival[1]]
    if claim.metric == "size_ratio":
        ratio, gpipe = theirs.parameters / ours.parameters, f"{published.SMALLER_THAN_GPIPE} times smaller"
        facts = f"{claim.model} has {ours.parameters:g} million parameters and {rival[1]} {theirs.parameters:g} million"
    else:
        ratio, gpipe = theirs.flops / ours.flops, f"{published.FASTER_THAN_GPIPE} times faster"
        facts = f"{claim.model} takes {ours.flops:g} billion FLOPs an image and {rival[1]} {theirs.flops:g} billion"
    low, high = (float(end) for end in arithmetic.bounds(claim.value))
    possible = low <= ratio < high
    compared = f"; what Tan and Le call {gpipe} is B7 against GPipe" * (not possible)
    yield Finding(YES if possible else NO, f"{facts}, {ratio:.2g} times as many{compared}.", f"{ratio:.2g}")


def published_figure(claim: Claim, paper: list[Claim]) -> Iterator[Finding]:
    """A statement about a data set is what its authors say of it (`published.FIGURES`, with the sources)."""
    at_least = claim.metric.endswith("_low")
    figures = published.FIGURES.get((claim.dataset, claim.metric.removesuffix("_low"), claim.split))
    if not figures or claim.expression:
        return
    told = f"{_name(claim.dataset)} has {', '.join(f'{number:,} {what}' for number, what in figures.values.items())} ({figures.source})"
    if at_least:
        possible = max(figures.values) >= claim.value
        yield Finding(
            YES if possible else NO,
            f"{told}{'' if possible else f': not {claim.value:,} or more'}.",
            f"{max(figures.values):,}",
        )
    elif claim.value in figures.values:
        yield Finding(
            YES,
            f"{_name(claim.dataset)} has {claim.value:,} {figures.values[int(claim.value)]} ({figures.source}).",
            f"{claim.value:,}",
        )
    else:
        closest = min(figures.values, key=lambda number: abs(number - claim.value))
        apart = f"{abs(closest - claim.value):,} {'fewer' if closest > claim.value else 'more'} than the {closest:,} {figures.values[closest]}"
        yield Finding(
            NO, f"{told}; {claim.value:,} is none of these, but {apart}.", _next_to(claim.value, set(figures.values))
        )


def _name(dataset: str) -> str:
    return " to ".join(published.NAMES.get(part, part) for part in dataset.split(" to "))


def _short(where: str) -> str:
    """The section, table or figure, without the paragraph: `sec. 4.4` for `sec. 4.4, below table 1`."""
    return "the abstract" if where == "abstract" else re.split(r"[,;(]", where)[0].strip()


def _places(claims: list[Claim]) -> str:
    return " and ".join(dict.fromkeys(_short(claim.where) for claim in claims))


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


CHECKS: tuple[Check, ...] = (
    whole_images,
    precision,
    confusion_matrix,
    cross_entropy,
    class_counts,
    class_sizes,
    parts_of_whole,
    sequences_and_frames,
    split_ratio,
    split_size,
    shares_add_up,
    sample_size,
    epochs_total,
    said_again,
    unused_dataset,
    one_name,
    within_range,
    at_least,
    difference,
    errors,
    errors_of_a_kind,
    best_epoch,
    network,
    variants,
    compound_scaling,
    imagenet_score,
    cost_ratio,
    published_figure,
)
