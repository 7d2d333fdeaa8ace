"""Published facts are those that the data sets are checked against."""

from fer_helpers.datasets import affectnet, ckplus, fer2013, jaffe, rafdb
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study.claims import published


def test_published_counts_are_those_that_the_data_sets_are_checked_against():
    splits = {"fer2013": fer2013.PUBLISHED_COUNTS, "rafdb": rafdb.PUBLISHED_COUNTS}
    assert all(published.images(name, split) == {n} for name, of in splits.items() for split, n in of.items())
    assert sum(affectnet.PUBLISHED_COUNTS.values()) in published.images("affectnet", "all")
    assert published.CLASS_IMAGES["jaffe", 213] == {name: jaffe.PUBLISHED[name] for name in EXPRESSIONS[:7]}
    assert published.CLASS_IMAGES["ckplus", 327] == ckplus.PUBLISHED_SEQUENCES
    assert {327, 593} == set(published.FIGURES["ckplus", "sequences", "", ""].values)
    sizes = {"fer2013": {3_589, 7_178}, "rafdb": {3_068}, "jaffe": {213}, "ckplus": {327, 1_308}}
    assert set(published.CLASS_IMAGES) == {(name, size) for name, of in sizes.items() for size in of}
    assert all(set(by_class) <= set(EXPRESSIONS) for by_class in published.CLASS_IMAGES.values())
