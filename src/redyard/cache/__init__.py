"""The cache: values that may be forgotten, each with a lifetime."""

from redyard.cache.cache import Cache

__all__ = ["Cache"]
