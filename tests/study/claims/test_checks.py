"""Each check is held to small papers made by hand: one that is possible, one that is not, and one on the border."""

import pandas as pd
import pytest

from fer_helpers.study import claims
from fer_helpers.study.claims import architecture, checks
from fer_helpers.study.claims.__main__ import main

EMPTY = dict.fromkeys(claims.COLUMNS, "") | {"paper": "small_2020", "where": "table 1", "unit": "share", "n": None}


def paper(*rows: dict) -> pd.DataFrame:
    """A table of claims; a row gives its id without the paper, its value as printed, and whatever differs from `EMPTY`."""
    filled = [
        EMPTY
        | row
        | {
            "claim": f"small_2020.{row['claim']}",
            "value": float(row["value"]),
            "decimals": len(row["value"].partition(".")[2]),
        }
        for row in rows
    ]
    return pd.DataFrame(filled, columns=claims.COLUMNS).astype({"n": "Int64", "decimals": "Int64"})


def found(check: str, *rows: dict, claim: str = "") -> list[tuple]:
    """What one check says of one claim, the first unless named: pairs (attainable, n)."""
    table = checks.check(paper(*rows))
    of_claim = table[(table["claim"] == f"small_2020.{claim or rows[0]['claim']}") & (table["check"] == check)]
    return [(row.attainable, None if pd.isna(row.n) else int(row.n)) for row in of_claim.itertuples()]


def said(check: str, *rows: dict, claim: str = "") -> list[str]:
    """The same, without n."""
    return [attainable for attainable, _ in found(check, *rows, claim=claim)]


def score(value: str, n: int | None = None, claim: str = "table1.b0", **columns) -> dict:
    return {
        "claim": claim,
        "value": value,
        "metric": "accuracy",
        "dataset": "own",
        "split": "test",
        "model": "B0",
        "n": n,
        **columns,
    }


def images(value: str, split: str, expression: str = "", dataset: str = "own", **columns) -> dict:
    name = f"sec2.images.{split}.{expression}".rstrip(".")
    return {
        "claim": name,
        "value": value,
        "metric": "images",
        "dataset": dataset,
        "split": split,
        "expression": expression,
        "where": "sec. 2",
        "unit": "images",
        **columns,
    }


@pytest.mark.parametrize(
    ("value", "attainable"),
    [("0.9924", "yes"), ("0.9957", "no"), ("0.9848", "yes"), ("0.13", "yes"), ("0.9923", "no"), ("0.9925", "no")],
)
def test_accuracy_is_a_whole_number_of_the_images_it_is_printed_for(value, attainable):
    assert found("whole_images", score(value, 132)) == [(attainable, 132)]


@pytest.mark.parametrize(("value", "attainable"), [("0.12", "yes"), ("0.13", "yes"), ("0.11", "no"), ("0.14", "no")])
def test_a_tie_may_be_rounded_up_to_even_or_cut_off(value, attainable):
    assert found("whole_images", score(value, 8)) == [(attainable, 8)]  # 1/8 = 0.125


def test_a_number_that_only_cutting_off_gives_says_so():
    assert "cut off" in checks.check(paper(score("0.66", 3)))["note"][0]
    assert "cut off" not in checks.check(paper(score("0.67", 3)))["note"][0]


def test_an_impossible_accuracy_names_what_is_next_to_it_and_how_many_images_would_do():
    row = checks.check(paper(score("0.9957", 132))).iloc[0]
    assert (row["printed"], row["nearest"]) == ("0.9957", "131/132 = 0.9924; 132/132 = 1.0000")
    assert "230 images are the fewest" in row["note"]


def test_every_plausible_number_of_images_is_tried_that_of_the_paper_first():
    rows = [
        score("0.9167", None),
        images("213", "all"),
        {"claim": "sec2.test_share", "value": "0.10", "metric": "test_share", "split": "test"},
    ]
    assert found("whole_images", *rows) == [("no", 22), ("no", 21)]
    assert found("whole_images", score("0.9167", 24), *rows[1:]) == [("yes", 24), ("no", 22), ("no", 21)]


