"""Runstack's key page, fact by fact, on its policy alone."""

from .form import OK, Scenario, allow, deny, refused

ME = {"user_id": "dev-1"}
SPENT = deny("usage_limit_reached", reason="exhausted")
CHALLENGE = {"www-authenticate": "Bearer error=\"invalid_token\""}


def scenario(id, title, *rows):
    return Scenario(f"runstack/{id}", title, list(rows), "examples:runstack").host(plans=["STARTER", "PRO"])


def issue(s, name="a", expect=OK, **body):
    return s.issue(name, expect, **ME, **body)


def call(s, tool="execute_tool", expect=None, key="a", **members):
    members["key"] = "$key:" + key
    return s.step("authorize", expect or {"allowed": True}, tool=tool, **members)


def vectors():
    s = issue(scenario("RS-01", "a key authenticates calls to the endpoint", "RS-01"))
    s.step("authorize", allow(None, "dev-1"), method="POST", path="/mcp", headers=[["Authorization", "Bearer $key:a"]])
    s.step("authorize", deny("missing_credential", http={"status": 401}), method="POST", path="/mcp", headers=[])
    s.step("authorize", deny("missing_credential"), method="POST", path="/mcp", headers=[["X-API-Key", "$key:a"]],
           note="Bearer is the only carrier")
    yield s

    s = issue(scenario("RS-02", "the limit follows the plan of the policy in force, never a copy", "RS-02", "INV-31"))
    s.authorize("execute_tool", {"allowed": True, "quota": 50}, times=3)
    s.step("reload", OK, policy="../policies/runstack-60.toml")
    call(s, expect={"allowed": True, "quota": 60, "used": 4})
    s.step("reload", OK, policy="../policies/runstack-4.toml")
    call(s, expect=SPENT)
    yield s

    s = issue(scenario("RS-03", "FREE: 50 executions and not one more", "RS-03", "RS-26", "A-04", "INV-26"))
    s.authorize("execute_tool", {"allowed": True}, times=49)
    call(s, expect={"allowed": True, "used": 50, "remaining": 0})
    call(s, expect=deny("usage_limit_reached", reason="exhausted", retry_after_ms=None, limit="executions", quota=50,
                        used=50))
    yield s

    s = issue(scenario("RS-03-parallel", "of 200 calls at once exactly 50 are admitted", "RS-03", "INV-26", "B1"))
    s.step("parallel", {"allowed": 50, "refused": 150, "code": "usage_limit_reached"}, calls=200,
           operation="execute_tool", key="$key:a", processes=2)
    s.step("usage", {"count": 50}, key="a", limit="executions")
    yield s

    s = issue(scenario("RS-04", "FREE is the default", "RS-04"))
    call(s, expect={"allowed": True, "plan": "FREE"})
    yield s

    s = issue(scenario("RS-05", "STARTER is unlimited and includes priority e-mail support", "RS-05", "RS-21", "A-06"),
              plan="STARTER")
    s.authorize("execute_tool", {"allowed": True, "plan": "STARTER", "entitlements": ["priority_email_support"]}, times=150)
    s.step("usage", {"count": 150, "cap": None, "percent": None}, key="a", limit="executions")
    yield s

    s = scenario("RS-06", "PRO includes private endpoints and analytics", "RS-06")
    for plan in ("FREE", "STARTER", "PRO"):
        issue(s, plan.lower(), plan=plan)
        for path in ("/private/tools", "/analytics"):
            entitled = {"allowed": True, "entitlements": ["private_endpoints", "enterprise_analytics"]}
            expect = entitled if plan == "PRO" else deny("entitlement_required")
            s.step("authorize", expect, method="GET", path=path, key="$key:" + plan.lower())
    yield s

    s = issue(scenario("RS-07", "each execution counts one, through the tool's name", "RS-07", "RS-20"))
    for used in (1, 2, 3):
        call(s, expect={"allowed": True, "used": used, "cost": 1})
    s.step("usage", {"count": 3}, key="a", limit="executions")
    yield s

    for row, tool in [("RS-08", "search_tools"), ("RS-09", "check_authentication"), ("RS-10", "initiate_connection")]:
        s = issue(scenario(row, f"{tool} does not count", row))
        s.authorize(tool, {"allowed": True}, times=100)
        s.step("usage", {"count": 0}, key="a", limit="executions")
        yield s

    s = scenario("RS-11", "a created key has the record that listings show", "RS-11", "RS-14", "RS-17", "RS-21")
    issue(s, "Claude Desktop", expect={"ok": True, "name": "Claude Desktop", "kind": "key", "standing": "active",
                                       "key_length": 68, "key_prefix_length": 12, "expires_at": None, "last_used_at": None})
    s.step("get", {"ok": True, "name": "Claude Desktop", "standing": "active", "status": "active", "created_by": "vectors",
                   "preset": "solo", "user": {"fixed": "dev-1"}, "org": "none"}, key="Claude Desktop")
    s.step("list", {"keys": ["Claude Desktop"]}, account="acme")
    s.step("list", {"keys": []}, account="other")
    yield s

    s = scenario("RS-12", "the name is the owner's own and need not be unique", "RS-12", "RS-32")
    s.issue("a", OK, **ME)
    s.step("issue", OK, **{"as": "b"}, account="acme", body={"name": "a", **ME})
    for key in ("a", "b"):
        call(s, key=key, expect={"allowed": True, "used": 1})
    yield s

    s = scenario("RS-13", "the plan is chosen at creation, and the host may say no", "RS-13", "A-07")
    s.host(plans=["STARTER"])
    issue(s, "a", refused("unknown_plan"), plan="GOLD")
    issue(s, "b", refused("plan_not_allowed"), plan="PRO")
    issue(s, "c", {"ok": True}, plan="STARTER")
    issue(s, "d", {"ok": True}, plan="FREE")
    s.update("d", refused("plan_not_allowed"), plan="PRO")
    s.update("d", OK, plan="STARTER")
    yield s

    s = issue(scenario("RS-14", "no read path holds the text of a key", "RS-14", "RS-16", "INV-43"))
    s.step("get", {"ok": True, "value": None}, key="a")
    s.step("list", {"keys": ["a"]}, account="acme")
    s.step("audit", {"acts": ["key.issue"], "verified": True}, account="acme")
    yield s

    s = issue(scenario("RS-15", "a text that is no key never reaches the store", "RS-15", "RS-16", "INV-44"))
    for text in ["rsk_" + "0" * 63, "rsk_" + "0" * 65, "rsk_" + "A" * 64, "rsk_" + "g" * 64, "RSK_" + "0" * 64]:
        s.authorize("search_tools", deny("invalid_key", reason="malformed"), text=text)
    s.authorize("search_tools", deny("invalid_key", reason="unknown"), text="rsk_" + "0" * 64)
    s.authorize("search_tools", deny("invalid_key", reason="malformed"), text="$digest:a", note="the digest is no key")
    s.authorize("search_tools", deny("invalid_key", reason="unknown"), text="rsk_$digest:a")
    yield s

    s = issue(scenario("RS-18", "a compromised key is deleted at once in all processes, and replaced", "RS-18", "RS-29",
                       "RS-30", "A-12", "INV-04"))
    for process in ("1", "2"):
        call(s, process=process)
    s.key_step("delete")
    gone = deny("invalid_key", reason="unknown", http={"status": 401})
    for process in ("1", "2"):
        call(s, expect=gone, process=process)
    issue(s, "b")
    call(s, key="b", expect={"allowed": True, "used": 1})
    yield s

    s = issue(scenario("RS-22", "last used is the latest execution", "RS-22", "A-10"))
    call(s, "search_tools")
    s.step("maintain", OK)
    s.step("get", {"last_used_at": None}, key="a")
    s.advance(60)
    call(s)
    s.step("maintain", OK)
    s.step("get", {"last_used_at": "2026-03-10T12:01:00Z"}, key="a")
    s.advance(60)
    call(s, "search_tools")
    s.step("maintain", OK)
    s.step("get", {"last_used_at": "2026-03-10T12:01:00Z"}, key="a")
    yield s

    s = issue(scenario("RS-24", "the usage bar: yellow from 80 percent, red at 100", "RS-23", "RS-24", "RS-25", "RS-26"))
    for more, count, percent, state in [(25, 25, 50, "normal"), (14, 39, 78, "normal"), (1, 40, 80, "yellow"),
                                        (9, 49, 98, "yellow"), (1, 50, 100, "red")]:
        s.authorize("execute_tool", {"allowed": True}, times=more)
        s.step("usage", {"count": count, "cap": 50, "percent": percent, "state": state}, key="a", limit="executions")
    call(s, expect=SPENT)
    call(s, "search_tools", note="discovery goes on")
    yield s

    s = issue(scenario("RS-27", "an upgrade unblocks and keeps secret and count", "RS-27", "A-06", "INV-31"))
    s.authorize("execute_tool", {"allowed": True}, times=50)
    call(s, expect=SPENT)
    s.update(plan="STARTER")
    call(s, expect={"allowed": True, "plan": "STARTER"})
    s.step("usage", {"count": 51, "cap": None}, key="a", limit="executions")
    s.update(plan="FREE")
    call(s, expect=SPENT)
    yield s

    s = issue(scenario("RS-28", "deleting and recreating starts at zero", "RS-28"))
    s.authorize("execute_tool", {"allowed": True}, times=50)
    call(s, expect=SPENT)
    s.key_step("delete")
    issue(s, "b")
    s.step("usage", {"count": 0, "cap": 50}, key="b", limit="executions")
    call(s, key="b")
    yield s

    s = issue(scenario("RS-29", "deletion is permanent: no read path has the key, nothing restores it", "RS-29", "A-11",
                       "A-41"))
    s.key_step("delete")
    s.step("get", refused("key_not_found"), key="a")
    s.step("list", {"keys": []}, account="acme", filter={"standing": "all"})
    for do in ("enable", "disable", "delete"):
        s.key_step(do, expect=refused("key_not_found"))
    s.key_step("regenerate", expect=refused("key_not_found"), **{"as": "b"})
    s.key_step("revoke", expect=refused("validation_error"))
    s.step("audit", {"acts": ["key.issue", "key.delete"], "verified": True}, account="acme")
    yield s

    body = {"error": {"code": "invalid_key", "message": "the API key is not valid", "status": 401, "retryable": False}}
    answer = {"status": 401, "headers": {"content-type": "application/json", "cache-control": "no-store", **CHALLENGE},
              "body": body}
    s = issue(scenario("RS-30", "a deleted key is answered as one that never was", "RS-30", "A-42", "INV-08"))
    s.key_step("delete")
    call(s, expect=deny("invalid_key", http=answer))
    s.step("authorize", deny("invalid_key", http=answer), tool="execute_tool", key="rsk_" + "0" * 64)
    s.step("authorize", deny("invalid_key", http=answer), tool="execute_tool", key="no key at all")
    yield s

    s = scenario("RS-31", "as many keys as wanted", "RS-31")
    for number in range(60):
        issue(s, f"k{number}")
    for number in (0, 30, 59):
        call(s, key=f"k{number}", expect={"allowed": True, "used": 1})
    yield s

    s = scenario("RS-32", "one key per client, environment or colleague: labels, and counts of their own", "RS-32")
    issue(s, "a", {"ok": True, "labels": {"client": "cursor"}}, labels={"client": "cursor"})
    issue(s, "b", labels={"client": "claude", "environment": "production"})
    issue(s, "c", refused("validation_error", fields=["labels"]), labels={"colour": "red"})
    s.step("list", {"keys": ["b"]}, account="acme", filter={"label": ["client", "claude"]})
    call(s)
    s.step("usage", {"count": 1}, key="a", limit="executions")
    s.step("usage", {"count": 0}, key="b", limit="executions")
    yield s
