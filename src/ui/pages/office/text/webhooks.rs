//! The words of the page of endpoints and deliveries.

use super::Words;
use crate::domain::delivery::{DeliveryStatus, EndpointStatus, Trouble};
use crate::i18n::Locale;

/// What a form reported back through the address: a code, never words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Report {
    Enabled,
    Disabled,
    Deleted,
    Redelivered,
    NothingRedelivered,
    Target,
    Types,
    Again,
    MadeBefore,
    RotatedBefore,
    TooMany,
    NotServed,
    NotFound,
    Unavailable,
}

impl Report {
    /// A code and whether it stands under `error`.
    pub(in super::super) fn read(code: &str) -> Option<(Self, bool)> {
        Some(match code {
            "endpoint_enabled" => (Self::Enabled, false),
            "endpoint_disabled" => (Self::Disabled, false),
            "endpoint_deleted" => (Self::Deleted, false),
            "redelivered" => (Self::Redelivered, false),
            "nothing_redelivered" => (Self::NothingRedelivered, false),
            "target" => (Self::Target, true),
            "types" => (Self::Types, true),
            "again" => (Self::Again, true),
            "made_before" => (Self::MadeBefore, true),
            "rotated_before" => (Self::RotatedBefore, true),
            "too_many" => (Self::TooMany, true),
            "not_served" => (Self::NotServed, true),
            "not_found" => (Self::NotFound, true),
            "unavailable" => (Self::Unavailable, true),
            _ => return None,
        })
    }
}

/// The messages.
pub(in super::super) struct WebhooksText {
    pub(in super::super) title: &'static str,
    pub(in super::super) lead: &'static str,
    pub(in super::super) none: Words,
    pub(in super::super) new_secret: &'static str,
    pub(in super::super) new_secret_hint: &'static str,
    pub(in super::super) status: fn(EndpointStatus) -> &'static str,
    pub(in super::super) meaning: fn(EndpointStatus) -> &'static str,
    pub(in super::super) older: &'static str,
    pub(in super::super) status_head: &'static str,
    pub(in super::super) types: &'static str,
    pub(in super::super) all_types: &'static str,
    pub(in super::super) types_hint: &'static str,
    pub(in super::super) failing_since: &'static str,
    pub(in super::super) resume_at: &'static str,
    pub(in super::super) previous_until: &'static str,
    pub(in super::super) created: &'static str,
    pub(in super::super) enable: &'static str,
    pub(in super::super) disable: &'static str,
    pub(in super::super) redeliver_all: &'static str,
    pub(in super::super) change: &'static str,
    pub(in super::super) rotate: &'static str,
    pub(in super::super) rotate_hint: &'static str,
    /// While the secret before the newest still signs.
    pub(in super::super) rotate_again: &'static str,
    pub(in super::super) rotate_again_hint: &'static str,
    pub(in super::super) delete: &'static str,
    pub(in super::super) delete_hint: &'static str,
    pub(in super::super) add: &'static str,
    pub(in super::super) address: &'static str,
    pub(in super::super) address_hint: &'static str,
    pub(in super::super) deliveries: &'static str,
    pub(in super::super) no_deliveries: &'static str,
    pub(in super::super) all_deliveries: &'static str,
    pub(in super::super) event: &'static str,
    pub(in super::super) delivery_status: fn(DeliveryStatus) -> &'static str,
    pub(in super::super) attempts: &'static str,
    pub(in super::super) next_attempt: &'static str,
    pub(in super::super) redeliver: &'static str,
    pub(in super::super) details: &'static str,
    pub(in super::super) duration: &'static str,
    pub(in super::super) answer: &'static str,
    pub(in super::super) trouble: fn(Trouble) -> &'static str,
    pub(in super::super) report: fn(Report) -> &'static str,
    /// Why an endpoint needs attention, and what to do.
    pub(in super::super) ailing: fn(EndpointStatus) -> &'static str,
    pub(in super::super) to_do: fn(EndpointStatus) -> &'static str,
    /// Events that are sent once the endpoint takes them.
    pub(in super::super) waiting: &'static str,
    pub(in super::super) undelivered: &'static str,
    /// So many events.
    pub(in super::super) events: fn(u32) -> String,
    /// As many as are counted.
    pub(in super::super) events_or_more: fn(u32) -> String,
    pub(in super::super) undelivered_since: &'static str,
    pub(in super::super) dismiss_hint: &'static str,
    pub(in super::super) open: &'static str,
}

