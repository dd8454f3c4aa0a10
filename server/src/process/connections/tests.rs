//! Who gives way to whom.

use super::*;

const LIMITS: ConnectionLimits = ConnectionLimits {
    open_max: 4,
    served_max: 3,
    peer_open_max: 3,
    peer_served_max: 2,
};

fn peer(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn admit(connections: &Arc<Connections>, last: u8) -> Arc<Place> {
    let admitted = connections.admit(peer(last)).expect("a place");
    admitted.place
}

#[test]
fn the_one_that_waits_longest_gives_way_and_silent_ones_do_so_first() {
    let connections = Connections::new(LIMITS);
    let spoke = admit(&connections, 1);
    drop(spoke.begin());
    let silent = admit(&connections, 2);
    let later = admit(&connections, 3);
    let served = admit(&connections, 4);
    let serving = served.begin();
    let mut busy = Vec::new();
    for (newcomer, gone) in [(5, &silent), (6, &later)] {
        let admitted = connections.admit(peer(newcomer)).expect("a place");
        assert_eq!(admitted.displaced, Some(LimitOf::Listener));
        assert!(gone.is_leaving());
        // It stays and speaks: now only connections that have spoken wait.
        busy.push(admitted.place.begin());
    }
    assert!(!spoke.is_leaving() && !served.is_leaving());
    connections.admit(peer(7)).expect("a place");
    assert!(spoke.is_leaving() && !served.is_leaving());
    drop(serving);
}

#[test]
fn a_peer_at_its_bound_displaces_only_itself() {
    let connections = Connections::new(LIMITS);
    let other = admit(&connections, 1);
    let own: Vec<_> = (0..3).map(|_| admit(&connections, 2)).collect();
    let admitted = connections.admit(peer(2)).expect("a place");
    assert_eq!(admitted.displaced, Some(LimitOf::Peer));
    assert!(own[0].is_leaving() && !other.is_leaving());
    let _busy: Vec<_> = own[1..].iter().map(Place::begin).collect();
    let _third = admitted.place.begin();
    let refused = connections
        .admit(peer(2))
        .expect_err("all of it are served");
    assert_eq!(refused, LimitOf::Peer);
    let welcome = connections.admit(peer(3)).expect("others have a place");
    assert_eq!(welcome.displaced, Some(LimitOf::Listener));
    assert!(other.is_leaving());
}

#[test]
fn requests_use_fewer_places_than_there_are() {
    let connections = Connections::new(LIMITS);
    let places: Vec<_> = [1, 1, 1, 2].map(|last| admit(&connections, last)).into();
    let first = places[0].begin();
    let _second = places[1].begin();
    assert_eq!(
        places[2].begin().admission,
        Admission::Refused,
        "its peer has two"
    );
    let _third = places[3].begin();
    assert_eq!(places[2].begin().admission, Admission::Refused);
    drop(first);
    assert_eq!(places[2].begin().admission, Admission::Served);
}

#[test]
fn a_head_that_crosses_the_notice_is_served() {
    let connections = Connections::new(LIMITS);
    let places: Vec<_> = (1..=4).map(|last| admit(&connections, last)).collect();
    let newcomer = admit(&connections, 5);
    assert!(places[0].is_leaving());
    let serving = places[0].begin();
    assert!(!places[0].is_leaving());
    drop(serving);
    drop((places, newcomer));
    let state = connections.state.lock();
    assert_eq!((state.total.open, state.total.served), (0, 0));
    assert!(state.open.is_empty() && state.peers.is_empty());
}

#[test]
fn a_network_of_ipv6_is_one_peer() {
    let of = |text: &str| Peer::of(text.parse().expect("an address"));
    assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
    assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
}
