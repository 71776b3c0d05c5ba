"""Limits in front of an app."""

import json
import re

import pytest
from fastapi import Depends, FastAPI, Header

from redyard import RateLimit
from redyard.asgi.budgets import Budget
from redyard.asgi.fastapi import answer_problems, rate_limited
from redyard.asgi.ratelimit import RateLimitMiddleware
from redyard.errors import BadKey, InvalidValue
from tests.asgi.apps import app_of, browser
from tests.support.clients import client

EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
REDUCED = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"


async def view(request):
    return {"ok": True}


async def statuses(app, *requests):
    """The status of each request: a path, or a path and headers."""
    async with browser(app) as visitor:
        asked = [(one, {}) if isinstance(one, str) else one for one in requests]
        return [(await visitor.get(path, headers=headers)).status_code for path, headers in asked]


async def test_a_client_beyond_its_budget_gets_429(redis):
    """And is told by the fields of the draft when to come back."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=2, per=60))
    async with browser(app) as visitor:
        responses = [await visitor.get("/") for _ in range(3)]

    assert [200, 200, 429] == [response.status_code for response in responses]
    assert ['"site";r=1;t=30', '"site";r=0;t=30', '"site";r=0;t=30'] == [
        response.headers["ratelimit"] for response in responses
    ]
    assert {'"site";q=2;w=60'} == {response.headers["ratelimit-policy"] for response in responses}
    assert "retry-after" not in responses[0].headers


async def test_a_refusal_is_a_problem(redis):
    """RFC 9457's form, which no cache keeps."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=1))
    async with browser(app) as visitor:
        await visitor.get("/")
        refused = await visitor.get("/")

    assert (429, EXCEEDED, ["site"]) == tuple(refused.json()[name] for name in ("status", "type", "violated-policies"))
    assert "application/problem+json" == refused.headers["content-type"]
    assert "no-store" == refused.headers["cache-control"]


@pytest.mark.parametrize(("per", "earliest", "latest"), [(60, 60, 66), (1, 1, 2), (0.5, 1, 2)])
async def test_who_comes_back_at_retry_after_comes_late_enough(redis, per, earliest, latest):
    """Never before the reset; and clients that wait together come apart."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=1, per=per))
    async with browser(app) as visitor:
        responses = [await visitor.get("/") for _ in range(60)]
    refused = [response.headers for response in responses if response.status_code == 429]
    waits = {int(headers["retry-after"]) for headers in refused}

    assert waits <= set(range(earliest - 1, latest + 1))
    assert 1 < len(waits)
    for headers in refused:
        assert int(headers["retry-after"]) >= int(re.search(r"t=(\d+)", headers["ratelimit"])[1])


async def test_a_forged_address_changes_nothing(redis):
    """Neither without a proxy nor behind one, which appends what it saw."""
    forged = [("/", {"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(2)]
    behind = [("/", {"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.5"}) for n in range(2)]
    other = ("/", {"X-Forwarded-For": "198.51.100.1, 203.0.113.6"})
    direct = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "direct", limit=1))
    proxied = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "proxied", limit=1), proxies=1)

    assert [200, 429] == await statuses(direct, *forged)
    assert [200, 429, 200] == await statuses(proxied, *behind, other)


async def test_an_ipv6_customer_has_one_budget(redis):
    """However many addresses the network has."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=1), proxies=1)
    addresses = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::1", "2001:db8:1:3::1"]

    assert [200, 429, 200] == await statuses(app, *(("/", {"X-Forwarded-For": one}) for one in addresses))


async def test_budgets_by_address_user_and_route(redis):
    """All that are for a request count it, or none does; a refusal names those that refuse."""
    app = RateLimitMiddleware(
        app_of(view),
        budgets=[
            Budget(RateLimit(redis, "address", limit=9, per=9)),
            Budget(
                RateLimit(redis, "user", limit=2, per=9),
                client=lambda scope: scope.get("query_string", b"").decode() or None,
            ),
            Budget(RateLimit(redis, "sign-in", limit=1, per=9), paths=["/sign-in"]),
        ],
    )
    asked = ["/sign-in", "/sign-in", "/a?ada", "/a?ada", "/a?ada", "/a?bob", "/sign-ins"]
    async with browser(app) as visitor:
        responses = [await visitor.get(path) for path in asked]

    assert [200, 429, 200, 200, 429, 200, 200] == [response.status_code for response in responses]
    assert '"address";r=8;t=1, "sign-in";r=0;t=9' == responses[0].headers["ratelimit"]
    assert '"address";q=9;w=9, "sign-in";q=1;w=9' == responses[0].headers["ratelimit-policy"]
    assert ["sign-in"] == responses[1].json()["violated-policies"]
    assert responses[4].headers["ratelimit"].startswith('"user";r=0;t=')
    assert re.match(r'"address";r=[34];', responses[6].headers["ratelimit"])


