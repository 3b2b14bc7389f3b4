//! When a refusal leaves that could tell by its time whether something is hidden (leak 4).
//!
//! To look at a hidden record, judge it and name its patient in the log takes some tens of
//! microseconds more than to find nothing. So an answer that says "not there" waits for the next beat,
//! a multiple of a few milliseconds after the request came, and from there to a random point before
//! the one after: what is left of a difference, in caches and in how fast a thread wakes, is small
//! beside that. It is in the log before it waits, ready to be sent, and holds nothing that could be
//! out of date.

use core::time::Duration;

use http::StatusCode;
use proviso_core::id::IdEntropy;
use tokio::time::Instant;

/// How much longer the beat is for each answer within a batch: a hundred differences add up.
const EACH: Duration = Duration::from_millis(1);

/// The beat of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    started: Instant,
    length: Duration,
}

/// Whether a status could tell that something is not there.
pub(crate) fn may_tell(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::GONE
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::UNPROCESSABLE_ENTITY
    )
}

impl Beat {
    /// The beat of a request that came just now; none where the length is nothing.
    pub(crate) fn begin(length: Duration) -> Option<Self> {
        (!length.is_zero()).then(|| Self { started: Instant::now(), length })
    }

    /// Waits for a random point in the next one, where so many answers could tell something.
    pub(crate) async fn keep(self, telling: usize, entropy: IdEntropy) {
        let Some(more) = telling.checked_sub(1) else { return };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let length = self.length.saturating_add(EACH.saturating_mul(more));
        let due = next(self.started.elapsed(), length) + part(length, entropy);
        tokio::time::sleep_until(self.started + due).await;
    }
}

/// A random part of a length.
fn part(length: Duration, entropy: IdEntropy) -> Duration {
    let [a, b, c, d, ..] = entropy;
    length.mul_f64(f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX))
}

/// The first multiple of a length that is not over yet.
fn next(elapsed: Duration, length: Duration) -> Duration {
    let over = elapsed.as_nanos() / length.as_nanos().max(1);
    let beats = u32::try_from(over + 1).unwrap_or(u32::MAX);
    length.saturating_mul(beats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_on_the_beat_whenever_it_was_ready() {
        let millis = Duration::from_millis;
        for (elapsed, length, due) in [(0, 5, 5), (1, 5, 5), (4, 5, 5), (5, 5, 10), (12, 5, 15)] {
            assert_eq!(next(millis(elapsed), millis(length)), millis(due), "{elapsed}");
        }
    }

    #[test]
    fn a_random_part_is_any_from_nothing_to_all() {
        let length = Duration::from_millis(5);
        assert_eq!(part(length, [0; 10]), Duration::ZERO);
        assert_eq!(part(length, [0xff; 10]), length);
        let half = part(length, [0, 0, 0, 0x80, 9, 9, 9, 9, 9, 9]);
        assert!(half > Duration::from_micros(2_499) && half < Duration::from_micros(2_501));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_waits_and_what_is_does_not() {
        let (first, last) = ([0; 10], [0xff; 10]);
        let beat = Beat::begin(Duration::from_millis(5)).unwrap();
        let started = Instant::now();
        beat.keep(0, last).await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        beat.keep(1, first).await;
        assert_eq!(started.elapsed(), Duration::from_millis(5));
        let beat = Beat::begin(Duration::from_millis(5)).unwrap();
        beat.keep(1, last).await;
        assert_eq!(started.elapsed(), Duration::from_millis(5 + 10));
        let beat = Beat::begin(Duration::from_millis(5)).unwrap();
        beat.keep(200, first).await;
        assert_eq!(started.elapsed(), Duration::from_millis(15 + 204));
        assert!(Beat::begin(Duration::ZERO).is_none());
    }

    #[test]
    fn only_what_could_tell_that_something_is_not_there_waits() {
        for (status, telling) in
            [(200, false), (201, false), (304, false), (400, false), (401, false), (403, false)]
                .into_iter()
                .chain([(404, true), (410, true), (412, true), (422, true), (503, false)])
        {
            assert_eq!(may_tell(StatusCode::from_u16(status).unwrap()), telling, "{status}");
        }
    }
}
