//! The CapabilityStatement, made from what `classify`, `decide` and the search really offer.

use proviso_core::category_rules::{categories_of_type, is_directory};
use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use proviso_fhir::capability::{
    ConditionalDelete, Done, OauthUris, Supported, SupportedOperation, SupportedType,
};
use proviso_fhir::search::{Param, ParamType};
use proviso_fhir::spec;
use proviso_oauth::server::ServerUrls;

use crate::decide::is_server_owned;
use crate::settings::GatewaySettings;
use crate::settings::UpstreamSettings;

/// 2026-11-22: the statement changes with a release, not by itself.
const RELEASED: At = At::from_secs(1_795_305_600);

/// The statement as bytes; the same for everybody.
pub(crate) fn statement(settings: &GatewaySettings, base: &str) -> Vec<u8> {
    let urls = ServerUrls::new(settings.public_url.as_str());
    let offered: Vec<ResourceType> = ResourceType::all().filter(|kind| is_offered(*kind)).collect();
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
        types: offered.iter().map(|kind| supported(*kind, &offered, settings)).collect(),
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
    is_directory(kind) || !categories_of_type(kind).is_empty()
}

fn supported(
    kind: ResourceType,
    offered: &[ResourceType],
    settings: &GatewaySettings,
) -> SupportedType {
    let mut interactions = vec!["read", "vread", "history-instance", "search-type"];
    if matches!(settings.upstream, UpstreamSettings::Embedded) {
        interactions.push("history-type");
    }
    if !is_server_owned(kind) {
        interactions.extend(["create", "update", "patch", "delete"]);
    }
    let mut operations = vec![SupportedOperation {
        name: "validate",
        definition: "http://hl7.org/fhir/OperationDefinition/Resource-validate",
    }];
    if kind == ResourceType::PATIENT {
        operations.push(SupportedOperation {
            name: "everything",
            definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
        });
    }
    // Criteria are matched by our own store only.
    let writes = matches!(settings.upstream, UpstreamSettings::Embedded) && !is_server_owned(kind);
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
            .filter(|param| {
                Param::find(kind, param.code).is_some() && !REFUSED.contains(&param.code)
            })
            .collect(),
        includes: references(kind).map(|code| format!("{kind}:{code}")).collect(),
        reverse_includes: offered
            .iter()
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
    }
}

/// Shared parameters that would need an index of their own for each view.
const REFUSED: [&str; 4] = ["_text", "_content", "_query", "_filter"];

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
    use proviso_fhir::json::Doc;
    use proviso_fhir::validate::validate;

    use super::*;

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
}
