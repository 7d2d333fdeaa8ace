"""What a run leaves behind: `results.csv`, `predictions.csv.gz` and `run.json`, in one folder a run.

A number that is not a row of `results.csv` is not in a report.
"""

import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from fer_helpers import evaluation, paths
from fer_helpers.datasets.table import FaceDataset, class_indices, table_hash

COLUMNS = (
    *("run", "paper", "claim", "notebook", "dataset", "split", "protocol", "model", "init", "metric", "expression"),
    *("value", "n", "ci_low", "ci_high", "seed", "image_size", "epochs", "backend", "device", "seconds"),
)
WHOLE_NUMBERS = ("n", "seed", "image_size", "epochs")
# As the paper did it; chosen on validation data, no person on both sides, scored once; or something in between, for comparison.
PROTOCOLS = ("paper", "clean", "between")
REPORTED_PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "onnxruntime",
    "ai-edge-litert",
    "numpy",
    "pandas",
    "scikit-learn",
    "opencv-python-headless",
    "papermill",
)
PROBABILITY_DECIMALS = (
    6  # metrics are computed from probabilities rounded like this, so that they can be computed again from the file
)
PREDICTION_KEYS = (
    "dataset",
    "model",
    "init",
    "protocol",
    "split",
    "seed",
    "image_size",
)  # which rows of results.csv a prediction belongs to
HASHED = ("results.csv", "predictions.csv.gz", "history.csv")  # what run.json holds the SHA-256 of
LITERALS = (str, int, float, bool, list, dict, tuple, type(None))


