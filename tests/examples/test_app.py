"""The page and the API of the reference app, on a real Redis: sessions, credits, limits, and Redis being away."""

import re
import sqlite3
from pathlib import Path

import httpx
import pytest
from examples.agent_tasks import ledger
from fastapi import FastAPI

from tests.examples.conftest import browser, serving
from tests.support.servers import Server

TEXT = "A text to be read. It has a few sentences. Not one of them matters much."


async def test_the_front_page_asks_to_sign_in_and_says_that_there_is_no_password(stranger: httpx.AsyncClient):
    """A stranger sees the form and the truth about it."""
    page = await stranger.get("/")

    assert 200 == page.status_code
    assert 'action="/sign-in"' in page.text
    assert "there is no password" in page.text
    assert "set-cookie" not in page.headers


async def test_the_front_page_counts_what_was_answered(app: FastAPI, stranger: httpx.AsyncClient):
    """From the cache: what is answered meanwhile shows a little later."""
    database = app.state.desk.database
    ada = await ledger.sign_in(database, "ada@example.com", "Ada", welcome=3)

    async def answer_one() -> None:
        task = await ledger.open_task(database, ada.id, TEXT)
        await ledger.finish(database, task, ledger.Answer("Short.", "nobody"))

    await answer_one()
    first = await stranger.get("/")
    await answer_one()
    second = await stranger.get("/")

    assert "Texts read so far: 1." in first.text
    assert "Texts read so far: 1." in second.text


async def test_signing_in_greets_and_shows_the_credits(person: httpx.AsyncClient):
    """The page knows the person; its empty list says so."""
    page = (await person.get("/")).text

    assert "Ada" in page
    assert "<b data-credits>3</b>" in page
    assert "Nothing here yet." in page


async def test_signing_in_changes_the_id_of_the_session(person: httpx.AsyncClient, stranger: httpx.AsyncClient):
    """An id that somebody planted before is worth nothing afterwards."""
    planted = person.cookies["session"]
    await person.post("/sign-in", data={"email": "ada@example.com"})
    stranger.cookies.set("session", planted)

    assert person.cookies["session"] != planted
    assert 200 == (await person.get("/api/tasks")).status_code
    assert 401 == (await stranger.get("/api/tasks")).status_code


async def test_signing_out_destroys_the_session(person: httpx.AsyncClient, stranger: httpx.AsyncClient):
    """A copied cookie is worth nothing after the sign-out."""
    stranger.cookies.set("session", person.cookies["session"])
    await person.post("/sign-out")

    assert 'action="/sign-in"' in (await person.get("/")).text
    assert 401 == (await stranger.get("/api/tasks")).status_code


async def test_a_person_sees_where_they_are_signed_in(app: FastAPI, person: httpx.AsyncClient):
    """And signs out of one device, by its handle, or of all others; other people's are safe."""
    async with browser(app, "198.51.100.7") as phone, browser(app) as tablet, browser(app) as bob:
        for other, email, device in ((phone, "ada", "Phone"), (tablet, "ada", "Tablet<b>"), (bob, "bob", "Bob's")):
            await other.post("/sign-in", data={"email": f"{email}@example.com"}, headers={"user-agent": device})
        page = (await person.get("/devices")).text
        (theirs,) = re.findall(r'value="(\w{64})"', (await bob.get("/devices")).text) or ("0" * 64,)
        handles = re.findall(r'name="handle" value="(\w+)"', page)
        for handle in (handles[0], theirs):
            await person.post("/devices/sign-out", data={"handle": handle})
        one = [(await other.get("/api/tasks")).status_code for other in (person, phone, tablet, bob)]
        await person.post("/devices/sign-out-others")
        others = [(await other.get("/api/tasks")).status_code for other in (person, phone, tablet, bob)]

    assert all(text in page for text in ("Phone", "198.51.100.7", "Tablet&lt;b&gt;", "this device"))
    assert "Bob" not in page
    assert [200, 200, 401, 200] == one
    assert [200, 401, 401, 200] == others


async def test_a_person_signs_out_everywhere(person: httpx.AsyncClient, stranger: httpx.AsyncClient):
    """This device, too."""
    stranger.cookies.set("session", person.cookies["session"])
    await person.post("/devices/sign-out-everywhere")

    assert [401, 401] == [(await one.get("/devices")).status_code for one in (person, stranger)]


async def test_the_cookie_is_closed_to_scripts_and_other_sites(stranger: httpx.AsyncClient):
    """HttpOnly and SameSite=lax."""
    answer = await stranger.post("/sign-in", data={"email": "ada@example.com"})
    cookie = answer.headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=lax" in cookie


