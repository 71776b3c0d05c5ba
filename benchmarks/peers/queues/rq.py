"""RQ with SimpleWorker, which runs jobs in the worker's own process, one after the other."""

from collections.abc import Callable
from typing import Any

from redis import Redis
from rq import Queue, SimpleWorker

ends: list[Callable[[str], None]] = []


def noop(payload: str) -> None:
    ends[0](payload)


def producer(url: str) -> Callable[[str], Any]:
    queue = Queue(connection=Redis.from_url(url))
    return lambda payload: queue.enqueue(noop, payload)


def work(url: str, _: int, ran: Callable[[str], None]) -> None:
    ends.append(ran)
    connection = Redis.from_url(url)
    SimpleWorker([Queue(connection=connection)], connection=connection).work(logging_level="ERROR")
