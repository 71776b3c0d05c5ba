"""What Prometheus scrapes."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from redyard.asgi.metrics import MetricsApp
from tests.asgi.apps import browser
from tests.support.clients import client


async def scrape(redis, *, method="GET", headers=None, **options):
    metrics = MetricsApp(redis, **options)
    try:
        async with browser(Starlette(routes=[Mount("/metrics", metrics)])) as visitor:
            return await visitor.request(method, "/metrics/", headers=headers)
    finally:
        metrics.close()


async def queue_figures():
    return "redyard_queue_paused 0"


async def broken():
    raise ValueError("hunter2")


async def test_a_scrape_has_server_client_events_and_more(redis):
    """In Prometheus's format."""
    response = await scrape(redis, extra=[queue_figures])

    assert (200, "text/plain; version=0.0.4; charset=utf-8") == (response.status_code, response.headers["content-type"])
    wanted = ("redis_up 1\n", "redyard_client_connects_total", 'redyard_events_total{kind="redis.away"} ')
    assert [] == [part for part in (*wanted, "redyard_queue_paused 0\n") if part not in response.text]


async def test_a_server_that_is_away_is_down():
    """The process's own figures are there, and no address shows."""
    async with client("redis://:hunter2@127.0.0.1:1") as redis:
        response = await scrape(redis)

    assert 200 == response.status_code
    assert "redis_up 0\n" in response.text
    assert "redyard_client_lost_total" in response.text
    assert "hunter2" not in response.text


async def test_a_source_that_fails_costs_no_other(redis, caplog):
    """It is logged without its message."""
    response = await scrape(redis, extra=[broken, queue_figures])

    assert "redyard_queue_paused 0\n" in response.text
    assert "ValueError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(("given", "status"), [("Bearer right", 200), ("Bearer wrong", 401), ("", 401)])
async def test_a_token_is_asked_for(redis, given, status):
    """Where one is set."""
    assert status == (await scrape(redis, token="right", headers={"authorization": given})).status_code


async def test_only_reading_is_allowed(redis):
    """HEAD has no body, POST is refused."""
    assert "" == (await scrape(redis, method="HEAD")).text
    assert 405 == (await scrape(redis, method="POST")).status_code