/// The texts of a language.
pub(in super::super) const fn of(locale: Locale) -> &'static WebhooksText {
    match locale {
        Locale::Ko => &KO,
        Locale::En | Locale::Ja | Locale::Zh => &EN,
    }
}

static EN: WebhooksText = WebhooksText {
    title: "Webhooks",
    lead: "What happens to orders is posted to these addresses of your shop, signed by Standard Webhooks.",
    none: Words {
        title: "No endpoint yet",
        body: "Add the address of your shop's server that is to be told what happens to orders.",
    },
    new_secret: "The endpoint's new secret",
    new_secret_hint: "Copy it into your shop's server now. It is not shown again.",
    status: |status| match status {
        EndpointStatus::Enabled => "Enabled",
        EndpointStatus::Paused => "Paused",
        EndpointStatus::Disabled => "Disabled",
        EndpointStatus::Gone => "Gone",
    },
    meaning: |status| match status {
        EndpointStatus::Enabled => "Events are sent as they happen.",
        EndpointStatus::Paused => {
            "It failed for five days. One event an hour tries whether it is back; the others wait."
        }
        EndpointStatus::Disabled => "Nothing is sent. What happens meanwhile is not for it.",
        EndpointStatus::Gone => {
            "It answered 410, so nothing is sent. What happens meanwhile is not for it."
        }
    },
    older: "Older deliveries",
    status_head: "Status",
    types: "Events",
    all_types: "All",
    types_hint: "Choose none to get all of them.",
    failing_since: "Failing since",
    resume_at: "Left alone until",
    previous_until: "Old secret valid until",
    created: "Added",
    enable: "Enable",
    disable: "Disable",
    redeliver_all: "Send again what was given up",
    change: "Secret and deletion",
    rotate: "Make a new secret",
    rotate_hint: "The old secret signs beside the new one for 24 hours.",
    rotate_again: "Make the new secret once more",
    rotate_again_hint: "Only if nobody has copied the new secret: it is thrown away at once. The old secret signs on, for 24 hours from now.",
    delete: "Delete the endpoint",
    delete_hint: "What was not delivered is given up. The record of deliveries stays.",
    add: "Add an endpoint",
    address: "Address",
    address_hint: "A public https address.",
    deliveries: "Deliveries",
    no_deliveries: "Nothing was sent yet.",
    all_deliveries: "Those of all orders",
    event: "Event",
    delivery_status: |status| match status {
        DeliveryStatus::Pending => "Pending",
        DeliveryStatus::Delivered => "Delivered",
        DeliveryStatus::GivenUp => "Given up",
    },
    attempts: "Attempts",
    next_attempt: "Next attempt",
    redeliver: "Send again",
    details: "Details",
    duration: "Duration",
    answer: "Answer",
    trouble: |trouble| match trouble {
        Trouble::Status => "Refused",
        Trouble::Redirect => "Redirect, not followed",
        Trouble::Gone => "Gone",
        Trouble::TargetRefused => "Address may not be sent to",
        Trouble::ConnectFailed => "No connection",
        Trouble::Timeout => "No answer in time",
        Trouble::Interrupted => "Connection broke",
    },
    report: |report| match report {
        Report::Enabled => "The endpoint is enabled.",
        Report::Disabled => "The endpoint is disabled.",
        Report::Deleted => "The endpoint is deleted.",
        Report::Redelivered => "It is sent again, after whatever still waits of the same order.",
        Report::NothingRedelivered => "There was nothing to send again.",
        Report::Target => {
            "Nothing may be sent to this address. It must be a public https address without a user name or a password."
        }
        Report::Types => {
            "This page does not know one of the chosen events, so nothing was added. Please choose again."
        }
        Report::Again => {
            "The form could not be recognised, so nothing was added. Please send it again."
        }
        Report::MadeBefore => {
            "This form was sent before, and no second endpoint was added. If you did not see its secret, make a new one at the endpoint below."
        }
        Report::RotatedBefore => {
            "The secret was replaced already, and nothing was changed a second time. The new secret was shown once. If nobody has it, make it once more below; the old one signs on."
        }
        Report::TooMany => "There are as many endpoints as there may be. Delete one first.",
        Report::NotServed => "Nothing is sent to the endpoint. Enable it first.",
        Report::NotFound => "It is not there any more.",
        Report::Unavailable => "That could not be done now. Try again in a moment.",
    },
    ailing: |status| match status {
        EndpointStatus::Enabled | EndpointStatus::Disabled => "Events were not delivered",
        EndpointStatus::Paused => "Endpoint paused",
        EndpointStatus::Gone => "Endpoint gone",
    },
    to_do: |status| match status {
        EndpointStatus::Enabled | EndpointStatus::Disabled => {
            "Your server did not take them, and they are not tried any more. Send them again, or look the orders up in your shop and mark this as settled."
        }
        EndpointStatus::Paused => {
            "Find out why your server does not take events. Once it does, everything that waits is sent by itself."
        }
        EndpointStatus::Gone => {
            "Enable it if it is there again: what waits is sent then. Otherwise delete it."
        }
    },
    waiting: "Waiting",
    undelivered: "Given up",
    events: |count| match count {
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    },
    events_or_more: |count| format!("{count} events or more"),
    undelivered_since: "First given up",
    dismiss_hint: "Nothing is sent. The record of deliveries stays, and the audit log says who pressed this.",
    open: "Open the endpoints",
};

