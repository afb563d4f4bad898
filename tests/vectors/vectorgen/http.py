"""Answers over HTTP, to the last header: the body of every code, challenges, RateLimit fields, Retry-After."""

import hashlib

from .form import CODES, Scenario, allow, deny, fixed, open_org, open_user, orgs, refused, users
from .limit_policies import limit, policy, rate
from .limits import run, solo

DOCS = "https://docs.example.com/errors/"
ID = "req-7f3a"
BASE = {"content-type": "application/json", "cache-control": "no-store"}
INVALID = {"www-authenticate": "Bearer error=\"invalid_token\""}


def answer(code, details=None, headers=None, status=None, message=None, retry=None, docs=True, request_id=ID):
    """The whole answer to a refusal."""
    _, own, text = CODES[code]
    error = {"code": code, "message": message or text, "status": status or own}
    if request_id:
        error["request_id"] = request_id
    error["retryable"] = retry is not None
    if docs:
        error["docs"] = DOCS + code
    if details:
        error["details"] = details
    headers = {**BASE, **(headers or {})}
    if retry is not None:
        headers["retry-after"] = str(retry)
    return {"status": status or own, "headers": headers, "body": {"error": error}}


def spread(wait, request_id):
    """What is added to a wait so that callers who were refused together do not come back together."""
    fraction = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:4], "big")
    return wait + wait * 3 * fraction // (100 << 32)


def of_tenancy():
    parameter = lambda name: {"parameter": name}  # noqa: E731
    client = dict(preset="client", org=fixed("o1"))
    cases = [
        ("missing_credential", {}, None, None, {"carriers": ["Authorization: Bearer"]}, {"www-authenticate": "Bearer"}),
        ("credential_conflict", client | {"user": open_user(True)}, None, "twice", None, None),
        ("invalid_key", client | {"user": open_user(True)}, None, "unknown", None, INVALID),
        ("org_invalid", client | {"user": open_user(True)}, "org_id=", None, None, None),
        ("user_invalid", client | {"user": open_user(True)}, "user_id=", None, None, None),
        ("org_duplicate", client | {"user": open_user(True)}, "org_id=o1&org_id=o1", None, None, None),
        ("user_duplicate", client | {"user": open_user(True)}, "user_id=u1&user_id=u1", None, None, None),
        ("tenant_conflict", client | {"user": open_user(True)}, "org_id=o1", "conflict", None, None),
        ("org_required", dict(preset="platform", org=open_org(True), user=open_user(True)), None, None,
         parameter("org_id"), None),
        ("org_unexpected", dict(preset="solo", org="none", user=fixed("u1")), "org_id=o1", None, parameter("org_id"), None),
        ("org_mismatch", client | {"user": open_user(True)}, "org_id=o2", None, parameter("org_id"), None),
        ("org_not_allowed", dict(preset="platform", org=orgs("o1"), user=open_user(True)), "org_id=o2", None,
         parameter("org_id"), None),
        ("org_not_found", dict(preset="platform", org=open_org(False), user=open_user(True)), "org_id=o9", None,
         parameter("org_id"), None),
        ("user_required", client | {"user": open_user(True)}, None, None, parameter("user_id"), None),
        ("user_unexpected", client | {"user": "none"}, "user_id=u1", None, parameter("user_id"), None),
        ("user_mismatch", client | {"user": fixed("u1")}, "user_id=u2", None, parameter("user_id"), None),
        ("user_not_allowed", client | {"user": users("u1")}, "user_id=u2", None, parameter("user_id"), None),
        ("user_not_found", client | {"user": open_user(False)}, "user_id=u9", None, parameter("user_id"), None),
        ("kind_not_allowed", client | {"user": "none"}, None, None, None, None),
    ]
    for code, binding, query, how, details, headers in cases:
        s = Scenario(f"http/{code}", f"the answer of {code}, to the last header", ["RT-39"], "http-tenancy")
        s.put(org="o1")
        s.issue(**(binding or client | {"user": open_user(True)}))
        lines = [["Authorization", "Bearer $key:a"]]
        if code == "missing_credential":
            lines = []
        elif how == "twice":
            lines *= 2
        elif how == "unknown":
            lines = [["Authorization", "Bearer $other:a"]]
        elif how == "conflict":
            lines.append(["X-Org-Id", "o2"])
        s.authorize("user.read", deny(code, http=answer(code, details, headers)), key=None, headers=lines, query=query,
                    request_id=ID)
        yield s

    s = Scenario("http/states", "the answers to tenants that are not in use", ["RT-39", "X-06", "X-07"], "http-tenancy")
    s.put(org="o1").put(org="o1", user="u1").issue(**client, user=open_user(True))
    call = lambda code, details: s.authorize(  # noqa: E731
        "user.read", deny(code, http=answer(code, details)), query="user_id=u1", request_id=ID)
    for code, org, user, details in [("user_suspended", "o1", "u1", parameter("user_id")), ("org_suspended", "o1", None, None),
                                     ("account_suspended", None, None, None)]:
        s.tenant_step("suspend_tenant", org, user)
        call(code, details)
    s.tenant_step("resume_tenant").tenant_step("resume_tenant", "o1").tenant_step("delete_tenant", "o1", "u1")
    call("tenant_deleted", parameter("user_id"))
    yield s

    s = Scenario("http/allowed", "an allowed call without limits takes on no header", ["RT-39"], "http-tenancy")
    s.put(org="o1").issue(**client, user=fixed("u1"))
    s.authorize("user.read", {**allow("o1", "u1"), "http": {"status": 200, "headers": {}, "body": None}})
    yield s


