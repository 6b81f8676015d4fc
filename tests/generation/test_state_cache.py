"""The cache of decoded states: bounded in bytes and in age."""

from hypothesis import given
from hypothesis import strategies as st

from memos.generation.state_cache import StateCache

ACTIONS = st.lists(st.tuples(st.sampled_from(["put", "get"]), st.sampled_from("abcdef")), max_size=60)
SIZES = {"a": 10, "b": 20, "c": 30, "d": 40, "e": 101, "f": 0}


@given(ACTIONS)
def test_it_holds_the_most_recently_used_that_fit(actions):
    cache: StateCache[str] = StateCache(100, max_age_s=60.0, clock=lambda: 0.0)
    recent: list[str] = []
    for action, name in actions:
        if action == "put" and SIZES[name] <= 100:
            cache.put(name, name.upper(), SIZES[name])
            recent = [kept for kept in recent if kept != name] + [name]
            while sum(SIZES[kept] for kept in recent) > 100:
                recent.pop(0)
        elif action == "put":
            cache.put(name, name.upper(), SIZES[name])
        else:
            assert cache.get(name) == (name.upper() if name in recent else None)
            if name in recent:
                recent.remove(name)
                recent.append(name)
        stats = cache.stats()
        assert stats["bytes"] == sum(SIZES[kept] for kept in recent) <= stats["max_bytes"] == 100
        assert stats["entries"] == len(recent)


def test_nothing_outlives_its_age_even_unread():
    now = [0.0]
    cache: StateCache[str] = StateCache(100, max_age_s=10.0, clock=lambda: now[0])
    cache.put("old", "x", 1)
    now[0] = 6.0
    cache.put("new", "y", 1)
    assert cache.get("old") == "x"  # reading does not prolong a life
    now[0] = 11.0
    assert cache.get("old") is None
    cache.expire()
    assert cache.stats()["entries"] == 1
    assert cache.get("new") == "y"


def test_without_bytes_it_keeps_nothing():
    cache: StateCache[str] = StateCache(0, max_age_s=10.0)
    cache.put("a", "x", 1)
    assert cache.get("a") is None
