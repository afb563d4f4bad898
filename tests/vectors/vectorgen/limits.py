"""Plan limits as a caller sees them: what is admitted, what is refused, what is counted."""

from .form import OK, Scenario, deny, fixed, open_org, open_user
from .limit_policies import limit, policy, rate

BIG = 2**53 - 1
SOLO = dict(preset="solo", org="none", user=fixed("u0"))
MIDNIGHT = 43200  # seconds from noon to midnight


def scenario(id, title, policy_name, *rows, now=None):
    s = Scenario(f"limits/{id}", title, list(rows), policy_name, **({"now": now} if now else {}))
    return s


def solo(s, name="a", **more):
    return s.issue(name, **SOLO, **more)


def run(s, expect=None, operation="run", key="a", **members):
    return s.authorize(operation, expect or {"allowed": True}, key, **members)


def exhausted(reason="exhausted", **more):
    return deny("usage_limit_reached", reason=reason, **more)


def usage(s, expect, limit="runs", key="a", **members):
    return s.step("usage", expect, key=key, limit=limit, **members)


def hard():
    two = policy("lifetime-2", "A hard limit of two for the life of the key.", limit(amount=2))
    s = solo(scenario("hard-lifetime", "a hard limit admits its amount and then refuses for good", two, "A-03", "A-04",
                      "A-05", "B1"))
    run(s, {"allowed": True, "limit": "runs", "quota": 2, "used": 1, "remaining": 1, "resets_at": None})
    run(s, {"allowed": True, "used": 2, "remaining": 0, "percent": 100})
    for _ in range(2):
        run(s, exhausted(limit="runs", asked=1, available=0, quota=2, used=2, retry_after_ms=None))
    run(s, operation="free", expect={"allowed": True})
    s.advance(seconds=400 * 86400)
    run(s, exhausted(retry_after_ms=None))
    usage(s, {"count": 2, "charged": 2, "cap": 2, "percent": 100})
    yield s

    s = solo(scenario("one", "a limit of one admits one", policy("lifetime-1", "A hard limit of one.", limit(amount=1)),
                      "B3"))
    run(s)
    run(s, exhausted())
    yield s

    s = solo(scenario("zero", "a limit of nothing refuses the first call, and is no missing entitlement",
                      policy("lifetime-0", "A hard limit of nothing.", limit(amount=0)), "INV-28"))
    run(s, exhausted(asked=1, available=0))
    run(s, operation="free", expect={"allowed": True})
    run(s, operation="ask", cost=0, expect=exhausted())
    usage(s, {"count": 0, "charged": 0})
    yield s

    three = policy("lifetime-3", "A hard limit of three.", limit(amount=3))
    s = solo(scenario("insufficient", "what is left but too little is told, and stays", three, "I7", "INV-28", "INV-29"))
    run(s, operation="run_twice")
    run(s, exhausted("insufficient", asked=2, available=1), operation="run_twice")
    run(s, {"allowed": True, "remaining": 0})
    run(s, exhausted("exhausted", asked=2, available=0), operation="run_twice")
    usage(s, {"count": 3, "charged": 3})
    yield s

    tokens = policy("tokens-100", "A hard limit of 100 on the variable meter, a day.",
                    limit("tokens", meter='tokens', period='"day"', amount=100))
    s = solo(scenario("cost", "the cost given with a call replaces that of the variable meter", tokens, "INV-28"))
    run(s, {"allowed": True, "cost": 10, "remaining": 90}, operation="ask")
    run(s, {"allowed": True, "cost": 60, "remaining": 30}, operation="ask", cost=60)
    run(s, exhausted("insufficient", asked=31, available=30), operation="ask", cost=31)
    run(s, {"allowed": True, "limits": []}, operation="ask", cost=0)
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=30)
    run(s, exhausted("exhausted", asked=1, available=0), operation="ask", cost=1)
    usage(s, {"count": 100}, limit="tokens")
    yield s

    s = solo(scenario("cost-over-cap", "what is more than the cap never fits: no Retry-After", tokens, "INV-28", "A-05"))
    for cost in (101, BIG):
        run(s, exhausted("insufficient", asked=cost, available=100, retry_after_ms=None), operation="ask", cost=cost)
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=100)
    usage(s, {"count": 100}, limit="tokens")
    yield s

    big = policy("tokens-biggest", "The largest amount there is.", limit("tokens", meter="tokens", amount=BIG))
    s = solo(scenario("biggest", "2^53 - 1 units are counted exactly", big, "B21", "INV-28"))
    run(s, {"allowed": True, "remaining": 1}, operation="ask", cost=BIG - 1)
    run(s, exhausted("insufficient", asked=2, available=1), operation="ask", cost=2)
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=1)
    run(s, exhausted("exhausted"), operation="ask", cost=1)
    usage(s, {"count": BIG, "cap": BIG}, limit="tokens")
    yield s

    free = policy("none", "Meters without a limit.")
    s = solo(scenario("none", "a policy without limits never answers 429", free, "AM-24", "A-31"))
    s.authorize("run", {"allowed": True, "limits": []}, times=200)
    yield s

    unlimited = policy("unlimited", "Counted without a bound.", limit())
    s = solo(scenario("unlimited", "no amount is no bound, and is counted all the same", unlimited, "RS-21", "A-06"))
    s.authorize("run", {"allowed": True, "limit": None}, times=120)
    usage(s, {"count": 120, "cap": None, "percent": None})
    yield s


