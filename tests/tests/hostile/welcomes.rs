//! A hostile holder at the beginning: another Welcome than is due, or something else in its place (SPEC HSK-1 to HSK-8).

use std::time::Duration;

use oblink_session::error::{Refusal, RefusalCode};
use oblink_session::limits::CLOCK_SKEW_MS_MAX;
use oblink_session::statement::StatementKey;
use oblink_session::wire::{FrameType, Welcome};
use oblink_tests::fake::{Act, Due, Modified};
use oblink_tests::raw::{self, Ways};

use super::stage::{Stage, bent, condemned, instead};

fn says(change: impl FnMut(&mut Welcome, &StatementKey) + Send + 'static) -> Modified {
    Modified { welcome: Box::new(change), ..Modified::default() }
}

/// Attack: a version that was not offered: an older one, and one to come.
#[test]
fn a_version_that_was_not_offered() {
    let stage = Stage::new();
    stage.convict(6, "a version that was not offered", says(|welcome, _| welcome.version = 0));
    stage.convict(6, "a version that was not offered", says(|welcome, _| welcome.version = 2));
    stage.honest_run_is_exact();
}

/// Attack: a suite that was not offered.
#[test]
fn a_suite_that_was_not_offered() {
    let stage = Stage::new();
    stage.convict(6, "a suite that was not offered", says(|welcome, _| welcome.suite = 3));
    stage.honest_run_is_exact();
}

/// Not an attack, perhaps: another ruleset. The two differ, and nobody is to blame.
#[test]
fn another_ruleset() {
    let stage = Stage::new();
    stage.convict(3, "ruleset", says(|welcome, _| welcome.ruleset_digest[5] ^= 1));
    stage.convict(3, "ruleset", says(|welcome, _| welcome.tokens_per_pair = 2));
    stage.honest_run_is_exact();
}

/// Attack: tags cut shorter than the counts demand, so that strangers match.
#[test]
fn a_tau_that_the_counts_do_not_give() {
    let stage = Stage::new();
    stage.convict(6, "a tag length that its counts do not give", says(|welcome, _| welcome.tau -= 8));
    stage.honest_run_is_exact();
}

/// Attack: counts that would demand other tags, or that cannot be.
#[test]
fn counts_that_cannot_be() {
    let stage = Stage::new();
    stage.convict(6, "a tag length that its counts do not give", says(|welcome, _| welcome.declared_tags *= 1 << 20));
    stage.convict(6, "", says(|welcome, _| welcome.set_tags = welcome.declared_tags + 1));
    stage.convict(6, "", says(|welcome, _| welcome.set_tags = 0));
    stage.honest_run_is_exact();
}

/// Attack: a set that would fill the disk. Nothing is asked.
#[test]
fn a_set_larger_than_the_disk() {
    let stage = Stage::new();
    let fake = stage.fake(says(|welcome, _| welcome.set_bytes = 1 << 60));
    let ended = stage.check(&fake.address());
    condemned(&stage, &ended, 3, "");
    assert_eq!(fake.ended(), 0, "no batch was answered");
    stage.honest_run_is_exact();
}

/// A clock that is off: nobody's fault, or a replay.
#[test]
fn a_clock_that_is_off() {
    let stage = Stage::new();
    stage.convict(3, "clock", says(|welcome, _| welcome.clock_unix_ms += CLOCK_SKEW_MS_MAX + 60_000));
    stage.convict(3, "clock", says(|welcome, _| welcome.clock_unix_ms -= CLOCK_SKEW_MS_MAX + 60_000));
    stage.honest_run_is_exact();
}

/// Attack: a public key that is the identity, and one that is no element.
#[test]
fn a_public_key_that_is_none() {
    let stage = Stage::new();
    stage.convict(6, "", says(|welcome, _| welcome.public_key = vec![0; 32]));
    stage.convict(6, "", says(|welcome, _| welcome.public_key = vec![0xff; 32]));
    stage.honest_run_is_exact();
}

/// Attack: another public key than the set's and the proofs'. It shows in the first answer, or in the set's header.
#[test]
fn another_public_key() {
    let stage = Stage::new();
    let generator = hex::decode("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76").unwrap();
    stage.convict(6, "", says(move |welcome, _| welcome.public_key.clone_from(&generator)));
    stage.honest_run_is_exact();
}

/// Attack: a statement certificate of somebody else, or none at all.
#[test]
fn a_certificate_of_somebody_else() {
    let stage = Stage::new();
    stage.convict(6, "", says(|welcome, _| welcome.certificate[70] ^= 1));
    let other = StatementKey::certify(&[1; 32], &[2; 32], 0);
    stage.convict(6, "", says(move |welcome, _| welcome.certificate = *other.certificate()));
    stage.honest_run_is_exact();
}

/// Attack: authority that nobody gave.
#[test]
fn an_authority_that_nobody_gave() {
    let stage = Stage::new();
    stage.convict(6, "", says(|welcome, _| (welcome.authority, welcome.policy) = (1, [7; 32])));
    stage.honest_run_is_exact();
}

/// Attack: a head of the ledger that nobody signed.
#[test]
fn a_head_that_is_not_signed() {
    let stage = Stage::new();
    stage.convict(6, "", says(|welcome, _| welcome.head_signature[0] ^= 1));
    stage.convict(6, "", says(|welcome, _| welcome.head_root[0] ^= 1));
    stage.honest_run_is_exact();
}

