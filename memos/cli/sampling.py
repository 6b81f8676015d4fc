"""How an answer is drawn: the options that `ask` and `chat` share."""

from typing import Annotated, TypedDict

import typer

MaxTokens = Annotated[int | None, typer.Option("--max-tokens", min=1, help="Longest answer, in tokens.")]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0, help="0 is greedy.")]
TopK = Annotated[int | None, typer.Option("--top-k", min=1, help="Draw from the so many likeliest tokens only.")]
TopP = Annotated[
    float | None, typer.Option("--top-p", min=0, max=1, help="Draw from the likeliest of this probability.")
]
Stop = Annotated[list[str] | None, typer.Option("--stop", help="End the answer before this text; up to 4 times.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Makes a temperature above 0 repeatable.")]


class Drawing(TypedDict, total=False):
    """Arguments of `client.turns.create`; what is None is left to the service."""

    max_tokens: int | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    stop: list[str] | None
    seed: int | None
