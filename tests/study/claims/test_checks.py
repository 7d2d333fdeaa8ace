"""Each check is held to small papers made by hand: one that is possible, one that is not, and one on the border."""

import pytest

from fer_helpers.study import claims
from fer_helpers.study.claims import checks

FINE, NOT, FALSE, AGREES = "possible", "contradicts itself", "false", "agrees"
SHORT = {"yes": FINE, "no": NOT, "never": "impossible", "-": None}


def cases(text: str) -> list[list[str | None]]:
    """Cases set apart by semicolons, their values by spaces; `SHORT` words for what is said most."""
    return [[SHORT.get(value, value) for value in case.split()] for case in text.split(";")]


def row(claim: str, value: str, metric: str = "", **columns) -> dict:
    about = {
        "claim": claim,
        "value": value,
        "metric": metric or claim.rpartition(".")[2],
        "unit": "",
        "where": "sec. 2",
    }
    return about | columns


def score(value: str, n: str | None = None, claim: str = "table1.b0", **columns) -> dict:
    about = {"dataset": "own", "split": "test", "model": "B0", "unit": "share", "where": "table 1", "n": n and int(n)}
    return row(claim, value, "accuracy") | about | columns


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

WHOLE = "0.9924 132 yes; 0.9957 132 never; 0.9848 132 yes; 0.13 132 yes; 0.9923 132 never; 0.9925 132 never"
TIE = "0.12 8 yes; 0.13 8 yes; 0.11 8 never; 0.14 8 never"  # 1/8 = 0.125 may be rounded up, to even or cut off
UNKNOWN = "0.9957 - unknown; 0.7800 327 doubtful"  # the second is 255/327, with zeros appended


@pytest.mark.parametrize(("value", "n", "word"), cases(f"{WHOLE};{TIE};{UNKNOWN}"))
def test_accuracy_is_a_whole_number_of_the_images_it_is_printed_for(said, value, n, word):
    assert said("whole_images", score(value, n)) == [word]


def test_impossible_names_the_images_tried_what_is_near_the_slip_and_the_averages(paper):
    known = [images("1308", "all", dataset="ckplus"), share("test", "0.10")]
    papers = [paper(score(value, "132", dataset="ckplus"), *known) for value in ("0.9878", "0.9957")]
    note, other = (checks.check(printed)["note"][0] for printed in papers)
    assert all(f"{n} (" in note for n in (132, 131, 130, 134))
    assert "130/132 = 0.9848" in note and "one digit changed it would be 0.9848" in note
    assert "a macro precision or macro F1 or weighted precision could be printed so" in note
    assert "no macro recall or macro precision or macro F1 or weighted precision or weighted F1" in other


@pytest.mark.parametrize(("value", "cut"), [("0.66", True), ("0.67", False)])
def test_number_that_only_cutting_off_gives_says_so(paper, value, cut):
    assert ("cut off" in checks.check(paper(score(value, "3")))["note"][0]) == cut


@pytest.mark.parametrize(("value", "word"), cases("0.5610 doubtful; 0.5609 yes; 0.56101234 never"))
def test_number_of_images_that_the_paper_states_elsewhere_is_tried_first(said, value, word):
    crossed = score(value, dataset="rafdb to fer2013", split="")  # 56.10 % is 4,027 of 7,178, and nothing of 3,589
    assert said("whole_images", crossed, images("3589", "test", dataset="fer2013")) == [word]
    assert said("whole_images", crossed | {"kind": "cited"}) == []  # nor is n guessed for others


@pytest.mark.parametrize(
    ("value", "dataset", "other", "word"),
    cases("0.243 rafdb surprise yes; 0.242 rafdb surprise never; 0.128 fer2013 sad yes"),  # 18 of 74; 76 of 594 sad
)
def test_confusion_may_go_either_way(said, value, dataset, other, word):
    about = {"dataset": dataset, "expression": "fear", "metric": f"share_predicted_{other}"}
    assert said("whole_images", score(value, **about)) == [word]


@pytest.mark.parametrize(("value", "test", "word"), cases("0.9167 132 doubtful; 0.9167 134 yes; 0.9524 132 yes"))
def test_one_rule_of_rounding_divides_all_data_sets_of_a_paper(said, value, test, word):  # 22/24 and 20/21
    sets = [images("213", "all", dataset="jaffe"), images("1308", "all", dataset="ckplus", claim="sec2.ck")]
    tested = images(test, "test", dataset="ckplus", claim="sec2.ck.test")
    assert said("one_split_rule", score(value, dataset="jaffe"), *sets, tested, share("test", "0.10")) == [word]


