"""Batches: dialogues as padded tensors, and the loss over them.

Notable choices
* All turns of all dialogues are encoded together, in a few groups of similar length; only the memory attention runs
  turn by turn; all probes are decoded together from the final states. Gradients cross every turn.
* A batch uses a few hundred of the rows; they are all alike, and the output need not score the others. The first eighth
  of the rows is never trained: a conversation gives out rows from the first on, so its words are new to the model.
* In some batches the first turns are written to a memory of their own, beside which the conversation's is read: this is
  how recalled texts are read later. The targets stay the same, so the conversation's own memory wins a conflict.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from models.rxt.model import Rxt
from models.shapes import Memory
from models.text.prompt import prompt_of
from models.text.tokenizer import EOS, PAD
from models.training.conversations.compile import Language
from models.training.conversations.dialogue import Plan, Turn, draw_dialogue

ROWS_PER_BATCH = 512
ROWS_PER_DIALOGUE = 160
TEST_ROWS_ONE_IN = 8
VALUE_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Batch:
    """B dialogues of T turns with P probes each. Token ids index a table of V known words and the batch's rows."""

    turns: int
    rows: Tensor  # int64 [R']
    history: Tensor  # int64 [B * T, N], dialogue-major
    prompts: Tensor  # int64 [B * P, N'], prompt and answer without its end
    targets: Tensor  # int64 [B * P, N'], PAD where nothing is predicted
    weights: Tensor  # float32 [B * P, N']
    recalled: int  # how many of the first turns go to a memory of their own
    kinds: tuple[str, ...]  # of every probe

    def to(self, device: torch.device) -> "Batch":
        """The same batch, its tensors on `device`."""
        return replace(
            self,
            rows=self.rows.to(device),
            history=self.history.to(device),
            prompts=self.prompts.to(device),
            targets=self.targets.to(device),
            weights=self.weights.to(device),
        )


def interaction(said: Sequence[int], answer: Sequence[int]) -> list[int]:
    """The template of one interaction, as the encoder reads it (paper, section 3.2)."""
    return [*prompt_of(said), *answer, EOS]


def pad(sequences: Sequence[Sequence[int]]) -> Tensor:
    """int64 [n, longest], PAD after each end."""
    longest = max(len(s) for s in sequences)
    return torch.tensor([[*s, *([PAD] * (longest - len(s)))] for s in sequences], dtype=torch.int64)


def _probe_rows(probe: Turn, first_weight: float) -> tuple[list[int], list[int], list[float]]:
    prompt = prompt_of(probe.said, probe.snippets)
    answer = [*probe.answer, EOS]
    heavy = set(probe.values)
    inputs = prompt + list(probe.answer)
    targets = [PAD] * (len(prompt) - 1) + answer
    weights = [0.0] * (len(prompt) - 1) + [VALUE_WEIGHT if t in heavy else 1.0 for t in answer]
    weights[len(prompt) - 1] *= first_weight
    return inputs, targets, weights


def draw_batch(language: Language, rng: random.Random, plan: Plan, dialogues: int, rows: int) -> Batch:
    """A batch by one plan; the number of facts varies below the plan's. Plain plans evaluate: they take test rows."""
    test = rows // TEST_ROWS_ONE_IN
    pool = range(test) if plan.plain and test >= ROWS_PER_DIALOGUE else range(test, rows)
    chosen = rng.sample(pool, min(ROWS_PER_BATCH, len(pool)))
    known = len(language.tokenizer)
    ids = list(range(known, known + len(chosen)))
    size = min(ROWS_PER_DIALOGUE, len(ids))
    ids += ids[:size]
    recalled = rng.randrange(1, plan.turns + 1) if not plan.plain and rng.random() < 0.2 else 0
    if recalled:
        plan = replace(plan, empty_answers=0.6)
    history: list[list[int]] = []
    probes: list[Turn] = []
    for _ in range(dialogues):
        first = rng.randrange(len(chosen) + 1)  # the rows are shuffled: neighbours are as good as any
        facts = plan.facts if plan.plain else rng.randint(1, plan.facts)
        begun = plan.turns
        if plan.blank > 0 and rng.random() < plan.blank:
            begun = facts = 0
        own = ids[first : first + size]
        turns, asked = draw_dialogue(language, rng, own, replace(plan, turns=begun, facts=facts))
        history += [interaction(t.said, t.answer) for t in turns]
        history += [[]] * (plan.turns - len(turns))  # nothing to read: memory stays as it is
        probes += asked
    parts = [_probe_rows(p, plan.first_weight) for p in probes]
    targets = pad([p[1] for p in parts])
    weights = torch.zeros(targets.shape)
    for index, part in enumerate(parts):
        weights[index, : len(part[2])] = torch.tensor(part[2])
    return Batch(
        plan.turns,
        torch.tensor(chosen),
        pad(history),
        pad([p[0] for p in parts]),
        targets,
        weights,
        recalled,
        tuple(p.kind for p in probes),
    )


