"""The page of what `--json` prints."""

from typing import Any

from msgspec import inspect

from pages.markdown import code, page, prose, table
from redyard.yard import answers

WORDS = {
    inspect.StrType: "text",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "null",
    inspect.AnyType: "anything",
}


def shape_page() -> str:
    """Draw each command's shape and the shapes' fields."""
    rows = [(_command(name), _kind(inspect.type_info(shape))) for name, shape in answers.TABLE.items()]
    intro = prose("""What each command prints with `--json`: one JSON object on stdout, of exactly these fields. (`logs`
        prints an object a line; `run` and `connect` print what their command does.) Sizes are bytes, spans seconds,
        moments ISO 8601 in UTC; null is what is not known or does not apply.""")
    return page("JSON", "src/redyard/yard/answers.py", intro, table("command | prints", rows), *map(_shape, _shapes()))


def _command(name: str) -> str:
    return name if name == "an error" else code(f"redyard {name}")


def _shapes() -> list[type]:
    kinds = (value for value in vars(answers).values() if isinstance(value, type) and issubclass(value, answers.Struct))
    return [kind for kind in kinds if kind not in {answers.Struct, answers.Shape}]


def _shape(kind: type) -> str:
    fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    rows = [(code(item.encode_name), _kind(item.type), _meaning(item.type)) for item in fields]
    return f"## {kind.__name__}\n\n{prose(kind.__doc__ or '')}\n\n{table('field | type | meaning', rows)}"


def _meaning(kind: Any) -> str:
    return str((kind.extra_json_schema or {}).get("description", ""))


def _kind(kind: Any) -> str:
    if isinstance(kind, inspect.Metadata):
        return _kind(kind.type)
    if isinstance(kind, inspect.UnionType):
        return " or ".join(map(_kind, kind.types))
    if isinstance(kind, inspect.ListType):
        return f"list of {_kind(kind.item_type)}"
    if isinstance(kind, inspect.DictType):
        return f"object of {_kind(kind.value_type)}"
    if isinstance(kind, inspect.StructType):
        return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
    return WORDS[type(kind)]
