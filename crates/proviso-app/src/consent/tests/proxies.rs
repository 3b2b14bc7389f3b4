//! People who act for a patient: dated, approved again, over on a birthday, ended at once.

use proviso_core::id::{PatientId, ResourceId};

use super::*;
use proviso_fhir::consent::Zone;

use crate::proxies::{ProxyBasis, ProxyError, ProxyReach, REAPPROVE_DAYS};
use crate::records::{Match, NewIds};

const DAY_SECS: i64 = 86_400;

impl World {
    async fn approve(&self, patient: &str, basis: &ProxyBasis) -> Result<At, ProxyError> {
        let priya = self.account("priya");
        let grace = "acc_grace".parse().unwrap();
        let patient: PatientId = patient.parse().unwrap();
        let stated = Period { start: Some(self.app.now()), end: None };
        let via = Via::default();
        let made = self
            .app
            .approve_proxy(&priya, &grace, &patient, basis, ProxyReach::whole(stated), &via)
            .await?;
        Ok(made.period.end.unwrap())
    }

    fn acts(&self, patient: &str) -> bool {
        let at = self.app.now();
        let standing = self.app.standing_for(&self.account("grace"), &patient.parse().unwrap(), at);
        let plan =
            self.app.plan_own_record(&"acc_grace".parse().unwrap(), &patient.parse().unwrap(), at);
        assert_eq!(standing.is_some(), plan.is_ok(), "pages and records agree");
        plan.is_ok()
    }