@pytest.mark.parametrize(("happy", "word"), cases("60 unknown; 6 never"))  # 5/8 is the smallest 0.63
def test_precision_says_nothing_unless_there_are_too_few_images(said, happy, word):
    assert said("confusion_matrix", precision("0.63", "happy"), images(happy, "test", "happy"))[0] == word


OVERALL = "0.80 0.80 0.80 all yes; 0.80 0.80 0.99 all no; 0.80 0.80 0.10 all no; 1.00 0.00 0.50 all no"


@pytest.mark.parametrize(
    ("happy", "sad", "accuracy", "of", "word"),
    cases(f"{OVERALL}; 0.80 0.80 0.80 happy yes; 0.80 0.80 0.10 happy no"),
)
def test_precisions_accuracies_and_class_counts_come_from_one_confusion_matrix(said, happy, sad, accuracy, of, word):
    rows = [precision(happy, "happy"), precision(sad, "sad"), *(images("50", "test", e) for e in ("happy", "sad"))]
    assert said("confusion_matrix", score(accuracy, expression=of.removeprefix("all")), *rows)[0] == word


@pytest.mark.parametrize(
    ("loss", "accuracy", "word"),  # (1 - 0.65) ln 2 = 0.2426
    cases("0.54 0.65 yes; 0.20 0.65 no; 0.24 0.6500 yes; 0.23 0.6500 no; 0.00 1.00 yes; 9.00 0.99 yes"),
)
def test_loss_is_at_least_ln_2_for_each_error(said, loss, accuracy, word):
    rows = [score(loss, claim="fig2.loss", metric="loss", unit=""), score(accuracy)]
    assert said("loss_and_accuracy", *rows) == [word]
    assert said("loss_and_accuracy", *rows, claim="table1.b0") == [NOT] * (word == NOT)  # of both, or of neither


@pytest.mark.parametrize(
    ("loss", "accuracy", "word"), cases("1.38 0.26 doubtful; 1.60 0.26 yes; 1.38 0.47 yes; 1.02 0.45 doubtful")
)
def test_loss_better_than_the_labels_comes_with_an_accuracy_above_the_floor(paper, loss, accuracy, word):
    names = ["neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt"]
    sizes = ["59887", "107506", "20359", "11269", "5100", "3042", "19903", "2998"]  # floor 0.467, entropy 1.48
    counts = [images(size, "test", expression) for expression, size in zip(names, sizes, strict=True)]
    found = checks.check(paper(score(loss, claim="fig2.loss", metric="loss", unit=""), score(accuracy), *counts))
    found = found[found["check"] == "loss_and_accuracy"]
    assert (found["word"] == word).sum() == 2 + (word == FINE)
    assert found["note"].str.contains("chance of 4 classes").any() == (loss == "1.38" and accuracy == "0.26")
    assert found["note"].str.contains(r"ln 8 = 2\.08").any()


# -------------------------------------------------------------------------------- counts and shares that add up


@pytest.mark.parametrize(("sad", "word"), cases("25 yes; 24 no"))
def test_classes_add_up_to_the_split(said, sad, word):
    rows = [images("100", "test"), images("75", "test", "happy"), images(sad, "test", "sad")]
    assert said("adds_up", *rows) == [word]
    assert said("adds_up", *rows, claim="sec2.images.test.sad") == [NOT] * (word == NOT)


def test_class_has_as_many_images_as_in_the_release_and_all_make_its_size(said):
    counts = {"anger": 30, "disgust": 29, "fear": 32, "happy": 31, "neutral": 30, "sad": 31, "surprise": 30}
    rows = [images(str(number), "all", expression, dataset="jaffe") for expression, number in counts.items()]
    assert said("official_classes", *rows) == [AGREES]
    assert said("official_classes", rows[0] | {"value": "29"}, rows[1] | {"value": "30"}, *rows[2:]) == [FALSE]
    for number, words in (("28709", []), ("28708", [FALSE])):
        assert said("official_classes", images(number, "train", "happy", dataset="fer2013")) == words


@pytest.mark.parametrize(
    ("whole", "dataset", "word"), cases("100 own yes; 101 own no; 99 own no; 3689 fer2013 yes; 29672 rafdb yes")
)
def test_parts_make_the_whole_or_do_with_a_part_that_its_authors_define(said, whole, dataset, word):
    parts = [images("80", "train", dataset=dataset), images("20", "test", dataset=dataset)]
    assert said("adds_up", images(whole, "all", dataset=dataset), *parts) == [word]


