//! What cross-crate tests stand on: the built binary as a process, a person with a browser that
//! has no JavaScript, and a SMART app.

pub mod bench;
pub mod browser;
pub mod demo_world;
pub mod fhir_server;
pub mod gateway_cases;
pub mod gateway_world;
pub mod grpc;
pub mod http_client;
pub mod leaks;
pub mod process;
pub mod receiver;
pub mod signing;
pub mod smart_app;
