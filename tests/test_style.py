"""Code, tests and notebooks keep to the rules in pyproject.toml."""

import pytest


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=" ".join)
def test_everything_passes_ruff(run_python, command):
    run_python("-m", "ruff", *command, "--quiet", ".")
