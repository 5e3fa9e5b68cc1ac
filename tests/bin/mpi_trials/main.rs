//! Trials of collective loads on the ranks that `mpirun` starts: many in one run, one after the other, because starting ranks
//! is what costs. The arguments say which; rank 0 prints what was done, and a rank that finds something wrong ends them all.

mod ahead;
mod cells;
mod configured;
mod endurance;
mod handed;
mod large;
mod mixtures;
mod parts;
mod setting;
mod starts;
mod told;
mod unable;
mod waits;

use setting::Setting;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    // The others would wait for a rank that unwinds into the end of MPI.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(101);
    }));
    if words[0] == "told" {
        told::tell(words[1].as_ref());
    }
    let setting = Setting::new(words[1].as_ref());
    match words[0] {
        "ahead" => ahead::run(&setting),
        "built" => ahead::just_built(&setting),
        "cells" => cells::run(&setting, words[2]),
        "configured" => configured::run(&setting),
        "disagreements" => cells::disagreements(&setting),
        "endurance" => endurance::run(&setting, words[2].parse().expect("a number")),
        "handed" => handed::run(&setting, words.get(2) == Some(&"guarded")),
        "large" => large::run(&setting, words[2].parse().expect("a number")),
        "mixtures" => mixtures::run(&setting),
        "parts" => parts::run(&setting),
        "starts" => starts::run(&setting),
        "told" => told::run(&setting),
        "unable" => unable::run(&setting),
        "waits" => waits::run(&setting),
        what => panic!("what is {what}?"),
    }
}
