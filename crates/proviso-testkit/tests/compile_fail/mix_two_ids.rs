//! A consent id is not a grant id.
use proviso_core::id::{ConsentId, GrantId};

fn end(_: &GrantId) {}

fn shortcut(consent: &ConsentId) {
    end(consent);
}

fn main() {}
