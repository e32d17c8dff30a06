//! Bare QUIC, with the keys of a real home or without any: for whoever does not keep to frames, streams or identities.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use oblink_session::wire::{Frame, FrameType};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Connection, Endpoint, RecvStream, SendStream, VarInt};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName, SignatureScheme};

use crate::LIMIT;
use crate::keys::Keys;

/// The application protocol that both programs speak (SPEC TRN-1).
pub const ALPN: &[u8] = b"oblink/1";

/// Takes anybody for anybody.
#[derive(Debug)]
struct Anybody;

fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    Arc::new(provider)
}

/// The key and the certificate of a home.
fn certified(home: &Path) -> Arc<SingleCertAndKey> {
    let der = std::fs::read(home.join("identity.key")).unwrap();
    let certificate = CertificateDer::from(Keys::of(home).identity.certificate_der().to_vec());
    let key = aws_lc_rs::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key)))
}

/// How an end of a bare connection may differ.
#[derive(Clone, Debug)]
pub struct Ways {
    /// What it offers as application protocol.
    pub alpn: Vec<Vec<u8>>,
    /// Bytes that it lets the other end send on a stream, and on all of them, before it reads.
    pub window: u32,
    /// Whether it reads on by itself: nothing is acknowledged that is not read, where the window is small.
    pub idle: Duration,
}

impl Default for Ways {
    fn default() -> Self {
        Self { alpn: vec![ALPN.to_vec()], window: 16 << 20, idle: Duration::from_secs(60) }
    }
}

impl Ways {
    fn transport(&self) -> Arc<quinn::TransportConfig> {
        let mut transport = quinn::TransportConfig::default();
        let window = VarInt::from_u32(self.window);
        transport.stream_receive_window(window).receive_window(window).max_idle_timeout(Some(self.idle.try_into().unwrap()));
        transport.keep_alive_interval(Some(Duration::from_secs(2))).datagram_receive_buffer_size(Some(1 << 16));
        Arc::new(transport)
    }
}

/// A dialer's settings, with the identity of `home` or with none. It takes any listener.
///
/// # Panics
/// Where the home has no keys.
#[must_use]
pub fn dialing(home: Option<&Path>, ways: &Ways) -> quinn::ClientConfig {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody));
    let mut tls = match home {
        Some(home) => builder.with_client_cert_resolver(certified(home)),
        None => builder.with_no_client_auth(),
    };
    tls.alpn_protocols.clone_from(&ways.alpn);
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    config.transport_config(ways.transport());
    config
}

/// A socket to dial from at this address of the loopback network. Needs a runtime, as all that follows.
///
/// # Panics
/// Where there is none to be had.
#[must_use]
pub fn dialer_at(address: IpAddr) -> Endpoint {
    Endpoint::client(SocketAddr::new(address, 0)).unwrap()
}

/// Dials. A listener that lets nobody in may still show it only later.
///
/// # Errors
/// QUIC's words.
///
/// # Panics
/// Where the address cannot be dialed.
pub async fn dial(from: &Endpoint, to: &str, config: quinn::ClientConfig) -> Result<Connection, String> {
    from.connect_with(config, to.parse().unwrap(), "x").unwrap().await.map_err(|error| error.to_string())
}

/// A listener with the identity of `home` that lets anybody in.
///
/// # Panics
/// Where there is no port.
#[must_use]
pub fn listener(home: &Path, ways: &Ways) -> Endpoint {
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(Arc::new(Anybody))
        .with_cert_resolver(certified(home));
    tls.alpn_protocols.clone_from(&ways.alpn);
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    config.transport_config(ways.transport());
    Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A frame as bytes, whatever its length says.
#[must_use]
pub fn frame(kind: u8, length: usize, body: &[u8]) -> Vec<u8> {
    [&(length as u32).to_be_bytes()[..], &[kind], body].concat()
}

/// An honest frame as bytes.
#[must_use]
pub fn bytes_of(honest: &Frame) -> Vec<u8> {
    frame(honest.kind as u8, honest.body.len(), &honest.body)
}

/// Reads one frame, of any type.
///
/// # Errors
/// What came instead.
///
/// # Panics
/// Where nothing comes at all.
pub async fn read_frame(from: &mut RecvStream) -> Result<Frame, String> {
    tokio::time::timeout(LIMIT, await_frame(from)).await.expect("an answer of some kind")
}

/// As [`read_frame`], however long it takes: the other side has limits of its own.
///
/// # Errors
/// What came instead.
pub async fn await_frame(from: &mut RecvStream) -> Result<Frame, String> {
    let words = |error: &dyn Display| error.to_string();
    let mut header = [0; 5];
    from.read_exact(&mut header).await.map_err(|error| words(&error))?;
    let [a, b, c, d, kind] = header;
    let mut body = vec![0; u32::from_be_bytes([a, b, c, d]) as usize];
    from.read_exact(&mut body).await.map_err(|error| words(&error))?;
    Frame::from_parts(kind, body).map_err(|error| words(&error))
}

/// Writes all of it.
///
/// # Errors
/// QUIC's words.
pub async fn write(to: &mut SendStream, bytes: &[u8]) -> Result<(), String> {
    to.write_all(bytes).await.map_err(|error| error.to_string())
}

/// The code of a refusal that is due on this stream.
///
/// # Errors
/// What came instead.
///
/// # Panics
/// Where nothing comes at all.
pub async fn read_refusal(from: &mut RecvStream) -> Result<oblink_session::error::RefusalCode, String> {
    let answer = read_frame(from).await?;
    if answer.kind != FrameType::Refusal {
        return Err(format!("{:?} came instead of a refusal", answer.kind));
    }
    oblink_session::error::Refusal::from_frame(&answer).map(|refusal| refusal.code).map_err(|error| error.to_string())
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Anybody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
