// PortOne's published descriptions of its APIs, as a judge of what was said on the wire.
//
// The files are PortOne's and are not part of this repository: they are looked for in PORTONE_OPENAPI_DIR, or beside the
// clone in ../shared/portone, as v1.openapi.json and v2.openapi.json
// (https://developers.portone.io/schema/v1.openapi.json, https://developers.portone.io/schema/v2.openapi.json).
//
// Stricter than OpenAPI asks for: an object has no property that its description lacks. PortOne may add properties at any
// time ("compatible changes"), but a sandbox that does teaches its users fields that do not exist.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

import { Ajv } from "ajv";
import addFormats from "ajv-formats";

/** Where the descriptions are looked for. */
const descriptionsDir = process.env.PORTONE_OPENAPI_DIR ?? resolve(import.meta.dirname, "../../../shared/portone");

/**
 * What the description of V1 gets wrong or says in prose alone, by definition.
 *
 * - `PaymentPrepareAnnotation` and `VbankDepositAnnotation` require properties that they do not have.
 * - `status` and `channel` list their values in their texts.
 * - `extension` is documented with the PGs that have one: https://developers.portone.io/opi/ko/integration/pg/v1/daou
 */
const V1_CORRECTIONS = {
  PaymentPrepareAnnotation: { required: ["merchant_uid", "amount"] },
  VbankDepositAnnotation: { required: ["pg_tid", "amount", "depositor_name", "deposited_at"] },
  PaymentAnnotation: {
    properties: {
      status: { type: "string", enum: ["ready", "paid", "failed", "cancelled"] },
      channel: { type: "string", enum: ["pc", "mobile", "api"] },
      extension: { type: "object", additionalProperties: true },
    },
  },
};

/**
 * The same for parameters, by operation: each replaces the one of its name.
 *
 * - `extension` asks for the field above.
 * - `extra` is called an array, and its text speaks of `extra.requester`.
 */
const V1_PARAMETERS = {
  "GET /payments/{imp_uid}": [{ in: "query", name: "extension", type: "boolean" }],
  "POST /payments/cancel": [
    {
      in: "formData",
      name: "extra",
      type: "object",
      properties: { requester: { type: "string", enum: ["customer", "admin"] } },
    },
  ],
};

const NO_OPERATION = "PortOne has no such operation";

/** https://developers.portone.io/api/rest-v2: a quoted string of 16 to 256 ASCII characters (RFC 8941). */
const IDEMPOTENCY_KEY = /^"[\x20-\x21\x23-\x5b\x5d-\x7e]{16,256}"$/;

/**
 * Reads both descriptions.
 *
 * @returns {Promise<{v1: Description, v2: Description} | string>} or a line that says what is missing
 */
export async function readDescriptions() {
  const documents = [];
  for (const name of ["v1.openapi.json", "v2.openapi.json"]) {
    const path = join(descriptionsDir, name);
    try {
      documents.push(JSON.parse(await readFile(path, "utf8")));
    } catch (error) {
      if (error.code !== "ENOENT") {
        throw error;
      }
      return `not compared with PortOne's descriptions: no ${path} (PORTONE_OPENAPI_DIR names another directory)`;
    }
  }
  const [v1, v2] = documents;
  return { v1: swagger(v1), v2: openApi(v2) };
}

/**
 * One operation, in words that Swagger 2.0 and OpenAPI 3.0 share.
 *
 * @typedef {object} Operation
 * @property {string} name  such as `GET /payments/{imp_uid}`
 * @property {string} method
 * @property {string[]} segments  of the path; `{…}` stands for anything
 * @property {boolean} lastIsOptional
 * @property {{name: string, schema: object, required: boolean, isJson: boolean}[]} query
 * @property {object | undefined} requestBody  schema
 * @property {boolean} isForm  whether a form is as good as JSON
 * @property {Map<string, object | undefined>} responses  schema by status
 * @property {RegExp | undefined} authorization
 */

/** An API's operations, and the rules that their messages keep. */
export class Description {
  #operations;
  #ajv;
  #extraRules;

