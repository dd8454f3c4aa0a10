//! Logs compared with those of etcdutl 3.5, and hostile segments.

use proptest::prelude::{any, prop, proptest};
use sha2::{Digest, Sha256};

use super::*;
use crate::membership::{ClusterId, InitialCluster, MemberId, Membership, Token};

fn membership(cluster: &str, token: &str) -> Membership {
    let cluster = InitialCluster::parse(cluster).expect("the list is right");
    Membership::new(&cluster, &Token::new(token)).expect("ids differ")
}

fn one() -> (Membership, MemberId) {
    (
        membership("m1=http://10.0.0.1:2380", "etcd-cluster"),
        MemberId(0x3ebc_01ae_c68d_6d70),
    )
}

fn three() -> (Membership, MemberId) {
    let list = "n1=http://127.0.0.1:22380,n2=http://127.0.0.1:22381,n3=http://127.0.0.1:22382";
    (membership(list, "tok-1"), MemberId(0x2e43_cc1a_7cdd_0f6e))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn a_log_of_one_member_is_that_of_etcdutl() {
    let (members, local) = one();
    let log = restore_wal(&members, local);
    assert_eq!(log.len(), 272);
    assert_eq!(
        sha256(&log),
        "9b853d93a45f8f4d6b7b9e7ccba99f9522904bc65c987cfee76ab027976241ea"
    );
    let start = "040000000000008408041000000000001f000000000000810801108edbf0aa01";
    assert!(hex::encode(&log).starts_with(start));
}

#[test]
fn a_log_of_three_members_is_that_of_etcdutl() {
    let (members, local) = three();
    let log = restore_wal(&members, local);
    assert_eq!(log.len(), 528);
    assert_eq!(
        sha256(&log),
        "78e3c3fe9be8f882fff446ee2f03678cae6e8e373895516493ae4dc7609b3956"
    );
    let decoded = decode(&log).expect("own bytes decode");
    let crcs = [
        0,
        0xff2c_21ed,
        0xba8b_d803,
        0xe117_a6e6,
        0xed55_7f75,
        0x97a1_6c1e,
        0xe0b7_7986,
        0xecc4_670f,
    ];
    assert_eq!(decoded.crcs, crcs);
}

#[test]
fn a_log_says_what_was_put_into_it() {
    let (members, local) = three();
    let log = restore_wal(&members, local);
    let decoded = decode(&log).expect("own bytes decode");
    assert_eq!(
        decoded.metadata,
        Some((local, ClusterId(0xce9f_81e4_9d62_05d9)))
    );
    assert_eq!(
        decoded.hard_state,
        Some(HardState {
            term: 1,
            vote: local.0,
            commit: 3
        })
    );
    assert_eq!(decoded.end, 528);
    let ids: Vec<MemberId> = members.members.iter().map(|member| member.id).collect();
    let marks = [
        SnapshotMark {
            index: 0,
            term: 0,
            voters: vec![],
        },
        SnapshotMark {
            index: 3,
            term: 1,
            voters: ids.clone(),
        },
    ];
    assert_eq!(decoded.snapshots, marks);
    for ((index, entry), member) in (1..).zip(&decoded.entries).zip(&members.members) {
        assert_eq!((entry.kind, entry.term, entry.index), (1, 1, index));
        let change = entry.conf_change().expect("own bytes decode");
        let json = member.to_json();
        let expected = ConfChange {
            kind: 0,
            member: member.id,
            context: json.as_bytes(),
        };
        assert_eq!(change, expected);
    }
    assert_eq!(decoded.entries.len(), 3);
}

#[test]
fn a_preallocated_log_ends_at_its_first_zero_frame() {
    let (members, local) = one();
    let mut log = restore_wal(&members, local);
    log.resize(log.len() + 1003, 0);
    assert_eq!(decode(&log).expect("zeros may follow").end, 272);
    log[300] = 1;
    assert_eq!(
        decode(&log),
        Err(WalError {
            offset: 300,
            defect: WalDefect::AfterEnd
        })
    );
}

#[test]
fn a_second_segment_carries_the_crc_on() {
    let (members, local) = one();
    let log = restore_wal(&members, local);
    let last = *decode(&log)
        .expect("own bytes decode")
        .crcs
        .last()
        .expect("there are records");
    // A crc record in the middle repeats the running value; at the start of a segment it sets it.
    let mut crc_record = Vec::new();
    crate::proto::put_varint_field(&mut crc_record, 1, CRC);
    crate::proto::put_varint_field(&mut crc_record, 2, u64::from(last));
    let mut frame = u64::try_from(crc_record.len())
        .expect("it is short")
        .to_le_bytes()
        .to_vec();
    assert_eq!(crc_record.len(), 8, "no padding is needed");
    frame.extend(&crc_record);
    let joined = [log.as_slice(), &frame].concat();
    assert_eq!(decode(&joined).expect("the value is repeated").end, 288);
    assert_eq!(decode(&frame).expect("the value is set").crcs, [last]);
    let mut wrong = joined;
    wrong[272 + 8 + 3] ^= 1;
    let error = decode(&wrong).expect_err("another value");
    assert!(
        matches!(
            error,
            WalError {
                offset: 272,
                defect: WalDefect::Crc { .. }
            }
        ),
        "{error}"
    );
}

#[test]
fn damage_is_named_with_its_offset() {
    let (members, local) = one();
    let log = restore_wal(&members, local);
    let with = |at: usize, byte: u8| {
        let mut log = log.clone();
        log[at] = byte;
        log
    };
    // The hard state's frame begins at 0xc8; its record has 24 bytes.
    let cut = WalError {
        offset: 0xc8,
        defect: WalDefect::Truncated { len: 24 },
    };
    assert_eq!(decode(&log[..0xd8]), Err(cut));
    let flipped = decode(&with(0x22, 0xff)).expect_err("data changed");
    assert!(matches!(
        flipped,
        WalError {
            offset: 0x10,
            defect: WalDefect::Message(_) | WalDefect::Crc { .. }
        }
    ));
    let padding = decode(&with(7, 0x88)).expect_err("8 bytes of padding");
    assert!(
        matches!(
            padding,
            WalError {
                offset: 0,
                defect: WalDefect::Length { .. }
            }
        ),
        "{padding}"
    );
    let unknown = decode(&with(0x19, 9)).expect_err("type 9");
    assert_eq!(
        unknown,
        WalError {
            offset: 0x10,
            defect: WalDefect::Type { found: 9 }
        }
    );
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
    }
}

/// The message of the first record: no data, type 4, crc 0. A change to one of its bytes has no effect.
const FIRST_RECORD: std::ops::Range<usize> = 8..12;

#[test]
fn each_changed_byte_is_found_unless_it_means_nothing() {
    let (members, local) = three();
    let log = restore_wal(&members, local);
    let whole = decode(&log).expect("own bytes decode");
    let mut changed = log.clone();
    for at in 0..log.len() {
        for byte in 0..=u8::MAX {
            changed[at] = byte;
            let unseen = decode(&changed).is_ok_and(|decoded| decoded == whole);
            // Padding is not read.
            let means_nothing = byte == log[at] || log[at] == 0 || FIRST_RECORD.contains(&at);
            assert!(!unseen || means_nothing, "byte {at} as {byte} goes unseen");
        }
        changed[at] = log[at];
    }
}
