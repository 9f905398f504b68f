//! Resolves host names. Each name is looked up once in a process, and all connections share the
//! answer.
//!
//! The system's own look-up is used, because only that resolves a name as it does for Composer. The
//! call blocks and can't be interrupted: a lost answer costs five seconds. Each look-up therefore
//! has its own thread, which is never joined. Callers wait for the answer on a channel, and may
//! leave at any time.
//!
//! After a second without an answer, further look-ups start beside the first, and the first answer
//! counts. Those for IPv4 addresses alone get past a server that never answers IPv6 queries.

mod system;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::watch;
use tokio::time::sleep_until;

use system::Family;

/// Delays of the further look-ups, counted from the first, that start while there is no answer.
const FURTHER: [(Duration, Family); 4] = [
    (Duration::from_secs(1), Family::Any),
    (Duration::from_secs(1), Family::V4),
    (Duration::from_secs(2), Family::V4),
    (Duration::from_secs(4), Family::V4),
];

/// Lifetime of an answer, which is longer than nearly all runs.
const KEPT: Duration = Duration::from_mins(10);

/// Age above which an answer is looked up again after a failed connection. curl keeps answers for
/// as long.
const DOUBTFUL: Duration = Duration::from_mins(1);

/// Stack size in bytes of a look-up's thread. C library modules that ask other services need more
/// than the library itself.
const STACK: usize = 512 << 10;

/// Function that asks the system for the addresses of a host.
type System = dyn Fn(&str, Family) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The look-ups of all names so far.
#[derive(Clone)]
pub struct Names {
    known: Arc<Mutex<HashMap<String, Arc<LookUp>>>>,
    system: Arc<System>,
}

impl Names {
    /// Returns the names that this process shares.
    pub fn of_process() -> Self {
        static NAMES: LazyLock<Names> = LazyLock::new(|| Names::asking(system::look_up));
        NAMES.clone()
    }

    /// Returns an empty set of names with the given look-up function.
    pub fn asking(
        system: impl Fn(&str, Family) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            known: Arc::default(),
            system: Arc::new(system),
        }
    }

    /// Returns the addresses of a name, if they are known.
    #[cfg(test)]
    pub fn known_of(&self, name: &str) -> Option<Vec<SocketAddr>> {
        let look_up = Arc::clone(self.known.lock().get(name)?);
        let answer = look_up.answer.borrow().clone();
        answer?.ok()
    }

    /// Returns the resolver for the HTTP client. Each caller waits at most `patience` for an
    /// answer.
    pub fn resolver(&self, patience: Duration) -> Resolver {
        Resolver {
            names: self.clone(),
            patience,
        }
    }

    /// Records a successful connection: later connections to its hosts try this address first. An
    /// address, or a whole address family, that doesn't respond thus costs its wait only once.
    pub fn leads_somewhere(&self, address: SocketAddr) {
        for look_up in self.known.lock().values() {
            look_up.prefer(address);
        }
    }

    /// Records a failed connection. All answers older than [`DOUBTFUL`] are dropped, and looked up
    /// again when needed.
    pub fn lead_nowhere(&self) {
        self.known
            .lock()
            .retain(|_, look_up| look_up.began.elapsed() < DOUBTFUL);
    }

    /// Returns the look-up of a name, starting one if needed. It may have its answer already.
    fn of(&self, name: &str) -> Arc<LookUp> {
        let mut known = self.known.lock();
        if let Some(look_up) = known.get(name)
            && look_up.is_good()
        {
            return Arc::clone(look_up);
        }
        let look_up = Arc::new(LookUp {
            name: name.to_owned(),
            began: Instant::now(),
            system: Arc::clone(&self.system),
            asked: Mutex::default(),
            answer: watch::Sender::default(),
        });
        known.insert(name.to_owned(), Arc::clone(&look_up));
        drop(known);
        look_up.ask(Family::Any);
        look_up
    }

    async fn addresses(&self, name: &str, patience: Duration) -> Answer {
        let look_up = self.of(name);
        let mut answer = look_up.answer.subscribe();
        let until = Instant::now() + patience;
        loop {
            let wake = look_up.next().map_or(until, |next| next.min(until));
            tokio::select! {
                biased;
                told = answer.wait_for(Option::is_some) => {
                    let told = told.ok().and_then(|answer| answer.clone());
                    return told.unwrap_or_else(|| Err("the look-up has ended".to_owned()));
                }
                () = sleep_until(wake.into()) => {
                    if wake == until {
                        return Err(format!("no answer within {} s", patience.as_secs_f64()));
                    }
                    look_up.ask_further();
                }
            }
        }
    }
}

