//! Starting: what is refused before anything is touched.

use proviso_testkit::process::Server;

use crate::{Ran, World, text};

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
        &["keys", "rotate", "--data", &data],
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
