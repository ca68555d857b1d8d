// A proxy that stands at an address of its own in front of the sandbox, and keeps what was said.
import { createServer, request as send } from "node:http";

const BODY_BYTES_MAX = 4 * 1024 * 1024;
const ANSWER_MS_MAX = 30_000;

/**
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} target  path and query, as PortOne would see them
 * @property {Record<string, string | string[] | undefined>} requestHeaders
 * @property {Buffer} requestBody
 * @property {number} status
 * @property {Record<string, string | string[] | undefined>} responseHeaders
 * @property {Buffer} responseBody
 */

/**
 * Listens on a free port and hands every request on to `base`, whose path is put before the request's own.
 *
 * PortOne serves V2 at the root of a host. Most clients take an address with a path (`http://…/v2`) and need no such
 * proxy; PortOne's JavaScript SDK resolves `/payments/…` against the host alone.
 *
 * @param {string} base
 * @returns {Promise<{url: string, exchanges: Exchange[], close: () => Promise<void>}>}
 */
export async function startRecorder(base) {
  const { hostname, port, pathname } = new URL(base);
  const prefix = pathname.replace(/\/$/, "");
  const exchanges = [];

  const server = createServer(async (incoming, outgoing) => {
    try {
      const requestBody = await bodyOf(incoming);
      const target = incoming.url ?? "/";
      const answer = await new Promise((resolve, reject) => {
        const headers = incoming.headers;
        send(
          { hostname, port, method: incoming.method, path: prefix + target, headers, timeout: ANSWER_MS_MAX },
          resolve,
        )
          .on("timeout", function () {
            this.destroy(new Error(`no answer within ${ANSWER_MS_MAX} ms`));
          })
          .on("error", reject)
          .end(requestBody);
      });
      const responseBody = await bodyOf(answer);
      exchanges.push({
        method: incoming.method ?? "",
        target,
        requestHeaders: incoming.headers,
        requestBody,
        status: answer.statusCode ?? 0,
        responseHeaders: answer.headers,
        responseBody,
      });
      // The body is here whole: hop-by-hop headers that say how it travelled are not true any more.
      const { connection, "transfer-encoding": _, ...headers } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, { ...headers, "content-length": responseBody.length });
      outgoing.end(responseBody);
    } catch (error) {
      outgoing.writeHead(502, { "content-type": "text/plain" });
      outgoing.end(`recorder: ${error instanceof Error ? error.message : error}`);
    }
  });
  const url = await listen(server);
  return { url, exchanges, close: () => close(server) };
}

/** Reads a message to its end, as far as it may go. */
export async function bodyOf(message) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of message) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      throw new Error(`a body of more than ${BODY_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Binds a server to a free port of this machine. Returns its address, without a slash at its end. */
export async function listen(server) {
  await new Promise((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  // What failed before it could close its servers must not hang: the test's failure ends the process.
  server.unref();
  return `http://127.0.0.1:${server.address().port}`;
}

/** Stops listening, and drops the connections that clients keep open. */
export async function close(server) {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
