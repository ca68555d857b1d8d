//! Leaves out events of a failing schedule as long as it fails.

use super::story::Step;

/// Schedules that are tried for one failure.
const TRIES_MAX: usize = 2_000;

/// The events that are still needed for `fails` to hold: halves are left out first, single events last.
pub fn shrink(mut steps: Vec<Step>, mut fails: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    let mut tries = 0;
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut shrunk = false;
        let mut from = 0;
        while from < steps.len() && tries < TRIES_MAX {
            tries += 1;
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            if fails(&fewer) {
                steps = fewer;
                shrunk = true;
            } else {
                from += size;
            }
        }
        // Once nothing more can be left out at this size, smaller parts are tried.
        if !shrunk || size > 1 {
            size /= 2;
        }
        if tries >= TRIES_MAX {
            break;
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::kinds::Kind;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let step = |seed| Step {
            kind: Kind::Wait,
            seed,
        };
        let steps: Vec<Step> = (0..60).map(step).collect();

        let shrunk = shrink(steps, |steps| {
            steps.contains(&step(13)) && steps.contains(&step(47))
        });

        assert_eq!(shrunk, [step(13), step(47)]);
    }
}
