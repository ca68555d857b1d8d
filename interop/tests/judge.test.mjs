// The judge itself, on descriptions small enough to see what is wrong: what it lets pass proves nothing otherwise.
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { openApi, swagger } from "../support/descriptions.mjs";

const noBody = Buffer.alloc(0);
const json = { "content-type": "application/json" };

function exchange(method, target, { status = 200, answer = {}, headers = {}, body } = {}) {
  return {
    method,
    target,
    requestHeaders: { ...json, ...headers },
    requestBody: body === undefined ? noBody : Buffer.from(body),
    status,
    responseHeaders: json,
    responseBody: Buffer.from(JSON.stringify(answer)),
  };
}

describe("Swagger 2.0", () => {
  const judge = swagger({
    paths: {
      "/things/{id}/{state}": {
        get: {
          parameters: [
            { in: "path", name: "id", required: true, type: "string" },
            { in: "path", name: "state", required: false, type: "string" },
            { in: "query", name: "page", required: false, type: "integer" },
          ],
          responses: { 200: { schema: { $ref: "#/definitions/ThingResponse" } }, 404: {} },
        },
      },
      "/things/cancel": {
        post: {
          parameters: [
            { in: "formData", name: "id", required: true, type: "string" },
            { in: "formData", name: "amount", required: false, type: "number" },
          ],
          responses: { 200: { schema: { $ref: "#/definitions/ThingResponse" } } },
        },
      },
    },
    definitions: {
      ResponseAnnotation: { properties: { code: { type: "integer" }, message: { type: "string" } } },
      ThingResponse: {
        allOf: [
          { $ref: "#/definitions/ResponseAnnotation" },
          { properties: { response: { $ref: "#/definitions/Thing" } } },
        ],
      },
      Thing: {
        required: ["id"],
        properties: { id: { type: "string", maxLength: "4" }, note: { type: "string" } },
      },
    },
  });
  const answerTo = (response, rest = {}) =>
    judge.judgeResponse(exchange("GET", "/things/1", { answer: { code: 0, message: null, response, ...rest } }));
  const requestOf = (...request) => judge.judgeRequest(exchange(...request));
  const token = { authorization: "Bearer token" };

  it("lets pass what is described, and null for what need not be there", () => {
    assert.deepEqual(answerTo({ id: "1", note: null }), []);
    assert.deepEqual(answerTo({ id: "1" }), []);
    assert.deepEqual(
      judge.judgeResponse(
        exchange("GET", "/things/1", { status: 404, answer: { code: -1, message: "no", response: null } }),
      ),
      [],
    );
  });

  it("names what is missing, unknown, of another type, or too long", () => {
    assert.match(answerTo({ note: "a" })[0], /required property 'id'/);
    assert.match(answerTo({ id: "1", more: 1 })[0], /additional properties.*more/);
    assert.match(answerTo({ id: null })[0], /must be string/);
    assert.match(answerTo({ id: "12345" })[0], /more than 4 characters/);
  });

  it("names an envelope that contradicts itself", () => {
    assert.equal(answerTo(null).length, 1);
    assert.equal(answerTo({ id: "1" }, { code: 1, message: "no" }).length, 1);
    assert.equal(answerTo({ id: "1" }, { message: "ok" }).length, 1);
  });

  it("names statuses and operations that are not listed", () => {
    assert.deepEqual(judge.judgeResponse(exchange("GET", "/things/1", { status: 500 })), ["status 500 is not listed"]);
    assert.deepEqual(judge.judgeResponse(exchange("PUT", "/things/1")), ["PortOne has no such operation"]);
    assert.deepEqual(judge.judgeResponse(exchange("GET", "/things/1/2/3")), ["PortOne has no such operation"]);
  });

  it("knows operations by their paths, whose last part may be missing", () => {
    for (const [method, path, name] of [
      ["GET", "/things/1", "GET /things/{id}/{state}"],
      ["GET", "/things/1/new?page=1", "GET /things/{id}/{state}"],
      ["POST", "/things/cancel", "POST /things/cancel"],
      ["GET", "/things", undefined],
    ]) {
      assert.equal(judge.operationOf(exchange(method, path)), name);
    }
  });

  it("reads queries and forms by their types", () => {
    assert.deepEqual(requestOf("GET", "/things/1/new?page=2", { headers: token }), []);
    assert.equal(requestOf("GET", "/things/1?page=two", { headers: token }).length, 1);
    assert.equal(requestOf("GET", "/things/1?size=2", { headers: token }).length, 1);
    assert.equal(requestOf("GET", "/things/1").length, 1);

    const form = { headers: { ...token, "content-type": "application/x-www-form-urlencoded" } };
    assert.deepEqual(requestOf("POST", "/things/cancel", { ...form, body: "id=1&amount=14.2" }), []);
    assert.equal(requestOf("POST", "/things/cancel", { ...form, body: "amount=x" }).length, 2);
    assert.equal(requestOf("POST", "/things/cancel", { headers: token, body: '{"id":"1","amount":"14.2"}' }).length, 1);
    assert.equal(requestOf("POST", "/things/cancel", { headers: token }).length, 1);
  });
});

