//! The open connections of one listener: which of them wait for a request, which are served, and which gives way.
//!
//! Bookkeeping only, no I/O. A connection waits until a request's head has arrived, is served until the answer has been
//! sent, and then waits again. Invariants: beyond its limits a newcomer takes the place of the connection that has
//! waited longest, of those that never sent a request first; a connection that is served never gives way; requests use
//! fewer places than there are, so that a newcomer always finds one and can be answered at once.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::telemetry::Admission;

/// The limits of one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Open connections.
    pub open_max: usize,
    /// Requests that are served at one time.
    pub served_max: usize,
    /// Open connections of one peer.
    pub peer_open_max: usize,
    /// Requests of one peer that are served at one time.
    pub peer_served_max: usize,
}

/// All connections of one listener.
#[derive(Debug)]
pub(super) struct Connections {
    limits: ConnectionLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Numbers connections and orders waits.
    tick: u64,
    open: HashMap<u64, Open>,
    peers: HashMap<Peer, Count>,
    total: Count,
}

/// One open connection.
#[derive(Debug)]
struct Open {
    peer: Peer,
    phase: Phase,
    /// Whether a whole head has arrived on it.
    spoke: bool,
    leave: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting {
        since: u64,
    },
    Serving(Admission),
    /// It gives way: it counts no more.
    Leaving,
}

#[derive(Debug, Default, Clone, Copy)]
struct Count {
    open: usize,
    served: usize,
}

/// What counts as one peer: an IPv4 address, or the network of an IPv6 address, because a host has all of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Peer(IpAddr);

/// The limit that a newcomer would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LimitOf {
    /// Connections of its peer.
    Peer,
    /// Connections of the listener.
    Listener,
}

/// A newcomer.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) place: Arc<Place>,
    /// The limit because of which another connection gives way to it.
    pub(super) displaced: Option<LimitOf>,
}

/// The place of one open connection; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    number: u64,
    leave: Arc<Notify>,
}

/// One request being answered; dropping it ends the request.
#[derive(Debug)]
pub(super) struct Serving {
    place: Arc<Place>,
    pub(super) admission: Admission,
}

impl Peer {
    fn of(address: IpAddr) -> Peer {
        Peer(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits) -> Arc<Connections> {
        Arc::new(Connections {
            limits,
            state: Mutex::default(),
        })
    }

    /// Gives a newcomer a place, if need be that of another connection.
    ///
    /// # Errors
    /// The limit, when every connection that it counts is being served.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, LimitOf> {
        let peer = Peer::of(address);
        let mut state = self.state.lock();
        let exceeded = if state.count(peer).open >= self.limits.peer_open_max {
            Some(LimitOf::Peer)
        } else if state.total.open >= self.limits.open_max {
            Some(LimitOf::Listener)
        } else {
            None
        };
        if let Some(limit) = exceeded {
            let of = (limit == LimitOf::Peer).then_some(peer);
            let longest = state.waiting_longest(of).ok_or(limit)?;
            state.displace(longest);
        }
        let number = state.next_tick();
        let leave = Arc::new(Notify::new());
        let open = Open {
            peer,
            phase: Phase::Waiting { since: number },
            spoke: false,
            leave: Arc::clone(&leave),
        };
        state.open.insert(number, open);
        state.add(peer, |count| count.open += 1);
        let place = Place {
            connections: Arc::clone(self),
            number,
            leave,
        };
        Ok(Admitted {
            place: Arc::new(place),
            displaced: exceeded,
        })
    }
}

impl State {
    fn next_tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    fn count(&self, peer: Peer) -> Count {
        self.peers.get(&peer).copied().unwrap_or_default()
    }

    fn add(&mut self, peer: Peer, change: impl Fn(&mut Count)) {
        change(&mut self.total);
        let count = self.peers.entry(peer).or_default();
        change(count);
        if count.open == 0 && count.served == 0 {
            self.peers.remove(&peer);
        }
    }

    /// The connection, of this peer or of all, that gives way first.
    fn waiting_longest(&self, of: Option<Peer>) -> Option<u64> {
        let rank = |(number, open): (&u64, &Open)| match open.phase {
            Phase::Waiting { since } if of.is_none_or(|peer| peer == open.peer) => {
                Some((open.spoke, since, *number))
            }
            _ => None,
        };
        let first = self.open.iter().filter_map(rank).min();
        first.map(|(_, _, number)| number)
    }

    fn displace(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.phase = Phase::Leaving;
            open.leave.notify_one();
            let peer = open.peer;
            self.add(peer, |count| count.open -= 1);
        }
    }
}

impl Place {
    /// A head has arrived. A connection that was just told to leave stays: its client could not know.
    pub(super) fn begin(self: &Arc<Self>) -> Serving {
        let limits = self.connections.limits;
        let mut state = self.connections.state.lock();
        let (peer, was) = state
            .open
            .get(&self.number)
            .map(|open| (open.peer, open.phase))
            .expect("a place is known until it is dropped");
        let admission = if state.total.served < limits.served_max
            && state.count(peer).served < limits.peer_served_max
        {
            Admission::Served
        } else {
            Admission::Refused
        };
        state.add(peer, |count| {
            count.open += usize::from(was == Phase::Leaving);
            count.served += usize::from(admission == Admission::Served);
        });
        if let Some(open) = state.open.get_mut(&self.number) {
            open.phase = Phase::Serving(admission);
            open.spoke = true;
        }
        Serving {
            place: Arc::clone(self),
            admission,
        }
    }

    /// Whether a request has come on it.
    pub(super) fn spoke(&self) -> bool {
        let state = self.connections.state.lock();
        state.open.get(&self.number).is_some_and(|open| open.spoke)
    }

    /// Whether it gives way.
    pub(super) fn is_leaving(&self) -> bool {
        let state = self.connections.state.lock();
        let phase = state.open.get(&self.number).map(|open| open.phase);
        phase == Some(Phase::Leaving)
    }

    /// Resolves when it was told to give way; [`Place::is_leaving`] tells whether that still holds.
    pub(super) async fn told_to_leave(&self) {
        self.leave.notified().await;
    }

    fn end(&self, admission: Admission) {
        let mut state = self.connections.state.lock();
        let since = state.next_tick();
        let Some(open) = state.open.get_mut(&self.number) else {
            return;
        };
        open.phase = Phase::Waiting { since };
        let peer = open.peer;
        state.add(peer, |count| {
            count.served -= usize::from(admission == Admission::Served);
        });
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.place.end(self.admission);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state.lock();
        if let Some(open) = state.open.remove(&self.number) {
            state.add(open.peer, |count| {
                count.open -= usize::from(open.phase != Phase::Leaving);
            });
        }
    }
}

#[cfg(test)]
mod tests;
