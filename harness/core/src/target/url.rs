//! A target without a file: `mqtt://127.0.0.1:1883`.
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::{Endpoint, TargetKind, TargetSpec, read};
use crate::connection::Addr;
use crate::registry::Registry;
use crate::value::Fields;

pub(super) fn spec(url: &str, registry: &Registry) -> Result<TargetSpec, String> {
    let known =
        || registry.protocols.iter().map(|protocol| format!("{}://", protocol.scheme.0)).collect::<Vec<_>>().join(", ");
    let (scheme, rest) =
        url.split_once("://").ok_or_else(|| format!("{url:?} is no URL: it begins with {}", known()))?;
    let protocol = registry.protocols.iter().find(|protocol| protocol.scheme.0 == scheme);
    let protocol = protocol.ok_or_else(|| format!("unknown scheme {scheme:?}; use {}", known()))?;
    let address = address(rest.trim_end_matches('/'), protocol.scheme.1)?;
    Ok(TargetSpec {
        name: url.to_string(),
        kind: TargetKind::Remote,
        endpoints: vec![Endpoint {
            name: protocol.name.to_string(),
            protocol: protocol.name.to_string(),
            versions: protocol.versions.iter().map(ToString::to_string).collect(),
            client: false,
            address: address.to_string(),
            claims: Vec::new(),
            lacks: Vec::new(),
            resources: Fields::default(),
        }],
        account: None,
        known: Vec::new(),
        digest: read::digest(url),
        owner: None,
    })
}

/// Host and port; hosts are IPv4 addresses, or `localhost`.
fn address(text: &str, default: u16) -> Result<Addr, String> {
    let (host, port) = match text.rsplit_once(':') {
        None => (text, default),
        Some((host, port)) => {
            let port = port.parse().ok().filter(|port| *port > 0);
            (host, port.ok_or_else(|| format!("{text:?}: not a port; write 127.0.0.1:{default}"))?)
        }
    };
    let host = if host == "localhost" { "127.0.0.1" } else { host };
    let ip: Ipv4Addr =
        host.parse().map_err(|_| format!("{host:?} is not an IPv4 address; write 127.0.0.1:{default}"))?;
    Ok(Addr { ip: ip.into(), port })
}
