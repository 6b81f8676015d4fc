"""Times in a question: "last May", "in 2022", "yesterday", "before the wedding", "used to".

Notable choices:

* Plain patterns of English, read from left to right; what was read is not read again. A question in which none is found
  has no time, and loses nothing.
* "in May" without a year is every May: a scope may be older than the year that is meant by whoever asks.
* A month alone needs a word before it that makes it one ("in", "last", "since"): "may" and "march" are words, too.
* Times are UTC: whoever asks from elsewhere is a few hours off at the edge of a day, and edges are soft in the ranking.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST_YEAR, LAST_YEAR = 1900, 2200
ALWAYS = float("inf")
MONTHS = ("jan feb mar apr may jun jul aug sep oct nov dec").split()
DAYS = ("mon tue wed thu fri sat sun").split()
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
NUMBERS = {
    word: number
    for number, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"a": 1, "an": 1, "couple": 2, "few": 3}
DAYS_OF = {"day": 1, "week": 7, "weekend": 7, "month": 30, "year": 365}

_M = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_Y = r"(?P<year>(?:19|20|21)\d\d)\b"
_D = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?\b"
_EDGE = r"(?:(?P<edge>before|until|till|prior to|after|since|following|from)\s+(?:the\s+)?)?"
_N = (
    r"(?P<number>\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:a )?(?:couple|few)(?: of)?)"
)
_UNIT = r"(?P<unit>day|week|month|year)s?\b"
_ASKED = re.compile(
    r"^\W*(?:and\s+)?(?:when|since when|until when|how long|how (?:recently|often)|"
    r"how many (?:days|weeks|months|years)|"
    r"(?:in |on |at |during )?(?:what|which) (?:date|day|week|weekend|month|year|time|season))\b",
    re.IGNORECASE,
)
_HISTORY = re.compile(
    r"\b(?:used to|before|original(?:ly)?|previous(?:ly)?|former(?:ly)?|initial(?:ly)?|earlier|at first|no longer|"
    r"any ?more|back then|in the past|history|over time)\b",
    re.IGNORECASE,
)
_ANY = re.compile(  # without one of these no pattern matches
    r"\d|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|spring|summer|autumn|fall|winter|yester|to(?:day|night)|night|"
    r"morning|afternoon|evening|ago|(?:day|week|month|year)|weekend|mon|tues|wednes|thurs|fri|satur|sun)",
    re.IGNORECASE,
)
_ANCHOR = re.compile(
    r"\b(?P<edge>before|after|since|until|following|prior to)\s+"
    r"(?:the|an?|her|his|their|my|our|your|its|[A-Z]\w*'s)?\s*(?P<what>[^?.,;!]{3,60})"
)
Span = tuple[float, float]  # from, and up to but without; seconds


@dataclass(frozen=True, slots=True)
class When:
    """`asked`: a time is what is asked for. `spans`, `months` (1 to 12, of any year): when it was. `anchor`: before or
    after what it was, in words. `history`: what is over is asked for, too.
    A time that has passed asks for what was so then, and for nothing else that is over (`ranking`)."""

    asked: bool = False
    spans: tuple[Span, ...] = ()
    months: frozenset[int] = frozenset()
    anchor: tuple[str, str] | None = None
    history: bool = False


def when(question: str, now: float) -> When:
    """`now`: seconds."""
    asked = bool(_ASKED.search(question))
    spans: list[Span] = []
    months: set[int] = set()
    rest = question
    for pattern, read in _PATTERNS if _ANY.search(question) else ():
        for match in list(pattern.finditer(rest)):
            found = _within_calendar(read, match, datetime.fromtimestamp(now, UTC))
            if isinstance(found, int):
                months.add(found)
            elif found is not None:
                spans.append(_edged(match, found))
            if found is not None:
                rest = rest.replace(match.group(), " ", 1)
    named = _ANCHOR.search(rest)
    anchor = None if named is None else (_edge(named.group("edge")), named.group("what").strip())
    return When(asked, tuple(spans), frozenset(months), anchor, bool(_HISTORY.search(question)))


def _within_calendar(read: Callable[[re.Match[str], datetime], Span | int | None], match: re.Match[str], now: datetime):  # type: ignore[no-untyped-def]
    try:
        return read(match, now)
    except (ValueError, OverflowError):  # the 31st of June
        return None


def _edge(word: str) -> str:
    return "before" if word.casefold() in ("before", "until", "till", "prior to") else "after"


def _edged(match: re.Match[str], span: Span) -> Span:
    word = match.groupdict().get("edge")
    if not word:
        return span
    if _edge(word) == "before":
        return (-ALWAYS, span[0])
    return (span[0] if word.casefold() in ("since", "from") else span[1], ALWAYS)


def _span(start: datetime, end: datetime) -> Span:
    return start.timestamp(), end.timestamp()


def _day(year: int, month: int, day: int) -> Span:
    start = datetime(year, month, day, tzinfo=UTC)
    return _span(start, start + timedelta(days=1))


def _months(year: int, month: int, count: int = 1) -> Span:
    last = month - 1 + count
    return _span(datetime(year, month, 1, tzinfo=UTC), datetime(year + last // 12, last % 12 + 1, 1, tzinfo=UTC))


def _month_number(match: re.Match[str]) -> int:
    return MONTHS.index(match.group("month")[:3].casefold()) + 1


def _iso(match: re.Match[str], now: datetime) -> Span:
    return _day(*(int(part) for part in match.group("iso").split("-")))


def _date(match: re.Match[str], now: datetime) -> Span:
    month, day, year = _month_number(match), int(match.group("day")), match.group("year")
    if year is not None:
        return _day(int(year), month, day)
    at = datetime(now.year, month, day, tzinfo=UTC)
    return _day(now.year if at <= now else now.year - 1, month, day)


def _month(match: re.Match[str], now: datetime) -> Span | int:
    month, year = _month_number(match), match.group("year")
    if year is not None:
        return _months(int(year), month)
    word = (match.groupdict().get("which") or "").casefold()
    if word == "last":
        return _months(now.year if month < now.month else now.year - 1, month)
    if word == "next":
        return _months(now.year if month > now.month else now.year + 1, month)
    return _months(now.year, month) if word == "this" else month


def _season(match: re.Match[str], now: datetime) -> Span:
    month, year = SEASONS[match.group("season").casefold()], match.group("year")
    if year is not None:
        return _months(int(year), month, 3)
    begun = now.month >= month
    word = (match.group("which") or "last").casefold()
    if word == "next":
        return _months(now.year + begun, month, 3)
    if word == "last":
        ended = now.timestamp() >= _months(now.year - (not begun), month, 3)[1]
        return _months(now.year - (not begun) - (not ended), month, 3)
    return _months(now.year, month, 3)


def _year(match: re.Match[str], now: datetime) -> Span:
    return _months(int(match.group("year")), 1, 12)


def _today(match: re.Match[str], now: datetime) -> Span:
    back = {"yesterday": 1, "last night": 1}.get(match.group("word").casefold(), 0)
    at = now - timedelta(days=back)
    return _day(at.year, at.month, at.day)


def _relative(match: re.Match[str], now: datetime) -> Span:
    """The calendar's last week, month or year; a weekend is told of with its week."""
    word, unit = match.group("which").casefold(), match.group("unit").casefold()
    step = {"last": -1, "past": -1, "previous": -1, "this": 0, "next": 1}[word]
    if unit == "year":
        return _months(now.year + step, 1, 12)
    if unit == "month":
        number = now.year * 12 + now.month - 1 + step
        return _months(number // 12, number % 12 + 1)
    monday = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=now.weekday())
    return _span(monday + timedelta(weeks=step), monday + timedelta(weeks=step + 1))


