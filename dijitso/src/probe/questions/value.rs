//! Sizes, alignments, constants, types and members: read from an object file, nothing is run.

use super::{Knowledge, Question, Sealed, Stop, Verdict, after, common, line, worded};
use crate::probe::fact::{Fact, Group};
use crate::probe::settings::Settings;
use crate::probe::verdict::Reason;
use crate::toolchain::Language;

macro_rules! of_object {
    ($(#[$doc:meta])* $name:ident, $example:literal, $new:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[must_use]
        pub struct $name {
            of: String,
            language: Language,
            settings: Settings,
            prelude: Vec<String>,
        }

        common!($name, $example);
        after!($name, $example);

        impl $name {
            #[doc = $new]
            ///
            /// ```
            /// use dijitso::probe::*;
            #[doc = concat!("let question = ", $example, ";")]
            /// ```
            pub fn new(of: impl Into<String>) -> $name {
                let (settings, prelude) = (Settings::new(), Vec::new());
                $name { of: of.into(), language: Language::C, settings, prelude }
            }

            fn group(&self) -> Group {
                Group::new(self.language, &self.prelude, &self.settings.of_compile())
            }
        }
    };
}

of_object! {
    /// How many bytes a type has.
    ///
    /// In Fortran a type is written as in a declaration: `real(8)`, `integer(c_int)`.
    ///
    /// BuildSystem: `types.checkSizeof`, which runs a program where it can.
    ///
    /// ```no_run
    /// use dijitso::probe::{Language, Probes, Size};
    ///
    /// # fn f(probes: &Probes) {
    /// let (offset, real) = probes.ask_all((
    ///     Size::new("off_t").after("sys/types.h"),
    ///     Size::new("double precision").in_language(Language::Fortran),
    /// ));
    /// assert_eq!(real.yes(), Some(8));
    /// # }
    /// ```
    Size, "Size::new(\"long\")", "The size of a type."
}

of_object! {
    /// At which multiples of bytes a type must lie. C and C++.
    ///
    /// BuildSystem has no counterpart.
    ///
    /// ```no_run
    /// use dijitso::probe::{Align, Probes};
    ///
    /// # fn f(probes: &Probes) {
    /// println!("{:?}", probes.ask(&Align::new("long double")).yes());
    /// # }
    /// ```
    Align, "Align::new(\"double\")", "The alignment of a type."
}

of_object! {
    /// The value of a constant expression of integers: a macro's, an `enum`'s, `offsetof`, a comparison.
    ///
    /// BuildSystem: `outputRun` of a program that prints it; `types.checkEndian` is
    /// `Constant::new("__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__")`.
    ///
    /// ```no_run
    /// use dijitso::probe::{Constant, Probes};
    ///
    /// # fn f(probes: &Probes) {
    /// assert_eq!(probes.ask(&Constant::new("EOF").after("stdio.h")).yes(), Some(-1));
    /// # }
    /// ```
    Constant, "Constant::new(\"EOF\")", "The value of an expression."
}

of_object! {
    /// Whether a type is known, and complete: one that has a size. A structure that is only declared is none.
    ///
    /// BuildSystem: `types.check`.
    ///
    /// ```no_run
    /// use dijitso::probe::{Probes, Type};
    ///
    /// # fn f(probes: &Probes) {
    /// assert!(probes.ask(&Type::new("size_t").after("stddef.h")).is_yes());
    /// # }
    /// ```
    Type, "Type::new(\"pid_t\")", "A type by its name. C and C++."
}

impl Question for Size {
    type Answer = u64;

    fn describe(&self) -> String {
        worded(format!("size of {} ({})", self.of, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<u64>, Stop> {
        let of = match self.language {
            // A kind has no name that a size could be asked of, but a value has.
            Language::Fortran => format!("storage_size({})/8", fortran_value(&self.of)),
            _ => format!("sizeof({})", self.of),
        };
        Ok(known.believed(&self.group(), &Fact::Value(of))?.map(|told| told.value as u64))
    }

    fn show(bytes: &u64) -> String {
        bytes.to_string()
    }
}

/// A value of a type, from how the type is declared: `real(8)` has `real(0, kind=8)`.
fn fortran_value(declared: &str) -> String {
    let lower = declared.trim().to_ascii_lowercase();
    if lower == "double precision" {
        return "0d0".to_owned();
    }
    let (name, kind) = match lower.split_once('(') {
        Some((name, kind)) => (name.trim().to_owned(), Some(kind.trim_end_matches(')').trim().to_owned())),
        None => (lower, None),
    };
    let kind = kind.map(|kind| kind.strip_prefix("kind=").unwrap_or(&kind).trim().to_owned());
    let suffix = kind.map(|kind| format!(", kind={kind}")).unwrap_or_default();
    match name.as_str() {
        "integer" => format!("int(0{suffix})"),
        "real" => format!("real(0{suffix})"),
        "complex" => format!("cmplx(0, 0{suffix})"),
        "logical" => format!("logical(.true.{suffix})"),
        "character" => "'x'".to_owned(),
        _ => declared.to_owned(),
    }
}

impl Question for Align {
    type Answer = u64;

    fn describe(&self) -> String {
        worded(format!("alignment of {} ({})", self.of, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<u64>, Stop> {
        // Known to both compilers in every standard of both languages.
        let of = format!("__alignof__({})", self.of);
        Ok(known.believed(&self.group(), &Fact::Value(of))?.map(|told| told.value as u64))
    }

    fn show(bytes: &u64) -> String {
        bytes.to_string()
    }
}

impl Question for Constant {
    type Answer = i64;

    fn describe(&self) -> String {
        worded(format!("value of {} ({})", self.of, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<i64>, Stop> {
        Ok(known.believed(&self.group(), &Fact::Value(self.of.clone()))?.map(|told| told.value))
    }

    fn show(value: &i64) -> String {
        value.to_string()
    }
}

impl Question for Type {
    type Answer = ();

    fn describe(&self) -> String {
        worded(format!("type {} ({})", self.of, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<()>, Stop> {
        if self.of.trim().is_empty() {
            return Err(Stop::Unknown(Reason::new("a type without a name was asked for: give its name")));
        }
        // A structure that nobody defines has a name, and no size.
        let fact = Fact::Accepts(format!("typedef {} @; enum {{ @_size = sizeof(@) }};", self.of));
        Ok(known.believed(&self.group(), &fact)?.map(|_| ()))
    }

    fn show((): &()) -> String {
        String::new()
    }
}

/// Whether a structure has a member, and how many bytes that has: 0 if it is a bit-field.
///
/// BuildSystem: `types.checkStruct`-like tests are written with `checkCompile`.
///
/// ```no_run
/// use dijitso::probe::{Member, Probes};
///
/// # fn f(probes: &Probes) {
/// let verdict = probes.ask(&Member::new("struct tm", "tm_gmtoff").after("time.h"));
/// println!("{:?}", verdict.yes());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Member {
    of: String,
    member: String,
    language: Language,
    settings: Settings,
    prelude: Vec<String>,
}

common!(Member, "Member::new(\"struct tm\", \"tm_gmtoff\")");
after!(Member, "Member::new(\"struct tm\", \"tm_gmtoff\")");

impl Member {
    /// A member of a type. C and C++.
    ///
    /// ```
    /// let question = dijitso::probe::Member::new("struct stat", "st_blksize").after("sys/stat.h");
    /// ```
    pub fn new(of: impl Into<String>, member: impl Into<String>) -> Member {
        let (settings, prelude) = (Settings::new(), Vec::new());
        Member { of: of.into(), member: member.into(), language: Language::C, settings, prelude }
    }
}

impl Question for Member {
    type Answer = u64;

    fn describe(&self) -> String {
        worded(format!("member {} of {} ({})", self.member, self.of, self.language), &self.settings)
    }

    fn evaluate(&self, known: &mut Knowledge<'_>) -> Result<Verdict<u64>, Stop> {
        let group = Group::new(self.language, &self.prelude, &self.settings.of_compile());
        let fact = Fact::Value(format!("sizeof((({} *)0)->{})", self.of, self.member));
        let sized = known.believed(&group, &fact)?.map(|told| told.value as u64);
        let Verdict::No(reason) = sized else { return Ok(sized) };
        // A bit-field is there, and has no size.
        let named = format!("static void @({} *@_p) {{ (void)@_p->{}; }}", self.of, self.member);
        Ok(match known.believed(&group, &Fact::Accepts(named))? {
            Verdict::Yes(_) => Verdict::Yes(0),
            Verdict::No(_) => Verdict::No(reason),
            Verdict::Unknown(reason) => Verdict::Unknown(reason),
        })
    }

    fn show(bytes: &u64) -> String {
        bytes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fortran_declaration_becomes_a_value_of_its_type() {
        assert_eq!(fortran_value("real(8)"), "real(0, kind=8)");
        assert_eq!(fortran_value("INTEGER(kind=c_int)"), "int(0, kind=c_int)");
        assert_eq!(fortran_value("Double Precision"), "0d0");
        assert_eq!(fortran_value("complex"), "cmplx(0, 0)");
    }

    #[test]
    fn a_question_says_what_it_asks_and_with_what() {
        let question = Size::new("off_t").after("sys/types.h").with(&Settings::new().compile_flag("-m64"));
        assert_eq!(question.describe(), "size of off_t (C), with -m64");
        assert_eq!(question.prelude, ["#include <sys/types.h>"]);
    }
}
