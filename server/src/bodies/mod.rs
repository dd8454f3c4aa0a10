//! Incoming and outgoing bodies: the only modules that move the bytes of objects.

pub mod incoming;
pub mod outgoing;
