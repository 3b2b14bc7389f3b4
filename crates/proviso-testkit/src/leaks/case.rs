//! What is asked, as data.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// One way in which real systems have leaked, and what shows that this one does not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its number in the catalogue of leaks.
    pub leak: u32,
    /// What is asked, in a few words.
    pub title: String,
    /// Values for `{}`: the steps are taken for each of them.
    #[serde(default)]
    pub each: Vec<String>,
    /// A value for `{}` that leads to nothing at all. Every exchange with one of `each` is the one
    /// with this value, but for the value itself. Without it the letter `x`, as often as the value
    /// has letters; `none` where nothing can be compared; `{type}` and `{name}` are the part of the
    /// value before `/` and `=`.
    #[serde(default)]
    pub never: Option<String>,
    /// What is asked, in order.
    #[serde(default)]
    pub step: Vec<Step>,
    /// Tests that hold the leak where no few requests can show it.
    #[serde(default)]
    pub held_by: Vec<String>,
    /// Why there is nothing to ask.
    #[serde(default)]
    pub not_offered: Option<String>,
}

/// One request, and what its answer must be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Whose token: a name of the adapter; empty for none.
    #[serde(rename = "as", default = "app")]
    pub caller: String,
    /// What happens before: an action of the adapter.
    #[serde(default)]
    pub act: Option<String>,
    /// Method and target below the FHIR base.
    pub send: String,
    /// Headers beside the token.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// The statuses that are right.
    pub status: Vec<u16>,
    /// What the answer has, over all its pages, in any order unless they are `ordered`.
    /// A refusal has none.
    #[serde(default)]
    pub entries: Option<Vec<String>>,
    /// Whether `entries` are in order.
    #[serde(default)]
    pub ordered: bool,
    /// The first entry of the answer.
    #[serde(default)]
    pub first: Option<String>,
    /// `Bundle.total`, where the answer has one.
    #[serde(default)]
    pub total: Option<u64>,
    /// The resource that the answer is, as `Type/id`.
    #[serde(default)]
    pub is: Option<String>,
    /// Texts that the answer has.
    #[serde(default)]
    pub has: Vec<String>,
    /// Texts that neither the headers nor the body of the answer have. `{behind}` is the address of
    /// the server behind the one that is asked.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Whether the question comes back in the links of the answer, which so differ with the value.
    #[serde(default)]
    pub echoes: bool,
    /// The name under which later steps find the link to the next page.
    #[serde(default)]
    pub next: Option<String>,
}

fn app() -> String {
    "app".to_owned()
}

#[derive(Deserialize)]
struct CaseFile {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldFile {
    canaries: Vec<String>,
}

/// The cases, and the records that they are asked about.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// In the order of their files, and in each as they stand.
    pub cases: Vec<Case>,
    /// What `app` may see, whatever else is there: one resource each.
    pub visible: Vec<String>,
    /// What it may not see.
    pub hidden: Vec<String>,
    /// What it may not see, and what is deleted before the first question.
    pub gone: Vec<String>,
    /// What only hidden records say.
    pub canaries: Vec<String>,
}

impl Catalogue {
    /// The catalogue of a folder: `world.toml`, `visible.ndjson`, `hidden.ndjson`, `gone.ndjson` and
    /// the files in `cases`.
    ///
    /// # Errors
    /// When a file is missing or says what nobody understands.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let lines = |name: &str| anyhow::Ok(text(name)?.lines().map(str::to_owned).collect());
        let mut files: Vec<_> = std::fs::read_dir(folder.join("cases"))
            .context("cases")?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()?;
        files.sort();
        let mut cases = Vec::new();
        for path in files {
            let file: CaseFile = toml::from_str(&std::fs::read_to_string(&path)?)
                .with_context(|| path.display().to_string())?;
            cases.extend(file.case);
        }
        let WorldFile { canaries } = toml::from_str(&text("world.toml")?)?;
        Ok(Self {
            cases,
            visible: lines("visible.ndjson")?,
            hidden: lines("hidden.ndjson")?,
            gone: lines("gone.ndjson")?,
            canaries,
        })
    }
}

impl Case {
    /// The value that leads to nothing, for one of `each`.
    pub fn never_like(&self, value: &str) -> Option<String> {
        match self.never.as_deref() {
            Some("none") => None,
            Some(never) => {
                let kind = value.split('/').next().unwrap_or("");
                let name = value.split('=').next().unwrap_or("");
                Some(never.replace("{type}", kind).replace("{name}", name))
            }
            None => Some("x".repeat(value.len())),
        }
    }
}
