//! The cases: each measures one thing and compares it with its yardstick.

mod compare;
mod crowd;
mod fleet;
mod get;
mod list;
mod memory;
mod minio;
mod put;
mod restore;
mod save;
mod small;
mod start;
mod turns;

use std::path::PathBuf;

use strongroom_tests::clock::Stopwatch;
use strongroom_tests::programs;

use crate::args::{Case, Compare, Run, Scale};
use crate::figures::Sheet;

use fleet::Fleet;

pub use compare::{Builds, compare};

/// Where, how often and how large.
#[derive(Debug, Clone)]
pub struct Bench {
    /// The working folder, on the disk to measure.
    pub dir: PathBuf,
    /// How often.
    pub rounds: u32,
    /// How large.
    pub scale: Scale,
}

impl Bench {
    /// Creates the working folder.
    pub fn new(run: &Run) -> Self {
        let cache = || programs::port_reservations().with_file_name("bench");
        let dir = run.dir.clone().unwrap_or_else(cache);
        std::fs::create_dir_all(&dir).expect("the working folder is writable");
        Self {
            dir,
            rounds: run.rounds,
            scale: run.scale,
        }
    }

    /// The same for a comparison of two builds.
    pub fn of_comparison(compare: &Compare) -> Self {
        Self::new(&Run {
            rounds: compare.rounds,
            json: None,
            dir: compare.dir.clone(),
            pictures: None,
            scale: Scale {
                mib: compare.mib,
                large_mib: compare.mib,
                puts: compare.puts,
                upload_mib: compare.mib,
                parts: 2,
                objects: compare.objects,
            },
        })
    }

    /// The folder that keeps snapshots between runs.
    fn bodies(&self) -> PathBuf {
        self.dir.join("bodies")
    }

    /// A folder that is removed with its owner.
    fn folder(&self) -> tempfile::TempDir {
        let mut builder = tempfile::Builder::new();
        builder.prefix("run-");
        builder
            .tempdir_in(&self.dir)
            .expect("the working folder is writable")
    }
}

/// Runs these cases; calls `told` with each sheet when it is done.
pub fn run(bench: &Bench, cases: &[Case], mut told: impl FnMut(&Sheet)) -> Vec<Sheet> {
    // A million objects are put once for both cases that need them.
    let mut fleet = None;
    let mut sheets = Vec::new();
    for case in cases {
        let watch = Stopwatch::start();
        let mut sheet = match case {
            Case::Put => put::run(bench),
            Case::Get => get::run(bench),
            Case::Small => small::run(bench),
            Case::Minio => minio::run(bench),
            Case::Memory => memory::run(bench),
            Case::List => list::run(bench, fleet.get_or_insert_with(|| Fleet::start(bench))),
            Case::Start => start::run(bench, fleet.get_or_insert_with(|| Fleet::start(bench))),
            Case::Restore => restore::run(bench),
            Case::Save => save::run(bench),
        };
        if *case >= Case::Start {
            fleet = None;
        }
        sheet.took_secs = watch.elapsed().as_secs_f64();
        told(&sheet);
        sheets.push(sheet);
    }
    sheets
}
