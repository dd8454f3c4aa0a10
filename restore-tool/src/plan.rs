//! The plan of a restore: command line and environment become one valid value before anything is changed.
//!
//! After [`RestorePlan::new`] no code checks names, URLs or settings again. It reads only credentials files.

use std::path::{Path, PathBuf};

use strongroom_client::{s3::S3Config, uri::S3Uri};
use strongroom_etcd_format::{
    membership::{AdvertiseUrls, InitialCluster, Member, MemberId, Membership, Token, infer_name},
    restore::RestoreOptions,
};

use crate::{
    args::LowArgs, arrival::HashCheck, credentials, environment::Environment, error::PlanError,
    owner::Owner, staging::MEMBER,
};

/// A valid restore.
#[derive(Debug)]
pub struct RestorePlan {
    pub(crate) data_dir: PathBuf,
    pub(crate) source: SourcePlan,
    pub(crate) membership: Membership,
    pub(crate) local: Local,
    pub(crate) options: RestoreOptions,
    /// Number to add to the snapshot's revision.
    pub(crate) bump_revision: Option<u64>,
    /// The log's directory, if it is not `member/wal`.
    pub(crate) wal_dir: Option<PathBuf>,
    pub(crate) hash_check: HashCheck,
    pub(crate) owner: Option<Owner>,
    /// Whether the loss of newer deltas is accepted.
    pub(crate) full_only: bool,
    pub(crate) dry_run: bool,
    /// The plan's own warnings.
    pub(crate) warnings: Vec<String>,
}

/// The member that this directory is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Local {
    pub(crate) id: MemberId,
    pub(crate) name: String,
    pub(crate) peer_urls: Vec<String>,
}

/// The source of the snapshot.
#[derive(Debug)]
pub(crate) enum SourcePlan {
    File(PathBuf),
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
        let mut warnings: Vec<String> = args
            .meaningless
            .typed()
            .iter()
            .map(|flag| format!("{flag} has no effect here and is ignored"))
            .collect();
        let token = args
            .initial_cluster_token
            .as_deref()
            .map_or_else(Token::default, Token::new);
        if token.is_default() {
            warnings.push(format!(
                "the token is the default {:?}: with the same peer URLs the ids are those of every cluster \
                 made so, and an old member that comes back could join; choose another --initial-cluster-token, the \
                 same on all members",
                Token::DEFAULT
            ));
        }
        let (membership, local) = members(&args, &token)?;
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
            membership,
            local,
            options,
            bump_revision: args.bump_revision,
            wal_dir: wal_dir(args.wal_dir, &args.data_dir)?,
            hash_check,
            owner: args.chown.as_deref().map(Owner::parse).transpose()?,
            full_only: args.full_only,
            dry_run: args.dry_run,
            data_dir: args.data_dir,
            warnings,
        })
    }
}

/// The log's separate directory; `None` for the usual place in `member`.
fn wal_dir(typed: Option<PathBuf>, data_dir: &Path) -> Result<Option<PathBuf>, PlanError> {
    let Some(wal_dir) = typed else {
        return Ok(None);
    };
    let member = data_dir.join(MEMBER);
    if wal_dir == member.join("wal") {
        return Ok(None);
    }
    if wal_dir == data_dir || wal_dir.starts_with(&member) {
        return Err(PlanError::WalDir { path: wal_dir });
    }
    Ok(Some(wal_dir))
}

fn members(args: &LowArgs, token: &Token) -> Result<(Membership, Local), PlanError> {
    let cluster = InitialCluster::parse(&args.initial_cluster)?;
    let membership = Membership::new(&cluster, token)?;
    let typed = args.initial_advertise_peer_urls.join(",");
    let advertise = match (&args.name, membership.members.as_slice()) {
        _ if !typed.is_empty() => AdvertiseUrls::parse(&typed)?,
        (None, [only]) => AdvertiseUrls::parse(&only.peer_urls.join(","))?,
        (Some(name), members) => match members.iter().find(|member| member.name == *name) {
            Some(member) => AdvertiseUrls::parse(&member.peer_urls.join(","))?,
            None => AdvertiseUrls::parse(ADVERTISE_DEFAULT)?,
        },
        (None, _) => AdvertiseUrls::parse(ADVERTISE_DEFAULT)?,
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => infer_name(&cluster, &advertise)?,
    };
    let Member {
        id,
        name,
        peer_urls,
        ..
    } = membership.local(&name, &advertise)?.clone();
    Ok((
        membership,
        Local {
            id,
            name,
            peer_urls,
        },
    ))
}

