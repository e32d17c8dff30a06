//! Both ends over real QUIC on loopback.

/// An Ed25519 key in PKCS#8 (RFC 8410 §7) whose secret is `seed`, 32 times.
pub(crate) fn pkcs8(seed: u8) -> Vec<u8> {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend_from_slice(&[seed; 32]);
    der
}
