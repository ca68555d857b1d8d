// The sandbox's stand-in for PortOne's V1 browser SDK: IMP.init, IMP.agency, IMP.request_pay.
// Phones leave the page and come back to m_redirect_url (the callback does not run). Desktops keep the page, show the
// window in a frame and get the result through the callback. It styles elements through the DOM and adds no markup, so
// that a page with a strict Content-Security-Policy can use it; that page must allow this script's origin in
// script-src, connect-src and frame-src.
(function () {
  "use strict";
  if (window.IMP && window.IMP.isPortOneSandbox) return;

  const script = document.currentScript || document.querySelector('script[src$="/v1/iamport.js"]');
  const origin = new URL(script.src).origin;
  let merchantCode = null;
  let isOpen = false;

  function isPhone() {
    const hints = navigator.userAgentData;
    if (hints && typeof hints.mobile === "boolean") return hints.mobile;
    return /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent);
  }

  function refused(param, code, message) {
    return {
      success: false,
      imp_uid: null,
      merchant_uid: (param && param.merchant_uid) || null,
      error_code: code,
      error_msg: message,
    };
  }

  async function checkout(param, flow) {
    const query = new URLSearchParams({ code: merchantCode, flow });
    const answer = await fetch(`${origin}/_sandbox/checkout?${query}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(param),
    });
    if (!answer.ok) throw new Error(`portone-sandbox answered ${answer.status}`);
    return answer.json();
  }

  function style(element, rules) {
    Object.assign(element.style, rules);
    return element;
  }

  function showFrame(impUid, callback) {
    const address = `${origin}/_sandbox/window/${encodeURIComponent(impUid)}`;
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
      if (result && callback) callback(result);
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

  async function requestPay(param, callback) {
    if (merchantCode === null) {
      console.error("portone-sandbox: call IMP.init(merchant code) before IMP.request_pay");
      if (callback) callback(refused(param, "F1001", "IMP.init이 먼저 호출되어야 합니다."));
      return;
    }
    if (isOpen) return;
    // Some gateways always do the one or the other; the answer says so.
    const flow = isPhone() ? "redirect" : "frame";
    let answer;
    try {
      answer = await checkout(param || {}, flow);
    } catch (error) {
      console.error(error);
      answer = refused(param, "F1000", "portone-sandbox에 연결할 수 없습니다.");
    }
    if (!answer.success) {
      const { redirect_url: redirectUrl, ...result } = answer;
      if (callback) callback(result);
      else if (redirectUrl) window.location.href = redirectUrl;
      else console.error("portone-sandbox:", result.error_code, result.error_msg);
    } else if (answer.flow === "redirect") {
      window.location.href = `${origin}/_sandbox/window/${encodeURIComponent(answer.imp_uid)}`;
    } else {
      showFrame(answer.imp_uid, callback);
    }
  }

  window.IMP = {
    isPortOneSandbox: true,
    init(code) {
      merchantCode = String(code);
    },
    // Sub-merchants are not imitated: the tier is accepted and ignored.
    agency(code) {
      merchantCode = String(code);
    },
    request_pay(param, callback) {
      requestPay(param, typeof callback === "function" ? callback : null);
    },
  };
})();
