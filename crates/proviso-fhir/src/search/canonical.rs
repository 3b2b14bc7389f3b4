//! URIs and canonical URLs: when two are the same, and the order that `:above` and `:below` go by.
//!
//! FHIR R4 search.html#uri: URLs are ordered by whole segments of their path; URNs are not. A
//! canonical URL may name a version behind a bar (references.html#canonical): without one it
//! stands for every version, and versions are ordered by whole parts between their dots.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// How a URI is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UriMatch {
    Equal,
    Above,
    Below,
}

/// A URL and the version that it names, if it names one.
pub(super) type Named<'a> = (&'a str, Option<&'a str>);

/// Parts a text at its bar. No URI has one, so that only canonical URLs are parted.
pub(super) fn named(text: &str) -> Named<'_> {
    text.split_once('|').map_or((text, None), |(url, version)| (url, Some(version)))
}

pub(super) fn accepts(how: UriMatch, wanted: Named<'_>, found: Named<'_>) -> bool {
    let is_same = found.0 == wanted.0 && (wanted.1.is_none() || found.1 == wanted.1);
    match how {
        UriMatch::Equal => is_same,
        UriMatch::Below => is_same || is_under(found, wanted),
        UriMatch::Above => is_same || is_under(wanted, found),
    }
}

fn is_under(one: Named<'_>, other: Named<'_>) -> bool {
    match other.1 {
        None => is_at_or_under(one.0, other.0),
        Some(version) => {
            let parts_follow = |own: &str| {
                own.strip_prefix(version)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            one.0 == other.0 && one.1.is_some_and(parts_follow)
        }
    }
}

/// By whole segments of the path.
fn is_at_or_under(uri: &str, parent: &str) -> bool {
    let stem = parent.strip_suffix('/').unwrap_or(parent);
    let is_urn = parent.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"));
    uri == parent
        || !is_urn
            && uri.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The parents of a URL that `:above` may meet, itself included.
pub(super) fn uri_parents(uri: &str) -> Vec<String> {
    let mut found = Vec::from([uri.to_owned()]);
    for (at, _) in uri.match_indices('/') {
        for end in [at, at + 1] {
            if let Some(parent) = uri.get(..end).filter(|parent| !parent.is_empty()) {
                found.push(parent.to_owned());
            }
        }
    }
    found.push(alloc::format!("{uri}/"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: FHIR R4 search.html uri, references.html canonical
    #[test]
    fn urls_are_ordered_by_segments_and_versions_by_parts() {
        let q = "http://x/q";
        for (wanted, found, equal, below, above) in [
            (q, q, true, true, true),
            (q, "http://x/q|4.0", true, true, true),
            (q, "http://x/q/r", false, true, false),
            (q, "http://x/qr", false, false, false),
            (q, "http://x", false, false, true),
            (q, "http://x|1", false, false, false),
            ("http://x/q|4", "http://x/q|4", true, true, true),
            ("http://x/q|4", "http://x/q|4.0.1", false, true, false),
            ("http://x/q|4", "http://x/q|40", false, false, false),
            ("http://x/q|4", q, false, false, true),
            ("http://x/q|4", "http://x/q/r|4", false, false, false),
            ("http://x/q|4.0.1", "http://x/q|4.0", false, false, true),
            ("http://x/q|4.0.1", "http://x/q|4.0.10", false, false, false),
            ("http://x/q|4.0.1", "http://x", false, false, true),
            ("urn:oid:1.2", "urn:oid:1.2", true, true, true),
            ("urn:oid:1.2", "urn:oid:1.2.3", false, false, false),
            ("urn:x:a", "urn:x:a/b", false, false, false),
            ("http://x/", "http://x/q", false, true, false),
        ] {
            let ask = |how| accepts(how, named(wanted), named(found));
            let answers = (ask(UriMatch::Equal), ask(UriMatch::Below), ask(UriMatch::Above));
            assert_eq!(answers, (equal, below, above), "{wanted} {found}");
        }
    }
}
