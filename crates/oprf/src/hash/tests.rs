//! Tests against RFC 9380 appendix K.3 and RFC 9497's own sizes.
use super::*;

/// `expand_message_xmd` with SHA-512 for any length.
fn expand(dst: &[u8], msg: &[u8], len: usize) -> String {
    let expander = Expander::new(dst);
    let mut uniform = vec![0; len];
    let mut b_0 = [[0; NH]];
    let message = |_, to: &mut Message<'_>| {
        to.put(msg);
        expander.end(len, to);
    };
    digests(&expander.padded, None, message, &mut b_0);
    expander.after(&b_0[0], &mut uniform);
    hex::encode(uniform)
}

#[test]
fn expand_message_xmd_rfc9380_k3() {
    let dst = b"QUUX-V01-CS02-with-expander-SHA512-256";
    let q128 = format!("q128_{}", "q".repeat(128));
    let a512 = format!("a512_{}", "a".repeat(512));
    let messages = ["", "abc", "abcdef0123456789", &q128, &a512];
    let short = [
        "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba",
        "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc",
        "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58",
        "7336234ee9983902440f6bc35b348352013becd88938d2afec44311caf8356b3",
        "57b5f7e766d5be68a6bfe1768e3c2b7f1228b3e4b3134956dd73a59b954c66f4",
    ];
    let long = [
        concat!(
            "41b037d1734a5f8df225dd8c7de38f851efdb45c372887be655212d07251b921",
            "b052b62eaed99b46f72f2ef4cc96bfaf254ebbbec091e1a3b9e4fb5e5b619d2e",
            "0c5414800a1d882b62bb5cd1778f098b8eb6cb399d5d9d18f5d5842cf5d13d7e",
            "b00a7cff859b605da678b318bd0e65ebff70bec88c753b159a805d2c89c55961",
        ),
        concat!(
            "7f1dddd13c08b543f2e2037b14cefb255b44c83cc397c1786d975653e36a6b11",
            "bdd7732d8b38adb4a0edc26a0cef4bb45217135456e58fbca1703cd6032cb134",
            "7ee720b87972d63fbf232587043ed2901bce7f22610c0419751c065922b48843",
            "1851041310ad659e4b23520e1772ab29dcdeb2002222a363f0c2b1c972b3efe1",
        ),
        concat!(
            "3f721f208e6199fe903545abc26c837ce59ac6fa45733f1baaf0222f8b7acb04",
            "24814fcb5eecf6c1d38f06e9d0a6ccfbf85ae612ab8735dfdf9ce84c372a77c8",
            "f9e1c1e952c3a61b7567dd0693016af51d2745822663d0c2367e3f4f0bed827f",
            "eecc2aaf98c949b5ed0d35c3f1023d64ad1407924288d366ea159f46287e61ac",
        ),
        concat!(
            "b799b045a58c8d2b4334cf54b78260b45eec544f9f2fb5bd12fb603eaee70db7",
            "317bf807c406e26373922b7b8920fa29142703dd52bdf280084fb7ef69da78af",
            "df80b3586395b433dc66cde048a258e476a561e9deba7060af40adf30c64249c",
            "a7ddea79806ee5beb9a1422949471d267b21bc88e688e4014087a0b592b695ed",
        ),
        concat!(
            "05b0bfef265dcee87654372777b7c44177e2ae4c13a27f103340d9cd11c86cb2",
            "426ffcad5bd964080c2aee97f03be1ca18e30a1f14e27bc11ebbd650f305269c",
            "c9fb1db08bf90bfc79b42a952b46daf810359e7bc36452684784a64952c343c5",
            "2e5124cd1f71d474d5197fefc571a92929c9084ffe1112cf5eea5192ebff330b",
        ),
    ];
    for (message, (short, long)) in messages.iter().zip(short.iter().zip(long)) {
        assert_eq!(expand(dst, message.as_bytes(), 0x20), *short);
        assert_eq!(expand(dst, message.as_bytes(), 0x80), long);
    }
}

/// SHA-512 has no published vectors with a long tag: the rule of RFC 9380 §5.3.3, spelled out.
#[test]
fn a_tag_over_255_bytes_is_hashed() {
    for len in [256, 300, 1000] {
        let dst = vec![b'x'; len];
        let hashed = Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(&dst).finalize();
        assert_eq!(expand(&dst, b"abc", 64), expand(&hashed, b"abc", 64));
    }
    assert_ne!(
        expand(&[b'x'; 255], b"abc", 64),
        expand(&Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update([b'x'; 255]).finalize(), b"abc", 64)
    );
}

