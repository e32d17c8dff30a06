//! Frames over connections.

use super::*;
use crate::{Blame, FrameReceiver, FrameSender};

const ECHO: u8 = 5;
const MB: usize = 1 << 20;

fn any(_: u8) -> Option<u32> {
    Some(4 << 20)
}

/// Gives every frame of a stream back, then ends it.
async fn echo(mut sender: FrameSender, mut receiver: FrameReceiver) -> Result<(), Error> {
    while let Some((kind, body)) = receiver.receive_or_end(any).await? {
        sender.send(kind, &[&body]).await?;
    }
    sender.finish()
}

#[tokio::test]
async fn frames_go_both_ways_and_streams_end_in_order() {
    let options = Options::default();
    let (dialed, accepted, _listener) = connected(&options).await;
    let (mut sender, mut receiver) = dialed.open_stream().await.unwrap();
    sender.send(1, &[b"par", b"", b"ts"]).await.unwrap();
    let (there, mut back) = accepted.accept_stream().await.unwrap();
    assert_eq!(back.receive(|kind| (kind == 1).then_some(5)).await.unwrap(), (1, b"parts".to_vec()));
    let echoing = tokio::spawn(echo(there, back));
    for length in [0usize, 1, 65_535, 65_536, 65_537, 300_000] {
        let body: Vec<u8> = (0..length).map(|n| (n * 7) as u8).collect();
        sender.send(ECHO, &[&body]).await.unwrap();
        assert_eq!(receiver.receive(any).await.unwrap(), (ECHO, body));
    }
    sender.finish().unwrap();
    receiver.expect_end().await.unwrap();
    echoing.await.unwrap().unwrap();
    assert!(dialed.round_trip() < LONG);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_frames_go_in_parallel_and_a_slow_stream_holds_up_no_other() {
    let options = Options { streams_max: 5, ..Options::default() };
    let (dialed, accepted, _listener) = connected(&options).await;
    let serving = tokio::spawn({
        let accepted = accepted.clone();
        async move {
            loop {
                match accepted.accept_stream().await {
                    Ok((sender, receiver)) => drop(tokio::spawn(echo(sender, receiver))),
                    Err(error) => return error,
                }
            }
        }
    });
    // A stream that sends and does not read for now: its echo fills the stream's window and stops there.
    let (mut slow, mut unread) = dialed.open_stream().await.unwrap();
    let big = vec![0xa5u8; 2 * MB];
    let stuck = tokio::spawn(async move {
        for _ in 0..24 {
            slow.send(ECHO, &[&big]).await?;
        }
        slow.finish()
    });
    // Many more streams than may be open at a time.
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..20u8 {
        let dialed = dialed.clone();
        tasks.spawn(async move {
            let (mut sender, mut receiver) = dialed.open_stream().await?;
            let body = vec![n; 2 * MB];
            sender.send(ECHO, &[&body[..MB], &body[MB..]]).await?;
            sender.finish()?;
            let (kind, back) = receiver.receive(|kind| (kind == ECHO).then_some(2 * MB as u32)).await?;
            assert!(kind == ECHO && back == body);
            receiver.expect_end().await
        });
    }
    while let Some(result) = tasks.join_next().await {
        result.unwrap().unwrap();
    }
    for _ in 0..24 {
        assert_eq!(unread.receive(any).await.unwrap().1.len(), 2 * MB);
    }
    unread.expect_end().await.unwrap();
    stuck.await.unwrap().unwrap();
    dialed.close(7, "done\u{1b}[31m");
    let error = serving.await.unwrap();
    assert!(matches!(&error, Error::Closed { code: 7, reason } if reason == "done?[31m"), "{error}");
    assert_eq!(error.blame(), Blame::Refused);
    assert!(matches!(dialed.open_stream().await.unwrap_err(), Error::ClosedHere));
    dialed.drained(LONG).await;
}

/// What a receiver says to `bytes`, followed by the stream's end.
async fn verdict(bytes: &[u8]) -> Result<Option<(u8, Vec<u8>)>, Error> {
    let options = Options::default();
    let (dialed, accepted, _listener) = connected(&options).await;
    let (mut raw, _back) = dialed.raw().open_bi().await.unwrap();
    raw.write_all(bytes).await.unwrap();
    raw.finish().unwrap();
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    receiver.receive_or_end(|kind| (kind == 1).then_some(8)).await
}

#[tokio::test]
async fn bad_frames_are_refused_each_with_its_reason() {
    assert!(matches!(verdict(&[]).await, Ok(None)));
    assert!(matches!(verdict(&[0, 0, 0, 0, 1]).await, Ok(Some((1, body))) if body.is_empty()));
    assert!(matches!(verdict(&[0, 0, 0, 9, 1]).await, Err(Error::FrameLength { kind: 1, length: 9, limit: 8 })));
    assert!(matches!(verdict(&[0xff; 4096]).await, Err(Error::FrameType { kind: 0xff })));
    assert!(matches!(verdict(&[0, 0, 0, 0, 2]).await, Err(Error::FrameType { kind: 2 })));
    assert!(matches!(verdict(&[0]).await, Err(Error::Truncated { received: 1 })));
    assert!(matches!(verdict(&[0, 0, 0, 3]).await, Err(Error::Truncated { received: 4 })));
    assert!(matches!(verdict(&[0, 0, 0, 3, 1]).await, Err(Error::Truncated { received: 5 })));
    let error = verdict(&[0, 0, 0, 3, 1, 9, 9]).await.unwrap_err();
    assert!(matches!(error, Error::Truncated { received: 7 }));
    assert_eq!(error.blame(), Blame::Peer);
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn end_before_a_frame_and_bytes_after_the_last_are_told_apart() {
    let (dialed, accepted, _listener) = connected(&Options::default()).await;
    let (sender, _) = dialed.open_stream().await.unwrap();
    sender.finish().unwrap();
    let (_, mut receiver) = accepted.accept_stream().await.unwrap();
    assert!(matches!(receiver.receive(any).await, Err(Error::Ended)));

    let (mut sender, _) = dialed.open_stream().await.unwrap();
    sender.send(1, &[b"due"]).await.unwrap();
    sender.send(1, &[b"not due"]).await.unwrap();
    let (_, mut receiver) = accepted.accept_stream().await.unwrap();
    receiver.receive(any).await.unwrap();
    assert!(matches!(receiver.expect_end().await, Err(Error::Trailing)));
}

#[tokio::test]
async fn bytes_that_stop_coming_or_being_taken_are_an_error() {
    let options = Options { stall_timeout: Duration::from_millis(300), ..Options::default() };
    let (dialed, accepted, _listener) = connected(&options).await;
    let (mut raw, _back) = dialed.raw().open_bi().await.unwrap();
    raw.write_all(&[0, 0, 0, 3, 1, 9]).await.unwrap();
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    assert!(matches!(receiver.receive(any).await, Err(Error::Stalled { .. })));
    // The end that does not come.
    let (mut sender, _back) = dialed.open_stream().await.unwrap();
    sender.send(1, &[b"last"]).await.unwrap();
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    receiver.receive(any).await.unwrap();
    assert!(matches!(receiver.expect_end().await, Err(Error::Stalled { .. })));
    // A reader that does not read.
    let (mut sender, _back) = dialed.open_stream().await.unwrap();
    let error = sender.send(1, &[&vec![0; 40 * MB]]).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }));
    assert!(matches!(sender.send(1, &[]).await, Err(Error::Misuse { .. })));
    drop(sender);
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    assert!(matches!(receiver.receive(|_| Some(u32::MAX)).await, Err(Error::Abandoned { code: 1 })));
}

