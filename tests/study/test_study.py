"""The study in a copy of the project with notebooks that end as they are told: what is stale, kills, a cluster."""

import fcntl
import json
import os
import re
import shlex
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
def write_pages(folder):
    while Path("slow").exists():
        (folder / "rendering").touch()
        time.sleep(0.1)
    (folder / "index.html").write_text(" ".join(sorted(file.parent.name for file in folder.glob("[!.]*/run.json"))))
"""
SCOREBOARD = 'profiles = ["smoke"]  # whose runs it compares'
# A file of the project, a pattern in it, and what is put in its place.
CHANGES_NOTHING = [
    *((f"fer_helpers/study/{name}", r"\Z", "x = 1") for name in ("report.py", "runner.py", "runs.py")),
    ("fer_helpers/download.py", r"\Z", "x = 1"),
    ("fer_helpers/study/templates/style.css", r"\Z", "/* */"),
    ("fer_helpers/drawn/drawing.py", r"\Z", "x = 1"),  # faces that it does not see
    ("fer_helpers/duplicates.py", r"\Z", "x = 1"),  # which it does not import
    ("fer_helpers/splits.py", r"\Z", "# why\n"),
    ("fer_helpers/evaluation.py", r'^"""', '"""Otherwise. '),
    ("notebooks/00_any.ipynb", r'"execution_count": null', '"execution_count": 7'),
    ("notebooks/00_any.ipynb", "The run begins", "It begins"),
    ("notebooks/profiles/smoke/00_any.yaml", r"\Z", "# why\n"),
]
MAKES_STALE = [
    ("notebooks/00_any.ipynb", r"time.sleep\(0.1\)", "time.sleep(0.2)"),
    ("notebooks/profiles/smoke/00_any.yaml", r"\Z", "epochs: 2\n"),
    ("fer_helpers/splits.py", r"\Z", "x = 1"),  # which it imports
    ("fer_helpers/datasets/table.py", r"\Z", "x = 1"),  # which that imports
    ("fer_helpers/evaluation.py", r"\Z", "x = 1"),  # which computes its scores
]


@dataclass(frozen=True)
class Project:
    folder: Path

    def add(self, run: str, declared: str = "", cell: str = "", **passed: object) -> None:
        """Add a run to the profile `smoke`; its notebook ends as it is told, and may declare or do more than others."""
        self.file_of(run).parent.mkdir(parents=True, exist_ok=True)
        self.file_of(run).write_text(yaml.safe_dump(passed))
        notebook = json.loads((FIXTURES / "ends_as_told.ipynb").read_text())
        next(cell for cell in notebook["cells"] if cell["metadata"].get("tags"))["source"] += f"\n{declared}"
        notebook["cells"][-1]["source"] += f"\n{cell}"
        (self.folder / "notebooks" / f"{run.partition('.')[0]}.ipynb").write_text(json.dumps(notebook))

    def start(self, *arguments: str, log: str = "study.log") -> subprocess.Popen:
        """Begin a study in a session of its own, as from a terminal; what it leaves running would keep a pipe open."""
        command = [sys.executable, "-m", "fer_helpers.study", "--cores", "2", *arguments]
        with open(self.folder / log, "w") as output:
            where = {"cwd": self.folder, "env": self.environment, "stdout": output, "stderr": output}
            return subprocess.Popen(command, **where, start_new_session=True)

    def study(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a study."""
        return self.start(*arguments).wait(PATIENCE), (self.folder / "study.log").read_text()

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.folder), "FER_CACHE_DIR": str(self.folder / "data" / "cache")}

    def about(self, run: str) -> dict:
        """What `run.json` says of the last attempt at a run of the profile `smoke`."""
        return runs.latest(self.folder / "reports" / "smoke" / run).about

    def finish(self, run: str, **about: object) -> Path:
        """Leave a run as it is after it has finished; returns its `run.json`."""
        notebook, passed = parameters.notebook_of(run), parameters.read(self.file_of(run))
        fingerprint = parameters.fingerprint(notebook, parameters.resolved(notebook, passed))
        times = dict.fromkeys(("started", "ended"), "2026-01-01T00:00:00+00:00")
        (file := self.folder / "reports" / "smoke" / run / "run.json").parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"status": "finished", "data": [], "fingerprint": fingerprint} | times | about))
        return file

    def file_of(self, run: str) -> Path:
        return self.folder / "notebooks" / "profiles" / "smoke" / f"{run}.yaml"

    def why_stale(self, run: str = "00_any") -> str:
        """What the runs themselves say, without Snakemake."""
        return runs.why_stale(self.folder / "reports" / "smoke" / run, self.file_of(run))

    def change(self, name: str, pattern: str, replacement: str) -> str:
        """Change the first place in a file that fits a pattern; returns what it held."""
        text = (self.folder / name).read_text()
        (self.folder / name).write_text(re.sub(pattern, replacement, text, count=1))
        assert (self.folder / name).read_text() != text
        return text

    def planned(self, *config: str) -> dict[str, dict[str, str]]:
        """The notebooks that Snakemake would run, and what it says of each job: input, output, threads, resources."""
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "4", "--quiet", "host"]
        command += ["--config", "profile=smoke", *config]
        plan = subprocess.check_output(command, cwd=self.folder, env=self.environment, text=True)
        jobs = [part.split("\n[")[0] for part in plan.split("\nrule run:\n")[1:]]
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


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def has_ended(process: int) -> bool:
    return not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE


