"""Records read from YAML and JSON: pydantic's one home. An unknown key is an error that names the nearest known one."""

from __future__ import annotations

import difflib
import json
import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from edge_tts.errors import one_line

__all__ = [
    "BeforeValidator",
    "ConfigDict",
    "Field",
    "Record",
    "RequestId",
    "ValidationInfo",
    "check",
    "check_json",
    "field_validator",
    "keys",
    "nearest",
    "readable_json",
]


RequestId = Annotated[str, Field(min_length=1, max_length=128)]
"""Names a request in every report."""

_MOST_KEY = 80
"""Characters of a key that an error message quotes."""


class Record(BaseModel):
    """Frozen, strict types, no unknown keys, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


RecordT = TypeVar("RecordT", bound=BaseModel)


def check(
    kind: type[RecordT],
    value: Any,
    *,
    error: type[Exception],
    what: str,
    strict: bool | None = None,
    context: Any = None,
) -> RecordT:
    """`value` as a `kind`. Raises `error` with a message that begins with `what`. `strict` False reads numbers from
    text. Validators find `context` in their ValidationInfo."""
    try:
        return kind.model_validate(value, strict=strict, context=context)
    except ValidationError as invalid:
        raise error(f"{what}: {_explain(kind, invalid)}") from invalid


def check_json(kind: type[RecordT], payload: bytes, *, error: type[Exception], what: str) -> RecordT:
    """Like `check`, for a JSON object."""
    try:
        return kind.model_validate_json(payload)
    except ValidationError as invalid:
        raise error(f"{what}: {_explain(kind, invalid)}") from invalid


def keys(kind: type[BaseModel]) -> list[str]:
    """What its fields are called in JSON."""
    return [field.alias or name for name, field in kind.model_fields.items()]


def readable_json(value: Any) -> str:
    """JSON for a terminal: only control and direction characters are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(one_line(line, most=12 * len(text)) for line in text.split("\n"))


def nearest(name: str, known: list[str]) -> str:
    """`, did you mean 'x'?` for the closest known name in any case, else a list of them."""
    by_case = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.5)
    if close:
        return f", did you mean '{by_case[close[0]]}'?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


def _explain(kind: type[BaseModel], invalid: ValidationError) -> str:
    """The first problem, and how many more there are. An unknown key goes first: it explains a missing one."""
    problems = sorted(invalid.errors(include_url=False), key=lambda problem: problem["type"] != "extra_forbidden")
    first, more = problems[0], len(problems) - 1
    path = [one_line(str(part), most=_MOST_KEY) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        text = f"unknown key '{'.'.join(path)}'{nearest(path[-1], keys(_at(kind, path[:-1])))}"
    elif first["type"] == "missing":
        text = f"key '{'.'.join(path)}' is missing"
    elif first["type"] == "literal_error" and isinstance(first["input"], str):
        known = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        text = f"key '{'.'.join(path)}': there is no '{one_line(first['input'], most=_MOST_KEY)}'"
        text += nearest(first["input"][:_MOST_KEY], known)
    elif path:
        text = f"key '{'.'.join(path)}': {first['msg']}"
    else:
        text = first["msg"]
    return text + (f" (and {more} more)" if more else "")


def _at(kind: type[BaseModel], path: list[str]) -> type[BaseModel]:
    """The record type found below `kind` along `path`."""
    for name in path:
        inner = kind.model_fields[name].annotation if name in kind.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return kind
        kind = inner
    return kind
