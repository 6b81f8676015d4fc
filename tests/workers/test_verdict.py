"""The rule for what fails a job (memos/outbox/verdict.py), as a table."""

from datetime import UTC, datetime, timedelta

import pytest

from memos.generation.port import ModelMismatch, ModelUnavailable, StateUnreadable
from memos.kit.blobs import BlobCorrupt, BlobMissing
from memos.kit.errors import Unavailable
from memos.kit.unit_of_work import DatabaseUnavailable
from memos.outbox.verdict import TRANSIENT_FOR, TRANSIENT_MOST_DELAY_S, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MOST = 8


@pytest.mark.parametrize("error", [ModelUnavailable(), DatabaseUnavailable(), Unavailable("the disk is full")])
def test_an_outage_of_a_day_fails_nothing(error: Unavailable) -> None:
    previous, now, tries = None, NOW, 0
    while now - NOW < TRANSIENT_FOR - timedelta(minutes=1):
        verdict = judge(error, failures=0, previous=previous, most_attempts=MOST, now=now)
        assert (verdict.status, verdict.counted) == ("queued", False)
        assert 0 < verdict.delay_s <= TRANSIENT_MOST_DELAY_S
        tries += 1
        assert verdict.error["tries"] == tries
        assert verdict.error["since"] == NOW.isoformat()
        previous, now = verdict.error, now + timedelta(seconds=verdict.delay_s + 60)
    last = judge(error, failures=0, previous=previous, most_attempts=MOST, now=NOW + TRANSIENT_FOR)
    assert last.status == "failed"


@pytest.mark.parametrize("error", [StateUnreadable(), BlobMissing(), BlobCorrupt(), ModelMismatch(), KeyError("bug")])
def test_poison_fails_within_a_minute(error: Exception) -> None:
    spent_s = 0.0
    for failures in range(MOST):
        verdict = judge(error, failures=failures, previous=None, most_attempts=MOST, now=NOW)
        assert verdict.counted
        assert verdict.error["code"]
        if verdict.status == "failed":
            break
        spent_s += verdict.delay_s
    assert (verdict.status, failures + 1) == ("failed", MOST)
    assert 10 < spent_s < 60


def test_an_outage_between_does_not_hide_poison_nor_the_other_way_round() -> None:
    poison = judge(StateUnreadable(), failures=7, previous={"transient": True, "tries": 9}, most_attempts=MOST, now=NOW)
    assert poison.status == "failed"
    outage = judge(ModelUnavailable(), failures=7, previous=poison.error, most_attempts=MOST, now=NOW)
    assert (outage.status, outage.error["tries"]) == ("queued", 1)


def test_a_bug_is_reported_without_its_text() -> None:
    verdict = judge(ValueError("my dog is called Biscuit"), failures=0, previous=None, most_attempts=MOST)
    assert "Biscuit" not in str(verdict.error)
    assert verdict.error["code"] == "internal"
