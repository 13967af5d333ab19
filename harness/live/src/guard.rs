//! Where traffic may go: loopback, or what the user has twice said to own. Nothing connects to an address that did not pass here.
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, ToSocketAddrs};

use proofhouse_core::actor::{Addr, EndpointId};
use proofhouse_core::target::TargetSpec;

use crate::error::RunError;

/// Addresses of a target's endpoints that passed the guard. There is no other way to make one.
#[derive(Clone, Debug)]
pub struct Approved(Vec<Addr>);

impl Approved {
    /// Where this endpoint is.
    #[must_use]
    pub fn addr(&self, endpoint: EndpointId) -> Addr {
        self.0[endpoint.0 as usize]
    }

    /// Whether somebody who spoke to us may be answered: on loopback, or on a machine of an endpoint.
    #[must_use]
    pub fn allows(&self, addr: Addr) -> bool {
        Ipv4Addr::from(addr.ip).is_loopback() || self.0.iter().any(|endpoint| endpoint.ip == addr.ip)
    }
}

/// Resolves and approves the address of every endpoint; `fill` fills in templates such as `{port}`.
///
/// # Errors
/// `Guard` for an address off loopback without an owner and `--i-own`, `Unreachable` for one that cannot be resolved.
pub fn approve(target: &TargetSpec, i_own: &[String], fill: impl Fn(&str) -> String) -> Result<Approved, RunError> {
    let one = |address: &str| {
        let addr = resolve(address)?;
        if !Ipv4Addr::from(addr.ip).is_loopback() {
            off_loopback(address, target, i_own)?;
        }
        Ok(addr)
    };
    target.endpoints.iter().map(|e| one(&fill(&e.address))).collect::<Result<_, _>>().map(Approved)
}

fn off_loopback(address: &str, target: &TargetSpec, i_own: &[String]) -> Result<(), RunError> {
    let refuse = |reason: String| Err(RunError::Guard { address: address.into(), reason });
    if target.owner.is_none() {
        return refuse("it is not on loopback, and the target file names no owner; write owner = \"...\" there".into());
    }
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    if !i_own.iter().any(|own| own == address || own == host) {
        return refuse(format!("it is not on loopback; if it is yours, repeat it: --i-own {address}"));
    }
    Ok(())
}

/// The first IPv4 address of `host:port`.
pub(crate) fn resolve(address: &str) -> Result<Addr, RunError> {
    let unreachable = |reason: String| RunError::Unreachable { address: address.into(), reason };
    let found = match address.parse::<SocketAddrV4>() {
        Ok(v4) => Some(v4),
        Err(_) => {
            address.to_socket_addrs().map_err(|error| unreachable(error.to_string()))?.find_map(|found| match found {
                SocketAddr::V4(v4) => Some(v4),
                SocketAddr::V6(_) => None,
            })
        }
    };
    found.map(addr_of).ok_or_else(|| unreachable("it has no IPv4 address".into()))
}

/// The same address in the engine's words.
pub(crate) fn addr_of(v4: SocketAddrV4) -> Addr {
    Addr { ip: u32::from(*v4.ip()), port: v4.port() }
}

/// The same address in the system's words.
pub(crate) fn socket_addr(addr: Addr) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(addr.ip), addr.port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proofhouse_core::target::{Endpoint, TargetKind};
    use proofhouse_core::value::Fields;

    fn target(address: &str, owner: Option<&str>) -> TargetSpec {
        TargetSpec {
            name: "t".into(),
            kind: TargetKind::Remote,
            endpoints: vec![Endpoint {
                name: "plain".into(),
                protocol: "toy".into(),
                versions: vec![],
                client: false,
                address: address.into(),
                claims: vec![],
                lacks: vec![],
                resources: Fields::default(),
            }],
            account: None,
            known: vec![],
            digest: String::new(),
            owner: owner.map(Into::into),
        }
    }

    fn check(address: &str, owner: Option<&str>, i_own: &[&str], passes: bool) {
        let i_own: Vec<String> = i_own.iter().map(|s| (*s).into()).collect();
        let answer = approve(&target(address, owner), &i_own, str::to_string);
        assert_eq!(answer.is_ok(), passes, "{address} owner {owner:?} i_own {i_own:?}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!(error.exit_code(), 2, "{error}");
        }
    }

    #[test]
    fn loopback_needs_no_word() {
        check("127.0.0.1:1883", None, &[], true);
        check("127.255.3.4:1883", None, &[], true);
    }

    #[test]
    fn anything_else_needs_an_owner_and_a_repeated_address() {
        check("192.0.2.1:1883", None, &[], false);
        check("192.0.2.1:1883", Some("me"), &[], false);
        check("192.0.2.1:1883", None, &["192.0.2.1:1883"], false);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.10:1883"], false);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.1:1883"], true);
        check("192.0.2.1:1883", Some("me"), &["192.0.2.1"], true);
        check("128.0.0.1:1883", None, &[], false);
        check("0.0.0.0:1883", None, &[], false);
    }
}
