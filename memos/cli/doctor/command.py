"""`memos doctor`: names each part, its version, and what is wrong with how to mend it. Works without a service (it
then looks at this machine only) and changes nothing.
"""

from pathlib import Path

import typer

from memos.cli.doctor.report import Report
from memos.cli.session import Session


def doctor(session: Session) -> None:
    """Says what is installed, configured and running, and how to mend what is wrong. Exit code 1 if anything is."""
    report = Report()
    with session.waiting("looking at every part"):
        _examine(session, report)
    session.emit(report.as_json(), report.as_tables)
    if not report.ok:
        raise typer.Exit(1)


def _examine(session: Session, report: Report) -> None:
    from memos.cli.doctor import addresses, machine, service
    from memos.cli.doctor.configuration import configuration

    with report.guard("python"):
        machine.interpreter(report)
    with report.guard("memos"):
        machine.packages(report)
    settings, serving = None, False
    with report.guard("configuration"):
        settings = configuration(session, report)
    with report.guard("api"):
        folder = session.data_dir if settings is None else settings.data_dir
        serving = service.service(session, report, (folder or Path("memos-data")).absolute())
    if settings is not None:
        with report.guard("data directory"):
            machine.data_directory(report, settings)
        with report.guard("disk space"):
            machine.disk_space(report, settings)
        with report.guard("postgres"):
            addresses.postgres(report, settings)
        with report.guard("redis"):
            addresses.redis(report, settings)
        with report.guard("blob store"):
            addresses.blob_store(report, settings)
        with report.guard("model worker"):
            addresses.model_worker(report, settings)
        with report.guard("checkpoint"):
            machine.checkpoint(report, settings, serving=serving)
