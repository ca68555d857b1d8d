//! How much time is left, in words.

use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::{Deserialize, Serialize};

use super::browser::{elapsed_ms, pause};

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// The words of a language.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TimeLeftWords {
    /// What stands before and after the time.
    pub around: [String; 2],
    /// What stands between two numbers with their units.
    pub between: String,
    /// What follows one day, and several.
    pub days: [String; 2],
    /// What follows one hour, and several.
    pub hours: [String; 2],
    /// What follows one minute, and several.
    pub minutes: [String; 2],
    /// Less than a minute is left.
    pub soon: String,
    /// Nothing is left.
    pub over: String,
}

impl TimeLeftWords {
    /// The two largest units, the smaller one cut off: what is said is always left.
    #[must_use]
    pub fn say(&self, seconds: u32) -> String {
        if seconds == 0 {
            return self.over.clone();
        }
        if seconds < MINUTE {
            return self.soon.clone();
        }
        let (large, small) = if seconds >= DAY {
            (
                (seconds / DAY, &self.days),
                (seconds % DAY / HOUR, &self.hours),
            )
        } else {
            (
                (seconds / HOUR, &self.hours),
                (seconds % HOUR / MINUTE, &self.minutes),
            )
        };
        let parts: Vec<String> = [large, small]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, [one, several])| {
                format!("{number}{}", if number == 1 { one } else { several })
            })
            .collect();
        let [before, after] = &self.around;
        format!("{before}{}{after}", parts.join(&self.between))
    }
}

/// Counts down from what the server said was left, whatever the browser's own clock says. Not announced: who listens to a page
/// hears the deadline itself.
#[island]
pub fn Countdown(
    /// How much was left when the page was made.
    seconds: u32,
    /// The words.
    words: TimeLeftWords,
) -> impl IntoView {
    let left = RwSignal::new(seconds);
    Effect::new(move |_| {
        spawn_local(async move {
            while left.get_untracked() > 0 {
                // To the next full minute, when the words change.
                pause((left.get_untracked() % MINUTE + 1) * 1_000).await;
                let elapsed = elapsed_ms() / 1_000.0;
                left.set((f64::from(seconds) - elapsed).max(0.0) as u32);
            }
        });
    });
    view! { <span class="time-left">{move || words.say(left.get())}</span> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_in_its_two_largest_units() {
        let two = |one: &str, several: &str| [one.to_owned(), several.to_owned()];
        let words = TimeLeftWords {
            around: two("", " left"),
            between: " ".to_owned(),
            days: two(" day", " days"),
            hours: two(" hour", " hours"),
            minutes: two(" minute", " minutes"),
            soon: "soon".to_owned(),
            over: "over".to_owned(),
        };
        for (seconds, said) in [
            (0, "over"),
            (1, "soon"),
            (59, "soon"),
            (60, "1 minute left"),
            (119, "1 minute left"),
            (3_599, "59 minutes left"),
            (3_600, "1 hour left"),
            (3_660, "1 hour 1 minute left"),
            (86_399, "23 hours 59 minutes left"),
            (86_400, "1 day left"),
            (2 * 86_400 + 3_600, "2 days 1 hour left"),
            (2 * 86_400 + 60, "2 days left"),
        ] {
            assert_eq!(words.say(seconds), said, "{seconds}");
        }
    }
}
