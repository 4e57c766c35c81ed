#!/usr/bin/env python3
"""Plants identities in every string of every answer that 3GPP's OpenAPI files describe, and has the
guard judge each message: 0 where it withholds them all and lets every clean one out, else 1.

    tests/spec/plant.py FOLDER [JUDGE]

FOLDER is as for apis.py. JUDGE is the program that judges, target/release/judge if it is not named:
a message a line, `clean` or what it found a line.

For each place of a 2xx answer's and of a callback's schema one message is made, of what leads there
and of what else the objects on the way hold, with values as their types and patterns have them; and
the same with each identity in each spelling in its stead: in strings, in names of members that
somebody chooses, and in a member that no schema has at each object. Digits may stand where the
schema says that digits stand, which LOOK_ALIKES names each with its reason: there they are let out
unless they are a known subscriber's, and are judged again by a guard that knows.
"""

import base64
import collections
import json
import random
import re
import subprocess
import sys
from pathlib import Path

from apis import METHODS, Files, plain

try:
    from re import _constants as constants, _parser as parser
except ImportError:
    import sre_constants as constants
    import sre_parse as parser

IMSI = "001010123456789"
# E.164 has no country whose code begins with 0, as an IMSI of MCC 001 does.
NUMBER = "999070123456789"
KNOWN = [IMSI, "00101012345678", "999070123456789"]

# Types and members that are for an internal identity: none stands in a clean message.
INTERNAL_TYPES = {"Supi", "GroupId", "Gci", "Gli", "Pei", "SupiOrSuci", "VarUeId", "InterGroupId"}
INTERNAL_NAMES = {"gci", "gli", "interGroupId", "intGroupId", "internalGroupId", "supi", "supis"}

# Values by type, where a pattern alone makes none that anybody would send. Digits that may look as
# an IMSI does do so.
VALUES = {
    "Msisdn": NUMBER,
    "Gpsi": "msisdn-" + NUMBER,
    "ExternalId": "meter-000042@example.com",
    "ExternalGroupId": "meters@example.com",
    "ExtGroupId": "extgroupid-meters@example.com",
    "Link": "https://scef.example/3gpp-x/v1/acme/subs/5f2b7c0e-9d41-4a63-8c21-0123456789ab",
    "Uri": "https://as.acme.example/3gpp/notifications",
    "DateTime": "2026-12-18T11:06:40.123Z",
    "DateTimeRo": "2026-12-18T11:06:40Z",
    "TimeOfDay": "11:06:40",
    "Date": "2026-12-18",
    "Ipv4Addr": "198.51.100.7",
    "Ipv6Addr": "2001:db8:85a3::8a2e:370:7334",
    "Ipv6Prefix": "2001:db8:abcd:12::/64",
    "Ipv4AddrMask": "198.51.100.0/24",
    "MacAddr48": "00-10-10-12-34-56",
    "Bytes": "c2Vuc29yIDQyOiAyMS41IEM=",
    "SupportedFeatures": IMSI,
    "TimeZone": "+01:00",
    "Fqdn": "as.acme.example",
}
FORMATS = {
    "date-time": "2026-12-18T11:06:40Z",
    "date": "2026-12-18",
    "byte": "c2Vuc29yIDQyOiAyMS41IEM=",
    "binary": "c2Vuc29yIDQyOiAyMS41IEM=",
    "uuid": "5f2b7c0e-9d41-4a63-8c21-0123456789ab",
    "uri": "https://as.acme.example/3gpp",
}

# Types and members where digits that look as an IMSI does may stand, if they stand as it has them.
LOOK_ALIKES = [
    ({"Msisdn"}, r"[1-9]\d{4,14}", "a subscriber's number"),
    ({"Gpsi"}, r"msisdn-[1-9]\d{4,14}", "a subscriber's number"),
    ({"SupportedFeatures", "N3IwfId", "TngfId", "WAgfId"}, r"[0-9A-Fa-f]+",
     "hexadecimal of any length, of which all may be digits"),
    ({"cellId", "cellIds", "enodeBIds", "routingAreaIds", "trackingAreaIds", "n3IwfId"},
     r"[0-9A-Fa-f._-]{1,32}", "begins with MCC and MNC, and its type is any string"),
]


