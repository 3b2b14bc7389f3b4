//! The query as a tree, parsed strictly and matched exactly.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use proviso_core::id::ResourceId;
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use super::control::Controls;
use super::error::SearchError;
use super::everything::Within;
use super::filter::{FILTER, Tree};
use super::form::{escape, pairs, split_unescaped};
use super::lookup::{Found, Lookup, LookupKind, hierarchical};
use super::param::{Param, ParamType};
use super::predicate::{Modifier, Test};
use super::reference::Target;
use super::value::{SearchValue, reference_value, values};
use super::{ALTERNATIVES_MAX, DEPTH_MAX, PARAMETERS_MAX};
use crate::json::Node;
use crate::spec;

/// What a query depends on besides its text.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Our own FHIR base URL, without a slash at the end.
    pub own_base: &'a str,
    /// The instant of the request, for `ap` on dates.
    pub at: At,
}

/// Where a search looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// In one type.
    Type(ResourceType),
    /// In every type, or those that `_type` names.
    System,
    /// In the compartment of one resource, and there in one type or in all.
    Compartment {
        /// What kind of compartment; only `Patient` is supported.
        owner_type: ResourceType,
        /// Whose.
        owner: ResourceId,
        /// The type, or all of the compartment's.
        resource_type: Option<ResourceType>,
    },
}

/// A resource by type and id.
pub type ResourceKey = (ResourceType, ResourceId);

/// The answers to the joins and lookups of a query, in their order.
///
/// Without an answer nothing matches that needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// To the joins.
    pub keys: Vec<BTreeSet<ResourceKey>>,
    /// To the lookups.
    pub found: Vec<Found>,
}

impl Joined {
    /// The answers to some of the lookups; `None` where one of them has none.
    pub(super) fn answers(&self, lookups: &[usize]) -> Option<Vec<&Found>> {
        lookups.iter().map(|lookup| self.found.get(*lookup)).collect()
    }
}

/// A search, ready to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Where it looks.
    pub scope: SearchScope,
    /// Which types it can find.
    pub types: Vec<ResourceType>,
    /// What must hold; all of them.
    pub filters: Vec<Filter>,
    /// Chains and `_has`, to be answered before the query is matched.
    pub joins: Vec<Join>,
    /// Value sets, code systems and hierarchies, to be looked up before the query is matched.
    pub lookups: Vec<Lookup>,
    /// How the answer is laid out.
    pub controls: Controls,
    pub(super) compartment: Vec<(ResourceType, Vec<Param>)>,
    pub(super) own_base: String,
    pub(super) within: Option<Within>,
}

/// One parameter of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Its name as asked, with modifiers and chains.
    pub name: String,
    /// The parameter, for each type the query can find.
    pub params: Vec<(ResourceType, Param)>,
    pub(super) kind: FilterKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum FilterKind {
    /// `:missing`
    Missing(bool),
    /// At least one alternative holds for at least one value.
    Any(Vec<Test>),
    /// `:not`: no alternative holds for any value.
    NoneOf(Vec<Test>),
    /// `:in`, `:above` and `:below`: at least one value is in what one of the lookups found.
    Within(Vec<usize>),
    /// `:not-in`: there is a value, and none is in what any of the lookups found.
    Outside(Vec<usize>),
    /// `ni` of a filter expression: no value is in what any of the lookups found.
    NotWithin(Vec<usize>),
    /// `ne` of a filter expression: there is a value for which no alternative holds.
    SomeOther(Vec<Test>),
    /// `_filter`
    Tree(Tree),
    /// The parameter leads to an answer of the join.
    Chain(usize),
    /// The resource itself is an answer of the join.
    Has(usize),
}

/// A part of a query that looks at other resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// The parameter as asked.
    pub name: String,
    /// What is collected from the resources that the inner queries find.
    pub kind: JoinKind,
    /// The searches to run, over the same view as the query itself.
    pub queries: Vec<Query>,
}

/// What a join collects.
#[derive(Debug, Clone, PartialEq)]
pub enum JoinKind {
    /// A chain: the found resources themselves.
    Found,
    /// `_has`: what this reference parameter of the found resources leads to.
    Referenced(Param),
    /// `_list`: what the entries of the found Lists lead to.
    Listed,
}

