//! `_filter`: tests of parameters, joined by `and`, `or`, `not` and brackets.
//!
//! Each test is a [`Filter`] like any other, so it is matched over the same view and says what it
//! reads. A part that cannot be known makes the whole unknown, which matches nothing: `not` never
//! turns something unanswered into a match.
//!
//! Source: FHIR R4 (4.0.1) `search_filter.html`.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::SearchError;
use super::form::{escape, split_unescaped};
use super::lookup::{Lookup, LookupKind};
use super::param::{Param, ParamType};
use super::predicate::{Modifier, Prefix, Test, TextMatch};
use super::query::{Context, Filter, FilterKind, Query};
use super::text::fold;
use super::{DEPTH_MAX, PARAMETERS_MAX};
use crate::json::{Doc, Node};

/// The parameter of filter expressions; R4 has no definition of it as a resource.
pub const FILTER: &str = "_filter";

/// LIMIT: brackets within brackets.
const NESTING_MAX: usize = 16;

/// FHIR R4 `search_filter.html`: names of code systems that stand for their URL.
const SHORT_SYSTEMS: [(&str, &str); 4] = [
    ("loinc", "http://loinc.org"),
    ("snomed", "http://snomed.info/sct"),
    ("rxnorm", "http://www.nlm.nih.gov/research/umls/rxnorm"),
    ("ucum", "http://unitsofmeasure.org"),
];

/// An expression, read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// `and`
    All(Vec<Tree>),
    /// `or`
    Any(Vec<Tree>),
    /// `not (…)`
    Not(Box<Tree>),
    /// One test of a parameter.
    Test(Box<Filter>),
}

impl Tree {
    /// Reads an expression; what it needs to have answered beforehand is added to the query.
    ///
    /// # Errors
    /// It is no expression, or a test in it is not known or not offered.
    pub(super) fn parse(
        query: &mut Query,
        context: &Context<'_>,
        text: &str,
    ) -> Result<Self, SearchError> {
        let mut reader = Reader { rest: text, tests: 0 };
        let tree = reader.expression(query, context, NESTING_MAX)?;
        if reader.rest.is_empty() { Ok(tree) } else { Err(malformed()) }
    }

    /// Each test in it.
    pub(super) fn tests(&self) -> Vec<&Filter> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::tests).collect(),
            Self::Not(part) => part.tests(),
            Self::Test(test) => Vec::from([&**test]),
        }
    }

    /// Whether it holds where each test says whether it does; `None` where that cannot be known.
    pub(super) fn holds(&self, test: &dyn Fn(&Filter) -> Option<bool>) -> Option<bool> {
        let each = |parts: &[Self], decisive: bool| {
            let mut all = Some(!decisive);
            for part in parts {
                match part.holds(test) {
                    Some(found) if found == decisive => return Some(decisive),
                    Some(_) => {}
                    None => all = None,
                }
            }
            all
        };
        match self {
            Self::All(parts) => each(parts, false),
            Self::Any(parts) => each(parts, true),
            Self::Not(part) => part.holds(test).map(|holds| !holds),
            Self::Test(filter) => test(filter),
        }
    }
}

fn malformed() -> SearchError {
    SearchError::BadValue {
        parameter: FILTER.to_owned(),
        expected: "a filter such as `code eq 1234-5 and not (status eq final)`",
    }
}

fn too_large() -> SearchError {
    SearchError::BadValue {
        parameter: FILTER.to_owned(),
        expected: "a filter of at most 50 tests, in at most 16 brackets",
    }
}

/// What is left of an expression to read.
struct Reader<'t> {
    rest: &'t str,
    tests: usize,
}

impl<'t> Reader<'t> {
    /// "Evaluated left to right, with no precedence between `and` and `or`".
    fn expression(
        &mut self,
        query: &mut Query,
        context: &Context<'_>,
        nesting: usize,
    ) -> Result<Tree, SearchError> {
        let mut tree = self.operand(query, context, nesting)?;
        loop {
            self.skip_space();
            if self.takes_word("and") {
                let next = self.operand(query, context, nesting)?;
                tree = match tree {
                    Tree::All(mut parts) => {
                        parts.push(next);
                        Tree::All(parts)
                    }
                    other => Tree::All(Vec::from([other, next])),
                };
            } else if self.takes_word("or") {
                let next = self.operand(query, context, nesting)?;
                tree = match tree {
                    Tree::Any(mut parts) => {
                        parts.push(next);
                        Tree::Any(parts)
                    }
                    other => Tree::Any(Vec::from([other, next])),
                };
            } else {
                return Ok(tree);
            }
        }
    }

    fn operand(
        &mut self,
        query: &mut Query,
        context: &Context<'_>,
        nesting: usize,
    ) -> Result<Tree, SearchError> {
        self.skip_space();
        let negated = self.takes_word("not");
        self.skip_space();
        if self.takes('(') {
            let nesting = nesting.checked_sub(1).ok_or_else(too_large)?;
            let inner = self.expression(query, context, nesting)?;
            self.skip_space();
            if !self.takes(')') {
                return Err(malformed());
            }
            return Ok(if negated { Tree::Not(Box::new(inner)) } else { inner });
        }
        if negated {
            return Err(malformed());
        }
        self.tests += 1;
        if self.tests > PARAMETERS_MAX {
            return Err(too_large());
        }
        let asked = self.test()?;
        Ok(Tree::Test(Box::new(query.tested(context, &asked, DEPTH_MAX)?)))
    }

