"""What a person reads: every figure is there, nothing is cut, no password shows by itself."""

import pytest

from redyard.cli import views
from redyard.cli.drawing import COLOURS, draw
from redyard.yard.phases import Phase

RUNNING = {
    "name": "redis-store",
    "addon": "redis",
    "role": "store",
    "plan": "256mb",
    "phase": "running",
    "reason": "",
    "doing": "",
    "wanted": "running",
    "port": 17012,
    "pid": 123,
    "memory_used": 1234567,
    "memory_limit": 201326592,
    "clients": 3,
    "clients_limit": 100,
    "crashes": 0,
    "uptime_seconds": 7384.2,
    "backups": {
        "storage": "/app/.redyard/backups/redis-store",
        "following": True,
        "last_moment": "2026-11-23T02:15:00.250Z",
        "lag_bytes": 12,
        "lag_seconds": 0.3,
        "waiting": 0,
        "proved_at": None,
        "trouble": "",
    },
}
FAILED = {
    **RUNNING,
    "name": "redis-cache",
    "role": "cache",
    "phase": "failed",
    "reason": "it ended 5 times within a minute",
    "pid": None,
    "memory_used": None,
    "clients": None,
    "uptime_seconds": None,
    "backups": None,
}
YARD = {"home": "/app/.redyard", "pid": 55, "version": "0.1.0", "started_at": "", "uptime_seconds": 100.2}


def everything(view: dict[str, object]) -> dict[str, object]:
    """Return what `info` answers for an instance."""
    return {
        **view,
        "url": "redis://default:***@127.0.0.1:17012/0",
        "engine": view["pid"] and "valkey",
        "version": view["pid"] and "9.1.2",
        "authentication": "user default, password",
        "machine_memory": 443000000,
        "machine_memory_free": 8000000000,
        "reachable_from": "this machine alone",
        "encryption": "none",
        "socket": "/tmp/redyard-0/ab/redis-store.sock",
        "directory": "/app/" + "deep/" * 40 + "redis-store",
        "log": "/app/engine.log",
        "created_at": "2026-11-23T02:15:00Z",
        "keys": 12,
        "evicted": 0,
        "policy": "noeviction",
        "persistence": "append-only file",
        "ready_ms": 34.2,
        "databases": 16,
    }


def words(renderable) -> list[str]:
    """Return the words of a view, row by row."""
    return draw(renderable).split()


def test_every_phase_has_a_colour():
    """The table of colours knows each phase of the yard."""
    assert {str(phase) for phase in Phase} == set(COLOURS)


def test_status_has_a_line_for_the_yard_and_one_for_each_instance():
    """`status` shows the yard, and of each instance its plan, phase, port, memory, clients, uptime and backups' lag."""
    lines = draw(views.status({"yard": YARD, "instances": [RUNNING]})).splitlines()
    row = next(line for line in lines if "redis-store" in line)

    assert "/app/.redyard  process 55, version 0.1.0, up 1m40s" in lines[0]
    assert "redis-store store 256mb running 17012 1.2mb / 192mb 3 / 100 2h3m 0.3s" == " ".join(row.split())


def test_status_says_why_an_instance_does_not_run():
    """The reason of what does not run stands under the table."""
    said = draw(views.status({"yard": YARD, "instances": [RUNNING, FAILED]}))

    assert "redis-cache  it ended 5 times within a minute" in said


def test_status_of_an_empty_yard_says_what_to_do():
    """A yard without an add-on names the command that adds one."""
    assert "redyard add redis" in draw(views.status({"yard": YARD, "instances": []}))


def test_info_shows_every_field():
    """`info` leaves out nothing that is known of an instance, and cuts nothing."""
    instance = everything(RUNNING)
    said = draw(views.info({"instances": [instance]}))
    shown = ("url", "engine", "version", "authentication", "socket", "directory", "log", "created_at", "policy", "pid")

    assert [] == [field for field in shown if str(instance[field]) not in said]


@pytest.mark.parametrize("view", [RUNNING, FAILED], ids=["running", "failed"])
def test_unknown_values_are_left_out(view):
    """What is not known of an instance is not printed as None."""
    assert "None" not in words(views.info({"instances": [everything(view)]}))


def test_added_shows_what_was_promised_and_what_comes_next():
    """`add` prints connection, version, memory, authentication and the next commands."""
    said = draw(views.added({"addon": "redis", "plan": "256mb", "seconds": 0.61, "instances": [everything(RUNNING)]}))
    promised = ("redis://default:***@", "valkey 9.1.2", "192mb", "user default, password", "redyard run -- COMMAND")

    assert [] == [part for part in promised if part not in said]


def test_next_commands_name_an_addon_that_is_not_the_usual():
    """The commands to go on with carry the add-on's name."""
    said = draw(views.added({"addon": "jobs", "plan": "256mb", "seconds": 1, "instances": []}))

    assert "redyard run --name jobs -- COMMAND" in said
    assert "redyard vars jobs" in said


def test_removal_shows_what_goes():
    """`remove` says keys, memory and directory, that it is for good, and how to have an empty one again."""
    said = draw(views.would_remove({"would_remove": [everything(RUNNING)], "again": "redyard add redis"}))

    assert [] == [part for part in ("12", "1.2mb", "deep/redis-store", "for good", "redyard add") if part not in said]


