//! Officials: people with SSH keys, some of whom sign and some of whom should not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ed25519_dalek::{Signer as _, SigningKey};
use rand::SeedableRng;
use sha2::{Digest, Sha256, Sha512};
use ssh_key::encoding::Encode;
use ssh_key::encoding::base64::{Base64, Encoding};
use ssh_key::{Algorithm, EcdsaCurve, PrivateKey};

/// The namespaces that officials sign in (SPEC SIG-1).
pub const REQUEST: &str = "request@oblink-1";
/// The holder's officials, over the same request.
pub const COUNTERSIGN: &str = "countersign@oblink-1";
/// The holder's officials, over a proposal.
pub const POLICY: &str = "policy@oblink-1";

const APPLICATION: &str = "ssh:oblink";

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `ssh-ed25519`
    Ed25519,
    /// `ecdsa-sha2-nistp256`
    P256,
    /// `sk-ssh-ed25519@openssh.com`: a security key, played by software that can say that nobody touched it.
    SkEd25519,
}

/// An official with one key. The same name and kind give the same key: these are no secrets.
#[derive(Clone, Debug)]
pub struct Official {
    /// Its name in lists and policies.
    pub principal: String,
    kind: KeyKind,
    private: PrivateKey,
    blob: Vec<u8>,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

/// What `ssh-keygen -Y sign` writes around a signature: base64 in lines of 70.
fn armour(blob: &[u8]) -> Vec<u8> {
    let base64 = Base64::encode_string(blob);
    let lines = base64.as_bytes().chunks(70).flat_map(|line| [line, b"\n"].concat());
    [&b"-----BEGIN SSH SIGNATURE-----\n"[..], &lines.collect::<Vec<u8>>(), b"-----END SSH SIGNATURE-----\n"].concat()
}

impl Official {
    /// An official of this name with a key of this kind.
    ///
    /// # Panics
    /// Where the key cannot be made.
    #[must_use]
    pub fn new(principal: &str, kind: KeyKind) -> Self {
        Self::with_key(principal, kind, "")
    }

    /// The same with another key for each `which`.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn with_key(principal: &str, kind: KeyKind, which: &str) -> Self {
        let algorithm = match kind {
            KeyKind::Ed25519 | KeyKind::SkEd25519 => Algorithm::Ed25519,
            KeyKind::P256 => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        };
        let seed: [u8; 32] = Sha256::digest(format!("{principal} {kind:?} {which}")).into();
        let private = PrivateKey::random(&mut rand::rngs::StdRng::from_seed(seed), algorithm).unwrap();
        let public = private.public_key().key_data();
        let blob = match kind {
            KeyKind::SkEd25519 => {
                [string(b"sk-ssh-ed25519@openssh.com"), string(&public.ed25519().unwrap().0), string(APPLICATION.as_bytes())].concat()
            }
            _ => public.encode_vec().unwrap(),
        };
        Self { principal: principal.to_owned(), kind, private, blob }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            KeyKind::Ed25519 => "ssh-ed25519",
            KeyKind::P256 => "ecdsa-sha2-nistp256",
            KeyKind::SkEd25519 => "sk-ssh-ed25519@openssh.com",
        }
    }

    /// The official's signature in a namespace, as the armoured file; a security key says that it was touched.
    #[must_use]
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Vec<u8> {
        self.sign_with_flags(namespace, message, 1)
    }

    /// The same by a security key that nobody touched.
    #[must_use]
    pub fn sign_untouched(&self, namespace: &str, message: &[u8]) -> Vec<u8> {
        self.sign_with_flags(namespace, message, 0)
    }

    fn sign_with_flags(&self, namespace: &str, message: &[u8], flags: u8) -> Vec<u8> {
        let fields = [string(namespace.as_bytes()), string(b""), string(b"sha512"), string(&Sha512::digest(message))];
        let mut data = [b"SSHSIG".to_vec(), fields.concat()].concat();
        let mut trailer = Vec::new();
        if self.kind == KeyKind::SkEd25519 {
            trailer = vec![flags, 0, 0, 1, 7];
            data = [&Sha256::digest(APPLICATION)[..], &trailer, &Sha256::digest(&data)].concat();
        }
        let value = match self.private.key_data().ed25519() {
            Some(pair) => SigningKey::from_bytes(&pair.private.to_bytes()).sign(&data).to_bytes().to_vec(),
            None => {
                let signature: ssh_key::Signature = self.private.try_sign(&data).unwrap();
                signature.as_bytes().to_vec()
            }
        };
        let signature = [string(self.type_name().as_bytes()), string(&value), trailer].concat();
        let blob = [
            b"SSHSIG".to_vec(),
            1_u32.to_be_bytes().to_vec(),
            string(&self.blob),
            string(namespace.as_bytes()),
            string(b""),
            string(b"sha512"),
            string(&signature),
        ];
        armour(&blob.concat())
    }

    /// Its key's fingerprint, `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", Base64::encode_string(&Sha256::digest(&self.blob)).trim_end_matches('='))
    }

    /// Its line of allowed signers, for `namespaces` (divided by commas), with `more` options that begin with a comma.
    #[must_use]
    pub fn line(&self, namespaces: &str, more: &str) -> String {
        let key = Base64::encode_string(&self.blob);
        format!("{} namespaces=\"{namespaces}\"{more} {} {key}\n", self.principal, self.type_name())
    }
}

