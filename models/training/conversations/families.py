"""All families of facts, in the order in which they are compiled."""

from models.training.conversations.activities import ALLERGY, DESTINATION, DRIVES, LEARNS, PLAYS
from models.training.conversations.facts import LIKED, NAMED, PROPERTY, SELF
from models.training.conversations.more_facts import AGE, BIRTHDAY, JOB, LIVES, ORIGIN, WORKPLACE
from models.training.conversations.notation import Family
from models.training.conversations.people import THEY_AGE, THEY_BORN, THEY_LIKE, THEY_LIVE, THEY_WORK
from models.training.conversations.things import BARE, COUNTED, LISTED, PLACED, WHEN

FAMILIES: tuple[Family, ...] = (
    NAMED, SELF, LIKED, PROPERTY, LIVES, ORIGIN, WORKPLACE, JOB, BIRTHDAY, AGE, DRIVES, LEARNS, PLAYS, ALLERGY,
    DESTINATION, WHEN, PLACED, COUNTED, THEY_LIVE, THEY_WORK, THEY_LIKE, THEY_BORN, THEY_AGE, LISTED, BARE,
)  # fmt: skip
