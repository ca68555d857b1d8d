//! The words of the page of who did what.

use super::Words;
use crate::domain::audit::Act;
use crate::i18n::Locale;

/// The messages.
pub(in super::super) struct AuditText {
    pub(in super::super) title: &'static str,
    pub(in super::super) lead: &'static str,
    /// The entries from this one to that one are as they were written.
    pub(in super::super) whole: fn(i64, i64) -> String,
    /// The first entry that is not.
    pub(in super::super) broken: fn(i64) -> String,
    pub(in super::super) show_broken: &'static str,
    pub(in super::super) in_part: &'static str,
    /// The digest of the last entry follows.
    pub(in super::super) anchor: &'static str,
    pub(in super::super) none: Words,
    pub(in super::super) number: &'static str,
    pub(in super::super) time: &'static str,
    pub(in super::super) who: &'static str,
    pub(in super::super) what: &'static str,
    pub(in super::super) target: &'static str,
    pub(in super::super) detail: &'static str,
    pub(in super::super) digest: &'static str,
    pub(in super::super) pages: &'static str,
    pub(in super::super) newest: &'static str,
    pub(in super::super) older: &'static str,
    pub(in super::super) act: fn(Act) -> &'static str,
    /// So many within the time that they are counted together.
    pub(in super::super) mistakes: fn(u64) -> String,
    /// So many events.
    pub(in super::super) events: fn(u64) -> String,
    /// The number of a delivery.
    pub(in super::super) delivery: fn(u64) -> String,
}

/// The texts of a language.
pub(in super::super) const fn of(locale: Locale) -> &'static AuditText {
    match locale {
        Locale::Ko => &KO,
        Locale::En | Locale::Ja | Locale::Zh => &EN,
    }
}

static EN: AuditText = AuditText {
    title: "Audit log",
    lead: "Who signed in, who changed what, and who gave money back. Of wrong passwords and codes within 24 hours the 1st, 2nd, 4th, 8th and so on are written down.",
    whole: |from, last| format!("Entries {from} to {last} are as they were written."),
    broken: |id| {
        format!(
            "The log is broken from entry {id} on. Somebody who can write to the database changed an entry, took one out or put one in."
        )
    },
    show_broken: "Show it",
    in_part: "The entries before were not looked at now. The command wanryo doctor looks at all of them.",
    anchor: "Keep the digest of the last entry somewhere else: whoever can rewrite the whole database cannot make it fit again.",
    none: Words {
        title: "Nothing yet",
        body: "What people do here is written down.",
    },
    number: "No.",
    time: "Time",
    who: "Who",
    what: "What",
    target: "To what",
    detail: "Details",
    digest: "Digest",
    pages: "Pages of the audit log",
    newest: "Newest",
    older: "Older",
    act: |act| match act {
        Act::SignedIn => "Signed in",
        Act::WrongPassword => "Wrong password at the sign-in",
        Act::WrongCode => "Wrong code",
        Act::WrongPresentPassword => "Wrong present password",
        Act::RecoveryCodeUsed => "Used a recovery code",
        Act::UserAdded => "Added a person",
        Act::RoleChanged => "Changed a role",
        Act::UserDisabled => "Disabled a person",
        Act::UserEnabled => "Let a person in again",
        Act::PasswordChanged => "Changed a password",
        Act::PasswordHanded => "Made a password to hand over",
        Act::SignedOut => "Signed a person out everywhere",
        Act::FactorOn => "Turned the second factor on",
        Act::FactorOff => "Removed a second factor",
        Act::NewRecoveryCodes => "Made new recovery codes",
        Act::KeyMade => "Made an API key",
        Act::KeyRevoked => "Revoked an API key",
        Act::OrderClosed => "Closed an order",
        Act::RefundAsked => "Asked for a refund",
        Act::Settled => "Marked as taken care of",
        Act::EndpointAdded => "Added an address for events",
        Act::EndpointChanged => "Changed an address for events",
        Act::EndpointEnabled => "Enabled an address for events",
        Act::EndpointDisabled => "Disabled an address for events",
        Act::EndpointRotated => "Made a new secret for an address",
        Act::EndpointDeleted => "Deleted an address for events",
        Act::Redelivered => "Sent an event again",
        Act::RedeliveredMany => "Sent many events again",
        Act::Dismissed => "Marked events that were given up as taken care of",
    },
    mistakes: |count| format!("No. {count} within 24 hours"),
    events: |count| match count {
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    },
    delivery: |id| format!("Delivery {id}"),
};

