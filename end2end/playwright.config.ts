// Every page must work on a phone and on a desktop, with JavaScript and without it, so every test runs four times.
// What cannot or need not be asked everywhere says so by a tag: @scripts where there are scripts, @desktop and @phone where there
// is one with scripts. What is tagged @engines drives browsers beside Chromium, each a project of its own, and
// @lighthouse lets Lighthouse drive.
import { defineConfig, devices } from "@playwright/test";

const phone = {
  ...devices["Pixel 7"],
  viewport: { width: 390, height: 844 },
  screen: { width: 390, height: 844 },
};

const desktop = {
  ...devices["Desktop Chrome"],
  viewport: { width: 1280, height: 800 },
  screen: { width: 1280, height: 800 },
};

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  workers: 2,
  // A test that passes at the second try has found something, so by hand there is none. The whole run takes too long to be
  // thrown away for it: there it is tried again once, and the list calls it flaky.
  retries: process.env.CI ? 1 : 0,
  forbidOnly: Boolean(process.env.CI),
  timeout: 30_000,
  expect: { timeout: 5_000 },
  reporter: [["list"]],
  use: {
    locale: "ko-KR",
    timezoneId: "Asia/Seoul",
    // Keeping one costs a third of a test's time: in the whole run only what is tried again has one.
    trace: process.env.CI ? "on-first-retry" : "retain-on-failure",
    launchOptions: {
      // Debian's: Playwright's own build would come from its vendor's server. Without a window's parts, as Playwright has it, too.
      executablePath: "/usr/bin/chromium-headless-shell",
      args: [
        "--no-sandbox", // Chromium refuses to run as root otherwise, and it opens nothing here but our own pages.
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "phone", use: { ...phone }, grepInvert: /@desktop|@engines|@lighthouse/ },
    { name: "phone-nojs", use: { ...phone, javaScriptEnabled: false }, grepInvert: /@desktop|@phone|@scripts|@engines|@lighthouse/ },
    { name: "desktop", use: { ...desktop }, grepInvert: /@phone|@engines|@lighthouse/ },
    { name: "desktop-nojs", use: { ...desktop, javaScriptEnabled: false }, grepInvert: /@desktop|@phone|@scripts|@engines|@lighthouse/ },
    { name: "firefox", grep: /@engines/ },
    { name: "webkit", grep: /@engines/ },
    { name: "lighthouse", grep: /@lighthouse/ },
  ],
});
