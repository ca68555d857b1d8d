//! Korean.

use super::{
    Attention, Frame, History, List, Login, LoginError, Notice, OrderText, RefundText, Text, Who,
    Words,
};
use crate::domain::attention::{Arrival, AttentionKind};
use crate::domain::confirmation::Stop;
use crate::domain::delivery::DeliveryStatus;
use crate::domain::event::EventType;
use crate::domain::history::{EntryKind, Refusal};
use crate::domain::order::OrderStatus;
use crate::domain::outcome::{FailureReason, Outcome};
use crate::domain::refund::{RefundState, TaxFreeFault};
use crate::domain::transaction::{TransactionStatus, Verdict};
use crate::domain::verification::CheckName;
use crate::ui::pages::office::refund::RefundFault;

pub(super) const TEXT: Text = Text {
    frame: Frame {
        office: "결제 관리",
        pages: "관리 화면",
        other_language: "English",
        sign_out: "로그아웃",
        test_mode: "테스트 모드예요. 이 서버의 결제에서는 실제로 돈이 오가지 않아요.",
        signed_out: Words {
            title: "로그인이 필요해요",
            body: "로그인한 사람만 볼 수 있는 화면이에요.",
        },
        sign_in: "로그인하기",
        unavailable: Words {
            title: "지금은 보여 드릴 수 없어요",
            body: "데이터베이스에서 답이 없어요. 결제 기록은 안전해요. 잠시 뒤에 다시 열어 주세요.",
        },
        times: "시각은 모두 한국 시간(UTC+9)이에요.",
    },
    login: Login {
        title: "로그인",
        lead: "주문과 결제 기록을 보려면 로그인해 주세요.",
        email: "이메일",
        password: "비밀번호",
        submit: "로그인",
        error: |error| {
            match error {
            LoginError::Refused => "이메일이나 비밀번호가 맞지 않아요.".to_owned(),
            LoginError::Busy => {
                "지금 로그인하는 사람이 많아요. 잠시 뒤에 다시 해 주세요.".to_owned()
            }
            LoginError::Wait { seconds } => {
                format!("로그인에 여러 번 실패했어요. {seconds}초 뒤에 다시 해 주세요.")
            }
            LoginError::Ended => {
                "로그인이 끝나서 방금 보낸 내용은 저장하지 않았어요. 다시 로그인한 뒤 한 번 더 보내 주세요."
                    .to_owned()
            }
            LoginError::Unavailable => {
                "지금은 로그인할 수 없어요. 잠시 뒤에 다시 해 주세요.".to_owned()
            }
        }
        },
    },
    list: List {
        title: "주문",
        filters: "주문 찾기",
        status: "상태",
        any_status: "모든 상태",
        query: "번호로 찾기",
        query_hint: "주문번호의 앞부분, 거래번호나 승인번호 전체, 구매자 전화번호의 끝 네 자리로 찾아요.",
        from: "시작일",
        to: "종료일",
        search: "찾기",
        reset: "조건 지우기",
        held: |count, more| {
            if more {
                format!("보류된 주문이 {count}건 넘게 있어요.")
            } else {
                format!("보류된 주문이 {count}건 있어요.")
            }
        },
        show_held: "보류된 주문 보기",
        table: "주문 목록, 최근 것부터",
        payment_id: "주문번호",
        name: "상품",
        amount: "금액",
        created: "주문 시각",
        checked: "마지막 확인",
        never_checked: "아직 없음",
        attention: "확인 필요",
        pages: "목록 넘기기",
        next: "이전 주문 더 보기",
        first: "처음으로",
        none: Words {
            title: "아직 주문이 없어요",
            body: "쇼핑몰 서버가 주문 API로 주문을 만들면 여기에 나타나요.",
        },
        none_match: Words {
            title: "조건에 맞는 주문이 없어요",
            body: "조건을 줄이거나 주문번호를 다시 확인해 주세요.",
        },
    },
    attention: Attention {
        title: "확인 필요",
        lead: "주문과 맞지 않는 돈과 전달되지 않는 이벤트예요. 하나씩 보고 어떻게 할지 정해 주세요.",
        swept: |seen| format!("PortOne의 결제 목록과 마지막으로 대조한 시각({seen}건):"),
        swept_in_part: "PortOne이 답하지 않은 일부는 다음 날 다시 대조해요.",
        never_swept: "아직 PortOne의 결제 목록과 대조하지 않았어요. 첫 주문이 생긴 뒤부터 하루에 한 번 대조해요.",
        kind: |kind| match kind {
            AttentionKind::Orphan => "주문 없는 결제",
            AttentionKind::Drift => "PortOne 목록과 다름",
            AttentionKind::Unclear => "읽을 수 없는 결제",
            AttentionKind::Duplicate => "중복 결제",
            AttentionKind::Late => "늦은 결제",
            AttentionKind::Held => "보류",
            AttentionKind::RefundInDoubt => "끝나지 않은 환불",
        },
        meaning: |kind| match kind {
            AttentionKind::Orphan => "PortOne에는 결제가 있는데, 이 번호의 주문이 여기에 없어요.",
            AttentionKind::Drift => {
                "PortOne의 목록이 주문을 물었을 때의 답보다 더 나아가 있어요. 그래서 아무것도 바꾸지 않았어요."
            }
            AttentionKind::Unclear => {
                "이 결제에 대한 PortOne의 답을 10분 넘게 읽지 못하고 있어요. 돈이 들어왔는지 알 수 없어서 주문은 그대로 두었어요."
            }
            AttentionKind::Duplicate => "이미 결제된 주문에 한 번 더 결제됐어요.",
            AttentionKind::Late => "주문이 닫히거나 기한이 지난 뒤에 결제됐어요.",
            AttentionKind::Held => "결제됐지만 주문과 다른 항목이 있어 인정하지 않았어요.",
            AttentionKind::RefundInDoubt => {
                "환불을 요청했는데, 돈이 돌아갔는지 PortOne에서 아직 확인되지 않아요."
            }
        },
        to_do: |kind| match kind {
            AttentionKind::Orphan => {
                "쇼핑몰에 이 주문이 있는지 찾아봐 주세요. 아무도 모르는 결제면 PortOne 콘솔에서 환불하고(여기에서는 주문이 있는 결제만 환불할 수 있어요), 다른 시스템에서 받은 결제면 처리한 것으로 표시해 주세요."
            }
            AttentionKind::Drift => {
                "주문을 열어 PortOne에 다시 물어봐 주세요. 그대로면 PortOne 고객센터에 문의해 주세요."
            }
            AttentionKind::Unclear => {
                "PortOne 콘솔에서 이 결제의 상태를 확인해 주세요. 계속 다시 물어보고 있고, 읽을 수 있게 되면 여기에서 사라져요. 오래 남아 있으면 이 프로그램을 새 버전으로 바꾸거나 PortOne 고객센터에 문의해 주세요."
            }
            AttentionKind::Duplicate => {
                "주문을 열어 이 거래를 환불해 주세요. 환불되면 여기에서 사라져요."
            }
            AttentionKind::Late => {
                "상품을 보낼지 환불할지 정해 주세요. 환불은 주문에서 이 거래를 골라 할 수 있어요. 환불하면 여기에서 사라지고, 아니면 처리한 것으로 표시해 주세요."
            }
            AttentionKind::Held => {
                "상품을 보내지 말고 주문을 열어 근거를 확인한 뒤, 필요하면 거기에서 이 거래를 환불해 주세요."
            }
            AttentionKind::RefundInDoubt => {
                "아직 다시 환불하지 마세요. PortOne에 계속 물어보고 있고, 결과를 알게 되면 여기에서 사라져요. 계속 남아 있으면 PortOne 콘솔에서 이 결제의 취소 내역을 확인해 주세요. 이 환불이 거기에 없으면 처리한 것으로 표시해 주세요. 그사이 PortOne에서 확인되지 않으면 늦어도 요청 일주일 뒤에 끝나고, 다시 환불을 요청할 수 있어요. 콘솔에는 취소돼 있는데 구매자 계좌로 돈이 들어가지 않았다면, 콘솔에서 다시 보내거나 직접 보낸 다음 처리한 것으로 표시해 주세요."
            }
        },
        open_order: "주문 열기",
        settle: "처리한 것으로 표시",
        note: "처리한 내용",
        not_kept: "적어 주신 내용은 남기지 않았어요. 필요하면 복사해 두세요.",
        note_hint: "이름, 시각과 함께 기록으로 남아요. 돈은 움직이지 않아요.",
        settle_confirm: "표시하기",
        settled: "처리한 결제",
        why: "까닭",
        who: "누가",
        pages: "결제 넘기기",
        next: "이전 결제 더 보기",
        none: Words {
            title: "확인할 것이 없어요",
            body: "주문 없는 결제, 중복되거나 늦거나 보류되거나 읽을 수 없는 결제, 끝을 모르는 환불, 이벤트를 받지 못하는 웹훅 주소가 생기면 여기에 나타나요.",
        },
        webhooks: "받은 웹훅",
        webhooks_hint: "최근에 온 것이에요. 웹훅의 말은 믿지 않고 PortOne에 직접 물어봐요. PortOne 콘솔의 호출 테스트는 주문에 없는 번호로 와요.",
        no_webhooks: "아직 온 웹훅이 없어요. PortOne 콘솔에 이 서버의 웹훅 주소를 넣고 호출 테스트를 해 보세요.",
        arrival_head: "어떻게 됐나요",
        arrival: |arrival| match arrival {
            Arrival::Matched => "주문에 속해요",
            Arrival::Waiting => "아직 이 번호의 주문이 없어 기다려요",
            Arrival::NoOrder => "이 번호의 주문이 없어요",
            Arrival::OtherGeneration => "다른 버전의 PortOne으로 결제하는 주문이라 따르지 않았어요",
            Arrival::TestCall => "PortOne 콘솔의 호출 테스트",
        },
    },
    order: OrderText {
        title: |id| format!("주문 {id}"),
        back: "주문 목록",
        not_found: Words {
            title: "주문을 찾을 수 없어요",
            body: "이 주문번호로 만들어진 주문이 없어요. 번호를 다시 확인해 주세요.",
        },
        refunded: |part, whole| format!("{whole} 가운데 {part} 환불"),
        buyer_sees: "구매자에게 보이는 화면",
        seen_expired: "결제된 금액이 없고, 결제할 수 있는 시간이 지났다고 보여요.",
        seen_closed: "결제된 금액이 없고, 쇼핑몰이 주문을 마감했다고 보여요.",
        status_page: "결제 결과 페이지 열기",
        pay_page: "결제 페이지 열기",
        personal_link: "결제 결과 링크를 가진 사람은 누구나 결과를 볼 수 있어요. 구매자에게만 보내 주세요.",
        notes: "메모",
        note: "새 메모",
        note_hint: "쇼핑몰 사람들만 봐요. 이름, 시각과 함께 남고 고칠 수 없어요. 500자까지 쓸 수 있어요.",
        leave_note: "메모 남기기",
        erased_note: "보관 기간이 지나 내용을 지웠어요.",
        transactions: "결제 시도",
        no_transactions: "아직 결제 시도가 없어요. 결제창이 열리면 여기에 나타나요.",
        accepted_one: "이 주문의 결제",
        portone_status: "PortOne 상태",
        transaction_id: "거래번호",
        paid_amount: "금액",
        cancelled_amount: "환불 금액",
        method: "결제 수단",
        method_name: "카드·은행",
        gateway: "PG사",
        approval_number: "승인번호",
        channel: "채널",
        live: "실연동",
        test: "테스트",
        not_told: "PortOne이 알려 주지 않음",
        fail_reason: "PG사가 전한 실패 사유",
        account: "입금 계좌",
        account_deadline: "입금 기한",
        paid_at: "결제 시각",
        first_seen: "처음 확인",
        checked: "마지막 확인",
        receipt: "영수증 열기",
        why: "이렇게 판단한 근거",
        check: "확인 항목",
        expected: "주문",
        actual: "PortOne",
        result: "결과",
        passed: "일치",
        failed: "불일치",
        no_checks: "아직 확인한 항목이 없어요.",
        events: "쇼핑몰에 알릴 이벤트",
        events_note: "상태가 바뀔 때 같은 기록 안에서 함께 만들어져요.",
        no_events: "아직 알릴 일이 없었어요.",
        deliveries: "이 주문의 전송 기록 보기",
        event: "이벤트",
        status_after: "그때 상태",
        time: "시각",
        event_id: "이벤트 번호",
        facts: "주문 정보",
        payment_id: "주문번호",
        name: "상품",
        amount: "금액",
        portone: "PortOne 버전",
        asked_method: "요청한 결제 수단",
        channel_key: "채널 키",
        no_channel_key: "이 주문에는 채널 키가 없어 구매자가 결제창을 열 수 없어요. PortOne 콘솔의 연동 정보에 있는 채널 키를 channel_key에 넣어 주문을 새로 만들어 주세요.",
        created: "만든 시각",
        updated: "바뀐 시각",
        expires: "결제 기한",
        expired: "기한이 지난 시각",
        closed: "닫은 시각",
        next_check: "다음 확인 예정",
        no_next_check: "예정 없음",
        prepared: "금액 사전 등록",
        not_prepared: "아직 등록되지 않음",
        return_url: "결제 뒤 돌아갈 주소",
        locale: "언어",
        window_params: "결제창에 더 전할 값",
        metadata: "쇼핑몰이 붙인 정보",
        none: "없음",
        buyer: "구매자",
        buyer_note: "개인정보예요. 이 화면에서만 볼 수 있어요.",
        buyer_name: "이름",
        buyer_email: "이메일",
        buyer_tel: "전화번호",
        actions: "할 수 있는 일",
        sync: "PortOne에 지금 물어보기",
        sync_note: "결제 상태를 PortOne에서 새로 받아 와 다시 확인해요. 돈은 움직이지 않아요.",
        close: "이 주문 닫기",
        close_note: "닫으면 더는 결제를 받지 않고, 다시 열 수 없어요. 이미 열린 결제창에서 결제되면 '늦은 결제'로 표시돼요. 닫기 전에 PortOne에 한 번 더 물어봐요.",
        close_confirm: "주문 닫기",
    },
    refund: RefundText {
        heading: "환불",
        start: "환불하기",
        title: |id| format!("주문 {id} 환불"),
        back: "주문으로 돌아가기",
        nothing: Words {
            title: "환불할 수 있는 결제가 아니에요",
            body: "이미 모두 환불되었거나 돈이 들어오지 않은 결제예요. 주문에서 다시 확인해 주세요.",
        },
        left: "환불할 수 있는 금액",
        amount: |currency| format!("환불할 금액 ({currency})"),
        amount_hint: |left| format!("{left}까지 환불할 수 있어요. 아직 돈은 움직이지 않아요."),
        next: "다음",
        whole: |left| format!("전액 환불 ({left})"),
        confirm_title: |amount| format!("{amount} 환불"),
        confirm_note: "버튼을 누르면 PortOne에 바로 환불을 요청해요. 되돌릴 수 없어요.",
        going_back: "환불하는 금액",
        left_after: "환불 뒤 남는 금액",
        reason: "환불 사유",
        reason_hint: "PortOne에 전달돼요. 구매자에게 보여 주는 PG사도 있어요.",
        account: "환불받을 계좌",
        account_optional: "환불받을 계좌 (선택)",
        account_hint: "가상계좌로 입금된 돈은 온 길로 되돌릴 수 없어서 계좌가 필요해요. 환불이 끝나면 지워요.",
        account_offer: "계좌이체나 휴대폰 결제의 환불에 계좌를 요구하는 PG사가 있어요. 그럴 때만 적어 주세요. 환불이 끝나면 지워요.",
        tax_free: |currency| format!("이 중 면세 금액 ({currency}, 선택)"),
        tax_free_hint: "면세 상품이 있는 결제에만 적어 주세요. 비워 두면 V2의 전액 환불은 PortOne이 아는 면세 금액대로, 나머지는 모두 과세로 환불돼요.",
        bank: "은행",
        bank_code_hint: "PG사의 은행 코드를 적어 주세요. 목록이 나오면 은행 이름으로 골라도 돼요. 예: KG이니시스의 국민은행은 04예요.",
        choose_bank: "은행을 골라 주세요",
        number: "계좌번호",
        holder: "예금주",
        tel: "예금주 전화번호 (PG사가 요구할 때)",
        submit: |amount| format!("{amount} 환불하기"),
        change: "금액 바꾸기",
        fault: |fault, left| {
            match fault {
            RefundFault::NoAmount => "0보다 큰 금액을 숫자로 적어 주세요.".to_owned(),
            RefundFault::TooFine(0) => "이 통화는 소수점 없이 적어 주세요.".to_owned(),
            RefundFault::TooFine(most) => format!("소수점 아래는 {most}자리까지 적어 주세요."),
            RefundFault::TooMuch(_) => "환불할 수 있는 금액보다 많아요.".to_owned(),
            RefundFault::Changed(_) => format!(
                "환불할 수 있는 금액이 바뀌었어요(지금 {left}). 아직 환불하지 않았어요. 금액을 다시 확인한 뒤 진행해 주세요."
            ),
            RefundFault::NoReason => "환불 사유를 1자에서 200자까지 적어 주세요.".to_owned(),
            RefundFault::TaxFree(TaxFreeFault::Needed) => {
                "면세 상품이 있는 결제예요. 환불하는 금액 중 면세 금액을 적어 주세요. 환불하지 않았어요."
                    .to_owned()
            }
            RefundFault::TaxFree(TaxFreeFault::TooMuch) => {
                "면세 금액이나 나머지 과세 금액이 환불할 수 있는 것보다 많아요. 환불하지 않았어요."
                    .to_owned()
            }
            RefundFault::TaxFreeUnread => {
                "면세 금액을 숫자로 적어 주세요. 환불하지 않았어요.".to_owned()
            }
            RefundFault::NoAccount => {
                "환불받을 계좌의 은행, 계좌번호, 예금주를 모두 적어 주세요. 환불하지 않았어요."
                    .to_owned()
            }
            RefundFault::UnderWay => {
                "이 결제의 다른 환불이 진행되고 있어요. 아직 환불하지 않았어요. 끝난 뒤에 다시 눌러 주세요."
                    .to_owned()
            }
            RefundFault::Unasked => {
                "돌려줄 수 있는 금액을 지금 확인하지 못해 환불하지 않았어요. 잠시 뒤에 다시 눌러 주세요."
                    .to_owned()
            }
        }
        },
        state: |state| match state {
            RefundState::Intended => "곧 PortOne에 요청해요",
            RefundState::Calling => "PortOne에 요청하고 있어요",
            RefundState::Requested => "PortOne이 접수했어요",
            RefundState::InDoubt => "처리됐는지 확인하고 있어요",
            RefundState::Done => "환불됐어요",
            RefundState::Refused => "거절됐어요. 돈은 움직이지 않았어요",
            RefundState::NotDone => "환불되지 않았어요",
        },
    },
    history: History {
        title: "기록",
        newest_first: "최근 것부터 보여요.",
        cut: |shown, all| {
            format!(
                "기록 {all}개 가운데 최근 {shown}개만 보여요. 전체는 이벤트 API로 볼 수 있어요."
            )
        },
        kind: |kind| match kind {
            EntryKind::OrderCreated => "주문이 만들어졌어요",
            EntryKind::Prepared => "PortOne에 금액을 미리 등록했어요",
            EntryKind::PrepareFailed => "PortOne에 금액을 미리 등록하지 못했어요",
            EntryKind::Redirect => "구매자가 결제창에서 돌아왔어요",
            EntryKind::Webhook => "PortOne 웹훅이 왔어요",
            EntryKind::Checked => "PortOne의 답을 확인했어요",
            EntryKind::CheckFailed => "PortOne에 물어보지 못했어요",
            EntryKind::Transition => "상태가 바뀌었어요",
            EntryKind::EvidenceRefused => "PortOne의 답을 쓰지 않았어요",
            EntryKind::Closed => "주문을 닫았어요",
            EntryKind::Expired => "결제 기한이 지났어요",
            EntryKind::Confirmed => "승인 직전 확인에 진행하라고 답했어요",
            EntryKind::ConfirmRefused => "승인 직전 확인에 멈추라고 답했어요",
            EntryKind::RefundRequested => "환불을 요청했어요",
            EntryKind::RefundDone => "PortOne에서 환불된 것을 확인했어요",
            EntryKind::RefundRefused => "환불이 거절됐어요",
            EntryKind::RefundInDoubt => "환불됐는지 아직 알 수 없어요",
            EntryKind::RefundNotDone => "환불되지 않았어요",
        },
        claim_note: "주장일 뿐이에요. 기록만 하고 판단에는 쓰지 않아요.",
        claimed_status: "주장한 상태",
        claimed_amount: "결제 금액이라고 한 값",
        transition: |from, to| format!("{from} → {to}"),
        status: "PortOne 상태",
        verdict: "판단",
        all_passed: |count| format!("{count}개 항목이 모두 일치했어요."),
        failed_check: |check, expected, actual| {
            format!("{check} 불일치: 주문 {expected}, PortOne {actual}")
        },
        error: "문제",
        reason: "이유",
        refusal: |why| match why {
            Refusal::Foreign => "이 주문의 거래가 아니에요.",
            Refusal::TellsNothing => "아직 아무것도 말해 주지 않는 상태예요.",
            Refusal::Stale => "이미 아는 것보다 오래된 답이에요.",
        },
        refund: "환불",
        trouble: |code| match code {
            "call_lost" => {
                Some("PortOne의 답을 받기 전에 서버가 멈췄어요. PortOne에 물어보고 있어요.")
            }
            "not_shown" => Some("PortOne에 환불 기록이 없어요. 다시 환불을 요청할 수 있어요."),
            "settled" => Some("담당자가 처리한 것으로 표시해서 PortOne의 답을 더 기다리지 않아요."),
            "not_received" => Some("결제는 취소됐지만 은행이 구매자 계좌로 돈을 보내지 못했어요."),
            "cancellation_failed" => Some("PortOne이 접수했지만 결제사가 처리하지 못했어요."),
            _ => None,
        },
        stop: |why| match why {
            Stop::UnknownOrder => "이 버전의 PortOne으로 결제하는 주문이 아니에요.",
            Stop::Over => "결제 기한이 지났거나 닫힌 주문이에요.",
            Stop::Paid => "이미 결제된 주문이에요.",
            Stop::Held => "확인이 필요한 결제가 있는 주문이에요.",
            Stop::Amount => "주문 금액과 다른 금액이에요.",
            Stop::Unavailable => "주문을 제때 읽지 못했어요.",
            Stop::Unreadable => "질문을 읽을 수 없었어요.",
        },
        noted: "메모를 남겼어요",
        settled: "확인이 필요한 항목을 처리 완료로 표시했어요",
        delivery: |status| match status {
            DeliveryStatus::Pending => "쇼핑몰 서버에 보낼 이벤트가 기다리고 있어요",
            DeliveryStatus::Delivered => "쇼핑몰 서버가 이벤트를 받았어요",
            DeliveryStatus::GivenUp => "쇼핑몰 서버에 이벤트를 보내는 것을 포기했어요",
        },
    },
    status: |status| match status {
        OrderStatus::Open => "결제 전",
        OrderStatus::AwaitingDeposit => "입금 대기",
        OrderStatus::Paid => "결제 완료",
        OrderStatus::PartiallyRefunded => "부분 환불",
        OrderStatus::Refunded => "환불 완료",
        OrderStatus::Held => "보류",
        OrderStatus::Expired => "기한 지남",
        OrderStatus::Closed => "닫힘",
    },
    status_meaning: |status| match status {
        OrderStatus::Open => "아직 결제되지 않았어요.",
        OrderStatus::AwaitingDeposit => "계좌가 발급됐고 아직 입금되지 않았어요.",
        OrderStatus::Paid => "PortOne에서 직접 확인했고 모든 항목이 주문과 일치해요.",
        OrderStatus::PartiallyRefunded => "결제됐고, 일부가 환불됐어요.",
        OrderStatus::Refunded => "결제됐고, 전액이 환불됐어요.",
        OrderStatus::Held => {
            "돈을 받았거나 계좌가 발급됐지만 주문과 다른 항목이 있어요. 상품을 보내지 말고 아래 근거를 확인한 뒤, 필요하면 이 거래를 환불해 주세요."
        }
        OrderStatus::Expired => {
            "결제 없이 기한이 지났어요. 뒤늦은 결제가 없는지 나흘 동안 더 지켜봐요."
        }
        OrderStatus::Closed => "쇼핑몰이 닫은 주문이에요. 더는 결제를 받지 않아요.",
    },
    transaction_status: |status| match status {
        TransactionStatus::Ready => "준비",
        TransactionStatus::PayPending => "승인 대기",
        TransactionStatus::Failed => "실패",
        TransactionStatus::Paid => "결제됨",
        TransactionStatus::Cancelled => "취소됨",
    },
    verdict: |verdict| match verdict {
        Verdict::Pending => "진행 중",
        Verdict::AwaitingDeposit => "입금 대기",
        Verdict::Failed => "실패",
        Verdict::Accepted => "인정",
        Verdict::Duplicate => "중복 결제",
        Verdict::Late => "늦은 결제",
        Verdict::Held => "보류",
    },
    verdict_meaning: |verdict| match verdict {
        Verdict::Pending => "결제창이 열려 있거나, 구매자가 끝내지 않고 나갔어요.",
        Verdict::AwaitingDeposit => "계좌가 발급됐어요. 입금되면 저절로 바뀌어요.",
        Verdict::Failed => {
            "PortOne이 실패라고 답했어요. 나중에 승인되는 경우도 있어 계속 지켜봐요."
        }
        Verdict::Accepted => "모든 항목이 일치해 이 주문의 결제로 인정했어요.",
        Verdict::Duplicate => "이미 결제된 주문에 한 번 더 결제됐어요. 이 거래를 환불해 주세요.",
        Verdict::Late => {
            "주문이 닫히거나 기한이 지난 뒤에 결제됐어요. 상품을 보낼지 환불할지 정해 주세요."
        }
        Verdict::Held => "주문과 다른 항목이 있어 인정하지 않았어요. 아래 근거를 확인해 주세요.",
    },
    outcome: |outcome| match outcome {
        Outcome::Paid => "결제가 완료됐다고 보여요.",
        Outcome::VirtualAccountIssued => "입금할 계좌와 기한이 보여요.",
        Outcome::Pending => "결제를 기다리거나 확인하고 있다고 보여요.",
        Outcome::Failed(reason) => match reason {
            FailureReason::BuyerCancelled => "결제를 취소했다고 보여요.",
            FailureReason::Declined => "카드사가 승인하지 않아 결제하지 못했다고 보여요.",
            FailureReason::LimitExceeded => "한도를 넘어 결제하지 못했다고 보여요.",
            FailureReason::InsufficientBalance => "잔액이 모자라 결제하지 못했다고 보여요.",
            FailureReason::InvalidCard => "쓸 수 없는 카드여서 결제하지 못했다고 보여요.",
            FailureReason::WindowError => "결제창 문제로 결제하지 못했다고 보여요.",
            FailureReason::RefusedByShop => "쇼핑몰이 결제를 멈췄다고 보여요.",
            FailureReason::Unknown => "결제하지 못했다고 보여요.",
        },
        Outcome::Refunded => "환불됐다고 보여요.",
        Outcome::PartiallyRefunded => "일부 환불됐다고 보여요.",
        Outcome::Held => {
            "결제를 확인하고 있으니 문의해 달라고 보여요. 어느 항목이 다른지는 보이지 않아요."
        }
        Outcome::Duplicate => "결제가 두 번 됐다고 보여요.",
        Outcome::Late => "기한이 지난 뒤에 결제됐다고 보여요.",
        Outcome::Unconfirmed => "아직 결과를 확인하지 못했으니 다시 결제하지 말라고 보여요.",
        Outcome::NotFound | Outcome::Invalid => "주문을 찾을 수 없다고 보여요.",
    },
    check: |check| match check {
        CheckName::TransactionId => "거래번호",
        CheckName::PaymentId => "주문번호",
        CheckName::Unused => "처음 쓰는 거래인지",
        CheckName::Portone => "PortOne 버전",
        CheckName::Store => "상점",
        CheckName::Currency => "통화",
        CheckName::Amount => "금액",
        CheckName::Channel => "실연동·테스트 채널",
    },
    check_value: |check, value| match (check, value) {
        (CheckName::Unused, "unused") => Some("처음"),
        (CheckName::Unused, "used") => Some("다른 주문에 쓰임"),
        (CheckName::Channel, "live") => Some("실연동"),
        (CheckName::Channel, "test") => Some("테스트"),
        (CheckName::Portone, "v1") => Some("V1"),
        (CheckName::Portone, "v2") => Some("V2"),
        (
            CheckName::Channel | CheckName::Currency | CheckName::Portone | CheckName::Store,
            "absent",
        ) => Some("알려 주지 않음"),
        _ => None,
    },
    event: |event| match event {
        EventType::OrderPaid => "결제 완료",
        EventType::OrderVirtualAccountIssued => "가상계좌 발급",
        EventType::OrderPaymentFailed => "결제 실패",
        EventType::OrderHeld => "보류",
        EventType::OrderDuplicatePayment => "중복 결제",
        EventType::OrderLatePayment => "늦은 결제",
        EventType::OrderRefunded => "전액 환불",
        EventType::OrderPartiallyRefunded => "부분 환불",
        EventType::OrderExpired => "기한 지남",
    },
    gateway_error: |error| match error {
        "unavailable" => Some("PortOne이 제때 답하지 않았어요."),
        "garbled" => Some("PortOne의 답을 읽을 수 없었어요."),
        "unauthorized" => Some("PortOne이 API 키를 거절했어요. 설정을 확인해 주세요."),
        "refused" => Some("PortOne이 요청을 거절했어요."),
        "already_paid" => Some("이미 결제된 결제번호라고 PortOne이 답했어요."),
        "not_configured" => Some("이 버전의 PortOne이 설정되어 있지 않아요."),
        _ => None,
    },
    notice: |notice| match notice {
        Notice::Synced => "PortOne에서 새로 확인했어요.",
        Notice::Closed => "주문을 닫았어요.",
        Notice::Settled => "처리한 것으로 표시했어요.",
        Notice::Noted => "메모를 남겼어요.",
        Notice::Refunded => "환불했어요.",
        Notice::RefundUnderWay => "환불을 요청했어요. 끝나면 아래에 나타나요.",
        Notice::RefundRefused => {
            "환불이 거절됐어요. 돈은 움직이지 않았어요. 이유는 아래 환불 목록에 있어요."
        }
        Notice::RefundBefore => {
            "이미 보낸 양식이에요. 더 환불하지 않았어요. 아래에서 그 환불을 확인해 주세요."
        }
        Notice::RefundUnknown => {
            "환불이 접수됐는지 확인하지 못했어요. 다시 요청하기 전에 아래 환불 내역을 확인해 주세요."
        }
        Notice::NothingLeft => "환불할 수 있는 금액이 없어요.",
        Notice::NoNote => "처리한 내용을 500자 안으로 적어 주세요.",
        Notice::BadNote => "메모를 1자에서 500자 사이로 적어 주세요.",
        Notice::TooManyNotes => "이 주문에는 메모를 더 남길 수 없어요. 50개까지 남길 수 있어요.",
        Notice::SettledBefore => "다른 사람이 먼저 표시했어요. 먼저 남긴 기록이 그대로 있어요.",
        Notice::NothingThere => "이제 확인하지 않아도 돼요.",
        Notice::ItemChanged => {
            "그사이 내용이 바뀌어서 표시하지 않았어요. 금액을 다시 확인한 뒤 남겨 주세요."
        }
        Notice::Unconfirmed => {
            "PortOne이 답하지 않았어요. 아래는 그 전에 확인한 내용이고, 잠시 뒤 저절로 다시 물어봐요."
        }
        Notice::Paid => "이미 결제된 주문이라 닫을 수 없어요.",
        Notice::Busy => {
            "다른 곳에서 이 주문을 처리하고 있거나 지금 처리할 일이 많아요. 잠시 뒤에 주문을 다시 확인해 주세요."
        }
        Notice::Unavailable => "지금은 할 수 없어요. 잠시 뒤에 다시 해 주세요.",
    },
    who: |who| match who {
        Who::Buyer => "구매자".to_owned(),
        Who::Webhook => "PortOne 웹훅".to_owned(),
        Who::Confirm => "PortOne 승인 직전 확인".to_owned(),
        Who::Worker => "자동 확인".to_owned(),
        Who::Refund => "환불 처리".to_owned(),
        Who::Policy => "불일치 결제 처리 규칙".to_owned(),
        Who::Sweep => "PortOne과 하루 한 번 대조".to_owned(),
        Who::Command => "명령줄".to_owned(),
        Who::Stranger => "로그인하지 않은 사람".to_owned(),
        Who::Shop(name) => format!("쇼핑몰 ({name})"),
        Who::Staff(email) => format!("담당자 ({email})"),
        Who::Unrecognized(text) => text.to_owned(),
    },
};
