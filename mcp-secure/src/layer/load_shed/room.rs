//! Places for what runs, and a bounded queue for what waits for one.
//!
//! One lock for all three bounds, so that whoever waits for one of them holds none of the others:
//! a principal that has its share already, or a tool that is slow, keeps no place of the server's
//! empty while it waits.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::queue::{Queue, Ticket};
use crate::auth::Principal;

/// How many run, and how many wait.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Requests that run at once.
    pub(crate) places: usize,
    /// Of one principal, where there may be several.
    pub(crate) principal: Option<usize>,
    /// Of each tool, by its place in the registry.
    pub(crate) tools: Vec<usize>,
    /// Requests that wait.
    pub(crate) queue: usize,
    /// How long one waits.
    pub(crate) wait: Duration,
}

/// The places of one server; a clone is the same.
///
/// It counts only who is running something or waits, so it holds at most as many names as there
/// are places in it and in its queue.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    sizes: Sizes,
    /// Neither a place nor room in the queue is left. Read without the lock: at the door of the
    /// HTTP ring a request more or less makes no difference.
    full: AtomicBool,
    state: Mutex<State>,
}

struct State {
    all: Count,
    principals: HashMap<Arc<str>, Count>,
    tools: Vec<Count>,
    queue: Queue<Asked, oneshot::Sender<Place>>,
    /// Nobody waits any more.
    closed: bool,
}

#[derive(Clone, Copy, Default)]
struct Count {
    running: usize,
    waiting: usize,
}

/// For whom, and for what.
#[derive(Clone)]
struct Asked {
    who: Option<Arc<str>>,
    tool: Option<usize>,
}

/// What a request finds.
pub(crate) enum Entry {
    Place(Place),
    Wait(Waiting),
    Full(Full),
}

/// What there was no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    Server,
    Principal,
    Tool,
    /// The server ends: what is running may end, and nothing new begins.
    Stopping,
}

/// A request while it runs.
pub(crate) struct Place {
    room: Room,
    asked: Asked,
}

/// A request that waits; dropping it leaves the queue.
pub(crate) struct Waiting {
    room: Room,
    asked: Asked,
    ticket: Ticket,
    told: oneshot::Receiver<Place>,
}

impl Room {
    pub(crate) fn new(sizes: Sizes) -> Self {
        let state = State {
            all: Count::default(),
            principals: HashMap::new(),
            tools: vec![Count::default(); sizes.tools.len()],
            queue: Queue::default(),
            closed: false,
        };
        let room = Self(Arc::new(Inner {
            sizes,
            full: AtomicBool::new(false),
            state: Mutex::new(state),
        }));
        room.look(&room.state());
        room
    }

    /// A place, or one in the queue, or neither.
    pub(crate) fn enter(&self, principal: &Principal, tool: Option<usize>) -> Entry {
        let mut state = self.state();
        let asked = Asked {
            // Issuer and subject alone, as for the rates.
            who: self.0.sizes.principal.map(|_| {
                let (issuer, subject) = (principal.issuer(), principal.subject());
                let name = format!("{}:{issuer}{subject}", issuer.len());
                match state.principals.get_key_value(name.as_str()) {
                    Some((known, _)) => Arc::clone(known),
                    None => name.into(),
                }
            }),
            tool,
        };
        let entry = match self.lacks(&state, &asked) {
            None => {
                state.count(&asked, |count| count.running += 1);
                Entry::Place(Place {
                    room: self.clone(),
                    asked,
                })
            }
            Some(_) if state.closed => Entry::Full(Full::Stopping),
            Some(lacks) => match self.lacks_in_queue(&state, &asked, lacks) {
                Some(full) => Entry::Full(full),
                None => {
                    let (tell, told) = oneshot::channel();
                    state.count(&asked, |count| count.waiting += 1);
                    let ticket = state.queue.push(asked.clone(), tell);
                    Entry::Wait(Waiting {
                        room: self.clone(),
                        asked,
                        ticket,
                        told,
                    })
                }
            },
        };
        self.look(&state);
        entry
    }

