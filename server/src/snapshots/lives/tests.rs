//! Histories of clusters as tables, and what is made of them. A member is a letter; its capital is another id at the same
//! address, as after a restore with another token. Times are minutes.

mod laws;

use super::*;

const START: u64 = 1_795_824_000_000;
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// A row of a history.
#[derive(Debug, Clone)]
struct Row {
    captured: u64,
    arrived: u64,
    revision: i64,
    bytes: u64,
    members: Vec<u64>,
    peers: Vec<u64>,
}

fn full(captured: u64, members: &str, revision: i64) -> Row {
    let peers = members.to_lowercase();
    Row {
        captured,
        arrived: captured,
        revision,
        // Their own, unless said otherwise.
        bytes: captured << 32 | revision.unsigned_abs(),
        members: members.bytes().map(u64::from).collect(),
        peers: peers.bytes().map(u64::from).collect(),
    }
}

impl Row {
    fn arrived(mut self, arrived: u64) -> Row {
        self.arrived = arrived;
        self
    }

    /// A copy of that row's bytes.
    fn copy_of(mut self, other: &Row) -> Row {
        self.bytes = other.bytes;
        self
    }

    fn as_full(&self) -> Full<'_> {
        let mut sha256 = [0; 32];
        sha256[..8].copy_from_slice(&self.bytes.to_be_bytes());
        Full {
            captured: minute(self.captured),
            revision: self.revision,
            arrived: minute(self.arrived),
            sha256,
            members: &self.members,
            peers: &self.peers,
        }
    }
}

fn minute(minutes: u64) -> UnixMillis {
    UnixMillis(START + minutes * 60_000)
}

fn delta(captured: u64, start: i64, last: i64) -> Delta {
    Delta {
        captured: minute(captured),
        last,
        start,
        arrived: minute(captured),
    }
}

fn of(rows: &[Row], deltas: &[Delta]) -> Lives {
    let fulls: Vec<_> = rows.iter().map(Row::as_full).collect();
    lives(&fulls, deltas)
}

/// Hourly fulls of these members from an hour on, with 100 revisions an hour.
fn hourly(from: u64, count: u64, members: &str, revision: i64) -> Vec<Row> {
    (0..count)
        .zip(0i64..)
        .map(|(hour, step)| full((from + hour) * HOUR, members, revision + 100 * step))
        .collect()
}

/// `1` is the first life, `2'` a copy of an older state of the second, `f` foreign; then how the lives began, which one is
/// current, and the latest row.
fn shown(rows: &[Row]) -> String {
    let found = of(rows, &[]);
    let belongs = found.fulls.iter().map(|belongs| match belongs {
        Belongs::Life(life) => (life + 1).to_string(),
        Belongs::Copy(life) => format!("{}'", life + 1),
        Belongs::Foreign => "f".to_owned(),
    });
    let began = found.lives.iter().map(|life| format!("{:?}", life.began));
    let current = found.current.map_or(0, |life| life + 1);
    let latest = found
        .latest
        .map_or("none".to_owned(), |row| row.to_string());
    format!(
        "{}; {}; {current}; {latest}",
        belongs.collect::<Vec<_>>().join(" "),
        began.collect::<Vec<_>>().join(" ")
    )
}

#[test]
fn one_cluster_has_one_life() {
    assert_eq!(shown(&[]), "; ; 0; none");
    // Members replaced one by one: the last ones share no id with the first.
    let rows = [
        full(0, "abc", 1000),
        full(60, "abd", 1100),
        full(120, "ade", 1200),
        full(180, "def", 1300),
        full(240, "fgh", 1400),
    ];
    assert_eq!(shown(&rows), "1 1 1 1 1; First; 1; 4");
    // Grown from one master.
    let rows = [full(0, "a", 5), full(60, "ab", 100), full(120, "abc", 200)];
    assert_eq!(shown(&rows), "1 1 1; First; 1; 2");
}

#[test]
fn three_masters_are_one_cluster() {
    // They save at one minute, their revisions differ, and so do their clocks by up to minutes. The highest is the latest.
    let rows = [
        full(0, "abc", 1000),
        full(1, "abc", 999),
        full(8, "abc", 1001),
        full(60, "abc", 1100),
        full(61, "abc", 1102),
        full(69, "abc", 1101),
    ];
    assert_eq!(shown(&rows), "1 1 1 1 1 1; First; 1; 4");
    // One clock is two hours behind: its names look old, its revisions are too high for them.
    let rows = [
        full(120, "abc", 1000),
        full(0, "abc", 1002).arrived(121),
        full(180, "abc", 1100),
        full(60, "abc", 1102).arrived(181),
        full(240, "abc", 1200),
        full(120, "abc", 1202).arrived(241),
    ];
    assert_eq!(shown(&rows), "1 1 1 1 1 1; First; 1; 4");
}

