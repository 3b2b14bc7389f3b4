//! Whether one attribute of a provision speaks of a request and a record: four-valued.
//!
//! Knows how each attribute is compared. Does not know what follows from a match: that is the
//! business of each dialect.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{
    ActorClause, ActorRole, Coding, Confidentiality, DataClause, DataMeaning, Fact, Identities,
    Label, LabelSet, Provision, Purpose, RecordFacts, RequestFacts, Rule, Sensitivity,
    SensitivitySet, Who, is_handling,
};
use crate::time::Period;

/// The code system of FHIR's consent actions.
pub const ACTION_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/consentaction";

const ACTION_CODES: [&str; 5] = ["collect", "access", "use", "disclose", "correct"];

/// Whether something applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Match {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// A fact that would tell is not known.
    Unknown,
    /// The provision names a code whose meaning is not known here.
    UnknownCode,
}

impl Match {
    /// From a plain comparison.
    pub const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    /// Both must apply.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::UnknownCode, _) | (_, Self::UnknownCode) => Self::UnknownCode,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// One is enough.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::UnknownCode, _) | (_, Self::UnknownCode) => Self::UnknownCode,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::No, Self::No) => Self::No,
        }
    }
}

/// The attributes of a provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// When access takes place.
    Period,
    /// Clinical time.
    DataPeriod,
    /// Who.
    Actor,
    /// What is done.
    Action,
    /// Security labels.
    Label,
    /// Why.
    Purpose,
    /// Class of content.
    Class,
    /// Codes in the content.
    Code,
    /// Records by name.
    Data,
    /// Where the recipient is.
    Location,
}

/// The points in which dialects compare attributes differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reading {
    /// Whether a permit of a sensitivity code reaches the codes under it.
    pub permits_reach: PermitReach,
    /// What `related` means.
    pub related: RelatedMeaning,
}

/// Whether a permit of a sensitivity code reaches the codes under it. A deny always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PermitReach {
    /// The code and those under it.
    Tree,
    /// The code alone.
    Exact,
}

/// What `related` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RelatedMeaning {
    /// The record and those it refers to (HL7 `consent-data-meaning`).
    RefersFrom,
    /// The record and those that refer to it (IHE PCF: what belongs to the encounter).
    RefersTo,
}

impl Reading {
    /// HL7's own.
    pub const HL7: Self =
        Self { permits_reach: PermitReach::Tree, related: RelatedMeaning::RefersFrom };
    /// IHE PCF.
    pub const PCF: Self =
        Self { permits_reach: PermitReach::Tree, related: RelatedMeaning::RefersTo };
    /// Joint rule.
    pub const JOINT: Self =
        Self { permits_reach: PermitReach::Exact, related: RelatedMeaning::RefersFrom };
}

/// Whether a provision can be read at all, apart from unknown codes.
///
/// A period that ends before or when it starts contains no instant; nobody can have meant that, so
/// it is not read as "never" but as unreadable.
pub(super) fn is_readable(provision: &Provision) -> bool {
    let sound = |period: &Option<Period>| {
        period.is_none_or(|period| match (period.start, period.end) {
            (Some(start), Some(end)) => start < end,
            (None, _) | (_, None) => true,
        })
    };
    provision.unreadable.is_empty() && sound(&provision.period) && sound(&provision.data_period)
}

