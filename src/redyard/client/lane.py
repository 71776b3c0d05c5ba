"""The shared lane: one connection for all callers, made again when it is lost.

The commands of one turn of the event loop leave in one write. What was not sent waits for the next connection until its
deadline; what was sent and not answered is sent again only when that cannot harm, and fails otherwise with an error
that says that it may have run. There is no timer per command: a watchman looks round eight times per deadline.
"""

import asyncio
import os
import socket
import weakref
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from threading import get_ident
from time import monotonic
from typing import Any

import hiredis
from redis.exceptions import DataError, RedisError

from redyard import events
from redyard.client.call import RAW, SAFE, SENT, TRIED, Batch, Call, Words, give_up, served
from redyard.client.failures import (
    NOT_YET,
    ConnectionLost,
    equal,
    is_hopeless,
    pauses,
    takes_no_writes,
    unanswered,
)
from redyard.client.link import Ends, Link
from redyard.client.pool import INHERITED
from redyard.client.routes import text
from redyard.client.stats import Stats
from redyard.platform import explain_lookup

ROOM = 10_000
"""Commands without an answer beyond which no more are sent: a flood must not pile up in a slow server's buffers."""

ROUNDS = 8
"""Looks of the watchman per deadline: a command is late by an eighth of it at most."""

AGAIN_AFTER = 0.1
"""Seconds after which a command is sent again that the server could not take yet."""

MOVE_EVERY = 1.0
"""Seconds between two connections that are given up because the server takes no writes, unless it took some since."""

_lanes: "weakref.WeakSet[Lane]" = weakref.WeakSet()

Reply = asyncio.Future[Any]
Dial = Callable[[], Awaitable[tuple[Any, hiredis.Reader]]]


