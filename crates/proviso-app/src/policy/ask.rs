//! From a question to what Cedar is asked: entities and context, built value by value.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Expr, Schema,
};
use proviso_core::category::{Category, CategorySet, SensitiveKind, SensitiveSet};
use proviso_core::decision::Labels;
use proviso_core::org::{
    Emergency, Mode, OrgAction, OrgQuestion, OrgResource, OrgSubject, PatientMatch, Provenance,
    RecordKind, RoleSet, Sourced, TenantMatch, TokenReach, kind_code,
};
use proviso_core::resource_type::ResourceType;

/// The id of the one record or directory entry that a question is about: policies are about kinds
/// of record, never about one.
const THIS: &str = "this";

/// A question that cannot be put to Cedar. It cannot happen while the schema and the program agree,
/// which a test shows; should it happen, it denies.
#[derive(Debug, thiserror::Error)]
#[error("the question cannot be put: {0}")]
pub(super) struct AskError(String);

fn broken(why: impl std::fmt::Display) -> AskError {
    AskError(why.to_string())
}

/// The type names of the schema, read once.
#[derive(Debug)]
pub(super) struct Words {
    person: EntityTypeName,
    service: EntityTypeName,
    pub(super) role: EntityTypeName,
    department: EntityTypeName,
    record: EntityTypeName,
    directory: EntityTypeName,
    governance: EntityTypeName,
    kind_of_actor: EntityTypeName,
    mode: EntityTypeName,
    purpose: EntityTypeName,
    category: EntityTypeName,
    sensitive: EntityTypeName,
    source: EntityTypeName,
    network: EntityTypeName,
    device: EntityTypeName,
    auth: EntityTypeName,
    emergency: EntityTypeName,
    resource_type: EntityTypeName,
    /// Each action with the groups it is in.
    actions: HashMap<OrgAction, Entity>,
}

fn type_name(name: &str) -> Result<EntityTypeName, AskError> {
    name.parse().map_err(broken)
}

pub(super) fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

impl Words {
    /// Reads the type names and the groups of actions from the schema.
    pub(super) fn new(schema: &Schema) -> Result<Self, AskError> {
        let action = type_name("Action")?;
        let groups = schema.action_entities().map_err(broken)?;
        let mut actions = HashMap::new();
        for own in OrgAction::ALL {
            let own_uid = uid(&action, own.code());
            let parents: HashSet<EntityUid> =
                groups.ancestors(&own_uid).into_iter().flatten().cloned().collect();
            actions.insert(*own, Entity::new_no_attrs(own_uid, parents));
        }
        Ok(Self {
            person: type_name("Person")?,
            service: type_name("Service")?,
            role: type_name("Role")?,
            department: type_name("Department")?,
            record: type_name("Record")?,
            directory: type_name("Directory")?,
            governance: type_name("Governance")?,
            kind_of_actor: type_name("ActorKind")?,
            mode: type_name("Mode")?,
            purpose: type_name("Purpose")?,
            category: type_name("Category")?,
            sensitive: type_name("SensitiveKind")?,
            source: type_name("Source")?,
            network: type_name("Network")?,
            device: type_name("Device")?,
            auth: type_name("AuthLevel")?,
            emergency: type_name("EmergencyReason")?,
            resource_type: type_name("Type")?,
            actions,
        })
    }

    /// The request and the entities that it is about.
    pub(super) fn ask(
        &self,
        question: &OrgQuestion,
        schema: Option<&Schema>,
    ) -> Result<(Request, Entities), AskError> {
        let principal = self.principal(question)?;
        let resource = self.resource(&question.resource)?;
        let action = self
            .actions
            .get(&question.action)
            .cloned()
            .ok_or_else(|| broken("the schema does not know the action"))?;
        let context = Context::from_pairs(self.context(question)).map_err(broken)?;
        let request = Request::new(principal.uid(), action.uid(), resource.uid(), context, schema)
            .map_err(broken)?;
        let entities =
            Entities::from_entities([principal, action, resource], schema).map_err(broken)?;
        Ok((request, entities))
    }

    /// The action itself and every group that it is in.
    pub(super) fn groups_of(&self, action: OrgAction) -> impl Iterator<Item = EntityUid> {
        self.actions
            .get(&action)
            .into_iter()
            .flat_map(|own| std::iter::once(own.uid()).chain(own.clone().into_inner().2))
    }

    fn principal(&self, question: &OrgQuestion) -> Result<Entity, AskError> {
        let mut parents: HashSet<EntityUid> =
            roles_held(question).iter().map(|role| uid(&self.role, role.code())).collect();
        let mut attributes = HashMap::new();
        if let Some(roles) = &question.roles {
            attributes.insert("rolesFrom".to_owned(), self.fact(roles.provenance)?);
        }
        let own = match &question.subject {
            OrgSubject::Service(client) => uid(&self.service, client.as_str()),
            OrgSubject::Account(account) => {
                let kind = uid(&self.kind_of_actor, kind_code(question.kind));
                attributes.insert("kind".to_owned(), Expr::new_entity_uid(kind));
                if let Some(Sourced { value, provenance }) = &question.departments {
                    parents.extend(value.iter().map(|own| uid(&self.department, own.as_str())));
                    attributes.insert("departmentsFrom".to_owned(), self.fact(*provenance)?);
                }
                uid(&self.person, account.as_str())
            }
        };
        Entity::new(own, attributes, parents).map_err(broken)
    }

