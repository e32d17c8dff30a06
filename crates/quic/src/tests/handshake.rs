//! Who is let in, and what either end is told when someone is not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use rustls::crypto::aws_lc_rs;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;
use crate::Blame;

#[tokio::test]
async fn two_pinned_peers_come_in_and_are_told_apart() {
    let options = Options::default();
    let (one, two, host) = (identity(10), identity(11), identity(HOST));
    let pins = Pins::only([one.fingerprint(), two.fingerprint()]);
    let mut listener = Listener::bind(loopback(), &host, pins, options.clone()).unwrap();
    for guest in [&one, &two, &one] {
        let (dialed, accepted) = tokio::join!(dial(listener.local_addr(), guest, host.fingerprint(), &options), listener.accept());
        let (dialed, accepted) = (dialed.unwrap(), accepted.unwrap().unwrap());
        assert_eq!(accepted.peer(), guest.fingerprint());
        assert_eq!(dialed.peer(), host.fingerprint());
        assert_eq!(dialed.remote_address(), listener.local_addr());
        assert!(accepted.remote_address().ip().is_loopback());
    }
}

/// What a dialer learns that the listener turns away: at once, or on first use, since TLS 1.3 lets the dialer finish first.
async fn turned_away(dialed: Result<Connection, Error>) -> Error {
    let connection = match dialed {
        Ok(connection) => connection,
        Err(error) => return error,
    };
    let (mut sender, mut receiver) = match connection.open_stream().await {
        Ok(stream) => stream,
        Err(error) => return error,
    };
    match sender.send(1, &[b"hello"]).await {
        Ok(()) => receiver.receive(|_| Some(10)).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn unpinned_dialer_is_refused_and_both_ends_can_say_whom() {
    let options = Options::default();
    let (stranger, host) = (identity(66), identity(HOST));
    let mut listener = listener(&options);
    let address = listener.local_addr();
    let dialer = async { turned_away(dial(address, &stranger, host.fingerprint(), &options).await).await };
    let (seen_there, refused) = tokio::join!(dialer, refusal(&mut listener));
    assert!(matches!(seen_there, Error::NotTrusted { ours, .. } if ours == stranger.fingerprint()), "{seen_there}");
    assert_eq!(seen_there.blame(), Blame::Refused);
    assert!(seen_there.hint().unwrap().contains(&stranger.fingerprint().to_string()));
    assert!(matches!(refused.error, Error::NotPinned { seen } if seen == stranger.fingerprint()), "{refused}");
    assert!(refused.remote.ip().is_loopback());
    assert_eq!(refused.error.blame(), Blame::Peer);
}

#[tokio::test]
async fn unpinned_listener_is_refused_with_both_fingerprints() {
    let options = Options::default();
    let (guest, expected) = (identity(GUEST), identity(77).fingerprint());
    let mut listener = listener(&options);
    let (dialed, refused) = tokio::join!(dial(listener.local_addr(), &guest, expected, &options), refusal(&mut listener));
    let error = dialed.unwrap_err();
    assert!(
        matches!(error, Error::NotThePinnedPeer { seen, pinned, .. } if seen == identity(HOST).fingerprint() && pinned == expected),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Peer);
    let text = error.to_string();
    assert!(text.contains(&expected.to_string()) && text.contains(&identity(HOST).fingerprint().to_string()));
    // The listener hears of it too, as of someone who does not trust it.
    assert!(matches!(refused.error, Error::NotTrusted { ours, .. } if ours == identity(HOST).fingerprint()), "{refused}");
}

#[tokio::test]
async fn absent_certificate_is_refused_on_both_sides() {
    let options = Options::default();
    let mut listener = listener(&options);
    let address = listener.local_addr();
    let tls = odd_tls((*tls::provider().unwrap()).clone(), |builder| builder.with_no_client_auth());
    let dialer = async { turned_away(odd_dial(address, tls, &options).await).await };
    let (seen_there, refused) = tokio::join!(dialer, refusal(&mut listener));
    assert!(matches!(seen_there, Error::CertificateRequired { .. }), "{seen_there}");
    assert!(matches!(refused.error, Error::NoCertificate), "{refused}");
}

fn guest_key(builder: rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>) -> rustls::ClientConfig {
    builder.with_client_cert_resolver(identity(GUEST).resolver())
}

#[tokio::test]
async fn classical_key_exchange_is_refused() {
    let options = Options::default();
    let mut listener = listener(&options);
    for group in [aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1, aws_lc_rs::kx_group::MLKEM768] {
        let mut provider = (*tls::provider().unwrap()).clone();
        provider.kx_groups = vec![group];
        let (dialed, refused) =
            tokio::join!(odd_dial(listener.local_addr(), odd_tls(provider, guest_key), &options), refusal(&mut listener));
        assert!(matches!(dialed.unwrap_err(), Error::NoCommonProtocol { detail } if detail.contains("X25519MLKEM768")));
        assert!(matches!(refused.error, Error::NoCommonProtocol { .. }), "{refused}");
    }
    // The same dialer, with the group that is wanted as well, gets in.
    let mut provider = (*tls::provider().unwrap()).clone();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::X25519MLKEM768];
    let (dialed, accepted) = tokio::join!(odd_dial(listener.local_addr(), odd_tls(provider, guest_key), &options), listener.accept());
    assert!(dialed.is_ok() && accepted.unwrap().is_ok());
}

#[tokio::test]
async fn another_application_protocol_is_refused() {
    let options = Options::default();
    let mut listener = listener(&options);
    for offer in [vec![b"oblink/2".to_vec()], vec![b"h3".to_vec()], vec![]] {
        let mut tls = odd_tls((*tls::provider().unwrap()).clone(), guest_key);
        tls.alpn_protocols = offer;
        let (dialed, refused) = tokio::join!(odd_dial(listener.local_addr(), tls, &options), refusal(&mut listener));
        assert!(matches!(dialed.unwrap_err(), Error::NoCommonProtocol { detail } if detail.contains("oblink/1")));
        assert!(matches!(refused.error, Error::NoCommonProtocol { .. }), "{refused}");
    }
}

#[tokio::test]
async fn drafts_of_quic_are_refused() {
    let options = Options::default();
    let mut listener = listener(&options);
    let mut config = odd_config(odd_tls((*tls::provider().unwrap()).clone(), guest_key), &options);
    // Draft 29, which quinn's own endpoints can speak.
    config.version(0xff00_001d);
    let endpoint = quinn::Endpoint::client(loopback()).unwrap();
    let connecting = endpoint.connect_with(config, listener.local_addr(), "x").unwrap();
    let error = tokio::select! {
        dialed = connecting => dialed.unwrap_err(),
        accepted = listener.accept() => panic!("{accepted:?}"),
    };
    assert_eq!(error, quinn::ConnectionError::VersionMismatch);
}

#[tokio::test]
async fn pinned_certificate_without_its_key_is_refused() {
    let options = Options::default();
    let mut listener = listener(&options);
    let address = listener.local_addr();
    // A certificate is public: anyone who once spoke with GUEST has it.
    let copied = rustls::pki_types::CertificateDer::from(identity(GUEST).certificate_der().to_vec());
    let own = aws_lc_rs::sign::any_eddsa_type(&pkcs8(99).as_slice().into()).unwrap();
    let key = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![copied], own)));
    let tls = odd_tls((*tls::provider().unwrap()).clone(), |builder| builder.with_client_cert_resolver(key));
    let dialer = async { turned_away(odd_dial(address, tls, &options).await).await };
    let (seen_there, refused) = tokio::join!(dialer, refusal(&mut listener));
    assert!(matches!(seen_there, Error::Handshake { .. }), "{seen_there}");
    assert!(matches!(refused.error, Error::Handshake { .. }), "{refused}");
}

