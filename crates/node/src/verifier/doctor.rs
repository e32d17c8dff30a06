//! `oblink-verifier doctor`: would `check` work? A missing certificate shows only after the handshake, so it makes a round trip.

use oblink_quic::{Options, dial};
use oblink_session::clock::{ping, receive_pong};
use oblink_session::limits::CLOCK_SKEW_MS_MAX;
use oblink_session::wire::FrameType;

use super::asking::resolve;
use crate::cli::VerifierDoctorArgs;
use crate::date::unix_ms;
use crate::diagnosis::Diagnosis;
use crate::failure::Failure;
use crate::frames::{Traffic, send};
use crate::home::{Home, Role};
use crate::report::Reporter;

/// Checks home, trust and disk; with `--holder` also the name, the line (UDP blocked or nobody there), the pin, both sides' trust by a round
/// trip, and the clocks.
///
/// # Errors
/// The first check that failed; the others are shown all the same.
pub fn doctor(args: &VerifierDoctorArgs, reporter: &Reporter) -> Result<(), Failure> {
    let mut diagnosis = Diagnosis::new(reporter);
    diagnosis.engine();
    let home = Home::open(&args.home.home, Role::Verifier).map(|home| {
        let detail = format!("{}, fingerprint {}", home.config().name, home.fingerprint());
        (home, detail)
    });
    if let Some(home) = diagnosis.note("home", home) {
        diagnosis.disk(home.directory());
        let peer = home.peers().and_then(|peers| {
            let (label, pin) = peers.select(args.peer.as_deref())?;
            Ok((pin, format!("{label} {pin}")))
        });
        let pin = diagnosis.note("trust", peer);
        if let (Some(pin), Some(holder)) = (pin, &args.holder) {
            line(&mut diagnosis, &home, pin, holder, args)?;
        }
    }
    diagnosis.end()
}

fn line(
    diagnosis: &mut Diagnosis<'_>,
    home: &Home,
    pin: oblink_quic::Fingerprint,
    holder: &str,
    args: &VerifierDoctorArgs,
) -> Result<(), Failure> {
    let identity = home.identity().to_identity()?;
    let options = Options { handshake_timeout: args.timeout, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::input("runtime", format!("threads could not be started: {error}")))?;
    runtime.block_on(async {
        let address = resolve(holder).await.map(|address| (address, address.to_string()));
        let Some(address) = diagnosis.note("address", address) else { return };
        let dialed = match dial(address, &identity, pin, &options).await {
            Ok(connection) => Ok((connection, "UDP goes through; the holder has the pinned key".to_owned())),
            Err(error) => Err(error.into()),
        };
        let Some(connection) = diagnosis.note("line", dialed) else { return };
        let trip = tokio::time::timeout(args.timeout, round_trip(&connection)).await;
        let trip = trip.unwrap_or_else(|_| {
            Err(Failure::unreachable("no_answer", "the holder took the connection and did not answer").with_hint("try again"))
        });
        let skew = diagnosis
            .note("round trip", trip.map(|skew_ms| (skew_ms, format!("the holder trusts this identity; {:?}", connection.round_trip()))));
        if let Some(skew_ms) = skew {
            diagnosis.note("clocks", clocks(skew_ms));
        }
        connection.close(0, "done");
        connection.drained(std::time::Duration::from_secs(2)).await;
    });
    Ok(())
}

/// A Ping, which needs no session: how far the holder's clock is ahead of this one, in milliseconds.
pub(super) async fn round_trip(connection: &oblink_quic::Connection) -> Result<i64, Failure> {
    let traffic = Traffic::default();
    let (mut to, mut from) = super::line::stream_in_time(connection).await?;
    let now = || unix_ms(std::time::SystemTime::now());
    send(&mut to, &ping(now())?, &traffic).await?;
    to.finish()?;
    let pong = super::line::answer_in_time(&mut from, FrameType::Pong, &traffic).await?;
    if pong.kind == FrameType::Refusal {
        return Err(super::line::refused(&pong));
    }
    Ok(receive_pong(&pong, now())?)
}

/// What the clocks come to.
///
/// # Errors
/// Exit 3: they are too far apart.
pub(super) fn clocks(skew_ms: i64) -> Result<((), String), Failure> {
    let said =
        format!("the holder's clock is {:.1} s {}", skew_ms.unsigned_abs() as f64 / 1e3, if skew_ms < 0 { "behind" } else { "ahead" });
    if skew_ms.unsigned_abs() > CLOCK_SKEW_MS_MAX {
        return Err(
            Failure::input("clock_skew", said).with_hint("set both machines' clocks (NTP); at most 5 minutes of difference are allowed")
        );
    }
    Ok(((), said))
}
