//! `/oauth/authorize` and the pages behind it.

pub(crate) mod consent;
pub(crate) mod operational;
pub(crate) mod picker;
