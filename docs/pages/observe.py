"""The pages of metrics and alert rules, and the same tables as files for Prometheus and Grafana."""

import json
from collections.abc import Iterable

from pages.markdown import code, page, prose, table
from redyard.alerts import rules
from redyard.metrics import KIT, TABLE, Metric
from redyard.units import format_span

HEAD = "Written by docs/reference.py from src/redyard/alerts/rules.py: change the table, then `make docs`."

PANELS = (
    ("Memory", "bytes", ("redis_memory_used_bytes", "redis_memory_max_bytes")),
    ("Commands a second", "ops", ("sum by (instance, cmd) (rate(redis_commands_total[1m]))",)),
    ("Mean time of a command", "s", (
        "sum by (instance, cmd) (rate(redis_commands_duration_seconds_total[1m]))"
        " / sum by (instance, cmd) (rate(redis_commands_total[1m]))",)),
    ("Slowest hundredth since the start", "µs", ('redis_latency_percentiles_usec{quantile="0.99"}',)),
    ("Hit rate", "percentunit", (
        "rate(redis_keyspace_hits_total[5m])"
        " / (rate(redis_keyspace_hits_total[5m]) + rate(redis_keyspace_misses_total[5m]))",)),
    ("Keys", "short", ("sum by (instance) (redis_db_keys)", "sum by (instance) (redis_db_keys_expiring)")),
    ("Evicted and expired a second", "ops", (
        "rate(redis_evicted_keys_total[1m])", "rate(redis_expired_keys_total[1m])")),
    ("Clients", "short", ("redis_connected_clients", "redis_blocked_clients", "redis_max_clients")),
    ("Main thread", "percentunit", (
        "rate(redis_cpu_user_main_thread_seconds_total[1m]) + rate(redis_cpu_sys_main_thread_seconds_total[1m])",)),
    ("Network", "Bps", ("rate(redis_net_input_bytes_total[1m])", "rate(redis_net_output_bytes_total[1m])")),
    ("Error replies a second", "ops", ("sum by (instance, err) (rate(redis_errors_total[5m]))",)),
    ("Log and snapshot", "bytes", ("redis_aof_current_size_bytes", "redis_rdb_last_cow_size_bytes")),
    ("Jobs", "short", ("redyard_queue_jobs",)),
    ("Look-ups in the app's cache, a second", "ops", (
        "sum by (cache, result) (rate(redyard_cache_requests_total[5m]))",)),
    ("Loads of the cache, 95th percentile", "s", (
        "histogram_quantile(0.95, sum by (cache, le) (rate(redyard_cache_load_duration_seconds_bucket[5m])))",)),
    ("Hits at limits, a second", "ops", (
        "sum by (limit, result, degraded) (rate(redyard_ratelimit_decisions_total[5m]))",)),
    ("Sessions, a second", "ops", ("sum by (what) (rate(redyard_session_operations_total[5m]))",)),
    ("Jobs' attempts, 95th percentile", "s", (
        "histogram_quantile(0.95, sum by (queue, le) (rate(redyard_job_duration_seconds_bucket[5m])))",)),
    ("Attempts at jobs, a second", "ops", ("sum by (queue, result) (rate(redyard_job_duration_seconds_count[5m]))",)),
    ("The app's own commands, 99th percentile", "s", (
        "histogram_quantile(0.99,"
        " sum by (client, cmd, le) (rate(redyard_client_command_duration_seconds_bucket[5m])))",)),
    ("Alerts", "short", ("redyard_alerts_firing",)),
    ("Findings of the doctor", "short", ("sum by (instance, severity) (redyard_findings)",)),
)  # fmt: skip
"""The dashboard: title, unit and expressions of each panel."""

WIDTH, HEIGHT = 8, 8


def metric_page() -> str:
    """Draw the metrics."""
    intro = prose("""The names of `redis_*` are redis_exporter's, so that the dashboards made for it work; `redyard_*`
        are ours. [A dashboard for Grafana](grafana-dashboard.json) and [rules for Prometheus](prometheus-rules.yml) are
        made from the same tables.""")
    ours = "Of the client, the kit and the yard: each stands where somebody who knows it prints it."
    parts = ("## Of a server", _metrics(TABLE), "## Of ours", ours, _metrics(KIT))
    return page("Metrics", "src/redyard/metrics/", intro, *parts)


def _metrics(rows: Iterable[Metric]) -> str:
    return table("metric | kind | meaning | from", [(code(m.name), m.kind, m.help, m.source.says) for m in rows])


def alert_page() -> str:
    """Draw the rules."""
    intro = prose("""What the yard judges of every instance that is to run, every ten seconds. A rule fires when its
        condition has held for as long as it says, and is resolved when it has not held for a minute. The conditions are
        written as Prometheus evaluates them; the yard evaluates the same ones.""")
    return page("Alert rules", "src/redyard/alerts/rules.py", intro, *map(_rule, rules.TABLE))


def _rule(rule: rules.Rule) -> str:
    after = f"after {format_span(rule.lasts)}" if rule.lasts else "at once"
    whom = f"{' and '.join(rule.roles)} only, " if rule.roles else ""
    quiet = f" Quiet while {rule.under} fires." if rule.under else ""
    says = rule.says.replace("{name}", "NAME").replace("{value}", "N")
    facts = prose(f"{rule.severity}, {whom}{after}; finding {rule.finding}.{quiet}")
    remedy = rule.remedy.replace("{name}", "NAME")
    return f"## {rule.name}\n\n{says}\n\n{facts}\n\n```text\n{rule.promql}\n```\n\nDo: {remedy}"


def prometheus_rules() -> str:
    """Write the rules as Prometheus reads them."""
    lines = [f"# {HEAD}", "groups:", "  - name: redyard", "    rules:"]
    for rule in rules.TABLE:
        subject = "{{ $labels.queue }}" if "queue" in rule.condition.by else "{{ $labels.instance }}"
        filled = (rule.says, rule.remedy)
        says, remedy = (
            text.replace("{name}", subject).replace("{value}", "{{ $value | humanize }}") for text in filled
        )
        lines += [
            f"      - alert: Redyard{rule.name}",
            f"        expr: {json.dumps(rule.promql)}",
            f"        for: {int(rule.lasts)}s",
            f"        labels: {{severity: {rule.severity}}}",
            "        annotations:",
            f"          summary: {json.dumps(says)}",
            f"          description: {json.dumps(f'Finding: {rule.finding}. Do: {remedy}')}",
        ]
    return "\n".join(lines) + "\n"


def dashboard() -> str:
    """Write the dashboard as Grafana imports it."""
    board = {
        "title": "Redyard",
        "uid": "redyard",
        "tags": ["redis", "redyard"],
        "timezone": "browser",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {"name": "instance", "type": "query", "datasource": "$datasource",
             "query": "label_values(redis_up, instance)", "includeAll": True, "multi": True, "refresh": 2},
        ]},
        "panels": [_panel(place, *panel) for place, panel in enumerate(PANELS)],
    }  # fmt: skip
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


def _panel(place: int, title: str, unit: str, expressions: tuple[str, ...]) -> dict[str, object]:
    across = 24 // WIDTH
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": "$datasource",
        "gridPos": {"x": place % across * WIDTH, "y": place // across * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": chr(65 + number), "expr": text} for number, text in enumerate(expressions)],
    }
