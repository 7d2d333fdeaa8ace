"""The study on a cluster: what Snakemake asks it for, and one run carried out by a stand-in for it."""

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

STAND_IN = Path(__file__).parent / "fixtures" / "stand_in_cluster.py"
RUN = "00_datasets.fer2013"
PATIENCE = 300  # seconds to wait for what takes a few on an idle machine


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project without its reports."""
    folder = tmp_path / "a project"
    for name in ("fer_helpers", "notebooks"):
        shutil.copytree(
            paths.PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
        )
    (folder / "data").mkdir()
    for name in ("Snakefile", "data/claims.csv"):
        shutil.copy(paths.PROJECT / name, folder / name)
    return folder


def start(project: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Begin a study by a Snakemake that is told to use a cluster."""
    stand_in = f"{shlex.quote(sys.executable)} {shlex.quote(str(STAND_IN))}"
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--executor",
        "cluster-generic",
        "--jobs",
        "4",
        "--seconds-between-status-checks",
        "1",
    ]
    command += [
        "--cluster-generic-submit-cmd",
        f"{stand_in} submit",
        "--cluster-generic-status-cmd",
        f"{stand_in} status",
        *arguments,
    ]
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


def planned(project: Path, *config: str) -> list[tuple[str, dict[str, str]]]:
    """The jobs that Snakemake would submit or do itself: for each its rule, and what it asks for."""
    jobs = finish(start(project, "--dry-run", "--quiet", "host", "--config", *config)).split("\nrule ")[1:]
    asked = [job.partition("    resources: ")[2].partition("\n")[0] for job in jobs]
    return [
        (job.partition(":")[0], dict(entry.split("=") for entry in line.split(", ")))
        for job, line in zip(jobs, asked, strict=True)
    ]


def test_each_run_asks_a_cluster_for_one_gpu_and_for_memory_and_minutes(project):
    jobs = planned(project, "profile=paper", "gpus=2")
    runs = [asked for rule, asked in jobs if rule == "run"]
    assert len(runs) == len(list((project / "notebooks" / "profiles" / "paper").glob("*.yaml")))
    assert {(asked["gpu"], asked["mem_mb"], asked["runtime"]) for asked in runs} == {("1", "32000", "2880")}
    assert {rule for rule, asked in jobs if "gpu" in asked} == {"run"}


def test_images_that_a_run_may_keep_in_memory_are_asked_for_too(project):
    (project / "notebooks" / "profiles" / "paper" / "02_jiang_2025.yaml").write_text("memory_gb: 60\n")
    (asked,) = [asked for rule, asked in planned(project, "profile=paper", "run=02_jiang_2025") if rule == "run"]
    assert (asked["gpu"], asked["mem_mb"]) == ("0", "92000")


@pytest.mark.slow
def test_a_run_goes_through_the_cluster_and_its_page_is_made_where_snakemake_runs(project, tmp_path):
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    finish(
        start(
            project,
            "--printshellcmds",
            "--config",
            "profile=smoke",
            f"run={RUN}",
            "gpus=1",
            STAND_IN_CLUSTER=str(cluster),
        )
    )
    drawn, run = [json.loads((cluster / f"{job}.asked").read_text()) for job in "12"]
    assert (drawn["rule"], run["rule"], len(list(cluster.glob("*.asked")))) == ("draw", "run", 2)
    assert run["wildcards"] == {"run": RUN}
    assert (run["threads"], run["resources"]["gpu"], run["resources"]["mem_mb"], run["resources"]["runtime"]) == (
        8,
        1,
        8_000,
        60,
    )
    log = (cluster / "2.log").read_text()
    assert "--gpus 0 --end-with-parent" in log, "a job shares the cluster's GPU with nobody"
    assert f"{RUN} | finished" in log
    reports = project / "reports"
    assert json.loads((reports / "smoke" / RUN / "run.json").read_text())["status"] == "finished"
    assert set(pd.read_csv(reports / "smoke" / "results.csv")["run"]) == {RUN}
    assert (reports / "smoke" / f"{RUN}.html").exists()
    assert (reports / "index.html").exists()


@pytest.mark.slow
def test_a_run_ends_with_the_job_that_carries_it(project, tmp_path):
    shutil.copy(STAND_IN.parent / "ends_as_told.ipynb", project / "notebooks" / "00_any.ipynb")
    (project / "notebooks" / "profiles" / "smoke" / "00_any.yaml").write_text("epochs: 1000\n")
    with start(project, "--config", "profile=smoke", "run=00_any", STAND_IN_CLUSTER=str(tmp_path)) as study:
        wait_for(tmp_path / "1.log", "00_any | Epoch 3/")
        kernel = psutil.Process(
            json.loads((project / "reports" / "smoke" / "00_any" / "run.json").read_text())["process"]
        )
        snakemake_of_job = kernel.parent().parent()
        assert snakemake_of_job.pid != study.pid
        snakemake_of_job.kill()
        kernel.wait(PATIENCE)
        assert study.wait(PATIENCE) != 0
    assert (tmp_path / "1.ended").read_text().strip() != "0"
