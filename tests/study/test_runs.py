"""A run leaves numbers that can be computed again from its predictions, and loses nothing of the run before it."""

import errno
import json
import os
import shutil
import subprocess
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from fer_helpers import paths
from fer_helpers.datasets.table import FaceDataset, make_table, skipped_images, table_hash
from fer_helpers.study import runs

SCORED = {"dataset": "fer2013", "model": "B0", "init": "scratch", "protocol": "clean", "split": "test"}
SCORED |= {"seed": 1, "image_size": 48}
CLASSES = ["happy", "sad", "fear"]
NO_RUNS = ("../outside", "reports/../../outside", "notebooks", ".", "reports/a.failed", "a" * 300, "a\0", "/dev/null")


@pytest.fixture
def project(tmp_path, monkeypatch, write_files) -> Path:
    """A project of its own with one notebook, `01_small`, and an empty cache."""
    declared = 'run_dir = ""\nepochs = 3\nrate = 0.001\nclasses = ["happy", "sad"]'
    cell = {"cell_type": "code", "source": declared, "metadata": {"tags": ["parameters"]}}
    write_files(tmp_path, {"notebooks/01_small.ipynb": json.dumps({"cells": [cell]})})
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(runs, "_locks", {})
    monkeypatch.setattr(runs, "PATIENCE", 0)
    return tmp_path


def namespace(**changed) -> dict:
    """What `globals()` of the notebook holds after its parameters."""
    parameters = {"run_dir": "", "epochs": 3, "rate": 0.001, "classes": ["happy", "sad"]}
    return {"__name__": "__main__", "In": [""], "Out": {}, "_i1": "...", "Path": Path} | parameters | changed


def start(**changed) -> runs.Run:
    return runs.start("01_small", "small_2020", namespace(**changed))


def faces(count: int) -> pd.DataFrame:
    shown = [(f"{number:04d}.png", CLASSES[number % 3]) for number in range(count)]
    return make_table([{"image": name, "path": "x", "expression": face, "split": "test"} for name, face in shown])


def probabilities(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(3), count).astype("float32")


def whole_run(**changed) -> runs.Run:
    """All cells of a notebook, one after the other."""
    run = start(**changed)
    for seed in (0, 1):
        run.add_scores(faces(12), probabilities(12, seed), CLASSES, **SCORED | {"seed": seed})
    run.add("images", 12, split="test")
    run.write("history.csv", pd.DataFrame({"epoch": [1], "loss": [0.5]}))
    run.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(6)))
    run.finish(verdict="well")
    return run


def test_a_body_that_was_changed_since_its_run_saved_it_is_not_used(project):
    (saved := project / "cache" / "models" / "by_hand.01_small.weights.h5").parent.mkdir(parents=True)
    saved.write_bytes(b"body")
    whole_run()
    notebook = project / "notebooks" / "01_small.ipynb"
    declared = r"weights = \"scratch\"\nalternatives = {}\nepochs"
    notebook.write_text(notebook.read_text().replace("epochs", declared, 1))
    begun = start(run_dir="reports/by_hand/other", weights=str(saved))
    assert begun.about["weights"] == sha256(b"body").hexdigest()
    before = begun.backup_dir("fit")
    saved.write_bytes(b"another body")
    changed = "by_hand.01_small.weights.h5 is not what by_hand/01_small saved: run that"
    for used in ({"weights": str(saved)}, {"alternatives": {"other": {"weights": str(saved)}}}):
        with pytest.raises(runs.RunError, match=changed):
            start(run_dir="reports/by_hand/third", **used)
    whole_run(weights="scratch")
    (begun := start()).body_file.write_bytes(b"third body")
    assert saved.read_bytes() == b"another body"  # until a run has finished
    begun.finish()
    assert saved.read_bytes() == b"third body" and not begun.body_file.exists()
    assert start(run_dir="reports/by_hand/other", weights=str(saved)).backup_dir("fit") != before


def contents(folder: Path) -> dict[str, object]:
    """The files of a run; of `run.json` without times."""
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    about = json.loads(files["run.json"])
    return files | {"run.json": about | dict.fromkeys(("started", "ended", "seconds", "core_seconds", "peak_bytes"))}


