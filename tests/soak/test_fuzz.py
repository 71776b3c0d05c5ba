"""Minutes of atheris for everything that reads bytes from outside; REDYARD_FUZZ_SECONDS are those of each target."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TABLE, Target

pytestmark = pytest.mark.soak
pytest.importorskip("atheris", reason="atheris is not here: it has no wheel for this Python")
SECONDS = os.environ.get("REDYARD_FUZZ_SECONDS", "600")


@pytest.mark.parametrize("target", TABLE, ids=lambda target: target.name)
def test_nothing_is_found(target: Target, tmp_path: Path):
    """No input ends it by another error than its own, takes 10 s, or takes 1 GB of memory."""
    words = [sys.executable, "-m", "tests.fuzz.drive", target.name, SECONDS, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = [path.read_bytes() for path in tmp_path.glob("found-*")]

    assert (0, []) == (done.returncode, found), (done.stdout + done.stderr)[-4000:]
