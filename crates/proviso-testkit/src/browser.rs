//! A person with a browser that has no JavaScript: cookies, links, forms with labels.

use std::collections::BTreeMap;

use anyhow::Context as _;
use http::{Method, StatusCode};
use url::Url;

use crate::http_client::{Answer, HttpClient, form_encode};

/// The browser: one cookie jar, one page at a time.
#[derive(Debug)]
pub struct Browser {
    client: HttpClient,
    cookies: BTreeMap<String, String>,
    /// The address of the page that is open.
    pub url: Url,
    /// The page that is open.
    pub page: Answer,
    /// An origin whose redirects are not followed but kept: the app's own address.
    pub stop_at: Option<String>,
}

/// One control of a form.
#[derive(Debug, Clone, Default)]
pub struct Control {
    /// `input`, `select`, `button`, `textarea`.
    pub tag: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
}

impl Control {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// The field name.
    pub fn name(&self) -> &str {
        self.get("name").unwrap_or("")
    }

    /// The value it would send.
    pub fn value(&self) -> &str {
        self.get("value").unwrap_or("on")
    }

    /// The type, `text` when none is given.
    pub fn kind(&self) -> &str {
        self.get("type").unwrap_or(if self.tag == "button" { "submit" } else { "text" })
    }

    /// Whether it is ticked.
    pub fn checked(&self) -> bool {
        self.attributes.contains_key("checked")
    }
}

/// One form of the page.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its controls.
    pub controls: Vec<Control>,
}

impl Browser {
    /// Opens a page, following redirects.
    ///
    /// # Errors
    /// When a page cannot be fetched.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let mut browser = Self::new()?;
        browser.go(url).await?;
        Ok(browser)
    }

    /// A browser with nothing open.
    ///
    /// # Errors
    /// Never in practice.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            client: HttpClient::default(),
            cookies: BTreeMap::new(),
            url: Url::parse("about:blank")?,
            page: Answer {
                status: StatusCode::OK,
                headers: http::HeaderMap::new(),
                body: bytes::Bytes::new(),
            },
            stop_at: None,
        })
    }

    /// Goes to an address (absolute, or relative to the open page), following redirects.
    ///
    /// # Errors
    /// When a page cannot be fetched.
    pub async fn go(&mut self, url: &str) -> anyhow::Result<&Answer> {
        let url = self.resolve(url)?;
        self.request(Method::GET, url, None).await
    }

    /// Posts fields to an address, as a form on another site would.
    ///
    /// # Errors
    /// When the page cannot be fetched.
    pub async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> anyhow::Result<&Answer> {
        let url = self.resolve(url)?;
        self.request(Method::POST, url, Some(form_encode(fields))).await
    }

    fn resolve(&self, url: &str) -> anyhow::Result<Url> {
        if self.url.cannot_be_a_base() { Ok(Url::parse(url)?) } else { Ok(self.url.join(url)?) }
    }

    async fn request(
        &mut self,
        method: Method,
        url: Url,
        body: Option<String>,
    ) -> anyhow::Result<&Answer> {
        let (mut method, mut url, mut body) = (method, url, body);
        for _ in 0..12 {
            let cookies: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let cookies = cookies.join("; ");
            let mut headers = vec![("accept", "text/html"), ("accept-language", "en")];
            if !cookies.is_empty() {
                headers.push(("cookie", &cookies));
            }
            if body.is_some() {
                headers.push(("content-type", "application/x-www-form-urlencoded"));
            }
            let mut address = url.clone();
            address.set_fragment(None);
            let sent = body.take().unwrap_or_default();
            let answer = self.client.send(method.clone(), address.as_str(), &headers, sent).await?;
            self.keep_cookies(&answer);
            let location = answer.header("location").map(str::to_owned);
            self.page = answer;
            self.url = url.clone();
            let (true, Some(location)) = (self.page.status.is_redirection(), location) else {
                return Ok(&self.page);
            };
            // R13: credentials are never forwarded; a redirect after POST must become a GET.
            let temporary = matches!(self.page.status.as_u16(), 307 | 308);
            anyhow::ensure!(!temporary || method == Method::GET, "307/308 after {method}");
            url = url.join(&location)?;
            method = Method::GET;
            if self.stop_at.as_ref().is_some_and(|origin| url.as_str().starts_with(origin)) {
                self.url = url;
                return Ok(&self.page);
            }
        }
        anyhow::bail!("too many redirects")
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for header in answer.headers.get_all("set-cookie") {
            let Some((pair, attributes)) =
                header.to_str().ok().map(|text| text.split_once(';').unwrap_or((text, "")))
            else {
                continue;
            };
            let Some((name, value)) = pair.split_once('=') else { continue };
            let ends = attributes.to_ascii_lowercase().contains("max-age=0");
            if ends || value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Forgets every cookie.
    pub fn clear_cookies(&mut self) {
        self.cookies.clear();
    }

    /// The cookies, by name.
    pub const fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }

    /// The visible text of the page, white space collapsed.
    pub fn text(&self) -> String {
        visible_text(&self.page.text())
    }

    /// The forms of the page.
    pub fn forms(&self) -> Vec<Form> {
        forms(&self.page.text())
    }

    /// The form that has a control of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn form_with(&self, control: &str) -> anyhow::Result<Form> {
        self.forms()
            .into_iter()
            .find(|form| form.controls.iter().any(|c| c.name() == control))
            .with_context(|| format!("no form with `{control}` on {}: {}", self.url, self.text()))
    }

    /// Submits a form: its hidden fields, whatever is ticked or filled unless overridden in
    /// `fields`, and the given fields. A name in `fields` replaces every control of that name.
    ///
    /// # Errors
    /// When the page cannot be fetched.
    pub async fn submit(
        &mut self,
        form: &Form,
        fields: &[(&str, &str)],
    ) -> anyhow::Result<&Answer> {
        let mut sent: Vec<(&str, &str)> = Vec::new();
        for control in &form.controls {
            let overridden = fields.iter().any(|(name, _)| *name == control.name());
            let on = match control.kind() {
                "submit" | "button" | "image" | "reset" => false,
                "checkbox" | "radio" => control.checked(),
                _ => true,
            };
            if on && !overridden && !control.name().is_empty() {
                let value = if control.kind() == "text" || control.kind() == "password" {
                    control.get("value").unwrap_or("")
                } else {
                    control.value()
                };
                sent.push((control.name(), value));
            }
        }
        sent.extend_from_slice(fields);
        let method = form.attributes.get("method").map(|m| m.to_ascii_lowercase());
        let action = form.attributes.get("action").map_or("", String::as_str);
        let mut url = if action.is_empty() { self.url.clone() } else { self.url.join(action)? };
        let encoded = form_encode(&sent);
        if method.as_deref() == Some("post") {
            self.request(Method::POST, url, Some(encoded)).await
        } else {
            url.set_query(Some(&encoded));
            self.request(Method::GET, url, None).await
        }
    }

    /// Signs in on the page that asks for it.
    ///
    /// # Errors
    /// When the page is not the sign-in page.
    pub async fn sign_in(&mut self, username: &str, password: &str) -> anyhow::Result<&Answer> {
        let form = self.form_with("password")?;
        self.submit(&form, &[("username", username), ("password", password)]).await
    }

    /// Follows the link whose visible text contains these words.
    ///
    /// # Errors
    /// When there is none.
    pub async fn follow(&mut self, words: &str) -> anyhow::Result<&Answer> {
        let html = self.page.text();
        let target = links(&html)
            .into_iter()
            .find(|(text, _)| text.contains(words))
            .map(|(_, href)| href)
            .with_context(|| format!("no link `{words}` on {}: {}", self.url, self.text()))?;
        self.go(&target).await
    }
}

