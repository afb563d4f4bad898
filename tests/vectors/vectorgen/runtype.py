"""Runtype's API keys, fact by fact, on its policy and its extended policy."""

from .form import OK, Scenario, allow, deny, refused

ORG = "org_1"
TEMPLATES = {
    "read_only": {"FLOWS:READ", "RECORDS:READ", "AGENTS:READ", "TOOLS:READ", "ANALYTICS:READ"},
    "run_flows": {"DISPATCH:*", "FLOWS:READ", "FLOWS:EXECUTE"},
    "ci_deploy": {"FLOWS:READ", "FLOWS:WRITE", "AGENTS:READ", "AGENTS:WRITE", "AGENTS:DEPLOY:LIVE", "TOOLS:READ"},
    "full_access": {"*"},
}
OPERATIONS = [
    ("POST", "/v1/dispatch", "DISPATCH:*"), ("GET", "/v1/flows", "FLOWS:READ"), ("GET", "/v1/flows/f1", "FLOWS:READ"),
    ("POST", "/v1/flows", "FLOWS:WRITE"), ("PUT", "/v1/flows/f1", "FLOWS:WRITE"), ("DELETE", "/v1/flows/f1", "FLOWS:DELETE"),
    ("POST", "/v1/flows/f1/execute", "FLOWS:EXECUTE"), ("GET", "/v1/records", "RECORDS:READ"),
    ("POST", "/v1/records", "RECORDS:WRITE"), ("DELETE", "/v1/records/r1", "RECORDS:DELETE"),
    ("GET", "/v1/agents", "AGENTS:READ"), ("POST", "/v1/agents", "AGENTS:WRITE"),
    ("POST", "/v1/agents/a1/execute", "AGENTS:EXECUTE"), ("POST", "/v1/agents/a1/deploy", "AGENTS:DEPLOY:LIVE"),
    ("GET", "/v1/tools", "TOOLS:READ"), ("POST", "/v1/tools/t1/execute", "TOOLS:EXECUTE"),
    ("GET", "/v1/products", "PRODUCTS:*"), ("GET", "/v1/analytics", "ANALYTICS:READ"),
    ("GET", "/v1/api-keys", "API_KEYS:*"),
]


def covers(held, needed):
    """`*` is all, `X:*` all below X, a name itself."""
    return any(h in ("*", needed) or (h.endswith(":*") and needed.startswith(h[:-1])) for h in held)


def scenario(id, title, *rows, extended=False):
    return Scenario(f"runtype/{id}", title, list(rows), "examples:runtype-extended" if extended else "examples:runtype")


def api(s, name="a", expect=OK, environment="live", **body):
    return s.issue(name, expect, environment=environment, org_id=ORG, **body)


def go(s, expect, method, path, key="a", **members):
    members.setdefault("headers", [["Authorization", f"Bearer $key:{key}"]])
    return s.step("authorize", expect, method=method, path=path, **members)


