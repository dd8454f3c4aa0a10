//! Checks the files under deploy/ with the programs that read them.

use std::path::Path;
use std::process::Command;

use strongroom_tests::process::run;
use strongroom_tests::programs;

/// systemd's own exposure score, 0 to 100; a unit without any hardening has 96.
const EXPOSURE_MAX: &str = "20";

#[test]
fn the_systemd_unit_is_valid_and_hardened() {
    let unit =
        std::fs::read_to_string(programs::workspace().join("deploy/strongroom-server.service"))
            .expect("readable");
    // The program is not installed here: its options are tested by running them, its path is replaced.
    let server = programs::server();
    let placed = unit.replace(
        "/usr/bin/strongroom-server",
        &server.get_program().to_string_lossy(),
    );
    assert_ne!(placed, unit, "the unit runs /usr/bin/strongroom-server");
    let analyze = Path::new("/usr/bin/systemd-analyze");
    assert!(
        analyze.exists(),
        "systemd-analyze is missing; install it: tests/setup/packages.sh systemd"
    );
    let dir = tempfile::tempdir().expect("temporary folder");
    let file = dir.path().join("strongroom-server.service");
    std::fs::write(&file, placed).expect("written");
    let verified = run(Command::new(analyze)
        .args(["verify", "--man=no"])
        .arg(&file))
    .ok();
    assert!(
        !verified.stderr.contains("strongroom-server.service:"),
        "{}",
        verified.stderr
    );
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    run(Command::new(analyze)
        .args(["security", "--offline=true", &threshold])
        .arg(&file))
    .ok();
}