    fn test(&mut self) -> Result<Asked<'t>, SearchError> {
        let path = self.takes_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if self.rest.starts_with('[') {
            // Values of one repetition by another of the same: parameters do not say which is which.
            return Err(SearchError::Unsupported { parameter: format!("{path}[") });
        }
        let spaced = self.skip_space();
        let operator = self.takes_while(|c| c.is_ascii_alphabetic());
        if path.is_empty() || !spaced || !self.skip_space() {
            return Err(malformed());
        }
        let operator = Operator::of(operator).ok_or_else(malformed)?;
        let value = if self.rest.starts_with('"') {
            Cow::Owned(self.json_string().ok_or_else(malformed)?)
        } else {
            let bare = |c: char| !c.is_whitespace() && !matches!(c, ')' | ']');
            Cow::Borrowed(self.takes_while(bare))
        };
        if value.is_empty() { Err(malformed()) } else { Ok(Asked { path, operator, value }) }
    }

    /// A string as JSON writes it.
    fn json_string(&mut self) -> Option<String> {
        let mut escaped = true;
        let end = self.rest.char_indices().find_map(|(at, c)| {
            let closes = c == '"' && !escaped;
            escaped = (at == 0) | (c == '\\' && !escaped);
            (closes && at > 0).then_some(at + 1)
        })?;
        let (string, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let doc = Doc::parse(string.as_bytes().to_vec()).ok()?;
        Node::as_str(doc.root()).map(Cow::into_owned)
    }

    fn skip_space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        self.rest.len() < before
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// A word of the grammar, which ends where a space or a bracket begins.
    fn takes_word(&mut self, word: &str) -> bool {
        let found = self
            .rest
            .strip_prefix(word)
            .filter(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '('));
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn takes_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }
}

/// One test as it was written.
struct Asked<'t> {
    path: &'t str,
    operator: Operator,
    value: Cow<'t, str>,
}

/// FHIR R4 `search_filter.html#ops`.
#[derive(Clone, Copy)]
enum Operator {
    /// `eq`, `gt`, `lt`, `ge`, `le`, `ap`, `sa`, `eb` of what has an order
    Compare(Prefix),
    /// `ne`: some value is not equal.
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    /// `pr`: whether there is a value.
    Present,
    /// `po`: a period overlaps with another.
    Overlaps,
    /// `ss`: the value subsumes a concept.
    Subsumes,
    /// `sb`: the value is subsumed by a concept.
    SubsumedBy,
    In,
    NotIn,
    /// `re`: a reference points there.
    PointsTo,
}

impl Operator {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Self::Compare(Prefix::Eq),
            "gt" => Self::Compare(Prefix::Gt),
            "lt" => Self::Compare(Prefix::Lt),
            "ge" => Self::Compare(Prefix::Ge),
            "le" => Self::Compare(Prefix::Le),
            "ap" => Self::Compare(Prefix::Ap),
            "sa" => Self::Compare(Prefix::Sa),
            "eb" => Self::Compare(Prefix::Eb),
            "ne" => Self::NotEqual,
            "co" => Self::Contains,
            "sw" => Self::StartsWith,
            "ew" => Self::EndsWith,
            "pr" => Self::Present,
            "po" => Self::Overlaps,
            "ss" => Self::Subsumes,
            "sb" => Self::SubsumedBy,
            "in" => Self::In,
            "ni" => Self::NotIn,
            "re" => Self::PointsTo,
            _ => return None,
        })
    }
}

