"""How long a command may block."""

from math import inf

import pytest

from redyard.client.blocking import patience


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("BLPOP", "a", "b", 7), 7),
        (("brpop", "a", "0.5"), 0.5),
        ((b"BLMOVE", "a", "b", "LEFT", "RIGHT", b"3"), 3),
        (("BRPOPLPUSH", "a", "b", 2), 2),
        (("BZPOPMIN", "a", 0), inf),
        (("BZPOPMAX", "a", 1), 1),
        (("BLMPOP", 4, 1, "a", "LEFT"), 4),
        (("BZMPOP", 0, 1, "a", "MIN"), inf),
        (("WAIT", 1, 1500), 1.5),
        (("WAITAOF", 1, 0, 500), 0.5),
        (("XREAD", b"COUNT", 1, b"BLOCK", 2000, "STREAMS", "s", "0"), 2),
        (("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">"), inf),
    ],
)
def test_a_blocking_command_may_take_its_own_timeout(command, expected):
    """The timeout is found wherever the command has it, in its unit; 0 is for ever."""
    assert expected == patience(command)


@pytest.mark.parametrize(
    "command",
    [
        ("GET", "BLPOP"),
        ("XREAD", "STREAMS", "BLOCK", "0"),
        ("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"),
        ("BLPOP", "a", "soon"),
        ("BLPOP",),
        (b"SET", "a", 1),
    ],
)
def test_other_commands_do_not_block(command):
    """A command that does not block, or that the server will refuse, has the usual deadline."""
    assert patience(command) is None
