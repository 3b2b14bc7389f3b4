//! `/portal/apps/{consent}` and `/portal/people/{consent}`: one sharing choice with its history, and
//! the receipt of each version, to print and to keep.
//!
//! What somebody who acts for the patient may not know is not here to be shown: versions come through
//! [`proviso_core::consent::Timeline::seen_by`].

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use proviso_app::receipt::{IssuedReceipt, ReceiptError};
use proviso_core::category::SensitiveSet;
use proviso_core::consent::{
    Change, ConsentStatus, ConsentVersion, OfflineAccess, SeenVersion, Standing, Timeline,
};
use proviso_core::time::At;

use super::PatientVisit;
use super::apps::{Connection, Party, losing_of, named};
use super::person::Person;
use super::who::Losing;
use crate::authorize::failed;
use crate::frame::{Fact, FormTargets, Frame, Visit, page};
use crate::problem::Problem;
use crate::state::HttpState;
use crate::text::Texts;

/// One version in the history, newest first.
#[derive(Debug)]
pub(crate) struct VersionView {
    heading: String,
    moment: String,
    instant: String,
    happened: String,
    changes: Vec<String>,
    facts: Vec<Fact>,
    receipt: String,
    receipt_label: String,
}

#[derive(Debug, Template)]
#[template(path = "choice.html")]
pub(crate) struct ChoicePage {
    frame: Frame,
    acting: Option<String>,
    name: String,
    status: String,
    facts: Vec<Fact>,
    stop: Option<String>,
    losing: Option<Losing>,
    versions: Vec<VersionView>,
    back: String,
    back_label: String,
}

impl ChoicePage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        connection: &Connection,
        (line, losing): (&Timeline, Option<Losing>),
        reader: proviso_core::consent::Capacity,
        at: At,
    ) -> Self {
        let t = visit.texts();
        let party = connection.party;
        let own = format!("{}/{}", party.page(), connection.consent.consent);
        let app = connection.app_name.as_str();
        let version = |seen: &SeenVersion<'_>| {
            let known = seen.partial();
            let place = seen.place.to_string();
            VersionView {
                heading: t.with("choice-version", &[("number", &place)]),
                moment: t.moment(known.recorded_at),
                instant: known.recorded_at.to_rfc3339(),
                happened: happened(t, &known, seen.place, app),
                changes: seen
                    .changes
                    .iter()
                    .filter_map(|change| change_text(t, change, &known))
                    .collect(),
                facts: version_facts(t, &known, seen.sensitive, party),
                receipt: person.address(&format!("{own}/receipts/{place}")),
                receipt_label: t.with("choice-receipt", &[("number", &place)]),
            }
        };
        Self {
            frame: visit.frame(t.with("choice-title", &[("app", app)]), party.section()),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            name: connection.app_name.clone(),
            status: connection.status(t, at),
            facts: connection.facts(t, at),
            stop: connection.can_be_stopped(at).then(|| person.address(&format!("{own}/stop"))),
            losing,
            versions: line.seen_by(reader).iter().rev().map(version).collect(),
            back: person.address(party.page()),
            back_label: t.say(party.back_key()),
        }
    }
}

/// What a version did, in one sentence.
fn happened(t: Texts, version: &ConsentVersion, place: u32, app: &str) -> String {
    let key = match (version.status, version.standing(version.recorded_at)) {
        (ConsentStatus::Active, _) if place == 1 => "choice-began",
        (ConsentStatus::Active, _) => "choice-changed",
        (ConsentStatus::Inactive, Standing::Revoked) => "choice-stopped",
        (ConsentStatus::Inactive, Standing::InForce | Standing::NotInForce) => "choice-expired",
        (ConsentStatus::EnteredInError, _) => "choice-mistake",
        (ConsentStatus::Draft | ConsentStatus::Proposed | ConsentStatus::Rejected, _) => {
            "choice-not-given"
        }
    };
    t.with(key, &[("app", app)])
}

/// A change in plain words; `None` for what the sentence of the version says already, and for what
/// is of no use to a reader.
fn change_text(t: Texts, change: &Change, version: &ConsentVersion) -> Option<String> {
    let categories = |set: &proviso_core::category::CategorySet| {
        t.list(&set.iter().map(|it| t.category(it)).collect::<Vec<_>>())
    };
    let kinds =
        |set: &SensitiveSet| t.list(&set.iter().map(|it| t.sensitive(it)).collect::<Vec<_>>());
    let purposes = |set: &proviso_core::category::PurposeSet| {
        t.list(&set.iter().map(|it| t.purpose(it)).collect::<Vec<_>>())
    };
    let with = |key: &str, what: &str| Some(t.with(key, &[("what", what)]));
    match change {
        Change::CategoriesAdded(set) => with("choice-change-more", &categories(set)),
        Change::CategoriesRemoved(set) => with("choice-change-less", &categories(set)),
        Change::SensitiveAdded(set) => with("choice-change-sensitive-more", &kinds(set)),
        Change::SensitiveRemoved(set) => with("choice-change-sensitive-less", &kinds(set)),
        Change::PurposesAdded(set) => with("choice-change-purpose-more", &purposes(set)),
        Change::PurposesRemoved(set) => with("choice-change-purpose-less", &purposes(set)),
        Change::Period => with("choice-change-period", &until(t, version)),
        Change::DataPeriod => Some(t.say("choice-change-data-period")),
        Change::Offline => Some(t.say(match version.offline {
            OfflineAccess::Allowed => "choice-change-offline-yes",
            OfflineAccess::Refused => "choice-change-offline-no",
        })),
        Change::Giver => Some(t.say("choice-change-giver")),
        Change::Wording => Some(t.say("choice-change-wording")),
        Change::Status | Change::Scopes | Change::Recipient => None,
    }
}

