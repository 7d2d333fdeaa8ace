"""A run leaves numbers that can be computed again from its predictions, and a record of how it came to them."""

import binascii
import gzip
import json
import subprocess
import time
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import FaceDataset, make_table, skipped_images, table_hash
from fer_helpers.study import runs as results

PARAMETERS = 'run_dir = ""  # where the run writes\nepochs = 3  # how many\nrate = 0.001  # learning rate\nclasses = ["happy", "sad"]'
DESIGNED_COLUMNS = (
    "run, paper, claim, notebook, dataset, split, protocol, model, init, metric, expression, value, n, ci_low, ci_high, seed, image_size, "
    "epochs, backend, device, seconds"
)
SCORED = {
    "dataset": "fer2013",
    "model": "B0",
    "init": "scratch",
    "protocol": "clean",
    "split": "test",
    "seed": 1,
    "image_size": 48,
}
CLASSES = ["happy", "sad", "fear"]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project of its own with one notebook, `01_small`, and an empty cache."""
    cell = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    (tmp_path / "notebooks").mkdir()
    kernel = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "notebooks" / "01_small.ipynb")
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def namespace(**changed) -> dict:
    """What `globals()` of the notebook holds after its parameters."""
    parameters = {"run_dir": "", "epochs": 3, "rate": 0.001, "classes": ["happy", "sad"]}
    return (
        {"__name__": "__main__", "In": ["", "..."], "Out": {}, "_i1": "...", "Path": Path, "keras": np}
        | parameters
        | changed
    )


def start(**changed) -> results.Run:
    return results.start("01_small", "small_2020", namespace(**changed))


def faces(count: int) -> pd.DataFrame:
    rows = [
        {"image": f"{number:04d}.png", "path": "anywhere", "expression": CLASSES[number % 3], "split": "test"}
        for number in range(count)
    ]
    return make_table(rows)


def probabilities(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), count).astype("float32")


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path)


def test_results_have_exactly_the_designed_columns(project):
    run = start()
    run.add("accuracy", 0.5)
    run.finish()
    assert (project / "reports/by_hand/01_small/results.csv").read_text().splitlines()[0] == DESIGNED_COLUMNS.replace(
        " ", ""
    )


def test_run_without_a_number_still_writes_the_columns(project):
    run = start()
    run.finish()
    assert (run.folder / "results.csv").read_text() == DESIGNED_COLUMNS.replace(" ", "") + "\n"
    assert not (run.folder / "predictions.csv.gz").exists()


def test_reported_number_is_one_row_with_what_the_run_knows_filled_in(project):
    run = start(run_dir="reports/smoke/small.b0")
    run.add(
        "accuracy",
        0.625,
        interval=(0.5, 0.75),
        model="B0",
        init="scratch",
        n=8,
        seed=3,
        protocol="clean",
        claim="small_2020.table1",
    )
    run.finish()
    (row,) = read_csv(project / "reports/smoke/small.b0/results.csv").to_dict("records")
    expected = {
        "run": "small.b0",
        "paper": "small_2020",
        "notebook": "01_small",
        "claim": "small_2020.table1",
        "protocol": "clean",
    }
    expected |= {
        "metric": "accuracy",
        "value": 0.625,
        "ci_low": 0.5,
        "ci_high": 0.75,
        "n": 8,
        "seed": 3,
        "model": "B0",
        "init": "scratch",
    }
    assert {column: row[column] for column in expected} == expected
    assert row["backend"] == run.about["backend"]
    assert row["device"] == run.about["device"]


def test_whole_numbers_are_written_without_a_decimal_point_beside_missing_ones(project):
    run = start()
    run.add("accuracy", 0.5, seed=3, n=8)
    run.add("parameters", 4_049_571)
    run.finish()
    header, first, second = (line.split(",") for line in (run.folder / "results.csv").read_text().splitlines())
    assert first[header.index("seed")] == "3"
    assert first[header.index("n")] == "8"
    assert second[header.index("seed")] == ""


def test_unknown_column_is_refused_and_named():
    run = results.Run(Path("nowhere"), {})
    with pytest.raises(
        ValueError, match=r"results\.csv has no column learning_rate: its columns are run, paper, claim"
    ):
        run.add("accuracy", 0.5, learning_rate=0.1)


def test_unknown_protocol_is_refused_and_named():
    run = results.Run(Path("nowhere"), {})
    with pytest.raises(ValueError, match="protocol is one of paper, clean, between, not 'best'"):
        run.add("accuracy", 0.5, protocol="best")


def test_unknown_parameter_is_refused_and_the_known_are_listed(project):
    with pytest.raises(
        ValueError, match="01_small has no parameter epoch: its parameters are run_dir, epochs, rate, classes"
    ):
        start(epoch=5)


def test_cell_that_is_run_again_by_hand_finds_variables_beside_the_parameters(project):
    again = start(run=start(), smallest=4, name="B0")
    assert again.about["parameters"]["epochs"] == 3


def test_run_is_marked_as_running_until_it_has_finished(project):
    run = start()
    assert json.loads((run.folder / "run.json").read_text())["status"] == "running"
    run.finish()
    assert json.loads((run.folder / "run.json").read_text())["status"] == "finished"


def test_record_of_a_run_says_what_ran_when_on_what(project):
    before = datetime.now(UTC).replace(microsecond=0)
    run = start(run_dir="reports/smoke/small.b0", epochs=5, rate=0.01)
    run.finish(verdict="not testable here")
    about = json.loads((project / "reports/smoke/small.b0/run.json").read_text())
    assert about["run"] == "small.b0"
    assert about["profile"] == "smoke"
    assert about["notebook"] == "01_small"
    assert about["paper"] == "small_2020"
    assert about["verdict"] == "not testable here"
    assert about["parameters"] == {
        "run_dir": "reports/smoke/small.b0",
        "epochs": 5,
        "rate": 0.01,
        "classes": ["happy", "sad"],
    }
    assert (
        before
        <= datetime.fromisoformat(about["started"])
        <= datetime.fromisoformat(about["ended"])
        <= datetime.now(UTC)
    )
    for package in ("keras", "numpy", "pandas", "scikit-learn", "opencv-python-headless", "papermill"):
        assert about["versions"][package] == version(package)
    assert "cores" in about["device"] or " x " in about["device"]


def test_record_names_the_data_and_its_hash(project):
    run = start()
    table = faces(6)
    skipped = skipped_images([("a.png", "damaged")])
    run.add_data(FaceDataset("fer2013", Path("/somewhere/fer2013.zip"), table, skipped, notes=("a note",)))
    run.add_data(FaceDataset("ckplus", Path("/somewhere/ckplus"), faces(3), generated=True))
    real, generated = json.loads((run.folder / "run.json").read_text())["data"]
    expected = {
        "dataset": "fer2013",
        "source": "real photographs",
        "found_as": "fer2013.zip",
        "images": 6,
        "skipped": 1,
    }
    assert real == expected | {"table_hash": table_hash(table), "notes": ["a note"]}
    assert generated["source"] == "generated faces"


def test_commit_is_that_of_the_project_and_says_when_the_code_differs(project):
    assert results.git_commit() == "unknown"
    (project / "fer_helpers").mkdir()
    (project / "fer_helpers" / "code.py").write_text("1")

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *identity, *arguments], cwd=project, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", "fer_helpers", "notebooks")
    git("commit", "--quiet", "--no-verify", "--message", "Begin")
    commit = git("rev-parse", "HEAD")
    assert commit.startswith(results.git_commit())
    assert len(results.git_commit()) == 12
    (project / "reports.txt").write_text("what a run writes is no change of the code")
    assert results.git_commit() == commit[:12]
    (project / "fer_helpers" / "code.py").write_text("2")
    assert results.git_commit() == f"{commit[:12]}+changes"


def test_predictions_hold_every_image_with_its_label_and_probabilities(project):
    run = start()
    run.add_predictions(faces(3), probabilities(3), CLASSES, **SCORED)
    run.add_predictions(faces(6), probabilities(6), CLASSES, **SCORED | {"seed": 2})
    run.finish()
    predictions = read_csv(run.folder / "predictions.csv.gz")
    keys = ["dataset", "model", "init", "protocol", "split", "seed", "image_size"]
    assert list(predictions) == [*keys, "image", "fold", "group", "label", "p_happy", "p_sad", "p_fear", "check"]
    assert predictions["seed"].tolist() == [1] * 3 + [2] * 6
    assert predictions["label"].tolist() == CLASSES * 3
    np.testing.assert_allclose(
        predictions.loc[predictions["seed"] == 2, ["p_happy", "p_sad", "p_fear"]], probabilities(6), atol=5.1e-7
    )


@pytest.mark.parametrize("images", [7, 300])
def test_every_metric_can_be_computed_again_from_the_predictions_to_the_last_digit(project, images):
    run = start()
    run.add_scores(faces(images), probabilities(images), CLASSES, **SCORED)
    run.finish()
    predictions, reported = read_csv(run.folder / "predictions.csv.gz"), read_csv(run.folder / "results.csv")
    labels = predictions["label"].map(CLASSES.index).to_numpy()
    again = evaluation.scores(labels, predictions[[f"p_{name}" for name in CLASSES]].to_numpy(), CLASSES)
    assert reported["expression"].fillna("").tolist() == again["expression"].tolist()
    for column in ("metric", "value", "n", "ci_low", "ci_high"):
        np.testing.assert_array_equal(reported[column].to_numpy(), again[column].to_numpy())


def test_fold_and_group_of_an_image_stand_beside_its_prediction_and_the_intervals_are_over_groups(project):
    run = start()
    table = faces(60).assign(
        subject=[f"S{number // 6}" for number in range(60)], fold=[number % 5 for number in range(60)]
    )
    grouped = run.add_scores(table, probabilities(60), CLASSES, group_by="subject", **SCORED)
    run.finish()
    predictions = read_csv(run.folder / "predictions.csv.gz")
    assert predictions["fold"].tolist() == table["fold"].tolist()
    assert predictions["group"].tolist() == table["subject"].tolist()
    labels = predictions["label"].map(CLASSES.index).to_numpy()
    again = evaluation.scores(
        labels, predictions[["p_happy", "p_sad", "p_fear"]].to_numpy(), CLASSES, groups=predictions["group"].to_numpy()
    )
    pd.testing.assert_frame_equal(grouped, again)


def test_each_prediction_ends_in_the_crc_32_of_its_text(project):
    run = start()
    run.add_predictions(faces(6), probabilities(6), CLASSES, **SCORED | {"model": "B0, frozen"})
    run.finish()
    for line in gzip.decompress((run.folder / "predictions.csv.gz").read_bytes()).decode().splitlines()[1:]:
        text, _, check = line.rpartition(",")
        assert '"B0, frozen"' in text
        assert check == f"{binascii.crc32(text.encode()):08x}"


def test_record_of_a_finished_run_holds_the_hash_of_each_of_its_tables(project):
    run = start()
    run.add_scores(faces(6), probabilities(6), CLASSES, **SCORED)
    (run.folder / "history.csv").write_text("epoch,loss\n1,0.5\n")
    run.finish()
    hashes = json.loads((run.folder / "run.json").read_text())["files"]
    assert hashes == {
        name: sha256((run.folder / name).read_bytes()).hexdigest()
        for name in ("results.csv", "predictions.csv.gz", "history.csv")
    }


def test_accuracy_in_the_results_is_the_share_of_predictions_that_name_the_label(project):
    run = start()
    run.add_scores(faces(50), probabilities(50), CLASSES, **SCORED)
    predicted = [CLASSES[place] for place in probabilities(50).argmax(axis=1)]
    accuracy = np.mean([guess == label for guess, label in zip(predicted, faces(50)["expression"], strict=True)])
    assert run.results.loc[run.results["metric"] == "accuracy", "value"].item() == accuracy


def test_printed_number_is_named_beside_the_metric_that_is_held_against_it(project):
    run = start()
    claims = {("accuracy", ""): "small_2020.table1.b0", ("recall", "sad"): "small_2020.figure2.sad"}
    run.add_scores(faces(30), probabilities(30), CLASSES, claims=claims, **SCORED)
    named = run.results[run.results["claim"] != ""]
    assert {(row.metric, row.expression): row.claim for row in named.itertuples()} == claims


def test_rows_of_a_score_carry_what_was_scored(project):
    run = start()
    run.add_scores(faces(30), probabilities(30), CLASSES, **SCORED)
    for column, value in SCORED.items():
        assert set(run.results[column]) == {value}


@pytest.mark.parametrize("name", ["results.csv", "predictions.csv.gz"])
def test_same_table_gives_the_same_bytes_at_any_time_and_reads_back_as_it_was(tmp_path, monkeypatch, name):
    table = pd.DataFrame({"image": ["a", "b"], "value": [0.1, 1 / 3]})
    for seconds in (1_000_000_000, 2_000_000_000):
        monkeypatch.setattr(time, "time", lambda seconds=seconds: seconds)
        results.write_csv(table, tmp_path / str(seconds) / name)
    first, second = ((tmp_path / folder / name).read_bytes() for folder in ("1000000000", "2000000000"))
    assert first == second
    assert (gzip.decompress(first) if name.endswith(".gz") else first) == b"image,value\na,0.1\nb,0.3333333333333333\n"


def test_what_a_training_gave_is_computed_once_and_its_epochs_are_removed(project):
    folders = []

    def train(folder: Path) -> dict[str, np.ndarray]:
        folder.mkdir(parents=True)
        folders.append(folder)
        return {"probabilities": np.array([0.25, 0.75])}

    before, after_a_kill = start(run_dir="reports/cpu/small"), start(run_dir="reports/cpu/small")
    for run in (before, after_a_kill):
        np.testing.assert_array_equal(run.remember("fold_0", train)["probabilities"], [0.25, 0.75])
    assert len(folders) == 1
    assert not folders[0].exists()
    after_a_kill.finish()
    assert not folders[0].parent.exists()


def test_killed_run_finds_its_backups_again(project):
    runs = [start(run_dir="reports/cpu/small", epochs=5) for _ in range(2)]
    for run in runs:
        run.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(6)))
    first, second = (run.backup_dir("b0") for run in runs)
    assert first == second
    assert first.is_relative_to(project / "cache")


@pytest.mark.parametrize("change", ["parameters", "data", "profile"])
def test_run_with_other_parameters_or_data_begins_anew(project, change):
    first, other = (
        start(run_dir="reports/cpu/small"),
        start(
            run_dir="reports/gpu/small" if change == "profile" else "reports/cpu/small",
            epochs=5 if change == "parameters" else 3,
        ),
    )
    first.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(6)))
    other.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(7 if change == "data" else 6)))
    assert first.backup_dir("b0") != other.backup_dir("b0")


def test_finished_run_removes_its_own_backups_and_no_others(project):
    run, other = start(run_dir="reports/cpu/small"), start(run_dir="reports/cpu/other")
    for folder in (run.backup_dir("b0"), other.backup_dir("b0")):
        folder.mkdir(parents=True)
    run.finish()
    assert not run.backup_dir("b0").exists()
    assert other.backup_dir("b0").exists()


def test_interval_is_a_pair_or_missing():
    rows = pd.DataFrame({"value": [0.5, 0.6], "ci_low": [0.4, None], "ci_high": [0.6, None]}, index=[5, 7])
    assert results.with_interval(rows)["interval"].tolist() == [(0.4, 0.6), None]
