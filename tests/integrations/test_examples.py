"""Each example runs as its first lines say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.live import Live

EXAMPLES = Path(__file__).parents[2] / "examples"
FACT, QUESTION = "My dog is called Rex.", "What is my dog called?"
RUNS = {
    "chat_openai": ([FACT, QUESTION], "memos: echo 1 ["),
    "agent_langgraph": ([FACT, QUESTION], f"agent: You said: {FACT}"),
    "history_langchain": (["session-1", "Hello.", "And now?"], "There are 3 messages, the first is: Hello."),
    "quickstart_mem0": ([], "UPDATE: Likes to play tennis on weekends"),
    "client_mcp": ([FACT, QUESTION], FACT),
}


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_it_runs(live: Live, user: str, name: str) -> None:
    arguments, expected = RUNS[name]
    command = [sys.executable, str(EXAMPLES / f"{name}.py"), user, *arguments]
    env = os.environ | {"MEMOS_URL": live.url, "MEMOS_API_KEY": live.key, "PYTHONPATH": str(EXAMPLES.parent)}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert expected in ended.stdout
