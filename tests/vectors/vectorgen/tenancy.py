"""The truth table T-01 to T-64, row by row."""

from .form import (
    Scenario, allow, deny, fixed, open_org, open_user, optional_user, orgs, pairs, refused, users,
)

POLICY = "tenancy"
READ = "user.read"  # an operation of user level
LIST = "org.read"  # an operation of org level


def scenario(row, title, *more_rows, id=None, policy=POLICY):
    return Scenario(f"tenancy/{id or row}", title, [row, *more_rows], policy)


def q(org=None, user=None):
    """The query string that names these tenants."""
    parts = [f"org_id={org}"] if org is not None else []
    parts += [f"user_id={user}"] if user is not None else []
    return "&".join(parts) or None


def solo():
    fixed_rows = [
        ("T-01", "neither parameter", q(), None),
        ("T-02", "its own org", q("o0"), None),
        ("T-03", "another org", q("o9"), "org_mismatch"),
        ("T-04", "its own user", q(None, "u0"), None),
        ("T-05", "another user", q(None, "u9"), "user_mismatch"),
        ("T-06", "its own org and user", q("o0", "u0"), None),
        ("T-07", "its own org and another user", q("o0", "u9"), "user_mismatch"),
    ]
    for row, what, query, code in fixed_rows:
        s = scenario(row, f"solo key, given {what}", "AM-10")
        s.issue(preset="solo", org=fixed("o0"), user=fixed("u0"))
        s.authorize(READ, deny(code, row) if code else allow("o0", "u0"), query=query)
        yield s

    s = scenario("T-08", "solo key, given another org and any user: the org is judged first", "AM-10")
    s.issue(preset="solo", org=fixed("o0"), user=fixed("u0"))
    for user in ("u0", "u9"):
        s.authorize(READ, deny("org_mismatch", "T-08"), query=q("o9", user))
    yield s

    none_rows = [
        ("T-09", "no org", [(q(), None), (q(None, "u0"), None)]),
        ("T-10", "an org that the key does not have",
         [(q("o0"), "org_unexpected"), (q("o0", "u0"), "org_unexpected"), (q("o9", "u9"), "org_unexpected")]),
        ("T-11", "no org and another user", [(q(None, "u9"), "user_mismatch")]),
    ]
    for row, what, cases in none_rows:
        s = scenario(row, f"solo key without an org axis, given {what}", "AM-10")
        s.issue(preset="solo", org="none", user=fixed("u0"))
        for query, code in cases:
            s.authorize(READ, deny(code, row) if code else allow(None, "u0"), query=query)
        yield s


def client(row, title, user, cases, known=(), elsewhere=(), operation=READ, policy=POLICY):
    """A client key of org o1. Each case is tried with and without the org in the request."""
    s = scenario(row, title, "AM-12", policy=policy)
    s.put(org="o1")
    for known_user in known:
        s.put(org="o1", user=known_user)
    for org, other in elsewhere:
        s.put(org=org).put(org=org, user=other)
    s.issue(preset="client", org=fixed("o1"), user=user)
    for user_id, expect in cases:
        for org_id in (None, "o1"):
            s.authorize(operation, expect, query=q(org_id, user_id))
    return s