impl Query {
    /// One test of a filter expression, as a filter.
    fn tested(
        &mut self,
        context: &Context<'_>,
        asked: &Asked<'_>,
        depth: usize,
    ) -> Result<Filter, SearchError> {
        let name = || format!("{FILTER}={}", asked.path);
        if let Some((head, tail)) = asked.path.split_once('.') {
            return self.chained(&name(), head, depth, &|resource_type, depth| {
                let rest =
                    Asked { path: tail, operator: asked.operator, value: asked.value.clone() };
                let mut inner = Self::empty(context, resource_type);
                let filter = inner.tested(context, &rest, depth)?;
                inner.filters.push(filter);
                Ok(inner)
            });
        }
        let params = self.params(asked.path, asked.path)?;
        let Some((_, param)) = params.first() else {
            return Ok(Filter { name: name(), params, kind: FilterKind::Any(Vec::new()) });
        };
        let bad = |expected| SearchError::BadValue { parameter: name(), expected };
        let test = |modifier, text: &str| {
            Test::parse(param, modifier, text, context.own_base, context.at).map_err(bad)
        };
        let value = with_long_system(param, &asked.value);
        let kind = match (param.kind, asked.operator) {
            (ParamType::Composite | ParamType::Special, _) => return Err(unsupported(asked)),
            (_, Operator::Present) => match &*value {
                "true" => FilterKind::Missing(false),
                "false" => FilterKind::Missing(true),
                _ => return Err(bad("`true` or `false`")),
            },
            (ParamType::String, operator) => {
                let how = match operator {
                    Operator::Compare(Prefix::Eq) | Operator::NotEqual => TextMatch::Equals,
                    Operator::Contains => TextMatch::Contains,
                    Operator::StartsWith => TextMatch::Starts,
                    Operator::EndsWith => TextMatch::Ends,
                    _ => return Err(unsupported(asked)),
                };
                let text = fold(&value);
                if text.is_empty() || param.is_phonetic() {
                    return Err(unsupported(asked));
                }
                one(operator, Test::Text { how, text })
            }
            (ParamType::Number | ParamType::Quantity | ParamType::Date, Operator::Compare(how)) => {
                FilterKind::Any(Vec::from([test(Modifier::Plain, &prefixed(how, &value))?]))
            }
            (ParamType::Number | ParamType::Quantity | ParamType::Date, Operator::NotEqual) => {
                one(Operator::NotEqual, test(Modifier::Plain, &prefixed(Prefix::Eq, &value))?)
            }
            (ParamType::Date, Operator::Overlaps) => {
                match test(Modifier::Plain, &prefixed(Prefix::Eq, &value))? {
                    // Of two periods as they are written; `ap` would widen the one asked for.
                    Test::Date { interval, .. } => {
                        let overlaps = Test::Date { prefix: Prefix::Ap, interval };
                        FilterKind::Any(Vec::from([overlaps]))
                    }
                    _ => return Err(unsupported(asked)),
                }
            }
            (ParamType::Token, operator @ (Operator::Compare(Prefix::Eq) | Operator::NotEqual)) => {
                match test(Modifier::Plain, &value)? {
                    // Ids are told apart by case (FHIR R4 datatypes.html#id); other values are not.
                    Test::Token(token) if param.code == "_id" => one(operator, Test::Token(token)),
                    Test::Token(token) => one(operator, Test::Token(token.in_any_case())),
                    _ => return Err(unsupported(asked)),
                }
            }
            (ParamType::Token, operator) => {
                let modifier = match operator {
                    Operator::In | Operator::NotIn => Modifier::In,
                    Operator::Subsumes => Modifier::Below,
                    Operator::SubsumedBy => Modifier::Above,
                    _ => return Err(unsupported(asked)),
                };
                let text =
                    if modifier == Modifier::In { escape(&value) } else { value.into_owned() };
                let kinds = LookupKind::parse(param, modifier, &text, context.own_base);
                let first = self.lookups.len();
                let kinds = kinds.map_err(bad)?.into_iter();
                self.lookups.extend(kinds.map(|kind| Lookup { name: name(), kind }));
                let own = (first..self.lookups.len()).collect();
                if matches!(operator, Operator::NotIn) {
                    FilterKind::NotWithin(own)
                } else {
                    FilterKind::Within(own)
                }
            }
            (
                ParamType::Reference | ParamType::Uri,
                operator @ (Operator::Compare(Prefix::Eq) | Operator::NotEqual),
            ) => one(operator, test(Modifier::Plain, &escape(&value))?),
            (ParamType::Reference, Operator::PointsTo) => {
                FilterKind::Any(Vec::from([test(Modifier::Plain, &escape(&value))?]))
            }
            (
                ParamType::Number
                | ParamType::Quantity
                | ParamType::Date
                | ParamType::Reference
                | ParamType::Uri,
                _,
            ) => return Err(unsupported(asked)),
        };
        Ok(Filter { name: name(), params, kind })
    }
}

fn unsupported(asked: &Asked<'_>) -> SearchError {
    SearchError::Unsupported { parameter: format!("{FILTER}={}", asked.path) }
}

/// Some value is as the test says, or some value is not.
fn one(operator: Operator, test: Test) -> FilterKind {
    let tests = Vec::from([test]);
    if matches!(operator, Operator::NotEqual) {
        FilterKind::SomeOther(tests)
    } else {
        FilterKind::Any(tests)
    }
}

/// A number, quantity or date with its comparison as a search writes it.
fn prefixed(how: Prefix, value: &str) -> String {
    format!("{}{value}", how.code())
}

/// Tokens and quantities: the URL of a code system in the place of its short name.
fn with_long_system<'v>(param: &Param, value: &'v str) -> Cow<'v, str> {
    let at = match param.kind {
        ParamType::Token => 0,
        ParamType::Quantity => 1,
        _ => return Cow::Borrowed(value),
    };
    let parts = split_unescaped(value, '|');
    let short = parts.get(at).filter(|_| parts.len() > at + 1);
    let Some((_, url)) = SHORT_SYSTEMS.iter().find(|(name, _)| Some(&name) == short.as_ref())
    else {
        return Cow::Borrowed(value);
    };
    let long: Vec<&str> =
        parts.iter().enumerate().map(|(n, part)| if n == at { *url } else { *part }).collect();
    Cow::Owned(long.join("|"))
}
