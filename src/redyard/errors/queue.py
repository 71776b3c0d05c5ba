"""Errors of the queue: jobs, tasks, flows, schedules, and the commands that look after queues."""

from redyard.errors.base import RedyardError


class JobFailed(RedyardError):
    """The job whose result was awaited has failed for good."""

    status = 57
    text = "job {id} ({name}) failed: {reason}"
    hint = "Its attempts are used up. The job keeps its stack traces until it is removed."


class ResultLate(RedyardError):
    """The job has not finished within the time; it goes on."""

    status = 58
    text = "job {id} ({name}) has not finished within {seconds:g} s"
    hint = "It is not cancelled. Ask again later, or see whether a worker runs for its queue."


class UnknownJob(RedyardError):
    """The queue has no such job (any more)."""

    status = 59
    text = "the queue {queue} has no job {id}"
    hint = "Finished jobs are removed beyond remove_on_complete and remove_on_fail; raise these to keep more."


class Unrecoverable(RedyardError):
    """A job's handler raises this when another attempt cannot help: the job fails at once."""

    status = 60
    text = "{problem}"
    hint = "Mend the job's data or its handler, then add the job again."


class BadTask(RedyardError):
    """A function cannot be a task: its calls cannot be written down or found again."""

    status = 85
    text = "{name} cannot be a task: {reason}"
    hint = "A task is a function of a module, its parameters have names, and types that msgspec knows."


class BadArguments(Unrecoverable):
    """A task was called with arguments that its function does not take."""

    status = 86
    text = "the task {name} cannot have these arguments: {reason}"
    hint = "Compare them with the function's signature: {signature}"


class NoHandler(RedyardError):
    """A worker has nobody who does jobs of that name."""

    status = 87
    text = "nobody does jobs named {name!r} in the queue {queue!r}"
    hint = "This worker knows: {known}. Make it a task by @queue.job, or give the worker a handler."


class ChildDied(RedyardError):
    """The process that did a job was killed or ended: only this attempt has failed."""

    status = 88
    text = "the process that did {name} ended with status {exit_status}"
    hint = "A negative status is a signal: -9 often means that memory was short. Another attempt gets a new process."


class NoQueue(RedyardError):
    """The words MODULE:QUEUE name no queue."""

    status = 89
    text = "{target!r} names no queue: {reason}"
    hint = "Write MODULE:QUEUE, such as app.jobs:queue, and run it where `import MODULE` works."


class QueueBusy(RedyardError):
    """A queue with active jobs cannot be obliterated."""

    status = 90
    text = "the queue {queue!r} has {active} active jobs"
    hint = "Stop its workers and try again; or use force: their work is lost."


class UnknownQueue(RedyardError):
    """The server has no queue of that name."""

    status = 91
    text = "there is no queue {queue!r} on this server"
    hint = "Known: {known}. `redyard queues list` lists them."


class JobTooLarge(RedyardError):
    """A job's data are larger than the queue takes."""

    status = 70
    text = "the data of a job {name!r} have {size} bytes; the queue {queue} takes {limit}"
    hint = "Put the data elsewhere and their address into the job, or raise size_limit."


class BadFlow(RedyardError):
    """A flow of jobs cannot be: a cycle, a parent that does not exist, or queues in several slots of a cluster."""

    status = 71
    text = "the flow of {name} cannot be added: {reason}"
    hint = "A flow is a tree of jobs whose queues are one, or have one hash tag (a word in braces) in their names."


class BadSchedule(RedyardError):
    """A schedule cannot be understood or would never run."""

    status = 72
    text = "the schedule {id!r} cannot be used: {reason}"
    hint = "Say either every=SECONDS or cron='MINUTE HOUR DAY MONTH WEEKDAY', and a time zone such as Europe/Berlin."


class ServerFull(RedyardError):
    """The server's memory is full: it takes no more jobs until workers have drained some."""

    status = 73
    text = "the queue {queue} takes no jobs: the server's memory is full"
    hint = "Let workers drain it, remove finished jobs (remove_on_complete), or use a larger plan."


class RateLimited(RedyardError):
    """A job's handler raises this when what it calls wants no more for now: the job goes back, no attempt counted."""

    status = 74
    text = "no more jobs for {seconds:g} s"
    hint = "The queue goes on by itself."


class WaitForChildren(RedyardError):
    """A job's handler raises this when it added children: the job is put aside until they have ended."""

    status = 75
    text = "the job waits for its children"
    hint = "It runs again, with their results, when they have ended."


class DeadlinePassed(RedyardError):
    """An attempt at a job took longer than the job's deadline."""

    status = 76
    text = "the attempt took longer than {seconds:g} s"
    hint = "Raise the job's deadline, or make it smaller."


class JobCancelled(RedyardError):
    """The job was cancelled."""

    status = 77
    text = "{reason}"
    hint = "Nobody tries it again. Add another job if it was a mistake."


class QueueNotConfirmed(RedyardError):
    """A command that removes jobs was not confirmed by the queue's name."""

    status = 92
    text = "nothing was done to the queue {name!r}: {action} was not confirmed"
    hint = "Repeat the name: `redyard queues {action} {name} --confirm {name}`. `--dry-run` says what would go."