def test_jaffe_is_divided_class_by_class_too():
    rows = [
        score("0.9167", dataset="jaffe"),
        images("213", "all", dataset="jaffe"),
        {"claim": "sec2.test_share", "value": "0.10", "metric": "test_share", "split": "test"},
    ]
    assert ("yes", 24) in found("whole_images", *rows)  # 3, 3, 4, 4, 3, 4 and 3 images


def test_a_score_on_another_data_set_may_be_on_all_of_it():
    tried = {n: attainable for attainable, n in found("whole_images", score("0.5610", dataset="rafdb to fer2013"))}
    assert tried == {3_589: "no", 7_178: "yes", 35_887: "yes"}


def test_the_images_of_an_expression_are_those_a_share_of_it_is_of():
    row = score("0.243", dataset="rafdb", expression="fear", metric="share_predicted_surprise")
    assert found("whole_images", row) == [("yes", 74)]
    assert found("whole_images", row | {"value": "0.240"}) == [("no", 74)]


def test_a_score_of_unknown_images_is_unknown():
    assert found("whole_images", score("0.9957")) == [("unknown", None)]


def test_zeros_that_may_be_appended_are_mentioned():
    assert "0.78 with zeros appended" in checks.check(paper(score("0.7800", 327)))["note"][0]
    assert "zeros" not in checks.check(paper(score("0.7900", 3)))["note"][0]


def test_a_precision_says_nothing_unless_there_are_too_few_images():
    row = score("0.63", metric="precision", expression="happy")
    assert said("precision", row, images("60", "test", "happy")) == ["unknown"]
    assert said("precision", row, images("6", "test", "happy")) == [
        "no"
    ]  # 5/8 is the smallest that can be printed as 0.63


def two_classes(happy: str, sad: str, *more: dict) -> list[dict]:
    precisions = [
        score(happy, claim="table1.happy", metric="precision", expression="happy"),
        score(sad, claim="table1.sad", metric="precision", expression="sad"),
    ]
    return [*precisions, images("50", "test", "happy"), images("50", "test", "sad"), *more]


def test_precisions_and_class_counts_come_from_one_confusion_matrix_or_from_none():
    assert said("confusion_matrix", *two_classes("0.80", "0.80")) == ["yes"]
    assert said("confusion_matrix", *two_classes("1.00", "0.00")) == ["no"]


@pytest.mark.parametrize(("accuracy", "attainable"), [("0.80", "yes"), ("0.99", "no"), ("0.10", "no")])
def test_accuracy_is_one_that_the_precisions_allow(accuracy, attainable):
    assert said("confusion_matrix", *two_classes("0.80", "0.80", score(accuracy)), claim="table1.b0") == [attainable]


@pytest.mark.parametrize(("accuracy", "attainable"), [("0.80", "yes"), ("0.10", "no")])
def test_accuracy_of_a_class_fits_its_precision(accuracy, attainable):
    assert said(
        "confusion_matrix", *two_classes("0.80", "0.80", score(accuracy, expression="happy")), claim="table1.b0"
    ) == [attainable]


@pytest.mark.parametrize(
    ("loss", "accuracy", "attainable"),
    [
        ("0.54", "0.65", "yes"),
        ("0.20", "0.65", "no"),
        ("0.24", "0.6500", "yes"),
        ("0.23", "0.6500", "no"),
        ("0.00", "1.00", "yes"),
        ("9.00", "0.99", "yes"),
    ],
)
def test_a_mean_cross_entropy_is_at_least_ln_2_for_each_error(loss, accuracy, attainable):
    row = score(loss, claim="fig2.loss", metric="loss", unit="")  # (1 - 0.65) ln 2 = 0.2426
    assert said("cross_entropy", row, score(accuracy)) == [attainable]


