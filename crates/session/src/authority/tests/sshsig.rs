//! SIG-1

use super::{Official, Parts, cast, official, string};
use crate::authority::sshsig::armour;
use crate::authority::{KeyType, Signature, SignatureError};
use proptest::prelude::*;
use ssh_key::{HashAlg, LineEnding};
use std::process::{Command, Stdio};

const NAMESPACE: &str = "request@oblink-1";
const MESSAGE: &[u8] = b"{\"a\":1}";

#[test]
fn every_key_type_signs_and_no_other_bytes_are_signed() {
    for official in cast() {
        let armoured = official.sign(NAMESPACE, MESSAGE);
        let signature = Signature::parse(&armoured).unwrap();
        assert_eq!(signature.key_type(), official.kind);
        assert_eq!(signature.namespace(), NAMESPACE);
        let verified = signature.verify(NAMESPACE, MESSAGE).unwrap();
        assert_eq!(verified.key_type(), official.kind);
        assert_eq!(verified.key_fingerprint(), signature.key_fingerprint());
        assert_eq!(verified.user_present(), official.kind.is_security_key().then_some(true));
        assert_eq!(signature.verify(NAMESPACE, b"{\"a\":2}"), Err(SignatureError::Invalid));
        assert_eq!(signature.verify("countersign@oblink-1", MESSAGE), Err(SignatureError::Namespace));
        // The same value said to be for another purpose.
        let moved = Parts { namespace: b"policy@oblink-1".to_vec(), ..official.parts(NAMESPACE, MESSAGE, 1) };
        assert_eq!(Signature::parse(&moved.armoured()).unwrap().verify("policy@oblink-1", MESSAGE), Err(SignatureError::Invalid));
    }
}

#[test]
fn a_security_keys_flags_and_counter_are_signed() {
    for name in ["dora", "gina"] {
        let untouched = official(name).parts(NAMESPACE, MESSAGE, 0);
        let verify = |parts: &Parts| Signature::parse(&parts.armoured()).unwrap().verify(NAMESPACE, MESSAGE);
        assert_eq!(verify(&untouched).unwrap().user_present(), Some(false));
        assert_eq!(verify(&official(name).parts(NAMESPACE, MESSAGE, 0x05)).unwrap().user_present(), Some(true));
        for at in 0..5 {
            let mut changed = untouched.clone();
            changed.trailer[at] ^= 1;
            assert_eq!(verify(&changed), Err(SignatureError::Invalid), "byte {at}");
        }
    }
}

#[test]
fn every_flipped_bit_of_every_signature_is_found() {
    for official in cast() {
        let blob = official.parts(NAMESPACE, MESSAGE, 1).blob();
        for at in 0..blob.len() {
            let mut changed = blob.clone();
            changed[at] ^= 1 << (at % 8);
            let verdict = Signature::parse(armour(&changed).as_bytes()).and_then(|signature| signature.verify(NAMESPACE, MESSAGE));
            assert!(verdict.is_err(), "{}: byte {at}", official.kind.as_str());
        }
    }
}