  /** @param {(operation: Operation, status: number, body: any) => string[]} extraRules  for response bodies */
  constructor(operations, definitions, extraRules) {
    this.#operations = operations;
    this.#extraRules = extraRules;
    this.#ajv = new Ajv({ strict: false, allErrors: true });
    addFormats(this.#ajv);
    this.#ajv.addSchema({ $id: "description", definitions });
  }

  /**
   * The operation that an exchange is about, such as `GET /payments/{imp_uid}`.
   *
   * @param {import("./recorder.mjs").Exchange} exchange
   * @returns {string | undefined}
   */
  operationOf(exchange) {
    return this.#find(exchange)?.name;
  }

  /** What is wrong with the answer of an exchange. */
  judgeResponse(exchange) {
    const operation = this.#find(exchange);
    return operation === undefined ? [NO_OPERATION] : this.#responseProblems(operation, exchange);
  }

  /** What is wrong with the request of an exchange. */
  judgeRequest(exchange) {
    const operation = this.#find(exchange);
    return operation === undefined
      ? [NO_OPERATION]
      : [
          ...this.#headerProblems(operation, exchange),
          ...this.#queryProblems(operation, exchange),
          ...this.#bodyProblems(operation, exchange),
        ];
  }

  #find({ method, target }) {
    const segments = new URL(target, "http://portone").pathname.split("/").slice(1);
    const matches = this.#operations.filter(
      (operation) =>
        operation.method === method &&
        (operation.segments.length === segments.length ||
          (operation.lastIsOptional && operation.segments.length === segments.length + 1)) &&
        segments.every(
          (segment, index) => isVariable(operation.segments[index]) || operation.segments[index] === segment,
        ),
    );
    const variables = (operation) => operation.segments.filter(isVariable).length;
    return matches.sort((a, b) => variables(a) - variables(b))[0];
  }

  #responseProblems(operation, { status, responseHeaders, responseBody }) {
    if (!operation.responses.has(String(status))) {
      return [`status ${status} is not listed`];
    }
    const problems = [];
    const contentType = String(responseHeaders["content-type"]);
    if (!/^application\/json\b/.test(contentType)) {
      problems.push(`content-type is ${contentType}`);
    }
    const body = parsed(responseBody);
    if (body === undefined) {
      return [...problems, "the body is not JSON"];
    }
    const schema = operation.responses.get(String(status));
    return [
      ...problems,
      ...(schema === undefined ? [] : this.#violations(schema, body, "body")),
      ...this.#extraRules(operation, status, body),
    ];
  }

  #headerProblems(operation, { requestHeaders }) {
    const problems = [];
    const { authorization = "" } = requestHeaders;
    if (operation.authorization !== undefined && !operation.authorization.test(authorization)) {
      problems.push(`authorization does not match ${operation.authorization}`);
    }
    const key = requestHeaders["idempotency-key"];
    if (key !== undefined && !IDEMPOTENCY_KEY.test(key)) {
      problems.push(`idempotency-key ${key} is not a quoted string of 16 to 256 characters`);
    }
    return problems;
  }

  #queryProblems(operation, { target }) {
    const query = new URL(target, "http://portone").searchParams;
    const unknown = [...new Set(query.keys())].filter((name) => !operation.query.some((known) => known.name === name));
    const problems = unknown.map((name) => `query parameter ${name} is not known`);
    for (const { name, schema, required, isJson } of operation.query) {
      const values = query.getAll(name);
      if (values.length === 0) {
        problems.push(...(required ? [`query parameter ${name} is missing`] : []));
      } else {
        const value = isJson ? parsed(values[0]) : typed(values, schema);
        problems.push(...this.#violations(schema, value, `query parameter ${name}`));
      }
    }
    return problems;
  }

  #bodyProblems(operation, { requestHeaders, requestBody }) {
    if (requestBody.length === 0) {
      return operation.requestBody?.required?.length > 0 ? ["the request has no body"] : [];
    }
    if (operation.requestBody === undefined) {
      return ["the request has a body"];
    }
    const contentType = String(requestHeaders["content-type"]);
    if (operation.isForm && /^application\/x-www-form-urlencoded\b/.test(contentType)) {
      const fields = new URLSearchParams(requestBody.toString());
      const types = operation.requestBody.properties;
      const body = [...new Set(fields.keys())].map((name) => [name, typed(fields.getAll(name), types[name] ?? {})]);
      return this.#violations(operation.requestBody, Object.fromEntries(body), "request");
    }
    if (!/^application\/json\b/.test(contentType)) {
      return [`the request's content-type is ${contentType}`];
    }
    return this.#violations(operation.requestBody, parsed(requestBody), "request");
  }

  #violations(schema, value, where) {
    // The schema's references are to the definitions, so it is compiled beside them.
    const validate = this.#compiled.get(schema) ?? this.#ajv.compile(schema);
    this.#compiled.set(schema, validate);
    return validate(value)
      ? []
      : validate.errors
          // Of alternatives, what is wrong with the one that was meant says it all.
          .filter(({ keyword, params }) => keyword !== "if" && keyword !== "anyOf" && params.type !== "null")
          .map(({ instancePath, message, params }) => `${where}${instancePath} ${message} ${JSON.stringify(params)}`);
  }

  #compiled = new Map();
}