@pytest.mark.parametrize(("sad", "attainable"), [("25", "yes"), ("24", "no")])
def test_classes_add_up_to_the_split(sad, attainable):
    assert said("class_counts", images("75", "test", "happy"), images(sad, "test", "sad"), images("100", "test")) == [
        attainable
    ]


def test_classes_of_an_official_split_add_up_to_its_published_size():
    assert said("class_counts", images("28709", "train", "happy", dataset="fer2013")) == ["yes"]
    assert said("class_counts", images("28708", "train", "happy", dataset="fer2013")) == ["no"]


def test_a_class_has_as_many_images_as_in_the_release():
    counts = {"anger": 30, "disgust": 29, "fear": 32, "happy": 31, "neutral": 30, "sad": 31, "surprise": 30}
    rows = [images(str(number), "all", expression, dataset="jaffe") for expression, number in counts.items()]
    assert said("class_sizes", *rows) == ["yes"]
    exchanged = [rows[0] | {"value": "29"}, rows[1] | {"value": "30"}, *rows[2:]]
    assert said("class_sizes", *exchanged) == ["no"]


WHOLES = [
    ("100", "own", "yes"),
    ("101", "own", "no"),
    ("99", "own", "no"),
    ("3689", "fer2013", "yes"),
    ("29672", "rafdb", "unknown"),
]


@pytest.mark.parametrize(("whole", "dataset", "attainable"), WHOLES)
def test_parts_make_the_whole_with_a_validation_part_that_is_not_named(whole, dataset, attainable):
    rows = [
        images(whole, "all", dataset=dataset),
        images("80", "train", dataset=dataset),
        images("20", "test", dataset=dataset),
    ]
    assert said("parts_of_whole", *rows) == [attainable]


@pytest.mark.parametrize(("number", "attainable"), [("40", "yes"), ("39", "no")])
def test_images_are_sequences_times_frames(number, attainable):
    sequences = {"claim": "sec2.sequences", "value": "10", "metric": "sequences", "dataset": "own", "unit": "sequences"}
    frames = [
        {
            "claim": f"sec2.frames.{name}",
            "value": value,
            "metric": "frames_per_sequence",
            "dataset": "own",
            "unit": "images",
        }
        for name, value in (("a", "3"), ("b", "1"))
    ]
    assert said("sequences_and_frames", images(number, "all"), sequences, *frames) == [attainable]


@pytest.mark.parametrize(
    ("train", "test", "attainable"),
    [
        ("80", "20", "yes"),
        ("81", "20", "yes"),
        ("82", "20", "yes"),
        ("84", "20", "yes"),
        ("85", "20", "no"),
        ("75", "20", "no"),
    ],
)
def test_train_and_test_stand_in_the_printed_ratio_as_nearly_as_whole_images_allow(train, test, attainable):
    ratio = {"claim": "sec2.split_ratio", "value": "4", "metric": "split_ratio", "dataset": "own", "unit": "times"}
    assert said("split_ratio", ratio, images(train, "train"), images(test, "test")) == [attainable]


@pytest.mark.parametrize(("train", "attainable"), [("41", "yes"), ("50", "unknown")])
def test_a_split_that_keeps_the_ratio_in_each_class_was_drawn_class_by_class(train, attainable):
    ratio = {"claim": "sec2.split_ratio", "value": "4", "metric": "split_ratio", "dataset": "own", "unit": "times"}
    assert said("split_ratio", ratio, images(train, "train", "happy"), images("10", "test", "happy")) == [attainable]


@pytest.mark.parametrize(
    ("test", "dataset", "attainable"),
    [
        ("131", "ckplus", "yes"),
        ("130", "ckplus", "yes"),
        ("132", "ckplus", "yes"),
        ("133", "ckplus", "no"),
        ("132", "own", "no"),
    ],
)
def test_a_test_set_is_its_share_rounded_as_a_whole_or_class_by_class(test, dataset, attainable):
    share = {"claim": "sec2.test_share", "value": "0.10", "metric": "test_share", "split": "test"}
    assert said("split_size", images(test, "test", dataset=dataset), images("1308", "all", dataset=dataset), share) == [
        attainable
    ]


