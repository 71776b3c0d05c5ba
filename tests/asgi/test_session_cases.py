"""What express-session's own tests let one see over HTTP and in the store, restated: a case a row, in each format.

A step is a request or an act of somebody else, and what is seen after it; the words are those of `Visit`.
"""

import json
import re

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse

from redyard import SessionStore
from redyard.asgi.sessions import SessionMiddleware, session_of
from redyard.sessions import Session
from tests.asgi.apps import app_of, browser

NEW, OLD, OTHER = "a-secret-of-today", "a-secret-of-yesterday", "a-secret-of-nobody"

CASES = {
    # ---- session()
    "A first change makes a session": ({}, "GET /set?a=1 : cookie, keys 1"),
    "The cookie's session is read": ({}, "GET /set?a=1 : cookie; GET /read : body {'a': '1'}"),
    "Two visitors have two sessions": ({}, "GET /set?a=1 : keys 1; FORGET; GET /set?a=2 : keys 2, new"),
    "A request without a path is served": ({}, "GET / : status 200, no cookie"),
    "A response without a body keeps the session": ({}, "GET /empty : cookie, keys 1"),
    "A response in pieces keeps the session": ({}, "GET /pieces : cookie, keys 1, text hello, world"),
    "A response with a length keeps the session": ({}, "GET /sized : cookie, keys 1, text session saved"),
    "A session has the app's data alone": ({}, "GET /set?a=1&b=2 : ; GET /names : body ['a', 'b']"),
    "A destroyed session's data are gone": ({}, "GET /set?a=1 : ; GET /destroy : ; GET /read : body {}"),
    "An app that does not ask is not disturbed": ({}, "GET /plain : status 200, no cookie, keys 0, no vary"),
    "An app that asks depends on the cookie": ({}, "GET /read : vary"),
    "A session made in one request counts in the next": (
        {},
        "GET /count : body 1; GET /count : body 2",
    ),
    "A failing request keeps what it changed": ({}, "GET /fail : status 500, cookie, keys 1"),
    # ---- ended, unknown, forged
    "An unknown id gets a new session": ({}, "GET /set?a=1 : ; CLEAR; GET /set?b=2 : body {'b': '2'}, keys 1"),
    "An unknown id is not adopted": ({}, "GET /set?a=1 : ; CLEAR; GET /set?b=2 : cookie, new"),
    "An unknown id makes no session by a read": ({}, "GET /set?a=1 : ; CLEAR; GET /read : body {}, keys 0, no cookie"),
    "An expired session is not there": ({}, "GET /set?a=1 : ; EXPIRE; GET /read : body {}, keys 0"),
    "An expired session's id is not used again": ({}, "GET /set?a=1 : ; EXPIRE; GET /set?a=2 : cookie, new"),
    "An unsigned id gets a new session": ({}, "GET /set?a=1 : ; UNSIGN; GET /set?b=2 : cookie, new, body {'b': '2'}"),
    "A changed id gets a new session": ({}, "GET /set?a=1 : ; TAMPER; GET /set?b=2 : cookie, new, body {'b': '2'}"),
    "A forged id is not looked up": ({}, "GET /set?a=1 : ; TAMPER; GET /read : body {}, commands 0"),
    "A foreign signature is not accepted": ({}, "GET /set?a=1 : ; SIGN a-secret-of-nobody; GET /read : body {}"),
    "Another cookie is not the session": ({}, "GET /set?a=1 : ; RENAME other; GET /read : body {}"),
    "A cookie whose name ends alike is not the session": ({}, "GET /set?a=1 : ; RENAME xsid; GET /read : body {}"),
    "An empty cookie is no session": ({}, "COOKIE sid=; GET /read : status 200, body {}"),
    "A cookie of nonsense is no session": ({}, "COOKIE sid=%%%.;;=%zz; GET /read : status 200, body {}"),
    "Of two cookies the signed one counts": ({}, "GET /set?a=1 : ; BEFORE sid=forged; GET /read : body {'a': '1'}"),
    "The cookie is found among others": ({}, "GET /set?a=1 : ; BEFORE other=1; GET /read : body {'a': '1'}"),
    "A forged id makes no session by a read": ({}, "GET /set?a=1 : ; TAMPER; GET /read : keys 1, no cookie"),
    "A forged id leaves the real one alone": (
        {},
        "GET /set?a=1 : ; KEEP; TAMPER; GET /set?b=2 : keys 2; RETURN; GET /read : body {'a': '1'}",
    ),
    "An expired session's cookie is not sent again": ({}, "GET /set?a=1 : ; EXPIRE; GET /read : no cookie"),
    # ---- proxies
    "One proxy is trusted for the scheme": ({"trusted_hops": 1}, "GET /set?a=1 X-Forwarded-Proto=https : Secure"),
    "Its word is the last one": ({"trusted_hops": 1}, "GET /set?a=1 X-Forwarded-Proto=https,http : no Secure"),
    "Without its word it is plain HTTP": ({"trusted_hops": 1}, "GET /set?a=1 : cookie, no Secure"),
    "Nobody is trusted by default": ({}, "GET /set?a=1 X-Forwarded-Proto=https : cookie, no Secure"),
    "A visitor's own header is not trusted": ({}, "GET /set?a=1 X-Secure=true : cookie, no Secure"),
    "Of two proxies the outer one knows": ({"trusted_hops": 2}, "GET /set?a=1 X-Forwarded-Proto=https,http : Secure"),
    "A word before the proxy's is a stranger's": (
        {"trusted_hops": 1},
        "GET /set?a=1 X-Forwarded-Proto=http,https : Secure",
    ),
    "A proxy may write in capitals": ({"trusted_hops": 1}, "GET /set?a=1 X-Forwarded-Proto=HTTPS : Secure"),
    "Behind a proxy a rolling cookie stays secure": (
        {"trusted_hops": 1},
        "GET /set?a=1 X-Forwarded-Proto=https : Secure; REST; GET /read X-Forwarded-Proto=https : Secure, same",
    ),
    # ---- the cookie
    "It is not for scripts": ({}, "GET /set?a=1 : HttpOnly"),
    "It is for the whole site": ({}, "GET /set?a=1 : Path=/"),
    "It can be for a part of the site": ({"path": "/admin"}, "GET /set?a=1 : Path=/admin"),
    "It is for this host": ({}, "GET /set?a=1 : no Domain"),
    "It can be for a domain": ({"domain": "app.test"}, "GET /set?a=1 : Domain=app.test"),
    "It comes with links from other sites": ({}, "GET /set?a=1 : SameSite=lax"),
    "It can stay away from other sites": ({"same_site": "strict"}, "GET /set?a=1 : SameSite=strict"),
    "It can go to other sites": ({"same_site": "none", "secure": True}, "GET /set?a=1 : SameSite=none, Secure"),
    "It lives as long as the session": ({"idle": 60}, "GET /set?a=1 : Max-Age=60"),
    "It can end with the browser": ({"until_closed": True}, "GET /set?a=1 : cookie, no Max-Age, no Expires"),
    "It is secure where told": ({"secure": True}, "GET /set?a=1 : Secure"),
    "It is secure as the request came": ({"https": True}, "GET /set?a=1 : Secure"),
    "It is not secure over plain HTTP": ({}, "GET /set?a=1 : no Secure"),
    "It is never secure where told": ({"https": True, "secure": False}, "GET /set?a=1 : no Secure"),
    "Its name can be chosen": ({"cookie": "session_id"}, "GET /set?a=1 : name session_id; GET /read : body {'a': '1'}"),
    "Cookies of the app stay": ({}, "GET /own : header own=1, cookie"),
    "An app's cookie is there without a session": ({}, "GET /ownonly : header own=1, no session"),
    # ---- rolling
    "A change sends the cookie again": ({}, "GET /set?a=1 : cookie; GET /set?a=2 : cookie, same"),
    "Setting what was there sends nothing": ({}, "GET /set?a=1 : cookie; GET /set?a=1 : no cookie"),
    "A read between touches sends nothing": ({}, "GET /set?a=1 : cookie; GET /read : no cookie"),
    "A touch rolls the cookie": ({}, "GET /set?a=1 : ; REST; GET /read : cookie, same"),
    "A cookie that does not roll stays": ({"rolling": False}, "GET /set?a=1 : ; REST; GET /read : no cookie"),
    "It does not roll for visitors without a session": ({}, "GET /read : no cookie, keys 0"),
    "One that does not roll comes with a change": (
        {"rolling": False},
        "GET /set?a=1 : ; GET /set?a=2 : cookie, same",
    ),
    "An untouched session does not roll": ({}, "GET /set?a=1 : ; REST; GET /plain : no cookie, commands 0"),
    # ---- resave, saveUninitialized
    "What is unchanged is not written": ({}, "GET /set?a=1 : ; GET /read : unwritten; GET /set?a=1 : unwritten"),
    "What is changed is written": ({}, "GET /set?a=1 : ; GET /set?a=2 : written, body {'a': '2'}"),
    "A change inside of a value is written": ({}, "GET /deep : body [1]; GET /deep : written, body [1, 2]"),
    "What is changed and changed back is not written": ({}, "GET /set?a=1 : ; GET /flip : unwritten, no cookie"),
    "A field named cookie is seen inside": (
        {},
        "GET /deepcookie : body 1; GET /deepcookie : written, body 2",
    ),
    "A removed field is written": ({}, "GET /set?a=1&b=2 : ; GET /drop?a : written, body {'b': '2'}"),
    "A removed field that was not there is nothing": ({}, "GET /set?a=1 : ; GET /drop?z : unwritten, no cookie"),
    "All fields removed leave a session": ({}, "GET /set?a=1 : ; GET /clear : written, keys 1, body {}"),
    "A visitor without data is not stored": ({}, "GET /read : keys 0, no cookie, body {}"),
    "A visitor without data is not touched": ({}, "GET /read : commands 0"),
    "Fields set and taken back are no session": ({}, "GET /undo : keys 0, no cookie"),
    "An empty session is not stored when cleared": ({}, "GET /clear : keys 0, no cookie"),
    # ---- secrets
    "Several secrets sign": ({"secret": [NEW, OLD]}, "GET /set?a=1 : cookie; GET /read : body {'a': '1'}"),
    "The first secret signs": ({"secret": [NEW, OLD]}, f"GET /set?a=1 : signed {NEW}"),
    "Every secret is accepted": ({"secret": [NEW, OLD]}, f"GET /set?a=1 : ; SIGN {OLD}; GET /read : body {{'a': '1'}}"),
    "An old signature is renewed": ({"secret": [NEW, OLD]}, f"GET /set?a=1 : ; SIGN {OLD}; GET /read : signed {NEW}"),
    "A dropped secret is not accepted": ({"secret": [NEW]}, f"GET /set?a=1 : ; SIGN {OLD}; GET /read : body {{}}"),
    "An old signature is renewed once": (
        {"secret": [NEW, OLD]},
        f"GET /set?a=1 : ; SIGN {OLD}; GET /read : cookie, same; GET /read : no cookie",
    ),
    "An old signature waits for who asks": (
        {"secret": [NEW, OLD]},
        f"GET /set?a=1 : ; SIGN {OLD}; GET /plain : no cookie; GET /read : signed {NEW}",
    ),
    # ---- destroy, regenerate
    "A destroyed session is not in the store": ({}, "GET /set?a=1 : keys 1; GET /destroy : keys 0"),
    "A destroyed session's cookie is removed": ({}, "GET /set?a=1 : ; GET /destroy : removed"),
    "A cookie is removed where it was set": (
        {"path": "/admin", "domain": "app.test"},
        "GET /set?a=1 : ; GET /destroy : removed, Path=/admin, Domain=app.test, HttpOnly",
    ),
    "A destroyed session's id is not used again": (
        {},
        "GET /set?a=1 : ; KEEP; GET /destroy : ; RETURN; GET /set?b=1 : cookie, new, body {'b': '1'}",
    ),
    "Destroying twice is as once": ({}, "GET /set?a=1 : ; KEEP; GET /destroy : ; RETURN; GET /destroy : keys 0"),
    "Destroying nothing makes nothing": ({}, "GET /destroy : keys 0, no session"),
    "After the end a session is another": ({}, "GET /set?a=1 : ; GET /again : cookie, new, keys 1, body {'z': 1}"),
    "Emptying keeps the session": ({}, "GET /set?a=1 : ; GET /clear : keys 1; GET /set?b=1 : same"),
    "A new id is another": ({}, "GET /set?a=1 : ; GET /rotate : cookie, new, keys 1"),
    "A new id has the data": ({}, "GET /set?a=1 : ; GET /rotate : body {'a': '1'}; GET /read : body {'a': '1'}"),
    "The old id is worth nothing": ({}, "GET /set?a=1 : ; KEEP; GET /rotate : ; RETURN; GET /read : body {}"),
    "The old id makes no session": ({}, "GET /set?a=1 : ; KEEP; GET /rotate : ; RETURN; GET /read : keys 1"),
    "Of many new ids the last one holds": (
        {},
        "GET /set?a=1 : ; GET /rotate : new; KEEP; GET /rotate : new, keys 1; RETURN; GET /read : body {}",
    ),
    "A new id lives as long": ({"idle": 60}, "GET /set?a=1 : ; GET /rotate : ttl 60"),
    "A new id without data is no session": ({}, "GET /rotate : keys 0, no cookie"),
    "A new id and a change are one": (
        {},
        "GET /set?a=1 : ; GET /rotateset : new, keys 1, body {'a': '1', 'z': 1}",
    ),
    # ---- reload, save
    "A reload sees what others wrote": ({}, "GET /set?a=1 : ; GET /reload : body {'a': 'theirs'}"),
    "A reload keeps the id": ({}, "GET /set?a=1 : ; GET /reload : same, no cookie"),
    "A reload forgets what was not kept": ({}, "GET /set?a=1 : ; GET /reloadmine : body {'a': '1'}, unwritten"),
    "A reload of what has ended is empty": ({}, "GET /set?a=1 : ; GET /reloadgone : body {}, keys 0"),
    "Many reloads are as one": ({}, "GET /set?a=1 : ; GET /reloadmany : body {'a': '1'}"),
    "An early save is in the store": ({}, "GET /save : body True, cookie, keys 1"),
    "An early save is not repeated": ({}, "GET /save : ; GET /savetwice : saves 1"),
    "A change after an early save is kept": ({}, "GET /savethen : ; GET /read : body {'a': 1, 'b': 2}"),
    "A session reloaded and saved is one session": ({}, "GET /set?a=1 : ; GET /reloadsave : keys 1, unwritten"),
    # ---- times
    "A session ends after its time": ({"idle": 60}, "GET /set?a=1 : ttl 60"),
    "A touch starts its time anew": ({"idle": 60}, "GET /set?a=1 : ; REST; GET /read : ttl 60"),
    "A write starts its time anew": ({"idle": 60}, "GET /set?a=1 : ; REST; GET /set?a=2 : ttl 60"),
    "A touch rewrites nothing": ({}, "GET /set?a=1 : ; REST; GET /read : unwritten"),
    "A touch keeps the id": ({}, "GET /set?a=1 : ; REST; GET /read : same"),
    "A session until the browser closes ends as well": ({"until_closed": True}, "GET /set?a=1 : ttl 86400"),
    "Time begins for each session": ({"idle": 60}, "GET /set?a=1 : ; FORGET; GET /set?a=1 : ttl 60, keys 2"),
    # ---- the record
    "A record that is none is no session": ({}, "GET /set?a=1 : ; SPOIL; GET /read : status 200, body {}"),
    "A record that is none is replaced": ({}, "GET /set?a=1 : ; SPOIL; GET /set?b=1 : cookie, new, body {'b': '1'}"),
    "Unicode survives": ({}, "GET /set?a=%C3%A9%F0%9F%99%82 : ; GET /read : body {'a': 'é🙂'}"),
    "Every kind of value survives": ({}, "GET /kinds : ; GET /kinds : same, unwritten"),
    "A large session survives": ({}, "GET /large : ; GET /large : same, unwritten"),
}


