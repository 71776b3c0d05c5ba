"""`request.session`, as a browser meets it."""

import asyncio
import time

import pytest

from redyard import SessionStore
from redyard.asgi.cookies import ExpressSigner, Signer
from redyard.asgi.sessions import SessionMiddleware, session_of
from redyard.errors import BadCookie, SessionNotLoaded, WeakSecret
from tests.asgi.apps import app_of, browser
from tests.asgi.session_app import SECRET, view
from tests.support.clients import client
from tests.support.wait import until


async def test_a_session_lasts_from_request_to_request(make):
    """And each browser has its own."""
    app = make()
    async with browser(app) as ada, browser(app) as bob:
        await ada.get("/set?name=Ada")
        await bob.get("/set?name=Bob")

        assert {"name": "Ada"} == (await ada.get("/")).json()
        assert {"name": "Bob"} == (await bob.get("/")).json()


async def test_the_cookie_is_signed_and_out_of_reach_of_scripts(make):
    """HttpOnly, SameSite, a day, and Vary for caches."""
    async with browser(make()) as visitor:
        response = await visitor.get("/set?a=1")

    line = response.headers["set-cookie"]
    assert line.endswith("; Max-Age=86400; Path=/; HttpOnly; SameSite=lax")
    assert "Cookie" == response.headers["vary"]


async def test_a_cookie_is_secure_unless_told_otherwise(redis):
    """With the prefix that no other host can set."""
    app = SessionMiddleware(app_of(view), store=SessionStore(redis, deadline=10), secret=SECRET)
    async with browser(app, https=True) as visitor:
        line = (await visitor.get("/set?a=1")).headers["set-cookie"]

    assert line.startswith("__Host-session=")
    assert line.endswith("; Max-Age=86400; Path=/; HttpOnly; SameSite=lax; Secure")


@pytest.mark.parametrize(
    ("hops", "headers", "secure"),
    [
        (0, [("x-forwarded-proto", "https")], False),
        (1, [("x-forwarded-proto", "https")], True),
        (1, [("x-forwarded-proto", "https, http")], False),
        (2, [("x-forwarded-proto", "http, https, http")], True),
        (2, [("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")], True),
        (3, [("x-forwarded-proto", "HTTPS")], True),
        (1, [], False),
    ],
)
async def test_behind_proxies_the_trusted_ones_say_what_is_secure(make, hops, headers, secure):
    """They are counted from the right: what a visitor forges changes nothing."""
    async with browser(make(trusted_hops=hops)) as visitor:
        line = (await visitor.get("/set?a=1", headers=headers)).headers["set-cookie"]

    assert secure == line.endswith("; Secure")


async def rested(redis):
    """Let every session have been touched long ago."""
    async for key in redis.scan_iter("sess*"):
        await redis.pexpire(key, 50_000_000)


@pytest.mark.parametrize("rolling", [True, False])
async def test_the_cookie_rolls_with_the_session(make, redis, rolling):
    """A touch starts its time anew in the browser as well; a read between two touches sends nothing."""
    async with browser(make(rolling=rolling)) as visitor:
        first = await visitor.get("/set?a=1")
        between = await visitor.get("/")
        await rested(redis)
        touching = await visitor.get("/")

    assert "set-cookie" not in between.headers
    assert (first.headers["set-cookie"] if rolling else None) == touching.headers.get("set-cookie")


async def test_a_cookie_can_last_until_the_browser_is_closed(make):
    """Without Max-Age."""
    async with browser(make(until_closed=True)) as visitor:
        first = (await visitor.get("/set?a=1")).headers["set-cookie"]
        second = (await visitor.get("/set?a=2")).headers["set-cookie"]

    assert first == second
    assert first.endswith("; Path=/; HttpOnly; SameSite=lax")
    assert "Max-Age" not in first


async def test_commands_are_counted(server, make):
    """An untouched session costs none, a read one, a write two."""
    async with browser(make()) as visitor:
        for path in ("/set?a=1", "/", "/set?a=2"):
            await visitor.get(path)  # now the server knows the scripts
        calls = []
        for path in ("/plain", "/", "/set?a=3", "/"):
            server.admin("CONFIG", "RESETSTAT")
            await visitor.get(path)
            calls.append(server.admin("INFO", "commandstats").get("cmdstat_evalsha", {}).get("calls", 0))

    assert [0, 1, 2, 1] == calls


async def test_a_visitor_without_data_gets_no_session(make, redis):
    """No cookie, and nothing in Redis."""
    async with browser(make()) as visitor:
        response = await visitor.get("/")

    assert "set-cookie" not in response.headers
    assert 0 == await redis.dbsize()


