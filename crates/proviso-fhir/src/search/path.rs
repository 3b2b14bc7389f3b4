//! The subset of FHIRPath in which HL7 writes its search parameters, compiled for one type.
//!
//! Union, paths, `as`/`as()`/`ofType()`, `where(resolve() is X)`, `where(x = 'y')`, `exists()`,
//! `extension(url)`, indexers, `first()`, `%resource`, `and`, `=` and `!=` against a literal.
//! Anything else is refused when it is compiled, never when it is evaluated.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::resource_type::ResourceType;

use super::reference;
use crate::json::{Kind, Node};

/// Why an expression is outside the subset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A character or token that the grammar does not have here.
    #[error("the expression cannot be read at byte {at}")]
    Syntax {
        /// Where, in bytes.
        at: usize,
    },
    /// A function that search parameters do not use.
    #[error("the expression uses a function that is not supported, at byte {at}")]
    Function {
        /// Where, in bytes.
        at: usize,
    },
}

/// A compiled expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// The union of these paths.
    Paths(Vec<Path>),
    /// Whether the paths lead anywhere.
    Exists(Vec<Path>),
    /// Whether the paths lead to something, compared with a literal.
    Compare { paths: Vec<Path>, literal: Literal, equal: bool },
    /// Both sides are true.
    And(Box<Expression>, Box<Expression>),
}

/// A literal that a path is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Boolean(bool),
}

/// One path, from the node in focus or from the whole resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) from_resource: bool,
    pub(super) steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A child element, of any type where it is a choice.
    Field(String),
    /// Only where the choice has this type.
    As(String),
    /// Only references to this type.
    ResolvesTo(ResourceType),
    /// Only where a child equals a text.
    FieldEquals(String, String),
    /// Extensions with this URL.
    Extension(String),
    /// One item by position.
    Index(usize),
}

/// What an expression yields: nodes, or a truth value.
pub(super) enum Outcome<'a> {
    Nodes(Vec<Node<'a>>),
    Truth(bool),
}

/// The names, with a capital, that the key of a choice element may end in.
///
/// FHIR R4 datatypes.html#open, and the types of the narrower choices.
const CHOICE_TYPES: [&str; 50] = [
    "Address",
    "Age",
    "Annotation",
    "Attachment",
    "Base64Binary",
    "Boolean",
    "Canonical",
    "Code",
    "CodeableConcept",
    "Coding",
    "ContactDetail",
    "ContactPoint",
    "Contributor",
    "Count",
    "DataRequirement",
    "Date",
    "DateTime",
    "Decimal",
    "Distance",
    "Dosage",
    "Duration",
    "Expression",
    "HumanName",
    "Id",
    "Identifier",
    "Instant",
    "Integer",
    "Markdown",
    "Meta",
    "Money",
    "Oid",
    "ParameterDefinition",
    "Period",
    "PositiveInt",
    "Quantity",
    "Range",
    "Ratio",
    "Reference",
    "RelatedArtifact",
    "SampledData",
    "Signature",
    "String",
    "Time",
    "Timing",
    "TriggerDefinition",
    "UnsignedInt",
    "Uri",
    "Url",
    "UsageContext",
    "Uuid",
];

/// The elements of a resource at a FHIRPath of this subset; `None` when it is none, or one of another
/// type.
pub(crate) fn elements_at<'a>(resource: Node<'a>, path: &str) -> Option<Vec<Node<'a>>> {
    let expression = Expression::compile(path, resource.resource_type()?).ok()?;
    match expression.evaluate(resource, resource) {
        Outcome::Nodes(nodes) if !expression.paths().is_empty() => Some(nodes),
        Outcome::Nodes(_) | Outcome::Truth(_) => None,
    }
}

