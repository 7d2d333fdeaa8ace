"""A run's folder and its files, which nothing else writes; no number is in a report that is no row of `results.csv`.

`reports/<profile>/<run>` holds a finished run: `results.csv`, `predictions.csv.gz`, other tables such as `history.csv`,
`run.json` and `executed.ipynb.gz`. A run that is going on collects in `.<run>.running` beside it and takes its place at
the end, so that one that fails or is killed leaves the finished one alone; a failed one is kept as `<run>.failed`.
"""

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from fer_helpers import datasets, paths
from fer_helpers.datasets.table import FaceDataset, class_indices, table_hash
from fer_helpers.study import parameters
from fer_helpers.study.parameters import RunError, fingerprint

COLUMNS = ("run", "paper", "claim", "notebook", "dataset", "split", "protocol", "model", "init", "metric", "expression")
COLUMNS += ("value", "n", "ci_low", "ci_high", "seed", "image_size", "epochs", "backend", "device", "seconds")
MEASURED = ("value", "n", "ci_low", "ci_high", "seconds")  # rows that agree in all other columns replace each other
WHOLE_NUMBERS = ("n", "seed", "image_size", "epochs")
# As the paper did it; chosen on validation data, no person on both sides, scored once; or something in between.
PROTOCOLS = ("paper", "clean", "between")
PREDICTION_KEYS = ("dataset", "model", "init", "protocol", "split", "seed", "image_size")  # as in results
PROBABILITY_DECIMALS = 6  # metrics are of rounded probabilities, so that they can be computed again from the file
PACKAGES = "keras tensorflow jax onnxruntime ai-edge-litert numpy pandas scikit-learn opencv-python-headless papermill"
EXECUTED = "executed.ipynb.gz"  # the notebook with its outputs, in a run's folder
PATIENCE = 5  # seconds to wait for a lock: the kernel of a killed run ends within one
RUNNERS_FOLDER = "FER_RUN_FOLDER"  # environment of a kernel whose run is begun, locked and put in place by the runner

_locks: dict[Path, IO] = {}
_stderr: list[int] = []  # where stderr leads while it is silenced


def run_folder(run_dir: str) -> Path:
    """The folder that a parameter `run_dir` names, relative to the project; RunError if it can't be a run's."""
    try:
        folder = paths.resolve(run_dir).resolve()
        in_use = folder.exists() and not (folder / "run.json").exists() and (folder.is_file() or any(folder.iterdir()))
    except (OSError, ValueError) as error:
        raise RunError(f"run_dir {run_dir!r:.80} can't be a folder ({error}): name another one") from error
    if not Path(run_dir).expanduser().is_absolute() and not folder.is_relative_to(paths.PROJECT.resolve()):
        raise RunError(f"run_dir {run_dir!r} is outside the project: name {folder} absolutely if it is meant")
    if folder.name[:1] == "." or folder.suffix == ".failed" or any((up / "run.json").exists() for up in folder.parents):
        raise RunError(f"run_dir {folder} is kept for another run: name a folder beside it, without .failed")
    if in_use:
        raise RunError(f"run_dir {folder} holds other files than those of a run: name a new or an empty folder")
    return folder


def beside(folder: Path, what: str) -> Path:
    """A neighbour of a run's folder: `running`, `old` or `lock`, which are hidden, or `failed`."""
    return folder.with_name(f"{folder.name}.failed" if what == "failed" else f".{folder.name}.{what}")


def lock(folder: Path, patience: float | None = None) -> IO:
    """Keep others out of a folder until the run, or this process with its kernel, has ended; RunError names who has it.

    It waits so many seconds, by default `PATIENCE`.
    """
    if folder in _locks:
        return _locks[folder]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        file = open(beside(folder, "lock"), "a+", encoding="utf-8")  # noqa: SIM115, open while the lock is held
    except OSError as error:
        raise RunError(f"no run can be kept in {folder} ({error}): name another run_dir") from error
    end = time.monotonic() + (PATIENCE if patience is None else patience)
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                file.close()
                process = beside(folder, "lock").read_text(encoding="utf-8")
                raise RunError(f"process {process} is running into {folder}: wait for its end, or stop it") from None
            time.sleep(0.2)
    file.truncate(0)
    print(os.getpid(), end="", file=file, flush=True)
    return _locks.setdefault(folder, file)


