//! Bodies on their way in and out: the only modules that move the bytes of objects.

pub mod incoming;
pub mod outgoing;
