//! A client of HTTP/2 that is written by hand, frame by frame: it says what no library would.

use std::{io, net::SocketAddr, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

/// What a client of HTTP/2 says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Longest that anything is waited for.
const LONG: Duration = Duration::from_secs(120);

/// Kinds of frames (RFC 9113 §6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const PRIORITY: u8 = 2;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const PING: u8 = 6;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
    /// One that no specification knows.
    pub(in super::super) const UNKNOWN: u8 = 0xbe;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in super::super) const END_STREAM: u8 = 1;
    pub(in super::super) const END_HEADERS: u8 = 4;
}

/// What a PING asks.
const QUESTION: &[u8; 8] = b"question";

/// The setting of the window that each stream begins with.
pub(super) const INITIAL_WINDOW: u16 = 4;

/// A frame that came.
#[derive(Debug)]
struct Frame {
    kind: u8,
    payload: Bytes,
}

/// How a connection stands after everything was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The server answered a question that was asked last.
    Open,
    /// It said why it ends.
    GoAway(u32),
    /// It was closed without a word, or the word was lost with what was under way.
    Cut,
}

/// What became of a flood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flooded {
    /// Pieces that the machine took to send.
    pub(super) sent: usize,
    pub(super) end: End,
}

/// The bytes of a frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a call, as HPACK writes it: literals that enter no table.
pub(super) fn head(path: &str) -> Vec<u8> {
    // POST and http, from the static table.
    let mut block = vec![0x83, 0x86];
    for (name, value) in [(&[0x04][..], path), (&[0x01], "localhost"), (&[0x0f, 0x10], GRPC)] {
        block.extend(name);
        text(&mut block, value);
    }
    block.push(0);
    text(&mut block, "te");
    text(&mut block, "trailers");
    block
}

const GRPC: &str = "application/grpc";

fn text(block: &mut Vec<u8>, text: &str) {
    assert!(text.len() < 127, "a longer length has more bytes");
    block.push(text.len() as u8);
    block.extend(text.as_bytes());
}

/// A message with the five bytes in front that gRPC puts there.
fn message(message: &impl prost::Message) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    bytes.extend(message.encode_to_vec());
    bytes
}

/// A whole call: its head and its message.
pub(super) fn call(stream: u32, path: &str, request: &impl prost::Message) -> Vec<u8> {
    [begin(stream, path), frame(kind::DATA, flag::END_STREAM, stream, &message(request))].concat()
}

/// The head of a call whose message is to follow.
pub(super) fn begin(stream: u32, path: &str) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, &head(path))
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    input: Input,
    output: OwnedWriteHalf,
}

#[derive(Debug)]
struct Input {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

impl Wire {
    /// Connects, and sends the preface with these settings.
    pub(super) async fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> io::Result<Self> {
        let (half, output) = TcpStream::connect(address).await?.into_split();
        let mut wire = Self { input: Input { half, buffer: BytesMut::new() }, output };
        let mut payload = Vec::new();
        for (key, value) in settings {
            payload.extend(key.to_be_bytes());
            payload.extend(value.to_be_bytes());
        }
        wire.say(PREFACE).await?;
        wire.say(&frame(kind::SETTINGS, 0, 0, &payload)).await?;
        Ok(wire)
    }

    /// Sends bytes, whatever they are.
    pub(super) async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(LONG, self.output.write_all(bytes)).await.expect("the server takes nothing")
    }

    /// Sends bytes and a PING behind them; whether that was answered. The server has taken up by then
    /// what was said before.
    pub(super) async fn ask(&mut self, bytes: &[u8]) -> bool {
        let ping = frame(kind::PING, 0, 0, QUESTION);
        if self.say(&[bytes, &ping].concat()).await.is_err() {
            return false;
        }
        let answered = async {
            while let Some(frame) = self.input.next().await {
                if frame.kind == kind::PING && frame.payload == QUESTION[..] {
                    return true;
                }
            }
            false
        };
        timeout(LONG, answered).await.expect("neither answer nor end")
    }

    /// Says a piece again and again, reading what is answered, until all is said or the server ends
    /// it. Whether it did is asked by a last PING, which is answered in its turn.
    pub(super) async fn flood(self, times: usize, piece: impl FnMut(usize) -> Vec<u8>) -> Flooded {
        let Self { mut input, mut output } = self;
        let answers = tokio::spawn(async move {
            let mut end = End::Cut;
            while let Some(frame) =
                timeout(LONG, input.next()).await.expect("neither answer nor end")
            {
                match frame.kind {
                    kind::GOAWAY => end = End::GoAway((&frame.payload[4..]).get_u32()),
                    kind::PING if frame.payload == QUESTION[..] => return End::Open,
                    _ => {}
                }
            }
            end
        });
        let mut sent = say_all(&mut output, times, piece).await;
        if output.write_all(&frame(kind::PING, 0, 0, QUESTION)).await.is_err() {
            sent = sent.min(times);
        }
        let end = answers.await.unwrap();
        drop(output);
        Flooded { sent, end }
    }

    /// The same from a client that reads nothing: it has no end but that the server closes.
    pub(super) async fn flood_unread(mut self, piece: &[u8]) -> usize {
        let all = say_all(&mut self.output, usize::MAX, |_| piece.to_vec());
        timeout(LONG, all).await.expect("the server lets a client go on that takes nothing")
    }
}

impl Input {
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.buffer.get(..9) {
                let length =
                    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if self.buffer.len() >= 9 + length {
                    let mut bytes = self.buffer.split_to(9 + length).freeze();
                    let kind = bytes[3];
                    bytes.advance(9);
                    return Some(Frame { kind, payload: bytes });
                }
            }
            if self.half.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}

/// Pieces that were said until the server closed, some KiB by each call of the system.
async fn say_all(
    output: &mut OwnedWriteHalf,
    times: usize,
    mut piece: impl FnMut(usize) -> Vec<u8>,
) -> usize {
    let (mut gathered, mut count) = (Vec::new(), 0);
    for at in 0..times {
        gathered.extend(piece(at));
        count += 1;
        if gathered.len() < 16 << 10 && at + 1 < times {
            continue;
        }
        if output.write_all(&gathered).await.is_err() {
            return at + 1 - count;
        }
        gathered.clear();
        count = 0;
    }
    times
}
