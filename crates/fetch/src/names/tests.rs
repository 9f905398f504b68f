#![allow(clippy::unwrap_used)]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// A query to the system that waits for its answer.
struct Question {
    family: Family,
    answer: Sender<io::Result<Vec<SocketAddr>>>,
}

impl Question {
    fn answer(self, addresses: &[&str]) {
        self.answer.send(Ok(list(addresses))).unwrap();
    }

    fn refuse(self, why: &str) {
        self.answer.send(Err(io::Error::other(why))).unwrap();
    }
}

/// Returns names whose queries the test answers itself.
fn names() -> (Names, Receiver<Question>) {
    let (questions, asked) = channel();
    let questions = Mutex::new(questions);
    let names = Names::asking(move |_, family| {
        let (answer, answers) = channel();
        questions.lock().send(Question { family, answer }).unwrap();
        // Dropping a question refuses it.
        answers
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("dropped")))
    });
    (names, asked)
}

/// Waits for the next query.
fn next(asked: &Receiver<Question>) -> Question {
    asked.recv_timeout(PATIENCE).unwrap()
}

fn list(addresses: &[&str]) -> Vec<SocketAddr> {
    let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
    addresses.iter().map(address).collect()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn get(names: &Names) -> Answer {
    runtime().block_on(names.addresses("host.test", PATIENCE))
}

#[test]
fn all_share_one_look_up() {
    let (names, asked) = names();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| get(&names))).collect();
        next(&asked).answer(&["::1", "127.0.0.1"]);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(list(&["::1", "127.0.0.1"])));
        }
    });
    // The answer is kept as well.
    assert_eq!(get(&names), Ok(list(&["::1", "127.0.0.1"])));
    assert!(asked.try_recv().is_err());
}

/// The first query is never answered.
#[test]
fn a_lost_answer_is_asked_for_again() {
    let (names, asked) = names();
    thread::scope(|scope| {
        let thread = scope.spawn(|| get(&names));
        let lost = next(&asked);
        assert_eq!(lost.family, Family::Any);
        // Both start after a second, in threads of their own.
        let (mut any, v4): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| next(&asked))
            .partition(|question| question.family == Family::Any);
        assert_eq!((any.len(), v4.len()), (1, 1));
        any.pop().unwrap().answer(&["127.0.0.2"]);
        assert_eq!(thread.join().unwrap(), Ok(list(&["127.0.0.2"])));
    });
}

/// The full answer never comes, or comes late and is then added.
#[test]
fn version_4_alone_is_enough() {
    let (names, asked) = names();
    thread::scope(|scope| {
        let thread = scope.spawn(|| get(&names));
        let (slow, mut others): (Vec<_>, Vec<_>) = (0..3)
            .map(|_| next(&asked))
            .partition(|question| question.family == Family::Any);
        others.pop().unwrap().answer(&["127.0.0.3"]);
        assert_eq!(thread.join().unwrap(), Ok(list(&["127.0.0.3"])));
        let mut answers = names.of("host.test").answer.subscribe();
        for question in slow {
            question.answer(&["::1", "127.0.0.3"]);
        }
        let both = runtime().block_on(async {
            let is_both =
                |answer: &Option<Answer>| matches!(answer, Some(Ok(known)) if known.len() == 2);
            answers.wait_for(is_both).await.unwrap().clone().unwrap()
        });
        assert_eq!(both, Ok(list(&["127.0.0.3", "::1"])));
    });
}

#[test]
fn a_refusal_is_not_kept() {
    let (names, asked) = names();
    for _ in 0..2 {
        thread::scope(|scope| {
            let thread = scope.spawn(|| get(&names));
            next(&asked).refuse("no such name");
            let v4 = next(&asked);
            assert_eq!(v4.family, Family::V4);
            v4.refuse("nor of version 4");
            assert_eq!(thread.join().unwrap(), Err("no such name".to_owned()));
        });
    }
}

/// Some resolvers report "no such name" when a name merely has no IPv6 address.
#[test]
fn a_refusal_of_both_is_not_one_of_version_4() {
    let (names, asked) = names();
    thread::scope(|scope| {
        let thread = scope.spawn(|| get(&names));
        next(&asked).refuse("no such name");
        next(&asked).answer(&["127.0.0.4"]);
        assert_eq!(thread.join().unwrap(), Ok(list(&["127.0.0.4"])));
    });
}

#[test]
fn nobody_waits_longer_than_the_patience() {
    let (names, asked) = names();
    let began = Instant::now();
    let answer = runtime().block_on(names.addresses("host.test", Duration::from_millis(50)));
    assert_eq!(answer, Err("no answer within 0.05 s".to_owned()));
    assert!(began.elapsed() < PATIENCE);
    // The look-up continues for later callers.
    next(&asked).answer(&["127.0.0.5"]);
    assert_eq!(get(&names), Ok(list(&["127.0.0.5"])));
}

#[test]
fn an_address_that_works_comes_first() {
    let (names, asked) = names();
    thread::scope(|scope| {
        scope.spawn(|| get(&names));
        next(&asked).answer(&["::1", "::2", "127.0.0.6"]);
    });
    names.leads_somewhere("127.0.0.6:443".parse().unwrap());
    names.leads_somewhere("127.0.0.7:443".parse().unwrap());
    assert_eq!(get(&names), Ok(list(&["127.0.0.6", "::1", "::2"])));
    // A fresh answer is kept after a failed connection.
    names.lead_nowhere();
    assert_eq!(get(&names), Ok(list(&["127.0.0.6", "::1", "::2"])));
    assert!(asked.try_recv().is_err());
}
