"""BullMQ's scripts as they lie in the package, and how they are called."""

import re

import hiredis
import msgspec
import pytest

from redyard import Redis
from redyard.queue.wire import KEYS, OWN, Wire, form, pack, script

PRODUCING = {"addDelayedJob", "addJobScheduler", "addParentJob", "addPrioritizedJob", "addStandardJob"}


@pytest.mark.parametrize("name", KEYS)
def test_a_script_gets_as_many_keys_as_it_takes(name):
    """Its header lists them; an own script's, too."""
    used = {int(number) for number in re.findall(r"KEYS\[(\d+)\]", script(name).text)}

    assert max(used) == len(KEYS[name].split())


@pytest.mark.parametrize("name", sorted(set(KEYS) - OWN))
def test_a_full_server_runs_all_scripts_but_those_that_fill_it(name):
    """So that it can be drained."""
    assert (name not in PRODUCING) == script(name).text.startswith("#!lua flags=allow-oom\n")


def test_msgpack_has_text_as_text():
    """Redis refuses bytes in it, and reads the numbers of JavaScript."""
    assert {"token": "é", "now": 2**41, "rate": 0.5, "none": None} == msgspec.msgpack.decode(
        pack({"token": "é", "now": 2**41, "rate": 0.5, "none": None})
    )
    assert b"\xa3abc" == pack("abc")


def test_a_form_that_is_filled_is_what_the_words_are_packed():
    """Whatever they hold."""
    known, more = (b"EVALSHA", "100 %d %b é", 7, ""), (b"1 %", b"")

    filled = form(known, more=2) % tuple(part for word in more for part in (len(word), word))
    assert hiredis.pack_command((*known, *more)) == filled


def test_a_queues_keys_begin_with_its_name():
    """As BullMQ's do."""
    wire = Wire(Redis.from_url("redis://h"), "{eu}mails")
    head = wire.head("removeJob", id="j1")

    assert (2, "bull:{eu}mails:j1", "bull:{eu}mails:repeat") == head[2:]
