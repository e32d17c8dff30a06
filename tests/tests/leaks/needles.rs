//! What is looked for, and where it may be: sentinel people in every form in which they could get out, tags and keys likewise; and a list of the
//! places where each has its business, with the reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memchr::memmem;
use oblink_oprf::{additive, blind_slice, hazmat};
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::request::from_hex;
use oblink_session::tag::{TagPrefix, Tau};
use oblink_store::checkpoint::Checkpoint;
use oblink_store::disk::RealDisk;
use oblink_tests::tap::Tapped;
use oblink_tests::{files_below, read_split};
use ssh_key::encoding::base64::{Base64, Base64Unpadded, Encoding};
use zeroize::Zeroizing;

/// A row that nobody else could have written. Ids and values are told apart: ids are results' and rejects' business.
pub(crate) struct Person {
    /// How finds call it.
    pub(crate) who: &'static str,
    pub(crate) id: &'static str,
    pub(crate) given: &'static str,
    pub(crate) family: &'static str,
    pub(crate) address: &'static str,
    pub(crate) city: &'static str,
    pub(crate) postal_code: &'static str,
    pub(crate) order_date: &'static str,
    pub(crate) person: &'static str,
}

/// In both files.
pub(crate) const SHARED: Person = Person {
    who: "shared",
    id: "sentinel-id-shared-77",
    given: "Žofiebelle",
    family: "O'Wrzlbrmpft-Nováková",
    address: "4711 Xylophonquist Street",
    city: "Quizzleburgh",
    postal_code: "98104-7731",
    order_date: "2026-01-05",
    person: "case-QQZ-shared-1",
};
/// In the verifier's list alone.
pub(crate) const ASKED: Person = Person {
    who: "asked",
    id: "sentinel-id-asked-78",
    given: "Quendolphine",
    family: "Brzeczyszczy",
    address: "815 Jabberwocky Terrace",
    city: "Vorpalhaven",
    postal_code: "60614",
    order_date: "2026-01-06",
    person: "case-QQZ-asked-2",
};
/// In the verifier's list, and cannot be asked: it has no ZIP code.
pub(crate) const LEFT_OUT: Person = Person {
    who: "left out",
    id: "sentinel-id-left-79",
    given: "Bartholomeus",
    family: "Fnordington",
    address: "23 Hagbardceline Road",
    city: "Pratchettville",
    postal_code: "",
    order_date: "2026-01-07",
    person: "case-QQZ-left-3",
};
/// Among the holder's records alone.
pub(crate) const HELD: Person = Person {
    who: "held",
    id: "sentinel-id-held-80",
    given: "Hildegunst",
    family: "Mythenmetzian",
    address: "9 Lindwurmfeste Lane",
    city: "Buchhaimburg",
    postal_code: "73301",
    order_date: "",
    person: "",
};
/// Among the records, and cannot be sealed.
pub(crate) const REJECTED: Person = Person {
    who: "rejected",
    id: "sentinel-id-rejected-81",
    given: "Zamonerich",
    family: "Smeikovitch",
    address: "1 Ornament Hollow",
    city: "Gralsundia",
    postal_code: "12",
    order_date: "",
    person: "",
};

/// The columns of both files.
pub(crate) const HEADER: &str = "id,given_name,family_name,address,city,postal_code,order_date,person_id\n";

impl Person {
    /// Its row under [`HEADER`].
    pub(crate) fn row(&self) -> String {
        let Self { id, given, family, address, city, postal_code, order_date, person, .. } = self;
        format!("{id},{given},{family},{address},{city},{postal_code},{order_date},{person}\n")
    }
}

/// A form of something that must not get out.
struct Needle {
    what: String,
    /// Compared without regard to ASCII case.
    is_text: bool,
    bytes: Vec<u8>,
}

/// A place where something has its business.
struct Allowance {
    /// What the place's name has in it.
    place: &'static str,
    /// What the needle's name begins with.
    what: &'static str,
    #[expect(dead_code, reason = "for readers")]
    reason: &'static str,
}