impl Expression {
    /// Compiles an expression for a resource type; alternatives of other types are dropped.
    pub(super) fn compile(text: &str, resource_type: ResourceType) -> Result<Self, PathError> {
        // Shared parameters name every type they exist for, in one long union; reading only the
        // alternatives of this type keeps compiling a query cheap.
        let kept: Vec<&str> = top_level_alternatives(text)
            .filter(|part| root_name(part).is_none_or(|root| is_root(root, resource_type)))
            .collect();
        let mut paths = Vec::new();
        for part in &kept {
            let mut parser = Parser { text: part, at: 0, resource_type };
            let expression = parser.expression()?;
            parser.skip_space();
            if parser.at < part.len() {
                return Err(PathError::Syntax { at: parser.at });
            }
            match expression {
                Self::Paths(found) => paths.extend(found),
                whole if kept.len() == 1 => return Ok(whole),
                Self::Exists(_) | Self::Compare { .. } | Self::And(..) => {
                    return Err(PathError::Syntax { at: 0 });
                }
            }
        }
        Ok(Self::Paths(paths))
    }

    /// Evaluates over a node; `resource` is the whole resource it is part of.
    pub(super) fn evaluate<'a>(&self, focus: Node<'a>, resource: Node<'a>) -> Outcome<'a> {
        match self {
            Self::Paths(paths) => Outcome::Nodes(walk_all(paths, focus, resource)),
            Self::Exists(_) | Self::Compare { .. } | Self::And(..) => {
                Outcome::Truth(self.truth(focus, resource))
            }
        }
    }

    fn truth(&self, focus: Node<'_>, resource: Node<'_>) -> bool {
        match self {
            Self::Paths(paths) => walk_all(paths, focus, resource)
                .first()
                .is_some_and(|node| node.as_bool() == Some(true)),
            Self::Exists(paths) => !walk_all(paths, focus, resource).is_empty(),
            Self::Compare { paths, literal, equal } => {
                let found = walk_all(paths, focus, resource);
                !found.is_empty() && found.iter().all(|node| literal.equals(*node)) == *equal
            }
            Self::And(left, right) => left.truth(focus, resource) && right.truth(focus, resource),
        }
    }

    /// The paths, where the expression yields nodes.
    pub(super) fn paths(&self) -> &[Path] {
        match self {
            Self::Paths(paths) => paths,
            Self::Exists(_) | Self::Compare { .. } | Self::And(..) => &[],
        }
    }
}

impl Expression {
    /// Every path that is looked at, conditions included, as names of elements; extensions by that
    /// name.
    pub(super) fn element_paths(&self) -> Vec<Vec<String>> {
        match self {
            Self::Paths(paths) | Self::Exists(paths) | Self::Compare { paths, .. } => {
                paths.iter().flat_map(Path::element_paths).collect()
            }
            Self::And(one, other) => {
                let mut all = one.element_paths();
                all.extend(other.element_paths());
                all
            }
        }
    }
}

impl Path {
    fn element_paths(&self) -> Vec<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for step in &self.steps {
            match step {
                Step::Field(name) => names.push(name.clone()),
                Step::Extension(_) => names.push("extension".to_owned()),
                Step::FieldEquals(name, _) => {
                    let mut beside = names.clone();
                    beside.push(name.clone());
                    all.push(beside);
                }
                Step::As(_) | Step::ResolvesTo(_) | Step::Index(_) => {}
            }
        }
        all.push(names);
        all
    }
}

impl Literal {
    fn equals(&self, node: Node<'_>) -> bool {
        match self {
            Self::Text(text) => node.as_str().is_some_and(|found| found == text.as_str()),
            Self::Boolean(value) => node.as_bool() == Some(*value),
        }
    }
}

impl Path {
    /// The elements the path names, in order.
    pub(super) fn fields(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.steps.iter().filter_map(|step| {
            if let Step::Field(name) = step { Some(name.as_str()) } else { None }
        })
    }

    /// The last element the path names, such as `telecom`.
    pub(super) fn last_field(&self) -> Option<&str> {
        self.fields().next_back()
    }

