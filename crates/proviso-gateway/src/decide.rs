//! Third verb: may this be asked at all, and may what is written be written.
//!
//! What a resource that is not here yet looks like is judged later, one by one, in `filter`; what
//! would be written is here already and is judged now. Only this module makes a [`Permitted`].

use proviso_app::access::Planned;
use proviso_app::caller::Caller;
use proviso_app::evaluation::{Asker, EvaluationError};
use proviso_app::simulate::Viewer;
use proviso_core::decision::{Decision, Way};
use proviso_core::id::PatientId;
use proviso_core::interaction::Interaction;
use proviso_core::reason::ReasonCode;
use proviso_core::resource_type::ResourceType;
use proviso_core::scope::{Permissions, ResourceScope, ScopeSyntax};
use proviso_core::time::At;
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::{Doc, write};

use crate::classify::{Asked, Classified, Conditions, Together, Which};
use crate::forward::refuse_filing;
use crate::gateway::Gateway;
use crate::kept::Kept;
use crate::problem::{Problem, Refusal};
use crate::stop::Stopped;
use crate::subscriptions::{self, SubscriptionAsk};
use crate::trail::Trail;
use crate::upstream::files::Files;
use crate::view::View;

/// A request that may be carried out, within a view.
#[derive(Debug)]
pub struct Permitted {
    parts: Parts,
    asked: Asked,
    permit: Permit,
}

/// The parts of a permitted request.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) caller: Caller,
    pub(crate) view: View,
    pub(crate) trail: Trail,
    pub(crate) interaction: Interaction,
    pub(crate) resource_type: ResourceType,
    pub(crate) conditions: Conditions,
    /// What is known of the request by its own key.
    pub(crate) kept: Kept,
    /// What is to be said about a change beside that it was made.
    pub(crate) warnings: Vec<String>,
    /// The records that name files, as far as they were looked for.
    pub(crate) files: Files,
}

/// Proof that a decision was made; an upstream does nothing without one.
#[derive(Debug)]
pub struct Permit(());

impl Permitted {
    pub(crate) fn into_parts(self) -> (Parts, Asked, Permit) {
        (self.parts, self.asked, self.permit)
    }
}

/// Types that only this server writes: whoever could write an AuditEvent could forge the past (leaks
/// 105, 106). A Consent is filed with the registry, which never lets it widen anything.
const SERVER_OWNED: &[ResourceType] = &[
    ResourceType::CONSENT,
    ResourceType::AUDIT_EVENT,
    ResourceType::PROVENANCE,
    ResourceType::SUBSCRIPTION,
    ResourceType::SEARCH_PARAMETER,
    ResourceType::STRUCTURE_DEFINITION,
    ResourceType::CAPABILITY_STATEMENT,
    ResourceType::OPERATION_DEFINITION,
    ResourceType::COMPARTMENT_DEFINITION,
];

/// Whether nobody but this server writes resources of a type.
pub(crate) fn is_server_owned(resource_type: ResourceType) -> bool {
    SERVER_OWNED.contains(&resource_type)
}

/// The entries of a transaction, each of which may be carried out: changes, which happen together,
/// and reads, which look at what is there afterwards (FHIR R4 http.html#trules).
#[derive(Debug)]
pub struct PermittedTogether {
    changes: Vec<(usize, Permitted)>,
    reads: Vec<(usize, Permitted)>,
    doc: Doc,
    bundle: Trail,
    kept: Kept,
}

/// The parts of a permitted transaction.
#[derive(Debug)]
pub(crate) struct TogetherParts {
    /// By their position in the Bundle.
    pub(crate) changes: Vec<(usize, Permitted)>,
    pub(crate) reads: Vec<(usize, Permitted)>,
    pub(crate) doc: Doc,
    pub(crate) bundle: Trail,
    pub(crate) kept: Kept,
}

impl PermittedTogether {
    pub(crate) fn into_parts(self) -> TogetherParts {
        let Self { changes, reads, doc, bundle, kept } = self;
        TogetherParts { changes, reads, doc, bundle, kept }
    }
}