def test_a_run_is_stale_when_its_notebook_parameters_or_imports_have_changed_and_only_then(project):
    project.add("00_any", rate=0.01)
    project.finish("00_any")
    for changed in CHANGES_NOTHING:
        project.change(*changed)
    assert project.planned() == {} and project.why_stale() == ""
    for changed in MAKES_STALE:
        before = project.change(*changed)
        assert project.why_stale(), changed
        (project.folder / changed[0]).write_text(before)
    project.change(*changed)
    assert set(project.planned()) == {"00_any"}


def test_a_run_is_stale_when_its_archive_has_another_size_or_a_list_of_labels_other_content(project):
    (archive := project.folder / "jaffe.zip").write_bytes(b"zip")
    project.add("00_any", cell='datasets.load("jaffe", data)', data=str(archive))
    project.finish("00_any", data=[{"dataset": "jaffe", "found_as": "jaffe.zip", "bytes": 3}])
    assert project.why_stale() == ""
    archive.write_bytes(b"another zip")
    assert "was run on another jaffe" in project.why_stale()
    archive.unlink()
    assert project.why_stale() == "", "without the data nothing is known of it"
    project.finish("00_any", files={"results.csv": "0" * 64})
    assert "has lost its results.csv" in project.why_stale()
    (labels := project.folder / "ferplus.csv").write_text("a.png,3\n")
    project.add("00_any", cell='datasets.load("ferplus", data)', data=str(labels))
    project.finish("00_any", data=[{"dataset": "ferplus", "found_as": labels.name, **runs.size_and_tables(labels)}])
    assert project.why_stale() == ""
    labels.write_text("a.png,4\n")
    assert "was run on another ferplus" in project.why_stale()


def test_runs_wait_for_drawn_faces_and_for_runs_that_they_read_and_ask_for_cores_a_gpu_and_memory(project):
    project.add("00_any", cell='datasets.load("ferplus", data)', data="generated")
    project.add("01_other", declared="memory_gb = 0.0  # of images", memory_gb=60.0)
    project.add("05_scoreboard", declared=SCOREBOARD)
    planned = project.planned()
    assert "drawn/ferplus" in planned["00_any"]["input"]
    assert "input" not in planned["01_other"]
    assert planned["05_scoreboard"]["input"].split(", ") == [planned[run]["output"] for run in ("00_any", "01_other")]
    assert [planned[run].get("threads", "1") for run in ("00_any", "01_other")] == ["1", "4"]
    job = project.planned("gpus=2")["01_other"]
    assert job["threads"] == "2" and {"gpu=1", "mem_mb=68000", "runtime=60"} <= {*job["resources"].split(", ")}


