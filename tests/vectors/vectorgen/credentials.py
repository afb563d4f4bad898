"""How a key may arrive: carriers, conflicts, schemes, and texts that are no key."""

from .form import Scenario, allow, deny, fixed

KEY = "$key:a"
UNKNOWN = "cc_" + "0" * 43
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln"
ALLOW = allow(None, "u0")
MISSING, CONFLICT = deny("missing_credential"), deny("credential_conflict")
MALFORMED, NO_KEY = deny("invalid_key", reason="malformed"), deny("invalid_key", reason="unknown")


def scenario(id, title, *rows, policy="carriers-reject"):
    s = Scenario(f"credentials/{id}", title, list(rows), policy)
    return s.issue(preset="solo", org="none", user=fixed("u0"))


def case(s, expect, *headers, note=None, **members):
    return s.authorize("ping", expect, key=None, headers=[list(pair) for pair in headers], note=note, **members)


def bearer(value, name="Authorization"):
    return (name, f"Bearer {value}")


def carriers():
    s = scenario("carriers", "a key is read from the carriers that the policy names", "MS-32", "AM-04", "AM-05", "AM-06")
    case(s, ALLOW, bearer(KEY))
    case(s, ALLOW, ("X-API-Key", KEY))
    case(s, ALLOW, bearer(KEY, "authorization"), note="header names have no case")
    case(s, ALLOW, ("x-api-key", KEY))
    case(s, ALLOW, ("Authorization", f"bearer {KEY}"), note="nor has the scheme")
    case(s, ALLOW, ("Authorization", f"BEARER {KEY}"))
    case(s, ALLOW, ("Accept", "*/*"), ("X-API-Key", KEY), ("User-Agent", "test"))
    yield s

    s = scenario("absent", "no credential is 401 missing_credential, whatever else is sent", "MS-39", "RT-14")
    case(s, MISSING)
    case(s, MISSING, ("Authorization", ""))
    case(s, MISSING, ("Authorization", "Bearer"))
    case(s, MISSING, ("Authorization", "Bearer "))
    case(s, MISSING, ("X-API-Key", ""))
    case(s, MISSING, ("Authorization", KEY), note="no scheme")
    case(s, MISSING, ("Authorization", f"Token {KEY}"))
    case(s, MISSING, ("Authorization", f"Basic {KEY}"))
    case(s, MISSING, ("Authorization", "Basic Y2NfOg=="))
    case(s, MISSING, ("Authorization", f"Digest {KEY}"))
    case(s, MISSING, ("Authorization", f"Bearer={KEY}"))
    yield s

    s = scenario("wrong-place", "a key in query, cookie or another header is never read")
    case(s, MISSING, query=f"api_key={KEY}&access_token={KEY}&key={KEY}")
    for name in ["Cookie", "Proxy-Authorization", "X-Api-Token", "Authorization_", "X_API_Key", "Referer",
                 "User-Agent", "Idempotency-Key"]:
        case(s, MISSING, (name, KEY))
    case(s, ALLOW, ("Cookie", f"key={UNKNOWN}"), bearer(KEY), query=f"api_key={UNKNOWN}")
    yield s

    s = scenario("spacing", "exactly one space after the scheme, and nothing around the key", "RT-14")
    for value in [f"Bearer  {KEY}", f"Bearer\t{KEY}", f"Bearer {KEY} ", f"Bearer {KEY}\t", f"Bearer {KEY} x"]:
        case(s, MALFORMED, ("Authorization", value))
    for value in [f" {KEY}", f"{KEY} ", f"\"{KEY}\"", f"<{KEY}>", f"Bearer {KEY}"]:
        case(s, MALFORMED, ("X-API-Key", value))
    yield s

    s = scenario("conflict", "more than one credential is 400, equal or not, in one carrier", "A-32")
    case(s, CONFLICT, bearer(KEY), bearer(KEY), note="two lines, the same key")
    case(s, CONFLICT, bearer(KEY), bearer(UNKNOWN), note="good first")
    case(s, CONFLICT, bearer(UNKNOWN), bearer(KEY), note="good last")
    case(s, CONFLICT, bearer(KEY), bearer(KEY, "authorization"))
    case(s, CONFLICT, ("X-API-Key", KEY), ("X-API-Key", KEY))
    case(s, CONFLICT, bearer(f"{KEY}, Bearer {KEY}"), note="two lines joined on the way")
    case(s, CONFLICT, ("X-API-Key", f"{KEY},{KEY}"))
    case(s, CONFLICT, bearer(KEY), ("Authorization", "Basic Y2NfOg=="), note="whatever the other line is")
    yield s

    s = scenario("two-carriers", "two carriers must agree", "A-32", "MS-32")
    case(s, ALLOW, bearer(KEY), ("X-API-Key", KEY))
    case(s, CONFLICT, bearer(KEY), ("X-API-Key", UNKNOWN))
    case(s, CONFLICT, bearer(UNKNOWN), ("X-API-Key", KEY))
    case(s, CONFLICT, bearer(JWT), ("X-API-Key", KEY))
    case(s, ALLOW, ("Authorization", "Basic Y2NfOg=="), ("X-API-Key", KEY), note="another scheme is no carrier")
    case(s, ALLOW, ("Authorization", ""), ("X-API-Key", KEY))
    yield s


