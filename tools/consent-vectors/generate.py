#!/usr/bin/env python3
"""Writes the consent vectors of proviso-core; see README.md beside this file."""

import datetime
import itertools
import json
import pathlib

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/proviso-core/tests/vectors"
SHIFT = "http://SHIFT-Task-Force.github.io/SLS-ValueSets/CodeSystem/AB352HealthSensitivityCs"
FOOBAR = {"system": "http://example.org/policies/purposeOfUse", "code": "FooBar"}
TYPES = "http://hl7.org/fhir/resource-types"
ACTIONS = "http://terminology.hl7.org/CodeSystem/consentaction"


def micros(year, month=1, day=1):
    instant = datetime.datetime(year, month, day, tzinfo=datetime.timezone.utc)
    return int(instant.timestamp()) * 1_000_000


def day(year, month, dom):
    return {"start": micros(year, month, dom), "end": micros(year, month, dom) + 86_400_000_000}


def year(number):
    return {"start": micros(number), "end": micros(number + 1)}


def who(reference):
    return {"reference": reference}


def conf(code):
    return {"confidentiality": code}


def sens(code):
    return {"sensitivity": code}


def shift(code):
    return {"foreign": {"system": SHIFT, "code": code}}


def hl7(*codes):
    return [{"hl7": code} for code in codes]


def known(value):
    return {"known": value}


def recipient(reference):
    return {"role": "recipient", "who": who(reference)}


def provision(rule, children=(), **attributes):
    made = {"rule": rule}
    made.update({name: value for name, value in attributes.items() if value is not None})
    if children:
        made["children"] = list(children)
    return made


def directive(*provisions, base=None):
    made = {"dialect": "fhir-tree", "provisions": list(provisions)}
    if base:
        made["base"] = base
    return made


def identities(*references):
    return {"known": [who(it) for it in references], "unresolved": []}


def request(asker, purpose, at=micros(2026, 3, 1), locations="unknown", action="unknown"):
    return {
        "at": at,
        "asker": identities(*asker),
        "others": [],
        "purpose": known({"foreign": FOOBAR} if purpose == "FooBar" else {"hl7": purpose}),
        "action": action,
        "locations": locations,
        "understood": sorted([FOOBAR["system"], SHIFT]),
    }


def label_set(labels):
    levels = [it["confidentiality"] for it in labels if "confidentiality" in it]
    made = {
        "sensitivity": [it["sensitivity"] for it in labels if "sensitivity" in it],
        "foreign": [it["foreign"] for it in labels if "foreign" in it],
    }
    if levels:
        made["confidentiality"] = max(levels, key="ULMNRV".index)
    return made


def record(reference, labels, clinical, author=None, refers_to=(), custodian=None, codes=(),
           classes=None):
    kind = reference.split("/")[0]
    return {
        "instance": known(who(reference)),
        "labels": "unknown" if labels is None else known(label_set(labels)),
        "clinical": "unknown" if clinical is None else known(clinical),
        "authors": "unknown" if author is None else known(identities(author)),
        "custodian": "unknown" if custodian is None else known(identities(custodian)),
        "refers_to": known([who(it) for it in refers_to]),
        "referred_by": known([]),
        "classes": known([{"system": TYPES, "code": it} for it in classes or [kind]]),
        "codes": known([{"system": "http://loinc.org", "code": it} for it in codes]),
        "patients": known(["ex-patient"]),
    }


