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
                tree = if let Tree::All(mut parts) = tree {
                    parts.push(next);
                    Tree::All(parts)
                } else {
                    Tree::All(Vec::from([tree, next]))
                };
            } else if self.takes_word("or") {
                let next = self.operand(query, context, nesting)?;
                tree = if let Tree::Any(mut parts) = tree {
                    parts.push(next);
                    Tree::Any(parts)
                } else {
                    Tree::Any(Vec::from([tree, next]))
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
        self.skip_space();
        let operator = self.takes_while(|c| c.is_ascii_alphabetic());
        let operator = Operator::of(operator).ok_or_else(malformed)?;
        if !self.skip_space() {
            return Err(malformed());
        }
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
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find_map(|(at, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(at + 1)
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
        let name = asked.name();
        if let Some((head, tail)) = asked.path.split_once('.') {
            return self.chained(&name, head, depth, &|resource_type, depth| {
                let (operator, value) = (asked.operator, asked.value.clone());
                let rest = Asked { path: tail, operator, value };
                let mut inner = Self::empty(context, resource_type);
                let filter = inner.tested(context, &rest, depth)?;
                inner.filters.push(filter);
                Ok(inner)
            });
        }
        let params = self.params(asked.path, asked.path)?;
        let Some((_, param)) = params.first() else {
            return Ok(Filter { name, params, kind: FilterKind::Any(Vec::new()) });
        };
        let one = One { context, param, asked, value: with_long_system(param, &asked.value) };
        let kind = match param.kind {
            ParamType::Composite | ParamType::Special => None,
            _ if matches!(asked.operator, Operator::Present) => Some(one.presence()?),
            ParamType::String => one.of_text(),
            ParamType::Number | ParamType::Quantity | ParamType::Date => one.of_order()?,
            ParamType::Token => match one.of_token()? {
                None => self.looked_up(&one)?,
                found => found,
            },
            ParamType::Reference | ParamType::Uri => one.of_address()?,
        };
        let kind = kind.ok_or_else(|| SearchError::Unsupported { parameter: name.clone() })?;
        Ok(Filter { name, params, kind })
    }

    /// A test by what is over or under a code, or in a value set.
    fn looked_up(&mut self, one: &One<'_>) -> Result<Option<FilterKind>, SearchError> {
        let (modifier, text) = match one.asked.operator {
            Operator::In | Operator::NotIn => (Modifier::In, escape(&one.value)),
            Operator::Subsumes => (Modifier::Below, one.value.clone().into_owned()),
            Operator::SubsumedBy => (Modifier::Above, one.value.clone().into_owned()),
            Operator::Compare(_)
            | Operator::NotEqual
            | Operator::Contains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Present
            | Operator::Overlaps
            | Operator::PointsTo => return Ok(None),
        };
        let kinds = LookupKind::parse(one.param, modifier, &text, one.context.own_base);
        let kinds = kinds.map_err(|expected| one.bad(expected))?.into_iter();
        let first = self.lookups.len();
        self.lookups.extend(kinds.map(|kind| Lookup { name: one.asked.name(), kind }));
        let own = (first..self.lookups.len()).collect();
        Ok(Some(if matches!(one.asked.operator, Operator::NotIn) {
            FilterKind::NotWithin(own)
        } else {
            FilterKind::Within(own)
        }))
    }
}

impl Asked<'_> {
    fn name(&self) -> String {
        format!("{FILTER}={}", self.path)
    }
}

/// One test with the parameter that it is about.
struct One<'a> {
    context: &'a Context<'a>,
    param: &'a Param,
    asked: &'a Asked<'a>,
    value: Cow<'a, str>,
}