def recover(folder: Path) -> None:
    """Finish what `put_in_place` had begun when its process was killed."""
    if beside(folder, "old").exists() and not folder.exists():
        new = beside(folder, "running")
        (new if new.exists() else beside(folder, "old")).rename(folder)


def begin(folder: Path, about: dict) -> None:
    """Lock a run's folder, and note in an empty one beside it that a run is going on."""
    lock(folder)
    recover(folder)
    for left in ("running", "failed"):
        shutil.rmtree(beside(folder, left), ignore_errors=True)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    first = {"run": folder.name, "profile": folder.parent.name, "status": "running", "started": started}
    write_about(folder, first | about)


def write_about(folder: Path, about: dict) -> None:
    """Write `run.json` of the run that is going on."""
    with paths.written_whole(beside(folder, "running") / "run.json") as partial:
        partial.write_text(json.dumps(about, indent=2, default=str) + "\n", encoding="utf-8")


def put_in_place(folder: Path) -> None:
    """Let the run that has finished replace the one before it; `run.json` gets the SHA-256 of its other files.

    At every moment one of the two is there, under its own name or, after a kill, where `recover` finds it.
    """
    new, old = beside(folder, "running"), beside(folder, "old")
    files = sorted(file for file in new.iterdir() if file.name != "run.json")
    write_about(folder, read(new).about | {"files": {file.name: paths.file_sha256(file) for file in files}})
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    _locks.pop(folder).close()


def put_aside(folder: Path, error: str) -> None:
    """Keep the run that has failed as `<run>.failed`, with a sentence why; the finished run before it stays."""
    about = read(beside(folder, "running")).about
    with contextlib.suppress(OSError):  # where the disk is full
        write_about(folder, about | {"status": "failed", "error": error} | _until_now(about))
    beside(folder, "running").rename(beside(folder, "failed"))
    _locks.pop(folder).close()


def _until_now(about: dict) -> dict:
    ended = datetime.now(UTC)
    seconds = round((ended - datetime.fromisoformat(about["started"])).total_seconds())
    return {"ended": ended.isoformat(timespec="seconds"), "seconds": seconds}


@dataclass
class Record:
    """What a run left in its folder, `reports/<profile>/<run>`, and the content of its `run.json`.

    Status is `finished`, `running`, `failed`, or empty where no run has begun. Results and predictions are the text of
    their files, character by character, with `line`, a row's place in it; empty without the file.
    """

    folder: Path
    about: dict

    name = property(lambda self: self.folder.name)
    profile = property(lambda self: self.folder.parent.name)
    status = property(lambda self: self.about.get("status", ""))
    results = cached_property(lambda self: _text(self.folder / "results.csv", COLUMNS))
    predictions = cached_property(lambda self: _text(self.folder / "predictions.csv.gz", PREDICTION_KEYS))


def _text(file: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    rows = pd.read_csv(file, dtype=str, keep_default_na=False) if file.exists() else pd.DataFrame(columns=columns)
    return rows.assign(line=rows.index + 2)


def read(folder: Path) -> Record:
    """The run in a folder, whose `about` is empty where there is none; RunError if `run.json` is damaged."""
    file = folder / "run.json"
    try:
        about = {} | (json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})
        kinds = {"status": str, "started": str, "parameters": dict, "data": list, "files": dict}
        if wrong := [name for name, kind in kinds.items() if not isinstance(about.get(name, kind()), kind)]:
            raise ValueError(f"{' and '.join(wrong)} can't be what it is")
        if not all("dataset" in {*entry} for entry in about.get("data", [])):
            raise ValueError("an entry of data has no dataset")
        return Record(folder, about)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunError(f"{file} is damaged: {error}; restore it from git, or run {folder.name} again") from error


def latest(folder: Path) -> Record:
    """The last attempt at a run: it is going on or was killed, has failed, or has finished."""
    attempts = [read(place) for place in (beside(folder, "running"), beside(folder, "failed"), folder)]
    return next((attempt for attempt in attempts if attempt.about), attempts[-1])


def read_profile(folder: Path) -> list[Record]:
    """The runs of `reports/<profile>` by name, among them those that failed, as `<run>.failed`."""
    return [read(file.parent) for file in sorted(folder.glob("[!.]*/run.json"))]


