//! Which version a change creates, and which one it replaces: pure rules of S3's three versioning states.

use crate::model::VersionNumber;
use crate::tables::{HeadRow, Versioning};

/// The effect of a new object or delete marker on a key's versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewVersion {
    /// The new version's number.
    pub(super) number: VersionNumber,
    /// Whether it is the null version.
    pub(super) is_null: bool,
    /// The null version that it replaces.
    pub(super) replaces: Option<VersionNumber>,
    /// The head afterwards.
    pub(super) head: HeadRow,
}

const FIRST: VersionNumber = VersionNumber(1);

/// The version that a put creates.
pub(super) fn new_version(versioning: Versioning, head: Option<&HeadRow>) -> NewVersion {
    let old = head.copied().unwrap_or(HeadRow {
        next: FIRST,
        current: None,
        null: None,
    });
    let number = old.next;
    let next = VersionNumber(number.0 + 1);
    match versioning {
        Versioning::Enabled => NewVersion {
            number,
            is_null: false,
            replaces: None,
            head: HeadRow {
                next,
                current: Some(number),
                null: old.null,
            },
        },
        Versioning::Unversioned | Versioning::Suspended => NewVersion {
            number,
            is_null: true,
            replaces: old.null,
            head: HeadRow {
                next,
                current: Some(number),
                null: Some(number),
            },
        },
    }
}

/// The head after one version is removed; `newest_left` is the newest remaining version. `None`: no version remains.
pub(super) fn without(
    head: &HeadRow,
    gone: VersionNumber,
    newest_left: Option<VersionNumber>,
) -> Option<HeadRow> {
    newest_left.map(|newest| HeadRow {
        next: head.next,
        current: Some(newest),
        null: head.null.filter(|null| *null != gone),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(next: u64, current: u64, null: Option<u64>) -> HeadRow {
        HeadRow {
            next: VersionNumber(next),
            current: Some(VersionNumber(current)),
            null: null.map(VersionNumber),
        }
    }

    #[test]
    fn an_unversioned_put_replaces_the_null_version() {
        let first = new_version(Versioning::Unversioned, None);
        assert_eq!(
            (first.number, first.is_null, first.replaces),
            (VersionNumber(1), true, None)
        );
        let second = new_version(Versioning::Unversioned, Some(&first.head));
        assert_eq!(second.replaces, Some(VersionNumber(1)));
        assert_eq!(second.head, head(3, 2, Some(2)));
    }

    #[test]
    fn an_enabled_put_keeps_all_and_a_suspended_one_replaces_null_only() {
        let enabled = new_version(Versioning::Enabled, Some(&head(3, 2, Some(2))));
        assert_eq!((enabled.is_null, enabled.replaces), (false, None));
        assert_eq!(enabled.head, head(4, 3, Some(2)));
        let suspended = new_version(Versioning::Suspended, Some(&enabled.head));
        assert_eq!(
            (suspended.is_null, suspended.replaces),
            (true, Some(VersionNumber(2)))
        );
        assert_eq!(suspended.head, head(5, 4, Some(4)));
    }

    #[test]
    fn the_last_version_takes_its_head_along() {
        assert_eq!(without(&head(3, 2, Some(2)), VersionNumber(2), None), None);
        let left = without(
            &head(4, 3, Some(3)),
            VersionNumber(3),
            Some(VersionNumber(1)),
        );
        assert_eq!(left, Some(head(4, 1, None)));
    }
}
