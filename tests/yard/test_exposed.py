"""What lies open of a yard is found, each fault really made; what is as it should be is not complained of."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import redis

from redyard import checks
from redyard.checks import Case, Exposure, Facts
from redyard.doctor import examine
from redyard.yard.exposed import build_context, ignores, tracked
from tests.support.yards import Sandbox

AT_REST = {row.name for row in checks.AREAS["At rest"]}


@pytest.fixture(scope="module")
def store() -> Iterator[Sandbox]:
    """A yard with a store, which every test leaves as it was."""
    sandbox = Sandbox()
    sandbox.json("add", "redis", "--role", "store")
    yield sandbox
    sandbox.close()


def facts(yard: Sandbox) -> Facts:
    """Return what the yard tells the doctor."""
    [seen] = yard.calls.exposure("redis")["instances"]
    return Facts(role="store", exposure=msgspec.convert(seen, Exposure))


def found(yard: Sandbox) -> dict[str, checks.Finding]:
    """Return what the checks of this area find, by their names."""
    return {one.check: one for one in checks.judge(Case(facts=facts(yard))) if one.check in AT_REST}


@contextmanager
def admin(yard: Sandbox) -> Iterator[redis.Redis]:
    """Yield the yard's own user."""
    with redis.Redis.from_url(yard.calls.login("redis", "yard")["url"]) as client:
        yield client


def test_healthy_yard_lies_open_nowhere(store: Sandbox) -> None:
    """After an add, a move, a rotation and a backup there is nothing to find."""
    store.calls.restart("redis")
    store.calls.rotate("redis", "all", wait=20)
    store.calls.capture("redis", base=True)

    assert {} == found(store)


@pytest.mark.parametrize(
    ("command", "check"),
    [
        (["default", "nopass"], "unlocked"),
        (["monitor", "nopass"], "unlocked"),
        (["default", "+@dangerous"], "excess"),
        (["default", "+flushall"], "excess"),
        (["somebody", "on", ">word", "+@all", "~*"], "strangers"),
    ],
    ids=" ".join,
)
def test_users_changed_by_hand_are_found_and_mended(store: Sandbox, command: list[str], check: str) -> None:
    """A user without a password, with too many rights, or whom nobody made; a restart mends what it says."""
    with admin(store) as client:
        client.execute_command("ACL", "SETUSER", *command)
    seen = found(store)
    store.calls.restart("redis")

    assert {check} == set(seen)
    assert {} == found(store)


def test_unauthenticated_ping_is_proved(store: Sandbox) -> None:
    """The doctor asks without a password itself, whatever the list of users says."""
    with admin(store) as client:
        client.execute_command("ACL", "SETUSER", "default", "nopass")
    blind = msgspec.structs.replace(facts(store), exposure=Exposure(name="redis-store"))
    seen = asyncio.run(examine(store.calls.variables("redis")["REDIS_URL"], facts=blind, watch=0))
    store.calls.restart("redis")
    mended = asyncio.run(examine(store.calls.variables("redis")["REDIS_URL"], facts=blind, watch=0))

    assert "unlocked" in {one.check for one in seen.findings}
    assert "unlocked" not in {one.check for one in mended.findings}


def test_engine_that_listens_elsewhere_is_found(store: Sandbox) -> None:
    """`bind` changed by hand shows at the process's own sockets."""
    with admin(store) as client:
        client.config_set("bind", "127.0.0.1 127.0.0.2")
    seen = found(store)
    store.calls.restart("redis")

    assert {"listens"} == set(seen)
    assert "127.0.0.2" == seen["listens"].evidence["listens on"]
    assert {} == found(store)


@pytest.mark.parametrize("name", ["", "instances", "instances/redis-store/secrets.json", "instances/redis-store/urls"])
def test_open_modes_are_found(store: Sandbox, name: str) -> None:
    """A directory or a file that others may read is named, and the remedy is the command that mends it."""
    path = store.home.path / name
    before = path.stat().st_mode
    path.chmod(0o755)
    seen = found(store)
    subprocess.run(seen["modes"].remedy, shell=True, check=True)
    after = found(store)
    path.chmod(before)

    assert ({"modes"}, {}) == (set(seen), after)
    assert {str(path): "mode 0755"} == seen["modes"].evidence


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_yard_in_version_control_is_found(store: Sandbox) -> None:
    """What git keeps is named, though the yard has a .gitignore of its own."""
    git = ["git", "-C", str(store.root), "-c", "safe.directory=*"]
    subprocess.run([*git, "init", "-q"], check=True)
    clean = found(store)
    spec = store.home.instances / "redis-store" / "spec.json"
    subprocess.run([*git, "add", "-f", str(spec)], check=True)
    seen, files = found(store), tracked(store.home.path)
    shutil.rmtree(store.root / ".git")

    assert ({}, {"tracked"}) == (clean, set(seen))
    assert [str(spec.relative_to(store.root))] == files


def test_yard_in_a_build_context_is_found(store: Sandbox) -> None:
    """A Dockerfile beside the yard is found, and the remedy's line mends it."""
    dockerfile = store.root / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    seen = found(store)
    subprocess.run(seen["image"].remedy, shell=True, check=True)
    after = found(store)
    dockerfile.unlink()
    (store.root / ".dockerignore").unlink()

    assert ({"image"}, {}) == (set(seen), after)


def test_an_ignore_file_of_the_dockerfile_s_own_decides(tmp_path: Path) -> None:
    """Beside `web.Dockerfile`, `web.Dockerfile.dockerignore` counts instead of `.dockerignore`."""
    (tmp_path / "web.Dockerfile").touch()
    (tmp_path / ".dockerignore").write_text("*\n")
    both = build_context(tmp_path / ".redyard")
    (tmp_path / "web.Dockerfile.dockerignore").write_text("dist\n")

    assert ("", str(tmp_path / "web.Dockerfile")) == (both, build_context(tmp_path / ".redyard"))


@pytest.mark.parametrize(
    ("lines", "ignored"),
    [
        ([".redyard"], True),
        ([".redyard/"], True),
        (["/.redyard"], True),
        (["**/.redyard"], True),
        ([".*"], True),
        (["*"], True),
        (["**"], True),
        ([".redyard/**"], True),
        (["# .redyard"], False),
        (["redyard"], False),
        (["*", "!.redyard"], False),
        (["!.redyard", "*"], True),
        ([], False),
    ],
    ids=str,
)
def test_ignore_files_are_read_as_builders_do(lines: list[str], ignored: bool) -> None:
    """Patterns, `**`, comments and exceptions; the last line that fits decides."""
    assert ignored is ignores(lines, ".redyard/yard.json")


def test_doctor_tells_of_it(store: Sandbox) -> None:
    """`redyard doctor NAME` has these findings, and its status is theirs."""
    store.home.log.chmod(0o644)
    seen = store.run("doctor", "redis")
    store.home.log.chmod(0o600)

    assert 111 == seen.returncode
    assert f"chmod go-rwx {store.home.log}" in seen.stdout


def test_attached_server_is_not_asked(store: Sandbox) -> None:
    """Of a server that somebody else runs nothing of the kind is known."""
    store.calls.attach(store.calls.login("redis", "yard")["url"], "theirs")
    seen = store.run("doctor", "theirs", "--json")
    store.calls.detach("theirs")

    assert seen.returncode in {0, 110}
    assert not [name for name in AT_REST if f'"{name}"' in seen.stdout]
