"""What the project needs is listed once, in pyproject.toml; the locks and environment.yml follow from it."""

import os
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fer_helpers import paths

PYPROJECT = tomllib.loads((paths.PROJECT / "pyproject.toml").read_text())["project"]
LOCK, TEST_LOCK, GPU_LOCK, PEERS_LOCK = (
    (paths.PROJECT / f"requirements{name}.lock").read_text() for name in ("", "-test", "-gpu", "-peers")
)
CONDA = yaml.safe_load((paths.PROJECT / "environment.yml").read_text())["dependencies"]
EXTRAS = PYPROJECT["optional-dependencies"]
TEST_EXTRAS = ("tensorflow", "jax", "export", "dlib", "dev")
INSTALLED = {"study lab verify": "", "study GPUS=2": "-gpu", "test": "-test", "peers": "-peers"}  # for targets of make
FULFILLED = {"study": (LOCK, True, ("tensorflow", "litert", "dlib")), "tests": (TEST_LOCK, True, TEST_EXTRAS)}
FULFILLED |= {"peers": (PEERS_LOCK, False, ["peers"])}


def locked_versions(lock: str) -> dict[str, set[str]]:
    """Versions in a lock by package; there are several where they differ between Pythons."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


@pytest.mark.parametrize(("lock", "needed", "extras"), FULFILLED.values(), ids=FULFILLED)
def test_a_lock_fulfils_every_requirement_of_pyproject(lock, needed, extras):
    required = PYPROJECT["dependencies"] * needed + [entry for extra in extras for entry in EXTRAS[extra]]
    for requirement in map(Requirement, required):
        if requirement.name != "fer-helpers":
            versions = locked_versions(lock)[requirement.name.lower()]
            assert all(version in requirement.specifier for version in versions), requirement


def test_the_study_installs_nothing_that_only_tests_or_gpus_need_and_these_change_none_of_its_versions():
    study, tests, gpus = map(locked_versions, (LOCK, TEST_LOCK, GPU_LOCK))
    for_tests = {"jax", "jaxlib", "onnx", "onnxruntime", "tf2onnx", "playwright", "pytest", "ruff", "uv"}
    assert not for_tests & study.keys() and for_tests <= tests.keys()
    assert [name for added in (tests, gpus) for name in added if not added[name] <= study.get(name, added[name])] == []
    assert {"nvidia-cudnn-cu12", "jax-cuda12-plugin"} <= gpus.keys() - tests.keys()  # for both backends
    assert gpus["jax-cuda12-plugin"] == gpus["jax"] == tests["jax"]


@pytest.mark.parametrize("lock", [LOCK, TEST_LOCK, GPU_LOCK, PEERS_LOCK])
def test_every_locked_package_has_hashes_and_no_address_is_named(lock):
    entries = re.split(r"\n(?=\S)", "\n".join(line for line in lock.splitlines() if not line.lstrip().startswith("#")))
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())
    assert "://" not in lock


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("targets", "more"), INSTALLED.items())
def test_make_installs_what_a_target_needs_and_no_more(targets, more):
    command = ["make", "--dry-run", "--always-make", *targets.split()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    printed = subprocess.check_output(command, cwd=paths.PROJECT, env=environment, text=True)
    assert set(re.findall(r"--require-hashes -r requirements(\S*)\.lock", printed)) == {"", more}


def test_conda_takes_the_extras_that_are_locked_and_the_pythons_that_pyproject_allows():
    (listed,) = next(entry["pip"] for entry in CONDA if isinstance(entry, dict))
    assert listed == f"-e .[{','.join(TEST_EXTRAS)}]"
    named = next(entry for entry in CONDA if isinstance(entry, str) and entry.startswith("python"))
    assert SpecifierSet(named.removeprefix("python")) == SpecifierSet(PYPROJECT["requires-python"])