/// Every link as (visible text, href).
pub fn links(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for rest in html.split("<a ").skip(1) {
        let Some((tag, rest)) = rest.split_once('>') else { continue };
        let Some((inside, _)) = rest.split_once("</a>") else { continue };
        if let Some(href) = attributes(tag).remove("href") {
            found.push((visible_text(inside), href));
        }
    }
    found
}

fn forms(html: &str) -> Vec<Form> {
    let mut found = Vec::new();
    for rest in html.split("<form").skip(1) {
        let Some((tag, rest)) = rest.split_once('>') else { continue };
        let inside = rest.split("</form>").next().unwrap_or("");
        let mut form = Form { attributes: attributes(tag), controls: Vec::new() };
        let mut rest = inside;
        while let Some(at) = rest.find('<') {
            rest = rest.get(at + 1..).unwrap_or("");
            let name: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            if matches!(name.as_str(), "input" | "button" | "select" | "textarea") {
                let tag = rest.split('>').next().unwrap_or("");
                let attributes = attributes(tag.strip_prefix(name.as_str()).unwrap_or(""));
                form.controls.push(Control { tag: name, attributes });
            }
        }
        found.push(form);
    }
    found
}

/// The attributes of a tag; values unescaped.
fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag.trim().trim_end_matches('/');
    while !rest.is_empty() {
        let name: String =
            rest.chars().take_while(|c| !c.is_whitespace() && *c != '=' && *c != '/').collect();
        rest = rest.get(name.len()..).unwrap_or("").trim_start();
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            if let Some(quoted) = after.strip_prefix('"') {
                let (inside, tail) = quoted.split_once('"').unwrap_or((quoted, ""));
                value = unescape(inside);
                rest = tail;
            } else {
                let bare: String = after.chars().take_while(|c| !c.is_whitespace()).collect();
                rest = after.get(bare.len()..).unwrap_or("");
                value = unescape(&bare);
            }
        }
        if name.is_empty() {
            rest = rest.get(1..).unwrap_or("");
        } else {
            found.insert(name.to_ascii_lowercase(), value);
        }
        rest = rest.trim_start();
    }
    found
}

/// Text without tags, entities resolved, white space collapsed.
pub fn visible_text(html: &str) -> String {
    let body = html.split_once("<body").map_or(html, |(_, body)| body);
    let mut text = String::new();
    let mut inside_tag = body.len() != html.len();
    for character in body.chars() {
        match character {
            '<' => inside_tag = true,
            '>' if inside_tag => {
                inside_tag = false;
                text.push(' ');
            }
            other if !inside_tag => text.push(other),
            _ => {}
        }
    }
    unescape(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}
