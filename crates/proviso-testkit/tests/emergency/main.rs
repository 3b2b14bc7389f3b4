//! Emergency access end to end: declared in a page, used through an app, told to the patient, reviewed
//! by somebody else; and every condition of it with the case that it stops.

mod policies;

use std::collections::BTreeSet;

use proviso_app::audit::AuditSearch;
use proviso_app::emergency::{Officer, ReviewRefusal};
use proviso_app::evaluation::Asker;
use proviso_app::simulate::{SubjectFilter, Viewer};
use proviso_app::via::Via;
use proviso_core::account::Account;
use proviso_core::audit::{AuditEntry, AuditKind, AuditOutcome};
use proviso_core::category::PurposeOfUse;
use proviso_core::category::SensitiveKind::{PsychotherapyNotes, SubstanceUse};
use proviso_core::emergency::review::{DUE_SECS, ReviewStanding, Verdict};
use proviso_core::emergency::{Emergency, Standing};
use proviso_core::id::EmergencyId;
use proviso_core::reason::ReasonCode;
use proviso_testkit::browser::Browser;
use proviso_testkit::demo_world::DemoWorld;
use proviso_testkit::http_client::Answer;
use proviso_testkit::smart_app::{LOOPBACK, Proof, SmartApp, Tokens};

const SCOPE: &str = "launch openid online_access user/*.cruds";
const WHY: &str = "Found unresponsive at the bus stop.";
const PASSWORD: &str = "proviso-demo";

type Fields<'a> = Vec<(&'a str, &'a str)>;

fn declaration() -> Fields<'static> {
    vec![
        ("patient", "maria"),
        ("reason", "unresponsive"),
        ("why", WHY),
        ("minutes", "30"),
        ("password", PASSWORD),
    ]
}

fn changed(name: &'static str, value: &'static str) -> Fields<'static> {
    let mut fields = declaration();
    for field in &mut fields {
        if field.0 == name {
            field.1 = value;
        }
    }
    fields
}

async fn stone(world: &DemoWorld) -> Browser {
    let mut browser = world.signed_in("drstone").await.unwrap();
    browser.go(&world.url("/emergency")).await.unwrap();
    assert_eq!(browser.page.status, 200, "{}", browser.text());
    browser
}

/// Sends the declaration of the page.
async fn declare(browser: &mut Browser, fields: &[(&str, &str)]) {
    let form = browser.form_with("why").unwrap();
    browser.submit(&form, fields).await.unwrap();
}

async fn declared(world: &DemoWorld) -> Vec<Emergency> {
    world.app.store().emergencies().await.unwrap()
}

async fn the_declared(world: &DemoWorld) -> Emergency {
    let all = declared(world).await;
    let [one] = all.as_slice() else { panic!("{all:?}") };
    one.clone()
}

fn chart_lens(world: &DemoWorld) -> SmartApp {
    SmartApp::new(&world.origin, "chart-lens", Proof::Public, SCOPE)
}

/// Starts the app from the page of emergencies, up to its tokens.
async fn open_app(world: &DemoWorld, browser: &mut Browser) -> Tokens {
    browser.go(&world.url("/emergency")).await.unwrap();
    browser.stop_at = Some(LOOPBACK.to_owned());
    let form = browser.form_with("app").unwrap();
    let app = ("app", "chart-lens http://127.0.0.1:9123/launch");
    browser.submit(&form, &[app, ("step", "open")]).await.unwrap();
    let url = browser.url.clone();
    let launch = url.query_pairs().find(|(name, _)| name == "launch").unwrap().1.into_owned();
    let app = chart_lens(world);
    let launch = app.launch_with(&[("launch", Some(&launch))]).unwrap();
    app.connect_with(&launch, browser, "drstone", &[]).await.unwrap()
}

async fn read(world: &DemoWorld, tokens: &Tokens, path: &str) -> Answer {
    chart_lens(world).fhir(tokens.access(), path).await.unwrap()
}

async fn log(world: &DemoWorld, kinds: &[AuditKind]) -> Vec<AuditEntry> {
    let search = AuditSearch { kinds: kinds.to_vec(), limit: 1_000, ..AuditSearch::default() };
    let page = world.app.search_audit(&search).await.unwrap();
    page.entries.into_iter().map(|logged| logged.entry).collect()
}

async fn emergency_log(world: &DemoWorld, action: &str) -> Vec<AuditEntry> {
    let mut entries = log(world, &[AuditKind::Emergency]).await;
    entries.retain(|entry| entry.action == action);
    entries
}