describe("OpenAPI 3.0", () => {
  const reference = (name) => ({ $ref: `#/components/schemas/${name}` });
  const content = (name) => ({ content: { "application/json": { schema: reference(name) } } });
  const judge = openApi({
    paths: {
      "/things/{id}": {
        get: {
          security: [{ portOne: [] }],
          parameters: [
            { in: "query", name: "requestBody", content: { "application/json": { schema: reference("Page") } } },
          ],
          responses: { 200: content("Thing"), 404: content("Failure"), 409: content("Failure") },
        },
        post: { requestBody: content("Page"), responses: { 200: content("Nothing") } },
      },
    },
    components: {
      schemas: {
        Thing: { discriminator: { propertyName: "status", mapping: { NEW: "#/x/New", OLD: "#/x/Old" } } },
        New: { type: "object", required: ["status"], properties: { status: { type: "string" } } },
        Old: {
          type: "object",
          required: ["status", "endedAt", "endedAt"],
          properties: {
            status: { type: "string" },
            endedAt: { type: "string", format: "date-time" },
            kind: reference("Kind"),
          },
        },
        Kind: { type: "string", enum: ["GOOD", "BAD"] },
        Failure: { discriminator: { propertyName: "type", mapping: { GONE: "#/x/Gone" } } },
        Gone: {
          type: "object",
          required: ["type"],
          properties: { type: { type: "string" } },
          "x-portone-status-code": 404,
        },
        Page: { type: "object", required: ["number"], properties: { number: { type: "integer", format: "int32" } } },
        Nothing: { type: "object" },
      },
    },
  });
  const answerTo = (answer, status = 200) => judge.judgeResponse(exchange("GET", "/things/1", { status, answer }));

  it("lets pass what is described", () => {
    assert.deepEqual(answerTo({ status: "NEW" }), []);
    assert.deepEqual(answerTo({ status: "OLD", endedAt: "2026-01-01T00:00:00Z", kind: "GOOD" }), []);
    assert.deepEqual(answerTo({ type: "GONE" }, 404), []);
    assert.deepEqual(judge.judgeResponse(exchange("POST", "/things/1", { answer: {} })), []);
  });

  it("judges by the alternative that was meant", () => {
    assert.deepEqual(answerTo({ status: "OLD" }), [
      `body must have required property 'endedAt' {"missingProperty":"endedAt"}`,
    ]);
    assert.match(answerTo({ status: "NEW", endedAt: "2026-01-01T00:00:00Z" })[0], /additional properties/);
    assert.match(answerTo({ status: "LOST" })[0], /allowed values/);
    assert.match(answerTo({ status: "OLD", endedAt: "yesterday" })[0], /date-time/);
    assert.match(answerTo({ status: "OLD", endedAt: "2026-01-01T00:00:00Z", kind: "UGLY" })[0], /allowed values/);
  });

  it("names what is null, not expected, or comes with another status", () => {
    assert.match(
      answerTo({ status: "OLD", endedAt: "2026-01-01T00:00:00Z", kind: null })[0],
      /allowed values|must be string/,
    );
    assert.equal(judge.judgeResponse(exchange("POST", "/things/1", { answer: { a: 1 } })).length, 1);
    assert.deepEqual(answerTo({ type: "GONE" }, 409), ["GONE comes with status 404, not 409"]);
  });

  it("reads requests", () => {
    const secret = { authorization: "PortOne secret" };
    const asked = (query, headers) => judge.judgeRequest(exchange("GET", `/things/1?${query}`, { headers }));

    assert.deepEqual(asked(`requestBody=${encodeURIComponent('{"number":1}')}`, secret), []);
    assert.notDeepEqual(asked(`requestBody=${encodeURIComponent('{"number":1.5}')}`, secret), []);
    assert.notDeepEqual(asked("requestBody=nonsense", secret), []);
    assert.equal(asked("", { authorization: "Basic secret" }).length, 1);
    assert.notDeepEqual(judge.judgeRequest(exchange("POST", "/things/1", { body: '{"number":"1"}' })), []);
    const keyed = (key) => exchange("POST", "/things/1", { body: '{"number":1}', headers: { "idempotency-key": key } });
    assert.deepEqual(judge.judgeRequest(keyed('"0123456789abcdef"')), []);
    assert.equal(judge.judgeRequest(keyed("0123456789abcdef")).length, 1);
  });
});