impl Query {
    /// Parses a search from the query string and, for `POST _search`, the form body as well:
    /// every parameter of both must hold.
    ///
    /// # Errors
    /// Anything that is unknown, unsupported, malformed or beyond the limits, by name.
    pub fn parse(
        context: &Context<'_>,
        scope: SearchScope,
        parts: &[&str],
    ) -> Result<Self, SearchError> {
        let mut asked = Vec::new();
        for part in parts {
            asked.extend(pairs(part).ok_or(SearchError::Encoding)?);
        }
        Self::of_pairs(context, scope, &asked)
    }

    pub(super) fn of_pairs(
        context: &Context<'_>,
        scope: SearchScope,
        asked: &[(String, String)],
    ) -> Result<Self, SearchError> {
        if asked.len() > PARAMETERS_MAX {
            return Err(SearchError::TooManyParameters);
        }
        let mut query = Self {
            types: Vec::new(),
            compartment: compartment_params(&scope)?,
            scope,
            filters: Vec::new(),
            joins: Vec::new(),
            lookups: Vec::new(),
            controls: Controls::default(),
            own_base: context.own_base.to_owned(),
            within: None,
        };
        query.types = query.types_of(asked)?;
        for (name, value) in asked {
            if name == "_type" && query.takes_types() {
                continue;
            }
            if !query.controls.take(&query.types, name, value)? {
                query.add_filter(context, name, value, DEPTH_MAX)?;
            }
        }
        query.controls.check()?;
        Ok(query)
    }

    fn takes_types(&self) -> bool {
        matches!(
            self.scope,
            SearchScope::System | SearchScope::Compartment { resource_type: None, .. }
        )
    }

    fn types_of(&self, asked: &[(String, String)]) -> Result<Vec<ResourceType>, SearchError> {
        let all: Vec<ResourceType> = match &self.scope {
            SearchScope::Type(resource_type)
            | SearchScope::Compartment { resource_type: Some(resource_type), .. } => {
                return Ok(Vec::from([*resource_type]));
            }
            SearchScope::System => ResourceType::all().collect(),
            SearchScope::Compartment { .. } => self.compartment.iter().map(|(t, _)| *t).collect(),
        };
        let mut named = asked.iter().filter(|(name, _)| name == "_type").map(|(_, value)| value);
        let Some(value) = named.next() else { return Ok(all) };
        let parameter = || "_type".to_owned();
        if named.next().is_some() {
            return Err(SearchError::Repeated { parameter: parameter() });
        }
        let mut types = Vec::new();
        for name in value.split(',') {
            let found = ResourceType::from_str(name).map_err(|_| SearchError::BadValue {
                parameter: parameter(),
                expected: "a list of resource types",
            })?;
            if all.contains(&found) && !types.contains(&found) {
                types.push(found);
            }
        }
        // Answers come in the order of types, which pages rely on.
        types.sort_unstable();
        Ok(types)
    }

