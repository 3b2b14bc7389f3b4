//! Samples of every page, rendered and checked: labels, headings, language, forms, no script.

use askama::Template;
use proviso_app::filed::{FiledDocument, FiledSettings, Version};
use proviso_core::account::ActorKind;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome, Told};
use proviso_core::category::{
    Category, CategorySet, PurposeOfUse, PurposeSet, SensitiveKind, SensitiveSet,
};
use proviso_core::consent::{
    Capacity, ConsentStatus, ConsentVersion, DurationChoice, OfflineAccess, Recipient,
};
use proviso_core::id::{AuditEntryId, ConsentId, RequestId};
use proviso_core::interaction::Interaction;
use proviso_core::mandate::{Mandate, MandateBasis};
use proviso_core::reason::ReasonCode;
use proviso_core::time::{At, Period};
use proviso_fhir::json::Doc;

use crate::asset::ASSETS;
use crate::authorize::consent::{AppFacts, Asked, ConsentPage, ConsentRequest, Decider, Ticked};
use crate::frame::{Menu, Problem as FieldProblem, SignedInName, Visit, World};
use crate::portal::activity::{ActivityPage, Entries, Filter};
use crate::portal::apps::{AppsPage, Connection, Party, StopPage, StoppedPage};
use crate::portal::filed::FiledPage;
use crate::portal::home::{HomeFacts, HomePage};
use crate::portal::people::{ActingPerson, PeoplePage};
use crate::portal::person::{Person, Standing};
use crate::portal::sentence::Names;
use crate::problem::{Problem, ProblemPage};
use crate::sign_in::{SignInPage, SignInState};
use crate::terms::TermsPage;
use crate::text::Language;

mod choices;
mod staff;
mod who;

fn at(text: &str) -> At {
    At::parse(text).unwrap()
}

fn noon() -> At {
    at("2026-11-22T12:00:00Z")
}

fn visit(language: Language, address: &str, menu: Option<Menu>) -> Visit {
    Visit {
        language,
        address: address.to_owned(),
        csrf: "csrf-value".to_owned(),
        request: RequestId::generate(noon(), [7; 10]),
        organization: "Riverside Health (demo)".to_owned(),
        world: World::Demonstration,
        signed_in: menu.map(|menu| SignedInName {
            name: match menu {
                Menu::Portal => "Maria Alvarez".to_owned(),
                Menu::Launch => "Dr. Anika Patel".to_owned(),
                Menu::HomeOnly => "Priya Nair".to_owned(),
            },
            menu,
        }),
    }
}

fn glucose_coach() -> AppFacts {
    AppFacts {
        name: "Glucose Coach".to_owned(),
        description: Some("Helps people with diabetes to read their results.".to_owned()),
        site: Some("http://127.0.0.1:8080/demo".to_owned()),
        policy: None,
        terms: None,
        contacts: vec!["help@glucose-coach.example".to_owned()],
        returns_to: "127.0.0.1:8080".to_owned(),
    }
}

fn consent_request(decider: Decider) -> ConsentRequest {
    ConsentRequest {
        app: glucose_coach(),
        patient_name: match decider {
            Decider::Patient => "Maria Alvarez".to_owned(),
            Decider::Proxy => "Lily Chen".to_owned(),
        },
        decider,
        purpose: PurposeOfUse::PatientRequest,
        categories: [
            Category::Demographics,
            Category::Problems,
            Category::Medications,
            Category::Laboratory,
            Category::Vitals,
        ]
        .into_iter()
        .collect(),
        sensitive: SensitiveSet::all(),
        write: Asked::No,
        delete: Asked::No,
        identity: Asked::Yes,
        offline: Asked::Yes,
        scope_text: "launch/patient openid fhirUser offline_access patient/Observation.rs"
            .to_owned(),
        terms_uri: "http://127.0.0.1:8080/terms".to_owned(),
        action: "/oauth/authorize/arq_1".to_owned(),
        at: noon(),
    }
}

fn person(standing: Standing) -> Person {
    let (id, name) = match standing {
        Standing::Own => ("maria", "Maria Alvarez"),
        Standing::Proxy => ("lily", "Lily Chen"),
    };
    Person { patient: id.parse().unwrap(), name: name.to_owned(), standing }
}

