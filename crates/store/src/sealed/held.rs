//! The holder's own set, to be served.

use std::path::{Path, PathBuf};

use oblink_session::set::SetOffer;

use super::reader::{Origin, SetReader};
use crate::Error;
use crate::disk::{Cursor, Disk, DiskFile, open_private};

/// A sealed set on the holder's disk, checked whole when it was opened (or written by this very process).
///
/// It can be read from several threads at once.
#[derive(Debug)]
pub struct SealedSet {
    offer: SetOffer,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl SealedSet {
    /// Opens a set and reads it through, every check of SPEC SET-4 included.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file is not a sealed set; [`Error::Exposed`]; [`Error::Disk`] (`NotFound` where there is none).
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let file = open_private(disk, path)?;
        let offer = read_through(&*file, path)?;
        Ok(Self { offer, path: path.to_owned(), file })
    }

    /// The set that was just written with this offer.
    pub(crate) fn sealed(disk: &dyn Disk, path: &Path, offer: SetOffer) -> Result<Self, Error> {
        let file = disk.open(path).map_err(|error| Error::disk("opening", path, error))?;
        Ok(Self { offer, path: path.to_owned(), file })
    }

    /// Descriptor, SetId and length, as Welcome states them.
    #[must_use]
    pub fn offer(&self) -> &SetOffer {
        &self.offer
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file through again and holds it against what it was.
    ///
    /// # Errors
    /// [`Error::Corrupt`], [`Error::Disk`].
    pub fn check(&self) -> Result<(), Error> {
        let reader = SetReader::new(Cursor::new(&*self.file), Origin::Own(self.path.clone()))?;
        super::reader::check_against(reader, &self.offer)
    }

    /// Reads up to `buffer.len()` bytes of the file from `offset`: the whole buffer except at the end of the set, 0 at or beyond it.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file has become shorter; [`Error::Disk`].
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = usize::try_from(self.offer.set_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let due = buffer.len().min(left);
        let mut filled = 0;
        while filled < due {
            match self.file.read_at(offset + filled as u64, &mut buffer[filled..due]) {
                Ok(0) => {
                    let fault = crate::SetFault::Length { found: offset + filled as u64, due: self.offer.set_bytes };
                    return Err(Origin::Own(self.path.clone()).error(fault));
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::disk("reading", &self.path, error)),
            }
        }
        Ok(due)
    }
}

fn read_through(file: &dyn DiskFile, path: &Path) -> Result<SetOffer, Error> {
    SetReader::new(Cursor::new(file), Origin::Own(path.to_owned()))?.finish()
}
