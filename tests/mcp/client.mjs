// An MCP client that does what a test says: the official TypeScript SDK, driven by one JSON object on stdin and answering
// with another on stdout. It has no opinion; the tests in Rust do.
//
//   {"command": [...], "env": {}}           a server to start, or
//   {"url": "...", "headers": {}}           one to connect to
//   "elicitation": "accept" | "unticked" | "decline" | "cancel" | "hang" | absent, which declares no such capability
//   "calls": [{"tool", "arguments"}, {"list": true}, {"readOn": {"tool", "arguments"}}, {"cancelWhenAsked": {…}}]

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

// The folder of the user's cache that they are installed in.
const installed = createRequire(`${process.argv[2]}/`);
const { Client } = installed("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = installed("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = installed("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { ElicitRequestSchema } = installed("@modelcontextprotocol/sdk/types.js");

const script = JSON.parse(await text(process.stdin));
const asked = [];
let stderr = "";
let whenAsked = () => {};

const capabilities = script.elicitation ? { elicitation: { form: {} } } : {};
const client = new Client({ name: "auth0-tests", version: "1.0.0" }, { capabilities });
if (script.elicitation) {
    client.setRequestHandler(ElicitRequestSchema, async (request) => {
        asked.push(request.params);
        whenAsked();
        switch (script.elicitation) {
            case "accept":
                return { action: "accept", content: { confirm: true } };
            case "unticked":
                return { action: "accept", content: { confirm: false } };
            case "hang":
                return new Promise(() => {});
            default:
                return { action: script.elicitation };
        }
    });
}

function transport() {
    if (script.url) {
        return new StreamableHTTPClientTransport(new URL(script.url), { requestInit: { headers: script.headers } });
    }
    const [command, ...args] = script.command;
    const server = new StdioClientTransport({ command, args, env: script.env, stderr: "pipe" });
    server.stderr.on("data", (data) => (stderr += data));
    return server;
}

// Calls a tool, and reads what was cut to its end.
async function readOn(call) {
    const pieces = [await client.callTool({ name: call.tool, arguments: call.arguments })];
    for (;;) {
        const cut = pieces.at(-1).structuredContent?.truncated;
        if (!cut) return { pieces };
        pieces.push(await client.callTool({ name: "read-more", arguments: { cursor: cut.cursor } }));
    }
}

async function run(call) {
    if (call.list) return client.listTools();
    if (call.readOn) return readOn(call.readOn);
    if (call.cancelWhenAsked) {
        const abort = new AbortController();
        whenAsked = () => abort.abort("enough");
        const { tool, arguments: input } = call.cancelWhenAsked;
        return client.callTool({ name: tool, arguments: input }, undefined, { signal: abort.signal });
    }
    return client.callTool({ name: call.tool, arguments: call.arguments ?? {} });
}

const answer = { results: [], asked };
try {
    const connection = transport();
    await client.connect(connection);
    answer.server = client.getServerVersion();
    answer.instructions = client.getInstructions();
    for (const call of script.calls) {
        answer.results.push(await run(call).catch((error) => ({ thrown: { code: error.code, message: error.message } })));
    }
    await connection.terminateSession?.();
    await client.close();
} catch (error) {
    answer.failed = { code: error.code, message: error.message };
}
answer.stderr = stderr;
process.stdout.write(JSON.stringify(answer), () => process.exit(0));