async def view(request):  # noqa: PLR0911, PLR0912, PLR0915 - an act for each path
    """Do what the path says; answer the session."""
    act = request.url.path[1:]
    if act in {"plain", "ownonly"}:
        return JSONResponse({}, headers={"set-cookie": "own=1"} if act == "ownonly" else None)
    session = await session_of(request)
    match act:
        case "set":
            session.update(request.query_params)
        case "drop":
            for name in request.query_params:
                session.pop(name, None)
        case "clear":
            session.clear()
        case "undo":
            session["a"] = 1
            del session["a"]
        case "flip":
            session["a"] = "2"
            session["a"] = "1"
        case "names":
            return sorted(session)
        case "count":
            session["n"] = session.get("n", 0) + 1
            return session["n"]
        case "fail":
            session["a"] = 1
            return JSONResponse({}, 500)
        case "deep":
            session.setdefault("list", []).append(len(session["list"]) + 1)
            return session["list"]
        case "deepcookie":
            user = session.setdefault("user", {"cookie": 0})
            user["cookie"] += 1
            return user["cookie"]
        case "empty" | "pieces" | "sized" | "own":
            session["hit"] = True
            return RESPONSES[act]()
        case "destroy":
            await session.destroy()
        case "again":
            await session.destroy()
            session["z"] = 1
        case "rotate":
            await session.rotate()
        case "rotateset":
            session["z"] = 1
            await session.rotate()
        case "reload":
            other = await session_of_key(session)
            other["a"] = "theirs"
            await other.commit()
            await session.reload()
        case "reloadmine":
            session["a"] = "mine"
            await session.reload()
        case "reloadgone":
            await session.store.destroy(session.id)
            await session.reload()
        case "reloadmany":
            for _ in range(20):
                await session.reload()
        case "reloadsave":
            await session.reload()
            await session.commit()
        case "save" | "savetwice":
            session["hit"] = True
            await session.commit()
            return bool(await session.store.load(session.id))
        case "savethen":
            session["a"] = 1
            await session.commit()
            session["b"] = 2
        case "kinds":
            session["kinds"] = [1, -1, 0.5, True, None, "", "\u2028", {"": {}}, [[]]]
        case "large":
            session["large"] = "x" * 60_000
    return dict(session)