/// Each of these is taken by some library, or by a reader that is in a hurry.
#[test]
fn the_form_is_the_only_one() {
    let good = official("alice").parts(NAMESPACE, MESSAGE, 1);
    let check = |parts: Parts, why| assert_eq!(Signature::parse(&parts.armoured()), Err(why));
    check(Parts { version: 0, ..good.clone() }, SignatureError::Blob);
    check(Parts { version: 2, ..good.clone() }, SignatureError::Blob);
    check(Parts { preamble: b"SSHSIH".to_vec(), ..good.clone() }, SignatureError::Blob);
    check(Parts { reserved: vec![0], ..good.clone() }, SignatureError::Blob);
    check(Parts { rest: vec![0], ..good.clone() }, SignatureError::Blob);
    check(Parts { trailer: vec![1, 0, 0, 0, 0], ..good.clone() }, SignatureError::Blob);
    check(Parts { kind: b"ssh-rsa".to_vec(), ..good.clone() }, SignatureError::Blob);
    check(Parts { kind: b"sk-ssh-ed25519@openssh.com".to_vec(), trailer: vec![1, 0, 0, 0, 0], ..good.clone() }, SignatureError::Blob);
    check(Parts { hash: b"sha256".to_vec(), ..good.clone() }, SignatureError::Hash);
    check(Parts { hash: b"SHA512".to_vec(), ..good.clone() }, SignatureError::Hash);
    check(Parts { namespace: Vec::new(), ..good.clone() }, SignatureError::Namespace);
    check(Parts { namespace: vec![0xff], ..good.clone() }, SignatureError::Namespace);
    check(Parts { key: [good.key.clone(), vec![0]].concat(), ..good.clone() }, SignatureError::Key);
    let keyed = |key: Vec<u8>| check(Parts { key, ..good.clone() }, SignatureError::Key);
    keyed([string(b"ssh-rsa"), string(&[1, 0, 1]), string(&[0x55; 256])].concat());
    keyed([string(b"ssh-dss"), string(&[1]), string(&[1]), string(&[1]), string(&[1])].concat());
    keyed([string(b"ssh-ed25519-cert-v01@openssh.com"), good.key[15..].to_vec()].concat());
    // The neutral point and a y that is not reduced.
    keyed([string(b"ssh-ed25519"), string(&[&[1][..], &[0; 31]].concat())].concat());
    keyed([string(b"ssh-ed25519"), string(&[&[0xf0][..], &[0xff; 30], &[0x7f]].concat())].concat());
    keyed([string(b"ssh-ed25519"), string(&[7; 31])].concat());
    keyed(Vec::new());
    // A credential of a website, by application.
    let website = official("dora").parts(NAMESPACE, MESSAGE, 1);
    let point = &website.key[30..66];
    let key = [string(b"sk-ssh-ed25519@openssh.com"), point.to_vec(), string(b"https://far.example")].concat();
    check(Parts { key, ..website }, SignatureError::Key);
    // A compressed point, and one of another curve than the type says.
    let bob = official("bob").parts(NAMESPACE, MESSAGE, 1);
    let point = &bob.key[bob.key.len() - 65..];
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    let key = |kind: &[u8], curve: &[u8], point: &[u8]| [string(kind), string(curve), string(point)].concat();
    check(Parts { key: key(b"ecdsa-sha2-nistp256", b"nistp256", &compressed), ..bob.clone() }, SignatureError::Key);
    check(Parts { key: key(b"ecdsa-sha2-nistp384", b"nistp256", point), ..bob.clone() }, SignatureError::Key);
    check(Parts { key: key(b"ecdsa-sha2-nistp256", b"nistp384", point), ..bob.clone() }, SignatureError::Key);
    // Off the curve: no signature is ever its.
    let mut off = bob.clone();
    *off.key.last_mut().unwrap() ^= 1;
    assert_eq!(Signature::parse(&off.armoured()).unwrap().verify(NAMESPACE, MESSAGE), Err(SignatureError::Invalid));
}

#[test]
fn ecdsa_values_have_one_encoding() {
    let bob = official("bob").parts(NAMESPACE, MESSAGE, 1);
    let r_length = u32::from_be_bytes(bob.value[..4].try_into().unwrap()) as usize;
    let (r, s) = (&bob.value[4..4 + r_length], &bob.value[8 + r_length..]);
    let verify = |value: Vec<u8>| Signature::parse(&Parts { value, ..bob.clone() }.armoured()).unwrap().verify(NAMESPACE, MESSAGE);
    assert!(verify([string(r), string(s)].concat()).is_ok());
    let padded = |x: &[u8]| [&[0], x].concat();
    for (r, s) in [
        (padded(r), s.to_vec()),
        (r.to_vec(), padded(s)),
        (Vec::new(), s.to_vec()),
        (vec![0], s.to_vec()),
        (vec![1], Vec::new()),
        (vec![0xff; 32], s.to_vec()),
        (padded(&[0xff; 32]), s.to_vec()),
        (padded(&[0xff; 40]), s.to_vec()),
    ] {
        assert_eq!(verify([string(&r), string(&s)].concat()), Err(SignatureError::Invalid));
    }
    assert_eq!(verify([&bob.value[..], &[0]].concat()), Err(SignatureError::Invalid));
    assert_eq!(verify(bob.value[..bob.value.len() - 1].to_vec()), Err(SignatureError::Invalid));
}

#[test]
fn the_armour_is_the_only_one() {
    let text = String::from_utf8(official("alice").sign(NAMESPACE, MESSAGE)).unwrap();
    let parse = |text: &str| Signature::parse(text.as_bytes()).map(|_| ());
    assert_eq!(parse(&text), Ok(()));
    assert_eq!(parse(&text.replace('\n', "\r\n")), Ok(()));
    for changed in [
        String::new(),
        format!("\n{text}"),
        format!(" {text}"),
        format!("{text}\n"),
        format!("{text}x"),
        format!("A note.\n{text}"),
        text.trim_end().to_owned(),
        text.replacen('\n', "\r\n", 1),
        text.replace('\n', "\r"),
        text.replace('\n', "\r\r\n"),
        text.replace("SSH SIGNATURE", "SSH  SIGNATURE"),
        text.replacen("\nU1NI", "\nU1 NI", 1),
        text.replacen("\nU1NI", "\nU1\nNI", 1),
        text.replacen("\nU1NI", "\n\nU1NI", 1),
        text.replacen("\nU1NI", "\nComment: a\n\nU1NI", 1),
        text.replacen("\nU1NI", "\nU1N!", 1),
        format!("{text}{text}"),
    ] {
        assert_eq!(parse(&changed), Err(SignatureError::Armour), "{changed}");
    }
    assert_eq!(Signature::parse(&[b' '; 4_097]), Err(SignatureError::TooLong));
    assert_eq!(Signature::parse(&[0xff; 90]), Err(SignatureError::Armour));
}

