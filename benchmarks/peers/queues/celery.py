"""Celery as it is shipped: solo for one job at a time, else threads."""

from collections.abc import Callable
from typing import Any

from celery import Celery

app = Celery("bench", broker_connection_retry_on_startup=True, worker_redirect_stdouts=False)
ends: list[Callable[[str], None]] = []


@app.task(name="noop", ignore_result=True)
def noop(payload: str) -> None:
    ends[0](payload)


def producer(url: str) -> Callable[[str], Any]:
    app.conf.broker_url = url
    return noop.delay


def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    app.conf.broker_url = url
    ends.append(ran)
    pool = "solo" if concurrency == 1 else "threads"
    app.worker_main(["--quiet", "worker", "--loglevel=ERROR", f"--pool={pool}", f"--concurrency={concurrency}"])
