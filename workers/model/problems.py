"""Errors as answers: the problem document of the error tree, with its status and Retry-After."""

import math
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from memos.generation.wire import FINGERPRINT_HEADER, problem_of
from memos.kit.errors import Invalid, MemosError


def problem_response(error: MemosError, headers: Mapping[str, str]) -> JSONResponse:
    own = {FINGERPRINT_HEADER: headers[FINGERPRINT_HEADER]} if FINGERPRINT_HEADER in headers else {}
    if error.retry_after_s is not None:
        own["retry-after"] = str(math.ceil(error.retry_after_s))
    return JSONResponse(problem_of(error), error.status, own, media_type="application/problem+json")


def internal(error: Exception) -> MemosError:
    """A failure of our own. Its message may quote memory text, so only its kind leaves the process."""
    return MemosError(f"the model worker failed on this request ({type(error).__name__})")


def invalid(error: RequestValidationError) -> Invalid:
    """Names each wrong field, without the value that was sent."""
    wrong: list[dict[str, Any]] = list(error.errors())
    return Invalid("; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in wrong))
