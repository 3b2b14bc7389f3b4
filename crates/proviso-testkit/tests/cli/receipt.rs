//! `verify-receipt`: what the portal gives, checked without a server.

use std::path::Path;

use proviso_testkit::browser::{Browser, links, visible_text};
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::SmartApp;

use crate::{Ran, World, text};

const SCOPE: &str = "launch/patient openid fhirUser patient/*.rs";

/// Opens the first link of the page whose address ends so.
async fn open(browser: &mut Browser, server: &Server, end: &str) {
    let all = links(&browser.page.text());
    let (_, href) = all.into_iter().find(|(_, href)| href.ends_with(end)).unwrap();
    browser.go(&server.url(&href.replace("&#38;", "&"))).await.unwrap();
    assert_eq!(browser.page.status, 200, "{href}");
}

/// Downloads the receipt of a version by clicking, from the list of apps to the file.
async fn download(browser: &mut Browser, server: &Server, version: &str, into: &Path) -> String {
    browser.go(&server.url("/portal/apps")).await.unwrap();
    let history = links(&browser.page.text())
        .into_iter()
        .find(|(words, _)| words.contains("History and receipts"))
        .unwrap();
    browser.go(&server.url(&history.1)).await.unwrap();
    open(browser, server, &format!("/receipts/{version}")).await;
    let page = visible_text(&browser.page.text());
    assert!(page.contains("Maria Alvarez") && page.contains("Glucose Coach"), "{page}");
    open(browser, server, "/file").await;
    assert!(browser.page.header("content-disposition").unwrap().contains("attachment"));
    std::fs::write(into, browser.page.text()).unwrap();
    text(into)
}

// Covers: design §5, receipts; issue: verifiable offline
#[tokio::test]
async fn a_receipt_from_the_portal_is_checked_without_a_server() {
    let world = World::new().await;
    let data = world.path();
    let server = Server::demo(&world.data(), &[]).await.unwrap();
    let app = SmartApp::glucose_coach(&server.origin, SCOPE);
    let mut maria = Browser::new().unwrap();
    let one = &[("category", "laboratory"), ("duration", "30-days")];
    app.connect(&mut maria, "maria", one).await.unwrap();
    maria.stop_at = None;
    let both = &[("category", "laboratory"), ("category", "vitals"), ("duration", "30-days")];
    app.connect(&mut maria, "maria", both).await.unwrap();
    maria.stop_at = None;
    let kept = world.folder.path().join("keys.json");
    let public = Ran::of(&["keys", "public", "--data", &data]).await.expect(0);
    assert!(!public.out.contains("\"d\""), "a private key is printed");
    std::fs::write(&kept, &public.out).unwrap();
    let kept = text(&kept);
    let first = world.folder.path().join("first.json");
    let second = world.folder.path().join("second.json");
    let first = download(&mut maria, &server, "1", &first).await;
    let second = download(&mut maria, &server, "2", &second).await;
    server.interrupt().await.unwrap();
    std::fs::remove_dir_all(world.data()).unwrap();

    let good = Ran::of(&["verify-receipt", &first, &second, "--keys", &kept]).await.expect(0);
    good.says("dpv:ConsentGiven").says("dpv:RenewedConsentGiven");
    good.says("consecutive versions of one choice").says("in the log");
    let json = Ran::of(&["verify-receipt", &second, "--keys", &kept, "--json"]).await.expect(0);
    let json = json.json();
    assert_eq!(json["good"], true);
    assert_eq!(json["receipts"][0]["anchor"], "log-key");
    let shown = json["receipts"][0]["receipt"]["version"]["shown_text"].as_str().unwrap();
    assert!(shown.contains("Glucose Coach"), "the exact text is in it");
    Ran::of(&["verify-receipt", &first]).await.expect(0).says("is not shown without `--keys`");

    let changed = std::fs::read_to_string(&first).unwrap().replacen("eyJ", "eyK", 1);
    let bad = text(&world.folder.path().join("bad.json"));
    std::fs::write(&bad, changed).unwrap();
    Ran::of(&["verify-receipt", &bad, "--keys", &kept]).await.expect(3).says("FAIL");
    std::fs::write(&bad, [0xff, 0xfe]).unwrap();
    Ran::of(&["verify-receipt", &bad]).await.expect(3).says("not a receipt");
    Ran::of(&["verify-receipt", &first, &first]).await.expect(3).says("do not follow");
    Ran::of(&["verify-receipt", "/nowhere"]).await.expect(1).says("cannot read");
    Ran::of(&["verify-receipt", &first, "--keys", &first]).await.expect(1).says("no usable key");
}
