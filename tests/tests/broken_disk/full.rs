//! A disk that is really full: first down to the server's own reserve, then down to the last byte.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use strongroom_tests::clock::until;
use strongroom_tests::garbage;
use strongroom_tests::loopfs::{Kind, LoopFs};
use strongroom_tests::metrics::{is_read_only, readiness};
use strongroom_tests::put_objects::{PutObjects, path};
use strongroom_tests::s3::S3;
use strongroom_tests::server::{BUCKET, Server};

use crate::store::{assert_refused, boot, on_disk, report};

/// The reserve of 232 MiB, and about as much for objects.
const DISK_BYTES: u64 = 500 << 20;

const OBJECT_BYTES: usize = 4 << 20;

/// The last room is filled with such objects.
const TOP_BYTES: usize = 64 << 10;

/// More objects than fit.
const OBJECTS_MAX: usize = 150;

/// Garbage collection runs every second; a busy machine needs longer.
const FREED_WITHIN: Duration = Duration::from_mins(1);

/// Puts until the server refuses.
fn fill(server: &Server, objects: &mut PutObjects) -> u16 {
    for n in 0..OBJECTS_MAX {
        let status = objects.put(server, &format!("fill/{n:03}"), OBJECT_BYTES);
        if status != 200 {
            return status;
        }
    }
    panic!("{OBJECTS_MAX} objects fit on {DISK_BYTES} bytes");
}

/// Fills what collections free of the refused bodies, until readiness tells that the disk is full.
fn await_full(server: &Server, objects: &mut PutObjects, round: usize) {
    let mut n = 0;
    until("readiness to tell of a full disk", FREED_WITHIN, || {
        loop {
            let status = objects.put(server, &format!("top/{round}/{n:05}"), TOP_BYTES);
            n += 1;
            if status == 200 {
                continue;
            }
            return match readiness(server) {
                (503, reason) if reason.contains("full") => Ok(()),
                other => Err(other),
            };
        }
    });
}

/// Deletes every other object.
fn thin_out(server: &Server, objects: &mut PutObjects) {
    for key in objects.keys().iter().step_by(2) {
        assert_eq!(objects.delete(server, key), 204, "{key}");
    }
}

/// Waits until the server has looked at its disk again.
fn await_readiness(server: &Server, status: u16, word: &str) {
    until(
        "readiness to follow the disk",
        FREED_WITHIN,
        || match readiness(server) {
            (now, why) if now == status && why.contains(word) => Ok(()),
            other => Err(format!("{other:?}")),
        },
    );
}

/// Waits until puts are accepted again.
fn puts_again(server: &Server, objects: &mut PutObjects, key: &str) {
    until("puts to be taken again", FREED_WITHIN, || {
        match objects.put(server, key, OBJECT_BYTES) {
            200 => Ok(()),
            status => Err(status),
        }
    });
}

#[test]
fn below_the_reserve_puts_are_refused_and_all_else_goes_on() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let fs = LoopFs::create(dir.path(), Kind::Ext4, DISK_BYTES);
    let mut server = on_disk(dir.path(), fs.root());
    boot(&mut server);
    let mut objects = PutObjects::new(1);
    let mut checked = 0;
    for round in 0..2 {
        assert_refused(fill(&server, &mut objects), "a large object");
        let s3 = S3::of(&server);
        let refused = s3.put(&path("small"), b"small");
        assert_refused(refused.status, "a small object on a full disk");
        let code = refused.text();
        assert!(
            code.contains("<Code>ServiceUnavailable</Code>")
                || code.contains("<Code>SlowDown</Code>"),
            "{code}"
        );
        objects.assert_whole(&server, "reads of a full disk");
        assert_eq!(s3.keys(BUCKET, "").len(), objects.keys().len());
        await_full(&server, &mut objects, round);
        assert!(!is_read_only(&server), "a full disk is not a broken one");
        thin_out(&server, &mut objects);
        puts_again(&server, &mut objects, &format!("again/{round}"));
        await_readiness(&server, 200, "ok");
        objects.assert_whole(&server, "after the disk was full");
        checked += objects.len();
    }
    garbage::settle(&server);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(garbage::complaints(&server), [""; 0]);
    report("disk full down to the reserve", 2, checked);
}

/// Fills a disk completely, including the space reserved for root.
fn take_the_rest(disk: &Path) {
    let mut ballast = File::create(disk.join("ballast")).expect("created");
    for size in [1 << 20, 4096, 1] {
        let piece = vec![1; size];
        while ballast.write_all(&piece).is_ok() && ballast.sync_data().is_ok() {}
    }
}

/// Deletes 100 objects; each takes a few bytes of Meta's log: committed, or refused with the status that clients retry.
fn delete_some(server: &Server, objects: &mut PutObjects, first: usize) {
    let keys = (first..first + 100).map(|n| format!("small/{n:03}"));
    let answers: Vec<_> = keys.map(|key| objects.delete(server, &key)).collect();
    for status in answers.iter().filter(|status| **status != 204) {
        assert_refused(*status, "a delete with no byte free");
    }
    let done = answers.iter().filter(|status| **status == 204).count();
    println!("no byte free: {done} of 100 deletes committed");
    objects.assert_whole(server, "after deletes with no byte free");
}