    /// A query of one filter over one type: what is behind a chain or `_has`.
    fn inner(
        context: &Context<'_>,
        resource_type: ResourceType,
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<Self, SearchError> {
        let mut query = Self::empty(context, resource_type);
        query.add_filter(context, name, value, depth)?;
        Ok(query)
    }

    /// A query for all of one type.
    pub(super) fn empty(context: &Context<'_>, resource_type: ResourceType) -> Self {
        Self {
            scope: SearchScope::Type(resource_type),
            types: Vec::from([resource_type]),
            filters: Vec::new(),
            joins: Vec::new(),
            lookups: Vec::new(),
            controls: Controls::default(),
            compartment: Vec::new(),
            own_base: context.own_base.to_owned(),
            within: None,
        }
    }

    fn add_filter(
        &mut self,
        context: &Context<'_>,
        name: &str,
        value: &str,
        depth: usize,
    ) -> Result<(), SearchError> {
        let filter = if let Some(rest) = name.strip_prefix("_has:") {
            self.has(context, name, rest, value, depth)?
        } else if name == LIST {
            self.list(context, value)?
        } else if name == FILTER {
            let kind = FilterKind::Tree(Tree::parse(self, context, value)?);
            Filter { name: FILTER.to_owned(), params: Vec::new(), kind }
        } else if let Some((head, tail)) = name.split_once('.') {
            // FHIR R4 search.html#chaining: `subject:Patient.name=…`.
            self.chained(name, head, depth, &|resource_type, depth| {
                Self::inner(context, resource_type, tail, value, depth)
            })?
        } else {
            self.plain(context, name, value)?
        };
        self.filters.push(filter);
        Ok(())
    }

    /// The parameter for each type, all of the same kind.
    pub(super) fn params(
        &self,
        name: &str,
        code: &str,
    ) -> Result<Vec<(ResourceType, Param)>, SearchError> {
        if UNSUPPORTED.contains(&code) {
            return Err(SearchError::Unsupported { parameter: code.to_owned() });
        }
        let unknown = || SearchError::UnknownParameter { parameter: name.to_owned() };
        let mut params: Vec<(ResourceType, Param)> = Vec::new();
        for resource_type in &self.types {
            let param = Param::find(*resource_type, code).ok_or_else(unknown)?;
            if params.first().is_some_and(|(_, first)| first.kind != param.kind) {
                return Err(unknown());
            }
            params.push((*resource_type, param));
        }
        if params.is_empty() && spec::common_search_params().iter().all(|param| param.code != code)
        {
            return Err(unknown());
        }
        Ok(params)
    }

    fn plain(
        &mut self,
        context: &Context<'_>,
        name: &str,
        value: &str,
    ) -> Result<Filter, SearchError> {
        let (code, suffix) = match name.split_once(':') {
            Some((code, suffix)) => (code, Some(suffix)),
            None => (name, None),
        };
        let params = self.params(name, code)?;
        let Some((_, param)) = params.first() else {
            // `_type` left no type to look in: nothing can match.
            return Ok(Filter { name: name.to_owned(), params, kind: FilterKind::Any(Vec::new()) });
        };
        let bad = |expected| SearchError::BadValue { parameter: name.to_owned(), expected };
        if suffix == Some("missing") && param.kind != ParamType::Composite {
            let missing = match value {
                "true" => true,
                "false" => false,
                _ => return Err(bad("`true` or `false`")),
            };
            return Ok(Filter {
                name: name.to_owned(),
                params,
                kind: FilterKind::Missing(missing),
            });
        }
        let negated = suffix == Some("not") && param.kind == ParamType::Token;
        let modifier = match suffix {
            None => Modifier::Plain,
            Some(_) if negated => Modifier::Plain,
            Some(suffix) => modifier(param, code, suffix)?,
        };
        let alternatives = split_unescaped(value, ',');
        if alternatives.len() > ALTERNATIVES_MAX {
            return Err(SearchError::TooManyValues { parameter: name.to_owned() });
        }
        if LookupKind::is_asked(param, modifier) {
            let asked = alternatives
                .iter()
                .map(|text| LookupKind::parse(param, modifier, text, context.own_base))
                .collect::<Result<Vec<_>, _>>()
                .map_err(bad)?;
            let first = self.lookups.len();
            let name = name.to_owned();
            let asked = asked.into_iter().flatten();
            self.lookups.extend(asked.map(|kind| Lookup { name: name.clone(), kind }));
            let own = (first..self.lookups.len()).collect();
            let kind = if modifier == Modifier::NotIn {
                FilterKind::Outside(own)
            } else {
                FilterKind::Within(own)
            };
            return Ok(Filter { name, params, kind });
        }
        let tests = alternatives
            .iter()
            .map(|text| Test::parse(param, modifier, text, context.own_base, context.at))
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad)?;
        let kind = if negated { FilterKind::NoneOf(tests) } else { FilterKind::Any(tests) };
        Ok(Filter { name: name.to_owned(), params, kind })
    }