#[test]
fn what_the_library_signs_is_taken() {
    for official in cast().iter().filter(|official| !official.kind.is_security_key()) {
        let signature = official.private().sign(NAMESPACE, HashAlg::Sha512, MESSAGE).unwrap();
        let parsed = Signature::parse(signature.to_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
        assert_eq!(parsed.verify(NAMESPACE, MESSAGE).unwrap().key_type(), official.kind);
        assert_eq!(parsed.key_fingerprint(), official.private().fingerprint(HashAlg::Sha256).to_string());
        let sha256 = official.private().sign(NAMESPACE, HashAlg::Sha256, MESSAGE).unwrap();
        assert_eq!(Signature::parse(sha256.to_pem(LineEnding::LF).unwrap().as_bytes()), Err(SignatureError::Hash));
    }
}

/// The program that officials use, where this machine has it: what it writes is taken, what is written here it verifies.
#[test]
#[allow(clippy::print_stderr)]
fn what_ssh_keygen_signs_is_taken_and_the_other_way_round() {
    let run = |command: &mut Command| command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let directory = std::env::temp_dir().join(format!("oblink-authority-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name);
    std::fs::write(path("message"), MESSAGE).unwrap();
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521")] {
        let key = path(&format!("{kind}-{bits}"));
        if !run(Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-b", bits, "-f"]).arg(&key))
            .is_ok_and(|status| status.success())
        {
            eprintln!("skipped: no ssh-keygen on this machine");
            std::fs::remove_dir_all(&directory).unwrap();
            return;
        }
        let sign = run(Command::new("ssh-keygen").args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&key).arg(path("message")));
        assert!(sign.unwrap().success());
        let signature = Signature::parse(&std::fs::read(path("message.sig")).unwrap()).unwrap();
        assert!(signature.verify(NAMESPACE, MESSAGE).is_ok(), "{kind} {bits}");
        assert_eq!(signature.verify(NAMESPACE, b"other"), Err(SignatureError::Invalid));
        std::fs::remove_file(path("message.sig")).unwrap();
        // A line of allowed signers holds the key as ssh-keygen writes it.
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        let line = format!("a@b namespaces=\"{NAMESPACE}\" {public}");
        let signers = crate::authority::AllowedSigners::parse(&line).unwrap();
        assert_eq!(signers.keys().next().unwrap().fingerprint(), signature.key_fingerprint());
    }
    for official in cast() {
        let line = format!("{} namespaces=\"{NAMESPACE}\" {}\n", official.principal, official.key_line());
        std::fs::write(path("allowed"), line).unwrap();
        std::fs::write(path("sig"), official.sign(NAMESPACE, MESSAGE)).unwrap();
        let mut verify = Command::new("ssh-keygen");
        verify.args(["-Y", "verify", "-n", NAMESPACE, "-I", official.principal, "-f"]).arg(path("allowed")).arg("-s").arg(path("sig"));
        verify.stdin(std::fs::File::open(path("message")).unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
        assert!(verify.status().unwrap().success(), "{}", official.kind.as_str());
    }
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn names_of_key_types_are_openssh_s() {
    for kind in KeyType::ALL {
        assert_eq!(KeyType::by_name(kind.as_str()), Some(kind));
    }
    for none in ["", "ssh-rsa", "rsa-sha2-512", "ssh-dss", "ssh-ed25519-cert-v01@openssh.com", "SSH-ED25519"] {
        assert_eq!(KeyType::by_name(none), None);
    }
    let _: &Official = official("alice");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300, with in any::<u8>()) {
        let _ = Signature::parse(&bytes);
        let _ = Signature::parse(armour(&bytes).as_bytes());
        // Bytes that nearly are a signature get further.
        for official in cast() {
            let mut blob = official.parts(NAMESPACE, MESSAGE, 1).blob();
            if let Some(byte) = blob.get_mut(at) { *byte = with; }
            blob.truncate(blob.len().min(at * 2 + 40));
            let _ = Signature::parse(armour(&blob).as_bytes()).and_then(|signature| signature.verify(NAMESPACE, MESSAGE));
        }
    }
}
