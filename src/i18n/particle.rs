//! Korean particles change with the sound before them: 주문은, 결제는.

/// A particle that comes in two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Particle {
    /// 은/는: what is spoken of.
    Topic,
    /// 이/가: who does it.
    Subject,
    /// 을/를: what is done to.
    Object,
}

impl Particle {
    const fn after_consonant(self) -> &'static str {
        match self {
            Self::Topic => "은",
            Self::Subject => "이",
            Self::Object => "을",
        }
    }

    const fn after_vowel(self) -> &'static str {
        match self {
            Self::Topic => "는",
            Self::Subject => "가",
            Self::Object => "를",
        }
    }

    /// Where a reader's pronunciation is anyone's guess, Korean writes both.
    const fn after_anything(self) -> &'static str {
        match self {
            Self::Topic => "은(는)",
            Self::Subject => "이(가)",
            Self::Object => "을(를)",
        }
    }
}

/// The word with its particle. Closing brackets and quotes are passed over, as the voice does.
#[must_use]
pub fn with_particle(word: &str, particle: Particle) -> String {
    let heard = word.chars().rev().find(|c| c.is_alphanumeric());
    let form = match heard.and_then(ends_in_consonant) {
        Some(true) => particle.after_consonant(),
        Some(false) => particle.after_vowel(),
        None => particle.after_anything(),
    };
    format!("{word}{form}")
}

/// The amount with its particle. A sign in front is spoken at the end: `$14.20` is 십사점이 달러.
#[must_use]
pub(super) fn amount_with_particle(amount: &str, particle: Particle) -> String {
    let form = match amount.chars().next() {
        // 달러, 유로, 파운드: vowels all.
        Some('$' | '€' | '£') => particle.after_vowel(),
        // A code such as KWD in front: nobody knows how it will be read.
        Some(c) if c.is_ascii_alphabetic() => particle.after_anything(),
        _ => return with_particle(amount, particle),
    };
    format!("{amount}{form}")
}

/// Whether the sound of a last letter is a consonant; `None` when one cannot know.
fn ends_in_consonant(last: char) -> Option<bool> {
    const SYLLABLES_FIRST: u32 = 0xac00;
    const SYLLABLES_LAST: u32 = 0xd7a3;
    const FINALS: u32 = 28;
    match last {
        // Read in Sino-Korean: 영 일 이 삼 사 오 육 칠 팔 구.
        '0' | '1' | '3' | '6' | '7' | '8' => Some(true),
        '2' | '4' | '5' | '9' => Some(false),
        _ => {
            let code = u32::from(last);
            (SYLLABLES_FIRST..=SYLLABLES_LAST)
                .contains(&code)
                .then(|| !(code - SYLLABLES_FIRST).is_multiple_of(FINALS))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_particle_follows_the_sound_before_it() {
        for (word, topic, subject, object) in [
            ("주문", "주문은", "주문이", "주문을"),
            ("결제", "결제는", "결제가", "결제를"),
            ("12,000원", "12,000원은", "12,000원이", "12,000원을"),
            (
                "사과(1kg 상자)",
                "사과(1kg 상자)는",
                "사과(1kg 상자)가",
                "사과(1kg 상자)를",
            ),
            ("주문 7", "주문 7은", "주문 7이", "주문 7을"),
            ("주문 9", "주문 9는", "주문 9가", "주문 9를"),
            ("Coffee", "Coffee은(는)", "Coffee이(가)", "Coffee을(를)"),
            ("", "은(는)", "이(가)", "을(를)"),
        ] {
            assert_eq!(with_particle(word, Particle::Topic), topic);
            assert_eq!(with_particle(word, Particle::Subject), subject);
            assert_eq!(with_particle(word, Particle::Object), object);
        }
    }

    #[test]
    fn an_amount_is_heard_with_its_currency_last() {
        for (amount, subject) in [
            ("64,900원", "64,900원이"),
            ("$14.20", "$14.20가"),
            ("900엔", "900엔이"),
            ("KWD\u{a0}1.250", "KWD\u{a0}1.250이(가)"),
        ] {
            assert_eq!(amount_with_particle(amount, Particle::Subject), subject);
        }
    }
}
