//! The authorization server from sign-in to revocation, over the in-memory store.

mod authorize;
mod sign_in;
mod tokens;
mod world;
