"""Run one notebook with one file of parameters, and say truthfully how it ended.

    python -m fer_helpers.study.runner notebooks/profiles/smoke/01_huang_2024.yaml --run-dir reports/smoke/01_huang_2024

Papermill can call a notebook complete although its kernel died or a cell ran into its time limit. Here a run has succeeded only if
the notebook itself wrote `finished` into `run.json` at its end. A run that failed keeps its notebook as far as it got, and a page of it.
"""

import argparse
import fcntl
import gzip
import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import papermill
import yaml
from ipykernel.kernelspec import get_kernel_dict
from ipykernel.parentpoller import ParentPollerUnix
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode
from papermill.exceptions import PapermillExecutionError

from fer_helpers import paths

LEFT_BY_AN_EARLIER_RUN = ("results.csv", "predictions.csv.gz", "history.csv", "executed.ipynb", "executed.ipynb.gz")
LONGEST_ERROR = 500  # characters


def run_notebook(parameter_file: Path, run_dir: str, cell_timeout: int | None = None, gpus: int = 0) -> str:
    """Execute the notebook that a file of parameters is named after, and leave `run.json` and `executed.ipynb.gz` in its folder.

    Args:
        parameter_file: `<notebook>.yaml` or `<notebook>.<variant>.yaml`, parameters as papermill's `-f` takes them.
        run_dir: folder of the run, relative to the project; the notebook gets it as its parameter `run_dir`.
        cell_timeout: seconds that a cell may take; no limit if missing.
        gpus: how many GPUs runs share, one each; 0 leaves the choice to the backend.

    Returns:
        What went wrong, in one sentence; empty if the notebook finished.
    """
    folder = paths.PROJECT / run_dir
    notebook = _notebook_of(parameter_file)
    working_copy = folder / "executed.ipynb"
    _begin(folder, notebook)
    say(folder.name, f"started {datetime.now().astimezone():%H:%M:%S}")
    try:
        parameters = read_parameters(parameter_file) | {"run_dir": run_dir}
        check_parameters(notebook, parameters)
        with gpu_of_its_own(gpus):
            execute(notebook, working_copy, parameters, cell_timeout)
        error = ""
    except KeyboardInterrupt:
        error = "stopped by hand"
    except Exception as exception:  # whatever it was, the run has failed of it, and run.json has to say so
        error = in_one_sentence(exception)
    where = _keep_executed(working_copy if working_copy.exists() else notebook, folder, failed=bool(error))
    working_copy.unlink(missing_ok=True)
    error = error + where or _unfinished(folder)
    _end(folder, error)
    return error


def _notebook_of(parameter_file: Path) -> Path:
    """The notebook that a file of parameters is for: `01_huang_2024.seed1.yaml` is for `01_huang_2024.ipynb`."""
    return paths.notebooks_dir() / f"{parameter_file.name.partition('.')[0]}.ipynb"


# ---------------------------------------------------------------------------------------------------------- parameters


