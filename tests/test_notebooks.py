"""Every notebook keeps to the rules that make it easy to read, to review and to run without a screen."""

import ast
import re
import statistics
from collections import Counter
from itertools import groupby
from pathlib import Path

import nbformat
import papermill
import pytest
import yaml

from fer_helpers import paths
from fer_helpers.study.parameters import defaults, notebook_of

FILES = sorted(paths.notebooks_dir().glob("*.ipynb"))
PROFILES = sorted((paths.notebooks_dir() / "profiles").glob("*/*.yaml"))
assert FILES and PROFILES, "nothing to test"
ABSOLUTE_PATH = re.compile(r"^(~|/[A-Za-z]|[A-Za-z]:[\\/]|\\\\)")
FOLDERS = "home|Users|root|tmp|work|mnt|media|opt|var|srv|content|kaggle|data"
PATH_OF_A_MACHINE = re.compile(rf"(?<![\w.:/])(~|/({FOLDERS}))/|[A-Za-z]:\\")

every_notebook = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def read(file: Path) -> nbformat.NotebookNode:
    """A notebook as it lies on disk, not brought up to date by nbformat."""
    return nbformat.read(file, as_version=nbformat.NO_CONVERT)


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def nodes(notebook: nbformat.NotebookNode):
    """The nodes of all its code; a cell that is not plain Python, as one with a magic, is a SyntaxError."""
    for cell in code_cells(notebook):
        yield from ast.walk(ast.parse(cell.source))


@every_notebook
def test_notebook_is_valid_and_carries_no_output_and_no_trace_of_an_execution(file):
    notebook = read(file)
    nbformat.validate(notebook)
    assert [name for name, times in Counter(cell.id for cell in notebook.cells).items() if times > 1] == []
    assert [cell.id for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None] == []
    assert [cell.id for cell in notebook.cells if set(cell.metadata) - {"tags"}] == []
    assert "papermill" not in notebook.metadata
    assert notebook.metadata.kernelspec.name == "python3"  # the kernel that every machine has


@every_notebook
def test_notebook_names_no_path_of_a_machine(file):
    notebook = read(file)
    strings = [node.value for node in nodes(notebook) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in strings if ABSOLUTE_PATH.match(text)] == []
    assert [cell.source for cell in notebook.cells if PATH_OF_A_MACHINE.search(cell.source)] == []


@every_notebook
def test_parameters_are_literals_one_a_line_each_with_its_help_and_papermill_finds_the_same(file):
    (source,) = [cell.source for cell in read(file).cells if "parameters" in cell.metadata.get("tags", [])]
    for line, statement in zip(source.splitlines(), ast.parse(source).body, strict=True):
        assert isinstance(statement, ast.Assign) and [type(target) for target in statement.targets] == [ast.Name], line
        assert re.search(r"\S  # \S", line), f"no help behind: {line}"
    found = papermill.inspect_notebook(str(file))  # by a parser of its own, which overlooks what it does not understand
    assert list(found) == list(defaults(file))
    assert [name for name, about in found.items() if not about["help"]] == []


@every_notebook
def test_run_bears_the_name_of_its_notebook_and_ends_in_the_last_code_cell(file):
    notebook = read(file)
    assert defaults(file)["run_dir"] == ""
    starts = [node for node in nodes(notebook) if isinstance(node, ast.Call) and ast.unparse(node.func) == "runs.start"]
    assert [start.args[0].value for start in starts] == [file.stem]
    assert any("run.finish(" in cell.source for cell in code_cells(notebook)[-2:])


@every_notebook
def test_cells_are_short_and_few_lines_keep_books(file):
    cells = {cell.id: cell.source.splitlines() for cell in code_cells(read(file))}
    assert [name for name, lines in cells.items() if not 0 < len(lines) <= 30] == []
    assert statistics.median(len(list(filter(str.strip, lines))) for lines in cells.values()) <= 6
    lines = [line.strip() for cell in cells.values() for line in cell if line.strip()]
    assert sum(line.startswith(("run.", "claims.", "results.")) for line in lines) <= 0.1 * len(lines)


@every_notebook
def test_a_figure_is_drawn_early_and_in_the_notebook_and_a_paper_s_regime_stands_in_plain_sight(file):
    cells = [cell.source for cell in code_cells(read(file))]
    if file.stem != "05_scoreboard":  # which has data of its own only once all others have run
        assert any("plots.show(" in source for source in cells[:8])
    assert any("plt." in source or "sns." in source for source in cells)
    if file.stem[:2] in ("01", "02", "03", "04"):
        assert [word for word in (".compile(", ".fit(", "optimizers.") if word not in "\n".join(cells)] == []


@every_notebook
def test_the_only_title_comes_first_and_prose_before_every_step(file):
    """A heading alone is no prose."""
    cells = read(file).cells
    is_title = [cell.cell_type == "markdown" and bool(re.search(r"^# ", cell.source, re.M)) for cell in cells]
    assert is_title == [True] + [False] * (len(cells) - 1)
    prose = ""
    for kind, group in groupby(cells, key=lambda cell: cell.cell_type):
        cells = list(group)
        if kind == "markdown":
            prose = "\n".join(line for line in cells[-1].source.splitlines() if not line.startswith("#")).strip()
        else:
            assert len(cells) <= 3, f"{len(cells)} code cells in a row from {cells[0].id}"
            assert prose, f"no sentence before {cells[0].id}"


@every_notebook
def test_imports_stand_at_the_top_no_class_is_defined_and_no_branch_is_switched_off(file):
    cells = [cell.source for cell in code_cells(read(file))]
    importing = [place for place, source in enumerate(cells) if re.search(r"^\s*(import|from) ", source, re.M)]
    assert importing in ([1], [1, 2])  # behind the parameters: the run alone, which loads nothing slow, then the rest
    assert [node.name for node in nodes(read(file)) if isinstance(node, ast.ClassDef)] == []
    conditions = [node.test for node in nodes(read(file)) if isinstance(node, ast.If | ast.IfExp | ast.While)]
    assert [ast.unparse(condition) for condition in conditions if isinstance(condition, ast.Constant)] == []


@every_notebook
def test_a_cell_that_draws_a_network_s_weights_seeds_them_so_that_it_draws_the_same_when_run_twice(file):
    drawing = [cell.source for cell in code_cells(read(file)) if "keras.Sequential(" in cell.source]
    drawing = [source for source in drawing if "layers.Dense(" in source and not re.search(r"^\s*def ", source, re.M)]
    assert [source for source in drawing if "training.seed_everything(" not in source] == []


def test_no_function_is_defined_in_two_notebooks():
    functions = [node for file in FILES for node in nodes(read(file)) if isinstance(node, ast.FunctionDef)]
    names = Counter(ast.dump(ast.Module(node.body[1:], [])) for node in functions)
    assert [node.name for node in functions if names[ast.dump(ast.Module(node.body[1:], []))] > 1] == []


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_profile_says_how_it_is_run_by_hand(file):
    comments = [line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    profile = file.relative_to(paths.PROJECT).as_posix()
    assert f"# papermill notebooks/{notebook_of(file.name).name} out.ipynb -f {profile}" in comments


@every_notebook
def test_every_notebook_has_a_smoke_profile_that_needs_no_photographs(file):
    profiles = [profile for profile in PROFILES if profile.parent.name == "smoke" and notebook_of(profile.name) == file]
    values = [yaml.safe_load(profile.read_text(encoding="utf-8")) for profile in profiles]
    assert profiles and ("data" not in defaults(file) or {of["data"] for of in values} == {"generated"})
