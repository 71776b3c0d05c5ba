"""`Flow`: a tree of jobs. A parent waits until its children have completed, and reads their results.

All jobs of a tree are added in one transaction, parents first; a child's option `on_failure` says what its failure
means to its parent.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import OutOfMemoryError

from redyard.client.coding import decode
from redyard.errors import BadFlow, ServerFull
from redyard.queue.moves import New, Parent
from redyard.queue.rules import ON_FAILURE

if TYPE_CHECKING:
    from redyard.queue.job import Job
    from redyard.queue.queue import Queue


class Flow:
    """A job and its children, which are flows, too; `queue` is another queue for this job than its parent's."""

    def __init__(
        self,
        name: str,
        data: object = None,
        *,
        children: "list[Flow] | tuple[Flow, ...]" = (),
        queue: "Queue | None" = None,
        **options: Any,
    ) -> None:
        self.name = name
        self.data = data
        self.children = children
        self.queue = queue
        self.options = options


class _Node(NamedTuple):
    queue: "Queue"
    new: New


def nodes(queue: "Queue", flow: Flow, parent: Parent | None = None, path: tuple[Flow, ...] = ()) -> Iterator[_Node]:
    """Yield the jobs of a tree, parents first, or raise BadFlow."""
    if flow in path:
        raise BadFlow(name=flow.name, reason="it is its own descendant")
    here = flow.queue or queue
    if path and slot_tag(here.name) != slot_tag(queue.name):
        raise BadFlow(name=flow.name, reason=f"the queues {queue.name} and {here.name} share no hash tag")
    options = dict(flow.options)
    if flow.children and "deduplication" in options:
        raise BadFlow(name=flow.name, reason="a job with children cannot be dropped for another")
    if parent and "deduplication" in options:
        raise BadFlow(name=flow.name, reason="a child cannot be dropped for another job")
    if parent and (rule := options.get("on_failure")) in ON_FAILURE:
        parent = parent._replace(flags={ON_FAILURE[rule]: True})
    new = here.new(flow.name, flow.data, options, parent=parent, waits=bool(flow.children))
    yield _Node(here, new)
    # A child that is there and completed would let its parent go before the others are there: it comes last.
    for child in sorted(flow.children, key=lambda child: "job_id" in child.options):
        yield from nodes(here, child, Parent(new.id, here.moves.wire.base[:-1]), (*path, flow))


async def lay_out(queue: "Queue", flow: Flow) -> "Job":
    """Add a tree of jobs and return its root."""
    tree = list(nodes(queue, flow))
    for other in {id(node.queue): node.queue for node in tree}.values():
        await other.check()
    replies = await _send(queue, tree)
    for node, reply in zip(tree, replies, strict=True):
        if isinstance(reply, int):
            raise BadFlow(name=node.new.name, reason="a job of that id has another parent")
    root = tree[0]
    return await root.queue.added(root.new, replies[0].decode())


async def _send(queue: "Queue", tree: list[_Node]) -> list[Any]:
    """Send the calls as one transaction; scripts that the server does not know are taught to it first."""
    redis = queue.moves.redis
    calls = [node.queue.moves.words(node.new) for node in tree]
    await queue.moves.wire.teach({name for name, _ in calls})
    words = [(b"MULTI",), *(words for _, words in calls), (b"EXEC",)]
    replies = await redis.send_batch([(part, redis.script_flags) for part in words])
    results = replies[-1] if isinstance(replies[-1], list) else replies
    errors = [reply for reply in results if isinstance(reply, Exception)]
    if any(isinstance(error, OutOfMemoryError) for error in errors):
        raise ServerFull(queue=queue.name)
    if errors:
        raise errors[-1]
    return list(results)


async def add_child(job: "Job", name: str, data: object, options: Mapping[str, Any]) -> "Job":
    """Add a child to a job that is there; in the parent's queue."""
    queue = job.queue
    flags = {ON_FAILURE[options["on_failure"]]: True} if "on_failure" in options else {}
    return await queue.send(queue.new(name, data, options, parent=Parent(job.id, queue.moves.wire.base[:-1], flags)))


async def children_values(job: "Job") -> dict[str, Any]:
    """Return the results of a job's completed children by their keys."""
    return {key: decode(value) for key, value in (await job.queue.moves.hash(f"{job.id}:processed")).items()}


async def children_failures(job: "Job") -> dict[str, str]:
    """Return why children failed whose failure is ignored, by their keys."""
    return {key: value.decode() for key, value in (await job.queue.moves.hash(f"{job.id}:failed")).items()}


def slot_tag(name: str) -> str:
    """Return what of a queue's name decides where a cluster keeps it, "" where there is no hash tag and all differ."""
    start = name.find("{")
    end = name.find("}", start + 1)
    return name[start + 1 : end] if 0 <= start < end - 1 else ""
