//! Ids compared with test vectors of real etcds, and the same refusals as etcd's own tool.

use super::*;

fn cluster(text: &str) -> InitialCluster {
    InitialCluster::parse(text).expect("the list is right")
}

fn urls(text: &str) -> AdvertiseUrls {
    AdvertiseUrls::parse(text).expect("the URLs are right")
}

const THREE: &str = "n1=http://127.0.0.1:22380,n2=http://127.0.0.1:22381,n3=http://127.0.0.1:22382";

#[test]
fn ids_are_those_of_etcd() {
    let members = Membership::new(&cluster(THREE), &Token::new("tok-1")).expect("ids differ");
    let listed: Vec<_> = members
        .members
        .iter()
        .map(|member| (member.id.to_string(), member.name.as_str()))
        .collect();
    let expected = [
        ("2e43cc1a7cdd0f6e", "n1"),
        ("583f563645c3ed55", "n3"),
        ("59d8024f8dec20de", "n2"),
    ];
    assert_eq!(listed, expected.map(|(id, name)| (id.to_owned(), name)));
    assert_eq!(members.cluster_id.to_string(), "ce9f81e49d6205d9");

    let one =
        Membership::new(&cluster("m1=http://10.0.0.1:2380"), &Token::default()).expect("one id");
    assert_eq!(one.members[0].id, MemberId(4_520_489_976_140_230_000));
    assert_eq!(one.cluster_id, ClusterId(0xba89_22d7_af06_ed93));
    assert!(Token::default().is_default() && !Token::new("tok-1").is_default());
}

#[test]
fn ids_display_without_leading_zeros() {
    assert_eq!(MemberId(0x00ab).to_string(), "ab");
    assert_eq!(ClusterId(0x0012_3456).to_string(), "123456");
}

#[test]
fn a_member_may_have_several_urls_in_any_order() {
    let parsed = cluster(",a=https://h2:1,b=HTTP://Host:2,,a=https://h1:1,");
    let listed: Vec<(&str, Vec<&str>)> = parsed
        .members()
        .map(|(name, urls)| (name, urls.iter().map(PeerUrl::as_str).collect()))
        .collect();
    assert_eq!(
        listed,
        [
            ("a", vec!["https://h1:1", "https://h2:1"]),
            ("b", vec!["http://Host:2"])
        ]
    );
    let members = Membership::new(&parsed, &Token::default()).expect("ids differ");
    let local = members
        .local("a", &urls("https://h2:1, https://h1:1"))
        .expect("the URLs are its own");
    assert_eq!(
        local.to_json().split_once(',').map(|(_, rest)| rest),
        Some("\"peerURLs\":[\"https://h1:1\",\"https://h2:1\"],\"name\":\"a\"}")
    );
}

#[test]
fn two_writings_of_one_address_are_one_address() {
    let same = [
        (
            "https://Etcd-0.example:2380",
            "HTTPS://etcd-0.EXAMPLE.:02380",
        ),
        ("http://[0:0:0:0:0:0:0:1]:2380", "http://[::1]:2380"),
    ];
    for (one, other) in same {
        let parsed = cluster(&format!("a={one},b=http://10.0.0.2:2380"));
        let members = Membership::new(&parsed, &Token::default()).expect("ids differ");
        assert_eq!(infer_name(&parsed, &urls(other)), Ok("a".to_owned()));
        let local = members.local("a", &urls(other)).expect("its own address");
        assert_eq!(
            local.peer_urls,
            [one],
            "stored as in the list, as etcd does"
        );
        let twice = InitialCluster::parse(&format!("a={one},b={other}"));
        assert!(matches!(twice, Err(MembershipError::DuplicateUrl { .. })));
    }
    assert_ne!(
        urls("http://h:1").urls()[0].address(),
        urls("https://h:1").urls()[0].address()
    );
}

