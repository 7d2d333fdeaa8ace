"""Run one notebook with one file of parameters, and say truthfully how it ended.

    python -m fer_helpers.study.runner notebooks/profiles/smoke/01_huang_2024.yaml --run-dir reports/smoke/01_huang_2024

Papermill can call a notebook complete although its kernel died. Here a run has finished only if the notebook itself
said so in `run.json` at its end; then it replaces the run before it.
"""

import argparse
import contextlib
import gzip
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from base64 import b64decode, b64encode
from pathlib import Path

import nbformat
import papermill
from ipykernel.kernelspec import get_kernel_dict
from ipykernel.parentpoller import ParentPollerUnix
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from PIL import Image

from fer_helpers import paths
from fer_helpers.study import parameters, runs

LONGEST_ERROR = 500  # characters
COLOURS = 256  # of a figure as it is kept: most have fewer, and no pixel of a scatter of 3,589 dots is off by 6 %
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")  # as `plots.show` puts it into a page
START_TIMEOUT = 600  # seconds for a kernel to start: a busy machine or a network's file system takes minutes
ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # that there is no GPU is no error; exceptions are raised all the same
    # glibc gives large arrays back to the system and faults in each batch anew: an eighth of a training's time.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
}
LIMITS_OF_THREADS = ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
LIMITS_OF_THREADS += ["LOKY_MAX_CPU_COUNT", "OPENCV_FOR_THREADS_NUM"]


def run_notebook(parameter_file: Path, run_dir: str, gpus: int = 0, threads: int = 0) -> str:
    """Execute the notebook that a file of parameters is named after; what went wrong in one sentence, or nothing.

    `parameter_file` is `<notebook>.yaml` or `<notebook>.<variant>.yaml`, as papermill's `-f` takes it; `run_dir`, the
    run's folder relative to the project, is a parameter too. Runs share so many `gpus`, one each; the backend has so
    many `threads`. 0 leaves either choice to the backend.
    """
    begun, notebook = time.monotonic(), parameters.notebook_of(parameter_file.name)
    folder, error = runs.run_folder(run_dir), ""
    say(folder.name, f"started {time.strftime('%H:%M:%S')}")
    try:
        runs.begin(folder, {"notebook": notebook.stem, "paper": "", "parameters": {}, "data": []})
        try:
            passed = parameters.read(parameter_file) | {"run_dir": run_dir}
            parameters.check(notebook, parameters.resolved(notebook, passed))
            environment = ENVIRONMENT | gpu_of_its_own(gpus) | {runs.RUNNERS_FOLDER: str(folder)}
            environment |= dict.fromkeys(LIMITS_OF_THREADS, str(threads)) if threads else {}
            execute(notebook, folder, passed, kernel(environment, [runs.lock(folder).fileno()]))
        except KeyboardInterrupt:
            error = "stopped by hand"
        except Exception as exception:  # whatever it was, the run has failed of it, and run.json has to say so
            error = in_one_sentence(exception)
        error += _keep_executed(notebook, folder, failed=bool(error))
        status = runs.read(runs.beside(folder, "running")).status
        if status != "finished" and not error:
            error = f"the notebook ended without writing its results: run.json says {status!r}, not 'finished'"
        runs.put_aside(folder, error) if error else runs.put_in_place(folder)
    except (OSError, runs.RunError) as exception:
        error = in_one_sentence(exception)
    took = "{} min {} s".format(*divmod(round(time.monotonic() - begun), 60))
    say(folder.name, f"FAILED after {took}: {error}" if error else f"finished in {took}")
    return error


def kernel(environment: dict[str, str], open_files: list[int]) -> type[AsyncKernelManager]:
    """Manager of a kernel of this interpreter, whichever kernels called `python3` the user has installed.

    `environment` is added to this process's; `open_files` stay open in it: a lock lasts until it has ended too.
    """

    class Kernel(AsyncKernelManager):
        kernel_spec = KernelSpec(**get_kernel_dict())

        async def start_kernel(self, **arguments: object) -> None:
            # No way to the console: what a notebook prints arrives as messages, and would be seen twice.
            arguments |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "pass_fds": open_files}
            await super().start_kernel(**arguments, env=os.environ | environment)

    return Kernel


class Console(io.TextIOBase):
    """A file that prints each whole line behind the name of a run, so that epochs can be followed as they end."""

    def __init__(self, name: str):
        self.name, self.rest = name, ""

    def write(self, text: str) -> None:
        """Print the lines that have ended; of one that was drawn again and again, as a progress bar, the last state."""
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            say(self.name, line.rstrip("\r").rpartition("\r")[2])


def say(name: str, text: str) -> None:
    """Print one line about a run, at once."""
    print(f"{name} | {text}", flush=True)


