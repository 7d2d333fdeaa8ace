"""Each check is held to small papers made by hand: one that is possible, one that is not, and one on the border."""

import pandas as pd
import pytest

from fer_helpers.study import claims
from fer_helpers.study.claims import checks

FINE, NOT, FALSE, AGREES = "possible", "contradicts itself", "false", "agrees"


def row(claim: str, value: str, metric: str = "", **columns) -> dict:
    return {
        "claim": claim,
        "value": value,
        "metric": metric or claim.rpartition(".")[2],
        "unit": "",
        "where": "sec. 2",
    } | columns


def score(value: str, n: int | None = None, claim: str = "table1.b0", **columns) -> dict:
    about = {"dataset": "own", "split": "test", "model": "B0", "unit": "share", "where": "table 1"}
    return row(claim, value, "accuracy", n=n) | about | columns


def images(value: str, split: str, expression: str = "", dataset: str = "own", **columns) -> dict:
    about = {"dataset": dataset, "split": split, "expression": expression, "kind": "count"}
    return row(f"sec2.images.{split}.{expression}".rstrip("."), value, "images") | about | columns


def precision(value: str, expression: str) -> dict:
    return score(value, claim=f"table1.{expression}", metric="precision", expression=expression)


def share(split: str, value: str) -> dict:
    return row(f"sec2.{split}_share", value, split=split, unit="share", kind="setting")


@pytest.fixture
def said(paper):
    """The words of one check about one claim of a paper, the first unless named."""

    def words(check: str, *rows: dict, claim: str = "") -> list[str]:
        found = checks.check(paper(*rows))
        of_claim = found["claim"] == f"small_2020.{claim or rows[0]['claim']}"
        return found.loc[of_claim & (found["check"] == check), "word"].tolist()

    return words


# ------------------------------------------------------------------------------------------------ shares of images


@pytest.mark.parametrize(
    ("value", "n", "word"),
    [
        ("0.9924", 132, FINE),
        ("0.9957", 132, "impossible"),
        ("0.9848", 132, FINE),
        ("0.13", 132, FINE),
        ("0.9923", 132, "impossible"),
        ("0.9925", 132, "impossible"),
        ("0.12", 8, FINE),  # 1/8 = 0.125 may be rounded up, to even or cut off
        ("0.13", 8, FINE),
        ("0.11", 8, "impossible"),
        ("0.14", 8, "impossible"),
        ("0.9957", None, "unknown"),
        ("0.7800", 327, "doubtful"),  # 0.78 = 255/327, with zeros appended
    ],
)
def test_accuracy_is_a_whole_number_of_the_images_it_is_printed_for(said, value, n, word):
    assert said("whole_images", score(value, n)) == [word]


def test_impossible_names_the_images_tried_what_is_near_the_slip_and_the_averages(paper):
    known = [images("1308", "all", dataset="ckplus"), share("test", "0.10")]
    note, other = (
        checks.check(paper(score(value, 132, dataset="ckplus"), *known))["note"][0] for value in ("0.9878", "0.9957")
    )
    assert all(f"{n} (" in note for n in (132, 131, 130, 134))
    assert "130/132 = 0.9848" in note and "one digit changed it would be 0.9848" in note
    assert "a macro precision or macro F1 or weighted precision could be printed so" in note
    assert "no macro recall or macro precision or macro F1 or weighted precision or weighted F1" in other


def test_number_that_only_cutting_off_gives_says_so(paper):
    assert "cut off" in checks.check(paper(score("0.66", 3)))["note"][0]
    assert "cut off" not in checks.check(paper(score("0.67", 3)))["note"][0]


@pytest.mark.parametrize(("value", "word"), [("0.5610", "doubtful"), ("0.5609", FINE), ("0.56101234", "impossible")])
def test_number_of_images_that_the_paper_states_elsewhere_is_tried_first(said, value, word):
    crossed = score(value, dataset="rafdb to fer2013", split="")  # 56.10 % is 4,027 of 7,178, and nothing of 3,589
    assert said("whole_images", crossed, images("3589", "test", dataset="fer2013")) == [word]


