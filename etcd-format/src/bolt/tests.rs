//! Tests of the bolt modules with golden bytes, random trees and hostile files.

mod builder;
mod defects;
mod golden;
mod hostile;
mod limits;
mod metas;
mod naive;
mod round_trip;
