"""The pieces of `run.py` that need no process; test_end_to_end.py runs it whole."""

import socket
from pathlib import Path

import pytest
from examples.agent_tasks.run import Failure, app_command, explain, free_port

from tests.support import servers


def test_a_taken_port_is_passed_over():
    """The next free one is used."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", servers.free_port()))
        taken.listen()
        port = taken.getsockname()[1]

        assert port < free_port(str(port)) < port + 50


@pytest.mark.parametrize("wanted", ["web", "80 80", "65536"])
def test_a_port_that_is_none_is_refused(wanted: str):
    """The message names it."""
    with pytest.raises(Failure, match=wanted):
        free_port(wanted)


def test_nobody_is_believed_about_addresses_unless_a_proxy_is_named():
    """A header that says another address would get around the rate limits."""
    assert "--no-proxy-headers" in app_command(8000, {})
    assert "--no-proxy-headers" not in app_command(8000, {"FORWARDED_ALLOW_IPS": "10.0.0.1"})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"error": "X", "message": "No room.", "hint": "Make some."}', "No room.\nMake some."),
        ("Oops", "Oops"),
        ("[]", "[]"),
    ],
)
def test_an_error_is_told_in_its_sentences(answer: str, expected: str):
    """JSON is for programs."""
    assert expected == explain(answer)


def test_the_page_loads_nothing_from_elsewhere():
    """No template, style or script names another host."""
    here = Path(servers.__file__).parents[2] / "examples" / "agent_tasks"
    files = [*here.glob("templates/*"), *here.glob("static/*")]
    text = "".join(file.read_text() for file in files).replace("http://www.w3.org/2000/svg", "")

    assert len(files) > 5
    assert "://" not in text
