"""Rows X-06 to X-16: states of tenants, creation, environments, publishable keys, account level, ignored parameters."""

from .form import (
    Scenario, allow, deny, fixed, open_org, open_user, optional_user, orgs, users,
)

READ, LIST, ORGS = "user.read", "org.read", "orgs.list"

# One key per shape of binding that reaches org o1 and user u1 with the parameters given.
SHAPES = [
    ("solo", dict(preset="solo", org=fixed("o1"), user=fixed("u1")), None),
    ("client-fixed", dict(preset="client", org=fixed("o1"), user=fixed("u1")), None),
    ("client-list", dict(preset="client", org=fixed("o1"), user=users("u1", "u2")), "user_id=u1"),
    ("client-known", dict(preset="client", org=fixed("o1"), user=open_user(False)), "user_id=u1"),
    ("client-any", dict(preset="client", org=fixed("o1"), user=open_user(True)), "user_id=u1"),
    ("platform-list", dict(preset="platform", org=orgs("o1", "o2"), user=users("u1", "u2")), "org_id=o1&user_id=u1"),
    ("platform-known", dict(preset="platform", org=open_org(False), user=open_user(False)), "org_id=o1&user_id=u1"),
    ("platform-any", dict(preset="platform", org=open_org(True), user=open_user(True)), "org_id=o1&user_id=u1"),
    ("platform-optional", dict(preset="platform", org=open_org(True), user=optional_user(True)),
     "org_id=o1&user_id=u1"),
    ("flexible", dict(preset="flexible", org=open_org(True, default="o1"),
                      user=open_user(True, default=("o1", "u1"))), None),
]


def scenario(id, title, *rows, policy="tenancy"):
    return Scenario(f"crosscutting/{id}", title, list(rows), policy)


def registered(s):
    return s.put(org="o1").put(org="o1", user="u1").put(org="o1", user="u2")


def suspension():
    for name, binding, query in SHAPES:
        s = registered(scenario(f"X-06-{name}", f"{name} key: a suspended user, org or account is refused at once",
                                "X-06", "A-12"))
        s.issue(**binding).authorize(READ, allow("o1", "u1", created=False), query=query)
        for code, org, user in [("user_suspended", "o1", "u1"), ("org_suspended", "o1", None),
                                ("account_suspended", None, None)]:
            s.tenant_step("suspend_tenant", org, user)
            s.authorize(READ, deny(code, "X-06"), query=query)
            s.tenant_step("resume_tenant", org, user)
            s.authorize(READ, allow("o1", "u1", created=False), query=query)
        yield s

    s = registered(scenario("X-06-flows-down", "suspension flows down, and the wider one is the answer", "X-06", "A-43"))
    s.issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.tenant_step("suspend_tenant", "o1", "u1")
    s.authorize(READ, deny("user_suspended", "X-06"), query="user_id=u1")
    s.authorize(READ, allow("o1", "u2"), query="user_id=u2")
    s.tenant_step("suspend_tenant", "o1")
    s.authorize(READ, deny("org_suspended", "X-06"), query="user_id=u1")
    s.authorize(READ, deny("org_suspended", "X-06"), query="user_id=u2")
    s.authorize(READ, deny("org_suspended", "X-06"), query="user_id=new")
    s.tenant_step("suspend_tenant")
    s.authorize(READ, deny("account_suspended", "X-06"), query="user_id=u1")
    s.authorize(READ, deny("account_suspended", "X-06"), note="the account comes before the missing user")
    s.tenant_step("resume_tenant").tenant_step("resume_tenant", "o1")
    s.authorize(READ, deny("user_suspended", "X-06"), query="user_id=u1")
    s.authorize(READ, allow("o1", "u2"), query="user_id=u2")
    s.tenants({"users": ["u1", "u2"]}, org="o1")
    yield s

    s = scenario("X-06-levels", "a suspended account stops operations of every level", "X-06", "X-14")
    s.put(org="o1").issue(preset="client", org=fixed("o1"), user="none")
    s.authorize(LIST, allow("o1")).authorize(ORGS, allow())
    s.tenant_step("suspend_tenant")
    s.authorize(LIST, deny("account_suspended", "X-06")).authorize(ORGS, deny("account_suspended", "X-06"))
    yield s


