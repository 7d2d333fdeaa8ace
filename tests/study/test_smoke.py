"""The study itself: run from a clean copy on generated faces, killed and taken up again; its pages, and the committed ones, are checked."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from fer_helpers import paths
from fer_helpers.study import benchmark, claims
from fer_helpers.study.runs import COLUMNS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * 2_100 + 300)]

RUNS = sorted(file.stem for file in (paths.notebooks_dir() / "profiles" / "smoke").glob("*.yaml"))
COMMITTED = [
    run for run in sorted(paths.reports_dir().glob("*/*/run.json")) if run.parts[-3] not in ("smoke", "by_hand")
]
PATIENCE = 2_100  # seconds; the study takes less than half of them on two idle cores


def start_study(project: Path, log: Path) -> subprocess.Popen:
    """`make study` without the installation, in a session of its own."""
    environment = os.environ | {"PYTHONPATH": str(project), "FER_CACHE_DIR": str(project / "data" / "cache")}
    command = [sys.executable, "-m", "fer_helpers.study", "--profile", "smoke", "--cores", str(os.cpu_count())]
    with open(log, "w") as output:
        return subprocess.Popen(
            command, cwd=project, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def kill_everything(process: subprocess.Popen, project: Path) -> None:
    """Kill a study and whatever works for it, kernels included, with no chance to clean up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(["pkill", "-KILL", "-f", f"{project}/reports/smoke"], check=False)


def wait_for_second_epoch(log: Path, process: subprocess.Popen) -> None:
    """Wait until a training has finished its first epoch, at least."""
    end = time.monotonic() + PATIENCE
    while "Epoch 3/" not in log.read_text():
        assert process.poll() is None and time.monotonic() < end, log.read_text()[-3_000:]
        time.sleep(0.5)


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> tuple[Path, list[str]]:
    """A copy of the tracked project in which the study was killed while it trained, and taken up again; and the logs of both."""
    project = tmp_path_factory.mktemp("clean") / "project"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=paths.PROJECT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if not name.startswith("reports/"):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.PROJECT / name, project / name)
    logs = [project.parent / "first.log", project.parent / "second.log"]
    first = start_study(project, logs[0])
    wait_for_second_epoch(logs[0], first)
    kill_everything(first, project)
    status = start_study(project, logs[1]).wait(PATIENCE)
    assert status == 0, logs[1].read_text()[-5_000:]
    return project, [log.read_text() for log in logs]


def test_a_killed_study_goes_on_and_a_training_resumes_after_its_last_epoch(studied):
    _, (first, second) = studied
    assert "resumed after epoch" in second
    finished_before = [run for run in RUNS if f"{run} | finished" in first]
    assert all(f"{run} | started" not in second for run in finished_before)


def test_every_run_finished_on_generated_faces_and_says_so(studied):
    project, _ = studied
    for run in RUNS:
        about = json.loads((project / "reports" / "smoke" / run / "run.json").read_text())
        assert about["status"] == "finished"
        assert {entry["source"] for entry in about["data"]} == {"generated faces"}
        assert "Generated faces" in (project / "reports" / "smoke" / f"{run}.html").read_text()


def test_a_second_study_runs_no_notebook_and_is_over_in_twenty_seconds(studied):
    project, _ = studied
    begin = time.monotonic()
    log = project.parent / "third.log"
    assert start_study(project, log).wait(PATIENCE) == 0
    assert time.monotonic() - begin < 20
    assert "| started" not in log.read_text()


def test_all_results_are_collected_with_the_documented_columns(studied):
    project, _ = studied
    collected = pd.read_csv(project / "reports" / "smoke" / "results.csv")
    assert tuple(collected.columns) == COLUMNS
    assert set(collected["run"]) == set(RUNS)


def test_backups_are_gone_once_their_run_has_finished(studied):
    project, _ = studied
    assert not list((project / "data" / "cache" / "backups").glob("*"))


def test_every_number_in_the_tables_is_in_the_results_or_the_claims(studied, untraced_numbers):
    project, _ = studied
    for run in RUNS:
        assert_numbers_are_traced(project / "reports" / "smoke" / run, untraced_numbers)


def assert_numbers_are_traced(run: Path, untraced_numbers) -> None:
    """Each number in the tables of a run's page is in its results.csv, in claims.csv where the paper prints it, or a target of a benchmark."""
    page = run.with_name(f"{run.name}.html").read_text()
    numbers = pd.concat([pd.read_csv(run / "results.csv"), benchmark.targets().rename(columns={"target": "value"})])
    assert untraced_numbers(page, numbers, claims.load()) == []


def test_pages_open_without_a_network(studied, open_page):
    project, _ = studied
    for file in [project / "reports" / "index.html", *(project / "reports" / "smoke" / f"{run}.html" for run in RUNS)]:
        assert_page_is_whole(file, open_page)


def assert_page_is_whole(file: Path, open_page) -> None:
    """A page is small, every figure of it is drawn, and every figure has its text; `open_page` checks requests and the console."""
    assert file.stat().st_size < 3_000_000
    images = (
        open_page(file)
        .locator("img")
        .evaluate_all("all => all.map(image => [image.naturalWidth > 0, image.alt.trim() !== ''])")
    )
    assert all(drawn and told for drawn, told in images)


@pytest.mark.parametrize("about", COMMITTED, ids=lambda file: f"{file.parts[-3]}/{file.parts[-2]}")
def test_committed_pages_are_whole_traced_and_show_no_real_face(about, open_page, untraced_numbers):
    run, content = about.parent, json.loads(about.read_text())
    page = run.with_name(f"{run.name}.html")
    assert content["status"] == "finished"
    assert not content["parameters"].get("show_faces", False)
    assert "+changes" not in content["commit"], "a committed result comes from committed code"
    assert_numbers_are_traced(run, untraced_numbers)
    assert_page_is_whole(page, open_page)


@pytest.mark.skipif(not COMMITTED, reason="no committed run")
def test_committed_results_are_those_of_the_committed_runs():
    for profile in sorted({about.parent.parent for about in COMMITTED}):
        collected = pd.read_csv(profile / "results.csv")
        assert tuple(collected.columns) == COLUMNS
        assert len(collected) == sum(len(pd.read_csv(run)) for run in profile.glob("*/results.csv"))
