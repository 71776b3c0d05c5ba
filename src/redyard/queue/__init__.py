"""The job queue: BullMQ's keys and words, moves between states as scripts, a worker that loses nothing."""

from redyard.queue.flows import Flow
from redyard.queue.job import Job
from redyard.queue.pools import current_job, report_line, report_progress
from redyard.queue.queue import Queue
from redyard.queue.rules import Backoff, Deduplication, JobOptions, Keep
from redyard.queue.schedulers import Scheduler
from redyard.queue.tasks import Task
from redyard.queue.worker import Worker

__all__ = [
    "Backoff",
    "Deduplication",
    "Flow",
    "Job",
    "JobOptions",
    "Keep",
    "Queue",
    "Scheduler",
    "Task",
    "Worker",
    "current_job",
    "report_line",
    "report_progress",
]