@pytest.mark.parametrize(("value", "word"), [("0.243", FINE), ("0.242", "impossible"), ("0.128", FINE)])
def test_confusion_may_go_either_way(said, value, word):
    dataset, other = ("fer2013", "sad") if value == "0.128" else ("rafdb", "surprise")  # 76 of 594 sad, 18 of 74 fear
    about = {"dataset": dataset, "expression": "fear", "metric": f"share_predicted_{other}"}
    assert said("whole_images", score(value, **about)) == [word]


def test_number_of_images_of_a_cited_score_is_not_guessed(said):
    assert said("whole_images", score("0.7800", dataset="rafdb to ckplus", kind="cited")) == []


@pytest.mark.parametrize(
    ("value", "test", "word"),
    [("0.9167", "132", "doubtful"), ("0.9167", "134", FINE), ("0.9524", "132", FINE)],  # 22/24, 20/21
)
def test_one_rule_of_rounding_divides_all_data_sets_of_a_paper(said, value, test, word):
    sets = [images("213", "all", dataset="jaffe"), images("1308", "all", dataset="ckplus", claim="sec2.ck")]
    tested = images(test, "test", dataset="ckplus", claim="sec2.ck.test")
    assert said("one_split_rule", score(value, dataset="jaffe"), *sets, tested, share("test", "0.10")) == [word]


@pytest.mark.parametrize(("happy", "word"), [("60", "unknown"), ("6", "impossible")])  # 5/8 is the smallest 0.63
def test_precision_says_nothing_unless_there_are_too_few_images(said, happy, word):
    assert said("confusion_matrix", precision("0.63", "happy"), images(happy, "test", "happy"))[0] == word


@pytest.mark.parametrize(
    ("happy", "sad", "accuracy", "expression", "word"),
    [
        ("0.80", "0.80", "0.80", "", FINE),
        ("0.80", "0.80", "0.99", "", NOT),
        ("0.80", "0.80", "0.10", "", NOT),
        ("1.00", "0.00", "0.50", "", NOT),
        ("0.80", "0.80", "0.80", "happy", FINE),
        ("0.80", "0.80", "0.10", "happy", NOT),
    ],
)
def test_precisions_accuracies_and_class_counts_come_from_one_confusion_matrix(
    said, happy, sad, accuracy, expression, word
):
    rows = [
        precision(happy, "happy"),
        precision(sad, "sad"),
        images("50", "test", "happy"),
        images("50", "test", "sad"),
    ]
    assert said("confusion_matrix", score(accuracy, expression=expression), *rows)[0] == word


@pytest.mark.parametrize(
    ("loss", "accuracy", "word"),
    [
        ("0.54", "0.65", FINE),
        ("0.20", "0.65", NOT),
        ("0.24", "0.6500", FINE),  # (1 - 0.65) ln 2 = 0.2426
        ("0.23", "0.6500", NOT),
        ("0.00", "1.00", FINE),
        ("9.00", "0.99", FINE),
    ],
)
def test_loss_is_at_least_ln_2_for_each_error(said, loss, accuracy, word):
    rows = [score(loss, claim="fig2.loss", metric="loss", unit=""), score(accuracy)]
    assert said("loss_and_accuracy", *rows) == [word]
    assert said("loss_and_accuracy", *rows, claim="table1.b0") == [NOT] * (word == NOT)  # of both, or of neither


@pytest.mark.parametrize(
    ("loss", "accuracy", "word"),
    [("1.38", "0.26", "doubtful"), ("1.60", "0.26", FINE), ("1.38", "0.47", FINE), ("1.02", "0.45", "doubtful")],
)
def test_loss_better_than_the_labels_comes_with_an_accuracy_above_the_floor(paper, loss, accuracy, word):
    sizes = [59_887, 107_506, 20_359, 11_269, 5_100, 3_042, 19_903, 2_998]  # floor 0.467, entropy 1.48
    names = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
    rows = [score(loss, claim="fig2.loss", metric="loss", unit=""), score(accuracy)]
    counts = [images(str(size), "test", name) for name, size in zip(names, sizes, strict=True)]
    found = checks.check(paper(*rows, *counts))
    found = found[found["check"] == "loss_and_accuracy"]
    assert (found["word"] == word).sum() == 2 + (word == FINE)
    assert found["note"].str.contains("chance of 4 classes").any() == ((loss, accuracy) == ("1.38", "0.26"))
    assert found["note"].str.contains(r"ln 8 = 2\.08").any()