@pytest.mark.parametrize(("number", "word"), cases("40 yes; 39 no"))
def test_images_are_sequences_times_frames(said, number, word):
    frames = [row(f"sec2.frames.{kind}", n, "frames_per_sequence", dataset="own") for kind, n in ("a3", "b1")]
    assert said("adds_up", images(number, "all"), row("sec2.sequences", "10", dataset="own"), *frames) == [word]


PHASES = [row("sec4.phase1.epochs", "50"), row("sec4.phase2.epochs", "50")]
OF_A_KIND = row("table5.sad", "1", "errors_predicted_sad")


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([row("sec4.epochs_total", "100"), *PHASES], FINE),
        ([row("sec4.epochs_total", "90"), *PHASES], NOT),
        ([row("table5.errors", "2"), OF_A_KIND], NOT),
        ([row("table5.errors", "1"), OF_A_KIND], FINE),
        ([share("train", "0.90"), share("test", "0.10")], FINE),
        ([share("train", "0.80"), share("test", "0.10")], NOT),
        ([row("table6.sample_size", "213", dataset="own"), images("213", "all")], FINE),
        ([row("table6.sample_size", "203", dataset="own"), images("213", "all")], NOT),
    ],
)
def test_phases_errors_shares_and_samples_add_up(said, rows, word):
    assert said("adds_up", *rows) == [word]
    assert said("adds_up", *rows, claim=rows[1]["claim"]) == [NOT] * (word == NOT)


@pytest.mark.parametrize(("train", "word"), cases("80 yes; 81 yes; 82 yes; 84 yes; 85 no; 75 no"))
def test_train_and_test_stand_in_the_printed_ratio_as_nearly_as_whole_images_allow(said, train, word):
    ratio = row("sec2.split_ratio", "4", dataset="own")
    assert said("split_size", ratio, images(train, "train"), images("20", "test")) == [word]


@pytest.mark.parametrize(("train", "word"), cases("41 yes; 50 unknown"))
def test_split_that_keeps_the_ratio_in_each_class_was_drawn_class_by_class(said, train, word):
    ratio = row("sec2.split_ratio", "4", dataset="own")
    assert said("split_size", ratio, images(train, "train", "happy"), images("10", "test", "happy")) == [word]


@pytest.mark.parametrize(
    ("test", "dataset", "word"), cases("131 ckplus yes; 130 ckplus yes; 132 ckplus yes; 133 ckplus no; 132 own no")
)
def test_test_set_is_its_share_rounded_as_a_whole_or_class_by_class(said, test, dataset, word):
    rows = [images(test, "test", dataset=dataset), images("1308", "all", dataset=dataset), share("test", "0.10")]
    assert said("split_size", *rows) == [word]


# -------------------------------------------------------------------------------- what a paper says in two places


@pytest.mark.parametrize(("again", "word"), cases("0.9545 yes; 0.95 yes; 0.96 no; 0.9647 no"))
def test_abstract_and_table_print_the_same_score_rounding_allowed_for(said, again, word):
    abstract = score(again, claim="abstract.accuracy", where="abstract")
    assert said("said_again", score("0.9545"), abstract) == [word]
    others = {"model": "B1", "dataset": "x", "split": "val", "expression": "sad", "metric": "recall", "kind": "cited"}
    for column, other in others.items():  # then it need not be the same
        assert said("said_again", score("0.9545"), abstract | {"value": "0.1", column: other}) == []


@pytest.mark.parametrize(("again", "word"), cases("0.001 yes; 0.0001 no"))
def test_setting_said_twice_is_the_same_and_both_sides_say_so(said, again, word):
    places = {"sec1": "0.001", "sec4.3": again}
    rows = [row(f"{place}.phase1.learning_rate", value, where=place) for place, value in places.items()]
    assert said("said_again", *rows) == [word]
    assert said("said_again", *rows, claim="sec4.3.phase1.learning_rate") == [NOT] * (word == NOT)
    assert said("said_again", rows[0], rows[1] | {"claim": "sec4.3.phase2.learning_rate"}) == []


@pytest.mark.parametrize(("number", "word"), cases("420000 yes; 420001 yes; 419999 no"))
def test_number_is_no_less_than_the_paper_says_elsewhere(said, number, word):
    low = images("420000", "all", metric="images_low", claim="sec1.images_low", where="sec. 1")
    assert said("said_again", images(number, "all"), low) == [word]