/// Where what may be. Everything else is a find.
const ALLOWED: &[Allowance] = &[
    Allowance { place: "file pairs.csv", what: "value", reason: "the verifier's own input" },
    Allowance { place: "file pairs.csv", what: "id", reason: "the verifier's own input" },
    Allowance { place: "file records.csv", what: "value", reason: "the holder's own input" },
    Allowance { place: "file records.csv", what: "id", reason: "the holder's own input" },
    Allowance { place: "results.csv", what: "id", reason: "the contract: each row of the verifier's own list by its id" },
    Allowance { place: "rejects.csv", what: "id", reason: "the contract: row, id and reason of what could not be sealed" },
    Allowance {
        place: "sample.json",
        what: "value",
        reason: "rows that an auditor is shown, opened: the file is said to be personal data",
    },
    Allowance { place: "sample.json", what: "id", reason: "likewise" },
    Allowance {
        place: "sample.json",
        what: "blind",
        reason: "likewise: the blinds of these rows, so that the auditor computes what was sent (AUD-2)",
    },
    Allowance { place: "/secret.json", what: "key blind seed", reason: "this is where it is kept (SPEC BLD-2)" },
    Allowance { place: "/secret.json", what: "key salt seed", reason: "likewise (REQ-4)" },
    Allowance { place: ".seed", what: "key epoch seed", reason: "this is where it is kept (SPEC EPO-1)" },
    Allowance { place: "identity.key", what: "key identity", reason: "this is where it is kept" },
    Allowance { place: "statement.key", what: "key statement", reason: "this is where it is kept" },
    Allowance { place: ".oblset", what: "tag", reason: "a set is tags; the first one of a block stands there whole (SET-3)" },
    Allowance { place: ".part", what: "tag", reason: "a set on its way in" },
    Allowance { place: ".cache", what: "tag", reason: "of records that were sealed under a kept key (EPO-5)" },
    Allowance { place: "work-", what: "tag", reason: "sorted runs of a seal: the set in the making" },
    Allowance { place: "frame down SetChunk", what: "tag", reason: "the set itself" },
    Allowance { place: "/checkpoint", what: "key blind seed", reason: "a run that can be taken up again has its seed (0600)" },
    Allowance { place: "/checkpoint", what: "tag", reason: "and the tags of batches that were answered" },
];

/// The needles, and what was found.
#[derive(Default)]
pub(crate) struct Needles {
    all: Vec<Needle>,
    found: BTreeSet<String>,
    /// Allowances that were made use of: shows that the search finds.
    used: BTreeSet<usize>,
    looked: usize,
}

impl Needles {
    /// The values of these people, as they are and folded.
    pub(crate) fn of_people(people: &[&Person]) -> Self {
        let mut needles = Self::default();
        for person in people {
            let of = |what: &str| format!("{what} of {}", person.who);
            for value in [person.given, person.family, person.address, person.city, person.person] {
                if !value.is_empty() {
                    needles.text(&of("value"), value);
                    // Parts, for whoever takes a value to pieces.
                    value.split([' ', '-', '\'']).filter(|part| part.len() >= 7).for_each(|part| needles.text(&of("value"), part));
                }
            }
            needles.text(&of("id"), person.id);
        }
        needles
    }

    fn push(&mut self, what: &str, is_text: bool, bytes: Vec<u8>) {
        assert!(bytes.len() >= 6, "{what}: too short to be looked for");
        if !self.all.iter().any(|known| known.bytes == bytes) {
            self.all.push(Needle { what: what.to_owned(), is_text, bytes });
        }
    }

    fn text(&mut self, what: &str, text: &str) {
        self.push(what, true, text.to_ascii_lowercase().into_bytes());
        if !text.is_ascii() {
            self.push(what, true, text.to_lowercase().into_bytes());
            self.push(what, false, text.as_bytes().to_vec());
            // As an escaped string has it.
            self.push(what, true, text.escape_unicode().to_string().to_ascii_lowercase().into_bytes());
        }
        self.encoded(&format!("{what}, encoded"), text.as_bytes());
    }

    /// Bytes in hex, in base64 and as a list of numbers.
    fn encoded(&mut self, what: &str, bytes: &[u8]) {
        self.push(what, true, hex::encode(bytes).into_bytes());
        // Where they stand among other bytes, their base64 begins at one of three places; what depends on the neighbours is left out.
        for lead in 0..3_usize {
            let padded = [&vec![0; lead][..], bytes].concat();
            let (first, whole) = ((lead * 8).div_ceil(6), padded.len() * 8 / 6);
            let text = Base64Unpadded::encode_string(&padded);
            for text in [text.replace('+', "-").replace('/', "_"), text] {
                self.push(what, false, text.as_bytes()[first..whole].to_vec());
            }
        }
        let numbers: Vec<String> = bytes.iter().take(12).map(u8::to_string).collect();
        self.push(what, false, numbers.join(", ").into_bytes());
        self.push(what, false, numbers.join(",").into_bytes());
    }

    /// Bytes as they are, and [`encoded`](Self::encoded).
    pub(crate) fn secret(&mut self, what: &str, bytes: &[u8]) {
        self.push(what, false, bytes.to_vec());
        self.encoded(what, bytes);
    }

