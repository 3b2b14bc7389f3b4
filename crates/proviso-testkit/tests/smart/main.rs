//! What public conformance suites ask of a SMART authorization server, asked of the built binary
//! over HTTP: the Inferno kits (SMART App Launch 2.2, ONC (g)(10), US Core granular scopes), the
//! rules of RFC 9700, and the SHALLs of SMART App Launch 2.2 that no suite checks.

mod backend;
mod discovery;
mod ehr_launch;
mod g10;
mod granular;
mod identity;
mod introspection;
mod key_sets;
mod launch_shalls;
mod refresh;
mod rules_requests;
mod rules_surface;
mod rules_tokens;
mod standalone;
mod time;
mod world;
