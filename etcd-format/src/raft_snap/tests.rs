//! Files compared with those of etcdutl 3.5, and hostile files.

use proptest::prelude::{any, prop, proptest};
use sha2::{Digest, Sha256};

use super::*;
use crate::membership::{InitialCluster, Token};

fn membership(cluster: &str, token: &str) -> Membership {
    let cluster = InitialCluster::parse(cluster).expect("the list is right");
    Membership::new(&cluster, &Token::new(token)).expect("ids differ")
}

fn three() -> Membership {
    membership(
        "n1=http://127.0.0.1:22380,n2=http://127.0.0.1:22381,n3=http://127.0.0.1:22382",
        "tok-1",
    )
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[test]
fn the_file_of_one_member_is_that_of_etcdutl() {
    let members = membership("m1=http://10.0.0.1:2380", "etcd-cluster");
    let file = restore_snap(&members);
    assert_eq!(file.len(), 6487);
    assert!(hex::encode(&file).starts_with("08fae886c30412ce320ab732"));
    assert!(hex::encode(&file).ends_with("12120a0c08f0dab5b4ecb580de3e280010011801"));
    assert_eq!(
        sha256(&file),
        "f8ef673151c6160292022f51e234899162f28df4783848bed2ca5dd8785618af"
    );
    assert_eq!(
        file_name(&members),
        "0000000000000001-0000000000000001.snap"
    );
}

#[test]
fn the_file_of_three_members_is_that_of_etcdutl() {
    let members = three();
    let file = restore_snap(&members);
    assert_eq!(file.len(), 7569);
    assert_eq!(
        sha256(&file),
        "cf6dc887dab02c44b625f71b3b10c651c7d076c465e04e7bb5485e937228a64c"
    );
    assert_eq!(
        file_name(&members),
        "0000000000000001-0000000000000003.snap"
    );
}

#[test]
fn the_file_says_what_was_put_into_it() {
    let members = three();
    let decoded = decode(&restore_snap(&members)).expect("own bytes decode");
    assert_eq!(
        (decoded.index, decoded.term, decoded.has_v2_content),
        (3, 1, false)
    );
    let ids: Vec<MemberId> = members.members.iter().map(|member| member.id).collect();
    assert_eq!(decoded.voters, ids);
    let expected: Vec<V2Member> = members
        .members
        .iter()
        .map(|member| V2Member {
            id: member.id,
            peer_urls: member.peer_urls.clone(),
            name: None,
        })
        .collect();
    assert_eq!(decoded.members, expected);
}

#[test]
fn children_are_sorted_as_text_and_events_by_id() {
    let mut members = three();
    members.members[0].id = MemberId(0xfff);
    let json = store::restore_json(&members);
    let first = json.find("\"fff\":").expect("the short id is there");
    let second = json
        .find("\"583f563645c3ed55\":")
        .expect("the long id is there");
    assert!(second < first, "5 sorts before f");
    let events = json
        .split_once("\"Events\":[")
        .expect("the ring is there")
        .1;
    assert!(
        events.starts_with(
            "{\"action\":\"create\",\"node\":{\"key\":\"/0/members/fff/raftAttributes\""
        )
    );
}

#[test]
fn damage_is_named() {
    let file = restore_snap(&three());
    let mut flipped = file.clone();
    flipped[100] ^= 1;
    assert!(matches!(decode(&flipped), Err(RaftSnapError::Crc { .. })));
    assert!(matches!(
        decode(&file[..1000]),
        Err(RaftSnapError::Frame(_))
    ));
    assert!(matches!(decode(&[]), Err(RaftSnapError::Empty)));
    let (mut no_crc, mut no_data) = (Vec::new(), Vec::new());
    put_bytes_field(&mut no_crc, 2, b"data");
    put_varint_field(&mut no_data, 1, 7);
    for halved in [no_crc, no_data] {
        assert!(matches!(decode(&halved), Err(RaftSnapError::Empty)));
    }
    assert!(matches!(
        decode(&framed(b"\x0a\x02{}")),
        Err(RaftSnapError::Store { .. })
    ));
    // The CRC's field has six bytes, tag and length of the data two.
    assert!(matches!(
        decode(&framed(b"\x0a\x05{}")),
        Err(RaftSnapError::Snapshot { offset: 8, .. })
    ));
    let odd = br#"{"Root":{"Children":{"0":{"Children":{"members":{"Children":{"xyz":{}}}}}}}}"#;
    let mut data = Vec::new();
    put_bytes_field(&mut data, 1, odd);
    assert!(
        matches!(decode(&framed(&data)), Err(RaftSnapError::MemberId { id, .. }) if id == "xyz")
    );
}

fn framed(data: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    put_varint_field(&mut file, 1, u64::from(crc32c::of(data)));
    put_bytes_field(&mut file, 2, data);
    file
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        let _ = decode(&framed(&bytes));
    }

    #[test]
    fn a_changed_byte_behind_the_crc_never_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let file = restore_snap(&three());
        let (_, data) = frame(&file).expect("own bytes decode");
        let mut data = data.to_vec();
        let at = at.index(data.len());
        data[at] = byte;
        let _ = decode(&framed(&data));
    }
}
