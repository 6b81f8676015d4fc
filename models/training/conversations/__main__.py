"""Prints sample dialogues as text: `python -m models.training.conversations --seed 1 --n 5`.

Unknown words are rows; here each row has an invented spelling. After the turns come the probes of the final state, with
their kind and with the recalled lines ([M]) that stand in their prompt.
"""

import argparse
import random
from collections.abc import Iterable, Sequence

from models.text.spelling import Spelling
from models.text.tokenizer import Tokenizer
from models.training.conversations.compile import build_language
from models.training.conversations.dialogue import Plan, Turn, draw_dialogue


def spelled(row: int) -> str:
    """An invented name for a row; distinct up to 2,100 rows."""
    first, second, last = "bdfgklmnprstvz", "aeiou", "lnrstx"
    row, one = divmod(row * 1009 % 2100 + row // 2100 * 2100, len(first))
    row, two = divmod(row, len(second))
    row, three = divmod(row, len(last))
    return (first[one] + second[two] + first[(one + 3 * row + 1) % len(first)] + second[row % 5] + last[three]).title()


def text_of(ids: Iterable[int], tokenizer: Tokenizer) -> str:
    """Token ids as text, as the engine would write it."""
    spelling, out = Spelling(), ""
    for token in ids:
        if token >= len(tokenizer):
            piece, spelling = spelling.add(spelled(token - len(tokenizer)))
        else:
            word = tokenizer.words[token]
            symbol = not word[0].isalnum() and word != "'s"
            piece, spelling = spelling.add(tokenizer.display.get(word, word), symbol)
        out += piece
    return out + spelling.finish()


def lines_of(turns: Sequence[Turn], probes: Sequence[Turn], tokenizer: Tokenizer) -> list[str]:
    """A dialogue as lines: turns, then probes."""
    out = []
    for turn in turns:
        out.append(f"  user: {text_of(turn.said, tokenizer)}")
        out.append(f"        -> {text_of(turn.answer, tokenizer) or '(no answer)'}")
    for probe in probes:
        out += [f"  [M] {text_of(line, tokenizer)}" for line in probe.snippets]
        out.append(f"  ? {text_of(probe.said, tokenizer)}  =>  {text_of(probe.answer, tokenizer)}  ({probe.kind})")
    return out


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Print sample dialogues of the synthetic language.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=5, help="dialogues")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--facts", type=int, default=5)
    parser.add_argument("--probes", type=int, default=8)
    parser.add_argument("--unseen", action="store_true", help="held-out phrasings")
    arguments = parser.parse_args()
    language, rng = build_language(), random.Random(arguments.seed)
    words = len(language.tokenizer)
    plan = Plan(arguments.turns, arguments.facts, arguments.probes, unseen=arguments.unseen)
    for index in range(arguments.n):
        rows = rng.sample(range(words, words + 400), 160)
        print(f"dialogue {index + 1}")
        print("\n".join(lines_of(*draw_dialogue(language, rng, rows, plan), language.tokenizer)))


if __name__ == "__main__":
    main()