@pytest.mark.parametrize("cookie", ["made-up", "made-up.signature", ".", "", "é", "a" * 5000])
async def test_a_cookie_that_nobody_signed_is_no_session(make, redis, cookie):
    """Redis is not even asked, and the id is not adopted."""
    async with browser(make()) as visitor:
        response = await visitor.get("/set?a=1", headers={"cookie": f"session={cookie}".encode()})

    assert {"a": "1"} == response.json()
    assert cookie not in response.headers["set-cookie"] or not cookie.strip(".")
    assert 1 == await redis.dbsize()


async def test_a_signed_id_that_has_ended_is_not_adopted(make):
    """A new session has a new id."""
    app = make()
    async with browser(app) as visitor:
        line = (await visitor.get("/set?a=1")).headers["set-cookie"]
        await visitor.get("/end")
        old = line.partition(";")[0]
        response = await visitor.get("/set?b=2", headers={"cookie": old})

    assert {"b": "2"} == response.json()
    assert old != response.headers["set-cookie"].partition(";")[0]


async def test_signing_out_removes_the_cookie(make, redis):
    """And the session, for all who hold it."""
    async with browser(make()) as visitor:
        await visitor.get("/set?a=1")
        response = await visitor.get("/end")
        cookies = dict(visitor.cookies)

    assert "Max-Age=0" in response.headers["set-cookie"]
    assert {} == cookies
    assert 0 == await redis.dbsize()


async def test_a_rotated_session_has_a_new_cookie(make):
    """The data stay; the old cookie is worth nothing."""
    app = make()
    async with browser(app) as visitor:
        old = (await visitor.get("/set?a=1")).headers["set-cookie"].partition(";")[0]
        assert {"a": "1"} == (await visitor.get("/rotate")).json()
        assert {"a": "1"} == (await visitor.get("/")).json()
        async with browser(app) as thief:
            assert {} == (await thief.get("/", headers={"cookie": old})).json()


async def test_secrets_can_be_changed(make):
    """The new one in front: old cookies hold, and are signed anew."""
    async with browser(make(secret="a-secret-of-yesterday")) as visitor:
        await visitor.get("/set?a=1")
        jar = visitor.cookies
    async with browser(make(secret=[SECRET, "a-secret-of-yesterday"])) as visitor:
        visitor.cookies = jar
        assert {"a": "1"} == (await visitor.get("/")).json()
        jar = visitor.cookies
    async with browser(make()) as visitor:
        visitor.cookies = jar
        assert {"a": "1"} == (await visitor.get("/")).json()


async def test_requests_at_the_same_time_all_keep_their_changes(make):
    """50 requests with a field each, all read before the first one writes: 50 fields."""
    together = asyncio.Barrier(50)

    async def slow(request):
        session = await request.session.load()
        if "n" in request.query_params:
            await together.wait()
            session[request.query_params["n"]] = 1
        return len(session)

    async with browser(make(slow)) as visitor:
        visitor.cookies = await cookies_of(make)
        await asyncio.gather(*(visitor.get(f"/?n={n}") for n in range(50)))

        assert 51 == (await visitor.get("/")).json()


async def cookies_of(make):
    async with browser(make()) as visitor:
        await visitor.get("/set?a=1")
        return visitor.cookies


async def test_signing_out_beats_a_slow_request(make, redis):
    """The slow one neither brings the session back nor touches the cookie."""
    go, entered = asyncio.Event(), []

    async def slow(request):
        session = await request.session.load()
        entered.append(1)
        await go.wait()
        session["a"] = "resurrected"
        return {}

    async with browser(make(slow)) as visitor, browser(make()) as other:
        visitor.cookies = other.cookies = await cookies_of(make)
        request = asyncio.create_task(visitor.get("/"))
        await until(lambda: entered)
        await other.get("/end")
        go.set()
        response = await request

    assert "set-cookie" not in response.headers
    assert 0 == await redis.dbsize()


async def test_a_change_is_kept_whatever_the_status(make):
    """The app decides what to write; an error page may count attempts."""
    async with browser(make()) as visitor:
        await visitor.get("/fail")

        assert {"a": "failed"} == (await visitor.get("/")).json()


async def test_reading_before_loading_is_an_error_unless_eager(make):
    """Loud in development, and there is a way for code that was written for other sessions."""

    async def careless(request):
        return request.session.get("a", "nothing")

    async with browser(make(careless)) as visitor:
        with pytest.raises(SessionNotLoaded):
            await visitor.get("/")
    for eager in (True, lambda scope: scope["path"] == "/"):
        async with browser(make(careless, eager=eager)) as visitor:
            assert "nothing" == (await visitor.get("/")).json()


