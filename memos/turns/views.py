"""Turns as the API shows them, from rows and from those that have just been answered."""

from sqlalchemy import RowMapping

from memos.generation.port import Finished
from memos.turns.run import TurnRun
from memos.turns.schemas import ReadMemory, Turn, TurnMemory, Usage


def turn_view(row: RowMapping, read: list[ReadMemory] | None = None) -> Turn:
    usage = None
    if row["completion_tokens"] is not None:
        usage = Usage(prompt_tokens=row["prompt_tokens"], completion_tokens=row["completion_tokens"])
    return Turn(
        id=row["id"],
        conversation_id=row["conversation_id"],
        seq=row["seq"],
        status=row["status"],
        input=row["input"],
        output=row["output"],
        finish_reason=row["finish_reason"],
        memory=TurnMemory(
            read=read or [],
            state_version=row["base_number"],
            recall=(row["recall"] or {}).get("how"),
            recall_error=(row["recall"] or {}).get("error"),
            lag=row["lag"],
            written_version=row["written_number"],
        ),
        usage=usage,
        timings_ms=row["timings_ms"],
        created_at=row["created_at"],
        error=row["error"],
    )


def read_views(rows: list[RowMapping]) -> list[ReadMemory]:
    """What recall gave the answer: plaintext only; the state it read is `state_version`."""
    return [
        ReadMemory(cube_id=row["cube_id"], version=row["number"], text=row["text"], score=row["score"])
        for row in rows
        if row["kind"] == "plaintext"
    ]


def answered_view(run: TurnRun, base: RowMapping | None, output: str, finish: Finished) -> Turn:
    return Turn(
        id=run.turn_id,
        conversation_id=run.conversation_id,
        seq=run.seq,
        status="cancelled" if finish.reason == "cancelled" else "answered",
        input=run.wanted.input,
        output=output,
        finish_reason=finish.reason,
        memory=TurnMemory(
            read=[
                ReadMemory(cube_id=hit.item.cube_id, version=hit.item.version, text=hit.item.text, score=hit.score)
                for hit in run.recalled.by_relevance
            ],
            recall=run.recalled.how,
            recall_error=run.recalled.error,
            state_version=base["number"] if base is not None else None,
            lag=base["behind"] if base is not None else None,
        ),
        usage=Usage(prompt_tokens=finish.prompt_tokens, completion_tokens=finish.completion_tokens),
        timings_ms=run.timings.phases,
        created_at=run.created_at,
    )