fn consent(status: ConsentStatus, until: Option<At>) -> ConsentVersion {
    ConsentVersion {
        consent: "cns_1".parse::<ConsentId>().unwrap(),
        number: 1,
        predecessor: None,
        status,
        patient: "maria".parse().unwrap(),
        given_by: "acc_maria".parse().unwrap(),
        capacity: Capacity::Patient,
        recipient: Recipient::App("glucose-coach".parse().unwrap()),
        categories: [Category::Medications, Category::Laboratory].into_iter().collect(),
        sensitive: SensitiveSet::EMPTY.with(SensitiveKind::Hiv),
        purposes: PurposeSet::EMPTY.with(PurposeOfUse::PatientRequest),
        period: Period { start: Some(at("2026-11-20T09:30:00Z")), end: until },
        data_period: Period::ALWAYS,
        duration: DurationChoice::ThirtyDays,
        offline: OfflineAccess::Allowed,
        granted_scopes: Vec::new(),
        legal_basis: "consent".to_owned(),
        policy_uri: "http://127.0.0.1:8080/terms".to_owned(),
        language: "en".to_owned(),
        shown_text: String::new(),
        shown_text_hash: String::new(),
        recorded_at: at("2026-11-20T09:30:00Z"),
        change_reason: None,
    }
}

fn connection(status: ConsentStatus) -> Connection {
    Connection {
        consent: consent(status, Some(at("2026-12-20T09:30:00Z"))),
        sensitive: Some(SensitiveSet::EMPTY.with(SensitiveKind::Hiv)),
        since: at("2026-11-20T09:30:00Z"),
        party: Party::App,
        app: "glucose-coach".to_owned(),
        app_name: "Glucose Coach".to_owned(),
        given_by: "You".to_owned(),
        last_look: Some(at("2026-11-22T11:58:00Z")),
        is_told: true,
    }
}

pub(crate) fn entry(kind: AuditKind, outcome: AuditOutcome) -> AuditEntry {
    AuditEntry {
        id: AuditEntryId::generate(noon(), [1; 10]),
        at: noon(),
        kind,
        outcome,
        action: "record".to_owned(),
        client: Some("glucose-coach".parse().unwrap()),
        account: Some("acc_maria".parse().unwrap()),
        on_behalf_of: None,
        patients: vec!["maria".parse().unwrap()],
        interaction: None,
        resource_type: None,
        resources: Vec::new(),
        asked: CategorySet::EMPTY,
        categories: CategorySet::EMPTY,
        sensitive: SensitiveSet::EMPTY,
        released: 0,
        for_proxies: None,
        withheld: 0,
        purpose: None,
        consent: None,
        policy_version: None,
        decision: None,
        reasons: Vec::new(),
        emergency: None,
        grant: None,
        token: None,
        session: None,
        request: None,
        trace: None,
        network: None,
        status: None,
        query_shape: None,
        digest: None,
        redaction: None,
        noticed: std::collections::BTreeSet::new(),
        about: None,
        record: None,
    }
}

fn activity() -> (Vec<Told>, Names) {
    let kinds = CategorySet::EMPTY.with(Category::Medications).with(Category::Laboratory);
    let entries = vec![
        AuditEntry {
            interaction: Some(Interaction::Search),
            categories: CategorySet::EMPTY.with(Category::Vitals),
            purpose: Some(PurposeOfUse::PatientRequest),
            reasons: vec![ReasonCode::CategoryNotShared],
            ..entry(AuditKind::Access, AuditOutcome::Denied)
        },
        AuditEntry {
            interaction: Some(Interaction::Search),
            categories: kinds,
            sensitive: SensitiveSet::EMPTY.with(SensitiveKind::Hiv),
            released: 12,
            purpose: Some(PurposeOfUse::PatientRequest),
            reasons: vec![ReasonCode::ConsentInForce],
            ..entry(AuditKind::Access, AuditOutcome::Success)
        },
        AuditEntry {
            interaction: Some(Interaction::Search),
            asked: CategorySet::EMPTY.with(Category::Vitals),
            purpose: Some(PurposeOfUse::PatientRequest),
            reasons: vec![ReasonCode::ConsentInForce, ReasonCode::CategoryNotShared],
            ..entry(AuditKind::Access, AuditOutcome::Success)
        },
        AuditEntry { categories: kinds, ..entry(AuditKind::Consent, AuditOutcome::Success) },
        AuditEntry {
            at: at("2026-11-21T08:00:00Z"),
            client: None,
            account: None,
            ..entry(AuditKind::SignIn, AuditOutcome::Failure)
        },
    ];
    let mut names = Names { reader: Some("acc_maria".parse().unwrap()), ..Names::default() };
    names.apps.insert("glucose-coach".parse().unwrap(), "Glucose Coach".to_owned());
    (entries.into_iter().map(Told::to_patient).collect(), names)
}

