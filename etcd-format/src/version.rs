//! Versions in etcd's records.
//!
//! Owns: the texts that etcd's semver parser accepts. Must not know the record that contains them.

/// Whether etcd reads the text as a version: three numbers, then perhaps `-` or `+` with more.
pub(crate) fn is_version(text: &str) -> bool {
    let numbers = text.split(['-', '+']).next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split('.').count() == 3 && numbers.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_are_versions() {
        for text in ["3.6.0", "3.7.1-rc.0", "10.20.30+build"] {
            assert!(is_version(text), "{text}");
        }
        for text in ["", "3.6", "3.6.0.1", "v3.6.0", "3..0", "a.b.c", "3.6.-1"] {
            assert!(!is_version(text), "{text}");
        }
    }
}
