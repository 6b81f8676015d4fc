"""What a drawn dialogue is made of, and the plan that says what it should look like."""

from dataclasses import dataclass

from models.training.conversations.compile import FactPatterns

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One interaction as token ids, and which answer tokens carry a value.

    `kind` labels probes in evaluations: fact, key (an unknown word as key), corrected, first, list, owner, abstain,
    who, who abstain, together, snippet (only a snippet has it), snippet own (the conversation has it), snippet
    abstain, told, chat. `snippets` are recalled lines that stand in the prompt before what is said.
    """

    said: Ids
    answer: Ids
    values: Ids = ()
    kind: str = "chat"
    snippets: tuple[Ids, ...] = ()


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a fact is: what stands for "my" and "your" before the key, and for OO."""

    mine: Ids
    yours: Ids
    subject: Ids = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """What is told, apart from its value. `other`: it is not the speaker's own. `name`: its key is a name."""

    patterns: FactPatterns
    key: Ids
    owner: Owner
    other: bool = False
    name: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dialogue should look like. Shares and probabilities in 0..1."""

    turns: int
    facts: int
    probes: int
    one_family: float = 0.45
    corrections: float = 0.3
    asked: float = 0.6  # share of the probes that ask for a told fact
    unseen: bool = False  # draw from the held-out phrasings
    plain: bool = False  # evaluation: no wrappers around phrasings, ideal answers in the past
    test_words: bool = False  # known values and keys only from those that training never has
    known_value: float = 0.15
    long_value: float = 0.25
    untold: float = 0.27  # share of the other probes that ask for what was never told
    near: float = 0.75  # share of the untold facts that resemble a told one
    flatten: float = 1.0  # exponent on the families' weights: below 1, rare families come more often
    questions: float = 0.12  # share of the turns, besides those that tell a fact, that ask for one
    joined: float = 0.08  # share of the facts told together with the next one, in one message
    first_weight: float = 1.0  # of an answer's first token, which decides between answering and "I don't know"
    blank: float = 0.0  # share of the dialogues that have not begun: probes meet the start state
    empty_answers: float = 0.0  # more of them, as recalled texts have no answer
    unknown_keys: float = 0.15  # share of the keys that are unknown words, besides dialogues made of such
    owners: float = 0.12  # share of the dialogues about several people
    lists: float = 0.07  # share of the dialogues with a list to repeat
    first: float = 0.04  # share of the probes that ask for the value before all corrections
    snippets: float = 0.1  # share of the probes whose prompt has recalled lines
    noise: float = 0.06  # share of the messages with a word dropped, replaced or put in; a sixth of it where plain
    framed: float = 0.4  # share of the messages about facts that are composed from a frame and a core