/// Every page in a state worth looking at, by name.
fn pages(language: Language) -> Vec<(&'static str, String)> {
    let render = |view: &dyn askama::DynTemplate| view.dyn_render().unwrap();
    let anybody = |address: &str| visit(language, address, None);
    let maria = |address: &str| visit(language, address, Some(Menu::Portal));
    let doctor = |address: &str| visit(language, address, Some(Menu::Launch));
    let fresh = Ticked::default();
    let mut pages = vec![
        (
            "sign_in",
            render(&SignInPage::new(
                &anybody("/login?next=%2Fportal"),
                SignInState::Fresh,
                Some("Glucose Coach"),
                Some("/portal".to_owned()),
                String::new(),
            )),
        ),
        (
            "sign_in_wrong",
            render(&SignInPage::new(
                &anybody("/login"),
                SignInState::Wrong,
                None,
                None,
                "maria".to_owned(),
            )),
        ),
        (
            "sign_in_throttled",
            render(&SignInPage::new(
                &anybody("/login"),
                SignInState::Throttled { seconds: 30 },
                None,
                None,
                "maria".to_owned(),
            )),
        ),
        (
            "problem",
            render(&ProblemPage::new(
                &anybody("/nowhere"),
                Problem::Authorize,
                Some("invalid_request: `redirect_uri` is not registered".to_owned()),
            )),
        ),
        (
            "consent",
            render(&ConsentPage::new(
                &maria("/oauth/authorize/arq_1"),
                &consent_request(Decider::Patient),
                &fresh,
                Vec::new(),
            )),
        ),
        ("picker", render(&staff::picker(&maria("/oauth/authorize/arq_1")))),
        ("operational", render(&staff::operational(&doctor("/oauth/authorize/arq_1")))),
        ("identity", render(&staff::identity(&maria("/oauth/authorize/arq_1")))),
        ("terms", render(&TermsPage::new(&anybody("/terms")))),
        ("launch", render(&staff::launch(&doctor("/launch")))),
        ("emergency", render(&staff::emergency(&doctor("/emergency")))),
        (
            "launch_visit",
            render(&staff::launch_visit(&doctor("/launch"), &staff::visits(), vec![])),
        ),
        ("launch_visit_wrong", render(&staff::wrong_visit(&doctor("/launch")))),
    ];
    pages.extend(consent_states(language));
    pages.extend(portal_pages(language));
    pages.extend(people_pages(language));
    pages.extend(choices::pages(language));
    pages.extend(who::pages(language));
    pages.extend(staff::demo_pages(language));
    pages.extend(staff::chart_pages(language));
    pages
}

fn consent_states(language: Language) -> Vec<(&'static str, String)> {
    let visit = visit(language, "/oauth/authorize/arq_1", Some(Menu::Portal));
    let t = visit.texts();
    let mut everything = consent_request(Decider::Proxy);
    everything.categories = CategorySet::all();
    everything.sensitive = proviso_core::decision::org_rules::proxy_sensitive();
    everything.write = Asked::Yes;
    everything.delete = Asked::Yes;
    everything.offline = Asked::No;
    let ticked = Ticked {
        categories: CategorySet::EMPTY.with(Category::Medications),
        sensitive: SensitiveSet::EMPTY.with(SensitiveKind::Hiv),
        duration: None,
        offline: true,
    };
    let problems = vec![FieldProblem { href: "#long", text: t.say("consent-error-duration") }];
    vec![
        (
            "consent_problem",
            ConsentPage::new(&visit, &consent_request(Decider::Patient), &ticked, problems)
                .render()
                .unwrap(),
        ),
        (
            "consent_everything_by_proxy",
            ConsentPage::new(&visit, &everything, &Ticked::default(), Vec::new()).render().unwrap(),
        ),
    ]
}

