//! Cold and warm starts: see `dijitso_tests::starts`.

use dijitso_tests::starts::{judge, take_part};

use super::cells::settings;
use super::setting::Setting;

/// In all settings. What was left by an earlier run in the same directory is warm; rank 0 prints what each rank did, a line for
/// each setting.
pub(super) fn run(setting: &Setting) {
    let place = setting.dir.join("starts");
    let warm = place.is_dir();
    setting.make_reference();
    for (at, (caches, build_on)) in settings(setting).into_iter().enumerate() {
        let place = place.join(at.to_string());
        if !warm {
            setting.introduce(&place, caches);
        }
        let homes: Vec<usize> = (0..setting.size).map(|rank| setting.home(caches, rank)).collect();
        let around = setting.around(&place, caches);
        let builder = || setting.builder(&around, caches);
        let start = take_part(&setting.world, build_on, &builder, 100 + 10 * at as u32);
        if let Some(starts) = setting.gather(start) {
            judge(build_on, &homes, warm, &starts).unwrap_or_else(|words| panic!("{caches:?} {words}"));
            println!("{}", serde_json::to_string(&starts).expect("JSON"));
        }
    }
}
