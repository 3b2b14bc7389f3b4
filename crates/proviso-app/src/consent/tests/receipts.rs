//! Receipts: what is in them, what becomes of changed ones, and what a proxy's does not tell.

use proviso_core::category::SensitiveKind;
use proviso_core::consent::ChainError;
use proviso_oauth::jose::JwsError;

use super::*;
use crate::receipt::{
    Anchor, Audience, IssuedReceipt, Receipt, Refusal, SignedReceipt, TrustedKeys, Verified,
    verify_chain, verify_receipt,
};

impl World {
    async fn receipt(&self, consent: &ConsentId, place: u32, reader: Capacity) -> IssuedReceipt {
        self.app.receipt(consent, place, reader).await.unwrap()
    }

    /// The keys as somebody kept them: the published set, and the log's verifier key.
    fn jwks(&self) -> TrustedKeys {
        TrustedKeys::parse(&self.app.keys().jwks(self.app.now())).unwrap()
    }

    async fn log_key(&self, consent: &ConsentId) -> TrustedKeys {
        let receipt = self.receipt(consent, 1, Capacity::Patient).await.receipt;
        TrustedKeys::parse(&format!("{}\n", receipt.log_key)).unwrap()
    }
}

fn text(issued: &IssuedReceipt) -> String {
    issued.file.to_text().unwrap()
}

fn verified(issued: &IssuedReceipt, keys: Option<&TrustedKeys>) -> Verified {
    verify_receipt(&text(issued), keys).unwrap()
}

async fn shared(world: &World) -> ConsentId {
    world.share("maria", "maria").await.consent.unwrap()
}

// Covers: ISO/IEC TS 27560:2023 §6.3; design §5, receipts
#[tokio::test]
async fn a_receipt_says_what_was_chosen_and_can_be_checked_without_us() {
    let world = World::new().await;
    let consent = shared(&world).await;
    let issued = world.receipt(&consent, 1, Capacity::Patient).await;
    let stored = world.app.store().consent(&consent).await.unwrap().unwrap();
    for (keys, anchor) in [
        (None, Anchor::Nothing),
        (Some(world.jwks()), Anchor::SigningKey),
        (Some(world.log_key(&consent).await), Anchor::LogKey),
    ] {
        let verified = verified(&issued, keys.as_ref());
        assert_eq!(verified.anchor, anchor);
        assert_eq!(verified.version.as_ref().unwrap().version(), &stored.version);
        assert_eq!(verified.version.as_ref().unwrap().id(), &stored.id);
        let (index, size) = verified.logged.expect("the log holds it");
        assert!(index < size);
    }
    let Receipt { pii_processing, party_identification, events, .. } = &issued.receipt;
    let purpose = pii_processing.purposes.first().unwrap();
    assert_eq!(purpose.purpose, "PATRQT");
    let kinds: Vec<&str> =
        purpose.pii_information.iter().map(|information| information.pii_type.as_str()).collect();
    assert_eq!(kinds, ["medications", "laboratory"]);
    let names: Vec<&str> =
        party_identification.iter().map(|party| party.party_name.as_str()).collect();
    assert_eq!(names, ["Riverside Health (demo)", "maria", "glucose-coach"]);
    assert_eq!(events.first().unwrap().event_state, "dpv:ConsentGiven");
    assert!(issued.receipt.at_issue.in_force);
}

#[tokio::test]
async fn any_changed_byte_is_refused() {
    let world = World::new().await;
    let consent = shared(&world).await;
    let whole = text(&world.receipt(&consent, 1, Capacity::Patient).await);
    let keys = world.log_key(&consent).await;
    assert!(verify_receipt(&whole, Some(&keys)).is_ok());
    let mut reasons = std::collections::BTreeSet::new();
    for place in 0..whole.len() {
        let mut bytes = whole.clone().into_bytes();
        // Another letter of the same alphabet, so that the form of the file survives.
        bytes[place] = match bytes[place] {
            b'A' => b'B',
            b'0'..=b'8' | b'a'..=b'y' => bytes[place] + 1,
            _ => b'A',
        };
        // What is no text is no receipt; the command refuses it when it reads the file.
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let why = verify_receipt(&changed, Some(&keys));
        let why = why.expect_err(&format!("byte {place} of {whole}"));
        reasons.insert(format!("{why:?}").split('(').next().unwrap().to_owned());
    }
    for reason in ["Form", "Signature", "KeyNote", "Log"] {
        assert!(reasons.contains(reason), "{reasons:?}");
    }
    for changed in [whole.trim_end().to_owned(), format!("{whole}\n"), whole.replace("  ", " ")] {
        assert_eq!(verify_receipt(&changed, None).unwrap_err(), Refusal::Spelling);
    }
}

