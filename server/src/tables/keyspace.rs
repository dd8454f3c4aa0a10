//! Every keyspace of Meta on one screen: its number, its key and its value.

/// The kinds of rows. The number is the first byte of a row's key; numbers below 0x10 belong to the store itself
/// (sequence, identity, epoch). A number is never reused: 0x54, 0x60 and 0x61 are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Keyspace {
    /// bucket name -> [`super::BucketRow`]
    Bucket = 0x10,
    /// bucket id, number of the setting -> the setting: see [`super::bucket_settings`]
    BucketSetting = 0x11,
    /// bucket id, object key -> [`super::CurrentRow`]: what LIST shows of each key's current object
    Current = 0x20,
    /// bucket id, object key -> [`super::HeadRow`]: the current version, the null version, the next version number
    Head = 0x21,
    /// bucket id, object key, inverted version number -> [`super::VersionRow`], newest first
    Version = 0x22,
    /// bucket id, object key, upload id -> [`super::UploadRow`]
    Upload = 0x30,
    /// upload id, part number -> [`super::PartRow`]
    Part = 0x31,
    /// upload id -> [`super::CompletedRow`], so that a repeated Complete gets the same answer
    Completed = 0x32,
    /// upload id -> [`super::DeadRow`]: its parts are left for garbage collection
    DeadUpload = 0x33,
    /// manifest id, chunk number -> chunk 0 [`super::ManifestHead`], others [`super::ManifestChunk`]
    Manifest = 0x40,
    /// manifest id -> counter of its users
    ManifestUsers = 0x41,
    /// manifest id -> [`super::DeadRow`]: lost a user, perhaps its last
    DeadManifest = 0x42,
    /// manifest id -> [`super::PartTable`] of an object completed from parts
    PartTable = 0x43,
    /// pack id -> [`super::PackRow`]
    Pack = 0x50,
    /// pack id -> counter of segments that manifests hold in it
    PackSegments = 0x51,
    /// pack id -> tally of stored bytes that manifests hold in it: a hint for repacking
    PackLive = 0x52,
    /// pack id, manifest id -> [`super::PackUserRow`]: a manifest with a segment in the pack
    PackUser = 0x53,
    /// epoch -> [`super::WriterRow`]: a process that may still write, and its open shared pack
    Writer = 0x55,
    /// pack id -> [`super::QuarantineRow`]: holds bodies that no row names, found after their writer had ended
    Quarantine = 0x56,
    /// epoch -> tally: plain bytes in all versions, changed by this process
    LogicalBytes = 0x62,
    /// epoch -> tally: stored bytes in all packs with a row, changed by this process
    StoredBytes = 0x63,
}

impl Keyspace {
    /// Every keyspace, in the order of their keys.
    pub const ALL: [Keyspace; 21] = [
        Keyspace::Bucket,
        Keyspace::BucketSetting,
        Keyspace::Current,
        Keyspace::Head,
        Keyspace::Version,
        Keyspace::Upload,
        Keyspace::Part,
        Keyspace::Completed,
        Keyspace::DeadUpload,
        Keyspace::Manifest,
        Keyspace::ManifestUsers,
        Keyspace::DeadManifest,
        Keyspace::PartTable,
        Keyspace::Pack,
        Keyspace::PackSegments,
        Keyspace::PackLive,
        Keyspace::PackUser,
        Keyspace::Writer,
        Keyspace::Quarantine,
        Keyspace::LogicalBytes,
        Keyspace::StoredBytes,
    ];

    /// The first byte of its keys.
    #[expect(
        clippy::as_conversions,
        reason = "a repr(u8) enum has no From for its number"
    )]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name of such a row in messages.
    pub const fn row_name(self) -> &'static str {
        match self {
            Keyspace::Bucket => "a bucket's row",
            Keyspace::BucketSetting => "a bucket's setting",
            Keyspace::Current => "a row of the listing",
            Keyspace::Head => "a key's head row",
            Keyspace::Version => "a version's row",
            Keyspace::Upload => "an upload's row",
            Keyspace::Part => "a part's row",
            Keyspace::Completed => "the answer of a Complete",
            Keyspace::DeadUpload => "a dead upload's row",
            Keyspace::Manifest => "a manifest",
            Keyspace::ManifestUsers => "a manifest's counter",
            Keyspace::DeadManifest => "a dead manifest's row",
            Keyspace::PartTable => "a part table",
            Keyspace::Pack => "a pack's row",
            Keyspace::PackSegments | Keyspace::PackLive => "a pack's counter",
            Keyspace::PackUser => "a pack's back-reference",
            Keyspace::Writer => "a writer's row",
            Keyspace::Quarantine => "a quarantined pack's row",
            Keyspace::LogicalBytes | Keyspace::StoredBytes => "a sum",
        }
    }
}
