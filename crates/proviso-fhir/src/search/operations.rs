//! Operations that are searches with parameters of their own.
//!
//! Source: US Core 6.1.0 `OperationDefinition/docref`; FHIR R4 observation-operation-lastn.html.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;

use super::error::SearchError;
use super::everything::Within;
use super::form::pairs;
use super::query::{Context, Query, SearchScope};
use crate::json::Node;

/// LIMIT: how many observations of each code `$lastn` gives.
pub const LAST_MAX: usize = 100;

type Pair = (String, String);

fn bad(parameter: &str, expected: &'static str) -> SearchError {
    SearchError::BadValue { parameter: parameter.to_owned(), expected }
}

fn once<T>(place: &mut Option<T>, parameter: &str, value: T) -> Result<(), SearchError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(SearchError::Repeated { parameter: parameter.to_owned() }),
    }
}

/// `DocumentReference/$docref` as a search.
#[derive(Debug, Clone, PartialEq)]
pub struct DocRef {
    /// What is looked for, newest first.
    pub query: Query,
    /// Without a range of dates: only the newest of what is current.
    pub newest_only: bool,
    /// The first parameter that looks at when care was given, if one does.
    pub by_date: Option<&'static str>,
}

impl DocRef {
    /// Reads `patient`, `start`, `end`, `type` and `on-demand`. Both days of the range are inside; a
    /// document that names no time of care belongs to every range.
    ///
    /// # Errors
    /// A parameter that is unknown, not supported, malformed or missing, by name.
    pub fn parse(context: &Context<'_>, raw: &str) -> Result<Self, SearchError> {
        let mut within = Within::default();
        let (mut patient, mut kind, mut on_demand) = (None, None, None);
        let mut by_date = None;
        let mut asked: Vec<Pair> = Vec::new();
        for (name, value) in pairs(raw).ok_or(SearchError::Encoding)? {
            match name.as_str() {
                "patient" => once(&mut patient, "patient", value)?,
                "type" => once(&mut kind, "type", value)?,
                "start" | "end" => {
                    within.take(&name, &value)?;
                    by_date = by_date.or(Some(if name == "start" { "start" } else { "end" }));
                }
                // Documents that would be made for the one who asks; none are made here.
                "on-demand" if value == "false" => once(&mut on_demand, "on-demand", ())?,
                "_count" | "_format" | "_pretty" => asked.push((name, value)),
                _ => return Err(SearchError::Unsupported { parameter: name }),
            }
        }
        within.check()?;
        let patient = patient.ok_or_else(|| bad("patient", "given"))?;
        asked.push(("patient".to_owned(), one(&patient, "patient")?));
        if let Some(kind) = kind {
            asked.push(("type".to_owned(), kind));
        }
        let newest_only = by_date.is_none();
        if newest_only {
            asked.retain(|(name, _)| name != "_count");
            asked.push(("status".to_owned(), "current".to_owned()));
        }
        asked.push(("_sort".to_owned(), "-date".to_owned()));
        let scope = SearchScope::Type(ResourceType::DOCUMENT_REFERENCE);
        let mut query = Query::of_pairs(context, scope, &asked)?;
        query.within = Some(within);
        Ok(Self { query, newest_only, by_date })
    }
}

/// One patient: an id, alone or behind its type. Alternatives would be another question.
fn one(value: &str, parameter: &str) -> Result<String, SearchError> {
    let id = value.strip_prefix("Patient/").unwrap_or(value);
    if id.parse::<proviso_core::id::ResourceId>().is_err() {
        return Err(bad(parameter, "one patient"));
    }
    Ok(format!("Patient/{id}"))
}

/// `Observation/$lastn` as a search and what is kept of what it finds.
#[derive(Debug, Clone, PartialEq)]
pub struct LastN {
    /// What is looked for, newest first.
    pub query: Query,
    /// How many of each code are kept.
    pub most: usize,
}

