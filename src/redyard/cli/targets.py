"""What the words MODULE:QUEUE name: a queue with tasks, or a worker, of the app's own code."""

import importlib
import sys
import traceback
from pathlib import Path

from redyard.errors import NoQueue, RedyardError
from redyard.queue import Queue, Worker


def find_worker(target: str, *, concurrency: int | None = None, grace: float | None = None) -> Worker:
    """Return the worker that the words name, or a new one for the queue that they name; or raise NoQueue."""
    module, _, name = target.partition(":")
    if not module or not name:
        raise NoQueue(target=target, reason="it is not MODULE:QUEUE")
    found = _attribute(target, module, name)
    if isinstance(found, Worker):
        return found
    if not isinstance(found, Queue):
        raise NoQueue(target=target, reason=f"it is a {type(found).__name__}, no Queue and no Worker")
    if not found.tasks:
        raise NoQueue(target=target, reason="the queue has no tasks (@queue.job); name a Worker that has a handler")
    options = {"concurrency": concurrency, "grace": grace}
    return Worker(found, **{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]


def _attribute(target: str, module: str, name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise NoQueue(target=target, reason=f"there is no module {error.name!r} in {here}") from None
        raise NoQueue(target=target, reason=_where(error)) from error
    except RedyardError:
        raise
    except Exception as error:
        raise NoQueue(target=target, reason=_where(error)) from error
    for part in name.split("."):
        if not hasattr(found, part):
            known = ", ".join(_candidates(found)) or "none"
            raise NoQueue(target=target, reason=f"it has no {part!r}; queues and workers there: {known}")
        found = getattr(found, part)
    return found


def _candidates(module: object) -> list[str]:
    return [name for name, value in vars(module).items() if isinstance(value, Queue | Worker)]


def _where(error: Exception) -> str:
    """Say why a module could not be imported, and at which line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing it failed in {last.filename}:{last.lineno}: {type(error).__name__}: {error}"
