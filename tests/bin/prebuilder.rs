//! A build script, run without cargo: each word of the command line asks for kernels or says how to compile them.

use dijitso::{KernelSpec, Prebuild, Source};

type Number = extern "C" fn(f64) -> f64;

fn main() {
    let mut build = dijitso::prebuild();
    let (mut name, mut again, mut goes_on, mut fewer) = ("tested".to_owned(), false, false, None);
    for word in std::env::args().skip(1) {
        let (what, value) = word.split_once('=').unwrap_or((&word, ""));
        build = match what {
            "name" => {
                name = value.to_owned();
                build
            }
            "again" => {
                again = true;
                build
            }
            "try" => {
                goes_on = true;
                build
            }
            // So many kernels if it failed.
            "else" => {
                fewer = value.parse().ok();
                build
            }
            "many" => build.kernels((0..value.parse().unwrap()).map(|n| numbered(n, 0))),
            "edited" => build.kernel(numbered(value.parse().unwrap(), 1)),
            // Texts of some size, as generators of element kernels write them.
            "large" => build.kernels((0..value.parse().unwrap()).map(large)),
            "header" => build.include_dir(value).kernel(with_header()),
            "cpu" => build.cpu(value.split(',')),
            "flag" => build.flag(value),
            _ => kernels(build, what, value),
        };
    }
    if goes_on {
        if let Err(error) = build.try_compile(&name) {
            println!("cargo::warning={}", error.to_string().lines().next().unwrap_or_default());
        }
        if let Some(fewer) = fewer {
            dijitso::prebuild().kernels((0..fewer).map(|n| numbered(n, 0))).compile(&name);
        }
        return;
    }
    let repeated = again.then(|| build.clone());
    build.compile(&name);
    if let Some(build) = repeated {
        build.compile(&name);
    }
}

fn kernels(build: Prebuild, what: &str, value: &str) -> Prebuild {
    match what {
        "broken" => build
            .kernels([1, 2].map(|n| of("broken", n, format!("double broken(double x) {{ return y{n}; }}")))),
        "same_failure" => build.kernels(
            (0..value.parse().unwrap()).map(|n| of("same", n, "double same() { return y; }".to_owned())),
        ),
        "warned" => {
            build.kernel(of("warned", 1, "double warned(double x) { int idle; return x; }".to_owned()))
        }
        "wrong_c" => build.kernel(dijitso::spec!(Number, "wrong_c", (), || {
            // SAFETY: it does not compile.
            unsafe { Source::new("float wrong_c(int x) { return x; }") }.language(dijitso::Language::C)
        })),
        "panics" => build
            .kernel(dijitso::spec!(Number, "panics", (), || -> Source<Number> { panic!("no such element") })),
        "undefined" => build.kernel(of(
            "undefined",
            1,
            "extern double nowhere(double); double undefined(double x) { return nowhere(x); }".to_owned(),
        )),
        "undefined_c" => {
            let key = value.to_owned();
            build.kernel(dijitso::spec!(Number, "undefined_c", key.clone(), move || {
                // SAFETY: it does not link.
                unsafe {
                    Source::new("double nowhere(double); double undefined_c(double x) { return nowhere(x); }")
                }
                .language(dijitso::Language::C)
            }))
        }
        "own_flag" => {
            let flag = value.to_owned();
            build.kernel(dijitso::spec!(Number, "own_flag", value.to_owned(), move || {
                // SAFETY: arithmetic only.
                unsafe { Source::new("double own_flag(double x) { return x; }") }.flag(flag.clone())
            }))
        }
        "archive" => {
            let path = value.to_owned();
            build.kernel(dijitso::spec!(Number, "archive", value.to_owned(), move || {
                // SAFETY: arithmetic only.
                unsafe { Source::new("double archive(double x) { return x + helper(); }") }
                    .preamble("extern \"C\" int helper();")
                    .link(path.clone())
            }))
        }
        "same_name" => {
            build.kernel(of("twin", 1, "double twin(double x) { return 1; }".to_owned())).kernel(twin())
        }
        // One kernel has a thread-local variable that another one reads.
        "thread_local" => build.kernel(thread_local_user()),
        "section" => build.kernel(dijitso::spec!((), "section", (), || {
            let text =
                "__attribute__((section(\"items\"), used)) static int item = 1; extern int __start_items[];
                        int first(void) { return __start_items[0]; }";
            // SAFETY: the section has an item.
            unsafe { Source::translation_unit(text) }.language(dijitso::Language::C).export("first")
        })),
        "classes" => build.kernels(["first", "second"].map(classes)),
        _ => panic!("unknown word {what}"),
    }
}

