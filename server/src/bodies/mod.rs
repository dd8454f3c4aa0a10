//! Incoming and outgoing bodies: the only modules that move the bytes of objects.

mod ahead;
pub mod incoming;
pub mod outgoing;

pub use ahead::Places;
