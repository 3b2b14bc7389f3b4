//! The CapabilityStatement, written from what is really supported.
//!
//! The caller says in [`Supported`] what its routes do; nothing is claimed here. The statement is
//! the same for every caller and holds no secret.

use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;

use crate::json::write::{self, ArrayWriter, ObjectWriter};
use crate::spec::SearchParam;

/// SMART App Launch 1.0 clients find the endpoints in this extension only.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";
const SECURITY_SERVICE: &str = "http://terminology.hl7.org/CodeSystem/restful-security-service";

/// FHIR R4 `conditional-delete-status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionalDelete {
    /// Not possible.
    NotSupported,
    /// If exactly one matches.
    Single,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Done {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Done {
    fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// An operation that can be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedOperation {
    /// The name without `$`.
    pub name: &'static str,
    /// The canonical URL of its definition.
    pub definition: &'static str,
}

/// What is supported for one type.
#[derive(Debug, Clone)]
pub struct SupportedType {
    /// The type.
    pub resource_type: ResourceType,
    /// The codes of FHIR's `type-restful-interaction`, such as `read` and `search-type`.
    pub interactions: Vec<&'static str>,
    /// Old versions can be read.
    pub read_history: Done,
    /// `PUT` creates what does not exist.
    pub update_create: Done,
    /// `If-None-Exist` works.
    pub conditional_create: Done,
    /// `PUT [type]?…` works.
    pub conditional_update: Done,
    /// `DELETE [type]?…` works.
    pub conditional_delete: ConditionalDelete,
    /// The search parameters, shared ones included.
    pub search_params: Vec<&'static SearchParam>,
    /// Values of `_include`.
    pub includes: Vec<String>,
    /// Values of `_revinclude`.
    pub reverse_includes: Vec<String>,
    /// Operations on this type or its resources.
    pub operations: Vec<SupportedOperation>,
    /// Topics of subscriptions, by their canonical URLs (HL7 Subscriptions R5 Backport).
    pub topics: Vec<String>,
}

/// Where the authorization server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthUris {
    /// The authorization endpoint.
    pub authorize: String,
    /// The token endpoint.
    pub token: String,
    /// The registration endpoint.
    pub register: Option<String>,
    /// Where a person manages what apps may do.
    pub manage: Option<String>,
    /// The introspection endpoint.
    pub introspect: Option<String>,
    /// The revocation endpoint.
    pub revoke: Option<String>,
}

/// All that is supported.
#[derive(Debug, Clone)]
pub struct Supported {
    /// The version of the software.
    pub software_version: String,
    /// The date of the statement: that of the release, so that it does not change by itself.
    pub date: At,
    /// The FHIR base URL.
    pub fhir_base: String,
    /// One sentence on the installation.
    pub description: String,
    /// Canonical URLs of CapabilityStatements that are fulfilled as a whole; empty unless that is
    /// shown by tests.
    pub instantiates: Vec<String>,
    /// The authorization server.
    pub oauth: Option<OauthUris>,
    /// The types.
    pub types: Vec<SupportedType>,
    /// The codes of FHIR's `system-restful-interaction`, such as `batch`.
    pub system_interactions: Vec<&'static str>,
    /// Operations on the whole server.
    pub system_operations: Vec<SupportedOperation>,
}

impl Supported {
    /// The JSON text of the CapabilityStatement.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::object(|out| {
            out.string("resourceType", "CapabilityStatement");
            out.string("status", "active");
            out.string("date", &self.date.to_rfc3339());
            out.string("kind", "instance");
            strings(out, "instantiates", self.instantiates.iter().map(String::as_str));
            out.object("software", |software| {
                software.string("name", "Proviso");
                software.string("version", &self.software_version);
            });
            out.object("implementation", |implementation| {
                implementation.string("description", &self.description);
                implementation.string("url", &self.fhir_base);
            });
            out.string("fhirVersion", "4.0.1");
            strings(out, "format", ["application/fhir+json", "json"].into_iter());
            strings(
                out,
                "patchFormat",
                ["application/json-patch+json", "application/fhir+json"].into_iter(),
            );
            out.array("rest", |rest| rest.object(|rest| self.write_rest(rest)));
        })
    }

    fn write_rest(&self, rest: &mut ObjectWriter<'_>) {
        rest.string("mode", "server");
        if let Some(oauth) = &self.oauth {
            rest.object("security", |security| write_security(oauth, security));
        }
        list(rest, "resource", &self.types, SupportedType::write);
        list(rest, "interaction", &self.system_interactions, |code, out| out.string("code", code));
        list(rest, "operation", &self.system_operations, SupportedOperation::write);
    }
}

impl SupportedOperation {
    fn write(&self, out: &mut ObjectWriter<'_>) {
        out.string("name", self.name);
        out.string("definition", self.definition);
    }
}

const TOPIC: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical";

impl SupportedType {
    fn write(&self, out: &mut ObjectWriter<'_>) {
        list(out, "extension", &self.topics, |topic, out| {
            out.string("url", TOPIC);
            out.string("valueCanonical", topic);
        });
        out.string("type", self.resource_type.as_str());
        list(out, "interaction", &self.interactions, |code, out| out.string("code", code));
        out.string("versioning", "versioned-update");
        out.boolean("readHistory", self.read_history.is_yes());
        out.boolean("updateCreate", self.update_create.is_yes());
        out.boolean("conditionalCreate", self.conditional_create.is_yes());
        out.boolean("conditionalUpdate", self.conditional_update.is_yes());
        out.string(
            "conditionalDelete",
            match self.conditional_delete {
                ConditionalDelete::NotSupported => "not-supported",
                ConditionalDelete::Single => "single",
            },
        );
        strings(out, "searchInclude", self.includes.iter().map(String::as_str));
        strings(out, "searchRevInclude", self.reverse_includes.iter().map(String::as_str));
        list(out, "searchParam", &self.search_params, |param, out| {
            out.string("name", param.code);
            out.string("type", param.param_type.code());
        });
        list(out, "operation", &self.operations, SupportedOperation::write);
    }
}