def test_data_set_of_the_abstract_alone_may_be_another(said, paper):
    abstract = score("0.8168", claim="abstract.accuracy", where="abstract", dataset="dfew")
    assert said("names", abstract, score("0.8168", dataset="dfew")) == []
    assert said("names", abstract, score("0.8168", dataset="rafdb")) == ["ambiguous"]
    notes = checks.check(paper(abstract, score("0.8168", dataset="rafdb")))["note"]
    assert notes.str.contains("table 1 prints the same for RAF-DB").any()


@pytest.mark.parametrize(("value", "words"), [("0.90", ["ambiguous"]), ("0.91", [])])
def test_one_number_under_two_names_is_ambiguous(said, value, words):
    assert said("names", score("0.90", expression="happy"), precision(value, "happy")) == words


@pytest.mark.parametrize(("value", "word"), cases("0.95 yes; 0.90 yes; 0.99 yes; 0.89 no; 1.00 no"))
def test_score_lies_within_the_printed_range_of_efficientnets(said, value, word):
    low, high = (score("0.9", claim=f"t.accuracy_{end}", metric=f"accuracy_{end}", model="") for end in ("low", "high"))
    ends = [low | {"value": "0.90"}, high | {"value": "0.99"}]
    assert said("within_range", score(value), *ends) == [word]
    assert said("within_range", score("0.5", model="standard CNN"), *ends) == []
    exchanged = said("within_range", low | {"value": "0.99"}, high | {"value": value})
    assert exchanged == [FINE if float(value) >= 0.99 else NOT]


@pytest.mark.parametrize(
    ("train", "test", "word"), cases("0.68 0.65 yes; 0.7 0.65 yes; 0.70 0.65 yes; 0.73 0.65 no; 0.65 0.75 no")
)
def test_bound_on_a_difference_holds_with_rounding_allowed_for(said, train, test, word):
    bound = score("0.05", claim="abstract.difference", metric="accuracy_difference_below", split="")
    assert said("bounded", bound, score(train, claim="fig2.train", split="train"), score(test)) == [word]


@pytest.mark.parametrize(("best", "word"), cases("1 yes; 9 yes; 10 no; 0 no"))
def test_best_epoch_was_trained(said, best, word):
    rows = [row("fig2.best", best, "best_epoch_loss", model="B0"), row("sec3.epochs", "9", model="B0")]
    assert said("bounded", *rows) == [word]
    assert said("bounded", *rows, claim="sec3.epochs") == [NOT] * (word == NOT)


@pytest.mark.parametrize(("accuracy", "word"), cases("0.9848 yes; 0.98 yes; 0.985 yes; 0.984 yes; 0.9957 no; 0.99 no"))
def test_errors_leave_the_printed_accuracy(said, accuracy, word):
    found = score("2", "132", claim="table5.errors", metric="errors", unit="images")
    assert said("errors", found, score(accuracy)) == [word]


# --------------------------------------------------------------------------------------- what others published

LAYERS = """
mbconv_blocks 16 19; components 9 8; depthwise_components 7 6; stages 6 7; expansion 6 4; expansion.kernel 1
3; compression.kernel 1 3; stem.filters 32 44; stem.kernel 3 5; stem.stride 2 1; head.kernel 1 3; features
1280 1792; versions 8 7; scaling_product 2 3; scaling_product 1.9 2.0; exponent.beta 2 1; exponent.alpha 1 2
"""
# 1 + 2 + 2 + 3 + 3 + 4 + 1 blocks, Tan and Le 2019, table 1; 1.2 * 1.1^2 * 1.15^2 = 1.92


@pytest.mark.parametrize(("claim", "true", "false"), cases(LAYERS))
def test_statements_about_efficientnet_are_held_against_tan_and_le(said, claim, true, false):
    for value, word in ((true, AGREES), (false, FALSE)):
        made = row(f"sec2.{claim}", value, model="B0", kind="architecture")
        assert said("network", made) + said("published_figure", made) == [word]
        assert said("published_figure", made | {"model": "standard CNN"}) == []


DEFAULT = "said to be the default of EfficientNet"