/// Decides the request as a whole.
pub async fn decide(gateway: &Gateway, classified: Classified) -> Result<Permitted, Stopped> {
    let mut permitted = admit(gateway, classified).await?;
    let Parts { view, trail, interaction, .. } = &mut permitted.parts;
    let judged = match &permitted.asked {
        Asked::Create { doc, .. } => may_create(gateway, view, [doc], trail),
        Asked::Update { which: Which::Id(_), doc, .. } | Asked::Refile { doc, .. } => {
            may_write(view, interaction, doc, trail)
        }
        Asked::File { doc, documents } => {
            let all = std::iter::once(doc).chain(documents);
            understood(gateway, doc).and_then(|()| may_create(gateway, view, all, trail))
        }
        Asked::Revoke { documents, .. } => may_create(gateway, view, documents, trail),
        // What would result is known once the resource that is changed has been found.
        Asked::Update { which: Which::Matching(_), .. }
        | Asked::Patch { .. }
        | Asked::Delete { .. }
        | Asked::Read { .. }
        | Asked::Vread { .. }
        | Asked::HistoryInstance { .. }
        | Asked::HistoryType { .. }
        | Asked::Search { .. }
        | Asked::Everything { .. }
        | Asked::DocRef { .. }
        | Asked::LastN { .. }
        | Asked::Validate { .. }
        | Asked::Subscription(_) => Ok(()),
    };
    match judged {
        Ok(()) => Ok(permitted),
        Err(refusal) => Err(Stopped::new(refusal, permitted.parts.trail)),
    }
}

/// Decides a transaction: one entry that may not be, and none of it is. What would be written is
/// judged in `forward`, when the references between the entries are known.
pub async fn decide_together(
    gateway: &Gateway,
    together: Together,
) -> Result<PermittedTogether, Stopped> {
    let Together { entries, doc, bundle, kept } = together;
    let (mut changes, mut reads) = (Vec::new(), Vec::new());
    for (index, classified) in entries.into_iter().enumerate() {
        // The registry keeps consents by rules of its own, one by one, and so are subscriptions.
        if classified.asked.is_by_own_rules() {
            let refusal =
                Refusal::from(Problem::ServerOwned).because(&[ReasonCode::InteractionNotOffered]);
            return Err(Stopped::new(refusal, classified.trail).in_entry(index));
        }
        let is_change = is_write(&classified.interaction);
        let permitted = admit(gateway, classified).await;
        let permitted = permitted.map_err(|stopped| stopped.in_entry(index))?;
        if is_change { &mut changes } else { &mut reads }.push((index, permitted));
    }
    Ok(PermittedTogether { changes, reads, doc, bundle, kept })
}

/// Whether the caller may ask this at all.
async fn admit(gateway: &Gateway, classified: Classified) -> Result<Permitted, Stopped> {
    let Classified { caller, mut trail, interaction, resource_type, asked, conditions, kept } =
        classified;
    if let Some(account) = &caller.account {
        gateway.app.renew_relations(account, trail.at).await;
    }
    let planned = gateway.app.plan_recorded(&caller, trail.at);
    trail.asked_of(&planned);
    let view = match planned.plan {
        Ok(plan) => {
            let hearing = gateway.app.hearing_for(&planned.request).await;
            View::new(&gateway.app, plan, hearing).with_beside(gateway.app.policies())
        }
        Err(denial) => {
            let needed = needed_scope(&caller, &interaction, resource_type);
            return Err(Stopped::new(denied(&denial).needing(needed), trail));
        }
    };
    trail.planned(&view);
    let may = if let Asked::Subscription(ask) = &asked {
        may_subscribe(&caller, &view, ask, &mut trail)
    } else {
        may_ask(&caller, &view, (&interaction, resource_type), &asked, &mut trail)
    };
    if let Err(refusal) = may {
        return Err(Stopped::new(refusal, trail));
    }
    let warnings = Vec::new();
    let files = Files::default();
    let parts = Parts {
        caller,
        view,
        trail,
        interaction,
        resource_type,
        conditions,
        kept,
        warnings,
        files,
    };
    Ok(Permitted { parts, asked, permit: Permit(()) })
}

