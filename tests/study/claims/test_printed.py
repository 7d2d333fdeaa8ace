"""data/claims.csv, anybody's table of printed numbers, and results laid beside them by the claim's id."""

import re
import runpy
import shutil

import pandas as pd
import pytest

from fer_helpers import paths
from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.study import claims
from fer_helpers.study.claims import published
from fer_helpers.study.claims.__main__ import main
from fer_helpers.study.claims.printed import COLUMNS, KINDS

ALL = claims.load()
GOOD = """paper,metric,value,unit,decimals,n,kind,claim
a_2020,accuracy,0.9848,share,4,132,result,
a_2020,epochs,50,,0,,setting,
"""
FAULTS = [
    (",decimals,", ",digits,", "row 1 has no column decimals"),
    ("paper,metric", "paper,colour,metric", "row 1 has an unknown column colour"),
    ("0.9848", "98.48", "row 2, column value: '98.48' is no fraction of 1"),
    ("0.9848", "high", "row 2, column value: 'high' is not a number"),
    (",132", ",0", "row 2, column n: '0' is not a whole number from 1 to 10,000,000"),
    (",4,", ",2,", "row 2, column decimals: '2' is not a whole number from 0 to 6, and as many as the value has"),
    (",4,", ",7,", "row 2, column decimals"),
    ("0.9848", "inf", "row 2, column value: 'inf' is not a number, of at most 1,000,000,000,000"),
    (",132", ",1e30", "row 2, column n"),
    ("share", "%", "row 2, column value: '0.9848' is no fraction of 1"),
    ("share", "Percent", "row 2, column value: '0.9848' is no fraction of 1"),
    (",", ";", "row 1 has no column .*no commas"),
    (",4,", ",x,", "row 2, column decimals"),
    ("a_2020,epochs", ",epochs", "row 3, column paper: '' is empty"),
    ("accuracy,0.9848,share", "loss,-0.98,", "row 2, column value: '-0.98' is below 0, and a loss"),
    ("accuracy,0.9848,share,4", "errors,133,,0", "row 2, column value: '133' errors are more than the n images"),
    ("accuracy,0.9848,share,4", "size,-3,images,0", "row 2, column value: '-3' is not a whole number from 0"),
    ("accuracy", "", "row 2, column metric: '' is empty"),
    (",result,", ",same,", "row 2, column kind: 'same' is not one of"),
    (",setting,", ",setting,a_2020.row2", "row 3, column claim: 'a_2020.row2' stands above"),
]
DAMAGES = [
    ("papers.csv", "title", "name", "row 1 has no column title"),
    ("papers.csv", ".+", "", "can't be read as comma-separated text"),
    ("papers.csv", r"\n.+", "", "row 2 is missing"),
    ("papers.csv", ",C. Huang", ',"C. Huang', "can't be read .*EOF inside string"),
    ("claims.csv", "huang_2024,", "h,", "row 2, column paper: 'h' is in no row of data/papers.csv"),
    ("claims.csv", "dataset", "data", "row 1 has no column dataset"),
    ("claims.csv", "0.33", "0.3x", "row 2, column value: '0.3x' is not a number"),
    ("published.csv", "of,value", "value", "row 2 has more cells than row 1 has columns"),
    ("published.csv", "28709", "28 709", "row 2, column value: '28 709' is not a number"),
    ("published.csv", "213,images", ",images", "row 23, column value: '' is not a number"),
    ("published.csv", "491", "491.5", "row 49, column value: '491.5' is not a number, or not a whole one"),
    ("published.csv", '1307.0414"', "1307.0414", "row 2 has more cells"),
    ("published.csv", "28709,images", '28709,"images', "row 2, column source: .*a quotation mark without"),
    ("published.csv", r"affectnet,released_by[^\n]+\n", "", "has no row of metric released_by"),
    ("published.csv", "", None, ""),
]


def test_claims_have_ids_of_their_paper_and_are_written_as_printed_each_statement_once():
    assert tuple(ALL.columns) == COLUMNS and (ALL["where"] != "").all()
    assert all(row.claim.startswith(f"{row.paper}.") for row in ALL.itertuples())
    assert set(ALL["kind"]) == set(KINDS)
    assert set(ALL["expression"]) <= {"", *EXPRESSIONS} and set(ALL["protocol"]) == {"", "paper"}
    assert set(ALL.loc[ALL["protocol"] == "paper", "kind"]) == {"result"}
    assert set(ALL.loc[ALL["note"].str.startswith("cited"), "kind"]) == {"cited"}
    written = pd.read_csv(paths.PROJECT / "data" / "claims.csv", dtype=str, keep_default_na=False)
    assert written["value"].str.partition(".")[2].str.len().tolist() == ALL["decimals"].tolist()
    alike = ["paper", "dataset", "split", "model", "metric", "expression", "value", "note"]
    assert not (ALL["kind"] == "result")[ALL.duplicated(alike, keep=False)].any()
    assert ALL.loc[ALL["claim"].str.contains("channels.stage"), "statement"].nunique() == 1


