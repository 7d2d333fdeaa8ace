"""A committed number that its predictions do not give is found, and its row named."""

import gzip
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import class_indices, make_table
from fer_helpers.study import report, verify
from fer_helpers.study import runs as results

CLASSES = ["happy", "sad", "fear"]
ABOUT = {"dataset": "ckplus", "model": "B0, frozen", "init": "scratch", "protocol": "clean", "image_size": 48}


def faces(count: int = 60) -> pd.DataFrame:
    """Images of ten people in five folds."""
    rows = [
        {"image": f"{number:04d}.png", "path": "anywhere", "expression": CLASSES[number % 3], "split": "test"}
        for number in range(count)
    ]
    return make_table(rows).assign(
        subject=[f"S{number // 6}" for number in range(count)], fold=[number // 6 % 5 for number in range(count)]
    )


def said(seed: int, classes: int = 3, count: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), count).astype("float32")


def begin(profile: Path, name: str) -> results.Run:
    known = {
        "run": name,
        "paper": "small_2020",
        "notebook": "01_small",
        "profile": profile.name,
        "backend": "jax",
        "device": "a processor",
    }
    return results.Run(
        profile / name,
        known | {"started": "2026-11-20T14:05:00+00:00", "parameters": {}, "data": [], "commit": "0123456789ab"},
    )


def report_folds(run: results.Run) -> None:
    """The accuracy of each fold alone, as notebook 04 reports it."""
    for fold, part in faces().groupby("fold"):
        probabilities = said(0)[part.index].astype(float).round(6)
        alone = evaluation.scores(
            class_indices(part, CLASSES).to_numpy(), probabilities, CLASSES, groups=part["subject"].to_numpy()
        ).iloc[0]
        run.add(
            "accuracy",
            alone["value"],
            interval=(alone["ci_low"], alone["ci_high"]),
            n=alone["n"],
            split=f"subject fold {fold}",
            seed=0,
            **ABOUT,
        )


