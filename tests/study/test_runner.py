"""One notebook run with one file of parameters: what is refused, what counts as finished, what is kept of a failure."""

import fcntl
import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml

from fer_helpers import paths

NOTEBOOK = Path(__file__).parent / "fixtures" / "ends_as_told.ipynb"
RUN_DIR = "reports/smoke/00_any.told"
PARAMETERS = "ending, epochs, columns, data, dataset, run_dir"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project that holds one notebook, which ends as its parameter `ending` says."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_any.ipynb").write_bytes(NOTEBOOK.read_bytes())
    return tmp_path


@pytest.fixture
def run_with(project) -> Callable[..., str]:
    """Run the notebook with some parameters; returns what went wrong."""

    def run_with(parameters: dict, **options) -> str:
        return runner.run_notebook(written(project / "00_any.told.yaml", yaml.safe_dump(parameters)), RUN_DIR, **options)

    return run_with


@pytest.fixture
def about(project) -> Callable[[], dict]:
    """What `run.json` says."""
    return lambda: json.loads((project / RUN_DIR / "run.json").read_text())


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def executed(project: Path) -> nbformat.NotebookNode:
    return nbformat.reads(
        gzip.decompress((project / RUN_DIR / "executed.ipynb.gz").read_bytes()).decode(), as_version=4
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("rate: 1e-4", "rate: YAML reads 1e-4"),
        ("rates: [0.1, 1e-3]", "1e-3"),
        ("size: '48'", "48"),
        ("a: {b: [.5e2]}", ".5e2"),
    ],
)
def test_text_that_looks_like_a_number_is_refused(tmp_path, text, named):
    with pytest.raises(ValueError, match=named):
        runner.read_parameters(written(tmp_path / "x.yaml", text))


def test_numbers_names_and_nothing_at_all_are_parameters(tmp_path):
    text = "rate: 1.0e-4\nvariant: B0\nname: nanodet\nseeds: [1, 2]\naugment: true\nweights: null\n"
    expected = {"rate": 0.0001, "variant": "B0", "name": "nanodet", "seeds": [1, 2], "augment": True, "weights": None}
    assert runner.read_parameters(written(tmp_path / "x.yaml", text)) == expected
    assert runner.read_parameters(written(tmp_path / "x.yaml", "# the notebook's own\n")) == {}


@pytest.mark.parametrize(
    ("text", "error", "named"),
    [("- B0", TypeError, "name: value"), ("a: b: c", ValueError, "x.yaml is not YAML: .*line 1, column 5")],
)
def test_a_file_that_holds_no_parameters_is_refused(tmp_path, text, error, named):
    with pytest.raises(error, match=named):
        runner.read_parameters(written(tmp_path / "x.yaml", text))


def test_an_unknown_parameter_fails_the_run_and_the_known_ones_are_listed(run_with, about, project):
    (project / RUN_DIR).mkdir(parents=True)
    written(project / RUN_DIR / "executed.ipynb", "cut off when an earlier run was killed")
    error = run_with({"epoch": 3})
    assert error == f"ValueError: 00_any.ipynb has no parameter epoch: its parameters are {PARAMETERS}"
    assert (about()["status"], about()["error"]) == ("failed", error)
    assert executed(project).cells[0].source.startswith("# A run that ends as it is told")


def test_a_finished_run_leaves_its_notebook_and_what_it_wrote_itself(run_with, about, project, capsys):
    assert run_with({"epochs": 2}) == ""
    assert about()["status"] == "finished"
    assert "error" not in about()
    with_injected_parameters = len(nbformat.read(NOTEBOOK, as_version=4).cells) + 1
    assert [cell.metadata.papermill.status for cell in executed(project).cells] == [
        "completed"
    ] * with_injected_parameters
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("00_any.told | started ")
    assert lines[1:-1] == ["00_any.told | Epoch 1/2", "00_any.told | Epoch 2/2"]
    assert lines[-1].startswith("00_any.told | finished in 0 min ")
    assert sorted(file.name for file in (project / RUN_DIR).iterdir()) == [
        "executed.ipynb.gz",
        "results.csv",
        "run.json",
    ]
    assert (project / RUN_DIR / "executed.ipynb.gz").read_bytes()[4:8] == bytes(
        4
    )  # no time in the header: the same notebook is the same bytes