# After deletion: keys for known tenants only do not find it, all others may not use it until it is released.
def deletion():
    for name, binding, query in SHAPES:
        for axis, org, user in [("user", "o1", "u1"), ("org", "o1", None)]:
            known_only = name == "platform-known" or (name == "client-known" and axis == "user")
            code = f"{axis}_not_found" if known_only else "tenant_deleted"
            s = registered(scenario(f"X-07-{name}-{axis}", f"{name} key: a deleted {axis} never comes back by itself",
                                    "X-07", "A-12"))
            s.issue(**binding).authorize(READ, allow("o1", "u1", created=False), query=query)
            s.tenant_step("delete_tenant", org, user)
            s.authorize(READ, deny(code, "X-07"), query=query)
            s.authorize(READ, deny(code, "X-07"), query=query, note="nor at the second call")

            yield s

    s = registered(scenario("X-07-released", "a released id is free again, and is created anew on first use", "X-07"))
    s.issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.tenant_step("delete_tenant", "o1", "u1")
    s.authorize(READ, deny("tenant_deleted", "X-07"), query="user_id=u1")
    s.tenant_step("release_tenant", "o1", "u1")
    s.authorize(READ, allow("o1", "u1", created=True), query="user_id=u1")
    s.authorize(READ, allow("o1", "u1", created=False), query="user_id=u1")
    yield s

    s = registered(scenario("X-07-resume", "a deleted tenant can't be resumed, suspended or put back", "X-07"))
    s.issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.tenant_step("delete_tenant", "o1", "u1")
    for do in ("resume_tenant", "suspend_tenant", "put_tenant"):
        s.tenant_step(do, "o1", "u1", expect={"ok": False})
        s.authorize(READ, deny("tenant_deleted", "X-07"), query="user_id=u1")
    yield s