@pytest.mark.parametrize(
    ("check", "claim", "value", "columns", "word"),
    [
        ("network", "stem.padding", "1", {"model": "B0"}, "ambiguous"),  # Keras pads 0 + 1
        ("network", "stem.padding", "2", {"model": "B0"}, FALSE),
        ("network", "mbconv_channels", "96", {"model": "B0"}, FALSE),  # of every block
        ("published_figure", "image_size", "224", {"note": DEFAULT}, "ambiguous"),  # true of B0
        ("published_figure", "image_size", "225", {"note": DEFAULT}, FALSE),
        ("published_figure", "gamma_low", "1", {"metric": "scaling_coefficient_low"}, AGREES),
        ("published_figure", "gamma_low", "2", {"metric": "scaling_coefficient_low"}, FALSE),
        ("published_figure", "accuracy", "0.844", {"dataset": "imagenet", "model": "B7"}, AGREES),
        ("published_figure", "accuracy", "0.843", {"dataset": "imagenet", "model": "B7"}, AGREES),
        ("published_figure", "accuracy", "0.854", {"dataset": "imagenet", "model": "B7"}, FALSE),
        ("published_figure", "size_ratio", "8.4", {"model": "B7", "note": "smaller than GPipe"}, AGREES),
        ("published_figure", "size_ratio", "8.4", {"model": "B7", "note": "smaller than ResNet-50"}, FALSE),
        ("published_figure", "size_ratio", "0.4", {"model": "B7", "note": "smaller than ResNet-50"}, AGREES),
        ("published_figure", "speed_ratio", "6.1", {"model": "B7", "note": "faster than ResNet-50"}, FALSE),
        ("published_figure", "release_year", "2017", {"dataset": "affectnet", "note": "released by Graz"}, FALSE),
        ("published_figure", "release_year", "2017", {"dataset": "affectnet", "note": "released by Denver"}, AGREES),
    ],
)
def test_other_statements_agree_are_false_or_ambiguous(said, check, claim, value, columns, word):
    assert said(check, row(f"sec2.{claim}", value, **columns)) == [word]


B0 = "24,40,80,112,192,320 agrees; 96,240,480,672,1152,1152 agrees; 24,40,80,112,192,1280 false; 24,40 false"


@pytest.mark.parametrize(("sequence", "word"), cases(B0))
def test_channels_are_judged_as_one_sequence(said, sequence, word):
    rows = [row(f"sec2.channels.stage{k}", n, "channels", model="B0") for k, n in enumerate(sequence.split(","), 1)]
    assert said("network", *rows) == [word]


SETS = """images fer2013 all 35887 35888; images affectnet all 287651 287580; images_low affectnet all 420000 1000000;
sequences ckplus - 327 328; subjects jaffe - 10 9; image_height ckplus - 480 640; release_year affectnet - 2017 2018;
release_year voc - 2012 2017"""


@pytest.mark.parametrize(("metric", "dataset", "split", "true", "false"), cases(SETS))
def test_statement_about_a_data_set_is_what_its_authors_say(said, metric, dataset, split, true, false):
    for value, word in ((true, AGREES), (false, FALSE)):
        statement = row("sec4.of_set", value, metric, dataset=dataset, split=split or "")
        assert said("published_figure", statement) == [word]


@pytest.mark.parametrize(("train", "word"), cases("230064 ambiguous; 230065 false"))
def test_whole_that_its_parts_make_may_be_the_images_used(said, train, word):
    sizes = {"all": "287580", "train": train, "test": "57516"}
    rows = [images(n, split, dataset="affectnet") for split, n in sizes.items()]
    assert said("published_figure", *rows) == [word]


def test_claim_that_no_check_applies_to_is_unknown_and_says_why(paper):
    found = checks.check(paper(row("sec3.momentum", "0.9"), row("sec2.folds", "10", kind="cited")))
    assert found["word"].tolist() == ["unknown", "unknown"] and (found["note"] != "").all()


def test_every_claim_of_the_four_papers_is_in_the_table_in_order_with_a_sentence_and_two_sides():
    found, printed = checks.check(claims.load()), claims.load()
    assert tuple(found.columns) == checks.COLUMNS
    assert found["claim"].drop_duplicates().tolist() == printed["claim"].tolist()
    assert set(found["word"]) <= set(checks.WORDS)
    assert found["note"].str.fullmatch(r".+\.").all()
    pairs = {(row.claim, other) for row in found.itertuples() for other in row.against.split()}
    assert len(pairs) > 10 and pairs == {(other, claim) for claim, other in pairs}
    assert found.loc[found["word"] == NOT, "against"].ne("").all()
