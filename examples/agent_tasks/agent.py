"""The agent: a text goes in, an answer comes out, from the cache where the same text was answered within the hour
by whichever worker. Equal texts that come together are one question to the model.
"""

import hashlib
from collections.abc import Awaitable, Callable

from examples.agent_tasks import summarise
from examples.agent_tasks.ledger import Answer
from examples.agent_tasks.llm import Model
from redyard import Cache

REMEMBERED = 86_400.0
"""Seconds after its hour for which a summary still stands in when no new one is to be had."""

Report = Callable[[int, str], Awaitable[None]]
"""Tell how far the work is: percent, and what is being done."""


class Agent:
    """Answers with the language model if there is one, else with the offline summariser; says which it was."""

    def __init__(self, cache: Cache, model: Model | None) -> None:
        self.cache = cache
        self.model = model
        self.name = model.name if model else summarise.NAME

    async def answer(self, text: str, report: Report) -> Answer:
        """Return the summary of a text; equal texts that come together are one question."""
        asked = False

        async def ask() -> str:
            nonlocal asked
            summary = await self._ask(text, report)
            asked = True
            return summary

        key = cache_key(self.name, text)
        summary = await self.cache.get_or_set(key, ask, of=str, stale_if_error=REMEMBERED, tags=["summaries"])
        return Answer(summary, self.name, cached=not asked)

    async def _ask(self, text: str, report: Report) -> str:
        if self.model is None:
            await report(40, "Weighing every sentence")
            return summarise.summarise(text)
        await report(25, f"Waiting for {self.name}")
        return await self.model.summarise(text)


def cache_key(engine: str, text: str) -> str:
    """Return the key of a text's summary: who wrote it is part of it, for another model writes another one."""
    return "summary:" + hashlib.sha256(f"{engine}\n{text}".encode()).hexdigest()
