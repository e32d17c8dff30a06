//! Who signs with which key: OpenSSH's ALLOWED SIGNERS (ssh-keygen(1)), as much of it as can be read in one way only (SPEC SIG-2).

use super::Namespace;
use super::key::{Key, KeyType};
use crate::date::{DAY_S, days};
use ssh_key::encoding::base64::{Base64, Encoding};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of the file.
pub const SIGNERS_BYTES_MAX: usize = 1 << 20;
/// Most bytes of a line.
pub const SIGNERS_LINE_BYTES_MAX: usize = 16 << 10;
/// Most keys.
pub const SIGNERS_MAX: usize = 4_096;
/// Most bytes of a principal.
pub const PRINCIPAL_BYTES_MAX: usize = 255;

/// Why a file is no list of signers: the line, from 1 (0: the file as a whole), and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the allowed signers: {what}")]
pub struct SignersError {
    /// The line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// One key of one official.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKey {
    principal: String,
    pub(super) key: Key,
    namespaces: BTreeSet<Namespace>,
    valid_after_unix_s: Option<u64>,
    valid_before_unix_s: Option<u64>,
}

/// Whether a key counts at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It counts.
    Valid,
    /// The moment is before `valid-after`.
    NotYet,
    /// The moment is after `valid-before`.
    Expired,
}

impl SignerKey {
    /// Whose it is.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// As `ssh-keygen -l` prints it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.key.fingerprint()
    }

    /// Its type.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key.kind
    }

    /// What it may sign.
    #[must_use]
    pub fn namespaces(&self) -> &BTreeSet<Namespace> {
        &self.namespaces
    }

    /// The second, since 1970, from which it counts.
    #[must_use]
    pub fn valid_after_unix_s(&self) -> Option<u64> {
        self.valid_after_unix_s
    }

    /// The last second, since 1970, at which it counts.
    #[must_use]
    pub fn valid_before_unix_s(&self) -> Option<u64> {
        self.valid_before_unix_s
    }

    /// Whether it counts at a moment, in milliseconds since 1970. Both bounds are part of the time, to the second, as in ssh-keygen.
    #[must_use]
    pub fn validity(&self, now_unix_ms: u64) -> Validity {
        let now = now_unix_ms / 1_000;
        if self.valid_after_unix_s.is_some_and(|after| now < after) {
            Validity::NotYet
        } else if self.valid_before_unix_s.is_some_and(|before| now > before) {
            Validity::Expired
        } else {
            Validity::Valid
        }
    }
}

/// The officials' keys, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedSigners {
    /// By the key's encoding.
    keys: BTreeMap<Vec<u8>, SignerKey>,
}

/// Whether a principal is one that is meant literally: printable ASCII without `* ? ! , " ' \ #` and blanks.
pub(super) fn is_principal(text: &str) -> bool {
    (1..=PRINCIPAL_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && !b"*?!,\"'\\#".contains(&b))
}

impl AllowedSigners {
    /// Reads a file (SPEC SIG-2): lines `principal options keytype base64 [comment]`, blank lines, and lines whose first character is `#`.
    ///
    /// One literal principal a line; of the options `namespaces="…"` must be there and `valid-after="…Z"`, `valid-before="…Z"` may (UTC; without
    /// the Z ssh-keygen takes local time, which means another moment on another machine); each key once in the file, so that nobody counts twice.
    ///
    /// # Errors
    /// [`SignersError`].
    pub fn parse(text: &str) -> Result<Self, SignersError> {
        if text.len() > SIGNERS_BYTES_MAX {
            return Err(SignersError { line: 0, what: "over 1 MiB" });
        }
        let mut keys = BTreeMap::new();
        for (index, line) in text.split('\n').enumerate() {
            let error = |what| SignersError { line: index + 1, what };
            if line.len() > SIGNERS_LINE_BYTES_MAX {
                return Err(error("over 16 KiB"));
            }
            if line.chars().any(|c| c.is_control() && c != '\t') {
                return Err(error("control characters (lines end in a line feed alone)"));
            }
            let line = line.trim_matches([' ', '\t']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let signer = parse_line(line).map_err(error)?;
            if keys.len() == SIGNERS_MAX {
                return Err(error("more than 4,096 keys"));
            }
            if keys.insert(signer.key.blob.clone(), signer).is_some() {
                return Err(error("this key is there twice: one key, one line, one official"));
            }
        }
        Ok(Self { keys })
    }

    /// Every key, in the order of their encodings.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &SignerKey> {
        self.keys.values()
    }

    pub(super) fn by_blob(&self, blob: &[u8]) -> Option<&SignerKey> {
        self.keys.get(blob)
    }