def base():
    s = api(scenario("RT-01", "a key gives programmatic access", "RT-01", "RT-05", "RT-15"))
    go(s, allow(ORG, environment="live"), "GET", "/v1/flows")
    go(s, deny("missing_credential"), "GET", "/v1/flows", headers=[])
    go(s, deny("insufficient_permission", missing=["FLOWS:WRITE"]), "POST", "/v1/flows")
    go(s, deny("missing_credential"), "GET", "/v1/flows", headers=[["X-API-Key", "$key:a"]])
    yield s

    s = scenario("RT-04", "keys of other systems are refused before the store", "RT-04", "RT-18", "A-34")
    api(s)
    for text in ["sk-ant-api03-" + "a" * 80, "sk-proj-" + "a" * 40, "rt_abc", "rt_xxxxx", "rt_" + "0" * 43,
                 "rt_prod_" + "0" * 43, "rt_live" + "0" * 43, "rt_LIVE_" + "0" * 43]:
        s.authorize("flows.list", deny("invalid_key", reason="malformed"), text=text)
    yield s

    s = scenario("RT-06", "a name of 1 to 255 characters", "RT-06", "RT-26")
    api(s, "x" * 255)
    s.step("issue", refused("validation_error", fields=["name"]), **{"as": "b"}, account="acme",
           body={"name": "", "environment": "live", "org_id": ORG})
    s.step("issue", refused("validation_error", fields=["name"]), **{"as": "b"}, account="acme",
           body={"name": "x" * 256, "environment": "live", "org_id": ORG})
    s.step("issue", {"ok": True, "name": "CI/CD pipeline"}, **{"as": "b"}, account="acme",
           body={"name": "CI/CD pipeline", "environment": "live", "org_id": ORG})
    yield s

    s = scenario("RT-07", "the environment decides prefix and partition", "RT-07", "RT-16", "A-38")
    api(s, "live", {"ok": True, "environment": "live", "key_prefix": "rt_live_", "key_length": 51})
    api(s, "test", {"ok": True, "environment": "test", "key_prefix": "rt_test_", "key_length": 51}, environment="test")
    api(s, "x", refused("validation_error", fields=["environment"]), environment="staging")
    s.step("issue", refused("validation_error", fields=["environment"]), **{"as": "y"}, account="acme",
           body={"name": "y", "org_id": ORG})
    for key in ("live", "test"):
        go(s, allow(ORG, environment=key), "GET", "/v1/flows", key=key)
    yield s

    s = scenario("RT-08", "single permissions of the catalogue", "RT-08", "RT-02", "A-36", "INV-15")
    api(s, permissions=["FLOWS:READ", "AGENTS:*"])
    for method, path, needed in OPERATIONS:
        may = covers({"FLOWS:READ", "AGENTS:*"}, needed)
        go(s, allow(ORG) if may else deny("insufficient_permission", missing=[needed]), method, path)
    api(s, "x", refused("unknown_permission"), permissions=["FLOWS:PUBLISH"])
    api(s, "y", refused("unknown_permission"), permissions=["flows:read"])
    api(s, "z", refused("unknown_permission"), permissions=["FLOWS"])
    yield s

    s = api(scenario("A-36-empty", "an empty list of permissions is nothing, never everything", "A-36", "INV-15"),
            permissions=[])
    for method, path, needed in OPERATIONS:
        go(s, deny("insufficient_permission", missing=[needed]), method, path)
    yield s

    s = api(scenario("A-36-implies", "READ, WRITE, EXECUTE and DELETE do not imply each other", "A-36"),
            permissions=["FLOWS:WRITE", "FLOWS:DELETE"])
    for method, path, needed in OPERATIONS[1:7]:
        may = needed in ("FLOWS:WRITE", "FLOWS:DELETE")
        go(s, allow(ORG) if may else deny("insufficient_permission", missing=[needed]), method, path)
    yield s

    for template, held in TEMPLATES.items():
        s = scenario(f"RT-09-{template}", f"a key of the template {template} can do exactly the template's set", "RT-09",
                     "RT-12", "A-35")
        api(s, expect={"ok": True, "template": {"name": template, "version": 1}}, template=template)
        for method, path, needed in OPERATIONS:
            may = covers(held, needed)
            go(s, allow(ORG) if may else deny("insufficient_permission", missing=[needed]), method, path)
        yield s

    s = scenario("RT-09-both", "single permissions or one template, not both", "RT-09")
    api(s, "a", refused("validation_error"), template="read_only", permissions=["FLOWS:READ"])
    api(s, "b", refused("validation_error"), template="no_such")
    yield s

    s = scenario("RT-10", "valid while now < expiry; blank never ends", "RT-10", "RT-30", "A-37", "INV-06")
    api(s, "never", {"ok": True, "expires_at": None})
    api(s, "day", {"ok": True, "expires_at": "2026-03-12T00:00:00Z"}, expires_at="2026-03-11")
    api(s, "instant", {"ok": True, "expires_at": "2026-03-11T08:00:00Z"}, expires_at="2026-03-11T10:00:00+02:00")
    for past in ["2026-03-10T12:00:00Z", "2026-03-10T11:59:59Z", "2026-03-09", "2020-01-01"]:
        api(s, "past", refused("validation_error", fields=["expires_at"]), expires_at=past)
    for bad in ["tomorrow", "2026-02-30", "2026-03-11T10:00:00", ""]:
        api(s, "bad", refused("validation_error", fields=["expires_at"]), expires_at=bad)
    s.advance(to="2026-03-11T07:59:59.999999Z")
    go(s, allow(ORG), "GET", "/v1/flows", key="instant")
    s.advance(to="2026-03-11T08:00:00Z")
    go(s, deny("key_expired", http={"status": 401}), "GET", "/v1/flows", key="instant")
    s.step("get", {"standing": "expired"}, key="instant")
    s.advance(to="2026-03-11T23:59:59.999999Z")
    go(s, allow(ORG), "GET", "/v1/flows", key="day")
    s.advance(to="2026-03-12T00:00:00Z")
    go(s, deny("key_expired"), "GET", "/v1/flows", key="day")
    s.advance(to="2036-03-12T00:00:00Z")
    go(s, allow(ORG), "GET", "/v1/flows", key="never")
    yield s

    s = scenario("RT-13", "nothing chosen is the least; nobody grants more than they have", "RT-13", "INV-10")
    api(s, expect={"ok": True, "permissions": ["FLOWS:READ", "RECORDS:READ"]})
    for method, path, needed in OPERATIONS:
        may = needed in ("FLOWS:READ", "RECORDS:READ")
        go(s, allow(ORG) if may else deny("insufficient_permission", missing=[needed]), method, path)
    person = {"person": "bob", "orgs": [ORG], "permissions": ["FLOWS:READ", "FLOWS:WRITE"]}
    api(s, "ok", by=person, permissions=["FLOWS:WRITE"])
    api(s, "more", refused("grant_exceeds_creator"), by=person, permissions=["FLOWS:READ", "FLOWS:DELETE"])
    api(s, "group", refused("grant_exceeds_creator"), by=person, permissions=["FLOWS:*"])
    api(s, "all", refused("grant_exceeds_creator"), by=person, permissions=["*"])
    api(s, "template", refused("grant_exceeds_creator"), by=person, template="full_access")
    yield s

    s = api(scenario("RT-14", "the scheme has no case, and is followed by exactly one space", "RT-14"))
    for value, expect in [("Bearer $key:a", allow(ORG)), ("bearer $key:a", allow(ORG)), ("BEARER $key:a", allow(ORG)),
                          ("Token $key:a", deny("missing_credential")), ("$key:a", deny("missing_credential")),
                          ("Bearer  $key:a", deny("invalid_key")), ("Bearer", deny("missing_credential"))]:
        go(s, expect, "GET", "/v1/flows", headers=[["Authorization", value]])
    yield s

    s = scenario("RT-17", "test and live are two worlds; a route may demand one", "RT-17", "A-38", "INV-13")
    api(s, "live", permissions=["*"])
    api(s, "test", environment="test", permissions=["*"])
    go(s, allow(ORG, environment="live"), "POST", "/v1/agents/a1/deploy", key="live")
    go(s, deny("environment_mismatch"), "POST", "/v1/agents/a1/deploy", key="test")
    go(s, deny("environment_mismatch"), "GET", "/v1/flows", key="live", environment="test")
    go(s, allow(ORG, environment="test"), "GET", "/v1/flows", key="test", environment="test")
    yield s

    s = scenario("RT-19", "a second key with the same permissions differs in id, secret and dates only", "RT-19", "RT-20")
    api(s, permissions=["FLOWS:READ", "AGENTS:*"], expires_at="2027-01-01T00:00:00Z")
    s.advance(86400)
    s.step("issue", {"ok": True, "name": "a", "permissions": ["FLOWS:READ", "AGENTS:*"], "environment": "live",
                     "org": {"fixed": ORG}, "created_at": "2026-03-11T12:00:00Z"},
           **{"as": "b"}, account="acme", body={"like": "$id:a"})
    for key in ("a", "b"):
        go(s, allow(ORG), "GET", "/v1/flows", key=key)
    s.key_step("revoke")
    go(s, deny("invalid_key", reason="revoked"), "GET", "/v1/flows")
    go(s, allow(ORG), "GET", "/v1/flows", key="b")
    yield s

    s = api(scenario("RT-21", "a compromised key is replaced at once", "RT-21", "AM-18", "INV-04"), permissions=["FLOWS:READ"])
    for process in ("1", "2"):
        go(s, allow(ORG), "GET", "/v1/flows", process=process)
    s.key_step("rotate", grace_s=0, **{"as": "b"}, expect={"ok": True, "permissions": ["FLOWS:READ"]})
    for process in ("1", "2"):
        go(s, deny("invalid_key", reason="revoked"), "GET", "/v1/flows", process=process)
        go(s, allow(ORG), "GET", "/v1/flows", key="b", process=process)
    yield s

    s = api(scenario("RT-23", "revoking at one process ends the key in the other, with warm caches", "RT-23", "RT-22",
                     "A-12", "INV-04"))
    for process in ("1", "2", "1", "2"):
        go(s, allow(ORG), "GET", "/v1/flows", process=process)
    s.key_step("revoke", process="1")
    for process in ("2", "1"):
        go(s, deny("invalid_key", reason="revoked"), "GET", "/v1/flows", process=process)
    yield s

    s = scenario("RT-27", "separate keys per use, as many as wanted", "RT-27")
    for number in range(20):
        api(s, f"use-{number}", permissions=["FLOWS:READ"] if number % 2 else ["RECORDS:READ"])
    go(s, allow(ORG), "GET", "/v1/flows", key="use-1")
    go(s, deny("insufficient_permission"), "GET", "/v1/flows", key="use-2")
    go(s, allow(ORG), "GET", "/v1/records", key="use-2")
    yield s

    s = scenario("RT-28", "a key is due after 90 days and still works", "RT-28", "N-09")
    api(s, "old")
    s.advance(to="2026-06-08T11:59:59Z")
    s.step("due", {"keys": []}, account="acme")
    s.step("get", {"rotation_due": False, "age_days": 89}, key="old")
    s.advance(to="2026-06-08T12:00:00Z")
    api(s, "young")
    s.step("due", {"keys": ["old"]}, account="acme")
    s.step("get", {"rotation_due": True, "age_days": 90, "status": "rotation_due"}, key="old")
    go(s, allow(ORG), "GET", "/v1/flows", key="old")
    s.key_step("regenerate", "old", **{"as": "new"})
    s.step("due", {"keys": []}, account="acme")
    yield s

    s = scenario("RT-29", "keys that nobody uses are listed", "RT-29", "N-09")
    api(s, "used")
    api(s, "unused")
    s.advance(31 * 86400)
    api(s, "new")
    go(s, allow(ORG), "GET", "/v1/flows", key="used")
    s.step("maintain", OK)
    s.step("unused", {"keys": ["unused"]}, account="acme", days=30)
    s.step("unused", {"keys": []}, account="acme", days=60)
    yield s

    s = api(scenario("A-14", "keys do not manage keys, whatever they hold", "A-14", "INV-10"), permissions=["*"])
    go(s, allow(ORG), "GET", "/v1/api-keys")
    for method, path in [("POST", "/v1/api-keys"), ("DELETE", "/v1/api-keys/k1"), ("POST", "/v1/api-keys/k1/regenerate")]:
        go(s, deny("kind_not_allowed"), method, path)
    by = {"key": "a", "operation": "api_keys.list"}
    api(s, "b", refused("kind_not_allowed"), by=by, permissions=["FLOWS:READ"])
    s.key_step("revoke", expect=refused("kind_not_allowed"), by=by)
    yield s

    s = api(scenario("A-35", "a template is frozen into the key; applying it anew is an act of its own", "A-35", "INV-05"),
            template="read_only")
    s.step("reload", OK, policy="../policies/runtype-wider-template.toml")
    go(s, deny("insufficient_permission", missing=["FLOWS:WRITE"]), "POST", "/v1/flows")
    s.step("get", {"template": {"name": "read_only", "version": 1}}, key="a")
    s.key_step("reapply_template", expect={"ok": True, "widened": True, "narrowed": False})
    go(s, allow(ORG), "POST", "/v1/flows")
    s.step("get", {"template": {"name": "read_only", "version": 2}}, key="a")
    yield s

    s = scenario("A-39", "test keys are no exception: no key is shown again", "A-39", "RT-11", "INV-43")
    api(s, "test", environment="test")
    s.step("get", {"ok": True, "value": None}, key="test")
    yield s


