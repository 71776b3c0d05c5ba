"""Where an address of a command comes from."""

import io

import pytest

from redyard.cli.servers import address
from redyard.errors import NoURL


def test_an_address_need_not_be_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what was given, a line of stdin for -, or what REDIS_URL names; without any of them the error says so."""
    monkeypatch.setattr("sys.stdin", io.StringIO("redis://app:secret@one:6379\nrest"))
    monkeypatch.setenv("REDIS_URL", "redis://app:secret@two:6379")

    assert "redis://three" == address("redis://three")
    assert "redis://app:secret@one:6379" == address("-")
    assert "redis://app:secret@two:6379" == address(None)
    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(NoURL):
        address(None)
