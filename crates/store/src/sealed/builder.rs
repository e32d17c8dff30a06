//! Building a sealed set in bounded memory (SPEC §4.2).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::limits::SET_BLOCK_TAGS;
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::{TagPrefix, Tau};
use sha2::{Digest, Sha256};

use super::block::BlockCode;
use super::header::Header;
use super::held::SealedSet;
use super::sort::{Ascending, InMemory, Runs};
use crate::disk::{Disk, directory_of, replace};
use crate::{Error, SetFault};

/// The least memory a build works with.
pub const MEMORY_BYTES_MIN: u64 = 16 << 20;

/// The most runs that are open at once: well below what a process may have open.
const FAN_IN_MAX: usize = 128;
/// The buffer of one run while runs are merged.
const RUN_BUFFER_BYTES_MAX: usize = 1 << 20;
const RUN_BUFFER_BYTES_MIN: usize = 1 << 15;
/// Kept of the budget for everything but tags: a block, its bytes, the writer's buffers.
const OVERHEAD_BYTES: u64 = 2 << 20;
/// Tags the buffer holds at first.
const FIRST_CAPACITY: usize = 1 << 16;
/// Set files that are being written begin and end so.
const SEALING_PREFIX: &str = ".sealing-";
const SEALING_SUFFIX: &str = ".tmp";

/// How a set is built. Nothing of it shows in the set (SPEC SET-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuilderOptions {
    /// Most bytes of memory for tags and buffers; less than [`MEMORY_BYTES_MIN`] is taken as that.
    pub memory_bytes: u64,
}

/// What a set's header states beside its counts (SPEC SET-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetParameters {
    /// Tokens a pair, T (1 to 64).
    pub tokens_per_pair: u16,
    /// As-of date as decimal yyyymmdd; 0 where the holder states none.
    pub as_of: u32,
    /// Most tokens a session may submit, M.
    pub session_tokens_max: u64,
    /// The epoch whose key made the tags.
    pub epoch_id: [u8; 16],
    /// Digest of the ruleset that made the tokens.
    pub ruleset_digest: [u8; 32],
    /// The epoch's public key.
    pub public_key: [u8; 32],
    /// Suite identifier; [`super::SUITE`] is the one that this build seals.
    pub suite: u16,
}

/// Takes tag prefixes in any order and any number and makes a sealed set of them.
///
/// One build at a time has a work directory; the next one to take it removes what a killed one left. Sorted runs go there (0600) when the
/// memory is used up, and are removed when the set is done or the builder dropped.
#[derive(Debug)]
pub struct SetBuilder {
    disk: Arc<dyn Disk>,
    runs: Runs<u128>,
    tags: Vec<u128>,
    capacity: usize,
    fan_in: usize,
    buffer_bytes: usize,
}

impl SetBuilder {
    /// Takes the work directory, which is created (0700) where it is missing.
    ///
    /// # Errors
    /// [`Error::InUse`] where another build has it; [`Error::Disk`], [`Error::NoSpace`].
    pub fn new(disk: Arc<dyn Disk>, work_dir: &Path, options: BuilderOptions) -> Result<Self, Error> {
        let tag_bytes = options.memory_bytes.max(MEMORY_BYTES_MIN) - OVERHEAD_BYTES;
        let tag_bytes = usize::try_from(tag_bytes).unwrap_or(usize::MAX);
        let fan_in = (tag_bytes / RUN_BUFFER_BYTES_MIN).clamp(2, FAN_IN_MAX);
        let buffer_bytes = (tag_bytes / (fan_in + 1)).clamp(RUN_BUFFER_BYTES_MIN, RUN_BUFFER_BYTES_MAX);
        Self::with_sizes(disk, work_dir, tag_bytes / size_of::<u128>(), fan_in, buffer_bytes)
    }

    /// With as many tags in memory, runs in a merge and bytes a run's buffer as the caller (a test) says.
    pub(crate) fn with_sizes(
        disk: Arc<dyn Disk>,
        work_dir: &Path,
        capacity: usize,
        fan_in: usize,
        buffer_bytes: usize,
    ) -> Result<Self, Error> {
        let runs = Runs::new(Arc::clone(&disk), work_dir)?;
        Ok(Self { disk, runs, tags: Vec::new(), capacity: capacity.max(1), fan_in, buffer_bytes })
    }

