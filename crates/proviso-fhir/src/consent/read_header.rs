//! Reads what a Consent says beside its provisions.
//!
//! Knows the header elements of both versions and the extensions by which one carries those of the
//! other.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{Coding, Who};

use super::fault::FaultCode;
use super::header::{
    ConsentDate, ConsentScopeCode, Header, Policy, Reference, Source, Status, Verification,
};
use super::kept::Kept;
use super::read::ReadHeader;
use super::read_value::{Reader, others};
use super::values::LOCATION;
use super::{Version, values};
use crate::json::Node;

/// The extensions that stand for elements of other FHIR versions: R5's in R4, and R4's in R5.
const CROSS_VERSION: [&str; 5] = ["3.0", "4.0", "4.3", "5.0", "6.0"];
pub(super) const FROM_R5: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Consent.";
pub(super) const FROM_R4: &str = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Consent.";
/// The code system of R4's scopes.
pub(super) const SCOPES: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

impl<'a> Reader<'a> {
    pub(super) fn header(&mut self, kept: &mut Kept) -> ReadHeader<'a> {
        let root = self.root;
        let extensions = self.extensions(kept);
        let status = self.status();
        let scope = self.scope(&extensions);
        let patient = self.patient();
        let profiles = self.profiles();
        let id = self.text(root, "id").map(Into::into);
        let language = self.text(root, "language").map(Into::into);
        let identifiers = self.identifiers(root);
        let categories = self.plain_concepts(root, "category");
        let date = self.consent_date(&extensions);
        let back_port = |name: &str| extensions.references(name);
        let (grantors, grantees, managers, controllers, policy_texts) = match self.version {
            Version::R4 => (
                back_port("grantor"),
                back_port("grantee"),
                back_port("manager"),
                back_port("controller"),
                back_port("policyText"),
            ),
            Version::R5 => (
                self.references(root, "grantor"),
                self.references(root, "grantee"),
                self.references(root, "manager"),
                self.references(root, "controller"),
                self.references(root, "policyText"),
            ),
        };
        let (performers, organizations) = match self.version {
            Version::R4 => {
                (self.references(root, "performer"), self.references(root, "organization"))
            }
            Version::R5 => (Vec::new(), Vec::new()),
        };
        let sources = self.sources();
        let (policies, policy_reference) = self.policies();
        let policy_rules = match (self.version, self.object(root, "policyRule")) {
            (Version::R4, rule) => rule.and_then(|it| self.plain_concept(it)).into_iter().collect(),
            (Version::R5, _) => self.plain_concepts(root, "regulatoryBasis"),
        };
        let verifications = self.verifications();
        let ((scope, scope_json), patient, status) = (scope?, patient?, status?);
        let header = Header {
            id,
            profiles,
            language,
            identifiers,
            status,
            scope,
            scope_json,
            categories,
            patient,
            date,
            performers,
            grantors,
            grantees,
            managers,
            controllers,
            organizations,
            sources,
            policies,
            policy_reference,
            policy_rules,
            policy_texts,
            verifications,
        };
        Some((header, extensions.period))
    }

    fn profiles(&mut self) -> Vec<String> {
        let Some(list) = self.root.get("meta").and_then(|meta| meta.get("profile")) else {
            return Vec::new();
        };
        if !list.is_array() || list.is_empty() {
            self.fault(FaultCode::WrongShape, list);
        }
        let mut profiles = Vec::new();
        for item in list.items() {
            match item.as_str() {
                Some(profile) => profiles.push(profile.into()),
                None => self.fault(FaultCode::WrongShape, item),
            }
        }
        profiles
    }

    fn status(&mut self) -> Option<Status> {
        let Some(node) = self.root.get("status") else {
            self.missing(FaultCode::StatusMissing, self.root, "status");
            return None;
        };
        let status = node.as_str().and_then(|code| {
            let known = Status::ALL.iter().copied().find(|status| status.code() == code);
            known.filter(|status| status.is_of(self.version))
        });
        if status.is_none() {
            self.fault(FaultCode::UnknownStatus, node);
        }
        status
    }

    /// R4's scope; R5 has none, and a Consent with provisions is about sharing there.
    fn scope(&mut self, extensions: &Extensions<'a>) -> Option<(ConsentScopeCode, Option<String>)> {
        let node = match self.version {
            Version::R4 => {
                if self.root.get("scope").is_none() {
                    self.missing(FaultCode::ScopeMissing, self.root, "scope");
                }
                self.object(self.root, "scope")?
            }
            Version::R5 => match extensions.scope {
                Some(node) => node,
                None => return Some((ConsentScopeCode::PatientPrivacy, None)),
            },
        };
        let codings = self.concept(node);
        let mut codes = codings.iter().map(|coding| {
            let known = ConsentScopeCode::ALL.iter().copied();
            known.filter(|_| coding.system == SCOPES).find(|scope| scope.code() == coding.code)
        });
        let first = codes.next().flatten();
        let Some(scope) = first.filter(|_| codes.all(|code| code == first)) else {
            self.fault(FaultCode::UnknownScope, node);
            return None;
        };
        let json = node.raw_text();
        let plain = values::concept(&scope_coding(scope)) == json;
        Some((scope, (!plain).then(|| json.into())))
    }

    fn patient(&mut self) -> Option<Reference> {
        let key = match self.version {
            Version::R4 => "patient",
            Version::R5 => "subject",
        };
        if self.root.get(key).is_none() {
            self.missing(FaultCode::PatientMissing, self.root, key);
        }
        let node = self.object(self.root, key)?;
        let who = self.who(node, FaultCode::PatientUnresolvable);
        let stated = node.get("type").and_then(Node::as_str);
        let is_patient = stated.is_none_or(|stated| stated == "Patient")
            && who.iter().all(|who| match who {
                Who::Reference(address) => address.rsplit('/').nth(1) == Some("Patient"),
                Who::Identifier(_) => true,
            });
        if !is_patient {
            self.fault(FaultCode::PatientUnresolvable, node);
        }
        Some(Reference { who, json: node.raw_text().into() })
    }

    /// R5's date has no time of day; a consent that has been R4 keeps its own beside it.
    fn consent_date(&mut self, extensions: &Extensions<'a>) -> Option<ConsentDate> {
        match (self.version, extensions.date_time) {
            (Version::R4, _) => self.date(self.root, "dateTime"),
            (Version::R5, None) => self.date(self.root, "date"),
            (Version::R5, Some(holder)) => self.date(holder, "valueDateTime"),
        }
    }

    fn sources(&mut self) -> Vec<Source> {
        let (attachment, reference) = ("sourceAttachment", "sourceReference");
        let root = self.root;
        let (attachments, references) = match self.version {
            Version::R4 => (
                self.object(root, attachment).into_iter().collect(),
                self.object(root, reference).into_iter().collect(),
            ),
            Version::R5 => (self.list(root, attachment), self.list(root, reference)),
        };
        let attachments = attachments
            .into_iter()
            .map(|node: Node<'_>| Source::Attachment(node.raw_text().into()));
        let references: Vec<Reference> =
            references.into_iter().filter_map(|node| self.plain_reference(node)).collect();
        attachments.chain(references.into_iter().map(Source::Reference)).collect()
    }

    fn policies(&mut self) -> (Vec<Policy>, Option<Reference>) {
        let (nodes, uri, known): (_, _, &[&str]) = match self.version {
            Version::R4 => {
                (self.list(self.root, "policy"), "uri", &["authority", "uri", "_authority", "_uri"])
            }
            Version::R5 => (
                self.object(self.root, "policyBasis").into_iter().collect(),
                "url",
                &["reference", "url"],
            ),
        };
        let mut policies = Vec::new();
        let mut reference = None;
        for node in nodes {
            self.only(node, known);
            if let Some(basis) = self.object(node, "reference") {
                reference = self.plain_reference(basis);
            }
            let policy = Policy {
                authority: self.text(node, "authority").map(Into::into),
                uri: self.text(node, uri).map(Into::into),
                extras: others(node, &["authority", uri, "reference"]),
            };
            if reference.is_none() || policy != Policy::default() {
                policies.push(policy);
            }
        }
        (policies, reference)
    }

    fn verifications(&mut self) -> Vec<Verification> {
        let known: &[&str] = &["verified", "verifiedWith", "verificationDate"];
        let r5: &[&str] = &["verificationType", "verifiedBy"];
        let mut all = Vec::new();
        for node in self.list(self.root, "verification") {
            let mut allowed = Vec::from(known);
            allowed.push("_verified");
            if self.version == Version::R5 {
                allowed.extend(r5);
            }
            self.only(node, &allowed);
            let verified = node.get("verified").and_then(Node::as_bool);
            if verified.is_none() {
                self.missing(FaultCode::WrongShape, node, "verified");
            }
            let reference = |reader: &mut Self, key| {
                reader.object(node, key).and_then(|it| reader.plain_reference(it))
            };
            let with = reference(self, "verifiedWith");
            let by = reference(self, "verifiedBy");
            let kind = self.object(node, "verificationType").and_then(|it| self.plain_concept(it));
            let dates = node.get("verificationDate").into_iter().flat_map(Node::items_or_self);
            let dates = dates.filter_map(|date| date.as_str().map(Into::into)).collect();
            let mut named = Vec::from(known);
            named.extend(r5);
            all.push(Verification {
                verified: verified.unwrap_or(false),
                kind,
                by,
                with,
                dates,
                extras: others(node, &named),
            });
        }
        all
    }

    /// Reads the extensions of the Consent: those that mean something here, and the others.
    fn extensions(&mut self, kept: &mut Kept) -> Extensions<'a> {
        let mut found = Extensions::default();
        for node in self.list(self.root, "extension") {
            let url = node.string_at(&["url"]).unwrap_or_default();
            // One that holds more than its address and its value is not understood.
            let value = |key| node.get(key).filter(|_| node.len() == 2);
            let object = |key| value(key).filter(|it: &Node<'_>| it.is_object());
            let own = match self.version {
                Version::R4 => url.strip_prefix(FROM_R5),
                Version::R5 => url.strip_prefix(FROM_R4),
            };
            match (self.version, own) {
                (
                    Version::R4,
                    Some(name @ ("grantor" | "grantee" | "manager" | "controller" | "policyText")),
                ) if object("valueReference").is_some() => {
                    let reference =
                        object("valueReference").and_then(|it| self.plain_reference(it));
                    found.references.extend(reference.map(|it| (String::from(name), it)));
                }
                (Version::R4, Some("period"))
                    if found.period.is_none() && object("valuePeriod").is_some() =>
                {
                    found.period = object("valuePeriod");
                }
                (Version::R5, Some("scope"))
                    if found.scope.is_none() && object("valueCodeableConcept").is_some() =>
                {
                    found.scope = object("valueCodeableConcept");
                }
                (Version::R5, Some("dateTime"))
                    if found.date_time.is_none() && self.is_of_the_day(value("valueDateTime")) =>
                {
                    found.date_time = Some(node);
                }
                // It is a fault already.
                _ if url == LOCATION => {}
                _ if is_cross_version(&url) => self.fault(FaultCode::MeaningInExtension, node),
                _ => kept.extensions.push(node.raw_text().into()),
            }
        }
        found
    }

    /// Whether a date and time is of the day that R5's own element names.
    fn is_of_the_day(&self, date_time: Option<Node<'a>>) -> bool {
        let day = self.root.get("date").and_then(Node::as_str);
        let date_time = date_time.and_then(Node::as_str);
        day.zip(date_time)
            .is_some_and(|(day, text)| text.split_once('T').is_some_and(|(of, _)| of == day))
    }
}

