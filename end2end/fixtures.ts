// The app and the sandbox as real processes, one pair per Playwright worker, on free ports and a database of their own.
//
//   import { expect, test } from "../fixtures.ts";
//
//   test("a paid order says so", async ({ page, stack }) => {
//     const order = await stack.createOrder({ amount: 64900 });
//     await page.goto(order.pay_url);
//   });
//
// When a test fails, what both programs logged is attached to its report.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { test as base } from "@playwright/test";

export { expect } from "@playwright/test";

/** The merchant's user in the back office. */
export const user = { email: "e2e@example.com", password: "correct horse battery staple" };

/** What the sandbox takes and signs for its V2 store, and a live channel of that store. */
export const v2 = {
  storeId: "store-00000000-0000-0000-0000-000000000000",
  apiSecret: "sandbox-v2-secret",
  webhookSecret: "whsec_cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0",
  channelKey: "channel-key-00000000-0000-0000-0000-000000000000",
};

/** What the shop sends to make an order; `POST /api/v1/orders` has the whole list. */
export interface NewOrder {
  payment_id?: string;
  name?: string;
  amount?: number;
  currency?: string;
  portone?: "v1" | "v2";
  pay_method?: string;
  channel_key?: string;
  buyer?: { name?: string; email?: string; tel?: string };
  return_url?: string;
  expires_at?: string;
  locale?: string;
  metadata?: Record<string, unknown>;
  window_params?: Record<string, unknown> | undefined;
}

/** The part of the answer that tests navigate by. */
export interface Order {
  payment_id: string;
  status: string;
  name: string;
  amount: number;
  currency: string;
  portone: "v1" | "v2";
  pay_url: string;
  status_url: string;
  [field: string]: unknown;
}

/** A running app with its sandbox. */
export interface Stack {
  /** Address of the app, without a slash at its end. */
  app: string;
  /** Address of the sandbox, without a slash at its end. */
  sandbox: string;
  /** A key for the shop's API. */
  apiKey: string;
  /** Makes an order with a fresh payment id; fails unless the app answers 201. */
  createOrder(overrides?: NewOrder): Promise<Order>;
  /** Calls the shop's API, `path` starting with `/api/`; fails unless the app answers 2xx. */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** Calls the sandbox's own interface, `path` starting with `/_sandbox/`; fails unless it answers 2xx. */
  sandboxPost(path: string, body?: unknown): Promise<unknown>;
}

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;
const COMMAND_MS_MAX = 30_000;
/** What is attached of a log when a test fails. */
const LOG_BYTES_MAX = 200_000;

/** `cargo xtask test` says where cargo put the programs; by hand it is cargo's default. */
const binDir = process.env.WANRYO_BIN_DIR ?? resolve(import.meta.dirname, "../target/debug");

interface WorkerFixtures {
  /** Settings of the app beside the usual ones: `test.use({ settings: { WANRYO_ON_MISMATCH: "refund" } })`, at the top of a file. */
  settings: Record<string, string>;
  stack: Stack & { logs: string[] };
}

