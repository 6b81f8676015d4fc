"""`memos chat` and `memos ask`: turns from the terminal, the answer as it is made.

Chat also reads lines from a pipe; there the first error ends it with exit code 1, while at a terminal one may go on.
"""

import shlex
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from memos.cli.history import forked, newest_turns, rolled_back, seq_of
from memos.cli.sampling import Drawing, MaxTokens, Seed, Stop, Temperature, TopK, TopP
from memos.cli.session import Session, printable

if TYPE_CHECKING:
    from memos.sdk import Turn

ConversationOption = Annotated[
    str | None, typer.Option("--conversation", help="Go on with this conversation; else a new one begins.")
]
UserOption = Annotated[str, typer.Option("--user", help="Whose conversation a new one is.")]
TURNS_SHOWN = 20
HELP = """\
/help              this list
/turns             the newest turns of the conversation
/rollback TURN     take the memory back to just after that turn
/fork [TURN]       go on in a new conversation that begins after that turn (else: after the newest)
/explain [TURN]    which memory the answer of that turn (else: of the newest) came from
/quit              leave; so does the end of the input"""


def ask(
    session: Session,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")],
    conversation: ConversationOption = None,
    user: UserOption = "me",
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    stop: Stop = None,
    seed: Seed = None,
) -> None:
    """Takes one turn and prints the answer. Says on stderr which conversation it was, to go on with."""
    conversation_id = conversation or session.client.conversations.create(user).id
    drawing = Drawing(
        max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop or None, seed=seed
    )
    turn = answer(session, conversation_id, text, drawing)
    if session.as_json:
        session.emit_json(turn)
    elif conversation is None:
        session.say(f"(conversation {conversation_id})")


def chat(
    session: Session,
    conversation: ConversationOption = None,
    user: UserOption = "me",
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    stop: Stop = None,
    seed: Seed = None,
) -> None:
    """Talks, line by line, with the answers as they are made. /help lists the commands."""
    drawing = Drawing(
        max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop or None, seed=seed
    )
    if conversation is None:
        current = session.client.conversations.create(user)
    else:
        current = session.client.conversations.get(conversation)
    session.indent = None  # with --json: one line for each turn
    Chat(session, current.id, drawing).run()


def answer(session: Session, conversation_id: str, text: str, drawing: Drawing) -> "Turn":
    """Takes a turn; prints its tokens as they come, unless JSON is wanted. Ctrl-C stops the turn itself."""
    from memos.sdk import Restarted, Token

    shown = ""
    stream = session.client.turns.stream(conversation_id, text, **drawing)
    try:
        with session.waiting("thinking") as waiting, stream:
            for event in stream:
                waiting.stop()
                if session.as_json:
                    continue
                if isinstance(event, Token):
                    shown += event.text
                    print(printable(event.text), end="", flush=True)
                elif isinstance(event, Restarted):
                    print(flush=True)
                    session.say("(the connection broke; the answer begins anew)")
                    shown = ""
    except KeyboardInterrupt:
        _cancel(session, conversation_id, text)
        raise
    turn = stream.final
    if not session.as_json:
        # A stored answer comes without tokens.
        print(printable(turn.output or "") if not shown else "", flush=True)
    return turn


def _cancel(session: Session, conversation_id: str, text: str) -> None:
    """The turn would go on without us: its key makes it outlive the connection."""
    for turn in newest_turns(session.client, conversation_id, TURNS_SHOWN):
        if turn.status == "accepted" and turn.input == text:
            session.client.turns.cancel(turn.id)


class Chat:
    """One chat at the terminal, or from a pipe."""

    def __init__(self, session: Session, conversation_id: str, drawing: Drawing) -> None:
        self._session = session
        self._conversation_id = conversation_id
        self._drawing = drawing
        self._interactive = sys.stdin.isatty()
        self._commands: dict[str, Callable[[list[str]], None]] = {
            "help": self._help,
            "turns": self._turns,
            "rollback": self._rollback,
            "fork": self._fork,
            "explain": self._explain,
        }

    def run(self) -> None:
        from memos.sdk import MemosError

        self._session.say(f"(conversation {self._conversation_id}; /help lists the commands)")
        for line in self._lines():
            if line == "/quit":
                return
            try:
                self._take(line)
            except MemosError as error:
                if not self._interactive:
                    raise
                self._session.refuse(error)
            except KeyboardInterrupt:
                if not self._interactive:
                    raise
                self._session.say("\n(stopped)")

    def _lines(self) -> Iterator[str]:
        if not self._interactive:
            yield from (line.strip() for line in sys.stdin if line.strip())
            return
        import readline  # noqa: F401  -- importing it gives input() history and editing

        while True:
            try:
                line = input("" if self._session.as_json else "you> ").strip()
            except EOFError:
                return
            if line:
                yield line

    def _take(self, line: str) -> None:
        if line.startswith("/"):
            self._command(line[1:])
            return
        turn = answer(self._session, self._conversation_id, line, self._drawing)
        if self._session.as_json:
            self._session.emit_json(turn)

    def _command(self, line: str) -> None:
        from memos.sdk import MemosError

        try:
            name, *arguments = shlex.split(line)
        except ValueError:
            name, arguments = line, []
        run = self._commands.get(name)
        if run is None:
            raise MemosError(f"there is no command /{name}", code="no_such_command", hint="/help lists the commands.")
        run(arguments)

    # -- commands ------------------------------------------------------------------------------------------------

    def _help(self, arguments: list[str]) -> None:
        self._session.say(HELP)

    def _turns(self, arguments: list[str]) -> None:
        from memos.cli.tables import turns_table

        found = newest_turns(self._session.client, self._conversation_id, TURNS_SHOWN)
        self._session.emit_items(found, turns_table)

    def _rollback(self, arguments: list[str]) -> None:
        done = self._session.client.conversations.rollback(self._conversation_id, self._seq(arguments))
        self._session.emit(done, lambda: rolled_back(done))

    def _fork(self, arguments: list[str]) -> None:
        seq = self._seq(arguments) if arguments else self._newest().seq
        made = self._session.client.conversations.fork(self._conversation_id, seq)
        self._conversation_id = made.id
        self._session.emit(made, lambda: forked(made))

    def _explain(self, arguments: list[str]) -> None:
        from memos.cli.tables import explanation_table

        turn_id = self._with_seq(self._seq(arguments)).id if arguments else self._newest().id
        found = self._session.client.turns.explanation(turn_id)
        self._session.emit(found, lambda: explanation_table(found))

    def _seq(self, arguments: list[str]) -> int:
        from memos.sdk import MemosError

        if len(arguments) != 1:
            raise MemosError("this command takes one turn", code="usage", hint="Its seq or its id: /turns shows both.")
        return seq_of(self._session.client, self._conversation_id, arguments[0])

    def _newest(self) -> "Turn":
        from memos.sdk import MemosError

        newest = newest_turns(self._session.client, self._conversation_id, 1)
        if newest:
            return newest[0]
        raise MemosError("this conversation has no turn yet", code="no_such_turn", hint="Say something first.")

    def _with_seq(self, seq: int) -> "Turn":
        from memos.sdk import MemosError

        for turn in self._session.client.turns.list(self._conversation_id):
            if turn.seq == seq:
                return turn
        raise MemosError(f"this conversation has no turn {seq}", code="no_such_turn", hint="/turns lists them.")