async fn page_of(world: &DemoWorld, username: &str, address: &str) -> String {
    let mut browser = world.signed_in(username).await.unwrap();
    browser.go(&world.url(address)).await.unwrap();
    browser.text()
}

async fn account(world: &DemoWorld, username: &str) -> Account {
    world.app.store().account_by_username(username).await.unwrap().unwrap()
}

async fn review(
    world: &DemoWorld,
    username: &str,
    id: &EmergencyId,
    verdict: Verdict,
) -> Result<ReviewStanding, ReviewRefusal> {
    let account = account(world, username).await;
    let officer = Officer { account: &account, session: None, via: &Via::default() };
    let note = "compared with the ambulance report".parse().unwrap();
    let decided = world.app.review_emergency(officer, id, verdict, note).await.unwrap();
    decided.map(|row| row.review.standing(world.app.now()))
}

// Covers: design §6 (break-glass), consent.md §7.6
#[tokio::test]
async fn an_emergency_physician_breaks_the_glass_from_page_to_record() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    assert!(browser.text().contains("Emergency access to the records of Maria Alvarez"));
    let emergency = the_declared(&world).await;
    assert_eq!(emergency.declaration.by.as_str(), "acc_drstone");
    assert_eq!(emergency.standing(world.app.now()), Standing::InForce);

    let tokens = open_app(&world, &mut browser).await;
    assert_eq!(tokens.text("patient"), "maria");
    assert!(!tokens.text("scope").contains("offline_access"));
    let patient = read(&world, &tokens, "Patient/maria").await;
    assert_eq!(patient.status, 200, "{}", patient.text());
    let conditions = read(&world, &tokens, "Condition?patient=maria&_count=100").await;
    assert!(conditions.json().unwrap()["entry"].as_array().is_some_and(|all| !all.is_empty()));

    // One patient, whoever else there is; and nothing is changed.
    let other = read(&world, &tokens, "Patient/james").await;
    let nobody = read(&world, &tokens, "Patient/nobody-of-this-name").await;
    assert_eq!((other.status, nobody.status), (404.try_into().unwrap(), other.status));
    let app = chart_lens(&world);
    let bearer = format!("Bearer {}", tokens.access());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/fhir+json")];
    let body = r#"{"resourceType":"Condition","subject":{"reference":"Patient/maria"}}"#;
    let url = format!("{}/Condition", app.base());
    let made = app.client.send(http::Method::POST, &url, &headers, body).await.unwrap();
    assert_eq!(made.status, 403, "{}", made.text());
}

// Covers: design §6: every read audited twice
#[tokio::test]
async fn each_read_leaves_two_entries_and_the_second_names_the_declaration() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    let id = the_declared(&world).await.declaration.id;
    assert_eq!(emergency_log(&world, "use").await, vec![]);
    read(&world, &tokens, "Patient/maria").await;
    let [second] = &emergency_log(&world, "use").await[..] else { panic!("one second entry") };
    let access = log(&world, &[AuditKind::Access]).await;
    let first = access.iter().find(|one| one.decision == second.decision).unwrap();
    for entry in [first, second] {
        assert_eq!(entry.emergency.as_ref(), Some(&id));
        assert_eq!(entry.purpose, Some(PurposeOfUse::BreakGlass));
        assert_eq!(entry.reasons, [ReasonCode::EmergencyAccess]);
        assert_eq!((entry.released, entry.outcome), (1, AuditOutcome::Success));
    }
    assert!(first.record.is_some() && second.record.is_none());
    // Access that rests on something else leaves one.
    let mut patel = world.signed_in("drpatel").await.unwrap();
    patel.go(&world.url("/portal")).await.unwrap();
    assert_eq!(emergency_log(&world, "use").await.len(), 1);
}

#[tokio::test]
async fn without_the_log_nothing_leaves_and_nothing_is_declared() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    world.faults.fail_commits(true);
    declare(&mut browser, &declaration()).await;
    assert_eq!(browser.page.status, 503);
    world.faults.fail_commits(false);
    assert_eq!(declared(&world).await, vec![]);

    browser.go(&world.url("/emergency")).await.unwrap();
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    world.faults.fail_commits(true);
    let refused = read(&world, &tokens, "Patient/maria").await;
    assert_eq!(refused.status, 503);
    assert!(!refused.text().contains("Alvarez"));
}

