"""Two ways of doing the same, timed in turn: how many times one is as fast as the other.

    python -m fer_helpers.study.benchmark reports/bench/06_speed             # what `make bench` calls: measure again, compare with that run

A processor that is shared, or grows warm, is twice as fast in one minute as in the next. Measured in turn, both ways meet the same
minutes, and their ratio moves far less than either time.
"""

import argparse
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from scipy import stats
from tqdm import tqdm

from fer_helpers import paths

if TYPE_CHECKING:  # loads Keras, which a process whose memory is watched should only do for its own work
    from fer_helpers import training
    from fer_helpers.study import runs as results

LARGEST_FALL = 1 / 3  # of a ratio against the stored one; less is the noise of a machine that does other things too


def in_turn(ways: Mapping[str, Callable[[], object]], rounds: int, title: str = "") -> pd.DataFrame:
    """Time several ways of doing the same, one after the other, round by round.

    Every second round goes through them backwards, so that none always comes first. Each is called once before, untimed: the first call
    compiles, starts processes and fills the file cache.

    Args:
        ways: what to call, by name.
        rounds: how often each is timed.
        title: name of the comparison, for the progress bar.

    Returns:
        Columns `round`, from 1, `way` and `seconds`.
    """
    for call in ways.values():
        call()
    timed = []
    for number in tqdm(range(1, rounds + 1), desc=title, unit="round", disable=not title, mininterval=2):
        for way in list(ways)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            ways[way]()
            timed.append((number, way, time.perf_counter() - started))
    return pd.DataFrame(timed, columns=["round", "way", "seconds"])


def ratio(
    rounds: pd.DataFrame, way: str, reference: str, measured: str = "seconds"
) -> tuple[float, tuple[float, float] | None]:
    """How many times as large one way's measurements are as the other's: the median of the rounds' ratios.

    Args:
        rounds: columns `round`, `way` and `measured`, as `in_turn` gives them.
        way, reference: what is divided by what.
        measured: the column.

    Returns:
        The median, and its 95 % interval by order statistics, which supposes nothing about how times are distributed; None with fewer than
        six rounds, of which even the smallest and the largest hold the true median less often.
    """
    by_way = rounds.pivot(index="round", columns="way", values=measured)
    ratios = (by_way[way] / by_way[reference]).to_numpy()
    median = float(pd.Series(ratios).median())
    if len(ratios) < 6:
        return median, None
    interval = stats.quantile_test(ratios, q=median, p=0.5).confidence_interval(confidence_level=0.95)
    return median, (float(interval.low), float(interval.high))


class Comparisons:
    """What a run compared: its ratios and medians as rows of `results.csv`, and every round.

    Args:
        run: of the notebook that measures.
        **columns: of `results.csv`, the same for all comparisons.

    Attributes:
        rounds: columns `comparison`, `round`, `way`, and `seconds` or what else was measured.
    """

    def __init__(self, run: "results.Run", **columns):
        self.run, self.columns, self.rounds = run, columns, pd.DataFrame()

    def add(
        self, comparison: str, timed: pd.DataFrame, way: str, reference: str, n: int, measured: str = "seconds"
    ) -> float:
        """Report how many times as much the reference took as the way, and both medians.

        Args:
            comparison: its name, which becomes `model` in the row of the ratio.
            timed: as `in_turn` gives it, of these ways and perhaps others.
            way, reference: the two.
            n: images that each handled in a round.
            measured: the column of `timed`.
        """
        of_both = timed[timed["way"].isin((way, reference))]
        for name, median in of_both.groupby("way", sort=False)[measured].median().items():
            self.run.add(f"median_{measured}", median, model=f"{comparison}: {name}", n=n, **self.columns)
        value, interval = ratio(of_both, reference, way, measured)
        self.run.add("ratio", value, interval=interval, model=comparison, n=n, **self.columns)
        self.rounds = pd.concat(
            [self.rounds, of_both[["round", "way", measured]].assign(comparison=comparison)], ignore_index=True
        )
        return value


