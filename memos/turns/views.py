"""Turns as the API shows them, from rows."""

from sqlalchemy import RowMapping

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