class File:
    """One vector file: definitions by name, then cases that use them."""

    def __init__(self, name, *about):
        self.path = OUT / f"{name}.jsonl"
        self.lines = [f"# {line}" for line in about]
        self.records, self.rows, self.cases = [], {}, 0

    def define(self, kind, name, value):
        if kind == "record":
            self.records.append(name)
        self.lines.append(json.dumps({"kind": kind, "name": name, "value": value},
                                     separators=(",", ":")))

    def case(self, verb, *parts):
        """Keeps a case; those that differ in the record alone become one row."""
        self.cases += 1
        if verb == "joint":
            self.lines.append(json.dumps(parts, separators=(",", ":")))
        else:
            dialect, consent, asked, on, expected = parts
            row = self.rows.setdefault((dialect, consent, asked), {})
            row[on] = expected[0].upper()

    def write(self):
        for key, row in self.rows.items():
            assert list(row) == self.records, key
            self.lines.append(json.dumps([*key, "".join(row.values())], separators=(",", ":")))
        self.path.write_text("\n".join(self.lines) + "\n")
        print(f"{self.path.name}: {self.cases} cases")


P, D, N, I = "permit", "deny", "not-applicable", "indeterminate"
TPO = ("TREAT", "HPAYMT", "HOPERAT")

# --- IHE PCF -------------------------------------------------------------------------------------

ENCOUNTER = "Encounter/ex-encounter"
DOCTOR = "Practitioner/ex-practitioner"


class Pcf:
    """A record of the PCF fixtures, with the plain facts that the table speaks of."""

    def __init__(self, name, level, categories, when, author="Practitioner/ex-author",
                 encounter=True, listed=False, labelled=True):
        self.name, self.level, self.categories = name, level, set(categories)
        self.when, self.author, self.encounter = when, author, encounter
        self.listed, self.labelled = listed, labelled
        self.kind = "Encounter" if name == "encounter" else "Observation"

    def value(self):
        labels = [conf(self.level)] if self.level else []
        labels += [sens(it) for it in sorted(self.categories)]
        instance = ENCOUNTER if self.kind == "Encounter" else f"Observation/ex-{self.name}"
        refers = ["Patient/ex-patient"]
        if self.kind != "Encounter":
            refers.append(ENCOUNTER if self.encounter else "Encounter/other")
        return record(instance, labels if self.labelled else None, self.when, self.author, refers)

    def in_2022(self):
        """True, False, or None where it is not known."""
        if self.when is None:
            return None
        return micros(2022) <= self.when["start"] < micros(2023)

    def plain(self):
        return self.labelled and self.level == "N" and not self.categories

    def normal(self):
        return self.labelled and self.level == "N"


PCF_RECORDS = [
    Pcf("alcoholUse", "R", ["ETHUD"], day(2022, 6, 13), listed=True),
    Pcf("bloodSugar", "N", [], day(2020, 12, 4), listed=True),
    Pcf("bloodPressure", "N", [], day(2004, 12, 25), listed=True),
    Pcf("weight", "N", [], day(2004, 12, 25), listed=True),
    Pcf("weight-stone", "N", [], day(2016, 3, 28), listed=True),
    Pcf("encounter", "N", [], None, author=None, listed=True),
    # Those below make each consent separate; the published fixtures do not.
    Pcf("by-practitioner", "N", [], day(2021, 5, 5), author=DOCTOR),
    Pcf("psychiatry", "R", ["PSY"], day(2023, 1, 9)),
    Pcf("psychiatry-hiv", "R", ["PSY", "HIV"], day(2023, 1, 9)),
    Pcf("violence", "R", ["SDV"], day(2022, 5, 1)),
    Pcf("psychiatry-violence", "R", ["PSY", "SDV"], day(2022, 5, 1)),
    Pcf("normal-hiv", "N", ["HIV"], day(2022, 8, 1)),
    Pcf("restricted", "R", [], day(2019, 2, 2)),
    Pcf("other-encounter", "N", [], day(2022, 3, 3), encounter=False),
    Pcf("unlabelled", None, [], day(2022, 2, 2), labelled=False),
]

PCF_USERS = {
    "practitioner": [DOCTOR],
    "clerk": ["Practitioner/ex-clerk"],
    "break-glass": ["Practitioner/ex-emergency", "Group/ex-break-glass"],
    "researcher": ["Practitioner/ex-scientist", "Organization/ex-org-researcher"],
}
PCF_PURPOSES = ["TREAT", "HPAYMT", "HOPERAT", "HRESCH", "BTG", "FooBar"]

