"""Limits over time: periods, rates, thresholds, plan changes, rotations."""

from .form import OK, deny, fixed
from .limit_policies import limit, policy, rate
from .limits import SOLO, exhausted, run, scenario, solo, usage


def periods():
    # name, policy, period as TOML, now, when it ends, an instant just before that
    windows = [
        ("minute", "minute", '"minute"', "2026-03-10T12:00:30Z", "2026-03-10T12:01:00Z", "2026-03-10T12:00:59.999999Z"),
        ("hour", "hour", '"hour"', "2026-03-10T12:00:30Z", "2026-03-10T13:00:00Z", "2026-03-10T12:59:59.999999Z"),
        ("day", "day", '"day"', "2026-03-10T12:00:00Z", "2026-03-11T00:00:00Z", "2026-03-10T23:59:59.999999Z"),
        ("week", "week", '"week"', "2026-03-10T12:00:00Z", "2026-03-16T00:00:00Z", "2026-03-15T23:59:59.999999Z"),
        ("week-sunday", "week-sunday", '{ every = "week", week_start = "sunday" }', "2026-03-10T12:00:00Z", "2026-03-15T00:00:00Z",
         "2026-03-14T23:59:59.999999Z"),
        ("month", "month", '"month"', "2026-02-10T12:00:00Z", "2026-03-01T00:00:00Z", "2026-02-28T23:59:59.999999Z"),
        ("month-leap", "month", '"month"', "2028-02-10T12:00:00Z", "2028-03-01T00:00:00Z", "2028-02-29T23:59:59.999999Z"),
        ("year", "year", '"year"', "2026-03-10T12:00:00Z", "2027-01-01T00:00:00Z", "2026-12-31T23:59:59.999999Z"),
        # Berlin: the clocks go forward on 29 March 2026 (a day of 23 hours) and back on 25 October (25 hours).
        ("zone-day", "zone-day", '{ every = "day", zone = "Europe/Berlin" }', "2026-03-10T12:00:00Z", "2026-03-10T23:00:00Z",
         "2026-03-10T22:59:59.999999Z"),
        ("zone-spring", "zone-day", '{ every = "day", zone = "Europe/Berlin" }', "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z",
         "2026-03-29T21:59:59.999999Z"),
        ("zone-autumn", "zone-day", '{ every = "day", zone = "Europe/Berlin" }', "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z",
         "2026-10-25T22:59:59.999999Z"),
        ("zone-month", "zone-month", '{ every = "month", zone = "Asia/Kolkata" }', "2026-03-10T12:00:00Z", "2026-03-31T18:30:00Z",
         "2026-03-31T18:29:59.999999Z"),
        ("length", "length", '{ length_s = 18000, anchor = "2026-01-01T00:00:00Z" }', "2026-01-01T04:59:59Z",
         "2026-01-01T05:00:00Z", "2026-01-01T04:59:59.999999Z"),
        ("length-before-anchor", "length-anchor", '{ length_s = 18000, anchor = "2026-03-10T14:00:00Z" }', "2026-03-10T12:00:00Z",
         "2026-03-10T14:00:00Z", "2026-03-10T13:59:59.999999Z"),
        # From the 31st: every boundary counts from the original day, cut to the month's end.
        ("anchor-31-february", "anchor-31", '{ every = "month", anchor = "2026-01-31T09:00:00Z" }', "2026-02-01T00:00:00Z",
         "2026-02-28T09:00:00Z", "2026-02-28T08:59:59.999999Z"),
        ("anchor-31-march", "anchor-31", '{ every = "month", anchor = "2026-01-31T09:00:00Z" }', "2026-02-28T09:00:00Z",
         "2026-03-31T09:00:00Z", "2026-03-31T08:59:59.999999Z"),
        ("anchor-31-april", "anchor-31", '{ every = "month", anchor = "2026-01-31T09:00:00Z" }', "2026-03-31T09:00:00Z",
         "2026-04-30T09:00:00Z", "2026-04-30T08:59:59.999999Z"),
        ("anchor-leap-year", "anchor-year", '{ every = "year", anchor = "2024-02-29T00:00:00Z" }', "2026-03-10T12:00:00Z",
         "2027-02-28T00:00:00Z", "2027-02-27T23:59:59.999999Z"),
    ]
    for name, policy_name, period, now, end, last in windows:
        p = policy(f"period-{policy_name}", "One in a period.", limit(period=period, amount=1))
        s = solo(scenario(f"period-{name}", f"a count begins anew exactly at the end of its period ({name})", p, "INV-30",
                          "I8", "B10", "B11", now=now))
        run(s, {"allowed": True, "resets_at": end})
        run(s, exhausted(resets_at=end))
        s.advance(to=last)
        run(s, exhausted(resets_at=end, retry_after_ms=1))
        s.advance(to=end)
        run(s, {"allowed": True, "used": 1})
        run(s, exhausted())
        yield s

    anchored = policy("period-plan-start", "One a month from the start of the plan.",
                      limit(table="plans.paid.limits", period='{ every = "month", anchor = "plan_start" }', amount=1),
                      top='default_plan = "paid"\n\n[plans.paid]\n')
    s = solo(scenario("period-plan-start", "a period may begin with the plan", anchored, "INV-30",
                      now="2026-01-31T10:00:00Z"), plan="paid")
    run(s, {"allowed": True, "resets_at": "2026-02-28T10:00:00Z"})
    run(s, exhausted())
    s.advance(to="2026-02-28T10:00:00Z")
    run(s, {"allowed": True, "resets_at": "2026-03-31T10:00:00Z"})
    yield s

    daily = policy("period-day", "One in a period.", limit(period='"day"', amount=1))
    s = solo(scenario("clock-back", "a clock that steps back grants nothing again", daily, "INV-30", "B9", "INV-05"))
    run(s)
    s.advance(seconds=86400)
    run(s, {"allowed": True, "used": 1})
    s.advance(seconds=-86400)
    run(s, exhausted())
    yield s

    s = solo(scenario("period-idle", "periods that pass unused are not saved up", daily, "INV-30"))
    s.advance(seconds=10 * 86400)
    run(s)
    run(s, exhausted())
    yield s


