//! Single resources of a FHIR server by URL: read, versions, changes. Everything that comes back
//! is compared with what was asked for before it is handed on.

use ::http::{Method, StatusCode};
use bytes::Bytes;
use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::json::edit::Edit;
use proviso_fhir::json::{Doc, Node, write};

use crate::cursor::Point;
use crate::decide::Permit;
use crate::forward::HistoryEntry;
use crate::problem::{Problem, Refusal};
use crate::upstream::http::{Answer, HttpUpstream, Outgoing, UpstreamError};
use crate::upstream::{History, Reading, Stored, Versions};
use crate::view::Withheld;

const FHIR_JSON: &str = "application/fhir+json";

impl HttpUpstream {
    pub(crate) async fn read(
        &self,
        _: &Permit,
        kind: ResourceType,
        id: &ResourceId,
    ) -> Result<Reading, UpstreamError> {
        let answer = self.get(&format!("/{kind}/{id}")).await?;
        match answer.status {
            StatusCode::OK => {
                let mut stored = self.wanted(answer, kind, id)?;
                self.look_around(&mut [&mut stored]).await?;
                Ok(Reading::Live(stored))
            }
            // What was deleted, and whose it was, the upstream does not say: then nobody hears.
            StatusCode::GONE => Ok(Reading::Deleted { last: None }),
            status => absent(status),
        }
    }

    pub(crate) async fn vread(
        &self,
        _: &Permit,
        kind: ResourceType,
        id: &ResourceId,
        version: &str,
    ) -> Result<Reading, UpstreamError> {
        let answer = self.get(&format!("/{kind}/{id}/_history/{version}")).await?;
        match answer.status {
            StatusCode::OK => {
                let mut stored = self.wanted(answer, kind, id)?;
                self.look_around(&mut [&mut stored]).await?;
                if stored.version.as_deref() == Some(version) {
                    Ok(Reading::Live(stored))
                } else {
                    Err(UpstreamError::Unacceptable("another version than asked for"))
                }
            }
            StatusCode::GONE => Ok(Reading::Absent),
            status => absent(status),
        }
    }

    /// The versions of one resource that the view has. The upstream may hand out pages of any
    /// size, so all of them are read before ours is cut.
    pub(crate) async fn versions(
        &self,
        _: &Permit,
        ask: &History<'_>,
        id: &ResourceId,
    ) -> Result<Versions, Refusal> {
        let mut visible = Vec::new();
        let mut withheld = Withheld::default();
        let mut entries = self.history(ask, id).await?;
        let mut versions: Vec<&mut Stored> = entries
            .iter_mut()
            .flat_map(|entry| entry.stored.iter_mut().chain(entry.before.iter_mut()))
            .collect();
        self.look_around(&mut versions).await?;
        for entry in entries {
            let recent = ask.since.is_none_or(|since| entry.at.is_some_and(|at| at >= since));
            let Some(judged_by) = entry.judged_by().filter(|_| recent) else { continue };
            let judged = ask.view.judge_stored(ask.interaction, judged_by);
            if judged.permits() {
                visible.push(entry);
            } else {
                withheld.add(judged);
            }
        }
        let total = visible.len();
        let entries: Vec<HistoryEntry> =
            visible.into_iter().skip(ask.point.skip).take(ask.count).collect();
        let reached = ask.point.skip.saturating_add(entries.len());
        let next = (reached < total).then(|| Point { skip: reached, ..Point::default() });
        Ok(Versions { entries, total: u64::try_from(total).ok(), withheld, next })
    }