tpo = hl7(*TPO)
y2022 = year(2022)


def focused(*labels, published=False):
    actors = [recipient(DOCTOR)]
    child = provision("permit", labels=list(labels), actors=None if published else actors)
    return directive(provision("permit", [child], purposes=tpo, labels=[conf("N")],
                               actors=actors if published else None))


GROUP = [recipient("Group/ex-break-glass")]
PCF_CONSENTS = {
    "basic-treat": directive(provision("permit", purposes=tpo)),
    "basic-treat-infant": directive(provision("permit", purposes=tpo)),
    "basic-ink": directive(provision("permit", purposes=tpo)),
    "basic-reject": directive(provision("deny", purposes=tpo)),
    "basic-research": directive(provision("permit", purposes=hl7("HRESCH"))),
    "expired-treat": directive(provision("permit", purposes=tpo, period={"end": micros(2023)})),
    "intermediate-timeframe": directive(provision("permit", purposes=tpo, data_period=y2022)),
    "intermediate-not-timeframe": directive(
        provision("permit", [provision("deny", data_period=y2022)], purposes=tpo)),
    "intermediate-authoredby": directive(provision(
        "permit", purposes=tpo, data=[{"meaning": "authoredby", "reference": who(DOCTOR)}])),
    "intermediate-not-authoredby": directive(provision("permit", [provision(
        "deny", data=[{"meaning": "authoredby", "reference": who(DOCTOR)}])], purposes=tpo)),
    "intermediate-encounter": directive(provision(
        "permit", purposes=tpo, data=[{"meaning": "related", "reference": who(ENCOUNTER)}])),
    "intermediate-not-encounter": directive(provision("permit", [provision(
        "deny", data=[{"meaning": "related", "reference": who(ENCOUNTER)}])], purposes=tpo)),
    "intermediate-data": directive(provision("permit", purposes=tpo, data=[
        {"meaning": "instance", "reference": it.value()["instance"]["known"]}
        for it in PCF_RECORDS if it.listed])),
    "intermediate-not-data": directive(provision("permit", [provision("deny", data=[
        {"meaning": "instance", "reference": who("Observation/ex-alcoholUse")}])], purposes=tpo)),
    "intermediate-purpose": directive(provision(
        "permit", purposes=[{"foreign": FOOBAR}],
        actors=[recipient("Organization/ex-org-researcher")])),
    "dissent-intermediate-break-glass": directive(provision(
        "deny", [provision("permit", purposes=hl7("BTG"), actors=GROUP)])),
    "advanced-normal": directive(provision("permit", purposes=tpo, labels=[conf("N")])),
    "advanced-normal-restricted": directive(
        provision("permit", purposes=tpo, labels=[conf("N"), conf("R")])),
    "advanced-normal-not-restricted": directive(provision(
        "permit", [provision("deny", labels=[conf("R")])], purposes=tpo, labels=[conf("N")])),
    "advanced-normal-focused-restricted": focused(conf("R")),
    "advanced-normal-focused-psy": focused(sens("PSY")),
    "advanced-normal-focused-psy-or-sdv": focused(sens("PSY"), sens("SDV")),
    "advanced-normal-break-glass-restricted": directive(provision(
        "permit", [provision("permit", purposes=hl7("BTG"), actors=GROUP, labels=[conf("R")])],
        purposes=hl7(*TPO, "BTG"), labels=[conf("N")])),
    # The same three with the actor where the published files put it: on the root.
    "published-focused-restricted": focused(conf("R"), published=True),
    "published-focused-psy": focused(sens("PSY"), published=True),
    "published-focused-psy-or-sdv": focused(sens("PSY"), sens("SDV"), published=True),
}


def yes(condition):
    return P if condition else D