def test_reported_number_is_one_row_of_the_designed_columns_with_what_the_run_knows_filled_in(project):
    run = start(run_dir="reports/smoke/small.b0")
    run.add("accuracy", 0.625, interval=(0.5, 0.75), model="B0", n=8, seed=3, protocol="clean", claim="small_2020.t1")
    run.add("parameters", 4_049_571)
    with pytest.raises(ValueError, match=r"results\.csv has no column rate: its columns are run, paper, claim"):
        run.add("accuracy", 0.5, rate=0.1)
    with pytest.raises(ValueError, match="protocol is one of paper, clean, between, not 'best'"):
        run.add("accuracy", 0.5, protocol="best")
    assert runs.with_interval(run.results)["interval"].tolist() == [(0.5, 0.75), None]
    run.finish()
    assert not (run.folder / "predictions.csv.gz").exists()
    first, second = pd.read_csv(run.folder / "results.csv", dtype=str, keep_default_na=False).to_dict("records")
    expected = {"run": "small.b0", "paper": "small_2020", "notebook": "01_small", "claim": "small_2020.t1"}
    expected |= {"value": "0.625", "ci_low": "0.5", "ci_high": "0.75", "n": "8", "seed": "3", "protocol": "clean"}
    assert first.items() >= expected.items()
    assert (first["backend"], first["device"]) == (run.about["backend"], run.about["device"])
    assert (second["n"], second["seed"]) == ("", "")


def test_predictions_hold_every_image_with_its_label_and_probabilities_and_metrics_name_their_claims(project):
    run, claims = start(), {("accuracy", ""): "small_2020.table1.b0", ("recall", "sad"): "small_2020.figure2.sad"}
    run.add_scores(faces(3), probabilities(3), CLASSES, claims=claims, **SCORED)
    run.add_scores(faces(6), probabilities(6), CLASSES, **SCORED | {"seed": 2})
    run.finish()
    predictions = pd.read_csv(run.folder / "predictions.csv.gz")
    assert list(predictions) == [*SCORED, "image", "fold", "group", "label", "p_happy", "p_sad", "p_fear"]
    assert predictions["seed"].tolist() == [1, 2] * 3 + [2] * 3, "what is said of one image stands together"
    assert predictions["image"].is_monotonic_increasing
    for seed, times in ((1, 1), (2, 2)):
        assert predictions.loc[predictions["seed"] == seed, "label"].tolist() == CLASSES * times
    kept = predictions.loc[predictions["seed"] == 2, ["p_happy", "p_sad", "p_fear"]]
    np.testing.assert_allclose(kept, probabilities(6), atol=5.1e-7)
    named = run.results[run.results["claim"] != ""]
    assert {(row.metric, row.expression): row.claim for row in named.itertuples()} == claims
    assert {column: set(named[column]) for column in SCORED} == {key: {value} for key, value in SCORED.items()}


def test_record_of_a_run_says_what_ran_when_on_what(project):
    run = start(run_dir="reports/smoke/small.b0", epochs=5, rate=1)
    (project / "fer2013.zip").write_bytes(b"12345")
    skipped = skipped_images([("a.png", "damaged")])
    run.add_data(FaceDataset("fer2013", project / "fer2013.zip", faces(6), skipped, notes=("a note",)))
    run.add_data(FaceDataset("ckplus", project / "fer2013.zip" / "inside", faces(3), generated=True))
    about = json.loads((project / "reports/smoke/.small.b0.running/run.json").read_text())
    expected = {"status": "running", "run": "small.b0", "profile": "smoke", "paper": "small_2020"}
    parameters = {"run_dir": "reports/smoke/small.b0", "epochs": 5, "rate": 1.0, "classes": ["happy", "sad"]}
    assert about.items() >= (expected | {"parameters": parameters}).items()
    import keras  # which is what makes a run name a backend

    shown = run.versions()["version"]
    run.write("history.csv", pd.DataFrame({"epoch": [1]}))
    run.finish(verdict="not testable here")
    about = json.loads((project / "reports/smoke/small.b0/run.json").read_text())
    assert (about["status"], about["verdict"]) == ("finished", "not testable here")
    for package in ("keras", "numpy", "pandas", "scikit-learn", "opencv-python-headless", "papermill"):
        assert about["versions"][package] == shown[package] == version(package)
    assert shown["backend"] == about["backend"] == keras.backend.backend() and shown["device"] == about["device"]
    real, generated = about["data"]
    expected = {"dataset": "fer2013", "source": "real photographs", "found_as": "fer2013.zip", "bytes": 5, "images": 6}
    assert real.pop("tables") == sha256(b"").hexdigest()[:16]
    assert real == expected | {"skipped": 1, "table_hash": table_hash(faces(6)), "notes": ["a note"]}
    assert (generated["source"], generated["bytes"]) == ("generated faces", 5)
    assert about["files"]["history.csv"] == sha256((run.folder / "history.csv").read_bytes()).hexdigest()


