//! Who the one who asks is, as consents name people: as a person, in a role, of an organisation, in
//! a care team, in a group.
//!
//! What the directory of our own store says is taken; what it could not be asked is unknown, and the
//! unknown never permits.

use std::collections::BTreeSet;

use proviso_core::consent::provision::{Identifier, Identities, Who, WhoKind};
use proviso_core::decision::record::{RecordedMode, RecordedRequest};
use proviso_core::id::AccountId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::consent::{ConsentDate, Zone};
use proviso_fhir::consent_r4::{ACCOUNT_SYSTEM, CLIENT_SYSTEM};
use proviso_fhir::json::Node;
use proviso_fhir::search::{Query, SearchScope};

use crate::App;
use crate::records::{Reading, Record, RecordFault, Records, WholeStore};
use crate::settings::RecordsAt;

/// LIMIT: entries of the directory looked at for one person and one type.
const ENTRIES_MAX: usize = 2_000;

/// What is read of the directory for a person, and how an entry names them.
const ENTRIES: [(ResourceType, &str); 3] = [
    (ResourceType::PRACTITIONER_ROLE, "practitioner"),
    (ResourceType::CARE_TEAM, "participant"),
    (ResourceType::GROUP, "member"),
];

/// Kinds that only the directory can tell of a person.
const BY_DIRECTORY: [WhoKind; 4] =
    [WhoKind::PractitionerRole, WhoKind::Organization, WhoKind::CareTeam, WhoKind::Group];

impl App {
    /// Everyone that the one who asks is known to be.
    pub(super) async fn identities_of(&self, request: &RecordedRequest) -> Identities {
        let mut who = Identities::default();
        // Nobody here knows what an address elsewhere, or a code for a person, stands for.
        who.unresolved.insert(WhoKind::Other);
        who.known.insert(identifier(CLIENT_SYSTEM, request.client.as_str()));
        if let Some(account) = &request.account {
            who.known.insert(identifier(ACCOUNT_SYSTEM, account.as_str()));
            if let Some((kind, id)) =
                self.live.account(account).and_then(|own| own.fhir_user.clone())
            {
                who.known.insert(Who::reference(format!("{kind}/{id}")));
            }
        }
        match request.mode {
            // The app that a person chose by name, for that person.
            RecordedMode::PatientDirected { .. } | RecordedMode::OwnRecord { .. } => {}
            RecordedMode::Operational { .. } | RecordedMode::Emergency { .. } => {
                self.add_staff(request, &mut who).await;
            }
            // For which organisation a service works, its registration does not say.
            RecordedMode::PreAuthorized => {
                who.unresolved.extend([WhoKind::Organization, WhoKind::Device, WhoKind::Group]);
                who.unresolved.insert(WhoKind::Identifier);
            }
        }
        who
    }

    async fn add_staff(&self, request: &RecordedRequest, who: &mut Identities) {
        who.known.extend(self.settings.filed.organization.clone());
        let of_directory = match &request.account {
            Some(account) => self.staff_by_directory(account, request.at).await,
            None => None,
        };
        if let Some(found) = of_directory {
            who.known.extend(found.known);
            who.unresolved.extend(found.unresolved);
        } else {
            who.unresolved.extend(BY_DIRECTORY);
            who.unresolved.insert(WhoKind::Identifier);
        }
    }

    /// What the directory says of a person; `None` when it cannot be asked.
    async fn staff_by_directory(&self, account: &AccountId, at: At) -> Option<Identities> {
        if let Some(known) = self.directory.get(account, at) {
            return Some(known);
        }
        if self.settings.records == RecordsAt::Upstream {
            return None;
        }
        let (kind, id) = self.live.account(account)?.fhir_user.clone()?;
        let records = self.records();
        let mut found = Identities::default();
        match records.read(kind, &id).await {
            Ok(Reading::Live(person)) => add_identifiers(person.doc.root(), &mut found),
            Ok(Reading::Deleted { .. } | Reading::Absent) => {}
            Err(_) => return None,
        }
        let person = format!("{kind}/{id}");
        for (entry, parameter) in ENTRIES {
            let entries = entries_naming(&records, entry, parameter, &person).await.ok()?;
            for record in entries {
                self.add_entry(&record, &person, at, &mut found);
            }
        }
        self.directory.put(account, at, found.clone());
        Some(found)
    }