# -------------------------------------------------------------------------------- counts and shares that add up


@pytest.mark.parametrize(("sad", "word"), [("25", FINE), ("24", NOT)])
def test_classes_add_up_to_the_split(said, sad, word):
    rows = [images("100", "test"), images("75", "test", "happy"), images(sad, "test", "sad")]
    assert said("adds_up", *rows) == [word]
    assert said("adds_up", *rows, claim="sec2.images.test.sad") == [NOT] * (word == NOT)


@pytest.mark.parametrize(("number", "word"), [("28709", []), ("28708", [FALSE])])
def test_classes_of_an_official_split_add_up_to_its_published_size(said, number, word):
    assert said("official_classes", images(number, "train", "happy", dataset="fer2013")) == word


def test_class_has_as_many_images_as_in_the_release(said):
    counts = {"anger": 30, "disgust": 29, "fear": 32, "happy": 31, "neutral": 30, "sad": 31, "surprise": 30}
    rows = [images(str(number), "all", expression, dataset="jaffe") for expression, number in counts.items()]
    assert said("official_classes", *rows) == [AGREES]
    assert said("official_classes", rows[0] | {"value": "29"}, rows[1] | {"value": "30"}, *rows[2:]) == [FALSE]


@pytest.mark.parametrize(
    ("whole", "dataset", "word"),
    [
        ("100", "own", FINE),
        ("101", "own", NOT),
        ("99", "own", NOT),
        ("3689", "fer2013", FINE),
        ("29672", "rafdb", FINE),
    ],
)
def test_parts_make_the_whole_or_do_with_a_part_that_its_authors_define(said, whole, dataset, word):
    parts = [images("80", "train", dataset=dataset), images("20", "test", dataset=dataset)]
    assert said("adds_up", images(whole, "all", dataset=dataset), *parts) == [word]


@pytest.mark.parametrize(("number", "word"), [("40", FINE), ("39", NOT)])
def test_images_are_sequences_times_frames(said, number, word):
    frames = [row(f"sec2.frames.{name}", n, "frames_per_sequence", dataset="own") for name, n in ("a3", "b1")]
    assert said("adds_up", images(number, "all"), row("sec2.sequences", "10", dataset="own"), *frames) == [word]


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([row("sec4.epochs_total", "100"), row("sec4.phase1.epochs", "50"), row("sec4.phase2.epochs", "50")], FINE),
        ([row("sec4.epochs_total", "90"), row("sec4.phase1.epochs", "50"), row("sec4.phase2.epochs", "50")], NOT),
        ([row("table5.errors", "2"), row("table5.sad", "1", "errors_predicted_sad")], NOT),
        ([row("table5.errors", "1"), row("table5.sad", "1", "errors_predicted_sad")], FINE),
        ([share("train", "0.90"), share("test", "0.10")], FINE),
        ([share("train", "0.80"), share("test", "0.10")], NOT),
        ([row("table6.sample_size", "213", dataset="own"), images("213", "all")], FINE),
        ([row("table6.sample_size", "203", dataset="own"), images("213", "all")], NOT),
    ],
)
def test_phases_errors_shares_and_samples_add_up(said, rows, word):
    assert said("adds_up", *rows) == [word]
    assert said("adds_up", *rows, claim=rows[1]["claim"]) == [NOT] * (word == NOT)


@pytest.mark.parametrize(
    ("train", "test", "word"),
    [
        ("80", "20", FINE),
        ("81", "20", FINE),
        ("82", "20", FINE),
        ("84", "20", FINE),
        ("85", "20", NOT),
        ("75", "20", NOT),
    ],
)
def test_train_and_test_stand_in_the_printed_ratio_as_nearly_as_whole_images_allow(said, train, test, word):
    ratio = row("sec2.split_ratio", "4", dataset="own")
    assert said("split_size", ratio, images(train, "train"), images(test, "test")) == [word]


