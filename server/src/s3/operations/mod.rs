//! The table of operations: one row each, and the lookup from a request to its row.
//!
//! Routing, the check of parameters and headers, authorisation and dispatch read the rows and know no operation by
//! name. Pure: knows no store. Invariants: an S3 operation that is not served has a row too, so that its request never
//! reaches the plain operation of its method (a `DELETE ?tagging` must not delete the object); an unknown parameter is
//! refused on every operation that changes state; a header that promises something is obeyed or refused.

mod arguments_check;
mod header_groups;
mod later_buckets;
mod later_objects;
mod of_buckets;
mod of_objects;
mod of_service;

use futures_util::future::BoxFuture;
use hyper::Method;

use crate::model::{BucketName, ObjectKey};
use crate::s3::addressing::Level;
use crate::s3::authorisation::Action;
use crate::s3::call::{Answer, Call};
use crate::s3::error::{S3Error, S3ErrorCode};
use crate::s3::head::{Head, Headers};
use crate::s3::payload::document::DocumentRules;
use crate::s3::query::Query;

/// One operation of S3.
pub(crate) struct Operation {
    /// S3's name.
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) level: Level,
    /// Distinguishes it from the other operations of its method and level.
    pub(crate) selector: Selector,
    /// Query parameters that it supports, beyond those that select it.
    pub(crate) parameters: &'static [&'static str],
    /// Single-value headers that it supports, in groups.
    pub(crate) headers: &'static [&'static [&'static str]],
    pub(crate) body: BodyKind,
    pub(crate) action: Action,
    pub(crate) handler: Handler,
}

/// A method, as the table writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Put,
    Post,
    Delete,
}

/// Selects an operation. Both conditions must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selector {
    /// One of these parameters is present. Empty for the plain operation.
    pub(crate) query: &'static [QueryPart],
    /// This header is present.
    pub(crate) header: Option<&'static str>,
}

/// A condition on one parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryPart {
    /// With any value or none.
    Name(&'static str),
    /// With this value.
    Value(&'static str, &'static str),
}

/// The kind of body that an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// No body; if one comes, it is not read.
    None,
    /// A document, read whole before the operation begins.
    Document(DocumentRules),
    /// Bytes of an object, read by the operation.
    Stream,
}

/// The function that serves an operation.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Service(for<'a, 'c> fn(&'a mut Call<'c>) -> BoxFuture<'a, Answer>),
    Bucket(for<'a, 'c> fn(&'a mut Call<'c>, &'a BucketName) -> BoxFuture<'a, Answer>),
    Object(OnObject),
    /// An S3 operation that is not served yet.
    Later,
}

type OnObject =
    for<'a, 'c> fn(&'a mut Call<'c>, &'a BucketName, &'a ObjectKey) -> BoxFuture<'a, Answer>;

/// The rows. Within a level and method, the first matching row is the operation. Rows that are not served come first,
/// so that their subresources win over other parameters of the query.
static TABLE: [&[Operation]; 5] = [
    of_service::ROWS,
    later_buckets::ROWS,
    of_buckets::ROWS,
    later_objects::ROWS,
    of_objects::ROWS,
];

/// The label of all operations that are not served.
const NOT_SERVED: &str = "Unsupported";

const SERVED: usize = count_served();

/// Every value of [`Operation::label`].
pub const OPERATION_NAMES: &[&str] = &labels();

/// Every row.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    TABLE.iter().copied().flatten()
}

/// The operation that a request of this level selects.
///
/// # Errors
/// `MethodNotAllowed`.
pub(crate) fn select(
    level: Level,
    method: &Method,
    query: &Query,
    headers: Headers<'_>,
) -> Result<&'static Operation, S3Error> {
    let verb = Verb::of(method);
    all()
        .filter(|row| row.level == level && Some(row.verb) == verb)
        .find(|row| row.selector.holds(query, headers))
        .ok_or_else(|| {
            S3Error::new(
                S3ErrorCode::MethodNotAllowed,
                "The specified method is not allowed against this resource.",
            )
            .with_field("Method", method.as_str())
        })
}

impl Operation {
    /// The name under which its requests are counted.
    pub(crate) fn label(&self) -> &'static str {
        if self.is_served() {
            self.name
        } else {
            NOT_SERVED
        }
    }

    /// Whether it has a handler.
    pub(crate) const fn is_served(&self) -> bool {
        !matches!(self.handler, Handler::Later)
    }

    /// Checks that it supports the parameters and headers of a request.
    ///
    /// # Errors
    /// `NotImplemented` by name: for the operation itself, a parameter or a header.
    pub(crate) fn check(&self, head: &Head) -> Result<(), S3Error> {
        if !self.is_served() {
            return Err(S3Error::not_implemented(self.name));
        }
        arguments_check::parameters(self, head.query())?;
        arguments_check::headers(self, head.headers())
    }
}

impl Verb {
    fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET => Some(Verb::Get),
            Method::HEAD => Some(Verb::Head),
            Method::PUT => Some(Verb::Put),
            Method::POST => Some(Verb::Post),
            Method::DELETE => Some(Verb::Delete),
            _ => None,
        }
    }
}

impl Selector {
    /// The plain operation of its method and level.
    const PLAIN: Selector = Selector {
        query: &[],
        header: None,
    };

    const fn query(query: &'static [QueryPart]) -> Selector {
        Selector {
            query,
            header: None,
        }
    }

    fn holds(&self, query: &Query, headers: Headers<'_>) -> bool {
        let asked = self.query.is_empty() || self.query.iter().any(|part| part.is_in(query));
        asked && self.header.is_none_or(|name| headers.has(name))
    }

    /// Whether it depends on this parameter.
    fn names(&self, parameter: &str) -> bool {
        self.query.iter().any(|part| part.name() == parameter)
    }
}

impl QueryPart {
    fn name(self) -> &'static str {
        match self {
            QueryPart::Name(name) | QueryPart::Value(name, _) => name,
        }
    }

    fn is_in(self, query: &Query) -> bool {
        match self {
            QueryPart::Name(name) => query.has(name),
            QueryPart::Value(name, value) => query.get(name) == Some(value),
        }
    }
}

/// A row for an operation that S3 has and this server does not serve yet.
const fn later(
    level: Level,
    verb: Verb,
    part: &'static [QueryPart],
    name: &'static str,
    action: &'static str,
) -> Operation {
    Operation {
        name,
        verb,
        level,
        selector: Selector::query(part),
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action(action),
        handler: Handler::Later,
    }
}

const fn count_served() -> usize {
    let (mut family, mut count) = (0, 0);
    while family < TABLE.len() {
        let mut row = 0;
        while row < TABLE[family].len() {
            if TABLE[family][row].is_served() {
                count += 1;
            }
            row += 1;
        }
        family += 1;
    }
    count
}

const fn labels() -> [&'static str; SERVED + 1] {
    let mut labels = [NOT_SERVED; SERVED + 1];
    let (mut family, mut filled) = (0, 0);
    while family < TABLE.len() {
        let mut row = 0;
        while row < TABLE[family].len() {
            if TABLE[family][row].is_served() {
                labels[filled] = TABLE[family][row].name;
                filled += 1;
            }
            row += 1;
        }
        family += 1;
    }
    labels
}

#[cfg(test)]
mod tests;
