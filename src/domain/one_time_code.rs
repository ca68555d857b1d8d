//! Codes of a second factor, by time (RFC 6238 over RFC 4226: SHA-1, six digits, thirty seconds), as every authenticator app
//! makes them.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha1::Sha1;

/// Bytes of a secret: as long as the hash, as RFC 4226 (section 4) recommends.
pub const SECRET_BYTES: usize = 20;
/// Digits of a code.
pub const CODE_DIGITS: usize = 6;
/// How long a code counts, in seconds.
pub const STEP_SECONDS: i64 = 30;
/// Steps by which a telephone's clock may be wrong, to either side.
const STEPS_OFF: i64 = 1;
/// The alphabet of Base32 (RFC 4648), in which apps take secrets.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The secret that server and app share.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeSecret([u8; SECRET_BYTES]);

impl std::fmt::Debug for CodeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CodeSecret(…)")
    }
}

impl CodeSecret {
    /// Of random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// As people type it into an app.
    #[must_use]
    pub fn to_base32(&self) -> String {
        // Five bytes are eight letters, so nothing is left over.
        let letters = self.0.chunks(5).flat_map(|chunk| {
            let bits = chunk
                .iter()
                .fold(0_u64, |bits, byte| (bits << 8) + u64::from(*byte));
            (0..8).rev().map(move |place| {
                let letter = (bits >> (5 * place)) & 31;
                char::from(BASE32[usize::try_from(letter).unwrap_or_default()])
            })
        });
        letters.collect()
    }

    /// Reads [`to_base32`](Self::to_base32).
    #[must_use]
    pub fn from_base32(text: &str) -> Option<Self> {
        if text.len() != SECRET_BYTES / 5 * 8 {
            return None;
        }
        let mut bytes = [0; SECRET_BYTES];
        for (five, letters) in bytes.chunks_mut(5).zip(text.as_bytes().chunks(8)) {
            let mut bits = 0_u64;
            for letter in letters {
                let place = BASE32.iter().position(|one| one == letter)?;
                bits = (bits << 5) + u64::try_from(place).ok()?;
            }
            five.copy_from_slice(&bits.to_be_bytes()[3..]);
        }
        Some(Self(bytes))
    }

    /// The address that a QR code carries to an app.
    /// <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>
    #[must_use]
    pub fn address(&self, issuer: &str, account: &str) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        let issuer = utf8_percent_encode(issuer, NON_ALPHANUMERIC);
        let account = utf8_percent_encode(account, NON_ALPHANUMERIC);
        let secret = self.to_base32();
        format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}")
    }

    /// The step whose code this is, when it is one of now that was not used: of steps up to `used` none counts any more.
    #[must_use]
    pub fn step_of(&self, code: &str, now: Timestamp, used: Option<i64>) -> Option<i64> {
        let code = read(code)?;
        let present = now.as_second().div_euclid(STEP_SECONDS);
        let steps = present - STEPS_OFF..=present + STEPS_OFF;
        let mut unused = steps.filter(|step| used.is_none_or(|used| *step > used));
        unused.find(|step| self.code(*step) == Some(code))
    }

    /// The code of a step.
    #[must_use]
    pub fn code(&self, step: i64) -> Option<u32> {
        let counter = u64::try_from(step).ok()?;
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(&counter.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        // RFC 4226, section 5.3: four bytes from where the last half byte says, without their sign.
        let from = usize::from(digest.last()? & 15);
        let bytes = digest.get(from..from + 4)?.first_chunk::<4>()?;
        let number = u32::from_be_bytes(*bytes) & 0x7fff_ffff;
        Some(number % 10_u32.pow(u32::try_from(CODE_DIGITS).ok()?))
    }
}

/// People type codes in two groups.
fn read(code: &str) -> Option<u32> {
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let is_code = digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> CodeSecret {
        CodeSecret::new(*b"12345678901234567890")
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238, appendix B, without the first two of eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (at, code) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(secret().code(at / STEP_SECONDS), Some(code), "{at}");
        }
    }

    #[test]
    fn a_code_counts_once_and_around_its_time() {
        let (secret, step) = (secret(), 1_111_111_109 / STEP_SECONDS);
        let found = |code: &str, at: i64, used| secret.step_of(code, second(at), used);
        for at in [1_111_111_109 - 30, 1_111_111_109, 1_111_111_109 + 30] {
            assert_eq!(found("081804", at, None), Some(step), "{at}");
        }
        assert_eq!(
            found(" 081 804 ", 1_111_111_109, Some(step - 1)),
            Some(step)
        );
        assert_eq!(found("081804", 1_111_111_109, Some(step)), None, "once");
        assert_eq!(found("081804", 1_111_111_109 - 30, Some(step)), None);
        for at in [1_111_111_109 - 61, 1_111_111_109 + 61] {
            assert_eq!(found("081804", at, None), None, "{at}");
        }
        for code in [
            "",
            "81804",
            "0818040",
            "08180a",
            "-81804",
            "٠٨١٨٠٤",
            "081805",
        ] {
            assert_eq!(found(code, 1_111_111_109, None), None, "{code}");
        }
    }

    #[test]
    fn a_secret_is_not_told_by_its_debug_form() {
        assert_eq!(format!("{:?}", secret()), "CodeSecret(…)");
    }

    #[test]
    fn secrets_travel_in_base_32() {
        assert_eq!(secret().to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            CodeSecret::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            Some(secret())
        );
        for text in [
            "",
            "GEZDGNBVGY3TQOJQ",
            "gezdgnbvgy3tqojqgezdgnbvgy3tqojq",
            "1EZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOé",
        ] {
            assert_eq!(CodeSecret::from_base32(text), None, "{text}");
        }
        assert_eq!(
            secret().address("완료 상점", "a@b.c"),
            "otpauth://totp/%EC%99%84%EB%A3%8C%20%EC%83%81%EC%A0%90:a%40b%2Ec?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=%EC%99%84%EB%A3%8C%20%EC%83%81%EC%A0%90"
        );
        assert!(!format!("{:?}", secret()).contains('1'));
    }
}
