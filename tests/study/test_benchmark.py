"""A ratio that has fallen is reported, and memory is that which work takes."""

import os
from unittest.mock import Mock

import cv2
import numpy as np
import pandas as pd
import pytest

from fer_helpers import paths
from fer_helpers.study import benchmark


def results_with(**ratios: float) -> pd.DataFrame:
    rows = [{"metric": "ratio", "model": name.replace("_", " "), "value": value} for name, value in ratios.items()]
    return pd.DataFrame([*rows, {"metric": "median_seconds", "model": "frozen body: fit", "value": 3.0}])


def test_a_process_tells_its_peak_memory_and_page_faults_and_has_the_environment_that_it_was_given():
    little, much, again = benchmark.peak_memory(np.ones, (1_250_000,), (26_250_000,), (1_250_000,))  # 10 and 210 MB
    assert 190e6 < much - little < 230e6 and again == much
    with pytest.raises(ZeroDivisionError):  # of the watched process
        benchmark.peak_memory(divmod, (1, 0))
    with benchmark.process(os.environ | {"FER_TOLD": "so"}) as told:
        faults = [told.submit(work).result() for work in (benchmark.page_faults, np.random.rand, benchmark.page_faults)]
        assert told.submit(os.getenv, "FER_TOLD").result() == "so" and "FER_TOLD" not in os.environ
    assert 0 < faults[0] <= faults[2]


@pytest.mark.slow
def test_streaming_four_times_as_many_files_takes_no_more_memory(tmp_path):
    for place in range(1_201):
        file = tmp_path / ("Train" if place else "Test") / "happy" / f"{place}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((224, 224, 3), place % 256, "uint8"))
    few, many = benchmark.peak_memory(benchmark.stream_once, (tmp_path, 300, 224, 32), (tmp_path, 1_200, 224, 32))
    assert many / few < 1.1 and many < 2e9


def test_the_time_within_kernels_is_shared_out_and_all_of_batchnorm_is_one():
    network = benchmark.network_to_train("Mini", 32)
    shares = benchmark.kernel_times(lambda: network.train_on_batch(np.ones((4, 32, 32, 3)), np.zeros(4)))
    assert shares.sum() == pytest.approx(1) and {"BatchNorm", "Conv2D", "MatMul"} <= {*shares.index}
    plain = benchmark.network_to_train("Mini", 32, is_quick=False)
    assert {type(layer).__module__.partition(".")[0] for layer in plain.layers[0].layers} == {"keras"}


def test_a_peer_does_one_thing_after_the_other_and_says_so_if_it_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmark.paths, "PROJECT", tmp_path)
    assert benchmark.peer() is None
    (python := tmp_path / ".venv-peers" / "bin" / "python").parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nread line && echo "$1 has done $line"\n')
    python.chmod(0o755)
    ask = benchmark.peer()
    assert ask("train", "efficientnet_b0", 48).endswith('peers.py has done ["train", "efficientnet_b0", 48]')
    with pytest.raises(RuntimeError, match="ended at stream: run make peers again"):
        ask("stream", "folder")


def test_a_ratio_that_is_worse_by_a_third_is_reported():
    stored = results_with(frozen_body=15.0, cropping=1.8, memory_of_streaming=1.0)
    assert not benchmark.fallen(stored, results_with(frozen_body=10.1, cropping=1.21, memory_of_streaming=0.5, new=1.0))
    found = set(benchmark.fallen(stored, results_with(frozen_body=9.9, memory_of_streaming=1.6)))
    worse = {"frozen body: 9.90, it was 15.00", "memory of streaming: 1.60, it was 1.00"}
    assert found == worse | {"cropping: not measured any more"}


def test_targets_name_comparisons_of_the_committed_run_and_each_ratio_has_one_at_most():
    goals, file = benchmark.targets(), paths.reports_dir() / "cpu" / "06_speed" / "results.csv"
    names = pd.read_csv(file).query("metric == 'ratio'")["model"]
    named = np.array([[name.startswith(start) for start in goals["comparison"]] for name in names])
    assert named.any(axis=0).all() and (named.sum(axis=1) <= 1).all() and set(goals["at"]) == {"least", "most"}


@pytest.mark.parametrize(("status", "complaint"), [(0, "frozen body: 8.00, it was 16.00"), (1, "itself failed")])
def test_measuring_again_runs_the_same_profile_and_takes_no_old_results(tmp_path, monkeypatch, status, complaint):
    for folder, value in {"bench/06_speed": 16.0, "by_hand/06_speed.again": 8.0}.items():
        (tmp_path / "reports" / folder).mkdir(parents=True)
        results_with(frozen_body=value).to_csv(tmp_path / "reports" / folder / "results.csv", index=False)
    assert "results.csv to compare with: make it with make study PROFILE=" in benchmark.measure_again(tmp_path)[0]
    goals, run = benchmark.targets(), Mock(return_value=Mock(returncode=status))
    monkeypatch.setattr(benchmark, "targets", lambda: goals)
    monkeypatch.setattr(benchmark.paths, "PROJECT", tmp_path)
    monkeypatch.setattr(benchmark.subprocess, "run", run)
    assert complaint in " ".join(benchmark.measure_again(tmp_path / "reports" / "bench" / "06_speed"))
    assert [*map(str.endswith, run.call_args.args[0][3::2], ("bench/06_speed.yaml", "06_speed.again"))] == [True] * 2
