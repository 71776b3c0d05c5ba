"""The loop of one instance, whoever runs its engine: look, decide by the table, act, rest."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import msgspec

from redyard import events
from redyard.engine import access
from redyard.errors import RedyardError
from redyard.yard.admin import Admin
from redyard.yard.audit import SECRET, passwords_of
from redyard.yard.credentials import HIDDEN
from redyard.yard.phases import Phase
from redyard.yard.reconcile import Course, Seen, Step, reconcile
from redyard.yard.registry import Registry
from redyard.yard.spec import Spec, Status


class Watched(ABC):
    """An instance that is looked at again and again; `run` is its loop."""

    goal: str

    def __init__(self, spec: Spec, registry: Registry, admin: Admin, start: Phase) -> None:
        self.spec = spec
        self.registry = registry
        self.admin = admin
        self.secrets = registry.secrets(spec.name)
        known = registry.status(spec.name)
        self.status = known if known.generation == spec.generation else Status(generation=spec.generation)
        self.doing = ""
        self.trouble: RedyardError | None = None
        self._course = Course(start, time.monotonic(), 0)
        self._answered_at = time.monotonic()
        self._leaving = False
        self._wake = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def name(self) -> str:
        """The instance's name."""
        return self.spec.name

    @property
    def phase(self) -> Phase:
        """Where it is."""
        return self._course.phase

    @abstractmethod
    def url(self, *, show: bool, user: str = access.APP.name) -> str:
        """Return the address for an app, with the password or with a sign in its place."""

    def files(self) -> dict[str, str]:
        """Return the variables that name what an app needs for TLS; none where its owner gave it an address."""
        return {}

    @abstractmethod
    def login(self, user: str) -> str:
        """Return the address for a person, as one of the engine's users."""

    def facts(self) -> dict[str, object]:
        """Return what is wanted of it, as far as it is no secret."""
        told: dict[str, Any] = msgspec.to_builtins(self.spec)
        told["settings"] = {name: HIDDEN if SECRET.search(name) else value for name, value in told["settings"].items()}
        return told | {"passwords": {user: item.since for user, item in self.secrets.items() if item.since}}

    def hidden(self) -> Collection[str]:
        """Return every password of it, in all that is written of it."""
        words = {word for item in self.secrets.values() for word in item.valid}
        return {part for word in words for part in (passwords_of(word) if "://" in word else {word})}

    @abstractmethod
    async def end_now(self, within: float) -> None:
        """End at once what is ours of it, without a save: it is to be removed."""

    def tell(self, doing: str) -> None:
        """Say what is being done with it, for those who look."""
        self.doing = doing

    def leave(self) -> None:
        """End the loop, not the engine. (A cancellation could be lost in a client's time-out.)"""
        self._leaving = True
        self._wake.set()

    async def reach(self, *phases: Phase, within: float) -> None:
        """Wait until it is in one of the phases; raise what went wrong on the way."""
        try:
            async with asyncio.timeout(within):
                while self.phase not in phases:
                    if self.trouble:
                        raise self.trouble
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise self._late(within) from None

    async def run(self) -> None:
        """Keep the instance as it is wanted until `leave`; the engine goes on."""
        try:
            while not self._leaving:
                step = reconcile(self.goal, self._course, await self._look())
                await self._take(step)
                with suppress(TimeoutError):
                    async with asyncio.timeout(step.look_again):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._let_go()
            await self.admin.close()

    @abstractmethod
    async def _look(self) -> Seen: ...

    @abstractmethod
    async def _take(self, step: Step) -> None: ...

    @abstractmethod
    def _late(self, seconds: float) -> RedyardError: ...

    @abstractmethod
    def _let_go(self) -> None: ...

    def _enter(self, step: Step, reason: str) -> None:
        """Be in a new phase, and say so."""
        events.emit(events.PHASE, name=self.name, old=self.phase.value, new=step.phase.value, reason=reason)
        self._course = Course(step.phase, time.monotonic(), step.crashes)
        self._record(phase=step.phase, reason=reason, since=time.time(), crashes=step.crashes)
        self._moved.set()

    def _record(self, **changes: object) -> None:
        self.status = msgspec.structs.replace(self.status, **changes)
        with suppress(RedyardError, OSError):  # a full disk must not end the supervision
            self.registry.write_status(self.name, self.status)