#[test]
fn a_falling_revision_is_a_restore() {
    // With the default token, the members keep their ids.
    let rows = [
        full(0, "abc", 1000),
        full(60, "abc", 1100),
        full(120, "a", 1020),
        full(180, "abc", 1090),
        full(240, "abc", 1190),
    ];
    assert_eq!(shown(&rows), "1 1 2 2 2; First Restored; 2; 4");
    // Right after the last snapshot: nothing can be told for ten minutes, then all that follow it are of the new life.
    let rows = [
        full(0, "abc", 1000),
        full(5, "abc", 1050),
        full(9, "abc", 1003),
        full(15, "abc", 1008),
        full(16, "abc", 1010),
    ];
    assert_eq!(shown(&rows[..4]), "1 1 1 1; First; 1; 1");
    assert_eq!(shown(&rows), "1 1 2 2 2; First Restored; 2; 4");
    // Twice.
    let mut rows = hourly(0, 3, "a", 1000);
    rows.extend(hourly(3, 3, "a", 1000));
    rows.extend(hourly(6, 3, "a", 500));
    assert_eq!(
        shown(&rows),
        "1 1 1 2 2 2 3 3 3; First Restored Restored; 3; 8"
    );
}

#[test]
fn other_members_at_an_old_address_are_a_rebuilt_cluster() {
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR, "A", 1310));
    assert_eq!(shown(&rows), "1 1 1 1 1 2; First Rebuilt; 2; 5");
    // The old masters 2 and 3 still run, and save: the new life stays the current one.
    rows.push(full(5 * HOUR + 1, "abc", 1501));
    rows.push(full(6 * HOUR, "ABC", 1400));
    rows.push(full(6 * HOUR + 1, "abc", 1601));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 1 2 1; First Rebuilt; 2; 7");
}

#[test]
fn a_rebuilt_cluster_that_falls_silent_gives_way_to_the_one_that_writes() {
    // Somebody started a copy at the same addresses once, and the old cluster writes on.
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR - 30, "A", 1310));
    rows.extend(hourly(5, 3, "abc", 1500));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 1 1 1; First Rebuilt; 2; 5");
    rows.push(full(8 * HOUR, "abc", 1800));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 1 1 1 1; First Rebuilt; 1; 9");
}

#[test]
fn old_copies_are_never_the_latest() {
    let mut rows = hourly(0, 5, "abc", 1000);
    // Uploaded late, with the old time in its name: before a retry of a failed upload, and after a month.
    rows.push(full(90, "abc", 1150).arrived(5 * HOUR));
    rows.push(full(150, "abc", 1250).arrived(30 * DAY));
    assert_eq!(shown(&rows), "1 1 1 1 1 1 1; First; 1; 4");
    // Uploaded again under a name without a time.
    rows.push(full(6 * HOUR, "abc", 1000).copy_of(&rows[0].clone()));
    assert_eq!(shown(&rows), "1 1 1 1 1 1 1 1'; First; 1; 4");
    // And the newest of a life that has ended.
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR, "abc", 700));
    rows.push(full(6 * HOUR, "abc", 1400).copy_of(&rows[4].clone()));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 1'; First Restored; 2; 5");
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR, "ABC", 700));
    rows.push(full(6 * HOUR, "abc", 1400).copy_of(&rows[4].clone()));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 1; First Rebuilt; 2; 5");
}

#[test]
fn an_idle_etcd_is_alive() {
    // It writes the same bytes each time, and a neighbour writes in between.
    let mut rows = hourly(0, 8, "abc", 1000);
    let first = rows[0].clone();
    for row in &mut rows {
        row.revision = 1000;
        row.bytes = first.bytes;
    }
    rows.extend(hourly(0, 8, "xyz", 90_000));
    assert_eq!(shown(&rows), "1 1 1 1 1 1 1 1 f f f f f f f f; First; 1; 7");
}

