//! The CapabilityStatement, made from what `classify`, `decide` and the search really offer.

use proviso_core::category_rules::{categories_of_type, is_directory};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::capability::{
    ConditionalDelete, Done, OauthUris, Supported, SupportedOperation, SupportedType,
};
use proviso_fhir::search::{FILTER, LIST, Param, ParamType};
use proviso_fhir::spec::{self, SearchParam};
use proviso_oauth::server::ServerUrls;

use crate::decide::is_server_owned;
use crate::settings::GatewaySettings;
use crate::settings::UpstreamSettings;
use crate::subscriptions::topic_url;

/// 2026-11-22: the statement changes with a release, not by itself.
const RELEASED: At = At::from_secs(1_795_305_600);

/// The statement as bytes; the same for everybody.
pub(crate) fn statement(settings: &GatewaySettings, base: &str) -> Vec<u8> {
    let urls = ServerUrls::new(settings.public_url.as_str());
    let offered: Vec<ResourceType> = ResourceType::all().filter(|kind| is_offered(*kind)).collect();
    let embedded = matches!(settings.upstream, UpstreamSettings::Embedded);
    let mut types: Vec<_> =
        offered.iter().map(|kind| supported(*kind, &offered, settings)).collect();
    types.extend(embedded.then(|| subscriptions(base)));
    types.sort_by_key(|one| one.resource_type);
    Supported {
        software_version: env!("CARGO_PKG_VERSION").to_owned(),
        date: RELEASED,
        fhir_base: base.to_owned(),
        description: "Consent-first access to FHIR records".to_owned(),
        instantiates: Vec::new(),
        oauth: Some(OauthUris {
            authorize: urls.authorization_endpoint(),
            token: urls.token_endpoint(),
            register: Some(urls.registration_endpoint()),
            manage: Some(urls.management_endpoint()),
            introspect: Some(urls.introspection_endpoint()),
            revoke: Some(urls.revocation_endpoint()),
        }),
        types,
        system_interactions: match settings.upstream {
            UpstreamSettings::Embedded => vec!["batch", "transaction"],
            UpstreamSettings::Http(_) => vec!["batch"],
        },
        system_operations: Vec::new(),
    }
    .to_bytes()
}

/// Types of which some resource can be permitted to somebody.
fn is_offered(kind: ResourceType) -> bool {
    // Consents are kept for registries, whatever patients share.
    kind == ResourceType::CONSENT || is_directory(kind) || !categories_of_type(kind).is_empty()
}

/// What changes in a server by URL, nobody here hears of.
fn subscriptions(base: &str) -> SupportedType {
    SupportedType {
        resource_type: ResourceType::SUBSCRIPTION,
        interactions: vec!["read", "search-type", "create", "update", "delete"],
        read_history: Done::No,
        update_create: Done::No,
        conditional_create: Done::No,
        conditional_update: Done::No,
        conditional_delete: ConditionalDelete::NotSupported,
        search_params: Vec::new(),
        includes: Vec::new(),
        reverse_includes: Vec::new(),
        operations: vec![SupportedOperation { name: "status", definition: STATUS }, VALIDATE],
        topics: vec![topic_url(base)],
    }
}

