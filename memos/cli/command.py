"""`@command(app)`: a function that takes a Session becomes a command with the options that all commands share."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memos.cli.session import Session, reported

Url = Annotated[
    str | None, typer.Option("--url", help="Address of the service; else MEMOS_URL, else the embedded one.")
]
ApiKey = Annotated[str | None, typer.Option("--key", help="API key; else MEMOS_API_KEY, else DATA_DIR/admin.key.")]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the embedded service; else MEMOS_DATA_DIR, ./memos-data.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]

SHARED = [
    inspect.Parameter("url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Url),
    inspect.Parameter("api_key", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ApiKey),
    inspect.Parameter("data_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataDir),
    inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=AsJson),
]


def command(
    app: typer.Typer, name: str | None = None, *, group: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Registers `run(session, ...)` on `app`. With `group`, it is what a sub-application does by itself."""

    def register(run: Callable[..., None]) -> Callable[..., None]:
        wrapped = _with_shared_options(run, group=group)
        if group:
            app.callback(invoke_without_command=True)(wrapped)
        else:
            app.command(name or run.__name__.replace("_", "-"))(wrapped)
        return run

    return register


def _with_shared_options(run: Callable[..., None], *, group: bool) -> Callable[..., None]:
    def wrapped(**given: Any) -> None:
        context: typer.Context | None = given.pop("context", None)
        if context is not None and context.invoked_subcommand is not None:
            return
        session = Session(*(given.pop(shared.name) for shared in SHARED))
        with reported(session):
            run(session, **given)

    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in list(inspect.signature(run).parameters.values())[1:]
    ]
    if group:
        own.insert(0, inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    parameters = [*own, *SHARED]
    wrapped.__name__ = run.__name__
    wrapped.__doc__ = run.__doc__
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return wrapped
