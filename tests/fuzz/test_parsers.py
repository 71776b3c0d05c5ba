"""What comes from outside ends nothing: every reader takes any bytes, or says by its own error that it does not."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.fuzz.targets import TABLE, Target, run

EXAMPLES = {"replies": 40, "objects": 50, "state": 50}
USUAL = 120


@st.composite
def inputs(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Anything, or a good input with some parts replaced."""
    data = draw(st.sampled_from(seeds) | st.binary(max_size=200))
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, len(data)))
        data = data[:first] + draw(st.binary(max_size=8)) + data[first + draw(st.integers(0, 8)) :]
    return data


@pytest.mark.parametrize("target", TABLE, ids=lambda target: target.name)
def test_any_bytes_are_read_or_refused(target: Target):
    """Nothing but the documented errors comes out."""

    @settings(
        max_examples=EXAMPLES.get(target.name, USUAL),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(inputs(target.seeds))
    def check(data: bytes) -> None:
        run(target, data)

    for seed in target.seeds:
        run(target, seed)
    check()
