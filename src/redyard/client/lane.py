"""The shared lane: one connection for all callers, made again when it is lost.

The commands of one turn of the event loop leave in one write. What was not sent waits for the next connection until its
deadline; what was sent and not answered is sent again only when that cannot harm, and fails otherwise with an error
that says that it may have run. There is no timer per command: a watchman looks round eight times per deadline.
"""

import asyncio
import os
import random
import socket
import ssl
import time
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf
from operator import itemgetter
from typing import Any

import hiredis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    DataError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from redyard import events
from redyard.client.call import RAW, SAFE, SENT, TRIED, Batch, Call, Words, give_up
from redyard.client.failures import ConnectionLost, TimedOut
from redyard.client.link import Ends, Link
from redyard.client.pool import INHERITED
from redyard.client.stats import Stats
from redyard.platform import explain_lookup

ROOM = 10_000
"""Commands on their way beyond which callers wait: a flood at a slow server must not take all memory."""

ROUNDS = 8
"""Looks of the watchman per deadline: a command is late by an eighth of it at most."""

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Bounds, in seconds, of the random pause after a failed attempt to connect: doubled from the first to the longest."""

AGAIN_AFTER = 0.1
"""Seconds after which a command is sent again that the server could not take yet."""

MOVE_EVERY = 1.0
"""Seconds between two connections that are given up because the server takes no writes."""

NOT_YET = (BusyLoadingError, MasterDownError, TryAgainError)
"""Refusals of a server that did not run the command and soon may: it loads, or waits for its primary or its slots."""

HOPELESS = (AuthenticationError, ResponseError)
"""Refusals of a greeting that the next attempt would meet again."""

_words_of, _name_of = itemgetter(1), itemgetter(0)
_lanes: "weakref.WeakSet[Lane]" = weakref.WeakSet()

Dial = Callable[[], Awaitable[tuple[Any, hiredis.Reader]]]


class Lane:
    """Sends the commands of any number of callers over one connection, each within `timeout` seconds."""

    _link: Link | None
    _queue: list[Call]
    _waiters: "list[asyncio.Future[None]]"
    _connecting: "asyncio.Task[None] | None"
    _watch: asyncio.TimerHandle | None
    _trouble: Exception | None
    _now: Callable[[], float]
    _is_running: Callable[[], bool]
    _new_future: "Callable[[], asyncio.Future[Any]]"
    _due: float
    _pid: int

    def __init__(
        self, dial: Dial, pack_slowly: Callable[[Words], bytes], *, name: str, timeout: float, utf8: bool = True
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.stats = Stats()
        self.full = False
        self.resolve_within = 0.0
        self._moved_at = -inf
        self._dial = dial
        self._pack = hiredis.pack_command if utf8 else pack_slowly
        self._pack_slowly = pack_slowly
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget()
        _lanes.add(self)

    # ---- callers

    def send(self, words: Words, flags: int = 0, timeout: float | None = None) -> "asyncio.Future[Any]":
        """Put a command on its way and return the future of its reply."""
        if not (self._awake and self._is_running()):
            self._wake()
        future = self._new_future()
        if flags & RAW:
            self._raw = True
        queue = self._queue
        queue.append((future, words, self._due if timeout is None else self._limit(future, timeout), flags))
        if len(queue) >= ROOM:
            self.full = True
        return future

    def send_batch(
        self, calls: Sequence[tuple[Words, int]], timeout: float | None = None
    ) -> "asyncio.Future[list[Any]]":
        """Put commands, each with its flags, on their way with nobody's between; return the future of all replies."""
        if not (self._awake and self._is_running()):
            self._wake()
        future = self._new_future()
        batch = Batch(future, len(calls))
        due = self._due if timeout is None else self._limit(batch, timeout)
        self._raw = self._raw or any(flags & RAW for _, flags in calls)
        self._queue.extend((batch, words, due, flags) for words, flags in calls)
        if len(self._queue) >= ROOM:
            self.full = True
        return future

    async def room(self) -> None:
        """Wait until fewer than ROOM commands are on their way, as long as a command may take."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._bind(loop)
        try:
            async with asyncio.timeout(self.timeout):
                while self.full:
                    waiter = self._new_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise TimedOut(f"{ROOM:,} commands were waiting for {self.timeout:g} s", maybe_ran=False) from None

    async def aclose(self) -> None:
        """Close the connection; who still waits gets an error. A later command connects again."""
        link, calls = self._link, self._queue
        if asyncio._get_running_loop() is not self._loop:
            return
        if self._connecting:
            self._connecting.cancel()
        if self._watch:
            self._watch.cancel()
        self._make_room()
        self._forget()
        for call in calls:
            give_up(call[0], ConnectionLost("the client was closed", maybe_ran=bool(call[3] & SENT)))
        if link:
            for call in link.flight:
                give_up(call[0], ConnectionLost("the client was closed", maybe_ran=True))
            link.flight.clear()
            link.transport.close()
            await link.gone

    @property
    def in_flight(self) -> int:
        """Return how many commands wait to be sent or answered."""
        return len(self._queue) + (len(self._link.flight) if self._link else 0)

    # ---- a turn of the loop

    def _wake(self) -> None:
        """Begin a turn: its commands have one deadline and leave in one write when it ends.

        To ask for the running loop once a turn and not for each command saves a seventh of a command's CPU.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._bind(loop)
        self._awake = True
        self._due = self._now() + self.timeout
        self.full = self.full or self.in_flight >= ROOM  # what ends it also wakes those who wait
        loop.call_soon(self._flush)
        if self._watch is None:
            self._watch = loop.call_later(self.timeout / ROUNDS, self._look_round)

    def _flush(self) -> None:
        self._awake = False
        link = self._link
        if link is None:
            self._connect()
            return
        if link.paused or self._retiring:
            return
        if self._stale:
            self._prune()
        if not self._queue:
            return
        calls, self._queue = self._queue, []
        words = list(map(_words_of, calls))
        try:
            packed = b"".join(map(self._pack, words))
        except (TypeError, ValueError, OverflowError, DataError):
            calls, packed = self._pack_each(calls)
            self._let_in()
        if not calls:
            return
        raw = sum(bool(call[3] & RAW) for call in calls) if self._raw else 0
        self._raw = False
        names = list(map(_name_of, words))
        link.send(calls, packed, raw, (names[0], self._due - self.timeout))
        self.stats.count(names)

    def _pack_each(self, calls: list[Call]) -> tuple[list[Call], bytes]:
        """Pack by redis-py, which says what is wrong with a value; only the caller who gave it hears of it."""
        packed: dict[int, bytes] = {}
        for place, call in enumerate(calls):
            try:
                packed[place] = self._pack_slowly(call[1])
            except Exception as error:  # noqa: BLE001 - whatever a value raises is its caller's
                give_up(call[0], error)
        kept = [(place, call) for place, call in enumerate(calls) if not call[0].done()]  # a batch goes as a whole
        return [call for _, call in kept], b"".join(packed[place] for place, _ in kept)

    def _limit(self, sink: Any, seconds: float) -> float:
        """Give a call or a batch a deadline of its own."""
        assert self._loop is not None
        self._loop.call_later(seconds, self._expire, sink, seconds)
        return self._now() + seconds

    def _expire(self, sink: Any, seconds: float) -> None:
        if not sink.done():
            waits = next((call for call in self._queue if call[0] is sink), None)
            self._late(sink, self._unsent(waits, seconds) if waits else _unanswered(seconds))

    def _look_round(self) -> None:
        """End the wait of those whose deadline has passed; drop a connection that has gone silent."""
        assert self._loop is not None
        now, link = self._now(), self._link
        flight = link.flight if link else ()
        for call in flight:
            if call[2] <= now:
                self._late(call[0], _unanswered(self.timeout))
        late = now - self._grace()
        for call in self._queue:
            if call[2] <= late:
                self._late(call[0], self._unsent(call, self.timeout))
        if link and flight and flight[0][2] <= now and now - link.heard_at >= self.timeout:
            link.paused = True  # nothing more goes out there
            link.transport.abort()
        busy = flight or self._queue
        self._watch = self._loop.call_later(self.timeout / ROUNDS, self._look_round) if busy else None

    def _grace(self) -> float:
        """Return for how many seconds callers wait longer: a platform's private names may come after its processes."""
        unknown = self._trouble and isinstance(self._trouble.__context__, socket.gaierror) and not self.stats.connects
        return max(0.0, self.resolve_within - self.timeout) if unknown else 0.0

    def _late(self, sink: Any, error: Exception) -> None:
        if not sink.done():
            self.stats.timed_out += 1
            give_up(sink, error)

    def _unsent(self, call: Call, seconds: float) -> ConnectionLost:
        self._stale = True  # it stays unsent: its caller relies on that
        meaning = explain_lookup(self._trouble.__context__, str(self._trouble)) if self._trouble else ""
        why = f" ({self._trouble}{meaning and f' {meaning}'})" if self._trouble else ""
        return ConnectionLost(f"no connection in {seconds:g} s{why}", maybe_ran=bool(call[3] & SENT))

    # ---- what the link tells

    def _refused(self, call: Call, error: Exception) -> None:
        sink, words, due, flags = call
        moves = isinstance(error, ReadOnlyError) and not flags & TRIED and self._may_move()
        if not isinstance(sink, Batch) and not sink.done():
            if moves:
                self._raw = self._raw or bool(flags & RAW)
                self._queue.append((sink, words, due, flags | TRIED))
                return
            if isinstance(error, NOT_YET) and self._now() + AGAIN_AFTER < due and self._loop:
                self._loop.call_later(AGAIN_AFTER, self._send_again, call)
                return
        if not sink.done():
            sink.set_exception(error)

    def _may_move(self) -> bool:
        """Finish here and go on at a new connection: the server was demoted or has moved. Say whether that is done."""
        if self._now() - self._moved_at >= MOVE_EVERY:
            self._moved_at = self._now()
            self._retiring = True
        return self._retiring

    def _send_again(self, call: Call) -> None:
        if not call[0].done():
            self.stats.resent += 1
            self._raw = self._raw or bool(call[3] & RAW)
            self._queue.append(call)
            if not self._awake:
                self._wake()

    def _heard(self, link: Link) -> None:
        if self._retiring and not link.flight:
            link.transport.close()
        self._let_in()

    def _let_in(self) -> None:
        if self.full and self.in_flight < ROOM:
            self._make_room()

    def _make_room(self) -> None:
        self.full = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _lost(self, link: Link) -> None:
        if link is not self._link:
            return
        self._link, self._retiring = None, False
        again = []
        for call in link.flight:
            if call[0].done():
                continue
            if call[3] & SAFE:
                again.append((*call[:3], call[3] | SENT))
            else:
                self.stats.lost += 1
                problem = f"the connection was lost before {_text(call[1][0])} was answered"
                give_up(call[0], ConnectionLost(problem, maybe_ran=True))
        self.stats.resent += len(again)
        self._raw = self._raw or any(call[3] & RAW for call in again)
        self._queue[:0] = again
        self._make_room()
        events.emit(events.CLIENT_RECONNECTING, name=self.name, waiting=len(self._queue))
        if self._queue:
            self._connect()

    # ---- connections

    def _connect(self) -> None:
        if self._connecting is None and self._loop:
            self._connecting = self._loop.create_task(self._keep_dialling())

    async def _keep_dialling(self) -> None:
        """Connect, one attempt at a time, for as long as somebody waits."""
        pause, mine = FIRST_PAUSE, self._connecting
        try:
            while self._prune():
                try:
                    link = self._greet(*await self._dial())
                except HOPELESS as error:
                    self._give_up_all(error)
                except (RedisError, OSError) as error:
                    if isinstance(error.__context__, ssl.SSLCertVerificationError):
                        self._give_up_all(error)  # it will not be trusted the next time either
                        continue
                    self._trouble = error
                    events.emit(events.CLIENT_ERROR, name=self.name, error=type(error).__name__)
                    await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - full jitter, no secret
                    pause = min(2 * pause, LONGEST_PAUSE)
                except Exception as error:  # noqa: BLE001 - whatever it is, callers must not wait for it
                    self._give_up_all(error)
                else:
                    self._link, self._trouble = link, None
                    self.stats.connects += 1
                    events.emit(events.CLIENT_READY, name=self.name, connects=self.stats.connects)
                    self._stale, self._due = True, self._now() + self.timeout
                    self._flush()
                    return
        finally:
            if self._connecting is mine:  # closed and used again meanwhile, the lane has a newer one
                self._connecting = None

    def _greet(self, connection: Any, reader: hiredis.Reader) -> Link:
        """Take over a connection's transport; what came meanwhile is nobody's."""
        if connection._writer.transport.is_closing() or connection._reader.at_eof():
            connection._close()
            raise ConnectionLost("the server closed the connection at once", maybe_ran=False)
        return Link(
            connection,
            reader,
            ends=Ends(self._refused, self._heard, self._flush, self._lost),
            stats=self.stats,
        )

    def _prune(self) -> bool:
        """Forget those who no longer wait; say whether anybody does."""
        self._stale = False
        self._queue = [call for call in self._queue if not call[0].done()]
        self._let_in()
        return bool(self._queue)

    def _give_up_all(self, error: Exception) -> None:
        calls, self._queue = self._queue, []
        for call in calls:
            give_up(call[0], _copy(error))

    # ---- event loops

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to the loop that runs now: a client may be used in several runs of asyncio, and after a fork."""
        link = self._link
        if link and self._pid != os.getpid():
            INHERITED.append(link)
        elif link:
            with suppress(RuntimeError):  # the old loop is closed
                link.transport.abort()
        self._forget()
        self._loop, self._pid = loop, os.getpid()
        self._is_running = loop.is_running
        self._now = time.monotonic
        self._new_future = loop.create_future

    def _forget(self) -> None:
        self._link = self._connecting = self._watch = self._trouble = None
        self._queue, self._waiters = [], []
        self._awake = self._raw = self._retiring = self._stale = self.full = False


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _unanswered(seconds: float) -> TimedOut:
    return TimedOut(f"no answer within {seconds:g} s", maybe_ran=True)


def _copy(error: Exception) -> Exception:
    """Return an equal error: one that many raise would collect all their tracebacks."""
    try:
        return type(error)(*error.args)
    except TypeError:
        return error


def _end_turns() -> None:
    """In a forked child, forget turns that the parent began: nothing there would end them."""
    for lane in _lanes:
        lane._awake = False


os.register_at_fork(after_in_child=_end_turns)