def pcf_expected(consent, it, user, purpose, at_2022):
    """The IHE column of the table, one sentence for each consent."""
    routine = purpose in TPO
    restricted = it.labelled
    within = bool(it.categories)
    if consent in ("basic-treat", "basic-treat-infant", "basic-ink"):
        return P if routine else N
    if consent == "basic-reject":
        return D if routine else N
    if consent == "basic-research":
        return P if purpose == "HRESCH" else N
    if consent == "expired-treat":
        return P if routine and at_2022 else N
    if consent == "intermediate-purpose":
        return P if purpose == "FooBar" and user == "researcher" else N
    if consent == "dissent-intermediate-break-glass":
        return yes(purpose == "BTG" and user == "break-glass")
    if consent == "advanced-normal-break-glass-restricted":
        if not routine and purpose != "BTG":
            return N
        return yes(restricted if purpose == "BTG" and user == "break-glass" else it.plain())
    if not routine:
        return N
    focus = user == "practitioner"
    if consent.startswith("published-"):
        if not focus:
            return N
        consent = consent.replace("published-", "advanced-normal-")
    match consent:
        case "intermediate-timeframe":
            return yes(it.in_2022() is True)
        case "intermediate-not-timeframe":
            return yes(it.in_2022() is False)
        case "intermediate-authoredby":
            return yes(it.author == DOCTOR)
        case "intermediate-not-authoredby":
            return yes(it.author not in (None, DOCTOR))
        case "intermediate-encounter":
            return yes(it.encounter)
        case "intermediate-not-encounter":
            return yes(not it.encounter)
        case "intermediate-data":
            return yes(it.listed)
        case "intermediate-not-data":
            return yes(it.name != "alcoholUse")
        case "advanced-normal" | "advanced-normal-not-restricted":
            return yes(it.plain())
        case "advanced-normal-restricted":
            return yes(restricted)
        case "advanced-normal-focused-restricted":
            return yes(restricted if focus else it.plain())
        case "advanced-normal-focused-psy":
            return yes(it.plain() or (focus and within and it.categories <= {"PSY"}))
        case "advanced-normal-focused-psy-or-sdv":
            return yes(it.plain() or (focus and within and it.categories <= {"PSY", "SDV"}))
    raise AssertionError(consent)


def tree_expected(consent, it, user, purpose, at_2022):
    """The same consents as HL7's tree reads them: what the root limits is not applicable."""
    ihe = pcf_expected(consent, it, user, purpose, at_2022)
    if ihe == N:
        return N
    focus = user == "practitioner"
    if consent.startswith("published-"):
        consent = consent.replace("published-", "advanced-normal-")
    match consent:
        case "intermediate-timeframe" | "intermediate-authoredby" | "intermediate-data":
            return P if ihe == P else N
        case "intermediate-encounter":
            return P if it.kind == "Encounter" else N
        case "intermediate-not-encounter":
            return D if it.kind == "Encounter" else P
        case "advanced-normal" | "advanced-normal-focused-psy" \
                | "advanced-normal-focused-psy-or-sdv":
            # Only what is labelled N at most gets in; its categories are then not covered.
            return N if not it.normal() else yes(it.plain())
        case "advanced-normal-not-restricted":
            if not it.labelled:
                return D
            return N if not it.normal() else yes(it.plain())
        case "advanced-normal-restricted":
            return P if it.labelled else N
        case "advanced-normal-focused-restricted":
            return N if not it.normal() else yes(it.plain() or focus)
        case "advanced-normal-break-glass-restricted":
            glass = purpose == "BTG" and user == "break-glass"
            return N if not it.normal() else yes(it.plain() or glass)
    return ihe


def pcf_dialect(consent):
    for word, dialect in (("basic", "basic"), ("expired", "basic"), ("intermediate", "intermediate"),
                          ("advanced", "advanced"), ("published", "advanced")):
        if word in consent.split("-") or consent.startswith(word):
            return f"ihe-pcf-{dialect}"
    raise AssertionError(consent)