def rates():
    per_second = policy("rate-5", "Five a second.", rate("burst", '["key"]', "5/s"))
    s = solo(scenario("rate", "a rate admits its burst, then one unit as each is earned", per_second, "B22"))
    s.authorize("free", {"allowed": True}, times=5)
    for _ in range(3):
        run(s, deny("rate_limited", reason="rate", limit="burst", retry_after_ms=200), operation="free")
    s.step("advance", micros=199_999)
    run(s, deny("rate_limited"), operation="free")
    s.step("advance", micros=1)
    run(s, operation="free", expect={"allowed": True, "remaining": 0})
    run(s, deny("rate_limited"), operation="free")
    s.advance(1)
    s.authorize("free", {"allowed": True}, times=5)
    run(s, deny("rate_limited"), operation="free")
    yield s

    s = solo(scenario("rate-idle", "what is not used is not saved beyond the burst", per_second, "B22"))
    s.advance(3600)
    s.authorize("free", {"allowed": True}, times=5)
    run(s, deny("rate_limited"), operation="free")
    yield s

    s = scenario("rate-others", "one key's rate is nobody else's", per_second, "INV-32")
    solo(s, "a")
    solo(s, "b")
    s.authorize("free", {"allowed": True}, times=5)
    run(s, deny("rate_limited"), operation="free")
    s.authorize("free", {"allowed": True}, key="b", times=5)
    yield s

    burst = policy("rate-burst", "One a second, ten at once.", rate("burst", '["key"]', "1/s", burst=10))
    s = solo(scenario("rate-burst", "a burst of its own", burst))
    s.authorize("free", {"allowed": True}, times=10)
    run(s, deny("rate_limited", retry_after_ms=1000), operation="free")
    s.advance(3)
    s.authorize("free", {"allowed": True}, times=3)
    run(s, deny("rate_limited"), operation="free")
    yield s

    tokens = policy("rate-tokens", "A hundred tokens a minute.", rate("tokens", '["key"]', "100/m", meter='"tokens"'))
    s = solo(scenario("rate-meter", "a rate on a meter counts units; more than the burst never fits", tokens, "B22"))
    run(s, operation="free", expect={"allowed": True})
    run(s, operation="ask", cost=90)
    run(s, deny("rate_limited", reason="rate", asked=11, available=10, retry_after_ms=600), operation="ask", cost=11)
    run(s, deny("rate_limited", reason="rate", asked=101, retry_after_ms=None), operation="ask", cost=101)
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=10)
    yield s

    both = policy("rate-and-limit", "Two a second, three a day.", limit(period='"day"', amount=3),
                  rate("burst", '["key"]', "2/s"))
    s = solo(scenario("rate-before-usage", "a call refused by the rate is not counted, nor one refused by the limit timed",
                      both, "A-43", "I7", "INV-29"))
    s.authorize("run", {"allowed": True}, times=2)
    run(s, deny("rate_limited"))
    usage(s, {"count": 2})
    s.advance(1)
    run(s)
    for _ in range(3):
        run(s, exhausted())
    run(s, operation="free", expect={"allowed": True}, note="the refused calls have not taken of the rate")
    yield s

    two = policy("rate-two", "Three a second, four a minute.", rate("second", '["key"]', "3/s"),
                 rate("minute", '["account"]', "4/m"))
    s = scenario("rate-all-or-nothing", "of two rates none is taken if one refuses", two, "INV-29", "B3")
    solo(s, "a")
    solo(s, "b")
    s.authorize("free", {"allowed": True}, times=3)
    run(s, deny("rate_limited", limit="second"), operation="free")
    run(s, operation="free", key="b")
    run(s, deny("rate_limited", limit="minute"), operation="free", key="b")
    s.advance(15)
    s.authorize("free", {"allowed": True}, key="b", times=1)
    yield s

    strict = policy("rate-strict", "Five a second over all processes.", rate("burst", '["key"]', "5/s", mode='"strict"'))
    s = solo(scenario("rate-strict", "a strict rate is one rate over all processes", strict, "INV-26"))
    for process in ("1", "2", "1", "2", "1"):
        run(s, operation="free", expect={"allowed": True}, process=process)
    for process in ("1", "2"):
        run(s, deny("rate_limited"), operation="free", process=process)
    yield s

    s = solo(scenario("rate-local", "a local rate counts in each process", per_second, "INV-26"))
    for process in ("1", "2"):
        s.authorize("free", {"allowed": True}, times=5, process=process)
        run(s, deny("rate_limited"), operation="free", process=process)
    yield s


