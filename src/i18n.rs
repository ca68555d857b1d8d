//! Korean and English everywhere, Japanese and Simplified Chinese on the buyer's pages; on the server alone.
//!
//! A catalogue is a struct with one field per message, so a message that one language lacks does not compile. What depends
//! on an amount or a time is a function, because languages disagree on order and endings. Islands get finished texts.

mod brand;
mod catalogue;
mod en;
mod institution;
mod ja;
mod ko;
mod particle;
mod zh;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::Offset;

pub use catalogue::{EdgeMessages, FailureText, Messages, PayMessages, StoryText, TimeLeftText};
pub use institution::{BANKS, institution};
pub use particle::{Particle, with_particle};

use crate::domain::money::Money;

/// Longest `Accept-Language` that is read, in bytes; browsers send a few dozen.
const ACCEPT_LANGUAGE_BYTES_MAX: usize = 512;
/// Language ranges of an `Accept-Language` that are read.
const ACCEPT_LANGUAGE_RANGES_MAX: usize = 16;
/// Korea has had no daylight saving time since 1988, so a fixed offset is its time zone.
pub const KOREA: Offset = Offset::constant(9);

/// A language that pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locale {
    /// Korean.
    Ko,
    /// English.
    En,
    /// Japanese; buyers' pages only.
    Ja,
    /// Simplified Chinese; buyers' pages only.
    Zh,
}

impl Locale {
    /// Every language, in the order of a language switch.
    pub const ALL: [Self; 4] = [Self::Ko, Self::En, Self::Ja, Self::Zh];

    /// Reads a language tag such as `ko`, `ko-KR` or `en_US`. Readers of traditional Chinese get the simplified one.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = primary(tag.trim());
        Self::ALL
            .into_iter()
            .find(|locale| primary(locale.tag()).eq_ignore_ascii_case(language))
    }

    /// The tag for `<html lang>`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
            Self::Ja => "ja",
            // The region chooses the glyphs that the two kinds of Chinese share.
            Self::Zh => "zh-CN",
        }
    }

    /// The language's own name, for a language switch.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Ko => "한국어",
            Self::En => "English",
            Self::Ja => "日本語",
            Self::Zh => "简体中文",
        }
    }

    /// What the buyer's pages say.
    #[must_use]
    pub fn messages(self) -> &'static Messages {
        match self {
            Self::Ko => &ko::MESSAGES,
            Self::En => &en::MESSAGES,
            Self::Ja => &ja::MESSAGES,
            Self::Zh => &zh::MESSAGES,
        }
    }

    /// The language of the merchant's side for who reads this one.
    #[must_use]
    pub const fn of_office(self) -> Self {
        match self {
            Self::Ko => Self::Ko,
            Self::En | Self::Ja | Self::Zh => Self::En,
        }
    }

    /// The language that a browser would rather have (RFC 9110, 12.5.4). Korean when it does not say.
    #[must_use]
    pub fn negotiate(accept_language: Option<&str>) -> Self {
        let header = accept_language
            .filter(|header| header.len() <= ACCEPT_LANGUAGE_BYTES_MAX)
            .unwrap_or_default();
        let mut best = (0, Self::Ko);
        for range in header.split(',').take(ACCEPT_LANGUAGE_RANGES_MAX) {
            let (tag, weight) = range
                .split_once(';')
                .map_or((range, 1000), |(tag, weight)| (tag, thousandths(weight)));
            let locale = if tag.trim() == "*" {
                Some(Self::Ko)
            } else {
                Self::from_tag(tag)
            };
            // Strictly more: among equals the first one is meant.
            if let Some(locale) = locale
                && weight > best.0
            {
                best = (weight, locale);
            }
        }
        best.1
    }
}

/// The language of a tag, without script and region.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or_default()
}

