"""Archives over REST."""

from typing import Annotated

from pydantic import Field, StringConstraints

from memos.kit.schema import Answer, Body, UserId, shown

CubeId = Annotated[str, StringConstraints(pattern=r"^cube_[0-9a-f]{32}$")]
ConversationId = Annotated[str, StringConstraints(pattern=r"^conv_[0-9a-f]{32}$")]


class ExportCubes(Body):
    cube_ids: Annotated[list[CubeId], Field(min_length=1, max_length=1000)]


class ExportConversation(Body):
    conversation_id: ConversationId = Field(description="With the conversations that it was forked from.")


class ExportUser(Body):
    model_config = shown({"user_id": "ada"})

    user_id: UserId = Field(description="Everything of this user: conversations, and cubes of every kind.")


ExportRequest = ExportUser | ExportConversation | ExportCubes


class Renamed(Answer):
    """Something of the archive, and what it is here."""

    archived_id: str
    id: str


class ImportedArchive(Answer):
    archive_sha256: str = Field(description="Of the archive's manifest, and so of all that is in it.")
    format_version: int
    conversations: list[Renamed]
    cubes: list[Renamed]
    versions: int
    turns: int
    payloads: int
    payload_bytes: int
    left_out: int = Field(description="Versions of which the archive holds the place only: they were erased.")
