"""AllMCP's API keys, fact by fact, on its policy and its extended policy."""

from .form import OK, Scenario, allow, deny, fixed, open_user, refused, users

ME = dict(org_id="own", user_id="me")
TOOLS = ["list_connections", "list_providers", "connect_provider", "describe_category", "disconnect_provider", "get_usage",
         "report_issue"]


def scenario(id, title, *rows, extended=False):
    return Scenario(f"allmcp/{id}", title, list(rows), "examples:allmcp-extended" if extended else "examples:allmcp")


def call(s, expect, tool="list_connections", key="a", **members):
    members.setdefault("headers", [["X-API-Key", f"$key:{key}"]])
    return s.step("authorize", expect, tool=tool, **members)


def vectors():
    s = scenario("AM-01", "a key identifies its account; no parameter changes it", "AM-01", "AM-10", "AM-11")
    s.issue(preset="solo", **ME)
    call(s, allow("own", "me"))
    for query in ["account_id=other", "client_id=other", "account=other&user=x"]:
        call(s, allow("own", "me"), query=query)
    yield s

    s = scenario("AM-03", "all presets share one form of key; nothing in the text tells them apart", "AM-02", "AM-03", "AM-08", "A-24")
    for preset in ("solo", "client", "platform", "flexible"):
        s.issue(preset, {"ok": True, "preset": preset, "key_length": 39, "key_prefix": "allmcp_"}, preset=preset, **ME)
    s.issue("default", {"ok": True, "preset": "solo"}, **ME)
    yield s

    s = scenario("AM-04", "X-API-Key and Bearer work identically", "AM-04", "AM-05", "AM-06")
    s.issue(preset="client", **ME)
    carriers = ([["X-API-Key", "$key:a"]], [["Authorization", "Bearer $key:a"]],
                [["X-API-Key", "$key:a"], ["Authorization", "Bearer $key:a"]])
    for headers in carriers:
        call(s, {**allow("own", "u1"), "key_id": "$id:a"}, query="user_id=u1", headers=headers)
        call(s, deny("user_required", "T-22", parameter="user_id"), headers=headers)
        call(s, deny("org_mismatch", "T-29"), query="org_id=x&user_id=u1", headers=headers)
    for value in ["$other:a", "allmcp_short", "sk-ant-x"]:
        reason = "unknown" if value == "$other:a" else "malformed"
        call(s, deny("invalid_key", reason=reason), headers=[["X-API-Key", value]])
        call(s, deny("invalid_key", reason=reason), headers=[["Authorization", f"Bearer {value}"]])
    call(s, deny("missing_credential"), headers=[])
    yield s

    s = scenario("AM-07", "a Bearer value of another scheme beside the key is a conflict", "AM-07", "A-32")
    s.issue(preset="solo", **ME)
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln"
    call(s, deny("credential_conflict"), headers=[["X-API-Key", "$key:a"], ["Authorization", f"Bearer {jwt}"]])
    yield s

    s = scenario("AM-09", "an administrator edits the bindings; the next request follows", "AM-09", "AM-14", "INV-04")
    s.issue(preset="client", **ME)
    for process in ("1", "2"):
        call(s, allow("own", "u1"), query="user_id=u1", process=process)
    s.update(expect={"ok": True, "narrowed": True}, user=users("u2"))
    for process in ("1", "2"):
        call(s, deny("user_not_allowed", "T-18"), query="user_id=u1", process=process)
        call(s, allow("own", "u2"), query="user_id=u2", process=process)
    s.update(expect={"ok": True, "widened": True}, user=open_user(True))
    for process in ("1", "2"):
        call(s, allow("own", "u1"), query="user_id=u1", process=process)
    s.update(expect={"ok": True}, preset="solo", user_id="u3", org_id="own")
    call(s, allow("own", "u3"), query="user_id=u3")
    call(s, deny("user_mismatch"), query="user_id=u1")
    yield s

    s = scenario("AM-12", "a client key: one company, many users", "AM-12", "A-25", "A-27")
    s.issue(preset="client", **ME)
    call(s, allow("own", "u1", created=True), query="user_id=u1")
    call(s, allow("own", "u2", created=True), query="user_id=u2")
    call(s, deny("user_required", "T-22"))
    call(s, deny("org_mismatch", "T-29"), query="org_id=o2&user_id=u1")
    yield s

    s = scenario("AM-13", "a platform key: many orgs and users", "AM-13", "A-25", "A-27")
    s.issue(preset="platform", **ME)
    call(s, allow("o1", "u1", created=True), query="org_id=o1&user_id=u1")
    call(s, allow("o2", "u1", created=True), query="org_id=o2&user_id=u1")
    call(s, deny("org_required", "T-40"))
    call(s, deny("org_required", "T-40"), query="user_id=u1")
    call(s, deny("user_required", "T-53"), query="org_id=o3")
    yield s

    s = scenario("A-23", "a flexible key: the URL chooses the mode", "A-23", "AM-15")
    s.issue(preset="flexible", **ME)
    call(s, allow("own", "me"))
    call(s, allow("own", "u1", created=True), query="user_id=u1")
    call(s, allow("o1", "u1", created=True), query="org_id=o1&user_id=u1")
    call(s, deny("user_required", "T-64"), query="org_id=o1")
    yield s

    s = scenario("AM-14", "two keys of one account, one URL, two answers", "AM-14")
    s.issue("solo", preset="solo", **ME)
    s.issue("client", preset="client", **ME)
    call(s, deny("user_mismatch", "T-05"), key="solo", query="user_id=u1")
    call(s, allow("own", "u1"), key="client", query="user_id=u1")
    yield s

    s = scenario("AM-17", "the key is not shown again; a lost one is revoked and replaced", "AM-16", "AM-17", "AM-18", "INV-43")
    s.issue(preset="solo", **ME)
    s.step("get", {"ok": True, "value": None}, key="a")
    call(s, deny("invalid_key", reason="malformed"), headers=[["X-API-Key", "$digest:a"]])
    s.key_step("revoke")
    call(s, deny("invalid_key", reason="revoked"))
    s.issue("b", preset="solo", **ME)
    call(s, allow("own", "me"), key="b")
    yield s

    s = scenario("AM-24", "the base policy limits nothing", "AM-24", "AM-25", "A-31")
    s.issue(preset="solo", **ME)
    for tool in TOOLS:
        call(s, {**allow("own", "me"), "cost": 0, "limits": []}, tool=tool)
    call(s, {**allow("own", "me"), "limits": []}, tool="bitrix24_create_deal", dimensions=[["provider", "bitrix24"]], times=150)
    yield s

    s = scenario("AM-25", "one user id in two orgs or accounts is two users", "AM-25", "A-29")
    s.issue("a", preset="platform", **ME)
    s.issue("b", account="other", preset="platform", **ME)
    call(s, allow("o1", "u", created=True), query="org_id=o1&user_id=u")
    call(s, allow("o2", "u", created=True), query="org_id=o2&user_id=u")
    call(s, allow("o1", "u", account="other", created=True), key="b", query="org_id=o1&user_id=u")
    yield s

    s = scenario("A-26", "a contradicting parameter is refused, whether the tenant exists or not", "A-26", "INV-19")
    s.put(org="own").put(org="own", user="known")
    s.issue("fixed", preset="client", user=fixed("me"), **ME)
    s.issue("list", preset="client", user=users("me", "you"), **ME)
    for user in ("known", "unknown"):
        call(s, deny("user_mismatch", "T-14", parameter="user_id"), key="fixed", query=f"user_id={user}")
        call(s, deny("user_not_allowed", "T-18", parameter="user_id"), key="list", query=f"user_id={user}")
    call(s, allow("own", "me"), key="fixed", query="user_id=me")
    yield s

    s = scenario("AM-22-extended", "header forms of the parameters, and caps per user and account", "AM-22", "A-28", "A-31",
                 extended=True)
    s.issue(preset="client", **ME)
    call(s, allow("own", "u1", created=True), headers=[["X-API-Key", "$key:a"], ["X-User-Id", "u1"]])
    tool = dict(tool="slack_post", dimensions=[["provider", "slack"]])
    s.step("authorize", {"allowed": True}, **tool, headers=[["X-API-Key", "$key:a"]], query="user_id=u1", times=60)
    call(s, deny("rate_limited", limit="user-minute", retry_after_ms=1000), **tool, query="user_id=u1")
    call(s, {"allowed": True}, **tool, query="user_id=u2")
    call(s, {"allowed": True}, query="user_id=u1", note="system tools go on")
    s.advance(1)
    call(s, {"allowed": True}, **tool, query="user_id=u1")
    yield s

    s = scenario("A-31-month", "the extended policy: a hard month, with the day on which it begins anew", "A-31", "A-05",
                 "RT-37", extended=True)
    s.issue(preset="solo", **ME)
    tool = dict(tool="slack_post", dimensions=[["provider", "slack"]])
    call(s, {"allowed": True}, **tool)
    s.step("usage", {"count": 1, "cap": 20000, "resets_at": "2026-04-01T00:00:00Z"}, key="a", limit="provider-calls-month")
    yield s

    s = scenario("AM-10-edit", "presets and bindings that do not fit are refused", "AM-10", "AM-15", "T-30")
    s.issue("a", refused("binding_invalid"), preset="solo")
    s.issue("b", refused("binding_invalid"), preset="client", org={"open": {}}, **ME)
    s.issue("c", refused("binding_invalid"), preset="solo", user=open_user(True), **ME)
    s.issue("d", refused("validation_error"), preset="hybrid", **ME)
    s.issue("e", OK, preset="platform", org=fixed("o7"), **ME)
    call(s, allow("o7", "u1"), key="e", query="user_id=u1")
    yield s
