"""The local level through a long bad time."""

import pytest

from tests.cache import schedule

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", range(20))
async def test_a_failing_network_leaves_no_wrong_value(server, seed):
    """Thousands of changes amid cuts and silences; each seed is another schedule."""
    assert 0 < await schedule.run(server, rounds=5000, seed=100 + seed)
