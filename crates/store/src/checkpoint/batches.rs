//! `batches`: an append-only file of verified batches and their tags, each record chained to the one before. Opening it writes what holds of it anew.
//!
//! ```text
//! header = "OBLCKPT" ‖ version:u8 ‖ session_id[16] ‖ tag_bytes:u8 ‖ digest[32]
//! record = index:u64 ‖ first_token:u64 ‖ count:u32 ‖ blinded_digest[32] ‖ evaluated_digest[32] ‖ count·tag_bytes ‖ digest[32]
//! ```
//! The header's digest is H256 of what precedes it; a record's is H256(digest before it ‖ the record up to it).

use std::io;
use std::path::{Path, PathBuf};

use oblink_session::limits::BATCH_TOKENS_MAX;
use oblink_session::tag::Tag;
use oblink_session::verifier::KeptBatch;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{CheckpointFault, DIGEST_BYTES, Indexes, Making, VERSION, fault_in};
use crate::Error;
use crate::disk::{Disk, DiskFile, check_private};

const MAGIC: &[u8; 7] = b"OBLCKPT";
/// Bytes of the header before its digest.
const HEADER_BYTES: usize = 7 + 1 + 16 + 1;
/// Bytes of a record before its tags.
const HEAD_BYTES: usize = 8 + 8 + 4 + 32 + 32;
/// Bytes of the largest tag.
const TAG_BYTES_MAX: u8 = 16;

/// What was found when the batches were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reopened {
    /// Batches that hold.
    pub batches: u64,
    /// Bytes that were left out: a record that was being written, or damage.
    pub bytes_cut: u64,
}

#[derive(Debug)]
pub(super) struct BatchLog {
    pub(super) file: Box<dyn DiskFile>,
    path: PathBuf,
    tag_bytes: u8,
    length: u64,
    last: [u8; DIGEST_BYTES],
    indexes: Indexes,
    /// A sync failed: what it was to write may be lost, whatever a later one says. Opened again, all of it is written anew.
    failed: bool,
}

