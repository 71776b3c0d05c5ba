"""`redyard queues`: what it shows, and what it does only when told twice."""

import asyncio
import json
import time

import pytest
import typer

from redyard import Queue, Worker, errors
from redyard.cli import queue_views
from redyard.cli.commands.queues import queues
from redyard.cli.drawing import draw
from redyard.cli.output import Output, command
from redyard.engine.find import find
from tests.support.clients import client
from tests.support.servers import Server
from tests.support.wait import until
from tests.support.workers import running


@pytest.fixture(scope="module")
def store():
    """One engine is enough: what the scripts do is tested with the queue."""
    server = Server(find())
    yield server
    server.close()


@pytest.fixture
def url(store, monkeypatch):
    """The address of an empty server, which the environment names."""
    store.admin("FLUSHALL")
    monkeypatch.setenv("REDIS_URL", store.url)
    return store.url


def fill(url: str) -> list[str]:
    """Make a queue `q` with a completed job, two failed, one waiting and one delayed; return the failed ones' ids."""

    async def handle(job):
        if job.name == "bad":
            await job.log("trying")
            raise ValueError(f"no {job.data['why']}")
        return "done"

    async def make() -> list[str]:
        async with client(url) as redis:
            queue = Queue(redis, "q", attempts=1)
            async with running(Worker(queue, handle)):
                await (await queue.add("good")).result(10)
                bad = []
                for number, why in enumerate(("luck", "way")):
                    bad.append(await queue.add("bad", {"why": why, "user": {"id": number}}))
                    with pytest.raises(errors.JobFailed):
                        await bad[-1].result(10)
                    failed = (await queue.get(bad[-1].id)).finished_at
                    await until(lambda at=failed: time.time() >= at + 0.001)  # failed jobs are in order by milliseconds
            await queue.add("later", delay=600)
            await queue.add("next", {"user": {"id": 0}})
            return [job.id for job in bad]

    return asyncio.run(make())


def run(capsys, *words: str, as_json: bool = True):
    """Run the command in this process, which is quicker than a new one, and return what it prints."""
    app = typer.Typer(add_completion=False)
    app.command()(command(queues))
    typer.main.get_command(app).main([*words, *(["--json"] if as_json else [])], standalone_mode=False)
    said = capsys.readouterr().out
    return json.loads(said) if as_json else said


def test_all_queues_are_listed(url, capsys):
    """With the jobs of each; nothing is there at first."""
    assert {"queues": []} == run(capsys, "list")
    assert "No queue on this server yet" in run(capsys, "list", as_json=False)
    fill(url)
    (queue,) = run(capsys, "list")["queues"]

    assert ("q", False, 0) == (queue["name"], queue["paused"], queue["workers"])
    assert {"waiting": 1, "delayed": 1, "completed": 1, "failed": 2} == {
        state: count for state, count in queue["jobs"].items() if count
    }
    assert "q" in run(capsys, "list", as_json=False)


def test_a_queue_is_shown_with_its_dead_letters(url, capsys):
    """And for how long the oldest waits, and that nobody works."""
    fill(url)
    queue = run(capsys, "show", "q")["queue"]
    said = run(capsys, "show", "q", as_json=False)

    assert {"no luck", "no way"} == {failure["reason"] for failure in queue["failures"]}
    assert (1, 2) == (queue["completed_last_hour"], queue["failed_last_hour"])
    assert queue["oldest_waiting_seconds"] > 0
    assert "none: nobody does these jobs" in said
    assert "no luck" in said


def test_jobs_are_listed_by_state_and_found_by_what_they_are(url, capsys):
    """By name and by a field of their data."""
    luck, way = fill(url)

    def found(*words: str) -> list[str]:
        return [job["id"] for job in run(capsys, "show", "q", *words)["jobs"]]

    assert [way, luck] == found("--state", "failed")
    assert [luck] == found("--state", "failed", "--start", "1")
    assert {luck, way} == set(found("--job-name", "bad"))
    assert [luck] == found("--where", "user.id=0", "--job-name", "bad")
    assert [] == found("--where", "user.id=nobody")
    assert "bad" in run(capsys, "show", "q", "--state", "failed", as_json=False)
    assert "No such jobs" in run(capsys, "show", "q", "--state", "active", as_json=False)


def test_one_job_is_shown_with_its_story(url, capsys):
    """Its data, log, stack, and what happened."""
    luck, _ = fill(url)
    job = run(capsys, "show", "q", "--job", luck)["job"]
    said = run(capsys, "show", "q", "--job", luck, as_json=False)

    assert {"why": "luck", "user": {"id": 0}} == job["data"]
    assert (["trying"], "failed", "no luck") == (job["log"], job["state"], job["failed_reason"])
    assert ["added", "waiting", "active", "failed"] == [step["event"] for step in job["timeline"]][:4]
    for text in ("trying", "ValueError: no luck", "What happened", '"why": "luck"'):
        assert text in said


