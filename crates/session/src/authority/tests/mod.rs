//! What the tests share: officials with keys of every type, signatures put together by hand, a policy and a request to bend.

mod authorise;
mod change;
mod policy;
mod proposal;
mod signers;
mod sshsig;

use super::sshsig::armour;
use super::{KeyType, Policy, PolicyError};
use crate::request::{Disclosure, Manifest, Request, to_hex};
use ed25519_dalek::{Signer as _, SigningKey};
use oblink_linkage::Ruleset;
use rand::SeedableRng;
use sha2::{Digest, Sha256, Sha512};
use ssh_key::encoding::Encode;
use ssh_key::encoding::base64::{Base64, Encoding};
use ssh_key::{Algorithm, EcdsaCurve, PrivateKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// 2025-06-15, 15:06:40 UTC.
pub(super) const NOW: u64 = 1_750_000_000_000;
pub(super) const DAY: u64 = 86_400_000;
pub(super) const HOLDER: [u8; 32] = [0x11; 32];
pub(super) const VERIFIER: [u8; 32] = [0x22; 32];
const APPLICATION: &str = "ssh:oblink";

pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// An official with a key.
pub(super) struct Official {
    pub(super) principal: &'static str,
    pub(super) kind: KeyType,
    private: PrivateKey,
    pub(super) blob: Vec<u8>,
}

/// An SSH signature in its parts.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) preamble: Vec<u8>,
    pub(super) version: u32,
    pub(super) key: Vec<u8>,
    pub(super) namespace: Vec<u8>,
    pub(super) reserved: Vec<u8>,
    pub(super) hash: Vec<u8>,
    pub(super) kind: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) trailer: Vec<u8>,
    pub(super) rest: Vec<u8>,
}

impl Parts {
    pub(super) fn blob(&self) -> Vec<u8> {
        let signature = [string(&self.kind), string(&self.value), self.trailer.clone()].concat();
        let head = [self.preamble.clone(), self.version.to_be_bytes().to_vec()].concat();
        let fields = [&self.key, &self.namespace, &self.reserved, &self.hash, &signature].map(|field| string(field)).concat();
        [head, fields, self.rest.clone()].concat()
    }

    pub(super) fn armoured(&self) -> Vec<u8> {
        armour(&self.blob()).into_bytes()
    }
}

impl Official {
    fn new(principal: &'static str, kind: KeyType, seed: u8) -> Self {
        let algorithm = match kind {
            KeyType::Ed25519 | KeyType::SkEd25519 => Algorithm::Ed25519,
            KeyType::EcdsaP256 | KeyType::SkEcdsaP256 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
            KeyType::EcdsaP384 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
            KeyType::EcdsaP521 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        };
        let private = PrivateKey::random(&mut rand::rngs::StdRng::from_seed([seed; 32]), algorithm).unwrap();
        let public = private.public_key().key_data();
        let blob = match kind {
            KeyType::SkEd25519 => {
                [string(kind.as_str().as_bytes()), string(&public.ed25519().unwrap().0), string(APPLICATION.as_bytes())].concat()
            }
            KeyType::SkEcdsaP256 => [
                string(kind.as_str().as_bytes()),
                string(b"nistp256"),
                string(public.ecdsa().unwrap().as_sec1_bytes()),
                string(APPLICATION.as_bytes()),
            ]
            .concat(),
            _ => public.encode_vec().unwrap(),
        };
        Self { principal, kind, private, blob }
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.private
    }

    /// The signature's value over bytes that need no more wrapping.
    fn raw(&self, data: &[u8]) -> Vec<u8> {
        match self.private.key_data().ed25519() {
            Some(pair) => SigningKey::from_bytes(&pair.private.to_bytes()).sign(data).to_bytes().to_vec(),
            None => ssh_key::Signature::as_bytes(&self.private.try_sign(data).unwrap()).to_vec(),
        }
    }

    pub(super) fn parts(&self, namespace: &str, message: &[u8], flags: u8) -> Parts {
        let fields = [string(namespace.as_bytes()), string(b""), string(b"sha512"), string(&Sha512::digest(message))];
        let mut data = [b"SSHSIG".to_vec(), fields.concat()].concat();
        let mut trailer = Vec::new();
        if self.kind.is_security_key() {
            trailer = vec![flags, 0, 0, 1, 7];
            data = [&Sha256::digest(APPLICATION)[..], &trailer, &Sha256::digest(&data)].concat();
        }
        Parts {
            preamble: b"SSHSIG".to_vec(),
            version: 1,
            key: self.blob.clone(),
            namespace: namespace.as_bytes().to_vec(),
            reserved: Vec::new(),
            hash: b"sha512".to_vec(),
            kind: self.kind.as_str().as_bytes().to_vec(),
            value: self.raw(&data),
            trailer,
            rest: Vec::new(),
        }
    }

