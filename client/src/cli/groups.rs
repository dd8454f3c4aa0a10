//! Groups keys by their folders, as `du` groups files.
//!
//! Owns: which group a key is in, and a table of groups with a limit. A group is a folder and ends with a slash, so that it can be
//! given as the next `--prefix`. Levels are counted below the prefix. For Kubernetes, the first level is the resource
//! (`/registry/pods/`, `/registry/apps.example/widgets/`, `/registry/services/specs/`), the second the namespace.

use std::collections::HashMap;

use serde::Serialize;

use super::output::{key_text, safe};

/// Groups that are told apart; the keys of further ones are summed.
pub(super) const GROUPS_MAX: usize = 10_000;
/// Bytes of their names, since a key may have a megabyte.
const NAME_BYTES_MAX: usize = 16 << 20;
/// The root of all Kubernetes keys, unless its API server was told another one.
const KUBERNETES: &[u8] = b"/registry/";

/// How keys are grouped.
#[derive(Debug, Clone)]
pub(super) struct Grouping {
    /// Only keys with this prefix.
    pub(super) prefix: Vec<u8>,
    /// Levels below it.
    pub(super) depth: usize,
}

impl Grouping {
    /// Whether this key is asked for.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        key.starts_with(&self.prefix)
    }

    /// The folder of a key that is asked for, at most `depth` levels down.
    pub(super) fn group<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        let in_kubernetes = key.starts_with(KUBERNETES) && self.prefix.len() <= KUBERNETES.len();
        let start = if in_kubernetes {
            KUBERNETES.len()
        } else {
            // A slash that separates the prefix from what is below it is no level.
            let at = self.prefix.len();
            at + usize::from(at > 0 && !self.prefix.ends_with(b"/") && key.get(at) == Some(&b'/'))
        };
        let mut end = if in_kubernetes || self.prefix.ends_with(b"/") || start > self.prefix.len() {
            start
        } else {
            folder(key, start)
        };
        let mut at = start;
        for level in 0..self.depth {
            let Some(mut next) = next_folder(key, at) else {
                break;
            };
            let has_two = key.get(at..next).is_some_and(is_half_of_a_resource);
            if level == 0 && in_kubernetes && has_two {
                next = next_folder(key, next).unwrap_or(next);
            }
            (at, end) = (next, next);
        }
        key.get(..end).unwrap_or_default()
    }
}

/// The end of the folder that ends next after `at`.
fn next_folder(key: &[u8], at: usize) -> Option<usize> {
    let rest = key.get(at..)?;
    // A key that begins with a slash has no empty folder in front.
    let skipped = usize::from(at == 0 && rest.first() == Some(&b'/'));
    let slash = rest.get(skipped..)?.iter().position(|byte| *byte == b'/')?;
    Some(at + skipped + slash + 1)
}

/// The end of the last folder before `at`.
fn folder(key: &[u8], at: usize) -> usize {
    let before = key.get(..at).unwrap_or_default();
    let slash = before.iter().rposition(|byte| *byte == b'/');
    slash.map_or(0, |slash| slash + 1)
}

/// An API group (`apps.example/`), or the one built-in resource with two parts.
fn is_half_of_a_resource(folder: &[u8]) -> bool {
    folder.contains(&b'.') || folder == b"services/"
}

/// A group and what was counted in it.
#[derive(Debug, Serialize)]
pub(super) struct Group<T> {
    pub(super) prefix: String,
    #[serde(flatten)]
    pub(super) counted: T,
}

impl<T> Group<T> {
    pub(super) fn of((prefix, counted): (Vec<u8>, T)) -> Self {
        let prefix = key_text(&prefix);
        Self { prefix, counted }
    }

    /// Its name in a table. A group without a folder has an empty one.
    pub(super) fn name(&self) -> String {
        if self.prefix.is_empty() {
            "\"\"".to_owned()
        } else {
            safe(&self.prefix)
        }
    }
}

/// The name of all groups beyond the limit in a table.
pub(super) fn name_of_others() -> String {
    format!("others   (beyond {GROUPS_MAX} groups: use a smaller --depth or a longer --prefix)")
}

/// A table of groups.
#[derive(Debug)]
pub(super) struct Groups<T> {
    by_name: HashMap<Vec<u8>, T>,
    name_bytes: usize,
    limit: usize,
    others: Option<T>,
}

impl<T: Default> Groups<T> {
    pub(super) fn new() -> Self {
        Self::with_limit(GROUPS_MAX)
    }