    fn resource(&self, resource: &OrgResource) -> Result<Entity, AskError> {
        match resource {
            OrgResource::Record(record) => self.record(*record),
            OrgResource::Directory(resource_type) => {
                let attributes =
                    HashMap::from([("type".to_owned(), self.resource_type(*resource_type))]);
                Entity::new(uid(&self.directory, THIS), attributes, HashSet::new()).map_err(broken)
            }
            OrgResource::Governance(kind) => {
                Ok(Entity::new_no_attrs(uid(&self.governance, kind.code()), HashSet::new()))
            }
        }
    }

    fn record(&self, record: RecordKind) -> Result<Entity, AskError> {
        let (kinds, labelled) = match record.labels {
            Labels::Known(kinds) => (kinds, true),
            Labels::Unclassified => (SensitiveSet::EMPTY, false),
        };
        let attributes = HashMap::from([
            ("type".to_owned(), self.resource_type(record.resource_type)),
            ("categories".to_owned(), self.categories(record.categories)),
            ("kinds".to_owned(), self.kinds(kinds)),
            ("labelled".to_owned(), Expr::new_bool(labelled)),
        ]);
        Entity::new(uid(&self.record, THIS), attributes, HashSet::new()).map_err(broken)
    }

    fn resource_type(&self, own: ResourceType) -> Expr {
        Expr::new_entity_uid(uid(&self.resource_type, own.as_str()))
    }

    fn categories(&self, set: CategorySet) -> Expr {
        self.set(&self.category, set.iter().map(Category::code))
    }

    fn kinds(&self, set: SensitiveSet) -> Expr {
        self.set(&self.sensitive, set.iter().map(SensitiveKind::code))
    }

    #[expect(clippy::unused_self, reason = "reads like its neighbours")]
    fn set(&self, of: &EntityTypeName, codes: impl Iterator<Item = &'static str>) -> Expr {
        Expr::new_set(codes.map(|code| Expr::new_entity_uid(uid(of, code))))
    }

    fn fact(&self, provenance: Provenance) -> Result<Expr, AskError> {
        let source = Expr::new_entity_uid(uid(&self.source, provenance.source.code()));
        let age = Expr::new_long(provenance.age.secs_max());
        Expr::new_record([("source".to_owned(), source), ("age".to_owned(), age)]).map_err(broken)
    }

    fn context(&self, question: &OrgQuestion) -> Vec<(String, Expr)> {
        let mut pairs = Pairs(Vec::with_capacity(16));
        pairs.entity("mode", &self.mode, question.mode.code());
        pairs.entity("purpose", &self.purpose, question.purpose.code());
        pairs.put("ownTenant", Expr::new_bool(matches!(question.tenant, TenantMatch::Own)));
        pairs.put("tokenReaches", Expr::new_bool(matches!(question.token, TokenReach::Reaches)));
        pairs.put("named", self.kinds(question.named));
        for (relation, provenance) in &question.related {
            pairs.fact(relation.code(), self.fact(*provenance));
        }
        let environment = &question.environment;
        if let Some(network) = environment.network {
            pairs.entity("network", &self.network, network.code());
        }
        if let Some(Sourced { value, provenance }) = &environment.place {
            pairs.put("place", Expr::new_string(value.as_str().to_owned()));
            pairs.fact("placeFrom", self.fact(*provenance));
        }
        if let Some(Sourced { value, provenance }) = &environment.device {
            pairs.entity("device", &self.device, value.code());
            pairs.fact("deviceFrom", self.fact(*provenance));
        }
        if let Some(acr) = environment.acr {
            pairs.entity("acr", &self.auth, acr.code());
        }
        for (name, value) in [("hour", environment.hour), ("weekday", environment.weekday)] {
            if let Some(value) = value {
                pairs.put(name, Expr::new_long(i64::from(value)));
            }
        }
        if let Some(emergency) = question.emergency {
            pairs.fact("emergency", self.emergency(emergency));
        }
        pairs.0
    }

    fn emergency(&self, emergency: Emergency) -> Result<Expr, AskError> {
        let same = matches!(emergency.for_patient, PatientMatch::Same);
        let mut fields = vec![
            ("minutes".to_owned(), Expr::new_long(i64::from(emergency.minutes))),
            ("samePatient".to_owned(), Expr::new_bool(same)),
        ];
        if let Some(reason) = emergency.reason {
            let reason = Expr::new_entity_uid(uid(&self.emergency, reason.code()));
            fields.push(("reason".to_owned(), reason));
        }
        Expr::new_record(fields).map_err(broken)
    }
}

/// The pairs of a context on their way.
struct Pairs(Vec<(String, Expr)>);

impl Pairs {
    fn put(&mut self, name: &str, value: Expr) {
        self.0.push((name.to_owned(), value));
    }

    fn entity(&mut self, name: &str, of: &EntityTypeName, id: &str) {
        self.put(name, Expr::new_entity_uid(uid(of, id)));
    }

    /// A record whose fields repeat cannot be made; the field lists above are fixed, and a fact
    /// that is left out denies.
    fn fact(&mut self, name: &str, value: Result<Expr, AskError>) {
        if let Ok(value) = value {
            self.put(name, value);
        }
    }
}

/// The roles that count for a question: a role is held only while asking as staff or as a service,
/// since the modes never share a path (design §5).
pub(super) fn roles_held(question: &OrgQuestion) -> RoleSet {
    match question.mode {
        Mode::Operational | Mode::PreAuthorized => question.role_set(),
        Mode::OwnRecord | Mode::PatientDirected => RoleSet::EMPTY,
    }
}
