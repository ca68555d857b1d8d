//! The words of the pages of who may come in: people, keys, one's own account.

use super::Words;
use crate::domain::access::Role;
use crate::i18n::Locale;

/// What a form reported back through the address: a code, never words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Report {
    RoleChanged,
    Disabled,
    Enabled,
    SignedOut,
    Revoked,
    PasswordChanged,
    Email,
    Role,
    Exists,
    UserBefore,
    KeyBefore,
    Again,
    TooMany,
    TooManyUsers,
    NotFound,
    LastOwner,
    Name,
    Refused,
    Wait,
    Busy,
    Password,
    Differ,
    Same,
    ChoosePassword,
    FactorRemoved,
    FactorDropped,
    FactorExists,
    Code,
    CodeWait,
    Unavailable,
}

impl Report {
    /// A code under `done`.
    pub(in super::super) fn done(code: &str) -> Option<Self> {
        Some(match code {
            "role" => Self::RoleChanged,
            "disabled" => Self::Disabled,
            "enabled" => Self::Enabled,
            "signed_out" => Self::SignedOut,
            "revoked" => Self::Revoked,
            "password" => Self::PasswordChanged,
            "factor_removed" => Self::FactorRemoved,
            "factor_dropped" => Self::FactorDropped,
            _ => return None,
        })
    }

    /// A code under `error`.
    pub(in super::super) fn error(code: &str) -> Option<Self> {
        Some(match code {
            "email" => Self::Email,
            "role" => Self::Role,
            "exists" => Self::Exists,
            "user_before" => Self::UserBefore,
            "key_before" => Self::KeyBefore,
            "again" => Self::Again,
            "too_many" => Self::TooMany,
            "too_many_users" => Self::TooManyUsers,
            "not_found" => Self::NotFound,
            "last_owner" => Self::LastOwner,
            "name" => Self::Name,
            "refused" => Self::Refused,
            "wait" => Self::Wait,
            "busy" => Self::Busy,
            "password" => Self::Password,
            "differ" => Self::Differ,
            "same" => Self::Same,
            "choose_password" => Self::ChoosePassword,
            "factor_exists" => Self::FactorExists,
            "code" => Self::Code,
            "code_wait" => Self::CodeWait,
            "unavailable" => Self::Unavailable,
            _ => return None,
        })
    }
}

/// The messages.
pub(in super::super) struct PeopleText {
    pub(in super::super) role: fn(Role) -> &'static str,
    pub(in super::super) role_meaning: fn(Role) -> &'static str,
    pub(in super::super) report: fn(Report) -> &'static str,
    pub(in super::super) not_allowed: Words,
    pub(in super::super) users: UsersText,
    pub(in super::super) keys: KeysText,
    pub(in super::super) account: AccountText,
}

pub(in super::super) struct UsersText {
    pub(in super::super) title: &'static str,
    pub(in super::super) lead: &'static str,
    pub(in super::super) new_password: &'static str,
    pub(in super::super) new_password_hint: &'static str,
    pub(in super::super) role: &'static str,
    pub(in super::super) you: &'static str,
    pub(in super::super) seen: &'static str,
    pub(in super::super) added: &'static str,
    pub(in super::super) disabled: &'static str,
    pub(in super::super) password_until: &'static str,
    pub(in super::super) change: &'static str,
    pub(in super::super) change_role: &'static str,
    pub(in super::super) hand_password: &'static str,
    pub(in super::super) hand_password_hint: &'static str,
    pub(in super::super) sign_out: &'static str,
    pub(in super::super) sign_out_hint: &'static str,
    pub(in super::super) disable: &'static str,
    pub(in super::super) disable_hint: &'static str,
    pub(in super::super) enable: &'static str,
    pub(in super::super) add: &'static str,
    pub(in super::super) email: &'static str,
    pub(in super::super) add_hint: &'static str,
}

pub(in super::super) struct KeysText {
    pub(in super::super) title: &'static str,
    pub(in super::super) lead: &'static str,
    pub(in super::super) none: Words,
    pub(in super::super) new_key: &'static str,
    pub(in super::super) new_key_hint: &'static str,
    pub(in super::super) name: &'static str,
    pub(in super::super) name_hint: &'static str,
    pub(in super::super) begins: &'static str,
    pub(in super::super) made: &'static str,
    pub(in super::super) used: &'static str,
    pub(in super::super) never_used: &'static str,
    pub(in super::super) revoke: &'static str,
    pub(in super::super) revoke_hint: &'static str,
    pub(in super::super) revoke_confirm: &'static str,
    pub(in super::super) make: &'static str,
}

