//! The house rules that a compiler does not check: arrows between crates, docs that name what is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Who may use whom. Anything absent is forbidden. ADR 0001 has the reasons.
const ARROWS: &[(&str, &[&str])] = &[
    ("proviso-core", &[]),
    ("proviso-tlog", &[]),
    ("proviso-fhir", &["proviso-core"]),
    ("proviso-oauth", &["proviso-core"]),
    ("proviso-store", &["proviso-core", "proviso-oauth", "proviso-tlog"]),
    (
        "proviso-app",
        &["proviso-core", "proviso-fhir", "proviso-oauth", "proviso-store", "proviso-tlog"],
    ),
    ("proviso-gateway", &["proviso-app", "proviso-core", "proviso-fhir", "proviso-oauth"]),
    ("proviso-http", &["proviso-app", "proviso-core", "proviso-fhir", "proviso-oauth"]),
    (
        "proviso",
        &["proviso-app", "proviso-core", "proviso-gateway", "proviso-http", "proviso-store"],
    ),
    (
        "proviso-testkit",
        &[
            "proviso",
            "proviso-app",
            "proviso-core",
            "proviso-fhir",
            "proviso-gateway",
            "proviso-http",
            "proviso-oauth",
            "proviso-store",
            "proviso-tlog",
        ],
    ),
];

/// Crates that know no operating system.
const PURE: &[&str] = &["proviso-core", "proviso-fhir", "proviso-tlog"];

/// What pure crates may use from outside (style §12).
const PURE_ALLOWED: &[&str] = &[
    "serde",
    "serde_json",
    "thiserror",
    "jiff",
    "sha2",
    "url",
    "base64",
    "icu_normalizer",
    "libm",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap()
}

/// Normal and build dependencies of each crate of the workspace.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    metadata()
        .packages
        .iter()
        .map(|package| {
            let names = package
                .dependencies
                .iter()
                .filter(|d| d.kind != cargo_metadata::DependencyKind::Development)
                .map(|d| d.name.clone())
                .collect();
            (package.name.to_string(), names)
        })
        .collect()
}

#[test]
fn crates_depend_only_along_the_arrows_of_the_design() {
    let found = dependencies();
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let present: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(present, known, "the workspace has other crates than the table of arrows");
    for (name, allowed) in ARROWS {
        for used in found[*name].iter().filter(|used| used.starts_with("proviso")) {
            assert!(allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
    }
}

#[test]
fn pure_crates_are_no_std_and_use_only_the_allowed_crates() {
    let found = dependencies();
    for name in PURE {
        let source = std::fs::read_to_string(root().join("crates").join(name).join("src/lib.rs"));
        assert!(source.unwrap().contains("#![no_std]"), "{name} is not no_std");
        for used in &found[*name] {
            let allowed = used.starts_with("proviso-") || PURE_ALLOWED.contains(&used.as_str());
            assert!(allowed, "{name} must not depend on {used}");
        }
    }
}

#[test]
fn only_the_store_speaks_sql() {
    // What the benchmark compares the store with is a database without the store.
    let allowed = ["proviso-store", "proviso-testkit"];
    for (name, used) in dependencies() {
        assert!(
            allowed.contains(&name.as_str()) || !used.contains("rusqlite"),
            "{name} must reach the database through proviso-store"
        );
    }
}

#[test]
fn the_architecture_page_names_every_crate_and_none_that_is_gone() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(page.lines().count() <= 250, "ARCHITECTURE.md is longer than 250 lines");
    let present: BTreeSet<String> = dependencies().into_keys().collect();
    for name in &present {
        assert!(page.contains(&format!("`{name}`")), "ARCHITECTURE.md does not name {name}");
    }
    for word in page.split('`').filter(|word| word.starts_with("proviso-")) {
        let is_crate = word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(!is_crate || present.contains(word), "ARCHITECTURE.md names {word}, which is gone");
    }
}

#[test]
fn every_page_of_the_book_exists_and_is_listed() {
    let source = root().join("docs/src");
    let summary = std::fs::read_to_string(source.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<PathBuf> = summary
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(|link| source.join(link.trim_start_matches("./")))
        .collect();
    for page in &listed {
        assert!(page.is_file(), "SUMMARY.md lists {}, which does not exist", page.display());
    }
    for page in markdown_below(&source) {
        let known = listed.contains(&page) || page.ends_with("SUMMARY.md");
        assert!(known, "{} is not listed in SUMMARY.md", page.display());
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = markdown_below(&root().join("docs/src"));
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"] {
        pages.push(root().join(name));
    }
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let target = page.parent().unwrap().join(path);
            assert!(target.exists(), "{} links to {path}, which is gone", page.display());
        }
    }
}

fn markdown_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(markdown_below(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found
}

/// Words that mean somebody stopped half-way (style §6), and lints of style §8 that clippy lacks.
#[test]
fn sources_hold_no_leftovers() {
    for file in rust_below(&root().join("crates")) {
        if file.ends_with("tests/workspace.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for bad in ["FIXME", "XXX:", "HACK", "#[ignore", "//! placeholder"] {
                assert!(!line.contains(bad), "{}:{} has {bad}", file.display(), number + 1);
            }
            assert!(
                !line.contains("TODO") || line.contains("TODO(#"),
                "{}:{} has a TODO without an issue number",
                file.display(),
                number + 1
            );
        }
    }
}

/// Style §8: 800 lines at most without tests; catalogues and generated tables say so on line one.
#[test]
fn files_stay_small() {
    for file in rust_below(&root().join("crates")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap_or("");
        let exempt = first.contains("catalogue")
            || first.contains("Generated")
            || file.components().any(|c| c.as_os_str() == "tests")
            || file.file_name().is_some_and(|name| name == "tests.rs");
        let code = text.split("#[cfg(test)]").next().unwrap_or("");
        let lines = code.lines().count();
        assert!(exempt || lines <= 800, "{} has {lines} lines", file.display());
    }
}

fn rust_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_below(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_benchmark_page_shows_the_help_of_the_command() {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_bench")).arg("-h").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let page = std::fs::read_to_string(root().join("docs/src/reference/benchmark.md")).unwrap();
    assert!(
        page.contains(&format!("```text\n{}\n```", help.trim_end())),
        "the page lacks:\n{help}"
    );
}
