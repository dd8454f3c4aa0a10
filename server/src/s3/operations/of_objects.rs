//! Operations on objects and uploads.

use super::QueryPart::Name;
use super::Verb::{Delete, Get, Head, Post, Put};
use super::header_groups::{BODY, FORCE, OBJECT, READ, UPLOAD_CHECKSUM, WHOLE_OBJECT, WRITE};
use super::{BodyKind, Handler, Operation, Selector, later};
use crate::s3::addressing::Level::Object;
use crate::s3::authorisation::Action;
use crate::s3::ops;
use crate::s3::payload::document::DocumentRules;

/// The parameters of GetObject and HeadObject.
const READING: &[&str] = &[
    "versionId",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

const COPY_SOURCE: &str = "x-amz-copy-source";

pub(super) static ROWS: &[Operation] = &[
    Operation {
        selector: Selector {
            query: &[Name("uploadId"), Name("partNumber")],
            header: Some(COPY_SOURCE),
        },
        ..later(Object, Put, &[], "UploadPartCopy", "s3:PutObject")
    },
    Operation {
        selector: Selector {
            query: &[],
            header: Some(COPY_SOURCE),
        },
        ..later(Object, Put, &[], "CopyObject", "s3:PutObject")
    },
    Operation {
        name: "CreateMultipartUpload",
        verb: Post,
        level: Object,
        selector: Selector::query(&[Name("uploads")]),
        parameters: &[],
        headers: &[OBJECT, UPLOAD_CHECKSUM],
        body: BodyKind::None,
        action: Action("s3:PutObject"),
        handler: Handler::Object(|call, bucket, key| {
            Box::pin(ops::uploads::create(call, bucket, key))
        }),
    },
    Operation {
        name: "UploadPart",
        verb: Put,
        level: Object,
        selector: Selector::query(&[Name("uploadId"), Name("partNumber")]),
        parameters: &[],
        headers: &[BODY],
        body: BodyKind::Stream,
        action: Action("s3:PutObject"),
        handler: Handler::Object(|call, bucket, key| {
            Box::pin(ops::uploads::put_part(call, bucket, key))
        }),
    },
    Operation {
        name: "CompleteMultipartUpload",
        verb: Post,
        level: Object,
        selector: Selector::query(&[Name("uploadId")]),
        parameters: &[],
        headers: &[WRITE, BODY, WHOLE_OBJECT],
        body: BodyKind::Document(DocumentRules::PARTS),
        action: Action("s3:PutObject"),
        handler: Handler::Object(|call, bucket, key| {
            Box::pin(ops::uploads::complete(call, bucket, key))
        }),
    },
    Operation {
        name: "AbortMultipartUpload",
        verb: Delete,
        level: Object,
        selector: Selector::query(&[Name("uploadId")]),
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:AbortMultipartUpload"),
        handler: Handler::Object(|call, bucket, key| {
            Box::pin(ops::uploads::abort(call, bucket, key))
        }),
    },
    Operation {
        name: "ListParts",
        verb: Get,
        level: Object,
        selector: Selector::query(&[Name("uploadId")]),
        parameters: &["part-number-marker", "max-parts", "encoding-type"],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListMultipartUploadParts"),
        handler: Handler::Object(|call, bucket, key| {
            Box::pin(ops::upload_lists::parts(call, bucket, key))
        }),
    },
    later(
        Object,
        Get,
        &[Name("partNumber")],
        "GetObject with partNumber",
        "s3:GetObject",
    ),
    later(
        Object,
        Head,
        &[Name("partNumber")],
        "HeadObject with partNumber",
        "s3:GetObject",
    ),
    Operation {
        name: "PutObject",
        verb: Put,
        level: Object,
        selector: Selector::PLAIN,
        parameters: &[],
        headers: &[WRITE, OBJECT, BODY, FORCE],
        body: BodyKind::Stream,
        action: Action("s3:PutObject"),
        handler: Handler::Object(|call, bucket, key| Box::pin(ops::put::object(call, bucket, key))),
    },
    Operation {
        name: "GetObject",
        verb: Get,
        level: Object,
        selector: Selector::PLAIN,
        parameters: READING,
        headers: &[READ],
        body: BodyKind::None,
        action: Action("s3:GetObject"),
        handler: Handler::Object(|call, bucket, key| Box::pin(ops::get::object(call, bucket, key))),
    },
    Operation {
        name: "HeadObject",
        verb: Head,
        level: Object,
        selector: Selector::PLAIN,
        parameters: READING,
        headers: &[READ],
        body: BodyKind::None,
        action: Action("s3:GetObject"),
        handler: Handler::Object(|call, bucket, key| Box::pin(ops::get::head(call, bucket, key))),
    },
    Operation {
        name: "DeleteObject",
        verb: Delete,
        level: Object,
        selector: Selector::PLAIN,
        parameters: &["versionId"],
        headers: &[FORCE],
        body: BodyKind::None,
        action: Action("s3:DeleteObject"),
        handler: Handler::Object(|call, bucket, key| Box::pin(ops::delete::one(call, bucket, key))),
    },
];
