"""What the project needs is listed once, in pyproject.toml; the lock and environment.yml follow from it."""

import re
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
CONDA = yaml.safe_load((paths.PROJECT / "environment.yml").read_text())["dependencies"]
LOCKED_EXTRAS = ("tensorflow", "dlib", "dev")


def locked_versions() -> dict[str, set[str]]:
    """Versions in the lock by package; there are several where they differ between Pythons."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE):
        versions.setdefault(name.lower(), set()).add(version)
    return versions


def test_the_lock_fulfils_every_requirement_of_pyproject():
    required = PYPROJECT["dependencies"] + [entry for extra in LOCKED_EXTRAS for entry in PYPROJECT["optional-dependencies"][extra]]
    locked = locked_versions()
    for requirement in map(Requirement, required):
        assert all(version in requirement.specifier for version in locked[requirement.name.lower()]), requirement


def test_every_locked_package_has_hashes_and_no_address_is_named():
    entries = re.split(r"\n(?=\S)", "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#")))
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())
    assert "://" not in LOCK


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
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, "-r", requirements], cwd=paths.PROJECT, check=True)
    code = "import keras, papermill, snakemake; from fer_helpers import models; print(models.efficientnet('B0', 32).count_params())"
    printed = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert printed.split()[-1] == "4049571"  # EfficientNet-B0 without its top
