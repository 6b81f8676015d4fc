"""A language of some forty words, learned in a minute: who is called what. For ablations, not for a product.

Notable choices
* The same kinds of turns as the real one: facts told in three phrasings, questions in three others, never-told
  questions, small talk between them; values are random rows, drawn anew for every dialogue.
* All facts are of one family, so a model that recalls a told value, but not whose it is, scores 1 / facts.
"""

import random
from dataclasses import dataclass

import torch

from models.text.tokenizer import EOS, PAD, Tokenizer
from models.training.batch import Batch, interaction, pad
from models.training.conversations.plan import Turn

KEYS = ("dog", "cat", "horse", "boss", "sister", "brother", "friend", "doctor")
TOLD = ("my KK is called VV .", "VV is my KK .", "the name of my KK is VV .")
ASKED = ("what is my KK called ?", "who is my KK ?", "tell me the name of my KK .")
ANSWER, UNKNOWN, NOTED = "your KK is called VV .", "i do not know your KK .", "okay ."
CHAT = (("how are you ?", "fine ."), ("it rained today .", "oh no ."), ("hello !", "hello ."), ("thanks .", "sure ."))
VALUE_WEIGHT, FIRST_WEIGHT = 3.0, 4.0


def toy_tokenizer() -> Tokenizer:
    """Every word of the language."""
    phrases = [*TOLD, *ASKED, ANSWER, UNKNOWN, NOTED, *(text for pair in CHAT for text in pair)]
    return Tokenizer.build({w for p in phrases for w in p.split()} - {"KK", "VV"} | set(KEYS), {})


@dataclass(frozen=True, slots=True)
class Toy:
    """`turns` turns of which `facts` tell one; `probes` questions, of which `untold` (a share) are never-told ones."""

    turns: int
    facts: int
    probes: int = 4
    untold: float = 0.3

    def _say(self, words: Tokenizer, phrase: str, key: str = "", value: int = 0) -> tuple[int, ...]:
        return tuple(value if w == "VV" else words.ids[key if w == "KK" else w] for w in phrase.split())

    def dialogue(self, words: Tokenizer, rng: random.Random, rows: list[int]) -> tuple[list[Turn], list[Turn]]:
        """Turns, and probes of the state after them."""
        keys = rng.sample(KEYS, len(KEYS))
        told = dict(zip(keys[: self.facts], rows, strict=False))
        turns = [Turn(self._say(words, rng.choice(TOLD), k, v), self._say(words, NOTED)) for k, v in told.items()]
        for _ in range(self.turns - self.facts):
            said, reply = rng.choice(CHAT)
            turns.append(Turn(self._say(words, said), self._say(words, reply)))
        rng.shuffle(turns)
        probes = []
        for index in range(self.probes):
            question = rng.choice(ASKED)
            if rng.random() < self.untold:
                key = rng.choice(keys[self.facts :])
                probes.append(Turn(self._say(words, question, key), self._say(words, UNKNOWN, key), (), "abstain"))
            else:
                key = keys[index % self.facts]
                answer = self._say(words, ANSWER, key, told[key])
                probes.append(Turn(self._say(words, question, key), answer, (told[key],), "fact"))
        return turns, probes

    def draw(self, words: Tokenizer, rng: random.Random, dialogues: int, rows: int) -> Batch:
        """A batch of dialogues."""
        history, inputs, targets, weights, kinds = [], [], [], [], []
        for _ in range(dialogues):
            ids = rng.sample(range(len(words), len(words) + rows), self.facts)
            turns, probes = self.dialogue(words, rng, ids)
            history += [interaction(turn.said, turn.answer) for turn in turns]
            for probe in probes:
                prompt = interaction(probe.said, ())[:-1]
                inputs.append([*prompt, *probe.answer])
                blank = len(prompt) - 1
                targets.append([PAD] * blank + [*probe.answer, EOS])
                heavy = [VALUE_WEIGHT if t in probe.values else 1.0 for t in (*probe.answer, EOS)]
                weights.append([0.0] * blank + [FIRST_WEIGHT, *heavy[1:]])
                kinds.append(probe.kind)
        wanted = pad(targets)
        scale = torch.zeros(wanted.shape)
        for index, line in enumerate(weights):
            scale[index, : len(line)] = torch.tensor(line)
        return Batch(self.turns, torch.arange(rows), pad(history), pad(inputs), wanted, scale, 0, tuple(kinds))