fn people_pages(language: Language) -> Vec<(&'static str, String)> {
    let visit_to = |address: &str| visit(language, address, Some(Menu::Portal));
    let (own, proxy) = (person(Standing::Own), person(Standing::Proxy));
    let render = |view: &dyn askama::DynTemplate| view.dyn_render().unwrap();
    vec![
        ("people", render(&people_page(&visit_to("/portal/people"), &own))),
        (
            "people_none_by_proxy",
            render(&PeoplePage::new(&visit_to("/portal/people"), &proxy, &[], &[], noon())),
        ),
        (
            "people_stop",
            render(&StopPage::new(
                &visit_to("/portal/people/1/stop"),
                &own,
                &daughter(),
                None,
                noon(),
            )),
        ),
        (
            "people_stopped",
            render(&StoppedPage::new(&visit_to("/portal/people/1/stopped"), &own, &daughter())),
        ),
        ("filed", render(&FiledPage::new(&visit_to("/portal/choices"), &own, &filed_documents()))),
        ("filed_by_proxy", render(&FiledPage::kept(&visit_to("/portal/choices"), &proxy))),
        ("filed_none", render(&FiledPage::new(&visit_to("/portal/choices"), &own, &[]))),
    ]
}

fn portal_pages(language: Language) -> Vec<(&'static str, String)> {
    let visit_to = |address: &str| visit(language, address, Some(Menu::Portal));
    let own = person(Standing::Own);
    let (entries, names) = activity();
    let t = language.texts();
    let sentences =
        entries.iter().map(|e| crate::portal::sentence::sentence(t, e, &names)).collect();
    let facts = HomeFacts {
        apps: 1,
        people: 1,
        proxies: 0,
        filed: Some(1),
        emergencies: staff::emergency_lines(language),
        notices: entries
            .iter()
            .filter(|told| told.entry().outcome == AuditOutcome::Success)
            .take(1)
            .map(|told| crate::portal::home::notice_line(t, told, &names))
            .collect(),
        latest: sentences,
    };
    let people = [person(Standing::Own), person(Standing::Proxy)];
    let page = Entries { newest_first: entries, next: Some("next".to_owned()), continued: true };
    let apps = [("glucose-coach".to_owned(), "Glucose Coach".to_owned())];
    let filter = Filter {
        outcome: Some(AuditOutcome::Denied),
        from: "2026-11-21".to_owned(),
        ..Filter::default()
    };
    let doctor = visit(language, "/portal", Some(Menu::Launch));
    let nobody = visit(language, "/portal", Some(Menu::HomeOnly));
    let connections = [connection(ConsentStatus::Active), connection(ConsentStatus::Inactive)];
    let app = &connections[0];
    let filter_address = visit_to("/portal/activity?outcome=denied");
    let proxy = person(Standing::Proxy);
    let lily = visit_to("/portal/apps?patient=lily");
    let render = |view: &dyn askama::DynTemplate| view.dyn_render().unwrap();
    vec![
        ("home", render(&HomePage::new(&visit_to("/portal"), &people, Some((&own, facts))))),
        ("home_staff", render(&HomePage::new(&doctor, &[], None))),
        ("home_nobody", render(&HomePage::new(&nobody, &[], None))),
        ("apps", render(&AppsPage::new(&visit_to("/portal/apps"), &own, &connections, noon()))),
        ("apps_none_by_proxy", render(&AppsPage::new(&lily, &proxy, &[], noon()))),
        (
            "stop",
            render(&StopPage::new(
                &visit_to("/portal/apps/1/stop"),
                &own,
                app,
                Some(who::lost(language, &own, Capacity::Patient, Some(&who::seen()))),
                noon(),
            )),
        ),
        ("stopped", render(&StoppedPage::new(&visit_to("/portal/apps/1/done"), &own, app))),
        (
            "activity",
            render(&ActivityPage::new(&filter_address, &own, &filter, &apps, &page, &names)),
        ),
        (
            "activity_none",
            render(&ActivityPage::new(
                &visit_to("/portal/activity"),
                &proxy,
                &Filter { from: "nonsense".to_owned(), ..Filter::default() }.check(),
                &[],
                &Entries::default(),
                &names,
            )),
        ),
    ]
}

