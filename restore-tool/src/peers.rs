//! Asks the members of the restored cluster, and those in the snapshot, whether they run.
//!
//! A member of the old cluster that runs, or comes back later, either stays a second cluster or mixes with the restored one. So a
//! member that answers refuses the restore, unless it was restored alike and runs already (its cluster's id is the one that
//! follows from the derived token), or the operator goes on knowingly. This machine's own peer URL is not asked here: [`crate::running_etcd`] looks after it.
//!
//! Without a client certificate, a member behind TLS cannot say which cluster it belongs to; it counts as not of this one.

use std::{collections::BTreeSet, fmt, net::SocketAddr};

use strongroom_etcd_format::membership::ClusterId;
use tokio::task::JoinSet;
use url::Url;

use crate::{
    error::TargetError,
    probe::{self, Answer},
};

/// Most URLs that are asked, all at once: twice as many as there can be members.
const URLS_MAX: usize = 200;

/// What was heard at one peer URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Heard {
    pub(crate) url: String,
    pub(crate) at: At,
}

/// The state of a peer URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// Its host name is not known here.
    UnknownHost,
    /// Nobody accepts a connection.
    Nothing,
    /// An etcd of this cluster.
    Etcd(Option<ClusterId>),
    /// A TLS server.
    Tls,
    /// Somebody accepts a connection and says nothing.
    Silence,
    /// A program that is not etcd.
    Other,
}

/// Which members that run were restored from the same snapshot with the same members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alike {
    /// Not known yet: those that named their cluster's id are judged later.
    Undecided,
    /// Those of this cluster: its id follows from a derived token.
    WithId(ClusterId),
    /// No id proves it.
    Nobody,
}

/// The answers so far.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Addresses of this member on this machine.
    own: BTreeSet<SocketAddr>,
    asked: BTreeSet<String>,
    heard: Vec<Heard>,
}

impl Survey {
    /// Nobody is asked yet. `own_urls` are this member's.
    pub(crate) async fn begin(own_urls: impl Iterator<Item = String>) -> Self {
        let mut own = BTreeSet::new();
        for url in own_urls.filter_map(|text| Url::parse(&text).ok()) {
            let addresses = probe::addresses(&url).await;
            own.extend(addresses.iter().filter(|at| probe::is_local(at.ip())));
        }
        Self {
            own,
            asked: BTreeSet::new(),
            heard: Vec::new(),
        }
    }

    /// Asks those URLs that were not asked yet, all at once. Sockets are left out.
    pub(crate) async fn ask(&mut self, urls: impl Iterator<Item = String>) {
        let mut answers = JoinSet::new();
        for text in urls {
            if self.asked.len() >= URLS_MAX || self.asked.contains(&text) {
                continue;
            }
            self.asked.insert(text.clone());
            let Ok(url) = Url::parse(&text) else { continue };
            if !matches!(url.scheme(), "http" | "https") {
                continue;
            }
            answers.spawn(ask_one(text, url, self.own.clone()));
        }
        let heard = answers.join_all().await;
        self.heard.extend(heard.into_iter().flatten());
        self.heard.sort();
    }

    /// All answers, by URL.
    pub(crate) fn into_heard(self) -> Vec<Heard> {
        self.heard
    }

    /// The members that run and were not restored alike.
    pub(crate) fn foreign(&self, alike: Alike) -> Vec<&Heard> {
        let is_foreign = |heard: &&Heard| match heard.at {
            At::Etcd(Some(id)) => match alike {
                Alike::Undecided => false,
                Alike::WithId(restored) => restored != id,
                Alike::Nobody => true,
            },
            At::Etcd(None) | At::Tls | At::Silence => true,
            At::UnknownHost | At::Nothing | At::Other => false,
        };
        self.heard.iter().filter(is_foreign).collect()
    }

    /// Refuses if a member runs that was not restored alike.
    pub(crate) fn refuse_foreign(&self, alike: Alike) -> Result<(), TargetError> {
        let foreign = self.foreign(alike);
        if foreign.is_empty() {
            return Ok(());
        }
        let members = foreign.iter().map(ToString::to_string).collect();
        Err(TargetError::MembersRun { members })
    }
}

