"""Doors for ASGI apps: pure ASGI, so that they fit every framework and need none."""