    /// An entry of the directory that holds now makes the person what it is, and of its
    /// organisation.
    fn add_entry(&self, record: &Record, person: &str, at: At, found: &mut Identities) {
        let root = record.doc.root();
        let own = Who::reference(format!("{}/{}", record.resource_type, record.id));
        match holds(root, person, at, &self.settings.filed.zone) {
            Holds::Not => return,
            // It may make them what it says: neither a permit nor a deny can rely on it.
            Holds::Unclear => {
                found.unresolved.extend([own.kind(), WhoKind::Organization, WhoKind::Identifier]);
                return;
            }
            Holds::Now => {}
        }
        found.known.insert(own);
        add_identifiers(root, found);
        if record.resource_type == ResourceType::PRACTITIONER_ROLE
            && let Some(text) = root.string_at(&["organization", "reference"])
        {
            found.known.insert(Who::reference(text.into_owned()));
        }
    }
}

/// Whether an entry of the directory holds.
enum Holds {
    Now,
    Not,
    /// It does not say, or what it says cannot be read.
    Unclear,
}

fn holds(root: Node<'_>, person: &str, at: At, zone: &Zone) -> Holds {
    let inactive = root.get("active").is_some_and(|active| active.as_bool() == Some(false));
    let status = root.string_at(&["status"]);
    if inactive || is_former_member(root, person) {
        return Holds::Not;
    }
    match status.as_deref() {
        None | Some("active") => {}
        Some("inactive" | "entered-in-error" | "proposed") => return Holds::Not,
        Some(_) => return Holds::Unclear,
    }
    let mut unclear = false;
    let mut bound = |name: &str| {
        let text = root.string_at(&["period", name])?;
        let date = ConsentDate::parse(&text, zone);
        unclear |= date.is_none();
        date.map(|date| date.span())
    };
    let begun = bound("start").and_then(|span| span.start).is_none_or(|start| start <= at);
    // FHIR R4 Period: the end includes any time that it names.
    let going = bound("end").and_then(|span| span.end).is_none_or(|end| at < end);
    match (unclear, begun && going) {
        (_, false) => Holds::Not,
        (true, true) => Holds::Unclear,
        (false, true) => Holds::Now,
    }
}

fn identifier(system: &str, value: &str) -> Who {
    Who::Identifier(Identifier { system: system.to_owned(), value: value.to_owned() })
}

pub(crate) async fn entries_naming(
    records: &Records,
    kind: ResourceType,
    parameter: &str,
    person: &str,
) -> Result<Vec<Record>, RecordFault> {
    let raw = format!("{parameter}={person}");
    matching(records, kind, &[&raw]).await
}

/// Every record of a type that matches, whoever asks.
pub(crate) async fn matching(
    records: &Records,
    kind: ResourceType,
    parameters: &[&str],
) -> Result<Vec<Record>, RecordFault> {
    let query = Query::parse(&records.context(), SearchScope::Type(kind), parameters)?;
    let as_of = records.latest_seq().await?;
    records.matches(&query, as_of, ENTRIES_MAX, &WholeStore).await
}

/// Whether a Group says of this very person that they are no member any more.
fn is_former_member(root: Node<'_>, person: &str) -> bool {
    root.at(&["member"]).any(|member| {
        member.string_at(&["entity", "reference"]).as_deref() == Some(person)
            && member.get("inactive").is_some_and(|inactive| inactive.as_bool() == Some(true))
    })
}

fn add_identifiers(root: Node<'_>, found: &mut Identities) {
    let known: BTreeSet<Who> = root
        .at(&["identifier"])
        .filter_map(|own| {
            let system = own.string_at(&["system"])?;
            let value = own.string_at(&["value"])?;
            Some(identifier(&system, &value))
        })
        .collect();
    found.known.extend(known);
}
