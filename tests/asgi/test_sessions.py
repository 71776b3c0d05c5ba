"""`request.session`, as a browser meets it."""

import asyncio

import pytest
from starlette.responses import JSONResponse

from redyard import SessionStore
from redyard.asgi.sessions import SessionMiddleware
from redyard.errors import SessionNotLoaded
from tests.asgi.apps import app_of, browser
from tests.support.clients import client
from tests.support.wait import until

SECRET = "a-secret-of-today"


async def view(request):
    """/set?a=1 writes, /drop/a removes, /rotate, /end, /plain does not touch the session, all else reads."""
    session = request.session
    match request.url.path.strip("/").split("/"):
        case ["plain"]:
            return {}
        case ["end"]:
            await session.destroy()
        case ["rotate"]:
            await session.rotate()
        case ["set"]:
            (await session.load()).update(request.query_params)
        case ["drop", name]:
            del (await session.load())[name]
        case ["fail"]:
            (await session.load())["a"] = "failed"
            return JSONResponse({}, 500)
    return dict(await session.load())


@pytest.fixture
def make(redis):
    """Wrap the view in a middleware with the options given."""

    def wrap(view=view, redis=redis, **options):
        options = {"secret": SECRET, **options}
        return SessionMiddleware(app_of(view), store=SessionStore(redis), **options)

    return wrap


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
    assert line.endswith("; Path=/; Max-Age=86400; HttpOnly; SameSite=lax")
    assert "Cookie" == response.headers["vary"]


async def test_a_secure_cookie_is_the_hosts(make):
    """With the prefix that no other host can set."""
    async with browser(make(secure=True), https=True) as visitor:
        line = (await visitor.get("/set?a=1")).headers["set-cookie"]

    assert line.startswith("__Host-session=")
    assert line.endswith("; Secure")


async def test_the_cookie_rolls(make):
    """Each use starts its time anew, in the browser and in Redis."""
    async with browser(make()) as visitor:
        first = await visitor.get("/set?a=1")
        second = await visitor.get("/")

    assert first.headers["set-cookie"] == second.headers["set-cookie"]


async def test_an_untouched_session_costs_nothing(server, make):
    """No command, no cookie."""
    async with browser(make()) as visitor:
        await visitor.get("/set?a=1")
        server.admin("CONFIG", "RESETSTAT")
        response = await visitor.get("/plain")

    assert "set-cookie" not in response.headers
    assert "cmdstat_ev" not in str(server.admin("INFO", "commandstats"))


async def test_a_read_is_one_command_and_a_write_two(server, make):
    """Beside what the server counts inside of scripts."""
    async with browser(make()) as visitor:
        await visitor.get("/set?a=1")
        calls = []
        for path in ("/", "/set?a=2"):
            server.admin("CONFIG", "RESETSTAT")
            await visitor.get(path)
            calls.append(server.admin("INFO", "commandstats")["cmdstat_evalsha"]["calls"])

    assert [1, 2] == calls


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
    """50 requests with a field each: 50 fields."""
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
    async with browser(make(careless, eager=True)) as visitor:
        assert "nothing" == (await visitor.get("/")).json()


async def test_without_redis_reading_is_anonymous_and_writing_503():
    """The visitor is not signed out, and no password is in the body."""
    async with client("redis://:hunter2@127.0.0.1:1") as redis:
        app = SessionMiddleware(app_of(view), store=SessionStore(redis), secret=SECRET)
        cookie = {"cookie": "session=" + app.signer.sign("an-id")}
        async with browser(app) as visitor:
            read = await visitor.get("/", headers=cookie)
            write = await visitor.get("/set?a=1", headers=cookie)

    assert (200, {}) == (read.status_code, read.json())
    assert (503, "1") == (write.status_code, write.headers["retry-after"])
    assert "hunter2" not in write.text
    assert not {"set-cookie"} & {*read.headers, *write.headers}


async def test_a_websocket_reads_the_session(make):
    """It cannot set a cookie, so it only reads."""
    app = make()
    async with browser(app) as visitor:
        cookie = (await visitor.get("/set?a=1")).headers["set-cookie"].partition(";")[0]
    seen = []

    async def socket(scope, receive, send):
        seen.append(dict(await scope["session"].load()))

    scope = {"type": "websocket", "headers": [(b"cookie", cookie.encode())]}
    await SessionMiddleware(socket, store=app.store, secret=SECRET)(scope, None, None)

    assert [{"a": "1"}] == seen


async def test_other_scopes_pass_through(make):
    """A lifespan has no session."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    await SessionMiddleware(lifespan, store=make().store, secret=SECRET)({"type": "lifespan"}, None, None)

    assert [{"type": "lifespan"}] == seen
