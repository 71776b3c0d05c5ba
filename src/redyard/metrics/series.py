"""What the history keeps of an instance: a table of series, each one figure a moment."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from redyard.metrics.sources import Info, number, split

Fold = Literal["mean", "max", "last"]


class Series(NamedTuple):
    """A row: the name, the field of INFO, whether it grows (its growth a second is kept), and how moments are folded.

    A field `cmdstat_*:usec` is the sum of that part over all such fields.
    """

    name: str
    field: str
    grows: bool = False
    fold: Fold = "mean"

    def read(self, info: Info) -> float | None:
        """Return the figure of a moment."""
        start, several, part = self.field.partition("*:")
        if not several:
            return number(info.get(self.field))
        found = [number(split(text).get(part)) for name, text in info.items() if name.startswith(start)]
        return sum(value for value in found if value is not None)


TABLE = (
    Series("memory_used", "used_memory"),
    Series("memory_rss", "used_memory_rss"),
    Series("memory_peak", "used_memory_peak", fold="max"),
    Series("memory_dataset", "used_memory_dataset"),
    Series("memory_overhead", "used_memory_overhead"),
    Series("memory_scripts", "used_memory_scripts"),
    Series("memory_clients", "mem_clients_normal", fold="max"),
    Series("memory_replicas", "mem_clients_slaves", fold="max"),
    Series("memory_backlog", "mem_replication_backlog"),
    Series("memory_aof_buffer", "mem_aof_buffer", fold="max"),
    Series("memory_limit", "maxmemory", fold="last"),
    Series("fragmentation_bytes", "mem_fragmentation_bytes"),
    Series("fragmentation_ratio", "mem_fragmentation_ratio"),
    Series("scripts", "number_of_cached_scripts", fold="last"),
    Series("lazyfree_pending", "lazyfree_pending_objects", fold="max"),
    Series("clients", "connected_clients", fold="max"),
    Series("clients_blocked", "blocked_clients"),
    Series("clients_pubsub", "pubsub_clients"),
    Series("clients_tracking", "tracking_clients"),
    Series("clients_watching", "watching_clients"),
    Series("client_output_max", "client_recent_max_output_buffer", fold="max"),
    Series("client_input_max", "client_recent_max_input_buffer", fold="max"),
    Series("connections", "total_connections_received", grows=True),
    Series("connections_rejected", "rejected_connections", grows=True),
    Series("clients_evicted", "evicted_clients", grows=True),
    Series("commands", "total_commands_processed", grows=True),
    Series("command_seconds", "cmdstat_*:usec", grows=True),
    Series("commands_failed", "cmdstat_*:failed_calls", grows=True),
    Series("commands_rejected", "cmdstat_*:rejected_calls", grows=True),
    Series("errors", "total_error_replies", grows=True),
    Series("slow_commands", "slowlog_last_id", grows=True),
    Series("hits", "keyspace_hits", grows=True),
    Series("misses", "keyspace_misses", grows=True),
    Series("keys", "db*:keys", fold="last"),
    Series("keys_expiring", "db*:expires", fold="last"),
    Series("expired", "expired_keys", grows=True),
    Series("expired_stale", "expired_stale_perc"),
    Series("expire_capped", "expired_time_cap_reached_count", grows=True),
    Series("evicted", "evicted_keys", grows=True),
    Series("input_bytes", "total_net_input_bytes", grows=True),
    Series("output_bytes", "total_net_output_bytes", grows=True),
    Series("replication_bytes", "total_net_repl_output_bytes", grows=True),
    Series("cpu_user", "used_cpu_user_main_thread", grows=True),
    Series("cpu_system", "used_cpu_sys_main_thread", grows=True),
    Series("cpu_children", "used_cpu_user_children", grows=True),
    Series("cpu_active", "used_active_time_main_thread", grows=True),
    Series("unsaved_changes", "rdb_changes_since_last_save", fold="last"),
    Series("save_seconds", "rdb_last_bgsave_time_sec", fold="last"),
    Series("save_copied", "rdb_last_cow_size", fold="last"),
    Series("fork_usec", "latest_fork_usec", fold="max"),
    Series("log_size", "aof_current_size", fold="last"),
    Series("log_base_size", "aof_base_size", fold="last"),
    Series("fsync_delayed", "aof_delayed_fsync", grows=True),
    Series("fsync_pending", "aof_pending_bio_fsync", fold="max"),
    Series("replicas", "connected_slaves", fold="last"),
    Series("replication_offset", "master_repl_offset", grows=True),
    Series("logins_refused", "acl_access_denied_auth", grows=True),
    Series("commands_refused", "acl_access_denied_cmd", grows=True),
    Series("pubsub_channels", "pubsub_channels", fold="last"),
    Series("eventloop_usec", "instantaneous_eventloop_duration_usec", fold="max"),
    Series("uptime", "uptime_in_seconds", fold="last"),
)
"""The order is that of the figures in a row on the disk: add at the end, and never remove one."""

NAMES: Mapping[str, int] = {series.name: place for place, series in enumerate(TABLE)}
