"""The client answers as redis-py's own does: the same calls on both, over every protocol and decoding."""

from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.commands import AsyncCoreCommands
from redis.exceptions import DataError

from redyard import Redis
from redyard.client.routes import REFUSED
from tests.client.calls import SCENES, Call, is_left_out
from tests.client.uses import NEEDS_ADMIN, USES

pytestmark = pytest.mark.filterwarnings("ignore")  # redis-py warns of its old and of its experimental methods

CONFIGURATIONS = {
    "resp2-bytes": {"protocol": 2},
    "resp2-text": {"protocol": 2, "decode_responses": True},
    "resp3-bytes": {"protocol": 3},
    "resp3-text": {"protocol": 3, "decode_responses": True},
    "resp3-new-answers": {"protocol": 3, "decode_responses": True, "legacy_responses": False},
    "latin-1": {"decode_responses": True, "encoding": "latin-1"},
    "replacing": {"decode_responses": True, "encoding_errors": "replace"},
}


@asynccontextmanager
async def both(server, options, *, admin=False):
    """A plain client of redis-py, and ours; neither sends a command twice."""
    url = server.admin_url if admin else server.url
    plain, ours = redis.asyncio.Redis.from_url(url, **options), Redis.from_url(url, **options)
    try:
        yield plain, ours
    finally:
        await plain.aclose()
        await ours.aclose()


def empty(server):
    with redis.Redis.from_url(server.admin_url) as admin, admin.pipeline(transaction=False) as pipe:
        for command in ("FLUSHALL", "SCRIPT FLUSH", "FUNCTION FLUSH", "CONFIG RESETSTAT", "LATENCY RESET"):
            pipe.execute_command(command)
        pipe.execute()


async def outcome(client: Any, call: Call) -> Any:
    """Return the answer, or the error's class and message."""
    try:
        answer = await getattr(client, call.method)(*call.args, **call.options)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must be the same
        return (type(error).__name__, str(error))
    return plain(answer) if call.exact else shape(answer)


def plain(value):
    """Make what compares by identity, or not even with itself, comparable; keep types apart that are equal."""
    if isinstance(value, dict):
        return {"dict": {key: plain(item) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *map(plain, value)]
    return value if isinstance(value, set) else (type(value).__name__, str(value))


def shape(value):
    if isinstance(value, dict):
        lasting = {key: item for key, item in value.items() if not str(key).startswith("db.")}  # a database may empty
        return {key if len(value) < 40 else "": shape(item) for key, item in lasting.items()}
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *sorted({str(shape(item)) for item in value})]
    return type(value).__name__


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("scene", SCENES)
async def test_a_call_does_what_it_does_in_redis_py(server, options, scene):
    """The same answer of the same type, or the same error with the same words."""
    answers = []
    async with both(server, options, admin=scene == "admin") as clients:
        for client in clients:
            empty(server)
            answers.append([await outcome(client, call) for call in SCENES[scene]])
    differences = [
        f"{call.method}{call.args}{call.options or ''}\n  redis-py: {expected}\n  ours:     {got}"
        for call, expected, got in zip(SCENES[scene], *answers, strict=True)
        if expected != got
    ]

    assert [] == differences


@pytest.mark.parametrize("options", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_a_use_goes_as_in_redis_py(server, options, use):
    """Pipelines, transactions, subscriptions, locks, scripts, iterators: what is seen at their ends is the same."""
    seen = []
    async with both(server, options, admin=use in NEEDS_ADMIN) as clients:
        for client in clients:
            empty(server)
            try:
                seen.append(plain(await use(client)))
            except UnicodeError as error:
                seen.append(str(error))

    assert seen[0] == seen[1]


def test_all_of_redis_pys_methods_are_compared():
    """A method that a later version adds fails here until it is compared, or left out for a reason."""
    compared = {call.method for calls in SCENES.values() for call in calls}
    refused = {name.lower().replace(" ", "_").replace("-", "_") for name in REFUSED}
    refused |= {"client_tracking_on", "client_tracking_off", "client_getname"}
    methods = {name for name in dir(AsyncCoreCommands) if not name.startswith("_")}
    missing = {name for name in methods - compared - refused if not is_left_out(name)}

    assert set() == missing
    assert sum(map(len, SCENES.values())) >= 800


@pytest.mark.parametrize("words", [("",), (" ",), (b" ",), (None,), (1,), (1.5,), (True,), (["GET", "a"],)], ids=repr)
async def test_what_names_no_command_is_refused_before_it_is_sent(words):
    """Here redis-py differs: it sends an empty command, which nobody answers, and waits."""
    async with Redis.from_url("redis://127.0.0.1:1") as client:
        with pytest.raises((DataError, TypeError)):
            await client.execute_command(*words)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("form", [str, str.lower, str.encode, str.split])
async def test_what_a_shared_connection_cannot_carry_is_refused(name, form):
    """Here redis-py differs: such a command's state stays on a connection for whoever is next."""
    words = form(name)
    async with Redis.from_url("redis://127.0.0.1:1") as client:
        with pytest.raises(DataError, match=f"{name} is refused: "):
            await client.execute_command(*(words if isinstance(words, list) else [words]))