#[test]
fn snapshots_of_other_clusters_are_foreign() {
    // Once, whatever its revision.
    for revision in [7, 1350, 90_000] {
        let mut rows = hourly(0, 5, "abc", 1000);
        rows.push(full(3 * HOUR + 30, "xyz", revision));
        assert_eq!(shown(&rows), "1 1 1 1 1 f; First; 1; 4", "{revision}");
    }
    // At the end of what is known, where its revision could not be the next.
    for revision in [7, 1390, 2000, 90_000] {
        let mut rows = hourly(0, 5, "abc", 1000);
        rows.push(full(5 * HOUR, "xyz", revision));
        assert_eq!(shown(&rows), "1 1 1 1 1 f; First; 1; 4", "{revision}");
    }
    // A sister of the same age that writes to the same place by mistake.
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.extend(hourly(0, 5, "xyz", 1005));
    assert_eq!(shown(&rows), "1 1 1 1 1 f f f f f; First; 1; 4");
    // One that writes four times as often has many in a row, but the cluster is not silent.
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.extend(
        (0..20)
            .zip(0i64..)
            .map(|(quarter, step)| full(15 * quarter, "xyz", 5000 + step)),
    );
    let foreign = " f".repeat(20);
    assert_eq!(shown(&rows), format!("1 1 1 1 1{foreign}; First; 1; 4"));
}

#[test]
fn a_cluster_that_moves_to_new_machines_lives_on() {
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR, "xyz", 1510));
    assert_eq!(shown(&rows), "1 1 1 1 1 1; First; 1; 5");
    rows.extend(hourly(6, 4, "xyz", 1610));
    assert_eq!(shown(&rows), "1 1 1 1 1 1 1 1 1 1; First; 1; 9");
    // If the old members write again, they never left.
    rows.truncate(6);
    rows.push(full(6 * HOUR, "abc", 1500));
    assert_eq!(shown(&rows), "1 1 1 1 1 f 1; First; 1; 6");
    // After a long silence any revision would be at its pace.
    rows.truncate(5);
    rows.push(full(9 * HOUR, "xyz", 1510));
    assert_eq!(shown(&rows), "1 1 1 1 1 f; First; 1; 4");
}

#[test]
fn another_cluster_takes_the_place_over_by_a_run() {
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.extend(hourly(5, 3, "xyz", 90_000));
    assert_eq!(shown(&rows), "1 1 1 1 1 f f f; First; 1; 4");
    rows.push(full(8 * HOUR, "xyz", 90_300));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 2 2 2; First Replaced; 2; 8");
    // An old master that starts once more does not bring its life back.
    rows.push(full(9 * HOUR, "abc", 1401));
    assert_eq!(shown(&rows), "1 1 1 1 1 2 2 2 2 1; First Replaced; 2; 8");
    // Only recent gaps count: a pause of a day in the beginning asks for no silence of two days.
    let mut rows = hourly(0, 1, "abc", 900);
    rows.extend(hourly(24, 17, "abc", 1000));
    rows.extend(hourly(41, 4, "xyz", 90_000));
    assert!(
        shown(&rows).ends_with("2 2 2 2; First Replaced; 2; 21"),
        "{}",
        shown(&rows)
    );
    rows.remove(2);
    assert!(
        shown(&rows).ends_with("f f f f; First; 1; 16"),
        "{}",
        shown(&rows)
    );
    // A foreign snapshot that came before all others.
    let mut rows = vec![full(0, "xyz", 90_000)];
    rows.extend(hourly(1, 4, "abc", 1000));
    assert_eq!(shown(&rows[..4]), "1 f f f; First; 1; 0");
    assert_eq!(shown(&rows), "1 2 2 2 2; First Replaced; 2; 4");
}

#[test]
fn files_without_members_are_judged_by_their_revision() {
    let mut rows = hourly(0, 5, "abc", 1000);
    rows.push(full(5 * HOUR, "", 1450));
    assert_eq!(shown(&rows), "1 1 1 1 1 1; First; 1; 5");
    // A fall in one ends no life that has members.
    rows.push(full(6 * HOUR, "", 1000));
    assert_eq!(shown(&rows), "1 1 1 1 1 1 f; First; 1; 5");
    // Among themselves.
    let rows = [
        full(0, "", 1000),
        full(60, "", 900),
        full(120, "abc", 950),
        full(180, "abc", 990),
    ];
    assert_eq!(shown(&rows), "1 2 2 2; First Restored; 2; 3");
    // The id of an etcd without flags is nobody's.
    let mut rows = hourly(0, 3, "abc", 1000);
    rows[2].members = vec![DEFAULT_MEMBER];
    rows.push(full(180, "xyz", 10));
    rows[3].members.push(DEFAULT_MEMBER);
    assert_eq!(shown(&rows), "1 1 1 f; First; 1; 2");
}