function isVariable(segment) {
  return /^\{.*\}$/.test(segment);
}

function parsed(text) {
  try {
    return JSON.parse(text.toString());
  } catch {
    return undefined;
  }
}

/** Texts of a query or a form, read as what their schema says; left as they are if they are not that. */
function typed(values, schema) {
  const one = (text, type) => {
    if (type === "integer" || type === "number") {
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    }
    return type === "boolean" && /^(true|false)$/.test(text) ? text === "true" : text;
  };
  return schema.type === "array" ? values.map((text) => one(text, schema.items?.type)) : one(values[0], schema.type);
}

/**
 * A schema of either dialect in JSON Schema's words.
 *
 * @param {object} schema
 * @param {{definitions: object, optionalMayBeNull: boolean}} dialect
 */
function jsonSchema(schema, dialect) {
  if (schema.$ref !== undefined) {
    return { $ref: `description#/definitions/${schema.$ref.split("/").at(-1)}` };
  }
  if (schema.discriminator !== undefined) {
    return union(schema.discriminator);
  }
  if (schema.allOf !== undefined) {
    return jsonSchema(merged(schema, dialect.definitions), dialect);
  }
  const { type, format, enum: values, items, properties, additionalProperties, maxLength } = schema;
  // One of PortOne's names a property twice.
  const required = schema.required && [...new Set(schema.required)];
  const result = Object.fromEntries(
    Object.entries({ type, format, enum: values, required }).filter(([, value]) => value !== undefined),
  );
  if (maxLength !== undefined) {
    result.maxLength = Number(maxLength);
  }
  if (items !== undefined) {
    result.items = jsonSchema(items, dialect);
  }
  if (properties !== undefined) {
    const mayBeNull = (name) => dialect.optionalMayBeNull && !required?.includes(name);
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => {
        const converted = jsonSchema(property, dialect);
        return [name, mayBeNull(name) ? { anyOf: [{ type: "null" }, converted] } : converted];
      }),
    );
  }
  if (properties !== undefined || type === "object") {
    result.type = "object";
    result.additionalProperties =
      typeof additionalProperties === "object"
        ? jsonSchema(additionalProperties, dialect)
        : (additionalProperties ?? false);
  }
  return result;
}

/** One of several schemas, chosen by a property. In this form the errors are those of the one that was meant. */
function union({ propertyName, mapping }) {
  const chosen = (value) => ({ properties: { [propertyName]: { const: value } }, required: [propertyName] });
  return {
    type: "object",
    required: [propertyName],
    properties: { [propertyName]: { enum: Object.keys(mapping) } },
    allOf: Object.entries(mapping).map(([value, reference]) => ({
      if: chosen(value),
      then: { $ref: `description#/definitions/${reference.split("/").at(-1)}` },
    })),
  };
}

/** `allOf` as one object: closed schemas cannot be put side by side. */
function merged({ allOf }, definitions) {
  const parts = allOf.map((part) => (part.$ref === undefined ? part : definitions[part.$ref.split("/").at(-1)]));
  return {
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required }) => required ?? []),
  };
}

/**
 * V1: https://swagger.io/specification/v2/
 *
 * @returns {Description}
 */
export function swagger(document) {
  const corrected = Object.fromEntries(
    Object.entries(document.definitions).map(([name, definition]) => {
      const { properties, ...rest } = V1_CORRECTIONS[name] ?? {};
      return [name, { ...definition, properties: { ...definition.properties, ...properties }, ...rest }];
    }),
  );
  // `allOf` has no properties of its own.
  for (const [name, { allOf }] of Object.entries(document.definitions)) {
    if (allOf !== undefined) {
      corrected[name] = document.definitions[name];
    }
  }
  // PortOne writes null for what does not apply, and describes no field as nullable.
  const dialect = { definitions: corrected, optionalMayBeNull: true };
  const failure = { type: "object", properties: document.definitions.ResponseAnnotation.properties };

  const operations = operationsOf(document).map(({ name, method, path, operation }) => {
    const corrections = V1_PARAMETERS[name] ?? [];
    const isCorrected = (parameter) => corrections.some((correction) => correction.name === parameter.name);
    const parameters = [...(operation.parameters ?? []).filter((parameter) => !isCorrected(parameter)), ...corrections];
    const inForm = parameters.filter(({ in: place }) => place === "formData");
    const last = parameters.find((parameter) => `{${parameter.name}}` === path.split("/").at(-1));
    // `required` of a parameter is a yes or no, not a list of properties.
    const schemaOf = ({ required: _, ...schema }) => jsonSchema(schema, { ...dialect, optionalMayBeNull: false });
    return {
      name,
      method,
      segments: path.split("/").slice(1),
      lastIsOptional: last?.required === false,
      query: parameters
        .filter(({ in: place }) => place === "query")
        .map((parameter) => ({
          name: parameter.name,
          schema: schemaOf(parameter),
          required: parameter.required ?? false,
          isJson: false,
        })),
      requestBody:
        inForm.length === 0
          ? undefined
          : {
              type: "object",
              properties: Object.fromEntries(inForm.map((field) => [field.name, schemaOf(field)])),
              required: inForm.filter(({ required }) => required).map((field) => field.name),
              additionalProperties: false,
            },
      isForm: true,
      responses: new Map(
        Object.entries(operation.responses).map(([status, { schema }]) => [
          status,
          schema === undefined
            ? { ...jsonSchema(failure, dialect), additionalProperties: true }
            : jsonSchema(schema, dialect),
        ]),
      ),
      authorization: path === "/users/getToken" ? undefined : /^Bearer \S+$/,
    };
  });
  return new Description(operations, converted(corrected, dialect), envelopeProblems);
}

