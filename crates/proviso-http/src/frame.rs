//! What every page has around it, and the headers every page goes out with.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use proviso_core::account::ActorKind;
use proviso_core::id::RequestId;

use crate::asset::ASSETS;
use crate::text::{Language, Texts};

/// Facts of one request that every page needs, whoever asked and whatever for.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The language of the answer.
    pub(crate) language: Language,
    /// Path and query of the request, for links back to the same page.
    pub(crate) address: String,
    /// The value that forms of this browser and session must carry.
    pub(crate) csrf: String,
    /// The request's id.
    pub(crate) request: RequestId,
    /// The name of the organisation.
    pub(crate) organization: String,
    /// Whether this is the demonstration world.
    pub(crate) world: World,
    /// Who is signed in.
    pub(crate) signed_in: Option<SignedInName>,
}

/// Whether the people here are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Real,
    Demonstration,
}

/// How pages name the person who is signed in, and which pages are for them.
#[derive(Debug, Clone)]
pub(crate) struct SignedInName {
    pub(crate) name: String,
    pub(crate) menu: Menu,
}

/// Which main pages a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Menu {
    /// Patients and those who act for them.
    Portal,
    /// Clinicians and nurses.
    Launch,
    /// Everybody else: the home page only.
    HomeOnly,
}

/// The main pages of a kind of actor.
pub(crate) const fn menu_of(kind: ActorKind) -> Menu {
    match kind {
        ActorKind::Patient | ActorKind::Proxy => Menu::Portal,
        ActorKind::Clinician | ActorKind::Nurse => Menu::Launch,
        ActorKind::Staff
        | ActorKind::PrivacyOfficer
        | ActorKind::Administrator
        | ActorKind::SupportAgent
        | ActorKind::System => Menu::HomeOnly,
    }
}

/// Which main page is being shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    None,
    Home,
    Apps,
    People,
    Activity,
    Launch,
}

/// One line of the main menu.
#[derive(Debug)]
pub(crate) struct NavLink {
    pub(crate) href: &'static str,
    pub(crate) label: String,
    pub(crate) current: bool,
}

/// A link to the same page in another language.
#[derive(Debug)]
pub(crate) struct LanguageLink {
    pub(crate) href: String,
    pub(crate) tag: &'static str,
    pub(crate) name: &'static str,
    pub(crate) current: bool,
}

/// A label and what it says.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) label: String,
    pub(crate) value: String,
}

impl Fact {
    pub(crate) fn new(label: String, value: impl Into<String>) -> Self {
        Self { label, value: value.into() }
    }
}

/// A checkbox, a radio button or an option.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) about: String,
    pub(crate) ticked: bool,
}

/// What is wrong with a form, and the field to go to.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) href: &'static str,
    pub(crate) text: String,
}

/// Everything around the main part of a page.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) t: Texts,
    pub(crate) title: String,
    pub(crate) document_title: String,
    pub(crate) organization: String,
    pub(crate) style: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) nav: Vec<NavLink>,
    pub(crate) account: Option<String>,
    pub(crate) csrf: String,
    pub(crate) languages: Vec<LanguageLink>,
    pub(crate) notice: Option<String>,
    pub(crate) footer: String,
    pub(crate) narrow: bool,
    pub(crate) other_party: bool,
}

impl Visit {
    pub(crate) const fn texts(&self) -> Texts {
        self.language.texts()
    }

    /// The frame of a page of ours.
    pub(crate) fn frame(&self, title: String, section: Section) -> Frame {
        let t = self.texts();
        let organization = &self.organization;
        Frame {
            t,
            document_title: t
                .with("page-title", &[("title", &title), ("organization", organization)]),
            title,
            organization: organization.clone(),
            style: &ASSETS.style,
            icon: &ASSETS.icon,
            nav: self.nav(section),
            account: self
                .signed_in
                .as_ref()
                .map(|person| t.with("signed-in-as", &[("name", &person.name)])),
            csrf: self.csrf.clone(),
            languages: self.languages(),
            notice: (self.world == World::Demonstration).then(|| t.say("demo-banner")),
            footer: t.with("footer-text", &[("organization", organization)]),
            narrow: matches!(section, Section::None),
            other_party: false,
        }
    }

    /// The frame of the demonstration app: another party, so no menu and no account of ours.
    pub(crate) fn other_party_frame(&self, title: String) -> Frame {
        let mut frame = self.frame(title, Section::Home);
        frame.document_title.clone_from(&frame.title);
        frame.nav = Vec::new();
        frame.account = None;
        frame.other_party = true;
        frame
    }