    /// Whether whoever comes now is refused, whoever it is.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) fn is_full(&self) -> bool {
        self.0.full.load(Ordering::Relaxed)
    }

    /// Sends everybody home who waits, and says how many that were.
    pub(crate) fn close(&self) -> usize {
        let mut state = self.state();
        state.closed = true;
        let waiting = state.queue.take_all();
        for (asked, _) in &waiting {
            state.count(asked, |count| count.waiting -= 1);
        }
        self.look(&state);
        drop(state);
        // Each hears of it by its sender being dropped.
        waiting.len()
    }

    /// What there is too little of for this to run.
    fn lacks(&self, state: &State, asked: &Asked) -> Option<Full> {
        let Sizes {
            places,
            principal,
            tools,
            ..
        } = &self.0.sizes;
        if state.all.running >= *places {
            return Some(Full::Server);
        }
        if principal.is_some_and(|most| state.of(asked).running >= most.max(1)) {
            return Some(Full::Principal);
        }
        let tool = asked.tool?;
        let (running, most) = (state.tools.get(tool)?.running, tools.get(tool)?);
        (running >= *most).then_some(Full::Tool)
    }

    /// Whether this may not wait, either: nobody fills the queue alone, and no tool does. Of the
    /// queue each has the part that it has of the places.
    fn lacks_in_queue(&self, state: &State, asked: &Asked, lacks: Full) -> Option<Full> {
        let Sizes {
            places,
            principal,
            tools,
            queue,
            ..
        } = &self.0.sizes;
        if state.all.waiting >= *queue {
            // What it cannot have in any case is the better answer.
            return Some(lacks);
        }
        let share = |most: usize| queue.saturating_mul(most).div_ceil((*places).max(1));
        if principal.is_some_and(|most| state.of(asked).waiting >= share(most.max(1))) {
            return Some(Full::Principal);
        }
        let tool = asked.tool?;
        let (waiting, most) = (state.tools.get(tool)?.waiting, tools.get(tool)?);
        (waiting >= share(*most)).then_some(Full::Tool)
    }

    /// Gives the free places away: to whoever runs least, and among those to who came first.
    fn admit(&self, state: &mut State) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut admitted = Vec::new();
        while state.all.running < self.0.sizes.places {
            let next = state.queue.best(|asked| match self.lacks(state, asked) {
                None => Some(state.of(asked).running),
                Some(_) => None,
            });
            let Some((asked, tell)) = next.and_then(|ticket| state.queue.remove(ticket)) else {
                break;
            };
            state.count(&asked, |count| {
                count.waiting -= 1;
                count.running += 1;
            });
            let room = self.clone();
            admitted.push((tell, Place { room, asked }));
        }
        self.look(state);
        admitted
    }

    fn look(&self, state: &State) {
        let Sizes { places, queue, .. } = self.0.sizes;
        let full = state.all.running >= places && (state.closed || state.all.waiting >= queue);
        self.0.full.store(full, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl Room {
    /// One that is never full.
    pub(crate) fn without_end() -> Self {
        Self::new(Sizes {
            places: usize::MAX,
            principal: None,
            tools: Vec::new(),
            queue: 0,
            wait: Duration::ZERO,
        })
    }
}

impl State {
    fn of(&self, asked: &Asked) -> Count {
        let who = asked.who.as_ref();
        let count = who.and_then(|who| self.principals.get(who));
        count.copied().unwrap_or_default()
    }

    fn count(&mut self, asked: &Asked, change: impl Fn(&mut Count)) {
        change(&mut self.all);
        if let Some(tool) = asked.tool.and_then(|tool| self.tools.get_mut(tool)) {
            change(tool);
        }
        let Some(who) = &asked.who else { return };
        let count = self.principals.entry(Arc::clone(who)).or_default();
        change(count);
        if count.running == 0 && count.waiting == 0 {
            self.principals.remove(who);
        }
    }
}

impl Waiting {
    /// How long it may.
    pub(crate) fn longest(&self) -> Duration {
        self.room.0.sizes.wait
    }

    /// The place, if there is one in time.
    pub(crate) async fn place(mut self, longest: Duration) -> Result<Place, Full> {
        match timeout(longest, &mut self.told).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Full::Stopping),
            Err(_) => {
                let lacks = self.room.lacks(&self.room.state(), &self.asked);
                Err(lacks.unwrap_or(Full::Server))
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.room.state();
        if state.queue.remove(self.ticket).is_some() {
            state.count(&self.asked, |count| count.waiting -= 1);
            self.room.look(&state);
        }
        // A place that came at the same time is given back where `told` is dropped.
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.room.state();
        state.count(&self.asked, |count| count.running -= 1);
        let admitted = self.room.admit(&mut state);
        drop(state);
        for (tell, place) in admitted {
            // One that nobody waits for any more comes back here, and goes to the next.
            drop(tell.send(place));
        }
    }
}

#[cfg(test)]
mod tests;