#[tokio::test]
async fn bytes_that_drip_in_are_an_error_though_none_is_late() {
    let options = Options { stall_timeout: Duration::from_millis(400), ..Options::default() };
    let (dialed, accepted, _listener) = connected(&options).await;
    let (mut raw, _back) = dialed.raw().open_bi().await.unwrap();
    raw.write_all(&[0, 1, 0, 0, 1]).await.unwrap();
    let dripping = tokio::spawn(async move {
        while raw.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    assert!(matches!(receiver.receive(any).await, Err(Error::Stalled { .. })));
    receiver.stop(3);
    dripping.await.unwrap();
}

#[tokio::test]
async fn a_receive_that_was_dropped_loses_nothing() {
    let (dialed, accepted, _listener) = connected(&Options::default()).await;
    let (mut raw, _back) = dialed.raw().open_bi().await.unwrap();
    raw.write_all(&[0, 0, 0]).await.unwrap();
    let (_there, mut receiver) = accepted.accept_stream().await.unwrap();
    for piece in [&[6, 1, b'a'][..], b"bc", b"de"] {
        assert!(tokio::time::timeout(Duration::from_millis(50), receiver.receive(any)).await.is_err());
        raw.write_all(piece).await.unwrap();
    }
    raw.write_all(b"f").await.unwrap();
    assert_eq!(receiver.receive(any).await.unwrap(), (1, b"abcdef".to_vec()));
}

#[tokio::test]
async fn reset_and_stop_reach_the_other_end_with_their_codes() {
    let (dialed, accepted, _listener) = connected(&Options::default()).await;
    let (mut sender, receiver) = dialed.open_stream().await.unwrap();
    sender.send(1, &[b"x"]).await.unwrap();
    let (there, mut back) = accepted.accept_stream().await.unwrap();
    back.receive(any).await.unwrap();
    sender.reset(41);
    assert!(matches!(back.receive(any).await, Err(Error::Abandoned { code: 41 })));
    receiver.stop(42);
    assert!(matches!(there.finish_and_wait().await, Err(Error::Abandoned { code: 42 })));
}

#[tokio::test]
async fn last_frame_survives_a_close_that_waited_for_it() {
    let (dialed, accepted, _listener) = connected(&Options::default()).await;
    let reading = tokio::spawn(async move {
        let (_there, mut receiver) = accepted.accept_stream().await?;
        let frame = receiver.receive(any).await?;
        receiver.expect_end().await?;
        Ok::<_, Error>(frame)
    });
    let (mut sender, _back) = dialed.open_stream().await.unwrap();
    sender.send(1, &[&vec![9; 3 * MB]]).await.unwrap();
    sender.finish_and_wait().await.unwrap();
    dialed.close(0, "");
    assert_eq!(reading.await.unwrap().unwrap().1.len(), 3 * MB);
}

#[tokio::test]
async fn listener_opens_no_streams() {
    let (_dialed, accepted, _listener) = connected(&Options::default()).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), accepted.open_stream()).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(100), accepted.raw().open_uni()).await.is_err());
}
