//! Writes provisions, in either version.
//!
//! Knows how each attribute is written and what a version cannot say. Where the text of an
//! attribute was kept it is written as it came, for it means the same.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{ActorRole, Coding, Label, Provision, Purpose, Rule, Who};

use super::fault::{FAULTS_MAX, Fault, WriteFaultCode};
use super::kept::Kept;
use super::{Version, values};
use crate::code_systems::RESOURCE_TYPES;
use crate::json::Doc;
use crate::json::write::{ArrayWriter, ObjectWriter};

/// A consent being written.
pub(super) struct Writer<'a> {
    pub(super) version: Version,
    pub(super) kept: &'a Kept,
    pub(super) faults: Vec<Fault<WriteFaultCode>>,
}

/// The attributes that a provision states, in FHIR's order, each with its plainest text: `None`
/// where it cannot be written. R4's names.
pub(super) fn members(provision: &Provision) -> Vec<(&'static str, Option<String>)> {
    let mut members = Vec::new();
    if !provision.locations.is_empty() {
        members.push(("extension", Some(values::locations(&provision.locations))));
    }
    if let Some(period) = &provision.period {
        members.push(("period", values::period(period)));
    }
    if !provision.actors.is_empty() {
        members.push(("actor", Some(values::actors(&provision.actors))));
    }
    if !provision.actions.is_empty() {
        members.push(("action", Some(values::concepts(&provision.actions))));
    }
    if !provision.labels.is_empty() {
        let labels: Vec<Coding> = provision.labels.iter().map(Label::to_coding).collect();
        members.push(("securityLabel", Some(values::codings(&labels))));
    }
    if !provision.purposes.is_empty() {
        let purposes: Vec<Coding> = provision.purposes.iter().map(Purpose::to_coding).collect();
        members.push(("purpose", Some(values::codings(&purposes))));
    }
    if !provision.classes.is_empty() {
        members.push(("class", Some(values::codings(&provision.classes))));
    }
    if !provision.codes.is_empty() {
        members.push(("code", Some(values::concepts(&provision.codes))));
    }
    if let Some(period) = &provision.data_period {
        members.push(("dataPeriod", values::period(period)));
    }
    if !provision.data.is_empty() {
        members.push(("data", Some(values::data(&provision.data))));
    }
    members
}

/// Whether a provision states nothing but, perhaps, a period.
pub(super) fn limits_only_time(provision: &Provision) -> bool {
    members(provision).iter().all(|(key, _)| *key == "period") && provision.unreadable.is_empty()
}

const fn rule_code(rule: Rule) -> &'static str {
    match rule {
        Rule::Permit => "permit",
        Rule::Deny => "deny",
    }
}

impl Writer<'_> {
    pub(super) fn fault(&mut self, code: WriteFaultCode, at: &str) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { code, at: at.into() });
        }
    }

    /// Writes R4's `type`, or R5's `decision`.
    pub(super) fn rule(key: &str, rule: Rule, out: &mut ObjectWriter<'_>) {
        out.string(key, rule_code(rule));
    }

    /// Writes the members of one provision, with its exceptions.
    pub(super) fn provision(
        &mut self,
        provision: &Provision,
        above: Option<Rule>,
        path: &[u16],
        at: &str,
        out: &mut ObjectWriter<'_>,
    ) {
        if !provision.unreadable.is_empty() {
            self.fault(WriteFaultCode::Unreadable, at);
        }
        match self.version {
            Version::R4 => Self::rule("type", provision.rule, out),
            Version::R5 => {
                if above.is_some_and(|above| provision.rule != above.opposite()) {
                    self.fault(WriteFaultCode::RuleNotOpposite, at);
                }
            }
        }
        self.check(provision, at);
        let members = members(provision);
        let kept = self.kept;
        for (key, json) in kept.members_of(path) {
            let of_model = members.iter().any(|(member, _)| *member == key);
            if key == "_type" && self.version == Version::R5 {
                self.fault(WriteFaultCode::NoPlace, at);
            } else if !of_model {
                out.raw(key, json.as_bytes());
            }
        }
        for (key, json) in members {
            let as_it_came = kept.of(path, key).filter(|json| self.still_fits(key, json));
            let Some(json) = as_it_came.map(String::from).or(json) else {
                self.fault(WriteFaultCode::DateOutOfRange, &format!("{at}.{key}"));
                continue;
            };
            out.raw(self.name_of(key, provision), json.as_bytes());
        }
        let rule = provision.rule;
        self.children(&provision.children, rule, path, at, out);
    }

    pub(super) fn children(
        &mut self,
        children: &[Provision],
        above: Rule,
        path: &[u16],
        at: &str,
        out: &mut ObjectWriter<'_>,
    ) {
        if children.is_empty() {
            return;
        }
        out.array("provision", |list: &mut ArrayWriter<'_>| {
            for (index, child) in (0_u16..).zip(children) {
                let here: Vec<u16> = path.iter().copied().chain([index]).collect();
                let at = format!("{at}.provision[{index}]");
                list.object(|out| self.provision(child, Some(above), &here, &at, out));
            }
        });
    }

    /// R5 tells resource types from document types. Where both are alternatives it can only be
    /// said as document types, for the two elements together would ask for both.
    fn name_of(&self, key: &'static str, provision: &Provision) -> &'static str {
        match (self.version, key) {
            (Version::R5, "class") => {
                let types = provision.classes.iter().all(|class| class.system == RESOURCE_TYPES);
                if types { "resourceType" } else { "documentType" }
            }
            (Version::R4 | Version::R5, key) => key,
        }
    }

    /// An actor of R5 may have no role, which R4 must have.
    fn still_fits(&self, key: &str, json: &str) -> bool {
        if self.version != Version::R4 || key != "actor" {
            return true;
        }
        Doc::parse(json.into())
            .is_ok_and(|doc| doc.root().items().all(|actor| actor.get("role").is_some()))
    }

    /// What no text can say, or what would be read as something else.
    fn check(&mut self, provision: &Provision, at: &str) {
        let labels = provision.labels.iter().map(Label::to_coding);
        let purposes = provision.purposes.iter().map(Purpose::to_coding);
        let roles = provision.actors.iter().filter_map(|actor| match &actor.role {
            ActorRole::Other(coding) => Some(coding.clone()),
            ActorRole::Recipient | ActorRole::Custodian | ActorRole::Author => None,
        });
        let others = [&provision.actions, &provision.classes, &provision.codes];
        let mut codings =
            labels.chain(purposes).chain(roles).chain(others.into_iter().flatten().cloned());
        if codings.any(|coding| coding.system.is_empty() || coding.code.is_empty()) {
            self.fault(WriteFaultCode::CodeWithoutSystem, at);
        }
        let actors = provision.actors.iter().filter_map(|actor| actor.who.as_ref());
        let data = provision.data.iter().map(|clause| &clause.reference);
        let mut named = actors.chain(data).chain(&provision.locations);
        if named.any(|who| matches!(who, Who::Identifier(id) if id.system.is_empty())) {
            self.fault(WriteFaultCode::IdentifierWithoutSystem, at);
        }
        let anyone = provision.actors.iter().any(|actor| actor.who.is_none());
        if anyone && self.version == Version::R4 {
            self.fault(WriteFaultCode::ActorWithoutReference, &format!("{at}.actor"));
        }
    }
}
