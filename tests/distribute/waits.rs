//! What ranks say while they wait for one that is late.

use std::sync::Arc;
use std::time::Duration;

use dijitso::{BuildOn, Communicator as _};
use dijitso_tests::patience::{heard, judge, listen, take_part};

use super::matrix::{STRUCK, Workshop, way_of};
use super::{RANKS, World};
use crate::harness::{Place, soak};

/// Somebody is late, and this is what was said meanwhile.
fn warnings(
    workshop: &Arc<Workshop>,
    late: (usize, usize, Duration),
    patience: Option<Duration>,
) -> Vec<String> {
    let (world, place) = (World::Machines, Arc::new(Place::new()));
    let (tools, site) = (workshop.clone(), place.clone());
    let workshop = workshop.clone();
    heard();
    world.prepared(
        RANKS,
        move || tools.furnish(world, &site, None),
        move |comm| {
            let around = workshop.around(world, &place, comm.rank());
            let builder = world.builder(&place, comm.rank()).cxx(around.compiler.display().to_string());
            take_part(&comm, BuildOn::Spread, builder, late, patience);
        },
    );
    heard()
}

#[test]
fn who_waits_says_for_whom_and_what() {
    listen();
    let workshop = Workshop::new();
    for late in STRUCK {
        let way = way_of(World::Machines, BuildOn::Spread, late);
        let mut seen = Vec::new();
        for (moment, step) in way.split(' ').map(|step| step.trim_end_matches('!')).enumerate() {
            // After the last step nobody waits.
            if seen.contains(&step) || step == "Publish" {
                continue;
            }
            seen.push(step);
            let late_by = (late, moment, Duration::from_millis(250));
            let warnings = warnings(&workshop, late_by, Some(Duration::from_millis(50)));
            judge(late, step, &warnings).unwrap_or_else(|words| panic!("{words}"));
        }
        assert!(seen.len() >= 7, "{seen:?}");
    }
    // Nobody is impatient for less than a minute, unless told so.
    let almost = warnings(&workshop, (1, 5, Duration::from_millis(250)), None);
    assert!(almost.iter().all(|warning| !warning.contains("waiting")), "{almost:#?}");
    if soak() {
        judge(1, "Load", &warnings(&workshop, (1, 5, Duration::from_secs(63)), None)).unwrap();
    }
}
