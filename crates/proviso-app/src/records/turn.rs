//! Turns of conditional creates and updates: two of them with the same criteria must not both find
//! nothing and both create. There is one turn for each type, held from the look to the commit.
//!
//! TRUST: whoever holds a turn keeps others waiting, so nobody holds one for long. What a request
//! may look at under it is bounded by a count for each criterion and by time for all of them.

use std::collections::BTreeSet;

use proviso_core::resource_type::ResourceType;
use proviso_core::time::At;
use tokio::sync::{Mutex, MutexGuard};

use super::{RecordFault, Records};

/// LIMIT: seconds for which criteria and references of one request are looked up.
const LOOKS_SECS_MAX: i64 = 1;

static TURNS: [Mutex<()>; ResourceType::COUNT] =
    [const { Mutex::const_new(()) }; ResourceType::COUNT];

/// The turn of a request, until it is dropped: commit what was prepared under it, or drop it,
/// before the next one is taken.
#[derive(Debug)]
pub(super) struct Turn {
    _of_types: Vec<MutexGuard<'static, ()>>,
    until: At,
}

impl Records {
    /// Waits for the turn of these types. They are taken in one order by everybody, so two requests
    /// never wait for each other.
    pub(super) async fn turn(&self, types: &BTreeSet<ResourceType>) -> Turn {
        let mut held = Vec::with_capacity(types.len());
        for resource_type in types {
            if let Some(turn) = TURNS.get(resource_type.index()) {
                held.push(turn.lock().await);
            }
        }
        Turn { _of_types: held, until: self.clock.now().plus_secs(LOOKS_SECS_MAX) }
    }

    /// Whether there is time left to look something up.
    pub(super) fn in_time(&self, turn: &Turn) -> Result<(), RecordFault> {
        if self.clock.now() < turn.until { Ok(()) } else { Err(RecordFault::TooCostly) }
    }
}
