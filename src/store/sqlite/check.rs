//! The start-up check. What breaks a promise is refused at open, with the remedy; `doctor` prints the same list.

use super::schema;
use crate::store::{CheckLine, CheckState, StoreError, StoreErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// SQLite 3.7.0 to 3.51.2 can lose committed pages when two connections reset the log at the same moment.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Below this much free space a warning is due, in bytes.
const LITTLE_SPACE: u64 = 64 << 20;

/// Looks at everything that can be seen before the file is opened.
pub(super) fn before_open(database: &Path) -> Vec<CheckLine> {
    let mut lines = vec![library(rusqlite::version_number(), rusqlite::version())];
    match std::fs::metadata(database) {
        Ok(metadata) => {
            lines.push(links(metadata.is_file(), metadata.nlink()));
            lines.push(mode(metadata.mode()));
        }
        Err(e) => lines.push(CheckLine::new(
            CheckState::Fail,
            "database file",
            format!("can't be looked at: {e}; check the path and its permissions"),
        )),
    }
    lines.push(file_system(database));
    lines.push(space(database));
    lines
}

/// Refuses if a line says so; an unsafe setting is named with its remedy.
///
/// # Errors
/// [`StoreErrorKind::Unsafe`] with the first line that failed.
pub(super) fn refuse_unsafe(lines: &[CheckLine]) -> Result<(), StoreError> {
    match lines.iter().find(|line| line.state == CheckState::Fail) {
        Some(line) => {
            Err(StoreError::new(StoreErrorKind::Unsafe, format!("{}: {}", line.what, line.message)))
        }
        None => Ok(()),
    }
}

/// Checks what a connection answered when it was set up.
///
/// # Errors
/// [`StoreErrorKind::Unsafe`] when the promised durability does not hold.
pub(super) fn settings(journal_mode: &str, synchronous: i64) -> Result<(), StoreError> {
    refuse_unsafe(&settings_lines(journal_mode, synchronous))
}

/// The journal mode and the synchronous setting as lines of the check.
pub(super) fn settings_lines(journal_mode: &str, synchronous: i64) -> Vec<CheckLine> {
    let journal = if journal_mode.eq_ignore_ascii_case("wal") {
        CheckLine::new(CheckState::Ok, "journal mode", "wal")
    } else {
        let remedy = "the file can't be used in WAL mode; put it on a local disk that supports shared memory";
        CheckLine::new(CheckState::Fail, "journal mode", format!("`{journal_mode}`: {remedy}"))
    };
    let durable = if synchronous >= 2 {
        CheckLine::new(CheckState::Ok, "synchronous", "full")
    } else {
        let text = format!("`{synchronous}` would lose acknowledged changes at a power cut; set it to FULL");
        CheckLine::new(CheckState::Fail, "synchronous", text)
    };
    vec![journal, durable]
}

/// The schema's standing as a line of the check.
pub(super) fn schema_line(standing: &Result<schema::Standing, StoreError>) -> CheckLine {
    let (state, message) = match standing {
        Ok(schema::Standing::Current) => (CheckState::Ok, format!("version {}", schema::version())),
        Ok(schema::Standing::NewerButCompatible) => {
            (CheckState::Warn, "of the next release; update this program".to_owned())
        }
        Ok(schema::Standing::Behind(version)) => {
            (CheckState::Fail, format!("version {version}; run `tenantkit store migrate`"))
        }
        Err(e) => (CheckState::Fail, e.to_string()),
    };
    CheckLine::new(state, "schema", message)
}

fn library(number: i32, version: &str) -> CheckLine {
    if number >= OLDEST_SQLITE {
        return CheckLine::new(CheckState::Ok, "sqlite version", version);
    }
    let text =
        format!("{version} can lose committed changes; link SQLite 3.51.3 or later (the bundled one is)");
    CheckLine::new(CheckState::Fail, "sqlite version", text)
}

fn links(is_file: bool, count: u64) -> CheckLine {
    if !is_file {
        return CheckLine::new(CheckState::Fail, "database file", "not a regular file; name a file");
    }
    if count > 1 {
        let text =
            format!("the file has {count} names, and each would have its own log; remove the hard links");
        return CheckLine::new(CheckState::Fail, "database file", text);
    }
    CheckLine::new(CheckState::Ok, "database file", "a regular file with one name")
}

fn mode(mode: u32) -> CheckLine {
    let mode = mode & 0o777;
    if mode & 0o077 == 0 {
        CheckLine::new(CheckState::Ok, "file mode", format!("{mode:04o}"))
    } else {
        let text =
            format!("{mode:04o} opens the file to others; run `chmod 600` on it and its -wal and -shm files");
        CheckLine::new(CheckState::Warn, "file mode", text)
    }
}

fn space(database: &Path) -> CheckLine {
    match rustix::fs::statvfs(database) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let nearly_full = free < LITTLE_SPACE || found.f_bavail < found.f_blocks / 50;
            let state = if nearly_full { CheckState::Warn } else { CheckState::Ok };
            let advice = if nearly_full { "; make room before changes fail" } else { "" };
            CheckLine::new(state, "disk space", format!("{} MiB free{advice}", free >> 20))
        }
        Err(e) => CheckLine::new(CheckState::Warn, "disk space", format!("can't be told: {e}")),
    }
}

