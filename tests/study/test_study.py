"""The study as a whole, in a copy of the project with notebooks that end as they are told: what is stale, kills."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml

from fer_helpers import paths
from fer_helpers.study import __main__ as study
from fer_helpers.study import parameters, runs

PROJECT = paths.PROJECT
FIXTURES = Path(__file__).parent.parent / "fixtures"
PATIENCE = 300  # seconds to wait for what takes a few on an idle machine
# Stands in for the report: its index names the runs, and it takes as long as a file `slow` is there.
QUICK_REPORT = """
import time
from pathlib import Path
def main(arguments):
    folder = Path(arguments[1])
    while Path("slow").exists():
        (folder / "rendering").touch()
        time.sleep(0.1)
    (folder / "index.html").write_text(" ".join(sorted(file.parent.name for file in folder.glob("[!.]*/run.json"))))
"""


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    folder: Path

    def add(self, run: str, declared: str = "", cell: str = "", **passed: object) -> None:
        """Add a run to the profile `smoke`; its notebook ends as it is told, and may declare or do more than others."""
        profile = self.folder / "notebooks" / "profiles" / "smoke"
        profile.mkdir(parents=True, exist_ok=True)
        (profile / f"{run}.yaml").write_text(yaml.safe_dump(passed))
        notebook = json.loads((FIXTURES / "ends_as_told.ipynb").read_text())
        parameters = next(cell for cell in notebook["cells"] if cell["metadata"].get("tags"))
        parameters["source"] += f"\n{declared}"
        notebook["cells"][-1]["source"] += f"\n{cell}"
        (self.folder / "notebooks" / f"{run.partition('.')[0]}.ipynb").write_text(json.dumps(notebook))

    def start(self, *arguments: str, log: str = "study.log") -> subprocess.Popen:
        """Begin a study in a session of its own, as from a terminal; what it leaves running would keep a pipe open."""
        command = [sys.executable, "-m", "fer_helpers.study", "--cores", "2", *arguments]
        with open(self.folder / log, "w") as output:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def study(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a study."""
        status = self.start(*arguments).wait(PATIENCE)
        return status, (self.folder / "study.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder), "FER_CACHE_DIR": str(self.folder / "data" / "cache")}

    def about(self, run: str) -> dict:
        """What `run.json` says of the last attempt at a run of the profile `smoke`."""
        return runs.latest(self.folder / "reports" / "smoke" / run).about

    def wait_for(self, text: str) -> None:
        """Wait until a study has printed something."""
        end = time.monotonic() + PATIENCE
        while text not in (self.folder / "study.log").read_text():
            assert time.monotonic() < end, (self.folder / "study.log").read_text()
            time.sleep(0.1)

    def planned(self, *config: str) -> dict[str, dict[str, str]]:
        """The notebooks that Snakemake would run, and what it says of each job: input, output, threads, resources."""
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "4", "--quiet", "host"]
        plan = subprocess.run(
            [*command, "--config", "profile=smoke", *config],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        jobs = [part.split("\n[")[0] for part in plan.stdout.split("\nrule run:\n")[1:]]
        about = [dict(line.strip().split(": ", 1) for line in job.splitlines() if ": " in line) for job in jobs]
        return {job["wildcards"].removeprefix("run="): job for job in about}


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    """A copy of the project without its notebooks, with pages that are made at once."""
    folder = tmp_path / "a project"
    monkeypatch.setattr(paths, "PROJECT", folder)
    for name in ("fer_helpers", "profiles"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "Snakefile", folder)
    (folder / "notebooks" / "profiles" / "smoke").mkdir(parents=True)
    (folder / "fer_helpers" / "study" / "report.py").write_text(QUICK_REPORT)
    return Project(folder)


def has_ended(process: int) -> bool:
    """Whether a process is gone within some seconds."""
    end = time.monotonic() + 60
    while psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


# --------------------------------------------------------------------------------------------------------------- plans


def finished(project: Project, run: str, **about: object) -> Path:
    """Leave a run as it is after it has finished; returns its `run.json`."""
    file = project.folder / "reports" / "smoke" / run / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    notebook = project.folder / "notebooks" / f"{run.partition('.')[0]}.ipynb"
    passed = yaml.safe_load((project.folder / "notebooks" / "profiles" / "smoke" / f"{run}.yaml").read_text())
    fingerprint = parameters.fingerprint(notebook, parameters.resolved(notebook, passed))
    times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:00:00+00:00"}
    content = {"status": "finished", "data": [], "fingerprint": fingerprint} | times | about
    file.write_text(json.dumps(content))
    return file


# A file of the project, a pattern in it, and what is put in its place.
CHANGES_NOTHING = {
    "a page's template": ("fer_helpers/study/templates/style.css", r"\Z", "/* */"),
    "the report": ("fer_helpers/study/report.py", r"\Z", "#"),
    "the runner": ("fer_helpers/study/runner.py", r"\Z", "#"),
    "the code that keeps runs": ("fer_helpers/study/runs.py", r"\Z", "#"),
    "the download": ("fer_helpers/download.py", r"\Z", "#"),
    "a test": ("tests/test_any.py", r"\Z", "#"),
    "drawn faces, which it does not see": ("fer_helpers/drawn/drawing.py", r"\Z", "#"),
    "a module that it does not import": ("fer_helpers/duplicates.py", r"\Z", "#"),
    "outputs of the notebook": ("notebooks/00_any.ipynb", r'"execution_count": null', '"execution_count": 7'),
    "a comment among the parameters": ("notebooks/profiles/smoke/00_any.yaml", r"\Z", "# why\n"),
}
MAKES_STALE = {
    "a cell of the notebook": ("notebooks/00_any.ipynb", r"time.sleep\(0.1\)", "time.sleep(0.2)"),
    "a parameter": ("notebooks/profiles/smoke/00_any.yaml", r"\Z", "epochs: 2\n"),
    "a module that it imports": ("fer_helpers/splits.py", r"\Z", "#"),
    "a module that this one imports": ("fer_helpers/datasets/table.py", r"\Z", "#"),
    "what computes its scores": ("fer_helpers/evaluation.py", r"\Z", "#"),
}


def change(project: Project, name: str, pattern: str, replacement: str) -> None:
    """Change the first place in a file that fits a pattern."""
    text = (project.folder / name).read_text()
    (project.folder / name).write_text(re.sub(pattern, replacement, text, count=1))
    assert (project.folder / name).read_text() != text


def test_a_run_is_stale_when_its_notebook_parameters_or_imports_have_changed_and_only_then(project):
    project.add("00_any", rate=0.01)
    (project.folder / "tests").mkdir()
    (project.folder / "tests" / "test_any.py").touch()
    finished(project, "00_any")
    for changed in CHANGES_NOTHING.values():
        change(project, *changed)
    assert project.planned() == {}
    folder, file = project.folder / "reports/smoke/00_any", project.folder / "notebooks/profiles/smoke/00_any.yaml"
    assert runs.why_stale(folder, file) == ""
    for what, changed in MAKES_STALE.items():
        before = (project.folder / changed[0]).read_text()
        change(project, *changed)
        assert runs.why_stale(folder, file), what
        (project.folder / changed[0]).write_text(before)
    change(project, *changed)
    assert set(project.planned()) == {"00_any"}


def why_stale(project: Project, run: str = "00_any") -> str:
    """What the runs themselves say, without Snakemake."""
    file = project.folder / "notebooks" / "profiles" / "smoke" / f"{run}.yaml"
    return runs.why_stale(project.folder / "reports" / "smoke" / run, file)


def test_a_run_is_stale_when_its_archive_has_another_size(project):
    archive = project.folder / "jaffe.zip"
    archive.write_bytes(b"zip")
    project.add("00_any", cell='datasets.load("jaffe", data)', data=str(archive))
    finished(project, "00_any", data=[{"dataset": "jaffe", "found_as": "jaffe.zip", "bytes": 3}])
    assert why_stale(project) == ""
    archive.write_bytes(b"another zip")
    assert "was run on another jaffe" in why_stale(project)
    archive.unlink()
    assert why_stale(project) == "", "without the data nothing is known of it"


def test_runs_from_before_fingerprints_are_up_to_date_unless_forced(project):
    for run in ("00_any", "01_other"):
        project.add(run)
        file = finished(project, run)
        file.write_text(file.read_text().replace('"fingerprint"', '"of before"'))
    assert why_stale(project) == ""
    assert set(project.planned("force=1", "run=00_any")) == {"00_any"}
    file.write_text("{ damaged")
    assert set(project.planned()) == {"01_other"}


def test_faces_are_drawn_first_and_the_scoreboard_waits_for_every_other_run(project):
    project.add("00_any", cell='datasets.load("ferplus", data)', data="generated")
    project.add("01_other")
    project.add("05_scoreboard", declared='profiles = ["smoke"]  # whose runs it compares')
    planned = project.planned()
    assert "drawn/ferplus" in planned["00_any"]["input"]
    assert "input" not in planned["01_other"]
    assert planned["05_scoreboard"]["input"].split(", ") == [planned[run]["output"] for run in ("00_any", "01_other")]


def test_a_scoreboard_is_stale_when_a_run_that_it_compares_has_ended_since(project):
    project.add("01_other")
    project.add("05_scoreboard", declared='profiles = ["smoke"]  # whose runs it compares')
    finished(project, "01_other")
    finished(project, "05_scoreboard")
    finished(project, "01_other", ended="2026-01-01T00:00:01+00:00")
    assert set(project.planned()) == {"05_scoreboard"}


def test_a_rule_of_verdicts_makes_the_scoreboard_stale_and_no_training(project):
    project.add("01_other", cell="from fer_helpers.study import claims")
    project.add("05_scoreboard", declared='profiles = ["smoke"]  # whose runs it compares')
    for run in ("01_other", "05_scoreboard"):
        finished(project, run)
        assert why_stale(project, run) == ""
    change(project, "fer_helpers/study/claims/verdicts.py", r"\Z", "#")
    assert [bool(why_stale(project, run)) for run in ("01_other", "05_scoreboard")] == [False, True]


def test_a_run_on_a_saved_body_waits_for_the_run_that_trains_it_which_is_run_too(project):
    project.add("01_any")
    project.add("03_other")
    project.add("03_other.body_of_01", weights="data/cache/models/smoke.01_any.weights.h5")
    finished(project, "01_any")
    finished(project, "03_other")
    planned = project.planned("run=03_other.body_of_01")
    assert set(planned) == {"01_any", "03_other.body_of_01"}, "the body is not there"
    assert planned["03_other.body_of_01"]["input"] == planned["01_any"]["output"]


def test_small_runs_take_a_core_each_and_gpus_share_the_cores_between_their_runs(project):
    project.add("00_small", data="generated")
    project.add("01_other")
    assert {run: job.get("threads", "1") for run, job in project.planned().items()} == {
        "00_small": "1",
        "01_other": "4",
    }
    job = project.planned("gpus=2")["01_other"]
    assert (job["threads"], "gpu=1" in job["resources"]) == ("2", True)


# --------------------------------------------------------------------------------------------------------------- whole


@pytest.mark.slow
def test_a_failed_run_leaves_the_finished_one_before_it_and_others_run_on(project):
    project.add("00_any")
    assert project.study()[0] == 0
    smoke = project.folder / "reports" / "smoke"
    before = {file.name: file.read_bytes() for file in (smoke / "00_any").iterdir()}
    assert sorted(before) == ["executed.ipynb.gz", "results.csv", "run.json"]

    project.add("00_any", ending="raised")
    project.add("00_any.unknown", epoch=3)
    project.add("01_other")
    status, output = project.study()
    assert status != 0
    error = 'ValueError: this notebook was told to fail (in cell [5]: if ending == "raised":)'
    unknown = "RunError: 00_any has no parameter epoch: it has ending, epochs, rate, data, weights, run_dir"
    assert output.splitlines()[-2:] == [f"FAILED smoke/00_any: {error}", f"FAILED smoke/00_any.unknown: {unknown}"]
    assert {file.name: file.read_bytes() for file in (smoke / "00_any").iterdir()} == before
    assert project.about("01_other")["status"] == "finished"
    assert (smoke / "index.html").read_text() == "00_any 00_any.failed 00_any.unknown.failed 01_other"
    assert not (project.folder / "reports" / "index.html").exists(), (
        "the committed index is written by make index alone"
    )


@pytest.mark.slow
def test_a_second_study_runs_nothing_until_it_is_forced(project):
    project.add("00_any")
    status, output = project.study()
    assert status == 0
    index = project.folder / "reports" / "smoke" / "index.html"
    assert f"Reports: {index.as_uri()}" in output.splitlines()[-1]
    first = project.about("00_any")
    status, output = project.study()
    assert (status, project.about("00_any")) == (0, first)
    assert "up to date: no notebook was run. To run them again: make study PROFILE=smoke FORCE=1" in output
    assert project.study("--force")[0] == 0
    assert project.about("00_any")["process"] != first["process"]


@pytest.mark.slow
def test_killed_without_warning_a_study_goes_on_where_it_was(project):
    project.add("00_any.short")
    project.add("05_scoreboard", declared='profiles = ["smoke"]  # whose runs it compares', epochs=1000)
    killed = project.start()
    project.wait_for("05_scoreboard | epoch 3 ")
    short, kernel = project.about("00_any.short"), project.about("05_scoreboard")["process"]

    second = project.start(log="second.log")
    assert second.wait(PATIENCE) == 1
    assert f"process {killed.pid} is running into" in (project.folder / "second.log").read_text()

    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert has_ended(kernel)
    assert project.about("05_scoreboard")["status"] == "running"

    (project.folder / "notebooks" / "profiles" / "smoke" / "05_scoreboard.yaml").write_text("epochs: 1\n")
    status, output = project.study()
    assert status == 0, output
    assert project.about("00_any.short") == short
    assert "00_any.short |" not in output
    assert project.about("05_scoreboard")["status"] == "finished"


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_training_killed_within_an_epoch_ends_with_the_numbers_of_one_that_was_not(project):
    """First the kernel is killed, then, an epoch later, the study."""
    shutil.copy(FIXTURES / "trains.ipynb", project.folder / "notebooks" / "00_trains.ipynb")
    for run in ("00_trains", "00_trains.unbroken"):
        (project.folder / "notebooks" / "profiles" / "smoke" / f"{run}.yaml").write_text("epochs: 4\n")
    assert project.study("--run", "00_trains.unbroken")[0] == 0
    for epoch in (1, 2):
        begun = project.start("--run", "00_trains")
        project.wait_for(f"00_trains | epoch {epoch} of 4")
        _, kernel = psutil.Process(begun.pid).children(recursive=True)
        (kernel if epoch == 1 else psutil.Process(begun.pid)).kill()
        assert begun.wait(PATIENCE) != 0
        assert has_ended(kernel.pid)
    status, output = project.study("--run", "00_trains")
    assert (status, "resumed after epoch 2" in output) == (0, True)
    smoke = project.folder / "reports" / "smoke"
    for name in ("history.csv", "predictions.csv.gz"):
        assert (smoke / "00_trains" / name).read_bytes() == (smoke / "00_trains.unbroken" / name).read_bytes()
    one, other = (runs.read(smoke / run).results.drop(columns="run") for run in ("00_trains", "00_trains.unbroken"))
    assert one.equals(other) and len(one) > 5
    assert not list((project.folder / "data" / "cache" / "backups").iterdir())


@pytest.mark.slow
def test_killed_while_pages_are_written_a_study_leaves_no_process_behind(project):
    project.add("00_any")
    (project.folder / "slow").touch()
    begun = project.start()
    end = time.monotonic() + PATIENCE
    while not (project.folder / "reports" / "smoke" / "rendering").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    children = psutil.Process(begun.pid).children(recursive=True)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    assert [child for child in children if not has_ended(child.pid)] == []
    (project.folder / "slow").unlink()
    assert project.study()[0] == 0
    assert (project.folder / "reports" / "smoke" / "index.html").exists()


def test_a_profile_or_run_that_does_not_exist_is_refused_and_those_that_do_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    Project(tmp_path).add("00_any")
    with pytest.raises(runs.RunError, match="^no profile is called 'smoek': there are smoke$"):
        study.study("smoek", cores=1)
    with pytest.raises(runs.RunError, match="^profile smoke has no run '01': there are 00_any$"):
        study.study("smoke", cores=1, run="01")