@pytest.mark.parametrize(("train", "attainable"), [("0.90", "yes"), ("0.80", "no")])
def test_shares_printed_together_make_one(train, attainable):
    shares = [
        {"claim": f"sec2.{split}_share", "value": value, "metric": f"{split}_share", "split": split}
        for split, value in (("test", "0.10"), ("train", train))
    ]
    assert said("shares_add_up", *shares) == [attainable]


@pytest.mark.parametrize(("sample", "attainable"), [("213", "yes"), ("203", "no")])
def test_a_sample_size_is_the_number_of_images(sample, attainable):
    row = {
        "claim": "table6.sample_size",
        "value": sample,
        "metric": "sample_size",
        "dataset": "own",
        "split": "all",
        "unit": "images",
    }
    assert said("sample_size", row, images("213", "all")) == [attainable]


@pytest.mark.parametrize(("total", "attainable"), [("100", "yes"), ("90", "no")])
def test_phases_make_the_total_of_epochs(total, attainable):
    phases = [
        {"claim": f"sec4.phase{phase}.epochs", "value": "50", "metric": "epochs", "unit": "epochs"} for phase in (1, 2)
    ]
    assert said(
        "epochs_total",
        {"claim": "sec4.epochs_total", "value": total, "metric": "epochs_total", "unit": "epochs"},
        *phases,
    ) == [attainable]


@pytest.mark.parametrize(
    ("again", "attainable"), [("0.9545", "yes"), ("0.95", "yes"), ("0.96", "no"), ("0.9647", "no")]
)
def test_abstract_and_table_print_the_same_score_rounding_allowed_for(again, attainable):
    assert said("said_again", score("0.9545"), score(again, claim="abstract.accuracy", where="abstract")) == [
        attainable
    ]


def test_scores_of_other_models_sets_or_classes_need_not_be_the_same():
    others = [
        {"model": "B1"},
        {"dataset": "other"},
        {"split": "val"},
        {"expression": "sad"},
        {"metric": "recall"},
        {"note": "cited"},
        {"where": "table 1"},
    ]
    for other in others:
        assert (
            said(
                "said_again",
                score("0.9545"),
                score("0.1", claim="abstract.accuracy", **({"where": "abstract"} | other)),
            )
            == []
        )


@pytest.mark.parametrize(("again", "attainable"), [("0.001", "yes"), ("0.0001", "no")])
def test_a_setting_said_twice_is_the_same(again, attainable):
    first, second = (
        {
            "claim": f"{place}.phase1.learning_rate",
            "value": value,
            "metric": "learning_rate",
            "unit": "",
            "where": place,
        }
        for place, value in (("sec1", "0.001"), ("sec4.3", again))
    )
    assert said("said_again", first, second) == [attainable]
    assert said("said_again", first, second | {"claim": "sec4.3.phase2.learning_rate"}) == []


def test_the_abstract_scores_a_data_set_of_the_paper():
    abstract = score("0.8168", claim="abstract.accuracy", where="abstract", dataset="dfew")
    assert said("unused_dataset", abstract, score("0.8168", dataset="rafdb")) == ["no"]
    assert said("unused_dataset", abstract, score("0.8168", dataset="dfew")) == []
    assert (
        "table 1 prints the same number for RAF-DB"
        in checks.check(paper(abstract, score("0.8168", dataset="rafdb")))["note"][1]
    )


def test_one_number_under_two_names_is_noticed():
    rows = [
        score("0.90", expression="happy"),
        score("0.90", claim="table2.happy", metric="precision", expression="happy"),
    ]
    assert said("one_name", *rows) == ["unknown"]
    assert said("one_name", rows[0], rows[1] | {"value": "0.91"}) == []


