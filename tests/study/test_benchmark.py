"""Ratios are those of what was timed, intervals hold what they promise, and a ratio that fell is told."""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from fer_helpers import drawn as generated
from fer_helpers.study import benchmark
from fer_helpers.study.benchmark import fallen, in_turn, peak_memory, ratio, stream_once

MEGABYTE = 1e6


def rounds_of(fast: list[float], slow: list[float]) -> pd.DataFrame:
    """Rounds as `in_turn` gives them, with these seconds."""
    rows = [
        (number, way, seconds)
        for way, times in {"fast": fast, "slow": slow}.items()
        for number, seconds in enumerate(times, 1)
    ]
    return pd.DataFrame(rows, columns=["round", "way", "seconds"])


def test_ways_take_turns_and_none_always_comes_first():
    calls = []
    in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"  # the first of each is not timed


def test_seconds_are_those_that_a_way_takes():
    timed = in_turn({"short": lambda: time.sleep(0.01), "long": lambda: time.sleep(0.05)}, rounds=2)
    assert list(timed.columns) == ["round", "way", "seconds"] and len(timed) == 4
    assert (timed.loc[timed["way"] == "long", "seconds"] >= 0.05).all() and timed.loc[
        timed["way"] == "short", "seconds"
    ].min() < 0.05


def test_first_calls_are_not_timed():
    waits = iter([0.2, 0, 0])
    timed = in_turn({"compiles first": lambda: time.sleep(next(waits))}, rounds=2)
    assert timed["seconds"].max() < 0.1


def test_ratio_is_the_median_of_the_rounds_and_not_moved_by_one_slow_round():
    timed = rounds_of(fast=[1, 1, 1, 1, 1, 10], slow=[2, 2, 2, 2, 2, 20.0])
    assert ratio(timed, "slow", "fast") == (2.0, (2.0, 2.0))
    disturbed = rounds_of(fast=[1, 1, 1, 1, 1, 1], slow=[2, 2, 2, 2, 2, 200.0])
    assert ratio(disturbed, "slow", "fast")[0] == 2.0


def test_interval_of_six_rounds_is_their_range_and_of_five_there_is_none():
    timed = rounds_of(fast=[1] * 6, slow=[3, 1, 2, 6, 4, 5.0])
    assert ratio(timed, "slow", "fast") == (3.5, (1.0, 6.0))
    assert ratio(timed[timed["round"] < 6], "slow", "fast") == (3.0, None)


def test_interval_covers_the_median_of_a_skewed_distribution_as_often_as_it_promises():
    random = np.random.default_rng(0)
    drawn = random.lognormal(0, 1, (400, 8))  # its median is 1
    intervals = [ratio(rounds_of([1] * 8, row.tolist()), "slow", "fast")[1] for row in drawn]
    covered = np.mean([low <= 1 <= high for low, high in intervals])
    assert covered + 2 * np.sqrt(0.05 * 0.95 / 400) >= 0.95 and covered < 1


def test_ratio_of_something_else_than_seconds():
    timed = rounds_of([1, 1], [4, 4]).rename(columns={"seconds": "bytes"})
    assert ratio(timed, "fast", "slow", "bytes") == (0.25, None)


# -------------------------------------------------------------------------------------------------------------- memory


def test_peak_memory_grows_by_what_is_allocated_although_it_is_given_back():
    little, much = (peak_memory(np.ones, megabytes * 125_000) for megabytes in (10, 210))
    assert 190 * MEGABYTE < much - little < 230 * MEGABYTE


def test_error_in_the_watched_process_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        peak_memory(divmod, 1, 0)


@pytest.mark.slow
def test_streaming_four_times_as_many_files_takes_no_more_memory():
    folder = generated.ensure("affectnet")
    few, many = (peak_memory(stream_once, folder, count, 224, 32) for count in (175, 700))
    assert many / few < 1.1 and many < 2e9


# ------------------------------------------------------------------------------------------------- against a stored run


