//! Meta pages, each field once. If a field is wrong in only one of them, readers use the other one, so both are
//! damaged.

use super::Corruption;
use super::image::{Image, PAGE_BYTES, header, meta, page_at};

/// The specimens.
pub const CORRUPTIONS: &[Corruption] = &[
    ("meta-magic", |db| {
        db.put_meta(meta::MAGIC, &0xED0C_DAEE_u32.to_le_bytes());
        "offset 0: magic 0xed0cdaee, expected 0xed0cdaed".to_owned()
    }),
    ("meta-version", |db| {
        db.put_meta(meta::VERSION, &3_u32.to_le_bytes());
        "offset 0: format version 3, expected 2".to_owned()
    }),
    ("meta-page-size-no-power-of-two", |db| {
        db.put_meta(meta::PAGE_SIZE, &4097_u32.to_le_bytes());
        "offset 0: page size 4097".to_owned()
    }),
    ("meta-page-size-zero", |db| {
        db.put_meta(meta::PAGE_SIZE, &0_u32.to_le_bytes());
        "offset 0: page size 0".to_owned()
    }),
    ("meta-page-size-of-another-machine", |db| {
        db.put_meta(meta::PAGE_SIZE, &65_536_u32.to_le_bytes());
        let need = db.meta(meta::HIGH_WATER) * 65_536;
        truncated(db, need)
    }),
    ("meta-checksum", |db| {
        for page in [0, PAGE_BYTES] {
            let sum = db.u64(page + meta::CHECKSUM);
            db.put_u64(page + meta::CHECKSUM, sum ^ 1);
        }
        let stored = db.u64(meta::CHECKSUM);
        format!(
            "offset 0: checksum {stored:#018x}, computed {:#018x}",
            stored ^ 1
        )
    }),
    ("meta-damaged-differently", |db| {
        db.put_in_meta(0, meta::MAGIC, &[0; 4]);
        db.put_in_meta(1, meta::VERSION, &1_u32.to_le_bytes());
        "offset 0: magic 0x00000000, expected 0xed0cdaed; second: format version 1, expected 2"
            .to_owned()
    }),
    ("meta-root-on-a-meta-page", |db| {
        db.put_meta(meta::ROOT, &1_u64.to_le_bytes());
        no_data_page(db, "root page", 1)
    }),
    ("meta-root-beyond-the-end", |db| {
        let beyond = db.meta(meta::HIGH_WATER);
        db.put_meta(meta::ROOT, &beyond.to_le_bytes());
        no_data_page(db, "root page", beyond)
    }),
    ("meta-root-is-a-page-of-rows", |db| {
        let rows = db.bucket_page("key") / PAGE_BYTES;
        db.put_meta(meta::ROOT, &super::image::number(rows).to_le_bytes());
        ": it is not a bucket, but stands at the top level".to_owned()
    }),
    ("meta-freelist-on-a-meta-page", |db| {
        db.put_meta(meta::FREELIST, &0_u64.to_le_bytes());
        no_data_page(db, "freelist page", 0)
    }),
    ("meta-freelist-beyond-the-end", |db| {
        let beyond = db.meta(meta::HIGH_WATER) + 5;
        db.put_meta(meta::FREELIST, &beyond.to_le_bytes());
        no_data_page(db, "freelist page", beyond)
    }),
    ("meta-freelist-is-a-page-of-a-tree", |db| {
        let root = db.meta(meta::ROOT);
        db.put_meta(meta::FREELIST, &root.to_le_bytes());
        format!(
            "page {root} at offset {}: it is used twice (second reference at offset {})",
            page_at(root),
            meta::FREELIST
        )
    }),
    ("meta-high-water-zero", |db| {
        db.put_meta(meta::HIGH_WATER, &0_u64.to_le_bytes());
        let root = db.meta(meta::ROOT);
        no_data_page(db, "root page", root)
    }),
    ("meta-high-water-too-low", |db| {
        let last = db.pages_in_use().last().copied().expect("trees have pages");
        db.put_meta(meta::HIGH_WATER, &last.to_le_bytes());
        format!("{last}")
    }),
    ("meta-high-water-too-high", |db| {
        let high_water = db.meta(meta::HIGH_WATER) + 1;
        db.put_meta(meta::HIGH_WATER, &high_water.to_le_bytes());
        truncated(db, high_water * 4096)
    }),
    ("meta-high-water-largest-number", |db| {
        db.put_meta(meta::HIGH_WATER, &u64::MAX.to_le_bytes());
        truncated(db, u64::MAX)
    }),
    ("meta-txid-chooses-the-broken-one", |db| {
        db.put_in_meta(1, meta::ROOT, &0_u64.to_le_bytes());
        db.put_in_meta(1, meta::TXID, &u64::MAX.to_le_bytes());
        "meta page 1 at offset 4096: root page is 0".to_owned()
    }),
    ("meta-0-says-it-is-page-1", |db| {
        db.put_u64(header::ID, 1);
        "page 0 at offset 0: it says it is page 1".to_owned()
    }),
    ("meta-1-says-it-is-page-0", |db| {
        db.put_u64(PAGE_BYTES + header::ID, 0);
        "page 1 at offset 4096: it says it is page 0".to_owned()
    }),
    ("meta-flags-unknown", |db| {
        db.put_u16(PAGE_BYTES + header::FLAGS, 0x40);
        "page 1 at offset 4096: its flags are 0x0040, expected 0x0004 (meta)".to_owned()
    }),
];

fn truncated(db: &Image, need: u64) -> String {
    let have = db.bytes().len();
    format!("the database is truncated: it needs {need} bytes, {have} are there")
}

fn no_data_page(db: &Image, field: &str, value: u64) -> String {
    let high_water = db.meta(meta::HIGH_WATER);
    format!(
        "meta page 0 at offset 0: {field} is {value}, which is no data page (2 and more, below the high water mark {high_water})"
    )
}
