"""What can stand in the way of a conversation that is nobody's mistake in the request itself."""

from memos.kit.errors import Unavailable


class UnderErasure(Unavailable):
    """Something of this conversation is being erased."""

    code = "under_erasure"
    hint = "Send the request again as Retry-After says; the conversation goes on without what is being erased."
    retry_after_s = 1.0
