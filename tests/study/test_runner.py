"""One notebook run with one file of parameters: what is refused, what counts as finished, what is kept of a failure."""

import json
import shutil
import sys
import tempfile
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure
from nbclient import NotebookClient
from PIL import Image

from fer_helpers import paths
from fer_helpers.study import cells, runner, runs

NOTEBOOK = Path(__file__).parent.parent / "fixtures" / "ends_as_told.ipynb"
RUN_DIR = "reports/smoke/00_any.told"
DEAD = "DeadKernelError: the kernel died, out of memory, killed from outside or crashed in compiled code"
ERRORS = {
    "raised": 'ValueError: this notebook was told to fail (in cell [5]: if ending == "raised":)',
    "killed": f'{DEAD} (in cell [7]: if ending == "killed":)',
    "silent": "the notebook ended without writing its results: run.json says 'running', not 'finished'",
}


@pytest.fixture
def project(tmp_path, monkeypatch, write_files) -> Path:
    """A project that holds one notebook, which ends as its parameter `ending` says."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.PROJECT / "fer_helpers", tmp_path / "fer_helpers", ignore=ignored)
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return write_files(tmp_path, {"notebooks/00_any.ipynb": NOTEBOOK.read_bytes()})


@pytest.fixture
def run_with(project):
    """Run the notebook with some parameters; returns what went wrong."""

    def run_with(parameters: dict, **options: int) -> str:
        (project / "00_any.told.yaml").write_text(yaml.safe_dump(parameters))
        return runner.run_notebook(project / "00_any.told.yaml", RUN_DIR, **options)

    return run_with


def about(folder: Path) -> tuple[str, str]:
    content = json.loads((folder / "run.json").read_text())
    return content["status"], content.get("error", "")


def test_a_finished_run_leaves_its_notebook_and_what_it_wrote(run_with, project, capsys, monkeypatch, write_files):
    kernel = {"argv": ["/bin/false"], "display_name": "the user's own", "language": "python"}
    write_files(project, {"kernels/python3/kernel.json": json.dumps(kernel)})
    monkeypatch.setenv("JUPYTER_PATH", str(project))
    assert run_with({"epochs": 2}, threads=1) == ""
    folder = project / RUN_DIR
    assert about(folder) == ("finished", "")
    assert sorted(file.name for file in folder.iterdir()) == ["executed.ipynb.gz", "results.csv", "run.json"]
    assert [file.name for file in folder.parent.iterdir() if "lock" not in file.name] == ["00_any.told"]
    notebook, written = cells.read(folder / runs.EXECUTED), json.loads((folder / "run.json").read_text())
    count = len(nbformat.read(NOTEBOOK, as_version=4).cells) + 1  # with that of the injected parameters
    assert [cell.metadata.papermill.status for cell in notebook.cells] == ["completed"] * count
    assert (written["python"], written["working_folder"]) == (sys.executable, str(project)), "not the user's own kernel"
    assert (written["MALLOC_MMAP_MAX_"], written["OMP_NUM_THREADS"]) == ("0", "1")
    assert set(written["files"]) == {"executed.ipynb.gz", "results.csv"}
    text = nbformat.writes(notebook)
    assert str(project) not in text, "the folders of a machine are nobody's business"
    assert "cuInit" not in text.replace('b\\"failed call to cuInit', ""), "noise that frightens"
    assert (folder / "executed.ipynb.gz").read_bytes()[4:8] == bytes(4), "a time in the header: never the same bytes"
    lines = capsys.readouterr().out.splitlines()
    bar = runner.Console("00_any")
    for text in ("half a l", "ine\n 10%\r 50%\r100%\r\nrest"):
        bar.write(text)
    assert capsys.readouterr().out == "00_any | half a line\n00_any | 100%\n"
    assert lines[0].startswith("00_any.told | started ")
    assert lines[1:-1] == ["00_any.told | epoch 1 of 2", "00_any.told | epoch 2 of 2"]
    assert lines[-1].startswith("00_any.told | finished in 0 min ")


@pytest.mark.parametrize(("colour", "most"), [("k", 0), ("C0", 8)])  # of greys there are no more than 256
def test_figures_are_kept_in_less_room_and_what_is_no_picture_as_it_is(colour, most):
    (figure := Figure()).subplots().plot([1, 3, 2], color=colour)
    figure.savefig(png := BytesIO(), format="png")
    shown, broken = (f"data:image/png;base64,{b64encode(raw).decode()}" for raw in (png.getvalue(), b"no picture"))
    text = runner.PNG.sub(runner.as_webp, f'"<img src=\\"{shown}\\">", "{broken}"')
    kept = text.removeprefix('"<img src=\\"data:image/webp;base64,').removesuffix(f'\\">", "{broken}"')
    pixels = [np.asarray(Image.open(BytesIO(raw)).convert("RGB"), int) for raw in (png.getvalue(), b64decode(kept))]
    assert abs(pixels[0] - pixels[1]).max() <= most and len(b64decode(kept)) < len(png.getvalue())


@pytest.mark.parametrize(("ending", "error"), ERRORS.items(), ids=ERRORS)
def test_a_run_that_fails_says_why_in_one_sentence_and_keeps_its_notebook(run_with, project, ending, error):
    assert run_with({"ending": ending}) == error
    failed = project / f"{RUN_DIR}.failed"
    assert about(failed) == ("failed", error)
    kept = cells.read(failed / runs.EXECUTED).cells
    statuses = [cell.metadata.papermill.status for cell in kept if cell.cell_type == "code"]
    started = {"raised": 5, "killed": 7}.get(ending)
    assert started is None or statuses == ["completed"] * (started - 1) + ["failed"] + ["pending"] * (8 - started)


def test_a_wrong_parameter_fails_the_run_before_there_is_a_kernel(run_with, project, monkeypatch):
    monkeypatch.setattr(runner, "execute", None)
    sentence = "RunError: 00_any has no parameter epoch: it has ending, epochs, rate, data, weights, run_dir"
    assert run_with({"epoch": 3}) == sentence
    assert about(project / f"{RUN_DIR}.failed") == ("failed", sentence)
    kept = cells.read(project / f"{RUN_DIR}.failed" / runs.EXECUTED)
    (project / "notebooks/00_any.ipynb").write_text("{")
    assert "can't be read as a notebook" in run_with({})
    assert kept.cells[0].source.startswith("# A run that ends as it is told")


def test_a_folder_that_can_not_be_a_run_s_is_refused_in_one_sentence(project, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["runner", "00_any.yaml", "--run-dir", "../elsewhere"])
    with pytest.raises(SystemExit, match="^run_dir '../elsewhere' is outside the project: name "):
        runner.main()


def test_a_folder_outside_the_project_is_a_run_s_if_it_is_named_absolutely(project, tmp_path_factory):
    (project / "00_any.yaml").write_text("")
    folder = tmp_path_factory.mktemp("outside") / "00_any"
    assert runner.run_notebook(project / "00_any.yaml", str(folder)) == ""
    assert about(folder) == ("finished", "") and (folder / runs.EXECUTED).exists()


def test_a_kernel_may_take_minutes_to_start(run_with, monkeypatch):
    def start(client: NotebookClient, **_) -> None:
        raise RuntimeError(f"waits {client.startup_timeout} s")

    monkeypatch.setattr(NotebookClient, "start_new_kernel", start)
    assert run_with({}) == "RuntimeError: waits 600 s"


def test_each_run_gets_a_gpu_that_no_other_run_has(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def gpu_of_another_process() -> dict[str, str]:
        monkeypatch.setattr(runs, "_locks", {f"kept {len(runs._locks)}": runs._locks})
        return runner.gpu_of_its_own(2)

    assert [gpu_of_another_process()["CUDA_VISIBLE_DEVICES"] for _ in range(2)] == ["0", "1"]
    with pytest.raises(runs.RunError, match="have taken every GPU of 0, 1"):
        gpu_of_another_process()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,5")
    assert (gpu_of_another_process(), runner.gpu_of_its_own(0)) == ({"CUDA_VISIBLE_DEVICES": "5"}, {})
