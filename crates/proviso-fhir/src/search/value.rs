//! What a search parameter finds in a resource, in the form in which queries compare it.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::decimal::{Decimal, DecimalRange};
use super::interval::Interval;
use super::near::Position;
use super::param::{Param, ParamType};
use super::path::Outcome;
use super::reference::{self, Target};
use super::text::fold;
use crate::json::{Kind, Node};

/// One value of a search parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchValue<'a> {
    /// Of a `number` parameter.
    Number(DecimalRange),
    /// Of a `date` parameter.
    Date(Interval),
    /// Of a `string` parameter, or a text that `:text` looks at.
    Text(Cow<'a, str>),
    /// Of a `token` parameter.
    Token(Token<'a>),
    /// Of a `reference` parameter.
    Reference(Reference<'a>),
    /// Of a `quantity` parameter.
    Quantity(Quantity<'a>),
    /// Of a `uri` parameter.
    Uri(Cow<'a, str>),
    /// Of a `composite` parameter: the values of each component at one place.
    Composite(Vec<Vec<SearchValue<'a>>>),
    /// Of `near`.
    Position(Position),
}

/// A code, identifier, flag or contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token<'a> {
    /// The system, where the value states one.
    pub system: Option<Cow<'a, str>>,
    /// The system that the element's definition implies for a bare code.
    pub implied_system: Option<&'static str>,
    /// The code or value; `None` where only a text or system is given.
    pub code: Option<Cow<'a, str>>,
    /// Texts for `:text`: display, concept text, or text of the identifier's type.
    pub texts: Vec<Cow<'a, str>>,
    /// For identifiers: the codings of their type, as system and code.
    pub kinds: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Whether case does not count (contact points).
    pub any_case: bool,
}

/// A reference, by where it leads and by identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'a> {
    /// Where it leads; `None` for a logical reference.
    pub target: Option<Target<'a>>,
    /// The identifier of the target, as written in the reference.
    pub identifier: Option<Token<'a>>,
    /// The display text.
    pub display: Option<Cow<'a, str>>,
}

/// A measured amount.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity<'a> {
    /// The values it stands for.
    pub range: DecimalRange,
    /// The unit system.
    pub system: Option<Cow<'a, str>>,
    /// The coded unit.
    pub code: Option<Cow<'a, str>>,
    /// The unit as people read it.
    pub unit: Option<Cow<'a, str>>,
}

impl PartialEq for DecimalRange {
    fn eq(&self, other: &Self) -> bool {
        self.low == other.low && self.high == other.high
    }
}

/// The values of a parameter in a resource; none where it has none.
///
/// `own_base` is our own FHIR base URL: absolute references to it are local ones.
pub fn values<'a>(param: &Param, resource: Node<'a>, own_base: &str) -> Vec<SearchValue<'a>> {
    values_at(param, resource, resource, own_base)
}

fn values_at<'a>(
    param: &Param,
    focus: Node<'a>,
    resource: Node<'a>,
    own_base: &str,
) -> Vec<SearchValue<'a>> {
    let mut out = Vec::new();
    match param.expression.evaluate(focus, resource) {
        Outcome::Truth(truth) => out.push(SearchValue::Token(Token {
            code: Some(Cow::Borrowed(if truth { "true" } else { "false" })),
            ..Token::default()
        })),
        Outcome::Nodes(nodes) if param.kind == ParamType::Composite => {
            for node in nodes {
                let parts: Vec<_> = param
                    .components
                    .iter()
                    .map(|part| values_at(part, node, resource, own_base))
                    .collect();
                // A place counts only where every component has a value.
                if !parts.iter().any(Vec::is_empty) {
                    out.push(SearchValue::Composite(parts));
                }
            }
        }
        Outcome::Nodes(nodes) => {
            for node in nodes {
                read(param, node, own_base, &mut out);
            }
        }
    }
    out
}

fn read<'a>(param: &Param, node: Node<'a>, own_base: &str, out: &mut Vec<SearchValue<'a>>) {
    match param.kind {
        ParamType::Number => {
            if let Some(range) = number(node) {
                out.push(SearchValue::Number(range));
            }
        }
        ParamType::Date => {
            if let Some(interval) = interval(node) {
                out.push(SearchValue::Date(interval));
            }
        }
        ParamType::String => texts(node, out),
        ParamType::Token => tokens(param, node, out),
        ParamType::Reference => {
            if let Some(found) = reference_value(node, own_base) {
                out.push(SearchValue::Reference(found));
            }
        }
        ParamType::Quantity => {
            if let Some(found) = quantity(node) {
                out.push(SearchValue::Quantity(found));
            }
        }
        ParamType::Uri => {
            if let Some(uri) = node.as_str() {
                out.push(SearchValue::Uri(uri));
            }
        }
        // The one special parameter that has an expression is `near`.
        ParamType::Special => out.extend(Position::read(node).map(SearchValue::Position)),
        // A composite has no values of its own.
        ParamType::Composite => {}
    }
}