impl Survey {
    /// The warning of a run that goes on although members run.
    pub(crate) fn warning(&self, alike: Alike) -> Option<String> {
        let foreign = self.foreign(alike);
        let members: Vec<String> = foreign.iter().map(ToString::to_string).collect();
        (!members.is_empty()).then(|| {
            format!(
                "members run that were not restored from this snapshot: {}; stop them before etcd starts on the \
                 restored directory, unless they are another cluster that goes on",
                members.join(", ")
            )
        })
    }
}

/// What answers at the URL's first address that does; nothing if all its addresses are this member's own.
async fn ask_one(text: String, url: Url, own: BTreeSet<SocketAddr>) -> Option<Heard> {
    let found = probe::addresses(&url).await;
    if found.is_empty() {
        return Some(Heard {
            url: text,
            at: At::UnknownHost,
        });
    }
    let others: Vec<_> = found.into_iter().filter(|at| !own.contains(at)).collect();
    if others.is_empty() {
        return None;
    }
    let wants_tls = url.scheme() == "https";
    let asking = tokio::task::spawn_blocking(move || {
        others
            .into_iter()
            .map(|address| At::from(probe::ask(address, wants_tls)))
            .find(|at| *at != At::Nothing)
    });
    // A probe that cannot run has heard nothing.
    let at = asking.await.ok().flatten().unwrap_or(At::Nothing);
    Some(Heard { url: text, at })
}

impl From<Answer> for At {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Nothing => Self::Nothing,
            Answer::Etcd(id) => Self::Etcd(id),
            Answer::Tls => Self::Tls,
            Answer::Silence => Self::Silence,
            Answer::Other => Self::Other,
        }
    }
}

impl At {
    /// The word for programs.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknownHost",
            Self::Nothing => "nothing",
            Self::Etcd(_) => "etcd",
            Self::Tls => "tls",
            Self::Silence => "silence",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.url;
        match self.at {
            At::UnknownHost => write!(f, "{url} (host unknown here)"),
            At::Nothing => write!(f, "{url} (no answer)"),
            At::Etcd(Some(id)) => write!(f, "{url} (etcd of cluster {id})"),
            At::Etcd(None) => write!(f, "{url} (etcd)"),
            At::Tls => write!(f, "{url} (answers with TLS)"),
            At::Silence => write!(f, "{url} (accepts connections, says nothing)"),
            At::Other => write!(f, "{url} (a program that is not etcd)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(heard: &[(&str, At)]) -> Survey {
        Survey {
            own: BTreeSet::new(),
            asked: BTreeSet::new(),
            heard: heard
                .iter()
                .map(|(url, at)| Heard {
                    url: (*url).to_owned(),
                    at: *at,
                })
                .collect(),
        }
    }

    #[test]
    fn whoever_runs_is_foreign_unless_it_was_restored_alike() {
        let ours = ClusterId(7);
        let all = survey(&[
            ("a", At::UnknownHost),
            ("b", At::Nothing),
            ("c", At::Etcd(Some(ours))),
            ("d", At::Etcd(Some(ClusterId(8)))),
            ("e", At::Etcd(None)),
            ("f", At::Tls),
            ("g", At::Silence),
            ("h", At::Other),
        ]);
        let foreign = |alike| -> Vec<String> {
            let foreign = all.foreign(alike);
            foreign.iter().map(|heard| heard.url.clone()).collect()
        };
        assert_eq!(foreign(Alike::WithId(ours)), ["d", "e", "f", "g"]);
        assert_eq!(foreign(Alike::Undecided), ["e", "f", "g"]);
        assert_eq!(foreign(Alike::Nobody), ["c", "d", "e", "f", "g"]);
        let alike = Alike::WithId(ours);
        let refused = all.refuse_foreign(alike).expect_err("they run");
        let words = "d (etcd of cluster 8), e (etcd), f (answers with TLS)";
        assert!(refused.to_string().contains(words), "{refused}");
    }

    #[tokio::test]
    async fn a_url_is_asked_once_and_this_members_own_never() {
        let own = "http://127.0.0.1:2380".to_owned();
        let mut survey = Survey::begin(std::iter::once(own.clone())).await;
        // Port 1 (tcpmux) is free on a test machine; sockets have no address.
        let urls = || {
            [
                own.clone(),
                "http://127.0.0.1:1".to_owned(),
                "unix://x".to_owned(),
            ]
            .into_iter()
        };
        survey.ask(urls()).await;
        survey.ask(urls()).await;
        let heard: Vec<_> = survey
            .into_heard()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(heard, ["http://127.0.0.1:1 (no answer)"]);
    }
}
