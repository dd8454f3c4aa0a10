//! Fills an etcd the way Kubernetes does: objects under /registry, leases, updates, deletes, transactions, a
//! compaction.
//!
//! Keys, values and the history of each key depend only on the seed; the interleaving of the four writers' revisions
//! does not. It writes through the gRPC API and checks nothing.
//!
//! ```no_run
//! use strongroom_tests::{etcd::{Cluster, Version}, workload};
//!
//! let cluster = Cluster::start("a temporary folder".as_ref(), Version::V3_7, 1);
//! let filled = workload::fill_cluster(&cluster, 34, 2_000);
//! assert!(filled.deletes > 0 && filled.compacted > 0);
//! ```

mod objects;
pub mod random;

use etcd_client::{
    Certificate, Client, CompactionOptions, ConnectOptions, Identity, LeaseGrantOptions,
    PutOptions, TlsOptions, Txn, TxnOp,
};

pub use objects::Object;

use crate::etcd::{Cluster, Security};

/// Number of objects for at least 20,000 live keys and a database above 100 MB.
pub const DEMO_OBJECTS: u32 = 24_000;

/// Concurrent writers; more would only queue for etcd's fsync on two cores.
const WRITERS: u32 = 4;

/// Limits of a transaction, far below etcd's defaults (128 operations, 1.5 MiB a request): Kubernetes writes one object
/// at a time, but three members that sync each write would take minutes.
const TXN_OPS_MAX: usize = 16;
const TXN_BYTES_MAX: usize = 768 * 1024;

/// Events have leases of an hour, as kube-apiserver sets them, which is longer than any test.
const LEASES: u32 = 8;
const LEASE_TTL_SECS: i64 = 3_600;

/// Ids must be positive and free in a new etcd.
const LEASE_ID_FIRST: i64 = 0x7000_0000_0000_0001;

/// The result of filling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Keys alive afterwards.
    pub keys_live: u64,
    /// Puts, over all generations.
    pub puts: u64,
    /// Deletes of keys that existed.
    pub deletes: u64,
    /// Bytes of keys and values put.
    pub bytes: u64,
    /// The revision up to which history was compacted.
    pub compacted: i64,
}

impl Filled {
    fn add(&mut self, other: Self) {
        self.puts += other.puts;
        self.deletes += other.deletes;
        self.bytes += other.bytes;
    }
}

/// The change of an object in one pass over all objects.
#[derive(Debug, Clone, Copy)]
enum Pass {
    Create,
    Churn,
    ChurnAfterCompaction,
}

/// One write.
enum Write {
    Put(Object),
    Delete(Vec<u8>),
}

/// Fills the etcd at `endpoints`, without certificates and passwords, and returns when everything is committed and
/// compacted.
pub fn fill(endpoints: &[String], seed: u64, objects: u32) -> Filled {
    fill_by(&Access::plain(endpoints), seed, objects)
}

/// The same for any new cluster, with its certificates and its user. Only once: lease ids repeat.
pub fn fill_cluster(cluster: &Cluster, seed: u64, objects: u32) -> Filled {
    fill_by(&Access::to(cluster), seed, objects)
}

/// Puts the same keys in several transactions: rows that only a compaction can remove.
pub fn rewrite(cluster: &Cluster, keys: u32, rounds: u32) {
    let rewritten = async {
        let mut client = Access::to(cluster).connect().await?;
        for round in 0..rounds {
            let value = format!("round-{round}");
            let put = |key| TxnOp::put(format!("rewritten-{key:04}"), value.as_str(), None);
            let ops: Vec<_> = (0..keys).map(put).collect();
            client.txn(Txn::new().and_then(ops)).await?;
        }
        Ok::<(), etcd_client::Error>(())
    };
    block_on(rewritten).expect("etcd takes the transactions");
}

/// How writers connect to an etcd.
#[derive(Clone)]
struct Access {
    endpoints: Vec<String>,
    options: ConnectOptions,
}

impl Access {
    fn plain(endpoints: &[String]) -> Self {
        Self {
            endpoints: endpoints.to_vec(),
            options: ConnectOptions::new(),
        }
    }

    fn to(cluster: &Cluster) -> Self {
        let mut access = Self::plain(&cluster.client_urls());
        if let Some(user) = cluster.user() {
            access.options = access.options.with_user(user.name, user.password);
        }
        if let Security::Mutual(tls) = cluster.security() {
            let pem = |path| std::fs::read(path).expect("the authority wrote it");
            let tls = TlsOptions::new()
                .ca_certificate(Certificate::from_pem(pem(&tls.cacert)))
                .identity(Identity::from_pem(
                    pem(&tls.client.cert),
                    pem(&tls.client.key),
                ));
            access.options = access.options.with_tls(tls);
        }
        access
    }

