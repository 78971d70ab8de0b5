"""What a rule of an operation is: a function that stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpret.deeplift.pairs import Pairs

__all__ = ["Handler", "Varies", "arguments"]

#: For each argument its own rows if it varies between a sequence and its references, else None.
Varies = list[Pairs | None]
#: (rows of the result, operation, arguments, named arguments, which vary) -> result
Handler = Callable[[Pairs, Callable[..., Any], list[Any], dict[str, Any], Varies], Any]


def arguments(target: Any, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments of an operation of torch by name, with its defaults."""
    schema = target._schema.arguments
    found = {a.name: a.default_value for a in schema if a.has_default_value()}
    return found | {a.name: value for a, value in zip(schema, args, strict=False)} | kwargs