impl LastN {
    /// Reads `max` (1 without it) and parameters of a search, of which the patient and a category or
    /// code must be there.
    ///
    /// # Errors
    /// As [`DocRef::parse`].
    pub fn parse(context: &Context<'_>, raw: &str) -> Result<Self, SearchError> {
        let mut most = None;
        let mut asked: Vec<Pair> = Vec::new();
        for (name, value) in pairs(raw).ok_or(SearchError::Encoding)? {
            match name.as_str() {
                "max" => {
                    let number = value.parse::<usize>().ok();
                    let number = number.filter(|number| (1..=LAST_MAX).contains(number));
                    once(&mut most, "max", number.ok_or_else(|| bad("max", "from 1 to 100"))?)?;
                }
                "_format" | "_pretty" | "_id" | "_security" | "_tag" => asked.push((name, value)),
                _ if name.starts_with('_') => {
                    return Err(SearchError::Unsupported { parameter: name });
                }
                _ => asked.push((name, value)),
            }
        }
        let has = |names: &[&str]| asked.iter().any(|(name, _)| names.contains(&name.as_str()));
        if !has(&["patient", "subject", "subject:Patient"]) {
            return Err(bad("patient", "given"));
        }
        if !has(&["category", "code", "code:in"]) {
            return Err(bad("category", "given"));
        }
        asked.push(("_sort".to_owned(), "-date".to_owned()));
        let scope = SearchScope::Type(ResourceType::OBSERVATION);
        let query = Query::of_pairs(context, scope, &asked)?;
        Ok(Self { query, most: most.unwrap_or(1) })
    }

    /// Which of the observations stay, by their places: the first of each code, the codes in the
    /// order in which they come up. Two are of one code when they have a coding in common or, without
    /// any, the same text; what has neither is of a code of its own.
    ///
    /// Cost: with the observations times the codings of all groups.
    pub fn kept<'a>(&self, observations: impl IntoIterator<Item = Node<'a>>) -> Vec<usize> {
        let mut groups: Vec<Group> = Vec::new();
        for (place, observation) in observations.into_iter().enumerate() {
            let names = names_of(observation);
            let known = groups.iter_mut().find(|group| names.iter().any(|n| group.has(n)));
            match known {
                Some(group) => {
                    group.names.extend(names);
                    if group.places.len() < self.most {
                        group.places.push(place);
                    }
                }
                None => groups.push(Group { names, places: Vec::from([place]) }),
            }
        }
        groups.into_iter().flat_map(|group| group.places).collect()
    }
}

struct Group {
    names: Vec<Pair>,
    places: Vec<usize>,
}

impl Group {
    fn has(&self, name: &Pair) -> bool {
        self.names.contains(name)
    }
}