def accuracy_range(low: str, high: str) -> list[dict]:
    return [
        score(value, claim=f"table3.accuracy_{end}", metric=f"accuracy_{end}", model="", where="table 3")
        for end, value in (("low", low), ("high", high))
    ]


@pytest.mark.parametrize(
    ("value", "attainable"), [("0.95", "yes"), ("0.90", "yes"), ("0.99", "yes"), ("0.89", "no"), ("1.00", "no")]
)
def test_a_score_lies_within_the_printed_range(value, attainable):
    assert said("within_range", score(value), *accuracy_range("0.90", "0.99")) == [attainable]


def test_a_range_of_efficientnets_says_nothing_of_another_network():
    assert said("within_range", score("0.5", model="standard CNN"), *accuracy_range("0.90", "0.99")) == []


def test_the_ends_of_a_range_are_in_order():
    assert said("within_range", *accuracy_range("0.90", "0.99")) == ["yes"]
    assert said("within_range", *accuracy_range("0.99", "0.90")) == ["no"]


@pytest.mark.parametrize(("number", "attainable"), [("420000", "yes"), ("420001", "yes"), ("419999", "no")])
def test_a_number_is_no_less_than_the_paper_says_elsewhere(number, attainable):
    rows = [
        images(number, "all"),
        images("420000", "all", metric="images_low", claim="sec1.images_low", where="sec. 1"),
    ]
    assert said("at_least", *rows) == [attainable]
    assert said("at_least", *rows, claim="sec1.images_low") == [attainable]


@pytest.mark.parametrize(
    ("train", "test", "attainable"),
    [
        ("0.68", "0.65", "yes"),
        ("0.7", "0.65", "yes"),
        ("0.70", "0.65", "yes"),
        ("0.73", "0.65", "no"),
        ("0.65", "0.75", "no"),
    ],
)
def test_a_bound_on_a_difference_holds_with_rounding_allowed_for(train, test, attainable):
    bound = {
        "claim": "abstract.difference",
        "value": "0.05",
        "metric": "accuracy_difference_below",
        "dataset": "own",
        "model": "B0",
    }
    assert said(
        "difference", bound, score(train, claim="fig2.train", split="train"), score(test, claim="fig2.test")
    ) == [attainable]


@pytest.mark.parametrize(
    ("accuracy", "attainable"),
    [("0.9848", "yes"), ("0.98", "yes"), ("0.985", "yes"), ("0.984", "yes"), ("0.9957", "no"), ("0.99", "no")],
)
def test_errors_leave_the_printed_accuracy(accuracy, attainable):
    row = {
        "claim": "table5.errors",
        "value": "2",
        "metric": "errors",
        "dataset": "own",
        "split": "test",
        "model": "B0",
        "n": 132,
        "unit": "images",
    }
    assert found("errors", row, score(accuracy)) == [(attainable, 132)]


@pytest.mark.parametrize(("of_kind", "attainable"), [("1", "yes"), ("2", "no")])
def test_errors_of_each_kind_make_all_errors(of_kind, attainable):
    kinds = [
        {"claim": f"table5.{name}", "value": value, "metric": f"errors_predicted_{name}", "unit": "images"}
        for name, value in (("sad", "1"), ("fear", of_kind))
    ]
    rows = [{"claim": "table5.errors", "value": "2", "metric": "errors", "unit": "images"}, *kinds]
    assert said("errors", *rows) == [attainable]
    assert said("errors_of_a_kind", *rows, claim="table5.fear") == ["yes"]
    assert said("errors_of_a_kind", rows[0] | {"value": "0"}, *kinds, claim="table5.fear") == ["no"]


