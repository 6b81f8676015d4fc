"""What the machine of memory_os remembers: cubes and conversations as plain values."""

from dataclasses import dataclass, field

from memos.kernel.lifecycle import LIVE, Lifecycle


@dataclass
class Memory:
    """One cube as the dictionary has it. `texts` are its versions, the newest last; a state made of a text has the
    pieces that it took in instead, and a conversation's has a conversation."""

    id: str
    kind: str
    texts: list[str] = field(default_factory=list)
    lifecycle: Lifecycle = "activated"
    frozen: bool = False
    came_from: set[tuple[str, str]] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    source: str = ""  # what a state that was converted is the words of

    @property
    def changes(self) -> bool:
        return not self.frozen and self.lifecycle in LIVE

    def refusal(self) -> str:
        return "cube_frozen" if self.frozen else "cube_not_live"


@dataclass(frozen=True)
class Taken:
    """A turn, and the cube that took it in: a fork's line begins with what its forebears took in."""

    seq: int
    text: str
    output: str
    by: str


@dataclass
class Talk:
    """One conversation: its line of turns, and the memory that is its state. `root` is where the line begins; `fresh`:
    the newest version is the one that took its last turn in."""

    id: str
    state: Memory
    root: str
    line: list[Taken] = field(default_factory=list)
    next_seq: int = 1
    fresh: bool = False

    def texts(self) -> list[str]:
        return [turn.text for turn in self.line]

    def take(self, text: str, output: str) -> None:
        self.line.append(Taken(self.next_seq, text, output, self.state.id))
        self.next_seq += 1
        self.fresh = True
