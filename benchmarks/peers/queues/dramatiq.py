"""dramatiq as it is shipped, its worker in this process."""

import threading
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker


def producer(url: str) -> Callable[[str], Any]:
    return declared(url, lambda _: None).send


def declared(url: str, run: Callable[[str], None]) -> Any:
    dramatiq.set_broker(RedisBroker(url=url))

    def noop(payload: str) -> None:
        run(payload)

    return dramatiq.actor(noop)


def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    broker = declared(url, ran).broker
    dramatiq.Worker(broker, worker_threads=concurrency).start()
    threading.Event().wait()
