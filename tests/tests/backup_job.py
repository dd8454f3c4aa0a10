"""What a backup job does with boto3, against the endpoint in AWS_ENDPOINT_URL. Exits with 0 when every step held."""

import base64
import hashlib
import io
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "boto3-job"
LARGE_BYTES = 100 * 1000 * 1000


def code_of(call):
    """The S3 error code that `call` fails with."""
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError("the call succeeded")


def main():
    s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    s3.create_bucket(Bucket=BUCKET)
    s3.head_bucket(Bucket=BUCKET)
    assert BUCKET in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] in (None, "us-east-1")
    assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)

    small = b"etcd snapshot status\n"
    md5 = base64.b64encode(hashlib.md5(small).digest()).decode()
    put = s3.put_object(
        Bucket=BUCKET, Key="prod/v2/notes ü+&.txt", Body=small, ContentMD5=md5, ContentType="text/plain",
        CacheControl="no-store", Metadata={"cluster": "prod", "revision": "42"},
    )
    assert put["ETag"] == '"%s"' % hashlib.md5(small).hexdigest()
    got = s3.get_object(Bucket=BUCKET, Key="prod/v2/notes ü+&.txt", ChecksumMode="ENABLED")
    assert got["Body"].read() == small
    assert got["ContentType"] == "text/plain" and got["CacheControl"] == "no-store"
    assert got["Metadata"] == {"cluster": "prod", "revision": "42"}
    assert "ChecksumCRC32" in got, "the checksum that boto3 sent comes back"

    large = os.urandom(1_000_000) * 100
    assert len(large) == LARGE_BYTES
    s3.upload_fileobj(io.BytesIO(large), BUCKET, "prod/v2/Full-00000000-00000042-1700000000")
    head = s3.head_object(Bucket=BUCKET, Key="prod/v2/Full-00000000-00000042-1700000000")
    assert head["ContentLength"] == LARGE_BYTES
    assert head["ETag"].strip('"').endswith("-12"), head["ETag"]
    back = io.BytesIO()
    s3.download_fileobj(BUCKET, "prod/v2/Full-00000000-00000042-1700000000", back)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(large).digest()
    part = s3.get_object(Bucket=BUCKET, Key="prod/v2/Full-00000000-00000042-1700000000", Range="bytes=8388600-8388615")
    assert part["Body"].read() == large[8388600:8388616]
    assert part["ContentRange"] == "bytes 8388600-8388615/%d" % LARGE_BYTES

    for i in range(25):
        s3.put_object(Bucket=BUCKET, Key="other/%03d" % i, Body=b"x")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="other/", PaginationConfig={"PageSize": 10}))
    assert [len(p["Contents"]) for p in pages] == [10, 10, 5]
    top = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [p["Prefix"] for p in top["CommonPrefixes"]] == ["other/", "prod/"]
    v1 = s3.list_objects(Bucket=BUCKET, Prefix="prod/")
    assert [o["Key"] for o in v1["Contents"]] == ["prod/v2/Full-00000000-00000042-1700000000", "prod/v2/notes ü+&.txt"]

    assert code_of(lambda: s3.get_object(Bucket=BUCKET, Key="absent")) == "NoSuchKey"
    assert code_of(lambda: s3.list_objects_v2(Bucket="absent-bucket")) == "NoSuchBucket"
    assert code_of(lambda: s3.delete_bucket(Bucket=BUCKET)) == "BucketNotEmpty"
    user = os.environ["AWS_ACCESS_KEY_ID"]
    stranger = boto3.client("s3", aws_access_key_id=user, aws_secret_access_key="wrong", config=Config(retries={"max_attempts": 1}))
    assert code_of(stranger.list_buckets) == "SignatureDoesNotMatch"

    keys = [o["Key"] for p in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET) for o in p["Contents"]]
    gone = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": k} for k in keys]})
    assert len(gone["Deleted"]) == 27 and "Errors" not in gone
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    s3.delete_bucket(Bucket=BUCKET)
    assert code_of(lambda: s3.list_objects_v2(Bucket=BUCKET)) == "NoSuchBucket"


if __name__ == "__main__":
    sys.exit(main())
