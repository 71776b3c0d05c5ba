"""What a person sees of users, passwords and the audit trail."""

import pytest

from redyard.cli import access_views
from redyard.cli.commands.audit import line
from redyard.cli.drawing import draw
from tests.support.yards import Sandbox

USER = {
    "user": "shop",
    "purpose": "An app.",
    "password": "***",
    "url": "redis://shop:***@127.0.0.1:1/0",
    "since": "2026-11-23T00:00:00.000Z",
    "connections": 3,
    "old_password": {"connections": 2},
}
ACCESS = {
    "app": "shop",
    "name": "redis-store",
    "template": "app",
    "prefixes": ["shop:*", "bull:mails:*"],
    "added_at": "2026-11-23T00:00:00.000Z",
    "connections": 3,
}
REFUSED = {"user": "default", "name": "", "address": "10.0.0.9:5000", "age": 12}
RECORD = {
    "time": "2026-11-23T00:00:00.000Z",
    "id": "1",
    "operation": "scale",
    "parameters": {"name": "redis", "plan": "1gb", "move": False},
    "uid": 1000,
    "user": "ann",
    "pid": 7,
    "command": "/usr/bin/python3 /opt/bin/redyard scale redis 1gb",
    "state": "done",
    "result": "ok",
    "before": {"redis-store": {"plan": "256mb"}, "gone": {"plan": "1gb"}},
    "after": {"redis-store": {"plan": "1gb"}, "made": {"plan": "1gb"}},
    "seconds": 1.5,
}


def test_users_are_shown_with_an_old_password_that_counts():
    """Who, since when, how many connections, and how many of them are old."""
    said = draw(access_views.credentials({"instances": [{"name": "redis-store", "users": [USER]}]}))

    assert "counts too: 2 connections" in said
    assert "An app." in said


def test_rotation_tells_who_was_cut_and_who_was_refused():
    """By instance; a client without a name has its address."""
    item = {"name": "redis-store", "users": ["default", "shop"], "closed": 4, "refused": [REFUSED]}
    said = draw(access_views.rotated({"rotated": [item], "seconds": 2.0}))

    assert "redis-store: new password of default, shop; no old one counts. Connections closed: 4." in said
    assert "refused since: a client without a name at 10.0.0.9:5000, 12s ago, as default" in said


def test_access_that_was_taken_tells_the_way_back():
    """The command that gives it again, with its template and its prefixes."""
    said = draw(access_views.revoked({"name": "redis", "app": "shop", "instances": [ACCESS]}))

    assert "redyard access add redis shop --template app --prefix 'shop:*' --prefix 'bull:mails:*'" in said


def test_access_is_a_table_and_nothing_is_a_hint():
    """What an app may use; without any app, the command that makes one."""
    metrics = {**ACCESS, "template": "metrics", "prefixes": []}
    said = draw(access_views.accesses({"access": [ACCESS, metrics]}))

    assert "shop:* bull:mails:*" in said
    assert "none" in said
    assert "redyard access add NAME APP" in draw(access_views.accesses({"access": []}))


def test_record_is_one_line_for_a_person():
    """What, how it ended, by whom without the paths of programs, and what changed; what has no end says so."""
    said = line(RECORD, as_json=False)
    unfinished = line({**RECORD, "state": "unfinished", "result": None, "before": {}, "after": {}}, as_json=False)

    assert "scale name=redis plan=1gb  ok in 1.5 s  by ann, process 7 (python3 redyard scale redis 1gb)" in said
    assert "[gone gone; made made; redis-store plan 256mb -> 1gb]" in said
    assert "unfinished  by ann" in unfinished


@pytest.mark.parametrize(
    "words",
    [
        ["access", "list", "redis", "shop"],
        ["access", "add", "redis"],
        ["access", "remove", "redis", "shop", "--read-only"],
        ["access", "add", "redis", "shop", "--read-only", "--template", "metrics"],
        ["credentials", "show", "redis", "--now"],
        ["credentials", "rotate", "redis", "--show"],
        ["credentials", "rotate", "redis", "--wait", "2h"],
    ],
    ids=" ".join,
)
def test_words_that_do_not_fit_are_usage(shared_yard: Sandbox, words: list[str]):
    """Before anything is asked of the yard."""
    assert 2 == shared_yard.error(*words)["status"]
