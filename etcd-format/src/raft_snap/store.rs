//! The v2 store as JSON.
//!
//! Owns: the document that etcd 3.4 and 3.5 write after one `create` per member, and reading the membership from any such
//! document. Must not know the file around it. The output is identical byte for byte, although etcd would boot from less:
//! deterministic output can be compared by its hash, also with the official tool's.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;

use super::RaftSnapError;
use crate::{
    gojson,
    membership::{Member, MemberId, Membership},
    width::u64_of,
};

/// Slots of the v2 store's ring of events; unused slots are `null`.
const EVENTS: usize = 1000;
const _: () = assert!(
    crate::membership::MEMBERS_MAX < EVENTS,
    "the ring must not wrap"
);

/// The expiry time of v2 nodes that never expire.
const NO_EXPIRY: &str = "0001-01-01T00:00:00Z";

/// The document after the creation of all members in the order of their ids.
pub(super) fn restore_json(membership: &Membership) -> String {
    let members = &membership.members;
    let count = u64_of(members.len());
    let mut out = String::new();
    out.push_str("{\"Root\":");
    put_root(&mut out, members);
    out.push_str(",\"WatcherHub\":{\"EventHistory\":{\"Queue\":{\"Events\":[");
    for slot in 0..EVENTS {
        if slot > 0 {
            out.push(',');
        }
        match members.get(slot) {
            Some(member) => put_event(&mut out, member, u64_of(slot) + 1),
            None => out.push_str("null"),
        }
    }
    put(
        &mut out,
        format_args!("],\"Size\":{count},\"Front\":0,\"Back\":{count},\"Capacity\":{EVENTS}}},"),
    );
    put(
        &mut out,
        format_args!(
            "\"StartIndex\":1,\"LastIndex\":{count}}}}},\"CurrentIndex\":{count},\"Stats\":{{"
        ),
    );
    out.push_str("\"getsSuccess\":0,\"getsFail\":0,\"setsSuccess\":0,\"setsFail\":0,\"deleteSuccess\":0,\"deleteFail\":0,");
    put(
        &mut out,
        format_args!(
            "\"updateSuccess\":0,\"updateFail\":0,\"createSuccess\":{count},\"createFail\":0,"
        ),
    );
    out.push_str(
        "\"compareAndSwapSuccess\":0,\"compareAndSwapFail\":0,\"compareAndDeleteSuccess\":0,",
    );
    out.push_str(
        "\"compareAndDeleteFail\":0,\"expireCount\":0,\"watchers\":0},\"CurrentVersion\":2}",
    );
    out
}

fn put_root(out: &mut String, members: &[Member]) {
    // Go sorts map keys as text. This differs from the order of ids of different lengths.
    let by_text: BTreeMap<String, (u64, &Member)> = (1..)
        .zip(members)
        .map(|(index, member)| (member.id.to_string(), (index, member)))
        .collect();
    put_node(out, "/", 0, "");
    out.push_str("{\"0\":");
    put_node(out, "/0", 0, "");
    out.push_str("{\"members\":");
    put_node(out, "/0/members", 1, "");
    out.push('{');
    for (position, (id, (index, member))) in by_text.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        let path = format!("/0/members/{id}");
        put(out, format_args!("\"{id}\":"));
        put_node(out, &path, *index, "");
        out.push_str("{\"raftAttributes\":");
        put_node(
            out,
            &format!("{path}/raftAttributes"),
            *index,
            &raft_attributes(member),
        );
        out.push_str("null}}}");
    }
    // The members, and node 0.
    out.push_str("}}}},\"1\":");
    put_node(out, "/1", 0, "");
    out.push_str("{}}}}");
}

/// A node up to its children; the caller writes the children and closes the node.
fn put_node(out: &mut String, path: &str, index: u64, value: &str) {
    out.push_str("{\"Path\":");
    gojson::put_string(out, path);
    put(
        out,
        format_args!(
            ",\"CreatedIndex\":{index},\"ModifiedIndex\":{index},\"ExpireTime\":\"{NO_EXPIRY}\",\"Value\":"
        ),
    );
    gojson::put_string(out, value);
    out.push_str(",\"Children\":");
}

fn put_event(out: &mut String, member: &Member, index: u64) {
    put(
        out,
        format_args!(
            "{{\"action\":\"create\",\"node\":{{\"key\":\"/0/members/{}/raftAttributes\",\"value\":",
            member.id
        ),
    );
    gojson::put_string(out, &raft_attributes(member));
    put(
        out,
        format_args!(",\"modifiedIndex\":{index},\"createdIndex\":{index}}}}}"),
    );
}

/// JSON for a string inside JSON: it is escaped twice.
fn raft_attributes(member: &Member) -> String {
    let mut out = String::from("{\"peerURLs\":");
    gojson::put_string_array(&mut out, &member.peer_urls);
    out.push('}');
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes any text");
}

/// A member in the v2 store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct V2Member {
    /// Its id.
    pub id: MemberId,
    /// URLs for other members.
    pub peer_urls: Vec<String>,
    /// Its name, if it has published one.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "Root")]
    root: Node,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Node {
    #[serde(rename = "Value")]
    value: String,
    #[serde(rename = "Children")]
    children: Option<BTreeMap<String, Node>>,
}

impl Node {
    fn child(&self, name: &str) -> Option<&Node> {
        self.children
            .as_ref()
            .and_then(|children| children.get(name))
    }

    fn children(&self) -> impl Iterator<Item = (&String, &Node)> {
        self.children.iter().flatten()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RaftAttributes {
    #[serde(rename = "peerURLs")]
    peer_urls: Vec<String>,
}

#[derive(Deserialize)]
struct Attributes {
    #[serde(default)]
    name: Option<String>,
}

/// The members in the document, and whether it contains user keys.
pub(super) fn decode(json: &[u8], offset: u64) -> Result<(Vec<V2Member>, bool), RaftSnapError> {
    let fault = |source| RaftSnapError::Store { offset, source };
    let document: Document = serde_json::from_slice(json).map_err(fault)?;
    let mut members = Vec::new();
    let listed = document
        .root
        .child("0")
        .and_then(|node| node.child("members"));
    for (id, node) in listed.into_iter().flat_map(Node::children) {
        let number = u64::from_str_radix(id, 16).map_err(|_| RaftSnapError::MemberId {
            offset,
            id: id.clone(),
        })?;
        let attributes: RaftAttributes = match node.child("raftAttributes") {
            Some(node) => serde_json::from_str(&node.value).map_err(fault)?,
            None => RaftAttributes::default(),
        };
        let name = match node.child("attributes") {
            Some(node) => {
                serde_json::from_str::<Attributes>(&node.value)
                    .map_err(fault)?
                    .name
            }
            None => None,
        };
        members.push(V2Member {
            id: MemberId(number),
            peer_urls: attributes.peer_urls,
            name,
        });
    }
    let user_content = document
        .root
        .child("1")
        .is_some_and(|node| node.children().next().is_some());
    Ok((members, user_content))
}
