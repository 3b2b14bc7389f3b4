//! Writes a consent as FHIR R4 or R5.
//!
//! Knows which element of one version stands for which of the other, and what neither can say. A
//! consent that the version cannot say is refused with every reason, never written in part.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{Provision, Rule};

use super::fault::{WriteFaultCode, WriteRefusal};
use super::header::{Concept, Header, Policy, Reference, Source, Verification};
use super::read_header::{FROM_R4, FROM_R5, scope_coding};
use super::values::concept_members;
use super::write_provision::{Writer, limits_only_time};
use super::{ReadConsent, Version, dialects};
use crate::json::write::{self, ObjectWriter};

/// Writes a consent as FHIR R4.
///
/// # Errors
/// Every reason why R4 cannot say it.
pub fn write_r4(consent: &ReadConsent) -> Result<Vec<u8>, WriteRefusal> {
    written(consent, Version::R4)
}

/// Writes a consent as FHIR R5.
///
/// # Errors
/// Every reason why R5 cannot say it.
pub fn write_r5(consent: &ReadConsent) -> Result<Vec<u8>, WriteRefusal> {
    written(consent, Version::R5)
}

fn written(consent: &ReadConsent, version: Version) -> Result<Vec<u8>, WriteRefusal> {
    let mut writer = Writer { version, kept: &consent.kept, faults: Vec::new() };
    writer.check_header(consent);
    let bytes = write::object(|out| {
        out.string("resourceType", "Consent");
        writer.common(&consent.header, out);
        match version {
            Version::R4 => {
                writer.r4_header(&consent.header, out);
                writer.r4_root(consent, out);
            }
            Version::R5 => {
                writer.r5_header(&consent.header, out);
                writer.r5_root(consent, out);
            }
        }
    });
    if writer.faults.is_empty() { Ok(bytes) } else { Err(WriteRefusal { faults: writer.faults }) }
}

