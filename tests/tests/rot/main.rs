//! Flipped bits, frames in the wrong place, exchanged files: each is detected, none is served.
//!
//! Two copies of one store are damaged in the same way: a server runs on one and serves every object after each flip in
//! a pack, the doctor checks the other one. Metadata is damaged in copies on which a server is then started.

mod packfile;
mod store;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use strongroom_tests::garbage;
use strongroom_tests::soak::{self, Row};
use strongroom_tests::workload::random::Random;

use self::packfile::{Part, parts};
use self::store::{Rest, Stored};

/// Flips in `make test`, by target.
const FLIPS_OF_PACKS: u64 = 400;
const FLIPS_OF_META: u64 = 120;

/// Files of RocksDB without rows: its own log, its options for people, its lock, an id that nobody reads.
const WITHOUT_ROWS: [&str; 4] = ["LOG", "OPTIONS", "LOCK", "IDENTITY"];

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).expect("the file is there");
    let at = usize::try_from(bit / 8).expect("small");
    bytes[at] ^= 1 << (bit % 8);
    // In place: a running server has the file open.
    let file = fs::File::options().write(true).open(path);
    let file = file.expect("the file opens");
    file.write_all_at(&bytes[at..=at], u64::try_from(at).expect("small"))
        .expect("the disk has room");
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_flipped_bit_of_a_pack_is_found_and_none_is_served() {
    let seed = soak::number("STRONGROOM_SEED", 4);
    let mut random = Random::new(seed);
    let stored = Stored::new(Rest::Stopped);
    let (mut serving, looked) = (stored.copy("serving"), stored.copy("looked"));
    serving.server.boot();
    assert_eq!(
        garbage::complaints(&looked.server),
        [""; 0],
        "a healthy store"
    );
    assert_eq!(serving.wrong_or_missing(), (0, 0), "a healthy store");
    let packs = files(&looked.server.data_dir().join("packs"));
    let flips = soak::number("STRONGROOM_ROT_FLIPS", FLIPS_OF_PACKS);
    let mut row = Row {
        fault: "one bit of a pack flipped".to_owned(),
        cycles: flips,
        checked: 0,
        lost: 0,
        wrong: 0,
        seed,
    };
    let mut found_by_read = 0;
    for n in 0..flips {
        let pack = &packs[usize::try_from(random.bits()).unwrap_or(0) % packs.len()];
        let pack = pack.strip_prefix(looked.server.data_dir()).expect("below");
        // Each kind of part equally often, however few bytes it has.
        let kind = Part::ALL[usize::try_from(n).expect("small") % Part::ALL.len()];
        let places: Vec<_> = parts(&looked.server.data_dir().join(pack))
            .into_iter()
            .filter(|(part, _)| *part == kind)
            .collect();
        let (_, range) = &places[usize::try_from(random.bits() >> 8).unwrap_or(0) % places.len()];
        let bit = range.start * 8 + random.bits() % ((range.end - range.start) * 8);
        for copy in [&serving, &looked] {
            flip(&copy.server.data_dir().join(pack), bit);
        }
        let report = garbage::doctor(&looked.server);
        let name = pack.file_stem().expect("a name").to_string_lossy();
        let named = report["findings"].as_array().is_some_and(|findings| {
            findings.iter().any(|finding| {
                finding["pack"] == *name && !finding["next"].as_str().unwrap_or("").is_empty()
            })
        });
        assert!(
            named,
            "seed {seed}: bit {bit} of {} ({kind:?}) is not found: {report}",
            pack.display()
        );
        let (wrong, missing) = serving.wrong_or_missing();
        row.checked += serving.objects();
        row.wrong += wrong;
        found_by_read += u64::from(missing > 0);
        for copy in [&serving, &looked] {
            flip(&copy.server.data_dir().join(pack), bit);
        }
    }
    println!(
        "{flips} flips of packs: all found by the doctor, {found_by_read} also refused to a GET of everything"
    );
    assert_eq!(serving.wrong_or_missing(), (0, 0), "healed");
    row.report();
}

