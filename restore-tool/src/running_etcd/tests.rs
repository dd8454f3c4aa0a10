//! Listeners on free loopback ports, some of them etcds, others not.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const VERSION: &str = "HTTP/1.1 200 OK\r\nContent-Length: 45\r\n\r\n{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}";
const OTHER: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
/// A TLS alert record: fatal, handshake_failure.
const TLS_ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 40];

/// Answers every connection with `answer` and closes it.
async fn listener(answer: &'static [u8]) -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _read = stream.read(&mut request).await;
            let _sent = stream.write_all(answer).await;
        }
    });
    Ok(port)
}

async fn free_port() -> std::io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await?
        .local_addr()
        .map(|address| address.port())
}

async fn look(peer_url: String, client_port: u16, standard_peer_port: u16) -> Seen {
    // The probes block on a separate thread, as in the program.
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let ports = Ports {
            peer_urls: std::slice::from_ref(&peer_url),
            data_dir: Path::new("/nowhere"),
            client_port,
            standard_peer_port,
            // Which files this process has open depends on the other tests.
            listener: |_| None,
        };
        runtime.block_on(ports.look())
    })
    .await
    .expect("probes do not panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_on_the_own_peer_url_refuses_by_address_and_by_name() -> Outcome {
    let (etcd, free) = (listener(VERSION.as_bytes()).await?, free_port().await?);
    for host in ["127.0.0.1", "localhost"] {
        let error = look(format!("http://{host}:{etcd}"), free, 1)
            .await
            .refusal
            .expect("etcd runs, and its directory is unknown");
        assert!(error.to_string().contains(&etcd.to_string()), "{error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_server_on_an_https_peer_url_refuses() -> Outcome {
    let (tls, free) = (listener(TLS_ALERT).await?, free_port().await?);
    let error = look(format!("https://127.0.0.1:{tls}"), free, 1)
        .await
        .refusal
        .expect("TLS answers");
    assert!(matches!(error, TargetError::EtcdAnswers { .. }), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_is_a_warning_and_silence_is_nothing() -> Outcome {
    let (other, free) = (listener(OTHER.as_bytes()).await?, free_port().await?);
    assert_eq!(
        look(format!("http://127.0.0.1:{other}"), free, 1)
            .await
            .warnings
            .len(),
        1
    );
    assert_eq!(
        look(format!("http://127.0.0.1:{free}"), free, 1)
            .await
            .warnings,
        Vec::<String>::new()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_etcd_on_the_client_port_counts_only_beside_a_local_standard_peer_url() -> Outcome {
    let (client, peer) = (listener(VERSION.as_bytes()).await?, free_port().await?);
    let error = look(format!("http://127.0.0.1:{peer}"), client, peer)
        .await
        .refusal
        .expect("this machine's etcd");
    assert!(error.to_string().contains(&client.to_string()), "{error}");
    // Another port, or another machine (TEST-NET-1, never contacted): a utility pod next to another etcd.
    assert_eq!(
        look(format!("http://127.0.0.1:{peer}"), client, 1)
            .await
            .warnings
            .len(),
        1
    );
    assert_eq!(
        look(format!("http://192.0.2.1:{peer}"), client, peer)
            .await
            .warnings
            .len(),
        1
    );
    Ok(())
}

#[test]
fn a_locked_database_names_the_running_etcd() -> Outcome {
    let dir = tempfile::tempdir()?;
    refuse_member(dir.path())?;
    refuse_member(&dir.path().join("missing"))?;
    std::fs::create_dir_all(dir.path().join("member/snap"))?;
    assert!(matches!(
        refuse_member(dir.path()),
        Err(TargetError::MemberExists { .. })
    ));
    let db = File::create(dir.path().join("member/snap/db"))?;
    rustix::fs::flock(&db, FlockOperation::NonBlockingLockExclusive)?;
    assert!(matches!(
        refuse_member(dir.path()),
        Err(TargetError::EtcdHolds { .. })
    ));
    Ok(())
}

#[test]
fn even_a_dangling_member_link_is_a_member() -> Outcome {
    let dir = tempfile::tempdir()?;
    std::os::unix::fs::symlink("/nowhere", dir.path().join(MEMBER))?;
    assert!(matches!(
        refuse_member(dir.path()),
        Err(TargetError::MemberExists { .. })
    ));
    Ok(())
}