    /// A Patient with a date of birth.
    async fn born(&self, patient: &str, date: &str) {
        let body = format!(r#"{{"resourceType":"Patient","id":"{patient}","birthDate":"{date}"}}"#);
        let id: ResourceId = patient.parse().unwrap();
        let (kind, body) = (ResourceType::PATIENT, body.into_bytes());
        let records = self.app.records();
        let made = records.update(kind, &id, body, Match::Any, NewIds::Client).await;
        let mut prepared = made.unwrap();
        for op in prepared.take_ops() {
            self.put(op).await;
        }
    }
}

// Covers: design §5, a proxy is approved again or over; the second before and at it
#[tokio::test]
async fn a_proxy_that_is_not_approved_again_ends_after_a_year_to_the_second() {
    let world = World::new().await;
    let year = i64::from(REAPPROVE_DAYS) * DAY_SECS;
    let ends = world.approve("james", &ProxyBasis::Appointed).await.unwrap();
    assert_eq!(ends, world.app.now().plus_secs(year));
    let caller = world.share("grace", "james").await;
    world.clock.advance_secs(20 * DAY_SECS);
    assert!(world.acts("james") && world.plan(&caller).is_ok());
    world.clock.advance_secs(year - 20 * DAY_SECS - 1);
    assert!(world.acts("james"));
    world.clock.advance_secs(1);
    assert!(!world.acts("james"), "nobody had to end it");
    let priya = world.account("priya");
    let (grace, james) = ("acc_grace".parse().unwrap(), "james".parse().unwrap());
    let again = world.app.approve_proxy_again(&priya, &grace, &james, &Via::default()).await;
    assert_eq!(again.unwrap().period.end, Some(world.app.now().plus_secs(year)));
    assert!(world.acts("james"));
}

// Covers: RFC 8693 §4.1; all links must pass: an app that a proxy let in ends with the proxy
#[tokio::test]
async fn an_app_that_a_proxy_let_in_ends_with_the_proxys_mandate() {
    let world = World::new().await;
    world.approve("james", &ProxyBasis::Court).await.unwrap();
    let by_proxy = world.share("grace", "james").await;
    let own = world.share("james", "james").await;
    assert!(world.plan(&by_proxy).is_ok());
    let (james, grace) = (world.account("james"), "acc_grace".parse().unwrap());
    let patient = "james".parse().unwrap();
    world.app.end_proxy(&james, &grace, &patient, &Via::default()).await.unwrap();
    assert_eq!(world.refusal(&by_proxy), [ReasonCode::ProxyNotInForce]);
    assert!(!world.acts("james"), "at once");
    assert!(world.plan(&own).is_ok(), "the patient's own choice goes on");
    assert!(world.app.plan_own_record(&james.id, &patient, world.app.now()).is_ok());
    let again = world.app.end_proxy(&james, &grace, &patient, &Via::default()).await;
    assert!(matches!(again.unwrap_err(), ProxyError::NotFound));
}

// Covers: design §5, age of majority by date and jurisdiction
#[tokio::test]
async fn a_parents_access_ends_at_the_instant_of_coming_of_age() {
    let world = World::new().await;
    // The clock of this world stands at 2027-01-15T08:00:00Z.
    world.born("james", "2009-01-16").await;
    let parent = |jurisdiction: &str| ProxyBasis::Parent {
        jurisdiction: jurisdiction.to_owned(),
        zone: Zone::parse("-07:00").unwrap(),
    };
    let ends = world.approve("james", &parent("US-AZ")).await.unwrap();
    assert_eq!(ends.to_rfc3339(), "2027-01-16T07:00:00Z");
    assert!(world.acts("james"));
    world.clock.advance_secs(23 * 3600 - 1);
    assert!(world.acts("james"));
    world.clock.advance_secs(1);
    assert!(!world.acts("james"));
    let priya = world.account("priya");
    let (grace, james) = ("acc_grace".parse().unwrap(), "james".parse().unwrap());
    let again = world.app.approve_proxy_again(&priya, &grace, &james, &Via::default()).await;
    assert!(matches!(again.unwrap_err(), ProxyError::OfAge));
    let refused = async |basis: ProxyBasis| world.approve("james", &basis).await.unwrap_err();
    assert!(matches!(refused(parent("US-AZ")).await, ProxyError::OfAge));
    assert!(matches!(refused(parent("XX")).await, ProxyError::UnknownJurisdiction(_)));
    // Under another law it would go on, and no longer than a year without approval.
    assert!(world.approve("james", &parent("US-NE")).await.is_ok());
    let unknown = world.approve("maria", &parent("US")).await.unwrap_err();
    assert!(matches!(unknown, ProxyError::NoBirthDate));
}

#[tokio::test]
async fn only_those_who_may_decide_approve_and_end() {
    let world = World::new().await;
    let (grace, james) = ("acc_grace".parse().unwrap(), "james".parse().unwrap());
    let stated = Period::ALWAYS;
    let via = Via::default();
    for name in ["james", "grace", "drpatel", "maria"] {
        let by = world.account(name);
        let basis = ProxyBasis::Appointed;
        let made = world
            .app
            .approve_proxy(&by, &grace, &james, &basis, ProxyReach::whole(stated), &via)
            .await;
        assert!(matches!(made.unwrap_err(), ProxyError::NotEntitled), "{name}");
        let again = world.app.approve_proxy_again(&by, &grace, &james, &via).await;
        assert!(matches!(again.unwrap_err(), ProxyError::NotEntitled), "{name}");
    }
    for name in ["drpatel", "maria"] {
        let by = world.account(name);
        let ended = world.app.end_proxy(&by, &grace, &james, &via).await;
        assert!(matches!(ended.unwrap_err(), ProxyError::NotEntitled), "{name}");
    }
    world.app.end_proxy(&world.account("grace"), &grace, &james, &via).await.unwrap();
}

// Covers: design §5, a teenager's confidential kinds are hidden from parents; the second before and at it
#[tokio::test]
async fn a_parent_stops_seeing_confidential_kinds_on_the_day_the_law_of_the_place_names() {
    use proviso_core::category::SensitiveKind;
    let world = World::new().await;
    let today = jiff::Timestamp::from_second(world.app.now().as_secs()).unwrap();
    let today = jiff::tz::Offset::UTC.to_datetime(today).date();
    // Twelve the day after tomorrow.
    let midnight = today.checked_add(jiff::Span::new().days(2)).unwrap();
    let born = midnight.checked_sub(jiff::Span::new().years(12)).unwrap();
    world.born("teen", &born.to_string()).await;
    let basis = ProxyBasis::Parent { jurisdiction: "US-AZ".to_owned(), zone: Zone::UTC };
    world.approve("teen", &basis).await.unwrap();
    let (account, patient) = ("acc_grace".parse().unwrap(), "teen".parse().unwrap());
    let sees = |kind| {
        let plan = world.app.plan_own_record(&account, &patient, world.app.now()).unwrap();
        plan.sensitive.contains(kind)
    };
    let midnight = At::parse(&format!("{midnight}T00:00:00Z")).unwrap();
    let wait = midnight.as_secs() - world.app.now().as_secs() - 1;
    world.clock.advance_secs(wait);
    assert!(sees(SensitiveKind::Reproductive) && sees(SensitiveKind::Genetics));
    world.clock.advance_secs(1);
    assert!(!sees(SensitiveKind::Reproductive) && !sees(SensitiveKind::Hiv));
    assert!(sees(SensitiveKind::Genetics), "what a minor does not seek alone stays");
}

// Covers: design §5, proxy access is scoped
#[tokio::test]
async fn somebody_acts_for_the_kinds_of_record_that_were_approved_and_no_other() {
    use proviso_core::category::Category;
    let world = World::new().await;
    let (priya, via) = (world.account("priya"), Via::default());
    let (grace, james) = ("acc_grace".parse().unwrap(), "james".parse().unwrap());
    let billing = CategorySet::EMPTY.with(Category::Billing);
    let reach = ProxyReach { period: Period::ALWAYS, categories: billing };
    let basis = ProxyBasis::Appointed;
    world.app.approve_proxy(&priya, &grace, &james, &basis, reach, &via).await.unwrap();
    let plan = world.app.plan_own_record(&grace, &james, world.app.now()).unwrap();
    assert_eq!(plan.categories, billing);
    let nothing = ProxyReach { period: Period::ALWAYS, categories: CategorySet::EMPTY };
    let refused = world.app.approve_proxy(&priya, &grace, &james, &basis, nothing, &via).await;
    assert!(matches!(refused, Err(ProxyError::NothingToSee)));
}
