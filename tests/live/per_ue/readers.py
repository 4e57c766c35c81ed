"""Reads bodies that the gateway took as other parsers do, and says whom those see.

Usage: readers.py PLACES BODIES. PLACES is JSON: where identities stand, which of these say whom a
body is about, and who is granted. BODIES has one body in hexadecimal digits on each line. A line for each that names somebody else, or
nobody, is written; the status is 1 then.
"""

import json
import sys


def folded(name):
    """As Go's encoding/json and Java's equalsIgnoreCase compare names."""
    return name.replace("\u0130", "i").replace("\u0131", "i").casefold()


def same(name):
    return name


def first(pairs):
    read = {}
    for name, value in pairs:
        read.setdefault(name, value)
    return read


def last_folded(pairs):
    return {folded(name): value for name, value in pairs}


def first_folded(pairs):
    return first((folded(name), value) for name, value in pairs)


READERS = {
    "python": (dict, same),
    "first wins": (first, same),
    "go": (last_folded, folded),
    "go, first wins": (first_folded, folded),
}


def at(value, tokens, name_of):
    if not tokens:
        yield value
    elif tokens[0] == "*":
        for element in value if isinstance(value, list) else []:
            yield from at(element, tokens[1:], name_of)
    elif tokens[0] == "{}":
        for member in value.values() if isinstance(value, dict) else []:
            yield from at(member, tokens[1:], name_of)
    elif isinstance(value, dict) and name_of(tokens[0]) in value:
        yield from at(value[name_of(tokens[0])], tokens[1:], name_of)


def fault(body, pairs_hook, name_of, said):
    # As lenient as it can be.
    text = body.decode("utf-8", errors="replace")
    read = json.loads(text, object_pairs_hook=pairs_hook, strict=False)
    seen = [
        (place, name)
        for place in said["places"]
        for name in at(read, place.split("/")[1:], name_of)
    ]
    if all(place not in said["selecting"] for place, _ in seen):
        return "it is about nobody who is named"
    if any(name not in said["granted"] for _, name in seen):
        return "somebody else is named"
    return None


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        said = json.load(file)
    read = wrong = 0
    with open(sys.argv[2], encoding="ascii") as file:
        for line in file:
            body = bytes.fromhex(line)
            for reader, (pairs_hook, name_of) in READERS.items():
                what = fault(body, pairs_hook, name_of, said)
                if what is not None:
                    wrong += 1
                    print(f"{reader}: {what}: {body!r}")
            read += 1
    print(f"read {read}")
    sys.exit(1 if wrong else 0)


main()