// Covers: design §6: one patient, at most 60 minutes; the end is in force at once
#[tokio::test]
async fn it_is_over_at_its_end_and_at_once_when_it_is_ended() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    let end = the_declared(&world).await.declaration.ends_at;
    // Renewed to the last, and never beyond it.
    world.clock.set(end.plus_secs(-10));
    let renewed = chart_lens(&world).refresh(tokens.refresh()).await.unwrap();
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let renewed = Tokens { body: renewed.json().unwrap() };
    assert_eq!(renewed.body["expires_in"], 10);
    world.clock.set(end.plus_secs(-1));
    assert_eq!(read(&world, &renewed, "Patient/maria").await.status, 200);
    world.clock.set(end);
    assert_eq!(read(&world, &renewed, "Patient/maria").await.status, 401);
    let late = chart_lens(&world).refresh(renewed.refresh()).await.unwrap();
    assert_eq!(late.status, 400);

    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 200);
    browser.stop_at = None;
    browser.go(&world.url("/emergency")).await.unwrap();
    let form = browser.form_with("app").unwrap();
    browser.submit(&form, &[("step", "end")]).await.unwrap();
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 401);
    let last = declared(&world).await.pop().unwrap();
    assert_eq!(last.standing(world.app.now()), Standing::Ended);
    let grants = world.app.store().grants_of_account(&last.declaration.by).await.unwrap();
    assert!(grants.iter().filter(|own| own.emergency() == Some(&last.declaration.id)).count() == 1);
    assert!(grants.iter().all(|own| own.ended.is_some() || !own.is_live(world.app.now())));
    let refused = chart_lens(&world).refresh(tokens.refresh()).await.unwrap();
    assert_eq!(refused.status, 400);
}

/// What was typed wrongly is said, kept and logged, and opens nothing.
#[tokio::test]
async fn each_condition_that_is_not_met_is_told_and_logged_and_opens_nothing() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    for (fields, told) in [
        (changed("why", "  "), "Say in your own words what happened"),
        (changed("reason", "curious"), "Choose one of the reasons."),
        (changed("reason", ""), "Choose one of the reasons."),
        (changed("minutes", "61"), "Enter a number of minutes from 1 to 60."),
        (changed("minutes", "0"), "Enter a number of minutes from 1 to 60."),
        (changed("patient", "maria james"), "Enter the number of one patient."),
        (changed("password", ""), "Enter your password again."),
        (changed("password", "wrong"), "This password is not right. Nothing was opened."),
        (changed("patient", "nobody"), "There is no patient with this number."),
    ] {
        let before = emergency_log(&world, "declare").await.len();
        declare(&mut browser, &fields).await;
        let text = browser.text();
        assert_eq!(browser.page.status, 422, "{fields:?}");
        assert!(text.contains(told), "{fields:?}: {text}");
        assert!(!browser.page.text().contains("value=\"proviso-demo\""), "no password comes back");
        let entries = emergency_log(&world, "declare").await;
        assert_eq!(entries.len(), before + 1, "{fields:?}");
        assert_eq!(entries[0].outcome, AuditOutcome::Denied);
        assert!(!entries[0].reasons.is_empty());
        world.clock.advance_secs(3_601);
        browser = stone(&world).await;
    }
    assert_eq!(declared(&world).await, vec![]);
    declare(&mut browser, &changed("minutes", "60")).await;
    assert_eq!(declared(&world).await.len(), 1, "{}", browser.text());
}

// Covers: design §6: privileged group; leaks 131
#[tokio::test]
async fn who_is_not_in_the_privileged_group_cannot_declare() {
    let world = DemoWorld::start().await.unwrap();
    for username in ["drpatel", "nurseruiz", "maria", "priya"] {
        let mut browser = world.signed_in(username).await.unwrap();
        assert!(!browser.text().contains("Emergency access"));
        browser.go(&world.url("/emergency")).await.unwrap();
        assert_eq!(browser.page.status, 403, "{username}");
    }
    // The page aside, the use case refuses as well, and the log says why.
    let mut stone = stone(&world).await;
    let form = stone.form_with("why").unwrap();
    let mut own = account(&world, "drstone").await;
    own.roles = proviso_core::org::RoleSet::EMPTY;
    let put = proviso_store::Op::PutAccount { account: own, expect: proviso_store::Presence::Any };
    let entry = world
        .app
        .draft_entry(&Via::default(), AuditKind::Administration, AuditOutcome::Success, "test")
        .unwrap();
    world.app.commit(proviso_store::Batch::new().with(put), entry).await.unwrap();
    stone.submit(&form, &declaration()).await.unwrap();
    assert_eq!(stone.page.status, 403);
    let entries = emergency_log(&world, "declare").await;
    assert!(entries[0].reasons.contains(&ReasonCode::PurposeNotAllowed), "{entries:?}");
    assert_eq!(declared(&world).await, vec![]);
}

