//! What ranks say while they wait: see `dijitso_tests::patience`.

use std::time::Duration;

use dijitso::BuildOn;
use dijitso_tests::matrix;
use dijitso_tests::patience::{heard, judge, listen, take_part};

use super::setting::Setting;

pub(super) fn run(setting: &Setting) {
    setting.make_reference();
    listen();
    let (place, build_on) = (setting.dir.join("cell"), BuildOn::Spread);
    let caches = setting.all_caches()[1];
    let within = |body: &dyn Fn()| {
        setting.furnish(&place, caches);
        body();
        setting.clear(&place, caches);
    };
    setting.furnish(&place, caches);
    let around = setting.around(&place, caches);
    let account =
        matrix::take_part(&setting.world, build_on, &|| setting.builder(&around, caches), &around, None);
    let ways: Vec<String> = setting.told(setting.gather(account.way));
    setting.clear(&place, caches);

    let mut done = 0;
    for late in [0, 1] {
        let mut seen = Vec::new();
        for (moment, step) in ways[late].split(' ').map(|step| step.trim_end_matches('!')).enumerate() {
            // After the last step nobody waits.
            if seen.contains(&step) || step == "Publish" {
                continue;
            }
            seen.push(step);
            heard();
            within(&|| {
                let by = Duration::from_millis(400);
                let builder = setting.builder(&setting.around(&place, caches), caches);
                let patience = Some(Duration::from_millis(100));
                take_part(&setting.world, build_on, builder, (late, moment, by), patience);
            });
            if let Some(warnings) = setting.gather(heard()) {
                judge(late, step, &warnings.concat()).unwrap_or_else(|words| panic!("{words}"));
                done += 1;
            }
        }
    }
    if setting.rank == 0 {
        println!("{done} waits");
    }
}
