//! Addresses, ports, load and ends.

use std::net::UdpSocket;

use super::*;
use crate::Blame;

#[tokio::test]
async fn port_without_a_listener_is_told_from_silence() {
    let options = Options { handshake_timeout: Duration::from_secs(5), ..Options::default() };
    let (guest, host) = (identity(GUEST), identity(HOST).fingerprint());
    let free = UdpSocket::bind(loopback()).unwrap().local_addr().unwrap();
    let error = dial(free, &guest, host, &options).await.unwrap_err();
    assert!(matches!(error, Error::NothingListens { address } if address == free), "{error}");
    assert_eq!(error.blame(), Blame::Line);

    let options = Options { handshake_timeout: Duration::from_secs(1), ..options };
    let mute = UdpSocket::bind(loopback()).unwrap();
    let error = dial(mute.local_addr().unwrap(), &guest, host, &options).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Line);
    assert!(error.hint().unwrap().contains("UDP"));
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_errors() {
    let options = Options::default();
    let (guest, host) = (identity(GUEST), identity(HOST));
    let first = listener(&options);
    let second = Listener::bind(first.local_addr(), &host, Pins::only([]), options.clone());
    assert!(matches!(second, Err(Error::AddressInUse { address }) if address == first.local_addr()));
    // RFC 5737's addresses are nobody's.
    let elsewhere = Listener::bind("192.0.2.1:0".parse().unwrap(), &host, Pins::only([]), options.clone());
    assert!(matches!(elsewhere, Err(Error::AddressUnavailable { .. })));
    let port_0 = dial("127.0.0.1:0".parse().unwrap(), &guest, host.fingerprint(), &options).await;
    assert!(matches!(port_0, Err(Error::AddressUnavailable { .. })));
    let idle = Options { idle_timeout: Duration::MAX, ..options };
    assert!(matches!(Listener::bind(loopback(), &host, Pins::only([]), idle), Err(Error::Setup { .. })));
}

