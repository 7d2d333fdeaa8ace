"""The study as a whole, in a copy of the project whose only notebook ends as it is told: failures, kills, locks, going on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from fer_helpers import paths
from fer_helpers.study import __main__ as study
from fer_helpers.study.runs import COLUMNS

FIXTURES = Path(__file__).parent / "fixtures"
PATIENCE = 300  # seconds to wait for what takes a few on an idle machine


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    folder: Path

    def add(self, run: str, **parameters: object) -> None:
        """Add a run to the profile `smoke`; its notebook is the one that ends as it is told."""
        profile = self.folder / "notebooks" / "profiles" / "smoke"
        profile.mkdir(parents=True, exist_ok=True)
        (profile / f"{run}.yaml").write_text(yaml.safe_dump({"columns": ",".join(COLUMNS)} | parameters))
        shutil.copy(FIXTURES / "ends_as_told.ipynb", self.folder / "notebooks" / f"{run.partition('.')[0]}.ipynb")

    def start(self, *arguments: str, log: str = "study.log") -> subprocess.Popen:
        """Begin a study in a session of its own, as from a terminal; it writes into a file, since what it leaves running would keep a pipe open."""
        command = [sys.executable, "-m", "fer_helpers.study", "--cores", "2", *arguments]
        with open(self.folder / log, "w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def study(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a study."""
        status = self.start(*arguments).wait(PATIENCE)
        return status, (self.folder / "study.log").read_text()

    def about(self, run: str) -> dict:
        """What `run.json` says of a run of the profile `smoke`."""
        return json.loads((self.folder / "reports" / "smoke" / run / "run.json").read_text())

    def wait_for(self, text: str) -> None:
        """Wait until a study has printed something."""
        end = time.monotonic() + PATIENCE
        while text not in (self.folder / "study.log").read_text():
            assert time.monotonic() < end, (self.folder / "study.log").read_text()
            time.sleep(0.1)

    def planned_runs(self, *config: str) -> list[dict[str, str]]:
        """The notebooks that Snakemake would run, each with what it says of the job: input, output, threads, resources."""
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--dry-run",
            "--quiet",
            "host",
            "--cores",
            "4",
            "--config",
            "profile=smoke",
            *config,
        ]
        plan = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True).stdout
        jobs = [part.split("\n[")[0] for part in plan.split("\nrule run:\n")[1:]]
        return [dict(line.strip().split(": ", 1) for line in job.splitlines() if ": " in line) for job in jobs]


