//! Asking, and judging what comes back.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};

use super::case::{Case, Catalogue, Step};
use super::server::{Adapter, Request};
use crate::http_client::{Answer, HttpClient};

/// LIMIT: how many pages of one answer are followed.
const PAGES_MAX: usize = 50;

/// What a case came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was told; the statuses that were answered, in order and once each.
    Holds(Vec<u16>),
    /// Something was told, or could not be asked.
    Fails(String),
    /// Held by tests of this project, by name; nothing was asked.
    HeldBy(Vec<String>),
    /// There is nothing to ask.
    NotOffered(String),
}

/// One case and what it came to.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its number in the catalogue.
    pub leak: u32,
    /// What was asked.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What one answer says, page by page.
struct Exchange {
    status: u16,
    fingerprints: Vec<String>,
    entries: Vec<String>,
    total: Option<u64>,
    next: Option<String>,
    is: Option<String>,
}

/// Asks everything, in order. `act` does to a server what a case needs done.
pub async fn run<A>(catalogue: &Catalogue, adapter: &Adapter, act: A) -> Vec<Finding>
where
    A: AsyncFn(&Adapter, &str) -> anyhow::Result<()>,
{
    let mut findings = Vec::new();
    for case in &catalogue.cases {
        let outcome = run_case(case, &catalogue.canaries, adapter, &act).await;
        findings.push(Finding { leak: case.leak, title: case.title.clone(), outcome });
    }
    findings
}

async fn run_case<A>(case: &Case, canaries: &[String], adapter: &Adapter, act: &A) -> Outcome
where
    A: AsyncFn(&Adapter, &str) -> anyhow::Result<()>,
{
    if let Some(reason) = &case.not_offered {
        return Outcome::NotOffered(reason.clone());
    }
    if case.step.is_empty() {
        return Outcome::HeldBy(case.held_by.clone());
    }
    let runner = Runner { case, canaries, act, client: HttpClient::default() };
    match runner.all(adapter).await {
        Ok(mut statuses) => {
            statuses.sort_unstable();
            statuses.dedup();
            Outcome::Holds(statuses)
        }
        Err(error) => Outcome::Fails(format!("{error:#}")),
    }
}

struct Runner<'a, A> {
    case: &'a Case,
    canaries: &'a [String],
    act: &'a A,
    client: HttpClient,
}

impl<A> Runner<'_, A>
where
    A: AsyncFn(&Adapter, &str) -> anyhow::Result<()>,
{
    async fn all(&self, adapter: &Adapter) -> anyhow::Result<Vec<u16>> {
        let values: Vec<&str> = match self.case.each.as_slice() {
            [] => vec![""],
            some => some.iter().map(String::as_str).collect(),
        };
        let mut statuses = Vec::new();
        for value in values {
            let asked = self.steps(adapter, value, true).await?;
            statuses.extend(asked.iter().map(|exchange| exchange.status));
            if let Some(twin) = &adapter.twin {
                let same = self.steps(twin, value, true).await.context("asked of the twin")?;
                self.compare(&asked, &same, &[], "where nothing is hidden")?;
            }
            if !self.case.each.is_empty()
                && let Some(never) = self.case.never_like(value)
            {
                let same = self.steps(adapter, &never, false).await.context(never.clone())?;
                self.compare(&asked, &same, &[value, &never], "for what never was")?;
            }
        }
        Ok(statuses)
    }

    /// Takes the steps with a value in the place of `{}`.
    async fn steps(
        &self,
        adapter: &Adapter,
        value: &str,
        acts: bool,
    ) -> anyhow::Result<Vec<Exchange>> {
        let mut names = BTreeMap::new();
        let mut exchanges = Vec::new();
        for step in &self.case.step {
            if acts && let Some(action) = &step.act {
                (self.act)(adapter, action).await?;
            }
            let request = step.request(value, &names)?;
            let what = || format!("{} {}", request.method, request.target);
            let exchange = self.ask(adapter, step, &request).await.with_context(what)?;
            step.judge(&exchange).with_context(what)?;
            if let (Some(name), Some(next)) = (&step.next, &exchange.next) {
                names.insert(name.clone(), next.clone());
            }
            exchanges.push(exchange);
        }
        Ok(exchanges)
    }

    /// Sends a request and, where the entries are of interest, follows the pages of its answer.
    async fn ask(
        &self,
        adapter: &Adapter,
        step: &Step,
        request: &Request,
    ) -> anyhow::Result<Exchange> {
        let mut exchange = self.page(adapter, step, request).await?;
        if step.entries.is_none() {
            return Ok(exchange);
        }
        let mut next = exchange.next.clone();
        let mut pages = 1;
        while let Some(target) = next {
            ensure!(pages < PAGES_MAX, "more than {PAGES_MAX} pages");
            pages += 1;
            let request = Request {
                method: http::Method::GET,
                target,
                headers: Vec::new(),
                body: request.body.clone(),
            };
            let page = self.page(adapter, step, &request).await?;
            ensure!(page.status == 200, "page {pages} is answered by {}", page.status);
            exchange.fingerprints.extend(page.fingerprints);
            exchange.entries.extend(page.entries);
            next = page.next;
        }
        Ok(exchange)
    }

    async fn page(
        &self,
        adapter: &Adapter,
        step: &Step,
        request: &Request,
    ) -> anyhow::Result<Exchange> {
        let answer = adapter.send(&self.client, &step.caller, request).await?;
        let fingerprint = adapter.fingerprint(&answer);
        for canary in self.canaries {
            // The caller's own question may come back.
            ensure!(
                request.says(canary) || !fingerprint.contains(canary),
                "`{canary}` is said by {fingerprint}"
            );
        }
        let whole = format!("{:?}{}", answer.headers, answer.text());
        for text in &step.lacks {
            let text = match (text.as_str(), &adapter.behind) {
                ("{behind}", Some(behind)) => behind,
                ("{behind}", None) => continue,
                (text, _) => text,
            };
            ensure!(!whole.contains(text), "`{text}` is said");
        }
        for text in step.has.iter().filter(|_| answer.status.is_success()) {
            ensure!(whole.contains(text), "`{text}` is not said");
        }
        Ok(Exchange::of(&answer, fingerprint, adapter))
    }

    /// Every exchange is the same, but for the values in their questions.
    fn compare(
        &self,
        one: &[Exchange],
        two: &[Exchange],
        values: &[&str],
        which: &str,
    ) -> anyhow::Result<()> {
        for (number, (one, two)) in one.iter().zip(two).enumerate() {
            let step = self.case.step.get(number).context("as many exchanges as steps")?;
            let plain = |exchange: &Exchange| {
                let text = exchange.fingerprints.join("\n--\n");
                values.iter().fold(text, |text, value| blank(&text, value, step.echoes))
            };
            let (one, two) = (plain(one), plain(two));
            if one != two {
                let line = one.lines().zip(two.lines()).find(|(one, two)| one != two);
                bail!("step {} is answered otherwise {which}: {line:?}", number + 1);
            }
        }
        Ok(())
    }
}

