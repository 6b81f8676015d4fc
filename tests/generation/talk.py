"""Small steps that the tests of a generator share."""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable

from memos.generation.port import Finished, GenerateRequest, Generator, StateRef, Token

_TURNS = re.compile(r"\[([^\]]*)\]")


async def start_ref(generator: Generator) -> StateRef:
    identity = await generator.identity()
    return StateRef(identity.fingerprint, identity.start_sha256)


async def told(generator: Generator, *texts: str) -> StateRef:
    """A state that has seen these turns."""
    ref = await start_ref(generator)
    for text in texts:
        key = f"states/{uuid.uuid4().hex}"
        made = await generator.advance(ref, text, f"answer to {text}", key)
        ref = StateRef(ref.fingerprint, made.sha256, key)
    return ref


async def answer(generator: Generator, ref: StateRef, text: str, **options: object) -> tuple[str, Finished]:
    items = [item async for item in generator.generate(GenerateRequest(ref, text, **options))]  # type: ignore[arg-type]
    *tokens, finished = items
    assert isinstance(finished, Finished)
    assert all(isinstance(token, Token) for token in tokens)
    assert len(tokens) <= finished.completion_tokens  # a piece of text may be several tokens
    return "".join(token.text for token in tokens if isinstance(token, Token)), finished


def turns_in(answered: str) -> list[str]:
    """The fingerprints that an echo answer lists."""
    found = _TURNS.search(answered)
    assert found is not None, answered
    return [item.split(":")[1] for item in found[1].split() if ":" in item]


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 15.0) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not await check():
        assert asyncio.get_running_loop().time() < deadline, "did not happen in time"
        await asyncio.sleep(0.02)
