"""Whether a ratio of speeds has fallen since it was measured, and the memory that work takes.

python -m fer_helpers.study.benchmark reports/bench/06_speed     # `make bench`: measures once more, and compares
"""

import contextlib
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from itertools import chain
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from fer_helpers import paths
from fer_helpers.study import runs


def process(environment: Mapping[str, str]) -> ProcessPoolExecutor:
    """One process of its own, started with this environment, whose allocator reads it then; it ends with the pool."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with mock.patch.dict(os.environ, environment, clear=True):
        pool.submit(os.getpid).result()
    return pool


def peak_memory(work: Callable, *calls: tuple) -> list[float]:
    """The most bytes that a process of its own, with all it imported, had held at once by the end of each call."""
    with process(os.environ) as watched:
        return [watched.submit(_peak_after, work, arguments).result() for arguments in calls]


def _peak_after(work: Callable, arguments: tuple) -> float:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # TensorFlow's start; errors are raised in the process that asked
    work(*arguments)
    return float(runs.most_memory())


def page_faults() -> int:
    """How many pages of memory this process has been given since it began, without a read from disk."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def stream_once(folder: Path, count: int, side: int, batch_size: int) -> None:
    """Go once through augmented batches of training images of an AffectNet on disk, as a training that streams them."""
    from fer_helpers import datasets, images, training  # here, so that only a process that streams loads Keras

    table = datasets.load("affectnet", str(folder)).table.query("split == 'train'").head(count)
    go_through(training.Batches(images.ImageFiles(table, side), table["label"], batch_size, 0, training.Augmentation()))


@cache
def network_to_train(variant: str, side: int, is_quick: bool = True):
    """A compiled network with random weights, one a process, by the study's faster layers or Keras's own."""
    import keras

    from fer_helpers import fast_layers, models

    def of_keras(layer):
        kind = type(layer)
        return (kind.__base__ if kind.__module__ == fast_layers.__name__ else kind).from_config(layer.get_config())

    body = models.efficientnet(variant, side)
    body = body if is_quick else keras.models.clone_model(body, clone_function=of_keras)
    network = keras.Sequential([body, keras.layers.Dense(7, activation="softmax")])
    network.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return network


def train_once(variant: str, count: int, side: int, batch_size: int) -> None:
    """Train such a network on so many grey images, with the augmentation of a training's own default."""
    from fer_helpers import training

    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 1), "uint8")
    batches = training.Batches(pixels, np.arange(count) % 7, batch_size, 0, training.Augmentation())
    network_to_train(variant, side).fit(batches, shuffle=False, verbose=0)


def kernel_times(work: Callable) -> pd.Series:
    """Share of the time within TensorFlow's kernels, the longest first; all those of layers of BatchNorm are one."""
    from tensorflow import profiler
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    with tempfile.TemporaryDirectory() as folder:
        with profiler.experimental.Profile(folder):
            work()
        planes = XSpace.FromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes()).planes
    times: Counter = Counter()
    for plane in planes:
        for event in chain.from_iterable(line.events for line in plane.lines):
            name = plane.event_metadata[event.metadata_id].name
            if kernel := re.fullmatch(r"[\w./-]+:(?:_Mkl)?(?:Native)?(\w+)", name):  # others are TensorFlow's errands
                of_batchnorm = re.search(r"bn(_\d+)?/", name) and "Conv" not in kernel[1]  # into which it may be folded
                times["BatchNorm" if of_batchnorm else kernel[1]] += event.duration_ps
    return pd.Series(times).sort_values(ascending=False) / times.total()


def go_through(batches) -> None:
    """Prepare every batch of an epoch in as many threads as Keras would, and drop it; `training.Batches`."""
    with ThreadPoolExecutor(batches.workers) as threads:
        for _ in threads.map(batches.__getitem__, range(len(batches))):
            pass


def peer() -> Callable[..., str] | None:
    """A function that has PyTorch do something of `peers` and returns when it is done; None without `make peers`.

    Asked for `versions` it names them. RuntimeError if it ended: what it printed last is in the terminal.
    """
    python = paths.PROJECT / ".venv-peers" / "bin" / "python"
    if not python.exists():
        return None
    usual = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}  # as it is installed
    command = [python, Path(__file__).with_name("peers.py")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=usual)

    def ask(work: str, *arguments) -> str:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps([work, *arguments]), file=process.stdin, flush=True)
        if not (answer := process.stdout.readline()):
            raise RuntimeError(f"{python} ended at {work}: run make peers again")
        return answer.strip()

    return ask


def targets() -> pd.DataFrame:
    """How the names of comparisons begin, `at` (`least` or `most`) and `target`, on two cores at full size."""
    return pd.read_csv(paths.PROJECT / "data" / "targets.csv")


def fallen(stored: pd.DataFrame, measured: pd.DataFrame) -> list[str]:
    """A sentence for each ratio, in rows of `results.csv`, that is worse by a third, or is no longer measured."""
    to_be_small = tuple(targets().query("at == 'most'")["comparison"])
    before, now = (rows.query("metric == 'ratio'").set_index("model")["value"] for rows in (stored, measured))
    complaints = [f"{name}: not measured any more" for name in before.index.difference(now.index)]
    for name in before.index.intersection(now.index):
        kept = before[name] / now[name] if name.startswith(to_be_small) else now[name] / before[name]
        if not kept >= 2 / 3:  # less of a fall is the noise of a machine that does other things too
            complaints.append(f"{name}: {now[name]:.2f}, it was {before[name]:.2f}")
    return complaints


def measure_again(stored: Path) -> list[str]:
    """Run a finished benchmark, as `reports/bench/06_speed`, once more, and compare: sentences as of `fallen`."""
    profile = paths.notebooks_dir() / "profiles" / stored.parent.name / f"{stored.name}.yaml"
    if not (stored / "results.csv").exists():
        return [f"{stored} holds no results.csv to compare with: make it with make study PROFILE={stored.parent.name}"]
    folder = f"reports/by_hand/{stored.name}.again"
    command = [sys.executable, "-m", "fer_helpers.study.runner", str(profile), "--run-dir", folder]
    if subprocess.run(command, check=False).returncode:
        return [f"{folder}: the benchmark itself failed"]
    before, now = pd.read_csv(stored / "results.csv"), pd.read_csv(paths.PROJECT / folder / "results.csv")
    both = before.query("metric == 'ratio'").merge(now, on=["metric", "model"], suffixes=("_before", "_now"))
    print(both[["model", "value_before", "value_now"]].round(2).to_string(index=False))
    return fallen(before, now)


if __name__ == "__main__":
    complaints = [f"FALLEN {line}" for line in measure_again(Path(*sys.argv[1:2]).resolve())]
    sys.exit("\n".join(complaints) or print("No ratio has fallen by a third."))
