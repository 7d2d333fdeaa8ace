"""The study itself: from a clean copy on drawn faces, killed and taken up again; its pages, and the committed ones."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pandas as pd
import psutil
import pytest

from fer_helpers import paths
from fer_helpers.study import benchmark, claims
from fer_helpers.study.runs import COLUMNS, joined_results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * 2_100 + 300)]

RUNS = sorted(file.stem for file in (paths.notebooks_dir() / "profiles" / "smoke").glob("*.yaml"))
COMMITTED = [
    about for about in sorted(paths.reports_dir().glob("*/*/run.json")) if about.parts[-3] not in ("smoke", "by_hand")
]
joined = cache(lambda profile: joined_results(profile).to_csv(index=False))
PATIENCE = 2_100  # seconds; the study takes a fraction of them on two idle cores


def start_study(project: Path, log: Path, *arguments: str) -> subprocess.Popen:
    """`make study` without the installation, in a session of its own."""
    environment = os.environ | {"PYTHONPATH": str(project), "FER_CACHE_DIR": str(project / "data" / "cache")}
    command = [sys.executable, "-m", "fer_helpers.study", "--profile", "smoke", "--cores", str(os.cpu_count())]
    with open(log, "w") as output:
        where = {"cwd": project, "env": environment, "stdout": output, "stderr": output}
        return subprocess.Popen([*command, *arguments], **where, start_new_session=True)


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> tuple[Path, list[str]]:
    """A copy of the tracked project whose study was killed in its first training, and taken up again; both logs."""
    project = tmp_path_factory.mktemp("clean") / "project"
    tracked = subprocess.check_output(["git", "ls-files", "-z"], cwd=paths.PROJECT, text=True)
    for name in filter(None, tracked.split("\0")):
        if not name.startswith("reports/"):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(paths.PROJECT / name, project / name)
    drawn = paths.cache_dir() / "generated"  # what another test has drawn need not be drawn again
    drawn.mkdir(parents=True, exist_ok=True)
    (project / "data" / "cache").mkdir()
    (project / "data" / "cache" / "generated").symlink_to(drawn)
    logs = [project.parent / "first.log", project.parent / "second.log"]
    first, end = start_study(project, logs[0], "--run", "01_huang_2024"), time.monotonic() + PATIENCE
    while "| epoch 2 of" not in logs[0].read_text():
        assert first.poll() is None and time.monotonic() < end, logs[0].read_text()[-3_000:]
        time.sleep(0.5)
    for process in [*psutil.Process(first.pid).children(recursive=True), psutil.Process(first.pid)]:
        process.kill()  # kernels included, with no chance to clean up
    first.wait()
    assert start_study(project, logs[1]).wait(PATIENCE) == 0, logs[1].read_text()[-5_000:]
    return project, [log.read_text() for log in logs]


def test_a_killed_study_goes_on_and_a_training_resumes_after_its_last_epoch(studied):
    project, (first, second) = studied
    assert "01_huang_2024 | resumed after epoch" in second
    assert [word for word in ("cuInit", "Error", "Traceback", "WARNING") if word in first + second] == []
    assert not list((project / "data" / "cache" / "backups").glob("*"))


def test_every_run_finished_on_generated_faces_and_says_so_and_a_second_study_runs_no_notebook(studied):
    smoke, log = studied[0] / "reports" / "smoke", studied[0].parent / "third.log"
    for run in RUNS:
        about = json.loads((smoke / run / "run.json").read_text())
        assert about["status"] == "finished"
        assert {entry["source"] for entry in about["data"]} == {"generated faces"}
        assert "Generated faces" in (smoke / f"{run}.html").read_text()
        assert b"Warning: " not in gzip.decompress((smoke / run / "executed.ipynb.gz").read_bytes()), run
    collected = pd.read_csv(smoke / "results.csv")
    assert tuple(collected.columns) == COLUMNS and set(collected["run"]) == set(RUNS)
    assert start_study(studied[0], log).wait(PATIENCE) == 0
    assert "| started" not in log.read_text()
    assert not (studied[0] / "reports" / "index.html").exists(), "it is committed: make index alone writes it"


@pytest.fixture
def untraced(untraced_numbers):
    """Numbers in the tables of a page that are not in the run's results.csv, in claims.csv, or a target."""

    def untraced(run: Path) -> list[str]:
        numbers = pd.concat([pd.read_csv(run / "results.csv"), benchmark.targets().rename(columns={"target": "value"})])
        return untraced_numbers(run.with_name(f"{run.name}.html").read_text(), numbers, claims.load())

    return untraced


def test_every_number_in_the_tables_is_in_the_results_or_claims_and_pages_open_offline(studied, untraced, open_page):
    smoke = studied[0] / "reports" / "smoke"
    assert {run: numbers for run in RUNS if (numbers := untraced(smoke / run))} == {}
    for file in [smoke / "index.html", *(smoke / f"{run}.html" for run in RUNS)]:
        assert_page_is_whole(file, open_page)


def assert_page_is_whole(file: Path, open_page) -> None:
    """A page is small, and every figure is drawn and has its text; `open_page` checks requests and the console."""
    assert file.stat().st_size < 3_000_000
    figure = "image => [image.naturalWidth > 0, image.alt.trim() !== '']"
    figures = open_page(file).locator("img").evaluate_all(f"all => all.map({figure})")
    assert all(drawn and described for drawn, described in figures)


@pytest.mark.parametrize("about", COMMITTED, ids=lambda file: f"{file.parts[-3]}/{file.parts[-2]}")
def test_committed_pages_are_whole_traced_and_show_no_real_face(about, open_page, untraced):
    run, content = about.parent, json.loads(about.read_text())
    assert content["status"] == "finished"
    assert not content["parameters"].get("show_faces", False)
    assert "+changes" not in content["commit"], "a committed result comes from committed code"
    assert untraced(run) == []
    assert_page_is_whole(run.with_name(f"{run.name}.html"), open_page)
    assert (run.parent / "results.csv").read_text() == joined(run.parent)
