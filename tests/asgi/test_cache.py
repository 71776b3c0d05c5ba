"""Whole responses from the cache, by HTTP's rules."""

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from redyard import Cache
from redyard.asgi.cache import CacheMiddleware
from tests.asgi.apps import app_of, browser
from tests.support.clients import client


class View:
    """A view that counts, and answers with the headers it was given."""

    def __init__(self, headers=None, status=200):
        self.headers = headers or {}
        self.status = status
        self.runs = 0

    async def __call__(self, _):
        self.runs += 1
        return JSONResponse({"run": self.runs}, self.status, self.headers)


def cached(redis, view, **options):
    """The view behind the middleware."""
    return browser(CacheMiddleware(app_of(view), cache=Cache(redis), **options))


async def runs(redis, view, *requests, **options):
    """Return which run of the view answered each request: its headers, or its method and path."""
    found = []
    async with cached(redis, view, **options) as visitor:
        for headers in requests:
            response = await visitor.get("/", headers=headers)
            found.append(response.json()["run"])
    return found


@pytest.mark.parametrize("said", ["max-age=60", "public, s-maxage=60, max-age=0", 'MAX-AGE="60"'])
async def test_a_response_that_may_be_kept_is(redis, said):
    """For as long as it says, with its age; the app runs once."""
    view = View({"cache-control": said})
    async with cached(redis, view) as visitor:
        first, second = await visitor.get("/a?b=1"), await visitor.get("/a?b=1")

    assert (1, first.content) == (view.runs, second.content)
    assert ("0", said, None) == (second.headers["age"], second.headers["cache-control"], first.headers.get("age"))
    assert 55 <= await redis.ttl("cache:http://app.test/a?b=1") <= 60


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cache-control": "no-store"},
        {"cache-control": "private, max-age=60"},
        {"cache-control": "no-cache, max-age=60"},
        {"cache-control": "max-age=0"},
        {"cache-control": "max-age=60", "set-cookie": "a=b"},
        {"cache-control": "max-age=60", "vary": "*"},
        {"cache-control": "max-age=soon"},
    ],
    ids=str,
)
async def test_a_response_that_may_not_be_kept_is_not(redis, headers):
    """By what it says of itself, or does not say."""
    assert [1, 2] == await runs(redis, View(headers), {}, {})
    assert 0 == await redis.dbsize()


async def test_the_middleware_may_say_for_how_long(redis):
    """For responses that say nothing; browsers ask by the ETag each time."""
    async with cached(redis, View(), ttl=60) as visitor:
        responses = [await visitor.get("/") for _ in range(2)]

    assert [1, 1] == [response.json()["run"] for response in responses]
    assert ["no-cache"] * 2 == [response.headers["cache-control"] for response in responses]


@pytest.mark.parametrize(("status", "headers", "kept"), [(404, {}, False), (404, {"cache-control": "max-age=9"}, True)])
async def test_other_statuses_are_kept_when_they_say_so(redis, status, headers, kept):
    """An error by accident is not."""
    assert [1, 1 if kept else 2] == await runs(redis, View(headers, status), {}, {}, ttl=60)


@pytest.mark.parametrize("secret", [{"cookie": "a=b"}, {"authorization": "Bearer x"}])
async def test_what_a_visitor_is_given_is_private(redis, secret):
    """It is neither kept nor taken from what was kept for all, and the response says so."""
    view = View()
    async with cached(redis, view, ttl=60) as visitor:
        responses = [await visitor.get("/", headers=headers) for headers in ({}, secret, secret, {})]

    assert [1, 2, 3, 1] == [response.json()["run"] for response in responses]
    assert "private, no-cache" == responses[1].headers["cache-control"]


async def test_what_is_said_to_be_public_is_for_visitors_too(redis):
    """Only the app can say so."""
    view = View({"cache-control": "public, max-age=60"})

    assert [1, 1] == await runs(redis, view, {"cookie": "a=b"}, {"cookie": "c=d"})


async def test_responses_that_vary_are_kept_apart(redis):
    """By the request's headers that the response names."""
    view = View({"cache-control": "max-age=60", "vary": "Accept-Language, X-Unit"})
    english, german = {"accept-language": "en"}, {"accept-language": "de"}

    assert [1, 2, 1, 2, 3] == await runs(redis, view, english, german, english, german, {**german, "x-unit": "m"})