def joined_results(profile: Path) -> pd.DataFrame:
    """The results of a profile's finished runs, number by number as written; ValueError unless they have `COLUMNS`."""
    parts = [pd.DataFrame(columns=list(COLUMNS), dtype=str)]
    for run in (run for run in read_profile(profile) if run.status == "finished"):
        if not (run.folder / "results.csv").exists():
            raise ValueError(f"{run.folder / 'results.csv'} is missing: restore it from git, or run its notebook again")
        parts.append(run.results.drop(columns="line"))
        if tuple(parts[-1].columns) != COLUMNS:
            has = f"{run.folder / 'results.csv'} has the columns {', '.join(parts[-1].columns)}"
            raise ValueError(f"{has}, not {', '.join(COLUMNS)}: run its notebook again")
    return pd.concat(parts, ignore_index=True)


def damaged_file(run: Record) -> str:
    """The first file of a finished run that is gone or not the one that `run.json` records; empty if all is well."""
    if not run.status:
        return "run.json"
    for name, recorded in run.about.get("files", {}).items():
        if not (run.folder / name).is_file() or paths.file_sha256(run.folder / name) != recorded:
            return name
    return ""


def why_stale(folder: Path, parameter_file: Path) -> str:
    """Why a run has to be run again, in a few words; empty for one that is up to date, or whose data is not here."""
    run, notebook = read(folder), parameters.notebook_of(folder.name)
    if run.status != "finished":
        return "has not finished"
    if lost := damaged_file(run):
        return f"has lost its {lost}, or another one stands there"
    values = parameters.resolved(notebook, parameters.read(parameter_file))
    if run.about.get("fingerprint") != fingerprint(notebook, values):
        return "has another notebook, other parameters or other modules by now"
    for entry in run.about.get("data", []) if values.get("data", "generated") != "generated" else []:
        with contextlib.suppress(OSError, ValueError):
            found = datasets.find(entry["dataset"], values["data"])
            now = {"found_as": found.name} | size_and_tables(found)
            if now["bytes"] and now != {name: entry.get(name, value) for name, value in now.items()}:
                return f"was run on another {entry['dataset']} than {found}"
    return ""


def size_and_tables(location: Path) -> dict[str, object]:
    """`bytes` of an archive, also where a path inside it is named, or of all files in a folder; 0 if it is not there.

    `tables` is a hash of those outside an archive: a label that was corrected leaves their sizes as they were.
    """
    archive = next((path for path in (location, *location.parents) if path.is_file()), None)
    files = [archive] if archive else sorted(file for file in location.rglob("*") if file.is_file())
    tables = [paths.file_sha256(file) for file in files if file.suffix.lower() in (".csv", ".txt")]
    digest = hashlib.sha256("".join(tables).encode()).hexdigest()[:16]
    return {"bytes": sum(file.stat().st_size for file in files), "tables": digest}


def start(notebook: str, paper: str, namespace: dict) -> "Run":
    """Begin a run in the first cell after a notebook's `parameters` (`namespace`: its `globals()`), without a backend.

    `notebook` is its name without `.ipynb`, `paper` a key as `huang_2024`, or empty; an empty parameter `run_dir` means
    `reports/by_hand/<notebook>`. RunError: a parameter is unknown or has a value that it can't have, data is missing,
    or the folder is locked.
    """
    file = parameters.notebook_of(notebook)
    known = parameters.defaults(file)
    # At first every literal is a parameter, also one that papermill has passed and the notebook does not know.
    literals = () if isinstance(namespace.get("run"), Run) else (str, int, float, list, dict, tuple, type(None))
    own = {name: value for name, value in namespace.items() if name[0] != "_" and name not in ("In", "Out")}
    passed = {name: value for name, value in own.items() if name in known or isinstance(value, literals)}
    values = parameters.resolved(file, passed)
    parameters.check(file, values)
    parameters.check_data(file, values)
    folder = run_folder(values.get("run_dir") or f"reports/by_hand/{notebook}")
    about = {"notebook": notebook, "paper": paper, "parameters": values, "fingerprint": fingerprint(file, values)}
    networks = (values, *values.get("alternatives", {}).values())
    about |= _weights_read({paths.resolve(network["weights"]) for network in networks if network.get("weights")})
    if os.environ.get(RUNNERS_FOLDER) != str(folder):
        begin(folder, about)
    run = Run(folder, read(beside(folder, "running")).about | about | {"data": []}, namespace)
    write_about(folder, run.about)
    _silence_stderr()
    return run