impl Status {
    /// Whether a FHIR version has the status. R5's `unknown` is in neither list: a consent of which
    /// nobody knows whether it is in force is not read.
    pub(super) const fn is_of(self, version: Version) -> bool {
        match self {
            Self::Draft | Self::Active | Self::Inactive | Self::EnteredInError => true,
            Self::Proposed | Self::Rejected => matches!(version, Version::R4),
            Self::NotDone => matches!(version, Version::R5),
        }
    }
}

pub(super) fn scope_coding(scope: ConsentScopeCode) -> Coding {
    Coding::new(SCOPES, scope.code())
}

/// Whether an extension stands for an element of Consent in another FHIR version.
pub(super) fn is_cross_version(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://hl7.org/fhir/") else { return false };
    CROSS_VERSION.iter().any(|version| {
        rest.strip_prefix(version)
            .and_then(|rest| rest.strip_prefix("/StructureDefinition/extension-Consent"))
            .is_some()
    })
}

/// The extensions of a Consent that mean something here.
#[derive(Default)]
struct Extensions<'a> {
    references: Vec<(String, Reference)>,
    period: Option<Node<'a>>,
    scope: Option<Node<'a>>,
    date_time: Option<Node<'a>>,
}

impl Extensions<'_> {
    fn references(&self, name: &str) -> Vec<Reference> {
        let named = self.references.iter().filter(|(found, _)| found == name);
        named.map(|(_, reference)| reference.clone()).collect()
    }
}
