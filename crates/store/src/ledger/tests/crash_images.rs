//! What a loss of power leaves of database and write-ahead log, at any byte: the next to open it finds the ledger as it was before or after the
//! transaction, whole, and nobody has to repair anything.
//!
//! Copies of both files are kept after each transaction. An image is made of two that follow each other, opened as a new process would, and held
//! against what the ledger said then.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// SQLite's page, and a page with its header in the log.
const PAGE: usize = 4_096;
const FRAME: usize = 24 + PAGE;
const LOG_HEADER: usize = 32;

/// Both files at a moment, and what the ledger said then.
#[derive(Clone)]
struct Moment {
    database: Vec<u8>,
    log: Vec<u8>,
    says: Says,
}

/// What a ledger says of itself: its log, its sessions and its epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Says(oblink_session::head::LogHead, Vec<SessionRow>, Vec<EpochRow>);

fn says(ledger: &mut SqliteLedger) -> Says {
    Says(ledger.head().unwrap(), ledger.sessions().unwrap(), ledger.epochs().unwrap())
}

/// A generator for what is left to chance, always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

/// A ledger's life, with a moment after each transaction.
struct Life {
    home: Home,
    ledger: SqliteLedger,
    moments: Vec<Moment>,
}

impl Life {
    fn new() -> Self {
        let (home, ledger) = Home::with_epoch();
        let mut life = Self { home, ledger, moments: Vec::new() };
        life.look();
        life
    }

