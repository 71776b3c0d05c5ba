"""Tests of the examples: each runs as a user would run it."""
