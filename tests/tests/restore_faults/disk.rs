//! EIO and ENOSPC at each file-changing call: once, and for all later calls.

use std::path::Path;

use strongroom_tests::inject::{Effect, FILE_CHANGING, Fault, FaultedRun, Times};

use crate::cases::{Before, Finish, MARKER, StagingDirs, Target, report, sample};

/// The exit codes in `--help` for an unwritable target: failure, or a precondition that is not met.
const TARGET_CODES: [i32; 2] = [1, 8];

const ERRORS: [&str; 2] = ["EIO", "ENOSPC"];

/// Fails every call of every kind once, until a run of that kind meets no fault.
fn fail_everywhere(name: &str, before: Before) {
    let (mut faults, mut refused) = (0, 0);
    for errno in ERRORS {
        for call in FILE_CHANGING {
            for nth in 1.. {
                let target = Target::new(before);
                let what = format!("{name}, {errno} at {call} {nth}");
                let fault = Fault::at(call, nth, Effect::Error(errno));
                let struck = sample().strike(&sample().raw, &target, &fault);
                if !struck.was_hit() {
                    struck.finished.ok();
                    assert!(target.complete(&what), "{what}: exit code 0 and no member");
                    break;
                }
                faults += 1;
                refused += u64::from(judge(&what, &target, &fault, &struck));
            }
        }
    }
    println!("restore on a failing disk, {name}: {faults} faults, {refused} of them refused");
    assert!(
        refused > 40,
        "the loop met only {refused} calls on the target"
    );
    report(&format!("restore tool, EIO and ENOSPC, {name}"), faults);
}

/// Whether the run was refused, as it must be when the target was hit.
fn judge(what: &str, target: &Target, fault: &Fault, struck: &FaultedRun) -> bool {
    let said = &struck.finished.stderr;
    let shown = format!(
        "{what}: {:?}\n{:?}\n{said}",
        struck.finished.code, struck.hits
    );
    target.assert_old_intact(&shown);
    if struck.abandoned {
        target.finish(what, sample().command(&sample().raw, &target.data_dir));
        return false;
    }
    if struck.finished.code == Some(0) {
        // Allowed: faults in the tool's own output; in the preallocation, which is best effort unless the disk is full;
        // in the mark and the emptied staging directory, which do no harm if they stay and are removed by the next run.
        let on_target = struck.touched(&target.data_dir);
        let preallocation = fault.calls == ["fallocate"] && fault.effect == Effect::Error("EIO");
        let best_effort = preallocation || only_tidying(struck);
        assert!(!on_target || best_effort, "passed over: {shown}");
        if preallocation {
            sample().boots(&target.data_dir);
        } else {
            assert!(target.complete(&shown), "{shown}");
        }
        return false;
    }
    target.assert_nothing_else(&shown, StagingDirs::Gone);
    if struck.touched(&target.data_dir) {
        let code = struck.finished.code.unwrap_or(-1);
        assert!(TARGET_CODES.contains(&code), "{shown}");
        assert!(names_a_struck_file(struck, &target.data_dir), "{shown}");
        // Unless the fault hit this very message.
        let muted = struck.hits.iter().any(|hit| hit.contains("(2<"));
        assert!(muted || said.contains("next: "), "{shown}");
    }
    let command = sample().command(&sample().raw, &target.data_dir);
    assert_eq!(target.finish(what, command), Finish::Restored);
    true
}

/// Whether the fault hit only the mark or the cleanup.
fn only_tidying(struck: &FaultedRun) -> bool {
    let of_ours = |hit: &String| hit.contains(MARKER) || hit.contains("member.restore-");
    let harmless = ["O_RDONLY", "unlink", "rmdir"];
    struck
        .hits
        .iter()
        .all(|hit| of_ours(hit) && harmless.iter().any(|call| hit.contains(call)))
}

/// Whether the message names a file that was hit, or its folder.
fn names_a_struck_file(struck: &FaultedRun, data_dir: &Path) -> bool {
    let data_dir = data_dir.display().to_string();
    let said = &struck.finished.stderr;
    struck.hits.iter().any(|hit| {
        if !hit.contains(&data_dir) {
            // A parent folder of the data directory, which was missing.
            return data_dir
                .match_indices('/')
                .any(|(end, _)| hit.contains(&data_dir[..end]) && said.contains(&data_dir[..end]));
        }
        hit.match_indices(&data_dir).any(|(at, _)| {
            let path = hit[at..].split(['"', '>', ' ']).next().unwrap_or_default();
            let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
            said.contains(path) || said.contains(&folder.display().to_string())
        })
    })
}

#[test]
fn each_error_on_a_fresh_target_is_told_and_undone() {
    fail_everywhere("fresh target", Before::Nothing);
}

#[test]
fn each_error_beside_old_data_is_told_and_undone() {
    fail_everywhere("beside old data", Before::OldData);
}

/// From the n-th call of each kind on, everything fails, including the cleanup: a staging directory may stay, and the
/// next run removes it.
#[test]
fn a_disk_that_breaks_for_good_keeps_the_old_data() {
    let mut faults = 0;
    for errno in ERRORS {
        for nth in 1.. {
            let target = Target::new(Before::OldData);
            let what = format!("{errno} from call {nth} on");
            let fault = Fault {
                calls: FILE_CHANGING.to_vec(),
                nth,
                times: Times::FromThenOn,
                effect: Effect::Error(errno),
            };
            let struck = sample().strike(&sample().raw, &target, &fault);
            target.assert_old_intact(&what);
            if struck.abandoned {
                target.finish(&what, sample().command(&sample().raw, &target.data_dir));
                continue;
            }
            if struck.finished.code == Some(0) {
                let on_target = struck.touched(&target.data_dir);
                assert!(
                    !on_target && target.complete(&what),
                    "{what}: {:?}",
                    struck.hits
                );
            } else {
                target.assert_nothing_else(&what, StagingDirs::MayStay);
                let command = sample().command(&sample().raw, &target.data_dir);
                assert_eq!(target.finish(&what, command), Finish::Restored, "{what}");
            }
            if !struck.was_hit() {
                break;
            }
            faults += 1;
        }
    }
    assert!(faults > 10, "the loop met only {faults} calls");
    report("restore tool, disk broken for good", faults);
}