def clients():
    yield client("T-12", "client key with one user, no user given", fixed("u1"), [(None, allow("o1", "u1"))])
    yield client("T-13", "client key with one user, its own user given", fixed("u1"), [("u1", allow("o1", "u1"))])
    yield client("T-14", "client key with one user, another user given", fixed("u1"),
                 [("u2", deny("user_mismatch", "T-14")), ("u9", deny("user_mismatch", "T-14"))], known=["u2"])
    yield client("T-15", "client key with a list of users, no user given", users("u1", "u2"),
                 [(None, deny("user_required", "T-15", parameter="user_id"))], known=["u1"])
    yield client("T-16", "client key with a list of users and a default", users("u1", "u2", default="u2"),
                 [(None, allow("o1", "u2"))])
    yield client("T-17", "client key with a list of users, one of them given", users("u1", "u2"),
                 [("u1", allow("o1", "u1")), ("u2", allow("o1", "u2"))])
    yield client("T-18", "client key with a list of users, another user given, known or not", users("u1", "u2"),
                 [("u3", deny("user_not_allowed", "T-18")), ("u9", deny("user_not_allowed", "T-18"))], known=["u3"])
    yield client("T-19", "client key for known users, no user given", open_user(False),
                 [(None, deny("user_required", "T-19", parameter="user_id"))])
    yield client("T-20", "client key for known users, a known user given", open_user(False),
                 [("u1", allow("o1", "u1", created=False))], known=["u1"])
    yield client("T-21", "client key for known users, a user unknown in its org given", open_user(False),
                 [("u9", deny("user_not_found", "T-21")), ("u2", deny("user_not_found", "T-21"))],
                 known=["u1"], elsewhere=[("o2", "u2")])
    yield client("T-22", "client key for any user, no user given", open_user(True),
                 [(None, deny("user_required", "T-22", parameter="user_id"))])
    yield client("T-23", "client key for any user with a default", open_user(True, default=("o1", "u1")),
                 [(None, allow("o1", "u1"))], known=["u1"])
    yield client("T-24", "client key for any user, a known user given", open_user(True),
                 [("u1", allow("o1", "u1", created=False))], known=["u1"])

    s = scenario("T-25", "client key for any user, a new user given: created once", "AM-12")
    s.put(org="o1").issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.tenants({"users": []}, org="o1")
    s.authorize(READ, allow("o1", "u1", created=True), query=q(None, "u1"))
    s.authorize(READ, allow("o1", "u1", created=False), query=q("o1", "u1"))
    s.authorize(READ, allow("o1", "u2", created=True), query=q("o1", "u2"))
    s.tenants({"users": ["u1", "u2"]}, org="o1")
    yield s

    s = scenario("T-26", "client key for any user, a new user given past the cap of two", "AM-12", "A-27",
                 policy="tenancy-capped")
    s.put(org="o1").issue(preset="client", org=fixed("o1"), user=open_user(True))
    s.authorize(READ, allow("o1", "u1", created=True), query=q(None, "u1"))
    s.authorize(READ, allow("o1", "u2", created=True), query=q(None, "u2"))
    for org_id in (None, "o1"):
        s.authorize(READ, deny("tenant_limit_reached", "T-26"), query=q(org_id, "u3"))
    s.authorize(READ, allow("o1", "u2", created=False), query=q(None, "u2"))
    s.tenants({"users": ["u1", "u2"]}, org="o1")
    yield s

    yield client("T-27", "client key of org level, no user given", "none", [(None, allow("o1"))], operation=LIST)
    yield client("T-28", "client key of org level, a user given", "none",
                 [("u1", deny("user_unexpected", "T-28", parameter="user_id"))], known=["u1"], operation=LIST)

    for name, user in [("fixed", fixed("u1")), ("list", users("u1")), ("open", open_user(True)), ("none", "none")]:
        s = scenario("T-29", f"client key (user {name}), another org given, known or not: no look-up, nothing created",
                     "AM-12", id=f"T-29-{name}")
        s.put(org="o2").issue(preset="client", org=fixed("o1"), user=user)
        operation = LIST if name == "none" else READ
        for org_id in ("o2", "o9"):
            for user_id in (None, "u1"):
                s.authorize(operation, deny("org_mismatch", "T-29"), query=q(org_id, user_id))
        s.tenants({"orgs": ["o1", "o2"]})
        yield s

    s = scenario("T-30", "client key is one company: a list of orgs or any org is refused at issue", "AM-12")
    for org in (orgs("o1"), orgs("o1", "o2", default="o1"), open_org(False), open_org(True)):
        for user in (fixed("u1"), open_user(True)):
            s.issue("a", refused("binding_invalid"), preset="client", org=org, user=user)
    yield s


