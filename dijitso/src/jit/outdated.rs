//! Whether a kernel that another rank gives away is still what this rank would build.

use super::engine::Engine;
use crate::cache::{Change, Holds, Inputs, Routes};
use crate::signature::Signature;

impl Engine {
    /// Why a kernel must be built anew, though another rank has it: its memory, or the files that it sees, may be older than
    /// what this rank sees. `None` if it is up to date, or if nobody here can tell.
    pub(crate) fn outdated(&self, content: &Signature, routes: &Routes) -> Option<String> {
        let compiler = self.compiler_digest();
        let mut seen: Vec<&Inputs> = Vec::new();
        let mut why = None;
        for (_, variant) in routes.to(content) {
            if compiler.is_some_and(|compiler| compiler != variant.toolchain) {
                why.get_or_insert_with(|| "another compiler or processor".to_owned());
                continue;
            }
            if seen.contains(&&variant.inputs) {
                continue;
            }
            seen.push(&variant.inputs);
            match variant.inputs.holds(&self.store) {
                Holds::No(change) if contradicts(&change, compiler.is_some()) => {
                    why.get_or_insert_with(|| change.to_string());
                }
                _ => return None,
            }
        }
        why
    }
}

/// Where there is a compiler, there are the headers. Elsewhere they may be missing.
fn contradicts(change: &Change, has_compiler: bool) -> bool {
    match change {
        Change::Changed(_) | Change::Earlier(_) => true,
        Change::Removed(_) | Change::Unreadable(..) => has_compiler,
        Change::Unknown(_) => false,
    }
}