    /// A filter by what a reference leads to: `head` is the reference parameter, with a type if one
    /// is asked for, and `inner` the query behind it.
    pub(super) fn chained(
        &mut self,
        name: &str,
        head: &str,
        depth: usize,
        inner: &dyn Fn(ResourceType, usize) -> Result<Self, SearchError>,
    ) -> Result<Filter, SearchError> {
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| SearchError::TooDeep { parameter: name.to_owned() })?;
        let (code, wanted) = match head.split_once(':') {
            Some((code, type_name)) => {
                let wanted = ResourceType::from_str(type_name).map_err(|_| {
                    SearchError::UnknownModifier {
                        parameter: code.to_owned(),
                        modifier: type_name.to_owned(),
                    }
                })?;
                (code, Some(wanted))
            }
            None => (head, None),
        };
        let params = self.params(name, code)?;
        let mut targets: BTreeSet<ResourceType> = BTreeSet::new();
        for (_, param) in &params {
            let known = param.targets.iter().copied().filter(|_| wanted.is_none());
            targets.extend(known.chain(wanted).filter(|target| param.may_target(*target)));
        }
        let mut queries = Vec::new();
        let mut failure = None;
        for target in targets {
            // Without a type in the chain, each target type that has the last parameter counts.
            match inner(target, depth) {
                Ok(query) => queries.push(query),
                Err(error) => {
                    let unknown = matches!(
                        error,
                        SearchError::UnknownParameter { .. } | SearchError::NoChainTarget { .. }
                    );
                    if !unknown {
                        return Err(error);
                    }
                    failure = Some(error);
                }
            }
        }
        if queries.is_empty() {
            let parameter = name.to_owned();
            return Err(match failure {
                Some(error) if wanted.is_some() => error,
                _ => SearchError::NoChainTarget { parameter },
            });
        }
        self.joins.push(Join { name: name.to_owned(), kind: JoinKind::Found, queries });
        let kind = FilterKind::Chain(self.joins.len() - 1);
        Ok(Filter { name: name.to_owned(), params, kind })
    }

    /// FHIR R4 search.html#has: `_has:Observation:patient:code=…`.
    fn has(
        &mut self,
        context: &Context<'_>,
        name: &str,
        rest: &str,
        value: &str,
        depth: usize,
    ) -> Result<Filter, SearchError> {
        let unknown = || SearchError::UnknownParameter { parameter: name.to_owned() };
        let depth = depth
            .checked_sub(1)
            .ok_or_else(|| SearchError::TooDeep { parameter: name.to_owned() })?;
        let (source, rest) = rest.split_once(':').ok_or_else(unknown)?;
        let (code, tail) = rest.split_once(':').ok_or_else(unknown)?;
        let source = ResourceType::from_str(source).map_err(|_| unknown())?;
        let link = Param::find(source, code).ok_or_else(unknown)?;
        if !self.types.iter().any(|own| link.may_target(*own)) {
            return Err(unknown());
        }
        let query = Self::inner(context, source, tail, value, depth)?;
        self.joins.push(Join {
            name: name.to_owned(),
            kind: JoinKind::Referenced(link),
            queries: Vec::from([query]),
        });
        let kind = FilterKind::Has(self.joins.len() - 1);
        Ok(Filter { name: name.to_owned(), params: Vec::new(), kind })
    }

    /// FHIR R4 search.html#list: what the entries of a List refer to. Lists by function, such as
    /// `$current-problems`, are not offered: nobody keeps them here.
    fn list(&mut self, context: &Context<'_>, value: &str) -> Result<Filter, SearchError> {
        let alternatives = split_unescaped(value, ',');
        if alternatives.len() > ALTERNATIVES_MAX {
            return Err(SearchError::TooManyValues { parameter: LIST.to_owned() });
        }
        if alternatives.iter().any(|id| ResourceId::from_str(id).is_err()) {
            return Err(SearchError::BadValue { parameter: LIST.to_owned(), expected: "an id" });
        }
        let query = Self::inner(context, ResourceType::LIST, "_id", value, 0)?;
        self.joins.push(Join {
            name: LIST.to_owned(),
            kind: JoinKind::Listed,
            queries: Vec::from([query]),
        });
        let kind = FilterKind::Has(self.joins.len() - 1);
        Ok(Filter { name: LIST.to_owned(), params: Vec::new(), kind })
    }

    /// Whether a resource is an answer, given the answers to the joins.
    pub fn matches(&self, resource: Node<'_>, joined: &Joined) -> bool {
        let Some(resource_type) = resource.resource_type() else { return false };
        self.types.contains(&resource_type)
            && self.is_in_compartment(resource_type, resource)
            && self.filters.iter().all(|f| self.holds(f, resource_type, resource, joined))
            && self.admits(resource)
    }

    fn is_in_compartment(&self, resource_type: ResourceType, resource: Node<'_>) -> bool {
        let SearchScope::Compartment { owner_type, owner, .. } = &self.scope else { return true };
        // FHIR R4 compartmentdefinition-patient: the patient is in its own compartment.
        if resource_type == *owner_type
            && resource.get("id").and_then(Node::as_str).as_deref() == Some(owner.as_str())
        {
            return true;
        }
        self.compartment
            .iter()
            .filter(|(found, _)| *found == resource_type)
            .flat_map(|(_, params)| params)
            .flat_map(|param| values(param, resource, &self.own_base))
            .any(|value| local_key(&value).is_some_and(|(t, id)| t == *owner_type && id == *owner))
    }

    fn holds(
        &self,
        filter: &Filter,
        resource_type: ResourceType,
        resource: Node<'_>,
        joined: &Joined,
    ) -> bool {
        if let FilterKind::Has(join) = filter.kind {
            let own = resource.get("id").and_then(Node::as_str);
            let Some(id) = own.and_then(|id| ResourceId::from_str(&id).ok()) else { return false };
            return joined.keys.get(join).is_some_and(|set| set.contains(&(resource_type, id)));
        }
        if let FilterKind::Tree(tree) = &filter.kind {
            let test = |one: &Filter| {
                one.is_answered(joined).then(|| self.holds(one, resource_type, resource, joined))
            };
            return tree.holds(&test) == Some(true);
        }
        let Some((_, param)) = filter.params.iter().find(|(t, _)| *t == resource_type) else {
            return false;
        };
        let found = values(param, resource, &self.own_base);
        let any = |tests: &[Test]| {
            found.iter().any(|value| tests.iter().any(|test| test.accepts(param, value)))
        };
        match &filter.kind {
            FilterKind::Missing(missing) => found.is_empty() == *missing,
            FilterKind::Any(tests) => any(tests),
            FilterKind::NoneOf(tests) => !any(tests),
            FilterKind::Within(lookups) => {
                joined.answers(lookups).is_some_and(|sets| is_within(&sets, &found))
            }
            FilterKind::Outside(lookups) => {
                !found.is_empty()
                    && joined.answers(lookups).is_some_and(|sets| !is_within(&sets, &found))
            }
            FilterKind::NotWithin(lookups) => {
                joined.answers(lookups).is_some_and(|sets| !is_within(&sets, &found))
            }
            FilterKind::SomeOther(tests) => {
                found.iter().any(|value| !tests.iter().any(|test| test.accepts(param, value)))
            }
            FilterKind::Chain(join) => joined.keys.get(*join).is_some_and(|set| {
                found.iter().filter_map(local_key).any(|target| set.contains(&target))
            }),
            FilterKind::Has(_) | FilterKind::Tree(_) => false,
        }
    }

    /// Every type and parameter whose values the answer depends on, joins, sorting and includes
    /// among them.
    pub fn reads(&self) -> BTreeSet<(ResourceType, String)> {
        let mut reads = BTreeSet::new();
        self.collect_reads(&mut reads);
        reads
    }

    /// The same search over records of which some parameters see nothing: what is in a compartment by
    /// them alone is not in it, and wildcards do not follow them. What asks for one by name still
    /// does, and is to be refused ([`Self::reads`]).
    #[must_use]
    pub fn blind_to(mut self, hidden: &dyn Fn(ResourceType, &str) -> bool) -> Self {
        for (resource_type, params) in &mut self.compartment {
            params.retain(|param| !hidden(*resource_type, param.code));
        }
        let includes = self.controls.includes.iter_mut().chain(&mut self.controls.revincludes);
        for include in includes.filter(|include| include.is_wildcard()) {
            include.links.retain(|(source, param)| !hidden(*source, param.code));
        }
        self
    }

    /// Whether some part of it looks at identifiers within references (`:identifier`).
    pub fn compares_identifiers(&self) -> bool {
        let in_joins = || self.joins.iter().flat_map(|join| &join.queries);
        self.filters.iter().any(|filter| filter.name.ends_with(":identifier"))
            || in_joins().any(Self::compares_identifiers)
    }

    fn collect_reads(&self, reads: &mut BTreeSet<(ResourceType, String)>) {
        for filter in self.filters.iter().flat_map(Filter::parts) {
            reads.extend(filter.params.iter().map(|(t, param)| (*t, param.code.to_owned())));
        }
        for (resource_type, params) in &self.compartment {
            reads.extend(params.iter().map(|param| (*resource_type, param.code.to_owned())));
        }
        for join in &self.joins {
            for query in &join.queries {
                let code = match &join.kind {
                    JoinKind::Found => None,
                    JoinKind::Referenced(param) => Some(param.code),
                    JoinKind::Listed => Some("item"),
                };
                reads.extend(query.types.iter().filter_map(|t| Some((*t, code?.to_owned()))));
                query.collect_reads(reads);
            }
        }
        for lookup in &self.lookups {
            reads.extend(lookup.reads().into_iter().map(|(t, code)| (t, code.to_owned())));
        }
        self.controls.collect_reads(reads);
    }

    /// The search for the resources of one type that have this canonical URL.
    ///
    /// # Errors
    /// The type has no canonical URL.
    pub fn of_canonical(
        context: &Context<'_>,
        resource_type: ResourceType,
        url: &str,
    ) -> Result<Self, SearchError> {
        Self::inner(context, resource_type, "url", &escape(url), 0)
    }
}