async def test_a_bad_address_comes_back_in_the_form(stranger: httpx.AsyncClient):
    """The reason is said, what was typed is kept, and nothing in it is markup."""
    answer = await stranger.post("/sign-in", data={"email": '"><script>alert(1)</script>', "name": "Ada"})

    assert 422 == answer.status_code
    assert 'role="alert"' in answer.text
    assert "<script>alert" not in answer.text
    assert 'value="Ada"' in answer.text


async def test_a_task_costs_a_credit_and_waits_on_the_page(person: httpx.AsyncClient):
    """The form leads back to the page, at the task."""
    answer = await person.post("/tasks", data={"text": TEXT})
    page = (await person.get("/")).text
    task_id = answer.headers["location"].removeprefix("/#task-")

    assert 303 == answer.status_code
    assert f'data-live="{task_id}"' in page
    assert "Waiting for a worker" in page
    assert "<b data-credits>2</b>" in page


async def test_a_task_by_the_api_is_the_same_task(person: httpx.AsyncClient):
    """It is taken with 202 and can be looked at."""
    taken = await person.post("/api/tasks", json={"text": TEXT})
    seen = await person.get(f"/api/tasks/{taken.json()['id']}")
    card = await person.get(f"/tasks/{taken.json()['id']}/card")

    assert 202 == taken.status_code
    assert "queued" == taken.json()["state"]
    assert seen.json() == taken.json()
    assert taken.json()["id"] in card.text


async def test_a_task_that_waits_can_be_cancelled(app: FastAPI, person: httpx.AsyncClient):
    """By the page and by the API: the credit comes back, and its job does nothing any more."""
    ids = [(await person.post("/api/tasks", json={"text": TEXT})).json()["id"] for _ in range(2)]
    page = await person.post(f"/tasks/{ids[0]}/cancel", follow_redirects=True)
    told = (await person.delete(f"/api/tasks/{ids[1]}")).json()
    again = [await person.post(f"/tasks/{ids[0]}/cancel"), await person.delete(f"/api/tasks/{ids[1]}")]
    other = await person.delete("/api/tasks/unknown")

    assert "You cancelled this task. Your credit was given back." in page.text
    assert ("failed", "You cancelled this task.") == (told["state"], told["error"])
    assert [409, 409, 404] == [answer.status_code for answer in (*again, other)]
    assert 3 == (await person.get("/api/tasks")).json()["credits"]


async def test_without_a_session_nothing_is_taken_or_shown(stranger: httpx.AsyncClient):
    """The API says 401 in JSON, the form a page."""
    answers = [
        await stranger.post("/api/tasks", json={"text": TEXT}),
        await stranger.get("/api/tasks"),
        await stranger.get("/api/tasks/some"),
        await stranger.post("/tasks", data={"text": TEXT}),
    ]

    assert [401] * 4 == [answer.status_code for answer in answers]
    assert {"error": "Please sign in first."} == answers[0].json()
    assert "<h1>" in answers[-1].text


async def test_nobody_sees_the_task_of_somebody_else(app: FastAPI, person: httpx.AsyncClient):
    """To others it does not exist."""
    task_id = (await person.post("/api/tasks", json={"text": TEXT})).json()["id"]
    async with browser(app) as bob:
        await bob.post("/sign-in", data={"email": "bob@example.com"})
        answers = [await bob.get(f"/api/tasks/{task_id}"), await bob.get(f"/tasks/{task_id}/card")]
        overview = (await bob.get("/api/tasks")).json()

    assert [404, 404] == [answer.status_code for answer in answers]
    assert {"credits": 3, "tasks": []} == overview


@pytest.mark.parametrize("text", ["short", "x" * 20_001])
async def test_a_text_of_the_wrong_size_costs_nothing(person: httpx.AsyncClient, text: str):
    """The form keeps the text and says what is wrong; the API says it in JSON."""
    form = await person.post("/tasks", data={"text": text})
    api = await person.post("/api/tasks", json={"text": text})

    assert [form.status_code, api.status_code] == [422, 422]
    assert text in form.text
    assert api.json()["error"].startswith("This text")
    assert {"credits": 3, "tasks": []} == (await person.get("/api/tasks")).json()


async def test_a_request_that_cannot_be_read_is_told_so(person: httpx.AsyncClient):
    """JSON without a text is refused in one sentence."""
    answers = [await person.post("/api/tasks", json={}), await person.post("/api/tasks", content=b"{")]

    assert [422, 422] == [answer.status_code for answer in answers]
    assert "text" in answers[0].json()["error"]


async def test_markup_in_a_text_stays_text(person: httpx.AsyncClient):
    """What people paste is shown, never run."""
    await person.post("/tasks", data={"text": "<script>alert('x')</script> and some more text."})
    page = (await person.get("/")).text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


async def test_without_a_credit_no_task_is_taken(person: httpx.AsyncClient):
    """The fourth of three is refused with 402, and the page offers no button."""
    answers = [await person.post("/api/tasks", json={"text": TEXT}) for _ in range(4)]

    assert [202, 202, 202, 402] == [answer.status_code for answer in answers]
    assert "Your credits are used up" in (await person.get("/")).text


