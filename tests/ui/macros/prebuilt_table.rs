//! What build.rs wrote with another version of dijitso.

static OLDER: dijitso::Prebuilt = dijitso::__prebuilt_table! {
    format 0; "0.0.9";
    #[link(name = "demo-kernels", kind = "static")]
    { fn s0(); }
    rows of another form
};

fn main() {
    let _ = &OLDER;
}