async def test_an_etag_spares_the_body(redis):
    """304 from the cache and from the app, for what is kept and for what is private."""
    for headers in ({"cache-control": "max-age=60"}, {"cache-control": "private"}, {"etag": '"mine"'}):
        async with cached(redis, lambda _, headers=headers: text("same", headers)) as visitor:
            first = await visitor.get(f"/{len(headers)}{len(str(headers))}")
            tag = first.headers["etag"]
            again = [
                await visitor.get(first.url.path, headers={"if-none-match": given})
                for given in (tag, f'"other", {tag.removeprefix("W/")}', "*", '"other"')
            ]

        assert [304, 304, 304, 200] == [response.status_code for response in again]
        assert b"" == again[0].content
        assert tag == again[0].headers["etag"]
        assert "content-length" not in again[0].headers


async def text(body, headers):
    """A response with a body."""
    return PlainTextResponse(body, headers=headers)


async def test_a_request_may_ask_for_a_new_response(redis):
    """By no-cache, whose answer is kept; by no-store, whose is not."""
    view = View({"cache-control": "max-age=60"})
    wishes = [{}, {"cache-control": "no-cache"}, {}, {"cache-control": "no-store"}, {}]

    assert [1, 2, 2, 3, 2] == await runs(redis, view, *wishes)


async def test_head_is_answered_from_what_get_kept(redis):
    """Without its body; alone it keeps nothing."""
    view = View({"cache-control": "max-age=60"})
    async with cached(redis, view) as visitor:
        await visitor.head("/")
        got = await visitor.get("/")
        head = await visitor.head("/")

    assert (2, b"") == (view.runs, head.content)
    assert got.headers["content-length"] == head.headers["content-length"]


@pytest.mark.parametrize("change", [{"method": "POST"}, {"headers": {"range": "bytes=0-1"}}])
async def test_other_requests_pass(redis, change):
    """They are nobody's to keep."""
    view = View({"cache-control": "max-age=60"})
    async with cached(redis, view) as visitor:
        for _ in range(2):
            await visitor.request(**{"method": "GET", "url": "/", **change})

    assert (2, 0) == (view.runs, await redis.dbsize())


async def test_a_stream_passes_as_it_comes(redis):
    """Nobody knows its size; and what is too large is not kept either."""

    async def parts():
        for part in ("a", "b"):
            yield part

    async def stream(_):
        return StreamingResponse(parts(), headers={"cache-control": "max-age=60"})

    async def large(_):
        return Response("x" * 200, headers={"cache-control": "max-age=60"})

    for view, expected in ((stream, "ab"), (large, "x" * 200)):
        async with cached(redis, view, body_limit=100) as visitor:
            response = await visitor.get("/")
        assert (expected, None) == (response.text, response.headers.get("etag"))
    assert 0 == await redis.dbsize()


async def test_parts_of_a_known_size_are_kept(redis):
    """As whole as a response in one piece."""

    async def parts():
        for part in ("a", "b"):
            yield part

    async def view(_):
        return StreamingResponse(parts(), headers={"cache-control": "max-age=60", "content-length": "2"})

    async with cached(redis, view) as visitor:
        responses = [await visitor.get("/") for _ in range(2)]

    assert ["ab", "ab"] == [response.text for response in responses]
    assert "age" in responses[1].headers


async def test_responses_are_invalidated_by_tag(redis):
    """Which the app gives them."""
    cache, view = Cache(redis), View({"cache-control": "max-age=60", "vary": "accept"})
    app = CacheMiddleware(app_of(view), cache=cache, tags=lambda scope: [scope["path"]])
    async with browser(app) as visitor:
        await visitor.get("/a")
        await cache.invalidate_tag("/a")

        assert 2 == (await visitor.get("/a")).json()["run"]


async def test_without_redis_the_app_answers():
    """A cache is never the reason for an error."""
    async with client("redis://127.0.0.1:1") as redis:
        assert [1, 2] == await runs(redis, View({"cache-control": "max-age=60"}), {}, {})


async def test_other_scopes_pass_through(redis):
    """A lifespan is nobody's request."""
    seen = []

    async def lifespan(scope, receive, send):
        seen.append(scope)

    await CacheMiddleware(lifespan, cache=Cache(redis))({"type": "lifespan"}, None, None)

    assert [{"type": "lifespan"}] == seen
