//! Looks up a host name by the system's own resolver.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::ptr::null_mut;

/// The address family that a query asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// All addresses, in the order in which the system would use them.
    Any,
    /// IPv4 addresses only.
    V4,
}

/// Looks up a name by `getaddrinfo`, so that it resolves as in every other program. Hosts file,
/// search domains, multicast DNS and all other configured sources count. The call blocks for as
/// long as the system takes.
///
/// # Errors
/// Returns an error if the system knows no such name, or could not find out.
pub fn look_up(name: &str, family: Family) -> io::Result<Vec<SocketAddr>> {
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut list: *mut libc::addrinfo = null_mut();
    #[allow(
        unsafe_code,
        reason = "the standard library can't ask for one family alone"
    )]
    // SAFETY: `addrinfo` is a C structure for which all zeros mean "no hints". The name ends with
    // NUL. The list is only read if the call succeeded, and freed once.
    unsafe {
        let mut hints: libc::addrinfo = std::mem::zeroed();
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_family = match family {
            Family::Any => libc::AF_UNSPEC,
            Family::V4 => libc::AF_INET,
        };
        let code = libc::getaddrinfo(
            name.as_ptr(),
            std::ptr::null(),
            &raw const hints,
            &raw mut list,
        );
        if code != 0 {
            return Err(failure(code));
        }
        let mut addresses = Vec::new();
        let mut entry = list;
        while let Some(info) = entry.as_ref() {
            addresses.extend(address(info));
            entry = info.ai_next;
        }
        libc::freeaddrinfo(list);
        Ok(addresses)
    }
}

/// Converts one entry of the system's list.
#[allow(unsafe_code, reason = "the family tells the type of the address")]
fn address(info: &libc::addrinfo) -> Option<SocketAddr> {
    if info.ai_addr.is_null() {
        return None;
    }
    // SAFETY: the system has filled the entry, and its family names the structure behind the
    // pointer.
    unsafe {
        match info.ai_family {
            libc::AF_INET => {
                let address = info.ai_addr.cast::<libc::sockaddr_in>().read_unaligned();
                let ip = u32::from_be(address.sin_addr.s_addr);
                Some(SocketAddrV4::new(ip.into(), 0).into())
            }
            libc::AF_INET6 => {
                let address = info.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned();
                let ip = address.sin6_addr.s6_addr;
                Some(SocketAddrV6::new(ip.into(), 0, 0, address.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

fn failure(code: libc::c_int) -> io::Error {
    if code == libc::EAI_SYSTEM {
        return io::Error::last_os_error();
    }
    #[allow(unsafe_code, reason = "the text comes from the C library")]
    // SAFETY: the function accepts any number and returns a static string.
    let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
    io::Error::other(text.to_string_lossy().into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_knows_itself() {
        let all = look_up("localhost", Family::Any).unwrap();
        assert!(all.iter().all(|address| address.ip().is_loopback()));
        let four = look_up("localhost", Family::V4).unwrap();
        assert_eq!(four, ["127.0.0.1:0".parse().unwrap()]);
        assert!(look_up("local\0host", Family::Any).is_err());
    }
}
