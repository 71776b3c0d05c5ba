"""The table of what a server tells: redis_exporter's names, so that the dashboards made for it work here too."""

from collections.abc import Iterator

from redyard.metrics.sources import (
    Info,
    Kind,
    Metric,
    Sample,
    Source,
    databases,
    field,
    quantiles,
    replicas,
    rows,
    upstream,
    word,
    words,
)

MS, US = 0.001, 0.000001
"""The server's milliseconds and microseconds, in seconds."""


def _gauge(name: str, help: str, source: Source) -> Metric:  # noqa: A002 - Prometheus's word
    return Metric(f"redis_{name}", "gauge", help, source)


def _counter(name: str, help: str, source: Source) -> Metric:  # noqa: A002 - as above
    return Metric(f"redis_{name}", "counter", help, source)


def _same(kind: Kind, *fields: tuple[str, str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(f"redis_{name}", kind, meaning, field(origin)) for name, meaning, origin in fields)


SERVER = (
    _gauge(
        "instance_info",
        "The server, in words.",
        words(
            {
                "role": "role",
                "redis_version": "redis_version",
                "valkey_version": "valkey_version",
                "redis_mode": "redis_mode",
                "os": "os",
                "maxmemory_policy": "maxmemory_policy",
                "tcp_port": "tcp_port",
            }
        ),
    ),
    *_same("gauge", ("uptime_in_seconds", "Seconds since the server's start.", "uptime_in_seconds")),
    _gauge("loading_dump_file", "1 while the server reads its data from the disk.", field("loading")),
)

CLIENTS = (
    *_same(
        "gauge",
        ("connected_clients", "Connections of clients.", "connected_clients"),
        ("blocked_clients", "Clients that wait in a blocking command.", "blocked_clients"),
        ("max_clients", "Connections that are allowed.", "maxclients"),
        ("tracking_clients", "Clients with client-side caching.", "tracking_clients"),
        ("pubsub_clients", "Clients in subscriptions.", "pubsub_clients"),
        ("watching_clients", "Clients that watch keys.", "watching_clients"),
        ("clients_in_timeout_table", "Blocked clients with a deadline.", "clients_in_timeout_table"),
        ("client_recent_max_input_buffer_bytes", "The largest input of late.", "client_recent_max_input_buffer"),
        ("client_recent_max_output_buffer_bytes", "The largest output of late.", "client_recent_max_output_buffer"),
    ),
    *_same(
        "counter",
        ("connections_received_total", "Connections accepted.", "total_connections_received"),
        ("rejected_connections_total", "Connections refused because of maxclients.", "rejected_connections"),
        ("evicted_clients_total", "Clients closed because of maxmemory-clients.", "evicted_clients"),
        (
            "client_output_buffer_limit_disconnections_total",
            "Clients closed because their output grew too long (Valkey).",
            "client_output_buffer_limit_disconnections",
        ),
    ),
)

MEMORY = (
    *_same(
        "gauge",
        ("memory_used_bytes", "Bytes allocated.", "used_memory"),
        ("memory_used_rss_bytes", "Bytes of the process that are resident.", "used_memory_rss"),
        ("memory_used_peak_bytes", "The most bytes allocated so far.", "used_memory_peak"),
        ("memory_used_overhead_bytes", "Bytes that are not data.", "used_memory_overhead"),
        ("memory_used_dataset_bytes", "Bytes of data.", "used_memory_dataset"),
        ("memory_used_startup_bytes", "Bytes used by an empty server.", "used_memory_startup"),
        ("memory_used_scripts_eval_bytes", "Bytes of cached scripts.", "used_memory_scripts_eval"),
        ("memory_used_vm_eval_bytes", "Bytes of the engine of scripts.", "used_memory_vm_eval"),
        ("memory_max_bytes", "The limit, maxmemory; 0 for none.", "maxmemory"),
        ("mem_fragmentation_ratio", "Resident bytes by allocated ones.", "mem_fragmentation_ratio"),
        ("mem_fragmentation_bytes", "Resident bytes beyond the allocated ones.", "mem_fragmentation_bytes"),
        ("allocator_frag_ratio", "Fragmentation inside the allocator.", "allocator_frag_ratio"),
        ("allocator_frag_bytes", "Bytes lost inside the allocator.", "allocator_frag_bytes"),
        ("allocator_rss_ratio", "Pages that the allocator keeps, as a ratio.", "allocator_rss_ratio"),
        ("allocator_rss_bytes", "Bytes of pages that the allocator keeps.", "allocator_rss_bytes"),
        ("mem_clients_normal", "Bytes of clients' buffers.", "mem_clients_normal"),
        ("mem_clients_slaves", "Bytes of replicas' buffers.", "mem_clients_slaves"),
        ("mem_aof_buffer_bytes", "Bytes of the log not yet written.", "mem_aof_buffer"),
        ("mem_replication_backlog_bytes", "Bytes of the replication backlog.", "mem_replication_backlog"),
        ("mem_not_counted_for_eviction_bytes", "Bytes beside maxmemory.", "mem_not_counted_for_evict"),
        ("number_of_cached_scripts", "Scripts in the cache.", "number_of_cached_scripts"),
        ("active_defrag_running", "1 while memory is defragmented.", "active_defrag_running"),
        ("lazyfree_pending_objects", "Objects that wait to be freed.", "lazyfree_pending_objects"),
    ),
    _gauge("allocator_is_jemalloc", "1 where fragmentation can be told and mended.", Source(
        "mem_allocator",
        lambda info: [({}, float(info["mem_allocator"].startswith("jemalloc")))] if "mem_allocator" in info else (),
    )),
)  # fmt: skip

KEYS = (
    _gauge("db_keys", "Keys of a database.", databases("keys")),
    _gauge("db_keys_expiring", "Keys of a database that have a time to live.", databases("expires")),
    _gauge("db_avg_ttl_seconds", "The mean time to live in a database.", databases("avg_ttl", scale=MS)),
    *_same("gauge", ("expired_stale_percentage", "Keys past their time, in per cent.", "expired_stale_perc")),
    *_same(
        "counter",
        ("expired_keys_total", "Keys that expired.", "expired_keys"),
        ("expired_time_cap_reached_total", "Times that expiring ran out of time.", "expired_time_cap_reached_count"),
        ("expire_cycle_cpu_time_ms_total", "Milliseconds spent on expiring.", "expire_cycle_cpu_milliseconds"),
        ("evicted_keys_total", "Keys thrown away because memory was full.", "evicted_keys"),
        ("eviction_exceeded_time_ms_total", "Milliseconds above maxmemory.", "total_eviction_exceeded_time"),
        ("keyspace_hits_total", "Look-ups that found a key.", "keyspace_hits"),
        ("keyspace_misses_total", "Look-ups that found none.", "keyspace_misses"),
    ),
)

COMMANDS = (
    *_same(
        "counter",
        ("commands_processed_total", "Commands.", "total_commands_processed"),
        ("slowlog_last_id", "Commands that were slow so far.", "slowlog_last_id"),
    ),
    _counter("commands_total", "Calls of a command.", rows("cmdstat_", "cmd", "calls")),
    _counter("commands_duration_seconds_total", "Seconds in a command.", rows("cmdstat_", "cmd", "usec", scale=US)),
    _counter(
        "commands_rejected_calls_total", "Calls refused before they ran.", rows("cmdstat_", "cmd", "rejected_calls")
    ),
    _counter("commands_failed_calls_total", "Calls that ran and failed.", rows("cmdstat_", "cmd", "failed_calls")),
    _gauge(
        "latency_percentiles_usec",
        "Microseconds of a command since the server's start, by quantile.",
        quantiles("latency_percentiles_usec_", "cmd"),
    ),
    _counter("errors_total", "Error replies by their first word.", rows("errorstat_", "err", "count")),
    _gauge("slowlog_length", "Entries of the slow log.", field("slowlog_length")),
    _gauge(
        "last_slow_execution_duration_seconds",
        "Seconds of the latest slow command.",
        field("slowlog_last_usec", scale=US),
    ),
    *_same("gauge", ("instantaneous_ops_per_sec", "Commands a second of late.", "instantaneous_ops_per_sec")),
)

PROCESSOR = (
    *_same(
        "counter",
        ("cpu_sys_seconds_total", "Seconds in the system.", "used_cpu_sys"),
        ("cpu_user_seconds_total", "Seconds in the server.", "used_cpu_user"),
        ("cpu_sys_main_thread_seconds_total", "Seconds of the main thread in the system.", "used_cpu_sys_main_thread"),
        ("cpu_user_main_thread_seconds_total", "Seconds of the main thread.", "used_cpu_user_main_thread"),
        ("cpu_sys_children_seconds_total", "Seconds of its children in the system.", "used_cpu_sys_children"),
        ("cpu_user_children_seconds_total", "Seconds of its children.", "used_cpu_user_children"),
        ("active_time_main_thread_seconds_total", "Busy seconds (Valkey).", "used_active_time_main_thread"),
        ("net_input_bytes_total", "Bytes received.", "total_net_input_bytes"),
        ("net_output_bytes_total", "Bytes sent.", "total_net_output_bytes"),
    ),
)

PERSISTENCE = (
    *_same(
        "gauge",
        ("rdb_changes_since_last_save", "Writes since the last snapshot.", "rdb_changes_since_last_save"),
        ("rdb_bgsave_in_progress", "1 while a snapshot is made.", "rdb_bgsave_in_progress"),
        ("rdb_last_save_timestamp_seconds", "Time of the last snapshot, or of the start.", "rdb_last_save_time"),
        ("rdb_last_bgsave_duration_sec", "Seconds of the last snapshot.", "rdb_last_bgsave_time_sec"),
        ("rdb_current_bgsave_duration_sec", "Seconds of the snapshot in progress.", "rdb_current_bgsave_time_sec"),
        ("rdb_last_cow_size_bytes", "Bytes copied during the last snapshot.", "rdb_last_cow_size"),
        ("latest_fork_usec", "Microseconds of the last fork.", "latest_fork_usec"),
        ("aof_enabled", "1 where every write is logged.", "aof_enabled"),
        ("aof_current_size_bytes", "Bytes of the log.", "aof_current_size"),
        ("aof_base_size_bytes", "Bytes of the log when it was last rewritten.", "aof_base_size"),
        ("aof_rewrite_in_progress", "1 while the log is rewritten.", "aof_rewrite_in_progress"),
        ("aof_pending_bio_fsync", "Flushes that wait.", "aof_pending_bio_fsync"),
    ),
    _gauge("rdb_last_bgsave_status", "1 where the last snapshot was made.", word("rdb_last_bgsave_status", "ok")),
    _gauge("aof_last_write_status", "1 where the log takes writes.", word("aof_last_write_status", "ok")),
    _gauge("aof_last_bgrewrite_status", "1 where the last rewrite succeeded.", word("aof_last_bgrewrite_status", "ok")),
    _counter("aof_delayed_fsync", "Flushes that made writes wait.", field("aof_delayed_fsync")),
)

REPLICATION = (
    *_same(
        "gauge",
        ("connected_slaves", "Replicas.", "connected_slaves"),
        ("master_repl_offset", "Bytes of the replication stream.", "master_repl_offset"),
    ),
    _gauge("connected_slave_lag_seconds", "Seconds since a replica's last word.", replicas("lag")),
    _gauge("connected_slave_offset_bytes", "Bytes that a replica has.", replicas("offset")),
    _gauge("master_link_up", "1 where a replica hears its primary.", upstream(word("master_link_status", "up"))),
    _gauge(
        "master_last_io_seconds_ago",
        "Seconds since the primary's last word.",
        upstream(field("master_last_io_seconds_ago")),
    ),
    _gauge("master_sync_in_progress", "1 while a replica copies.", upstream(field("master_sync_in_progress"))),
    *_same(
        "counter",
        ("replica_resyncs_full", "Full copies for replicas.", "sync_full"),
        ("replica_partial_resync_accepted", "Copies that were spared.", "sync_partial_ok"),
        ("replica_partial_resync_denied", "Copies that could not be spared.", "sync_partial_err"),
    ),
)

ACCESS = _same(
    "counter",
    ("acl_access_denied_auth_total", "Logins refused.", "acl_access_denied_auth"),
    ("acl_access_denied_cmd_total", "Commands refused to a user.", "acl_access_denied_cmd"),
    ("acl_access_denied_key_total", "Keys refused to a user.", "acl_access_denied_key"),
    ("acl_access_denied_channel_total", "Channels refused to a user.", "acl_access_denied_channel"),
)

UP = Metric("redis_up", "gauge", "1 where the server answered.", Source("the answer to INFO", lambda _: [({}, 1.0)]))

TABLE = (UP, *SERVER, *CLIENTS, *MEMORY, *KEYS, *COMMANDS, *PROCESSOR, *PERSISTENCE, *REPLICATION, *ACCESS)
BY_NAME = {row.name: row for row in TABLE}


def samples(info: Info | None) -> Iterator[Sample]:
    """Yield every figure of a server; of one that did not answer, only that."""
    if info is None:
        yield Sample(UP, {}, 0.0)
        return
    for row in TABLE:
        for labels, value in row.source.read(info):
            yield Sample(row, labels, value)
