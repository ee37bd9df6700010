//! Variables that a cluster sets in every pod, for each service of its namespace.
//!
//! Kubernetes names them after the service, in capitals: for a service `deskplane-metrics` there are
//! `DESKPLANE_METRICS_SERVICE_HOST`, `DESKPLANE_METRICS_PORT_9700_TCP_ADDR` and others, and are no
//! settings. They are recognised by name and value together, so that a setting that an operator
//! misspelled does not pass for one.

use std::net::IpAddr;

/// Protocols of services.
const PROTOCOLS: [&str; 3] = ["tcp", "udp", "sctp"];

/// Whether a variable is one of those for a service whose name begins with `deskplane`. `name` is
/// what follows `DESKPLANE_`.
pub(super) fn is_injected(name: &str, value: &str) -> bool {
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(capital) {
        return false;
    }
    // With the underscore that ended the prefix, the service `deskplane` itself has the same form.
    let name = format!("_{name}");
    let named_port = name.rsplit_once("_SERVICE_PORT_").is_some_and(|(_, port)| !port.is_empty());
    // The name of a service may end with such a word, too, so one form does not exclude another.
    (name.ends_with("_SERVICE_HOST") && is_address(value))
        || ((name.ends_with("_SERVICE_PORT") || named_port) && is_port(value))
        || (name.ends_with("_PORT") && is_url(value))
        || is_of_port(&name, value)
}

/// The variables of one port of a service: `…_PORT_9700_TCP`, and its parts.
fn is_of_port(name: &str, value: &str) -> bool {
    let known = |port: &str, protocol: &str| {
        is_port(port) && PROTOCOLS.iter().any(|known| known.eq_ignore_ascii_case(protocol))
    };
    let words: Vec<_> = name.split('_').collect();
    match words.as_slice() {
        [.., "PORT", port, protocol] if known(port, protocol) => is_url(value),
        [.., "PORT", port, protocol, part] if known(port, protocol) => match *part {
            "PROTO" => value.eq_ignore_ascii_case(protocol),
            "PORT" => value == *port,
            "ADDR" => is_address(value),
            _ => false,
        },
        _ => false,
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// Whether a text is such as `tcp://10.0.0.7:9700`.
fn is_url(text: &str) -> bool {
    let Some((protocol, authority)) = text.split_once("://") else { return false };
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    PROTOCOLS.contains(&protocol) && is_address(host) && is_port(port)
}

#[cfg(test)]
mod tests {
    use super::is_injected;

    /// What a cluster sets for a service, by the rest of the service's name.
    fn family(service: &str, address: &str) -> Vec<(String, String)> {
        let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
        [
            ("SERVICE_HOST", address.to_owned()),
            ("SERVICE_PORT", "9700".to_owned()),
            ("SERVICE_PORT_HTTP_METRICS", "9700".to_owned()),
            ("PORT", format!("tcp://{host}:9700")),
            ("PORT_9700_TCP", format!("tcp://{host}:9700")),
            ("PORT_9700_TCP_PROTO", "tcp".to_owned()),
            ("PORT_9700_TCP_PORT", "9700".to_owned()),
            ("PORT_9700_TCP_ADDR", address.to_owned()),
            ("PORT_53_UDP", format!("udp://{host}:53")),
            ("PORT_53_UDP_PROTO", "udp".to_owned()),
            ("PORT_5060_SCTP_ADDR", address.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (format!("{service}{name}"), value))
        .collect()
    }

    #[test]
    fn the_variables_of_every_service_are_told_apart() {
        for service in ["", "METRICS_", "VOICE_", "A__B_2_", "SERVICE_", "PORT_", "LISTEN_"] {
            for address in ["10.0.0.7", "fd00::7"] {
                for (name, value) in family(service, address) {
                    assert!(is_injected(&name, &value), "{name}={value}");
                }
            }
        }
    }

    #[test]
    fn what_somebody_wrote_is_not_taken_for_one() {
        for (name, value) in [
            ("PORT", "7700"),
            ("METRICS_PORT", "9700"),
            ("METRICS_PORT", "tcp://:9700"),
            ("METRICS_PORT", "http://10.0.0.7:9700"),
            ("METRICS_PORT_9700_TCP", "9700"),
            ("METRICS_PORT_9700_TCP_ADDR", "desk.example.com"),
            ("METRICS_PORT_9700_TCP_HOST", "10.0.0.7"),
            ("METRICS_PORT_9700_ICMP", "icmp://10.0.0.7:9700"),
            ("METRICS_PORT_X_TCP", "tcp://10.0.0.7:9700"),
            ("SERVICE_HOST", "desk.example.com"),
            ("SERVICE_PORT", "tcp"),
            ("SERVICE_PORTS", "9700"),
            ("SERVICE_PORT_", "9700"),
            ("METRICS_LISTN", "127.0.0.1:9700"),
            ("metrics_PORT", "tcp://10.0.0.7:9700"),
        ] {
            assert!(!is_injected(name, value), "{name}={value}");
        }
    }
}
