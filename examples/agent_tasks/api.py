"""The JSON API: what the page does, for programs; the same session, the same rules, errors as {"error": ...}."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from examples.agent_tasks import ledger
from examples.agent_tasks.guard import Refusal
from examples.agent_tasks.people import AtDesk, Person
from examples.agent_tasks.view import TaskView, view

router = APIRouter(prefix="/api")


class NewTask(BaseModel):
    """A text to summarise."""

    text: str


class Overview(BaseModel):
    """A person's credits and latest tasks."""

    credits: int
    tasks: list[TaskView]


@router.post("/tasks", status_code=202)
async def submit(request: Request, desk: AtDesk, person: Person, new: NewTask) -> TaskView:
    """Take a task."""
    task = await desk.submit(person, new.text, address=desk.address(request))
    return await view(desk.queue, task)


@router.get("/tasks")
async def tasks(desk: AtDesk, person: Person) -> Overview:
    """Return the person's credits and latest tasks."""
    latest = await ledger.tasks(desk.database, person.id)
    return Overview(credits=person.credits, tasks=[await view(desk.queue, task) for task in latest])


@router.get("/tasks/{task_id}")
async def task(desk: AtDesk, person: Person, task_id: str) -> TaskView:
    """Return one task of the person's own."""
    found = await ledger.task(desk.database, person.id, task_id)
    if found is None:
        raise Refusal(404, "There is no such task.")
    return await view(desk.queue, found)


@router.delete("/tasks/{task_id}")
async def cancel(desk: AtDesk, person: Person, task_id: str) -> TaskView:
    """End a task that has no answer yet; its credit is given back."""
    return await view(desk.queue, await desk.cancel(person, task_id))
