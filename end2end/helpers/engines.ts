// Browsers beside Chromium, as Debian has them, each by the driver that works for it: Firefox speaks WebDriver BiDi by itself;
// WebKitGTK's little browser takes classic WebDriver from a program of its own, and needs a display, which Xvfb is.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

/** A browser with one page. */
export interface Engine {
  /** Opens an address and waits until it is loaded. */
  open(url: string): Promise<void>;
  /** What an expression is on the page. */
  evaluate(expression: string): Promise<unknown>;
  /** Presses what a selector finds, as a finger does. */
  press(selector: string): Promise<void>;
  /** What went wrong on the page, as far as the driver tells. */
  errors: string[];
  close(): Promise<void>;
}

export type EngineName = "firefox" | "webkit";

const FIREFOX = "/usr/bin/firefox-esr";
const WEBKIT_DRIVER = "/usr/bin/WebKitWebDriver";
/** Below a folder of /usr/lib that is named for the processor. */
const WEBKIT_BROWSER = "webkit2gtk-4.1/MiniBrowser";
const XVFB = "/usr/bin/Xvfb";
const DRIVER_START_MS_MAX = 10_000;
const POLL_MS = 50;
const DESKTOP = { width: 1280, height: 800 };

export async function launch(name: EngineName): Promise<Engine> {
  return name === "firefox" ? await firefox() : await webkit();
}

async function firefox(): Promise<Engine> {
  expectInstalled("firefox-esr", FIREFOX);
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    defaultViewport: DESKTOP,
  });
  const page = await browser.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") {
      errors.push(message.text());
    }
  });
  return {
    errors,
    open: async (url) => {
      await page.goto(url);
    },
    evaluate: async (expression) => await page.evaluate(expression),
    press: async (selector) => await page.click(selector),
    close: async () => await browser.close(),
  };
}

async function webkit(): Promise<Engine> {
  expectInstalled("webkit2gtk-driver", WEBKIT_DRIVER);
  const libraries = readdirSync("/usr/lib").map((folder) => join("/usr/lib", folder, WEBKIT_BROWSER));
  const browser = libraries.find((path) => existsSync(path)) ?? WEBKIT_BROWSER;
  expectInstalled("libwebkit2gtk-4.1-0", browser);
  expectInstalled("xvfb", XVFB);
  const programs: ChildProcess[] = [];
  const end = async () => {
    for (const program of programs.reverse().filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
      const exited = once(program, "exit");
      program.kill("SIGTERM");
      await exited;
    }
  };
  try {
    const screen = `${DESKTOP.width}x${DESKTOP.height}x24`;
    const display = spawn(XVFB, ["-displayfd", "3", "-screen", "0", screen, "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
    programs.push(display);
    const [number] = (await once(display.stdio[3] as NodeJS.ReadableStream, "data")) as [Buffer];
    const port = await freePort();
    const driver = spawn(WEBKIT_DRIVER, [`--port=${port}`, "--host=127.0.0.1"], {
      stdio: "ignore",
      // No desktop's services are here to be asked, and no graphics card.
      env: { ...process.env, DISPLAY: `:${number.toString().trim()}`, NO_AT_BRIDGE: "1", LIBGL_ALWAYS_SOFTWARE: "1" },
    });
    programs.push(driver);
    const driverUrl = `http://127.0.0.1:${port}`;
    await answering(driverUrl);

    const browserOptions = { binary: browser, args: ["--automation"] };
    const capabilities = { alwaysMatch: { "webkitgtk:browserOptions": browserOptions } };
    const { sessionId } = (await command(driverUrl, "POST", "/session", { capabilities })) as { sessionId: string };
    const session = `${driverUrl}/session/${sessionId}`;
    return {
      errors: [],
      open: async (url) => {
        await command(session, "POST", "/url", { url });
      },
      evaluate: async (expression) => await command(session, "POST", "/execute/sync", { script: `return ${expression}`, args: [] }),
      press: async (selector) => {
        const element = (await command(session, "POST", "/element", { using: "css selector", value: selector })) as Record<string, string>;
        await command(session, "POST", `/element/${Object.values(element)[0]}/click`, {});
      },
      close: async () => {
        await command(session, "DELETE", "");
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** A command of WebDriver (https://www.w3.org/TR/webdriver2/): what it returns, or its complaint. */
async function command(base: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(base + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) {
    throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
  }
  return value;
}

async function answering(driverUrl: string): Promise<void> {
  const giveUp = Date.now() + DRIVER_START_MS_MAX;
  while (!(await fetch(`${driverUrl}/status`).then(({ ok }) => ok, () => false))) {
    if (Date.now() > giveUp) {
      throw new Error(`WebKitWebDriver did not answer within ${DRIVER_START_MS_MAX} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") {
    throw new Error("the system gave no port");
  }
  return address.port;
}

function expectInstalled(debianPackage: string, path: string): void {
  if (!existsSync(path)) {
    throw new Error(`${path} is missing: \`apt-get install ${debianPackage}\`, or \`cargo xtask test browser\`, which installs it`);
  }
}
