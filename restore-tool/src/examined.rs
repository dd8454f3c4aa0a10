//! What is known once the snapshot is checked and every member was asked: the same for a restore and for a dry run.

use strongroom_etcd_format::{bolt::CheckReport, inspect::Inspection, membership::Token};
use strongroom_snapshot_io::intake::Taken;

use crate::{
    cluster::RestoredCluster,
    error::{PlanError, RestoreError},
    left_out::LeftOut,
    peers::{Heard, Survey},
    plan::RestorePlan,
    report::{UnappliedDeltas, inspection_warnings, trailer_warning},
    source::{Context, Found},
};

/// A checked snapshot and the cluster that it becomes.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) taken: Taken,
    pub(crate) checked: CheckReport,
    pub(crate) inspection: Inspection,
    /// The raised revision, if it is raised.
    pub(crate) raised_revision: Option<i64>,
    /// The deltas that are not in the restored data.
    pub(crate) unapplied: Option<UnappliedDeltas>,
    pub(crate) cluster: RestoredCluster,
    /// The answers of the other members.
    pub(crate) heard: Vec<Heard>,
    /// Members of the snapshot that have to join again.
    pub(crate) left_out: Option<LeftOut>,
}

impl Examined {
    /// Asks the members in the snapshot as well, judges all answers, and warns of everything that was found.
    pub(crate) fn new(
        plan: &RestorePlan,
        found: &Found,
        taken: Taken,
        (checked, inspection): (CheckReport, Inspection),
        mut survey: Survey,
        around: &Context<'_>,
    ) -> Result<Self, RestoreError> {
        let console = around.console;
        let raised_revision = raised_revision(plan, &inspection)?;
        let cluster = plan
            .cluster
            .restored(taken.sha256, raised_revision)
            .map_err(PlanError::from)?;
        let stored = inspection.members.iter();
        around
            .runtime
            .block_on(survey.ask(stored.flat_map(|member| member.peer_urls.clone())));
        if !plan.tells_only() {
            survey.refuse_foreign(cluster.alike())?;
        }
        let left_out = LeftOut::of(&inspection.members, &cluster, &plan.data_dir);
        let unapplied = unapplied_deltas(found, &inspection);
        let warnings = [
            trailer_warning(taken.trailer),
            survey.warning(cluster.alike()),
            old_ids_warning(&inspection, &cluster),
        ];
        warnings
            .into_iter()
            .flatten()
            .chain(inspection_warnings(&inspection, raised_revision))
            // Without --full-only, the last line says it; a dry run has no such line.
            .chain(
                unapplied
                    .filter(|_| plan.full_only || plan.dry_run)
                    .map(|deltas| deltas.to_string()),
            )
            .chain(left_out.as_ref().map(LeftOut::warning))
            .for_each(|warning| console.warn(warning));
        Ok(Self {
            taken,
            checked,
            inspection,
            raised_revision,
            unapplied,
            cluster,
            heard: survey.into_heard(),
            left_out,
        })
    }
}

fn raised_revision(plan: &RestorePlan, inspection: &Inspection) -> Result<Option<i64>, PlanError> {
    let Some(by) = plan.bump_revision else {
        return Ok(None);
    };
    let revision = inspection.current_revision();
    i64::try_from(by)
        .ok()
        .and_then(|by| revision.checked_add(by))
        .map(Some)
        .ok_or(PlanError::Bump { revision, by })
}

fn unapplied_deltas(found: &Found, inspection: &Inspection) -> Option<UnappliedDeltas> {
    let revision = inspection.current_revision();
    let deltas = found.newer_deltas.as_ref()?;
    let (count, last_revision) = deltas.beyond(revision)?;
    Some(UnappliedDeltas {
        revision,
        count,
        last_revision,
    })
}

/// The default token is warned about earlier.
fn old_ids_warning(inspection: &Inspection, cluster: &RestoredCluster) -> Option<String> {
    let new = cluster.membership.members.iter();
    let same = new
        .clone()
        .find(|new| inspection.members.iter().any(|old| old.id == new.id))?;
    (cluster.token.as_str() != Token::DEFAULT).then(|| {
        format!(
            "the token {:?} is that of the snapshot's own cluster: member {} gets the id {} that it has there, so an old \
             member that comes back could join or take over; without --initial-cluster-token a safe one is derived",
            cluster.token.as_str(),
            same.name,
            same.id
        )
    })
}
