"""The limiter of last resort."""

from hypothesis import given
from hypothesis import strategies as st

from redyard.ratelimit.insurance import CLIENTS, Insurance


def test_it_counts_like_the_script():
    """A budget at once, then one each interval."""
    insurance = Insurance(2, 10)
    hits = [insurance.hit("ada", 1, now=now) for now in (100, 100, 100, 104.9, 105, 200)]

    assert [True, True, False, False, True, True] == [allowed for allowed, _, _ in hits]
    assert [1, 0, 0, 0, 0, 1] == [remaining for _, remaining, _ in hits]
    assert (5.0, 0.0) == (hits[2][2], hits[4][2])


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_it_never_allows_more_than_the_budget_and_what_came_back(gaps, limit):
    """Within any span: the limit, and one for each interval of the span."""
    insurance, now, allowed = Insurance(limit, 10), 1000.0, []
    for gap in gaps:
        now += gap
        if insurance.hit("ada", 1, now=now)[0]:
            allowed.append(now)

    for i, start in enumerate(allowed):
        for j in range(i, len(allowed)):
            assert j - i + 1 <= limit + (allowed[j] - start) / (10 / limit) + 1e-6


def test_it_forgets_those_seen_longest_ago():
    """Strangers cannot fill memory."""
    insurance = Insurance(1, 10)
    for number in range(CLIENTS + 5):
        insurance.hit(str(number), 1, now=0)

    assert CLIENTS == len(insurance._paid)
    assert insurance.hit("0", 1, now=0)[0]
    assert not insurance.hit(str(CLIENTS), 1, now=0)[0]
