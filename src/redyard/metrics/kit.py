"""The table of our own metrics: of the client, the kit and the yard. Their figures are handed in by who has them."""

from redyard.metrics.sources import Kind, Metric, Source


def _row(name: str, kind: Kind, help: str, origin: str) -> Metric:  # noqa: A002 - Prometheus's word
    return Metric(f"redyard_{name}", kind, help, Source(origin, lambda _: ()))


COMMANDS = _row("client_commands_total", "counter", "Commands that a client sent, by name.", "Redis.stats")
DURATION = _row("client_command_duration_seconds", "histogram", "Seconds of a client's commands.", "Redis.stats")
CONNECTS = _row("client_connects_total", "counter", "Connections that a client made.", "Redis.stats")
RESENT = _row("client_resent_total", "counter", "Commands sent again, which had not run.", "Redis.stats")
LOST = _row("client_lost_total", "counter", "Commands whose fate is unknown.", "Redis.stats")
TIMED_OUT = _row("client_timed_out_total", "counter", "Commands that took too long.", "Redis.stats")
IN_FLIGHT = _row("client_in_flight", "gauge", "Commands that wait for their reply.", "Redis.in_flight")
EVENTS = _row("events_total", "counter", "What happened, by kind; see the page of events.", "redyard.events")
SCRAPE = _row("scrape_duration_seconds", "gauge", "Seconds that the server took to answer.", "MetricsApp")

CACHE = _row("cache_requests_total", "counter", "Look-ups, by `cache` and `result`: hit, miss, stale.", "MetricsApp")
CACHE_LOAD = _row("cache_load_duration_seconds", "histogram", "Seconds that loading a value took.", "MetricsApp")
LIMITED = _row(
    "ratelimit_decisions_total",
    "counter",
    "Hits, by `limit` and `result`: allowed, refused; `degraded`: without Redis.",
    "MetricsApp",
)
SESSIONS = _row(
    "session_operations_total",
    "counter",
    "What was done with sessions, by `what`: loaded, absent, created, saved, renewed, ended.",
    "MetricsApp",
)
JOB_SECONDS = _row(
    "job_duration_seconds", "histogram", "Seconds of attempts at jobs, by `queue` and `result`.", "MetricsApp"
)

INSTANCE = _row("instance_info", "gauge", "The role and plan of an instance.", "the yard")
RUNNING = _row("instance_running", "gauge", "1 while an instance runs as it is wanted.", "the yard")
FAILED = _row("instance_failed", "gauge", "1 where an engine was given up after crashes.", "the yard")
CRASHES = _row("instance_crashes", "gauge", "Crashes in a row.", "the yard")
PLAN = _row("plan_memory_bytes", "gauge", "Bytes that the plan gives.", "the yard")
MACHINE = _row("machine_memory_bytes", "gauge", "Bytes of the machine's memory, or of its container's.", "the yard")
DISK_FREE = _row("disk_free_bytes", "gauge", "Bytes free on the yard's disk.", "the yard")
DISK = _row("disk_size_bytes", "gauge", "Bytes of the yard's disk.", "the yard")
PROBE = _row("probe_success", "gauge", "1 where the server took the last probe; by `probe`.", "the yard")
PROBE_TIME = _row("probe_duration_seconds", "gauge", "Seconds of the last probe; by `probe`.", "the yard")
ALERTS = _row("alerts_firing", "gauge", "1 for each alert that fires, by `rule` and `severity`.", "the yard")
FINDINGS = _row("findings", "gauge", "What the doctor found on its last round, by `severity`.", "the yard")
CERTIFICATE = _row("certificate_expires_seconds", "gauge", "Seconds until a certificate ends.", "the yard")
END_OF_LIFE = _row("engine_end_of_life", "gauge", "1 where the engine gets no fixes any more.", "the yard")
BACKUP_AGE = _row("backup_age_seconds", "gauge", "Seconds since the last moment that is in the storage.", "the backups")
BACKUP_GOAL = _row("backup_goal_seconds", "gauge", "Seconds that it may be old.", "the backups")
PROOF_AGE = _row("backup_proof_age_seconds", "gauge", "Seconds since a backup was proved by a restore.", "the backups")
BACKUP_SIZE = _row("backup_size_bytes", "gauge", "Bytes of the backups.", "the backups")
BACKUP_FOLLOWING = _row("backup_following", "gauge", "1 while the stream of writes is followed.", "the backups")
BACKUP_LAST = _row("backup_last_moment_seconds", "gauge", "The last moment that came here, Unix time.", "the backups")
BACKUP_LAG = _row("backup_lag_seconds", "gauge", "Seconds that the backups are behind the server.", "the backups")
BACKUP_BEHIND = _row("backup_lag_bytes", "gauge", "Bytes of the stream that have not come yet.", "the backups")
BACKUP_WAITING = _row("backup_waiting_bytes", "gauge", "Bytes that wait here for the storage.", "the backups")
BACKUP_GAPS = _row("backup_gaps_total", "counter", "How often the stream could not go on.", "the backups")
BACKUP_OFF = _row("backup_off_machine", "gauge", "1 where the backups survive the machine's disk.", "the backups")

QUEUE_JOBS = _row("queue_jobs", "gauge", "Jobs of a queue by `state`.", "the queue")
QUEUE_WAITED = _row("queue_oldest_waiting_seconds", "gauge", "For how long the oldest job in line waits.", "the queue")
QUEUE_WORKERS = _row("queue_workers", "gauge", "Workers of a queue.", "the queue")
QUEUE_ENDED = _row("queue_jobs_ended_total", "counter", "Jobs that ended, by `state`.", "the queue")
QUEUE_PAUSED = _row("queue_paused", "gauge", "1 while a queue is paused.", "the queue")

KIT = (
    *(COMMANDS, DURATION, CONNECTS, RESENT, LOST, TIMED_OUT, IN_FLIGHT, EVENTS, SCRAPE),
    *(CACHE, CACHE_LOAD, LIMITED, SESSIONS, JOB_SECONDS),
    *(INSTANCE, RUNNING, FAILED, CRASHES, PLAN, MACHINE, DISK_FREE, DISK, PROBE, PROBE_TIME, ALERTS, FINDINGS),
    *(CERTIFICATE, END_OF_LIFE, BACKUP_AGE, BACKUP_GOAL, PROOF_AGE, BACKUP_SIZE, BACKUP_FOLLOWING, BACKUP_LAST),
    *(BACKUP_LAG, BACKUP_BEHIND, BACKUP_WAITING, BACKUP_GAPS, BACKUP_OFF),
    *(QUEUE_JOBS, QUEUE_WAITED, QUEUE_WORKERS, QUEUE_ENDED, QUEUE_PAUSED),
)