def parallel():
    fifty = policy("lifetime-50", "A hard limit of fifty.", limit(amount=50))
    s = solo(scenario("parallel", "200 calls at once: exactly 50 are admitted", fifty, "B1", "B23", "INV-26", "I1"))
    s.step("parallel", {"allowed": 50, "refused": 150, "code": "usage_limit_reached"}, calls=200, operation="run",
           key="$key:a")
    usage(s, {"count": 50, "charged": 50})
    run(s, exhausted())
    yield s

    s = solo(scenario("processes", "two processes on one store share one count", fifty, "INV-26", "B20"))
    s.step("parallel", {"allowed": 50, "refused": 50, "code": "usage_limit_reached"}, calls=100, operation="run",
           key="$key:a", processes=2)
    for process in ("1", "2"):
        s.authorize("run", exhausted(), process=process)
    usage(s, {"count": 50, "charged": 50})
    yield s

    s = solo(scenario("restart", "a restart keeps the count", fifty, "RS-20", "B12", "INV-36"))
    s.authorize("run", {"allowed": True}, times=30)
    s.step("restart")
    run(s, {"allowed": True, "used": 31, "remaining": 19})
    usage(s, {"count": 31})
    yield s


def several():
    both = policy("two", "A wide limit of five and a narrow one of two.",
                  limit("account", subject='["account"]', amount=5), limit("key", subject='["key"]', amount=2))
    s = scenario("all-or-nothing", "several limits are charged together or not at all", both, "N-04", "I7", "INV-29",
                 "B2", "B3")
    solo(s, "a")
    solo(s, "b")
    solo(s, "c")
    run(s, {"allowed": True, "limits": [{"name": "key", "used": 1, "remaining": 1},
                                        {"name": "account", "used": 1, "remaining": 4}]})
    run(s)
    for _ in range(3):
        run(s, exhausted(limit="key"))
    usage(s, {"count": 2}, limit="account")
    run(s, key="b")
    run(s, key="b")
    run(s, exhausted(limit="key"), key="b")
    run(s, exhausted("insufficient", limit="account", asked=2, available=1), operation="run_twice", key="c")
    usage(s, {"count": 0}, limit="key", key="c")
    run(s, key="c")
    run(s, exhausted(limit="account"), key="c")
    usage(s, {"count": 1}, limit="key", key="c")
    usage(s, {"count": 5, "charged": 5}, limit="account")
    yield s

    layers = policy("layers", "One limit per subject: user 2, org 3, account 4.",
                    limit("user", subject='["user"]', amount=2), limit("org", subject='["org"]', amount=3),
                    limit("account", subject='["account"]', amount=4))
    s = scenario("layers", "layers of user, org and account: the answer says which refused", layers, "N-04")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    call = lambda org, user, expect: run(s, expect, query=f"org_id={org}&user_id={user}")  # noqa: E731
    call("o1", "u1", {"allowed": True})
    call("o1", "u1", {"allowed": True})
    call("o1", "u1", exhausted(limit="user"))
    call("o1", "u2", {"allowed": True})
    call("o1", "u2", exhausted(limit="org"))
    call("o2", "u1", {"allowed": True})
    call("o2", "u1", exhausted(limit="account"))
    call("o3", "u3", exhausted(limit="account"))
    s.tenants({"orgs": ["o1", "o2"]})
    yield s


