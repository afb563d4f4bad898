"""Parameters as they are sent: rows X-01 to X-05, A-28, and which parameters are read at all."""

from .form import Scenario, allow, deny, fixed, open_org, open_user, users

READ, LIST = "user.read", "org.read"


def headers(*extra, key="$key:a"):
    return [["Authorization", f"Bearer {key}"], *[list(pair) for pair in extra]]


def scenario(id, title, *rows, policy="tenancy"):
    return Scenario(f"parameters/{id}", title, list(rows), policy)


def platform(s):
    return s.issue(preset="platform", org=open_org(True), user=open_user(True))


def malformed():
    s = platform(scenario("X-01", "present but empty is wrong, not absent", "X-01", "A-28"))
    for query, code in [("org_id=&user_id=u1", "org_invalid"), ("org_id=o1&user_id=", "user_invalid"),
                        ("org_id&user_id=u1", "org_invalid"), ("org_id=&user_id=", "org_invalid")]:
        s.authorize(READ, deny(code), query=query)
    s.authorize(READ, deny("org_invalid"), key=None, headers=headers(["X-Org-Id", ""], ["X-User-Id", "u1"]))
    s.authorize(READ, deny("user_invalid"), key=None, headers=headers(["X-Org-Id", "o1"], ["X-User-Id", ""]))
    s.authorize(READ, deny("org_invalid"), org_id="", user_id="u1")
    s.authorize(READ, deny("user_invalid"), org_id="o1", user_id="")
    s.tenants({"orgs": []})
    yield s

    s = scenario("X-01-solo", "an empty parameter is judged before the binding", "X-01", "A-43")
    s.issue(preset="solo", org=fixed("o0"), user=fixed("u0"))
    s.authorize(READ, deny("org_invalid"), query="org_id=")
    s.authorize(READ, deny("user_invalid"), query="org_id=o9&user_id=")
    yield s

    s = platform(scenario("X-02", "a parameter twice in one carrier, equal or not", "X-02", "A-28"))
    for query, code in [("org_id=o1&org_id=o1&user_id=u1", "org_duplicate"),
                        ("org_id=o1&org_id=o2&user_id=u1", "org_duplicate"),
                        ("org_id=o1&user_id=u1&user_id=u1", "user_duplicate"),
                        ("user_id=u1&org_id=o1&user_id=u2", "user_duplicate")]:
        s.authorize(READ, deny(code), query=query)
    for name, code in [("X-Org-Id", "org_duplicate"), ("X-User-Id", "user_duplicate")]:
        for other in ("t1", "t2"):
            s.authorize(READ, deny(code), key=None, headers=headers([name, "t1"], [name.lower(), other]),
                        query="org_id=t1" if name == "X-User-Id" else "user_id=t1")
    yield s

    s = platform(scenario("X-03", "query, header and path name different tenants", "X-03", "A-28"))
    conflicts = [
        dict(query="org_id=o1&user_id=u1", headers=headers(["X-Org-Id", "o2"])),
        dict(query="org_id=o1&user_id=u1", headers=headers(["X-User-Id", "u2"])),
        dict(query="org_id=o1&user_id=u1", headers=headers(), org_id="o2"),
        dict(query="org_id=o1&user_id=u1", headers=headers(), user_id="u2"),
        dict(query="user_id=u1", headers=headers(["X-Org-Id", "o1"]), org_id="o2"),
        dict(query="user_id=u1", headers=headers(["X-Org-Id", "o1"]), org_id="O1"),
    ]
    for request in conflicts:
        s.authorize(READ, deny("tenant_conflict"), key=None, **request)
    yield s

    s = platform(scenario("X-03-equal", "equal values in several carriers are fine", "X-03", "A-28"))
    agreeing = [
        dict(query="org_id=o1&user_id=u1", headers=headers(["X-Org-Id", "o1"], ["X-User-Id", "u1"])),
        dict(query="org_id=o1", headers=headers(["X-User-Id", "u1"]), org_id="o1"),
        dict(query="org_id=%6F1&user_id=u1", headers=headers(["x-org-id", "o1"])),
        dict(headers=headers(["X-ORG-ID", "o1"]), user_id="u1"),
    ]
    for index, request in enumerate(agreeing):
        s.authorize(READ, allow("o1", "u1", created=index == 0), key=None, **request)
    yield s

    s = scenario("X-05", "a bad key with bad or missing parameters is 401 only", "X-05", "A-43")
    s.issue(preset="platform", org=open_org(True), user=open_user(True))
    unknown = "tt_" + "0" * 43
    for query in ["", "org_id=", "org_id=o1&org_id=o2", "org_id=%ff&user_id=%zz", "org_id=o1&user_id=u1"]:
        s.authorize(READ, deny("invalid_key", reason="unknown"), key=None, headers=headers(key=unknown), query=query)
        s.authorize(READ, deny("missing_credential"), key=None, headers=[], query=query)
    s.tenants({"orgs": []})
    yield s


