// Drives the official TypeScript SDKs by lines of JSON on standard input and output.
//
// typescript_sdk.mjs PACKAGE MODE COMMAND [ARGUMENT ...]
//
// PACKAGE is @modelcontextprotocol/client or a name of package.json for an older SDK; MODE is
// legacy, auto or a version, and of use for the former only. What runs is a copy beside the packages.
// python_sdk.py does the same with the Python SDK; ../client.py has the other end and says what the
// lines are.

import { createInterface } from 'node:readline';

const [packageName, mode, command, ...serverArguments] = process.argv.slice(2);
const isNewSdk = packageName === '@modelcontextprotocol/client';
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function makeClient() {
  const who = { name: 'belljar-test', version: '1' };
  // Only from these variables does the server know where its state is.
  const server = { command, args: serverArguments, env: { ...process.env } };
  if (isNewSdk) {
    const { Client } = await import('@modelcontextprotocol/client');
    const { StdioClientTransport } = await import('@modelcontextprotocol/client/stdio');
    const versionNegotiation =
      mode === 'legacy' ? undefined : { mode: mode === 'auto' ? 'auto' : { pin: mode } };
    const client = new Client(who, { versionNegotiation });
    client.setNotificationHandler('notifications/tools/list_changed', () =>
      say({ event: 'tools-changed' }));
    client.setNotificationHandler('notifications/message', ({ params }) =>
      say({ event: 'log', ...params }));
    await client.connect(new StdioClientTransport(server));
    return { client, version: client.getNegotiatedProtocolVersion() };
  }
  const { Client } = await import(`${packageName}/client/index.js`);
  const { StdioClientTransport } = await import(`${packageName}/client/stdio.js`);
  const types = await import(`${packageName}/types.js`);
  const client = new Client(who, { capabilities: {} });
  client.setNotificationHandler(types.ToolListChangedNotificationSchema, () =>
    say({ event: 'tools-changed' }));
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) =>
    say({ event: 'log', ...params }));
  const transport = new StdioClientTransport(server);
  // These do not say what was agreed on, except to the transport.
  let version = types.LATEST_PROTOCOL_VERSION;
  transport.setProtocolVersion = (agreed) => { version = agreed; };
  await client.connect(transport);
  return { client, version };
}

const { client, version } = await makeClient();
const isStateless = version >= '2026';
const calls = new Map();
let level;

const actions = {
  tools: async () => (await client.listTools()).tools,
  call: async ({ id, name, arguments: values }) => {
    const abort = new AbortController();
    calls.set(id, abort);
    const params = { name, arguments: values };
    if (isStateless && level) params._meta = { 'io.modelcontextprotocol/logLevel': level };
    const options = {
      signal: abort.signal,
      onprogress: ({ progress }) => say({ event: 'progress', call: id, progress }),
    };
    return isNewSdk ? client.callTool(params, options)
                    : client.callTool(params, undefined, options);
  },
  cancel: async ({ call }) => calls.get(call).abort('no longer wanted'),
  level: async (line) => {
    level = line.level;
    if (!isStateless) await client.setLoggingLevel(level);
  },
  listen: async () => {
    if (isStateless) await client.listen({ toolsListChanged: true });
  },
  close: async () => client.close(),
};

say({ event: 'connected', version });
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text);
  const answer = actions[line.do](line).then(
    (result) => say({ id: line.id, result: result ?? null }),
    (error) => say({ id: line.id, error: `${error.name}: ${error.message}` }),
  );
  if (line.do === 'close') {
    await answer;
    break;
  }
}
say({ event: 'closed' });
process.exitCode = 0;
process.stdin.destroy();
