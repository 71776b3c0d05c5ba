"""A client whose address is in a file goes over to another password without a restart and without a failed command."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import AuthenticationError

from redyard import Redis
from redyard.client.renewal import Login
from redyard.client.url import find_url
from redyard.errors import NoURL
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import until

OLD, NEW = PASSWORDS["default"], "another-word"


@pytest.fixture
def address(server: Server, tmp_path: Path) -> Iterator[Path]:
    """The file with the server's address; the password is the old one again afterwards."""
    file = tmp_path / "redis-url"
    file.write_text(server.url + "\n")
    yield file
    server.admin("ACL", "SETUSER", "default", "resetpass", f">{OLD}")


def client_of(file: Path, **options: object) -> Redis:
    return Redis.from_env(environ={"REDIS_URL_FILE": str(file)}, app="renewal", **options)


def write(file: Path, url: str) -> None:
    """Replace the file as a program does that wants no half of it to be read."""
    beside = file.with_name("next")
    beside.write_text(url)
    beside.replace(file)


def connections(server: Server) -> set[int]:
    """Return the numbers of the app's connections; the server is other tests' as well."""
    return {int(row["id"]) for row in server.admin("CLIENT LIST") if row["name"].startswith("renewal:")}


async def test_lane_goes_over_and_no_command_fails(server: Server, address: Path) -> None:
    """The connection is made anew while commands go on; the old password may end then."""
    client = client_of(address)
    stop, counted = asyncio.Event(), 0

    async def work() -> None:
        nonlocal counted
        while not stop.is_set():
            counted = await client.incr("counted")

    workers = [asyncio.create_task(work()) for _ in range(20)]
    await until(lambda: counted > 100)
    before = connections(server)
    server.admin("ACL", "SETUSER", "default", f">{NEW}")
    write(address, server.url.replace(OLD, NEW))
    await until(lambda: not before & connections(server))
    server.admin("ACL", "SETUSER", "default", f"<{OLD}")
    here = counted
    await until(lambda: counted > here + 100)
    stop.set()
    await asyncio.gather(*workers)
    connects = client.stats.connects
    await client.aclose()

    assert (1, 2) == (len(before), connects)


async def test_idle_connections_go_over_too(server: Server, address: Path) -> None:
    """Nobody need send anything: neither the lane nor a connection for blocking commands waits for its next one."""
    client = client_of(address)
    await client.ping()
    await client.blpop(["nothing"], timeout=0.01)
    before = connections(server)
    server.admin("ACL", "SETUSER", "default", f">{NEW}")
    write(address, server.url.replace(OLD, NEW))
    await until(lambda: not before & connections(server))
    server.admin("ACL", "SETUSER", "default", f"<{OLD}")
    found = await client.blpop(["nothing"], timeout=0.01), await client.ping()
    await client.aclose()

    assert (2, (None, True)) == (len(before), found)


async def test_login_is_read_again_for_each_connection(server: Server, address: Path) -> None:
    """An old password that ended at once, its connections closed: the next command reads the new one."""
    client = client_of(address)
    await client.ping()
    write(address, server.url.replace(OLD, NEW))
    server.admin("ACL", "SETUSER", "default", "resetpass", f">{NEW}")
    server.admin("CLIENT", "KILL", "USER", "default")
    answer = await client.get("k")
    await client.aclose()

    assert answer is None


async def test_refused_login_is_read_once_more(server: Server, address: Path) -> None:
    """A login that was refused while its file was written anew is tried again with what the file has then."""
    client = client_of(address)
    login = client._login
    given = login.get_credentials

    def late() -> tuple[str, ...]:
        words = given()
        write(address, server.url.replace(OLD, NEW))
        return words

    login.get_credentials = late
    server.admin("ACL", "SETUSER", "default", "resetpass", f">{NEW}")
    answer = await client.ping()
    await client.aclose()

    assert answer