/// A role that is taken away ends what is open: the policy in force is asked for each record.
#[tokio::test]
async fn who_leaves_the_privileged_group_reads_nothing_more() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 200);
    let mut own = account(&world, "drstone").await;
    own.roles = proviso_core::org::RoleSet::EMPTY;
    let put = proviso_store::Op::PutAccount { account: own, expect: proviso_store::Presence::Any };
    let entry = world
        .app
        .draft_entry(&Via::default(), AuditKind::Administration, AuditOutcome::Success, "test")
        .unwrap();
    world.app.commit(proviso_store::Batch::new().with(put), entry).await.unwrap();
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 403);
}

/// Two worlds that differ in a patient: who is refused reads the same in both.
#[tokio::test]
async fn a_refusal_tells_nothing_of_the_patient() {
    let world = DemoWorld::start().await.unwrap();
    for (name, value) in [("password", "wrong"), ("why", ""), ("reason", "none"), ("minutes", "0")]
    {
        let mut seen = BTreeSet::new();
        for patient in ["maria", "nobody"] {
            let mut browser = stone(&world).await;
            let mut fields = changed(name, value);
            fields[0].1 = patient;
            declare(&mut browser, &fields).await;
            let text = browser.page.text().replace(patient, "PATIENT");
            let variable = |line: &&str| !line.contains("csrf") && !line.contains("req_");
            seen.insert(text.lines().filter(variable).collect::<Vec<_>>().join("\n"));
            world.clock.advance_secs(3_601);
        }
        assert_eq!(seen.len(), 1, "{name}: {seen:?}");
    }
    // Nor does the log connect somebody who was refused with a patient.
    let entries = emergency_log(&world, "declare").await;
    assert!(entries.iter().all(|entry| entry.patients.is_empty()), "{entries:?}");
}

// Covers: design §6: the policy says which sensitive kinds open; 42 CFR 2.51
#[tokio::test]
async fn sensitive_kinds_open_as_the_policy_says() {
    let codes = |answer: &Answer| -> BTreeSet<String> {
        let bundle = answer.json().unwrap();
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let found = entries.iter().filter(|one| one["search"]["mode"] != "outcome");
        found.map(|one| one["resource"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let mut seen = Vec::new();
    for reason in ["unresponsive", "unreachable"] {
        let world = DemoWorld::start().await.unwrap();
        let mut browser = stone(&world).await;
        declare(&mut browser, &changed("reason", reason)).await;
        let tokens = open_app(&world, &mut browser).await;
        let answer = read(&world, &tokens, "Condition?patient=maria&_count=200").await;
        let released: BTreeSet<_> = log(&world, &[AuditKind::Access])
            .await
            .into_iter()
            .filter(|entry| entry.emergency.is_some())
            .flat_map(|entry| entry.sensitive.iter().collect::<Vec<_>>())
            .collect();
        let noticed = answer.header("redisclosure-notice").is_some();
        seen.push((codes(&answer), released, noticed));
    }
    let (life, reach) = (&seen[0], &seen[1]);
    // Where the patient cannot answer, substance use opens with its notice; because a colleague
    // cannot be reached, it does not. Psychotherapy notes never do.
    assert!(life.1.contains(&SubstanceUse) && life.2, "{life:?}");
    assert!(!reach.1.contains(&SubstanceUse) && !reach.2, "{reach:?}");
    assert!(reach.0.is_subset(&life.0) && reach.0.len() < life.0.len());
    assert!(!life.1.contains(&PsychotherapyNotes) && !reach.1.contains(&PsychotherapyNotes));
}

// Covers: design §6: the patient is told at once
#[tokio::test]
async fn the_patient_reads_at_once_who_when_why_and_until_when() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let home = page_of(&world, "maria", "/portal?lang=en").await;
    for part in [
        "Dr. Eli Stone can see your records since 22 November 2026",
        "because you could not answer",
        "This ends on 22 November 2026",
        WHY,
    ] {
        assert!(home.contains(part), "`{part}` in {home}");
    }
    let in_spanish = page_of(&world, "maria", "/portal?lang=es").await;
    assert!(in_spanish.contains("Dr. Eli Stone puede ver sus datos"), "{in_spanish}");
    let tokens = open_app(&world, &mut browser).await;
    read(&world, &tokens, "Patient/maria").await;
    let activity = page_of(&world, "maria", "/portal/activity?lang=en").await;
    assert!(activity.contains("Dr. Eli Stone opened your records in an emergency."), "{activity}");
    assert!(activity.contains("A clinician used emergency access to look at this."), "{activity}");
    // The second entry of a read says nothing new to the patient, so it is not a line of its own.
    assert_eq!(activity.matches("A clinician used emergency access").count(), 1, "{activity}");
    // Whose records it was not reads nothing of it.
    for other in ["james", "wei"] {
        assert!(!page_of(&world, other, "/portal").await.contains("Stone"), "{other}");
    }
}

#[tokio::test]
async fn who_acts_for_the_patient_reads_the_code_and_not_the_words() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &changed("patient", "lily")).await;
    let father = page_of(&world, "wei", "/portal?patient=lily&lang=en").await;
    assert!(father.contains("Dr. Eli Stone can see your records"), "{father}");
    assert!(!father.contains(WHY), "{father}");
    assert!(page_of(&world, "lily", "/portal?lang=en").await.contains(WHY));
}

