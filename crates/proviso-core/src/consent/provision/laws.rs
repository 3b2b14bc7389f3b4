//! The laws of the provision engine.
