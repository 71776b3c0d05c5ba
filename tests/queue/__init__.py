# ruff: noqa: A005 - the tests of redyard.queue
