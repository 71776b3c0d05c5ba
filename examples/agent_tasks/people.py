"""Who asks: the session of a person, and signing in and out.

Honest for an example, and said on the page: there is no password. Anybody can sign in as anybody.
"""

from typing import Annotated

from fastapi import Depends, Request

from examples.agent_tasks import ledger
from examples.agent_tasks.desk import Desk
from examples.agent_tasks.guard import Refusal
from examples.agent_tasks.models import Account
from redyard.asgi.sessions import session_of

NAME_LIMIT = 60
EMAIL_LIMIT = 254


def find_desk(request: Request) -> Desk:
    """Return what the routes share."""
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(find_desk)]


async def find_person(request: Request, desk: AtDesk) -> Account | None:
    """Return the signed-in person, if any."""
    session = await session_of(request)
    if session.degraded:  # signed in or not, nobody can tell: say so instead of showing the front page
        raise Refusal(503, "We cannot look up who you are for a moment, so nothing was done. Please try again.")
    number = session.get("account")
    return await ledger.account(desk.database, number) if isinstance(number, int) else None


Visitor = Annotated[Account | None, Depends(find_person)]


def require_person(person: Visitor) -> Account:
    """Return the signed-in person, or refuse."""
    if person is None:
        raise Refusal(401, "Please sign in first.")
    return person


Person = Annotated[Account, Depends(require_person)]


def check_email(text: str) -> str:
    """Return the address in small letters, or refuse what cannot be one."""
    email = text.strip().lower()
    name, _, host = email.rpartition("@")
    if not name or "." not in host.strip(".") or len(email) > EMAIL_LIMIT or not email.isprintable() or " " in email:
        raise Refusal(422, "That is no email address. Expected something like ada@example.com.")
    return email


def check_name(text: str, email: str) -> str:
    """Return the name to show: what was given, else the front of the address."""
    name = " ".join(text.split())
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise Refusal(422, f"That name cannot be shown: use up to {NAME_LIMIT} letters.")
    return name or email.partition("@")[0][:NAME_LIMIT]
