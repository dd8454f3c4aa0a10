//! Parses listening addresses in the forms that people type.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::ConfigError;
use crate::config::settings::Given;

/// Accepts `IP:PORT`, `[IPv6]:PORT`, `localhost:PORT`, and `:PORT` for every IPv4 address, as MinIO does. Names are not
/// resolved: a listener must not depend on a name server.
pub(super) fn parse(given: Given<String>) -> Result<SocketAddr, ConfigError> {
    let refused = |given: Given<String>| ConfigError::Address {
        value: given.value,
        source_of: given.from,
    };
    if let Ok(address) = given.value.parse() {
        return Ok(address);
    }
    let Some((host, port)) = given.value.rsplit_once(':') else {
        return Err(refused(given));
    };
    let host = match host {
        "" => Ipv4Addr::UNSPECIFIED,
        "localhost" => Ipv4Addr::LOCALHOST,
        _ => return Err(refused(given)),
    };
    match port.parse() {
        Ok(port) => Ok(SocketAddr::new(IpAddr::V4(host), port)),
        Err(_) => Err(refused(given)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Source;

    #[test]
    fn addresses_are_taken_as_people_type_them() {
        for (typed, meant) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:0", "[::1]:0"),
            (":9000", "0.0.0.0:9000"),
            ("localhost:80", "127.0.0.1:80"),
        ] {
            let address =
                parse(Given::new(typed.to_owned(), Source::Flag("--listen"))).expect(typed);
            assert_eq!(address.to_string(), meant);
        }
    }

    #[test]
    fn other_texts_are_refused_with_their_source() {
        for typed in [
            "9000",
            "127.0.0.1",
            "example.org:9000",
            "127.0.0.1:70000",
            ":",
            "",
        ] {
            let error = parse(Given::new(
                typed.to_owned(),
                Source::Variable("STRONGROOM_LISTEN"),
            ))
            .expect_err(typed);
            assert!(error.to_string().contains("STRONGROOM_LISTEN"), "{error}");
        }
    }
}