pub(in super::super) struct AccountText {
    pub(in super::super) title: &'static str,
    pub(in super::super) password: &'static str,
    pub(in super::super) present: &'static str,
    pub(in super::super) new: &'static str,
    pub(in super::super) new_hint: &'static str,
    pub(in super::super) again: &'static str,
    pub(in super::super) change: &'static str,
    pub(in super::super) sessions: &'static str,
    pub(in super::super) sign_out: &'static str,
    pub(in super::super) sign_out_hint: &'static str,
}

/// The texts of a language.
pub(in super::super) const fn of(locale: Locale) -> &'static PeopleText {
    match locale {
        Locale::Ko => &KO,
        Locale::En | Locale::Ja | Locale::Zh => &EN,
    }
}

static EN: PeopleText = PeopleText {
    role: |role| match role {
        Role::Viewer => "Viewer",
        Role::Staff => "Staff",
        Role::Owner => "Owner",
    },
    role_meaning: |role| match role {
        Role::Viewer => "Sees orders and what needs attention.",
        Role::Staff => {
            "Also asks PortOne, closes orders, refunds, settles what needs attention, and sends events again."
        }
        Role::Owner => "Also decides who may sign in, where events go, and which keys there are.",
    },
    report: |report| match report {
        Report::RoleChanged => "The role is changed.",
        Report::Disabled => "This person cannot sign in any more.",
        Report::Enabled => "This person may sign in again.",
        Report::SignedOut => "This person is signed out everywhere.",
        Report::Revoked => "The key opens nothing any more.",
        Report::PasswordChanged => "Your password is changed. You are signed out everywhere else.",
        Report::Email => "This is not an email address.",
        Report::Role => "Choose a role.",
        Report::Exists => "Somebody has this email address already.",
        Report::UserBefore => {
            "This form was sent before, and nobody was added a second time. If you did not see the password, make a new one for the person below."
        }
        Report::KeyBefore => {
            "This form was sent before, and no second key was made. If you did not see the key, revoke it below and make another one."
        }
        Report::Again => {
            "The form could not be recognised, so nothing was made. Please send it again."
        }
        Report::TooManyUsers => "There are 500 people, as many as there may be.",
        Report::TooMany => {
            "There are as many as there may be: two keys of one name, 200 in all. Revoke one first."
        }
        Report::NotFound => "It is not there any more.",
        Report::LastOwner => "One owner who may sign in must be left.",
        Report::Name => "Enter a name of 1 to 60 characters.",
        Report::Refused => "The present password is not right.",
        Report::Wait => "The password was wrong too often. Please wait a minute and try again.",
        Report::Busy => "Many people are signing in right now. Please try again in a moment.",
        Report::Password => "A password has 10 characters or more.",
        Report::Differ => "The two new passwords differ.",
        Report::Same => "Choose another password than the present one.",
        Report::ChoosePassword => "Choose a password of your own first.",
        Report::FactorRemoved => "The second factor is removed.",
        Report::FactorDropped => "This person signs in with the password alone.",
        Report::FactorExists => "There is a second factor already. Remove it first.",
        Report::Code => "The code is not right, or was used before.",
        Report::CodeWait => "There were too many wrong codes. Please try again later.",
        Report::Unavailable => "That could not be done now. Try again in a moment.",
    },
    not_allowed: Words {
        title: "You may not see this",
        body: "Ask an owner of the shop for the role that it needs.",
    },
    users: UsersText {
        title: "People",
        lead: "Who may sign in here, and what they may do.",
        new_password: "A password to hand over",
        new_password_hint: "Give it to this person now: it is not shown again. It works for 72 hours, and is replaced at the first sign-in.",
        role: "Role",
        you: "You",
        seen: "Last seen",
        added: "Added",
        disabled: "Disabled since",
        password_until: "Handed password works until",
        change: "Change",
        change_role: "Change the role",
        hand_password: "Make a new password",
        hand_password_hint: "For who has forgotten theirs. They are signed out everywhere.",
        sign_out: "Sign out everywhere",
        sign_out_hint: "Every browser has to sign in again.",
        disable: "Disable",
        disable_hint: "They are signed out at once and cannot sign in. What they did stays on record.",
        enable: "Let in again",
        add: "Add a person",
        email: "Email",
        add_hint: "You get a password to hand over. No email is sent.",
    },
    keys: KeysText {
        title: "API keys",
        lead: "With a key your shop's server makes orders, reads them and refunds them.",
        none: Words {
            title: "No key yet",
            body: "Make one for your shop's server.",
        },
        new_key: "The new key",
        new_key_hint: "Copy it into your shop's server now. It is not shown again.",
        name: "Name",
        name_hint: "What the history calls your shop. To replace a key, make a second one with the same name, and revoke the old one when your shop uses the new one.",
        begins: "Begins with",
        made: "Made",
        used: "Last used",
        never_used: "Never",
        revoke: "Revoke",
        revoke_hint: "Calls with it are refused at once. It cannot be taken back.",
        revoke_confirm: "Revoke this key",
        make: "Make a key",
    },
    account: AccountText {
        title: "Your account",
        password: "Password",
        present: "Present password",
        new: "New password",
        new_hint: "10 characters or more.",
        again: "New password, once more",
        change: "Change the password",
        sessions: "Sessions",
        sign_out: "Sign out everywhere",
        sign_out_hint: "Every browser has to sign in again, this one too.",
    },
};

