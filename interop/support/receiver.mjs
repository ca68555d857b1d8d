// A shop's webhook endpoint: answers 200 and keeps what came.
import { createServer } from "node:http";

import { bodyOf, close, listen } from "./recorder.mjs";

const WAIT_MS_MAX = 15_000;

/** @typedef {{headers: Record<string, string>, body: string}} Webhook */

/**
 * Listens on a free port.
 *
 * `next` takes the first webhook of a kind that nobody has taken yet, and waits for it if it has not come.
 *
 * @returns {Promise<{
 *   url: string,
 *   next: (isWanted: (webhook: Webhook) => boolean) => Promise<Webhook>,
 *   close: () => Promise<void>,
 * }>}
 */
export async function startReceiver() {
  const arrived = [];
  const waiting = [];

  const server = createServer(async (incoming, outgoing) => {
    const webhook = { headers: incoming.headers, body: (await bodyOf(incoming)).toString() };
    const index = waiting.findIndex(({ isWanted }) => isWanted(webhook));
    if (index === -1) {
      arrived.push(webhook);
    } else {
      waiting.splice(index, 1)[0].take(webhook);
    }
    outgoing.writeHead(200).end();
  });

  const next = (isWanted) =>
    new Promise((resolve, reject) => {
      const index = arrived.findIndex(isWanted);
      if (index !== -1) {
        resolve(arrived.splice(index, 1)[0]);
        return;
      }
      const waiter = { isWanted, take: resolve };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(waiter), 1);
        const others = arrived.map(({ body }) => body).join("\n");
        reject(new Error(`the webhook did not come within ${WAIT_MS_MAX} ms; these did:\n${others}`));
      }, WAIT_MS_MAX);
      waiter.take = (webhook) => {
        clearTimeout(timer);
        resolve(webhook);
      };
      waiting.push(waiter);
    });

  const url = `${await listen(server)}/webhook`;
  return { url, next, close: () => close(server) };
}