# What an id may be: text as decoded, whether the wide and the narrow alphabet take it.
IDS = [
    ("letters, digits and marks", "Org.1_a-b@c+d=e", True, True),
    ("a single byte", "0", True, True),
    ("255 bytes", "a" * 255, True, True),
    ("256 bytes", "a" * 256, False, False),
    ("255 bytes in fewer characters", "\u00e9" * 127 + "a", True, False),
    ("256 bytes in fewer characters", "\u00e9" * 128, False, False),
    ("three dots", "...", True, True),
    ("a dot", ".", True, False),
    ("two dots", "..", True, False),
    ("a path", "a/../b", True, False),
    ("a space inside", "a b", True, False),
    ("a space in front", " a", True, False),
    ("a colon", "a:b", True, False),
    ("braces", "{a}", True, False),
    ("a quote", "a'--", True, False),
    ("a pattern", "%_*", True, False),
    ("a backslash", "a\\b", True, False),
    ("a word of broken clients", "null", True, False),
    ("another", "undefined", True, False),
    ("the same in capitals", "Null", True, True),
    ("composed letters", "\u00e9", True, False),
    ("decomposed letters", "e\u0301", True, False),
    ("a Cyrillic letter", "\u0430", True, False),
    ("an emoji", "\U0001f642", True, False),
    ("NUL", "a\u0000b", False, False),
    ("a newline", "a\nforged=1", False, False),
    ("an escape", "\u001b[31m", False, False),
    ("DEL", "a\u007f", False, False),
    ("a C1 control", "a\u0085b", False, False),
    ("a line separator", "a\u2028b", False, False),
    ("a right-to-left override", "a\u202eb", False, False),
    ("a right-to-left mark", "a\u200fb", False, False),
    ("a zero-width space", "a\u200bb", False, False),
    ("a zero-width joiner", "a\u200db", False, False),
    ("a byte order mark", "\ufeffa", False, False),
]


def encode(text):
    """Percent-encodes every byte that is no unreserved character."""
    keep = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return "".join(chr(b) if b in keep else f"%{b:02X}" for b in text.encode("utf-8"))


def id_syntax():
    for alphabet, column in [("wide", 2), ("narrow", 3)]:
        policy = "tenancy-wide" if alphabet == "wide" else "tenancy"
        for axis in ("org", "user"):
            s = platform(scenario(f"A-28-{alphabet}-{axis}", f"{axis} ids of the {alphabet} alphabet, in the query",
                                  "A-28", "X-04", policy=policy))
            for row in IDS:
                if axis == "org":
                    expect = allow(row[1], "u1", created=True) if row[column] else deny("org_invalid")
                    s.authorize(READ, expect, query=f"org_id={encode(row[1])}&user_id=u1", note=row[0])
                else:
                    expect = allow("o1", row[1], created=True) if row[column] else deny("user_invalid")
                    s.authorize(READ, expect, query=f"org_id=o1&user_id={encode(row[1])}", note=row[0])
            yield s

    s = platform(scenario("A-28-distinct", "ids are compared as bytes: look-alikes are tenants of their own", "A-28",
                          "A-29", policy="tenancy-wide"))
    twins = ["a", "A", "a ", " a", "\u00e9", "e\u0301", "\u0430", "a:b", "a/b", "org1", "org10", "%61"]
    for text in twins:
        s.authorize(READ, allow(text, "u1", created=True), query=f"org_id={encode(text)}&user_id=u1")
    for text in twins:
        s.authorize(READ, allow(text, "u1", created=False), query=f"org_id={encode(text)}&user_id=u1")
    yield s


def decoding():
    s = platform(scenario("X-04-encoding", "bad percent-encoding and bytes that are not UTF-8 are refused", "X-04",
                          "A-28", policy="tenancy-wide"))
    for bad in ["%", "%4", "%zz", "a%2", "%ff", "%C0%AF", "%ED%A0%80", "%E2%82", "%F5%80%80%80"]:
        s.authorize(READ, deny("org_invalid"), query=f"org_id={bad}&user_id=u1")
        s.authorize(READ, deny("user_invalid"), query=f"org_id=o1&user_id={bad}")
    s.tenants({"orgs": []})
    yield s

    s = platform(scenario("A-28-decoding", "the query is decoded once; header and path values stand as they come",
                          "A-28", policy="tenancy-wide"))
    s.authorize(READ, allow("o1", "u1", created=True), query="org_id=%6f1&user_id=%751")
    s.authorize(READ, allow("%6f1", "u1", created=True), query="org_id=%256f1&user_id=u1", note="one decoding only")
    s.authorize(READ, allow("a+b", "u1", created=True), query="org_id=a+b&user_id=u1", note="a plus is a plus")
    s.authorize(READ, allow("a+b", "u1", created=False), query="org_id=a%2Bb&user_id=u1")
    s.authorize(READ, allow("%6f1", "u1", created=False), key=None, note="a header is not decoded",
                headers=headers(["X-Org-Id", "%6f1"], ["X-User-Id", "u1"]))
    s.authorize(READ, allow("%6f1", "u1", created=False), org_id="%6f1", user_id="u1", note="a path comes decoded")
    s.authorize(READ, allow("a b", "u1", created=True), org_id="a b", user_id="u1")
    yield s


