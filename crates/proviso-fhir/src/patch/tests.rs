use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{OPERATIONS_MAX, OperationFault, Patch, PatchError, RESULT_BYTES_MAX, WORK_BYTES_MAX};
use crate::json::Doc;

fn doc(text: &str) -> Doc {
    Doc::parse(text.as_bytes().to_vec()).unwrap()
}

fn patched(resource: &str, patch: &str) -> Result<String, PatchError> {
    let patch = doc(patch);
    let patch = Patch::read(&patch)?;
    patch.apply(&doc(resource)).map(|doc| doc.text().to_string())
}

fn operation(resource: &str, operation: &str) -> Result<String, OperationFault> {
    patched(resource, &format!("[{operation}]")).map_err(|error| {
        let PatchError::Operation { fault, .. } = error else { panic!("{error}") };
        fault
    })
}

#[test]
fn operations_do_what_rfc_6902_says_and_leave_the_rest_alone() {
    let cases = [
        (r#"{ "a":7.20 }"#, r#"{"op":"add","path":"/b","value":1.0}"#, r#"{ "a":7.20,"b":1.0 }"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/a","value":2}"#, r#"{"a":2}"#),
        (r#"{"a":[1]}"#, r#"{"op":"add","path":"/a/-","value":2}"#, r#"{"a":[1,2]}"#),
        (r#"{"a":[1]}"#, r#"{"op":"add","path":"/a/1","value":2}"#, r#"{"a":[1,2]}"#),
        (r#"{"a":[1]}"#, r#"{"op":"add","path":"/a/0","value":2}"#, r#"{"a":[2,1]}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"","value":{"b":2}}"#, r#"{"b":2}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/","value":2}"#, r#"{"a":1,"":2}"#),
        (r#"{"a":1}"#, r#"{"op":"add","path":"/b","value":null}"#, r#"{"a":1,"b":null}"#),
        (r#"{"a":1,"b":2}"#, r#"{"op":"remove","path":"/a"}"#, r#"{"b":2}"#),
        (r#"{"a":[1,2,3]}"#, r#"{"op":"remove","path":"/a/1"}"#, r#"{"a":[1,3]}"#),
        (
            r#"{"a":{"b":[1]}}"#,
            r#"{"op":"replace","path":"/a/b/0","value":"x"}"#,
            r#"{"a":{"b":["x"]}}"#,
        ),
        (r#"{"a":1}"#, r#"{"op":"replace","path":"","value":{}}"#, "{}"),
        (
            r#"{"a":{"x":1},"b":{}}"#,
            r#"{"op":"move","from":"/a/x","path":"/b/y"}"#,
            r#"{"a":{},"b":{"y":1}}"#,
        ),
        (r#"{"a":[1,2,3]}"#, r#"{"op":"move","from":"/a/0","path":"/a/2"}"#, r#"{"a":[2,3,1]}"#),
        (r#"{"a":1}"#, r#"{"op":"move","from":"/a","path":"/a"}"#, r#"{"a":1}"#),
        (
            r#"{"a":{"x":1}}"#,
            r#"{"op":"copy","from":"/a","path":"/b"}"#,
            r#"{"a":{"x":1},"b":{"x":1}}"#,
        ),
        (r#"{"a/b":1,"c~d":2}"#, r#"{"op":"remove","path":"/a~1b"}"#, r#"{"c~d":2}"#),
        (r#"{"a/b":1,"c~d":2}"#, r#"{"op":"remove","path":"/c~0d"}"#, r#"{"a/b":1}"#),
    ];
    for (resource, change, wanted) in cases {
        assert_eq!(operation(resource, change).as_deref(), Ok(wanted), "{change}");
    }
}

#[test]
fn tests_compare_values_not_texts() {
    let holds = |resource: &str, path: &str, value: &str| {
        let change = format!(r#"{{"op":"test","path":"{path}","value":{value}}}"#);
        match operation(resource, &change) {
            Ok(text) => {
                assert_eq!(text, resource);
                true
            }
            Err(OperationFault::TestFailed) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let resource = r#"{"n":7.20,"z":-0.0,"s":"\u0061","o":{"a":1,"b":[true,null]},"e":1e400}"#;
    for (path, value) in [
        ("/n", "7.2"),
        ("/n", "72e-1"),
        ("/n", "0.72E+1"),
        ("/z", "0"),
        ("/s", r#""a""#),
        ("/o", r#"{"b":[true,null],"a":1.0}"#),
        ("/e", "1e400"),
        ("/e", "10e399"),
    ] {
        assert!(holds(resource, path, value), "{path} {value}");
    }
    for (path, value) in [
        ("/n", "7.21"),
        ("/n", "-7.2"),
        ("/n", r#""7.20""#),
        ("/s", r#""b""#),
        ("/o", r#"{"a":1}"#),
        ("/o", r#"{"a":1,"c":[true,null]}"#),
        ("/o/b", "[null,true]"),
        ("/e", "1e401"),
    ] {
        assert!(!holds(resource, path, value), "{path} {value}");
    }
}

#[test]
fn what_does_not_fit_fails() {
    let resource = r#"{"a":[1],"b":{"c":"x"}}"#;
    let cases = [
        (r#"{"op":"remove","path":""}"#, OperationFault::RemovesResource),
        (r#"{"op":"remove","path":"/z"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"remove","path":"/a/1"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"remove","path":"/a/-"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"remove","path":"/a/00"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"remove","path":"/a/+0"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"remove","path":"/a/99999999999999999999"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"add","path":"/a/2","value":1}"#, OperationFault::NoSuchPath),
        (r#"{"op":"add","path":"/z/y","value":1}"#, OperationFault::NoSuchPath),
        (r#"{"op":"add","path":"/b/c/d","value":1}"#, OperationFault::NoSuchPath),
        (r#"{"op":"replace","path":"/z","value":1}"#, OperationFault::NoSuchPath),
        (r#"{"op":"move","from":"/b","path":"/b/c"}"#, OperationFault::IntoItself),
        (r#"{"op":"move","from":"/z","path":"/b"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"copy","from":"/z","path":"/b"}"#, OperationFault::NoSuchPath),
        (r#"{"op":"test","path":"/z","value":null}"#, OperationFault::NoSuchPath),
        (r#"{"op":"add","path":"b","value":1}"#, OperationFault::BadPointer),
        (r#"{"op":"add","path":"/a~2","value":1}"#, OperationFault::BadPointer),
        (r#"{"op":"add","path":"/a~","value":1}"#, OperationFault::BadPointer),
        (r#"{"op":"add","path":"/b"}"#, OperationFault::Malformed),
        (r#"{"op":"add","value":1}"#, OperationFault::Malformed),
        (r#"{"op":"Add","path":"/b","value":1}"#, OperationFault::Malformed),
        (r#"{"op":"move","path":"/b"}"#, OperationFault::Malformed),
        (r#"{"path":"/b","value":1}"#, OperationFault::Malformed),
        ("1", OperationFault::Malformed),
    ];
    for (change, wanted) in cases {
        assert_eq!(operation(resource, change), Err(wanted), "{change}");
    }
    assert_eq!(patched(resource, "{}"), Err(PatchError::NotAPatch));
    assert_eq!(patched(resource, "[]").as_deref(), Ok(resource));
}

#[test]
fn a_patch_applies_as_a_whole_or_not_at_all() {
    let patch = r#"[{"op":"replace","path":"/a","value":2},{"op":"test","path":"/a","value":1}]"#;
    assert_eq!(
        patched(r#"{"a":1}"#, patch),
        Err(PatchError::Operation { index: 1, fault: OperationFault::TestFailed })
    );
}

#[test]
fn a_patch_cannot_turn_a_resource_into_another() {
    let resource = r#"{"resourceType":"Patient","id":"a","active":true}"#;
    for change in [
        r#"[{"op":"replace","path":"/id","value":"b"}]"#,
        r#"[{"op":"remove","path":"/id"}]"#,
        r#"[{"op":"replace","path":"/resourceType","value":"Person"}]"#,
        r#"[{"op":"replace","path":"","value":{"resourceType":"Patient","id":"b"}}]"#,
    ] {
        assert_eq!(patched(resource, change), Err(PatchError::ChangesIdentity), "{change}");
    }
    let there_and_back =
        r#"[{"op":"replace","path":"/id","value":"b"},{"op":"replace","path":"/id","value":"a"}]"#;
    assert_eq!(patched(resource, there_and_back).as_deref(), Ok(resource));
}

#[test]
fn a_hundred_operations_are_applied_and_one_more_refused() {
    let of = |count: usize| {
        let operations = vec![r#"{"op":"add","path":"/a/-","value":1}"#; count].join(",");
        patched(r#"{"a":[]}"#, &format!("[{operations}]"))
    };
    assert_eq!(of(OPERATIONS_MAX).unwrap().matches('1').count(), OPERATIONS_MAX);
    assert_eq!(of(OPERATIONS_MAX + 1), Err(PatchError::TooManyOperations));
}

/// A list of operations: the first one, then another so many times.
fn then_often(first: &str, again: &str, count: usize) -> String {
    let mut operations = vec![again; count];
    operations.insert(0, first);
    format!("[{}]", operations.join(","))
}

/// Each copies all that is there into itself, so without a limit 24 of them make 16 GiB of 1 KB.
#[test]
fn copies_of_copies_end_at_the_limit_of_a_body() {
    let first =
        format!(r#"{{"op":"add","path":"/note","value":[{{"text":"{}"}}]}}"#, "x".repeat(1000));
    let copy = r#"{"op":"copy","from":"/note","path":"/note/-"}"#;
    let few = patched(r#"{"a":1}"#, &then_often(&first, copy, 12)).unwrap();
    assert_eq!(few.matches(&"x".repeat(1000)).count(), 4096);
    for count in [13, 24, OPERATIONS_MAX - 1] {
        let answer = patched(r#"{"a":1}"#, &then_often(&first, copy, count));
        assert_eq!(answer, Err(PatchError::TooLarge), "{count}");
    }
}

#[test]
fn a_result_has_as_many_bytes_as_a_body_may_and_not_one_more() {
    let sized = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
    let grow = |before: &str, value: &str| patched(before, value).map(|after| after.len());
    // What each way of adding takes: the value, and around it a name, a colon, a comma.
    for (operation, bytes) in [
        (r#"[{"op":"add","path":"/b","value":1}]"#, r#","b":1"#.len()),
        (r#"[{"op":"copy","from":"","path":"/a"}]"#, RESULT_BYTES_MAX),
        (r#"[{"op":"add","path":"/b","value":[]},{"op":"add","path":"/b/-","value":1}]"#, 8),
        (r#"[{"op":"add","path":"/b","value":[1]},{"op":"add","path":"/b/0","value":1}]"#, 10),
        (r#"[{"op":"add","path":"/b","value":1},{"op":"replace","path":"/b","value":22}]"#, 7),
        (r#"[{"op":"add","path":"/b","value":1},{"op":"move","from":"/b","path":"/bb"}]"#, 7),
    ] {
        if bytes < RESULT_BYTES_MAX {
            let fits = grow(&sized(RESULT_BYTES_MAX - bytes), operation);
            assert_eq!(fits, Ok(RESULT_BYTES_MAX), "{operation}");
            let beyond = grow(&sized(RESULT_BYTES_MAX - bytes + 1), operation);
            assert_eq!(beyond, Err(PatchError::TooLarge), "{operation}");
        } else {
            let beyond = grow(&sized(RESULT_BYTES_MAX), operation);
            assert_eq!(beyond, Err(PatchError::TooLarge), "{operation}");
        }
    }
    // One that is larger already stays as it is or shrinks, and can become no larger.
    let large = RESULT_BYTES_MAX + 10;
    let with = |text: &str| {
        let head = format!(r#"{{"b":{text},"a":""#);
        format!(r#"{head}{}"}}"#, "x".repeat(large - head.len() - 2))
    };
    for (value, wanted) in
        [("1", Ok(large - 1)), ("33", Ok(large)), ("333", Err(PatchError::TooLarge))]
    {
        let change = format!(r#"[{{"op":"replace","path":"/b","value":{value}}}]"#);
        assert_eq!(grow(&with("22"), &change), wanted, "{value}");
    }
}

#[test]
fn many_operations_are_for_small_resources() {
    for operation in [
        r#"{"op":"replace","path":"/b","value":1}"#,
        r#"{"op":"test","path":"/b","value":1}"#,
        r#"{"op":"move","from":"/b","path":"/b"}"#,
        r#"{"op":"add","path":"/b","value":1}"#,
    ] {
        let resource = format!(r#"{{"b":1,"a":"{}"}}"#, "x".repeat(WORK_BYTES_MAX / 8));
        let of = |count: usize| {
            patched(&resource, &then_often(operation, operation, count - 1)).map(|_| ())
        };
        assert_eq!(of(7), Ok(()), "{operation}");
        assert_eq!(of(8), Err(PatchError::TooCostly), "{operation}");
    }
    let small = format!(r#"{{"b":1,"a":"{}"}}"#, "x".repeat(300 * 1024));
    let operation = r#"{"op":"replace","path":"/b","value":2}"#;
    assert!(patched(&small, &then_often(operation, operation, OPERATIONS_MAX - 1)).is_ok());
}

/// Compared pair by pair, these would be some billions of comparisons.
#[test]
fn objects_of_many_members_are_compared_at_once() {
    let members: alloc::vec::Vec<_> = (0..50_000).map(|n| format!(r#""{n}":1"#)).collect();
    let there = members.join(",");
    let backwards: alloc::vec::Vec<_> = members.into_iter().rev().collect();
    let test = |value: &str| {
        operation(
            &format!(r#"{{"a":{{{there}}}}}"#),
            &format!(r#"{{"op":"test","path":"/a","value":{{{value}}}}}"#),
        )
    };
    let backwards = backwards.join(",");
    assert!(test(&backwards).is_ok());
    let other = backwards.replacen(":1", ":2", 1);
    assert_eq!(test(&other), Err(OperationFault::TestFailed));
}

#[test]
fn a_patch_cannot_nest_beyond_the_limit() {
    let inner = "[".repeat(32) + &"]".repeat(32);
    let below = format!("/a{}/-", "/0".repeat(31));
    let grow = format!(
        r#"[{{"op":"add","path":"/a","value":{inner}}},{{"op":"add","path":"{below}","value":{inner}}}]"#
    );
    let error = patched("{}", &grow).unwrap_err();
    assert!(
        matches!(&error, PatchError::Operation { index: 1, fault: OperationFault::BadResult(_) }),
        "{error}"
    );
}

#[test]
fn the_answer_says_which_side_is_wrong() {
    let status = |patch: &str| patched(r#"{"a":1}"#, patch).unwrap_err().to_response().0;
    assert_eq!(status("1"), 400);
    assert_eq!(status(r#"[{"op":"add","path":"x","value":1}]"#), 400);
    assert_eq!(status(r#"[{"op":"test","path":"/a","value":2}]"#), 422);
    assert_eq!(status(r#"[{"op":"remove","path":"/b"}]"#), 422);
    assert_eq!(PatchError::TooLarge.to_response().0, 413);
    assert_eq!(PatchError::TooCostly.to_response().0, 413);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, rng_seed: RngSeed::Fixed(11), failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_patched_stays_json_or_is_refused(
        operations in proptest::collection::vec(
            (
                prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test", "x"]),
                "(/(a|b|c|0|1|2|-|~1|~|)){0,4}",
                "(/(a|b|0|1)){0,3}",
                prop::sample::select(vec!["1", "7.20", "\"x\"", "[]", "[1,{\"a\":2}]", "{\"a\":[0]}", "null"]),
            ),
            0..6,
        ),
    ) {
        let list: alloc::vec::Vec<_> = operations
            .iter()
            .map(|(op, path, from, value)| {
                format!(r#"{{"op":"{op}","path":"{path}","from":"{from}","value":{value}}}"#)
            })
            .collect();
        let patch = doc(&format!("[{}]", list.join(",")));
        let resource = doc(r#"{ "a" : [ 1 , { "b" : 2 } ] , "b" : { "a" : [ ] , "c" : 7.20 } }"#);
        if let Ok(result) = Patch::read(&patch).and_then(|read| read.apply(&resource)) {
            let theirs: Result<serde_json::Value, _> = serde_json::from_str(result.text());
            prop_assert!(theirs.is_ok());
        }
    }
}