def test_the_kernel_is_this_python_in_the_projects_folder_whatever_kernels_the_user_has(
    run_with, about, project, monkeypatch
):
    kernel = {"argv": ["/bin/false"], "display_name": "the user's own", "language": "python"}
    (project / "kernels" / "python3").mkdir(parents=True)
    written(project / "kernels" / "python3" / "kernel.json", json.dumps(kernel))
    monkeypatch.setenv("JUPYTER_PATH", str(project))
    assert run_with({}) == ""
    assert (about()["python"], about()["working_folder"]) == (sys.executable, str(project))
    assert str(project) not in nbformat.writes(executed(project))


def test_an_exception_fails_the_run_and_its_traceback_is_kept(run_with, about, project):
    error = run_with({"ending": "raised"})
    assert error == 'ValueError: this notebook was told to fail (in cell [5]: if ending == "raised":)'
    assert (about()["status"], about()["error"]) == ("failed", error)
    assert about()["ended"] >= about()["started"]
    outputs = [output for cell in executed(project).cells for output in cell.get("outputs", [])]
    assert [output.ename for output in outputs if output.output_type == "error"] == ["ValueError"]
    assert not (project / RUN_DIR / "executed.ipynb").exists()


def test_a_kernel_that_dies_fails_the_run_even_after_the_notebook_has_called_itself_finished(run_with, about, project):
    error = run_with({"ending": "killed"})
    assert (
        error
        == 'DeadKernelError: the kernel died, out of memory, killed from outside or crashed in compiled code (in cell [7]: if ending == "killed":)'
    )
    assert (about()["status"], about()["error"]) == ("failed", error)
    statuses = [cell.metadata.papermill.status for cell in executed(project).cells if cell.cell_type == "code"]
    assert statuses == ["completed"] * 6 + ["failed", "pending"]


def test_a_cell_that_takes_too_long_fails_the_run(run_with, about):
    error = run_with({"ending": "hung"}, cell_timeout=2)
    assert (
        error
        == 'CellTimeoutError: A cell timed out while it was being executed, after 2 seconds. (in cell [8]: if ending == "hung":)'
    )
    assert about()["status"] == "failed"


def test_a_notebook_that_ends_without_its_results_has_failed_whatever_an_earlier_run_left(run_with, about, project):
    (project / RUN_DIR).mkdir(parents=True)
    written(project / RUN_DIR / "run.json", json.dumps({"status": "finished"}))
    written(project / RUN_DIR / "results.csv", "of another run")
    error = run_with({"ending": "silent"})
    assert error == "the notebook ended without writing its results: run.json says 'running', not 'finished'"
    assert (about()["status"], about()["error"]) == ("failed", error)
    assert not (project / RUN_DIR / "results.csv").exists()


def test_each_run_gets_a_gpu_that_no_other_run_has(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with runner.gpu_of_its_own(2):
        first = os.environ.pop("CUDA_VISIBLE_DEVICES")
        with runner.gpu_of_its_own(2):
            second = os.environ.pop("CUDA_VISIBLE_DEVICES")
            with pytest.raises(RuntimeError, match="have taken every GPU of 0, 1"), runner.gpu_of_its_own(2):
                pass
    assert (first, second) == ("0", "1")


def test_gpus_that_the_environment_names_are_the_ones_shared(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with open(tmp_path / f"fer_helpers_{os.getuid()}_gpu_3.lock", "w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        with runner.gpu_of_its_own(2):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def test_without_gpus_to_share_the_environment_stays_as_it_is(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with runner.gpu_of_its_own(0):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_of_a_line_drawn_again_and_again_the_last_state_is_printed(capsys):
    console = runner.Console("00_any")
    for text in ("half a l", "ine\n 10%\r 50%\r100%\r\nrest"):
        console.write(text)
    assert capsys.readouterr().out == "00_any | half a line\n00_any | 100%\n"