@dataclass
class Run:
    """One execution of a notebook: collects its numbers, and writes them when it has ended well.

    Attributes:
        folder: where the files go, `reports/<profile>/<run>`.
        about: content of `run.json`.
    """

    folder: Path
    about: dict
    _rows: list[dict] = field(default_factory=list)
    _predictions: list[pd.DataFrame] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the run: that of its folder."""
        return self.folder.name

    @property
    def results(self) -> pd.DataFrame:
        """All numbers reported so far, columns `COLUMNS`."""
        return pd.DataFrame(self._rows, columns=list(COLUMNS)).astype(dict.fromkeys(WHOLE_NUMBERS, "Int64"))

    @property
    def predictions(self) -> pd.DataFrame:
        """All predictions so far: `PREDICTION_KEYS`, image, fold, group, label, then `p_<expression>` for each class."""
        return pd.concat(self._predictions, ignore_index=True) if self._predictions else pd.DataFrame()

    def add(self, metric: str, value: float, *, interval: tuple[float, float] | None = None, **columns) -> None:
        """Report one number as a row of `results.csv`.

        Args:
            metric: what was measured, as in `accuracy`.
            value: the number; proportions as fractions of 1.
            interval: lower and upper end of the 95 % interval, where there is one.
            **columns: any other of `COLUMNS`; `run`, `paper`, `notebook`, `backend` and `device` are filled in.

        Raises:
            ValueError: a column or protocol that `results.csv` does not have.
        """
        unknown = set(columns) - set(COLUMNS)
        if unknown:
            raise ValueError(
                f"results.csv has no column {', '.join(sorted(unknown))}: its columns are {', '.join(COLUMNS)}"
            )
        if columns.get("protocol", PROTOCOLS[0]) not in PROTOCOLS:
            raise ValueError(f"protocol is one of {', '.join(PROTOCOLS)}, not {columns['protocol']!r}")
        low, high = interval or (None, None)
        always = {key: self.about[key] for key in ("run", "paper", "notebook", "backend", "device")}
        self._rows.append(always | {"metric": metric, "value": float(value), "ci_low": low, "ci_high": high} | columns)

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
        """Keep a model's predictions on some images and report every metric computed from them.

        Args:
            table: the n images that were scored, one row each.
            probabilities: float array (n, len(classes)).
            classes: expression of each column of `probabilities`.
            claims: id of the printed number that a metric is held against, by (metric, expression).
            group_by: column of `table`, as `subject`, whose groups are drawn whole for the intervals.
            **columns: columns of `results.csv`; `model`, `init`, `seed`, `split` and `dataset` are needed.

        Returns:
            The metrics as `evaluation.scores` gives them.
        """
        self.add_predictions(
            table, probabilities, classes, group_by=group_by, **{key: columns.get(key) for key in PREDICTION_KEYS}
        )
        rounded = np.asarray(probabilities, dtype="float64").round(PROBABILITY_DECIMALS)
        groups = None if group_by is None else table[group_by].to_numpy()
        scored = evaluation.scores(class_indices(table, classes).to_numpy(), rounded, classes, groups=groups)
        for row in scored.to_dict("records"):
            interval = (row.pop("ci_low"), row.pop("ci_high"))
            claim = (claims or {}).get((row["metric"], row["expression"]), "")
            self.add(row.pop("metric"), row.pop("value"), interval=interval, claim=claim, **row, **columns)
        return scored

    def add_data(self, dataset: FaceDataset) -> None:
        """Record in `run.json` which data the numbers are about."""
        entry = {
            "dataset": dataset.name,
            "source": "generated faces" if dataset.generated else "real photographs",
            "found_as": dataset.location.name,
            "images": len(dataset.table),
            "skipped": len(dataset.skipped),
            "table_hash": table_hash(dataset.table),
            "notes": list(dataset.notes),
        }
        self.about["data"].append(entry)
        self._write_about()

    def add_predictions(
        self,
        table: pd.DataFrame,
        probabilities: np.ndarray,
        classes: list[str],
        *,
        group_by: str | None = None,
        **keys: str | int | None,
    ) -> None:
        """Keep what a model said of each image, so that every metric can be computed again.

        Args:
            table: the n images that were scored, one row each.
            probabilities: float array (n, len(classes)).
            classes: expression of each column of `probabilities`.
            **keys: `PREDICTION_KEYS`, as in the rows of `results.csv` that are computed from it.
        """
        fold = table["fold"] if "fold" in table else pd.array([pd.NA] * len(table), "Int64")
        group = pd.array([pd.NA] * len(table), "string") if group_by is None else table[group_by]
        frame = table[["image"]].assign(**keys, fold=fold, group=group, label=table["expression"])[
            [*keys, "image", "fold", "group", "label"]
        ]
        rounded = np.asarray(probabilities, dtype="float64").round(PROBABILITY_DECIMALS)
        columns = pd.DataFrame(rounded, columns=[f"p_{name}" for name in classes], index=frame.index)
        self._predictions.append(pd.concat([frame, columns], axis=1))

    def backup_dir(self, training: str) -> Path:
        """Where a training of this run keeps its epochs until the run has finished.

        A run that was killed finds them again; one with other parameters, data or committed code begins anew.
        """
        return self._backups / training

    def remember(self, training: str, compute: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """What one of this run's many trainings gave, computed once: a run that was killed finds it again.

        Args:
            training: name of the training, fit for a file.
            compute: trains in the folder that it is given, as `training.fit` does, and returns what is to be kept; the folder is then removed.
        """
        kept = self._backups / f"{training}.npz"
        if not kept.exists():
            computed = compute(self.backup_dir(training))
            with paths.written_whole(kept) as partial, open(partial, "wb") as file:
                np.savez(file, **computed)
            shutil.rmtree(self.backup_dir(training), ignore_errors=True)
        with np.load(kept) as arrays:
            return dict(arrays)

    @cached_property
    def _backups(self) -> Path:
        parameters = {key: value for key, value in self.about["parameters"].items() if key != "run_dir"}
        same = [
            parameters,
            [entry["table_hash"] for entry in self.about["data"]],
            self.about["commit"],
            self.about["backend"],
        ]
        key = hashlib.sha256(json.dumps(same, sort_keys=True, default=str).encode()).hexdigest()[:12]
        return paths.cache_dir() / "backups" / f"{self.about['profile']}.{self.name}.{key}"

    def finish(self, **about) -> None:
        """Write `results.csv` and `predictions.csv.gz`, mark the run as finished in `run.json`, and remove its backups.

        What `fer_helpers.study.verify` needs is written too: a last column `check` of the predictions, and the SHA-256 of each of `HASHED`.

        Args:
            **about: what else `run.json` should hold, as in `init="scratch"` or `verdict="not testable here"`.
        """
        write_csv(self.results, self.folder / "results.csv")
        if self._predictions:
            write_csv(with_check(self.predictions), self.folder / "predictions.csv.gz")
        ended = datetime.now(UTC)
        seconds = (ended - datetime.fromisoformat(self.about["started"])).total_seconds()
        self.about |= {
            "status": "finished",
            "ended": ended.isoformat(timespec="seconds"),
            "seconds": round(seconds),
        } | about
        self.about["files"] = {
            name: paths.file_sha256(self.folder / name) for name in HASHED if (self.folder / name).exists()
        }
        self._write_about()
        shutil.rmtree(self._backups, ignore_errors=True)

    def _write_about(self) -> None:
        write_json(self.about, self.folder / "run.json")


def start(notebook: str, paper: str, namespace: dict) -> Run:
    """Begin a run, from the cell right after a notebook's `parameters`.

    The parameter `run_dir` says where the run writes, relative to the project; empty means `reports/by_hand/<notebook>`.

    Args:
        notebook: name of the notebook without `.ipynb`.
        paper: key of the paper, as in `huang_2024`, or empty.
        namespace: `globals()` of the notebook.

    Raises:
        ValueError: a parameter was passed that the notebook does not have.
    """
    import keras

    parameters = _parameters(notebook, namespace)
    folder = paths.PROJECT / (parameters.get("run_dir") or f"reports/by_hand/{notebook}")
    about = {
        "run": folder.name,
        "profile": folder.parent.name,
        "notebook": notebook,
        "paper": paper,
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": parameters,
        "data": [],
        "backend": keras.backend.backend(),
        "device": device_name(parameters.get("all_devices", False)),
        "versions": {"python": platform.python_version()} | installed_versions(),
        "commit": git_commit(),
    }
    run = Run(folder, about)
    run._write_about()
    return run


def _parameters(notebook: str, namespace: dict) -> dict:
    """The values of the notebook's parameters; an unknown one, on which papermill only warns, is an error."""
    import papermill

    known = list(papermill.inspect_notebook(str(paths.notebooks_dir() / f"{notebook}.ipynb")))
    # On the first execution only parameters are literals; when the cell is run again by hand there are others.
    first_time = not isinstance(namespace.get("run"), Run)
    passed = [
        name
        for name, value in namespace.items()
        if isinstance(value, LITERALS) and not name.startswith("_") and name not in ("In", "Out")
    ]
    unknown = sorted(set(passed) - set(known)) if first_time else []
    if unknown:
        raise ValueError(f"{notebook} has no parameter {', '.join(unknown)}: its parameters are {', '.join(known)}")
    return {name: namespace[name] for name in known}


