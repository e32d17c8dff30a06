//! serve --metrics: what it counts is what the ledger says, for this machine alone, and only where it was asked for.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use oblink_tests::scrape::{ask, get};
use oblink_tests::{Agencies, Call, Party, Program, Scrape, Serving, eventually};

use super::{PAIRS, RECORDS};

const ANY: &[&str] = &["--metrics", "127.0.0.1:0"];

/// TCP ports on which a process listens.
fn listening(process: u32) -> Vec<u16> {
    let sockets: Vec<String> = fs::read_dir(format!("/proc/{process}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut ports = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]) {
                ports.push(u16::from_str_radix(fields[1].rsplit_once(':').unwrap().1, 16).unwrap());
            }
        }
    }
    ports
}

#[test]
fn the_counts_are_the_ledgers() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    // Trusted after the seal, so that nothing is sealed for it.
    let late = Party::init(Program::Verifier, &agencies.at("late"));
    agencies.holder.trust("late", &late);
    late.trust("tax", &agencies.holder);
    let stranger = Party::init(Program::Verifier, &agencies.at("stranger"));
    stranger.trust("tax", &agencies.holder);
    let serving = Serving::start_with(&agencies.holder, ANY);
    let before = Scrape::of(serving.metrics());
    let city = |name, more: &[(&'static str, &'static str)]| (name, [&[("verifier", "city")], more].concat());
    let value = |page: &Scrape, (name, labels): (&str, Vec<(&'static str, &'static str)>)| page.value(name, &labels);
    let completed = || city("oblink_sessions_total", &[("outcome", "completed")]);
    assert_eq!(value(&before, completed()), 0.0, "series are there from the beginning");
    let pairs = agencies.file("pairs.csv", PAIRS);
    let mut set_bytes = 0.0;
    for _ in 0..3 {
        set_bytes += agencies.check(&serving, &pairs).object["set_bytes"].as_f64().unwrap();
    }
    let check = |party: &Party, name: &str| {
        let call = party.call("check --json --holder").arg(serving.address()).path("--input", &pairs);
        call.path("--output", &agencies.at(name)).run().code()
    };
    assert_eq!((check(&late, "late.csv"), check(&stranger, "stranger.csv")), (4, 4));
    agencies.verifier.call("doctor --holder").arg(serving.address()).ok();
    let page = eventually("the last connection to be counted", || {
        let page = Scrape::of(serving.metrics());
        let over = page.sum("oblink_connections_open") == 0.0 && page.sum("oblink_pings_total") == 1.0;
        (over && page.sum("oblink_connections_refused_total") == 1.0 && page.sum("oblink_sessions_total") == 4.0).then_some(page)
    });
    assert_eq!(value(&page, completed()), agencies.ledger("session").len() as f64);
    assert_eq!(
        page.value("oblink_refusals_total", &[("verifier", "late"), ("code", "not_sealed")]),
        agencies.ledger("refusal").len() as f64
    );
    assert_eq!(page.value("oblink_connections_refused_total", &[("cause", "not_pinned")]), 1.0);
    let epoch = &agencies.ledger("epoch")[0];
    let charged = epoch["charged_tokens"].as_f64().unwrap();
    assert_eq!(value(&page, city("oblink_tokens_evaluated_total", &[])), charged);
    assert_eq!(value(&page, city("oblink_batches_evaluated_total", &[])), agencies.charges() as f64);
    assert_eq!(page.value("oblink_batch_evaluation_seconds_count", &[]), agencies.charges() as f64);
    assert_eq!(value(&page, city("oblink_epoch_evaluations_left", &[])), f64::from(1 << 30) - charged);
    // The verifier keeps the set for its next session.
    let delivered = value(&page, city("oblink_set_bytes_delivered_total", &[]));
    assert!(delivered > 0.0 && delivered <= set_bytes, "{delivered} {set_bytes}");
    eventually("the ledger to be read again", || {
        (Scrape::of(serving.metrics()).value("oblink_ledger_entries", &[]) == agencies.holder.log().len() as f64).then_some(())
    });
    let heads = agencies.verify_ledger().object()["heads"].as_f64().unwrap();
    assert_eq!(page.value("oblink_ledger_signed_heads", &[]), heads);
    assert_eq!((page.value("oblink_policy_in_force", &[]), page.value("oblink_policy_copies_agree", &[])), (0.0, 1.0));
    assert_eq!(page.value("oblink_clock_behind_ledger_seconds", &[]), 0.0);
    assert_eq!(value(&page, city("oblink_verifier_suspended", &[])), 0.0);
    for name in ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total", "process_start_time_seconds"] {
        assert!(page.value(name, &[]) > 0.0, "{name}");
    }
    agencies.holder.call("suspend --peer city --reason Audit").ok();
    eventually("the suspension to show", || {
        (value(&Scrape::of(serving.metrics()), city("oblink_verifier_suspended", &[])) == 1.0).then_some(())
    });
    // No identifier of a session, a set or an agency, and no record.
    let text = get(serving.metrics(), "/metrics", "localhost").unwrap().body;
    let words = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|word| word.contains(|c: char| !c.is_ascii_digit()));
    assert!(words.map(str::len).max().unwrap() < 12, "{text}");
    super::silent_text(&text);
    assert_eq!(serving.stop().len(), 4);
}

