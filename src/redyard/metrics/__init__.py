"""Metrics: a table of names, read from a server's INFO and the kit's counters, printed as Prometheus text."""

from redyard.metrics.client import client_samples
from redyard.metrics.kit import KIT
from redyard.metrics.sources import Metric, Sample
from redyard.metrics.table import TABLE, samples
from redyard.metrics.text import CONTENT_TYPE, labelled, render

__all__ = [
    "CONTENT_TYPE",
    "KIT",
    "TABLE",
    "Metric",
    "Sample",
    "client_samples",
    "labelled",
    "render",
    "samples",
]