impl Writer<'_> {
    fn check_header(&mut self, consent: &ReadConsent) {
        let header = &consent.header;
        if !header.status.is_of(self.version) {
            self.fault(WriteFaultCode::StatusUnknown, "Consent.status");
        }
        let dialect = consent.directive.dialect();
        match dialects::named(&header.profiles, &header.policies, &[]) {
            Ok(None) => {}
            Ok(Some(named)) if named == dialect => {}
            Ok(Some(_)) | Err(dialects::Disagreement) => {
                self.fault(WriteFaultCode::DialectUnnamed, "Consent.meta.profile");
            }
        }
        if self.kept.contained.is_some_and(|version| version != self.version) {
            self.fault(WriteFaultCode::ContainedResources, "Consent.contained");
        }
        if !consent.directive.unreadable().is_empty() {
            self.fault(WriteFaultCode::Unreadable, "Consent");
        }
    }

    /// What both versions have, and what was kept.
    fn common(&mut self, header: &Header, out: &mut ObjectWriter<'_>) {
        out.string_if("id", header.id.as_deref());
        let kept = self.kept;
        if !header.profiles.is_empty() || !kept.meta.is_empty() {
            out.object("meta", |meta| {
                for (key, json) in &kept.meta {
                    meta.raw(key, json.as_bytes());
                }
                if !header.profiles.is_empty() {
                    meta.array("profile", |list| {
                        for profile in &header.profiles {
                            list.string(profile);
                        }
                    });
                }
            });
        }
        out.string_if("language", header.language.as_deref());
        for (key, json) in &kept.members {
            let renamed = match (self.version, key.as_str()) {
                (Version::R4, "_date") => "_dateTime",
                (Version::R5, "_dateTime") => "_date",
                (Version::R4 | Version::R5, key) => key,
            };
            out.raw(renamed, json.as_bytes());
        }
        self.extensions(header, out);
        raw_list("identifier", header.identifiers.iter().map(|id| id.json.as_str()), out);
        out.string("status", header.status.code());
    }

    fn extensions(&mut self, header: &Header, out: &mut ObjectWriter<'_>) {
        let mut all: Vec<String> = self.kept.extensions.clone();
        let mut add = |base: &str, name: &str, key: &str, json: &str| {
            let bytes = write::object(|one| {
                one.string("url", &[base, name].concat());
                one.raw(key, json.as_bytes());
            });
            all.extend(String::from_utf8(bytes));
        };
        match self.version {
            Version::R4 => {
                for (name, list) in [
                    ("grantor", &header.grantors),
                    ("grantee", &header.grantees),
                    ("manager", &header.managers),
                    ("controller", &header.controllers),
                    ("policyText", &header.policy_texts),
                ] {
                    for reference in list {
                        add(FROM_R5, name, "valueReference", &reference.json);
                    }
                }
            }
            Version::R5 => {
                let plain = header.scope == super::ConsentScopeCode::PatientPrivacy;
                if header.scope_json.is_some() || !plain {
                    let json = scope_json(header);
                    add(FROM_R4, "scope", "valueCodeableConcept", &json);
                }
                if let Some(date) = header.date.as_ref().filter(|date| date.text.contains('T')) {
                    let json = write::string_text(&date.text);
                    add(FROM_R4, "dateTime", "valueDateTime", &json);
                }
            }
        }
        raw_list("extension", all.iter().map(String::as_str), out);
    }

    fn r4_header(&mut self, header: &Header, out: &mut ObjectWriter<'_>) {
        out.raw("scope", scope_json(header).as_bytes());
        concepts("category", &header.categories, out);
        out.raw("patient", header.patient.json.as_bytes());
        out.string_if("dateTime", header.date.as_ref().map(|date| date.text.as_str()));
        references("performer", &header.performers, out);
        references("organization", &header.organizations, out);
        if header.sources.len() > 1 {
            self.fault(WriteFaultCode::SeveralSources, "Consent.source");
        }
        match header.sources.first() {
            Some(Source::Attachment(json)) => out.raw("sourceAttachment", json.as_bytes()),
            Some(Source::Reference(it)) => out.raw("sourceReference", it.json.as_bytes()),
            None => {}
        }
        if header.policy_reference.is_some() {
            self.fault(WriteFaultCode::PolicyReference, "Consent.policy");
        }
        if !header.policies.is_empty() {
            out.array("policy", |list| {
                for policy in &header.policies {
                    list.object(|out| policy_members(policy, "uri", out));
                }
            });
        }
        if header.policy_rules.len() > 1 {
            self.fault(WriteFaultCode::SeveralPolicyRules, "Consent.policyRule");
        }
        if let Some(rule) = header.policy_rules.first() {
            out.raw("policyRule", rule.json.as_bytes());
        }
        self.verifications(&header.verifications, out);
    }

    fn r5_header(&mut self, header: &Header, out: &mut ObjectWriter<'_>) {
        concepts("category", &header.categories, out);
        out.raw("subject", header.patient.json.as_bytes());
        let day = header
            .date
            .as_ref()
            .map(|date| date.text.split_once('T').map_or(date.text.as_str(), |(day, _)| day));
        out.string_if("date", day);
        references("grantor", &header.agreed_by(), out);
        references("grantee", &header.grantees, out);
        references("manager", &header.managers, out);
        references("controller", &header.enforced_by(), out);
        let attachments = header.sources.iter().filter_map(|source| match source {
            Source::Attachment(json) => Some(json.as_str()),
            Source::Reference(_) => None,
        });
        raw_list("sourceAttachment", attachments, out);
        let signed = header.sources.iter().filter_map(|source| match source {
            Source::Reference(it) => Some(it.json.as_str()),
            Source::Attachment(_) => None,
        });
        raw_list("sourceReference", signed, out);
        concepts("regulatoryBasis", &header.policy_rules, out);
        let sayable = match header.policies.as_slice() {
            [] => true,
            [policy] => {
                policy.authority.is_none()
                    && policy
                        .extras
                        .iter()
                        .all(|(key, _)| matches!(key.as_str(), "id" | "extension"))
            }
            _ => false,
        };
        if !sayable {
            self.fault(WriteFaultCode::SeveralPolicies, "Consent.policyBasis");
        }
        if header.policy_reference.is_some() || !header.policies.is_empty() {
            out.object("policyBasis", |out| {
                if let Some(reference) = &header.policy_reference {
                    out.raw("reference", reference.json.as_bytes());
                }
                if let Some(policy) = header.policies.first() {
                    policy_members(policy, "url", out);
                }
            });
        }
        references("policyText", &header.policy_texts, out);
        self.verifications(&header.verifications, out);
    }

    fn verifications(&mut self, verifications: &[Verification], out: &mut ObjectWriter<'_>) {
        if verifications.is_empty() {
            return;
        }
        let version = self.version;
        let r5_only =
            |one: &Verification| one.kind.is_some() || one.by.is_some() || one.dates.len() > 1;
        if version == Version::R4 && verifications.iter().any(r5_only) {
            self.fault(WriteFaultCode::Verification, "Consent.verification");
        }
        out.array("verification", |list| {
            for one in verifications {
                list.object(|out| verification_members(one, version, out));
            }
        });
    }

    fn r4_root(&mut self, consent: &ReadConsent, out: &mut ObjectWriter<'_>) {
        let (directive, at) = (&consent.directive, "Consent.provision");
        if directive.base().is_some() && !dialects::has_root(directive.dialect()) {
            self.fault(WriteFaultCode::DecisionOutsideTree, at);
        }
        match (directive.base(), directive.provisions()) {
            (Some(rule), children) => out.object("provision", |out| {
                Self::rule("type", rule, out);
                self.children(children, rule, &[], at, out);
            }),
            (None, [root]) => {
                out.object("provision", |out| self.provision(root, None, &[0], at, out));
            }
            (None, []) => self.fault(WriteFaultCode::NoProvision, at),
            (None, _) => self.fault(WriteFaultCode::SeveralRoots, at),
        }
    }

    fn r5_root(&mut self, consent: &ReadConsent, out: &mut ObjectWriter<'_>) {
        let (directive, at) = (&consent.directive, "Consent");
        if directive.base().is_none() && !dialects::has_root(directive.dialect()) {
            self.fault(WriteFaultCode::RootOutsideTree, at);
        }
        match (directive.base(), directive.provisions()) {
            (Some(rule), children) => {
                Self::rule("decision", rule, out);
                self.children(children, rule, &[], at, out);
            }
            (None, [root]) if limits_only_time(root) => self.r5_limited_root(root, out),
            (None, [_]) => self.fault(WriteFaultCode::RootRestricts, "Consent.provision"),
            (None, []) => self.fault(WriteFaultCode::NoProvision, at),
            (None, _) => self.fault(WriteFaultCode::SeveralRoots, at),
        }
    }

    fn r5_limited_root(&mut self, root: &Provision, out: &mut ObjectWriter<'_>) {
        if self.kept.members_of(&[0]).any(|(key, _)| key != "period") {
            self.fault(WriteFaultCode::NoPlace, "Consent.provision");
        }
        if let Some(period) = &root.period {
            let plain = super::values::period(period);
            match self.kept.of(&[0], "period").map(String::from).or(plain) {
                Some(json) => out.raw("period", json.as_bytes()),
                None => self.fault(WriteFaultCode::DateOutOfRange, "Consent.period"),
            }
        }
        let rule: Rule = root.rule;
        Self::rule("decision", rule, out);
        self.children(&root.children, rule, &[0], "Consent", out);
    }
}

