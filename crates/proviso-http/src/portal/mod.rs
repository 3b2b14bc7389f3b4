//! The patient portal.

pub(crate) mod activity;
pub(crate) mod apps;
pub(crate) mod home;
pub(crate) mod person;
pub(crate) mod sentence;