@pytest.mark.parametrize(("best", "attainable"), [("1", "yes"), ("9", "yes"), ("10", "no"), ("0", "no")])
def test_the_best_epoch_was_trained(best, attainable):
    epochs = {"claim": "sec3.epochs", "value": "9", "metric": "epochs", "model": "B0", "unit": "epochs"}
    assert said(
        "best_epoch",
        {"claim": "fig2.best", "value": best, "metric": "best_epoch_loss", "model": "B0", "unit": "epoch"},
        epochs,
    ) == [attainable]


def statement(claim: str, value: str, metric: str = "", model: str = "B0") -> dict:
    return {"claim": f"sec2.{claim}", "value": value, "metric": metric or claim, "model": model, "unit": ""}


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
        ("stem.padding", "1", "2"),
        ("head.kernel", "1", "3"),
        ("features", "1280", "1792"),
        ("channels.stage1", "24", "16"),
        ("channels.stage6", "320", "1280"),
        ("channels.stage6", "1152", "1920"),
    ],
)
def test_statements_about_layers_are_held_against_the_network(claim, true, false):
    assert said("network", statement(claim, true)) == ["yes"]
    assert said("network", statement(claim, false)) == ["no"]


def test_no_number_of_channels_is_that_of_every_block():
    assert said("network", statement("mbconv_channels", "96")) == ["no"]
    assert said("network", statement("mbconv_channels", "96", model="standard CNN")) == []


def test_b0_has_the_stages_of_tan_and_le():
    built = architecture.layout("B0")
    blocks = [sum(block.stage == stage for block in built.blocks) for stage in built.stages()]
    out = [next(block.out for block in built.blocks if block.stage == stage) for stage in built.stages()]
    assert blocks == [1, 2, 2, 3, 3, 4, 1]
    assert out == [16, 24, 40, 80, 112, 192, 320]
    assert built.stages(expansion=1) == [1]


def test_efficientnet_has_eight_sizes_each_with_its_own_images():
    assert said("variants", statement("versions", "8")) == ["yes"]
    assert said("variants", statement("versions", "7")) == ["no"]
    assert said("variants", statement("image_size", "224") | {"note": "said to be the default of EfficientNet"}) == [
        "no"
    ]
    assert said("variants", statement("image_size", "224")) == []


@pytest.mark.parametrize(
    ("claim", "metric", "true", "false"),
    [
        ("scaling_product", "scaling_product", "2", "3"),  # 1.2 * 1.1^2 * 1.15^2 = 1.92
        ("scaling_product", "scaling_product", "1.9", "2.0"),
        ("exponent.beta", "scaling_exponent", "2", "1"),
        ("exponent.alpha", "scaling_exponent", "1", "2"),
        ("gamma_low", "scaling_coefficient_low", "1", "2"),
    ],
)
def test_compound_scaling_is_that_of_tan_and_le(claim, metric, true, false):
    assert said("compound_scaling", statement(claim, true, metric)) == ["yes"]
    assert said("compound_scaling", statement(claim, false, metric)) == ["no"]


def test_a_score_on_imagenet_is_one_that_tan_and_le_print():
    assert said("imagenet_score", score("0.844", dataset="imagenet", model="B7")) == ["yes"]
    assert said("imagenet_score", score("0.843", dataset="imagenet", model="B7")) == ["yes"]
    assert said("imagenet_score", score("0.854", dataset="imagenet", model="B7")) == ["no"]


@pytest.mark.parametrize(
    ("metric", "value", "rival", "attainable"),
    [
        ("size_ratio", "8.4", "GPipe", "yes"),
        ("size_ratio", "8.4", "ResNet-50", "no"),
        ("speed_ratio", "6.1", "ResNet-50", "no"),
        ("size_ratio", "0.4", "ResNet-50", "yes"),
    ],
)
def test_a_network_is_smaller_than_the_one_it_is_compared_with(metric, value, rival, attainable):
    assert said("cost_ratio", statement(metric, value, model="B7") | {"note": f"smaller or faster than {rival}"}) == [
        attainable
    ]


