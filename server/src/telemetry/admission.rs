//! Whether a request is within the limits of its listener. Each request carries the answer as an extension.

/// The listener's decision on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is served.
    Served,
    /// Too many are served already: only health is answered, everything else is refused.
    Refused,
}