def test_a_queue_is_paused_and_resumed(url, capsys):
    """And says so."""
    fill(url)

    assert run(capsys, "pause", "q")["queue"]["paused"]
    assert "q (paused)" in run(capsys, "list", as_json=False)
    assert not run(capsys, "resume", "q")["queue"]["paused"]


def test_failed_jobs_run_again(url, capsys):
    """Those of a reason, one, or all; a dry run does nothing."""
    luck, _ = fill(url)
    plan = run(capsys, "retry", "q", "--reason", "way", "--dry-run")

    assert "run the failed jobs of q whose reason has 'way' again" == plan["would"]
    assert 1 == run(capsys, "retry", "q", "--reason", "way")["jobs"]
    assert 1 == run(capsys, "retry", "q", "--job", luck)["jobs"]
    assert 0 == run(capsys, "retry", "q")["jobs"]
    assert 1 == run(capsys, "promote", "q")["jobs"]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("clean", "q"), {"waiting": 1, "delayed": 1, "failed": 2}),
        (("clean", "q", "--state", "failed"), {"waiting": 1, "delayed": 1, "completed": 1}),
        (("clean", "q", "--older-than", "1h"), {"waiting": 1, "delayed": 1, "completed": 1, "failed": 2}),
        (("drain", "q"), {"delayed": 1, "completed": 1, "failed": 2}),
        (("drain", "q", "--delayed"), {"completed": 1, "failed": 2}),
        (("obliterate", "q"), {}),
    ],
)
def test_what_destroys_wants_the_name_twice(url, capsys, words, left):
    """A dry run, no name and another name change nothing; the name does it."""
    fill(url)
    before = run(capsys, "list")
    assert run(capsys, *words, "--dry-run")["would"].endswith("for good")
    for more in ((), ("--confirm", "other")):
        with pytest.raises(errors.QueueNotConfirmed):
            run(capsys, *words, *more)
    assert before["queues"][0]["jobs"] == run(capsys, "list")["queues"][0]["jobs"]
    said = run(capsys, *words, "--confirm", "q", as_json=False)
    after = run(capsys, "list")["queues"]

    assert "Done: remove" in said
    assert left == {state: count for queue in after for state, count in queue["jobs"].items() if count}
    assert (not left) == (after == [])


def test_at_a_terminal_the_name_is_asked_for(url, capsys, monkeypatch):
    """After what would be done."""
    fill(url)
    asked = []
    monkeypatch.setattr(Output, "answers", True)
    monkeypatch.setattr(Output, "ask", lambda _, question: asked.append(question) or "q")
    run(capsys, "drain", "q", as_json=False)

    assert ["Type q to do it: "] == asked
    assert 0 == run(capsys, "list")["queues"][0]["jobs"]["waiting"]


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("show",), errors.Usage, "wants the queue's NAME"),
        (("show", "other"), errors.UnknownQueue, "there is no queue 'other'"),
        (("show", "q", "--state", "asleep"), errors.Usage, "there is no state 'asleep'"),
        (("show", "q", "--where", "x"), errors.Usage, "'x' is not FIELD=VALUE"),
        (("show", "q", "--job", "nobody"), errors.UnknownJob, "the queue q has no job nobody"),
        (("retry", "q", "--job", "nobody"), errors.UnknownJob, "the queue q has no job nobody"),
        (("clean", "q", "--older-than", "soon"), errors.InvalidValue, "'soon' is no time span"),
        (("clean", "q", "--state", "active", "--confirm", "q"), errors.InvalidValue, "state that can be cleaned"),
        (("list", "--url", "redis://127.0.0.1:1?socket_timeout=0.2"), errors.RedisAway, "did not answer"),
        (("list", "--url", "http://x"), errors.InvalidURL, "no address of a Redis"),
    ],
)
def test_what_cannot_be_is_an_error(url, capsys, words, error, text):
    """With what was wrong."""
    fill(url)
    with pytest.raises(error, match=text):
        run(capsys, *words)


def test_without_a_url_the_yard_s_store_is_taken(shared_yard):
    """As apps get it from `redyard run`."""
    assert {"queues": []} == shared_yard.json("queues", "list")


def test_with_neither_it_says_what_to_set(yard):
    """No yard runs, and the environment names nothing."""
    assert "NoURL" == yard.error("queues", "list")["error"]


def test_a_worker_is_shown_with_what_it_does():
    """A worker of BullMQ tells less of itself."""
    queue = {
        "name": "q",
        "paused": False,
        "jobs": {"waiting": 0},
        "oldest_waiting_seconds": 0.0,
        "completed_last_hour": 0,
        "failed_last_hour": 0,
        "failures": [],
        "workers": [
            {"name": "ours", "address": "1.2.3.4:5", "active": 3, "concurrency": 20},
            {"name": "node", "address": "1.2.3.4:6"},
        ],
    }
    said = draw(queue_views.queue({"queue": queue}))

    assert "1.2.3.4:5, 3 of 20 jobs" in said
    assert "worker node" in said
