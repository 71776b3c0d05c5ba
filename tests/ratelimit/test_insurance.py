"""The limiter of last resort."""

from hypothesis import given, strategies as st

from redyard.ratelimit.insurance import CLIENTS, Insurance, Look

SECOND = 10**6


def test_it_counts_like_the_script():
    """A budget at once, then one each interval."""
    insurance = Insurance(5 * SECOND, 2)
    looks = [insurance.do("hit", "ada", 1, now=int(now * SECOND)) for now in (100, 100, 100, 104.9, 105, 200)]

    assert [0, 0, 5, 0.1, 0, 0] == [look.wait / SECOND for look in looks]
    assert [1, 0, 0, 0, 0, 1] == [look.remaining for look in looks]
    assert [5, 5, 5, 0.1, 5, 5] == [look.reset / SECOND for look in looks]


def test_it_knows_the_other_verbs():
    """To look, to charge beyond the budget, to give back and to block."""
    insurance = Insurance(SECOND, 3)

    assert Look(3, 0, 0) == insurance.do("peek", "ada", 3, now=0)
    assert Look(0, 2 * SECOND, 2 * SECOND) == insurance.do("charge", "ada", 4, now=0)
    assert Look(3, 0, 0) == insurance.do("charge", "ada", -9, now=0)
    assert Look(0, 9 * SECOND, 9 * SECOND) == insurance.do("block", "ada", 9 * SECOND, now=0)
    assert [SECOND, 0, SECOND] == [insurance.do("hit", "ada", 1, now=now * SECOND).wait for now in (8, 9, 9)]
    insurance.forget("ada")
    assert Look(2, 0, SECOND) == insurance.do("hit", "ada", 1, now=9 * SECOND)


@given(st.lists(st.floats(0, 3), max_size=60), st.integers(1, 5))
def test_it_never_allows_more_than_the_budget_and_what_came_back(gaps, limit):
    """Within any span: the limit, and one for each interval of the span."""
    step = 10 * SECOND // limit
    insurance, now, allowed = Insurance(step, limit), 1000 * SECOND, []
    for gap in gaps:
        now += int(gap * SECOND)
        if not insurance.do("hit", "ada", 1, now=now).wait:
            allowed.append(now)

    for i, start in enumerate(allowed):
        for j in range(i, len(allowed)):
            assert j - i + 1 <= limit + (allowed[j] - start) / step


def test_it_forgets_those_seen_longest_ago():
    """Strangers cannot fill memory."""
    insurance = Insurance(10, 1)
    for number in range(CLIENTS + 5):
        insurance.do("hit", str(number), 1, now=0)

    assert CLIENTS == len(insurance._paid)
    assert not insurance.do("hit", "0", 1, now=0).wait
    assert insurance.do("hit", str(CLIENTS), 1, now=0).wait