@pytest.fixture
def real_pages(tmp_path) -> Project:
    """A copy of the project without its notebooks."""
    folder = tmp_path / "a project"
    shutil.copytree(paths.PROJECT / "fer_helpers", folder / "fer_helpers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.PROJECT / "Snakefile", folder)
    (folder / "data").mkdir()
    shutil.copy(paths.PROJECT / "data" / "claims.csv", folder / "data")
    return Project(folder)


@pytest.fixture
def project(real_pages) -> Project:
    """The same, with pages that are made at once."""
    shutil.copy(FIXTURES / "quick_report.py", real_pages.folder / "fer_helpers" / "report.py")
    return real_pages


def has_ended(process: int) -> bool:
    """Whether a process is gone within a few seconds."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.2)
    return False


@pytest.mark.slow
def test_after_a_failure_the_other_notebooks_run_and_the_index_shows_it_in_red(real_pages):
    real_pages.add("00_any.bad", ending="raised")
    real_pages.add("01_other")
    status, output = real_pages.study()
    assert status != 0
    assert (real_pages.about("00_any.bad")["status"], real_pages.about("01_other")["status"]) == ("failed", "finished")
    assert output.splitlines()[-1] == f"FAILED smoke/00_any.bad: {real_pages.about('00_any.bad')['error']}"
    reports = real_pages.folder / "reports"
    assert (reports / "smoke" / "results.csv").read_text().splitlines()[1].startswith("01_other,")
    index = (reports / "index.html").read_text()
    assert 'class="status failed"' in index
    assert "this notebook was told to fail" in index
    assert "this notebook was told to fail" in (reports / "smoke" / "00_any.bad.html").read_text()
    assert [job["wildcards"] for job in real_pages.planned_runs()] == ["run=00_any.bad"]  # the next study tries again


@pytest.mark.slow
def test_a_second_study_runs_nothing_until_it_is_forced_or_something_has_changed(project):
    project.add("00_any")
    status, output = project.study()
    assert status == 0
    assert f"Reports: {(project.folder / 'reports' / 'index.html').as_uri()}" in output.splitlines()[-1]
    first = project.about("00_any")

    begun = time.monotonic()
    status, output = project.study()
    assert (status, project.about("00_any")) == (0, first)
    assert time.monotonic() - begun < 20
    assert (
        "Profile smoke is up to date: no notebook was run. To run them again: make study PROFILE=smoke FORCE=1"
        in output
    )

    status, output = project.study("--force")
    forced = project.about("00_any")
    assert (status, forced["process"] != first["process"]) == (0, True)

    (project.folder / "fer_helpers" / "study.py").open("a").write("\n")
    assert not project.planned_runs()
    (project.folder / "fer_helpers" / "splits.py").open("a").write("\n")
    assert len(project.planned_runs()) == 1


@pytest.mark.slow
def test_killed_without_warning_a_study_goes_on_where_it_was(project):
    project.add("00_any.short")
    project.add("05_scoreboard", epochs=50)  # it waits for the other
    killed = project.start()
    project.wait_for("05_scoreboard | Epoch 3/")
    short, kernel = project.about("00_any.short"), project.about("05_scoreboard")["process"]

    second = project.start(log="second.log")
    assert second.wait(PATIENCE) == 1
    assert (
        (project.folder / "second.log")
        .read_text()
        .startswith("a study is already running here: wait for its end, or stop it with: kill ")
    )

    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert has_ended(kernel)
    assert project.about("05_scoreboard")["status"] == "running"

    status, output = project.study()
    assert status == 0, output
    assert project.about("00_any.short") == short
    assert "00_any.short |" not in output
    assert project.about("05_scoreboard")["status"] == "finished"


@pytest.mark.slow
def test_a_run_ends_with_the_snakemake_that_started_it_and_with_it_its_kernel(project):
    project.add("00_any", epochs=1000)
    begun = project.start()
    project.wait_for("00_any | Epoch 3/")
    kernel = project.about("00_any")["process"]
    snakemake = int((project.folder / ".snakemake" / "study.lock").read_text())
    os.kill(snakemake, signal.SIGKILL)
    assert begun.wait(PATIENCE) != 0
    assert has_ended(kernel)
    assert "NOT RUN TO ITS END smoke/00_any" in (project.folder / "study.log").read_text()
    assert (project.folder / ".snakemake" / "study.lock").read_text() == str(
        snakemake
    )  # the next study clears Snakemake's own lock


def test_a_profile_that_does_not_exist_is_refused_and_those_that_do_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    project = Project(tmp_path)
    project.add("00_any")
    (tmp_path / "notebooks" / "profiles" / "empty").mkdir()
    with pytest.raises(ValueError, match="^no profile is called 'smoek': there are smoke$"):
        study.study("smoek", cores=1)


def test_faces_are_drawn_first_and_the_scoreboard_waits_for_every_other_run(project):
    project.add("00_any.ferplus", data="generated", dataset="ferplus")
    project.add("01_other", data="generated")
    project.add("05_scoreboard")
    named, other, scoreboard = sorted(project.planned_runs(), key=lambda job: job["output"])
    assert "drawn/ferplus" in named["input"]
    assert "drawn/ferplus" in other["input"]
    assert "drawn" not in scoreboard["input"]
    assert f"{other['output']}, " in scoreboard["input"]


def test_a_run_on_a_saved_body_waits_for_the_run_that_trains_it_which_is_run_too(project):
    project.add("01_any")
    project.add("03_other", weights="scratch")
    project.add("03_other.body_of_01", weights="data/cache/models/smoke.01_any.weights.h5")
    trained, other, on_body = sorted(project.planned_runs(), key=lambda job: job["wildcards"])
    assert trained["output"] not in other["input"]
    assert f"{trained['output']}, " in on_body["input"]
    assert {job["output"] for job in project.planned_runs("run=03_other.body_of_01")} == {
        trained["output"],
        on_body["output"],
    }


def test_two_gpus_share_the_cores_between_two_runs(project):
    project.add("00_any")
    (job,) = project.planned_runs("gpus=2")
    assert (job["threads"], "gpu=1" in job["resources"]) == ("2", True)
