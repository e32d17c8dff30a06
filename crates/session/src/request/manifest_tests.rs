use super::*;
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

fn manifest() -> Manifest {
    Manifest {
        addresses_per_person_max: 1,
        batch_tokens: 8192,
        blind_seed_digest: [0xa1; 32],
        blinded_root: [0xa2; 32],
        class: "confirm-address".to_owned(),
        disclosure: Disclosure::None,
        fields: [("agreement", "2026-014 \"B\" \\ annex"), ("agreement_expires", "2027-06-30")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        holder: [0xa3; 32],
        holder_name: "Revenue Service".to_owned(),
        left_out: [("no_order_date".to_owned(), 12), ("future_order_date".to_owned(), 1)].into(),
        legal_basis: "§ 6103(i)(2), Ünïcode 日本".to_owned(),
        list_root: [0xa4; 32],
        not_after_unix_ms: 1_800_604_800_000,
        not_before_unix_ms: 1_800_000_000_000,
        order_date_earliest: 20_240_229,
        order_date_latest: 20_261_031,
        pairs: 700_000,
        purpose: "Confirm the addresses of people with a dated order".to_owned(),
        request_id: [7; 16],
        required_columns: ["order_date".to_owned()].into(),
        ruleset: "us-exact-1".to_owned(),
        ruleset_digest: [9; 32],
        tokens_per_pair: 1,
        verifier: [0xa5; 32],
        verifier_name: "Enforcement Agency".to_owned(),
    }
}

fn text() -> String {
    String::from_utf8(Request::authorised(manifest()).unwrap().bytes().to_vec()).unwrap()
}

/// REQ-3
#[test]
fn an_authorised_requests_bytes() {
    let h = |byte: &str| byte.repeat(32);
    assert_eq!(
        text(),
        format!(
            "{{\"addresses_per_person_max\":1,\"batch_tokens\":8192,\"blind_seed_digest\":\"{}\",\"blinded_root\":\"{}\",\
             \"class\":\"confirm-address\",\"disclosure\":\"none\",\
             \"fields\":{{\"agreement\":\"2026-014 \\\"B\\\" \\\\ annex\",\"agreement_expires\":\"2027-06-30\"}},\
             \"format\":\"oblink/authorised-request/1\",\"holder\":\"{}\",\"holder_name\":\"Revenue Service\",\
             \"left_out\":{{\"future_order_date\":1,\"no_order_date\":12}},\"legal_basis\":\"§ 6103(i)(2), Ünïcode 日本\",\"list_root\":\"{}\",\
             \"not_after_unix_ms\":1800604800000,\"not_before_unix_ms\":1800000000000,\"order_date_earliest\":20240229,\
             \"order_date_latest\":20261031,\"pairs\":700000,\"purpose\":\"Confirm the addresses of people with a dated order\",\
             \"request_id\":\"07070707070707070707070707070707\",\"required_columns\":[\"order_date\"],\"ruleset\":\"us-exact-1\",\
             \"ruleset_digest\":\"{}\",\"tokens_per_pair\":1,\"verifier\":\"{}\",\"verifier_name\":\"Enforcement Agency\"}}",
            h("a1"),
            h("a2"),
            h("a3"),
            h("a4"),
            h("09"),
            h("a5"),
        )
    );
}

/// REQ-3
#[test]
fn an_authorised_request_is_read_as_it_was_made() {
    let request = Request::authorised(manifest()).unwrap();
    let parsed = Request::parse(request.bytes()).unwrap();
    assert_eq!(parsed, request);
    assert_eq!(parsed.manifest(), Some(&manifest()));
    assert_eq!((parsed.id(), parsed.pairs(), parsed.tokens_per_pair()), (&[7; 16], 700_000, 1));
    assert_eq!((parsed.ruleset(), parsed.ruleset_digest(), parsed.batches()), ("us-exact-1", &[9; 32], 86));
    assert_eq!(parsed.digest(), <[u8; 32]>::from(Sha256::digest(request.bytes())));
    let unsigned = Request::new([7; 16], 700_000, 8192, "us-exact-1", [9; 32], 1).unwrap();
    assert_eq!((unsigned.manifest(), unsigned.batch(85)), (None, parsed.batch(85)));
}

/// REQ-3: members are sorted as RFC 8785 §3.2.3 has it, whatever serde_json does with them.
#[test]
fn the_members_are_in_order() {
    let value: serde_json::Value = serde_json::from_str(&text()).unwrap();
    let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
    names.sort();
    let at = |name: &String| text().find(&format!("\"{name}\":")).unwrap();
    assert!(names.is_sorted_by_key(at));
    assert_eq!(names.len(), 26);
}

/// REQ-3
#[test]
fn each_bound_is_kept() {
    type Change = fn(&mut Manifest);
    let changes: &[(&str, Change)] = &[
        ("batch_tokens", |m| m.batch_tokens = 0),
        ("batch_tokens", |m| m.batch_tokens = 65_536),
        ("pairs", |m| m.pairs = 0),
        ("pairs", |m| m.pairs = (1 << 40) + 1),
        ("tokens_per_pair", |m| m.tokens_per_pair = 0),
        ("tokens_per_pair", |m| m.tokens_per_pair = 65),
        ("ruleset", |m| m.ruleset = "US".to_owned()),
        ("ruleset", |m| m.ruleset.clear()),
        ("number of batches", |m| m.pairs = 1 << 40),
        ("class", |m| m.class = "find-people".to_owned()),
        ("class", |m| m.class.clear()),
        ("fields", |m| m.fields = (0..33).map(|i| (format!("f{i}"), "x".to_owned())).collect()),
        ("fields", |m| m.fields = [("Agreement".to_owned(), "x".to_owned())].into()),
        ("fields", |m| m.fields = [("agreement".to_owned(), String::new())].into()),
        ("fields", |m| m.fields = [("agreement".to_owned(), "a\u{202e}b".to_owned())].into()),
        ("holder_name", |m| m.holder_name.clear()),
        ("holder_name", |m| m.holder_name = " a".to_owned()),
        ("left_out", |m| m.left_out = [("no_order_date".to_owned(), 0)].into()),
        ("left_out", |m| m.left_out = [("no_order_date".to_owned(), (1 << 40) + 1)].into()),
        ("left_out", |m| m.left_out = [("no order date".to_owned(), 1)].into()),
        ("left_out", |m| m.left_out = (0..65).map(|i| (format!("r{i}"), 1)).collect()),
        ("legal_basis", |m| m.legal_basis = "a\nb".to_owned()),
        ("legal_basis", |m| m.legal_basis = "a".repeat(1025)),
        ("not_after_unix_ms", |m| m.not_after_unix_ms = 1 << 53),
        ("not_before_unix_ms", |m| m.not_before_unix_ms = m.not_after_unix_ms),
        ("not_before_unix_ms", |m| m.not_before_unix_ms = u64::MAX),
        ("order_date_earliest", |m| m.order_date_earliest = 20_230_229),
        ("order_date_earliest", |m| m.order_date_earliest = 0),
        ("order_date_earliest", |m| m.required_columns.clear()),
        ("order_date_latest", |m| m.order_date_latest = 20_261_131),
        ("order_date_latest", |m| m.order_date_latest = 20_261_300),
        ("order_date_latest", |m| m.order_date_latest = 101),
        ("order_date_latest", |m| m.order_date_latest = 20_240_228),
        ("order_date_latest", |m| m.order_date_latest = u32::MAX),
        ("order_date_latest", |m| {
            m.required_columns.clear();
            m.order_date_earliest = 0;
        }),
        ("purpose", |m| m.purpose = "a\u{2028}b".to_owned()),
        ("required_columns", |m| m.required_columns = ["order_date".to_owned(), "Order".to_owned()].into()),
        ("required_columns", |m| m.required_columns.extend((0..32).map(|i| format!("c{i}")))),
        ("verifier_name", |m| m.verifier_name = "a\u{200b}".to_owned()),
        ("length", |m| m.fields = (0..32).map(|i| (format!("f{i}"), "\\".repeat(1024))).collect()),
    ];
    for (i, (name, change)) in changes.iter().enumerate() {
        let mut changed = manifest();
        change(&mut changed);
        assert_eq!(Request::authorised(changed), Err(RequestError::Member(name)), "change {i}");
    }
    let at_bounds: &[Change] = &[
        |m| m.addresses_per_person_max = 0,
        |m| m.addresses_per_person_max = u32::MAX,
        |m| m.batch_tokens = 65_535,
        |m| m.tokens_per_pair = 64,
        |m| m.class = "find-person".to_owned(),
        |m| m.disclosure = Disclosure::MatchedTags,
        |m| m.fields = (0..32).map(|i| (format!("f{i}"), "x".repeat(1024))).collect(),
        |m| m.fields.clear(),
        |m| m.left_out = (0..64).map(|i| (format!("r{i}"), 1 << 40)).collect(),
        |m| m.left_out.clear(),
        |m| m.not_after_unix_ms = (1 << 53) - 1,
        |m| m.not_before_unix_ms = 0,
        |m| m.order_date_latest = m.order_date_earliest,
        |m| m.order_date_earliest = 10_101,
        |m| m.order_date_latest = 99_991_231,
        |m| m.required_columns.extend((0..31).map(|i| format!("c{i}"))),
        |m| {
            m.required_columns.clear();
            (m.order_date_earliest, m.order_date_latest) = (0, 0);
        },
    ];
    for (i, change) in at_bounds.iter().enumerate() {
        let mut changed = manifest();
        change(&mut changed);
        let request = Request::authorised(changed).unwrap_or_else(|error| panic!("change {i}: {error}"));
        assert_eq!(Request::parse(request.bytes()), Ok(request), "change {i}");
    }
}

/// REQ-1, REQ-3
#[test]
fn only_canonical_bytes_are_an_authorised_request() {
    use RequestError::{Member, NotCanonical, Syntax};
    let text = text();
    let swap = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    for (changed, why) in [
        // Order, white space, what stands around it.
        (
            swap("\"addresses_per_person_max\":1,\"batch_tokens\":8192", "\"batch_tokens\":8192,\"addresses_per_person_max\":1"),
            NotCanonical,
        ),
        (swap("\"future_order_date\":1,\"no_order_date\":12", "\"no_order_date\":12,\"future_order_date\":1"), NotCanonical),
        (swap("\"class\":", "\"class\": "), NotCanonical),
        (swap(",\"disclosure\"", ",\n\"disclosure\""), NotCanonical),
        (format!("{text}\n"), NotCanonical),
        (format!(" {text}"), NotCanonical),
        (format!("{text}{text}"), Syntax),
        (format!("{text},"), Syntax),
        (format!("\u{feff}{text}"), Syntax),
        (format!("[{text}]"), Syntax),
        // Members.
        (swap("\"pairs\":700000", "\"pairs\":700000,\"pairs\":700000"), Syntax),
        (swap("\"format\":", "\"format\":\"oblink/request/1\",\"format\":"), Syntax),
        (swap("\"no_order_date\":12", "\"no_order_date\":11,\"no_order_date\":12"), NotCanonical),
        (swap("[\"order_date\"]", "[\"order_date\",\"order_date\"]"), NotCanonical),
        (swap("[\"order_date\"]", "[\"order_date\",\"id\"]"), NotCanonical),
        (swap("\"pairs\"", "\"extra\":1,\"pairs\""), Syntax),
        (swap("\"pairs\":700000,", ""), Syntax),
        (swap("\"fields\"", "\"Fields\""), Syntax),
        (swap("{\"agreement\":\"2026-014 \\\"B\\\" \\\\ annex\",\"agreement_expires\":\"2027-06-30\"}", "null"), Syntax),
        // Numbers.
        (swap("\"pairs\":700000", "\"pairs\":700000.0"), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":7e5"), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":0700000"), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":+700000"), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":-1"), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":\"700000\""), Syntax),
        (swap("\"pairs\":700000", "\"pairs\":18446744073709551616"), Syntax),
        (swap("_max\":1,", "_max\":4294967296,"), Syntax),
        (swap("_max\":1,", "_max\":-0,"), Syntax),
        (swap("1800604800000", "9007199254740992"), Member("not_after_unix_ms")),
        // Strings.
        (swap("us-exact", "us\\u002dexact"), NotCanonical),
        (swap("Revenue", "\\u0052evenue"), NotCanonical),
        (swap("6103(i)", "6103\\/"), NotCanonical),
        (swap("Ü", "\\u00dc"), NotCanonical),
        (swap("\\\"B", "\\u0022B"), NotCanonical),
        (swap("Revenue", "Reve\\u202enue"), Member("holder_name")),
        (swap("Revenue", "Reve\u{202e}nue"), Member("holder_name")),
        (swap("Revenue", "Reve\\nnue"), Member("holder_name")),
        (swap("Revenue", "Reve\nnue"), Syntax),
        (swap("Revenue", "Reve\\ud800nue"), Syntax),
        (swap("a1a1", "A1a1"), Member("blind_seed_digest")),
        (swap("a2a2", "a2"), Member("blinded_root")),
        (swap("a3a3", "g3a3"), Member("holder")),
        (swap("a4a4", "a4a4a4"), Member("list_root")),
        (swap("a5a5", ""), Member("verifier")),
        (swap("0707", "07"), Member("request_id")),
        (swap("0909", "09"), Member("ruleset_digest")),
        (swap("\"none\"", "\"None\""), Member("disclosure")),
        (swap("authorised-request/1", "authorised-request/2"), Member("format")),
        (swap("oblink/authorised-request/1", "oblink/request/1"), Syntax),
        ("{\"format\":\"oblink/authorised-request/1\"}".to_owned(), Syntax),
        (swap("\"purpose\":\"", &format!("\"purpose\":\"{}", "a".repeat(65_536))), Syntax),
    ] {
        assert_eq!(Request::parse(changed.as_bytes()), Err(why), "{}", &changed[..changed.len().min(2000)]);
    }
    let mut broken = text.clone().into_bytes();
    broken[20] = 0xff;
    assert_eq!(Request::parse(&broken), Err(Syntax));
}