def _weights_read(files: set[Path]) -> dict[str, str]:
    """The SHA-256 of files of weights; RunError if another run has saved one and it was changed since."""
    found = {file: paths.file_sha256(file) for file in sorted(files) if file.suffix == ".h5"}
    for file, digest in found.items():
        profile, _, name = file.name.removesuffix(".weights.h5").partition(".")
        if read(paths.reports_dir() / profile / name).about.get("saved_body", digest) != digest:
            raise RunError(f"{file} is not what {profile}/{name} saved: run that again, or restore it")
    return {"weights": " ".join(found.values())} if found else {}


@dataclass
class Run(Record):
    """One execution of a notebook: collects its numbers, and writes them into its folder at its end."""

    _namespace: dict = field(default_factory=dict)  # of the notebook
    _rows: dict[tuple, dict] = field(default_factory=dict)
    _predictions: dict[tuple, pd.DataFrame] = field(default_factory=dict)
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def results(self) -> pd.DataFrame:
        """All numbers reported so far, columns `COLUMNS`."""
        always = {key: self.about.get(key, "") for key in ("run", "paper", "notebook", "backend", "device")}
        rows = [always | row for row in self._rows.values()]
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(WHOLE_NUMBERS, "Int64"))

    @property
    def predictions(self) -> pd.DataFrame:
        """All predictions so far: `PREDICTION_KEYS`, image, fold, group, label, and `p_<expression>` of each class."""
        if not self._predictions:
            return pd.DataFrame()
        together = pd.concat(self._predictions.values(), ignore_index=True)
        return together.drop_duplicates([*PREDICTION_KEYS, "image"], keep="last", ignore_index=True)

    def versions(self) -> pd.DataFrame:
        """Versions of what computes this run, its device and the commit, which `run.json` holds from now on."""
        installed = {package.name.lower(): package.version for package in metadata.distributions()}
        versions = {"python": platform.python_version()}
        versions |= {name: installed[name] for name in PACKAGES.split() if name in installed}
        about = {"backend": _backend(), "commit": git_commit()}
        about["device"] = device_name(self.about["parameters"].get("all_devices", False))
        self.about |= about | {"versions": versions}
        write_about(self.folder, self.about)
        while _stderr:
            os.dup2(_stderr.pop(), 2)
        named = {name: about[name] for name in ("backend", "device", "commit") if about[name]}
        return pd.Series(versions | named, name="version").to_frame()

    def add_data(self, dataset: FaceDataset) -> None:
        """Record in `run.json` which data the numbers are about."""
        source = "generated faces" if dataset.generated else "real photographs"
        entry = {"dataset": dataset.name, "source": source, "found_as": dataset.location.name}
        entry |= size_and_tables(dataset.location) | {"images": len(dataset.table), "skipped": len(dataset.skipped)}
        entry |= {"table_hash": table_hash(dataset.table), "notes": list(dataset.notes)}
        self.about["data"] = [other for other in self.about["data"] if other["dataset"] != dataset.name] + [entry]
        write_about(self.folder, self.about)

    def add(self, metric: str, value: float, *, interval: tuple[float, float] | None = None, **columns) -> None:
        """Report one number as a row of `results.csv`; it replaces a row that differs in `MEASURED` only.

        Proportions are fractions of 1, `interval` is one of 95 %. `columns` are others of `COLUMNS` (ValueError if
        not); run, paper, notebook, backend and device are filled in.
        """
        if unknown := sorted(set(columns) - set(COLUMNS)):
            raise ValueError(f"results.csv has no column {', '.join(unknown)}: its columns are {', '.join(COLUMNS)}")
        if columns.get("protocol", PROTOCOLS[0]) not in PROTOCOLS:
            raise ValueError(f"protocol is one of {', '.join(PROTOCOLS)}, not {columns['protocol']!r}")
        low, high = interval or (None, None)
        row = {"metric": metric, "value": float(value), "ci_low": low, "ci_high": high} | columns
        self._rows[tuple(str(row.get(column, "")) for column in COLUMNS if column not in MEASURED)] = row

    def add_scores(
        self,
        table: pd.DataFrame,
        probabilities: np.ndarray,
        classes: list[str],
        *,
        claims: dict[tuple[str, str], str] | None = None,
        group_by: str | None = None,
        **columns,
    ) -> pd.DataFrame:
        """Keep a model's predictions on some images, report and return every metric that `evaluation.scores` computes.

        `table` has the n images, `probabilities` is (n, len(classes)). `claims` are ids of the printed numbers that
        metrics are held against, by (metric, expression); groups of the column `group_by`, as `subject`, are drawn
        whole for the intervals. Of `columns`, as of `add`, model, init, seed, split and dataset are needed.
        """
        from fer_helpers import evaluation  # takes a second to import, which the study saves

        rounded = np.asarray(probabilities, dtype="float64").round(PROBABILITY_DECIMALS)
        groups = None if group_by is None else table[group_by].to_numpy()
        keys = {key: columns.get(key) for key in PREDICTION_KEYS}
        frame = pd.DataFrame(keys, index=table.index).assign(image=table["image"], fold=table.get("fold", pd.NA))
        frame = frame.assign(group=table.get(group_by, pd.NA), label=table["expression"])
        frame[[f"p_{name}" for name in classes]] = rounded
        self._predictions[(*keys.values(), *table["image"])] = frame
        scored = evaluation.scores(class_indices(table, classes).to_numpy(), rounded, classes, groups=groups)
        for metric, expression, value, n, low, high in scored.itertuples(index=False):
            claim = (claims or {}).get((metric, expression), "")
            self.add(metric, value, interval=(low, high), claim=claim, expression=expression, n=n, **columns)
        return scored

    def write(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a table that is written as CSV beside the results, as `history.csv`; rows that are the same, once."""
        self._tables[name] = frame.drop_duplicates(ignore_index=True)

    def backup_dir(self, training: str) -> Path:
        """Where a training of this run keeps its epochs until the run has finished.

        A run that was killed finds them again; one with other parameters, data, cells or imported modules begins anew.
        """
        self._check_unchanged()
        return self._backups / training

    @property
    def body_file(self) -> Path:
        """Where a notebook saves its trained body: once it has finished, it replaces that of the run before."""
        return paths.cache_dir() / "models" / f".{self.folder.parent.name}.{self.name}.new.weights.h5"

    def remember(self, training: str, compute: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What one of this run's many trainings gave, computed once: a run that was killed finds it again.

        `compute` trains in the folder that it is given and returns what is to be kept; the folder is then removed.
        """
        folder = self.backup_dir(training)
        kept = self._backups / f"{training}.npz"
        with contextlib.suppress(Exception), np.load(kept) as arrays:  # missing or damaged in whatever way: made anew
            return dict(arrays)
        computed = {name: np.asarray(value) for name, value in compute(folder).items()}
        with paths.written_whole(kept) as partial, open(partial, "wb") as file:
            np.savez(file, **computed)
        shutil.rmtree(folder, ignore_errors=True)
        return computed

    def _check_unchanged(self) -> None:
        """RunError if a parameter is another by now than that by which the run is known, and its trainings are kept."""
        began, notebook = self.about["parameters"], parameters.notebook_of(self.about["notebook"])
        own = {name: self._namespace[name] for name in began if name in self._namespace}
        now = parameters.resolved(notebook, own) if own else {}
        if changed := [name for name in own if now[name] != began[name]]:
            raise RunError(f"{', '.join(changed)} was changed after runs.start: run that cell again")

    @cached_property
    def _backups(self) -> Path:
        data = [(entry["table_hash"], entry["bytes"]) for entry in self.about["data"]]
        same = json.dumps([self.about["fingerprint"], data, _backend(), self.about.get("weights")])
        key = hashlib.sha256(same.encode()).hexdigest()[:12]
        return paths.cache_dir() / "backups" / f"{self.about['profile']}.{self.name}.{key}"

    def finish(self, **about) -> None:
        """Write all files, mark the run as finished, let it replace the one before it, and remove its backups.

        `about` is what else `run.json` should hold, as in `init="scratch"`. RunError if the disk is full or can't be
        written; the cell can then be run again.
        """
        self._check_unchanged()
        if "versions" not in self.about:
            self.versions()
        by_hand = os.environ.get(RUNNERS_FOLDER) != str(self.folder)
        if by_hand:
            lock(self.folder)
        tables = self._tables | {"results.csv": self.results}
        if self._predictions:  # those of an image next to each other, since many are alike: a third less after gzip
            tables["predictions.csv.gz"] = self.predictions.sort_values("image", kind="stable")
        try:
            for name, table in tables.items():
                write_csv(table, beside(self.folder, "running") / name)
            about |= {"core_seconds": round(sum(os.times()[:4])), "peak_bytes": most_memory()}
            saved = self.body_file.with_name(f"{self.folder.parent.name}.{self.name}.weights.h5")
            if self.body_file.exists():
                self.body_file.replace(saved)
            about |= {"saved_body": paths.file_sha256(saved)} if saved.exists() else {}
            write_about(self.folder, self.about | {"status": "finished"} | _until_now(self.about) | about)
            if by_hand:
                put_in_place(self.folder)
        except OSError as error:
            why = f"the results could not be written: {error}"
            with contextlib.suppress(OSError):
                write_about(self.folder, self.about | {"status": "failed", "error": why})
            raise RunError(f"{why}; then run this cell again: trainings are kept") from error
        shutil.rmtree(self._backups, ignore_errors=True)


def most_memory() -> int:
    """The most bytes that this process, with all it imported, has held at once."""
    if (status := Path("/proc/self/status")).exists():  # Linux, where `ru_maxrss` begins with what the caller held
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS, in bytes


def with_interval(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of results with one column `interval`, (low, high) or missing, as `plots.show_table` prints it."""
    ends = zip(rows["ci_low"], rows["ci_high"], strict=True)
    return rows.assign(interval=[None if pd.isna(low) else (low, high) for low, high in ends]).reset_index(drop=True)


def write_csv(frame: pd.DataFrame, target: Path) -> None:
    """Write a table as CSV, gzipped if the name ends in `.gz`, the same bytes for the same table."""
    text = frame.to_csv(index=False, lineterminator="\n").encode(errors="backslashreplace")
    with paths.written_whole(target) as partial:
        partial.write_bytes(gzip.compress(text, mtime=0) if target.suffix == ".gz" else text)


def _silence_stderr() -> None:
    """In a Jupyter kernel, keep what compiled code writes to stderr from the page, until `Run.versions` is called.

    TensorFlow names a missing GPU before its log level counts. Python's warnings and errors take another way.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "ipykernel" in sys.modules and not _stderr:
        _stderr.append(os.dup(2))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _backend() -> str:
    """The backend of Keras; none where it has not been imported, which takes a notebook that trains nothing seconds."""
    return sys.modules["keras"].backend.backend() if "keras" in sys.modules else ""


def device_name(all_devices: bool) -> str:
    """The GPU, or how many if one network is trained on all, or else the processor and its number of cores.

    A backend uses one GPU, however many it sees, unless told otherwise. Without Keras, none is asked for GPUs.
    """
    # Asked for GPUs by name, JAX raises an error where there are none; asked for devices, it names processors then.
    devices = sys.modules["keras"].distribution.list_devices() if "keras" in sys.modules else []
    if gpus := [device for device in devices if not device.startswith("cpu")]:
        names = _output_of("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
        return f"{len(gpus) if all_devices else 1} x {names.partition(chr(10))[0] or 'GPU'}"
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text() if cpuinfo.exists() else "")
    return f"{model[1] if model else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def git_commit() -> str:
    """The commit of the project's code, and `+changes` where package or notebooks differ; outside git `FER_COMMIT`."""
    commit = _output_of("git", "rev-parse", "--short=12", "HEAD")
    changed = _output_of("git", "status", "--porcelain", "--", "fer_helpers", "notebooks")
    return commit + "+changes" * bool(changed) if commit else os.environ.get("FER_COMMIT", "unknown")


def _output_of(*command: str) -> str:
    """What a command prints, run in the project's folder; nothing where it fails or is not installed."""
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run(command, cwd=paths.PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    return ""
