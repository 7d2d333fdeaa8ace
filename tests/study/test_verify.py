"""A number that its predictions do not give, and a file that is not as committed, are found and named."""

import gzip
import shutil
import subprocess
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import class_indices, make_table
from fer_helpers.study import runs, verify

CLASSES = ["happy", "sad", "fear"]
ABOUT = {"dataset": "ckplus", "model": "B0, frozen", "init": "scratch", "protocol": "clean", "image_size": 48}
RUNS = ("01_small", "02_small")
OF_RUN = (".html", "/results.csv", "/predictions.csv.gz", "/run.json", "/executed.ipynb.gz")
COMMITTED = [f"{name}{file}" for name in RUNS for file in OF_RUN] + ["01_small/history.csv", "results.csv"]
SCORES = [
    *({"metric": "accuracy", "split": split} for split in ("subject", "subject fold 3")),
    {"metric": "precision", "expression": "sad"},
    *({"metric": metric, "seed": seed} for metric, seed in (("macro_f1", "1"), ("log_loss", "0"), ("ece", "0"))),
    *({"metric": f"accuracy_{what}_over_seeds"} for what in ("mean", "sd")),
    *({"metric": f"{what}_predicted_sad"} for what in ("share", "images")),
    *({"metric": metric} for metric in ("optimism_of_copies", "optimism_of_random_split", "errors")),
]
PREDICTED = [("p_sad", "0.999999"), ("label", "sad"), ("label", "joy"), ("group", "S9"), ("seed", "7"), ("fold", "4")]


def faces(first: str = "happy") -> pd.DataFrame:
    """60 images of ten people in five folds; the first shows another expression if told."""
    shown, numbers = [first, *(CLASSES[number % 3] for number in range(1, 60))], np.arange(60)
    rows = [{"image": f"{number:04d}.png", "path": "x", "expression": name} for number, name in enumerate(shown)]
    return make_table(rows).assign(subject=[f"S{number // 6}" for number in numbers], fold=numbers // 6 % 5)


def said(seed: int, classes: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), 60)


def begin(folder: Path) -> runs.Run:
    about = {"notebook": "01_small", "paper": "small_2020", "parameters": {"epochs": 3}, "fingerprint": {}, "data": []}
    runs.begin(folder, about)
    written = {"backend": "jax", "device": "a processor", "versions": {}, "commit": "0123456789ab", "seeds": [0, 1]}
    return runs.Run(folder, runs.read(runs.beside(folder, "running")).about | about | written)


