//! Handing out ahead: where all ranks share a machine, what rank 0 has for them is said with the answer to their first message.
//! A load from a warm cache is one question shorter so.

use serde::{Deserialize, Serialize};

use super::agree::{Agreement, Held, Known};
use super::delivery::{Consignment, Way, at_once, spool};
use super::member::Member;
use super::parcel::{Label, Parcel, Spot};
use super::team::Team;
use super::waiting::Step;

/// A kernel as it is told to the other ranks of a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Handed {
    pub(super) label: Label,
    pub(super) spot: Spot,
}

/// What was said with the agreement.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) told: Vec<Handed>,
    /// On rank 0.
    pub(super) parcels: Vec<Parcel>,
}

impl Member<'_, '_> {
    /// Rank 0 adds to what all have agreed where the kernels are, if it has them all, in files that all can map, and nothing is to be
    /// decided before.
    pub(super) fn hand_ahead(&mut self, mut agreed: Agreement, team: &Team) -> Agreement {
        let goes_on = agreed.failure.is_none() && agreed.differs.is_none() && agreed.scene.is_some();
        if goes_on
            && agreed.held == Held::None
            && team.is_everybody(self.session.size())
            && team.nodes == 1
            && let Some(hits) = agreed.known.as_deref().and_then(|known| self.all_near(known))
        {
            let own: Vec<usize> = hits.iter().map(|hit| hit.kernel).collect();
            let ahead = self.attempt(Step::Move, |me| {
                let (packed, unsent) = me.pack(team, &own, Way::FROM_CACHES);
                let in_files =
                    unsent.kernels.is_empty() && packed.iter().all(|(label, _)| label.path.is_some());
                in_files.then(|| spool(packed, false)).transpose()
            });
            agreed.failure.clone_from(&self.failure);
            if let Some(Some(parcels)) = ahead {
                let told = |Parcel { label, contents }: &Parcel| Handed {
                    label: label.clone(),
                    spot: contents.spot(),
                };
                let told: Vec<Handed> = parcels.iter().map(told).collect();
                self.ahead = Some(Ahead { told: told.clone(), parcels });
                agreed.handed = Some(told);
            }
        }
        agreed
    }

    /// All kernels that not every rank has, if rank 0 can give them away as they lie in its cache, and at once.
    fn all_near(&self, known: &[Known]) -> Option<Vec<Consignment>> {
        let mut hits = Vec::new();
        for (kernel, known) in known.iter().enumerate().filter(|(_, known)| !known.is_everywhere()) {
            let (holder, _) = known.holder?;
            let (loaded, _) = self.have[kernel].as_ref()?;
            if holder != 0 || known.mixed || known.absent || self.engine.mappable(loaded).is_none() {
                return None;
            }
            hits.push(Consignment { kernel, from: 0, weight: known.weight });
        }
        // One piece: neither none nor several.
        (at_once(&hits).count() == 1).then_some(hits)
    }
}
