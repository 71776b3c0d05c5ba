"""A client's own figures."""

import re

from redyard.metrics import client_samples, render


async def test_a_client_counts_its_commands(redis):
    """By name, with a histogram of their times whose last bucket has all."""
    for _ in range(3):
        await redis.set("a", 1)
    text = render(client_samples(redis, "store"))

    assert 'redyard_client_commands_total{client="store",cmd="set"} 3' in text
    assert 'redyard_client_command_duration_seconds_bucket{client="store",cmd="set",le="+Inf"} 3' in text
    assert 'redyard_client_command_duration_seconds_count{client="store",cmd="set"} 3' in text
    assert 'redyard_client_connects_total{client="store"} 1' in text


async def test_buckets_only_grow(redis):
    """As Prometheus wants them."""
    for number in range(20):
        await redis.set("a", number)
    text = render(client_samples(redis))
    counts = [int(count) for count in re.findall(r'duration_seconds_bucket\{[^}]*cmd="set"[^}]*\} (\d+)', text)]

    assert sorted(counts) == counts
    assert 20 == counts[-1]
