"""The environments in which the peers run, made once under benchmarks/.peers: nothing of them enters the project's."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent / ".peers"
PYTHON = ROOT / "python"
NODE = ROOT / "node"


def python(wanted: str = "requirements.txt") -> list[str]:
    """Return the program that has the Python peers of a list, each list an environment of its own."""
    place = PYTHON.with_name(f"python-{Path(wanted).stem}") if wanted != "requirements.txt" else PYTHON
    _once(place, HERE / wanted, _make_python)
    return [str(place / "bin" / "python")]


def node() -> list[str]:
    """Return the program that has the Node peers, or nothing where there is no Node."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        return []
    _once(NODE, HERE / "package-lock.json", _make_node)
    os.environ["NODE_PATH"] = str(NODE / "node_modules")
    return [program]


def _make_python(place: Path, wanted: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([place / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", wanted], check=True)


def _make_node(place: Path, wanted: Path) -> None:
    for name in ("package.json", wanted.name):
        shutil.copy(HERE / name, place)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=place, check=True, stdout=sys.stderr)


def _once(place: Path, wanted: Path, make: Callable[[Path, Path], None]) -> None:
    """Make an environment unless it was made from this very list."""
    made = place / f"made-from-{wanted.name}"
    if made.exists() and made.read_text() == wanted.read_text():
        return
    print(f"making {place.relative_to(HERE.parent)}", file=sys.stderr)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    make(place, wanted)
    shutil.copy(wanted, made)