def write_pcf():
    out = File(
        "ihe-pcf",
        "IHE Privacy Consent on FHIR: the published consents, read in IHE's way and as HL7's tree.",
        "Source: IHE/ITI.PCF input/fsh/consent.fsh and ex-sensitive.fsh, input/pagecontent/*-notes.md",
        "(CC-BY-4.0); consents with break-glass and the infant's from their notes. Records after the",
        "sixth are ours. Expected: tools/consent-vectors/generate.py, one sentence for each consent.",
        'A row is [dialect, directive, request, one letter for each record in order]: permit, deny,',
        'not applicable, indeterminate.')
    for name, value in PCF_CONSENTS.items():
        out.define("directive", name, value)
    for it in PCF_RECORDS:
        out.define("record", it.name, it.value())
    cells = []
    for user, purpose in itertools.product(PCF_USERS, PCF_PURPOSES):
        name = f"{user}/{purpose}"
        out.define("request", name, request(PCF_USERS[user], purpose))
        cells.append((name, user, purpose, False))
    out.define("request", "practitioner/TREAT/2022",
               request(PCF_USERS["practitioner"], "TREAT", micros(2022, 10, 1)))
    cells.append(("practitioner/TREAT/2022", "practitioner", "TREAT", True))
    for consent, (name, user, purpose, early), it in itertools.product(
            PCF_CONSENTS, cells, PCF_RECORDS):
        out.case("evaluate", pcf_dialect(consent), consent, name, it.name,
                 pcf_expected(consent, it, user, purpose, early))
        out.case("evaluate", "fhir-tree", consent, name, it.name,
                 tree_expected(consent, it, user, purpose, early))
    out.write()


# --- AB 352 --------------------------------------------------------------------------------------

THREE = ("ABORTION", "GENDER_AFFIRMING_CARE", "CONTRACEPTION")


def write_ab352():
    out = File(
        "ab352",
        "California AB 352: nested exceptions, in depth, in breadth, four deep, and allow all.",
        "Source: SHIFT-Task-Force/SLS-ValueSets input/fsh/ca-ab352/ab352.fsh (CC-BY-4.0).",
        "Expected: tools/consent-vectors/generate.py, from the nesting as the file's comments tell it.",
        'A row is [dialect, directive, request, one letter for each record in order]: permit, deny,',
        'not applicable, indeterminate.')
    three = [shift(it) for it in THREE]
    here = [who("Location/ca-location")]
    root = {"purposes": tpo}
    deny = lambda *children: provision("deny", children, labels=three)
    out.define("directive", "depth", directive(provision(
        "permit", [deny(provision("permit", locations=here))], labels=[conf("N")], **root)))
    out.define("directive", "breadth", directive(provision(
        "permit", [deny(), provision("permit", locations=here, labels=three)],
        labels=[conf("N")], **root)))
    out.define("directive", "four", directive(provision("permit", [deny(provision(
        "permit", [provision("deny", data_period=year(2014))], locations=here, labels=three))],
        **root)))
    out.define("directive", "all", directive(
        provision("permit", labels=[*three, conf("N"), conf("R")], **root)))
    requests = []
    for place, purpose in itertools.product(("in", "out", "unknown"), (*TPO, "HRESCH", "BTG")):
        locations = {"in": known(here), "out": known([]), "unknown": "unknown"}[place]
        out.define("request", f"{place}/{purpose}",
                   request(["Practitioner/p"], purpose, locations=locations))
        requests.append((place, purpose))
    records = []
    sets = [(), ("HIV",)] + [(it,) for it in THREE] + [("ABORTION", "HIV"), THREE]
    for level, labels, when in itertools.product(
            ("N", "R", None), sets, (2014, 2020, None)):
        if level is None and not labels:
            continue
        name = f"{level or '-'}{'+'.join(('', *labels))}@{when}"
        made = [conf(level)] if level else []
        made += [sens(it) if it == "HIV" else shift(it) for it in labels]
        out.define("record", name,
                   record("Observation/o", made, when and day(when, 4, 4), "Practitioner/a"))
        # A sensitive label without a level stands for restricted.
        records.append((name, level or "R", set(labels), when))
    for (place, purpose), (name, level, labels, when) in itertools.product(requests, records):
        for consent in ("depth", "breadth", "four", "all"):
            for dialect in ("fhir-tree", "joint", "permission-permit-overrides"):
                out.case("evaluate", dialect, consent, f"{place}/{purpose}", name, ab352(
                    dialect, consent, place, purpose in TPO, level, labels, when))
    out.write()


