"""Child processes that live as long as their parent: started again when they die, and anew when the code changes.

A child has a session of its own, so that a Ctrl-C at the terminal reaches the parent alone, and a leash: its stdin,
which ends with the parent however that ends.
"""

import asyncio
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a child that died is started again: doubled each time, until one lived that long."""

EXTRA = 2.0
"""Seconds beyond their grace that children have to end."""

LOOK_EVERY = 0.5
"""Seconds between looks at the code's files."""

SKIPPED = {"__pycache__", "node_modules"}


class Crew:
    """Runs a command in several processes until it is told to stop, or one of them says that it cannot work."""

    def __init__(self, commands: Sequence[Sequence[str]], *, grace: float, say: Callable[[str], None]) -> None:
        self._commands = commands
        self._grace = grace
        self._say = say
        self._children: set[Process] = set()
        self._stop = asyncio.Event()
        self._changed = asyncio.Event()
        self._reloads = False

    def stop(self) -> None:
        """End the children, and then `run`."""
        self._stop.set()

    async def run(self, *, watch: Path | None = None) -> int:
        """Run until SIGTERM, SIGINT or `stop`; return the exit status.

        Args:
            watch: a directory; when a Python file below it changes, the children are started anew.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        self._reloads = watch is not None
        tasks: list[asyncio.Task[int]] = [asyncio.create_task(self._keep(command)) for command in self._commands]
        tasks.append(asyncio.create_task(self._wait()))
        if watch:
            tasks.append(asyncio.create_task(self._watch(watch)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return max(task.result() for task in done)
        finally:
            self._stop.set()
            await self._end(self._grace + EXTRA)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait(self) -> int:
        await self._stop.wait()
        return 0

    async def _keep(self, command: Sequence[str]) -> int:
        """Keep one child running; return the status of one that says why it cannot work (2 to 125)."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            child = await asyncio.create_subprocess_exec(*command, stdin=PIPE, start_new_session=True)
            self._children.add(child)
            self._changed.clear()
            status = await child.wait()
            self._children.discard(child)
            if self._stop.is_set():
                return 0
            if self._reloads:
                if not self._changed.is_set():
                    self._say(f"Process {child.pid} ended with status {status}: waiting for a change of the code.")
                await self._changed.wait()
                continue
            if 1 < status < 126:
                return status
            pause = FIRST_PAUSE if time.monotonic() - started > LONGEST_PAUSE else pause
            self._say(f"Process {child.pid} ended with status {status}: another follows in {pause:g} s.")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _watch(self, directory: Path) -> int:
        known = dict(_files(directory))
        while True:
            await asyncio.sleep(LOOK_EVERY)
            now = dict(await asyncio.to_thread(lambda: list(_files(directory))))
            if now != known:
                changed = sorted(str(path.relative_to(directory)) for path, _ in now.items() ^ known.items())
                self._say(f"Changed: {', '.join(dict.fromkeys(changed))}. Starting anew.")
                known = now
                self._changed.set()
                await self._end(self._grace + EXTRA)

    async def _end(self, seconds: float) -> None:
        children = list(self._children)
        for child in children:
            with suppress(ProcessLookupError):
                child.terminate()
        waiting = [asyncio.ensure_future(child.wait()) for child in children]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            if late:
                for child in children:
                    with suppress(ProcessLookupError):
                        child.kill()
                await asyncio.wait(late)


def _files(directory: Path) -> Iterator[tuple[Path, int]]:
    """Yield the Python files of a project and when each was changed; what is hidden or installed is not looked at."""
    for path in directory.iterdir():
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                if path.name not in SKIPPED and not path.name.startswith(".") and not (path / "pyvenv.cfg").exists():
                    yield from _files(path)
            elif path.suffix == ".py":
                yield path, path.stat().st_mtime_ns
