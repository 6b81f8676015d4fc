"""From a Call to an HTTP request, and from an HTTP answer to a value or an error. Shared by both clients."""

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from memos.sdk._address import Address
from memos.sdk._calls import Call
from memos.sdk.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    MemosError,
    NotConfiguredError,
    _from_problem,
)

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
CONNECT_TIMEOUT_S = 5.0
EXTENDED = "utf-8''"


def client_options(address: Address, timeout_s: float, acting: Mapping[str, str | None]) -> dict[str, Any]:
    """What both HTTP clients are made with. `acting`: headers that say on whose behalf."""
    from importlib.metadata import version

    import httpx2

    headers = {"User-Agent": f"memos-sdk/{version('memos')}", "Accept": "application/json, text/event-stream"}
    if address.api_key is not None:
        if not (address.api_key.isascii() and address.api_key.isprintable()):
            raise NotConfiguredError(
                f"the API key (from {address.api_key_from}) holds characters that no key has",
                hint="Copy the key again; it begins with mk_.",
            )
        headers["Authorization"] = f"Bearer {address.api_key}"
    headers |= {name: _header(value) for name, value in acting.items() if value is not None}
    return {
        "base_url": address.url,
        "headers": headers,
        "timeout": httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        "follow_redirects": False,
    }


def _header(value: str) -> str:
    """An id as a header can hold it: as it is, or percent-encoded as in RFC 8187."""
    told = value.isascii() and value.isprintable() and value == value.strip() and value != ""
    return value if told and not value.lower().startswith(EXTENDED) else EXTENDED + quote(value, safe="")


def request_options(call: Call[Any], address: Address) -> dict[str, Any]:
    """The arguments of `client.request` and `client.stream`."""
    if call.needs_key and address.api_key is None:
        raise NotConfiguredError(
            f"no API key for {address.url} was found",
            hint="Set MEMOS_API_KEY; the embedded service's key is in DATA_DIR/admin.key.",
        )
    headers = dict(call.headers)
    if call.idempotency_key is not None:
        headers["Idempotency-Key"] = call.idempotency_key
    options: dict[str, Any] = {"method": call.method, "url": call.path, "params": dict(call.params), "headers": headers}
    if call.body is not None:
        headers["Content-Type"] = "application/json"
        options["content"] = _encode(call.body)
    elif call.content is not None:
        headers["Content-Type"] = "application/octet-stream"
        options["content"] = call.content
    return options


def succeeded(call: Call[Any], response: "httpx2.Response") -> "httpx2.Response":
    """A response whose body has been read; raises the error that it stands for."""
    if response.is_success or response.status_code in call.answers:
        return response
    raise status_error(response)


def read_answer(call: Call[T], response: "httpx2.Response") -> T:
    """The value of a response that succeeded."""
    return call.read(response.content)


def status_error(response: "httpx2.Response") -> APIStatusError:
    """The error of a response whose body has been read."""
    try:
        problem = json.loads(response.content)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        # Not ours: a proxy's page, or another program on that port.
        problem = {"detail": f"the service answered {response.status_code} without a problem document"}
    return _from_problem(
        response.status_code,
        problem,
        request_id=response.headers.get("X-Request-Id"),
        retry_after_s=retry_after_s(response.headers.get("Retry-After")),
    )


def connection_error(call: Call[Any], address: Address, error: "httpx2.RequestError") -> APIConnectionError:
    import httpx2

    what = f"{call.method} {address.url}{call.path}: {str(error) or type(error).__name__}"
    timed_out = isinstance(error, httpx2.TimeoutException)
    kind, saying = (APITimeoutError, "no answer in time to") if timed_out else (APIConnectionError, "no answer to")
    # Only what the service remembers makes asking again safe.
    made = kind(f"{saying} {what}", idempotency_key=call.idempotency_key if call.once else None)
    made._sent = not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    return made


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait, from either form of Retry-After; None when absent or senseless."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass  # then it is a date, or nothing we know
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _encode(body: Any) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise MemosError(
            f"the request cannot be sent as JSON: {error}",
            code="not_json",
            hint="Text must be valid Unicode, and metadata must hold only JSON values.",
        ) from error
