//! Reads provisions: what each restricts to, and its exceptions.
//!
//! Knows the elements of `Consent.provision` in R4 and R5. A code that restricts is refused where
//! neither HL7 nor this site gives it a meaning: under a deny nobody could say what it withholds.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{
    ACTION_SYSTEM, ActorClause, ActorRole, Coding, DataClause, DataMeaning, Label, Limits,
    Provision, Purpose, Rule, Who, is_handling,
};

use super::fault::FaultCode;
use super::kept::Kept;
use super::read_value::Reader;
use super::values::{self, LOCATION};
use super::{Version, write_provision};
use crate::json::Node;

const R4_ELEMENTS: &[&str] = &[
    "type",
    "period",
    "actor",
    "action",
    "securityLabel",
    "purpose",
    "class",
    "code",
    "dataPeriod",
    "data",
    "provision",
    "_type",
    "modifierExtension",
];
const R5_ELEMENTS: &[&str] = &[
    "period",
    "actor",
    "action",
    "securityLabel",
    "purpose",
    "documentType",
    "resourceType",
    "code",
    "dataPeriod",
    "data",
    "expression",
    "provision",
    "modifierExtension",
];

impl<'a> Reader<'a> {
    /// Reads one provision and its exceptions. `above` is the rule of the one above it, where the
    /// version says that a provision is its opposite.
    pub(super) fn provision(
        &mut self,
        node: Node<'a>,
        above: Option<Rule>,
        path: &[u16],
        kept: &mut Kept,
    ) -> Option<Provision> {
        let elements = match self.version {
            Version::R4 => R4_ELEMENTS,
            Version::R5 => R5_ELEMENTS,
        };
        self.only(node, elements);
        if let Some(expression) = node.get("expression").filter(|_| self.version == Version::R5) {
            self.fault(FaultCode::ExpressionUnsupported, expression);
        }
        let rule = self.rule_of(node, above);
        // Children are read all the same, so that every fault is listed.
        let mut provision = Provision::new(rule.unwrap_or(Rule::Deny));
        provision.period = node.get("period").and_then(|period| self.period(period));
        provision.data_period = node.get("dataPeriod").and_then(|period| self.period(period));
        provision.actors = self.actors(node);
        provision.actions = self.actions(node);
        provision.labels = self.labels(node);
        provision.purposes = self.purposes(node);
        provision.classes = self.classes(node);
        provision.codes = self.concepts(node, "code");
        provision.data = self.data(node);
        provision.locations = self.locations(node);
        self.keep_members(node, path, &provision, kept);
        let below = match self.version {
            Version::R4 => None,
            Version::R5 => Some(provision.rule),
        };
        provision.children = self.children(node, below, path, kept);
        rule.map(|_| provision)
    }

    pub(super) fn children(
        &mut self,
        holder: Node<'a>,
        above: Option<Rule>,
        path: &[u16],
        kept: &mut Kept,
    ) -> Vec<Provision> {
        let mut children = Vec::new();
        let mut nodes = self.list(holder, "provision");
        if nodes.len() > Limits::PROVISIONS {
            self.missing(FaultCode::TooManyProvisions, holder, "provision");
            nodes.truncate(Limits::PROVISIONS);
        }
        for (index, node) in (0_u16..).zip(nodes) {
            let here: Vec<u16> = path.iter().copied().chain([index]).collect();
            children.extend(self.provision(node, above, &here, kept));
        }
        children
    }

    fn rule_of(&mut self, node: Node<'a>, above: Option<Rule>) -> Option<Rule> {
        if let Some(above) = above {
            return Some(above.opposite());
        }
        let Some(stated) = node.get("type") else {
            self.missing(FaultCode::TypeMissing, node, "type");
            return None;
        };
        self.rule(stated, FaultCode::UnknownType)
    }

    pub(super) fn rule(&mut self, node: Node<'a>, code: FaultCode) -> Option<Rule> {
        let rule = match node.as_str().as_deref() {
            Some("permit") => Some(Rule::Permit),
            Some("deny") => Some(Rule::Deny),
            Some(_) | None => None,
        };
        if rule.is_none() {
            self.fault(code, node);
        }
        rule
    }

    fn actors(&mut self, provision: Node<'a>) -> Vec<ActorClause> {
        let mut clauses = Vec::new();
        for node in self.list(provision, "actor") {
            self.only(node, &["role", "reference", "modifierExtension"]);
            let role = self.role(node);
            let reference = self.object(node, "reference");
            match (reference, self.version) {
                (Some(reference), _) => {
                    // An address and identifiers of one actor are names of the same one.
                    let who = self.who(reference, FaultCode::ActorUnresolvable);
                    let clause = |who| ActorClause { role: role.clone(), who: Some(who) };
                    clauses.extend(who.into_iter().map(clause));
                }
                (None, Version::R5) if node.get("reference").is_none() => {
                    if node.get("role").is_none() {
                        self.missing(FaultCode::ActorMissing, node, "reference");
                    }
                    clauses.push(ActorClause { role, who: None });
                }
                (None, _) => self.missing(FaultCode::ActorMissing, node, "reference"),
            }
        }
        clauses
    }

    fn role(&mut self, actor: Node<'a>) -> ActorRole {
        if actor.get("role").is_none() && self.version == Version::R4 {
            self.missing(FaultCode::RoleMissing, actor, "role");
        }
        let Some(node) = self.object(actor, "role") else { return ActorRole::Recipient };
        let roles: BTreeSet<ActorRole> = self
            .concept(node)
            .into_iter()
            .map(|coding| ActorRole::from_coding(Some(coding)))
            .collect();
        if roles.len() > 1 {
            self.fault(FaultCode::CodesDisagree, node);
        }
        roles.into_iter().next().unwrap_or(ActorRole::Recipient)
    }