fn daughter() -> Connection {
    let mut connection = connection(ConsentStatus::Active);
    connection.party = Party::Person;
    connection.app_name = "Grace Okoro".to_owned();
    connection.consent.recipient = Recipient::Person("acc_grace".parse().unwrap());
    connection
}

/// One that is heard, with exceptions; one that is not understood any more; one that has ended.
fn filed_documents() -> Vec<FiledDocument> {
    let settings = FiledSettings::new("https://records.example.org/fhir/r4");
    [
        (r#""status":"active""#, "3"),
        (r#""status":"active","modifierExtension":[{"url":"x","valueCode":"y"}]"#, "1"),
        (r#""status":"inactive""#, "2"),
    ]
    .into_iter()
    .map(|(members, number)| {
        let text = FILED.replace(r#""status":"active""#, members);
        let doc = Doc::parse(text.into_bytes()).unwrap();
        FiledDocument {
            id: "filed".parse().unwrap(),
            number: number.parse().unwrap(),
            filed_at: noon(),
            read: settings.read(&doc, Version::R4).ok(),
            doc,
        }
    })
    .collect()
}

const FILED: &str = r#"{"resourceType":"Consent","status":"active",
"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
"patient":{"reference":"Patient/maria"},"dateTime":"2026-11-01",
"provision":{"type":"permit","period":{"start":"2026-01-01","end":"2027-12-31"},
"purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"TREAT"}],
"actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},
"reference":{"reference":"Organization/riverside","display":"Riverside Health"}}],
"provision":[{"type":"deny","securityLabel":[
{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"},
{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}],
"provision":[{"type":"permit","data":[{"meaning":"authoredby","reference":{"reference":"Practitioner/patel","display":"Dr. Anika Patel"}}]}]},
{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"Claim"}],"dataPeriod":{"end":"2020"}}]}}"#;

fn people_page(visit: &Visit, person: &Person) -> PeoplePage {
    let proxy = ActingPerson {
        name: "Grace Okoro".to_owned(),
        period: Period { start: Some(at("2024-12-01T07:00:00Z")), end: None },
        mandate: Some(Mandate {
            basis: MandateBasis::Parent {
                of_age: at("2029-04-22T07:00:00Z"),
                confidential_from: Some(at("2023-04-22T07:00:00Z")),
            },
            categories: CategorySet::all(),
            approved_at: at("2026-05-01T10:00:00Z"),
            approved_by: None,
            reapprove_days: Some(365),
        }),
    };
    PeoplePage::new(visit, person, &[daughter()], &[proxy], noon())
}

/// The value of an attribute in the text of one tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let marker = format!(" {name}=\"");
    tag.split_once(marker.as_str()).and_then(|(_, rest)| rest.split('"').next())
}

fn tags<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    // Cut before the blank that follows the name, so that attributes match as whole words.
    let open = format!("<{name}");
    html.split(open.as_str())
        .skip(1)
        .filter(|rest| rest.starts_with(' '))
        .map(|rest| rest.split('>').next().unwrap())
        .collect()
}