async def test_a_budget_may_be_for_some_methods_and_cost_more(redis):
    """To read is free here."""
    limit = RateLimit(redis, "site", limit=5)
    app = RateLimitMiddleware(app_of(view), budgets=[Budget(limit, methods=["POST"], cost=3)])
    async with browser(app) as visitor:
        read = await visitor.get("/")
        written = [(await visitor.post("/")).status_code for _ in range(2)]

    assert "ratelimit" not in read.headers
    assert [200, 429] == written


async def test_a_burst_and_a_strange_name_are_told(redis):
    """The draft wants parameters of one's own to bear one's name."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, 'a"b\\c', limit=60, per=60, burst=3))
    async with browser(app) as visitor:
        response = await visitor.get("/")

    assert r'"a\"b\\c";q=60;w=60;redyard-burst=3' == response.headers["ratelimit-policy"]


async def test_a_policy_that_closes_says_503():
    """Nobody exceeded anything: Redis is away."""
    async with client("redis://127.0.0.1:1") as redis:
        closed = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", on_error="closed"))
        insured = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=1))
        async with browser(closed) as visitor:
            refused = await visitor.get("/")

        assert [200, 429] == await statuses(insured, "/", "/")
    assert (503, REDUCED) == (refused.status_code, refused.json()["type"])
    assert 1 <= int(refused.headers["retry-after"]) <= 2


async def test_a_websocket_is_counted(redis):
    """It is refused before it is accepted."""
    sent = []

    async def accept(scope, receive, send):
        await send({"type": "websocket.accept"})

    async def connect():
        return {"type": "websocket.connect"}

    async def collect(message):
        sent.append(message)

    app = RateLimitMiddleware(accept, limit=RateLimit(redis, "site", limit=1))
    for _ in range(2):
        await app({"type": "websocket", "path": "/", "headers": [], "client": ("::1", 1)}, connect, collect)

    assert [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 1008}] == sent


async def test_other_scopes_pass_through(redis):
    """A lifespan is nobody's request."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    await RateLimitMiddleware(lifespan, limit=RateLimit(redis, "site"))({"type": "lifespan"}, None, None)

    assert [{"type": "lifespan"}] == seen


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("site", {"paths": ["api"]}, InvalidValue),
        ("site", {"paths": "/api"}, InvalidValue),
        ("site", {"cost": 0}, InvalidValue),
        ("größe", {}, BadKey),
    ],
)
def test_what_cannot_be_a_budget_is_refused_at_once(redis, name, options, error):
    """Where the app is made."""
    with pytest.raises(error):
        Budget(RateLimit(redis, name), **options)


# ---- FastAPI


def fastapi_app(**dependencies):
    """An app whose routes have these dependencies."""
    app = FastAPI()
    answer_problems(app)
    for path, dependency in dependencies.items():
        app.add_api_route(f"/{path}", lambda: {"ok": True}, dependencies=[Depends(dependency)])
    return app


async def test_a_route_has_a_limit_of_its_own(redis):
    """As a dependency; the fields and the problem are the middleware's."""
    app = fastapi_app(a=rate_limited(RateLimit(redis, "a", limit=1, per=9)), b=lambda: None)
    async with browser(app) as visitor:
        responses = [await visitor.get(path) for path in ("/a", "/b", "/a")]

    assert [200, 200, 429] == [response.status_code for response in responses]
    assert ('"a";q=1;w=9', '"a";r=0;t=9') == tuple(
        responses[0].headers[name] for name in ("ratelimit-policy", "ratelimit")
    )
    assert "ratelimit" not in responses[1].headers
    assert "application/problem+json" == responses[2].headers["content-type"]
    assert ["a"] == responses[2].json()["violated-policies"]
    assert 9 <= int(responses[2].headers["retry-after"]) <= 10


async def test_a_dependency_says_who_asks(redis):
    """Such as the one that knows the signed-in user; None is not counted."""

    def user(x_user: str | None = Header(None)):
        return x_user

    app = fastapi_app(a=rate_limited(RateLimit(redis, "a", limit=4), client=user, cost=3))
    asked = [("/a", {"X-User": name}) for name in ("ada", "ada", "bob")]

    assert [200, 429, 200, 200] == await statuses(app, *asked, "/a")


async def test_without_the_handler_the_status_and_the_fields_are_the_same(redis):
    """FastAPI's own answer to an HTTPException."""
    app = FastAPI(dependencies=[Depends(rate_limited(RateLimit(redis, "a", limit=1), proxies=1))])
    app.add_api_route("/", lambda: {"ok": True})
    async with browser(app) as visitor:
        await visitor.get("/")
        refused = await visitor.get("/")

    assert {"detail": "Too many requests"} == json.loads(refused.content)
    assert {"retry-after", "ratelimit", "ratelimit-policy"} <= set(refused.headers)
