//! A set that passed every check, and the merge-join with it.

use std::path::{Path, PathBuf};

use oblink_session::set::SetOffer;
use oblink_session::tag::Tag;

use super::reader::{Origin, SetReader, check_against};
use crate::Error;
use crate::disk::{Cursor, Disk, DiskFile, open_private};

/// A sealed set that is whole, is the one offered, and holds to every rule of its format (SPEC SET-7): the only thing that tags can be
/// looked up in.
#[derive(Debug)]
pub struct VerifiedSet {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    offer: SetOffer,
}

impl VerifiedSet {
    /// Opens a set that an earlier session verified, and verifies it again.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file is not the set offered (remove it and fetch it again); [`Error::Exposed`]; [`Error::Disk`] (`NotFound`
    /// where there is none).
    pub fn open(disk: &dyn Disk, path: &Path, offer: &SetOffer) -> Result<Self, Error> {
        let file = open_private(disk, path)?;
        let reader = SetReader::new(Cursor::new(&*file), Origin::Own(path.to_owned()))?;
        check_against(reader, offer)?;
        Ok(Self::checked(path.to_owned(), file, offer.clone()))
    }

    /// For [`super::ReceivedSet`], once it has checked all.
    pub(super) fn checked(path: PathBuf, file: Box<dyn DiskFile>, offer: SetOffer) -> Self {
        Self { path, file, offer }
    }

    /// What was offered, and found so.
    #[must_use]
    pub fn offer(&self) -> &SetOffer {
        &self.offer
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The indexes of those asked tags that are in the set, ascending. `asked` is (tag, the caller's index) in any order; it is sorted in
    /// place. A tag that stands there more than once matches with every one of its indexes.
    ///
    /// One pass over the file with a block of it in memory. The whole file is checked again on the way, SetId included, and always read
    /// to its end: a file that changed since it was verified is an error, never a wrong answer.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the file has changed; [`Error::Disk`].
    pub fn join(&self, asked: &mut [(Tag, u64)]) -> Result<Vec<u64>, Error> {
        asked.sort_unstable();
        let origin = Origin::Own(self.path.clone());
        let mut reader = SetReader::new(Cursor::new(&*self.file), origin)?;
        let (mut left, mut matched): (&[(Tag, u64)], _) = (asked, Vec::new());
        while let Some(block) = reader.next_block()? {
            left = join_block(block, left, &mut matched);
        }
        check_against(reader, &self.offer)?;
        matched.sort_unstable();
        Ok(matched)
    }
}

/// Every `VerifiedSet` has come out of the whole check (SPEC SET-7).
impl oblink_session::verifier::CheckedSet for VerifiedSet {
    fn offer(&self) -> &SetOffer {
        &self.offer
    }
}

/// Matches sorted tags with one block; what of them lies beyond it is handed back.
fn join_block<'a>(block: &[Tag], mut asked: &'a [(Tag, u64)], matched: &mut Vec<u64>) -> &'a [(Tag, u64)] {
    for held in block {
        while let Some(((tag, index), rest)) = asked.split_first() {
            if tag > held {
                break;
            }
            if tag == held {
                matched.push(*index);
            }
            asked = rest;
        }
        if asked.is_empty() {
            break;
        }
    }
    asked
}