fn decimal(node: Option<Node<'_>>) -> Option<Decimal> {
    Decimal::parse(node?.number_text()?)
}

fn number(node: Node<'_>) -> Option<DecimalRange> {
    if node.kind() == Kind::Object {
        return bounds(node, |side| side.get("value"));
    }
    let value = decimal(Some(node))?;
    Some(DecimalRange { low: Some(value), high: Some(value) })
}

/// The range of a FHIR `Range`.
fn bounds<'a>(
    node: Node<'a>,
    value: impl Fn(Node<'a>) -> Option<Node<'a>>,
) -> Option<DecimalRange> {
    let low = node.get("low").and_then(&value);
    let high = node.get("high").and_then(&value);
    if low.is_none() && high.is_none() {
        return None;
    }
    Some(DecimalRange { low: decimal(low), high: decimal(high) })
}

fn interval(node: Node<'_>) -> Option<Interval> {
    match node.kind() {
        Kind::String => Interval::parse(&node.as_str()?),
        Kind::Object => period(node).or_else(|| timing(node)),
        Kind::Array | Kind::Number | Kind::Bool | Kind::Null => None,
    }
}

fn period(node: Node<'_>) -> Option<Interval> {
    let side = |name| node.get(name).and_then(Node::as_str);
    let (start, end) = (side("start"), side("end"));
    if start.is_none() && end.is_none() {
        return None;
    }
    let low = match start {
        Some(text) => Interval::parse(&text)?.low,
        None => i64::MIN,
    };
    let high = match end {
        Some(text) => Interval::parse(&text)?.high,
        None => i64::MAX,
    };
    Some(Interval::between(low, high))
}

/// FHIR R4 search.html#date: of a Timing only the outer limits count.
fn timing(node: Node<'_>) -> Option<Interval> {
    let events = node
        .get("event")
        .into_iter()
        .flat_map(Node::items_or_self)
        .filter_map(|event| Interval::parse(&event.as_str()?));
    let limits = node.first(&["repeat", "boundsPeriod"]).and_then(period);
    events.chain(limits).reduce(Interval::hull)
}

/// The parts of names and addresses that a string parameter looks at.
const TEXT_PARTS: [&str; 11] = [
    "text",
    "family",
    "given",
    "prefix",
    "suffix",
    "line",
    "city",
    "district",
    "state",
    "postalCode",
    "country",
];

fn texts<'a>(node: Node<'a>, out: &mut Vec<SearchValue<'a>>) {
    match node.kind() {
        Kind::String => out.extend(node.as_str().map(SearchValue::Text)),
        Kind::Object => {
            for part in TEXT_PARTS {
                let found = node.get(part).into_iter().flat_map(Node::items_or_self);
                out.extend(found.filter_map(Node::as_str).map(SearchValue::Text));
            }
        }
        Kind::Array | Kind::Number | Kind::Bool | Kind::Null => {}
    }
}

fn tokens<'a>(param: &Param, node: Node<'a>, out: &mut Vec<SearchValue<'a>>) {
    match node.kind() {
        Kind::String => out.push(SearchValue::Token(Token {
            code: node.as_str(),
            implied_system: param.implied_system,
            ..Token::default()
        })),
        Kind::Bool => out.push(SearchValue::Token(Token {
            code: node.as_bool().map(|flag| Cow::Borrowed(if flag { "true" } else { "false" })),
            ..Token::default()
        })),
        Kind::Number => out.push(SearchValue::Token(Token {
            code: node.number_text().map(Cow::Borrowed),
            ..Token::default()
        })),
        Kind::Object if param.is_contact => out.extend(contact(node).map(SearchValue::Token)),
        Kind::Object if node.get("coding").is_some() || is_bare_concept(node) => {
            concept(node, out);
        }
        Kind::Object if node.get("value").is_some() => {
            out.push(SearchValue::Token(identifier(node)));
        }
        Kind::Object => out.push(SearchValue::Token(coding(node, Vec::new()))),
        Kind::Array | Kind::Null => {}
    }
}

/// A CodeableConcept that has a text and no coding.
fn is_bare_concept(node: Node<'_>) -> bool {
    node.get("text").is_some()
        && ["system", "code", "value"].iter().all(|name| node.get(name).is_none())
}

