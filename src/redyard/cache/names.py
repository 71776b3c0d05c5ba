"""How arguments make names, and names keys: no argument runs into another, and no name is too long."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from string import Formatter
from typing import Any

from redyard.errors import BadKey, BadTemplate
from redyard.keys import LONGEST

HEAD = 150
"""Characters of a too long name that its key still begins with, so that it is found by its prefix."""

_MARK = "sha256="
_BY_PLACE, _BY_NAME, _DEFAULT = range(3)

Fill = Callable[[Sequence[Any], Mapping[str, Any]], str]
"""Makes the name of a call from its arguments by place and by name."""


def fit(name: str) -> str:
    """Return the name where it can be a part of a key; else its beginning and its digest."""
    if 0 < len(name) <= LONGEST and name.isprintable() and _MARK not in name:
        return name
    size = next((place for place, sign in enumerate(name[:HEAD]) if not sign.isprintable()), HEAD)
    return name[:size].replace(_MARK, "") + _MARK + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def escaped(value: object) -> object:
    """Return an argument as it stands in a name: ':' and '%' are escaped, as they separate and escape."""
    if type(value) is int:
        return value
    text = format(value)
    return text.replace("%", "%25").replace(":", "%3A") if ":" in text or "%" in text else text


class Template:
    """A template of names such as "product:{product_id}", for the arguments of one function.

    How a call passes its arguments is looked at once: calls of one shape (so many by place, these by name) find them
    at the same places. Templates with attributes, items or formats take the slow way of binding every call.
    """

    def __init__(self, text: str, function: Callable[..., object], *, may_be_fixed: bool = False) -> None:
        self.text = text
        self._signature = inspect.signature(function)
        fields = _parse(text, function, self._signature)
        if not fields and self._signature.parameters and not may_be_fixed:
            raise _bad(text, function, self._signature, "it names no argument, so all calls would share one value")
        literal = "".join(part for part, *_ in Formatter().parse(text))
        if len(literal) > LONGEST:
            raise BadKey(part=text[:80], name="template", reason=f"it has {len(literal)} characters of its own")
        self.prefix = text.partition("{")[0]
        self._fields = fields
        self._format = "".join(
            part.replace("%", "%%") + ("" if name is None else "%s") for part, name, *_ in Formatter().parse(text)
        )
        self._plans: dict[object, Fill] = {}
        self._simple = _is_simple(text) and not any(
            parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
            for parameter in self._signature.parameters.values()
        )

    def fill(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return the name for a call's arguments, or raise TypeError as the function would."""
        if not self._simple:
            return self._bind(args, kwargs)
        shape = (len(args), *kwargs) if kwargs else len(args)
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._plans[shape] = self._plan(len(args), kwargs)
        return plan(args, kwargs)

    def _plan(self, count: int, kwargs: Mapping[str, Any]) -> Fill:
        """Return how to fill in a call of this shape: each field comes by place, by name, or is its default."""
        shown = [(_BY_PLACE, place) for place in range(count)]
        bound = self._signature.bind(*shown, **{name: (_BY_NAME, name) for name in kwargs}).arguments
        ways = [bound.get(name) or (_DEFAULT, self._signature.parameters[name].default) for name in self._fields]
        form = self._format
        if len(ways) == 1 and ways[0][0] == _BY_PLACE:  # most calls
            place = ways[0][1]
            return lambda args, _: form % escaped(args[place])
        return lambda args, kwargs: (
            form
            % tuple(
                [
                    escaped(args[where] if way == _BY_PLACE else kwargs[where] if way == _BY_NAME else where)
                    for way, where in ways
                ]
            )
        )

    def _bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return self.text.format_map({name: _Part(value) for name, value in bound.arguments.items()})


class _Part:
    """An argument as a part of a name: "{user}" and "{user.id}" both come out escaped."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __getattr__(self, name: str) -> "_Part":
        return _Part(getattr(self._value, name))

    def __getitem__(self, name: Any) -> "_Part":
        return _Part(self._value[name])  # type: ignore[index] # as str.format does: an error if it cannot be

    def __str__(self) -> str:
        return str(escaped(str(self._value)))

    def __repr__(self) -> str:
        return str(escaped(repr(self._value)))

    def __format__(self, spec: str) -> str:
        return str(escaped(format(self._value, spec)))


def _parse(text: str, function: Callable[..., object], signature: inspect.Signature) -> list[str]:
    """Return the names of a template's fields, or raise BadTemplate for one that is no argument."""
    try:
        fields = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise _bad(text, function, signature, str(error)) from None
    names = []
    for field in fields:
        name = field.replace("[", ".").partition(".")[0]
        if name not in signature.parameters:
            problem = f"{field!r} is none of its arguments" if field else "a field without a name is no argument"
            raise _bad(text, function, signature, problem)
        names.append(name)
    return names


def _is_simple(text: str) -> bool:
    return not any(
        name is not None and (spec or conversion or "." in name or "[" in name)
        for _, name, spec, conversion in Formatter().parse(text)
    )


def _bad(text: str, function: Callable[..., object], signature: inspect.Signature, reason: str) -> BadTemplate:
    name = getattr(function, "__qualname__", repr(function))
    arguments = ", ".join(signature.parameters) or "none"
    return BadTemplate(template=text, function=name, reason=reason, arguments=arguments)