static KO: PeopleText = PeopleText {
    role: |role| match role {
        Role::Viewer => "조회 전용",
        Role::Staff => "직원",
        Role::Owner => "소유자",
    },
    role_meaning: |role| match role {
        Role::Viewer => "주문과 확인이 필요한 결제를 볼 수 있어요.",
        Role::Staff => {
            "PortOne 조회, 주문 닫기, 환불, 처리 표시, 이벤트 다시 보내기도 할 수 있어요."
        }
        Role::Owner => "로그인할 사람, 이벤트를 받을 주소, API 키도 정할 수 있어요.",
    },
    report: |report| match report {
        Report::RoleChanged => "역할을 바꿨어요.",
        Report::Disabled => "이 사용자는 이제 로그인할 수 없어요.",
        Report::Enabled => "이 사용자는 다시 로그인할 수 있어요.",
        Report::SignedOut => "모든 기기에서 로그아웃했어요.",
        Report::Revoked => "이제 이 키를 쓸 수 없어요.",
        Report::PasswordChanged => "비밀번호를 바꿨어요. 다른 기기에서는 모두 로그아웃됐어요.",
        Report::Email => "이메일 주소를 확인해 주세요.",
        Report::Role => "역할을 골라 주세요.",
        Report::Exists => "이미 있는 이메일 주소예요.",
        Report::UserBefore => {
            "이미 보낸 양식이에요. 사용자를 다시 추가하지 않았어요. 비밀번호를 보지 못했다면 아래에서 새 비밀번호를 만들어 주세요."
        }
        Report::KeyBefore => {
            "이미 보낸 양식이에요. 키를 다시 만들지 않았어요. 키를 보지 못했다면 아래에서 폐기하고 다시 만들어 주세요."
        }
        Report::Again => "양식을 확인할 수 없어서 아무것도 만들지 않았어요. 다시 보내 주세요.",
        Report::TooManyUsers => "사람을 더 추가할 수 없어요. 500명까지 추가할 수 있어요.",
        Report::TooMany => {
            "더 만들 수 없어요. 같은 이름의 키는 두 개까지, 전체는 200개까지예요. 먼저 하나를 폐기해 주세요."
        }
        Report::NotFound => "이미 삭제됐거나 없는 항목이에요.",
        Report::LastOwner => "로그인할 수 있는 소유자가 한 명은 있어야 해요.",
        Report::Name => "이름을 1자에서 60자까지 입력해 주세요.",
        Report::Refused => "지금 비밀번호가 맞지 않아요.",
        Report::Wait => "비밀번호를 여러 번 틀렸어요. 1분 뒤에 다시 해 주세요.",
        Report::Busy => "지금 로그인하는 사람이 많아요. 잠시 뒤에 다시 해 주세요.",
        Report::Password => "비밀번호는 10자 이상이어야 해요.",
        Report::Differ => "새 비밀번호 두 개가 서로 달라요.",
        Report::Same => "지금과 다른 비밀번호를 정해 주세요.",
        Report::ChoosePassword => "먼저 새 비밀번호를 정해 주세요.",
        Report::FactorRemoved => "2단계 인증을 껐어요.",
        Report::FactorDropped => "이 사용자는 이제 비밀번호만으로 로그인해요.",
        Report::FactorExists => "이미 2단계 인증을 쓰고 있어요. 먼저 꺼 주세요.",
        Report::Code => "코드가 맞지 않거나 이미 쓴 코드예요.",
        Report::CodeWait => "코드를 여러 번 틀렸어요. 나중에 다시 해 주세요.",
        Report::Unavailable => "지금은 할 수 없어요. 잠시 뒤에 다시 해 주세요.",
    },
    not_allowed: Words {
        title: "볼 권한이 없어요",
        body: "권한이 필요하면 쇼핑몰의 소유자에게 요청해 주세요.",
    },
    users: UsersText {
        title: "사용자",
        lead: "관리 화면에 로그인할 수 있는 사람과 역할이에요.",
        new_password: "전달할 비밀번호",
        new_password_hint: "지금 이 사람에게 전해 주세요. 다시 보여 드리지 않아요. 72시간 동안 쓸 수 있고, 처음 로그인할 때 새로 정해요.",
        role: "역할",
        you: "나",
        seen: "마지막 접속",
        added: "추가한 시각",
        disabled: "사용 중지한 시각",
        password_until: "전달한 비밀번호 만료",
        change: "변경",
        change_role: "역할 바꾸기",
        hand_password: "새 비밀번호 만들기",
        hand_password_hint: "비밀번호를 잊은 사람을 위한 거예요. 모든 기기에서 로그아웃돼요.",
        sign_out: "모든 기기에서 로그아웃",
        sign_out_hint: "모든 브라우저에서 다시 로그인해야 해요.",
        disable: "사용 중지",
        disable_hint: "바로 로그아웃되고 로그인할 수 없어요. 지금까지의 기록은 남아요.",
        enable: "다시 사용",
        add: "사용자 추가",
        email: "이메일",
        add_hint: "전달할 비밀번호를 만들어 드려요. 이메일은 보내지 않아요.",
    },
    keys: KeysText {
        title: "API 키",
        lead: "쇼핑몰 서버는 이 키로 주문을 만들고, 조회하고, 환불해요.",
        none: Words {
            title: "키가 없어요",
            body: "쇼핑몰 서버에서 쓸 키를 만들어 주세요.",
        },
        new_key: "새 키",
        new_key_hint: "지금 쇼핑몰 서버에 복사해 주세요. 다시 보여 드리지 않아요.",
        name: "이름",
        name_hint: "기록에 남는 쇼핑몰 이름이에요. 키를 바꿀 때는 같은 이름으로 하나 더 만들고, 새 키를 쓰기 시작한 뒤 이전 키를 폐기해 주세요.",
        begins: "앞부분",
        made: "만든 시각",
        used: "마지막 사용",
        never_used: "없음",
        revoke: "폐기",
        revoke_hint: "이 키로 하는 요청을 바로 거절해요. 되돌릴 수 없어요.",
        revoke_confirm: "이 키 폐기하기",
        make: "키 만들기",
    },
    account: AccountText {
        title: "내 계정",
        password: "비밀번호",
        present: "지금 비밀번호",
        new: "새 비밀번호",
        new_hint: "10자 이상이어야 해요.",
        again: "새 비밀번호 확인",
        change: "비밀번호 바꾸기",
        sessions: "로그인한 기기",
        sign_out: "모든 기기에서 로그아웃",
        sign_out_hint: "이 브라우저를 포함해 모든 곳에서 다시 로그인해야 해요.",
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::access::{HANDED_PASSWORD_LASTS, KEY_NAME_CHARS_MAX, PASSWORD_CHARS_MIN};

    #[test]
    fn codes_that_nobody_here_writes_are_ignored() {
        for code in ["", "<b>", "Role", "last owner"] {
            assert_eq!((Report::done(code), Report::error(code)), (None, None));
        }
        assert_eq!(Report::done("last_owner"), None, "an error is no success");
    }

    #[test]
    fn the_texts_name_the_limits_that_hold() {
        for text in [&EN, &KO] {
            let hours = HANDED_PASSWORD_LASTS.as_hours().to_string();
            assert!(text.users.new_password_hint.contains(&hours));
            let password = PASSWORD_CHARS_MIN.to_string();
            assert!(text.account.new_hint.contains(&password));
            assert!((text.report)(Report::Password).contains(&password));
            let name = KEY_NAME_CHARS_MAX.to_string();
            assert!((text.report)(Report::Name).contains(&name));
        }
    }
}