def read_parameters(parameter_file: Path) -> dict:
    """The parameters in a YAML file.

    Raises:
        ValueError: the file is not YAML, or a value is a string that looks like a number: YAML reads `1e-4` as text.
        TypeError: the file is no mapping.
    """
    try:
        parameters = yaml.safe_load(parameter_file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{parameter_file.name} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(parameters, dict):
        raise TypeError(f"{parameter_file.name} holds no parameters: write one `name: value` a line")
    for name, value in parameters.items():
        for text in filter(_looks_like_number, _values(value)):
            raise ValueError(
                f"{parameter_file.name}: {name}: YAML reads {text} as text, not as a number: write 1e-4 as 1.0e-4, and no quotes"
            )
    return parameters


def _values(value: object) -> Iterator[object]:
    """A value, or all values in a list or mapping, however deep."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _values(part)
    else:
        yield value


def _looks_like_number(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def check_parameters(notebook: Path, parameters: dict) -> None:
    """Refuse a parameter that the notebook does not have, on which papermill would only warn.

    Raises:
        ValueError: the message names the parameter and those that there are.
    """
    known = papermill.inspect_notebook(str(notebook))
    unknown = [name for name in parameters if name not in known]
    if unknown:
        raise ValueError(
            f"{notebook.name} has no parameter {', '.join(unknown)}: its parameters are {', '.join(known)}"
        )


# ----------------------------------------------------------------------------------------------------------- execution


class KernelOfThisPython(AsyncKernelManager):
    """A kernel of the interpreter that runs this module, whichever kernels called `python3` the user has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """What ipykernel itself would install for this interpreter."""
        return KernelSpec(**get_kernel_dict())

    async def start_kernel(self, **arguments: object) -> None:
        """Start it with no way to the console: what a notebook prints arrives as messages, and would be seen twice."""
        await super().start_kernel(**arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Console:
    """A file that prints each whole line behind the name of a run, so that epochs can be followed as they end."""

    def __init__(self, name: str):
        self.name, self.rest = name, ""

    def write(self, text: str) -> None:
        """Print the lines that have ended; of a line that was drawn again and again, as progress bars are, the last state."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            say(self.name, line.rstrip("\r").rpartition("\r")[2])

    def flush(self) -> None:
        """Nothing to do: a part of a line waits for its end."""


def say(name: str, text: str) -> None:
    """Print one line about a run, at once."""
    print(f"{name} | {text}", flush=True)


def execute(notebook: Path, executed: Path, parameters: dict, cell_timeout: int | None) -> None:
    """Execute a notebook, its working folder the project; `executed` is written after every cell, and twice a minute within one.

    Raises:
        PapermillExecutionError: a cell raised an exception.
        DeadKernelError: the kernel died.
        CellTimeoutError: a cell took too long.
    """
    papermill.execute_notebook(
        notebook.relative_to(
            paths.PROJECT
        ),  # papermill notes both paths in the notebook, which shall name no machine's folders
        executed.relative_to(paths.PROJECT),
        parameters,
        kernel_name="python3",
        kernel_manager_class=KernelOfThisPython,
        progress_bar=False,
        stdout_file=Console(executed.parent.name),
        autosave_cell_every=30,
        execution_timeout=cell_timeout,
    )


@contextmanager
def gpu_of_its_own(gpus: int) -> Iterator[None]:
    """Show the backend one GPU that no other run of this user on this machine has.

    A GPU is taken by a file lock, which the system lets go of when this process ends, however it ends.

    Args:
        gpus: how many there are, if `CUDA_VISIBLE_DEVICES` doesn't list them; 0 changes nothing.

    Raises:
        RuntimeError: all are taken.
    """
    if not gpus:
        yield
        return
    devices = (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))).split(",")
    for device in devices:
        with open(Path(tempfile.gettempdir()) / f"fer_helpers_{os.getuid()}_gpu_{device}.lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            os.environ["CUDA_VISIBLE_DEVICES"] = device
            yield
            return
    raise RuntimeError(
        f"other runs have taken every GPU of {', '.join(devices)}: wait for one of them, or name others in CUDA_VISIBLE_DEVICES"
    )


# ------------------------------------------------------------------------------------------------------------- outcome


def in_one_sentence(error: Exception) -> str:
    """Name and message of an exception, that of the notebook where it was raised there."""
    if isinstance(error, DeadKernelError):
        return "DeadKernelError: the kernel died, out of memory, killed from outside or crashed in compiled code"
    if isinstance(error, PapermillExecutionError):
        name, message = error.ename, error.evalue
    else:
        name, message = type(error).__name__, str(error)
    lines = message.strip().splitlines()
    return textwrap.shorten(f"{name}: {lines[0]}" if lines else name, LONGEST_ERROR)


def _begin(folder: Path, notebook: Path) -> None:
    """Clear what an earlier run left, so that nothing of it can be taken for this one's, and note that this one has begun."""
    for name in LEFT_BY_AN_EARLIER_RUN:
        (folder / name).unlink(missing_ok=True)
    about = {
        "run": folder.name,
        "profile": folder.parent.name,
        "notebook": notebook.stem,
        "paper": "",
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": {},
        "data": [],
    }
    _write_about(about, folder)


def _unfinished(folder: Path) -> str:
    """What is wrong with a notebook that ended without a word that it finished; nothing if it said so."""
    status = _read_about(folder)["status"]
    return (
        ""
        if status == "finished"
        else f"the notebook ended without writing its results: run.json says {status!r}, not 'finished'"
    )


def _keep_executed(notebook: Path, folder: Path, failed: bool) -> str:
    """Store a notebook as `executed.ipynb.gz`, and say where it failed, as in ` (in cell [4]: model.fit(...))`."""
    executed = nbformat.read(notebook, as_version=4)
    where = _mark_failure(executed) if failed else ""
    with paths.written_whole(folder / "executed.ipynb.gz") as partial:
        partial.write_bytes(gzip.compress(nbformat.writes(executed).encode(), mtime=0))
    return where


def _mark_failure(executed: NotebookNode) -> str:
    """Correct what papermill notes about cells when a kernel dies: all of them completed. Return where it was, if it was in a cell."""
    code_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    started = [cell for cell in code_cells if cell.metadata.get("papermill", {}).get("start_time")]
    for cell in code_cells[len(started) :]:
        cell.metadata.setdefault("papermill", {})["status"] = "pending"
    if not started:
        return ""
    started[-1].metadata.papermill.status = "failed"
    first_line = next(iter(started[-1].source.strip().splitlines()), "")
    return f" (in cell [{len(started)}]: {first_line})"


def _end(folder: Path, error: str) -> None:
    """Note a failure in `run.json`, and print how the run ended."""
    about = _read_about(folder)
    ended = datetime.now(UTC)
    seconds = round((ended - datetime.fromisoformat(about["started"])).total_seconds())
    if error:
        _write_about(
            about
            | {"status": "failed", "error": error, "ended": ended.isoformat(timespec="seconds"), "seconds": seconds},
            folder,
        )
    took = f"{seconds // 60} min {seconds % 60} s"
    say(folder.name, f"FAILED after {took}: {error}" if error else f"finished in {took}")


def _read_about(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


def _write_about(about: dict, folder: Path) -> None:
    with paths.written_whole(folder / "run.json") as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Run a notebook from the command line; the exit status is 0 if it finished and 1 if it failed."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.study.runner", description="Run one notebook with one file of parameters."
    )
    parser.add_argument("parameter_file", type=Path, help="notebooks/profiles/<profile>/<notebook>[.<variant>].yaml")
    parser.add_argument("--run-dir", required=True, help="folder that the run writes into, relative to the project")
    parser.add_argument("--cell-timeout", type=int, metavar="SECONDS", help="let no cell take longer")
    parser.add_argument(
        "--gpus", type=int, default=0, metavar="N", help="take one of N GPUs that no other run has taken"
    )
    parser.add_argument(
        "--end-with-parent", action="store_true", help="end within a second of the process that started this one"
    )
    options = parser.parse_args()
    parameter_file = options.parameter_file.resolve()
    os.chdir(paths.PROJECT)
    if options.end_with_parent:
        ParentPollerUnix(os.getppid()).start()
    error = run_notebook(parameter_file, options.run_dir, options.cell_timeout, options.gpus)
    if error:
        subprocess.run([sys.executable, "-m", "fer_helpers.study.report", "render", options.run_dir], check=False)
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
