//! Starting: what is refused before anything is touched.

use proviso_testkit::process::{Server, binary};

use crate::{Ran, World, on_a_terminal, text};

#[tokio::test]
async fn demo_touches_no_folder_that_is_not_a_demos() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), b"dear").unwrap();
    let data = text(folder.path());
    let ran = Ran::of(&["demo", "--data", &data, "--listen", "127.0.0.1:0"]).await.expect(1);
    ran.says("holds other files").says("--data");
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap()).collect();
    assert_eq!(names.len(), 1, "something was written");
    for command in ["verify", "doctor"] {
        let ran = Ran::of(&[command, "--data", &data]).await;
        assert!(matches!(ran.code, Some(1 | 3)), "{command}: {:?}", ran.code);
        ran.says("is no demo world");
    }
}

#[tokio::test]
async fn demo_listens_on_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = text(&folder.path().join("data"));
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let ran = Ran::of(&["demo", "--data", &data, "--listen", address]).await.expect(1);
        ran.says("this machine only").says("--listen");
        assert!(!folder.path().join("data").exists(), "{address}: the folder was made");
    }
}

// Covers: design P2 (one process holds the live state)
#[tokio::test]
async fn a_data_folder_has_one_process() {
    let world = World::new().await;
    let data = world.path();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let file = world.folder.path().join("a.ndjson");
    std::fs::write(&file, "{\"resourceType\":\"Patient\",\"id\":\"x\"}\n").unwrap();
    let (file, config) = (text(&file), world.config("second.toml", ""));
    for arguments in [
        &["demo", "--data", &data, "--listen", "127.0.0.1:0"][..],
        &["serve", "--config", &config],
        &["import", "--data", &data, &file],
    ] {
        Ran::of(arguments).await.expect(1).says("another proviso process uses");
    }
    // Looking is allowed meanwhile.
    for command in ["verify", "doctor"] {
        Ran::of(&[command, "--data", &data, "--json"]).await.expect(0).json();
    }
    Ran::of(&["keys", "list", "--data", &data]).await.expect(0);
    // An address that is taken is named.
    let other = World::new().await;
    let address = server.origin.strip_prefix("http://").unwrap().to_owned();
    let ran = Ran::of(&["demo", "--data", &other.path(), "--listen", &address]).await.expect(1);
    ran.says(&address).says("already in use");
    // Killed or not, the folder is free afterwards.
    server.kill().await.unwrap();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
}

/// How many records a database has, looked at from outside; none when it is not there yet.
fn records(database: &std::path::Path) -> u64 {
    let program = "import sqlite3, sys\n\
        db = sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True, timeout=10)\n\
        print(db.execute('select count(*) from record_version').fetchone()[0])";
    let done =
        std::process::Command::new("python3").args(["-c", program, &text(database)]).output();
    String::from_utf8(done.unwrap().stdout).unwrap().trim().parse().unwrap_or(0)
}

// A demo that is stopped while its world is built ends in good order; the next start goes on.
#[tokio::test]
async fn a_world_that_is_being_built_can_be_stopped_by_either_signal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let path = text(&data);
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--patients", "150", "--data", &path];
    let database = data.join("proviso.db");
    let mut there = 0;
    for signal in ["INT", "TERM"] {
        let building = Server::begin(&arguments).unwrap();
        // Stopped once it has stored more than before; the whole takes many times as long.
        while records(&database) <= there {
            tokio::task::yield_now().await;
        }
        let code = match signal {
            "INT" => building.interrupt().await.unwrap(),
            _ => building.terminate().await.unwrap(),
        };
        assert_eq!(code, Some(0), "{signal}");
        let stored = records(&database);
        assert!(stored > there, "{signal}: nothing was kept");
        there = stored;
        let marker = std::fs::read_to_string(data.join("demo.json")).unwrap();
        assert!(marker.contains("building"), "{signal}: {marker}");
        Ran::of(&["verify", "--data", &path]).await.expect(0);
    }
    let server = Server::start(&arguments).await.unwrap();
    assert_eq!(server.interrupt().await.unwrap(), Some(0));
    assert!(records(&database) > 15_000, "the world is not complete: {}", records(&database));
    Ran::of(&["verify", "--data", &path]).await.expect(0);
}

/// What is drawn over and over while a world is built and its log checked.
fn drawn(environment: &[(&str, &str)]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = text(&folder.path().join("data"));
    let mut demo = vec![text(&binary().unwrap()), "demo".to_owned()];
    let more = ["--listen", "127.0.0.1:0", "--patients", "20", "--data", &data];
    demo.extend(more.map(str::to_owned));
    let built = on_a_terminal(&demo, environment, "Ctrl-C stops");
    let verify = [text(&binary().unwrap()), "verify".to_owned(), "--data".to_owned(), data];
    (built, on_a_terminal(&verify, environment, "no such words"))
}

#[test]
fn progress_is_told_in_whole_numbers_and_no_bar_is_full_before_it_begins() {
    let (built, verified) = drawn(&[("TERM", "xterm")]);
    assert!(built.contains("building the demo world"), "{built:?}");
    assert!(built.contains("/3,300") && built.contains("/s "), "no bar was drawn: {built:?}");
    for out in [&built, &verified] {
        assert!(!out.contains("0/0"), "a bar of nothing: {out:?}");
        let rates = out.split("/s ").filter_map(|before| before.split(' ').next_back());
        for rate in rates.filter(|rate| rate.starts_with(|c: char| c.is_ascii_digit())) {
            assert!(!rate.contains('.'), "{rate}/s: {out:?}");
        }
    }
    assert!(verified.contains("\u{1b}[32m  ok"), "no colour on a terminal: {verified:?}");
}

#[test]
fn a_terminal_without_colours_gets_none_and_a_dumb_one_nothing_drawn() {
    let (built, verified) = drawn(&[("TERM", "xterm"), ("NO_COLOR", "1")]);
    for out in [&built, &verified] {
        for colour in ["\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
            assert!(!out.contains(colour), "{colour:?} in {out:?}");
        }
    }
    assert!(built.contains("building the demo world"), "the bar needs no colour: {built:?}");
    let (built, verified) = drawn(&[("TERM", "dumb")]);
    assert!(built.contains("Ctrl-C stops") && verified.contains("ok  the audit log is whole"));
    assert!(!built.contains('\u{1b}') && !verified.contains('\u{1b}'), "{built:?} {verified:?}");
}
