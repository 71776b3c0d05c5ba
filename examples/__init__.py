"""Runnable examples of Redyard; the tests run each of them."""