async def test_an_address_that_signs_in_too_often_has_to_wait(environ: dict[str, str]):
    """Another address is not touched by it."""
    async with serving({**environ, "SIGN_INS": "2"}) as app, browser(app) as busy, browser(app, "2001:db8::1") as other:
        form = {"email": "ada@example.com"}
        answers = [await busy.post("/sign-in", data=form) for _ in range(3)]
        elsewhere = await other.post("/sign-in", data=form)

    assert [303, 303, 429, 303] == [answer.status_code for answer in [*answers, elsewhere]]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 900
    assert "Too many sign-ins" in answers[-1].text


async def test_an_address_that_submits_too_often_has_to_wait(environ: dict[str, str]):
    """Page and API share the limit; no credit is taken."""
    async with serving({**environ, "SUBMISSIONS": "1"}) as app, browser(app) as person:
        await person.post("/sign-in", data={"email": "ada@example.com"})
        first = await person.post("/tasks", data={"text": TEXT})
        form = await person.post("/tasks", data={"text": TEXT})
        api = await person.post("/api/tasks", json={"text": TEXT})
        credits_left = (await person.get("/api/tasks")).json()["credits"]

    assert [first.status_code, form.status_code, api.status_code] == [303, 429, 429]
    assert 0 < int(api.headers["retry-after"]) <= 900
    assert 2 == credits_left


async def test_health_looks_at_redis_and_the_database(stranger: httpx.AsyncClient):
    """Both addresses answer 200; the complete one names each check."""
    answers = [await stranger.get("/health/redis"), await stranger.get("/health/complete")]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert {"redis", "database"} <= set(answers[1].json()["checks"])


async def test_a_database_that_is_away_is_not_healthy(environ: dict[str, str], tmp_path: Path):
    """The complete answer is 503, that of Redis 200."""
    async with serving(environ) as app, browser(app) as client:
        await app.state.desk.database.close()
        (tmp_path / "tasks.db").unlink()
        (tmp_path / "tasks.db").mkdir()
        answers = [await client.get("/health/redis"), await client.get("/health/complete")]

    assert [200, 503] == [answer.status_code for answer in answers]
    assert "tasks.db" not in answers[1].text


async def test_there_is_a_page_for_what_is_not_there(stranger: httpx.AsyncClient):
    """404 is a page for people and JSON for programs."""
    page, api = await stranger.get("/nowhere"), await stranger.get("/api/nowhere")

    assert [page.status_code, api.status_code] == [404, 404]
    assert "Nothing here" in page.text
    assert {"error": "There is no such page."} == api.json()


async def test_while_redis_is_away_nothing_is_charged(own_server: Server, environ: dict[str, str], tmp_path: Path):
    """Submitting answers 503 in words, within its deadline; afterwards everything is as it was."""
    async with serving({**environ, "REDIS_URL": own_server.url}) as app, browser(app) as person:
        await person.post("/sign-in", data={"email": "ada@example.com"})
        own_server.pause()
        answers = [
            await person.post("/tasks", data={"text": TEXT}),
            await person.post("/api/tasks", json={"text": TEXT}),
            await person.get("/"),
        ]
        own_server.resume()

    with sqlite3.connect(tmp_path / "tasks.db") as rows:
        left = rows.execute("SELECT credits, (SELECT count(*) FROM tasks) FROM accounts").fetchall()
    rows.close()

    assert [503, 503, 503] == [answer.status_code for answer in answers]
    assert "so nothing was done" in answers[0].text
    assert max(answer.elapsed.total_seconds() for answer in answers) < 2.0
    assert [(3, 0)] == left


async def test_a_queue_that_fails_after_the_payment_gives_it_back(app: FastAPI, server: Server):
    """The row and the credit are undone when the job cannot be handed over."""
    server.admin("SET", "bull:agent-tasks:wait", "no list")
    async with browser(app) as person:
        await person.post("/sign-in", data={"email": "ada@example.com"})
        answer = await person.post("/api/tasks", json={"text": TEXT})
        overview = (await person.get("/api/tasks")).json()

    assert 503 == answer.status_code
    assert {"credits": 3, "tasks": []} == overview


async def test_a_program_that_calls_too_often_has_to_wait(environ: dict[str, str]):
    """Behind a proxy, by the address that the proxy saw, whatever the program writes."""
    async with serving({**environ, "CALLS": "1", "PROXIES": "1"}) as app, browser(app) as program:
        seen = [f"198.51.100.{n}, 203.0.113.{5 + n // 2}" for n in range(3)]
        answers = [await program.get("/api/tasks", headers={"X-Forwarded-For": line}) for line in seen]

    assert [401, 429, 401] == [answer.status_code for answer in answers]
    assert "application/problem+json" == answers[1].headers["content-type"]