fn until(t: Texts, version: &ConsentVersion) -> String {
    version.period.end.map_or_else(|| t.say("apps-until-stopped"), |end| t.moment(end))
}

/// What a version shares, as far as the reader may know.
fn version_facts(
    t: Texts,
    version: &ConsentVersion,
    sensitive: Option<SensitiveSet>,
    party: Party,
) -> Vec<Fact> {
    let kinds: Vec<String> = version.categories.iter().map(|c| t.category(c)).collect();
    let purposes: Vec<String> = version.purposes.iter().map(|p| t.purpose(p)).collect();
    let sensitive = match sensitive {
        None => t.say("apps-sensitive-private"),
        Some(SensitiveSet::EMPTY) => t.say("apps-sensitive-none"),
        Some(kinds) => t.list(&kinds.iter().map(|kind| t.sensitive(kind)).collect::<Vec<_>>()),
    };
    let mut facts = vec![
        Fact::new(t.say("choice-shares"), t.list(&kinds)),
        Fact::new(t.say("apps-sensitive"), sensitive),
        Fact::new(t.say("apps-purpose"), t.list(&purposes)),
        Fact::new(t.say("apps-until"), until(t, version)),
    ];
    if party == Party::App {
        let offline = match version.offline {
            OfflineAccess::Allowed => t.say("apps-offline-yes"),
            OfflineAccess::Refused => t.say("apps-offline-no"),
        };
        facts.push(Fact::new(t.say("apps-offline"), offline));
    }
    facts
}

/// A receipt as a page that can be printed.
#[derive(Debug, Template)]
#[template(path = "receipt.html")]
pub(crate) struct ReceiptPage {
    frame: Frame,
    acting: Option<String>,
    lead: String,
    facts: Vec<Fact>,
    standing: String,
    /// The exact text that was shown, line by line.
    text: Vec<String>,
    partial: Option<String>,
    /// Names and hashes by which others can check it.
    proof: Vec<Fact>,
    file: String,
    back: String,
}

impl ReceiptPage {
    pub(crate) fn new(
        visit: &Visit,
        person: &Person,
        connection: &Connection,
        issued: &IssuedReceipt,
        place: u32,
    ) -> Self {
        let t = visit.texts();
        let app = connection.app_name.as_str();
        let number = place.to_string();
        let own = format!("{}/{}", connection.party.page(), connection.consent.consent);
        let version = &issued.version;
        let mut facts = vec![
            Fact::new(t.say("receipt-whose"), party_name(issued, "pii_principal")),
            Fact::new(t.say("receipt-from"), party_name(issued, "pii_controller")),
            Fact::new(t.say("receipt-to"), party_name(issued, "recipient")),
            Fact::new(t.say("apps-given-by"), giver(issued)),
            Fact::new(t.say("receipt-recorded"), t.moment(version.recorded_at)),
        ];
        facts.extend(version_facts(t, version, issued.sensitive, connection.party));
        let at = At::from_secs(issued.receipt.iat);
        let standing = match (issued.receipt.at_issue.in_force, issued.is_newest()) {
            (true, true) => "receipt-now",
            (true, false) => "receipt-now-other",
            (false, _) => "receipt-ended",
        };
        Self {
            frame: visit.frame(
                t.with("receipt-title", &[("app", app), ("number", &number)]),
                connection.party.section(),
            ),
            acting: person.acting_for().map(|whom| t.with("home-acting", &[("name", whom)])),
            lead: happened(t, version, place, app),
            facts,
            standing: t.with(standing, &[("at", &t.moment(at))]),
            text: match &issued.receipt.version {
                Some(version) => version.shown_text.lines().map(str::to_owned).collect(),
                None => Vec::new(),
            },
            partial: issued.receipt.version.is_none().then(|| t.say("receipt-partial")),
            proof: proof(t, issued),
            file: person.address(&format!("{own}/receipts/{number}/file")),
            back: person.address(&own),
        }
    }
}

fn party_name(issued: &IssuedReceipt, role: &str) -> String {
    let parties = &issued.receipt.party_identification;
    let party = parties.iter().find(|party| party.party_role == role);
    party.map_or_else(String::new, |party| party.party_name.clone())
}

