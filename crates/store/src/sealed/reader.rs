//! Reading a sealed set from any stream, a block at a time, trusting nothing (SPEC SET-4).

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::Tag;
use sha2::{Digest, Sha256};

use super::block::{BlockCode, DIGEST_BYTES, PREFIX_BYTES};
use super::header::{HEADER_BYTES, Header, blocks, differing_field};
use crate::{Error, SetFault};

/// Whose bytes are read: whom a fault in them is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The peer sent them: [`Error::PeerSet`].
    Peer,
    /// They lie on our disk, in this file, and were good before: [`Error::Corrupt`].
    Own(PathBuf),
}

impl Origin {
    /// The error for a fault in bytes of this origin.
    #[must_use]
    pub fn error(&self, fault: SetFault) -> Error {
        match self {
            Self::Peer => Error::PeerSet(fault),
            Self::Own(path) => Error::Corrupt { path: path.display().to_string(), fault },
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Peer => Path::new("the sealed set"),
            Self::Own(path) => path,
        }
    }
}

/// A sealed set as a stream of blocks of tags. Every check of SET-4 is made on the way; memory is one block, and grows by bytes that
/// arrived, not by lengths that were stated.
///
/// The tags of a block are those of a whole set only once [`SetReader::finish`] has returned.
#[derive(Debug)]
pub struct SetReader<R> {
    source: R,
    origin: Origin,
    header: Header,
    code: BlockCode,
    file_digest: Sha256,
    file_bytes: u64,
    next_block: u64,
    /// The smallest tag that may come next.
    floor: u128,
    bytes: Vec<u8>,
    tags: Vec<Tag>,
}

impl<R: Read> SetReader<R> {
    /// Reads the header (SPEC SET-1, SET-2).
    ///
    /// # Errors
    /// [`Error::PeerSet`] or [`Error::Corrupt`], as `origin` says; [`Error::Disk`] where `source` fails.
    pub fn new(source: R, origin: Origin) -> Result<Self, Error> {
        let (mut source, mut bytes) = (source, Vec::new());
        read_exactly(&mut source, HEADER_BYTES, 0, &mut bytes, &origin)?;
        let fixed = bytes.first_chunk().ok_or_else(|| origin.error(SetFault::EndsEarly { block: 0 }))?;
        let header = Header::decode(fixed).map_err(|fault| origin.error(fault))?;
        let mut file_digest = Sha256::new();
        file_digest.update(&bytes);
        let code = BlockCode::new(&header);
        let file_bytes = bytes.len() as u64;
        Ok(Self { source, origin, header, code, file_digest, file_bytes, next_block: 0, floor: 0, bytes, tags: Vec::new() })
    }

    /// What the header states.
    pub fn descriptor(&self) -> &SetDescriptor {
        &self.header.descriptor
    }

    /// The tags of the next block, ascending over the whole set; `None` after the last block, at the exact end of the file.
    ///
    /// # Errors
    /// [`Error::PeerSet`] or [`Error::Corrupt`], as the origin says; [`Error::Disk`] where the source fails. After an error the reader
    /// is of no further use.
    pub fn next_block(&mut self) -> Result<Option<&[Tag]>, Error> {
        let block = self.next_block;
        if block == blocks(self.header.descriptor.tags) {
            let (mut probe, origin) = ([0; 1], &self.origin);
            let more = loop {
                match self.source.read(&mut probe) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.map_err(|error| Error::disk("reading", origin.path(), error))?,
                }
            };
            return if more == 0 { Ok(None) } else { Err(origin.error(SetFault::GoesOn)) };
        }
        self.bytes.clear();
        read_exactly(&mut self.source, PREFIX_BYTES, block, &mut self.bytes, &self.origin)?;
        let blame = |fault| self.origin.error(SetFault::Block { block, fault });
        let ends_early = || self.origin.error(SetFault::EndsEarly { block });
        let prefix = self.code.prefix(block, self.bytes.first_chunk().ok_or_else(ends_early)?).map_err(blame)?;
        read_exactly(&mut self.source, prefix.body_bytes + DIGEST_BYTES, block, &mut self.bytes, &self.origin)?;
        self.file_digest.update(&self.bytes);
        self.file_bytes += self.bytes.len() as u64;
        self.code.decode(block, prefix, &self.bytes, self.floor, &mut self.tags).map_err(blame)?;
        self.floor = self.tags.last().map_or(self.floor, |last| last.0 + 1);
        self.next_block += 1;
        Ok(Some(&self.tags))
    }

    /// Bytes of memory that blocks take, for tests of hostile lengths.
    #[cfg(test)]
    pub(crate) fn block_capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Reads what is left, and says what set it was: descriptor, SetId and length.
    ///
    /// # Errors
    /// As [`Self::next_block`].
    pub fn finish(mut self) -> Result<SetOffer, Error> {
        while self.next_block()?.is_some() {}
        Ok(SetOffer { descriptor: self.header.descriptor, set_id: self.file_digest.finalize().into(), set_bytes: self.file_bytes })
    }
}

/// Reads a whole file, and holds it against the offer (SPEC SET-7).
pub(crate) fn check_against<R: Read>(reader: SetReader<R>, offer: &SetOffer) -> Result<(), Error> {
    let origin = reader.origin.clone();
    if let Some(field) = differing_field(reader.descriptor(), offer) {
        return Err(origin.error(SetFault::Differs(field)));
    }
    let found = reader.finish()?;
    if found.set_bytes != offer.set_bytes {
        return Err(origin.error(SetFault::Length { found: found.set_bytes, due: offer.set_bytes }));
    }
    if found.set_id != offer.set_id {
        return Err(origin.error(SetFault::SetId));
    }
    Ok(())
}

/// Appends exactly `count` bytes to `bytes`, which grows as they arrive.
fn read_exactly<R: Read>(source: &mut R, count: usize, block: u64, bytes: &mut Vec<u8>, origin: &Origin) -> Result<(), Error> {
    let read = source.take(count as u64).read_to_end(bytes).map_err(|error| Error::disk("reading", origin.path(), error))?;
    if read == count { Ok(()) } else { Err(origin.error(SetFault::EndsEarly { block })) }
}