    /// Whether the principal has a key that may sign for one of these purposes, now or at another time.
    #[must_use]
    pub fn has_key(&self, principal: &str, namespaces: &[Namespace]) -> bool {
        self.keys.values().any(|key| key.principal == principal && namespaces.iter().any(|namespace| key.namespaces.contains(namespace)))
    }
}

fn parse_line(line: &str) -> Result<SignerKey, &'static str> {
    let (principal, rest) = word(line);
    if !is_principal(principal) {
        return Err("the principal is not one literal name (no patterns, lists or quotes; at most 255 bytes)");
    }
    // Neither a key's type nor its base64 holds a quote or an equals sign before its end, so what does is options.
    let options_end = unquoted_blank(rest).ok_or("an option's quotes are not closed")?;
    let (options, rest) = rest.split_at(options_end);
    if KeyType::by_name(options).is_some() {
        return Err("the option namespaces=\"…\" is missing");
    }
    let options = Options::parse(options)?;
    let (kind, rest) = word(rest.trim_start_matches([' ', '\t']));
    let kind = KeyType::by_name(kind).ok_or("the key is of no type that counts here")?;
    let (base64, _comment) = word(rest);
    let key = Base64::decode_vec(base64).ok().and_then(|blob| Key::decode(&blob)).filter(|key| key.kind == kind);
    let key = key.ok_or("the key is not in OpenSSH's encoding of its type")?;
    let namespaces = options.namespaces.ok_or("the option namespaces=\"…\" is missing")?;
    if let (Some(after), Some(before)) = (options.valid_after, options.valid_before)
        && after > before
    {
        return Err("valid-before is earlier than valid-after");
    }
    Ok(SignerKey {
        principal: principal.to_owned(),
        key,
        namespaces,
        valid_after_unix_s: options.valid_after,
        valid_before_unix_s: options.valid_before,
    })
}

/// The text up to a blank, and what follows the blanks.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(text.find([' ', '\t']).unwrap_or(text.len()));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// Where the first blank outside quotes is, or the end; `None` where quotes stay open.
fn unquoted_blank(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b' ' | b'\t' if !quoted => return Some(at),
            _ => (),
        }
    }
    (!quoted).then_some(text.len())
}

#[derive(Default)]
struct Options {
    namespaces: Option<BTreeSet<Namespace>>,
    valid_after: Option<u64>,
    valid_before: Option<u64>,
}

impl Options {
    fn parse(mut text: &str) -> Result<Self, &'static str> {
        const KNOWN: &str = "an option that is not one of namespaces=\"…\", valid-after=\"…\", valid-before=\"…\"";
        let mut options = Self::default();
        loop {
            let (name, rest) = text.split_once("=\"").ok_or(KNOWN)?;
            let (value, rest) = rest.split_once('"').ok_or(KNOWN)?;
            let twice = match name {
                "namespaces" => options.namespaces.replace(namespaces(value)?).is_some(),
                "valid-after" => options.valid_after.replace(timestamp(value)?).is_some(),
                "valid-before" => options.valid_before.replace(timestamp(value)?).is_some(),
                _ => return Err(KNOWN),
            };
            if twice {
                return Err("an option is there twice");
            }
            if rest.is_empty() {
                return Ok(options);
            }
            text = rest.strip_prefix(',').ok_or("options are divided by one comma")?;
        }
    }
}

fn namespaces(value: &str) -> Result<BTreeSet<Namespace>, &'static str> {
    let mut namespaces = BTreeSet::new();
    for name in value.split(',') {
        if !namespaces.insert(Namespace::by_name(name).ok_or("a namespace that oblink does not sign in")?) {
            return Err("a namespace is there twice");
        }
    }
    Ok(namespaces)
}

/// Seconds since 1970 of `YYYYMMDD[HHMM[SS]]Z`.
fn timestamp(value: &str) -> Result<u64, &'static str> {
    let digits = value.strip_suffix('Z').ok_or("a time without Z is local time: write it in UTC, with the Z")?;
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("a time is YYYYMMDD[HHMM[SS]]Z");
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Some(0), |part| part.parse::<u32>().ok());
    let parse = || {
        let (hour, minute, second) = (number(8, 10)?, number(10, 12)?, number(12, 14)?);
        let day = u64::try_from(days(number(0, 4)?, number(4, 6)?, number(6, 8)?)?).ok()?;
        (hour < 24 && minute < 60 && second < 60).then(|| day * DAY_S + u64::from(hour * 3_600 + minute * 60 + second))
    };
    parse().ok_or("there is no such time")
}