static KO: WebhooksText = WebhooksText {
    title: "웹훅",
    lead: "주문에 생긴 일을 쇼핑몰 서버의 아래 주소로 보내요. 서명은 Standard Webhooks 규격을 따라요.",
    none: Words {
        title: "등록된 주소가 없어요",
        body: "주문에 생긴 일을 받을 쇼핑몰 서버의 주소를 추가해 주세요.",
    },
    new_secret: "새 시크릿",
    new_secret_hint: "지금 쇼핑몰 서버에 복사해 주세요. 다시 보여 드리지 않아요.",
    status: |status| match status {
        EndpointStatus::Enabled => "사용 중",
        EndpointStatus::Paused => "일시 중지",
        EndpointStatus::Disabled => "사용 안 함",
        EndpointStatus::Gone => "없어짐",
    },
    meaning: |status| match status {
        EndpointStatus::Enabled => "일이 생기는 대로 보내요.",
        EndpointStatus::Paused => {
            "5일 동안 한 번도 받지 못했어요. 한 시간에 한 건씩 보내 보고, 나머지는 기다려요."
        }
        EndpointStatus::Disabled => "보내지 않아요. 그동안 생긴 일은 이 주소로 가지 않아요.",
        EndpointStatus::Gone => {
            "410으로 응답해서 보내지 않아요. 그동안 생긴 일은 이 주소로 가지 않아요."
        }
    },
    older: "이전 전송 더 보기",
    status_head: "상태",
    types: "이벤트",
    all_types: "전체",
    types_hint: "하나도 고르지 않으면 모두 보내요.",
    failing_since: "실패 시작",
    resume_at: "다시 보낼 시각",
    previous_until: "이전 시크릿 만료",
    created: "추가한 시각",
    enable: "사용",
    disable: "사용 안 함",
    redeliver_all: "포기한 이벤트 다시 보내기",
    change: "시크릿 교체와 삭제",
    rotate: "새 시크릿 만들기",
    rotate_hint: "24시간 동안 이전 시크릿으로도 함께 서명해요.",
    rotate_again: "새 시크릿 다시 만들기",
    rotate_again_hint: "새 시크릿을 아무도 복사하지 못했을 때만 쓰세요. 그 시크릿은 바로 버려요. 이전 시크릿은 지금부터 24시간 동안 계속 서명해요.",
    delete: "주소 삭제",
    delete_hint: "아직 전달되지 않은 이벤트는 더 보내지 않아요. 전송 기록은 남아요.",
    add: "주소 추가",
    address: "주소",
    address_hint: "공개된 https 주소여야 해요.",
    deliveries: "전송 기록",
    no_deliveries: "아직 보낸 것이 없어요.",
    all_deliveries: "모든 주문의 기록 보기",
    event: "이벤트",
    delivery_status: |status| match status {
        DeliveryStatus::Pending => "대기",
        DeliveryStatus::Delivered => "전달됨",
        DeliveryStatus::GivenUp => "포기함",
    },
    attempts: "시도",
    next_attempt: "다음 시도",
    redeliver: "다시 보내기",
    details: "자세히",
    duration: "걸린 시간",
    answer: "응답",
    trouble: |trouble| match trouble {
        Trouble::Status => "거절됨",
        Trouble::Redirect => "리다이렉트(따라가지 않음)",
        Trouble::Gone => "없어짐",
        Trouble::TargetRefused => "보낼 수 없는 주소",
        Trouble::ConnectFailed => "연결 실패",
        Trouble::Timeout => "시간 초과",
        Trouble::Interrupted => "연결 끊김",
    },
    report: |report| match report {
        Report::Enabled => "이 주소로 다시 보내요.",
        Report::Disabled => "이 주소로 보내지 않아요.",
        Report::Deleted => "주소를 삭제했어요.",
        Report::Redelivered => {
            "다시 보내요. 같은 주문의 앞선 이벤트가 남아 있으면 그다음에 보내요."
        }
        Report::NothingRedelivered => "다시 보낼 이벤트가 없어요.",
        Report::Target => {
            "이 주소로는 보낼 수 없어요. 사용자 이름과 비밀번호가 없는 공개된 https 주소여야 해요."
        }
        Report::Types => "알 수 없는 이벤트가 있어서 추가하지 않았어요. 다시 골라 주세요.",
        Report::Again => "양식을 확인할 수 없어서 추가하지 않았어요. 다시 보내 주세요.",
        Report::MadeBefore => {
            "이미 보낸 양식이에요. 주소를 다시 추가하지 않았어요. 시크릿을 보지 못했다면 아래 주소에서 새로 만들어 주세요."
        }
        Report::RotatedBefore => {
            "시크릿은 이미 바뀌었고, 다시 바꾸지 않았어요. 새 시크릿은 한 번만 보여 드려요. 아무도 갖고 있지 않다면 아래에서 다시 만들어 주세요. 이전 시크릿은 계속 서명해요."
        }
        Report::TooMany => "주소를 더 추가할 수 없어요. 먼저 하나를 삭제해 주세요.",
        Report::NotServed => "보내지 않는 주소예요. 먼저 사용으로 바꿔 주세요.",
        Report::NotFound => "이미 삭제됐거나 없는 항목이에요.",
        Report::Unavailable => "지금은 할 수 없어요. 잠시 뒤에 다시 해 주세요.",
    },
    ailing: |status| match status {
        EndpointStatus::Enabled | EndpointStatus::Disabled => "전달하지 못한 이벤트가 있어요",
        EndpointStatus::Paused => "웹훅 주소가 일시 중지됐어요",
        EndpointStatus::Gone => "웹훅 주소가 없어졌어요",
    },
    to_do: |status| match status {
        EndpointStatus::Enabled | EndpointStatus::Disabled => {
            "쇼핑몰 서버가 받지 않아서 더는 보내지 않는 이벤트예요. 다시 보내거나, 쇼핑몰에서 주문을 확인한 뒤 처리한 것으로 표시해 주세요."
        }
        EndpointStatus::Paused => {
            "쇼핑몰 서버가 이벤트를 받지 못하는 까닭을 확인해 주세요. 다시 받기 시작하면 기다리던 이벤트를 모두 보내요."
        }
        EndpointStatus::Gone => {
            "다시 쓰는 주소라면 사용으로 바꿔 주세요. 기다리던 이벤트를 보내요. 아니라면 삭제해 주세요."
        }
    },
    waiting: "기다리는 이벤트",
    undelivered: "포기한 이벤트",
    events: |count| format!("{count}건"),
    events_or_more: |count| format!("{count}건 이상"),
    undelivered_since: "처음 포기한 시각",
    dismiss_hint: "이벤트를 보내지는 않아요. 전송 기록은 남고, 누가 눌렀는지는 작업 기록에 남아요.",
    open: "웹훅 주소 보기",
};