    /// The codings of a list of concepts. The codings of one concept say the same in several
    /// systems, so each of them is a value of its own.
    fn concepts(&mut self, provision: Node<'a>, key: &str) -> Vec<Coding> {
        let list = self.list(provision, key);
        list.into_iter().flat_map(|node| self.concept(node)).collect()
    }

    fn codings(&mut self, provision: Node<'a>, key: &str) -> Vec<(Coding, Node<'a>)> {
        let list = self.list(provision, key);
        list.into_iter().filter_map(|node| Some((self.coding(node)?, node))).collect()
    }

    fn is_understood(&self, coding: &Coding) -> bool {
        self.context.understood.contains(&coding.system)
    }

    fn actions(&mut self, provision: Node<'a>) -> Vec<Coding> {
        const CODES: [&str; 5] = ["collect", "access", "use", "disclose", "correct"];
        let mut actions = Vec::new();
        for node in self.list(provision, "action") {
            for coding in self.concept(node) {
                let of_fhir =
                    coding.system == ACTION_SYSTEM && CODES.contains(&coding.code.as_str());
                if !of_fhir && !self.is_understood(&coding) {
                    self.fault(FaultCode::UnknownAction, node);
                }
                actions.push(coding);
            }
        }
        actions
    }

    fn labels(&mut self, provision: Node<'a>) -> Vec<Label> {
        let mut labels = Vec::new();
        for (coding, node) in self.codings(provision, "securityLabel") {
            let understood = self.is_understood(&coding) || is_handling(&coding);
            let label = Label::from_coding(coding);
            if matches!(label, Label::Foreign(_)) && !understood {
                self.fault(FaultCode::UnknownLabel, node);
            }
            labels.push(label);
        }
        labels
    }

    fn purposes(&mut self, provision: Node<'a>) -> Vec<Purpose> {
        let mut purposes = Vec::new();
        for (coding, node) in self.codings(provision, "purpose") {
            let understood = self.is_understood(&coding);
            let purpose = Purpose::from_coding(coding);
            if matches!(purpose, Purpose::Foreign(_)) && !understood {
                self.fault(FaultCode::UnknownPurpose, node);
            }
            purposes.push(purpose);
        }
        purposes
    }

    /// R4's classes; R5 has document types and resource types instead, and where it has both a
    /// record would have to be of both.
    fn classes(&mut self, provision: Node<'a>) -> Vec<Coding> {
        let keys: &[&str] = match self.version {
            Version::R4 => &["class"],
            Version::R5 => &["documentType", "resourceType"],
        };
        if keys.len() > 1 && keys.iter().all(|key| provision.get(key).is_some()) {
            self.fault(FaultCode::ClassesCombined, provision);
        }
        let codings = keys.iter().flat_map(|key| self.codings(provision, key));
        codings.map(|(coding, _)| coding).collect()
    }

    fn data(&mut self, provision: Node<'a>) -> Vec<DataClause> {
        let mut clauses = Vec::new();
        for node in self.list(provision, "data") {
            self.only(node, &["meaning", "reference", "_meaning", "modifierExtension"]);
            let meaning = self.meaning(node);
            let Some(reference) = self.object(node, "reference") else {
                self.missing(FaultCode::DataMissing, node, "reference");
                continue;
            };
            let who = self.who(reference, FaultCode::DataUnresolvable);
            let Some(meaning) = meaning else { continue };
            clauses.extend(who.into_iter().map(|reference| DataClause { meaning, reference }));
        }
        clauses
    }

    fn meaning(&mut self, clause: Node<'a>) -> Option<DataMeaning> {
        let Some(stated) = clause.get("meaning") else {
            self.missing(FaultCode::DataMissing, clause, "meaning");
            return None;
        };
        let known = stated.as_str().as_deref().and_then(meaning);
        if known.is_none() {
            self.fault(FaultCode::UnknownMeaning, stated);
        }
        known
    }

    fn locations(&mut self, provision: Node<'a>) -> Vec<Who> {
        let mut locations = Vec::new();
        for node in self.list(provision, "extension") {
            let url = node.string_at(&["url"]).unwrap_or_default();
            if url == LOCATION {
                match self.object(node, "valueReference") {
                    Some(reference) => {
                        self.only(node, &["url", "valueReference"]);
                        locations.extend(self.who(reference, FaultCode::LocationUnresolvable));
                    }
                    None => self.fault(FaultCode::LocationUnresolvable, node),
                }
            }
        }
        locations
    }

    /// Keeps each member whose text is not the plainest one for what has been read of it.
    fn keep_members(&self, node: Node<'a>, path: &[u16], provision: &Provision, kept: &mut Kept) {
        let members = write_provision::members(provision);
        for (key, value) in node.entries() {
            let name = match key {
                "type" | "provision" => continue,
                "documentType" | "resourceType" if self.version == Version::R5 => "class",
                other => other,
            };
            let plain = members.iter().find(|(member, _)| *member == name);
            let plain = plain.and_then(|(_, json)| json.as_deref());
            Self::keep(kept, path, name, plain, value);
        }
    }

    pub(super) fn keep(
        kept: &mut Kept,
        path: &[u16],
        key: &str,
        plain: Option<&str>,
        node: Node<'a>,
    ) {
        let json = node.raw_text();
        if plain != Some(json) {
            let members = kept.provisions.entry(path.to_vec()).or_default();
            members.insert(String::from(key), json.into());
        }
    }
}

fn meaning(code: &str) -> Option<DataMeaning> {
    [DataMeaning::Instance, DataMeaning::Related, DataMeaning::Dependents, DataMeaning::AuthoredBy]
        .into_iter()
        .find(|meaning| values::meaning_code(*meaning) == code)
}
