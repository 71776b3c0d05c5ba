"""The rules as a table: when an alert fires, for which role, after how long, what it says and what to do.

The thresholds are those that operators and the engines' makers use, made role-aware: a full cache is well, a full store
is not. Every rule names the doctor's finding that explains it.
"""

from typing import Literal, NamedTuple

from redyard.alerts.terms import QUEUE, Condition, increase, now, past, predict, rate
from redyard.alerts.window import Pick

Severity = Literal["critical", "warning"]
Shown = Literal["", "share", "bytes", "seconds", "per second"]
GB, MB = 1 << 30, 1 << 20


class Rule(NamedTuple):
    """A row.

    Args:
        lasts: seconds that the condition must hold.
        says: what happened, with `{name}` and `{value}`.
        finding: the doctor's finding that explains it.
        remedy: what to do, as commands where there are some.
        roles: whom it is for; empty for all.
        under: the rule that says the same louder: while that one fires, this one is quiet.
    """

    name: str
    severity: Severity
    lasts: float
    condition: Condition
    says: str
    finding: str
    remedy: str
    roles: tuple[str, ...] = ()
    shown: Shown = ""
    under: str = ""

    @property
    def promql(self) -> str:
        """Return the rule as Prometheus evaluates it."""
        if not self.roles:
            return self.condition.promql
        by = ", ".join(self.condition.by)
        return f'({self.condition.promql}) and on ({by}) redyard_instance_info{{role=~"{"|".join(self.roles)}"}}'

    @property
    def picks(self) -> frozenset[Pick]:
        """Return the figures that it looks at."""
        return self.condition.picks


STORE, CACHE = ("store",), ("cache",)
C: Severity = "critical"
W: Severity = "warning"

USED = now("redis_memory_used_bytes") / now("redis_memory_max_bytes")
LIMITED = now("redis_memory_max_bytes") > 0
HITS, MISSES = rate("redis_keyspace_hits_total", "15m"), rate("redis_keyspace_misses_total", "15m")
BUSY = rate("redis_cpu_user_main_thread_seconds_total", "5m") + rate("redis_cpu_sys_main_thread_seconds_total", "5m")
NEW = rate("redis_connections_received_total", "5m")
COMMANDS = rate("redis_commands_processed_total", "5m")
CLIENTS = now("redis_connected_clients")
WAITING = now("redyard_queue_jobs", by=QUEUE, state="waiting|prioritized|wait")
LOST_WRITES = "OOM|READONLY|MISCONF|NOREPLICAS|CLUSTERDOWN"
ROOM = now("redyard_machine_memory_bytes")
OLD_KEYS = now("redis_expired_stale_percentage") > 25

REACH = (
    Rule("Down", C, 60, now("redis_up").equals(0), "{name} does not answer.", "frozen",
         "redyard status; redyard doctor {name}"),
    Rule("EngineFailed", C, 0, now("redyard_instance_failed").equals(1),
         "{name} ended too often and was given up.", "broken-log", "redyard info {name}; redyard start {name}"),
    Rule("EngineCrashed", W, 0, now("redyard_instance_crashes") > 0, "{name} ended by itself {value} times in a row.",
         "frozen", "redyard info {name} names its log; redyard doctor {name}", under="EngineFailed"),
    Rule("WritesFail", C, 30, now("redyard_probe_success", probe="write").equals(0),
         "{name} answers and refuses writes.", "full", "redyard doctor {name}"),
    Rule("LoadsForLong", C, 300, now("redis_loading_dump_file").equals(1), "{name} still reads its data.", "loading",
         "wait; redyard doctor {name} says how much is left"),
    Rule("WritesWereRefused", W, 0, increase("redis_errors_total", "5m", err=LOST_WRITES) > 0,
         "{name} refused {value} writes within 5 minutes.", "full", "redyard doctor {name}", under="WritesFail"),
)  # fmt: skip

