//! The prefixes of a bucket that have full snapshots: for the message when the given one has none.
//!
//! Walks the folders of the bucket level by level, without listing the snapshots in them. A failure or a limit only makes the
//! message shorter.

use std::collections::VecDeque;

use strongroom_client::s3::{ListRequest, S3Client};

/// A prefix that is nested deeper is not found. Nobody nests clusters deeper than `region/site/cluster`.
const DEPTH_MAX: usize = 4;
/// Each folder takes one request, each prefix with snapshots one more. A hundred clusters take some seconds.
const REQUESTS_MAX: usize = 300;
/// Prefixes that are named.
const NAMED_MAX: usize = 100;
/// etcdbrctl's folder.
const SNAPSHOTS: &str = "v2/";

/// The prefixes that were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Without a slash at the end; empty for the bucket itself.
    pub found: Vec<String>,
    /// Whether there may be more.
    pub more: bool,
}

pub(super) async fn with_snapshots(client: &S3Client, bucket: &str) -> Prefixes {
    let mut walk = Walk {
        client,
        bucket,
        requests: 0,
        prefixes: Prefixes::default(),
    };
    let mut folders = VecDeque::from([(0, String::new())]);
    while let Some((depth, folder)) = folders.pop_front() {
        let Some(below) = walk.folders_in(&folder).await else {
            walk.prefixes.more = true;
            break;
        };
        for child in below {
            if child.strip_prefix(&folder) == Some(SNAPSHOTS) {
                walk.offer(&folder, &child).await;
            } else if depth < DEPTH_MAX {
                folders.push_back((depth + 1, child));
            }
        }
    }
    walk.prefixes.found.sort();
    walk.prefixes
}

struct Walk<'w> {
    client: &'w S3Client,
    bucket: &'w str,
    requests: usize,
    prefixes: Prefixes,
}

impl Walk<'_> {
    /// The folders directly in this one; `None` after a failure or at the limit.
    async fn folders_in(&mut self, folder: &str) -> Option<Vec<String>> {
        let mut request = ListRequest {
            prefix: folder.to_owned(),
            delimiter: Some("/".to_owned()),
            ..ListRequest::default()
        };
        let mut folders = Vec::new();
        loop {
            let page = self.page(&request).await?;
            folders.extend(page.common_prefixes);
            match page.next {
                None => return Some(folders),
                next => request.continuation = next,
            }
        }
    }

    /// Adds the prefix if there is a full snapshot in its folder of snapshots.
    async fn offer(&mut self, prefix: &str, snapshots: &str) {
        let request = ListRequest {
            prefix: format!("{snapshots}Full-"),
            max_keys: Some(1),
            ..ListRequest::default()
        };
        match self.page(&request).await {
            Some(page) if page.objects.is_empty() => {}
            Some(_) if self.prefixes.found.len() < NAMED_MAX => {
                let prefix = prefix.trim_end_matches('/').to_owned();
                self.prefixes.found.push(prefix);
            }
            Some(_) | None => self.prefixes.more = true,
        }
    }

    async fn page(&mut self, request: &ListRequest) -> Option<strongroom_client::s3::ListPage> {
        self.requests += 1;
        if self.requests > REQUESTS_MAX {
            return None;
        }
        self.client.list_page(self.bucket, request).await.ok()
    }
}
