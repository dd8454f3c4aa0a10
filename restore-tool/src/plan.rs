//! The plan of a restore: command line and environment become one valid value before anything is changed.
//!
//! After [`RestorePlan::new`] no code checks names, URLs or settings again. It reads only credentials files.

use std::path::{Path, PathBuf};

use strongroom_client::{s3::S3Config, uri::S3Uri};
use strongroom_etcd_format::{membership::Token, restore::RestoreOptions};

use crate::{
    args::LowArgs, arrival::HashCheck, cluster::ClusterPlan, credentials, environment::Environment,
    error::PlanError, owner::Owner, paths::resolved, staging::MEMBER,
};

/// A valid restore.
#[derive(Debug)]
pub struct RestorePlan {
    pub(crate) data_dir: PathBuf,
    pub(crate) source: SourcePlan,
    pub(crate) cluster: ClusterPlan,
    pub(crate) options: RestoreOptions,
    /// Number to add to the snapshot's revision.
    pub(crate) bump_revision: Option<u64>,
    /// The log's directory, if it is not `member/wal`.
    pub(crate) wal_dir: Option<PathBuf>,
    pub(crate) hash_check: HashCheck,
    pub(crate) owner: Option<Owner>,
    /// Whether the loss of newer deltas is accepted.
    pub(crate) full_only: bool,
    /// Whether members that run are only told.
    pub(crate) ignore_running_members: bool,
    pub(crate) dry_run: bool,
    /// The plan's own warnings.
    pub(crate) warnings: Vec<String>,
}

/// The source of the snapshot.
#[derive(Debug)]
pub(crate) enum SourcePlan {
    File(PathBuf),
    /// This object.
    Object {
        config: Box<S3Config>,
        object: S3Uri,
    },
    /// The newest full snapshot at this location.
    Store {
        config: Box<S3Config>,
        place: S3Uri,
    },
}

impl RestorePlan {
    /// Makes the plan.
    ///
    /// # Errors
    /// A flag, a variable or a credentials file is wrong or missing, or names and URLs do not match.
    pub fn new(args: LowArgs, environment: &Environment) -> Result<Self, PlanError> {
        let mut warnings = Vec::from_iter(args.ignored.warning());
        let cluster = ClusterPlan::new(&args)?;
        if cluster.token().is_some_and(Token::is_default) {
            warnings.push(format!(
                "the token {:?} is etcd's default: with the same peer URLs the ids are those of every cluster made so, and \
                 an old member that comes back could join or take over; without --initial-cluster-token a safe one is \
                 derived, and etcd's own flag may keep the default",
                Token::DEFAULT
            ));
        }
        let source = source(&args, environment, &mut warnings)?;
        let options = RestoreOptions {
            clear_storage_version: args.clear_storage_version,
        };
        let hash_check = if args.skip_hash_check {
            HashCheck::Skipped
        } else {
            HashCheck::Required
        };
        Ok(Self {
            source,
            cluster,
            options,
            bump_revision: bump(&args)?,
            wal_dir: wal_dir(args.wal_dir, &args.data_dir)?,
            hash_check,
            owner: args.chown.as_deref().map(Owner::parse).transpose()?,
            full_only: args.full_only,
            ignore_running_members: args.ignore_running_members,
            dry_run: args.dry_run,
            data_dir: args.data_dir,
            warnings,
        })
    }
}

impl RestorePlan {
    /// Whether members that run do not refuse the run: nothing is put in place, or the operator goes on knowingly.
    pub(crate) fn tells_only(&self) -> bool {
        self.dry_run || self.ignore_running_members
    }
}

/// The log's separate directory; `None` for the usual place in `member`.
fn wal_dir(typed: Option<PathBuf>, data_dir: &Path) -> Result<Option<PathBuf>, PlanError> {
    let Some(wal_dir) = typed else {
        return Ok(None);
    };
    // One may be relative and the other not, or lead through a link.
    let (real, member) = (resolved(&wal_dir), resolved(&data_dir.join(MEMBER)));
    if real == member.join("wal") {
        return Ok(None);
    }
    if real == resolved(data_dir) || real.starts_with(&member) {
        return Err(PlanError::WalDir { path: wal_dir });
    }
    Ok(Some(wal_dir))
}

fn source(
    args: &LowArgs,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<SourcePlan, PlanError> {
    let endpoint = args.store_endpoint_override.as_deref();
    let config = |provider, warnings: &mut Vec<String>| {
        let access = credentials::access(provider, endpoint, environment)?;
        warnings.extend(access.warnings);
        Ok::<_, PlanError>(Box::new(access.config))
    };
    if let Some(named) = args.snapshot()? {
        let address = named.to_str().filter(|text| text.contains("://"));
        if let Some(address) = address {
            let provider = match args.storage_provider {
                Some(provider) => provider,
                None => credentials::provider_of(environment)?,
            };
            return Ok(SourcePlan::Object {
                object: object(address, args)?,
                config: config(provider, warnings)?,
            });
        }
        let of_a_store = [
            args.storage_provider.is_some(),
            endpoint.is_some(),
            args.store_container.is_some(),
            !args.store_prefix.is_empty(),
        ];
        if of_a_store.contains(&true) {
            return Err(PlanError::FileAndStore {
                path: named.to_owned(),
            });
        }
        return Ok(SourcePlan::File(named.to_owned()));
    }
    let provider = args.storage_provider.ok_or(PlanError::NoSource)?;
    let container = args
        .store_container
        .as_deref()
        .filter(|name| !name.is_empty());
    let container = container
        .or_else(|| environment.get("STORAGE_CONTAINER"))
        .ok_or(PlanError::NoContainer)?;
    let place = S3Uri::from_parts(container, args.store_prefix.trim_matches('/'))?;
    Ok(SourcePlan::Store {
        config: config(provider, warnings)?,
        place,
    })
}

/// The address of one object. The flags for the newest one may stay in the command, if they mean the same place.
fn object(address: &str, args: &LowArgs) -> Result<S3Uri, PlanError> {
    let uri = S3Uri::parse(address)?;
    let container = args.store_container.as_deref().unwrap_or(uri.bucket());
    let prefix = args.store_prefix.trim_matches('/');
    let below = uri.prefix().strip_prefix(prefix);
    let is_below = prefix.is_empty() || below.is_some_and(|rest| rest.starts_with('/'));
    if container != uri.bucket() || !is_below {
        return Err(PlanError::OtherPlace {
            address: address.to_owned(),
            container: container.to_owned(),
            prefix: prefix.to_owned(),
        });
    }
    if uri.prefix().is_empty() || uri.prefix().ends_with('/') {
        return Err(PlanError::NotAnObject {
            bucket: uri.bucket().to_owned(),
            prefix: uri.prefix().trim_end_matches('/').to_owned(),
        });
    }
    Ok(uri)
}

/// As in etcdutl: raising and marking belong together, and 0 raises nothing.
fn bump(args: &LowArgs) -> Result<Option<u64>, PlanError> {
    match (args.bump_revision.unwrap_or(0), args.mark_compacted) {
        (0, false) => Ok(None),
        (0, true) => Err(PlanError::MarkWithoutBump),
        (by, true) => Ok(Some(by)),
        (by, false) => Err(PlanError::BumpWithoutMark { by }),
    }
}

#[cfg(test)]
mod tests;