    /// Takes prefixes of outputs, and padding tags (SPEC SET-5) likewise. Duplicates count once.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`] where a run has to be written.
    pub fn push(&mut self, mut prefixes: &[TagPrefix]) -> Result<(), Error> {
        while !prefixes.is_empty() {
            if self.tags.len() == self.capacity {
                self.spill()?;
            }
            if self.tags.len() == self.tags.capacity() {
                // By hand, as a vector left to itself doubles beyond the budget. Large blocks are moved by their pages, not copied.
                let grown = self.tags.capacity().saturating_mul(2).clamp(FIRST_CAPACITY.min(self.capacity), self.capacity);
                self.tags.reserve_exact(grown - self.tags.len());
            }
            let room = self.tags.capacity().min(self.capacity) - self.tags.len();
            let (now, later) = prefixes.split_at(room.min(prefixes.len()));
            self.tags.extend(now.iter().map(|prefix| prefix.0));
            prefixes = later;
        }
        Ok(())
    }

    /// How many distinct prefixes were pushed so far. What is in memory is sorted for it, and runs that were written are read once.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`]; [`Error::Corrupt`] where a run is not what was written to it.
    pub fn distinct(&mut self) -> Result<u64, Error> {
        self.sort();
        if self.runs.len() == 0 {
            return Ok(self.tags.len() as u64);
        }
        if !self.tags.is_empty() {
            self.spill()?;
        }
        self.runs.reduce(self.fan_in, self.buffer_bytes)?;
        let (mut merged, mut count) = (self.runs.merge(self.buffer_bytes)?, 0);
        while merged.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// The runs, for the cache that is made beside the set.
    pub(crate) fn runs(&self) -> &Runs<u128> {
        &self.runs
    }

    /// The disk, likewise.
    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    fn sort(&mut self) {
        self.tags.sort_unstable();
        self.tags.dedup();
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.sort();
        self.runs.spill(&self.tags, self.buffer_bytes)?;
        self.tags.clear();
        Ok(())
    }

    /// Sorts what was pushed and writes the set to `out_path` (0600): under a temporary name, fsynced, renamed.
    ///
    /// The file is a function of the prefixes and the parameters alone (SPEC SET-6).
    ///
    /// # Errors
    /// [`Error::NoTags`]; [`Error::Parameters`] where no set can have them; [`Error::Disk`], [`Error::NoSpace`]; [`Error::Corrupt`] where a
    /// temporary file is not what was written to it.
    pub fn finish(mut self, parameters: &SetParameters, out_path: &Path) -> Result<SealedSet, Error> {
        self.sort();
        // A killed build of this very set leaves it unfinished; others in the directory may be at work.
        let temporary = temporary_of(out_path);
        match self.disk.remove(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::disk("removing", &temporary, error)),
            _ => {}
        }
        let offer = if self.runs.len() == 0 {
            write_set(&*self.disk, || Ok(InMemory(self.tags.iter())), parameters, out_path)?
        } else {
            if !self.tags.is_empty() {
                self.runs.spill(&self.tags, self.buffer_bytes)?;
            }
            self.tags = Vec::new();
            self.runs.reduce(self.fan_in, self.buffer_bytes)?;
            write_set(&*self.disk, || self.runs.merge(self.buffer_bytes), parameters, out_path)?
        };
        SealedSet::sealed(&*self.disk, out_path, offer)
    }
}

/// What has to be known before the header can be written: D, and n for every τ that D may lead to.
#[derive(Debug)]
struct Census {
    distinct: u64,
    /// At index b: the number of neighbours whose first b bits agree and whose next differ.
    parting: [u64; 128],
}

impl Census {
    fn take(source: &mut dyn Ascending<u128>) -> Result<Self, Error> {
        let mut census = Self { distinct: 0, parting: [0; 128] };
        let mut previous = None;
        while let Some(prefix) = source.next()? {
            census.distinct += 1;
            if let Some(bits) = previous.replace(prefix).map(|previous: u128| (previous ^ prefix).leading_zeros()) {
                // Neighbours are distinct, so that bits < 128.
                census.parting[bits as usize & 127] += 1;
            }
        }
        Ok(census)
    }