def subjects():
    per_key = policy("lifetime-1", "A hard limit of one.", limit(amount=1))
    s = scenario("subject-key", "each key has a count of its own", per_key, "RS-32")
    for key in ("a", "b"):
        solo(s, key)
    run(s)
    run(s, exhausted())
    run(s, key="b")
    yield s

    per_user = policy("user-1", "One a user.", limit(subject='["user"]', amount=1))
    s = scenario("subject-user", "users are counted within their org and account", per_user, "A-29", "N-04")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    s.issue("b", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("c", account="other", preset="platform", org=open_org(True), user=open_user(True))
    for org, user in [("o1", "u1"), ("o1", "u2"), ("o2", "u1")]:
        run(s, query=f"org_id={org}&user_id={user}")
        run(s, exhausted(), query=f"org_id={org}&user_id={user}")
        run(s, exhausted(), key="b", query=f"org_id={org}&user_id={user}", note="another key, the same user")
    run(s, key="c", query="org_id=o1&user_id=u1", note="equal ids of two accounts never meet")
    yield s

    for name, subject in [("org", '["org"]'), ("account", '["account"]')]:
        s = scenario(f"subject-{name}", f"all keys of one {name} share its count, other accounts have theirs",
                     policy(f"{name}-1", f"One per {name}.", limit(subject=subject, amount=1)), "RT-37")
        for key in ("a", "b"):
            s.issue(key, preset="client", org=fixed("o1"), user=open_user(True))
        s.issue("other-org", preset="client", org=fixed("o2"), user=open_user(True))
        s.issue("stranger", account="other", preset="client", org=fixed("o1"), user=open_user(True))
        run(s, query="user_id=u1")
        run(s, exhausted(), key="b", query="user_id=u2")
        run(s, {"allowed": True} if name == "org" else exhausted(), key="other-org", query="user_id=u1")
        run(s, key="stranger", query="user_id=u1")
        yield s

    provider = policy("provider-2", "Two a second for each key and provider.",
                      '\n[operations.provider_tool]\nlevel = "user"\ndimensions = "provider"\n',
                      rate("provider", '["key", "provider"]', "2/s"), top='dimensions = ["provider"]\n')
    s = solo(scenario("AM-22", "a rate per key and provider", provider, "AM-22"))
    bitrix = [["provider", "bitrix24"]]
    run(s, operation="provider_tool", dimensions=bitrix)
    run(s, operation="provider_tool", dimensions=bitrix)
    run(s, deny("rate_limited", reason="rate", limit="provider", retry_after_ms=500), operation="provider_tool",
        dimensions=bitrix)
    run(s, operation="provider_tool", dimensions=[["provider", "slack"]])
    s.advance(1)
    run(s, operation="provider_tool", dimensions=bitrix)
    yield s


def modes():
    soft = policy("soft", "Ten included, twelve at most.",
                  limit(amount=10, mode='"soft"', overage_cap=12,
                        thresholds='[{ at = 100, state = "over" }]'))
    s = solo(scenario("soft", "a soft limit goes on past what is included, marked, up to its cap", soft, "RT-37"))
    s.authorize("run", {"allowed": True, "over_included": False}, times=10)
    run(s, {"allowed": True, "over_included": True})
    usage(s, {"count": 11, "overage": 1, "included": 10, "cap": 12, "percent": 110})
    run(s, {"allowed": True, "over_included": True, "remaining": 0})
    run(s, exhausted())
    usage(s, {"count": 12, "overage": 2})
    yield s

    endless = policy("soft-endless", "One included, no cap.", limit(amount=1, mode='"soft"'))
    s = solo(scenario("soft-endless", "without an overage cap a soft limit never refuses", endless))
    run(s, {"allowed": True, "over_included": False})
    s.authorize("run", {"allowed": True, "over_included": True}, times=99)
    usage(s, {"count": 100, "overage": 99, "cap": None})
    yield s

    slow = policy("slow", "Two a day, then three an hour with a delay.",
                  limit(period='"day"', amount=2, mode='"slow"', slow='{ rate = "3/hour", delay_s = 10 }'))
    s = solo(scenario("slow", "a slow limit goes on at its rate with a delay, then refuses with a wait", slow, "RT-37"))
    s.authorize("run", {"allowed": True, "delay_ms": 0}, times=2)
    s.authorize("run", {"allowed": True, "delay_ms": 10000}, times=3)
    run(s, deny("usage_limit_reached", retry_after_ms=1200000))
    s.advance(1200)
    run(s, {"allowed": True, "delay_ms": 10000})
    run(s, deny("usage_limit_reached"))
    s.advance(MIDNIGHT - 1200)
    run(s, {"allowed": True, "delay_ms": 0})
    yield s

    entitled = policy(
        "entitled", "A feature that only one plan has, and that is used up in it.", limit(table="plans.big.limits", amount=1),
        "\n[plans.small]\n", '\n[operations.premium]\nlevel = "user"\nentitlement = "feature"\ncost = { runs = 1 }\n',
        top='entitlements = ["feature"]\ndefault_plan = "small"\n\n[plans.big]\nentitlements = ["feature"]\n')
    s = scenario("entitlement", "a missing entitlement is another refusal than a spent one", entitled, "RS-06")
    solo(s, "small", plan="small")
    solo(s, "big", plan="big")
    run(s, deny("entitlement_required"), operation="premium", key="small")
    run(s, {"allowed": True, "plan": "big"}, operation="premium", key="big")
    run(s, exhausted(), operation="premium", key="big")
    yield s


def knobs():
    two = limit(amount=2)
    block = policy("block-all", "An exhausted limit stops everything.", two, '\n[usage]\non_exhausted = { block = "all" }\n')
    s = solo(scenario("A-01-all", "with block = all an exhausted key calls nothing, free operations included", block,
                      "A-01", "RS-26"))
    s.authorize("run", {"allowed": True}, times=2)
    run(s, exhausted())
    run(s, exhausted(), operation="free")
    usage(s, {"count": 2})
    yield s

    s = solo(scenario("A-01-counted", "by default an exhausted key still calls what is free",
                      policy("lifetime-2", "A hard limit of two for the life of the key.", two), "A-01", "RS-26"))
    s.authorize("run", {"allowed": True}, times=2)
    run(s, exhausted())
    run(s, operation="free", expect={"allowed": True})
    yield s

    for status in (402, 403):
        name = policy(f"status-{status}", f"An exhausted limit answers {status}.", two,
                      f"\n[usage]\nexhausted_status = {status}\n")
        s = solo(scenario(f"A-05-{status}", f"an exhausted limit answers {status} with the same code", name, "A-05"))
        s.authorize("run", {"allowed": True}, times=2)
        run(s, {**exhausted(), "status": status, "http": {"status": status}})
        yield s

    per_plan = policy("status-per-plan", "One plan answers 402.", limit(table="plans.free.limits", amount=1),
                      limit(table="plans.paid.limits", amount=1), top='default_plan = "free"\n\n[plans.free]\n'
                      "exhausted_status = 402\n\n[plans.paid]\n")
    s = scenario("A-05-per-plan", "a plan has a status of its own", per_plan, "A-05")
    solo(s, "free")
    solo(s, "paid", plan="paid")
    for key, status in [("free", 402), ("paid", 429)]:
        run(s, key=key)
        run(s, {**exhausted(), "status": status}, key=key)
    yield s

    success = policy("on-success", "Units count when the host commits.", two, '\n[usage]\ncount_on = "success"\n')
    s = solo(scenario("A-02-success", "with count_on = success a released call is not counted", success, "A-02"))
    s.request("reserve", "run", {"allowed": True}, max=1, **{"as": "first"})
    s.step("release", OK, reservation="first")
    usage(s, {"count": 0, "charged": 0})
    for name in ("second", "third"):
        s.request("reserve", "run", {"allowed": True}, max=1, **{"as": name})
        s.step("commit", OK, reservation=name, actual=1)
    usage(s, {"count": 2})
    s.request("reserve", "run", exhausted(), max=1)
    yield s


def reservations():
    ten = policy("lifetime-10", "A hard limit of ten.", limit("tokens", meter="tokens", amount=10))
    reserve = lambda s, name, units, expect: s.request(  # noqa: E731
        "reserve", "ask", expect, max=units, **({"as": name} if name else {}))

    s = solo(scenario("reserve-commit", "a reservation holds its maximum and is charged what was used", ten, "N-04", "I2"))
    reserve(s, "r", 8, {"allowed": True, "remaining": 2})
    usage(s, {"charged": 8, "outstanding": 8}, limit="tokens")
    reserve(s, None, 3, deny("rate_limited", reason="contended"))
    s.step("commit", OK, reservation="r", actual=5)
    usage(s, {"count": 5, "charged": 5, "outstanding": 0}, limit="tokens")
    reserve(s, None, 6, exhausted("insufficient", asked=6, available=5))
    yield s

    s = solo(scenario("reserve-release", "a released reservation leaves nothing", ten, "B14"))
    reserve(s, "r", 10, {"allowed": True, "remaining": 0})
    s.step("release", OK, reservation="r")
    usage(s, {"count": 0, "charged": 0, "outstanding": 0}, limit="tokens")
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=10)
    yield s

    s = solo(scenario("reserve-nothing", "a commit of nothing gives all back", ten))
    reserve(s, "r", 10, {"allowed": True})
    s.step("commit", OK, reservation="r", actual=0)
    usage(s, {"count": 0, "charged": 0}, limit="tokens")
    yield s

    s = solo(scenario("reserve-overrun", "use beyond a reservation is taken like a call, else recorded as overrun", ten,
                      "B18"))
    reserve(s, "r", 2, {"allowed": True})
    s.step("commit", OK, reservation="r", actual=6)
    usage(s, {"count": 6, "charged": 6, "overrun": 0}, limit="tokens")
    reserve(s, "q", 2, {"allowed": True})
    s.step("commit", OK, reservation="q", actual=7)
    usage(s, {"count": 13, "charged": 13, "overrun": 5, "cap": 10}, limit="tokens")
    run(s, exhausted(), operation="ask", cost=1)
    yield s

    error = policy("overrun-error", "Use beyond a reservation is an error.",
                   limit("tokens", meter="tokens", amount=10, overrun='"error"'))
    s = solo(scenario("reserve-overrun-error", "with overrun = error the unrecorded units are an error", error))
    reserve(s, "r", 8, {"allowed": True})
    s.step("commit", {"ok": False}, reservation="r", actual=12)
    usage(s, {"overrun": 0, "cap": 10}, limit="tokens")
    yield s

    both = policy("runs-and-tokens", "Ten runs and a hundred tokens.", limit("runs", amount=10),
                  limit("tokens", meter="tokens", amount=100))
    s = solo(scenario("reserve-two-meters", "a commit says how much of the variable meter; the fixed cost is counted once",
                      both, "N-04"))
    reserve(s, "r", 50, {"allowed": True})
    s.step("commit", OK, reservation="r", actual=30)
    usage(s, {"count": 30, "charged": 30, "overrun": 0}, limit="tokens")
    usage(s, {"count": 1, "charged": 1, "overrun": 0})
    reserve(s, "q", 50, {"allowed": True})
    s.step("release", OK, reservation="q")
    usage(s, {"count": 30, "charged": 30}, limit="tokens")
    usage(s, {"count": 1, "charged": 1})
    yield s

    s = solo(scenario("reserve-cancelled", "a reservation that is refused holds nothing", ten, "I7"))
    reserve(s, None, 11, exhausted("insufficient", asked=11, available=10))
    usage(s, {"charged": 0, "outstanding": 0}, limit="tokens")
    yield s


