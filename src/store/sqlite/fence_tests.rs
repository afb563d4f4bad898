//! The fence in one process, with the time passed in.

use super::bench::{AT, Bench};
use super::*;

const MS: i64 = 1_000;

fn see(fence: &Fence, coarse_us: i64) -> Freshness {
    fence.freshness(coarse_us).unwrap()
}

fn at(generation: u64) -> Freshness {
    Freshness::At(Generation(generation))
}

#[test]
fn a_change_is_seen_by_all_fences_at_once() {
    let bench = Bench::new();
    let (ours, other) = (bench.fence(), bench.fence());
    assert_eq!(see(&other, AT.coarse_us), at(1));
    let pending = bench.locked(|lock| ours.begin(lock, AT.boot_us).unwrap());
    assert_eq!(see(&other, AT.coarse_us), Freshness::ReadStore, "between mark and commit");
    bench.set_generation(2);
    assert_eq!(see(&other, AT.coarse_us), Freshness::ReadStore, "between commit and publication");
    ours.publish(pending, 2, AT.boot_us);
    assert_eq!(see(&other, AT.coarse_us), at(2));
}

#[test]
fn a_dead_writers_mark_is_mended_after_100_ms() {
    for committed in [false, true] {
        let bench = Bench::new();
        let (dead, reader) = (bench.fence(), bench.fence());
        let _ = bench.locked(|lock| dead.begin(lock, AT.boot_us).unwrap());
        if committed {
            bench.set_generation(2);
        }
        assert_eq!(see(&reader, AT.coarse_us), Freshness::ReadStore);
        assert_eq!(see(&reader, AT.coarse_us + 99 * MS), Freshness::ReadStore);
        assert!(!reader.wants_mending());
        assert_eq!(see(&reader, AT.coarse_us + 100 * MS), Freshness::ReadStore);
        assert!(reader.wants_mending());
        assert_eq!(bench.mend(&reader), Mended::Done);
        assert_eq!(see(&reader, AT.coarse_us + 101 * MS), at(1 + u64::from(committed)));
        assert!(!reader.wants_mending());
    }
}

#[test]
fn marks_of_busy_writers_are_not_taken_for_a_dead_ones() {
    let bench = Bench::new();
    let (writer, reader) = (bench.fence(), bench.fence());
    for i in 0..5 {
        let _ = bench.locked(|lock| writer.begin(lock, AT.boot_us).unwrap());
        assert_eq!(see(&reader, AT.coarse_us + i * 60 * MS), Freshness::ReadStore);
        assert!(!reader.wants_mending(), "mark {i} is a new one");
    }
}

#[test]
fn opening_mends_at_once() {
    let bench = Bench::new();
    let dead = bench.fence();
    let _ = bench.locked(|lock| dead.begin(lock, AT.boot_us).unwrap());
    assert_eq!(see(&bench.fence(), AT.coarse_us), at(1));
}

#[test]
fn a_failed_commit_is_mended_without_waiting() {
    let bench = Bench::new();
    let fence = bench.fence();
    let pending = bench.locked(|lock| fence.begin(lock, AT.boot_us).unwrap());
    fence.abandon(pending);
    assert!(fence.wants_mending());
    bench.mend(&fence);
    assert_eq!(see(&fence, AT.coarse_us), at(1));
}

#[test]
fn a_removed_generation_file_is_found_within_250_ms() {
    let bench = Bench::new();
    let (writer, reader) = (bench.fence(), bench.fence());
    std::fs::remove_file(bench.generation_file()).unwrap();
    // The writer finds out under the lock and makes a new file; the reader's mapping stands still.
    let hold = bench.change(&writer, AT.boot_us + 3);
    assert_eq!(see(&reader, AT.coarse_us + 249 * MS), at(1), "the look is not due yet");
    assert_eq!(hold, Some(AT.boot_us + 3 + 500 * MS), "so the change has not returned yet");
    assert_eq!(see(&reader, AT.coarse_us + 250 * MS), Freshness::ReadStore);
    assert!(reader.wants_mending());
    bench.mend(&reader);
    assert_eq!(see(&reader, AT.coarse_us + 250 * MS), at(2));
    assert_eq!(bench.change(&writer, AT.boot_us + 3 + 500 * MS), None, "half a second later nothing is held");
    assert_eq!(see(&reader, AT.coarse_us + 251 * MS), at(3));
}

#[test]
fn a_process_that_opens_a_young_file_holds_its_changes_too() {
    let bench = Bench::new();
    let _maker = bench.fence();
    let later = |ms: i64| Instants { coarse_us: AT.coarse_us + ms * MS, boot_us: AT.boot_us + ms * MS };
    let young = bench.fence_at(later(200));
    assert_eq!(bench.change(&young, later(300).boot_us), Some(later(500).boot_us));
    let old = bench.fence_at(later(600));
    assert_eq!(bench.change(&old, later(600).boot_us), None);
}

#[test]
fn a_foreign_file_in_its_place_is_replaced() {
    let bench = Bench::new();
    let fence = bench.fence();
    std::fs::remove_file(bench.generation_file()).unwrap();
    std::fs::write(bench.generation_file(), [0xff; 192]).unwrap();
    assert_eq!(see(&fence, AT.coarse_us + 250 * MS), Freshness::ReadStore);
    bench.mend(&fence);
    assert_eq!(see(&fence, AT.coarse_us + 251 * MS), at(1));
    assert!(fence.is_mapped());
}