    /// All versions of one resource, newest first; none when there is no such resource.
    async fn history(
        &self,
        ask: &History<'_>,
        id: &ResourceId,
    ) -> Result<Vec<HistoryEntry>, Refusal> {
        let kind = ask.kind;
        let mut entries: Vec<HistoryEntry> = Vec::new();
        let mut tail = Some(format!("/{kind}/{id}/_history?_count=100"));
        while let Some(page) = tail {
            let answer = self.get(&page).await?;
            if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                break;
            }
            let bundle = bundle(answer)?;
            for entry in bundle.root().at(&["entry"]) {
                entries.push(self.version(entry, kind, id)?);
                if entries.len() > ask.most {
                    return Err(Problem::SearchTooCostly.into());
                }
            }
            tail = self.next(&bundle)?;
        }
        // A deletion is judged by the version before it, which is the next one in this order.
        let before: Vec<Option<Stored>> =
            entries.iter().skip(1).map(|older| older.stored.clone()).chain([None]).collect();
        for (entry, before) in entries.iter_mut().zip(before) {
            entry.before = before;
        }
        Ok(entries)
    }

    fn version(
        &self,
        entry: Node<'_>,
        kind: ResourceType,
        id: &ResourceId,
    ) -> Result<HistoryEntry, UpstreamError> {
        let method = entry.string_at(&["request", "method"]);
        let Some(resource) = entry.get("resource") else {
            return Ok(HistoryEntry::deleted(kind, id.clone()));
        };
        let doc = self.adopt(resource.raw().to_vec())?;
        if doc.resource_type() != Some(kind) || doc.id().as_ref() != Some(id) {
            return Err(UpstreamError::Unacceptable("another resource than asked for"));
        }
        let method = match method.as_deref() {
            Some("POST") => "POST",
            _ => "PUT",
        };
        Ok(HistoryEntry::live(kind, id.clone(), method, Stored::of(doc)))
    }

    pub(crate) async fn create(&self, permit: &Permit, doc: &Doc) -> Result<Stored, Refusal> {
        let kind = doc.resource_type().ok_or(Problem::BodyMismatch)?;
        // The id is the upstream's choice, whatever the body says.
        let mut edit = Edit::new(doc);
        if let Some(id) = doc.root().get("id") {
            edit.remove(id);
        }
        let doc = edit.finish_doc().map_err(|_| Problem::BodyMalformed)?;
        let answer =
            self.change(Method::POST, &format!("/{kind}"), Some(outgoing(&doc)), None).await?;
        if !answer.status.is_success() {
            return Err(refused_change(answer.status));
        }
        let id = match (&answer.doc, &answer.location) {
            (Some(doc), _) if doc.resource_type() == Some(kind) => doc.id(),
            (_, Some((found, id))) if *found == kind => Some(id.clone()),
            _ => None,
        };
        let id = id.ok_or(UpstreamError::Unacceptable("a create without an id"))?;
        self.after_change(permit, answer, kind, &id).await
    }

    pub(crate) async fn update(
        &self,
        permit: &Permit,
        doc: &Doc,
        version: Option<&str>,
    ) -> Result<Stored, Refusal> {
        let (Some(kind), Some(id)) = (doc.resource_type(), doc.id()) else {
            return Err(Problem::BodyMismatch.into());
        };
        let if_match = version.map(|version| format!("W/\"{version}\""));
        let tail = format!("/{kind}/{id}");
        let answer =
            self.change(Method::PUT, &tail, Some(outgoing(doc)), if_match.as_deref()).await?;
        if !answer.status.is_success() {
            return Err(refused_change(answer.status));
        }
        self.after_change(permit, answer, kind, &id).await
    }

    pub(crate) async fn delete(
        &self,
        _: &Permit,
        kind: ResourceType,
        id: &ResourceId,
        version: Option<&str>,
    ) -> Result<(), Refusal> {
        let if_match = version.map(|version| format!("W/\"{version}\""));
        let tail = format!("/{kind}/{id}");
        let answer = self.change(Method::DELETE, &tail, None, if_match.as_deref()).await?;
        if answer.status.is_success() { Ok(()) } else { Err(refused_change(answer.status)) }
    }

    /// What is there now: from the answer if it is the resource, else by reading it.
    async fn after_change(
        &self,
        permit: &Permit,
        answer: Answer,
        kind: ResourceType,
        id: &ResourceId,
    ) -> Result<Stored, Refusal> {
        if answer.doc.as_ref().and_then(Doc::resource_type) == Some(kind) {
            return Ok(self.wanted(answer, kind, id)?);
        }
        match self.read(permit, kind, id).await? {
            Reading::Live(stored) => Ok(stored),
            Reading::Deleted { .. } | Reading::Absent => {
                Err(UpstreamError::Unacceptable("a change that left nothing").into())
            }
        }
    }

    /// The resource that was asked for, by type and id, or nothing.
    fn wanted(
        &self,
        answer: Answer,
        kind: ResourceType,
        id: &ResourceId,
    ) -> Result<Stored, UpstreamError> {
        let doc = answer.doc.ok_or(UpstreamError::Unacceptable("no body"))?;
        if doc.resource_type() != Some(kind) || doc.id().as_ref() != Some(id) {
            return Err(UpstreamError::Unacceptable("another resource than asked for"));
        }
        Ok(Stored::of(self.adopt(doc.into_bytes())?))
    }

    /// Parses a resource by itself and makes references under the upstream's base relative, so
    /// that they lead to us and so that the decision sees whom they name (leak 45).
    pub(crate) fn adopt(&self, bytes: Vec<u8>) -> Result<Doc, UpstreamError> {
        let bad = |_| UpstreamError::Unacceptable("not well-formed JSON");
        let doc = Doc::parse(bytes).map_err(bad)?;
        // Slashes may be escaped in JSON, so values are compared, not bytes.
        let mut edit = Edit::new(&doc);
        for node in doc.root().descendants() {
            let Some(text) = node.as_str() else { continue };
            let Some(tail) = self.tail_of(&text).and_then(|tail| tail.strip_prefix('/')) else {
                continue;
            };
            edit.replace(node, write::string_text(tail).as_bytes());
        }
        if edit.is_empty() {
            drop(edit);
            return Ok(doc);
        }
        edit.finish_doc().map_err(|_| UpstreamError::Unacceptable("references not rewritable"))
    }

    /// Where a Bundle goes on, if it does; a link that leads elsewhere is not followed.
    pub(crate) fn next(&self, bundle: &Doc) -> Result<Option<String>, UpstreamError> {
        for link in bundle.root().at(&["link"]) {
            if link.string_at(&["relation"]).as_deref() != Some("next") {
                continue;
            }
            let url = link.string_at(&["url"]).unwrap_or_default();
            return match self.tail_of(&url) {
                Some(tail) => Ok(Some(tail.to_owned())),
                None => Err(UpstreamError::Unacceptable("a page link that leads elsewhere")),
            };
        }
        Ok(None)
    }
}

fn absent(status: StatusCode) -> Result<Reading, UpstreamError> {
    match status {
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Ok(Reading::Absent),
        _ => Err(UpstreamError::Unacceptable("neither the resource nor its absence")),
    }
}

/// The Bundle of a successful search or history.
pub(crate) fn bundle(answer: Answer) -> Result<Doc, UpstreamError> {
    let doc = answer.doc.filter(|doc| doc.resource_type() == Some(ResourceType::BUNDLE));
    doc.ok_or(UpstreamError::Unacceptable("not a Bundle"))
}

fn outgoing(doc: &Doc) -> Outgoing {
    Outgoing { content_type: FHIR_JSON, body: Bytes::copy_from_slice(doc.bytes()) }
}

/// A change the upstream would not make: only whether to retry is passed on.
fn refused_change(status: StatusCode) -> Refusal {
    match status {
        StatusCode::PRECONDITION_FAILED => Problem::VersionMismatch.into(),
        StatusCode::CONFLICT => Problem::Conflict.into(),
        StatusCode::NOT_FOUND | StatusCode::GONE => Problem::NotFound.into(),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            Problem::ResourceInvalid.into()
        }
        _ => Problem::UpstreamUnavailable.into(),
    }
}
