"""Servers with settings of the test's own."""

from tests.checks.conftest import odd

__all__ = ["odd"]
