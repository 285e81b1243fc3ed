"""The example plugin, installed with pip beside broken ones: a panel of its own runs ``example_plugin_walk.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import example_plugin
from tests.servers.example_plugin import TOP

WALK = Path("tests", "contracts", "example_plugin_walk.py")


@pytest.mark.any_engine
def test_the_example_plugin_answers_every_hook_and_broken_ones_do_no_harm(tmp_path: Path) -> None:
    target = tmp_path / "lib"
    example_plugin.install(target)
    example_plugin.write_broken(target)
    run = subprocess.run(  # noqa: S603  our own words
        (sys.executable, "-m", "pytest", str(WALK), "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
        cwd=TOP,
        env=example_plugin.environment(target, tmp_path, broken=True),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
