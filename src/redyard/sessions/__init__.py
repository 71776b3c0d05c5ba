"""Sessions: what a server remembers of a visitor, under an id that only the visitor knows."""

from redyard.sessions.record import Change, Device, Record, Visitor
from redyard.sessions.session import Session
from redyard.sessions.store import SessionStore

__all__ = ["Change", "Device", "Record", "Session", "SessionStore", "Visitor"]
