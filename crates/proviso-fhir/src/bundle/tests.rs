use alloc::string::{String, ToString};
use alloc::vec;
use alloc::{borrow::ToOwned, format};

use proviso_core::time::At;

use super::{
    Bundle, BundleError, BundleType, ENTRIES_MAX, Entry, EntryFault, EntryResponse, IncomingBundle,
    IncomingKind, SearchMode,
};
use crate::classify::Method;
use crate::json::Doc;

#[test]
fn resources_are_embedded_byte_for_byte() {
    let mut bundle = Bundle::new(BundleType::Searchset);
    bundle.total = Some(1);
    bundle.links.push(("self", "http://x/Patient?a=b".to_owned()));
    bundle.entries.push(Entry {
        full_url: Some("http://x/Patient/1".to_owned()),
        resource: Some(b"{ \"resourceType\":\"Patient\", \"v\": 7.20 }".to_vec()),
        search: Some(SearchMode::Match),
        ..Entry::default()
    });
    assert_eq!(
        String::from_utf8(bundle.to_bytes()).unwrap(),
        concat!(
            r#"{"resourceType":"Bundle","type":"searchset","total":1,"#,
            r#""link":[{"relation":"self","url":"http://x/Patient?a=b"}],"#,
            r#""entry":[{"fullUrl":"http://x/Patient/1","#,
            r#""resource":{ "resourceType":"Patient", "v": 7.20 },"search":{"mode":"match"}}]}"#
        )
    );
}

#[test]
fn empty_lists_are_left_out() {
    let bytes = Bundle::new(BundleType::History).to_bytes();
    assert_eq!(bytes, br#"{"resourceType":"Bundle","type":"history"}"#);
}

#[test]
fn responses_say_what_came_of_each_entry() {
    let mut bundle = Bundle::new(BundleType::TransactionResponse);
    bundle.entries = vec![Entry {
        response: Some(EntryResponse {
            status: "201".to_owned(),
            location: Some("Patient/1/_history/1".to_owned()),
            etag: Some(super::etag(1)),
            last_modified: Some(At::from_secs(0)),
            outcome: None,
        }),
        ..Entry::default()
    }];
    let doc = Doc::parse(bundle.to_bytes()).unwrap();
    let response = doc.root().first(&["entry", "response"]).unwrap();
    assert_eq!(
        response.raw(),
        br#"{"status":"201","location":"Patient/1/_history/1","etag":"W/\"1\"","lastModified":"1970-01-01T00:00:00Z"}"#
    );
}

fn read(text: &str) -> Result<(IncomingKind, usize), BundleError> {
    let doc = Doc::parse(text.as_bytes().to_vec()).unwrap();
    IncomingBundle::read(&doc).map(|bundle| (bundle.kind, bundle.entries.len()))
}

fn transaction(entries: &str) -> String {
    format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#)
}

#[test]
fn a_transaction_is_read_in_order() {
    let text = transaction(
        r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=a|b"}},
           {"request":{"method":"DELETE","url":"Observation/1"}},
           {"request":{"method":"GET","url":"Observation?code=x","ifNoneMatch":"W/\"1\""}}"#,
    );
    let doc = Doc::parse(text.into_bytes()).unwrap();
    let bundle = IncomingBundle::read(&doc).unwrap();
    assert_eq!(bundle.kind, IncomingKind::Transaction);
    let methods: alloc::vec::Vec<_> = bundle.entries.iter().map(|e| e.request.method).collect();
    assert_eq!(methods, [Method::Post, Method::Delete, Method::Get]);
    assert_eq!(bundle.entries[0].full_url.as_deref(), Some("urn:uuid:1"));
    assert_eq!(bundle.entries[0].request.if_none_exist.as_deref(), Some("identifier=a|b"));
    assert_eq!(bundle.entries[2].request.if_none_match.as_deref(), Some("W/\"1\""));
}

#[test]
fn what_is_no_batch_is_refused() {
    assert_eq!(read("[]"), Err(BundleError::NotABundle));
    assert_eq!(read(r#"{"resourceType":"Patient"}"#), Err(BundleError::NotABundle));
    assert_eq!(read(r#"{"resourceType":"Bundle"}"#), Err(BundleError::WrongType));
    assert_eq!(
        read(r#"{"resourceType":"Bundle","type":"searchset"}"#),
        Err(BundleError::WrongType)
    );
    assert_eq!(read(r#"{"resourceType":"Bundle","type":"batch"}"#), Ok((IncomingKind::Batch, 0)));
}

#[test]
fn a_bad_entry_is_named() {
    let check = |entry: &str, fault| {
        assert_eq!(
            read(&transaction(entry)),
            Err(BundleError::Entry { index: 0, fault }),
            "{entry}"
        );
    };
    check("1", EntryFault::NotAnObject);
    check("{}", EntryFault::NoRequest);
    check(r#"{"request":{"method":"GET"}}"#, EntryFault::NoRequest);
    check(r#"{"request":{"method":"get","url":"Patient"}}"#, EntryFault::UnknownMethod);
    check(r#"{"request":{"method":"OPTIONS","url":"Patient"}}"#, EntryFault::UnknownMethod);
    check(r#"{"request":{"method":"PUT","url":"Patient/1"}}"#, EntryFault::WrongResource);
    check(
        r#"{"resource":{"resourceType":"Patient"},"request":{"method":"DELETE","url":"Patient/1"}}"#,
        EntryFault::WrongResource,
    );
    check(
        r#"{"resource":{"resourceType":"Bundle"},"request":{"method":"POST","url":"Bundle"}}"#,
        EntryFault::NestedBundle,
    );
    check(r#"{"fullUrl":1,"request":{"method":"GET","url":"x"}}"#, EntryFault::NotAString);
    let twice = r#"{"fullUrl":"a","request":{"method":"GET","url":"x"}},{"fullUrl":"a","request":{"method":"GET","url":"x"}}"#;
    assert_eq!(
        read(&transaction(twice)),
        Err(BundleError::Entry { index: 1, fault: EntryFault::DuplicateFullUrl })
    );
}

#[test]
fn two_hundred_entries_are_accepted_and_one_more_refused() {
    let entry = r#"{"request":{"method":"GET","url":"Patient/1"}}"#;
    let of = |count: usize| transaction(&vec![entry; count].join(","));
    assert_eq!(read(&of(ENTRIES_MAX)).unwrap().1, ENTRIES_MAX);
    let error = read(&of(ENTRIES_MAX + 1)).unwrap_err();
    assert_eq!(error, BundleError::TooManyEntries);
    assert_eq!(error.to_response().0, 413);
    assert!(error.to_string().contains("200"));
}
