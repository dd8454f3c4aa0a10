//! Ten ways to lose a three-member cluster while restoring it, on real etcd: the tool prevents each, or says it beforehand.
//!
//! "Grown" clusters were founded with one member and grew by `member add`, as kubeadm does it; "fixed" ones were founded with
//! all three. All cases share one cluster of each kind, founded once, with its snapshots and its members' old data
//! ([`founded`]). Manifests keep etcd's default token, as kubeadm writes them: etcd does not read it once it has a directory.
//!
//! | what the operator does with the others | without this tool's help | test |
//! |---|---|---|
//! | starts them with their old data (grown) | the restored member joins them and panics | `alone::others_on_old_data_...` |
//! | the same with an own token | two live clusters | `alone::two_live_clusters_...` |
//! | starts them with empty directories (fixed) | they found a new, empty cluster | `alone::empty_directories_...` |
//! | adds them one after the other | works, if told how | `alone::the_printed_steps_...` |
//! | restores all three alike | works | `together::all_three_...` |
//! | runs the single-member command on each | three clusters, each a success | `alone::a_second_single_member_...` |
//! | lets the third come back with old data (fixed) | silent corruption | `together::a_third_on_old_data_...` |
//! | restores one of three while two run (fixed) | it joins them with other data | `together::running_members_...` |
//! | restores the third beside two healthy ones | the third panics | `together::beside_two_healthy_...` |
//! | restores the third from another snapshot | equal ids, other data | `together::another_snapshot_...` |

mod alone;
mod founded;
mod together;
