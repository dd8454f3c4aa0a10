//! Databases that look broken but are not: etcd accepts each of them for a reason, and so must we.

use super::image::{Branch, Image, PAGE_BYTES, header, meta};
use super::pages::branch;

/// A name, why it is accepted, and the way to change it.
pub type Harmless = (&'static str, &'static str, fn(&mut Image));

/// All of them.
pub const ACCEPTED: &[Harmless] = &[
    (
        "one-meta-lost",
        "bbolt keeps two so that one may be lost; a warning tells it",
        |db| db.put(meta::MAGIC, &[0; 4]),
    ),
    ("older-meta-checksum", "the newer one counts", |db| {
        db.put(PAGE_BYTES + meta::CHECKSUM, &[0; 8]);
    }),
    (
        "metas-in-either-order",
        "a live database has the newest transaction on page 0 or 1 by its parity",
        |db| {
            let newer = db.meta(meta::TXID) + 1;
            db.put_in_meta(1, meta::TXID, &newer.to_le_bytes());
        },
    ),
    (
        "meta-flags",
        "bbolt reserves the field and never reads it",
        |db| db.put_meta(meta::FLAGS, &7_u32.to_le_bytes()),
    ),
    (
        "meta-sequence",
        "sequences number new keys of applications; etcd uses none",
        |db| db.put_meta(meta::SEQUENCE, &9_u64.to_le_bytes()),
    ),
    (
        "meta-page-count-and-overflow",
        "a meta page has no elements, so nobody counts them",
        |db| {
            db.put_u16(header::COUNT, 3);
            db.put_u32(PAGE_BYTES + header::OVERFLOW, 1);
        },
    ),
    ("bucket-sequence", "see meta-sequence", |db| {
        let (at, _) = db.value_range(db.bucket("key"));
        db.put_u64(at + 8, 5);
    }),
    (
        "freelist-stored",
        "etcd on macOS stores its free pages",
        |db| {
            db.store_freelist();
        },
    ),
    (
        "separator-lower-than-its-child",
        "a separator is a lower bound: its page's first key may have been deleted",
        |db| {
            let element = Branch {
                page_at: branch(db),
                index: 1,
            };
            let key = element.at() + usize::try_from(db.u32(element.pos())).expect("32 bits fit");
            let main = db.bytes()[key + 7];
            // One revision earlier, with a sub revision that no row has.
            db.put(key + 7, &[main - 1]);
            db.put(key + 16, &[9]);
        },
    ),
    (
        "free-page-of-noise",
        "pages that no tree reaches hold whatever they held",
        |db| {
            let used = db.pages_in_use();
            let free = (2..db.meta(meta::HIGH_WATER)).find(|page| !used.contains(page));
            let at = super::image::page_at(free.expect("the base has a free page"));
            db.put(at, &[0xa5; PAGE_BYTES]);
        },
    ),
    (
        "longer-than-its-pages",
        "a data directory's file grows in steps; what lies behind the high water mark means nothing",
        |db| db.extend(&[0x5a; 2 * PAGE_BYTES]),
    ),
    (
        "conf-state-no-json",
        "etcd writes it and reads it at no boot; the restore's raft snapshot has its own",
        |db| {
            let (at, _) = db.value_range(db.entry("meta", b"confState"));
            db.put(at, b"?");
        },
    ),
    (
        "storage-version-no-version",
        "etcd takes it for none and finds out by itself",
        |db| {
            let (at, _) = db.value_range(db.entry("meta", b"storageVersion"));
            db.put(at, b"x");
        },
    ),
    (
        "removed-member-no-id",
        "the restore empties this bucket",
        |db| {
            let at = db.key_at(db.entries("members_removed")[0]);
            db.put(at, b"~");
        },
    ),
    (
        "bucket-unknown",
        "other versions have other buckets; a bucket that etcd misses it creates",
        |db| {
            let at = db.key_at(db.bucket("lease"));
            db.put(at, b"leasf");
        },
    ),
    (
        "bytes-behind-the-last-key",
        "an element says where its key begins; bytes that no element names mean nothing",
        |db| {
            let at = branch(db);
            let last = Branch {
                page_at: at,
                index: db.count(at) - 1,
            };
            let key_end = last.at()
                + usize::try_from(db.u32(last.pos()) + db.u32(last.key_len()))
                    .expect("32 bits fit");
            let room = at + PAGE_BYTES - key_end;
            db.put(key_end, &vec![0xee; room]);
        },
    ),
];