// Covers: O6; a receipt outlives the key that signed it
#[tokio::test]
async fn receipts_are_good_after_their_key_was_rotated_or_withdrawn() {
    let world = World::new().await;
    let consent = shared(&world).await;
    let issued = world.receipt(&consent, 1, Capacity::Patient).await;
    let kept = world.jwks();
    let log = world.log_key(&consent).await;
    world.app.rotate_keys(&Via::default()).await.unwrap();
    world.clock.advance_secs(30 * 86_400);
    world.app.withdraw_keys(&Via::default()).await.unwrap();
    assert_eq!(verified(&issued, Some(&kept)).anchor, Anchor::SigningKey, "who kept the old key");
    assert_eq!(verified(&issued, Some(&log)).anchor, Anchor::LogKey, "who kept the log's key");
    // The set that is published now no longer knows the key; alone it vouches for nothing.
    let now = world.jwks();
    assert_eq!(verify_receipt(&text(&issued), Some(&now)).unwrap_err(), Refusal::NotTrusted);
    let fresh = world.receipt(&consent, 1, Capacity::Patient).await;
    assert_eq!(verified(&fresh, Some(&now)).anchor, Anchor::SigningKey);
}

#[tokio::test]
async fn another_server_cannot_make_our_receipts() {
    let (world, other) = (World::new().await, World::new().await);
    let consent = shared(&world).await;
    let forged = text(&other.receipt(&shared(&other).await, 1, Capacity::Patient).await);
    assert!(verify_receipt(&forged, None).is_ok(), "it fits together");
    for keys in [world.jwks(), world.log_key(&consent).await] {
        assert_eq!(verify_receipt(&forged, Some(&keys)).unwrap_err(), Refusal::NotTrusted);
    }
}

#[tokio::test]
async fn evidence_of_one_receipt_does_not_serve_another() {
    let world = World::new().await;
    let consent = shared(&world).await;
    let own = world.receipt(&consent, 1, Capacity::Patient).await;
    let (next, stranger) = (World::new().await, shared(&world).await);
    let other = world.receipt(&stranger, 1, Capacity::Patient).await;
    let foreign = next.receipt(&shared(&next).await, 1, Capacity::Patient).await;
    let check = |file: SignedReceipt, expected: &str| {
        let why = verify_receipt(&file.to_text().unwrap(), None).unwrap_err();
        assert!(format!("{why:?}").contains(expected), "{why:?}");
    };
    check(SignedReceipt { log: other.file.log.clone(), ..own.file.clone() }, "Statement");
    check(SignedReceipt { log: foreign.file.log.clone(), ..own.file.clone() }, "Checkpoint");
    check(SignedReceipt { key: foreign.file.key.clone(), ..own.file.clone() }, "Signature");
    let mut moved = own.file.clone();
    moved.log.as_mut().unwrap().index += 1;
    check(moved, "Inclusion");
    let mut note = own.file.clone();
    note.key.note.clone_from(&own.file.log.as_ref().unwrap().checkpoint);
    check(note, "KeyNote");
    // An access token's signature is none of a receipt, although the same key made it.
    let (token, _) =
        world.app.keys().sign_receipt("at+jwt", &own.receipt, world.app.now()).unwrap();
    check(SignedReceipt { receipt: token, ..own.file.clone() }, "Type");
    assert_eq!(
        verify_receipt(&text(&own).replace("es256-", "es256_"), None).unwrap_err(),
        Refusal::Signature(JwsError::UnknownKey)
    );
}

