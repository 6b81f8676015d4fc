"""What is refused of a chat request that other services would take.

Unsupported     400  a field or a content that would change the answer, and that nothing here can honour
NoUserMessage   400  there is nothing to answer
UnknownModel    404  another model than the one that serves
"""

from memos.kit.errors import BadRequest, NotFound


class Unsupported(BadRequest):
    """This field changes what the answer has to be, and is not supported."""

    code = "unsupported"
    hint = "Leave the field out. Which fields are used, ignored and refused stands in docs/openai.md."


class NoUserMessage(BadRequest):
    """The last message has to be the user's, with text."""

    code = "no_user_message"
    hint = "End `messages` with a message of role `user`; only system messages may follow it."


class UnknownModel(NotFound):
    """There is no such model here."""

    code = "model_not_found"
    hint = "Use an id that GET /v1/models lists; `memos` is always one."