/// Reads until the buffer is full or the file ends: how many bytes.
pub(super) fn read_up_to(file: &dyn DiskFile, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(offset + read as u64, rest) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn header(session_id: &[u8; 16], tag_bytes: u8) -> ([u8; HEADER_BYTES], [u8; DIGEST_BYTES]) {
    let mut header = [0; HEADER_BYTES];
    header[..7].copy_from_slice(MAGIC);
    header[7] = VERSION;
    header[8..24].copy_from_slice(session_id);
    header[24] = tag_bytes;
    (header, Sha256::digest(header).into())
}

fn chained(last: &[u8; DIGEST_BYTES], record: &[u8]) -> [u8; DIGEST_BYTES] {
    Sha256::new().chain_update(last).chain_update(record).finalize().into()
}

impl BatchLog {
    pub(super) fn open(
        disk: &dyn Disk,
        path: &Path,
        session_id: &[u8; 16],
        tag_bytes: u8,
        mut take: impl FnMut(KeptBatch, Vec<Tag>),
    ) -> Result<(Self, Reopened), Error> {
        if !(1..=TAG_BYTES_MAX).contains(&tag_bytes) {
            return Err(Error::Parameters("a tag has 1 to 16 bytes"));
        }
        let reading = |error| Error::disk("reading", path, error);
        let file = match disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((Self::create(disk, path, session_id, tag_bytes, |_| Ok(()))?, Reopened::default()));
            }
            opened => opened.map_err(reading)?,
        };
        check_private(&*file, path)?;
        let (due, digest) = header(session_id, tag_bytes);
        let mut found = [0; HEADER_BYTES + DIGEST_BYTES];
        let whole = read_up_to(&*file, 0, &mut found).map_err(reading)? == found.len();
        if whole && found[..7] == MAGIC[..] && found[7] != VERSION && Sha256::digest(&found[..HEADER_BYTES])[..] == found[HEADER_BYTES..] {
            return Err(fault_in(path, CheckpointFault::Version { found: found[7] }));
        }
        let kept = whole && found[..HEADER_BYTES] == due && found[HEADER_BYTES..] == digest;
        // Another session's, or never written to the end: nothing of it can be used.
        let end = if kept { file.length().map_err(reading)? } else { 0 };
        let log = Self::create(disk, path, session_id, tag_bytes, |fresh| {
            while let Some((batch, tags)) = fresh.copy_record(&*file, end)? {
                take(batch, tags);
            }
            Ok(())
        })?;
        let reopened = Reopened { batches: log.indexes.len() as u64, bytes_cut: end.saturating_sub(log.length) };
        Ok((log, reopened))
    }

    /// Writes a new file, with a header and what `fill` puts after it, durably in the place of any other.
    fn create(
        disk: &dyn Disk,
        path: &Path,
        session_id: &[u8; 16],
        tag_bytes: u8,
        fill: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let (header, last) = header(session_id, tag_bytes);
        let (file, making) = Making::begin(disk, path)?;
        file.write_all_at(0, &[&header[..], &last[..]].concat()).map_err(|error| Error::disk("writing", path, error))?;
        let length = (HEADER_BYTES + DIGEST_BYTES) as u64;
        let mut log = Self { file, path: path.to_owned(), tag_bytes, length, last, indexes: Indexes::new(), failed: false };
        fill(&mut log)?;
        making.finish(&*log.file)?;
        Ok(log)
    }

    /// Appends the record that `from` has where this file ends, as it is; `None` where none holds there. `end` is the length of `from`, so that nothing
    /// is allocated for bytes that are not there.
    fn copy_record(&mut self, from: &dyn DiskFile, end: u64) -> Result<Option<(KeptBatch, Vec<Tag>)>, Error> {
        let reading = |error| Error::disk("reading", &self.path, error);
        let mut head = [0; HEAD_BYTES];
        if read_up_to(from, self.length, &mut head).map_err(reading)? < HEAD_BYTES {
            return Ok(None);
        }
        let batch = parse_head(&head);
        let tags_bytes = u64::from(batch.tokens) * u64::from(self.tag_bytes);
        let bytes = HEAD_BYTES as u64 + tags_bytes + DIGEST_BYTES as u64;
        if !(1..=BATCH_TOKENS_MAX).contains(&batch.tokens) || bytes > end.saturating_sub(self.length) || self.indexes.contains(&batch.index)
        {
            return Ok(None);
        }
        let mut record = Zeroizing::new(vec![0; bytes as usize]);
        if read_up_to(from, self.length, &mut record).map_err(reading)? < record.len() {
            return Ok(None);
        }
        let Some((body, digest)) = record.split_last_chunk::<DIGEST_BYTES>() else { return Ok(None) };
        // The head is read twice: what is used of it is what the digest is of.
        if chained(&self.last, body) != *digest || body[..HEAD_BYTES] != head {
            return Ok(None);
        }
        let tags = body[HEAD_BYTES..].chunks_exact(usize::from(self.tag_bytes)).map(|bytes| {
            let mut tag = [0; 16];
            tag[16 - bytes.len()..].copy_from_slice(bytes);
            Tag(u128::from_be_bytes(tag))
        });
        let tags = tags.collect();
        self.put(batch.index, &record, *digest)?;
        Ok(Some((batch, tags)))
    }

    /// What a failure leaves is written over by the next, or does not hold when the file is opened.
    fn put(&mut self, index: u64, record: &[u8], digest: [u8; DIGEST_BYTES]) -> Result<(), Error> {
        self.file.write_all_at(self.length, record).map_err(|error| Error::disk("writing", &self.path, error))?;
        self.length += record.len() as u64;
        self.last = digest;
        self.indexes.insert(index);
        Ok(())
    }

    pub(super) fn append(&mut self, batch: &KeptBatch, tags: &[Tag]) -> Result<(), Error> {
        if self.indexes.contains(&batch.index) {
            return Ok(());
        }
        let bits = 8 * u32::from(self.tag_bytes);
        let fits = |tag: &Tag| bits == 128 || tag.0 >> bits == 0;
        if tags.len() as u64 != u64::from(batch.tokens) || !(1..=BATCH_TOKENS_MAX).contains(&batch.tokens) || !tags.iter().all(fits) {
            return Err(Error::Parameters("a batch's tags are not those of its tokens"));
        }
        let mut record = Zeroizing::new(Vec::with_capacity(HEAD_BYTES + tags.len() * usize::from(self.tag_bytes) + DIGEST_BYTES));
        record.extend_from_slice(&batch.index.to_be_bytes());
        record.extend_from_slice(&batch.first_token.to_be_bytes());
        record.extend_from_slice(&batch.tokens.to_be_bytes());
        record.extend_from_slice(&batch.blinded_digest);
        record.extend_from_slice(&batch.evaluated_digest);
        for tag in tags {
            record.extend_from_slice(&tag.0.to_be_bytes()[16 - usize::from(self.tag_bytes)..]);
        }
        let digest = chained(&self.last, &record);
        record.extend_from_slice(&digest);
        self.put(batch.index, &record, digest)
    }

    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let synced = if self.failed { Err(io::Error::other("an earlier write was lost")) } else { self.file.sync() };
        self.failed = synced.is_err();
        synced.map_err(|error| Error::disk("writing", &self.path, error))
    }
}

fn parse_head(head: &[u8; HEAD_BYTES]) -> KeptBatch {
    let (mut index, mut first_token, mut tokens) = ([0; 8], [0; 8], [0; 4]);
    let (mut blinded_digest, mut evaluated_digest) = ([0; 32], [0; 32]);
    index.copy_from_slice(&head[..8]);
    first_token.copy_from_slice(&head[8..16]);
    tokens.copy_from_slice(&head[16..20]);
    blinded_digest.copy_from_slice(&head[20..52]);
    evaluated_digest.copy_from_slice(&head[52..84]);
    let (index, first_token) = (u64::from_be_bytes(index), u64::from_be_bytes(first_token));
    KeptBatch { index, first_token, tokens: u32::from_be_bytes(tokens), blinded_digest, evaluated_digest }
}
