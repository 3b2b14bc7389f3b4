//! What must not compile, does not: the promises that the type checker keeps.
//!
//! Each file of `compile_fail/` is given to the compiler against the crates that this very test was
//! built with, so nothing is built twice. What the compiler must say is in the `.stderr` beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The library of a crate as the running test was linked with it: the newest one beside it.
fn library(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let prefix = format!("lib{name}-");
    std::fs::read_dir(deps)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_string_lossy();
            file.starts_with(&prefix) && path.extension().is_some_and(|e| e == "rlib")
        })
        .max_by_key(|path| {
            path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
        })
        .unwrap_or_else(|| panic!("{name} is not built"))
}

/// What the compiler says of a source, and whether it accepted it.
fn compile(source: &Path) -> (bool, String) {
    let text = std::fs::read_to_string(source).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut rustc = Command::new("rustc");
    rustc
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata"])
        .args(["--color", "never", "-A", "warnings", "--out-dir"])
        .arg(folder.path())
        .arg("-L")
        .arg(format!("dependency={}", library("proviso_core").parent().unwrap().display()));
    for name in ["proviso_core", "proviso_gateway"] {
        if text.contains(&format!("use {name}::")) {
            rustc.arg("--extern").arg(format!("{name}={}", library(name).display()));
        }
    }
    let output = rustc.arg(source).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The error and the line it points at; paths, notes and helps may change freely.
fn essence(message: &str) -> Vec<String> {
    message
        .lines()
        .take_while(|line| {
            !line.starts_with("note:")
                && !line.starts_with("error: aborting")
                && !line.trim_start().starts_with("= ")
        })
        .map(str::trim)
        .filter(|line| !line.starts_with("-->") && !line.trim_matches('|').trim().is_empty())
        .map(str::to_owned)
        .collect()
}

// Covers: design §2, style §2
#[test]
fn the_request_path_has_no_shortcut_and_ids_and_secrets_stay_apart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut tried = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let source = entry.unwrap().path();
        if source.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let (accepted, said) = compile(&source);
        assert!(!accepted, "{} compiles", source.display());
        let expected = std::fs::read_to_string(source.with_extension("stderr")).unwrap();
        assert_eq!(essence(&said), essence(&expected), "{}: {said}", source.display());
        tried += 1;
    }
    assert!(tried >= 7, "only {tried} cases were found");
}

/// The other side: the harness itself does not refuse everything.
#[test]
fn the_intended_path_compiles() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("intended.rs");
    std::fs::write(
        &source,
        "use proviso_gateway::Gateway;\n\
         use proviso_gateway::decide::Permitted;\n\
         use proviso_gateway::forward::forward;\n\
         pub async fn intended(gateway: &Gateway, permitted: Permitted) {\n\
             drop(forward(gateway, permitted).await);\n\
         }\n",
    )
    .unwrap();
    let (accepted, said) = compile(&source);
    assert!(accepted, "{said}");
}