@pytest.mark.parametrize(
    ("columns", "true", "false"),
    [
        ({"metric": "images", "dataset": "fer2013", "split": "all"}, "35887", "35888"),
        ({"metric": "images", "dataset": "affectnet", "split": "all"}, "287651", "287580"),
        ({"metric": "images_low", "dataset": "affectnet", "split": "all"}, "420000", "1000000"),
        ({"metric": "sequences", "dataset": "ckplus"}, "327", "328"),
        ({"metric": "subjects", "dataset": "jaffe"}, "10", "9"),
        ({"metric": "image_height", "dataset": "ckplus"}, "480", "640"),
    ],
)
def test_a_statement_about_a_data_set_is_what_its_authors_say(columns, true, false):
    assert said("published_figure", {"claim": "sec4.of_set", "value": true, "unit": "", **columns}) == ["yes"]
    assert said("published_figure", {"claim": "sec4.of_set", "value": false, "unit": "", **columns}) == ["no"]


def test_a_claim_that_no_check_applies_to_is_unknown_and_says_why():
    rows = [
        {"claim": "sec3.momentum", "value": "0.9", "metric": "momentum", "unit": ""},
        {"claim": "sec2.folds", "value": "10", "metric": "folds", "unit": "", "note": "cited"},
    ]
    table = checks.check(paper(*rows))
    assert table["attainable"].tolist() == ["unknown", "unknown"]
    assert "setting" in table["note"][0] and "Cited" in table["note"][1]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """What the checks find in the four papers."""
    return checks.check(claims.load())


def test_every_claim_of_the_four_papers_is_in_the_table_in_order(table):
    assert tuple(table.columns) == checks.COLUMNS
    assert table["claim"].drop_duplicates().tolist() == claims.load()["claim"].tolist()
    assert set(table["attainable"]) == {"yes", "no", "unknown"}
    assert not table.duplicated(["claim", "check", "n", "note"]).any()


def test_every_row_is_explained_in_sentences(table):
    assert table["note"].str.fullmatch(r"[A-Z0-9].*\.").all()


def test_the_number_of_images_that_a_paper_states_is_tried_first(table):
    stated = claims.load().set_index("claim")["n"].dropna()
    first = table[table["check"] == "whole_images"].drop_duplicates("claim").set_index("claim")["n"]
    common = stated.index.intersection(first.index)
    assert len(common) > 20
    assert (first[common] == stated[common]).all()


def test_what_the_notes_of_the_claims_call_impossible_is_found(table):
    noted = claims.load().query("note.str.contains('no whole number')", engine="python")["claim"]
    impossible = set(table[(table["check"] == "whole_images") & (table["attainable"] == "no")]["claim"])
    assert len(noted) and set(noted) <= impossible


def test_contradictions_that_the_notes_name_are_found(table):
    """Of two claims whose notes call them contradicting one is doubted, or a bound or range was tried that may reconcile them."""
    notes = claims.load().set_index("claim")["note"]
    pairs = [
        (claim, word.rstrip(";,"))
        for claim, note in notes.items()
        for word in note.partition("contradicts")[2].split()
        if word.count(".") >= 2
    ]
    judged = set(table[(table["attainable"] != "yes") | table["check"].isin(["difference", "within_range"])]["claim"])
    assert len(pairs) > 20
    assert [pair for pair in pairs if not judged.intersection(pair)] == []


def test_the_command_prints_a_table_or_csv(table, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(checks, "check", lambda _: table)
    main([])
    *lines, _, summary = capsys.readouterr().out.splitlines()
    assert len(lines) == len(table) + 1
    assert summary.startswith(f"{len(table)} rows for {len(claims.load())} claims")
    main(["--csv"])
    (tmp_path / "checks.csv").write_text(capsys.readouterr().out, encoding="utf-8")
    written = pd.read_csv(tmp_path / "checks.csv", keep_default_na=False)
    assert tuple(written.columns) == checks.COLUMNS
    assert len(written) == len(table)