def _by_length(tokens: Tensor, parts: int) -> list[tuple[Tensor, int]]:
    """Row indices in groups of similar length, each with its longest length: padding is most of the work otherwise."""
    lengths = (tokens != PAD).sum(1)
    order = torch.argsort(lengths)
    return [(group, int(lengths[group].max())) for group in order.chunk(parts) if len(group)]


def project_turns(model: Rxt, batch: Batch, table: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Per layer, keys and values [B * T, H, N, K] of every encoded turn."""
    longest = batch.history.shape[1]
    groups = _by_length(batch.history, 4)
    back = torch.argsort(torch.cat([group for group, _ in groups]))
    kept: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(model.config.layers)]
    for group, length in groups:
        tokens = batch.history[group, :length]
        encoded = model.encode(tokens, tokens != PAD, table)
        for index, (keys, values) in enumerate(model.writer.project(encoded)):
            room = (0, 0, 0, longest - length)
            kept[index].append((F.pad(keys, room), F.pad(values, room)))
    return [(torch.cat([k for k, _ in layer])[back], torch.cat([v for _, v in layer])[back]) for layer in kept]


def _whole_window(memory: Memory) -> Memory:
    return memory


def _one_update(memory: Memory) -> Memory:
    return memory.detach()


# What happens to the memory before each update: gradients cross all turns, or the last only, as the authors' do.
GRADIENTS: dict[str, Callable[[Memory], Memory]] = {"whole_window": _whole_window, "one_update": _one_update}


def write_turns(
    model: Rxt, batch: Batch, table: Tensor, gradients: str = "whole_window"
) -> tuple[Memory, Memory | None]:
    """Final memory of every dialogue, and the memory of recalled turns where the batch has one."""
    before = GRADIENTS[gradients]
    turns, count = batch.turns, len(batch.history) // batch.turns
    mask = (batch.history != PAD).view(count, turns, -1)
    projected = [
        (keys.view(count, turns, *keys.shape[1:]), values.view(count, turns, *values.shape[1:]))
        for keys, values in project_turns(model, batch, table)
    ]
    memory = model.start_memory(count)
    recalled: Memory | None = None
    for turn in range(turns):
        said = [(keys[:, turn], values[:, turn]) for keys, values in projected]
        memory = model.writer(before(memory), said, mask[:, turn]).memory
        if turn + 1 == batch.recalled:
            recalled = memory
            memory = model.start_memory(count)
    return memory, recalled


def decode_probes(model: Rxt, batch: Batch, table: Tensor, memory: Memory, recalled: Memory | None) -> Tensor:
    """Activations [B * P, N', D]; each probe reads its own dialogue's memory."""
    per = len(batch.prompts) // memory.shape[0]
    projected = model.project_memory(memory, recalled)
    longest = batch.prompts.shape[1]
    groups = _by_length(batch.prompts, 5)
    out = []
    for group, length in groups:
        tokens = batch.prompts[group, :length]
        own = group // per
        slots = tuple((keys[own], values[own]) for keys, values in projected)
        activations, _ = model.decode(tokens, tokens != PAD, table, slots, None)
        out.append(F.pad(activations, (0, 0, 0, longest - length)))
    return torch.cat(out)[torch.argsort(torch.cat([group for group, _ in groups]))]


def loss_of(model: Rxt, batch: Batch, gradients: str = "whole_window") -> Tensor:
    """Weighted cross-entropy of the answers, in nats per unit of weight."""
    table = model.table(batch.rows)
    activations = decode_probes(model, batch, table, *write_turns(model, batch, table, gradients))
    chosen = batch.targets != PAD
    logits = model.logits(activations[chosen], table)
    losses = F.cross_entropy(logits, batch.targets[chosen], reduction="none")
    weights = batch.weights[chosen]
    return (losses * weights).sum() / weights.sum()


@torch.no_grad()
def accuracy_of(model: Rxt, batch: Batch, forget: bool = False) -> dict[str, tuple[int, int]]:
    """Per kind of probe: how many answers have every token right (teacher-forced, greedy), and how many there were."""
    table = model.table(batch.rows)
    memory, recalled = write_turns(model, batch, table)
    if forget:
        memory, recalled = model.start_memory(memory.shape[0]), None
    best = model.logits(decode_probes(model, batch, table, memory, recalled), table).argmax(-1)
    right = ((best == batch.targets) | (batch.targets == PAD)).all(1).tolist()
    out: dict[str, tuple[int, int]] = {}
    for kind, good in zip(batch.kinds, right, strict=True):
        hit, total = out.get(kind, (0, 0))
        out[kind] = (hit + good, total + 1)
    return out
