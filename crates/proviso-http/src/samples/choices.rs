//! Samples of the pages about one sharing choice: its history and its receipts.

use askama::Template;
use proviso_app::receipt::record::{Event, Party, Processing};
use proviso_app::receipt::{AtIssue, Audience, IssuedReceipt, Receipt, SignedReceipt};
use proviso_core::consent::{NamedConsent, Timeline};

use super::who::{lost, seen};
use super::*;
use crate::portal::choice::{ChoicePage, ReceiptPage};

/// Recorded, narrowed with an HIV test named, and stopped.
fn line() -> Timeline {
    let mut first = consent(ConsentStatus::Active, Some(at("2026-12-20T09:30:00Z")));
    first.sensitive = SensitiveSet::EMPTY;
    first.shown_text = "Glucose Coach asks to see your health records\nYou decide.".to_owned();
    first.shown_text_hash = "6e".repeat(32);
    let mut terms = first.terms();
    terms.categories = CategorySet::EMPTY.with(Category::Laboratory);
    terms.sensitive = SensitiveSet::EMPTY.with(SensitiveKind::Hiv);
    terms.offline = OfflineAccess::Refused;
    let second = first.amend(terms, at("2026-11-21T10:00:00Z"), None).unwrap();
    let third = second.revoke(at("2026-11-22T11:00:00Z"), None).unwrap();
    Timeline::new([first, second, third].map(NamedConsent::new).to_vec()).unwrap()
}

/// A receipt with made-up evidence: the page shows it, and does not check it.
fn issued(place: u32, reader: Capacity) -> IssuedReceipt {
    let line = line();
    let seen = line.seen_by(reader);
    let own = seen.iter().find(|seen| seen.place == place).unwrap();
    let version = own.partial();
    let party = |role: &str, name: &str| Party {
        party_id: role.to_owned(),
        party_name: name.to_owned(),
        party_role: role.to_owned(),
        party_type: "person".to_owned(),
        party_address: "not stated".to_owned(),
        party_contact: "not stated".to_owned(),
    };
    let file = serde_json::json!({
        "format": "proviso-receipt-1",
        "receipt": "e30.e30.e30",
        "key": {
            "jwk": { "alg": "ES256", "crv": "P-256", "kid": "es256-1", "kty": "EC", "use": "sig",
                     "x": "eA", "y": "eQ" },
            "note": "note"
        }
    });
    let file: SignedReceipt = serde_json::from_value(file).unwrap();
    let record_id = format!("cns_1/{place}");
    let receipt = Receipt {
        iss: "http://127.0.0.1:8080".to_owned(),
        iat: noon().as_secs(),
        schema_version: "ISO/IEC TS 27560:2023".to_owned(),
        receipt_id: format!("{record_id}/whole"),
        record_id,
        pii_principal_id: "maria".to_owned(),
        audience: own.whole().map_or(Audience::Partial, |_| Audience::Whole),
        pii_processing: Processing::of(&version, own.sensitive, "http://127.0.0.1:8080"),
        party_identification: vec![
            party("pii_controller", "Riverside Health (demo)"),
            party("pii_principal", "Maria Alvarez"),
            party("recipient", "Glucose Coach"),
        ],
        events: vec![Event::of(&version)],
        at_issue: AtIssue {
            newest_version: seen.last().unwrap().place,
            newest_state: "dpv:ConsentWithdrawn".to_owned(),
            in_force: false,
        },
        log_key: "127.0.0.1:8080/audit/log/default+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq"
            .to_owned(),
        version_id: own.whole().map(|named| named.id().clone()),
        version: own.whole().map(|named| named.version().clone()),
    };
    IssuedReceipt { receipt, file, version, sensitive: own.sensitive }
}

pub(super) fn pages(language: Language) -> Vec<(&'static str, String)> {
    let visit_to = |address: &str| visit(language, address, Some(Menu::Portal));
    let (own, proxy) = (person(Standing::Own), person(Standing::Proxy));
    let ended = connection(ConsentStatus::Inactive);
    let shared = connection(ConsentStatus::Active);
    let mut confidential = connection(ConsentStatus::Active);
    confidential.sensitive = None;
    let line = line();
    let to = visit_to("/portal/apps/cns_1");
    let of_lily = visit_to("/portal/apps/cns_1?patient=lily");
    let receipt_to = visit_to("/portal/apps/cns_1/receipts/2");
    let (patient, for_proxy) = (Capacity::Patient, Capacity::Proxy);
    let render = |view: &dyn askama::DynTemplate| view.dyn_render().unwrap();
    let own_receipt = ReceiptPage::new(&receipt_to, &own, &ended, &issued(2, patient), 2);
    let proxy_receipt = ReceiptPage::new(&of_lily, &proxy, &confidential, &issued(2, for_proxy), 2);
    vec![
        ("choice", render(&ChoicePage::new(&to, &own, &ended, (&line, None), patient, noon()))),
        (
            "choice_by_proxy",
            render(&ChoicePage::new(
                &of_lily,
                &proxy,
                &confidential,
                (&line, Some(lost(language, &proxy, for_proxy, Some(&seen())))),
                for_proxy,
                noon(),
            )),
        ),
        (
            "choice_person",
            render(&ChoicePage::new(&to, &own, &daughter(), (&line, None), patient, noon())),
        ),
        (
            "choice_shared",
            render(&ChoicePage::new(
                &to,
                &own,
                &shared,
                (&line, Some(lost(language, &own, patient, None))),
                patient,
                noon(),
            )),
        ),
        ("receipt", own_receipt.render().unwrap()),
        ("receipt_by_proxy", proxy_receipt.render().unwrap()),
    ]
}

/// Two worlds that differ in what the patient named in confidence, and one page.
#[test]
fn a_proxy_reads_no_sensitive_kind_and_no_name_of_a_version() {
    let all = pages(Language::English);
    let page = |wanted: &str| &all.iter().find(|(name, _)| *name == wanted).unwrap().1;
    assert!(page("choice").contains("HIV") && page("receipt").contains("HIV"));
    for version in line().versions() {
        for name in ["choice_by_proxy", "receipt_by_proxy"] {
            assert!(!page(name).contains("HIV"), "{name}");
            assert!(!page(name).contains(version.id().as_str()), "{name}");
        }
    }
    assert!(page("receipt").contains("You decide."));
    assert!(!page("receipt_by_proxy").contains("You decide."));
}