def extended():
    s = scenario("RT-03", "product keys and API keys are two kinds", "RT-03", "RT-32", "RT-33", "INV-13", extended=True)
    api(s, permissions=["*"])
    s.issue("p", {"ok": True, "key_prefix": "papi_"}, kind="product", environment="live", org_id=ORG,
            resources=["capability:chat"])
    go(s, allow(ORG), "GET", "/v1/flows")
    go(s, deny("kind_not_allowed"), "GET", "/v1/flows", key="p")
    product = "/v1/products/p1/chat"
    go(s, allow(ORG), "POST", product, key="p")
    go(s, allow(ORG), "POST", product, headers=[["X-API-Key", "$key:p"]])
    go(s, deny("kind_not_allowed"), "POST", product)
    go(s, deny("missing_credential"), "GET", "/v1/flows", headers=[["X-API-Key", "$key:a"]],
       note="API keys travel as Bearer alone")
    yield s

    s = scenario("RT-33", "capabilities: a list, none or all; an edit holds at once", "RT-33", "INV-15", "INV-04", extended=True)
    product = dict(kind="product", environment="live", org_id=ORG)
    s.issue("list", resources=["capability:chat"], **product)
    s.issue("none", resources=[], **product)
    s.issue("all", resources="all", **product)
    for key, capability, may in [("list", "chat", True), ("list", "search", False), ("none", "chat", False),
                                 ("all", "search", True)]:
        go(s, allow(ORG) if may else deny("resource_not_allowed"), "POST", f"/v1/products/p1/{capability}", key=key)
    s.update("list", {"ok": True, "widened": True}, resources=["capability:chat", "capability:search"])
    go(s, allow(ORG), "POST", "/v1/products/p1/search", key="list")
    s.update("list", {"ok": True, "narrowed": True}, resources=["capability:search"])
    go(s, deny("resource_not_allowed"), "POST", "/v1/products/p1/chat", key="list")
    yield s

    s = scenario("RT-34", "client tokens: origins with one free label, shown again, limited by the minute", "RT-34", "A-16",
                 "MS-04", extended=True)
    s.issue("t", {"ok": True, "value": "$key:t"}, kind="client_token", environment="live", org_id=ORG,
            resources=["agent:a1", "flow:f1"], origins=["https://*.example.com", "https://shop.example.net"])
    say = lambda expect, origin, path="/v1/client/agents/a1", **more: s.step(  # noqa: E731
        "authorize", expect, method="POST", path=path, dimensions=[["conversation", "c1"]],
        headers=[["Authorization", "Bearer $key:t"], *([["Origin", origin]] if origin else [])], **more)
    visitor = {**allow(ORG, environment="live"), "anonymous": True}
    say(visitor, "https://app.example.com")
    say(visitor, "https://shop.example.net", path="/v1/client/flows/f1")
    for origin in ["https://example.com", "https://a.b.example.com", "https://evilexample.com", "http://app.example.com",
                   "https://a.shop.example.net"]:
        say(deny("origin_not_allowed"), origin)
    say(deny("origin_required"), None)
    say(deny("resource_not_allowed"), "https://app.example.com", path="/v1/client/agents/a2")
    s.key_step("regenerate", "t", {"ok": True, "value": "$key:t2"}, **{"as": "t2"})
    say(deny("invalid_key", reason="unknown"), "https://app.example.com")
    yield s

    s = scenario("RT-37-build", "Build: 50 a day, then slow, then refused until midnight UTC", "RT-37", extended=True)
    api(s, permissions=["*"])
    execute = dict(operation="flows.execute", key="$key:a")
    s.step("authorize", {"allowed": True, "delay_ms": 0, "plan": "build"}, **execute, times=50)
    s.step("authorize", {"allowed": True, "delay_ms": 10000}, **execute, times=10)
    s.step("authorize", deny("usage_limit_reached"), **execute)
    s.authorize("flows.list", {"allowed": True}, note="what does not run goes on")
    s.advance(to="2026-03-10T23:59:59Z")
    s.advance(to="2026-03-11T00:00:00Z")
    s.step("authorize", {"allowed": True, "delay_ms": 0, "used": 1}, **execute)
    yield s

    s = scenario("RT-37-warning", "the warning header appears at 80 percent and changes at 90", "RT-37", "N-11", extended=True)
    api(s, permissions=["*"])
    for calls, remaining, warning in [(39, 11, None), (1, 10, "warning"), (4, 6, "warning"), (1, 5, "amber"), (4, 1, "amber"),
                                      (1, 0, "orange")]:
        if calls > 1:
            s.authorize("flows.execute", {"allowed": True}, times=calls - 1)
        # 12 hours to midnight.
        state = {"ratelimit-policy": "\"executions-day\";q=50;w=86400;qu=\"executions\";pk=:*:",
                 "ratelimit": f"\"executions-day\";r={remaining};t=43200", "x-quota-remaining": str(remaining)}
        if warning:
            state["x-quota-warning"] = warning
        s.authorize("flows.execute", {"allowed": True, "http": {"status": 200, "headers": state}})
    yield s

    s = scenario("RT-37-startup", "Startup: soft past 15 000 a month, 50 per 10 s", "RT-37", extended=True)
    s.put(org=ORG, environment="live")
    api(s, permissions=["*"])
    s.step("set_plan", OK, account="acme", environment="live", org=ORG, plan="startup")
    s.authorize("flows.execute", {"allowed": True, "plan": "startup"}, times=50)
    s.authorize("flows.execute", deny("rate_limited", reason="rate", limit="burst", retry_after_ms=200))
    s.advance(10)
    s.authorize("flows.execute", {"allowed": True}, times=50)
    s.step("usage", {"count": 100, "included": 15000, "cap": None, "overage": 0}, key="a", limit="executions-month")
    yield s

    s = scenario("RT-37-partitions", "test and live are counted apart", "RT-17", "RT-37", "A-38", extended=True)
    api(s, "live", permissions=["*"])
    api(s, "test", environment="test", permissions=["*"])
    for key in ("live", "test"):
        s.authorize("flows.execute", {"allowed": True, "used": 1}, key=key)
    s.step("usage", {"count": 1}, key="live", limit="executions-day")
    yield s

    s = scenario("RT-38", "people have roles", "RT-38", "INV-10", extended=True)
    for role, may in [("admin", True), ("member", False)]:
        person = {"person": "bob", "orgs": [ORG], "role": role}
        api(s, f"{role}-billing", OK if may else refused("grant_exceeds_creator"), by=person, permissions=["BILLING:MANAGE"])
        api(s, f"{role}-flows", OK, by=person, permissions=["FLOWS:READ"])
    yield s


def vectors():
    yield from base()
    yield from extended()
