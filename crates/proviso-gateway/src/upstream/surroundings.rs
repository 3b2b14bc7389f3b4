//! What resources of an upstream by URL refer to, asked for in bulk: a record is judged with the
//! sensitive kinds of everything it leads to, wherever the records are kept.

use std::collections::{BTreeMap, BTreeSet};

use ::http::StatusCode;
use proviso_core::category::SensitiveSet;
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::label::{label_for_referrers, takes_labels};
use proviso_fhir::references::references;

use crate::upstream::Stored;
use crate::upstream::http::{HttpUpstream, UpstreamError};
use crate::upstream::scan::page_of;

type Key = (ResourceType, ResourceId);

/// LIMIT: resources asked for in one upstream query, so that its URL stays short.
const IDS_PER_QUERY: usize = 50;
/// LIMIT: a resource that refers to more is treated as if each kind were among them.
const REFERENCES_MAX: usize = 1000;

impl HttpUpstream {
    /// Notes on each resource the sensitive kinds it has from what it refers to. References below
    /// the upstream's base were made relative before.
    pub(crate) async fn look_around(&self, found: &mut [&mut Stored]) -> Result<(), UpstreamError> {
        let edges: Vec<BTreeSet<Key>> = found.iter().map(|stored| edges(stored)).collect();
        let mut wanted: BTreeMap<ResourceType, BTreeSet<ResourceId>> = BTreeMap::new();
        for (kind, id) in edges.iter().filter(|own| own.len() <= REFERENCES_MAX).flatten() {
            wanted.entry(*kind).or_default().insert(id.clone());
        }
        let mut given: BTreeMap<Key, SensitiveSet> = BTreeMap::new();
        for (kind, ids) in wanted {
            let ids: Vec<ResourceId> = ids.into_iter().collect();
            if kind == ResourceType::BINARY {
                self.read_binaries(&ids, &mut given).await?;
                continue;
            }
            for some in ids.chunks(IDS_PER_QUERY) {
                self.ask_for(kind, some, &mut given).await?;
            }
        }
        for (stored, own) in found.iter_mut().zip(edges) {
            stored.around = if own.len() > REFERENCES_MAX {
                SensitiveSet::all()
            } else {
                let kinds = own.iter().filter_map(|key| given.get(key));
                kinds.fold(SensitiveSet::EMPTY, |sum, kinds| sum.union(*kinds))
            };
        }
        Ok(())
    }

    /// FHIR R4 has no search of Binary. One that comes in its own form and not as FHIR gives
    /// nothing, and is never handed out itself.
    async fn read_binaries(
        &self,
        ids: &[ResourceId],
        given: &mut BTreeMap<Key, SensitiveSet>,
    ) -> Result<(), UpstreamError> {
        for id in ids {
            let doc = match self.get(&format!("/{}/{id}", ResourceType::BINARY)).await {
                Ok(answer) if answer.status == StatusCode::OK => answer.doc,
                Ok(_) | Err(UpstreamError::Unacceptable(_)) => None,
                Err(error) => return Err(error),
            };
            if let Some(doc) = doc.filter(|doc| doc.resource_type() == Some(ResourceType::BINARY)) {
                given.insert((ResourceType::BINARY, id.clone()), label_for_referrers(doc.root()));
            }
        }
        Ok(())
    }

    async fn ask_for(
        &self,
        kind: ResourceType,
        ids: &[ResourceId],
        given: &mut BTreeMap<Key, SensitiveSet>,
    ) -> Result<(), UpstreamError> {
        let list: Vec<&str> = ids.iter().map(ResourceId::as_str).collect();
        let mut tail = Some(page_of(kind, &[("_id".to_owned(), list.join(","))]));
        while let Some(page) = tail {
            // A type that the upstream does not have has no resources there either.
            let Some((targets, next)) = self.candidates_if_known(kind, &page).await? else {
                return Ok(());
            };
            for (id, target) in targets {
                given.insert((kind, id), label_for_referrers(target.doc.root()));
            }
            tail = next;
        }
        Ok(())
    }
}

fn edges(stored: &Stored) -> BTreeSet<Key> {
    match stored.doc.resource_type() {
        Some(kind) if takes_labels(kind) => references(stored.doc.root(), ""),
        Some(_) | None => BTreeSet::new(),
    }
}