def refunds():
    ten = policy("lifetime-10", "A hard limit of ten.", limit("tokens", meter="tokens", amount=10))
    s = solo(scenario("refund", "units are given back through the grant, once, and never more than it has", ten, "I9"))
    s.authorize("ask", {"allowed": True, "remaining": 2}, cost=8, **{"as": "g"})
    s.step("refund", {"ok": False}, grant="g", units=9)
    usage(s, {"count": 8}, limit="tokens")
    s.step("refund", OK, grant="g", units=5)
    usage(s, {"count": 3, "charged": 3}, limit="tokens")
    s.step("refund", {"ok": False}, grant="g", units=3)
    run(s, {"allowed": True, "remaining": 0}, operation="ask", cost=7)
    yield s

    s = solo(scenario("refund-keyed", "units of a keyed call are given back by id, each id once", ten, "I9", "B13"))
    s.authorize("ask", {"allowed": True, "replayed": False}, cost=8, operation_id="op-1")
    back = lambda refund, units, expect, operation="op-1": s.request(  # noqa: E731
        "refund_operation", "ask", expect, operation_id=operation, refund_id=refund, units=units)
    back("back-1", 3, OK)
    back("back-1", 3, OK)
    usage(s, {"count": 5, "charged": 5}, limit="tokens")
    back("back-2", 6, {"ok": False})
    back("back-3", 1, {"ok": False}, operation="op-9")
    usage(s, {"count": 5}, limit="tokens")
    back("back-4", 5, OK)
    usage(s, {"count": 0, "charged": 0}, limit="tokens")
    yield s


