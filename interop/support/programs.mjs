// Programs to test with: this workspace's own, as cargo built them, and Python's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { createInterface } from "node:readline";

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;
const RUN_MS_MAX = 120_000;
const SCHEMATHESIS_MS_MAX = 540_000;
/** Requests that Schemathesis makes up for each operation, and the seed that it makes them from. */
const SCHEMATHESIS_EXAMPLES = 20;
const SCHEMATHESIS_SEED = 1;

const root = resolve(import.meta.dirname, "../..");

/** `cargo xtask test` says where cargo put the programs; by hand it is cargo's default. */
const binDir = process.env.WANRYO_BIN_DIR ?? join(root, "target/debug");

/** Where `cargo xtask test` installed the packages of `requirements.txt`; by hand it is its default. */
const pythonPackages = process.env.WANRYO_PYTHON_PACKAGES ?? join(root, "target/interop/python");

/** Where it installed Schemathesis. */
const schemathesis = process.env.WANRYO_SCHEMATHESIS ?? join(root, "target/interop/schemathesis");

/** Starts `portone-sandbox` on a free port. Returns its address and how to end it. */
export async function startSandbox(args = []) {
  return await start("portone-sandbox", ["--addr", "127.0.0.1:0", ...args]);
}

/**
 * Starts `wanryo` on a free port and a database of its own, for test money through the V1 of the PortOne at `v1Url`.
 *
 * `call` asks as a shop's server does, and fails unless the answer is 2xx.
 */
export async function startWanryo(v1Url, { key: apiKey, secret }) {
  const directory = await mkdtemp(join(tmpdir(), "wanryo-interop-"));
  const all = {
    PORTONE_V1_API_URL: v1Url,
    PORTONE_V1_MERCHANT_CODE: "imp00000000",
    PORTONE_V1_API_KEY: apiKey,
    PORTONE_V1_API_SECRET: secret,
    WANRYO_ADDR: "127.0.0.1:0",
    WANRYO_MODE: "test",
    DATABASE_URL: `sqlite://${join(directory, "wanryo.db")}`,
  };
  const key = (await run(join(binDir, "wanryo"), ["key", "create", "--name", "shop"], all, "")).stdout.trim();
  const { url, stop: end } = await start("wanryo", [], all);
  const call = async (method, path, body) => {
    const response = await fetch(url + path, {
      method,
      headers: { accept: "application/json", authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path}: ${response.status} ${text}`);
    }
    return JSON.parse(text);
  };
  const stop = async () => {
    await end();
    await rm(directory, { recursive: true });
  };
  return { url, key, call, stop };
}

async function start(program, args, settings = {}) {
  const child = spawn(join(binDir, program), args, {
    env: { ...environment(), ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const url = await new Promise((listening, failed) => {
    const printed = [];
    const fail = (why) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      failed(new Error(`${program} ${why}\n${printed.join("\n")}`));
    };
    const timer = setTimeout(() => fail(`did not listen within ${START_MS_MAX} ms`), START_MS_MAX);
    child.once("error", (error) => fail(`could not be started (cargo build --bins?): ${error.message}`));
    child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        printed.push(line);
        const address = /listening on (http:\/\/[\w.:[\]-]+)/.exec(line)?.[1];
        if (address !== undefined) {
          clearTimeout(timer);
          listening(address);
        }
      });
    }
  });
  return { url, stop: () => stop(child) };
}

/** Runs one of `crates/portone/examples` to its end; fails unless it succeeds. Returns what it printed. */
export async function runExample(name, settings = {}, args = [], input = "") {
  const { stdout } = await run(join(binDir, "examples", name), args, settings, input);
  return stdout;
}

/** Has Schemathesis judge an API by the description at `url`; fails unless it finds nothing. Returns what it printed. */
export async function runSchemathesis(url, key, knownIds) {
  const python = join(root, "interop/python");
  const args = ["--config-file", join(python, "schemathesis.toml"), "run", url, "--header", `Authorization: Bearer ${key}`];
  // It keeps what it found in the directory it runs in.
  const directory = await mkdtemp(join(tmpdir(), "wanryo-schemathesis-"));
  const sizes = ["--max-examples", String(SCHEMATHESIS_EXAMPLES), "--seed", String(SCHEMATHESIS_SEED)];
  const { stdout } = await run(
    "python3",
    ["-m", "schemathesis.cli", ...args, ...sizes, "--no-color", "--generation-database", "none"],
    {
      PYTHONPATH: [schemathesis, python].join(delimiter),
      PYTHONDONTWRITEBYTECODE: "1",
      SCHEMATHESIS_HOOKS: "api_hooks",
      WANRYO_KNOWN_IDS: JSON.stringify(knownIds),
    },
    "",
    { timeout: SCHEMATHESIS_MS_MAX, cwd: directory },
  );
  await rm(directory, { recursive: true });
  return stdout;
}

/** Runs the unit tests of one of our Python files; fails unless they succeed. Returns how many there were. */
export async function runPythonTests(file, settings) {
  const paths = { PYTHONPATH: pythonPackages, PYTHONDONTWRITEBYTECODE: "1" };
  const args = [join(root, "interop/python", file), "--verbose"];
  const { stderr } = await run("python3", args, { ...paths, ...settings }, "");
  return Number(/^Ran (\d+) tests? in/m.exec(stderr)?.[1]);
}

async function run(program, args, settings, input, options = {}) {
  const env = { ...environment(), ...settings };
  const child = spawn(program, args, { timeout: RUN_MS_MAX, ...options, env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  // A program that fails at once closes its input before we have written it: its exit code is what counts.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [code, signal] = await once(child, "close");
  if (code !== 0) {
    throw new Error(`${program} ended with ${code ?? signal}\n${stdout}${stderr}`);
  }
  return { stdout, stderr };
}

/** Asks a program to stop, and ends it when it does not. */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, "exit");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  child.kill("SIGTERM");
  await exited;
  clearTimeout(timer);
}

/** Our environment without settings of the programs: a developer's own must not leak into the tests. */
function environment() {
  const isSetting = (name) => /^(WANRYO_|PORTONE_|PYTHON)/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}