async def pieces():
    for piece in ("hello, ", "world"):
        yield piece


RESPONSES = {
    "empty": lambda: PlainTextResponse(headers={"content-length": "0"}),
    "pieces": lambda: StreamingResponse(pieces()),
    "sized": lambda: PlainTextResponse("session saved"),
    "own": lambda: PlainTextResponse(headers={"set-cookie": "own=1"}),
}


async def session_of_key(session):
    """Return another request's view of the same session."""
    return await Session(session.store, session.id).load()


class Visit:
    """A browser's steps: requests, what others do meanwhile (in capitals), and what is seen."""

    def __init__(self, redis, form, options):
        self.redis = redis
        https, idle = options.pop("https", False), options.pop("idle", 86_400)
        self.name = options.setdefault("cookie", "sid")
        store = SessionStore(redis, format=form, idle=idle, deadline=10)
        given = {"secret": NEW, "secure": "auto", **options}
        self.middleware = SessionMiddleware(app_of(view), store=store, **given)
        self.browser = browser(self.middleware, https=https)
        self.cookie = self.kept = ""

    async def take(self, step):
        """Take one step and compare what is seen with what is said."""
        request, _, wanted = f"{step} ".partition(" : ")
        if not request.startswith("GET "):
            return await self.meanwhile(*request.split())
        _, path, *headers = request.split()
        before, self.before = self.cookie, await self.records()
        sent = self.redis.stats.commands.copy()
        lines = {"cookie": self.cookie} if self.cookie else {}
        self.answer = await self.browser.get(path, headers=lines | dict(line.split("=") for line in headers))
        self.calls = (self.redis.stats.commands - sent).total()
        self.browser.cookies.clear()
        sent = [line for line in self.answer.headers.get_list("set-cookie") if not line.startswith("own=")]
        self.line = sent[0] if sent else ""
        if self.line:
            self.cookie = "" if "Max-Age=0" in self.line else self.line.partition(";")[0]
        self.changed = self.sid(self.cookie) != self.sid(before)
        for check in re.split(r", (?![^\[{]*[\]}])(?!world)", wanted) if wanted.strip() else []:
            assert await self.sees(*check.strip().partition(" ")[::2]), (step, check, self.line, self.answer.text)
        return None

    async def sees(self, what, value):  # noqa: PLR0911, PLR0912 - a word each
        """Say whether something is seen."""
        match what:
            case "cookie":
                return self.line.startswith(self.name + "=")
            case "no":
                return {
                    "cookie": not self.line,
                    "session": not self.line or "Max-Age=0" in self.line,
                    "vary": "vary" not in self.answer.headers,
                }.get(value, bool(self.line) and value not in self.line)
            case "name":
                return self.line.startswith(value + "=")
            case "new" | "same":
                return (what == "new") == self.changed
            case "removed":
                return "Max-Age=0" in self.line
            case "vary":
                return self.answer.headers["vary"] == "Cookie"
            case "status":
                return self.answer.status_code == int(value)
            case "body":
                return self.answer.json() == eval(value)
            case "text":
                return self.answer.text == value
            case "header":
                return value in self.answer.headers.get_list("set-cookie")
            case "keys":
                return await self.redis.dbsize() == int(value)
            case "commands" | "saves":
                return self.calls <= int(value) + (what == "saves") * 2
            case "written" | "unwritten":
                return (what == "written") == (self.before != await self.records())
            case "ttl":
                return all([int(value) - 5 <= await self.redis.ttl(key) <= int(value) for key in await self.records()])
            case "signed":
                signer = type(self.middleware.signer)(value)
                return signer.verify(self.cookie.partition("=")[2]) is not None
        return f"; {what}" in self.line

    async def meanwhile(self, act, value=""):  # noqa: PLR0912 - a word each
        """Do what somebody else does to the cookie or the store."""
        match act:
            case "FORGET":
                self.cookie = ""
            case "KEEP":
                self.kept = self.cookie
            case "RETURN":
                self.cookie = self.kept
            case "CLEAR":
                await self.redis.delete(*await self.records())
            case "EXPIRE" | "REST":
                for key in await self.records():
                    await self.redis.pexpire(key, 0 if act == "EXPIRE" else 20_000)
            case "SPOIL":
                for key in await self.records():
                    await self.redis.set(key, "{no JSON")
            case "UNSIGN":
                self.cookie = f"{self.name}={self.sid(self.cookie)}"
            case "TAMPER":
                self.cookie = re.sub(r"...(\.[^.]*)$", r"xyz\1", self.cookie)
            case "SIGN":
                signer = type(self.middleware.signer)(value)
                self.cookie = f"{self.name}={signer.sign(self.sid(self.cookie))}"
            case "RENAME":
                self.cookie = value + "=" + self.cookie.partition("=")[2]
            case "COOKIE":
                self.cookie = value
            case "BEFORE":
                self.cookie = f"{value}; {self.cookie}"

    def sid(self, cookie):
        """Return the id in a cookie, as anybody can read it."""
        return re.sub(r"^s%3A", "", cookie.rpartition("=")[2]).rpartition(".")[0]

    async def records(self):
        """Return what is in the store, without times."""
        return {key: await self.redis.dump(key) for key in sorted([key async for key in self.redis.scan_iter()])}


