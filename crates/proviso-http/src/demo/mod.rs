//! The demonstration app.

pub(crate) mod view;
