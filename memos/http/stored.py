"""Answers that are bytes already: stored ones go out again exactly as they were (P2)."""

from fastapi import Response

from memos.idempotency.service import StoredAnswer


def stored_response(answer: StoredAnswer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
