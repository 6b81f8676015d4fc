"""Ids, configuration, the tree of errors and the documents made of them."""

import re
import time
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

import memos.generation.pool
import memos.http.app
import memos.jobs.service
import memos.kit.blobs
from memos.http.problems import problem_of
from memos.kit import errors
from memos.kit.config import Settings
from memos.kit.errors import BadRequest, MemosError, StartupError, Unavailable
from memos.kit.ids import ID_PATTERN, Prefix, new_id
from memos.kit.unit_of_work import DatabaseUnavailable, translated


def _all_errors(root: type[MemosError] = MemosError) -> list[type[MemosError]]:
    return [root, *(found for child in root.__subclasses__() for found in _all_errors(child))]


def test_ids_sort_by_age_and_say_what_they_name() -> None:
    for prefix in get_args(Prefix):
        ids = []
        for _ in range(5):
            ids.append(new_id(prefix))
            time.sleep(0.002)
        assert ids == sorted(set(ids))
        assert all(ID_PATTERN.fullmatch(made) and made.startswith(f"{prefix}_") for made in ids)


@pytest.mark.parametrize("wrong", ["", "conv", "conv_", "conv_" + "g" * 32, "conv_" + "0" * 31, "CONV_" + "0" * 32])
def test_what_is_no_id_does_not_match(wrong: str) -> None:
    assert ID_PATTERN.fullmatch(wrong) is None


def test_arguments_beat_the_environment_which_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "memos.toml").write_text('port = 1001\nhost = "10.0.0.1"\ngenerator = "echo"\n')
    monkeypatch.setenv("MEMOS_PORT", "1002")
    monkeypatch.setenv("MEMOS_HOST", "")  # set to nothing is not set
    settings = Settings(port=1003)
    assert (settings.port, settings.host, settings.generator) == (1003, "10.0.0.1", "echo")
    assert Settings().port == 1002
    monkeypatch.delenv("MEMOS_PORT")
    assert Settings().port == 1001
    (tmp_path / "memos.toml").unlink()
    assert (Settings().port, Settings().host) == (7077, "127.0.0.1")


def test_settings_cannot_be_changed_and_are_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    with pytest.raises(ValueError):
        settings.port = 1  # type: ignore[misc]
    for wrong in ({"port": 70_000}, {"turn_wait_s": 0}, {"max_body_bytes": 10}, {"log_level": "loud"}):
        with pytest.raises(ValueError):
            Settings.model_validate(wrong)


def test_every_setting_says_what_it_is_and_its_unit() -> None:
    bare = [name for name, field in Settings.model_fields.items() if field.annotation is float and name[-2:] != "_s"]
    assert bare == []


def test_the_error_tree_in_the_docstring_is_the_tree() -> None:
    documented = set(re.findall(r"[A-Z]\w+", (errors.__doc__ or "").split("The class docstring")[0]))
    defined = {cls.__name__ for cls in _all_errors() if cls.__module__ == errors.__name__}
    assert defined <= documented
    assert "MemosError" in defined


@pytest.mark.parametrize("error", _all_errors(), ids=lambda error: error.__name__)
def test_every_error_has_a_code_a_status_a_hint_and_a_sentence(error: type[MemosError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
    assert error.hint.endswith((".", "`."))
    assert (error.__doc__ or "").strip()
    if issubclass(error, BadRequest):
        assert 400 <= error.status < 500
    elif issubclass(error, Unavailable):
        assert error.status == 503
        assert error.retry_after_s is not None
    document = error().problem()
    assert {"type", "title", "status", "code", "detail", "hint"} <= document.keys()


def test_codes_are_not_shared() -> None:
    codes = [error.code for error in _all_errors() if "code" in vars(error)]
    assert len(codes) == len(set(codes))


def test_a_problem_document_says_what_was_given() -> None:
    error = Unavailable("the model sleeps", hint="Wake it.", retry_after_s=7, model="echo")
    document = problem_of(error)
    assert document["detail"] == "the model sleeps"
    assert document["hint"] == "Wake it."
    assert document["context"] == {"model": "echo"}
    assert error.retry_after_s == 7
    assert Unavailable().retry_after_s == 1.0


class _Failed(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize("state", [None, "08006", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01"])
def test_what_a_retry_helps_is_a_503(state: str | None) -> None:
    found = translated(OperationalError("SELECT 1", {}, _Failed(state)))
    assert isinstance(found, DatabaseUnavailable)
    assert found.status == 503


@pytest.mark.parametrize("state", ["23505", "42P01", "22P05", "55000"])
def test_a_bug_stays_a_bug(state: str) -> None:
    error = OperationalError("SELECT 1", {}, _Failed(state))
    assert translated(error) is error


def test_a_full_pool_is_a_503() -> None:
    assert isinstance(translated(PoolTimeout()), DatabaseUnavailable)


def test_refusing_to_start_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StartupError) as refused:
        memos.http.app.create_app(Settings())
    assert "MEMOS_DATABASE_URL" in refused.value.hint
