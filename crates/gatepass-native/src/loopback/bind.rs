//! Gets the sockets: loopback addresses only, and nobody else's port.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use gatepass::Error;
use tokio::net::{TcpListener, TcpSocket};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// How often to look for a port that is free on both addresses.
const TRIES: usize = 16;

/// More than connections are served at once: who comes then waits in the system's queue.
const BACKLOG: u32 = 256;

/// One socket, on IPv4 or, where there is none, IPv6 (8252-3). Port 0 is any.
pub(super) fn one(port: u16) -> Result<(Vec<TcpListener>, SocketAddr), Error> {
    first(&[V4, V6], port)
}

/// Two sockets with the same port, so that `localhost` leads here whatever it resolves to; one where the machine has
/// only one of the families.
pub(super) fn both(port: u16) -> Result<(Vec<TcpListener>, SocketAddr), Error> {
    for _ in 0..TRIES {
        let (mut sockets, address) = first(&[V4, V6], port)?;
        if address.ip() == V6 {
            return Ok((sockets, address));
        }
        match open(SocketAddr::new(V6, address.port())) {
            Ok(socket) => sockets.push(socket),
            Err(error) if lacks_family(&error) => {}
            Err(error) if port == 0 && error.kind() == io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(why(error, SocketAddr::new(V6, address.port()))),
        }
        return Ok((sockets, address));
    }
    Err(Error::transient("no port is free on both 127.0.0.1 and [::1], which http://localhost needs: try again"))
}

fn first(addresses: &[IpAddr], port: u16) -> Result<(Vec<TcpListener>, SocketAddr), Error> {
    let mut last = None;
    for &address in addresses {
        let address = SocketAddr::new(address, port);
        match open(address).and_then(|socket| Ok((socket.local_addr()?, socket))) {
            Ok((address, socket)) => return Ok((vec![socket], address)),
            Err(error) if lacks_family(&error) => last = Some(why(error, address)),
            Err(error) => return Err(why(error, address)),
        }
    }
    Err(last.unwrap_or_else(|| Error::misconfigured("there is no loopback address to listen on")))
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port is free again while old connections linger. On Windows the option means something else: two programs could
    // share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether the machine has no such address. A container may lack the address, a kernel the whole family.
fn lacks_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: [i32; 3] = [97, 47, 10047]; // Linux; macOS and BSD; Windows
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| EAFNOSUPPORT.contains(&code))
}

fn why(error: io::Error, address: SocketAddr) -> Error {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => Error::misconfigured(format!(
            "another program listens on port {port} of {}, where the browser has to return: close it, or use any free \
             port (Loopback::any_port) if the authorization server allows that",
            address.ip()
        )),
        io::ErrorKind::PermissionDenied => Error::misconfigured(format!(
            "this program may not listen on port {port} of {}: use any free port (Loopback::any_port), or one above 1023",
            address.ip()
        )),
        _ => Error::transient(format!("cannot listen on {address} for the browser's return")),
    }
    .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rfc8252_7_3_without_ipv4_it_listens_on_ipv6() {
        // An address of the documentation range (RFC 5737) stands for a family that the machine does not have.
        let absent = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let (_, address) = first(&[absent, V6], 0).unwrap();
        assert_eq!(address.ip(), V6);

        let (_, address) = first(&[V4, V6], 0).unwrap();
        assert_eq!(address.ip(), V4);
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error_and_not_a_reason_to_try_ipv6() {
        let (_held, address) = first(&[V4], 0).unwrap();
        let error = one(address.port()).unwrap_err();
        assert!(error.is_misconfigured());
        let text = error.to_string();
        assert!(text.contains(&address.port().to_string()) && text.contains("any_port"), "{text}");
    }

    #[tokio::test]
    async fn localhost_listens_on_both_families_with_one_port() {
        let (sockets, address) = both(0).unwrap();
        let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        assert_eq!(addresses, [SocketAddr::new(V4, address.port()), SocketAddr::new(V6, address.port())]);
    }

    #[tokio::test]
    async fn localhost_shares_its_port_with_nobody_on_either_family() {
        for foreign in [V4, V6] {
            let (_held, address) = first(&[foreign], 0).unwrap();
            let error = both(address.port()).unwrap_err();
            assert!(error.is_misconfigured() && error.to_string().contains(&foreign.to_string()), "{error}");
        }
    }
}
