//! Operations on buckets.

use super::QueryPart::{Name, Value};
use super::Verb::{Delete, Get, Head, Post, Put};
use super::header_groups::BODY;
use super::{BodyKind, Handler, Operation, Selector, later};
use crate::s3::addressing::Level::Bucket;
use crate::s3::authorisation::Action;
use crate::s3::ops;
use crate::s3::payload::document::DocumentRules;

/// The parameters of both ListObjects versions.
const LISTING: &[&str] = &[
    "list-type",
    "prefix",
    "delimiter",
    "marker",
    "max-keys",
    "encoding-type",
    "start-after",
    "continuation-token",
    "fetch-owner",
];

pub(super) static ROWS: &[Operation] = &[
    Operation {
        name: "CreateBucket",
        verb: Put,
        level: Bucket,
        selector: Selector::PLAIN,
        parameters: &[],
        headers: &[BODY],
        body: BodyKind::Document(DocumentRules::CONFIGURATION),
        action: Action("s3:CreateBucket"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::buckets::create(call, bucket))),
    },
    Operation {
        name: "HeadBucket",
        verb: Head,
        level: Bucket,
        selector: Selector::PLAIN,
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListBucket"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::buckets::head(call, bucket))),
    },
    Operation {
        name: "DeleteBucket",
        verb: Delete,
        level: Bucket,
        selector: Selector::PLAIN,
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:DeleteBucket"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::buckets::delete(call, bucket))),
    },
    Operation {
        name: "GetBucketLocation",
        verb: Get,
        level: Bucket,
        selector: Selector::query(&[Name("location")]),
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:GetBucketLocation"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::buckets::location(call, bucket))),
    },
    Operation {
        name: "GetBucketVersioning",
        verb: Get,
        level: Bucket,
        selector: Selector::query(&[Name("versioning")]),
        parameters: &[],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:GetBucketVersioning"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::buckets::versioning(call, bucket))),
    },
    Operation {
        name: "ListMultipartUploads",
        verb: Get,
        level: Bucket,
        selector: Selector::query(&[Name("uploads")]),
        parameters: &[
            "prefix",
            "delimiter",
            "key-marker",
            "upload-id-marker",
            "max-uploads",
            "encoding-type",
        ],
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListBucketMultipartUploads"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::upload_lists::uploads(call, bucket))),
    },
    Operation {
        name: "ListObjectsV2",
        verb: Get,
        level: Bucket,
        selector: Selector::query(&[Value("list-type", "2")]),
        parameters: LISTING,
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListBucket"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::list::objects(call, bucket))),
    },
    Operation {
        name: "ListObjects",
        verb: Get,
        level: Bucket,
        selector: Selector::PLAIN,
        parameters: LISTING,
        headers: &[],
        body: BodyKind::None,
        action: Action("s3:ListBucket"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::list::objects(call, bucket))),
    },
    Operation {
        name: "DeleteObjects",
        verb: Post,
        level: Bucket,
        selector: Selector::query(&[Name("delete")]),
        parameters: &[],
        headers: &[BODY],
        body: BodyKind::Document(DocumentRules::NAMES),
        action: Action("s3:DeleteObject"),
        handler: Handler::Bucket(|call, bucket| Box::pin(ops::delete::many(call, bucket))),
    },
    later(Bucket, Post, &[], "PostObject", "s3:PutObject"),
];
