//! Start-up with a million objects: after a clean stop, and after SIGKILL with a log to replay.

use strongroom_tests::clock::Stopwatch;

use super::Bench;
use super::fleet::Fleet;
use crate::figures::{Goal, Sheet};

const AFTER_TERM: Goal = Goal::Below(2.0);
const AFTER_KILL: Goal = Goal::Below(5.0);

/// Objects put before each SIGKILL, as a fraction of all, so that Meta's log has something to replay.
const BURST: u32 = 50;

pub(crate) fn run(bench: &Bench, fleet: &mut Fleet) -> Sheet {
    let mut sheet = Sheet::new("start");
    let objects = bench.scale.objects;
    fleet.fill_to(objects);
    let burst = (objects / BURST).max(1);
    sheet.note(format!(
        "From the start of the process until `/readyz` answers 200, looked at every 20 ms; the files lie in the page cache. \
         Each SIGKILL comes right after {burst} more PUTs."
    ));
    for _ in 0..bench.rounds {
        fleet.fill_to(fleet.objects + burst);
        fleet.server.kill();
        sheet.promise("ready after SIGKILL", "s", AFTER_KILL, boot(fleet));
        assert_eq!(fleet.server.stop(), Some(0), "the server ends cleanly");
        sheet.promise("ready after SIGTERM", "s", AFTER_TERM, boot(fleet));
    }
    let alive = f64::from(fleet.objects - fleet.deleted);
    sheet.add(
        "Meta, bytes per object",
        "bytes",
        fleet.meta_bytes() / alive,
    );
    sheet
}

fn boot(fleet: &mut Fleet) -> f64 {
    let mut command = fleet.server.command();
    command.env("STRONGROOM_LOG", "warn");
    let watch = Stopwatch::start();
    fleet.server.boot_as(command);
    watch.elapsed().as_secs_f64()
}
