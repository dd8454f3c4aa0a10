//! Files: lengths, trailers and compression formats.

use super::image::{Image, PAGE_BYTES, header, meta, with_trailer};
use super::{Over, Specimen, Verdict};

/// Offset of the compression method in gzip's header.
const GZIP_METHOD_AT: usize = 2;

/// The specimens.
pub fn specimens(base: &Image, packed: &[u8]) -> Vec<Specimen> {
    let mut all = trailers(base);
    all.extend(lengths(base));
    all.extend(strangers());
    all.extend(gzip(packed));
    all.extend(other_packings());
    all
}

fn trailers(base: &Image) -> Vec<Specimen> {
    let db = base.bytes();
    let file = base.snapshot();
    let mismatch = |offset: usize| {
        format!(
            "the snapshot's SHA-256 trailer at offset {offset} is …, but its {offset} database bytes have "
        )
    };
    let altered = |name, at: usize, bit: u8| {
        let mut bytes = file.clone();
        bytes[at] ^= bit;
        Specimen::refused(name, Over::Base, bytes, &mismatch(db.len()))
    };
    let free = (2..base.meta(meta::HIGH_WATER)).find(|page| !base.pages_in_use().contains(page));
    let free = super::image::page_at(free.expect("the base has a free page"));
    let row = base.entries("key")[3];
    let (value_at, value_len) = base.value_range(row);
    let mut zeros = db.to_vec();
    zeros.extend([0; 32]);
    let mut of_an_older_file = db.to_vec();
    of_an_older_file
        .extend_from_slice(&with_trailer(&db[..db.len() - PAGE_BYTES])[db.len() - PAGE_BYTES..]);
    vec![
        altered("trailer-first-bit", db.len(), 1),
        altered("trailer-last-bit", file.len() - 1, 0x80),
        Specimen::refused("trailer-zeros", Over::Base, zeros, &mismatch(db.len())),
        Specimen::refused(
            "trailer-of-another-file",
            Over::Base,
            of_an_older_file,
            &mismatch(db.len()),
        ),
        altered(
            "value-altered-under-its-trailer",
            value_at + value_len - 1,
            0x20,
        ),
        altered("free-page-altered-under-its-trailer", free + 100, 1),
        Specimen::refused(
            "trailer-short",
            Over::Base,
            file[..file.len() - 16].to_vec(),
            &length(file.len() - 16),
        ),
        Specimen {
            name: "trailer-missing",
            over: Over::Base,
            bytes: db.to_vec(),
            restore: Verdict::refused(format!(
                "its {} bytes end without the SHA-256 that etcd appends",
                db.len()
            )),
            // Its pages are sound, and the message says that nothing proves it.
            status: Verdict {
                code: 0,
                says: "has no SHA-256 trailer".to_owned(),
            },
            save: Some(Verdict::refused(format!(
                "ended after {} bytes without etcd's SHA-256 trailer",
                db.len()
            ))),
        },
    ]
}

fn lengths(base: &Image) -> Vec<Specimen> {
    let db = base.bytes();
    let file = base.snapshot();
    let truncated = |have: usize| {
        format!(
            "the database is truncated: it needs {} bytes, {have} are there",
            db.len()
        )
    };
    let cut = |name, len: usize, says: String| {
        Specimen::refused(name, Over::Base, file[..len].to_vec(), &says)
    };
    let sealed = |name, len: usize, says: String| {
        Specimen::refused(name, Over::Base, with_trailer(&db[..len]), &says)
    };
    let unsealed = |name, len: usize| Specimen {
        restore: Verdict::refused(format!(
            "its {len} bytes end without the SHA-256 that etcd appends"
        )),
        save: Some(Verdict::refused(format!(
            "ended after {len} bytes without etcd's SHA-256 trailer"
        ))),
        ..cut(name, len, truncated(len))
    };
    let mut longer = file.clone();
    longer.extend(b"\n");
    let mut twice = file.clone();
    twice.extend_from_slice(&file[db.len()..]);
    let twice_says = length(twice.len());
    let half = db.len() / 2 / PAGE_BYTES * PAGE_BYTES;
    vec![
        cut("file-empty", 0, "the snapshot is empty".to_owned()),
        cut(
            "file-of-31-bytes",
            31,
            "the snapshot has 31 bytes, a database has at least 1024".to_owned(),
        ),
        cut(
            "file-of-32-bytes",
            32,
            "the snapshot has 32 bytes, a database has at least 1024".to_owned(),
        ),
        cut(
            "file-of-1023-bytes",
            1_023,
            "the snapshot has 1023 bytes, a database has at least 1024".to_owned(),
        ),
        unsealed("file-cut-at-a-page", half),
        unsealed("file-cut-behind-the-metas", 2 * PAGE_BYTES),
        cut("file-cut-inside-a-page", half + 700, length(half + 700)),
        cut(
            "file-one-byte-short",
            file.len() - 1,
            length(file.len() - 1),
        ),
        sealed("file-cut-at-a-page-with-trailer", half, truncated(half)),
        sealed(
            "file-cut-inside-a-page-with-trailer",
            half + 512,
            truncated(half + 512),
        ),
        sealed(
            "file-first-quarter-of-a-page-with-trailer",
            1_024,
            truncated(1_024),
        ),
        Specimen::refused(
            "file-one-byte-longer",
            Over::Base,
            longer,
            &length(file.len() + 1),
        ),
        Specimen::refused("trailer-twice", Over::Base, twice, &twice_says),
    ]
}

