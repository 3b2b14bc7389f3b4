//! What must not compile, does not: the promises that the type checker keeps.

// Covers: design §2, style §2
#[test]
fn the_request_path_has_no_shortcut_and_ids_and_secrets_stay_apart() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
