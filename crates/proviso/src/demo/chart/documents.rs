//! Notes: a DocumentReference and the Binary that holds its text.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use super::{Chart, Visit, link, own_identifier};
use crate::demo::calendar::{plus_minutes, stamp};
use crate::demo::codes::Code;
use crate::demo::value::{list, object};

/// What a note says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DocumentDetails<'a> {
    pub(crate) kind: Code,
    pub(crate) title: &'a str,
    pub(crate) text: &'a str,
}

impl Chart {
    /// Writes a note about a visit.
    pub(crate) fn document(&mut self, details: DocumentDetails<'_>, visit: &Visit) -> String {
        const CONTENT_TYPE: &str = "text/plain; charset=utf-8";
        let size = i64::try_from(details.text.len()).unwrap_or(i64::MAX);
        let binary = self.add(
            "Binary",
            &[],
            object! {
                "contentType": CONTENT_TYPE,
                // FHIR R4 Binary.securityContext: whoever may see the patient may ask for it.
                "securityContext": link(&format!("Patient/{}", self.patient)),
                "data": base64(details.text),
            },
        );
        let number = binary.rsplit('/').next().unwrap_or_default().to_owned();
        self.add("DocumentReference", &["us-core-documentreference"], object! {
            "identifier": own_identifier(&number),
            "status": "current",
            "docStatus": "final",
            "type": details.kind.concept(),
            "category": list![Code::new(
                "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                "clinical-note", "Clinical Note",
            ).concept()],
            "subject": self.subject(),
            "date": stamp(plus_minutes(visit.end, 30)),
            "author": list![visit.by.reference()],
            "custodian": visit.by.house.reference(),
            "content": list![object! {
                "attachment": object! {
                    "contentType": CONTENT_TYPE,
                    "url": binary,
                    "size": size,
                    "title": details.title.to_owned(),
                    "creation": stamp(visit.end),
                },
                "format": object! {
                    "system": "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode",
                    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient", "display": "mimeType Sufficient",
                },
            }],
            "context": object! {
                "encounter": list![visit.link()],
                "period": object! { "start": stamp(visit.start), "end": stamp(visit.end) },
            },
        })
    }
}

impl Chart {
    /// Writes a letter that came from elsewhere: its text is in the reference itself.
    pub(crate) fn letter(&mut self, details: DocumentDetails<'_>, visit: &Visit) -> String {
        let number = format!("{}-{}", self.patient, visit.start.strftime("%Y%m%d%H%M"));
        self.add(
            "DocumentReference",
            &["us-core-documentreference"],
            object! {
                "identifier": own_identifier(&number),
                "status": "current",
                "type": details.kind.concept(),
                "category": list![Code::new(
                    "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category",
                    "clinical-note", "Clinical Note",
                ).concept()],
                "subject": self.subject(),
                "date": stamp(plus_minutes(visit.end, 30)),
                "author": list![visit.by.reference()],
                "content": list![object! {
                    "attachment": object! {
                        "contentType": "text/plain; charset=utf-8",
                        "data": base64(details.text),
                        "title": details.title.to_owned(),
                    },
                }],
                "context": object! { "encounter": list![visit.link()] },
            },
        )
    }
}

/// The text as `base64Binary`.
pub(super) fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

/// A note of the usual shape.
pub(crate) fn note(visit: &Visit, complaint: &str, findings: &str, plan: &str) -> String {
    format!(
        "{}\n{}\n\nReason for visit\n{complaint}\n\nFindings\n{findings}\n\nPlan\n{plan}\n\n{}\n",
        visit.place.name,
        visit.start.strftime("%B %-d, %Y"),
        visit.by.name,
    )
}