def peak_memory(work: Callable, *arguments: object) -> float:
    """The most memory that a process of its own held at once while it did some work, in bytes, what it imported included.

    Args:
        work: a function of a module, since the process imports it from there.
        *arguments: what it is called with.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(_peak_after, work, arguments).result()


def _peak_after(work: Callable, arguments: tuple) -> float:
    work(*arguments)
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `ru_maxrss` would begin with what the process that started this one held
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return float(peak.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # macOS, in bytes


def stream_once(folder: Path, images: int, side: int, batch_size: int) -> None:
    """Go once through augmented batches of an AffectNet on disk, as a training does that streams its images.

    Args:
        folder: of the data set.
        images: how many of its training images to stream.
        side: height and width in pixels.
        batch_size: images a batch.
    """
    from fer_helpers import training  # here, so that only a process that streams loads Keras
    from fer_helpers.datasets import affectnet
    from fer_helpers.images import ImageFiles

    table = affectnet.load(folder).table
    table = table[table["split"] == "train"].head(images)
    go_through(
        training.Batches(
            ImageFiles(table, side), table["label"].to_numpy(), batch_size, seed=0, augment=training.Augmentation()
        )
    )


def go_through(batches: "training.Batches") -> None:
    """Prepare every batch of an epoch in as many threads as Keras would, and drop it."""
    with ThreadPoolExecutor(batches.workers) as threads:
        for _ in threads.map(batches.__getitem__, range(len(batches))):
            pass


def targets() -> pd.DataFrame:
    """What ratios should reach on two cores at full size, set before anything was measured: `data/targets.csv`.

    Returns:
        Columns `comparison`, how the names of those meant begin; `at`, `least` or `most`; and `target`.
    """
    return pd.read_csv(paths.PROJECT / "data" / "targets.csv")


# ---------------------------------------------------------------------------------------------------- against a stored run


def fallen(stored: pd.DataFrame, measured: pd.DataFrame, largest_fall: float = LARGEST_FALL) -> list[str]:
    """A sentence for each ratio that is worse than it was by more than a share of it, or that is no longer measured.

    Args:
        stored, measured: rows of `results.csv`; those with the metric `ratio` count, by `model`, which names the comparison.
        largest_fall: as a fraction of 1.
    """
    goals = targets()
    to_be_small = tuple(goals.loc[goals["at"] == "most", "comparison"])
    before, now = (rows[rows["metric"] == "ratio"].set_index("model")["value"] for rows in (stored, measured))
    complaints = [f"{name}: not measured any more" for name in before.index.difference(now.index)]
    for name in before.index.intersection(now.index):
        kept = now[name] / before[name]
        kept = 1 / kept if name.startswith(to_be_small) else kept
        if kept < 1 - largest_fall:
            complaints.append(f"{name}: {now[name]:.2f}, it was {before[name]:.2f}")
    return complaints


def measure_again(stored: Path) -> list[str]:
    """Run a benchmark once more, with the parameters it had, and compare its ratios with the stored ones.

    Args:
        stored: folder of a finished run, as `reports/bench/06_speed`.

    Returns:
        The sentences of `fallen`, or one if the run failed.

    Raises:
        FileNotFoundError: that folder holds no results.
    """
    results = stored / "results.csv"
    if not results.exists():
        raise FileNotFoundError(
            f"there is no {results} to compare with: name the folder of a finished run, or make one with make study PROFILE=bench"
        )
    profile = paths.notebooks_dir() / "profiles" / stored.parent.name / f"{stored.name}.yaml"
    run_dir = f"reports/by_hand/{stored.name}.again"
    print(f"measuring again what {profile.relative_to(paths.PROJECT)} asks for", flush=True)
    if subprocess.run(
        [sys.executable, "-m", "fer_helpers.study.runner", str(profile), "--run-dir", run_dir], check=False
    ).returncode:
        return [f"{run_dir}: the benchmark itself failed"]
    measured = pd.read_csv(paths.PROJECT / run_dir / "results.csv")
    before = pd.read_csv(results)
    compared = before[before["metric"] == "ratio"].merge(
        measured[measured["metric"] == "ratio"], on="model", suffixes=("_stored", "_now")
    )
    print(compared[["model", "value_stored", "value_now"]].round(2).to_string(index=False))
    return fallen(before, measured)


def main() -> int:
    """Compare from the command line; the exit status is 1 if a ratio has fallen."""
    parser = argparse.ArgumentParser(
        prog="python -m fer_helpers.study.benchmark", description="Measure a benchmark's ratios again and compare them."
    )
    parser.add_argument("stored", type=Path, help="folder of the run to compare with, as reports/bench/06_speed")
    try:
        complaints = measure_again(parser.parse_args().stored.resolve())
    except FileNotFoundError as error:
        complaints = [str(error)]
    for line in complaints:
        print(f"FALLEN {line}", file=sys.stderr)
    if not complaints:
        print(f"No ratio has fallen by more than {LARGEST_FALL:.0%}.")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