fn is_within(sets: &[&Found], values: &[SearchValue<'_>]) -> bool {
    values.iter().any(|value| sets.iter().any(|set| set.has(value)))
}

impl Filter {
    /// Itself, or the tests that it is made of.
    fn parts(&self) -> Vec<&Self> {
        if let FilterKind::Tree(tree) = &self.kind { tree.tests() } else { Vec::from([self]) }
    }

    /// Whether all that it needs to have answered beforehand is.
    fn is_answered(&self, joined: &Joined) -> bool {
        match &self.kind {
            FilterKind::Chain(join) | FilterKind::Has(join) => joined.keys.get(*join).is_some(),
            FilterKind::Within(lookups)
            | FilterKind::Outside(lookups)
            | FilterKind::NotWithin(lookups) => joined.answers(lookups).is_some(),
            FilterKind::Missing(_)
            | FilterKind::Any(_)
            | FilterKind::NoneOf(_)
            | FilterKind::SomeOther(_) => true,
            FilterKind::Tree(tree) => tree.tests().iter().all(|test| test.is_answered(joined)),
        }
    }
}

impl Join {
    /// Adds what one found resource contributes to the join's answer.
    pub fn collect(&self, resource: Node<'_>, own_base: &str, into: &mut BTreeSet<ResourceKey>) {
        match &self.kind {
            JoinKind::Found => {
                let id = resource.get("id").and_then(Node::as_str);
                let id = id.and_then(|id| ResourceId::from_str(&id).ok());
                into.extend(resource.resource_type().zip(id));
            }
            JoinKind::Referenced(param) => {
                into.extend(values(param, resource, own_base).iter().filter_map(local_key));
            }
            JoinKind::Listed => {
                // FHIR R4 List.entry.deleted: a modifier; what it marks is no longer on the list.
                let is_on =
                    |entry: &Node<'_>| entry.get("deleted").and_then(Node::as_bool) != Some(true);
                let entries = resource.get("entry").into_iter().flat_map(Node::items_or_self);
                let items = entries.filter(is_on).filter_map(|entry| entry.get("item"));
                into.extend(
                    items
                        .filter_map(|item| reference_value(item, own_base))
                        .filter_map(|found| local_key(&SearchValue::Reference(found))),
                );
            }
        }
    }
}

/// The resource of this server that a reference value leads to.
pub(super) fn local_key(value: &SearchValue<'_>) -> Option<ResourceKey> {
    let SearchValue::Reference(reference) = value else { return None };
    match reference.target.as_ref()? {
        Target::Local { resource_type, id, .. } => Some((*resource_type, id.clone())),
        Target::Url { .. } | Target::Contained(_) => None,
    }
}

/// Parameters that R4 defines and this server refuses: full text and named queries would need an
/// index of their own per view, and contained resources are never answers of their own.
const UNSUPPORTED: [&str; 5] = ["_text", "_content", "_query", "_contained", "_containedType"];

/// The parameter that finds what a List names; R4 has no definition of it as a resource.
pub const LIST: &str = "_list";

/// FHIR R4 search.html#modifiers, table of modifiers by parameter type.
fn modifier(param: &Param, code: &str, suffix: &str) -> Result<Modifier, SearchError> {
    use ParamType::{Reference, String, Token, Uri};
    let unsupported = || Err(SearchError::Unsupported { parameter: format!("{code}:{suffix}") });
    match (param.kind, suffix) {
        (String, "exact") => Ok(Modifier::Exact),
        (String, "contains") => Ok(Modifier::Contains),
        (Token, "text") => Ok(Modifier::Text),
        (Token, "of-type") => Ok(Modifier::OfType),
        (Token, "in") => Ok(Modifier::In),
        (Token, "not-in") => Ok(Modifier::NotIn),
        // Of references to resources only those that are parts of each other have a hierarchy.
        (Reference, "above" | "below")
            if !param.is_canonical && hierarchical(param).next().is_none() =>
        {
            unsupported()
        }
        (Uri | Token | Reference, "above") => Ok(Modifier::Above),
        (Uri | Token | Reference, "below") => Ok(Modifier::Below),
        (Reference, "identifier") => Ok(Modifier::Identifier),
        (Reference, name) if ResourceType::from_str(name).is_ok_and(|t| param.may_target(t)) => {
            Ok(ResourceType::from_str(name).map_or(Modifier::Plain, Modifier::Type))
        }
        _ => Err(SearchError::UnknownModifier {
            parameter: code.to_owned(),
            modifier: suffix.to_owned(),
        }),
    }
}

fn compartment_params(scope: &SearchScope) -> Result<Vec<(ResourceType, Vec<Param>)>, SearchError> {
    let SearchScope::Compartment { owner_type, resource_type, .. } = scope else {
        return Ok(Vec::new());
    };
    let unsupported =
        |name: ResourceType| SearchError::Unsupported { parameter: name.as_str().to_owned() };
    if *owner_type != ResourceType::PATIENT {
        return Err(unsupported(*owner_type));
    }
    let found: Vec<(ResourceType, Vec<Param>)> = spec::patient_compartment_types()
        .filter(|member| resource_type.is_none_or(|wanted| wanted == *member))
        .map(|member| {
            let codes = spec::patient_compartment_params(member);
            (member, codes.iter().filter_map(|code| Param::find(member, code)).collect())
        })
        .collect();
    match resource_type {
        Some(wanted) if found.is_empty() => Err(unsupported(*wanted)),
        _ => Ok(found),
    }
}

/// Whether a resource satisfies one `param=value` of a granular SMART scope.
///
/// Fails closed: a filter that cannot be read as a plain parameter matches nothing.
pub fn matches_scope_filter(resource: Node<'_>, param: &str, value: &str) -> bool {
    let Some(resource_type) = resource.resource_type() else { return false };
    // SMART 2.2: modifiers, chains and includes have no place in a scope. TRUST: and nothing that
    // could turn what is not known into a match.
    if param.contains([':', '.']) || param == FILTER {
        return false;
    }
    let context = Context { own_base: "", at: At::from_micros(0) };
    Query::inner(&context, resource_type, param, value, 0)
        .is_ok_and(|query| query.matches(resource, &Joined::default()))
}
