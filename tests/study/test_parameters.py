"""What a notebook declares: unknown names, wrong types, values out of range are one sentence, before anything."""

import json
import math
from pathlib import Path

import pytest

from fer_helpers import models, paths
from fer_helpers.study import parameters

DECLARED = """
epochs = 3  # how many
batch_size = 20  # 0: what fits
image_size = 48  # pixels
rate = 0.001  # learning rate
learning_rate = 0.001  # the same
seeds = [0, 1]  # of weights
folds = 5  # in all
tested_folds = 5  # of them
variant = "B0"  # of the family
compared_variants = ["B0"]  # none: empty
weights = "scratch"  # or imagenet, or a file
detector = "none"  # of faces
precision = "float32"  # of numbers
val_share = 0.1  # of the images
flip = True  # images
dataset = "fer2013"  # of faces
data_sets = ["ckplus"]  # too
data = "real"  # or generated
run_dir = ""  # where the run writes
"""
NUMBER_AS_TEXT = "1e-4 as 1.0e-4"


@pytest.fixture
def notebook(tmp_path, monkeypatch) -> Path:
    """A notebook that declares much and loads two data sets, in a project of its own."""
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.delenv("FER_DATA_DIR", raising=False)
    return write(tmp_path, DECLARED, "%matplotlib inline\nfound = datasets.load(dataset, data)\n", "other = 1 +")