fn give_back(fs: &LoopFs) {
    fs::remove_file(fs.root().join("ballast")).expect("removed");
}

/// If a commit met the end of the disk, readiness and the metric report it, and a restart is needed.
fn restart_if_latched(server: &mut Server, objects: &mut PutObjects) {
    // It may still tell of the full disk, which is not for ever.
    until(
        "the server to see the free disk",
        FREED_WITHIN,
        || match readiness(server) {
            (_, why) if why.contains("the disk takes no writes") => Err(why),
            _ => Ok(()),
        },
    );
    let (status, reason) = readiness(server);
    let latched = is_read_only(server);
    println!("no byte free: latched read-only: {latched}, /readyz {status} {reason}");
    assert_eq!(latched, status != 200, "{reason}");
    if latched {
        assert!(reason.contains("read-only"), "{reason}");
        let refused = objects.put(server, "still/refused", 1_000);
        assert_refused(refused, "a put to a read-only store");
        server.kill();
        boot(server);
    }
}

#[test]
fn a_disk_filled_by_others_to_the_last_byte_loses_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let fs = LoopFs::create(dir.path(), Kind::Ext4, DISK_BYTES);
    let mut server = on_disk(dir.path(), fs.root());
    boot(&mut server);
    let mut objects = PutObjects::new(2);
    for n in 0..200 {
        objects.must_put(&server, &format!("small/{n:03}"), 2_000);
    }
    for n in 0..10 {
        objects.must_put(&server, &format!("large/{n}"), OBJECT_BYTES);
    }
    take_the_rest(fs.root());
    let refused = objects.put(&server, "refused", 1_000);
    assert_refused(refused, "a put with no byte free");
    objects.assert_whole(&server, "reads with no byte free");
    delete_some(&server, &mut objects, 0);
    // A start creates a new log, for which there is no room.
    server.kill();
    let mut command = server.command();
    garbage::eager(&mut command);
    match server.try_boot_as(command) {
        Ok(()) => {
            objects.assert_whole(&server, "after a start with no byte free");
            delete_some(&server, &mut objects, 100);
            objects.assert_whole(&server, "after deletes behind a start with no byte free");
            give_back(&fs);
            restart_if_latched(&mut server, &mut objects);
        }
        Err(ended) => {
            println!("no byte free: a start is refused with {ended}");
            assert_eq!(ended.code(), Some(8), "{}", server.log());
            give_back(&fs);
            boot(&mut server);
        }
    }
    puts_again(&server, &mut objects, "again");
    objects.assert_whole(&server, "after the space came back");
    objects.assert_absent_or_whole(&server, "refused", 1_000);
    garbage::settle(&server);
    assert_eq!(server.stop(), Some(0));
    assert_eq!(garbage::complaints(&server), [""; 0]);
    report("disk full to the last byte", 1, objects.len());
}

const MANY: usize = 10_000;

const CLIENTS: usize = 8;

/// Sends one request for each of the small objects, from several clients; returns the statuses other than `expected`.
fn for_each_of_many(server: &Server, method: &str, body: &[u8], expected: u16) -> Vec<u16> {
    let s3 = S3::of(server);
    let client = |first: usize| {
        let numbers = (first..MANY).step_by(CLIENTS);
        let answers = numbers.map(|n| {
            let request = s3.signed(method, &path(&format!("many/{n:05}")), &[], body);
            s3.try_send(&request).map_or(0, |answer| answer.status)
        });
        answers
            .filter(|status| *status != expected)
            .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|first| scope.spawn(move || client(first)))
            .collect();
        let others = clients.into_iter().map(std::thread::ScopedJoinHandle::join);
        others
            .flat_map(|others| others.expect("no panic"))
            .collect()
    })
}

/// Deletes and the collections after them write rows, flush and compact them: the reserve has room for all of it.
#[test]
fn ten_thousand_deletes_and_their_collection_get_through_at_the_reserve() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let fs = LoopFs::create(dir.path(), Kind::Ext4, DISK_BYTES);
    let mut server = on_disk(dir.path(), fs.root());
    boot(&mut server);
    assert_eq!(
        for_each_of_many(&server, "PUT", b"a small object", 200),
        [0; 0]
    );
    let mut objects = PutObjects::new(3);
    assert_refused(fill(&server, &mut objects), "a large object");
    assert_eq!(for_each_of_many(&server, "DELETE", b"", 204), [0; 0]);
    garbage::settle(&server);
    assert!(!is_read_only(&server));
    assert_eq!(S3::of(&server).keys(BUCKET, "many/").len(), 0);
    objects.assert_whole(&server, "after the deletes");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(garbage::complaints(&server), [""; 0]);
    report("10,000 deletes at the reserve", 1, objects.len());
}
