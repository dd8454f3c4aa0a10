//! Who can send requests, and their secrets.

mod credentials;

pub use credentials::Credentials;
