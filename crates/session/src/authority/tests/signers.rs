//! SIG-2

use super::{Doc, cast, official};
use crate::authority::{AllowedSigners, Namespace, SIGNERS_MAX, Validity};
use proptest::prelude::*;

fn what(text: &str) -> (usize, &'static str) {
    AllowedSigners::parse(text).map(|_| ()).map_err(|error| (error.line, error.what)).unwrap_err()
}

#[test]
fn lines_that_can_be_read_in_one_way_are_read() {
    let alice = official("alice").key_line();
    let bob = official("bob").key_line();
    let text = format!(
        "\n# officials\n  \t\n\ta@x  valid-after=\"20240229Z\",namespaces=\"request@oblink-1,policy@oblink-1\",valid-before=\"202412312359Z\"\t{alice}\n\
         a@x namespaces=\"countersign@oblink-1\",valid-before=\"20241231235958Z\" {bob} a comment with \"quotes\" # and more"
    );
    let signers = AllowedSigners::parse(&text).unwrap();
    assert_eq!(signers.keys().len(), 2);
    let alice = signers.by_blob(&official("alice").blob).unwrap();
    assert_eq!((alice.principal(), alice.key_type()), ("a@x", official("alice").kind));
    assert_eq!(alice.namespaces().iter().copied().collect::<Vec<_>>(), [Namespace::Request, Namespace::Policy]);
    assert_eq!((alice.valid_after_unix_s(), alice.valid_before_unix_s()), (Some(1_709_164_800), Some(1_735_689_540)));
    assert_eq!(signers.by_blob(&official("bob").blob).unwrap().valid_before_unix_s(), Some(1_735_689_598));
    // Both bounds are inside, to the second.
    for (ms, validity) in [
        (1_709_164_799_999, Validity::NotYet),
        (1_709_164_800_000, Validity::Valid),
        (1_735_689_540_999, Validity::Valid),
        (1_735_689_541_000, Validity::Expired),
    ] {
        assert_eq!(alice.validity(ms), validity, "{ms}");
    }
    assert!(signers.has_key("a@x", &[Namespace::Countersign]) && !signers.has_key("b@x", &Namespace::ALL));
    assert_eq!(AllowedSigners::parse("").unwrap().keys().len(), 0);
    assert_eq!(AllowedSigners::parse(&Doc::new().signers()).unwrap().keys().len(), 7);
}

