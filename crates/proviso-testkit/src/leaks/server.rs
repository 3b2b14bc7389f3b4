//! The server that is asked: any that speaks FHIR R4 over HTTP, told by an adapter.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use http::Method;
use serde::Deserialize;

use crate::gateway_world::mask;
use crate::http_client::{Answer, HttpClient};

/// What has to be known of a server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// Where it is asked, down to the FHIR base.
    pub base: String,
    /// The FHIR base as its answers have it, if that is another.
    #[serde(default)]
    pub links: Option<String>,
    /// The address of the server behind it, which no answer may have.
    #[serde(default)]
    pub behind: Option<String>,
    /// Tokens by the names that cases use.
    pub tokens: BTreeMap<String, String>,
    /// Commands by the names of actions: a program and its arguments.
    #[serde(default)]
    pub actions: BTreeMap<String, Vec<String>>,
    /// Headers that differ between any two answers.
    #[serde(default = "usual_headers")]
    pub volatile_headers: Vec<String>,
    /// Texts behind which an answer has something that is new each time: letters, digits, `-`, `_`.
    #[serde(default)]
    pub volatile_behind: Vec<String>,
    /// Members of resources and Bundles that differ between any two answers.
    #[serde(default)]
    pub volatile_members: Vec<String>,
    /// A second server that has nothing but what `app` may see.
    #[serde(default)]
    pub twin: Option<Box<Adapter>>,
}

fn usual_headers() -> Vec<String> {
    vec!["date".to_owned()]
}

impl Adapter {
    /// The adapter of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    fn links(&self) -> &str {
        self.links.as_deref().unwrap_or(&self.base)
    }

    /// The target of a link of an answer, below the base.
    pub fn below_base<'a>(&self, url: &'a str) -> Option<&'a str> {
        let tail = url.strip_prefix(self.links()).or_else(|| url.strip_prefix(&self.base))?;
        Some(tail.trim_start_matches('/'))
    }

    /// Sends a request as somebody.
    ///
    /// # Errors
    /// When the adapter has no such token, or the server gives no answer.
    pub async fn send(
        &self,
        client: &HttpClient,
        caller: &str,
        request: &Request,
    ) -> anyhow::Result<Answer> {
        let mut headers: Vec<(&str, &str)> = Vec::new();
        let bearer;
        if !caller.is_empty() {
            let token = self.tokens.get(caller);
            let token = token.with_context(|| format!("the adapter has no token `{caller}`"))?;
            bearer = format!("Bearer {token}");
            headers.push(("authorization", &bearer));
        }
        headers.extend(request.headers.iter().map(|(name, value)| (&**name, &**value)));
        let url = match request.target.as_str() {
            "" => self.base.clone(),
            query if query.starts_with('?') => format!("{}{query}", self.base),
            tail => format!("{}/{tail}", self.base),
        };
        client.send(request.method.clone(), &url, &headers, request.body.clone()).await
    }

    /// Does what a case needs done.
    ///
    /// # Errors
    /// When the adapter does not say how, or the command fails.
    pub async fn act(&self, action: &str) -> anyhow::Result<()> {
        let command = self.actions.get(action);
        let command = command.with_context(|| format!("the adapter has no action `{action}`"))?;
        let (program, arguments) = command.split_first().context("an empty command")?;
        let mut child = tokio::process::Command::new(program);
        let status = child.args(arguments).stdin(Stdio::null()).status().await?;
        if !status.success() {
            bail!("{program} ended with {status}");
        }
        Ok(())
    }

    /// An exchange as text, without what differs between any two.
    pub fn fingerprint(&self, answer: &Answer) -> String {
        let mut headers: Vec<String> = answer
            .headers
            .iter()
            .filter(|(name, _)| !self.volatile_headers.iter().any(|skip| name.as_str() == skip))
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.sort();
        let body = match answer.json() {
            Ok(mut body) if !self.volatile_members.is_empty() => {
                self.without_members(&mut body);
                body.to_string()
            }
            _ => answer.text(),
        };
        let all = format!("{}\n{}\n\n{body}", answer.status, headers.join("\n"));
        let all = all.replace(self.links(), "{base}").replace(&self.base, "{base}");
        self.volatile_behind.iter().fold(all, |text, marker| mask(&text, marker, usize::MAX))
    }

    fn without_members(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(members) => {
                for name in &self.volatile_members {
                    members.remove(name);
                }
                members.values_mut().for_each(|member| self.without_members(member));
            }
            serde_json::Value::Array(items) => {
                for item in items {
                    self.without_members(item);
                }
            }
            _ => {}
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Below the base.
    pub target: String,
    /// Headers beside the token.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// Whether the request itself says a text.
    pub fn says(&self, text: &str) -> bool {
        let headers = self.headers.iter().any(|(_, value)| value.contains(text));
        self.target.contains(text) || self.body.contains(text) || headers
    }
}
