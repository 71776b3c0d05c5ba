"""What protects every request: origin, size, headers, addresses; and what texts and names are taken."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from examples.agent_tasks.desk import check_text
from examples.agent_tasks.guard import BODY_LIMIT, HEADERS, Refusal
from examples.agent_tasks.people import check_email, check_name
from examples.agent_tasks.settings import TEXT_LIMIT
from examples.agent_tasks.view import ago

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://app.test:8080"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/tasks", "/api/tasks", "/sign-in", "/sign-out"])
async def test_another_site_changes_nothing(person: httpx.AsyncClient, path: str, headers: dict[str, str]):
    """A request that another site's page made is refused, session or not."""
    answer = await person.post(path, data={"text": "A text from elsewhere, long enough."}, headers=headers)

    assert 403 == answer.status_code
    assert [] == (await person.get("/api/tasks")).json()["tasks"]


async def test_the_own_page_may_ask(person: httpx.AsyncClient):
    """A browser on the page says so."""
    headers = {"Origin": "http://app.test", "Sec-Fetch-Site": "same-origin"}
    answer = await person.post("/sign-out", headers=headers)

    assert 303 == answer.status_code


async def test_every_answer_has_the_headers(stranger: httpx.AsyncClient):
    """Pages, files and errors alike."""
    for path in ("/", "/static/style.css", "/nowhere", "/health/live"):
        answer = await stranger.get(path)

        assert HEADERS == {name: answer.headers.get(name) for name in HEADERS}


async def test_a_body_that_is_too_large_is_not_read(person: httpx.AsyncClient):
    """An announced size is refused at once; an unannounced one when it is reached."""

    async def endless():
        sent = 0
        while sent <= 2 * BODY_LIMIT:
            sent += 65536
            yield b"x" * 65536

    announced = await person.post("/api/tasks", content=b"x" * (BODY_LIMIT + 1))
    streamed = await person.post(
        "/tasks", content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert [announced.status_code, streamed.status_code] == [413, 413]
    assert "256 kB" in announced.json()["error"]


@pytest.mark.parametrize("text", ["", "  short  ", "x" * (TEXT_LIMIT + 1)])
def test_a_text_of_the_wrong_size_is_refused(text: str):
    """The message says the limit."""
    with pytest.raises(Refusal, match=r"20 characters|20,000"):
        check_text(text)


def test_a_text_is_taken_as_people_see_it():
    """Browsers send other line ends than people type; no zero byte reaches the database."""
    assert "One line of text.\nAnother one." == check_text("  One line of text.\r\nAnother\x00 one.\n")


@pytest.mark.parametrize(
    "email", ["", "ada", "ada@", "@example.com", "ada@nowhere", "a b@example.com", "a" * 250 + "@b.de"]
)
def test_what_is_no_address_is_refused(email: str):
    """The message shows one that is."""
    with pytest.raises(Refusal, match=r"ada@example\.com"):
        check_email(email)


def test_an_address_is_one_address_however_it_is_typed():
    """Spaces around it and capitals make no second account."""
    assert "ada@example.com" == check_email(" Ada@Example.COM ")


def test_a_name_is_optional():
    """The front of the address greets as well."""
    assert ["Ada L.", "ada"] == [check_name(" Ada  L. ", "ada@x.de"), check_name("", "ada@x.de")]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7300, "2 hours ago"), (90000, "1 day ago")],
)
def test_moments_are_told_in_words(seconds: int, expected: str):
    """The largest unit is enough."""
    assert expected == ago(NOON - timedelta(seconds=seconds), NOON)
