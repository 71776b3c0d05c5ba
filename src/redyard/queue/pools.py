"""Where handlers run: in the event loop, in threads, or in child processes of which each does one job at a time.

A child that is killed fails the attempt it was at, and no other; one whose attempt is cancelled is killed. What goes
over its pipe is JSON, like a job itself.
"""

import asyncio
import atexit
import inspect
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, copy_context
from importlib import import_module
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError

from redyard.client.coding import decode, encode
from redyard.errors import ChildDied, NoHandler, RedyardError, Unrecoverable

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.queue import Queue
    from redyard.queue.tasks import Task

Handler = Callable[["Job"], Awaitable[object]] | Callable[["Job"], object]
Tell = Callable[[str, object], None]

AWAY = (RedisError, OSError)

_SPAWN = multiprocessing.get_context("spawn")  # a fork would take the worker's connections and locks with it
_JOB: ContextVar["Job"] = ContextVar("job")
_LOOP: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("loop", default=None)
"""In a thread, the loop of its worker."""
_PIPE: list[Connection] = []
"""In a child process, the way to its worker."""


def current_job() -> "Job":
    """Return the job that this code runs for, in a handler or a task; not in a child process."""
    try:
        return _JOB.get()
    except LookupError:
        raise RuntimeError("no job runs here") from None


def report_progress(progress: object) -> None:
    """Tell from anywhere in a job how far it is: also in a plain function, in a thread or a child process."""
    _tell("progress", progress)


def report_line(line: str) -> None:
    """Add a line to the job's log from anywhere in a job."""
    _tell("log", line)


def _tell(kind: str, value: object) -> None:
    text = encode({"tell": kind, "value": value}, f"the {kind} of a job")
    job = _JOB.get(None)
    if _PIPE:
        _PIPE[0].send_bytes(text)
    elif job is not None:  # a task that is called directly has nobody to tell
        relay_of(job, _LOOP.get() or asyncio.get_running_loop()).put(kind, value)


class RemoteError(Exception):
    """What a handler raised in a child process; its stack is in the notes."""


class Handling:
    """What a worker does with a job: its handler, or the queue's task of the job's name, wherever that has to run."""

    def __init__(self, queue: "Queue", handler: Handler | None, *, size: int) -> None:
        self._queue = queue
        self._handler = handler
        self._is_async = handler is not None and is_async(handler)
        self._pools = Pools(size)

    async def __call__(self, job: "Job") -> Any:
        """Do a job and return what it returns. (Hot: a worker does little else.)"""
        _JOB.set(job)
        try:
            if self._is_async:
                return await self._handler(job)  # type: ignore[misc] # so says is_async
            if self._handler is not None:
                return await self._in_thread(self._handler, job)
            return await self._do_task(job)
        finally:
            if RELAY in vars(job):
                await vars(job)[RELAY].end()

    async def aclose(self) -> None:
        """End the threads and children; a later job starts new ones."""
        await self._pools.aclose()

    async def _do_task(self, job: "Job") -> Any:
        task = self._queue.tasks.get(job.name)
        if task is None:
            known = ", ".join(sorted(self._queue.tasks)) or "no tasks"
            raise NoHandler(name=job.name, queue=self._queue.name, known=known)
        text = job.fields.get(b"data") or b"null"
        if task.pool == "process":
            tell = relay_of(job, asyncio.get_running_loop()).put
            return await self._pools.process(task.target, text, tell)
        return await (task.run(text) if task.is_async else self._in_thread(task.run, text))

    async def _in_thread(self, call: Callable[[Any], Any], given: object) -> Any:
        result = await self._pools.thread(call, given)
        return await result if inspect.isawaitable(result) else result


def is_async(function: Callable[..., object]) -> bool:
    """Say whether a function, or an object that is called like one, is async."""
    return inspect.iscoroutinefunction(function if inspect.isroutine(function) else type(function).__call__)


