//! Pack files under faults: failed writes are refused, acknowledged bytes stay, and the latch closes when it must.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicU64;

use rustix::io::Errno;

use super::*;
use crate::clock::{ManualClock, UnixMillis};
use crate::packs::SegmentReader;
use crate::packs::format::segment::OriginTarget;
use crate::packs::local::disk::RealDisk;
use crate::packs::{EncodedFrame, Origin, Segment};
use crate::testing::{DiskFault, DiskFaults, DiskOp, FaultDisk, MemFiles};

const STORE: StoreId = StoreId([3; 16]);

fn packs_on(disk: Arc<dyn Disk>, epoch: u32) -> (PackFiles, Arc<Health>) {
    let health = Arc::new(Health::new());
    let context = PackContext {
        store: STORE,
        epoch: Epoch(epoch),
        clock: Arc::new(ManualClock::at(UnixMillis(5))),
        health: Arc::clone(&health),
        watch: Arc::new(Watch::new()),
    };
    (PackFiles::new(disk, context), health)
}

fn faulty(files: &MemFiles, faults: impl DiskFaults) -> (PackFiles, Arc<Health>) {
    packs_on(Arc::new(FaultDisk::new(Arc::new(files.open()), faults)), 1)
}

fn origin() -> Origin {
    Origin {
        bucket: 1,
        key: Bytes::from_static(b"key"),
        target: OriginTarget::Put { body: 2 },
        etag: String::new(),
        time: UnixMillis(5),
        body_offset: 0,
    }
}

fn draft(byte: u8) -> SegmentDraft {
    SegmentDraft {
        frames: vec![EncodedFrame::data(Bytes::from(vec![byte; 1000]))],
        origin: origin(),
    }
}

fn first_byte(packs: &dyn Packs, segment: Segment) -> Result<u8, StoreError> {
    let plain = SegmentReader::whole(segment).next(packs, 1)?.concat();
    assert_eq!(plain.len(), 1000);
    Ok(plain[0])
}

/// Every kind of call that writes, so that each of their operations fails once.
fn write_all_ways(packs: &PackFiles) -> Result<Vec<(u8, Segment)>, StoreError> {
    let mut done = Vec::new();
    write_ways(packs, &mut done)?;
    Ok(done)
}

fn write_ways(packs: &PackFiles, done: &mut Vec<(u8, Segment)>) -> Result<(), StoreError> {
    packs.open_shared()?;
    let appended = packs.append(&[draft(1), draft(2)])?;
    done.extend([1, 2].into_iter().zip(appended.segments));
    let mut writer = packs.begin()?;
    writer.append(&draft(3).frames)?;
    done.push((3, writer.finish(&origin())?.segment));
    let appended = packs.append(&[draft(4)])?;
    done.extend([4].into_iter().zip(appended.segments));
    Ok(())
}

#[test]
fn every_operation_may_fail_and_nothing_acknowledged_is_lost() {
    for errno in [Errno::IO, Errno::NOSPC, Errno::ROFS] {
        let mut failing = 1;
        loop {
            let files = MemFiles::new();
            let failed: Arc<Mutex<Option<DiskOp>>> = Arc::default();
            let (packs, health) = faulty(&files, {
                let failed = Arc::clone(&failed);
                move |op, number, _: &Path| {
                    (number == failing).then(|| {
                        *failed.lock() = Some(op);
                        DiskFault::Fails(errno)
                    })
                }
            });
            let mut done = Vec::new();
            let outcome = write_ways(&packs, &mut done);
            let Some(op) = failed.lock().take() else {
                assert!(
                    outcome.is_ok() && failing > 10,
                    "the last round meets no fault"
                );
                break;
            };
            let error = outcome.expect_err("a fault is never swallowed");
            let sync = matches!(op, DiskOp::Sync | DiskOp::SyncDir);
            assert_eq!(
                health.read_only().is_some(),
                sync,
                "{op:?} {errno:?}: only a failed sync latches"
            );
            let full = matches!(error, StoreError::DiskFull { .. });
            assert_eq!(
                full,
                errno == Errno::NOSPC && !sync,
                "{op:?} {errno:?}: {error}"
            );
            if sync {
                assert!(matches!(packs.begin(), Err(StoreError::ReadOnly { .. })));
                assert!(matches!(
                    packs.open_shared(),
                    Err(StoreError::ReadOnly { .. })
                ));
                assert!(matches!(
                    packs.remove(packs_id(1)),
                    Err(StoreError::ReadOnly { .. })
                ));
            } else {
                // The same process continues in new packs.
                done.extend(write_all_ways(&packs).expect("the fault is over"));
            }
            files.crash();
            let (packs, _) = packs_on(Arc::new(files.open()), 2);
            for (byte, segment) in done {
                assert_eq!(
                    first_byte(&packs, segment).expect("acknowledged"),
                    byte,
                    "{op:?} {errno:?}"
                );
            }
            failing += 1;
        }
    }
}

fn packs_id(serial: u32) -> PackId {
    PackId {
        epoch: Epoch(1),
        serial,
    }
}