    fn nav(&self, section: Section) -> Vec<NavLink> {
        let t = self.texts();
        let Some(person) = &self.signed_in else { return Vec::new() };
        let all: &[(Section, &'static str, &str)] = match person.menu {
            Menu::Portal => &[
                (Section::Home, "/portal", "nav-home"),
                (Section::Apps, "/portal/apps", "nav-apps"),
                (Section::People, "/portal/people", "nav-people"),
                (Section::Activity, "/portal/activity", "nav-activity"),
            ],
            Menu::Launch => &[
                (Section::Home, "/portal", "nav-home"),
                (Section::Launch, "/launch", "nav-launch"),
            ],
            Menu::HomeOnly => &[(Section::Home, "/portal", "nav-home")],
        };
        all.iter()
            .map(|(of, href, key)| NavLink { href, label: t.say(key), current: *of == section })
            .collect()
    }

    fn languages(&self) -> Vec<LanguageLink> {
        Language::ALL
            .into_iter()
            .map(|language| LanguageLink {
                href: with_query(&self.address, "lang", language.tag()),
                tag: language.tag(),
                name: language.own_name(),
                current: language == self.language,
            })
            .collect()
    }
}

/// The same address with one query parameter set; every other one is kept as it was written.
pub(crate) fn with_query(address: &str, name: &str, value: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let same = |pair: &&str| pair.split('=').next() != Some(name);
    let mut pairs: Vec<String> =
        query.split('&').filter(|pair| !pair.is_empty()).filter(same).map(str::to_owned).collect();
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    pairs.push(format!("{name}={encoded}"));
    format!("{path}?{}", pairs.join("&"))
}

/// Where forms of a page may lead. Chromium also applies this to the redirects that follow a form,
/// so a page whose answer goes back to an app must name the app's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormTargets {
    /// Only this server.
    Own,
    /// This server, and then the places where apps wait for the answer.
    OwnAnd(Vec<String>),
}

impl FormTargets {
    /// Targets for a page that ends in a redirect to this address.
    pub(crate) fn redirecting_to(uri: &str) -> Self {
        Self::redirecting_to_any([uri])
    }

    /// Targets for a page that ends in a redirect to one of these addresses.
    pub(crate) fn redirecting_to_any<'a>(uris: impl IntoIterator<Item = &'a str>) -> Self {
        let mut places: Vec<String> = uris.into_iter().filter_map(place_of).collect();
        places.sort_unstable();
        places.dedup();
        Self::OwnAnd(places)
    }

    fn policy(&self) -> String {
        let more = match self {
            Self::Own => String::new(),
            Self::OwnAnd(places) => places.iter().flat_map(|place| [" ", place.as_str()]).collect(),
        };
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self' data:; \
             form-action 'self'{more}; frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

/// An origin, or for native apps with schemes of their own (RFC 8252 §7.1) the scheme.
fn place_of(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri).ok()?;
    let origin = url.origin();
    Some(if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        format!("{}:", url.scheme())
    })
}

/// Headers of every interactive page: no framing, no leaks by referrer, nothing kept (RFC 9700
/// §4.16 for framing; the back button must not show a record after sign-out). No opener policy:
/// apps may open the request to connect in a window of their own and wait for it.
fn page_headers(targets: &FormTargets) -> [(HeaderName, HeaderValue); 8] {
    let policy = HeaderValue::try_from(targets.policy())
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static(
                "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ),
        (header::VARY, HeaderValue::from_static("Accept-Language, Cookie")),
    ]
}

/// Answers with a page.
pub(crate) fn page(status: StatusCode, view: &impl Template, targets: &FormTargets) -> Response {
    match view.render() {
        Ok(html) => (status, page_headers(targets), html).into_response(),
        Err(error) => {
            tracing::error!(%error, "page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Sends the browser on with GET, whatever it came with (RFC 9700 §4.12: never 307).
pub(crate) fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        tracing::error!("redirect address cannot be a header");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    (
        StatusCode::SEE_OTHER,
        [
            (header::LOCATION, location),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ],
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_place_its_answer_goes_to() {
        let check = |uri: &str, place: &str| {
            let policy = FormTargets::redirecting_to(uri).policy();
            let expected = format!("form-action 'self' {place};");
            assert!(policy.contains(&expected), "{policy}");
        };
        check("http://127.0.0.1:9123/callback?a=b", "http://127.0.0.1:9123");
        check("https://app.example/x;y", "https://app.example");
        check("com.example.app:/done", "com.example.app:");
        assert!(FormTargets::Own.policy().contains("form-action 'self';"));
    }

    #[test]
    fn one_parameter_is_set_and_the_others_stay() {
        assert_eq!(with_query("/a", "lang", "es"), "/a?lang=es");
        assert_eq!(with_query("/a?x=1&lang=en&y=%20", "lang", "es"), "/a?x=1&y=%20&lang=es");
        assert_eq!(with_query("/a?langue=1", "lang", "es"), "/a?langue=1&lang=es");
    }
}