/// Attack: a ledger that does not continue the one that this verifier has seen.
#[test]
fn a_head_that_does_not_continue() {
    let stage = Stage::new();
    stage.honest_run_is_exact();
    std::fs::remove_file(stage.output()).unwrap();
    std::fs::remove_file(stage.output().with_extension("meta.json")).unwrap();
    let modified = says(|welcome, _| welcome.consistency.iter_mut().for_each(|hash| hash[0] ^= 1));
    let ended = stage.meet(modified);
    condemned(&stage, &ended, 6, "");
    stage.honest_run_is_exact();
}

/// Attack: an endless Welcome, a giant one, one of an unknown type, one of a type that is not due.
#[test]
fn frames_that_are_no_welcome() {
    let stage = Stage::new();
    stage.convict(6, "announced", instead(Due::Welcome, vec![Act::Bytes(raw::frame(FrameType::Welcome as u8, usize::MAX >> 32, &[]))]));
    stage.convict(6, "not due", instead(Due::Welcome, vec![Act::Forever(vec![0x7f; 1 << 16])]));
    stage.convict(6, "not due", instead(Due::Welcome, vec![Act::Bytes(raw::frame(0x7f, 1, &[0]))]));
    stage.convict(6, "not due", instead(Due::Welcome, vec![Act::Bytes(raw::frame(FrameType::Receipt as u8, 0, &[]))]));
    stage.convict(6, "", instead(Due::Welcome, vec![Act::Bytes(raw::frame(FrameType::Welcome as u8, 4_096, &[0xff; 4_096]))]));
    stage.honest_run_is_exact();
}

/// A holder that broke the rules of frames and then hung up as one does that is shutting down was believed: exit 5, to be tried again.
#[test]
fn repro_hanging_up_does_not_hide_a_bad_frame() {
    let stage = Stage::new();
    for bytes in [raw::frame(0x7f, 0, &[]), raw::frame(FrameType::Welcome as u8, 1 << 20, &[])] {
        let acts = vec![Act::Bytes(bytes), Act::Pause(Duration::from_millis(200)), Act::Close(0)];
        stage.convict(6, "a frame of type", instead(Due::Welcome, acts));
    }
    stage.honest_run_is_exact();
}

/// Attack: Welcome, and at once something more on the control stream.
#[test]
fn more_than_welcome() {
    let stage = Stage::new();
    let modified = bent(|due, honest| {
        let more = raw::frame(FrameType::Pong as u8, 0, &[]);
        (due == Due::Welcome).then(|| vec![Act::Bytes([raw::bytes_of(&honest[0]), more].concat())])
    });
    let ended = stage.meet(modified);
    condemned(&stage, &ended, 6, "not due");
    stage.honest_run_is_exact();
}

/// Every refusal, also of a code that nobody knows: the verifier ends by its kind, and shows no more of the text than may go to a terminal.
#[test]
fn refusals_of_every_code() {
    let stage = Stage::new();
    for (code, exit) in [(1_u16, 3), (4, 4), (12, 4), (17, 5), (18, 5), (19, 5), (22, 6)] {
        let code = RefusalCode::from_u16(code);
        let refusal = Refusal::new(code, "no\u{1b}[2J\u{202e}").to_frame();
        let ended = stage.meet(instead(Due::Welcome, vec![Act::Bytes(raw::bytes_of(&refusal))]));
        condemned(&stage, &ended, exit, "");
        assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains('\u{202e}'), "{ended}");
    }
    stage.honest_run_is_exact();
}

/// Attack: a holder that hangs up, by code or by taking the stream back.
#[test]
fn a_holder_that_hangs_up() {
    let stage = Stage::new();
    stage.convict(4, "code 9", instead(Due::Welcome, vec![Act::Close(9)]));
    stage.convict(5, "closed", instead(Due::Welcome, vec![Act::Close(0)]));
    stage.convict(4, "code 7", instead(Due::Welcome, vec![Act::Reset(7)]));
    stage.honest_run_is_exact();
}

/// What the verifier lets a holder do beside frames: open no stream, send no datagram.
#[test]
fn streams_and_datagrams_of_the_holder() {
    let stage = Stage::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (address, listening) = runtime.block_on(async {
        let endpoint = raw::listener(&stage.agencies.holder.home, &Ways::default());
        (endpoint.local_addr().unwrap().to_string(), endpoint)
    });
    let trying = runtime.spawn(async move {
        let connection = listening.accept().await.unwrap().await.unwrap();
        let brief = Duration::from_millis(300);
        assert!(tokio::time::timeout(brief, connection.open_bi()).await.is_err(), "no stream may be opened");
        assert!(tokio::time::timeout(brief, connection.open_uni()).await.is_err(), "nor this kind");
        assert_eq!(connection.max_datagram_size(), None, "no datagram may be sent");
        connection.close(9_u32.into(), b"nothing to do");
        listening.wait_idle().await;
    });
    let ended = stage.check(&address);
    runtime.block_on(trying).unwrap();
    condemned(&stage, &ended, 4, "code 9");
    stage.honest_run_is_exact();
}

/// Another application protocol, or none: a difference, not an attack.
#[test]
fn another_application_protocol() {
    let stage = Stage::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for alpn in [vec![b"oblink/0".to_vec()], vec![b"h3".to_vec()], vec![]] {
        let (address, listening) = runtime.block_on(async {
            let endpoint = raw::listener(&stage.agencies.holder.home, &Ways { alpn, ..Ways::default() });
            (endpoint.local_addr().unwrap().to_string(), endpoint)
        });
        let accepting = runtime.spawn(async move {
            let _ = listening.accept().await.unwrap().await;
            listening.wait_idle().await;
        });
        condemned(&stage, &stage.check(&address), 3, "no common transport");
        runtime.block_on(accepting).unwrap();
    }
    stage.honest_run_is_exact();
}
