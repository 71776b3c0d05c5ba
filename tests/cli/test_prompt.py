"""Replies are drawn as people and programs read them; what empties a database is recognised."""

import json

import pytest

from redyard.cli.commands.connect import arguments
from redyard.cli.prompt import PRIVATE, completer, draw, flushes, plain, raw, split
from redyard.errors import Usage

REPLY = [b"a", [b"b", 2, None], b'\x00"\xff']


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (None, "(nil)"),
        (7, "(integer) 7"),
        ("OK", "OK"),
        (b"text", '"text"'),
        (b'a"b\n\x00\xff', '"a\\"b\\n\\x00\\xff"'),
        ([], "(empty array)"),
        ([b"a", b"b"], '1) "a"\n2) "b"'),
        ([[b"a", 1], b"b"], '1) 1) "a"\n   2) (integer) 1\n2) "b"'),
        (ValueError("no"), "(error) no"),
    ],
)
def test_reply_for_a_person(reply, expected):
    """As the usual command-line clients show it."""
    assert expected == draw(reply)


def test_reply_for_a_program():
    """Values alone, one a line; JSON keeps the shape."""
    assert 'a\nb\n2\n\n\x00"\\xff' == raw(REPLY)
    assert ["a", ["b", 2, None], '\x00"\\xff'] == json.loads(json.dumps(plain(REPLY)))


def test_words_are_a_shell_s():
    """Quotes hold spaces; an open quote is an error and no crash."""
    assert ["SET", "a key", ""] == split("SET 'a key' \"\"")
    with pytest.raises(Usage, match="no closing quotation"):
        split("GET 'a")


@pytest.mark.parametrize(
    ("words", "expected"), [(["flushall"], True), (["FlushDB", "ASYNC"], True), (["GET", "x"], False), ([], False)]
)
def test_emptying_is_recognised(words, expected):
    """In any writing."""
    assert expected is flushes(words)


def test_completion_offers_the_server_s_commands():
    """By their first letters, one after another, in any case."""
    complete = completer(["CONFIG", "COPY", "GET"])

    assert ["CONFIG ", "COPY ", None] == [complete("co", place) for place in range(3)]
    assert None is complete("", 0)


@pytest.mark.parametrize(
    "text",
    [
        "AUTH a b",
        "auth x",
        "ACL SETUSER me >pw",
        "CONFIG SET requirepass x",
        "HELLO 3 AUTH u p",
        "config set masterauth p",
    ],
)
def test_history_keeps_no_password(text):
    """Lines that may hold one are not written down."""
    assert PRIVATE.match(text)
    assert not PRIVATE.match("GET auth")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("unix://monitor:p@/tmp/a%20b.sock", ["-s", "/tmp/a b.sock", "--user", "monitor"]),
        ("redis://u%40:p@h:1/2", ["-h", "h", "-p", "1", "-n", "2", "--user", "u@"]),
        ("rediss://:p@h/0?ssl_ca_certs=/ca.pem", ["-h", "h", "-p", "6379", "--tls", "--cacert", "/ca.pem"]),
    ],
)
def test_usual_programs_get_the_password_by_environment(url, words):
    """Never as an argument, which a process list shows."""
    assert (words, {"REDISCLI_AUTH": "p", "VALKEYCLI_AUTH": "p"}) == arguments(url)