def of_order():
    from .order import prepare, request
    cases = [
        ("standing", "key_expired", None, INVALID), ("environment", "environment_mismatch", None, None),
        ("ip", "ip_not_allowed", None, None), ("origin", "secret_key_in_browser", None, None),
        ("permission", "insufficient_permission", {"missing_permissions": ["THINGS:WRITE"]},
         {"www-authenticate": "Bearer error=\"insufficient_scope\", scope=\"THINGS:WRITE\""}),
        ("resource", "resource_not_allowed", None, None),
    ]
    for what, code, details, headers in cases:
        s = Scenario(f"http/{code}", f"the answer of {code}, to the last header", ["RT-39"], "http-order")
        prepare(s, (what,))
        s.step("authorize", deny(code, http=answer(code, details, headers)), request_id=ID, **request((what,)))
        yield s


def of_management():
    s = Scenario("http/management", "the answers to refused management calls", ["RT-39", "MS-29"], "http-tenancy")
    for code, body in [("binding_invalid", dict(preset="client", org=open_org(True), user=fixed("u1"))),
                       ("validation_error", dict(preset="hybrid"))]:
        s.issue("x", refused(code, status=400), **body)
    s.step("revoke", refused("key_not_found", status=404), account="acme", id="key_00000000000000000000000000")
    yield s

    s = Scenario("http/host", "refusals of the host's own have the same form", ["RT-39", "AM-23"], "http-tenancy")
    for code, retry in [("resource_not_found", None), ("session_not_found", None), ("provider_rate_limited", 7),
                        ("provider_rate_limited", None)]:
        given = {"retry_after_s": retry} if retry else {}
        s.step("answer", answer(code, retry=retry), code=code, request_id=ID, **given)
    s.step("answer", answer("store_unavailable", retry=1), code="store_unavailable", request_id=ID)
    s.step("answer", answer("provider_rate_limited", retry=30, request_id=None), code="provider_rate_limited",
           retry_after_s=30)
    yield s


