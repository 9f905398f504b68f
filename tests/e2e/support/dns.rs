//! Runs a DNS server for the tests, which answers badly on demand, and commands that ask it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;

use super::skipped;

/// The name that the server knows, which stands for this machine.
pub const HOST: &str = "registry.allegro.test";

/// The way in which the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// The server answers at once, and has no IPv6 address.
    Prompt,
    /// The server loses the first, third, fifth … answer to each kind of question.
    LosesHalf,
    /// The server answers after this time.
    Late(Duration),
    /// The server says that the name doesn't exist when it is asked for an IPv6 address.
    DeniesV6,
    /// The server never answers questions for IPv6 addresses.
    SilentOnV6,
    /// The server answers nothing at all.
    Silent,
}

/// The kind of question for an IPv4 address.
pub const A: u16 = 1;
/// The kind of question for an IPv6 address.
pub const AAAA: u16 = 28;

/// A running server.
#[derive(Debug)]
pub struct Dns {
    resolv_conf: PathBuf,
    asked: Arc<Mutex<HashMap<u16, usize>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Dns {
    /// Starts the server. `dir` contains the configuration for its clients. Returns `None` if this
    /// machine forbids the DNS port, or a change of `/etc/resolv.conf` for one process, and prints
    /// the reason.
    pub fn start(dir: &Path, manner: Manner) -> Option<Self> {
        let is_possible = Command::new("unshare")
            .args(["--mount", "true"])
            .status()
            .is_ok_and(|status| status.success());
        if !is_possible {
            return skipped("no mount namespace can be made");
        }
        // Tests run at the same time, so each takes an address of its own.
        let found = (0..20).find_map(|_| {
            let byte = || fastrand::u8(1..255);
            let address = Ipv4Addr::new(127, byte(), byte(), byte());
            Some((address, UdpSocket::bind((address, 53)).ok()?))
        });
        let Some((address, socket)) = found else {
            return skipped("nobody may listen on port 53");
        };
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a time-out");
        let resolv_conf = dir.join(format!("resolv-{address}.conf"));
        fs::write(&resolv_conf, format!("nameserver {address}\n")).expect("resolv.conf");
        let asked = Arc::new(Mutex::new(HashMap::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (own_asked, own_stop) = (asked.clone(), stop.clone());
        let thread = thread::spawn(move || serve(&socket, manner, &own_asked, &own_stop));
        Some(Self {
            resolv_conf,
            asked,
            stop,
            thread: Some(thread),
        })
    }

    /// Returns the number of questions for IPv4 and for IPv6 addresses since the last call.
    pub fn asked(&self) -> (usize, usize) {
        let asked = std::mem::take(&mut *self.asked.lock());
        let of = |kind| asked.get(&kind).copied().unwrap_or_default();
        (of(A), of(AAAA))
    }

    /// Returns the words before a command that make it ask this server.
    pub fn prefix(&self) -> Vec<OsString> {
        // The PHP of another release runs in a root directory of its own.
        let root = std::env::var("ALLEGRO_TEST_ROOT").unwrap_or_default();
        let script = "conf=$1; shift; mount --bind \"$conf\" /etc/resolv.conf || exit 125
            if [ -n \"$1\" ]; then mount --bind \"$conf\" \"$1/etc/resolv.conf\" || exit 125; fi
            shift; exec \"$@\"";
        ["unshare", "--mount", "sh", "-c", script, "sh"]
            .map(OsString::from)
            .into_iter()
            .chain([self.resolv_conf.clone().into_os_string(), root.into()])
            .collect()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(
    socket: &UdpSocket,
    manner: Manner,
    asked: &Mutex<HashMap<u16, usize>>,
    stop: &AtomicBool,
) {
    let mut seen: HashMap<u16, usize> = HashMap::new();
    let mut packet = [0; 1500];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, client)) = socket.recv_from(&mut packet) else {
            continue;
        };
        let Some((kind, reply)) = reply(&packet[..length], manner) else {
            continue;
        };
        *asked.lock().entry(kind).or_default() += 1;
        let seen = seen.entry(kind).or_default();
        *seen += 1;
        let is_lost = match manner {
            Manner::LosesHalf => *seen % 2 == 1,
            Manner::SilentOnV6 => kind == AAAA,
            Manner::Silent => true,
            Manner::Prompt | Manner::Late(_) | Manner::DeniesV6 => false,
        };
        if is_lost {
            continue;
        }
        let wait = match manner {
            Manner::Late(wait) => wait,
            _ => Duration::ZERO,
        };
        send(socket, reply, client, wait);
    }
}

fn send(socket: &UdpSocket, reply: Vec<u8>, client: SocketAddr, wait: Duration) {
    let socket = socket.try_clone().expect("a socket");
    thread::spawn(move || {
        thread::sleep(wait);
        // A client that has gone doesn't matter.
        let _ = socket.send_to(&reply, client);
    });
}

/// Returns the answer to a question (RFC 1035, 4), and the kind of the question.
fn reply(question: &[u8], manner: Manner) -> Option<(u16, Vec<u8>)> {
    const NO_SUCH_NAME: u8 = 3;
    let head = question.get(..12)?;
    let mut name = String::new();
    let mut at = 12;
    while let Some(length) = question.get(at).copied().filter(|length| *length > 0) {
        let label = question.get(at + 1..at + 1 + usize::from(length))?;
        name.push_str(&String::from_utf8_lossy(label).to_lowercase());
        name.push('.');
        at += 1 + usize::from(length);
    }
    let kind = u16::from_be_bytes([*question.get(at + 1)?, *question.get(at + 2)?]);
    let end = at + 5;
    let is_known = name.trim_end_matches('.') == HOST;
    let address = (is_known && kind == A).then_some(Ipv4Addr::LOCALHOST);
    let is_denied = !is_known || kind == AAAA && manner == Manner::DeniesV6;
    let mut reply = head[..2].to_vec();
    // The flags say that this is an answer, and that recursion is desired and available.
    reply.extend([0x81, 0x80 | if is_denied { NO_SUCH_NAME } else { 0 }]);
    reply.extend([0, 1, 0, u8::from(address.is_some()), 0, 0, 0, 0]);
    reply.extend(question.get(12..end)?);
    if let Some(address) = address {
        // The record has the name of the question, class IN, 60 seconds, and four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    Some((kind, reply))
}