/// Reads `q=0.8` as 800. What is no weight counts as none.
fn thousandths(parameter: &str) -> u32 {
    let Some((name, value)) = parameter.split_once('=') else {
        return 0;
    };
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    let is_number = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !name.trim().eq_ignore_ascii_case("q") || !is_number {
        return 0;
    }
    match whole {
        "1" => 1000,
        "0" => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// An amount as people write it: `64,900원`, `₩64,900`, `64,900ウォン`, `$14.20`.
#[must_use]
pub fn money(locale: Locale, money: Money) -> String {
    let number = grouped(money);
    match (money.currency.code(), locale) {
        ("KRW", Locale::Ko) => format!("{number}원"),
        ("KRW", Locale::En) => format!("₩{number}"),
        ("KRW", Locale::Ja) => format!("{number}ウォン"),
        ("KRW", Locale::Zh) => format!("{number}韩元"),
        ("USD", _) => format!("${number}"),
        ("EUR", _) => format!("€{number}"),
        ("GBP", _) => format!("£{number}"),
        ("JPY", Locale::Ko) => format!("{number}엔"),
        ("JPY", Locale::En) => format!("¥{number}"),
        ("JPY", Locale::Ja) => format!("{number}円"),
        // The sign is the yuan's, too.
        ("JPY", Locale::Zh) => format!("{number}日元"),
        // A no-break space: the code must not be left behind at the end of a line.
        (code, _) => format!("{code}\u{a0}{number}"),
    }
}

/// The amount in the major unit with all decimals of its currency and thousands set apart.
fn grouped(money: Money) -> String {
    let digits = money.currency.exponent() as usize;
    let text = format!("{:0>width$}", money.minor, width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    let mut grouped = String::with_capacity(text.len() + text.len() / 3 + 1);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// A moment in Korean time, which it names: `2026년 9월 30일(수) 23:59 (한국 시간)`, `Wed, Sep 30, 2026, 23:59 KST`.
/// The name of the time zone does not break across lines.
#[must_use]
pub fn datetime(locale: Locale, at: Timestamp) -> String {
    let local = KOREA.to_datetime(at);
    let (year, month, day, hour, minute) = (
        local.year(),
        local.month(),
        local.day(),
        local.hour(),
        local.minute(),
    );
    let weekday = weekday(locale, local.date().weekday());
    match locale {
        Locale::Ko => {
            format!("{year}년 {month}월 {day}일({weekday}) {hour:02}:{minute:02} (한국\u{a0}시간)")
        }
        Locale::En => format!(
            "{weekday}, {} {day}, {year}, {hour:02}:{minute:02} KST",
            month_name(month)
        ),
        Locale::Ja => {
            format!("{year}年{month}月{day}日({weekday}) {hour:02}:{minute:02} (韓国時間)")
        }
        Locale::Zh => {
            format!("{year}年{month}月{day}日({weekday}) {hour:02}:{minute:02} (韩国时间)")
        }
    }
}

fn weekday(locale: Locale, weekday: Weekday) -> &'static str {
    const KO: [&str; 7] = ["월", "화", "수", "목", "금", "토", "일"];
    const EN: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const JA: [&str; 7] = ["月", "火", "水", "木", "金", "土", "日"];
    const ZH: [&str; 7] = ["周一", "周二", "周三", "周四", "周五", "周六", "周日"];
    let names = match locale {
        Locale::Ko => KO,
        Locale::En => EN,
        Locale::Ja => JA,
        Locale::Zh => ZH,
    };
    let at = usize::try_from(weekday.to_monday_zero_offset()).unwrap_or_default();
    names.get(at).copied().unwrap_or_default()
}

fn month_name(month: i8) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    usize::try_from(month)
        .ok()
        .and_then(|month| NAMES.get(month.checked_sub(1)?))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    fn amount(minor: i64, code: &str) -> Money {
        Money {
            minor,
            currency: Currency::parse(code).expect("a currency"),
        }
    }

    #[test]
    fn a_tag_names_a_language_whatever_the_region() {
        for (tag, want) in [
            ("ko", Some(Locale::Ko)),
            ("ko-KR", Some(Locale::Ko)),
            ("KO_kr", Some(Locale::Ko)),
            (" en ", Some(Locale::En)),
            ("en-US", Some(Locale::En)),
            ("eng", None),
            ("korean", None),
            ("ja-JP", Some(Locale::Ja)),
            ("zh", Some(Locale::Zh)),
            ("zh-CN", Some(Locale::Zh)),
            ("zh-Hans-SG", Some(Locale::Zh)),
            ("zh_TW", Some(Locale::Zh)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(Locale::from_tag(tag), want, "{tag:?}");
        }
    }

    #[test]
    fn the_browser_gets_the_language_it_prefers() {
        for (header, want) in [
            (None, Locale::Ko),
            (Some(""), Locale::Ko),
            (Some("ko-KR,ko;q=0.9,en;q=0.8"), Locale::Ko),
            (Some("en-US,en;q=0.9,ko;q=0.8"), Locale::En),
            (Some("ko;q=0.5, en;q=0.9"), Locale::En),
            (Some("fr, en;q=0.3, ko;q=0.301"), Locale::Ko),
            (Some("ko;q=0, en;q=0.001"), Locale::En),
            (Some("en, ko"), Locale::En),
            (Some("de, fr"), Locale::Ko),
            (Some("ja, fr"), Locale::Ja),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Locale::Zh),
            (Some("*"), Locale::Ko),
            (Some("en;q=0.5, *;q=0.1"), Locale::En),
            (Some("en;q=nonsense, ko;q=0.1"), Locale::Ko),
            (Some("en;q=2"), Locale::Ko),
            (Some("en;q=0.99999, ko;q=0.1"), Locale::Ko),
        ] {
            assert_eq!(Locale::negotiate(header), want, "{header:?}");
        }
    }

    #[test]
    fn an_endless_accept_language_is_not_read() {
        let many = format!("{}en", "fr,".repeat(ACCEPT_LANGUAGE_RANGES_MAX));
        let long = format!("en,{}", "x".repeat(ACCEPT_LANGUAGE_BYTES_MAX));

        assert_eq!(Locale::negotiate(Some(&many)), Locale::Ko);
        assert_eq!(Locale::negotiate(Some(&long)), Locale::Ko);
    }

    #[test]
    fn money_reads_as_people_write_it() {
        for (minor, code, words) in [
            (
                64_900,
                "KRW",
                ["64,900원", "₩64,900", "64,900ウォン", "64,900韩元"],
            ),
            (0, "KRW", ["0원", "₩0", "0ウォン", "0韩元"]),
            (999, "KRW", ["999원", "₩999", "999ウォン", "999韩元"]),
            (
                1_000_000,
                "KRW",
                [
                    "1,000,000원",
                    "₩1,000,000",
                    "1,000,000ウォン",
                    "1,000,000韩元",
                ],
            ),
            (1_420, "USD", ["$14.20"; 4]),
            (5, "USD", ["$0.05"; 4]),
            (123_456_789, "USD", ["$1,234,567.89"; 4]),
            (900, "JPY", ["900엔", "¥900", "900円", "900日元"]),
            (1_250, "KWD", ["KWD\u{a0}1.250"; 4]),
        ] {
            for (locale, word) in Locale::ALL.into_iter().zip(words) {
                assert_eq!(money(locale, amount(minor, code)), word);
            }
        }
    }

    #[test]
    fn times_are_korean_and_say_so() {
        let deadline: Timestamp = "2026-09-30T14:59:59Z".parse().expect("a time");
        let next_day: Timestamp = "2026-12-31T15:05:00Z".parse().expect("a time");

        assert_eq!(
            datetime(Locale::Ko, deadline),
            "2026년 9월 30일(수) 23:59 (한국\u{a0}시간)"
        );
        assert_eq!(
            datetime(Locale::En, deadline),
            "Wed, Sep 30, 2026, 23:59 KST"
        );
        assert_eq!(
            datetime(Locale::Ko, next_day),
            "2027년 1월 1일(금) 00:05 (한국\u{a0}시간)"
        );
        assert_eq!(
            datetime(Locale::En, next_day),
            "Fri, Jan 1, 2027, 00:05 KST"
        );
        assert_eq!(
            datetime(Locale::Ja, deadline),
            "2026年9月30日(水) 23:59 (韓国時間)"
        );
        assert_eq!(
            datetime(Locale::Zh, deadline),
            "2026年9月30日(周三) 23:59 (韩国时间)"
        );
    }
}