#[test]
fn imported_histories_go_by_capture() {
    // All of it arrives a year later, the newest first.
    let mut rows = hourly(0, 3, "abc", 1000);
    rows.extend(hourly(3, 3, "abc", 1050));
    rows.reverse();
    for (row, step) in rows.iter_mut().zip(0..) {
        row.arrived = 365 * DAY + 20 * step;
    }
    rows.reverse();
    assert_eq!(shown(&rows), "1 1 1 2 2 2; First Restored; 2; 5");
    // The old line is imported after the restored cluster has begun to write here.
    let mut rows = hourly(0, 3, "abc", 1000);
    for row in &mut rows {
        row.arrived = 40 * DAY;
    }
    rows.push(full(30 * DAY, "abc", 500));
    assert_eq!(shown(&rows), "1 1 1 2; First Restored; 2; 3");
}

#[test]
fn deltas_belong_to_the_life_that_wrote_them() {
    let rows = [
        full(0, "abc", 100),
        full(30, "xyz", 900),
        full(60, "abc", 130),
        full(120, "a", 115),
    ];
    let deltas = [
        delta(5, 101, 110),
        delta(10, 111, 120),
        // The foreign cluster's, by the revision that they continue.
        delta(35, 901, 910),
        delta(40, 905, 920),
        delta(55, 121, 130),
        // A hole is still this cluster's.
        delta(58, 135, 140),
        delta(125, 116, 119),
    ];
    let found = of(&rows, &deltas);
    let expected = [Some(0), Some(0), None, None, Some(0), Some(0), Some(1)];
    assert_eq!(found.deltas, expected);
    assert_eq!(found.lives.len(), 2);
    // Before the first full, and without any.
    let early = [delta(0, 50, 99), delta(61, 131, 140)];
    assert_eq!(of(&rows[2..3], &early).deltas, [Some(0), Some(0)]);
    assert_eq!(of(&[], &early).deltas, [None, None]);
}

#[test]
fn deltas_show_a_fall_that_fulls_do_not() {
    // Restored to the only full: its own revision is not below it, but below what the deltas had reached.
    let rows = [full(0, "abc", 100), full(60, "abc", 105)];
    let deltas = [delta(20, 101, 140), delta(70, 106, 112)];
    let found = of(&rows, &deltas);
    assert_eq!(found.fulls, [Belongs::Life(0), Belongs::Life(1)]);
    assert_eq!(found.deltas, [Some(0), Some(1)]);
    // A delta behind a hole is no witness: it may be another cluster's.
    let found = of(&rows, &[delta(20, 102, 140)]);
    assert_eq!(found.lives.len(), 1);
    // Deltas in the minutes in which nothing can be told go with the restored cluster.
    let rows = [
        full(0, "a", 100),
        full(5, "a", 150),
        full(9, "a", 103),
        full(30, "a", 110),
    ];
    let found = of(&rows, &[delta(8, 151, 152), delta(12, 104, 106)]);
    assert_eq!(found.fulls, [0, 0, 1, 1].map(Belongs::Life));
    assert_eq!(found.deltas, [Some(0), Some(1)]);
}

#[test]
fn a_life_has_its_times_and_revisions() {
    let mut rows = hourly(0, 3, "abc", 1000);
    rows.extend(hourly(3, 2, "abc", 700));
    rows.push(full(5 * HOUR, "abc", 1000).copy_of(&rows[0].clone()));
    let first = Life {
        began: Began::First,
        since: minute(0),
        until: minute(120),
        first_revision: 1000,
        last_revision: 1200,
        fulls: 3,
    };
    let second = Life {
        began: Began::Restored,
        since: minute(180),
        until: minute(240),
        first_revision: 700,
        last_revision: 800,
        fulls: 2,
    };
    assert_eq!(of(&rows, &[]).lives, [first, second]);
}

#[test]
fn peers_are_addresses_that_tell_machines_apart() {
    let one = peer("https://10.0.0.1:2380");
    assert!(one.is_some());
    assert_eq!(peer("http://10.0.0.1:2380/"), one);
    assert_eq!(peer(" HTTPS://10.0.0.1:2380"), one);
    assert_ne!(peer("https://10.0.0.10:2380"), one);
    assert_ne!(peer("https://10.0.0.1:2381"), one);
    assert!(peer("https://[fd00::1]:2380").is_some());
    let local = [
        "http://localhost:2380",
        "http://127.0.0.1:2380",
        "https://[::1]:2380",
        "http://0.0.0.0:2380",
        "",
        "http://",
    ];
    assert_eq!(local.map(peer), [None; 6]);
}

#[test]
fn many_snapshots_take_little_time() {
    // Two clusters in turns, with restores: the worst place for all look-aheads.
    let rows: Vec<_> = (0u64..40_000)
        .zip(0i64..)
        .map(|(at, step)| full(at, if at % 2 == 0 { "abc" } else { "xyz" }, step % 9000))
        .collect();
    let found = of(&rows, &[]);
    assert!(found.lives.len() > 1 && found.latest.is_some());
}
