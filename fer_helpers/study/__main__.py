"""Run a profile of the study: Snakemake, then all pages, and a last line that says where to look.

    python -m fer_helpers.study --profile smoke --cores 2          # what `make study` calls

Snakemake and the pages run in this very process: killed at any moment, it leaves nothing behind; the next call goes on.
"""

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from fer_helpers import paths
from fer_helpers.study import parameters, report, runs

PAUSE = 2  # seconds between two looks at which runs have finished


def study(profile: str, cores: int, gpus: int = 0, force: bool = False, run: str = "") -> int:
    """Bring the reports of a profile up to date, or of one of its runs; 0 if every one of them has finished.

    RunError: no profile has that name, the profile has no such run, or a variable names no folder.
    """
    parameters.check_folders()
    files = list((paths.notebooks_dir() / "profiles").glob("*/*.yaml"))
    names = sorted(file.stem for file in files if file.parent.name == profile)
    if not names:
        profiles = sorted({file.parent.name for file in files})
        raise runs.RunError(f"no profile is called {profile!r}: there are {', '.join(profiles) or 'none'}")
    if run and run not in names:
        raise runs.RunError(f"profile {profile} has no run {run!r}: there are {', '.join(names)}")
    from snakemake import cli  # seconds that a mistyped name is spared

    reports = paths.reports_dir() / profile
    before = when_ended(reports)
    options = ["--cores", str(cores), "--resources", f"gpu={gpus or cores}", "--no-hooks"]
    options += ["--config", f"profile={profile}", f"gpus={gpus}", f"run={run}", f"force={'1' if force else ''}"]
    os.chdir(paths.PROJECT)
    with pages_meanwhile(reports):
        try:
            status = cli.main(options)
        except SystemExit as end:
            status = end.code
    attempts = {f"{profile}/{name}": runs.latest(reports / name) for name in ([run] if run else names)}
    report.write_pages(reports)
    if not status and when_ended(reports) == before:
        command = f"make study PROFILE={profile}{f' RUN={run}' if run else ''} FORCE=1"
        print(f"\nProfile {profile} is up to date: no notebook was run. To run them again: {command}")
    print(f"\nReports: {(reports / 'index.html').as_uri()}", flush=True)  # before what goes to stderr
    if status:
        early = [f"NOT RUN TO ITS END {name}" for name, run in attempts.items() if run.status in ("", "running")]
        failed = [f"FAILED {name}: {run.about['error']}" for name, run in attempts.items() if run.status == "failed"]
        problems = early + failed or ["The study stopped before its end: see above. make study goes on from here."]
        print(*problems, sep="\n", file=sys.stderr)
    return status or 0


def when_ended(profile: Path) -> dict[Path, int]:
    """When each run of a profile was put in place, or aside as failed, by the time of its `run.json`."""
    return {file: file.stat().st_mtime_ns for file in profile.glob("[!.]*/run.json")}


@contextlib.contextmanager
def pages_meanwhile(profile: Path) -> Iterator[None]:
    """Write the page of each run soon after it has ended, since others take hours; faults are told at the end."""
    over = threading.Event()

    def write(known: dict[Path, int]) -> None:
        while not over.wait(PAUSE):
            with contextlib.suppress(OSError, ValueError, runs.RunError):  # as of a run that takes its place just now
                if (now := when_ended(profile)) != known:
                    report.write_pages(profile)
                    known = now

    thread = threading.Thread(target=write, args=[when_ended(profile)])
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> int:
    """Run the study from the command line; the exit status is 0 if every run of the profile has finished."""
    parser = argparse.ArgumentParser("python -m fer_helpers.study", description="Run a profile of the study.")
    parser.add_argument("--profile", default="smoke", help="a folder of notebooks/profiles")
    parser.add_argument("--run", default="", metavar="RUN", help="only this run of the profile, as in 04_alam_2022")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), metavar="N", help="processor cores to use")
    parser.add_argument("--gpus", type=int, default=0, metavar="N", help="GPUs to use, one a run; else as it comes")
    parser.add_argument("--force", action="store_true", help="run notebooks again that are up to date")
    options = parser.parse_args()
    if options.cores < 1 or options.gpus < 0:
        parser.error("--cores is 1 or more, and --gpus 0 or more")
    try:
        return study(**vars(options))
    except (runs.RunError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())
