//! Bundles around resources whose bytes are not touched. Every URL in them is ours.

use proviso_fhir::bundle::{Bundle, BundleType, Entry, EntryResponse, SearchMode};
use proviso_fhir::json::Doc;
use proviso_fhir::search::COUNT_MAX;

use crate::answer::Answer;
use crate::forward::{HistoryPage, Page};
use crate::notice::Notice;

/// A page of search results (FHIR R4 `Bundle.type = searchset`).
pub(crate) fn searchset(
    base: &str,
    page: Page,
    next: Option<String>,
    notice: Option<&Notice>,
) -> Vec<u8> {
    let mut bundle = Bundle::new(BundleType::Searchset);
    bundle.security = labels(notice);
    bundle.total = page.total;
    bundle.links = links(base, &page.path, &page.own_query, next);
    bundle.entries = page
        .entries
        .into_iter()
        .map(|entry| Entry {
            full_url: full_url(base, &entry.stored.doc),
            resource: Some(match (entry.mode, &page.subset) {
                // Parts of a resource are asked for of matches and of what they lead to alike.
                (SearchMode::Match | SearchMode::Include, Some(query)) => query
                    .controls
                    .subset(&entry.stored.doc)
                    .unwrap_or_else(|| entry.stored.doc.into_bytes()),
                _ => entry.stored.doc.into_bytes(),
            }),
            search: Some(entry.mode),
            request: None,
            response: None,
        })
        .collect();
    // FHIR R4 search.html#entry: an outcome among the results is no match and is not counted.
    bundle.entries.extend(notice.map(|notice| Entry {
        resource: Some(notice.outcome()),
        search: Some(SearchMode::Outcome),
        ..Entry::default()
    }));
    bundle.to_bytes()
}

/// The labels of a Bundle with records that must not be passed on.
fn labels(notice: Option<&Notice>) -> Vec<(&'static str, &'static str)> {
    notice.map_or_else(Vec::new, |_| Notice::LABELS.to_vec())
}

/// A page of versions (FHIR R4 `Bundle.type = history`).
pub(crate) fn history(
    base: &str,
    page: HistoryPage,
    next: Option<String>,
    notice: Option<&Notice>,
) -> Vec<u8> {
    let mut bundle = Bundle::new(BundleType::History);
    bundle.security = labels(notice);
    // Versions that the caller may see, like every total here.
    bundle.total = page.total;
    bundle.links = links(base, &page.path, &page.own_query, next);
    bundle.entries = page
        .entries
        .into_iter()
        .map(|entry| Entry {
            full_url: Some(format!("{base}/{}/{}", entry.kind, entry.id)),
            request: Some((entry.method, entry.request_url())),
            response: Some(EntryResponse {
                status: entry.status().to_owned(),
                location: None,
                etag: entry.version.as_deref().map(weak),
                last_modified: entry.at,
                // Entries of a history have no other place for what accompanies them.
                outcome: notice.filter(|_| entry.stored.is_some()).map(Notice::outcome),
            }),
            resource: entry.stored.map(|stored| stored.doc.into_bytes()),
            search: None,
        })
        .collect();
    bundle.to_bytes()
}

/// The answers of a batch or transaction, in the order of its entries (FHIR R4 §3.1.0.11.1).
pub(crate) fn in_one_bundle(base: &str, kind: BundleType, answers: Vec<Answer>) -> Vec<u8> {
    let mut bundle = Bundle::new(kind);
    bundle.security = labels(answers.iter().find_map(|answer| answer.notice.as_ref()));
    bundle.entries = answers
        .into_iter()
        .map(|answer| {
            let failed = answer.status.is_client_error() || answer.status.is_server_error();
            let body = Some(answer.body).filter(|body| !body.is_empty());
            let notice = answer.notice.as_ref().map(Notice::outcome);
            let (resource, outcome) = if failed { (None, body) } else { (body, notice) };
            Entry {
                full_url: None,
                resource,
                search: None,
                request: None,
                response: Some(EntryResponse {
                    status: answer.status.to_string(),
                    location: answer.location.map(|tail| format!("{base}/{tail}")),
                    etag: answer.version.as_deref().map(weak),
                    last_modified: answer.last_modified,
                    outcome,
                }),
            }
        })
        .collect();
    bundle.to_bytes()
}

fn weak(version: &str) -> String {
    format!("W/\"{version}\"")
}

fn full_url(base: &str, doc: &Doc) -> Option<String> {
    Some(format!("{base}/{}/{}", doc.resource_type()?, doc.id()?))
}

/// The caller's own query comes back as it was asked; how it was narrowed does not (leak 44). Only
/// a page size beyond the limit is named as it was used (FHIR R4 search.html §3.1.1.1.5).
fn links(
    base: &str,
    path: &str,
    own_query: &str,
    next: Option<String>,
) -> Vec<(&'static str, String)> {
    let own = if own_query.is_empty() {
        format!("{base}/{path}")
    } else {
        let used: Vec<&str> = own_query.split('&').map(capped).collect();
        format!("{base}/{path}?{}", used.join("&"))
    };
    let mut links = vec![("self", own)];
    links.extend(next.map(|next| ("next", next)));
    links
}

fn capped(part: &str) -> &str {
    const MOST: &str = "_count=1000";
    const _: () = assert!(COUNT_MAX == 1000, "the text above says the same");
    let asked = part.strip_prefix("_count=").and_then(|number| number.parse::<u64>().ok());
    if asked.is_some_and(|asked| asked > u64::from(COUNT_MAX)) { MOST } else { part }
}