def thresholds():
    colours = '[{ at = 80, state = "yellow" }, { at = 100, state = "red", action = "block" }]'
    fifty = policy("thresholds-50", "Yellow from 80 percent of fifty, red from 100.", limit(amount=50, thresholds=colours))
    s = solo(scenario("thresholds", "reached means at least, in whole units", fifty, "RS-24", "RS-25", "A-04", "I10"))
    for calls, count, percent, state in [(0, 0, 0, "normal"), (25, 25, 50, "normal"), (14, 39, 78, "normal"),
                                         (1, 40, 80, "yellow"), (9, 49, 98, "yellow"), (1, 50, 100, "red")]:
        if calls:
            s.authorize("run", {"allowed": True}, times=calls)
        usage(s, {"count": count, "percent": percent, "state": state})
    run(s, exhausted())
    usage(s, {"count": 50, "state": "red"})
    yield s

    s = solo(scenario("thresholds-odd", "a mark is the first count at or past the percentage, never a rounded one",
                      policy("thresholds-3", "Yellow from 80 percent of three.", limit(amount=3, thresholds=colours)),
                      "RS-24", "A-04"))
    s.authorize("run", {"allowed": True}, times=2)
    usage(s, {"percent": 66, "state": "normal"})
    run(s)
    usage(s, {"percent": 100, "state": "red"})
    yield s

    odd = policy("thresholds-1000", "Yellow from 80 percent of a thousand.",
                 limit("tokens", meter="tokens", amount=1000, thresholds=colours))
    s = solo(scenario("thresholds-799", "79.9 percent is not 80", odd, "RS-24"))
    run(s, operation="ask", cost=799)
    usage(s, {"count": 799, "percent": 79, "state": "normal"}, limit="tokens")
    run(s, operation="ask", cost=1)
    usage(s, {"count": 800, "percent": 80, "state": "yellow"}, limit="tokens")
    yield s


