//! The command line as a stranger and a script meet it: the built binary, its words, its exit
//! codes, its files.

mod account;
mod configured;
mod consent;
mod decide;
mod doctor;
mod emergency;
mod help;
mod import;
mod keys;
mod labels;
mod policy;
mod proxy;
mod receipt;
mod replay;
mod review;
mod simulate;
mod start;
mod tls;
mod verify;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proviso_testkit::process::{Server, run};

/// What a run of the binary came to.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    async fn of(arguments: &[&str]) -> Self {
        let (code, out, err) = run(arguments).await.unwrap();
        Self { code, out, err }
    }

    /// Checks the exit code; the words are in the message when it differs.
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "out: {}\nerr: {}", self.out, self.err);
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    fn says(&self, words: &str) -> &Self {
        let said = format!("{}{}", self.out, self.err);
        assert!(said.contains(words), "does not say `{words}`: {said}");
        self
    }
}

/// A demo world that nobody serves, in a folder of its own.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::demo_again(&folder.path().join("data")).await.unwrap();
        assert_eq!(server.interrupt().await.unwrap(), Some(0));
        let world = Self { folder };
        own(&world.data());
        world
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn path(&self) -> String {
        text(&self.data())
    }

    fn database(&self) -> PathBuf {
        self.data().join("proviso.db")
    }

    /// A second folder with the same files.
    fn copy(&self, name: &str) -> PathBuf {
        let into = self.folder.path().join(name);
        std::fs::create_dir(&into).unwrap();
        for file in std::fs::read_dir(self.data()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
        own(&into);
        into
    }

    /// Writes a configuration over this data folder and gives its path. `more` goes in front.
    fn config(&self, name: &str, more: &str) -> String {
        let path = self.folder.path().join(name);
        let keys = [
            ("public_url", "\"http://127.0.0.1:8080\"".to_owned()),
            ("listen", "\"127.0.0.1:0\"".to_owned()),
            ("admin_listen", "\"127.0.0.1:0\"".to_owned()),
            ("data_dir", format!("{:?}", self.path())),
            ("organization.name", "\"Example Clinic\"".to_owned()),
            ("consent.policy_uri", "\"https://records.example.org/terms\"".to_owned()),
            ("keys.provider", "\"file\"".to_owned()),
        ];
        let mut lines = more.to_owned();
        for (key, value) in keys {
            if !more.contains(&format!("{key} =")) {
                lines.push_str(&format!("\n{key} = {value}"));
            }
        }
        std::fs::write(&path, lines).unwrap();
        text(&path)
    }
}

/// Takes the rights of others away, as the binary does when it makes a folder itself.
fn own(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Runs a program on a terminal of its own and gives what it showed there. It is sent Ctrl-C once
/// these words are there, or runs to its end. Python brings terminals as it brings SQLite.
fn on_a_terminal(arguments: &[String], environment: &[(&str, &str)], until: &str) -> String {
    let program = "
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
shown, asked = b'', False
while True:
    try:
        more = os.read(terminal, 65536)
    except OSError:
        break
    if not more:
        break
    shown += more
    if not asked and sys.argv[1].encode() in shown:
        asked = True
        os.write(terminal, bytes([3]))
os.waitpid(child, 0)
sys.stdout.buffer.write(shown)";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", program, until]).args(arguments).env_remove("NO_COLOR");
    command.envs(environment.iter().copied());
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// Runs SQL on a database file from outside, as whoever owns the disk could. Python brings SQLite
/// on every machine that runs these tests.
fn tamper(database: &Path, script: &str) {
    let program = format!(
        "import sqlite3, sys\n\
         db = sqlite3.connect(sys.argv[1])\n\
         one = lambda sql, *args: db.execute(sql, args).fetchone()\n\
         for name, in db.execute(\"select name from sqlite_master where type='trigger'\").fetchall():\n\
         \x20   db.execute('drop trigger ' + name)\n\
         {script}\n\
         db.commit()\n\
         db.execute('pragma wal_checkpoint(truncate)')\n\
         db.close()\n"
    );
    let done = std::process::Command::new("python3")
        .args(["-c", &program, &text(database)])
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
