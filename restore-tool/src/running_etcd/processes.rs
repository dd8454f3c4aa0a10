//! The etcds of this machine, and the directory that each uses, as far as /proc shows it.
//!
//! A port that answers says that an etcd runs, and not on which directory. The directory is that of its command line, its
//! environment or its open database, seen through the process' own root, since it may run in a container. Everything here is
//! best effort: what this user may not read is not known.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::{ffi::OsStringExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

const PROC: &str = "/proc";
/// The database below the data directory.
const DB: &str = "/member/snap/db";
/// The kernel's addition to a link to a file without a name.
const DELETED: &str = " (deleted)";
/// In /proc/net/tcp: the state of a listening socket.
const LISTENING: &str = "0A";

/// A process and its data directory, if it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// As the process names it.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Process {
    fn new(pid: u32) -> Self {
        let data_dir = typed_dir(pid).or_else(|| open_dir(pid));
        Self { pid, data_dir }
    }

    /// Whether it uses this directory, or would use it as soon as it exists.
    pub(crate) fn uses(&self, dir: &Path) -> bool {
        let Some(own) = &self.data_dir else {
            return false;
        };
        let entry = Path::new(PROC).join(self.pid.to_string());
        let seen = match own.strip_prefix("/") {
            Ok(below) => entry.join("root").join(below),
            Err(_) => entry.join("cwd").join(own),
        };
        is_same(&seen, dir)
    }
}

/// A running etcd that uses this directory.
pub(crate) fn etcd_on(dir: &Path) -> Option<Process> {
    let etcds = pids().filter(|pid| program(*pid).as_deref() == Some("etcd"));
    etcds.map(Process::new).find(|etcd| etcd.uses(dir))
}

/// The process that listens on this address, or on all addresses with this port.
pub(crate) fn listener(address: SocketAddr) -> Option<Process> {
    let sockets: Vec<String> = ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(Path::new(PROC).join(table)).ok())
        .flat_map(|table| listening(&table, address))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let holds =
        |pid: &u32| links(*pid).any(|link| sockets.iter().any(|socket| link == Path::new(socket)));
    pids().find(holds).map(Process::new)
}

/// The names of listening sockets as links in /proc/PID/fd show them: `socket:[INODE]`.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    let socket = |line: &str| {
        // sl, local address:port in hex, remote, state, queues, timer, retransmits, uid, timeout, inode
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.rsplit_once(':')?;
        let ip = ip_of(ip)?;
        let is_it = (ip == address.ip() || ip.is_unspecified())
            && u16::from_str_radix(port, 16) == Ok(address.port())
            && *fields.get(3)? == LISTENING;
        is_it.then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// One or four words of eight hex digits, each the number that its four bytes make on this machine.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::with_capacity(16);
    for at in (0..hex.len()).step_by(8) {
        let word = u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => Some(v4.into()),
        Err(_) => Some(IpAddr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?).to_canonical()),
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(PROC).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn entry(pid: u32, name: &str) -> PathBuf {
    Path::new(PROC).join(pid.to_string()).join(name)
}

/// The file name of the program, also if the file was replaced since the start.
fn program(pid: u32) -> Option<String> {
    let link = fs::read_link(entry(pid, "exe")).ok()?;
    let name = link.file_name()?.to_str()?;
    Some(name.strip_suffix(DELETED).unwrap_or(name).to_owned())
}

/// A file of words that end with a zero byte.
fn words(pid: u32, name: &str) -> Vec<String> {
    let bytes = fs::read(entry(pid, name)).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

fn typed_dir(pid: u32) -> Option<PathBuf> {
    data_dir_flag(&words(pid, "cmdline")).or_else(|| {
        let variables = words(pid, "environ");
        let mut values = variables
            .iter()
            .filter_map(|variable| variable.strip_prefix("ETCD_DATA_DIR="));
        values.next().map(PathBuf::from)
    })
}

/// Go's flags: one or two dashes, the value in the same word or the next; the last one counts.
fn data_dir_flag(words: &[String]) -> Option<PathBuf> {
    let value = |(at, word): (usize, &String)| {
        let flag = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
        match flag.strip_prefix("data-dir")? {
            "" => words.get(at + 1).map(PathBuf::from),
            rest => rest.strip_prefix('=').map(PathBuf::from),
        }
    };
    words.iter().enumerate().rev().find_map(value)
}

/// The directory of the database that the process has open, whether or not its name still exists.
fn open_dir(pid: u32) -> Option<PathBuf> {
    links(pid).find_map(|link| {
        let link = link.into_os_string().into_vec();
        let link = String::from_utf8(link).ok()?;
        let link = link.strip_suffix(DELETED).unwrap_or(&link);
        link.strip_suffix(DB).map(PathBuf::from)
    })
}

/// What the process' open files are links to.
fn links(pid: u32) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(entry(pid, "fd")).into_iter().flatten();
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
}

/// Whether two paths name the same directory, or, if neither exists, the same name in the same directory.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    match (identity(one), identity(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => {
            let parent = |path: &Path| {
                identity(
                    path.parent()
                        .filter(|above| !above.as_os_str().is_empty())
                        .unwrap_or(Path::new(".")),
                )
            };
            one.file_name() == other.file_name()
                && parent(one).is_some_and(|above| Some(above) == parent(other))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn the_listener_of_an_address_is_found() -> std::io::Result<()> {
        let own = Some(std::process::id());
        let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        for bound in [
            SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            (Ipv4Addr::UNSPECIFIED, 0).into(),
            (Ipv6Addr::LOCALHOST, 0).into(),
        ] {
            let listening = TcpListener::bind(bound)?;
            let port = listening.local_addr()?.port();
            let asked = match bound {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, port).into(),
            };
            assert_eq!(listener(asked).map(|process| process.pid), own, "{bound}");
        }
        // The same port elsewhere is somebody else's.
        let other = SocketAddr::from((Ipv4Addr::new(127, 9, 9, 9), here.local_addr()?.port()));
        assert_eq!(listener(other), None);
        Ok(())
    }

    #[test]
    fn the_last_data_dir_flag_counts_in_every_spelling() {
        let found = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            data_dir_flag(&words)
        };
        for line in [
            "etcd --data-dir=/d",
            "etcd -data-dir /d",
            "etcd --data-dir /x --data-dir /d",
        ] {
            assert_eq!(found(line), Some(PathBuf::from("/d")), "{line}");
        }
        for line in [
            "etcd --name=a",
            "etcd --data-dir",
            "etcd --data-directory=/d",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
    }

    #[test]
    fn a_directory_is_the_same_by_any_path_and_before_it_exists() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link)?;
        assert!(is_same(dir.path(), &link));
        assert!(is_same(&dir.path().join("etcd"), &link.join("etcd")));
        assert!(!is_same(&dir.path().join("etcd"), &link.join("other")));
        fs::create_dir(dir.path().join("etcd"))?;
        assert!(is_same(&dir.path().join("etcd"), &link.join("etcd")));
        assert!(!is_same(&dir.path().join("etcd"), &link.join("other")));
        Ok(())
    }
}