#[tokio::test]
async fn certificate_that_is_none_is_refused() {
    let options = Options::default();
    let mut listener = listener(&options);
    let address = listener.local_addr();
    let good = identity(GUEST).certificate_der().to_vec();
    let mut longer = good.clone();
    longer.push(0);
    for bad in [vec![0x30], good[..good.len() - 1].to_vec(), longer, vec![0xff; 5000]] {
        let own = aws_lc_rs::sign::any_eddsa_type(&pkcs8(GUEST).as_slice().into()).unwrap();
        let key = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![bad.into()], own)));
        let tls = odd_tls((*tls::provider().unwrap()).clone(), |builder| builder.with_client_cert_resolver(key));
        let dialer = async { turned_away(odd_dial(address, tls, &options).await).await };
        let (seen_there, refused) = tokio::join!(dialer, refusal(&mut listener));
        assert!(matches!(seen_there, Error::Handshake { .. }), "{seen_there}");
        assert!(matches!(refused.error, Error::Handshake { .. }), "{refused}");
    }
}

#[test]
fn tls_1_2_is_refused() {
    // RFC 5246's ClientHello: no supported_versions, one cipher suite, the ALPN that is wanted.
    let mut hello = vec![0x03, 0x03];
    hello.extend_from_slice(&[7; 32]);
    hello.extend_from_slice(&[0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let alpn = [0, 16, 0, 11, 0, 9, 8, b'o', b'b', b'l', b'i', b'n', b'k', b'/', b'1'];
    let signatures = [0, 13, 0, 4, 0, 2, 0x08, 0x07];
    hello.extend_from_slice(&((alpn.len() + signatures.len()) as u16).to_be_bytes());
    hello.extend_from_slice(&alpn);
    hello.extend_from_slice(&signatures);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend_from_slice(&hello);

    let provider = tls::provider().unwrap();
    let pins = Pins::only([identity(GUEST).fingerprint()]);
    let verifier = tls::PinnedPeer::new(pins, tls::Seen::default(), &provider);
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(identity(HOST).resolver());
    config.alpn_protocols = vec![crate::ALPN.to_vec()];
    let mut session = rustls::quic::ServerConnection::new(Arc::new(config), rustls::quic::Version::V1, vec![]).unwrap();
    let error = session.read_hs(&message).unwrap_err();
    assert!(matches!(error, rustls::Error::PeerIncompatible(_)), "{error:?}");
    assert_eq!(session.alert(), Some(rustls::AlertDescription::ProtocolVersion));
}

#[tokio::test]
async fn listener_goes_on_after_refusals_and_reads_its_list_of_pins_each_time() {
    let options = Options::default();
    let (guest, host) = (identity(GUEST), identity(HOST));
    let list = Arc::new(Mutex::new(BTreeSet::new()));
    let pins = Pins::new({
        let list = list.clone();
        move |seen| list.lock().unwrap().contains(seen)
    });
    let mut listener = Listener::bind(loopback(), &host, pins, options.clone()).unwrap();
    let address = listener.local_addr();
    for round in 0..6 {
        let trusted = round % 2 == 1;
        if trusted {
            list.lock().unwrap().insert(guest.fingerprint());
        } else {
            list.lock().unwrap().remove(&guest.fingerprint());
        }
        let (dialed, accepted) = tokio::join!(dial(address, &guest, host.fingerprint(), &options), listener.accept());
        match accepted.unwrap() {
            Ok(connection) => assert!(trusted && connection.peer() == guest.fingerprint() && dialed.is_ok()),
            Err(refused) => {
                assert!(!trusted && matches!(refused.error, Error::NotPinned { .. }));
                assert!(matches!(turned_away(dialed).await, Error::NotTrusted { .. }));
            }
        }
    }
}
