//! Where packs are: `<epoch, 8 hex>/<serial / 4096, 5 hex>/<pack id>.pack`. Each name has one spelling; files with any
//! other spelling are left alone.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use crate::{Epoch, PackId};

/// Packs per folder: `serial >> GROUP_BITS` names the folder. Listing 4096 names takes less than a millisecond, and at
/// 64 MiB each they hold 256 GiB.
pub(super) const GROUP_BITS: u32 = 12;

const SUFFIX: &str = ".pack";

/// The folder of an epoch.
pub(super) fn epoch_path(epoch: Epoch) -> PathBuf {
    PathBuf::from(format!("{:08x}", epoch.0))
}

/// The folder of a pack.
pub(super) fn group_path(pack: PackId) -> PathBuf {
    epoch_path(pack.epoch).join(format!("{:05x}", pack.serial >> GROUP_BITS))
}

/// The path of a pack below the packs' folder.
pub fn pack_path(pack: PackId) -> PathBuf {
    group_path(pack).join(format!("{pack}{SUFFIX}"))
}

/// Sub-folders named by `digits` lower-case hex digits, in order. Other names are ignored.
pub(super) fn numbered_dirs(
    disk: &dyn Disk,
    path: &Path,
    digits: usize,
) -> io::Result<Vec<(u32, PathBuf)>> {
    let entries = match disk.list(path) {
        Ok(entries) => entries,
        // Removed since its parent folder was read. The root must exist: without it, packs are missing.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.as_os_str().is_empty() => {
            Vec::new()
        }
        Err(error) => return Err(error),
    };
    let numbered = entries
        .into_iter()
        .filter(|entry| entry.is_dir)
        .filter_map(|entry| {
            let name = entry.name.to_str()?;
            hex_number(name, digits).map(|number| (number, path.join(name)))
        });
    let mut dirs: Vec<_> = numbered.collect();
    dirs.sort_unstable();
    Ok(dirs)
}

/// Packs whose location matches their name, in order.
pub(super) fn packs_in(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<PackId>> {
    let entries = match disk.list(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let named = entries
        .into_iter()
        .filter(|entry| !entry.is_dir)
        .filter_map(|entry| {
            let (epoch, serial) = entry.name.to_str()?.strip_suffix(SUFFIX)?.split_once('-')?;
            let pack = PackId {
                epoch: Epoch(hex_number(epoch, 8)?),
                serial: hex_number(serial, 8)?,
            };
            (group_path(pack) == dir).then_some(pack)
        });
    let mut packs: Vec<PackId> = named.collect();
    packs.sort_unstable();
    Ok(packs)
}

/// Exactly `digits` lower-case hex digits: no number has a second name.
fn hex_number(text: &str, digits: usize) -> Option<u32> {
    let plain = text.len() == digits
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}
