//! What of a record is not shown for a purpose: the rules that come with this release, or those of
//! the organisation in their place (TOML), read into values or refused with everything that is wrong.
//!
//! How elements are taken out is `proviso-fhir`'s; that the rules are applied to all that leaves is
//! the gateway's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proviso_core::category::{PurposeOfUse, SensitiveKind, SensitiveSet};
use proviso_core::decision::{AccessPlan, Way};
use proviso_core::id::hex;
use proviso_core::resource_type::ResourceType;
use proviso_fhir::redact::{DataType, ElementPath, ElementRule, Elements, PathError, Redactions};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use toml::Spanned;

/// LIMIT: a larger file is no list that people look after.
const BYTES_MAX: usize = 1024 * 1024;
const SHIPPED: &str = include_str!("../redaction/minimum-necessary.toml");
/// Every type.
const EVERY: &str = "*";

/// What the rules take out for whom, named by their text.
#[derive(Debug, Clone)]
pub struct RedactionSet {
    name: String,
    version: String,
    by_asking: BTreeMap<(Who, PurposeOfUse), Arc<Redactions>>,
    nothing: Arc<Redactions>,
}

/// Who is shown less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Who {
    /// Staff, in declared emergencies too.
    Staff,
    /// Services.
    Service,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedactionFault {
    /// It cannot be read.
    #[error("cannot read `{path}`: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is larger than is read.
    #[error("the file is larger than {BYTES_MAX} bytes")]
    TooLarge,
    /// It is no TOML, or has a key or a value that means nothing here.
    #[error("{0}")]
    NotToml(String),
    /// Something in a rule is wrong.
    #[error("line {line}, `{rule}`: {problem}")]
    Rule {
        /// The line, counting from 1.
        line: usize,
        /// The id of the rule.
        rule: String,
        /// What is wrong.
        problem: RuleProblem,
    },
}

