"""The first start of an embedded service: one tenant, one admin key, in a file only its owner can read."""

import asyncio
import os
from pathlib import Path

from memos.keys.schemas import TenantCreate
from memos.keys.service import KeyService
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import StartupError


def secret_bytes(settings: Settings) -> bytes:
    """What keys the digests of API keys; raises StartupError when it is not set."""
    if settings.secret is None or len(settings.secret.get_secret_value()) < 32:
        raise StartupError(
            "MEMOS_SECRET is not set, or is shorter than 32 characters",
            hint='Set it to a random value: python3 -c "import secrets; print(secrets.token_hex(32))".',
        )
    return settings.secret.get_secret_value().encode()


def ensure_admin_key(settings: Settings, path: Path) -> str:
    """The admin key in `path`; made, with its tenant, if the file is not there."""
    if path.exists():
        return path.read_text().strip()
    key = asyncio.run(_first_key(settings))
    _write_private(path, key)
    return key


async def _first_key(settings: Settings) -> str:
    if settings.database_url is None:
        raise StartupError("no database to keep keys in")
    database = Database(settings.database_url, pool_size=2)
    try:
        service = KeyService(database, secret_bytes(settings))
        made = await service.create_tenant(TenantCreate(name="default"), scopes=["operator", "admin"])
        return made.admin_key.key
    finally:
        await database.aclose()


def _write_private(path: Path, text: str) -> None:
    """Whole or not at all, and never readable by others, not even for a moment."""
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, (text + "\n").encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
