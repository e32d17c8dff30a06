//! QUIC transport for oblink sessions: pinned mutual TLS 1.3, limits, streams.
