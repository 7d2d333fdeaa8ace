"""The study as a graph of jobs: draw faces, run notebooks, render pages, collect numbers, index.

    snakemake --cores 2 --config profile=cpu                                     real data
    snakemake --cores 16 --config profile=gpu gpus=2 --resources gpu=2           one run per GPU
    snakemake --executor slurm --jobs 8 --config profile=gpu gpus=1 ...          a cluster, a GPU for each run; needs that executor's plugin

`make study` calls it with a lock, quieter, and with a summary at its end. A profile is the set of papermill parameter files in
notebooks/profiles/<profile>/; <run>.yaml belongs to the notebook whose name stands before its first dot.
"""

import re
import sys
from pathlib import Path

import yaml
from fer_helpers import paths
from snakemake.logging import logger

PROFILE = config.get("profile", "smoke")
GPUS = int(config.get("gpus", 0))
SHARED_GPUS = 0 if workflow.remote_exec else GPUS  # a cluster gives a job its own GPU, and may call every job's the same
RUNS = [config["run"]] if config.get("run") else sorted(glob_wildcards(f"notebooks/profiles/{PROFILE}/{{run,[^/]+}}.yaml").run)
PARAMETERS = {run: yaml.safe_load(Path(f"notebooks/profiles/{PROFILE}/{run}.yaml").read_text()) or {} for run in RUNS}
ON_GENERATED = {run: parameters for run, parameters in PARAMETERS.items() if parameters.get("data") == "generated"}
RESULTS = [f"reports/{PROFILE}/{run}/results.csv" for run in RUNS]
GENERATED = sorted({name for parameters in ON_GENERATED.values() for name in parameters.get("data_sets", [parameters.get("dataset")]) if name})
DRAWN = paths.cache_dir() / "drawn"

# What a cluster is asked for: memory in MB and minutes for one run of a profile, ample, since a run that exceeds either is killed; and cores
# where --cores sets none. For others: --set-resources run:mem_mb=64000 run:runtime=2880 --set-threads run=16. On one machine they limit nothing.
ASKED = {"smoke": (8_000, 60), "cpu": (8_000, 480), "gpu": (16_000, 480)}
ASKED_ELSE = (32_000, 2_880)
CLUSTER_CORES = 8

RUNNER = ("report.py", "runner.py", "__main__.py")  # a change of these changes no number
TEMPLATES = sorted(str(file) for file in Path("fer_helpers/study/templates").rglob("*") if file.is_file() and file.suffix != ".pyc")
PACKAGE = sorted({str(module) for module in Path("fer_helpers").rglob("*.py") if module.name not in RUNNER} - set(TEMPLATES))

# Snakemake announces every pass of its scheduler; a reader wants the notebooks' own lines and "3 of 9 steps done".
logger.addFilter(lambda record: not str(record.msg).startswith(("Select jobs", "Execute ", "Finished jobid", "Touching")))


def generated_data(wildcards) -> list[str]:
    """What to draw before a run with `data: generated`: every data set that the profile names, for not every notebook names its own."""
    return [str(DRAWN / name) for name in GENERATED] if wildcards.run in ON_GENERATED else []


def compared_numbers(wildcards) -> list[str]:
    """What the scoreboard compares, and so waits for: the claims, and the results of all other runs."""
    if "scoreboard" not in wildcards.run:
        return []
    return ["data/claims.csv", *(f"reports/{PROFILE}/{run}/results.csv" for run in RUNS if "scoreboard" not in run)]


