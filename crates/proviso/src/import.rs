//! `proviso import`: loads NDJSON and transaction Bundles into the embedded store.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use aws_lc_rs::digest;
use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use proviso_app::App;
use proviso_app::records::{ImportError, ImportProgress, ImportReport, Rejection};
use proviso_core::audit::{AuditKind, AuditOutcome};
use proviso_core::category_rules::is_directory;
use proviso_core::id::hex;
use proviso_core::resource_type::ResourceType;
use proviso_store::{Batch, ExpectSetting, Op};
use serde::Serialize;

use crate::cli::ImportArgs;
use crate::commands::Ending;
use crate::console::{self, Mark};
use crate::demo::commit_import;
use crate::installation::Installation;

/// LIMIT: a longer line is no resource; reading on would only fill the memory.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// LIMIT: a Bundle is read as a whole.
const BUNDLE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// How many rejected lines of a file are shown; `--rejects` has up to a thousand.
const SHOWN_MAX: usize = 10;

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct FileSummary {
    file: String,
    #[serde(flatten)]
    progress: ImportProgress,
    /// Rejected lines that this run can name.
    #[serde(skip)]
    rejections: Vec<Rejection>,
}

/// What came of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Summary {
    files: Vec<FileSummary>,
    stored: u64,
    unchanged: u64,
    rejected: u64,
}

/// A rejected line, as the file of `--rejects` has it.
#[derive(Debug, Serialize)]
struct RejectedLine<'a> {
    file: &'a str,
    line: u64,
    reason: &'a str,
}