class Pools:
    """Threads, as many as a worker has jobs at once, and children, as many as the machine has processors."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._threads: ThreadPoolExecutor | None = None
        self._free: list[_Child] = []
        self._seats = asyncio.Semaphore(os.cpu_count() or 1)

    async def thread(self, function: Callable[[Any], Any], given: object) -> Any:
        """Run a function in a thread."""
        self._threads = self._threads or ThreadPoolExecutor(self._size, "redyard-job")
        loop, context = asyncio.get_running_loop(), copy_context()
        context.run(_LOOP.set, loop)
        return await loop.run_in_executor(self._threads, context.run, function, given)

    async def process(self, target: str, text: bytes, tell: Tell) -> Any:
        """Run a task in a child."""
        async with self._seats:
            child = self._free.pop() if self._free else await asyncio.to_thread(_Child)
            try:
                answer = await child.ask({"target": target, "data": text.decode()}, tell)
            except BaseException:  # it is dead, or in the midst of what nobody waits for any more
                await child.kill()
                raise
            self._free.append(child)
        if "error" in answer:
            raise _error(answer)
        return answer["result"]

    async def aclose(self) -> None:
        """End all of them. A thread that still runs ends by itself."""
        if self._threads:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        children, self._free = self._free, []
        for child in children:
            await child.kill()


class _Child:
    """A process that does one job after another."""

    def __init__(self) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=serve, args=(theirs,), name="redyard-job", daemon=True)
        self._process.start()
        atexit.register(self._process.kill)  # it ignores the SIGTERM by which multiprocessing ends it at the exit
        theirs.close()

    async def ask(self, request: dict[str, object], tell: Tell) -> Any:
        """Have a job done, and return the answer; what is told meanwhile is passed on."""
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        loop.add_reader(self._pipe.fileno(), self._read, tell, done)
        try:
            with suppress(OSError):  # it died while it was idle: so says the reader
                self._pipe.send_bytes(encode(request, "a job"))
            answer = await done
        finally:
            loop.remove_reader(self._pipe.fileno())
        if answer is None:
            await asyncio.to_thread(self._process.join)
            raise ChildDied(name=request["target"], exit_status=self._process.exitcode)
        return answer

    async def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._pipe.close()
        await asyncio.to_thread(self._process.join)
        atexit.unregister(self._process.kill)

    def _read(self, tell: Tell, done: "asyncio.Future[Any]") -> None:
        if done.done():
            return
        try:
            message = decode(self._pipe.recv_bytes())
        except (EOFError, OSError):
            done.set_result(None)
            return
        if "tell" in message:
            tell(message["tell"], message["value"])
        else:
            done.set_result(message)


def serve(pipe: Connection) -> None:
    """Do jobs until the worker closes the pipe or ends: it alone heeds signals. (This runs in the child.)"""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _PIPE.append(pipe)
    with suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(decode(pipe.recv_bytes())))


def _answer(request: dict[str, Any]) -> bytes:
    try:
        result = find_task(request["target"]).run(request["data"].encode())
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        return encode({"result": result}, "the result of a job")
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the job's failure
        stack = "".join(traceback.format_exception(error))
        words = str(error) or type(error).__name__
        final = isinstance(error, Unrecoverable)
        return encode({"error": words, "kind": type(error).__name__, "stack": stack, "final": final}, "an error")


def find_task(target: str) -> "Task[Any, Any]":
    """Return the task that the words MODULE:NAME name."""
    module, _, name = target.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    task: Task[Any, Any] = found
    return task


def _error(answer: dict[str, Any]) -> Exception:
    """Make an error of a child's again, as far as it matters here."""
    error: Exception = Unrecoverable(problem=answer["error"]) if answer["final"] else RemoteError(answer["error"])
    error.add_note(f"In a child process:\n{answer['stack']}")
    return error


RELAY = "_relay"


class _Relay:
    """Passes on what a job tells from any thread, in order, and before its end is told."""

    def __init__(self, job: "Job", loop: asyncio.AbstractEventLoop) -> None:
        self._job = job
        self._loop = loop
        self._queue: deque[tuple[str, Any]] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, kind: str, value: object) -> None:
        if asyncio._get_running_loop() is self._loop:
            self._take(kind, value)
        else:
            self._loop.call_soon_threadsafe(self._take, kind, value)

    def _take(self, kind: str, value: object) -> None:
        self._queue.append((kind, value))
        if self._task is None or self._task.done():
            self._task = self._loop.create_task(self._pass_on())

    async def end(self) -> None:
        if self._task:
            await self._task

    async def _pass_on(self) -> None:
        while self._queue:
            kind, value = self._queue.popleft()
            with suppress(*AWAY, RedyardError):  # a courtesy: the work goes on without it
                await (self._job.update_progress(value) if kind == "progress" else self._job.log(str(value)))


def relay_of(job: "Job", loop: asyncio.AbstractEventLoop) -> _Relay:
    """Return a job's relay. Most jobs tell nothing and have none."""
    relay: _Relay = vars(job).get(RELAY) or vars(job).setdefault(RELAY, _Relay(job, loop))
    return relay