fn check_page(name: &str, language: Language, html: &str) {
    let html_tag = format!("<html lang=\"{}\">", language.tag());
    assert!(html.contains(&html_tag), "{name}: language");
    for forbidden in ["<script", " style=\"", " onclick", " onsubmit", "javascript:", "http-equiv"]
    {
        assert!(!html.contains(forbidden), "{name}: `{forbidden}`");
    }
    assert_eq!(html.matches("<h1").count(), 1, "{name}: one h1");
    assert_eq!(html.matches("<main ").count(), 1, "{name}: one main");
    let mut level = 0;
    for rest in html.split("<h").skip(1) {
        let Some(digit) = rest.chars().next().and_then(|c| c.to_digit(10)) else { continue };
        assert!(digit <= level + 1, "{name}: heading h{digit} after h{level}");
        level = digit;
    }
    let mut ids: Vec<&str> =
        html.split(" id=\"").skip(1).map(|r| r.split('"').next().unwrap()).collect();
    let labels: Vec<&str> =
        tags(html, "label").into_iter().filter_map(|tag| attribute(tag, "for")).collect();
    for input in tags(html, "input").into_iter().chain(tags(html, "select")) {
        if attribute(input, "type") != Some("hidden") {
            let id = attribute(input, "id").unwrap_or_else(|| panic!("{name}: id of {input}"));
            assert!(labels.contains(&id), "{name}: no label for `{id}`");
        }
    }
    for form in html.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap()) {
        let post = form.contains("method=\"post\"");
        assert_eq!(form.contains("name=\"csrf\""), post, "{name}: csrf exactly in POST forms");
    }
    for reference in
        html.split(" aria-describedby=\"").skip(1).chain(html.split(" aria-labelledby=\"").skip(1))
    {
        let id = reference.split('"').next().unwrap();
        assert!(ids.contains(&id), "{name}: `{id}` does not exist");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(count, ids.len(), "{name}: an id occurs twice");
}

#[test]
fn every_page_is_well_formed_in_every_language() {
    for language in Language::ALL {
        for (name, html) in pages(language) {
            check_page(name, language, &html);
        }
    }
}

#[test]
fn pages_in_english() {
    for (name, html) in pages(Language::English) {
        let html = html.replace(&ASSETS.style, "[style]").replace(&ASSETS.icon, "[icon]");
        insta::assert_snapshot!(name, html);
    }
}

#[test]
fn the_consent_page_in_spanish() {
    let pages = pages(Language::Spanish);
    let (_, html) = pages.iter().find(|(name, _)| *name == "consent").unwrap();
    let html = html.replace(&ASSETS.style, "[style]").replace(&ASSETS.icon, "[icon]");
    insta::assert_snapshot!("consent_es", html);
}

/// Text without tags, as a reader meets it.
fn visible(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' if inside => {
                inside = false;
                text.push('\n');
            }
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text.replace("&#38;", "&").replace("&#34;", "\"").replace("&#39;", "'")
}

// Covers: design §5, exact text shown and its hash
#[test]
fn the_recorded_text_is_the_text_on_the_page() {
    for language in Language::ALL {
        for decider in [Decider::Patient, Decider::Proxy] {
            let visit = visit(language, "/oauth/authorize/arq_1", Some(Menu::Portal));
            let request = consent_request(decider);
            let page = ConsentPage::new(&visit, &request, &Ticked::default(), Vec::new());
            let shown = page.shown_text();
            let html = page.render().unwrap();
            let on_page = visible(&html);
            let mut rest = on_page.as_str();
            for line in shown.text.lines() {
                let (_, after) = rest
                    .split_once(line)
                    .unwrap_or_else(|| panic!("`{line}` is not on the page, in this order"));
                rest = after;
            }
            assert!(html.contains(&shown.hash));
            if language == Language::English && page_is_for_patient(&request) {
                insta::assert_snapshot!("consent_shown_text", shown.text);
            }
        }
    }
}

/// The text that is kept must speak about the patient, not about the proxy who reads it.
#[test]
fn a_proxy_is_told_about_the_patient_by_name() {
    let mut request = consent_request(Decider::Proxy);
    request.categories = CategorySet::all();
    request.sensitive = proviso_core::decision::org_rules::proxy_sensitive();
    for language in Language::ALL {
        for purpose in PurposeOfUse::ALL {
            request.purpose = *purpose;
            let visit = visit(language, "/oauth/authorize/arq_1", Some(Menu::Portal));
            let page = ConsentPage::new(&visit, &request, &Ticked::default(), Vec::new());
            let text = page.shown_text().text;
            assert!(text.contains("Lily"), "{text}");
            for wrong in [
                "hold about you",
                "your care",
                "your own use",
                "hurt you",
                "your records",
                "your relatives",
                "sobre usted",
                "su atención",
                "su propio uso",
                "hacerle daño",
                "sus familiares",
                "su familia",
            ] {
                assert!(!text.contains(wrong), "{} says `{wrong}`", language.tag());
            }
        }
    }
}

