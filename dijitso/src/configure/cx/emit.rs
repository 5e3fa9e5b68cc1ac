//! What a module wants written.

use std::panic::Location;
use std::path::Path;

use super::Cx;
use crate::config::origin::Origin;
use crate::configure::emit::{for_make, for_shell};
use crate::configure::failed::Failed;
use crate::configure::flags::{GivenFlag, Stage};
use crate::configure::macro_value::{Form, MacroValue};
use crate::configure::options::{Opt, OptionValue};
use crate::configure::outputs::{Outputs, PkgConfig, Rule, Template, Wanted};
use crate::probe::{Language, Settings};

impl Cx<'_> {
    /// A macro for the header, with what a comment says about it.
    ///
    /// The type of the value decides what Rust's constants and cargo's `cfg`s are: a `bool` is a feature, which is there or
    /// [undefined](Self::undefine), a number is a number, whatever its value, and a text is C's text: a literal in its quotes, a
    /// type, nothing. A text `1` is a feature if the name begins with `HAVE_`, and else a number.
    ///
    /// BuildSystem: `addDefine`.
    ///
    /// What is wrong (two values, no name of C) makes the configuration fail when it is written.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.define("HAVE_MPI", true, "MPI was found");
    /// cx.define("SIZEOF_LONG", 8, "bytes of a long");
    /// cx.define("MPI_STANDARD", "\"3.1\"", "of the MPI that was found");
    /// # }
    /// ```
    #[track_caller]
    pub fn define(&self, name: &str, value: impl Into<MacroValue>, why: &str) {
        let value = value.into();
        if value == MacroValue::Feature(false) {
            return self.undefine(name, why);
        }
        let wanted = Wanted { form: value.form(), ..self.wanted(value.to_string(), why) };
        let name = name.to_owned();
        self.write(move |outputs| outputs.define(&name, wanted));
    }

    /// A macro that must stay undefined, with the reason: the header says so in a comment.
    ///
    /// BuildSystem: `delDefine`; Autoconf's `/* #undef X */`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.undefine("HAVE_MPI", "there is no <mpi.h>");
    /// # }
    /// ```
    #[track_caller]
    pub fn undefine(&self, name: &str, why: &str) {
        let wanted = self.wanted(String::new(), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.undefine(&name, wanted));
    }

    /// A type for the header of types: `typedef <what> <name>;`.
    ///
    /// BuildSystem: `addTypedef`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.typedef("demo_index", "long long", "as wide as a pointer");
    /// # }
    /// ```
    #[track_caller]
    pub fn typedef(&self, name: &str, what: &str, why: &str) {
        let wanted = self.wanted(what.to_owned(), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.typedef(&name, wanted));
    }

    /// A prototype for the same header; `name` is what it declares.
    ///
    /// BuildSystem: `addPrototype`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.prototype("usleep", "int usleep(unsigned);", "no header declares it");
    /// # }
    /// ```
    #[track_caller]
    pub fn prototype(&self, name: &str, declaration: &str, why: &str) {
        let wanted = self.wanted(declaration.to_owned(), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.prototype(&name, wanted));
    }

    /// A macro for Make, as Make reads it: its value may refer to others (`$(CC)`).
    ///
    /// BuildSystem: `addMakeMacro`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.make_macro("DEMO_LEVEL", "2", "as the options say");
    /// # }
    /// ```
    #[track_caller]
    pub fn make_macro(&self, name: &str, value: impl Into<String>, why: &str) {
        let wanted = self.wanted(value.into(), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.make_macro(&name, wanted));
    }

    /// A macro for Make of words for a compiler or linker, which get there as they are: blanks, quotes and dollars (`$ORIGIN`)
    /// are kept from Make and from the shell.
    ///
    /// BuildSystem: `addMakeMacro` with `libraries.toString`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>, blas: &dijitso::configure::Blas) {
    /// cx.make_words("DEMO_BLAS", blas.settings.words().map(|flag| flag.text), "what demo links with");
    /// # }
    /// ```
    #[track_caller]
    pub fn make_words<W: AsRef<str>>(&self, name: &str, words: impl IntoIterator<Item = W>, why: &str) {
        let wanted = self.wanted(for_make(&for_shell(words)), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.make_macro(&name, wanted));
    }

    /// A rule for Make.
    ///
    /// BuildSystem: `addMakeRule`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.make_rule("check", &["all"], &["./run-tests"]);
    /// # }
    /// ```
    #[track_caller]
    pub fn make_rule(&self, target: &str, prerequisites: &[&str], recipe: &[&str]) {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let rule = Rule { prerequisites: own(prerequisites), recipe: own(recipe), by: self.by() };
        let target = target.to_owned();
        self.write(move |outputs| outputs.make_rule(&target, rule));
    }

    /// What `@name@` stands for in templates.
    ///
    /// BuildSystem: `addSubstitution`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.substitute("VERSION", "1.2", "of the project");
    /// # }
    /// ```
    #[track_caller]
    pub fn substitute(&self, name: &str, value: impl Into<String>, why: &str) {
        let wanted = self.wanted(value.into(), why);
        let name = name.to_owned();
        self.write(move |outputs| outputs.substitute(&name, wanted));
    }

    /// The same for the value of an option.
    ///
    /// BuildSystem: `addArgumentSubstitution`.
    ///
    /// # Errors
    /// No module has declared the option.
    ///
    /// ```
    /// use dijitso::configure::{Cx, Failed, Opt};
    /// const LEVEL: Opt<i64> = Opt::int("with-level", 2, 0, 9, "how much is checked");
    /// fn configure(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     cx.substitute_option("LEVEL", &LEVEL)
    /// }
    /// ```
    #[track_caller]
    pub fn substitute_option<T: OptionValue>(&self, name: &str, option: &Opt<T>) -> Result<(), Failed> {
        let (value, origin) = self.looked_up(option)?;
        let wanted = self.wanted(value.to_string(), &format!("--{}, {origin}", option.name()));
        let name = name.to_owned();
        self.write(move |outputs| outputs.substitute(&name, wanted));
        Ok(())
    }

    /// A template in which placeholders are replaced when the configuration is written: `from` as seen from the source
    /// directory, `to` as seen from the build directory.
    ///
    /// BuildSystem: `addSubstitutionFile`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.template("demo.conf.in", "demo.conf");
    /// # }
    /// ```
    #[track_caller]
    pub fn template(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) {
        let (from, to) = (from.as_ref().to_owned(), to.as_ref().to_owned());
        let template = Template { from, to, by: self.by() };
        self.write(move |outputs| outputs.template(template));
    }

    /// A flag that everything is compiled or linked with.
    ///
    /// ```
    /// use dijitso::{configure::{Cx, Stage}, probe::Language};
    /// fn configure(cx: &Cx<'_>) {
    ///     cx.flag(Language::C, Stage::Compile, "-fno-math-errno");
    /// }
    /// ```
    #[track_caller]
    pub fn flag(&self, language: Language, stage: Stage, text: &str) {
        let origin = Origin::Module(format!("{} at {}", self.module(), place()));
        let flag = GivenFlag::new(text, Some(language), stage, origin);
        self.write(move |outputs| {
            outputs.flags.add(flag);
            Ok(())
        });
    }

    /// What a question was answered with, for everything in a language; `None`: in all. Each flag keeps who asked for it.
    ///
    /// ```
    /// use dijitso::{configure::{Cx, Failed}, probe::{CompilerFlag, FirstOf, Language, Settings}};
    /// fn newest_standard(cx: &Cx<'_>) -> Result<(), Failed> {
    ///     let flags = ["-std=c++23", "-std=c++20"].map(|it| CompilerFlag::new(it).in_language(Language::Cxx));
    ///     let (_, flag) = cx.need(&FirstOf::new(flags))?;
    ///     cx.settings(Some(Language::Cxx), &Settings::new().compile_flag(flag.text).asked_by(flag.origin));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// ```
    /// use dijitso::{configure::Cx, probe::{Language, Settings}};
    /// fn configure(cx: &Cx<'_>, mpi: &Settings) {
    ///     cx.settings(Some(Language::C), mpi);
    /// }
    /// ```
    pub fn settings(&self, language: Option<Language>, settings: &Settings) {
        let settings = settings.clone();
        self.write(move |outputs| {
            outputs.flags.add_settings(language, &settings);
            Ok(())
        });
    }

    /// The pkg-config file of the project: its flags are those of the configuration.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.pkg_config("demo", "A demonstration", "1.2", &["ompi"]);
    /// # }
    /// ```
    pub fn pkg_config(&self, name: &str, description: &str, version: &str, requires: &[&str]) {
        let requires = requires.iter().map(|word| (*word).to_owned()).collect();
        let [name, description, version] = [name, description, version].map(str::to_owned);
        let file = PkgConfig { name, description, version, requires };
        self.write(move |outputs| outputs.pkg_config(file));
    }

    /// What packages that depend on this one are told by cargo, if its manifest has `links`.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.metadata("version", "1.2");
    /// # }
    /// ```
    #[track_caller]
    pub fn metadata(&self, name: &str, value: impl Into<String>) {
        let wanted = self.wanted(value.into(), "");
        let name = name.to_owned();
        self.write(move |outputs| outputs.metadata(&name, wanted));
    }

    /// A line of the summary that is printed at the end.
    ///
    /// BuildSystem: `__str__` of a configure object.
    ///
    /// ```
    /// # fn f(cx: &dijitso::configure::Cx<'_>) {
    /// cx.summary("MPI", "Open MPI 4.1");
    /// # }
    /// ```
    pub fn summary(&self, name: &str, value: impl Into<String>) {
        let line = (self.module().to_owned(), name.to_owned(), value.into());
        self.write(move |outputs| {
            outputs.summary.push(line);
            Ok(())
        });
    }

    /// When the module is done: one that fails leaves nothing behind.
    fn write(&self, put: impl FnOnce(&mut Outputs) -> Result<(), Failed> + 'static) {
        self.puts.borrow_mut().push(Box::new(put));
    }

    #[track_caller]
    fn wanted(&self, value: String, why: &str) -> Wanted {
        Wanted { value, why: why.to_owned(), by: self.by(), form: Form::default() }
    }

    #[track_caller]
    fn by(&self) -> String {
        format!("module {} at {}", self.module(), place())
    }
}

#[track_caller]
fn place() -> String {
    let at = Location::caller();
    format!("{}:{}", at.file(), at.line())
}