/// Even who could sign with the key cannot make a record that contradicts its version.
#[tokio::test]
async fn what_does_not_follow_from_the_version_is_refused_also_when_it_is_signed() {
    let world = World::new().await;
    let consent = shared(&world).await;
    let issued = world.receipt(&consent, 1, Capacity::Patient).await;
    let check = |change: fn(&mut Receipt), expected: Refusal| {
        let mut receipt = issued.receipt.clone();
        change(&mut receipt);
        let at = world.app.now();
        let (signed, _) =
            world.app.keys().sign_receipt("consent-receipt+jwt", &receipt, at).unwrap();
        let file = SignedReceipt { receipt: signed, log: None, ..issued.file.clone() };
        assert_eq!(verify_receipt(&file.to_text().unwrap(), None).map(|_| ()), Err(expected));
    };
    check(|receipt| receipt.version.as_mut().unwrap().shown_text.push('!'), Refusal::TextHash);
    check(
        |receipt| receipt.version.as_mut().unwrap().categories = CategorySet::all(),
        Refusal::VersionId,
    );
    check(|receipt| receipt.pii_processing.purposes.clear(), Refusal::Record);
    check(|receipt| receipt.events.clear(), Refusal::Record);
    check(|receipt| receipt.version = None, Refusal::Record);
    check(|receipt| receipt.audience = Audience::Partial, Refusal::Record);
    check(|receipt| receipt.pii_principal_id = "james".to_owned(), Refusal::Record);
}

#[tokio::test]
async fn receipts_of_a_stopped_choice_verify_and_say_that_it_was_stopped() {
    let world = World::new().await;
    let caller = world.share("maria", "maria").await;
    let consent = caller.consent.clone().unwrap();
    let while_shared = world.receipt(&consent, 1, Capacity::Patient).await;
    world.clock.advance_secs(60);
    world.stop("maria", &caller).await.unwrap();
    let first = world.receipt(&consent, 1, Capacity::Patient).await;
    let second = world.receipt(&consent, 2, Capacity::Patient).await;
    let keys = world.log_key(&consent).await;
    let state = |issued: &IssuedReceipt| {
        let receipt = verified(issued, Some(&keys)).receipt;
        let event = receipt.events.first().unwrap().event_state.clone();
        (event, receipt.at_issue.newest_state, receipt.at_issue.in_force)
    };
    let (given, withdrawn) = ("dpv:ConsentGiven".to_owned(), "dpv:ConsentWithdrawn".to_owned());
    assert_eq!(state(&while_shared), (given.clone(), given.clone(), true));
    assert_eq!(state(&first), (given, withdrawn.clone(), false));
    assert_eq!(state(&second), (withdrawn.clone(), withdrawn, false));
    let chain = [verified(&second, Some(&keys)), verified(&first, Some(&keys))];
    assert_eq!(verify_chain(&chain), Ok(()));
    let twice = [verified(&first, None), verified(&first, None)];
    assert_eq!(verify_chain(&twice), Err(ChainError::Gap(1)));
    let other = world.receipt(&shared(&world).await, 1, Capacity::Patient).await;
    let mixed = [verified(&other, None), verified(&second, None)];
    assert_eq!(verify_chain(&mixed), Err(ChainError::OtherConsent(2)));
    assert!(world.app.receipt(&consent, 3, Capacity::Patient).await.is_err());
    assert!(world.app.receipt(&"cns_none".parse().unwrap(), 1, Capacity::Patient).await.is_err());
}

// Covers: design §5, what a teenager named in confidence; two worlds, one receipt
#[tokio::test]
async fn a_proxys_receipt_is_the_same_whatever_the_patient_named_in_confidence() {
    let mut seen: Option<Receipt> = None;
    for kind in [None, Some(SensitiveKind::Hiv), Some(SensitiveKind::Adolescent)] {
        let world = World::new().await;
        let james = world.account("james");
        let mut terms = world.terms("james", "james");
        terms.sensitive = kind.into_iter().collect();
        let named = world.app.record_consent(&james, terms, &Via::default()).await.unwrap();
        let consent = named.version().consent.clone();
        let issued = world.receipt(&consent, 1, Capacity::Proxy).await;
        let file = text(&issued);
        assert_eq!(issued.receipt.audience, Audience::Partial);
        assert!(issued.file.log.is_none(), "the log's statement would confirm a guess");
        let keys = TrustedKeys::parse(&issued.receipt.log_key).unwrap();
        let told = verify_receipt(&file, Some(&keys)).unwrap();
        assert!(told.version.is_none());
        let plain = serde_json::to_string(&told.receipt).unwrap();
        assert!(!plain.contains(named.id().as_str()), "the name of the version is told");
        // What differs between two worlds anyway: ids, keys.
        let mut receipt = told.receipt;
        receipt.log_key.clear();
        let text = serde_json::to_string(&receipt).unwrap().replace(consent.as_str(), "cns_1");
        let receipt: Receipt = serde_json::from_str(&text).unwrap();
        assert_eq!(*seen.get_or_insert_with(|| receipt.clone()), receipt);
    }
}
