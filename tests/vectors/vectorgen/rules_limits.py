"""Pure rules of limits: rates, periods, thresholds. A second implementation."""

import calendar
import datetime
import math

from .form import Cases

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)
UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
         "hour": 3_600_000_000}


class Cell:
    """A leaky bucket in whole numbers: one unit weighs the period, units drain per microsecond."""

    def __init__(self, text, burst=None):
        units, time = text.split("/")
        count = "".join(c for c in time if c.isdigit())
        period = int(count or 1) * UNITS[time[len(count):]]
        divisor = math.gcd(int(units), period)
        self.units, self.period = int(units) // divisor, period // divisor
        self.burst = burst or int(units)
        self.level, self.at = 0, 0

    def take(self, amount, now):
        elapsed = max(0, now - self.at)
        level = max(0, self.level - elapsed * self.units)
        room = self.burst * self.period
        fits = amount == 0 or level + amount * self.period <= room
        if fits and amount:
            self.level, self.at = level + amount * self.period, now
            level = self.level
        answer = {"fits": fits, "remaining": (room - level) // self.period}
        if not fits:
            over = level + amount * self.period - room
            answer["wait_us"] = None if amount > self.burst else -(-over // self.units)
        return answer


def rates():
    cases = Cases("rules/rate", "what a rate admits, call by call", ["B22"], "rate")
    for rate, burst, calls in [
        ("1/s", None, [(0, 1), (0, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 1)]),
        ("5/s", None, [(0, 1)] * 6 + [(199_999, 1), (200_000, 1), (200_001, 1), (1_200_000, 5), (1_200_000, 1)]),
        ("2/s", None, [(0, 2), (0, 1), (500_000, 1), (500_000, 1), (5_000_000, 2), (5_000_000, 1)]),
        ("10/hour", None, [(0, 10), (0, 1), (360_000_000, 1), (360_000_000, 1)]),
        ("200/10s", None, [(0, 200), (0, 1), (49_999, 1), (50_000, 1), (10_000_000, 199), (10_000_000, 1)]),
        ("1/s", 10, [(0, 10), (0, 1), (3_000_000, 3), (3_000_000, 1)]),
        ("100/m", None, [(0, 90), (0, 11), (0, 101), (0, 10), (600_000, 1), (600_000, 1)]),
        ("3/s", None, [(0, 3), (333_333, 1), (333_334, 1), (666_666, 1), (666_667, 1)]),
        ("7/3s", None, [(0, 7), (428_571, 1), (428_572, 1), (857_143, 1), (3_000_000, 5)]),
        ("4/m", None, [(0, 0), (0, 4), (0, 0), (0, 1), (15_000_000, 1)]),
    ]:
        cell = Cell(rate, burst)
        steps = [{"at_us": at, "units": units, **cell.take(units, at)} for at, units in calls]
        taken = {"burst": burst} if burst else {}
        cases.case(rate=rate, **taken, calls=[[at, units] for at, units in calls],
                   expect={"answers": [{k: v for k, v in step.items() if k not in ("at_us", "units")} for step in steps]})
    yield cases


def text(moment):
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return whole + (f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else "") + "Z"


def month_start(anchor, months):
    """The anchor's day and time so many months later, cut to the month's end."""
    number = anchor.year * 12 + anchor.month - 1 + months
    year, month = divmod(number, 12)
    day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day)


def window(period, at):
    """Start and end of the window of `at`, by walking boundaries."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "minute":
        start = at.replace(second=0, microsecond=0)
        return start, start + datetime.timedelta(minutes=1)
    if period == "hour":
        start = at.replace(minute=0, second=0, microsecond=0)
        return start, start + datetime.timedelta(hours=1)
    if period == "day":
        return day, day + datetime.timedelta(days=1)
    if period == "week":
        start = day - datetime.timedelta(days=day.weekday())
        return start, start + datetime.timedelta(days=7)
    if period == "month":
        start = day.replace(day=1)
        return start, month_start(start, 1)
    if period == "year":
        start = day.replace(month=1, day=1)
        return start, month_start(start, 12)
    if "length_s" in period:
        anchor = parse(period["anchor"])
        length = datetime.timedelta(seconds=period["length_s"])
        start = anchor + (at - anchor) // length * length
        return start, start + length
    anchor, months = parse(period["anchor"]), {"month": 1, "year": 12}[period["every"]]
    k = (at.year - anchor.year) * 12 // months + 24
    while month_start(anchor, k * months) > at:
        k -= 1
    return month_start(anchor, k * months), month_start(anchor, (k + 1) * months)


def parse(moment):
    return datetime.datetime.fromisoformat(moment.rstrip("Z"))


def periods():
    cases = Cases("rules/period", "the window that an instant lies in (UTC)", ["INV-30", "I8", "B10", "B11"], "period")
    moments = ["2026-03-10T12:34:56.789012Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59.999999Z",
               "2028-02-29T12:00:00Z", "2026-02-28T23:59:59Z", "1970-01-01T00:00:00Z", "2100-03-01T00:00:00Z"]

    def case(period, moment):
        start, end = window(period, parse(moment))
        assert start <= parse(moment) < end
        cases.case(period=period, at=moment, expect={"start": text(start), "end": text(end)})

    for period in ["minute", "hour", "day", "week", "month", "year"]:
        for moment in moments:
            case(period, moment)
    for moment in moments[:4]:
        case({"length_s": 18000, "anchor": "2026-01-01T00:00:00Z"}, moment)
        case({"length_s": 7, "anchor": "2026-03-10T12:34:56Z"}, moment)
    # From the 31st, for five years: each boundary counts from the original day.
    anchor = {"every": "month", "anchor": "2024-01-31T09:30:00Z"}
    for months in range(0, 60):
        start = month_start(parse(anchor["anchor"]), months)
        case(anchor, text(start))
        case(anchor, text(start - MICRO) if months else text(start))
    for moment in ["2024-02-29T00:00:00Z", "2025-02-27T23:59:59Z", "2025-02-28T00:00:00Z", "2028-02-28T23:59:59Z",
                   "2028-02-29T00:00:00Z"]:
        case({"every": "year", "anchor": "2024-02-29T00:00:00Z"}, moment)
    yield cases


def marks():
    cases = Cases("rules/threshold", "the first count that reaches a percentage", ["RS-24", "RS-25", "A-04"], "threshold")
    for amount, percent in [(50, 80), (50, 100), (3, 80), (1, 1), (1, 100), (1000, 80), (0, 80), (7, 33), (100, 150),
                            (2**53 - 1, 80), (2**53 - 1, 100), (10, 1000)]:
        cases.case(amount=amount, percent=percent, expect={"mark": -(-amount * percent // 100)})
    yield cases


def instants():
    cases = Cases("rules/instant", "an RFC 3339 instant, or a date, which is the end of that day in UTC", ["A-37"], "instant")
    good = [("2026-12-31", "2027-01-01T00:00:00Z"), ("2028-02-28", "2028-02-29T00:00:00Z"),
            ("2026-03-10T12:00:00Z", "2026-03-10T12:00:00Z"), ("2026-03-10T12:00:00+02:00", "2026-03-10T10:00:00Z"),
            ("2026-03-10T12:00:00.000001Z", "2026-03-10T12:00:00.000001Z"), ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z")]
    for written, meant in good:
        micros = (parse(meant) - EPOCH) // MICRO
        cases.case(text=written, expect={"micros": micros})
    for bad in ["", "tomorrow", "2026-02-30", "2026-13-01", "2026-03-10T12:00:00", "2026-03-10T25:00:00Z",
                "2026-03-10T12:00:00+25:00", "2026-03-10T12:00:00Z[UTC]", "10000-01-01T00:00:00Z", "2026-03-10T12:00Z",
                "20260310T120000Z", "2026-03-10T12:00:00.Z", "2026-03-10T12:00:00+0200", "2026-03-10T12:00:00 Z",
                "2026-03-10 12:00:00Z", "2026-3-10T12:00:00Z"]:
        cases.case(text=bad, expect={"micros": None})
    yield cases


def vectors():
    yield from rates()
    yield from periods()
    yield from marks()
    yield from instants()