/// REQ-3: an error names a member, never what stands in it.
#[test]
fn errors_show_no_text() {
    let mut changed = manifest();
    changed.purpose = "secret\u{0}purpose".to_owned();
    assert_eq!(Request::authorised(changed).unwrap_err().to_string(), "the request's purpose is out of bounds");
}

#[test]
fn disclosures_have_names() {
    for disclosure in [Disclosure::None, Disclosure::Count, Disclosure::MatchedTags] {
        assert_eq!(disclosure.as_str().parse(), Ok(disclosure));
    }
    assert_eq!("all".parse::<Disclosure>(), Err(RequestError::Member("disclosure")));
}

prop_compose! {
    fn any_text()(text in "\\PC{1,40}".prop_filter("admitted", |text| check_text(text))) -> String { text }
}

prop_compose! {
    fn any_manifest()(
        (addresses_per_person_max, batch_tokens, pairs, tokens_per_pair) in (any::<u32>(), 1..=65_535_u32, 1..=16_384_u64, 1..=64_u16),
        (blind_seed_digest, blinded_root, list_root, holder, verifier) in any::<([u8; 32], [u8; 32], [u8; 32], [u8; 32], [u8; 32])>(),
        (ruleset_digest, request_id) in any::<([u8; 32], [u8; 16])>(),
        (holder_name, verifier_name, purpose, legal_basis) in (any_text(), any_text(), any_text(), any_text()),
        (find, dated, day) in (any::<bool>(), any::<bool>(), 1..=28_u32),
        disclosure in prop_oneof![Just(Disclosure::None), Just(Disclosure::Count), Just(Disclosure::MatchedTags)],
        fields in btree_map("[a-z][a-z0-9_]{0,63}", any_text(), 0..8),
        left_out in btree_map("[a-z][a-z0-9_]{0,63}", 1..=1_u64 << 40, 0..8),
        columns in btree_set("[a-z][a-z0-9_]{0,8}", 0..4),
        (not_before_unix_ms, valid_ms) in (0..1_u64 << 52, 1..1_u64 << 52),
        ruleset in "[a-z0-9-]{1,64}",
    ) -> Manifest {
        let mut required_columns = columns;
        required_columns.remove("order_date");
        let mut dates = (0, 0);
        if dated {
            required_columns.insert("order_date".to_owned());
            dates = (20_200_200 + day, 20_210_200 + day);
        }
        Manifest {
            addresses_per_person_max, batch_tokens, blind_seed_digest, blinded_root,
            class: if find { "find-person" } else { "confirm-address" }.to_owned(),
            disclosure, fields, holder, holder_name, left_out, legal_basis, list_root,
            not_after_unix_ms: not_before_unix_ms + valid_ms, not_before_unix_ms,
            order_date_earliest: dates.0, order_date_latest: dates.1,
            pairs, purpose, request_id, required_columns, ruleset, ruleset_digest, tokens_per_pair, verifier, verifier_name,
        }
    }
}

