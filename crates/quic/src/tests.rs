//! Both ends over real QUIC on loopback.

mod endpoints;
mod handshake;
mod streams;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Ends;
use crate::{Connection, Error, Fingerprint, HandshakeRefusal, Identity, Listener, Options, Pins, dial, tls, transport};

/// An Ed25519 key in PKCS#8 (RFC 8410 §7) whose secret is `seed`, 32 times.
pub(crate) fn pkcs8(seed: u8) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend_from_slice(&[seed; 32]);
    der
}

fn identity(seed: u8) -> Identity {
    Identity::from_pkcs8_der(&pkcs8(seed)).unwrap()
}

/// The listener's identity in these tests, and that of the dialer it knows.
const HOST: u8 = 1;
const GUEST: u8 = 2;

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A listener that lets GUEST in.
fn listener(options: &Options) -> Listener {
    Listener::bind(loopback(), &identity(HOST), Pins::only([identity(GUEST).fingerprint()]), options.clone()).unwrap()
}

/// GUEST dials HOST; gives the dialer's and the listener's end of it.
async fn connected(options: &Options) -> (Connection, Connection, Listener) {
    let mut listener = listener(options);
    let (guest, host) = (identity(GUEST), identity(HOST).fingerprint());
    let (dialed, accepted) = tokio::join!(dial(listener.local_addr(), &guest, host, options), listener.accept());
    let accepted = accepted.unwrap().unwrap();
    accepted.widen();
    (dialed.unwrap(), accepted, listener)
}

/// The next handshake's failure.
async fn refusal(listener: &mut Listener) -> HandshakeRefusal {
    listener.accept().await.expect("the listener is open").expect_err("a refusal")
}

/// TLS settings of a dialer that is like ours except in what `change` does; `with_key` decides what it proves itself with.
fn odd_tls(
    provider: rustls::crypto::CryptoProvider,
    with_key: impl FnOnce(rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>) -> rustls::ClientConfig,
) -> rustls::ClientConfig {
    let provider = Arc::new(provider);
    let verifier = tls::PinnedPeer::new(Pins::only([identity(HOST).fingerprint()]), tls::Seen::default(), &provider);
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = with_key(builder);
    config.alpn_protocols = vec![crate::ALPN.to_vec()];
    config
}

/// A dialer's QUIC settings with TLS of the test's own.
fn odd_config(tls: rustls::ClientConfig, options: &Options) -> quinn::ClientConfig {
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(transport::transport(options, 0, transport::CONNECTION_WINDOW).unwrap());
    config
}

/// Dials HOST with TLS of the test's own.
async fn odd_dial(address: SocketAddr, tls: rustls::ClientConfig, options: &Options) -> Result<Connection, Error> {
    let pinned: Option<Fingerprint> = Some(identity(HOST).fingerprint());
    let ends = Ends { ours: identity(GUEST).fingerprint(), pinned, seen: tls::Seen::default(), address };
    crate::dial::dial_with(address, odd_config(tls, options), ends, options).await
}

/// Long enough for anything on loopback; only failing tests wait for it.
const LONG: Duration = Duration::from_secs(20);
