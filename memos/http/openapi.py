"""The OpenAPI document, made true: what FastAPI cannot know of the problem documents is added here."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from memos.kit.schema import Problem

SCHEMAS = "#/components/schemas/"


def methods_of(app: FastAPI, path: str) -> set[str]:
    """The methods that a path takes, for `Allow`."""
    paths = app.openapi()["paths"]
    # What is documented under its own name is not a parameter of another path.
    templates = [path] if path in paths else [template for template in paths if _matches(template, path)]
    found = [set(paths[template]) for template in templates]
    return {method.upper() for methods in found for method in methods} or {"GET", "HEAD"}


def undocumented_method(app: FastAPI, path: str, method: str) -> bool:
    """Whether a path is documented under its own name, and without this method: `PATCH /v1/cubes/merge`, which would
    otherwise be taken for a cube called merge."""
    operations = app.openapi()["paths"].get(path)
    return operations is not None and method.lower() not in operations


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path) is not None


def _headers_hold_text(parameters: list[dict[str, Any]]) -> None:
    """A header may be left out and is never null, whatever the type of its default says."""
    for parameter in parameters:
        schema = parameter["schema"]
        if parameter["in"] == "header" and "anyOf" in schema:
            kinds = [kind for kind in schema.pop("anyOf") if kind != {"type": "null"}]
            schema |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


def install(app: FastAPI) -> None:
    generate: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        made = generate()  # the same object every time: made once
        made["components"]["schemas"].setdefault("Problem", Problem.model_json_schema(ref_template=SCHEMAS + "{model}"))
        for operations in made["paths"].values():
            for operation in operations.values():
                _headers_hold_text(operation.get("parameters", []))
        return made

    app.openapi = document  # type: ignore[method-assign]
