"""Who may find what: the rule of `memos.kernel.access`, as a filter over an index that holds more than the asker sees.

A search is for somebody: a user, an agent, a user through an agent. The application may ask for anybody of its tenant,
and finds what that one would, but for what is secret; an admin finds that too. Of what is not theirs, whoever asks gets
what the whole tenant may read and what is granted, which the database lists (`memos.memories.store.look`).
"""

from dataclasses import dataclass

from memos.kernel.access import Actor
from memos.kit.unit_of_work import NotYours
from memos.recall.items import Item


@dataclass(frozen=True, slots=True)
class Viewer:
    """For whom a search is. With neither user nor agent it is for the tenant itself."""

    user_id: str | None
    agent_id: str | None
    roles: tuple[str, ...] = ()
    secrets: bool = True  # whether their own secret memories are found

    @property
    def nobody(self) -> bool:
        return self.user_id is None and self.agent_id is None


def viewer_of(actor: Actor, user_id: str | None, agent_id: str | None) -> Viewer:
    """Whoever is limited to a user or an agent sees as that one: raises NotYours if another is asked for."""
    if actor.kind == "person":
        asked, limits = (user_id, agent_id), (actor.user_id, actor.agent_id)
        if any(name is not None and name != limit for name, limit in zip(asked, limits, strict=True)):
            raise NotYours("you search what you may see yourself")
        return Viewer(actor.user_id, actor.agent_id, tuple(sorted(actor.roles)))
    return Viewer(user_id, agent_id, secrets=actor.kind != "application")


@dataclass(frozen=True, slots=True)
class Own:
    """Of the viewer's own scope."""

    agent_id: str | None
    secrets: bool

    def matches(self, item: Item) -> bool:
        through = self.agent_id is None or item.agent_id in (None, self.agent_id)
        return through and (self.secrets or item.sensitivity != "secret")


@dataclass(frozen=True, slots=True)
class OfAll:
    """Of what belongs to nobody. `everything`: for the tenant itself, also what is only granted to some."""

    everything: bool
    secrets: bool

    def matches(self, item: Item) -> bool:
        if item.sensitivity == "secret":
            return self.everything and self.secrets
        return self.everything or item.visibility == "tenant"