/// The real ssh-keygen, where it is installed; says so where it is not.
#[must_use]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn ssh_keygen() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|directory| directory.join("ssh-keygen")).find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: ssh-keygen is not installed");
    }
    found
}

/// An official who uses the real ssh-keygen.
#[derive(Clone, Debug)]
pub struct KeygenOfficial {
    /// Its name in lists and policies.
    pub principal: String,
    /// Its private key's file; the public one is beside it.
    pub key: PathBuf,
    program: PathBuf,
}

impl KeygenOfficial {
    /// Makes a key of `kind` (as ssh-keygen's -t takes it) without a passphrase.
    ///
    /// # Panics
    /// Where ssh-keygen fails.
    #[must_use]
    pub fn make(program: &Path, directory: &Path, principal: &str, kind: &str) -> Self {
        let key = directory.join(format!("{principal}.key"));
        let made = Command::new(program)
            .args(["-q", "-t", kind, "-N", "", "-C", principal, "-f"])
            .arg(&key)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Self { principal: principal.to_owned(), key, program: program.to_owned() }
    }

    /// `ssh-keygen -Y sign`: gives the signature's file, which is beside the message's.
    ///
    /// # Panics
    /// Where ssh-keygen fails.
    #[must_use]
    pub fn sign(&self, namespace: &str, message: &Path) -> PathBuf {
        let signed = Command::new(&self.program)
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(&self.key)
            .arg(message)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
        let mut file = message.as_os_str().to_owned();
        file.push(".sig");
        PathBuf::from(file)
    }

    /// Its line of allowed signers.
    ///
    /// # Panics
    /// Where the public key cannot be read.
    #[must_use]
    pub fn line(&self, namespaces: &str) -> String {
        let public = std::fs::read_to_string(self.key.with_extension("key.pub")).unwrap();
        format!("{} namespaces=\"{namespaces}\" {}\n", self.principal, public.trim())
    }
}

/// Officials of both sides.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The verifier's: doe (Ed25519), roe (P-256), poe (a security key).
    pub asking: Vec<Official>,
    /// The holder's: archer, baker, carter.
    pub holding: Vec<Official>,
}

impl Default for Cast {
    fn default() -> Self {
        let official = |(name, kind): (&str, KeyKind)| Official::new(name, kind);
        Self {
            asking: [("doe@verifier", KeyKind::Ed25519), ("roe@verifier", KeyKind::P256), ("poe@verifier", KeyKind::SkEd25519)]
                .map(official)
                .to_vec(),
            holding: [("archer@holder", KeyKind::Ed25519), ("baker@holder", KeyKind::P256), ("carter@holder", KeyKind::Ed25519)]
                .map(official)
                .to_vec(),
        }
    }
}

impl Cast {
    /// Their lines of allowed signers.
    #[must_use]
    pub fn lines(&self) -> String {
        let asking = self.asking.iter().map(|official| official.line(REQUEST, ""));
        let holding = self.holding.iter().map(|official| official.line(&format!("{COUNTERSIGN},{POLICY}"), ""));
        asking.chain(holding).collect()
    }
}