    fn with_limit(limit: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            name_bytes: 0,
            limit,
            others: None,
        }
    }

    /// The entry of a group; beyond the limit, that of all others.
    pub(super) fn of(&mut self, group: &[u8]) -> &mut T {
        if !self.by_name.contains_key(group) {
            let name_bytes = self.name_bytes.saturating_add(group.len());
            if self.by_name.len() >= self.limit || name_bytes > NAME_BYTES_MAX {
                return self.others.get_or_insert_default();
            }
            self.name_bytes = name_bytes;
            self.by_name.insert(group.to_owned(), T::default());
        }
        self.by_name.get_mut(group).expect("just inserted")
    }

    /// The groups, the greatest by `rank` first, then by name; and the sum of the others.
    pub(super) fn ranked(self, rank: impl Fn(&T) -> u64) -> (Vec<(Vec<u8>, T)>, Option<T>) {
        let mut groups: Vec<_> = self.by_name.into_iter().collect();
        groups.sort_by(|(a_name, a), (b_name, b)| rank(b).cmp(&rank(a)).then(a_name.cmp(b_name)));
        (groups, self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn grouped(prefix: &str, depth: usize, key: &str, expected: &str) {
        let grouping = Grouping {
            prefix: prefix.as_bytes().to_vec(),
            depth,
        };
        assert!(grouping.has(key.as_bytes()));
        let group = String::from_utf8_lossy(grouping.group(key.as_bytes())).into_owned();
        assert_eq!(group, expected, "{key} below {prefix:?}, {depth} levels");
    }

    #[test]
    fn kubernetes_keys_are_grouped_by_resource_then_namespace() {
        let pod = "/registry/pods/kube-system/coredns-1";
        grouped("", 1, pod, "/registry/pods/");
        grouped("/", 1, pod, "/registry/pods/");
        grouped("/registry/", 2, pod, "/registry/pods/kube-system/");
        grouped("/registry", 1, pod, "/registry/pods/");
        grouped("", 9, pod, "/registry/pods/kube-system/");
        grouped("", 2, "/registry/minions/node-1", "/registry/minions/");
        grouped(
            "",
            1,
            "/registry/example.com/widgets/ns/w",
            "/registry/example.com/widgets/",
        );
        grouped(
            "",
            2,
            "/registry/example.com/widgets/ns/w",
            "/registry/example.com/widgets/ns/",
        );
        grouped(
            "",
            1,
            "/registry/services/specs/default/kubernetes",
            "/registry/services/specs/",
        );
        grouped("", 1, "/registry/health", "/registry/");
    }

    #[test]
    fn levels_begin_below_the_prefix() {
        let pod = "/registry/pods/kube-system/coredns-1";
        grouped("/registry/pods/", 1, pod, "/registry/pods/kube-system/");
        grouped("/registry/pods", 1, pod, "/registry/pods/kube-system/");
        grouped(
            "/registry/pods/kube-system/core",
            1,
            pod,
            "/registry/pods/kube-system/",
        );
        grouped(pod, 1, pod, "/registry/pods/kube-system/");
        grouped("/registry/po", 1, pod, "/registry/pods/");
    }

    #[test]
    fn other_keys_are_grouped_by_folders() {
        grouped("", 1, "calico/ipam/v2/x", "calico/");
        grouped("", 2, "calico/ipam/v2/x", "calico/ipam/");
        grouped("", 1, "/calico/ipam/x", "/calico/");
        grouped("", 1, "/calico", "");
        grouped("", 1, "plain", "");
        grouped("pl", 3, "plain", "");
        grouped("a", 1, "a//b", "a//");
    }

    #[test]
    fn groups_beyond_the_limit_are_summed() {
        let mut groups = Groups::<u64>::with_limit(2);
        for (group, count) in [("a", 1), ("b", 5), ("c", 7), ("a", 2), ("d", 1)] {
            *groups.of(group.as_bytes()) += count;
        }
        let long = vec![b'x'; NAME_BYTES_MAX + 1];
        let (ranked, others) = groups.ranked(|count| *count);
        assert_eq!(ranked, [(b"b".to_vec(), 5), (b"a".to_vec(), 3)]);
        assert_eq!(others, Some(8));
        let mut groups = Groups::<u64>::new();
        *groups.of(&long) += 1;
        assert_eq!(groups.ranked(|count| *count), (Vec::new(), Some(1)));
    }
}
