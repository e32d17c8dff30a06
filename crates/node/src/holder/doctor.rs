//! `oblink-holder doctor`: would `serve` work?

use std::net::UdpSocket;

use oblink_store::ledger::SqliteLedger;

use super::epochs::OpenEpochs;
use crate::cli::HolderDoctorArgs;
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
        diagnosis.warn(
            "authority",
            &format!(
                "pilot mode: no policy is applied, trusted verifiers may ask unsigned, up to {} pairs a session",
                home.config().pilot.pairs_max
            ),
        );
    }
    let port = match UdpSocket::bind(args.listen) {
        Ok(_) => Ok(((), format!("{} is free", args.listen))),
        Err(error) => Err(Failure::input("port", format!("{} cannot be listened on: {}", args.listen, io_cause(&error)))
            .with_hint("is serve running already? else choose another port with --listen")),
    };
    diagnosis.note("port", port);
    diagnosis.end()
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