def fill(run: runs.Run) -> None:
    """Scores of two seeds, of each fold alone, and rows that follow from others or count predictions."""
    for seed in (0, 1):
        run.add_scores(faces(), said(seed), CLASSES, group_by="subject", split="subject", seed=seed, **ABOUT)
    for fold, part in faces().groupby("fold"):
        labels, probabilities = class_indices(part, CLASSES).to_numpy(), said(0)[part.index].round(6)
        one = evaluation.scores(labels, probabilities, CLASSES, groups=part["subject"].to_numpy()).iloc[0]
        interval = one["ci_low"], one["ci_high"]
        run.add("accuracy", one["value"], interval=interval, n=12, split=f"subject fold {fold}", seed=0, **ABOUT)
    first, second = run.results.query("metric == 'accuracy' and split == 'subject'")["value"]
    run.add("accuracy_mean_over_seeds", (first + second) / 2, n=2, split="subject", **ABOUT)
    run.add("accuracy_sd_over_seeds", abs(first - second) / 2**0.5, n=2, split="subject", **ABOUT)
    run.add("optimism_of_copies", first - second, split="subject", **ABOUT)
    half = faces().head(40)  # of the images, under another split
    run.add_scores(half, said(2)[:40], CLASSES, group_by="subject", split="random", seed=0, **ABOUT)
    right = [said(seed)[:40].argmax(axis=1) == class_indices(half, CLASSES).to_numpy() for seed in (2, 0)]
    value, *interval = evaluation.paired_difference(*right, groups=half["subject"])
    about = ABOUT | {"split": "random less subject", "seed": 0}
    run.add("optimism_of_random_split", value, n=40, interval=tuple(interval), **about)
    guess, labels = said(0).argmax(axis=1), class_indices(faces(), CLASSES).to_numpy()
    sad, of_first = int(((labels == 2) & (guess == 1)).sum()), ABOUT | {"split": "subject", "seed": 0}
    interval = evaluation.proportion_interval(sad, 20)
    run.add("share_predicted_sad", sad / 20, n=20, interval=interval, expression="fear", **of_first)
    run.add("images_predicted_sad", sad, n=20, expression="fear", **of_first)
    run.add("errors", (guess != labels).sum(), n=60, **of_first)
    run.add("images", 60, dataset="ckplus", split="all")
    run.write("history.csv", pd.DataFrame({"epoch": [1], "loss": [0.5]}))
    run.finish(verdict="not testable here", init="scratch", model="B0", seeds=[0, 1])


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory, write_files) -> Path:
    """A project under git with a profile of two runs, sealed, and a third that it defines and lists as absent."""
    project = tmp_path_factory.mktemp("project")
    profile = project / "reports" / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_CACHE_DIR", str(project / "cache"))
        patch.setattr(paths, "notebooks_dir", lambda: project / "notebooks")
        fill(begin(profile / "01_small"))
        other = begin(profile / "02_small")
        # The first set lacks an expression that the second has, and that comes before the others as an output.
        other.add_scores(faces(), said(2), CLASSES, split="test", seed=0, **ABOUT | {"model": "B1"})
        other.add_scores(faces("neutral"), said(3, 4), ["neutral", *CLASSES], split="test", seed=0, **ABOUT)
        other.finish()
        for name in RUNS:
            (profile / name / "executed.ipynb.gz").write_bytes(gzip.compress(b'{"cells": ["0.61"]}', mtime=0))
            (profile / f"{name}.html").write_text("<td>61.0 %</td>")
        runs.write_csv(runs.joined_results(profile), profile / "results.csv")
        write_files(project / "notebooks/profiles/small", {f"{name}.yaml": "" for name in (*RUNS, "03_absent")})
        verify.seal(profile)
    write_files(project, {"data/claims.csv": "", ".gitignore": "/reports/*/.*\n/cache/\n/notebooks/\n"})
    git(project, "init", "--quiet")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "Runs")
    git(project, "tag", "sealed")
    return project


@pytest.fixture
def profile(project, monkeypatch):
    """The profile of `project`, to change; afterwards it is as before."""
    monkeypatch.setattr(paths, "notebooks_dir", lambda: project / "notebooks")
    yield project / "reports/small"
    git(project, "reset", "--quiet", "--hard", "sealed")
    git(project, "clean", "--quiet", "--force", "-d", "reports/small")


def edit(file: Path, column: str, text: str) -> None:
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    assert frame.loc[0, column] != text
    frame.loc[0, column] = text
    runs.write_csv(frame, file)


def test_untouched_runs_have_no_difference_and_every_metric_is_computed_anew(profile, capsys):
    rows = len(pd.read_csv(profile / "01_small/results.csv"))
    assert verify.main([str(profile)]) == 0
    printed = capsys.readouterr().out
    assert f"01_small: {rows - 1} of {rows} rows computed anew" in printed  # all but the count of images
    assert "# absent: 03_absent" in (profile / "SHA256SUMS").read_text()
    assert {line[66:] for line in (profile / "SHA256SUMS").read_text().splitlines()[1:]} == {*COMMITTED}
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=profile, check=True)


def test_one_bit_in_any_committed_file_is_found_and_the_file_named(profile):
    for name in (*COMMITTED, "SHA256SUMS"):
        before = (profile / name).read_bytes()
        half = len(before) // 2
        (profile / name).write_bytes(before[:half] + bytes([before[half] ^ 1]) + before[half + 1 :])
        found = list(verify.changed_files(profile))
        assert name == "SHA256SUMS" or f"{profile / name} was changed: SHA256SUMS says otherwise" in found
        assert f"not as committed:  M reports/small/{name}" in found
        (profile / name).write_bytes(before)


@pytest.mark.parametrize("sealed", [False, True])
def test_run_that_has_vanished_with_its_rows_is_missed_even_if_the_rest_is_sealed_without_it(profile, sealed):
    git(profile, "rm", "--quiet", "-r", "02_small", "02_small.html")
    for name in ("results.csv", "SHA256SUMS") if sealed else ("results.csv",):
        lines = (profile / name).read_text().splitlines(True)
        (profile / name).write_text("".join(line for line in lines if "02_small" not in line))
    if sealed:
        git(profile, "commit", "--quiet", "--all", "--message", "Nothing to see here")
    assert f"{profile}/02_small is gone: notebooks/profiles defines it" in "\n".join(verify.changed_files(profile))


