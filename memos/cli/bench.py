"""`memos bench`: measures. What computes with a model is a process of its own; nothing of the model is imported here.

`memos bench rxt` runs the probes of `models.probes`: it shows how far they are, and prints what they found.
`memos bench store` runs `benchmarks.store`, which is in the repository and not in the installed package.
`memos bench recall` asks questions whose evidence is known of the recall index; `models.embed` makes the vectors.
"""

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos.cli.session import Session, printable, reported
from memos.kit.errors import StartupError

if TYPE_CHECKING:
    from rich.console import RenderableType

PACKAGES = ("torch", "safetensors", "models")
EMBEDDING = (*PACKAGES, "tokenizers", "faiss", "Stemmer")
PROGRESS = "progress: "  # begins the lines of `models.probes` that say how far it is
TITLES = {"rxt": "RxT", "no_memory": "no memory", "previous_turn": "previous turn", "stateless": "stateless twin"}

bench_app = typer.Typer(help="Measures what is remembered and found, beside controls.", no_args_is_help=True)


class ModelsNotInstalled(StartupError):
    """The packages that the model needs are not installed."""

    code = "models_not_installed"
    hint = "Install them: pip install 'memos[all]'."


class NotInTheRepository(StartupError):
    """This measurement is run from a checkout of the repository."""

    code = "not_in_the_repository"
    hint = "Clone memos, and run the command in its folder with the environment that `make test` makes there."


class BenchFailed(StartupError):
    """The probes ended without a result."""

    code = "bench_failed"
    hint = "What the process said is above."


