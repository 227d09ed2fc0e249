// A program that has the package alone: a small management server, and an agent with a command of its own.
// Arguments: a certificate, its key, and the agent's folder.
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  acceptTls,
  answer,
  command,
  describeClose,
  FLAG,
  integer,
  Link,
  type Message,
  PingAnswer,
  PingRoutingCommand,
  ReadyCommand,
  StartupAnswer,
  StartupRoutingCommand,
  secureContext,
  text,
} from 'muster';
import { type Resource, type RunningAgent, readyLink, silentLog, startAgent } from 'muster/agent';

const GreetCommand = command('com.example.GreetCommand', { name: text });
const GreetAnswer = answer('com.example.GreetAnswer', { greeting: text, letters: integer });

const resource: Resource = {
  name: 'Greeter',
  startup: () => ({ name: 'example-host', type: 'Routing' }),
  answer(message: Message) {
    if (!GreetCommand.is(message)) return undefined;
    const { name = 'nobody' } = GreetCommand.decode(message);
    return GreetAnswer.encode({ result: true, greeting: `Hello, ${name}`, letters: name.length });
  },
};

const [certFile = '', keyFile = '', folder = ''] = process.argv.slice(2);
const context = secureContext({ cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') });
const HEADER = { flags: FLAG.stopOnError, mgmtId: 1001n, agentId: 7n, via: 7n };
const ANSWER_MS = 10_000;

/** Takes one agent: registers it, and asks it for a greeting. */
async function serve(socket: Socket): Promise<void> {
  const remote = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
  const transport = await acceptTls(socket, { context, handshakeTimeoutMs: 10_000, remote });
  let sequence = 0n;
  const link = new Link(transport, { nextSequence: () => sequence++, ownFlags: FLAG.fromServer });
  link.start({
    onRequest(request) {
      const [message] = request.messages;
      if (message === undefined) return;
      if (PingRoutingCommand.is(message)) {
        link.answer(request, [PingAnswer.encode({ result: true, _command: message.fields })]);
      } else if (StartupRoutingCommand.is(message)) {
        link.answer(request, [StartupAnswer.encode({ result: true, hostId: 7, pingInterval: 60 })]);
        greet(link).catch(fail);
      }
    },
    onUnreadable: (_header, error) => fail(error),
    onClose: reason => console.log(`closed: ${describeClose(reason)}`),
  });
}

async function greet(link: Link): Promise<void> {
  await link.request([ReadyCommand.encode({ hostId: 7, msHostList: ['127.0.0.1'] })], HEADER, ANSWER_MS);
  const { messages } = await link.request([GreetCommand.encode({ name: 'Ada' })], HEADER, ANSWER_MS);
  for (const message of messages) {
    const { greeting, letters } = GreetAnswer.decode(message);
    console.log(`${greeting} (${letters}) from ${readyLink(running.state)?.host}`);
  }
  await running.stop();
  server.close();
}

function fail(error: unknown): never {
  console.error(error);
  process.exit(1);
}

const server = createServer({ allowHalfOpen: true }, socket => void serve(socket).catch(fail));
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' ? String(address?.port) : '';
const running: RunningAgent = await startAgent({
  file: join(folder, 'agent.properties'),
  overrides: { host: '127.0.0.1', port },
  resource,
  log: silentLog,
});
