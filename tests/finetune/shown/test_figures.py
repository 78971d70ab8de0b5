"""The scripts of what is shown, run whole: each ends with 1 where a figure misses what was promised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.shared, pytest.mark.long]

COMMANDS = {
    "nucleosomes": ["--shares", "10"],
    "new_track": [],
    "own_mark": [],
    "planted_truth": [],
    "enformer_memory": [],
}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("script", COMMANDS)
def test_what_is_shown_holds(script, shared_data):
    words = [sys.executable, "-m", f"scripts.finetune.{script}", *COMMANDS[script]]
    words += [] if script in ("planted_truth", "enformer_memory") else ["--data", str(shared_data)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(("|", "#")) or "|---|" in done.stdout