#[cfg(target_os = "linux")]
fn file_system(database: &Path) -> CheckLine {
    let what = "file system";
    match rustix::fs::statfs(database) {
        Ok(found) => {
            // The kernel's type is signed on some machines; the magic numbers have 32 bits.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::unnecessary_cast)]
            let magic = found.f_type as u32;
            match remote_name(magic) {
                None => CheckLine::new(CheckState::Ok, what, format!("local ({magic:#x})")),
                Some(name) => {
                    let text = format!("{name} does not keep SQLite's locks; put the file on a local disk");
                    CheckLine::new(CheckState::Fail, what, text)
                }
            }
        }
        Err(e) => CheckLine::new(CheckState::Warn, what, format!("can't be told: {e}")),
    }
}

#[cfg(not(target_os = "linux"))]
fn file_system(_database: &Path) -> CheckLine {
    CheckLine::new(CheckState::Warn, "file system", "not looked at on this system; use a local disk")
}

/// File systems that several hosts may share, or that a program provides: their locks or their memory maps are not
/// those of one kernel.
#[cfg(target_os = "linux")]
fn remote_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9P",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x786f_4256 => "a VirtualBox shared folder",
        0xbacb_acbc => "a VMware shared folder",
        0x564c => "NetWare",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tempdir::Dir;
    use super::*;

    #[test]
    fn what_breaks_a_promise_is_refused_with_the_remedy() {
        let cases = [
            (library(3_051_002, "3.51.2"), "link SQLite"),
            (links(true, 2), "remove the hard links"),
            (links(false, 1), "name a file"),
            (settings_lines("delete", 2).remove(0), "local disk"),
            (settings_lines("wal", 1).remove(1), "FULL"),
        ];
        for (line, remedy) in cases {
            assert!(line.message.contains(remedy), "{line:?}");
            assert_eq!(refuse_unsafe(&[line]).unwrap_err().kind(), StoreErrorKind::Unsafe);
        }
    }

    #[test]
    fn what_should_be_mended_is_a_warning() {
        for line in [mode(0o644), mode(0o620)] {
            assert_eq!(line.state, CheckState::Warn, "{line:?}");
            assert!(refuse_unsafe(&[line]).is_ok());
        }
        assert_eq!(mode(0o600).state, CheckState::Ok);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn shared_file_systems_are_known() {
        for magic in [0x6969, 0x517b, 0x6573_5546, 0x0102_1997] {
            assert!(remote_name(magic).is_some(), "{magic:#x}");
        }
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(remote_name(local), None, "{local:#x}");
        }
    }

    #[test]
    fn a_file_of_ours_passes() {
        let dir = Dir::new();
        let path = super::super::connect::locate(&dir.path("keys.db")).unwrap();
        let lines = before_open(&path);
        assert!(refuse_unsafe(&lines).is_ok(), "{lines:?}");
        assert!(lines.iter().any(|line| line.what == "sqlite version" && line.state == CheckState::Ok));
    }

    #[test]
    fn a_second_name_of_the_file_is_found() {
        let dir = Dir::new();
        let path = super::super::connect::locate(&dir.path("keys.db")).unwrap();
        std::fs::hard_link(&path, dir.path("twin.db")).unwrap();
        assert_eq!(refuse_unsafe(&before_open(&path)).unwrap_err().kind(), StoreErrorKind::Unsafe);
    }
}
