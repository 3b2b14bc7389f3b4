//! The authorization server from sign-in to revocation, over the in-memory store.

// Marked as test code, so that lints know that failing loudly is the point.
#[cfg(test)]
mod at_rest;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod authorize;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod world;
