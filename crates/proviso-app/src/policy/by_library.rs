//! A set as Cedar's own authorizer answers it, every policy asked: what the quicker ways of this
//! module are compared with.

use cedar_policy::{Authorizer, Decision, Entities, Request};
use proviso_core::org::OrgQuestion;

use super::compile::PolicySet;

/// Every policy of a set in the library's own hands.
#[derive(Debug)]
pub struct ByLibrary<'a> {
    set: &'a PolicySet,
    all: cedar_policy::PolicySet,
    authorizer: Authorizer,
}

/// A question as the library takes it.
#[derive(Debug)]
pub struct Put {
    request: Request,
    entities: Entities,
}

impl PolicySet {
    /// The set for the library; `None` when its policies make none.
    pub fn by_library(&self) -> Option<ByLibrary<'_>> {
        let policies = self.rules.iter().map(|rule| rule.policy.clone());
        let all = cedar_policy::PolicySet::from_policies(policies).ok()?;
        Some(ByLibrary { set: self, all, authorizer: Authorizer::new() })
    }
}

impl ByLibrary<'_> {
    /// A question, ready to be asked; `None` when it cannot be put.
    pub fn put(&self, question: &OrgQuestion) -> Option<Put> {
        let (request, entities) = self.set.words.ask(question, None).ok()?;
        Some(Put { request, entities })
    }

    /// Whether it is permitted. A policy that fails denies, as everywhere here.
    pub fn permits(&self, put: &Put) -> bool {
        let response = self.authorizer.is_authorized(&put.request, &self.all, &put.entities);
        response.decision() == Decision::Allow && response.diagnostics().errors().next().is_none()
    }
}
