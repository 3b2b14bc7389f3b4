//! Questions and answers in words, for findings, differences and the command line.

use std::fmt::Write as _;

use proviso_core::category::{Category, SensitiveKind};
use proviso_core::decision::{Effect, Labels};
use proviso_core::org::{
    Age, Department, OrgAnswer, OrgQuestion, OrgResource, PatientMatch, PolicyName, Role,
    TenantMatch, TokenReach, kind_code,
};
use proviso_core::reason::{Language, ReasonCode};

fn list<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(" and ")
}

/// The labels of a record, in words.
pub(super) fn labels(labels: Labels) -> String {
    match labels {
        Labels::Unclassified => "not labelled yet".to_owned(),
        Labels::Known(kinds) if kinds.is_empty() => "not sensitive".to_owned(),
        Labels::Known(kinds) if kinds.len() > 3 => format!("of {} sensitive kinds", kinds.len()),
        Labels::Known(kinds) => format!("labelled {}", list(kinds.iter().map(SensitiveKind::code))),
    }
}

/// What is asked for, in words.
pub(super) fn resource(resource: &OrgResource) -> String {
    match resource {
        OrgResource::Directory(own) => format!("{own} (directory)"),
        OrgResource::Governance(kind) => format!("the {kind} of governance"),
        OrgResource::Record(record) => {
            let of = if record.categories.is_empty() {
                "of no known kind".to_owned()
            } else {
                list(record.categories.iter().map(Category::code))
            };
            format!("{} ({of}, {})", record.resource_type, labels(record.labels))
        }
    }
}

fn with_age(word: &str, age: Age) -> String {
    match age {
        Age::Now => word.to_owned(),
        Age::Minute | Age::Quarter | Age::Hour | Age::Day | Age::Older => {
            format!("{word} (known for: {age})")
        }
    }
}

/// A question as one line.
pub fn describe_question(question: &OrgQuestion) -> String {
    let mut out = kind_code(question.kind).to_owned();
    match &question.roles {
        None => out.push_str(" of unknown roles"),
        Some(roles) if roles.value.is_empty() => out.push_str(" without a role"),
        Some(roles) => {
            let age = roles.provenance.age;
            let word = with_age(&list(roles.value.iter().map(Role::code)), age);
            push(&mut out, format_args!(" as {word}"));
        }
    }
    if let Some(departments) = &question.departments {
        let named = list(departments.value.iter().map(Department::as_str));
        push(
            &mut out,
            format_args!(", department {}", if named.is_empty() { "none" } else { &named }),
        );
    }
    push(&mut out, format_args!(", {}, for {}", question.mode, question.purpose));
    if question.related.is_empty() {
        out.push_str(", not related to the patient");
    } else {
        let related = question.related.iter().map(|(own, from)| with_age(own.code(), from.age));
        push(&mut out, format_args!(", related by {}", list(related)));
    }
    push(&mut out, format_args!(": {} of {}", question.action, resource(&question.resource)));
    surroundings(&mut out, question);
    out
}

/// Writing to a `String` cannot fail.
fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    if out.write_fmt(text).is_err() {
        out.push('?');
    }
}

fn surroundings(out: &mut String, question: &OrgQuestion) {
    if !question.named.is_empty() {
        let named = list(question.named.iter().map(SensitiveKind::code));
        push(out, format_args!("; the choice names {named}"));
    }
    if question.tenant == TenantMatch::Other {
        out.push_str("; of another organization");
    }
    if question.token == TokenReach::Lacks {
        out.push_str("; the token does not reach it");
    }
    let environment = &question.environment;
    if let Some(network) = environment.network {
        push(out, format_args!("; network {network}"));
    }
    if let Some(place) = &environment.place {
        push(out, format_args!("; place {}", place.value));
    }
    if let Some(device) = &environment.device {
        let device = with_age(device.value.code(), device.provenance.age);
        push(out, format_args!("; device {device}"));
    }
    if let Some(acr) = environment.acr {
        push(out, format_args!("; signed in by {acr}"));
    }
    if let Some(hour) = environment.hour {
        push(out, format_args!("; hour {hour}"));
    }
    if let Some(weekday) = environment.weekday {
        push(out, format_args!("; weekday {weekday}"));
    }
    if let Some(emergency) = question.emergency {
        let reason = emergency.reason.map_or("no reason", |reason| reason.code());
        let whose = match emergency.for_patient {
            PatientMatch::Same => "this patient",
            PatientMatch::Other => "another patient",
        };
        let minutes = emergency.minutes;
        push(out, format_args!("; emergency open for {whose}, {reason}, {minutes} min"));
    }
}

/// An answer as lines.
pub fn describe_answer(answer: &OrgAnswer) -> Vec<String> {
    let word = match answer.effect {
        Effect::Permit => "permit",
        Effect::Deny => "deny",
    };
    let by = list(answer.determining.iter().map(PolicyName::as_str));
    let mut lines = vec![if by.is_empty() { word.to_owned() } else { format!("{word}, by {by}") }];
    for reason in &answer.reasons {
        lines.push(format!("{}: {}", reason.code(), reason.auditor_text(Language::English)));
    }
    if !answer.obligations.is_empty() {
        lines.push(format!("with: {}", list(&answer.obligations)));
    }
    for advice in &answer.advice {
        lines.push(format!("advice of {}: {}", advice.policy, advice.text));
    }
    for fault in &answer.faults {
        lines.push(format!("could not be evaluated: {fault}"));
    }
    lines
}

/// Codes of reasons, for people.
pub(super) fn reasons<'a>(codes: impl IntoIterator<Item = &'a ReasonCode>) -> String {
    list(codes.into_iter().map(|code| code.code()))
}