fn page_is_for_patient(request: &ConsentRequest) -> bool {
    request.decider == Decider::Patient
}

#[test]
fn ticking_does_not_change_the_recorded_text() {
    let visit = visit(Language::English, "/oauth/authorize/arq_1", Some(Menu::Portal));
    let request = consent_request(Decider::Patient);
    let ticked = Ticked { categories: CategorySet::all(), offline: true, ..Ticked::default() };
    let untouched = ConsentPage::new(&visit, &request, &Ticked::default(), Vec::new());
    let touched = ConsentPage::new(&visit, &request, &ticked, Vec::new());
    assert_eq!(untouched.shown_text(), touched.shown_text());
}

#[test]
fn every_entry_has_a_sentence_in_every_language() {
    let kinds = [
        AuditKind::Access,
        AuditKind::SignIn,
        AuditKind::SignOut,
        AuditKind::Authorization,
        AuditKind::Token,
        AuditKind::TokenRevocation,
        AuditKind::Introspection,
        AuditKind::Identity,
        AuditKind::Evaluation,
        AuditKind::Consent,
        AuditKind::ClientRegistration,
        AuditKind::PortalView,
        AuditKind::NamesShown,
        AuditKind::Key,
        AuditKind::Import,
        AuditKind::Administration,
    ];
    let interactions =
        [None, Some(Interaction::Read), Some(Interaction::Create), Some(Interaction::Delete)];
    let (_, names) = activity();
    for language in Language::ALL {
        for kind in kinds {
            for outcome in crate::portal::activity::OUTCOMES {
                for interaction in &interactions {
                    for client in [None, entry(kind, outcome).client] {
                        let entry = AuditEntry {
                            interaction: interaction.clone(),
                            client,
                            ..entry(kind, outcome)
                        };
                        let told = Told::to_patient(entry);
                        let text =
                            crate::portal::sentence::sentence(language.texts(), &told, &names);
                        assert!(text.ends_with('.') && !text.starts_with("activity-"), "{text}");
                    }
                }
            }
        }
    }
}

/// What the list says of a search in Maria's records that found nothing.
fn said_of_nothing(asked: &[Category], reasons: Vec<ReasonCode>) -> (String, String) {
    let (_, names) = activity();
    let told = Told::to_patient(AuditEntry {
        interaction: Some(Interaction::Search),
        asked: asked.iter().copied().collect(),
        reasons,
        ..entry(AuditKind::Access, AuditOutcome::Success)
    });
    let view = crate::portal::sentence::EntryView::new(Language::English.texts(), &told, &names);
    (view.sentence, view.outcome)
}

#[test]
fn nothing_is_called_shared_that_was_not() {
    let (unshared, permitted) = (ReasonCode::CategoryNotShared, ReasonCode::ConsentInForce);
    let nothing = || "Nothing shown".to_owned();
    assert_eq!(
        said_of_nothing(&[Category::Vitals], vec![permitted, unshared]),
        (
            "Glucose Coach asked for Vital signs and got nothing, because that is not shared."
                .to_owned(),
            nothing()
        )
    );
    assert_eq!(
        said_of_nothing(&[Category::Laboratory], vec![permitted]),
        ("Glucose Coach asked for Laboratory results and got nothing.".to_owned(), nothing())
    );
    // What a type could have been is not listed as if it had been.
    assert_eq!(
        said_of_nothing(Category::ALL, vec![permitted]),
        ("Glucose Coach asked for several kinds of record and got nothing.".to_owned(), nothing())
    );
}

#[test]
fn menus_fit_the_actor() {
    use crate::frame::menu_of;
    assert_eq!(menu_of(ActorKind::Patient), Menu::Portal);
    assert_eq!(menu_of(ActorKind::Clinician), Menu::Launch);
    assert_eq!(menu_of(ActorKind::SupportAgent), Menu::HomeOnly);
}
