//! Addresses of hosts: each name is looked up once in a process, and all connections share the answer.
//!
//! The system's own look-up is used, because only that gives a name the meaning that it has for Composer. It blocks and
//! can't be interrupted: a lost answer costs five seconds. Each look-up therefore has a thread of its own that nobody
//! joins. Whoever waits for the answer waits on a channel, and may leave at any time.
//!
//! A look-up without an answer after a second is helped by further ones beside it, and the first answer counts. Those
//! that ask for addresses of version 4 alone get past a server that never answers questions for version 6.

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

/// When further look-ups begin while there is no answer, counted from the first.
const FURTHER: [(Duration, Family); 4] = [
    (Duration::from_secs(1), Family::Any),
    (Duration::from_secs(1), Family::V4),
    (Duration::from_secs(2), Family::V4),
    (Duration::from_secs(4), Family::V4),
];

/// How long an answer is kept: longer than nearly all runs take.
const KEPT: Duration = Duration::from_mins(10);

/// An answer of this age that leads nowhere is asked for again. curl keeps answers for as long.
const DOUBTFUL: Duration = Duration::from_mins(1);

/// Bytes of a look-up's stack. Modules of the C library that ask other services need more than its own.
const STACK: usize = 512 << 10;

/// Asks the system for the addresses of a host.
type System = dyn Fn(&str, Family) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// What is known of the names that were asked for.
#[derive(Clone)]
pub struct Names {
    known: Arc<Mutex<HashMap<String, Arc<LookUp>>>>,
    system: Arc<System>,
}

impl Names {
    /// The names of this process.
    pub fn of_process() -> Self {
        static NAMES: LazyLock<Names> = LazyLock::new(|| Names::asking(system::look_up));
        NAMES.clone()
    }

    /// Names that are looked up in some way.
    pub fn asking(
        system: impl Fn(&str, Family) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            known: Arc::default(),
            system: Arc::new(system),
        }
    }

    /// The addresses of a name, if they are known.
    #[cfg(test)]
    pub fn known_of(&self, name: &str) -> Option<Vec<SocketAddr>> {
        let look_up = Arc::clone(self.known.lock().get(name)?);
        let answer = look_up.answer.borrow().clone();
        answer?.ok()
    }

    /// For the HTTP client. Whoever waits for an answer waits no longer than `patience`.
    pub fn resolver(&self, patience: Duration) -> Resolver {
        Resolver {
            names: self.clone(),
            patience,
        }
    }

    /// A connection to this address stands: the next ones of its hosts try it first. So an address, or a whole version
    /// of the protocol, that doesn't answer costs its wait once and not on each connection.
    pub fn leads_somewhere(&self, address: SocketAddr) {
        for look_up in self.known.lock().values() {
            look_up.prefer(address);
        }
    }

    /// A connection could not be made: what is no longer fresh is asked for again.
    pub fn lead_nowhere(&self) {
        self.known
            .lock()
            .retain(|_, look_up| look_up.began.elapsed() < DOUBTFUL);
    }

    /// The look-up of a name, which may have its answer already.
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

/// Addresses in the order in which they are tried, or why there are none.
type Answer = Result<Vec<SocketAddr>, String>;

/// The look-up of one name: all the questions to the system that it takes, and their first answer.
struct LookUp {
    name: String,
    began: Instant,
    system: Arc<System>,
    asked: Mutex<Asked>,
    answer: watch::Sender<Option<Answer>>,
}

#[derive(Default)]
struct Asked {
    /// How many of [`FURTHER`] have begun.
    further: usize,
    /// Questions that the system has not answered yet.
    open: usize,
    /// Version 4 was asked for alone.
    has_asked_v4: bool,
    /// The first refusal.
    refusal: Option<String>,
}

impl LookUp {
    /// Whether the answer, or the wait for it, is of use for another connection.
    fn is_good(&self) -> bool {
        !matches!(*self.answer.borrow(), Some(Err(_))) && self.began.elapsed() < KEPT
    }

    /// Begins a question.
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

    /// When the next further question begins if there is no answer before.
    fn next(&self) -> Option<Instant> {
        let further = self.asked.lock().further;
        FURTHER.get(further).map(|(after, _)| self.began + *after)
    }

    /// Begins the further questions that are due. All who wait for the answer call this, and one of them begins each.
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

    /// Takes what the system says to one question.
    fn told(self: &Arc<Self>, family: Family, addresses: io::Result<Vec<SocketAddr>>) {
        let mut asked = self.asked.lock();
        asked.open -= 1;
        let refusal = match addresses {
            Ok(addresses) if is_of_use(family, &addresses) => return self.add(addresses),
            Ok(_) => "it has no address that can be reached".to_owned(),
            Err(error) => error.to_string(),
        };
        asked.refusal.get_or_insert(refusal);
        // Some resolvers take "no address of version 6" for "no such name".
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

    /// Puts addresses behind those that are known already.
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

    /// Puts an address first, if it is one of this name's.
    fn prefer(&self, address: SocketAddr) {
        self.answer.send_if_modified(|answer| {
            if let Some(Ok(known)) = answer
                && let Some(at) = known.iter().position(|one| one.ip() == address.ip())
            {
                known[..=at].rotate_right(1);
            }
            // Nobody waits for this.
            false
        });
    }
}

/// Whether addresses answer the question. An answer of version 4 alone came first because the whole one is late, which
/// says nothing about whether this machine has a way to such addresses.
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

/// Gives the HTTP client addresses.
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
