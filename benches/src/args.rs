//! The command line: which cases, how often, how large, and where to write.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

/// Measures Strongroom beside its peers, alternately, on this machine's disk.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "strongroom-bench",
    version,
    about,
    after_help = "Programs come from `make build`, peers from `make peers`. The first run fills an etcd and keeps its snapshots \
in the working folder. Run it on a machine that does nothing else: docs/benchmarks.md tells what to expect."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// PUT of one large body, beside OpenSSL's MD5
    Put(Run),
    /// GET of one large body, beside OpenSSL's MD5
    Get(Run),
    /// PUTs of 100 KiB, beside the disk's own syncs
    Small(Run),
    /// PUT, GET and small PUTs, beside MinIO
    Minio(Run),
    /// The server's memory under large uploads and 10,000 parts
    Memory(Run),
    /// LIST out of a million objects
    List(Run),
    /// Start-up with a million objects
    Start(Run),
    /// Restore of a file, beside etcdutl and beside cp, fsync and SHA-256
    Restore(Run),
    /// Saving an etcd into the server, beside etcdctl into a file
    Save(Run),
    /// All of them but minio, in this order
    All(Run),
    /// Put, get, small, list and restore of two builds in turns
    Compare(Compare),
    /// Writes the tables and pictures of docs/benchmarks.md from --json files
    Page(Page),
}

/// The tables and pictures to write.
#[derive(Debug, Clone, Args)]
pub struct Page {
    /// Reports as --json wrote them; of a case that is in several, the last one counts
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// The page: the sections of these cases between its two `figures` marks are replaced; pictures go into a folder of its name
    #[arg(long, default_value = "docs/benchmarks.md")]
    pub page: PathBuf,
}

/// Which builds, and how long.
#[derive(Debug, Clone, Args)]
pub struct Compare {
    /// Folder with strongroom-server and the static strongroom-restore of the earlier build
    #[arg(long, value_name = "DIR")]
    pub before: PathBuf,
    /// The same of the later build [default: what `make build` made]
    #[arg(long, value_name = "DIR")]
    pub after: Option<PathBuf>,
    /// How often each pair is measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Working folder, on the disk to measure: some 40 GB at the sizes given here [default: bench in the cache folder]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// MiB of the body of put and get, and of the snapshot of restore
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub mib: u64,
    /// Small PUTs of the widest crowd; narrower ones do their share
    #[arg(long, default_value_t = 3200, value_parser = clap::value_parser!(u64).range(64..))]
    pub puts: u64,
    /// Objects in the listed bucket
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2_000..))]
    pub objects: u32,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// How often each pair is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Write the report there as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Working folder, on the disk to measure: some 40 GB at the sizes given here [default: bench in the cache folder]
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Write the pictures there
    #[arg(long, value_name = "DIR")]
    pub pictures: Option<PathBuf>,
    /// The sizes.
    #[command(flatten)]
    pub scale: Scale,
}

/// How large; the defaults are what docs/benchmarks.md reports.
#[derive(Debug, Clone, Copy, Args, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// MiB of the body of put and get, and of the snapshot of restore and save
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..))]
    pub mib: u64,
    /// MiB of the large snapshot whose restore is weighed
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(1..))]
    pub large_mib: u64,
    /// Small PUTs of the widest crowd; narrower ones do their share
    #[arg(long, default_value_t = 6400, value_parser = clap::value_parser!(u64).range(64..))]
    pub puts: u64,
    /// MiB of each of eight parallel uploads
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(5..))]
    pub upload_mib: u64,
    /// Parts of the long upload
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub parts: u32,
    /// Objects in the listed bucket
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(2_000..))]
    pub objects: u32,
}

/// The task of a command line.
#[derive(Debug, Clone)]
pub enum Task {
    /// Measures these cases.
    Measure(Vec<Case>, Run),
    /// Compares two builds.
    Compare(Compare),
    /// Writes the page.
    Page(Page),
}

/// The cases, in the order of `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// See [`Command`].
    Put,
    /// See [`Command`].
    Get,
    /// See [`Command`].
    Small,
    /// See [`Command`].
    Minio,
    /// See [`Command`].
    Memory,
    /// See [`Command`].
    List,
    /// See [`Command`].
    Start,
    /// See [`Command`].
    Restore,
    /// See [`Command`].
    Save,
}

/// Flags with paths: they belong to this machine and do not affect the results.
const PLACES: [&str; 3] = ["--json", "--dir", "--pictures"];

/// A command line that others can repeat: as typed, without the paths of this machine.
pub fn repeatable(typed: &[String]) -> String {
    let mut words = vec!["strongroom-bench"];
    let mut left = typed.iter();
    while let Some(word) = left.next() {
        if PLACES.contains(&word.as_str()) {
            left.next();
        } else if !PLACES
            .iter()
            .any(|place| word.starts_with(&format!("{place}=")))
        {
            words.push(word);
        }
    }
    words.join(" ")
}

impl Case {
    /// Those that need no peer beside etcd and openssl: `make test` runs them, and building MinIO takes minutes.
    fn without_peers_to_build() -> Vec<Case> {
        let all = Case::value_variants().iter().copied();
        all.filter(|case| *case != Case::Minio).collect()
    }
}

impl Command {
    /// The task of this command line.
    pub fn task(self) -> Task {
        let (cases, run) = match self {
            Self::Put(run) => (vec![Case::Put], run),
            Self::Get(run) => (vec![Case::Get], run),
            Self::Small(run) => (vec![Case::Small], run),
            Self::Minio(run) => (vec![Case::Minio], run),
            Self::Memory(run) => (vec![Case::Memory], run),
            Self::List(run) => (vec![Case::List], run),
            Self::Start(run) => (vec![Case::Start], run),
            Self::Restore(run) => (vec![Case::Restore], run),
            Self::Save(run) => (vec![Case::Save], run),
            Self::All(run) => (Case::without_peers_to_build(), run),
            Self::Compare(compare) => return Task::Compare(compare),
            Self::Page(page) => return Task::Page(page),
        };
        Task::Measure(cases, run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_this_machine_are_not_told() {
        let typed = "put --json /tmp/x --rounds 3 --dir=/mnt --mib 9 --pictures p";
        let typed: Vec<_> = typed.split(' ').map(str::to_owned).collect();
        assert_eq!(
            repeatable(&typed),
            "strongroom-bench put --rounds 3 --mib 9"
        );
    }
}
