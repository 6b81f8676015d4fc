"""Drives any call of the OpenAPI document as the tests of two tenants do."""

from typing import Any

import httpx2

from tests.isolation import test_tenants as driven

HEADERS = {"If-Match": '"1"'}  # for calls that want it; the others pass over it


def drive(client: httpx2.Client, call: str, ids: dict[str, str] | None, **headers: str) -> httpx2.Response:
    """With these ids in the path, or with ids that nothing has."""
    method, path = call.split(" ")
    address = driven._unknown(path.replace("{user_id}", "the-same-user")) if ids is None else path.format(
        **ids, number=1, user_id="the-same-user"
    )  # fmt: skip
    sent: dict[str, Any] = {"content": driven.RAW[call]} if call in driven.RAW else {"json": driven.BODIES[call]}
    return client.request(method, address, **sent, params=driven.QUERIES.get(call), headers=HEADERS | headers)