/// Every attribute that the provision states, with whether it applies.
pub(super) fn attributes(
    provision: &Provision,
    request: &RequestFacts,
    record: &RecordFacts,
    reading: Reading,
) -> Vec<(Attribute, Match)> {
    let mut found = Vec::new();
    if let Some(period) = &provision.period {
        found.push((Attribute::Period, Match::of(period.contains(request.at))));
    }
    if let Some(period) = &provision.data_period {
        found.push((Attribute::DataPeriod, clinical(period, &record.clinical)));
    }
    let mut any = |attribute, matches: &mut dyn Iterator<Item = Match>| {
        if let Some(matched) = matches.reduce(Match::or) {
            found.push((attribute, matched));
        }
    };
    any(Attribute::Actor, &mut actors(provision, request, record).into_iter());
    any(Attribute::Action, &mut provision.actions.iter().map(|it| action(it, request)));
    any(
        Attribute::Label,
        &mut provision
            .labels
            .iter()
            .map(|it| label(it, provision.rule, request, &record.labels, reading)),
    );
    any(Attribute::Purpose, &mut provision.purposes.iter().map(|it| purpose(it, request)));
    any(Attribute::Class, &mut provision.classes.iter().map(|it| found_in(it, &record.classes)));
    any(Attribute::Code, &mut provision.codes.iter().map(|it| found_in(it, &record.codes)));
    any(Attribute::Data, &mut provision.data.iter().map(|it| data(it, record, reading)));
    any(
        Attribute::Location,
        &mut provision.locations.iter().map(|it| named_in(it, &request.locations)),
    );
    found
}

/// What a provision asks of the request, actors apart.
pub(super) fn asked(provision: &Provision, request: &RequestFacts) -> Match {
    let any = |matches: &mut dyn Iterator<Item = Match>| matches.reduce(Match::or);
    [
        provision.period.map(|period| Match::of(period.contains(request.at))),
        any(&mut provision.actions.iter().map(|it| action(it, request))),
        any(&mut provision.purposes.iter().map(|it| purpose(it, request))),
        any(&mut provision.locations.iter().map(|it| named_in(it, &request.locations))),
    ]
    .into_iter()
    .flatten()
    .fold(Match::Yes, Match::and)
}

/// What a provision asks of actors in the request's roles: `(asked, may_match)`.
///
/// A permit requires each role, so the request's roles are settled by themselves. A deny is content
/// with any, so where clauses about a record's roles are left, what the request gave is one more
/// alternative to them; `asked` is then yes, and `may_match` that alternative.
pub(super) fn actors_by_request(provision: &Provision, request: &RequestFacts) -> (Match, Match) {
    let nobody = &RecordFacts::UNKNOWN;
    let by_request = |clause: &&ActorClause| !is_about_record(&clause.role);
    let settled = || provision.actors.iter().filter(by_request);
    let left = provision.actors.iter().any(|clause| is_about_record(&clause.role));
    let one = |clause: &ActorClause| actor(clause, request, nobody);
    match provision.rule {
        Rule::Permit => {
            let asked = settled()
                .map(|clause| {
                    let same_role = settled().filter(|it| it.role == clause.role);
                    same_role.map(one).fold(Match::No, Match::or)
                })
                .fold(Match::Yes, Match::and);
            (asked, Match::No)
        }
        Rule::Deny => match (settled().map(one).reduce(Match::or), left) {
            (None, _) => (Match::Yes, Match::No),
            (Some(asked), false) => (asked, Match::No),
            (Some(asked), true) => (Match::Yes, asked),
        },
    }
}

/// Whether a role is held with respect to a record, and not to a request.
pub(super) const fn is_about_record(role: &ActorRole) -> bool {
    matches!(role, ActorRole::Custodian | ActorRole::Author)
}

/// Clinical time: inside, outside, or, when it is absent or overlaps a bound, unknown.
pub(super) fn clinical(period: &Period, clinical: &Fact<Period>) -> Match {
    let Fact::Known(clinical) = clinical else { return Match::Unknown };
    let empty = matches!((clinical.start, clinical.end), (Some(start), Some(end)) if start >= end);
    if empty {
        return Match::Unknown;
    }
    if period.covers(clinical) {
        return Match::Yes;
    }
    let before = matches!((clinical.end, period.start), (Some(end), Some(start)) if end <= start);
    let after = matches!((period.end, clinical.start), (Some(end), Some(start)) if end <= start);
    if before || after { Match::No } else { Match::Unknown }
}

/// Whether someone is the one named.
pub(super) fn is_one_of(who: &Who, identities: &Identities) -> Match {
    if identities.known.contains(who) {
        Match::Yes
    } else if identities.unresolved.contains(&who.kind()) {
        Match::Unknown
    } else {
        Match::No
    }
}