@pytest.mark.parametrize(("train", "word"), [("41", FINE), ("50", "unknown")])
def test_split_that_keeps_the_ratio_in_each_class_was_drawn_class_by_class(said, train, word):
    ratio = row("sec2.split_ratio", "4", dataset="own")
    assert said("split_size", ratio, images(train, "train", "happy"), images("10", "test", "happy")) == [word]


@pytest.mark.parametrize(
    ("test", "dataset", "word"),
    [
        ("131", "ckplus", FINE),
        ("130", "ckplus", FINE),
        ("132", "ckplus", FINE),
        ("133", "ckplus", NOT),
        ("132", "own", NOT),
    ],
)
def test_test_set_is_its_share_rounded_as_a_whole_or_class_by_class(said, test, dataset, word):
    rows = [images(test, "test", dataset=dataset), images("1308", "all", dataset=dataset), share("test", "0.10")]
    assert said("split_size", *rows) == [word]


# -------------------------------------------------------------------------------- what a paper says in two places


@pytest.mark.parametrize(("again", "word"), [("0.9545", FINE), ("0.95", FINE), ("0.96", NOT), ("0.9647", NOT)])
def test_abstract_and_table_print_the_same_score_rounding_allowed_for(said, again, word):
    rows = [score("0.9545"), score(again, claim="abstract.accuracy", where="abstract")]
    assert said("said_again", *rows) == [word]


@pytest.mark.parametrize(
    "other",
    [
        {"model": "B1"},
        {"dataset": "x"},
        {"split": "val"},
        {"expression": "sad"},
        {"metric": "recall"},
        {"kind": "cited"},
    ],
)
def test_scores_of_other_models_sets_or_classes_need_not_be_the_same(said, other):
    assert said("said_again", score("0.9545"), score("0.1", claim="abstract.b0", where="abstract", **other)) == []


@pytest.mark.parametrize(("again", "word"), [("0.001", FINE), ("0.0001", NOT)])
def test_setting_said_twice_is_the_same_and_both_sides_say_so(said, again, word):
    rows = [
        row(f"{place}.phase1.learning_rate", value, where=place)
        for place, value in (("sec1", "0.001"), ("sec4.3", again))
    ]
    assert said("said_again", *rows) == [word]
    assert said("said_again", *rows, claim="sec4.3.phase1.learning_rate") == [NOT] * (word == NOT)
    assert said("said_again", rows[0], rows[1] | {"claim": "sec4.3.phase2.learning_rate"}) == []


@pytest.mark.parametrize(("number", "word"), [("420000", FINE), ("420001", FINE), ("419999", NOT)])
def test_number_is_no_less_than_the_paper_says_elsewhere(said, number, word):
    low = images("420000", "all", metric="images_low", claim="sec1.images_low", where="sec. 1")
    assert said("said_again", images(number, "all"), low) == [word]


def test_data_set_of_the_abstract_alone_may_be_another(said, paper):
    abstract = score("0.8168", claim="abstract.accuracy", where="abstract", dataset="dfew")
    rows = [abstract, score("0.8168", dataset="rafdb")]
    assert said("names", *rows) == ["ambiguous"]
    assert said("names", abstract, score("0.8168", dataset="dfew")) == []
    assert checks.check(paper(*rows))["note"].str.contains("table 1 prints the same for RAF-DB").any()


@pytest.mark.parametrize(("value", "words"), [("0.90", ["ambiguous"]), ("0.91", [])])
def test_one_number_under_two_names_is_ambiguous(said, value, words):
    assert said("names", score("0.90", expression="happy"), precision(value, "happy")) == words


@pytest.mark.parametrize(
    ("value", "word"), [("0.95", FINE), ("0.90", FINE), ("0.99", FINE), ("0.89", NOT), ("1.00", NOT)]
)
def test_score_lies_within_the_printed_range_of_efficientnets(said, value, word):
    ends = {
        end: score(v, claim=f"t.accuracy_{end}", metric=f"accuracy_{end}", model="")
        for end, v in (("low", "0.90"), ("high", "0.99"))
    }
    assert said("within_range", score(value), *ends.values()) == [word]
    assert said("within_range", score("0.5", model="standard CNN"), *ends.values()) == []
    exchanged = [ends["low"] | {"value": "0.99"}, ends["high"] | {"value": value}]
    assert said("within_range", *exchanged) == [FINE if value in ("0.99", "1.00") else NOT]