/// Addresses in the order in which they are tried, or the reason why there are none.
type Answer = Result<Vec<SocketAddr>, String>;

/// The look-up of one name: all of its queries to the system, and their first answer.
struct LookUp {
    name: String,
    began: Instant,
    system: Arc<System>,
    asked: Mutex<Asked>,
    answer: watch::Sender<Option<Answer>>,
}

#[derive(Default)]
struct Asked {
    /// Number of entries of [`FURTHER`] that have started.
    further: usize,
    /// Number of queries that the system has not answered yet.
    open: usize,
    /// Whether a query for IPv4 alone has started.
    has_asked_v4: bool,
    /// First error that the system returned.
    refusal: Option<String>,
}

impl LookUp {
    /// Returns whether another connection can use the answer, or the wait for it.
    fn is_good(&self) -> bool {
        !matches!(*self.answer.borrow(), Some(Err(_))) && self.began.elapsed() < KEPT
    }

    /// Starts a query in a thread of its own.
    fn ask(self: &Arc<Self>, family: Family) {
        {
            let mut asked = self.asked.lock();
            asked.open += 1;
            asked.has_asked_v4 |= family == Family::V4;
        }
        let own = Arc::clone(self);
        let work = move || own.told(family, (own.system)(&own.name, family));
        let thread = thread::Builder::new()
            .name("allegro-names".to_owned())
            .stack_size(STACK);
        if let Err(error) = thread.spawn(work) {
            self.told(family, Err(error));
        }
    }

    /// Returns when the next further query starts if no answer comes before.
    fn next(&self) -> Option<Instant> {
        let further = self.asked.lock().further;
        FURTHER.get(further).map(|(after, _)| self.began + *after)
    }

    /// Starts the further queries that are due. All callers that wait for the answer call this, and
    /// one of them starts each query.
    fn ask_further(self: &Arc<Self>) {
        loop {
            let family = {
                let mut asked = self.asked.lock();
                let due = FURTHER.get(asked.further);
                let Some((_, family)) = due.filter(|(after, _)| self.began.elapsed() >= *after)
                else {
                    return;
                };
                asked.further += 1;
                *family
            };
            self.ask(family);
        }
    }

    /// Processes the system's answer to one query.
    fn told(self: &Arc<Self>, family: Family, addresses: io::Result<Vec<SocketAddr>>) {
        let mut asked = self.asked.lock();
        asked.open -= 1;
        let refusal = match addresses {
            Ok(addresses) if is_of_use(family, &addresses) => return self.add(addresses),
            Ok(_) => "it has no address that can be reached".to_owned(),
            Err(error) => error.to_string(),
        };
        asked.refusal.get_or_insert(refusal);
        // Some resolvers report "no such name" when a name merely has no IPv6 address.
        let ask_v4 = !asked.has_asked_v4;
        if ask_v4 {
            drop(asked);
            self.ask(Family::V4);
        } else if asked.open == 0 {
            let refusal = asked.refusal.clone().unwrap_or_default();
            self.answer.send_if_modified(|answer| {
                let is_first = answer.is_none();
                answer.get_or_insert(Err(refusal));
                is_first
            });
        }
    }

    /// Appends addresses to those that are known already.
    fn add(&self, addresses: Vec<SocketAddr>) {
        self.answer.send_modify(|answer| match answer {
            Some(Ok(known)) => {
                for address in addresses {
                    if !known.contains(&address) {
                        known.push(address);
                    }
                }
            }
            _ => *answer = Some(Ok(addresses)),
        });
    }

    /// Moves an address to the front, if it belongs to this name.
    fn prefer(&self, address: SocketAddr) {
        self.answer.send_if_modified(|answer| {
            if let Some(Ok(known)) = answer
                && let Some(at) = known.iter().position(|one| one.ip() == address.ip())
            {
                known[..=at].rotate_right(1);
            }
            // No caller waits for this change.
            false
        });
    }
}

/// Returns whether addresses answer the query. An IPv4 answer came first only because the full one
/// is late. It doesn't show that this machine has a route to IPv4 addresses.
fn is_of_use(family: Family, addresses: &[SocketAddr]) -> bool {
    let Some(first) = addresses.first() else {
        return false;
    };
    let port = 53;
    family == Family::Any
        || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
            .and_then(|socket| socket.connect((first.ip(), port)))
            .is_ok()
}

/// Passes addresses to the HTTP client.
pub struct Resolver {
    names: Names,
    patience: Duration,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, patience) = (self.names.clone(), self.patience);
        Box::pin(async move {
            let addresses = names.addresses(name.as_str(), patience).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
