//! `kill -9` in the middle of everything: what was acknowledged is there, nothing is half-done.
//!
//! While the power goes, apps read and refresh, and a person shares and stops sharing over and
//! over. What each of them was told is noted; the next start is held to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use proviso::installation::Installation;
use proviso_app::audit::AuditSearch;
use proviso_testkit::browser::Browser;
use proviso_testkit::process::{Server, run};
use proviso_testkit::smart_app::{SmartApp, Tokens};
use tokio::sync::watch;

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs";
const CHOICES: &[(&str, &str)] = &[
    ("category", "laboratory"),
    ("category", "demographics"),
    ("duration", "1-year"),
    ("offline", "yes"),
];

/// What the server has told its callers, and who is still asking.
#[derive(Debug, Clone)]
struct Told {
    /// The ids of the requests that were answered.
    requests: Arc<Mutex<Vec<String>>>,
    /// How much has happened: requests answered, and choices made and ended.
    progress: watch::Sender<(usize, usize)>,
}

impl Told {
    fn nothing() -> Self {
        Self { requests: Arc::default(), progress: watch::Sender::new((0, 0)) }
    }

    /// Reads the patient in context; `None` once the server is gone.
    async fn read(&self, app: &SmartApp, tokens: &Tokens) -> Option<()> {
        let path = format!("Patient/{}", tokens.text("patient"));
        let answer = loop {
            let answer = app.fhir(tokens.access(), &path).await.ok()?;
            // On a fast machine they ask too often, and are told so; that released nothing.
            if answer.status != 429 {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.header("x-request-id").unwrap().to_owned();
        self.requests.lock().unwrap().push(id);
        self.progress.send_modify(|(requests, _)| *requests += 1);
        Some(())
    }
}

/// What a person knows of her own choice when the server goes.
#[derive(Debug)]
enum Choice {
    /// She was not told that she shares.
    Unknown,
    /// She was told that she shares.
    Shared(Tokens),
    /// She asked to stop and was not told that it stopped.
    Stopping(Tokens),
}

/// Reads until the server is gone.
async fn reader(told: Told, app: SmartApp, tokens: Tokens) {
    while told.read(&app, &tokens).await.is_some() {}
}

/// Reads and refreshes until the server is gone; gives the tokens it last held.
async fn refresher(told: Told, app: SmartApp, mut tokens: Tokens) -> Tokens {
    loop {
        for _ in 0..7 {
            if told.read(&app, &tokens).await.is_none() {
                return tokens;
            }
        }
        let Ok(answer) = app.refresh(tokens.refresh()).await else { return tokens };
        assert_eq!(answer.status, 200, "{}", answer.text());
        tokens = Tokens { body: answer.json().unwrap() };
    }
}

/// Shares and stops until the server is gone; gives what was stopped, and where she was.
async fn changes_her_mind(told: Told, app: SmartApp) -> (Vec<Tokens>, Choice) {
    let mut stopped = Vec::new();
    loop {
        let mut maria = Browser::new().unwrap();
        let Ok(tokens) = app.connect(&mut maria, "maria", CHOICES).await else {
            return (stopped, Choice::Unknown);
        };
        if told.read(&app, &tokens).await.is_none() {
            return (stopped, Choice::Shared(tokens));
        }
        match stop_sharing(&mut maria, &app.origin).await {
            Ok(()) => {}
            Err(Stop::NotAsked) => return (stopped, Choice::Shared(tokens)),
            Err(Stop::NotTold) => return (stopped, Choice::Stopping(tokens)),
        }
        // If the server is there to answer, it refuses.
        if let Ok(answer) = app.refresh(tokens.refresh()).await {
            assert_eq!(answer.status, 400, "{}", answer.text());
        }
        stopped.push(tokens);
        told.progress.send_modify(|(_, choices)| *choices += 1);
    }
}

enum Stop {
    NotAsked,
    NotTold,
}

/// Stops sharing for the app of the person that is signed in.
async fn stop_sharing(browser: &mut Browser, origin: &str) -> Result<(), Stop> {
    browser.stop_at = None;
    let form = async {
        browser.go(&format!("{origin}/portal/apps")).await?;
        browser.follow("Stop sharing").await?;
        let mut forms = browser.forms().into_iter();
        let stops = |action: &String| action.contains("stop");
        let form = forms.find(|form| form.attributes.get("action").is_some_and(stops));
        form.ok_or_else(|| anyhow::anyhow!("no confirmation: {}", browser.text()))
    };
    let form = form.await.map_err(|_| Stop::NotAsked)?;
    browser.submit(&form, &[]).await.map_err(|_| Stop::NotTold)?;
    assert_eq!(browser.page.status, 200, "{}", browser.text());
    Ok(())
}

/// The requests that the log on disk knows of.
async fn logged_requests(folder: &Path) -> BTreeSet<String> {
    let installation = Installation::demo(folder, "http://127.0.0.1:8080");
    let lock = installation.lock().unwrap();
    let app = installation.open(&lock).await.unwrap();
    let mut known = BTreeSet::new();
    let mut before = None;
    loop {
        let search = AuditSearch { before, limit: 1000, ..AuditSearch::default() };
        let page = app.search_audit(&search).await.unwrap();
        let requests = page.entries.into_iter().filter_map(|logged| logged.entry.request);
        known.extend(requests.map(|request| request.as_str().to_owned()));
        match page.next_before {
            Some(next) => before = Some(next),
            None => return known,
        }
    }
}

async fn refreshes(app: &SmartApp, tokens: &Tokens) -> bool {
    let answer = app.refresh(tokens.refresh()).await.unwrap();
    assert!(answer.status == 200 || answer.status == 400, "{}", answer.text());
    answer.status == 200
}

// Covers: design P2, P3, P4, §8 (durability)
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut stopped: Vec<Tokens> = Vec::new();
    for round in 0..3 {
        let server = Server::demo(folder.path(), &[]).await.unwrap();
        let app = SmartApp::glucose_coach(&server.origin, SCOPE);
        // James shares and leaves it on.
        let kept = app.connect(&mut Browser::new().unwrap(), "james", CHOICES).await.unwrap();

        let told = Told::nothing();
        let readers: Vec<_> =
            (0..2).map(|_| tokio::spawn(reader(told.clone(), app.clone(), kept.clone()))).collect();
        let refresher = tokio::spawn(refresher(told.clone(), app.clone(), kept.clone()));
        let maria = tokio::spawn(changes_her_mind(told.clone(), app.clone()));
        // The power goes at another point of her way in each round.
        let mut progress = told.progress.subscribe();
        progress
            .wait_for(|(requests, choices)| *choices > round && *requests >= 60 + 17 * round)
            .await
            .unwrap();
        server.kill().await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
        let last = refresher.await.unwrap();
        let (ended, choice) = maria.await.unwrap();
        assert!(ended.len() > round);
        stopped.extend(ended);

        // The log is whole, and has every answer that left.
        let data = folder.path().to_str().unwrap();
        let (code, out, err) = run(&["verify", "--data", data, "--json"]).await.unwrap();
        assert_eq!(code, Some(0), "{out}{err}");
        let known = logged_requests(folder.path()).await;
        let answered = told.requests.lock().unwrap().clone();
        assert!(answered.len() >= 60);
        for request in &answered {
            assert!(known.contains(request), "the log lost {request}");
        }

        // The choice that was kept is still there: its last refresh token works.
        let server = Server::demo(folder.path(), &[]).await.unwrap();
        let app = SmartApp::glucose_coach(&server.origin, SCOPE);
        assert!(refreshes(&app, &last).await, "an acknowledged grant was lost");
        // Everything that was stopped before the cut still is. (The port differs between starts,
        // and with it the issuer; a refresh token does not carry one.)
        for tokens in &stopped {
            assert!(!refreshes(&app, tokens).await, "a stopped choice came back");
        }
        // Her last choice is whole, whichever way it went: what the portal says is what is so.
        let mut portal = Browser::open(&server.url("/login")).await.unwrap();
        portal.sign_in("maria", "proviso-demo").await.unwrap();
        portal.go(&server.url("/portal/apps")).await.unwrap();
        let shares = portal.follow("Stop sharing").await.is_ok();
        match choice {
            Choice::Unknown => {}
            Choice::Shared(tokens) => {
                assert!(
                    shares && refreshes(&app, &tokens).await,
                    "an acknowledged choice was lost"
                );
            }
            Choice::Stopping(tokens) => {
                assert_eq!(shares, refreshes(&app, &tokens).await, "half stopped");
            }
        }
        if shares {
            stop_sharing(&mut portal, &server.origin).await.ok().unwrap();
        }
        server.kill().await.unwrap();
    }
}
