//! A transaction being built: it requires every row that it read, unless the reader states why not.

#[cfg(test)]
pub(crate) mod requirements;

use crate::planted::{Bug, planted};
use crate::store::StoreError;
use crate::store::meta::walk::row_of;
use crate::store::meta::{Condition, Key, Meta, Outcome, Row, Txn, Write};
use crate::tables::keyspace::Keyspace;
use crate::tables::record;
use crate::tables::table::{Counter, Entry, Keyed, Range, Rows, Table, Tally, scan};

/// How often [`settle`] decides. Each conflict means that another commit on the same rows succeeded, and those rows
/// have few writers.
const SETTLE_TRIES_MAX: u32 = 64;

/// The name of a decision, in the log and in tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the operations'")]
pub enum Operation {
    CreateBucket,
    ChangeBucket,
    GiveUp,
    HandOverUploads,
    RemoveBucket,
    RevertDeleting,
    Put,
    Delete,
    CreateUpload,
    PutPart,
    AbortUpload,
    CompleteUpload,
    OpenPack,
    SealPack,
    BeginWriter,
    EndWriter,
    Collect,
    Upgrade,
}

/// A row that may be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<V> {
    /// There is none.
    Absent,
    /// There is one, and it cannot be decoded.
    Damaged,
    /// There is one.
    Readable(V),
}

/// Reads rows for a decision and collects its changes.
///
/// Rows read by [`Rows::read`] must be unchanged when the transaction is applied. So two decisions on the same rows
/// behave as if they ran one after the other.
pub struct Draft<'m> {
    meta: &'m dyn Meta,
    operation: Operation,
    txn: Txn,
}

/// Every row that is read is required: unchanged, or still absent.
impl Rows for Draft<'_> {
    fn read<T: Table>(
        &mut self,
        table: T,
        key: T::Key<'_>,
    ) -> Result<Option<T::Value>, StoreError> {
        let place = table.key(key);
        let row = row_of(self.meta, &place)?;
        self.required(table, place, row.as_ref())
    }

    fn read_many<'k, T: Table>(
        &mut self,
        table: T,
        keys: impl IntoIterator<Item = T::Key<'k>>,
    ) -> Result<Vec<Option<T::Value>>, StoreError> {
        let places: Vec<Key> = keys.into_iter().map(|key| table.key(key)).collect();
        let rows = self.meta.get_many(&places)?;
        let read = places.into_iter().zip(rows);
        read.map(|(place, row)| self.required(table, place, row.as_ref()))
            .collect()
    }
}

