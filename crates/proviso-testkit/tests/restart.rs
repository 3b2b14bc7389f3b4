//! `kill -9` in the middle of everything: what was acknowledged is there, nothing is half-done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use proviso_testkit::browser::Browser;
use proviso_testkit::process::{Server, run};
use proviso_testkit::smart_app::{SmartApp, Tokens};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.rs";
const CHOICES: &[(&str, &str)] = &[
    ("category", "laboratory"),
    ("category", "demographics"),
    ("duration", "1-year"),
    ("offline", "yes"),
];

/// Stops sharing for every app of the person that is signed in.
async fn stop_sharing(browser: &mut Browser, server: &Server) -> anyhow::Result<()> {
    browser.stop_at = None;
    browser.go(&server.url("/portal/apps")).await?;
    browser.follow("Stop sharing").await?;
    let confirm = browser
        .forms()
        .into_iter()
        .find(|form| form.attributes.get("action").is_some_and(|action| action.contains("stop")));
    let form = confirm.ok_or_else(|| anyhow::anyhow!("no confirmation: {}", browser.text()))?;
    browser.submit(&form, &[]).await?;
    anyhow::ensure!(browser.page.status == 200, "{}", browser.text());
    Ok(())
}

/// Reads and refreshes until told to stop or the server is gone; gives the tokens it last held.
async fn hammer(
    app: SmartApp,
    mut tokens: Tokens,
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
) -> Tokens {
    while !stop.load(Ordering::SeqCst) {
        let path = format!("Patient/{}", tokens.text("patient"));
        let Ok(answer) = app.fhir(tokens.access(), &path).await else { break };
        assert_eq!(answer.status, 200, "{}", answer.text());
        requests.fetch_add(1, Ordering::SeqCst);
        if requests.load(Ordering::SeqCst).is_multiple_of(7) {
            let Ok(answer) = app.refresh(tokens.refresh()).await else { break };
            assert_eq!(answer.status, 200, "{}", answer.text());
            tokens = Tokens { body: answer.json().unwrap() };
        }
    }
    tokens
}

// Covers: design P2, P3, §8 (durability)
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let mut revoked: Vec<Tokens> = Vec::new();
    let mut seen_versions: BTreeSet<String> = BTreeSet::new();
    for round in 0..3 {
        let server = Server::demo(folder.path(), &[]).await.unwrap();
        let app = SmartApp::glucose_coach(&server.origin, SCOPE);

        // Everything revoked before the cut is still revoked. (The port differs between starts,
        // and with it the issuer; a refresh token does not carry one.)
        for tokens in &revoked {
            let answer = app.refresh(tokens.refresh()).await.unwrap();
            assert_eq!(answer.status, 400, "a revoked grant came back: {}", answer.text());
        }

        // James shares and leaves it on; Maria shares and stops.
        let mut james = Browser::new().unwrap();
        let kept = app.connect(&mut james, "james", CHOICES).await.unwrap();
        let mut maria = Browser::new().unwrap();
        let stopped = app.connect(&mut maria, "maria", CHOICES).await.unwrap();
        stop_sharing(&mut maria, &server).await.unwrap();
        revoked.push(stopped);

        // Requests run while the power goes.
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut workers = Vec::new();
        for _ in 0..3 {
            let (app, tokens) = (app.clone(), kept.clone());
            let (stop, requests) = (Arc::clone(&stop), Arc::clone(&requests));
            workers.push(tokio::spawn(async move {
                // Only reads here: refreshes of one token by several workers would end the grant.
                while !stop.load(Ordering::SeqCst) {
                    let path = format!("Patient/{}", tokens.text("patient"));
                    let Ok(answer) = app.fhir(tokens.access(), &path).await else { break };
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    requests.fetch_add(1, Ordering::SeqCst);
                }
            }));
        }
        let refresher = tokio::spawn(hammer(
            app.clone(),
            kept.clone(),
            Arc::clone(&stop),
            Arc::clone(&requests),
        ));
        while requests.load(Ordering::SeqCst) < 60 * (round + 1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill().await.unwrap();
        stop.store(true, Ordering::SeqCst);
        for worker in workers {
            worker.await.unwrap();
        }
        let last = refresher.await.unwrap();
        seen_versions.insert(last.refresh().to_owned());

        // The log is whole, and holds at least every answer that left.
        let data = folder.path().to_str().unwrap();
        let (code, out, err) = run(&["verify", "--data", data, "--json"]).await.unwrap();
        assert_eq!(code, Some(0), "{out}{err}");
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        let entries = report["entries"].as_u64().unwrap();
        assert!(entries >= requests.load(Ordering::SeqCst) as u64, "{report}");

        // The grant that was kept is still there: its last refresh token works.
        let server = Server::demo(folder.path(), &[]).await.unwrap();
        let app = SmartApp::glucose_coach(&server.origin, SCOPE);
        let answer = app.refresh(last.refresh()).await.unwrap();
        assert_eq!(answer.status, 200, "an acknowledged grant was lost: {}", answer.text());
        server.kill().await.unwrap();
    }
    assert_eq!(seen_versions.len(), 3);
}
