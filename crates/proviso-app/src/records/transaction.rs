//! Transactions: several writes that happen together or not at all.
//!
//! FHIR R4 http.html#trules: deletes, then creates, then updates and patches, then reads; criteria
//! and references between entries are resolved before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proviso_core::id::ResourceId;
use proviso_core::interaction::Interaction;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::bundle::IncomingEntry;
use proviso_fhir::classify::{Classified, Target, classify_entry};
use proviso_fhir::json::{Doc, Node};
use proviso_fhir::search::{ResourceKey, local_reference};
use proviso_store::Op;

use super::links::{conditional, element_name, with_texts};
use super::turn::Turn;
use super::write::{acceptable, existing};
use super::{Match, NewIds, Prepared, Reading, Record, RecordFault, Records, View};

/// One entry of a transaction, ready.
#[derive(Debug)]
pub enum PreparedEntry {
    /// A write.
    Write(Box<Prepared>),
    /// A read or search; to be answered after the writes are committed.
    Read(Classified),
    /// A conditional delete whose criteria found nothing.
    NothingFound,
}

/// A transaction, ready to be committed in one batch.
///
/// It holds the turn of its conditional creates and updates until it is dropped: commit it or drop
/// it before another one is prepared.
#[derive(Debug)]
pub struct PreparedTransaction {
    /// The entries, in the order in which they arrived.
    pub entries: Vec<PreparedEntry>,
    _turn: Turn,
}

/// What an entry does, once its criteria have been resolved.
enum Planned {
    /// Creates a resource with this id.
    Create(ResourceId),
    /// A conditional create that found its resource.
    Existing(Record),
    /// Updates this version, and no other.
    Replace(Record),
    /// Updates by id what is not there yet.
    Update(ResourceId),
    /// Updates what the criteria found, or creates.
    UpdateMatching(Option<Record>, ResourceId),
    Patch(Record),
    Delete(Option<Record>),
    Read,
}

/// What references inside the transaction are replaced by.
#[derive(Debug, Default)]
struct Links {
    /// By `fullUrl`, or by `Type/id` of a `fullUrl` that is a RESTful address.
    targets: BTreeMap<String, String>,
    /// What references by criteria led to, each looked up once.
    looked_up: BTreeMap<String, String>,
}

/// Who chooses ids and who is asked for matches.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) view: &'a dyn View,
    pub(super) new_ids: NewIds,
    /// Whether a create keeps the id its resource came with; for imports only.
    pub(super) keeps_ids: bool,
}

impl PreparedTransaction {
    /// Hands out the operations of all entries, in the order in which FHIR wants them done.
    pub fn take_ops(&mut self) -> Vec<Op> {
        let mut ops: Vec<Op> = Vec::new();
        for step in 0..3 {
            for entry in &mut self.entries {
                if let PreparedEntry::Write(prepared) = entry
                    && step == prepared.step()
                {
                    ops.extend(prepared.take_ops());
                }
            }
        }
        ops
    }
}

impl Prepared {
    fn step(&self) -> u8 {
        use super::Change::{Created, Deleted, Existing, NothingThere, Unchanged, Updated};
        match self.change {
            Deleted | NothingThere => 0,
            Created | Existing => 1,
            Updated | Unchanged => 2,
        }
    }
}

