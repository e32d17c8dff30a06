//! `oblink-holder doctor`: would `serve` work?

use std::net::UdpSocket;
use std::time::SystemTime;

use oblink_session::limits::CLOCK_SKEW_MS_MAX;
use oblink_session::request::to_hex;
use oblink_store::ledger::SqliteLedger;

use super::epochs::OpenEpochs;
use super::ledger::{time, verified};
use super::policy;
use crate::cli::HolderDoctorArgs;
use crate::date::unix_ms;
use crate::diagnosis::Diagnosis;
use crate::failure::{Failure, io_cause};
use crate::home::{Home, Role};
use crate::report::Reporter;

/// Checks home, trust, ledger, sealed sets, disk and port.
///
/// # Errors
/// The first check that failed; the others are shown all the same.
pub fn doctor(args: &HolderDoctorArgs, reporter: &Reporter) -> Result<(), Failure> {
    let mut diagnosis = Diagnosis::new(reporter);
    diagnosis.engine();
    let home = Home::open(&args.home.home, Role::Holder).map(|home| {
        let detail = format!("{}, fingerprint {}", home.config().name, home.fingerprint());
        (home, detail)
    });
    if let Some(home) = diagnosis.note("home", home) {
        let peers = home.peers().and_then(|peers| {
            let labels: Vec<&str> = peers.iter().map(|(label, _)| label).collect();
            if labels.is_empty() {
                return Err(Failure::input("no_peer", "nobody is trusted yet")
                    .with_hint("exchange fingerprints by telephone, then: oblink-holder trust"));
            }
            Ok(((), format!("trusted: {}", labels.join(", "))))
        });
        diagnosis.note("trust", peers);
        let sealed = sealed(&home);
        diagnosis.note("sealed sets", sealed);
        diagnosis.disk(home.directory());
        authority(&home, &mut diagnosis);
    }
    let port = match UdpSocket::bind(args.listen) {
        Ok(_) => Ok(((), format!("{} is free", args.listen))),
        Err(error) => Err(Failure::input("port", format!("{} cannot be listened on: {}", args.listen, io_cause(&error)))
            .with_hint("is serve running already? else choose another port with --listen")),
    };
    diagnosis.note("port", port);
    diagnosis.end()
}

/// Policy, ledger, clock, epochs that are due.
fn authority(home: &Home, diagnosis: &mut Diagnosis<'_>) {
    let pilot = |diagnosis: &mut Diagnosis<'_>| {
        diagnosis.warn(
            "authority",
            &format!(
                "pilot mode: no policy is applied, trusted verifiers may ask unsigned, up to {} pairs a session",
                home.config().pilot.pairs_max
            ),
        );
    };
    if !home.ledger().exists() {
        // Nothing was ever applied; a policy's copy would say that the ledger was lost.
        if diagnosis.note("policy", policy::copies::agree(home, None).map(|()| ((), "none".to_owned()))).is_some() {
            pilot(diagnosis);
        }
        return;
    }
    let ledger = match SqliteLedger::open(&home.ledger()) {
        Ok(ledger) => ledger,
        Err(error) => {
            diagnosis.note::<()>("ledger", Err(error.into()));
            return;
        }
    };
    let whole = verified(home, &ledger, &[]);
    diagnosis.note("ledger", whole.map(|report| ((), format!("in order: {} entries, {} signed heads", report.head.size, report.heads))));
    let in_force = policy::in_force(home, &ledger, None).map(|in_force| {
        let detail = in_force.as_ref().map_or_else(
            || "none".to_owned(),
            |in_force| format!("{} in force since {}", &to_hex(&in_force.record.digest)[..16], time(in_force.record.applied_unix_ms)),
        );
        (in_force, detail)
    });
    if let Some(None) = diagnosis.note("policy", in_force) {
        pilot(diagnosis);
    }
    diagnosis.note("clock", clock(&ledger));
    let looked = (|| {
        let suspended = ledger.suspensions()?.iter().filter(|row| row.resumed_unix_ms.is_none()).count();
        Ok::<_, Failure>((suspended, ledger.due_epochs(unix_ms(SystemTime::now()))?))
    })();
    let Some((suspended, due)) = diagnosis.note(
        "epochs",
        looked.map(|looked| {
            let detail = if looked.1.is_empty() { "none is due to end".to_owned() } else { format!("{} due to end", looked.1.len()) };
            (looked, detail)
        }),
    ) else {
        return;
    };
    if suspended > 0 {
        diagnosis.warn("suspensions", &format!("{suspended} in force: see `policy show`"));
    }
    for epoch in due.iter().filter(|epoch| epoch.unbooked > 0) {
        diagnosis.warn(
            "epochs",
            &format!(
                "epoch {} does not end while matched tags of {} sessions are not booked",
                &to_hex(&epoch.epoch_id)[..16],
                epoch.unbooked
            ),
        );
    }
}

/// This machine's clock beside the ledger's time.
fn clock(ledger: &SqliteLedger) -> Result<((), String), Failure> {
    let behind_ms = ledger.time_unix_ms()?.saturating_sub(unix_ms(SystemTime::now()));
    if behind_ms > CLOCK_SKEW_MS_MAX {
        return Err(Failure::input(
            "clock_behind",
            format!("this machine's clock is {} s behind the ledger: every session is refused", behind_ms / 1_000),
        )
        .with_hint("set the clock (NTP); where the ledger's time is what is wrong, its entries show when it went ahead"));
    }
    Ok(((), "not behind the ledger".to_owned()))
}

fn sealed(home: &Home) -> Result<((), String), Failure> {
    let nothing = || Failure::input("not_sealed", "nothing is sealed yet").with_hint("run oblink-holder seal");
    if !home.ledger().exists() {
        return Err(nothing());
    }
    let epochs = OpenEpochs::default();
    let mut count = 0_u64;
    for row in SqliteLedger::open(&home.ledger())?.epochs()?.iter().filter(|row| row.ended.is_none()) {
        epochs.open(home, row)?;
        count += 1;
    }
    if count == 0 { Err(nothing()) } else { Ok(((), format!("{count} checked whole, keys fit"))) }
}
