//! The frames of an HTTP/2 connection, counted as its bytes are read.
//!
//! HTTP/2 bounds by itself what costs memory: streams, resets that wait, empty DATA frames, header
//! blocks. It does not bound frames that are work and nothing else (PING, SETTINGS, WINDOW_UPDATE,
//! PRIORITY, resets of streams that were taken up, frames of no known kind), and all other
//! connections of an event loop wait meanwhile. So these are limited for each ten seconds. What is
//! sent to a peer earns it further ones: a client that receives much measures its bandwidth by PING
//! and enlarges windows.
//!
//! Nothing is kept of a frame but where it ends. HTTP/1.1 is recognised by the first bytes and is
//! not looked at.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::{ConnectionMeters, Limits};

/// What a client of HTTP/2 sends first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes in front of the payload of each frame (RFC 9113 §4.1).
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Time for which control frames are counted.
const INTERVAL: Duration = Duration::from_secs(10);
/// Bytes sent to the peer that earn it one control frame. The answer to a PING has 17.
const BYTES_A_FRAME: u64 = 32;

/// A limit that a peer passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Passed {
    /// Too many control frames.
    #[error("too many control frames")]
    ControlFrames,
    /// The headers of a call do not come to their end.
    #[error("headers that do not end")]
    Head,
}

/// An I/O object whose frames are counted; reading from it fails once a limit is passed.
#[derive(Debug)]
pub(super) struct Counted<T> {
    io: T,
    frames: Frames,
    meters: ConnectionMeters,
}

impl<T> Counted<T> {
    pub(super) fn new(io: T, limits: &Limits, meters: ConnectionMeters) -> Self {
        Self { io, frames: Frames::new(limits.control_frames, limits.head_time), meters }
    }

    /// What the frames are read from.
    pub(super) fn get(&self) -> &T {
        &self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        let passed = match this.frames.read(&buf.filled()[before..]) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(passed) => passed,
        };
        match passed {
            Passed::ControlFrames => this.meters.flood.increment(1),
            Passed::Head => this.meters.slow_head.increment(1),
        }
        Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, passed)))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.frames.sent += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Where the next byte belongs.
#[derive(Debug)]
enum At {
    /// To the preface, of which so many bytes have come.
    Preface(usize),
    /// To the head of a frame, of which so many bytes have come.
    Head([u8; HEAD], usize),
    /// To the payload of a frame, of which so many bytes are to come.
    Payload(usize),
    /// To another protocol.
    Elsewhere,
}

/// The frames of one connection, as far as they have come.
#[derive(Debug)]
struct Frames {
    at: At,
    /// Most control frames in an interval.
    most: u64,
    /// Longest that the headers of a call may take to come.
    head_time: Duration,
    /// Since when control frames are counted.
    since: Instant,
    /// Control frames since then.
    control: u64,
    /// Bytes sent to the peer since then.
    sent: u64,
    /// Whether the frame that comes belongs to headers, and whether further ones of them follow it.
    headers: (bool, bool),
    /// When headers began of which the end has not come.
    headers_since: Option<Instant>,
}

impl Frames {
    fn new(most: u32, head_time: Duration) -> Self {
        Self {
            at: At::Preface(0),
            most: most.into(),
            head_time,
            since: Instant::now(),
            control: 0,
            sent: 0,
            headers: (false, false),
            headers_since: None,
        }
    }

    /// Takes bytes that were read.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Passed> {
        while !bytes.is_empty() {
            let taken = match &mut self.at {
                At::Elsewhere => return Ok(()),
                At::Preface(come) => {
                    let rest = &PREFACE[*come..];
                    let taken = rest.len().min(bytes.len());
                    *come += taken;
                    if rest[..taken] != bytes[..taken] {
                        self.at = At::Elsewhere;
                    } else if *come == PREFACE.len() {
                        self.at = At::Head([0; HEAD], 0);
                    }
                    taken
                }
                At::Head(head, come) => {
                    let taken = (HEAD - *come).min(bytes.len());
                    head[*come..*come + taken].copy_from_slice(&bytes[..taken]);
                    *come += taken;
                    if *come == HEAD {
                        let head = *head;
                        self.begin(head)?;
                    }
                    taken
                }
                At::Payload(left) => {
                    let taken = (*left).min(bytes.len());
                    *left -= taken;
                    if *left == 0 {
                        self.end();
                    }
                    taken
                }
            };
            bytes = &bytes[taken..];
        }
        self.check_headers()
    }

    /// A frame begins.
    fn begin(&mut self, head: [u8; HEAD]) -> Result<(), Passed> {
        let [high, middle, low, kind, flags, ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let is_control = match kind {
            DATA => length == 0 && flags & END_STREAM == 0,
            HEADERS | CONTINUATION => {
                self.headers = (true, flags & END_HEADERS == 0);
                false
            }
            _ => true,
        };
        if is_control {
            self.control += 1;
            if self.control > self.most + self.sent / BYTES_A_FRAME {
                self.next_interval()?;
            }
        }
        self.at = At::Payload(length);
        if length == 0 {
            self.end();
        }
        Ok(())
    }

    /// The payload of a frame has come.
    fn end(&mut self) {
        self.headers.0 = false;
        self.at = At::Head([0; HEAD], 0);
    }

    /// More control frames came than an interval may have; none if it took longer than one.
    fn next_interval(&mut self) -> Result<(), Passed> {
        if self.since.elapsed() < INTERVAL {
            return Err(Passed::ControlFrames);
        }
        (self.since, self.control, self.sent) = (Instant::now(), 0, 0);
        Ok(())
    }

    /// Whether headers that have begun still have time. A peer that says nothing more is not seen
    /// here; the PING that it does not answer ends it.
    fn check_headers(&mut self) -> Result<(), Passed> {
        if self.headers == (false, false) {
            self.headers_since = None;
            return Ok(());
        }
        let since = *self.headers_since.get_or_insert_with(Instant::now);
        if since.elapsed() > self.head_time { Err(Passed::Head) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
