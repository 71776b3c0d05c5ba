"""The page: sign in, submit, watch, sign out. Every form works without JavaScript; live.js only watches."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.templating import Jinja2Templates
from starlette.responses import RedirectResponse, Response

from examples.agent_tasks import ledger, summarise
from examples.agent_tasks.desk import Desk, admit
from examples.agent_tasks.guard import Refusal
from examples.agent_tasks.models import Account, Task
from examples.agent_tasks.people import AtDesk, Person, Visitor, check_email, check_name
from examples.agent_tasks.sample import SAMPLE
from examples.agent_tasks.settings import HERE, TEXT_LIMIT, TEXT_MINIMUM
from examples.agent_tasks.view import ago, view, words
from redyard.asgi.sessions import session_of
from redyard.ratelimit import Hit

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(directory=HERE / "templates")
templates.env.globals |= {"TEXT_LIMIT": TEXT_LIMIT, "TEXT_MINIMUM": TEXT_MINIMUM}
templates.env.filters |= {"ago": ago, "words": words}


@router.get("/")
async def home(request: Request, desk: AtDesk, person: Visitor, sample: bool = False) -> Response:
    """Show the page, to anybody."""
    return await show_home(request, desk, person, text=SAMPLE if sample else "")


@router.post("/sign-in")
async def sign_in(
    request: Request, desk: AtDesk, email: Annotated[str, Form()] = "", name: Annotated[str, Form()] = ""
) -> Response:
    """Open a session; its id is new, so that one planted before is worth nothing."""
    try:
        await admit("sign-ins", Hit(desk.sign_ins, desk.address(request)))
        address = check_email(email)
        shown = check_name(name, address)
    except Refusal as refusal:
        return await show_home(request, desk, None, refusal=refusal, email=email, name=name)
    person = await ledger.sign_in(desk.database, address, shown, welcome=desk.settings.credits)
    session = await (await session_of(request)).rotate(user=person.id)
    session["account"] = person.id
    return RedirectResponse("/", 303)


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """Destroy the session: the cookie is worth nothing afterwards."""
    await (await session_of(request)).destroy()
    return RedirectResponse("/", 303)


@router.post("/tasks")
async def submit(request: Request, desk: AtDesk, person: Person, text: Annotated[str, Form()] = "") -> Response:
    """Take a task; what cannot be taken comes back in the form with the reason."""
    try:
        task = await desk.submit(person, text, address=desk.address(request))
    except Refusal as refusal:
        return await show_home(request, desk, person, refusal=refusal, text=text)
    return RedirectResponse(f"/#task-{task.id}", 303)


@router.post("/tasks/{task_id}/cancel")
async def cancel(request: Request, desk: AtDesk, person: Person, task_id: str) -> Response:
    """End a task that has no answer yet."""
    try:
        await desk.cancel(person, task_id)
    except Refusal as refusal:
        return await show_home(request, desk, person, refusal=refusal)
    return RedirectResponse(f"/#task-{task_id}", 303)


@router.get("/tasks/{task_id}/card")
async def card(request: Request, desk: AtDesk, person: Person, task_id: str) -> Response:
    """Return one task as a piece of the page: live.js puts it in place of the old one."""
    task = await ledger.task(desk.database, person.id, task_id)
    if task is None:
        raise Refusal(404, "There is no such task.")
    return templates.TemplateResponse(request, "_task.html", {"task": task, "view": await view(desk.queue, task)})


async def show_home(  # noqa: PLR0913 - what the two forms give back
    request: Request,
    desk: Desk,
    person: Account | None,
    *,
    refusal: Refusal | None = None,
    text: str = "",
    email: str = "",
    name: str = "",
) -> Response:
    """Show the page with what was typed, and why it was refused."""
    tasks: list[Task] = await ledger.tasks(desk.database, person.id) if person else []
    context = {
        "person": person,
        "tasks": [(task, await view(desk.queue, task)) for task in tasks],
        "refusal": refusal,
        "typed": {"text": text, "email": email, "name": name},
        "engine": desk.settings.model or summarise.NAME,
        "offline": not desk.settings.model,
        "welcome": desk.settings.credits,
        "answered": 0 if person else await desk.answered(),
    }
    status, headers = (refusal.status, refusal.headers) if refusal else (200, None)
    return templates.TemplateResponse(request, "home.html", context, status_code=status, headers=headers)
