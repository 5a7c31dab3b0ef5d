"""Reads a YAML file that a person wrote: YAML's one home.

Of YAML 1.1 only what means the same to every reader: numbers are decimal (none of base 60 or 8), a date is text, and so
is every key (`no:` is "no"). A key given twice, an alias and a tag are errors.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

_MOST_BYTES = 1 << 18
_MOST_DEPTH = 20


class BrokenYamlError(ValueError):
    """Names the line and quotes no value: it may be a password."""


def read_yaml(path: Path) -> Any:
    """The one document in `path`, None if it is empty. Raises BrokenYamlError, OSError."""
    with path.open("rb") as file:
        return parse_yaml(file.read(_MOST_BYTES + 1))


def parse_yaml(data: bytes) -> Any:
    """The one document in `data`, None if it is empty. Raises BrokenYamlError."""
    if len(data) > _MOST_BYTES:
        raise BrokenYamlError(f"it has more than {_MOST_BYTES >> 10} KiB")
    text = _decoded(data)
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as broken:
        line = 0 if broken.problem_mark is None else broken.problem_mark.line + 1
        raise BrokenYamlError(f"line {line}: {broken.problem}") from None
    except yaml.reader.ReaderError as broken:
        line = text.count("\n", 0, broken.position) + 1
        raise BrokenYamlError(f"line {line}: the character U+{broken.character:04X} is not allowed") from None


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data[:4]:
        raise BrokenYamlError("it is saved as UTF-16 or UTF-32; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = data.count(b"\n", 0, broken.start) + 1
        raise BrokenYamlError(f"line {line}: not UTF-8; save the file as UTF-8") from None


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the base has it
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As the base does, bounded: aliases multiply, and each level is a recursion."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML has no types
        if isinstance(event, yaml.AliasEvent):
            _refuse("an alias (*name) is not supported; write the value out", event)
        if event.tag is not None:
            _refuse("a tag (!...) is not supported; write the value without it", event)
        if self.depth == _MOST_DEPTH:
            _refuse("nested deeper than any key", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                _refuse("a list or mapping stands where a key belongs", key)
            if key.value in values:
                _refuse(f"{_quoted(key.value)} is given twice; keep one", key)
            values[key.value] = self.construct_object(value, deep=deep)
        return values


for _name, _form, _first in (
    ("bool", r"(?i:yes|no|true|false|on|off)", "yYnNtTfFoO"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?i:inf)|\.(?i:nan)", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_form})\Z"), list(_first))


def _refuse(problem: str, at: Any) -> NoReturn:
    raise yaml.constructor.ConstructorError(None, None, problem, at.start_mark)


def _quoted(key: str) -> str:
    return f"the key '{key}'" if key.isidentifier() else "a key"
