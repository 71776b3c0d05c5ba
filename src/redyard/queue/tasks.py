"""Typed tasks: functions whose calls are jobs.

A call's arguments are written as one JSON object by the names of the parameters, so that a Node service can add the
same job; the worker makes of them what the annotations say.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property, update_wrapper
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, Union, cast, get_type_hints, overload

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.inspect import CustomType, StructType, type_info

from redyard.client.coding import encode
from redyard.errors import BadArguments, BadTask

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.queue import Queue

P = ParamSpec("P")
R = TypeVar("R")

Pool = Literal["thread", "process"]
"""Where a plain function runs: in a thread of the worker, or in a process of its own (for CPU work)."""

NAMED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class Task(Generic[P, R]):
    """A function that can be enqueued as a job; called, it is the function itself."""

    def __init__(
        self, queue: "Queue", function: Callable[P, R], *, name: str, pool: Pool = "thread", options: Mapping[str, Any]
    ) -> None:
        update_wrapper(self, function)
        self.queue = queue
        self.function = function
        self.name = name
        self.pool = pool
        self._options = dict(options)
        self.is_async = inspect.iscoroutinefunction(function)
        self.signature = inspect.signature(function)
        self._names = tuple(self.signature.parameters)
        self._check()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now, without a job."""
        return self.function(*args, **kwargs)

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> "Job":
        """Add a job that calls the function with these arguments, or raise BadArguments."""
        return await self.queue.add(self.name, self.arguments(*args, **kwargs), **self._options)

    def options(self, **options: Any) -> "Task[P, R]":
        """Return this task with other options of `Queue.add`: delay, priority, job_id, attempts ..."""
        both = {**self._options, **options}
        return Task(self.queue, self.function, name=self.name, pool=self.pool, options=both)

    def arguments(self, *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
        """Return the job's data for a call, or raise BadArguments: what the worker could not read is not sent."""
        try:
            given = self.signature.bind(*args, **kwargs).arguments
            self._decoder.decode(encode(given, f"the arguments of the task {self.name}"))
        except (TypeError, msgspec.ValidationError) as error:
            raise self._refused(error) from None
        return given

    def run(self, text: bytes) -> R:
        """Call the function with a job's data, as they are stored: each argument becomes what its annotation says."""
        try:
            values = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._refused(error) from None
        given = {name: getattr(values, name) for name in self._names}
        if UNSET in given.values():
            given = {name: value for name, value in given.items() if value is not UNSET}
        call: Any = self.function
        made: R = call(**given)
        return made

    @property
    def target(self) -> str:
        """Return the words MODULE:NAME by which another process finds the task."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @cached_property
    def _model(self) -> type[msgspec.Struct]:
        hints = get_type_hints(self.function, include_extras=True)
        fields = [_field(parameter, hints.get(name, Any)) for name, parameter in self.signature.parameters.items()]
        return msgspec.defstruct(self.name.title().replace(".", ""), fields, kw_only=True, forbid_unknown_fields=True)

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[msgspec.Struct]:
        return msgspec.json.Decoder(self._model)

    def _check(self) -> None:
        """Raise BadTask for what can be known now; a type that is defined further down is looked up when it is used."""
        loose = [str(item) for item in self.signature.parameters.values() if item.kind not in NAMED]
        if loose:
            raise BadTask(name=self.name, reason=f"its parameter {loose[0]} has no name in JSON")
        if self.pool == "process" and "<" in self.target:
            raise BadTask(name=self.name, reason="another process cannot find a function that is defined in a function")
        try:
            fields = cast("StructType", type_info(self._decoder.type)).fields
        except NameError:
            return
        except TypeError as error:
            raise BadTask(name=self.name, reason=str(error).splitlines()[0]) from None
        for field in fields:
            if isinstance(field.type, CustomType):
                raise BadTask(name=self.name, reason=f"{field.name} is a {field.type.cls.__name__}, which is no JSON")

    def _refused(self, error: Exception) -> BadArguments:
        return BadArguments(name=self.name, reason=str(error), signature=f"{self.name}{self.signature}")


class Tasks:
    """The part of a queue that knows its tasks."""

    @cached_property
    def tasks(self) -> dict[str, Task[Any, Any]]:
        """Return the queue's tasks by name."""
        return {}

    @overload
    def job(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def job(
        self, /, *, name: str | None = None, pool: Pool = "thread", **options: Any
    ) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def job(self, function: Any = None, /, *, name: str | None = None, pool: Pool = "thread", **options: Any) -> Any:
        """Make a function a task of this queue: `@queue.job`, or `@queue.job(name=..., pool="process", attempts=5)`.

        Args:
            function: async, or a plain function, which runs in a thread.
            name: the jobs' name. Default: the function's.
            pool: "process" runs a plain function in a process of its own, for work that needs a CPU.
            options: what `Queue.add` takes, for each job of this task.
        """
        if function is None:
            return lambda function: self._take(function, name=name, pool=pool, options=options)
        return self._take(function, name=name, pool=pool, options=options)

    def _take(self, function: Any, *, name: str | None, pool: Pool, options: Mapping[str, Any]) -> Task[Any, Any]:
        if not callable(function) or not hasattr(function, "__qualname__"):
            raise BadTask(name=repr(function), reason="it is no function")
        known = name or function.__name__
        if pool not in {"thread", "process"}:
            raise BadTask(name=known, reason=f"there is no pool {pool!r}")
        if known in self.tasks and self.tasks[known].target != f"{function.__module__}:{function.__qualname__}":
            raise BadTask(name=known, reason=f"{self.tasks[known].target} has that name already")
        queue: Any = self
        self.tasks[known] = Task(queue, function, name=known, pool=pool, options=options)
        return self.tasks[known]


def _field(parameter: inspect.Parameter, kind: Any) -> Any:
    """Return a field for a parameter; one with a default may be absent, and the function's own default counts."""
    if parameter.default is inspect.Parameter.empty:
        return (parameter.name, kind)
    either: UnionType = Union[kind, UnsetType]  # type: ignore[assignment] # noqa: UP007 - `|` fails on text
    return (parameter.name, either if kind is not Any else Any, msgspec.field(default=UNSET))
