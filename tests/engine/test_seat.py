"""An engine's place: its files, its start, its lock."""

from tests.support.servers import Server


def test_engine_answers(server: Server) -> None:
    """A started engine answers its own user."""

    assert server.admin("PING") is True
