"""Policies of the limit vectors: one frame, and the limits that each vector is about."""

FRAME = '''\
# {comment}
name = "{name}"
{top}
[credentials]
carriers = ["bearer"]

[kinds.key]
prefix = "lk_"
body = {{ alphabet = "base62", length = 43 }}

[kinds.key.presets.solo]
[kinds.key.presets.client]
[kinds.key.presets.platform]

[keys.rotation]
max_grace = "7d"

[tenancy]
org_param = {{ query = "org_id" }}
user_param = {{ query = "user_id" }}
unknown_tenant = "create"

[meters.runs]
unit = "requests"

[meters.tokens]

[operations.free]
level = "user"

[operations.run]
level = "user"
cost = {{ runs = 1 }}

[operations.run_twice]
level = "user"
cost = {{ runs = 2 }}

[operations.ask]
level = "user"
cost = {{ runs = 1, tokens = 10 }}
variable = "tokens"

[operations.org_run]
level = "org"
cost = {{ runs = 1 }}
{rest}'''


def limit(name="runs", subject='["key"]', period='"lifetime"', amount=None, table="limits", **more):
    """One limit as TOML; further members are written as they are given."""
    lines = [f"[[{table}]]", f'name = "{name}"', f'meter = "{more.pop("meter", "runs")}"', f"subject = {subject}",
             f"period = {period}"]
    if amount is not None:
        lines.append(f"amount = {amount}")
    lines += [f"{member} = {value}" for member, value in more.items()]
    return "\n" + "\n".join(lines) + "\n"


def rate(name, subject, rate, table="rates", **more):
    lines = [f"[[{table}]]", f'name = "{name}"', f"subject = {subject}", f'rate = "{rate}"']
    lines += [f"{member} = {value}" for member, value in more.items()]
    return "\n" + "\n".join(lines) + "\n"


POLICIES = {}


def policy(name, comment, *rest, top=""):
    """Registers a policy and gives its name."""
    name = "limits-" + name
    text = FRAME.format(comment=comment, name=name, top=top, rest="".join(rest))
    assert POLICIES.setdefault(name, text) == text, name
    return name


def documents():
    return {f"policies/{name}.toml": text for name, text in POLICIES.items()}