def test_a_run_on_a_saved_body_waits_for_the_run_that_trains_it_and_a_damaged_record_makes_a_run_stale(project):
    project.add("01_any")
    project.add("03_other")
    project.add("03_other.body_of_01", weights="data/cache/models/smoke.01_any.weights.h5")
    project.finish("01_any")
    other = project.finish("03_other")
    alternatives = {"mine": {"weights": "data/cache/models/smoke.01_any.weights.h5"}, "wrong": 3}
    project.add("03_other.alternative", declared="alternatives = {}  # by name", alternatives=alternatives)
    for reader in ("03_other.body_of_01", "03_other.alternative"):
        planned = project.planned(f"run={reader}")
        assert set(planned) == {"01_any", reader}, "the body is not there"
        assert planned[reader]["input"] == planned["01_any"]["output"]
    project.add("03_other.longer", weights="data/cache/models/smoke.03_other.longer.weights.h5")
    assert set(project.planned("run=03_other.longer")) == {"03_other.longer"}, "it goes on from its own body"
    assert set(project.planned("force=1", "run=03_other")) == {"03_other"}
    other.write_text("{ damaged")
    assert project.planned("run=03_other").keys() == {"03_other"}


def test_a_scoreboard_is_stale_after_a_run_that_it_compares_or_a_rule_of_verdicts_and_no_training_is(project):
    project.add("01_other", cell="from fer_helpers.study import claims")
    project.add("05_scoreboard", declared='profiles = ["smoke", "gpu"]')
    for run in ("01_other", "05_scoreboard"):
        project.finish(run)
        assert project.why_stale(run) == ""
    project.finish("01_other", ended="2026-01-01T00:00:01+00:00")
    assert set(project.planned()) == set(project.planned("run=05_scoreboard")) == {"05_scoreboard"}
    project.finish("05_scoreboard", started="2026-01-01T00:00:02+00:00")
    assert project.planned("run=05_scoreboard") == {}
    (of_gpu := project.folder / "reports" / "gpu" / "01_other" / "run.json").parent.mkdir(parents=True)
    for content in ('{"status": "finished", "ended": "2026-01-01T00:00:03+00:00"}', "{ damaged"):
        of_gpu.write_text(content)
        assert set(project.planned("run=05_scoreboard")) == {"05_scoreboard"}, "it compares runs of another profile too"
    project.change("fer_helpers/study/claims/verdicts.py", r"\Z", "x = 1")
    assert [bool(project.why_stale(run)) for run in ("01_other", "05_scoreboard")] == [False, True]


@pytest.mark.slow
def test_a_failed_run_leaves_the_finished_one_before_it_and_others_run_on(project):
    project.add("00_any", ending="raised")
    smoke, finished = project.folder / "reports" / "smoke", project.finish("00_any", fingerprint="another")
    before = finished.read_bytes()
    project.add("00_any.unknown", epoch=3)
    project.add("01_other")
    status, output = project.study()
    assert status != 0
    error = 'ValueError: this notebook was told to fail (in cell [5]: if ending == "raised":)'
    unknown = "RunError: 00_any has no parameter epoch: it has ending, epochs, rate, data, weights, run_dir"
    assert output.splitlines()[-2:] == [f"FAILED smoke/00_any: {error}", f"FAILED smoke/00_any.unknown: {unknown}"]
    assert [file.read_bytes() for file in (smoke / "00_any").iterdir()] == [before]
    assert project.about("01_other")["status"] == "finished"
    assert (smoke / "index.html").read_text() == "00_any 00_any.failed 00_any.unknown.failed 01_other"
    assert not (project.folder / "reports" / "index.html").exists(), "it is committed: make index alone writes it"


