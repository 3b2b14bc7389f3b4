use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Message ids and `id.attribute` keys of a catalogue.
fn keys(language: Language) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let mut message = String::new();
    for line in language.source().lines() {
        if let Some(attribute) =
            line.trim_start().strip_prefix('.').filter(|_| line.starts_with(' '))
        {
            let name = attribute.split(' ').next().unwrap();
            keys.insert(format!("{message}.{name}"));
        } else if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            line.split(" =").next().unwrap().clone_into(&mut message);
            assert!(keys.insert(message.clone()), "`{message}` twice in {}", language.tag());
        }
    }
    keys
}

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("snapshots") {
            files(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "html") {
            found.push(path);
        }
    }
}

/// Every quoted word in our sources that looks like a key because a catalogue family begins so.
fn quoted_keys() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("src"), &mut paths);
    files(&root.join("templates"), &mut paths);
    let mut found = BTreeSet::new();
    for path in paths {
        let text = std::fs::read_to_string(path).unwrap();
        for marker in [".say(\"", ".with(\"", ".count(\"", "![all(\""] {
            for rest in text.split(marker).skip(1) {
                found.insert(rest.split('"').next().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
fn every_language_has_the_same_keys() {
    let english = keys(Language::English);
    let spanish = keys(Language::Spanish);
    assert_eq!(english.difference(&spanish).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(spanish.difference(&english).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn catalogues_parse_without_errors() {
    for language in Language::ALL {
        let parsed = FluentResource::try_new(language.source().to_owned());
        assert!(parsed.is_ok(), "{}: {:?}", language.tag(), parsed.err().map(|(_, e)| e));
    }
}

#[test]
fn every_key_used_exists() {
    let known = keys(Language::English);
    let used = quoted_keys();
    assert!(used.len() > 100, "the scan found only {}", used.len());
    let missing: Vec<_> = used.iter().filter(|key| !known.contains(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_code_has_its_texts() {
    for language in Language::ALL {
        let known = keys(language);
        let need = |key: String| assert!(known.contains(&key), "`{key}` in {}", language.tag());
        for code in Category::ALL.iter().map(|it| it.code()) {
            for part in ["", ".examples"] {
                need(format!("category-{code}{part}"));
            }
        }
        for code in SensitiveKind::ALL.iter().map(|it| it.code()) {
            for part in ["", ".what", ".examples"] {
                need(format!("sensitive-{code}{part}"));
            }
        }
        for purpose in PurposeOfUse::ALL {
            let code = purpose.code().to_ascii_lowercase();
            need(format!("purpose-{code}"));
            need(format!("purpose-{code}.proxy"));
        }
        for duration in DURATIONS {
            need(format!("duration-{}", duration_code(duration)));
            need(format!("duration-{}.what", duration_code(duration)));
        }
        for problem in crate::problem::Problem::ALL {
            need(format!("error-{}", problem.code()));
            need(format!("error-{}.what", problem.code()));
        }
        need("activity-who-server".to_owned());
        need("activity-who-nobody".to_owned());
        for family in ["operational", "identity"] {
            need(format!("{family}-title"));
            need(format!("{family}-intro"));
        }
        for outcome in crate::portal::activity::OUTCOMES {
            need(format!("activity-outcome-{}", crate::portal::sentence::outcome_code(outcome)));
        }
    }
}

#[test]
fn the_language_of_the_browser_is_followed() {
    let check = |accept: &str, expected: Option<Language>| {
        assert_eq!(Language::negotiate(accept), expected, "{accept}");
    };
    check("es-MX,es;q=0.9,en;q=0.8", Some(Language::Spanish));
    check("en;q=0.3, es;q=0.7", Some(Language::Spanish));
    check("de, en;q=0.5", Some(Language::English));
    check("es;q=0, en;q=0.1", Some(Language::English));
    check("de", None);
    check("es;q=nonsense", None);
    check("", None);
}

#[test]
fn dates_are_written_as_people_write_them() {
    let at = At::parse("2026-11-22T14:02:09Z").unwrap();
    assert_eq!(Language::English.texts().moment(at), "22 November 2026, 14:02 UTC");
    assert_eq!(Language::Spanish.texts().moment(at), "22 de noviembre de 2026, 14:02 UTC");
}

#[test]
fn counts_follow_the_language() {
    let english = Language::English.texts();
    assert_eq!(english.count("home-apps-count", 0, &[]), "No app can see the records.");
    assert_eq!(english.count("home-apps-count", 1, &[]), "One app can see records.");
    assert_eq!(english.count("home-apps-count", 7, &[]), "7 apps can see records.");
}

/// Key and text of every line of a catalogue, selectors included.
fn lines(language: Language) -> Vec<(String, String)> {
    let mut key = String::new();
    let mut found = Vec::new();
    for line in language.source().lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(|c: char| c.is_ascii_lowercase()) {
            line.split(" =").next().unwrap().clone_into(&mut key);
        }
        if let Some((_, text)) = line.split_once(" = ").or_else(|| line.split_once("] ")) {
            found.push((key.clone(), text.to_owned()));
        }
    }
    found
}

// Covers: style §11, reading age about 12
#[test]
fn sentences_are_short() {
    for language in Language::ALL {
        for (key, text) in lines(language) {
            for sentence in text.split_inclusive(['.', '?', '!']) {
                let words = sentence.split_whitespace().filter(|word| *word != "{").count();
                assert!(words <= 28, "{} `{key}` has {words} words: {sentence}", language.tag());
            }
        }
    }
}

// Covers: glossary, the words that patients do not read
#[test]
fn texts_use_the_words_of_the_glossary() {
    const NEVER: &[&str] = &["scope", "resource", "oauth", "fhir", "token", "client", "endpoint"];
    for language in Language::ALL {
        for (key, text) in lines(language) {
            // The demonstration app is another party and talks to developers.
            if key.starts_with("demo-") {
                continue;
            }
            let words = text.to_lowercase();
            for word in words.split(|c: char| !c.is_alphabetic()) {
                assert!(!NEVER.contains(&word), "{} `{key}` says `{word}`", language.tag());
            }
        }
    }
}
