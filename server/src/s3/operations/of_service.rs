//! Operations on the server as a whole.

use super::QueryPart::Name;
use super::Verb::{Get, Post};
use super::{BodyKind, Handler, Operation, Selector, later};
use crate::s3::addressing::Level::Service;
use crate::s3::authorisation::Action;
use crate::s3::ops;

pub(super) static ROWS: &[Operation] = &[
    Operation {
        name: "ListBuckets",
        verb: Get,
        level: Service,
        selector: Selector::PLAIN,
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListAllMyBuckets"),
        handler: Handler::Service(|call| Box::pin(ops::buckets::list(call))),
    },
    later(Service, Post, &[Name("Action")], "STS", "sts:AssumeRole"),
];