/// Whether the actors are the ones named.
///
/// Values of one role are alternatives. FHIR does not say what several roles mean together, and its
/// own example names a custodian and a recipient in one permit; read as alternatives, that would
/// open the custodian's records to everyone. So a permit requires each role that it names, and a
/// deny is content with any.
fn actors(provision: &Provision, request: &RequestFacts, record: &RecordFacts) -> Option<Match> {
    let one = |clause: &ActorClause| actor(clause, request, record);
    match provision.rule {
        Rule::Deny => provision.actors.iter().map(one).reduce(Match::or),
        Rule::Permit => provision
            .actors
            .iter()
            .map(|clause| {
                let same_role = provision.actors.iter().filter(|it| it.role == clause.role);
                same_role.map(one).fold(Match::No, Match::or)
            })
            .reduce(Match::and),
    }
}

fn actor(clause: &ActorClause, request: &RequestFacts, record: &RecordFacts) -> Match {
    let party = match &clause.role {
        ActorRole::Recipient => Some(&request.asker),
        ActorRole::Custodian => record.custodian.known(),
        ActorRole::Author => record.authors.known(),
        ActorRole::Other(_) => request
            .others
            .iter()
            .find(|(role, _)| *role == clause.role)
            .map(|(_, identities)| identities),
    };
    let Some(party) = party else { return Match::Unknown };
    match &clause.who {
        Some(who) => is_one_of(who, party),
        // Anyone in the role.
        None if clause.role == ActorRole::Recipient || !party.known.is_empty() => Match::Yes,
        None if party.unresolved.is_empty() => Match::No,
        None => Match::Unknown,
    }
}

fn understood(coding: &Coding, request: &RequestFacts) -> bool {
    request.understood.contains(&coding.system)
}

fn action(named: &Coding, request: &RequestFacts) -> Match {
    let is_known = |coding: &Coding| {
        understood(coding, request)
            || (coding.system == ACTION_SYSTEM && ACTION_CODES.contains(&coding.code.as_str()))
    };
    match &request.action {
        Fact::Known(asked) if asked == named => Match::Yes,
        Fact::Known(_) | Fact::Unknown if !is_known(named) => Match::UnknownCode,
        Fact::Known(asked) if is_known(asked) => Match::No,
        Fact::Known(_) | Fact::Unknown => Match::Unknown,
    }
}

fn purpose(named: &Purpose, request: &RequestFacts) -> Match {
    let is_known = |purpose: &Purpose| match purpose {
        Purpose::Hl7(_) => true,
        Purpose::Foreign(coding) => understood(coding, request),
    };
    match (named, &request.purpose) {
        (Purpose::Hl7(named), Fact::Known(Purpose::Hl7(asked))) => Match::of(named.reaches(*asked)),
        (_, Fact::Known(asked)) if named == asked => Match::Yes,
        (_, Fact::Known(_) | Fact::Unknown) if !is_known(named) => Match::UnknownCode,
        (_, Fact::Known(asked)) if is_known(asked) => Match::No,
        (_, Fact::Known(_) | Fact::Unknown) => Match::Unknown,
    }
}

/// The codes that a deny of this one reaches for certain.
///
/// HL7's tree keeps substance abuse (`ETH`) apart from substance use disorder (`SUD`), while IHE
/// PCF lists the disorders under `ETH`. A patient who denies one of the two denies both.
pub(super) fn deny_reach(code: Sensitivity) -> SensitivitySet {
    let below = SensitivitySet::at_or_below(code);
    if code == Sensitivity::SubstanceAbuse {
        below.union(SensitivitySet::at_or_below(Sensitivity::SubstanceUse))
    } else if code == Sensitivity::SubstanceUse {
        below.with(Sensitivity::SubstanceAbuse)
    } else {
        below
    }
}

