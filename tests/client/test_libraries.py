"""Libraries that take a redis-py client take ours: unchanged, in an environment of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import redyard

ROOT = Path(redyard.__file__).parents[1]
USES = Path(__file__).with_name("library_uses.py")
LIBRARIES = ("cashews", "limits", "bullmq")
OURS = ("hiredis>=3.2", "msgspec>=0.19", "redis>=8,<9")


@pytest.fixture(scope="session")
def interpreter(tmp_path_factory) -> Path:
    """The interpreter of an environment with the libraries; skips where there is no package index."""
    directory = tmp_path_factory.mktemp("libraries")
    made = directory / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True, capture_output=True)
    pip = [sys.executable, "-m", "pip", "--python", made, "--disable-pip-version-check"]  # a pip of its own takes 4 s
    install = [*pip, "install", "--quiet", "--no-compile", "--retries", "1", *LIBRARIES, *OURS]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and not os.environ.get("CI"):  # CI skips nothing
        pytest.skip(f"pip cannot install {', '.join(LIBRARIES)} here: {done.stderr.strip().splitlines()[-1]}")
    assert 0 == done.returncode, done.stderr
    return made


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_runs_on_our_client(interpreter, library, server):
    """Without a change to the library."""
    done = subprocess.run(
        [interpreter, USES, library, server.url],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
