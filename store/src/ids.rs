//! Names of stored things: store, process epoch, pack, manifest.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Identity of one store, drawn at random when it is created; stored in Meta and in each pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// The version of one stored format. Each format counts its own: the store's identity, packs, each table's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FormatVersion(pub u16);

/// One life of the server process: incremented in Meta at each start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// A pack: the epoch of the process that wrote it, and its number within that epoch. So no id is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackId {
    /// The writer's epoch.
    pub epoch: Epoch,
    /// Increases within the epoch.
    pub serial: u32,
}

impl PackId {
    /// Big-endian epoch, then serial: byte order is age order.
    pub fn to_bytes(self) -> [u8; 8] {
        let mut out = [0; 8];
        let (epoch, serial) = out.split_at_mut(4);
        epoch.copy_from_slice(&self.epoch.0.to_be_bytes());
        serial.copy_from_slice(&self.serial.to_be_bytes());
        out
    }

    /// The inverse of [`PackId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 8]) -> PackId {
        let [epoch @ .., _, _, _, _] = bytes;
        let [_, _, _, _, serial @ ..] = bytes;
        PackId {
            epoch: Epoch(u32::from_be_bytes(epoch)),
            serial: u32::from_be_bytes(serial),
        }
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.epoch.0, self.serial)
    }
}

/// A manifest: epoch and number as in a pack id, but from a counter of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ManifestId {
    /// The writer's epoch.
    pub epoch: Epoch,
    /// Increases within the epoch.
    pub serial: u64,
}

impl ManifestId {
    /// Big-endian epoch, then serial.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut out = [0; 12];
        let (epoch, serial) = out.split_at_mut(4);
        epoch.copy_from_slice(&self.epoch.0.to_be_bytes());
        serial.copy_from_slice(&self.serial.to_be_bytes());
        out
    }

    /// The inverse of [`ManifestId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 12]) -> ManifestId {
        let [epoch @ .., _, _, _, _, _, _, _, _] = bytes;
        let [_, _, _, _, serial @ ..] = bytes;
        ManifestId {
            epoch: Epoch(u32::from_be_bytes(epoch)),
            serial: u64::from_be_bytes(serial),
        }
    }
}

impl fmt::Display for ManifestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.epoch.0, self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_bytes_keep_their_order_and_come_back() {
        let pack = PackId {
            epoch: Epoch(0x0102_0304),
            serial: 0x0506_0708,
        };
        assert_eq!(pack.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(PackId::from_bytes(pack.to_bytes()), pack);
        assert_eq!(pack.to_string(), "01020304-05060708");
        let manifest = ManifestId {
            epoch: Epoch(0x0102_0304),
            serial: 0x0506_0708_090a_0b0c,
        };
        assert_eq!(manifest.to_bytes(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(ManifestId::from_bytes(manifest.to_bytes()), manifest);
    }
}