fn string<'a>(node: Node<'a>, name: &str) -> Option<Cow<'a, str>> {
    node.get(name).and_then(Node::as_str)
}

/// FHIR R4 search.html#token: the `use` of a contact point is its system.
fn contact(node: Node<'_>) -> Option<Token<'_>> {
    Some(Token {
        system: string(node, "use"),
        code: Some(string(node, "value")?),
        any_case: true,
        ..Token::default()
    })
}

fn concept<'a>(node: Node<'a>, out: &mut Vec<SearchValue<'a>>) {
    let text = string(node, "text");
    let mut some = false;
    for item in node.get("coding").into_iter().flat_map(Node::items_or_self) {
        some = true;
        let texts = text.iter().cloned().collect();
        out.push(SearchValue::Token(coding(item, texts)));
    }
    if let (false, Some(text)) = (some, text) {
        out.push(SearchValue::Token(Token { texts: Vec::from([text]), ..Token::default() }));
    }
}

fn coding<'a>(node: Node<'a>, mut texts: Vec<Cow<'a, str>>) -> Token<'a> {
    texts.extend(string(node, "display"));
    Token { system: string(node, "system"), code: string(node, "code"), texts, ..Token::default() }
}

fn identifier(node: Node<'_>) -> Token<'_> {
    let kind = node.get("type");
    let kinds = kind
        .and_then(|kind| kind.get("coding"))
        .into_iter()
        .flat_map(Node::items_or_self)
        .filter_map(|coding| Some((string(coding, "system")?, string(coding, "code")?)))
        .collect();
    Token {
        system: string(node, "system"),
        code: string(node, "value"),
        texts: kind.and_then(|kind| string(kind, "text")).into_iter().collect(),
        kinds,
        ..Token::default()
    }
}

/// Reads a `Reference`, a `canonical` or a `uri`.
pub(super) fn reference_value<'a>(node: Node<'a>, own_base: &str) -> Option<Reference<'a>> {
    let text = reference::text_of(node);
    // A conditional reference that was never resolved still says whom it means.
    let by_criteria = text.as_deref().and_then(reference::by_identifier);
    let by_criteria = by_criteria.map(|(system, value)| Token {
        system: system.map(Cow::Owned),
        code: Some(Cow::Owned(value)),
        ..Token::default()
    });
    let target = text.and_then(|text| reference::read(text, own_base));
    let identifier = node.get("identifier").map(identifier).or(by_criteria);
    if target.is_none() && identifier.is_none() {
        return None;
    }
    Some(Reference { target, identifier, display: string(node, "display") })
}

fn quantity(node: Node<'_>) -> Option<Quantity<'_>> {
    if node.get("low").is_some() || node.get("high").is_some() {
        let unit_of = node.get("low").or_else(|| node.get("high"))?;
        return Some(unit(bounds(node, |side| side.get("value"))?, unit_of));
    }
    if let Some(origin) = node.get("origin") {
        // FHIR R4 SampledData: what was sampled lies between its limits, in the origin's unit.
        let (low, high) = (decimal(node.get("lowerLimit")), decimal(node.get("upperLimit")));
        if low.is_none() && high.is_none() {
            return None;
        }
        return Some(unit(DecimalRange { low, high }, origin));
    }
    let value = decimal(node.get("value"))?;
    // FHIR R4 Quantity.comparator: the true value lies on one side of the stated one.
    let range = match string(node, "comparator").as_deref() {
        Some("<" | "<=") => DecimalRange { low: None, high: Some(value) },
        Some(">" | ">=") => DecimalRange { low: Some(value), high: None },
        _ => DecimalRange { low: Some(value), high: Some(value) },
    };
    Some(unit(range, node))
}

fn unit(range: DecimalRange, node: Node<'_>) -> Quantity<'_> {
    if let Some(currency) = string(node, "currency") {
        let system = Some(Cow::Borrowed("urn:iso:std:iso:4217"));
        return Quantity { range, system, code: Some(currency), unit: None };
    }
    Quantity {
        range,
        system: string(node, "system"),
        code: string(node, "code"),
        unit: string(node, "unit"),
    }
}

impl Token<'_> {
    /// The code in the form in which keys and comparisons use it.
    pub(super) fn folded_code(&self) -> Option<Cow<'_, str>> {
        let code = self.code.as_ref()?;
        Some(if self.any_case { Cow::Owned(fold(code)) } else { Cow::Borrowed(code.as_ref()) })
    }
}