#[test]
fn a_disk_that_lies_about_its_syncs_loses_data_in_this_model() {
    // The model's own test: if it missed skipped syncs, every test above would prove nothing.
    for skipped in [DiskOp::Sync, DiskOp::SyncDir] {
        let files = MemFiles::new();
        let (packs, _) = faulty(&files, move |op, _, _: &Path| {
            (op == skipped).then_some(DiskFault::Skipped)
        });
        let done = write_all_ways(&packs).expect("no fault shows");
        files.crash();
        let (packs, _) = packs_on(Arc::new(files.open()), 2);
        assert!(
            done.iter()
                .all(|(_, segment)| first_byte(&packs, *segment).is_err()),
            "{skipped:?}"
        );
    }
}

#[test]
fn a_short_write_is_continued_and_one_that_then_fails_closes_the_pack() {
    let files = MemFiles::new();
    let (packs, health) = faulty(&files, |op, number, _: &Path| {
        (op == DiskOp::Write && number % 2 == 0).then_some(DiskFault::Short(7))
    });
    let done = write_all_ways(&packs).expect("short writes are continued");
    for (byte, segment) in done {
        assert_eq!(first_byte(&packs, segment).expect("whole"), byte);
    }

    let files = MemFiles::new();
    let writes = AtomicU64::new(0);
    let (packs, _) = faulty(&files, move |op, _, _: &Path| {
        let number = if op == DiskOp::Write {
            writes.fetch_add(1, Ordering::SeqCst)
        } else {
            0
        };
        // The header, the first batch, then a batch that is cut short and fails.
        match number {
            2 => Some(DiskFault::Short(50)),
            3 => Some(DiskFault::Fails(Errno::NOSPC)),
            _ => None,
        }
    });
    let shared = packs.open_shared().expect("room");
    let good = packs.append(&[draft(1)]).expect("room").segments.remove(0);
    assert!(matches!(
        packs.append(&[draft(2)]),
        Err(StoreError::DiskFull { .. })
    ));
    assert!(matches!(
        packs.append(&[draft(2)]),
        Err(StoreError::NoSharedPack)
    ));
    assert_ne!(packs.open_shared().expect("room"), shared, "never reopened");
    assert_eq!(
        packs.append(&[draft(3)]).expect("room").segments[0].offset,
        PACK_HEADER_BYTES
    );
    assert_eq!(first_byte(&packs, good).expect("kept"), 1);
    assert_eq!(health.read_only(), None);
}

#[test]
fn a_writer_that_failed_is_of_no_further_use() {
    let files = MemFiles::new();
    let writes = AtomicU64::new(0);
    let (packs, _) = faulty(&files, move |op, _, _: &Path| {
        let number = if op == DiskOp::Write {
            writes.fetch_add(1, Ordering::SeqCst)
        } else {
            0
        };
        (number == 1).then_some(DiskFault::Fails(Errno::IO))
    });
    let mut body = packs.begin().expect("room");
    let full = EncodedFrame::data(Bytes::from(vec![1; super::super::FRAME_PLAIN_BYTES]));
    assert!(matches!(
        body.append(std::slice::from_ref(&full)),
        Err(StoreError::Io { op: "write", .. })
    ));
    assert!(matches!(body.append(&[full]), Err(StoreError::Closed)));
    assert!(matches!(body.finish(&origin()), Err(StoreError::Closed)));
}

#[test]
fn a_nearly_full_disk_refuses_packs_and_takes_them_again_when_there_is_room() {
    let files = MemFiles::new();
    let (packs, health) = packs_on(Arc::new(files.open()), 1);
    packs.open_shared().expect("room");
    let before = packs.append(&[draft(1)]).expect("room").segments.remove(0);
    files.set_capacity(DISK_RESERVE_BYTES);
    assert!(matches!(
        packs.append(&[draft(2)]),
        Err(StoreError::DiskFull { .. })
    ));
    assert!(matches!(packs.begin(), Err(StoreError::DiskFull { .. })));
    assert_eq!(first_byte(&packs, before).expect("reads go on"), 1);
    files.set_capacity(2 * DISK_RESERVE_BYTES);
    assert!(write_all_ways(&packs).is_ok());
    packs.remove(before.pack).expect("deletes go on");
    assert_eq!(health.read_only(), None);
}