#[test]
fn a_wiped_word_is_mended() {
    let bench = Bench::new();
    let fence = bench.fence();
    fence.file().unwrap().word().store(0, Ordering::SeqCst);
    assert_eq!(see(&fence, AT.coarse_us), Freshness::ReadStore);
    assert_eq!(see(&fence, AT.coarse_us + 100 * MS), Freshness::ReadStore);
    assert!(fence.wants_mending());
    bench.mend(&fence);
    assert_eq!(see(&fence, AT.coarse_us + 101 * MS), at(1));
}

#[test]
fn a_write_of_another_program_is_found_within_250_ms() {
    let bench = Bench::new();
    let fence = bench.fence();
    assert_eq!(see(&fence, AT.coarse_us + 250 * MS), at(1));
    bench.set_generation(2);
    assert_eq!(see(&fence, AT.coarse_us + 499 * MS), at(1));
    assert_eq!(see(&fence, AT.coarse_us + 500 * MS), Freshness::ReadStore);
    bench.mend(&fence);
    assert_eq!(see(&fence, AT.coarse_us + 501 * MS), at(2));
}

#[test]
fn a_database_that_went_back_is_raised_above_what_was_seen() {
    let bench = Bench::new();
    let fence = bench.fence();
    for _ in 0..4 {
        bench.change(&fence, AT.boot_us);
    }
    bench.set_generation(2);
    assert_eq!(see(&fence, AT.coarse_us + 250 * MS), Freshness::ReadStore);
    assert_eq!(bench.mend(&fence), Mended::DatabaseWentBack { seen: 5 });
    assert_eq!(bench.locked(|lock| fence.highest(lock, AT.boot_us)).unwrap(), 5);
    bench.set_generation(6);
    assert_eq!(bench.mend(&fence), Mended::Done);
    assert_eq!(see(&fence, AT.coarse_us + 251 * MS), at(6));
}

#[test]
fn a_replaced_database_is_an_error_until_it_is_back() {
    let bench = Bench::new();
    let fence = bench.fence();
    let aside = bench.dir.path("aside.db");
    std::fs::rename(bench.database(), &aside).unwrap();
    let late = AT.coarse_us + 250 * MS;
    assert_eq!(fence.freshness(late).unwrap_err().kind(), StoreErrorKind::Unavailable, "removed");
    std::fs::write(bench.database(), b"").unwrap();
    for _ in 0..2 {
        assert_eq!(fence.freshness(late).unwrap_err().kind(), StoreErrorKind::Unavailable, "another file");
    }
    assert!(
        bench.locked(|lock| fence.begin(lock, AT.boot_us)).is_err(),
        "no change goes into a file nobody sees"
    );
    std::fs::rename(&aside, bench.database()).unwrap();
    assert_eq!(see(&fence, late), at(1));
}

#[test]
fn without_a_mapping_the_data_version_tells() {
    let bench = Bench::new();
    std::fs::create_dir(bench.generation_file()).unwrap();
    let (ours, other) = (bench.fence(), bench.fence());
    assert!(!ours.is_mapped());
    for generation in 1..20 {
        assert_eq!((see(&ours, AT.coarse_us), see(&other, AT.coarse_us)), (at(generation), at(generation)));
        let hold = bench.change(&ours, AT.boot_us);
        assert_eq!(hold, Some(AT.boot_us + 500 * MS), "processes that do map a file look every 250 ms");
    }
}

#[test]
fn a_file_that_is_replaced_again_and_again_is_given_up() {
    let bench = Bench::new();
    let fence = bench.fence();
    for i in 0..MAX_FILES {
        assert!(fence.is_mapped(), "after {i} replacements");
        std::fs::remove_file(bench.generation_file()).unwrap();
        bench.mend(&fence);
    }
    assert!(!fence.is_mapped());
    bench.change(&fence, AT.boot_us);
    assert_eq!(see(&fence, AT.coarse_us), at(2));
}

#[test]
fn a_writer_that_was_overtaken_publishes_nothing() {
    let bench = Bench::new();
    let (slow, quick) = (bench.fence(), bench.fence());
    let pending = bench.locked(|lock| slow.begin(lock, AT.boot_us).unwrap());
    bench.set_generation(2);
    bench.change(&quick, AT.boot_us);
    slow.publish(pending, 2, AT.boot_us);
    assert_eq!(see(&slow, AT.coarse_us), at(3));
}

#[test]
fn an_old_copy_of_the_generation_file_is_not_believed() {
    let bench = Bench::new();
    let fence = bench.fence();
    let copy = std::fs::read(bench.generation_file()).unwrap();
    for _ in 0..3 {
        bench.change(&fence, AT.boot_us);
    }
    std::fs::remove_file(bench.generation_file()).unwrap();
    std::fs::write(bench.generation_file(), copy).unwrap();
    std::fs::set_permissions(bench.generation_file(), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    assert_eq!(bench.locked(|lock| fence.highest(lock, AT.boot_us)).unwrap(), 4);
    assert_eq!(see(&fence, AT.coarse_us), Freshness::ReadStore);
    bench.mend(&fence);
    assert_eq!(see(&fence, AT.coarse_us), at(4));
}
