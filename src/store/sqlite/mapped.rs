//! Memory that other processes see too, or that a forked process finds wiped, as a row of atomic numbers. The only file
//! of the store with `unsafe`.
#![allow(unsafe_code)]

use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::sync::atomic::AtomicU64;

/// `N` numbers in mapped memory.
pub(super) struct Mapped<const N: usize>(MmapRaw);

impl<const N: usize> Mapped<N> {
    /// How many bytes the numbers take.
    pub(super) const BYTES: usize = N * size_of::<u64>();

    /// Maps the beginning of `file`, shared with every process that maps it. The file must be at least
    /// [`Self::BYTES`] long and is not to be cut while it is mapped: a cut ends its readers with a bus error.
    ///
    /// # Errors
    /// When the file can't be mapped, or is too short.
    pub(super) fn file(file: &File) -> io::Result<Self> {
        if file.metadata()?.len() < Self::BYTES as u64 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        MmapOptions::new().len(Self::BYTES).map_raw(file).map(Self)
    }

    /// Memory of this process alone; a forked child finds all numbers 0.
    ///
    /// # Errors
    /// When the system can't do so.
    #[cfg(target_os = "linux")]
    pub(super) fn wiped_on_fork() -> io::Result<Self> {
        let map = MmapRaw::from(MmapOptions::new().len(Self::BYTES).map_anon()?);
        // SAFETY: the range is the mapping just made, which nobody looks at yet. The advice changes what a child of a
        // fork finds in its copy, and nothing in this process.
        unsafe {
            rustix::mm::madvise(map.as_mut_ptr().cast(), map.len(), rustix::mm::Advice::LinuxWipeOnFork)?
        };
        Ok(Self(map))
    }

    /// The number at place `I`.
    pub(super) fn number<const I: usize>(&self) -> &AtomicU64 {
        const { assert!(I < N, "no such number") };
        // SAFETY: the mapping is at least `BYTES` long, begins at a page boundary, is readable and writable, and lives
        // as long as `self`; place `I` lies inside it, 8 bytes wide and aligned to 8. Nothing but `AtomicU64` ever
        // touches the memory, here or in other processes, once the file has its name.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().cast::<u64>().add(I)) }
    }
}