fn scope_json(header: &Header) -> String {
    header.scope_json.clone().unwrap_or_else(|| {
        let bytes = write::object(|out| concept_members(out, &scope_coding(header.scope)));
        String::from_utf8(bytes).unwrap_or_default()
    })
}

fn raw_list<'t>(key: &str, items: impl Iterator<Item = &'t str>, out: &mut ObjectWriter<'_>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        out.array(key, |list| items.for_each(|item| list.raw(item.as_bytes())));
    }
}

fn references(key: &str, list: &[Reference], out: &mut ObjectWriter<'_>) {
    raw_list(key, list.iter().map(|reference| reference.json.as_str()), out);
}

fn concepts(key: &str, list: &[Concept], out: &mut ObjectWriter<'_>) {
    raw_list(key, list.iter().map(|concept| concept.json.as_str()), out);
}

fn policy_members(policy: &Policy, uri: &str, out: &mut ObjectWriter<'_>) {
    for (key, json) in &policy.extras {
        out.raw(key, json.as_bytes());
    }
    out.string_if("authority", policy.authority.as_deref());
    out.string_if(uri, policy.uri.as_deref());
}

fn verification_members(one: &Verification, version: Version, out: &mut ObjectWriter<'_>) {
    for (key, json) in &one.extras {
        out.raw(key, json.as_bytes());
    }
    out.boolean("verified", one.verified);
    if let Some(kind) = &one.kind {
        out.raw("verificationType", kind.json.as_bytes());
    }
    if let Some(by) = &one.by {
        out.raw("verifiedBy", by.json.as_bytes());
    }
    if let Some(with) = &one.with {
        out.raw("verifiedWith", with.json.as_bytes());
    }
    match version {
        Version::R4 => {
            out.string_if("verificationDate", one.dates.first().map(String::as_str));
        }
        Version::R5 if !one.dates.is_empty() => out.array("verificationDate", |list| {
            one.dates.iter().for_each(|date| list.string(date));
        }),
        Version::R5 => {}
    }
}
