#!/usr/bin/env python3
"""Compares the table of APIs with 3GPP's OpenAPI files: 0 where they agree, 1 where they differ.

    tests/spec/apis.py FOLDER [T8GATE]

FOLDER holds TS29122_*.yaml of one release, in rel17/ those of another, in nef/ TS29522_*.yaml, and
in refs/ what they refer to. T8GATE is the program, target/debug/t8gate if it is not named. The
files are read and compared, and nothing of them is kept.

Every path, method, media type, parameter and callback is compared, and of every body each place
where the schemas have a type or a name that this script knows or suspects to say who a UE is, where
a link leads or which service is meant. What the table has, some release must have; what any release
has, the table must have. Exceptions stand below, each with its reason.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import yaml

# The same, with and without libyaml.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

METHODS = ("get", "post", "put", "patch", "delete")

# Served by the SCS/AS or AF, to the SCEF or NEF.
SERVED_BY_THE_AF = {"MsisdnLessMoSms", "MoLcsNotify", "NIDDConfigurationTrigger"}

ADDRESSES = {"other_address", "flow_address"}
LINKS = {"self_link", "resource_link", "callback", "websocket"}

# Types and the kinds that their values may be of.
TYPES = {
    "ExternalId": {"external_id"},
    "Msisdn": {"msisdn"},
    "ExternalGroupId": {"external_group_id"},
    "Gpsi": {"gpsi"},
    "Supi": {"supi"},
    "GroupId": {"internal_group_id"},
    "AKId": {"akma_key_id"},
    "ApplicationlayerId": {"application_layer_id"},
    "Ipv4Addr": {"ipv4"} | ADDRESSES,
    "Ipv6Addr": {"ipv6"} | ADDRESSES,
    "Ipv6Prefix": {"ipv6_prefix"} | ADDRESSES,
    "MacAddr48": {"mac"} | ADDRESSES,
    "Gci": {"line_id"},
    "Gli": {"line_id"},
    "Dnn": {"dnn"},
    "Snssai": {"snssai"},
    "MtcProviderInformation": {"mtc_provider_id"},
    "AfId": {"scs_as_id"},
    "Link": LINKS,
    "Uri": LINKS,
    "MonitoringType": {"monitoring_type"},
    "Port": {"port"},
}
# Types of values that are one thing, whatever they consist of.
WHOLE = {"Snssai"}

# Names of members and the kinds that their values may be of, whatever their types.
NAMES = {
    "self": {"self_link"},
    "websocketUri": {"websocket"},
    "notificationDestination": {"callback"},
    "revocationNotifUri": {"callback"},
    "externalId": {"external_id"},
    "ipDomain": {"ip_domain"},
    "mtcProviderId": {"mtc_provider_id"},
    "anyUeInd": {"any_ue"},
    "scsAsId": {"scs_as_id"},
    "afId": {"scs_as_id"},
    "apn": {"dnn"},
    "relatedApplicationlayerId": {"application_layer_id"},
    "sponsorId": {"sponsor"},
    "aspId": {"sponsor"},
    "exterAppId": {"application"},
    "externalAppId": {"application"},
    "externalAppIds": {"application"},
    "afAppId": {"application"},
    "qosReference": {"qos_reference"},
    "qosRef": {"qos_reference"},
}
# Enumerations that name events.
EVENTS = re.compile(r"^(Event|UserPlaneEvent|AnalyticsEvent|SubscribedEvent|AmInfluEvent"
                    r"|MbsSessionEventType)$")

# A name or a type like these has to be in the table, or among the exceptions.
SUSPICIOUS = re.compile(
    r"msisdn|imsi|(?<!t)imei|supi|suci|gpsi|guti|pei\b|ext(er(nal)?)?(group)?ids?\b|groupid"
    r"|mac(addr|48)|uemac|ipv[46]|ipaddr|ur[il]s?\b|destination|dnn|\bapn|nssai|ipdomain|scsasid|\bafids?\b"
    r"|provider|montype|akid|anyue|\btgtue", re.IGNORECASE)

# Places where an address is no UE's, or may not be one.
NO_UE = [
    (r"/upLocRepAddrAf/", "the AF's own address"),
    (r"/scefMessageDeliveryIPv[46]$", "the SCEF's own address"),
    (r"/acsInfo/", "a configuration server"),
    (r"/aaaIpv[46]Addr$", "an AAA server"),
    (r"/ecsServerAddr/", "a configuration server"),
    (r"/easIpAddrs/|/easIpReplaceInfos/|/dnsServIds/", "an application or DNS server"),
    (r"/multiAccCtrls/|/ssm/|/mbsSessionId/|/associatedSessionId/|/ingressTunAddr/",
     "a multicast address, its source, or a tunnel's end"),
    (r"/(source|target)TrafficRoute/|/trafficRoutes/", "a route in the data network"),
    (r"/dddTra(f)?Descriptors?/", "where downlink data comes from"),
    (r"/ethFlowInfo/|/enEthFlowInfo/|/ethTrafficFilters/|/ethFlowDescs/|/ethFlowDescriptions/",
     "either end of a flow"),
]

# Places that look as if the table had to know them.
LET_BE = [
    (r"/afServiceId$", "an AF's service, free text"),
    (r"/(acsUrl|ecsUriList/\*)$", "a server that is told to UEs, and called by no SCEF"),
    (r"/pfds/|/pfdDatas/\{\}/pfds/", "URLs and domains of applications, which detect traffic"),
    (r"/urls/\*$", "URLs of applications, which detect traffic"),
    (r"/ecsProviderId$|/providedBy$", "a company's name"),
    (r"/requestWebsocketUri$", "true or false"),
    (r"/imeiTacs/\*$", "models of devices, eight digits each"),
    (r"/imeiChange$", "what of an association has changed"),
    (r"/scefMessageDeliveryPort$", "the SCEF's own port"),
]

# Schemas that the folder does not have, of which the table knows something from the documents.
BEYOND = {
    "AmEventsSubscData": "TS 29.534",
    "AmEventsSubscDataRm": "TS 29.534",
    "AmEventsSubscRespData": "TS 29.534",
    "AppAmContextData": "TS 29.534",
    "AstiConfigNotification": "TS 29.565",
    "AfEventExposureSubsc": "TS 29.517",
    "MBSUserDataIngStatSubsc": "TS 29.580",
    "MBSUserDataIngStatSubscPatch": "TS 29.580",
    "DataReportingConfiguration": "TS 26.532",
    "DataReportingConfigurationPatch": "TS 26.532",
}

# Callbacks whose expression names no member of the body that it is about.
CALLBACKS = {
    ("5GLANParameterProvision", "/notifUri"): "/5gLanParams/notifUri",
    ("MBSSession", "/notificationUri"): "/subscription/notifyUri",
    ("AMPolicyAuthorization", "PUT", "/evSubscs/eventNotifUri"): "/eventNotifUri",
}

# What a JSON Patch changes, where no GET of the same resource says it.
PATCHED = {
    ("MBSSession", "/mbs-sessions/{mbsSessionRef}"):
        "TS29571_CommonData.yaml#/components/schemas/MbsSession",
}


class Files:
    """Files of OpenAPI by their names, the first folder's before the next one's."""

    def __init__(self, *folders):
        self.texts = {}
        for folder in folders:
            for path in sorted(folder.glob("TS*.yaml")):
                self.texts.setdefault(path.name, path)
        self.documents = {}

    def document(self, name):
        if name not in self.documents:
            with open(self.texts[name], encoding="utf-8") as text:
                self.documents[name] = yaml.load(text, Loader=LOADER)
        return self.documents[name]

    def find(self, file, reference):
        """The file and value that a $ref leads to; None where it leads out of the folder."""
        name, _, pointer = reference.partition("#")
        name = name or file
        if name not in self.texts:
            return None
        value = self.document(name)
        for step in pointer.strip("/").split("/"):
            value = value.get(step) if isinstance(value, dict) else None
        return None if value is None else (name, value)

    def whole(self, file, value):
        """The value itself, where a $ref may stand for it."""
        while value and "$ref" in value:
            found = self.find(file, value["$ref"])
            if found is None:
                return file, None
            file, value = found
        return file, value


def plain(name):
    """A type's name without what says that null removes it, or that it is read only."""
    return re.sub(r"(Rm|Ro)$", "", name)


