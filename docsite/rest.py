"""The REST reference, made of the service's own OpenAPI document: one page for each noun, one for the values."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from memos.http.app import create_app
from memos.kit.config import Settings

VALUES = "values.md"
OPENING = {
    "conversations": "A user's line of turns with one memory.",
    "turns": "One input and its answer.",
    "memories": "Plaintext memories under their everyday name.",
    "cubes": "MemCubes of every kind: versions, lineage, life, conversions, archives, the past.",
    "health": "Whether it lives, whether a turn can be taken, what it counts.",
}


def document() -> dict[str, Any]:
    """The service's OpenAPI document. Nothing is connected to."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            generator="echo",
            database_url="postgresql://nobody@127.0.0.1/none",
            secret=SecretStr("no secret, and long enough to be taken for one"),
        )
        made: dict[str, Any] = create_app(settings).openapi()
    return made


def pages(api: dict[str, Any]) -> dict[str, str]:
    """Markdown by file name."""
    by_noun: dict[str, list[str]] = defaultdict(list)
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            noun = operation.get("tags", ["other"])[0]
            by_noun[noun].append("\n".join(_operation(method.upper(), path, operation)))
    made = {_file(noun): _page(noun, parts) for noun, parts in by_noun.items()}
    made[VALUES] = "\n".join(_values(api["components"]["schemas"]))
    made["index.md"] = "\n".join(_index(api, by_noun))
    return made


def _page(noun: str, parts: list[str]) -> str:
    return f"# {noun.capitalize()}\n\n{OPENING.get(noun, '')}\n\n" + "\n".join(parts)


def _index(api: dict[str, Any], by_noun: dict[str, list[str]]) -> Iterator[str]:
    yield from ("# REST", "")
    yield "Generated from the service's OpenAPI document, which it also serves at `/openapi.json` and, to try, at"
    yield "`/docs`. Every call takes `Authorization: Bearer mk_...` but those that say otherwise; a POST takes"
    yield "`Idempotency-Key`, and its effect happens once. Lists answer `{items, next_cursor}`. What is refused is an"
    yield "RFC 9457 problem document with a stable `code` and a `hint`."
    yield from ("", "| call | what |", "|---|---|")
    for path, operations in api["paths"].items():
        for method, operation in operations.items():
            noun = operation.get("tags", ["other"])[0]
            yield f"| [`{method.upper()} {path}`]({_file(noun)}#{_anchor(method, path)}) | {_first(operation)} |"


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield from (f"## {method} {path} {{ #{_anchor(method, path)} }}", "", operation.get("description", "").strip(), "")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("| parameter | in | type | what |", "|---|---|---|---|")
        for one in parameters:
            must = "" if not one.get("required") else ", required"
            what = _cell(one.get("description") or one.get("schema", {}).get("description", ""))
            yield f"| `{one['name']}` | {one['in']}{must} | {_type(one.get('schema', {}))} | {what} |"
        yield ""
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield from (f"Body (`{kind}`): {_type(content.get('schema', {}))}", "")
    yield "Answers: " + "; ".join(_answer(status, answer) for status, answer in operation["responses"].items()) + "."
    yield ""


def _answer(status: str, answer: dict[str, Any]) -> str:
    kinds = [_type(content.get("schema", {})) for content in answer.get("content", {}).values()]
    told = [kind for kind in kinds if kind not in ("any", "[Problem](values.md#problem)")]
    return f"`{status}` {' or '.join(told)}".strip()


def _values(schemas: dict[str, Any]) -> Iterator[str]:
    yield from ("# Values", "", "What bodies and answers are made of.", "")
    for name, schema in sorted(schemas.items()):
        yield from (f"## {name} {{ #{name.lower()} }}", "", schema.get("description", "").strip(), "")
        fields = schema.get("properties", {})
        if not fields:
            yield from (_type({key: value for key, value in schema.items() if key != "description"}), "")
            continue
        must = set(schema.get("required", ()))
        yield from ("| field | type | default | what |", "|---|---|---|---|")
        for field, inner in fields.items():
            default = "required" if field in must else _default(inner)
            yield f"| `{field}` | {_type(inner)} | {default} | {_cell(inner.get('description', ''))} |"
        yield ""


def _default(schema: dict[str, Any]) -> str:
    return f"`{schema['default']!r}`" if schema.get("default") is not None else ""


def _type(schema: dict[str, Any]) -> str:
    """A schema in a few words, its named parts as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}]({VALUES}#{name.lower()})"
    for many in ("anyOf", "oneOf", "allOf"):
        if many in schema:
            kinds = dict.fromkeys(_type(one) for one in schema[many])
            return " or ".join(kinds)
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{kind} ({schema['format']})" if schema.get("format") else str(kind)


def _anchor(method: str, path: str) -> str:
    return f"{method.lower()}{path}".replace("/", "-").replace("{", "").replace("}", "").replace(":path", "")


def _first(operation: dict[str, Any]) -> str:
    return _cell(operation.get("description", "").strip().partition("\n\n")[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _file(noun: str) -> str:
    return f"{noun.replace(' ', '-')}.md"
