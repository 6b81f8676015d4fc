"""The archive of the first format version, made when that was new, loads for ever."""

import hashlib
from pathlib import Path

import httpx2

from memos.kernel.version import broken_links
from tests.api.talk import chain, held, of, say, turns
from tests.archives.conftest import taken_in

GOLDEN = Path(__file__).parents[1] / "data" / "archive-v1.memos.zip"
SHA256 = "80e67a6721faf2c7700f662e0a0c2dfac1327984dfaa61c48a37c8f38695e0d0"


def test_it_is_the_file_that_was_made_then() -> None:
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == SHA256


def test_the_archive_of_format_version_1_loads(there: httpx2.Client) -> None:
    told = taken_in(there, GOLDEN.read_bytes())
    assert (told["format_version"], len(told["conversations"]), len(told["cubes"]), told["left_out"]) == (1, 2, 3, 1)
    began, fork = sorted(pair["id"] for pair in told["conversations"])
    assert [(turn["input"], turn["status"]) for turn in turns(there, began)] == [
        ("My dog is called Biscuit.", "applied"),
        ("It rained today.", "applied"),
        ("We went out all the same.", "superseded"),
        ("It stopped.", "applied"),
    ]
    assert [turn["input"] for turn in turns(there, fork)] == ["My dog is called Biscuit.", "He is four."]
    answer = say(there, began, "And now?")
    assert held(answer["output"]) == of("My dog is called Biscuit.", "It rained today.", "It stopped.")
    cubes = [there.get(f"/v1/cubes/{pair['id']}").json() for pair in told["cubes"]]
    (text,) = [cube for cube in cubes if cube["kind"] == "plaintext"]
    assert text["tags"] == ["pets"]
    words = [there.get(f"/v1/cubes/{text['id']}/versions/{n}/payload").text for n in range(text["head_version"] + 1)]
    assert words == ["Ada has a dog.", "Ada has an old dog.", "Ada has an old dog."], "what was erased is left out"
    for cube in cubes:
        assert broken_links(chain(there, cube["id"])) == []
