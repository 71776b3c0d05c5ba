"""One connection that many callers share: bytes out, replies back in order.

It knows nothing of deadlines and repeats; the lane above it does. Its inner loop is the hottest of the kit, so it is
plain: a deque of calls in the order in which they were sent, a parser, one test per reply for what is no plain value.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple, cast

import hiredis

from redyard.client.call import RAW, Call
from redyard.client.stats import Stats

SLICE = 16384
"""Bytes that the parser gets at a time: it moves the rest of its buffer for each KiB that it consumes."""

PUSH = hiredis.PushNotification
PLAIN = frozenset((bytes, str, int, type(None), list))
"""Most replies: one look tells them from errors and notifications."""
WAIT = object()
"""What the parser gives while there is no whole reply."""


class Ends(NamedTuple):
    """What a link tells its lane: a call was refused, replies came, it may write again, it is lost, news came."""

    refused: Callable[[Call, Exception], None]
    heard: Callable[["Link"], None]
    writable: Callable[[], None]
    lost: Callable[["Link"], None]
    pushed: Callable[[Any], None]


class Link(asyncio.Protocol):
    """The protocol of a connection that has greeted; `flight` holds what was sent and not yet answered."""

    def __init__(self, connection: Any, reader: hiredis.Reader, *, ends: Ends, stats: Stats) -> None:
        self.connection = connection  # redis-py's: its stream would close the transport when it is collected
        self.transport = cast("asyncio.Transport", connection._writer.transport)
        self.flight: deque[Call] = deque()
        self.paused = False
        self.watched = False  # by the lane, which wants to know when replies have come
        self.heard_at = 0.0
        self.gone = asyncio.get_running_loop().create_future()
        self._reader = reader
        self._ends = ends
        self._stats = stats
        self._raw = 0
        self._sent = 0
        self._timed: tuple[int, Any, float] | None = None
        self.transport.set_protocol(self)

    def send(self, calls: list[Call], packed: bytes, raw: int, name: Any, now: float) -> None:
        """Write calls; their replies are theirs in this order. The first, of this name, is timed if no other is."""
        flight = self.flight
        if not flight:
            self.heard_at = now  # silence counts from here
        if self._timed is None:
            self._timed = (self._sent, name, now)
        self._sent += len(calls)
        self._raw += raw
        flight.extend(calls)
        self.transport.write(packed)

    def send_one(self, call: Call, packed: bytes, name: Any, now: float) -> None:
        """Write a call, of this name, when none is in flight."""
        self.heard_at = now
        self._timed = (self._sent, name, now)
        self._sent += 1
        self.flight.append(call)
        self.transport.write(packed)

    def data_received(self, data: bytes) -> None:
        """Hand out the replies that came."""
        now = self.heard_at = monotonic()  # uvloop's own clock stands still within a turn
        if len(data) <= SLICE:
            self._reader.feed(data)
            self._hand_out()
        else:
            for start in range(0, len(data), SLICE):
                self._reader.feed(data, start, min(SLICE, len(data) - start))
                self._hand_out()
        timed = self._timed
        if timed and timed[0] < self._sent - len(self.flight):
            self._timed = None
            self._stats.observe(timed[1], now - timed[2])
        if self.watched:
            self._ends.heard(self)

    def _hand_out(self) -> None:
        gets = self._gets_raw if self._raw else self._reader.gets
        popleft = self.flight.popleft
        while True:
            try:
                reply = gets()
            except UnicodeDecodeError as error:
                reply = error  # one caller's trouble; the parser has passed it
            if reply is WAIT:
                return
            kind = type(reply)
            if kind in PLAIN or (kind is not PUSH and not isinstance(reply, Exception)):
                try:
                    popleft()[0].set_result(reply)
                except asyncio.InvalidStateError:
                    continue  # the caller has gone: the reply is thrown away
            elif kind is PUSH:
                self._ends.pushed(reply)
            else:
                self._ends.refused(popleft(), reply)

    def _gets_raw(self) -> Any:
        """Read one reply, decoded or not as its caller wants it."""
        raw = bool(self.flight and self.flight[0][3] & RAW)
        reply = self._reader.gets(not raw)
        if raw and reply is not WAIT and type(reply) is not PUSH:
            self._raw -= 1
        return reply

    def pause_writing(self) -> None:
        """Hold back: the system takes no more bytes for now."""
        self.paused = True

    def resume_writing(self) -> None:
        """Go on writing."""
        self.paused = False
        self._ends.writable()

    def eof_received(self) -> None:
        """Write no more: what the server no longer reads would be taken for sent."""
        self.paused = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the lane, and let redis-py's own streams go without a complaint that nobody closed them."""
        self.connection._writer = self.connection._reader = None
        if not self.gone.done():
            self.gone.set_result(None)
        self._ends.lost(self)
