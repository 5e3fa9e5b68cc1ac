#![allow(unused)]

use dijitso::{Text, cxx};

const TEXT: &str = "int a;";

fn main() {
    let order = 1;
    let _: Text = cxx!();
    let _: Text = cxx!(TEXT);
    let _: Text = cxx!(format!("int a = {order};"));
    let _: Text = cxx!(r"int a;", r"int b;");
    let _: Text = cxx!(b"int a;");
    let _: Text = cxx!("const char *text = \"a\\n\";");
}
