"""Celery as it is shipped: solo for one job at a time, else threads."""

from collections.abc import Callable
from typing import Any

from celery import Celery


def declared(url: str, run: Callable[[str], None]) -> Any:
    app = Celery("bench", broker=url)
    app.conf.broker_connection_retry_on_startup = True
    app.conf.worker_redirect_stdouts = False

    @app.task(name="noop", ignore_result=True)
    def noop(payload: str) -> None:
        run(payload)

    return noop


def producer(url: str) -> Callable[[str], Any]:
    return declared(url, lambda _: None).delay


def work(url: str, concurrency: int, ran: Callable[[str], None]) -> None:
    pool = "solo" if concurrency == 1 else "threads"
    app = declared(url, ran).app
    app.worker_main(["--quiet", "worker", "--loglevel=ERROR", f"--pool={pool}", f"--concurrency={concurrency}"])