CHANGE = {
    "name": "redis-store",
    "way": "move",
    "plan": ["512mb", "256mb"],
    "memory": [512 << 20, 256 << 20],
    "engine": ["valkey 9.1.2", "valkey 9.1.2"],
    "used": 300 << 20,
    "rss": 320 << 20,
    "evicted_keys": 0,
    "pause": 0.02,
    "pause_ms": 20,
    "memory_needed": 650 << 20,
    "memory_free": 8 << 30,
    "disk_needed": 600 << 20,
    "disk_free": 70 << 30,
    "refused": None,
}


def test_a_plan_shows_what_it_takes_and_whether_it_is_refused():
    """`--dry-run` shows memory and disk that are needed and free, and below why a change would be refused."""
    refused = {**CHANGE, "refused": "redis-store holds 300mb and would have 256mb", "disk_needed": 0}
    said = " ".join(words(views.changes({"changes": [CHANGE, refused]})))

    assert "20 ms 650mb, 600mb disk 8gb, 70gb disk" in said
    assert said.endswith("20 ms 650mb 8gb redis-store refused: redis-store holds 300mb and would have 256mb")


def test_narrow_terminal_cuts_nothing(monkeypatch):
    """On a terminal narrower than a path, the path is whole, in one piece, so that it can be copied."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "40")
    instance = everything(RUNNING)

    assert instance["directory"] in draw(views.info({"instances": [instance]}))


def test_markup_in_a_value_is_text():
    """Brackets in a value are printed, not obeyed."""
    said = draw(views.status({"yard": {**YARD, "home": "/app/[red]x[/red]"}, "instances": []}))

    assert "/app/[red]x[/red]" in said


def test_colour_only_where_asked(monkeypatch):
    """A phase has its colour on a terminal; NO_COLOR takes it away."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = draw(views.instances({"instances": [RUNNING]}))
    monkeypatch.setenv("NO_COLOR", "1")
    plain = draw(views.instances({"instances": [RUNNING]}))

    assert (True, False) == ("\x1b[32mrunning" in coloured, "\x1b[32m" in plain)


ALERT = {
    "rule": "StoreEvicts",
    "name": "redis-store",
    "severity": "critical",
    "summary": "redis-store threw away 12 keys that were to be kept.",
    "remedy": "redyard restart redis-store",
}
DOING = {
    **RUNNING,
    "keys": 12.0,
    "operations": 1234.5,
    "hit_rate": 0.914,
    "busy": 0.03,
    "input": 2048.0,
    "output": None,
    "evicted": 0.0,
    "commands": [{"command": "get", "calls": 900.2, "mean_us": 1.4, "p99_us": 2150.0}],
    "clients": {"shop:web": 3},
    "slow": [{"at": 1, "seconds": 0.0213, "command": "HGETALL big", "client": "shop:web"}],
    "restorable": "2026-11-23T10:00:00Z",
}


def test_status_shows_what_fires_and_what_to_do():
    """Under the instances."""
    said = draw(views.status({"yard": YARD, "instances": [RUNNING], "alerts": [ALERT]}))

    assert [] == [part for part in ("StoreEvicts", ALERT["summary"], ALERT["remedy"]) if part not in said]


def test_alerts_show_firing_pending_silences_history_and_channels():
    """And say so where there are none."""
    silence = {"rule": "Down", "subject": "*", "until": 1e9, "reason": "moving"}
    line = {"at": 1e9, "rule": "Down", "subject": "redis-cache", "what": "resolved", "value": None}
    full = {
        "firing": [ALERT],
        "pending": [ALERT],
        "silences": [silence],
        "history": [line],
        "channels": ["slack://..."],
    }
    said = draw(views.alerts(full))
    none = draw(views.alerts({"firing": [], "pending": [], "silences": [], "history": [], "channels": []}))

    wanted = ("StoreEvicts", "Perhaps soon", "moving", "2001-09-09T01:46:40", "resolved", "slack://...")
    assert [] == [part for part in wanted if part not in said]
    assert [] == [part for part in ("Nothing fires.", "REDYARD_ALERTS") if part not in none]


def test_top_shows_figures_commands_clients_and_slow_commands():
    """With units; what is not known is a dash."""
    said = draw(views.top({"at": "", "instances": [DOING], "alerts": [ALERT]}))
    wanted = ("1,234", "91%", "1.2mb / 192mb", "get", "2.1 ms", "shop:web 3", "21.3 ms  HGETALL big", "10:00:00Z")

    assert [] == [part for part in (*wanted, "StoreEvicts") if part not in said]


def test_top_of_an_instance_that_does_not_answer():
    """Nothing is claimed of it."""
    away = dict.fromkeys(DOING) | FAILED | {"commands": [], "clients": {}, "slow": [], "restorable": None}
    said = draw(views.top({"at": "", "instances": [away], "alerts": []}))

    assert "failed" in said
    assert "None" not in said


def test_rules_are_listed():
    """With severity, roles and what they say."""
    rule = {"name": "Down", "severity": "critical", "roles": [], "lasts": 60, "says": "{name} does not answer."}

    assert "Down critical all 1m NAME does not answer." in " ".join(words(views.rules({"rules": [rule]})))


def test_deliveries_say_how_it_went():
    """Of each channel."""
    data = {"deliveries": [{"channel": "slack://...", "delivered": False, "tries": 4}]}

    assert "slack://...  not delivered, tries: 4" in draw(views.deliveries(data))