// Covers: design §6: review queue with a deadline
#[tokio::test]
async fn a_review_opens_with_a_deadline_and_somebody_else_decides_it() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let emergency = the_declared(&world).await;
    let id = emergency.declaration.id.clone();
    let priya = account(&world, "priya").await;
    let officer = Officer { account: &priya, session: None, via: &Via::default() };
    let rows = world.app.emergencies(officer).await.unwrap().unwrap();
    let opened = &rows[0].review;
    assert_eq!(opened.due_at, emergency.declaration.declared_at.plus_secs(DUE_SECS));

    // Not while it goes on, not by the one who declared it, not by who has no oversight.
    let still = review(&world, "priya", &id, Verdict::Justified).await;
    assert!(matches!(still, Err(ReviewRefusal::Step(_))), "{still:?}");
    world.clock.set(emergency.declaration.ends_at);
    for username in ["drstone", "drpatel", "admin"] {
        let refused = review(&world, username, &id, Verdict::Justified).await;
        assert_eq!(refused, Err(ReviewRefusal::NotAllowed), "{username}");
    }
    world.clock.set(opened.due_at.plus_secs(-1));
    assert_eq!(opened.standing(world.app.now()), ReviewStanding::Open);
    world.clock.set(opened.due_at);
    assert_eq!(opened.standing(world.app.now()), ReviewStanding::Overdue);
    let followed = review(&world, "priya", &id, Verdict::NeedsFollowUp).await;
    assert_eq!(followed, Ok(ReviewStanding::FollowUp));
    let decided = review(&world, "priya", &id, Verdict::NotJustified).await;
    assert_eq!(decided, Ok(ReviewStanding::NotJustified));
    let again = review(&world, "priya", &id, Verdict::Justified).await;
    assert!(matches!(again, Err(ReviewRefusal::Step(_))), "{again:?}");
    assert_eq!(world.app.store().review_versions(&id).await.unwrap().len(), 3);
    let entries = emergency_log(&world, "review").await;
    let refused = entries.iter().filter(|entry| entry.outcome == AuditOutcome::Denied).count();
    assert_eq!((entries.len(), refused), (7, 5));
    let activity = page_of(&world, "maria", "/portal/activity?lang=en").await;
    assert!(activity.contains("It was checked if the emergency access"), "{activity}");
}

/// A privacy officer who may declare emergencies as well never judges their own.
#[tokio::test]
async fn nobody_reviews_their_own_even_with_both_roles() {
    use proviso_core::org::Role;
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let emergency = the_declared(&world).await;
    let mut both = account(&world, "drstone").await;
    both.roles = both.roles.with(Role::PrivacyOfficer);
    world.clock.set(emergency.declaration.ends_at);
    let officer = Officer { account: &both, session: None, via: &Via::default() };
    let note = "it was fine".parse().unwrap();
    let id = &emergency.declaration.id;
    let refused = world.app.review_emergency(officer, id, Verdict::Justified, note).await.unwrap();
    let same = proviso_core::emergency::review::ReviewError::SamePerson;
    assert_eq!(refused, Err(ReviewRefusal::Step(same)));
}

