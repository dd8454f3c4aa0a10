//! The router's decisions, as a table.

use super::arguments::PAGE_ENTRIES_MAX;
use super::*;

fn parse(method: &str, target: &str) -> Result<Operation, S3Error> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let method: Method = method.parse().expect("a method");
    Operation::parse(&method, path, &Query::parse(query)?)
}

#[test]
fn requests_map_to_operations_by_name() {
    let upload = "00112233445566778899aabbccddeeff";
    let cases = [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?x-id=ListBuckets", "ListBuckets"),
        ("PUT", "/bkt", "CreateBucket"),
        ("PUT", "/bkt/", "CreateBucket"),
        ("HEAD", "/bkt", "HeadBucket"),
        ("DELETE", "/bkt?x-id=DeleteBucket", "DeleteBucket"),
        ("GET", "/bkt/?location=", "GetBucketLocation"),
        ("GET", "/bkt?versioning", "GetBucketVersioning"),
        (
            "GET",
            "/bkt?delimiter=&prefix=&encoding-type=url",
            "ListObjects",
        ),
        (
            "GET",
            "/bkt/?list-type=2&fetch-owner=true&metadata=true",
            "ListObjectsV2",
        ),
        ("GET", "/bkt/?uploads=&prefix=a", "ListMultipartUploads"),
        ("POST", "/bkt/?delete=", "DeleteObjects"),
        ("PUT", "/bkt/key?x-id=PutObject", "PutObject"),
        (
            "GET",
            "/bkt/key?response-content-type=text/plain",
            "GetObject",
        ),
        ("HEAD", "/bkt/key?versionId=null", "HeadObject"),
        ("DELETE", "/bkt/key", "DeleteObject"),
        ("POST", "/bkt/key?uploads", "CreateMultipartUpload"),
        (
            "PUT",
            &format!("/bkt/key?partNumber=1&uploadId={upload}"),
            "UploadPart",
        ),
        (
            "POST",
            &format!("/bkt/key?uploadId={upload}"),
            "CompleteMultipartUpload",
        ),
        (
            "DELETE",
            &format!("/bkt/key?uploadId={upload}"),
            "AbortMultipartUpload",
        ),
        (
            "GET",
            &format!("/bkt/key?uploadId={upload}&max-parts=7"),
            "ListParts",
        ),
    ];
    for (method, target, name) in cases {
        let operation =
            parse(method, target).unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        assert_eq!(operation.name(), name, "{method} {target}");
        assert!(OPERATION_NAMES.contains(&name), "{name} labels metrics");
    }
}

#[test]
fn subresources_that_are_not_served_are_named_and_never_fall_through() {
    let cases = [
        ("DELETE", "/bkt/key?tagging", "DeleteObjectTagging"),
        ("GET", "/bkt/key?tagging", "GetObjectTagging"),
        ("PUT", "/bkt/key?acl", "PutObjectAcl"),
        ("PUT", "/bkt?versioning", "PutBucketVersioning"),
        ("DELETE", "/bkt?policy", "DeleteBucketPolicy"),
        ("GET", "/bkt?object-lock=", "GetObjectLockConfiguration"),
        ("GET", "/bkt?versions", "ListObjectVersions"),
        ("POST", "/bkt", "PostObject"),
        (
            "POST",
            "/bkt/key?select&select-type=2",
            "PostObjectContentSelection",
        ),
        (
            "DELETE",
            "/bkt/key?something=1",
            "The query parameter `something`",
        ),
        ("GET", "/bkt?something", "The query parameter `something`"),
        ("GET", "/bkt/key?partNumber=1", "GetObject with partNumber"),
    ];
    for (method, target, name) in cases {
        let operation =
            parse(method, target).unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        assert_eq!(
            operation,
            Operation::Unsupported(Cow::Borrowed(name)),
            "{method} {target}"
        );
    }
}