    /// Whether this path finds every node that the other finds, because it is the same path with
    /// fewer conditions.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let mut own = self.steps.iter().peekable();
        for step in &other.steps {
            if own.peek() == Some(&step) {
                own.next();
            } else if !step.is_condition() {
                return false;
            }
        }
        self.from_resource == other.from_resource && own.peek().is_none()
    }

    fn walk<'a>(&self, focus: Node<'a>, resource: Node<'a>) -> Vec<Node<'a>> {
        let start = if self.from_resource { resource } else { focus };
        let mut nodes = Vec::from([start]);
        for step in &self.steps {
            nodes = step.apply(&nodes, resource);
            if nodes.is_empty() {
                break;
            }
        }
        nodes
    }
}

fn walk_all<'a>(paths: &[Path], focus: Node<'a>, resource: Node<'a>) -> Vec<Node<'a>> {
    let mut found: Vec<Node<'a>> = Vec::new();
    for path in paths {
        let nodes = path.walk(focus, resource);
        if paths.len() == 1 {
            return nodes;
        }
        // A union has no duplicates: a node counts once, however many paths lead to it.
        for node in nodes {
            if !found.iter().any(|seen| seen.index() == node.index()) {
                found.push(node);
            }
        }
    }
    found
}

impl Step {
    fn is_condition(&self) -> bool {
        match self {
            Self::As(_) | Self::ResolvesTo(_) | Self::FieldEquals(..) => true,
            Self::Field(_) | Self::Extension(_) | Self::Index(_) => false,
        }
    }

    fn apply<'a>(&self, nodes: &[Node<'a>], resource: Node<'a>) -> Vec<Node<'a>> {
        match self {
            Self::Field(name) => {
                let mut out = Vec::new();
                for node in nodes {
                    children(*node, name, &mut out);
                }
                out
            }
            Self::As(wanted) => keep(nodes, |node| {
                choice_type(node).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
            }),
            Self::ResolvesTo(wanted) => {
                keep(nodes, |node| reference::target_type(node, resource) == Some(*wanted))
            }
            Self::FieldEquals(name, text) => keep(nodes, |node| {
                node.get(name).and_then(Node::as_str).is_some_and(|found| found == text.as_str())
            }),
            Self::Extension(url) => nodes
                .iter()
                .filter_map(|node| node.get("extension"))
                .flat_map(Node::items_or_self)
                .filter(|item| item.string_at(&["url"]).is_some_and(|found| found == url.as_str()))
                .collect(),
            Self::Index(position) => nodes.get(*position).copied().into_iter().collect(),
        }
    }
}

fn keep<'a>(nodes: &[Node<'a>], wanted: impl Fn(Node<'a>) -> bool) -> Vec<Node<'a>> {
    nodes.iter().copied().filter(|node| wanted(*node)).collect()
}

fn children<'a>(node: Node<'a>, name: &str, out: &mut Vec<Node<'a>>) {
    if node.kind() != Kind::Object {
        return;
    }
    if let Some(child) = node.get(name) {
        out.extend(child.items_or_self().filter(|item| !item.is_null()));
        return;
    }
    // A choice element is asked for by its stem, `value`, and written with its type,
    // `valueQuantity`.
    let choice = node.entries().find(|(key, _)| {
        key.strip_prefix(name).is_some_and(|suffix| CHOICE_TYPES.binary_search(&suffix).is_ok())
    });
    if let Some((_, child)) = choice {
        out.extend(child.items_or_self().filter(|item| !item.is_null()));
    }
}