/// etcd's default.
const ADVERTISE_DEFAULT: &str = "http://localhost:2380";

fn source(
    args: &LowArgs,
    environment: &Environment,
    warnings: &mut Vec<String>,
) -> Result<SourcePlan, PlanError> {
    if let Some(path) = &args.snapshot {
        return Ok(SourcePlan::File(path.clone()));
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
    let access = credentials::access(
        provider,
        args.store_endpoint_override.as_deref(),
        environment,
    )?;
    warnings.extend(access.warnings);
    Ok(SourcePlan::Store {
        config: Box::new(access.config),
        place,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    const THREE: &str = "--initial-cluster=n1=http://127.0.0.1:22380,n2=http://127.0.0.1:22381,n3=http://127.0.0.1:22382";

    fn plan(flags: &[&str]) -> Result<RestorePlan, PlanError> {
        let line = [&["strongroom-restore", "-d", "x"], flags].concat();
        let args = LowArgs::try_parse_from(line).expect("a command line that parses");
        RestorePlan::new(
            args,
            &Environment::from_lookup(|name| {
                name.contains("ACCESS_KEY").then(|| "http://set".to_owned())
            }),
        )
    }

    #[test]
    fn the_name_follows_from_one_member_or_from_the_advertised_urls() -> Result<(), PlanError> {
        let one = "--initial-cluster=controller-node1=https://10.6.212.10:2380";
        for flags in [
            &[one][..],
            &[
                one,
                "--initial-advertise-peer-urls=https://10.6.212.10:2380",
            ],
        ] {
            let plan = plan(&[&["--snapshot", "f"], flags].concat())?;
            assert_eq!(plan.local.name, "controller-node1");
        }
        let plan = plan(&[
            "--snapshot",
            "f",
            THREE,
            "--initial-cluster-token=tok-1",
            "--initial-advertise-peer-urls=http://127.0.0.1:22381",
        ])?;
        assert_eq!(plan.local.name, "n2");
        assert_eq!(plan.local.id.to_string(), "59d8024f8dec20de");
        Ok(())
    }

    #[test]
    fn a_name_brings_its_urls_and_wrong_ones_are_refused() -> Result<(), PlanError> {
        assert_eq!(
            plan(&["--snapshot", "f", THREE, "--name=n3"])?
                .local
                .peer_urls,
            ["http://127.0.0.1:22382"]
        );
        for wrong in [
            &[THREE][..],
            &[THREE, "--name=n4"],
            &[
                THREE,
                "--name=n1",
                "--initial-advertise-peer-urls=http://127.0.0.1:22381",
            ],
            &["--initial-cluster=n1=http://127.0.0.1"],
        ] {
            let error = plan(&[&["--snapshot", "f"], wrong].concat()).expect_err("does not fit");
            assert!(matches!(error, PlanError::Membership(_)), "{error}");
        }
        Ok(())
    }

    #[test]
    fn the_source_is_a_file_or_a_complete_store() -> Result<(), PlanError> {
        assert!(matches!(plan(&[]), Err(PlanError::NoSource)));
        let store = plan(&[
            "--storage-provider=s3",
            "--store-container=etcd-backup",
            "--store-prefix=/c1/",
        ])?;
        let SourcePlan::Store { place, .. } = store.source else {
            panic!("a store was named")
        };
        assert_eq!(place.to_string(), "s3://etcd-backup/c1");
        Ok(())
    }

    #[test]
    fn a_log_directory_is_outside_of_the_member() -> Result<(), PlanError> {
        let wal_dir = |dir: &str| {
            plan(&["--snapshot", "f", &format!("--wal-dir={dir}")]).map(|plan| plan.wal_dir)
        };
        assert_eq!(wal_dir("/fast/wal")?, Some(PathBuf::from("/fast/wal")));
        assert_eq!(wal_dir("x/wal")?, Some(PathBuf::from("x/wal")));
        assert_eq!(wal_dir("x/member/wal/")?, None, "where it is anyway");
        for inside in ["x", "x/member", "x/member/snap"] {
            let error = wal_dir(inside).expect_err("would lie in the way");
            assert!(matches!(error, PlanError::WalDir { .. }), "{error}");
        }
        Ok(())
    }

    #[test]
    fn the_default_token_is_warned_about() -> Result<(), PlanError> {
        assert_eq!(plan(&["--snapshot", "f"])?.warnings.len(), 1);
        assert_eq!(
            plan(&["--snapshot", "f", "--initial-cluster-token=new"])?.warnings,
            Vec::<String>::new()
        );
        Ok(())
    }
}