def device_name(all_devices: bool = False) -> str:
    """What the run computes on: how many GPUs, and the name of the first, or the processor and its number of cores.

    Args:
        all_devices: one network is trained on all GPUs; otherwise a backend uses one, however many it sees.
    """
    import keras

    # Asked for GPUs by name, JAX raises an error where there are none; asked for devices, it names processors only where there is nothing better.
    gpus = [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
    if gpus:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        names = (
            subprocess.run(query, capture_output=True, text=True, check=False).stdout.split("\n")
            if shutil.which("nvidia-smi")
            else [""]
        )
        return f"{len(gpus) if all_devices else 1} x {names[0] or 'GPU'}"
    return f"{_processor_name()}, {os.cpu_count()} cores"


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def installed_versions() -> dict[str, str]:
    """Version of each of `REPORTED_PACKAGES` that is installed."""
    installed = {distribution.name.lower(): distribution.version for distribution in metadata.distributions()}
    return {name: installed[name] for name in REPORTED_PACKAGES if name in installed}


def git_commit() -> str:
    """The commit of the project's code, with `+changes` where package or notebooks differ from it; `unknown` outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=paths.PROJECT, capture_output=True, text=True, check=False
        ).stdout.strip()

    commit = git("rev-parse", "--short=12", "HEAD")
    changed = git("status", "--porcelain", "--", "fer_helpers", "notebooks")
    return (commit + "+changes" * bool(changed)) if commit else "unknown"


def with_interval(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of results with one column `interval`, (low, high) or missing, as `figures.show_table` prints it."""
    ends = zip(rows["ci_low"], rows["ci_high"], strict=True)
    return rows.assign(interval=[None if pd.isna(low) else (low, high) for low, high in ends]).reset_index(drop=True)


def with_check(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with a last column `check`, from which a row that was changed later can be told: `row_check` of its text before it."""
    lines = predictions.to_csv(index=False, header=False, lineterminator="\n").removesuffix("\n").split("\n")
    return predictions.assign(check=[row_check(line) for line in lines])


def row_check(line: str) -> str:
    """CRC-32 of a line of CSV, eight hexadecimal digits; no change of a single digit leaves it as it is."""
    return f"{zlib.crc32(line.encode()):08x}"


def write_csv(frame: pd.DataFrame, target: Path) -> None:
    """Write a table as CSV, gzipped if the name ends in `.gz`, the same bytes for the same table."""
    text = frame.to_csv(index=False, lineterminator="\n").encode()
    with paths.written_whole(target) as partial:
        partial.write_bytes(gzip.compress(text, mtime=0) if target.suffix == ".gz" else text)


def write_json(content: dict, target: Path) -> None:
    """Write a dictionary as indented JSON."""
    with paths.written_whole(target) as partial:
        partial.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
