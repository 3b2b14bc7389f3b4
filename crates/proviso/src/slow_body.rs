//! A request body that must arrive in time.
//!
//! TRUST: a peer that sends one byte a minute would otherwise hold a connection, and what waits
//! behind it, for as long as it likes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body did not arrive in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body took too long")]
pub struct TooSlow;

/// A body that ends in an error when it is not whole within a time.
#[derive(Debug)]
pub struct SlowBody {
    body: Incoming,
    within: Duration,
    /// Runs from the first look at the body; a request without one never starts it.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl SlowBody {
    /// Gives a body so long, from the moment at which it is first read.
    pub const fn new(body: Incoming, within: Duration) -> Self {
        Self { body, within, deadline: None }
    }
}

impl Body for SlowBody {
    type Data = Bytes;
    type Error = BoxError;

    #[expect(clippy::disallowed_methods, reason = "a deadline inside a poll function")]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let within = self.within;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(within)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(BoxError::from(TooSlow)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