MEMORY = (
    Rule("StoreNearlyFull", C, 300, (USED > 0.9) & LIMITED, "The memory of {name} is {value} full.", "nearly-full",
         "redyard doctor {name} --memory; redyard scale {name} PLAN", STORE, "share"),
    Rule("StoreFillsUp", W, 900, (USED > 0.8) & LIMITED, "The memory of {name} is {value} full.", "nearly-full",
         "redyard doctor {name} --memory; redyard scale {name} PLAN", STORE, "share", "StoreNearlyFull"),
    Rule("StoreFullSoon", W, 600,
         (predict("redis_memory_used_bytes", "1h", "4h") > now("redis_memory_max_bytes")) & (USED > 0.5) & LIMITED,
         "The memory of {name} is full within 4 hours if it goes on like this.", "nearly-full",
         "redyard doctor {name} --memory; redyard scale {name} PLAN", STORE, "bytes", "StoreNearlyFull"),
    Rule("StoreEvicts", C, 0, increase("redis_evicted_keys_total", "5m") > 0,
         "{name} threw away {value} keys that were to be kept.", "evicts",
         "redyard restart {name} (sets noeviction again); redyard scale {name} PLAN", STORE),
    Rule("ClientsEvicted", W, 0, increase("redis_evicted_clients_total", "5m") > 0,
         "{name} closed {value} clients to save memory.", "evicted-clients", "redyard doctor {name}"),
    Rule("Fragmented", W, 900,
         (now("redis_mem_fragmentation_ratio") > 1.5) & (now("redis_mem_fragmentation_bytes") > 100 * MB)
         & now("redis_allocator_is_jemalloc").equals(1),
         "{name} holds {value} times the memory of its data.", "fragmented",
         "redyard connect {name} -- MEMORY PURGE; redyard restart {name}"),
    Rule("MachineNearlyFull", C, 120, now("redis_memory_used_rss_bytes") / ROOM > 0.85,
         "{name} holds {value} of the machine's memory: the system may end it.", "headroom",
         "redyard scale {name} PLAN (smaller), or a larger machine", shown="share"),
    Rule("SaveNeedsMore", W, 0,
         now("redis_memory_used_bytes") + now("redis_rdb_last_cow_size_bytes") > ROOM * 0.95,
         "A save of {name} may need {value}, more than the machine has.", "headroom",
         "redyard scale {name} PLAN (smaller), or a larger machine", shown="bytes"),
    Rule("ScriptsPileUp", W, 600, now("redis_number_of_cached_scripts") > 1000,
         "{name} caches {value} scripts: values are written into their text.", "scripts",
         "pass values to EVAL as KEYS and ARGV; redyard connect {name} -- SCRIPT FLUSH"),
    Rule("ReplicaBuffersGrow", W, 300, now("redis_mem_clients_slaves") > 256 * MB,
         "{value} wait in {name} for its replicas.", "lag", "redyard doctor {name}", shown="bytes"),
)  # fmt: skip

CACHES = (
    Rule("CacheMisses", W, 0, (HITS / (HITS + MISSES) < 0.5) & (HITS + MISSES > 100),
         "Only {value} of the look-ups in {name} find something.", "cold-cache",
         "longer times to live, or redyard scale {name} PLAN", CACHE, "share"),
    Rule("CacheThrashes", W, 300,
         (rate("redis_evicted_keys_total", "5m") > COMMANDS * 0.1) & (rate("redis_evicted_keys_total", "5m") > 10)
         & (HITS / (HITS + MISSES) < 0.8),
         "{name} throws away {value} keys a second, and then misses them.", "thrash",
         "redyard scale {name} PLAN; smaller values", CACHE),
    Rule("ExpiryStorm", W, 0, (increase("redis_expired_time_cap_reached_total", "1m") > 10) & OLD_KEYS,
         "Keys of {name} end faster than they can be removed.", "expiry-storm", "spread the times to live by a tenth"),
)  # fmt: skip

