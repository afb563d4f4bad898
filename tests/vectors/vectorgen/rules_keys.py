"""Pure rules about key texts: how they are made, which are accepted, and the table of codes. A second implementation."""

import hashlib
import zlib

from .form import CODES, Cases

ALPHABETS = {
    "base62": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "hex": "0123456789abcdef",
    "base36": "0123456789abcdefghijklmnopqrstuvwxyz",
}
DIGITS = ALPHABETS["base62"]
FORMATS = {
    "runstack": dict(prefix="rsk_", alphabet="hex", length=64, checksum="none"),
    "mcpstack service": dict(prefix="mcpstack_sk_", alphabet="base62", length=43, checksum="none"),
    "mcpstack public": dict(prefix="mcpstack_pk_", alphabet="base62", length=32, checksum="none"),
    "runtype live": dict(prefix="rt_live_", alphabet="base62", length=43, checksum="none"),
    "runtype test": dict(prefix="rt_test_", alphabet="base62", length=43, checksum="none"),
    "allmcp": dict(prefix="allmcp_", alphabet="base36", length=32, checksum="none"),
    "native": dict(prefix="tk_live_", alphabet="base62", length=32, checksum="crc32"),
    "own alphabet": dict(prefix="own-", alphabet="23456789abcdefghjkmnpqrstuvwxyz", length=30, checksum="crc32"),
}


