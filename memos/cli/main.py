"""The command line: `memos`. Importing this module imports no part of the service and no client: each command brings
what it needs when it runs. docs/cli.md describes every command.
"""

from typing import Annotated

import typer

from memos import __version__
from memos.cli.admin import jobs_app, keys_app, tenants_app
from memos.cli.archives import export, import_archive
from memos.cli.audit import audit_app, grants_app, tokens_app
from memos.cli.backup import backup, restore
from memos.cli.bench import bench_app
from memos.cli.chat import ask, chat
from memos.cli.command import command
from memos.cli.consolidate import consolidate, proposals_app
from memos.cli.cubes import cubes_app
from memos.cli.distil import deltas, distil
from memos.cli.doctor.command import doctor
from memos.cli.embedder import embedder_app
from memos.cli.erase import erase
from memos.cli.history import conversations, explain, fork, rollback, turns
from memos.cli.import_from import import_from
from memos.cli.lineage import lineage
from memos.cli.mcp import mcp
from memos.cli.memories import recall, remember
from memos.cli.past import asof, diff, merge
from memos.cli.policies import policies_app
from memos.cli.serve import serve
from memos.cli.train import train

app = typer.Typer(
    help="memos: a memory operating system for chat applications.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they may hold keys and memory text
)


def _version(asked: bool) -> None:
    if asked:
        print(f"memos {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """memos: a memory operating system for chat applications."""


app.command("serve")(serve)
for run in (chat, ask, remember, recall, conversations, turns, explain, lineage, rollback, fork, asof, diff, merge):
    command(app)(run)
command(app)(export)
command(app, "import")(import_archive)
command(app)(backup)
command(app)(restore)
command(app)(erase)
command(app)(distil)
command(app)(deltas)
app.add_typer(cubes_app, name="cubes")
app.add_typer(policies_app, name="policies")
command(app)(consolidate)
app.add_typer(proposals_app, name="proposals")
app.add_typer(embedder_app, name="embedder")
app.add_typer(jobs_app, name="jobs")
app.add_typer(keys_app, name="keys")
app.add_typer(grants_app, name="grants")
app.add_typer(tokens_app, name="tokens")
app.add_typer(audit_app, name="audit")
app.add_typer(tenants_app, name="tenants")
command(app)(mcp)
command(app)(import_from)
command(app)(doctor)
app.add_typer(bench_app, name="bench")
app.command("train")(train)

if __name__ == "__main__":
    app()
