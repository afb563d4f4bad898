"""Signed user ids (A-30, N-03): as the account's backend makes them, and as a request carries them."""

import base64
import hashlib
import hmac

from .form import OK, Cases, Scenario, allow, deny, fixed, open_user, users

APP = "https://app.example.com"


def sign(secret, account, org, key, user, seconds):
    """HMAC-SHA-256 over the parts, each after its length in four bytes."""
    message = b""
    for part in (account, org or "", key, user, str(seconds)):
        raw = part.encode()
        message += len(raw).to_bytes(4, "big") + raw
    mac = hmac.new(secret, message, hashlib.sha256).digest()
    return f"{seconds}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def pure():
    cases = Cases("rules/user-proof", "whether a user id is proved at an instant", ["A-30", "N-03"], "user_proof")
    secret, key = bytes(range(32)), "key_01hzy3v9k2q8r7w6t5s4x3y2z1"
    claim = dict(account_id="acme", org_id="o1", key_id=key, user_id="u1")
    seconds = 1773144000  # 2026-03-10T12:00:00Z
    good = sign(secret, "acme", "o1", key, "u1", seconds)

    def case(note, proof, at="2026-03-10T12:00:00Z", proved=False, **other):
        given = {name: value for name, value in {**claim, **other}.items() if value is not None}
        cases.case(note=note, secret=secret.hex(), **given, proof=proof, at=at, expect={"proved": proved})

    case("a fresh proof", good, proved=True)
    case("5 minutes old", good, "2026-03-10T12:05:00Z", True)
    case("5 minutes ahead", good, "2026-03-10T11:55:00Z", True)
    case("a microsecond too old", good, "2026-03-10T12:05:00.000001Z")
    case("a microsecond too far ahead", good, "2026-03-10T11:54:59.999999Z")
    case("without an org", sign(secret, "acme", None, key, "u1", seconds), proved=True, org_id=None)
    case("for another user", good, user_id="u2")
    case("for another org", good, org_id="o2")
    case("for no org", good, org_id=None)
    case("for another account", good, account_id="other")
    case("for another key", good, key_id=key[:-1] + "0")
    case("under another secret", sign(bytes(32), "acme", "o1", key, "u1", seconds))
    case("parts that run together", sign(secret, "acme", "o1", key, "u1", seconds), org_id="o", user_id="1u1")
    for note, proof in [
        ("empty", ""), ("no dot", good.replace(".", "")), ("no signature", good.split(".")[0] + "."),
        ("no time", "." + good.split(".")[1]), ("padding", good + "="), ("a plus sign", "+" + good),
        ("a leading zero", "0" + good), ("hexadecimal", good.replace("1", "0x1", 1)), ("a space", " " + good),
        ("one character changed", good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]),
        ("one character less", good[:-1]), ("twice", good + good), ("another time, the same signature",
                                                                    str(seconds + 1) + "." + good.split(".")[1]),
        ("standard base64", good.split(".")[0] + "." + base64.b64encode(bytes(range(224, 256))).decode()),
        ("a negative time", "-" + good),
    ]:
        case(note, proof)
    yield cases


