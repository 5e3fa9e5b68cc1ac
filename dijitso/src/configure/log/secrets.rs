//! What must not be written down: passwords and tokens that are in the environment or in options.

use crate::config::env;

/// Texts that are replaced wherever they would be written.
#[derive(Clone, Default)]
pub(in crate::configure) struct Secrets(Vec<String>);

/// What stands in their place.
pub(in crate::configure) const HIDDEN: &str = "(secret)";

/// Shorter values of variables that only sound secret are none, and would blacken innocent words.
const SHORTEST: usize = 6;

/// The same of what somebody declared to be secret.
const SHORTEST_DECLARED: usize = 3;

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}

impl Secrets {
    /// Those of the environment, by the names of the variables, and these, which somebody declared.
    pub(in crate::configure) fn new(declared: Vec<String>) -> Secrets {
        Secrets::of(env::secrets(), declared)
    }

    fn of(guessed: Vec<String>, declared: Vec<String>) -> Secrets {
        let mut all = Vec::new();
        let guessed = guessed.into_iter().map(|value| (value, SHORTEST));
        for (value, shortest) in guessed.chain(declared.into_iter().map(|value| (value, SHORTEST_DECLARED))) {
            let before = all.len();
            // A key has several lines, and logs show one at a time.
            all.extend(value.lines().map(|line| line.trim().to_owned()));
            // As a script, and as JSON, has it.
            all.extend(shlex::try_quote(&value).map(|quoted| quoted.trim_matches('\'').to_owned()));
            all.extend(serde_json::to_string(&value).map(|quoted| quoted.trim_matches('"').to_owned()));
            all.push(value);
            let new = all.split_off(before);
            all.extend(new.into_iter().filter(|text| text.len() >= shortest));
        }
        // The longer one first: it may have another one in it.
        all.sort_by(|one, two| two.len().cmp(&one.len()).then_with(|| one.cmp(two)));
        all.dedup();
        Secrets(all)
    }

    /// With another one.
    pub(in crate::configure) fn and(self, more: Option<String>) -> Secrets {
        let mut all = self.0;
        all.extend(more.filter(|value| !value.is_empty()));
        all.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Secrets(all)
    }

    pub(in crate::configure) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Secrets {
        Secrets::of(values.iter().map(|value| (*value).to_owned()).collect(), Vec::new())
    }

    #[test]
    fn secrets_are_replaced_the_longer_ones_first() {
        let secrets = secrets(&["abcdef", "abcdefghi", ""]);
        assert_eq!(secrets.hide("x abcdefghi y abcdef z"), "x (secret) y (secret) z");
        assert!(!format!("{secrets:?}").contains("abc"));
    }

    #[test]
    fn each_line_of_a_secret_is_one_and_a_short_one_blackens_nothing() {
        let secrets = secrets(&["BEGIN KEY\nMIIEvQIBADAN\nEND KEY", "1"]);
        assert_eq!(secrets.hide("said: MIIEvQIBADAN, 1 time"), "said: (secret), 1 time");
        // One that was declared may be shorter, if it is a word at all.
        let declared = Secrets::of(vec!["word".to_owned()], vec!["pin".to_owned(), "no".to_owned()]);
        assert_eq!(declared.hide("the pin, no word"), "the (secret), no word");
    }

    #[test]
    fn as_a_script_or_json_quotes_it_it_is_the_same_secret() {
        let secrets = secrets(&["it's \"so\" secret"]);
        let shell = shlex::try_quote("it's \"so\" secret").unwrap();
        assert!(!secrets.hide(&shell).contains("so"), "{}", secrets.hide(&shell));
        let json = serde_json::to_string("it's \"so\" secret").unwrap();
        assert!(!secrets.hide(&json).contains("so"), "{}", secrets.hide(&json));
    }
}
