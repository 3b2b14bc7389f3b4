//! Reads a Consent: its header, then its provisions.
//!
//! Knows the elements of `Consent` in R4 and R5. An element of neither is a fault: it may be the
//! one that takes everything back.

use alloc::vec::Vec;

use proviso_core::consent::provision::{Dialect, Directive, DirectiveError, Provision, Rule};

use super::fault::{ConsentRefusal, FaultCode};
use super::header::Header;
use super::kept::Kept;
use super::read_header::is_cross_version;
use super::read_value::{Reader, others};
use super::values::LOCATION;
use super::{Context, ReadConsent, Version, Zone, dialects, values};
use crate::json::{Doc, Node};

const R4_ELEMENTS: &[&str] = &[
    "identifier",
    "status",
    "scope",
    "category",
    "patient",
    "dateTime",
    "performer",
    "organization",
    "sourceAttachment",
    "sourceReference",
    "policy",
    "policyRule",
    "verification",
    "provision",
];
const R5_ELEMENTS: &[&str] = &[
    "identifier",
    "status",
    "category",
    "subject",
    "date",
    "period",
    "grantor",
    "grantee",
    "manager",
    "controller",
    "sourceAttachment",
    "sourceReference",
    "regulatoryBasis",
    "policyBasis",
    "policyText",
    "verification",
    "decision",
    "provision",
];
/// Elements of every resource that are read here.
const COMMON: &[&str] = &["resourceType", "id", "meta", "language", "extension"];
/// Elements of every resource that mean nothing to a decision.
const KEPT: &[&str] = &["text", "contained", "_language", "_status", "_date", "_dateTime", "_id"];
/// Those of them that stand beside an element of one version only.
const KEPT_R4_ONLY: &str = "_dateTime";
const KEPT_R5_ONLY: &str = "_date";

/// Reads a Consent of a FHIR version.
///
/// `zone` is where dates without an offset are.
///
/// # Errors
/// Every reason why the Consent is not understood.
///
/// ```
/// use std::collections::BTreeSet;
/// use proviso_fhir::consent::{Context, FaultCode, Version, Zone, read};
/// use proviso_fhir::json::Doc;
/// let understood = BTreeSet::new();
/// let context = Context { own_base: "https://us.example/fhir", understood: &understood, policies: &[] };
/// let doc = Doc::parse(br#"{"resourceType":"Consent","status":"active","decision":"permit",
///     "subject":{"reference":"Patient/maria"},"provision":[{"securityLabel":[{"code":"HIV",
///     "system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}]}]}"#.to_vec()).unwrap();
/// let consent = read(&doc, Version::R5, &Zone::UTC, &context).unwrap();
/// assert_eq!(consent.directive().provisions().len(), 1);
/// let faults = read(&doc, Version::R4, &Zone::UTC, &context).unwrap_err().faults;
/// assert!(faults.iter().any(|fault| fault.code == FaultCode::UnknownElement));
/// ```
pub fn read(
    doc: &Doc,
    version: Version,
    zone: &Zone,
    context: &Context<'_>,
) -> Result<ReadConsent, ConsentRefusal> {
    let root = doc.root();
    let mut reader = Reader { root, version, zone, context, faults: Vec::new() };
    if root.string_at(&["resourceType"]).as_deref() != Some("Consent") {
        reader.fault(FaultCode::NotAConsent, root);
        return Err(ConsentRefusal { faults: reader.faults });
    }
    reader.scan();
    let mut kept = reader.kept();
    let header = reader.header(&mut kept);
    let dialect = reader.dialect(&header);
    let directive = reader.directive(dialect, &header, &mut kept);
    match (header, directive) {
        (Some((header, _)), Some(directive)) if reader.faults.is_empty() => {
            Ok(ReadConsent { header, directive, kept })
        }
        _ => Err(ConsentRefusal { faults: reader.faults }),
    }
}

/// The header, and the period of the whole consent where an extension states it.
pub(super) type ReadHeader<'a> = Option<(Header, Option<Node<'a>>)>;

impl<'a> Reader<'a> {
    /// Looks for what changes the meaning from anywhere in the document.
    fn scan(&mut self) {
        for node in self.root.descendants() {
            match node.key() {
                Some("modifierExtension") => self.fault(FaultCode::ModifierExtension, node),
                Some("implicitRules") => self.fault(FaultCode::ImplicitRules, node),
                Some("url") => self.scan_extension(node),
                _ => {}
            }
        }
        let (elements, of_other) = match self.version {
            Version::R4 => (R4_ELEMENTS, KEPT_R5_ONLY),
            Version::R5 => (R5_ELEMENTS, KEPT_R4_ONLY),
        };
        for (key, node) in self.root.entries() {
            // The first two have a fault of their own.
            let known = matches!(key, "modifierExtension" | "implicitRules")
                || [elements, COMMON, KEPT].iter().any(|list| list.contains(&key));
            if !known || key == of_other {
                self.fault(FaultCode::UnknownElement, node);
            }
        }
    }

