use std::task::Waker;

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};

use super::*;

fn refuse(_: Fault) -> Status {
    Status::resource_exhausted("no room")
}

fn answers(all: &Arc<Room>) -> Arc<Answers> {
    Answers::new(Arc::clone(all), refuse, ConnectionMeters::default())
}

/// An answer of so many bytes, as the transport hands it out.
fn answer(answers: &Arc<Answers>, bytes: usize) -> Response<Answer> {
    let body = Body::new(Full::from(vec![7; bytes]));
    let cx = &mut Context::from_waker(Waker::noop());
    Answer::begin(Response::new(body), answers.open(), cx)
}

fn is_refused(answer: &Response<Answer>) -> bool {
    let status = Status::from_header_map(answer.headers());
    status.is_some_and(|status| status.code() == tonic::Code::ResourceExhausted)
}

#[tokio::test]
async fn bytes_count_until_they_are_written() {
    let all = Arc::new(Room::new(1_000));
    let (one, other) = (answers(&all), answers(&all));
    let first = answer(&one, 400);
    assert_eq!(all.taken(), 400);
    assert!(is_refused(&answer(&one, 101)), "a connection has half of the room");
    let second = answer(&other, 500);
    assert!(!is_refused(&second) && is_refused(&answer(&other, 1)));
    // What was handed out is not written yet.
    let bytes = first.into_body().collect().await.unwrap().to_bytes();
    assert_eq!((bytes.len(), all.taken()), (400, 900));
    let (part, rest) = (bytes.slice(..10), bytes);
    drop(rest);
    assert_eq!(all.taken(), 900);
    drop((part, second));
    assert_eq!(all.taken(), 0);
    assert_eq!(one.open.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_answer_is_what_the_service_made() {
    let all = Arc::new(Room::new(1_000));
    let cx = &mut Context::from_waker(Waker::noop());
    // A body with its length, one without an end yet, one that failed, and none.
    let whole = answer(&answers(&all), 3);
    assert_eq!(whole.body().size_hint().exact(), Some(3));
    assert!(!whole.body().is_end_stream());
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Ok::<_, Status>(Frame::data(Bytes::from("a"))), Ok(Frame::trailers(trailers))];
    let body = Body::new(BoxBody::new(StreamBody::new(futures_util::stream::iter(frames))));
    let mut streamed = Answer::begin(Response::new(body), answers(&all).open(), cx).into_body();
    assert_eq!(streamed.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
    assert!(streamed.frame().await.unwrap().unwrap().is_trailers());
    assert!(streamed.frame().await.is_none());
    let failed = [Err::<Frame<Bytes>, _>(Status::internal("x"))];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(failed)));
    let mut failed = Answer::begin(Response::new(body), answers(&all).open(), cx).into_body();
    assert_eq!(failed.frame().await.unwrap().unwrap_err().message(), "x");
    let none = Answer::begin(Response::new(Body::empty()), answers(&all).open(), cx);
    assert!(none.body().is_end_stream());
    let pending = Body::new(StreamBody::new(futures_util::stream::pending::<Result<_, Status>>()));
    let pending = Answer::begin(Response::new(pending), answers(&all).open(), cx);
    assert!(pending.body().first.is_none() && !pending.body().is_end_stream());
}

#[test]
fn an_answer_must_be_read_by_the_end_of_the_next_period() {
    let all = Arc::new(Room::new(1_000));
    let answers = answers(&all);
    let mut judge = Judge::new(Arc::clone(&answers), &Limits::default());
    let mut unread = answer(&answers, 10);
    assert_eq!(judge.period_ended(0), None, "the period in which it was made");
    assert_eq!(judge.period_ended(PROGRESS), None, "it is on its way");
    assert_eq!(judge.period_ended(2 * PROGRESS - 1), Some(Verdict::Unread));
    // One that is made in each period and read in the next is no such thing.
    for _ in 0..5 {
        drop(std::mem::replace(&mut unread, answer(&answers, 10)));
        assert_eq!(judge.period_ended(2 * PROGRESS), None);
    }
}

#[test]
fn a_connection_is_idle_after_its_time_without_a_call() {
    let all = Arc::new(Room::new(1_000));
    let answers = answers(&all);
    let limits = Limits {
        write_stall: Duration::from_secs(60),
        idle: Duration::from_secs(170),
        ..Limits::default()
    };
    let mut judge = Judge::new(Arc::clone(&answers), &limits);
    let open = answers.open();
    for _ in 0..5 {
        assert_eq!(judge.period_ended(0), None, "a call is open");
    }
    drop(open);
    assert_eq!((judge.period_ended(0), judge.period_ended(0)), (None, None));
    drop(answers.open());
    assert_eq!((judge.period_ended(0), judge.period_ended(0)), (None, None), "there was a call");
    assert_eq!(judge.period_ended(0), None);
    assert_eq!(judge.period_ended(0), Some(Verdict::Idle));
}
