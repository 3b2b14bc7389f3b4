//! What a consent on file leaves over of a token, for enforcement points that learn it by
//! introspection (IHE PCF 1.1, ITI-71, extension `ihe_pcf`).
//!
//! Residual rules are one list in which a permit overrides a forbid. So the rules of two consents
//! cannot be joined, and what another dialect says cannot be written in them; whoever enforces by
//! this list is told then to release nothing, and can ask about each record instead.

use proviso_core::consent::provision::{
    DataClause, DataMeaning, Dialect, Label, Outcome, PcfAnswer, ResidualEntry, ResidualType, Who,
    issue_pcf_token,
};
use proviso_core::decision::{FiledDirective, FiledRule};
use proviso_core::time::{At, Period};
use proviso_oauth::introspect::{
    Coded, Extensions, IheIua, IhePcf, Named, ResidualData, ResidualPeriod, ResidualRule,
};

use super::FiledConsent;
use crate::App;
use crate::caller::Caller;

/// The system of the codes of purposes (HL7 v3-ActReason).
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

impl App {
    /// The extensions of a token for an enforcement point; `None` where it is for no one patient, or
    /// nothing on file has a say.
    pub(crate) async fn leftover_of(&self, caller: &Caller, at: At) -> Option<Extensions> {
        let patient = caller.patient.as_ref()?;
        let planned = self.plan_recorded(caller, at);
        let consents = self.live.filed_of(patient);
        let rule = planned.plan.as_ref().map_or(FiledRule::Restricts, |plan| plan.filed);
        let enforced: Vec<(&FiledConsent, &FiledDirective)> = consents
            .iter()
            .filter_map(|own| own.enforced.as_ref().map(|directive| (&**own, directive)))
            .collect();
        let residual = if planned.plan.is_err() {
            nothing()
        } else if rule == FiledRule::NotHeard {
            return None;
        } else {
            let facts = &self.hearing_for(&planned.request).await;
            match (enforced.as_slice(), rule) {
                ([], FiledRule::Required) => nothing(),
                ([], _) => return None,
                ([(_, one)], rule) if is_of_pcf(one.directive.dialect()) => {
                    match issue_pcf_token(&one.directive, &facts.request().facts) {
                        PcfAnswer::Token(token) => {
                            token.residual.iter().map(|own| self.written(own)).collect()
                        }
                        PcfAnswer::None(Outcome::NotApplicable) if rule != FiledRule::Required => {
                            return None;
                        }
                        PcfAnswer::None(_) => nothing(),
                    }
                }
                _ => nothing(),
            }
        };
        let base = &self.settings.filed.base;
        Some(Extensions {
            ihe_iua: IheIua {
                purpose_of_use: vec![Coded {
                    system: ACT_REASON.to_owned(),
                    code: caller.purpose.code().to_owned(),
                }],
            },
            ihe_pcf: IhePcf {
                patient_id: format!("{base}/Patient/{patient}"),
                doc_id: enforced
                    .iter()
                    .map(|(own, _)| format!("{base}/Consent/{}", own.id))
                    .collect(),
                residual,
            },
        })
    }

    fn written(&self, entry: &ResidualEntry) -> ResidualRule {
        let labels = entry.labels.iter().map(Label::to_coding);
        ResidualRule {
            rule: match entry.rule {
                ResidualType::Forbid => "forbid",
                ResidualType::Permit => "permit",
            },
            security_label: labels
                .map(|coding| Coded { system: coding.system, code: coding.code })
                .collect(),
            data_period: entry.data_period.map(period),
            data: entry.data.iter().map(|clause| self.data(clause)).collect(),
        }
    }

    fn data(&self, clause: &DataClause) -> ResidualData {
        let reference = match &clause.reference {
            Who::Reference(own) if own.contains("://") => Named::Reference(own.clone()),
            Who::Reference(own) => Named::Reference(format!("{}/{own}", self.settings.filed.base)),
            Who::Identifier(own) => {
                Named::Identifier { system: own.system.clone(), value: own.value.clone() }
            }
        };
        let meaning = match clause.meaning {
            DataMeaning::Instance => "instance",
            DataMeaning::Related => "related",
            DataMeaning::Dependents => "dependents",
            DataMeaning::AuthoredBy => "authoredby",
        };
        ResidualData { meaning, reference }
    }
}

/// Forbids everything, and permits nothing that could override it.
fn nothing() -> Vec<ResidualRule> {
    vec![ResidualRule {
        rule: "forbid",
        security_label: Vec::new(),
        data_period: None,
        data: Vec::new(),
    }]
}

const fn is_of_pcf(dialect: Dialect) -> bool {
    matches!(
        dialect,
        Dialect::PcfBasic | Dialect::PcfIntermediate | Dialect::PcfAdvanced | Dialect::PcfImplicit
    )
}

/// FHIR R4 Period: the end is inside, while ours is the first instant after.
fn period(own: Period) -> ResidualPeriod {
    let last = |end: At| At::from_micros(end.as_micros() - 1).to_rfc3339();
    ResidualPeriod { start: own.start.map(At::to_rfc3339), end: own.end.map(last) }
}
