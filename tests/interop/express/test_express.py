"""A session is the same to an Express 5 app with connect-redis and to one of ours, whoever wrote it."""

import asyncio
import json
import math

import httpx
import pytest

from redyard import SessionStore
from redyard.asgi.cookies import ExpressSigner
from redyard.asgi.sessions import SessionMiddleware
from redyard.errors import BadKey, NotJSON
from redyard.sessions import Session
from tests.asgi.apps import app_of, browser
from tests.interop.express.conftest import NEW, OLD, Visitor, operate
from tests.interop.express.node import express

pytestmark = [
    pytest.mark.needs_node,
    pytest.mark.parametrize("engine", ["valkey"], indirect=True, scope="session"),  # the engine is not what differs
]

EITHER = pytest.mark.parametrize(("first", "second"), [("express", "redyard"), ("redyard", "express")])
FIELDS = {
    "user": 42,
    "name": "Ada é 🙂 \u2028",
    "cart": [1, 2.5, {"n": None, "deep": {"x": [True, False]}}],
    "empty": {},
    "nothing": None,
    "text": '"quoted" \\ \n</script>',
}


@EITHER
async def test_what_one_writes_the_other_reads(visitor, first, second):
    """Every kind of value."""
    await visitor(first, set=FIELDS)

    assert FIELDS == await visitor(second)
    assert FIELDS == await visitor(first)


@EITHER
async def test_what_one_changes_the_other_sees(visitor, first, second):
    """New, changed and removed fields, without a new id."""
    await visitor(first, set={"a": 1, "b": 2, "list": [1]})
    cookie = visitor.cookie
    await visitor(second, set={"a": 2, "c": 3, "list": [1, 2]}, drop=["b"])

    assert {"a": 2, "c": 3, "list": [1, 2]} == await visitor(first)
    assert cookie == visitor.cookie


@EITHER
async def test_what_one_ends_has_ended_for_the_other(visitor, redis, first, second):
    """And the id is not taken up again."""
    await visitor(first, set={"a": 1})
    cookie = visitor.cookie
    await visitor(second, do="destroy")
    assert 0 == await redis.dbsize()
    visitor.cookie = cookie
    await visitor(first, set={"b": 2})

    assert cookie != visitor.cookie
    assert {"b": 2} == await visitor(second)


@EITHER
async def test_a_new_id_of_one_is_known_to_the_other(visitor, first, second):
    """Express drops the data at regenerate, ours keeps it at rotate; the old id is worth nothing to either."""
    await visitor(first, set={"a": 1})
    old = visitor.cookie
    await visitor(second, do="regenerate", set={"b": 2} if second == "redyard" else {})
    await visitor(second, set={"b": 2})
    new = visitor.cookie
    kept = await visitor(first)
    visitor.cookie = old

    assert new != old
    assert ({"a": 1, "b": 2} if second == "redyard" else {"b": 2}) == kept
    assert {} == await visitor(first)


@pytest.mark.parametrize("reader", ["express", "redyard"])
async def test_an_old_secret_is_accepted_and_a_wrong_one_is_not(visitor, redis, reader):
    """By either app, for an id that Express made."""
    await visitor("express", set={"a": 1})
    session_id = visitor.key.removeprefix("sess:")
    seen = []
    for secret in (OLD, NEW, "a-secret-of-nobody"):
        visitor.cookie = "connect.sid=" + ExpressSigner(secret).sign(session_id)
        seen.append(await visitor(reader))

    assert [{"a": 1}, {"a": 1}, {}] == seen


