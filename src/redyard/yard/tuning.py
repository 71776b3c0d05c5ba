"""The engine's settings as they are, and changes of them that last: asked of the engine first, then written down."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import msgspec
from redis.exceptions import RedisError, ResponseError

from redyard import events
from redyard.engine import directives
from redyard.errors import EngineSilent, RedyardError, SettingRefused, SettingUnsafe
from redyard.yard.admin import PATIENCE
from redyard.yard.credentials import HIDDEN
from redyard.yard.supervisor import Instance
from redyard.yard.watched import Watched

Result = dict[str, object]

SECRET = re.compile("pass|auth|user")
"""Settings whose value no message may show."""


async def show(instance: Watched) -> Result:
    """Return the settings of the table and the owner's own: what counts now, what Redyard gives, why."""
    own = instance.spec.settings
    names = [row.name for row in directives.TABLE] + sorted(set(own) - {row.name for row in directives.TABLE})
    try:
        live = await _ask(instance, *names)
    except (RedisError, OSError):
        live = {}
    return {
        "name": instance.name,
        "role": instance.spec.role,
        "attached": instance.spec.attached,
        "settings": [_row(instance, name, live.get(name)) for name in names],
    }


async def change(instance: Instance, setting: str, value: str, *, force: bool) -> Result:
    """Give a setting a value that also counts after a restart, or raise and leave everything as it was."""
    shown = HIDDEN if SECRET.search(setting) else value
    refused = {"setting": setting, "value": shown, "name": instance.name}
    if reason := directives.owner(setting):
        raise SettingRefused(reason=reason, **refused)
    with _answering(instance):
        before = (await _ask(instance, setting)).get(setting)
    if before is None:
        raise SettingRefused(reason=await _unknown(instance, setting), **refused)
    row = directives.find(setting)
    loss = row.loses(instance.spec.role, value) if row else ""
    if row and loss and not force:
        ours = row.value(instance.spec.role, instance.spec.limits)
        raise SettingUnsafe(loss=loss, ours=ours, why=row.why, **refused)
    with _answering(instance):
        try:
            await instance.admin.redis.config_set(setting, value)
        except ResponseError as error:
            raise SettingRefused(reason=_words(error), **refused) from None
        after = (await _ask(instance, setting))[setting]
        await _keep(instance, setting, after, before)
    return _changed(instance, setting, after, before=before, loses=loss)


async def reset(instance: Instance, setting: str) -> Result:
    """Take the owner's value of a setting back; a setting that is not in the table has the engine's at its restart."""
    before = instance.spec.settings.get(setting)
    if before is None:
        reason = "it has no value of yours"
        raise SettingRefused(setting=setting, value="", name=instance.name, reason=reason)
    row = directives.find(setting)
    with _answering(instance):
        if row:
            await instance.admin.redis.config_set(setting, row.value(instance.spec.role, instance.spec.limits))
        value = (await _ask(instance, setting)).get(setting)
    _write(instance, {name: value for name, value in instance.spec.settings.items() if name != setting})
    events.emit(events.CONFIGURED, name=instance.name, setting=setting, value=None)
    return _changed(instance, setting, value, before=before, restart_needed=row is None)


def _changed(
    instance: Instance, setting: str, value: str | None, *, before: str, loses: str = "", restart_needed: bool = False
) -> Result:
    return {
        "name": instance.name,
        "setting": setting,
        "value": value,
        "before": before,
        "loses": loses or None,
        "restart_needed": restart_needed,
    }


@contextmanager
def _answering(instance: Instance) -> Iterator[None]:
    """Raise EngineSilent when the engine does not answer: what it was told may count until its restart."""
    try:
        yield
    except (RedisError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise
        raise EngineSilent(name=instance.name, seconds=PATIENCE, path=str(instance.seat.log)) from None


async def _keep(instance: Instance, setting: str, value: str, before: str) -> None:
    """Write a value down; where that fails, the engine gets the old one back."""
    row = directives.find(setting)
    settings = {**instance.spec.settings, setting: value}
    if row and row.value(instance.spec.role, instance.spec.limits) == value:
        del settings[setting]
    try:
        _write(instance, settings)
    except (RedyardError, OSError):
        await instance.admin.redis.config_set(setting, before)
        raise
    events.emit(events.CONFIGURED, name=instance.name, setting=setting, value=value)


def _write(instance: Instance, settings: dict[str, str]) -> None:
    spec = msgspec.structs.replace(instance.spec, settings=settings)
    instance.registry.write_spec(spec)
    instance.spec = spec


def _row(instance: Watched, name: str, live: str | None) -> Result:
    row, spec = directives.find(name), instance.spec
    ours = row.value(spec.role, spec.limits) if row and not (spec.attached and row.depends_on_plan) else None
    return {
        "setting": name,
        "value": live,
        "redyard": ours,
        "set_by_you": name in spec.settings,
        "why": row.why if row else "",
        "guide": row.guide if row else "",
        "loses": row.loses(spec.role, live) or None if row and live is not None and ours is not None else None,
    }


async def _ask(instance: Watched, *names: str) -> dict[str, str]:
    found = await instance.admin.redis.config_get(*names)
    said = {_text(name): _text(value) for name, value in found.items()}
    if "oom-score-adj" in said:
        said["oom-score-adj"] = said["oom-score-adj"].replace("yes", "relative")  # the engine's other word for it
    return said


async def _unknown(instance: Instance, setting: str) -> str:
    near = get_close_matches(setting, await _ask(instance, "*"), n=3)
    return "the engine has no such setting" + (f"; it has {', '.join(near)}" if near else "")


def _text(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _words(error: ResponseError) -> str:
    """Return what the engine says of a value, without what the reader knows."""
    return str(error).rpartition(" - ")[2].strip() or str(error)
