//! FHIR Consent, R4 and R5, as a directive for the provision engine, and back.
//!
//! [`read`] turns a Consent into what it says: a [`Header`] and a `Directive`. What could matter to
//! its meaning and is not understood refuses the whole Consent, with every reason and its place;
//! what cannot matter (narrative, displays, plain extensions, identifiers of elements) is kept as it
//! came, so that [`write_r4`] and [`write_r5`] lose nothing. The version is an argument: R4 and R5
//! share names for elements that mean different things, so it is never guessed.
//!
//! Knows FHIR's elements, in both versions, and the profiles of IHE PCF and HL7 FAST. Does not
//! evaluate a directive, does not know who asks, and keeps no clock: the zone of dates without an
//! offset is an argument as well.
//!
//! Sources: FHIR R4 (4.0.1) and R5 (5.0.0) Consent, FHIR cross-version extensions, IHE PCF, HL7 FAST
//! Consent Management.

mod dialects;
#[macro_use]
mod fault;
mod header;
mod kept;
mod profile;
mod read;
mod read_header;
mod read_provision;
mod read_value;
mod record;
mod values;
mod write;
mod write_provision;
mod zone;

#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use proviso_core::consent::provision::{Dialect, Directive, Provision};

pub use dialects::profile_of as dialect_profile;
pub use fault::{ConsentRefusal, Fault, FaultCode, WriteFaultCode, WriteRefusal};
pub use header::{
    BusinessId, Concept, ConsentDate, ConsentScopeCode, Header, Policy, Reference, Source, Status,
    Verification,
};
pub use profile::{Clause, Profile, ProjectionRefusal, check_profile, project};
pub use read::read;
pub use record::record_facts;
pub(crate) use values::period as period_text;
pub use write::{write_r4, write_r5};
pub use zone::Zone;

use kept::Kept;

/// The FHIR version of a Consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// 4.0.1
    R4,
    /// 5.0.0
    R5,
}

/// What a reader has to know of this site.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Our FHIR base without a slash at the end; a reference that starts with it is ours.
    pub own_base: &'a str,
    /// Code systems beyond HL7's whose labels, purposes and actions this site assigns itself. The
    /// same set belongs into `RequestFacts::understood`.
    pub understood: &'a BTreeSet<String>,
    /// Policies that name a reading by their address.
    pub policies: &'a [(&'a str, Dialect)],
}

/// A Consent that has been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadConsent {
    header: Header,
    directive: Directive,
    kept: Kept,
}

impl ReadConsent {
    /// A consent that came from elsewhere than a FHIR resource. Where neither a profile nor a policy
    /// names the reading, the profile is added that does.
    pub fn new(mut header: Header, directive: Directive) -> Self {
        if dialects::named(&header.profiles, &header.policies, &[]) != Ok(Some(directive.dialect()))
            && let Some(profile) = dialects::profile_of(directive.dialect())
            && !header.profiles.iter().any(|one| one == profile)
        {
            header.profiles.push(profile.into());
        }
        Self { header, directive, kept: Kept::default() }
    }

    /// What it says beside its provisions.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// What it directs.
    pub const fn directive(&self) -> &Directive {
        &self.directive
    }

    /// What it directs, if that is to be enforced: when it is active and about sharing. Its periods
    /// are a part of the directive.
    pub fn enforced(&self) -> Option<&Directive> {
        let enforced = self.header.status == Status::Active && self.header.scope.is_about_sharing();
        enforced.then_some(&self.directive)
    }

    /// The same consent in the words that both versions share: roles as R5 names them, and the
    /// answer of R5's `decision` as the rule of a root without limits, where it is read as that.
    #[must_use]
    pub fn canonical(self) -> Self {
        let header = self.header.canonical();
        let (base, dialect) = (self.directive.base(), self.directive.dialect());
        let Some(rule) = base.filter(|_| dialects::has_root(dialect)) else {
            return Self { header, directive: self.directive, kept: self.kept };
        };
        let mut root = Provision::new(rule);
        root.children = self.directive.provisions().to_vec();
        let unreadable = self.directive.unreadable().to_vec();
        match Directive::new(dialect, None, Vec::from([root]), unreadable) {
            Ok(directive) => Self { header, directive, kept: self.kept.under_root() },
            // LIMIT: at the greatest depth there is no room for one more level.
            Err(_) => Self { header, directive: self.directive, kept: self.kept },
        }
    }
}
