//! What a session does with what was answered before.

/// Where a session stands to what others remember.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Memory {
    /// What was answered before, and still holds, is not asked again.
    #[default]
    Used,
    /// Everything is asked; what was answered before, and still holds, must be the same.
    Shadow,
    /// As if there were none, and nothing is kept.
    None,
}

/// An answer that was remembered, was said to hold, and was wrong.
///
/// ```no_run
/// # fn f(probes: &dijitso::probe::Probes) {
/// for wrong in probes.disagreements() {
///     eprintln!("{wrong}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    pub(super) question: String,
    pub(super) remembered: String,
    pub(super) now: String,
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: remembered: {}; now: {}", self.question, self.remembered, self.now)
    }
}