@bench_app.command("rxt")
def bench_rxt(
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds of the probes, with commas between them.")] = "1,2,3",
    n: Annotated[int, typer.Option("--n", min=1, help="Conversations per figure and seed.")] = 50,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="Its folder; else the released one.")] = None,
    twin: Annotated[Path | None, typer.Option("--twin", help="Folder of a stateless twin to compare with.")] = None,
    only: Annotated[str | None, typer.Option("--only", help="One probe by name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Measures what the model remembers, beside a decoder without memory and other controls."""
    given = ["--seeds", seeds, "--n", str(n)]
    given += [] if checkpoint is None else ["--checkpoint", str(checkpoint)]
    given += [] if twin is None else ["--twin", str(twin)]
    given += [] if only is None else ["--only", only]
    session = Session(None, None, None, as_json)
    with reported(session):
        _need(PACKAGES)
        status, printed = _run(session, [sys.executable, "-m", "models.probes", *given])
        if status:
            raise typer.Exit(status)
        try:
            found = json.loads(printed)
        except ValueError as error:
            raise BenchFailed from error
        session.emit(found, lambda: _render(found))


@bench_app.command("recall")
def bench_recall(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="LoCoMo's file, or scopes with memories and questions as JSON.")
    ],
    ablation: Annotated[bool, typer.Option("--ablation", help="Also what each signal adds.")] = False,
    vectors: Annotated[
        Path | None, typer.Option("--vectors", help="Where vectors are kept from one run to the next (.npz).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Measures how much of the known evidence recall finds, beside cosine, BM25 and their rank fusion.

    The JSON form is {"scopes": [{"id", "memories": [{"id", "text", "at", "speaker", "role", "thread", ...}],
    "questions": [{"text", "evidence": [ids], "kind", "now"}]}]}; of a memory only id and text are needed.
    """
    session = Session(None, None, None, as_json)
    with reported(session):
        _need(EMBEDDING)
        from memos.cli.vectors import embedder
        from memos.recall.measuring.data import load
        from memos.recall.measuring.run import measure

        read = load(data)
        found = measure(
            read, embedder(lambda command, given: _run(session, command, given), vectors), ablation=ablation
        )
        session.emit(found, lambda: _render_recall(found))


@bench_app.command("store")
def bench_store(
    only: Annotated[
        str | None, typer.Option("--only", help="Parts, with commas between: index,peers,adds,rest,users,kill9.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="A million memories too, and peers at a hundred thousand.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Measures what adding and searching memories cost, beside a bare endpoint and peers in their own environments."""
    session = Session(None, None, None, as_json)
    with reported(session):
        if importlib.util.find_spec("benchmarks") is None:
            raise NotInTheRepository("there is no `benchmarks` here")
        given = ([] if only is None else ["--only", only]) + (["--full"] if full else [])
        status, printed = _run(session, [sys.executable, "-m", "benchmarks.store", *given])
        if status:
            raise typer.Exit(status)
        try:
            found = json.loads(printed)
        except ValueError as error:
            raise BenchFailed from error
        session.emit(found, lambda: _render_store(found))


def _need(packages: Sequence[str]) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelsNotInstalled(f"these packages are not installed: {', '.join(missing)}")


def _run(session: Session, command: Sequence[str], given: str = "") -> tuple[int, str]:
    """Exit code and stdout of the process. Its progress becomes a status line on a terminal; all else passes through.

    Ctrl-C reaches the process as it reaches this one; it is waited for.
    """
    with TemporaryFile("w+") as out, TemporaryFile("w+") as told:  # a pipe would fill up while the other one is read
        told.write(given)
        told.seek(0)
        with (
            subprocess.Popen(command, stdin=told, stdout=out, stderr=subprocess.PIPE, text=True) as child,
            session.err.status("loading the model ...") as line,
        ):
            for said in child.stderr or ():
                if said.startswith(PROGRESS):
                    line.update(printable(said.removeprefix(PROGRESS).strip()))
                else:
                    session.say(said.rstrip("\n"))
        status = child.returncode
        out.seek(0)
        return 128 + signal.Signals(-status) if status < 0 else status, out.read()


def _render(found: dict[str, Any]) -> "RenderableType":
    from rich.console import Group

    from memos.cli.tables import table

    machine, identity = found["machine"], found["identity"]
    head = (
        f"{identity['model']} ({identity['weights_sha256'][:12]}), seeds {', '.join(map(str, found['seeds']))}, "
        f"n {found['n']}, {machine['cpu_s']} CPU s, load {machine['load_before'][0]}"
    )
    parts: list[RenderableType] = [head]
    # Probes that ask the same parties share a table.
    for names, rows in _by_parties(found["rows"]):
        columns = ("probe", "case", "measure", *(TITLES.get(name, name) for name in names), "questions")
        parts.append(table(columns, [_cells(row, names) for row in rows], whole=columns))
    return Group(*parts)


def _render_store(found: dict[str, Any]) -> "RenderableType":
    from memos.cli.tables import table

    rows: list[list[str]] = []
    for name, ratio in found["ratios"].items():
        for other, value in ratio.items() if isinstance(ratio, dict) else [("", ratio)]:
            rows.append([" ".join(filter(None, (name, other))).replace("_", " "), str(value)])
    return table(("ours to theirs, within this run", "ratio"), rows, whole=("ratio",))


def _by_parties(rows: Sequence[dict[str, Any]]) -> list[tuple[list[str], list[dict[str, Any]]]]:
    groups: list[tuple[list[str], list[dict[str, Any]]]] = []
    for row in rows:
        names = list(row["parties"])
        for known, members in groups:
            if known == names:
                members.append(row)
                break
        else:
            groups.append((names, [row]))
    return groups


def _cells(row: dict[str, Any], names: Sequence[str]) -> list[str]:
    figures = [row["parties"][name] for name in names]
    rates = [_rate(figure) for figure in figures]
    return [row["probe"], row["case"], row["measure"], *rates, str(max(f["questions"] for f in figures))]


def _rate(figure: dict[str, Any]) -> str:
    """The mean, and how far the seeds are apart where they are."""
    apart = figure["max"] - figure["min"] >= 0.005
    return f"{figure['mean']:.3f}" + (f" ({figure['min']:.2f}-{figure['max']:.2f})" if apart else "")


def _render_recall(found: dict[str, Any]) -> "RenderableType":
    from rich.console import Group

    from memos.cli.tables import table

    cuts = ("recall@5", "recall@10", "recall@20", "recall_any@10", "recall_all@10", "mrr")
    kinds = list(next(iter(found["parties"].values()))["kinds"])
    head = (
        f"{found['questions']} questions over {found['memories']} memories in {found['scopes']} scopes; left out: "
        + (", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found["skipped"].items()))
    )
    rows = [
        [name, *(f"{one[cut]:.3f}" for cut in cuts), *(f"{one['kinds'][kind]['recall@10']:.3f}" for kind in kinds)]
        for name, one in found["parties"].items()
    ]
    columns = ("party", *cuts, *kinds)
    parts: list[RenderableType] = [head, table(columns, rows, whole=columns)]
    if "ablation" in found:
        columns = ("signals", "recall@5", "recall@10", "recall@20", *kinds)
        rows = [
            [
                one["signals"],
                *(f"{one[cut]:.3f}" for cut in columns[1:4]),
                *(f"{one['recall@10_by_kind'][kind]:.3f}" for kind in kinds),
            ]
            for one in found["ablation"]
        ]
        parts.append(table(columns, rows, whole=columns))
    return Group(*parts)
