//! `strongroom snapshot hashkv`: computes from a file the hash that etcd's members use to compare their history.

use serde_json::json;
use strongroom_etcd_format::bolt::Bolt;
use strongroom_etcd_format::hashkv::{self, At, HashKv, Rules};

use super::failure::{Failure, Refused};
use super::forms::{self, Form, Minor};
use super::report;
use super::settings::LookPlan;
use super::source;

pub(super) async fn run(
    plan: LookPlan,
    at: At,
    form: Form,
    like: Option<Minor>,
) -> Result<(), Failure> {
    let minor = like.unwrap_or(Minor::V37);
    let rules = if minor == Minor::V34 {
        Rules::Etcd34
    } else {
        Rules::Etcd35
    };
    let found = source::look(plan, move |image| {
        let bolt = Bolt::open(image, image.taken().db_len)
            .map_err(|error| Refused::Database(error.into()))?;
        hashkv::hash_kv(&bolt, at, rules).map_err(Refused::HashKv)
    })
    .await?;
    report::result(&text(&found, form, minor))
}

fn text(found: &HashKv, form: Form, minor: Minor) -> String {
    let HashKv {
        hash,
        hash_revision,
        compact_revision,
    } = found;
    let values = [
        hash.to_string(),
        hash_revision.to_string(),
        compact_revision.to_string(),
    ];
    let named =
        |names: [&'static str; 3]| -> Vec<_> { names.into_iter().zip(values.clone()).collect() };
    let columns = named(["hash", "hash revision", "compact revision"]);
    match form {
        Form::Simple => forms::simple(&columns),
        Form::Table => forms::table(minor, &columns),
        Form::Fields => forms::fields(&named(["Hash", "Hash revision", "Compact revision"])),
        // serde_json sorts names; these must be in etcdutl's order.
        Form::Json => format!(
            "{{\"hash\":{},\"hashRevision\":{},\"compactRevision\":{}}}\n",
            json!(hash),
            json!(hash_revision),
            json!(compact_revision)
        ),
    }
}