fn giver(issued: &IssuedReceipt) -> String {
    let name = party_name(issued, "giver");
    if name.is_empty() { party_name(issued, "pii_principal") } else { name }
}

fn proof(t: Texts, issued: &IssuedReceipt) -> Vec<Fact> {
    let receipt = &issued.receipt;
    let mut facts = vec![Fact::new(t.say("receipt-id"), receipt.receipt_id.as_str())];
    if let Some(id) = &receipt.version_id {
        facts.push(Fact::new(t.say("receipt-version-id"), id.as_str()));
    }
    let hash = receipt.pii_processing.notice_hash.as_str();
    facts.push(Fact::new(t.say("receipt-text-hash"), hash));
    facts.push(Fact::new(t.say("receipt-key"), issued.file.key.jwk.thumbprint()));
    facts.push(Fact::new(t.say("receipt-log-key"), receipt.log_key.as_str()));
    if let Some(log) = &issued.file.log {
        facts.push(Fact::new(t.say("receipt-log-place"), log.index.to_string()));
    }
    facts
}

async fn show(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
) -> Result<Response, Response> {
    let visit = patient_visit.visit();
    let connection = named(state, patient_visit, party, id).await?;
    patient_visit.log(state, "choice").await?;
    let line = state
        .app
        .consent_timeline(&connection.consent.consent)
        .await
        .map_err(|error| failed(visit, &error))?
        .ok_or_else(|| Problem::NotFound.page(visit))?;
    let at = state.app.now();
    let reader = patient_visit.capacity();
    let losing = losing_of(state, patient_visit, &connection, "choice", at).await;
    let person = &patient_visit.person;
    let view = ChoicePage::new(visit, person, &connection, (&line, losing), reader, at);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// The receipt that an address names, once the look at it is in the log.
async fn issue(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
    place: &str,
) -> Result<(Connection, IssuedReceipt, u32), Response> {
    let visit = patient_visit.visit();
    let connection = named(state, patient_visit, party, id).await?;
    let place: u32 = place.parse().map_err(|_| Problem::NotFound.page(visit))?;
    patient_visit.log(state, "receipt").await?;
    let consent = &connection.consent.consent;
    let issued = state.app.receipt(consent, place, patient_visit.capacity()).await;
    match issued {
        Ok(issued) => Ok((connection, issued, place)),
        Err(ReceiptError::NotFound) => Err(Problem::NotFound.page(visit)),
        Err(error @ (ReceiptError::History(_) | ReceiptError::Failure(_))) => {
            Err(failed(visit, &error))
        }
    }
}

async fn receipt(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
    place: &str,
) -> Result<Response, Response> {
    let (connection, issued, place) = issue(state, patient_visit, party, id, place).await?;
    let PatientVisit { person, .. } = patient_visit;
    let view = ReceiptPage::new(patient_visit.visit(), person, &connection, &issued, place);
    Ok(page(StatusCode::OK, &view, &FormTargets::Own))
}

/// The file to keep: what `proviso verify-receipt` reads.
async fn file(
    state: &HttpState,
    patient_visit: &PatientVisit,
    party: Party,
    id: &str,
    place: &str,
) -> Result<Response, Response> {
    let (connection, issued, place) = issue(state, patient_visit, party, id, place).await?;
    let visit = patient_visit.visit();
    let text = issued.file.to_text().map_err(|error| failed(visit, &error))?;
    let name = format!("receipt-{}-{place}.json", connection.consent.consent);
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .map_err(|error| failed(visit, &error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Ok((headers, text).into_response())
}

/// `GET /portal/apps/{consent}`
pub(crate) async fn show_app(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    show(&state, &patient_visit, Party::App, &id).await
}

/// `GET /portal/people/{consent}`
pub(crate) async fn show_person(
    State(state): State<HttpState>,
    Path(id): Path<String>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    show(&state, &patient_visit, Party::Person, &id).await
}

/// `GET /portal/apps/{consent}/receipts/{version}`
pub(crate) async fn receipt_app(
    State(state): State<HttpState>,
    Path((id, place)): Path<(String, String)>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    receipt(&state, &patient_visit, Party::App, &id, &place).await
}

/// `GET /portal/people/{consent}/receipts/{version}`
pub(crate) async fn receipt_person(
    State(state): State<HttpState>,
    Path((id, place)): Path<(String, String)>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    receipt(&state, &patient_visit, Party::Person, &id, &place).await
}

/// `GET /portal/apps/{consent}/receipts/{version}/file`
pub(crate) async fn file_app(
    State(state): State<HttpState>,
    Path((id, place)): Path<(String, String)>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    file(&state, &patient_visit, Party::App, &id, &place).await
}

/// `GET /portal/people/{consent}/receipts/{version}/file`
pub(crate) async fn file_person(
    State(state): State<HttpState>,
    Path((id, place)): Path<(String, String)>,
    patient_visit: PatientVisit,
) -> Result<Response, Response> {
    file(&state, &patient_visit, Party::Person, &id, &place).await
}
