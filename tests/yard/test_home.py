"""The yard's directory: found, private, held by one, and refused when it is not safe or not ours."""

import json
import os
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from redyard.errors import RuntimeUnsafe, StateUnreadable, YardAlreadyRunning, YardNotWritable, YardTooNew
from redyard.settings import Settings
from redyard.yard.home import Home, find_home

ROOT = os.geteuid() == 0


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A short directory for sockets."""
    with tempfile.TemporaryDirectory(prefix="rr-", dir="/tmp") as path:
        yield Path(path)


@pytest.fixture
def home(tmp_path: Path, runtime: Path) -> Home:
    """The paths of a yard that was not made yet."""
    return Home(tmp_path / "yard", runtime / "own")


def mode(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.lstat().st_mode)


def found(cwd: Path, **settings: str) -> Path:
    """Return the directory that is found from here."""
    return find_home(Settings(**settings), cwd).path


def test_setting_names_the_directory(tmp_path):
    """REDYARD_HOME is the directory itself."""
    assert tmp_path / "here" == found(tmp_path, home=str(tmp_path / "here"))


def test_home_of_the_user(tmp_path, monkeypatch):
    """A tilde in REDYARD_HOME is the user's directory."""
    monkeypatch.setenv("HOME", str(tmp_path))

    assert tmp_path / "yard" == found(tmp_path, home="~/yard")


def test_yard_is_found_upwards(tmp_path, runtime):
    """A command in a directory below finds the yard above it."""
    Home(tmp_path / ".redyard", runtime / "own").prepare()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)

    assert tmp_path / ".redyard" == found(below)


def test_nearest_yard_is_found(tmp_path, runtime):
    """Of two yards above, the nearer is found, though a project's root is nearer still."""
    below = tmp_path / "a" / "b"
    (below / ".git").mkdir(parents=True)
    for path in (tmp_path, tmp_path / "a"):
        Home(path / ".redyard", runtime / "own").prepare()

    assert tmp_path / "a" / ".redyard" == found(below)


@pytest.mark.parametrize("mark", [".git", "pyproject.toml"])
def test_new_yard_is_in_the_project_s_root(tmp_path, mark):
    """Where no yard is yet, its place is the root of the project."""
    (tmp_path / "project" / "src").mkdir(parents=True)
    (tmp_path / "project" / mark).touch()

    assert tmp_path / "project" / ".redyard" == found(tmp_path / "project" / "src")


def test_directory_of_that_name_is_no_yard(tmp_path):
    """A directory that is only named like a yard is none."""
    (tmp_path / ".redyard").mkdir()
    (tmp_path / "project" / ".git").mkdir(parents=True)

    assert tmp_path / "project" / ".redyard" == found(tmp_path / "project")


def test_nothing_is_made_by_looking(tmp_path):
    """To find a yard makes none."""
    found(tmp_path, home=str(tmp_path / "yard"))

    assert [] == os.listdir(tmp_path)


def test_sockets_have_a_directory_for_each_yard(tmp_path):
    """Two yards have two socket directories, the same at each look, in the directory of the setting."""
    settings = [Settings(home=str(tmp_path / name), runtime="/tmp/x") for name in ("a", "b", "a")]
    first, second, again = (find_home(each, tmp_path).runtime for each in settings)

    assert (first, True, Path("/tmp/x")) == (again, first != second, first.parent)


def test_prepared_directory_is_private(home):
    """Everything that is made is for its owner alone."""
    mask = os.umask(0)
    home.prepare()
    with home.held():
        made = {path: mode(path) for path in (home.path, home.runtime, *home.path.rglob("*"))}
    os.umask(mask)

    assert {path: 0o700 if path.is_dir() else 0o600 for path in made} == made


def test_directory_is_kept_out_of_version_control(home):
    """A yard ignores itself, wherever it is."""
    home.prepare()

    assert "*\n" == (home.path / ".gitignore").read_text()


def test_prepare_twice(home):
    """To prepare what is there changes nothing."""
    home.prepare()
    before = {path: path.stat().st_mtime_ns for path in (home.marker, home.path / ".gitignore")}
    home.prepare()

    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_newer_yard_is_left_alone(home):
    """A directory of a newer format is refused, and nothing in it is touched."""
    home.path.mkdir()
    home.marker.write_text('{"format": 2}')
    with pytest.raises(YardTooNew, match=r"has format 2; this Redyard reads formats up to 1"):
        home.prepare()

    assert ["yard.json"] == os.listdir(home.path)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "new"}', "\x00"])
def test_damaged_marker_is_named(home, text):
    """A marker that cannot be read is an error that names it."""
    home.path.mkdir()
    home.marker.write_text(text)
    with pytest.raises(StateUnreadable, match=r"yard\.json cannot be read"):
        home.prepare()


def test_file_in_the_place_of_the_directory(home):
    """A file where the directory should be is an error that names it."""
    home.path.write_text("in the way")
    with pytest.raises(YardNotWritable, match=f"{home.path} cannot be used: File exists"):
        home.prepare()


