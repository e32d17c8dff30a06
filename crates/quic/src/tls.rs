//! TLS 1.3 with pinned identities, and nothing to negotiate (SPEC TRN-1, TRN-2).

use std::fmt;
use std::sync::{Arc, OnceLock};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, PeerIncompatible, PeerMisbehaved, SignatureScheme};

use crate::{ALPN, Error, Fingerprint, Identity, Pins};

/// The identity that the other end showed, kept for messages even when it is refused. Until the handshake is complete, nobody has proved to
/// have its key.
pub(crate) type Seen = Arc<OnceLock<Fingerprint>>;

/// The one key exchange and the one signature scheme that both ends use.
pub(crate) fn provider() -> Result<Arc<CryptoProvider>, Error> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519MLKEM768];
    let mapping = provider.signature_verification_algorithms.mapping;
    let at = mapping
        .iter()
        .position(|(scheme, _)| *scheme == SignatureScheme::ED25519)
        .ok_or_else(|| Error::Setup { detail: "the TLS library lacks Ed25519".into() })?;
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms { all: mapping[at].1, mapping: &mapping[at..=at] };
    Ok(Arc::new(provider))
}

fn setup(error: impl fmt::Display) -> Error {
    Error::Setup { detail: error.to_string() }
}

/// TLS for the listener's end of one connection; `seen` is that connection's own.
pub(crate) fn listener(
    provider: Arc<CryptoProvider>,
    identity: &Identity,
    pins: &Pins,
    seen: Seen,
) -> Result<Arc<QuicServerConfig>, Error> {
    let verifier = Arc::new(PinnedPeer::new(pins.clone(), seen, &provider));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(setup)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    // Every session meets the list of pins afresh: nothing to resume with is given out or kept.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(QuicServerConfig::try_from(config).map_err(setup)?))
}

/// TLS for the dialer's end of one connection.
pub(crate) fn dialer(
    provider: Arc<CryptoProvider>,
    identity: &Identity,
    pin: Fingerprint,
    seen: Seen,
) -> Result<Arc<QuicClientConfig>, Error> {
    let verifier = Arc::new(PinnedPeer::new(Pins::only([pin]), seen, &provider));
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(setup)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_cert_resolver(identity.resolver());
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_early_data = false;
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(QuicClientConfig::try_from(config).map_err(setup)?))
}

/// The fingerprint in a certificate. Names, dates and extensions are not looked at (SPEC TRN-2).
pub(crate) fn fingerprint_of(certificate: &CertificateDer<'_>) -> Result<Fingerprint, rustls::Error> {
    Ok(Fingerprint::from_spki(&ParsedCertificate::try_from(certificate)?.subject_public_key_info()))
}

/// Takes a certificate for the key in it, if the list has that key; then has the handshake's signature checked under it.
pub(crate) struct PinnedPeer {
    pins: Pins,
    seen: Seen,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PinnedPeer {
    pub(crate) fn new(pins: Pins, seen: Seen, provider: &CryptoProvider) -> Self {
        Self { pins, seen, algorithms: provider.signature_verification_algorithms }
    }

    fn check(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let fingerprint = fingerprint_of(certificate)?;
        let _ = self.seen.set(fingerprint);
        if self.pins.allows(&fingerprint) {
            Ok(())
        } else {
            // The one certificate error that rustls sends as access_denied (49), which SPEC TRN-2 asks for.
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }
}

impl fmt::Debug for PinnedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinnedPeer")
    }
}

fn no_tls12() -> rustls::Error {
    PeerIncompatible::Tls13RequiredForQuic.into()
}

impl ServerCertVerifier for PinnedPeer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for PinnedPeer {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.check(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.check_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
