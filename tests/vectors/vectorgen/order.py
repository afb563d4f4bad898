"""The order of checks: of two things that are wrong, the earlier step answers (A-43)."""

from .form import Scenario, allow, deny, open_org, users

# step, name, code, by which operation suffix or request change it fails
STEPS = [
    (1, "credential", "missing_credential"),
    (2, "key", "invalid_key"),
    (3, "standing", "key_expired"),
    (4, "environment", "environment_mismatch"),
    (5, "ip", "ip_not_allowed"),
    (6, "origin", "secret_key_in_browser"),
    (7, "syntax", "user_duplicate"),
    (8, "org", "org_not_found"),
    (9, "user", "user_not_allowed"),
    (10, "kind", "kind_not_allowed"),
    (11, "permission", "insufficient_permission"),
    (12, "resource", "resource_not_allowed"),
    (13, "entitlement", "entitlement_required"),
    (14, "rate", "rate_limited"),
    (15, "usage", "usage_limit_reached"),
]
# These say something about one and the same thing and can't be wrong together.
EXCLUSIVE = {("credential", "key"), ("credential", "standing"), ("key", "standing")}


def request(wrong):
    """A request in which exactly the named things are wrong (rate and usage: if they were spent before)."""
    org = "o9" if "org" in wrong else "o1"
    user = "u9" if "user" in wrong else "u1"
    query = f"org_id={org}&user_id={user}" + (f"&user_id={user}" if "syntax" in wrong else "")
    key = "ok_test_" + "0" * 43 if "key" in wrong else "$key:old" if "standing" in wrong else "$key:a"
    headers = [] if "credential" in wrong else [["Authorization", f"Bearer {key}"]]
    if "origin" in wrong:
        headers.append(["Origin", "https://app.example.com"])
    letters = "".join(name[0] for name in ("kind", "permission", "entitlement") if name in wrong)
    return dict(
        operation="act" + letters,
        headers=headers,
        query=query,
        resource="agent:a9" if "resource" in wrong else "agent:a1",
        environment="live" if "environment" in wrong else "test",
        client_ip="192.0.2.1" if "ip" in wrong else "10.1.2.3",
    )


def prepare(s, wrong):
    s.put(org="o1", environment="test").put(org="o1", user="u1", environment="test")
    binding = dict(environment="test", preset="platform", org=open_org(False), user=users("u1", "u2"))
    s.issue(**binding, ip_allow=["10.0.0.0/8"], resources=["agent:a1"])
    if "standing" in wrong:
        s.issue("old", **binding, ip_allow=["10.0.0.0/8"], resources=["agent:a1"], expires_at="2026-03-10T12:01:00Z")
        s.advance(60)
    good = request(())
    for name, operation in [("rate", "burn.fast"), ("usage", "burn.runs")]:
        if name in wrong:
            burn = {**good, "operation": operation}
            burn.pop("resource")
            for _ in range(2):
                s.step("authorize", {"allowed": True}, **burn)


def vectors():
    for index, (i, first, first_code) in enumerate(STEPS):
        for j, second, second_code in STEPS[index + 1:]:
            if (first, second) in EXCLUSIVE:
                continue
            s = Scenario(f"order/{i:02}-{first}-before-{j:02}-{second}", f"{first} is judged before {second}", ["A-43"],
                         "order")
            prepare(s, (first, second))
            s.step("authorize", deny(first_code), **request((first, second)))
            if (first, second) == ("rate", "usage"):
                s.advance(3600)  # the rate has recovered, the day has not ended
            s.step("authorize", deny(second_code), **request((second,)))
            if {"rate", "usage"} & {first, second}:
                s.advance(86400)
            s.step("authorize", allow("o1", "u1", environment="test"), **request(()))
            s.tenants({"orgs": ["o1"]}, environment="test")
            yield s
