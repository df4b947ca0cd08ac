"""Policies and reports as JSON values and back, for their way from one process to another."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from ckpttool.checks.catalogue import RULES
from ckpttool.checks.rule import Rule, Severity

T = TypeVar("T")


def plain(value: Any) -> Any:
    """A value as JSON has it: a dataclass as an object of its fields, a rule as its code."""
    if isinstance(value, Rule):
        return value.code
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return [plain(entry) for entry in value] if isinstance(value, tuple | list) else value


def restored(kind: type[T], value: Any) -> T:
    """The value of this type of which `plain` made a JSON value."""
    return _restored(kind, value)  # type: ignore[no-any-return]


def _restored(kind: Any, value: Any) -> Any:
    if kind is Rule:
        return RULES[value]
    if kind == Severity | None:
        return None if value is None else Severity(value)
    if get_origin(kind) is tuple:
        return tuple(_restored(get_args(kind)[0], entry) for entry in value)
    if is_dataclass(kind) and isinstance(value, Mapping):
        types = get_type_hints(kind)
        return kind(**{name: _restored(types[name], entry) for name, entry in value.items()})  # type: ignore[operator]
    return value