    /// An armoured signature; a security key says that it was touched.
    pub(super) fn sign(&self, namespace: &str, message: &[u8]) -> Vec<u8> {
        self.parts(namespace, message, 1).armoured()
    }

    pub(super) fn key_line(&self) -> String {
        format!("{} {}", self.kind.as_str(), Base64::encode_string(&self.blob))
    }
}

pub(super) fn cast() -> &'static [Official] {
    static CAST: OnceLock<Vec<Official>> = OnceLock::new();
    CAST.get_or_init(|| {
        [
            ("alice@city.example", KeyType::Ed25519),
            ("bob@city.example", KeyType::EcdsaP256),
            ("dora@city.example", KeyType::SkEd25519),
            ("carol@tax.example", KeyType::Ed25519),
            ("erin@tax.example", KeyType::EcdsaP384),
            ("frank@tax.example", KeyType::EcdsaP521),
            ("gina@city.example", KeyType::SkEcdsaP256),
            ("mallory@far.example", KeyType::Ed25519),
        ]
        .into_iter()
        .zip(1..)
        .map(|((principal, kind), seed)| Official::new(principal, kind, seed))
        .collect()
    })
}

pub(super) fn official(name: &str) -> &'static Official {
    cast().iter().find(|official| official.principal.starts_with(name)).unwrap()
}

/// A line of allowed signers.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) official: usize,
    pub(super) principal: String,
    pub(super) namespaces: Vec<&'static str>,
    pub(super) after: Option<&'static str>,
    pub(super) before: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct VerifierDoc {
    pub(super) fingerprint: [u8; 32],
    pub(super) name: String,
    pub(super) officials: Vec<String>,
    pub(super) signatures_min: u32,
    pub(super) user_presence: bool,
    pub(super) rulesets: Vec<&'static str>,
    pub(super) classes: Vec<&'static str>,
    /// pairs_per_request_max, tokens_per_request_max, validity_days_max.
    pub(super) caps: [u64; 3],
    pub(super) fields: Vec<&'static str>,
    pub(super) columns: Vec<&'static str>,
    /// order_age_days_max, addresses_per_person_max, set_age_days_max.
    pub(super) limits: [u32; 3],
    pub(super) disclosure: Vec<&'static str>,
    /// days, requests_max, pairs_max, tokens_max.
    pub(super) window: [u64; 4],
    /// requests_max, pairs_max, tokens_max.
    pub(super) epoch: [u64; 3],
}

/// A policy to bend.
#[derive(Clone, Debug)]
pub(super) struct Doc {
    pub(super) officials: Vec<String>,
    /// policy_signatures_min, countersignatures_min.
    pub(super) minima: [u32; 2],
    pub(super) user_presence: bool,
    /// days_max, evaluations_max, keep_key_days, grace_seconds.
    pub(super) epoch: [u64; 4],
    pub(super) verifiers: Vec<VerifierDoc>,
    pub(super) lines: Vec<Line>,
}

impl Doc {
    pub(super) fn new() -> Self {
        let lines = cast().iter().enumerate().map(|(index, official)| Line {
            official: index,
            principal: official.principal.to_owned(),
            namespaces: if official.principal.ends_with("tax.example") {
                vec!["countersign@oblink-1", "policy@oblink-1"]
            } else {
                vec!["request@oblink-1"]
            },
            after: Some("20250101Z"),
            before: Some("20251231Z"),
        });
        let names = |names: &[&str]| names.iter().map(|name| official(name).principal.to_owned()).collect::<Vec<_>>();
        Self {
            officials: names(&["carol", "erin", "frank"]),
            minima: [2, 1],
            user_presence: false,
            epoch: [365, 1 << 30, 0, 600],
            verifiers: vec![VerifierDoc {
                fingerprint: VERIFIER,
                name: "City of Example".to_owned(),
                officials: names(&["alice", "bob", "dora", "gina"]),
                signatures_min: 2,
                user_presence: false,
                rulesets: vec!["us-exact-1"],
                classes: vec!["confirm-address"],
                caps: [1_000, 1_000, 30],
                fields: vec!["agreement"],
                columns: vec!["order_date"],
                limits: [90, 5, 60],
                disclosure: vec!["none"],
                window: [30, 10, 10_000, 10_000],
                epoch: [100, 100_000, 100_000],
            }],
            lines: lines.take(7).collect(),
        }
    }

