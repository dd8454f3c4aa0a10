//! Golden bytes of records.