# The user rows of a platform key in the resolved org o: row, operation, binding, parameter, what happens.
# `known` users are registered in o first. `None` as outcome is an allow for the user named.
def platform_rows(o, default_user=None):
    d = default_user or "u2"
    return [
        ("T-44", READ, fixed("u1"), [(None, "u1"), ("u1", "u1")]),
        ("T-45", READ, fixed("u1"), [("u2", "user_mismatch"), ("u9", "user_mismatch")]),
        ("T-46", READ, users("u1", "u2"), [(None, "user_required")]),
        ("T-47", READ, users("u1", d, default=d), [(None, d)]),
        ("T-48", READ, users("u1", "u2"), [("u1", "u1"), ("u2", "u2")]),
        ("T-49", READ, users("u1", "u2"), [("known", "user_not_allowed"), ("u9", "user_not_allowed")]),
        ("T-50", READ, open_user(False), [(None, "user_required")]),
        ("T-51", READ, open_user(False), [("known", "known")]),
        ("T-52", READ, open_user(False), [("u9", "user_not_found")]),
        ("T-53", READ, open_user(True), [(None, "user_required")]),
        ("T-54", READ, open_user(True), [("known", "known")]),
        ("T-55", READ, open_user(True), [("u7", "+u7"), ("u7", "u7")]),
        ("T-57", LIST, optional_user(True), [(None, None)]),
        ("T-58", READ, optional_user(True), [(None, "user_required")]),
        ("T-59", READ, optional_user(False), [("known", "known"), ("u9", "user_not_found")]),
        ("T-59", READ, optional_user(True), [("known", "known"), ("u7", "+u7"), ("u7", "u7")]),
    ]


# How the org is resolved: row, what, binding, org parameters that resolve to o, whether each of them creates it.
PLATFORM_ORGS = [
    ("T-31", "one org", fixed("o1"), [None, "o1"], "o1"),
    ("T-34", "a list of orgs with a default, none given", orgs("o1", "o2", default="o2"), [None], "o2"),
    ("T-35", "a list of orgs, one of them given", orgs("o1", "o2"), ["o2"], "o2"),
    ("T-38", "known orgs, a known one given", open_org(False), ["o1"], "o1"),
    ("T-41", "any org, a known one given", open_org(True), ["o1"], "o1"),
]

USER_NAMES = {"T-44": "one user", "T-45": "one user", "T-46": "a list of users", "T-47": "a list of users with a default",
              "T-48": "a list of users", "T-49": "a list of users", "T-50": "known users", "T-51": "known users",
              "T-52": "known users", "T-53": "any user", "T-54": "any user", "T-55": "any user",
              "T-57": "an optional user", "T-58": "an optional user", "T-59": "an optional user"}


def platform_matrix():
    for org_row, what, org_binding, org_params, org in PLATFORM_ORGS:
        for index, (user_row, operation, user_binding, cases) in enumerate(platform_rows(org)):
            create = "-create" if user_row == "T-59" and user_binding == optional_user(True) else ""
            s = scenario(org_row, f"platform key with {what}, and {USER_NAMES[user_row]} there", user_row, "AM-13",
                         id=f"{org_row}-{user_row}{create}")
            s.put(org=org).put(org=org, user="known").put(org="o8").put(org="o8", user="u9")
            s.issue(preset="platform", org=org_binding, user=user_binding)
            for user_param, outcome in cases:
                for org_param in org_params:
                    s.authorize(operation, platform_expect(org, user_row, outcome), query=q(org_param, user_param))
                    if outcome and outcome.startswith("+"):
                        outcome = outcome[1:]  # the second way of naming the same org finds the user there
            yield s


def platform_expect(org, row, outcome, **more):
    if outcome is None:
        return allow(org, **more)
    if outcome.startswith("user_"):
        # Row T-59 points at the rows that judge a parameter that is given.
        return deny(outcome, None if row == "T-59" else row)
    if outcome.startswith("+"):
        return allow(org, outcome[1:], created=True)
    return allow(org, outcome, **{"created": False, **more})


