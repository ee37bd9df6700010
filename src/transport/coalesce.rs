//! Writes of a connection, gathered until its poll ends.
//!
//! HTTP/2 flushes after every DATA frame of 256 bytes and more, so a connection with many streams
//! makes a system call for each message. [`Coalesce`] takes these writes and flushes into a buffer;
//! the future around the connection calls [`Pending::drain`] after it, which writes them by one call.
//!
//! The buffer holds at most [`MAX_HELD`] bytes; a write beyond waits for the peer as it would
//! without the buffer. Between polls a connection whose peer keeps up holds no buffer at all: those
//! that are written out go to a pool of the thread.

use std::{
    cell::RefCell,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes that are held for one connection.
pub(super) const MAX_HELD: usize = 128 << 10;
/// Empty buffers that a thread keeps.
const POOLED: usize = 4;

thread_local! {
    static POOL: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An I/O object whose writes are held until they are drained.
pub(super) struct Coalesce<T>(Arc<Mutex<Held<T>>>);

/// What is held of the writes of a [`Coalesce`].
pub(super) struct Pending<T>(Arc<Mutex<Held<T>>>);

#[derive(Debug)]
struct Held<T> {
    io: T,
    bytes: Vec<u8>,
    /// Whether a write found no room.
    refused: bool,
}

impl<T> Coalesce<T> {
    /// Holds the writes to `io`; they reach it by the second value.
    pub(super) fn new(io: T) -> (Self, Pending<T>) {
        let held = Arc::new(Mutex::new(Held { io, bytes: Vec::new(), refused: false }));
        (Self(Arc::clone(&held)), Pending(held))
    }
}

impl<T: AsyncWrite + Unpin> Pending<T> {
    /// Writes what is held. While the peer takes no more, this is pending, and the rest is kept.
    pub(super) fn drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        held(&self.0).drain(cx)
    }

    /// Asks the I/O object.
    pub(super) fn with<R>(&self, ask: impl FnOnce(&T) -> R) -> R {
        ask(&held(&self.0).io)
    }

    /// Whether a write found no room since this was asked last. When all is drained the connection
    /// has to be polled again, for nobody else wakes it.
    pub(super) fn take_refused(&self) -> bool {
        std::mem::take(&mut held(&self.0).refused)
    }

    /// Bytes that are not written yet.
    pub(super) fn len(&self) -> usize {
        held(&self.0).bytes.len()
    }
}

/// The owner of the connection and the one that drains it are polled by one task, so nobody waits
/// for the lock.
fn held<T>(shared: &Mutex<Held<T>>) -> MutexGuard<'_, Held<T>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: AsyncWrite + Unpin> Held<T> {
    fn drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        while written < self.bytes.len() {
            match Pin::new(&mut self.io).poll_write(cx, &self.bytes[written..]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => written += count,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.keep_from(written);
                    return Poll::Pending;
                }
            }
        }
        release(std::mem::take(&mut self.bytes));
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// Takes bytes up to the bound; pending while there is no room.
    fn take(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.bytes.len() >= MAX_HELD {
            // Part of it may have gone although the rest is pending.
            if let Poll::Ready(Err(error)) = self.drain(cx) {
                return Poll::Ready(Err(error));
            }
            if self.bytes.len() >= MAX_HELD {
                self.refused = true;
                return Poll::Pending;
            }
        }
        if self.bytes.capacity() == 0 {
            let pooled = POOL.with_borrow_mut(Vec::pop);
            self.bytes = pooled.unwrap_or_else(|| Vec::with_capacity(MAX_HELD));
        }
        let before = self.bytes.len();
        for buf in bufs {
            let room = MAX_HELD - self.bytes.len();
            self.bytes.extend_from_slice(&buf[..buf.len().min(room)]);
        }
        Poll::Ready(Ok(self.bytes.len() - before))
    }

    /// Keeps the unwritten bytes alone, in a buffer of their size: a peer that does not read costs
    /// what waits for it.
    fn keep_from(&mut self, written: usize) {
        if written == 0 && self.bytes.len() == self.bytes.capacity() {
            return;
        }
        let rest = self.bytes[written..].to_vec();
        release(std::mem::replace(&mut self.bytes, rest));
    }
}

/// Gives a buffer to the pool of the thread, if it is one of the usual size and there is room.
fn release(mut bytes: Vec<u8>) {
    if bytes.capacity() != MAX_HELD {
        return;
    }
    bytes.clear();
    POOL.with_borrow_mut(|pool| {
        if pool.len() < POOLED {
            pool.push(bytes);
        }
    });
}

impl<T: AsyncRead + Unpin> AsyncRead for Coalesce<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut held(&self.0).io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Coalesce<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        held(&self.0).take(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        held(&self.0).take(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Done at once: what is held goes out when the poll of the connection ends.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut held = held(&self.0);
        ready!(held.drain(cx))?;
        Pin::new(&mut held.io).poll_shutdown(cx)
    }
}

impl<T> fmt::Debug for Coalesce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