/// Files of the same length that are not databases.
fn strangers() -> Vec<Specimen> {
    // Two pages of the smallest size: shorter files are refused because of their length.
    const SMALL_PAGE: usize = 512;
    let zeros = with_trailer(&[0; 2 * SMALL_PAGE]);
    let text = with_trailer(&b"apiVersion: v1\n\n".repeat(2 * SMALL_PAGE / 16));
    let mut empty_pages = vec![0; 2 * SMALL_PAGE];
    empty_pages[header::FLAGS] = 4;
    empty_pages[SMALL_PAGE] = 1;
    empty_pages[SMALL_PAGE + header::FLAGS] = 4;
    let metas = with_trailer(&empty_pages);
    let no_meta = |magic: &str| {
        format!(
            "no valid bolt meta page (at offset 0: magic {magic}, expected 0xed0cdaed; second: "
        )
    };
    vec![
        Specimen::refused(
            "stranger-zeros",
            Over::Nothing,
            zeros,
            &no_meta("0x00000000"),
        ),
        Specimen::refused("stranger-text", Over::Nothing, text, &no_meta("0x56697061")),
        Specimen::refused(
            "stranger-page-headers-only",
            Over::Nothing,
            metas,
            &no_meta("0x00000000"),
        ),
    ]
}

fn gzip(packed: &[u8]) -> Vec<Specimen> {
    let breaks = "its gzip stream breaks after ";
    let cut =
        |name, len: usize| Specimen::refused(name, Over::Packed, packed[..len].to_vec(), breaks);
    let flipped = |name, at: usize| {
        let mut bytes = packed.to_vec();
        bytes[at] ^= 1;
        Specimen::refused(name, Over::Packed, bytes, breaks)
    };
    vec![
        cut("gzip-header-only", 10),
        cut("gzip-cut", packed.len() / 2),
        cut("gzip-without-its-end", packed.len() - 8),
        flipped("gzip-crc", packed.len() - 8),
        flipped("gzip-length", packed.len() - 4),
        flipped("gzip-method", GZIP_METHOD_AT),
    ]
}

/// Streams written by hand: stored blocks need no compressor.
fn other_packings() -> Vec<Specimen> {
    const CONTENT: &[u8] = b"not a database, only some text in a stored block";
    let len = u16::try_from(CONTENT.len()).expect("a short text");
    let mut zlib = vec![0x78, 0x01, 0x01];
    zlib.extend(len.to_le_bytes());
    zlib.extend((!len).to_le_bytes());
    zlib.extend_from_slice(CONTENT);
    let cut = zlib[..zlib.len() - 10].to_vec();
    zlib.extend([0; 4]);
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let mut garbage = magic.to_vec();
    garbage.extend([0xff; 60]);
    // A frame of one segment with its size in one byte, and a raw block that is the last one.
    let mut zstd = magic.to_vec();
    zstd.extend([0x20, CONTENT.len().try_into().expect("a short text")]);
    let block = (u32::from(len) << 3) | 1;
    zstd.extend(&block.to_le_bytes()[..3]);
    zstd.extend_from_slice(CONTENT);
    let short = zstd[..zstd.len() - 10].to_vec();
    let whole = format!(
        "the snapshot has {} bytes, a database has at least 1024",
        CONTENT.len()
    );
    let unsent = |name, bytes, says: &str| Specimen {
        save: None,
        ..Specimen::refused(name, Over::Nothing, bytes, says)
    };
    vec![
        unsent("zlib-cut", cut, "its zlib stream breaks after "),
        unsent("zlib-adler", zlib, "its zlib stream breaks after "),
        unsent(
            "zstd-garbage",
            garbage,
            "its zstd stream breaks after 0 unpacked bytes",
        ),
        unsent("zstd-cut", short, "its zstd stream breaks after "),
        unsent("zstd-of-a-text", zstd, &whole),
    ]
}

fn length(len: usize) -> String {
    format!(
        "the snapshot has {len} bytes, which is neither a multiple of 512 (a database) nor 32 more"
    )
}