class Found:
    """What a schema has: places, the kinds they may be of, and where it leads out of the folder."""

    def __init__(self):
        self.places = {}
        self.all = set()
        self.beyond = {}

    def add(self, place, kinds):
        self.places.setdefault(place, set()).update(kinds)

    def update(self, other):
        for place, kinds in other.places.items():
            self.add(place, kinds)
        self.all |= other.all
        for place, names in other.beyond.items():
            self.beyond.setdefault(place, set()).update(names)


def walk(files, file, schema, place, name, found, within=(), types=()):
    """Gathers every place of a schema. `types` are the references that led to it in place."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        kind = schema["$ref"].rsplit("/", 1)[-1]
        target = files.find(file, schema["$ref"])
        types = types + (kind,)
        if target is None:
            if kinds_of(place, name, types):
                found.all.add(place)
                found.add(place, kinds_of(place, name, types))
            else:
                found.beyond.setdefault(place, set()).add(kind)
            return
        if plain(kind) in WHOLE:
            found.all.add(place)
            found.add(place, TYPES[plain(kind)])
            return
        here = (target[0], kind)
        if here in within:
            return
        walk(files, target[0], target[1], place, name, found, within + (here,), types)
        return
    parts = [part for word in ("allOf", "anyOf", "oneOf") for part in schema.get(word, [])]
    parts = [part for part in parts if not set(part) <= {"required", "not"}]
    enumeration = any("enum" in part for part in parts) or "enum" in schema
    inner = False
    for part in parts:
        if not enumeration:
            walk(files, file, part, place, name, found, within, types)
            inner = True
    for member, value in schema.get("properties", {}).items():
        inner = True
        walk(files, file, value, f"{place}/{member}", member, found, within)
    if isinstance(schema.get("additionalProperties"), dict):
        inner = True
        walk(files, file, schema["additionalProperties"], place + "/{}", name, found, within)
    if "items" in schema:
        inner = True
        walk(files, file, schema["items"], place + "/*", name, found, within)
    if not inner:
        found.all.add(place)
        kinds = kinds_of(place, name, types)
        if kinds is not None:
            found.add(place, kinds)


def kinds_of(place, name, types):
    """The kinds that a value may be of; none where it is only suspicious, None where it is not."""
    if any(re.search(pattern, place) for pattern, _ in LET_BE):
        return None
    known = [TYPES[plain(kind)] for kind in types if plain(kind) in TYPES]
    if any(EVENTS.match(plain(kind)) for kind in types):
        return {"event"}
    if name in NAMES and (not known or NAMES[name] <= known[0]):
        return NAMES[name]
    if known:
        return known[0]
    words = [name] + [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "", kind) for kind in types]
    if any(SUSPICIOUS.search(word or "") for word in words):
        return set()
    return None


class Comparison:
    def __init__(self, table):
        self.table = {api["title"]: api for api in table["apis"]}
        self.differences = []
        self.seen = {}
        self.union = {}
        self.operations = 0
        self.places = 0
        self.unchecked = {}

    def differ(self, where, what):
        line = f"{where}: {what}"
        if line not in self.differences:
            self.differences.append(line)

    def file(self, files, file, release):
        document = files.document(file)
        if not document.get("paths"):
            return
        title = file.split("_", 1)[1].removesuffix(".yaml")
        if title in SERVED_BY_THE_AF:
            if title in self.table:
                self.differ(title, "is in the table, and no SCEF or NEF serves it")
            return
        api = self.table.get(title)
        if api is None:
            self.differ(title, f"is in {release} and not in the table")
            return
        url = document["servers"][0]["url"]
        if url != "{apiRoot}/" + api["name"] + "/" + api["versions"][0]:
            self.differ(title, f"is at {url} in {release}")
        rows = {row["path"]: row for row in api["resources"]}
        for path, item in document["paths"].items():
            row = rows.get(path)
            if row is None:
                self.differ(f"{title} {path}", f"is in {release} and not in the table")
                continue
            operations = {row["method"]: row for row in row["operations"]}
            for method in METHODS:
                if method not in item:
                    continue
                where = f"{title} {method.upper()} {path}"
                operation = operations.get(method.upper())
                if operation is None:
                    self.differ(where, f"is in {release} and not in the table")
                    continue
                self.operations += where not in self.seen
                self.seen[where] = operation
                self.operation(files, file, title, path, item, method, operation, where, release)

    def operation(self, files, file, title, path, item, method, row, where, release):
        operation = item[method]
        body_file, body = files.whole(file, operation.get("requestBody"))
        medias = sorted((body or {}).get("content", {}))
        if medias != [media for media in [row["media_type"]] if media]:
            self.differ(where, f"takes {medias} in {release}, {row['media_type']} in the table")
        if body and not body.get("required"):
            self.differ(where, f"its body may be left out in {release}")
        responses = operation.get("responses", {})
        _, created = files.whole(file, responses.get("201"))
        if (created is not None) != row["creates"]:
            self.differ(where, f"creates: {created is not None} in {release}, not so in the table")
        if created is not None and "Location" not in created.get("headers", {}):
            self.differ(where, f"its 201 has no Location in {release}")
        self.query(files, file, item, operation, row, where, release)

        union = self.union.setdefault(where, {})
        request = Found()
        for media in (body or {}).get("content", {}):
            schema = body["content"][media].get("schema")
            if media == "application/json-patch+json":
                schema_file, schema = self.patched(files, file, title, path, item, where)
                walk(files, schema_file, schema, "", "", request)
            else:
                walk(files, body_file, schema, "", "", request)
        self.body(union, "request", row["request"] or [], request, where, release)
        response = Found()
        for status, answer in responses.items():
            answer_file, answer = files.whole(file, answer)
            if str(status).startswith("2"):
                for content in (answer or {}).get("content", {}).values():
                    walk(files, answer_file, content.get("schema"), "", "", response)
        self.body(union, "response", row["response"], response, where, release)
        self.callbacks(files, file, title, method, operation, row, where, release, union)

    def patched(self, files, file, title, path, item, where):
        if (title, path) in PATCHED:
            return file, {"$ref": PATCHED[title, path]}
        if "get" in item:
            answer = item["get"]["responses"]["200"]
            return file, answer["content"]["application/json"]["schema"]
        self.differ(where, "nothing says what is patched")
        return file, {}

    def query(self, files, file, item, operation, row, where, release):
        rows = {parameter["name"]: parameter for parameter in row["query"]}
        names = set()
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            _, parameter = files.whole(file, parameter)
            if parameter.get("in") != "query":
                continue
            name = parameter["name"]
            names.add(name)
            if name not in rows:
                self.differ(where, f"has the parameter {name} in {release}")
                continue
            if ("content" in parameter) != rows[name]["json"]:
                self.differ(where, f"the parameter {name} is JSON on one side alone ({release})")
            content = parameter.get("content", {}).get("application/json", parameter)
            found = Found()
            member = {"ip-domain": "ipDomain", "external-app-ids": "externalAppIds"}.get(name, name)
            walk(files, file, content.get("schema"), "", member, found)
            places = {(place["pointer"], place["kind"]) for place in rows[name]["values"]}
            for place, kinds in found.places.items():
                if not any((place, kind) in places for kind in kinds):
                    self.differ(where, f"the parameter {name} has {place or 'it'} in {release}")
            for place, kind in places:
                if kind not in found.places.get(place, ()):
                    self.differ(where, f"the parameter {name} has no {kind} in {release}")
        for name in set(rows) - names:
            self.differ(where, f"has no parameter {name} in {release}")

    def body(self, union, part, rows, found, where, release):
        """What the release has, the table must have; the other way round is seen at the end."""
        table = {row["pointer"]: row["kind"] for row in rows}
        entry = union.setdefault(part, (table, Found()))
        entry[1].update(found)
        for place, kinds in found.places.items():
            kind = table.get(place)
            if kind is None:
                what = " or ".join(sorted(kinds)) or "something suspicious"
                self.differ(f"{where} {part}", f"has {place} ({what}) in {release}")
            elif kinds and kind not in kinds:
                self.differ(f"{where} {part}", f"{place} is {kind} in the table")
            if kind in ADDRESSES and not any(re.search(no, place) for no, _ in NO_UE):
                self.differ(f"{where} {part}", f"{place} may be a UE's, and is {kind} in the table")

    def callbacks(self, files, file, title, method, operation, row, where, release, union):
        rows = {call["to"]: call["body"] for call in row["notifications"]}
        named = set()
        for callback in (operation.get("callbacks") or {}).values():
            for expression, item in callback.items():
                pointer = re.search(r"body#(/[^}]*)", expression).group(1)
                astray = CALLBACKS.get((title, method.upper(), pointer))
                to = astray or CALLBACKS.get((title, pointer), pointer)
                named.add(to)
                if to not in rows:
                    self.differ(where, f"calls {to} in {release}")
                    continue
                if not any(p["pointer"] == to and p["kind"] == "callback" for p in row["request"]):
                    self.differ(where, f"calls {to}, which its request does not have")
                found = Found()
                for call in item.values():
                    body_file, body = files.whole(file, call.get("requestBody"))
                    for content in (body or {}).get("content", {}).values():
                        walk(files, body_file, content.get("schema"), "", "", found)
                self.body(union, f"notification to {to}", rows[to], found, where, release)
        for to in set(rows) - named:
            self.differ(where, f"does not call {to} in {release}")

    def finish(self):
        """What the table has and no release."""
        for title, api in self.table.items():
            for resource in api["resources"]:
                for operation in resource["operations"]:
                    where = f"{title} {operation['method']} {resource['path']}"
                    if where not in self.seen:
                        self.differ(where, "is in the table and in no file")
        for where, parts in self.union.items():
            for part, (table, found) in parts.items():
                for place, kind in table.items():
                    self.places += 1
                    if place in found.places:
                        continue
                    outside = [
                        BEYOND[name]
                        for at, names in found.beyond.items()
                        for name in sorted(names)
                        if place.startswith(at) and name in BEYOND
                    ]
                    if outside:
                        document = outside[0]
                        self.unchecked[document] = self.unchecked.get(document, 0) + 1
                    elif place in found.all and kind in {"port", "application"}:
                        # Known by its name alone, and there.
                        pass
                    else:
                        self.differ(f"{where} {part}", f"{place} ({kind}) is in no file")


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    program = sys.argv[2] if len(sys.argv) == 3 else "target/debug/t8gate"
    said = subprocess.run([program, "apis", "--json"], check=True, capture_output=True)
    comparison = Comparison(json.loads(said.stdout))
    refs = folder / "refs"
    releases = [
        ("Rel-18", Files(folder, refs), "TS29122_"),
        ("Rel-17", Files(folder / "rel17", refs), "TS29122_"),
        ("Rel-18", Files(folder / "nef", folder, refs), "TS29522_"),
    ]
    for release, files, prefix in releases:
        own = [name for name in files.texts if name.startswith(prefix)]
        if not own:
            print(f"{folder} has no {prefix}*.yaml of {release}", file=sys.stderr)
            return 2
        for file in own:
            comparison.file(files, file, release)
    comparison.finish()
    for line in comparison.differences:
        print(line)
    beyond = ", ".join(f"{count} of {name}" for name, count in sorted(comparison.unchecked.items()))
    print(
        f"{comparison.operations} operations and {comparison.places} places compared, "
        f"{len(comparison.differences)} differences; of files that are not there: {beyond or '-'}",
        file=sys.stderr,
    )
    return 1 if comparison.differences else 0


if __name__ == "__main__":
    sys.exit(main())
