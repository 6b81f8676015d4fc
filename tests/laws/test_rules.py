"""Each rule has teeth: it passes what keeps the law and names what breaks it."""

from textwrap import dedent

import pytest

from tests.laws import house
from tests.laws.rules import RULES, Source

# rule, path of the file, code that keeps it, code that breaks it (one finding each)
EXAMPLES: list[tuple[str, str, str, str]] = [
    (
        "law_1_kernel_is_pure",
        "memos/kernel/turn.py",
        "import hashlib\nfrom datetime import datetime\nfrom memos.kernel.version import Link\n",
        "from memos.kit.errors import Invalid\n",
    ),
    ("law_1_kernel_is_pure", "memos/kernel/turn.py", "import json\n", "import time\n"),
    ("law_1_kernel_is_pure", "memos/kernel/turn.py", "import re\n", "import numpy\n"),
    (
        "law_1_kernel_is_pure",
        "memos/kernel/turn.py",
        "def age_s(now, then): return (now - then).total_seconds()\n",
        "def age_s(then): return (datetime.now() - then).total_seconds()\n",
    ),
    (
        "law_3_sdk_stands_alone",
        "memos/sdk/client.py",
        "from memos import __version__\nfrom memos.sdk.errors import ApiError\n",
        "from memos.kit.errors import MemosError\n",
    ),
    ("law_3_sdk_stands_alone", "memos/sdk/client.py", "import httpx2\n", "from memos import kit\n"),
    (
        "law_4_one_committer",
        "memos/turns/service.py",
        "async def f(db):\n    async with db.unit_of_work('t') as work:\n        await work.run(X)\n",
        "async def f(connection):\n    await connection.commit()\n",
    ),
    ("law_4_one_committer", "workers/tasks/advance.py", "x = work.run()\n", "x = connection.begin_nested()\n"),
    (
        "law_4_one_committer",
        "memos/http/routes/conversations.py",
        "service.rollback(work, to_turn=1)\n",
        "connection.rollback()\n",
    ),
    (
        "law_4_no_model_in_a_transaction",
        "memos/turns/service.py",
        """
        async def f(self):
            async with self.database.unit_of_work(t) as work:
                await work.run(X)
            await self.generator.advance(parent, text, output, key)
        """,
        """
        async def f(self):
            async with self.database.unit_of_work(t) as work:
                await self.generator.advance(parent, text, output, key)
        """,
    ),
    (
        "law_4_no_model_in_a_transaction",
        "memos/turns/service.py",
        """
        async def f(generator, work):
            async for token in generator.generate(request):
                pass
        """,
        """
        async def f(generator, database):
            async with database.transaction(t):
                async for token in generator.generate(request):
                    pass
        """,
    ),
    (
        "law_4_no_model_in_a_transaction",
        "memos/conversations/service.py",
        "async def f(self):\n    async with self.lock:\n        await self.generator.identity()\n",
        "async def f(self):\n    async with read(t), other:\n        x = gather(self._generator.identity())\n",
    ),
    (
        "law_5_one_way_to_the_database",
        "memos/turns/store.py",
        "from memos.kit.db import Database\n",
        "engine = create_async_engine(url)\n",
    ),
    (
        "law_5_one_way_to_the_database",
        "workers/relay.py",
        "database = Database(url)\n",
        "connection = psycopg.connect(url)\n",
    ),
    (
        "law_5_sql_lives_in_stores",
        "memos/turns/service.py",
        "from rich import text\nx = text.Text('a')\npipeline.execute()\n",
        "from sqlalchemy import text\nx = text('SELECT 1')\n",
    ),
    ("law_5_sql_lives_in_stores", "memos/http/app.py", "rows.scalars()\n", "rows = connection.execute(QUERY)\n"),
    (
        "law_5_sql_lives_in_stores",
        "workers/relay.py",
        "x = 1\n",
        "import sqlalchemy\nx = sqlalchemy.text('SELECT 1')\n",
    ),
    (
        "law_5_three_doors",
        "memos/outbox/store.py",
        '"""Claims go through memos_door_claim."""\n',
        "CLAIM = 'SELECT * FROM memos_door_claim(1, 2, 3)'\n",
    ),
    (
        "law_5_doctor_reads_catalogues",
        "memos/cli/doctor/addresses.py",
        "c.execute('SELECT rolname FROM pg_roles WHERE x')\n",
        "c.execute('SELECT input FROM turns')\n",
    ),
    (
        "law_6_messages_carry_ids",
        "workers/dispatcher.py",
        "app.send_task(RUN_JOB, args=[job.job_id, job.tenant_id, job.task, job.subject])\n",
        "app.send_task(RUN_JOB, args=[job.job_id, turn.input])\n",
    ),
    ("law_6_messages_carry_ids", "workers/relay.py", "dispatch(job)\n", "app.send_task(RUN_JOB, args=[job.job_id])\n"),
    ("law_6_messages_carry_ids", "memos/turns/service.py", "x = 1\n", "advance.apply_async(args=[turn.id])\n"),
    (
        "law_7_no_state_in_modules",
        "memos/turns/service.py",
        "LIMITS = {'turns': 64}\n__all__ = ['f']\nnames: Final = ['a']\napp = Typer()\n",
        "seen = {}\n",
    ),
    ("law_7_no_state_in_modules", "workers/app.py", "WAITING = deque()\n", "waiting: deque[str] = deque()\n"),
    (
        "law_7_no_state_in_modules",
        "memos/keys/service.py",
        "def f(): return 1\n",
        "def f():\n    global x\n    x = 1\n",
    ),
    (
        "law_7_no_state_in_modules",
        "memos/generation/registry.py",
        "GENERATORS = {}\ndef register(name):\n    def add(c):\n        GENERATORS[name] = c\n    return add\n",
        "STATES = {}\ndef remember(name, state):\n    STATES[name] = state\n",
    ),
    (
        "law_7_no_state_in_modules",
        "workers/model/server.py",
        "def f(self): self.seen.append(1)\n",
        "SEEN = set()\ndef f(x): SEEN.add(x)\n",
    ),
    ("law_8_no_pickle", "models/rxt/checkpoint.py", "import safetensors\n", "import pickle\n"),
    ("law_8_no_pickle", "models/rxt/checkpoint.py", "torch.load(p, weights_only=True)\n", "torch.load(p)\n"),
    ("law_8_no_pickle", "benchmarks/recall.py", "np.load(p)\n", "np.load(p, allow_pickle=True)\n"),
    ("house_short_files_and_functions", "models/a.py", "x = 1\n" * 400, "x = 1\n" * 401),
    (
        "house_short_files_and_functions",
        "memos/a.py",
        "def f():\n" + "    x = 1\n" * 69,
        "def f():\n" + "    x = 1\n" * 70,
    ),
    (
        "house_no_swallowed_errors",
        "memos/kit/blobs.py",
        "try:\n    f()\nexcept FileNotFoundError:\n    pass\n",
        "try:\n    f()\nexcept Exception:\n    pass\n",
    ),
    (
        "house_no_swallowed_errors",
        "workers/relay.py",
        "while True:\n    try:\n        f()\n    except Exception as error:\n        log(error)\n",
        "while True:\n    try:\n        f()\n    except (ValueError, BaseException):\n        continue\n",
    ),
    ("house_no_swallowed_errors", "workers/a.py", "suppress(OSError)\n", "suppress(Exception)\n"),
    ("house_no_swallowed_errors", "tests/a.py", "f()\n", "try:\n    f()\nexcept:\n    ...\n"),
    ("house_reasons_for_skips", "tests/test_a.py", "pytest.skip('no redis-server here')\n", "pytest.skip()\n"),
    (
        "house_reasons_for_skips",
        "tests/test_a.py",
        "@pytest.mark.skipif(x, reason='needs Linux')\ndef test_a(): ...\n",
        "@pytest.mark.skipif(x)\ndef test_a(): ...\n",
    ),
    (
        "house_reasons_for_skips",
        "tests/test_a.py",
        "@pytest.mark.skip('broken upstream')\ndef test_a(): ...\n",
        "@pytest.mark.skip\ndef test_a(): ...\n",
    ),
    (
        "house_stable_parameters",
        "tests/unit/test_pages.py",
        "@pytest.mark.parametrize('make', [lambda: 1, 'x'])\ndef test_a(make): ...\n",
        "@pytest.mark.parametrize('cursor', [encode(new_id('conv'))])\ndef test_a(cursor): ...\n",
    ),
    ("house_nothing_unfinished", "memos/a.py", "x = 'a todo list'  # what is to do\n", "x = 1  # TODO: more\n"),
    ("house_nothing_unfinished", "memos/a.py", "class P(Protocol):\n    def f(self): ...\n", '"""FIXME"""\n'),
    (
        "house_nothing_unfinished",
        "models/a.py",
        "def f():\n    return 1\n",
        "def f():\n    raise NotImplementedError\n",
    ),
]


