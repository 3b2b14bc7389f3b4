//! Starting an app from inside the EHR (SMART App Launch 2.2 "EHR launch").

use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::id::{ClientId, EmergencyId, PatientId, ResourceId};
use proviso_oauth::params;
use proviso_oauth::record::{
    Client, ClientStatus, GrantType, LaunchContext, LaunchTicket, TokenHash,
};
use proviso_oauth::redirect;
use proviso_store::{Batch, Op};

use crate::App;
use crate::failure::Failure;
use crate::session::SignedIn;
use crate::via::Via;

/// A launch waits this long for its app.
const TICKET_TTL_SECS: i64 = 300;

/// What to start, and for whom.
#[derive(Debug, Clone)]
pub struct LaunchOrder {
    /// Which app.
    pub client: ClientId,
    /// Which of its registered launch URIs.
    pub launch_uri: String,
    /// Which patient.
    pub patient: Option<PatientId>,
    /// Which visit.
    pub encounter: Option<ResourceId>,
    /// What the person wants to do.
    pub intent: Option<String>,
    /// The emergency that they declared for the patient, when the app is started under it.
    pub emergency: Option<EmergencyId>,
}

/// Why an app is not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LaunchRefusal {
    /// No such app, it is switched off, or the URI is not one that it registered (A18).
    #[error("the app cannot be started here")]
    App,
    /// The patient is not one whom this person may open.
    #[error("the patient is not one of yours")]
    Patient,
    /// The visit is another patient's, hidden from this person, or not there: which of them is not
    /// told.
    #[error("the visit is not one of this patient's that you may open")]
    Visit,
}

impl App {
    /// The apps that can be started from here.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn launchable_clients(&self) -> Result<Vec<Client>, Failure> {
        let clients = self.store.clients().await?;
        Ok(clients
            .into_iter()
            .filter(|client| {
                // What registered itself is not put in front of staff: anybody may take any name.
                client.status == ClientStatus::Active
                    && !client.registered_itself()
                    && client.may_use(GrantType::AuthorizationCode)
                    && !client.launch_uris.is_empty()
            })
            .collect())
    }

    /// The apps that are put in front of staff: those that can be started from here and whose
    /// access is for the work of staff. An app of patients asks the patient, wherever it is
    /// started, so offering it to a clinician would lead them nowhere.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn clients_offered_to_staff(&self) -> Result<Vec<Client>, Failure> {
        let mut clients = self.launchable_clients().await?;
        clients.retain(|client| {
            !matches!(client.purpose, PurposeOfUse::PatientRequest | PurposeOfUse::Family)
        });
        Ok(clients)
    }

    /// Makes a launch and the URL that starts the app with it.
    ///
    /// # Errors
    /// When something inside fails.
    pub async fn start_launch(
        &self,
        person: &SignedIn,
        order: LaunchOrder,
        via: &Via,
    ) -> Result<Result<String, LaunchRefusal>, Failure> {
        let clients = self.launchable_clients().await?;
        let registered = clients.iter().any(|client| {
            client.id == order.client && client.launch_uris.contains(&order.launch_uri)
        });
        if !registered {
            return Ok(Err(LaunchRefusal::App));
        }
        self.renew_relations(&person.account.id, self.now()).await;
        let context = LaunchContext {
            patient: order.patient.clone(),
            encounter: order.encounter,
            fhir_context: Vec::new(),
            intent: order.intent,
            // The launch page opens the app in a window of its own, without our header.
            need_patient_banner: Some(true),
            emergency: order.emergency,
        };
        if !self.context_stands(&person.account, &context) {
            return Ok(Err(LaunchRefusal::Patient));
        }
        if !self.visit_stands(person, &context, via).await? {
            return Ok(Err(LaunchRefusal::Visit));
        }
        let at = self.now();
        let launch = self.new_secret()?;
        let ticket = LaunchTicket {
            hash: TokenHash::of(launch.expose()),
            client: order.client.clone(),
            account: person.account.id.clone(),
            context,
            created_at: at,
            expires_at: at.plus_secs(TICKET_TTL_SECS),
            consumed_at: None,
        };
        let mut entry =
            self.draft_entry(via, AuditKind::Authorization, AuditOutcome::Success, "launch")?;
        entry.client = Some(order.client);
        entry.account = Some(person.account.id.clone());
        entry.session = Some(person.session.id.clone());
        entry.patients = order.patient.into_iter().collect();
        entry.emergency = ticket.context.emergency.clone();
        self.commit(Batch::new().with(Op::PutLaunchTicket(ticket)), entry).await?;
        let mut query = String::new();
        params::append(&mut query, "iss", self.urls().fhir_base().as_bytes());
        params::append(&mut query, "launch", launch.expose().as_bytes());
        Ok(Ok(redirect::with_query(&order.launch_uri, &query)))
    }
}