#[test]
fn urls_that_etcd_refuses_or_cannot_reach_are_refused() {
    let cases = [
        ("127.0.0.1:2380", UrlDefect::NoScheme),
        ("", UrlDefect::NoScheme),
        ("ftp://h:1", UrlDefect::Scheme),
        ("http://host", UrlDefect::HostPort),
        ("http://a:b:1", UrlDefect::HostPort),
        ("http://[::1]", UrlDefect::HostPort),
        ("http://::1:2380", UrlDefect::HostPort),
        ("http://host/path", UrlDefect::HostPort),
        ("http://host:1/", UrlDefect::Path),
        ("http://host:1/x", UrlDefect::Path),
        ("http://host:1?x", UrlDefect::Extra),
        ("http://user@host:1", UrlDefect::Extra),
        ("http://:2380", UrlDefect::Host),
        ("http://ho st:2380", UrlDefect::Host),
        ("http://[::g]:2380", UrlDefect::Host),
        ("http://[fe80::1%25]:2380", UrlDefect::Host),
        ("http://[fe80::1%25e%0]:2380", UrlDefect::Host),
        ("http://host:", UrlDefect::Port),
        ("http://host:0", UrlDefect::Port),
        ("http://host:+1", UrlDefect::Port),
        ("http://host:65536", UrlDefect::Port),
        ("unix://", UrlDefect::SocketPath),
        ("unix:///a b", UrlDefect::SocketPath),
    ];
    for (text, expected) in cases {
        let error = PeerUrl::parse(text).expect_err(text);
        assert_eq!(
            error,
            MembershipError::Url {
                text: text.to_owned(),
                defect: expected
            },
            "{text}"
        );
    }
    for text in [
        "http://[::1]:2380",
        "https://[fe80::1%25eth0]:2380",
        "unix://localhost:1",
        "unixs:///run/e.sock",
        "http://a_b.c-d:65535",
    ] {
        assert_eq!(
            PeerUrl::parse(&format!(" {text} ")).expect(text).as_str(),
            text
        );
    }
}

#[test]
fn lists_that_etcd_refuses_are_refused() {
    assert_eq!(
        InitialCluster::parse(""),
        Err(MembershipError::EmptyCluster)
    );
    assert_eq!(
        InitialCluster::parse(",,"),
        Err(MembershipError::EmptyCluster)
    );
    let part = "http://h:1".to_owned();
    assert_eq!(
        InitialCluster::parse(&part),
        Err(MembershipError::PartWithoutName { part: part.clone() })
    );
    for name in ["", " a", "a ", "a\nb"] {
        let part = format!("{name}=http://h:1");
        assert_eq!(
            InitialCluster::parse(&part),
            Err(MembershipError::Name { part: part.clone() })
        );
    }
    for text in ["a=http://h:1,b=http://h:1", "a=http://h:1,a=http://h:1"] {
        let url = PeerUrl::parse("http://h:1").expect("it is one");
        assert_eq!(
            InitialCluster::parse(text),
            Err(MembershipError::DuplicateUrl { url })
        );
    }
    let many: Vec<String> = (0..=MEMBERS_MAX)
        .map(|n| format!("m{n}=http://h:{}", n + 1))
        .collect();
    assert_eq!(
        InitialCluster::parse(&many.join(",")),
        Err(MembershipError::TooManyMembers { count: 101 })
    );
}

#[test]
fn the_local_member_must_be_listed_with_just_its_urls() {
    let members = Membership::new(
        &cluster("m1=http://h:1,m1=http://h:2,m2=http://i:1"),
        &Token::default(),
    )
    .expect("ids differ");
    let text =
        |result: Result<&Member, MembershipError>| result.expect_err("it is refused").to_string();
    assert_eq!(
        text(members.local("mX", &urls("http://h:1")))
            .split(',')
            .next(),
        Some("couldn't find local name \"mX\" in the initial cluster configuration")
    );
    assert_eq!(
        text(members.local("m1", &urls("http://h:1"))),
        "--initial-cluster has m1=http://h:2 but missing from --initial-advertise-peer-urls=http://h:1"
    );
    assert_eq!(
        text(members.local("m2", &urls("http://i:1,http://h:1"))),
        "--initial-advertise-peer-urls has http://h:1 but missing from --initial-cluster=m2=http://h:1"
    );
    assert_eq!(
        members
            .local("m2", &urls("http://i:1"))
            .map(|member| member.name.as_str()),
        Ok("m2")
    );
}

#[test]
fn a_name_is_inferred_only_when_there_is_no_doubt() {
    let one = cluster("only=http://h:1");
    assert_eq!(
        infer_name(&one, &urls("http://elsewhere:1")),
        Ok("only".to_owned())
    );
    let three = cluster(THREE);
    assert_eq!(
        infer_name(&three, &urls("http://127.0.0.1:22381")),
        Ok("n2".to_owned())
    );
    for advertised in [
        "http://127.0.0.1:22389",
        "http://127.0.0.1:22380,http://127.0.0.1:22381",
    ] {
        let error = infer_name(&three, &urls(advertised)).expect_err("it is ambiguous");
        assert!(
            matches!(error, MembershipError::NameUnknown { .. }),
            "{error}"
        );
    }
}