def ab352(dialect, consent, place, routine, level, labels, when):
    if not routine:
        return N
    named, others = labels & set(THREE), labels - set(THREE)
    if consent == "all":
        # Names categories, so it covers those and no others.
        return yes(not others)
    if consent in ("depth", "breadth"):
        if level != "N":
            return N  # the root is about N at most; the authors note the gap themselves
        if not named:
            return yes(not others)  # N covers no category
        lifted = place == "in" and not others
        if dialect == "fhir-tree":
            return yes(consent == "depth" and lifted)
        if dialect == "joint":
            return D
        return yes(lifted)
    # Four deep; its root covers everything.
    if not named:
        return P
    if dialect == "joint":
        return D
    if dialect == "permission-permit-overrides":
        return P  # the root's permit overrides every deny
    return yes(place == "in" and when == 2020 and not others)


# --- HL7 examples --------------------------------------------------------------------------------

def write_hl7():
    out = File(
        "hl7-examples",
        "The 15 consent examples of FHIR, as trees (opt-in: root permit; opt-out: root deny).",
        "Source: HL7/fhir source/consent/consent-example-*.xml (CC0), narrative and policy rule.",
        "Expected: tools/consent-vectors/generate.py, from each narrative.",
        'A row is [dialect, directive, request, one letter for each record in order]: permit, deny,',
        'not applicable, indeterminate.')
    org, nurse, person = "Organization/f001", "Practitioner/f204", "Patient/example"
    cst = {"role": "custodian", "who": who(org)}
    act = lambda *codes: [{"system": ACTIONS, "code": it} for it in codes]
    types = lambda *names: [{"system": TYPES, "code": it} for it in names]
    loinc = lambda *codes: [{"system": "http://loinc.org", "code": it} for it in codes]
    misnamed = {"foreign": {
        "system": "http://terminology.hl7.org/ValueSet/v3-InformationSensitivityPolicy",
        "code": "HIV"}}
    in_except = lambda **it: directive(provision("permit", [provision("deny", **it)]))
    out_except = lambda **it: directive(provision("deny", [provision("permit", **it)]))
    read_to = lambda label: provision(
        "permit", actors=[recipient(org)], actions=act("access"), labels=[label])
    consents = {
        "notAuthor": in_except(actors=[cst]),
        "notLabs": in_except(actions=act("access", "correct"),
                             classes=types("DiagnosticReport", "Observation")),
        "notOrg": in_except(actors=[recipient(org)], actions=act("access", "correct")),
        "notSecLabel": in_except(actions=act("access", "correct"), labels=[misnamed]),
        "notThem": in_except(actors=[recipient(nurse)], actions=act("access", "correct")),
        "notThis": in_except(data=[{"meaning": "related", "reference": who("Task/example3")}]),
        "notTime": directive(provision("deny", period={
            "start": micros(2015), "end": micros(2015, 2, 2)}), base="permit"),
        "Emergency": out_except(actors=[cst], purposes=hl7("ETREAT")),
        "No-Emergency": directive(provision(
            "deny", actors=[recipient("Organization/f201")], purposes=hl7("TREAT", "ETREAT"))),
        "Out": directive(provision("deny", actors=[cst])),
        "OrgToOrg": out_except(actors=[recipient("Organization/f203")], actions=act("disclose")),
        "grantor": out_except(actors=[cst, recipient(person)], actions=act("access")),
        "smartonfhir": out_except(
            period={"start": micros(2016, 6, 23), "end": micros(2016, 6, 24)},
            actions=act("access"), classes=types("MedicationRequest")),
        "pkb": directive(provision("deny", [
            read_to(conf("N")), read_to(sens("PSY")), read_to(sens("SEX"))])),
        "signature": directive(provision("permit", [provision(
            "permit", actors=[{"role": "author", "who": who("Practitioner/xcda-author")}],
            classes=types("DocumentReference"), codes=loinc("34133-9", "18842-5"))],
            period={"start": micros(2015, 10, 10), "end": micros(2016, 10, 11)},
            actors=[recipient("Practitioner/13")],
            classes=types("DocumentReference"))),
    }
    for name, value in consents.items():
        out.define("directive", name, value)
    requests = []
    askers = {"nurse": [nurse], "f001": [org], "f201": ["Organization/f201"],
              "f203": ["Organization/f203"], "example": [person], "13": ["Practitioner/13"]}
    times = {"2015": micros(2015, 1, 15), "2016": micros(2016, 6, 23), "2026": micros(2026)}
    for asker, purpose, action, at in itertools.product(
            askers, ("TREAT", "ETREAT"), ("access", "disclose"), times):
        name = f"{asker}/{purpose}/{action}/{at}"
        out.define("request", name, request(askers[asker], purpose, times[at],
                                            action=known(act(action)[0])))
        requests.append((name, asker, purpose, action, at))
    records = {}
    for name, kind, labels, held, author, codes in (
            ("lab", "Observation", [conf("N")], org, "Practitioner/a", ["2339-0"]),
            ("lab-elsewhere", "Observation", [conf("N")], "Organization/x", "Practitioner/a", []),
            ("drug", "MedicationRequest", [conf("N")], org, "Practitioner/a", []),
            ("therapy", "Condition", [conf("R"), sens("PSY")], org, "Practitioner/a", []),
            ("therapy-hiv", "Condition", [conf("R"), sens("PSY"), sens("HIV")], org,
             "Practitioner/a", []),
            ("hiv", "Condition", [conf("R"), sens("HIV")], "Organization/x", "Practitioner/a", []),
            ("discharge", "DocumentReference", [conf("N")], org, "Practitioner/xcda-author",
             ["18842-5"]),
            ("held-by-nobody-knows", "Condition", [conf("N")], None, None, [])):
        made = record(f"{kind}/{name}", labels, day(2015, 1, 10), author, custodian=held,
                      codes=codes)
        records[name] = (kind, held, {it["sensitivity"] for it in labels if "sensitivity" in it})
        out.define("record", name, made)
    for consent, (name, *asked), it in itertools.product(consents, requests, records):
        out.case("evaluate", "fhir-tree", consent, name, it,
                 hl7_expected(consent, *asked, it, *records[it]))
    out.write()