def fields():
    """RateLimit-Policy, RateLimit and Retry-After of each form of limit."""
    def scenario(id, title, policy_name, *rows, now=None):
        return solo(Scenario(f"http/{id}", title, list(rows), policy_name, **({"now": now} if now else {})))

    def shown(s, expect, policy_field, state, retry=None, **more):
        headers = {"ratelimit-policy": policy_field, "ratelimit": state}
        if expect["allowed"]:
            http = {"status": 200, "headers": headers, "body": None}
        else:
            http = {"status": 429, "headers": {**BASE, **headers, **({"retry-after": str(retry)} if retry else {})}}
        return run(s, {**expect, "http": http}, **more)

    two = policy("lifetime-2", "A hard limit of two for the life of the key.", limit(amount=2))
    s = scenario("ratelimit-lifetime", "a lifetime has neither window nor reset, and no wait helps", two, "A-05", "N-11")
    field = "\"runs\";q=2;pk=:*:"
    shown(s, {"allowed": True}, field, "\"runs\";r=1")
    shown(s, {"allowed": True}, field, "\"runs\";r=0")
    shown(s, deny("usage_limit_reached"), field, "\"runs\";r=0")
    yield s

    daily = policy("period-day", "One in a period.", limit(period='"day"', amount=1))
    s = scenario("ratelimit-day", "a period has its length and its end; the wait is until then", daily, "A-05", "N-11")
    field = "\"runs\";q=1;w=86400;pk=:*:"
    shown(s, {"allowed": True}, field, "\"runs\";r=0;t=43200")
    shown(s, deny("usage_limit_reached"), field, "\"runs\";r=0;t=43200", 43200)
    s.step("advance", micros=1)
    shown(s, deny("usage_limit_reached"), field, "\"runs\";r=0;t=43200", 43200, note="rounded up")
    s.step("advance", micros=999_999)
    shown(s, deny("usage_limit_reached"), field, "\"runs\";r=0;t=43199", 43199)
    yield s

    monthly = policy("period-month", "One in a period.", limit(period='"month"', amount=1))
    s = scenario("ratelimit-month", "a calendar period has its own length", monthly, "N-11", now="2026-02-10T00:00:00Z")
    shown(s, {"allowed": True}, "\"runs\";q=1;w=2419200;pk=:*:", "\"runs\";r=0;t=1641600")
    s.advance(to="2026-03-01T00:00:00Z")
    shown(s, {"allowed": True}, "\"runs\";q=1;w=2678400;pk=:*:", "\"runs\";r=0;t=2678400")
    yield s

    burst = policy("rate-5", "Five a second.", rate("burst", '["key"]', "5/s"))
    s = scenario("ratelimit-rate", "a rate: what is left of the burst, and when more is", burst, "N-11")
    field = "\"burst\";q=5;w=1;pk=:*:"
    shown(s, {"allowed": True}, field, "\"burst\";r=4;t=1", operation="free")
    s.authorize("free", {"allowed": True}, times=4)
    shown(s, deny("rate_limited"), field, "\"burst\";r=0;t=1", 1, operation="free")
    yield s

    tokens = policy("tokens-100", "A hard limit of 100 on the variable meter, a day.",
                    limit("tokens", meter="tokens", period='"day"', amount=100))
    s = scenario("ratelimit-unit", "a unit other than requests is named", tokens, "N-11")
    shown(s, {"allowed": True}, "\"tokens\";q=100;w=86400;qu=\"tokens\";pk=:*:", "\"tokens\";r=90;t=43200",
          operation="ask")
    yield s

    both = policy("rate-and-limit", "Two a second, three a day.", limit(period='"day"', amount=3),
                  rate("burst", '["key"]', "2/s"))
    s = scenario("ratelimit-several", "several limits, rates first", both, "N-11")
    shown(s, {"allowed": True}, "\"burst\";q=2;w=1;pk=:*:, \"runs\";q=3;w=86400;pk=:*:",
          "\"burst\";r=1;t=1, \"runs\";r=2;t=43200")
    yield s

    wide = policy("hidden", "A wide limit that callers do not see, and one that they do.",
                  limit("account", subject='["account"]', amount=5, period='"day"'),
                  limit("shown", subject='["account"]', amount=6, period='"day"', expose="true"))
    s = scenario("ratelimit-hidden", "what others have left of a wider limit is not shown, unless the policy says so", wide,
                 "N-11")
    shown(s, {"allowed": True}, "\"shown\";q=6;w=86400;pk=:*:", "\"shown\";r=5;t=43200")
    s.authorize("run", {"allowed": True}, times=4)
    body = {"error": {"code": "usage_limit_reached", "status": 429, "retryable": True,
                      "message": CODES["usage_limit_reached"][2] + "; it resets at 2026-03-11T00:00:00Z",
                      "details": {"limit": {"name": "account", "kind": "quota", "reason": "exhausted", "unit": "requests",
                                            "asked": 1, "resets_at": "2026-03-11T00:00:00Z"}}}}
    run(s, deny("usage_limit_reached", limit="account", http={
        "status": 429, "headers": {**BASE, "retry-after": "43200"}, "body": body}))
    yield s

    unlimited = policy("unlimited", "Counted without a bound.", limit())
    s = scenario("ratelimit-unlimited", "an unlimited limit is left out", unlimited, "N-11")
    run(s, {"allowed": True, "http": {"status": 200, "headers": {}}})
    yield s

    s = scenario("usage-limit", "the body of an exhausted limit", two, "A-05", "RT-39", "AM-23")
    s.authorize("run", {"allowed": True}, times=2)
    details = {"limit": {"name": "runs", "kind": "quota", "reason": "exhausted", "unit": "requests", "asked": 1, "quota": 2,
                         "used": 2, "available": 0}}
    full = answer("usage_limit_reached", details, docs=False,
                  headers={"ratelimit-policy": "\"runs\";q=2;pk=:*:", "ratelimit": "\"runs\";r=0"})
    run(s, deny("usage_limit_reached", http=full), request_id=ID)
    yield s

    s = scenario("rate-limited", "the body of a rate", burst, "RT-39")
    s.authorize("free", {"allowed": True}, times=5)
    details = {"limit": {"name": "burst", "kind": "rate", "reason": "rate", "unit": "requests", "asked": 1, "quota": 5,
                         "used": 5, "available": 0, "resets_at": "2026-03-10T12:00:00.2Z"}}
    full = answer("rate_limited", details, docs=False, retry=1,
                  headers={"ratelimit-policy": "\"burst\";q=5;w=1;pk=:*:", "ratelimit": "\"burst\";r=0;t=1"})
    run(s, deny("rate_limited", http=full), operation="free", request_id=ID)
    yield s

    s = scenario("retry-after-spread", "Retry-After grows by up to 3 percent, by the request id, and is never earlier", daily,
                 "A-05")
    run(s)
    for request_id in ["req-1", "req-2", "0", "a" * 128]:
        wait = spread(43200, request_id)
        assert 43200 <= wait <= 43200 * 103 // 100
        run(s, deny("usage_limit_reached", http={"status": 429, "headers": {
            **BASE, "ratelimit-policy": "\"runs\";q=1;w=86400;pk=:*:", "ratelimit": "\"runs\";r=0;t=43200",
            "retry-after": str(wait)}}), request_id=request_id)
    yield s

    problem = policy("problem", "Errors as problem documents.", limit(amount=1), '\n[http]\nerror_body = "problem"\n')
    s = scenario("problem", "with error_body = problem: RFC 9457", problem, "A-05", "RT-39")
    run(s)
    kind = "https://iana.org/assignments/http-problem-types#"
    run(s, deny("usage_limit_reached", http={
        "status": 429, "headers": {**BASE, "content-type": "application/problem+json",
                                   "ratelimit-policy": "\"runs\";q=1;pk=:*:", "ratelimit": "\"runs\";r=0"},
        "body": {"type": kind + "quota-exceeded",
                 "title": "Request cannot be satisfied as assigned quota has been exceeded", "status": 429,
                 "detail": CODES["usage_limit_reached"][2], "code": "usage_limit_reached", "retryable": False,
                 "violated-policies": ["runs"],
                 "details": {"limit": {"name": "runs", "kind": "quota", "reason": "exhausted", "unit": "requests", "asked": 1,
                                       "quota": 1, "used": 1, "available": 0}}}}))
    run(s, deny("missing_credential", http={
        "status": 401, "headers": {**BASE, "content-type": "application/problem+json", "www-authenticate": "Bearer"},
        "body": {"type": "about:blank", "title": "Unauthorized", "status": 401, "detail": CODES["missing_credential"][2],
                 "code": "missing_credential", "retryable": False, "details": {"carriers": ["Authorization: Bearer"]}}}),
        key=None, headers=[])
    s.step("answer", {"status": 503, "headers": {**BASE, "content-type": "application/problem+json", "retry-after": "1"},
                      "body": {"type": kind + "temporary-reduced-capacity",
                               "title": "Request cannot be satisfied due to temporary server capacity constraints",
                               "status": 503, "detail": CODES["store_unavailable"][2], "code": "store_unavailable",
                               "retryable": True}}, code="store_unavailable")
    yield s


def vectors():
    for group in (of_tenancy, of_order, of_management, fields):
        yield from group()