async def test_the_record_is_the_one_that_express_writes(visitor, redis):
    """Its cookie's members and its time to live; all is kept that is not ours."""
    await visitor("express", set={"a": 1})
    theirs, ttl = json.loads(await redis.get(visitor.key)), await redis.ttl(visitor.key)
    visitor.cookie = ""
    await visitor("redyard", set={"a": 1})
    ours, our_ttl = json.loads(await redis.get(visitor.key)), await redis.ttl(visitor.key)

    assert theirs["cookie"].keys() == ours["cookie"].keys()
    assert {**theirs["cookie"], "expires": 0} == {**ours["cookie"], "expires": 0}
    assert len(theirs["cookie"]["expires"]) == len(ours["cookie"]["expires"])
    assert theirs["cookie"]["expires"][:13] <= ours["cookie"]["expires"]
    assert abs(ttl - our_ttl) <= 60
    assert 32 == len(visitor.key.removeprefix("sess:"))


async def test_a_cookie_without_an_end_keeps_having_none(server, redis):
    """A session until the browser is closed lives a day in Redis after its last use, in both apps."""
    with express(server.url, [NEW], cookie={"maxAge": None}) as (address, _):
        app = SessionMiddleware(
            app_of(operate),
            store=SessionStore(redis, format="express", idle=100, deadline=10),
            secret=NEW,
            secure=False,
            until_closed=True,
        )
        async with httpx.AsyncClient(base_url=address) as node, browser(app) as ours:
            visitor, lines, ttls = Visitor(node, ours), [], []
            for name in ("express", "redyard"):
                visitor.cookie = ""
                await visitor(name, set={"a": 1})
                await visitor("redyard", set={"b": 2})
                lines.append(visitor.line)
                ttls.append(await redis.ttl(visitor.key))
                record = json.loads(await redis.get(visitor.key))

    assert not any("Max-Age" in line or "Expires" in line for line in lines)
    assert all(86_390 <= ttl <= 86_400 for ttl in ttls)
    assert [None, None] == [record["cookie"]["expires"], record["cookie"]["originalMaxAge"]]


async def test_a_prefixed_name_works(server, redis):
    """`__Host-sid`, over a proxy that Express trusts."""
    secure = {"maxAge": 86_400_000, "secure": True}
    with express(server.url, [NEW], name="__Host-sid", proxy=True, cookie=secure) as (address, _):
        store = SessionStore(redis, format="express", deadline=10)
        app = SessionMiddleware(app_of(operate), store=store, secret=NEW, cookie="__Host-sid")
        headers = {"x-forwarded-proto": "https"}
        async with httpx.AsyncClient(base_url=address, headers=headers) as node, browser(app, https=True) as ours:
            visitor = Visitor(node, ours)
            await visitor("redyard", set={"a": 1})
            assert visitor.line.startswith("__Host-sid=s%3A")
            await visitor("express", set={"b": 2})
            assert {"a": 1, "b": 2} == await visitor("redyard")


async def test_fifty_of_our_writers_lose_nothing(visitor, redis):
    """Beside a record that Express made."""
    await visitor("express", set={"start": 0})
    store = SessionStore(redis, format="express", deadline=10)
    session_id = visitor.key.removeprefix("sess:")
    sessions = [await Session(store, session_id).load() for _ in range(50)]
    for number, session in enumerate(sessions):
        session[f"f{number}"] = number
    await asyncio.gather(*(session.commit() for session in sessions))

    assert {"start": 0} | {f"f{n}": n for n in range(50)} == await visitor("express")


# ---- the traps of the format


async def test_a_record_without_a_cookie_is_completed(visitor, redis):
    """Express answers 500 to such a record; ours reads it, and what it writes has one."""
    await visitor("redyard", set={"a": 1})
    await redis.set(visitor.key, '{"a":1}', keepttl=True)
    await visitor("express")
    assert 500 == visitor.status
    await visitor("redyard", set={"b": 2})

    assert {"a": 1, "b": 2} == await visitor("express")


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"deep": [math.nan]}, 2**53 + 1, {"n": -(2**60)}])
async def test_numbers_that_javascript_has_not_are_refused(redis, value):
    """They would be an error or another number there."""
    session = await Session(SessionStore(redis, format="express", deadline=10)).load()
    with pytest.raises(NotJSON, match="Express cannot keep"):
        session["n"] = value