    /// Distinct tags after truncation to τ bits: the first, and every one that parts from the one before it within τ bits.
    fn distinct_at(&self, tau: Tau) -> u64 {
        u64::from(self.distinct > 0) + self.parting[..tau.bits() as usize].iter().sum::<u64>()
    }
}

/// Counts, then writes. The merge is run twice for it rather than once into a temporary file: reading the runs again costs less than
/// writing the merged prefixes, and the disk need hold only half as much beside the set.
fn write_set<A: Ascending<u128>>(
    disk: &dyn Disk,
    ascending: impl Fn() -> Result<A, Error>,
    parameters: &SetParameters,
    out_path: &Path,
) -> Result<SetOffer, Error> {
    let census = Census::take(&mut ascending()?)?;
    if census.distinct == 0 {
        return Err(Error::NoTags);
    }
    let tau = Tau::for_counts(census.distinct, parameters.session_tokens_max)
        .ok_or(Error::Parameters("the number of tags or session_tokens_max is out of range"))?;
    let descriptor = SetDescriptor {
        suite: parameters.suite,
        tau,
        tokens_per_pair: parameters.tokens_per_pair,
        as_of: parameters.as_of,
        session_tokens_max: parameters.session_tokens_max,
        declared_tags: census.distinct,
        tags: census.distinct_at(tau),
        epoch_id: parameters.epoch_id,
        ruleset_digest: parameters.ruleset_digest,
        public_key: parameters.public_key,
    };
    let (header, header_bytes) = Header::encode(&descriptor).map_err(Error::Parameters)?;
    replace(disk, &temporary_of(out_path), out_path, |out| {
        let mut writer = SetWriter::new(out, out_path, &header, &header_bytes)?;
        let (mut source, mut previous) = (ascending()?, None);
        while let Some(prefix) = source.next()? {
            let tag = tau.truncate(TagPrefix(prefix)).0;
            if previous.replace(tag) != Some(tag) {
                writer.push(tag)?;
            }
        }
        writer.finish(descriptor)
    })
}

/// Where a set is written before it has its name.
fn temporary_of(out_path: &Path) -> PathBuf {
    let name = out_path.file_name().unwrap_or_default().to_string_lossy();
    directory_of(out_path).join(format!("{SEALING_PREFIX}{name}{SEALING_SUFFIX}"))
}

/// Writes header and blocks, and digests them.
struct SetWriter<'a> {
    out: &'a mut dyn Write,
    path: &'a Path,
    code: BlockCode,
    digest: Sha256,
    written_bytes: u64,
    written_tags: u64,
    block: u64,
    tags: Vec<u128>,
    bytes: Vec<u8>,
}

impl<'a> SetWriter<'a> {
    fn new(out: &'a mut dyn Write, path: &'a Path, header: &Header, header_bytes: &[u8]) -> Result<Self, Error> {
        let mut writer = Self {
            out,
            path,
            code: BlockCode::new(header),
            digest: Sha256::new(),
            written_bytes: 0,
            written_tags: 0,
            block: 0,
            tags: Vec::with_capacity(SET_BLOCK_TAGS as usize),
            bytes: header_bytes.to_vec(),
        };
        writer.write()?;
        Ok(writer)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.digest.update(&self.bytes);
        self.written_bytes += self.bytes.len() as u64;
        self.out.write_all(&self.bytes).map_err(|error| Error::disk("writing", self.path, error))
    }

    fn push(&mut self, tag: u128) -> Result<(), Error> {
        self.tags.push(tag);
        if self.tags.len() == SET_BLOCK_TAGS as usize { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<(), Error> {
        self.code.encode(self.block, &self.tags, &mut self.bytes).ok_or_else(|| self.changed())?;
        self.block += 1;
        self.written_tags += self.tags.len() as u64;
        self.tags.clear();
        self.write()
    }

    fn finish(mut self, descriptor: SetDescriptor) -> Result<SetOffer, Error> {
        if !self.tags.is_empty() {
            self.end_block()?;
        }
        // The runs were read twice: both readings must tell the same.
        if self.written_tags != descriptor.tags {
            return Err(self.changed());
        }
        Ok(SetOffer { descriptor, set_id: self.digest.finalize().into(), set_bytes: self.written_bytes })
    }

    fn changed(&self) -> Error {
        Error::Corrupt { path: self.path.display().to_string(), fault: SetFault::Run }
    }
}
