"""Values as JSON."""

import pytest
from hypothesis import given, strategies as st

from redyard.client.coding import decode, encode
from redyard.errors import NotJSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)  # fmt: skip


@given(VALUES)
def test_a_value_comes_back_as_it_was(value):
    """Everything that JSON knows."""
    assert value == decode(encode(value, "it"))


@pytest.mark.parametrize("value", [object(), {1: {2: object()}}, "\ud800", lambda: 1, 1j])
def test_what_is_no_json_is_refused(value):
    """Nothing is pickled, nothing half-written."""
    with pytest.raises(NotJSON, match="it cannot be written"):
        encode(value, "it")


def test_a_value_that_contains_itself_is_refused():
    """The recursion ends."""
    value = []
    value.append(value)
    with pytest.raises(NotJSON):
        encode(value, "it")
