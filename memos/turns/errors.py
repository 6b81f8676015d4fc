"""What can go wrong with a turn that is nobody's mistake in the request itself.

MemoryBehind  503  `latest` waited as long as it may
LeaseLapsed   503  whoever was answering went silent, and the turn was failed
TurnLost      409  a rollback left the turn behind while it was being answered
TurnEnded     409  there is nothing left to cancel
"""

from memos.kit.errors import Conflict, Unavailable


class MemoryBehind(Unavailable):
    """The memory has not caught up with the conversation yet."""

    code = "memory_behind"
    hint = "Try again as Retry-After says, or send consistency=eventual to answer from the memory as it is."
    retry_after_s = 2.0


class LeaseLapsed(Unavailable):
    """The process that was answering this turn went silent."""

    code = "lease_lapsed"
    hint = "Send the input again; the same Idempotency-Key may be used."


class TurnLost(Conflict):
    """A rollback left the turn behind while it was being answered."""

    code = "turn_superseded"
    hint = "Read the conversation's turns, then send the input again if it still makes sense."


class TurnEnded(Conflict):
    """The turn has already ended."""

    code = "turn_ended"
    hint = "Only a turn that is still being answered can be cancelled; roll the conversation back to undo it."


class StillStopping(Unavailable):
    """The turn was asked to stop and has not stopped yet."""

    code = "still_stopping"
    hint = "Ask again as Retry-After says: it stops when its process answers, or when its lease runs out."