static KO: AuditText = AuditText {
    title: "작업 기록",
    lead: "누가 로그인했고, 무엇을 바꿨고, 누가 환불했는지 보여 드려요. 24시간 안에 틀린 비밀번호와 코드는 1, 2, 4, 8번째처럼 일부만 남겨요.",
    whole: |from, last| format!("{from}번부터 {last}번까지 처음 적힌 그대로예요."),
    broken: |id| {
        format!(
            "{id}번 기록부터 이어지지 않아요. 데이터베이스에 쓸 수 있는 누군가가 기록을 바꾸거나, 빼거나, 끼워 넣었어요."
        )
    },
    show_broken: "그 기록 보기",
    in_part: "그 전의 기록은 지금 확인하지 않았어요. wanryo doctor 명령은 모두 확인해요.",
    anchor: "마지막 기록의 다이제스트를 다른 곳에 적어 두세요. 데이터베이스를 통째로 고쳐 쓸 수 있는 사람도 이 값은 다시 맞출 수 없어요.",
    none: Words {
        title: "기록이 없어요",
        body: "관리 화면에서 한 일이 여기에 남아요.",
    },
    number: "번호",
    time: "시각",
    who: "누가",
    what: "한 일",
    target: "대상",
    detail: "내용",
    digest: "다이제스트",
    pages: "작업 기록 페이지",
    newest: "최근 기록",
    older: "이전 기록",
    act: |act| match act {
        Act::SignedIn => "로그인",
        Act::WrongPassword => "로그인 비밀번호 틀림",
        Act::WrongCode => "인증 코드 틀림",
        Act::WrongPresentPassword => "현재 비밀번호 틀림",
        Act::RecoveryCodeUsed => "복구 코드 사용",
        Act::UserAdded => "사용자 추가",
        Act::RoleChanged => "역할 변경",
        Act::UserDisabled => "사용자 사용 중지",
        Act::UserEnabled => "사용자 다시 사용",
        Act::PasswordChanged => "비밀번호 변경",
        Act::PasswordHanded => "전달할 비밀번호 만듦",
        Act::SignedOut => "모든 기기에서 로그아웃",
        Act::FactorOn => "2단계 인증 켬",
        Act::FactorOff => "2단계 인증 끔",
        Act::NewRecoveryCodes => "복구 코드 새로 만듦",
        Act::KeyMade => "API 키 만듦",
        Act::KeyRevoked => "API 키 폐기",
        Act::OrderClosed => "주문 닫음",
        Act::RefundAsked => "환불 요청",
        Act::Settled => "처리한 것으로 표시",
        Act::EndpointAdded => "웹훅 주소 추가",
        Act::EndpointChanged => "웹훅 주소 변경",
        Act::EndpointEnabled => "웹훅 주소 사용",
        Act::EndpointDisabled => "웹훅 주소 사용 중지",
        Act::EndpointRotated => "웹훅 시크릿 새로 만듦",
        Act::EndpointDeleted => "웹훅 주소 삭제",
        Act::Redelivered => "이벤트 다시 보냄",
        Act::RedeliveredMany => "이벤트 여러 개 다시 보냄",
        Act::Dismissed => "포기한 이벤트를 처리한 것으로 표시",
    },
    mistakes: |count| format!("24시간 안에 {count}번째"),
    events: |count| format!("이벤트 {count}개"),
    delivery: |id| format!("전송 {id}번"),
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::MISTAKES_TOGETHER;

    #[test]
    fn every_act_has_words_of_its_own() {
        for text in [&EN, &KO] {
            let mut words: Vec<&str> = Act::ALL.iter().map(|act| (text.act)(*act)).collect();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), Act::ALL.len(), "{words:?}");
        }
    }

    #[test]
    fn the_texts_name_the_time_that_mistakes_are_counted_together() {
        let hours = MISTAKES_TOGETHER.as_hours().to_string();
        for text in [&EN, &KO] {
            assert!(text.lead.contains(&hours) && (text.mistakes)(1).contains(&hours));
        }
    }
}
