"""What a notebook declares: unknown names, wrong types, values out of range are one sentence, before anything."""

import json
import math
import os
from itertools import product
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
val_share = 0.1  # of the images
flip = True  # images
data_sets = ["ckplus"]  # too
data = "real"  # or generated
run_dir = ""  # where the run writes
"""
REFUSED = [
    ({"epoch": 3}, "01_small has no parameter epoch: it has epochs, batch_size"),
    ({"epochs": 0}, "01_small: epochs must be at least 1, not 0"),
    ({"epochs": 1.5}, "epochs must be a whole number, not '1.5'"),
    ({"epochs": True}, "epochs must be a whole number, not 'True'"),
    ({"batch_size": -3}, "batch_size must be at least 0, not -3"),
    ({"image_size": "48"}, "image_size must be a whole number, not '48': without quotes"),
    ({"image_size": 31}, "image_size must be at least 32"),
    ({"seeds": []}, "seeds must not be empty"),
    ({"seeds": [0, -1]}, "seeds must be at least 0 and at most 4,294,967,295, not -1"),
    ({"seeds": [1, 1]}, "seeds must not name anything twice"),
    ({"seeds": 3}, "seeds must be a list, not '3'"),
    ({"rate": "1e-4"}, "1e-4 as 1.0e-4"),
    ({"learning_rate": math.nan}, "learning_rate must be a number, not 'nan'"),
    ({"folds": 1, "tested_folds": 1}, "folds must be at least 2"),
    ({"tested_folds": 6}, "tested_folds must be at most folds, which is 5"),
    ({"compared_variants": ["B0", "b1"]}, "compared_variants must be one of B0, B1, .* not 'b1'"),
    ({"weights": "no/body.h5"}, "weights must be imagenet, scratch, or an .h5 file that exists, not /.*/no/body.h5"),
    ({"detector": "cnn"}, "detector must be none, haar, or dlib after pip install"),
    ({"val_share": 0.4}, "val_share must be a half, a third ..., not 0.4"),
    ({"rate": 10**400}, "rate must be a number, not '1000"),
    ({"flip": 1}, "flip must be True or False, not '1'"),
    ({"data_sets": ["fer2014"]}, "data_sets must be one of fer2013, ferplus"),
]
OF_ONE_NOTEBOOK = [
    ("00_datasets", {"dataset": "jaffe"}, "dataset must be one of fer2013, ferplus, not 'jaffe'"),
    ("01_huang_2024", {"schedule": "staircase"}, "schedule must be one of constant, cosine, not"),
    ("02_jiang_2025", {"dataset": "fer2013"}, "dataset must be one of affectnet, ferplus, not"),
    ("02_jiang_2025", {"optimizer": "sgd"}, "optimizer must be one of adam, adamw, not 'sgd'"),
    ("04_alam_2022", {"data_sets": ["ckplus", "rafdb"]}, "data_sets must be one of ckplus, jaffe, not 'rafdb'"),
    ("06_speed", {"peer_variants": ["Lite1"]}, "peer_variants must be one of B0, .*, Lite0, not 'Lite1'"),
    ("03_singh_2022", {"alternatives": {"wide": {"hiden": 8}}}, "alternatives: wide must change some of .*hiden"),
    ("03_singh_2022", {"alternatives": {"B1": {"hidden": 8}}}, "alternatives: B1 is another network's name"),
    ("03_singh_2022", {"alternatives": {"a b": {}, "a_b": {}}}, "alternatives: a_b is another network's name"),
    ("03_singh_2022", {"alternatives": {"x": {"variant": "Mini", "weights": "imagenet"}}}, "Mini, .* no ImageNet"),
    ("04_alam_2022", {"compared_variants": ["Mini"], "weights": "imagenet"}, "Mini, .* no ImageNet"),
    ("03_singh_2022", {"trained_sizes": [8]}, "trained_sizes must be at least 32"),
    ("05_scoreboard", {"profiles": ["cpu", "cpu"]}, "profiles must not name anything twice"),
    ("02_jiang_2025", {"test_share": 1e-300}, "test_share must be a half, a third"),
    ("01_huang_2024", {"export_to": "README.md/mine"}, "export_to must be empty, or a folder"),
    ("07_your_photos", {"csv": "README.md/a.csv"}, "csv must be empty, or a file"),
    ("01_huang_2024", {"export_to": "data/mine", "precision": "mixed_bfloat16"}, "export_to needs precision float32"),
    ("04_alam_2022", {"cnn_sizes": [48, 8], "cnn_filters": [4] * 4}, "cnn_sizes must be at least 16: each of cnn_f"),
    ("03_singh_2022", {"alternatives": {"wide": 1024}}, "alternatives: wide must change some of .*, not 1024"),
    ("03_singh_2022", {"alternatives": {"../wide": {"hidden": 8}}}, "alternatives: '../wide' must be text of letters"),
    ("03_singh_2022", {"alternatives": {3: {"hidden": 8}}}, "alternatives: 3 must be text of letters"),
    ("01_huang_2024", {"data": ""}, "data must be real, generated, or a path, not ''"),
    ("01_huang_2024", {"export_to": "README.md"}, "export_to must be empty, or a folder, not 'README.md'"),
    ("01_huang_2024", {"variant": "Mini", "weights": "imagenet"}, "Mini, a network for smoke runs, has no ImageNet"),
    ("07_your_photos", {"csv": "a.png"}, r"csv must be empty, or a file that ends in .csv, not 'a.png'"),
    ("06_speed", {"waits": -1}, "waits must be at least 1, not -1"),
    ("03_singh_2022", {"alternatives": {"wide": {"hidden": "8"}}}, "hidden must be a whole number, not '8'"),
    ("03_singh_2022", {"alternatives": {"wide": {"hidden": 0}}}, "hidden must be at least 1, not 0"),
    ("03_singh_2022", {"alternatives": {"other": {"optimizer": "adamw"}}}, "optimizer must be one of adam, sgd, not"),
]
MODULES = dict.fromkeys(("__init__", "d", "sets/__init__", "sets/two", "scores", "study/__init__"), "") | {
    "a": "from fer_helpers.sets.one import load",
    "b": "def late():\n    from fer_helpers import c",
    "c": "import fer_helpers.a",
    "sets/one": "import numpy",
    "study/runs": "from fer_helpers import scores\nfrom fer_helpers.study import judged",
    "study/judged": "from fer_helpers import d",
    "drawn/__init__": "from fer_helpers import d",
}
UNREADABLE = [
    *((of_none, "holds no parameters: write one `name: value` a line") for of_none in (b"- B0", b"[]", b"0")),
    (b"a: b: c", "as YAML: .* line 1, column 5"),
    (b"a: &b [*b]", "has no parameter a"),
    (b"epochs: 2\nepochs: 3", "as YAML: epochs stands in it twice"),
    (b"epochs: !!bool maybe", "as YAML"),
    (b"\xff", "as YAML"),
]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.delenv("FER_DATA_DIR", raising=False)
    return tmp_path


def write(project: Path, *cells: str) -> Path:
    """A notebook whose first cell is tagged `parameters`, and its first cell of Markdown."""
    content = [{"cell_type": "code", "source": [source], "metadata": {}} for source in cells]
    content[0]["metadata"]["tags"] = ["parameters"]
    (file := project / "notebooks" / "01_small.ipynb").parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# A", "metadata": {}}, *content]}))
    return file


@pytest.mark.parametrize(("passed", "sentence"), REFUSED, ids=str)
def test_what_a_parameter_can_not_be_is_said_with_its_name(project, passed, sentence):
    notebook = write(project, DECLARED)
    with pytest.raises(parameters.RunError, match=sentence):
        parameters.check(notebook, parameters.resolved(notebook, passed))


@pytest.mark.parametrize(("notebook", "passed", "sentence"), OF_ONE_NOTEBOOK, ids=str)
def test_what_one_notebook_alone_does_not_know_is_refused_before_it_trains(notebook, passed, sentence):
    file, free = parameters.notebook_of(notebook), {"weights": "scratch", "detector": "haar"}
    values = parameters.defaults(file)
    values |= {name: value for name, value in free.items() if name in values}
    parameters.check(file, values)
    with pytest.raises(parameters.RunError, match=f"{notebook}: {sentence}"):
        parameters.check(file, values | passed)


def test_good_values_pass_and_a_whole_number_is_a_number(project):
    notebook = write(project, DECLARED)
    (project / "body.h5").touch()
    passed = {"batch_size": 0, "rate": 1, "compared_variants": [], "weights": "body.h5", "seeds": (3,), "epochs": 1}
    values = parameters.resolved(notebook, passed)
    parameters.check(notebook, values)
    assert (values["rate"], type(values["rate"]), values["seeds"], values["folds"]) == (1.0, float, [3], 5)
    assert set(parameters.VARIANTS) == set(models.VARIANTS)


def test_parameters_that_are_no_plain_values_are_refused_in_a_sentence(project):
    more = "01_small.ipynb: the cell tagged parameters holds more than names"
    for declared in ("folds = 2 * 5", "l1, l0 = 1, 2", "folds ="):
        with pytest.raises(parameters.RunError, match=more):
            parameters.defaults(write(project, declared))
    with pytest.raises(parameters.RunError, match="photos must be a text, not '2024'"):
        parameters.resolved(write(project, "photos = []"), {"photos": [2024]})


def test_every_profile_sets_parameters_of_its_notebook_to_values_that_they_may_have():
    for file in (paths.notebooks_dir() / "profiles").glob("*/*.yaml"):
        notebook = parameters.notebook_of(file.name)
        values = parameters.resolved(notebook, parameters.read(file))
        of_another_run = {"weights": "scratch"} if str(values.get("weights")).startswith("data/cache/") else {}
        parameters.check(notebook, values | of_another_run)


@pytest.mark.parametrize(("content", "sentence"), UNREADABLE)
def test_a_file_that_holds_no_parameters_is_refused(project, content, sentence):
    (project / "01_small.yaml").write_bytes(content)
    with pytest.raises(parameters.RunError, match=sentence):
        parameters.resolved(write(project, DECLARED), parameters.read(project / "01_small.yaml"))


def test_missing_data_is_said_with_its_folder_and_only_where_photographs_are_needed(project, monkeypatch, write_files):
    def check(**changed: object) -> None:
        parameters.check_data(notebook, parameters.defaults(notebook) | changed)

    def check_refused(match: str, **changed: object) -> None:
        with pytest.raises(parameters.RunError, match=match):
            check(**changed)

    raw, loading = project / "data" / "raw", "%matplotlib inline\nfound = datasets.load(dataset, data)\n"
    notebook = write(project, 'dataset = "fer2013"\ndata = "real"', loading, "x = 1 +")
    check_refused(f"no fer2013 in {raw}: ")
    check(data="generated")
    several = "present, absent = datasets.load_present(data_sets, data, options)"  # of which one is enough
    notebook = write(project, 'data_sets = ["jaffe", "ckplus"]\ndata = "real"', several)
    check_refused("no jaffe in .*; no ckplus in ")
    (raw / "CK+48").mkdir(parents=True)
    check_refused(r"CK\+48 holds no file: put ckplus there")
    (latin := raw / "CK+48" / os.fsdecode(b"caf\xe9.png")).touch()
    check_refused(r"caf\\udce9.png' has a name that is not UTF-8")
    latin.rename(latin.with_name("cafe.png"))
    check()
    (raw / "CK+48" / "S005").symlink_to(project)
    check_refused("S005 is a link to a folder or to nothing, which is not read", data_sets=["ckplus"])
    (raw / "CK+48" / "S005").unlink()
    (raw / "jaffe.zip").write_text("<html>")
    check_refused(r"jaffe.zip is not a zip but a web page")  # though one is enough
    write_files(raw / "jaffe.zip", {"jaffe/KA.AN1.tiff": ""})
    check(data_sets=["jaffe"])
    check(data="")
    write_files(raw / "jaffe.zip", {"jaffe/../../KA.AN1.tiff": ""})
    check_refused(r"jaffe.zip holds jaffe/../../KA.AN1.tiff, which leads out of it", data_sets=["jaffe"])
    with pytest.raises(parameters.RunError, match="data: ~nobody-here/faces begins in no home folder of this machine"):
        parameters.resolved(notebook, {"data": "~nobody-here/faces"})
    wrong = {"FER_DATA_DIR": str(notebook), "FER_CACHE_DIR": f"{notebook}/cache"}
    for (variable, place), told in product(wrong.items(), (f"{notebook} is no folder", "~nobody-here begins in no")):
        with monkeypatch.context() as patched:
            patched.setenv(variable, "~nobody-here" if "~" in told else place)
            check_refused(f"{variable}: {told}")
    notebook.write_text("{")
    with pytest.raises(parameters.RunError, match="01_small.ipynb can't be read as a notebook"):
        parameters.defaults(notebook)


def test_modules_are_found_through_imports_and_those_that_draw_faces_count_where_they_are_drawn(project, write_files):
    package = write_files(project / "fer_helpers", {f"{name}.py": text for name, text in MODULES.items()})
    file = write(project, "n = 1", "from fer_helpers import b, drawn\nfrom fer_helpers.study import judged, runs")
    found = [str(module.relative_to(package).with_suffix("")) for module in parameters.imported_modules(file)]
    assert found == ["__init__", "a", "b", "c", "scores", "sets/__init__", "sets/one"]
    before = {data: parameters.fingerprint(file, {"data": data}) for data in ("real", "generated")}
    (package / "drawn" / "__init__.py").write_text("other = 1")
    after = {data: parameters.fingerprint(file, {"data": data}) for data in before}
    assert {data for data in before if before[data] != after[data]} == {"generated"}


def test_prose_changes_no_fingerprint_and_any_code_does(project, write_files):
    code = 'def double(n, /):\n    """Twice."""\n    return [2 * n]'

    def fingerprint(cell: str = "from fer_helpers import a", module: str = code, markdown: str = "# A") -> str:
        write_files(project / "fer_helpers", {"__init__.py": "", "a.py": module})
        file = write(project, "n = 1", cell)
        file.write_text(file.read_text().replace("# A", markdown))
        return parameters.fingerprint(file, {"data": "real"})

    prose = [{"module": code.replace("Twice", "Two times")}, {"module": f'"""It doubles."""\n\n{code}  # a list'}]
    prose += [{"cell": "from fer_helpers import a  # to double"}, {"markdown": "# Another title"}]
    assert {fingerprint(**change) for change in prose} == {fingerprint()}
    changes = [{"module": code.replace("[2 * n]", "[2 * n, []]")}, {"module": code.replace(", /", "")}]
    changes += [{"module": f"{code}\n'''Not a docstring.'''\nx = '# 1'"}, {"cell": "from fer_helpers import a, b"}]
    assert len({fingerprint(), *(fingerprint(**change) for change in changes)}) == 5


def test_weights_of_the_users_own_are_known_by_their_content(project):
    file, weights = write(project, "weights = ''", ""), project / "mine.weights.h5"
    weights.write_bytes(b"")
    compared = {"variant": "B0", "compared_variants": ["B0", "B1"], "weights": str(weights)}
    with pytest.raises(parameters.RunError, match=r"mine\.weights\.h5 fits B0 alone, and B1 is compared"):
        parameters.check(parameters.notebook_of("04_alam_2022"), compared)
    for given in ({"weights": str(weights)}, {"alternatives": {"mine": {"weights": str(weights)}}}):
        found = [parameters.fingerprint(file, given) for size in (1, 2) if weights.write_bytes(bytes(size))]
        assert found[0] != found[1]
