//! The `Authorization` header of SigV4: `AWS4-HMAC-SHA256 Credential=.., SignedHeaders=.., Signature=..`.
//!
//! Parsing only. The scope's region may be anything: clients sign for "us-east-1", "US" (s3cmd), "auto" or nothing, and
//! this server has one region for all of them.

use crate::s3::error::{S3Error, S3ErrorCode};

/// The only signing algorithm.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Maximum number of names in `SignedHeaders`: far above what SDKs sign (about 20), low enough to keep canonicalising
/// cheap.
const SIGNED_HEADERS_MAX: usize = 200;

/// The parsed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    pub(super) access_key: String,
    pub(super) scope: Scope,
    /// Lower case, sorted, without duplicates.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
}

/// The scope of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    /// `YYYYMMDD`
    pub(crate) date: String,
    pub(crate) region: String,
}

impl Scope {
    /// The text that is signed.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/s3/aws4_request", self.date, self.region)
    }
}

impl Authorization {
    /// Reads the header's value.
    ///
    /// # Errors
    /// `InvalidRequest` for SigV2 and SigV4a, `InvalidArgument` for another scheme, `AuthorizationHeaderMalformed` for
    /// a part that is missing or cannot be read.
    pub(super) fn parse(value: &str) -> Result<Authorization, S3Error> {
        let (scheme, rest) = value
            .trim()
            .split_once(|c: char| c.is_ascii_whitespace())
            .unwrap_or((value, ""));
        match scheme {
            ALGORITHM => {}
            scheme if scheme == "AWS" || scheme.starts_with("AWS4-") => {
                return Err(unsupported_mechanism());
            }
            scheme => {
                return Err(S3Error::invalid_argument(
                    "Authorization",
                    scheme,
                    "Unsupported Authorization Type",
                ));
            }
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let slot = match part.split_once('=') {
                Some(("Credential", text)) => (&mut credential, text),
                Some(("SignedHeaders", text)) => (&mut signed_headers, text),
                Some(("Signature", text)) => (&mut signature, text),
                _ => {
                    return Err(malformed(
                        "it holds something that is no Credential, SignedHeaders or Signature",
                    ));
                }
            };
            if slot.0.replace(slot.1.trim()).is_some() {
                return Err(malformed("it holds a part twice"));
            }
        }
        let credential = credential.ok_or_else(|| malformed("the Credential is missing"))?;
        let signed_headers =
            signed_headers.ok_or_else(|| malformed("the SignedHeaders are missing"))?;
        let signature = signature.ok_or_else(|| malformed("the Signature is missing"))?;
        let (access_key, scope) = parse_credential(credential)?;
        Ok(Authorization {
            access_key,
            scope,
            signed_headers: parse_signed_headers(signed_headers)?,
            signature: signature.to_owned(),
        })
    }
}

/// Split from the right, since an access key may contain slashes.
fn parse_credential(credential: &str) -> Result<(String, Scope), S3Error> {
    let mut parts = credential.rsplitn(5, '/');
    let (terminator, service, region, date, access_key) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    );
    let (Some(terminator), Some(service), Some(region), Some(date), Some(access_key)) =
        (terminator, service, region, date, access_key)
    else {
        return Err(malformed(
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"",
        ));
    };
    if terminator != "aws4_request" {
        return Err(malformed("the Credential does not end in \"aws4_request\""));
    }
    if service != "s3" {
        return Err(malformed(
            "incorrect service in the Credential; this endpoint belongs to \"s3\"",
        ));
    }
    if date.len() != 8 || !date.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed(
            "the date in the Credential is not in the form YYYYMMDD",
        ));
    }
    Ok((
        access_key.to_owned(),
        Scope {
            date: date.to_owned(),
            region: region.to_owned(),
        },
    ))
}

fn parse_signed_headers(text: &str) -> Result<Vec<String>, S3Error> {
    let mut names: Vec<String> = text.split(';').map(str::to_ascii_lowercase).collect();
    if names.len() > SIGNED_HEADERS_MAX || names.iter().any(String::is_empty) {
        return Err(malformed("the SignedHeaders are empty or too many"));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// SigV2 and SigV4a.
pub(super) fn unsupported_mechanism() -> S3Error {
    S3Error::new(
        S3ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

/// The error for a malformed header.
pub(super) fn malformed(why: impl std::fmt::Display) -> S3Error {
    S3Error::new(
        S3ErrorCode::AuthorizationHeaderMalformed,
        format!("The authorization header is malformed; {why}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

    #[test]
    fn spaces_between_parts_are_free_and_regions_are_any() {
        for region in ["us-east-1", "US", "", "auto"] {
            for comma in [",", ", "] {
                let value = format!(
                    "AWS4-HMAC-SHA256 Credential=a/b/20130524/{region}/s3/aws4_request{comma}SignedHeaders=host;Range{comma}Signature={SIGNATURE}"
                );
                let parsed = Authorization::parse(&value).expect("well-formed");
                assert_eq!(parsed.access_key, "a/b");
                assert_eq!(
                    parsed.scope.text(),
                    format!("20130524/{region}/s3/aws4_request")
                );
                assert_eq!(parsed.signed_headers, ["host", "range"]);
                assert_eq!(parsed.signature, SIGNATURE);
            }
        }
    }

    #[test]
    fn so_many_headers_may_be_signed_and_no_more() {
        let of = |count: usize| {
            let names: Vec<String> = (0..count).map(|n| format!("h{n}")).collect();
            parse_signed_headers(&names.join(";")).map(|names| names.len())
        };
        assert_eq!(of(SIGNED_HEADERS_MAX).ok(), Some(SIGNED_HEADERS_MAX));
        for many in [SIGNED_HEADERS_MAX + 1, SIGNED_HEADERS_MAX + 2] {
            let error = of(many).expect_err("too many");
            assert_eq!(error.code(), S3ErrorCode::AuthorizationHeaderMalformed);
        }
        assert!(parse_signed_headers("host;;range").is_err());
    }

    #[test]
    fn everything_else_gets_its_code() {
        use S3ErrorCode::{AuthorizationHeaderMalformed, InvalidArgument, InvalidRequest};
        let cases = [
            ("AWS AKID:signature", InvalidRequest),
            ("AWS4-ECDSA-P256-SHA256 Credential=x", InvalidRequest),
            ("Bearer token", InvalidArgument),
            ("", InvalidArgument),
            ("AWS4-HMAC-SHA256", AuthorizationHeaderMalformed),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,SignedHeaders=host",
                AuthorizationHeaderMalformed,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/r/s3/aws4_request,SignedHeaders=host,Signature=0",
                AuthorizationHeaderMalformed,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request,SignedHeaders=host,Signature=0",
                AuthorizationHeaderMalformed,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/2013/r/s3/aws4_request,SignedHeaders=host,Signature=0",
                AuthorizationHeaderMalformed,
            ),
            (
                "AWS4-HMAC-SHA256 Credential=a/20130524/r/s3/aws4_request,SignedHeaders=,Signature=0",
                AuthorizationHeaderMalformed,
            ),
            (
                "AWS4-HMAC-SHA256 Signature=0,Signature=1",
                AuthorizationHeaderMalformed,
            ),
        ];
        for (value, code) in cases {
            assert_eq!(
                Authorization::parse(value).expect_err(value).code(),
                code,
                "{value}"
            );
        }
    }
}