def of_pattern(pattern, dice):
    """A value that a pattern takes."""
    def one(parsed):
        return "".join(part(op, argument) for op, argument in parsed)

    def part(op, argument):
        if op is constants.LITERAL:
            return chr(argument)
        if op is constants.NOT_LITERAL or op is constants.ANY:
            return dice.choice("abcdef")
        if op is constants.IN:
            return of_class(argument)
        if op in (constants.MAX_REPEAT, constants.MIN_REPEAT):
            least, most, inner = argument
            count = dice.randint(least, max(least, min(int(most), least + 4)))
            return "".join(one(inner) for _ in range(count))
        if op is constants.SUBPATTERN:
            return one(argument[-1])
        if op is constants.BRANCH:
            return one(dice.choice(argument[1]))
        return ""

    def of_class(items):
        if items[0][0] is constants.NEGATE:
            return dice.choice("abcdef")
        letters = []
        for op, argument in items:
            if op is constants.LITERAL:
                letters.append(chr(argument))
            elif op is constants.RANGE:
                letters += [chr(code) for code in range(argument[0], argument[1] + 1)]
            elif op is constants.CATEGORY:
                letters += " " if argument is constants.CATEGORY_SPACE else "0123456789"
        return dice.choice(letters)

    return one(parser.parse(pattern))


class Place:
    """Where a value stands: names of members, `*` for an element, `{}` for a member of any name."""

    def __init__(self, steps, types, schema, kind):
        self.steps, self.types, self.schema, self.kind = steps, types, schema, kind

    def pointer(self):
        return "".join("/" + step for step in self.steps)

    def name(self):
        return next((step for step in reversed(self.steps) if step not in "*{}"), "")

    def is_internal(self):
        return bool(set(self.types) & INTERNAL_TYPES) or any(
            step in INTERNAL_NAMES for step in self.steps)

    def value(self):
        schema = self.schema
        if "enum" in schema:
            return schema["enum"][0]
        if self.kind == "boolean":
            return True
        if self.kind == "integer":
            # Where they may be that large, as many digits as an IMSI has, and begun as one.
            is_long = schema.get("format") == "int64" or schema.get("maximum", 0) > 2**32
            return 999070123456789 if is_long else min(schema.get("maximum", 10**9), 10**9)
        if self.kind == "number":
            return 48.1374
        for name in reversed(self.types):
            if name in VALUES:
                return VALUES[name]
        if "pattern" in schema:
            # Always the same one: else no two messages would be.
            return of_pattern(schema["pattern"], random.Random(schema["pattern"]))
        return FORMATS.get(schema.get("format"), "meter 42")


def kind_of(schema):
    kind = schema.get("type", "string")
    return kind if kind in ("integer", "number", "boolean") else "string"


def walk(files, file, schema, steps, found, within=(), types=()):
    """Gathers every value of a schema; `objects` in `found` are those that may hold more."""
    places, objects = found
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        kind = schema["$ref"].rsplit("/", 1)[-1]
        target = files.find(file, schema["$ref"])
        types = types + (plain(kind),)
        if target is None:
            places.setdefault((steps, "string"), Place(steps, types, {}, "string"))
            return
        here = (target[0], kind)
        if here not in within:
            walk(files, target[0], target[1], steps, found, within + (here,), types)
        return
    parts = [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, [])]
    parts = [part for part in parts if not set(part) <= {"required", "not"}]
    enumerations = [part for part in parts if "enum" in part]
    if enumerations:
        place = Place(steps, types, enumerations[0], "string")
        places.setdefault((steps, "string"), place)
        return
    for part in parts:
        walk(files, file, part, steps, found, within, types)
    inner = bool(parts)
    if "properties" in schema or schema.get("type") == "object":
        objects.add(steps)
        inner = True
    for member, value in schema.get("properties", {}).items():
        walk(files, file, value, steps + (member,), found, within)
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        inner = True
        walk(files, file, more, steps + ("{}",), found, within)
    if "items" in schema:
        inner = True
        walk(files, file, schema["items"], steps + ("*",), found, within)
    if not inner:
        kind = kind_of(schema)
        places.setdefault((steps, kind), Place(steps, types, schema, kind))