@pytest.mark.slow
def test_killed_without_warning_a_study_goes_on_where_it_was_and_a_second_runs_nothing(project):
    project.add("00_any.short")
    project.add("05_scoreboard", declared=SCOREBOARD, epochs=1000)
    killed = project.start()
    wait_until(lambda: "05_scoreboard | epoch 3 " in (project.folder / "study.log").read_text())
    short, kernel = project.about("00_any.short"), project.about("05_scoreboard")["process"]

    assert project.start(log="second.log").wait(PATIENCE) == 1
    assert f"process {killed.pid} is running into" in (project.folder / "second.log").read_text()

    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    wait_until(lambda: has_ended(kernel))
    assert project.about("05_scoreboard")["status"] == "running"

    project.file_of("05_scoreboard").write_text("epochs: 1\n")
    status, output = project.study()
    assert status == 0, output
    assert project.about("00_any.short") == short
    assert "00_any.short |" not in output
    assert project.about("05_scoreboard")["status"] == "finished"
    assert f"Reports: {(project.folder / 'reports/smoke/index.html').as_uri()}" in output.splitlines()[-1]

    output = project.study("--run", "00_any.short")[1]
    assert "no notebook was run. To run them again: make study PROFILE=smoke RUN=00_any.short FORCE=1" in output


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_training_killed_within_an_epoch_ends_with_the_numbers_of_one_that_was_not(project):
    """First the kernel is killed, beside one that trains on, then, an epoch later, the study."""
    shutil.copy(FIXTURES / "trains.ipynb", project.folder / "notebooks" / "00_trains.ipynb")
    for run in ("00_trains", "00_trains.unbroken"):
        project.file_of(run).write_text("epochs: 5\n")
    for epoch, arguments in ((1, []), (2, ["--run", "00_trains"])):
        begun = project.start(*arguments)
        begins = f"00_trains | epoch {epoch} of 5"
        wait_until(lambda begins=begins: begins in (project.folder / "study.log").read_text())
        children = psutil.Process(begun.pid).children()
        (runner,) = [child for child in children if f"{project.file_of('00_trains')}" in child.cmdline()]
        (kernel,) = runner.children()
        (kernel if epoch == 1 else psutil.Process(begun.pid)).kill()
        assert begun.wait(PATIENCE) != 0
        wait_until(lambda kernel=kernel.pid: has_ended(kernel))
    status, output = project.study("--run", "00_trains")
    assert status == 0, output
    assert re.search("resumed after epoch [2-4]", output), "a slow machine ends an epoch more before the kernel is gone"
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
    wait_until((project.folder / "reports" / "smoke" / "rendering").exists)
    children = psutil.Process(begun.pid).children(recursive=True)
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    wait_until(lambda: all(has_ended(child.pid) for child in children))


@pytest.mark.slow
def test_a_run_goes_through_the_cluster_and_its_page_is_made_where_snakemake_runs(project):
    project.add("00_any")
    with open(project.folder / f".fer_helpers_{os.getuid()}_gpu_0.lock", "w") as taken:  # by a job on another machine
        fcntl.flock(taken, fcntl.LOCK_EX)
        stand_in = f"{shlex.quote(sys.executable)} {shlex.quote(str(FIXTURES / 'stand_in_cluster.py'))}"
        command = [sys.executable, "-m", "snakemake", "--executor", "cluster-generic", "--jobs", "4"]
        command += ["--seconds-between-status-checks", "1", "--config", "profile=smoke", "gpus=1"]
        for what in ("submit", "status"):
            command += [f"--cluster-generic-{what}-cmd", f"{stand_in} {what}"]
        environment = project.environment | {"STAND_IN_CLUSTER": str(project.folder), "TMPDIR": str(project.folder)}
        subprocess.run(command, cwd=project.folder, env=environment, check=True, timeout=PATIENCE)
    (asked,) = [json.loads(file.read_text()) for file in project.folder.glob("*.asked")]
    assert (asked["rule"], asked["wildcards"], asked["threads"]) == ("run", {"run": "00_any"}, 8)
    assert [asked["resources"][name] for name in ("gpu", "mem_mb", "runtime")] == [1, 8_000, 60]
    about = project.about("00_any")
    assert (about["status"], about["CUDA_VISIBLE_DEVICES"]) == ("finished", "0")
    assert about["OMP_NUM_THREADS"] == str(min(8, os.cpu_count()))
    assert (project.folder / "reports" / "smoke" / "index.html").read_text() == "00_any"


def test_a_profile_or_run_that_does_not_exist_is_refused_and_those_that_do_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    Project(tmp_path).add("00_any")
    with pytest.raises(runs.RunError, match="^no profile is called 'smoek': there are smoke$"):
        study.study("smoek", cores=1)
    with pytest.raises(runs.RunError, match="^profile smoke has no run '01': there are 00_any$"):
        study.study("smoke", cores=1, run="01")


def test_the_page_of_a_run_is_there_before_others_have_ended(tmp_path, monkeypatch, write_run):
    monkeypatch.setattr(study, "PAUSE", 0.1)
    (tmp_path / "cpu").mkdir()
    with study.pages_meanwhile(tmp_path / "cpu"):
        write_run(tmp_path / "01_run", [{"value": 1}]).rename(tmp_path / "cpu" / "01_run")
        wait_until((tmp_path / "cpu" / "index.html").exists)
    assert (tmp_path / "cpu" / "01_run.html").exists()
