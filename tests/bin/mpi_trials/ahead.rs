//! Kernels in a directory of all ranks that are gone, or damaged, when rank 0 has told where they are. Threads do not see that: what
//! one of them has loaded is loaded in the process.

use std::cell::Cell;

use dijitso::BuildOn;
use dijitso_tests::kernels::{NUMBER_BASE, number};
use dijitso_tests::trouble::Trouble;

use super::setting::{Caches, Setting};

const WANTED: [u32; 2] = [11, 12];

pub(super) fn run(setting: &Setting) {
    setting.make_reference();
    for trouble in [None, Some(Trouble::Vanished), Some(Trouble::Corrupt)] {
        let place = setting.dir.join(format!("{trouble:?}"));
        setting.introduce(&place, Caches::Shared);
        let around = setting.around(&place, Caches::Shared);
        let jit = || setting.builder(&around, Caches::Shared).build().expect("a Jit");
        let specs = WANTED.map(number);
        // Nobody else has them in its process: what was loaded from a path is not opened again.
        if setting.rank == 0 {
            jit().load_all(&specs).unwrap_or_else(|error| panic!("{error}"));
        }
        setting.meet();
        // This one finds out who is where.
        let jit = jit();
        jit.on(&setting.world).load(&number(10)).unwrap_or_else(|error| panic!("{error}"));
        let before = jit.stats();
        let probe = |step: &str| match trouble {
            Some(trouble) if setting.rank == 0 && step == "Move" && jit.stats().built == before.built => {
                trouble.strike(&around)
            }
            _ => Ok(()),
        };
        let kernels = jit.on(&setting.world).build_on(BuildOn::Root).probe(&probe).load_all(&specs);
        let kernels = kernels.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        assert!(kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32).eq(WANTED));
        let after = jit.stats();
        let mine = (after.built - before.built, after.messages_sent - before.messages_sent);
        if let Some(all) = setting.gather(mine) {
            let (built, messages) =
                all.into_iter().fold((0, 0), |sum, mine| (sum.0 + mine.0, sum.1 + mine.1));
            // Else it was not said ahead, or nothing was lost.
            let ahead = 4 * (setting.size as u64 - 1);
            match trouble {
                None => assert_eq!((built, messages), (0, ahead)),
                Some(_) => assert!(built == WANTED.len() as u64 && messages > ahead, "{built}, {messages}"),
            }
            println!("{trouble:?}: {built} built");
        }
        setting.clear(&place, Caches::Shared);
    }
}

/// What was just built, and stored, is gone before anybody could map it: its builder has the bytes.
pub(super) fn just_built(setting: &Setting) {
    setting.make_reference();
    for trouble in [Trouble::Vanished, Trouble::Corrupt] {
        let place = setting.dir.join(format!("built-{trouble:?}"));
        setting.introduce(&place, Caches::Shared);
        let around = setting.around(&place, Caches::Shared);
        let jit = setting.builder(&around, Caches::Shared).build().expect("a Jit");
        let struck = Cell::new(false);
        let probe = |step: &str| {
            let now = setting.rank == 0 && step == "Move" && jit.stats().built > 0;
            if now && !struck.replace(true) { trouble.strike(&around) } else { Ok(()) }
        };
        let specs = WANTED.map(number);
        let kernels = jit.on(&setting.world).build_on(BuildOn::Root).probe(&probe).load_all(&specs);
        let kernels = kernels.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        assert!(kernels.iter().map(|kernel| (kernel.call() - NUMBER_BASE) as u32).eq(WANTED));
        let built = setting.gather(jit.stats().built);
        if let Some(built) = built {
            println!("{trouble:?}: {} built", built.iter().sum::<u64>());
        }
        setting.clear(&place, Caches::Shared);
    }
}
