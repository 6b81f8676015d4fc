"""What a turn recalls before it is answered. It is looked for while the turn's state is being pinned; no transaction of
the turn is open meanwhile.

Recall never fails a turn, and never fails silently: what went wrong stands in the turn's `memory`, and in the log.
Without the embedder words alone decide (`words`); without an answer in time there is none (`failed`).
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from memos.generation.port import ModelIdentity
from memos.generation.prompting import note_of
from memos.kit.config import Settings
from memos.kit.errors import MemosError
from memos.kit.metrics import Metrics
from memos.memories.sight import Viewer
from memos.recall.query import Asked, Hit
from memos.turns.choosing import MORE, chosen, not_overruled
from memos.turns.schemas import RecallHow

LOG = structlog.get_logger(__name__)


class Found(Protocol):
    """What a search found: the best first. `embedded`: meaning was compared, and not words alone."""

    @property
    def hits(self) -> Sequence[Hit]: ...
    @property
    def embedded(self) -> bool: ...
    @property
    def revision(self) -> int: ...


class Searches(Protocol):
    """As `memos.memories.service.RecallService` does."""

    async def search(
        self,
        tenant_id: str,
        *,
        user_id: str | None,
        agent_id: str | None,
        asked: Asked,
        roles: Sequence[str],
        secrets: bool,
    ) -> Found: ...


@dataclass(frozen=True, slots=True)
class Recalled:
    """What goes into an answer, the newest first. `error`: the code of what kept it from being more."""

    how: RecallHow
    hits: tuple[Hit, ...] = ()
    error: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(hit.item.text for hit in self.hits)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(note_of(hit.item.at, hit.item.speaker) for hit in self.hits)

    @property
    def by_relevance(self) -> list[Hit]:
        return sorted(self.hits, key=lambda hit: hit.rank)

    @property
    def reads(self) -> list[dict[str, Any]]:
        """As the turn's reads are kept: ranks count from 1, by relevance."""
        return [
            {"version_id": hit.item.version_id, "rank": rank, "score": hit.score, "signals": dict(hit.signals)}
            for rank, hit in enumerate(self.by_relevance, 1)
        ]

    @property
    def cube_ids(self) -> list[str]:
        return [hit.item.cube_id for hit in self.hits]

    @property
    def record(self) -> dict[str, Any]:
        """As the turn keeps it: codes of ours and no words."""
        return {"how": self.how, "error": self.error}


OFF = Recalled("off")


class TurnRecall:
    """`searches` None: this service recalls nothing."""

    def __init__(self, searches: Searches | None, metrics: Metrics, settings: Settings) -> None:
        self._searches = searches
        self._metrics = metrics
        self._settings = settings

    async def recall(
        self, tenant_id: str, viewer: Viewer, *, question: str, top_k: int, own: Collection[str] | None = None
    ) -> Recalled:
        """`own`: the conversations whose later words overrule what is recalled (`choosing.not_overruled`); None: the
        generator sees for itself. Raises nothing but cancellation."""
        if self._searches is None or top_k == 0:
            return OFF
        began = time.perf_counter()
        asked = Asked(
            text=question,
            top_k=top_k * MORE,
            threshold=self._settings.recall_threshold,
            now=time.time(),
            explain=True,
        )
        try:
            async with asyncio.timeout(self._settings.recall_wait_s):
                found = await self._searches.search(
                    tenant_id,
                    user_id=viewer.user_id,
                    agent_id=viewer.agent_id,
                    asked=asked,
                    roles=viewer.roles,
                    secrets=viewer.secrets,
                )
        except TimeoutError:
            LOG.warning("turn.recall_failed", code="recall_timeout", waited_s=self._settings.recall_wait_s)
            return Recalled("failed", error="recall_timeout")
        except MemosError as error:
            LOG.warning("turn.recall_failed", code=error.code, reason=error.message)
            return Recalled("failed", error=error.code)
        except Exception:
            LOG.exception("turn.recall_failed")
            return Recalled("failed", error=MemosError.code)
        finally:
            self._metrics.recalled("turn", time.perf_counter() - began)
        among = found.hits if own is None else not_overruled(found.hits, question, own)
        hits = chosen(among, question, top_k=top_k, most_tokens=self._settings.recall_tokens)
        if found.embedded:
            return Recalled("hybrid", tuple(hits))
        return Recalled("words", tuple(hits), error="not_embedded")


def own_words(model: ModelIdentity, conversation_id: str, parent_id: str | None) -> frozenset[str] | None:
    """The conversations whose later words overrule what is recalled, for a model that reads texts into memory slots.
    None for one that is given a prompt: it sees who said what, and when."""
    if "reading" not in model.details:
        return None
    return frozenset({conversation_id} if parent_id is None else {conversation_id, parent_id})
