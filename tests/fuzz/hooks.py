"""What the fuzzer is told of this service. Loaded by schemathesis in its own process, from the environment.

Two checks replace its own where a JSON Schema cannot say what the contract says, and are otherwise the same:

* Data that fits the schema may be refused for what it means: a cursor of another list, a key used for something else,
  a moment so early or late that a time zone moves it out of the calendar, or that is still to come. Nor is the null
  of an answer (a cube without a conversation) an id, which the stateful phase makes a path of.
* A 503 is a server error, except `memory_behind` for a `min_version` that does not come: that is what was asked for.

The key that the fuzzer uses must outlive its own `DELETE /v1/keys/{key_id}`: that one id is not sent.
"""

import itertools
import os
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import positive_data_acceptance

LOG = Path(os.environ["MEMOS_FUZZ_LOG"])
OWN_KEY = os.environ["MEMOS_FUZZ_KEY_ID"]
CUBES = os.environ["MEMOS_FUZZ_CUBES"].split()
LESSON, LEARNER = os.environ["MEMOS_FUZZ_LESSON"].split()  # a cube that nothing merges, and whose it is
OTHER_CONVERSATION = os.environ["MEMOS_FUZZ_OTHER"]
CONVERSATION_ID = re.compile(r"conv_[0-9a-f]{32}")
CUBE_ID = re.compile(r"cube_[0-9a-f]{32}")
ARCHIVE = (Path(__file__).parents[1] / "data" / "archive-v1.memos.zip").read_bytes()
REFUSED_BY_MEANING = (
    "bad_cursor", "idempotency_key_reused", "limited_admin", "in_the_future", "system_time_only", "owner_missing",
    "unsupported", "no_user_message", "valid_to_before_valid_from", "named_twice", "delta_owner",
    "nothing_named", "not_learnable", "text_or_messages", "no_direction", "bad_filter", "wrong_dimensions",
)  # fmt: skip
IMPORTS = itertools.count()
NO_ARCHIVE = ("archive_unreadable", "archive_tampered")
OUT_OF_CALENDAR = "must lie between the years"
OPENAI = ("/v1/chat/", "/v1/models")
NOT_A_PROBLEM = ("GET /readyz",)  # says in its own words what is not ready


def _code(response: Any) -> str:
    if response.status_code >= 400 and any(path in response.request.url for path in OPENAI):  # a shape of their own
        return str(response.json()["error"]["code"])
    if "problem+json" not in "".join(response.headers.get("content-type", [])):
        return ""
    return str(response.json()["code"])


@schemathesis.check
def data_that_fits_is_accepted(ctx: Any, response: Any, case: Any) -> bool | None:
    if response.status_code in (400, 422):
        if _code(response) in (*REFUSED_BY_MEANING, *NO_ARCHIVE) or OUT_OF_CALENDAR in response.text:
            return None
        if "None" in map(str, (case.path_parameters or {}).values()):
            return None
        # Headers whose type was mutated are sent as text, and then counted as data that fit.
        named = (case.headers or {}).get("X-Memos-Conversation")
        if named is not None and not CONVERSATION_ID.fullmatch(str(named)):
            return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def no_server_error(ctx: Any, response: Any, case: Any) -> bool | None:
    asked = isinstance(case.body, dict) and case.body.get("min_version")
    if asked and response.status_code == 503 and _code(response) == "memory_behind":
        assert response.headers["retry-after"]
        return None
    return not_a_server_error(ctx, response, case)


@schemathesis.check
def refusals_say_what_to_change(ctx: Any, response: Any, case: Any) -> None:
    if response.status_code < 400 or case.operation.label in NOT_A_PROBLEM:
        return
    assert _code(response), f"a {response.status_code} that is no problem document"
    body = response.json()
    if "error" in body:  # in OpenAI's shape
        assert body["error"]["message"]
        return
    assert body["status"] == response.status_code
    assert body["hint"]
    assert body["detail"]
    assert body["request_id"]


def _learnable(body: dict[str, Any]) -> None:
    """No schema says which cubes there are, and whose."""
    named = body.get("cube_ids")
    if isinstance(named, list) and len(named) == 1 and CUBE_ID.fullmatch(str(named[0])):
        body.update(cube_ids=[LESSON], user_id=LEARNER)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if case.operation.label == "POST /v1/cubes/import" and case.method == "POST" and next(IMPORTS) % 3 == 0:
        case.body = ARCHIVE  # no chance makes one
        case.query = {}  # nor is another user's name what is looked for here
    if case.path_parameters and case.path_parameters.get("key_id") == OWN_KEY:
        case.path_parameters["key_id"] = f"key_{'0' * 32}"
    if case.operation.label == "POST /v1/deltas" and isinstance(case.body, dict) and "user_id" in case.body:
        _learnable(case.body)
    if case.operation.label == "POST /v1/erasures" and isinstance(case.body, dict):
        if CONVERSATION_ID.fullmatch(str(case.body.get("conversation_id"))):
            case.body.update(conversation_id=OTHER_CONVERSATION, dry_run=True)  # no chance names one; it is needed
    if case.operation.label.endswith("/merge") and isinstance(case.body, dict):
        if CONVERSATION_ID.fullmatch(str(case.body.get("from_conversation_id"))):
            case.body["from_conversation_id"] = OTHER_CONVERSATION  # no chance names one
    named = case.body.get("cube_ids") if isinstance(case.body, dict) else None
    if isinstance(named, list) and len(named) > 1 and all(CUBE_ID.fullmatch(str(one)) for one in named):
        case.body["cube_ids"] = CUBES  # no schema says which cubes there are


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    with LOG.open("a") as log:
        log.write(f"{response.status_code} {case.method} {case.operation.label}\n")
