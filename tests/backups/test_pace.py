"""How far and how fast long work is, in words and in figures."""

from redyard.backups.pace import Pace, figures


def test_a_share_and_a_rate_are_said() -> None:
    """Bytes of how many, and keys, each with how much a second; nothing at all is whole."""
    pace = Pace(clock=iter([0.0, 2.0, 4.0, 5.0]).__next__)

    assert "50% of 8kb, 2kb/s" == pace.bytes(4096, 8192)
    assert "4,000 keys, 1,000/s" == pace.keys(4000)
    assert pace.bytes(0, 0).startswith("100%")


def test_figures_of_what_took_no_time() -> None:
    """They divide by no zero."""
    assert {"size": 10, "seconds": 2.0, "bytes_per_second": 5, "keys_per_second": 2} == figures(10, 4, 2.0)
    assert 1000 == figures(1, 0, 0.0)["bytes_per_second"]
