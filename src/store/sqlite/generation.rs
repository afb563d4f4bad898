//! The generation file: a small file beside the database (`<database>-gen`) that every process maps, so that asking
//! "has anything changed?" is one atomic load and no system call.
//!
//! The file has a fixed size and mode 0600. It is never written through a file handle once it has its name, and it is
//! replaced by rename alone: cutting a mapped file would kill its readers. It is no record of anything. What it says
//! is checked against the database under the write lock whenever it is opened, so it may be deleted at any time.

use super::mapped::Mapped;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

/// The fixed size: a cache line of header, one that every check reads, and one for writers that wait.
const FILE_NUMBERS: usize = 24;
const FILE_BYTES: usize = Mapped::<FILE_NUMBERS>::BYTES;
const HEADER_BYTES: usize = WORD * size_of::<u64>();
const MAGIC: [u8; 8] = *b"tkgen\r\n\0";
const FORMAT: u64 = 1;
/// Places of the numbers.
const WORD: usize = 8;
const MADE_AT: usize = 9;
const WANTED_AT: usize = 16;
const WANTED_BY: usize = 17;

/// A mapped generation file.
pub(super) struct GenerationFile {
    numbers: Mapped<FILE_NUMBERS>,
    identity: FileIdentity,
}

/// Which file a path names. As long as the file is mapped or open, its numbers are not given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// What stands under the file's name.
pub(super) enum Found {
    /// The generation file of this database.
    Ours(GenerationFile),
    /// Nothing, or something that is not the generation file of this database: it may be replaced.
    Nothing,
}

impl GenerationFile {
    /// Where the file of this database lies.
    pub(super) fn path_beside(database: &Path) -> PathBuf {
        with_suffix(database, "-gen")
    }

    /// Maps the file at `path`, if it is one and belongs to the database with this id. Its word still has to be
    /// compared with the database, under the write lock.
    ///
    /// # Errors
    /// When it is there and can't be read or mapped.
    pub(super) fn open(path: &Path, database_id: &[u8; 16]) -> io::Result<Found> {
        let options = OpenOptions::new().read(true).write(true).custom_flags(NO_FOLLOW).open(path);
        let file = match options {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound || is_loop(&e) => return Ok(Found::Nothing),
            Err(e) => return Err(e),
        };
        let metadata = file.metadata()?;
        if !has_right_shape(&metadata) {
            return Ok(Found::Nothing);
        }
        let mut start = [0; HEADER_BYTES];
        file.read_exact_at(&mut start, 0)?;
        if start != header(database_id) {
            return Ok(Found::Nothing);
        }
        Self::map(&file, &metadata).map(Found::Ours)
    }

    /// Puts a new file in place of whatever is at `path`. The caller holds the database's write lock; `generation` is
    /// what the database holds. The file belongs to `owner`, the database's owner, where we may give it away.
    ///
    /// # Errors
    /// When the directory can't be written, or the file can't be mapped.
    pub(super) fn replace(
        path: &Path,
        database_id: &[u8; 16],
        generation: u64,
        owner: &Metadata,
    ) -> io::Result<Self> {
        // One name is enough: the write lock admits one process here, and what a dead one left is in the way.
        let fresh = with_suffix(path, "-new");
        match std::fs::remove_file(&fresh) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(MODE)
            .custom_flags(NO_FOLLOW)
            .open(&fresh);
        let mut file = options?;
        file.set_permissions(std::fs::Permissions::from_mode(MODE))?;
        if rustix::process::geteuid().is_root() {
            // As SQLite does for its own files: an operator's visit must not lock the program out.
            std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
        }
        let mut bytes = [0; FILE_BYTES];
        write_at(&mut bytes, 0, &header(database_id));
        write_at(&mut bytes, HEADER_BYTES, &generation.to_ne_bytes());
        file.write_all(&bytes)?;
        let mapped = Self::map(&file, &file.metadata()?)?;
        std::fs::rename(&fresh, path)?;
        Ok(mapped)
    }

    /// The generation word; `word.rs` says who may change it and how.
    pub(super) fn word(&self) -> &AtomicU64 {
        self.numbers.number::<WORD>()
    }

    /// When the file got its name, in microseconds of the boot clock, or a later time; 0 while not known.
    pub(super) fn made_at(&self) -> &AtomicU64 {
        self.numbers.number::<MADE_AT>()
    }

    /// When a process last found the write lock taken, in microseconds of the boot clock; 0 when it has it.
    pub(super) fn wanted_at(&self) -> &AtomicU64 {
        self.numbers.number::<WANTED_AT>()
    }

    /// Which process that was.
    pub(super) fn wanted_by(&self) -> &AtomicU64 {
        self.numbers.number::<WANTED_BY>()
    }