    fn tag(&mut self, what: &str, prefix: TagPrefix, tau: Tau) {
        let whole = prefix.0.to_be_bytes();
        self.secret(what, &whole);
        let tag = tau.truncate(prefix).0;
        let bytes = tag.to_be_bytes();
        let first = (128 - tau.bits() as usize) / 8;
        for bytes in [bytes[first..].to_vec(), bytes[first..].iter().rev().copied().collect()] {
            self.push(what, false, bytes);
        }
        for text in [format!("{tag:x}"), tag.to_string(), prefix.0.to_string()] {
            self.push(what, true, text.into_bytes());
        }
    }

    /// Tokens of these rows of a file, their canonical fields, and the group elements that they hash to.
    pub(crate) fn tokens(&mut self, file: &Path, people: &[&Person]) {
        for row in read_split(file) {
            let Some(person) = people.iter().find(|person| person.id == row.id) else { continue };
            let Ok(token) = row.token else { continue };
            let what = format!("value of {}, tokenised", person.who);
            for field in fields_of(&token).iter().filter(|field| field.len() >= 7) {
                self.push(&what, true, field.to_ascii_lowercase());
            }
            self.secret(&what, &token);
            let one = hazmat::blind_from_bytes(&std::array::from_fn(|at| u8::from(at == 0))).unwrap();
            let mut element = [[0; 32]];
            blind_slice(&[token.as_slice()], &[one], &mut element).unwrap();
            self.secret(&format!("{what}, not blinded"), &element[0]);
        }
    }

    /// The keys of a home: identity, statement key, and the seeds of its epochs; and the tags of a file's sentinels under them.
    pub(crate) fn keys_of_home(&mut self, home: &Path, whose: &str) {
        for (name, file) in [("identity", "identity.key"), ("statement", "statement.key")] {
            let der = std::fs::read(home.join(file)).unwrap();
            self.secret(&format!("key {name} of the {whose}"), der.last_chunk::<32>().unwrap());
        }
        for path in files_below(&home.join("epochs"), ".seed") {
            self.secret("key epoch seed", &std::fs::read(path).unwrap());
        }
    }

    /// The tags of all rows of a file under the holder's epochs.
    pub(crate) fn tags(&mut self, holder: &Path, file: &Path, declared: u64) {
        for path in files_below(&holder.join("epochs"), ".seed") {
            let epoch_id: [u8; 16] = from_hex(path.file_stem().unwrap().to_str().unwrap()).unwrap();
            let seed: [u8; 32] = std::fs::read(&path).unwrap().try_into().unwrap();
            let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), epoch_id).unwrap();
            let tau = Tau::for_counts(declared, 1 << 24).unwrap();
            for token in read_split(file).into_iter().filter_map(|row| row.token.ok()) {
                let mut prefix = [TagPrefix(0)];
                keys.tag_prefixes(&[token.as_slice()], &mut prefix).unwrap();
                self.tag("tag", prefix[0], tau);
            }
        }
    }

    /// The seeds of a request, and the blinds of its first tokens.
    pub(crate) fn seeds_of_request(&mut self, request: &Path, list: &Path) {
        let secret: serde_json::Value = serde_json::from_slice(&std::fs::read(request.join("secret.json")).unwrap()).unwrap();
        let of = |name: &str| from_hex::<32>(secret[name].as_str().unwrap()).unwrap();
        self.secret("key blind seed", &of("blind_seed"));
        self.secret("key salt seed", &of("salt_seed"));
        let id: [u8; 16] = from_hex(secret["request_id"].as_str().unwrap()).unwrap();
        let blinder = Blinder::new(&BlindSeed::from_bytes(Zeroizing::new(of("blind_seed"))), id);
        for (index, token) in read_split(list).into_iter().filter_map(|row| row.token.ok()).enumerate() {
            let blind = blinder.blind(index as u64, &token);
            self.secret("blind", &hazmat::blind_to_bytes(&blind)[..]);
            // What is sent is allowed; that it is what is sent shows that these are the blinds.
            let mut element = [[0; 32]];
            additive::blind_slice(&[token.as_slice()], &[blind], &mut element).unwrap();
        }
    }

    /// The seeds of the runs that a verifier's home keeps; how many.
    pub(crate) fn seeds_of_checkpoints(&mut self, verifier: &Path) -> usize {
        let mut count = 0;
        for path in files_below(&verifier.join("checkpoints"), "/run") {
            let checkpoint = Checkpoint::open(Arc::new(RealDisk), path.parent().unwrap()).unwrap();
            if let Some(seed) = checkpoint.read_run().unwrap().unwrap().seed {
                self.secret("key blind seed", &seed.to_bytes()[..]);
                count += 1;
            }
        }
        count
    }

    /// Looks through one place.
    pub(crate) fn look(&mut self, place: &str, bytes: &[u8]) {
        self.looked += 1;
        let folded = bytes.to_ascii_lowercase();
        for needle in &self.all {
            if memmem::find(if needle.is_text { &folded } else { bytes }, &needle.bytes).is_none() {
                continue;
            }
            let allowed = ALLOWED.iter().position(|allowed| place.contains(allowed.place) && needle.what.starts_with(allowed.what));
            match allowed {
                Some(at) => {
                    self.used.insert(at);
                }
                None => {
                    self.found.insert(format!("{} in {place}", needle.what));
                }
            }
        }
    }

    /// Looks through frames.
    pub(crate) fn look_at(&mut self, frames: &[Tapped]) {
        use oblink_session::wire::FrameType;
        for frame in frames {
            let kind = FrameType::from_byte(frame.kind).map_or_else(|| "unknown".to_owned(), |kind| format!("{kind:?}"));
            self.look(&format!("frame {} {kind}", if frame.up { "up" } else { "down" }), &frame.bytes());
        }
    }

    /// Nothing was found where it should not be, and of these allowances each was used: so that the search does find.
    #[track_caller]
    pub(crate) fn nothing(&self, used: &[(&str, &str)]) {
        assert!(self.found.is_empty(), "{} finds:\n{}", self.found.len(), self.found.iter().cloned().collect::<Vec<_>>().join("\n"));
        for (place, what) in used {
            let at = ALLOWED.iter().position(|allowed| allowed.place == *place && allowed.what == *what).unwrap();
            assert!(self.used.contains(&at), "{what} was not found in {place}, where it is: the search does not work");
        }
        assert!(self.looked > 0);
    }
}