impl Records {
    /// Prepares a transaction; criteria are matched over the view.
    ///
    /// # Errors
    /// The first entry that stands in the way, by its position; nothing is written then.
    pub async fn transaction(
        &self,
        entries: &[IncomingEntry<'_>],
        new_ids: NewIds,
        view: &dyn View,
    ) -> Result<PreparedTransaction, RecordFault> {
        self.prepare_all(entries, Rules { view, new_ids, keeps_ids: false }).await
    }

    pub(super) async fn prepare_all(
        &self,
        entries: &[IncomingEntry<'_>],
        rules: Rules<'_>,
    ) -> Result<PreparedTransaction, RecordFault> {
        let turn = self.turn(&Self::types_to_take_turns(entries)).await;
        let mut planned: Vec<(Classified, Planned)> = Vec::new();
        let mut links = Links::default();
        for entry in entries {
            self.in_time_for(&turn, rules).map_err(|fault| at(entry.index, fault))?;
            let (classified, plan) =
                self.plan(entry, rules).await.map_err(|fault| at(entry.index, fault))?;
            links.learn(entry, &classified, &plan);
            planned.push((classified, plan));
        }
        let mut changed: BTreeSet<ResourceKey> = BTreeSet::new();
        let mut prepared = Vec::new();
        for (entry, (classified, plan)) in entries.iter().zip(planned) {
            let ready = self
                .prepare_entry(entry, classified, plan, (&mut links, &turn), rules)
                .await
                .map_err(|fault| at(entry.index, fault))?;
            if let PreparedEntry::Write(write) = &ready
                && write.change != super::Change::Existing
                && !changed.insert((write.resource_type, write.id.clone()))
            {
                return Err(at(entry.index, RecordFault::SameResourceTwice));
            }
            prepared.push(ready);
        }
        refuse_what_goes_and_stays(entries, &prepared)?;
        Ok(PreparedTransaction { entries: prepared, _turn: turn })
    }

    /// The types of which entries create by criteria.
    fn types_to_take_turns(entries: &[IncomingEntry<'_>]) -> BTreeSet<ResourceType> {
        let taking = |entry: &IncomingEntry<'_>| {
            let request = &entry.request;
            let exists = request.if_none_exist.as_deref();
            let line = classify_entry(request.method, &request.url, exists).ok()?;
            match (line.interaction, line.target) {
                (
                    Interaction::Create | Interaction::Update,
                    Target::Conditional(resource_type, _),
                ) => Some(resource_type),
                _ => None,
            }
        };
        entries.iter().filter_map(taking).collect()
    }

    /// An import is an administrator's and takes as long as it takes.
    fn in_time_for(&self, turn: &Turn, rules: Rules<'_>) -> Result<(), RecordFault> {
        if rules.view.is_limited() { self.in_time(turn) } else { Ok(()) }
    }

    async fn plan(
        &self,
        entry: &IncomingEntry<'_>,
        rules: Rules<'_>,
    ) -> Result<(Classified, Planned), RecordFault> {
        let request = &entry.request;
        let classified =
            classify_entry(request.method, &request.url, request.if_none_exist.as_deref())
                .map_err(|_| RecordFault::NotInTransaction)?;
        let interaction = &classified.interaction;
        let plan = match (interaction, &classified.target) {
            (Interaction::Create, Target::Conditional(resource_type, criteria)) => {
                match self.find_one(*resource_type, criteria, rules.view).await? {
                    Some(found) => Planned::Existing(found),
                    None => Planned::Create(self.id_for(entry, rules)?),
                }
            }
            (Interaction::Create, Target::Type(_)) => Planned::Create(self.id_for(entry, rules)?),
            (Interaction::Update, Target::Instance(resource_type, id)) => {
                match self.read_to_change(*resource_type, id, interaction, rules).await? {
                    Some(record) => Planned::Replace(record),
                    None if rules.new_ids == NewIds::Server => return Err(RecordFault::NotFound),
                    None => Planned::Update(id.clone()),
                }
            }
            (Interaction::Update, Target::Conditional(resource_type, criteria)) => {
                let found =
                    self.find_to_change(*resource_type, criteria, interaction, rules.view).await?;
                let id = match &found {
                    Some(found) => found.id.clone(),
                    None => match entry.resource.and_then(own_id) {
                        Some(id) => id,
                        None => self.new_id()?,
                    },
                };
                Planned::UpdateMatching(found, id)
            }
            (Interaction::Patch, Target::Instance(resource_type, id)) => {
                let found = self.read_to_change(*resource_type, id, interaction, rules).await?;
                Planned::Patch(found.ok_or(RecordFault::NotFound)?)
            }
            (Interaction::Patch, Target::Conditional(resource_type, criteria)) => {
                let found =
                    self.find_to_change(*resource_type, criteria, interaction, rules.view).await?;
                Planned::Patch(found.ok_or(RecordFault::NotFound)?)
            }
            (Interaction::Delete, Target::Instance(resource_type, id)) => {
                match self.read_to_change(*resource_type, id, interaction, rules).await? {
                    Some(record) => Planned::Delete(Some(record)),
                    // As a delete by itself: what is not there for this caller is not deleted.
                    None if rules.view.is_limited() => return Err(RecordFault::NotFound),
                    None => Planned::Delete(None),
                }
            }
            (Interaction::Delete, Target::Conditional(resource_type, criteria)) => Planned::Delete(
                self.find_to_change(*resource_type, criteria, interaction, rules.view).await?,
            ),
            (Interaction::Read | Interaction::Vread | Interaction::Search, _) => Planned::Read,
            _ => return Err(RecordFault::NotInTransaction),
        };
        Ok((classified, plan))
    }

    /// The resource as it is now, or `None` where there is none. One that may not be changed in
    /// this way is refused like one that is not there.
    async fn read_to_change(
        &self,
        resource_type: ResourceType,
        id: &ResourceId,
        interaction: &Interaction,
        rules: Rules<'_>,
    ) -> Result<Option<Record>, RecordFault> {
        let Reading::Live(mut record) = self.read(resource_type, id).await? else {
            return Ok(None);
        };
        if !self.lets_change(&mut record, interaction, rules.view).await? {
            return Err(RecordFault::NotFound);
        }
        Ok(Some(record))
    }

    fn id_for(
        &self,
        entry: &IncomingEntry<'_>,
        rules: Rules<'_>,
    ) -> Result<ResourceId, RecordFault> {
        match entry.resource.and_then(own_id).filter(|_| rules.keeps_ids) {
            Some(id) => Ok(id),
            None => self.new_id(),
        }
    }

    async fn prepare_entry(
        &self,
        entry: &IncomingEntry<'_>,
        classified: Classified,
        plan: Planned,
        (links, turn): (&mut Links, &Turn),
        rules: Rules<'_>,
    ) -> Result<PreparedEntry, RecordFault> {
        let expected = Match::if_match(entry.request.if_match.as_deref())?;
        let resource_type = classified.target.resource_type();
        let prepared = match plan {
            Planned::Read => return Ok(PreparedEntry::Read(classified)),
            Planned::Existing(found) => existing(found),
            Planned::Create(id) => {
                let doc = self.body(entry, resource_type, (links, turn), rules).await?;
                if rules.keeps_ids {
                    self.plan_import(id, &doc).await?
                } else {
                    self.plan_create(resource_type.ok_or(RecordFault::WrongType)?, id, &doc)?
                }
            }
            Planned::Replace(before) => {
                let doc = self.body(entry, resource_type, (links, turn), rules).await?;
                // FHIR R4 http.html#update: the body states the id of the address.
                if doc.id().as_ref() != Some(&before.id) {
                    return Err(RecordFault::WrongId);
                }
                self.plan_replace(before, &doc, expected)?
            }
            Planned::Update(id) => {
                let doc = self.body(entry, resource_type, (links, turn), rules).await?;
                let resource_type = resource_type.ok_or(RecordFault::WrongType)?;
                self.plan_update(resource_type, &id, &doc, expected, rules.new_ids).await?
            }
            Planned::UpdateMatching(found, id) => {
                let doc = self.body(entry, resource_type, (links, turn), rules).await?;
                match (&found, doc.id()) {
                    // The id that other entries were linked to is the one that is used.
                    (None, None) if expected == Match::Any => {
                        self.plan_create(resource_type.ok_or(RecordFault::WrongType)?, id, &doc)?
                    }
                    _ => {
                        let how = (expected, rules.new_ids);
                        self.plan_update_matching(found, &doc, how, rules.view).await?
                    }
                }
            }
            Planned::Patch(before) => self.plan_patch(before, &patch_of(entry)?, expected)?,
            Planned::Delete(Some(before)) => self.plan_delete(before, expected)?,
            Planned::Delete(None) => {
                let Target::Instance(_, id) = &classified.target else {
                    return Ok(PreparedEntry::NothingFound);
                };
                let id = id.clone();
                self.nothing_there(resource_type.ok_or(RecordFault::WrongType)?, id)
            }
        };
        Ok(PreparedEntry::Write(Box::new(prepared)))
    }

    /// A create of an import: whatever had that id before gets a new version.
    async fn plan_import(&self, id: ResourceId, doc: &Doc) -> Result<Prepared, RecordFault> {
        let resource_type = doc.resource_type().ok_or(RecordFault::WrongType)?;
        match self.read(resource_type, &id).await? {
            Reading::Live(before) => self.plan_replace(before, doc, Match::Any),
            Reading::Absent => self.plan_create(resource_type, id, doc),
            Reading::Deleted { .. } => {
                self.plan_update(resource_type, &id, doc, Match::Any, NewIds::Client).await
            }
        }
    }

    /// The resource of an entry with its references resolved, checked like any other body.
    async fn body(
        &self,
        entry: &IncomingEntry<'_>,
        resource_type: Option<ResourceType>,
        (links, turn): (&mut Links, &Turn),
        rules: Rules<'_>,
    ) -> Result<Doc, RecordFault> {
        let resource = entry.resource.ok_or(RecordFault::WrongType)?;
        let doc = Doc::parse(resource.raw().to_vec())?;
        let mut texts: BTreeMap<usize, String> = BTreeMap::new();
        for node in doc.root().descendants() {
            let Some(text) = node.as_str() else { continue };
            let key = element_name(node);
            if let Some(target) = links.resolve(key, &text) {
                texts.insert(node.index(), target);
            } else if key == Some("reference") && conditional(&text).is_some() {
                if let Some(known) = links.looked_up.get(text.as_ref()) {
                    texts.insert(node.index(), known.clone());
                    continue;
                }
                self.in_time_for(turn, rules)?;
                let found = self.resolve(&text, rules.view).await?;
                let found = found.ok_or(RecordFault::BadReference)?;
                links.looked_up.insert(text.into_owned(), found.clone());
                texts.insert(node.index(), found);
            }
        }
        let doc = with_texts(doc, &texts)?;
        acceptable(resource_type.ok_or(RecordFault::WrongType)?, doc.into_bytes())
    }
}

impl Links {
    fn learn(&mut self, entry: &IncomingEntry<'_>, classified: &Classified, plan: &Planned) {
        let (Some(url), Some(resource_type)) = (&entry.full_url, classified.target.resource_type())
        else {
            return;
        };
        let id = match plan {
            Planned::Create(id) | Planned::Update(id) | Planned::UpdateMatching(_, id) => id,
            Planned::Existing(record) | Planned::Patch(record) | Planned::Replace(record) => {
                &record.id
            }
            Planned::Delete(_) | Planned::Read => return,
        };
        let target = format!("{resource_type}/{id}");
        // FHIR R4 bundle.html#references: a relative reference means what its own entry's base
        // and it make up, so an entry that moves takes its relative name along.
        if let Some(relative) = relative_name(url) {
            self.targets.insert(relative.to_owned(), target.clone());
        }
        self.targets.insert(url.clone(), target);
    }

    /// FHIR R4 http.html#trules: references, and URIs that name an entry by its URN.
    fn resolve(&self, key: Option<&str>, text: &str) -> Option<String> {
        let is_urn = text.starts_with("urn:");
        let is_link = match key {
            Some("reference") => true,
            // An identifier or a system may be the same URN and mean something else.
            Some("value" | "system" | "fullUrl") | None => false,
            Some(_) => is_urn,
        };
        if !is_link {
            return None;
        }
        self.targets.get(text).filter(|target| target.as_str() != text).cloned()
    }
}

/// FHIR R4 http.html#trules: identities that overlap fail. What one entry found to be there already
/// cannot be what another one deletes.
fn refuse_what_goes_and_stays(
    entries: &[IncomingEntry<'_>],
    prepared: &[PreparedEntry],
) -> Result<(), RecordFault> {
    use super::Change::{Deleted, Existing};
    let of = |wanted, one: &PreparedEntry| match one {
        PreparedEntry::Write(write) if write.change == wanted => {
            Some((write.resource_type, write.id.clone()))
        }
        PreparedEntry::Write(_) | PreparedEntry::Read(_) | PreparedEntry::NothingFound => None,
    };
    let gone: BTreeSet<ResourceKey> = prepared.iter().filter_map(|one| of(Deleted, one)).collect();
    for (entry, one) in entries.iter().zip(prepared) {
        if of(Existing, one).is_some_and(|key| gone.contains(&key)) {
            return Err(at(entry.index, RecordFault::SameResourceTwice));
        }
    }
    Ok(())
}

/// `Type/id` at the end of a RESTful address.
fn relative_name(url: &str) -> Option<&str> {
    let id_at = url.rfind('/')?;
    let type_at = url.get(..id_at)?.rfind('/')? + 1;
    url.get(type_at..).filter(|name| url.contains("://") && local_reference(name).is_some())
}

fn own_id(resource: Node<'_>) -> Option<ResourceId> {
    resource.get("id").and_then(Node::as_str).and_then(|id| id.parse().ok())
}

/// FHIR R4 http.html#patch: in a Bundle a JSON Patch travels as the data of a Binary, a FHIRPath Patch
/// as the Parameters that it is.
///
/// # Errors
/// The resource of the entry is neither.
pub fn patch_of(entry: &IncomingEntry<'_>) -> Result<Doc, RecordFault> {
    let resource = entry.resource.ok_or(RecordFault::WrongType)?;
    if resource.resource_type() == Some(ResourceType::PARAMETERS) {
        return Ok(Doc::parse(resource.raw().to_vec())?);
    }
    let content_type = resource.string_at(&["contentType"]);
    if resource.resource_type() != Some(ResourceType::BINARY)
        || content_type.as_deref() != Some("application/json-patch+json")
    {
        return Err(RecordFault::WrongType);
    }
    let data = resource.string_at(&["data"]).ok_or(RecordFault::WrongType)?;
    let bytes = STANDARD.decode(data.as_bytes()).map_err(|_| RecordFault::WrongType)?;
    Ok(Doc::parse(bytes)?)
}

fn at(index: usize, fault: RecordFault) -> RecordFault {
    RecordFault::Entry { index, fault: Box::new(fault) }
}