/// The type that the key of a choice element ends in.
pub(super) fn choice_type(node: Node<'_>) -> Option<&'static str> {
    let key = node.key().or_else(|| node.parent().and_then(Node::key))?;
    // The longest name wins: `valueCodeableConcept` does not end in a type `Concept`, but
    // `valueDateTime` ends in `Time` as well.
    CHOICE_TYPES
        .iter()
        .copied()
        .filter(|name| key.len() > name.len() && key.ends_with(name))
        .max_by_key(|name| name.len())
}

fn is_root(name: &str, resource_type: ResourceType) -> bool {
    name == resource_type.as_str() || name == "Resource" || name == "DomainResource"
}

/// The type a path starts from, if it starts from a type.
fn root_name(part: &str) -> Option<&str> {
    let part = part.trim_start_matches([' ', '(', '\n', '\r', '\t']);
    let end = part.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(part.len());
    part.get(..end).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn top_level_alternatives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == '|' && depth == 0
    })
    .filter(|part| !part.trim().is_empty())
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    resource_type: ResourceType,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn fail<T>(&self) -> Result<T, PathError> {
        Err(PathError::Syntax { at: self.at })
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), PathError> {
        if self.eat(token) { Ok(()) } else { self.fail() }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.skip_space();
        let follows = self.rest().strip_prefix(word).is_some_and(|after| {
            !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '(')
        });
        if follows {
            self.at += word.len();
        }
        follows
    }

    fn name(&mut self) -> Result<&'t str, PathError> {
        self.skip_space();
        let rest = self.rest();
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        match rest.get(..end).filter(|name| !name.is_empty()) {
            Some(name) => {
                self.at += end;
                Ok(name)
            }
            None => self.fail(),
        }
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        self.expect("'")?;
        let Some(end) = self.rest().find('\'') else { return self.fail() };
        let text = self.rest().get(..end).unwrap_or("");
        if text.contains('\\') {
            return self.fail();
        }
        self.at += end + 1;
        Ok(text.to_owned())
    }

    fn expression(&mut self) -> Result<Expression, PathError> {
        let mut left = self.comparison()?;
        while self.eat_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expression, PathError> {
        let left = self.union()?;
        let equal = if self.eat("!=") {
            false
        } else if self.eat("=") {
            true
        } else {
            return Ok(left);
        };
        let Expression::Paths(paths) = left else { return self.fail() };
        let literal = if self.eat_word("true") {
            Literal::Boolean(true)
        } else if self.eat_word("false") {
            Literal::Boolean(false)
        } else {
            Literal::Text(self.quoted()?)
        };
        Ok(Expression::Compare { paths, literal, equal })
    }

    fn union(&mut self) -> Result<Expression, PathError> {
        let mut left = self.typed()?;
        while self.eat("|") {
            let right = self.typed()?;
            match (&mut left, right) {
                (Expression::Paths(paths), Expression::Paths(more)) => paths.extend(more),
                _ => return self.fail(),
            }
        }
        Ok(left)
    }

    fn typed(&mut self) -> Result<Expression, PathError> {
        let mut inner = self.chain()?;
        if self.eat_word("as") {
            let wanted = self.name()?.to_owned();
            self.append(&mut inner, &Step::As(wanted))?;
        }
        Ok(inner)
    }

    fn append(&self, expression: &mut Expression, step: &Step) -> Result<(), PathError> {
        let Expression::Paths(paths) = expression else { return self.fail() };
        for path in paths {
            path.steps.push(step.clone());
        }
        Ok(())
    }

    fn chain(&mut self) -> Result<Expression, PathError> {
        let mut inner = if self.eat("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            inner
        } else if self.eat("%resource") {
            Expression::Paths(Vec::from([Path { from_resource: true, steps: Vec::new() }]))
        } else {
            self.root()?
        };
        loop {
            if self.eat("[") {
                let Ok(position) = self.name()?.parse() else { return self.fail() };
                self.expect("]")?;
                self.append(&mut inner, &Step::Index(position))?;
            } else if self.eat(".") {
                let start = self.at;
                let name = self.name()?;
                if self.eat("(") {
                    inner = self.function(name, inner, start)?;
                    self.expect(")")?;
                } else {
                    self.append(&mut inner, &Step::Field(name.to_owned()))?;
                }
            } else {
                return Ok(inner);
            }
        }
    }

    fn root(&mut self) -> Result<Expression, PathError> {
        let name = self.name()?;
        let mut steps = Vec::new();
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            if !is_root(name, self.resource_type) {
                return self.fail();
            }
        } else {
            steps.push(Step::Field(name.to_owned()));
        }
        Ok(Expression::Paths(Vec::from([Path { from_resource: false, steps }])))
    }

    fn function(
        &mut self,
        name: &str,
        mut inner: Expression,
        start: usize,
    ) -> Result<Expression, PathError> {
        let step = match name {
            "exists" => {
                let Expression::Paths(paths) = inner else { return self.fail() };
                return Ok(Expression::Exists(paths));
            }
            "as" | "ofType" => Step::As(self.name()?.to_owned()),
            "extension" => Step::Extension(self.quoted()?),
            "first" => Step::Index(0),
            "where" => self.condition()?,
            _ => return Err(PathError::Function { at: start }),
        };
        self.append(&mut inner, &step)?;
        Ok(inner)
    }

    fn condition(&mut self) -> Result<Step, PathError> {
        if self.eat("resolve()") {
            if !self.eat_word("is") {
                return self.fail();
            }
            let Ok(wanted) = ResourceType::from_str(self.name()?) else { return self.fail() };
            return Ok(Step::ResolvesTo(wanted));
        }
        let field = self.name()?.to_owned();
        self.expect("=")?;
        Ok(Step::FieldEquals(field, self.quoted()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;

    fn found(expression: &str, json: &str) -> Vec<String> {
        let doc = Doc::parse(json.as_bytes().to_vec()).unwrap();
        let root = doc.root();
        let resource_type = root.resource_type().unwrap();
        match Expression::compile(expression, resource_type).unwrap().evaluate(root, root) {
            Outcome::Nodes(nodes) => nodes.iter().map(|n| n.raw_text().to_owned()).collect(),
            Outcome::Truth(truth) => Vec::from([alloc::format!("{truth}")]),
        }
    }

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o",
        "subject":{"reference":"Patient/1"},"focus":[{"reference":"Device/2"}],
        "valueQuantity":{"value":7.20},"statusReason":"x",
        "component":[{"valueString":"a"},{"valueQuantity":{"value":1}}]}"#;

    #[test]
    fn a_choice_is_found_by_its_stem_and_type() {
        assert_eq!(found("Observation.value", OBSERVATION), [r#"{"value":7.20}"#]);
        assert_eq!(found("(Observation.value as Quantity).value", OBSERVATION), ["7.20"]);
        assert!(found("(Observation.value as string)", OBSERVATION).is_empty());
        assert_eq!(found("Observation.component.value.as(string)", OBSERVATION), [r#""a""#]);
        assert!(found("Observation.status", OBSERVATION).is_empty());
    }

    #[test]
    fn alternatives_of_other_types_are_dropped() {
        assert_eq!(
            found("Patient.id | Observation.id | (Group.x as Reference)", OBSERVATION),
            [r#""o""#]
        );
    }

    #[test]
    fn references_are_told_apart_by_type() {
        assert_eq!(
            found("Observation.subject.where(resolve() is Patient).reference", OBSERVATION),
            [r#""Patient/1""#]
        );
        assert!(found("Observation.focus.where(resolve() is Patient)", OBSERVATION).is_empty());
    }

    #[test]
    fn the_two_sides_of_deceased_are_told_apart() {
        let rule = "Patient.deceased.exists() and Patient.deceased != false";
        for (json, truth) in [
            (r#"{"resourceType":"Patient"}"#, "false"),
            (r#"{"resourceType":"Patient","deceasedBoolean":false}"#, "false"),
            (r#"{"resourceType":"Patient","deceasedBoolean":true}"#, "true"),
            (r#"{"resourceType":"Patient","deceasedDateTime":"2020"}"#, "true"),
        ] {
            assert_eq!(found(rule, json), [truth], "{json}");
        }
    }

    #[test]
    fn what_is_outside_the_subset_is_refused() {
        let compile = |text| Expression::compile(text, ResourceType::PATIENT);
        assert!(matches!(compile("Patient.name.select(x)"), Err(PathError::Function { .. })));
        for text in ["Patient.", "Patient.name)", "Patient.name + 1", "Patient.x.where(y > 1)"] {
            assert!(matches!(compile(text), Err(PathError::Syntax { .. })), "{text}");
        }
    }
}