    fn side(home: &Home, suffix: &str) -> PathBuf {
        let mut name = home.path().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn look(&mut self) {
        // Read while the ledger is open: its locks go with that, and nobody else wants them.
        let database = fs::read(self.home.path()).unwrap();
        let log = fs::read(Self::side(&self.home, "-wal")).unwrap_or_default();
        let says = says(&mut self.ledger);
        self.moments.push(Moment { database, log, says });
    }

    fn then(&mut self, transaction: impl FnOnce(&mut SqliteLedger)) {
        transaction(&mut self.ledger);
        self.look();
    }

    /// Everything that a session writes, from admission to the end.
    fn session(&mut self, id: u8) {
        self.then(|ledger| {
            ledger.open_session(&session(id)).unwrap();
        });
        self.then(|ledger| {
            sign_head(ledger);
        });
        self.then(|ledger| {
            ledger.charge(&batch(id, 0, 1)).unwrap();
        });
        self.then(|ledger| ledger.suspend(&[id; 16], &[(0, [20; 32])], CLOCK).unwrap());
        self.then(|ledger| {
            ledger.open_session(&session(id)).unwrap();
        });
        self.then(|ledger| ledger.record_delivery(&[id; 16], &[10; 32], 9_000, CLOCK).unwrap());
        self.then(|ledger| {
            ledger.charge(&batch(id, 1, 1)).unwrap();
        });
        self.then(|ledger| {
            ledger.charge(&batch(id, 2, 1)).unwrap();
        });
        self.then(|ledger| ledger.record_refusal(Some(&VERIFIER), 6, "too many", None, CLOCK).unwrap());
    }
}

/// Opens an image as the next process would: what it says, once it has verified.
fn opened(database: &[u8], log: Option<&[u8]>, index: Option<&[u8]>) -> (Home, SqliteLedger, Says) {
    let home = Home::new();
    let write = |path: PathBuf, bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(home.path(), database);
    if let Some(log) = log {
        write(Life::side(&home, "-wal"), log);
    }
    if let Some(index) = index {
        write(Life::side(&home, "-shm"), index);
    }
    let mut ledger = home.open();
    verified(&ledger, &[]);
    let says = says(&mut ledger);
    (home, ledger, says)
}

fn is_one_of(found: &Says, before: &Moment, after: &Moment, what: &str) -> bool {
    assert!(*found == before.says || *found == after.says, "{what}: neither the state before the transaction nor the one after it");
    *found == after.says
}

#[test]
fn a_log_that_is_cut_anywhere_holds_the_transactions_that_are_whole_in_it() {
    let mut life = Life::new();
    life.session(1);
    let mut chance = Chance(0x5eed);
    let mut images = 0;
    for pair in life.moments.windows(2) {
        let [before, after] = pair else { continue };
        assert!(after.log.starts_with(&before.log), "the log is only appended to here");
        let (from, to) = (before.log.len(), after.log.len());
        let frames = (0..).map(|frame| LOG_HEADER + frame * FRAME).take_while(|end| *end <= to).filter(|end| *end >= from);
        let mut cuts: BTreeSet<usize> =
            frames.flat_map(|end| [end.saturating_sub(1), end, end + 1]).filter(|cut| (from..=to).contains(cut)).collect();
        cuts.extend((0..6).map(|_| from + chance.below(to - from + 1)));
        for cut in cuts {
            let (_home, mut ledger, found) = opened(&after.database, Some(&after.log[..cut]), None);
            let is_after = is_one_of(&found, before, after, &format!("cut at {cut} of {to}"));
            assert_eq!(is_after, cut == to || before.says == after.says, "committed with its last frame: cut at {cut} of {to}");
            images += 1;
            if images % 16 == 0 {
                // It goes on from there.
                ledger.record_refusal(None, 5, "what", None, CLOCK).unwrap();
                verified(&ledger, &[]);
            }
        }
    }
    assert!(images > 60, "{images}");
}

#[test]
fn what_follows_the_last_whole_transaction_may_be_anything() {
    let mut life = Life::new();
    life.session(1);
    let mut chance = Chance(0xca5e);
    for pair in life.moments.windows(2) {
        let [before, after] = pair else { continue };
        let (from, to) = (before.log.len(), after.log.len());
        for kind in 0..5 {
            let cut = from + chance.below(to - from);
            let mut log = after.log[..cut].to_vec();
            match kind {
                // The file has its length, its blocks not their bytes.
                0 => log.resize(to, 0),
                1 => log.extend((cut..to).map(|_| chance.below(256) as u8)),
                // Garbage beyond the end of the last transaction.
                2 => {
                    log = after.log.clone();
                    log.extend((0..chance.below(2 * FRAME)).map(|_| chance.below(256) as u8));
                }
                // A block in the middle never came.
                3 => {
                    log = after.log.clone();
                    log[cut..to.min(cut + 512)].fill(0);
                }
                // The last frame came, the ones before it did not.
                _ => {
                    log = after.log.clone();
                    let last = to - FRAME;
                    log[from..last.max(from)].fill(0);
                }
            }
            let whole = log.starts_with(&after.log);
            let (_home, _ledger, found) = opened(&after.database, Some(&log), None);
            let is_after = is_one_of(&found, before, after, &format!("kind {kind}, from {cut} of {to}"));
            assert!(is_after || !whole, "what was committed is lost");
        }
    }
}

/// The index beside the log is made anew where it is missing, stale or nonsense.
#[test]
fn the_shared_index_counts_for_nothing_after_a_restart() {
    let mut life = Life::new();
    life.session(1);
    let stale = fs::read(Life::side(&life.home, "-shm")).unwrap();
    let (first, last) = (&life.moments[1], life.moments.last().unwrap());
    for moment in [first, last] {
        for index in [None, Some(stale.clone()), Some(vec![0xa5; stale.len()]), Some(Vec::new())] {
            let (_home, _ledger, found) = opened(&moment.database, Some(&moment.log), index.as_deref());
            assert_eq!(found, moment.says);
        }
    }
}

/// A checkpoint brings pages from the log into the database: where only some of them came, the log still has them all.
#[test]
fn a_checkpoint_that_broke_off_is_made_good_by_the_log() {
    let mut life = Life::new();
    let mut chance = Chance(0xb10c);
    // SQLite checkpoints by itself after 1,000 pages.
    for number in 0_u32.. {
        let detail = format!("refusal {number}");
        life.then(|ledger| ledger.record_refusal(None, (number % 60_000) as u16, &detail, None, CLOCK).unwrap());
        let [.., before, after] = &life.moments[..] else { continue };
        if before.database != after.database {
            break;
        }
        life.moments.remove(0);
        assert!(number < 2_000, "no checkpoint came");
    }
    let [.., before, after] = &life.moments[..] else { panic!("no moments") };
    for share in [1, 2, 3, 7] {
        let mut database = after.database.clone();
        for (page, old) in database.chunks_mut(PAGE).zip(before.database.chunks(PAGE)) {
            if page.len() == old.len() && chance.below(share) == 0 {
                page.copy_from_slice(old);
            }
        }
        let (_home, _ledger, found) = opened(&database, Some(&after.log), None);
        assert_eq!(found, after.says, "one page in {share} is the old one");
        // The file may not have grown yet either.
        let (_home, _ledger, found) = opened(&before.database, Some(&after.log), None);
        assert_eq!(found, after.says);
    }
    // The next transaction begins the log anew, over the frames of before.
    let restarted_from = after.clone();
    life.then(|ledger| {
        ledger.open_session(&session(1)).unwrap();
    });
    let after = life.moments.last().unwrap();
    assert_ne!(after.log[..LOG_HEADER], restarted_from.log[..LOG_HEADER], "the log begins anew");
    let mut frames = 0;
    while after.log[LOG_HEADER + frames * FRAME..][..FRAME] != restarted_from.log[LOG_HEADER + frames * FRAME..][..FRAME] {
        frames += 1;
    }
    let written = LOG_HEADER + frames * FRAME;
    let cuts = [0, 1, 16, 31, LOG_HEADER, LOG_HEADER + 1, FRAME, written - 1, written];
    for cut in cuts.into_iter().chain((0..12).map(|_| chance.below(written))) {
        let mut log = after.log[..cut].to_vec();
        log.extend_from_slice(&restarted_from.log[cut..]);
        let (_home, _ledger, found) = opened(&after.database, Some(&log), None);
        let is_after = is_one_of(&found, &restarted_from, after, &format!("{cut} of {written} bytes of the new log"));
        assert_eq!(is_after, cut == written, "{cut} of {written}");
    }
}

/// Files that no loss of power leaves are refused in words, not taken for a ledger.
#[test]
fn real_damage_is_refused() {
    let mut life = Life::new();
    life.session(1);
    let head = sign_head(&mut life.ledger);
    life.look();
    drop(life.ledger);
    let database = fs::read(life.home.path()).unwrap();
    // The log was thrown away with transactions in it that the database does not have: whoever has a head knows.
    let first = &life.moments[0];
    let (_home, ledger, _) = opened(&first.database, None, None);
    assert_eq!(tampered(&ledger, &[head]).place, "witness");
    let mut header = database.clone();
    header[..16].fill(0xff);
    let home = Home::new();
    fs::write(home.path(), header).unwrap();
    assert!(matches!(SqliteLedger::open(&home.path()), Err(Error::LedgerDamaged { .. })));
    for page in 1..database.len() / PAGE {
        let mut damaged = database.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xff);
        let home = Home::new();
        fs::write(home.path(), damaged).unwrap();
        // Refused when it is opened, found when it is verified, or a page that holds nothing: never another answer.
        if let Ok(mut ledger) = SqliteLedger::open(&home.path())
            && verify(&ledger, &[head]).is_ok()
        {
            assert_eq!(ledger.head().unwrap(), life.moments.last().unwrap().says.0, "page {page}");
        }
    }
}