    /// Whether `path` still names this very file, uncut.
    ///
    /// # Errors
    /// When it can't be told.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => {
                Ok(FileIdentity::of(&metadata) == self.identity && metadata.len() == FILE_BYTES as u64)
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn map(file: &File, metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { numbers: Mapped::file(file)?, identity: FileIdentity::of(metadata) })
    }
}

impl FileIdentity {
    /// The identity of the file that was looked up.
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

const MODE: u32 = 0o600;
const NO_FOLLOW: i32 = OFlags::NOFOLLOW.bits().cast_signed();

fn has_right_shape(metadata: &Metadata) -> bool {
    // Whoever may write the file may hide a revocation, so one that others may write is not used.
    metadata.is_file()
        && metadata.len() == FILE_BYTES as u64
        && metadata.nlink() == 1
        && metadata.mode() & 0o022 == 0
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

fn header(database_id: &[u8; 16]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    write_at(&mut bytes, 0, &MAGIC);
    write_at(&mut bytes, 8, &FORMAT.to_ne_bytes());
    write_at(&mut bytes, 16, database_id);
    bytes
}

fn write_at(target: &mut [u8], offset: usize, bytes: &[u8]) {
    for (to, from) in target.iter_mut().skip(offset).zip(bytes) {
        *to = *from;
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::word::{self, Seen};

    const ID: [u8; 16] = [7; 16];

    fn made(generation: u64) -> (tempdir::Dir, PathBuf, GenerationFile) {
        let dir = tempdir::Dir::new();
        let path = GenerationFile::path_beside(&dir.path("keys.db"));
        let file = GenerationFile::replace(&path, &ID, generation, &dir.metadata()).unwrap();
        (dir, path, file)
    }

    use crate::store::sqlite::tempdir;

    #[test]
    fn two_mappings_share_one_word() {
        let (_dir, path, file) = made(3);
        let Found::Ours(other) = GenerationFile::open(&path, &ID).unwrap() else { panic!("not found") };
        let mark = word::Marks::new(1).next();
        word::begin(file.word(), mark);
        assert_eq!(word::load(other.word()), Seen::Changing(mark));
        assert!(word::publish(other.word(), mark, 4));
        assert_eq!(word::load(file.word()), Seen::Stable(4));
    }

    #[test]
    fn the_file_is_private_and_of_fixed_size() {
        let (_dir, path, _file) = made(1);
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.len()), (0o600, FILE_BYTES as u64));
    }

    #[test]
    fn a_replaced_file_is_told_apart_while_the_old_one_is_mapped() {
        let (dir, path, old) = made(1);
        assert!(old.is_at(&path).unwrap());
        for generation in 2..20 {
            let new = GenerationFile::replace(&path, &ID, generation, &dir.metadata()).unwrap();
            assert!(!old.is_at(&path).unwrap() && new.is_at(&path).unwrap(), "{generation}");
        }
        assert_eq!(word::load(old.word()), Seen::Stable(1), "the old mapping stays readable");
        std::fs::remove_file(&path).unwrap();
        assert!(!old.is_at(&path).unwrap());
    }

    #[test]
    fn what_is_not_our_file_is_not_mapped() {
        type Damage = fn(&Path);
        let cases: [(&str, Damage); 7] = [
            ("absent", |p| std::fs::remove_file(p).unwrap()),
            ("cut", |p| OpenOptions::new().write(true).open(p).unwrap().set_len(64).unwrap()),
            ("grown", |p| OpenOptions::new().write(true).open(p).unwrap().set_len(4096).unwrap()),
            ("other magic", |p| {
                OpenOptions::new().write(true).open(p).unwrap().write_all_at(b"x", 0).unwrap();
            }),
            ("other database", |p| {
                OpenOptions::new().write(true).open(p).unwrap().write_all_at(b"x", 20).unwrap();
            }),
            ("writable by others", |p| {
                std::fs::set_permissions(p, std::fs::Permissions::from_mode(0o622)).unwrap();
            }),
            ("a link", |p| {
                let real = with_suffix(p, "-real");
                std::fs::rename(p, &real).unwrap();
                std::os::unix::fs::symlink(&real, p).unwrap();
            }),
        ];
        for (what, damage) in cases {
            let (dir, path, file) = made(5);
            drop(file);
            damage(&path);
            assert!(matches!(GenerationFile::open(&path, &ID), Ok(Found::Nothing)), "{what}");
            let new = GenerationFile::replace(&path, &ID, 6, &dir.metadata()).unwrap();
            assert!(new.is_at(&path).unwrap(), "{what}");
            assert!(matches!(GenerationFile::open(&path, &ID), Ok(Found::Ours(_))), "{what}");
        }
    }

    #[test]
    fn what_a_dead_process_left_does_not_stop_the_next() {
        let (dir, path, _file) = made(1);
        std::fs::write(with_suffix(&path, "-new"), b"half").unwrap();
        assert!(GenerationFile::replace(&path, &ID, 2, &dir.metadata()).is_ok());
    }
}
