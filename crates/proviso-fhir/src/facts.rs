//! Gathers what the decision function must know about one resource.

use alloc::borrow::Cow;

use proviso_core::decision::ResourceFacts;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::{At, Period};

use crate::category::categories;
use crate::compartment::belonging;
use crate::consent::Zone;
use crate::json::Node;
use crate::label::RuleSet;

/// Reads the facts of a resource, labelled by a rule set; `None` when it is none of FHIR R4.
pub fn resource_facts(resource: Node<'_>, rules: &RuleSet) -> Option<ResourceFacts> {
    let resource_type = resource.resource_type()?;
    Some(ResourceFacts {
        resource_type,
        id: resource.get("id").and_then(Node::as_str).and_then(|id| id.parse().ok()),
        belonging: belonging(resource),
        categories: categories(resource),
        labels: rules.label(resource),
        clinical_period: clinical_period(resource),
        filed: None,
    })
}

/// Alternatives of equal rank, each a path to a date or Period.
type DateGroup = &'static [&'static [&'static str]];

/// Which dates say when the thing recorded happened, by type: groups in order of preference. All
/// dates of the first group that has any make the period, from the first to the last of them. The
/// dates of writing down (`issued`, `recordedDate`) stand in only where nothing better is given.
const DATES: &[(ResourceType, &[DateGroup])] = &[
    (ResourceType::ADVERSE_EVENT, &[&[&["date"]], &[&["detected"]], &[&["recordedDate"]]]),
    (
        ResourceType::ALLERGY_INTOLERANCE,
        &[&[&["onsetDateTime"], &["onsetPeriod"], &["lastOccurrence"]], &[&["recordedDate"]]],
    ),
    (
        ResourceType::APPOINTMENT,
        &[&[&["start"], &["end"]], &[&["requestedPeriod"]], &[&["created"]]],
    ),
    (ResourceType::APPOINTMENT_RESPONSE, &[&[&["start"], &["end"]]]),
    (ResourceType::CARE_PLAN, &[&[&["period"]], &[&["created"]]]),
    (ResourceType::CARE_TEAM, &[&[&["period"]], &[&["created"]]]),
    (
        ResourceType::CHARGE_ITEM,
        &[&[&["occurrenceDateTime"], &["occurrencePeriod"]], &[&["enteredDate"]]],
    ),
    (
        ResourceType::CLAIM,
        &[
            &[&["billablePeriod"], &["item", "servicedDate"], &["item", "servicedPeriod"]],
            &[&["created"]],
        ],
    ),
    (ResourceType::CLAIM_RESPONSE, &[&[&["servicedDate"], &["servicedPeriod"]], &[&["created"]]]),
    (
        ResourceType::CLINICAL_IMPRESSION,
        &[&[&["effectiveDateTime"], &["effectivePeriod"]], &[&["date"]]],
    ),
    (ResourceType::COMMUNICATION, &[&[&["sent"], &["received"]]]),
    (
        ResourceType::COMMUNICATION_REQUEST,
        &[&[&["occurrenceDateTime"], &["occurrencePeriod"]], &[&["authoredOn"]]],
    ),
    (ResourceType::COMPOSITION, &[&[&["event", "period"]], &[&["date"]]]),
    (
        ResourceType::CONDITION,
        &[
            &[&["onsetDateTime"], &["onsetPeriod"], &["abatementDateTime"], &["abatementPeriod"]],
            &[&["recordedDate"]],
        ],
    ),
    (ResourceType::COVERAGE, &[&[&["period"]]]),
    (
        ResourceType::COVERAGE_ELIGIBILITY_REQUEST,
        &[&[&["servicedDate"], &["servicedPeriod"]], &[&["created"]]],
    ),
    (
        ResourceType::COVERAGE_ELIGIBILITY_RESPONSE,
        &[&[&["servicedDate"], &["servicedPeriod"]], &[&["created"]]],
    ),
    (ResourceType::DETECTED_ISSUE, &[&[&["date"], &["identifiedDateTime"], &["identifiedPeriod"]]]),
    (ResourceType::DEVICE, &[&[&["manufactureDate"]]]),
    (
        ResourceType::DEVICE_REQUEST,
        &[&[&["occurrenceDateTime"], &["occurrencePeriod"]], &[&["authoredOn"]]],
    ),
    (
        ResourceType::DEVICE_USE_STATEMENT,
        &[&[&["timingDateTime"], &["timingPeriod"]], &[&["recordedOn"]]],
    ),
    (
        ResourceType::DIAGNOSTIC_REPORT,
        &[&[&["effectiveDateTime"], &["effectivePeriod"]], &[&["issued"]]],
    ),
    (ResourceType::DOCUMENT_MANIFEST, &[&[&["created"]]]),
    (ResourceType::DOCUMENT_REFERENCE, &[&[&["context", "period"]], &[&["date"]]]),
    (ResourceType::ENCOUNTER, &[&[&["period"]]]),
    (ResourceType::EPISODE_OF_CARE, &[&[&["period"]], &[&["created"]]]),
    (
        ResourceType::EXPLANATION_OF_BENEFIT,
        &[
            &[&["billablePeriod"], &["item", "servicedDate"], &["item", "servicedPeriod"]],
            &[&["created"]],
        ],
    ),
    (ResourceType::FAMILY_MEMBER_HISTORY, &[&[&["date"]]]),
    (ResourceType::FLAG, &[&[&["period"]]]),
    (ResourceType::GOAL, &[&[&["startDate"], &["statusDate"], &["target", "dueDate"]]]),
    (ResourceType::IMAGING_STUDY, &[&[&["started"]], &[&["series", "started"]]]),
    (ResourceType::IMMUNIZATION, &[&[&["occurrenceDateTime"]], &[&["recorded"]]]),
    (ResourceType::IMMUNIZATION_EVALUATION, &[&[&["date"]]]),
    (ResourceType::IMMUNIZATION_RECOMMENDATION, &[&[&["date"]]]),
    (ResourceType::INVOICE, &[&[&["date"], &["identifiedDateTime"], &["identifiedPeriod"]]]),
    (ResourceType::LIST, &[&[&["date"], &["identifiedDateTime"], &["identifiedPeriod"]]]),
    (ResourceType::MEDIA, &[&[&["createdDateTime"], &["createdPeriod"]], &[&["issued"]]]),
    (ResourceType::MEDICATION_ADMINISTRATION, &[&[&["effectiveDateTime"], &["effectivePeriod"]]]),
    (ResourceType::MEDICATION_DISPENSE, &[&[&["whenHandedOver"]], &[&["whenPrepared"]]]),
    (ResourceType::MEDICATION_REQUEST, &[&[&["authoredOn"]]]),
    (
        ResourceType::MEDICATION_STATEMENT,
        &[&[&["effectiveDateTime"], &["effectivePeriod"]], &[&["dateAsserted"]]],
    ),
    (ResourceType::NUTRITION_ORDER, &[&[&["dateTime"]]]),
    (
        ResourceType::OBSERVATION,
        &[
            &[
                &["effectiveDateTime"],
                &["effectivePeriod"],
                &["effectiveInstant"],
                &["effectiveTiming", "event"],
            ],
            &[&["issued"]],
        ],
    ),
    (ResourceType::PROCEDURE, &[&[&["performedDateTime"], &["performedPeriod"]]]),
    (ResourceType::PROVENANCE, &[&[&["occurredDateTime"], &["occurredPeriod"]], &[&["recorded"]]]),
    (ResourceType::QUESTIONNAIRE_RESPONSE, &[&[&["authored"], &["authoredOn"]]]),
    (ResourceType::REQUEST_GROUP, &[&[&["authored"], &["authoredOn"]]]),
    (ResourceType::RISK_ASSESSMENT, &[&[&["occurrenceDateTime"], &["occurrencePeriod"]]]),
    (
        ResourceType::SERVICE_REQUEST,
        &[&[&["occurrenceDateTime"], &["occurrencePeriod"]], &[&["authoredOn"]]],
    ),
    (
        ResourceType::SPECIMEN,
        &[
            &[&["collection", "collectedDateTime"], &["collection", "collectedPeriod"]],
            &[&["receivedTime"]],
        ],
    ),
    (ResourceType::SUPPLY_DELIVERY, &[&[&["occurrenceDateTime"], &["occurrencePeriod"]]]),
    (
        ResourceType::SUPPLY_REQUEST,
        &[&[&["occurrenceDateTime"], &["occurrencePeriod"]], &[&["authoredOn"]]],
    ),
    (ResourceType::TASK, &[&[&["executionPeriod"]], &[&["authoredOn"]]]),
    (ResourceType::VISION_PRESCRIPTION, &[&[&["dateWritten"]], &[&["created"]]]),
];

fn date_groups(resource_type: ResourceType) -> &'static [DateGroup] {
    DATES.iter().find(|(dated, _)| *dated == resource_type).map_or(&[], |(_, groups)| *groups)
}