@pytest.mark.parametrize("row", SCORES, ids=lambda row: "-".join(row.values()))
def test_changed_digit_of_a_result_is_found(profile, row):
    own = profile / "01_small/results.csv"
    frame = pd.read_csv(own, dtype=str, keep_default_na=False)
    line = int(np.flatnonzero((frame[list(row)] == list(row.values())).all(axis=1))[0])
    written = ["value"] if row["metric"] == "optimism_of_copies" else ["value", "n", "ci_low", "ci_high"]
    changed = [column for column in written if frame.loc[line, column]]
    for column in changed:
        text = frame.loc[line, column]
        place = 3 if len(text) > 5 else len(text) - 1
        frame.loc[line, column] = text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :]
    runs.write_csv(frame, own)
    found = verify.verify(profile / "01_small")[1]
    for column in changed:
        assert any(f"01_small/results.csv, line {line + 2} (" in one and f": {column} " in one for one in found)


@pytest.mark.parametrize(("column", "text"), PREDICTED)
def test_changed_prediction_is_found_even_where_everything_is_sealed_and_committed(profile, column, text):
    edit(profile / "01_small/predictions.csv.gz", column, text)
    verify.seal(profile)
    git(profile, "commit", "--quiet", "--all", "--message", "Nothing to see here")
    assert list(verify.changed_files(profile)) == []
    assert verify.verify(profile / "01_small")[1] != []


@pytest.mark.parametrize("name", [*(f"01_small{file}" for file in OF_RUN[1:4]), "results.csv"])
@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08damaged", "", None], ids=["empty", "damaged", "cut", "gone"])
def test_damaged_cut_or_missing_file_is_a_sentence(profile, name, content):
    before = (profile / name).read_bytes()
    content = b"".join(before.splitlines(True)[:-1]) if content == "" else content  # without its last row
    (profile / name).unlink() if content is None else (profile / name).write_bytes(content)
    _, wrong, files = verify.verify(profile)
    assert any(name in one for one in files)
    assert wrong or name.endswith("run.json")


def test_new_files_are_sealed_only_if_their_numbers_are_well(profile):
    (profile / "01_small.html").write_text("<td>rendered anew</td>")
    assert verify.main([str(profile), "--seal"]) == 0
    assert not any("01_small.html was changed" in one for one in verify.changed_files(profile))
    edit(profile / "02_small/results.csv", "value", "0.5")
    assert verify.main([str(profile), "--seal"]) == 1
    assert any("02_small/results.csv was changed" in one for one in verify.changed_files(profile))
    assert all(verify.verify(profile / "02_small")[1:]) and not verify.verify(profile / "01_small")[1]


def test_ctrl_c_ends_in_a_word_and_seals_nothing(profile, monkeypatch):
    monkeypatch.setattr(verify, "verify", Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(verify, "seal", Mock(side_effect=AssertionError))
    with pytest.raises(SystemExit, match="130"):
        verify.main([str(profile), "--seal"])


def test_what_git_was_told_not_to_look_at_or_does_not_hold_is_not_as_committed(profile):
    git(profile, "update-index", "--assume-unchanged", "01_small/run.json")
    assert list(verify.changed_files(profile)) != [] and "01_small/run.json" in next(verify.changed_files(profile))
    git(profile, "update-index", "--no-assume-unchanged", "01_small/run.json")
    git(profile, "update-index", "--skip-worktree", "../../data/claims.csv")
    assert any("claims.csv: git update-index --no-skip-worktree" in one for one in verify.changed_files(profile))
    git(profile, "rm", "-r", "--quiet", "--cached", ".")
    git(profile, "commit", "--quiet", "--message", "Nothing here")
    (profile / ".gitignore").write_text("*")
    assert any("nothing confirms" in one for one in verify.changed_files(profile))


def test_folder_without_finished_runs_is_an_error_that_says_what_to_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished run in .*: name reports/<profile>"):
        verify.verify(tmp_path)
