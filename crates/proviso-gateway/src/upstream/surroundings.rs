//! What resources of an upstream by URL refer to, asked for in bulk: a record is judged with the
//! sensitive kinds of everything it leads to, wherever the records are kept.

use std::collections::{BTreeMap, BTreeSet};

use ::http::StatusCode;
use proviso_core::category::SensitiveSet;
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::Doc;
use proviso_fhir::label::{Key, RuleSet, Walk, takes_labels};

use crate::upstream::Stored;
use crate::upstream::http::{HttpUpstream, UpstreamError};
use crate::upstream::scan::page_of;

/// LIMIT: resources asked for in one upstream query, so that its URL stays short.
const IDS_PER_QUERY: usize = 50;
/// LIMIT: a resource that leads to more is treated as if each kind were among them.
const REFERENCES_MAX: usize = 1000;

/// What one resource gives to those that refer to it, and what it refers to itself.
struct Given {
    kinds: SensitiveSet,
    reach: BTreeMap<Key, u8>,
}

impl Given {
    fn of(doc: &Doc, rules: &RuleSet) -> Self {
        let root = doc.root();
        Self { kinds: rules.label_for_referrers(root), reach: rules.reach(root, "") }
    }
}

impl HttpUpstream {
    /// Notes on each resource the sensitive kinds it has from what it refers to. References below
    /// the upstream's base were made relative before.
    pub(crate) async fn look_around(&self, found: &mut [&mut Stored]) -> Result<(), UpstreamError> {
        let mut walks: Vec<Walk> = found.iter().map(|stored| self.start(stored)).collect();
        let mut given: BTreeMap<Key, Given> = BTreeMap::new();
        loop {
            let rings: Vec<Vec<Key>> = walks.iter_mut().map(Walk::next_ring).collect();
            let wanted: BTreeSet<&Key> =
                rings.iter().flatten().filter(|key| !given.contains_key(key)).collect();
            let wanted: Vec<Key> = wanted.into_iter().cloned().collect();
            if rings.iter().all(Vec::is_empty) {
                break;
            }
            self.ask_for_all(&wanted, &mut given).await?;
            for ((stored, walk), ring) in found.iter_mut().zip(&mut walks).zip(rings) {
                for key in ring {
                    let Some(given) = given.get(&key) else { continue };
                    stored.around = stored.around.union(given.kinds);
                    walk.go(Some(&key), given.reach.iter().map(|(to, steps)| (to.clone(), *steps)));
                }
            }
        }
        for (stored, walk) in found.iter_mut().zip(walks) {
            if walk.is_cut() {
                stored.around = SensitiveSet::all();
            }
        }
        Ok(())
    }

    /// A walk from one resource along its own references.
    fn start(&self, stored: &Stored) -> Walk {
        let own = stored.doc.resource_type().zip(stored.doc.id());
        let mut walk = Walk::new(own, REFERENCES_MAX);
        if stored.doc.resource_type().is_some_and(takes_labels) {
            walk.go(None, self.labels.reach(stored.doc.root(), ""));
        }
        walk
    }

    async fn ask_for_all(
        &self,
        keys: &[Key],
        given: &mut BTreeMap<Key, Given>,
    ) -> Result<(), UpstreamError> {
        let mut wanted: BTreeMap<ResourceType, Vec<ResourceId>> = BTreeMap::new();
        for (kind, id) in keys {
            wanted.entry(*kind).or_default().push(id.clone());
        }
        for (kind, ids) in wanted {
            if kind == ResourceType::BINARY {
                self.read_binaries(&ids, given).await?;
                continue;
            }
            for some in ids.chunks(IDS_PER_QUERY) {
                self.ask_for(kind, some, given).await?;
            }
        }
        Ok(())
    }

    /// FHIR R4 has no search of Binary. One that comes in its own form and not as FHIR gives
    /// nothing, and is never handed out itself.
    async fn read_binaries(
        &self,
        ids: &[ResourceId],
        given: &mut BTreeMap<Key, Given>,
    ) -> Result<(), UpstreamError> {
        for id in ids {
            let doc = match self.get(&format!("/{}/{id}", ResourceType::BINARY)).await {
                Ok(answer) if answer.status == StatusCode::OK => answer.doc,
                Ok(_) | Err(UpstreamError::Unacceptable(_)) => None,
                Err(error) => return Err(error),
            };
            if let Some(doc) = doc.filter(|doc| doc.resource_type() == Some(ResourceType::BINARY)) {
                given.insert((ResourceType::BINARY, id.clone()), Given::of(&doc, &self.labels));
            }
        }
        Ok(())
    }

    async fn ask_for(
        &self,
        kind: ResourceType,
        ids: &[ResourceId],
        given: &mut BTreeMap<Key, Given>,
    ) -> Result<(), UpstreamError> {
        let list: Vec<&str> = ids.iter().map(ResourceId::as_str).collect();
        let mut tail = Some(page_of(kind, &[("_id".to_owned(), list.join(","))]));
        while let Some(page) = tail {
            // A type that the upstream does not have has no resources there either.
            let Some((targets, next)) = self.candidates_if_known(kind, &page).await? else {
                return Ok(());
            };
            for (id, target) in targets {
                given.insert((kind, id), Given::of(&target.doc, &self.labels));
            }
            tail = next;
        }
        Ok(())
    }
}