/// The codes that a deny of this one may reach: a record that is only known to be specially
/// protected may be about what is denied.
pub(super) fn deny_may_reach(code: Sensitivity) -> SensitivitySet {
    let above = SensitivitySet::above(code);
    if code.is_a(Sensitivity::SubstanceUse) {
        above.with(Sensitivity::SubstanceAbuse)
    } else {
        above
    }
}

/// The codes that a permit of this one reaches.
pub(super) fn permit_reach(code: Sensitivity, reach: PermitReach) -> SensitivitySet {
    match reach {
        PermitReach::Tree => SensitivitySet::at_or_below(code),
        PermitReach::Exact => SensitivitySet::EMPTY.with(code),
    }
}

fn label(
    named: &Label,
    rule: Rule,
    request: &RequestFacts,
    labels: &Fact<LabelSet>,
    reading: Reading,
) -> Match {
    let Fact::Known(labels) = labels else {
        // Every record is at most V and at least U, whatever its labels will be.
        let certain = match (rule, named) {
            (Rule::Permit, Label::Confidentiality(level)) => {
                *level == Confidentiality::VeryRestricted
            }
            (Rule::Deny, Label::Confidentiality(level)) => *level == Confidentiality::Unrestricted,
            (_, Label::Sensitivity(_) | Label::Foreign(_)) => false,
        };
        return if certain { Match::Yes } else { Match::Unknown };
    };
    match (named, rule) {
        (Label::Confidentiality(level), Rule::Permit) => {
            Match::of(labels.effective_confidentiality() <= *level)
        }
        (Label::Confidentiality(level), Rule::Deny) => {
            Match::of(labels.effective_confidentiality() >= *level)
        }
        (Label::Sensitivity(code), Rule::Permit) => {
            let reach = permit_reach(*code, reading.permits_reach);
            Match::of(!labels.sensitivity.is_disjoint_from(reach))
        }
        (Label::Sensitivity(code), Rule::Deny) => {
            if !labels.sensitivity.is_disjoint_from(deny_reach(*code)) {
                Match::Yes
            } else if !labels.sensitivity.is_disjoint_from(deny_may_reach(*code)) {
                Match::Unknown
            } else {
                Match::No
            }
        }
        (Label::Foreign(coding), Rule::Permit | Rule::Deny) => {
            if labels.foreign.contains(coding) {
                Match::Yes
            } else if is_handling(coding) || understood(coding, request) {
                Match::No
            } else {
                Match::UnknownCode
            }
        }
    }
}

fn found_in(named: &Coding, content: &Fact<BTreeSet<Coding>>) -> Match {
    content.known().map_or(Match::Unknown, |content| Match::of(content.contains(named)))
}

/// A logical reference may name a record that is listed by its literal one.
fn named_in(named: &Who, records: &Fact<BTreeSet<Who>>) -> Match {
    match records {
        Fact::Known(records) if records.contains(named) => Match::Yes,
        Fact::Known(_) if matches!(named, Who::Reference(_)) => Match::No,
        Fact::Known(_) | Fact::Unknown => Match::Unknown,
    }
}

fn data(clause: &DataClause, record: &RecordFacts, reading: Reading) -> Match {
    let named = &clause.reference;
    let itself = match &record.instance {
        Fact::Known(instance) if instance == named => Match::Yes,
        Fact::Known(_) if matches!(named, Who::Reference(_)) => Match::No,
        Fact::Known(_) | Fact::Unknown => Match::Unknown,
    };
    match (clause.meaning, reading.related) {
        (DataMeaning::Instance, _) => itself,
        (DataMeaning::Related, RelatedMeaning::RefersFrom) => {
            itself.or(named_in(named, &record.referred_by))
        }
        (DataMeaning::Related, RelatedMeaning::RefersTo) | (DataMeaning::Dependents, _) => {
            itself.or(named_in(named, &record.refers_to))
        }
        (DataMeaning::AuthoredBy, _) => {
            record.authors.known().map_or(Match::Unknown, |authors| is_one_of(named, authors))
        }
    }
}
