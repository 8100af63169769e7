//! The addresses of this host.

use crate::proto::interface::Interface;
use if_addrs::{IfAddr, IfOperStatus};

/// All addresses of this host. If the system does not tell them, there are none, and the log says why.
pub fn list() -> Vec<Interface> {
    match if_addrs::get_if_addrs() {
        Ok(interfaces) => interfaces.into_iter().map(interface).collect(),
        Err(error) => {
            log::warn!("the addresses of this host are unknown: {error}");
            Vec::new()
        }
    }
}

fn interface(found: if_addrs::Interface) -> Interface {
    let prefix = match &found.addr {
        IfAddr::V4(address) => address.prefixlen,
        IfAddr::V6(address) => address.prefixlen,
    };
    Interface {
        // On Unix the crate knows only one other state, `Unknown`: not running.
        is_up: found.oper_status == IfOperStatus::Up,
        index: found.index.unwrap_or(0),
        ip: found.ip().to_canonical(),
        prefix,
        name: found.name,
    }
}