def hl7_expected(consent, asker, purpose, action, at, name, kind, held, categories):
    access = action == "access"
    match consent:
        case "notAuthor":  # nothing held by f001; unknown custody denies
            return yes(held not in ("Organization/f001", None))
        case "notLabs":
            return yes(not (access and kind == "Observation"))
        case "notOrg":
            return yes(not (access and asker == "f001"))
        case "notSecLabel":  # the label's system is a value set, which nobody here understands
            return I if access else P
        case "notThem":
            return yes(not (access and asker == "nurse"))
        case "notThis":
            return P
        case "notTime":  # R5, by time of access
            return yes(at != "2015")
        case "Emergency":
            return yes(purpose == "ETREAT" and held == "Organization/f001")
        case "No-Emergency":
            return D if asker == "f201" else N
        case "Out":
            return N if held == "Organization/x" else D
        case "OrgToOrg":
            return yes(asker == "f203" and action == "disclose")
        case "grantor":  # held by f001 and asked for by that person
            return yes(held == "Organization/f001" and asker == "example" and access)
        case "smartonfhir":
            return yes(at == "2016" and access and kind == "MedicationRequest")
        case "pkb":
            if asker != "f001" or not access:
                return D
            return yes(not categories or categories <= {"PSY", "SEX"})
        case "signature":
            if asker != "13" or at != "2016" or kind != "DocumentReference":
                return N
            return P
    raise AssertionError(consent)