@pytest.mark.parametrize(("name", "path", "good", "bad"), EXAMPLES, ids=[f"{i}-{e[0]}" for i, e in enumerate(EXAMPLES)])
def test_a_rule_passes_the_good_and_catches_the_planted(name: str, path: str, good: str, bad: str) -> None:
    rule = RULES[name]
    assert rule.findings(Source(path, dedent(good))) == []
    findings = rule.findings(Source(path, dedent(bad)))
    assert len(findings) == 1, findings
    assert str(findings[0]).startswith(f"{path}:")


def test_every_rule_has_an_example() -> None:
    assert {example[0] for example in EXAMPLES} == set(RULES)
    assert house.FUNCTION_LINES < house.FILE_LINES


@pytest.mark.parametrize(
    ("name", "path", "code"),
    [
        ("law_4_one_committer", "memos/kit/unit_of_work.py", "connection.commit()\n"),
        ("law_5_one_way_to_the_database", "memos/kit/db.py", "create_async_engine(url)\n"),
        ("law_5_one_way_to_the_database", "memos/embedded/postgres.py", "psycopg.connect(url)\n"),
        ("law_5_sql_lives_in_stores", "memos/turns/store.py", "connection.execute(X)\n"),
        ("law_5_three_doors", "memos/kit/doors.py", "X = 'memos_door_key'\n"),
    ],
)
def test_the_places_where_it_is_allowed(name: str, path: str, code: str) -> None:
    assert RULES[name].findings(Source(path, code)) == []
    assert RULES[name].findings(Source("memos/turns/service.py", f"from sqlalchemy import text\n{code}"))
