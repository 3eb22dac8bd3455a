// The official TypeScript client of MCP, driven by lines of JSON: one for each call of a tool, answered by one each.
// What its user is asked is agreed to, and answers are held against the tools' output schemas by the client.
//
// usage: node caller.mjs URL ERA, where ERA is "legacy" (a session, 2025) or "2026-07-28". The first line it writes
// names the revision that was agreed on and every tool.
import { createInterface } from 'node:readline';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url, era] = process.argv.slice(2);
const client = new Client(
  { name: 'capstan-tests', version: '1.0.0' },
  { capabilities: { elicitation: {} }, versionNegotiation: { mode: era === 'legacy' ? 'legacy' : { pin: era } } },
);
client.setRequestHandler('elicitation/create', ({ params }) => {
  const fields = Object.entries(params.requestedSchema.properties).filter(([, field]) => field.type === 'boolean');
  return { action: 'accept', content: Object.fromEntries(fields.map(([name]) => [name, true])) };
});
const tell = (value) => process.stdout.write(JSON.stringify(value) + '\n');

await client.connect(new StreamableHTTPClientTransport(new URL(url)));
const { tools } = await client.listTools(); // all pages
tell({ revision: client.getNegotiatedProtocolVersion(), tools: tools.map((tool) => tool.name) });

for await (const line of createInterface({ input: process.stdin })) {
  try {
    tell({ result: await client.callTool(JSON.parse(line)) });
  } catch (error) {
    tell({ error: String(error) });
  }
}
await client.close();