#[test]
fn parts_are_one_message() {
    let expander = Expander::new(b"tag");
    assert_eq!(expander.expand(&[b"a", b"", b"bc"]), expander.expand(&[b"abc"]));
}

/// The functions over slices against their definitions, spelled out item by item: every length around SHA-512's block boundaries, and
/// slices of every length around a few lanes, mixed lengths side by side.
mod slices {
    use super::*;
    use crate::engine::on_every_engine;

    fn inputs(n: usize) -> Vec<Vec<u8>> {
        (0..n).map(|i| (0..(i * 37) % 300).map(|j| (i + j) as u8).collect()).collect()
    }

    fn sha512(parts: &[&[u8]]) -> [u8; NH] {
        Sha512::digest(parts.concat()).into()
    }

    /// RFC 9380 §5.3.1 for 64 bytes: one block after b_0.
    fn xmd(dst: &[u8], parts: &[&[u8]]) -> [u8; NH] {
        let dst_prime = [dst, &[dst.len() as u8]].concat();
        let b_0 = sha512(&[&[0; BLOCK], &parts.concat(), &[0, 64, 0], &dst_prime]);
        sha512(&[&b_0, &[1], &dst_prime])
    }

    const CONTEXT: &[u8] = b"OPRFV1-\x01-ristretto255-SHA512";

    #[test]
    fn inputs_to_the_group_and_outputs() {
        on_every_engine(group_and_outputs);
    }

    fn group_and_outputs() {
        for n in (0..12).chain([300]) {
            let inputs = inputs(n);
            let mut uniform = vec![[0; NH]; n];
            Hashes::of(Mode::Voprf).to_group_slice(&inputs, &mut uniform);
            let elements: Vec<[u8; NE]> = uniform.iter().map(|bytes| *bytes.first_chunk().unwrap()).collect();
            let mut out = vec![[0; NH]; n];
            finalize_slice(&inputs, &elements, &mut out);
            for i in 0..n {
                let (input, element) = (&inputs[i], &elements[i]);
                assert_eq!(uniform[i], xmd(&[b"HashToGroup-", CONTEXT].concat(), &[input]));
                let len = (input.len() as u16).to_be_bytes();
                assert_eq!(out[i], sha512(&[&len, input, &[0, 32], element, b"Finalize"]));
            }
        }
        let longest = [vec![7; INPUT_MAX], vec![], vec![8; 1000]];
        let mut uniform = [[0; NH]; 3];
        Hashes::of(Mode::Voprf).to_group_slice(&longest, &mut uniform);
        assert_eq!(uniform.map(Vec::from), longest.map(|input| xmd(&[b"HashToGroup-", CONTEXT].concat(), &[&input]).to_vec()));
    }

    #[test]
    fn composite_weights() {
        on_every_engine(weights);
    }

    fn weights() {
        let public = [9; NE];
        let seed = sha512(&[&[0, 32], &public, &[0, 33], b"Seed-", CONTEXT]);
        for (first, n) in [(0, 1), (0, 9), (65_530, 5), (300, 0)] {
            let elements: Vec<[u8; NE]> = (0..=n as u8).map(|i| [i; NE]).collect();
            let (c, d) = (&elements[..n], &elements[1..]);
            let weights = Hashes::of(Mode::Voprf).weights_slice(&public, first, c, d);
            assert_eq!(weights.len(), n);
            for (i, weight) in weights.iter().enumerate() {
                let position = ((first + i) as u16).to_be_bytes();
                let parts: [&[u8]; 8] = [&[0, 64], &seed, &position, &[0, 32], &c[i], &[0, 32], &d[i], b"Composite"];
                let uniform = xmd(&[b"HashToScalar-", CONTEXT].concat(), &parts);
                assert_eq!(*weight, Scalar::from_bytes_mod_order_wide(&uniform));
            }
        }
    }

    #[test]
    fn counters() {
        on_every_engine(counter_blocks);
    }

    fn counter_blocks() {
        let seed = [3; NH];
        for n in [0, 1, 3, 4, 5, 9, 700] {
            let mut out = vec![[0; NH]; n];
            counter_slice(&seed, &mut out);
            for (i, out) in (0_u32..).zip(&out) {
                assert_eq!(*out, sha512(&[&seed, &i.to_be_bytes()]));
            }
        }
    }
}