VENDOR = "vendorExtension"
TURNS = 31
STANDS_HERE = "@@here@@"


def message(places, at, whose):
    """What leads to a place, with the plain values of the objects on the way beside it. The value
    is left open; with `whose` "name" the last name of anybody's choice is, instead."""
    def build(depth):
        if depth == len(at):
            return STANDS_HERE if whose == "value" else True
        step = at[depth]
        if step == "*":
            return [build(depth + 1)]
        members = {}
        for place in places:
            beside = len(place.steps) == depth + 1 and place.steps[:depth] == at[:depth]
            if beside and place.steps[depth] not in (step, "*", "{}") and not place.is_internal():
                members.setdefault(place.steps[depth], place.value())
        name = step
        if step == "{}":
            last = "{}" not in at[depth + 1:]
            name = STANDS_HERE if whose == "name" and last else "1"
        members[name] = build(depth + 1)
        return members

    return json.dumps(build(0), ensure_ascii=False, separators=(",", ":"))


def tbcd(digits):
    halves = [int(digit) for digit in digits] + [15] * (len(digits) % 2)
    return bytes(high << 4 | low for low, high in zip(halves[::2], halves[1::2]))


def in_base64(octets):
    return base64.b64encode(octets if isinstance(octets, bytes) else octets.encode()).decode()


def identities():
    """Each identity, by the form that it has."""
    realm = "mnc001.mcc001.3gppnetwork.org"
    digits = {
        "imsi-15": IMSI,
        "imsi-14": "00101012345678",
        "imsi-mnc3": "999070123456789",
        "imsi-leading-zero-msin": "001010000000001",
        "root-nai-digits": "0" + IMSI,
    }
    explicit = {
        "supi": "imsi-" + IMSI,
        "supi-short": "imsi-26201",
        "supi-nai": "nai-user@example.com",
        "supi-gci": "gci-0011aabbccdd",
        "supi-gli": "gli-QUJDRA==",
        "suci": "suci-0-001-01-0000-0-0-0123456789",
        "suci-nai": f"type0.rid0.schid0.userid0123456789@5gc.{realm}",
        "root-nai": f"0{IMSI}@nai.epc.{realm}",
        "wlan-nai": f"1{IMSI}@wlan.{realm}",
        "decorated-nai": f"nai.epc.{realm}!0{IMSI}@visited.example",
        "emergency-nai": f"imsi{IMSI}@sos.nai.epc.{realm}",
        "emergency-imei-nai": f"imei490154203237518@sos.nai.epc.{realm}",
        "ims-private": f"{IMSI}@ims.{realm}",
        "ims-public": f"sip:{IMSI}@ims.{realm}",
        "5gc-nai": f"user@5gc.{realm}",
        "snpn-nai": f"user@5gc.nid000007ed9d5.{realm}",
        "group": "0a1b2c3d-001-01-ab",
        "group-mnc3": "0a1b2c3d-001-001-abcd",
        "imei": "imei-490154203237518",
        "imeisv": "imeisv-4901542032375181",
        "called": "the IMSI is " + IMSI,
    }
    return digits, explicit


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def spellings():
    """Which form in which spelling, the JSON string, and what a reader has that undoes all escapes;
    None where that is another text than the identity."""
    digits, explicit = identities()
    for form, text in {**digits, **explicit}.items():
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in text)
        yield f"{form} plain", quoted(text), text
        yield f"{form} escapes", f'"{escaped}"', text
        yield f"{form} half-escaped", '"' + escaped[:30] + quoted(text[5:])[1:], text
        yield f"{form} escapes-twice", quoted(escaped), text
        percent = "".join(f"%{octet:02x}" for octet in text.encode())
        yield f"{form} percent", quoted(percent), text
        yield f"{form} percent-twice", quoted(percent.replace("%", "%25")), text
        wide = "".join(chr(ord(letter) + 0xFEE0) if " " < letter else letter for letter in text)
        yield f"{form} fullwidth", quoted(wide), text
        yield f"{form} upper", quoted(text.upper()), text.upper()
        yield f"{form} base64", quoted(in_base64(text)), None
        slashes = quoted(in_base64(text + "?>~???")).replace("/", "\\/")
        yield f"{form} base64-slash-escaped", slashes, None
        yield f"{form} in-a-text", quoted(f"about {text}, which is not there"), None
        yield f"{form} in-a-link", quoted(f"https://scef.example/x/{text}/y?z=1"), None
    for form, text in digits.items():
        arabic = "".join(chr(ord(digit) - 0x30 + 0x660) for digit in text)
        yield f"{form} arabic", quoted(arabic), text
        yield f"{form} spaces", quoted(" ".join(text)), None
        hyphens, dots = f"{text[:3]}-{text[3:5]}-{text[5:]}", f"{text[:5]}.{text[5:]}"
        yield f"{form} hyphens", quoted(hyphens), hyphens
        yield f"{form} dots", quoted(dots), dots
        yield f"{form} no-break-space", quoted(f"{text[:3]}\u00a0{text[3:]}"), None
        yield f"{form} zero-width", quoted("\u200b".join(text)), text
        yield f"{form} hex", quoted(text.encode().hex()), text.encode().hex()
        if form == "root-nai-digits":
            continue
        packed = in_base64(tbcd(text))
        yield f"{form} tbcd", quoted(packed), None
        yield f"{form} tbcd-url", quoted(packed.replace("+", "-").replace("/", "_")), None
        yield f"{form} tbcd-unfilled", quoted(packed.rstrip("=")), None
        yield f"{form} tbcd-slash-escaped", quoted(packed).replace("/", "\\/"), None
        counted = b"\x04" + bytes([len(tbcd(text))]) + tbcd(text) + b"\x01\x02"
        yield f"{form} tbcd-among-octets", quoted(in_base64(counted)), None
        yield f"{form} tbcd-hex", quoted(tbcd(text).hex()), tbcd(text).hex()