fn of(name: &'static str, key: i32, text: String) -> KernelSpec<Number> {
    dijitso::spec!(Number, name, key, move || {
        // SAFETY: arithmetic only.
        unsafe { Source::new(text.clone()) }
    })
}

/// Another generator with the signature of a kernel of `of`: what an edit that forgot the version makes.
fn twin() -> KernelSpec<Number> {
    let generator = || {
        // SAFETY: arithmetic only.
        unsafe { Source::new("double twin(double x) { return 2; }") }
    };
    let first = of("twin", 1, String::new());
    let twin =
        KernelSpec::with_tokens("move || { unsafe { Source::new(text.clone()) } }", "twin", 1, generator)
            .package(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    assert_eq!(first.signature(), twin.signature(), "the tokens are those of the macro's expansion");
    twin
}

fn thread_local_user() -> KernelSpec<()> {
    let variable = || {
        dijitso::spec!((), "variable", (), || {
            // SAFETY: a number.
            unsafe { Source::translation_unit("_Thread_local int mine = 3;") }
                .language(dijitso::Language::C)
                .export("mine")
        })
    };
    dijitso::spec!((), "thread_local_user", (), move || {
        // SAFETY: a number.
        unsafe {
            Source::translation_unit("extern _Thread_local int mine; int next(void) { return ++mine; }")
        }
        .language(dijitso::Language::C)
        .export("next")
        .depends_on(&variable())
    })
}

fn numbered(n: usize, edit: usize) -> KernelSpec<Number> {
    dijitso::spec!(Number, "numbered", n, move || {
        // SAFETY: arithmetic only.
        unsafe { Source::new(format!("double numbered(double x) {{ return x * {n} + {edit}; }}")) }
    })
}

fn large(n: usize) -> KernelSpec<unsafe extern "C" fn(*const f64, *mut f64)> {
    dijitso::spec!(unsafe extern "C" fn(*const f64, *mut f64), "large", n, move || {
        let lines: String = (0..400)
            .map(|i| {
                format!(
                    "y[{}] += {}.5 * x[{}] * x[{}] + std::sin(x[{}]);\n",
                    i % 40,
                    n + i,
                    i % 30,
                    i % 7,
                    i % 11
                )
            })
            .collect();
        // SAFETY: reads x[..30], writes y[..40].
        unsafe { Source::new(format!("void large(const double *x, double *y) {{\n{lines}}}")) }
            .include("<cmath>")
    })
}

fn with_header() -> KernelSpec<Number> {
    dijitso::spec!(Number, "with_header", (), || {
        // SAFETY: arithmetic only.
        unsafe { Source::new("double with_header(double x) { return x * FACTOR; }") }.include("\"tracked.h\"")
    })
}

/// Units with a class of one name, of which everything that linkers merge by name differs.
fn classes(which: &'static str) -> KernelSpec<()> {
    dijitso::spec!((), "classes", which, move || {
        let n = if which == "first" { 1 } else { 2 };
        let text = format!(
            "#include <vector>
             struct Form {{
               virtual ~Form() {{}}
               virtual int value() const {{ return {n}; }}
               int step() const {{ static int calls = 10 * {n}; return calls; }}
               template <class T> static T twice;
             }};
             template <class T> T Form::twice = T(100 * {n});
             inline int helper() {{ return 1000 * {n}; }}
             extern \"C\" int create_form() {{
               Form form; const Form *p = &form; std::vector<int> v{{1, 2}};
               return p->value() + form.step() + Form::twice<int> + helper() + v.at(0);
             }}"
        );
        // SAFETY: the factory returns a number.
        unsafe { Source::translation_unit(text) }.export("create_form")
    })
}