#[tokio::test]
async fn closed_listener_tells_its_peers_and_frees_its_port() {
    let options = Options::default();
    let (dialed, _accepted, listener) = connected(&options).await;
    let address = listener.local_addr();
    listener.close(LONG).await;
    let error = dialed.closed().await;
    assert!(matches!(&error, Error::Closed { code: 0, reason } if reason.contains("shutting down")), "{error}");
    drop((dialed, _accepted));
    // The driver's task lets go of the socket a moment later.
    for _ in 0..100 {
        match Listener::bind(address, &identity(HOST), Pins::only([]), options.clone()) {
            Ok(_) => return,
            Err(Error::AddressInUse { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the port was not freed");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_as_busy() {
    let options = Options { connections_max: 1, ..Options::default() };
    let (first, accepted, mut listener) = connected(&options).await;
    let (guest, host) = (identity(GUEST), identity(HOST).fingerprint());
    let address = listener.local_addr();
    let accepting = tokio::spawn(async move {
        loop {
            match listener.accept().await.unwrap() {
                Ok(_) => return,
                Err(refused) => assert!(matches!(refused.error, Error::Full { most: 1 }), "{refused}"),
            }
        }
    });
    let error = dial(address, &guest, host, &options).await.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Line);
    // A place comes free.
    first.close(0, "");
    first.drained(LONG).await;
    drop(accepted);
    for _ in 0..100 {
        match dial(address, &guest, host, &options).await {
            Ok(_) => break,
            Err(Error::Busy { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(other) => panic!("{other}"),
        }
    }
    accepting.await.unwrap();
}

/// A dialer that begins a handshake and falls silent: what it sends goes through, what it should hear does not.
async fn half_a_handshake(address: SocketAddr, options: &Options) -> tokio::task::JoinHandle<()> {
    let relay = tokio::net::UdpSocket::bind(loopback()).await.unwrap();
    let entrance = relay.local_addr().unwrap();
    let options = Options { handshake_timeout: LONG, ..options.clone() };
    tokio::spawn(async move {
        let guest = identity(GUEST);
        let dialing = dial(entrance, &guest, identity(HOST).fingerprint(), &options);
        let relaying = async {
            let mut packet = [0u8; 2048];
            loop {
                let (length, from) = relay.recv_from(&mut packet).await.unwrap();
                if from != address {
                    relay.send_to(&packet[..length], address).await.unwrap();
                }
            }
        };
        tokio::select! {
            _ = dialing => {}
            () = relaying => {}
        }
    })
}

#[tokio::test]
async fn handshake_that_hangs_holds_up_no_other_and_is_given_up() {
    let options = Options { handshake_timeout: Duration::from_secs(2), ..Options::default() };
    let mut listener = listener(&options);
    let address = listener.local_addr();
    let hanging = half_a_handshake(address, &options).await;
    // Until the listener has begun that handshake.
    while listener.handshakes_going_on() == 0 {
        let _ = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    }
    let (guest, host) = (identity(GUEST), identity(HOST).fingerprint());
    let (dialed, accepted) = tokio::join!(dial(address, &guest, host, &options), listener.accept());
    assert!(dialed.is_ok() && accepted.unwrap().is_ok());
    let refused = refusal(&mut listener).await;
    assert!(matches!(refused.error, Error::HandshakeTimeout { .. }), "{refused}");
    hanging.abort();
}

#[tokio::test]
async fn one_address_gets_a_share_of_the_handshakes_and_must_prove_itself_for_more() {
    let options = Options { handshakes_max: 4, handshake_timeout: Duration::from_secs(4), ..Options::default() };
    let mut listener = listener(&options);
    let address = listener.local_addr();
    let hanging = half_a_handshake(address, &options).await;
    while listener.handshakes_going_on() == 0 {
        let _ = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    }
    // The share of one address is spent: the next is asked to prove that it is there (Retry), does so, and is told to come again.
    let (guest, host) = (identity(GUEST), identity(HOST).fingerprint());
    let dialing = dial(address, &guest, host, &options);
    let error = tokio::select! {
        dialed = dialing => dialed.unwrap_err(),
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    hanging.abort();
    // And when the share comes free, so does the door.
    while listener.handshakes_going_on() > 0 {
        let _ = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    }
    let (dialed, accepted) = tokio::join!(dial(address, &guest, host, &options), listener.accept());
    assert!(dialed.is_ok() && accepted.unwrap().is_ok());
}

#[tokio::test]
async fn dialers_that_prove_their_address_get_in_under_load() {
    // With one handshake at most, every dialer must prove its address first.
    let options = Options { handshakes_max: 1, ..Options::default() };
    let (dialed, accepted, _listener) = connected(&options).await;
    assert_eq!((dialed.peer(), accepted.peer()), (identity(HOST).fingerprint(), identity(GUEST).fingerprint()));
}

#[tokio::test]
async fn both_families_work() {
    let options = Options::default();
    let (guest, host) = (identity(GUEST), identity(HOST));
    let Ok(mut listener) = Listener::bind("[::]:0".parse().unwrap(), &host, Pins::only([guest.fingerprint()]), options.clone()) else {
        return; // A machine without IPv6.
    };
    let port = listener.local_addr().port();
    for target in ["127.0.0.1", "::1"] {
        let target = SocketAddr::new(target.parse().unwrap(), port);
        let (dialed, accepted) = tokio::join!(dial(target, &guest, host.fingerprint(), &options), listener.accept());
        assert_eq!(dialed.unwrap().remote_address(), target);
        assert_eq!(accepted.unwrap().unwrap().remote_address().ip(), target.ip());
    }
}

/// A listener that was killed and is back says to whoever it had: I know you no more. They need not wait in silence until the line counts as dead.
#[test]
fn a_listener_that_was_restarted_says_so() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bind = |address| Listener::bind(address, &identity(HOST), Pins::only([identity(GUEST).fingerprint()]), Options::default());
    let (killed, here) = (runtime(), runtime());
    let mut first = killed.block_on(async { bind(loopback()).unwrap() });
    let address = first.local_addr();
    let accepting = killed.spawn(async move {
        let connection = first.accept().await.unwrap().unwrap();
        // Both live as long as their runtime.
        std::future::pending::<()>().await;
        drop((connection, first));
    });
    let dialed = here.block_on(dial(address, &identity(GUEST), identity(HOST).fingerprint(), &Options::default())).unwrap();
    // Nothing more is sent by what is not run any more: as a process that is killed.
    killed.shutdown_background();
    drop(accepting);
    let again = runtime();
    let _second = again.block_on(async {
        loop {
            match bind(address) {
                Err(Error::AddressInUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
                bound => break bound.unwrap(),
            }
        }
    });
    let ended = here.block_on(async {
        // Whatever is sent shows it.
        let _ = dialed.open_stream().await.unwrap().0.send(1, &[&[0; 64]]).await;
        dialed.closed().await
    });
    assert!(matches!(ended, Error::Restarted { .. } | Error::Closed { code: 0, .. }), "{ended:?}");
}
