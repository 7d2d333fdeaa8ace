"""The study as a graph of jobs: draw faces, run the notebooks that are out of date; then pages.

    snakemake --cores 2 --config profile=cpu                               real data
    snakemake --cores 16 --config profile=gpu gpus=2 --resources gpu=2     one run per GPU
    snakemake --executor slurm --jobs 8 --config profile=gpu gpus=1 ...    a cluster, a GPU a run; needs its plugin

`make study` calls it with a summary at its end. A profile is the set of papermill parameter files in
notebooks/profiles/<profile>/; <run>.yaml belongs to the notebook whose name stands before its first dot. A run is out
of date by content, not by the time of a file: when its notebook, its parameters, its data, a module that it imports, or
a run that it reads has changed.
"""

import functools
import re
import sys
from pathlib import Path

from fer_helpers import paths
from fer_helpers.study import parameters, runs
from snakemake.logging import logger

PROFILE = config.get("profile", "smoke")
GPUS = int(config.get("gpus", 0))
# A cluster gives a job its own GPU, and may call every job's the same.
SHARED_GPUS = 0 if workflow.remote_exec else GPUS
REPORTS = paths.reports_dir() / PROFILE
DRAWN = paths.cache_dir() / "drawn"
# An empty file for each run done in this study: Snakemake deletes outputs before a job.
DONE = f".snakemake/done/{PROFILE}"

# What a cluster is asked for: memory in MB and minutes for one run of a profile, ample, since a run that exceeds either
# is killed; and cores where --cores sets none. For others:
# --set-resources run:mem_mb=64000 run:runtime=2880 --set-threads run=16.
ASKED = {"smoke": (8_000, 60), "cpu": (8_000, 480), "gpu": (16_000, 480)}
MEMORY_MB, MINUTES = ASKED.get(PROFILE, (32_000, 2_880))
CLUSTER_CORES = 8
# Begun first, the last first: 03 waits for 01.
LONGEST = ["06_speed", "02_jiang_2025", "03_singh_2022", "04_alam_2022", "01_huang_2024"]

# Snakemake announces every pass of its scheduler; a reader wants the notebooks' own lines and "3 of 9 steps done".
ANNOUNCED = ("Select jobs", "Execute ", "Finished jobid", "Touching")
logger.addFilter(lambda record: not str(record.msg).startswith(ANNOUNCED))

if workflow.is_main_process and not workflow.dryrun:
    runs.lock(Path(".snakemake/study").resolve())  # one study at a time; the system ends it with this process
    for folder in REPORTS.glob(".*.old"):
        runs.recover(REPORTS / folder.name.removeprefix(".").removesuffix(".old"))


def file_of(run: str) -> Path:
    return paths.notebooks_dir() / "profiles" / PROFILE / f"{run}.yaml"


@functools.cache
def parameters_of(run: str) -> dict:
    """All parameters of a run; none if they can't be read, of which the run itself will fail in one sentence."""
    try:
        return parameters.resolved(parameters.notebook_of(run), parameters.read(file_of(run)))
    except runs.RunError:
        return {}


RUNS = [config["run"]] if config.get("run") else sorted(file.stem for file in file_of("*").parent.glob("*.yaml"))


def bodies_of(run: str) -> list[str]:
    """What a run and its alternatives name as weights."""
    settings = [parameters_of(run), *parameters_of(run).get("alternatives", {}).values()]
    return [str(each["weights"]) for each in settings if isinstance(each, dict) and "weights" in each]


def read_by(run: str) -> list[str]:
    """The runs of this profile that a run reads: a scoreboard all others, any those whose bodies it names as weights."""
    if "profiles" in parameters_of(run):
        return [other for other in RUNS if other != run and "profiles" not in parameters_of(other)]
    of_this_profile = rf"data/cache/models/{PROFILE}\.([^/]+)\.weights\.h5"
    named = [found[1] for weights in bodies_of(run) if (found := re.fullmatch(of_this_profile, weights))]
    return [other for other in dict.fromkeys(named) if other != run and file_of(other).exists()]