async def test_wrong_password_in_the_file_is_refused_at_once(server: Server, address: Path) -> None:
    """What the file says is not tried for ever."""
    write(address, server.url.replace(OLD, "wrong"))
    client = client_of(address)
    with pytest.raises(AuthenticationError):
        await client.ping()
    await client.aclose()


async def test_mounted_secret_that_is_exchanged_by_its_link(server: Server, address: Path, tmp_path: Path) -> None:
    """Orchestrators put another directory behind a link; the file's own name stays."""
    for name, word in (("one", OLD), ("two", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "url").write_text(server.url.replace(OLD, word))
    (tmp_path / "data").symlink_to("one")
    client = client_of(tmp_path / "data" / "url")
    await client.ping()
    before = connections(server)
    server.admin("ACL", "SETUSER", "default", f">{NEW}")
    (tmp_path / "link").symlink_to("two")
    (tmp_path / "link").replace(tmp_path / "data")
    await until(lambda: not before & connections(server))
    await client.aclose()


async def test_client_that_is_gone_is_not_looked_after(address: Path) -> None:
    """The file is no longer asked for when nobody has the client, or when it was closed."""
    client = client_of(address)
    await client.ping()
    login = client._login
    await client.aclose()
    closed = login._timer
    await client.ping()
    await client._lane.aclose()
    await client.connection_pool.disconnect()
    del client
    gc.collect()
    login._look()

    assert (None, None) == (closed, login._timer)


def test_file_counts_before_the_variable(tmp_path: Path) -> None:
    """The cache's before the store's; each file before its variable, which has an old password."""
    cache, store = tmp_path / "cache", tmp_path / "store"
    environ = {
        "REDIS_CACHE_URL_FILE": str(cache), "REDIS_CACHE_URL": "redis://u:old@cache",
        "REDIS_URL_FILE": str(store), "REDIS_URL": "redis://u:old@store",
    }  # fmt: skip
    store.write_text("redis://u:new@store\n")
    missing = find_url(environ, role="cache"), find_url(environ)
    cache.write_text("redis://u:new@cache\n")
    found = find_url(environ, role="cache"), find_url(environ)
    del environ["REDIS_CACHE_URL_FILE"], environ["REDIS_CACHE_URL"]

    assert ("redis://u:old@cache", "redis://u:new@store") == missing
    assert ("redis://u:new@cache", "redis://u:new@store") == found
    assert "redis://u:new@store" == find_url(environ, role="cache")


@pytest.mark.parametrize("url", ["redis://u:old@other", "redis://v:old@store", "redis://u:old@store/1", "unix:///s"])
def test_variable_of_another_place_is_meant(tmp_path: Path, url: str) -> None:
    """Whoever sets REDIS_URL within `redyard run`, as a test suite does, gets that server."""
    (tmp_path / "store").write_text("redis://u:new@store")

    assert url == find_url({"REDIS_URL": url, "REDIS_URL_FILE": str(tmp_path / "store")})


def test_file_that_cannot_be_read_is_named() -> None:
    """Where nothing else names a Redis."""
    with pytest.raises(NoURL, match="REDIS_URL_FILE names /no/such/file, which cannot be read"):
        find_url({"REDIS_URL_FILE": "/no/such/file"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("redis://u:p%40w@h/0", ("u", "p@w")),
        ("redis://:p@h", ("p",)),
        ("redis://h", ()),
        ("nonsense", ()),
        ("", ()),
    ],
)
def test_login_of_a_file(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """User and password, the password alone, or nothing."""
    (tmp_path / "url").write_text(text)

    assert words == Login(str(tmp_path / "url")).get_credentials()


def test_login_stays_while_the_file_is_away(tmp_path: Path) -> None:
    """A file that is being exchanged is not taken for one without a password."""
    file = tmp_path / "url"
    file.write_text("redis://u:p@h")
    login = Login(str(file))
    file.unlink()

    assert ("u", "p") == login.get_credentials()