async def test_the_largest_exact_number_survives(visitor):
    """And 1.0 becomes 1, as JavaScript has no other."""
    await visitor("redyard", set={"n": 2**53, "one": 1.0})
    await visitor("express", set={"more": 1})

    assert {"n": 2**53, "one": 1, "more": 1} == await visitor("redyard")


NAMES = [
    *("cookie", "id", "req", "touch", "resetMaxAge", "save", "reload", "destroy", "regenerate"),
    *("toString", "valueOf", "constructor", "hasOwnProperty", "isPrototypeOf", "__proto__", "toLocaleString"),
]


async def test_names_that_express_drops_are_refused(redis):
    """Also where a value is changed inside, and at the first write."""
    session = await Session(SessionStore(redis, format="express", deadline=10)).load()
    for name in NAMES:
        with pytest.raises(BadKey, match="Express"):
            session[name] = 1


async def test_names_that_express_drops_are_hidden(visitor, redis):
    """Our app sees what Express shows, whatever a record holds."""
    await visitor("redyard", set={"a": 1})
    record = json.loads(await redis.get(visitor.key))
    record |= {name: "planted" for name in NAMES if name != "cookie"}
    await redis.set(visitor.key, json.dumps(record), keepttl=True)

    assert {"a": 1} == await visitor("redyard") == await visitor("express")


async def test_the_keys_time_to_live_is_the_truth(visitor, redis):
    """A touch leaves the `expires` of the record behind: it says nothing of the end."""
    await visitor("express", set={"a": 1})
    record = json.loads(await redis.get(visitor.key))
    record["cookie"]["expires"] = "2020-01-01T00:00:00.000Z"
    await redis.set(visitor.key, json.dumps(record), px=50_000_000)

    assert {"a": 1} == await visitor("redyard")
    assert 86_000 < await redis.ttl(visitor.key) <= 86_400
    assert "2020" in (await redis.get(visitor.key)).decode()
    await visitor("redyard", set={"b": 1})
    assert "2020" not in (await redis.get(visitor.key)).decode()


async def test_half_a_character_is_repaired_for_us_and_left_as_it_was(visitor, redis):
    """Express keeps lone surrogates; no text of ours could be encoded with them."""
    raw = '{"half":"x\\ud800y","deep":[{"\\udc00k":"\\ud83d\\ude42"}],"n":12345678901234567000}'
    await visitor("express", raw=raw)
    seen = await visitor("redyard", set={"a": 1})
    record = (await redis.get(visitor.key)).decode()

    assert ("x\ufffdy", [{"\ufffdk": "🙂"}]) == (seen["half"], seen["deep"])
    assert "x\\ud800y" in record
    assert "12345678901234567000" in record
    assert '"a":1' in record
    await visitor("express", set={"b": 1})
    assert {"a", "b", "half", "deep", "n"} == (await visitor("redyard")).keys()


async def test_half_a_character_of_ours_is_refused(redis):
    """At the write, not at the next reader."""
    session = await Session(SessionStore(redis, format="express", deadline=10)).load()
    session["half"] = "x\ud800y"
    with pytest.raises(NotJSON, match="'half'"):
        await session.commit()


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_a_secure_cookie_is_as_the_request_came(visitor, redis, scheme, secure):
    """The record says what the cookie is, so that Express sends it again or not."""
    store = SessionStore(redis, format="express", deadline=10)
    app = SessionMiddleware(app_of(operate), store=store, secret=NEW, secure="auto")
    async with browser(app, https=secure) as ours:
        answer = await ours.post("/op", json={"set": {"a": 1}})
    (key,) = [key async for key in redis.scan_iter()]

    assert secure == json.loads(await redis.get(key))["cookie"].get("secure", False)
    assert secure == answer.headers["set-cookie"].endswith("; Secure")