def cores_of_run() -> int:
    """Training uses every core, so that two at once would only slow each other down; with GPUs, one run for each of them."""
    cores = workflow.resource_settings.cores or CLUSTER_CORES
    return cores if workflow.remote_exec else max(1, cores // max(1, GPUS))


def memory_of_run(wildcards) -> int:
    """MB, with the images that a run is allowed to keep in memory."""
    return ASKED.get(PROFILE, ASKED_ELSE)[0] + int(1_000 * PARAMETERS.get(wildcards.run, {}).get("memory_gb", 0))


wildcard_constraints:
    run="[^/]+",


def body_trained_by(wildcards) -> list[str]:
    """The run whose saved body another run begins from, as its parameter `weights` names it, and so waits for."""
    file = Path(f"notebooks/profiles/{PROFILE}/{wildcards.run}.yaml")
    weights = str((yaml.safe_load(file.read_text()) or {}).get("weights", ""))
    named = re.fullmatch(r"data/cache/models/(?P<profile>[^/.]+)\.(?P<run>[^/]+)\.weights\.h5", weights)
    return [f"reports/{named['profile']}/{named['run']}/results.csv"] if named else []


localrules:
    study,
    render,
    collect,
    index,


# The results are asked for by name: pages and index are written after a failure too, and Snakemake would make do with those.
rule study:
    input:
        RESULTS,
        "reports/index.html",


rule draw:
    input:
        "fer_helpers/drawn/drawing.py",
        "fer_helpers/drawn/layouts.py",
        [module for module in PACKAGE if "datasets" in Path(module).parts],
    output:
        touch(DRAWN / "{dataset}"),
    resources:
        mem_mb=4_000,
        runtime=60,
    shell:
        "exec {sys.executable:q} -m fer_helpers.drawn {wildcards.dataset}"


# Declared is only what a notebook writes at its very end: Snakemake deletes the outputs of a job that fails or is run again, and
# run.json, the notebook as far as it got, its page, and the backups of its epochs must outlive that.
rule run:
    input:
        PACKAGE,
        compared_numbers,
        body_trained_by,
        ancient(generated_data),
        notebook=lambda wildcards: f"notebooks/{wildcards.run.partition('.')[0]}.ipynb",
        parameters=f"notebooks/profiles/{PROFILE}/{{run}}.yaml",
    output:
        f"reports/{PROFILE}/{{run}}/results.csv",
    threads: cores_of_run()
    resources:
        gpu=1 if GPUS else 0,  # the name that Slurm's executor knows: it asks for that many GPUs
        mem_mb=memory_of_run,
        runtime=ASKED.get(PROFILE, ASKED_ELSE)[1],
    # exec leaves no shell in between, so that a run whose Snakemake was killed ends too, on a cluster with the Snakemake inside its job.
    shell:
        "exec {sys.executable:q} -m fer_helpers.study.runner {input.parameters:q} --run-dir reports/{PROFILE}/{wildcards.run} --gpus {SHARED_GPUS} --end-with-parent"


rule render:
    input:
        f"reports/{PROFILE}/{{run}}/results.csv",
        "fer_helpers/study/report.py",
        TEMPLATES,
    output:
        f"reports/{PROFILE}/{{run}}.html",
    priority: 1  # a page as soon as its run has ended
    shell:
        "{sys.executable:q} -m fer_helpers.study.report render reports/{PROFILE}/{wildcards.run}"


rule collect:
    input:
        RESULTS,
        "fer_helpers/study/report.py",
    output:
        f"reports/{PROFILE}/results.csv",
    shell:
        "{sys.executable:q} -m fer_helpers.study.report collect reports/{PROFILE}"


rule index:
    input:
        f"reports/{PROFILE}/results.csv",
        [f"reports/{PROFILE}/{run}.html" for run in RUNS],
        "data/claims.csv",
        [module for module in PACKAGE if "claims" in Path(module).parts],
        "fer_helpers/study/report.py",
        TEMPLATES,
    output:
        "reports/index.html",
    shell:
        "{sys.executable:q} -m fer_helpers.study.report index"


# After a failure too there is an index, in which the run that failed stands out.
onerror:
    shell("{sys.executable:q} -m fer_helpers.study.report collect reports/{PROFILE} && {sys.executable:q} -m fer_helpers.study.report index")