/** "code 0 is success; for anything else see message" (ResponseAnnotation), and every client relies on all three. */
function envelopeProblems(_operation, status, body) {
  const problems = ["code", "message", "response"]
    .filter((name) => !Object.hasOwn(body, name))
    .map((name) => `the envelope has no ${name}`);
  const succeeded = status < 300 && body.code === 0;
  if (succeeded !== (body.response !== null)) {
    problems.push(`code ${body.code} and status ${status} with response ${JSON.stringify(body.response)}`);
  }
  if (succeeded !== (body.message === null)) {
    problems.push(`code ${body.code} and status ${status} with message ${JSON.stringify(body.message)}`);
  }
  return problems;
}

/**
 * V2: https://spec.openapis.org/oas/v3.0.3
 *
 * @returns {Description}
 */
export function openApi(document) {
  const definitions = document.components.schemas;
  const dialect = { definitions, optionalMayBeNull: false };
  const jsonOf = (content) => content?.["application/json"]?.schema;

  const operations = operationsOf(document).map(({ name, method, path, operation }) => ({
    name,
    method,
    segments: path.split("/").slice(1),
    lastIsOptional: false,
    query: (operation.parameters ?? [])
      .filter(({ in: place }) => place === "query")
      .map((parameter) => ({
        name: parameter.name,
        schema: resolved(jsonSchema(parameter.schema ?? jsonOf(parameter.content), dialect), definitions, dialect),
        required: parameter.required ?? false,
        isJson: parameter.schema === undefined,
      })),
    requestBody:
      operation.requestBody === undefined
        ? undefined
        : resolved(jsonSchema(jsonOf(operation.requestBody.content), dialect), definitions, dialect),
    isForm: false,
    responses: new Map(
      Object.entries(operation.responses).map(([status, { content }]) => [
        status,
        jsonOf(content) && jsonSchema(jsonOf(content), dialect),
      ]),
    ),
    authorization: operation.security === undefined ? undefined : /^(PortOne|Bearer) \S+$/,
  }));

  /** The schema of each error says which status it comes with. */
  const statusProblems = (_operation, status, body) => {
    if (status < 400) {
      return [];
    }
    const error = Object.values(definitions).find(
      (schema) => schema["x-portone-status-code"] !== undefined && isErrorType(schema, body.type),
    );
    const expected = error?.["x-portone-status-code"];
    return expected === undefined || expected === status
      ? []
      : [`${body.type} comes with status ${expected}, not ${status}`];
  };
  const isErrorType = (schema, type) =>
    Object.values(definitions).some(
      ({ discriminator }) =>
        discriminator?.propertyName === "type" &&
        definitions[discriminator.mapping[type]?.split("/").at(-1)] === schema,
    );
  return new Description(operations, converted(definitions, dialect), statusProblems);
}

/** What a reference means; anything else as it is. */
function resolved(schema, definitions, dialect) {
  return schema.$ref === undefined ? schema : jsonSchema(definitions[schema.$ref.split("/").at(-1)], dialect);
}

function converted(definitions, dialect) {
  return Object.fromEntries(Object.entries(definitions).map(([name, schema]) => [name, jsonSchema(schema, dialect)]));
}

function operationsOf({ paths }) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => ["get", "post", "put", "patch", "delete"].includes(method))
      .map(([method, operation]) => {
        const upper = method.toUpperCase();
        return { name: `${upper} ${path}`, method: upper, path, operation };
      }),
  );
}
