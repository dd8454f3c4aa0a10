//! Compares our numbers for a snapshot with those of etcd's own programs: status in both countings and all forms,
//! HashKV at every kind of revision, on databases written by real etcds of each minor version and on random ones. Also
//! tests the commands that print them.
//!
//! The judges are etcdctl 3.4, etcdutl 3.5, 3.6 and 3.7, and `etcdctl endpoint hashkv` of the running cluster.

mod commands;
mod guarded;
mod judges;
mod keys;
mod lives;
mod random;