def may_stand(place, text):
    """Why digits may stand there that only look as an IMSI's do; None where they may not."""
    for types, pattern, why in LOOK_ALIKES:
        is_here = not types.isdisjoint({*place.types, place.name()})
        if is_here and text is not None and re.fullmatch(pattern, text):
            return why
    return None


class Judge:
    """The guard, by the program that judges lines."""

    def __init__(self, program, known=()):
        self.command = [program, *known]

    def judge(self, lines):
        if not lines:
            return []
        said = subprocess.run(self.command, input="\n".join(lines) + "\n", capture_output=True,
                              text=True, check=True, encoding="utf-8").stdout.splitlines()
        assert len(said) == len(lines), f"{len(lines)} messages, {len(said)} verdicts"
        return said


def schemas(folder):
    """Every schema of an answer or a callback: where it is of, its files, its file and itself."""
    refs = folder / "refs"
    for release, files, prefix in [
        ("Rel-18", Files(folder, refs), "TS29122_"),
        ("Rel-17", Files(folder / "rel17", refs), "TS29122_"),
        ("Rel-18", Files(folder / "nef", folder, refs), "TS29522_"),
    ]:
        for file in [name for name in files.texts if name.startswith(prefix)]:
            for path, item in (files.document(file).get("paths") or {}).items():
                for method in METHODS:
                    if method not in item:
                        continue
                    operation = item[method]
                    where = f"{release} {file[:-5]} {method.upper()} {path}"
                    for status, answer in operation.get("responses", {}).items():
                        if str(status).startswith("2"):
                            at, answer = files.whole(file, answer)
                            for content in (answer or {}).get("content", {}).values():
                                yield f"{where} {status}", files, at, content.get("schema")
                    for name, callback in (operation.get("callbacks") or {}).items():
                        for called in callback.values():
                            for call in called.values():
                                at, body = files.whole(file, call.get("requestBody"))
                                for content in (body or {}).get("content", {}).values():
                                    yield f"{where} {name}", files, at, content.get("schema")