def erasure():
    s = scenario("N-15", "an erased tenant is gone with all below it, and with the keys that were for it alone", "N-15", "X-07")
    s.put(org="o1").put(org="o1", user="u1").put(org="o2").put(org="o2", user="u1")
    s.issue("own", preset="client", org=fixed("o1"), user=open_user(True))
    s.issue("wide", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("other", preset="client", org=fixed("o2"), user=open_user(True))
    s.tenant_step("erase_tenant", "o1", expect={"ok": False})
    s.tenant_step("delete_tenant", "o1")
    s.authorize(READ, deny("tenant_deleted", "X-07"), key="own", query="user_id=u1")
    s.tenant_step("erase_tenant", "o1")
    s.authorize(READ, deny("invalid_key", reason="unknown"), key="own", query="user_id=u1")
    s.authorize(READ, allow("o2", "u1", created=False), key="other", query="user_id=u1")
    s.tenants({"users": []}, org="o1").tenants({"orgs": ["o2"]})
    s.authorize(READ, allow("o1", "u1", created=True), key="wide", query="org_id=o1&user_id=u1")
    yield s


def creation():
    later = [
        ("user", "user.read", "org_id=o9", "user_required", {}),
        ("permission", "user.admin", "org_id=o9&user_id=u9", "insufficient_permission", {}),
        ("kind", "user.other", "org_id=o9&user_id=u9", "kind_not_allowed", {}),
        ("resource", "user.agent", "org_id=o9&user_id=u9", "resource_not_allowed", {"resource": "agent:a9"}),
        ("entitlement", "user.premium", "org_id=o9&user_id=u9", "entitlement_required", {}),
        ("rate", "user.fast", "org_id=o9&user_id=u9", "rate_limited", {"cost": 3}),
        ("usage", "user.run", "org_id=o9&user_id=u9", "usage_limit_reached", {"cost": 3}),
    ]
    for name, operation, query, code, more in later:
        s = scenario(f"X-08-{name}", f"a request that is refused by a later check ({name}) creates nothing", "X-08",
                     policy="creation")
        s.issue(preset="platform", org=open_org(True), user=open_user(True))
        s.authorize(operation, deny(code), query=query, **more)
        s.tenants({"orgs": []})
        s.step("usage", {"charged": 0}, key="a", limit="runs")
        s.authorize("user.read", allow("o9", "u9", created=True), query="org_id=o9&user_id=u9")
        s.tenants({"orgs": ["o9"]}).tenants({"users": ["u9"]}, org="o9")
        yield s

    s = scenario("X-08-counted", "a call that creates is counted once, with the tenant", "X-08", policy="creation")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    s.authorize("user.run", allow("o1", "u1", created=True), query="org_id=o1&user_id=u1")
    s.step("usage", {"charged": 1}, key="a", limit="runs")
    s.authorize("user.run", allow("o1", "u1", created=False), query="org_id=o1&user_id=u1")
    s.step("usage", {"charged": 2}, key="a", limit="runs")
    yield s

    s = scenario("X-08-inspect", "inspect judges and creates nothing", "X-08")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    s.inspect(READ, {"allowed": True}, query="org_id=o1&user_id=u1")
    s.tenants({"orgs": []})
    yield s

    for name, operation in [("free", "user.read"), ("counted", "user.run")]:
        s = scenario(f"X-09-{name}", f"first requests for one new tenant at the same time: one tenant, all allowed ({name})",
                     "X-09", policy="creation")
        s.issue(preset="platform", org=open_org(True), user=open_user(True))
        s.step("parallel", {"allowed": 2, "refused": 0}, calls=2, operation=operation, key="$key:a",
               query="org_id=o1&user_id=u1")
        s.tenants({"orgs": ["o1"]}).tenants({"users": ["u1"]}, org="o1")
        yield s

    s = scenario("X-09-capped", "first requests for several new tenants at the same time never pass the cap", "X-09",
                 "A-27", policy="tenancy-capped")
    s.issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.step("parallel", {"allowed": 2, "refused": 6, "code": "tenant_limit_reached"}, calls=8, operation=READ,
           key="$key:a", query="user_id=u$n")
    yield s


def environments():
    s = scenario("X-10", "a tenant of the other environment is unknown", "X-10", "RT-17", "A-38",
                 policy="environments")
    s.put(org="o1", environment="live").put(org="o1", user="u1", environment="live")
    s.issue("test", environment="test", preset="platform", org=open_org(False), user=open_user(False))
    s.issue("live", environment="live", preset="platform", org=open_org(False), user=open_user(False))
    query = "org_id=o1&user_id=u1"
    s.authorize(READ, allow("o1", "u1", environment="live"), key="live", query=query)
    s.authorize(READ, deny("org_not_found"), key="test", query=query)
    s.put(org="o1", environment="test")
    s.authorize(READ, deny("user_not_found"), key="test", query=query)
    s.put(org="o1", user="u1", environment="test")
    s.authorize(READ, allow("o1", "u1", environment="test"), key="test", query=query)
    s.tenant_step("suspend_tenant", "o1", environment="test")
    s.authorize(READ, deny("org_suspended", "X-06"), key="test", query=query)
    s.authorize(READ, allow("o1", "u1", environment="live"), key="live", query=query)
    yield s

    s = scenario("X-10-created", "a tenant is created in the key's environment alone", "X-10", policy="environments")
    s.issue("test", environment="test", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("live", environment="live", preset="platform", org=open_org(True), user=open_user(True))
    s.authorize(READ, allow("o1", "u1", created=True), key="test", query="org_id=o1&user_id=u1")
    s.tenants({"orgs": ["o1"]}, environment="test").tenants({"orgs": []}, environment="live")
    s.authorize(READ, allow("o1", "u1", created=True), key="live", query="org_id=o1&user_id=u1")
    yield s


def account_level():
    s = scenario("X-14", "an operation of account level takes no tenant parameter and has no org and no user", "X-14")
    s.put(org="o1")
    s.issue("client", preset="client", org=fixed("o1"), user=open_user(True))
    s.issue("platform", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("solo", preset="solo", org=fixed("o1"), user=fixed("u1"))
    for key in ("client", "platform", "solo"):
        s.authorize(ORGS, allow(), key=key)
        s.authorize(ORGS, deny("org_unexpected", "X-14"), key=key, query="org_id=o1")
        s.authorize(ORGS, deny("user_unexpected", "X-14"), key=key, query="user_id=u1")
        s.authorize(ORGS, deny("org_unexpected", "X-14"), key=key, query="org_id=o1&user_id=u1")
        s.authorize(ORGS, deny("org_invalid"), key=key, query="org_id=")
    s.tenants({"orgs": ["o1"]})
    yield s

    s = scenario("X-14-permission", "listing across orgs needs a permission of its own", "X-14", policy="creation")
    s.issue("a", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("b", preset="platform", org=open_org(True), user=open_user(True), permissions=["ORGS:LIST"])
    s.authorize(ORGS, deny("insufficient_permission", missing=["ORGS:LIST"]))
    s.authorize(ORGS, allow(), key="b")
    yield s

    s = scenario("level", "a key without the axis that an operation needs may not call it", "A-43")
    s.put(org="o1")
    s.issue("org", preset="client", org=fixed("o1"), user="none")
    s.issue("user", preset="solo", org="none", user=fixed("u1"))
    s.authorize(READ, deny("kind_not_allowed"), key="org")
    s.authorize(LIST, allow("o1"), key="org")
    s.authorize(LIST, deny("kind_not_allowed"), key="user")
    s.authorize(READ, allow(None, "u1"), key="user")
    yield s


def ignored():
    ignore = "tenancy-ignore"
    cases = [
        ("T-03", dict(preset="solo", org=fixed("o0"), user=fixed("u0")), "org_id=o9", allow("o0", "u0"), "org_ignored"),
        ("T-05", dict(preset="solo", org=fixed("o0"), user=fixed("u0")), "user_id=u9", allow("o0", "u0"),
         "user_ignored"),
        ("T-08", dict(preset="solo", org=fixed("o0"), user=fixed("u0")), "org_id=o9&user_id=u9", allow("o0", "u0"),
         "both_ignored"),
        ("T-10", dict(preset="solo", org="none", user=fixed("u0")), "org_id=o9", allow(None, "u0"), "org_ignored"),
        ("T-14", dict(preset="client", org=fixed("o1"), user=fixed("u1")), "org_id=o1&user_id=u9", allow("o1", "u1"),
         "user_ignored"),
        ("T-32", dict(preset="platform", org=fixed("o1"), user=fixed("u1")), "org_id=o9", allow("o1", "u1"),
         "org_ignored"),
        ("T-45", dict(preset="platform", org=orgs("o1"), user=fixed("u1")), "org_id=o1&user_id=u9", allow("o1", "u1"),
         "user_ignored"),
    ]
    for row, binding, query, expect, warning in cases:
        s = scenario(f"X-16-{row}", f"with extra_param = ignore, row {row} follows the binding and warns", "X-16", row,
                     policy=ignore)
        s.issue(**binding)
        header = warning.replace("both_ignored", "org_ignored, user_ignored")
        s.authorize(READ, {**expect, "warning": warning,
                           "http": {"status": 200, "headers": {"x-tenantkit-warning": header}}}, query=query)
        s.authorize(READ, {**expect, "warning": None, "http": {"status": 200, "headers": {}}},
                    query="org_id=o1" if row == "T-45" else None)
        yield s

    s = scenario("X-16-T-28", "with extra_param = ignore, row T-28 runs without a user and warns", "X-16", "T-28",
                 policy=ignore)
    s.issue(preset="client", org=fixed("o1"), user="none")
    s.authorize(LIST, allow("o1", warning="user_ignored"), query="user_id=u1")
    yield s

    s = scenario("X-16-unchanged", "extra_param = ignore changes no list, no open binding and no account level", "X-16",
                 policy=ignore)
    s.put(org="o1")
    s.issue("list", preset="platform", org=orgs("o1", "o2"), user=users("u1"))
    s.issue("known", preset="platform", org=open_org(False), user=open_user(False))
    s.issue("client", preset="client", org=fixed("o1"), user=users("u1"))
    s.authorize(READ, deny("org_not_allowed", "T-36"), key="list", query="org_id=o9&user_id=u1")
    s.authorize(READ, deny("user_not_allowed", "T-49"), key="list", query="org_id=o1&user_id=u9")
    s.authorize(READ, deny("org_not_found", "T-39"), key="known", query="org_id=o9&user_id=u1")
    s.authorize(READ, deny("user_not_found", "T-52"), key="known", query="org_id=o1&user_id=u9")
    s.authorize(READ, deny("user_not_allowed", "T-18"), key="client", query="user_id=u9")
    s.authorize(READ, deny("org_invalid"), key="client", query="org_id=&user_id=u1")
    s.authorize(ORGS, deny("org_unexpected", "X-14"), key="client", query="org_id=o1")
    yield s


def foreign_orgs():
    s = scenario("A-15-404", "with foreign_org = 404 a foreign org is not found, existing or not", "A-15",
                 policy="tenancy-foreign-404")
    s.put(org="o2").put(org="o1")
    s.issue("fixed", preset="client", org=fixed("o1"), user=open_user(True))
    s.issue("list", preset="platform", org=orgs("o1"), user=open_user(True))
    for key in ("fixed", "list"):
        for org in ("o2", "o9"):
            s.authorize(READ, deny("org_not_found"), key=key, query=f"org_id={org}&user_id=u1")
    yield s


def vectors():
    yield from suspension()
    yield from deletion()
    yield from erasure()
    yield from creation()
    yield from environments()
    yield from account_level()
    yield from ignored()
    yield from foreign_orgs()
