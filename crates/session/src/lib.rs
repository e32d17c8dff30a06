//! The oblink protocol, sans IO: wire, states, authority, transcript, receipts, limits.
