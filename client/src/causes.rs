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

/// Whether rustls is among the causes: the peer cannot prove its identity, so a retry is pointless.
pub(crate) fn is_tls_failure(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        // `source` does not return the error inside an io::Error.
        let wrapped = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        cause.is::<rustls::Error>() || wrapped.is_some()
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
        let tls = rustls::Error::DecryptError;
        assert!(is_tls_failure(&Outer(io::Error::other(tls))));
        assert!(!is_tls_failure(&Outer(io::Error::other("reset"))));
    }
}
