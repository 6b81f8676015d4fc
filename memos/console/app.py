"""Puts the console into the API's app."""

from fastapi import FastAPI

from memos.console.pages import Console
from memos.console.routes import (
    chat,
    cubes,
    deeds,
    entrance,
    erasures,
    history,
    overview,
    people,
    rules,
    search,
    work,
)
from memos.console.session import Sessions
from memos.runtime import Runtime


def install(app: FastAPI, runtime: Runtime) -> None:
    app.state.console = Console(Sessions(runtime.keys.digest_of))
    for module in (entrance, overview, people, history, cubes, deeds, erasures, work, rules, search, chat):
        app.include_router(module.router)
    app.include_router(entrance.elsewhere)  # last: what no other address is