def test_four_papers_print_numbers_that_were_counted_by_hand():
    by_paper = {paper: claims.load(paper).set_index("claim")["value"] for paper in ALL["paper"].unique()}
    assert list(by_paper) == ["huang_2024", "jiang_2025", "singh_2022", "alam_2022"]
    huang, jiang, _, alam = by_paper.values()
    assert huang.filter(like=".images.").sum() == 7_178 == 2 * 3_589
    for split, number in (("train", 230_064), ("test", 57_516)):
        assert jiang.filter(like=f"table1.images.{split}").sum() == jiang[f"jiang_2025.sec2.1.images.{split}"] == number
    frames = alam.filter(like="sec4.1.frames").sum()
    assert alam["alam_2022.sec4.1.sequences.ckplus"] * frames == alam["alam_2022.sec4.1.images.ckplus"]


@pytest.mark.parametrize(("old", "new", "told"), FAULTS)
def test_fault_in_a_table_is_named_by_row_and_column(tmp_path, old, new, told):
    (tmp_path / "mine.csv").write_text(GOOD.replace(old, new))
    with pytest.raises(SystemExit, match=f"mine.csv: {told}"):
        main([str(tmp_path / "mine.csv")])


@pytest.mark.parametrize(("name", "old", "new", "told"), DAMAGES)
def test_damage_to_a_table_of_the_project_is_named_with_the_way_back(tmp_path, monkeypatch, name, old, new, told):
    (tmp_path / "data").mkdir()
    for table in ("claims.csv", "papers.csv", "published.csv"):
        shutil.copy(paths.PROJECT / "data" / table, tmp_path / "data")
    file = tmp_path / "data" / name
    if new is None:
        file.unlink()
    else:
        file.write_text(re.sub(old, new, file.read_text("utf-8"), count=1, flags=re.DOTALL), "utf-8")
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    with pytest.raises(ValueError, match=rf"{name}.*{told}.*\(or restore data/{name} from git\)"):
        runpy.run_path(published.__file__)
        claims.load()


def test_command_judges_anybodys_table_and_refuses_what_is_not_there(tmp_path, capsys):
    file = tmp_path / "mine.csv"
    first = GOOD.replace("0.9848,share", " 0.9957 ,Share").replace("accuracy", "Accuracy")
    file.write_text(f"{first}a_2020,accuracy,0.91,share,2,,result,\n")
    main([str(file)])
    out = capsys.readouterr().out
    assert "impossible         a_2020.row2 = 0.9957: No whole number of images gives 0.9957" in out
    assert "not tested         a_2020.row4 = 0.91: unknown. Of how many images it is a share is neither printed" in out
    main([str(file), "--csv"])
    assert capsys.readouterr().out.startswith("claim,check,printed,word")
    with pytest.raises(ValueError, match="no claim of 'b_2020': its papers are a_2020"):
        claims.read(file, "b_2020")
    for name, content in {"empty.csv": b"", "rows.csv": b"paper,metric,value,decimals", "old.csv": b"\xe9,"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SystemExit, match=rf"{name}(: row 2 is missing| can't be read as comma-separated text)"):
            main([str(tmp_path / name)])
    with pytest.raises(SystemExit, match="none.csv"):
        main([str(tmp_path / "none.csv")])


def test_example_in_the_readme_is_read(tmp_path, capsys):
    text = (paths.PROJECT / "data" / "README.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```") if block.startswith("csv\npaper,metric"))
    (tmp_path / "example.csv").write_text(example.removeprefix("csv\n"))
    main([str(tmp_path / "example.csv")])
    words = [line[:18].strip() for line in capsys.readouterr().out.split("\n\n")[0].splitlines()]
    assert len(words) == 6 and words[:2] == ["impossible", "not tested"] and words.count("contradicts itself") == 2


def test_ours_stands_beside_the_printed_number_it_names_for_each_seed():
    results = pd.DataFrame({"claim": "singh_2022.table3.moeffnet", "paper": "singh_2022", "value": [0.5, 0.6]})
    ours = claims.paired(results, claims.load("singh_2022"))
    assert ours[["paper", "value"]].to_numpy().tolist() == [[0.7859, 0.5], [0.7859, 0.6]]