/// The codings of an observation's code, or its text.
fn names_of(observation: Node<'_>) -> Vec<Pair> {
    let Some(code) = observation.get("code") else { return Vec::new() };
    let text = |node: Node<'_>, name: &str| node.string_at(&[name]).map(Cow::into_owned);
    let codings: Vec<Pair> = code
        .get("coding")
        .into_iter()
        .flat_map(Node::items)
        .filter_map(|coding| {
            Some((text(coding, "system").unwrap_or_default(), text(coding, "code")?))
        })
        .collect();
    if !codings.is_empty() {
        return codings;
    }
    text(code, "text").map(|own| Vec::from([("text".to_owned(), own)])).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proviso_core::time::At;

    use super::*;
    use crate::json::Doc;

    fn context() -> Context<'static> {
        Context { own_base: "https://fhir.example.org", at: At::from_secs(1_795_348_800) }
    }

    fn docref(raw: &str) -> Result<DocRef, String> {
        DocRef::parse(&context(), raw).map_err(|error| alloc::string::ToString::to_string(&error))
    }

    fn last(raw: &str) -> Result<LastN, String> {
        LastN::parse(&context(), raw).map_err(|error| alloc::string::ToString::to_string(&error))
    }

    fn document(more: &str) -> Doc {
        let text = format!(
            r#"{{"resourceType":"DocumentReference","id":"d","status":"current",
"subject":{{"reference":"Patient/a"}}{more}}}"#
        );
        Doc::parse(text.into_bytes()).unwrap()
    }

    fn finds(raw: &str, more: &str) -> bool {
        let query = docref(raw).unwrap().query;
        query.matches(document(more).root(), &super::super::Joined::default())
    }

    // Covers: US Core 6.1.0 docref (start, end: dates of care)
    #[test]
    fn a_document_belongs_to_the_days_of_its_care() {
        let may = r#","context":{"period":{"start":"2026-05-01","end":"2026-05-03"}}"#;
        for (raw, found) in [
            ("patient=a", true),
            ("patient=Patient/a", true),
            ("patient=b", false),
            ("patient=a&start=2026-05-03", true),
            ("patient=a&start=2026-05-04", false),
            ("patient=a&end=2026-05-01", true),
            ("patient=a&end=2026-04-30", false),
            ("patient=a&start=2026&end=2026", true),
        ] {
            assert_eq!(finds(raw, may), found, "{raw}");
        }
        assert!(finds("patient=a&start=2030", ""), "care of no known time is of every time");
    }

    #[test]
    fn without_dates_it_is_the_newest_of_what_is_current() {
        assert!(docref("patient=a").unwrap().newest_only);
        let dated = docref("patient=a&start=2020").unwrap();
        assert_eq!((dated.newest_only, dated.by_date), (false, Some("start")));
    }

    #[test]
    fn what_docref_does_not_understand_is_refused_by_name() {
        for (raw, name) in [
            ("", "patient"),
            ("patient=a&patient=b", "patient"),
            ("patient=a,b", "patient"),
            ("patient=a&on-demand=true", "on-demand"),
            ("patient=a&profile=x", "profile"),
            ("patient=a&_include=*", "_include"),
            ("patient=a&start=x", "start"),
            ("patient=a&start=2027&end=2026", "end"),
            ("patient=a&type:missing=true", "type:missing"),
        ] {
            let told = docref(raw).unwrap_err();
            assert!(told.contains(&format!("`{name}`")), "{raw}: {told}");
        }
    }

    #[test]
    fn what_lastn_does_not_understand_is_refused_by_name() {
        for (raw, name) in [
            ("category=laboratory", "patient"),
            ("patient=a", "category"),
            ("patient=a&code=x&max=0", "max"),
            ("patient=a&code=x&max=101", "max"),
            ("patient=a&code=x&max=1&max=1", "max"),
            ("patient=a&code=x&_sort=date", "_sort"),
            ("patient=a&code=x&_count=1", "_count"),
            ("patient=a&code=x&_include=*", "_include"),
            ("patient=a&code=x&nonsense=1", "nonsense"),
        ] {
            let told = last(raw).unwrap_err();
            assert!(told.contains(&format!("`{name}`")), "{raw}: {told}");
        }
        assert_eq!(last("patient=a&code=x").unwrap().most, 1);
        assert_eq!(last("patient=a&code=x&max=100").unwrap().most, 100);
    }

    /// Observations by their codes, newest first.
    fn kept(max: usize, codes: &[&str]) -> Vec<usize> {
        let docs: Vec<Doc> = codes
            .iter()
            .map(|code| {
                let code = if code.starts_with('{') {
                    (*code).to_owned()
                } else {
                    let codings: Vec<String> = code
                        .split(' ')
                        .map(|code| format!(r#"{{"system":"s","code":"{code}"}}"#))
                        .collect();
                    format!(r#"{{"coding":[{}]}}"#, codings.join(","))
                };
                let text = format!(r#"{{"resourceType":"Observation","code":{code}}}"#);
                Doc::parse(text.into_bytes()).unwrap()
            })
            .collect();
        let asked = last(&format!("patient=a&code=x&max={max}")).unwrap();
        asked.kept(docs.iter().map(Doc::root))
    }

    // Covers: FHIR R4 observation-operation-lastn.html
    #[test]
    fn the_last_of_each_code_stay_in_the_order_in_which_codes_come_up() {
        assert_eq!(kept(1, &["a", "b", "a", "c", "b"]), [0, 1, 3]);
        assert_eq!(kept(2, &["a", "b", "a", "c", "a", "b"]), [0, 2, 1, 5, 3]);
        assert_eq!(kept(1, &["a x", "x b", "b"]), [0], "a coding in common makes one code");
        assert_eq!(kept(1, &[r#"{"text":"t"}"#, r#"{"text":"t"}"#, r#"{"text":"u"}"#]), [0, 2]);
        assert_eq!(kept(1, &["{}", "{}"]), [0, 1], "without a code each is for itself");
    }
}
