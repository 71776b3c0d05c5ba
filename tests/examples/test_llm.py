"""The language model's client against a real server on loopback: answers, refusals, silence."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from examples.agent_tasks.llm import Model, ModelError
from examples.agent_tasks.settings import Settings

from tests.examples.endpoint import Endpoint, Reply, answer, drips, endpoint, hangs, nobody, says


@asynccontextmanager
async def model_at(reply: Reply) -> AsyncIterator[tuple[Model, Endpoint]]:
    async with endpoint(reply) as found:
        settings = Settings.read({"OPENAI_BASE_URL": found.url, "OPENAI_API_KEY": "sk-geheim"})
        model = Model(settings, timeout=httpx.Timeout(0.3), deadline=0.6)
        try:
            yield model, found
        finally:
            await model.close()


async def test_a_text_is_asked_about_and_the_answer_returned():
    """One POST to /chat/completions with the key, the model and the text."""
    async with model_at(says("200 OK", answer("  In short: rain. \n"))) as (model, endpoint):
        summary = await model.summarise("It rained.")

        assert "In short: rain." == summary
        assert endpoint.head.startswith("POST /v1/chat/completions HTTP/1.1")
        assert "authorization: bearer sk-geheim" in endpoint.head.lower()
        assert "gpt-4o-mini" == endpoint.question["model"]
        assert {"role": "user", "content": "It rained."} == endpoint.question["messages"][-1]


@pytest.mark.parametrize(
    ("status", "lasting"),
    [("401 Unauthorized", True), ("400 Bad", True), ("429 Slow", False), ("503 Busy", False), ("302 Moved", False)],
)
async def test_a_refusal_says_whether_to_try_again(status: str, lasting: bool):
    """What is wrong with our request stays wrong; what is wrong with the server passes."""
    async with model_at(says(status, '{"error": "sk-geheim"}')) as (model, _):
        with pytest.raises(ModelError, match=status[:3]) as refused:
            await model.summarise("It rained.")

        assert lasting == refused.value.lasting
        assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"choices": []}', answer(None), answer(" "), answer(7)])
async def test_an_answer_without_text_is_an_error(body: str):
    """Whatever comes back in place of a summary is not shown as one."""
    async with model_at(says("200 OK", body)) as (model, _):
        with pytest.raises(ModelError, match="holds no text"):
            await model.summarise("It rained.")


@pytest.mark.parametrize("reply", [hangs, drips])
async def test_a_server_that_does_not_finish_is_given_up(reply: Reply):
    """Neither silence nor a byte now and then holds a worker."""
    async with model_at(reply) as (model, _):
        with pytest.raises(ModelError, match="did not answer in time"):
            await model.summarise("It rained.")


async def test_a_server_that_is_not_there_is_an_error():
    """A refused connection is worth another try."""
    with nobody() as address:
        model = Model(Settings.read({"OPENAI_BASE_URL": address}))
        with pytest.raises(ModelError, match="cannot be reached") as refused:
            await model.summarise("It rained.")
        await model.close()

    assert not refused.value.lasting