@pytest.mark.parametrize(
    ("train", "test", "word"),
    [
        ("0.68", "0.65", FINE),
        ("0.7", "0.65", FINE),
        ("0.70", "0.65", FINE),
        ("0.73", "0.65", NOT),
        ("0.65", "0.75", NOT),
    ],
)
def test_bound_on_a_difference_holds_with_rounding_allowed_for(said, train, test, word):
    bound = score("0.05", claim="abstract.difference", metric="accuracy_difference_below", split="")
    assert said("bounded", bound, score(train, claim="fig2.train", split="train"), score(test)) == [word]


@pytest.mark.parametrize(("best", "word"), [("1", FINE), ("9", FINE), ("10", NOT), ("0", NOT)])
def test_best_epoch_was_trained(said, best, word):
    rows = [row("fig2.best", best, "best_epoch_loss", model="B0"), row("sec3.epochs", "9", model="B0")]
    assert said("bounded", *rows) == [word]
    assert said("bounded", *rows, claim="sec3.epochs") == [NOT] * (word == NOT)


@pytest.mark.parametrize(
    ("accuracy", "word"),
    [("0.9848", FINE), ("0.98", FINE), ("0.985", FINE), ("0.984", FINE), ("0.9957", NOT), ("0.99", NOT)],
)
def test_errors_leave_the_printed_accuracy(said, accuracy, word):
    found = score("2", 132, claim="table5.errors", metric="errors", unit="images")
    assert said("errors", found, score(accuracy)) == [word]


# --------------------------------------------------------------------------------------- what others published


@pytest.mark.parametrize(
    ("claim", "true", "false"),
    [
        ("mbconv_blocks", "16", "19"),  # 1 + 2 + 2 + 3 + 3 + 4 + 1, Tan and Le 2019, table 1
        ("components", "9", "8"),
        ("depthwise_components", "7", "6"),
        ("stages", "6", "7"),
        ("expansion", "6", "4"),
        ("expansion.kernel", "1", "3"),
        ("compression.kernel", "1", "3"),
        ("stem.filters", "32", "44"),
        ("stem.kernel", "3", "5"),
        ("stem.stride", "2", "1"),
        ("head.kernel", "1", "3"),
        ("features", "1280", "1792"),
    ],
)
def test_statements_about_layers_are_held_against_the_network(said, claim, true, false):
    for value, word in ((true, AGREES), (false, FALSE)):
        assert said("network", row(f"sec2.{claim}", value, model="B0", kind="architecture")) == [word]


def test_padding_that_keras_has_on_one_side_is_ambiguous(said):
    assert said("network", row("sec2.stem.padding", "1", model="B0")) == ["ambiguous"]
    assert said("network", row("sec2.stem.padding", "2", model="B0")) == [FALSE]


@pytest.mark.parametrize(
    ("sequence", "word"),
    [
        ("24 40 80 112 192 320", AGREES),
        ("96 240 480 672 1152 1152", AGREES),
        ("24 40 80 112 192 1280", FALSE),
        ("24 40", FALSE),
    ],
)
def test_channels_are_judged_as_one_sequence(said, sequence, word):
    rows = [row(f"sec2.channels.stage{k}", n, "channels", model="B0") for k, n in enumerate(sequence.split(), 1)]
    assert said("network", *rows) == [word]


def test_no_number_of_channels_is_that_of_every_block(said):
    assert said("network", row("sec2.mbconv_channels", "96", model="B0")) == [FALSE]
    assert said("network", row("sec2.mbconv_channels", "96", model="standard CNN")) == []


DEFAULT = {"note": "said to be the default of EfficientNet"}


