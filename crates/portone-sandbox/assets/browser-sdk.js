// The sandbox's stand-in for PortOne's V2 browser SDK: PortOne.requestPayment.
// By redirect the page is left and the promise stays open; otherwise the window is shown in a frame and the promise
// resolves with the result, whose `code` says that it failed. What is refused before a window opens rejects the promise
// with a PaymentError and is never redirected. It styles elements through the DOM and adds no markup, so that a page
// with a strict Content-Security-Policy can use it; that page must allow this script's origin in script-src,
// connect-src and frame-src.
(function () {
  "use strict";
  if (window.PortOne && window.PortOne.isPortOneSandbox) return;

  const script = document.currentScript || document.querySelector('script[src$="/v2/browser-sdk.js"]');
  const origin = new URL(script.src).origin;
  let isOpen = false;

  class PaymentError extends Error {
    constructor({ code, message, txId, paymentId, pgCode, pgMessage }) {
      super(message);
      this.name = "PaymentError";
      this.__portOneErrorType = "PaymentError";
      this.transactionType = "PAYMENT";
      Object.assign(this, { code, txId, paymentId, pgCode, pgMessage });
    }
  }

  function isPortOneError(error) {
    return error instanceof Error && typeof error.__portOneErrorType === "string";
  }

  function isPaymentError(error) {
    return isPortOneError(error) && error.__portOneErrorType === "PaymentError";
  }

  function device() {
    const hints = navigator.userAgentData;
    const isPhone =
      hints && typeof hints.mobile === "boolean"
        ? hints.mobile
        : /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent);
    return isPhone ? "mobile" : "pc";
  }

  async function checkout(request) {
    const answer = await fetch(`${origin}/_sandbox/v2/checkout?device=${device()}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    if (!answer.ok) throw new Error(`portone-sandbox answered ${answer.status}`);
    return answer.json();
  }

  function style(element, rules) {
    Object.assign(element.style, rules);
    return element;
  }

  // Resolves with the result. A window that was left without one leaves the promise open, as a closed tab would.
  function showFrame(address, resolve) {
    const before = document.activeElement;
    const overlay = style(document.createElement("div"), {
      position: "fixed", inset: "0", zIndex: "2147483647", display: "grid", placeItems: "center",
      background: "rgba(10, 14, 28, .6)", padding: "12px", boxSizing: "border-box",
    });
    overlay.setAttribute("role", "dialog");
    overlay.setAttribute("aria-modal", "true");
    overlay.setAttribute("aria-label", "PortOne sandbox");
    const frame = style(document.createElement("iframe"), {
      width: "min(460px, 100%)", height: "min(780px, 100%)", border: "0", borderRadius: "16px", background: "Canvas",
    });
    frame.title = "PortOne sandbox";
    frame.src = address;
    const close = style(document.createElement("button"), {
      position: "absolute", top: "12px", right: "12px", width: "44px", height: "44px", border: "0",
      borderRadius: "50%", font: "700 22px/1 system-ui, sans-serif", background: "#fff", color: "#0a0e1c", cursor: "pointer",
    });
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", "Close / 닫기");

    function end(result) {
      if (!isOpen) return;
      isOpen = false;
      window.removeEventListener("message", listen);
      document.removeEventListener("keydown", escape);
      overlay.remove();
      if (before && before.focus) before.focus();
      if (result) resolve(result);
    }

    function listen(event) {
      if (event.origin !== origin || event.source !== frame.contentWindow) return;
      if (event.data && event.data.source === "portone-sandbox") end(event.data.result);
    }

    // Closing counts as the buyer's cancel. If the window has ended already, there is no result left to tell.
    async function cancel() {
      close.disabled = true;
      try {
        const answer = await fetch(address, {
          method: "POST",
          headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
          body: "choice=cancel",
        });
        end(answer.ok ? (await answer.json()).result : null);
      } catch {
        end(null);
      }
    }

    function escape(event) {
      if (event.key === "Escape") cancel();
    }

    isOpen = true;
    window.addEventListener("message", listen);
    document.addEventListener("keydown", escape);
    close.addEventListener("click", cancel);
    overlay.append(frame, close);
    document.body.append(overlay);
    close.focus();
  }

  async function requestPayment(request) {
    const paymentId = request && request.paymentId;
    if (isOpen) {
      throw new PaymentError({ code: "InvalidEntityState", message: "결제창이 이미 열려 있습니다.", paymentId });
    }
    let answer;
    try {
      answer = await checkout(request || {});
    } catch (error) {
      console.error(error);
      throw new PaymentError({ code: "UnknownError", message: "portone-sandbox에 연결할 수 없습니다.", paymentId });
    }
    if (!answer.success) throw new PaymentError(answer);
    if (answer.flow === "REDIRECTION") {
      window.location.href = answer.windowUrl;
      return new Promise(() => {});
    }
    return new Promise((resolve) => showFrame(answer.windowUrl, resolve));
  }

  window.PortOne = { isPortOneSandbox: true, requestPayment, PaymentError, isPortOneError, isPaymentError };
})();