/// Each gives nothing where the operator does not apply to the type of the parameter.
impl One<'_> {
    fn bad(&self, expected: &'static str) -> SearchError {
        SearchError::BadValue { parameter: self.asked.name(), expected }
    }

    fn parse(&self, text: &str) -> Result<Test, SearchError> {
        let Context { own_base, at } = *self.context;
        let parsed = Test::parse(self.param, Modifier::Plain, text, own_base, at);
        parsed.map_err(|expected| self.bad(expected))
    }

    /// A number, quantity or date with its comparison, as a search writes it.
    fn compared(&self, how: Prefix) -> Result<Test, SearchError> {
        self.parse(&format!("{}{}", how.code(), self.value))
    }

    /// Some value is as the test says, or some value is not.
    fn kind(&self, test: Test) -> FilterKind {
        let tests = Vec::from([test]);
        if matches!(self.asked.operator, Operator::NotEqual) {
            FilterKind::SomeOther(tests)
        } else {
            FilterKind::Any(tests)
        }
    }

    fn presence(&self) -> Result<FilterKind, SearchError> {
        match &*self.value {
            "true" => Ok(FilterKind::Missing(false)),
            "false" => Ok(FilterKind::Missing(true)),
            _ => Err(self.bad("`true` or `false`")),
        }
    }

    fn of_text(&self) -> Option<FilterKind> {
        let how = match self.asked.operator {
            Operator::Compare(Prefix::Eq) | Operator::NotEqual => TextMatch::Equals,
            Operator::Contains => TextMatch::Contains,
            Operator::StartsWith => TextMatch::Starts,
            Operator::EndsWith => TextMatch::Ends,
            Operator::Compare(_)
            | Operator::Present
            | Operator::Overlaps
            | Operator::Subsumes
            | Operator::SubsumedBy
            | Operator::In
            | Operator::NotIn
            | Operator::PointsTo => return None,
        };
        let text = fold(&self.value);
        let is_heard = self.param.is_phonetic();
        (!text.is_empty() && !is_heard).then(|| self.kind(Test::Text { how, text }))
    }

    fn of_order(&self) -> Result<Option<FilterKind>, SearchError> {
        Ok(match self.asked.operator {
            Operator::Compare(how) => Some(self.kind(self.compared(how)?)),
            Operator::NotEqual => Some(self.kind(self.compared(Prefix::Eq)?)),
            // Of two periods as they are written; `ap` would widen the one asked for.
            Operator::Overlaps => match self.compared(Prefix::Eq)? {
                Test::Date { interval, .. } => {
                    Some(self.kind(Test::Date { prefix: Prefix::Ap, interval }))
                }
                Test::Number(_)
                | Test::Text { .. }
                | Test::Token(_)
                | Test::TokenText(_)
                | Test::OfType { .. }
                | Test::Reference(_)
                | Test::Identifier(_)
                | Test::Quantity { .. }
                | Test::Uri { .. }
                | Test::Composite(_)
                | Test::Near(_) => None,
            },
            Operator::Contains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::Present
            | Operator::Subsumes
            | Operator::SubsumedBy
            | Operator::In
            | Operator::NotIn
            | Operator::PointsTo => None,
        })
    }

    fn is_equality(&self) -> bool {
        matches!(self.asked.operator, Operator::Compare(Prefix::Eq) | Operator::NotEqual)
    }

    fn of_token(&self) -> Result<Option<FilterKind>, SearchError> {
        if !self.is_equality() {
            return Ok(None);
        }
        let Test::Token(token) = self.parse(&self.value)? else { return Ok(None) };
        // Ids are told apart by case (FHIR R4 datatypes.html#id); other values are not.
        let token = if self.param.code == "_id" { token } else { token.in_any_case() };
        Ok(Some(self.kind(Test::Token(token))))
    }

    fn of_address(&self) -> Result<Option<FilterKind>, SearchError> {
        let points = matches!(self.asked.operator, Operator::PointsTo)
            && self.param.kind == ParamType::Reference;
        if !points && !self.is_equality() {
            return Ok(None);
        }
        Ok(Some(self.kind(self.parse(&escape(&self.value))?)))
    }
}

/// Tokens and quantities: the URL of a code system in the place of its short name.
fn with_long_system<'v>(param: &Param, value: &'v str) -> Cow<'v, str> {
    let at = if param.kind == ParamType::Token {
        0
    } else if param.kind == ParamType::Quantity {
        1
    } else {
        return Cow::Borrowed(value);
    };
    let parts = split_unescaped(value, '|');
    let short = parts.get(at).filter(|_| parts.len() > 1);
    let Some((_, url)) = SHORT_SYSTEMS.iter().find(|(name, _)| Some(&name) == short.as_ref())
    else {
        return Cow::Borrowed(value);
    };
    let long: Vec<&str> =
        parts.iter().enumerate().map(|(n, part)| if n == at { *url } else { *part }).collect();
    Cow::Owned(long.join("|"))
}