fn supported(
    kind: ResourceType,
    offered: &[ResourceType],
    settings: &GatewaySettings,
) -> SupportedType {
    let embedded = matches!(settings.upstream, UpstreamSettings::Embedded);
    // A file is come by through what refers to it.
    let is_file = kind == ResourceType::BINARY;
    let mut interactions = vec!["read", "vread", "history-instance"];
    if !is_file {
        interactions.push("search-type");
    }
    if embedded && !is_file {
        interactions.push("history-type");
    }
    if !is_server_owned(kind) {
        interactions.extend(["create", "update", "patch", "delete"]);
    } else if kind == ResourceType::CONSENT {
        // IHE PCF ITI-108 but for the delete: a consent ends, and stays.
        interactions.extend(["create", "update"]);
    }
    let mut operations = vec![VALIDATE, META];
    if kind == ResourceType::PATIENT {
        operations.push(SupportedOperation {
            name: "everything",
            definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        });
    }
    if kind == ResourceType::DOCUMENT_REFERENCE {
        operations.push(SupportedOperation { name: "docref", definition: DOCREF });
    }
    if kind == ResourceType::OBSERVATION {
        operations.push(SupportedOperation {
            name: "lastn",
            definition: "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        });
    }
    if kind == ResourceType::CONSENT {
        operations.extend([
            SupportedOperation { name: "fileConsent", definition: FILE_CONSENT },
            SupportedOperation { name: "revokeConsent", definition: REVOKE_CONSENT },
        ]);
    }
    // Criteria are matched by our own store only.
    let writes = embedded && !is_server_owned(kind) && !is_file;
    let conditional = if writes { Done::Yes } else { Done::No };
    SupportedType {
        resource_type: kind,
        interactions,
        read_history: Done::Yes,
        update_create: Done::No,
        conditional_create: conditional,
        conditional_update: conditional,
        conditional_delete: if writes {
            ConditionalDelete::Single
        } else {
            ConditionalDelete::NotSupported
        },
        search_params: spec::search_params_for(kind)
            .iter()
            .chain(spec::common_search_params())
            // `_text`, `_content` and `_query` have no expression and are refused.
            .filter(|param| Param::find(kind, param.code).is_some())
            .chain(embedded.then_some(&LISTED))
            .chain([&FILTERED])
            .filter(|_| !is_file)
            .collect(),
        includes: references(kind)
            .filter(|_| !is_file)
            .map(|code| format!("{kind}:{code}"))
            .collect(),
        reverse_includes: offered
            .iter()
            .filter(|_| !is_file)
            .flat_map(|source| {
                let leading = spec::search_params_for(*source).iter().filter(move |param| {
                    param.targets.contains(&kind)
                        && Param::find(*source, param.code)
                            .is_some_and(|p| p.kind == ParamType::Reference)
                });
                leading.map(move |param| format!("{source}:{}", param.code))
            })
            .collect(),
        operations,
        topics: Vec::new(),
    }
}

const VALIDATE: SupportedOperation = SupportedOperation {
    name: "validate",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
};
const META: SupportedOperation = SupportedOperation {
    name: "meta",
    definition: "http://hl7.org/fhir/OperationDefinition/Resource-meta",
};
const STATUS: &str = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status";
const DOCREF: &str = "http://hl7.org/fhir/us/core/OperationDefinition/docref";
const FILE_CONSENT: &str =
    "http://hl7.org/fhir/us/consent-management/OperationDefinition/file-consent";
const REVOKE_CONSENT: &str =
    "http://hl7.org/fhir/us/consent-management/OperationDefinition/revoke-consent";

/// `_list`, of which HL7 published no definition. An upstream by URL would have to look at Lists
/// that may be hidden, so it is not asked.
static LISTED: SearchParam = undefined(LIST);

/// `_filter`, which has no definition either.
static FILTERED: SearchParam = undefined(FILTER);

const fn undefined(code: &'static str) -> SearchParam {
    let param_type = ParamType::Special;
    SearchParam { code, param_type, expression: "", targets: &[], components: &[], us_core: false }
}

fn references(kind: ResourceType) -> impl Iterator<Item = &'static str> {
    spec::search_params_for(kind)
        .iter()
        .filter(move |param| {
            Param::find(kind, param.code).is_some_and(|p| p.kind == ParamType::Reference)
        })
        .map(|param| param.code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proviso_fhir::json::{Doc, Node};
    use proviso_fhir::search::{Context, Query, SearchScope};
    use proviso_fhir::validate::validate;

    use super::*;
    use crate::settings::HttpUpstreamSettings;

    // Covers: leak 84
    #[test]
    fn the_statement_is_valid_and_says_only_what_is_enforced() {
        let settings = GatewaySettings::embedded("http://127.0.0.1:8080");
        let bytes = statement(&settings, "http://127.0.0.1:8080/fhir/r4");
        let doc = Doc::parse(bytes).unwrap();
        assert_eq!(validate(doc.root()), []);
        let types: Vec<String> = doc
            .root()
            .at(&["rest", "resource", "type"])
            .filter_map(|node| node.as_str().map(std::borrow::Cow::into_owned))
            .collect();
        assert!(types.contains(&"Observation".to_owned()));
        assert!(types.contains(&"Practitioner".to_owned()));
        assert!(!types.contains(&"AuditEvent".to_owned()));
        let codes: Vec<_> = doc.root().at(&["rest", "interaction", "code"]).collect();
        assert_eq!(codes.len(), 2, "batch and transaction are offered for the whole system");
    }

    const BASE: &str = "http://127.0.0.1:8080/fhir/r4";

    fn texts(resource: Node<'_>, path: &[&str]) -> BTreeSet<String> {
        resource.at(path).filter_map(|node| Some(node.as_str()?.into_owned())).collect()
    }

    /// What the search really takes, asked with a value that fits the kind of parameter.
    fn is_taken(kind: ResourceType, code: &str) -> bool {
        let context = Context { own_base: BASE, at: RELEASED };
        let value = |kind| match kind {
            ParamType::Number | ParamType::Quantity => "5",
            ParamType::Date => "2020",
            ParamType::Special => "1|2",
            ParamType::String
            | ParamType::Token
            | ParamType::Reference
            | ParamType::Composite
            | ParamType::Uri => "http://x/1",
        };
        let definition = spec::search_param(kind, code);
        let value = match definition {
            None if code == FILTER => "_id+pr+true".to_owned(),
            None => "x".to_owned(),
            Some(one) if one.components.is_empty() => value(one.param_type).to_owned(),
            Some(one) => {
                let part =
                    |code| spec::search_param(kind, code).map_or("x", |p| value(p.param_type));
                one.components.iter().map(|c| part(c.code)).collect::<Vec<_>>().join("$")
            }
        };
        Query::parse(&context, SearchScope::Type(kind), &[&format!("{code}={value}")]).is_ok()
    }

    // Covers: leak 84
    #[test]
    fn every_parameter_that_is_stated_is_taken_and_every_other_is_refused() {
        let upstream = HttpUpstreamSettings::at("http://127.0.0.1:9/fhir");
        let origin = "http://127.0.0.1:8080";
        for (settings, lists) in [
            (GatewaySettings::embedded(origin), true),
            (GatewaySettings::in_front_of(origin, upstream), false),
        ] {
            let doc = Doc::parse(statement(&settings, BASE)).unwrap();
            let mut count = 0;
            for resource in doc.root().at(&["rest", "resource"]) {
                let kind: ResourceType = resource.string_at(&["type"]).unwrap().parse().unwrap();
                let stated = texts(resource, &["searchParam", "name"]);
                if kind == ResourceType::BINARY || kind == ResourceType::SUBSCRIPTION {
                    let includes = texts(resource, &["searchInclude"]);
                    let reverse = texts(resource, &["searchRevInclude"]);
                    let none = stated.is_empty() && includes.is_empty() && reverse.is_empty();
                    assert!(none, "{kind} is not searched for by what it says");
                    continue;
                }
                assert_eq!(stated.contains("_list"), lists, "{kind}");
                let shared = spec::common_search_params().iter();
                let known = spec::search_params_for(kind).iter().chain(shared).map(|p| p.code);
                let beside = ["_contained", "_has", "nonsense"];
                for code in known.chain(beside).chain(stated.iter().map(String::as_str)) {
                    assert_eq!(stated.contains(code), is_taken(kind, code), "{kind} {code}");
                    count += 1;
                }
                let context = Context { own_base: BASE, at: RELEASED };
                for (name, path) in
                    [("_include", "searchInclude"), ("_revinclude", "searchRevInclude")]
                {
                    for value in texts(resource, &[path]) {
                        let raw = format!("{name}={value}");
                        let query = Query::parse(&context, SearchScope::Type(kind), &[&raw]);
                        assert!(query.is_ok(), "{kind} {raw}");
                    }
                }
            }
            assert!(count > 2000, "{count}");
        }
    }
}