export const test = base.extend<{ logsOfFailure: void; faultsEndWithTheTest: void }, WorkerFixtures>({
  settings: [{}, { option: true, scope: "worker" }],

  stack: [
    async ({ settings: extraSettings }, use, workerInfo) => {
      const dir = await mkdtemp(join(tmpdir(), "wanryo-e2e-"));
      const programs: Program[] = [];
      try {
        const sandbox = await start(programs, dir, "portone-sandbox", [], { PORTONE_SANDBOX_ADDR: "127.0.0.1:0" });

        const settings = {
          WANRYO_ADDR: "127.0.0.1:0",
          WANRYO_SHOP_NAME: "완료상점",
          WANRYO_SHOP_URL: "https://shop.example/",
          WANRYO_SUPPORT_URL: "https://shop.example/support",
          DATABASE_URL: `sqlite://${join(dir, "wanryo.db")}`,
          PORTONE_V1_API_URL: sandbox,
          PORTONE_V1_SDK_URL: `${sandbox}/v1/iamport.js`,
          PORTONE_V1_MERCHANT_CODE: "imp00000000",
          PORTONE_V1_API_KEY: "imp_apikey",
          PORTONE_V1_API_SECRET: "sandbox-secret",
          PORTONE_V2_API_URL: `${sandbox}/v2`,
          PORTONE_V2_SDK_URL: `${sandbox}/v2/browser-sdk.js`,
          PORTONE_V2_STORE_ID: v2.storeId,
          PORTONE_V2_API_SECRET: v2.apiSecret,
          PORTONE_V2_WEBHOOK_SECRETS: v2.webhookSecret,
          ...extraSettings,
        };
        const apiKey = await command("wanryo", ["key", "create", "--name", "e2e"], settings);
        await command("wanryo", ["user", "add", user.email, "--password-stdin"], settings, `${user.password}\n`);
        const app = await start(programs, dir, "wanryo", ["serve"], settings);

        await call("PATCH", `${sandbox}/_sandbox/config`, { webhook_url: `${app}/payments/webhook` });

        let orders = 0;
        const api = (method: string, path: string, body?: unknown) =>
          call(method, `${app}${path}`, body, { authorization: `Bearer ${apiKey}` });
        const createOrder = async (overrides: NewOrder = {}) => {
          orders += 1;
          // Unlike in every run before, and within the 40 characters that V1 allows.
          const payment_id = `e2e-${Date.now().toString(36)}-${workerInfo.workerIndex}-${orders}`;
          const order = { payment_id, name: "완료 티셔츠", amount: 64_900, ...overrides };
          return (await api("POST", "/api/v1/orders", order)) as Order;
        };
        const sandboxPost = (path: string, body: unknown = {}) => call("POST", `${sandbox}${path}`, body);

        await use({ app, sandbox, apiKey, createOrder, api, sandboxPost, logs: programs.map(({ log }) => log) });
      } finally {
        // The app first: it may be talking to the sandbox.
        for (const program of programs.reverse()) {
          await stop(program.process);
        }
        await rm(dir, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: 2 * START_MS_MAX },
  ],

  // So that `page.goto("/payments/complete?…")` and `request.get("/healthz")` mean the app.
  baseURL: async ({ stack }, use) => use(stack.app),

  // The next test of this worker has the same sandbox.
  faultsEndWithTheTest: [
    async ({ stack }, use) => {
      await use();
      await call("DELETE", `${stack.sandbox}/_sandbox/faults`);
    },
    { auto: true },
  ],

  logsOfFailure: [
    async ({ stack }, use, testInfo) => {
      await use();
      if (testInfo.status === testInfo.expectedStatus) {
        return;
      }
      for (const log of stack.logs) {
        const body = (await readFile(log)).subarray(-LOG_BYTES_MAX);
        await testInfo.attach(log.split("/").at(-1) ?? log, { body, contentType: "text/plain" });
      }
    },
    { auto: true },
  ],
});

/** A running demo, which alone shows the gallery. */
export const galleryTest = base.extend<object, { gallery: string }>({
  gallery: [
    async ({}, use) => {
      const dir = await mkdtemp(join(tmpdir(), "wanryo-e2e-"));
      const programs: Program[] = [];
      try {
        const anywhere = ["--wanryo-addr", "--shop-addr", "--sandbox-addr"].flatMap((flag) => [flag, "127.0.0.1:0"]);
        await use(await start(programs, dir, "wanryo", ["demo", ...anywhere], {}));
      } finally {
        for (const program of programs) {
          await stop(program.process);
        }
        await rm(dir, { recursive: true, force: true });
      }
    },
    { scope: "worker", timeout: 2 * START_MS_MAX },
  ],
});

interface Program {
  process: ChildProcess;
  /** The file with everything it printed. */
  log: string;
}

/** Starts a program and waits for the line in which it says where it listens. Returns that address. */
async function start(
  programs: Program[],
  dir: string,
  name: string,
  args: string[],
  settings: Record<string, string>,
): Promise<string> {
  const child = spawn(join(binDir, name), args, {
    env: { ...environment(), ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log = join(dir, `${name}.log`);
  programs.push({ process: child, log });
  const file = createWriteStream(log);

  return await new Promise<string>((resolve, reject) => {
    const printed: string[] = [];
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`${name} ${why}\n${printed.join("\n")}`));
    };
    const timer = setTimeout(() => fail(`did not listen within ${START_MS_MAX} ms`), START_MS_MAX);
    child.once("error", (error) => fail(`could not be started (cargo build --workspace --bins?): ${error.message}`));
    child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        file.write(`${line}\n`);
        const address = /listening on (http:\/\/[\w.:[\]-]+)/.exec(line)?.[1];
        if (address === undefined) {
          printed.push(line);
        } else {
          clearTimeout(timer);
          resolve(address);
        }
      });
    }
  });
}

/** Asks a program to stop, and ends it when it does not. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, "exit");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await exited;
  clearTimeout(timer);
}

/** Runs a program to its end and returns what it printed, without the line feed. */
async function command(
  name: string,
  args: string[],
  settings: Record<string, string>,
  input = "",
): Promise<string> {
  const running = promisify(execFile)(join(binDir, name), args, {
    env: { ...environment(), ...settings },
    timeout: COMMAND_MS_MAX,
  });
  running.child.stdin?.end(input);
  const { stdout } = await running;
  return stdout.trim();
}

/** Our environment without settings of the programs: a developer's own must not leak into the tests. */
function environment(): NodeJS.ProcessEnv {
  const isSetting = (name: string) => /^(WANRYO_|PORTONE_|DATABASE_URL$)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}

/** Sends JSON, expects a 2xx answer, and returns what it says. */
async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${method} ${url}: ${response.status} ${text}`);
  }
  return text === "" ? null : JSON.parse(text);
}
