"""The study on a cluster: what Snakemake asks it for, and one run carried out by a stand-in for it."""

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from fer_helpers import paths

STAND_IN = Path(__file__).parent.parent / "fixtures" / "stand_in_cluster.py"
PATIENCE = 300  # seconds to wait for what takes a few on an idle machine


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project with one notebook, which trains nothing, in profiles `smoke` and `paper`."""
    folder = tmp_path / "a project"
    for name in ("fer_helpers", "profiles", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "raw", "cache")
        shutil.copytree(paths.PROJECT / name, folder / name, ignore=ignored)
    shutil.copy(paths.PROJECT / "Snakefile", folder)
    for profile in ("smoke", "paper"):
        (folder / "notebooks" / "profiles" / profile).mkdir(parents=True)
        (folder / "notebooks" / "profiles" / profile / "00_any.yaml").write_text("epochs: 1\n")
    notebook = (STAND_IN.parent / "ends_as_told.ipynb").read_text()
    notebook = notebook.replace("rate = 0.001", "memory_gb = 0.0").replace("epochs = 1  #", "epochs = 3  #")
    (folder / "notebooks" / "00_any.ipynb").write_text(notebook)
    return folder


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Begin a study by a Snakemake that is told to use a cluster."""
    stand_in = f"{shlex.quote(sys.executable)} {shlex.quote(str(STAND_IN))}"
    command = [sys.executable, "-m", "snakemake", "--executor", "cluster-generic", "--jobs", "4"]
    command += ["--seconds-between-status-checks", "1", *arguments]
    for what in ("submit", "status"):
        command += [f"--cluster-generic-{what}-cmd", f"{stand_in} {what}"]
    environment = (
        os.environ | {"PYTHONPATH": str(project), "FER_CACHE_DIR": str(project / "data" / "cache")} | environment
    )
    return subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(study: subprocess.Popen) -> str:
    """What a study prints until its end, which is a good one."""
    printed, _ = study.communicate()
    assert study.returncode == 0, printed[-5_000:]
    return printed


def wait_for(log: Path, text: str) -> None:
    """Wait until a job has printed something."""
    end = time.monotonic() + PATIENCE
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < end, log.read_text() if log.exists() else "the job was never submitted"
        time.sleep(0.2)


def test_each_run_asks_a_cluster_for_one_gpu_minutes_and_memory_with_that_for_its_images(project):
    (project / "notebooks" / "profiles" / "paper" / "00_any.yaml").write_text("memory_gb: 60\n")
    plan = finish(start(project, "--dry-run", "--quiet", "host", "--config", "profile=paper", "gpus=2"))
    line = plan.partition("\nrule run:")[2].partition("    resources: ")[2].partition("\n")[0]
    asked = dict(entry.split("=") for entry in line.split(", "))
    assert (asked["gpu"], asked["mem_mb"], asked["runtime"]) == ("1", "92000", "2880")


@pytest.mark.slow
def test_a_run_goes_through_the_cluster_and_its_page_is_made_where_snakemake_runs(project, tmp_path):
    environment = {"STAND_IN_CLUSTER": str(tmp_path), "TMPDIR": str(tmp_path)}
    with open(tmp_path / f"fer_helpers_{os.getuid()}_gpu_0.lock", "w") as taken:  # by a job on another machine, say
        fcntl.flock(taken, fcntl.LOCK_EX)
        finish(start(project, "--config", "profile=smoke", "gpus=1", **environment))
    (asked,) = [json.loads(file.read_text()) for file in tmp_path.glob("*.asked")]
    assert (asked["rule"], asked["wildcards"], asked["threads"]) == ("run", {"run": "00_any"}, 8)
    assert [asked["resources"][name] for name in ("gpu", "mem_mb", "runtime")] == [1, 8_000, 60]
    smoke = project / "reports" / "smoke"
    about = json.loads((smoke / "00_any" / "run.json").read_text())
    assert (about["status"], about["CUDA_VISIBLE_DEVICES"], about["OMP_NUM_THREADS"]) == (
        "finished",
        "0",
        str(min(8, os.cpu_count())),
    )
    assert set(pd.read_csv(smoke / "results.csv")["run"]) == {"00_any"}
    assert (smoke / "00_any.html").exists() and (smoke / "index.html").exists()


@pytest.mark.slow
def test_a_run_ends_with_the_job_that_carries_it(project, tmp_path):
    (project / "notebooks" / "profiles" / "smoke" / "00_any.yaml").write_text("epochs: 10000\n")
    with start(project, "--config", "profile=smoke", STAND_IN_CLUSTER=str(tmp_path)) as study:
        wait_for(tmp_path / "1.log", "00_any | epoch 3 ")
        about = project / "reports" / "smoke" / ".00_any.running" / "run.json"
        kernel = psutil.Process(json.loads(about.read_text())["process"])
        snakemake_of_job = kernel.parent().parent()
        assert snakemake_of_job.pid != study.pid
        snakemake_of_job.kill()
        kernel.wait(PATIENCE)
        assert study.wait(PATIENCE) != 0
    assert (tmp_path / "1.ended").read_text().strip() != "0"
