//! The arguments of `#[dijitso::kernel(..)]`.

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Ident, Lit, LitStr};

use crate::krate::Krate;
use crate::names::Named;
use crate::report::Report;
use crate::settings::{CRATE, Key, Setting, read};

const KEYS: [Key; 3] = [
    Key { name: "name", example: "name = \"axpy\"" },
    Key { name: "version", example: "version = 2" },
    CRATE,
];

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: u32,
    pub(crate) krate: Krate,
}

impl Args {
    /// Reads the attribute; what is wrong goes to `report` and counts as not given.
    pub(crate) fn read(tokens: TokenStream, report: &mut Report) -> Args {
        let mut args = Args::default();
        for setting in read(tokens, "kernel", &KEYS, report) {
            match setting.key() {
                "name" => args.name = setting.string(report),
                "version" => args.version = version(&setting, report).unwrap_or(0),
                _ => args.krate = Krate(setting.path(report)),
            }
        }
        args
    }

    /// The kernel's name, which is also that of the C++ function that is its entry.
    pub(crate) fn kernel_name(&self, function: &Ident, report: &mut Report) -> String {
        Named::Kernel.name(function, self.name.as_ref(), report)
    }
}

fn version(setting: &Setting, report: &mut Report) -> Option<u32> {
    const WANTED: &str = "a whole number from 0 to 4294967295";
    match setting.value() {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if matches!(number.suffix(), "" | "u32") => {
            match number.base10_parse() {
                Ok(version) => Some(version),
                Err(_) => setting.wrong(number, WANTED, report),
            }
        }
        other => setting.wrong(other, WANTED, report),
    }
}
