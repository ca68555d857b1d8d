//! The words of the second factor: on the page of one's account, and at the sign-in.

use crate::i18n::Locale;

/// Why a code did not let anybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum CodeError {
    Refused,
    Wait,
    Unavailable,
}

impl CodeError {
    pub(in super::super) fn from_code(code: &str) -> Option<Self> {
        match code {
            "refused" => Some(Self::Refused),
            "wait" => Some(Self::Wait),
            "unavailable" => Some(Self::Unavailable),
            _ => None,
        }
    }
}

/// The messages.
pub(in super::super) struct FactorText {
    pub(in super::super) title: &'static str,
    pub(in super::super) off: &'static str,
    pub(in super::super) on: &'static str,
    pub(in super::super) left: fn(i64) -> String,
    pub(in super::super) begin: &'static str,
    pub(in super::super) scan: &'static str,
    pub(in super::super) qr: &'static str,
    pub(in super::super) type_it: &'static str,
    pub(in super::super) code: &'static str,
    pub(in super::super) code_hint: &'static str,
    pub(in super::super) wrong: &'static str,
    pub(in super::super) confirm: &'static str,
    pub(in super::super) recovery: &'static str,
    pub(in super::super) recovery_hint: &'static str,
    pub(in super::super) renew: &'static str,
    pub(in super::super) renew_hint: &'static str,
    pub(in super::super) remove: &'static str,
    pub(in super::super) remove_hint: &'static str,
    pub(in super::super) state: &'static str,
    pub(in super::super) state_on: &'static str,
    pub(in super::super) drop: &'static str,
    pub(in super::super) drop_hint: &'static str,
    pub(in super::super) sign_in_title: &'static str,
    pub(in super::super) sign_in_lead: &'static str,
    pub(in super::super) sign_in: &'static str,
    pub(in super::super) again: &'static str,
    pub(in super::super) error: fn(CodeError) -> &'static str,
}

/// The texts of a language.
pub(in super::super) const fn of(locale: Locale) -> &'static FactorText {
    match locale {
        Locale::Ko => &KO,
        Locale::En | Locale::Ja | Locale::Zh => &EN,
    }
}

static EN: FactorText = FactorText {
    title: "Second factor",
    off: "With a second factor, signing in takes a code from your telephone beside the password.",
    on: "Signing in takes a code from your authenticator app.",
    left: |left| match left {
        1 => "1 recovery code is left.".to_owned(),
        left => format!("{left} recovery codes are left."),
    },
    begin: "Set up a second factor",
    scan: "Scan this with an authenticator app, and enter the code that it shows.",
    qr: "Code to scan with an authenticator app",
    type_it: "Or type this key into the app.",
    code: "Code",
    code_hint: "Six digits from the app.",
    wrong: "The code is not right. Enter the one that the app shows now.",
    confirm: "Turn it on",
    recovery: "Your recovery codes",
    recovery_hint: "Keep them somewhere safe: they are not shown again. Each lets you in once, should you lose your telephone.",
    renew: "Make new recovery codes",
    renew_hint: "Takes a code of the app, or a recovery code. The codes from before do not count any longer.",
    remove: "Remove the second factor",
    remove_hint: "Takes a code of the app, or a recovery code.",
    state: "Second factor",
    state_on: "On",
    drop: "Remove the second factor",
    drop_hint: "For who has lost the telephone and the recovery codes. They are signed out everywhere.",
    sign_in_title: "Enter your code",
    sign_in_lead: "Enter the code from your authenticator app, or a recovery code.",
    sign_in: "Sign in",
    again: "Start again",
    error: |error| match error {
        CodeError::Refused => "The code is not right, or was used before.",
        CodeError::Wait => "There were too many wrong codes. Please try again later.",
        CodeError::Unavailable => {
            "Signing in does not work right now. Please try again in a moment."
        }
    },
};

static KO: FactorText = FactorText {
    title: "2단계 인증",
    off: "2단계 인증을 켜면 로그인할 때 비밀번호와 함께 휴대폰 인증 앱의 코드가 필요해요.",
    on: "로그인할 때 인증 앱의 코드가 필요해요.",
    left: |left| format!("복구 코드가 {left}개 남았어요."),
    begin: "2단계 인증 설정",
    scan: "인증 앱으로 아래 QR 코드를 스캔하고, 앱에 나온 숫자를 입력해 주세요.",
    qr: "인증 앱으로 스캔할 QR 코드",
    type_it: "또는 앱에 이 키를 직접 입력해 주세요.",
    code: "인증 코드",
    code_hint: "앱에 나온 숫자 6자리예요.",
    wrong: "코드가 맞지 않아요. 지금 앱에 나온 숫자를 입력해 주세요.",
    confirm: "켜기",
    recovery: "복구 코드",
    recovery_hint: "안전한 곳에 보관해 주세요. 다시 보여 드리지 않아요. 휴대폰을 잃어버리면 코드 하나로 한 번 로그인할 수 있어요.",
    renew: "복구 코드 새로 만들기",
    renew_hint: "앱의 코드나 복구 코드가 필요해요. 전에 받은 복구 코드는 더 이상 쓸 수 없어요.",
    remove: "2단계 인증 끄기",
    remove_hint: "앱의 코드나 복구 코드가 필요해요.",
    state: "2단계 인증",
    state_on: "사용 중",
    drop: "2단계 인증 끄기",
    drop_hint: "휴대폰과 복구 코드를 모두 잃은 사람을 위한 거예요. 모든 기기에서 로그아웃돼요.",
    sign_in_title: "인증 코드 입력",
    sign_in_lead: "인증 앱의 코드나 복구 코드를 입력해 주세요.",
    sign_in: "로그인",
    again: "처음부터 다시",
    error: |error| match error {
        CodeError::Refused => "코드가 맞지 않거나 이미 쓴 코드예요.",
        CodeError::Wait => "코드를 여러 번 틀렸어요. 나중에 다시 해 주세요.",
        CodeError::Unavailable => "지금은 로그인할 수 없어요. 잠시 뒤에 다시 해 주세요.",
    },
};
