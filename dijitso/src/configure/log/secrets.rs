//! What must not be written down: passwords and tokens that are in the environment or in options.

use crate::config::env;

/// Texts that are replaced wherever they would be written.
#[derive(Clone, Default)]
pub(in crate::configure) struct Secrets(Vec<String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Those of the environment, by the names of the variables, and these.
    pub(in crate::configure) fn new(more: Vec<String>) -> Secrets {
        let mut all = env::secrets();
        all.extend(more.into_iter().filter(|value| !value.is_empty()));
        // The longer one first: it may have another one in it.
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Secrets(all)
    }

    pub(in crate::configure) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(secret)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_the_longer_ones_first() {
        let secrets = Secrets::new(vec!["abc".to_owned(), "abcdef".to_owned(), String::new()]);
        assert_eq!(secrets.hide("x abcdef y abc z"), "x (secret) y (secret) z");
        assert!(!format!("{secrets:?}").contains("abc"));
    }
}