def results_with(**ratios: float) -> pd.DataFrame:
    """Rows of results.csv, with underscores for spaces, and a row that is no ratio."""
    rows = [{"metric": "ratio", "model": name.replace("_", " "), "value": value} for name, value in ratios.items()]
    return pd.DataFrame([*rows, {"metric": "median_seconds", "model": "frozen body: fit", "value": 3.0}])


def test_ratio_that_fell_by_a_third_is_told_and_one_that_fell_by_less_is_not():
    stored = results_with(frozen_body=15.0, cropping=1.8)
    assert fallen(stored, results_with(frozen_body=10.1, cropping=1.21)) == []
    assert fallen(stored, results_with(frozen_body=9.9, cropping=1.8)) == ["frozen body: 9.90, it was 15.00"]
    assert len(fallen(stored, results_with(frozen_body=9.9, cropping=1.1))) == 2


def test_memory_is_worse_when_it_grows():
    stored = results_with(memory_of_streaming=1.0)
    assert fallen(stored, results_with(memory_of_streaming=0.5)) == []
    assert fallen(stored, results_with(memory_of_streaming=1.6)) == ["memory of streaming: 1.60, it was 1.00"]


def test_ratio_that_is_not_measured_any_more_is_told():
    assert fallen(results_with(cropping=1.8, reading=1.0), results_with(reading=1.0)) == [
        "cropping: not measured any more"
    ]


def test_new_ratio_is_no_complaint():
    assert fallen(results_with(reading=1.0), results_with(reading=1.0, inference=4.0)) == []


def test_targets_name_comparisons_of_the_committed_run_and_each_ratio_has_one_at_most():
    results = pd.read_csv(benchmark.paths.reports_dir() / "cpu" / "06_speed" / "results.csv")
    names = results.loc[results["metric"] == "ratio", "model"]
    named = np.array([[name.startswith(start) for start in benchmark.targets()["comparison"]] for name in names])
    assert named.any(axis=0).all() and (named.sum(axis=1) <= 1).all()
    assert set(benchmark.targets()["at"]) == {"least", "most"}


def test_folder_without_results_is_an_error_that_says_how_to_make_them(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "fer_helpers.study.benchmark", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1 and "make study PROFILE=bench" in run.stderr and "Traceback" not in run.stderr


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A stored run of a project whose benchmark measures half of what it did."""
    goals = benchmark.targets()
    monkeypatch.setattr(benchmark, "targets", lambda: goals)
    monkeypatch.setattr(benchmark.paths, "PROJECT", tmp_path)
    profile = tmp_path / "notebooks" / "profiles" / "bench" / "06_speed.yaml"
    folder = tmp_path / "reports" / "bench" / "06_speed"
    again = tmp_path / "reports" / "by_hand" / "06_speed.again"
    for target, text in {profile: "rounds: 2\n", folder / "results.csv": "", again / "results.csv": ""}.items():
        target.parent.mkdir(parents=True)
        target.write_text(text)
    results_with(frozen_body=16.0).to_csv(folder / "results.csv", index=False)
    results_with(frozen_body=8.0).to_csv(again / "results.csv", index=False)
    return folder


def test_measuring_again_runs_the_same_profile_and_compares(stored, monkeypatch, capsys):
    commands = []

    def succeed(command: list[str], **options) -> subprocess.CompletedProcess:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(benchmark.subprocess, "run", succeed)
    assert benchmark.measure_again(stored) == ["frozen body: 8.00, it was 16.00"]
    assert commands[0][-2:] == ["--run-dir", "reports/by_hand/06_speed.again"] and commands[0][3].endswith(
        "bench/06_speed.yaml"
    )
    assert "16.0" in capsys.readouterr().out


def test_benchmark_that_fails_is_told_and_nothing_old_is_taken_for_its_results(stored, monkeypatch):
    monkeypatch.setattr(benchmark.subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 1))
    assert benchmark.measure_again(stored) == ["reports/by_hand/06_speed.again: the benchmark itself failed"]
