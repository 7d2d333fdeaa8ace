"""What a notebook declares: its parameters, the values they may take, and the modules that its numbers depend on."""

import ast
import contextlib
import functools
import hashlib
import json
import math
import os
import re
import reprlib
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from importlib.util import find_spec
from modulefinder import ModuleFinder
from pathlib import Path

import yaml
from IPython.core.inputtransformer2 import TransformerManager

from fer_helpers import datasets, paths
from fer_helpers.datasets.files import FileTree, split_at_container

VARIANTS = (*(f"B{number}" for number in range(8)), "Lite0", "Lite1", "Lite2", "Mini")  # `models` imports Keras
TYPES = {bool: "True or False", int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a dict"}
NEVER_TWICE = ("profiles", "seeds", "data_sets", "compared_variants", "cnn_sizes", "trained_sizes")
NEVER_EMPTY = ("seeds", "data_sets", "profiles", "memory_images", "faces_at_once", "call_repeats")
# What one of 03's `alternatives` may change, with values of these types.
ALTERNATIVES = dict.fromkeys(("variant", "weights", "detector", "optimizer"), "")
ALTERNATIVES |= {"image_size": 0, "hidden": 0, "epochs": 0, "learning_rate": 0.0, "standardise": False}
HAS_DOCSTRING = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
# In the text of a syntax tree, where Python 3.13 has none.
EMPTY_LISTS = re.compile(r"(?<=\()(?:\w+=\[\](?:, )?)+|, \w+=\[\]")


class RunError(Exception):
    """Why a run can't begin or end, in one sentence; Jupyter shows the sentence and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def _one_of(*words: str) -> tuple[str, Callable]:
    return f"one of {', '.join(words)}", words.__contains__


def _at_least(lowest: int, highest: float = math.inf) -> tuple[str, Callable]:
    ends = f"at least {lowest}{f' and at most {highest:,}' if highest < math.inf else ''}"
    return ends, lambda value: lowest <= value <= highest


def _is_weights(value: str) -> bool:
    return value in ("imagenet", "scratch") or (value.endswith(".h5") and paths.resolve(value).is_file())


def _is_detector(value: str) -> bool:
    return value in ("none", "haar") or (value == "dlib" and find_spec("dlib") is not None)


def _there(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(up for up in (folder, *folder.parents) if up.exists())


def _is_place(folder: Path) -> bool:
    return _there(folder).is_dir() and os.access(_there(folder), os.W_OK)


def _is_place_for_csv(file: Path) -> bool:
    return file.suffix.lower() == ".csv" and (file.is_file() or not file.exists()) and _is_place(file.parent)


# Patterns of names, of one notebook or of all, what a value (or each value of a list) must be, and a test; the first
# pattern that fits counts.
RULES: list[tuple[str, str, Callable]] = [
    ("00_datasets.dataset", *_one_of("fer2013", "ferplus")),
    ("02_jiang_2025.dataset", *_one_of("affectnet", "ferplus")),
    ("02_jiang_2025.optimizer", *_one_of("adam", "adamw")),
    ("03_singh_2022.optimizer", *_one_of("adam", "sgd")),
    ("04_alam_2022.data_sets", *_one_of("ckplus", "jaffe")),
    ("06_speed.peer_variants", *_one_of(*VARIANTS[: VARIANTS.index("Lite1")])),
    ("variant *variants", *_one_of(*VARIANTS)),
    ("dataset data_sets", *_one_of(*datasets.LOADERS)),
    ("weights", "imagenet, scratch, or an .h5 file that exists", _is_weights),
    ("detector", "none, haar, or dlib after pip install -e .[dlib]", _is_detector),
    ("pooling", *_one_of("avg", "max")),
    ("optimizer", *_one_of("adam", "adamax", "adamw", "sgd")),
    ("schedule", *_one_of("constant", "cosine")),
    ("precision", *_one_of("float32", "mixed_bfloat16")),
    ("interpolation", *_one_of("nearest", "bilinear", "bicubic", "area", "lanczos")),
    ("body_in_phase1", *_one_of("frozen", "trained")),
    ("exported", *_one_of("ONNX", "LiteRT")),
    ("image_size trained_sizes feature_sizes", *_at_least(32, 4096)),
    ("side *_side *_sizes", *_at_least(8, 4096)),
    ("folds", *_at_least(2, 1000)),
    ("seed seeds", *_at_least(0, 2**32 - 1)),
    ("*rate", "above 0", lambda value: value > 0),
    ("shift zoom", "from 0 to below 1", lambda value: 0 <= value < 1),
    ("near_duplicate_correlation", "above 0 and at most 1", lambda value: 0 < value <= 1),
    ("*_share", "a half, a third ...", lambda value: 1e-3 < value < 1 and abs(value * round(1 / value) - 1) < 0.02),
    ("*_momentum threshold", "between 0 and 1", lambda value: 0 < value < 1),
    ("profiles", "folders of notebooks/profiles", lambda name: name in os.listdir(paths.notebooks_dir() / "profiles")),
    ("every", "above 0 seconds", lambda value: value > 0),
    ("csv", "empty, or a file that ends in .csv", lambda name: not name or _is_place_for_csv(paths.resolve(name))),
    ("export_to", "empty, or a folder", lambda name: not name or _is_place(paths.resolve(name))),
    ("07_your_photos.data", "real, generated, empty, or a path", lambda name: True),
    ("data", "real, generated, or a path", bool),
    ("batch_size trained_epochs baseline_epochs train_images kept_images", *_at_least(0)),
    ("rotation l1 l2 memory_gb shown", *_at_least(0)),
    ("*epochs *_folds *_steps *_images *_layers *_filters *_threads", *_at_least(1)),
    ("rounds waits hidden faces_at_once call_repeats", *_at_least(1)),
]


class _OfNames(yaml.SafeLoader):
    """YAML in which no name stands twice; of two values the last would count, in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        names = [name.value for name, _ in node.value]
        if twice := {str(name) for name in names if names.count(name) > 1}:
            raise yaml.YAMLError(f"{', '.join(sorted(twice))} stands in it twice")
        return super().construct_mapping(node, deep)


def notebook_of(run: str) -> Path:
    """The notebook of a run or of its file of parameters: `01_huang_2024.seed1.yaml` is for `01_huang_2024.ipynb`."""
    return paths.notebooks_dir() / f"{run.partition('.')[0]}.ipynb"


def read(file: Path) -> dict[str, object]:
    """The parameters in a YAML file; RunError if it can't be read, or is no mapping in YAML."""
    try:
        passed = yaml.load(file.read_text(encoding="utf-8"), _OfNames)
    except Exception as error:  # of a value that is not of the type it is tagged with almost anything
        raise RunError(f"{file} can't be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(passed, dict | None):
        raise RunError(f"{file} holds no parameters: write one `name: value` a line")
    return passed or {}


def defaults(notebook: Path) -> dict[str, object]:
    """The parameters of a notebook with its own values; RunError if no cell of it is tagged `parameters`."""
    source = next((source for _, source, tags in _cells(notebook) if "parameters" in tags), None)
    if source is None:
        raise RunError(f"{notebook} has no cell tagged parameters")
    try:
        statements = [statement for statement in ast.parse(source).body if isinstance(statement, ast.Assign)]
        return {statement.targets[0].id: ast.literal_eval(statement.value) for statement in statements}
    except (SyntaxError, ValueError, AttributeError) as error:
        why = "the cell tagged parameters holds more than names and plain values"
        raise RunError(f"{notebook}: {why} ({error}): write one `name = value` a line") from error


def resolved(notebook: Path, passed: dict[str, object]) -> dict[str, object]:
    """All parameters of a notebook, those passed in place of its own values; 1 becomes 1.0 where it has a float.

    RunError: the notebook has no parameter of that name, or a value has another type.
    """
    known = defaults(notebook)
    if unknown := [name for name in passed if name not in known]:
        raise RunError(f"{notebook.stem} has no parameter {', '.join(map(str, unknown))}: it has {', '.join(known)}")
    return {name: _typed(notebook, name, passed.get(name, value), value) for name, value in known.items()}


def _typed(notebook: Path, name: str, value: object, default: object) -> object:
    if isinstance(default, list) and isinstance(value, list | tuple):
        return [_typed(notebook, name, part, default[0] if default else "") for part in value]
    if type(default) is float and type(value) is int and abs(value) < 2**1000:
        return float(value)
    if type(value) is type(default) and (type(value) is not float or math.isfinite(value)):
        return _at_home(name, value)
    quoted = isinstance(value, str) and isinstance(default, int | float)
    hint = ": without quotes, and 1e-4 as 1.0e-4, which YAML would read as a text" if quoted else ""
    shown = reprlib.repr(value) if isinstance(value, list | dict) else repr(str(value))
    raise RunError(f"{notebook.stem}: {name} must be {TYPES[type(default)]}, not {shown:.80}{hint}")


def _at_home(name: str, value: object) -> object:
    """The value as it is; RunError for a path that begins in the home folder of nobody, as `~nobody/faces`."""
    if isinstance(value, str) and os.path.expanduser(value).startswith("~"):
        raise RunError(f"{name}: {value} begins in no home folder of this machine: write the path out")
    return value


def check(notebook: Path, parameters: dict[str, object]) -> None:
    """Refuse a value that `RULES` does not allow: RunError, which names the parameter and what it may be."""
    for name, value in parameters.items():
        if value == [] and name in NEVER_EMPTY:
            raise RunError(f"{notebook.stem}: {name} must not be empty")
        if name in NEVER_TWICE and len(set(value)) < len(value):
            raise RunError(f"{notebook.stem}: {name} must not name anything twice, and is {value!r:.80}")
        names = (name, f"{notebook.stem}.{name}")
        rules = (rule for rule in RULES if any(fnmatchcase(n, pattern) for pattern in rule[0].split() for n in names))
        _, allowed, test = next(rules, ("", "", lambda _: True))
        for part in value if isinstance(value, list) else [value]:
            with contextlib.suppress(OSError, ValueError):  # as of a name that no file can have
                if test(part):
                    continue
            shown = f"{paths.resolve(part) if name == 'weights' else repr(part)!s:.300}"
            raise RunError(f"{notebook.stem}: {name} must be {allowed}, not {shown}")
    for name, changes in parameters.get("alternatives", {}).items():
        if not re.fullmatch(r"[\w ,.+-]{1,80}", name if isinstance(name, str) else ""):  # a backup is named after it
            raise RunError(f"{notebook.stem}: alternatives: {name!r:.80} must be text of letters, digits, blanks, ,.+-")
        if not isinstance(changes, dict) or not changes.keys() <= ALTERNATIVES.keys():
            may = ", ".join(ALTERNATIVES)
            raise RunError(f"{notebook.stem}: alternatives: {name} must change some of {may}, not {changes!r:.80}")
        check(notebook, {key: _typed(notebook, key, value, ALTERNATIVES[key]) for key, value in changes.items()})
    _check_networks(notebook, parameters)
    by_tensorflow = os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"
    if parameters.get("export_to") and not (by_tensorflow and parameters.get("precision") == "float32"):
        raise RunError(f"{notebook.stem}: export_to needs precision float32 and TensorFlow as Keras's backend")
    lowest = 2 ** len(parameters.get("cnn_filters", []))
    if min(parameters.get("cnn_sizes") or [lowest]) < lowest:
        raise RunError(f"{notebook.stem}: cnn_sizes must be at least {lowest}: each of cnn_filters halves the side")
    if parameters.get("tested_folds", 0) > parameters.get("folds", math.inf):
        raise RunError(f"{notebook.stem}: tested_folds must be at most folds, which is {parameters['folds']}")


def _check_networks(notebook: Path, parameters: dict[str, object]) -> None:
    """RunError where a network of the run, a compared one or an alternative included, can't have the weights named."""
    alternatives = parameters.get("alternatives", {})
    others = [{"variant": name} for name in parameters.get("compared_variants", [])]
    for change in ({}, *others, *alternatives.values()):
        variant, weights = ((parameters | change).get(name) for name in ("variant", "weights"))
        if (variant, weights) == ("Mini", "imagenet"):
            raise RunError(f"{notebook.stem}: Mini, a network for smoke runs, has no ImageNet weights: take Lite0")
        if str(weights).endswith(".h5") and variant != parameters.get("variant") and "weights" not in change:
            problem = f"{weights} fits {parameters.get('variant')} alone, and {variant} is compared"
            raise RunError(f"{notebook.stem}: {problem}: leave it out, or name weights of its own")
    kept = sorted(name.replace(" ", "_") for name in alternatives)  # as their backups are named
    if taken := dict.fromkeys(name for name in kept if name in (*VARIANTS, "frozen") or kept.count(name) > 1):
        raise RunError(f"{notebook.stem}: alternatives: {', '.join(taken)} is another network's name: choose one")


def data_sets(notebook: Path, parameters: dict[str, object]) -> dict[str, bool]:
    """The data sets that a notebook loads with its parameter `data`, and whether it needs each, or any of them."""
    found = {}
    for function, first in re.findall(r"\bdatasets\.(load|load_present)\(([\w\"]+), data\b", _code(notebook)):
        named = first.strip('"') if '"' in first else parameters[first]
        found |= dict.fromkeys([named] if isinstance(named, str) else named, function == "load")
    return found


def check_folders() -> None:
    """RunError if a variable of the environment that is to name a folder names none, or one that can't be written."""
    for variable, folder_of in {"FER_DATA_DIR": paths.data_dir, "FER_CACHE_DIR": paths.cache_dir}.items():
        _at_home(variable, os.environ.get(variable, ""))
        place = _there(folder_of())
        if not place.is_dir():
            raise RunError(f"{variable}: {place} is no folder: name one (a single archive is the parameter data)")
    if not os.access(place, os.W_OK):
        raise RunError(f"FER_CACHE_DIR: {place} can't be written: name a folder that can")


def check_links(data: Path) -> None:
    """ValueError where data has links that are not followed or members that leave an archive, OSError if unreadable."""

    def refuse(error: OSError) -> None:
        raise error

    for folder, inside, files in os.walk(data, onerror=refuse) if data.is_dir() else ():
        for place in (Path(folder, name) for name in (*inside, *files)):
            if re.search("[\ud800-\udfff]", place.name):
                raise ValueError(f"{str(place)!a} has a name that is not UTF-8: unpack or rename it anew")
            if place.is_symlink() and not place.is_file():
                raise ValueError(f"{place} is a link to a folder or to nothing, which is not read: put its files there")
    archive, names = data if data.is_dir() else split_at_container(str(data))[0], []
    with contextlib.suppress(Exception), zipfile.ZipFile(archive) as opened:  # of what is no zip the loader tells more
        names = opened.namelist()
    if outside := next((name for name in names if ".." in re.split(r"[\\/]", name)), ""):
        raise ValueError(f"{archive} holds {outside}, which leads out of it and is not read: get another copy")


def check_data(notebook: Path, parameters: dict[str, object]) -> None:
    """RunError if a data set is missing that the notebook needs, or all of those of which one is enough."""
    check_folders()
    absent, names = {}, data_sets(notebook, parameters)
    for name in names if parameters.get("data") not in (None, "", "generated") else []:
        try:
            location = datasets.find(name, parameters["data"])
            check_links(location)
            if not FileTree(location).names:
                raise ValueError(f"{location} holds no file: put {name} there, or remove it")
        except FileNotFoundError as error:
            absent[name] = str(error)
        except (OSError, ValueError) as error:
            raise RunError(str(error)) from error
    if any(names[name] for name in absent) or (absent and len(absent) == len(names)):
        raise RunError("; ".join(absent.values()))


def _cells(notebook: Path) -> list[tuple[str, str, list[str]]]:
    """Type, source and tags of each cell, read as JSON: nbformat takes seconds to import."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{notebook} can't be read as a notebook: {error!r}") from error


def _code(notebook: Path) -> str:
    """The code cells as one text; magics are turned into Python, and a cell that is not Python is left out."""
    found = []
    for source in (source for kind, source, _ in _cells(notebook) if kind == "code"):
        with contextlib.suppress(SyntaxError):
            python = TransformerManager().transform_cell(source)
            ast.parse(python)
            found.append(python)
    return "\n".join(found)


@functools.cache
def _parsed(code: str) -> str:
    """The syntax tree of a text of Python as a text, without comments and docstrings."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, HAS_DOCSTRING) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return EMPTY_LISTS.sub("", ast.dump(tree))


def imported_modules(notebook: Path) -> list[Path]:
    """The files of `fer_helpers` that a notebook's numbers depend on: what its cells import, and what these import.

    Left out are `fer_helpers.study`, which judges numbers, except for what `study.runs` imports to compute scores; and
    `fer_helpers.drawn`, which `fingerprint` adds where faces are drawn.
    """
    study = paths.PROJECT.glob("fer_helpers/study/[!_]*")
    judges = [f"fer_helpers.study.{file.stem}" for file in study if file.stem != "runs"]
    finder = ModuleFinder([str(paths.PROJECT)], excludes=["fer_helpers.drawn", *judges])
    finder.scan_code(compile(_code(notebook), notebook, "exec"), finder.add_module("__main__"))
    files = {Path(module.__file__) for module in finder.modules.values() if module.__file__}
    return sorted(file for file in files if file.parent.name != "study")


def fingerprint(notebook: Path, parameters: dict[str, object]) -> str:
    """Hash of what decides a run's numbers except data: code cells, parameters (`run_dir` apart), imported modules.

    Also the code that draws faces; and for a scoreboard (`profiles`), which trains nothing, the claims and their rules.
    Prose does not count: neither Markdown nor comments and docstrings.
    """
    modules, tables = imported_modules(notebook), []
    if parameters.get("data") == "generated":
        modules += sorted(paths.PROJECT.glob("fer_helpers/drawn/*.py"))
    if "profiles" in parameters:
        modules += sorted(paths.PROJECT.glob("fer_helpers/study/claims/*.py"))
        tables = sorted(paths.PROJECT.glob("data/*.csv"))
    does = {module.relative_to(paths.PROJECT).as_posix(): _parsed(module.read_text("utf-8")) for module in modules}
    made = (paths.PROJECT / "data/cache", paths.cache_dir())  # by a run of the study, which is read by name
    for settings in filter(lambda of: isinstance(of, dict), (parameters, *parameters.get("alternatives", {}).values())):
        weights = paths.resolve(str(settings.get("weights", "")))
        tables += [weights] if weights.is_file() and not any(map(weights.is_relative_to, made)) else []
    values = {name: value for name, value in parameters.items() if name != "run_dir"}
    content = [_parsed(_code(notebook)), values, does, [*map(paths.file_sha256, tables)]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
