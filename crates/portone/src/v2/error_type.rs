//! What V2 calls its errors.

use super::open_enum::open_enum;

open_enum! {
    /// `type` of V2's error body. The list is open: PortOne may add types, and not every existing one is told apart here.
    ErrorType {
        /// The input is not valid.
        InvalidRequest = "INVALID_REQUEST",
        /// The credentials are not accepted.
        Unauthorized = "UNAUTHORIZED",
        /// The credentials do not allow this.
        Forbidden = "FORBIDDEN",
        /// There is no such payment.
        PaymentNotFound = "PAYMENT_NOT_FOUND",
        /// There is no such webhook.
        WebhookNotFound = "WEBHOOK_NOT_FOUND",
        /// There is no such cancellation.
        PaymentCancellationNotFound = "PAYMENT_CANCELLATION_NOT_FOUND",
        /// The payment is complete already.
        AlreadyPaid = "ALREADY_PAID",
        /// The payment token is not valid.
        InvalidPaymentToken = "INVALID_PAYMENT_TOKEN",
        /// What was given for verification is not what the payment has.
        InformationMismatch = "INFORMATION_MISMATCH",
        /// The payment is not complete.
        PaymentNotPaid = "PAYMENT_NOT_PAID",
        /// The payment is cancelled already.
        PaymentAlreadyCancelled = "PAYMENT_ALREADY_CANCELLED",
        /// The balance that can be cancelled is not the one that was given for verification.
        CancellableAmountConsistencyBroken = "CANCELLABLE_AMOUNT_CONSISTENCY_BROKEN",
        /// More was to be cancelled than can be.
        CancelAmountExceedsCancellableAmount = "CANCEL_AMOUNT_EXCEEDS_CANCELLABLE_AMOUNT",
        /// The parts of the amount to be cancelled are more than the amount.
        SumOfPartsExceedsCancelAmount = "SUM_OF_PARTS_EXCEEDS_CANCEL_AMOUNT",
        /// More was to be cancelled free of tax than can be.
        CancelTaxFreeAmountExceedsCancellableTaxFreeAmount = "CANCEL_TAX_FREE_AMOUNT_EXCEEDS_CANCELLABLE_TAX_FREE_AMOUNT",
        /// More was to be cancelled with tax than can be.
        CancelTaxAmountExceedsCancellableTaxAmount = "CANCEL_TAX_AMOUNT_EXCEEDS_CANCELLABLE_TAX_AMOUNT",
        /// The payment was cancelled in too many parts.
        MaxCancelCountReached = "MAX_CANCEL_COUNT_REACHED",
        /// The cancellation is not waiting for anything.
        PaymentCancellationNotPending = "PAYMENT_CANCELLATION_NOT_PENDING",
        /// The webhook was sent again too often.
        MaxWebhookRetryCountReached = "MAX_WEBHOOK_RETRY_COUNT_REACHED",
        /// The payment is not waiting for a deposit.
        PaymentNotWaitingForDeposit = "PAYMENT_NOT_WAITING_FOR_DEPOSIT",
        /// The promotion makes the amount to be cancelled negative.
        NegativePromotionAdjustedCancelAmount = "NEGATIVE_PROMOTION_ADJUSTED_CANCEL_AMOUNT",
        /// An earlier cancellation treated the promotion in another way.
        PromotionDiscountRetainOptionShouldNotBeChanged = "PROMOTION_DISCOUNT_RETAIN_OPTION_SHOULD_NOT_BE_CHANGED",
        /// A call with the same idempotency key is still running.
        IdempotencyOutstandingRequest = "IDEMPOTENCY_OUTSTANDING_REQUEST",
        /// The PG passed on an error.
        PgProvider = "PG_PROVIDER",
        /// The channels passed on errors.
        ChannelSpecific = "CHANNEL_SPECIFIC",
    }
}
