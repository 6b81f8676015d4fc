"""The reference of the Python client, made of its code: resources and their calls, values, errors."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from memos import sdk
from memos.sdk import errors

_MODULES = re.compile(r"\b(?:memos\.sdk\.\w+|collections\.abc|typing|datetime)\.")
_PRIVATE = ("self", "client")


def page() -> str:
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield from ("# Python client", "", inspect.cleandoc(sdk.__doc__ or ""), "")
    yield "`Memos` blocks and `AsyncMemos` is awaited; both make these calls, with the same arguments, answers and"
    yield "errors. A stream gives `StreamEvent`s: `Token`, `Done` or `Restarted`."
    yield from ("", "## Memos { #memos }", "", "```text", _signature("Memos", sdk.Memos), "```", "")
    yield from (inspect.cleandoc(sdk.Memos.__doc__ or ""), "")
    with sdk.Memos("http://127.0.0.1:9", "mk_none") as client:
        for name, held in sorted(vars(client).items()):
            if not name.startswith("_"):
                yield from _resource(name, held)
        yield from _own(client)
    values = [getattr(sdk, name) for name in sdk.__all__]
    classes = [one for one in values if inspect.isclass(one)]
    yield from ("## Lists and streams { #lists-and-streams }", "")
    for one in classes:
        if not issubclass(one, BaseModel | Exception | sdk.Memos | sdk.AsyncMemos):
            yield from _class(one)
    yield from (
        "## Values { #values }",
        "",
        "Fields that a newer service adds are kept: `model_dump()` shows them.",
        "",
    )
    for one in classes:
        if issubclass(one, BaseModel):
            yield from _value(one)
    yield from ("## Errors { #errors }", "", *_tree(), "")


def _resource(name: str, held: Any) -> Iterator[str]:
    yield from (f"## client.{name} {{ #{name} }}", "", inspect.cleandoc(type(held).__doc__ or ""), "")
    for method in dir(held):
        if not method.startswith("_"):
            bound = getattr(held, method)
            yield from (f"### {name}.{method} {{ #{name}-{method} }}", "", "```text")
            yield from (
                _signature(f"client.{name}.{method}", bound),
                "```",
                "",
                inspect.cleandoc(bound.__doc__ or ""),
                "",
            )


def _own(client: sdk.Memos) -> Iterator[str]:
    """What the client does by itself."""
    yield from ("## The client itself { #the-client-itself }", "")
    for name in sorted(name for name in dir(type(client)) if not name.startswith("_")):
        member = inspect.getattr_static(type(client), name)
        described: Any = member.fget if isinstance(member, property) else getattr(type(client), name)
        called = "" if isinstance(member, property) else str(inspect.signature(described))
        yield from (
            f"### client.{name} {{ #client-{name} }}",
            "",
            "```text",
            _short(f"client.{name}{called}"),
            "```",
            "",
        )
        yield from (inspect.cleandoc(described.__doc__ or ""), "")


def _class(one: type) -> Iterator[str]:
    yield from (f"### {one.__name__} {{ #{one.__name__.lower()} }}", "", inspect.cleandoc(one.__doc__ or ""), "")
    for name, member in inspect.getmembers_static(one):
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        described = member.fget if isinstance(member, property) else member
        yield f"* `{name}`: {' '.join((described.__doc__ or '').split())}"
    yield ""


def _value(one: type[BaseModel]) -> Iterator[str]:
    yield from (f"### {one.__name__} {{ #{one.__name__.lower()} }}", "", inspect.cleandoc(one.__doc__ or ""), "")
    yield from ("| field | type |", "|---|---|")
    for name, field in one.model_fields.items():
        kind = _short(inspect.formatannotation(field.annotation)).replace("|", "\\|")
        yield f"| `{name}` | `{kind}` |"
    yield ""


def _tree() -> Iterator[str]:
    text = inspect.cleandoc(errors.__doc__ or "")
    before, _, drawn = text.partition("\n\n")
    tree, _, after = drawn.partition("\n\n")
    yield from (before, "", "```text", inspect.cleandoc(tree), "```", "", after)


def _signature(name: str, of: Any) -> str:
    signature = inspect.signature(of)
    kept = [one for one in signature.parameters.values() if one.name not in _PRIVATE]
    text = _short(f"{name}{signature.replace(parameters=kept)}")
    if len(text) < 100:
        return text
    return re.sub(r", (?=\w+: )", ",\n    ", text)


def _short(text: str) -> str:
    return _MODULES.sub("", text).replace("'Pages[", "Pages[").replace("]'", "]").replace("NoneType", "None")
