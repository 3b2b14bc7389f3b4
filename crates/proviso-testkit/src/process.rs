//! The built binary as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Where the built binary is: beside the running program (or one folder up, for tests), in the same
/// profile.
///
/// # Errors
/// When it was not built.
pub fn binary() -> anyhow::Result<PathBuf> {
    let running = std::env::current_exe()?;
    running
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("proviso"))
        .find(|path| path.is_file())
        .context("the binary is not built; run `cargo build`, with `--release` for the benchmark")
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its origin, such as `http://127.0.0.1:40123`.
    pub origin: String,
}

impl Server {
    /// Starts `proviso demo` on a free port and waits until it says where it listens.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub async fn demo(data: &Path, extra: &[&str]) -> anyhow::Result<Self> {
        let mut arguments = vec!["demo", "--listen", "127.0.0.1:0", "--data"];
        let data = data.to_str().context("path is not text")?;
        arguments.push(data);
        arguments.extend_from_slice(extra);
        Self::start(&arguments).await
    }

    /// Starts a demo whose world was seeded before, which takes a tenth of the time. The world is
    /// the same as that of [`Server::demo`]; the folder is the caller's own.
    ///
    /// # Errors
    /// When it cannot be seeded, copied or started.
    pub async fn demo_again(data: &Path) -> anyhow::Result<Self> {
        copy_seeded_demo(data).await?;
        Self::demo(data, &[]).await
    }

    /// Starts the binary with any arguments and waits for the line that names its origin.
    ///
    /// # Errors
    /// When it ends before it listens.
    pub async fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(binary()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut origin = None;
        let found = tokio::time::timeout(Duration::from_mins(15), async {
            while let Some(line) = lines.next_line().await? {
                if let Some(at) = line.find("http://127.0.0.1:") {
                    let url: String =
                        line.chars().skip(at).take_while(|c| !c.is_whitespace()).collect();
                    let parsed = url::Url::parse(&url)?;
                    origin = Some(parsed.origin().ascii_serialization());
                    break;
                }
            }
            anyhow::Ok(())
        });
        found.await.context("the server said nothing for a quarter of an hour")??;
        let origin = origin.context("the server ended before it listened")?;
        // The pipe is read on, or the server would block once it is full.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, origin })
    }

    /// Starts the binary and waits until something answers at the origin that it was told.
    ///
    /// # Errors
    /// When it ends before that, or nothing answers for a minute.
    pub async fn start_at(arguments: &[&str], origin: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(binary()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        let address = origin.strip_prefix("http://").context("origin")?;
        for _ in 0..1200 {
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(Self { child, origin: origin.to_owned() });
            }
            if let Some(status) = child.try_wait()? {
                anyhow::bail!("the server ended before it listened: {status}");
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "another process does not say when it listens"
            )]
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("nothing answers at {origin}")
    }

    /// Its process id.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// A URL on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Ends it as a power cut would (SIGKILL) and waits.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// Starts the binary without waiting for it to listen; its output is thrown away.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn begin(arguments: &[&str]) -> anyhow::Result<Self> {
        let child = Command::new(binary()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, origin: String::new() })
    }

    /// Asks it to stop (SIGINT, as Ctrl-C does) and gives its exit code.
    ///
    /// # Errors
    /// When it does not end in twenty seconds.
    pub async fn interrupt(self) -> anyhow::Result<Option<i32>> {
        self.signal("-INT").await
    }

    /// Asks it to stop as a service manager does (SIGTERM) and gives its exit code.
    ///
    /// # Errors
    /// When it does not end in twenty seconds.
    pub async fn terminate(self) -> anyhow::Result<Option<i32>> {
        self.signal("-TERM").await
    }

    async fn signal(mut self, signal: &str) -> anyhow::Result<Option<i32>> {
        let id = self.child.id().context("already ended")?;
        let sent = Command::new("kill").args([signal, &id.to_string()]).status().await?;
        anyhow::ensure!(sent.success(), "kill {signal} failed");
        let ended = tokio::time::timeout(Duration::from_secs(20), self.child.wait()).await??;
        Ok(ended.code())
    }
}

/// Copies a seeded demo into a folder. One is kept beside the binary for as long as that binary
/// is the built one and the day is the same; a lock makes test processes wait for each other.
async fn copy_seeded_demo(into: &Path) -> anyhow::Result<()> {
    let binary = binary()?;
    let about = std::fs::metadata(&binary)?;
    let built = about.modified()?.duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    // The demo's dates are counted from the day on which it is made.
    let day = crate::signing::now_secs()?.div_euclid(86_400);
    let name = format!("{built}-{}-{day}", about.len());
    let shelf = binary.parent().context("no folder")?.join("tmp/seeded-demo");
    std::fs::create_dir_all(&shelf)?;
    let lock = std::fs::File::create(shelf.join("lock"))?;
    lock.lock()?;
    let seeded = shelf.join(&name);
    if !seeded.join("finished").is_file() {
        for old in std::fs::read_dir(&shelf)? {
            let old = old?.path();
            if old.is_dir() {
                std::fs::remove_dir_all(&old)?;
            }
        }
        let server = Server::demo(&seeded.join("data"), &[]).await?;
        server.interrupt().await?;
        std::fs::write(seeded.join("finished"), "")?;
    }
    std::fs::create_dir_all(into)?;
    for file in std::fs::read_dir(seeded.join("data"))? {
        let file = file?;
        std::fs::copy(file.path(), into.join(file.file_name()))?;
    }
    Ok(())
}

/// A port that was free a moment ago.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs the binary to its end and gives exit code, standard output and standard error.
///
/// # Errors
/// When it cannot be started.
pub async fn run(arguments: &[&str]) -> anyhow::Result<(Option<i32>, String, String)> {
    let output = Command::new(binary()?).args(arguments).stdin(Stdio::null()).output().await?;
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ))
}
