//! Sends the body of a reply at a limited rate, counts it, and ends it as a fault requires.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};

use super::connection::Connection;
use super::log::Ticket;

/// Distributes a number of bytes per second.
#[derive(Debug)]
pub(super) struct Limiter {
    rate: u64,
    free_at: Mutex<Instant>,
}

impl Limiter {
    pub(super) fn new(rate: u64) -> Self {
        Self {
            rate: rate.max(1),
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Returns the moment when these bytes will have been sent, if they come next.
    fn reserve(&self, bytes: usize) -> Instant {
        let nanos = u128::from(1_000_000_000_u64) * bytes as u128 / u128::from(self.rate);
        let mut free_at = self.free_at.lock();
        let start = (*free_at).max(Instant::now());
        *free_at = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        *free_at
    }

    /// Returns the size of a piece that takes about 20 ms.
    fn piece(&self) -> usize {
        usize::try_from(self.rate / 50)
            .unwrap_or(usize::MAX)
            .clamp(256, 256 << 10)
    }
}

/// The end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The body ends after its last byte.
    Whole,
    /// The connection closes after this many bytes.
    Closed(usize),
    /// The connection is reset after this many bytes.
    Reset(usize),
    /// Nothing comes after this many bytes.
    Stalled(usize),
}

pub(super) struct ReplyBody {
    data: Bytes,
    end: End,
    limiters: Vec<Arc<Limiter>>,
    wait: Option<Pin<Box<Sleep>>>,
    /// Number of bytes that may be sent when `wait` is over.
    allowed: usize,
    sent: usize,
    flushed: bool,
    connection: Arc<Connection>,
    ticket: Ticket,
}

impl ReplyBody {
    pub(super) fn new(
        data: Bytes,
        end: End,
        limiters: Vec<Arc<Limiter>>,
        connection: Arc<Connection>,
        ticket: Ticket,
    ) -> Self {
        Self {
            data,
            end,
            limiters,
            wait: None,
            allowed: 0,
            sent: 0,
            flushed: false,
            connection,
            ticket,
        }
    }

    /// Returns the number of bytes before the end or the fault.
    fn left(&self) -> usize {
        let whole = self.data.len() + self.sent;
        let stop = match self.end {
            End::Whole => whole,
            End::Closed(at) | End::Reset(at) | End::Stalled(at) => at.min(whole),
        };
        stop.saturating_sub(self.sent)
    }

    fn wait_until(&mut self, context: &mut Context<'_>, until: Instant) -> Poll<()> {
        let wait = self
            .wait
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if wait.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.wait = None;
        Poll::Ready(())
    }

    fn send(&mut self, length: usize) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.data.split_to(length);
        self.sent += length;
        self.ticket.add(length as u64);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.end == End::Whole {
            return Poll::Ready(None);
        }
        if !self.flushed {
            // Bytes that were handed over have to reach the wire before the connection ends.
            if self
                .wait_until(context, Instant::now() + Duration::from_millis(20))
                .is_pending()
            {
                return Poll::Pending;
            }
            self.flushed = true;
        }
        match self.end {
            End::Closed(_) => Poll::Ready(Some(Err(io::Error::other("cut by a fault")))),
            End::Reset(_) => {
                self.connection.reset();
                Poll::Pending
            }
            End::Stalled(_) | End::Whole => Poll::Pending,
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let left = self.left();
        if left == 0 {
            return self.poll_end(context);
        }
        if self.limiters.is_empty() {
            return self.send(left);
        }
        if self.allowed == 0 {
            let piece = self
                .limiters
                .iter()
                .map(|limiter| limiter.piece())
                .min()
                .unwrap_or(left);
            self.allowed = piece.min(left);
            let allowed = self.allowed;
            let until = self
                .limiters
                .iter()
                .map(|limiter| limiter.reserve(allowed))
                .max();
            let until = until.unwrap_or_else(Instant::now);
            self.wait = Some(Box::pin(tokio::time::sleep_until(until)));
        }
        if self.wait_until(context, Instant::now()).is_pending() {
            return Poll::Pending;
        }
        let allowed = std::mem::take(&mut self.allowed);
        self.send(allowed)
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Whole && self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.len() as u64)
    }
}