@pytest.mark.parametrize(
    ("statement", "word"),
    [
        (row("sec2.versions", "8"), AGREES),
        (row("sec2.versions", "7"), FALSE),
        (row("sec2.image_size", "224", **DEFAULT), "ambiguous"),  # true of B0
        (row("sec2.image_size", "225", **DEFAULT), FALSE),
        (row("sec2.scaling_product", "2"), AGREES),  # 1.2 * 1.1^2 * 1.15^2 = 1.92
        (row("sec2.scaling_product", "3"), FALSE),
        (row("sec2.scaling_product", "1.9"), AGREES),
        (row("sec2.scaling_product", "2.0"), FALSE),
        (row("sec2.exponent.beta", "2", "scaling_exponent"), AGREES),
        (row("sec2.exponent.beta", "1", "scaling_exponent"), FALSE),
        (row("sec2.exponent.alpha", "1", "scaling_exponent"), AGREES),
        (row("sec2.gamma_low", "1", "scaling_coefficient_low"), AGREES),
        (row("sec2.gamma_low", "2", "scaling_coefficient_low"), FALSE),
        (row("sec2.top1", "0.844", "accuracy", dataset="imagenet", model="B7"), AGREES),
        (row("sec2.top1", "0.843", "accuracy", dataset="imagenet", model="B7"), AGREES),
        (row("sec2.top1", "0.854", "accuracy", dataset="imagenet", model="B7"), FALSE),
        (row("sec2.size_ratio", "8.4", model="B7", note="smaller than GPipe"), AGREES),
        (row("sec2.size_ratio", "8.4", model="B7", note="smaller than ResNet-50"), FALSE),
        (row("sec2.size_ratio", "0.4", model="B7", note="smaller than ResNet-50"), AGREES),
        (row("sec2.speed_ratio", "6.1", model="B7", note="faster than ResNet-50"), FALSE),
    ],
)
def test_family_is_that_of_tan_and_le(said, statement, word):
    assert said("family", statement) == [word]


GRAZ = {"note": "released by Graz University of Technology"}


@pytest.mark.parametrize(
    ("columns", "true", "false"),
    [
        ({"metric": "images", "dataset": "fer2013", "split": "all"}, "35887", "35888"),
        ({"metric": "images", "dataset": "affectnet", "split": "all"}, "287651", "287580"),
        ({"metric": "images_low", "dataset": "affectnet", "split": "all"}, "420000", "1000000"),
        ({"metric": "sequences", "dataset": "ckplus"}, "327", "328"),
        ({"metric": "subjects", "dataset": "jaffe"}, "10", "9"),
        ({"metric": "image_height", "dataset": "ckplus"}, "480", "640"),
        ({"metric": "release_year", "dataset": "affectnet"}, "2017", "2018"),
        ({"metric": "release_year", "dataset": "voc"}, "2012", "2017"),
    ],
)
def test_statement_about_a_data_set_is_what_its_authors_say(said, columns, true, false):
    assert said("published_figure", row("sec4.of_set", true, **columns)) == [AGREES]
    assert said("published_figure", row("sec4.of_set", false, **columns)) == [FALSE]
    if columns["dataset"] == "affectnet" and columns["metric"] == "release_year":
        assert said("published_figure", row("sec4.of_set", true, **columns, **GRAZ)) == [FALSE]


@pytest.mark.parametrize(("train", "word"), [("230064", "ambiguous"), ("230065", FALSE)])
def test_whole_that_its_parts_make_may_be_the_images_used(said, train, word):
    rows = [
        images(n, split, dataset="affectnet") for split, n in (("all", "287580"), ("train", train), ("test", "57516"))
    ]
    assert said("published_figure", *rows) == [word]


def test_claim_that_no_check_applies_to_is_unknown_and_says_why(paper):
    found = checks.check(paper(row("sec3.momentum", "0.9"), row("sec2.folds", "10", kind="cited")))
    assert found["word"].tolist() == ["unknown", "unknown"] and (found["note"] != "").all()


def test_every_claim_of_the_four_papers_is_in_the_table_in_order_with_a_sentence_and_two_sides():
    found, printed = checks.check(claims.load()), claims.load()
    assert tuple(found.columns) == checks.COLUMNS
    assert found["claim"].drop_duplicates().tolist() == printed["claim"].tolist()
    assert set(found["word"]) <= set(checks.WORDS)
    assert found["note"].str.fullmatch(r".+\.", flags=0).all()
    pairs = {(row.claim, other) for row in found.itertuples() for other in row.against.split()}
    assert len(pairs) > 10
    assert pairs == {(other, claim) for claim, other in pairs}
    assert found.loc[found["word"] == NOT, "against"].ne("").all()
    assert not pd.isna(found["word"]).any()