/// When the thing recorded happened; `None` when the resource does not say, or says it in a form
/// that is no date (an age, a range).
///
/// A date that is not valid makes the whole period unknown: a consent limited to some years must
/// not admit a record because part of its dates was skipped.
pub fn clinical_period(resource: Node<'_>) -> Option<Period> {
    clinical_period_in(resource, &Zone::UTC)
}

/// The same with dates without an offset read in a zone.
pub fn clinical_period_in(resource: Node<'_>, zone: &Zone) -> Option<Period> {
    let groups = date_groups(resource.resource_type()?);
    groups.iter().find_map(|group| {
        let mut dates = group.iter().flat_map(|path| resource.at(path)).peekable();
        dates.peek().is_some().then(|| hull(dates, zone))
    })?
}

/// When care was given, as [`clinical_period`] says, except of what lasts whatever its dates: the
/// day on which a device was made is no day of care.
pub fn care_period(resource: Node<'_>) -> Option<Period> {
    let is_device = resource.resource_type() == Some(ResourceType::DEVICE);
    if is_device { None } else { clinical_period(resource) }
}

/// The smallest period around all dates; `None` when one of them cannot be read.
fn hull<'a>(dates: impl Iterator<Item = Node<'a>>, zone: &Zone) -> Option<Period> {
    let mut whole: Option<Period> = None;
    for date in dates {
        let next =
            if date.is_object() { period(date, zone)? } else { partial(&date.as_str()?, zone)? };
        whole = Some(match whole {
            None => next,
            Some(sum) => Period {
                start: sum.start.zip(next.start).map(|(a, b)| a.min(b)),
                end: sum.end.zip(next.end).map(|(a, b)| a.max(b)),
            },
        });
    }
    whole
}

