//! Walks the chain of causes of an error: for messages, and to distinguish TLS failures from network failures.

use std::error::Error;

/// Most causes followed; a longer chain is a cycle or noise.
const DEPTH_MAX: usize = 16;

/// The error and its causes in one line, `a: b: c`. A cause that its parent's message already contains is not repeated.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in causes(error).skip(1) {
        let text = cause.to_string();
        if !text.is_empty() && !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    line
}

/// rustls' own error among the causes: the peer cannot prove its identity, or does not accept ours, so a retry is pointless.
pub(crate) fn tls_failure<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    causes(error).find_map(|cause| {
        // `source` does not return the error inside an io::Error, and a connector may wrap one in another.
        let mut at = cause;
        for _ in 0..DEPTH_MAX {
            if let Some(found) = at.downcast_ref::<rustls::Error>() {
                return Some(found);
            }
            let wrapped = at.downcast_ref::<std::io::Error>()?.get_ref()?;
            at = wrapped;
        }
        None
    })
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
    .take(DEPTH_MAX)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading the list")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_are_joined_without_repetition() {
        assert_eq!(
            chain(&Outer(io::Error::other("reset"))),
            "reading the list: reset"
        );
        assert_eq!(
            chain(&Outer(io::Error::other("the list"))),
            "reading the list"
        );
    }

    #[test]
    fn a_tls_failure_is_found_inside_an_io_error() {
        let tls = || io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert!(tls_failure(&Outer(tls())).is_some());
        assert!(tls_failure(&Outer(io::Error::other(tls()))).is_some());
        assert!(tls_failure(&Outer(io::Error::other("reset"))).is_none());
    }
}