CONNECTIONS = (
    Rule("ConnectionsNearlyUsed", C, 120, CLIENTS / now("redis_max_clients") > 0.9,
         "{value} of the connections of {name} are used.", "max-clients",
         "redyard top {name} shows by whom; redyard scale {name} PLAN", shown="share"),
    Rule("ConnectionsRefused", C, 0, increase("redis_rejected_connections_total", "1m") > 0,
         "{name} refused {value} connections within a minute.", "turned-away",
         "redyard top {name} shows who holds them; redyard scale {name} PLAN"),
    Rule("ConnectionsNotKept", W, 300, (NEW > 10) & (NEW > COMMANDS * 0.2),
         "{name} gets {value} new connections a second: clients do not keep theirs.", "churn",
         "one Redis.from_env() for the process, not for each request", shown="per second"),
    Rule("ConnectionsGrow", W, 600,
         (past("redis_connected_clients", "1h") * 1.5 < CLIENTS)
         & (CLIENTS - past("redis_connected_clients", "1h") > 20),
         "{name} has {value} connections, half as many again as an hour ago.", "leak",
         "redyard top {name} shows whose they are"),
    Rule("SlowReadersCut", W, 0, increase("redis_client_output_buffer_limit_disconnections_total", "5m") > 0,
         "{name} cut off {value} clients that did not read their replies.", "overflow", "redyard doctor {name}"),
    Rule("LoginsFail", W, 0, increase("redis_acl_access_denied_auth_total", "1m") > 5,
         "{value} logins at {name} failed within a minute.", "failed-logins",
         "redyard connect {name} -- ACL LOG says who; redyard vars {name} has the true ones"),
    Rule("RightsMissing", W, 0,
         increase("redis_acl_access_denied_cmd_total", "5m") + increase("redis_acl_access_denied_key_total", "5m") > 0,
         "{name} refused {value} commands because a right is missing.", "rights",
         "redyard connect {name} -- ACL LOG says which"),
    Rule("CertificateEnds", C, 0, now("redyard_certificate_expires_seconds") < 3 * 86400,
         "The certificate of {name} ends in {value}.", "expiry", "redyard restart {name}", shown="seconds"),
    Rule("CertificateEndsSoon", W, 0, now("redyard_certificate_expires_seconds") < 21 * 86400,
         "The certificate of {name} ends in {value}.", "expiry", "redyard restart {name}", (), "seconds",
         "CertificateEnds"),
)  # fmt: skip

LATENCY = (
    Rule("CommandsSlow", W, 300,
         (rate("redis_commands_duration_seconds_total", "5m") / COMMANDS > 0.002) & (COMMANDS > 1),
         "Commands of {name} take {value} on average.", "slow-commands", "redyard top {name} shows which",
         shown="seconds"),
    Rule("SlowCommands", W, 0, rate("redis_slowlog_last_id", "5m") > 1,
         "{name} has {value} slow commands a second.", "slow-commands", "redyard top {name} shows which",
         shown="per second"),
    Rule("ThreadSaturated", W, 300, BUSY > 0.8, "The one thread of {name} is {value} busy.", "saturated",
         "redyard top {name} shows by which commands; fewer or cheaper ones", shown="share"),
    Rule("ForkSlow", W, 0, now("redis_latest_fork_usec") * 0.000001 > 0.5,
         "{name} stood still for {value} to start a save.", "kernel",
         "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled; a smaller plan", shown="seconds"),
    Rule("ScriptsUnknown", W, 60, rate("redis_errors_total", "5m", err="NOSCRIPT") > 1,
         "{name} is asked {value} times a second for scripts that it does not have.", "no-script",
         "fall back from EVALSHA to EVAL, as the kit does", shown="per second"),
    Rule("WritesWaitForDisk", W, 0, increase("redis_aof_delayed_fsync", "5m") > 0,
         "Writes of {name} waited {value} times for the disk.", "fsync-stall", "a faster disk, or fewer writers to it",
         STORE),
)  # fmt: skip

