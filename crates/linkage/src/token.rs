//! Token bytes: the PRF's input, the same for every ruleset.

use crate::NotSubmitted;

/// The domain label every token begins with.
pub const TOKEN_LABEL: &[u8] = b"oblink/1/token";
/// No token is longer, in bytes.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// The rule number of dummies, which sealing never emits.
pub const DUMMY_RULE: u16 = 0xFFFF;

/// Appends `lp(field)`: the length as two bytes, big-endian, then the bytes.
fn put(out: &mut Vec<u8>, field: &[u8]) -> Result<(), NotSubmitted> {
    let len = u16::try_from(field.len()).map_err(|_| NotSubmitted::FieldTooLong)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(field);
    Ok(())
}

/// Encodes one token: `lp(label) ‖ lp(ruleset digest) ‖ rule ‖ field count ‖ lp(field)…`.
pub(crate) fn encode(digest: &[u8; 32], rule: u16, fields: &[&[u8]], out: &mut Vec<u8>) -> Result<(), NotSubmitted> {
    let count = u8::try_from(fields.len()).map_err(|_| NotSubmitted::FieldTooLong)?;
    let bytes = 2 + TOKEN_LABEL.len() + 2 + 32 + 3;
    let bytes = fields.iter().fold(bytes, |sum, f| sum + 2 + f.len());
    if bytes > TOKEN_BYTES_MAX {
        return Err(NotSubmitted::FieldTooLong);
    }
    put(out, TOKEN_LABEL)?;
    put(out, digest)?;
    out.extend_from_slice(&rule.to_be_bytes());
    out.push(count);
    for field in fields {
        put(out, field)?;
    }
    Ok(())
}

/// Rule number and fields of a token, or `None` for bytes that are none.
pub(crate) fn decode(bytes: &[u8]) -> Option<(u16, Vec<&[u8]>)> {
    fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
        let (taken, left) = rest.split_at_checked(len)?;
        *rest = left;
        Some(taken)
    }
    fn lp<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let len = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
        take(rest, len.into())
    }
    let rest = &mut &*bytes;
    (lp(rest)? == TOKEN_LABEL && lp(rest)?.len() == 32).then_some(())?;
    let rule = u16::from_be_bytes(take(rest, 2)?.try_into().ok()?);
    let count = *take(rest, 1)?.first()?;
    let fields = (0..count).map(|_| lp(rest)).collect::<Option<Vec<_>>>()?;
    rest.is_empty().then_some((rule, fields))
}

/// Rule number of a token, or `None` for bytes that do not begin as one.
pub(crate) fn rule(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.get(2..)?.strip_prefix(TOKEN_LABEL)?;
    rest.get(2 + 32..)?.first_chunk().map(|rule| u16::from_be_bytes(*rule))
}

/// A token that equals none of any record: the reserved rule 0xFFFF over `content`.
///
/// `content` is 32 bytes that the caller derives by a PRF of its seed, the pair and the slot; two
/// dummies of different content differ. The result is 87 bytes.
#[must_use]
pub fn dummy_token(ruleset_digest: &[u8; 32], content: &[u8; 32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(96);
    // Three fixed lengths, all far below the limit: encoding cannot fail.
    let _ = encode(ruleset_digest, DUMMY_RULE, &[content], &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_byte_by_byte() {
        let mut out = Vec::new();
        encode(&[7; 32], 0x0102, &[b"ab", b""], &mut out).unwrap();
        let mut want = vec![0, 14];
        want.extend_from_slice(b"oblink/1/token");
        want.extend_from_slice(&[0, 32]);
        want.extend_from_slice(&[7; 32]);
        want.extend_from_slice(&[1, 2, 2, 0, 2, b'a', b'b', 0, 0]);
        assert_eq!(out, want);
        assert_eq!(decode(&out), Some((0x0102, vec![&b"ab"[..], b""])));
        assert_eq!((rule(&out), rule(&out[..50]), rule(b"")), (Some(0x0102), None, None));
        for end in 0..out.len() {
            assert_eq!(decode(&out[..end]), None, "{end}");
        }
        assert_eq!(decode(&[&out[..], b"x"].concat()), None);
    }

    #[test]
    fn dummies_use_the_reserved_rule_and_differ_by_content() {
        let a = dummy_token(&[1; 32], &[2; 32]);
        assert_eq!(a.len(), 87);
        assert_eq!(a.get(50..53), Some(&[0xFF, 0xFF, 1][..]));
        assert_ne!(a, dummy_token(&[1; 32], &[3; 32]));
        assert_ne!(a, dummy_token(&[2; 32], &[2; 32]));
    }

    #[test]
    fn the_limit_is_exact() {
        let overhead = 2 + 14 + 2 + 32 + 3 + 2;
        let mut out = Vec::new();
        encode(&[0; 32], 1, &[&[b'a'; 1024 - 55]], &mut out).unwrap();
        assert_eq!((overhead, out.len()), (55, 1024));
        let long = encode(&[0; 32], 1, &[&[b'a'; 1024 - 54]], &mut Vec::new());
        assert_eq!(long, Err(NotSubmitted::FieldTooLong));
    }
}
