//! Flags and environment in, a plan or the refusal of a wrong command line out.

use std::ffi::OsString;

use super::*;

fn plan(flags: &[&str]) -> Result<RestorePlan, PlanError> {
    let line = [&["strongroom-restore", "-d", "x"], flags].concat();
    let line: Vec<OsString> = line.into_iter().map(Into::into).collect();
    let args = LowArgs::read(&line).expect("a command line that parses");
    RestorePlan::new(
        args,
        &Environment::from_lookup(|name| {
            name.contains("ACCESS_KEY").then(|| "http://set".to_owned())
        }),
    )
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
fn an_object_is_named_by_its_address() -> Result<(), PlanError> {
    let named = plan(&[
        "--storage-provider=ECS",
        "--store-endpoint-override=http://store:9000",
        "s3://etcd-backup/c1/v2/Full-1",
    ])?;
    let SourcePlan::Object { object, config } = named.source else {
        panic!("an object was named")
    };
    assert_eq!(object.to_string(), "s3://etcd-backup/c1/v2/Full-1");
    assert_eq!(config.region, "US-Standard");
    for (address, flag) in [
        ("s3://etcd-backup", "--storage-provider=S3"),
        ("s3://etcd-backup/c1/", "--storage-provider=S3"),
        ("https://host/etcd-backup/x", "--storage-provider=S3"),
        ("file.db", "--storage-provider=S3"),
        ("file.db", "--store-prefix=c1"),
        ("s3://etcd-backup/c10/x", "--store-prefix=c1"),
        ("s3://etcd-backup/c1/x", "--store-container=other"),
    ] {
        assert!(plan(&[flag, address]).is_err(), "{address} {flag}");
    }
    let same = [
        "--storage-provider=S3",
        "--store-container=b-1",
        "--store-prefix=c1/",
    ];
    plan(&[&same[..], &["--snapshot=s3://b-1/c1/v2/Full-1"]].concat())?;
    Ok(())
}

/// What is accepted beside the flag alone, so that it is the place that refuses.
#[test]
fn flags_of_another_place_refuse_the_object() -> Result<(), PlanError> {
    let address = "s3://b-1/c1/v2/Full-1";
    for (container, prefix, same) in [
        ("b-1", "c1", true),
        ("b-1", "c2", false),
        ("b-1", "c", false),
        ("b-2", "c1", false),
        ("b-2", "c2", false),
    ] {
        let (container, prefix) = (
            format!("--store-container={container}"),
            format!("--store-prefix={prefix}"),
        );
        let planned = plan(&["--storage-provider=S3", &container, &prefix, address]);
        if same {
            planned?;
        } else {
            assert!(
                matches!(planned, Err(PlanError::OtherPlace { .. })),
                "{container} {prefix}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_dry_run_or_a_flag_makes_running_members_a_warning() -> Result<(), PlanError> {
    for (flags, tells_only) in [
        (&[][..], false),
        (&["--dry-run"], true),
        (&["--ignore-running-members"], true),
        (&["--dry-run", "--ignore-running-members"], true),
    ] {
        let planned = plan(&[&["--snapshot=f"], flags].concat())?;
        assert_eq!(planned.tells_only(), tells_only, "{flags:?}");
    }
    Ok(())
}

/// As in etcdutl: each one alone is a usage error.
#[test]
fn bumping_and_marking_belong_together() -> Result<(), PlanError> {
    let bump = |flags: &[&str]| {
        plan(&[&["--snapshot", "f"], flags].concat()).map(|plan| plan.bump_revision)
    };
    let both = bump(&["--bump-revision=1000000000", "--mark-compacted"])?;
    assert_eq!(both, Some(1_000_000_000));
    assert_eq!(bump(&["--bump-revision=0"])?, None);
    assert_eq!(
        bump(&["--bump-revision", "0", "--mark-compacted=false"])?,
        None
    );
    for flags in [
        &["--bump-revision=5"][..],
        &["--mark-compacted"],
        &["--bump-revision=0", "--mark-compacted"],
    ] {
        assert!(bump(flags).is_err(), "{flags:?}");
    }
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
    let here = std::env::current_dir().expect("the tests' own");
    let absolute = here.join("x/member/snap").display().to_string();
    for inside in [
        "x",
        "x/member",
        "x/member/snap",
        "y/../x/member/y",
        &absolute,
    ] {
        let error = wal_dir(inside).expect_err("would lie in the way");
        assert!(matches!(error, PlanError::WalDir { .. }), "{error}");
    }
    Ok(())
}

#[test]
fn only_the_default_token_as_typed_is_warned_about() -> Result<(), PlanError> {
    let warnings = |flags: &[&str]| {
        plan(&[&["--snapshot", "f"], flags].concat()).map(|plan| plan.warnings.len())
    };
    assert_eq!(warnings(&[])?, 0, "a token is derived");
    assert_eq!(warnings(&["--initial-cluster-token=new"])?, 0);
    assert_eq!(warnings(&["--initial-cluster-token=etcd-cluster"])?, 1);
    Ok(())
}