/// Whether a request may be made at all: its type is offered to this caller, and whatever its answer
/// would tell.
fn may_ask(
    caller: &Caller,
    view: &View,
    (interaction, resource_type): (&Interaction, ResourceType),
    asked: &Asked,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    if is_write(interaction) && is_server_owned(resource_type) && !asked.is_for_registry() {
        let refusal =
            Refusal::from(Problem::ServerOwned).because(&[ReasonCode::InteractionNotOffered]);
        return Err(refusal);
    }
    if resource_type == ResourceType::CONSENT && view.plan().way != Way::Service {
        trail.not_offered(interaction, resource_type);
        // No scope would be enough, so none is named.
        let writes = is_write(interaction);
        let problem = if writes { Problem::ServerOwned } else { Problem::AccessRefused };
        let refusal = Refusal::from(problem).because(&[ReasonCode::InteractionNotOffered]);
        return Err(refusal);
    }
    check_offered(caller, view, (interaction, resource_type), trail)?;
    if needs_whole(interaction) && view.sees_in_part(resource_type) {
        trail.not_offered(interaction, resource_type);
        let refusal =
            Refusal::from(Problem::SeenInPart).because(&[ReasonCode::InteractionNotOffered]);
        return Err(refusal);
    }
    // Criteria are a search: whoever may only write must not learn by them what is there.
    if asked.criteria().is_some() {
        check_offered(caller, view, (&Interaction::Search, resource_type), trail)?;
    }
    // The answer to a patch tells what it was applied to: whoever may not read has no use for it.
    if *interaction == Interaction::Patch {
        check_offered(caller, view, (&Interaction::Read, resource_type), trail)?;
    }
    Ok(())
}

/// Refuses what the plan offers nothing of, and names the scope that would be needed.
fn check_offered(
    caller: &Caller,
    view: &View,
    (interaction, kind): (&Interaction, ResourceType),
    trail: &mut Trail,
) -> Result<(), Refusal> {
    if view.plan().offers(interaction, kind) {
        return Ok(());
    }
    trail.not_offered(interaction, kind);
    let needed = needed_scope(caller, interaction, kind);
    Err(Refusal::from(Problem::ScopeInsufficient)
        .because(&[ReasonCode::ScopeMissing])
        .needing(needed))
}

/// A subscription is a search that goes on, and shows what it finds: whoever may do both needs no more
/// for it.
fn may_subscribe(
    caller: &Caller,
    view: &View,
    ask: &SubscriptionAsk,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    let Some(doc) = ask.doc() else { return Ok(()) };
    // What cannot be read is told in detail where it is carried out.
    let Some(kind) = subscriptions::kind_of(doc) else { return Ok(()) };
    check_offered(caller, view, (&Interaction::Search, kind), trail)?;
    check_offered(caller, view, (&Interaction::Read, kind), trail)
}

/// The same for the page on which staff choose a visit: the plan is made from a person's role, no
/// token takes part, and nothing is written.
pub(crate) async fn decide_visits(
    gateway: &Gateway,
    planned: Planned,
    interaction: &Interaction,
    trail: &mut Trail,
) -> Result<(View, Permit), Refusal> {
    trail.asked_of(&planned);
    let hearing = gateway.app.hearing_for(&planned.request).await;
    let plan = planned.plan.map_err(|denial| denied(&denial))?;
    let view = View::new(&gateway.app, plan, hearing).with_beside(gateway.app.policies());
    trail.planned(&view);
    if is_write(interaction) || !view.plan().offers(interaction, ResourceType::ENCOUNTER) {
        trail.not_offered(interaction, ResourceType::ENCOUNTER);
        return Err(Refusal::from(Problem::AccessRefused).because(&[ReasonCode::ScopeMissing]));
    }
    Ok((view, Permit(())))
}

/// Permits to fetch a record about which an enforcement point asks. Nothing of it leaves but whether
/// somebody may act on it.
pub(crate) fn decide_to_evaluate(
    gateway: &Gateway,
    asker: Asker<'_>,
    trail: &Trail,
) -> Result<Permit, EvaluationError> {
    let may = gateway.app.may_still_evaluate(asker, trail.at);
    may.then_some(Permit(())).ok_or(EvaluationError::NoAnswer)
}

/// Permits to look through one patient's records for what others could see of them. A person before
/// a page of ours sees what they may see themselves, so their own plan comes along; an officer's
/// tool gets no contents.
pub(crate) fn decide_to_simulate(
    gateway: &Gateway,
    viewer: Viewer<'_>,
    patient: &PatientId,
    at: At,
) -> Result<(Permit, Option<Planned>), Decision> {
    match viewer {
        Viewer::Officer(asker) => {
            let may = gateway.app.may_still_evaluate(asker, at);
            let refused = || Decision::deny(vec![ReasonCode::ScopeMissing]);
            may.then_some((Permit(()), None)).ok_or_else(refused)
        }
        Viewer::Person { person, .. } => {
            let way = gateway.app.way_of_own(&person.account.id, patient, at);
            let way = way.ok_or_else(|| Decision::deny(vec![ReasonCode::AccountDisabled]))?;
            match &way.plan {
                Ok(_) => Ok((Permit(()), Some(way))),
                Err(denial) => Err(denial.clone()),
            }
        }
    }
}