def test_commit_is_that_of_the_project_and_says_when_the_code_differs(project, monkeypatch, write_files):
    assert runs.git_commit() == "unknown"
    monkeypatch.setenv("FER_COMMIT", "1234567")
    assert runs.git_commit() == "1234567", "of a copy without git"
    write_files(project, {"fer_helpers/code.py": "1"})
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for command in (["init"], ["add", "fer_helpers", "notebooks"], ["commit", "--no-verify", "-m", "Begin"]):
        subprocess.run(["git", *identity, *command], cwd=project, check=True, capture_output=True)
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=project, text=True)[:12]
    (project / "reports.txt").write_text("what a run writes is no change of the code")
    assert runs.git_commit() == commit
    (project / "fer_helpers" / "code.py").write_text("2")
    assert runs.git_commit() == f"{commit}+changes"


def test_error_is_one_sentence_in_a_notebook_and_no_backend_was_imported(project, capsys, run_python):
    for text in ("{", "[1]", "\x00"):
        (project / "run.json").write_text(text)
        with pytest.raises(runs.RunError, match=f"{project}/run.json is damaged: .*; restore it from git, or run "):
            runs.read(project)
    code = "from fer_helpers.study import runs; import sys; print({'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    assert run_python("-c", code).stdout == "set()\n"
    shell = InteractiveShell()
    shell.user_ns |= namespace(epochs=0) | {"runs": runs}
    shell.run_cell("runs.start('01_small', '', dict(run_dir='', epochs=0, rate=0.1, classes=['sad']))")
    assert capsys.readouterr().out.splitlines()[-1] == "RunError: 01_small: epochs must be at least 1, not 0"


def test_variables_that_are_no_parameters_are_allowed_once_there_is_a_run(project):
    assert start(run=start(), smallest=4, name="B0").about["parameters"]["epochs"] == 3


def test_cells_that_are_run_twice_leave_the_files_of_one_time(project):
    run = whole_run()
    once = contents(run.folder)
    for seed, drawn_with in ((0, 5), (0, 0), (1, 1), (0, 0)):  # another value, then the first again
        run.add_scores(faces(12), probabilities(12, drawn_with), CLASSES, **SCORED | {"seed": seed})
    for images in (13, 12):
        run.add("images", images, split="test")
    run.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(6)))
    for _ in range(2):
        run.finish(verdict="well")
        assert contents(run.folder) == once
    assert contents(whole_run(run=run).folder) == once
    assert len(pd.read_csv(run.folder / "predictions.csv.gz")) == 24


def test_finished_run_stays_until_another_has_finished(project):
    run = whole_run()
    before = {file.name: file.read_bytes() for file in run.folder.iterdir()}
    for wrong in ({"epochs": 0}, {"epoch": 1}):
        with pytest.raises(runs.RunError):
            start(**wrong)
    start(epochs=4).add("accuracy", 0.1)
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before
    assert runs.latest(run.folder).status == "running"
    runs.put_aside(run.folder, "the kernel died")
    assert {file.name: file.read_bytes() for file in run.folder.iterdir()} == before
    assert (runs.latest(run.folder).status, runs.latest(run.folder).about["error"]) == ("failed", "the kernel died")
    start(epochs=4).finish()
    assert runs.read(run.folder).about["parameters"]["epochs"] == 4
    assert sorted(file.name for file in run.folder.parent.iterdir()) == [".01_small.lock", "01_small"]


@pytest.mark.parametrize("steps_done", range(5))
def test_killed_at_any_step_of_its_replacement_a_run_is_there_whole(project, monkeypatch, steps_done):
    folder = whole_run().folder
    second = start(epochs=4)
    left = iter(range(steps_done))

    def unless_killed(function):
        def step(*arguments, **options):
            if next(left, None) is None:
                raise KeyboardInterrupt  # as good as a kill: nothing is done after it
            return function(*arguments, **options)

        return step

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", unless_killed(Path.rename))
        patch.setattr(shutil, "rmtree", unless_killed(shutil.rmtree))
        second.finish()
    runs.recover(folder)
    about = runs.read(folder).about
    assert about["parameters"]["epochs"] == (3 if steps_done < 2 else 4)
    assert "results.csv" in about["files"] and runs.damaged_file(runs.read(folder)) == ""