    async fn connect(&self) -> Result<Client, etcd_client::Error> {
        Client::connect(&self.endpoints, Some(self.options.clone())).await
    }
}

fn fill_by(access: &Access, seed: u64, objects: u32) -> Filled {
    block_on(fill_async(access, seed, objects)).expect("etcd takes the workload")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("runtime starts").block_on(work)
}

async fn fill_async(
    access: &Access,
    seed: u64,
    objects: u32,
) -> Result<Filled, etcd_client::Error> {
    let mut client = access.connect().await?;
    for i in 0..LEASES {
        let options = LeaseGrantOptions::new().with_id(LEASE_ID_FIRST + i64::from(i));
        client.lease_grant(LEASE_TTL_SECS, Some(options)).await?;
    }
    let mut filled = write_all(access, seed, objects, Pass::Create).await?;
    let created = revision(&mut client).await?;
    filled.add(write_all(access, seed, objects, Pass::Churn).await?);
    // In the middle of the changes, so that some history is on either side.
    filled.compacted = i64::midpoint(created, revision(&mut client).await?);
    client
        .compact(
            filled.compacted,
            Some(CompactionOptions::new().with_physical()),
        )
        .await?;
    filled.add(write_all(access, seed, objects, Pass::ChurnAfterCompaction).await?);
    filled.keys_live = u64::from(objects) - filled.deletes;
    Ok(filled)
}

async fn revision(client: &mut Client) -> Result<i64, etcd_client::Error> {
    let answer = client.get("/registry", None).await?;
    Ok(answer
        .header()
        .map_or(0, etcd_client::ResponseHeader::revision))
}

async fn write_all(
    access: &Access,
    seed: u64,
    objects: u32,
    pass: Pass,
) -> Result<Filled, etcd_client::Error> {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let access = access.clone();
        writers.spawn(async move {
            let mut client = access.connect().await?;
            let mut filled = Filled::default();
            let mut batch = Batch::default();
            for index in (writer..objects).step_by(usize::try_from(WRITERS).expect("small")) {
                let Some(write) = planned(seed, index, pass) else {
                    continue;
                };
                if batch.is_full() {
                    filled.add(batch.commit(&mut client).await?);
                }
                batch.push(write);
            }
            filled.add(batch.commit(&mut client).await?);
            Ok::<_, etcd_client::Error>(filled)
        });
    }
    let mut filled = Filled::default();
    while let Some(done) = writers.join_next().await {
        filled.add(done.expect("no writer panics")?);
    }
    Ok(filled)
}

/// Every 20th object is deleted in the first churn and every 50th of the others in the second; a tenth is updated in
/// each.
fn planned(seed: u64, index: u32, pass: Pass) -> Option<Write> {
    let gone_early = index % 20 == 7;
    let gone_late = index % 50 == 11;
    let object = |generation| Object::new(seed, index, generation);
    match pass {
        Pass::Create => Some(Write::Put(object(0))),
        Pass::Churn if gone_early => Some(Write::Delete(object(0).key)),
        Pass::Churn if index % 10 == 3 => Some(Write::Put(object(1))),
        Pass::ChurnAfterCompaction if gone_late && !gone_early => {
            Some(Write::Delete(object(0).key))
        }
        Pass::ChurnAfterCompaction if index % 10 == 5 => Some(Write::Put(object(2))),
        Pass::Churn | Pass::ChurnAfterCompaction => None,
    }
}

/// Writes collected for one transaction.
#[derive(Default)]
struct Batch {
    ops: Vec<TxnOp>,
    filled: Filled,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.ops.len() >= TXN_OPS_MAX || self.bytes >= TXN_BYTES_MAX
    }

    fn push(&mut self, write: Write) {
        match write {
            Write::Put(Object { key, value, lease }) => {
                let len = key.len() + value.len();
                self.bytes += len;
                self.filled.bytes += u64::try_from(len).expect("an object is small");
                self.filled.puts += 1;
                let options = lease
                    .map(|n| PutOptions::new().with_lease(LEASE_ID_FIRST + i64::from(n % LEASES)));
                self.ops.push(TxnOp::put(key, value, options));
            }
            Write::Delete(key) => {
                self.filled.deletes += 1;
                self.ops.push(TxnOp::delete(key, None));
            }
        }
    }

    async fn commit(&mut self, client: &mut Client) -> Result<Filled, etcd_client::Error> {
        let batch = std::mem::take(self);
        if !batch.ops.is_empty() {
            client.txn(Txn::new().and_then(batch.ops)).await?;
        }
        Ok(batch.filled)
    }
}