#[test]
fn nobody_listens_unless_asked() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    assert_eq!(listening(serving.id()), Vec::<u16>::new());
    drop(serving.stop());
    let serving = Serving::start_with(&agencies.holder, ANY);
    let port: u16 = serving.metrics().strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
    assert_eq!(listening(serving.id()), [port]);
    assert!(serving.stderr().contains(&format!("metrics at http://{}/metrics", serving.metrics())));
    drop(serving.stop());
    // Another machine's business is none of the metrics'.
    for address in ["0.0.0.0:0", "192.0.2.1:9464", "[::]:0"] {
        let ended = agencies.holder.call("serve --listen 127.0.0.1:0 --json --metrics").arg(address).run();
        assert_eq!(ended.code(), 2, "{ended}");
        assert!(ended.stderr.contains("loopback address alone"), "{ended}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let ended = agencies.holder.call("serve --listen 127.0.0.1:0 --json --metrics").arg(taken.local_addr().unwrap().to_string()).run();
    assert_eq!((ended.code(), ended.object()["error"]["code"].as_str()), (3, Some("metrics")), "{ended}");
}

#[test]
fn a_hostile_neighbour_gets_nothing_and_stops_nothing() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = Serving::start_with(&agencies.holder, ANY);
    let address = serving.metrics().to_owned();
    let status = |request: &str| ask(&address, request.as_bytes()).unwrap().status;
    assert_eq!(status("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 404);
    assert_eq!(status("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"), 405);
    assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 421, "a web page whose name was made to point here");
    assert_eq!(status("nonsense\r\n\r\n"), 400);
    let long = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(64 << 10));
    assert!(ask(&address, long.as_bytes()).is_none_or(|reply| reply.status == 431));
    // One page a connection, whatever more is asked on it.
    let twice = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(2);
    assert_eq!(ask(&address, twice.as_bytes()).unwrap().body.matches("oblink_build_info{").count(), 1);
    // Some of its own are opened as it goes on.
    let fds = 8.0 + Scrape::of(&address).value("process_open_fds", &[]);
    // More connections than there are places, which say nothing, or a byte.
    let mut idle: Vec<TcpStream> = (0..64).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for stream in &mut idle {
        let _ = stream.write_all(b"G");
    }
    // Sessions go on meanwhile.
    let pairs = agencies.file("pairs.csv", PAIRS);
    drop(agencies.check(&serving, &pairs));
    eventually("a place for a reader", || Scrape::try_of(&address));
    drop(idle);
    eventually("all descriptors back", || (Scrape::try_of(&address)?.value("process_open_fds", &[]) <= fds).then_some(()));
    assert_eq!(serving.stop().len(), 1);
}

#[test]
fn help_says_what_it_is() {
    let help = Call::new(Program::Holder).args("serve --help").ok().stdout;
    assert!(help.contains("--metrics <IP:PORT>") && help.contains("loopback"), "{help}");
}