proptest! {
    /// REQ-3
    #[test]
    fn what_is_made_is_read(manifest in any_manifest()) {
        let request = Request::authorised(manifest.clone()).unwrap();
        let parsed = Request::parse(request.bytes()).unwrap();
        prop_assert_eq!(parsed.manifest(), Some(&manifest));
        prop_assert_eq!(&parsed, &request);
        // Another reader agrees that the members are sorted and the strings plainly escaped.
        let value: serde_json::Value = serde_json::from_slice(request.bytes()).unwrap();
        prop_assert_eq!(serde_json::to_vec(&value).unwrap(), request.bytes());
    }

    /// REQ-1: no single byte can be changed, taken out or put in without becoming another request or none.
    #[test]
    fn no_two_spellings_are_one_request(at in 0..2000_usize, byte: u8, how in 0..3_u8) {
        let original = Request::authorised(manifest()).unwrap();
        let mut bytes = original.bytes().to_vec();
        let at = at % bytes.len();
        match how {
            0 => bytes[at] = byte,
            1 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        if let Ok(parsed) = Request::parse(&bytes) {
            prop_assert_eq!(parsed.bytes(), &bytes[..]);
            prop_assert_eq!(parsed.manifest() == Some(&manifest()), bytes == original.bytes());
        }
    }
}
