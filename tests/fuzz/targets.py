"""TABLE of all that reads bytes from outside: what is run with them, what it may raise, and what good ones look like.

`make test` gives each row some hundred inputs by Hypothesis, `make soak` minutes of atheris (see test_parsers.py and
drive.py). A row passes when nothing but its documented errors comes out. Time and memory are bounded by the runner.
"""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import msgspec
import zstandard
from redis.exceptions import RedisError

from redyard import Redis
from redyard.asgi import hops
from redyard.asgi.cookies import Cookie, ExpressSigner, Signer
from redyard.asgi.proxy import Proxies
from redyard.backups import disaster, export, primary, restore, timeline
from redyard.backups.psync import Position, Replica
from redyard.backups.storage import Directory
from redyard.cache import record as cache_record
from redyard.cache.coding import PLAIN, UNREADABLE, coder_of
from redyard.client.url import check_url, find_url, redact
from redyard.errors import (
    BackupDamaged,
    BadSchedule,
    FollowRefused,
    InvalidSetting,
    InvalidURL,
    InvalidValue,
    NoURL,
    StateUnreadable,
    UnusableHere,
    Usage,
)
from redyard.queue import rules
from redyard.queue.job import Job
from redyard.queue.schedulers import next_time
from redyard.reading import READERS, Reading, rows
from redyard.sessions import express
from redyard.sessions.native import Native
from redyard.sessions.record import Terms
from redyard.sessions.seal import Seal
from redyard.sessions.store import UNREADABLE as UNREADABLE_SESSION
from redyard.settings import Settings
from redyard.units import parse_instant, parse_size, parse_span
from redyard.yard import api, logs, registry
from redyard.yard.spec import Spec, Status

SECRET = "a-secret-for-tests-of-32-characters"
TERMS = Terms(idle=60, absolute=None, renewal=None, touch=6, largest=10**6)


class Target(NamedTuple):
    """A row: its name, what runs with the bytes, the errors that it may raise, and good inputs to begin with."""

    name: str
    run: Callable[[bytes], object]
    allowed: tuple[type[BaseException], ...] = ()
    seeds: tuple[bytes, ...] = (b"",)


def words(data: bytes) -> str:
    """The bytes as text, as the environment gives them to a program."""
    return data.decode("utf-8", "surrogateescape")


# ---- addresses and variables


def url(data: bytes) -> None:
    redact(words(data))
    Redis.from_url(check_url(words(data)))


NAMES = ("REDIS_URL", "REDIS_PRIVATE_URL", "REDIS_CACHE_URL", "REDISHOST", "REDISPORT", "REDISUSER", "REDISPASSWORD")
MARKS = ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_NAME", "DYNO", "RENDER", "APP_ENV", "REDIS_HOST")


def variables(data: bytes) -> None:
    names = (*NAMES, *MARKS)
    environ = {names[line[0] % len(names)]: words(line[1:]) for line in data.split(b"\n") if line}
    check_url(find_url(environ, role="cache" if data[:1] == b"c" else "store"))


def settings(data: bytes) -> None:
    names = [item.encode_name for item in msgspec.structs.fields(Settings)]
    Settings.read({names[line[0] % len(names)]: words(line[1:]) for line in data.split(b"\n") if line})


def units(data: bytes) -> None:
    for parse in (parse_size, parse_span, parse_instant):
        with suppress(InvalidValue):
            parse(words(data))


# ---- a server's replies