/// Reads a FHIR `Period`; a side that is not given is unbounded.
fn period(node: Node<'_>, zone: &Zone) -> Option<Period> {
    let side = |key| match node.get(key) {
        Some(text) => partial(&text.as_str()?, zone).map(Some),
        None => Some(None),
    };
    let (start, end) = (side("start")?, side("end")?);
    (start.is_some() || end.is_some()).then(|| Period {
        start: start.and_then(|period: Period| period.start),
        end: end.and_then(|period: Period| period.end),
    })
}

/// Reads a FHIR `date`, `dateTime` or `instant` as the period it covers: a year is a whole year, a
/// second is a whole second. FHIR R4 search §3.1.1.4.6 leaves it to the server in which zone a date
/// without an offset is.
fn partial(text: &str, zone: &Zone) -> Option<Period> {
    if let Some(rest) = text.split_once('T').map(|(_, time)| time) {
        let start = At::parse(&with_seconds(text, rest))?;
        // `hh:mm` without seconds covers a minute.
        let width = if rest.as_bytes().get(5) == Some(&b':') { 1 } else { 60 };
        return Some(Period { start: Some(start), end: Some(start.plus_secs(width)) });
    }
    let (first, after) = days(text)?;
    Some(Period { start: Some(zone.midnight(first)?), end: Some(zone.midnight(after?)?) })
}

/// The first day of a `date` and the day after its last, which the last year has none of.
pub(crate) fn days(text: &str) -> Option<(jiff::civil::Date, Option<jiff::civil::Date>)> {
    let mut parts = text.split('-');
    let year: i16 = fixed(parts.next()?, 4)?.parse().ok()?;
    let month: Option<i8> = match parts.next() {
        Some(part) => Some(fixed(part, 2)?.parse().ok()?),
        None => None,
    };
    let day: Option<i8> = match parts.next() {
        Some(part) => Some(fixed(part, 2)?.parse().ok()?),
        None => None,
    };
    if parts.next().is_some() {
        return None;
    }
    let first = jiff::civil::Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let span = match (month, day) {
        (None, _) => jiff::Span::new().years(1),
        (Some(_), None) => jiff::Span::new().months(1),
        (Some(_), Some(_)) => jiff::Span::new().days(1),
    };
    Some((first, first.checked_add(span).ok()))
}

