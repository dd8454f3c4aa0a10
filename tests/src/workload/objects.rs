//! Kubernetes-like objects: keys as kube-apiserver writes them, values with its envelope and in its sizes.
//!
//! Built-in kinds are `k8s\0` plus protobuf-like fields of repetitive text, custom resources are JSON, secrets are what
//! encryption at rest leaves: random bytes. The mix has values above a page, so that bolt needs overflow pages.

use super::random::Random;

const NAMESPACES: [&str; 12] = [
    "default",
    "kube-system",
    "monitoring",
    "ingress",
    "payments",
    "checkout",
    "catalog",
    "search",
    "orders",
    "billing",
    "auth",
    "gateway",
];
const WORDS: [&str; 32] = [
    "replicas",
    "enabled",
    "true",
    "false",
    "timeout",
    "seconds",
    "http",
    "port",
    "8080",
    "metrics",
    "level",
    "info",
    "app.kubernetes.io/name",
    "config",
    "endpoint",
    "registry.example.com",
    "cpu",
    "500m",
    "memory",
    "512Mi",
    "name",
    "namespace",
    "selector",
    "template",
    "spec",
    "status",
    "Ready",
    "True",
    "lastTransitionTime",
    "f:metadata",
    "f:spec",
    "kube-controller-manager",
];

/// One object to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The index of its lease; only events have one.
    pub lease: Option<u32>,
}

/// A kind: its frequency, its path in the registry, its size.
struct Kind {
    percent: u32,
    resource: &'static str,
    bytes_min: u32,
    bytes_max: u32,
    body: Body,
}

/// The structure of a value.
#[derive(Clone, Copy)]
enum Body {
    Protobuf,
    Json,
    Random,
}

/// About 4.5 KB on average. Pods carry managed fields, a few custom resources are large.
const KINDS: [Kind; 7] = [
    Kind {
        percent: 40,
        resource: "pods",
        bytes_min: 2_500,
        bytes_max: 8_000,
        body: Body::Protobuf,
    },
    Kind {
        percent: 20,
        resource: "events",
        bytes_min: 700,
        bytes_max: 1_100,
        body: Body::Protobuf,
    },
    Kind {
        percent: 15,
        resource: "configmaps",
        bytes_min: 500,
        bytes_max: 12_000,
        body: Body::Protobuf,
    },
    Kind {
        percent: 10,
        resource: "secrets",
        bytes_min: 2_000,
        bytes_max: 6_000,
        body: Body::Random,
    },
    Kind {
        percent: 8,
        resource: "leases",
        bytes_min: 300,
        bytes_max: 500,
        body: Body::Protobuf,
    },
    Kind {
        percent: 5,
        resource: "endpointslices",
        bytes_min: 1_000,
        bytes_max: 2_000,
        body: Body::Protobuf,
    },
    Kind {
        percent: 2,
        resource: "argoproj.io/applications",
        bytes_min: 20_000,
        bytes_max: 60_000,
        body: Body::Json,
    },
];

impl Object {
    /// The object at `index` in its `generation`; the key is the same in all generations.
    pub fn new(seed: u64, index: u32, generation: u32) -> Self {
        let mut identity = Random::new(seed ^ u64::from(index).wrapping_mul(0x9E37_79B9));
        let kind = kind_of(index);
        let namespace = identity.pick(&NAMESPACES);
        let name = format!(
            "{}-{:010x}-{index:05}",
            identity.pick(&NAMESPACES),
            identity.bits() >> 24
        );
        let mut content = Random::new(identity.bits() ^ u64::from(generation));
        let len = usize::try_from(kind.bytes_min + content.below(kind.bytes_max - kind.bytes_min))
            .expect("fits");
        Self {
            key: format!("/registry/{}/{namespace}/{name}", kind.resource).into_bytes(),
            value: kind.body.build(&mut content, kind.resource, &name, len),
            lease: (kind.resource == "events").then_some(index),
        }
    }
}

impl Body {
    fn build(self, random: &mut Random, resource: &str, name: &str, len: usize) -> Vec<u8> {
        match self {
            Self::Random => [b"k8s:enc:aescbc:v1:key1:".as_slice(), &random.bytes(len)].concat(),
            Self::Protobuf => {
                let mut value = b"k8s\0".to_vec();
                field(&mut value, resource);
                field(&mut value, name);
                while value.len() < len {
                    field(&mut value, random.pick(&WORDS));
                }
                value
            }
            Self::Json => {
                let mut value = format!(
                    "{{\"kind\":\"{resource}\",\"metadata\":{{\"name\":\"{name}\"}},\"spec\":["
                )
                .into_bytes();
                while value.len() < len {
                    value.extend_from_slice(
                        format!(
                            "{{\"{}\":\"{}\"}},",
                            random.pick(&WORDS),
                            random.pick(&WORDS)
                        )
                        .as_bytes(),
                    );
                }
                value.extend_from_slice(b"{}]}");
                value
            }
        }
    }
}

/// Tag 1, length-delimited; all texts here are shorter than 128 bytes.
fn field(value: &mut Vec<u8>, text: &str) {
    value.push(0x0a);
    value.push(u8::try_from(text.len()).expect("short texts"));
    value.extend_from_slice(text.as_bytes());
}

/// Kinds are spread over the indexes with a step that is coprime to 100, so that every range of indexes contains all of
/// them.
fn kind_of(index: u32) -> &'static Kind {
    let mut place = index.wrapping_mul(37) % 100;
    for kind in &KINDS {
        if place < kind.percent {
            return kind;
        }
        place -= kind.percent;
    }
    unreachable!("the percentages add up to 100")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_follow_from_the_seed_and_keep_their_key() {
        assert_eq!(Object::new(1, 5, 0), Object::new(1, 5, 0));
        assert_ne!(Object::new(1, 5, 0).value, Object::new(2, 5, 0).value);
        let (first, second) = (Object::new(1, 5, 0), Object::new(1, 5, 1));
        assert_eq!(first.key, second.key);
        assert_ne!(first.value, second.value);
    }

    #[test]
    fn the_mix_has_leased_objects_and_values_above_a_page() {
        assert_eq!(KINDS.iter().map(|k| k.percent).sum::<u32>(), 100);
        let objects: Vec<_> = (0..100).map(|i| Object::new(1, i, 0)).collect();
        assert_eq!(objects.iter().filter(|o| o.lease.is_some()).count(), 20);
        assert!(objects.iter().filter(|o| o.value.len() > 4_096).count() > 20);
        let bytes: usize = objects.iter().map(|o| o.value.len()).sum();
        assert!(
            (380_000..650_000).contains(&bytes),
            "100 objects of {bytes} bytes"
        );
    }
}
