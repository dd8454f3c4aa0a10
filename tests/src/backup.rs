//! The backup job and the restore as operators run them, with the real programs.

use std::path::Path;
use std::process::Command;

use crate::etcd::Cluster;
use crate::process::{Finished, run};
use crate::programs;
use crate::server::{BUCKET, Server};

/// etcdbrctl logs this line only after a successful restore, and so does our tool.
pub const RESTORED: &str = "Successfully restored the etcd data directory.";

/// `strongroom snapshot save --to s3://BUCKET/prefix` for these endpoints.
pub fn save_command(server: &Server, endpoints: &[String], prefix: &str) -> Command {
    save_to_command(server, endpoints, &format!("s3://{BUCKET}/{prefix}"))
}

/// `strongroom snapshot save --to place` for these endpoints.
pub fn save_to_command(server: &Server, endpoints: &[String], place: &str) -> Command {
    let mut command = programs::client();
    server.aws_environment(&mut command);
    command.args([
        "snapshot",
        "save",
        "--endpoints",
        &endpoints.join(","),
        "--to",
        place,
    ]);
    command
}

/// Saves one member of a cluster; panics on failure.
pub fn save(server: &Server, cluster: &Cluster, member: usize, prefix: &str) -> Finished {
    run(&mut save_command(
        server,
        &[cluster.client_url(member)],
        prefix,
    ))
    .ok()
}

/// `strongroom snapshot save FILE`.
pub fn save_file(cluster: &Cluster, member: usize, file: &Path) -> Finished {
    let mut command = programs::client();
    command
        .args([
            "snapshot",
            "save",
            "--endpoints",
            &cluster.client_url(member),
        ])
        .arg(file);
    run(&mut command).ok()
}

/// `strongroom snapshot list s3://BUCKET/prefix`.
pub fn list(server: &Server, prefix: &str) -> Finished {
    let mut command = programs::client();
    server.aws_environment(&mut command);
    run(command.args(["snapshot", "list", &format!("s3://{BUCKET}/{prefix}")]))
}

/// `strongroom-restore` from the server with etcdbrctl's ECS settings, for one member and into its data folder.
pub fn restore_command(server: &Server, cluster: &Cluster, member: usize, prefix: &str) -> Command {
    let mut command = programs::restore();
    server.ecs_environment(&mut command);
    command.args([
        "--storage-provider=ECS",
        &format!("--store-container={BUCKET}"),
    ]);
    command.arg(format!("--store-prefix={prefix}"));
    member_flags(
        &mut command,
        cluster,
        member,
        &cluster.members()[member].data_dir,
    );
    command
}

/// `strongroom-restore --snapshot FILE` for one member and into its data folder.
pub fn restore_file_command(file: &Path, cluster: &Cluster, member: usize) -> Command {
    restore_file_into(file, &cluster.members()[member].data_dir, cluster, member)
}

/// `strongroom-restore --snapshot FILE` for one member, into another folder than its own.
pub fn restore_file_into(
    file: &Path,
    data_dir: &Path,
    cluster: &Cluster,
    member: usize,
) -> Command {
    let mut command = programs::restore();
    command.arg("--snapshot").arg(file);
    member_flags(&mut command, cluster, member, data_dir);
    command
}

/// Restores every member of a cluster from the newest snapshot below `prefix`.
pub fn restore_all(server: &Server, cluster: &Cluster, prefix: &str) {
    for member in 0..cluster.members().len() {
        run(&mut restore_command(server, cluster, member, prefix))
            .ok()
            .says(RESTORED);
    }
}

fn member_flags(command: &mut Command, cluster: &Cluster, member: usize, data_dir: &Path) {
    let target = &cluster.members()[member];
    command.arg("--data-dir").arg(data_dir);
    command.arg(format!("--name={}", target.name));
    command.arg(format!("--initial-cluster={}", cluster.initial_cluster()));
    command.arg(format!("--initial-cluster-token={}", cluster.token()));
    command.arg(format!(
        "--initial-advertise-peer-urls={}",
        cluster.peer_url(member)
    ));
}