def platform_creating():
    """T-42: the org itself is new. Each case has an org of its own; what is refused creates nothing."""
    rows = [row for row in platform_rows("new") if row[0] not in ("T-51", "T-54")]
    for user_row, operation, user_binding, cases in rows:
        create = "-create" if user_row == "T-59" and user_binding == optional_user(True) else ""
        s = scenario("T-42", f"platform key for any org, a new one given, and {USER_NAMES[user_row]} there", user_row,
                     "X-08", "AM-13", id=f"T-42-{user_row}{create}")
        s.put(org="n1", account="other")
        s.issue(preset="platform", org=open_org(True), user=user_binding)
        made = []
        for index, (user_param, outcome) in enumerate(cases):
            if user_param == "known":
                continue
            org = f"n{index + 1}"
            if outcome and outcome.startswith("user_"):
                expect = platform_expect(org, user_row, outcome)
            else:
                expect = allow(org, outcome and outcome.lstrip("+"), created=True)
                made.append(org)
            s.authorize(operation, expect, query=q(org, user_param))
            if expect["allowed"]:
                s.authorize(operation, {**expect, "created": False}, query=q(org, user_param))
        s.tenants({"orgs": made})
        s.tenants({"orgs": ["n1"]}, account="other")
        yield s


def platforms():
    yield from platform_matrix()
    yield from platform_creating()

    s = scenario("T-32", "platform key with one org, another given, known or not", "AM-13")
    s.put(org="o2").issue(preset="platform", org=fixed("o1"), user=open_user(True))
    for org_id in ("o2", "o9"):
        for user_id in (None, "u1"):
            s.authorize(READ, deny("org_mismatch", "T-32"), query=q(org_id, user_id))
    yield s

    refusals = [
        ("T-33", "a list of orgs without a default, none given", orgs("o1", "o2"), [None], "org_required"),
        ("T-36", "a list of orgs, another given, known or not", orgs("o1", "o2"), ["o3", "o9"], "org_not_allowed"),
        ("T-37", "known orgs, none given", open_org(False), [None], "org_required"),
        ("T-39", "known orgs, an unknown or foreign one given", open_org(False), ["o9", "theirs"], "org_not_found"),
        ("T-40", "any org, none given", open_org(True), [None], "org_required"),
    ]
    for row, what, org_binding, org_params, code in refusals:
        s = scenario(row, f"platform key with {what}", "AM-13", "A-25" if code == "org_required" else "A-26")
        s.put(org="o1").put(org="o3").put(org="theirs", account="other")
        s.issue(preset="platform", org=org_binding, user=open_user(True))
        more = {"parameter": "org_id"} if code == "org_required" else {}
        for org_id in org_params:
            for user_id in (None, "u1"):
                s.authorize(READ, deny(code, row, **more), query=q(org_id, user_id))
        s.tenants({"orgs": ["o1", "o3"]})
        yield s

    s = scenario("T-43", "platform key for any org, a new one given past the cap of two", "AM-13", "A-27",
                 policy="tenancy-capped")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    s.authorize(READ, allow("o1", "u1", created=True), query=q("o1", "u1"))
    s.authorize(READ, allow("o2", "u1", created=True), query=q("o2", "u1"))
    for user_id in (None, "u1"):
        s.authorize(READ, deny("tenant_limit_reached", "T-43"), query=q("o3", user_id))
    s.authorize(READ, allow("o2", "u1", created=False), query=q("o2", "u1"))
    s.tenants({"orgs": ["o1", "o2"]})
    yield s

    for name, binding in [("open", open_user(True)), ("optional", optional_user(True))]:
        row = "T-56" if name == "open" else "T-59"
        s = scenario(row, f"platform key with any user ({name}), a new one given past the cap of two", "T-56", "AM-13",
                     "A-27", id=f"T-56-{name}", policy="tenancy-capped")
        s.document["rows"] = sorted(set(s.document["rows"]))
        s.put(org="o1").issue(preset="platform", org=fixed("o1"), user=binding)
        s.authorize(READ, allow("o1", "u1", created=True), query=q("o1", "u1"))
        s.authorize(READ, allow("o1", "u2", created=True), query=q("o1", "u2"))
        s.authorize(READ, deny("tenant_limit_reached", "T-56" if name == "open" else None), query=q("o1", "u3"))
        s.authorize(READ, allow("o1", "u1", created=False), query=q("o1", "u1"))
        s.tenants({"users": ["u1", "u2"]}, org="o1")
        yield s