#[tokio::test]
async fn an_officer_ends_what_is_no_emergency() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    let id = the_declared(&world).await.declaration.id;
    let (patel, priya) = (account(&world, "drpatel").await, account(&world, "priya").await);
    let by = |account| Officer { account, session: None, via: Box::leak(Box::new(Via::default())) };
    let refused = world.app.end_emergency_of(by(&patel), &id).await.unwrap();
    assert_eq!(refused, Err(ReviewRefusal::NotAllowed));
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 200);
    world.app.end_emergency_of(by(&priya), &id).await.unwrap().unwrap();
    assert_eq!(read(&world, &tokens, "Patient/maria").await.status, 401);
}

/// Who could see a patient's records now: one who declared an emergency, for as long as it lasts.
#[tokio::test]
async fn the_patient_sees_them_among_those_who_can_see_now() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    open_app(&world, &mut browser).await;
    let via = Via::default();
    let patient = "maria".parse().unwrap();
    let all = SubjectFilter::All;
    let ways = |at| {
        let operator = Viewer::Officer(Asker { caller: None, via: &via });
        let found = world.app.ways_to(operator, &patient, &all, None, at).unwrap();
        let stone = found
            .into_iter()
            .find(|one| one.who.account.as_ref().is_some_and(|id| id.as_str() == "acc_drstone"));
        stone.is_some_and(|one| one.before.iter().any(|way| way.plan.is_ok()))
    };
    let end = the_declared(&world).await.declaration.ends_at;
    assert!(ways(world.app.now()) && ways(end.plus_secs(-1)) && !ways(end));
}

/// A launch under somebody else's emergency, or under one for another patient, opens nothing.
#[tokio::test]
async fn an_emergency_is_its_owners_and_its_patients() {
    use proviso_app::launch::{LaunchOrder, LaunchRefusal};
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let id = the_declared(&world).await.declaration.id;
    let start = async |username: &str, patient: &str, emergency: bool| {
        let account = account(&world, username).await;
        let session = proviso_core::account::Session {
            id: "ses_test".parse().unwrap(),
            secret_hash: "none".to_owned(),
            account: account.id.clone(),
            authenticated_at: world.app.now(),
            last_used_at: world.app.now(),
            expires_at: world.app.now().plus_days(1),
            ended_at: None,
        };
        let order = LaunchOrder {
            client: "chart-lens".parse().unwrap(),
            launch_uri: "http://127.0.0.1:9123/launch".to_owned(),
            patient: Some(patient.parse().unwrap()),
            encounter: None,
            intent: None,
            emergency: emergency.then(|| id.clone()),
        };
        let person = proviso_app::session::SignedIn { session, account };
        world.app.start_launch(&person, order, &Via::default()).await.unwrap().map(|_| ())
    };
    assert_eq!(start("drstone", "maria", true).await, Ok(()));
    assert_eq!(start("drstone", "james", true).await, Err(LaunchRefusal::Patient));
    assert_eq!(start("drstone", "maria", false).await, Err(LaunchRefusal::Patient), "by name only");
    assert_eq!(start("drpatel", "maria", true).await, Err(LaunchRefusal::Patient));
    assert_eq!(start("drpatel", "maria", false).await, Ok(()));
}

// Covers: design P5: any decision can be made again to the same bytes
#[tokio::test]
async fn decisions_in_an_emergency_are_made_again_to_the_same_bytes() {
    let world = DemoWorld::start().await.unwrap();
    let mut browser = stone(&world).await;
    declare(&mut browser, &declaration()).await;
    let tokens = open_app(&world, &mut browser).await;
    read(&world, &tokens, "Condition?patient=maria&_count=100").await;
    let entries = log(&world, &[AuditKind::Access]).await;
    let mut made = 0;
    for entry in entries.iter().filter(|entry| entry.emergency.is_some()) {
        let record = entry.record.as_ref().unwrap();
        let again = record.replay(None, &proviso_core::decision::FiledAtHand::new()).unwrap();
        assert_eq!(again.digest().unwrap(), *entry.digest.as_ref().unwrap());
        assert!(!String::from_utf8(record.to_bytes().unwrap()).unwrap().contains("bus stop"));
        made += 1;
    }
    assert!(made > 0);
}