@pytest.mark.parametrize("name", ["native", "express"])
async def test_without_redis_reading_is_anonymous_and_writing_503(name):
    """The visitor is not signed out, and no password is in the body."""
    async with client("redis://:hunter2@127.0.0.1:1") as redis:
        store = SessionStore(redis, format=name)
        app = app_of(view)
        app.add_middleware(SessionMiddleware, store=store, secret=SECRET, secure=False, cookie="session")
        sign = (ExpressSigner if name == "express" else Signer)(SECRET).sign
        cookie = {"cookie": "session=" + sign("an-id")}
        async with browser(app) as visitor:
            read = await visitor.get("/", headers=cookie)
            refused = [await visitor.get(path, headers=cookie) for path in ("/set?a=1", "/end", "/rotate")]
            stranger = await visitor.get("/set?a=1")

    assert (200, {}) == (read.status_code, read.json())
    assert [(503, "1")] * 4 == [(one.status_code, one.headers["retry-after"]) for one in (*refused, stranger)]
    assert "hunter2" not in "".join(one.text for one in refused)
    assert not {"set-cookie"} & {*read.headers, *stranger.headers, *(name for one in refused for name in one.headers)}


async def test_while_redis_hangs_an_answer_is_there_soon(own_server, own_redis):
    """Long before the client would give up, and then without asking; afterwards the visitor is still signed in."""
    app = app_of(view)
    app.add_middleware(SessionMiddleware, store=SessionStore(own_redis), secret=SECRET, secure=False)
    async with browser(app) as visitor:
        await until(lambda: begun(visitor))
        own_server.pause()
        start = time.monotonic()
        answers = [await visitor.get("/")]
        waited = time.monotonic() - start
        asked = scripts(own_redis)
        answers += [await visitor.get(path) for path in ("/", "/set?a=2", "/end", *["/"] * 50)]
        asked_again = scripts(own_redis)
        own_server.resume()
        await until(lambda: kept(visitor))

    assert [200, 200, 503, 503] == [one.status_code for one in answers][:4]
    assert {200} == {one.status_code for one in answers[4:]}
    assert waited < 2.5
    assert asked == asked_again
    assert not any("set-cookie" in one.headers for one in answers)


async def begun(visitor):
    return "set-cookie" in (await visitor.get("/set?a=1")).headers


def scripts(redis):
    """Return how many scripts a client has sent."""
    return sum(redis.stats.commands[name] for name in (b"EVAL", b"EVALSHA"))


async def kept(visitor):
    return {"a": "1"} == (await visitor.get("/")).json()


async def test_a_failure_of_the_app_is_not_ours(make):
    """Only what the session store says becomes a 503."""

    async def broken(request):
        raise ZeroDivisionError

    async with browser(make(broken)) as visitor:
        with pytest.raises(ZeroDivisionError):
            await visitor.get("/")


async def test_the_id_is_renewed_in_the_browser(redis, make):
    """Its owner notices nothing."""
    store = SessionStore(redis, renewal=100, deadline=10)
    async with browser(make(store=store)) as visitor:
        first = (await visitor.get("/set?a=1")).headers["set-cookie"]
        async for key in redis.scan_iter("session:*"):
            await redis.hincrby(key, ":renewed", -100_000)
        response = await visitor.get("/")

    assert {"a": "1"} == response.json()
    assert response.headers["set-cookie"].startswith("session=")
    assert first != response.headers["set-cookie"]


async def test_the_list_of_devices_shows_what_a_request_said_of_itself(redis):
    """Its browser, and the address that the outermost trusted proxy saw."""

    async def sign_in(request):
        session = await session_of(request)
        await session.rotate(user=7)
        session["account"] = 7
        return {}

    store = SessionStore(redis, deadline=10)
    app = SessionMiddleware(app_of(sign_in), store=store, secret=SECRET, secure=False, trusted_hops=1)
    async with browser(app) as visitor:
        headers = {"user-agent": "Firefox", "x-forwarded-for": "198.51.100.1, 203.0.113.5"}
        await visitor.get("/", headers=headers)
    (one,) = await store.list(7)

    assert ("Firefox", "203.0.113.5") == (one.device, one.address)


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (WeakSecret, {"secret": None}),
        (WeakSecret, {"secret": ""}),
        (WeakSecret, {"secret": []}),
        (WeakSecret, {"secret": [SECRET, "short"]}),
        (BadCookie, {"cookie": "__Host-session", "secure": "auto"}),
        (BadCookie, {"cookie": "__Host-session", "domain": "app.test"}),
        (BadCookie, {"same_site": "none", "secure": False}),
    ],
)
async def test_bad_options_are_errors_at_the_start(make, error, options):
    """Not at the first sign-in."""
    with pytest.raises(error):
        make(**{"secure": True, **options})
