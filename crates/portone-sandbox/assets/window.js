// The only script of the sandbox's own pages: hands a result to the shop's page, or submits the form that returns by POST.
"use strict";
const { result, target, submit } = document.body.dataset;
if (result !== undefined && window.parent !== window) {
  window.parent.postMessage({ source: "portone-sandbox", result: JSON.parse(result) }, target);
}
if (submit !== undefined) {
  document.getElementById(submit).submit();
}
