"""Every command in the documentation is run, page by page and in order, against one embedded service with the released
model, in a scratch folder.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from memos.embedded.spawn import spawn
from tests.docs.blocks import RUN, SHOWN, Block, Desk, Failed, blocks_of
from tests.embedded.harness import eventually, folder
from tests.support.topology import answers, free_port

ROOT = Path(__file__).parents[2]
# The decisions argue, and the generated pages have no commands.
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs/guides").glob("*.md")),
    ]
}
BLOCKS = {page: list(blocks_of(page, text)) for page, text in PAGES.items()}
RUNNABLE = {page: [one for one in found if one.kind in RUN and not one.not_run] for page, found in BLOCKS.items()}


@dataclass
class Service:
    folder: Path
    port: int
    environment: dict[str, str]

    def desk(self, name: str) -> Desk:
        """A folder of its own for a page, in which the service's data directory is found as the pages say."""
        place = self.folder / name.replace("/", "-")
        place.mkdir()
        (place / "memos-data").symlink_to(self.folder / "memos-data")
        (place / ".venv").symlink_to(Path(sys.prefix))
        return Desk(place, self.environment, {"127.0.0.1:7077": f"127.0.0.1:{self.port}"})


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with folder() as place:
        port = free_port()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMOS_")}
        bin_folder = Path(sys.executable).parent
        environment = kept | {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        data = place / "memos-data"
        command = [sys.executable, "-m", "memos.cli.main", "serve", "--data-dir", str(data), "--port", str(port)]
        log = place / "service.log"
        with log.open("wb") as out:
            process = spawn(command, env=environment, output=out, cwd=place)

        def ready() -> bool:
            assert process.poll() is None, log.read_text()[-3000:]
            return answers(f"http://127.0.0.1:{port}", "/readyz")(None)  # type: ignore[arg-type]

        try:
            eventually(ready, f"the service is ready: {log}", 110)
            yield Service(place, port, environment)
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize("page", sorted(page for page, found in RUNNABLE.items() if found))
def test_the_commands_of_a_page_do_what_it_says(page: str, service: Service) -> None:
    desk = service.desk(page)
    for block in RUNNABLE[page]:
        desk.run(block)


def test_every_block_is_run_or_says_why_not() -> None:
    every = [block for found in BLOCKS.values() for block in found]
    unknown = [str(block) for block in every if block.kind not in (*RUN, *SHOWN)]
    assert unknown == []
    left_out = [block for block in every if block.not_run is not None]
    for block in left_out:
        print(f"not run: {block}: {block.not_run}")
        assert len(block.not_run or "") > 20, f"{block} does not say why it is not run"
    ran = sum(map(len, RUNNABLE.values()))
    assert ran > 20
    assert len(left_out) <= ran / 3
    prompts = [
        str(block) for block in every if block.kind in SHOWN and block.text.startswith(("$ ", "curl ", "memos "))
    ]
    assert prompts == [], "a command is in a block that is run"


BROKEN = {
    "a command that does not exist": "```bash\nmemos doctr\n```\n",
    "a call that is refused": "```bash\ncurl -sS --fail-with-body http://127.0.0.1:7077/v1/nothing\n```\n",
    "a name that is not there": "```python\nfrom memos.sdk import Memo\n```\n",
    "an answer that is not given": "```console\n$ memos --version\nmemos 77\n```\n",
    "a variable of no block": '```bash\necho "$NOT_SET_ANYWHERE"\n```\n',
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_command_is_noticed(what: str, service: Service) -> None:
    [block] = blocks_of("planted.md", BROKEN[what])
    desk = service.desk(f"planted {what}")
    with pytest.raises(Failed):
        desk.run(block)


def test_what_one_block_sets_the_next_one_has(tmp_path: Path) -> None:
    one = '```bash\nexport ONE=1; two() { echo "two $1"; }\n```\n'
    text = f"{one}<!-- not run: of no use here at all -->\n```bash\nexit 3\n```\n"
    first, left_out = blocks_of("p.md", text)
    assert (left_out.not_run, left_out.line) == ("of no use here at all", 5)
    desk = Desk(tmp_path, os.environ, {})
    desk.run(first)
    assert desk.run(Block("p.md", 9, "bash", 'two "$ONE"', None)) == "two 1\n"
    shutil.rmtree(tmp_path)
