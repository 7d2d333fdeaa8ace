"""Code, tests and notebooks keep to the rules in pyproject.toml."""

import subprocess
import sys

import pytest

from fer_helpers import paths


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_everything_passes_ruff(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--quiet", "."]
    done = subprocess.run(ruff, cwd=paths.PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
