use dijitso::{Text, cxx};

macro_rules! wrapped {
    ($text:literal) => {
        cxx!($text)
    };
}

fn main() {
    // The line is that of the opening quote, wherever the macro's name is.
    assert_eq!(cxx!(r"int a;"), Text::located("int a;", file!(), line!()));
    let line = line!();
    let text = cxx!(
        r#"
        const char *text = "a\n";
    "#
    );
    assert_eq!(text, Text::located("\n        const char *text = \"a\\n\";\n    ", file!(), line + 2));
    assert_eq!(cxx!("int a;",), Text::located("int a;", file!(), line!()));
    assert_eq!(wrapped!(r"int a;"), Text::located("int a;", file!(), line!()));
}