fn denied(denial: &Decision) -> Refusal {
    // RFC 6750 §3.1: when nothing but the scope stands in the way, the app can ask for more.
    let problem = if denial.reasons == [ReasonCode::ScopeMissing] {
        Problem::ScopeInsufficient
    } else {
        Problem::AccessRefused
    };
    Refusal::from(problem).because(&denial.reasons)
}

/// RFC 6750 §3: the scope that the app would need, in the context in which it already acts. It
/// repeats the request and nothing else, so it tells nothing about what is stored.
fn needed_scope(
    caller: &Caller,
    interaction: &Interaction,
    resource_type: ResourceType,
) -> Option<String> {
    let permissions = Permissions::needed_for(interaction)?;
    let context = caller.scopes.iter().find_map(|scope| Some(scope.as_resource()?.context))?;
    let syntax = ScopeSyntax::V2;
    let scope = ResourceScope::new(context, Some(resource_type), permissions, Vec::new(), syntax);
    Some(scope.to_string())
}

pub(crate) fn is_write(interaction: &Interaction) -> bool {
    match interaction {
        Interaction::Create | Interaction::Update | Interaction::Patch | Interaction::Delete => {
            true
        }
        Interaction::Read
        | Interaction::Vread
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Batch
        | Interaction::Transaction
        | Interaction::Capabilities
        | Interaction::Operation(_) => false,
    }
}

/// Whether an interaction needs records as they are stored: what is changed by somebody who sees a
/// part would lose the rest (leak 93), and versions would tell when the rest changed (leak 54).
pub(crate) fn needs_whole(interaction: &Interaction) -> bool {
    match interaction {
        Interaction::Update
        | Interaction::Patch
        | Interaction::Delete
        | Interaction::Vread
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem => true,
        Interaction::Create
        | Interaction::Read
        | Interaction::Search
        | Interaction::SearchSystem
        | Interaction::Batch
        | Interaction::Transaction
        | Interaction::Capabilities
        | Interaction::Operation(_) => false,
    }
}

/// A new resource as it would be: with an id that nothing has yet. The id it came with says
/// nothing, or a new Patient could pass for the one in context.
fn new_image(gateway: &Gateway, doc: &Doc) -> Result<Doc, Refusal> {
    let entropy = gateway.app.entropy().for_id().map_err(|_| Problem::Unavailable)?;
    let id = proviso_core::id::hex(&entropy);
    let mut edit = Edit::new(doc);
    edit.set(doc.root(), "id", write::string_text(&id).as_bytes());
    edit.finish_doc().map_err(|_| Problem::BodyMalformed.into())
}

fn may_create<'a>(
    gateway: &Gateway,
    view: &View,
    docs: impl IntoIterator<Item = &'a Doc>,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    docs.into_iter().try_for_each(|doc| {
        let image = new_image(gateway, doc)?;
        may_write(view, &Interaction::Create, &image, trail)
    })
}

/// Whether a Consent that is to be filed says what can be enforced.
fn understood(gateway: &Gateway, doc: &Doc) -> Result<(), Refusal> {
    let checked = gateway.app.check_filing(doc, None);
    checked.map(drop).map_err(|error| refuse_filing(&error))
}

/// Judges the resource that would result, then whether it is one (leaks 85, 86, 87).
pub(crate) fn may_write(
    view: &View,
    interaction: &Interaction,
    image: &Doc,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    let judged = view.judge(interaction, image.root());
    if !judged.permits() {
        trail.note(&judged);
        return Err(Refusal::from(Problem::WriteRefused).because(&judged.decision.reasons));
    }
    let faults = proviso_fhir::validate::validate(image.root());
    if faults.is_empty() {
        return Ok(());
    }
    let mut refusal = Refusal::from(Problem::ResourceInvalid);
    refusal.faults = faults.iter().map(|f| (f.path.clone(), f.text().to_owned())).collect();
    Err(refusal)
}
