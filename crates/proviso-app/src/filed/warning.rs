//! Where readings of one consent part, in words: what the person who records it is shown.

use std::collections::BTreeSet;

use proviso_core::consent::provision::{
    Coding, Dialect, Difference, Directive, Fact, Fallback, Identities, Purpose, Rule, Who, compare,
};
use proviso_core::reason::Language;
use proviso_core::time::Period;

/// A case on which readings of a consent part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialectWarning {
    /// The reading that the consent asks for.
    pub asked: Dialect,
    /// The case, and what each reading says of it.
    pub difference: Difference,
}

/// The cases on which another reading than the one asked for would decide otherwise.
pub fn warnings(directive: &Directive) -> Vec<DialectWarning> {
    let asked = directive.dialect();
    let comparison = compare(directive, Dialect::ALL, Fallback::Deny);
    comparison
        .differences
        .into_iter()
        .map(|difference| DialectWarning { asked, difference })
        .collect()
}

impl DialectWarning {
    /// What the reading that is asked for does with the record of the case.
    pub fn own_rule(&self) -> Rule {
        self.rule_of(self.asked).unwrap_or(Rule::Deny)
    }

    fn rule_of(&self, dialect: Dialect) -> Option<Rule> {
        self.difference.answers.iter().find(|(own, ..)| *own == dialect).map(|(.., rule)| *rule)
    }

    /// The readings that decide otherwise.
    pub fn others(&self) -> Vec<Dialect> {
        let own = self.own_rule();
        let answers = self.difference.answers.iter();
        answers.filter(|(_, _, rule)| *rule != own).map(|(dialect, ..)| *dialect).collect()
    }

    /// The case in a few plain sentences.
    pub fn text(&self, language: Language) -> String {
        let others: Vec<&str> = self.others().iter().map(|own| own.code()).collect();
        let (own, others) = (self.asked.code(), others.join(", "));
        let shared = self.own_rule() == Rule::Permit;
        let case = self.case(language);
        match (language, shared) {
            (Language::English, true) => format!(
                "As this consent is read here ({own}), the record of this example is shared. Read \
                 in another way ({others}), it is kept back. {case}"
            ),
            (Language::English, false) => format!(
                "As this consent is read here ({own}), the record of this example is kept back. \
                 Read in another way ({others}), it is shared. {case}"
            ),
            (Language::Spanish, true) => format!(
                "Tal como se lee aquí este consentimiento ({own}), el registro del ejemplo se \
                 comparte. Leído de otra manera ({others}), se reserva. {case}"
            ),
            (Language::Spanish, false) => format!(
                "Tal como se lee aquí este consentimiento ({own}), el registro del ejemplo se \
                 reserva. Leído de otra manera ({others}), se comparte. {case}"
            ),
        }
    }

    fn case(&self, language: Language) -> String {
        let Difference { request, record, .. } = &self.difference;
        let asker = who_of(&request.asker, language);
        let purpose = match &request.purpose {
            Fact::Known(Purpose::Hl7(code)) => code.code().to_owned(),
            Fact::Known(Purpose::Foreign(coding)) => coding.code.clone(),
            Fact::Unknown => "?".to_owned(),
        };
        let at = request.at;
        let mut facts = vec![labels_of(self, language), times_of(self, language)];
        let codings = |fact: &Fact<BTreeSet<Coding>>| -> Vec<String> {
            fact.known().into_iter().flatten().map(|own| own.code.clone()).collect()
        };
        let kinds: Vec<String> =
            codings(&record.classes).into_iter().chain(codings(&record.codes)).collect();
        if !kinds.is_empty() {
            facts.push(match language {
                Language::English => format!("its kind or code is {}", kinds.join(", ")),
                Language::Spanish => format!("su tipo o código es {}", kinds.join(", ")),
            });
        }
        facts.extend(relation_of(self, language));
        let facts = facts.join("; ");
        match language {
            Language::English => {
                format!("The example: {asker} asks on {at} for {purpose}. The record: {facts}.")
            }
            Language::Spanish => {
                format!("El ejemplo: {asker} pide el {at} para {purpose}. El registro: {facts}.")
            }
        }
    }
}

fn name(who: &Who) -> String {
    match who {
        Who::Reference(text) => text.clone(),
        Who::Identifier(id) => format!("{}|{}", id.system, id.value),
    }
}

fn who_of(identities: &Identities, language: Language) -> String {
    match (identities.known.first(), language) {
        (Some(who), _) => name(who),
        (None, Language::English) => "somebody whom the consent does not name".to_owned(),
        (None, Language::Spanish) => "alguien a quien el consentimiento no nombra".to_owned(),
    }
}

fn labels_of(warning: &DialectWarning, language: Language) -> String {
    let Fact::Known(labels) = &warning.difference.record.labels else {
        return match language {
            Language::English => "nobody has said yet whether it is sensitive".to_owned(),
            Language::Spanish => "nadie ha dicho aún si es delicado".to_owned(),
        };
    };
    let codes: Vec<String> = labels.labels().map(|label| label.to_coding().code).collect();
    match (language, codes.is_empty()) {
        (Language::English, true) => "it carries no label".to_owned(),
        (Language::Spanish, true) => "no lleva ninguna etiqueta".to_owned(),
        (Language::English, false) => format!("it is labelled {}", codes.join(", ")),
        (Language::Spanish, false) => format!("lleva las etiquetas {}", codes.join(", ")),
    }
}

fn times_of(warning: &DialectWarning, language: Language) -> String {
    let Fact::Known(Period { start, end }) = &warning.difference.record.clinical else {
        return match language {
            Language::English => "its date is not known".to_owned(),
            Language::Spanish => "no se conoce su fecha".to_owned(),
        };
    };
    let open = "…".to_owned();
    let text = |bound: &Option<proviso_core::time::At>| {
        bound.map_or_else(|| open.clone(), |at| at.to_string())
    };
    match language {
        Language::English => format!("it is from {} to {}", text(start), text(end)),
        Language::Spanish => format!("es del {} al {}", text(start), text(end)),
    }
}

fn relation_of(warning: &DialectWarning, language: Language) -> Option<String> {
    let record = &warning.difference.record;
    let first = |fact: &Fact<BTreeSet<Who>>| fact.known().and_then(|all| all.first()).map(name);
    let english = language == Language::English;
    if let Some(target) = first(&record.refers_to) {
        let text = if english { "it refers to" } else { "se refiere a" };
        return Some(format!("{text} {target}"));
    }
    if let Some(source) = first(&record.referred_by) {
        let text = if english { "it is referred to by" } else { "a él se refiere" };
        return Some(format!("{text} {source}"));
    }
    let author = record.authors.known().and_then(|all| all.known.first()).map(name)?;
    let text = if english { "it was written by" } else { "lo escribió" };
    Some(format!("{text} {author}"))
}