def operations():
    ten = policy("lifetime-10", "A hard limit of ten.", limit("tokens", meter="tokens", amount=10))
    s = solo(scenario("operation-id", "a repeated operation id is answered again and charged once", ten, "B13"))
    for replayed in (False, True, True):
        run(s, {"allowed": True, "replayed": replayed}, operation="ask", cost=4, operation_id="op-1")
    usage(s, {"count": 4, "charged": 4}, limit="tokens")
    run(s, {"error": "operation_conflict"}, operation="ask", cost=5, operation_id="op-1")
    usage(s, {"count": 4}, limit="tokens")
    run(s, {"allowed": True, "replayed": False}, operation="ask", cost=4, operation_id="op-2")
    yield s

    s = solo(scenario("operation-id-process", "an operation id is known to every process and after a restart", ten, "B13"))
    run(s, {"allowed": True, "replayed": False}, operation="ask", cost=4, operation_id="op-1", process="1")
    run(s, {"allowed": True, "replayed": True}, operation="ask", cost=4, operation_id="op-1", process="2")
    s.step("restart")
    run(s, {"allowed": True, "replayed": True}, operation="ask", cost=4, operation_id="op-1")
    usage(s, {"count": 4}, limit="tokens")
    yield s

    s = solo(scenario("operation-id-refused", "only allows are recorded: a refused operation is judged anew", ten))
    run(s, operation="ask", cost=8)
    run(s, exhausted("insufficient"), operation="ask", cost=3, operation_id="op-1")
    run(s, {"allowed": True, "replayed": False}, operation="ask", cost=2, operation_id="op-1")
    yield s

    s = solo(scenario("operation-id-exhausted", "a retry is answered although nothing is left for a new call", ten))
    run(s, {"allowed": True, "replayed": False}, operation="ask", cost=10, operation_id="op-1")
    run(s, exhausted(), operation="ask", cost=1, operation_id="op-2")
    run(s, {"allowed": True, "replayed": True}, operation="ask", cost=10, operation_id="op-1")
    yield s

    s = scenario("operation-id-scope", "one operation id under two keys is two operations", ten)
    solo(s, "a")
    solo(s, "b")
    for key in ("a", "b"):
        run(s, {"allowed": True, "replayed": False}, operation="ask", cost=4, operation_id="op-1", key=key)
    yield s

    s = solo(scenario("operation-id-revoked", "a repeated operation id is judged before it is answered", ten, "INV-04"))
    run(s, {"allowed": True, "replayed": False}, operation="ask", cost=4, operation_id="op-1")
    s.key_step("revoke")
    run(s, deny("invalid_key", reason="revoked"), operation="ask", cost=4, operation_id="op-1")
    yield s


def vectors():
    for group in (hard, parallel, several, subjects, modes, knobs, reservations, refunds, operations):
        yield from group()