def execute(notebook: Path, folder: Path, passed: dict, manager: type[AsyncKernelManager]) -> None:
    """Execute a notebook from the project's folder; it is saved after every cell, and twice a minute within one.

    Raises PapermillExecutionError where a cell raised an exception, DeadKernelError where the kernel died.
    """
    # Papermill notes both paths in the notebook, where no machine's folders shall be named.
    executed = os.path.relpath(runs.beside(folder, "running") / "executed.ipynb", paths.PROJECT)
    options = {"kernel_name": "python3", "kernel_manager_class": manager, "stdout_file": Console(folder.name)}
    options |= {"progress_bar": False, "autosave_cell_every": 30, "start_timeout": START_TIMEOUT}
    papermill.execute_notebook(notebook.relative_to(paths.PROJECT), executed, passed, **options)


def gpu_of_its_own(gpus: int) -> dict[str, str]:
    """The environment that shows a backend one GPU that no other run of this user on this machine has.

    There are `gpus` if `CUDA_VISIBLE_DEVICES` doesn't list them; 0 changes nothing. RunError if all are taken.
    A GPU is taken by a lock, which the system lets go of when this process ends, however it ends.
    """
    if not gpus:
        return {}
    devices = (os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))).split(",")
    for device in devices:
        with contextlib.suppress(runs.RunError):
            runs.lock(Path(tempfile.gettempdir()) / f"fer_helpers_{os.getuid()}_gpu_{device}", patience=0)
            return {"CUDA_VISIBLE_DEVICES": device}
    raise runs.RunError(f"other runs have taken every GPU of {', '.join(devices)}: wait for one of them to end")


def in_one_sentence(error: Exception) -> str:
    """Name and message of an exception, that of the notebook where it was raised there."""
    if isinstance(error, DeadKernelError):
        return "DeadKernelError: the kernel died, out of memory, killed from outside or crashed in compiled code"
    name, message = getattr(error, "ename", type(error).__name__), getattr(error, "evalue", str(error))
    lines = message.strip().splitlines()
    return textwrap.shorten(f"{name}: {lines[0]}" if lines else name, LONGEST_ERROR)


def as_webp(png: re.Match) -> str:
    """The `data:` address of a PNG as that of a WebP in 256 colours; what is no whole PNG stays as it is."""
    with contextlib.suppress(OSError, ValueError):
        picture, webp = Image.open(io.BytesIO(b64decode(png[1]))).convert("RGB"), io.BytesIO()
        few = picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.convert("RGB").save(webp, "webp", lossless=True, quality=80, method=4)
        return f"data:image/webp;base64,{b64encode(webp.getvalue()).decode()}"
    return png[0]


def _keep_executed(notebook: Path, folder: Path, failed: bool) -> str:
    """Store the notebook as `executed.ipynb.gz`, and say where it failed, as in ` (in cell [4]: model.fit(...))`.

    Its figures are kept as WebP, half as large. That all cells have completed, as papermill notes when a kernel dies,
    is corrected.
    """
    saved, where = runs.beside(folder, "running") / "executed.ipynb", ""
    try:
        executed = nbformat.read(saved if saved.exists() else notebook, as_version=4)
    except (OSError, ValueError):  # why it is no notebook has been said, or the disk was full
        saved.unlink(missing_ok=True)
        return where
    if failed:
        code_cells = [cell for cell in executed.cells if cell.cell_type == "code"]
        started = [cell for cell in code_cells if cell.metadata.get("papermill", {}).get("start_time")]
        for cell in code_cells[len(started) :]:
            cell.metadata.setdefault("papermill", {})["status"] = "pending"
        if started:
            started[-1].metadata.papermill.status = "failed"
            where = f" (in cell [{len(started)}]: {next(iter(started[-1].source.strip().splitlines()), '')})"
    disk_full = contextlib.suppress(OSError) if failed else contextlib.nullcontext()
    with disk_full, paths.written_whole(saved.with_name(runs.EXECUTED)) as partial:
        partial.write_bytes(gzip.compress(PNG.sub(as_webp, nbformat.writes(executed)).encode(), mtime=0))
    saved.unlink(missing_ok=True)
    return where


def main() -> int:
    """Run a notebook from the command line; the exit status is 0 if it finished and 1 if it failed."""
    parser = argparse.ArgumentParser("runner", description="Run one notebook with one file of parameters.")
    parser.add_argument("parameter_file", type=Path, help="notebooks/profiles/<profile>/<notebook>[.<variant>].yaml")
    parser.add_argument("--run-dir", required=True, help="folder that the run writes into, relative to the project")
    parser.add_argument("--gpus", type=int, default=0, metavar="N", help="take one of N GPUs that no other run has")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="processor threads to use")
    parser.add_argument("--end-with-parent", action="store_true", help="end soon after the process that started this")
    options = parser.parse_args()
    if options.gpus < 0 or options.threads < 0:
        parser.error("--gpus and --threads are 0 or more")
    parameter_file = options.parameter_file.resolve()
    os.chdir(paths.PROJECT)
    if options.end_with_parent:
        ParentPollerUnix(os.getppid()).start()
    try:
        return 1 if run_notebook(parameter_file, options.run_dir, options.gpus, options.threads) else 0
    except (runs.RunError, OSError, RuntimeError) as error:  # a folder that can't be a run's
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())