/// What can be wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleProblem {
    /// Another rule has the same id, or it has none.
    #[error("every rule has an id of its own")]
    Id,
    /// It is for nobody or takes nothing out.
    #[error("a rule names purposes, types, elements or data types, and whom it is for")]
    Empty,
    /// No such purpose is known.
    #[error("the purpose `{0}` is not known")]
    UnknownPurpose(String),
    /// No such resource type is known.
    #[error("`{0}` is no resource type of FHIR R4")]
    UnknownType(String),
    /// No such sensitive kind is known.
    #[error("the kind `{0}` is not known")]
    UnknownKind(String),
    /// The element cannot be taken out.
    #[error(transparent)]
    Element(#[from] PathError),
    /// No type has the element.
    #[error("no type has an element `{0}` that can be taken out")]
    NowhereElement(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    name: String,
    #[serde(default, rename = "rule")]
    rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText {
    id: Spanned<String>,
    purposes: Vec<String>,
    #[serde(default = "everybody")]
    access: Vec<Who>,
    types: Vec<String>,
    #[serde(default)]
    elements: Vec<String>,
    #[serde(default, rename = "data-types")]
    data_types: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
}

fn everybody() -> Vec<Who> {
    vec![Who::Staff, Who::Service]
}

/// The types of a rule, each with the elements that it has.
type Named = Vec<(ResourceType, Elements)>;

fn known_type(name: &str) -> Result<ResourceType, RuleProblem> {
    name.parse().map_err(|_| RuleProblem::UnknownType(name.to_owned()))
}

impl RuleText {
    fn purposes(&self) -> Result<BTreeSet<PurposeOfUse>, RuleProblem> {
        let known = |code: &String| {
            let found = PurposeOfUse::ALL.iter().copied().find(|own| own.code() == code);
            found.ok_or_else(|| RuleProblem::UnknownPurpose(code.clone()))
        };
        self.purposes.iter().map(known).collect()
    }

    fn kinds(&self) -> Result<Option<SensitiveSet>, RuleProblem> {
        let known = |code: &String| {
            let found = SensitiveKind::ALL.iter().copied().find(|own| own.code() == code);
            found.ok_or_else(|| RuleProblem::UnknownKind(code.clone()))
        };
        let kinds = self.kinds.iter().map(known).collect::<Result<SensitiveSet, _>>()?;
        Ok((!kinds.is_empty()).then_some(kinds))
    }

    /// Of every type only those that have the element; of a named one it has to be there.
    fn named(&self) -> Result<Named, RuleProblem> {
        let mut named = Named::new();
        for element in &self.elements {
            if self.types.iter().any(|name| name == EVERY) {
                let before = named.len();
                named.extend(ResourceType::all().filter_map(|own| {
                    ElementPath::parse(own, element).ok().map(|path| (own, Elements::At(path)))
                }));
                if named.len() == before {
                    return Err(RuleProblem::NowhereElement(element.clone()));
                }
                continue;
            }
            for name in &self.types {
                let own = known_type(name)?;
                named.push((own, Elements::At(ElementPath::parse(own, element)?)));
            }
        }
        for name in &self.data_types {
            let hidden = Elements::OfType(DataType::parse(name)?);
            if self.types.iter().any(|name| name == EVERY) {
                named.extend(ResourceType::all().map(|own| (own, hidden.clone())));
                continue;
            }
            for name in &self.types {
                named.push((known_type(name)?, hidden.clone()));
            }
        }
        Ok(named)
    }
}

impl RedactionSet {
    /// The rules that come with this release.
    pub fn shipped() -> Self {
        // A test reads them. Were they not sound, as much as can be would go for every purpose.
        Self::parse(SHIPPED).unwrap_or_else(|_| Self::most())
    }

    /// Everything that can go by its type, from every record, for every purpose.
    fn most() -> Self {
        let rule = |hidden| ElementRule { elements: Elements::OfType(hidden), kinds: None };
        let of_type = |own| DataType::all().map(move |hidden| (own, rule(hidden)));
        let all: Arc<Redactions> = Arc::new(ResourceType::all().flat_map(of_type).collect());
        let purposes = |who| PurposeOfUse::ALL.iter().map(move |purpose| (who, *purpose));
        let asking = [Who::Staff, Who::Service].into_iter().flat_map(purposes);
        Self {
            name: String::new(),
            version: "most".to_owned(),
            by_asking: asking.map(|asking| (asking, Arc::clone(&all))).collect(),
            nothing: Arc::default(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// It cannot be read, or everything that is wrong in it.
    pub fn load(path: &Path) -> Result<Self, Vec<RedactionFault>> {
        let text = std::fs::read_to_string(path).map_err(|why| {
            vec![RedactionFault::Unreadable { path: path.to_owned(), why: why.to_string() }]
        })?;
        Self::parse(&text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Everything that is wrong in it.
    pub fn parse(text: &str) -> Result<Self, Vec<RedactionFault>> {
        if text.len() > BYTES_MAX {
            return Err(vec![RedactionFault::TooLarge]);
        }
        let file: FileText = toml::from_str(text)
            .map_err(|error| vec![RedactionFault::NotToml(error.to_string())])?;
        let mut faults = Vec::new();
        let mut ids = BTreeSet::new();
        let mut all: BTreeMap<(Who, PurposeOfUse), Vec<(ResourceType, ElementRule)>> =
            BTreeMap::new();
        for rule in &file.rules {
            let id = rule.id.get_ref();
            let start = text.get(..rule.id.span().start).unwrap_or(text);
            let line = start.matches('\n').count() + 1;
            let is_new = !id.trim().is_empty() && ids.insert(id.clone());
            match checked(rule, is_new) {
                Ok((purposes, named)) => {
                    for who in &rule.access {
                        for purpose in &purposes {
                            all.entry((*who, *purpose)).or_default().extend(named.clone());
                        }
                    }
                }
                Err(problem) => {
                    faults.push(RedactionFault::Rule { line, rule: id.clone(), problem });
                }
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let by_asking = all
            .into_iter()
            .map(|(asking, rules)| (asking, Arc::new(rules.into_iter().collect())))
            .collect();
        let version = hex(&Sha256::digest(text.as_bytes()));
        Ok(Self { name: file.name, version, by_asking, nothing: Arc::default() })
    }

    /// What is taken out of what somebody sees by a plan.
    pub fn for_plan(&self, plan: &AccessPlan) -> Arc<Redactions> {
        self.for_asking(plan.way, plan.purpose)
    }

    /// The same by which of the ways that never meet somebody asks, and what for.
    pub fn for_asking(&self, way: Way, purpose: PurposeOfUse) -> Arc<Redactions> {
        let who = match way {
            Way::Staff | Way::Emergency => Who::Staff,
            Way::Service => Who::Service,
            Way::App | Way::Portal => return Arc::clone(&self.nothing),
        };
        Arc::clone(self.by_asking.get(&(who, purpose)).unwrap_or(&self.nothing))
    }

    /// What the organisation calls the rules.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of their text, hex.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// What a rule says, or what is wrong with it.
#[expect(clippy::type_complexity, reason = "used once")]
fn checked(
    rule: &RuleText,
    is_new: bool,
) -> Result<(BTreeSet<PurposeOfUse>, Vec<(ResourceType, ElementRule)>), RuleProblem> {
    if !is_new {
        return Err(RuleProblem::Id);
    }
    let purposes = rule.purposes()?;
    let kinds = rule.kinds()?;
    let named = rule.named()?;
    if purposes.is_empty() || named.is_empty() || rule.access.is_empty() {
        return Err(RuleProblem::Empty);
    }
    let rules = named.into_iter().map(|(own, elements)| (own, ElementRule { elements, kinds }));
    Ok((purposes, rules.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let faults = RedactionSet::parse(text).unwrap_err();
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn rule(lines: &str) -> String {
        format!("name = \"own\"\n[[rule]]\nid = \"one\"\n{lines}")
    }

    #[test]
    fn the_shipped_rules_are_sound_and_for_payment_and_research_alone() {
        let set = RedactionSet::parse(SHIPPED).unwrap();
        assert_eq!(RedactionSet::shipped().version(), set.version());
        for who in [Who::Staff, Who::Service] {
            for purpose in PurposeOfUse::ALL {
                let named = set.by_asking.contains_key(&(who, *purpose));
                let expected = matches!(purpose, PurposeOfUse::Payment | PurposeOfUse::Research);
                assert_eq!(named, expected, "{who:?} {purpose:?}");
            }
        }
        let research = &set.by_asking[&(Who::Staff, PurposeOfUse::Research)];
        for (of, code, hides) in [
            ("Patient", "name", true),
            ("Patient", "identifier", true),
            ("Patient", "birthdate", false),
            ("Patient", "address-postalcode", false),
            ("Observation", "identifier", true),
            ("Observation", "code", false),
        ] {
            assert_eq!(research.hides(of.parse().unwrap(), code), hides, "{of} {code}");
        }
        let payment = &set.by_asking[&(Who::Staff, PurposeOfUse::Payment)];
        assert!(!payment.hides(ResourceType::PATIENT, "name"));
        assert!(payment.covers(ResourceType::PATIENT), "the narrative goes");
    }

    #[test]
    fn without_sound_rules_everything_goes_that_can() {
        let set = RedactionSet::most();
        for way in [Way::Staff, Way::Service, Way::Emergency] {
            for purpose in PurposeOfUse::ALL {
                let rules = set.for_asking(way, *purpose);
                assert!(rules.hides(ResourceType::PATIENT, "name"), "{way:?} {purpose:?}");
                assert!(rules.covers(ResourceType::OBSERVATION));
            }
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let sound = "purposes = [\"HPAYMT\"]\ntypes = [\"Patient\"]\nelements = [\"name\"]";
        RedactionSet::parse(&rule(sound)).unwrap();
        RedactionSet::parse("name = \"none\"").unwrap();
        for (from, to, said) in [
            ("HPAYMT", "PAY", "line 3, `one`: the purpose `PAY` is not known"),
            ("\"HPAYMT\"", "", "names purposes, types, elements or data types"),
            ("Patient", "Person2", "`Person2` is no resource type"),
            ("\"name\"", "\"nom\"", "there is no element `nom` in Patient"),
            ("\"name\"", "\"meta\"", "stays"),
            ("\"name\"", "", "names purposes, types, elements or data types"),
            ("\"Patient\"", "\"*\"", ""),
        ] {
            let text = rule(&sound.replace(from, to));
            if said.is_empty() {
                RedactionSet::parse(&text).unwrap();
            } else {
                assert!(problem(&text).contains(said), "{}", problem(&text));
            }
        }
        let everywhere = rule(&sound.replace("Patient", "*").replace("\"name\"", "\"nom\""));
        assert!(problem(&everywhere).contains("no type has an element `nom`"));
        let kinds = rule(&format!("{sound}\nkinds = [\"secret\"]"));
        assert!(problem(&kinds).contains("the kind `secret` is not known"));
        let twice = format!("{}\n[[rule]]\nid = \"one\"\n{sound}", rule(sound));
        assert!(problem(&twice).contains("line 8, `one`: every rule has an id of its own"));
        assert!(problem("name = 1").contains("invalid type"));
        assert!(problem("name = \"a\"\nrules = []").contains("unknown field"));
        assert_eq!(problem(&"#".repeat(BYTES_MAX + 1)), "the file is larger than 1048576 bytes");
    }

    #[test]
    fn patients_and_their_apps_see_records_whole() {
        let set = RedactionSet::shipped();
        for way in [Way::App, Way::Portal, Way::Staff, Way::Service, Way::Emergency] {
            let less = matches!(way, Way::Staff | Way::Service | Way::Emergency);
            let rules = set.for_asking(way, PurposeOfUse::Research);
            assert_eq!(!rules.is_empty(), less, "{way:?}");
            assert!(set.for_asking(way, PurposeOfUse::Treatment).is_empty());
        }
    }
}
