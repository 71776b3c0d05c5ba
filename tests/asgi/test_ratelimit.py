"""A limit in front of an app."""

from redyard import RateLimit
from redyard.asgi.ratelimit import RateLimitMiddleware, peer
from tests.asgi.apps import app_of, browser


async def view(request):
    return {"ok": True}


async def test_a_client_beyond_its_budget_gets_429(redis):
    """And is told when to come back."""
    app = RateLimitMiddleware(app_of(view), limit=RateLimit(redis, "site", limit=2, per=60))
    async with browser(app) as visitor:
        responses = [await visitor.get("/") for _ in range(3)]

    assert [200, 200, 429] == [response.status_code for response in responses]
    assert ['"site";r=1;t=0', '"site";r=0;t=0', '"site";r=0;t=30'] == [
        response.headers["ratelimit"] for response in responses
    ]
    assert '"site";q=2;w=60' == responses[0].headers["ratelimit-policy"]
    assert "30" == responses[2].headers["retry-after"]
    assert "retry-after" not in responses[0].headers


async def test_the_app_says_who_a_client_is(redis):
    """By a key of its own, or by address."""
    limit = RateLimit(redis, "site", limit=1)
    app = RateLimitMiddleware(app_of(view), limit=limit, client=lambda scope: scope["path"])
    async with browser(app) as visitor:
        statuses = [(await visitor.get(path)).status_code for path in ("/a", "/b", "/a")]

    assert [200, 200, 429] == statuses
    assert ["::1", "unknown"] == [peer({"client": ("::1", 5)}), peer({"client": None})]


async def test_other_scopes_pass_through(redis):
    """A lifespan is nobody's request."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    await RateLimitMiddleware(lifespan, limit=RateLimit(redis, "site"))({"type": "lifespan"}, None, None)

    assert [{"type": "lifespan"}] == seen
