//! The clusters that the cases share: founded once, saved twice, stopped. Each case works on copies of the old data.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use parking_lot::{Mutex, MutexGuard};
use strongroom_tests::etcd::Version;
use tempfile::TempDir;

use crate::{
    clock::eventually,
    etcd::{Etcd, MemberConfig},
    tool::{Run, run, text},
};

/// How the cluster came to have three members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Founded with one, grown by `member add`.
    Grown,
    /// Founded with all three.
    Fixed,
}

/// A stopped cluster.
pub(super) struct Founded {
    kind: Kind,
    seats: [MemberConfig; 3],
    /// The members' data as they were when it stopped, after both snapshots.
    old: [PathBuf; 3],
    /// Snapshots: the first has `a`; the second, later one also `b`; the old data also `c`.
    pub(super) first: Saved,
    pub(super) second: Saved,
}

/// A snapshot, and its hash on the member that it was taken from.
pub(super) struct Saved {
    pub(super) file: PathBuf,
    pub(super) revision: i64,
    pub(super) hash_kv: u64,
}

/// One case: the cluster, and copies of its data folders. Its ports are fixed, so one case runs at a time.
pub(super) struct Scene {
    pub(super) cluster: &'static Founded,
    dir: TempDir,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Scene {
    /// Every member has its old data, and nothing runs.
    pub(super) fn of(kind: Kind) -> Self {
        static GROWN: OnceLock<Founded> = OnceLock::new();
        static FIXED: OnceLock<Founded> = OnceLock::new();
        let turn = TURN.lock();
        let cluster = match kind {
            Kind::Grown => GROWN.get_or_init(|| found(kind, "grown")),
            Kind::Fixed => FIXED.get_or_init(|| found(kind, "fixed")),
        };
        let dir = tempfile::tempdir().expect("temporary directory");
        for (number, old) in cluster.old.iter().enumerate() {
            // The log is preallocated: 64 MB, nearly all of them holes in the copy.
            let copied = Command::new("cp")
                .args(["-r", "--sparse=always", text(old)])
                .arg(dir.path().join(number.to_string()))
                .status()
                .expect("cp runs");
            assert!(copied.success(), "the old data are copied");
        }
        Self {
            cluster,
            dir,
            _turn: turn,
        }
    }

    pub(super) fn seat(&self, number: usize) -> &MemberConfig {
        &self.cluster.seats[number]
    }

    pub(super) fn data_dir(&self, number: usize) -> PathBuf {
        self.dir.path().join(number.to_string())
    }

    /// Moves a member's data away, as the tool demands it.
    pub(super) fn empty(&self, number: usize) {
        std::fs::remove_dir_all(self.data_dir(number)).expect("its data are there");
    }

    /// Starts a member with its manifest, unchanged since the cluster was founded.
    pub(super) fn start(&self, number: usize) -> Etcd {
        let flags = manifest(self.cluster.kind, &self.cluster.seats, number);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Etcd::start(self.seat(number), &self.data_dir(number), &flags)
    }

    /// Starts members and waits until they serve: at least two of three, or one that is alone.
    pub(super) fn serve<const N: usize>(&self, numbers: [usize; N]) -> [Etcd; N] {
        let mut members = numbers.map(|number| self.start(number));
        members.iter_mut().for_each(Etcd::wait_until_healthy);
        members
    }

    /// The command of the documentation for one member alone.
    pub(super) fn restore_alone(&self, number: usize, flags: &[&str]) -> Run {
        let initial = self.seat(number).initial();
        self.restore(number, &initial, &self.cluster.first, flags)
    }

    /// The command of the documentation for each of three members.
    pub(super) fn restore_of_three(&self, number: usize, saved: &Saved, flags: &[&str]) -> Run {
        let initial = self.cluster.initial();
        self.restore(number, &initial, saved, flags)
    }

    fn restore(&self, number: usize, initial: &str, saved: &Saved, flags: &[&str]) -> Run {
        let seat = self.seat(number);
        let name = format!("--name={}", seat.name);
        let initial = format!("--initial-cluster={initial}");
        let advertise = format!("--initial-advertise-peer-urls={}", seat.peer_url);
        let dir = self.data_dir(number);
        let line = [
            "--data-dir",
            text(&dir),
            "--snapshot",
            text(&saved.file),
            &name,
            &initial,
            &advertise,
        ];
        run(&[&line[..], flags].concat())
    }
}

impl Founded {
    /// `--initial-cluster` with all three.
    pub(super) fn initial(&self) -> String {
        initial_of(&self.seats)
    }
}

fn initial_of(seats: &[MemberConfig]) -> String {
    let seats: Vec<_> = seats.iter().map(MemberConfig::initial).collect();
    seats.join(",")
}

/// The initial-* flags of a member's manifest. kubeadm's second and third members name those before them.
fn manifest(kind: Kind, seats: &[MemberConfig], number: usize) -> [String; 2] {
    let (known, state) = match kind {
        Kind::Fixed => (seats, "new"),
        Kind::Grown if number == 0 => (&seats[..1], "new"),
        Kind::Grown => (&seats[..=number], "existing"),
    };
    [
        format!("--initial-cluster={}", initial_of(known)),
        format!("--initial-cluster-state={state}"),
    ]
}

fn found(kind: Kind, name: &str) -> Founded {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("restore-traps-{name}"));
    let _first_run = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    let seats = ["m1", "m2", "m3"].map(|name| MemberConfig {
        version: Version::V3_5,
        ..MemberConfig::new(name)
    });
    let old = [0, 1, 2].map(|number: usize| dir.join(number.to_string()));
    let mut members: Vec<Etcd> = Vec::new();
    for (number, seat) in seats.iter().enumerate() {
        if kind == Kind::Grown && number > 0 {
            let peer = format!("--peer-urls={}", seat.peer_url);
            // Until the member before it has caught up, the cluster refuses another one.
            eventually("the next member is added", || {
                let add = ["member", "add", &seat.name, &peer];
                members[0].try_ctl(&add, "").ok()
            });
        }
        let flags = manifest(kind, &seats, number);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        members.push(Etcd::start(seat, &old[number], &flags));
        if kind == Kind::Grown {
            members[number].wait_until_healthy();
        }
    }
    members.iter_mut().for_each(Etcd::wait_until_healthy);
    let save = |key: &str, file: &str| {
        members[0].ctl(&["put", key, "before"]);
        let (file, revision) = (dir.join(file), members[0].revision());
        members[0].ctl(&["snapshot", "save", text(&file)]);
        Saved {
            file,
            revision,
            hash_kv: members[0].hash_kv(revision),
        }
    };
    let (first, second) = (save("a", "first.db"), save("b", "second.db"));
    members[0].ctl(&["put", "c", "never saved"]);
    // The last entry has reached every member.
    for member in &members {
        member.ctl(&["get", "c"]);
    }
    members.into_iter().for_each(Etcd::stop);
    Founded {
        kind,
        seats,
        old,
        first,
        second,
    }
}