@functools.cache
def why_stale(run: str) -> str:
    """Why a run has to be run again, in a few words; empty for one that is up to date."""
    if config.get("force") and run in RUNS:
        return "is forced"
    try:
        reason = runs.why_stale(REPORTS / run, file_of(run))
        started = runs.read(REPORTS / run).about.get("started", "")
        done = [runs.read(REPORTS / other) for other in read_by(run)]
        for profile in parameters_of(run).get("profiles", []):  # a scoreboard compares others' too, whatever is run now
            done += [other for other in runs.read_profile(REPORTS.parent / profile) if other.name != run]
    except runs.RunError as error:  # of this run, or of one that it reads
        return str(error)
    later = [other for other in read_by(run) if why_stale(other)]
    later += [other.name for other in done if other.status == "finished" and other.about.get("ended", "") > started]
    return reason or (f"reads {later[0]}, which is newer" if later else "")


def runs_before(wildcards) -> list[str]:
    """Runs that have to be done first, among them one whose saved body is not there."""
    bodies = [weights for weights in bodies_of(wildcards.run) if weights.endswith(".weights.h5")]
    lost = not all(paths.resolve(weights).exists() for weights in bodies)
    before = [run for run in read_by(wildcards.run) if lost or why_stale(run)]
    return [f"{DONE}/{run}" for run in before]


def drawn_before(wildcards) -> list[str]:
    """Data sets to draw before a run on generated faces."""
    values = parameters_of(wildcards.run)
    if values.get("data") != "generated":
        return []
    return [str(DRAWN / name) for name in parameters.data_sets(parameters.notebook_of(wildcards.run), values)]


def cores_of_run(wildcards) -> int:
    """Training uses every core, since two at once would slow each other down, one run a GPU; small ones take one."""
    cores = workflow.resource_settings.cores or CLUSTER_CORES
    if workflow.remote_exec:
        return cores
    return 1 if parameters_of(wildcards.run).get("data") == "generated" else max(1, cores // max(1, GPUS))


def memory_of_run(wildcards) -> int:
    """MB, with the images that a run is allowed to keep in memory."""
    return MEMORY_MB + int(1_000 * parameters_of(wildcards.run).get("memory_gb", 0))


def write_reports() -> None:
    from fer_helpers.study.report import write_pages

    write_pages(REPORTS)


wildcard_constraints:
    run="[^/]+",


localrules:
    study,


rule study:
    input:
        [f"{DONE}/{run}" for run in RUNS if why_stale(run)],


rule draw:
    input:
        sorted(str(module) for module in Path("fer_helpers/drawn").glob("*.py")),
    output:
        touch(DRAWN / "{dataset}"),
    resources:
        mem_mb=4_000,
        runtime=60,
    shell:
        "exec {sys.executable:q} -m fer_helpers.drawn {wildcards.dataset}"


rule run:
    input:
        runs_before,
        ancient(drawn_before),
    output:
        touch(f"{DONE}/{{run}}"),
    priority: lambda wildcards: LONGEST.index(wildcards.run) if wildcards.run in LONGEST else -1
    threads: cores_of_run
    resources:
        gpu=1 if GPUS else 0,  # the name that Slurm's executor knows: it asks for that many GPUs
        mem_mb=memory_of_run,
        runtime=MINUTES,
    params:
        parameters=lambda wildcards: file_of(wildcards.run),
    # exec leaves no shell in between, so that a run whose Snakemake was killed ends too, on a cluster with the one in
    # its job.
    shell:
        "exec {sys.executable:q} -m fer_helpers.study.runner {params.parameters:q}"
        " --run-dir reports/{PROFILE}/{wildcards.run} --gpus {SHARED_GPUS} --threads {threads} --end-with-parent"


# What an earlier study has done says nothing of this one.
if workflow.is_main_process:
    for run in filter(why_stale, RUNS):
        Path(f"{DONE}/{run}").unlink(missing_ok=True)


# Not called by `make study`, which writes the pages itself. After a failure too there is an index, in which it stands
# out.
onsuccess:
    write_reports()


onerror:
    write_reports()
