"""What the project needs is listed once, in pyproject.toml; the locks and environment.yml follow from it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from fer_helpers import paths

PYPROJECT = tomllib.loads((paths.PROJECT / "pyproject.toml").read_text())["project"]
LOCK = (paths.PROJECT / "requirements.lock").read_text()
GPU_LOCK = (paths.PROJECT / "requirements-gpu.lock").read_text()
CONDA = yaml.safe_load((paths.PROJECT / "environment.yml").read_text())["dependencies"]
LOCKED_EXTRAS = ("tensorflow", "jax", "export", "dlib", "dev")

every_lock = pytest.mark.parametrize("lock", [LOCK, GPU_LOCK], ids=["processor", "gpu"])


def locked_versions(lock: str) -> dict[str, set[str]]:
    """Versions in a lock by package; there are several where they differ between Pythons."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


def assert_fulfilled(required: list[str], lock: str) -> None:
    """Whichever version of a required package a lock holds is one that is allowed."""
    locked = locked_versions(lock)
    for requirement in map(Requirement, required):
        assert all(version in requirement.specifier for version in locked[requirement.name.lower()]), requirement


def test_the_lock_fulfils_every_requirement_of_pyproject():
    extras = [entry for extra in LOCKED_EXTRAS for entry in PYPROJECT["optional-dependencies"][extra]]
    assert_fulfilled(PYPROJECT["dependencies"] + extras, LOCK)


def test_the_lock_for_gpus_adds_cuda_for_both_backends_and_changes_no_version():
    assert_fulfilled(PYPROJECT["optional-dependencies"]["gpu"], GPU_LOCK)
    with_gpu, without = locked_versions(GPU_LOCK), locked_versions(LOCK)
    assert [name for name, versions in with_gpu.items() if name in without and not versions <= without[name]] == []
    assert {"nvidia-cudnn-cu12", "jax-cuda12-plugin"} <= with_gpu.keys() - without.keys()
    assert with_gpu["jax-cuda12-plugin"] == with_gpu["jax"]


@every_lock
def test_every_locked_package_has_hashes_and_no_address_is_named(lock):
    entries = re.split(r"\n(?=\S)", "\n".join(line for line in lock.splitlines() if not line.lstrip().startswith("#")))
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())
    assert "://" not in lock


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(("gpus", "installed"), [("0", False), ("1", True), ("2", True)])
def test_make_installs_cuda_only_for_gpus(gpus, installed):
    command = ["make", "--dry-run", "--what-if=requirements-gpu.lock", "study", "PROFILE=gpu", f"GPUS={gpus}"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    steps = subprocess.run(
        command, cwd=paths.PROJECT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert ("--require-hashes -r requirements-gpu.lock" in steps) == installed
    assert f"--gpus {gpus}" in steps


def test_with_both_backends_installed_keras_takes_tensorflow(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"} | {
        "KERAS_HOME": str(tmp_path)
    }
    code = "import jax, keras; print(keras.backend.backend())"
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == ["tensorflow"]


def test_conda_takes_the_extras_that_are_locked():
    (listed,) = next(entry["pip"] for entry in CONDA if isinstance(entry, dict))
    assert listed == f"-e .[{','.join(LOCKED_EXTRAS)}]"


def test_conda_takes_the_pythons_that_pyproject_allows():
    named = next(entry for entry in CONDA if isinstance(entry, str) and entry.startswith("python"))
    assert SpecifierSet(named.removeprefix("python")) == SpecifierSet(PYPROJECT["requires-python"])
    assert f"{sys.version_info.major}.{sys.version_info.minor}" in SpecifierSet(PYPROJECT["requires-python"])


@pytest.mark.slow
def test_what_conda_installs_with_pip_runs_the_package(tmp_path):
    listed = next(entry["pip"] for entry in CONDA if isinstance(entry, dict))
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("\n".join(listed))
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], cwd=paths.PROJECT, check=True
    )
    code = "import keras, papermill, snakemake; from fer_helpers import models; print(models.efficientnet('B0', 32).count_params())"
    printed = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.split()[-1] == "4049571"  # EfficientNet-B0 without its top
