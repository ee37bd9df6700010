//! Little that comes to much: compressed messages, and headers that refer to headers.

use std::io::Write as _;

use bytes::{BufMut, Bytes, BytesMut};
use deskplane_proto::v1::GetProfileRequest;
use flate2::{Compression, write::GzEncoder};
use futures_util::{StreamExt as _, stream};
use http_body_util::Full;
use prost::Message as _;
use tonic::{Code, Status, body::Body, transport::Channel};
use tower::{Service as _, ServiceExt as _};

use super::{
    floods,
    siege::Siege,
    sizes,
    wire::{flag, frame, head, kind},
};

/// Calls at a time.
const AT_A_TIME: usize = 32;

/// A message of so many bytes, compressed and framed.
fn bomb(size: usize) -> Bytes {
    let message = GetProfileRequest { name: "x".repeat(size) }.encode_to_vec();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&message).unwrap();
    let bytes = encoder.finish().unwrap();
    let mut frame = BytesMut::new();
    frame.put_u8(1);
    frame.put_u32(bytes.len().try_into().unwrap());
    frame.put_slice(&bytes);
    frame.freeze()
}

async fn post(mut channel: Channel, body: Bytes) -> Code {
    let request = http::Request::post("/deskplane.v1.ProfileService/GetProfile")
        .header("content-type", "application/grpc")
        .header("grpc-encoding", "gzip")
        .body(Body::new(Full::new(body)))
        .unwrap();
    let answer = channel.ready().await.unwrap().call(request).await.unwrap();
    Status::from_header_map(answer.headers()).expect("refused before any message").code()
}

async fn gzip_bombs((calls, size): (usize, usize)) {
    let siege = Siege::lay(&[]).await;
    let (bomb, channel) = (bomb(size), siege.connect().await);
    let name = format!("{calls} messages of {} MiB in {} KiB", size >> 20, bomb.len() >> 10);
    let all = stream::iter(0..calls)
        .map(|_| post(channel.clone(), bomb.clone()))
        .buffer_unordered(AT_A_TIME)
        .all(async |code| code == Code::ResourceExhausted);
    assert!(siege.during(&name, all).await, "another answer than that they are too large");
    drop(channel);
    siege.lift().await;
}

/// A value of 4 000 bytes that enters the table, and a reference to it for each further byte.
async fn hpack_bombs(size: floods::Size) {
    let mut block = head("/deskplane.v1.AgentService/ResolveProfile");
    block.extend(b"\x40\x01x\x7f\xa1\x1e");
    block.extend([b'y'; 4_000]);
    block.extend([0xbe; 12_000]);
    floods::refused(size, "headers of 48 MB in 16 KB", &[], |at| {
        frame(kind::HEADERS, flag::END_HEADERS, 2 * at as u32 + 1, &block)
    })
    .await;
}

sizes! {
    gzip_bombs: (64, 16 << 20), (1_000, 64 << 20);
    hpack_bombs: super::floods::Size { frames: 50, ..super::floods::SMALL },
        super::floods::Size { frames: 2_000, ..super::floods::FULL };
}
