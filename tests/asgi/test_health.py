"""What load balancers ask."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from redyard.asgi.health import HealthApp
from redyard.health import Dependency
from tests.asgi.apps import browser
from tests.support.clients import client


async def passes():
    return None


async def fails():
    raise ValueError("hunter2 is the password")


async def get(redis, path, *, checks=None, method="GET", mounted=True):
    app = HealthApp(redis, checks=checks)
    app = Starlette(routes=[Mount("/health", app)]) if mounted else app
    async with browser(app) as visitor:
        return await visitor.request(method, "/health" * mounted + path)


@pytest.mark.parametrize("mounted", [True, False])
@pytest.mark.parametrize("path", ["/live", "/ready", "/redis", "/complete"])
async def test_a_healthy_app_answers_200(redis, path, mounted):
    """At /health or wherever it is mounted, and by itself."""
    response = await get(redis, path, checks={"database": passes}, mounted=mounted)

    assert (200, "healthy") == (response.status_code, response.json()["status"])
    assert "no-store" == response.headers["cache-control"]


async def test_the_fields_are_those_of_the_guide(redis):
    """Of /redis and of /complete."""
    one = (await get(redis, "/redis")).json()
    all_ = (await get(redis, "/complete", checks={"database": passes})).json()

    assert {"status", "latency_ms", "used_memory", "connected"} == set(one)
    assert {"status", "checks", "timestamp"} == set(all_)
    assert {"redis", "database"} == set(all_["checks"])
    assert all_["timestamp"].endswith("Z")


async def test_a_failing_check_is_503_except_for_live(redis):
    """A process that lives is not to be restarted because its database is away."""
    statuses = {
        path: (await get(redis, path, checks={"database": fails})).status_code
        for path in ("/live", "/ready", "/redis", "/complete")
    }

    assert {"/live": 200, "/ready": 503, "/redis": 200, "/complete": 503} == statuses


async def test_no_body_shows_a_drivers_message():
    """Neither Redis's nor a check's."""
    async with client("redis://:hunter2@127.0.0.1:1") as redis:
        responses = [await get(redis, path, checks={"it": fails}) for path in ("/ready", "/redis", "/complete")]

    assert [503] * 3 == [response.status_code for response in responses]
    assert not any("hunter2" in response.text or "127.0.0.1" in response.text for response in responses)


async def test_other_paths_and_methods_are_refused(redis):
    """404 and 405."""
    assert 404 == (await get(redis, "/secret")).status_code
    response = await get(redis, "/live", method="POST")

    assert (405, "GET, HEAD") == (response.status_code, response.headers["allow"])


async def test_head_is_answered(redis):
    """Some balancers ask so."""
    assert 200 == (await get(redis, "/ready", method="HEAD")).status_code


async def ask(app, path, **headers):
    async with browser(app) as visitor:
        return await visitor.get(path, headers=headers)


async def test_details_are_behind_a_token(redis):
    """Without it all but the status is hidden; a wrong one is none."""
    app = HealthApp(redis, checks={"database": passes}, token="a-token")
    hidden = [await ask(app, path) for path in ("/redis", "/complete")]
    wrong = await ask(app, "/complete", authorization="Bearer another")
    shown = await ask(app, "/complete", authorization="Bearer a-token")

    assert [{"status": "healthy"}] * 3 == [response.json() for response in (*hidden, wrong)]
    assert {"redis", "database"} == set(shown.json()["checks"])


async def test_health_json_on_request(redis):
    """The format's own words, type and fields."""
    app = HealthApp(redis, checks={"mail": Dependency(fails, required=False)})
    wanted = {"accept": "application/health+json"}
    live, ready, complete = [await ask(app, path, **wanted) for path in ("/live", "/ready", "/complete")]

    assert ["pass", "warn", "warn"] == [response.json()["status"] for response in (live, ready, complete)]
    assert {"application/health+json"} == {response.headers["content-type"] for response in (live, ready, complete)}
    assert {200} == {response.status_code for response in (live, ready, complete)}
    assert "failed" == complete.json()["checks"]["mail:responseTime"][0]["output"]
    assert "ms" == complete.json()["checks"]["redis:responseTime"][0]["observedUnit"]