def plans():
    table = policy("plans", "Three plans over one limit.", limit(table="plans.free.limits", amount=2),
                   limit(table="plans.big.limits", amount=4), limit(table="plans.endless.limits"),
                   top='default_plan = "free"\n\n[plans.free]\n\n[plans.big]\n\n[plans.endless]\n')
    s = solo(scenario("plan-upgrade", "an upgrade keeps secret and count and unblocks at once", table, "RS-27", "A-06",
                      "INV-31", "B2"))
    s.authorize("run", {"allowed": True, "plan": "free"}, times=2)
    run(s, exhausted())
    s.update(plan="big")
    run(s, {"allowed": True, "plan": "big", "used": 3, "remaining": 1})
    run(s)
    run(s, exhausted())
    s.update(plan="endless")
    run(s, {"allowed": True, "plan": "endless"})
    usage(s, {"count": 5, "cap": None})
    yield s

    s = solo(scenario("plan-downgrade", "a downgrade below the count blocks at once and never underflows", table, "A-06",
                      "INV-31", "I11"), plan="endless")
    s.authorize("run", {"allowed": True}, times=3)
    s.update(plan="free")
    run(s, exhausted(available=0))
    usage(s, {"count": 3, "charged": 3, "cap": 2, "percent": 150})
    s.update(plan="big")
    run(s, {"allowed": True, "remaining": 0})
    run(s, exhausted())
    yield s

    s = scenario("plan-default", "without a plan a key has the default one", table, "RS-04")
    solo(s, "a")
    solo(s, "b", plan="big")
    run(s, {"allowed": True, "plan": "free"})
    run(s, {"allowed": True, "plan": "big"}, key="b")
    s.issue("c", {"ok": False, "code": "unknown_plan"}, **SOLO, plan="gold")
    yield s

    fresh = policy("plans-fresh", "A change of plan begins the count anew.",
                   limit(table="plans.free.limits", amount=2, on_plan_change='"fresh"'),
                   limit(table="plans.big.limits", amount=3, on_plan_change='"fresh"'),
                   top='default_plan = "free"\n\n[plans.free]\n\n[plans.big]\n')
    s = solo(scenario("plan-fresh", "with on_plan_change = fresh a new plan starts at zero", fresh, "INV-31"))
    s.authorize("run", {"allowed": True}, times=2)
    s.update(plan="big")
    run(s, {"allowed": True, "used": 1, "remaining": 2})
    yield s

    per_org = policy("plans-org", "The org's record names the plan.", limit(table="plans.free.limits", subject='["org"]', amount=1),
                     limit(table="plans.big.limits", subject='["org"]', amount=3), '\n[usage]\nplan_on = "org"\n',
                     top='default_plan = "free"\n\n[plans.free]\n\n[plans.big]\n')
    s = scenario("plan-on-org", "the plan of an org holds for all its keys", per_org, "RT-37")
    s.put(org="o1").put(org="o2")
    for key, org in [("a", "o1"), ("b", "o1"), ("c", "o2")]:
        s.issue(key, preset="client", org=fixed(org), user=fixed("u1"))
    s.step("set_plan", OK, account="acme", org="o1", plan="big")
    run(s, {"allowed": True, "plan": "big", "remaining": 2})
    run(s, {"allowed": True, "plan": "big", "remaining": 1}, key="b")
    run(s, {"allowed": True, "plan": "free", "remaining": 0}, key="c")
    run(s, exhausted(), key="c")
    yield s


def lifecycle():
    two = policy("lifetime-2", "A hard limit of two for the life of the key.", limit(amount=2))
    s = solo(scenario("rotation", "a rotation keeps the count: old and new key share it", two, "INV-31", "A-40", "N-08"))
    run(s)
    s.key_step("rotate", **{"as": "b"}, grace_s=3600)
    run(s, {"allowed": True, "used": 2, "remaining": 0}, key="b")
    run(s, exhausted())
    run(s, exhausted(), key="b")
    yield s

    s = solo(scenario("regenerate", "a new text for the same key keeps the count", two, "INV-31", "A-40"))
    s.authorize("run", {"allowed": True}, times=2)
    s.key_step("regenerate", **{"as": "b"})
    run(s, exhausted(), key="b")
    yield s

    s = solo(scenario("recreate", "a new key starts at zero", two, "RS-28", "A-40"))
    s.authorize("run", {"allowed": True}, times=2)
    run(s, exhausted())
    s.key_step("revoke")
    solo(s, "b")
    run(s, {"allowed": True, "used": 1}, key="b")
    yield s


def vectors():
    for group in (periods, rates, thresholds, plans, lifecycle):
        yield from group()