impl<'m> Draft<'m> {
    /// A draft without reads and changes.
    pub fn new(meta: &'m dyn Meta, operation: Operation) -> Draft<'m> {
        Draft {
            meta,
            operation,
            txn: Txn::default(),
        }
    }

    /// Whether all required rows are still unchanged, in one view. A decision that commits nothing asks this, so that
    /// it is never based on rows of two moments.
    ///
    /// # Errors
    /// When the engine cannot read.
    pub fn still_holds(&self) -> Result<bool, StoreError> {
        let keys: Vec<Key> = self.txn.conditions.iter().map(key_of).cloned().collect();
        // A single read shows one moment anyway.
        if keys.len() < 2 {
            return Ok(true);
        }
        let rows = self.meta.get_many(&keys)?;
        let mut required = self.txn.conditions.iter().zip(rows);
        Ok(required.all(|(condition, row)| match condition {
            Condition::Same(_, version) => row.is_some_and(|row| row.version == *version),
            Condition::Absent(_) | Condition::Zero(_) => row.is_none(),
        }))
    }

    /// The decision that the draft belongs to.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The resulting transaction.
    pub fn into_txn(self) -> Txn {
        self.txn
    }

    /// The current rows, for a read that the transaction need not require. `_why` states why the read stays true, or is
    /// harmless, if another commit comes first.
    pub fn unrequired(&self, _why: &'static str) -> &'m dyn Meta {
        self.meta
    }

    /// Reads a row that may be damaged, and requires it unchanged, whatever it is.
    ///
    /// # Errors
    /// As [`Rows::read`], except for damage.
    pub fn see<T: Table>(
        &mut self,
        table: T,
        key: T::Key<'_>,
    ) -> Result<Seen<T::Value>, StoreError> {
        let place = table.key(key);
        let row = row_of(self.meta, &place)?;
        let seen = match row.as_ref().map(|row| table.value(&place, row)) {
            None => Seen::Absent,
            Some(Ok(value)) => Seen::Readable(value),
            Some(Err(StoreError::DamagedRow { .. })) => Seen::Damaged,
            Some(Err(error)) => return Err(error),
        };
        self.require_seen(T::KEYSPACE, place, row.as_ref());
        Ok(seen)
    }

    /// Scans rows and requires each row found. A row that is added to the range later causes no conflict.
    ///
    /// # Errors
    /// As [`Rows::read`].
    pub fn scan<T: Table>(
        &mut self,
        table: T,
        range: &Range<T>,
        limit: usize,
    ) -> Result<Vec<Entry<T>>, StoreError> {
        let entries = scan(self.meta, table, range, limit)?;
        for entry in &entries {
            self.require_entry(entry);
        }
        Ok(entries)
    }

    /// Requires that the row is unchanged since it was scanned.
    pub fn require_entry<T: Table>(&mut self, entry: &Entry<T>) {
        self.require(
            T::KEYSPACE,
            Condition::Same(entry.place.clone(), entry.version),
        );
    }

    /// Requires that there is no such row.
    pub fn require_absent<T: Keyed>(&mut self, table: T, key: T::Key<'_>) {
        self.require(T::KEYSPACE, Condition::Absent(table.key(key)));
    }

    /// Requires that the counter is zero.
    pub fn require_zero<C: Counter>(&mut self, counter: C, key: C::Key<'_>) {
        self.require(C::KEYSPACE, Condition::Zero(counter.key(key)));
    }

    /// Creates or replaces a row.
    pub fn put<T: Table>(&mut self, table: T, key: T::Key<'_>, value: &T::Value) {
        self.txn
            .writes
            .push(Write::Put(table.key(key), record::encode(value)));
    }

    /// Removes a row; a missing row is no error.
    pub fn delete<T: Keyed>(&mut self, table: T, key: T::Key<'_>) {
        self.txn.writes.push(Write::Delete(table.key(key)));
    }

    /// Removes a row, and requires that it is unchanged since it was scanned.
    pub fn delete_entry<T: Table>(&mut self, entry: &Entry<T>) {
        self.require_entry(entry);
        self.txn.writes.push(Write::Delete(entry.place.clone()));
    }

    /// Adds to a counter.
    pub fn add<C: Counter>(&mut self, counter: C, key: C::Key<'_>, n: i64) {
        if n != 0 {
            self.txn.writes.push(Write::Add(counter.key(key), n));
        }
    }

    /// Adds to a tally, which is only a hint.
    pub fn tally<H: Tally>(&mut self, tally: H, key: H::Key<'_>, n: i64) {
        if n != 0 {
            self.txn.writes.push(Write::Tally(tally.key(key), n));
        }
    }

    fn required<T: Table>(
        &mut self,
        table: T,
        place: Key,
        row: Option<&Row>,
    ) -> Result<Option<T::Value>, StoreError> {
        let value = row.map(|row| table.value(&place, row)).transpose()?;
        if T::KEYSPACE != Keyspace::Pack || !planted(Bug::RowConditionLeftOut) {
            self.require_seen(T::KEYSPACE, place, row);
        }
        Ok(value)
    }

    fn require_seen(&mut self, keyspace: Keyspace, place: Key, row: Option<&Row>) {
        let condition = match row {
            Some(row) => Condition::Same(place, row.version),
            None => Condition::Absent(place),
        };
        self.require(keyspace, condition);
    }

    fn require(&mut self, keyspace: Keyspace, condition: Condition) {
        #[cfg(test)]
        if requirements::is_left_out(self.operation, keyspace) {
            return;
        }
        #[cfg(not(test))]
        let _ = keyspace;
        self.txn.conditions.push(condition);
    }
}

fn key_of(condition: &Condition) -> &Key {
    match condition {
        Condition::Same(key, _) | Condition::Absent(key) | Condition::Zero(key) => key,
    }
}

/// The result of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled<T> {
    /// Commit the draft; the answer holds once it is durable.
    Commit(T),
    /// Nothing to change.
    Nothing(T),
}

/// Decides and commits; after a conflict, decides again. Blocks.
///
/// # Errors
/// An error of `decide` or of the commit; [`StoreError::Contended`] when other commits always won.
pub fn settle<T>(
    meta: &dyn Meta,
    operation: Operation,
    decide: impl Fn(&mut Draft<'_>) -> Result<Settled<T>, StoreError>,
) -> Result<T, StoreError> {
    for _ in 0..SETTLE_TRIES_MAX {
        let mut draft = Draft::new(meta, operation);
        let answer = match decide(&mut draft)? {
            Settled::Nothing(answer) => return Ok(answer),
            Settled::Commit(answer) => answer,
        };
        match meta.commit(draft.into_txn()).wait_blocking()? {
            Outcome::Done(_) => return Ok(answer),
            Outcome::Conflict(_) => {}
        }
    }
    Err(StoreError::Contended {
        tries: SETTLE_TRIES_MAX,
    })
}