class Outcome:
    def __init__(self, program):
        self.stranger, self.knowing = Judge(program), Judge(program, KNOWN)
        self.counts = collections.Counter()
        # What went wrong, how often, and the first message with which it did.
        self.wrong = {}
        self.seen, self.alike = set(), set()

    def fault(self, what, text):
        self.counts["faults"] += 1
        count, first = self.wrong.get(what, (0, text))
        self.wrong[what] = (count + 1, first)

    def schema(self, where, places, objects, strings):
        """Judges the messages of one schema, but for those that another has given already."""
        targets = [(place, "value") for place in places if place.kind == "string"]
        targets += [(place, "name") for place in places if "{}" in place.steps]
        vendors = [Place(steps + (VENDOR,), (), {}, "string") for steps in sorted(objects)]
        targets += [(place, "value") for place in vendors]
        self.counts["strings"] += len(targets)
        clean, planted = [], []
        for place, whose in targets:
            text = message(places, place.steps, whose)
            if text in self.seen:
                continue
            self.seen.add(text)
            before, after = text.split(quoted(STANDS_HERE))
            if not place.is_internal():
                value = "1" if whose == "name" else place.value()
                clean.append(before + quoted(value) + after)
            # Of members of one name and type that stand in others of one name, one has each string,
            # and the others have some in turn.
            alike = (place.steps[-2:], place.types, whose)
            turn = len(self.seen) % TURNS
            each = strings[turn::TURNS] if alike in self.alike else strings
            self.alike.add(alike)
            for what, string, reading in each:
                # No name is read as base64: to the sieve every other one looks as if it were.
                if whose == "name" and re.search("base64|tbcd", what):
                    continue
                planted.append((place, whose, what, reading, before + string + after))
        self.clean(where, clean)
        self.planted(where, planted)

    def clean(self, where, texts):
        for text, verdict in zip(texts, self.stranger.judge(texts)):
            self.counts["clean"] += 1
            if verdict != "clean":
                self.fault(f"clean and withheld, {verdict.split(': ')[0]}", f"{where}: {text}")

    def planted(self, where, planted):
        again = []
        for plant, verdict in zip(planted, self.stranger.judge([text for *_, text in planted])):
            place, whose, what, reading, text = plant
            self.counts["planted"] += 1
            if verdict != "clean":
                self.counts["withheld"] += 1
            elif whose == "value" and may_stand(place, reading):
                self.counts["let out as what they look like"] += 1
                if reading.removeprefix("msisdn-") in KNOWN:
                    again.append(plant)
            else:
                types = "/".join(place.types) or "no type"
                self.fault(f"missed, {whose} of {place.name()} ({types}): {what}",
                           f"{where}: {text}")
        verdicts = self.knowing.judge([text for *_, text in again])
        for (place, _, what, _, text), verdict in zip(again, verdicts):
            self.counts["of these a known subscriber's"] += 1
            if verdict == "clean":
                self.fault(f"missed though known, {place.name()}: {what}", f"{where}: {text}")


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    outcome = Outcome(sys.argv[2] if len(sys.argv) == 3 else "target/release/judge")
    strings = list(spellings())
    for where, files, file, schema in schemas(Path(sys.argv[1])):
        outcome.counts["schemas"] += 1
        places, objects = {}, set()
        walk(files, file, schema, (), (places, objects))
        outcome.schema(where, list(places.values()), objects, strings)
    if not outcome.counts["planted"]:
        print(f"{sys.argv[1]} has no schema", file=sys.stderr)
        return 2
    for what, (count, text) in sorted(outcome.wrong.items()):
        print(f"{what}: {count}\n    {text}")
    outcome.counts.setdefault("faults", 0)
    print(", ".join(f"{count} {what}" for what, count in outcome.counts.items()), file=sys.stderr)
    return 1 if outcome.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
