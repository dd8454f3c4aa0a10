//! A damaged row of an object: told as damage, and given up only by force.

use strongroom_server::model::{BucketName, ObjectKey};
use strongroom_server::store::meta::{Txn, Write};
use strongroom_server::tables::{Heads, Keyed as _};

use crate::harness::Endpoint;

async fn damage(endpoint: &Endpoint, key: &str) {
    let name = BucketName::parse("bkt").expect("valid");
    let bucket = endpoint.storage.objects.bucket(&name).await;
    let id = bucket.expect("there").id;
    let key = ObjectKey::parse(key).expect("valid");
    let row = Heads.key((id, &key));
    let txn = Txn {
        conditions: Vec::new(),
        writes: vec![Write::Put(row, bytes::Bytes::from_static(b"\x01\x00?!"))],
    };
    let committed = endpoint.storage.store.meta.commit(txn);
    committed.wait().await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_object_is_replaced_and_deleted_only_by_force() {
    let endpoint = Endpoint::start().await;
    for method in ["PUT", "DELETE"] {
        endpoint.put("a", b"one").await.expect_status(200);
        damage(&endpoint, "a").await;
        let refused = endpoint.call(method, "/bkt/a").send().await;
        let refused = refused.expect_status(500);
        assert_eq!(refused.elements("Code"), ["InternalError"]);
        let told = refused.elements("Message").concat();
        assert!(told.contains("x-strongroom-force: true"), "{told}");
        let forced = endpoint.call(method, "/bkt/a");
        let forced = forced.header("x-strongroom-force", "true").send().await;
        assert!([200, 204].contains(&forced.status), "{}", forced.status);
        assert_eq!(forced.header("x-strongroom-force"), Some("1"));
        endpoint.put("a", b"two").await.expect_status(200);
        assert_eq!(endpoint.get("a").await.body, b"two");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn force_changes_nothing_about_a_healthy_object_and_other_requests_refuse_it() {
    let endpoint = Endpoint::start().await;
    endpoint.put("a", b"one").await.expect_status(200);
    for (method, value, status) in [
        ("PUT", "true", 200),
        ("PUT", "yes", 400),
        ("GET", "true", 501),
        ("DELETE", "false", 204),
    ] {
        let call = endpoint.call(method, "/bkt/a");
        let answer = call.header("x-strongroom-force", value).send().await;
        let answer = answer.expect_status(status);
        assert_eq!(answer.header("x-strongroom-force"), None);
    }
}