fn fixed(part: &str, digits: usize) -> Option<&str> {
    (part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(part)
}

/// R4 asks for seconds, but texts without them are common enough to be read.
fn with_seconds<'t>(text: &'t str, time: &str) -> Cow<'t, str> {
    if time.as_bytes().get(5) == Some(&b':') {
        return Cow::Borrowed(text);
    }
    let zone = time.get(5..).unwrap_or_default();
    let head = text.strip_suffix(zone).unwrap_or(text);
    Cow::Owned(alloc::format!("{head}:00{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;

    fn check(json: &str, expected: Option<(Option<&str>, Option<&str>)>) {
        let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
        let expected = expected.map(|(start, end)| Period {
            start: start.map(|text| At::parse(text).unwrap()),
            end: end.map(|text| At::parse(text).unwrap()),
        });
        assert_eq!(clinical_period(doc.root()), expected, "{json}");
    }

    #[test]
    fn a_partial_date_is_the_whole_period_it_names() {
        check(
            r#"{"resourceType":"Condition","onsetDateTime":"2020"}"#,
            Some((Some("2020-01-01T00:00:00Z"), Some("2021-01-01T00:00:00Z"))),
        );
        check(
            r#"{"resourceType":"Condition","onsetDateTime":"2020-02"}"#,
            Some((Some("2020-02-01T00:00:00Z"), Some("2020-03-01T00:00:00Z"))),
        );
        check(
            r#"{"resourceType":"Condition","onsetDateTime":"2020-12-31"}"#,
            Some((Some("2020-12-31T00:00:00Z"), Some("2021-01-01T00:00:00Z"))),
        );
        check(
            r#"{"resourceType":"Observation","effectiveDateTime":"2020-01-01T10:00:00-07:00"}"#,
            Some((Some("2020-01-01T17:00:00Z"), Some("2020-01-01T17:00:01Z"))),
        );
        check(
            r#"{"resourceType":"Observation","effectiveDateTime":"2020-01-01T10:00Z"}"#,
            Some((Some("2020-01-01T10:00:00Z"), Some("2020-01-01T10:01:00Z"))),
        );
    }

    #[test]
    fn several_dates_span_from_first_to_last() {
        check(
            r#"{"resourceType":"Condition","abatementDateTime":"2021-05-01","onsetDateTime":"2020-05-01"}"#,
            Some((Some("2020-05-01T00:00:00Z"), Some("2021-05-02T00:00:00Z"))),
        );
    }

    #[test]
    fn an_open_period_stays_open() {
        check(
            r#"{"resourceType":"Encounter","period":{"start":"2020-05-01"}}"#,
            Some((Some("2020-05-01T00:00:00Z"), None)),
        );
        check(r#"{"resourceType":"Encounter","period":{}}"#, None);
    }

    #[test]
    fn dates_of_writing_down_stand_in_only_where_nothing_better_is_given() {
        check(
            r#"{"resourceType":"Observation","issued":"2021-01-01T00:00:00Z","effectiveDateTime":"2020-01-01"}"#,
            Some((Some("2020-01-01T00:00:00Z"), Some("2020-01-02T00:00:00Z"))),
        );
        check(
            r#"{"resourceType":"Observation","issued":"2021-01-01T00:00:00Z"}"#,
            Some((Some("2021-01-01T00:00:00Z"), Some("2021-01-01T00:00:01Z"))),
        );
    }

    #[test]
    fn the_day_on_which_a_device_was_made_is_no_day_of_care() {
        let json = r#"{"resourceType":"Device","manufactureDate":"2010-01-01"}"#;
        let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
        assert!(clinical_period(doc.root()).is_some());
        assert_eq!(care_period(doc.root()), None);
        let json = r#"{"resourceType":"Encounter","period":{"start":"2010-01-01"}}"#;
        let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
        assert!(care_period(doc.root()).is_some());
    }

    #[test]
    fn what_cannot_be_read_makes_the_period_unknown() {
        check(r#"{"resourceType":"Condition","onsetDateTime":"20-5"}"#, None);
        check(r#"{"resourceType":"Condition","onsetDateTime":"2020-13"}"#, None);
        check(
            r#"{"resourceType":"Condition","onsetDateTime":"2020","abatementDateTime":"soon"}"#,
            None,
        );
        check(r#"{"resourceType":"Condition","onsetAge":{"value":40}}"#, None);
        check(r#"{"resourceType":"Patient","birthDate":"1980-01-01"}"#, None);
    }
}