def requests():
    def scenario(id, title, *rows):
        s = Scenario(f"proofs/{id}", title, list(rows), "proofs")
        s.put(org="o1").step("proof_secret", OK, account="acme")
        return s.issue("pk", kind="page", preset="client", org=fixed("o1"), user=open_user(True), origins=[APP])

    def chat(s, expect, query=None, **members):
        return s.authorize("chat", expect, key=None, query=query,
                           headers=[["Authorization", "Bearer $key:pk"], ["Origin", APP], *members.pop("extra", [])],
                           **members)

    visitor = {**allow("o1"), "anonymous": True}
    s = scenario("publishable", "a publishable key believes a proved user id, else acts for the anonymous user", "X-12", "N-03",
                 "A-30")
    s.step("sign", OK, **{"as": "p"}, key="pk", org="o1", user="u1")
    chat(s, visitor)
    chat(s, {**allow("o1", "u1", created=True), "anonymous": False}, "user_id=u1&user_proof=$proof:p")
    chat(s, allow("o1", "u1"), "user_id=u1", extra=[["X-User-Proof", "$proof:p"]])
    bad = deny("user_proof_invalid", "X-12", parameter="user_proof")
    chat(s, bad, "user_id=u1")
    chat(s, bad, "user_id=u2&user_proof=$proof:p")
    chat(s, bad, "user_id=u1&user_proof=")
    chat(s, bad, "user_id=u1&user_proof=$proof:p&user_proof=$proof:p")
    chat(s, bad, "user_id=u1&user_proof=1.x")
    chat(s, visitor, "user_proof=$proof:p")
    chat(s, deny("user_invalid"), "user_id=&user_proof=$proof:p")
    yield s

    s = scenario("age", "a proof holds for five minutes to either side", "N-03")
    s.step("sign", OK, **{"as": "p"}, key="pk", org="o1", user="u1")
    s.step("sign", OK, **{"as": "future"}, key="pk", org="o1", user="u1", at="2026-03-10T12:10:00Z")
    bad = deny("user_proof_invalid", "X-12")
    chat(s, bad, "user_id=u1&user_proof=$proof:future")
    s.advance(300)
    chat(s, allow("o1", "u1"), "user_id=u1&user_proof=$proof:p")
    chat(s, allow("o1", "u1"), "user_id=u1&user_proof=$proof:future")
    s.step("advance", micros=1)
    chat(s, bad, "user_id=u1&user_proof=$proof:p")
    yield s

    s = scenario("other-key", "a proof is for one key and one org", "N-03")
    s.issue("pk2", kind="page", preset="client", org=fixed("o1"), user=open_user(True), origins=[APP])
    s.step("sign", OK, **{"as": "two"}, key="pk2", org="o1", user="u1")
    s.step("sign", OK, **{"as": "org"}, key="pk", org="o2", user="u1")
    for name in ("two", "org"):
        chat(s, deny("user_proof_invalid", "X-12"), f"user_id=u1&user_proof=$proof:{name}")
    yield s

    s = scenario("new-secret", "a new secret ends everything signed under the old one", "N-03", "INV-04")
    s.step("sign", OK, **{"as": "p"}, key="pk", org="o1", user="u1")
    for process in ("1", "2"):
        chat(s, allow("o1", "u1"), "user_id=u1&user_proof=$proof:p", process=process)
    s.step("proof_secret", OK, account="acme")
    for process in ("1", "2"):
        chat(s, deny("user_proof_invalid", "X-12"), "user_id=u1&user_proof=$proof:p", process=process)
    yield s

    s = scenario("secret-kind", "a secret kind may ask for a proof too; the binding still decides", "A-30", "N-03")
    s.issue("sk", kind="signed", preset="client", org=fixed("o1"), user=users("u1", "u2"))
    for name, user in [("p1", "u1"), ("p9", "u9")]:
        s.step("sign", OK, **{"as": name}, key="sk", org="o1", user=user)
    s.authorize("read", allow("o1", "u1"), key="sk", query="user_id=u1&user_proof=$proof:p1")
    s.authorize("read", deny("user_proof_invalid", "X-12"), key="sk", query="user_id=u2&user_proof=$proof:p1")
    s.authorize("read", deny("user_proof_invalid", "X-12"), key="sk", query="user_id=u2")
    s.authorize("read", deny("user_not_allowed", "T-18"), key="sk", query="user_id=u9&user_proof=$proof:p9")
    s.authorize("read", deny("user_required", "T-15"), key="sk")
    yield s

    s = Scenario("proofs/no-secret", "an account without a secret proves nobody", ["A-30", "N-03"], "proofs")
    s.put(org="o1").issue("pk", kind="page", preset="client", org=fixed("o1"), user=open_user(True), origins=[APP])
    chat(s, deny("user_proof_invalid", "X-12"), "user_id=u1&user_proof=1773144000." + "A" * 43)
    chat(s, visitor)
    yield s


def vectors():
    yield from pure()
    yield from requests()