/// Loads files: first those with directory entries, which others refer to, then patients, then the
/// rest; otherwise in the order in which they are named.
///
/// # Errors
/// When a file cannot be read or the store cannot be written. Everything committed before stays;
/// the same command goes on from there.
pub async fn run(arguments: ImportArgs) -> anyhow::Result<Ending> {
    let installation = Installation::named_by(&arguments.into)?;
    let mut sized = Vec::with_capacity(arguments.files.len());
    // A name that is wrong is told before anything is loaded.
    for file in &arguments.files {
        let about =
            std::fs::metadata(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        anyhow::ensure!(about.is_file(), "`{}` is not a file", file.display());
        sized.push((file, about.len(), rank(file)?));
    }
    sized.sort_by_key(|(_, _, rank)| *rank);
    let lock = installation.lock()?;
    let app = installation.open(&lock).await?;
    let bar = console::progress("importing", sized.iter().map(|(_, size, _)| size).sum());
    let mut rejects = arguments.rejects.as_deref().map(create).transpose()?;
    let mut files = Vec::new();
    for (file, size, _) in sized {
        let before = bar.position();
        let name = file.display().to_string();
        let report = import_file(&app, file, &bar)
            .await
            .with_context(|| format!("stopped in `{name}`; the same command goes on from there"))?;
        bar.set_position(before + size);
        let summary =
            FileSummary { file: name, progress: report.progress, rejections: report.rejections };
        if let Some(out) = &mut rejects {
            write_rejects(out, &summary)?;
        }
        files.push(summary);
    }
    bar.finish_and_clear();
    let summary = Summary::of(files);
    if arguments.json {
        console::line(&serde_json::to_string_pretty(&summary)?);
    } else {
        summary.print();
    }
    Ok(if summary.rejected == 0 { Ending::Done } else { Ending::FoundWrong })
}

impl Summary {
    fn of(files: Vec<FileSummary>) -> Self {
        let total = |count: fn(&ImportProgress) -> u64| {
            files.iter().map(|file| count(&file.progress)).sum()
        };
        Self {
            stored: total(|progress| progress.stored),
            unchanged: total(|progress| progress.unchanged),
            rejected: total(|progress| progress.rejected),
            files,
        }
    }

    fn print(&self) {
        for file in &self.files {
            let ImportProgress { lines: _, stored, unchanged, rejected } = file.progress;
            let mark = if rejected == 0 { Mark::Good } else { Mark::Bad };
            console::marked(
                mark,
                &format!(
                    "{}: {stored} stored, {unchanged} unchanged, {rejected} rejected",
                    file.file
                ),
            );
            for rejection in file.rejections.iter().take(SHOWN_MAX) {
                console::line(&format!("      line {}: {}", rejection.line, rejection.reason));
            }
            let shown = u64::try_from(file.rejections.len().min(SHOWN_MAX)).unwrap_or(0);
            if rejected > shown {
                console::line(&format!(
                    "      and {} more; `--rejects FILE` lists them",
                    rejected - shown
                ));
            }
        }
        console::line(&format!(
            "{} stored, {} unchanged, {} rejected",
            self.stored, self.unchanged, self.rejected
        ));
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot write `{}`", path.display()))
}

fn write_rejects(out: &mut File, summary: &FileSummary) -> anyhow::Result<()> {
    for rejection in &summary.rejections {
        let line =
            RejectedLine { file: &summary.file, line: rejection.line, reason: &rejection.reason };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        out.write_all(&text).context("the rejected lines cannot be written")?;
    }
    Ok(())
}

/// Loads one file.
async fn import_file(
    app: &Arc<App>,
    path: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<ImportReport> {
    let commit = async |batch: Batch| commit_import(app, batch, "import").await;
    if is_document(path) {
        let mut bytes = Vec::new();
        open(path, bar)?.take(BUNDLE_BYTES_MAX).read_to_end(&mut bytes)?;
        return match app.records().import_bundle(bytes, &commit).await {
            Ok(report) => Ok(report),
            // One bad entry refuses the whole Bundle: a transaction is all or nothing.
            Err(ImportError::Records(fault)) => Ok(ImportReport {
                progress: ImportProgress { lines: 1, rejected: 1, ..ImportProgress::default() },
                rejections: vec![Rejection { line: 1, reason: chain(&fault) }],
            }),
            Err(error) => Err(error.into()),
        };
    }
    // The content names the file, so that a run that was stopped goes on only in the very same one.
    let name = fingerprint(path)?;
    let lines = Lines { from: open(path, bar)? };
    let mut ignore = |_: &ImportProgress| {};
    let report = app.records().import_lines(&name, lines, &commit, &mut ignore).await?;
    forget_progress(app, &name).await?;
    Ok(report)
}

/// A file that is loaded to its end starts anew next time: what was deleted since comes back then.
async fn forget_progress(app: &Arc<App>, name: &str) -> anyhow::Result<()> {
    let setting = Op::PutSetting {
        key: format!("import.{name}"),
        value: serde_json::to_string(&ImportProgress::default())?,
        expect: ExpectSetting::Any,
    };
    let entry = app.draft_entry(
        &proviso_app::via::Via::default(),
        AuditKind::Import,
        AuditOutcome::Success,
        "import-end",
    )?;
    app.commit(Batch::new().with(setting), entry).await?;
    Ok(())
}

/// An error with everything behind it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// When a file is loaded: references by criteria are resolved while loading, so what they lead to
/// has to be there before. The first line speaks for the file.
fn rank(path: &Path) -> anyhow::Result<u8> {
    const LAST: u8 = 2;
    #[derive(serde::Deserialize)]
    struct Kind {
        #[serde(rename = "resourceType")]
        resource_type: ResourceType,
    }
    if is_document(path) {
        return Ok(LAST);
    }
    let first = Lines { from: open(path, &ProgressBar::hidden())? }.next();
    // A line that cannot be read is rejected, with its number, when its turn comes.
    let Some(Ok(line)) = first else { return Ok(LAST) };
    let Ok(Kind { resource_type }) = serde_json::from_slice(&line) else { return Ok(LAST) };
    Ok(if is_directory(resource_type) {
        0
    } else if resource_type == ResourceType::PATIENT {
        1
    } else {
        LAST
    })
}

/// Whether the file is one JSON document rather than one resource per line.
fn is_document(path: &Path) -> bool {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    Path::new(name).extension().is_some_and(|extension| extension == "json")
}

fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

fn fingerprint(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        context.update(read);
    }
    Ok(hex(context.finish().as_ref()))
}

/// Opens a file, unpacks it if need be, and shows on the bar how far it has been read.
fn open(path: &Path, bar: &ProgressBar) -> anyhow::Result<Box<dyn BufRead + Send>> {
    let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let counted = Counted { from: file, bar: bar.clone(), read: AtomicU64::new(bar.position()) };
    let packed = BufReader::with_capacity(256 * 1024, counted);
    Ok(if is_gzip(path) {
        Box::new(BufReader::with_capacity(256 * 1024, MultiGzDecoder::new(packed)))
    } else {
        Box::new(packed)
    })
}

/// Moves the bar with what is read from the disk.
struct Counted {
    from: File,
    bar: ProgressBar,
    read: AtomicU64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        let more = u64::try_from(count).unwrap_or(0);
        self.bar.set_position(self.read.fetch_add(more, Ordering::Relaxed) + more);
        Ok(count)
    }
}

/// The lines of a file, without their ends.
struct Lines {
    from: Box<dyn BufRead + Send>,
}

impl Iterator for Lines {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        let read = self.from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        match read {
            Err(error) => Some(Err(error)),
            Ok(0) => None,
            Ok(_) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                    if line.last() == Some(&b'\r') {
                        line.pop();
                    }
                }
                Some(Ok(line))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_say_what_is_inside() {
        for (name, document, gzip) in [
            ("a.ndjson", false, false),
            ("a.ndjson.gz", false, true),
            ("Patient.000.ndjson.GZ", false, true),
            ("bundle.json", true, false),
            ("bundle.JSON.gz", true, true),
            ("json", false, false),
        ] {
            assert_eq!(is_document(Path::new(name)), document, "{name}");
            assert_eq!(is_gzip(Path::new(name)), gzip, "{name}");
        }
    }

    #[test]
    fn what_others_refer_to_is_loaded_first() {
        let folder = tempfile::tempdir().unwrap();
        let rank_of = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            rank(&path).unwrap()
        };
        assert_eq!(rank_of("a.ndjson", "{\"resourceType\":\"Practitioner\"}\n"), 0);
        assert_eq!(rank_of("b.ndjson", "{\"resourceType\":\"Patient\"}"), 1);
        assert_eq!(rank_of("c.ndjson", "{\"resourceType\":\"Encounter\"}"), 2);
        assert_eq!(rank_of("d.ndjson", "not json"), 2);
        assert_eq!(rank_of("e.json", "{\"resourceType\":\"Practitioner\"}"), 2);
    }

    #[test]
    fn lines_end_in_any_of_the_usual_ways() {
        let text: &[u8] = b"{\"a\":1}\r\n\n{\"b\":2}";
        let lines = Lines { from: Box::new(BufReader::new(text)) };
        let lines: Vec<_> = lines.map(Result::unwrap).collect();
        assert_eq!(lines, [&b"{\"a\":1}"[..], b"", b"{\"b\":2}"]);
    }
}
