"""Where a person is signed in: a list of devices, and signing out of one, of all others, or everywhere."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from examples.agent_tasks.pages import templates
from examples.agent_tasks.people import Person
from redyard.asgi.sessions import session_of
from redyard.sessions import Session

router = APIRouter(prefix="/devices", include_in_schema=False)

MySession = Annotated[Session, Depends(session_of)]


@router.get("")
async def show(request: Request, person: Person, session: MySession) -> Response:
    """Show the person's sessions, the last seen first."""
    devices = [
        (one, datetime.fromtimestamp(one.seen, UTC), one.handle == session.handle) for one in await session.devices()
    ]
    return templates.TemplateResponse(request, "devices.html", {"person": person, "devices": devices})


@router.post("/sign-out")
async def sign_out_one(person: Person, session: MySession, handle: Annotated[str, Form()]) -> Response:
    """End one of the person's sessions; a handle of somebody else's is nothing."""
    await session.store.destroy_one(person.id, handle)
    return RedirectResponse("/devices", 303)


@router.post("/sign-out-others")
async def sign_out_others(_: Person, session: MySession) -> Response:
    """End all but this session."""
    await session.destroy_others()
    return RedirectResponse("/devices", 303)


@router.post("/sign-out-everywhere")
async def sign_out_everywhere(_: Person, session: MySession) -> Response:
    """End every session of the person, this one too."""
    await session.destroy_all()
    return RedirectResponse("/", 303)