def write(project: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`."""
    tags = [["parameters"], *([] for _ in cells[1:])]
    content = [
        {"cell_type": "code", "source": [source], "metadata": {"tags": tag}, "outputs": [], "execution_count": None}
        for source, tag in zip(cells, tags, strict=True)
    ]
    (project / "notebooks").mkdir(exist_ok=True)
    file = project / "notebooks" / "01_small.ipynb"
    file.write_text(json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return file


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        ({"epoch": 3}, "01_small has no parameter epoch: it has epochs, batch_size"),
        ({"epochs": 0}, "01_small: epochs must be at least 1, not 0"),
        ({"epochs": 1.5}, "epochs must be a whole number, not '1.5'"),
        ({"epochs": True}, "epochs must be a whole number, not 'True'"),
        ({"epochs": None}, "epochs must be a whole number, not 'None'"),
        ({"batch_size": -3}, "batch_size must be at least 0, not -3"),
        ({"image_size": "48"}, "image_size must be a whole number, not '48': without quotes"),
        ({"image_size": 48.0}, "image_size must be a whole number"),
        ({"image_size": 31}, "image_size must be at least 32"),
        ({"seeds": []}, "seeds must not be empty"),
        ({"seeds": [0, -1]}, "seeds must be at least 0, not -1"),
        ({"seeds": [0, "1"]}, "seeds must be a whole number"),
        ({"seeds": 3}, "seeds must be a list, not '3'"),
        ({"rate": "1e-4"}, NUMBER_AS_TEXT),
        ({"learning_rate": 0}, "learning_rate must be above 0, not 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be a number, not 'nan'"),
        ({"folds": 1, "tested_folds": 1}, "folds must be at least 2"),
        ({"tested_folds": 6}, "tested_folds must be at most folds, which is 5"),
        ({"variant": "B8"}, "variant must be one of B0, B1"),
        ({"compared_variants": ["B0", "b1"]}, "compared_variants must be one of B0, B1, .* not 'b1'"),
        (
            {"weights": "nowhere/body.h5"},
            "weights must be imagenet, scratch, or a file that exists, not /.*/nowhere/body.h5",
        ),
        ({"detector": "cnn"}, "detector must be none, haar, or dlib after pip install"),
        ({"precision": "float16"}, "precision must be one of float32, mixed_bfloat16"),
        ({"val_share": 1.0}, "val_share must be between 0 and 1"),
        ({"flip": 1}, "flip must be True or False, not '1'"),
        ({"dataset": "fer2014"}, "dataset must be one of fer2013, ferplus"),
        ({"data_sets": []}, "data_sets must not be empty"),
    ],
    ids=str,
)
def test_what_a_parameter_can_not_be_is_said_with_its_name(notebook, passed, said):
    with pytest.raises(parameters.RunError, match=said):
        parameters.check(notebook, parameters.resolved(notebook, passed))


def test_good_values_pass_and_a_whole_number_is_a_number(notebook, tmp_path):
    (tmp_path / "body.h5").touch()
    passed = {"batch_size": 0, "rate": 1, "compared_variants": [], "weights": "body.h5", "seeds": (3,), "epochs": 1}
    values = parameters.resolved(notebook, passed)
    parameters.check(notebook, values)
    assert (values["rate"], type(values["rate"]), values["seeds"], values["folds"]) == (1.0, float, [3], 5)


def test_variants_are_those_of_the_models():
    assert set(parameters.VARIANTS) == set(models.VARIANTS)


@pytest.mark.parametrize(
    "file", sorted((paths.notebooks_dir() / "profiles").glob("*/*.yaml")), ids=lambda file: "/".join(file.parts[-2:])
)
def test_every_profile_sets_parameters_of_its_notebook_to_values_that_they_may_have(file):
    notebook = parameters.notebook_of(file.name)
    values = parameters.resolved(notebook, parameters.read(file))
    of_another_run = {"weights": "scratch"} if str(values.get("weights")).startswith("data/cache/") else {}
    parameters.check(notebook, values | of_another_run)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- B0", "holds no parameters: write one `name: value` a line"),
        ("a: b: c", "as YAML: .* line 1, column 5"),
        ("a: &b [*b]", None),
        (b"\xff", "as YAML"),
    ],
)
def test_a_file_that_holds_no_parameters_is_refused(notebook, tmp_path, text, said):
    file = tmp_path / "01_small.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(parameters.RunError, match=said or "has no parameter a"):
        parameters.resolved(notebook, parameters.read(file))


def test_a_damaged_notebook_is_named(tmp_path):
    (tmp_path / "01_small.ipynb").write_text("{")
    with pytest.raises(parameters.RunError, match="01_small.ipynb can't be read as a notebook"):
        parameters.defaults(tmp_path / "01_small.ipynb")


def test_missing_data_is_said_with_the_folder_and_only_where_photographs_are_asked_for(notebook, tmp_path):
    values = parameters.resolved(notebook, {})
    with pytest.raises(parameters.RunError, match=f"no fer2013 in {tmp_path}/data/raw: "):
        parameters.check_data(notebook, values)
    parameters.check_data(notebook, values | {"data": "generated"})


def test_of_several_data_sets_one_is_enough(tmp_path, monkeypatch):
    monkeypatch.delenv("FER_DATA_DIR", raising=False)
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    cell = "present, absent = datasets.load_present(data_sets, data, options)"
    file = write(tmp_path, 'data_sets = ["jaffe", "ckplus"]\ndata = "real"', cell)
    with pytest.raises(parameters.RunError, match="no jaffe in .*; no ckplus in "):
        parameters.check_data(file, parameters.defaults(file))
    (tmp_path / "data" / "raw" / "CK+48").mkdir(parents=True)
    parameters.check_data(file, parameters.defaults(file))


def test_modules_are_found_through_what_modules_import(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    modules = {
        "__init__": "",
        "a": "from fer_helpers.sets.one import load",
        "b": "def late():\n    from fer_helpers import c",
        "c": "import fer_helpers.a",
        "d": "",
        "sets/__init__": "",
        "sets/one": "import numpy",
        "sets/two": "",
        "scores": "",
        "study/__init__": "",
        "study/runs": "from fer_helpers import scores\nfrom fer_helpers.study import judged",
        "study/judged": "from fer_helpers import d",
        "drawn/__init__": "from fer_helpers import d",
    }
    for name, text in modules.items():
        (tmp_path / "fer_helpers" / f"{name}.py").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fer_helpers" / f"{name}.py").write_text(text)
    file = write(
        tmp_path, 'data = "real"', "from fer_helpers import b, drawn\nfrom fer_helpers.study import judged, runs"
    )
    found = [
        str(module.relative_to(tmp_path / "fer_helpers").with_suffix(""))
        for module in parameters.imported_modules(file)
    ]
    assert found == ["__init__", "a", "b", "c", "scores", "sets/__init__", "sets/one"]
    before = {data: parameters.fingerprint(file, {"data": data}) for data in ("real", "generated")}
    (tmp_path / "fer_helpers" / "drawn" / "__init__.py").write_text("# other faces")
    after = {data: parameters.fingerprint(file, {"data": data}) for data in before}
    assert {data for data in before if before[data] != after[data]} == {"generated"}