DURABILITY = (
    Rule("SnapshotFails", C, 0, now("redis_rdb_last_bgsave_status").equals(0), "{name} cannot save its data.",
         "misconf", "redyard info {name} names the log; df -h; then redyard connect {name} -- BGSAVE", STORE),
    Rule("LogFails", C, 0, now("redis_aof_last_write_status").equals(0), "{name} cannot log its writes.", "misconf",
         "redyard info {name} names the log; df -h", STORE),
    Rule("LogRewriteFails", W, 0, now("redis_aof_last_bgrewrite_status").equals(0),
         "{name} cannot rewrite its log, which grows.", "misconf", "redyard info {name} names the log; df -h", STORE),
    Rule("SnapshotHangs", W, 0, now("redis_rdb_current_bgsave_duration_sec") > 1200,
         "{name} has been saving for {value}.", "fork", "redyard doctor {name}", shown="seconds"),
    Rule("NothingLogged", C, 60, now("redis_aof_enabled").equals(0), "{name} is a store and logs no writes.",
         "forgetful", "redyard connect {name} -- CONFIG SET appendonly yes", STORE),
    Rule("DiskNearlyFull", C, 120, now("redyard_disk_free_bytes") / now("redyard_disk_size_bytes") < 0.05,
         "Only {value} of the disk below {name} is free.", "misconf", "df -h; redyard doctor {name}", shown="share"),
    Rule("ReplicaCutOff", C, 120, now("redis_master_link_up").equals(0), "{name} does not hear its primary.", "link",
         "redyard doctor {name}"),
    Rule("ReplicaLags", W, 60, now("redis_connected_slave_lag_seconds") > 10, "A replica of {name} is {value} behind.",
         "lag", "redyard doctor {name}", shown="seconds"),
    Rule("BackupTooOld", C, 0, now("redyard_backup_age_seconds") > now("redyard_backup_goal_seconds"),
         "The last restorable moment of {name} is {value} old.", "backups", "redyard doctor {name}", STORE, "seconds"),
    Rule("BackupStopped", C, 120, now("redyard_backup_following").equals(0),
         "The writes of {name} are not followed: what is written now is in no backup.", "backups",
         "redyard info {name} says what hinders it; redyard backups list {name}", STORE, under="BackupTooOld"),
    Rule("BackupGap", W, 0, increase("redyard_backup_gaps_total", "5m") > 0,
         "The stream of {name} could not go on: some moments cannot be restored.", "backups",
         "redyard backups list {name} names them", STORE),
    Rule("BackupWaits", W, 0, now("redyard_backup_waiting_bytes") > GB, "{value} of {name} wait for the storage.",
         "backups", "redyard info {name} says what the storage answers; mend it, and they go there", STORE, "bytes"),
    Rule("BackupUnproved", C, 0, now("redyard_backup_proof_age_seconds") > 7 * 86400,
         "No backup of {name} was proved by a restore for {value}.", "backups", "redyard doctor {name}", STORE,
         "seconds"),
    Rule("EngineOutdated", W, 0, now("redyard_engine_end_of_life").equals(1),
         "The engine of {name} gets no fixes any more.", "end-of-life", "redyard upgrade {name}"),
)  # fmt: skip

QUEUES = (
    Rule("QueueWithoutWorkers", C, 120, (WAITING > 0) & now("redyard_queue_workers", by=QUEUE).equals(0),
         "{value} jobs wait in {name} and nobody works.", "no-workers", "start workers; redyard doctor"),
    Rule("QueueWaits", C, 60, now("redyard_queue_oldest_waiting_seconds", by=QUEUE) > 300,
         "The oldest job in {name} waits for {value}.", "no-workers", "more workers, or a higher concurrency", (),
         "seconds", "QueueWithoutWorkers"),
    Rule("JobsFail", W, 0,
         (increase("redyard_queue_jobs_ended_total", "5m", by=QUEUE, state="failed")
          > increase("redyard_queue_jobs_ended_total", "5m", by=QUEUE, state="completed") * 0.1)
         & (increase("redyard_queue_jobs_ended_total", "5m", by=QUEUE, state="failed") > 5),
         "{value} jobs of {name} failed within 5 minutes.", "finished-jobs", "read the failed jobs' reasons"),
    Rule("QueueForgotten", W, 600, (WAITING > 0) & now("redyard_queue_paused", by=QUEUE).equals(1),
         "{name} is paused and {value} jobs wait.", "paused", "resume the queue", under="QueueWithoutWorkers"),
)  # fmt: skip

TABLE = (*REACH, *MEMORY, *CACHES, *CONNECTIONS, *LATENCY, *DURABILITY, *QUEUES)
BY_NAME = {rule.name: rule for rule in TABLE}
PICKS = frozenset[Pick]().union(*(rule.picks for rule in TABLE))