def more_bindings():
    s = scenario("T-46", "platform key with pairs of org and user: the pair decides", "T-48", "T-49", id="T-46-pairs")
    s.issue(preset="platform", org=orgs("o1", "o2"), user=pairs(("o1", "u1"), ("o2", "u2")))
    s.authorize(READ, deny("user_required", "T-46"), query=q("o1"))
    s.authorize(READ, allow("o1", "u1"), query=q("o1", "u1"))
    s.authorize(READ, allow("o2", "u2"), query=q("o2", "u2"))
    s.authorize(READ, deny("user_not_allowed", "T-49"), query=q("o1", "u2"))
    s.authorize(READ, deny("user_not_allowed", "T-49"), query=q("o2", "u1"))
    yield s

    s = scenario("T-47", "a default pair is used in its own org only", "T-46", "T-64", id="T-47-pairs")
    s.issue(preset="platform", org=orgs("o1", "o2"), user=pairs(("o1", "u1"), ("o2", "u2"), default=("o1", "u1")))
    s.authorize(READ, allow("o1", "u1"), query=q("o1"))
    s.authorize(READ, deny("user_required"), query=q("o2"))
    yield s

    s = scenario("T-47", "a default from a plain list of users holds in every resolved org", id="T-47-every-org")
    s.issue(preset="platform", org=orgs("o1", "o2"), user=users("u1", "u2", default="u1"))
    s.authorize(READ, allow("o1", "u1"), query=q("o1"))
    s.authorize(READ, allow("o2", "u1"), query=q("o2"))
    yield s

    s = scenario("T-18", "an empty list allows nobody", "T-36", id="T-18-empty-list")
    s.put(org="o1").put(org="o1", user="u1")
    s.issue("none", preset="client", org=fixed("o1"), user=users())
    s.authorize(READ, deny("user_not_allowed", "T-18"), key="none", query=q(None, "u1"))
    s.authorize(READ, deny("user_required", "T-15"), key="none")
    s.issue("nowhere", preset="platform", org=orgs(), user=fixed("u1"))
    s.authorize(READ, deny("org_not_allowed", "T-36"), key="nowhere", query=q("o1"))
    s.authorize(READ, deny("org_required", "T-33"), key="nowhere")
    yield s


def flexibles():
    cases = [
        ("T-60", "neither parameter: as solo", q(), allow("o0", "u0")),
        ("T-61", "its own org", q("o0"), allow("o0", "u0")),
        ("T-62", "a user: as client", q(None, "x"), allow("o0", "x", created=True)),
        ("T-63", "an org and a user: as platform", q("y", "x"), allow("y", "x", created=True)),
        ("T-64", "another org without a user", q("y"), deny("user_required", "T-64", parameter="user_id")),
    ]
    for row, what, query, expect in cases:
        s = scenario(row, f"flexible key, given {what}", "A-23")
        s.put(org="o0").put(org="o0", user="u0")
        s.issue(preset="flexible", org=open_org(True, default="o0"), user=open_user(True, default=("o0", "u0")))
        s.authorize(READ, expect, query=query)
        if not expect["allowed"]:
            s.tenants({"orgs": ["o0"]})
        yield s


def vectors():
    yield from solo()
    yield from clients()
    yield from platforms()
    yield from more_bindings()
    yield from flexibles()
