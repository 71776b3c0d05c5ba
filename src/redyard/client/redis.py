"""`Redis`: redis-py's asyncio client on one shared, auto-pipelined connection, the same from every constructor.

All of redis-py's methods, callbacks and decoding stay; only the way of a command is ours. Plain commands share the
lane; blocking ones take a connection from a small pool and are bounded by their own timeout; `pipeline`, `pubsub`,
`monitor`, `client()` and locks work as in redis-py.
"""

import asyncio
import codecs
import copy
import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, Self, cast
from weakref import WeakSet

import hiredis
import redis.asyncio
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.client import EMPTY_RESPONSE, NEVER_DECODE
from redis.connection import PythonRespSerializer
from redis.exceptions import DataError, InvalidResponse, ResponseError

from redyard.client.blocking import patience
from redyard.client.call import RAW, SAFE, Words
from redyard.client.failures import (
    MOVES_WITHIN,
    ConnectionLost,
    TimedOut,
    has_moved,
    is_hopeless,
    lost_when_closed,
    pauses,
)
from redyard.client.lane import Lane
from redyard.client.link import WAIT
from redyard.client.options import (
    DEFAULTS,
    QUIET,
    TIMEOUT,
    check_options,
    client_name,
    make_pool,
    no_retry,
    papers,
    reason_of,
)
from redyard.client.pipeline import Pipeline
from redyard.client.pool import Pool
from redyard.client.renewal import Login
from redyard.client.routes import FAMILIES, Way, full_name, route, split
from redyard.client.secure import explained
from redyard.client.stats import Stats
from redyard.client.url import check_url, find_source, redact, without_login
from redyard.errors import InvalidURL
from redyard.platform import RESOLVE_WITHIN, has_private_network
from redyard.settings import Settings

DEPENDS = FAMILIES | {"XREAD", "XREADGROUP"}
"""Commands whose way depends on more than their name."""

_NOTHING = object()


Known = tuple[int, Words, Callable[..., Any] | None]
"""What is remembered of a command's name: its flags, its words where the name has several, and its callback."""


