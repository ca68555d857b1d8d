//! What the model finds, and what it would not find if it were smaller.

use clap::ValueEnum as _;

use super::configuration::{self, Configuration};
use super::planted::Planted;
use super::walk;

/// States in which a planted bug must show.
const STATES_MAX: u64 = 1_000_000;

fn found(planted: Planted, configuration: Configuration) -> Option<String> {
    walk(configuration, Some(planted), STATES_MAX).broken
}

fn finder(planted: Planted) -> Option<(&'static str, String)> {
    configuration::all().into_iter().find_map(|configuration| {
        let name = configuration.name;
        found(planted, configuration).map(|way| (name, way))
    })
}

fn named(name: &str) -> Configuration {
    configuration::all()
        .into_iter()
        .find(|configuration| configuration.name == name)
        .expect("a configuration")
}

#[test]
fn each_planted_bug_is_found() {
    for &planted in Planted::value_variants() {
        let (name, way) = finder(planted).unwrap_or_else(|| panic!("{planted} was not found"));
        println!("{planted}, found in {name}: {way}\n");
    }
}

#[test]
fn what_is_shipped_keeps_every_promise() {
    for configuration in configuration::all() {
        let name = configuration.name;
        assert_eq!(walk(configuration, None, 20_000).broken, None, "{name}");
    }
}

/// Races between two handlers are invisible to a model with one: the matrix must not shrink to that.
#[test]
fn only_two_handlers_show_what_needs_two() {
    for (planted, name) in [
        (Planted::StaleWins, "races"),
        (Planted::VersionIgnored, "races"),
        (Planted::ExpiredOnHearsay, "hearsay"),
    ] {
        let two = named(name);
        let one = Configuration {
            handlers: 1,
            ..two.clone()
        };
        assert_eq!(
            found(planted, one),
            None,
            "{planted} in {name}, one handler"
        );
        assert!(found(planted, two).is_some(), "{planted} in {name}");
    }
}

/// States of a configuration differ between runs of the walk in nothing: threads and memory must not change what is there.
#[test]
fn a_world_has_the_same_states_every_time() {
    let count = || {
        let walked = walk(named("races"), None, u64::MAX);
        (walked.states, walked.cut)
    };

    assert_eq!(count(), count());
    assert!(!count().1);
}