#[test]
fn packs_of_others_are_refused_and_other_names_are_not_listed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (packs, _) = packs_on(Arc::new(RealDisk::new(dir.path().to_owned())), 1);
    let done = write_all_ways(&packs).expect("room");
    let path = |pack| dir.path().join(pack_path(pack));
    let (one, two) = (packs_id(1), packs_id(2));
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&path(one)), 0o600);
    assert_eq!(mode(path(one).parent().expect("a group")), 0o700);
    assert_eq!(
        path(one),
        dir.path().join("00000001/00000/00000001-00000001.pack")
    );

    for other in ["lost+found", "0000000G", "1"] {
        std::fs::create_dir(dir.path().join(other)).expect("made");
    }
    let group = path(one).parent().expect("a group").to_owned();
    for other in [
        "x.pack",
        "00000001-00000001.pack.new",
        "00000002-00000001.pack",
        "00000001-0000000A.pack",
    ] {
        std::fs::write(group.join(other), b"").expect("made");
    }
    let listed: Vec<PackId> = packs
        .list(None, 10)
        .expect("listed")
        .into_iter()
        .map(|entry| entry.pack)
        .collect();
    assert_eq!(listed, [one, two]);
    assert_eq!(
        PackFiles::newest_epoch(&RealDisk::new(dir.path().to_owned())).expect("listed"),
        Some(Epoch(1))
    );

    // Another process, so that no verified handle is left.
    let other = |store| {
        let (mut packs, _) = packs_on(Arc::new(RealDisk::new(dir.path().to_owned())), 2);
        Arc::get_mut(&mut packs.files)
            .expect("one owner")
            .context
            .store = store;
        packs
    };
    let refused = other(StoreId([4; 16])).read(one, &[]);
    assert!(
        matches!(refused, Err(StoreError::ForeignPack { pack, found: STORE, .. }) if pack == one)
    );
    std::fs::rename(path(two), path(one)).expect("swapped");
    assert!(
        matches!(other(STORE).read(one, &[]), Err(StoreError::DamagedFrame { pack, offset: 0, .. }) if pack == one)
    );
    assert!(
        matches!(other(STORE).read(two, &[]), Err(StoreError::PackMissing { pack }) if pack == two)
    );
    std::fs::File::options()
        .write(true)
        .open(path(one))
        .expect("there")
        .set_len(63)
        .expect("cut");
    assert!(matches!(
        other(STORE).read(one, &[]),
        Err(StoreError::PackShort { len: 63, .. })
    ));
    drop(done);
}

#[test]
fn a_pack_cut_while_it_is_open_is_reported_short() {
    let dir = tempfile::tempdir().expect("a folder");
    let (packs, _) = packs_on(Arc::new(RealDisk::new(dir.path().to_owned())), 1);
    let (byte, segment) = write_all_ways(&packs).expect("room").remove(0);
    assert_eq!(first_byte(&packs, segment).expect("whole"), byte);
    let path = dir.path().join(pack_path(segment.pack));
    std::fs::File::options()
        .write(true)
        .open(path)
        .expect("there")
        .set_len(70)
        .expect("cut");
    assert!(matches!(
        first_byte(&packs, segment),
        Err(StoreError::PackShort { len: 70, .. })
    ));
}

#[test]
fn a_root_that_was_removed_is_an_error_and_not_an_empty_store() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("packs");
    std::fs::create_dir(&root).expect("made");
    let (packs, _) = packs_on(Arc::new(RealDisk::new(root.clone())), 1);
    assert!(packs.list(None, 10).expect("empty").is_empty());
    std::fs::remove_dir(&root).expect("removed");
    assert!(
        matches!(packs.list(None, 10), Err(StoreError::Io { op: "list", path, .. }) if path.starts_with(&root))
    );
}

#[test]
fn groups_are_made_in_order_and_listed_in_order() {
    let files = MemFiles::new();
    let (packs, _) = packs_on(Arc::new(files.open()), 1);
    packs
        .files
        .serial
        .store((1 << GROUP_BITS) - 2, Ordering::Relaxed);
    let made: Vec<PackId> = (0..4).map(|_| packs.open_shared().expect("room")).collect();
    let listed = |after, limit| -> Vec<PackId> {
        packs
            .list(after, limit)
            .expect("listed")
            .into_iter()
            .map(|entry| entry.pack)
            .collect()
    };
    assert_eq!(listed(None, 10), made);
    assert_eq!(listed(None, 2), made[..2]);
    assert_eq!(listed(Some(made[0]), 10), made[1..]);
    assert_eq!(listed(Some(made[3]), 10), []);
    packs.files.serial.store(u32::MAX, Ordering::Relaxed);
    assert!(matches!(
        packs.open_shared(),
        Err(StoreError::PacksExhausted { epoch: Epoch(1) })
    ));
}

#[test]
fn empty_folders_of_earlier_epochs_leave_at_the_next_start() {
    let files = MemFiles::new();
    let made = |epoch| {
        let (packs, _) = packs_on(Arc::new(files.open()), epoch);
        packs.open_shared().expect("room")
    };
    let (gone, kept, own) = (made(1), made(2), made(3));
    let (packs, _) = packs_on(Arc::new(files.open()), 3);
    for pack in [gone, own] {
        packs.remove(pack).expect("removed");
    }
    let disk = files.open();
    PackFiles::remove_empty_dirs(&disk, Epoch(3));
    let left = numbered_dirs(&disk, Path::new(""), 8).expect("listed");
    let left: Vec<u32> = left.into_iter().map(|(epoch, _)| epoch).collect();
    assert_eq!(left, [2, 3], "a pack is in 2, and 3 still gets some");
    assert!(packs.entry(kept).expect("listed").is_some());
}