def test_second_run_into_a_folder_is_refused_and_the_process_named(project, monkeypatch):
    before = contents(whole_run().folder)
    start(epochs=4)
    monkeypatch.setattr(runs, "_locks", {"kept": runs._locks})  # as another process, which has no lock of this one
    with pytest.raises(runs.RunError, match=f"process {os.getpid()} is running into .*/01_small: wait for its end"):
        start()
    assert contents(project / "reports/by_hand/01_small") == before


def test_full_disk_at_the_end_is_one_sentence_and_the_cell_can_be_run_again(project, monkeypatch):
    run = whole_run()
    before, second = contents(run.folder), start(epochs=4)
    full = Mock(side_effect=OSError(errno.ENOSPC, "could not write results.csv: No space left on device"))
    with monkeypatch.context() as patch, pytest.raises(runs.RunError, match="No space left .* run this cell again"):
        patch.setattr(runs, "write_csv", full)
        second.finish()
    assert contents(run.folder) == before
    assert runs.latest(run.folder).status == "failed"
    second.finish()
    assert runs.read(run.folder).about["parameters"]["epochs"] == 4


@pytest.mark.parametrize("run_dir", NO_RUNS)
def test_folder_outside_the_project_or_with_other_files_is_refused_unless_absolute(project, run_dir, tmp_path_factory):
    problem = "is outside the project|holds other files than those of a run|another run|can't be a folder"
    with pytest.raises(runs.RunError, match=problem):
        start(run_dir=run_dir)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert start(run_dir=str(elsewhere)).folder == elsewhere


def test_what_a_training_gave_is_computed_once_unless_it_is_damaged_and_is_gone_when_its_run_has_finished(project):
    folders = []

    def train(folder: Path) -> dict[str, np.ndarray]:
        folder.mkdir(parents=True)
        folders.append(folder)
        return {"probabilities": np.array([0.25, 0.75])}

    before, after_a_kill, other = (start(run_dir=f"reports/cpu/{name}") for name in ("small", "small", "other"))
    for run in (before, after_a_kill):
        np.testing.assert_array_equal(run.remember("fold_0", train)["probabilities"], [0.25, 0.75])
    assert len(folders) == 1 and not folders[0].exists()
    kept = folders[0].with_name("fold_0.npz")
    for damaged in (b"", kept.read_bytes()[:40]):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(after_a_kill.remember("fold_0", train)["probabilities"], [0.25, 0.75])
    assert len(folders) == 3
    other.backup_dir("b0").mkdir(parents=True)
    after_a_kill.finish()
    assert not folders[0].parent.exists() and other.backup_dir("b0").exists()


def test_parameter_that_is_changed_after_the_first_cell_stops_the_run_before_it_trains_or_ends(project):
    run = runs.start("01_small", "", own := namespace())
    run.backup_dir("b0")
    own["epochs"] = 5
    for step in (lambda: run.backup_dir("b0"), lambda: run.remember("b0", dict), run.finish):
        with pytest.raises(runs.RunError, match="epochs was changed after runs.start: run that cell again"):
            step()


@pytest.mark.parametrize("change", ["nothing", "parameters", "data", "pixels", "profile", "cells", "a comment"])
def test_killed_run_finds_its_backups_again_unless_something_has_changed(project, change):
    first = start(run_dir="reports/cpu/small")
    first.add_data(FaceDataset("fer2013", Path("fer2013.zip"), faces(6)))
    before = first.backup_dir("b0")
    file, replaced = project / "notebooks" / "01_small.ipynb", {"cells": "+3", "a comment": "3  # how many"}
    file.write_text(file.read_text().replace("epochs = 3", f"epochs = {replaced.get(change, '3')}"))
    profile = "gpu" if change == "profile" else "cpu"
    other = start(run_dir=f"reports/{profile}/small", epochs=5 if change == "parameters" else 3)
    (copy := project / "fer2013.zip").write_bytes(b"other pixels" if change == "pixels" else b"")
    other.add_data(FaceDataset("fer2013", copy, faces(7 if change == "data" else 6)))
    assert (other.backup_dir("b0") == before) == (change in ("nothing", "a comment"))
    assert before.is_relative_to(project / "cache")
