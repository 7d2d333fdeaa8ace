"""Run a profile of the study: Snakemake with a lock, fewer words, and a last line that says where to look.

    python -m fer_helpers.study --profile smoke --cores 2          # what `make study` calls

Killed at any moment, the next call goes on: runs that have finished stay finished.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from fer_helpers import paths

LOCK_FILE = paths.PROJECT / ".snakemake" / "study.lock"
RED = "\033[31m{}\033[0m"


def profiles() -> list[str]:
    """Names of the profiles: folders of `notebooks/profiles` that hold parameter files."""
    return sorted({file.parent.name for file in (paths.notebooks_dir() / "profiles").glob("*/*.yaml")})


def run_records(profile: str) -> dict[str, dict]:
    """Content of `run.json` of each run of a profile, by name; empty for a run that never began."""
    names = sorted(file.stem for file in (paths.notebooks_dir() / "profiles" / profile).glob("*.yaml"))
    files = {name: paths.reports_dir() / profile / name / "run.json" for name in names}
    return {name: json.loads(file.read_text(encoding="utf-8")) if file.exists() else {} for name, file in files.items()}


@contextmanager
def only_study() -> Iterator[TextIO]:
    """Keep a second study out of this folder; yield the lock file, whose text is the process id of a study that has not ended by itself.

    The lock is the system's: it ends with the last process that has the file open, be it killed, and Snakemake has it open too.

    Raises:
        BlockingIOError: another study is running; the message names its process.
    """
    LOCK_FILE.parent.mkdir(exist_ok=True)
    with open(LOCK_FILE, "a+", encoding="utf-8") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"a study is already running here: wait for its end, or stop it with: kill {file.read()}"
            ) from error
        yield file


def snakemake(arguments: list[str], lock: TextIO) -> int:
    """Run Snakemake on the project and return its exit status, negative if it was killed.

    Ctrl-C is left to Snakemake, which ends its jobs.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *arguments], cwd=paths.PROJECT, pass_fds=[lock.fileno()]
    )
    write_note(lock, str(process.pid))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def write_note(lock: TextIO, text: str) -> None:
    """Replace the text of the lock file."""
    lock.truncate(0)
    lock.write(text)
    lock.flush()


def snakemake_arguments(profile: str, cores: int, gpus: int, force: bool, run: str = "") -> list[str]:
    """The command line of a study."""
    arguments = [
        "--cores",
        str(cores),
        "--config",
        f"profile={profile}",
        f"gpus={gpus}",
        f"run={run}",
        "--keep-going",
        "--rerun-incomplete",
    ]
    arguments += ["--scheduler", "greedy", "--quiet", "host", "rules", "reason"]
    # Snakemake would also run everything again when a rule's wording changes; what a run's numbers depend on are its input files.
    arguments += ["--rerun-triggers", "mtime", "input"]
    arguments += ["--resources", f"gpu={gpus}"] if gpus else []
    arguments += ["--forcerun", "run"] if force else []
    return arguments


def study(profile: str, cores: int, gpus: int = 0, force: bool = False, run: str = "") -> int:
    """Bring the reports of a profile up to date, or of one of its runs, and say how that went.

    Returns:
        0 if every run of the profile has finished.

    Raises:
        ValueError: no profile has that name, or the profile has no such run.
        BlockingIOError: another study is running in this folder.
    """
    if profile not in profiles():
        raise ValueError(f"no profile is called {profile!r}: there are {', '.join(profiles()) or 'none'}")
    if run and run not in run_records(profile):
        raise ValueError(f"profile {profile} has no run {run!r}: there are {', '.join(run_records(profile))}")
    with only_study() as lock:
        if lock.read():  # killed, the last study has left Snakemake's own lock behind
            snakemake(["--unlock", "--cores", "1", "--quiet", "all", "--config", f"profile={profile}"], lock)
        before = run_records(profile)
        status = snakemake(snakemake_arguments(profile, cores, gpus, force, run), lock)
        after = run_records(profile)
        if status >= 0:
            write_note(lock, "")
    if status == 0 and after == before:
        print(
            f"\nProfile {profile} is up to date: no notebook was run. To run them again: make study PROFILE={profile} FORCE=1"
        )
    print(f"\nReports: {(paths.reports_dir() / 'index.html').as_uri()}", flush=True)  # before what goes to stderr
    for line in (
        complaints(profile, {name: about for name, about in after.items() if run in ("", name)}) if status else []
    ):
        print_red(line)
    return status


def complaints(profile: str, records: dict[str, dict]) -> list[str]:
    """One line for each run that has not finished, and why; one line in all if none can be blamed."""
    failed = [
        f"FAILED {profile}/{name}: {about['error']}"
        for name, about in records.items()
        if about.get("status") == "failed"
    ]
    ended_early = [
        f"NOT RUN TO ITS END {profile}/{name}"
        for name, about in records.items()
        if about.get("status") not in ("finished", "failed")
    ]
    return [*ended_early, *failed] or [
        "The study stopped before its end: see Snakemake's messages above. The next make study goes on from here."
    ]


def print_red(line: str) -> None:
    """Print a line in red where that can be seen, to stderr."""
    coloured = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    print(RED.format(line) if coloured else line, file=sys.stderr)


def main() -> int:
    """Run the study from the command line; the exit status is 0 if every run of the profile has finished."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.study", description="Run a profile of the study, or what is left of it."
    )
    parser.add_argument("--profile", default="smoke", help="a folder of notebooks/profiles")
    parser.add_argument("--run", default="", metavar="RUN", help="only this run of the profile, as in 04_alam_2022")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), metavar="N", help="processor cores to use")
    parser.add_argument(
        "--gpus",
        type=int,
        default=0,
        metavar="N",
        help="GPUs to use, one for each run; 0 leaves the choice to the backend",
    )
    parser.add_argument(
        "--force", action="store_true", help="run all notebooks again, also those whose results are up to date"
    )
    options = parser.parse_args()
    try:
        return study(options.profile, options.cores, options.gpus, options.force, options.run)
    except (ValueError, BlockingIOError) as error:
        print_red(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