    pub(super) fn toml(&self) -> String {
        let quoted = |list: &[&str]| format!("[{}]", list.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", "));
        let owned = |list: &[String]| quoted(&list.iter().map(String::as_str).collect::<Vec<_>>());
        let mut text = format!(
            "format = \"oblink/policy/1\"\n[holder]\nofficials = {}\npolicy_signatures_min = {}\ncountersignatures_min = {}\nuser_presence = {}\n\
             [epoch]\ndays_max = {}\nevaluations_max = {}\nkeep_key_days = {}\ngrace_seconds = {}\n",
            owned(&self.officials),
            self.minima[0],
            self.minima[1],
            self.user_presence,
            self.epoch[0],
            self.epoch[1],
            self.epoch[2],
            self.epoch[3],
        );
        for v in &self.verifiers {
            text += &format!(
                "[[verifiers]]\nfingerprint = \"{}\"\nname = \"{}\"\nofficials = {}\nsignatures_min = {}\nuser_presence = {}\nrulesets = {}\n\
                 classes = {}\npairs_per_request_max = {}\ntokens_per_request_max = {}\nvalidity_days_max = {}\nrequired_fields = {}\n\
                 required_columns = {}\norder_age_days_max = {}\naddresses_per_person_max = {}\nset_age_days_max = {}\ndisclosure = {}\n\
                 [verifiers.window]\ndays = {}\nrequests_max = {}\npairs_max = {}\ntokens_max = {}\n\
                 [verifiers.epoch]\nrequests_max = {}\npairs_max = {}\ntokens_max = {}\n",
                to_hex(&v.fingerprint),
                v.name,
                owned(&v.officials),
                v.signatures_min,
                v.user_presence,
                quoted(&v.rulesets),
                quoted(&v.classes),
                v.caps[0],
                v.caps[1],
                v.caps[2],
                quoted(&v.fields),
                quoted(&v.columns),
                v.limits[0],
                v.limits[1],
                v.limits[2],
                quoted(&v.disclosure),
                v.window[0],
                v.window[1],
                v.window[2],
                v.window[3],
                v.epoch[0],
                v.epoch[1],
                v.epoch[2],
            );
        }
        text
    }

    pub(super) fn signers(&self) -> String {
        let mut text = String::from("# officials\n\n");
        for line in &self.lines {
            text += &format!("{} namespaces=\"{}\"", line.principal, line.namespaces.join(","));
            text += &line.after.map(|after| format!(",valid-after=\"{after}\"")).unwrap_or_default();
            text += &line.before.map(|before| format!(",valid-before=\"{before}\"")).unwrap_or_default();
            text += &format!(" {} a comment\n", cast()[line.official].key_line());
        }
        text
    }

    pub(super) fn parse(&self) -> Result<Policy, PolicyError> {
        Policy::parse(self.toml().as_bytes(), self.signers().as_bytes())
    }

    pub(super) fn policy(&self) -> Policy {
        self.parse().unwrap()
    }
}

/// A manifest that [`Doc::new`] authorises.
pub(super) fn manifest() -> Manifest {
    Manifest {
        addresses_per_person_max: 3,
        batch_tokens: 100,
        blind_seed_digest: [1; 32],
        blinded_root: [2; 32],
        class: "confirm-address".into(),
        disclosure: Disclosure::None,
        fields: BTreeMap::from([("agreement".to_owned(), "2025-17".to_owned())]),
        holder: HOLDER,
        holder_name: "Tax Office".into(),
        left_out: BTreeMap::new(),
        legal_basis: "Act 7, section 3".into(),
        list_root: [3; 32],
        not_after_unix_ms: NOW + 5 * DAY,
        not_before_unix_ms: NOW - DAY,
        order_date_earliest: 20_250_401,
        order_date_latest: 20_250_610,
        pairs: 500,
        purpose: "Serving orders".into(),
        request_id: [4; 16],
        required_columns: BTreeSet::from(["order_date".to_owned()]),
        ruleset: "us-exact-1".into(),
        ruleset_digest: Ruleset::by_name("us-exact-1").unwrap().digest(),
        tokens_per_pair: 1,
        verifier: VERIFIER,
        verifier_name: "City of Example".into(),
    }
}

pub(super) fn request(manifest: Manifest) -> Request {
    Request::authorised(manifest).unwrap()
}
