"""The job queue: BullMQ's keys and words, moves between states as scripts, a worker that loses nothing."""

from redyard.queue.job import Job
from redyard.queue.queue import Queue
from redyard.queue.worker import Worker

__all__ = ["Job", "Queue", "Worker"]