/// Takes a value out of an exchange: as it was sent and, where the question comes back, in each form
/// in which a link may have it, with the length that goes with it.
fn blank(text: &str, value: &str, echoes: bool) -> String {
    let mut out = text.replace(value, "{}");
    if echoes {
        let encode = |part: &str| -> String {
            url::form_urlencoded::byte_serialize(part.as_bytes()).collect()
        };
        out = out.replace(&encode(value), "{}");
        if let Some((name, rest)) = value.split_once('=') {
            out = out.replace(&format!("{name}={}", encode(rest)), "{}");
        }
        let lines = out.lines().filter(|line| !line.starts_with("content-length: "));
        out = lines.collect::<Vec<_>>().join("\n");
    }
    out
}

impl Exchange {
    fn of(answer: &Answer, fingerprint: String, adapter: &Adapter) -> Self {
        let body = answer.json().unwrap_or_default();
        let name = |resource: &serde_json::Value| {
            let kind = resource["resourceType"].as_str()?;
            Some(format!("{kind}/{}", resource["id"].as_str()?))
        };
        let list = |member: &str| body[member].as_array().cloned().unwrap_or_default();
        let next = list("link").into_iter().find(|link| link["relation"] == "next");
        Self {
            status: answer.status.as_u16(),
            fingerprints: vec![fingerprint],
            entries: list("entry")
                .iter()
                .filter(|entry| entry["search"]["mode"] != "outcome")
                .filter_map(|entry| name(&entry["resource"]))
                .collect(),
            total: body["total"].as_u64(),
            next: next
                .and_then(|link| link["url"].as_str().map(str::to_owned))
                .map(|url| adapter.below_base(&url).unwrap_or(&url).to_owned()),
            is: name(&body),
        }
    }
}

impl Step {
    fn request(&self, value: &str, names: &BTreeMap<String, String>) -> anyhow::Result<Request> {
        let filled = |text: &str| -> anyhow::Result<String> {
            let mut text = text.replace("{}", value);
            for (name, target) in names {
                text = text.replace(&format!("{{{name}}}"), target);
                // The same page, asked of another type.
                if let Some((_, rest)) = text.split_once(&format!("{{{name}:type="))
                    && let Some((kind, _)) = rest.split_once('}')
                {
                    let (_, query) = target.split_once('?').context("a link without a query")?;
                    text = text
                        .replace(&format!("{{{name}:type={kind}}}"), &format!("{kind}?{query}"));
                }
            }
            Ok(text)
        };
        let (method, target) = self.send.split_once(' ').context("`send` is METHOD target")?;
        let target = filled(target)?;
        ensure!(!target.contains('{'), "a step before gave no link to a next page");
        Ok(Request {
            method: method.parse()?,
            target,
            headers: self
                .headers
                .iter()
                .map(|(name, text)| (name.clone(), text.replace("{}", value)))
                .collect(),
            body: self.body.replace("{}", value),
        })
    }

    fn judge(&self, exchange: &Exchange) -> anyhow::Result<()> {
        let status = exchange.status;
        ensure!(self.status.contains(&status), "status {status}, not one of {:?}", self.status);
        if !(200..300).contains(&status) {
            return Ok(());
        }
        if let Some(wanted) = &self.entries {
            let (mut wanted, mut found) = (wanted.clone(), exchange.entries.clone());
            if !self.ordered {
                wanted.sort();
                found.sort();
            }
            ensure!(wanted == found, "found {found:?}, not {wanted:?}");
        }
        if let Some(first) = &self.first {
            let found = exchange.entries.first();
            ensure!(found == Some(first), "begins with {found:?}, not {first}");
        }
        if let (Some(wanted), Some(total)) = (self.total, exchange.total) {
            ensure!(wanted == total, "counts {total}, not {wanted}");
        }
        if let Some(wanted) = &self.is {
            ensure!(exchange.is.as_ref() == Some(wanted), "is {:?}, not {wanted}", exchange.is);
        }
        Ok(())
    }
}