@pytest.mark.parametrize("engine", ["valkey"], indirect=True, scope="session")  # both are tried by tests/sessions
@pytest.mark.parametrize("form", ["native", "express"])
@pytest.mark.parametrize("case", CASES)
async def test_a_session_is_what_express_apps_know(redis, form, case):
    """The row says it."""
    options, steps = CASES[case]
    visit = Visit(redis, form, dict(options))
    async with visit.browser:
        for step in re.split(r"; (?=[A-Z])", steps):
            await visit.take(step)


def test_the_cases_are_about_as_many():
    """A row stands for one case of theirs or for several that say the same."""
    assert 120 <= len(CASES)


async def test_the_life_of_a_record_of_connect_redis(redis):
    """Its times are those of connect-redis: the cookie's, a day without one, and none that has passed."""
    store = SessionStore(redis, format="express", idle=60)
    key = store.records.key("123")
    about = {"expires": None, "httpOnly": True, "path": "/"}

    async def ttl_of(**cookie):
        await redis.set(key, json.dumps({"foo": "bar", "cookie": about | cookie}), px=5000)
        record = await store.load("123")
        return record and (record.values, round(await redis.pttl(key), -3) // 1000)

    assert await store.load("123") is None
    assert ({"foo": "bar"}, 86_400) == await ttl_of(originalMaxAge=None)
    assert ({"foo": "bar"}, 300) == await ttl_of(originalMaxAge=300_000)
    assert ({"foo": "bar"}, 300) == await ttl_of(originalMaxAge=300_000, expires="2020-01-01T00:00:00.000Z")
    assert await ttl_of(originalMaxAge=-1) is None
    assert await ttl_of(expires="2020-01-01T00:00:00.000Z") is None
    assert await store.destroy("123")
    assert not await store.destroy("123")
    assert 0 == await redis.dbsize()
