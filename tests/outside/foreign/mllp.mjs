// Sends every message of a file, read from standard input as a JSON list, over one connection, and prints the answers as a JSON list.
//   node mllp.mjs medplum|node-hl7-client HOST PORT < messages.json
// Serves instead, and prints its port: node mllp.mjs medplum-server
import { readFileSync } from 'node:fs';

const [, , library, host, port] = process.argv;

async function medplum(messages) {
  const { Hl7Message } = await import('@medplum/core');
  const { Hl7Client } = await import('@medplum/hl7');
  const client = new Hl7Client({ host, port: Number(port), keepAlive: true });
  const answers = [];
  for (const message of messages) {
    answers.push((await client.sendAndWait(Hl7Message.parse(message), { timeoutMs: 20_000 })).toString());
  }
  await client.close();
  return answers;
}

async function medplumAtOnce(messages) {
  const { Hl7Message } = await import('@medplum/core');
  const { Hl7Client } = await import('@medplum/hl7');
  const client = new Hl7Client({ host, port: Number(port), keepAlive: true });
  const connection = await client.connect();
  const answers = await Promise.all(messages.map((message) => connection.sendAndWait(Hl7Message.parse(message), { timeoutMs: 20_000 })));
  await client.close();
  return answers.map((answer) => answer.toString());
}

async function nodeHl7Client(messages) {
  const { Client, Message } = await import('node-hl7-client');
  const client = new Client({ host });
  const answers = [];
  let told;
  const connection = client.createConnection({ port: Number(port) }, async (answer) => told(answer.getMessage().toString()));
  for (const message of messages) {
    const answered = new Promise((resolve) => (told = resolve));
    await connection.sendMessage(new Message({ text: message }));
    answers.push(await answered);
  }
  await connection.close();
  return answers;
}

async function serveMedplum() {
  const { Hl7Server } = await import('@medplum/hl7');
  const server = new Hl7Server((connection) => {
    connection.addEventListener('message', ({ message }) => connection.send(message.buildAck()));
  });
  await server.start(0, 'utf-8');
  process.stdout.write(`${server.server.address().port}\n`);
  process.stdin.on('end', () => server.stop({ forceDrainTimeoutMs: 100 }).then(() => process.exit(0))).resume();
}

if (library === 'medplum-server') {
  await serveMedplum();
} else {
  const send = { medplum, 'medplum-at-once': medplumAtOnce, 'node-hl7-client': nodeHl7Client }[library];
  process.stdout.write(JSON.stringify(await send(JSON.parse(readFileSync(0, 'utf8')))));
  process.exit(0);
}