def stream(seed, length):
    """Repeatable bytes: SHA-256 over a seed and a counter."""
    blocks = (hashlib.sha256(f"{seed} {i}".encode()).digest() for i in range(length // 32 + 1))
    return b"".join(blocks)[:length]


def digits_of(number):
    """A CRC-32 in six base62 digits, highest first."""
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = DIGITS[digit] + text
    return text


def make(prefix, alphabet, length, checksum, random):
    """A key: each random byte below the largest multiple of the alphabet's size gives one character."""
    characters = ALPHABETS.get(alphabet, alphabet)
    bound = 256 - 256 % len(characters)
    body = "".join(characters[byte % len(characters)] for byte in random if byte < bound)
    text = prefix + body[:length]
    assert len(text) == len(prefix) + length
    return text + (digits_of(zlib.crc32(text.encode())) if checksum == "crc32" else "")


def accepts(prefix, alphabet, length, checksum, text):
    characters = ALPHABETS.get(alphabet, alphabet)
    tail = 6 if checksum == "crc32" else 0
    if len(text.encode("utf-8")) != len(prefix) + length + tail or not text.startswith(prefix):
        return False
    body, crc = text[len(prefix):len(prefix) + length], text[len(prefix) + length:]
    if any(c not in characters for c in body):
        return False
    return tail == 0 or crc == digits_of(zlib.crc32(text[:-6].encode()))


def generated():
    cases = Cases("rules/key-generate", "a key from given random bytes, drawn by rejection", ["RS-15", "AM-03", "INV-03"],
                  "key_generate")
    for name, form in FORMATS.items():
        for seed in ("first", "second"):
            random = stream(f"{name} {seed}", 256)
            cases.case(note=f"{name}, {seed}", **form, random=random.hex(), expect={"text": make(**form, random=random)})
    # Bytes at and past the bound of rejection: 248 for 62 characters, none for 16, 252 for 36.
    edge = bytes(range(256))
    cases.case(note="every byte once", **FORMATS["native"], random=edge.hex(),
               expect={"text": make(**FORMATS["native"], random=edge)})
    high = bytes([255] * 64 + [248] * 64 + [247] * 64 + [0] * 64)
    cases.case(note="bytes that are thrown away", **FORMATS["native"], random=high.hex(),
               expect={"text": make(**FORMATS["native"], random=high)})
    yield cases


def parsed():
    cases = Cases("rules/key-parse", "what is a text of a format, to the last byte", ["RS-15", "A-09", "INV-02", "INV-03"],
                  "key_parse")

    def case(form, text, note):
        cases.case(note=note, **form, text=text, expect={"ok": accepts(**form, text=text)})

    for name, form in FORMATS.items():
        good = make(**form, random=stream(name, 256))
        assert accepts(**form, text=good)
        case(form, good, f"{name}: a key")
        for note, text in [
            ("empty", ""), ("the prefix", form["prefix"]), ("one short", good[:-1]), ("one long", good + good[-1]),
            ("twice", good + good), ("the first half", good[:len(good) // 2]), ("a space in front", " " + good[:-1]),
            ("a newline at the end", good[:-1] + "\n"), ("upper case", good.upper()), ("lower case", good.lower()),
            ("its last character changed", good[:-1] + ("0" if good[-1] != "0" else "1")),
            ("its first body character out of the alphabet", form["prefix"] + "-" + good[len(form["prefix"]) + 1:]),
            ("two neighbours swapped", good[:-3] + good[-2] + good[-3] + good[-1]),
            ("a NUL at the end", good[:-1] + "\u0000"), ("a full-width digit", good[:-3] + "\uff10"),
        ]:
            case(form, text, f"{name}: {note}")
    native = FORMATS["native"]
    good = make(**native, random=stream("crc", 256))
    body, crc = good[:-6], good[-6:]
    for note, text in [
        ("the checksum's digits reversed", body + crc[::-1]), ("no checksum", body), ("a checksum without padding", body + "0"),
        ("another key's checksum", body + make(**native, random=stream("other", 256))[-6:]),
        ("more than 32 bits", body + "zzzzzz"), ("a sign", body + "+" + crc[1:]), ("zeros", body + "000000"),
        ("CRC-32C", body + digits_of(crc32c(body.encode()))),
    ]:
        case(native, text, f"checksum: {note}")
    yield cases


def crc32c(data):
    """The other CRC-32, of Castagnoli, which a careless library gives."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def displayed():
    cases = Cases("rules/key-display", "which characters of a key may be shown", ["RS-17", "A-08"], "key_display")
    key = "rsk_" + "0123456789abcdef" * 4
    for first, last in [(12, 0), (4, 4), (0, 0), (0, 4), (8, 4), (34, 33), (68, 0), (67, 1), (69, 0), (40, 40)]:
        whole = len(key) - last <= first
        expect = {"first": "" if whole else key[:first], "last": "" if whole or not last else key[-last:]}
        cases.case(text=key, first=first, last=last, expect=expect)
    yield cases


def digested():
    cases = Cases("rules/key-digest", "what is stored of a key", ["RS-16", "A-09"], "key_digest")
    for text in ["rsk_" + "0" * 64, "rsk_" + "0" * 63 + "1", "allmcp_" + "a" * 32, "a"]:
        cases.case(text=text, expect={"sha256": hashlib.sha256(text.encode()).hexdigest()})
    yield cases


def scanned():
    cases = Cases("rules/key-scan", "the pattern by which secret scanners find keys", ["RS-19", "RT-24", "N-09"], "key_scan")
    classes = {"base62": "[0-9A-Za-z]", "hex": "[0-9a-f]", "base36": "[0-9a-z]"}
    for name, form in FORMATS.items():
        if form["alphabet"] in classes:
            tail = "[0-9A-Za-z]{6}" if form["checksum"] == "crc32" else ""
            pattern = "\\b" + form["prefix"] + classes[form["alphabet"]] + f"{{{form['length']}}}" + tail + "\\b"
            cases.case(note=name, **form, expect={"pattern": pattern})
    yield cases


def codes():
    cases = Cases("rules/codes", "the frozen table of codes", ["RT-39"], "code")
    for name, (number, status, text) in CODES.items():
        cases.case(name=name, expect={"number": number, "status": status, "text": text})
    yield cases


def vectors():
    yield from generated()
    yield from parsed()
    yield from displayed()
    yield from digested()
    yield from scanned()
    yield from codes()