# --- HL7 Permission ------------------------------------------------------------------------------

CODES = ("deny-overrides", "permit-overrides", "ordered-deny-overrides",
         "ordered-permit-overrides", "deny-unless-permit", "permit-unless-deny")


def write_permission():
    out = File(
        "permission",
        "HL7 Permission: every list of up to three rules under the six combining codes.",
        "Source: HL7/data-access-policies permission-rule-combining; OASIS XACML 3.0 appendix C, with",
        "what cannot be read counted as a refusal. Expected: tools/consent-vectors/generate.py.",
        'A row is [dialect, directive, request, one letter for each record in order]: permit, deny,',
        'not applicable, indeterminate.')
    kinds = {
        "P": provision("permit", purposes=hl7("TREAT")),
        "p": provision("permit", purposes=hl7("HPAYMT")),
        "?": provision("permit", actions=[{"system": ACTIONS, "code": "access"}]),
        "D": provision("deny", purposes=hl7("TREAT")),
        "d": provision("deny", purposes=hl7("HPAYMT")),
        "!": provision("deny", actions=[{"system": ACTIONS, "code": "access"}]),
        "x": provision("permit", unreadable=[{"element": "Permission.rule.limit"}]),
    }
    out.define("request", "treat", request(["Practitioner/p"], "TREAT"))
    out.define("record", "plain", record("Observation/o", [conf("N")], None))
    for many in range(4):
        for rules in itertools.product(kinds, repeat=many):
            name = "".join(rules) or "none"
            out.define("directive", name, directive(*(kinds[it] for it in rules)))
            for code in CODES:
                out.case("evaluate", f"permission-{code}", name, "treat", "plain",
                         permission(code.removeprefix("ordered-"), set(rules)))
    out.write()


def permission(code, rules):
    permit, deny, unread = "P" in rules, bool(rules & {"D", "!"}), "x" in rules
    order = {
        "deny-overrides": [(deny, D), (unread, I), (permit, P), (True, N)],
        "permit-overrides": [(permit, P), (deny, D), (unread, I), (True, N)],
        "deny-unless-permit": [(permit, P), (True, D)],
        "permit-unless-deny": [(deny or unread, D), (True, P)],
    }[code]
    return next(answer for holds, answer in order if holds)


# --- Joint rule ----------------------------------------------------------------------------------

def write_joint():
    out = File(
        "joint-rule",
        "The joint rule over patients, administrator and encounter, in its exact order.",
        "Source: Google Cloud Healthcare consent management, as told in its documentation; what cannot",
        "be read counts as a deny. Expected: tools/consent-vectors/generate.py.",
        'A row is [existence, admin, cascade, patients, expected].')
    says = (P, D, N, I)
    lists = [list(it) for many in range(3) for it in itertools.product(says, repeat=many)]
    for existence, admin, cascade, patients in itertools.product(
            ("exists", "missing-of-patient-type", "missing-other"), says, says, lists):
        out.case("joint", existence, admin, cascade, patients,
                 joint(existence, admin, cascade, patients))
    out.write()


def joint(existence, admin, cascade, patients):
    if existence == "missing-of-patient-type":
        return "deny"
    if existence == "missing-other":
        return "not-found" if admin == P else "deny"
    voices = [admin, cascade, *patients]
    if D in voices or I in voices:
        return "deny"
    if admin == P:
        return "permit"
    if (patients and all(it == P for it in patients)) or cascade == P:
        return "permit"
    return "deny"


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    write_pcf()
    write_ab352()
    write_hl7()
    write_permission()
    write_joint()