#[test]
fn every_flipped_bit_of_metadata_is_found_and_no_wrong_byte_is_served() {
    let seed = soak::number("STRONGROOM_SEED", 5);
    let mut random = Random::new(seed);
    let flips = soak::number("STRONGROOM_ROT_META_FLIPS", FLIPS_OF_META);
    let mut row = Row {
        fault: "one bit of the metadata or the identity file flipped".to_owned(),
        cycles: flips,
        checked: 0,
        lost: 0,
        wrong: 0,
        seed,
    };
    let mut without_effect = 0;
    let rests = [Rest::Stopped, Rest::Killed].map(Stored::new);
    for n in 0..flips {
        let stored = &rests[usize::from(n % 2 == 1)];
        let mut copy = stored.copy("flipped");
        let dir = copy.server.data_dir().to_owned();
        let mut targets = files(&dir.join("meta"));
        targets.push(dir.join("STRONGROOM"));
        targets.retain(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let bare = WITHOUT_ROWS.iter().any(|bare| name.starts_with(bare));
            !bare && fs::metadata(path).is_ok_and(|stat| stat.len() > 0)
        });
        let target = &targets[usize::try_from(random.bits() >> 8).unwrap_or(0) % targets.len()];
        let len = fs::metadata(target).expect("there").len();
        let bit = random.bits() % (len * 8);
        flip(target, bit);
        let place = format!(
            "seed {seed}, flip {n}: bit {bit} of {} ({len} bytes)",
            target.strip_prefix(&dir).expect("below").display()
        );
        let (exit, said) = copy.doctor_exit();
        let found = exit == 7;
        // RocksDB ignores a table's filter and statistics when their checksum fails: no answer depends on them.
        let spare = target.extension().is_some_and(|kind| kind == "sst");
        assert!(found || spare, "{place}: the doctor says {exit}: {said}");
        without_effect += u64::from(!found);
        // A server may refuse to start, or serve untouched data; nothing else.
        if copy.starts() {
            let (wrong, missing) = copy.wrong_or_missing();
            row.checked += copy.objects();
            row.wrong += wrong;
            assert!(wrong == 0 && (found || missing == 0), "{place}");
        } else {
            assert!(found, "{place}: nothing is found, and no start");
        }
    }
    println!(
        "{flips} flips of metadata: {without_effect} in filters and statistics without effect, all others found"
    );
    assert!(without_effect * 3 < flips, "most of a table is rows");
    row.report();
}

#[test]
fn a_frame_in_the_place_of_another_is_found() {
    let stored = Stored::new(Rest::Stopped);
    let mut copy = stored.copy("misdirected");
    let packs = files(&copy.server.data_dir().join("packs"));
    let frames: Vec<(PathBuf, std::ops::Range<u64>)> = packs
        .iter()
        .flat_map(|pack| parts(pack).into_iter().map(|part| (pack.clone(), part)))
        .filter(|(_, (part, _))| *part == Part::Frame)
        .map(|(pack, (_, range))| (pack, range))
        .collect();
    let mut swapped = 0;
    for (at, (pack, range)) in frames.iter().enumerate() {
        let len = range.end - range.start;
        let same = |(_, other): &&(PathBuf, std::ops::Range<u64>)| other.end - other.start == len;
        let Some((other_pack, other)) = frames[at + 1..].iter().find(same) else {
            continue;
        };
        let (one, two) = (
            fs::read(pack).expect("there"),
            fs::read(other_pack).expect("there"),
        );
        let mut changed = one.clone();
        let place = usize::try_from(range.start).expect("small")
            ..usize::try_from(range.end).expect("small");
        let from = usize::try_from(other.start).expect("small")
            ..usize::try_from(other.end).expect("small");
        changed[place].copy_from_slice(&two[from]);
        fs::write(pack, &changed).expect("room");
        assert_ne!(
            garbage::complaints(&copy.server),
            [""; 0],
            "{}",
            pack.display()
        );
        assert!(copy.starts(), "a misplaced frame is no reason not to start");
        let (wrong, missing) = copy.wrong_or_missing();
        assert_eq!(wrong, 0, "{}", pack.display());
        assert!(
            missing > 0,
            "{} serves a frame from elsewhere",
            pack.display()
        );
        copy.server.stop();
        fs::write(pack, &one).expect("room");
        swapped += 1;
        if swapped == 8 {
            break;
        }
    }
    assert!(
        swapped >= 3,
        "frames of the same length are there to be swapped"
    );
    println!(
        "durability | frame of another place in its place | cycles {swapped} | all found, none served"
    );
}