def _ago(match: re.Match[str], now: datetime) -> Span:
    """As exact as it is said: "three weeks ago" is some day about then."""
    days = DAYS_OF[match.group("unit").casefold()]
    at = now - timedelta(days=days * _number(match))
    around = timedelta(days=max(0.5, days / 2))
    return _span(at - around, at + around)


def _past(match: re.Match[str], now: datetime) -> Span:
    return _span(now - timedelta(days=DAYS_OF[match.group("unit").casefold()] * _number(match)), now)


def _weekday(match: re.Match[str], now: datetime) -> Span:
    wanted = DAYS.index(match.group("weekday")[:3].casefold())
    at = now - timedelta(days=(now.weekday() - wanted - 1) % 7 + 1)
    return _day(at.year, at.month, at.day)


def _number(match: re.Match[str]) -> int:
    said = match.group("number").casefold().removeprefix("a ").removesuffix(" of")
    return int(said) if said.isdigit() else NUMBERS[said]


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b{_EDGE}{text}", re.IGNORECASE)


_WHICH = r"(?P<which>last|this|next)\s+"
_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], datetime], Span | int | None]], ...] = (
    (_pattern(r"(?P<iso>\d{4}-\d\d-\d\d)\b"), _iso),
    (_pattern(rf"{_D}\s+(?:of\s+)?{_M},?(?:\s+{_Y})?"), _date),
    (_pattern(rf"{_M}\s+{_D}(?!\d)(?:,?\s+{_Y})?"), _date),
    (_pattern(rf"{_M},?\s+(?:of\s+)?{_Y}"), _month),
    (_pattern(rf"(?:in\s+)?{_WHICH}{_M}(?P<year>(?!))?"), _month),
    (
        re.compile(
            rf"\b(?:in|during|of|by|early|late|mid|since|before|after|until)\s+{_M}(?P<year>(?!))?", re.IGNORECASE
        ),
        _month,
    ),
    (
        _pattern(
            rf"(?:{_WHICH}|(?:in|during|of)\s+(?:the\s+)?)(?P<season>spring|summer|autumn|fall|winter)\b(?:\s+(?:of\s+)?{_Y})?"
        ),
        _season,
    ),
    (re.compile(rf"\b{_EDGE}(?:(?:in|during|of|by|year|early|late)\s+)*{_Y}", re.IGNORECASE), _year),
    (_pattern(r"(?P<word>yesterday|today|tonight|last night|this (?:morning|afternoon|evening))\b"), _today),
    (_pattern(rf"{_N}\s+{_UNIT}\s+ago\b"), _ago),
    (_pattern(rf"(?:in|over|during|within)\s+the\s+(?:last|past)\s+{_N}\s+{_UNIT}"), _past),
    (_pattern(r"(?P<which>last|this|next|past|previous)\s+(?P<unit>weekend|week|month|year)\b"), _relative),
    (_pattern(r"(?:last|this past|on)\s+(?P<weekday>mon|tues|wednes|thurs|fri|satur|sun)day\b"), _weekday),
)