    /// Refuses an extension that means something where it is not read. `url` is its address.
    fn scan_extension(&mut self, url: Node<'a>) {
        let (Some(text), Some(extension)) = (url.as_str(), url.parent()) else { return };
        let list = extension.parent().filter(|list| list.key() == Some("extension"));
        let owner = list.and_then(Node::parent);
        let of_provision = owner.is_some_and(|owner| {
            let holder = if owner.key().is_some() { Some(owner) } else { owner.parent() };
            holder.and_then(Node::key) == Some("provision")
        });
        if text == LOCATION && !of_provision {
            self.fault(FaultCode::LocationMisplaced, extension);
        }
        // Those of the Consent itself are read one by one.
        let of_root = owner.is_some_and(|owner| owner.index() == self.root.index());
        if is_cross_version(&text) && !of_root {
            self.fault(FaultCode::MeaningInExtension, extension);
        }
    }

    fn kept(&mut self) -> Kept {
        let mut kept = Kept::default();
        for (key, node) in self.root.entries().filter(|(key, _)| KEPT.contains(key)) {
            kept.members.push((key.into(), node.raw_text().into()));
            if key == "contained" {
                kept.contained = Some(self.version);
            }
        }
        if let Some(meta) = self.object(self.root, "meta") {
            kept.meta = others(meta, &["profile"]);
        }
        kept
    }

    fn dialect(&mut self, header: &ReadHeader<'a>) -> Dialect {
        let Some((header, _)) = header else { return Dialect::FhirTree };
        let policies = self.context.policies;
        let Ok(named) = dialects::named(&header.profiles, &header.policies, policies) else {
            self.missing(FaultCode::DialectsDisagree, self.root, "meta.profile");
            return Dialect::FhirTree;
        };
        named.unwrap_or(Dialect::FhirTree)
    }

    fn directive(
        &mut self,
        dialect: Dialect,
        header: &ReadHeader<'a>,
        kept: &mut Kept,
    ) -> Option<Directive> {
        let back_port = header.as_ref().and_then(|(_, period)| *period);
        let (base, provisions) = match self.version {
            Version::R4 => (None, Vec::from([self.r4_root(back_port, kept)?])),
            Version::R5 => {
                let period = self.root.get("period");
                if let Some(period) = period.filter(|_| !dialects::has_root(dialect)) {
                    self.fault(FaultCode::PeriodOutsideTree, period);
                }
                self.r5_root(kept)?
            }
        };
        let code = match Directive::new(dialect, base, provisions, Vec::new()) {
            Ok(directive) => return Some(directive),
            Err(DirectiveError::TooDeep) => FaultCode::TooDeep,
            Err(DirectiveError::TooMany) => FaultCode::TooManyProvisions,
            Err(DirectiveError::TooManyValues) => FaultCode::TooManyValues,
        };
        self.missing(code, self.root, "provision");
        None
    }

    fn r4_root(&mut self, back_port: Option<Node<'a>>, kept: &mut Kept) -> Option<Provision> {
        if self.root.get("provision").is_none() {
            self.missing(FaultCode::ProvisionMissing, self.root, "provision");
        }
        let node = self.object(self.root, "provision")?;
        let mut root = self.provision(node, None, &[0], kept);
        if let Some(period) = back_port {
            if root.as_ref().is_some_and(|root| root.period.is_some()) {
                self.fault(FaultCode::PeriodTwice, period);
            }
            let period = self.period(period);
            if let Some(root) = &mut root {
                root.period = period;
            }
        }
        root
    }

    /// R5's decision is what its provisions are exceptions to. Outside of the period of the whole
    /// consent it says nothing, so with a period the decision becomes the rule of a root.
    fn r5_root(&mut self, kept: &mut Kept) -> Option<(Option<Rule>, Vec<Provision>)> {
        let decision = self.root.get("decision");
        if decision.is_none() {
            self.missing(FaultCode::DecisionMissing, self.root, "decision");
        }
        let rule = decision.and_then(|node| self.rule(node, FaultCode::UnknownDecision));
        let limited = self.root.get("period");
        let prefix: &[u16] = if limited.is_some() { &[0] } else { &[] };
        let above = rule.unwrap_or(Rule::Deny);
        let children = self.children(self.root, Some(above), prefix, kept);
        let Some(node) = limited else { return Some((Some(rule?), children)) };
        let mut root = Provision::new(above);
        root.period = self.period(node);
        if let Some(period) = &root.period {
            Self::keep(kept, prefix, "period", values::period(period).as_deref(), node);
        }
        root.children = children;
        rule.map(|_| (None, Vec::from([root])))
    }
}
