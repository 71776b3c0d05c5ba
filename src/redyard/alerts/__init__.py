"""Alerts: rules over the metrics of an instance, what state each is in, and who is told."""

from redyard.alerts.rules import TABLE, Rule
from redyard.alerts.state import Book, Silence

__all__ = ["TABLE", "Book", "Rule", "Silence"]