fn write_security(oauth: &OauthUris, out: &mut ObjectWriter<'_>) {
    let uris = [
        ("authorize", Some(&oauth.authorize)),
        ("token", Some(&oauth.token)),
        ("register", oauth.register.as_ref()),
        ("manage", oauth.manage.as_ref()),
        ("introspect", oauth.introspect.as_ref()),
        ("revoke", oauth.revoke.as_ref()),
    ];
    out.array("extension", |extensions| {
        extensions.object(|extension| {
            extension.string("url", OAUTH_URIS);
            extension.array("extension", |inner| {
                for (name, uri) in uris {
                    if let Some(uri) = uri {
                        write_uri(name, uri, inner);
                    }
                }
            });
        });
    });
    out.boolean("cors", true);
    out.array("service", |services| {
        services.object(|service| {
            service.array("coding", |codings| {
                codings.object(|coding| {
                    coding.string("system", SECURITY_SERVICE);
                    coding.string("code", "SMART-on-FHIR");
                });
            });
        });
    });
}

fn write_uri(name: &str, uri: &str, out: &mut ArrayWriter<'_>) {
    out.object(|extension| {
        extension.string("url", name);
        extension.string("valueUri", uri);
    });
}

/// A list of objects, left out when it is empty (FHIR R4 json.html: an array is never empty).
fn list<T>(
    out: &mut ObjectWriter<'_>,
    key: &str,
    items: &[T],
    write: impl Fn(&T, &mut ObjectWriter<'_>),
) {
    if !items.is_empty() {
        out.array(key, |array| {
            for item in items {
                array.object(|out| write(item, out));
            }
        });
    }
}

fn strings<'s>(out: &mut ObjectWriter<'_>, key: &str, items: impl Iterator<Item = &'s str>) {
    let mut items = items.peekable();
    if items.peek().is_some() {
        out.array(key, |array| items.for_each(|item| array.string(item)));
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::vec;

    use super::*;
    use crate::json::Doc;
    use crate::spec;
    use crate::validate::validate;

    fn supported() -> Supported {
        let resource_type = ResourceType::PATIENT;
        Supported {
            software_version: "0.1.0".to_owned(),
            date: At::from_secs(1_700_000_000),
            fhir_base: "http://127.0.0.1:8080/fhir/r4".to_owned(),
            description: "A \"test\"".to_owned(),
            instantiates: Vec::new(),
            oauth: Some(OauthUris {
                authorize: "http://127.0.0.1:8080/oauth/authorize".to_owned(),
                token: "http://127.0.0.1:8080/oauth/token".to_owned(),
                register: None,
                manage: Some("http://127.0.0.1:8080/portal/apps".to_owned()),
                introspect: None,
                revoke: None,
            }),
            types: vec![SupportedType {
                resource_type,
                interactions: vec!["read", "search-type", "history-instance"],
                read_history: Done::Yes,
                update_create: Done::No,
                conditional_create: Done::Yes,
                conditional_update: Done::Yes,
                conditional_delete: ConditionalDelete::Single,
                search_params: spec::search_params_for(resource_type).iter().collect(),
                includes: vec!["Patient:organization".to_owned()],
                reverse_includes: Vec::new(),
                topics: Vec::new(),
                operations: vec![SupportedOperation {
                    name: "everything",
                    definition: "http://hl7.org/fhir/OperationDefinition/Patient-everything",
                }],
            }],
            system_interactions: vec!["batch", "transaction"],
            system_operations: Vec::new(),
        }
    }

    #[test]
    fn the_statement_is_valid_and_says_what_is_supported() {
        let doc = Doc::parse(supported().to_bytes()).unwrap();
        assert_eq!(validate(doc.root()), []);
        let rest = doc.root().first(&["rest"]).unwrap();
        assert_eq!(rest.at(&["resource", "interaction", "code"]).count(), 3);
        assert_eq!(
            rest.string_at(&["security", "service", "coding", "code"]).unwrap(),
            "SMART-on-FHIR"
        );
        assert!(rest.at(&["resource", "searchParam", "name"]).any(|n| n.raw() == b"\"birthdate\""));
    }

    // Covers: oauth-smart `smart_discovery`: clients of SMART 1 read the endpoints here.
    #[test]
    fn smart_1_clients_find_the_endpoints() {
        let doc = Doc::parse(supported().to_bytes()).unwrap();
        let path = ["rest", "security", "extension", "extension"];
        let uris: Vec<_> = doc
            .root()
            .at(&path)
            .filter_map(|uri| Some((uri.string_at(&["url"])?, uri.string_at(&["valueUri"])?)))
            .collect();
        let names: Vec<_> = uris.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["authorize", "token", "manage"]);
        assert!(uris.iter().all(|(_, uri)| uri.starts_with("http://127.0.0.1:8080/")));
    }

    #[test]
    fn what_is_not_claimed_is_not_there() {
        let plain = Supported { oauth: None, types: Vec::new(), ..supported() };
        let doc = Doc::parse(plain.to_bytes()).unwrap();
        assert_eq!(validate(doc.root()), []);
        for absent in ["instantiates", "implementationGuide"] {
            assert!(doc.root().get(absent).is_none());
        }
        assert!(doc.root().first(&["rest", "security"]).is_none());
        assert!(doc.root().first(&["rest", "resource"]).is_none());
    }
}