def test_file_above_the_directory(home):
    """A file where a directory above should be is an error too."""
    home.path.write_text("in the way")
    with pytest.raises(YardNotWritable, match="Not a directory"):
        Home(home.path / "yard", home.runtime).prepare()


@pytest.fixture
def locked_away(tmp_path: Path) -> Iterator[Path]:
    """A directory that cannot be written, not even by root."""
    if ROOT:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], check=False)
        if done.returncode != 0:
            pytest.skip("root needs the right to mount for a directory that it cannot write")
    else:
        tmp_path.chmod(0o500)
    yield tmp_path
    if ROOT:
        subprocess.run(["umount", tmp_path], check=True)
    tmp_path.chmod(0o700)


def test_directory_that_cannot_be_written(locked_away, runtime):
    """A directory that the system refuses is an error with the system's reason."""
    with pytest.raises(YardNotWritable, match="Read-only file system|Permission denied"):  # noqa: RUF043
        Home(locked_away / "yard", runtime / "own").prepare()


def test_socket_directory_that_is_a_link(home, tmp_path):
    """A link in the place of the socket directory may lead anywhere and is refused."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    home.runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RuntimeUnsafe, match="it is not yours alone"):
        home.prepare()


def test_socket_directory_that_is_a_dangling_link(home):
    """A link to nowhere is refused as well."""
    home.runtime.symlink_to("/nowhere/at/all")
    with pytest.raises(RuntimeUnsafe):
        home.prepare()


@pytest.mark.parametrize("rights", [0o770, 0o707, 0o777, 0o1777], ids=oct)
@pytest.mark.parametrize("which", ["own", "parent"])
def test_socket_directory_that_others_may_write(home, rights, which):
    """A socket directory that others may write, or whose parent they may, is refused."""
    home.runtime.mkdir(mode=0o700)
    (home.runtime if which == "own" else home.runtime.parent).chmod(rights)
    with pytest.raises(RuntimeUnsafe, match="it is not yours alone"):
        home.prepare()


@pytest.mark.skipif(not ROOT, reason="only root may give a directory away")
def test_socket_directory_of_somebody_else(home):
    """A socket directory that belongs to somebody else is refused."""
    home.runtime.mkdir(mode=0o700)
    os.chown(home.runtime, 12345, 12345)
    with pytest.raises(RuntimeUnsafe, match="it is not yours alone"):
        home.prepare()


def test_socket_directory_that_is_a_file(home):
    """A file in the place of the socket directory is refused."""
    home.runtime.touch()
    with pytest.raises(RuntimeUnsafe, match="File exists"):
        home.prepare()


def test_path_too_long_for_a_socket(home):
    """A socket directory whose sockets' paths no engine takes is refused at once."""
    with pytest.raises(RuntimeUnsafe, match="a socket's path in it has 1"):
        home._replace(runtime=home.runtime / ("x" * 60)).prepare()


def test_longest_path_that_is_taken_works(home):
    """The sockets of the longest names fit into the longest directory that is taken."""
    room = 100 - len(os.fsencode(home.runtime / ("x" * 56))) - 1
    longest = home._replace(runtime=home.runtime / ("y" * room))
    longest.prepare()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(longest.runtime / ("x" * 56)))

    assert (longest.runtime / ("x" * 56)).is_socket()


def test_one_process_holds_a_yard(home):
    """While the yard is held another is refused with the holder's number; afterwards it is free."""
    home.prepare()
    with home.held(), pytest.raises(YardAlreadyRunning, match=rf"process {os.getpid()}\)"), home.held():
        pass
    with home.held():
        again = home.lock.read_text()

    assert str(os.getpid()) == again


def test_is_held(home):
    """A yard is held while its process holds it, and not before it exists."""
    seen = [home.is_held()]
    home.prepare()
    seen.append(home.is_held())
    with home.held():
        seen.append(home.is_held())
    seen.append(home.is_held())

    assert [False, False, True, False] == seen


def test_looking_never_takes_the_yard_away(home):
    """Who asks whether a yard is held, however often, keeps no yard from starting."""
    home.prepare()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            home.is_held()

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(200):
            with home.held():
                pass
    finally:
        done.set()
        for thread in asking:
            thread.join()

    assert not home.is_held()


def test_close_removes_the_socket(home):
    """The end of a yard removes its socket, and the directory when no engine's is left in it."""
    home.prepare()
    home.api.touch()
    engine = home.runtime / "redis-store.sock"
    engine.touch()
    home.close()
    left = os.listdir(home.runtime)
    engine.unlink()
    home.close()

    assert (["redis-store.sock"], False) == (left, home.runtime.exists())


def test_marker_has_the_format(home):
    """The marker says the format of the files."""
    home.prepare()

    assert {"format": 1} == json.loads(home.marker.read_text())