class Redis(redis.asyncio.Redis):
    """A `redis.asyncio.Redis` that shares one connection, runs no command twice by itself, and lets no call hang."""

    def __init__(self, *, connection_pool: ConnectionPool | None = None, **options: Any) -> None:
        options = {**DEFAULTS, "client_name": client_name("app", "redis"), **options, "retry": no_retry()}
        super().__init__(connection_pool=connection_pool, maint_notifications_config=QUIET, **options)
        if connection_pool is None:
            made = self.connection_pool
            self.connection_pool = make_pool(made.connection_class, made.connection_kwargs, size=made.max_connections)
        self._settle()

    def _settle(self) -> None:
        kwargs = self.connection_pool.connection_kwargs
        timeout = kwargs.get("socket_timeout") or TIMEOUT
        name = str(kwargs.get("client_name") or "redis")
        self._decodes = bool(kwargs.get("decode_responses"))
        utf8 = codecs.lookup(kwargs.get("encoding", "utf-8")).name == "utf-8"
        self._lane = Lane(self._dial, self._pack_slowly, name=name, timeout=timeout, utf8=utf8)
        self._other_lanes: WeakSet[Lane] = WeakSet()
        self._known: dict[Any, Known] = {}
        self._set_says = self.response_callbacks.get("SET")
        self._flags = 0
        self._timeout: float | None = None
        self._borrows = False
        self._login: Login | None = None
        self._origin: Self | None = None
        self._heat()

    def _heat(self) -> None:
        """Note the flags of the hot commands, or None where they must go the usual way."""
        self._usual = type(self).execute_command is not Redis.execute_command or self.single_connection_client
        callbacks = self.response_callbacks
        self._get = None if self._usual or callbacks.get("GET") else self._flags | SAFE
        self._set = None if self._usual or callbacks.get("SET") is not self._set_says else self._flags

    # ---- constructors

    @classmethod
    def from_env(
        cls, role: str = "store", environ: Mapping[str, str] = os.environ, *, app: str = "app", **options: Any
    ) -> Self:
        """Make a client for the store or the cache that the environment names; `app` tells clients apart in lists."""
        options = {**papers(Settings.read(environ)), "client_name": client_name(app, role), **options}
        source = find_source(environ, role=role)
        url, login = (without_login(source.url), Login(source.file)) if source.file else (source.url, None)
        if login:
            options["credential_provider"] = login
        client = cls.from_url(url, **options)
        client._lane.resolve_within = RESOLVE_WITHIN if has_private_network(environ) else 0.0
        if login:
            client._login = login
            login.follow(client._renew)
        return client

    @classmethod
    def from_url(  # type: ignore[override] # a parent's argument is deprecated and absent here
        cls, url: str, single_connection_client: bool = False, **options: Any
    ) -> Self:
        """Make a client for an address such as `redis://USER:PASSWORD@HOST:PORT/DB`, or raise InvalidURL."""
        url = check_url(url)
        try:
            parsed = parse_url(url)
            kind = parsed.pop("connection_class", Connection)
            if not issubclass(kind, SSLConnection):
                options = {name: value for name, value in options.items() if not name.startswith("ssl_")}
            merged = {**DEFAULTS, "client_name": client_name("app", "redis"), **options, **parsed, "retry": no_retry()}
            check_options(merged)
            pool = make_pool(kind, merged, size=merged.pop("max_connections"))
            cast("Any", pool).make_connection()  # it connects later; here it refuses unknown options of the address
        except (TypeError, ValueError, LookupError, redis.RedisError) as error:
            raise InvalidURL(url=redact(url), reason=reason_of(error)) from None
        client = cls(connection_pool=pool, single_connection_client=single_connection_client)
        client.auto_close_connection_pool = True
        return client

    def having(self, *, timeout: float | None = None, idempotent: bool = False) -> Self:
        """Return this client with other terms for its commands; connections are shared.

        Args:
            timeout: seconds for each command, instead of the client's.
            idempotent: a command whose answer was lost may be sent again.
        """
        other = copy.copy(self)
        other._origin = self  # which looks after the login, and goes over for both
        other._timeout = timeout if timeout is not None else self._timeout
        other._flags = self._flags | (SAFE if idempotent else 0)
        other._heat()
        other.auto_close_connection_pool = False
        other._borrows = True
        return other

    def lane(self, name: str) -> Lane:
        """Return another lane to the same server, on a connection of its own that has this name."""
        own = self._lane
        utf8 = own._pack is hiredis.pack_command
        lane = Lane(partial(self._dial, name), self._pack_slowly, name=name, timeout=own.timeout, utf8=utf8)
        self._other_lanes.add(lane)
        return lane

    # ---- commands

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Run one command and return its parsed answer.

        Args:
            timeout: seconds for this command, instead of the client's.
            idempotent: it may be sent again when its answer was lost.
        """
        known = self._known.get(words[0])
        if known is None:
            return await self._uncommon(words, options)
        flags, several, callback = known
        if several:
            words = several + words[1:]
        if options:
            return await self._with_options(words, known, options)
        reply = await self._lane.send(words, flags | self._flags, self._timeout)
        if callback is None:
            return reply
        answer = callback(reply)
        return await answer if hasattr(answer, "__await__") else answer

    async def run_raw(self, *words: Any) -> Any:
        """Run one command and return its reply as it came. (Hot: the kit's own commands go this way.)"""
        known = self._known.get(words[0])
        if known is None or known[1] or self._usual:
            return await self.execute_command(*words, **{NEVER_DECODE: True})
        send = self._lane.send_raw if self._decodes else self._lane.send
        return await send(words, known[0] | self._flags, self._timeout)

    async def get(self, name: Any) -> Any:
        """Return the value of a key. (Hot: it goes straight to the lane, not through `execute_command`.)"""
        flags = self._get
        if flags is None:
            return await self.execute_command("GET", name)
        return await self._lane.send(("GET", name), flags, self._timeout)

    async def set(self, name: Any, value: Any, *args: Any, **options: Any) -> Any:
        """Set a key; options as in redis-py. (Hot, as `get`.)"""
        if args or options:
            return await super().set(name, value, *args, **options)
        flags = self._set
        if flags is None:
            return await self.execute_command("SET", name, value)
        reply = await self._lane.send(("SET", name, value), flags, self._timeout)
        return reply in (b"OK", "OK")  # a list has no hash; what redis-py's callback says, too

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Return a pipeline, which travels on the lane as one batch unless it watches keys."""
        return Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint, client=self)

    def set_response_callback(self, command: str, callback: Any) -> None:
        """Replace the callback of a command."""
        super().set_response_callback(command, callback)
        self._known.clear()
        self._heat()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections that this client owns; a later command opens them again."""
        if self._borrows:
            return
        if self._login:
            self._login.stop()
        for lane in (self._lane, *self._other_lanes):
            await lane.aclose()
        await super().aclose(close_connection_pool)

    def __del__(self, *args: Any) -> None:
        """Complain of a connection that was left open, as redis-py does, unless it is another's."""
        if not getattr(self, "_borrows", True):
            super().__del__(*args)

    @property
    def stats(self) -> Stats:
        """Return the lane's counters."""
        return self._lane.stats

    @property
    def connected(self) -> bool:
        """Say whether the shared connection is there."""
        return self._lane.connected

    @property
    def in_flight(self) -> int:
        """Return how many commands wait to be sent or answered."""
        return self._lane.in_flight

    def send_raw(self, words: Words, packed: bytes = b"") -> "asyncio.Future[Any]":
        """Put a command on its way and return the future of its reply, undecoded and without a callback.

        (Hot: for the capabilities, which prepare their words once, and for a lone caller even their bytes.)
        """
        if self._usual:  # a subclass sees all commands; or it has its own connection
            return _future_of(self.execute_command(*words, **{NEVER_DECODE: True}))
        if self._decodes:
            return self._lane.send_raw(words, self._flags, self._timeout)
        return self._lane.send(words, self._flags, self._timeout, packed)

    @property
    def script_flags(self) -> int:
        """Return the flags of a command in a batch whose reply is not to be decoded."""
        return self._flags | (RAW if self._decodes else 0)

    async def send_batch(self, calls: Sequence[tuple[Words, int]]) -> list[Any]:
        """Send commands as one, each with its flags, and return their replies, errors among them. (For pipelines.)"""
        return await self._lane.send_batch(calls, self._timeout)

    async def _with_options(self, words: Words, known: Known, options: dict[str, Any]) -> Any:
        options.pop("keys", None)  # for redis-py's client-side cache
        timeout = options.pop("timeout", self._timeout)
        flags, _, callback = known
        flags |= self._flags
        if options.pop("idempotent", False):
            flags |= SAFE
        raw = options.pop(NEVER_DECODE, _NOTHING) is not _NOTHING and self._decodes
        send = self._lane.send_raw if raw else self._lane.send
        instead = options.pop(EMPTY_RESPONSE, _NOTHING)
        try:
            reply = await send(words, flags, timeout)
        except ResponseError:
            if instead is _NOTHING:
                raise
            return instead
        if callback is None:
            return reply
        answer = callback(reply, **options)
        return await answer if hasattr(answer, "__await__") else answer

    async def _uncommon(self, words: Words, options: dict[str, Any]) -> Any:
        """Run a command that is met for the first time, whose way depends on its words, or that has its own client."""
        if self.single_connection_client:
            return await self._alone(words, options)
        whole = split(words)
        seconds = patience(whole)
        found = route(whole, blocks=seconds is not None)
        if found.way is Way.REFUSED:
            raise DataError(found.reason)
        if found.way is Way.BLOCKING:
            return await self._blocking(words, options, cast("float", seconds))
        name = words[0]
        callback = cast("Any", self.response_callbacks).get(name)
        parts = () if whole is words else whole[: len(whole) - len(words) + 1]
        known = (SAFE if found.safe else 0, parts, callback)
        if full_name((name,)) not in DEPENDS:
            self._known[name] = known
        return await self._with_options(whole, known, options)

    async def _blocking(self, words: Words, options: dict[str, Any], seconds: float) -> Any:
        """Run a command on a connection of its own, for as long as it may block and a little longer."""
        bound = _finite(options.pop("timeout", seconds + self._lane.timeout))
        options.pop("idempotent", None)
        pool = cast("Any", self.connection_pool)
        cancelled, waits, refused_at, moving_until = _cancellations(), pauses(), -inf, -inf
        while True:
            connection = await self._connection_within(bound)
            try:
                _heed(cancelled)
                return await self._on(connection, words, options, bound=bound)
            except ResponseError as error:
                now = time.monotonic()
                if now - refused_at > MOVES_WITHIN:  # it has waited at a new server since: this one moves, too
                    moving_until = now + MOVES_WITHIN
                refused_at = now
                if not has_moved(error) or now > moving_until:
                    raise
                await connection.disconnect()
            finally:
                await pool.release(connection)
            await asyncio.sleep(next(waits))

    async def _connection_within(self, bound: float | None) -> Any:
        """Return a free connection; while the server is away, try again: nothing was sent."""
        waits, trouble = pauses(), ""
        try:
            async with asyncio.timeout(bound):
                while True:
                    try:
                        with lost_when_closed():
                            return await self._with_login(cast("Any", self.connection_pool).get_connection)
                    except (redis.RedisError, OSError) as failed:
                        error = await self._explained(failed)
                        if is_hopeless(error):
                            raise error from None
                        trouble = str(error)
                    await asyncio.sleep(next(waits))
        except TimeoutError:
            if trouble:
                raise ConnectionLost(f"no connection in {bound:g} s ({trouble})", maybe_ran=False) from None
            raise TimedOut("no connection was free for a blocking command", maybe_ran=False) from None

    async def _alone(self, words: Words, options: dict[str, Any]) -> Any:
        """Run a command on the connection that is this client's alone."""
        await self.initialize()
        options.pop("idempotent", None)
        usual = self._lane.timeout + (patience(split(words)) or 0)
        bound = _finite(options.pop("timeout", self._timeout or usual))
        async with cast("Any", self)._single_conn_lock:
            return await self._on(self.connection, words, options, bound=bound)

    async def _on(self, connection: Any, words: Words, options: dict[str, Any], *, bound: float | None = None) -> Any:
        """Run a command on a connection that nobody shares, bounded as a whole and not by the next byte."""
        usual, connection.socket_timeout = connection.socket_timeout, None
        try:
            async with asyncio.timeout(bound):
                with lost_when_closed():
                    await connection.send_command(*words)
                return await self.parse_response(connection, words[0], **options)
        except TimeoutError:
            await connection.disconnect()
            raise TimedOut(f"{words[0]} was not answered", maybe_ran=True) from None
        except redis.ReadOnlyError:
            await connection.disconnect()  # the server was demoted or has moved
            raise
        except redis.ConnectionError as error:
            if type(error) is not redis.ConnectionError:  # a server's refusal, which has a class of its own
                raise
            raise ConnectionLost(f"the connection was lost before {words[0]} was answered", maybe_ran=True) from None
        finally:
            connection.socket_timeout = usual

    # ---- connections

    async def _dial(self, name: str = "") -> tuple[Any, hiredis.Reader]:
        """Connect and greet as redis-py does; return the connection and a parser that reads as its own does."""
        connection = cast("Any", self.connection_pool).make_connection()
        connection.client_name = name or connection.client_name
        cancelled = _cancellations()
        try:
            with lost_when_closed():
                await self._with_login(connection.connect)
            _heed(cancelled)
        except BaseException as error:
            await connection.disconnect(nowait=True)
            if isinstance(error, redis.RedisError):
                raise await self._explained(error) from None
            raise
        encoder = connection.encoder
        decoding = {"encoding": encoder.encoding, "errors": encoder.encoding_errors} if encoder.decode_responses else {}
        reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=connection._parser.parse_error, notEnoughData=WAIT, **decoding
        )
        return connection, reader

    async def _with_login(self, connect: Callable[[], Awaitable[Any]]) -> Any:
        """Connect; where the login is refused and its file has another by now, connect once more."""
        try:
            return await connect()
        except redis.AuthenticationError:
            if self._login is None or not self._login.is_stale():
                raise
        return await connect()

    def _renew(self) -> None:
        """Go over to new connections: the login was changed, and the old one may end."""
        for lane in (self._lane, *self._other_lanes):
            lane.renew()
        self._renewing = asyncio.ensure_future(cast("Pool", self.connection_pool).renew())

    async def _explained(self, error: Exception) -> Exception:
        """Return an error of connecting, with the reason where it has to do with TLS."""
        pool = self.connection_pool
        encrypted = issubclass(pool.connection_class, SSLConnection)
        return await explained(error, pool.connection_kwargs, encrypted=encrypted)

    def _pack_slowly(self, words: Words) -> bytes:
        """Pack as redis-py does: it encodes by the client's encoding, and says which value cannot be sent."""
        packer: Any = PythonRespSerializer(6000, cast("Any", self).get_encoder().encode)
        return b"".join(packer.pack(*words))


def _future_of(call: Coroutine[Any, Any, Any]) -> "asyncio.Future[Any]":
    """Run a coroutine, and return a plain future of its result, which others may fail."""
    task = asyncio.ensure_future(call)
    future = asyncio.get_running_loop().create_future()

    def tell(_: object) -> None:
        if future.done():
            task.cancelled() or task.exception()
        elif task.cancelled():
            future.cancel()
        elif error := task.exception():
            future.set_exception(error)
        else:
            future.set_result(task.result())

    task.add_done_callback(tell)
    return future


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _heed(before: int) -> None:
    """Raise the cancellation that redis-py's connecting swallowed: before Python 3.12, `asyncio.wait_for` can do so."""
    if _cancellations() > before:
        raise asyncio.CancelledError


def _finite(seconds: float) -> float | None:
    return None if seconds == inf else seconds