async def answer(data: bytes) -> None:
    """A server that greets as Redis does and answers SET with the bytes; then it is gone."""
    gone: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        gone.add(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(OSError):
            while chunk := await reader.read(65536):
                asked = b"$3\r\nSET\r\n" in chunk
                writer.write(data if asked else b"+OK\r\n" * chunk.count(b"*"))
                if asked:
                    break
            writer.close()
            await writer.wait_closed()

    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        door = f"{directory}/s"
        async with await asyncio.start_unix_server(serve, door):
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            try:
                async with Redis.from_url(f"unix://{door}?protocol=2&socket_timeout=0.1") as client:
                    await client.set("key", "value")
            finally:
                await asyncio.gather(*gone)


def replies(data: bytes) -> None:
    asyncio.run(answer(data))


def reading(data: bytes) -> None:
    seen = Reading.parse(rows(data))
    _ = (seen.evicts, seen.major, seen.total_keys)
    for name in seen.info:
        seen.number(name), seen.row(name)


def survey(data: bytes) -> None:
    """Every answer is the same nonsense: it is noted, and costs no other."""
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        value = data

    async def ask(*_: object) -> Any:
        return value

    asyncio.run(Reading.survey(ask))
    assert READERS


async def follow(data: bytes) -> None:
    reader = asyncio.StreamReader(limit=65536)
    reader.feed_data(data)
    reader.feed_eof()
    writer = SimpleNamespace(write=lambda _: None, close=lambda: None)
    replica = Replica(reader, cast("asyncio.StreamWriter", writer))
    await replica._ask(Position("0" * 40, 7) if data[:1] == b"+" else None)
    if replica.whole:
        async for _ in replica.dump():
            pass


def stream(data: bytes) -> None:
    primary.whole_end(data)
    list(disaster.walk(data, "the stream"))


# ---- a visitor's request


def cookies(data: bytes) -> None:
    header = data.decode("latin-1")
    for name in ("connect.sid", None):
        for value in Cookie(name, same_site="lax", secure=True).find([header]):
            assert Signer(SECRET).verify(value) is None
            assert ExpressSigner(SECRET).verify(value) is None


def forwarded(data: bytes) -> None:
    kinds = (b"x-forwarded-for", b"x-forwarded-proto")
    headers = [(kinds[line[0] % 2], line[1:]) for line in data.split(b"\n") if line]
    scope: Any = {"type": "http", "headers": headers, "client": ("10.0.0.1", 1), "scheme": "http"}
    for trusted in (0, 1, 3, ("10.0.0.0/8", "::/0")):
        Proxies(trusted).client(scope)
    for count in (0, 1, 3):
        hops.address_of(scope, count), hops.scheme_of(scope, count)


# ---- what lies in Redis

NATIVE = Native(cast("Any", SimpleNamespace(run=None)), TERMS, None)
SEALED = Native(cast("Any", SimpleNamespace(run=None)), TERMS, Seal(SECRET))


def native(data: bytes) -> None:
    parts = data.split(b"\n")
    pairs = [*parts[: len(parts) // 2 * 2], b":created", b"1"]
    made = NATIVE._record("k", pairs, moved=b"")
    _ = (made.user, made.renewed)
    with suppress(ValueError):
        SEALED._record("k", pairs, moved=b"")


def express_session(data: bytes) -> None:
    async def run(script: object, *_: object) -> Any:
        return [data, 10] if script is express.LOAD else 1

    asyncio.run(express.Express(cast("Any", SimpleNamespace(run=run)), TERMS).load("k"))


def cached(data: bytes) -> None:
    cache_record.is_plain(data, 1e9)
    found = cache_record.parse(data)
    if found:
        found.versions()
        PLAIN.read(found.value, found.flags)
        coder_of(dict[str, int]).read(found.value, found.flags)


JOB = (
    "name data opts progress returnvalue stacktrace failedReason priority delay atm ats stc timestamp processedOn "
    "finishedOn pb parentKey rjk deid"
)


def job(data: bytes) -> None:
    """A reader of a job is told that a field is no JSON or no number; nothing else comes out."""
    names = [item.encode() for item in JOB.split()]
    fields = {names[line[0] % len(names)]: line[1:] for line in data.split(b"\n") if line}
    made = Job(cast("Any", SimpleNamespace(name="q")), "1", fields)
    public = [name for name, item in vars(Job).items() if isinstance(item, property)]
    for name in public:
        with suppress(ValueError):
            getattr(made, name)
    rules.rules_of(fields.get(b"opts", b"{}"))


def cron(data: bytes) -> None:
    """What a job's hash says of its schedule."""
    try:
        repeat = msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError):
        repeat = {"pattern": words(data)}
    next_time("s", {"pattern": "", **repeat}, 1_700_000_000_000)


# ---- files


def state(data: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        path = Path(directory) / "file"
        path.write_bytes(data)
        for kind in (Spec, Status, dict[str, str], list[str]):
            with suppress(StateUnreadable):
                registry._read(path, kind)


def names(data: bytes) -> None:
    known = words(data).split("\n")
    found = [item for item in map(timeline.parse, known) if item]
    line = timeline.Timeline([*known, *(f"{name}.json" for name in known)])
    _ = [(line.after(base), item.name) for base in line.bases for item in found]


def objects(data: bytes) -> None:
    """An object of a backup with its facts: damaged, or written by a stranger."""
    facts, _, body = data.partition(b"\n")
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        storage = Directory(Path(directory))
        storage.write("o.json", facts)
        storage.write("o", body)
        with (Path(directory) / "made").open("wb") as made:
            restore.unpack(storage, "o", made)


def lines(data: bytes) -> None:
    list(export._read(StringIO(words(data))))


def logged(data: bytes) -> None:
    for source in ("yard", "engine"):
        for line in logs.parse(words(data).splitlines(), source):
            line.to_json(), line.to_text()
    logs.hide(words(data), ["secret"])


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """A call's parameters."""

    name: str
    show: bool = False


def call(data: bytes) -> None:
    api._decode("info", data, Call)


STAMP = b"20261123T021500.250Z-000000000123456"
DEEP = b"[" * 3000
FACTS = b'{"sha256":"0","size":1,"raw_size":9,"engine":"valkey","version":"9","history":"ab","marks":[[1,2.0]]}'

TABLE = (
    Target("url", url, (InvalidURL,), (b"redis://u:p@h:1/2?db=1", b"rediss://[::1]:6379/0", b"unix:///s?db=1")),
    Target(
        "variables",
        variables,
        (NoURL, UnusableHere, InvalidURL, InvalidSetting),
        (b"\x00redis://u:p@h:1/2\n\x07p", b"\x03h\n\x04 12\n\x06secret"),
    ),
    Target("settings", settings, (InvalidSetting,), (b"\x02170-179\n\x0d1",)),
    Target("units", units, (), (b"1.5gb", b"1h30m", b"2026-11-23T02:15:00Z")),
    Target(
        "replies",
        replies,
        (RedisError,),
        (
            b"$3\r\nabc\r\n",
            b"*2\r\n:1\r\n$-1\r\n",
            b"-ERR x\r\n",
            b"%1\r\n+a\r\n#t\r\n",
            b"*-1\r\n",
            b">2\r\n+a\r\n+b\r\n",
        ),
    ),
    Target(
        "reading",
        reading,
        (),
        (
            b"redis_version:7.0.15\r\ndb0:keys=1,expires=0,avg_ttl=0\r\nused_memory:12\r\nloading:0\r\nmaxclients:10\r\n",
        ),
    ),
    Target("survey", survey, (), (b"[[1,2,3,[4]]]", b'{"a":1}', b"[1,2]")),
    Target(
        "follow",
        lambda data: asyncio.run(follow(data)),
        (FollowRefused, OSError, TimeoutError, asyncio.IncompleteReadError),
        (
            b"+FULLRESYNC " + b"0" * 40 + b" 5\r\n$3\r\nabc",
            b"+CONTINUE abc\r\n",
            b"+FULLRESYNC 0 1\r\n$EOF:" + b"a" * 40 + b"\r\nx",
        ),
    ),
    Target(
        "stream",
        stream,
        (BackupDamaged,),
        (b"*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n",),
    ),
    Target("cookies", cookies, (), (b"a=b; connect.sid=s%3Aid.sig; __Host-session=id.sig",)),
    Target("forwarded", forwarded, (), (b"\x00203.0.113.9, [2001:db8::1]:80\n\x01https, http",)),
    Target("native", native, UNREADABLE_SESSION, (b"a\n1\n:user\nada\n:renewed\n12",)),
    Target(
        "express",
        express_session,
        UNREADABLE_SESSION,
        (
            b'{"cookie":{"originalMaxAge":5000,"expires":"2026-11-23T02:15:00Z"},"a":1}',
            b'{"cookie":{"originalMaxAge":1e999}}',
            b'{"cookie":' + DEEP,
        ),
    ),
    Target("cached", cached, UNREADABLE, (cache_record.write(b'{"a":1}', 0, fresh=2e9, ends=2e9, tags={"t": "1"}),)),
    Target(
        "job",
        job,
        rules.UNREADABLE,
        (
            b"\x02[]",
            b'\x02{"attempts":1e999}',
            b'\x02{"backoff":{"type":"fixed","delay":1e999}}',
            b'\x00mail\n\x01{"a":1}\n\x02{"attempts":3}\n\x0c1700000000000',
            b"\x02" + DEEP,
        ),
    ),
    Target(
        "cron",
        cron,
        (BadSchedule, ValueError, TypeError, OverflowError),
        (
            b"*/5 * * * *",
            b"0 0 30 2 *",
            b'{"startDate":1e30,"pattern":"* * * * *"}',
            b'{"startDate":253402300799000,"pattern":"* * * * *"}',
            b'{"pattern":"* * * * * *","tz":"Europe/Berlin","startDate":1700000000000}',
        ),
    ),
    Target(
        "state",
        state,
        (),
        (b'{"name":"a","addon":"a","role":"store","plan":"p","memory":1}', b'{"default":"x"}', b'{"z":' + DEEP),
    ),
    Target(
        "names",
        names,
        (),
        (
            b"base/20269923T021500.250Z-1-9c.rdb.zst",
            b"base/" + STAMP + b"-9c1f.rdb.zst\nstream/" + STAMP + b"-000000000987654-9c1f.aof.zst",
        ),
    ),
    Target(
        "objects",
        objects,
        (BackupDamaged,),
        (FACTS + b"\n" + zstandard.ZstdCompressor().compress(b"some text"),),
    ),
    Target("lines", lines, (InvalidValue,), (b'{"db":0,"key":"a","type":"string","value":["b"],"ends":-1}\n',)),
    Target(
        "logs",
        logged,
        (),
        (
            b'2026-11-23 12:00:00,123 INFO yard.started name="a" n=1',
            b"12:M 23 Nov 2026 12:00:00.123 * Ready",
            b"12:M 99 Nov 2026 12:00:00.123 * Ready",
        ),
    ),
    Target("call", call, (Usage,), (b'{"name":"redis","show":true}',)),
)
"""Every target."""


def run(target: Target, data: bytes) -> None:
    """Run a target; an error that it may raise is an answer."""
    with suppress(*target.allowed):
        target.run(data)