class Lane:
    """Sends the commands of any number of callers over one connection, each within `timeout` seconds."""

    _link: Link | None
    _queue: list[Call]
    _limited: set[Any]
    _connecting: "asyncio.Task[None] | None"
    _watch: asyncio.TimerHandle | None
    _trouble: Exception | None
    _due: float
    _moved_call: "Reply | Batch | None"
    _retiring: bool
    _takes_tried: bool
    _lonely: bool
    _pid: int

    def __init__(
        self, dial: Dial, pack_slowly: Callable[[Words], bytes], *, name: str, timeout: float, utf8: bool = True
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.stats = Stats()
        self.resolve_within = 0.0
        self._raw = False
        self.pushed: Callable[[Any], None] = _nothing
        self.parted: Callable[[], None] = _nothing
        self._moved_at, self._moved_call = -inf, None
        self._is_running: Callable[[], bool] = bool  # there is no loop yet
        self._new_future: Callable[[], Reply] = asyncio.Future
        self._dial = dial
        self._pack = hiredis.pack_command if utf8 else pack_slowly
        self._pack_slowly = pack_slowly
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._forget()
        _lanes.add(self)

    # ---- callers

    def send(self, words: Words, flags: int = 0, timeout: float | None = None, packed: bytes = b"") -> "Reply":
        """Put a command on its way and return the future of its reply; `packed` are its bytes if they are at hand.

        (Hot: Python 3.11 calls a function that is an attribute faster when it was read before.)
        """
        if self._lonely and flags <= SAFE and timeout is None:
            sent = self._send_alone(words, flags, packed)
            if sent is not None:
                return sent
        is_running, new_future = self._is_running, self._new_future
        if not (self._awake and is_running()):
            self._wake()
            new_future = self._new_future
        future = new_future()
        due = self._due if timeout is None else self._limit(future, timeout)
        self._queue.append((future, words, due, flags))
        return future

    def send_raw(self, words: Words, flags: int = 0, timeout: float | None = None) -> "Reply":
        """Put a command on its way whose reply is not decoded."""
        self._raw = True
        return self.send(words, flags | RAW, timeout)

    def send_batch(
        self, calls: Sequence[tuple[Words, int]], timeout: float | None = None
    ) -> "asyncio.Future[list[Any]]":
        """Put commands, each with its flags, on their way with nobody's between; return the future of all replies."""
        alone = self._lonely and self._free()
        if alone:
            self._start_clock()
        elif not (self._awake and self._is_running()):
            self._wake()
        future = self._new_future()
        batch = Batch(future, calls)
        self._enqueue(batch, self._due if timeout is None else self._limit(batch, timeout))
        if alone:
            self._flush()
        return future

    def _enqueue(self, batch: Batch, due: float) -> None:
        self._raw = self._raw or any(flags & RAW for _, flags in batch.calls)
        self._queue.extend((batch, words, due, flags) for words, flags in batch.calls)

    async def aclose(self) -> None:
        """Close the connection; who still waits gets an error. A later command connects again."""
        link, calls = self._link, self._queue
        if asyncio._get_running_loop() is not self._loop:
            return
        if self._connecting:
            self._connecting.cancel()
        if self._watch:
            self._watch.cancel()
        self._forget()
        self.parted()
        for call in calls:
            give_up(call[0], ConnectionLost("the client was closed", maybe_ran=bool(call[3] & SENT)))
        if link:
            for call in link.flight:
                give_up(call[0], ConnectionLost("the client was closed", maybe_ran=True))
            link.flight.clear()
            link.transport.close()
            await link.gone

    def renew(self) -> None:
        """Go on at a new connection as soon as all that was sent is answered."""
        if self._link and self._loop is asyncio._get_running_loop():
            self._retiring, self._lonely = True, False
            self._heard(self._link)

    @property
    def connected(self) -> bool:
        """Say whether the connection is there."""
        return self._link is not None

    @property
    def in_flight(self) -> int:
        """Return how many commands wait to be sent or answered."""
        return len(self._queue) + (len(self._link.flight) if self._link else 0)

    # ---- a turn of the loop

    def _wake(self) -> None:
        """Begin a turn: its commands have one deadline and leave in one write when it ends.

        To ask for the running loop once a turn and not for each command saves a seventh of a command's CPU.
        """
        if self._thread != get_ident() or not self._is_running():
            self._bind(asyncio.get_running_loop())  # itself no cheap call: it asks the system whether this is a fork
        self._start_clock()
        assert self._loop is not None
        self._awake = True
        self._loop.call_soon(self._flush)

    def _start_clock(self) -> None:
        self._due = monotonic() + self.timeout
        if self._watch is None and self._loop:
            self._watch = self._loop.call_later(self.timeout / ROUNDS, self._look_round)

    def _free(self) -> Link | None:
        """Return the link where a lone caller need not wait for the end of the turn: that costs the loop a round."""
        link, is_running = self._link, self._is_running
        if link is None or link.flight or link.paused or self._queue or self._thread != get_ident():
            return None
        return link if is_running() else None

    def _send_alone(self, words: Words, flags: int, packed: bytes) -> "Reply | None":
        """Send a lone caller's command at once, if that can be: `_flush` without what it does for many."""
        link = self._free()
        if link is None:
            return None
        if not packed:
            pack = self._pack
            try:
                packed = pack(words)
            except (TypeError, ValueError, OverflowError, DataError):
                return None
        if self._watch is None:
            self._start_clock()
        name, now, new_future = words[0], monotonic(), self._new_future
        future = new_future()
        link.send_one((future, words, now + self.timeout, flags), packed, name, now)
        self.stats.commands[name] += 1
        return future

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
        calls, self._queue = self._queue, []
        if len(calls) + len(link.flight) > ROOM:
            calls, self._queue = self._hold_back(calls, link)
        if not calls:
            return
        if self._limited:
            self._limited.intersection_update(call[0] for call in self._queue)
        self._lonely = calls[0][0] is calls[-1][0]
        words = [call[1] for call in calls]
        try:
            packed = b"".join(map(self._pack, words))
        except (TypeError, ValueError, OverflowError, DataError):
            calls, packed = self._pack_each(calls)
            words = [call[1] for call in calls]
        if not calls:
            return
        raw = sum(bool(call[3] & RAW) for call in calls) if self._raw else 0
        self._raw = self._raw and bool(self._queue)
        names = [call[0] for call in words]
        link.send(calls, packed, raw, names[0], self._due - self.timeout)
        self.stats.count(names)

    def _hold_back(self, calls: list[Call], link: Link) -> tuple[list[Call], list[Call]]:
        """Return the calls for which there is room, batches whole, and those that go when replies have come."""
        link.watched = True
        fits = ROOM - len(link.flight)
        while 0 < fits < len(calls) and calls[fits][0] is calls[fits - 1][0]:
            fits -= 1
        if fits <= 0 and not link.flight:  # a batch that is larger than the room
            fits = next((place for place, call in enumerate(calls) if call[0] is not calls[0][0]), len(calls))
        return calls[: max(0, fits)], calls[max(0, fits) :]

    def _pack_each(self, calls: list[Call]) -> tuple[list[Call], bytes]:
        """Pack by redis-py, which says what is wrong with a value; only the caller who gave it hears of it."""
        packed: dict[int, bytes] = {}
        for place, call in enumerate(calls):
            try:
                packed[place] = self._pack_slowly(call[1])
            except Exception as error:  # noqa: BLE001 - whatever a value raises is its caller's
                give_up(call[0], error)
        kept = [place for place, call in enumerate(calls) if not call[0].done()]  # a batch goes as a whole
        return [calls[place] for place in kept], b"".join(packed[place] for place in kept)

    def _limit(self, sink: Any, seconds: float) -> float:
        """Give a call or a batch a deadline of its own."""
        assert self._loop is not None
        self._limited.add(sink)
        self._loop.call_later(seconds, self._expire, sink, seconds)
        return monotonic() + seconds

    def _expire(self, sink: Any, seconds: float) -> None:
        unsent = sink in self._limited
        self._limited.discard(sink)
        if not sink.done():
            self._late(sink, self._unsent(seconds) if unsent else unanswered(seconds))

    def _look_round(self) -> None:
        """End the wait of those whose deadline has passed; drop a connection that has gone silent."""
        assert self._loop is not None
        now, link = monotonic(), self._link
        flight = link.flight if link else ()
        for call in flight:
            if call[2] <= now:
                self._late(call[0], unanswered(self.timeout))
        late = now - self._grace()
        for call in self._queue:
            if call[2] <= late:
                self._late(call[0], self._unsent(self.timeout, call[3]))
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

    def _unsent(self, seconds: float, flags: int = 0) -> ConnectionLost:
        self._stale = True  # it stays unsent: its caller relies on that
        meaning = explain_lookup(self._trouble.__context__, str(self._trouble)) if self._trouble else ""
        why = f" ({self._trouble}{meaning and f' {meaning}'})" if self._trouble else ""
        lacking = "room" if self._link else "connection"
        return ConnectionLost(f"no {lacking} in {seconds:g} s{why}", maybe_ran=bool(flags & SENT))

    # ---- what the link tells

    def _refused(self, call: Call, error: Exception) -> None:
        sink, words, due, flags = call
        moves = takes_no_writes(error) and self._may_move(flags)
        if sink.done():
            return
        if isinstance(sink, Batch):
            if moves:
                sink.go_elsewhere(partial(self._enqueue_moved, sink, due))
            waits = sink.turned_away(error) and self._later(self._send_batch_again, sink, due)
        elif moves:
            self._moved_call = sink
            self._queue.append((sink, words, due, flags | TRIED))
            self._raw, waits = self._raw or bool(flags & RAW), True
        else:
            waits = isinstance(error, NOT_YET) and self._later(self._send_again, call, due)
        if not waits:
            sink.set_exception(error)

    def _later(self, again: Callable[[Any, float], None], what: Any, due: float) -> bool:
        """Send what did not run again after a while; say whether there is time for that."""
        if self._loop is None or monotonic() + AGAIN_AFTER >= due:
            return False
        self._loop.call_later(AGAIN_AFTER, again, what, due)
        return True

    def _may_move(self, flags: int) -> bool:
        """Finish here and go on at a new connection: the server was demoted or has moved.

        Say whether a call goes along. One that went before does so only where what went with it was served: else this
        is a server that stays read-only, and its callers are to hear of it.
        """
        if not self._retiring:
            proved = self._moved_call is not None and served(self._moved_call)
            if proved or monotonic() - self._moved_at >= MOVE_EVERY:
                self._moved_at, self._moved_call = monotonic(), None
                self._retiring, self._lonely, self._takes_tried = True, False, proved
                if self._link:
                    self._link.watched = True
        return self._retiring and (self._takes_tried or not flags & TRIED)

    def _enqueue_moved(self, batch: Batch, due: float, start: int) -> None:
        """Send what a batch was refused, to its end, at the new connection."""
        self._moved_call = batch
        self._raw = self._raw or any(flags & RAW for _, flags in batch.calls)
        self._queue.extend((batch, words, due, flags | TRIED) for words, flags in batch.calls[start:])

    def _send_again(self, call: Call, _: float) -> None:
        if not call[0].done():
            self.stats.resent += 1
            self._raw = self._raw or bool(call[3] & RAW)
            self._queue.append(call)
            if not self._awake:
                self._wake()

    def _send_batch_again(self, batch: Batch, due: float) -> None:
        if not batch.done():
            self.stats.resent += len(batch.calls)
            self._enqueue(batch, due)
            if not self._awake:
                self._wake()

    def _heard(self, link: Link) -> None:
        link.watched = self._retiring
        if self._retiring and not link.flight:
            link.transport.close()
        elif self._queue and not self._awake:
            self._flush()

    def _lost(self, link: Link) -> None:
        if link is not self._link:
            return
        self._link, self._retiring = None, False
        self.parted()
        again = []
        for call in link.flight:
            if call[0].done():
                continue
            if call[3] & SAFE:
                again.append((*call[:3], call[3] | SENT))
            else:
                self.stats.lost += 1
                problem = f"the connection was lost before {text(call[1][0])} was answered"
                give_up(call[0], ConnectionLost(problem, maybe_ran=True))
        self.stats.resent += len(again)
        self._raw = self._raw or any(call[3] & RAW for call in again)
        self._queue[:0] = again
        events.emit(events.CLIENT_RECONNECTING, name=self.name, waiting=len(self._queue))
        if self._queue:
            self._connect()

    # ---- connections

    def _connect(self) -> None:
        if self._connecting is None and self._loop:
            self._connecting = self._loop.create_task(self._keep_dialling())

    async def _keep_dialling(self) -> None:
        """Connect, one attempt at a time, for as long as somebody waits."""
        waits, mine = pauses(), self._connecting
        try:
            while self._prune():
                try:
                    link = self._greet(*await self._dial())
                except (RedisError, OSError) as error:
                    if is_hopeless(error):
                        self._give_up_all(error)
                        continue
                    self._trouble = error
                    events.emit(events.CLIENT_ERROR, name=self.name, error=type(error).__name__)
                    await asyncio.sleep(next(waits))
                except Exception as error:  # noqa: BLE001 - whatever it is, callers must not wait for it
                    self._give_up_all(error)
                else:
                    self._link, self._trouble = link, None
                    self.stats.connects += 1
                    events.emit(events.CLIENT_READY, name=self.name, connects=self.stats.connects)
                    self._stale, self._due = True, monotonic() + self.timeout
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
            ends=Ends(self._refused, self._heard, self._flush, self._lost, self.pushed),
            stats=self.stats,
        )

    def _prune(self) -> bool:
        """Forget those who no longer wait; say whether anybody does."""
        self._stale = False
        self._queue = [call for call in self._queue if not call[0].done()]
        return bool(self._queue)

    def _give_up_all(self, error: Exception) -> None:
        calls, self._queue = self._queue, []
        for call in calls:
            give_up(call[0], equal(error))

    # ---- event loops

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to the loop that runs now: a client may be used in several runs of asyncio, and after a fork."""
        self._thread = get_ident()
        if loop is self._loop:
            return
        link = self._link
        if link and self._pid != os.getpid():
            INHERITED.append(link)
        elif link:
            with suppress(RuntimeError):  # the old loop is closed
                link.transport.abort()
        self._forget()
        if self._loop is not None:
            self.parted()
        self._loop, self._pid = loop, os.getpid()
        self._is_running = loop.is_running
        self._new_future = loop.create_future

    def _forget(self) -> None:
        self._link = self._connecting = self._watch = self._trouble = None
        self._queue, self._limited = [], set()
        self._awake = self._lonely = self._retiring = self._takes_tried = self._stale = False


def _nothing(*_: Any) -> None:
    """Heed neither what a server says unasked nor a parting: the shared lane of commands need not."""


def _end_turns() -> None:
    """In a forked child, forget turns that the parent began: nothing there would end them."""
    for lane in _lanes:
        lane._awake, lane._thread = False, 0


os.register_at_fork(after_in_child=_end_turns)