#[test]
fn keys_are_any_utf8_of_the_path() {
    let long = "k".repeat(1024);
    let cases = [
        ("/bkt/a//b", "a//b"),
        ("/bkt//a", "/a"),
        ("/bkt/..", ".."),
        ("/bkt/a/../b", "a/../b"),
        ("/bkt/a+b%2Bc%20d", "a+b+c d"),
        ("/bkt/%00%01%7f", "\0\u{1}\u{7f}"),
        ("/bkt/dir/", "dir/"),
        ("/bkt/%E2%82%AC%2f", "€/"),
        (&format!("/bkt/{long}"), long.as_str()),
    ];
    for (path, key) in cases {
        match parse("GET", path).unwrap_or_else(|error| panic!("{path}: {error}")) {
            Operation::Object(_, parsed, ObjectOperation::Get(VersionSelector::Current)) => {
                assert_eq!(parsed.as_str(), key);
            }
            other => panic!("{path} is {other:?}"),
        }
    }
}

#[test]
fn bad_names_and_arguments_get_their_codes() {
    let long = format!("/bkt/{}", "k".repeat(1025));
    let cases = [
        ("GET", "/Bad_Bucket/key", S3ErrorCode::InvalidBucketName),
        ("GET", "//key", S3ErrorCode::InvalidBucketName),
        ("GET", long.as_str(), S3ErrorCode::KeyTooLong),
        ("GET", "/bkt/%ff", S3ErrorCode::InvalidUri),
        ("PATCH", "/bkt/key", S3ErrorCode::MethodNotAllowed),
        ("GET", "/bkt?max-keys=x", S3ErrorCode::InvalidArgument),
        ("GET", "/bkt?max-keys=-1", S3ErrorCode::InvalidArgument),
        (
            "GET",
            "/bkt?encoding-type=base64",
            S3ErrorCode::InvalidArgument,
        ),
        ("GET", "/bkt?list-type=3", S3ErrorCode::InvalidArgument),
        (
            "PUT",
            "/bkt/key?partNumber=0&uploadId=00112233445566778899aabbccddeeff",
            S3ErrorCode::InvalidArgument,
        ),
        (
            "PUT",
            "/bkt/key?partNumber=10001&uploadId=00112233445566778899aabbccddeeff",
            S3ErrorCode::InvalidArgument,
        ),
        (
            "PUT",
            "/bkt/key?partNumber=1&uploadId=nonsense",
            S3ErrorCode::NoSuchUpload,
        ),
        (
            "DELETE",
            "/bkt/key?versionId=x",
            S3ErrorCode::InvalidArgument,
        ),
    ];
    for (method, target, code) in cases {
        assert_eq!(
            parse(method, target).expect_err(target).code(),
            code,
            "{method} {target}"
        );
    }
}

#[test]
fn empty_arguments_of_listings_are_absent() {
    let operation = parse(
        "GET",
        "/bkt?delimiter=&prefix=&marker=&max-keys=&encoding-type=",
    )
    .expect("valid");
    let Operation::Bucket(_, BucketOperation::List(list)) = operation else {
        panic!("a listing")
    };
    let expected = ListObjects {
        version: ListVersion::V1 { marker: None },
        prefix: None,
        delimiter: None,
        encoding: NameEncoding::Plain,
        max_keys: PAGE_ENTRIES_MAX,
    };
    assert_eq!(list, expected);
}

#[test]
fn own_paths_are_told_from_buckets() {
    assert_eq!(own_path("/minio/health/live"), Some(OwnPath::Live));
    assert_eq!(own_path("/minio/health/ready"), Some(OwnPath::Ready));
    assert_eq!(
        own_path("/minio/v2/metrics/cluster"),
        Some(OwnPath::Unknown)
    );
    assert_eq!(own_path("/minio"), Some(OwnPath::Unknown));
    assert_eq!(own_path("/minio-backup/key"), None);
}
