// A sandbox with a recorder in front of each of its two APIs, and a shop that its webhooks go to.
import { readDescriptions } from "./descriptions.mjs";
import { startSandbox } from "./programs.mjs";
import { startReceiver } from "./receiver.mjs";
import { startRecorder } from "./recorder.mjs";

/** What the sandbox has unless it is told otherwise; its README lists it. */
export const v1Credentials = { key: "imp_apikey", secret: "sandbox-secret" };
export const v2Credentials = {
  secret: "sandbox-v2-secret",
  storeId: "store-00000000-0000-0000-0000-000000000000",
  webhookSecret: "whsec_cG9ydG9uZS1zYW5kYm94LXdlYmhvb2stc2VjcmV0",
};

const descriptions = await readDescriptions();

/**
 * Starts all of it.
 *
 * `v1` and `v2` are the addresses that a program under test gets in place of PortOne's own.
 */
export async function startLab() {
  const shop = await startReceiver();
  const sandbox = await startSandbox(["--webhook-url", shop.url]);
  const v1 = await startRecorder(sandbox.url);
  const v2 = await startRecorder(`${sandbox.url}/v2`);
  const v2Origin = await startRecorder(sandbox.url);
  const recorders = [
    ["v1", v1],
    ["v2", v2],
    ["v2", v2Origin],
  ];
  const exchanges = (version) => recorders.flatMap(([of, recorder]) => (of === version ? recorder.exchanges : []));
  const control = (method, path, body) => call(method, sandbox.url + path, body);

  return {
    v1: v1.url,
    v2: v2.url,
    /** V2's address for a program that keeps nothing of an address but its origin. */
    v2Origin: v2Origin.url,
    /** Exchanges so far, by API. */
    exchanges,
    /** Calls the sandbox's own interface, `path` starting with `/_sandbox/`; fails unless it answers 2xx. */
    control,
    /** Makes payments out of nowhere; `fields` are PortOne's, and `webhook: true` has the shop told. */
    createV1Payment: (fields) => control("POST", "/_sandbox/payments", { amount: 64_900, ...fields }),
    createV2Payment: (fields) => control("POST", "/_sandbox/v2/payments", { amount: 64_900, ...fields }),
    /** Buys something as the shop's page and the buyer do; see the sandbox's README for choices. */
    buyV1: (fields, choice) => buy(sandbox.url, "/_sandbox/checkout?code=imp00000000&flow=redirect", fields, choice),
    buyV2: (fields, choice) => buy(sandbox.url, "/_sandbox/v2/checkout", fields, choice),
    /** The next V2 webhook that the shop gets about a payment. */
    webhookOf: (paymentId, type = "") =>
      shop.next(({ body }) => {
        const event = JSON.parse(body);
        return event.data?.paymentId === paymentId && event.type.endsWith(type);
      }),
    /** What is wrong with the sandbox's answers so far; says so on one line if there is nothing to compare them with. */
    problems: (test) => problems(recorders, (description, exchange) => description.judgeResponse(exchange), test),
    /** What is wrong with the requests so far. For our own programs: of others, we judge only what they are told. */
    requestProblems: (test) =>
      problems(recorders, (description, exchange) => description.judgeRequest(exchange), test),
    /** Which of these operations nobody has asked an API for; none that we know of without its description. */
    notAsked: (version, operations) => {
      if (typeof descriptions === "string") {
        return [];
      }
      const asked = exchanges(version).map((exchange) => descriptions[version].operationOf(exchange));
      return operations.filter((operation) => !asked.includes(operation));
    },
    close: async () => {
      await sandbox.stop();
      await Promise.all([v1.close(), v2.close(), v2Origin.close(), shop.close()]);
    },
  };
}

function problems(recorders, judge, test) {
  if (typeof descriptions === "string") {
    test.diagnostic(descriptions);
    return [];
  }
  return recorders.flatMap(([version, { exchanges }]) =>
    exchanges.flatMap((exchange) =>
      judge(descriptions[version], exchange).map(
        (problem) => `${version}: ${exchange.method} ${exchange.target} (${exchange.status}): ${problem}`,
      ),
    ),
  );
}

/**
 * Opens a payment window and presses a button in it.
 *
 * @returns {Promise<URLSearchParams | undefined>} what the browser brings back to the shop, if it comes back
 */
async function buy(sandbox, checkout, fields, choice) {
  const opened = await call("POST", sandbox + checkout, fields);
  const windowUrl = opened.windowUrl ?? opened.window_url;
  if (windowUrl === undefined) {
    throw new Error(`no window was opened: ${JSON.stringify(opened)}`);
  }
  const body = new URLSearchParams({ choice });
  const closed = await fetch(windowUrl, { method: "POST", body, redirect: "manual" });
  if (closed.status >= 400) {
    throw new Error(`${choice}: ${closed.status} ${await closed.text()}`);
  }
  const location = closed.headers.get("location");
  return location === null ? undefined : new URL(location).searchParams;
}

/** Sends JSON, expects a 2xx answer, and returns what it says. */
async function call(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new Error(`${method} ${url}: ${response.status} ${text}`);
  }
  return text === "" ? null : JSON.parse(text);
}
