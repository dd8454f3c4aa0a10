//! Places that the configuration gives: a glob over the keys of a bucket, and the cluster's name for people.
//!
//! `*` and `?` stay within a folder, `**` crosses folders. The first block that matches wins.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// A `[[clusters]]` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The cluster's name.
    pub name: String,
    /// The bucket.
    pub bucket: String,
    /// The glob that its keys match.
    pub keys: String,
}

/// A block that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Its glob does not compile.
    #[error("the glob `{keys}` of cluster {name} in bucket {bucket}: {reason}")]
    Glob {
        /// The cluster's name.
        name: String,
        /// The bucket.
        bucket: String,
        /// The glob.
        keys: String,
        /// What is wrong with it.
        reason: String,
    },
    /// All globs of a bucket together are too large.
    #[error("the {globs} globs of bucket {bucket} are too large together: {reason}")]
    TooLarge {
        /// The bucket.
        bucket: String,
        /// Their number.
        globs: usize,
        /// What is wrong.
        reason: String,
    },
}

/// All configured places.
#[derive(Debug, Default)]
pub struct Overrides {
    buckets: HashMap<String, Globs>,
}

/// The globs of one bucket, and the names in the same order.
#[derive(Debug)]
struct Globs {
    globs: GlobSet,
    names: Vec<String>,
}

impl Overrides {
    /// Compiles the blocks, in the order of the configuration.
    ///
    /// # Errors
    /// When a glob does not compile.
    pub fn new(blocks: &[Block]) -> Result<Overrides, OverrideError> {
        let mut of_buckets: HashMap<&str, Vec<&Block>> = HashMap::new();
        for block in blocks {
            of_buckets.entry(&block.bucket).or_default().push(block);
        }
        let mut buckets = HashMap::new();
        for (bucket, blocks) in of_buckets {
            buckets.insert(bucket.to_owned(), Globs::compile(bucket, &blocks)?);
        }
        Ok(Overrides { buckets })
    }

    /// The configured name of the cluster that this key belongs to.
    pub fn place(&self, bucket: &str, key: &str) -> Option<&str> {
        let Globs { globs, names } = self.buckets.get(bucket)?;
        let first = globs.matches(key).into_iter().min()?;
        names.get(first).map(String::as_str)
    }
}

impl Globs {
    fn compile(bucket: &str, blocks: &[&Block]) -> Result<Globs, OverrideError> {
        let mut globs = GlobSetBuilder::new();
        for block in blocks {
            let glob = GlobBuilder::new(&block.keys)
                .literal_separator(true)
                .build()
                .map_err(|error| OverrideError::Glob {
                    name: block.name.clone(),
                    bucket: bucket.to_owned(),
                    keys: block.keys.clone(),
                    reason: error.kind().to_string(),
                })?;
            globs.add(glob);
        }
        let globs = globs.build().map_err(|error| OverrideError::TooLarge {
            bucket: bucket.to_owned(),
            globs: blocks.len(),
            reason: error.kind().to_string(),
        })?;
        let names = blocks.iter().map(|block| block.name.clone()).collect();
        Ok(Globs { globs, names })
    }
}