def which_are_read():
    s = platform(scenario("undeclared", "only the names that the policy declares are read; others are the host's own",
                          "A-28", "AM-01"))
    s.authorize(READ, allow("o1", "u1", created=True),
                query="orgId=o9&ORG_ID=o9&org=o9&org_id=o1&user=u9&user_id=u1&userId=u9")
    s.authorize(READ, deny("org_required"), query="orgId=o9&userId=u9")
    s.authorize(READ, allow("o1", "u1"), key=None,
                headers=headers(["X-Org", "o9"], ["X_Org_Id", "o9"], ["X-Org-Id", "o1"], ["X-User-Id", "u1"]))
    s.tenants({"orgs": ["o1"]})
    yield s

    s = scenario("account", "nothing in a request changes the account or the environment", "AM-01", "A-29")
    platform(s).put(org="o1", account="other").put(org="o1", user="u1", account="other")
    for extra in ["account_id=other", "account=other", "client_id=other", "environment=live", "tenant=other"]:
        s.authorize(READ, allow("o1", "u1", environment="default"), query=f"{extra}&org_id=o1&user_id=u1")
    s.authorize(READ, allow("o1", "u1", environment="default"), key=None, query="org_id=o1&user_id=u1",
                headers=headers(["X-Account-Id", "other"], ["X-Tenantkit-Account", "other"]))
    s.tenants({"users": ["u1"]}, org="o1", account="other")
    yield s

    s = scenario("undeclared-none", "a policy without parameter names reads none", "AM-11",
                 policy="tenancy-no-parameters")
    s.issue(preset="solo", org="none", user=fixed("u0"))
    for query in ["user_id=u9", "org_id=o9", "user_id=", "user_id=a&user_id=b", "user_id=%ff"]:
        s.authorize(READ, allow(None, "u0"), query=query)
    s.authorize(READ, allow(None, "u0"), key=None, headers=headers(["X-User-Id", "u9"]))
    yield s


def several_keys():
    s = scenario("AM-14", "bindings belong to the key: one URL, different answers", "AM-14", "AM-08", "AM-09")
    s.put(org="o1").put(org="o1", user="u2")
    s.issue("solo", preset="solo", org=fixed("o1"), user=fixed("u1"))
    s.issue("client", preset="client", org=fixed("o1"), user=open_user(False))
    s.issue("listed", preset="client", org=fixed("o1"), user=users("u1"))
    s.issue("platform", preset="platform", org=open_org(True), user=open_user(True))
    query = "org_id=o1&user_id=u2"
    s.authorize(READ, deny("user_mismatch", "T-07"), key="solo", query=query)
    s.authorize(READ, allow("o1", "u2", created=False), key="client", query=query)
    s.authorize(READ, deny("user_not_allowed", "T-18"), key="listed", query=query)
    s.authorize(READ, allow("o1", "u2", created=False), key="platform", query=query)
    yield s

    s = scenario("A-29", "one user id in two orgs, or under two accounts, is two users", "A-29", "AM-25")
    s.issue("a", preset="platform", org=open_org(True), user=open_user(True))
    s.issue("b", account="other", preset="platform", org=open_org(True), user=open_user(True))
    s.authorize(READ, allow("o1", "u", created=True), query="org_id=o1&user_id=u")
    s.authorize(READ, allow("o2", "u", created=True), query="org_id=o2&user_id=u")
    s.authorize(READ, allow("o1", "u", account="other", created=True), key="b", query="org_id=o1&user_id=u")
    s.authorize(READ, allow("o1", "u", created=False), query="org_id=o1&user_id=u")
    s.tenant_step("suspend_tenant", "o1", "u")
    s.authorize(READ, deny("user_suspended", "X-06"), query="org_id=o1&user_id=u")
    s.authorize(READ, allow("o2", "u"), query="org_id=o2&user_id=u")
    s.authorize(READ, allow("o1", "u", account="other"), key="b", query="org_id=o1&user_id=u")
    yield s


def vectors():
    yield from malformed()
    yield from id_syntax()
    yield from decoding()
    yield from which_are_read()
    yield from several_keys()
