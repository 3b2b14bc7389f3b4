//! Writes the reference page of cases on which the readings of published consents part:
//!
//!     cargo run -p proviso-core --example consent_disagreements > docs/src/reference/consent-disagreements.md
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "its own files are sound")]

use std::io::Write as _;

mod page;

fn main() {
    std::io::stdout().write_all(page::page().as_bytes()).unwrap();
}