def bearer_other():
    s = scenario("bearer-other-reject", "a Bearer value of another system is refused", "A-32", "AM-07")
    case(s, MALFORMED, bearer(JWT))
    case(s, CONFLICT, bearer(JWT), ("X-API-Key", KEY))
    case(s, NO_KEY, bearer(UNKNOWN))
    yield s

    s = scenario("bearer-other-ignore", "with bearer_other = ignore it is as if the header were absent", "A-32", "AM-07",
                 policy="carriers-ignore")
    case(s, MISSING, bearer(JWT))
    case(s, ALLOW, bearer(JWT), ("X-API-Key", KEY))
    case(s, NO_KEY, bearer(UNKNOWN), note="what starts as our keys do is ours")
    case(s, CONFLICT, bearer(UNKNOWN), ("X-API-Key", KEY))
    case(s, MALFORMED, bearer("cc_short"))
    yield s

    s = scenario("bearer-other-human", "with bearer_other = human it is never a key, and a conflict beside one", "A-32",
                 policy="carriers-human")
    case(s, CONFLICT, bearer(JWT), ("X-API-Key", KEY))
    case(s, ALLOW, bearer(KEY), ("X-API-Key", KEY))
    case(s, NO_KEY, bearer(UNKNOWN))
    yield s


def texts():
    s = scenario("malformed", "what is no key of the policy never reaches the store", "RS-15", "RT-04", "A-42")
    body = "0" * 43
    for note, text in [
        ("the prefix alone", "cc_"),
        ("the prefix without its separator", "cc" + body),
        ("another prefix", "ck_" + body),
        ("a foreign key", "ghp_" + "a" * 36),
        ("another", "sk-ant-" + "a" * 40),
        ("another", "AKIA" + "A" * 16),
        ("one character short", "cc_" + body[1:]),
        ("one character long", "cc_0" + body),
        ("pasted twice", ("cc_" + body) * 2),
        ("half of it", "cc_" + body[:20]),
        ("the prefix in capitals", "CC_" + body),
        ("the separator doubled", "cc__" + body[1:]),
        ("a hyphen for the underscore", "cc-" + body),
        ("a character outside the alphabet", "cc_" + body[1:] + "-"),
        ("a plus sign", "cc_" + body[1:] + "+"),
        ("a dot at the end", "cc_" + body[1:] + "."),
        ("a percent escape", "cc_" + body[3:] + "%41"),
        ("a NUL at the end", "cc_" + body[1:] + "\u0000"),
        ("a newline at the end", "cc_" + body + "\n"),
        ("carriage return and newline", "cc_" + body + "\r\n"),
        ("a full-width digit", "cc_" + body[1:] + "\uff10"),
        ("a Cyrillic letter", "cc_" + body[1:] + "\u0430"),
        ("a zero-width space", "cc_" + body[:20] + "\u200b" + body[20:]),
        ("a byte order mark in front", "\ufeffcc_" + body),
        ("an emoji", "cc_" + body[4:] + "\U0001f511"),
        ("512 bytes", "cc_" + "0" * 509),
        ("513 bytes", "cc_" + "0" * 510),
        ("64 KiB", "cc_" + "0" * 65533),
    ]:
        s.authorize("ping", MALFORMED, text=text, note=note)
    yield s

    s = scenario("unknown", "one changed character is another key, and no key", "MS-38", "A-42")
    for placeholder, expect in [("$other:a", NO_KEY), ("$digest:a", MALFORMED), ("$id:a", MALFORMED)]:
        s.authorize("ping", expect, text=placeholder)
        case(s, expect, bearer(placeholder))
    s.authorize("ping", ALLOW)
    yield s


def vectors():
    yield from carriers()
    yield from bearer_other()
    yield from texts()