/// The fields of a token (SPEC TOK-1).
fn fields_of(token: &[u8]) -> Vec<&[u8]> {
    let mut rest = token;
    let mut lp = || {
        let (length, after) = rest.split_first_chunk::<2>().unwrap();
        let (field, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        rest = after;
        field
    };
    let head = lp().len() + lp().len() + 4;
    let count = token[head + 2];
    let mut rest = &token[head + 3..];
    (0..count)
        .map(|_| {
            let (length, after) = rest.split_first_chunk::<2>().unwrap();
            let (field, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            rest = after;
            field
        })
        .collect()
}

/// Both files, each with its sentinels among other people.
pub(crate) fn lists(folder: &Path) -> (PathBuf, PathBuf) {
    let others = |first: usize, count: usize| -> String {
        (first..first + count)
            .map(|i| {
                format!("x{i},Ann{},Other,{} Plain Street,Boston,02134,2026-01-08,n{i}\n", "abcdefghij".chars().nth(i % 10).unwrap(), i + 1)
            })
            .collect()
    };
    let pairs = [HEADER, &SHARED.row(), &others(0, 6), &ASKED.row(), &LEFT_OUT.row()].concat();
    let records = [HEADER, &others(3, 20), &SHARED.row(), &HELD.row(), &REJECTED.row()].concat();
    let at = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    (at("pairs.csv", pairs), at("records.csv", records))
}

/// Every form is found where it is planted: else the other tests could not fail.
#[test]
fn what_is_planted_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (pairs, _) = lists(folder.path());
    let mut needles = Needles::of_people(&[&SHARED, &ASKED]);
    needles.tokens(&pairs, &[&SHARED, &ASKED]);
    needles.secret("key", &[7, 99, 200, 14, 31, 255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    needles.tag("tag", TagPrefix(u128::from_be_bytes(*b"0123456789abcdef")), Tau::for_counts(1_000, 1 << 24).unwrap());
    let forms: Vec<(String, Vec<u8>)> = needles.all.iter().map(|needle| (needle.what.clone(), needle.bytes.clone())).collect();
    assert!(forms.len() > 100, "{}", forms.len());
    for (what, bytes) in forms {
        needles.found.clear();
        needles.look("log", &[b"a line with ", &bytes[..], b" in it"].concat());
        assert!(needles.found.iter().any(|found| found.starts_with(&what)), "{what}");
    }
    // In whatever case, and wherever it stands among bytes in base64.
    let shouted = SHARED.address.to_ascii_uppercase();
    let key = [7_u8, 99, 200, 14, 31, 255, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    let embedded = |lead: usize| Base64::encode_string(&[&vec![0x5a; lead][..], &key, &[0xa5; 5]].concat()).into_bytes();
    for text in [
        shouted.into_bytes(),
        embedded(0),
        embedded(1),
        embedded(2),
        embedded(31),
        hex::encode_upper(key).into_bytes(),
        format!("{key:?}").into_bytes(),
    ] {
        needles.found.clear();
        needles.look("log", &text);
        assert!(!needles.found.is_empty(), "{}", String::from_utf8_lossy(&text));
    }
    needles.found.clear();
    needles.look("log", b"nothing of the kind");
    needles.nothing(&[]);
}
