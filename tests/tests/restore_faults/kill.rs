//! SIGKILL at each file-changing call.

use std::path::Path;

use strongroom_tests::inject::{Effect, FILE_CHANGING, Fault};
use strongroom_tests::soak;
use strongroom_tests::tree::Tree;

use crate::cases::{Before, Finish, Target, report, sample};

/// After this many kills the restored member is booted by a real etcd; all others are compared with it byte for byte.
const BOOT_EVERY: u64 = 40;

/// The first calls of each kind are all killed; later ones only at intervals, unless `STRONGROOM_RESTORE_ALL` is set:
/// unpacking alone makes hundreds of identical writes. The last calls are all killed again.
const DENSE: u32 = 20;
const STEP: u32 = 10;

/// The numbers of the calls of one kind at which to kill.
struct Numbers {
    next: u32,
    last_hit: u32,
    step: u32,
}

impl Numbers {
    fn new() -> Self {
        let all = soak::is_set("STRONGROOM_RESTORE_ALL");
        Self {
            next: 1,
            last_hit: 0,
            step: if all { 1 } else { STEP },
        }
    }

    /// Moves on; false when every call was killed or skipped.
    fn advance(&mut self, was_hit: bool) -> bool {
        if was_hit {
            self.last_hit = self.next;
            self.next += if self.next < DENSE { 1 } else { self.step };
            return true;
        }
        if self.next == self.last_hit + 1 {
            return false;
        }
        // Skipped beyond the end: now the calls before it, one by one.
        self.step = 1;
        self.next = self.last_hit + 1;
        true
    }
}

/// Kills at every call of every kind, until a run of that kind succeeds.
fn kill_everywhere(name: &str, before: Before, snapshot: &Path) {
    let (mut kills, mut complete) = (0, 0);
    for call in FILE_CHANGING {
        let mut numbers = Numbers::new();
        loop {
            let nth = numbers.next;
            let target = Target::new(before);
            let what = format!("{name}, {call} {nth}");
            let fault = Fault::at(call, nth, Effect::Kill);
            let struck = sample().strike(snapshot, &target, &fault);
            let goes_on = numbers.advance(struck.was_hit());
            if !struck.was_hit() {
                struck.finished.ok();
                assert!(target.complete(&what), "{what}: exit code 0 and no member");
                if goes_on {
                    continue;
                }
                break;
            }
            kills += 1;
            target.assert_old_intact(&what);
            let command = sample().command(snapshot, &target.data_dir);
            complete += u64::from(target.finish(&what, command) == Finish::WasComplete);
            if kills % BOOT_EVERY == 0 {
                sample().boots(&target.data_dir);
            }
        }
    }
    println!(
        "restore killed, {name}: {kills} kills, {complete} of them after the rename; the next run succeeded after each"
    );
    assert!(kills > 30, "the loop met only {kills} calls");
    assert!(complete > 0, "none was killed after the rename");
    report(&format!("restore tool killed, {name}"), kills);
}

#[test]
fn killed_at_every_call_on_a_fresh_target() {
    kill_everywhere("fresh target", Before::Nothing, &sample().raw);
}

#[test]
fn killed_at_every_call_beside_old_data() {
    kill_everywhere("beside old data", Before::OldData, &sample().raw);
}

#[test]
fn killed_at_every_call_while_unpacking() {
    kill_everywhere("from gzip", Before::OldData, &sample().gzip);
}

/// A `member` with data is refused; a kill or a broken disk before the refusal does not change it.
#[test]
fn a_member_that_is_there_survives_every_fault() {
    let target = Target::new(Before::OldData);
    sample()
        .run(&mut sample().command(&sample().raw, &target.data_dir))
        .ok();
    let before = Tree::of(&target.data_dir);
    let mut faults = 0;
    for effect in [Effect::Kill, Effect::Error("EIO"), Effect::Error("ENOSPC")] {
        for call in FILE_CHANGING {
            for nth in 1.. {
                let fault = Fault::at(call, nth, effect);
                let struck = sample().strike(&sample().raw, &target, &fault);
                let what = format!("{fault:?}: {}", struck.finished.stderr);
                assert_ne!(struck.finished.code, Some(0), "{what}");
                let differs = before.difference(&Tree::of(&target.data_dir));
                assert!(differs.is_empty(), "{what}: {differs:?}");
                if !struck.was_hit() {
                    break;
                }
                faults += 1;
            }
        }
    }
    sample()
        .run(&mut sample().command(&sample().raw, &target.data_dir))
        .code(8)
        .says("member exists already");
    report("restore tool struck before an existing member", faults);
}