#[test]
fn what_could_be_read_otherwise_is_refused() {
    let key = official("alice").key_line();
    let (kind, base64) = key.split_once(' ').unwrap();
    let ns = "namespaces=\"request@oblink-1\"";
    let p256 = official("bob").kind.as_str();
    for (line, part) in [
        (format!("*@x {ns} {key}"), "principal"),
        (format!("a? {ns} {key}"), "principal"),
        (format!("!a {ns} {key}"), "principal"),
        (format!("a,b {ns} {key}"), "principal"),
        (format!("\"a b\" {ns} {key}"), "principal"),
        (format!("ä@x {ns} {key}"), "principal"),
        (format!("{} {ns} {key}", "a".repeat(256)), "principal"),
        (format!("a {key}"), "namespaces"),
        (format!("a valid-after=\"20240101Z\" {key}"), "namespaces"),
        (format!("a cert-authority,{ns} {key}"), "an option"),
        (format!("a {ns},cert-authority {key}"), "an option"),
        (format!("a {ns},verify-required {key}"), "an option"),
        (format!("a {ns},verify-required=\"1\" {key}"), "an option"),
        (format!("a namespaces=request@oblink-1 {key}"), "an option"),
        (format!("a Namespaces=\"request@oblink-1\" {key}"), "an option"),
        (format!("a {ns}, {key}"), "an option"),
        (format!("a {ns} , {key}"), "key is of no type"),
        (format!("a {ns};valid-after=\"20240101Z\" {key}"), "comma"),
        (format!("a {ns},{ns} {key}"), "twice"),
        (format!("a {ns},valid-after=\"20240101Z\",valid-after=\"20240102Z\" {key}"), "twice"),
        (format!("a namespaces=\"\" {key}"), "a namespace"),
        (format!("a namespaces=\"*\" {key}"), "a namespace"),
        (format!("a namespaces=\"file\" {key}"), "a namespace"),
        (format!("a namespaces=\"request@oblink-1, policy@oblink-1\" {key}"), "a namespace"),
        (format!("a namespaces=\"request@oblink-1,request@oblink-1\" {key}"), "a namespace is there twice"),
        (format!("a namespaces=\"request@oblink-1 {key}"), "quotes"),
        (format!("a {ns},valid-after=\"20240101\" {key}"), "local time"),
        (format!("a {ns},valid-after=\"2024010Z\" {key}"), "YYYYMMDD"),
        (format!("a {ns},valid-after=\"+2024010Z\" {key}"), "YYYYMMDD"),
        (format!("a {ns},valid-after=\"2024-01-01Z\" {key}"), "YYYYMMDD"),
        (format!("a {ns},valid-after=\"20240230Z\" {key}"), "no such time"),
        (format!("a {ns},valid-after=\"202401012400Z\" {key}"), "no such time"),
        (format!("a {ns},valid-after=\"20240101235960Z\" {key}"), "no such time"),
        (format!("a {ns},valid-before=\"19691231Z\" {key}"), "no such time"),
        (format!("a {ns},valid-after=\"20240102Z\",valid-before=\"20240101Z\" {key}"), "earlier"),
        (format!("a {ns} ssh-rsa {base64}"), "no type"),
        (format!("a {ns} {kind}"), "encoding"),
        (format!("a {ns} {p256} {base64}"), "encoding"),
        (format!("a {ns} {kind} {base64}AAAA"), "encoding"),
        (format!("a {ns} {kind} {}", &base64[1..]), "encoding"),
        (format!("a {ns} {key}\r"), "control"),
        (format!("a {ns} {key} \u{85}"), "control"),
        (format!("a {ns} {key} {}", "x".repeat(16 << 10)), "16 KiB"),
        ("a".to_owned(), "an option"),
    ] {
        let (number, message) = what(&format!("# first\n{line}\n"));
        assert!(number == 2 && message.contains(part), "{line}: {number} {message}");
    }
    assert_eq!(what(&" \n".repeat(1 << 20)).0, 0);
}

/// Else one person could sign as two.
#[test]
fn a_key_is_one_officials_and_there_once() {
    let key = official("alice").key_line();
    let line = |principal: &str, namespace: &str| format!("{principal} namespaces=\"{namespace}@oblink-1\" {key}\n");
    for second in [line("a", "request"), line("a", "policy"), line("b", "request")] {
        let (number, message) = what(&(line("a", "request") + &second));
        assert!(number == 2 && message.contains("twice"));
    }
}

#[test]
fn there_are_only_so_many() {
    // A key a line costs 4,096 decodings; its bytes differ, its point need not be anybody's.
    let mut text = String::new();
    let mut blob = official("alice").blob.clone();
    let mut lines = 0;
    for n in 0_u32.. {
        blob[19..23].copy_from_slice(&n.to_be_bytes());
        if crate::authority::key::Key::decode(&blob).is_some() {
            use ssh_key::encoding::base64::{Base64, Encoding};
            text += &format!("a namespaces=\"request@oblink-1\" ssh-ed25519 {}\n", Base64::encode_string(&blob));
            lines += 1;
            if lines == SIGNERS_MAX {
                assert_eq!(AllowedSigners::parse(&text).unwrap().keys().len(), SIGNERS_MAX);
            } else if lines > SIGNERS_MAX {
                break;
            }
        }
    }
    assert_eq!(what(&text), (SIGNERS_MAX + 1, "more than 4,096 keys"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", at in 0usize..800, with in any::<char>()) {
        let _ = AllowedSigners::parse(&text);
        let good = format!("a namespaces=\"request@oblink-1\",valid-after=\"20240101Z\" {}\n", cast()[0].key_line());
        let changed: String = good.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).collect();
        let _ = AllowedSigners::parse(&changed);
        let _ = AllowedSigners::parse(&good.chars().take(at).collect::<String>());
    }
}