def report_derived(run: results.Run) -> None:
    """Rows that follow from other rows, or count predictions."""
    of_seeds = [row.value for row in run.results.itertuples() if row.metric == "accuracy" and row.split == "subject"]
    run.add("accuracy_mean_over_seeds", np.mean(of_seeds), n=2, split="subject", **ABOUT)
    run.add("accuracy_sd_over_seeds", np.std(of_seeds, ddof=1), n=2, split="subject", **ABOUT)
    run.add("optimism_of_random_split", of_seeds[0] - of_seeds[1], split="random less subject", **ABOUT)
    guess, labels = said(0).argmax(axis=1), class_indices(faces(), CLASSES).to_numpy()
    as_sad = int(((labels == 2) & (guess == 1)).sum())
    of_first = ABOUT | {"split": "subject", "seed": 0}
    run.add(
        "share_predicted_sad",
        as_sad / 20,
        n=20,
        interval=evaluation.proportion_interval(as_sad, 20),
        expression="fear",
        **of_first,
    )
    run.add("images_predicted_sad", as_sad, n=20, expression="fear", **of_first)
    run.add("errors", (guess != labels).sum(), n=60, **of_first)
    run.add("images", 60, dataset="ckplus", split="all")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A profile with a run of everything and one of other classes, collected."""
    profile = tmp_path_factory.mktemp("reports") / "cpu"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_CACHE_DIR", str(profile.parent / "cache"))
        run = begin(profile, "01_small")
        run.add_scores(faces(), said(0), CLASSES, group_by="subject", split="subject", seed=0, **ABOUT)
        report_folds(run)
        run.add_scores(faces(), said(1), CLASSES, group_by="subject", split="subject", seed=1, **ABOUT)
        report_derived(run)
        (run.folder / "history.csv").parent.mkdir(parents=True, exist_ok=True)
        (run.folder / "history.csv").write_text("epoch,loss\n1,0.5\n")
        run.finish()
        other = begin(profile, "02_small")
        # The first set lacks an expression that the second has, and that comes before the others as an output.
        other.add_scores(faces(), said(2), CLASSES, split="test", seed=0, **ABOUT | {"model": "B1"})
        more = faces().assign(expression=["neutral", *faces()["expression"][1:]])
        other.add_scores(more, said(3, classes=4), ["neutral", *CLASSES], split="test", seed=0, **ABOUT)
        other.finish()
    report.collect(profile)
    return profile


@pytest.fixture
def profile(written, tmp_path) -> Path:
    """A copy of `written` to change."""
    return Path(shutil.copytree(written, tmp_path / "cpu"))


def differences(folder: Path) -> list[str]:
    verifications, of_no_run = verify.verify(folder)
    return of_no_run + [line for verification in verifications for line in verification.differences]


def edit(file: Path, column: str, text: str, line: int = 2, *, hashed: bool = False) -> None:
    """Write another text into one cell of a CSV; with `hashed` the hash in run.json is made to fit, as a forger would."""
    packed = file.suffix == ".gz"
    content = gzip.decompress(file.read_bytes()) if packed else file.read_bytes()
    frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    assert frame.loc[line - 2, column] != text
    frame.loc[line - 2, column] = text
    results.write_csv(frame, file)
    record = file.with_name("run.json")
    if hashed and record.exists():
        about = json.loads(record.read_text())
        record.write_text(json.dumps(about | {"files": about["files"] | {file.name: paths.file_sha256(file)}}))


def cell(file: Path, column: str, line: int = 2) -> str:
    return pd.read_csv(file, dtype=str, keep_default_na=False).loc[line - 2, column]


def other_digit(text: str, place: int = -1) -> str:
    """The text with another digit at one place of its digits."""
    digits = [position for position, character in enumerate(text) if character.isdigit()]
    position = digits[place]
    return f"{text[:position]}{(int(text[position]) + 1) % 10}{text[position + 1 :]}"


def line_of(file: Path, **values: str) -> int:
    """The first line of a CSV with these cells."""
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    return int(np.flatnonzero((frame[list(values)] == list(values.values())).all(axis=1))[0]) + 2


def test_untouched_runs_have_no_difference_and_every_metric_is_recomputed(profile):
    verifications, of_no_run = verify.verify(profile)
    assert differences(profile) == [] == of_no_run
    assert dict(verifications[0].others) == {"images": 1}
    assert verifications[0].recomputed == len(pd.read_csv(profile / "01_small/results.csv")) - 1
    assert verifications[1].others.total() == 0


def test_one_run_is_verified_alone(profile):
    edit(profile / "02_small/results.csv", "value", "0.5")
    assert differences(profile / "01_small") == []
    assert differences(profile / "02_small") != []


@pytest.mark.parametrize(
    "row",
    [
        {"metric": "accuracy", "split": "subject"},
        {"metric": "accuracy", "split": "subject fold 3"},
        {"metric": "precision", "expression": "sad"},
        {"metric": "macro_f1", "seed": "1"},
        {"metric": "log_loss", "seed": "0"},
        {"metric": "ece", "seed": "0"},
        {"metric": "accuracy_sd_over_seeds"},
        {"metric": "optimism_of_random_split"},
        {"metric": "share_predicted_sad"},
        {"metric": "images_predicted_sad"},
        {"metric": "errors"},
    ],
    ids=lambda row: "-".join(row.values()),
)
def test_changed_digit_of_a_result_is_found_even_where_hash_and_collected_results_were_changed_alike(profile, row):
    own = profile / "01_small/results.csv"
    line = line_of(own, **row)
    changed = {}
    for column in ("value", "ci_low", "ci_high", "n"):
        if before := cell(own, column, line):
            changed[column] = other_digit(before, 3 if len(before) > 5 else -1)
            edit(own, column, changed[column], line, hashed=True)
            edit(profile / "results.csv", column, changed[column], line)
    found = differences(profile)
    for column, after in changed.items():
        assert any(
            f"01_small/results.csv, line {line} ({row['metric']}" in difference
            and f"{column} {after} is written" in difference
            for difference in found
        )


@pytest.mark.parametrize("column", ["value", "ci_low", "n", "seed", "epochs"])
@pytest.mark.parametrize("changed", ["01_small/results.csv", "results.csv"])
def test_changed_last_digit_of_any_result_is_found_against_the_collected_results(profile, changed, column):
    before = cell(profile / changed, column)
    edit(profile / changed, column, other_digit(before) if before else "7", hashed=True)
    found = differences(profile)
    assert any(
        f"{profile / '01_small/results.csv'}, line 2 (accuracy, ckplus" in difference
        and str(profile / "results.csv") in difference
        for difference in found
    )


def test_number_that_no_prediction_gives_is_held_against_the_collected_results(profile):
    own = profile / "01_small/results.csv"
    line = line_of(own, metric="images")
    edit(own, "value", "61.0", line, hashed=True)
    (found,) = differences(profile)
    assert (
        found
        == f"{own}, line {line} (images, ckplus, all): value 61.0 is written, 60.0 in {profile / 'results.csv'}, line {line}"
    )


def test_message_says_what_is_written_and_what_comes_out(profile):
    own = profile / "01_small/results.csv"
    value = cell(own, "value")
    edit(own, "value", "0.9", hashed=True)
    row = f"{own}, line 2 (accuracy, ckplus, B0, frozen, scratch, subject, clean, seed 0, 48 px)"
    assert f"{row}: value 0.9 is written, {value} comes out of predictions.csv.gz" in differences(profile)


@pytest.mark.parametrize("column", ["image", "fold", "group", "label", "p_sad", "seed", "image_size", "check"])
def test_changed_prediction_is_found_and_its_row_named(profile, column):
    file = profile / "01_small/predictions.csv.gz"
    before = cell(file, column, 31)
    edit(file, column, "sad" if before == "fear" else other_digit(before), 31, hashed=True)
    assert any(
        f"{file}, line 31 (" in difference and "its text does not give its check" in difference
        for difference in differences(profile)
    )


def without_checks(file: Path) -> None:
    """As predictions were written before there were checks and hashes."""
    results.write_csv(pd.read_csv(file, dtype=str, keep_default_na=False).drop(columns=["check"]), file)
    record = file.with_name("run.json")
    record.write_text(
        json.dumps({key: value for key, value in json.loads(record.read_text()).items() if key != "files"})
    )


def test_older_predictions_without_checks_pass(profile):
    without_checks(profile / "01_small/predictions.csv.gz")
    assert differences(profile) == []
    assert "run.json holds no hashes" in str(verify.verify(profile)[0][0])


def test_in_older_predictions_a_row_that_adds_up_to_another_number_is_named(profile):
    file = profile / "01_small/predictions.csv.gz"
    without_checks(file)
    edit(file, "p_sad", other_digit(cell(file, "p_sad", 31), 2), 31)
    assert any(
        f"{file}, line 31 (0029.png" in difference and "do not add up to 1" in difference
        for difference in differences(profile)
    )


def test_in_older_predictions_the_last_digit_of_any_probability_shows_in_the_log_loss(profile):
    file = profile / "01_small/predictions.csv.gz"
    without_checks(file)
    assert cell(file, "label", 31) == "fear"
    edit(file, "p_sad", f"{float(cell(file, 'p_sad', 31)) + 1e-6:.6f}", 31)
    (found,) = (difference for difference in differences(profile) if "ece" not in difference)
    assert "(log_loss, ckplus, B0, frozen, scratch, subject, clean, seed 0" in found


@pytest.mark.parametrize("text", ["angry", ""])
def test_label_that_is_none_of_the_classes_is_named(profile, text):
    file = profile / "01_small/predictions.csv.gz"
    edit(file, "label", text, 31)
    assert any(
        f"{file}, line 31 (0029.png" in difference and f"label {text!r}" in difference
        for difference in differences(profile)
    )


def test_score_that_results_lack_is_named(profile):
    for file in (profile / "01_small/results.csv", profile / "results.csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        results.write_csv(
            frame[~((frame["metric"] == "f1") & (frame["expression"] == "fear") & (frame["seed"] == "1"))], file
        )
    assert any("gives a score (f1, fear, ckplus, B0, frozen" in difference for difference in differences(profile))


def test_metric_that_was_not_one_when_a_run_was_written_is_not_missed(profile):
    for file in (profile / "01_small/results.csv", profile / "results.csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        results.write_csv(frame[(frame["metric"] != "ece") | (frame["run"] != "01_small")], file)
    assert [difference for difference in differences(profile) if "SHA-256" not in difference] == []


def test_scores_without_predictions_are_named(profile):
    (profile / "02_small/predictions.csv.gz").unlink()
    found = differences(profile)
    assert f"{profile / '02_small/predictions.csv.gz'} is missing: run.json names it" in found
    assert any(
        "02_small/results.csv, line 2 (accuracy" in difference and "holds nothing that gives it" in difference
        for difference in found
    )


@pytest.mark.parametrize("name", results.HASHED)
def test_any_change_of_a_file_that_no_row_shows_is_found_by_its_hash(profile, name):
    file = profile / "01_small" / name
    content = file.read_bytes()
    file.write_bytes(gzip.compress(gzip.decompress(content), 1) if name.endswith(".gz") else content + b"\n")
    assert differences(profile) == [f"{file}: its SHA-256 is not the one in run.json"]


def test_row_that_stands_in_one_of_the_two_files_only_is_named(profile):
    own, collected = profile / "01_small/results.csv", profile / "results.csv"
    line = line_of(own, metric="images")
    results.write_csv(pd.read_csv(collected, dtype=str, keep_default_na=False).drop(index=line - 2), collected)
    (found,) = differences(profile)
    assert found.startswith(f"{own}, line {line} (images, ckplus, all): {collected} has no such row")


def test_collected_row_of_no_run_is_named(profile):
    edit(profile / "results.csv", "run", "11_small")
    assert any(
        f"{profile / 'results.csv'}, line 2 (accuracy" in difference and "no finished run '11_small'" in difference
        for difference in differences(profile)
    )


@pytest.mark.parametrize("name", ["results.csv", "predictions.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"\x1f\x8bno gzip, and no CSV \xff"])
def test_damaged_file_is_a_difference_and_no_traceback(profile, name, content):
    (profile / "01_small" / name).write_bytes(content)
    assert any(f"{profile / '01_small' / name} can't be read" in difference for difference in differences(profile))


def test_exit_status_is_one_where_something_differs_and_nought_otherwise(profile, capsys):
    assert verify.main([str(profile)]) == 0
    assert "Every number is as its predictions give it." in capsys.readouterr().out
    edit(profile / "01_small/results.csv", "value", "0.9")
    assert verify.main([str(profile)]) == 1
    assert "line 2 (accuracy" in capsys.readouterr().out


def test_folder_without_a_finished_run_is_an_error_that_says_what_to_name(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        verify.main([str(tmp_path)])
    assert stopped.value.code != 0
    assert "name reports/<profile> or reports/<profile>/<run>" in capsys.readouterr().err


def test_committed_reports_are_as_their_predictions_give_them():
    committed = [
        folder
        for folder in paths.reports_dir().iterdir()
        if folder.is_dir() and folder.name not in ("smoke", "by_hand")
    ]
    committed = [folder for folder in committed if any(run.status == "finished" for run in results.read_profile(folder))]
    assert {folder.name: differences(folder) for folder in committed} == {folder.name: [] for folder in committed}


def test_a_run_of_before_checks_were_kept_is_sealed_once_and_then_watched(tmp_path, capsys):
    profile = tmp_path / "cpu"
    run = begin(profile, "old")
    run.add_scores(faces(), said(0), CLASSES, split="subject", seed=0, **ABOUT)
    run.finish()
    report.collect(profile)
    predictions = run.folder / "predictions.csv.gz"
    results.write_csv(pd.read_csv(predictions, dtype=str, keep_default_na=False).drop(columns="check"), predictions)
    about = json.loads((run.folder / "run.json").read_text())
    results.write_json({key: value for key, value in about.items() if key != "files"}, run.folder / "run.json")
    assert verify.main([str(profile), "--seal"]) == 0
    assert "sealed: old" in capsys.readouterr().out
    assert verify.main([str(profile), "--seal"]) == 0
    assert "nothing, all runs are" in capsys.readouterr().out
    text = gzip.decompress(predictions.read_bytes()).decode().replace("0007.png", "0009.png", 1)
    predictions.write_bytes(gzip.compress(text.encode()))
    assert verify.main([str(profile)]) == 1
    assert "line 9 (" in capsys.readouterr().out
